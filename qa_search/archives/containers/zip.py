""".zip -> its entries, one after the other.

Python's own reader holds the whole directory in memory (600 MB for a million entries), refuses a zip of which one name
is not text, and unpacks what it reads of bzip2 and LZMA at once, whatever comes out: of bzip2, a million to one.
"""

from __future__ import annotations

import bz2
import io
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

from qa_search.archives.base import UnknownCompressionError
from qa_search.archives.containers.decoders import Decoder, Deflate, Stored

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")  # the second is that of a zip without entries
# See PKWARE's APPNOTE.TXT, 4.3.7, 4.3.12, 4.3.14 to 4.3.16 and 4.5.3.
_LOCAL = struct.Struct("<4s2xHH4xLLLHH")
_ENTRY = struct.Struct("<4sBBHHHHHLLLHHHHHLL")
_END = struct.Struct("<4s8xLL2x")
_END_64_LOCATOR = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4s36xQQ")
_LONGEST_COMMENT = 0xFFFF
_IN_EXTRA = 0xFFFFFFFF
_EXTRA_64 = 1
_LOCAL_MAGIC, _DESCRIPTOR_MAGIC, _ENTRY_MAGIC = b"PK\x03\x04", b"PK\x07\x08", b"PK\x01\x02"
_LONGEST_DESCRIPTOR = 24
_SHOWN = 100
_HEADER_CUT = "it ends within the header of a file"
_ENCRYPTED, _SIZES_FOLLOW, _UTF8_NAME = 0x1, 0x8, 0x800
_UNIX = 3
_STORED, _DEFLATED, _BZIP2, _LZMA = 0, 8, 12, 14
# 5.8.8: two bytes of version, two of length, then what the decoder needs.
_LZMA_PROPERTIES = struct.Struct("<4xBL")
_CHUNK_BYTES = 1 << 16
# An entry that ends unexpectedly may hide so many bytes of the next one: a small piece is looked at twice instead.
_PIECE_BYTES = 1 << 9


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """An entry, as the directory describes it. At most ``size`` bytes are unpacked."""

    name: str
    size: int
    packed: int
    offset: int
    method: int
    checksum: int
    is_encrypted: bool
    is_link: bool


def zip_entries(stream: BinaryIO) -> Iterator[ZipEntry]:
    """Read the directory, entry by entry.

    Raises:
        zipfile.BadZipFile: if it is damaged.
    """
    start, end, shift = _directory(stream)
    position = start
    while position < end:
        stream.seek(position)
        fixed = stream.read(_ENTRY.size)
        if len(fixed) < _ENTRY.size or not fixed.startswith(_ENTRY_MAGIC):
            raise zipfile.BadZipFile("its directory is damaged")
        (_, _, system, _, flags, method, _, _, checksum, packed, unpacked, name_length, extra_length, comment_length,
         _, _, attributes, offset) = _ENTRY.unpack(fixed)  # fmt: skip
        name, extra = stream.read(name_length), stream.read(extra_length)
        position += _ENTRY.size + name_length + extra_length + comment_length
        unpacked, packed, offset = _sizes(extra, unpacked, packed, offset)
        yield ZipEntry(
            _name(name, flags),
            unpacked,
            packed,
            min(offset + shift, start),
            method,
            checksum,
            bool(flags & _ENCRYPTED),
            system == _UNIX and stat.S_ISLNK(attributes >> 16),
        )


def open_entry(stream: BinaryIO, entry: ZipEntry) -> BinaryIO:
    """Unpack an entry while it is read. The stream must not be moved meanwhile.

    Raises:
        zipfile.BadZipFile: if the entry is not where the directory says, and while reading, if it is damaged.
        UnknownCompressionError: if it is compressed in a way that Python does not know.
    """
    stream.seek(entry.offset)
    header = stream.read(_LOCAL.size)
    if len(header) < _LOCAL.size or not header.startswith(_LOCAL_MAGIC):
        raise zipfile.BadZipFile("an entry is not at the place that the directory names")
    *_, name_length, extra_length = _LOCAL.unpack(header)
    stream.seek(entry.offset + _LOCAL.size + name_length + extra_length)
    return io.BufferedReader(_EntryStream(stream, entry), _CHUNK_BYTES)


