"""The stored passages of an index -> directions of whole posts, questions and answers, and each one's neighbours.

Directions are centred: the mean of the archive is taken away first. So what all posts of an archive have in common does
not count, and closeness means more nearly the same whatever the archive and the model.
"""

from __future__ import annotations

from dataclasses import dataclass

import faiss
import numpy as np
import numpy.typing as npt

from qa_search.embedders.base import Vectors
from qa_search.search.retrieval import Retriever

_BLOCK = 512

Pair = tuple[int, int]


@dataclass(frozen=True)
class Directions:
    """The centred directions of posts (n, dimension), unit length; zeros where a post has no such side."""

    wholes: Vectors
    questions: Vectors
    answers: Vectors


def read_directions(retriever: Retriever, count: int) -> Directions:
    """Return the directions of the posts 0 to ``count - 1``; titles belong to the questions."""
    wholes, questions, answers = [], [], []
    for start in range(0, count, _BLOCK):
        found = retriever.candidates(np.arange(start, min(start + _BLOCK, count), dtype=np.int64))
        of_answers = np.asarray(found.fields) == "answer"
        wholes.append(found.wholes)
        questions.append(_sums(found.vectors, ~of_answers, found.starts))
        answers.append(_sums(found.vectors, of_answers, found.starts))
    sides = (np.concatenate(side) if side else np.empty((0, 1), np.float32) for side in (wholes, questions, answers))
    return Directions(*map(centred, sides))


def _sums(vectors: Vectors, chosen: npt.NDArray[np.bool_], starts: npt.NDArray[np.intp]) -> Vectors:
    return np.asarray(np.add.reduceat(vectors * chosen[:, None], starts, axis=0), np.float32)


def centred(vectors: Vectors) -> Vectors:
    """Take the mean direction away; rows of zeros stay, and do not count in the mean."""
    unit = _unit(vectors)
    present = np.any(unit, axis=1)
    if not present.any():
        return unit
    return _unit(np.where(present[:, None], unit - unit[present].mean(axis=0), 0))


def _unit(vectors: npt.NDArray[np.floating]) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)


def near_pairs(directions: Vectors, neighbours: int) -> dict[Pair, float]:
    """Return the pairs of rows of which one is among the closest ``neighbours`` of the other, and their closeness.

    Every row is compared with every other one.
    """
    index = faiss.IndexFlatIP(directions.shape[1])
    index.add(directions)
    pairs: dict[Pair, float] = {}
    for start in range(0, len(directions), _BLOCK):
        close, rows = index.search(directions[start : start + _BLOCK], neighbours + 1)
        for row, (values, others) in enumerate(zip(close.tolist(), rows.tolist(), strict=True), start=start):
            pairs.update(
                ((min(row, other), max(row, other)), value)
                for value, other in zip(values, others, strict=True)
                if other not in (row, -1) and value > 0
            )
    return pairs


def mutual(pairs: dict[Pair, float]) -> dict[Pair, float]:
    """Keep the pairs in which each is the closest to the other."""
    best: dict[int, float] = {}
    for pair, closeness in pairs.items():
        for row in pair:
            best[row] = max(best.get(row, 0.0), closeness)
    return {pair: closeness for pair, closeness in pairs.items() if all(closeness >= best[row] for row in pair)}
