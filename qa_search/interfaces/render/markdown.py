"""Search results -> Markdown. Nothing in a post becomes markup."""

from __future__ import annotations

import re

from qa_search.interfaces.render.exported import HEADING, Pieces, fact_lines, pieces, title_pieces
from qa_search.interfaces.render.links import link_in_file
from qa_search.interfaces.render.wording import labelled_texts, note, one_line
from qa_search.types import SearchResult
from qa_search.util.text import without_unsafe

_MARKUP = re.compile(r"[\\`*_{}\[\]<>&~|$^@#]|:(?=//)|(?<=www)\.", re.IGNORECASE)
_BLOCK_START = re.compile(r"^(\d+(?=[.)])|(?=[-+=:]))")


def to_markdown(result: SearchResult, *, title: str = HEADING) -> str:
    """Write a result as Markdown, the marked sentence in bold.

    Nothing in a post is markup by the rules of CommonMark and GitHub. (GitHub turns every mail address into a link,
    however it is written.)

    Args:
        result: what a search found.
        title: the heading above it.
    """
    blocks = [f"# {escaped(one_line(title))}", _quoted(_text((without_unsafe(result.query), "", "")))]
    if warning := note(result):
        blocks.append(f"**{warning}**")
    for hit in result.hits:
        blocks.append(f"## {hit.rank}. {_line(title_pieces(hit))}")
        lines = [escaped(line) for line in fact_lines(hit)]
        if link := link_in_file(hit.url):
            lines.append(f"<{link}>")
        blocks.append("  \n".join(lines))
        for label, field in labelled_texts(hit):
            blocks += [f"**{label}**", _text(pieces(hit, field))]
    return "\n\n".join(blocks) + "\n"


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" if line else ">" for line in text.split("\n"))


def escaped(text: str) -> str:
    """Write a text so that nothing in it is markup."""
    return _MARKUP.sub(r"\\\g<0>", text)


def _text(parts: Pieces) -> str:
    """Write a text as paragraphs and keep its line ends."""
    start, end = len(parts[0]), len(parts[0]) + len(parts[1])
    paragraphs: list[list[str]] = [[]]
    for line in "".join(parts).split("\n"):
        first, last = (min(max(at, 0), len(line)) for at in (start, end))
        written = _BLOCK_START.sub(r"\1\\", _line((line[:first], line[first:last], line[last:])))
        start, end = start - len(line) - 1, end - len(line) - 1
        if written:
            paragraphs[-1].append(written)
        else:
            paragraphs.append([])
    # Two blanks at the end of a line keep it apart from the next.
    return "\n\n".join("  \n".join(lines) for lines in paragraphs if lines)


def _line(parts: Pieces) -> str:
    before, marked, after = parts
    bold = marked.strip()
    if not bold:
        return escaped("".join(parts)).strip()
    head, _, tail = marked.partition(bold)
    before, after = before + head, tail + after
    # Stars mean bold beside blanks and punctuation, but not always beside letters: the neighbours become &#N;.
    near, far = _as_number(before[-1:]), _as_number(after[:1])
    return f"{escaped(before[:-1])}{near}**{escaped(bold)}**{far}{escaped(after[1:])}".strip()


def _as_number(character: str) -> str:
    return f"&#{ord(character)};" if character.strip() else character
