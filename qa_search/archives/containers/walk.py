"""Folders, .gz, .zip and .7z -> the files in them, each a stream that can be opened again."""

from __future__ import annotations

import errno
import io
import os
import stat
import struct
import tempfile
import zipfile
from array import array
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from qa_search.archives.base import DAMAGE, ArchiveFile, ReadOptions, UnknownCompressionError, require_scratch
from qa_search.archives.containers.gzip import GZIP_MAGIC, open_gzip
from qa_search.archives.containers.office import office_kind
from qa_search.archives.containers.zip import ZIP_MAGICS, ZipEntry, entries_by_headers, open_entry, zip_entries
from qa_search.archives.limits import Limits, format_size
from qa_search.errors import ArchiveError, DamagedArchiveError, SourceNotFoundError, UnknownFormatError
from qa_search.types import SetAside
from qa_search.util.text import visible

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SEVENZIP_MAGIC = b"7z\xbc\xaf\x27\x1c"
_NO_FILE = "a pipe, a device or a socket, not a file"
_INDEX = "the folder of the index itself, not an archive"
_LINK = "a link, and links in archives are not followed"
_MOST_NAME = 1000
_WRITTEN_AT_ONCE = 1 << 20
_READ_AT_ONCE = 1 << 16

# The other tables of a Stack Exchange dump, some of them far larger than Posts.xml.
_UNWANTED_MEMBERS = frozenset(
    f"{table}.xml" for table in ("badges", "comments", "posthistory", "postlinks", "tags", "users", "votes")
)
# What a book (.epub) says of itself; its chapters are pages.
_OF_BOOKS = frozenset(("mimetype", "META-INF/container.xml"))


def list_files(
    sources: Sequence[str | os.PathLike[str]],
    left_out: Path | None = None,
    names: Mapping[Path, str] | None = None,
) -> Iterator[tuple[ArchiveFile | SetAside, bool]]:
    """List the files of all sources, folders walked in order of name.

    Yields each with whether it was named itself (True) or found in a folder (False), and a note for what cannot be
    read. A link in a folder is followed to a file of that folder and nowhere else: somebody's archive must not make
    us read what is ours. Hidden files are passed over, and the folder ``left_out``. A source inside another one is read
    once. ``names`` has the names of some folders, see `name_folders`.

    Raises:
        SourceNotFoundError: if a source is neither a file nor a folder.
        UnknownFormatError: if a source is a pipe or the like, or the folder to be left out.
    """
    paths = [_existing(source, left_out) for source in sources]
    roots = list(map(root_of, paths))
    labels = name_folders(roots, names or {})
    for number, (path, root) in enumerate(zip(paths, roots, strict=True)):
        others = paths[:number] + [other for other in paths[number + 1 :] if other != path]
        if path in paths[:number] or any(other.is_dir() and other in path.parents for other in others):
            continue
        if path.is_dir():
            for found, problem in _walk(path, left_out):
                file = _plain_file(labels[root], root, found)
                yield (file.set_aside("", problem) if problem else file), False
        else:
            yield _plain_file(labels[root], root, path), True


def unpacked(
    file: ArchiveFile, options: ReadOptions, budget: Budget | None = None, nesting: int = 0
) -> Generator[tuple[ArchiveFile, ArchiveError | None]]:
    """Yield the files in a container, or the file itself if it is not a container.

    With each comes the error that keeps it from being read, if there is one: a member that is damaged, locked by a
    password or over a limit does not take the others along. A file can be read until the next is asked for.
    """
    try:
        with _damage_named(file):
            magic = file.head[:6]
            unpack = (
                _gzip_content
                if magic.startswith(GZIP_MAGIC)
                else _zip_members
                if magic.startswith(ZIP_MAGICS)
                else _sevenzip_members
                if magic.startswith(SEVENZIP_MAGIC)
                else None
            )
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


def _walk(root: Path, left_out: Path | None) -> Iterator[tuple[Path, str]]:
    """Yield the files of a folder and its subfolders, each with the reason not to read it, if any."""
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                found = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda e: e.name)
        except OSError as error:
            yield folder, f"a folder that cannot be read ({error.strerror})"
            continue
        for entry in found:
            path = Path(entry.path)
            if entry.is_symlink():
                problem = _link_problem(path, root, left_out)
                if problem is not None:
                    yield path, problem
            elif not entry.is_dir():
                yield path, "" if entry.is_file() else _NO_FILE
        folders = [Path(entry.path) for entry in reversed(found) if entry.is_dir(follow_symlinks=False)]
        waiting += [folder for folder in folders if folder != left_out]


