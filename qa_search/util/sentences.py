"""Text -> sentences and list steps, as spans of characters.

Written for what lay people type: sentences without capitals, "1) ..." steps, "7:45/mile", "e.g.", hard-wrapped
lines. Rules, not a model: no download, and the same cut on every machine.
"""

from __future__ import annotations

import re

Span = tuple[int, int]

# A full stop after these never ends a sentence ...
_NEVER_LAST = frozenset(
    "e.g i.e eg ie dr mr mrs ms prof st vs cf approx ca resp incl ph.d b.sc m.sc z.b u.a d.h bzw".split()
)
# ... and after these only if a capital follows.
_SELDOM_LAST = frozenset(
    "etc a.m p.m am pm min mins hr hrs sec secs mi km ft in lb lbs oz kg yr yrs wk wks mo mos u.s u.k inc ltd jr sr "
    "jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun ave".split()
)
# ... and these never before a number: "no. 7", but "Did it help? No. I stopped."
_BEFORE_NUMBERS = frozenset("fig no nr vol p pp ch".split())
_STEP = re.compile(r"[ \t]*(?:[-*•·–—‣◦]|\(?\d{1,3}[.):]|\(?[a-zA-Z][.)])[ \t]+(?=\S)")
# Neither gives back what it has taken nor begins within a row of marks: there can be a hundred thousand.
_STOP = re.compile(r"(?:(?<![.!?…])[.!?…]++[\"'”’»)\]]*+(?=\s)|[。！？]++[」』”]*+)")
_NO_BLANK = re.compile(r"\S")
# No abbreviation is longer.
_LONGEST_LAST_WORD = 64
_LAST_WORD = re.compile(r"[^\s(\[\"'“‘]+$")
_WRAPPED_LINE_LENGTH = 45


def split_sentences(text: str) -> list[Span]:
    """Cut text into sentences and list steps.

    Returns:
        (start, end) spans in order, without blanks at either end. They do not overlap, and together they hold
        every character that is not a blank.
    """
    spans: list[Span] = []
    for start, end in _blocks(text):
        spans.extend(_split_block(text, start, end))
    return spans


def _blocks(text: str) -> list[Span]:
    """Cut at line ends, except where a line was only wrapped and its sentence continues in the next."""
    blocks: list[Span] = []
    start = 0
    lines = text.split("\n")
    position = 0
    for number, line in enumerate(lines):
        end = position + len(line)
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if not _is_wrapped(line, following):
            blocks.append((start, end))
            start = end + 1
        position = end + 1
    return blocks


def _is_wrapped(line: str, following: str) -> bool:
    """Return whether a sentence continues after a line end: a long line, no stop, then a small letter."""
    line, following = line.rstrip(), following.lstrip()
    return (
        len(line) >= _WRAPPED_LINE_LENGTH
        and following[:1].islower()
        and line[-1] not in ".!?…:;。！？"
        and not _STEP.match(following + " x")
    )


def _split_block(text: str, start: int, end: int) -> list[Span]:
    spans = []
    step = _STEP.match(text, start, end)
    position = step.end() if step else start  # the "1." of a step ends no sentence
    begin = start
    for stop in _STOP.finditer(text, position, end):
        if _ends_sentence(text, begin, stop, end):
            spans.append((begin, stop.end()))
            begin = stop.end()
    spans.append((begin, end))
    return [trimmed for span in spans if (trimmed := trim(text, *span)) is not None]


def _ends_sentence(text: str, begin: int, stop: re.Match[str], end: int) -> bool:
    mark = stop[0]
    found = _NO_BLANK.search(text, stop.end(), end)
    if found is None:
        return True
    following = found[0]
    if mark[0] == "…" or mark.startswith(".."):
        return not following.islower()
    if mark[0] != ".":
        # "(really?) and then": a mark inside brackets or quotes whose sentence goes on
        return not (len(mark.rstrip("\"'”’»)]")) < len(mark) and following.islower())
    word = _LAST_WORD.search(text, max(begin, stop.start() - _LONGEST_LAST_WORD), stop.start())
    last = word[0].lower() if word else ""
    if last in _NEVER_LAST or (last in _BEFORE_NUMBERS and following.isdigit()):
        return False
    if last in _SELDOM_LAST:
        return following.isupper() or (following.isdigit() and last == "etc")
    if len(last) == 1 and last.isalpha():
        # an initial ("J. Smith"), unless it is the word "I"
        return last == "i"
    if last.isdigit() and len(last) <= 2:
        # the number of a step within a line: "1. rest 2. ice", or alone at the beginning of a sentence
        first = _NO_BLANK.search(text, begin, stop.start())
        return not following.islower() and word is not None and first is not None and first.start() != word.start()
    return True


def trim(text: str, start: int = 0, end: int | None = None) -> Span | None:
    """Return where a text, or a span of it, begins and ends without blanks; None if nothing else is there."""
    inner = text[start:end].lstrip()
    start = (len(text) if end is None else end) - len(inner)
    end = start + len(inner.rstrip())
    return (start, end) if start < end else None
