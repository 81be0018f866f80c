"""Vectors of complaints -> groups of those that mean the same, by what "unrelated" means in this archive.

No fixed cosine is assumed, because each model has its own. How close unrelated texts come is measured on pairs of
passages of the archive itself, after their common direction is taken out; two complaints belong together if they are
closer than that by so many spreads. The number of spreads was chosen leaving out one archive at a time, and measured
on the one that was left out (``python -m benchmarks.gaps``, docs/gaps.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qa_search.embedders.base import Vectors
from qa_search.index.base import VectorSearch

SPREADS = 3.75
# Passages that are compared with one another, at most, and the least that say what is usual in an archive.
SAMPLE = 1000
_LEAST_SAMPLE = 100
_MOST_WAY = 0.6
# The share of a normal distribution below one standard deviation above its middle.
_ONE_ABOVE = 0.8413


@dataclass(frozen=True)
class Scale:
    """What close means: the direction that all texts share, and how close unrelated ones come.

    ``usual`` is the median cosine of unrelated texts without that direction, ``spread`` how far above it a sixth lies.
    """

    centre: npt.NDArray[np.float32]
    usual: float
    spread: float

    @classmethod
    def of(cls, vectors: Vectors) -> Scale:
        """Measure it on texts (n, dimension) of which most have nothing to do with one another."""
        centre = vectors.mean(axis=0)
        directions = directions_from(vectors, centre)
        cosines = (directions @ directions.T)[np.triu_indices(len(vectors), 1)]
        if not len(cosines):
            return cls(centre, 0.0, 0.0)
        usual, above = np.quantile(cosines, [0.5, _ONE_ABOVE])
        return cls(centre, float(usual), float(above - usual))

    def similarities(self, vectors: Vectors) -> npt.NDArray[np.float32]:
        """Return the cosines of texts without the common direction: (n, n)."""
        directions = directions_from(vectors, self.centre)
        return np.asarray(np.clip(directions @ directions.T, -1, 1), np.float32)

    def threshold(self, spreads: float = SPREADS) -> float:
        """Return the cosine from which two texts are on one matter.

        It lies at most `_MOST_WAY` of the way from unrelated to equal texts: where an archive repeats itself, so that
        most of its passages are close to one another, spreads say little.
        """
        return min(self.usual + spreads * self.spread, self.usual + _MOST_WAY * (1 - self.usual))


def scale_of(stored: VectorSearch[Any], complaints: Vectors) -> Scale:
    """Measure how close unrelated texts come in an archive.

    Args:
        stored: its vectors.
        complaints: vectors of complaints (n, dimension), which help out where the archive has few passages.
    """
    sample = sample_of(stored, SAMPLE)
    if len(sample) < _LEAST_SAMPLE:
        sample = np.concatenate([sample, complaints[:SAMPLE]])
    return Scale.of(sample)


def sample_of(stored: VectorSearch[Any], most: int) -> Vectors:
    """Return the vectors of some passages, the same every time: (up to most, dimension)."""
    return stored.reconstruct(sample_numbers(stored.count, most))


def sample_numbers(count: int, most: int) -> npt.NDArray[np.int64]:
    """Choose some numbers below ``count``, the same every time, in ascending order."""
    chosen = np.random.default_rng(0).choice(count, min(count, most), replace=False)
    return np.sort(chosen).astype(np.int64)


def grouped(similarities: npt.NDArray[np.float32], threshold: float) -> list[list[int]]:
    """Join what is close: two groups become one while their mean similarity reaches the threshold.

    Args:
        similarities: (n, n), symmetric.
        threshold: the least mean similarity of two groups that become one.

    Returns:
        the rows of each group, in ascending order, groups by their first row.
    """
    from scipy.cluster.hierarchy import fcluster, linkage  # here, because nothing else needs it

    count = len(similarities)
    if count < 2:
        return [[row] for row in range(count)]
    distances = 1 - similarities[np.triu_indices(count, 1)].astype(np.float64)
    labels = fcluster(linkage(distances, "average"), 1 - threshold, "distance")
    groups: dict[int, list[int]] = {}
    for row, label in enumerate(labels.tolist()):
        groups.setdefault(label, []).append(row)
    return list(groups.values())


def medoid(similarities: npt.NDArray[np.float32], rows: Sequence[int], weights: npt.NDArray[np.float64]) -> int:
    """Return the row that is closest to all of a group, each counting by its weight (n,)."""
    members = np.asarray(rows)
    mean = similarities[np.ix_(members, members)] @ weights[members]
    return int(members[int(np.argmax(mean))])


def directions_from(vectors: Vectors, centre: npt.NDArray[np.float32]) -> Vectors:
    """Return the directions from a centre: (n, dimension), of unit length, or 0 at the centre itself."""
    moved = vectors - centre
    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    return np.asarray(moved / np.where(lengths > 1e-6, lengths, 1), np.float32)
