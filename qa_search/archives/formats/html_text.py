"""HTML -> text that keeps what matters in an answer: paragraphs, list steps, code and link targets."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any, cast

from lxml import etree

# Tags that people's posts are made of; "<link>" or "a < b > c" in plain text must not count as markup.
_TAGS = re.compile(
    r"</?(?:p|br|div|span|ul|ol|li|a|b|i|em|strong|u|code|pre|blockquote|h[1-6]|table|tr|td|th|hr|img|sup|sub)"
    r"(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_BLOCKS = frozenset(
    "address article aside body caption dd details div dl dt figcaption figure fieldset footer form header html "
    "main nav section summary table tbody tfoot thead tr li".split()
)
_PARAGRAPHS = frozenset("blockquote h1 h2 h3 h4 h5 h6 hr ol p pre table ul dl".split())
_HIDDEN = frozenset("head iframe noscript object script style svg template title".split())
_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
_BLANKS = re.compile(r"[ \t\n\r\f\v\u00a0]+")
# As deep as browsers go. The parser's time grows with depth times length.
MAX_DEPTH = 512
_PIECE_BYTES = 1 << 16


def looks_like_html(text: str) -> bool:
    """Return whether a field's text is HTML rather than plain text."""
    return _TAGS.search(text) is not None


class TextTooLongError(ValueError):
    """A text is longer than it may be."""


def html_to_text(markup: str, most: int | None = None) -> str:
    """Convert an HTML fragment or page to plain text, of at most so many characters.

    Paragraphs are parted by a blank line, list items start a line with "- " or their number, ``<pre>`` keeps
    its blanks, and a link is followed by its target in parentheses unless it already reads so.

    Raises:
        TextTooLongError: if the text is longer.
        ValueError: if the markup cannot be parsed, or is nested more than `MAX_DEPTH` deep.
    """
    target = _TextTarget(most)
    # Built for each text; `no_network` is the default, and a parser of HTML reads no entities or DTDs.
    parser: Any = etree.HTMLParser(target=cast(Any, target), encoding="utf-8", huge_tree=True)
    # Surrogates and NULs end libxml2's input; neither is text.
    data = markup.replace("\0", "\ufffd").encode("utf-8", "replace")
    try:
        # Piece by piece: when the target has had enough, the parser still goes on to the end of what it was fed.
        for start in range(0, len(data), _PIECE_BYTES):
            parser.feed(data[start : start + _PIECE_BYTES])
        parser.close()
    except etree.XMLSyntaxError as error:
        if not data.strip():
            return ""
        raise ValueError(f"HTML that cannot be parsed ({error})") from error
    return target.text()


class _TextTarget:
    """Gets the parser's events one by one, so no tree is built."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._length = 0
        self._depth = 0
        self._pieces: list[str] = []
        self._breaks = 0  # line ends owed before the next text
        self._space = False  # a blank owed before the next text on the same line
        self._line_empty = True
        self._hidden = 0
        self._pre = 0
        self._lists: list[int | None] = []  # next number of each open list, None for bullets
        self._marker = ""
        self._links: list[tuple[str, int]] = []
        self._cell = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError(f"HTML nested more than {MAX_DEPTH} deep")
        if tag in _HIDDEN:
            self._hidden += 1
        if self._hidden:
            return
        if tag == "br":
            self._break_line(min(self._breaks + 1, 2))
        elif tag in ("ul", "ol"):
            self._break_line(1 if self._lists else 2)
            self._lists.append(_integer(attributes.get("start"), 1) if tag == "ol" else None)
        elif tag == "li":
            self._break_line(1)
            self._start_item(attributes)
        elif tag in _PARAGRAPHS:
            self._break_line(1 if self._marker else 2)
        elif tag in _BLOCKS:
            self._break_line(0 if self._marker else 1)
        elif tag in ("td", "th"):
            if self._cell:
                self._write(" | ")
            self._cell = True
        elif tag == "a":
            self._links.append((attributes.get("href", "").strip(), len(self._pieces)))
        elif tag == "img" and attributes.get("alt", "").strip():
            self._write(f"[{attributes['alt'].strip()}]")
        if tag == "pre":
            self._pre += 1
        if tag == "tr":
            self._cell = False

    def end(self, tag: str) -> None:
        self._depth -= 1
        if tag in _HIDDEN:
            self._hidden = max(0, self._hidden - 1)
            return
        if self._hidden or tag in _VOID:
            return
        if tag == "pre":
            self._pre = max(0, self._pre - 1)
        if tag in ("ul", "ol"):
            if self._lists:
                self._lists.pop()
            self._break_line(1 if self._lists else 2)
        elif tag == "li":
            self._marker = ""
            self._break_line(1)
        elif tag in _PARAGRAPHS:
            self._break_line(2)
        elif tag in _BLOCKS:
            self._break_line(1)
        elif tag == "a" and self._links:
            self._end_link(*self._links.pop())

    def data(self, data: str) -> None:
        if self._hidden:
            return
        if self._pre:
            self._write_preformatted(data)
            return
        words = _BLANKS.sub(" ", data)
        if words.startswith(" "):
            self._space = True
        if words.strip():
            self._write(words.strip())
            self._space = words.endswith(" ")

    def close(self) -> None:
        """Called by the parser at the end of the markup."""

    def text(self) -> str:
        """Return what has been written, without blanks at the ends of lines."""
        lines = "".join(self._pieces).split("\n")
        return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip(" \t") for line in lines)).strip()

    def _break_line(self, count: int) -> None:
        self._space = False
        if not self._line_empty or self._breaks:
            self._breaks = max(self._breaks, count)

    def _start_item(self, attributes: Mapping[str, str]) -> None:
        indent = "  " * max(0, len(self._lists) - 1)
        number = self._lists[-1] if self._lists else None
        if number is None:
            self._marker = f"{indent}- "
            return
        number = _integer(attributes.get("value"), number)
        self._lists[-1] = number + 1
        self._marker = f"{indent}{number}. "

    def _flush_breaks(self) -> None:
        if self._breaks:
            if self._pieces:
                self._append("\n" * self._breaks)
            self._breaks = 0
            self._line_empty = True
        if self._marker:
            self._append(self._marker)
            self._marker = ""

    def _write(self, text: str) -> None:
        owed = self._space and not self._line_empty and not self._breaks
        self._flush_breaks()
        self._append(f" {text}" if owed else text)
        self._space = False
        self._line_empty = False

    def _write_preformatted(self, data: str) -> None:
        if not data:
            return
        self._flush_breaks()
        self._append(data.replace("\r\n", "\n"))
        self._line_empty = False

    def _append(self, text: str) -> None:
        self._length += len(text)
        if self._most is not None and self._length > self._most:
            raise TextTooLongError(f"text of more than {self._most:,} characters")
        self._pieces.append(text)

    def _end_link(self, href: str, start: int) -> None:
        if not href or href.startswith(("#", "javascript:", "data:")):
            return
        shown = "".join(self._pieces[start:]).strip()
        target = href.removeprefix("mailto:")
        if _bare(target) != _bare(shown):
            self._space = bool(shown)
            self._write(f"({target})" if shown else target)


# For each parser, lxml looks at how `start` is to be called: a third of the time of a short text, if not written down.
setattr(_TextTarget.start, "__signature__", inspect.signature(_TextTarget.start))  # noqa: B010 - mypy knows of no such


def _bare(url: str) -> str:
    return re.sub(r"^(?:https?://)?(?:www\.)?|/$", "", url)


def _integer(value: str | None, default: int) -> int:
    return int(value) if value and re.fullmatch(r"-?\d{1,6}", value) else default
