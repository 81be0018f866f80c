"""How large archives, files and posts may be."""

from __future__ import annotations

import gzip
import json
import os
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_search.archives.limits import format_size
from qa_search.archives.read import Limits, ReadOptions, parse_size, read_archives
from qa_search.errors import DamagedArchiveError, QueryError
from qa_search.types import Post, SetAside
from tests.helpers import page, write_jsonl


def items_of(source: Path, limits: Limits, *, keep_going: bool = False) -> list[str]:
    """Read a source, posts by their answers and notes by their texts."""
    items = read_archives([source], ReadOptions(limits=limits), keep_going=keep_going)
    return [
        item.answer
        if isinstance(item, Post)
        else str(SetAside(item.source.rpartition("/")[2], item.place, item.reason))
        for item in items
    ]


@pytest.mark.parametrize(
    ("text", "size"),
    [("16GB", 16 * 10**9), ("64 MiB", 64 << 20), ("1.5g", 1_500_000_000), ("4096", 4096), ("1,000 bytes", 1000),
     ("0.5KiB", 512), (" 2 tb ", 2 * 10**12)],
)  # fmt: skip
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    """Thousands for GB, 1,024s for GiB, bytes without a unit."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1", "1e9", "12 parsecs", "1.GB", "٣GB", "1 G B"])
def test_what_is_no_size_is_told(text: str) -> None:
    """The message shows how one is written."""
    with pytest.raises(ValueError, match="is not a size, such as 500MB or 16GiB"):
        parse_size(text)


@given(st.integers(0, 2**60))
def test_a_size_that_is_shown_can_be_read_again(size: int) -> None:
    """So that a message's number may be given to the option that it names."""
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize("limit", ["post_characters", "record_bytes", "unpacked_bytes", "files", "nesting"])
def test_a_limit_of_nothing_is_refused(limit: str) -> None:
    """It would set everything aside; so is what is no number."""
    for wrong in (0, 2.5, "5", None):
        with pytest.raises(QueryError, match=f"^{limit} must be a whole number from 1, not {wrong!r}"):
            Limits(**{limit: wrong})  # type: ignore[arg-type]


def test_a_post_beyond_the_limit_is_set_aside(tmp_path: Path) -> None:
    """One of just as many characters is not, and the note names the option."""
    rows = [{"id": "1", "answer": "a" * 99}, {"id": "2", "answer": "b" * 100}, {"id": "3", "answer": "c"}]
    path = write_jsonl(tmp_path / "faq.jsonl", rows)
    assert items_of(path, Limits(post_characters=100)) == [
        "a" * 99,
        "faq.jsonl, post 2: a post of more than 100 characters (see Limits.post_characters)",
        "c",
    ]


def test_all_texts_of_a_post_count(tmp_path: Path) -> None:
    """Tags and links fill an index as answers do."""
    path = write_jsonl(tmp_path / "faq.jsonl", [{"answer": "a", "tags": ["b" * 60], "url": "c" * 60}])
    (note,) = items_of(path, Limits(post_characters=100))
    assert "Limits.post_characters" in note


@pytest.mark.parametrize("name", ["faq.jsonl", "faq.json", "faq.csv", "page.txt", "page.html", "Posts.xml"])
def test_a_record_beyond_the_limit_is_set_aside(name: str, tmp_path: Path) -> None:
    """In every format, and what stands around it is read."""
    rows = [{"id": "1", "answer": "first"}, {"id": "2", "answer": "x" * 3000}, {"id": "3", "answer": "last"}]
    html = "<html><h1>T</h1>Question<p>q<p>Answer<p>"
    texts = {
        "faq.jsonl": "\n".join(map(json.dumps, rows)),
        "faq.json": json.dumps(rows),
        "faq.csv": "id,answer\n" + "".join(f'{row["id"]},"{row["answer"]}"\n' for row in rows),
        "page.txt": page("T", "q", "x" * 3000),
        "page.html": html + "<b>" * 1000,
        "Posts.xml": '<posts><row Id="1" PostTypeId="1"/><row Id="2" PostTypeId="2" ParentId="1" Body="first"/>'
        f'<row Id="3" PostTypeId="2" ParentId="1" Body="{"x" * 3000}"/><row Id="4" PostTypeId="1" Title="t"/></posts>',
    }
    (tmp_path / name).write_text(texts[name])
    found = items_of(tmp_path, Limits(record_bytes=2000))
    notes = [item for item in found if "longer than 2 kB (see Limits.record_bytes)" in item]
    assert len(notes) == 1
    wanted = {"faq.jsonl": 2, "faq.json": 2, "faq.csv": 2, "Posts.xml": 2}.get(name, 0)
    assert len(found) - 1 == wanted


def test_notes_are_counted_from_a_number_on(tmp_path: Path) -> None:
    """The first ones and the last are there in full."""
    path = tmp_path / "faq.jsonl"
    path.write_text('{"answer": "a"}\n' + "broken\n" * 30)
    found = items_of(path, Limits(notes=3))
    assert [item.partition(":")[0] for item in found] == [
        "a", "faq.jsonl, line 2", "faq.jsonl, line 3", "faq.jsonl, line 4", "faq.jsonl", "faq.jsonl, line 31",
    ]  # fmt: skip
    assert "26 more of its posts or files cannot be read" in found[4]


