"""HTML to text."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_search.archives.formats.html_text import TextTooLongError, html_to_text, looks_like_html


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>One.</p>\n\n<p>Two\nlines.</p>", "One.\n\nTwo lines."),
        ("a<br>b<br/><br/>c", "a\nb\n\nc"),
        ("<ol><li>rest</li><li><p>ice</p></li></ol>", "1. rest\n2. ice"),
        ('<ol start="3"><li>x<li>y</ol>', "3. x\n4. y"),
        ("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "- a\n  - b\n- c"),
        ("<p>See:</p><ul><li>a</li></ul><p>End</p>", "See:\n\n- a\n\nEnd"),
        ("<pre><code>if x:\n    y()\n</code></pre><p>Done</p>", "if x:\n    y()\n\nDone"),
        ("run <code>make  test</code> now", "run make test now"),
        ('<a href="https://example.org/a">this</a>.', "this (https://example.org/a)."),
        ('<a href="https://example.org/">example.org</a>', "example.org"),
        ('<a href="#top">up</a> <a href="javascript:x()">no</a>', "up no"),
        ('<a href="https://example.org/i.png"><img src="i.png"></a>', "https://example.org/i.png"),
        ('x <img src="a" alt="a graph"> y', "x [a graph] y"),
        ("<table><tr><th>km</th><th>min</th></tr><tr><td>5</td><td>30</td></tr></table>", "km | min\n5 | 30"),
        ("<blockquote><p>quoted</p></blockquote><p>reply</p>", "quoted\n\nreply"),
        ("a&nbsp;&lt;b&gt; &amp; &#8217;c&#x1F600;", "a <b> & ’c😀"),
        ("<script>alert(1)</script><style>p{}</style>text<!-- note -->", "text"),
        ("bold<b>er</b> and <i> spaced </i>out", "bolder and spaced out"),
        ("<b>unclosed <i>tags <p>here", "unclosed tags\n\nhere"),
        ("", ""),
        ("   \n ", ""),
        ("<!-- only a comment -->", ""),
    ],
)
def test_text_keeps_what_matters(markup: str, text: str) -> None:
    """Paragraphs, steps, code and link targets survive; the markup does not."""
    assert html_to_text(markup) == text


@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_deep_nesting_is_read_or_refused_never_lost(depth: int) -> None:
    """Text below a mountain of tags comes out, or there is an error; no crash, no silence."""
    markup = "<div>" * depth + "deep" + "</div>" * depth
    try:
        assert html_to_text(markup) == "deep"
    except ValueError as error:
        assert "HTML" in str(error)


@pytest.mark.parametrize(
    "markup",
    ["<b>" * 30_000 + "</i>" * 30_000, "<pre>" + " " * 500_000 + "x", "<" * 100_000, "<!--" * 50_000, "&" * 200_000,
     "<p " + "a=1 " * 100_000 + ">", "<p " * 100_000, "<table><tr><td>" * 100_000],
)  # fmt: skip
def test_time_grows_with_the_length_alone(markup: str) -> None:
    """A megabyte of what parsers and patterns try in many ways takes seconds, not hours."""
    started_at = time.process_time()
    with suppress(ValueError):
        html_to_text(markup)
    assert time.process_time() - started_at < 10


def test_pieces_that_the_parser_is_fed_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tags, characters and comments may be cut anywhere."""
    markup = '<p>Één &amp; <b class="x">two</b><!-- no --><script>x</script> &#x1F600;<br/>👍<pre>a\r\n b</pre>' * 20
    whole = html_to_text(markup)
    for size in (1, 2, 3, 7, 100):
        monkeypatch.setattr("qa_search.archives.formats.html_text._PIECE_BYTES", size)
        assert html_to_text(markup) == whole


def test_text_beyond_a_number_of_characters_is_refused() -> None:
    """As soon as it is reached, not at the end."""
    assert html_to_text("<p>12345</p>", 5) == "12345"
    with pytest.raises(TextTooLongError, match="more than 5 characters"):
        html_to_text("<p>1234</p><p>5</p>", 5)


@given(st.text())
def test_any_text_is_survived(text: str) -> None:
    """No input makes the conversion fail other than by its own error."""
    html_to_text(f"<p>{text}")


@given(st.lists(st.text(alphabet=st.characters(categories=["L", "N"]), min_size=1), min_size=1))
def test_no_word_is_lost(words: list[str]) -> None:
    """Words in paragraphs, items and cells all come out, in order."""
    tags = ["p", "li", "td", "span", "h2", "pre"]
    markup = "".join(f"<{tags[n % 6]}>{word}</{tags[n % 6]}> " for n, word in enumerate(words))
    found = html_to_text(markup).replace("|", " ").replace("- ", " ").split()
    assert found == words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>x</p>", True),
        ("line<br/>line", True),
        ('<a href="x">y</a>', True),
        ("consult online --> <link>", False),
        ("a < b and c > d", False),
        ("<3 running", False),
        ("", False),
    ],
)
def test_markup_is_told_from_text(text: str, expected: bool) -> None:
    """Angle brackets alone make no HTML."""
    assert looks_like_html(text) is expected
