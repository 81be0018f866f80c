""".gz -> the stream of bytes in it."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

GZIP_MAGIC = b"\x1f\x8b"
_CHUNK_BYTES = 1 << 16
_WITH_GZIP_HEADER = 31  # zlib's word for it


def open_gzip(packed: BinaryIO, reached: Callable[[int], None]) -> BinaryIO:
    """Unpack while it is read, one gzip file after another, as gunzip does; closing that closes the bytes below.

    ``reached`` is told how many bytes came out so far, and may raise an error to stop it.

    Raises:
        EOFError: while reading, if it is cut short.
        zlib.error: while reading, if it is damaged.
    """
    return io.BufferedReader(_GzipStream(packed, reached), _CHUNK_BYTES)


class _GzipStream(io.RawIOBase):
    """Python's own goes through headers and padding byte by byte: gigabytes of them take hours."""

    def __init__(self, packed: BinaryIO, reached: Callable[[int], None]) -> None:
        self._packed = packed
        self._reached = reached
        self._decoder = zlib.decompressobj(_WITH_GZIP_HEADER)
        self._rest = b""  # packed bytes that were read and not used yet
        self._position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        while True:
            self._rest = self._rest or self._packed.read(_CHUNK_BYTES)
            ended = not self._rest
            if self._decoder.eof:
                self._rest = self._rest.lstrip(b"\0")  # padding
                if self._rest:
                    self._decoder = zlib.decompressobj(_WITH_GZIP_HEADER)
                elif ended:
                    return 0
                continue
            data = self._decoder.decompress(self._rest, len(view))
            self._rest = self._decoder.unused_data if self._decoder.eof else self._decoder.unconsumed_tail
            if data:
                self._position += len(data)
                self._reached(self._position)
                view[: len(data)] = data
                return len(data)
            if ended and not self._decoder.eof:
                raise EOFError("it ends before its end-of-stream marker")

    def close(self) -> None:
        self._packed.close()
        super().close()
