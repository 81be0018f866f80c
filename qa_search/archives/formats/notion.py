"""A database that Notion exported (a CSV table, beside it the Markdown page of each row) -> the posts, each once."""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from qa_search.archives.base import ArchiveFile, ReadingLog, ReadOptions, require_scratch
from qa_search.archives.formats.joining import post_to_text, read_post
from qa_search.archives.formats.scratch_tables import private_rows
from qa_search.types import Post

# "FAQ 0123...def.csv", "FAQ 0123...def_all.csv", "FAQ 0123...def/How do I 89ab...67.md" (or "FAQ/How do I ...").
_ID = r"[ _-]?[0-9a-f]{32}"
_TABLE = re.compile(rf"(?P<base>.{{1,900}}?){_ID}(?:_all)?\.csv", re.IGNORECASE)
_PAGE = re.compile(rf"(?P<base>.{{1,900}})/[^/]{{1,300}}{_ID}\.(?:md|html)", re.IGNORECASE)
_FOLDER_ID = re.compile(rf"{_ID}(?=/|$)", re.IGNORECASE)
_CHECKED_POSTS = 1000
_MOST_OF_ONE = 1000


def is_notion_page(name: str) -> bool:
    """Return whether a file is named as Notion names the page of a row."""
    return _PAGE.fullmatch(name) is not None


def is_of_export(name: str) -> bool:
    """Return whether a file is named as Notion names its tables and pages."""
    return _database(name) is not None


def _database(name: str) -> tuple[str, str] | None:
    """Return the database that a file is of, and what it is: "table", "whole table" or "page"."""
    if table := _TABLE.fullmatch(name):
        kind = "whole table" if name.lower().endswith("_all.csv") else "table"
        return _FOLDER_ID.sub("", table["base"]).casefold(), kind
    if page := _PAGE.fullmatch(name):
        return _FOLDER_ID.sub("", page["base"]).casefold(), "page"
    return None


class NotionExports:
    """Stores the posts of files that are named as Notion names them, until all are there. Close it after use."""

    def __init__(self, options: ReadOptions) -> None:
        self._options = options
        self._files: dict[str, tuple[ArchiveFile, str]] = {}
        self._logs: dict[str, ReadingLog] = {}
        self._unclear: dict[str, ReadingLog] = {}
        self._rows: sqlite3.Connection | None = None
        self.added = 0

    def close(self) -> None:
        """Remove all posts."""
        if self._rows is not None:
            self._rows.close()

    def add(self, post: Post, file: ArchiveFile, format_name: str) -> bool:
        """Store a post, if its file is named as Notion names them; return whether that is so.

        Raises:
            DamagedArchiveError: if the scratch disk is full.
        """
        known = _database(file.name)
        if known is None:
            return False
        if self._rows is None:
            self._rows = private_rows(
                "CREATE TABLE post (number INTEGER PRIMARY KEY, "
                "container TEXT, base TEXT, kind TEXT, question TEXT, answered INT, data TEXT, source TEXT)"
            )
        question = " ".join((post.question or post.title).casefold().split())
        values = (file.container, *known, question, bool(post.answer), post_to_text(post), file.source)
        try:
            self._rows.execute("INSERT INTO post VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", values)
        except sqlite3.Error as error:
            raise file.damaged(f"its posts cannot be stored in {tempfile.gettempdir()} ({error})") from error
        if not self.added % _CHECKED_POSTS:
            require_scratch(file, Path(tempfile.gettempdir()), self._options, len(values[-2]))
        self.added += 1
        if file.source not in self._files:
            self._files[file.source] = (replace(file), format_name)  # without its first bytes
            if file.log.lacks_answers:
                self._unclear[file.source] = file.log
        return True

    def logs(self) -> Iterator[tuple[ArchiveFile, str, ReadingLog]]:
        """Yield the files of which something was left out, or is to be said."""
        for source, log in self._logs.items():
            yield *self._files[source], log

    def posts(self, *, keep_going: bool) -> Iterator[tuple[Post, ArchiveFile, str]]:
        """Yield each post once, with its file and the name of its format; the files' logs say what was left out.

        Raises:
            UnclearFieldsError: if a table has no answers, no page has them, and a field of it could hold them.
        """
        if self._rows is None:
            return
        self._rows.execute("CREATE INDEX post_question ON post (container, base, question)")
        pages = "SELECT 1 FROM post WHERE container = ? AND base = ? AND kind = 'page' AND answered LIMIT 1"
        for source, unclear in self._unclear.items():
            file, _ = self._files[source]
            base = (_database(file.name) or ("",))[0]
            if not self._rows.execute(pages, (file.container, base)).fetchone():
                if unclear.problem is not None and not keep_going:
                    raise unclear.problem
                self._log(source).remark(unclear.problem.reason if unclear.problem is not None else unclear.advice)
        key = "container, base, question"
        groups = f"SELECT {key}, count(*) FROM post GROUP BY {key} ORDER BY min(number)"  # noqa: S608 - fixed names
        of_group = (
            "SELECT kind, data, source FROM post WHERE container = ? AND base = ? AND question = ? ORDER BY number"
        )
        with closing(self._rows.execute(groups)) as found:
            for *group, count in found:
                rows = self._rows.execute(of_group, group).fetchmany(_MOST_OF_ONE)
                given = [(kind, read_post(data), source) for kind, data, source in rows]
                taken = _once(given)
                # Said of the file that is read: there may be thousands of the others.
                sources = {source for _, source in taken}
                if left := sum(source not in sources for _, _, source in given) + count - len(given):
                    self._log(taken[0][1]).omit("posts of the same questions in other files of Notion's export", left)
                for post, source in taken:
                    yield post, *self._files[source]

    def _log(self, source: str) -> ReadingLog:
        return self._logs.setdefault(source, ReadingLog())


def _once(found: list[tuple[str, Post, str]]) -> list[tuple[Post, str]]:
    """Take the posts of one question from the table that has all rows, or from the page where that says more."""
    by_kind: dict[str, list[tuple[Post, str]]] = {}
    for kind, post, source in found:
        by_kind.setdefault(kind, []).append((post, source))
    table = max(by_kind.get("whole table", []), by_kind.get("table", []), key=len)
    pages = by_kind.get("page", [])
    if not table or not pages or len(pages[0][0].answer) <= max(len(post.answer) for post, _ in table):
        return table or pages
    first = table[0][0]
    return [
        (replace(post, date=post.date or first.date, tags=post.tags or first.tags, url=post.url or first.url), source)
        for post, source in pages
    ]
