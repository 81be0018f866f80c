"""Unpacked bytes -> files on the scratch disk, which can be opened again and again."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from qa_search.archives.base import ArchiveFile, ReadOptions, require_scratch
from qa_search.errors import DamagedArchiveError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

NO_FILE = "a pipe, a device or a socket, not a file"
_WRITTEN_AT_ONCE = 1 << 20
_READ_AT_ONCE = 1 << 16
_IN_MEMORY = 1 << 16


def open_plain(path: Path) -> BinaryIO:
    """Open a regular file; anything else could block for ever."""
    stream = os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb")
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise OSError(errno.EINVAL, NO_FILE)
    return stream


def open_cut(path: Path, damage: DamagedArchiveError) -> BinaryIO:
    """Open a file that raises an error at its end."""
    return cast(BinaryIO, io.BufferedReader(_CutFile(path, damage)))


class _CutFile(io.FileIO):
    """A file that raises an error at its end."""

    def __init__(self, path: Path, damage: DamagedArchiveError) -> None:
        super().__init__(path, "rb")
        self._damage = damage

    def readinto(self, buffer: WriteableBuffer) -> int:
        count = super().readinto(buffer)
        if not count:
            raise self._damage
        return count

    def readall(self) -> bytes:
        raise self._damage


def keep(
    read: Callable[[int], bytes], path: Path, file: ArchiveFile, options: ReadOptions, in_memory: int = _IN_MEMORY
) -> Callable[[], BinaryIO]:
    """Keep all that comes, on the disk what has more bytes than ``in_memory``, and return what opens it.

    ``read`` is as `io.BufferedReader.read1`: what read() has before damage is lost. If it raises an error, what came
    before is in the file.
    """
    # To make a file takes a millisecond, and there may be a million of short ones.
    start = b""
    path.unlink(missing_ok=True)  # that of another one
    try:
        while len(start) <= in_memory and (data := read(_READ_AT_ONCE)):
            start += data
    except Exception:
        path.write_bytes(start)
        raise
    if len(start) <= in_memory:
        return partial(io.BytesIO, start)
    with create_bounded(path, file, options) as target:
        target.write(start)
        while data := read(_READ_AT_ONCE):
            target.write(data)
    return partial(open_plain, path)


def create_bounded(path: Path, file: ArchiveFile, options: ReadOptions) -> BinaryIO:
    """Create a file that leaves room on the disk."""
    return cast(BinaryIO, io.BufferedWriter(_ScratchFile(path, file, options), _WRITTEN_AT_ONCE))


class _ScratchFile(io.FileIO):
    """A file that leaves room on the disk."""

    def __init__(self, path: Path, file: ArchiveFile, options: ReadOptions) -> None:
        super().__init__(path, "wb")
        self._check = partial(require_scratch, file, path.parent, options)

    def write(self, data: bytes) -> int:  # type: ignore[override] # all that BufferedWriter hands over is bytes
        self._check(len(data))
        return super().write(data)
