"""The SQLite file of a generation -> its posts, their ids and their passages.

A text that occurs several times is one row of ``post``; each id under which it occurs is a row of ``entry``.
Passages are numbered from 0 in the order of the vectors.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence, Sized
from contextlib import contextmanager
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple

import apsw
import numpy as np

from qa_search.errors import IndexDamagedError
from qa_search.index.filters import Filters, fold_tag
from qa_search.index.stores.damage import DamageReport, name_damage
from qa_search.index.stores.database import ReadOnlyDatabase
from qa_search.index.stores.post_rows import (
    DATABASE_NAME,
    MOST_ROWS,
    STATEMENTS,
    STATEMENTS_5,
    STORED,
    TEXTS,
    KeyedPassage,
    StoredEntry,
    StoredFile,
    entries_but,
    fold_title,
)
from qa_search.index.stores.vectors import Ids
from qa_search.types import FIELDS, AnswerPart, Field, MissingPost, OtherPost, Passage, Post, SetAside, SourceCount
from qa_search.util.files import raise_if_withheld

_ENTRY = (
    "e.source, e.source_id, p.title, p.question, p.answer, e.date, e.url, e.tags, e.author, e.score, p.answers, "
    "e.prev_title, e.next_title"
)
_ENTRY_KINDS = "tttttTTtTItTT"
_ENTRIES_KINDS = "tbttTTtTITT"
# The columns of each table, their kinds, and what orders its rows.
_COLUMNS: dict[str, tuple[list[str], str, list[str]]] = {
    "post": (["id", "content", "title", "question", "answer", "answers"], "ibtttt", ["id"]),
    "entry": (
        ["id", "post_id", "post", "source", "source_id", "date", "url", "tags", "author", "score", "prev_title",
         "next_title"],
        "itittTTtTITT",
        ["id"],
    ),
    "passage": (["id", "post", "field", "start", '"end"', "key"], "iitiib", ["id"]),
    "unanswered": (["rowid", "source", "source_id", "title"], "ittt", ["rowid"]),
    "set_aside": (["rowid", "source", "place", "reason"], "ittt", ["rowid"]),
    "page_title": (["folded", "entry"], "ti", ["folded", "entry"]),
    "page_link": (["rowid", "folded", "title", "source_id"], "ittt", ["rowid"]),
    "archive_file": (list(StoredFile._fields), "ittttitiiiiii", ["id"]),
}  # fmt: skip


_CHUNK = 500
_BLOCK = 4096
# Of a file that is copied as it is, so large a part may be empty: one in so many pages.
_MOST_FREE = 4


class StoredPassage(NamedTuple):
    """A passage with its number, its post's number, its side, its `passage_key` and its text."""

    number: int
    post: int
    field: Field
    key: bytes
    text: str


