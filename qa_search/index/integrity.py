"""Files of an index: flushed to the disk when written, hashed, and checked when read.

A file that the system does not let us read now is not damaged. Opening it raises `IndexUnreadableError`; only a file
whose content differs is reported as damaged.

Each file has two hashes. `verify` computes SHA-256, which other programs know, too. XXH3 is ten times as fast, so that
opening an index can hash every byte. It detects damage, not forgery.
"""

from __future__ import annotations

import hashlib
import os
import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xxhash

from qa_search.util.files import open_file, read_file

# The size of a block: a file that is read in parts is checked block by block.
BLOCK_BYTES = 1 << 12
BLOCKS_SUFFIX = ".blocks"
_SUM_BYTES = 8
_CHUNK = 1 << 18


class FileRecord(NamedTuple):
    """What a manifest says of a file: its size and both hashes."""

    bytes: int
    sha256: str
    xxh3: str


def flush(path: Path) -> None:
    """Have the system write a file, or a folder's list of names, to the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_tree(folder: Path) -> None:
    """Flush a folder and everything in it, the deepest first."""
    for path in sorted(folder.rglob("*"), reverse=True):
        flush(path)
    flush(folder)


def file_record(path: Path) -> FileRecord:
    """Return the record of a file for a manifest: its size and both hashes."""
    sha256, xxh3, size = hashlib.sha256(), xxhash.xxh3_128(), 0
    with path.open("rb") as stream:
        for chunk in _chunks(stream.fileno()):
            sha256.update(chunk)
            xxh3.update(chunk)
            size += len(chunk)
    return FileRecord(size, sha256.hexdigest(), xxh3.hexdigest())


def write_new(path: Path, text: str) -> None:
    """Replace a small file. A link or a pipe of its name is removed, not followed.

    Raises:
        OSError: if it cannot be written, or is a folder.
    """
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)


def find_damage(path: Path, record: FileRecord, *, thorough: bool = False) -> str | None:
    """Compare every byte of a file with its record; return what is wrong, or None.

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
    """Holds the files of an open index, to detect that one was changed in place meanwhile.

    A file that is mapped into memory can change while it is read. Replacing or removing a file does no harm: the reader
    keeps the one that it opened.
    """

    def __init__(self) -> None:
        self._held: list[_Held] = []
        self._process = os.getpid()

    def add(self, path: Path, record: FileRecord, *, read: bool = True) -> str | None:
        """Check a file and hold it; return what is wrong with it, or None.

        ``read`` is false for a file that is checked block by block as it is read (see `BlockSums`): its size is enough.

        Raises:
            IndexUnreadableError: if the system does not let it be opened now.
            OSError: if it is missing or is not a file.
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
            OSError: if one is missing or cannot be read.
        """
        self.folder = folder
        self._descriptors: dict[str, int] = {}
        weakref.finalize(self, _close_all, self._descriptors)
        for name in names:
            self._descriptors[name] = open_file(folder / name)

    def path(self, name: str) -> Path:
        """Return a path by which this process can open a file, even if it was renamed or removed."""
        return Path(f"/dev/fd/{self._descriptors[name]}")

    def damage(self, name: str, record: FileRecord) -> str | None:
        """Compare every byte of a file with its record; see `find_damage`."""
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
    """Write the hash of each block of a finished file into a file beside it."""
    with path.open("rb") as stream:
        sums = [xxhash.xxh3_64_intdigest(chunk) for chunk in _chunks(stream.fileno(), BLOCK_BYTES)]
    path.with_name(path.name + BLOCKS_SUFFIX).write_bytes(np.asarray(sums, "<u8").tobytes())


def prefetch(descriptor: int, spans: Iterable[tuple[int, int]]) -> None:
    """Have the system begin to read parts of a file, given by offset and size, without waiting for them.

    A disk reads many parts at once as fast as a few one after the other.
    """
    if hasattr(os, "posix_fadvise"):
        for offset, size in spans:
            os.posix_fadvise(descriptor, offset, size, os.POSIX_FADV_WILLNEED)


class BlockSums:
    """Reads parts of a file, and compares each block with its hash."""

    def __init__(self, path: Path) -> None:
        self._descriptor = open_file(path)
        weakref.finalize(self, os.close, self._descriptor)
        most = _SUM_BYTES * -(-os.fstat(self._descriptor).st_size // BLOCK_BYTES)
        self._sums = np.frombuffer(read_file(path.with_name(path.name + BLOCKS_SUFFIX), most), "<u8")

    def prefetch(self, spans: Iterable[tuple[int, int]]) -> None:
        """Have the system begin to read what `read` will be asked for: offsets and sizes."""
        prefetch(self._descriptor, spans)

    def read(self, amount: int, offset: int) -> bytes:
        """Read bytes; fewer where the file ends.

        Raises:
            ValueError: if a block does not match its hash.
        """
        first, last = offset // BLOCK_BYTES, (offset + amount - 1) // BLOCK_BYTES
        start = first * BLOCK_BYTES
        data = os.pread(self._descriptor, (last + 1 - first) * BLOCK_BYTES, start)
        for at in range(0, len(data), BLOCK_BYTES):
            number = first + at // BLOCK_BYTES
            block = data[at : at + BLOCK_BYTES]
            if number >= len(self._sums) or xxhash.xxh3_64_intdigest(block) != int(self._sums[number]):
                raise ValueError(f"checksum mismatch in bytes {start + at} to {start + at + len(block)}")
        return data[offset - start : offset - start + amount]


def _damage(descriptor: int, path: Path, record: FileRecord, *, thorough: bool = False) -> str | None:
    wrong_size = _other_size(path, os.fstat(descriptor).st_size, record)
    if wrong_size:
        return wrong_size
    sha256 = hashlib.sha256() if thorough else None
    xxh3 = xxhash.xxh3_128()
    for chunk in _chunks(descriptor):
        xxh3.update(chunk)
        if sha256 is not None:
            sha256.update(chunk)
    if sha256 is not None and sha256.hexdigest() != record.sha256:
        return f"{path}: checksum mismatch (SHA-256)"
    if record.xxh3 != xxh3.hexdigest():
        return f"{path}: checksum mismatch (XXH3)"
    return None


def _other_size(path: Path, size: int, record: FileRecord) -> str | None:
    return None if size == record.bytes else f"{path}: {size} bytes instead of {record.bytes}"


def _chunks(descriptor: int, size: int = _CHUNK) -> Iterator[memoryview]:
    """Yield a file from its start. A chunk is valid until the next one."""
    buffer = memoryview(bytearray(size))
    at = 0
    while count := os.preadv(descriptor, [buffer], at):
        yield buffer[:count]
        at += count
