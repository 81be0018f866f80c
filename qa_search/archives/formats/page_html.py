"""The archive page as a web page: the same parts, found in whatever markup surrounds them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from qa_search.archives.base import ArchiveFile, ReadOptions
from qa_search.archives.encodings import declared_encoding
from qa_search.archives.formats.found_dates import find_date
from qa_search.archives.formats.html_text import html_to_text
from qa_search.archives.formats.page import PageError, parse_page, parse_pages
from qa_search.types import Post
from qa_search.util.text import clean_text

# What stands above the question, site header left out, is much shorter.
_HEADER_LINES = 200
# No pattern here may try a text in more ways than it is long: comments are taken whole, tags end at the next "<".
_PAGE = re.compile(
    r"\s*+(?:<\?xml\b[^<>]*\?>\s*+)?(?><!--.*?-->\s*)*+<(?:!doctype\s+html|html|head|body|title|h[1-6]|div|p|article(?![^<>]{0,1000}docbook))\b",
    re.IGNORECASE | re.DOTALL,
)
# In a file named so, any element may be the first: programs write a table, or what belongs into a head, alone.
_ANY_TAG = re.compile(
    r"\s*+(?:<\?xml\b[^<>]*\?>\s*+)?(?><!--.*?-->\s*)*+<(?:!doctype\s+html|[a-z])", re.IGNORECASE | re.DOTALL
)
_LONGEST_MARKER = 20
_MARKER = re.compile(r"(?:- )?(question|answer)\s*:?", re.IGNORECASE)
_LINK = re.compile(r"[-•«‹<←]*\s*(prev|next)(?:ious)?\s*:(.*)", re.IGNORECASE)
_NEXT = re.compile(r"\bNext\s*:", re.IGNORECASE)
_LINK_TARGET = re.compile(r"\([^()\s]*\)$")
_TITLE = re.compile(r"<title(?:\s[^<>]*)?>([^<]*)</title>", re.IGNORECASE)
_CANONICAL = re.compile(r"<link\b(?=[^<>]*\brel=[\"']?canonical)[^<>]*\bhref=[\"']?([^\"'\s<>]+)", re.IGNORECASE)
_XML_CHARSET = re.compile(rb"\s*<\?xml\b[^<>]*\bencoding\s*=\s*[\"']([\w-]+)")
_CHARSET = re.compile(rb"<meta\b[^>]*\bcharset=[\"']?([\w-]+)", re.IGNORECASE)


def is_html(file: ArchiveFile) -> bool:
    """Return whether a file is an HTML page, judged by its first bytes."""
    if file.head_text is None:
        return False
    pattern = _ANY_TAG if file.suffix in (".html", ".htm") else _PAGE
    return pattern.match(file.head_text.lstrip("\ufeff")) is not None


def page_markup(file: ArchiveFile, options: ReadOptions) -> str:
    """Read a page in the encoding that it declares, or else in the detected one.

    Raises:
        OverLimitError: if it is longer than a record may be.
    """
    head = file.head[:2048]
    charset = None if options.encoding else _CHARSET.search(head) or _XML_CHARSET.match(head)
    encoding = declared_encoding(charset[1].decode("latin-1")) if charset else None
    if encoding is None:
        return file.read_text(options)
    return file.read(options).decode(encoding, "replace")


def canonical_url(markup: str) -> str | None:
    """Find the address that a page declares."""
    found = _CANONICAL.search(markup)
    return None if found is None else clean_text(found[1])


def count_pairs(lines: Sequence[str]) -> int:
    """Count the lines that say Question and are followed by one that says Answer before the next of them."""
    short = (line for line in lines if len(line) <= _LONGEST_MARKER)
    names = [match[1].lower() for line in short if (match := _MARKER.fullmatch(line))]
    return sum(pair == ("question", "answer") for pair in pairwise(names))


def archive_pages(file: ArchiveFile, lines: Sequence[str], markup: str, *, several: bool) -> list[Post]:
    """Make a post of a page's lines of text, or of each of its pairs where it has several.

    Site header and footer are left out.

    Raises:
        PageError: if a part is missing.
    """
    markers = {
        number: match[1].capitalize()
        for number, line in enumerate(lines)
        if len(line) <= _LONGEST_MARKER and (match := _MARKER.fullmatch(line))
    }
    question = next((number for number, name in markers.items() if name == "Question"), None)
    if question is None:
        raise PageError("", "no line that says 'Question' and nothing else")
    answer = next((number for number, name in markers.items() if name == "Answer" and number > question), None)
    if answer is None:
        raise PageError("", "no line that says 'Answer' and nothing else")
    title, date = _head([line for line in lines[:question] if line][-_HEADER_LINES:])
    if not title and (found := _TITLE.search(markup)):
        title = html_to_text(found[1])
    rest = [markers.get(answer + 1 + n, line) if several else line for n, line in enumerate(lines[answer + 1 :])]
    page = [title, *([date] if date else []), "Question", *lines[question + 1 : answer], "Answer"]
    page += _answer_and_links(rest)
    posts = parse_pages(file, page) if several else [parse_page(file, page)]
    url = canonical_url(markup)
    return posts if url is None else [replace(post, url=url) for post in posts]


def _head(header: Sequence[str]) -> tuple[str, str | None]:
    """Read the title and the unparsed date above the question."""
    dates = [(number, found[0]) for number, line in enumerate(header) if (found := find_date(line))]
    number, date = dates[-1] if dates else (len(header), None)
    title = header[number - 1] if number else ""
    return title, date


def _answer_and_links(lines: list[str]) -> list[str]:
    """Drop what follows the last Prev or Next link, and write the links as a text page has them."""
    lines = [part for line in lines for part in _split_links(line)]
    links = {number: link for number, line in enumerate(lines) if (link := _link(line))}
    certain = [number for number in links if _is_certain(number, links)]
    if not certain:
        return lines
    first = last = certain[-1]
    while first > 0 and (not lines[first - 1] or first - 1 in links):
        first -= 1
    named = [
        f"- {links[number][0]}:{_LINK_TARGET.sub('', links[number][1]).rstrip()}"
        for number in range(first, last + 1)
        if number in links
    ]
    return lines[:first] + named


def _link(line: str) -> tuple[str, str] | None:
    """Read a navigation line: (Prev or Next, title)."""
    match = _LINK.fullmatch(line)
    return None if match is None else (match[1].capitalize(), match[2].strip().rstrip("»›>→").rstrip())


def _split_links(line: str) -> list[str]:
    """Split "Prev: ... | Next: ..." on one line."""
    link, following = _link(line), _NEXT.search(line)
    if link is None or link[0] != "Prev" or following is None:
        return [line]
    before = line[: following.start()].rstrip()
    return [before.removesuffix(before[-1:] if before[-1:] in "|·/" else "").rstrip(), line[following.start() :]]


def _is_certain(number: int, links: dict[int, tuple[str, str]]) -> bool:
    """Return whether a line is navigation, not a step of the answer that begins with "Next:".

    It is empty, links somewhere, or stands beside the other one of the two.
    """
    kind, title = links[number]
    beside = (links[near][0] for near in (number - 1, number + 1) if near in links)
    return not title or _LINK_TARGET.search(title) is not None or any(other != kind for other in beside)
