"""Exports: whatever a post holds, it stays text, and all of it is there."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import lxml.html
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml.etree import _Element
from markdown_it import MarkdownIt

from qa_search.interfaces.render.csv_rows import CSV_COLUMNS, to_csv
from qa_search.interfaces.render.html import to_html
from qa_search.interfaces.render.markdown import to_markdown
from qa_search.types import Field, Highlight, Hit, OtherPost, SearchResult

SNIPPETS = (
    "http://evil.example/x", "www.evil.example", "<script>alert(1)</script>", "<b>", "&lt;", "&#65;", "![x](y)",
    "[a](javascript:alert(1))", "[a]: /b", "---", "===", "```", "~~~", "~~x~~", "# ", "1. ", "1) ", "- ", "+ ", "* ",
    "    ", "\t", "> ", "| a | b |", "--- | ---", ":--", "**", "__", "_a_", "\\", "{{7*7}}", "{% raw %}", "$x$",
    "\n", "\n\n", "\r\n", "\r", "\x1b[31m", "\x9b", "\u202e", "\u2028", "\ud800", "\0", "\u00a0", "。", "下", "knee",
    "=1+1", "+1", "-1", "@SUM(A1)", "＝1", ",", ";", "</mark>", "</p>", "<!--", "]]>", "'", '"',
)  # fmt: skip
texts = st.lists(st.sampled_from(SNIPPETS) | st.text(max_size=4), max_size=12).map("".join)
CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef"
    rf"{''.join(f'{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}' for plane in range(0, 0x110000, 0x10000))}]"
)


def make_hit(rank: int = 1, mark: tuple[Field, int, int] = ("answer", 0, 0), **fields: Any) -> Hit:
    hit = Hit(rank, "id", "7", "Knees", "2018-03-04", "site/faq.jsonl", None, ("knee",), 0.5, 0.83, "answer", "p",
              Highlight("answer", 0, 0, ""), "Why?", "Because.")  # fmt: skip
    hit = replace(hit, **fields)
    field, start, end = mark
    return replace(hit, highlight=Highlight(field, start, end, getattr(hit, field)[start:end]))


def make_result(*hits: Hit, query: str = "my knee", answered: bool = True) -> SearchResult:
    return SearchResult(query, answered, 0.83, hits, 1.0)


@st.composite
def results(draw: st.DrawFn) -> SearchResult:
    """A result of one hit with anything in it, some part of a text marked."""
    fields = {name: draw(texts) for name in ("title", "question", "answer", "source", "source_id")}
    mark: Field = draw(st.sampled_from(("title", "question", "answer")))
    start, end = sorted(draw(st.tuples(*[st.integers(0, len(fields[mark]))] * 2)))
    newer = draw(st.none() | st.builds(OtherPost, texts, texts, texts, st.none() | texts))
    labels = tuple(draw(st.lists(texts, max_size=2)))
    hit = make_hit(1, (mark, start, end), newer=newer, tags=labels, **fields)
    return make_result(hit, query=draw(texts), answered=draw(st.booleans()))


def test_advice_is_exported() -> None:
    """Above the hits, in Markdown and HTML."""
    advised = replace(make_result(make_hit(1, ("answer", 0, 7)), answered=False), advice="Ask in the English language.")
    for export in (to_markdown, to_html):
        assert "Ask in the English language. The nearest posts:" in export(advised)


def cleaned(text: str) -> str:
    return CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def words(*parts: str) -> str:
    """All characters but blanks: where lines are broken is another matter."""
    return "".join("".join(map(cleaned, parts)).split())


def told(result: SearchResult) -> list[str]:
    """What must be readable of a result with one hit, in this order."""
    (hit,) = result.hits
    title = hit.title if hit.title.strip() else (hit.question or hit.answer)
    nothing = "Nothing in the archive seems to answer this (confidence 83%). The nearest posts:"
    origin = hit.source if hit.source.endswith(f"/{hit.source_id}") else f"{hit.source}/{hit.source_id}"
    parts = ["Closest past answers", result.query, "" if result.answered else nothing, "1.", title]
    parts += ["2018-03-04", *("·" + part for part in (origin, "confidence 83%", *hit.tags))]
    if hit.newer:
        title = hit.newer.title if words(hit.newer.title) else "untitled"
        parts.append(f"Newer answer, of {(hit.newer.date or '')[:4]}: {title} ")
        parts.append(f"({hit.newer.post_id or hit.newer.source_id})")
    parts += ["Question", hit.question] if hit.question.strip() else []
    return [*parts, *(["Answer", hit.answer] if hit.answer.strip() else [])]


def rendered(markdown: str) -> _Element:
    """Read Markdown as CommonMark with raw HTML, tables and struck out text."""
    html = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown)
    (body,) = lxml.html.document_fromstring(f"<body>{html}</body>").iter("body")
    return body


def tags(tree: _Element) -> set[str]:
    return {str(element.tag) for element in tree.iter()}


def text_of(elements: Sequence[_Element]) -> str:
    return words(*("".join(element.itertext()) for element in elements))


@given(results())
@example(make_result(make_hit(answer="a下「x。」y b", mark=("answer", 2, 5))))
@example(make_result(make_hit(answer="rest\ufffe now", mark=("answer", 0, 4))))
@example(make_result(make_hit(answer="one *two\n\n# three* four", mark=("answer", 4, 20))))
@pytest.mark.slow
def test_markdown_shows_a_post_as_it_is(result: SearchResult) -> None:
    """All of its text, none of it as markup, a link, HTML or a control character; the marked sentence in bold."""
    markdown = to_markdown(result)
    assert not CONTROLS.search(markdown)
    tree = rendered(markdown)
    assert tags(tree) <= {"body", "h1", "h2", "p", "blockquote", "strong", "br"}
    assert text_of([tree]) == words(*told(result))
    (hit,) = result.hits
    bold = text_of(tree.findall(".//strong"))
    shown = hit.highlight.field != "title" or hit.title.strip()
    labels = [label for label in ("Question", "Answer") if getattr(hit, label.lower()).strip()]
    pieces = [told(result)[2], *labels]
    if shown:
        place = {"title": 1, "question": 2}.get(hit.highlight.field, len(pieces))
        pieces.insert(min(place, len(pieces)), hit.highlight.text)
    assert bold == words(*pieces)


def test_markdown_keeps_lines_and_stays_readable() -> None:
    """Lines end where they ended, paragraphs too, and ordinary sentences look as they did."""
    answer = "Rest first. Then:\n1) Ice it (often)!\n2) Walk.\n\nIt's slow - be patient."
    markdown = to_markdown(
        make_result(make_hit(answer=answer, mark=("answer", 0, 11), url="https://example.org/q?a=1"))
    )
    assert markdown.endswith("""
