""".tar -> its entries, one after the other, each with its data.

Python's own reader holds a header of any length in memory, follows headers of headers by recursion, and takes a tar
that was cut off between two files for whole.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

_BLOCK = 512
_CHECKSUM = slice(148, 156)
_OCTAL = re.compile(rb"[ 0-7]{1,7}[ 0-7\0]{1,7}")
_CHUNK_BYTES = 1 << 16
# A header before the header of a file: its long name and the like.
_PAX, _PAX_FOR_ALL, _LONG_NAME, _LONG_LINK = b"x", b"g", b"L", b"K"
_MOST_HEADER = 1 << 20
_MOST_HEADERS = 16
_SPARSE_GOES_ON, _MAP_GOES_ON = 482, 504
_ZEROS = bytes(_BLOCK)
_SIZE = re.compile(r"\d{1,18}", re.ASCII)
_DIGITS = re.compile(rb"(\d{1,7}) ")
LINK = "a link, and links in archives are not followed"
_DEVICE = "a pipe or a device, not a file"
_SPARSE = "a file with holes, as `tar --sparse` packs it, which is not read: pack it without that option"
_OTHER = "an entry that is not a file"


@dataclass(frozen=True, slots=True)
class TarEntry:
    """An entry, and why it is not read, if so. Its data are to be read before the next entry is asked for."""

    name: str
    is_folder: bool
    problem: str
    data: TarData


class TarData:
    """The data of an entry."""

    def __init__(self, stream: io.BufferedReader, size: int, name: str) -> None:
        self._stream = stream
        self._left = size
        self._behind = -size % _BLOCK
        self._name = name

    def read1(self, most: int) -> bytes:
        """Read some bytes; return an empty value at the end.

        Raises:
            EOFError: if the archive ends before.
        """
        data = self._stream.read1(min(most, self._left)) if self._left else b""
        if self._left and not data:
            raise EOFError(f"it ends within {self._name[:100]!r}: nothing after that can be found")
        self._left -= len(data)
        return data

    def pass_over(self) -> None:
        """Go to the entry behind it.

        Raises:
            EOFError: if the archive ends before.
        """
        if self._stream.seekable():
            position = self._stream.tell()
            end = self._stream.seek(0, os.SEEK_END)
            skipped = max(min(self._left - 1, end - position), 0)
            self._stream.seek(position + skipped)
            self._left -= skipped
        while self.read1(_CHUNK_BYTES):
            pass
        self._left, self._behind = self._behind, 0
        while self.read1(_CHUNK_BYTES):
            pass


def is_tar(head: bytes) -> bool:
    """Return whether a file that begins so is a tar archive: the first header has its checksum."""
    if len(head) < _BLOCK or head[0] == 0 or not _OCTAL.fullmatch(head[_CHECKSUM]):
        return False
    try:
        _parse(head[:_BLOCK])
    except tarfile.HeaderError:
        return False
    return True


def tar_entries(stream: io.BufferedReader) -> Iterator[TarEntry]:
    """Read the entries of a tar archive, and of others behind it.

    Raises:
        EOFError: if it ends too early.
        tarfile.TarError: if a header is invalid.
    """
    position, ended, headers = 0, False, 0
    for_all: dict[str, str] = {}
    own: dict[str, str] = {}
    while block := _exactly(stream, _BLOCK, may_end=True):
        position += _BLOCK
        if block == _ZEROS:
            ended = True
            continue
        try:
            info = _parse(block)
        except tarfile.HeaderError as error:
            what = "something else follows" if ended else "a header is invalid"
            raise tarfile.ReadError(f"{what} after {position - _BLOCK:,} bytes: the rest is not read") from error
        ended = False
        if info.type in (_PAX, _PAX_FOR_ALL, _LONG_NAME, _LONG_LINK):
            headers += 1
            if info.size > _MOST_HEADER or headers > _MOST_HEADERS:
                raise tarfile.ReadError("a header is too long")
            data = _exactly(stream, info.size + -info.size % _BLOCK)[: info.size]
            position += info.size + -info.size % _BLOCK
            if info.type == _LONG_NAME:
                own["path"] = data.partition(b"\0")[0].decode("utf-8", "replace")
            elif info.type != _LONG_LINK:
                (for_all if info.type == _PAX_FOR_ALL else own).update(_pax(data))
            continue
        if info.type == tarfile.GNUTYPE_SPARSE:
            more = block[_SPARSE_GOES_ON]
            while more:  # blocks of a map of the holes
                more = _exactly(stream, _BLOCK)[_MAP_GOES_ON]
                position += _BLOCK
        given = {**for_all, **own}
        size = int(given["size"]) if _SIZE.fullmatch(given.get("size", "")) else info.size
        if not info.isreg() and info.type in tarfile.SUPPORTED_TYPES:
            size = 0  # that of what a link leads to
        name = given.get("path") or info.name
        yield TarEntry(name, info.isdir(), _problem(info, given), data_of := TarData(stream, size, name))
        data_of.pass_over()
        position += size + -size % _BLOCK
        own, headers = {}, 0
    if not ended:
        raise EOFError("its end is missing: it may have had more files")


def _parse(block: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo.frombuf(block, "utf-8", "replace")
    if info.size < 0:
        raise tarfile.HeaderError("a negative size")
    return info


def _exactly(stream: io.BufferedReader, size: int, *, may_end: bool = False) -> bytes:
    """Read so many bytes; return an empty value at the end of the archive, if it ``may_end`` here."""
    data = stream.read(size)
    if len(data) < size and (data or not may_end):
        raise EOFError("it ends within a header")
    return data


def _pax(data: bytes) -> dict[str, str]:
    """Read the values of a header, each a line that begins with its length."""
    found = {}
    position = 0
    while start := _DIGITS.match(data, position):
        end = position + int(start[1])
        name, _, value = data[start.end() : end - 1].partition(b"=")
        if end <= start.end():
            break
        if name in (b"path", b"size") or name.startswith(b"GNU.sparse"):
            found[name.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
        position = end
    return found


def _problem(info: tarfile.TarInfo, given: dict[str, str]) -> str:
    """Return why an entry is not read, "" if it is."""
    if info.issym() or info.islnk():
        return LINK
    if info.isdev():
        return _DEVICE
    if info.type == tarfile.GNUTYPE_SPARSE or any(name.startswith("GNU.sparse") for name in given):
        return _SPARSE
    return "" if info.isreg() or info.isdir() else _OTHER
