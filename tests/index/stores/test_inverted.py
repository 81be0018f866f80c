"""Vectors in inverted lists: what is found, what a later build reuses, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import faiss
import numpy as np
import pytest

from devtools.manifests import make_manifest
from qa_search import SearchIndex, build_index, verify_index
from qa_search.embedders.base import Vectors
from qa_search.errors import IndexDamagedError, VectorIndexError
from qa_search.index import folder as generations_module
from qa_search.index.generation import Generation
from qa_search.index.integrity import file_record
from qa_search.index.manifest import dump_record
from qa_search.index.stores import inverted, inverted_writer
from qa_search.index.stores.inverted import LISTS_NAME, ROW_OF_PASSAGE, InvertedStore, open_vectors
from qa_search.index.stores.inverted_writer import (
    LISTS,
    InvertedWriter,
    ListKind,
    choose_kind,
    choose_probes,
    index_bytes,
)
from qa_search.index.stores.records import ListedVectors
from qa_search.index.stores.rows import RowStore, RowWriter, rows_name
from qa_search.index.stores.vectors import FlatStore, write_faiss
from tests.helpers import WordsEmbedder, page
from tests.reliability.trials import generation

DIMENSION = 32


def clustered(count: int, seed: int = 0) -> Vectors:
    """Make vectors that lie in heaps, as those of texts do."""
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((60, DIMENSION))
    vectors = centres[generator.integers(0, 60, count)] + 0.6 * generator.standard_normal((count, DIMENSION))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def write(folder: Path, vectors: Vectors, kind: ListKind) -> InvertedStore:
    """Write vectors as a build does, and open them."""
    folder.mkdir(parents=True)
    writer = InvertedWriter(folder, DIMENSION, kind)
    for start in range(0, len(vectors), 700):
        part = vectors[start : start + 700]
        writer.add(np.full(len(part), -1), part)
    return opened(folder, len(vectors), writer.close())


def opened(folder: Path, count: int, record: ListedVectors) -> InvertedStore:
    store = open_vectors(folder, [path.name for path in folder.iterdir()], record, DIMENSION, count)
    assert isinstance(store, InvertedStore)
    if record.recall is None:
        store.record = choose_probes(store, 0.9)
    return store


def write_more(folder: Path, before: InvertedStore, kept: Vectors, known: np.ndarray[Any, Any], new: Vectors) -> Any:
    """Write the build after: the passages of some rows of the one before, and new ones behind them."""
    source = before._folder
    files = {path.name: file_record(path) for path in source.iterdir()}
    folder.mkdir(parents=True)
    previous = Generation(source, make_manifest(files=files))
    kind = before.record.kind if before.record.kind in LISTS else LISTS[0]
    writer = InvertedWriter(folder, DIMENSION, kind, (previous, before))
    writer.add(known, np.empty((0, DIMENSION), np.float32))
    writer.add(np.full(len(new), -1), new)
    store = opened(folder, len(kept) + len(new), writer.close())
    assert np.array_equal(store.reconstruct(np.arange(store.count)), np.concatenate([kept, new]))
    return store


def found_share(store: InvertedStore, vectors: Vectors, queries: Vectors, k: int = 10) -> float:
    """Return how much of the k closest is found; of equally close ones, any will do."""
    scores, numbers = store.search(queries, k)
    assert numbers.shape == (len(queries), k)
    assert np.allclose(scores, np.einsum("qd,qkd->qk", queries, vectors[numbers]), atol=1e-6)
    assert (np.diff(scores, axis=1) <= 0).all()
    assert all(len(set(row)) == k for row in numbers.tolist())
    bounds = np.sort(queries @ vectors.T, axis=1)[:, -k]
    return float((scores >= bounds[:, None] - 1e-6).mean())


@pytest.fixture(scope="module", params=LISTS)
def large(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> InvertedStore:
    """A store of 4,000 vectors."""
    return write(tmp_path_factory.mktemp("index") / "generations" / "g000001", clustered(4000), request.param)


def test_what_is_found_is_close_to_exact_and_its_scores_are(large: InvertedStore) -> None:
    """On queries that nothing was set by; what the record says of the archive's own is in reach of it."""
    assert found_share(large, clustered(4000), clustered(300, seed=1)) >= 0.95
    assert (large.record.recall or 0) >= 0.9
    assert (large.record.queries or 0) >= 200


