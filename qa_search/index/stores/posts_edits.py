"""A copy of the previous generation's SQLite file -> that of a new one, by changing the rows that differ, in place.

This goes as long as no row of an unchanged file moves: where posts are changed, or come or go behind all others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import apsw
import numpy as np

from qa_search.index.filters import fold_tag
from qa_search.index.stores.post_rows import FILE_INDEX, INDICES, MOST_ROWS, StoredFile, to_json
from qa_search.index.stores.posts import PostStore
from qa_search.index.stores.vectors import Ids
from qa_search.types import Post

# The end of an id that distinguishes posts of one id. A post whose own id ends like this gets such an end as well.
TOLD_APART = re.compile(r"~[a-z2-7]{16}(\.\d+)?\Z")
_TOLD_APART_IN = "SELECT 1 FROM main.entry WHERE id >= ? AND id < ? AND source_id GLOB '*~????????????????*' LIMIT 1"
# Changing many rows one by one takes longer than copying all of them.
_MOST_CHANGED = 4096
# New passages have such numbers until all are known.
_NOT_PLACED = 1 << 52

# The file that was changed, while what was kept of it is copied.
EDITED_NAME = "edited.sqlite"

_ENTRY = (
    "SELECT e.post_id, e.post, p.content, e.source, e.source_id, e.date, e.url, e.tags, e.author, e.score, "
    "e.prev_title, e.next_title FROM main.entry e JOIN main.post p ON p.id = e.post WHERE e.id = ?"
)
_CALLED = "SELECT 1 FROM main.entry WHERE post_id = ?"
_OTHERS = "SELECT 1 FROM main.entry WHERE post = ? AND id <> ? UNION ALL SELECT 1 FROM main.post WHERE content = ?"
# Each index costs time for each row that is removed or moved: many at once are indexed again afterwards.
_INDICES = [statement.split()[2] for statement in (INDICES + FILE_INDEX).split(";") if statement.strip()]
_PASSAGE_INDICES = [name for name in _INDICES if name.startswith("passage")]
_ROWS = {
    "unanswered": "source = ?, source_id = ?, title = ?",
    "page_link": "folded = ?, title = ?, source_id = ?",
}


class Ends(NamedTuple):
    """How many rows there are of each kind."""

    entries: int
    unanswered: int
    links: int
    posts: int
    files: int


class Run(NamedTuple):
    """Passages that follow one another: the number of the first now, the one that it had, and how many.

    New ones had numbers from `_NOT_PLACED` on.
    """

    now: int
    before: int
    size: int


# How many passages there are, and those that were there: the number that the first of them has now, and the numbers
# that they had.
Passages = tuple[int, list[tuple[int, Ids]]]


def take_over(writer: apsw.Connection, at: Ends, runs: Sequence[Run]) -> Passages:
    """Copy the rows up to a place into an empty database, to which theirs is attached as ``edited``."""
    for table, column, first in _beginnings(at):
        order = f"WHERE {column} < {first} ORDER BY {'tag, entry' if table == 'tag' else column}"
        writer.execute(f"INSERT INTO main.{table} SELECT * FROM edited.{table} {order}")  # noqa: S608 - fixed names
    writer.execute("INSERT INTO main.set_aside SELECT * FROM edited.set_aside ORDER BY rowid")
    for run in runs:
        _copy_passages(writer, "edited", run)
    return _passages(runs)


def post_row(number: int, content: bytes, post: Post) -> tuple[Any, ...]:
    """Return the row of ``post``."""
    answers = to_json([part.to_dict() for part in post.answers])
    return (number, content, post.title, post.question, post.answer, answers)


def entry_row(number: int, post_id: str, owner: int, post: Post) -> tuple[Any, ...]:
    """Return the row of ``entry``, under an id, of a text with a number."""
    return (
        number, post_id, owner, post.source, post.source_id, post.date, post.url, to_json(post.tags), post.author,
        post.score, post.prev_title, post.next_title,
    )  # fmt: skip


def numbers_in(db: apsw.Connection, query: str, *values: int) -> list[int]:
    """Return the numbers in the first row of a query; 0 for NULL.

    Raises:
        ValueError: if the row has an invalid number.
    """
    row: Any = db.execute(query, values).fetchone()
    found = [0 if value is None else value for value in row]
    if not all(type(value) is int and abs(value) < MOST_ROWS for value in found):
        raise ValueError("invalid row number")
    return found


class PostEdits:
    """Compares what is read with the rows of the copy, in their order, and changes those that differ.

    Every method raises `ValueError` or an error of apsw where the copied rows are invalid.
    """

    def __init__(self, db: apsw.Connection, previous: PostStore, ends: Ends) -> None:
        """Begin at the first row of ``main``, a copy of ``old``, which has so many rows."""
        # The copy is read without the hashes of its blocks.
        if db.execute("PRAGMA main.quick_check(1)").fetchall() != [("ok",)]:
            raise ValueError("its structure is invalid")
        # These are made again by each build.
        db.execute("DELETE FROM main.set_aside; DELETE FROM main.page_title")
        self._db = db
        self._previous = previous
        self._ends = ends
        self._file: StoredFile | None = None
        self._looked_at = -1  # the number of that file
        self._changes = 0
        self._changed: dict[int, int] = {}  # the posts with another text, and how many passages it has
        self._new_passages = 0
        self._with_passages = 0  # so many posts have theirs

    def keep(self, first: StoredFile, last: StoredFile, at: Ends) -> Ends | None:
        """Return where the rows of kept files end that begin here; None if they must move."""
        if (first.id, first.first_entry, first.first_unanswered, first.first_link) != (
            at.files, at.entries, at.unanswered, at.links,
        ):  # fmt: skip
            return None
        end = at._replace(
            entries=last.first_entry + last.entries,
            unanswered=last.first_unanswered + last.unanswered,
            links=last.first_link + last.links,
            files=last.id + 1,
        )
        if any(now > most or now < before for now, most, before in zip(end, self._ends, at, strict=True)):
            raise ValueError(f"the rows of {first.source} do not exist")
        if end.entries > at.entries:
            query = "SELECT max(post) + 1 FROM main.entry WHERE id >= ? AND id < ?"
            (posts,) = numbers_in(self._db, query, at.entries, end.entries)
            end = end._replace(posts=max(at.posts, posts))
        self._with_passages = end.posts
        return end

    def entry(self, at: Ends, post: Post, content: bytes) -> int | None:
        """Make the next entry that of a post; return the number of its text, None if rows must move."""
        file = self._file_at(at.files)
        if file is None or at.entries >= file.first_entry + file.entries or TOLD_APART.search(post.source_id):
            return None
        row: Any = self._db.execute(_ENTRY, (at.entries,)).fetchone()
        if row is None:
            raise ValueError(f"entry {at.entries} is missing")
        stored_id, owner, stored_content, *stored = row
        if type(owner) is not int or not 0 <= owner <= at.posts:
            raise ValueError("a page belongs to no post")
        wanted = entry_row(at.entries, post.post_id, owner, post)
        if (stored_id, content, *stored) == (wanted[1], stored_content, *wanted[3:]):
            return owner
        if self._changes >= _MOST_CHANGED or (stored_id != wanted[1] and self._is_there(_CALLED, wanted[1])):
            return None
        if content != stored_content:
            # A text that occurs again has its number from the first place.
            if owner < at.posts or self._is_there(_OTHERS, owner, at.entries, content):
                return None
            _, *texts = post_row(owner, content, post)
            self._db.execute(
                "UPDATE main.post SET content = ?, title = ?, question = ?, answer = ?, answers = ? WHERE id = ?",
                (*texts, owner),
            )
            self._changed[owner] = 0
        self._change_tags(at.entries, stored[4], post.tags)
        self._db.execute("REPLACE INTO main.entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", wanted)
        self._changes += 1
        return owner

    def row(self, table: str, at: Ends, row: tuple[str, ...]) -> bool:
        """Make the next row of ``unanswered`` or ``page_link`` this one; return False if rows must move."""
        file = self._file_at(at.files)
        if file is None:
            return False
        before, end = (
            (at.unanswered, file.first_unanswered + file.unanswered)
            if table == "unanswered"
            else (at.links, file.first_link + file.links)
        )
        if before >= end:
            return False
        found: Any = self._db.execute(f"SELECT * FROM main.{table} WHERE rowid = ?", (before + 1,)).fetchone()  # noqa: S608
        if found is None:
            raise ValueError(f"a row of {table} is missing")
        if found == row:
            return True
        if self._changes >= _MOST_CHANGED:
            return False
        self._db.execute(f"UPDATE main.{table} SET {_ROWS[table]} WHERE rowid = ?", (*row, before + 1))  # noqa: S608
        self._changes += 1
        return True

    def fits_file(self, at: Ends) -> bool:
        """Return whether a file that ends here has as many rows as the one in its place."""
        file = self._file_at(at.files)
        return file is not None and (at.entries, at.unanswered, at.links) == (
            file.first_entry + file.entries,
            file.first_unanswered + file.unanswered,
            file.first_link + file.links,
        )

    def number_passages(self, post: int, count: int) -> int | None:
        """Return what to number the passages of a post from, None if the stored ones are those of its text."""
        self._with_passages = post + 1
        if post not in self._changed:
            return None
        self._changed[post] = count
        self._new_passages += count
        return _NOT_PLACED + self._new_passages - count

    def has_more(self, at: Ends) -> bool:
        """Return whether rows are left behind."""
        return at != self._ends

    def leave(self, at: Ends) -> Passages:
        """Remove the rows behind, and give all passages their numbers."""
        if self.has_more(at):
            self._drop(_INDICES)
            for table, column, first in _beginnings(at):
                self._db.execute(f"DELETE FROM main.{table} WHERE {column} >= {first}")  # noqa: S608
        runs = self.runs()
        moved = [run for run in runs if run.before < _NOT_PLACED and run.now != run.before]
        if moved:
            self._drop(_PASSAGE_INDICES)
        at_rest = [run for run in runs if run.now == run.before]
        number = 0
        for start, _, count in [*at_rest, Run(_NOT_PLACED, _NOT_PLACED, 0)]:
            if start > number:
                self._db.execute("DELETE FROM main.passage WHERE id >= ? AND id < ?", (number, start))
            number = start + count
        for run in moved:
            _copy_passages(self._db, "old", run)
        for now, before, count in runs:
            if before >= _NOT_PLACED:
                self._db.execute(
                    "UPDATE main.passage SET id = id - ? WHERE id >= ? AND id < ?",
                    (before - now, before, before + count),
                )
        return _passages(runs)

    def runs(self) -> list[Run]:
        """Return where passages that follow one another are and were."""
        runs: list[Run] = []
        place = done = 0
        new = _NOT_PLACED
        query = "SELECT min(id), max(id), count(*) FROM old.passage WHERE post >= ? AND post < ?"
        upto = self._with_passages
        for post in (*(post for post in self._changed if post < upto), upto):
            first, last, count = numbers_in(self._db, query, done, post)
            if count and last - first + 1 != count:
                raise ValueError("passages of a post do not follow one another")
            runs.append(Run(place, first, count))
            place += count
            if post < upto:
                runs.append(Run(place, new, self._changed[post]))
                place, new = place + self._changed[post], new + self._changed[post]
            done = post + 1
        return [run for run in runs if run.size]

    def _file_at(self, number: int) -> StoredFile | None:
        """Return the file of the previous generation with this number, unless its posts have names of their own.

        Names that tell posts apart depend on all posts of a file.
        """
        if number != self._looked_at:
            self._looked_at = number
            self._file = next(iter(self._previous.files_from(number, 1)), None)
            if self._file is not None:
                end = self._file.first_entry + self._file.entries
                if self._is_there(_TOLD_APART_IN, self._file.first_entry, end):
                    self._file = None
        return self._file

    def _drop(self, indices: Sequence[str]) -> None:
        for name in indices:
            self._db.execute(f"DROP INDEX IF EXISTS main.{name}")

    def _change_tags(self, entry: int, stored: Any, tags: Sequence[str]) -> None:
        """Make the rows of an entry's tags those of others."""
        try:
            before = {fold_tag(str(tag)) for tag in json.loads(stored)}
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(f"invalid tags ({error})") from error
        now = {fold_tag(tag) for tag in tags}
        for tag in before - now:
            self._db.execute("DELETE FROM main.tag WHERE tag = ? AND entry = ?", (tag, entry))
        for tag in now - before:
            self._db.execute("INSERT INTO main.tag VALUES (?, ?)", (tag, entry))

    def _is_there(self, query: str, *values: Any) -> bool:
        return self._db.execute(query, values).fetchone() is not None


def _beginnings(at: Ends) -> tuple[tuple[str, str, int], ...]:
    """Return each table with the column that numbers its rows, and the first number behind a place."""
    return (
        ("post", "id", at.posts),
        ("entry", "id", at.entries),
        ("tag", "entry", at.entries),
        ("unanswered", "rowid", at.unanswered + 1),
        ("page_link", "rowid", at.links + 1),
        ("archive_file", "id", at.files),
    )


def _copy_passages(db: apsw.Connection, origin: str, run: Run) -> None:
    """Copy passages that are to follow one another from an attached database."""
    db.execute(
        'INSERT INTO main.passage SELECT id + ?, post, field, start, "end", key '  # noqa: S608 - one of two
        f"FROM {origin}.passage WHERE id >= ? AND id < ? ORDER BY id",
        (run.now - run.before, run.before, run.before + run.size),
    )


def _passages(runs: Sequence[Run]) -> Passages:
    kept = [(now, np.arange(before, before + count)) for now, before, count in runs if before < _NOT_PLACED]
    return runs[-1].now + runs[-1].size if runs else 0, kept
