"""The posts of the previous generation and of a new one -> what was added, changed, removed and renamed, by source."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from qa_search.archives.containers.walk import UNREAD_FOLDER
from qa_search.builder.reuse import PreviousGeneration
from qa_search.errors import ShrinkError
from qa_search.index.history import history_of
from qa_search.index.manifest import FolderManifest
from qa_search.index.stores.post_rows import MOST_ROWS, StoredEntry
from qa_search.types import IndexSource, SourceChanges
from qa_search.util.text import counted

_MOST_NAMED = 3
_MOST_RUNS = 100
# What a manifest holds at most: the builds before, and the sources of this one.
_MOST_BUILDS, _MOST_SOURCES = 100, 1000


class Entries(Protocol):
    """Posts that can be compared."""

    def stored_entries(self, but: Sequence[range] = ()) -> Iterator[StoredEntry]:
        """Yield the entries in the order of their ids, without those of some numbers."""

    def has_contents(self, contents: Sequence[bytes]) -> set[bytes]:
        """Return which of these texts are stored."""


class NewEntries(Entries, Protocol):
    """Posts of which some were copied, with their ids, from those that they are compared with."""

    @property
    def copied_entries(self) -> Sequence[tuple[range, range]]:
        """The numbers that copied entries had and have."""

    def count_entries(self, numbers: range) -> dict[str, int]:
        """Count the entries of these numbers by their source."""

    def set_aside_sources(self, reason: str) -> list[str]:
        """Return the sources of the notes whose reason begins so."""


class Changes:
    """What differs between two sets of posts, by their ids.

    A post whose text is still there under another id counts as renamed, not as removed.
    """

    def __init__(self, previous: Entries | None, new: NewEntries) -> None:
        counts: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(_KINDS, 0))
        gone: list[StoredEntry] = []
        # What was copied need not be compared; of many short runs, the longest.
        copied = heapq.nlargest(_MOST_RUNS, new.copied_entries, key=lambda run: len(run[0]))
        for _, numbers in copied:
            for source, count in new.count_entries(numbers).items():
                counts[source]["unchanged"] += count
        if previous is None:  # nothing to compare with
            for source, count in new.count_entries(range(MOST_ROWS)).items():
                counts[source]["added"] += count
        else:
            old_entries = previous.stored_entries([old for old, _ in copied])
            for old, now in _side_by_side(old_entries, new.stored_entries([now for _, now in copied])):
                if old is None and now is not None:
                    counts[now.source]["added"] += 1
                elif old is not None and now is None:
                    gone.append(old)
                elif old is not None and now is not None:
                    counts[now.source]["unchanged" if old == now else "changed"] += 1
        kept = new.has_contents([entry.content for entry in gone])
        self.removed = [entry for entry in gone if entry.content not in kept]
        self.renamed = [entry for entry in gone if entry.content in kept]
        for entry in gone:
            counts[entry.source]["renamed" if entry.content in kept else "removed"] += 1
        self.before = len(gone) + sum(found["changed"] + found["unchanged"] for found in counts.values())
        self.by_source = tuple(SourceChanges(source, **found) for source, found in sorted(counts.items()))


@dataclass(frozen=True)
class ShrinkGuard:
    """Compares the posts of a build with those before, and stops it where too many would be lost.

    Args:
        previous: the generation that answers; None for a first build.
        largest_loss: the largest share of its posts that may be removed or get other ids.
        dropped: its sources that are not read any more.
        expected: names of sources, and ids of posts, that are removed on purpose: they do not count.
        keep_going: whether posts may be lost because their folder cannot be read.
    """

    previous: PreviousGeneration | None
    largest_loss: float
    dropped: Sequence[IndexSource] = ()
    expected: frozenset[str] = frozenset()
    keep_going: bool = False

    def compare(self, new: NewEntries) -> tuple[SourceChanges, ...]:
        """Return what differs.

        Raises:
            ShrinkError: if more would be lost than is allowed.
        """
        changes = Changes(None if self.previous is None else self.previous.posts, new)
        if self.previous is not None:
            if not self.keep_going:
                self._require_folders(changes, new.set_aside_sources(UNREAD_FOLDER), self.previous.generation.name)
            self._require(changes, self.previous.generation.name)
        return changes.by_source

    def recorded(self, manifest: FolderManifest, changes: tuple[SourceChanges, ...]) -> FolderManifest:
        """Return a manifest with what this build changed and the builds before it."""
        previous = None if self.previous is None else self.previous.generation
        return replace(
            manifest,
            previous=None if previous is None else previous.name,
            # Of too many sources, those that differ.
            changes=tuple(sorted(changes, key=lambda one: not one.differs)[:_MOST_SOURCES]),
            history=() if previous is None else history_of(previous.manifest)[-_MOST_BUILDS:],
        )

    def _require_folders(self, changes: Changes, unread: Sequence[str], generation: str) -> None:
        """Raise if posts would be lost of a folder that cannot be listed, however few."""
        for folder in unread if self.largest_loss < 1 else ():
            start = folder.removesuffix("/.") + "/"
            lost = [entry for entry in changes.removed if f"{entry.source}/{entry.source_id}".startswith(start)]
            if lost:
                raise ShrinkError(
                    f"{folder} is {UNREAD_FOLDER}: this build would remove {counted(len(lost), 'post')} of it "
                    f"({_examples(lost)}). Nothing was changed: {generation} still answers. To go on: let this user "
                    "read the folder; or if it is intended, build with allow_shrink=True.",
                    parameter="allow_shrink",
                )

    def _require(self, changes: Changes, generation: str) -> None:
        removed = [entry for entry in changes.removed if not self._is_expected(entry)]
        renamed = [entry for entry in changes.renamed if not self._is_expected(entry)]
        before = changes.before
        if len(removed) + len(renamed) <= self.largest_loss * before:
            return
        what = [f"remove {len(removed):,} of {counted(before, 'post')} ({_examples(removed)})"] if removed else []
        if renamed:
            posts = f"{len(renamed):,} of {counted(before, 'post')}"
            what.append(f"give {posts} other ids ({_examples(renamed)}), so that links to them break")
        there = [source for source in self.dropped if Path(source.path).exists()]
        ways = [f"read {source.path} too, which this index was built from" for source in there]
        if renamed and self.dropped:
            ways.append(f"keep the ids of a source that moved: names={{SOURCE: {self.dropped[0].name!r}}}")
        if renamed and not self.dropped:
            ways.append("give files and folders that were renamed their earlier names")
        ways.append("if it is intended, build with allow_shrink=True")
        raise ShrinkError(
            f"this build would {' and '.join(what)}. Nothing was changed: {generation} still answers. "
            f"To go on: {'; or '.join(ways)}.",
            parameter="allow_shrink",
        )

    def _is_expected(self, entry: StoredEntry) -> bool:
        return entry.post_id in self.expected or any(
            entry.source == name or entry.source.startswith(f"{name}/") for name in self.expected
        )


def _examples(entries: Sequence[StoredEntry]) -> str:
    names = heapq.nsmallest(_MOST_NAMED, (f"{entry.source} {entry.source_id}" for entry in entries))
    return ", ".join([*names, *(["..."] if len(entries) > _MOST_NAMED else [])])


_KINDS = ("added", "changed", "removed", "renamed", "unchanged")


def _side_by_side(
    old: Iterator[StoredEntry], new: Iterator[StoredEntry]
) -> Iterator[tuple[StoredEntry | None, StoredEntry | None]]:
    """Yield the entries of each id from two streams in the order of ids."""
    left, right = next(old, None), next(new, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left.post_id < right.post_id):
            yield left, None
            left = next(old, None)
        elif left is None or right.post_id < left.post_id:
            yield None, right
            right = next(new, None)
        else:
            yield left, right
            left, right = next(old, None), next(new, None)
