"""Writes the rows and lists that `InvertedStore` reads, and chooses the kind of index that fits an archive.

In memory are the codes, which the caller bounds, and a sample to train on. The vectors themselves are streamed.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, Protocol, cast

import faiss
import numpy as np
import numpy.typing as npt

from qa_search.embedders.base import Vectors
from qa_search.errors import VectorIndexError
from qa_search.index.integrity import BLOCKS_SUFFIX
from qa_search.index.stores.inverted import (
    BITS,
    LISTS_NAME,
    InvertedStore,
    code_bytes,
    lists_of,
    write_list_sums,
    write_row_numbers,
)
from qa_search.index.stores.records import ListedVectors
from qa_search.index.stores.rows import Rows, RowStore, RowWriter
from qa_search.index.stores.vectors import Ids, write_faiss
from qa_search.util.threads import configured_threads

ListKind = Literal["ivf-rabitq2", "ivf-rabitq1"]
Kind = Literal["flat"] | ListKind
# The more exact one first.
LISTS: tuple[ListKind, ...] = ("ivf-rabitq2", "ivf-rabitq1")
# Exact search compares this many in the time that embedding the query takes.
EXACT_PASSAGES = 65_536
# Fewer are always compared one by one.
_LEAST_PASSAGES = 300
RECALL_AT = 10
_MB = 1_000_000
_FLOAT_BYTES = 4
_ID_BYTES = 8
_TRAINING_PER_LIST = 40
# Rows outside of the lists are compared one by one; this many before they are put into lists.
FRESH_ROWS = 16_384
_FRESH_SHARE = 0.02
# Centres that were found among so many rows serve up to this many times as many.
_OUTGROWN = 4
# Rows that no passage has any more are left where they are up to this share.
_DEAD_SHARE = 0.3
_QUERIES = 256  # for choosing how many lists to look at, and as many others to say how good that is
_SEED = 0
_BLOCK = 16_384
# How far above the wanted recall the lists are set: the recall of other queries may be lower.
_MARGIN = 0.6


class PreviousFiles(Protocol):
    """The files of the previous generation, as far as a writer needs them."""

    @property
    def file_names(self) -> Iterable[str]:
        """The names of the files."""

    def link_files(self, names: Iterable[str], target: Path) -> None:
        """Put files into another folder, linked where the system can.

        Raises:
            IndexDamagedError: if one is damaged.
        """


def list_count(passages: int) -> int:
    """Return how many lists an archive is cut into: a power of two, about twice the square root."""
    return 1 << max(round(math.log2(2 * math.sqrt(passages))), 4)


def index_bytes(kind: Kind, passages: int, dimension: int) -> int:
    """Return the memory that a search of all of an index needs, in bytes."""
    centres = list_count(passages) * dimension * _FLOAT_BYTES
    if kind == "flat":
        return passages * dimension * _FLOAT_BYTES
    return passages * (code_bytes(kind, dimension) + _ID_BYTES) + centres


def choose_kind(passages: int, dimension: int, memory: int) -> Kind:
    """Choose the most exact kind that is fast enough and fits the memory (in bytes).

    Raises:
        VectorIndexError: if none fits.
    """
    if passages < _LEAST_PASSAGES:
        return "flat"
    kinds: tuple[Kind, ...] = LISTS if passages > EXACT_PASSAGES else ("flat", *LISTS)
    for kind in kinds:
        if index_bytes(kind, passages, dimension) <= memory:
            return kind
    least = -(-index_bytes(LISTS[-1], passages, dimension) // _MB)
    allowed = f"{memory:,} bytes" if memory < _MB else f"{memory / _MB:,g} MB"
    raise VectorIndexError(
        f"memory: {passages:,} passages take at least {least} MB to search, where {allowed} are allowed. "
        f"Build with memory={least * _MB:_} or more. Nothing was changed.",
        parameter="memory",
    )


class InvertedWriter:
    """Takes the passages in their order: those of the previous generation by their row, the others by their vector."""

    def __init__(
        self, folder: Path, dimension: int, kind: ListKind, previous: tuple[PreviousFiles, InvertedStore] | None = None
    ) -> None:
        """Begin; ``previous`` are the files and the vectors to continue.

        Raises:
            IndexDamagedError: if the previous rows are damaged.
            OSError: if the files cannot be written.
        """
        self._folder = folder
        self._dimension = dimension
        self._kind = kind
        self._previous: InvertedStore | None = None
        self._files: PreviousFiles | None = None
        files: list[str] = []
        if previous is not None:
            self._files, self._previous = previous
            names = list(self._files.file_names)
            self._files.link_files([name for name in names if name.startswith("rows-")], folder)
            files = [name for name in names if name.endswith(".f32")]
        self._first = 0 if self._previous is None else self._previous.rows.count
        self._writer = RowWriter(folder, dimension, len(files))
        self._rows: list[npt.NDArray[np.int32]] = []

    def add(self, known: Ids, vectors: Vectors) -> None:
        """Append passages: ``known`` (n,) is the row of each, -1 for those whose ``vectors`` follow in their order.

        Raises:
            OSError: if they cannot be written.
        """
        rows = known.astype(np.int32)
        start = self._first + self._writer.count
        rows[rows < 0] = np.arange(start, start + len(vectors))
        self._writer.add(vectors)
        self._rows.append(rows)

    def close(self) -> ListedVectors:
        """Write the rest and the lists; return the manifest's record of them, without what `choose_probes` adds.

        Raises:
            IndexDamagedError: if the previous files are damaged.
            OSError: if the files cannot be written.
        """
        self._writer.close()
        rows = np.concatenate(self._rows)
        store = self._open_rows()
        used = np.flatnonzero(np.bincount(rows, minlength=store.count))
        if len(used) < (1 - _DEAD_SHARE) * store.count:
            rows = self._move_together(store, rows, used)
            store = self._open_rows()
        write_row_numbers(self._folder, rows, store.count)
        return self._write_lists(store)

    def _open_rows(self) -> RowStore:
        return RowStore(self._folder, sorted(path.name for path in self._folder.glob("rows-*.f32")), self._dimension)

    def _move_together(self, store: RowStore, rows: npt.NDArray[np.int32], used: Rows) -> npt.NDArray[np.int32]:
        """Drop the rows that no passage has."""
        apart = self._folder / "moved"
        apart.mkdir()
        writer = RowWriter(apart, self._dimension)
        for start in range(0, len(used), _BLOCK):
            writer.add(store.read(used[start : start + _BLOCK]))
        writer.close()
        for path in self._folder.glob("rows-*"):
            path.unlink()
        for path in apart.iterdir():
            path.rename(self._folder / path.name)
        apart.rmdir()
        self._previous = None if self._previous is None or self._outgrown(len(used)) else self._previous
        self._first = 0
        return np.searchsorted(used, rows).astype(np.int32)

    def _outgrown(self, rows: int) -> bool:
        return self._previous is None or rows > _OUTGROWN * self._previous.record.trained

    def _write_lists(self, store: RowStore) -> ListedVectors:
        previous, moved = self._previous, self._first == 0
        trained, probes = store.count, 1
        index: faiss.Index | None = None
        if previous is not None and previous.record.kind == self._kind and not self._outgrown(store.count):
            record = previous.record
            fresh = store.count - record.covered
            if not moved and fresh <= max(FRESH_ROWS, _FRESH_SHARE * record.covered) and self._files:
                self._files.link_files([LISTS_NAME, LISTS_NAME + BLOCKS_SUFFIX], self._folder)
                return record
            trained, probes = record.trained, record.probes
            index = previous.copy_of_lists()
            if moved:
                index.reset()
        faiss.omp_set_num_threads(configured_threads())
        if index is None:
            index = self._train(store)
        for block in store.blocks(_BLOCK, index.ntotal):
            index.add(block)
        write_faiss(index, self._folder / LISTS_NAME)
        lists = lists_of(index)
        write_list_sums(self._folder / LISTS_NAME, lists)
        # Without the recall: it was measured with other lists.
        return ListedVectors(self._kind, lists.nlist, trained, store.count, probes)

    def _train(self, store: RowStore) -> faiss.Index:
        count, metric = list_count(store.count), faiss.METRIC_INNER_PRODUCT
        lists = faiss.IndexIVFRaBitQ(
            faiss.IndexFlatIP(self._dimension), self._dimension, count, metric, True, BITS[self._kind]
        )
        lists.cp.min_points_per_centroid = 1  # no warning about a small archive
        lists.cp.seed = _SEED
        # Codes treat all values alike. Those of many models differ: few are large, or the first ones are.
        rotation = faiss.RandomRotationMatrix(self._dimension, self._dimension)
        rotation.init(_SEED)
        index = faiss.IndexPreTransform(rotation, lists)
        index.train(_sample(store, _TRAINING_PER_LIST * count))
        return index


def choose_probes(store: InvertedStore, recall: float) -> ListedVectors:
    """Choose how many lists a search reads, by queries made from the archive, and measure the recall with others.

    Returns:
        the manifest's record of the lists.

    Raises:
        VectorIndexError: if less than ``recall`` of the 10 closest is found.
    """
    queries = _made_queries(store, 2 * _QUERIES)
    bounds = _exact_bounds(store, queries)
    aim = recall + _MARGIN * (1 - recall)
    steps = list(_steps(store.record.lists))
    # The recall grows with the lists that are read.
    enough = bisect_left(
        steps, True, key=lambda probes: _recall(store, queries[:_QUERIES], bounds[:_QUERIES], probes) >= aim
    )
    probes = steps[min(enough, len(steps) - 1)]
    found = _recall(store, queries[_QUERIES:], bounds[_QUERIES:], probes)
    if found < recall:
        raise VectorIndexError(
            f"recall: {found:.3f} of the {RECALL_AT} closest passages are found among compressed vectors, where "
            f"{recall} are required. Allow more memory (memory=SIZE), or accept less (recall={found:.2f}). "
            "Nothing was changed.",
            parameter="recall",
        )
    return store.record._replace(probes=probes, recall=round(found, 4), recall_at=RECALL_AT, queries=_QUERIES)


def _made_queries(store: InvertedStore, count: int) -> Vectors:
    """Make queries from stored vectors: one, and half the difference of two others.

    A query lies further from all passages than they lie from one another: with stored vectors as queries, too few
    lists would seem enough.
    """
    origin, plus, minus = np.random.default_rng(_SEED).integers(0, store.rows.count, (3, count))
    queries = store.rows.read(origin) + (store.rows.read(plus) - store.rows.read(minus)) / 2
    lengths = np.linalg.norm(queries, axis=1, keepdims=True)
    return cast(Vectors, np.asarray(queries / np.maximum(lengths, 1e-9), np.float32))


def _steps(lists: int) -> Iterator[int]:
    """Yield how many lists to look at: 1, 2, 3, 4, 6, 8, 12 and so on, at last all."""
    step = 1
    while step < lists:
        yield step
        if step > 1 and 3 * step // 2 < lists:
            yield 3 * step // 2
        step *= 2
    yield lists


def _exact_bounds(store: InvertedStore, queries: Vectors) -> npt.NDArray[np.float32]:
    """Return the score of each query's 10th closest row: (n,)."""
    faiss.omp_set_num_threads(configured_threads())
    best = np.full((len(queries), RECALL_AT), -np.inf, np.float32)
    for block in store.rows.blocks(_BLOCK):
        scores, _ = faiss.knn(queries, block, min(RECALL_AT, len(block)), metric=faiss.METRIC_INNER_PRODUCT)
        best = -np.sort(-np.concatenate([best, scores], axis=1), axis=1)[:, :RECALL_AT]
    return best[:, -1]


def _recall(store: InvertedStore, queries: Vectors, bounds: npt.NDArray[np.float32], probes: int) -> float:
    """Return the share of the 10 closest rows that is found. Any of equally close rows counts."""
    # Each search is short: threads would wait for one another.
    faiss.omp_set_num_threads(1)
    tolerance = 1e-6
    found = 0
    for query, bound in zip(queries, bounds, strict=True):
        scores, _ = store.approximate(query, RECALL_AT, probes)
        found += min(int(np.count_nonzero(scores >= bound - tolerance)), RECALL_AT)
    return found / (RECALL_AT * len(queries))


def _sample(store: RowStore, count: int) -> Vectors:
    generator = np.random.default_rng(_SEED)
    rows = generator.choice(store.count, min(count, store.count), replace=False)
    return np.concatenate([store.read(part) for part in np.array_split(np.sort(rows), max(len(rows) // _BLOCK, 1))])
