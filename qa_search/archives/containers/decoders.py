"""What unpacks bytes piece by piece, never more of them than asked for: no compression, Deflate and gzip."""

from __future__ import annotations

import zlib
from typing import Protocol


class Decoder(Protocol):
    """What Python's decoders of bzip2 and LZMA have in common."""

    @property
    def eof(self) -> bool:
        """Whether the end was reached."""

    @property
    def needs_input(self) -> bool:
        """Whether more can only be unpacked from more data."""

    @property
    def unused_data(self) -> bytes:
        """What follows the end."""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Unpack the next bytes."""


class Stored:
    """No compression."""

    eof = False
    needs_input = True
    unused_data = b""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Return the bytes as they are."""
        return data


class Deflate:
    """Deflate, with the methods of the others."""

    def __init__(self, window: int = -zlib.MAX_WBITS) -> None:
        """Begin; ``window`` is zlib's word for what is around the data: nothing, or a gzip header."""
        self._decoder = zlib.decompressobj(window)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        """Whether the end was reached."""
        return self._decoder.eof

    @property
    def unused_data(self) -> bytes:
        """What follows the end."""
        return self._decoder.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Unpack the next bytes."""
        found = self._decoder.decompress(self._decoder.unconsumed_tail + data, max_length)
        # It may still hold some of what it has unpacked.
        self.needs_input = not self._decoder.unconsumed_tail and len(found) < max_length
        return found
