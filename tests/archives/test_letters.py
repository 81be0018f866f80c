"""Letters to a column, and interviews: texts that only their names part."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from qa_search.archives.read import Reading, read_archives
from qa_search.errors import UnknownFormatError
from qa_search.types import Post
from tests.helpers import posts_in

COLUMN = """Ask Dr. Foot

Dear Dr. Foot,
My heel hurts every morning.

What can I do about it?

Worried, Leeds

Plantar fasciitis is common.
Stretch the calf.

Dr. Foot

TWO LEFT FEET

Dear Dr. Foot,
My shoes are too small but pretty. Should I keep them?
Yours sincerely,
Ann

Dr. Foot replies: Give them away.

Dr. Foot

Dear Dr. Foot,

I run ten miles. My toe is black.

-- Runner

Rest it.

Dr. Foot
"""
ABBY = """DEAR ABBY: My husband snores. What should I do? -- WORRIED IN OHIO
DEAR WORRIED: Buy earplugs.

DEAR ABBY: My neighbor sings at night. -- TIRED

DEAR TIRED: Sing along.
"""
GERMAN = """Liebe Frau Sommer,
mein Hund bellt nachts.

Viele Grüße
Anna

Lassen Sie ihn im Haus schlafen.

Liebe Frau Sommer,
meine Katze kratzt.

Ratlos in Kiel

Ein Kratzbaum hilft.

Liebe Frau Sommer!
Mein Vogel singt nicht.

Tom, 12

Er mausert sich.
"""
INTERVIEW = """Interview with the kettle maker

Anna Miller: Thank you for coming. How did you begin?
Dr. Tom Reed: With a single kettle.

