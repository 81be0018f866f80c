"""Outlines (OPML) -> a post for each line that asks: its note and what stands below it answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from qa_search.archives.base import ArchiveFile, ReadOptions, post_too_long, short_date
from qa_search.archives.formats.html_text import TextTooLongError, html_to_text
from qa_search.archives.formats.labels import bare_question, names_faq, seems_to_ask
from qa_search.archives.formats.records import content_id
from qa_search.archives.formats.xml_elements import elements, is_xml, local
from qa_search.types import Post, SetAside
from qa_search.util.text import clean_text

_ROOT = re.compile(r"<opml[\s>]", re.IGNORECASE)
_MARKUP = re.compile(r"</?[a-z][a-z0-9]{0,9}(?:\s[^<>]{0,300})?/?>", re.IGNORECASE)
_LABEL = re.compile(r"\s*(?:A|Answer|Antwort|Réponse|Respuesta|Risposta)\s*[:.]\s*", re.IGNORECASE)
_NOTES = ("_note", "note", "_status_note", "description")
_LOOKED_AT = 2000


@dataclass(frozen=True)
class _Line:
    """A line of an outline, with the number of its line in the file."""

    number: int
    text: str
    note: str
    date: str
    depth: int


class OpmlReader:
    """Reads outlines: lines that ask, what is noted of them and what stands below them."""

    name = "outline (OPML)"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """XML whose root is ``<opml>``."""
        return is_xml(file) and _ROOT.search((file.head_text or "")[:_LOOKED_AT]) is not None

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside]:
        """Yield a post for each line that asks and has something below it.

        Raises:
            UnknownFormatError: if no line asks.
            DamagedArchiveError: where the XML is broken.
        """
        title, feeds = "", 0
        body: Any = None
        for element in elements(file, options):
            name = local(element).lower()
            if name == "title" and not title:
                title = clean_text(element.text or "")
            feeds += name == "outline" and bool(element.get("xmlUrl"))
            body = element if name == "body" else body
        lines = [] if body is None else list(_lines(body, options))
        if feeds and 2 * feeds > len(lines):
            raise file.unknown("a list of feeds (OPML)", "Save the feeds themselves: their addresses are in it.")
        posts = list(_asked(lines, lambda line: seems_to_ask(line.text)))
        if not posts and (names_faq(title) or names_faq(file.name)):
            posts = list(_asked(lines, _is_last_heading(lines)))
            if posts:
                file.log.remark(
                    "no line asks: those of the lowest level that have something below them are the questions"
                )
        if not posts:
            raise file.unknown(
                "an outline (OPML) in which no line asks",
                'A question is a line such as "How do I ...?", with its answer as a note or in the lines below it.',
            )
        file.log.took("question", "lines that ask", len(posts))
        used = sum(taken for *_, taken in posts) + len({id(one) for _, above, *_ in posts for one in above})
        if used < len(lines):
            file.log.omit("lines of the outline that no question is above", len(lines) - used)
        for line, above, answer, _ in posts:
            question = bare_question(line.text)
            if len(question) + len(answer) > options.limits.post_characters:
                yield file.set_aside(f"line {line.number}", post_too_long(options))
                continue
            yield Post(
                source=file.source,
                source_id=content_id("", "", question, answer),
                question=question,
                answer=answer,
                date=short_date(line.date),
                tags=tuple(one.text for one in above if one.text),
            )


def _lines(body: Any, options: ReadOptions) -> Iterator[_Line]:
    """Yield the lines below an element in their order, without those that are comments."""
    waiting = [(child, 0) for child in reversed(body)]
    while waiting:
        element, depth = waiting.pop()
        if local(element).lower() != "outline" or element.get("isComment", "").lower() == "true":
            continue
        note = next((element.get(name) for name in _NOTES if element.get(name)), "")
        text = element.get("text") or element.get("title") or ""
        yield _Line(
            element.sourceline or 0, _plain(text, options), _plain(note, options), element.get("created", ""), depth
        )
        waiting += [(child, depth + 1) for child in reversed(element)]


def _asked(lines: list[_Line], asks: Callable[[_Line], bool]) -> Iterator[tuple[_Line, tuple[_Line, ...], str, int]]:
    """Yield each line that asks, the lines above it, its answer, and how many lines these are."""
    above: list[_Line] = []
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        above = [one for one in above if one.depth < line.depth]
        if not asks(line):
            above.append(line)
            continue
        start = number
        while number < len(lines) and lines[number].depth > line.depth:
            number += 1
        answer = "\n\n".join(filter(None, (line.note, _below(lines[start:number], line.depth + 1))))
        if answer:
            yield line, tuple(above), answer, 1 + number - start


def _below(lines: list[_Line], depth: int) -> str:
    """Write the lines below a question: paragraphs, and what is below these as lists."""
    parts: list[str] = []
    for line in lines:
        text = _LABEL.sub("", line.text, count=1) if line.depth == depth and not parts else line.text
        if line.depth == depth:
            parts.append("\n\n".join(filter(None, (text, line.note))))
        else:
            indent = "  " * min(line.depth - depth - 1, 8)
            item = f"{indent}- {text}" + (f": {line.note}" if line.note else "")
            parts[-1:] = [f"{parts[-1]}\n{item}" if parts else item]
    return clean_text("\n\n".join(filter(None, parts)))


def _is_last_heading(lines: list[_Line]) -> Callable[[_Line], bool]:
    """Return what finds the lowest headings: lines with a note, or with lines below that have no others below."""
    above = {id(line) for line, below in pairwise(lines) if below.depth > line.depth}
    parents: set[int] = set()
    stack: list[_Line] = []
    grandparents: set[int] = set()
    for line in lines:
        stack = [one for one in stack if one.depth < line.depth]
        if stack:
            parents.add(id(stack[-1]))
            if id(line) in above:
                grandparents.add(id(stack[-1]))
        stack.append(line)
    return lambda line: id(line) in parents - grandparents or bool(line.note and id(line) not in parents)


def _plain(text: str, options: ReadOptions) -> str:
    if _MARKUP.search(text):
        try:
            text = html_to_text(text, options.limits.post_characters)
        except TextTooLongError:
            return text
    return clean_text(text)
