"""Vectors on disk by row, float32, read in parts: every block is compared with its hash.

Not mapped into memory: what searches read of a large index would count as this process's memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from qa_search.embedders.base import Vectors
from qa_search.index.integrity import BlockSums, write_block_sums

ROWS_PER_FILE = 65_536
_KIND = np.dtype("<f4")
# Reading a few unwanted rows is cheaper than reading twice.
_GAP = 4

Rows = npt.NDArray[np.int64]


def rows_name(number: int) -> str:
    """The name of a file of rows."""
    return f"rows-{number:05}.f32"


class RowWriter:
    """Appends vectors. A file is finished when it is full; the last one by `close`."""

    def __init__(self, folder: Path, dimension: int, first_file: int = 0, rows_per_file: int = ROWS_PER_FILE) -> None:
        self._folder = folder
        self._dimension = dimension
        self._rows_per_file = rows_per_file
        self._file = first_file
        self._in_file = 0
        self.count = 0

    def add(self, vectors: Vectors) -> None:
        """Append vectors (n, dimension).

        Raises:
            OSError: if they cannot be written.
            ValueError: if a vector holds a value that is not finite.
        """
        if not np.isfinite(vectors).all():
            raise ValueError("the model gave a vector with values that are not finite")
        while len(vectors):
            part = vectors[: self._rows_per_file - self._in_file]
            with (self._folder / rows_name(self._file)).open("ab") as stream:
                stream.write(np.ascontiguousarray(part, _KIND).data)
            self._in_file += len(part)
            self.count += len(part)
            vectors = vectors[len(part) :]
            if self._in_file == self._rows_per_file:
                self._finish()

    def close(self) -> None:
        """Finish the last file."""
        if self._in_file:
            self._finish()

    def _finish(self) -> None:
        write_block_sums(self._folder / rows_name(self._file))
        self._file += 1
        self._in_file = 0


class RowStore:
    """Reads vectors by row. Safe to use from several threads."""

    def __init__(self, folder: Path, names: Sequence[str], dimension: int) -> None:
        """Open the files.

        Raises:
            OSError: if one cannot be opened.
            ValueError: if one does not hold whole rows.
        """
        self._dimension = dimension
        self._width = dimension * _KIND.itemsize
        sizes = []
        for name in names:
            size, rest = divmod((folder / name).stat().st_size, self._width)
            if rest:
                raise ValueError(f"{name} does not hold vectors of {dimension} dimensions")
            sizes.append(size)
        self._files = [BlockSums(folder / name) for name in names]
        self._ends = np.cumsum([0, *sizes], dtype=np.int64)

    @property
    def count(self) -> int:
        """How many rows there are."""
        return int(self._ends[-1])

    def read(self, rows: Rows) -> Vectors:
        """Return the vectors of rows, in any order: (n, dimension).

        Raises:
            ValueError: if they are damaged, or a row does not exist.
        """
        if not len(rows):
            return np.empty((0, self._dimension), np.float32)
        if not (rows.min() >= 0 and rows.max() < self.count):
            raise ValueError("a row that does not exist")
        wanted, back = np.unique(rows, return_inverse=True)
        vectors = np.empty((len(wanted), self._dimension), np.float32)
        files = np.searchsorted(self._ends, wanted, "right")
        cuts = np.flatnonzero((np.diff(wanted) > _GAP) | (np.diff(files) > 0)) + 1
        starts, ends = np.append(0, cuts), np.append(cuts, len(wanted))
        self._prefetch(files[starts] - 1, wanted[starts], wanted[ends - 1] + 1)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            run = wanted[start:end]
            first = int(run[0])
            read = self._run(int(files[start]) - 1, first, int(run[-1]) + 1)
            vectors[start:end] = read if len(read) == len(run) else read[run - first]
        return vectors[back]

    def blocks(self, size: int, start: int = 0) -> Iterator[Vectors]:
        """Yield all vectors from a row on, in order, up to so many at a time."""
        for file, (first, last) in enumerate(pairwise(self._ends.tolist())):
            for at in range(max(first, start), last, size):
                yield self._run(file, at, min(at + size, last))

    def _prefetch(self, files: Rows, starts: Rows, ends: Rows) -> None:
        """Have the system begin to read runs of rows, each in one file."""
        offsets, sizes = (starts - self._ends[files]) * self._width, (ends - starts) * self._width
        for file in np.unique(files).tolist():
            here = files == file
            self._files[file].prefetch(zip(offsets[here].tolist(), sizes[here].tolist(), strict=True))

    def _run(self, file: int, start: int, end: int) -> Vectors:
        """Read rows that follow one another in one file."""
        first = start - int(self._ends[file])
        data = self._files[file].read((end - start) * self._width, first * self._width)
        return np.frombuffer(data, _KIND).reshape(end - start, self._dimension)
