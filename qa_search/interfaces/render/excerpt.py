"""Parts of a text: the marked sentence, the text around it, the beginning. Cuts keep words whole."""

from __future__ import annotations

import re
from dataclasses import dataclass

from qa_search.types import Field, Highlight, Hit

_LONGEST_WORD = 40  # characters that a cut moves at most, to keep a word whole
_BLANK = re.compile(r"\s")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a text around its marked sentence, which may be empty; the text may go on at either end."""

    before: str
    marked: str = ""
    after: str = ""
    cut_before: bool = False
    cut_after: bool = False


def word_start(text: str, position: int, latest: int) -> int:
    """Move a cut forward to the beginning of a word, if one begins near."""
    blank = _BLANK.search(text[position - 1 : min(position + _LONGEST_WORD, latest)])
    return position + blank.start() if blank else position


def word_end(text: str, position: int, earliest: int) -> int:
    """Move a cut back to the end of a word, if one ends near."""
    start = max(position - _LONGEST_WORD, earliest)
    blanks = list(_BLANK.finditer(text[start : position + 1]))
    return start + blanks[-1].start() if blanks else position


def broken_word_start(text: str, position: int) -> int:
    """Move a cut back to the beginning of the word that it would break, if that is near."""
    start = max(position - _LONGEST_WORD, 0)
    blanks = list(_BLANK.finditer(text[start : position + 1]))
    if blanks:
        return start + blanks[-1].end()
    return position if start else 0


def beginning(text: str, most: int) -> str:
    """Return a text, or at most ``most`` characters of it and dots."""
    return text if len(text) <= most else f"{text[: word_end(text, most, 0)].rstrip()} …"


def cut(text: str, first: int, start: int, end: int, last: int) -> Excerpt:
    """Return text[first:last], in which text[start:end] is marked, without blanks where it was cut."""
    return Excerpt(
        text[first:start].lstrip() if first else text[:start],
        text[start:end],
        text[end:last].rstrip() if last < len(text) else text[end:],
        cut_before=first > 0,
        cut_after=last < len(text),
    )


def around(text: str, start: int, end: int, *, before: int, most: int) -> Excerpt:
    """Return the marked text[start:end] and the text around it.

    Args:
        text: all of it.
        start: where the marked sentence begins.
        end: where it ends; 0 if nothing is marked.
        before: the most characters before the sentence.
        most: the most characters in all, where the sentence is not longer than that.
    """
    first = word_start(text, start - before, start) if start > before else 0
    last = max(first + most, end + most - before if end else 0)
    last = word_end(text, last, end) if last < len(text) else len(text)
    return cut(text, first, start, end, last)


def whole(hit: Hit, field: Field, most: int) -> Excerpt:
    """Return a field, or the beginning of one longer than ``most``, and mark the sentence if it is in it."""
    text, mark = getattr(hit, field), hit.highlight
    end = len(text) if len(text) <= most else word_end(text, most, 0)
    start, stop = (min(mark.start, end), min(mark.end, end)) if mark.field == field else (end, end)
    return Excerpt(text[:start], text[start:stop], text[stop:end], cut_after=end < len(text))


def at_mark(hit: Hit, field: Field) -> Excerpt:
    """Return a whole field, and mark the sentence if the highlight fits the field."""
    return marked(getattr(hit, field), field, hit.highlight)


def marked(text: str, field: Field, mark: Highlight | None) -> Excerpt:
    """Return the whole text of a field, and mark the sentence if the highlight fits it."""
    if mark is None or mark.field != field or text[mark.start : mark.end] != mark.text:
        return Excerpt(text)
    return Excerpt(text[: mark.start], mark.text, text[mark.end :])
