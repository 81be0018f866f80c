"""Compressed and packed archives -> the files in them, each a stream that can be opened again."""

from __future__ import annotations

import io
import os
import struct
import tarfile
import tempfile
import zipfile
from array import array
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from qa_search.archives.base import DAMAGE, ArchiveFile, ReadOptions, UnknownCompressionError
from qa_search.archives.containers.compressed import Compression, compression_of, open_compressed
from qa_search.archives.containers.office import office_kind
from qa_search.archives.containers.scratch import create_bounded, keep, open_cut, open_plain
from qa_search.archives.containers.tar import LINK, is_tar, tar_entries
from qa_search.archives.containers.zip import ZIP_MAGICS, ZipEntry, entries_by_headers, open_entry, zip_entries
from qa_search.archives.limits import Limits, format_size
from qa_search.errors import ArchiveError, DamagedArchiveError
from qa_search.util.text import visible

_SEVENZIP_MAGIC = b"7z\xbc\xaf\x27\x1c"
# What is read from all over, not from the start to the end.
_WITH_A_DIRECTORY = (*ZIP_MAGICS, _SEVENZIP_MAGIC)
_HEADER_BYTES = 512  # that of a tar archive is the longest
_MOST_NAME = 1000

# The other tables of a Stack Exchange dump, some of them far larger than Posts.xml.
_UNWANTED_MEMBERS = frozenset(
    f"{table}.xml" for table in ("badges", "comments", "posthistory", "postlinks", "tags", "users", "votes")
)
# Those of them that its posts are read with.
_BESIDE_POSTS = ("users.xml", "comments.xml")
# What a book (.epub) says of itself; its chapters are pages.
_OF_BOOKS = frozenset(("mimetype", "META-INF/container.xml"))

_Found = Iterator[tuple[ArchiveFile, ArchiveError | None]]
_Unpacker = Callable[[ArchiveFile, ReadOptions, "Budget", int, Path], _Found]


def unpacked(
    file: ArchiveFile, options: ReadOptions, budget: Budget | None = None, nesting: int = 0
) -> Generator[tuple[ArchiveFile, ArchiveError | None]]:
    """Yield the files in a container, or the file itself if it is not a container.

    With each comes the error that keeps it from being read, if there is one: a member that is damaged, locked by a
    password or over a limit does not take the others along. A file can be read until the next is asked for.
    """
    try:
        with _damage_named(file):
            unpack = _unpacker(file.head)
            if unpack is None or office_kind(file) is not None:
                yield file, None
                return
            if nesting >= options.limits.nesting:
                raise file.over_limit(
                    f"archives within archives, more than {options.limits.nesting} deep: unpack the outer ones first"
                )
            with tempfile.TemporaryDirectory(prefix="qa-search-") as scratch:
                yield from unpack(file, options, budget or Budget(file, options.limits), nesting, Path(scratch))
    except ArchiveError as error:
        yield file, error


def _unpacker(head: bytes) -> _Unpacker | None:
    """Return what unpacks a container that begins so, None for another file."""
    if (compression := compression_of(head)) is not None:
        return partial(_content, compression)
    if head.startswith(ZIP_MAGICS):
        return _zip_members
    if head.startswith(_SEVENZIP_MAGIC):
        return _sevenzip_members
    return _tar_members if is_tar(head) else None


class Budget:
    """The bytes and files that one container may still unpack to, including nested containers."""

    def __init__(self, file: ArchiveFile, limits: Limits) -> None:
        with file.open() as stream:
            packed = stream.seek(0, os.SEEK_END)
        self._limits = limits
        self._by_ratio = max(packed * limits.ratio, limits.ratio_from)
        self.bytes_left = min(self._by_ratio, limits.unpacked_bytes)
        self._files_left = limits.files

    def take(self, file: ArchiveFile, size: int) -> None:
        """Take ``size`` bytes.

        Raises:
            OverLimitError: if fewer are left; then nothing is taken.
        """
        if size > self.bytes_left:
            raise file.over_limit(self._reason())
        self.bytes_left -= size

    def take_files(self, file: ArchiveFile, count: int = 1) -> None:
        """Take ``count`` files.

        Raises:
            OverLimitError: if fewer are left.
        """
        if count > self._files_left:
            raise file.over_limit(f"more than {self._limits.files:,} files in an archive (see Limits.files)")
        self._files_left -= count

    def require_ratio(self, file: ArchiveFile, size: int) -> None:
        """Make sure that what has to be unpacked, if only to pass over it, is not too much for its packed size.

        Raises:
            OverLimitError: if it is.
        """
        if size > self._by_ratio:
            raise file.over_limit(self._bomb())

    def _reason(self) -> str:
        if self._by_ratio < self._limits.unpacked_bytes:
            return self._bomb()
        return (
            f"the archive unpacks to more than {format_size(self._limits.unpacked_bytes)} (see Limits.unpacked_bytes)"
        )

    def _bomb(self) -> str:
        return (
            f"the archive unpacks to more than {self._limits.ratio:,} times its size, as those do that are made to "
            "fill disks: if it is a real archive, unpack it first"
        )


