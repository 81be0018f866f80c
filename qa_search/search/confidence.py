"""How sure a result is: a logistic function of three signs that the archive answers the complaint.

The signs: how close the five closest whole posts are, how close the three closest answers are, and how many of the
complaint's terms, by rarity, the best post has. All three are low for a complaint from elsewhere; the last tells "my
wrist" from "my ankle" where everything else about two complaints is the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from qa_search.search.signals import Values
from qa_search.types import SIGNS

_WHOLE_POSTS, _ANSWERS = 5, 3
# How fast the odds of a hit fall (by their logarithm) with each unit of score that it lies behind the first. Chosen on
# the development halves of the judged sets, which want from 0 (only likely posts were judged) to 58 (only one was).
_DROP_PER_SCORE = 24.0
_RIDGE = 1.0
_ROUNDS = 50

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Confidence:
    """Turns signs into the probability that something in the archive answers.

    ``weights`` (three) and ``bias`` are of the logistic function; below ``threshold`` a result counts as no answer.
    """

    weights: tuple[float, ...]
    bias: float
    threshold: float

    @classmethod
    def of_manifest(cls, record: Mapping[str, Any]) -> Self:
        """Read what `to_manifest` gave."""
        return cls(tuple(record["weights"]), record["bias"], record["threshold"])

    def to_manifest(self) -> dict[str, Any]:
        """Return the record that a manifest keeps."""
        return {
            "signs": list(SIGNS),
            "weights": [round(weight, 4) for weight in self.weights],
            "bias": round(self.bias, 4),
            # Down, so that rounding refuses nobody.
            "threshold": math.floor(self.threshold * 10_000) / 10_000,
        }

    def probability(self, signs: Matrix) -> Matrix:
        """Return the probability for each row of signs (n, 3): (n,)."""
        return _probability(signs @ np.asarray(self.weights) + self.bias)

    def of_result(self, signs: tuple[float, float, float]) -> float:
        """Return the probability that some post of the archive answers."""
        return float(self.probability(np.asarray([signs]))[0])


# For archives that are too small to learn from: about what three larger ones taught, with the default model.
DEFAULT_CONFIDENCE = Confidence((3.4, 3.4, 2.2), -4.2, 0.34)


def closeness(values: Mapping[str, Values]) -> tuple[float, float]:
    """Return the first two signs of ranked candidates; both are 0 without any."""
    answers = values["answer"] if values["answer"].any() else values["best"]
    return _mean_of_highest(values["whole"], _WHOLE_POSTS), _mean_of_highest(answers, _ANSWERS)


def of_hit(result: float, first_score: float, score: float) -> float:
    """Return the probability that a hit answers, given the result's and how far its score lies behind the first."""
    odds = math.log(max(result, 1e-9) / max(1 - result, 1e-9)) - _DROP_PER_SCORE * (first_score - score)
    return min(result, float(_probability(np.asarray(odds))))


def fit(signs: Matrix, answered: npt.NDArray[np.bool_], refused: float = 0.1) -> Confidence:
    """Fit the logistic function to signs (n, 3) of complaints that are answered or not.

    Both kinds weigh the same, however many of each there are. A sign that would count against an answer is left out.
    The threshold refuses a share of ``refused`` of the answered ones.
    """
    kept = list(range(signs.shape[1]))
    while True:
        weights = np.zeros(signs.shape[1])
        scale, middle = signs[:, kept].std(axis=0) + 1e-9, signs[:, kept].mean(axis=0)
        solution = _logistic((signs[:, kept] - middle) / scale, answered)
        weights[kept] = solution[1:] / scale
        negative = [column for column in kept if weights[column] < 0]
        if not negative:
            break
        if len(kept) == 1:
            weights[:] = 0
            break
        kept.remove(min(negative, key=lambda column: weights[column]))
    bias = float(solution[0] - (weights[kept] * middle).sum())
    unset = Confidence(tuple(float(weight) for weight in weights), bias, 0.5)
    threshold = float(np.quantile(unset.probability(signs[answered]), refused))
    return Confidence(unset.weights, bias, threshold)


def _logistic(columns: Matrix, answered: npt.NDArray[np.bool_]) -> Matrix:
    """Fit by Newton's method, with a small ridge: the bias, then a weight for each standardised column."""
    design = np.column_stack([np.ones(len(columns)), columns])
    shares = np.where(answered, 0.5 / max(answered.sum(), 1), 0.5 / max((~answered).sum(), 1)) * len(columns)
    ridge = np.diag([0.0] + [_RIDGE] * columns.shape[1])
    solution = np.zeros(design.shape[1])
    for _ in range(_ROUNDS):
        estimate = _probability(design @ solution)
        gradient = design.T @ (shares * (answered - estimate)) - ridge @ solution
        curvature = (design * (shares * estimate * (1 - estimate))[:, None]).T @ design + ridge
        step = np.linalg.solve(curvature + 1e-9 * np.eye(len(solution)), gradient)
        solution = solution + step
        if np.abs(step).max() < 1e-8:
            break
    return solution


def _probability(odds: Matrix) -> Matrix:
    """Return the logistic function; beyond 500 either way it is 0 or 1 as far as numbers tell."""
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -500, 500))), np.float64)


def _mean_of_highest(values: Values, count: int) -> float:
    if not len(values):
        return 0.0
    count = min(count, len(values))
    return float(np.partition(values, -count)[-count:].mean())
