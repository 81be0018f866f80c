"""The archive page: title, date, Question, Answer, and links to the posts before and after.

::

    TITLE
    YYYY/M/D H:MM:SS
    Question
    ...any number of lines...
    Answer
    ...any number of lines...
    - Prev:TITLE OF THE PREVIOUS POST
    - Next:TITLE OF THE NEXT POST
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal

from qa_search.archives.base import ArchiveFile, ReadOptions, short_date
from qa_search.archives.formats.records import content_id
from qa_search.types import Post, SetAside
from qa_search.util.text import clean_text

_LINK = re.compile(r"-\s*(Prev|Next)\s*:\s*(.*)")
# The marker line comes third; blank lines and a missing date move it by a few.
_HEADER_LINES = 6

Links = dict[Literal["Prev", "Next"], str]


class PageError(ValueError):
    """A page lacks a part: the message names it, ``place`` says where."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(reason)
        self.place = place


class PageReader:
    """Reads archive pages saved as text, one post a file."""

    name = "archive page"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """A page has the word Question alone on a line near the top."""
        text = file.head_text
        if text is None or text.lstrip().startswith("<"):
            return False
        top = [line.strip() for line in text.lstrip("\ufeff \r\n\t").splitlines()[:_HEADER_LINES]]
        return "Question" in top[1:]

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside]:
        """Yield the page's post."""
        text = clean_text(file.read_text(options))
        if len(text) > options.limits.post_characters:
            raise file.post_over_limit(options)
        try:
            parse = parse_pages if text.count("\nQuestion") > 1 else _one_page
            yield from parse(file, text.split("\n"))
        except PageError as error:
            yield file.set_aside(error.place, str(error))


def parse_pages(file: ArchiveFile, lines: Sequence[str]) -> list[Post]:
    """Make a post of a page's lines, or one of each pair where it has several questions with their answers.

    The pairs of a page share its date. Their ids come from what is asked, as they share the page's name.

    Raises:
        PageError: if a part is missing or the date is invalid.
    """
    starts = _pair_starts(lines)
    if len(starts) < 2:
        return _one_page(file, lines)
    first = parse_page(file, lines)
    posts = []
    for (question_line, answer_line), (following, _) in pairwise([*starts, (len(lines), 0)]):
        end = following if following < len(lines) else split_links(lines, answer_line + 1)[0]
        question = "\n".join(lines[question_line + 1 : answer_line]).strip()
        answer = "\n".join(lines[answer_line + 1 : end]).strip()
        posts.append(
            Post(
                source=file.source,
                source_id=content_id("", "", question, answer),
                question=question,
                answer=answer,
                date=first.date,
            )
        )
    return posts


def _one_page(file: ArchiveFile, lines: Sequence[str]) -> list[Post]:
    return [parse_page(file, lines)]


def _pair_starts(lines: Sequence[str]) -> list[tuple[int, int]]:
    """Find the lines of each question that has an answer before the next question: (Question, Answer)."""
    found: list[tuple[int, int]] = []
    question = None
    for number, line in enumerate(lines):
        if line.strip() == "Question":
            question = number
        elif line.strip() == "Answer" and question is not None:
            found.append((question, number))
            question = None
    return found


def parse_page(file: ArchiveFile, lines: Sequence[str]) -> Post:
    """Make a post of a page's lines.

    Raises:
        PageError: if a part is missing or the date is invalid.
    """
    question_line = _find(lines, "Question", 0)
    answer_line = _find(lines, "Answer", question_line + 1)
    header = [(number, line.strip()) for number, line in enumerate(lines[:question_line]) if line.strip()]
    if not header:
        raise PageError("line 1", "no title before the line 'Question'")
    date = None
    if len(header) > 1:
        number, text = header[-1]
        date = short_date(text)
        if date is None:
            raise PageError(f"line {number + 1}", f"{text[:60]!r} is not a date (expected YYYY/M/D H:MM:SS)")
        header.pop()
    end, links = split_links(lines, answer_line + 1)
    return Post(
        source=file.container,
        source_id=file.name,
        title=" ".join(text for _, text in header),
        question="\n".join(lines[question_line + 1 : answer_line]).strip(),
        answer="\n".join(lines[answer_line + 1 : end]).strip(),
        date=date,
        prev_title=links.get("Prev"),
        next_title=links.get("Next"),
    )


def split_links(lines: Sequence[str], start: int) -> tuple[int, Links]:
    """Find the navigation lines that close a page: (where the answer ends, titles by Prev and Next).

    Only the very last lines count, so a step of an answer that begins with "- Next:" stays in the answer.
    """
    links: Links = {}
    end = len(lines)
    while end > start:
        line = lines[end - 1].strip()
        match = _LINK.fullmatch(line)
        if line and (match is None or match[1] in links):
            break
        if match is not None:
            links["Prev" if match[1] == "Prev" else "Next"] = match[2].strip()
        end -= 1
    return end, links


def _find(lines: Sequence[str], marker: str, start: int) -> int:
    for number in range(start, len(lines)):
        if lines[number].strip() == marker:
            return number
    raise PageError("", f"no line that says {marker!r} and nothing else")