@contextmanager
def damage_named(file: ArchiveFile) -> Iterator[None]:
    """Turn errors of reading unpacked bytes into one that names the file."""
    try:
        yield
    except DAMAGE as error:
        raise file.damaged(f"the compressed file is damaged or truncated ({error})") from error


@contextmanager
def _damage_named(file: ArchiveFile) -> Iterator[None]:
    """Turn errors of unpacking a container into one that names it.

    Anything can: the unpackers were not written for files that are made to harm them.
    """
    try:
        yield
    except ArchiveError:
        raise
    except MemoryError as error:
        raise file.damaged("the archive cannot be unpacked (it takes more memory than there is)") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's
        kind = "cannot be unpacked" if isinstance(error, UnknownCompressionError) else "is damaged or truncated"
        raise file.damaged(f"the archive {kind} ({str(error) or type(error).__name__})") from error


def _open_content(
    file: ArchiveFile, compression: Compression, budget: Budget, most: list[int], behind: list[int]
) -> BinaryIO:
    def reached(position: int) -> None:
        # Read again from the start, it counts once.
        if position > most[0]:
            budget.take(file, position - most[0])
            most[0] = position

    return open_compressed(file.open(), compression, reached, behind.append)


def _content(
    compression: Compression, file: ArchiveFile, options: ReadOptions, budget: Budget, nesting: int, scratch: Path
) -> _Found:
    behind: list[int] = []
    damage: Exception | None = None
    unpack = partial(_open_content, file, compression, budget, [0], behind)
    content = replace(file, opener=unpack, unpacked=file.unpacked + 1)
    if content.head.startswith(_WITH_A_DIRECTORY):
        # A compressed file can only be read from the start.
        target = scratch / "content"
        try:
            with content.open() as stream:
                opener = keep(_read1(stream), target, file, options)
        except DAMAGE as error:
            damage, opener = error, partial(open_plain, target)
        content = replace(content, opener=opener)
    yield from unpacked(content, options, budget, nesting + 1)
    if damage is not None:
        raise damage
    if behind:
        what = f"data after {behind[0]:,} bytes is not compressed"
        yield file, file.damaged(f"{what} (the posts before it are read with keep_going=True)")


def _tar_members(file: ArchiveFile, options: ReadOptions, budget: Budget, nesting: int, scratch: Path) -> _Found:
    """Unpack the members one by one into the same scratch file. No tar is smaller than what is in it."""
    target = scratch / "member"
    siblings = _TarSiblings(file, options, scratch)
    with file.open() as stream:
        for entry in tar_entries(cast(io.BufferedReader, stream)):
            budget.take_files(file)
            if entry.is_folder or _is_unwanted(entry.name):
                continue
            member = _member(file, entry.name, target)
            member = replace(member, find_sibling=partial(siblings.find, entry.name))
            target.unlink(missing_ok=True)  # that of the one before
            try:
                if entry.problem:
                    raise member.unknown(entry.problem, "")
                with _damage_named(member):
                    member = replace(member, opener=keep(entry.data.read1, target, member, options))
            except DamagedArchiveError as error:
                yield from _cut_member(member, target, error, options, budget, nesting)
                raise file.damaged(error.reason) from error
            except ArchiveError as error:
                yield member, error
            else:
                yield from unpacked(member, options, budget, nesting + 1)


