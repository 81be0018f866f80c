"""How sure a result is: the probability that a post answers, and the probability that the archive does.

Three signs decide, and they mean the same in every archive: how close a post is in meaning, how much of what the
complaint says, by rarity, the post says too, and how much the complaint says. What is relative to an archive or to the
other hits (z-scores, gaps) does not carry over from one archive to another; docs/ranking.md has the figures. The rules
below were learnt from the judged archives by ``python -m benchmarks.confidence``, which also measures what rules that
were learnt without an archive are worth on it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from qa_search.index.manifest import ConfidenceRecord
from qa_search.search.highlight import covered_share
from qa_search.search.signals import Values
from qa_search.types import SIGNS

# A complaint of one term is never covered for sure: it counts as if it said so much more that the post lacks (as the
# sum of rarities; a rare term in a large archive has about 8).
_UNSAID = 10.0
_MOST_ODDS = 500.0
# What a complaint that says too little is answered with, at most.
TOO_LITTLE = 0.1

Matrix = npt.NDArray[np.float64]
Signs = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Confidence:
    """Turns signs into a probability.

    ``weights`` (one for each of `SIGNS`) and ``bias`` are of the logistic function; below ``threshold`` a result counts
    as no answer.
    """

    weights: tuple[float, ...]
    bias: float
    threshold: float

    @classmethod
    def of_record(cls, record: ConfidenceRecord) -> Self:
        """Read what `to_record` gave; an index that was built with other signs gets the general rule."""
        if record.signs != SIGNS:
            record = GENERAL.to_record()
        return cls(record.weights, record.bias, record.threshold)

    def to_record(self) -> ConfidenceRecord:
        """Return the record that a manifest keeps."""
        return ConfidenceRecord(
            learnt=False,
            signs=SIGNS,
            weights=tuple(round(weight, 4) for weight in self.weights),
            bias=round(self.bias, 4),
            # Down, so that rounding refuses nobody.
            threshold=math.floor(self.threshold * 10_000) / 10_000,
            changed=0,
        )

    def probability(self, signs: Matrix) -> Matrix:
        """Return the probability for each row of signs (n, 3): (n,)."""
        return _probability(signs @ np.asarray(self.weights) + self.bias)

    def of_signs(self, signs: Signs) -> float:
        """Return the probability for one post's signs."""
        odds = sum(weight * sign for weight, sign in zip(self.weights, signs, strict=True)) + self.bias
        return 1 / (1 + math.exp(-min(max(odds, -_MOST_ODDS), _MOST_ODDS)))


# That some post of the archive answers, by the signs of the first hit.
GENERAL = Confidence((7.92, 2.81, 0.15), -4.59, 0.4)
# That a hit answers, by its closeness, what it says of the complaint too, and whether it is the first.
OF_HIT = Confidence((8.53, 1.44, 1.3), -6.37, 0.4)


def closeness(values: Mapping[str, Values]) -> Values:
    """Return how close each candidate is in meaning, from -1 to 1: the mean of its best passage and the whole post."""
    return np.asarray((values["best"] + values["whole"]) / 2, np.float32)


def signs_of(closeness: float, terms: frozenset[str], rarity: Mapping[str, float]) -> Signs:
    """Return a post's signs.

    Args:
        closeness: how close it is in meaning.
        terms: its terms.
        rarity: the complaint's terms and the inverse document frequency of each.
    """
    return closeness, said(terms, rarity), math.log1p(len(rarity))


def said(terms: frozenset[str], rarity: Mapping[str, float]) -> float:
    """Return how much of a complaint a text says too, from 0 to 1: the less the complaint says, the less for sure.

    ``rarity`` has the complaint's terms and the inverse document frequency of each.
    """
    total = sum(rarity.values())
    return covered_share(terms, rarity) * total / (total + _UNSAID)


def hit_signs(signs: Signs, *, first: bool) -> Signs:
    """Return the signs that a hit itself answers: being first counts, and how much the complaint says does not."""
    return signs[0], signs[1], float(first)


def of_hit(result: float, signs: Signs, *, first: bool) -> float:
    """Return the probability that a hit answers, by a post's signs; it is at most the result's."""
    return min(result, OF_HIT.of_signs(hit_signs(signs, first=first)))


def _probability(odds: Matrix) -> Matrix:
    """Return the logistic function; beyond 500 either way it is 0 or 1 as far as numbers tell."""
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -_MOST_ODDS, _MOST_ODDS))), np.float64)
