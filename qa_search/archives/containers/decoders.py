"""What unpacks bytes piece by piece, never more than asked for: no compression, Deflate, gzip and Zstandard."""

from __future__ import annotations

import sys
import zlib
from importlib import import_module
from typing import Any, Protocol

# Zstandard's window: so much memory is taken while it is unpacked, what `zstd --ultra -22` needs.
WINDOW_LOG = 27


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


def zstandard() -> Any:
    """Return the module for Zstandard: Python's own since 3.14, before that the package that fills in for it."""
    return import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")


def zstandard_decoder() -> Any:
    """Return a `Decoder` of Zstandard whose memory is bounded; it raises the module's ``ZstdError``."""
    module = zstandard()
    return module.ZstdDecompressor(options={module.DecompressionParameter.window_log_max: WINDOW_LOG})
