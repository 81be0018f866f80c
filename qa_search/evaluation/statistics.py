"""Bootstrap intervals and paired tests of means over complaints."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_RESAMPLES = 2000
_PERMUTATIONS = 10_000
_SEED = 0

Floats = npt.NDArray[np.float64]


def bootstrap_interval(values: Floats, share: float = 0.95) -> tuple[float, float]:
    """Return the bootstrap interval of a mean: percentiles of the means of 2,000 samples with replacement."""
    generator = np.random.default_rng(_SEED)
    means = values[generator.integers(0, len(values), (_RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)


def paired_p_value(one: Floats, other: Floats) -> float:
    """Return the p-value of the paired randomisation test: how often a random swap of each pair differs as much."""
    differences = other - one
    generator = np.random.default_rng(_SEED)
    signs = generator.choice(np.array([-1.0, 1.0]), (_PERMUTATIONS, len(differences)))
    as_large = np.abs(signs @ differences) >= abs(differences.sum()) - 1e-12
    return float((as_large.sum() + 1) / (_PERMUTATIONS + 1))


def auroc(positive: Floats, negative: Floats) -> float:
    """Return the area under the ROC curve: how often a positive value is above a negative one, ties counting half."""
    both = np.concatenate([positive, negative])
    order = np.argsort(both, kind="stable")
    ranks = np.empty(len(both))
    ranks[order] = np.arange(1, len(both) + 1)
    _, inverse, counts = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.bincount(inverse, ranks) / counts)[inverse]
    above = ranks[: len(positive)].sum() - len(positive) * (len(positive) + 1) / 2
    return float(above / (len(positive) * len(negative)))
