"""Search results as Markdown, CSV and HTML, for reading and working on elsewhere.

Posts were written by anybody. So nothing in them is obeyed by what shows the file: no markup, no formulas, no scripts,
no control characters.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from qa_search.types import Field, Hit, OtherPost, SearchResult
from qa_search.util.text import without_unsafe

if TYPE_CHECKING:
    from jinja2 import Template

CSV_COLUMNS = (
    "query", "answered", "result_confidence",
    "rank", "post_id", "source_id", "title", "date", "source", "url", "tags",
    "score", "confidence", "matched", "passage", "highlight", "question", "answer",
)  # fmt: skip

_HEADING = "Closest past answers"
_MAX_TITLE = 200
_LINK = re.compile(r"https?://[^/?#]", re.IGNORECASE)
# What spreadsheets take for the beginning of a formula; some also in its full-width form, or behind a line end.
_FORMULA_STARTS = tuple("=+-@\t\n＝＋－＠")
_MARKUP = re.compile(r"[\\`*_{}\[\]<>&~|$^@#]|:(?=//)|(?<=www)\.", re.IGNORECASE)
_BLOCK_START = re.compile(r"^(\d+(?=[.)])|(?=[-+=:]))")
_NOT_IN_LINKS = re.compile(r"[\s<>\"`{}|\\^]")

# What is before the sentence that matters, the sentence, and what is after; without one, all is before.
Pieces = tuple[str, str, str]


def to_markdown(result: SearchResult, *, title: str = _HEADING) -> str:
    """Write a result as Markdown, the sentence that matters in bold.

    Nothing in a post is markup by the rules of CommonMark and GitHub. (GitHub makes a mail link of every mail address,
    however it is written.)

    Args:
        result: what a search gave.
        title: the heading above it.
    """
    blocks = [f"# {_escaped(_in_one_line(title))}", _quoted(_markdown_text((_plain(result.query), "", "")))]
    if note := _note(result):
        blocks.append(f"**{note}**")
    for hit in result.hits:
        blocks.append(f"## {hit.rank}. {_markdown_line(_title(hit))}")
        lines = [_escaped(line) for line in (_facts(hit), *_others(hit))]
        if link := _link(hit):
            lines.append(f"<{link}>")
        blocks.append("  \n".join(lines))
        for label, field in _texts(hit):
            blocks += [f"**{label}**", _markdown_text(_pieces(hit, field))]
    return "\n\n".join(blocks) + "\n"


def to_csv(
    results: Iterable[SearchResult], *, ids: Iterable[str | int] | None = None, header: bool = True
) -> Iterator[str]:
    r"""Write results as CSV (RFC 4180): yield the header, then a row per hit, each with its line end ("\r\n").

    A cell that a spreadsheet would take for a formula gets an apostrophe in front.

    Args:
        results: what searches gave; read as rows are asked for.
        ids: an id for each result, for a first column "id".
        header: whether to begin with the names of the columns.
    """
    if header:
        yield _csv_line(CSV_COLUMNS if ids is None else ("id", *CSV_COLUMNS))
    if ids is None:
        for result in results:
            yield from _csv_rows(result)
    else:
        for result, name in zip(results, ids, strict=True):
            yield from _csv_rows(result, name)


def to_html(result: SearchResult) -> str:
    """Write a result as one HTML page that needs no other file and runs nothing, the sentence that matters marked."""
    hits = [
        {
            "rank": hit.rank,
            "title": _title(hit),
            "facts": [_facts(hit), *_others(hit)],
            "link": _link(hit),
            "texts": [(label, _pieces(hit, field)) for label, field in _texts(hit)],
        }
        for hit in result.hits
    ]
    return _html_page().render(heading=_HEADING, query=_plain(result.query), note=_note(result), hits=hits) + "\n"


def _plain(text: str) -> str:
    return without_unsafe(text.replace("\r\n", "\n").replace("\r", "\n"))


def _pieces(hit: Hit, field: Field) -> Pieces:
    """Part a text of a hit at the sentence that matters, if that is in it."""
    text, mark = getattr(hit, field), hit.highlight
    if mark.field != field or text[mark.start : mark.end] != mark.text:
        return _plain(text), "", ""
    return _plain(text[: mark.start]), _plain(mark.text), _plain(text[mark.end :])


def _title(hit: Hit) -> Pieces:
    if hit.title.strip():
        before, marked, after = (re.sub(r"\s+", " ", piece) for piece in _pieces(hit, "title"))
        return before, marked, after
    beginning = _in_one_line(hit.question or hit.answer)
    return beginning if len(beginning) <= _MAX_TITLE else f"{beginning[:_MAX_TITLE]}…", "", ""


def _texts(hit: Hit) -> list[tuple[str, Field]]:
    texts: tuple[tuple[str, Field], ...] = (("Question", "question"), ("Answer", "answer"))
    return [(label, field) for label, field in texts if getattr(hit, field).strip()]


def _note(result: SearchResult) -> str:
    if not result.hits:
        return "No post in the archive passes these filters."
    if not result.answered:
        return f"Nothing in the archive seems to answer this (confidence {result.confidence:.0%}). The nearest posts:"
    return ""


def _facts(hit: Hit) -> str:
    origin = hit.source if hit.source.endswith(f"/{hit.source_id}") else f"{hit.source}/{hit.source_id}"
    facts = [hit.date[:10] if hit.date else "no date", origin, f"confidence {hit.confidence:.0%}", *hit.tags]
    return _in_one_line(" · ".join(facts))


def _others(hit: Hit) -> list[str]:
    """Say which post is newer and which ask the same."""
    lines = []
    if hit.newer is not None:
        lines.append(f"Newer answer, of {(hit.newer.date or '')[:4]}: {_named(hit.newer)}")
    if hit.repeated_by:
        lines.append(f"Also asked as: {', '.join(map(_named, hit.repeated_by))}")
    return [_in_one_line(line) for line in lines]


def _named(post: OtherPost) -> str:
    return f"{post.title or 'untitled'} ({post.source_id})"


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" if line else ">" for line in text.split("\n"))


def _in_one_line(text: str) -> str:
    return " ".join(_plain(text).split())


def _link(hit: Hit) -> str:
    """Return the post's address if it is one of the web, with what would end it too early written as %XX."""
    address = _plain(hit.url or "").strip()
    if not _LINK.match(address):
        return ""
    return _NOT_IN_LINKS.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), address)