class _TarSiblings:
    """The tables beside the posts of Stack Exchange dumps in a tar: unpacked all at once, by the first that asks."""

    def __init__(self, file: ArchiveFile, options: ReadOptions, scratch: Path) -> None:
        self._file = file
        self._options = options
        self._scratch = scratch
        self._found: dict[str, ArchiveFile] | None = None

    def find(self, beside: str, name: str) -> ArchiveFile | None:
        """Find a file of the same folder."""
        if name not in _BESIDE_POSTS:
            return None
        if self._found is None:
            self._found = {}
            with suppress(*DAMAGE, tarfile.TarError, DamagedArchiveError):  # reading the members reports it
                self._unpack(self._found)
        return _unpacked_sibling(self._found, beside, name)

    def _unpack(self, found: dict[str, ArchiveFile]) -> None:
        with self._file.open() as stream:
            for entry in tar_entries(cast(io.BufferedReader, stream)):
                name = entry.name.lower()
                if not entry.problem and name.rpartition("/")[2] in _BESIDE_POSTS:
                    target = self._scratch / f"sibling-{len(found)}"
                    member = _member(self._file, entry.name, target)
                    opener = keep(entry.data.read1, target, member, self._options, in_memory=0)
                    found[name] = replace(member, opener=opener)


def _zip_members(file: ArchiveFile, options: ReadOptions, budget: Budget, nesting: int, scratch: Path) -> _Found:
    """Unpack the members one by one into the same scratch file."""
    target = scratch / "member"
    with file.open() as stream:
        for entry in _zip_entries(file, stream, budget):
            if isinstance(entry, DamagedArchiveError):
                yield file, entry
                continue
            budget.take_files(file)
            if entry.name.endswith("/") or _is_unwanted(entry.name) or _is_of_anki(file, entry.name):
                continue
            member = _member(file, entry.name, target)
            target.unlink(missing_ok=True)  # that of the one before
            member = replace(member, find_sibling=partial(_zip_sibling, file, options, budget, scratch, entry.name))
            try:
                if entry.is_link:
                    raise member.unknown(LINK, "")
                if entry.is_encrypted:
                    raise member.damaged("locked by a password: unpack it first, with the password")
                budget.take(member, entry.size)
                with _damage_named(member), open_entry(stream, entry) as packed:
                    member = replace(member, opener=keep(_read1(packed), target, member, options))
            except DamagedArchiveError as error:
                yield from _cut_member(member, target, error, options, budget, nesting)
            except ArchiveError as error:
                yield member, error
            else:
                yield from unpacked(member, options, budget, nesting + 1)


def _zip_entries(file: ArchiveFile, stream: BinaryIO, budget: Budget) -> Iterator[ZipEntry | DamagedArchiveError]:
    """Yield the entries of a zip; where its directory is damaged, the error, and the entries found without it."""
    known = array("Q")  # not a set: a million places would take 60 MB
    try:
        for entry in zip_entries(stream):
            known.append(entry.offset)
            yield entry
    except (zipfile.BadZipFile, struct.error) as error:
        yield file.damaged(
            f"the archive is damaged or truncated ({error}): the files in it are found without their directory"
        )
        read = frozenset(known)
        yield from (entry for entry in entries_by_headers(stream, budget.bytes_left) if entry.offset not in read)


def _cut_member(
    member: ArchiveFile,
    target: Path,
    damage: DamagedArchiveError,
    options: ReadOptions,
    budget: Budget,
    nesting: int,
) -> _Found:
    """Yield a member as far as it could be unpacked; reading on raises the error."""
    beginning = b""
    if target.exists():
        with target.open("rb") as stream:
            beginning = stream.read(_HEADER_BYTES)
    if not beginning:
        yield member, damage
    elif _unpacker(beginning) is not None:
        yield member, damage
        yield from unpacked(member, options, budget, nesting + 1)
    else:
        yield replace(member, opener=partial(open_cut, target, damage)), None


def _zip_sibling(
    file: ArchiveFile, options: ReadOptions, budget: Budget, scratch: Path, beside: str, name: str
) -> ArchiveFile | None:
    """Unpack another member of the same folder of a zip, if it exists and can be read."""
    wanted = f"{beside[: beside.rfind('/') + 1]}{name}".lower()
    with file.open() as stream:
        entries = _zip_entries(file, stream, budget)
        entry = next((entry for entry in entries if isinstance(entry, ZipEntry) and entry.name.lower() == wanted), None)
        if entry is None or entry.is_link or entry.is_encrypted:
            return None
        target = scratch / f"sibling-{sum(1 for _ in scratch.iterdir())}"
        member = _member(file, entry.name, target)
        budget.take(member, entry.size)
        with _damage_named(member), open_entry(stream, entry) as packed:
            return replace(member, opener=keep(_read1(packed), target, member, options))


