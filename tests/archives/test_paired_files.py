"""Files that are named by pairs: a question in one, its answer in the other."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from qa_search.archives.formats.paired_files import pair_name
from qa_search.archives.read import Reading, read_archives
from qa_search.errors import UnknownFormatError
from qa_search.types import Post, SetAside
from tests.helpers import page, write_pages

SPELLINGS = [
    ("00{}_q.txt", "00{}_a.txt"),
    ("question-{}.txt", "answer-{}.txt"),
    ("Q{}.txt", "A{}.md"),
    ("{}q", "{}a"),
    ("q/case {}.txt", "a/case {}.txt"),
    ("2019/questions/{}.txt", "2019/answers/{}.txt"),
    ("case-{}/question.txt", "case-{}/answer.txt"),
    ("questions/{}_q.txt", "answers/{}_a.txt"),
    ("Q&A/{}-question.txt", "Q&A/{}-answer.txt"),
    ("Frage_{}.txt", "Antwort_{}.txt"),
    ("{}.pregunta.txt", "{}.respuesta.txt"),
    ("问题{}.txt", "回答{}.txt"),
    ("a knee {} q.txt", "a knee {} a.txt"),
]


def write(folder: Path, names: Sequence[str], text: str) -> None:
    for number, name in enumerate(names):
        path = folder / name.format(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(number), encoding="utf-8")


def found_in(path: Path) -> tuple[list[tuple[str, str]], list[str]]:
    items = list(read_archives([path]))
    posts = [(item.question, item.answer) for item in items if isinstance(item, Post)]
    return posts, [f"{item.source.rpartition('/')[2]}: {item.reason}" for item in items if isinstance(item, SetAside)]


@pytest.mark.parametrize(("asks", "tells"), SPELLINGS)
@pytest.mark.parametrize("packed", ["", "zip", "tar"])
def test_pairs_are_found_by_their_names(asks: str, tells: str, packed: str, tmp_path: Path) -> None:
    """In several spellings, also in an archive; the report says what was paired."""
    folder = tmp_path / "in"
    write(folder, [asks] * 4, "My knee {} hurts on stairs.")
    write(folder, [tells] * 4, "Rest knee {} for a week.")
    source = folder
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if packed:
        source = tmp_path / f"pairs.{packed}"
    if packed == "zip":
        with zipfile.ZipFile(source, "w") as archive:
            for path in files:
                archive.write(path, path.relative_to(folder))
    if packed == "tar":
        with tarfile.open(source, "w") as tar:
            for path in files:
                tar.add(path, path.relative_to(folder))
    reading = Reading()
    items = list(read_archives([source], reading=reading))
    assert sorted((item.question, item.answer) for item in items if isinstance(item, Post)) == [
        (f"My knee {number} hurts on stairs.", f"Rest knee {number} for a week.") for number in range(4)
    ]
    assert len(items) == 4
    (report,) = reading.reports
    assert (report.format, report.posts) == ("pair of files", 4)
    assert report.remarks[0].startswith("4 pairs of files are read as a question and its answer by their names, such")


def test_what_is_left_over_is_told(tmp_path: Path) -> None:
    """A question alone is unanswered; an answer alone, and two answers to one question, are set aside."""
    write(tmp_path, ["{}_q.txt"] * 32, "My knee {} hurts on stairs.")
    write(tmp_path, ["{}_a.txt"] * 30, "Rest knee {} for a week.")
    (tmp_path / "99_a.txt").write_text("Rest.")
    (tmp_path / "31_a.txt").write_text("Ice it.")
    (tmp_path / "31_A.md").write_text("Ice and rest.")
    reading = Reading()
    items = list(read_archives([tmp_path], reading=reading))
    posts = [item for item in items if isinstance(item, Post)]
    assert [post.source_id for post in posts if not post.answer] == ["30_q.txt"]
    assert len(posts) == 31
    assert found_in(tmp_path)[1] == [
        "31_A.md: several files have the name of the same question or the same answer",
        "31_a.txt: several files have the name of the same question or the same answer",
        "31_q.txt: several files have the name of the same question or the same answer",
        "99_a.txt: the file with its question is missing, which others have by their names",
    ]
    (report,) = reading.reports
    assert "1 question without a file that is named as the answer" in report.remarks


@pytest.mark.parametrize(("asked", "told"), [(2, 2), (9, 1), (6, 4), (0, 9)])
def test_few_pairs_are_no_rule(asked: int, told: int, tmp_path: Path) -> None:
    """What is named so by chance is refused as before, with its reason."""
    write(tmp_path, ["{}_q.txt"] * asked, "My knee {} hurts on stairs.")
    write(tmp_path, ["{}_a.txt"] * told, "Rest knee {} for a week.")
    posts, notes = found_in(tmp_path)
    assert not posts
    assert len(notes) == asked + told
    assert all(
        "without recognisable questions" in note and "fewer than 3 pairs of files have such names" in note
        for note in notes
    )


def test_files_that_are_read_otherwise_are_not_paired(tmp_path: Path) -> None:
    """The name of a page is no sign; files named one by one are paired as a folder of them."""
    (tmp_path / "1_q.txt").write_text(page("T", "q", "a"))
    (tmp_path / "1_a.txt").write_text(page("T", "q", "a"))
    write_pages(tmp_path, 1)
    assert len(found_in(tmp_path)[0]) == 3
    folder = tmp_path / "pairs"
    write(folder, ["{}_q.txt"] * 3, "Question: My knee {} hurts.")
    write(folder, ["{}_a.txt"] * 3, "A: Rest knee {}.")
    items = list(read_archives(sorted(folder.iterdir())))
    assert [(item.question, item.answer) for item in items if isinstance(item, Post)][:1] == [(
        "My knee 0 hurts.", "Rest knee 0.",
    )]  # fmt: skip
    with pytest.raises(UnknownFormatError, match=r"0_q\.txt"):
        list(read_archives([folder / "0_q.txt"]))


@pytest.mark.parametrize("name", ["faq.txt", "notes.txt", "quality.txt", "1/2.txt", "", "Q&A.txt", "x" * 2000])
def test_other_names_are_no_pairs(name: str) -> None:
    """Only a word of its own, at the beginning or the end, tells."""
    assert pair_name(name) is None


def test_many_files_take_no_longer_each(tmp_path: Path) -> None:
    """Thousands in a tar, none of which has another half."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for number in range(3000):
            info = tarfile.TarInfo(f"{number}/q{number % 7}.txt")
            info.size = 20
            tar.addfile(info, io.BytesIO(b"My knee hurts today."))
    (tmp_path / "a.tar").write_bytes(buffer.getvalue())
    posts, notes = found_in(tmp_path)
    assert not posts
    assert len(notes) == 3000


def test_a_damaged_packed_half_is_said_and_ends_nothing(tmp_path: Path) -> None:
    """Its beginning looks like a text; what is behind it cannot be unpacked."""
    packed = bytearray(gzip.compress(random.Random(1).randbytes(300_000).hex().encode()))  # noqa: S311 - an example
    packed[120_000:120_400] = bytes(400)
    with zipfile.ZipFile(tmp_path / "pairs.zip", "w") as archive:
        archive.writestr("a.gz", bytes(packed))
        archive.writestr("faq.txt", "Q: Does it rain?\nA: Yes, it does.\n\nQ: Does it snow?\nA: No, it does not.\n")
    items = list(read_archives([tmp_path], keep_going=True))
    assert len([item for item in items if isinstance(item, Post)]) == 2
    assert any("a.gz" in f"{item.source} {item.place}" for item in items if isinstance(item, SetAside))
