"""Rows that a build changes in their places: what a fresh build would write, with nothing else copied or moved."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qa_search.builder import generation_writer
from qa_search.index.stores import posts_edits, posts_writer
from tests.builder.test_kept_files import WORDS, build, jsonl, linked, record, require_same, write

LONG = " ".join(WORDS * 9)


def lines(records: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(one) + "\n" for one in records)


def write_archive(folder: Path) -> None:
    for first in (1, 11, 21):
        records = [{**record(number), "id": f"p{number}"} for number in range(first, first + 5)]
        records[3]["answer"] = ""
        write(folder / f"{first:02}.jsonl", lines(records))
    write(folder / "pages" / "one.txt", linked(1, None, "Page 2"))
    write(folder / "pages" / "two.txt", linked(2, "Page 1", "Page 3"))


def change(folder: Path, **more: Any) -> None:
    """Change a post of the middle file."""
    path = folder / "11.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    records[1].update(more)
    write(path, lines(records), at=1)


CHANGES: dict[str, Callable[[Path], object]] = {
    "a word": lambda folder: change(folder, answer="Rest the heel for number12. Then walk12 slowly."),
    "more passages": lambda folder: change(folder, answer=LONG),
    "tags": lambda folder: change(folder, tags=["swim", "tape", "swim"]),
    "a date, nothing else": lambda folder: change(folder, date="2020-02-02"),
    "an id": lambda folder: change(folder, id="another"),
    "the title of a question that waits": lambda folder: write(
        folder / "11.jsonl", (folder / "11.jsonl").read_text().replace("Title 14", "Title of another"), at=1
    ),
    "where a page leads": lambda folder: write(folder / "pages" / "one.txt", linked(1, None, "Page 3"), at=1),
    "a file behind the others": lambda folder: write(folder / "pages" / "zz.jsonl", jsonl([40, 41])),
    "the last file goes": lambda folder: (folder / "pages" / "two.txt").unlink(),
    "a file that cannot be read": lambda folder: write(folder / "zz.bin", b"\x00\x01\x02" * 50),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("posts_at_once", [1, 100])
def test_a_change_moves_no_other_post(
    name: str, posts_at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function that copies posts is not called, and the rows are those of a fresh build."""
    archive, index = tmp_path / "archive", tmp_path / "index"
    monkeypatch.setattr(generation_writer, "_POSTS_AT_ONCE", posts_at_once)
    write_archive(archive)
    build(archive, index)
    CHANGES[name](archive)
    with monkeypatch.context() as patch:
        patch.setattr(posts_writer.PostWriter, "_copy_posts", None)
        report = build(archive, index, keep_going=True)
    if name == "a file that cannot be read":
        (archive / "zz.bin").unlink()
        report = build(archive, index)
    require_same(archive, index, tmp_path / "fresh", report)


@pytest.mark.parametrize(
    "change_it",
    [
        lambda folder: write(folder / "01.jsonl", lines([{**record(1), "id": "p1"}]), at=1),
        lambda folder: change(folder, **{name: record(21)[name] for name in ("title", "question", "answer")}),
        lambda folder: change(folder, id="p13"),
        lambda folder: change(folder, answer=""),
        lambda folder: write(folder / "00.jsonl", jsonl([50])),
    ],
    ids=["a file shrinks", "a text of a later file", "an id twice", "an answer goes", "a file in front"],
)
def test_rows_behind_a_change_that_moves_them_are_copied(change_it: Callable[[Path], object], tmp_path: Path) -> None:
    """The rows are those of a fresh build where numbers shift, and where texts or ids repeat."""
    archive, index = tmp_path / "archive", tmp_path / "index"
    write_archive(archive)
    build(archive, index)
    change_it(archive)
    require_same(archive, index, tmp_path / "fresh", build(archive, index))


def changed_at_random(chance: random.Random, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Change, exchange, add or remove records; ids and texts repeat."""

    def made() -> dict[str, Any]:
        number = chance.randrange(40)
        more: dict[str, Any] = {"id": chance.choice([number, number % 3, f"{number}~zupvrstjas373fvg"])}
        if chance.random() < 0.2:
            more["answer"] = chance.choice(["", LONG])
        return {**record(number), **more}

    records = list(records) or [made()]
    at, other = chance.randrange(len(records)), chance.randrange(len(records))
    match chance.randrange(7):
        case 0:
            records[at] = {**records[at], "answer": f"{records[at]['answer']} More{chance.randrange(99)}."}
        case 1:
            records[at] = {**records[at], "answer": f"{records[at]['answer']} {LONG}"}
        case 2:
            records[at] = {**records[at], "tags": chance.choices(WORDS, k=3)}
        case 3:
            records[at] = made()
        case 4:
            records.insert(at, made())
        case 5:
            records[at], records[other] = records[other], records[at]
        case 6:
            del records[at]
    return records or [made()]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_any_changes_of_rows_are_what_a_fresh_build_has(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids and texts repeat, come and go; all limits of how much is done at once are tried."""
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    archive, index = tmp_path / "archive", tmp_path / "index"
    monkeypatch.setattr(posts_edits, "_MOST_CHANGED", chance.choice([1, 2, 4096]))
    monkeypatch.setattr(posts_writer, "_MOST_WAITING", chance.choice([1, 4, 4096]))
    monkeypatch.setattr(generation_writer, "_POSTS_AT_ONCE", chance.choice([1, 2, 100]))
    files: dict[str, list[dict[str, Any]]] = {"a.jsonl": [], "b.jsonl": [], "c.jsonl": []}
    for step in range(6):
        for name in chance.sample(sorted(files), 1 if step else 3):
            for _ in range(1 if step else 4):
                files[name] = changed_at_random(chance, files[name])
            write(archive / name, lines(files[name]), at=step)
        if chance.random() < 0.3:
            pages = [f"Page {chance.randrange(4)}" for _ in range(2)]
            write(archive / f"{chance.randrange(3)}.txt", linked(chance.randrange(3), *pages), at=step)
        require_same(archive, index, tmp_path / "fresh", build(archive, index))


def test_a_file_with_much_empty_space_is_not_copied(tmp_path: Path) -> None:
    """Removing many posts leaves pages empty; they are not taken along for ever."""
    archive, index = tmp_path / "archive", tmp_path / "index"
    write_archive(archive)
    write(archive / "pages" / "zz.jsonl", lines([{**record(n), "id": n, "answer": f"{n} {LONG}"} for n in range(90)]))
    build(archive, index)
    shutil.rmtree(archive / "pages")
    build(archive, index)
    left = empty_pages(index)
    change(archive, answer="Rest.")
    require_same(archive, index, tmp_path / "fresh", build(archive, index))
    assert left > 10 > empty_pages(index)


def empty_pages(index: Path) -> int:
    (path,) = sorted((index / "generations").glob("*/posts.sqlite"))[-1:]
    db = sqlite3.connect(f"file:{path}?immutable=1", uri=True)
    (count,) = db.execute("PRAGMA freelist_count").fetchone()
    db.close()
    return int(count)
