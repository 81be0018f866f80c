"""Owners of passages: against plain loops over random archives, and every damage told as damage."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_search.errors import IndexDamagedError
from qa_search.index.folder_stores import damage_in
from qa_search.index.stores.arrays import distinct
from qa_search.index.stores.owners import POSTS_NAME, SIDES_NAME, OwnerStore, write_owners
from qa_search.types import FIELDS, Field

# The sides of each post's passages: an archive as far as owners know it.
archives = st.lists(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=7), min_size=1, max_size=12)
ROWS: list[tuple[int, Field]] = [(0, "title"), (0, "answer"), (1, "question"), (2, "answer")]


def rows_of(archive: list[list[Field]]) -> list[tuple[int, Field]]:
    return [(post, side) for post, sides in enumerate(archive) for side in sides]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A generation of an index, with the owners in it."""
    generation = tmp_path / "index" / "generations" / "g000001"
    generation.mkdir(parents=True)
    write_owners(generation, ROWS, len(ROWS))
    return generation


@given(archives, st.data())
@settings(deadline=None, max_examples=60)
def test_owners_are_those_that_were_written(archive: list[list[Field]], data: st.DataObject) -> None:
    """Posts of passages, passages of posts and sides of passages, for any choice of them in any order."""
    rows = rows_of(archive)
    some_passages = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=20))
    some_posts = sorted(data.draw(st.sets(st.integers(0, len(archive) - 1))))
    with tempfile.TemporaryDirectory() as name:
        write_owners(Path(name), iter(rows), len(rows))
        owners = OwnerStore(Path(name), len(rows))
        posts = owners.posts_of(np.asarray(some_passages, np.int64))
        passages, starts = owners.passages_of(np.asarray(some_posts, np.int64))
        sides = owners.sides_of(np.asarray(some_passages, np.int64))
    assert posts.tolist() == sorted({rows[passage][0] for passage in some_passages})
    assert posts.dtype == passages.dtype == np.int64
    assert sides == [rows[passage][1] for passage in some_passages]
    cut = [part.tolist() for part in np.split(passages, starts[1:])] if some_posts else passages.tolist()
    assert cut == [[number for number, (owner, _) in enumerate(rows) if owner == post] for post in some_posts]


def test_nothing_asked_is_nothing_found(folder: Path) -> None:
    """No passages have no posts and no sides, and no posts have no passages."""
    owners, nothing = OwnerStore(folder, len(ROWS)), np.empty(0, np.int64)
    assert owners.posts_of(nothing).tolist() == owners.sides_of(nothing) == []
    assert [part.tolist() for part in owners.passages_of(nothing)] == [[], []]


