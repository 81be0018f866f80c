"""Texts in files that are named by pairs (``001_q.txt`` and ``001_a.txt``, ``q/7.txt`` and ``a/7.txt``) -> posts.

Only texts that no reader takes come here. Whether they are pairs is known when all are there: of the files that are
named alike, there must be several pairs, and hardly one alone.
"""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from qa_search.archives.base import DAMAGE, ArchiveFile, ReadingLog, ReadOptions, post_too_long, require_scratch
from qa_search.archives.formats.html_text import html_to_text, looks_like_html
from qa_search.archives.formats.labels import without_label
from qa_search.archives.formats.roles import ROLES, normal_name
from qa_search.archives.formats.scratch_tables import private_rows
from qa_search.errors import ArchiveError, UnknownFormatError
from qa_search.types import Post, SetAside
from qa_search.util.text import clean_text, counted

_SUFFIXES = frozenset(("", ".txt", ".text", ".md", ".markdown", ".html", ".htm"))
_FEWEST_PAIRS = 3
_ALONE = 3  # one file alone for so many pairs
_MOST_NAME = 1000
_CHECKED_FILES = 100
_TOKENS = re.compile(r"[^\W\d_]+|\d+")
_MARK = "*"
_BETWEEN = frozenset(("and", "und", "et", "y", "e", "en", "och", "og", "i", "n"))

Role = Literal["question", "answer"]
_ROLES: dict[str, Role] = {
    **{normal_name(name): "question" for name in (*ROLES["question"], "ques", "quest")},
    **{normal_name(name): "answer" for name in (*ROLES["answer"], "ans")},
}


class PairName(NamedTuple):
    """What the name of a file says: its role, what it has in common with its other half, and with all such files."""

    role: Role
    key: str
    group: str


def pair_name(name: str) -> PairName | None:
    """Read the path of a file as that of half a pair; None if it is not.

    The last or the first word of its name, or else of the names of its folders, is one for a question or an answer.
    """
    if len(name) > _MOST_NAME:
        return None
    *folders, last = name.split("/")
    stem = last.rpartition(".")[0] or last
    parts = [*folders, stem]
    role = next((role for part in reversed(parts) if (role := _role(part))), None)
    if role is None:
        return None
    marked = [_marked(part) if _role(part) == role else part.casefold() for part in parts]
    # A folder for each pair ("case 7/question.txt") or not: the group is that of all of them.
    above = marked[:-2] if marked[-1] == _MARK else marked[:-1]
    return PairName(role, "/".join(marked), "/".join(above))


def _role(part: str) -> Role | None:
    words = [normal_name(word) for word in _TOKENS.findall(part)]
    if not words:
        return None
    first, last = _ROLES.get(words[0]), _ROLES.get(words[-1])
    if first and last and first != last and _BETWEEN.issuperset(words[1:-1]):
        return None  # a folder of both: "Q&A"
    return last or first


def _marked(part: str) -> str:
    """Return a part of a path with a mark in place of the word for its role."""
    tokens = list(_TOKENS.finditer(part))
    word = tokens[-1] if _ROLES.get(normal_name(tokens[-1][0])) else tokens[0]
    return f"{part[: word.start()]}{_MARK}{part[word.end() :]}".casefold()


