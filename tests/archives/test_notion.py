"""Notion's exports: a database as a table, its rows as pages, and the table once more with all rows."""

from __future__ import annotations

import sqlite3
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from qa_search.archives.base import ArchiveFile
from qa_search.archives.formats import notion
from qa_search.archives.formats.notion import NotionExports
from qa_search.archives.read import Reading, read_archives
from qa_search.errors import DamagedArchiveError, UnclearFieldsError
from qa_search.types import Post

ID = "0123456789abcdef0123456789abcdef"
ROWS = {"How do I descale it?": "With vinegar.", "Can I return it?": "Within 14 days.", "Why does it leak?": "A seal."}
TABLE = "\ufeffQuestion,Answer,Tags\n" + "".join(f"{asked},{told},kettle\n" for asked, told in ROWS.items())
BARE = "\ufeffQuestion,Tags\n" + "".join(f"{asked},kettle\n" for asked in ROWS)


def pages(form: str, folder: str = f"FAQ {ID}") -> dict[str, str]:
    return {
        f"{folder}/{asked[:-1]} {number:032x}.md": form.format(asked, told)
        for number, (asked, told) in enumerate(ROWS.items())
    }


SHORT = "# {0}\n\nAnswer: {1}\nTags: kettle\nCreated: March 2, 2014 10:05 AM\n"
LONG = f"{SHORT}\nMore of it: {{1}}\n\nAnd more.\n"
BODY = "# {0}\n\nTags: kettle\nCreated: March 2, 2014 10:05 AM\n\n{1}\n"
SHAPES: dict[str, tuple[Mapping[str, str], list[str], int]] = {
    "a table and its pages": ({f"FAQ {ID}.csv": TABLE, **pages(SHORT)}, [*ROWS.values()], 3),
    "a view, all rows and pages": (
        {f"FAQ {ID}.csv": "\n".join(TABLE.split("\n")[:3]), f"FAQ {ID}_all.csv": TABLE, **pages(SHORT, "FAQ")},
        [*ROWS.values()],
        5,
    ),
    "pages that say more": (
        {f"FAQ {ID}.csv": TABLE, **pages(LONG)},
        [f"{told}\n\nMore of it: {told}\n\nAnd more." for told in ROWS.values()],
        3,
    ),
    "answers in the pages alone": ({f"FAQ {ID}.csv": BARE, **pages(BODY)}, [*ROWS.values()], 3),
    "a table alone": ({f"FAQ {ID}.csv": TABLE}, [*ROWS.values()], 0),
    "pages alone": (pages(BODY), [*ROWS.values()], 0),
    "two databases": (
        {f"FAQ {ID}.csv": TABLE, f"Old {ID}.csv": TABLE, **pages(SHORT, f"Old {ID}")},
        [*ROWS.values(), *ROWS.values()],
        3,
    ),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("packed", ["", "pages last", "pages first"])
def test_each_row_is_one_post(name: str, packed: str, tmp_path: Path) -> None:
    """In any order, with the fuller text; the report says what was left out."""
    files, expected, left = SHAPES[name]
    folder = tmp_path / "in"
    if packed:
        folder.mkdir()
        with zipfile.ZipFile(folder / "export.zip", "w") as archive:
            for path, text in sorted(files.items(), reverse=packed == "pages first"):
                archive.writestr(path, text)
    for path, text in files.items() if not packed else ():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    reading = Reading()
    items = list(read_archives([folder], reading=reading))
    assert all(isinstance(item, Post) for item in items)
    posts = [item for item in items if isinstance(item, Post)]
    assert sorted(post.answer for post in posts) == sorted(expected)
    assert all(post.tags == ("kettle",) for post in posts)
    remarks = [remark for report in reading.reports for remark in report.remarks if "Notion" in remark]
    assert sum(int(remark.rpartition("(")[2].rstrip(")")) for remark in remarks) == left


def test_rows_that_ask_the_same_are_all_kept(tmp_path: Path) -> None:
    """Two answers to one question are two posts of a table."""
    (tmp_path / f"FAQ {ID}.csv").write_text("Question,Answer,Id\nRefunds?,Within 14 days.,1\nRefunds?,No.,2\n")
    assert len([*read_archives([tmp_path])]) == 2


def test_more_posts_of_one_question_than_are_held_at_once_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost without a word."""
    monkeypatch.setattr(notion, "_MOST_OF_ONE", 2)
    (tmp_path / "FAQ").mkdir()
    for number in range(5):
        page = BODY.format("Why does it leak?", f"Because of seal {number}.")
        (tmp_path / "FAQ" / f"Why does it leak {number:032x}.md").write_text(page)
    reading = Reading()
    assert len(list(read_archives([tmp_path], reading=reading))) == 2
    remarks = [remark for report in reading.reports for remark in report.remarks]
    assert any("posts of the same questions" in remark and "(3)" in remark for remark in remarks)


def test_a_table_without_answers_says_what_is_missing(tmp_path: Path) -> None:
    """As any table does, where no page has them."""
    (tmp_path / f"FAQ {ID}.csv").write_text(
        "Question,Remark\n" + "".join(f"{asked},{told} It is so.\n" for asked, told in ROWS.items())
    )
    with pytest.raises(UnclearFieldsError, match="Remark"):
        list(read_archives([tmp_path]))
    assert all(isinstance(item, Post) for item in read_archives([tmp_path], keep_going=True))


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While what was held is put together; the message names the folder."""

    def full(self: NotionExports, *, keep_going: bool) -> Iterator[tuple[Post, ArchiveFile, str]]:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(NotionExports, "posts", full)
    (tmp_path / f"FAQ {ID}.csv").write_text(TABLE, encoding="utf-8")
    with pytest.raises(DamagedArchiveError, match=r"cannot be joined in .*\(database or disk is full\)"):
        list(read_archives([tmp_path]))
