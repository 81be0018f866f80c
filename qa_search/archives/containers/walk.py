"""Folders and files that are named -> the files in them, each a stream that can be opened again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, count
from pathlib import Path

from qa_search.archives.base import ArchiveFile
from qa_search.archives.containers.scratch import NO_FILE, open_plain
from qa_search.errors import SourceNotFoundError, UnknownFormatError
from qa_search.types import SetAside
from qa_search.util.files import remedy_of
from qa_search.util.text import visible

# How the note begins on a folder of which no file was found, because it cannot be listed.
UNREAD_FOLDER = "a folder that cannot be read"
_INDEX = "the folder of the index itself, not an archive"


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
        DamagedArchiveError: if a folder cannot be listed because the machine lacks something now, such as open files.
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
                if isinstance(problem, OSError):
                    problem = _folder_problem(file, problem)
                yield (file.set_aside("", problem) if problem else file), False
        else:
            yield _plain_file(labels[root], root, path), True


def _folder_problem(folder: ArchiveFile, error: OSError) -> str:
    remedy = remedy_of(error)
    if remedy is not None:
        raise folder.withheld(error, remedy) from error
    return f"{UNREAD_FOLDER} ({error.strerror})"


def _walk(root: Path, left_out: Path | None) -> Iterator[tuple[Path, str | OSError]]:
    """Yield the files of a folder and its subfolders, each with the reason not to read it, if any."""
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                found = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda e: e.name)
        except OSError as error:
            yield folder, error
            continue
        for entry in found:
            path = Path(entry.path)
            if entry.is_symlink():
                problem = _link_problem(path, root, left_out)
                if problem is not None:
                    yield path, problem
            elif not entry.is_dir():
                yield path, "" if entry.is_file() else NO_FILE
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
    return "" if target.is_file() else NO_FILE


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
        raise UnknownFormatError(f"{path}: {NO_FILE}. Write what comes out of it to a file.", reason=NO_FILE)
    if path.resolve() == left_out:
        raise UnknownFormatError(f"{path}: {_INDEX}. Name the files or folders of an archive.", reason=_INDEX)
    return path.resolve()


def _plain_file(label: str, root: Path, path: Path) -> ArchiveFile:
    # File names may have invalid text and controls; terminals and stores must not get them.
    return ArchiveFile(
        label,
        visible(path.relative_to(root).as_posix()),
        visible(str(path)),
        partial(open_plain, path),
        find_sibling=partial(_plain_sibling, label, root, path.parent),
    )


def _plain_sibling(label: str, root: Path, folder: Path, name: str) -> ArchiveFile | None:
    """Find a file of a folder. Links do not count: they may lead elsewhere."""
    try:
        with os.scandir(folder) as entries:
            found = next((e for e in entries if e.name.lower() == name and e.is_file(follow_symlinks=False)), None)
    except OSError as error:
        if remedy_of(error) is not None:
            raise  # it may be there
        return None
    return None if found is None else _plain_file(label, root, Path(found.path))
