"""The archive page as HTML."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from qa_search.archives.formats.web_page import WebPageReader
from qa_search.archives.read import ReadOptions
from qa_search.errors import UnknownFormatError
from qa_search.types import Post
from tests.helpers import archive_file, read

SITE = """<!DOCTYPE html>
<html><head><title>Ankle again | Ask us</title><meta charset="utf-8">
<link rel="canonical" href="https://example.org/ankle-again">
<style>p {color: red}</style><script>var Question = 1;</script></head>
<body><header><p>Ask the expert</p><p>Home of answers since 2009</p></header>
<h1>Ankle again</h1><p class="date">2012/5/1 9:08:07</p>
<h2>Question</h2><p>It clicks &amp; hurts.<br>For weeks.</p><p>What now?</p>
<h2>Answer</h2><p>Do this:</p><ol><li>Tape it</li><li>Read <a href="https://example.org/x">this page</a></li></ol>
<ul><li>Next: see someone if it swells</li><li>Keep warm</li></ul>
<ul class="nav"><li>Prev:<a href="sore.html">Sore feet</a></li><li>Next:<a href="knee.html">Knee!!</a></li></ul>
<footer><p>Copyright</p></footer></body></html>"""

BARE = """<html><body><pre>Ankle again
2012/5/1 9:08:07
Question
It clicks.
Answer
Tape it.
- Prev:Sore feet
- Next:Knee!!
</pre></body></html>"""

BOLD = """<div><b>Ankle again</b><br>2012/5/1 9:08:07<br><b>Question:</b><br>It clicks.<br><b>Answer:</b><br>Tape it.
<br><a href="sore.html">Prev:Sore feet</a> | <a href="knee.html">Next:Knee!!</a><br><small>contact us</small></div>"""


def one(markup: str | bytes) -> Post:
    (item,) = read(WebPageReader(), markup, "ankle.html")
    assert isinstance(item, Post), item
    return item


def test_a_page_in_a_site_s_markup_is_read() -> None:
    """Header, footer, styles and navigation are left out; list steps and link targets are kept."""
    assert one(SITE) == Post(
        source="folder",
        source_id="ankle.html",
        title="Ankle again",
        question="It clicks & hurts.\nFor weeks.\n\nWhat now?",
        answer="Do this:\n\n1. Tape it\n2. Read this page (https://example.org/x)\n\n"
        "- Next: see someone if it swells\n- Keep warm",
        date="2012-05-01T09:08:07",
        url="https://example.org/ankle-again",
        prev_title="Sore feet",
        next_title="Knee!!",
    )


@pytest.mark.parametrize("markup", [BARE, BOLD])
def test_other_markup_gives_the_same_post(markup: str) -> None:
    """Preformatted text and bold headings are pages too."""
    post = one(markup)
    assert (post.title, post.date, post.question, post.answer) == (
        "Ankle again",
        "2012-05-01T09:08:07",
        "It clicks.",
        "Tape it.",
    )
    assert (post.prev_title, post.next_title) == ("Sore feet", "Knee!!")


@pytest.mark.parametrize("charset", ["utf-8", "windows-1252", "iso-8859-15", "utf-16"])
def test_the_declared_charset_counts(charset: str) -> None:
    """A page may say how it is encoded."""
    markup = SITE.replace("It clicks", "Café clicks").replace('charset="utf-8"', f'charset="{charset}"')
    assert one(markup.encode(charset)).question.startswith("Café clicks & hurts.")


def test_another_web_page_is_refused_by_name() -> None:
    """It has nothing that asks: the message says what a page needs."""
    with pytest.raises(
        UnknownFormatError, match=r"an HTML page without recognisable questions and answers.*headings, bold lines"
    ):
        read(WebPageReader(), "<html><body><h1>Welcome</h1></body></html>")


PAGE = "<html><head>{}</head><h1>T</h1><p>2014/3/2</p><p>Question</p>q<p>Answer</p>{}</html>"


@pytest.mark.parametrize(
    "markup",
    [
        "<!-- -->" * 8000,
        "<!-- -->" * 8000 + "<html>",
        PAGE.format("<title" * 50_000, "a"),
        PAGE.format("<link rel=canonical " * 20_000, "a"),
        PAGE.format("", f"<pre>a\nPrev: x{' ' * 100_000}y{' ' * 100_000}(</pre>"),
        PAGE.format("", f"<pre>a\nPrev: x{' ' * 100_000}|{' ' * 100_000}Next{' ' * 100_000}z</pre>"),
        PAGE.replace("2014/3/2", "<br>9999-99-99" * 5000).format("", "a"),
    ],
)
def test_time_grows_with_the_length_alone(markup: str) -> None:
    """Nothing is tried in all the ways in which it could be parted."""
    file = archive_file(markup, "page.html")
    started_at = time.process_time()
    if WebPageReader().recognises(file, ReadOptions()):
        with suppress(UnknownFormatError):
            list(WebPageReader().read(file, ReadOptions()))
    assert time.process_time() - started_at < 10


@pytest.mark.parametrize("charset", ["punycode", "idna", "zip", "utf-7", "undefined", "unicode_escape", "nothing"])
def test_charsets_that_are_none_are_passed_over(charset: str) -> None:
    """Python has codecs by these names, of which some take forever and some raise what nobody expects."""
    (made,) = read(WebPageReader(), PAGE.format(f"<meta charset={charset}>", "é").encode("cp1252"))
    assert isinstance(made, Post)
    assert made.answer == "é"


def test_a_declared_charset_is_read() -> None:
    """The bytes alone could not tell it."""
    (made,) = read(WebPageReader(), PAGE.format("<meta charset=koi8-r>", "колено").encode("koi8-r"))
    assert isinstance(made, Post)
    assert made.answer == "колено"