def entries_by_headers(stream: BinaryIO, most: int) -> Iterator[ZipEntry]:
    """Find the entries of a zip whose directory is damaged or missing, by the header before each.

    A link looks like a file here. Where the sizes follow the data, it is unpacked to find its end: at most ``most``
    bytes of all entries together. Hardly a byte is searched twice.

    Raises:
        zipfile.BadZipFile: after the last entry, if some bytes belong to no entry, or the last entry is cut off.
    """
    position = lost = 0
    is_whole, cut = True, ""
    end = stream.seek(0, os.SEEK_END)
    while (start := _find(stream, _LOCAL_MAGIC, position)) is not None:
        lost += is_whole and _unexplained(stream, position, start)
        if end - start < _LOCAL.size:
            raise zipfile.BadZipFile(_HEADER_CUT)
        entry, behind, unpacked, is_whole = _entry_at(stream, start, most)
        position, most = min(behind, end), max(most - unpacked, 0)
        cut = entry.name if behind > end else ""
        yield entry
    lost += is_whole and _unexplained(stream, position, end)
    if cut:
        raise zipfile.BadZipFile(f"it ends within {cut[:_SHOWN]!r}: nothing after that can be found")
    if lost:
        raise zipfile.BadZipFile(f"{lost:,} bytes belong to no file that was found")


def _find(stream: BinaryIO, magic: bytes, position: int) -> int | None:
    """Return where the next ``magic`` begins, from a position on."""
    stream.seek(position)
    data, size = b"", 2 * _LONGEST_DESCRIPTOR  # it is mostly near
    while piece := stream.read(size):
        data += piece
        if (found := data.find(magic)) >= 0:
            return position + found
        position, data, size = position + max(len(data) - 3, 0), data[-3:], min(2 * size, _CHUNK_BYTES)
    return None


def _unexplained(stream: BinaryIO, start: int, end: int) -> int:
    """Count the bytes between two places, 0 if only sizes or the directory can stand there."""
    stream.seek(start)
    is_known = end - start <= _LONGEST_DESCRIPTOR or _ENTRY_MAGIC in stream.read(_LONGEST_DESCRIPTOR + 4)
    return 0 if is_known else end - start


def _entry_at(stream: BinaryIO, start: int, most: int) -> tuple[ZipEntry, int, int, bool]:
    """Read a header; return its entry, where to look on, what was unpacked for that, and whether its end is known."""
    stream.seek(start)
    _, flags, method, checksum, packed, size, name_length, extra_length = _LOCAL.unpack(stream.read(_LOCAL.size))
    name, extra = stream.read(name_length), stream.read(extra_length)
    if len(name) < name_length or len(extra) < extra_length:
        raise zipfile.BadZipFile(_HEADER_CUT)
    size, packed, _ = _sizes(extra, size, packed, 0)
    is_encrypted = bool(flags & _ENCRYPTED)
    entry = ZipEntry(_name(name, flags), size, packed, start, method, checksum, is_encrypted, is_link=False)
    data = stream.tell()
    if packed or is_encrypted or not flags & _SIZES_FOLLOW:
        return entry, data + packed, 0, not is_encrypted
    if method == _STORED:
        descriptor = _find_descriptor(stream, data)
        end = stream.seek(0, os.SEEK_END) if descriptor is None else descriptor
        size, unpacked, is_whole = end - data, 0, descriptor is not None
    else:
        size, end, is_whole = _unpack_to_end(stream, entry, most)
        unpacked = size
    stream.seek(end)
    checksum = int.from_bytes(stream.read(8).removeprefix(_DESCRIPTOR_MAGIC)[:4], "little")
    # One byte more than there is, if it is not whole: who unpacks it meets the damage.
    size += not is_whole
    return replace(entry, packed=end - data, size=size, checksum=checksum), end, unpacked, is_whole


def _find_descriptor(stream: BinaryIO, data: int) -> int | None:
    """Return where the sizes behind data that is not packed begin; the data may have their mark, but not the sizes."""
    position = data
    while (found := _find(stream, _DESCRIPTOR_MAGIC, position)) is not None:
        stream.seek(found + 8)  # behind the mark and the checksum
        size, sizes = found - data, stream.read(16)
        if sizes[:8] == (size % 2**32).to_bytes(4, "little") * 2 or sizes == size.to_bytes(8, "little") * 2:
            return found
        position = found + 1
    return None


def _unpack_to_end(stream: BinaryIO, entry: ZipEntry, most: int) -> tuple[int, int, bool]:
    """Unpack the data at which the stream is; return its size, where it ends, and whether it is whole.

    It stops when there is more than ``most``.
    """
    size, piece = 0, b""
    if not most:
        return 0, stream.tell(), False
    try:
        decoder = _make_decoder(replace(entry, size=most), stream.read)
        while not decoder.eof and size <= most:
            is_hungry = decoder.needs_input
            piece = stream.read(_PIECE_BYTES) if is_hungry else piece
            if not piece:
                break
            size += len(decoder.decompress(piece if is_hungry else b"", min(most - size + 1, _CHUNK_BYTES)))
    except (zipfile.BadZipFile, UnknownCompressionError, zlib.error, lzma.LZMAError, OSError, ValueError):
        return size, stream.tell() - len(piece), False
    rest = len(decoder.unused_data if decoder.eof else piece)
    return size, stream.tell() - rest, decoder.eof


