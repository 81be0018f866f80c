"""The generation that answers in a database, and the stores of a new one -> the rows that the database copies itself.

A row is kept if it says what the new one says, but for its number: both sides hash the same text. So nothing is sent
that the database has, and a row that was damaged is sent again.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from qa_search.index.folder_stores import FolderStores
from qa_search.index.postgres.connections import Connection
from qa_search.index.postgres.schema import Table

_BLOCK = 4096
# The numbers of rows that are copied, and what is added to the two numbers that change.
_MOVED = (
    "(SELECT number AS was, run.shift, run.other FROM ROWS FROM (unnest(%s::int4[]), unnest(%s::int4[]), "
    "unnest(%s::int4[]), unnest(%s::int4[])) AS run (first, stop, shift, other) "
    "CROSS JOIN LATERAL generate_series(run.first, run.stop - 1) AS number) AS moved"
)
# Per table: what is copied, from which rows, and the column that the numbers are of.
_COPIED = {
    "post": ("o.id + moved.shift, o.content, o.title, o.question, o.answer, o.answers", "id"),
    "passage": ('o.id + moved.other, o.post + moved.shift, o.field, o.start, o."end", o.key', "post"),
    "posting": ("o.term, o.post + moved.shift, o.tf, o.length", "post"),
    "entry": (
        "o.id + moved.shift, o.post_id, o.post + moved.other, o.source, o.source_id, o.date, o.url, o.tags, o.author, "
        "o.score, o.prev_title, o.next_title, o.folded_tags, o.tag_keys",
        "id",
    ),
    "page_title": ("o.folded, o.entry + moved.shift, o.post + moved.other", "entry"),
    "unanswered": ("o.rowid + moved.shift, o.source, o.source_id, o.title", "rowid"),
    "set_aside": ("o.rowid + moved.shift, o.source, o.place, o.reason", "rowid"),
    "page_link": ("o.rowid + moved.shift, o.folded, o.title, o.source_id", "rowid"),
}

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A server and the schema there of the tables of the generation that answers; "" without one.

    The connection's own schema is that of the new generation.
    """

    connection: Connection
    before: str

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[Row]:
        """Return the rows of a query, in which {old} stands for the schema."""
        return self.connection.execute(query.format(old=self.before), values, binary=True).fetchall()


class Runs:
    """Numbers of rows that follow one another, and what is added to two of their numbers."""

    def __init__(self) -> None:
        self._columns: tuple[list[int], ...] = ([], [], [], [])

    def add(self, was: int, shift: int, other: int = 0) -> None:
        """Add a row."""
        _, stops, shifts, others = self._columns
        if stops and (stops[-1], shifts[-1], others[-1]) == (was, shift, other):
            stops[-1] += 1
            return
        for column, value in zip(self._columns, (was, was + 1, shift, other), strict=True):
            column.append(value)

    def copy(self, name: str, place: Place) -> None:
        """Have these rows of a table copied to the new generation's."""
        if not self._columns[0]:
            return
        columns, key = _COPIED[name]
        place.connection.execute(
            f"INSERT INTO {place.connection.schema}.{name} SELECT {columns} "  # noqa: S608 - names of ours
            f"FROM {place.before}.{name} o JOIN {_MOVED} ON moved.was = o.{key}",
            list(self._columns),
        )


