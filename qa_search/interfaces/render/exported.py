"""What the exported files have in common: the texts of a hit, with the marked sentence apart."""

from __future__ import annotations

import re

from qa_search.interfaces.render import excerpt, wording
from qa_search.types import Field, Hit
from qa_search.util.text import without_unsafe

HEADING = "Closest past answers"
_MAX_TITLE = 200

# The text before the marked sentence, the sentence, the text after it. Without a sentence, all is before.
Pieces = tuple[str, str, str]


def pieces(hit: Hit, field: Field) -> Pieces:
    """Split a text of a hit at its marked sentence."""
    parts = excerpt.at_mark(hit, field)
    return without_unsafe(parts.before), without_unsafe(parts.marked), without_unsafe(parts.after)


def title_pieces(hit: Hit) -> Pieces:
    """Split the title, or return the beginning of the text that stands for a missing one."""
    if hit.title.strip():
        before, marked, after = (re.sub(r"\s+", " ", piece) for piece in pieces(hit, "title"))
        return before, marked, after
    line = wording.one_line(wording.title_of(hit))
    return line if len(line) <= _MAX_TITLE else f"{line[:_MAX_TITLE]}…", "", ""


def fact_lines(hit: Hit) -> list[str]:
    """Return the facts of a hit in one line, and a line for each kind of related posts."""
    return [wording.one_line(wording.facts(hit, wording.confidence(hit.confidence), *hit.tags)), *wording.related(hit)]
