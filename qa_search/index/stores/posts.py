"""Posts, their ids and their passages in one SQLite file per generation.

A text that occurs several times is one row of ``post``; each id under which it occurs is a row of ``entry``.
Passages are numbered from 0 in the order of the vectors.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple

import numpy as np

from qa_search.errors import IndexDamagedError
from qa_search.index.filters import Filters, fold_tag
from qa_search.index.integrity import BLOCKS_SUFFIX, write_block_sums
from qa_search.index.stores.damage import DamageReport, name_damage
from qa_search.index.stores.database import ReadOnlyDatabase, create_database
from qa_search.index.stores.owners import write_owners
from qa_search.index.stores.vectors import Ids
from qa_search.types import FIELDS, AnswerPart, Field, MissingPost, OtherPost, Passage, Post, SetAside, SourceCount
from qa_search.util.files import raise_if_withheld

DATABASE_NAME = "posts.sqlite"
BLOCKS_NAME = DATABASE_NAME + BLOCKS_SUFFIX

_TABLES = """
CREATE TABLE post (
    id INTEGER PRIMARY KEY, content BLOB NOT NULL UNIQUE,
    title TEXT NOT NULL, question TEXT NOT NULL, answer TEXT NOT NULL, answers TEXT NOT NULL
);
CREATE TABLE entry (
    id INTEGER PRIMARY KEY, post_id TEXT NOT NULL UNIQUE, post INTEGER NOT NULL REFERENCES post,
    source TEXT NOT NULL, source_id TEXT NOT NULL, date TEXT, url TEXT, tags TEXT NOT NULL,
    author TEXT, score INTEGER, prev_title TEXT, next_title TEXT
);
CREATE TABLE tag (tag TEXT NOT NULL, entry INTEGER NOT NULL REFERENCES entry, PRIMARY KEY (tag, entry)) WITHOUT ROWID;
CREATE TABLE passage (
    id INTEGER PRIMARY KEY, post INTEGER NOT NULL REFERENCES post,
    field TEXT NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, key BLOB NOT NULL
);
CREATE TABLE unanswered (source TEXT NOT NULL, source_id TEXT NOT NULL, title TEXT NOT NULL);
CREATE TABLE set_aside (source TEXT NOT NULL, place TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE page_title (folded TEXT NOT NULL, entry INTEGER NOT NULL, PRIMARY KEY (folded, entry)) WITHOUT ROWID;
CREATE TABLE page_link (folded TEXT NOT NULL, title TEXT NOT NULL, source_id TEXT NOT NULL);
"""
_INDICES = """
CREATE INDEX entry_of_post ON entry (post);
CREATE INDEX entry_source ON entry (source);
CREATE INDEX entry_date ON entry (date);
CREATE INDEX passage_of_post ON passage (post);
CREATE INDEX passage_key ON passage (key);
"""
_NO_ENTRY = -1
# The end of an id that distinguishes posts of one id. A post whose own id ends like this gets such an end as well.
_TOLD_APART = re.compile(r"~[a-z2-7]{16}(\.\d+)?\Z")
_TAKEN = "SELECT 1 FROM entry WHERE post_id = ?"
_ENTRY_CALLED = "SELECT id FROM entry WHERE post_id = ?"
_CONTENT = "SELECT p.content FROM entry e JOIN post p ON p.id = e.post WHERE e.id = ?"
_STORED = "SELECT 1 FROM post WHERE content = ?"
_RENAME = "UPDATE entry SET post_id = ?, source_id = ? WHERE id = ?"
_STATEMENTS = [statement for statement in (_TABLES + _INDICES).split(";") if statement.strip()]
_TEXTS = (
    "SELECT key, CASE WHEN field = 'title' THEN title WHEN field = 'question' THEN question ELSE answer END, start, "
    '"end", passage.id, passage.post, field FROM passage JOIN post ON post.id = passage.post'
)
_ENTRY = (
    "e.source, e.source_id, p.title, p.question, p.answer, e.date, e.url, e.tags, e.author, e.score, p.answers, "
    "e.prev_title, e.next_title"
)
_ENTRY_KINDS = "tttttTTtTItTT"
_ENTRIES = (
    "SELECT e.post_id, p.content, e.source, e.source_id, e.date, e.url, e.tags, e.author, e.score, e.prev_title, "
    "e.next_title FROM entry e JOIN post p ON p.id = e.post WHERE e.post_id > ? ORDER BY e.post_id LIMIT ?"
)
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
}  # fmt: skip


KeyedPassage = tuple[Passage, bytes]
_CHUNK = 500
_BLOCK = 4096


class StoredPassage(NamedTuple):
    """A passage with its number, its post's number, its side, its `passage_key` and its text."""

    number: int
    post: int
    field: Field
    key: bytes
    text: str


class StoredEntry(NamedTuple):
    """A post under one of its ids: all that a search shows of it, its texts as their `content_hash`."""

    post_id: str
    content: bytes
    source: str
    source_id: str
    date: str | None
    url: str | None
    tags: str
    author: str | None
    score: int | None
    prev_title: str | None
    next_title: str | None


def fold_title(title: str) -> str:
    """Fold a title for comparing it with the title in a link."""
    return " ".join(title.casefold().split())


class PostWriter:
    """Writes a new generation's posts. They are on disk after `close`; nobody reads them earlier."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / DATABASE_NAME
        # Used from one thread at a time; statements are in one transaction until `close`.
        self._db = create_database(self.path)
        self._db.execute("BEGIN")
        self._db.execute(_TABLES)
        self.posts = self.entries = self.passages = self.unanswered = self.set_aside_count = 0
        self._texts = hashlib.blake2b(digest_size=16)
        self._linked_sources: set[str] = set()
        self._repeated: dict[tuple[str, str], list[int]] = {}  # what source and id name -> the entries but the first

    def add(self, post: Post, content: bytes) -> int | None:
        """Store a post of this `content_hash` under its id; return its number, or None if the text was there already.

        Posts whose id is repeated get ids of their own in `close`, when all of them are known.
        """
        post_id = post.post_id
        taken = self._db.execute(_TAKEN, (post_id,)).fetchone()
        if taken or _TOLD_APART.search(post.source_id):
            self._repeated.setdefault((post.source, post.source_id), []).append(self.entries)
            post_id = f"~{self.entries}"
        self._add_links(post)
        row = self._db.execute("SELECT id FROM post WHERE content = ?", (content,)).fetchone()
        number = self.posts if row is None else int(row[0])
        if row is None:
            answers = _to_json([part.to_dict() for part in post.answers])
            self._db.execute(
                "INSERT INTO post VALUES (?, ?, ?, ?, ?, ?)",
                (number, content, post.title, post.question, post.answer, answers),
            )
            self.posts += 1
            self._texts.update(content)
        self._db.execute(
            "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self.entries, post_id, number, post.source, post.source_id, post.date, post.url,
                _to_json(post.tags), post.author, post.score, post.prev_title, post.next_title,
            ),
        )  # fmt: skip
        tags = {(fold_tag(tag), self.entries) for tag in post.tags}
        self._db.executemany("INSERT INTO tag VALUES (?, ?)", tags)
        self.entries += 1
        return number if row is None else None

    def add_passages(self, post: int, passages: Iterable[KeyedPassage]) -> None:
        """Store the passages of a post, numbered on from the last."""
        for passage, key in passages:
            values = (self.passages, post, passage.field, passage.start, passage.end, key)
            self._db.execute("INSERT INTO passage VALUES (?, ?, ?, ?, ?, ?)", values)
            self.passages += 1

    def add_unanswered(self, post: Post) -> None:
        """Note a question that nobody has answered yet."""
        self._add_links(post)
        self._db.execute("INSERT INTO unanswered VALUES (?, ?, ?)", (post.source, post.source_id, post.title))
        self.unanswered += 1

    def add_set_aside(self, note: SetAside) -> None:
        """Note a post or a file that could not be read."""
        self._db.execute("INSERT INTO set_aside VALUES (?, ?, ?)", (note.source, note.place, note.reason))
        self.set_aside_count += 1

    def first_set_aside(self) -> SetAside | None:
        """Return the first note on a post or a file that could not be read."""
        row = self._db.execute("SELECT source, place, reason FROM set_aside ORDER BY rowid LIMIT 1").fetchone()
        return None if row is None else SetAside(*row)

    @property
    def texts_id(self) -> str:
        """A hash of all texts in their order: the same for two archives only if they are word for word the same."""
        return self._texts.hexdigest()

    def texts(self) -> Iterator[tuple[int, str]]:
        """Yield each post's number and its whole text."""
        rows = self._db.execute("SELECT id, title || char(10) || question || char(10) || answer FROM post ORDER BY id")
        yield from rows

    def sample_texts(self, count: int) -> list[str]:
        """Return the texts of some passages from all over the archive."""
        step = max(self.passages // count, 1)
        rows = self._db.execute(f"{_TEXTS} WHERE passage.id % ? = 0 ORDER BY passage.id LIMIT ?", (step, count))
        return [text[start:end] for _, text, start, end, *_ in rows]

    def passage_texts(self, size: int) -> Iterator[list[tuple[bytes, str]]]:
        """Yield the keys and texts of all passages in order, some at a time."""
        cursor = self._db.execute(f"{_TEXTS} ORDER BY passage.id")
        while rows := list(islice(cursor, size)):
            yield [(key, text[start:end]) for key, text, start, end, *_ in rows]

    def close(self) -> None:
        """Finish the files."""
        rows = self._db.execute("SELECT post, field FROM passage ORDER BY id")
        write_owners(self.path.parent, rows, self.passages)
        self.name_repeated()
        self._db.execute("COMMIT")
        self._db.execute(_INDICES)
        self._db.execute("BEGIN")
        self._add_titles()
        self._db.execute("COMMIT")
        self._db.close()
        write_block_sums(self.path)

    def abandon(self) -> None:
        """Close the file unfinished; it will be deleted."""
        self._db.close()

    def stored_entries(self) -> Iterator[StoredEntry]:
        """Yield all entries in the order of their ids; call `name_repeated` first."""
        for row in self._db.execute(_ENTRIES, ("", -1)):
            yield StoredEntry(*row)

    def has_contents(self, contents: Sequence[bytes]) -> set[bytes]:
        """Return which of these texts are stored."""
        return {content for content in contents if self._db.execute(_STORED, (content,)).fetchone()}

    def name_repeated(self) -> None:
        """Give posts of the same source and id ids of their own, made from their content: places in a file change.

        Such an id always names the same text. The first of several copies of one text has the id without a number. If
        all are copies, it keeps the source's own id.
        """
        for (source, source_id), entries in self._repeated.items():
            plain = Post(source, source_id)
            # An id that looks like one made here may belong to another post by now.
            first = [] if _TOLD_APART.search(source_id) else self._integers(_ENTRY_CALLED, plain.post_id)
            seen: Counter[bytes] = Counter()
            for entry in (*first, *entries):
                content: Any = self._db.execute(_CONTENT, (entry,)).get
                seen[content] += 1
                self._rename(entry, Post(source, f"{source_id}~{told_apart(content, seen[content])}"))
            if first and len(seen) == 1:
                self._rename(first[0], plain)
        self._repeated = {}

    def _integers(self, query: str, value: str) -> list[int]:
        return [int(number) for (number,) in self._db.execute(query, (value,))]

    def _rename(self, entry: int, named: Post) -> None:
        self._db.execute(_RENAME, (named.post_id, named.source_id, entry))

    def _add_links(self, post: Post) -> None:
        """Note the titles that a page links to."""
        for title in (post.prev_title, post.next_title):
            if title:
                self._db.execute("INSERT INTO page_link VALUES (?, ?, ?)", (fold_title(title), title, post.source_id))
                self._linked_sources.add(post.source)

    def _add_titles(self) -> None:
        """Note the titles of all posts that a link may refer to: those of the sources that have links."""
        for source in sorted(self._linked_sources):
            rows = self._db.execute(
                "SELECT p.title, e.id FROM entry e JOIN post p ON p.id = e.post WHERE e.source = ? "
                "UNION ALL SELECT title, ? FROM unanswered WHERE source = ?",
                (source, _NO_ENTRY, source),
            )
            folded = ((fold_title(title), entry) for title, entry in rows)
            self._db.executemany("INSERT OR IGNORE INTO page_title VALUES (?, ?)", folded)


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
        query = f"{_TEXTS} WHERE passage.id > {self._mark} ORDER BY passage.id LIMIT {self._mark}"
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

    def passages_of_content(self, content: bytes) -> list[KeyedPassage]:
        """Return the passages of the post of this content, empty if the post does not exist."""
        rows = self._all(
            'SELECT field, start, "end", key FROM passage '  # noqa: S608 - fixed text
            f"WHERE post = (SELECT id FROM post WHERE content = {self._mark}) ORDER BY id",
            "tiib",
            [content],
        )
        return [(self._passage(field, start, end), key) for field, start, end, key in rows]

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
            self._db = ReadOnlyDatabase(self._path, _STATEMENTS)
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

    def stored_entries(self) -> Iterator[StoredEntry]:
        """Yield all entries in the order of their ids.

        Raises:
            IndexDamagedError: if they cannot be read.
        """
        last = ""
        while rows := self._all(_ENTRIES, _ENTRIES_KINDS, (last, _BLOCK)):
            for row in rows:
                yield StoredEntry(*row)
            last = rows[-1][0]

    def has_contents(self, contents: Sequence[bytes]) -> set[bytes]:
        """Return which of these texts are stored."""
        return {content for content in contents if self._all(_STORED, "i", (content,))}

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


def _to_json(values: Sequence[object]) -> str:
    return json.dumps(values, ensure_ascii=False) if values else "[]"


def passage_key(text: str) -> bytes:
    """Hash a passage's text. Its vector depends on this, the model and its settings alone."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def content_hash(post: Post) -> bytes:
    """Hash the content of a post: title, question and answer, and who wrote which part of it."""
    digest = hashlib.blake2b(digest_size=16)
    for text in (post.title, post.question, post.answer, _to_json([part.to_dict() for part in post.answers])):
        digest.update(text.encode() + b"\0")
    return digest.digest()


def told_apart(content: bytes, copy: int = 1) -> str:
    """Return the suffix that distinguishes a post of this `content_hash` from others of its id.

    ``copy`` counts posts of one content.
    """
    name = base64.b32encode(content[:10]).decode("ascii").lower()
    return name if copy == 1 else f"{name}.{copy}"


def distinct_id(post: Post, content: bytes) -> str:
    """Return the id of a post of this `content_hash` if others have the same source and id."""
    return Post(post.source, f"{post.source_id}~{told_apart(content)}").post_id


def _chunks(values: Sequence[int], size: int = _CHUNK) -> Iterator[list[int]]:
    for start in range(0, len(values), size):
        yield [int(value) for value in values[start : start + size]]
