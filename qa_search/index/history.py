"""An index folder -> its log of builds, and an earlier generation that answers again."""

from __future__ import annotations

import os
from contextlib import suppress

from qa_search.errors import IndexFolderError, IndexNotFoundError
from qa_search.index.folder import IndexFolder
from qa_search.index.manifest import BuildRecord, ChangeTotals, Manifest
from qa_search.index.open import require_folder
from qa_search.types import LogEntry, SourceChanges
from qa_search.util.parameters import require_texts

_KINDS = ChangeTotals._fields


def history_of(manifest: Manifest) -> tuple[BuildRecord, ...]:
    """Return the builds up to that of a manifest, the oldest first, as the next manifest has them."""
    totals = ChangeTotals(**{kind: sum(getattr(one, kind) for one in manifest.changes) for kind in _KINDS})
    sources = () if manifest.built_from is None else manifest.built_from.sources
    own = BuildRecord(manifest.generation, manifest.created, manifest.counts.posts, sources, totals)
    return (*manifest.history, own)


def index_log(index: str | os.PathLike[str]) -> list[LogEntry]:
    """Return the builds of an index, the latest first: those that led to what answers, and those that are kept.

    Raises:
        IndexNotFoundError: if the folder contains no index.
        IndexFolderError: if what answers is damaged or cannot be read.
    """
    require_folder(index)
    folder = IndexFolder(index)
    answers, sha256 = folder.pointer()
    kept = folder.names()
    found = {entry.generation: entry for entry in history_of(folder.read_manifest(answers, sha256))}
    for name in kept:
        if name not in found:
            with suppress(IndexFolderError):  # `verify_index` reports what is wrong with it
                found[name] = history_of(folder.read_manifest(name))[-1]
    entries = [
        LogEntry(
            name,
            entry.created,
            entry.posts,
            entry.sources,
            SourceChanges("", **entry.changes._asdict()),
            kept=name in kept,
            answers=name == answers,
        )
        for name, entry in found.items()
    ]
    return sorted(entries, key=lambda entry: (entry.created, _number(entry.generation)), reverse=True)


def undo_index(index: str | os.PathLike[str], to: str | None = None) -> str:
    """Let an earlier generation answer again, and return its name. Nothing is removed: undo can be undone.

    Args:
        index: the index folder.
        to: the generation that is to answer; None for the one before that which answers.

    Raises:
        IndexNotFoundError: if the folder contains no index, or the generation was removed.
        IndexDamagedError: if that one is damaged; what answers stays.
        IndexLockedError: if a build is writing.
        IndexWriteError: if the folder cannot be written to.
    """
    require_folder(index)
    require_texts(to=to)
    folder = IndexFolder(index)
    folder.pointer()  # nothing is made where there is no index
    with folder.writing():
        answers, _ = folder.pointer()
        kept = folder.names()
        if to is None:
            to = next((name for name in kept if _number(name) < _number(answers)), None)
            if to is None:
                raise IndexNotFoundError(
                    f"{folder.path}: no earlier generation than {answers} is kept. Kept: {', '.join(kept)}"
                )
        elif to not in kept:
            raise IndexNotFoundError(f"{folder.path}: no generation {to} is kept. Kept: {', '.join(kept)}")
        folder.point_to(to)
    return to


def _number(name: str) -> int:
    return int(name[1:])
