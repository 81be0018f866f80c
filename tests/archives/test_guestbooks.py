"""Guestbooks, and comments below posts of blogs: what the owner answers."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from qa_search.archives.read import Reading, read_archives
from qa_search.errors import UnknownFormatError
from qa_search.types import Post, SetAside
from tests.helpers import posts_in

LINES = """Guestbook of the kettle museum

Ann wrote on 12.03.2004, 10:05:
How do I descale a kettle
of 1950?

Comment: With vinegar, that is
boiled for a while.

Tom Reed wrote on 13.03.2004, 11:00:
Nice museum!

Eve wrote on 14.03.2004, 12:00:
Is it open on Sundays?
Comment: Yes, from ten.
"""
FIELDS = """Name: Ann
E-Mail: a@b.de
Datum: 12.03.2004 10:05
Eintrag: Wie entkalke ich ihn?
Zweite Zeile.
Kommentar des Webmasters: Mit Essig.
----------
Name: Tom
Datum: 13.03.2004 10:05
Eintrag: Schönes Museum.
----------
Name: Eva
Datum: 14.03.2004 10:05
Eintrag: Ist sonntags offen?
Kommentar des Webmasters: Ja,
ab zehn.
"""
REPLY = """<ol class="children"><li class="comment {} depth-2"><article class="comment-body"><b class="fn">Bob</b>
<time datetime="2014-03-03T10:05:00">March 3</time><div class="comment-content"><p>{}</p></div></article>
<ol class="children"><li class="comment depth-3"><div class="comment-content"><p>Thanks! Why?</p></div></li></ol>
</li></ol>"""
COMMENT = """<li class="comment depth-1"><article class="comment-body"><b class="fn">{}</b>
<time datetime="2014-03-02T10:05:00">March 2</time><div class="comment-content"><p>{}</p></div></article>{}</li>"""
PAGE = "<html><article><h1>Kettles</h1><p>We love them.</p></article><ol class='comment-list'>{}</ol></html>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            LINES,
            [("Ann", "2004-03-12T10:05:00", "How do I descale a kettle\nof 1950?",
              "With vinegar, that is\nboiled for a while."),
             ("Tom Reed", "2004-03-13T11:00:00", "Nice museum!", ""),
             ("Eve", "2004-03-14T12:00:00", "Is it open on Sundays?", "Yes, from ten.")],
        ),
        (
            FIELDS,
            [("Ann", "2004-03-12T10:05:00", "Wie entkalke ich ihn?\nZweite Zeile.", "Mit Essig."),
             ("Tom", "2004-03-13T10:05:00", "Schönes Museum.", ""),
             ("Eva", "2004-03-14T10:05:00", "Ist sonntags offen?", "Ja,\nab zehn.")],
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("html", [False, True])
def test_each_entry_has_the_comment_below_it(
    text: str, expected: list[tuple[str, str, str, str]], html: bool, tmp_path: Path
) -> None:
    """With its date and its writer, in a text and on a page; an entry without a comment is unanswered."""
    if html:
        body = "".join(f"<p>{part.replace(chr(10), '<br>')}</p>" for part in text.split("\n\n"))
        (tmp_path / "guests.html").write_text(f"<html><body>{body}</body></html>", encoding="utf-8")
    else:
        (tmp_path / "guests.txt").write_text(text, encoding="utf-8")
    reading = Reading()
    items = [item for item in read_archives([tmp_path], reading=reading) if isinstance(item, Post)]
    assert [(post.author, post.date, post.question, post.answer) for post in items] == expected
    assert "2 comments on 3 entries of a guestbook are read as answers" in reading.reports[0].remarks


@pytest.mark.parametrize(
    "text",
    [
        LINES.replace("Comment", "Remark"),
        "\n\n".join(LINES.split("\n\n")[:3]),
        "Version 1.1, 12.03.2004\nFixed a leak.\n\nVersion 1.2, 13.03.2004\nFixed it again.\n\n"
        "Version 1.3, 14.03.2004\nFixed.\n",
    ],
)
def test_other_dated_texts_are_refused(text: str, tmp_path: Path) -> None:
    """Without comments, or with two entries, a text is no guestbook."""
    (tmp_path / "log.txt").write_text(text)
    with pytest.raises(UnknownFormatError):
        list(read_archives([tmp_path / "log.txt"]))


def test_what_the_author_of_a_page_answers_is_read(tmp_path: Path) -> None:
    """Right below a comment that asks, and marked as the author's: neither the page nor other comments."""
    comments = [
        COMMENT.format("Ann", "How do I descale it?", REPLY.format("bypostauthor", "With vinegar.")),
        COMMENT.format("Eve", "Nice.", REPLY.format("bypostauthor", "Thank you.")),
        COMMENT.format("Tom", "Refunds?", REPLY.format("", "I do not know.")),
    ]
    (tmp_path / "page.html").write_text(PAGE.format("".join(comments)))
    (post,) = posts_in(tmp_path)
    assert (post.question, post.answer, post.author) == ("How do I descale it?", "With vinegar.", "Ann")
    assert (post.date, post.answers[0].author) == ("2014-03-02T10:05:00", "Bob")


def test_comments_of_anybody_are_refused_with_a_way_out(tmp_path: Path) -> None:
    """Who of them knows is not said anywhere."""
    text = PAGE.format(COMMENT.format("Ann", "How do I descale it?", REPLY.format("", "With vinegar.")))
    (tmp_path / "page.html").write_text(text)
    with pytest.raises(UnknownFormatError, match=r"a page with comments.*columns question and answer.*parent_id"):
        list(read_archives([tmp_path / "page.html"]))


@pytest.mark.parametrize("kind", ["entries", "comments"])
def test_many_take_no_longer_each(kind: str, tmp_path: Path) -> None:
    """Ten times as many take some ten times as long."""
    taken = []
    for count in (500, 5000):
        if kind == "entries":
            entry = "Ann wrote on 12.03.2004, 10:05:\nDoes it leak?\nComment: It does.\n\n"
            (tmp_path / "a.txt").write_text(entry * count)
        else:
            comment = COMMENT.format("Ann", "Why?", REPLY.format("bypostauthor", "So."))
            (tmp_path / "a.html").write_text(PAGE.format(comment * count))
        start = time.perf_counter()
        assert sum(1 for _ in read_archives([tmp_path])) == count
        taken.append(time.perf_counter() - start)
    assert taken[1] < 40 * taken[0]


def test_a_text_that_goes_on_otherwise_is_refused(tmp_path: Path) -> None:
    """Its beginning alone looks like a guestbook: nothing is lost in silence."""
    entry = "Ann wrote on 12.03.2004, 10:05:\nDoes it leak?\nComment: It does.\n\n"
    other = "12.03.2004 Ann\n" * 4000
    (tmp_path / "a.txt").write_text(entry * 1000 + other)
    with pytest.raises(UnknownFormatError, match="a guestbook at first"):
        list(read_archives([tmp_path / "a.txt"]))


def test_a_saved_page_without_anything_on_it_is_refused(tmp_path: Path) -> None:
    """There is nothing in which comments could be looked for."""
    head = "From: <Saved by Blink>\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary=b\n\n--b\n"
    (tmp_path / "faq.mht").write_text(f"{head}Content-Type: text/html\n\n\n--b--\n")
    (note,) = read_archives([tmp_path])
    assert isinstance(note, SetAside)
