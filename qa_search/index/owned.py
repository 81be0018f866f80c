"""The names of the files that qa_search makes in an index folder. No other file is ever removed.

A folder is an index if it has our mark, or a pointer to an existing generation (indexes of older versions have no
mark). All our files are known by their names. They are removed one by one, and links are not followed.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

MARK = "qa-search-index.txt"
MARK_TEXT = """\
This folder is an index of qa-search. It can be built again from its archive.
A build removes what earlier builds made here, and nothing else.
"""
POINTER = "CURRENT"
GENERATIONS = "generations"
ENCODERS = "encoders"
WORK = "work"
PARTIAL = ".partial"

# Files that a folder may hold and still count as empty: systems and people put them everywhere.
_CLUTTER = frozenset((
    ".gitignore", ".gitkeep", ".keep", "README", "README.md", "README.txt", "lost+found", ".DS_Store", "Thumbs.db",
    "desktop.ini", ".nobackup", "CACHEDIR.TAG", ".snapshot", "@eaDir", "curation.toml", "feedback.jsonl",
))  # fmt: skip
_TOP = frozenset((POINTER, f"{POINTER}.new", "build.lock", "build.holder"))
_NUMBERED = re.compile(r"g[0-9]{1,15}")
_POINTS = re.compile(r"(g[0-9]{1,15})( [0-9a-f]{64})?\s*")


@dataclass(frozen=True)
class Names:
    """The names in one kind of folder: a pattern of its files, and the names in each folder in it."""

    files: str
    folders: Mapping[str, Names] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Return whether a file of this name is ours."""
        return re.fullmatch(self.files, name) is not None


_ROWS = r"rows-\d{5,}\.f32(\.blocks)?"
_SQLITE = r"\.sqlite(-wal|-shm|-journal)?"
LEXICAL_NAMES = Names(
    r"meta\.json|\.managed\.json|\.tantivy-\w+\.lock|\.tmp\w{6,}|[0-9a-f]{32}(\.\w+){1,3}",
)
GENERATION_NAMES = Names(
    rf"manifest\.(json|sha256)|(posts|edited){_SQLITE}|posts\.sqlite\.blocks|vectors-\d{{5,}}\.faiss|lists\.faiss(\.blocks)?"
    rf"|(passage-rows|row-passages|row-starts|passage-posts|passage-sides)\.npy|{_ROWS}",
    {"lexical": LEXICAL_NAMES, "new-words": LEXICAL_NAMES, "moved": Names(_ROWS)},
)
ENCODER_NAMES = Names(r"encoder\.json|tokenizer\.json|model\.onnx(\.data)?|raw[\w.]*\.onnx(\.data|_data)?")
WORK_NAMES = Names(rf"(int8|fp32|original|given)-[0-9a-f]{{16}}(-(cpu|cuda)-(fp32|bf16))?{_SQLITE}")
_ENCODER = re.compile(r"(int8|fp32)-[0-9a-f]{16}(-[0-9a-f]{8})?((\.\d+)?\.partial)?")


def index_of(generation: Path) -> Path:
    """Return the index folder that the folder of a generation is in."""
    return generation.parent.parent


def is_generation_name(name: str) -> bool:
    """Return whether a name is that of a generation, finished or being written."""
    return _NUMBERED.fullmatch(name.removesuffix(PARTIAL)) is not None


def is_encoder_name(name: str) -> bool:
    """Return whether a name is that of an exported encoder, finished or being written."""
    return _ENCODER.fullmatch(name) is not None


def find_foreign(folder: Path) -> str | None:
    """Return the name of a file in a folder that is not ours; None if there is none, or the folder is an index.

    Raises:
        OSError: if the folder cannot be read.
    """
    names = _names(folder)
    if MARK in names or _has_index(folder):
        return None
    inside: Mapping[str, Callable[[str], bool]] = {
        GENERATIONS: is_generation_name, ENCODERS: is_encoder_name, WORK: WORK_NAMES.has,
    }  # fmt: skip
    for name in names:
        if name in inside and (folder / name).is_dir():
            found = _other_than(folder / name, inside[name])
            if found is not None:
                return f"{name}/{found}"
        elif name not in _TOP and name not in _CLUTTER:
            return name
    return None


def holds_own(folder: Path, names: Names) -> bool:
    """Return whether a folder itself holds a file of ours. A folder that we may not read counts as one.

    Raises:
        OSError: if the folder cannot be read for another reason.
    """
    try:
        return any(map(names.has, _names(folder)))
    except PermissionError:
        return True
    except (FileNotFoundError, NotADirectoryError):
        return False


def remove_own(folder: Path, names: Names, listed: Iterable[str] = ()) -> bool:
    """Remove our files in a folder one by one, then the folder if it is empty.

    ``listed`` are more files of ours, as paths below the folder. Return whether the folder was removed.

    Raises:
        OSError: if it is not a folder, or a file cannot be removed.
    """
    return _remove(os.fspath(folder), None, names, set(listed))


def _remove(path: str, parent: int | None, names: Names, listed: set[str]) -> bool:
    # By descriptors: a folder that was replaced by a link meanwhile is not followed.
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        for name in _names(descriptor):
            below = {inner.removeprefix(f"{name}/") for inner in listed if inner.startswith(f"{name}/")}
            is_folder = stat.S_ISDIR(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode)
            if is_folder and (name in names.folders or below):
                _remove(name, descriptor, names.folders.get(name, Names("")), below)
            elif not is_folder and (name in listed or names.has(name)):
                os.unlink(name, dir_fd=descriptor)
        empty = not _names(descriptor)
    finally:
        os.close(descriptor)
    if empty:
        os.rmdir(path, dir_fd=parent)
    return empty


def _has_index(folder: Path) -> bool:
    """Return whether a folder's pointer names a generation that exists."""
    try:
        descriptor = os.open(folder / POINTER, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            found = _POINTS.fullmatch(stream.read(1 << 12).decode("utf-8", "replace"))
    except OSError:
        return False
    return found is not None and (folder / GENERATIONS / found[1]).is_dir()


def _other_than(folder: Path, is_ours: Callable[[str], bool]) -> str | None:
    return next((name for name in _names(folder) if name not in _CLUTTER and not is_ours(name)), None)


def _names(folder: Path | int) -> list[str]:
    """Return the names in a folder, given by its path or an open descriptor."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries)