def _sevenzip_members(file: ArchiveFile, options: ReadOptions, budget: Budget, nesting: int, scratch: Path) -> _Found:
    """Unpack the wanted members at once: a solid archive can only be read from end to end."""
    # Imported here: it takes a tenth of a second, and few archives need it.
    from qa_search.archives.containers.sevenzip import SevenZip

    paths: dict[str, Path] = {}

    def create(name: str) -> BinaryIO:
        path = paths[name] = scratch / str(len(paths))
        return create_bounded(path, file, options)

    with file.open() as stream:
        archive = SevenZip(stream, options.limits.files)
        budget.take_files(file, len(archive.members))
        budget.require_ratio(file, sum(member.size for member in archive.members))
        wanted: dict[str, bool] = {}  # False for a name under which something must not be unpacked
        beside = _beside_posts([entry.name for entry in archive.members], options)
        for entry in archive.members:
            if (_is_unwanted(entry.name) and entry.name not in beside) or not (entry.is_file or entry.is_link):
                continue
            member = _member(file, entry.name, scratch)
            try:
                if entry.is_link:
                    raise member.unknown(LINK, "")
                if not entry.is_safe:
                    raise member.unknown("a name that is invalid or leads out of the archive", "")
                budget.take(member, entry.size)
                wanted.setdefault(entry.name, True)
            except ArchiveError as error:
                wanted[entry.name] = False
                yield member, error
        names = [name for name, is_wanted in wanted.items() if is_wanted]
        damage: DamagedArchiveError | None = None
        try:
            with _damage_named(file):
                archive.extract(names, scratch, create)
        except DamagedArchiveError as error:
            damage = error
            yield file, damage
    cut = next(reversed(paths), None) if damage is not None else None
    siblings = {name.lower(): _member(file, name, path) for name, path in paths.items() if name != cut}
    for name in names:
        member = replace(
            _member(file, name, paths.get(name, scratch)), find_sibling=partial(_unpacked_sibling, siblings, name)
        )
        if name in beside:
            continue
        if name not in paths:
            yield member, member.damaged("not unpacked, as the archive is damaged before it")
        elif damage is not None and name == cut:
            yield from _cut_member(member, paths[name], member.damaged(damage.reason), options, budget, nesting)
        else:
            yield from unpacked(member, options, budget, nesting + 1)


def _beside_posts(names: Sequence[str], options: ReadOptions) -> frozenset[str]:
    """Name the other tables of a Stack Exchange dump that its posts are read with."""
    tables = _BESIDE_POSTS if options.comments else _BESIDE_POSTS[:1]
    folders = {name[: name.rfind("/") + 1] for name in names if name.lower().endswith("posts.xml")}
    return frozenset(
        name for name in names if name[: name.rfind("/") + 1] in folders and name.rsplit("/", 1)[-1].lower() in tables
    )


def _unpacked_sibling(members: dict[str, ArchiveFile], beside: str, name: str) -> ArchiveFile | None:
    return members.get(f"{beside[: beside.rfind('/') + 1]}{name}".lower())


def _read1(stream: BinaryIO) -> Callable[[int], bytes]:
    return cast(io.BufferedReader, stream).read1


def _member(file: ArchiveFile, name: str, path: Path) -> ArchiveFile:
    name = clean_member_name(name)
    return ArchiveFile(file.source, name, f"{file.location}: {name}", partial(open_plain, path))


def clean_member_name(name: str) -> str:
    """Return a member's name for showing and hashing. It is never used as a path on this machine."""
    return visible(name[:_MOST_NAME].replace("\\", "/").lstrip("/")) or "unnamed"


def _is_of_anki(file: ArchiveFile, name: str) -> bool:
    """Return whether a member of a package of Anki is a picture, a sound or a list of them."""
    return file.name.lower().endswith((".apkg", ".colpkg")) and not name.startswith("collection.")


def _is_unwanted(name: str) -> bool:
    last = name.replace("\\", "/").rsplit("/", 1)[-1].lower()
    if last.startswith(".") or last in _UNWANTED_MEMBERS or name.startswith("__MACOSX/"):
        return True
    return last.endswith((".opf", ".ncx")) or name in _OF_BOOKS
