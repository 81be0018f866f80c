"""Vectors of a large archive: compressed inverted lists find candidates, the stored vectors themselves rank them.

A vector is stored once, in a row that it keeps from one build to the next. Three arrays map passages to rows and back.
The lists cover the rows that existed when the lists were made. Later rows are few: they are compared one by one until
they are put into lists, too. So the cost of adding posts depends on the new posts alone.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, cast

import faiss
import numpy as np
import numpy.typing as npt
import xxhash

from qa_search.embedders.base import Vectors
from qa_search.index.integrity import BLOCKS_SUFFIX, prefetch
from qa_search.index.stores.arrays import distinct, map_array, write_array
from qa_search.index.stores.damage import DamageReport, name_damage
from qa_search.index.stores.records import FlatVectors, ListedVectors, VectorIndexRecord
from qa_search.index.stores.rows import RowStore, rows_name
from qa_search.index.stores.vectors import FlatStore, Ids, Scores, VectorStore, read_faiss
from qa_search.util.files import open_file, raise_if_withheld, read_file

LISTS_NAME = "lists.faiss"
# The row of each passage, and the passages of each row: those of row r are numbers[starts[r] : starts[r + 1]].
ROW_OF_PASSAGE = "passage-rows.npy"
PASSAGES_OF_ROWS = "row-passages.npy"
STARTS_OF_ROWS = "row-starts.npy"
ROW_KIND = np.int32
# Of each value of a vector, lists hold so many bits. Lists of the other two kinds were written by earlier versions.
BITS: Mapping[str, int] = {"ivf-rabitq2": 2, "ivf-rabitq1": 1}
KINDS: Mapping[str, type[faiss.IndexIVF]] = {
    **dict.fromkeys(BITS, faiss.IndexIVFRaBitQ),
    "ivf-sq8": faiss.IndexIVFScalarQuantizer,
    "ivf-pq": faiss.IndexIVFPQ,
}
# Up to so many passages that pass a filter are compared one by one.
EXACT_FILTERED = 16_384
# Codes approximate the vectors: (factor, more) candidates for each wanted one are ranked by the vectors themselves.
_CANDIDATES = {"ivf-rabitq2": (2, 64), "ivf-rabitq1": (4, 400), "ivf-sq8": (1, 32), "ivf-pq": (4, 64)}
_ROWS_AT_ONCE = 8192
_SUM_KIND = np.dtype("<u8")
_LEAST_SHARE = 1e-3
_MOST_QUERY_BITS = 8


def open_vectors(
    folder: Path,
    files: Iterable[str],
    record: VectorIndexRecord,
    dimension: int,
    count: int,
    damaged: DamageReport = name_damage,
) -> VectorStore:
    """Open the vectors of a generation.

    Args:
        folder: the generation's.
        files: the names of its files.
        record: what the manifest says of the vectors.
        dimension: of the vectors.
        count: how many passages there are.
        damaged: makes the error for a file that is damaged.

    Raises:
        IndexDamagedError: if files are missing or damaged.
    """
    names = sorted(files)
    if isinstance(record, FlatVectors):
        return FlatStore(folder, [name for name in names if name.endswith(".faiss")], dimension, count, damaged)
    if not isinstance(record, ListedVectors):
        raise damaged(folder / LISTS_NAME, f"unsupported kind of vector index {record.kind}")
    return InvertedStore(folder, [name for name in names if name.endswith(".f32")], dimension, count, record, damaged)


def code_bytes(kind: str, dimension: int) -> int:
    """Return how many bytes a vector takes in lists of a kind that is written."""
    make: Any = faiss.RaBitQuantizer  # its stubs lack the bits
    return int(make(dimension, faiss.METRIC_INNER_PRODUCT, BITS[kind]).code_size)


def lists_of(index: faiss.Index) -> faiss.IndexIVF:
    """Return the lists of what a file of lists holds: some have a rotation in front. They last as long as it does."""
    return cast(
        faiss.IndexIVF, faiss.downcast_index(index.index) if isinstance(index, faiss.IndexPreTransform) else index
    )


def _rotation_of(index: Any) -> Any:
    """Return what turns vectors before they are coded; None if nothing does."""
    chain: Any = index.chain if isinstance(index, faiss.IndexPreTransform) else None
    return None if chain is None or chain.size() != 1 else faiss.downcast_VectorTransform(chain.at(0))


def _has_code(rotation: Any, lists: Any, kind: str, dimension: int) -> bool:
    """Return whether lists that were read hold codes of a kind. FAISS computes addresses from what they say."""
    if [type(rotation), type(lists)] != [faiss.RandomRotationMatrix, KINDS[kind]]:
        return False
    turned = (rotation.d_in, rotation.d_out, rotation.A.size(), rotation.have_bias)
    code, size = lists.rabitq, code_bytes(kind, dimension)
    said = (code.d, code.nb_bits, code.metric_type, code.code_size, lists.code_size, lists.invlists.code_size)
    return (
        turned == (dimension, dimension, dimension**2, False)
        and said == (dimension, BITS[kind], faiss.METRIC_INNER_PRODUCT, size, size, size)
        and 0 <= lists.qb <= _MOST_QUERY_BITS
        and bool(lists.by_residual)
    )


def write_row_numbers(folder: Path, rows: npt.NDArray[np.integer[Any]], count: int) -> None:
    """Write the row of each passage, and the passages of each of ``count`` rows.

    Raises:
        OSError: if the files cannot be written.
    """
    starts = np.zeros(count + 1, ROW_KIND)
    np.cumsum(np.bincount(rows, minlength=count), out=starts[1:])
    write_array(folder / ROW_OF_PASSAGE, rows.astype(ROW_KIND))
    write_array(folder / PASSAGES_OF_ROWS, np.argsort(rows, kind="stable").astype(ROW_KIND))
    write_array(folder / STARTS_OF_ROWS, starts)


class InvertedStore(VectorStore):
    """Searches the lists whose centres are closest to the query. The scores of what it finds are exact."""

    # Each is a search of its own.
    _queries_per_thread = 2

    def __init__(
        self,
        folder: Path,
        files: Sequence[str],
        dimension: int,
        count: int,
        record: ListedVectors,
        damaged: DamageReport = name_damage,
    ) -> None:
        """Map the lists and the arrays, open the rows.

        Args:
            folder: the generation's.
            files: those that hold rows, in their order.
            dimension: of the vectors.
            count: how many passages there are.
            record: what the manifest says of the lists.
            damaged: makes the error for a file that is damaged.

        Raises:
            IndexDamagedError: if a file is missing or damaged.
        """
        super().__init__(folder, dimension, damaged)
        self.count = count
        self.record = record
        try:
            self.rows = RowStore(folder, files, dimension)
            self._row_of = map_array(folder / ROW_OF_PASSAGE, ROW_KIND, count)
            self._numbers = map_array(folder / PASSAGES_OF_ROWS, ROW_KIND, count)
            self._starts = map_array(folder / STARTS_OF_ROWS, ROW_KIND, self.rows.count + 1)
        except (OSError, ValueError) as error:
            raise_if_withheld(error, folder / LISTS_NAME)
            raise damaged(folder, str(error)) from error
        self._kind, self._covered = record.kind, record.covered
        # Held whole: the lists are a part of it.
        self._index = read_faiss(folder / LISTS_NAME, damaged=damaged)
        self._rotation, self._lists = _rotation_of(self._index), lists_of(self._index)
        self._require_lists()
        try:
            self._checked = _CheckedLists(folder / LISTS_NAME, self._lists, damaged)
        except (OSError, ValueError) as error:
            raise damaged(folder / LISTS_NAME, str(error)) from error
        self._live = self._live_rows()
        self._fresh: Vectors | None = None
        self._loading = threading.Lock()

    def _require_lists(self) -> None:
        lists, path = self._lists, self._folder / LISTS_NAME
        if self._kind in BITS and not _has_code(self._rotation, lists, self._kind, self._dimension):
            raise self._damaged(path, "its codes or its rotation are not those of its kind")
        if type(lists) is not KINDS[self._kind] or type(faiss.downcast_index(lists.quantizer)) is not faiss.IndexFlatIP:
            raise self._damaged(path, f"a FAISS index of another type ({type(lists).__name__})")
        metrics = {lists.metric_type, lists.quantizer.metric_type}
        if (lists.d, lists.quantizer.d) != (self._dimension,) * 2 or metrics != {faiss.METRIC_INNER_PRODUCT}:
            raise self._damaged(path, f"{lists.d} dimensions, where the manifest says {self._dimension}")
        found = (lists.nlist, lists.quantizer.ntotal, lists.ntotal)
        if found != (self.record.lists, self.record.lists, self._covered) or self._covered > self.rows.count:
            raise self._damaged(path, f"{found[2]} vectors in {found[0]} lists, where the manifest says otherwise")

    def _live_rows(self) -> npt.NDArray[np.bool_] | None:
        """Return which rows have passages: (rows,); None if all have."""
        sizes = np.diff(self._starts)
        if self._starts[0] != 0 or self._starts[-1] != self.count or (sizes < 0).any():
            raise self._damaged(self._folder / STARTS_OF_ROWS, "the starts of the rows are invalid")
        live: npt.NDArray[np.bool_] = sizes > 0
        return None if live.all() else live

    def rows_of(self, numbers: Ids) -> Ids:
        """Return the row of each passage: (n,).

        Raises:
            IndexDamagedError: if one has a row that does not exist.
        """
        rows = self._row_of[numbers].astype(np.int64)
        if len(rows) and not (rows.min() >= 0 and rows.max() < self.rows.count):
            raise self._damaged(self._folder / ROW_OF_PASSAGE, "a passage has a row that does not exist")
        return rows

    def reconstruct(self, numbers: Ids) -> Vectors:
        """See `VectorStore.reconstruct`."""
        return self._read(self.rows_of(numbers))

    def blocks(self, size: int = 4096) -> Iterator[Vectors]:
        """See `VectorStore.blocks`."""
        for start in range(0, self.count, size):
            yield self.reconstruct(np.arange(start, min(start + size, self.count)))

    def _search(self, queries: Vectors, k: int, allowed: Ids | None) -> tuple[Scores, Ids]:
        faiss.omp_set_num_threads(1)
        k = min(k, self.count if allowed is None else len(allowed))
        if k < 1:
            return np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        usable, probes = self._live, self.record.probes
        if allowed is not None:
            rows = self.rows_of(allowed)
            if len(rows) <= EXACT_FILTERED:
                rows = np.unique(rows)
                exact = [self._compare(query, rows, k) for query in queries]
                return self._numbered(exact, k, allowed)
            usable = np.zeros(self.rows.count, bool)
            usable[rows] = True
            # Of what passes, more is looked at than without the filter.
            share = np.count_nonzero(usable) / self.rows.count
            probes = int(2 * probes / max(share, _LEAST_SHARE))
        return self._numbered([self.approximate(query, k, probes, usable) for query in queries], k, allowed)

    def copy_of_lists(self) -> faiss.Index:
        """Return the lists and what is in front of them, in memory, to be added to."""
        return read_faiss(self._folder / LISTS_NAME, 0, damaged=self._damaged)

    def approximate(
        self, query: Vectors, k: int, probes: int, usable: npt.NDArray[np.bool_] | None = None
    ) -> tuple[Scores, Ids]:
        """Return the scores and rows of the best that so many lists and the fresh rows hold: k at least, or all.

        ``query`` is (dimension,); ``usable`` (rows,) says which may be found, None for all.
        """
        inside = self._covered if usable is None else int(np.count_nonzero(usable[: self._covered]))
        factor, more = _CANDIDATES[self._kind]
        wanted = min(factor * k + more, inside)
        rows = np.empty(0, np.int64)
        probes = min(max(probes, 1), self._lists.nlist)
        while wanted:
            rows = self._in_lists(query, wanted, usable, probes)
            if len(rows) >= min(k, inside) or probes == self._lists.nlist:
                break
            probes = min(4 * probes, self._lists.nlist)
        scores = self._read(rows) @ query
        fresh = self._fresh_rows()
        if len(fresh):
            fresh_scores, numbers = fresh @ query, np.arange(self._covered, self.rows.count)
            if usable is not None:
                fresh_scores, numbers = fresh_scores[usable[self._covered :]], numbers[usable[self._covered :]]
            scores, rows = np.concatenate([scores, fresh_scores]), np.concatenate([rows, numbers])
        return scores, rows

    def _in_lists(self, query: Vectors, wanted: int, usable: npt.NDArray[np.bool_] | None, probes: int) -> Ids:
        """Return the rows whose codes are closest, best first."""
        settings: dict[str, Any] = {"nprobe": probes}
        if usable is not None:
            bitmap = np.packbits(usable[: self._covered], bitorder="little")
            selector: Any = faiss.IDSelectorBitmap  # its stubs describe the C++ constructor, not Python's
            settings["sel"] = selector(bitmap)
        parameters: Any = faiss.SearchParametersIVF
        point: Any = faiss.swig_ptr
        query = np.ascontiguousarray(query)
        if self._rotation is not None:
            query = self._rotation.apply(query[None])[0]
        similarity, numbers = self._lists.quantizer.search(query[None], probes)
        self._checked.require(numbers[0])
        scores, found = np.empty(wanted, np.float32), np.empty(wanted, np.int64)
        # The C++ function: Python's takes no parameters.
        search: Any = getattr(self._lists, "search_preassigned_c")  # noqa: B009 - missing from its stubs
        search(
            1, point(query), wanted, point(numbers), point(similarity), point(scores), point(found), False,
            parameters(**settings),
        )  # fmt: skip
        rows: Ids = found[found >= 0]
        if len(rows) and rows.max() >= self._covered:
            raise self._damaged(self._folder / LISTS_NAME, "a list holds a row that does not exist")
        return distinct(rows)

    def _compare(self, query: Vectors, rows: Ids, k: int) -> tuple[Scores, Ids]:
        """Return the best of some rows, by comparing all of them."""
        best_scores, best_rows = np.empty(0, np.float32), np.empty(0, np.int64)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            block = rows[start : start + _ROWS_AT_ONCE]
            scores = np.concatenate([best_scores, self._read(block) @ query])
            block = np.concatenate([best_rows, block])
            # A stable order, so that of equal ones the same are kept each time.
            kept = np.argsort(-scores, kind="stable")[:k]
            best_scores, best_rows = scores[kept], block[kept]
        return best_scores, best_rows

    def _numbered(self, found: list[tuple[Scores, Ids]], k: int, allowed: Ids | None) -> tuple[Scores, Ids]:
        """Turn rows into passages, best first; ties go to the lower number."""
        all_scores = np.empty((len(found), k), np.float32)
        all_numbers = np.empty((len(found), k), np.int64)
        for at, (row_scores, rows) in enumerate(found):
            first = self._starts[rows].astype(np.int64)
            sizes = self._starts[rows + 1] - first
            before = np.cumsum(sizes) - sizes
            numbers = self._numbers[np.arange(sizes.sum()) + np.repeat(first - before, sizes)].astype(np.int64)
            scores = np.repeat(row_scores, sizes)
            if allowed is not None:
                places = np.minimum(np.searchsorted(allowed, numbers), len(allowed) - 1)
                passing = allowed[places] == numbers
                numbers, scores = numbers[passing], scores[passing]
            if len(numbers) < k or (numbers.min() < 0 or numbers.max() >= self.count):
                raise self._damaged(self._folder, f"the arrays of rows and {LISTS_NAME} contradict each other")
            order = np.lexsort((numbers, -scores))[:k]
            all_scores[at], all_numbers[at] = scores[order], numbers[order]
        self._require_numbers(all_scores)
        return all_scores, all_numbers

    def _fresh_rows(self) -> Vectors:
        """Return the rows that are in no list yet: few enough to be held in memory."""
        with self._loading:
            if self._fresh is None:
                self._fresh = self._read(np.arange(self._covered, self.rows.count))
            return self._fresh

    def _read(self, rows: Ids) -> Vectors:
        try:
            vectors = self.rows.read(rows)
        except (OSError, ValueError) as error:
            raise self._damaged(self._folder / rows_name(0), str(error)) from error
        self._require_lengths(vectors)
        return vectors


def write_list_sums(path: Path, lists: faiss.IndexIVF) -> None:
    """Write the hashes of finished lists, and of their description, into a file beside them.

    Raises:
        OSError: if it cannot be written.
    """
    held = _ListBytes(path, lists)
    sums = [held.head(), *(held.of(number) for number in range(lists.nlist))]
    path.with_name(path.name + BLOCKS_SUFFIX).write_bytes(np.asarray(sums, _SUM_KIND).tobytes())


class _ListBytes:
    """Hashes the description of mapped lists, which FAISS writes first, and each list: its codes and numbers."""

    def __init__(self, path: Path, lists: faiss.IndexIVF) -> None:
        self._lists = cast(Any, lists.invlists)
        # Held, because builds may remove the file while the index is open.
        self._descriptor = open_file(path)
        weakref.finalize(self, os.close, self._descriptor)
        self._code_size = lists.code_size
        self._sizes = [self._lists.list_size(number) for number in range(lists.nlist)]
        self._row_bytes = lists.code_size + np.dtype(np.int64).itemsize
        self._head_size = os.fstat(self._descriptor).st_size - sum(self._sizes) * self._row_bytes
        self._offsets = [*accumulate((size * self._row_bytes for size in self._sizes), initial=self._head_size)]

    def head(self) -> int:
        """Hash the beginning of the file."""
        if self._head_size <= 0:
            raise ValueError("it is shorter than its lists")
        return xxhash.xxh3_64_intdigest(os.pread(self._descriptor, self._head_size, 0))

    def prefetch(self, numbers: Sequence[int]) -> None:
        """Have the system begin to read lists: touched in the map, they would come a page after the other."""
        spans = ((self._offsets[number], self._sizes[number] * self._row_bytes) for number in numbers)
        prefetch(self._descriptor, spans)

    def of(self, number: int) -> int:
        """Hash a list, where FAISS will read it."""
        hashed = xxhash.xxh3_64()
        size = self._sizes[number]
        if size:
            view: Any = faiss.rev_swig_ptr
            hashed.update(view(self._lists.get_codes(number), size * self._code_size))
            hashed.update(view(self._lists.get_ids(number), size))
        return hashed.intdigest()


class _CheckedLists:
    """Compares each list with its hash when it is first used, and their description when they are opened."""

    def __init__(self, path: Path, lists: faiss.IndexIVF, damaged: DamageReport) -> None:
        """Check the beginning.

        Raises:
            OSError: if the file or its sums cannot be read.
            ValueError: if it does not match its hash.
        """
        self._path = path
        self._damaged = damaged
        self._bytes = _ListBytes(path, lists)
        most = (lists.nlist + 1) * np.dtype(_SUM_KIND).itemsize
        self._sums = np.frombuffer(read_file(path.with_name(path.name + BLOCKS_SUFFIX), most), _SUM_KIND)
        if len(self._sums) != lists.nlist + 1 or self._bytes.head() != int(self._sums[0]):
            raise ValueError("checksum mismatch in its beginning")
        self._seen = np.zeros(lists.nlist, bool)

    def require(self, numbers: Ids) -> None:
        """Compare lists with their hashes, each once.

        Raises:
            IndexDamagedError: if one does not match.
        """
        unseen = numbers[~self._seen[numbers]].tolist()
        if unseen:
            self._bytes.prefetch(unseen)
        for number in unseen:
            if self._bytes.of(number) != int(self._sums[number + 1]):
                raise self._damaged(self._path, f"checksum mismatch in list {number}")
            self._seen[number] = True
