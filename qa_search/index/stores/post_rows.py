"""The database of a generation's posts: its tables, what its writer and its readers both ask, and the hashes in it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import NamedTuple

from qa_search.index.integrity import BLOCKS_SUFFIX
from qa_search.types import Passage, Post

DATABASE_NAME = "posts.sqlite"
BLOCKS_NAME = DATABASE_NAME + BLOCKS_SUFFIX

TABLES = """
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
# The files that the posts were read from, in their order: how each was, and which rows came from it. The first entry is
# a number, the others follow it; of the rows without numbers, so many came before.
FILE_TABLE = """
CREATE TABLE archive_file (
    id INTEGER PRIMARY KEY, source TEXT NOT NULL, place TEXT NOT NULL, stat TEXT NOT NULL, content TEXT NOT NULL,
    alone INTEGER NOT NULL, reading TEXT NOT NULL, first_entry INTEGER NOT NULL, entries INTEGER NOT NULL,
    first_unanswered INTEGER NOT NULL, unanswered INTEGER NOT NULL, first_link INTEGER NOT NULL, links INTEGER NOT NULL
);
"""
INDICES = """
CREATE INDEX entry_of_post ON entry (post);
CREATE INDEX entry_source ON entry (source);
CREATE INDEX entry_date ON entry (date);
CREATE INDEX passage_of_post ON passage (post);
CREATE INDEX passage_key ON passage (key);
"""
FILE_INDEX = "CREATE INDEX archive_file_source ON archive_file (source);"
NO_ENTRY = -1
MOST_ROWS = 1 << 53
# What a database must have been made with. Those of format 5 say nothing of files.
STATEMENTS_5 = [statement for statement in (TABLES + INDICES).split(";") if statement.strip()]
STATEMENTS = [*STATEMENTS_5, *(statement for statement in (FILE_TABLE + FILE_INDEX).split(";") if statement.strip())]
TEXTS = (
    "SELECT key, CASE WHEN field = 'title' THEN title WHEN field = 'question' THEN question ELSE answer END, start, "
    '"end", passage.id, passage.post, field FROM passage JOIN post ON post.id = passage.post'
)
STORED = "SELECT 1 FROM post WHERE content = ?"

KeyedPassage = tuple[Passage, bytes]


class StoredFile(NamedTuple):
    """A file that posts were read from, as it was then, and its rows: a row of ``archive_file``.

    ``stat`` (size, time and so on) and ``content`` (SHA-256) are empty where the file must be read again in any case.
    """

    id: int
    source: str
    place: str
    stat: str
    content: str
    alone: int
    reading: str
    first_entry: int
    entries: int
    first_unanswered: int
    unanswered: int
    first_link: int
    links: int


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


def entries_but(numbers: Sequence[range]) -> str:
    """Return the query of so many entries after an id, in the order of their ids, without those of some numbers."""
    others = "".join(f" AND NOT e.id BETWEEN {found.start} AND {found.stop - 1}" for found in numbers)
    return (
        "SELECT e.post_id, p.content, e.source, e.source_id, e.date, e.url, e.tags, e.author, e.score, e.prev_title, "  # noqa: S608
        f"e.next_title FROM entry e JOIN post p ON p.id = e.post WHERE e.post_id > ?{others} "
        "ORDER BY e.post_id LIMIT ?"
    )


def fold_title(title: str) -> str:
    """Fold a title for comparing it with the title in a link."""
    return " ".join(title.casefold().split())


def to_json(values: Sequence[object]) -> str:
    """Return a list as the tables have it."""
    return json.dumps(values, ensure_ascii=False) if values else "[]"


def passage_key(text: str) -> bytes:
    """Hash a passage's text. Its vector depends on this, the model and its settings alone."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def content_hash(post: Post) -> bytes:
    """Hash the content of a post: title, question and answer, and who wrote which part of it."""
    digest = hashlib.blake2b(digest_size=16)
    for text in (post.title, post.question, post.answer, to_json([part.to_dict() for part in post.answers])):
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