In a shed.
Anna Miller: How do people descale it best?
Dr. Tom Reed: With vinegar.
Anna Miller: And why does it leak?
Dr. Tom Reed: The seal is old. Would you have thought so?
Anna Miller: What about refunds?
Dr. Tom Reed: Within 14 days.
Anna Miller: How long does it last?
Dr. Tom Reed: Ten years.
Anna Miller: Is it loud?
Dr. Tom Reed: Hardly.
Anna Miller: May it be painted?
Dr. Tom Reed: No.
"""


@pytest.mark.parametrize(
    ("text", "last_lines", "answers", "titles"),
    [
        (
            COLUMN,
            ["Worried, Leeds", "Ann", "-- Runner"],
            ["Plantar fasciitis is common.\nStretch the calf.", "Give them away.", "Rest it."],
            ["", "TWO LEFT FEET", ""],
        ),
        (
            ABBY,
            ["DEAR ABBY: My husband snores. What should I do? -- WORRIED IN OHIO",
             "DEAR ABBY: My neighbor sings at night. -- TIRED"],
            ["DEAR WORRIED: Buy earplugs.", "DEAR TIRED: Sing along."],
            ["", ""],
        ),
        (
            GERMAN,
            ["Anna", "Ratlos in Kiel", "Tom, 12"],
            ["Lassen Sie ihn im Haus schlafen.", "Ein Kratzbaum hilft.", "Er mausert sich."],
            ["", "", ""],
        ),
    ],
)  # fmt: skip
def test_each_letter_has_the_answer_behind_its_signature(
    text: str, last_lines: list[str], answers: list[str], titles: list[str], tmp_path: Path
) -> None:
    """Or behind the name of the one who asked; the signature of all answers names their author."""
    (tmp_path / "column.txt").write_text(text, encoding="utf-8")
    reading = Reading()
    assert len([*read_archives([tmp_path], reading=reading)]) == len(answers)
    posts = posts_in(tmp_path)
    assert [post.question.split("\n")[-1] for post in posts] == last_lines
    assert [post.answer for post in posts] == answers
    assert [post.title for post in posts] == titles
    assert "what follows the signature is its answer" in reading.reports[0].remarks[0]
    assert (posts[0].answers[0].author if posts[0].answers else None) == ("Dr. Foot" if text == COLUMN else None)


@pytest.mark.parametrize(
    "text",
    [
        "Dear Tom,\nthe meeting is on Monday.\n\nRegards,\nAnn\n\nDear Tom,\nit is on Tuesday.\n\nRegards,\nAnn\n",
        "Dear Tom,\nthe meeting is on Monday.\n\nRegards,\nAnn\n\nPS: Bring cake.\n\n"
        "Dear Tom,\nit is on Tuesday.\n\nRegards,\nAnn\n\nPS: Bring more.\n",
        "Dear Dr. Foot,\nmy heel hurts.\n\nWorried\n\nStretch it.\n",
        "Dear me, it rains.\n\nDear me, it snows.\n\nDear me, what a day it was in the end.\n",
    ],
)
def test_other_letters_are_refused(text: str, tmp_path: Path) -> None:
    """One alone, and those of a correspondence, are no column."""
    (tmp_path / "letters.txt").write_text(text)
    with pytest.raises(UnknownFormatError):
        list(read_archives([tmp_path / "letters.txt"]))


def test_the_one_who_only_asks_is_the_interviewer(tmp_path: Path) -> None:
    """Though no name says so; the report does."""
    (tmp_path / "talk.txt").write_text(INTERVIEW)
    reading = Reading()
    posts = list(read_archives([tmp_path], reading=reading))
    assert len(posts) == 7
    first = posts_in(tmp_path)[0]
    assert (first.question, first.answer) == (
        "Thank you for coming. How did you begin?", "With a single kettle.\n\nIn a shed.",
    )  # fmt: skip
    assert any("'Anna Miller' was taken for the one who asks" in remark for remark in reading.reports[0].remarks)


@pytest.mark.parametrize(
    "change",
    [
        ("Dr. Tom Reed: With vinegar.", "Dr. Tom Reed: Do you not know? With vinegar, or?"),
        ("Anna Miller: What about refunds?", "Anna Miller: I do not believe it."),
        ("Dr. Tom Reed: Hardly.", "Eve: Hardly."),
    ],
)
def test_who_asks_is_not_guessed_where_both_may(change: tuple[str, str], tmp_path: Path) -> None:
    """The refusal names the speakers, and how to say who answers."""
    text = INTERVIEW.replace(*change)
    if change[0].startswith("Anna"):
        text = text.replace("Is it loud?", "It is loud.")
    (tmp_path / "talk.txt").write_text(text)
    with pytest.raises(UnknownFormatError, match=r"a chat of .*Anna Miller.* name the one who answers"):
        list(read_archives([tmp_path / "talk.txt"]))


def test_many_letters_take_no_longer_each(tmp_path: Path) -> None:
    """Ten times as many take some ten times as long."""
    taken = []
    for count in (5000, 50_000):
        (tmp_path / "a.txt").write_text("Dear Dr. Foot,\nmy heel hurts.\n\nWorried\n\nStretch it.\n\n" * count)
        start = time.perf_counter()
        assert sum(1 for _ in read_archives([tmp_path])) == count
        taken.append(time.perf_counter() - start)
    assert taken[1] < 40 * taken[0]


def test_a_text_that_goes_on_otherwise_is_refused(tmp_path: Path) -> None:
    """Its beginning alone looks like a column: nothing is lost in silence."""
    answered = "Dear Dr. Foot,\nmy heel hurts.\n\nWorried\n\nStretch it.\n\n"
    (tmp_path / "a.txt").write_text(answered * 2000 + "Dear Dr. Foot,\nmy heel hurts and hurts.\n\n" * 2000)
    with pytest.raises(UnknownFormatError, match="few with an answer"):
        list(read_archives([tmp_path / "a.txt"]))


ANNA = (
    "<html><head><title>Ask Anna</title></head><body><nav><a href='/'>Home</a></nav><h1>Ask Anna</h1>"
    "<h2>Should I leave?</h2><p>Dear Anna,</p><p>My kettle leaks. What now?</p><p>Signed,<br>Worried</p>"
    "<p>Dear Worried,</p><p>Descale it.</p><p>Then dry it.</p>"
    "<h2>Is it too loud?</h2><p>Dear Anna,</p><p>It whistles.</p><p><em>Deaf in Leeds</em></p>"
    "<p>Dear Deaf in Leeds, lower the heat.</p><h3>More from Anna</h3><p>Write to us!</p><footer>(c) Us</footer></body>"
)
ONE = (
    "<html><body><h1>My kettle leaks</h1><p>Dear Anna,</p><p>What now?</p><p>-- Worried</p><p>Dear Worried,</p>"
    "<p>Descale it.</p></body></html>"
)
TO_EDITOR = (
    "<html><body><h1>Letters</h1><p>Dear Anna,</p><p>Kettles are bad.</p><p>Tom</p><p>Dear Anna,</p><p>They are good."
    "</p><p>Eve</p></body></html>"
)


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        (
            ANNA,
            [
                (
                    "Should I leave?",
                    "Dear Anna,\n\nMy kettle leaks. What now?\n\nSigned,\nWorried",
                    "Dear Worried,\n\nDescale it.\n\nThen dry it.",
                ),
                (
                    "Is it too loud?",
                    "Dear Anna,\n\nIt whistles.\n\nDeaf in Leeds",
                    "Dear Deaf in Leeds, lower the heat.",
                ),
            ],
        ),
        (ONE, [("My kettle leaks", "Dear Anna,\n\nWhat now?\n\n-- Worried", "Dear Worried,\n\nDescale it.")]),
    ],
    ids=["two with headings that ask", "one alone"],
)
def test_letters_on_a_page(markup: str, expected: list[tuple[str, str, str]], tmp_path: Path) -> None:
    """Their headings are titles, even if these ask; one letter is enough where its signature is answered by name."""
    (tmp_path / "page.html").write_text(markup)
    assert [(post.title, post.question, post.answer) for post in posts_in(tmp_path)] == expected


def test_letters_on_a_page_that_are_answered_below_their_signatures(tmp_path: Path) -> None:
    """As in a text."""
    (tmp_path / "page.html").write_text(f"<html><body>{''.join(f'<p>{line}</p>' for line in COLUMN.splitlines())}")
    assert [post.answer.split("\n")[-1] for post in posts_in(tmp_path)] == [
        "Stretch the calf.", "Give them away.", "Rest it.",
    ]  # fmt: skip


def test_letters_behind_labels_are_questions_behind_labels(tmp_path: Path) -> None:
    """These are surer, and left out of the texts."""
    letter = "<p>Q: Dear Anna, my {0} leaks. Worried</p><p>A: Dear Worried, descale the {0}.</p>"
    (tmp_path / "page.html").write_text(f"<html><body>{letter.format('kettle')}{letter.format('pot')}</body></html>")
    assert [post.answer for post in posts_in(tmp_path)] == [
        f"Dear Worried, descale the {n}." for n in ("kettle", "pot")
    ]


def test_letters_without_answers_on_a_page_are_refused(tmp_path: Path) -> None:
    """Letters to an editor are signed, and answer nothing."""
    (tmp_path / "page.html").write_text(TO_EDITOR)
    with pytest.raises(UnknownFormatError, match="letters"):
        posts_in(tmp_path / "page.html")


def test_many_letters_on_a_page_take_no_longer_each(tmp_path: Path) -> None:
    """Also where they have no end."""
    letter = "<h2>Loud?</h2><p>Dear Anna,</p><p>It whistles.</p><p>Tom</p><p>Dear Tom,</p><p>Stop.</p>"
    for markup, count in ((letter * 5_000, 5_000), ("<p>Dear Anna,</p>" * 50_000, 0)):
        (tmp_path / "page.html").write_text(f"<html><body>{markup}</body></html>")
        began = time.monotonic()
        assert sum(isinstance(item, Post) for item in read_archives([tmp_path])) == count
        assert time.monotonic() - began < 40
