"""Promise 6: verify names what is wrong, and goes back to what is whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from qa_search import SearchIndex, build_index, verify_index
from qa_search.errors import IndexDamagedError, IndexLockedError, IndexNotFoundError
from qa_search.index.folder import IndexFolder
from qa_search.index.integrity import write_block_sums
from qa_search.interfaces.cli import cli
from tests.helpers import WordsEmbedder, seal, write_pages

COMPLAINTS = ("my knee3 hurts", "week7 and nothing helps")


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """Two generations: eight posts, then nine."""
    for count in (8, 9):
        build_index(write_pages(tmp_path / "pages", count), tmp_path / "index", model=WordsEmbedder())
    return tmp_path / "index"


def answers(index: Path) -> list[str]:
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        return [hit.title for complaint in COMPLAINTS for hit in opened.search(complaint, k=3).hits]


def files_of(index: Path) -> list[Path]:
    """Every file that the current generation is made of, the pointer included."""
    generation = index / "generations" / (index / "CURRENT").read_text().split()[0]
    return [index / "CURRENT", *sorted(path for path in generation.rglob("*") if path.is_file())]


def test_blocks_are_checked_as_they_are_read(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is too large to be read when it is opened gives no byte that is not what was written."""
    monkeypatch.setattr("qa_search.index.folder.CHECKED_WHOLE_BYTES", 0)
    whole, path = answers(index), index / "generations" / "g000002" / "posts.sqlite"
    data, outcomes = path.read_bytes(), set()
    for at in range(100, len(data), 4096):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        try:
            assert answers(index) == whole
            outcomes.add("not read")
        except IndexDamagedError as error:
            assert "checksum mismatch in bytes" in str(error)
            outcomes.add("noticed")
    assert outcomes == {"not read", "noticed"}


def test_a_file_that_changes_while_it_is_open_is_noticed(index: Path) -> None:
    """Before the next answer is given."""
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        opened.search(COMPLAINTS[0])
        path = index / "generations" / "g000002" / "vectors-00000.faiss"
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        with pytest.raises(IndexDamagedError, match=r"vectors-00000\.faiss was changed while the index was open"):
            opened.search(COMPLAINTS[0])


def test_a_whole_index_is_said_to_be_whole(index: Path) -> None:
    """Both generations, with what was read."""
    report = verify_index(index)
    assert report.ok
    assert [(check.generation, check.answers, check.problems) for check in report.generations] == [
        ("g000002", True, ()), ("g000001", False, ()),
    ]  # fmt: skip
    assert report.generations[0].bytes == sum(
        path.stat().st_size for path in files_of(index)[1:] if not path.name.startswith("manifest")
    )


def test_damage_is_named_and_the_generation_before_answers_on_demand(index: Path) -> None:
    """Every damaged file is named; the command exits with 3 until it has fallen back."""
    new = index / "generations" / "g000002"
    for name in ("posts.sqlite", "vectors-00000.faiss"):
        (new / name).write_bytes((new / name).read_bytes()[:-1] + b"!")
    report = verify_index(index)
    assert not report.ok
    assert [problem.split(":")[0] for problem in report.generations[0].problems] == [
        str(new / "posts.sqlite"), str(new / "vectors-00000.faiss"),
    ]  # fmt: skip
    told = CliRunner().invoke(cli, ["verify", "--index", str(index)])
    assert told.exit_code == 3
    assert "verify --fall-back" in told.stderr
    back = CliRunner().invoke(cli, ["verify", "--fall-back", "--json", "--index", str(index)])
    assert (back.exit_code, json.loads(back.stdout)["fell_back_to"]) == (0, "g000001")
    assert answers(index)
    assert verify_index(index).ok


@pytest.mark.parametrize("pointer", [None, b"", b"nonsense\n", b"g000002 0000\n", b"g000007 0000\n", b"g000002\n"])
def test_a_pointer_that_is_gone_or_damaged_is_mended(index: Path, pointer: bytes | None) -> None:
    """By the latest generation that is whole."""
    whole = answers(index)
    (index / "CURRENT").unlink()
    if pointer is not None:
        (index / "CURRENT").write_bytes(pointer)
    with pytest.raises(IndexNotFoundError if pointer is None else IndexDamagedError):
        answers(index)
    assert not verify_index(index).ok
    assert verify_index(index, fall_back=True).fell_back_to == "g000002" if pointer != b"g000002 0000\n" else True
    if pointer != b"g000002 0000\n":
        assert answers(index) == whole


def test_when_nothing_is_whole_nothing_is_changed(index: Path) -> None:
    """And the way out is a build, which reuses nothing of it."""
    for name in ("g000001", "g000002"):
        (index / "generations" / name / "passage-sides.npy").write_bytes(b"")
    before = (index / "CURRENT").read_bytes()
    report = verify_index(index, fall_back=True)
    assert (report.ok, report.fell_back_to) == (False, None)
    assert (index / "CURRENT").read_bytes() == before
    assert build_index(index.parent / "pages", index, model=WordsEmbedder()).reused == 0
    assert verify_index(index).ok


def test_the_last_good_generation_outlives_builds_that_follow(index: Path) -> None:
    """While the latest is damaged, what is kept beside a new one is the last that was whole."""
    (index / "generations" / "g000002" / "posts.sqlite").write_bytes(b"x")
    build_index(index.parent / "pages", index, model=WordsEmbedder(), keep=2)
    assert IndexFolder(index).names() == ["g000003", "g000001"]
    assert all(not check.problems for check in verify_index(index).generations)


def test_falling_back_waits_for_no_build(index: Path) -> None:
    """While one writes, it is refused."""
    (index / "generations" / "g000002" / "posts.sqlite").write_bytes(b"x")
    with IndexFolder(index).writing(), pytest.raises(IndexLockedError, match=r"process \d+ on "):
        verify_index(index, fall_back=True)


def test_an_empty_folder_is_no_index(tmp_path: Path) -> None:
    """As everywhere."""
    with pytest.raises(IndexNotFoundError):
        verify_index(tmp_path)


@pytest.mark.parametrize("what", ["sides", "text", "length", "counts"])
def test_parts_that_contradict_each_other_are_named(index: Path, what: str) -> None:
    """Even if every hash fits."""
    folder = index / "generations" / "g000002"
    if what == "sides":
        data = (folder / "passage-sides.npy").read_bytes()
        (folder / "passage-sides.npy").write_bytes(data[:-1] + bytes([data[-1] ^ 3]))
    elif what == "text":
        data = (folder / "posts.sqlite").read_bytes()
        (folder / "posts.sqlite").write_bytes(data.replace(b"Rest the knee5", b"Rest the knee6"))
        write_block_sums(folder / "posts.sqlite")
    elif what == "length":
        data = (folder / "vectors-00000.faiss").read_bytes()
        (folder / "vectors-00000.faiss").write_bytes(data[:-4] + b"\0\0\x80\x41")
    seal(index, lambda manifest: manifest["counts"].update(posts=3) if what == "counts" else None)
    expected = {
        "sides": "belong to other posts", "text": "differs from the one that was embedded",
        "length": "does not have unit length",
        "counts": "9 posts, where the manifest says 3",
    }[what]  # fmt: skip
    report = verify_index(index)
    assert not report.ok
    assert expected in " ".join(report.generations[0].problems)
