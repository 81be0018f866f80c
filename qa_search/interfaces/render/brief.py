"""Search results and lists of posts -> a few short lines each, for a terminal."""

from __future__ import annotations

import textwrap
import unicodedata

import click

from qa_search.interfaces.render import wording
from qa_search.interfaces.render.excerpt import word_end
from qa_search.interfaces.render.terminal import INDENT, columns_of, one_line, use_colour
from qa_search.types import Hit, Post, SearchResult

# The colour of each level of likelihood, the least first.
_COLOURS = ("red", "red", "yellow", "green", "green")
_HOW_ON = (
    "In brackets: the estimated chance that the post answers. qa-search show ID prints a whole post, --full prints "
    "all of them."
)


def render_brief(result: SearchResult, *, width: int | None = None) -> str:
    """Write three lines a hit: rank, probability and title; the marked sentence; what is known of the post, its id."""
    columns = columns_of(width)
    blocks = ["\n".join(textwrap.wrap(warning, columns))] if (warning := wording.note(result)) else []
    blocks += ["\n".join(_hit_lines(hit, columns)) for hit in result.hits]
    blocks += [_style("\n".join(textwrap.wrap(_HOW_ON, columns)), dim=True)] if result.hits else []
    return "\n\n".join(blocks)


def post_line(post: Post, width: int | None = None) -> str:
    """Write a post as one line: date, id, title; cut to a terminal of ``width`` columns, whole without one."""
    line = f"{wording.day(post.date):10}  {post.post_id}  {one_line(wording.title_of(post))}"
    return line if width is None else clipped(line, width)


def clipped(text: str, width: int) -> str:
    """Return a text of one line, or as much of it and dots as fits in ``width`` columns of a terminal."""
    if _cells(text) <= width:
        return text
    end = len(text)
    while end > 0 and _cells(text[:end]) > width - len(" …"):
        end -= max((_cells(text[:end]) - width + len(" …")) // 2, 1)
    return f"{text[: word_end(text, max(end, 0), 0)].rstrip()} …"


def _hit_lines(hit: Hit, columns: int) -> list[str]:
    badge = f"[{wording.percent(hit.confidence)}]"
    rank = f"{hit.rank}. "
    title = clipped(one_line(wording.title_of(hit)), columns - len(rank) - len(badge) - 1)
    sentence = clipped(one_line(hit.highlight.text), columns - len(INDENT) - 2)
    colour = _COLOURS[wording.likelihood_level(hit.confidence)]
    facts = [wording.day(hit.date), *_newer(hit), f"id {hit.post_id}"]
    return [
        f"{_style(rank, bold=True)}{_style(badge, fg=colour)} {_style(title, bold=True)}",
        INDENT + (_style(sentence, fg="yellow", bold=True) if use_colour() else f"»{sentence}«"),
        _style(clipped(INDENT + " · ".join(facts), columns), dim=True),
    ]


def _newer(hit: Hit) -> list[str]:
    return [] if hit.newer is None else [f"newer answer, of {(hit.newer.date or '')[:4]}: {hit.newer.post_id}"]


def _cells(text: str) -> int:
    """Return how many columns a text takes: letters of East Asia take two, marks over letters none."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) != 0 for character in text)


def _style(text: str, **style: bool | str) -> str:
    return click.style(text, **style) if use_colour() else text  # type: ignore[arg-type]
