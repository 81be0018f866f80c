"""The archive page as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from qa_search.archives.formats.page import PageReader
from qa_search.types import Post, SetAside
from tests.helpers import archive_file, page, posts_in, read

PAGE = """Sore shoulder after swimming
2011/3/9 7:05:06
Question
It hurts when I reach.

Second paragraph.
Answer
Rest it.
1) Ice, 10 min
- Next: see a doctor if it lasts
2) Bands
- Prev:Ankle sprain
- Next:cardio training for 1,6 miles"""


def one(data: bytes | str) -> Post | SetAside:
    (item,) = read(PageReader(), data, "sore-shoulder.txt")
    return item


def test_every_part_of_a_page_is_read() -> None:
    """Title, date, question, answer and links each land in their field."""
    assert one(PAGE) == Post(
        source="folder",
        source_id="sore-shoulder.txt",
        title="Sore shoulder after swimming",
        question="It hurts when I reach.\n\nSecond paragraph.",
        answer="Rest it.\n1) Ice, 10 min\n- Next: see a doctor if it lasts\n2) Bands",
        date="2011-03-09T07:05:06",
        prev_title="Ankle sprain",
        next_title="cardio training for 1,6 miles",
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_do_not_matter(encoding: str, line_end: str) -> None:
    """The same page in another encoding is the same post."""
    text = PAGE.replace("It hurts", "It’s an “ache” – 5½ km, café")
    assert one(text.replace("\n", line_end).encode(encoding)) == one(text)


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ("", (None, None)),
        ("- Prev:\n- Next:\n", ("", "")),
        ("- Next:B", (None, "B")),
        ("- Prev: A \n\n", ("A", None)),
        ("- Next:B\n- Prev:A\n", ("A", "B")),
    ],
)
def test_links_may_be_missing_or_empty(links: str, expected: tuple[str | None, str | None]) -> None:
    """A missing line is None, an empty one is empty, and neither becomes text of the answer."""
    post = one(page("T", "Q?", "A.", links=links))
    assert isinstance(post, Post)
    assert (post.prev_title, post.next_title) == expected
    assert post.answer == "A."


def test_a_page_without_a_date_has_none() -> None:
    """The date line may be missing."""
    post = one("Title\nQuestion\nq\nAnswer\na")
    assert isinstance(post, Post)
    assert (post.title, post.date) == ("Title", None)


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("Title\n2016/13/45 10:00:00\nQuestion\nq\nAnswer\na", "line 2", "is not a date"),
        ("Title\n2016/7/22 10:04:45\nQuestion\nq\nno answer line", "", "'Answer'"),
    ],
)
def test_a_broken_page_is_set_aside_with_place_and_reason(text: str, place: str, reason: str) -> None:
    """What cannot be read says where and why."""
    note = one(text)
    assert isinstance(note, SetAside)
    assert note.place == place
    assert reason in note.reason


def test_an_empty_answer_is_an_unanswered_question() -> None:
    """The links behind an empty answer are not its text."""
    post = one("T\n2016/7/22 10:04:45\nQuestion\nq\nAnswer\n- Prev:X\n- Next:Y\n")
    assert isinstance(post, Post)
    assert (post.answer, post.prev_title, post.next_title) == ("", "X", "Y")


@pytest.mark.parametrize("text", ["", "just prose\nof two lines", "<html>\nQuestion\n", "question,answer\na,b\n"])
def test_other_files_are_not_taken_for_pages(text: str) -> None:
    """Only the word Question on a line near the top makes a page."""
    from qa_search.archives.base import ReadOptions

    assert not PageReader().recognises(archive_file(text), ReadOptions())


def test_the_real_page_is_read_whole(shared: Path) -> None:
    """The page that the project started from: its date, its links, and no navigation in its answer."""
    (post,) = posts_in(shared / "archive")
    assert (post.source, post.source_id) == ("shared/archive", "persistent-sore-hamstrings.txt")
    assert post.title == "Persistent sore hamstrings"
    assert post.date == "2016-07-22T10:04:45"
    assert (post.prev_title, post.next_title) == ("Ankle sprain", "cardio training for 1,6 miles")
    assert "Prev:" not in post.answer
    assert "Next:" not in post.answer
    assert post.answer.count("\n") == 5