def _link_problem(path: Path, root: Path, left_out: Path | None) -> str | None:
    """Return why a link is not read: "" if it is read, None if its target is walked or left out anyway."""
    target = Path(os.path.realpath(path))
    if not target.exists():
        return "a link that leads nowhere"
    if not target.is_relative_to(root):
        return "a link that leads out of the source folder: name its target as a source to read it"
    if target.is_dir() or (left_out is not None and target.is_relative_to(left_out)):
        return None
    return "" if target.is_file() else _NO_FILE


def name_folders(roots: Sequence[Path], names: Mapping[Path, str]) -> dict[Path, str]:
    """Name each folder: as ``names`` says, else by its last two parts, or by more if two folders would share a name."""
    labels = {root: names[root] for root in roots if root in names}
    taken = set(labels.values())
    distinct = sorted(set(roots) - labels.keys())
    for root in distinct:
        parts = root.parts[1:] or ("root",)
        length = 2
        while length < len(parts) and (
            _last(parts, length) in taken
            or any(other != root and other.parts[1:][-length:] == parts[-length:] for other in distinct)
        ):
            length += 1
        label = _last(parts, length)
        labels[root] = next(name for name in chain([label], (f"{label} ({n})" for n in count(2))) if name not in taken)
        taken.add(labels[root])
    return labels


def _last(parts: Sequence[str], length: int) -> str:
    return visible("/".join(parts[-length:]))


def root_of(source: Path) -> Path:
    """Return the folder that the files of a source are named below."""
    return source if source.is_dir() else source.parent


def _existing(source: str | os.PathLike[str], left_out: Path | None) -> Path:
    """Return the real path of a source.

    Raises:
        SourceNotFoundError: if it is neither a file nor a folder.
        UnknownFormatError: if it is a pipe or the like, or the folder to be left out.
    """
    path = Path(source)
    if not path.exists():
        raise SourceNotFoundError(
            f"{path}: no such file or folder. Name an archive file or a folder of them "
            f"(the current folder is {Path.cwd()})."
        )
    if not (path.is_dir() or path.is_file()):
        raise UnknownFormatError(f"{path}: {_NO_FILE}. Write what comes out of it to a file.", reason=_NO_FILE)
    if path.resolve() == left_out:
        raise UnknownFormatError(f"{path}: {_INDEX}. Name the files or folders of an archive.", reason=_INDEX)
    return path.resolve()


def _plain_file(label: str, root: Path, path: Path) -> ArchiveFile:
    # File names may have invalid text and controls; terminals and stores must not get them.
    return ArchiveFile(
        label,
        visible(path.relative_to(root).as_posix()),
        visible(str(path)),
        partial(_open_plain, path),
        find_sibling=partial(_plain_sibling, label, root, path.parent),
    )


def _plain_sibling(label: str, root: Path, folder: Path, name: str) -> ArchiveFile | None:
    """Find a file of a folder. Links do not count: they may lead elsewhere."""
    try:
        with os.scandir(folder) as entries:
            found = next((e for e in entries if e.name.lower() == name and e.is_file(follow_symlinks=False)), None)
    except OSError:
        return None
    return None if found is None else _plain_file(label, root, Path(found.path))


def _open_plain(path: Path) -> BinaryIO:
    """Open a regular file; anything else could block for ever."""
    stream = os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb")
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise OSError(errno.EINVAL, _NO_FILE)
    return stream


def _open_gzip(file: ArchiveFile, budget: Budget, most: list[int], behind: list[int]) -> BinaryIO:
    def reached(position: int) -> None:
        # Read again from the start, it counts once.
        if position > most[0]:
            budget.take(file, position - most[0])
            most[0] = position

    return open_gzip(file.open(), reached, behind.append)


