"""Passage vectors in FAISS: the base of every store of them, and exact search over shards of a fixed size.

Each shard is one file. A build holds one shard in memory, whatever the archive's size. An open index maps them into
memory.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from qa_search.embedders.base import Vectors
from qa_search.errors import IndexUnreadableError
from qa_search.index.stores.damage import DamageReport, name_damage
from qa_search.util.files import raise_if_withheld
from qa_search.util.threads import configured_threads

SHARD_VECTORS = 16_384
# A FAISS file claims its own sizes. Claims beyond twice the file's real size are false.
_MIN_DESERIALIZATION_BYTES = 1 << 20
# The square of a stored vector's length is 1, but for rounding.
_MOST_SQUARE = 1.01
# From so many queries on, FAISS multiplies matrices, which reads the vectors once for all of them. By itself FAISS 1.15
# hardly ever does: 24 queries of a shard took 85 ms, where they take 17. It counts the numbers in all queries: this is
# four of 384 dimensions. Fewer are sooner compared one after the other.
_LEAST_MULTIPLIED = 4 * 384
faiss.cvar.distance_compute_blas_threshold = _LEAST_MULTIPLIED
# A thread of its own pays from so many on.
_QUERIES_PER_THREAD = 20
# FAISS's own memory for a search grows with their number.
_QUERIES_AT_ONCE = 256

Ids = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]


def shard_name(number: int) -> str:
    """The file name of a shard."""
    return f"vectors-{number:05}.faiss"


class VectorWriter:
    """Writes vectors in order of their passage numbers, a file as soon as a shard is full."""

    def __init__(self, folder: Path, dimension: int, shard_vectors: int = SHARD_VECTORS) -> None:
        self._folder = folder
        self._dimension = dimension
        self._shard_vectors = shard_vectors
        self._shard = faiss.IndexFlatIP(dimension)
        self.files: list[str] = []

    def add(self, vectors: Vectors) -> None:
        """Append vectors (n, dimension).

        Raises:
            OSError: if a full shard cannot be written.
            ValueError: if a vector holds a value that is not finite.
        """
        if not np.isfinite(vectors).all():
            raise ValueError("the model gave a vector with values that are not finite")
        while len(vectors):
            room = self._shard_vectors - self._shard.ntotal
            self._shard.add(np.ascontiguousarray(vectors[:room]))
            vectors = vectors[room:]
            if self._shard.ntotal == self._shard_vectors:
                self._write_shard()

    def close(self) -> None:
        """Write the last shard."""
        if self._shard.ntotal or not self.files:
            self._write_shard()

    def _write_shard(self) -> None:
        name = shard_name(len(self.files))
        write_faiss(self._shard, self._folder / name)
        self.files.append(name)
        self._shard.reset()


def write_faiss(index: faiss.Index, path: Path) -> None:
    """Write a FAISS index.

    Raises:
        OSError: if it cannot be written.
    """
    failure: list[OSError] = []
    with path.open("wb") as stream:

        def write(data: bytes) -> int:
            try:
                return stream.write(data)
            except OSError as error:
                failure.append(error)
                raise

        # Not to a file name: on a full disk faiss can then return without an error.
        writer = getattr(faiss, "PyCallbackIOWriter")(write)  # noqa: B009 - missing from its stubs
        try:
            faiss.write_index(index, writer)
        except RuntimeError:
            if failure:
                raise failure[0] from None
            raise


def read_faiss(path: Path, flags: int = faiss.IO_FLAG_MMAP_IFC, *, damaged: DamageReport = name_damage) -> faiss.Index:
    """Map a FAISS index into memory, or read it with ``flags`` of 0. Only its type is trusted.

    Raises:
        IndexDamagedError: if it is missing or damaged.
        IndexUnreadableError: if it cannot be read now.
    """
    try:
        size = path.stat().st_size
        faiss.set_deserialization_vector_byte_limit(max(2 * size, _MIN_DESERIALIZATION_BYTES))
        # Such tables are for distances; here are inner products.
        return faiss.read_index(str(path), flags | faiss.IO_FLAG_SKIP_PRECOMPUTE_TABLE)
    except (OSError, RuntimeError) as error:
        raise_if_withheld(error, path)
        raise damaged(path, " ".join(str(error).split())[:200]) from error
    except MemoryError as error:
        raise IndexUnreadableError(
            f"{path} cannot be read now: it asks for more memory than there is. Free some memory; if that changes "
            "nothing, the file is damaged: build the index again."
        ) from error


class VectorStore(ABC):
    """The vectors of one generation. Safe to use from several threads."""

    count: int
    _queries_per_thread = _QUERIES_PER_THREAD

    def __init__(self, folder: Path, dimension: int, damaged: DamageReport = name_damage) -> None:
        self._folder = folder
        self._dimension = dimension
        self._damaged = damaged

    def search(self, queries: Vectors, k: int, allowed: Ids | None = None) -> tuple[Scores, Ids]:
        """Find the passages of highest inner product.

        Args:
            queries: (n, dimension).
            k: how many at most; fewer are returned when the store (or ``allowed``) holds fewer.
            allowed: the only passage numbers to consider, in ascending order; None for all.

        Returns:
            scores and passage numbers, both (n, found), best first. The scores are those of the stored vectors.
        """
        parts = min(configured_threads(), max(len(queries) // self._queries_per_thread, 1))
        parts = max(parts, -(-len(queries) // _QUERIES_AT_ONCE))
        if parts == 1:
            return self._search(queries, k, allowed)
        found = list(_pool().map(lambda part: self._search(part, k, allowed), np.array_split(queries, parts)))
        return np.concatenate([scores for scores, _ in found]), np.concatenate([ids for _, ids in found])

    @abstractmethod
    def reconstruct(self, numbers: Ids) -> Vectors:
        """Return the stored vectors of some passages: (n, dimension)."""

    @abstractmethod
    def blocks(self, size: int = 4096) -> Iterator[Vectors]:
        """Yield all stored vectors in order of the passages, some at a time: (up to size, dimension) each."""

    @abstractmethod
    def _search(self, queries: Vectors, k: int, allowed: Ids | None) -> tuple[Scores, Ids]:
        """Search on this thread alone."""

    def _require_numbers(self, values: npt.NDArray[np.float32], most: float = np.inf) -> None:
        if not (np.isfinite(values) & (values <= most)).all():
            raise self._damaged(self._folder, "a vector is too long, or holds values that are not finite")

    def _require_lengths(self, vectors: Vectors) -> None:
        """Make sure that vectors have unit length at most."""
        self._require_numbers(np.einsum("ij,ij->i", vectors, vectors), _MOST_SQUARE)


class FlatStore(VectorStore):
    """Compares each vector with the query: exact."""

    def __init__(
        self, folder: Path, files: list[str], dimension: int, count: int, damaged: DamageReport = name_damage
    ) -> None:
        """Map the shards.

        Raises:
            IndexDamagedError: if a shard is missing or damaged.
        """
        super().__init__(folder, dimension, damaged)
        self._shards: list[tuple[int, faiss.Index]] = []
        self.count = 0
        for name in files:
            path = folder / name
            shard = read_faiss(path, damaged=damaged)
            if not isinstance(shard, faiss.IndexFlat):
                raise damaged(path, f"a FAISS index of another type ({type(shard).__name__})")
            if shard.d != dimension or shard.metric_type != faiss.METRIC_INNER_PRODUCT:
                raise damaged(path, f"{shard.d} dimensions, where the manifest says {dimension}")
            if shard.ntotal:
                self._shards.append((self.count, shard))
            self.count += shard.ntotal
        if self.count != count:
            raise damaged(folder, f"{self.count} vectors, where the manifest says {count}")

    def search(self, queries: Vectors, k: int, allowed: Ids | None = None) -> tuple[Scores, Ids]:
        """See `VectorStore.search`. A few queries have the shards divided among the threads."""
        if len(self._shards) < 2 or len(queries) >= 2 * _QUERIES_PER_THREAD or configured_threads() < 2:
            return super().search(queries, k, allowed)
        tasks = _pool().map(lambda held: _search_shard(held[1], held[0], queries, k, allowed), self._shards)
        return self._best(list(tasks), len(queries), k)

    def _search(self, queries: Vectors, k: int, allowed: Ids | None) -> tuple[Scores, Ids]:
        found = [_search_shard(shard, offset, queries, k, allowed) for offset, shard in self._shards]
        return self._best(found, len(queries), k)

    def _best(self, found: list[tuple[Scores, Ids]], queries: int, k: int) -> tuple[Scores, Ids]:
        """Join what the shards gave."""
        if not found:
            return np.empty((queries, 0), np.float32), np.empty((queries, 0), np.int64)
        scores = np.concatenate([scores for scores, _ in found], axis=1)
        self._require_numbers(scores)
        ids = np.concatenate([ids for _, ids in found], axis=1)
        if len(found) > 1:
            # Ties go to the lower number, so that an answer does not depend on how shards are cut.
            order = np.lexsort((ids, -scores), axis=1)[:, :k]
            scores, ids = np.take_along_axis(scores, order, 1), np.take_along_axis(ids, order, 1)
        return scores, ids

    def reconstruct(self, numbers: Ids) -> Vectors:
        """See `VectorStore.reconstruct`."""
        vectors = np.empty((len(numbers), self._dimension), np.float32)
        for offset, shard in self._shards:
            rows = np.flatnonzero((numbers >= offset) & (numbers < offset + shard.ntotal))
            if len(rows):
                vectors[rows] = shard.reconstruct_batch(numbers[rows] - offset)
        self._require_lengths(vectors)
        return vectors

    def blocks(self, size: int = 4096) -> Iterator[Vectors]:
        """See `VectorStore.blocks`."""
        for _, shard in self._shards:
            for start in range(0, shard.ntotal, size):
                yield shard.reconstruct_n(start, min(size, shard.ntotal - start))


@cache
def _pool() -> ThreadPoolExecutor:
    """The threads that all stores share, so that callers do not multiply them."""
    return ThreadPoolExecutor(configured_threads(), thread_name_prefix="qa-search-vectors")


# Threads do not survive a fork: the child starts its own.
os.register_at_fork(after_in_child=_pool.cache_clear)


def _search_shard(shard: faiss.Index, offset: int, queries: Vectors, k: int, allowed: Ids | None) -> tuple[Scores, Ids]:
    faiss.omp_set_num_threads(1)  # for this thread: else every searching thread would start its own team
    parameters = None
    count = shard.ntotal
    if allowed is not None:
        low, high = np.searchsorted(allowed, [offset, offset + shard.ntotal])
        members = np.ascontiguousarray(allowed[low:high] - offset)
        count = len(members)
        if not count:
            return np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        bits = np.zeros(shard.ntotal, bool)
        bits[members] = True
        bitmap = np.packbits(bits, bitorder="little")
        selector: Any = faiss.IDSelectorBitmap  # its stubs describe the C++ constructor, not Python's
        settings: Any = faiss.SearchParameters
        parameters = settings(sel=selector(bitmap))
    scores, ids = shard.search(queries, min(k, count), params=parameters)
    return scores, ids + offset