class PostQueries(ABC):
    """Reads the posts of one generation, from whichever database holds these tables."""

    # What stands for a parameter in a statement.
    _mark = "?"
    # The aggregate that lists the ids of a group as JSON.
    _ids_as_json = "json_group_array(source_id)"

    @abstractmethod
    def _all(self, query: str, kinds: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query; ``kinds`` as in `ReadOnlyDatabase.all`.

        Raises:
            IndexDamagedError: if they cannot be read.
        """

    @abstractmethod
    def _damaged(self, what: object) -> IndexDamagedError:
        """Make the error that says where and what is damaged."""

    @abstractmethod
    def _condition(self, filters: Filters) -> tuple[str, list[Any]]:
        """Return the condition on ``entry e`` and its parameters."""

    @abstractmethod
    def allowed_posts(self, filters: Filters) -> Sized:
        """Return the selection of the posts that pass, as the other stores of the generation take it."""

    @abstractmethod
    def close(self) -> None:
        """Close what is open."""

    def counts(self) -> dict[str, int]:
        """Count what a manifest counts."""
        tables = ("post", "passage", "entry", "set_aside", "unanswered")
        posts, passages, entries, set_aside, unanswered = (
            int(self._all(f"SELECT count(*) FROM {table}", "i")[0][0])  # noqa: S608 - the names above
            for table in tables
        )
        return {
            "posts": posts,
            "duplicates": entries - posts,
            "passages": passages,
            "set_aside": set_aside,
            "unanswered": unanswered,
        }

    def passage_blocks(self, size: int) -> Iterator[list[StoredPassage]]:
        """Yield all passages in order of their numbers, some at a time."""
        last = -1
        query = f"{TEXTS} WHERE passage.id > {self._mark} ORDER BY passage.id LIMIT {self._mark}"
        while rows := self._all(query, "btiiiit", (last, size)):
            yield [
                StoredPassage(number, post, field, key, text[start:end])
                for key, text, start, end, number, post, field in rows
            ]
            last = rows[-1][4]

    def passages(self, numbers: Sequence[int]) -> dict[int, Passage]:
        """Return the passage of each number."""
        found: dict[int, Passage] = {}
        for chunk in _chunks(numbers):
            marks = self._marks(chunk)
            query = f'SELECT id, field, start, "end" FROM passage WHERE id IN ({marks})'  # noqa: S608
            for number, field, start, end in self._all(query, "itii", chunk):
                found[number] = self._passage(field, start, end)
        for number in numbers:
            if number not in found:
                raise self._damaged(f"passage {number} is missing")
        return found

    def text_of(self, post: Post, passage: Passage) -> str:
        """Return the text of a passage of a post."""
        text: str = getattr(post, passage.field)
        if passage.end > len(text):
            raise self._damaged(f"a passage of post {post.post_id} ends behind its text")
        return text[passage.start : passage.end]

    def source_ids(self, posts: Sequence[int]) -> dict[int, list[str]]:
        """Return the ids in the sources of each post number, in the order of the archive."""
        found: dict[int, list[str]] = {}
        for chunk in _chunks(posts):
            marks = self._marks(chunk)
            query = f"SELECT post, source_id FROM entry WHERE post IN ({marks}) ORDER BY id"  # noqa: S608
            for post, source_id in self._all(query, "it", chunk):
                found.setdefault(post, []).append(source_id)
        for post in posts:
            if post not in found:
                raise self._damaged(f"post {post} has no id")
        return found

    def numbers_of_keys(self, keys: Sequence[bytes]) -> dict[bytes, int]:
        """Return the number of a passage for each of these keys that is stored."""
        found: dict[bytes, int] = {}
        for start in range(0, len(keys), _CHUNK):
            chunk = keys[start : start + _CHUNK]
            marks = self._marks(chunk)
            found.update(self._all(f"SELECT key, id FROM passage WHERE key IN ({marks})", "bi", chunk))  # noqa: S608
        return found

    def entry(self, post: int, filters: Filters | None = None) -> Post:
        """Return a post by its number, under the first of its ids that passes the filters."""
        condition, values = self._condition(filters or Filters())
        rows = self._all(
            f"SELECT {_ENTRY} FROM entry e JOIN post p ON p.id = e.post "  # noqa: S608 - fixed text
            f"WHERE e.post = {self._mark} AND {condition} ORDER BY e.id LIMIT 1",
            _ENTRY_KINDS,
            [post, *values],
        )
        if not rows:
            raise self._damaged(f"post {post} is missing")
        return self._post(rows[0])

    def entries(self, posts: Sequence[int], filters: Filters | None = None) -> dict[int, Post]:
        """Return posts by their numbers, each as `entry` does, with one statement for many."""
        condition, values = self._condition(filters or Filters())
        found: dict[int, Post] = {}
        for chunk in _chunks(posts):
            marks = self._marks(chunk)
            rows = self._all(
                f"SELECT e.post, {_ENTRY} FROM entry e JOIN post p ON p.id = e.post "  # noqa: S608 - fixed text
                # A condition on both tables, for a planner that joins them on another server.
                f"WHERE e.post IN ({marks}) AND p.id IN ({marks}) AND {condition} ORDER BY e.id",
                f"i{_ENTRY_KINDS}",
                [*chunk, *chunk, *values],
            )
            for post, *row in rows:
                if post not in found:
                    found[post] = self._post(row)
        for post in posts:
            if post not in found:
                raise self._damaged(f"post {post} is missing")
        return found

    def passing(self, posts: Sequence[int], filters: Filters) -> list[int]:
        """Return those of some posts that pass the filters, in ascending order of their numbers."""
        condition, values = self._condition(filters)
        found: list[int] = []
        for chunk in _chunks(posts):
            marks = self._marks(chunk)
            query = f"SELECT DISTINCT e.post FROM entry e WHERE e.post IN ({marks}) AND {condition}"  # noqa: S608
            found += [row[0] for row in self._all(query, "i", [*chunk, *values])]
        return sorted(found)

    def dates(self, posts: Sequence[int]) -> dict[int, str]:
        """Return the latest date of each of some posts; a post without a date is not among them."""
        found: dict[int, str] = {}
        for chunk in _chunks(posts):
            marks = self._marks(chunk)
            query = f"SELECT post, max(date) FROM entry WHERE post IN ({marks}) GROUP BY post"  # noqa: S608
            found.update((post, date) for post, date in self._all(query, "iT", chunk) if date)
        return found

    def latest_date(self, until: str) -> str | None:
        """Return the latest date of all posts that is not after ``until``, None if there is none."""
        ((date,),) = self._all(f"SELECT max(date) FROM entry WHERE date <= {self._mark}", "T", [until])  # noqa: S608
        return None if date is None else str(date)

    def find(self, post_id: str) -> Post | None:
        """Return a post by any of its ids, None for an unknown id."""
        rows = self._all(
            f"SELECT {_ENTRY} FROM entry e JOIN post p ON p.id = e.post WHERE e.post_id = {self._mark}",  # noqa: S608
            _ENTRY_KINDS,
            [post_id],
        )
        return self._post(rows[0]) if rows else None

    def number_of(self, post_id: str) -> int | None:
        """Return the number of the post that has this id, None for an unknown id."""
        rows = self._all(f"SELECT post FROM entry WHERE post_id = {self._mark}", "i", [post_id])  # noqa: S608
        return int(rows[0][0]) if rows else None

    def ids_of(self, post_id: str) -> list[str]:
        """Return all ids of the post that has this one, in the order of the archive."""
        query = (
            "SELECT post_id FROM entry "  # noqa: S608 - fixed text
            f"WHERE post = (SELECT post FROM entry WHERE post_id = {self._mark}) ORDER BY id"
        )
        return [row[0] for row in self._all(query, "t", [post_id])]

    def source_ids_of(self, post_id: str) -> list[str]:
        """Return all ids in its sources of the post that has this id, in the order of the archive."""
        query = (
            "SELECT source_id FROM entry "  # noqa: S608 - fixed text
            f"WHERE post = (SELECT post FROM entry WHERE post_id = {self._mark}) ORDER BY id"
        )
        return [row[0] for row in self._all(query, "t", [post_id])]

    def neighbours(self, post: Post) -> tuple[OtherPost | None, OtherPost | None]:
        """Return the posts that a page's Prev and Next lines link to, None where the line or the post is missing."""
        return self._linked(post, post.prev_title, "next_title"), self._linked(post, post.next_title, "prev_title")

    def _linked(self, post: Post, title: str | None, back: str) -> OtherPost | None:
        """Return the page of this title in the post's source, preferably one that links back."""
        if not title:
            return None
        rows = self._titled(fold_title(title), post.source, back)
        own = fold_title(post.title)
        rows.sort(key=lambda row: fold_title(row[4] or "") != own)
        return OtherPost(*rows[0][:4]) if rows else None

    def newest(self, filters: Filters, most: int, skip: int = 0, *, oldest_first: bool = False) -> list[Post]:
        """Return the posts that pass, by date and those without a date last, each under each of its ids."""
        condition, values = self._condition(filters)
        order = "ASC" if oldest_first else "DESC"
        rows = self._all(
            f"SELECT {_ENTRY} FROM entry e JOIN post p ON p.id = e.post WHERE {condition} "  # noqa: S608 - fixed text
            f"ORDER BY e.date {order} NULLS LAST, e.id LIMIT {self._mark} OFFSET {self._mark}",
            _ENTRY_KINDS,
            [*values, most, skip],
        )
        return [self._post(row) for row in rows]

    def entry_blocks(self, filters: Filters, size: int) -> Iterator[list[Post]]:
        """Yield the posts that pass in the order of the archive, each under each of its ids, some at a time."""
        condition, values = self._condition(filters)
        last = -1
        query = (
            f"SELECT e.id, {_ENTRY} FROM entry e JOIN post p ON p.id = e.post WHERE {condition} "  # noqa: S608
            f"AND e.id > {self._mark} ORDER BY e.id LIMIT {self._mark}"
        )
        while rows := self._all(query, f"i{_ENTRY_KINDS}", [*values, last, size]):
            yield [self._post(row) for _, *row in rows]
            last = rows[-1][0]

    def years(self) -> dict[str, int]:
        """Count the posts of each year, the earliest first; those without a date are not counted."""
        query = (
            "SELECT substr(date, 1, 4) AS year, count(*) FROM entry WHERE date IS NOT NULL "
            "GROUP BY substr(date, 1, 4) ORDER BY year"
        )
        return dict(self._all(query, "ti"))

    @abstractmethod
    def tags(self, most: int) -> dict[str, int]:
        """Count the posts of each tag, as `fold_tag` writes it; the most frequent tags first."""

    @abstractmethod
    def _titled(self, title: str, source: str, back: str) -> list[tuple[Any, ...]]:
        """Return the fields of an `OtherPost` for each page of a folded title, and the title that it links back to."""

    def source_counts(self) -> list[SourceCount]:
        """Count the posts, set-aside records and unanswered questions of each source."""
        rows = self._all(
            """
            SELECT source, sum(posts), sum(aside), sum(waiting) FROM (
                SELECT source, 1 AS posts, 0 AS aside, 0 AS waiting FROM entry
                UNION ALL SELECT source, 0, 1, 0 FROM set_aside
                UNION ALL SELECT source, 0, 0, 1 FROM unanswered
            ) AS given GROUP BY source ORDER BY source
            """,
            "tiii",
        )
        return [SourceCount(*row) for row in rows]

    def unanswered(self) -> list[tuple[str, str, str]]:
        """Return source, id and title of each question without an answer that the build left out."""
        return [
            (source, name, title)
            for source, name, title in self._all(
                "SELECT source, source_id, title FROM unanswered ORDER BY source, source_id", "ttt"
            )
        ]

    def set_aside(self) -> list[SetAside]:
        """Return the notes on posts and files that could not be read."""
        query = "SELECT source, place, reason FROM set_aside ORDER BY rowid"
        return [SetAside(*row) for row in self._all(query, "ttt")]

    def missing_posts(self) -> list[MissingPost]:
        """Return the titles that Prev and Next links mention and no page has."""
        rows = self._all(
            f"SELECT min(title), {self._ids_as_json} FROM page_link "  # noqa: S608 - fixed text
            "WHERE NOT folded IN (SELECT folded FROM page_title) GROUP BY folded ORDER BY min(rowid)",
            "tt",
        )
        return [MissingPost(title, tuple(sorted({str(found) for found in json.loads(ids)}))) for title, ids in rows]

    def _marks(self, values: Sequence[object]) -> str:
        """Return the marks of a list of parameters."""
        return ",".join([self._mark] * len(values))

    def _passage(self, field: str, start: int, end: int) -> Passage:
        if field not in FIELDS or not 0 <= start <= end:
            raise self._damaged(f"invalid passage of {field!r} from {start} to {end}")
        return Passage(field, start, end)

    def _post(self, row: Sequence[Any]) -> Post:
        (
            source, source_id, title, question, answer, date, url, tags, author, score, answers, prev_title, next_title,
        ) = row  # fmt: skip
        try:
            return Post(
                source, source_id, title, question, answer, date, url, tuple(map(str, json.loads(tags))), author, score,
                tuple(map(_answer_part, json.loads(answers))), prev_title, next_title,
            )  # fmt: skip
        except (ValueError, TypeError, RecursionError) as error:
            raise self._damaged(f"a post cannot be read ({error})") from error


class PostStore(PostQueries):
    """Reads one generation's posts. Opening parses nothing; safe to use from several threads."""

    def __init__(self, folder: Path, damaged: DamageReport = name_damage) -> None:
        """Open the file without ever writing to it.

        Raises:
            IndexDamagedError: if it is missing or not a database.
            IndexUnreadableError: if it cannot be read now.
        """
        self._path = folder / DATABASE_NAME
        self._report = damaged
        try:
            self._db = ReadOnlyDatabase(self._path, STATEMENTS, STATEMENTS_5)
        except (OSError, ValueError) as error:
            raise_if_withheld(error, self._path)
            raise self._damaged(error) from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def allowed_posts(self, filters: Filters) -> Ids:
        """Return the numbers of the posts that pass, in ascending order."""
        condition, values = self._condition(filters)
        passing = f"SELECT DISTINCT e.post AS post FROM entry e WHERE {condition} ORDER BY e.post"  # noqa: S608 - fixed text
        # One text: half the time of so many rows.
        (row,) = self._all(f"SELECT json_group_array(post) FROM ({passing})", "t", values)  # noqa: S608
        found = np.array(json.loads(row[0]) or np.empty(0, np.int64))
        if found.dtype != np.int64:
            raise self._damaged("a page belongs to no post")
        return found

    def flaws(self) -> list[str]:
        """Return what SQLite finds wrong when it reads the whole file."""
        return [text for (text,) in self._all("PRAGMA integrity_check(10)", "t") if text != "ok"]

    def number_of_content(self, content: bytes) -> int | None:
        """Return the number of the post of this `content_hash`, None if it is not stored."""
        rows = self._all("SELECT id FROM post WHERE content = ?", "i", (content,))
        return int(rows[0][0]) if rows else None

    def passages_from(self, first: int, count: int) -> dict[bytes, tuple[int, list[KeyedPassage]]]:
        """Return ``count`` posts from a number on: `content_hash` -> the number of the post, and its passages."""
        rows = self._all(
            'SELECT p.id, p.content, s.field, s.start, s."end", s.key FROM passage s JOIN post p ON p.id = s.post '
            "WHERE s.post >= ? AND s.post < ? ORDER BY s.id",
            "ibtiib",
            (first, first + count),
        )
        found: dict[bytes, tuple[int, list[KeyedPassage]]] = {}
        for number, content, field, start, end, key in rows:
            found.setdefault(content, (number, []))[1].append((self._passage(field, start, end), key))
        return found

    def keys_from(self, first: int, count: int) -> dict[bytes, int]:
        """Return ``count`` passages from a number on: key -> number."""
        query = "SELECT key, id FROM passage WHERE id >= ? AND id < ?"
        return dict(self._all(query, "bi", (first, first + count)))

    def stored_entries(self, but: Sequence[range] = ()) -> Iterator[StoredEntry]:
        """Yield the entries in the order of their ids, without those of some numbers.

        Raises:
            IndexDamagedError: if they cannot be read.
        """
        last = ""
        query = entries_but(but)
        while rows := self._all(query, _ENTRIES_KINDS, (last, _BLOCK)):
            for row in rows:
                yield StoredEntry(*row)
            last = rows[-1][0]

    def has_contents(self, contents: Sequence[bytes]) -> set[bytes]:
        """Return which of these texts are stored."""
        return {content for content in contents if self._all(STORED, "i", (content,))}

    def files_from(self, first: int, count: int) -> list[StoredFile]:
        """Return ``count`` of the files that the posts were read from, from a number on, in their order."""
        return self._files("WHERE id >= ? AND id < ? ORDER BY id", (first, first + count))

    def files_called(self, source: str) -> list[StoredFile]:
        """Return the files of one name."""
        return self._files("WHERE source = ? ORDER BY id", (source,))

    def shared_files(self) -> list[StoredFile]:
        """Return all files of each folder in which one file had a part in the posts of another."""
        return self._files("WHERE place IN (SELECT place FROM archive_file WHERE NOT alone) ORDER BY id", ())

    def _files(self, condition: str, values: Sequence[Any]) -> list[StoredFile]:
        if self._db.layout:  # of format 5
            return []
        columns, kinds, _ = _COLUMNS["archive_file"]
        rows = self._all(f"SELECT {', '.join(columns)} FROM archive_file {condition}", kinds, values)  # noqa: S608
        files = [StoredFile(*row) for row in rows]
        if not all(0 <= value < MOST_ROWS for file in files for value in file if isinstance(value, int)):
            raise self._damaged("a file that posts were read from has invalid rows")
        return files

    def copy_to(self, path: Path) -> bool:
        """Copy the file, to be written on; return False where its rows are better copied into a new one.

        Raises:
            IndexDamagedError: if it is damaged.
        """
        ((pages,),), ((free,),) = (self._all(f"PRAGMA {name}", "i") for name in ("page_count", "freelist_count"))
        if self._db.layout or free * _MOST_FREE > pages:
            return False
        try:
            self._db.copy_to(path)
        except ValueError as error:
            raise self._damaged(error) from error
        return True

    def attach_to(self, writer: apsw.Connection) -> None:
        """Let a writer see this file as ``old``."""
        self._db.attach_to(writer)

    @contextmanager
    def copied_by(self, writer: apsw.Connection) -> Iterator[None]:
        """Check what a writer reads of this file, which it sees as ``old``.

        Raises:
            IndexDamagedError: if the file is damaged.
        """
        try:
            with self._db.copied_by(writer):
                yield
        except ValueError as error:
            raise self._damaged(error) from error

    def table(self, name: str, size: int = 4096) -> Iterator[list[tuple[Any, ...]]]:
        """Yield all rows of a table as they are stored, its row numbers first, some at a time, in their order."""
        columns, kinds, key = _COLUMNS[name]
        last: tuple[Any, ...] = ()
        while True:
            condition = f"WHERE ({', '.join(key)}) > ({', '.join('?' * len(key))})" if last else ""
            query = f"SELECT {', '.join(columns)} FROM {name} {condition} ORDER BY {', '.join(key)} LIMIT ?"  # noqa: S608
            rows = self._all(query, kinds, [*last, size])
            if not rows:
                return
            yield rows
            last = tuple(rows[-1][columns.index(column)] for column in key)

    def tags(self, most: int) -> dict[str, int]:
        """Count the posts of each tag, as `fold_tag` writes it; the most frequent tags first."""
        query = "SELECT tag, count(*) AS posts FROM tag GROUP BY tag ORDER BY posts DESC, tag LIMIT ?"
        return dict(self._all(query, "ti", [most]))

    def _condition(self, filters: Filters) -> tuple[str, list[Any]]:
        return _condition(filters)

    def _titled(self, title: str, source: str, back: str) -> list[tuple[Any, ...]]:
        return self._all(
            f"SELECT e.post_id, e.source_id, p.title, e.date, e.{back} FROM page_title t "  # noqa: S608 - one of two
            "JOIN entry e ON e.id = t.entry JOIN post p ON p.id = e.post WHERE t.folded = ? AND e.source = ? "
            "ORDER BY e.id LIMIT 100",
            "tttTT",
            (title, source),
        )

    def _all(self, query: str, kinds: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._db.all(query, kinds, values)
        except ValueError as error:
            raise self._damaged(error) from error

    def _damaged(self, what: object) -> IndexDamagedError:
        return self._report(self._path, what)


def _condition(filters: Filters) -> tuple[str, list[str | int]]:
    """Return the condition on ``entry e`` in SQLite's words, and its parameters."""
    conditions: list[str] = ["1"]
    values: list[str | int] = []
    if filters.other_than is not None:
        conditions.append("e.post <> ?")
        values.append(filters.other_than)
    if filters.only is not None:
        conditions.append("e.post = ?")
        values.append(filters.only)
    if filters.hidden:
        conditions.append(f"NOT e.post IN ({', '.join(map(str, filters.hidden))})")
    if filters.since is not None:
        conditions.append("e.date >= ?")
        values.append(filters.since)
    if filters.until is not None:
        conditions.append("e.date < ?")
        values.append(filters.until)
    if filters.source is not None:
        conditions.append("(e.source GLOB ? OR e.source || '/' || e.source_id GLOB ?)")
        values += [filters.source, filters.source]
    for tag in filters.tags:
        conditions.append("e.id IN (SELECT t.entry FROM tag t WHERE t.tag = ?)")
        values.append(fold_tag(tag))
    return " AND ".join(conditions), values


def _answer_part(values: dict[str, Any]) -> AnswerPart:
    """Read the stored record of one of several answers.

    Raises:
        TypeError: if it is invalid.
    """
    part = AnswerPart(**values)
    optional = (part.id, part.author, part.date)
    if not (
        type(part.start) is type(part.end) is int
        and type(part.score) in (int, NoneType)
        and isinstance(part.accepted, bool)
        and all(text is None or isinstance(text, str) for text in optional)
    ):
        raise TypeError("invalid record of an answer")
    return part


def _chunks(values: Sequence[int], size: int = _CHUNK) -> Iterator[list[int]]:
    for start in range(0, len(values), size):
        yield [int(value) for value in values[start : start + size]]
