"""Check every byte and every count of an index, and fall back to the previous generation if the latest is damaged."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qa_search.errors import (
    IndexDamagedError,
    IndexFolderError,
    IndexFormatError,
    IndexNotFoundError,
    IndexUnreadableError,
)
from qa_search.index.folder import IndexFolder
from qa_search.index.folder_stores import FolderStores, open_folder, require_counts
from qa_search.index.integrity import FileRecord, find_damage
from qa_search.index.manifest import ExportedEncoder, FolderManifest
from qa_search.index.open import require_folder
from qa_search.index.owned import ENCODERS, GENERATIONS
from qa_search.index.stores.post_rows import passage_key
from qa_search.types import GenerationCheck, VerifyReport
from qa_search.util.parameters import require_flags

_BLOCK = 4096
# How far the length of a stored vector may be from 1.
_UNIT_TOLERANCE = 1e-3
_MOST_PROBLEMS = 20


def verify_index(index: str | os.PathLike[str], *, fall_back: bool = False) -> VerifyReport:
    """Read everything in an index folder and compare it with what was written.

    Args:
        index: the index folder.
        fall_back: if the generation that answers is damaged, let the latest whole one answer instead. If it only
            cannot be read now, nothing is changed.

    Raises:
        IndexNotFoundError: if the folder contains no index.
        IndexUnreadableError: if the pointer, or the folder of the generations, cannot be read now.
        IndexLockedError: if it should fall back while a build is writing.
        IndexWriteError: if it should fall back and the folder cannot be written to.
    """
    started = time.perf_counter()
    require_folder(index)
    require_flags(fall_back=fall_back)
    folder = IndexFolder(index)
    fell_back_to = None
    while True:
        pointer = _pointer(folder)
        checks = [_check(folder, name, answers=name == pointer.name) for name in folder.names()]
        fine = any(check.answers and check.whole for check in checks)
        unread = any(check.answers and check.unread for check in checks)
        whole = next((check.generation for check in checks if check.whole), None)
        if fine:
            break
        if _pointer(folder) != pointer:
            continue  # builds have published others and removed what was read
        if not fall_back or whole is None or unread:
            break
        with folder.writing():
            if _pointer(folder) == pointer:
                folder.point_to(whole)
                fell_back_to = whole
                break
    there = folder.names()
    problem = pointer.problem
    if pointer.name is not None and not any(check.answers for check in checks):
        problem = f"{folder.path}: the pointer names {pointer.name}, and that generation is missing"
    return VerifyReport(
        index=os.fspath(index),
        generation=fell_back_to or pointer.name,
        ok=fine or fell_back_to is not None,
        pointer_problem=problem,
        generations=tuple(check for check in checks if check.generation in there),
        fell_back_to=fell_back_to,
        seconds=round(time.perf_counter() - started, 2),
    )


class _Pointer(NamedTuple):
    """The name in the pointer, or what is wrong with the pointer."""

    name: str | None
    problem: str | None


def _pointer(folder: IndexFolder) -> _Pointer:
    try:
        name, sha256 = folder.pointer()
        try:
            folder.read_manifest(name)
        except IndexFolderError:
            return _Pointer(name, None)  # reported when that generation is checked
        folder.read_manifest(name, sha256)
    except IndexDamagedError as error:
        return _Pointer(None, str(error))
    except IndexNotFoundError as error:
        if not folder.names():
            raise
        return _Pointer(None, str(error))
    return _Pointer(name, None)


def _check(folder: IndexFolder, name: str, *, answers: bool) -> GenerationCheck:
    files: dict[Path, FileRecord] = {}
    problems: list[str] = []
    unread = ""
    try:
        problems.extend(_problems(folder, name, files))
    except (IndexDamagedError, IndexFormatError) as error:
        problems.append(str(error))
    except IndexUnreadableError as error:
        unread = str(error)
    size = sum(record.bytes for record in files.values())
    return GenerationCheck(name, answers, len(files), size, tuple(problems[:_MOST_PROBLEMS]), unread)


def _problems(folder: IndexFolder, name: str, files: dict[Path, FileRecord]) -> Iterator[str]:
    """Yield what is wrong with a generation; its files are added to ``files``.

    Raises:
        IndexDamagedError: if its manifest is damaged.
        IndexUnreadableError: if a file cannot be read now.
        IndexFormatError: if this version does not read its format.
    """
    manifest = folder.read_manifest(name)
    home = folder.home / GENERATIONS / name
    files.update({home / file: record for file, record in manifest.files.items()})
    if isinstance(manifest.encoder, ExportedEncoder):
        exported = folder.home / ENCODERS / manifest.encoder.folder
        files.update({exported / file: record for file, record in manifest.encoder.files.items()})
    sound = True
    for path, record in files.items():
        damage = find_damage(path, record, thorough=True)
        if damage:
            sound = False
            yield damage
    if sound:
        yield from _contradictions(home, manifest)


def _contradictions(place: Path, manifest: FolderManifest) -> Iterator[str]:
    """Yield contradictions between files that are undamaged each."""
    try:
        stores = open_folder(place, manifest, manifest.files)
        with closing(stores.posts):
            require_counts(place, stores, manifest.counts)
            yield from _contradicting_passages(place, stores)
    except IndexDamagedError as error:
        yield str(error)


def _contradicting_passages(place: Path, stores: FolderStores) -> Iterator[str]:
    yield from (f"{place / 'posts.sqlite'}: {flaw}" for flaw in stores.posts.flaws())
    at = 0
    for rows in stores.posts.passage_blocks(_BLOCK):
        numbers = np.arange(at, at + len(rows))
        where = f"the passages {at} to {at + len(rows) - 1}"
        if [row.number for row in rows] != numbers.tolist():
            yield f"{place / 'posts.sqlite'}: {where} are not numbered consecutively"
            return
        posts, sides = stores.owners.post_of_each(numbers).tolist(), stores.owners.sides_of(numbers)
        if list(zip(posts, sides, strict=True)) != [(row.post, row.field) for row in rows]:
            yield f"{place}: {where} belong to other posts in posts.sqlite"
        if any(passage_key(row.text) != row.key for row in rows):
            yield f"{place / 'posts.sqlite'}: a text among {where} differs from the one that was embedded"
        at += len(rows)
    for vectors in stores.vectors.blocks(_BLOCK):
        with np.errstate(over="ignore", invalid="ignore"):
            lengths = np.linalg.norm(vectors, axis=1)
        # A model may give zeros for a text of unknown words.
        if not ((np.abs(lengths - 1) < _UNIT_TOLERANCE) | (lengths == 0)).all():
            yield f"{place}: a vector does not have unit length"
            return
