"""An index folder -> its log of builds, and an earlier generation that answers again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from typing import Any

from qa_search.errors import IndexDamagedError, IndexFolderError, IndexNotFoundError
from qa_search.index.folder import IndexFolder
from qa_search.index.manifest import find_flaw
from qa_search.index.open import require_folder
from qa_search.types import IndexSource, LogEntry, SourceChanges

_KINDS = [one.name for one in fields(SourceChanges) if one.name != "source"]


def history_of(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the builds up to that of a manifest, the oldest first, as the next manifest has them."""
    changes = [SourceChanges(**one) for one in manifest.get("changes", ())]
    own = {
        "generation": manifest["generation"],
        "created": manifest["created"],
        "posts": manifest["counts"]["posts"],
        "sources": manifest.get("built_from", {}).get("sources", []),
        "changes": {kind: sum(getattr(one, kind) for one in changes) for kind in _KINDS},
    }
    return [*manifest.get("history", ()), own]


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
    manifest = folder.read_manifest(answers, sha256)
    flaw = find_flaw(manifest)
    if flaw:
        raise IndexDamagedError.of(folder.path, f"the manifest of {answers} says nothing usable of {flaw}")
    found = {entry["generation"]: entry for entry in history_of(manifest)}
    for name in kept:
        if name not in found:
            with suppress(IndexFolderError):  # `verify_index` reports what is wrong with it
                other = folder.read_manifest(name)
                found |= {} if find_flaw(other) else {name: history_of(other)[-1]}
    entries = [
        LogEntry(
            name,
            entry["created"],
            entry["posts"],
            tuple(IndexSource(**source) for source in entry["sources"]),
            SourceChanges("", **entry["changes"]),
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