def _gzip_content(
    file: ArchiveFile, options: ReadOptions, budget: Budget, nesting: int, scratch: Path
) -> Iterator[tuple[ArchiveFile, ArchiveError | None]]:
    behind: list[int] = []
    damage: Exception | None = None
    content = replace(file, opener=partial(_open_gzip, file, budget, [0], behind))
    if content.head.startswith((*ZIP_MAGICS, SEVENZIP_MAGIC)):
        # They are read from all over, and a gzip file only from the start.
        target = scratch / "content"
        try:
            with content.open() as stream:
                _write(stream, target, file, options)
        except DAMAGE as error:
            damage = error
        content = replace(file, opener=partial(_open_plain, target))
    yield from unpacked(content, options, budget, nesting + 1)
    if damage is not None:
        raise damage
    if behind:
        what = f"data after {behind[0]:,} bytes is not compressed"
        yield file, file.damaged(f"{what} (the posts before it are read with keep_going=True)")


def _zip_members(
    file: ArchiveFile, options: ReadOptions, budget: Budget, nesting: int, scratch: Path
) -> Iterator[tuple[ArchiveFile, ArchiveError | None]]:
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
            target.write_bytes(b"")  # not what the one before left
            member = replace(member, find_sibling=partial(_zip_sibling, file, options, budget, scratch, entry.name))
            try:
                if entry.is_link:
                    raise member.unknown(_LINK, "")
                if entry.is_encrypted:
                    raise member.damaged("locked by a password: unpack it first, with the password")
                budget.take(member, entry.size)
                with _damage_named(member), open_entry(stream, entry) as packed:
                    _write(packed, target, member, options)
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
) -> Iterator[tuple[ArchiveFile, ArchiveError | None]]:
    """Yield a member as far as it could be unpacked; reading on raises the error."""
    with target.open("rb") as stream:
        beginning = stream.read(len(SEVENZIP_MAGIC))
    if not beginning:
        yield member, damage
    elif beginning.startswith((GZIP_MAGIC, *ZIP_MAGICS, SEVENZIP_MAGIC)):
        yield member, damage
        yield from unpacked(member, options, budget, nesting + 1)
    else:
        yield replace(member, opener=partial(_open_cut, target, damage)), None


def _open_cut(path: Path, damage: DamagedArchiveError) -> BinaryIO:
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
            _write(packed, target, member, options)
    return member


def _sevenzip_members(
    file: ArchiveFile, options: ReadOptions, budget: Budget, nesting: int, scratch: Path
) -> Iterator[tuple[ArchiveFile, ArchiveError | None]]:
    """Unpack the wanted members at once: a solid archive can only be read from end to end."""
    # Imported here: it takes a tenth of a second, and few archives need it.
    from qa_search.archives.containers.sevenzip import SevenZip

    paths: dict[str, Path] = {}

    def create(name: str) -> BinaryIO:
        path = paths[name] = scratch / str(len(paths))
        return _create(path, file, options)

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
                    raise member.unknown(_LINK, "")
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
    tables = ("users.xml", "comments.xml") if options.comments else ("users.xml",)
    folders = {name[: name.rfind("/") + 1] for name in names if name.lower().endswith("posts.xml")}
    return frozenset(
        name for name in names if name[: name.rfind("/") + 1] in folders and name.rsplit("/", 1)[-1].lower() in tables
    )


def _unpacked_sibling(members: dict[str, ArchiveFile], beside: str, name: str) -> ArchiveFile | None:
    return members.get(f"{beside[: beside.rfind('/') + 1]}{name}".lower())


def _member(file: ArchiveFile, name: str, path: Path) -> ArchiveFile:
    name = clean_member_name(name)
    return ArchiveFile(file.source, name, f"{file.location}: {name}", partial(_open_plain, path))


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


def _write(stream: BinaryIO, path: Path, file: ArchiveFile, options: ReadOptions) -> None:
    with _create(path, file, options) as target:
        # Not read(): it loses what comes right before damage.
        while data := cast(io.BufferedReader, stream).read1(_READ_AT_ONCE):
            target.write(data)


def _create(path: Path, file: ArchiveFile, options: ReadOptions) -> BinaryIO:
    return cast(BinaryIO, io.BufferedWriter(_ScratchFile(path, file, options), _WRITTEN_AT_ONCE))


class _ScratchFile(io.FileIO):
    """A file that leaves room on the disk."""

    def __init__(self, path: Path, file: ArchiveFile, options: ReadOptions) -> None:
        super().__init__(path, "wb")
        self._check = partial(require_scratch, file, path.parent, options)

    def write(self, data: bytes) -> int:  # type: ignore[override] # all that BufferedWriter hands over is bytes
        self._check(len(data))
        return super().write(data)
