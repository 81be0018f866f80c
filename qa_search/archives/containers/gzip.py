""".gz -> the stream of bytes in it."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

GZIP_MAGIC = b"\x1f\x8b"
_CHUNK_BYTES = 1 << 16
_WITH_GZIP_HEADER = 31  # zlib's word for it


def open_gzip(packed: BinaryIO, reached: Callable[[int], None], behind: Callable[[int], None]) -> BinaryIO:
    """Unpack while it is read, one gzip file after another, as gunzip does; closing that closes the bytes below.

    ``reached`` gets the number of bytes so far, and may raise an error to stop. ``behind`` gets the place, in
    packed bytes, of data after the last gzip file that is not gzip.

    Raises:
        EOFError: while reading, after all that can be unpacked, if it is truncated.
        zlib.error: while reading, after all that can be unpacked, if it is damaged.
    """
    return io.BufferedReader(_GzipStream(packed, reached, behind), _CHUNK_BYTES)


class _GzipStream(io.RawIOBase):
    """Python's own goes through headers and padding byte by byte: gigabytes of them take hours."""

    def __init__(self, packed: BinaryIO, reached: Callable[[int], None], behind: Callable[[int], None]) -> None:
        self._packed = packed
        self._reached = reached
        self._behind = behind
        self._decoder = zlib.decompressobj(_WITH_GZIP_HEADER)
        self._rest = b""  # packed bytes that were read and not used yet
        self._position = 0
        self._damage: zlib.error | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        while True:
            if self._damage is not None:
                raise self._damage
            self._rest = self._rest or self._packed.read(_CHUNK_BYTES)
            ended = not self._rest
            if self._decoder.eof:
                if not self._begin_next():
                    return 0
                continue
            data = self._unpack(len(view))
            if data:
                self._position += len(data)
                self._reached(self._position)
                view[: len(data)] = data
                return len(data)
            if ended and not self._decoder.eof:
                raise EOFError("it ends before its end-of-stream marker")

    def _begin_next(self) -> bool:
        """Begin with the gzip file behind the one that ended; return whether there may be one."""
        self._rest = self._rest.lstrip(b"\0")  # padding
        if not self._rest:
            self._rest = self._packed.read(_CHUNK_BYTES)
            return bool(self._rest)
        if len(self._rest) < len(GZIP_MAGIC):
            self._rest += self._packed.read(_CHUNK_BYTES)
        if not self._rest.startswith(GZIP_MAGIC):
            self._behind(self._packed.tell() - len(self._rest))
            return False
        self._decoder = zlib.decompressobj(_WITH_GZIP_HEADER)
        return True

    def _unpack(self, most: int) -> bytes:
        """Unpack the next bytes, or those before the first damage."""
        before = self._decoder.copy()
        try:
            data = self._decoder.decompress(self._rest, most)
        except zlib.error as error:
            self._damage = error
            return _before_damage(before, self._rest, most)
        self._rest = self._decoder.unused_data if self._decoder.eof else self._decoder.unconsumed_tail
        return data

    def close(self) -> None:
        self._packed.close()
        super().close()


def _before_damage(decoder: zlib._Decompress, packed: bytes, most: int) -> bytes:
    """Unpack byte by byte, up to the one that is damaged."""
    found = bytearray()
    with suppress(zlib.error):
        for byte in packed:
            found += decoder.decompress(bytes((byte,)))
    return bytes(found[:most])
