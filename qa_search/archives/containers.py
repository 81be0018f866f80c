"""Folders, .gz, .zip and .7z -> the files in them, each a stream that can be opened again."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from qa_search.archives.base import ArchiveFile
from qa_search.errors import SourceNotFoundError

GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGIC = b"PK\x03\x04"
EMPTY_ZIP_MAGIC = b"PK\x05\x06"
SEVENZIP_MAGIC = b"7z\xbc\xaf\x27\x1c"
MAX_NESTING = 4

# The other tables of a Stack Exchange dump, some of them far larger than Posts.xml.
_UNWANTED_MEMBERS = frozenset(
    f"{table}.xml" for table in ("badges", "comments", "posthistory", "postlinks", "tags", "users", "votes")
)


def list_files(sources: Sequence[str | os.PathLike[str]]) -> Iterator[tuple[ArchiveFile, bool]]:
    """List the files of all sources, folders walked in order of name.

    Yields each with whether it was named itself (True) or found in a folder (False). Hidden files are passed
    over. A source inside another one is read once.

    Raises:
        SourceNotFoundError: if a source is neither a file nor a folder.
    """
    paths = []
    for source in sources:
        path = Path(source)
        if not path.exists():
            raise SourceNotFoundError(
                f"{path}: no such file or folder. Name an archive file or a folder of them "
                f"(the current folder is {Path.cwd()})."
            )
        paths.append(path.resolve())
    roots = [path if path.is_dir() else path.parent for path in paths]
    labels = _labels(roots)
    for number, (path, root) in enumerate(zip(paths, roots, strict=True)):
        others = paths[:number] + [other for other in paths[number + 1 :] if other != path]
        if path in paths[:number] or any(other.is_dir() and other in path.parents for other in others):
            continue
        if path.is_dir():
            yield from ((_plain_file(labels[root], root, found), False) for found in _walk(path))
        else:
            yield _plain_file(labels[root], root, path), True


@contextmanager
def unpacked(file: ArchiveFile, nesting: int = 0) -> Iterator[Iterator[ArchiveFile]]:
    """Give the files in a container, or the file itself when it is none.

    Raises:
        DamagedArchiveError: if a container is damaged, locked by a password or nested too deep.
    """
    magic = file.head[:6]
    if not magic.startswith((GZIP_MAGIC, ZIP_MAGIC, EMPTY_ZIP_MAGIC, SEVENZIP_MAGIC)):
        yield iter((file,))
        return
    if nesting >= MAX_NESTING:
        raise file.damaged(f"archives within archives, more than {MAX_NESTING} deep")
    with tempfile.TemporaryDirectory(prefix="qa-search-") as scratch, damage_named(file):
        if magic.startswith(GZIP_MAGIC):
            inner = replace(file, opener=partial(_open_gzip, file))
            with unpacked(inner, nesting + 1) as files:
                yield files
        elif magic.startswith(SEVENZIP_MAGIC):
            yield _unpack_each(_sevenzip_members(file, Path(scratch)), nesting)
        else:
            yield _unpack_each(_zip_members(file, Path(scratch)), nesting)


@contextmanager
def damage_named(file: ArchiveFile) -> Iterator[None]:
    """Turn what the decompressors raise into an error that names the file."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error) as error:
        raise file.damaged(f"the compressed file is damaged or cut short ({error})") from error
    except (NotImplementedError, RuntimeError) as error:
        # zipfile's words for a password and for a method that it does not know
        if "password" in str(error) or "compression" in str(error):
            raise file.damaged(f"the archive cannot be unpacked ({error})") from error
        raise


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if not name.startswith(".") and path.is_file():
                yield path


def _labels(roots: Sequence[Path]) -> dict[Path, str]:
    """Name each folder by its last two parts, by more where two would else share a name."""
    labels: dict[Path, str] = {}
    distinct = sorted(set(roots))
    for root in distinct:
        parts = root.parts[1:] or ("root",)
        length = 2
        while length < len(parts) and any(
            other != root and other.parts[1:][-length:] == parts[-length:] for other in distinct
        ):
            length += 1
        labels[root] = _storable("/".join(parts[-length:]))
    return labels


