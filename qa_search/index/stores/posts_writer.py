"""Posts and their passages -> the SQLite file of a new generation, with an id for each post."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import apsw
import numpy as np

from qa_search.index.filters import fold_tag
from qa_search.index.integrity import write_block_sums
from qa_search.index.stores.database import create_database
from qa_search.index.stores.owners import write_owners
from qa_search.index.stores.post_rows import (
    DATABASE_NAME,
    FILE_INDEX,
    FILE_TABLE,
    INDICES,
    MOST_ROWS,
    NO_ENTRY,
    STORED,
    TABLES,
    TEXTS,
    KeyedPassage,
    StoredEntry,
    StoredFile,
    entries_but,
    fold_title,
    to_json,
    told_apart,
)
from qa_search.index.stores.posts import PostStore
from qa_search.index.stores.vectors import Ids
from qa_search.types import Post, SetAside

# The end of an id that distinguishes posts of one id. A post whose own id ends like this gets such an end as well.
_TOLD_APART = re.compile(r"~[a-z2-7]{16}(\.\d+)?\Z")
_COPIED_AT_ONCE = 4096
# Whether an id is taken, and the number of a text.
_KNOWN = "SELECT (SELECT 1 FROM entry WHERE post_id = ?), (SELECT id FROM post WHERE content = ?)"
_ENTRY_CALLED = "SELECT id FROM entry WHERE post_id = ?"
_CONTENT = "SELECT p.content FROM entry e JOIN post p ON p.id = e.post WHERE e.id = ?"
# Where the posts that are copied get other numbers: the number that one had, and the one that it has.
_MOVED = "CREATE TEMP TABLE moved (old INTEGER PRIMARY KEY, new INTEGER NOT NULL)"
# The runs of copied entries: the numbers that they had, and what to add to them.
_RUNS = "CREATE TEMP TABLE run (first INTEGER PRIMARY KEY, stop INTEGER NOT NULL, shift INTEGER NOT NULL)"
_ENDS = (
    "SELECT (SELECT count(*) FROM old.entry), (SELECT count(*) FROM old.unanswered), "
    "(SELECT count(*) FROM old.page_link)"
)
# So many rows, or rows of so many characters, are written at once.
_MOST_WAITING, _MOST_WAITING_CHARACTERS = 4096, 1 << 20
_INSERTS = {
    table: f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})"  # noqa: S608 - fixed names
    for table, columns in {
        "post": 6, "entry": 12, "tag": 2, "passage": 6, "unanswered": 3, "set_aside": 3, "page_link": 3,
        "archive_file": 13,
    }.items()
}  # fmt: skip
_RENAME = "UPDATE entry SET post_id = ?, source_id = ? WHERE id = ?"


class PostWriter:
    """Writes a new generation's posts. They are on disk after `close`; nobody reads them earlier."""

    def __init__(
        self, folder: Path, previous: PostStore | None = None, tick: Callable[[int], None] = lambda _: None
    ) -> None:
        """Begin the file in a folder.

        Args:
            folder: the generation's.
            previous: the posts of which `copy` copies.
            tick: called with `noted` now and then while posts are copied.
        """
        self.path = folder / DATABASE_NAME
        self._previous = previous
        self._tick = tick
        self._most_copied = (0, 0, 0)
        # Used from one thread at a time; statements are in one transaction until `close`.
        self._db = create_database(self.path)
        self._db.execute("BEGIN")
        self._db.execute(TABLES + FILE_TABLE)
        if previous is not None:
            previous.attach_to(self._db)
            self._db.execute(_MOVED)
            self._db.execute(_RUNS)
            with previous.copied_by(self._db):
                ends: Any = self._db.execute(_ENDS).fetchone()
                self._most_copied = tuple(ends)
        self.posts = self.entries = self.passages = self.unanswered = self.set_aside_count = 0
        self.files = self._links = 0
        # What was copied: the numbers that entries had and have, and the passages that the copied ones had.
        self.copied_entries: list[tuple[range, range]] = []
        self._copied_passages: list[tuple[int, Ids]] = []
        self._ended = (0, 0, 0)  # entries, unanswered and links, where the last file ended
        self._texts = hashlib.blake2b(digest_size=16)
        self._linked_sources: set[str] = set()
        self._repeated: dict[tuple[str, str], list[int]] = {}  # what source and id name -> the entries but the first
        # The rows of each table that are not written yet, and the ids and texts among them.
        self._waiting: dict[str, list[tuple[Any, ...]]] = {table: [] for table in _INSERTS}
        self._rows = self._characters = 0
        self._waiting_ids: set[str] = set()
        self._waiting_contents: dict[bytes, int] = {}

    def add(self, post: Post, content: bytes) -> int | None:
        """Store a post of this `content_hash` under its id; return its number, or None if the text was there already.

        Posts whose id is repeated get ids of their own in `close`, when all of them are known.
        """
        post_id = post.post_id
        taken, known = self._known(post_id, content)
        if taken or _TOLD_APART.search(post.source_id):
            self._repeated.setdefault((post.source, post.source_id), []).append(self.entries)
            post_id = f"~{self.entries}"
        self._add_links(post)
        number = self.posts if known is None else known
        if known is None:
            answers = to_json([part.to_dict() for part in post.answers])
            self._put("post", (number, content, post.title, post.question, post.answer, answers))
            self._characters += len(post.title) + len(post.question) + len(post.answer) + len(answers)
            self._waiting_contents[content] = number
            self.posts += 1
            self._texts.update(content)
        self._waiting_ids.add(post_id)
        self._put(
            "entry",
            (
                self.entries, post_id, number, post.source, post.source_id, post.date, post.url,
                to_json(post.tags), post.author, post.score, post.prev_title, post.next_title,
            ),
        )  # fmt: skip
        for tag in {fold_tag(tag) for tag in post.tags}:
            self._put("tag", (tag, self.entries))
        self.entries += 1
        if self._rows >= _MOST_WAITING or self._characters >= _MOST_WAITING_CHARACTERS:
            self._write_waiting()
        return number if known is None else None

    def _known(self, post_id: str, content: bytes) -> tuple[bool, int | None]:
        """Return whether an id is taken, and the number of a text if it is there."""
        taken, number = post_id in self._waiting_ids, self._waiting_contents.get(content)
        if not taken or number is None:
            row: Any = self._db.execute(_KNOWN, (post_id, content)).fetchone()
            taken, number = taken or row[0] is not None, row[1] if number is None else number
        return taken, number

    def _put(self, table: str, row: tuple[Any, ...]) -> None:
        """Have a row written with others."""
        self._waiting[table].append(row)
        self._rows += 1

    def _write_waiting(self) -> None:
        """Write the rows that wait, each table's at once: a statement takes longer to begin than to insert a row."""
        if self._rows:
            for table, rows in self._waiting.items():
                if rows:
                    self._db.executemany(_INSERTS[table], rows)
                    rows.clear()
            self._rows = self._characters = 0
            self._waiting_ids.clear()
            self._waiting_contents.clear()

    @property
    def _written(self) -> apsw.Connection:
        """The database, with all that was added."""
        self._write_waiting()
        return self._db

    @property
    def noted(self) -> int:
        """How many posts were stored or noted, under each of their ids."""
        return self.entries + self.unanswered + self.set_aside_count

    def add_passages(self, post: int, passages: Iterable[KeyedPassage]) -> None:
        """Store the passages of a post, numbered on from the last."""
        rows = [
            (number, post, passage.field, passage.start, passage.end, key)
            for number, (passage, key) in enumerate(passages, start=self.passages)
        ]
        self._waiting["passage"] += rows
        self.passages += len(rows)
        self._rows += len(rows)
        if self._rows >= _MOST_WAITING:
            self._write_waiting()

    def end_file(self, source: str, place: str, stat: str, content: str, reading: str, *, alone: bool) -> None:
        """Note the file that what was added since the last file came from; see `StoredFile`."""
        ends = (self.entries, self.unanswered, self._links)
        rows = [number for begin, end in zip(self._ended, ends, strict=True) for number in (begin, end - begin)]
        self._put("archive_file", (self.files, source, place, stat, content, int(alone), reading, *rows))
        self._characters += len(reading)
        self._ended = ends
        self.files += 1

    def copy(self, first: StoredFile, last: StoredFile, stats: Mapping[int, str]) -> None:
        """Copy all that came from a file of the previous generation, from the ones behind it, and from a last one.

        ``stats`` has what to write of those whose ``stat`` has changed, by their previous numbers.

        Raises:
            IndexDamagedError: if the previous file is damaged.
        """
        if self._previous is None:
            raise ValueError("nothing to copy from")
        self._write_waiting()
        entries = range(first.first_entry, last.first_entry + last.entries)
        waiting = range(first.first_unanswered, last.first_unanswered + last.unanswered)
        links = range(first.first_link, last.first_link + last.links)
        added = (self.entries - entries.start, self.unanswered - waiting.start, self._links - links.start)
        self.copied_entries.append((entries, range(self.entries, self.entries + len(entries))))
        with self._previous.copied_by(self._db):
            for rows, most in zip((entries, waiting, links), self._most_copied, strict=True):
                if not rows.start <= rows.stop <= most:
                    raise ValueError(f"the rows of {first.source} do not exist")
            if entries:
                self._db.execute(
                    "INSERT INTO temp.run VALUES (?, ?, ?)", (entries.start, entries.stop, self.entries - entries.start)
                )
            # In parts: what SQLite sorts is in memory.
            for start in range(entries.start, entries.stop, _COPIED_AT_ONCE):
                part = range(start, min(start + _COPIED_AT_ONCE, entries.stop))
                self._copy_posts(part)
                self._copy_entries(part)
                self._tick(self.noted)
            self._copy_linked(entries, waiting, links, range(first.id, last.id + 1))
            self._db.execute(
                "INSERT INTO main.archive_file SELECT id + ?, source, place, stat, content, alone, reading, "
                "first_entry + ?, entries, first_unanswered + ?, unanswered, first_link + ?, links "
                "FROM old.archive_file WHERE id BETWEEN ? AND ? ORDER BY id",
                (self.files - first.id, *added, first.id, last.id),
            )
            self._db.executemany(
                "UPDATE main.archive_file SET stat = ? WHERE id = ?",
                [(stat, number + self.files - first.id) for number, stat in stats.items()],
            )
        self.unanswered += len(waiting)
        self._links += len(links)
        self._ended = (self.entries, self.unanswered, self._links)
        self.files += last.id + 1 - first.id

    def _copy_posts(self, entries: range) -> None:
        """Copy the posts of some entries that are not there yet, and their passages."""
        self._db.execute("DELETE FROM temp.moved")
        self._db.execute(
            "INSERT INTO temp.moved SELECT post, ? + row_number() OVER (ORDER BY first) FROM "
            "(SELECT e.post AS post, min(e.id) AS first FROM old.entry e JOIN old.post p ON p.id = e.post "
            "WHERE e.id >= ? AND e.id < ? AND NOT EXISTS (SELECT 1 FROM main.post n WHERE n.content = p.content) "
            "GROUP BY e.post)",
            (self.posts - 1, entries.start, entries.stop),
        )
        self._db.execute(
            "INSERT INTO main.post SELECT m.new, p.content, p.title, p.question, p.answer, p.answers "
            "FROM temp.moved m JOIN old.post p ON p.id = m.old ORDER BY m.new"
        )
        contents = self._db.execute("SELECT content FROM main.post WHERE id >= ? ORDER BY id", (self.posts,))
        for (content,) in contents:
            self._texts.update(content)
            self.posts += 1
        copied = self._copy_passages()
        if len(copied):
            self._copied_passages.append((self.passages, copied))
            self.passages += len(copied)
        # The others are there: their text occurred before.
        self._db.execute(
            "INSERT OR IGNORE INTO temp.moved SELECT p.id, n.id FROM old.entry e JOIN old.post p ON p.id = e.post "
            "JOIN main.post n ON n.content = p.content WHERE e.id >= ? AND e.id < ? "
            "AND NOT e.post IN (SELECT old FROM temp.moved)",
            (entries.start, entries.stop),
        )

    def _copy_passages(self) -> Ids:
        """Copy the passages of the posts that were just copied; return the numbers that they had, in order."""
        first, last, count, shift, other_shift = self._numbers(
            "SELECT min(old), max(old), count(*), min(new - old), max(new - old) FROM temp.moved"
        )
        if not count:
            return np.empty(0, np.int64)
        begin, end, found = self._numbers(
            "SELECT min(id), max(id), count(*) FROM old.passage WHERE post BETWEEN ? AND ?", first, last
        )
        if (last - first + 1, end - begin + 1, shift) == (count, found, other_shift):
            # They follow one another, as nearly always, and so do their passages: nothing need be sorted.
            self._db.execute(
                "INSERT INTO main.passage "
                'SELECT id + ?, post + ?, field, start, "end", key FROM old.passage '
                "WHERE id BETWEEN ? AND ? ORDER BY id",
                (self.passages - begin, shift, begin, end),
            )
            return np.arange(begin, end + 1)
        numbers = self._db.execute(
            "SELECT s.id FROM temp.moved m JOIN old.passage s ON s.post = m.old ORDER BY m.new, s.id"
        )
        copied = np.fromiter((number for (number,) in numbers), np.int64)
        self._db.execute(
            "INSERT INTO main.passage SELECT ? + row_number() OVER (ORDER BY m.new, s.id), m.new, s.field, s.start, "
            's."end", s.key FROM temp.moved m JOIN old.passage s ON s.post = m.old',
            (self.passages - 1,),
        )
        return copied

    def _numbers(self, query: str, *values: int) -> list[int]:
        """Return the numbers in the first row of a query; 0 for NULL.

        Raises:
            ValueError: if the row has an invalid number.
        """
        row: Any = self._db.execute(query, values).fetchone()
        found = [0 if value is None else value for value in row]
        if not all(type(value) is int and abs(value) < MOST_ROWS for value in found):
            raise ValueError("invalid row number")
        return found

    def _copy_entries(self, entries: range) -> None:
        moved = (self.entries - entries.start, entries.start, entries.stop)
        self._db.execute(
            "INSERT INTO main.entry SELECT e.id + ?, e.post_id, m.new, e.source, e.source_id, e.date, e.url, e.tags, "
            "e.author, e.score, e.prev_title, e.next_title FROM old.entry e JOIN temp.moved m ON m.old = e.post "
            "WHERE e.id >= ? AND e.id < ? ORDER BY e.id",
            moved,
        )
        if self._db.changes() != len(entries):
            raise ValueError("an entry is missing")
        self.entries += len(entries)

    def _copy_tags(self) -> None:
        """Copy the tags of all copied entries: one pass through a table that is in the order of the tags."""
        if self._previous is not None and self.copied_entries:
            with self._previous.copied_by(self._db):
                self._db.execute(
                    "INSERT INTO main.tag SELECT t.tag, t.entry + r.shift FROM old.tag t JOIN temp.run r "
                    "ON r.first = (SELECT max(first) FROM temp.run WHERE first <= t.entry) WHERE t.entry < r.stop"
                )

    def _copy_linked(self, entries: range, waiting: range, links: range, files: range) -> None:
        """Copy unanswered questions and the titles that pages link to, and note the sources of these pages."""
        columns = {"unanswered": "source, source_id, title", "page_link": "folded, title, source_id"}
        for table, rows in (("unanswered", waiting), ("page_link", links)):
            self._db.execute(
                f"INSERT INTO main.{table} SELECT {columns[table]} FROM old.{table} "  # noqa: S608 - fixed names
                "WHERE rowid > ? AND rowid <= ? ORDER BY rowid",
                (rows.start, rows.stop),
            )
            if self._db.changes() != len(rows):
                raise ValueError(f"a row of {table} is missing")
        if links:
            sources = self._db.execute(
                "SELECT source FROM old.entry WHERE id >= ? AND id < ? AND ifnull(prev_title, next_title) IS NOT NULL "
                "UNION SELECT u.source FROM old.archive_file f JOIN old.unanswered u "
                "ON u.rowid > f.first_unanswered AND u.rowid <= f.first_unanswered + f.unanswered "
                "WHERE f.id >= ? AND f.id < ? AND f.links > 0 AND EXISTS (SELECT 1 FROM old.page_link l "
                "WHERE l.rowid > f.first_link AND l.rowid <= f.first_link + f.links AND l.source_id = u.source_id)",
                (entries.start, entries.stop, files.start, files.stop),
            )
            self._linked_sources.update(source for (source,) in sources)

    def add_unanswered(self, post: Post) -> None:
        """Note a question that nobody has answered yet."""
        self._add_links(post)
        self._put("unanswered", (post.source, post.source_id, post.title))
        self.unanswered += 1

    def add_set_aside(self, note: SetAside) -> None:
        """Note a post or a file that could not be read."""
        self._put("set_aside", (note.source, note.place, note.reason))
        self.set_aside_count += 1

    def first_set_aside(self) -> SetAside | None:
        """Return the first note on a post or a file that could not be read."""
        row = self._written.execute("SELECT source, place, reason FROM set_aside ORDER BY rowid LIMIT 1").fetchone()
        return None if row is None else SetAside(*row)

    @property
    def texts_id(self) -> str:
        """A hash of all texts in their order: the same for two archives only if they are word for word the same."""
        return self._texts.hexdigest()

    def contents(self) -> Iterator[bytes]:
        """Yield the `content_hash` of each post in the order of their numbers."""
        for (content,) in self._written.execute("SELECT content FROM post ORDER BY id"):
            yield content

    def texts(self, first: int = 0, end: int | None = None) -> Iterator[tuple[int, str]]:
        """Yield each post's number and its whole text, of all posts or of those from a number to another."""
        yield from self._written.execute(
            "SELECT id, title || char(10) || question || char(10) || answer FROM post WHERE id >= ? AND id < ? "
            "ORDER BY id",
            (first, self.posts if end is None else end),
        )

    def sample_texts(self, count: int) -> list[str]:
        """Return the texts of some passages from all over the archive."""
        step = max(self.passages // count, 1)
        rows = self._written.execute(f"{TEXTS} WHERE passage.id % ? = 0 ORDER BY passage.id LIMIT ?", (step, count))
        return [text[start:end] for _, text, start, end, *_ in rows]

    def passage_texts(self, size: int) -> Iterator[list[tuple[bytes, str]]]:
        """Yield the keys and texts of all passages in order, some at a time."""
        yield from self._texts_between(0, self.passages, size)

    def passage_blocks(self, size: int) -> Iterator[Ids | list[tuple[bytes, str]]]:
        """Yield all passages in order, some at a time: those that were copied by the numbers that they had."""
        done = 0
        for first, numbers in self._copied_passages:
            yield from self._texts_between(done, first, size)
            for start in range(0, len(numbers), size):
                yield numbers[start : start + size]
            done = first + len(numbers)
        yield from self._texts_between(done, self.passages, size)

    def _texts_between(self, first: int, end: int, size: int) -> Iterator[list[tuple[bytes, str]]]:
        query = f"{TEXTS} WHERE passage.id >= ? AND passage.id < ? ORDER BY passage.id"
        cursor = self._written.execute(query, (first, end))
        while rows := list(islice(cursor, size)):
            yield [(key, text[start:end]) for key, text, start, end, *_ in rows]

    def close(self) -> None:
        """Finish the files."""
        rows = self._written.execute("SELECT post, field FROM passage ORDER BY id")
        write_owners(self.path.parent, rows, self.passages)
        self.name_repeated()
        self._copy_tags()
        self._db.execute("COMMIT")
        self._db.execute(INDICES + FILE_INDEX)
        self._db.execute("BEGIN")
        self._add_titles()
        self._db.execute("COMMIT")
        self._db.close()
        write_block_sums(self.path)

    def abandon(self) -> None:
        """Close the file unfinished; it will be deleted."""
        self._db.close()

    def stored_entries(self, but: Sequence[range] = ()) -> Iterator[StoredEntry]:
        """Yield the entries in the order of their ids, without those of some numbers; call `name_repeated` first."""
        for row in self._written.execute(entries_but(but), ("", -1)):
            yield StoredEntry(*row)

    def count_entries(self, numbers: range) -> dict[str, int]:
        """Count the entries of these numbers by their source."""
        query = "SELECT source, count(*) FROM entry WHERE id >= ? AND id < ? GROUP BY source"
        return dict(self._written.execute(query, (numbers.start, numbers.stop)))

    def has_contents(self, contents: Sequence[bytes]) -> set[bytes]:
        """Return which of these texts are stored."""
        self._write_waiting()
        return {content for content in contents if self._db.execute(STORED, (content,)).fetchone()}

    def name_repeated(self) -> None:
        """Give posts of the same source and id ids of their own, made from their content: places in a file change.

        Such an id always names the same text. The first of several copies of one text has the id without a number. If
        all are copies, it keeps the source's own id.
        """
        self._write_waiting()
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
                self._put("page_link", (fold_title(title), title, post.source_id))
                self._links += 1
                self._linked_sources.add(post.source)

    def _add_titles(self) -> None:
        """Note the titles of all posts that a link may refer to: those of the sources that have links."""
        for source in sorted(self._linked_sources):
            rows = self._db.execute(
                "SELECT p.title, e.id FROM entry e JOIN post p ON p.id = e.post WHERE e.source = ? "
                "UNION ALL SELECT title, ? FROM unanswered WHERE source = ?",
                (source, NO_ENTRY, source),
            )
            folded = ((fold_title(title), entry) for title, entry in rows)
            self._db.executemany("INSERT OR IGNORE INTO page_title VALUES (?, ?)", folded)
