"""Search results and posts -> pages for the terminal."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap

import click

from qa_search.interfaces.render import excerpt, wording
from qa_search.interfaces.render.excerpt import Excerpt
from qa_search.types import Explanation, Field, Highlight, Hit, OtherPost, Post, SearchResult
from qa_search.util.text import without_unsafe

INDENT = "   "
_MAX_WIDTH = 96
_MIN_WIDTH = 30
_CONTEXT = 200  # characters shown on either side of the marked sentence
_MARK_START, _MARK_END = "\ue000", "\ue001"  # private characters that stand for the highlight while wrapping
_MARKS = re.compile(f"[{_MARK_START}{_MARK_END}]")


def printable(text: str) -> str:
    """Remove what could control a terminal, and what stands for the highlight."""
    return _MARKS.sub("", without_unsafe(text))


def one_line(text: str) -> str:
    """Return a printable text as one line."""
    return wording.one_line(_MARKS.sub("", text))


def use_colour() -> bool:
    """Return whether to colour: as the command says, else on a terminal, unless NO_COLOR is set (no-color.org)."""
    context = click.get_current_context(silent=True)
    if context is not None and context.color is not None:
        return context.color
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def render_result(result: SearchResult, *, full: bool = False, width: int | None = None) -> str:
    """Write the hits one below the other, with the sentence marked in each."""
    columns = columns_of(width)
    blocks = [_render_hit(hit, full, columns) for hit in result.hits]
    if warning := wording.note(result):
        blocks.insert(0, "\n".join(textwrap.wrap(warning, columns)))
    return "\n\n".join(blocks)


def render_post(
    post: Post, neighbours: tuple[OtherPost | None, OtherPost | None], mark: Highlight | None = None
) -> str:
    """Write a whole post, with a sentence marked, and the posts that it links to as previous and next."""
    width, colour = columns_of(None), use_colour()
    more = [*([post.author] if post.author else []), *post.tags]
    title = textwrap.wrap(one_line(wording.title_of(post)), width, max_lines=2, placeholder=" …")
    lines = [_style(line, colour, bold=True) for line in title]
    lines += _wrapped(printable(wording.facts(post, *more)), width)
    if post.url:
        lines.append(INDENT + one_line(post.url))
    for label, field in wording.labelled_texts(post):
        text = excerpt.marked(getattr(post, field), field, mark)
        lines += ["", INDENT + _style(label, colour, bold=True), *_marked_lines(text, width, colour)]
    links = [
        f"{label}: {wording.named(other) if other else f'{title}, not in the index'}"
        for label, title, other in zip(
            ("Previous", "Next"), (post.prev_title, post.next_title), neighbours, strict=True
        )
        if other or title
    ]
    lines += [""] * bool(links)
    return "\n".join([*lines, *(line for link in links for line in _wrapped(printable(link), width))])


def columns_of(width: int | None = None) -> int:
    """Return the columns to write in: those of the terminal, or 80, within limits; or ``width``."""
    return max(min(width or shutil.get_terminal_size((80, 24)).columns, _MAX_WIDTH), _MIN_WIDTH)


def _render_hit(hit: Hit, full: bool, width: int) -> str:
    colour = use_colour()
    title = f"{hit.rank}. {one_line(wording.title_of(hit))}"
    heading = textwrap.wrap(title, width, subsequent_indent=INDENT, max_lines=2, placeholder=" …")
    facts = wording.facts(hit, wording.confidence(hit.confidence), f"found in the {hit.matched}")
    lines = [_style(line, colour, bold=True) for line in heading]
    lines += [_style(line, colour, dim=True) for line in _wrapped(printable(facts), width)]
    if hit.url:
        lines.append(_style(INDENT + printable(hit.url), colour, dim=True))
    for line in wording.related(hit):
        lines += _wrapped(printable(line), width)
    if full:
        for label, field in wording.labelled_texts(hit):
            lines += ["", _style(INDENT + label, colour, bold=True)]
            lines += _marked_lines(excerpt.at_mark(hit, field), width, colour)
    else:
        if hit.question and hit.highlight.field != "question":
            lines += ["", *_wrapped(_question_beginning(hit), width)]
        lines += ["", *_marked_lines(_highlight(hit), width, colour)]
    if hit.explain is not None:
        lines += ["", *_explain_lines(hit.explain, width)]
    return "\n".join(lines)


def _explain_lines(explain: Explanation, width: int) -> list[str]:
    """Return the parts of the score, the two sentences that are closest, and the terms in common."""
    signals = explain.signals.items()
    parts = ", ".join(f"{name} {signal.share:.2f} ({signal.value:.2f} x {signal.weight:g})" for name, signal in signals)
    return [
        *_wrapped(f"Why: {parts}", width),
        *_wrapped(f"You wrote: {one_line(explain.complaint)}", width),
        *_wrapped(f"In the {explain.side}: {one_line(explain.post.text)}", width),
        *_wrapped(f"In common: {printable(', '.join(explain.terms)) or 'no terms'}", width),
    ]


def _question_beginning(hit: Hit) -> str:
    question = one_line(hit.question)
    return question if len(question) <= _CONTEXT else excerpt.beginning(question, _CONTEXT - len(" …"))


def _highlight(hit: Hit) -> Excerpt:
    """Return the marked sentence and the text around it."""
    mark = hit.highlight
    field: Field = mark.field
    text = getattr(hit, field)
    first = excerpt.broken_word_start(text, max(0, mark.start - _CONTEXT))
    last = mark.end + _CONTEXT
    last = excerpt.word_end(text, last, mark.end) if last < len(text) else len(text)
    return excerpt.cut(text, first, mark.start, mark.end, last)


def _marked_lines(shown: Excerpt, width: int, colour: bool) -> list[str]:
    """Wrap an excerpt, with dots where it was cut, and show its mark: in colour, or as »...«."""
    marked = f"{_MARK_START}{printable(shown.marked)}{_MARK_END}" if shown.marked else ""
    text = f"{printable(shown.before)}{marked}{printable(shown.after)}".strip()
    lines = _wrapped("… " * shown.cut_before + text + " …" * shown.cut_after, width)
    return _in_colour(lines) if colour else [_in_quotes(line) for line in lines]


def _in_quotes(line: str) -> str:
    return line.replace(_MARK_START, "»").replace(_MARK_END, "«")


def _in_colour(lines: list[str]) -> list[str]:
    coloured, inside = [], False
    for line in lines:
        body, out = line.removeprefix(INDENT), ""
        for piece in re.split(f"({_MARK_START}|{_MARK_END})", body):
            if piece in (_MARK_START, _MARK_END):
                inside = piece == _MARK_START
            elif piece:
                out += click.style(piece, fg="yellow", bold=True) if inside else piece
        coloured.append(INDENT + out if body else "")
    return coloured


def _wrapped(text: str, width: int) -> list[str]:
    lines: list[str] = []
    for line in text.split("\n"):
        lines += textwrap.wrap(
            line, width, initial_indent=INDENT, subsequent_indent=INDENT, break_on_hyphens=False
        ) or [""]
    return lines


def _style(text: str, colour: bool, **style: bool) -> str:
    return click.style(text, **style) if colour else text