def _storable(name: str) -> str:
    """Replace bytes of a file name that are no text (the file system allows them, databases do not)."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _plain_file(label: str, root: Path, path: Path) -> ArchiveFile:
    name = _storable(path.relative_to(root).as_posix())
    return ArchiveFile(label, name, _storable(str(path)), partial(_open_plain, path))


def _open_plain(path: Path) -> BinaryIO:
    return path.open("rb")


class _GzipStream(gzip.GzipFile):
    """A gzip file that closes the stream below it too."""

    def __init__(self, packed: BinaryIO) -> None:
        super().__init__(fileobj=packed, mode="rb")
        self._packed = packed

    def close(self) -> None:
        super().close()
        self._packed.close()


def _open_gzip(file: ArchiveFile) -> BinaryIO:
    return cast(BinaryIO, _GzipStream(file.open()))


def _unpack_each(members: Iterator[ArchiveFile], nesting: int) -> Iterator[ArchiveFile]:
    for member in members:
        with unpacked(member, nesting + 1) as files:
            yield from files


def _member(file: ArchiveFile, name: str, path: Path) -> ArchiveFile:
    return ArchiveFile(file.source, name, f"{file.location}: {name}", partial(_open_plain, path))


def _is_unwanted(name: str) -> bool:
    last = name.replace("\\", "/").rsplit("/", 1)[-1].lower()
    return last.startswith(".") or last in _UNWANTED_MEMBERS or name.startswith("__MACOSX/")


def _zip_members(file: ArchiveFile, scratch: Path) -> Iterator[ArchiveFile]:
    """Unpack one member after the other into a scratch file that the next one replaces."""
    with file.open() as stream, zipfile.ZipFile(stream) as archive:
        target = scratch / "member"
        for entry in sorted(archive.infolist(), key=lambda entry: entry.filename):
            if entry.is_dir() or _is_unwanted(entry.filename):
                continue
            with damage_named(file), archive.open(entry) as packed, target.open("wb") as unpacked_member:
                shutil.copyfileobj(packed, unpacked_member, 1 << 20)
            yield _member(file, clean_member_name(entry.filename), target)


def clean_member_name(name: str) -> str:
    """Keep a member's name as a name only: it is shown and hashed, never used as a path on this machine."""
    return _storable(name.replace("\\", "/").lstrip("/"))


def _sevenzip_members(file: ArchiveFile, scratch: Path) -> Iterator[ArchiveFile]:
    """Unpack the wanted members at once: a solid archive can only be read from end to end."""
    # Imported here: it takes a tenth of a second, and few archives need it.
    import py7zr
    import py7zr.exceptions
    import py7zr.io

    class ScratchFile(py7zr.io.Py7zIO):
        def __init__(self, path: Path) -> None:
            self._stream = path.open("wb")
            self._size = 0

        def write(self, s: bytes | bytearray) -> int:
            self._size += len(s)
            return self._stream.write(s)

        def read(self, size: int | None = None) -> bytes:
            return b""

        def seek(self, offset: int, whence: int = 0) -> int:
            return 0

        def flush(self) -> None:
            self._stream.flush()

        def size(self) -> int:
            return self._size

        def close(self) -> None:
            self._stream.close()

    class ScratchFiles(py7zr.io.WriterFactory):
        def __init__(self) -> None:
            self.paths: dict[str, Path] = {}

        def create(self, filename: str) -> py7zr.io.Py7zIO:
            path = self.paths[filename] = scratch / str(len(self.paths))
            return ScratchFile(path)

    written = ScratchFiles()
    try:
        with file.open() as stream, py7zr.SevenZipFile(stream) as archive:
            wanted = [entry.filename for entry in archive.list() if entry.is_file and not _is_unwanted(entry.filename)]
            if wanted:
                archive.extract(targets=wanted, factory=written)
    except (py7zr.exceptions.ArchiveError, py7zr.exceptions.PasswordRequired, EOFError, ValueError) as error:
        detail = str(error) or type(error).__name__
        raise file.damaged(f"the 7z archive is damaged or cannot be unpacked ({detail})") from error
    for name, path in sorted(written.paths.items()):
        yield _member(file, clean_member_name(name), path)
