"""A model's cosines -> closeness, which means the same for every model."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import numpy as np
import numpy.typing as npt

from qa_search.embedders.base import Embedder

# The closeness of texts that have nothing in common: their mean cosine by the default model is .049.
UNRELATED = 0.05
# A model that tells nothing apart has a mean of 1: what rounding leaves must not become everything.
_LEAST_SPREAD = 0.01
_NO_LIMIT = 1 << 30

Cosines = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Closeness:
    """Turns the cosines of one model into closeness.

    Some models put all texts into a narrow cone: two texts that have nothing in common have a cosine of .7 or .8. Their
    cosines are stretched, so that 1 stays 1 and ``unrelated``, the mean cosine of such texts, becomes `UNRELATED`.
    A model that tells such texts further apart than that keeps its cosines.
    """

    unrelated: float = 0.0

    def of(self, cosines: Cosines) -> Cosines:
        """Return the closeness for each cosine."""
        if self.unrelated <= UNRELATED:
            return cosines
        stretch = np.float32((1 - UNRELATED) / max(1 - self.unrelated, _LEAST_SPREAD))
        return np.asarray(1 - (1 - cosines) * stretch, np.float32)


# What the cosines of a model mean that spreads texts as wide as the default one does.
SPREAD = Closeness()


def unrelated_texts() -> list[str]:
    """Return questions about everyday matters; those of one half have nothing in common with those of the other."""
    found = resources.files("qa_search.embedders").joinpath("unrelated_texts.txt")
    return found.read_text(encoding="utf-8").splitlines()


def unrelated_cosine(embedder: Embedder) -> float | None:
    """Return a model's mean cosine of questions and passages that have nothing in common.

    It is between 0 and 1: a mean below 0 counts as 0. None if the model reads none of the texts as a whole.
    """
    texts = unrelated_texts()
    limit = min(embedder.query_limit or _NO_LIMIT, embedder.passage_limit or _NO_LIMIT)
    read = [count <= limit for count in embedder.count_tokens(texts)]
    half = len(texts) // 2
    questions = [text for text, whole in zip(texts[:half], read[:half], strict=True) if whole]
    passages = [text for text, whole in zip(texts[half:], read[half:], strict=True) if whole]
    if not questions or not passages:
        return None
    cosines = embedder.embed_queries(questions) @ embedder.embed_passages(passages).T
    return round(float(np.clip(cosines.mean(), 0, 1)), 4)
