"""A model's cosines -> closeness, which means the same for every model."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from qa_search.embedders.base import Embedder, checked_vectors

# The mean closeness of texts that have nothing in common, and of a question and its answer: the default model's
# cosines of the pairs in everyday_pairs.tsv.
UNRELATED, RELATED = 0.036, 0.485
# A model whose means are so near these keeps its cosines: what rounding moves does not count.
_NEAR = 0.02
# A model tells a question's answer from other texts only if their means are so far apart.
_LEAST_SPREAD = 0.002
# Passages of one post are never taken for further apart.
_LEAST_AMONG = 0.1
_NO_LIMIT = 1 << 30

Cosines = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Closeness:
    """Turns the cosines of one model into closeness.

    Some models put all texts into a narrow cone: two texts that have nothing in common have a cosine of .7 or .8, a
    question and its answer one of .87. ``unrelated`` and ``related``, the means of such pairs, become `UNRELATED` and
    `RELATED`, and 1 stays 1; between them the scale is straight.
    """

    unrelated: float = UNRELATED
    related: float = RELATED

    def of(self, cosines: Cosines) -> Cosines:
        """Return the closeness for each cosine."""
        if self.is_plain:
            return cosines
        below = self._straight(cosines)
        above = RELATED + (cosines - self.related) * ((1 - RELATED) / (1 - self.related))
        return np.asarray(np.where(cosines < self.related, below, above), np.float32)

    def of_means(self, products: Cosines, squares: Cosines, sizes: npt.NDArray[np.intp]) -> Cosines:
        """Return the closeness of a vector to means of others, as if closeness itself were a product of vectors.

        Args:
            products: of the vector and each mean, (n,).
            squares: of the length of each mean, (n,).
            sizes: how many vectors each is the mean of, (n,).
        """
        # The mean closeness of the vectors to one another; each to itself is 1.
        among = self._straight(squares) - (self._straight(np.float32(1)) - 1) / sizes
        return np.asarray(np.minimum(self.of(products) / np.sqrt(np.maximum(among, _LEAST_AMONG)), 1), np.float32)

    def _straight(self, cosines: Any) -> Any:
        scale = (RELATED - UNRELATED) / (self.related - self.unrelated)
        return UNRELATED + (cosines - self.unrelated) * scale

    @property
    def is_plain(self) -> bool:
        """Whether it keeps cosines as they are."""
        near = abs(self.unrelated - UNRELATED) <= _NEAR and abs(self.related - RELATED) <= _NEAR
        return near or self.related - self.unrelated < _LEAST_SPREAD or 1 - self.related < _LEAST_SPREAD


# What cosines mean that are like the default model's.
PLAIN = Closeness()


def everyday_pairs() -> list[tuple[str, str]]:
    """Return questions about everyday matters with an answer; no two of them are about the same matter."""
    found = resources.files("qa_search.embedders").joinpath("everyday_pairs.tsv").read_text(encoding="utf-8")
    pairs = [line.split("\t") for line in found.splitlines()]
    return [(question, answer) for question, answer in pairs]


def measure_closeness(embedder: Embedder) -> Closeness:
    """Return what a model's cosines mean; `PLAIN` if it reads less than two of the pairs as a whole.

    Raises:
        ModelError: if the embedder gives vectors that cannot be used.
    """
    pairs = everyday_pairs()
    limits = (embedder.query_limit or _NO_LIMIT, embedder.passage_limit or _NO_LIMIT)
    counts = [embedder.count_tokens(list(texts)) for texts in zip(*pairs, strict=True)]
    whole = [pair for pair, *sizes in zip(pairs, *counts, strict=True) if all(map(int.__le__, sizes, limits))]
    if len(whole) < 2:
        return PLAIN
    questions, answers = map(list, zip(*whole, strict=True))
    asked = checked_vectors(embedder.embed_queries(questions), len(whole), embedder)
    answered = checked_vectors(embedder.embed_passages(answers), len(whole), embedder)
    cosines = asked @ answered.T
    means = np.clip([cosines[~np.eye(len(whole), dtype=bool)].mean(), np.diag(cosines).mean()], 0, 1)
    return Closeness(*(round(float(mean), 6) for mean in means))
