"""Files that can be trusted: flushed to the disk when written, measured, and checked when read.

A file that the system does not let us read now is not a damaged one: the first is `IndexUnreadableError`, whoever opens
it; only the second is reported as damage.

Two hashes are kept of each. SHA-256 is the one to compare with other programs, and what `verify` computes. XXH3 is ten
times as fast, so that opening an index can read every byte of it: it tells damage, not forgery.
"""

from __future__ import annotations

import hashlib
import os
import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from qa_search.util.files import open_file, read_file

# What is checked at once in a file that is read here and there.
BLOCK_BYTES = 1 << 12
BLOCKS_SUFFIX = ".blocks"
_CHUNK = 1 << 18

Record = Mapping[str, Any]


def flush(path: Path) -> None:
    """Have the system write a file, or a folder's list of names, to the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_tree(folder: Path) -> None:
    """Flush a folder and all that is in it, what is deepest first."""
    for path in sorted(folder.rglob("*"), reverse=True):
        flush(path)
    flush(folder)


def file_record(path: Path) -> dict[str, Any]:
    """Return what a manifest says of a file: its size and both hashes."""
    sha256, xxh3, size = hashlib.sha256(), xxhash.xxh3_128(), 0
    with path.open("rb") as stream:
        for chunk in _chunks(stream.fileno()):
            sha256.update(chunk)
            xxh3.update(chunk)
            size += len(chunk)
    return {"bytes": size, "sha256": sha256.hexdigest(), "xxh3": xxh3.hexdigest()}


def write_new(path: Path, text: str) -> None:
    """Write a small file anew: what had its name before, a link or a pipe, is neither followed nor waited for.

    Raises:
        OSError: if it cannot be written, or is a folder.
    """
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)


def find_damage(path: Path, record: Record, *, thorough: bool = False) -> str | None:
    """Compare every byte of a file with what was written: None if it is the same, else what is wrong.

    ``thorough`` computes SHA-256 as well.

    Raises:
        IndexUnreadableError: if the system does not let it be opened now.
    """
    try:
        descriptor = open_file(path)
    except FileNotFoundError:
        return f"{path} is missing"
    except OSError as error:
        return f"{path} cannot be read ({error.strerror})"
    try:
        return _damage(descriptor, path, record, thorough=thorough)
    except OSError as error:
        return f"{path} cannot be read ({error.strerror})"
    finally:
        os.close(descriptor)


class OpenFiles:
    """Holds the files of an open index, to tell whether somebody changed one in place meanwhile.

    What is mapped into memory can change under the reader's hands. Files that were replaced or removed are another
    matter: the reader keeps those that it opened.
    """

    def __init__(self) -> None:
        self._held: list[_Held] = []
        self._process = os.getpid()

    def add(self, path: Path, record: Record, *, read: bool = True) -> str | None:
        """Check a file and hold it; return what is wrong with it, or None.

        ``read`` is false for a file that is checked block by block as it is read (see `BlockSums`): its size is enough.

        Raises:
            IndexUnreadableError: if the system does not let it be opened now.
            OSError: if it is not there or is no file.
        """
        descriptor = open_file(path)
        weakref.finalize(self, os.close, descriptor)
        status = os.fstat(descriptor)
        self._held.append(_Held(path, descriptor, status.st_size, status.st_mtime_ns))
        if not read:
            return _other_size(path, status.st_size, record)
        return _damage(descriptor, path, record)

    def changed(self) -> Path | None:
        """Return a file that was written to since it was added, if there is one."""
        for held in self._held:
            status = os.fstat(held.descriptor)
            if (status.st_size, status.st_mtime_ns) != (held.size, held.mtime_ns):
                return held.path
        return None

    @property
    def forked(self) -> bool:
        """Whether this is another process than the one that opened the files."""
        return os.getpid() != self._process


class HeldFiles:
    """Files of a folder, held open so that they can be read later, even if they are removed meanwhile."""

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        """Open them.

        Raises:
            OSError: if one is not there or cannot be read.
        """
        self.folder = folder
        self._descriptors: dict[str, int] = {}
        weakref.finalize(self, _close_all, self._descriptors)
        for name in names:
            self._descriptors[name] = open_file(folder / name)

    def path(self, name: str) -> Path:
        """Return a path under which this process can open a file, whatever became of its name."""
        return Path(f"/dev/fd/{self._descriptors[name]}")

    def damage(self, name: str, record: Record) -> str | None:
        """Compare every byte of a file with what was written; see `find_damage`."""
        return _damage(self._descriptors[name], self.folder / name, record)


def _close_all(descriptors: Mapping[str, int]) -> None:
    for descriptor in descriptors.values():
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class _Held:
    path: Path
    descriptor: int
    size: int
    mtime_ns: int


def write_block_sums(path: Path) -> None:
    """Write beside a finished file the hash of each of its blocks."""
    with path.open("rb") as stream:
        sums = [xxhash.xxh3_64_intdigest(chunk) for chunk in _chunks(stream.fileno(), BLOCK_BYTES)]
    path.with_name(path.name + BLOCKS_SUFFIX).write_bytes(np.asarray(sums, "<u8").tobytes())


def prefetch(descriptor: int, spans: Iterable[tuple[int, int]]) -> None:
    """Have the system begin to read parts of a file, given by offset and size, without waiting for them.

    A disk reads many parts at once in the time of a few one after the other.
    """
    if hasattr(os, "posix_fadvise"):
        for offset, size in spans:
            os.posix_fadvise(descriptor, offset, size, os.POSIX_FADV_WILLNEED)


class BlockSums:
    """Reads a file here and there, and gives no byte that is not what was written."""

    def __init__(self, path: Path) -> None:
        self._sums = np.frombuffer(read_file(path.with_name(path.name + BLOCKS_SUFFIX)), "<u8")
        self._descriptor = open_file(path)
        weakref.finalize(self, os.close, self._descriptor)

    def prefetch(self, spans: Iterable[tuple[int, int]]) -> None:
        """Have the system begin to read what `read` will be asked for: offsets and sizes."""
        prefetch(self._descriptor, spans)

    def read(self, amount: int, offset: int) -> bytes:
        """Read bytes; fewer where the file ends.

        Raises:
            ValueError: if they are not what was written.
        """
        first, last = offset // BLOCK_BYTES, (offset + amount - 1) // BLOCK_BYTES
        start = first * BLOCK_BYTES
        data = os.pread(self._descriptor, (last + 1 - first) * BLOCK_BYTES, start)
        for at in range(0, len(data), BLOCK_BYTES):
            number = first + at // BLOCK_BYTES
            block = data[at : at + BLOCK_BYTES]
            if number >= len(self._sums) or xxhash.xxh3_64_intdigest(block) != int(self._sums[number]):
                raise ValueError(f"bytes {start + at} to {start + at + len(block)} are not what was written")
        return data[offset - start : offset - start + amount]


def _damage(descriptor: int, path: Path, record: Record, *, thorough: bool = False) -> str | None:
    wrong_size = _other_size(path, os.fstat(descriptor).st_size, record)
    if wrong_size:
        return wrong_size
    sha256 = hashlib.sha256() if thorough else None
    xxh3 = xxhash.xxh3_128()
    for chunk in _chunks(descriptor):
        xxh3.update(chunk)
        if sha256 is not None:
            sha256.update(chunk)
    if sha256 is not None and sha256.hexdigest() != record["sha256"]:
        return f"{path} is not what was written (its SHA-256 is another)"
    if record["xxh3"] != xxh3.hexdigest():
        return f"{path} is not what was written (its XXH3 is another)"
    return None


def _other_size(path: Path, size: int, record: Record) -> str | None:
    return None if size == record["bytes"] else f"{path} has {size} bytes, where {record['bytes']} were written"


def _chunks(descriptor: int, size: int = _CHUNK) -> Iterator[memoryview]:
    """Yield a file from its start, each chunk valid until the next."""
    buffer = memoryview(bytearray(size))
    at = 0
    while count := os.preadv(descriptor, [buffer], at):
        yield buffer[:count]
        at += count
