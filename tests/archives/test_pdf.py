"""PDFs, whose lines have no paragraphs: bold lines are their headings."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from qa_search.archives.read import Reading, read_archives
from qa_search.errors import UnknownFormatError
from tests.archives.samples import pdf
from tests.helpers import posts_in

pytestmark = pytest.mark.process

FAQ = [
    "**Care of the kettle", "All that we were asked.", "**How do I descale it?", "With vinegar, that is", "boiled.",
    "**Refunds", "Within 14 days.", "**Why does it leak when I put it", "**upside down?", "A seal.",
]  # fmt: skip


def test_bold_lines_are_questions_where_half_of_them_ask(tmp_path: Path) -> None:
    """Without numbers, and though not all have a question mark; a question of two lines is one, the title none."""
    (tmp_path / "a.pdf").write_bytes(pdf(FAQ))
    assert [(post.question, post.answer) for post in posts_in(tmp_path)] == [
        ("How do I descale it?", "With vinegar, that is\nboiled."),
        ("Refunds", "Within 14 days."),
        ("Why does it leak when I put it upside down?", "A seal."),
    ]


def test_a_bold_title_above_a_bold_question_is_no_part_of_it(tmp_path: Path) -> None:
    """Its letters have another size."""
    (tmp_path / "a.pdf").write_bytes(pdf(["**#Care of the kettle", *FAQ[2:]]))
    assert posts_in(tmp_path)[0].question == "How do I descale it?"


@pytest.mark.parametrize(
    "lines",
    [
        ["**How do I descale it?", "With vinegar.", *(f"**Chapter {n}\nText." for n in range(5))],
        ["A report.", "**Summary", "All is well. Is it?"],
        ["How do I descale it?", "With vinegar."],
    ],
)
def test_other_bold_lines_are_no_questions(lines: list[str], tmp_path: Path) -> None:
    """A report whose headings do not ask is refused, with what would be needed."""
    (tmp_path / "a.pdf").write_bytes(pdf([part for line in lines for part in line.split("\n")]))
    with pytest.raises(UnknownFormatError, match="bold lines of which half ask"):
        list(read_archives([tmp_path / "a.pdf"]))


def test_many_bold_lines_take_no_longer_each(tmp_path: Path) -> None:
    """Ten times as many take some ten times as long."""
    taken = []
    for count in (2000, 20_000):
        (tmp_path / "a.pdf").write_bytes(pdf([f"**How do I descale it {n}?\nWith vinegar." for n in range(count)]))
        start = time.perf_counter()
        list(read_archives([tmp_path], keep_going=True))
        taken.append(time.perf_counter() - start)
    assert taken[1] < 60 * taken[0]


def test_a_pdf_has_no_encoding_to_be_named(tmp_path: Path) -> None:
    """Its first bytes look like text, and are none."""
    (tmp_path / "a.pdf").write_bytes(pdf(FAQ).replace(b"%PDF-1.4", "%PDF-1.4 % äöü".encode("cp1252")))
    reading = Reading()
    assert len([*read_archives([tmp_path], reading=reading)]) == 3
    (report,) = reading.reports
    assert (report.encoding, report.remarks) == (None, ())
