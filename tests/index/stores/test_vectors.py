"""Vectors in FAISS shards."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest

from qa_search.embedders.base import Vectors
from qa_search.errors import IndexDamagedError
from qa_search.index.folder_stores import damage_in
from qa_search.index.stores.vectors import FlatStore, VectorWriter

DIMENSION = 16


def unit(count: int, seed: int = 0) -> Vectors:
    vectors = np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def store(folder: Path, vectors: Vectors, shard_vectors: int = 10) -> FlatStore:
    writer = VectorWriter(folder, DIMENSION, shard_vectors)
    for start in range(0, len(vectors), 7):
        writer.add(vectors[start : start + 7])
    writer.close()
    return FlatStore(folder, writer.files, DIMENSION, len(vectors))


def brute_force(vectors: Vectors, queries: Vectors, k: int, allowed: list[int]) -> list[list[int]]:
    scores = queries @ vectors.T
    return [sorted(allowed, key=lambda n: -row[n])[:k] for row in scores]


@pytest.mark.parametrize("count", [1, 9, 10, 11, 53])
@pytest.mark.parametrize("k", [1, 5, 100])
def test_search_is_exact_over_all_shards(tmp_path: Path, count: int, k: int) -> None:
    """The same hits in the same order as comparing with every vector."""
    vectors, queries = unit(count), unit(4, seed=1)
    scores, ids = store(tmp_path, vectors).search(queries, min(k, count))
    assert ids.tolist() == brute_force(vectors, queries, k, list(range(count)))
    assert np.allclose(scores, np.take_along_axis(queries @ vectors.T, ids, 1), atol=1e-6)


@pytest.mark.parametrize("allowed", [[], [0], [9, 10], [3, 17, 18, 52], list(range(53))])
def test_filters_apply_before_the_top_k(tmp_path: Path, allowed: list[int]) -> None:
    """As many hits as pass the filter, the best of them first."""
    vectors, queries = unit(53), unit(3, seed=2)
    k = min(4, len(allowed))
    _, ids = store(tmp_path, vectors).search(queries, k, np.array(allowed, np.int64))
    assert ids.tolist() == brute_force(vectors, queries, k, allowed)


@pytest.mark.parametrize("queries", [1, 3, 4, 25, 60, 300])
@pytest.mark.parametrize("threads", ["1", "3"])
@pytest.mark.parametrize("allowed", [None, [3, 17, 18, 19, 20, 52]])
def test_any_number_of_queries_finds_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, queries: int, threads: str, allowed: list[int] | None
) -> None:
    """Compared one by one or all at once, shard after shard or side by side."""
    monkeypatch.setenv("QA_SEARCH_THREADS", threads)
    vectors, asked = unit(53), unit(queries, seed=3)
    _, ids = store(tmp_path, vectors).search(asked, 5, None if allowed is None else np.array(allowed, np.int64))
    assert ids.tolist() == brute_force(vectors, asked, 5, allowed or list(range(53)))


def test_a_few_queries_are_compared_by_one_product_of_matrices() -> None:
    """FAISS 1.15 reads all vectors again for each query, up to 128,000 numbers in all, unless it is asked otherwise.

    A single query is sooner compared with each vector.
    """
    assert 2 * 384 <= faiss.cvar.distance_compute_blas_threshold <= 8 * 384


def test_stored_vectors_come_back(tmp_path: Path) -> None:
    """One by one and in blocks."""
    vectors = unit(25)
    opened = store(tmp_path, vectors)
    assert np.array_equal(opened.reconstruct(np.array([0, 24, 10, 9])), vectors[[0, 24, 10, 9]])
    assert np.array_equal(np.concatenate(list(opened.blocks(4))), vectors)


def test_equal_vectors_keep_their_order(tmp_path: Path) -> None:
    """Ties go to the lower number, in whichever shard it is."""
    vectors = np.repeat(unit(1), 25, axis=0)
    _, ids = store(tmp_path, vectors).search(vectors[:1], 25)
    assert ids.tolist() == [list(range(25))]


def test_no_vectors_at_all_can_be_searched(tmp_path: Path) -> None:
    """An empty store has no hits."""
    assert store(tmp_path, unit(0)).search(unit(2), 3)[1].shape == (2, 0)


def test_vectors_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    """A stored NaN would spoil other vectors' searches."""
    vectors = unit(3)
    vectors[1, 2] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        VectorWriter(tmp_path, DIMENSION).add(vectors)


@pytest.mark.parametrize("damage", ["missing", "cut", "empty", "other dimension"])
def test_a_damaged_shard_is_named(tmp_path: Path, damage: str) -> None:
    """With its path and the way out."""
    store(tmp_path, unit(25))
    shard = tmp_path / "vectors-00001.faiss"
    if damage == "missing":
        shard.unlink()
    elif damage == "other dimension":
        writer = VectorWriter(tmp_path / "..", DIMENSION * 2)
        writer.close()
        shard.write_bytes((tmp_path / ".." / writer.files[0]).read_bytes())
    else:
        shard.write_bytes(shard.read_bytes()[:-100] if damage == "cut" else b"")
    files = [f"vectors-{number:05}.faiss" for number in range(3)]
    with pytest.raises(IndexDamagedError, match=r"vectors-00001\.faiss.*Build the index again"):
        FlatStore(tmp_path, files, DIMENSION, 25, damage_in(tmp_path))


def test_a_store_that_lacks_a_shard_is_told(tmp_path: Path) -> None:
    """The manifest's count must be met."""
    store(tmp_path, unit(25))
    with pytest.raises(IndexDamagedError, match="20 vectors, where the manifest says 25"):
        FlatStore(tmp_path, ["vectors-00000.faiss", "vectors-00001.faiss"], DIMENSION, 25)
