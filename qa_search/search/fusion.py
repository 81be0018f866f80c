"""Signals -> one score: weighted sums, and reciprocal-rank fusion to compare with."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from qa_search.errors import QueryError
from qa_search.search.signals import Values
from qa_search.types import RANKING_NAMES

# Chosen on the development halves of the judged sets; docs/ranking.md tells how, and how flat the optimum is.
DEFAULT_WEIGHTS: Mapping[str, float] = {"best": 1.0, "whole": 0.6, "parts": 0.6, "lexical": 0.25}
# Of an archive that the model cannot read, the words count as much as all that it says together.
UNREAD_WEIGHTS: Mapping[str, float] = {**DEFAULT_WEIGHTS, "lexical": 2.2}
_RRF_CONSTANT = 60

Fusion = Callable[[Mapping[str, Values]], Values]


def by_words(weights: Mapping[str, float]) -> dict[str, float]:
    """Return the weights for a complaint that the model half knows: the words count as much as any other signal."""
    return {**weights, "lexical": max(weights.values())}


def weighted(weights: Mapping[str, float]) -> Fusion:
    """Fuse by a weighted mean of signals; it is at most 1 where they are."""
    total = sum(weights.values())

    def fuse(values: Mapping[str, Values]) -> Values:
        scores = sum((np.float32(weight / total) * values[name] for name, weight in weights.items() if weight), start=0)
        return np.asarray(scores, np.float32)

    return fuse


def shares(values: Mapping[str, float], weights: Mapping[str, float]) -> dict[str, tuple[float, float, float]]:
    """Return for each weighted signal of one post its value, its weight, and its part of the fused score."""
    total = sum(weights.values())
    return {name: (values[name], weight, values[name] * weight / total) for name, weight in weights.items() if weight}


def reciprocal_rank(*names: str) -> Fusion:
    """Fuse by the sum of 1 / (60 + rank) over signals (Cormack, Clarke and Büttcher, 2009)."""

    def fuse(values: Mapping[str, Values]) -> Values:
        scores = np.zeros(len(next(iter(values.values()))), np.float32)
        for name in names:
            order = np.argsort(-values[name], kind="stable")
            ranks = np.empty(len(order), np.float32)
            ranks[order] = np.arange(1, len(order) + 1)
            # A post that a signal says nothing of is not in that signal's list.
            scores += np.where(values[name] > 0, 1 / (_RRF_CONSTANT + ranks), 0).astype(np.float32)
        return scores

    return fuse


_FUSIONS = (
    weighted(DEFAULT_WEIGHTS),
    weighted({"best": 1.0}),
    weighted({"whole": 1.0}),
    weighted({"lexical": 1.0}),
    reciprocal_rank("best", "lexical"),
)
RANKINGS: Mapping[str, Fusion] = dict(zip(RANKING_NAMES, _FUSIONS, strict=True))


def require_rankings(names: object) -> None:
    """Refuse what is not a list of names of `RANKINGS`.

    Raises:
        QueryError: if it is not one, or has none.
    """
    if isinstance(names, str) or not isinstance(names, Sequence) or not names:
        raise QueryError(f"rankings must be a list of names, not {reprlib.repr(names)}", parameter="rankings")
    for name in names:
        if not isinstance(name, str) or name not in RANKINGS:
            raise QueryError(
                f"unknown ranking {reprlib.repr(name)}: choose from {', '.join(RANKINGS)}", parameter="rankings"
            )