class PairedFiles:
    """Stores texts that may be half a pair until all are there. Close it after use."""

    def __init__(self, options: ReadOptions) -> None:
        self._options = options
        self.last: ArchiveFile | None = None
        self.added = 0
        self.problem: UnknownFormatError | None = None
        self._rows: sqlite3.Connection | None = None

    def close(self) -> None:
        """Remove all texts."""
        if self._rows is not None:
            self._rows.close()

    def add(self, file: ArchiveFile, error: UnknownFormatError, *, must_read: bool) -> bool:
        """Store a file that no reader takes, if it may be half a pair; return whether that is so.

        With ``must_read``, its ``error`` becomes the ``problem`` of all if it has no other half.

        Raises:
            DamagedArchiveError: if the scratch disk is full.
        """
        name = pair_name(file.name)
        if name is None or file.suffix not in _SUFFIXES or file.head_text is None or not file.head:
            return False
        try:
            text = clean_text(file.read_text(self._options))
        except (ArchiveError, *DAMAGE):  # its beginning alone was looked at so far
            return False
        if looks_like_html(text):
            text = clean_text(html_to_text(text))
        if len(text) > self._options.limits.post_characters:
            return False
        if self._rows is None:
            self._rows = private_rows(
                "CREATE TABLE half (number INTEGER PRIMARY KEY, "
                "container TEXT, name TEXT, role TEXT, key TEXT, grp TEXT, text TEXT, place TEXT, reason TEXT)"
            )
        values = (file.container, file.name, *name, without_label(text, name.role), error.place, error.reason)
        try:
            self._rows.execute("INSERT INTO half VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        except sqlite3.Error as problem:
            raise file.damaged(f"it cannot be stored in {tempfile.gettempdir()} ({problem})") from problem
        if not self.added % _CHECKED_FILES:
            require_scratch(file, Path(tempfile.gettempdir()), self._options, len(text))
        self.added += 1
        self.last = replace(file)
        if must_read and self.problem is None:
            self.problem = error
        return True

    def posts(self, log: ReadingLog) -> Iterator[Post | SetAside]:
        """Yield a post for each pair, and for each question alone; a note for all other files.

        The log gets what was paired.

        Raises:
            UnknownFormatError: if nothing is paired, and a file must be read.
        """
        if self._rows is None:
            return
        self._rows.executescript(
            f"""
            CREATE INDEX half_key ON half (container, key);
            CREATE TABLE pair AS SELECT container, key, min(grp) AS grp, sum(role = 'question') AS asked,
                sum(role = 'answer') AS told FROM half GROUP BY container, key;
            CREATE INDEX pair_group ON pair (container, grp);
            CREATE TABLE named AS SELECT container, grp, sum(asked = 1 AND told = 1) AS pairs,
                sum(asked + told) AS files FROM pair GROUP BY container, grp
                HAVING pairs >= {_FEWEST_PAIRS} AND {_ALONE} * (files - 2 * pairs) <= pairs;
            CREATE INDEX named_group ON named (container, grp);
            """  # noqa: S608 - two numbers
        )
        if self.problem is not None and not self._rows.execute("SELECT 1 FROM named").fetchone():
            raise self.problem
        yield from self._notes()
        yield from self._pairs(log)

    def _notes(self) -> Iterator[SetAside]:
        """Yield a note for each file that is not used in a post."""
        assert self._rows is not None  # noqa: S101 - there are files
        alone = (
            "SELECT half.container, name, role, place, reason, named.pairs, asked FROM half JOIN pair USING "
            "(container, key) LEFT JOIN named ON named.container = half.container AND named.grp = pair.grp "
            "WHERE named.pairs IS NULL OR asked != 1 OR told > 1 ORDER BY number"
        )
        with closing(self._rows.execute(alone)) as found:
            for container, name, role, place, reason, pairs, asked in found:
                source = f"{container}/{name}"
                if pairs is None:
                    yield SetAside(
                        source, place, f"{reason}, and fewer than {_FEWEST_PAIRS} pairs of files have such names"
                    )
                elif role == "answer" and not asked:
                    yield SetAside(
                        source, "", "the file with its question is missing, which others have by their names"
                    )
                else:
                    yield SetAside(source, "", "several files have the name of the same question or the same answer")

    def _pairs(self, log: ReadingLog) -> Iterator[Post | SetAside]:
        assert self._rows is not None  # noqa: S101 - there are files
        halves = (
            "SELECT asks.container, asks.name, asks.text, tells.name, tells.text FROM half AS asks JOIN pair USING "
            "(container, key) JOIN named ON named.container = pair.container AND named.grp = pair.grp LEFT JOIN half "
            "AS tells ON tells.container = asks.container AND tells.key = asks.key AND tells.role = 'answer' WHERE "
            "asks.role = 'question' AND asked = 1 AND told < 2 ORDER BY asks.number"
        )
        pairs = alone = 0
        example = ("", "")
        with closing(self._rows.execute(halves)) as found:
            for container, name, question, other, answer in found:
                pairs, alone = pairs + (other is not None), alone + (other is None)
                example = example if example[0] or other is None else (name, other)
                post = Post(source=container, source_id=name, question=question, answer=answer or "")
                if len(question) + len(post.answer) > self._options.limits.post_characters:
                    yield SetAside(f"{container}/{name}", "", post_too_long(self._options))
                    continue
                yield post
        if pairs:
            log.took("question", example[0], pairs)
            log.took("answer", example[1], pairs)
            log.remark(
                f"{counted(pairs, 'pair')} of files are read as a question and its answer by their names, such as "
                f"{example[0]} and {example[1]}"
            )
        if alone:
            log.remark(f"{counted(alone, 'question')} without a file that is named as the answer")
