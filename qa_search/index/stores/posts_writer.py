"""Posts and their passages -> the SQLite file of a new generation, with an id for each post."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
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
    NO_ENTRY,
    STORED,
    TABLES,
    TEXTS,
    KeyedPassage,
    StoredEntry,
    StoredFile,
    entries_but,
    fold_title,
    told_apart,
)
from qa_search.index.stores.posts import PostStore
from qa_search.index.stores.posts_edits import (
    EDITED_NAME,
    TOLD_APART,
    Ends,
    PostEdits,
    entry_row,
    numbers_in,
    post_row,
    take_over,
)
from qa_search.index.stores.vectors import Ids
from qa_search.types import Post, SetAside

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
    "(SELECT count(*) FROM old.page_link), (SELECT count(*) FROM old.post)"
)
_FILES = "SELECT count(*) FROM old.archive_file"
_MISSING_INDICES = (INDICES + FILE_INDEX).replace("CREATE INDEX", "CREATE INDEX IF NOT EXISTS")
# So many rows, or rows of so many characters, are written at once.
_MOST_WAITING, _MOST_WAITING_CHARACTERS = 4096, 1 << 20
_INSERTS = {
    table: f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})"  # noqa: S608 - fixed names
    for table, columns in {
        "post": 6, "entry": 12, "tag": 2, "passage": 6, "unanswered": 3, "set_aside": 3, "page_link": 3,
        "archive_file": 13,
    }.items()
}  # fmt: skip
_INSERTS["archive_file"] = _INSERTS["archive_file"].replace("INSERT", "REPLACE")  # a changed file may keep its number
_RENAME = "UPDATE entry SET post_id = ?, source_id = ? WHERE id = ?"


class PostWriter:
    """Writes a new generation's posts. They are on disk after `close`; nobody reads them earlier."""

    def __init__(
        self, folder: Path, previous: PostStore | None = None, tick: Callable[[int], None] = lambda _: None
    ) -> None:
        """Begin the file in a folder.

        Args:
            folder: the generation's.
            previous: the posts of which `copy` copies. A post that is there gets the passages that it has there.
            tick: called with `noted` now and then while posts are copied.

        Raises:
            IndexDamagedError: if the previous file is damaged.
        """
        self.path = folder / DATABASE_NAME
        self._previous = previous
        self._tick = tick
        self._most_copied: tuple[int, ...] = (0, 0, 0)
        self._edits: PostEdits | None = None
        copied = previous is not None and previous.copy_to(self.path)
        # Used from one thread at a time; statements are in one transaction until `close`.
        self._db = self._open(empty=not copied)
        if previous is not None:
            with previous.copied_by(self._db):
                ends = numbers_in(self._db, _ENDS)
                self._most_copied = tuple(ends[:3])
                if copied:
                    self._edits = PostEdits(self._db, previous, Ends(*ends, *numbers_in(self._db, _FILES)))
        self.posts = self.entries = self.passages = self.unanswered = self.set_aside_count = 0
        self.files = self._links = 0
        # What was copied: the numbers that entries had and have, and the passages that the copied ones had.
        self.copied_entries: list[tuple[range, range]] = []
        self._copied_passages: list[tuple[int, Ids]] = []
        self._ended = (0, 0, 0)  # entries, unanswered and links, where the last file ended
        self._linked_sources: set[str] = set()
        self._repeated: dict[tuple[str, str], list[int]] = {}  # what source and id name -> the entries but the first
        # The rows of each table that are not written yet, and the ids and texts among them.
        self._waiting: dict[str, list[tuple[Any, ...]]] = {table: [] for table in _INSERTS}
        self._rows = self._characters = 0
        self._waiting_ids: set[str] = set()
        self._waiting_contents: dict[bytes, int] = {}

    def _open(self, *, empty: bool) -> apsw.Connection:
        """Open the file, make its tables if it is empty, and begin a transaction."""
        db = create_database(self.path)
        if self._previous is not None:
            self._previous.attach_to(db)
            db.execute(_MOVED)
            db.execute(_RUNS)
        db.execute("BEGIN")
        if empty:
            db.execute(TABLES + FILE_TABLE)
        return db

    def add(self, post: Post, content: bytes) -> int | None:
        """Store a post of this `content_hash` under its id; return its number, or None if the text was there already.

        Posts whose id is repeated get ids of their own in `close`, when all of them are known.
        """
        self._add_links(post)
        if self._edits is not None:
            with self._checked():
                number = self._edits.entry(self._ends(), post, content)
            if number is not None:
                is_new = number == self.posts
                self.entries += 1
                self.posts += is_new
                return number if is_new else None
            self._end_edits(more=True)
        post_id = post.post_id
        taken, known = self._known(post_id, content)
        if taken or TOLD_APART.search(post.source_id):
            self._repeated.setdefault((post.source, post.source_id), []).append(self.entries)
            post_id = f"~{self.entries}"
        number = self.posts if known is None else known
        if known is None:
            _, _, *texts = row = post_row(number, content, post)
            self._put("post", row)
            self._characters += sum(map(len, texts))
            self._waiting_contents[content] = number
            self.posts += 1
        self._waiting_ids.add(post_id)
        self._put("entry", entry_row(self.entries, post_id, number, post))
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

    def _add_row(self, table: str, row: tuple[str, ...]) -> None:
        """Add a row to a table whose rows have no number of their own."""
        if self._edits is not None:
            with self._checked():
                fits = self._edits.row(table, self._ends(), row)
            if fits:
                return
            self._end_edits(more=True)
        self._put(table, row)

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
        """The database, with all that was added, and nothing else."""
        self._end_edits()
        self._write_waiting()
        return self._db

    def _checked(self) -> AbstractContextManager[None]:
        """Check what is read of the previous file or of its copy."""
        return nullcontext() if self._previous is None else self._previous.copied_by(self._db)

    def _ends(self) -> Ends:
        return Ends(self.entries, self.unanswered, self._links, self.posts, self.files)

    def _end_edits(self, *, more: bool = False) -> None:
        """Leave of the previous rows those that were kept; ``more`` says that others come behind them."""
        if self._edits is None:
            return
        edits, self._edits = self._edits, None
        self._write_waiting()
        if more and edits.has_more(self._ends()):
            self._take_over(edits)
            return
        with self._checked():
            self.passages, self._copied_passages = edits.leave(self._ends())

    def _take_over(self, edits: PostEdits) -> None:
        """Go on in an empty file with what was kept: rows that are written among others are slow to write and read."""
        edited = self.path.with_name(EDITED_NAME)
        with self._checked():
            runs = edits.runs()
        self._db.execute("COMMIT")
        self._db.close()
        self.path.rename(edited)
        self._db = self._open(empty=True)
        self._db.execute("COMMIT; ATTACH ? AS edited; BEGIN", (os.fspath(edited),))
        with self._checked():
            self.passages, self._copied_passages = take_over(self._db, self._ends(), runs)
        self._db.execute("COMMIT; DETACH edited; BEGIN")
        edited.unlink()

    @property
    def noted(self) -> int:
        """How many posts were stored or noted, under each of their ids."""
        return self.entries + self.unanswered + self.set_aside_count

    def add_passages(self, post: int, passages: Iterable[KeyedPassage]) -> None:
        """Store the passages of a post, numbered on from the last."""
        cut = list(passages)
        first = self.passages if self._edits is None else self._edits.number_passages(post, len(cut))
        if first is None:
            return
        if self._edits is None:
            self.passages += len(cut)
        rows = [
            (number, post, passage.field, passage.start, passage.end, key)
            for number, (passage, key) in enumerate(cut, start=first)
        ]
        self._waiting["passage"] += rows
        self._rows += len(rows)
        if self._rows >= _MOST_WAITING:
            self._write_waiting()

    def end_file(self, source: str, place: str, stat: str, content: str, reading: str, *, alone: bool) -> None:
        """Note the file that what was added since the last file came from; see `StoredFile`."""
        if self._edits is not None:
            with self._checked():
                fits = self._edits.fits_file(self._ends())
            if not fits:
                self._end_edits(more=True)
        ends = self._ends()[:3]
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
        if self._edits is not None:
            with self._checked():
                kept = self._edits.keep(first, last, self._ends())
                if kept is not None:
                    self._keep(kept, first, last, stats)
                    return
            self._end_edits(more=True)
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
            self._copy_linked(waiting, links)
            self._note_linked(entries, links, range(first.id, last.id + 1))
            self._db.execute(
                "INSERT INTO main.archive_file SELECT id + ?, source, place, stat, content, alone, reading, "
                "first_entry + ?, entries, first_unanswered + ?, unanswered, first_link + ?, links "
                "FROM old.archive_file WHERE id BETWEEN ? AND ? ORDER BY id",
                (self.files - first.id, *added, first.id, last.id),
            )
            self._touch((stat, number + self.files - first.id) for number, stat in stats.items())
        self.unanswered += len(waiting)
        self._links += len(links)
        self._ended = self._ends()[:3]
        self.files += last.id + 1 - first.id

    def _keep(self, end: Ends, first: StoredFile, last: StoredFile, stats: Mapping[int, str]) -> None:
        """Go on behind files whose rows are at their places."""
        entries = range(self.entries, end.entries)
        self.copied_entries.append((entries, entries))
        self._note_linked(entries, range(self._links, end.links), range(first.id, last.id + 1))
        self._touch((stat, number) for number, stat in stats.items())
        self.entries, self.unanswered, self._links, self.posts, self.files = end
        self._ended = end[:3]
        self._tick(self.noted)

    def _touch(self, stats: Iterable[tuple[str, int]]) -> None:
        """Write the ``stat`` of files, given with their numbers."""
        self._db.executemany("UPDATE main.archive_file SET stat = ? WHERE id = ?", stats)

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
        self.posts += self._db.changes()
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
        query = "SELECT min(old), max(old), count(*), min(new - old), max(new - old) FROM temp.moved"
        first, last, count, shift, other_shift = numbers_in(self._db, query)
        if not count:
            return np.empty(0, np.int64)
        query = "SELECT min(id), max(id), count(*) FROM old.passage WHERE post BETWEEN ? AND ?"
        begin, end, found = numbers_in(self._db, query, first, last)
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

    def _copy_linked(self, waiting: range, links: range) -> None:
        """Copy unanswered questions and the titles that pages link to."""
        columns = {"unanswered": "source, source_id, title", "page_link": "folded, title, source_id"}
        for table, rows in (("unanswered", waiting), ("page_link", links)):
            self._db.execute(
                f"INSERT INTO main.{table} SELECT {columns[table]} FROM old.{table} "  # noqa: S608 - fixed names
                "WHERE rowid > ? AND rowid <= ? ORDER BY rowid",
                (rows.start, rows.stop),
            )
            if self._db.changes() != len(rows):
                raise ValueError(f"a row of {table} is missing")

    def _note_linked(self, entries: range, links: range, files: range) -> None:
        """Note the sources of the pages that have links in these files of the previous generation."""
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
        self._add_row("unanswered", (post.source, post.source_id, post.title))
        self.unanswered += 1

    def add_set_aside(self, note: SetAside) -> None:
        """Note a post or a file that could not be read."""
        self._put("set_aside", (note.source, note.place, note.reason))
        self.set_aside_count += 1

    def first_set_aside(self) -> SetAside | None:
        """Return the first note on a post or a file that could not be read."""
        row = self._written.execute("SELECT source, place, reason FROM set_aside ORDER BY rowid LIMIT 1").fetchone()
        return None if row is None else SetAside(*row)

    def set_aside_sources(self, reason: str) -> list[str]:
        """Return the sources of the notes whose reason begins so."""
        query = "SELECT source FROM set_aside WHERE substr(reason, 1, ?) = ?"
        return [source for (source,) in self._written.execute(query, (len(reason), reason))]

    @property
    def texts_id(self) -> str:
        """A hash of all texts in their order: the same for two archives only if they are word for word the same."""
        digest = hashlib.blake2b(digest_size=16)
        for content in self.contents():
            digest.update(content)
        return digest.hexdigest()

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
        self._db.execute(_MISSING_INDICES)
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
        db = self._written
        return {content for content in contents if db.execute(STORED, (content,)).fetchone()}

    def name_repeated(self) -> None:
        """Give posts of the same source and id ids of their own, made from their content: places in a file change.

        Such an id always names the same text. The first of several copies of one text has the id without a number. If
        all are copies, it keeps the source's own id.
        """
        db = self._written
        for (source, source_id), entries in self._repeated.items():
            plain = Post(source, source_id)
            # An id that looks like one made here may belong to another post by now.
            first = [] if TOLD_APART.search(source_id) else self._integers(_ENTRY_CALLED, plain.post_id)
            seen: Counter[bytes] = Counter()
            for entry in (*first, *entries):
                content: Any = db.execute(_CONTENT, (entry,)).get
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
                self._add_row("page_link", (fold_title(title), title, post.source_id))
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
