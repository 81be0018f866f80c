"""Posts and their passages -> the SQLite file of a new generation, with an id for each post."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from qa_search.index.filters import fold_tag
from qa_search.index.integrity import write_block_sums
from qa_search.index.stores.database import create_database
from qa_search.index.stores.owners import write_owners
from qa_search.index.stores.post_rows import (
    DATABASE_NAME,
    ENTRIES,
    INDICES,
    NO_ENTRY,
    STORED,
    TABLES,
    TEXTS,
    KeyedPassage,
    StoredEntry,
    fold_title,
    to_json,
    told_apart,
)
from qa_search.types import Post, SetAside

# The end of an id that distinguishes posts of one id. A post whose own id ends like this gets such an end as well.
_TOLD_APART = re.compile(r"~[a-z2-7]{16}(\.\d+)?\Z")
_TAKEN = "SELECT 1 FROM entry WHERE post_id = ?"
_ENTRY_CALLED = "SELECT id FROM entry WHERE post_id = ?"
_CONTENT = "SELECT p.content FROM entry e JOIN post p ON p.id = e.post WHERE e.id = ?"
_RENAME = "UPDATE entry SET post_id = ?, source_id = ? WHERE id = ?"


class PostWriter:
    """Writes a new generation's posts. They are on disk after `close`; nobody reads them earlier."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / DATABASE_NAME
        # Used from one thread at a time; statements are in one transaction until `close`.
        self._db = create_database(self.path)
        self._db.execute("BEGIN")
        self._db.execute(TABLES)
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
            answers = to_json([part.to_dict() for part in post.answers])
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
                to_json(post.tags), post.author, post.score, post.prev_title, post.next_title,
            ),
        )  # fmt: skip
        if post.tags:
            tags = {(fold_tag(tag), self.entries) for tag in post.tags}
            self._db.executemany("INSERT INTO tag VALUES (?, ?)", tags)
        self.entries += 1
        return number if row is None else None

    def add_passages(self, post: int, passages: Iterable[KeyedPassage]) -> None:
        """Store the passages of a post, numbered on from the last."""
        rows = [
            (number, post, passage.field, passage.start, passage.end, key)
            for number, (passage, key) in enumerate(passages, start=self.passages)
        ]
        self._db.executemany("INSERT INTO passage VALUES (?, ?, ?, ?, ?, ?)", rows)
        self.passages += len(rows)

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
        rows = self._db.execute(f"{TEXTS} WHERE passage.id % ? = 0 ORDER BY passage.id LIMIT ?", (step, count))
        return [text[start:end] for _, text, start, end, *_ in rows]

    def passage_texts(self, size: int) -> Iterator[list[tuple[bytes, str]]]:
        """Yield the keys and texts of all passages in order, some at a time."""
        cursor = self._db.execute(f"{TEXTS} ORDER BY passage.id")
        while rows := list(islice(cursor, size)):
            yield [(key, text[start:end]) for key, text, start, end, *_ in rows]

    def close(self) -> None:
        """Finish the files."""
        rows = self._db.execute("SELECT post, field FROM passage ORDER BY id")
        write_owners(self.path.parent, rows, self.passages)
        self.name_repeated()
        self._db.execute("COMMIT")
        self._db.execute(INDICES)
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
        for row in self._db.execute(ENTRIES, ("", -1)):
            yield StoredEntry(*row)

    def has_contents(self, contents: Sequence[bytes]) -> set[bytes]:
        """Return which of these texts are stored."""
        return {content for content in contents if self._db.execute(STORED, (content,)).fetchone()}

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
                (source, NO_ENTRY, source),
            )
            folded = ((fold_title(title), entry) for title, entry in rows)
            self._db.executemany("INSERT OR IGNORE INTO page_title VALUES (?, ?)", folded)