class _EntryStream(io.RawIOBase):
    """The bytes of an entry, never more of them than asked for."""

    def __init__(self, stream: BinaryIO, entry: ZipEntry) -> None:
        self._stream = stream
        self._packed_left = entry.packed
        self._left = entry.size
        self._checksum = entry.checksum
        self._found_checksum = 0
        self._decoder = _make_decoder(entry, self._read_packed)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        most = min(len(view), self._left)
        data = b""
        while most and not data:
            packed = b""
            if self._decoder.needs_input:
                packed = self._read_packed(most)
            if self._decoder.eof or (self._decoder.needs_input and not packed):
                raise zipfile.BadZipFile("an entry ends too early")
            data = self._decoder.decompress(packed, most)
        self._left -= len(data)
        self._found_checksum = zlib.crc32(data, self._found_checksum)
        if not self._left and self._found_checksum != self._checksum:
            raise zipfile.BadZipFile("an entry has a wrong checksum")
        view[: len(data)] = data
        return len(data)

    def _read_packed(self, most: int) -> bytes:
        data = self._stream.read(min(most, self._packed_left))
        self._packed_left -= len(data)
        return data


def _make_decoder(entry: ZipEntry, read_packed: Callable[[int], bytes]) -> Decoder:
    if entry.method == _STORED:
        return Stored()
    if entry.method == _DEFLATED:
        return Deflate()
    if entry.method == _BZIP2:
        return bz2.BZ2Decompressor()
    if entry.method == _LZMA:
        properties = read_packed(_LZMA_PROPERTIES.size)
        if len(properties) < _LZMA_PROPERTIES.size:
            raise zipfile.BadZipFile("an entry ends too early")
        bits, dictionary = _LZMA_PROPERTIES.unpack(properties)
        # No dictionary is of use that is larger than what comes out.
        sizes = {"dict_size": max(min(dictionary, entry.size), 1 << 12)}
        lzma1 = {"id": lzma.FILTER_LZMA1, "lc": bits % 9, "lp": bits // 9 % 5, "pb": bits // 45, **sizes}
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[lzma1])
    raise UnknownCompressionError(f"compression method {entry.method} is unknown")


def _name(name: bytes, flags: int) -> str:
    return name.decode("utf-8" if flags & _UTF8_NAME else "cp437", "replace")


def _directory(stream: BinaryIO) -> tuple[int, int, int]:
    """Find the directory from the end of the file: its start, its end, and the length of what precedes the zip.

    A program precedes a self-extracting zip.
    """
    end = stream.seek(0, os.SEEK_END)
    tail_start = max(end - _LONGEST_COMMENT - _END.size, 0)
    stream.seek(tail_start)
    tail = stream.read(end - tail_start)
    found = tail.rfind(b"PK\x05\x06")
    if found < 0 or len(tail) - found < _END.size:
        raise zipfile.BadZipFile("the directory is missing")
    _, size, offset = _END.unpack_from(tail, found)
    end = tail_start + found
    record_64 = end - _END_64_LOCATOR.size - _END_64.size
    if record_64 >= 0:
        stream.seek(record_64)
        records = stream.read(_END_64.size + _END_64_LOCATOR.size)
        if records[_END_64.size :].startswith(b"PK\x06\x07"):
            magic, size, offset = _END_64.unpack_from(records)
            end = record_64
            if magic != b"PK\x06\x06":
                raise zipfile.BadZipFile("its directory is damaged")
    shift = end - size - offset
    stream.seek(0)
    # What precedes it is another zip: the directory is that of a zip in this one, or of the last of several.
    if shift < 0 or (shift and stream.read(len(_LOCAL_MAGIC)) == _LOCAL_MAGIC):
        raise zipfile.BadZipFile("its directory is damaged or truncated")
    return offset + shift, end, shift


def _sizes(extra: bytes, unpacked: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Take the values that do not fit into 32 bits from the extra field."""
    values = [unpacked, packed, offset]
    if _IN_EXTRA not in values:
        return unpacked, packed, offset
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, position)
        if kind == _EXTRA_64:
            large = [number for (number,) in struct.iter_unpack("<Q", extra[position + 4 :][: length & ~7])]
            for index, value in enumerate(values):
                if value == _IN_EXTRA and large:
                    values[index] = large.pop(0)
        position += 4 + length
    return values[0], values[1], values[2]
