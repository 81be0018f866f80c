"""A search result as a page for the terminal."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap

import click

from qa_search.types import Explanation, Hit, OtherPost, SearchResult
from qa_search.util.text import without_unsafe

_MAX_WIDTH = 96
_INDENT = "   "
_CONTEXT = 200  # characters shown on either side of the marked sentence
_MARK_START, _MARK_END = "\ue000", "\ue001"  # private characters that stand for the highlight while wrapping
_MARKS = re.compile(f"[{_MARK_START}{_MARK_END}]")


def printable(text: str) -> str:
    """Leave out what could take over a terminal, and what stands for the highlight."""
    return _MARKS.sub("", without_unsafe(text))


def use_colour() -> bool:
    """Colour only on a terminal, and never with NO_COLOR set (see https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def render_result(result: SearchResult, *, full: bool = False, width: int | None = None) -> str:
    """Lay the hits out one below the other, the sentence that matters marked in each."""
    columns = max(min(width or shutil.get_terminal_size((80, 24)).columns, _MAX_WIDTH), 30)
    blocks = [_render_hit(hit, full, columns) for hit in result.hits]
    if not result.answered:
        nothing = f"Nothing in the archive seems to answer this (confidence {result.confidence:.0%})."
        warning = f"{result.advice or nothing} The nearest posts:"
        blocks.insert(0, "\n".join(textwrap.wrap(warning, columns)))
    return "\n\n".join(blocks)


def _render_hit(hit: Hit, full: bool, width: int) -> str:
    colour = use_colour()
    title = " ".join(printable(hit.title or hit.question or hit.answer).split())
    heading = textwrap.wrap(f"{hit.rank}. {title}", width, subsequent_indent=_INDENT, max_lines=2, placeholder=" …")
    origin = hit.source if hit.source.endswith(f"/{hit.source_id}") else f"{hit.source}/{hit.source_id}"
    facts = [
        hit.date[:10] if hit.date else "no date",
        origin,
        f"confidence {hit.confidence:.0%}",
        f"found in the {hit.matched}",
    ]
    lines = [_style(line, colour, bold=True) for line in heading]
    lines += [_style(line, colour, dim=True) for line in _wrapped(printable(" · ".join(facts)), width)]
    if hit.url:
        lines.append(_style(_INDENT + printable(hit.url), colour, dim=True))
    if hit.newer is not None:
        lines += _wrapped(f"Newer answer, of {(hit.newer.date or '')[:4]}: {_named(hit.newer)}", width)
    if hit.repeated_by:
        lines += _wrapped(f"Also asked as: {', '.join(_named(other) for other in hit.repeated_by)}", width)
    if full:
        for label, name in (("Question", "question"), ("Answer", "answer")):
            text = getattr(hit, name)
            if text:
                lines += ["", _style(_INDENT + label, colour, bold=True)]
                lines += _marked_lines(text, hit, name, width, colour)
    else:
        if hit.question and hit.highlight.field != "question":
            lines += ["", *_wrapped(_beginning(" ".join(printable(hit.question).split())), width)]
        lines += ["", *_highlight_lines(hit, width, colour)]
    if hit.explain is not None:
        lines += ["", *_explain_lines(hit.explain, width)]
    return "\n".join(lines)


def _named(post: OtherPost) -> str:
    return f"{' '.join(printable(post.title).split()) or 'untitled'} ({printable(post.source_id)})"


def _explain_lines(explain: Explanation, width: int) -> list[str]:
    """What the score is made of, the two sentences that met, and the terms in common."""
    signals = explain.signals.items()
    parts = ", ".join(f"{name} {signal.share:.2f} ({signal.value:.2f} x {signal.weight:g})" for name, signal in signals)
    return [
        *_wrapped(f"Why: {parts}", width),
        *_wrapped(f"You wrote: {' '.join(printable(explain.complaint).split())}", width),
        *_wrapped(f"In the {explain.side}: {' '.join(printable(explain.post.text).split())}", width),
        *_wrapped(f"In common: {printable(', '.join(explain.terms)) or 'no terms'}", width),
    ]


def _highlight_lines(hit: Hit, width: int, colour: bool) -> list[str]:
    """The marked sentence and what stands around it, with dots where the post goes on."""
    text, highlight = getattr(hit, hit.highlight.field), hit.highlight
    start = _word_start(text, max(0, highlight.start - _CONTEXT))
    end = _word_start(text, highlight.end + _CONTEXT) if len(text) > highlight.end + _CONTEXT else len(text)
    before = "… " if text[:start].strip() else ""
    after = " …" if text[end:].strip() else ""
    shown = before + _marked(text[start:end], highlight.start - start, highlight.end - start).strip() + after
    return _mark(_wrapped(shown, width), colour)


def _word_start(text: str, position: int) -> int:
    """Move a cut to the beginning of the word that it would break."""
    cut = max(text.rfind(blank, 0, position + 1) for blank in " \n")
    return cut + 1 if position and not text[position - 1].isspace() else position


def _marked(text: str, start: int, end: int) -> str:
    return printable(text[:start]) + _MARK_START + printable(text[start:end]) + _MARK_END + printable(text[end:])


def _marked_lines(text: str, hit: Hit, name: str, width: int, colour: bool) -> list[str]:
    highlight = hit.highlight
    if highlight.field == name and text[highlight.start : highlight.end] == highlight.text:
        shown = _marked(text, highlight.start, highlight.end)
    else:
        shown = printable(text)
    return _mark(_wrapped(shown, width), colour)


def _beginning(text: str, characters: int = _CONTEXT) -> str:
    if len(text) <= characters:
        return text
    return text[:characters].rsplit(maxsplit=1)[0] + " …"


def _wrapped(text: str, width: int) -> list[str]:
    lines: list[str] = []
    for line in text.split("\n"):
        lines += textwrap.wrap(
            line, width, initial_indent=_INDENT, subsequent_indent=_INDENT, break_on_hyphens=False
        ) or [""]
    return lines


def _mark(lines: list[str], colour: bool) -> list[str]:
    """Turn the marks into colour on a terminal and into »...« elsewhere."""
    marked = []
    inside = False
    for line in lines:
        if not colour:
            marked.append(line.replace(_MARK_START, "»").replace(_MARK_END, "«"))
            continue
        body = line.removeprefix(_INDENT)
        pieces = re.split(f"({_MARK_START}|{_MARK_END})", body)
        out = ""
        for piece in pieces:
            if piece in (_MARK_START, _MARK_END):
                inside = piece == _MARK_START
            elif piece:
                out += click.style(piece, fg="yellow", bold=True) if inside else piece
        marked.append(_INDENT + out if body else "")
    return marked


def _style(text: str, colour: bool, **style: bool) -> str:
    return click.style(text, **style) if colour else text