def _csv_rows(result: SearchResult, *first: str | int) -> Iterator[str]:
    for hit in result.hits:
        yield _csv_line((
            *first, result.query, result.answered, result.confidence,
            hit.rank, hit.post_id, hit.source_id, hit.title, hit.date, hit.source, hit.url, "; ".join(hit.tags),
            hit.score, hit.confidence, hit.matched, hit.passage, hit.highlight.text, hit.question, hit.answer,
        ))  # fmt: skip


def _csv_line(cells: Iterable[object]) -> str:
    stream = io.StringIO()
    csv.writer(stream).writerow([_csv_cell(cell) for cell in cells])
    return stream.getvalue()


def _csv_cell(cell: object) -> object:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if not isinstance(cell, str):
        return cell
    text = _plain(cell)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\g<0>", text)


def _markdown_text(pieces: Pieces) -> str:
    """Write a text as paragraphs, its line ends kept."""
    start, end = len(pieces[0]), len(pieces[0]) + len(pieces[1])
    paragraphs: list[list[str]] = [[]]
    for line in "".join(pieces).split("\n"):
        first, last = (min(max(at, 0), len(line)) for at in (start, end))
        written = _BLOCK_START.sub(r"\1\\", _markdown_line((line[:first], line[first:last], line[last:])))
        start, end = start - len(line) - 1, end - len(line) - 1
        if written:
            paragraphs[-1].append(written)
        else:
            paragraphs.append([])
    # Two blanks at its end keep a line from being joined with the next.
    return "\n\n".join("  \n".join(lines) for lines in paragraphs if lines)


def _markdown_line(pieces: Pieces) -> str:
    before, marked, after = pieces
    bold = marked.strip()
    if not bold:
        return _escaped("".join(pieces)).strip()
    head, _, tail = marked.partition(bold)
    before, after = before + head, tail + after
    # Stars mean bold next to blanks and punctuation, not always next to letters: what is there is written as &#N;.
    near, far = _as_number(before[-1:]), _as_number(after[:1])
    return f"{_escaped(before[:-1])}{near}**{_escaped(bold)}**{far}{_escaped(after[1:])}".strip()


def _as_number(character: str) -> str:
    return f"&#{ord(character)};" if character.strip() else character


@cache
def _html_page() -> Template:
    from jinja2 import Environment  # here, because few searches need it

    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(_HTML)


_HTML = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ heading }}</title>
<style>
:root { color-scheme: light dark }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif }
blockquote, .text { white-space: pre-wrap; overflow-wrap: anywhere }
blockquote { margin: 0; padding-left: 1rem; border-left: .25rem solid #888 }
article { margin-top: 2rem; border-top: 1px solid #888 }
h3 { margin-bottom: 0; font-size: 1rem }
.text { margin-top: 0 }
.facts { color: #777; overflow-wrap: anywhere }
mark { background: #fd6; color: #000 }
</style>
</head>
<body>
{% macro marked(pieces) %}
{{ pieces[0] }}{% if pieces[1] %}<mark>{{ pieces[1] }}</mark>{% endif %}{{ pieces[2] }}
{%- endmacro %}
<h1>{{ heading }}</h1>
<blockquote dir="auto">{{ query }}</blockquote>
{% if note %}
<p><strong>{{ note }}</strong></p>
{% endif %}
{% for hit in hits %}
<article>
<h2 dir="auto">{{ hit.rank }}. {{ marked(hit.title) }}</h2>
{% for line in hit.facts %}
<p class="facts">{{ line }}</p>
{% endfor %}
{% if hit.link %}
<p><a href="{{ hit.link }}" rel="noopener noreferrer">{{ hit.link }}</a></p>
{% endif %}
{% for label, pieces in hit.texts %}
<h3>{{ label }}</h3>
<p class="text" dir="auto">{{ marked(pieces) }}</p>
{% endfor %}
</article>
{% endfor %}
</body>
</html>
"""
