"""What speaks for a post: one number for each reason, computed exactly for every candidate.

Each signal is a stage of its own; docs/ranking.md measures what each is worth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from qa_search.embedders.base import Vectors
from qa_search.embedders.closeness import PLAIN, Closeness
from qa_search.types import FIELDS, Field

Values = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]

# The power of the mean over a complaint's parts: between 1, their plain mean, which irrelevant parts pull down, and
# infinity, the best part alone, which forgets the others.
PARTS_POWER = 6
# OpenBLAS divides larger products among threads that wait for one another: where the cores are busy, that takes a
# hundred times as long.
_ROWS_AT_ONCE = 1024
# Passages of a post that are added up together with those of other posts.
_ADDED_TOGETHER = 8


@dataclass(frozen=True)
class Candidates:
    """The posts that may answer a complaint, with all their passages.

    ``posts`` (n,) are post numbers in ascending order; ``starts`` (n,) is where each one's passages begin among
    ``passages`` (m,), the passage numbers, and ``fields`` (m,), the side that each is of, and ``vectors``
    (m, dimension). ``closeness`` is that of the model's cosines.
    """

    posts: npt.NDArray[np.int64]
    starts: Rows
    passages: npt.NDArray[np.int64]
    fields: Sequence[Field]
    vectors: Vectors
    closeness: Closeness = PLAIN

    @cached_property
    def sums(self) -> Vectors:
        """The sum of each post's passages: (n, dimension)."""
        return _sums(self.vectors, self.starts)

    @cached_property
    def wholes(self) -> Vectors:
        """The direction of each whole post, the mean of its passages: (n, dimension), unit length."""
        sums = self.sums
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        return np.asarray(sums / np.where(lengths > 0, lengths, 1), np.float32)

    def passages_of(self, row: int) -> slice:
        """Say where a post's passages stand, by the post's place among the candidates."""
        end = self.starts[row + 1] if row + 1 < len(self.starts) else len(self.passages)
        return slice(int(self.starts[row]), int(end))


@dataclass(frozen=True, slots=True)
class Signals:
    """Signals of all candidates, each (n,): by name in ``values``; and each passage's closeness, (m,)."""

    values: Mapping[str, Values]
    similarity: Values


def passage_closeness(candidates: Candidates, vector: Vectors) -> Values:
    """Return how close each passage is to a vector: (m,)."""
    return candidates.closeness.of(products(candidates.vectors, vector))


def side_signals(candidates: Candidates, similarity: Values) -> dict[str, Values]:
    """Return the closeness of each post's best passage on every side, and the ``best`` of all.

    A side that a post does not have counts 0.
    """
    found: dict[str, Values] = {}
    fields = np.asarray(candidates.fields)
    for field in FIELDS:
        of_side = np.where(fields == field, similarity, np.float32(0))
        found[field] = np.maximum(np.maximum.reduceat(of_side, candidates.starts), 0)
    found["best"] = np.maximum.reduceat(similarity, candidates.starts)
    return found


def whole_signal(candidates: Candidates, vector: Vectors) -> Values:
    """Return the closeness of each whole post, whose vector points to the mean of its passages'."""
    if candidates.closeness.is_plain:
        return products(candidates.wholes, vector)
    sizes = np.diff(candidates.starts, append=len(candidates.passages))
    means = np.asarray(candidates.sums / sizes[:, None], np.float32)
    return candidates.closeness.of_means(products(means, vector), np.square(means).sum(axis=1), sizes)


def parts_signal(candidates: Candidates, parts: Vectors) -> Values:
    """Return how well each post covers the complaint's parts: the power mean of each part's best passage.

    The best passage of a complaint of one part says nothing new: how close the whole post is counts instead.
    """
    if len(parts) == 1:
        return whole_signal(candidates, parts[0])
    similarity = np.maximum([passage_closeness(candidates, part) for part in parts], 0)
    best = np.maximum.reduceat(similarity, candidates.starts, axis=1)
    return np.asarray((best**PARTS_POWER).mean(axis=0) ** (1 / PARTS_POWER), np.float32)


def lexical_signal(candidates: Candidates, scored: Mapping[int, float], best: float) -> Values:
    """Return each post's BM25 score as a share of the best one for this complaint; 0 without common terms."""
    scores = [scored.get(post, 0.0) for post in candidates.posts.tolist()]
    return np.asarray(scores, np.float32) / np.float32(best if best > 0 else 1)


def products(vectors: Vectors, vector: Vectors) -> Values:
    """Return the inner product of each vector (n, dimension) with another (dimension,), on this thread alone: (n,)."""
    if len(vectors) <= _ROWS_AT_ONCE:
        return np.asarray(vectors @ vector, np.float32)
    blocks = [vectors[start : start + _ROWS_AT_ONCE] @ vector for start in range(0, len(vectors), _ROWS_AT_ONCE)]
    return np.concatenate(blocks)


def _sums(vectors: Vectors, starts: Rows) -> Vectors:
    """Add up the vectors of each post, which begin at ``starts``: (n, dimension).

    The first vectors of all posts, then the second ones, and so on: `numpy.add.reduceat` takes several times as long.
    """
    sizes = np.diff(starts, append=len(vectors))
    sums: Vectors = vectors[starts]
    rows = np.flatnonzero(sizes > 1)
    for place in range(1, _ADDED_TOGETHER):
        sums[rows] += vectors[starts[rows] + place]
        rows = rows[sizes[rows] > place + 1]
        if not len(rows):
            return sums
    for row in rows:
        sums[row] += vectors[starts[row] + _ADDED_TOGETHER : starts[row] + sizes[row]].sum(axis=0)
    return sums
