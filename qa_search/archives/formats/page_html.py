"""The archive page as a web page: the same parts, found in whatever markup surrounds them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from qa_search.archives.base import ArchiveFile, ReadOptions
from qa_search.archives.encodings import declared_encoding
from qa_search.archives.formats.html_text import TextTooLongError, html_to_text
from qa_search.archives.formats.page import PageError, parse_page
from qa_search.types import Post, SetAside
from qa_search.util.dates import parse_date
from qa_search.util.text import clean_text

# What stands above the question, site header left out, is much shorter.
_HEADER_LINES = 200
# No pattern here may try a text in more ways than it is long: comments are taken whole, tags end at the next "<".
_PAGE = re.compile(
    r"\s*+(?><!--.*?-->\s*)*+<(?:!doctype\s+html|html|head|body|title|h[1-6]|div|p|article)\b",
    re.IGNORECASE | re.DOTALL,
)
_MARKER = re.compile(r"(?:- )?(question|answer)\s*:?", re.IGNORECASE)
_LINK = re.compile(r"[-•«‹<←]*\s*(prev|next)(?:ious)?\s*:(.*)", re.IGNORECASE)
_NEXT = re.compile(r"\bNext\s*:", re.IGNORECASE)
_LINK_TARGET = re.compile(r"\([^()\s]*\)$")
_DATE = re.compile(r"\d{4}[/.-]\d{1,2}[/.-]\d{1,2}(?:[T ]+\d{1,2}:\d{2}(?::\d{2})?)?")
_TITLE = re.compile(r"<title(?:\s[^<>]*)?>([^<]*)</title>", re.IGNORECASE)
_CANONICAL = re.compile(r"<link\b(?=[^<>]*\brel=[\"']?canonical)[^<>]*\bhref=[\"']?([^\"'\s<>]+)", re.IGNORECASE)
_CHARSET = re.compile(rb"<meta\b[^>]*\bcharset=[\"']?([\w-]+)", re.IGNORECASE)


class HtmlPageReader:
    """Reads archive pages saved as HTML, one post a file."""

    name = "archive page (HTML)"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """An HTML page; whether it is an archive page is known once its text is there."""
        return file.head_text is not None and _PAGE.match(file.head_text.lstrip("\ufeff")) is not None

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside]:
        """Yield the page's post."""
        markup = self._markup(file, options)
        try:
            text = clean_text(html_to_text(markup, options.limits.post_characters))
            yield self._post(file, [line.strip() for line in text.split("\n")], markup)
        except PageError as error:
            yield file.set_aside(error.place, f"not an archive page: {error}")
        except TextTooLongError:
            raise file.post_over_limit(options) from None
        except ValueError as error:
            yield file.set_aside("", str(error))

    def _markup(self, file: ArchiveFile, options: ReadOptions) -> str:
        charset = _CHARSET.search(file.head[:2048])
        encoding = declared_encoding(charset[1].decode("latin-1")) if charset else None
        if encoding is None:
            return file.read_text(options)
        return file.read(options).decode(encoding, "replace")

    def _post(self, file: ArchiveFile, lines: list[str], markup: str) -> Post:
        """Bring the page's text into the lines of an archive page, site header and footer left out."""
        markers = {
            number: match[1].capitalize() for number, line in enumerate(lines) if (match := _MARKER.fullmatch(line))
        }
        question = next((number for number, name in markers.items() if name == "Question"), None)
        if question is None:
            raise PageError("", "no line that says 'Question' and nothing else")
        answer = next((number for number, name in markers.items() if name == "Answer" and number > question), None)
        if answer is None:
            raise PageError("", "no line that says 'Answer' and nothing else")
        header = [line for line in lines[:question] if line][-_HEADER_LINES:]
        dates = [number for number, line in enumerate(header) if (found := _DATE.search(line)) and parse_date(found[0])]
        title_at = dates[-1] - 1 if dates else len(header) - 1
        title = header[title_at] if title_at >= 0 else ""
        if not title and (found := _TITLE.search(markup)):
            title = html_to_text(found[1])
        page = [title]
        if dates and (found := _DATE.search(header[dates[-1]])):
            page.append(found[0])
        page += [
            "Question",
            *lines[question + 1 : answer],
            "Answer",
            *self._answer_and_links(lines[answer + 1 :]),
        ]
        post = parse_page(file, page)
        canonical = _CANONICAL.search(markup)
        return post if canonical is None else replace(post, url=clean_text(canonical[1]))

    def _answer_and_links(self, lines: list[str]) -> list[str]:
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
    """Part "Prev: ... | Next: ..." on one line."""
    link, following = _link(line), _NEXT.search(line)
    if link is None or link[0] != "Prev" or following is None:
        return [line]
    before = line[: following.start()].rstrip()
    return [before.removesuffix(before[-1:] if before[-1:] in "|·/" else "").rstrip(), line[following.start() :]]


def _is_certain(number: int, links: dict[int, tuple[str, str]]) -> bool:
    """Tell a navigation line from a step of the answer that happens to begin with "Next:".

    It is empty, links somewhere, or stands beside the other one of the two.
    """
    kind, title = links[number]
    beside = (links[near][0] for near in (number - 1, number + 1) if near in links)
    return not title or _LINK_TARGET.search(title) is not None or any(other != kind for other in beside)
