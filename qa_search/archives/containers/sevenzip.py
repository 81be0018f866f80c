""".7z -> its members, unpacked into a folder."""

from __future__ import annotations

import io
import os
import re
import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import py7zr
import py7zr.archiveinfo
import py7zr.compressor
import py7zr.exceptions
import py7zr.io

from qa_search.archives.base import UnknownCompressionError

_HEADER_START = struct.Struct("<12xQ")
_SIGNATURE_BYTES = 32
_HEADER_BYTES_PER_FILE = 256
# Some of py7zr's decompressors unpack all that they are given at once, to up to 32,768 times as much.
_PACKED_BYTES_AT_ONCE = 1 << 10
_MOST_NAME = 1000


@dataclass(frozen=True, slots=True)
class SevenZipMember:
    """A member, as the header describes it. At most ``size`` bytes are unpacked."""

    name: str
    size: int
    is_file: bool
    is_link: bool

    @property
    def is_safe(self) -> bool:
        """Whether py7zr accepts the name. It refuses a whole archive if one name leads out of the folder."""
        parts = [part for part in self.name.split("/") if part not in ("", ".")]
        return (
            0 < len(self.name) <= _MOST_NAME
            and not self.name.endswith("/")
            and bool(parts)
            and ".." not in parts
            and re.match("[A-Za-z]:", parts[0]) is None
        )


class SevenZip:
    """A .7z that is open for reading. Any error at all may come out of a damaged one: py7zr checks little."""

    def __init__(self, stream: BinaryIO, files: int) -> None:
        """Read the header of an archive of at most so many files."""
        # py7zr's own limits, which hold for all of the process, let a header of some kilobytes fill gigabytes.
        py7zr.archiveinfo.MAX_NUMFILES = files
        py7zr.archiveinfo.MAX_HEADER_SIZE = files * _HEADER_BYTES_PER_FILE
        # Damaged PPMd ends the whole process by a segmentation fault in pyppmd 1.3.1.
        py7zr.compressor.algorithm_class_map[py7zr.FILTER_PPMD] = (py7zr.compressor.PpmdCompressor, _NoPpmd)
        self._archive = py7zr.SevenZipFile(cast(BinaryIO, _Trickle(stream, py7zr.archiveinfo.MAX_HEADER_SIZE)))
        self.members = [
            SevenZipMember(entry.filename, max(entry.uncompressed, 0), entry.is_file, entry.is_symlink)
            for entry in self._archive.files
        ]

    def extract(self, names: Collection[str], folder: Path, create: Callable[[str], BinaryIO]) -> None:
        """Unpack members by name, all at once: a solid archive can only be read from end to end.

        ``create`` makes the file that a member is written to. Nothing is written elsewhere; the folder is only what
        py7zr compares names with.
        """
        writers = _Writers(folder, create)
        try:
            self._archive.extract(folder, list(names), factory=writers)
        finally:
            writers.close()  # py7zr leaves the file open in which it met damage


class _Trickle(io.RawIOBase):
    """Yields packed bytes in small pieces, and refuses a header that is too long."""

    def __init__(self, stream: BinaryIO, header_bytes: int) -> None:
        self._stream = stream
        self._header_bytes = header_bytes
        start = stream.read(_HEADER_START.size)
        self._header_at = _SIGNATURE_BYTES + (_HEADER_START.unpack(start)[0] if len(start) == _HEADER_START.size else 0)
        stream.seek(0)

    def read(self, size: int = -1) -> bytes:
        if size > _PACKED_BYTES_AT_ONCE:
            if self.tell() != self._header_at:
                size = _PACKED_BYTES_AT_ONCE
            elif size > self._header_bytes:
                raise py7zr.exceptions.Bad7zFile(f"a header of {size:,} bytes")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True


class _NoPpmd:
    """Refuses members packed with PPMd, which is rare."""

    def __init__(self, properties: bytes, block_size: int) -> None:
        raise UnknownCompressionError(
            "PPMd is not read, as its decoder crashes on damaged archives: unpack it, or pack it by 7-Zip's own methods"
        )


class _Writers(py7zr.io.WriterFactory):
    def __init__(self, folder: Path, create: Callable[[str], BinaryIO]) -> None:
        self._folder = folder
        self._create = create
        self._last: _Writer | None = None

    def create(self, filename: str) -> py7zr.io.Py7zIO:
        self._last = _Writer(self._create(Path(filename).relative_to(self._folder).as_posix()))
        return self._last

    def close(self) -> None:
        if self._last is not None:
            self._last.close()


class _Writer(py7zr.io.Py7zIO):
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, s: bytes | bytearray) -> int:
        return self._stream.write(s)

    def read(self, size: int | None = None) -> bytes:
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        return 0

    def flush(self) -> None:
        self._stream.flush()

    def size(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        self._stream.close()