## 1. Knees

2018-03-04 · site/faq.jsonl/7 · confidence 83% · knee  
<https://example.org/q?a=1>

**Question**

Why?

**Answer**

**Rest first.** Then:  
1\\) Ice it (often)!  
2\\) Walk.

It's slow - be patient.
""")  # noqa: W291 - two blanks are a line end in Markdown
    assert [link.get("href") for link in rendered(markdown).iter("a")] == ["https://example.org/q?a=1"]


def test_markdown_breaks_addresses_in_a_text() -> None:
    """Where GitHub would make links of them; CommonMark does not."""
    markdown = to_markdown(make_result(make_hit(question="See https://e.example or WWW.e.example: now.")))
    assert "See https\\://e.example or WWW\\.e.example: now." in markdown


def test_a_mark_without_markup_around_it_is_left_alone() -> None:
    """Where a highlight does not fit its text nothing is marked."""
    hit = replace(make_hit(), highlight=Highlight("answer", 0, 3, "not there"))
    assert "**B" not in to_markdown(make_result(hit))
    assert "<mark>" not in to_html(make_result(hit))


@pytest.mark.parametrize("url", [
    "javascript:alert(1)", "JAVASCRIPT:alert(1)", "java\x01script:alert(1)", "\x01javascript:alert(1)", "data:,x",
    "//evil.example", "https:evil.example", "https://", "file:///etc/passwd", "vbscript:x", "/relative", "", " ",
])  # fmt: skip
def test_only_addresses_of_the_web_become_links(url: str) -> None:
    """No other scheme, however it is disguised."""
    result = make_result(make_hit(url=url))
    assert "a" not in tags(lxml.html.document_fromstring(to_html(result)))
    assert "a" not in tags(rendered(to_markdown(result)))


@pytest.mark.parametrize("url", [
    'https://e.example/"onmouseover="x', "https://e.example/> <script>x</script>", "http://e.example/a b\n# c",
    "HTTPS://e.example/](javascript:x)", "https://e.example/`x`\\{}|^", "https://e.example/ä?b=ü&c=1#d",
    "https://e.example/%20%3C",
])  # fmt: skip
def test_a_link_ends_where_the_address_ends(url: str) -> None:
    """One link and nothing beside it, which leads where the address says."""
    result = make_result(make_hit(url=url))
    written = re.sub(r"[\s<>\"`{}|\\^]", lambda match: f"%{ord(match[0]):02X}", url)
    (link,) = lxml.html.document_fromstring(to_html(result)).iter("a")
    assert dict(link.attrib) == {"href": written, "rel": "noopener noreferrer"}
    tree = rendered(to_markdown(result))
    assert tags(tree) <= {"body", "h1", "h2", "p", "blockquote", "strong", "br", "a"}
    assert [unquote(str(link.get("href"))) for link in tree.iter("a")] == [unquote(written)]


@given(results())
@pytest.mark.slow
def test_html_shows_a_post_as_it_is(result: SearchResult) -> None:
    """All of its text, no element and no attribute from it, the sentence in <mark>; nothing is fetched or run."""
    html = to_html(result)
    assert not CONTROLS.search(html)
    page = lxml.html.document_fromstring(html)
    body = page.find("body")
    assert body is not None
    assert tags(body) <= {"body", "main", "h1", "h2", "h3", "p", "blockquote", "strong", "article", "mark"}
    assert {name for element in body.iter() for name in element.attrib} <= {"class", "dir"}
    assert text_of([body]) == words(*told(result))
    (hit,) = result.hits
    shown = hit.highlight.field != "title" or hit.title.strip()
    assert text_of(body.findall(".//mark")) == (words(hit.highlight.text) if shown else "")
    assert tags(page) <= tags(body) | {"html", "head", "meta", "title", "style"}
    assert "default-src 'none'" in html


@given(st.lists(results(), max_size=3), st.booleans())
@pytest.mark.slow
def test_csv_gives_back_what_went_in(found: list[SearchResult], named: bool) -> None:
    """Read by any reader of CSV: a row per hit, all cells, and none that a spreadsheet takes for a formula."""
    ids = [result.query for result in found] if named else None
    lines = list(to_csv(iter(found), ids=ids))
    assert all(line.endswith("\r\n") for line in lines)
    assert not CONTROLS.search("".join(lines).replace("\r\n", ""))
    header, *rows = csv.reader(io.StringIO("".join(lines), newline=""), strict=True)
    assert header == (["id", *CSV_COLUMNS] if named else list(CSV_COLUMNS))
    assert len(rows) == len(found)
    for result, cells in zip(found, rows, strict=True):
        (hit,) = result.hits
        row = dict(zip(header, cells, strict=True))
        assert not any(cell.startswith(tuple("=+-@\t\r\n")) for cell in cells)
        assert (row["answered"], row["result_confidence"]) == ("true" if result.answered else "false", "0.83")
        wanted = {name: getattr(hit, name) for name in ("title", "question", "answer", "source", "source_id")}
        for name, text in {**wanted, "query": result.query, "tags": "; ".join(hit.tags)}.items():
            sign = "'" if cleaned(text).lstrip("'").startswith(tuple("=+-@\t\n＝＋－＠")) else ""
            assert row[name] == sign + cleaned(text)


def test_csv_rows_are_made_one_by_one() -> None:
    """A result is asked for when its rows are; numbers, even negative ones, stay numbers; no hit makes no row."""

    def found() -> Any:
        yield make_result(make_hit(score=-1.5, title="-1.5", url=None))
        yield make_result()
        pytest.fail("more was read than was asked for")

    lines = to_csv(found())
    assert next(lines).startswith("query,answered,result_confidence,rank,")
    assert next(lines) == (
        "my knee,true,0.83,1,id,7,'-1.5,2018-03-04,site/faq.jsonl,,knee,-1.5,0.83,answer,p,,Why?,Because.\r\n"
    )
    assert list(to_csv([make_result()], header=False)) == []


def test_a_result_without_hits_says_so() -> None:
    """In Markdown and HTML."""
    for text in (to_markdown(make_result(answered=False)), to_html(make_result(answered=False))):
        assert "No post in the archive passes these filters." in text
        assert "Nothing in the archive" not in text


def test_markdown_takes_a_heading_of_ones_own() -> None:
    """In one line, as text."""
    tree = rendered(to_markdown(make_result(), title="c-1\n<b> # x #"))
    assert [heading.text for heading in tree.iter("h1")] == ["c-1 <b> # x #"]


@pytest.mark.parametrize("write", [to_markdown, to_html])
def test_every_form_says_how_a_very_long_query_was_read(write: Callable[[SearchResult], str]) -> None:
    """Before the hits, and only where there is something to say."""
    short = make_result(make_hit())
    assert "very long" in write(replace(short, note="The query is very long."))
    assert "very long" not in write(short)
