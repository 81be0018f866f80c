""".gz, .bz2, .xz and .zst -> the stream of bytes in them."""

from __future__ import annotations

import bz2
import io
import lzma
import re
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

from qa_search.archives.base import DamagedStreamError
from qa_search.archives.containers.decoders import WINDOW_LOG, Decoder, Deflate, zstandard, zstandard_decoder
from qa_search.archives.limits import format_size

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK_BYTES = 1 << 16
_WITH_GZIP_HEADER = 31  # zlib's word for it
# What is unpacked at once of an .xz or a .zst is lost if damage follows in it.
_FEW_BYTES = 1 << 12
# Four times what `xz -9` needs.
_XZ_MEMORY = 256 << 20


class _Careful(Decoder, Protocol):
    """A decoder that keeps what is wrong in ``damage``, after all that precedes it was returned."""

    damage: Exception | None


@dataclass(frozen=True)
class Compression:
    """A way in which single files are compressed: how it begins, and how it is unpacked."""

    beginning: re.Pattern[bytes]
    magics: tuple[bytes, ...]
    make_decoder: Callable[[], _Careful]
    at_once: int = _CHUNK_BYTES


def compression_of(head: bytes) -> Compression | None:
    """Return how a file is compressed that begins so, None if it is not."""
    return next((compression for compression in COMPRESSIONS if compression.beginning.match(head)), None)


def open_compressed(
    packed: BinaryIO, compression: Compression, reached: Callable[[int], None], behind: Callable[[int], None]
) -> BinaryIO:
    """Unpack while it is read, one compressed file after another, as gunzip does; closing that closes the bytes below.

    ``reached`` gets the number of bytes so far, and may raise an error to stop. ``behind`` gets the place, in
    packed bytes, of data after the last compressed file that is something else.

    Raises:
        EOFError: while reading, after all that can be unpacked, if it is truncated.
        zlib.error: while reading, after all that can be unpacked, if it is damaged.
        DamagedStreamError: as zlib.error.
    """
    return io.BufferedReader(_UnpackedStream(packed, compression, reached, behind), _CHUNK_BYTES)


class _UnpackedStream(io.RawIOBase):
    """Python's own go through headers and padding byte by byte: gigabytes of them take hours."""

    def __init__(
        self,
        packed: BinaryIO,
        compression: Compression,
        reached: Callable[[int], None],
        behind: Callable[[int], None],
    ) -> None:
        self._packed = packed
        self._compression = compression
        self._reached = reached
        self._behind = behind
        self._decoder = compression.make_decoder()
        self._rest = b""  # packed bytes that were read and not used yet
        self._position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        at_once = self._compression.at_once
        while True:
            if self._decoder.damage is not None:
                raise self._decoder.damage
            if self._decoder.eof:
                if not self._begin_next():
                    return 0
                continue
            piece = b""
            if self._decoder.needs_input:
                piece, self._rest = self._rest or self._packed.read(at_once), b""
                if not piece:
                    raise EOFError("it ends before its end-of-stream marker")
            data = self._decoder.decompress(piece, min(len(view), at_once))
            self._rest = self._decoder.unused_data or self._rest
            if data:
                self._position += len(data)
                self._reached(self._position)
                view[: len(data)] = data
                return len(data)

    def _begin_next(self) -> bool:
        """Begin with the compressed file behind the one that ended; return whether there may be one."""
        self._rest = self._rest.lstrip(b"\0")  # padding
        if not self._rest:
            self._rest = self._packed.read(_CHUNK_BYTES)
            return bool(self._rest)
        magics = self._compression.magics
        if len(self._rest) < max(map(len, magics)):
            self._rest += self._packed.read(_CHUNK_BYTES)
        if not self._rest.startswith(magics):
            self._behind(self._packed.tell() - len(self._rest))
            return False
        self._decoder = self._compression.make_decoder()
        return True

    def close(self) -> None:
        self._packed.close()
        super().close()


class _Gzip(Deflate):
    """Gives every byte before the damage."""

    def __init__(self) -> None:
        super().__init__(_WITH_GZIP_HEADER)
        self.damage: Exception | None = None

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        before, packed = self._decoder.copy(), self._decoder.unconsumed_tail + data
        try:
            return super().decompress(data, max_length)
        except zlib.error as error:
            self.damage = error
        found = bytearray()
        with suppress(zlib.error):
            for byte in packed:
                found += before.decompress(bytes((byte,)))
        return bytes(found[:max_length])


class _Checked:
    """A decoder that cannot be copied: the block before damage, of bzip2, or the last kilobytes, of LZMA, are lost."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self.damage: Exception | None = None

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def needs_input(self) -> bool:
        return self._decoder.needs_input

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        try:
            return self._decoder.decompress(data, max_length)
        except (OSError, ValueError, lzma.LZMAError) as error:
            # "Memory usage limit exceeded": liblzma gives no number.
            large = f"it takes more than {format_size(_XZ_MEMORY)} of memory: unpack it first with `unxz FILE`"
            self.damage = DamagedStreamError(large if "limit" in str(error) else str(error))
        return b""


class _Zstandard(_Checked):
    """Its decoder has an error of its own."""

    def __init__(self) -> None:
        super().__init__(zstandard_decoder())

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        try:
            return self._decoder.decompress(data, max_length)
        except zstandard().ZstdError as error:
            size = format_size(1 << WINDOW_LOG)
            large = f"it takes more than {size} of memory: unpack it first with `unzstd --long=31 FILE`"
            self.damage = DamagedStreamError(large if "memory" in str(error) else str(error))
        return b""


GZIP = Compression(re.compile(rb"\x1f\x8b"), (b"\x1f\x8b",), _Gzip)
BZIP2 = Compression(
    re.compile(rb"BZh[1-9](?:1AY&SY|\x17\x72\x45\x38\x50\x90)"),
    (b"BZh",),
    lambda: _Checked(bz2.BZ2Decompressor()),
)
XZ = Compression(
    re.compile(rb"\xfd7zXZ\0"),
    (b"\xfd7zXZ\0",),
    lambda: _Checked(lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY)),
    _FEW_BYTES,
)
# Frames that are to be skipped may stand behind the first one: they hold tables of places, for example.
ZSTANDARD = Compression(
    re.compile(rb"\x28\xb5\x2f\xfd"),
    (b"\x28\xb5\x2f\xfd", *(bytes((number, 0x2A, 0x4D, 0x18)) for number in range(0x50, 0x60))),
    _Zstandard,
    _FEW_BYTES,
)
COMPRESSIONS = (GZIP, BZIP2, XZ, ZSTANDARD)