def test_members_beyond_the_limit_do_not_take_the_others_along(tmp_path: Path) -> None:
    """A zip's large member is set aside unopened, a small one behind it is read."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("large.txt", page("T", "q", "a" * 5000))
        archive.writestr("small.txt", page("T", "q", "small"))
    assert items_of(tmp_path, Limits(unpacked_bytes=4000)) == [
        "large.txt: the archive unpacks to more than 4 kB (see Limits.unpacked_bytes)",
        "small",
    ]


def test_what_is_nested_counts_once_and_for_all(tmp_path: Path) -> None:
    """The limit is on what comes out of all gzip files in a zip together, and reading one twice costs nothing."""
    row = json.dumps({"answer": "a" * 900}).encode()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(5):
            archive.writestr(f"{number}.jsonl.gz", gzip.compress(row, mtime=0))
    packed = 5 * len(gzip.compress(row, mtime=0))
    found = items_of(tmp_path, Limits(unpacked_bytes=packed + 3 * len(row)))
    assert [item[:3] for item in found] == ["aaa", "aaa", "aaa", "3.j", "4.j"]


def test_more_than_a_thousand_times_its_size_is_refused(tmp_path: Path) -> None:
    """From some size on; the way out is to unpack it, as no option allows that."""
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"answer": "a"}\n' + b" " * 2_000_000))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jsonl", b" " * 2_000_000)
    found = items_of(tmp_path, Limits(ratio=100, ratio_from=500_000))
    assert found[0] == "a"
    assert len(found) == 3
    assert all("unpacks to more than 100 times its size" in item for item in found[1:])
    assert not any("times its size" in item for item in items_of(tmp_path, Limits(ratio=100)))


def test_files_beyond_the_limit_are_not_opened(tmp_path: Path) -> None:
    """Those before are read."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(5):
            archive.writestr(f"{number}.txt", page("T", "q", f"a{number}"))
    found = items_of(tmp_path, Limits(files=3))
    assert found == ["a0", "a1", "a2", "a.zip: more than 3 files in an archive (see Limits.files)"]


def test_nesting_beyond_the_limit_is_set_aside(tmp_path: Path) -> None:
    """What lies less deep in the same archive is read."""
    deep = gzip.compress(gzip.compress(json.dumps({"answer": "deep"}).encode()))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("deep.gz", deep)
        archive.writestr("page.txt", page("T", "q", "page"))
    assert items_of(tmp_path, Limits(nesting=3)) == ["deep", "page"]
    note, other = items_of(tmp_path, Limits(nesting=2))
    assert other == "page"
    assert "more than 2 deep" in note


def test_the_scratch_disk_is_never_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the folder and the way out; with keep_going the rest is read."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    source = tmp_path / "source"
    write_jsonl(source / "z.jsonl", [{"answer": "z"}])
    with zipfile.ZipFile(source / "a.zip", "w") as archive:
        archive.writestr("faq.jsonl", json.dumps({"answer": "a" * 100_000}))  # no short one: those stay in memory
    (source / "Posts.xml").write_text('<posts><row Id="1" PostTypeId="1" Body="q" Title="t"/></posts>')
    full = Limits(scratch_free=1 << 60)
    with pytest.raises(DamagedArchiveError, match=rf"leave less than 1,048,576 TiB free in {scratch} \(set TMPDIR"):
        items_of(source, full)
    first, second, third = items_of(source, full, keep_going=True)
    assert "free in" in first
    assert "free in" in second
    assert third == "z"
    assert not list(scratch.iterdir())


def test_a_line_may_be_as_long_as_the_limit(tmp_path: Path) -> None:
    """Pieces of long lines are put together again, whatever the length of their last one."""
    lines = {length: json.dumps({"id": str(length), "answer": "é" * length}, ensure_ascii=False) for length in
             (32_000, 65_536 - 30, 65_536, 131_072, 200_000)}  # fmt: skip
    (tmp_path / "faq.jsonl").write_text("\n".join(lines.values()), encoding="utf-8")
    found = items_of(tmp_path, Limits())
    assert [len(item) for item in found] == list(lines)
    limit = len(lines[131_072].encode()) + 1
    assert [len(item) for item in items_of(tmp_path, Limits(record_bytes=limit))][:-1] == list(lines)[:-1]
    assert "line 4: longer" in items_of(tmp_path, Limits(record_bytes=limit - 2))[3]


def test_a_sparse_file_of_zeros_is_told_by_its_beginning(tmp_path: Path) -> None:
    """Nobody reads a terabyte to find that it is no text."""
    (tmp_path / "zeros.txt").touch()
    os.truncate(tmp_path / "zeros.txt", 1 << 40)
    (note,) = read_archives([tmp_path])
    assert isinstance(note, SetAside)
    assert note.reason == "binary data, not an archive of posts"


BEGINNINGS = {
    "blank lines": " \n" * 40_000,
    "blank lines in a program": "const x =" + " \n" * 40_000 + "x",
    "open comments": "{a: " + "/*" * 40_000,
    "quotes that are not closed": "[{q: '" + "\\'" * 40_000,
    "options of a quiz": "Q?\nA. a\nANSWER: A\n\n" + "A. a\n\n" * 20_000,
    "braces": "Q? {=a ~b}\n\n" + "Q {\n" * 20_000,
    "brackets of a chat": "[Ann] [2:30 PM] a\n[Bob] [2:31 PM] b\n[Ann] [2:30 PM] c\n" + "[" * 80_000,
}


@pytest.mark.parametrize("beginning", BEGINNINGS)
@pytest.mark.parametrize("name", ["faq.txt", "faq.json", "faq.js", "faq"])
def test_what_a_file_is_shows_in_seconds(beginning: str, name: str, tmp_path: Path) -> None:
    """Whatever is repeated in it: what is read of it, and what refuses it, looks at each part a few times."""
    (tmp_path / name).write_text(BEGINNINGS[beginning], encoding="utf-8")
    began = time.process_time()
    list(read_archives([tmp_path], keep_going=True))
    assert time.process_time() - began < 8