@pytest.mark.parametrize("kind", LISTS)
def test_vectors_of_which_few_values_are_large_are_found_as_well(tmp_path: Path, kind: ListKind) -> None:
    """As some models make them, where codes of a bit a value would say next to nothing."""
    scales = np.where(np.arange(DIMENSION) % 16 == 3, 10, 1).astype(np.float32)

    def stretched(vectors: Vectors) -> Vectors:
        return np.asarray(scales * vectors / np.linalg.norm(scales * vectors, axis=1, keepdims=True), np.float32)

    vectors = stretched(clustered(4000))
    store = write(tmp_path / "g000001", vectors, kind)
    assert found_share(store, vectors, stretched(clustered(200, seed=1))) >= 0.95


def test_more_lists_are_looked_at_where_they_hold_too_little(large: InvertedStore) -> None:
    """As many as there are, whatever is asked for."""
    scores, numbers = large.search(clustered(2, seed=1), 10_000)
    assert numbers.shape == (2, 4000)
    assert sorted(numbers[0].tolist()) == list(range(4000))
    assert scores[0, 0] >= scores[0, -1]


def test_what_a_search_reads_is_asked_for_in_advance(
    large: InvertedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the lists, exactly their bytes, each once; of the rows, those that are read."""
    folder = tmp_path / "index" / "generations" / "g000001"
    shutil.copytree(large._folder, folder)
    fresh = opened(folder, large.count, large.record)
    asked: dict[str, list[tuple[int, int]]] = {}

    def note(descriptor: int, offset: int, size: int, advice: int) -> None:
        assert advice == os.POSIX_FADV_WILLNEED
        asked.setdefault(Path(f"/proc/self/fd/{descriptor}").readlink().name, []).append((offset, size))

    monkeypatch.setattr(os, "posix_fadvise", note)
    query = clustered(1, seed=1)
    expected = large.search(query, 10)
    asked.clear()
    assert np.array_equal(fresh.search(query, 10)[1], expected[1])
    data, lists = (folder / LISTS_NAME).read_bytes(), fresh._lists
    inside: Any = lists.invlists
    spans = dict(asked[LISTS_NAME])
    assert len(spans) == len(asked[LISTS_NAME]) == min(fresh.record.probes, lists.nlist)
    held: dict[bytes, int] = {}
    for number in range(lists.nlist):
        size = inside.list_size(number)
        codes = faiss.rev_swig_ptr(inside.get_codes(number), size * lists.code_size)
        held[codes.tobytes()] = size * (lists.code_size + 8)
    for offset, size in spans.items():
        assert held[data[offset : offset + size * lists.code_size // (lists.code_size + 8)]] == size
    width, found = 4 * DIMENSION, fresh.rows_of(expected[1][0])
    rows = {row for at, size in asked[rows_name(0)] for row in range(at // width, (at + size) // width)}
    assert set(found.tolist()) <= rows
    asked.clear()
    fresh.search(query, 10)
    assert LISTS_NAME not in asked
    monkeypatch.delattr(os, "posix_fadvise")  # not every system has it
    again = opened(folder, large.count, large.record)
    assert np.array_equal(again.search(query, 10)[1], expected[1])


@pytest.mark.parametrize("passing", [0, 1, 5, 300])
def test_a_filter_that_few_pass_is_searched_exactly(large: InvertedStore, passing: int) -> None:
    """The best of what passes, in order."""
    allowed = np.sort(np.random.default_rng(3).choice(4000, passing, replace=False))
    vectors, queries = clustered(4000), clustered(20, seed=1)
    _, numbers = large.search(queries, 10, allowed)
    expected = allowed[np.argsort(-(queries @ vectors[allowed].T), axis=1, kind="stable")[:, :10]]
    assert np.array_equal(numbers, expected)


def test_a_filter_that_many_pass_finds_nearly_all(large: InvertedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing that does not pass."""
    monkeypatch.setattr(inverted, "EXACT_FILTERED", 50)
    allowed = np.sort(np.random.default_rng(3).choice(4000, 400, replace=False))
    vectors, queries = clustered(4000), clustered(100, seed=1)
    scores, numbers = large.search(queries, 10, allowed)
    assert np.isin(numbers, allowed).all()
    bounds = np.sort(queries @ vectors[allowed].T, axis=1)[:, -10]
    assert (scores >= bounds[:, None] - 1e-6).mean() >= 0.95


def test_added_vectors_stay_outside_of_the_lists_at_first(large: InvertedStore, tmp_path: Path) -> None:
    """Nothing large is written again, and what is new is found at once."""
    vectors, new = clustered(4000), clustered(200, seed=5)
    folder = tmp_path / "generations" / "g000002"
    store = write_more(folder, large, vectors, np.arange(4000), new)
    for name in (LISTS_NAME, rows_name(0)):
        assert (folder / name).stat().st_ino == (large._folder / name).stat().st_ino
    assert store.record == large.record
    both = np.concatenate([vectors, new])
    assert found_share(store, both, clustered(200, seed=6)) >= 0.95
    assert store.search(new, 1)[1][:, 0].tolist() == list(range(4000, 4200))


def test_many_added_vectors_are_put_into_lists(
    large: InvertedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that there are, and how much is found is measured again."""
    monkeypatch.setattr(inverted_writer, "FRESH_ROWS", 100)
    vectors, new = clustered(4000), clustered(900, seed=5)
    store = write_more(tmp_path / "generations" / "g000002", large, vectors, np.arange(4000), new)
    assert store.record.covered == 4900
    assert (store.record.trained, store.record.lists) == (4000, large.record.lists)
    assert found_share(store, np.concatenate([vectors, new]), clustered(200, seed=6)) >= 0.95


def test_an_archive_that_grew_much_gets_other_lists(
    large: InvertedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of them, with centres of their own."""
    monkeypatch.setattr(inverted_writer, "FRESH_ROWS", 100)
    new = clustered(14_000, seed=5)
    store = write_more(tmp_path / "generations" / "g000002", large, clustered(4000), np.arange(4000), new)
    assert store.record.trained == store.record.covered == 18_000
    assert store.record.lists > large.record.lists


@pytest.mark.parametrize(("left", "moved"), [(3500, False), (1000, True)])
def test_vectors_of_removed_passages_are_not_found(
    large: InvertedStore, tmp_path: Path, left: int, moved: bool
) -> None:
    """Few stay where they are, many give their room back."""
    kept = np.sort(np.random.default_rng(4).permutation(4000)[:left])
    vectors, new = clustered(4000)[kept], clustered(5, seed=5)
    store = write_more(tmp_path / "generations" / "g000002", large, vectors, kept, new)
    assert store.rows.count == (left + 5 if moved else 4005)
    assert found_share(store, np.concatenate([vectors, new]), clustered(200, seed=6)) >= 0.93
    assert store.search(clustered(1, seed=7), 10_000)[1].shape == (1, left + 5)


def test_passages_of_the_same_text_share_a_row(large: InvertedStore, tmp_path: Path) -> None:
    """Each is found, the lower number first, and filters tell them apart."""
    vectors = clustered(4000)
    known = np.concatenate([np.arange(4000), [17, 17]])
    kept = np.concatenate([vectors, vectors[[17, 17]]])
    store = write_more(tmp_path / "generations" / "g000002", large, kept, known, clustered(1, seed=5))
    assert store.search(vectors[17:18], 3)[1][0].tolist() == [17, 4000, 4001]
    assert store.search(vectors[17:18], 3, np.array([3, 4001]))[1][0].tolist() == [4001, 3]


def test_the_kind_follows_the_size_and_the_memory() -> None:
    """Exact while that is fast and fits, then compressed, then compressed more; else refused with what it takes."""
    gigabyte = 1_000_000_000
    assert choose_kind(60_000, 384, gigabyte) == "flat"
    assert choose_kind(60_000, 384, 50_000_000) == "ivf-rabitq2"
    assert choose_kind(5_000_000, 384, gigabyte) == "ivf-rabitq2"
    assert choose_kind(10_000_000, 384, gigabyte) == "ivf-rabitq1"
    assert choose_kind(100, 384, 1) == "flat"
    with pytest.raises(VectorIndexError, match=r"memory: 5,000,000 passages take at least (\d+) MB") as told:
        choose_kind(5_000_000, 384, 100_000_000)
    with pytest.raises(VectorIndexError, match=r"where 10,000 bytes are allowed"):
        choose_kind(60_000, 384, 10_000)
    least = int(str(told.value).split("at least ")[1].split()[0])
    assert choose_kind(5_000_000, 384, least * 1_000_000) == "ivf-rabitq1"
    assert index_bytes("ivf-rabitq1", 5_000_000, 384) <= least * 1_000_000


def of_an_earlier_version(store: InvertedStore, kind: Literal["ivf-sq8", "ivf-pq"]) -> InvertedStore:
    """Put lists as earlier versions wrote them in the place of a store's, and open it."""
    folder, centres = store._folder, faiss.IndexFlatIP(DIMENSION)
    metric, count = faiss.METRIC_INNER_PRODUCT, store.record.lists
    make: Any = inverted.KINDS[kind]
    if kind == "ivf-sq8":
        lists = make(centres, DIMENSION, count, faiss.ScalarQuantizer.QT_8bit, metric)
    else:
        lists = make(centres, DIMENSION, count, DIMENSION // 4, 8, metric)
    vectors = store.rows.read(np.arange(store.rows.count))
    lists.train(vectors)
    lists.add(vectors)
    (folder / LISTS_NAME).unlink()
    write_faiss(lists, folder / LISTS_NAME)
    inverted.write_list_sums(folder / LISTS_NAME, lists)
    return opened(folder, store.count, store.record._replace(kind=kind))


@pytest.mark.parametrize("kind", ["ivf-sq8", "ivf-pq"])
def test_lists_of_earlier_versions_are_read_and_made_anew(tmp_path: Path, kind: Literal["ivf-sq8", "ivf-pq"]) -> None:
    """They find as much as they did; the build that follows writes them as it writes all."""
    vectors, new = clustered(4000), clustered(5, seed=5)
    old = of_an_earlier_version(write(tmp_path / "index" / "generations" / "g000001", vectors, LISTS[0]), kind)
    assert found_share(old, vectors, clustered(200, seed=1)) >= 0.95
    store = write_more(tmp_path / "index" / "generations" / "g000002", old, vectors, np.arange(4000), new)
    assert store.record.kind == LISTS[0]
    assert found_share(store, np.concatenate([vectors, new]), clustered(200, seed=1)) >= 0.95


@pytest.mark.parametrize(
    ("field", "value"), [("nb_bits", 9), ("nb_bits", 0), ("d", DIMENSION * 8), ("metric_type", 1), ("rotation", 0)]
)
def test_lists_that_say_something_else_of_their_codes_are_damaged(tmp_path: Path, field: str, value: int) -> None:
    """FAISS would read past their end, or find nothing."""
    store = write(tmp_path / "g000001", clustered(4000), LISTS[0])
    index: Any = store.copy_of_lists()
    lists: Any = inverted.lists_of(index)
    if field != "rotation":
        setattr(lists.rabitq, field, value)
    (store._folder / LISTS_NAME).unlink()
    faiss.write_index(lists if field == "rotation" else index, str(store._folder / LISTS_NAME))
    inverted.write_list_sums(store._folder / LISTS_NAME, lists)
    with pytest.raises(IndexDamagedError, match=r"lists\.faiss"):
        opened(store._folder, store.count, store.record)


def test_too_little_recall_is_refused(tmp_path: Path) -> None:
    """Vectors without any order cannot be compressed to so few bytes."""
    vectors = np.random.default_rng(0).standard_normal((4000, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    folder = tmp_path / "generations" / "g000001"
    folder.mkdir(parents=True)
    writer = InvertedWriter(folder, DIMENSION, "ivf-rabitq1")
    writer.add(np.full(4000, -1), vectors)
    record = writer.close()
    store = open_vectors(folder, [path.name for path in folder.iterdir()], record, DIMENSION, 4000)
    assert isinstance(store, InvertedStore)
    with pytest.raises(VectorIndexError, match=r"recall: 0\.\d+ of the 10 closest .* 0\.999 are required"):
        choose_probes(store, 0.999)


def test_rows_come_back_in_any_order(tmp_path: Path) -> None:
    """Over several files, from any row on, and nothing that there is not."""
    writer = RowWriter(tmp_path, DIMENSION, rows_per_file=100)
    vectors = clustered(730)
    for start in range(0, 730, 64):
        writer.add(vectors[start : start + 64])
    writer.close()
    store = RowStore(tmp_path, [rows_name(number) for number in range(8)], DIMENSION)
    rows = np.random.default_rng(0).integers(0, 730, 1000)
    assert np.array_equal(store.read(rows), vectors[rows])
    assert np.array_equal(np.concatenate(list(store.blocks(33, 150))), np.concatenate([vectors[150:]]))
    for row in (-1, 730):
        with pytest.raises(ValueError, match="a row that does not exist"):
            store.read(np.array([row]))


# Archives and indexes.


def write_archive(folder: Path, posts: range) -> Path:
    """Write pages of words that differ from page to page."""
    folder.mkdir(exist_ok=True)
    for number in posts:
        text = f"My knee{number} and shin{number % 37} hurt since week{number % 11}. It began on stairs{number % 53}."
        answer = f"Rest knee{number} for days. Then walk{number % 29} slowly. Ice helps shin{number % 37}."
        (folder / f"p{number:05}.txt").write_text(page(f"Complaint {number}", text, answer), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("archive") / "pages", range(400))


MEMORY = 150_000  # less than its vectors take


@pytest.fixture(scope="module")
def built(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of that archive in inverted lists."""
    index = tmp_path_factory.mktemp("built") / "index"
    build_index(archive, index, model=WordsEmbedder(), memory=MEMORY)
    return index


def titles(index: Path, complaint: str) -> list[str]:
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        return [hit.title for hit in opened.search(complaint, k=3).hits]


def test_a_large_archive_is_searched_in_lists(built: Path, archive: Path, tmp_path: Path) -> None:
    """It says so, is whole, and answers as an exact one does."""
    build_index(archive, tmp_path / "flat", model=WordsEmbedder())
    with SearchIndex.open(built, model=WordsEmbedder()) as opened:
        assert opened.info().vector_index["kind"] == "ivf-rabitq2"
        assert opened.info().vector_index["recall"] >= 0.95
    assert verify_index(built).ok
    for number in range(0, 400, 7):
        complaint = f"my knee{number} and shin{number % 37} hurt since week{number % 11} on stairs{number % 53}"
        assert titles(built, complaint)[0] == titles(tmp_path / "flat", complaint)[0] == f"Complaint {number}"


def test_posts_come_and_go_in_a_large_index(built: Path, archive: Path, tmp_path: Path) -> None:
    """Only what is new is embedded, every answer is of the archive as it is then, and a small index grows into it."""
    index, pages = tmp_path / "index", tmp_path / "pages"
    shutil.copytree(built, index)
    shutil.copytree(archive, pages)
    write_archive(pages, range(400, 410))
    (pages / "p00003.txt").unlink()
    changed = page("Complaint 5", "My elbow5 is stiff.", "Bend the elbow5 each day.")
    (pages / "p00005.txt").write_text(changed, encoding="utf-8")
    report = build_index(pages, index, model=WordsEmbedder(), memory=MEMORY, allow_shrink=True)
    assert report.embedded <= 11 * 5
    assert titles(index, "knee405 hurts")[0] == "Complaint 405"
    assert titles(index, "elbow5 is stiff")[0] == "Complaint 5"
    assert "Complaint 3" not in titles(index, "knee3 hurts since week3")
    assert verify_index(index).ok
    flat = build_index(pages, index, model=WordsEmbedder())
    assert flat.embedded == 0
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        assert isinstance(opened.retriever.vectors, FlatStore)
    assert titles(index, "knee405 hurts")[0] == "Complaint 405"
    again = build_index(pages, index, model=WordsEmbedder(), memory=MEMORY)
    assert again.embedded == 0
    assert verify_index(index).ok


def test_a_build_that_finds_too_little_leaves_the_index_before(built: Path, archive: Path, tmp_path: Path) -> None:
    """With a message that says what to do."""
    index = tmp_path / "index"
    shutil.copytree(built, index)
    before = generation(index).name
    with pytest.raises(VectorIndexError, match=r"where 20,000 bytes are allowed.*Nothing was changed"):
        build_index(archive, index, model=WordsEmbedder(), memory=20_000)
    assert generation(index).name == before
    assert titles(index, "my knee7 hurts")[0] == "Complaint 7"


def test_a_changed_byte_of_any_file_is_found(built: Path, tmp_path: Path) -> None:
    """At opening, by name."""
    index = tmp_path / "index"
    shutil.copytree(built, index)
    generator = np.random.default_rng(0)
    names = [path for path in generation(index).iterdir() if path.suffix in (".f32", ".faiss", ".npy", ".blocks")]
    assert len(names) >= 8
    for path in names:
        data = bytearray(path.read_bytes())
        for at in generator.integers(0, len(data), 10).tolist():
            data[at] ^= 1
            path.write_bytes(data)
            with pytest.raises(IndexDamagedError, match=path.name):
                SearchIndex.open(index, model=WordsEmbedder())
            data[at] ^= 1
        path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "part"),
    [(rows_name(0), slice(0, None)), (LISTS_NAME, slice(500, 1500)), (LISTS_NAME, slice(-30_000, None))],
)
def test_what_is_too_large_to_be_read_at_opening_is_checked_as_it_is_read(
    name: str, part: slice, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No answer comes from a changed one."""
    monkeypatch.setattr(generations_module, "CHECKED_WHOLE_BYTES", 0)
    index = tmp_path / "index"
    shutil.copytree(built, index)
    path = generation(index) / name
    data = np.fromfile(path, np.uint8)
    assert len(data[part]) >= 1000
    data[part] ^= 1
    data.tofile(path)
    with (
        pytest.raises(IndexDamagedError, match=rf"{name}: .*checksum mismatch"),
        SearchIndex.open(index, model=WordsEmbedder()) as opened,
    ):
        opened.search("my knee7 hurts")
    assert not verify_index(index).ok


@pytest.mark.parametrize("name", [rows_name(0), "posts.sqlite"])
@pytest.mark.parametrize("at_opening", [True, False], ids=["found at opening", "met halfway"])
def test_a_build_uses_nothing_of_a_damaged_generation(
    at_opening: bool, name: str, built: Path, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it meets the damage, even in what it would only link to: all is computed, and answers are right."""
    if not at_opening:
        monkeypatch.setattr(generations_module, "CHECKED_WHOLE_BYTES", 0)
    index, pages = tmp_path / "index", tmp_path / "pages"
    shutil.copytree(built, index)
    shutil.copytree(archive, pages)
    write_archive(pages, range(400, 403))
    path = generation(index) / name
    data = np.fromfile(path, np.uint8)
    data[len(data) // 2 :] ^= 1
    data.tofile(path)
    seen: list[str] = []
    report = build_index(
        pages,
        index,
        model=WordsEmbedder(),
        memory=MEMORY,
        allow_shrink=True,  # a copy, in another folder
        progress=lambda progress: seen.append(progress.stage),
    )
    assert (report.posts, report.reused) == (403, 0)
    assert (seen.count("model"), seen[-1]) == (1, "measuring")
    assert verify_index(index).ok
    assert titles(index, "knee401 hurts")[0] == "Complaint 401"
    assert generation(index).name == "g000002"
    assert {path.name for path in (index / "generations").iterdir()} <= {"g000001", "g000002"}


_HOSTILE = """
import sys
from pathlib import Path
import numpy as np
from qa_search.errors import IndexDamagedError
from qa_search.index.manifest import parse_record
from qa_search.index.stores.inverted import InvertedStore
from qa_search.index.stores.records import ListedVectors
import json
folder, name, record = Path(sys.argv[1]), sys.argv[2], parse_record(ListedVectors, json.loads(sys.argv[3]))
path = folder / name
whole = path.read_bytes()
generator = np.random.default_rng(0)
queries = generator.standard_normal((3, 32)).astype(np.float32)
named = 0
for trial in range(int(sys.argv[4])):
    data = bytearray(whole)
    if trial % 4 == 0:
        data = data[: generator.integers(0, len(data))]
    else:
        # Most of a file is codes: its beginning says what they are.
        at = generator.integers(0, len(data) if trial % 2 else min(len(data), 400))
        data[at] ^= 1 << int(generator.integers(0, 8))
    path.write_bytes(data)
    try:
        store = InvertedStore(folder, ["rows-00000.f32"], 32, 4000, record)
        scores, numbers = store.search(queries, 10)
        store.search(queries, 10, np.arange(0, 4000, 3))
        store.reconstruct(np.arange(0, 4000, 7))
        assert numbers.min() >= 0 and numbers.max() < 4000 and np.isfinite(scores).all()
    except IndexDamagedError:
        named += 1
path.write_bytes(whole)
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(named, int(status["VmHWM"].split()[0]) // 1024)
"""


@pytest.mark.process
@pytest.mark.parametrize("name", [LISTS_NAME, ROW_OF_PASSAGE, "row-passages.npy", "row-starts.npy"])
def test_files_that_somebody_made_do_no_harm(large: InvertedStore, name: str, tmp_path: Path) -> None:
    """Bits changed and files cut, hashes that fit: an answer or a named error, no crash, no memory."""
    folder = tmp_path / "generations" / "g000001"
    shutil.copytree(large._folder, folder)
    done = subprocess.run(
        [sys.executable, "-c", _HOSTILE, str(folder), name, json.dumps(dump_record(large.record)), "120"],
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-800:]
    named, peak = map(int, done.stdout.split())
    assert named >= 20
    assert peak < 300