def test_passages_of_many_blocks_are_all_written(tmp_path: Path) -> None:
    """More than are written at once, also if the last block is full or of one row."""
    for count in (65_536, 65_537, 150_000):
        write_owners(tmp_path, ((number // 3, FIELDS[number % 3]) for number in range(count)), count)
        owners = OwnerStore(tmp_path, count)
        numbers = np.asarray([0, 1, 65_534, 65_535, count - 2, count - 1])
        assert owners.sides_of(numbers) == [FIELDS[number % 3] for number in numbers]
        assert owners.posts_of(np.arange(count)).tolist() == list(range((count + 2) // 3))
        passages, starts = owners.passages_of(np.asarray([0, 21_844, 21_845]))
        assert (passages[:3].tolist(), passages[3:6].tolist()) == ([0, 1, 2], [65_532, 65_533, 65_534])
        assert starts.tolist() == [0, 3, 6]


def refused(folder: Path, count: int = len(ROWS)) -> str:
    """Open and use the owners, which must be told as damage; return the message."""
    with pytest.raises(IndexDamagedError, match=r"Build the index again: build_index\(SOURCES, .+\)") as caught:
        use(folder, count)
    assert repr(str(folder.parent.parent)) in str(caught.value)
    return str(caught.value)


def use(folder: Path, count: int = len(ROWS)) -> None:
    owners = OwnerStore(folder, count, damage_in(folder))
    owners.posts_of(np.arange(count))
    owners.sides_of(np.arange(count))
    owners.passages_of(np.arange(3))


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def other_text(path: Path) -> None:
    path.write_text("post,side\n0,title\n")


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def broken_header(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"}", b" ", 1))


def broken_length(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[8] = 1
    path.write_bytes(bytes(data))


def several_arrays(path: Path) -> None:
    with path.open("wb") as stream:
        np.savez(stream, np.arange(4))


def table(path: Path) -> None:
    np.save(path, np.zeros((4, 1), np.uint8))


def texts(path: Path) -> None:
    np.save(path, np.asarray(["0", "1", "2", "2"]))


def fractions(path: Path) -> None:
    np.save(path, np.asarray([0.0, 0.25, 1.0, 2.0]))


DAMAGES: list[Callable[[Path], None]] = [
    Path.unlink, cut_off, empty, other_text, folder_instead, broken_header, broken_length, several_arrays, table,
    texts, fractions,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", [POSTS_NAME, SIDES_NAME])
def test_damage_is_told_with_the_way_out(folder: Path, name: str, damage: Callable[[Path], None]) -> None:
    """A file that is missing, cut, of something else or of another kind of numbers is never a crash or an answer."""
    use(folder)
    damage(folder / name)
    refused(folder)


@pytest.mark.parametrize("count", [0, 3, 5])
def test_another_count_than_the_manifest_says_is_damage(folder: Path, count: int) -> None:
    """Too few and too many, with both numbers in the message."""
    message = refused(folder, count)
    assert "4" in message
    assert str(count) in message


@pytest.mark.parametrize("name", [POSTS_NAME, SIDES_NAME])
def test_the_message_names_the_file_that_is_too_short(folder: Path, name: str) -> None:
    """Not the one beside it, which is whole; and how long it is, not how long the other is."""
    array = np.load(folder / name)
    np.save(folder / name, array[:3])
    message = refused(folder)
    assert name in message
    assert "3" in message.split(":")[1]


def test_a_post_without_passages_is_damage(folder: Path) -> None:
    """Its score could not be told from its neighbour's."""
    np.save(folder / POSTS_NAME, np.asarray([0, 0, 2, 2], np.int32))
    with pytest.raises(IndexDamagedError, match=r"no passages.*Build the index again"):
        OwnerStore(folder, 4, damage_in(folder)).passages_of(np.asarray([0, 1, 2]))


def test_a_side_that_there_is_not_is_damage(folder: Path) -> None:
    """There are three."""
    np.save(folder / SIDES_NAME, np.asarray([0, 1, 2, 3], np.uint8))
    owners = OwnerStore(folder, 4, damage_in(folder))
    assert owners.sides_of(np.asarray([0, 1, 2])) == list(FIELDS)
    with pytest.raises(IndexDamagedError, match=r"invalid field.*Build the index again"):
        owners.sides_of(np.asarray([3]))


class Trap:
    """Unpickling it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", [POSTS_NAME, SIDES_NAME])
def test_nothing_is_unpickled(folder: Path, tmp_path: Path, name: str) -> None:
    """Neither an array of objects nor a pickle in place of an array: an index from elsewhere runs no code."""
    sprung = tmp_path / "sprung"
    np.save(folder / name, np.asarray([Trap(sprung)] * 4, object), allow_pickle=True)
    refused(folder)
    (folder / name).write_bytes(pickle.dumps(Trap(sprung)))
    refused(folder)
    assert not sprung.exists()
    np.load(folder / name, allow_pickle=True)
    assert sprung.exists()


@given(st.lists(st.lists(st.integers(-5, 40), max_size=30), min_size=1, max_size=4))
def test_distinct_numbers_are_those_of_numpy(numbers: list[list[int]]) -> None:
    """Ascending, each once, of arrays of any number and shape."""
    arrays = [np.asarray(some, np.int64) for some in numbers]
    assert np.array_equal(distinct(*arrays), np.unique(np.concatenate(arrays)))
    assert np.array_equal(distinct(np.stack([arrays[0], arrays[0]])), np.unique(arrays[0]))
