"""Small archives as people have them, each with what is right for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from qa_search.archives.read import Reading, ReadOptions, read_archives
from qa_search.builder.build import build_index, inspect_archives
from qa_search.errors import DamagedArchiveError, NoPostsError, UnclearFieldsError
from qa_search.types import FileReport, Post, SetAside
from tests.archives.case_posts import EXPECTED

CASES = Path(__file__).parent / "cases"
MAPS: Mapping[str, Mapping[str, str]] = {
    "csv-duplicate-headers": {"question": "Summary", "answer": "Comment"},
    "csv-no-header": {"question": "2", "answer": "3"},
    "map-over-two-files": {"question": "Questions"},
}


def shown(post: Post) -> dict[str, Any]:
    """Return what a post says, without what is empty."""
    names = ("title", "question", "answer", "date", "url", "tags", "author", "score")
    fields = {name: value for name in names if (value := getattr(post, name))}
    if not post.source_id.startswith("text-"):
        fields["source_id"] = post.source_id
    if post.answers:
        fields["answers"] = [(part.id, part.score, part.accepted, part.author, part.date) for part in post.answers]
    return fields


def read_with_report(
    *sources: Path, keep_going: bool = False, **options: Any
) -> tuple[list[Post | SetAside], tuple[FileReport, ...]]:
    """Read archives, and say what was taken for what."""
    reading = Reading()
    items = list(read_archives(sources, ReadOptions(**options), reading=reading, keep_going=keep_going))
    return items, reading.reports


@pytest.mark.parametrize("name", EXPECTED)
def test_every_case_is_read_right(name: str) -> None:
    """Every post of it with all of its fields, and no note."""
    found = list(read_archives([CASES / name], ReadOptions(MAPS.get(name, {}))))
    assert [shown(item) for item in found if isinstance(item, Post)] == EXPECTED[name]
    assert not [item for item in found if isinstance(item, SetAside)]


def test_every_case_has_its_posts_written_out() -> None:
    """And each that is written out is there."""
    assert set(EXPECTED) <= {path.name for path in CASES.iterdir()}


def test_a_git_lfs_pointer_is_named() -> None:
    """It stands for a file that was not fetched: nothing of it may vanish in silence."""
    with pytest.raises(DamagedArchiveError, match=r"a Git LFS pointer, not the file itself.*git lfs pull"):
        list(read_archives([CASES / "git-lfs-pointer"]))


def test_a_table_without_a_header_is_told_how_to_be_read() -> None:
    """Its first row is no header, and columns can be named by number."""
    (note,), _ = read_with_report(CASES / "csv-no-header")
    assert isinstance(note, SetAside)
    assert "does not look like a header" in note.reason


def test_the_report_says_what_was_taken_for_what() -> None:
    """Format, encoding, counts, the field of each role and the text that is not used."""
    _, (report,) = read_with_report(CASES / "csv-title-ask-answer")
    assert (report.format, report.encoding, report.files) == ("CSV or TSV", "utf-8", 1)
    assert (report.posts, report.with_question, report.with_answer, report.with_date) == (3, 3, 3, 0)
    assert report.roles == {
        "title": {"title": 3},
        "question": {"ask": 3},
        "answer": {"answer": 3},
        "category": {"department": 3},
    }
    _, (report,) = read_with_report(CASES / "json-description-and-content")
    assert report.unused == ("description",)
    assert any("'description'" in remark for remark in report.remarks)


@pytest.mark.parametrize(
    ("name", "encoding"), [("csv-chinese-gb18030", "gb18030"), ("csv-russian-windows-1251", "cp1251")]
)
def test_the_encoding_is_named(name: str, encoding: str) -> None:
    """In the report, as it was found; asked for another, the text is read as that."""
    _, (report,) = read_with_report(CASES / name)
    assert report.encoding == encoding
    wrong, _ = read_with_report(CASES / name, encoding="cp1252")
    assert shown(wrong[0]) != EXPECTED[name][0]  # type: ignore[arg-type] # a post
    right, _ = read_with_report(CASES / name, encoding=encoding)
    assert shown(right[0]) == EXPECTED[name][0]  # type: ignore[arg-type] # a post


@pytest.mark.parametrize(
    ("table", "role", "column"),
    [
        (
            "anfrage_1,answer\nMy boiler knocks a lot,Flush it\nIt leaks at night,Tighten it\n",
            "question",
            "anfrage_1",
        ),
        ("question,fix\nMy boiler knocks,Flush it out soon\nIt leaks,Tighten all the nuts\n", "answer", "fix"),
    ],
)
def test_what_all_records_lack_stops_the_build(table: str, role: str, column: str, tmp_path: Path) -> None:
    """Where a column that is not used could hold it: in a folder too, and the message names the column."""
    (tmp_path / "faq.csv").write_text(table)
    with pytest.raises(
        UnclearFieldsError, match=rf"no {role} in any record.*'{column}'.*field_map={{'{role}': '{column}'}}"
    ):
        list(read_archives([tmp_path]))
    mapped, _ = read_with_report(tmp_path, field_map={role: column})
    assert all(isinstance(item, Post) and item.question and item.answer for item in mapped)
    without, _ = read_with_report(tmp_path, field_map={role: "-"})
    assert len(without) == 2
    kept, _ = read_with_report(tmp_path, keep_going=True)
    assert kept


def test_what_is_doubtful_is_remarked_on(tmp_path: Path) -> None:
    """Short rows, dates that cannot be read or are to come, text that was encoded twice, a map without its field."""
    (tmp_path / "faq.csv").write_text(
        "question,answer,date\nWhy?,Itâ€™s so,soon\nHow?,So\nWhen?,Now,2999-03-04\n", encoding="utf-8"
    )
    _, (report,) = read_with_report(tmp_path, field_map={"question": "Frage"})
    remarks = "\n".join(report.remarks)
    assert "fewer fields than the header in 1 of 3 rows" in remarks
    assert "no date that can be read in 2 of 3 posts" in remarks
    assert "a date in the future in 1 of 3 posts" in remarks
    assert "encoded twice" in remarks
    assert "field_map={'question': 'Frage'} names no field of this file; 'question' was taken" in remarks


@pytest.mark.parametrize(
    ("name", "titles", "left"),
    [
        ("rules.md", "How do I join?|What is the fee?|Contact|Opening hours", 2),
        ("rules.html", "How do I join?|What is the fee?|Contact", 1),
        ("rules.md", "Opening hours|How do I join?|What is the fee?", 1),
        ("rules.md", "How do I join?|What is the fee?", 0),
        ("faq.md", "How do I join?|What is the fee?|Opening hours", 0),
    ],
)
def test_sections_that_are_no_questions_are_counted(name: str, titles: str, left: int, tmp_path: Path) -> None:
    """Around those that ask; the text below the title of the page introduces it."""
    if name.endswith("html"):
        parts = "".join(f"<h2>{title}</h2><p>Text of {title}</p>" for title in titles.split("|"))
        text = f"<html><body><h1>The club</h1><p>Welcome.</p>{parts}</body></html>"
    else:
        text = "# The club\nWelcome.\n" + "".join(f"## {title}\nText of {title}\n" for title in titles.split("|"))
    (tmp_path / name).write_text(text)
    posts, (report,) = read_with_report(tmp_path)
    assert len(posts) == titles.count("|") + 1 - left
    remark = f"left out: sections whose titles do not ask ({left})"
    assert (remark in report.remarks) == bool(left)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("faq.txt", "Q: Why does it knock?\nA: Limescale.\n\nQ: And how is it removed?\nA: Vinegar.\n"),
        ("faq.md", "## Why does it knock?\nLimescale.\n\n## How is it removed?\nVinegar.\n"),
        ("faq.html", "<html><body><h2>Why does it knock?</h2><p>Lime.</p><h2>How often?</h2><p>No.</p></body></html>"),
    ],
)
def test_a_map_that_a_text_cannot_use_is_remarked_on(name: str, text: str, tmp_path: Path) -> None:
    """Texts have no fields; and ``-`` names none, so that it needs no remark."""
    (tmp_path / name).write_text(text)
    remark = "field_map={'answer': 'Reply'} was not used: the file has no fields of these names"
    for field_map, expected in ({"answer": "Reply"}, True), ({"answer": "-"}, False), ({}, False):
        posts, (report,) = read_with_report(tmp_path, field_map=field_map)
        assert len(posts) == 2
        assert (remark in report.remarks) == expected


def test_answers_without_their_questions_are_told(tmp_path: Path) -> None:
    """A table of answers alone is no archive: where the other table belongs is said once."""
    (tmp_path / "answers.csv").write_text("id,question_id,message\n1,7,Flush it.\n2,7,Turn it down.\n")
    (note,), _ = read_with_report(tmp_path)
    assert isinstance(note, SetAside)
    assert note.reason.startswith("2 answers without a question")


def test_pages_of_one_folder_are_one_report() -> None:
    """Thousands of pages must not make thousands of reports."""
    _, (report,) = read_with_report(Path(__file__).parents[2] / "data" / "archive")
    assert report.files == report.posts > 100
    # Eight of them have the quotes that Windows writes, which are the same bytes in all of its code pages.
    assert (report.encoding, report.remarks) == ("utf-8 (162), windows-1252 (8)", ())


def test_files_whose_encoding_may_be_another_are_counted(tmp_path: Path) -> None:
    """A single letter beyond ASCII fits many encodings."""
    for name in ("a", "b"):
        text = "Datum: 2012-03-04\n\nQ: Warum tropft die Heizung im Keller?\n\nA: Das Ventil schlie\xdft nicht.\n"
        (tmp_path / f"{name}.txt").write_text(text, encoding="cp1252")
    _, reports = read_with_report(tmp_path)
    remarks = [remark for report in reports for remark in report.remarks]
    assert any(
        remark.startswith("the encoding may be another: ") and "a.txt (windows-1252)" in remark for remark in remarks
    )


def test_a_folder_without_posts_is_refused_before_a_model_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading it takes seconds, and unanswered questions alone are no archive either."""
    monkeypatch.setattr("qa_search.builder.build.locate_model", pytest.fail)
    (tmp_path / "notes.xyz").write_text("hello world")
    with pytest.raises(NoPostsError, match="nothing to index"):
        build_index(tmp_path, tmp_path / "index")
    (tmp_path / "faq.csv").write_text("title,body\nWhy?,It knocks\n")
    with pytest.raises(NoPostsError, match=r"1 question, none of them answered.*field_map={'answer': 'body'}"):
        build_index(tmp_path, tmp_path / "index")


def test_an_inspection_shows_posts_and_builds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a model; an unclear file is a note in it."""
    monkeypatch.setattr("qa_search.builder.build.locate_model", pytest.fail)
    found = inspect_archives(CASES / "csv-row-per-answer")
    assert [len(posts) for posts in found.samples] == [2]
    assert found.files[0].roles["answer"] == {"answerText": 4}
    assert found.to_dict()["files"][0]["format"] == "CSV or TSV"