class KeptRows:
    """The rows of a new generation that the one that answers has, too."""

    def __init__(self, coordinator: Place, targets: Sequence[Place], shard_of: Sequence[int] | None) -> None:
        """Begin.

        Args:
            coordinator: the server that is asked.
            targets: the servers that posts are on, each with its part.
            shard_of: the target of each new post; None for the only one.
        """
        self._coordinator = coordinator
        self._targets = targets
        self._shard_of = shard_of
        self._posts = [Runs() for _ in targets]
        self._entries = [Runs() for _ in targets]
        self._all_entries = Runs()
        self._post_now: dict[int, tuple[int, int]] = {}  # the old number of a kept post: its target, its new number
        self._entry_now: dict[int, int] = {}
        # Whether each new post, and each new entry, is kept: by its number.
        self.posts = bytearray()
        self.entries = bytearray()
        # The words of the generation that answers: each one's number, and how many posts have it.
        self.terms: dict[str, tuple[int, int]] = {}

    def find(self, stores: FolderStores, posts: int, entries: int) -> None:
        """Find the kept posts and entries among so many new ones. Without a generation that answers none is kept."""
        self.posts, self.entries = bytearray(posts), bytearray(entries)
        if self._coordinator.before and self._has_all_words():
            rows = self._coordinator.rows("SELECT term, id, holders FROM {old}.term")
            self.terms = {term: (number, holders) for term, number, holders in rows}
            self._find_posts(stores)
            self._find_entries(stores)

    def copy(self) -> None:
        """Have the kept posts copied, with their passages, words and ids."""
        for place, posts, entries in zip(self._targets, self._posts, self._entries, strict=True):
            for name in ("post", "passage", "posting"):
                posts.copy(name, place)
            entries.copy("entry", place)

    def titles(self, rows: Iterator[Row]) -> list[Row]:
        """Have the kept titles of pages copied; return those that are not: rows of folded title and entry."""
        new = list(rows)
        before = self._coordinator.rows("SELECT folded, entry FROM {old}.page_title") if self._entry_now else []
        copied = {(folded, self._entry_now[entry]) for folded, entry in before if entry in self._entry_now}
        if not copied or not copied <= set(new):
            return new
        self._all_entries.copy("page_title", self._coordinator)
        return [row for row in new if row not in copied]

    def notes(self, table: Table, rows: Iterator[Row]) -> list[Row]:
        """Have the kept rows of a table copied whose first column is their place; return the others."""
        before: dict[Row, deque[int]] = {}
        if self._coordinator.before:
            columns = ", ".join(column for column, _ in table.columns)
            for number, *row in self._coordinator.rows(f"SELECT {columns} FROM {{old}}.{table.name} ORDER BY rowid"):  # noqa: S608
                before.setdefault(tuple(row), deque()).append(number)
        runs, others = Runs(), []
        for number, *row in rows:
            known = before.get(tuple(row))
            if known:
                was = known.popleft()
                runs.add(was, number - was)
            else:
                others.append((number, *row))
        runs.copy(table.name, self._coordinator)
        return others

    def copy_terms(self, but: list[int]) -> None:
        """Have the words copied, but for those of some numbers."""
        if self.terms:
            self._coordinator.connection.execute(
                f"INSERT INTO {self._coordinator.connection.schema}.term SELECT o.term, o.id, o.holders "  # noqa: S608
                f"FROM {self._coordinator.before}.term o WHERE NOT o.id = ANY(%s::int4[])",
                [but],
            )

    def _has_all_words(self) -> bool:
        ((listed,),) = self._coordinator.rows("SELECT COALESCE(sum(holders), 0)::int8 FROM {old}.term")
        found = sum(place.rows("SELECT count(*) FROM {old}.posting")[0][0] for place in self._targets)
        return bool(listed == found)

    def _find_posts(self, stores: FolderStores) -> None:
        known: dict[bytes, tuple[int, int, int]] = {}
        for target, place in enumerate(self._targets):
            rows = place.rows(
                "SELECT o.id, COALESCE(cut.first, 0), sha256(convert_to(json_build_array(encode(o.content, 'hex'), "
                "o.title, o.question, o.answer, o.answers)::text || COALESCE(cut.passages, ''), 'UTF8')) "
                "FROM {old}.post o LEFT JOIN (SELECT post, min(id) AS first, string_agg(field || ' ' || start::text "
                "|| ' ' || \"end\"::text || ' ' || encode(key, 'hex'), ',' ORDER BY id) AS passages "
                "FROM {old}.passage GROUP BY post HAVING (max(id) - min(id)) = (count(*) - 1)) AS cut "
                "ON cut.post = o.id"
            )
            known.update((digest, (target, number, first)) for number, first, digest in rows)
        for (number, content, *texts), passages in _with_passages(stores):
            listed = ",".join(f"{field} {start} {end} {key.hex()}" for _, _, field, start, end, key in passages)
            target, was, first = known.pop(_digest([content.hex(), *texts], listed), (-1, 0, 0))
            if target < 0 or (self._shard_of is not None and self._shard_of[number] != target):
                continue
            self._posts[target].add(was, number - was, passages[0][0] - first if passages else 0)
            self._post_now[was] = (target, number)
            self.posts[number] = True

    def _find_entries(self, stores: FolderStores) -> None:
        known: dict[bytes, tuple[int, int]] = {}
        for place in self._targets:
            rows = place.rows(
                "SELECT o.id, o.post, sha256(convert_to(json_build_array(o.post_id, o.source, o.source_id, o.date, "
                "o.url, o.tags, o.author, o.score, o.prev_title, o.next_title)::text, 'UTF8')) FROM {old}.entry o"
            )
            known.update((digest, (number, post)) for number, post, digest in rows)
        for number, post_id, post, *row in each(stores.posts.table("entry", _BLOCK)):
            was, post_was = known.pop(_digest([post_id, *row]), (-1, -1))
            target, now = self._post_now.get(post_was, (-1, -1))
            if now != post:
                continue
            self._entries[target].add(was, number - was, post - post_was)
            self._all_entries.add(was, number - was, post - post_was)
            self._entry_now[was] = number
            self.entries[number] = True


def each(blocks: Iterator[list[Row]]) -> Iterator[Row]:
    """Yield the rows of blocks."""
    for block in blocks:
        yield from block


def _with_passages(stores: FolderStores) -> Iterator[tuple[Row, list[Row]]]:
    """Yield the posts with their passages, both in the order of their numbers."""
    passages = each(stores.posts.table("passage", _BLOCK))
    ahead = next(passages, None)
    for post in each(stores.posts.table("post", _BLOCK)):
        own = []
        while ahead is not None and ahead[1] == post[0]:
            own.append(ahead)
            ahead = next(passages, None)
        yield post, own


def _digest(values: list[Any], more: str = "") -> bytes:
    """Hash values as `json_build_array` writes them."""
    return hashlib.sha256((json.dumps(values, ensure_ascii=False) + more).encode()).digest()
