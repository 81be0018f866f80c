"""Statistics: the area under the ROC curve, intervals of means, paired tests."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_search.evaluation.statistics import auroc, bootstrap_interval, paired_p_value

# A few values, so that many are equal.
VALUES = st.lists(st.integers(0, 6).map(lambda number: number / 6), min_size=1, max_size=30)


@given(VALUES, VALUES)
def test_auroc_is_what_counting_all_pairs_gives(positive: list[float], negative: list[float]) -> None:
    """A tie counts half."""
    pairs = [(one > other) + 0.5 * (one == other) for one in positive for other in negative]
    assert auroc(np.asarray(positive), np.asarray(negative)) == pytest.approx(sum(pairs) / len(pairs))


def test_auroc_of_values_that_are_parted() -> None:
    """1 the right way round, 0 the wrong way, a half where nothing is told apart."""
    low, high = np.asarray([0.1, 0.2]), np.asarray([0.3, 0.9, 0.4])
    assert auroc(high, low) == 1
    assert auroc(low, high) == 0
    assert auroc(np.full(3, 0.5), np.full(4, 0.5)) == 0.5


@given(st.lists(st.floats(0, 1, width=16), min_size=2, max_size=60))
def test_an_interval_lies_within_the_values_and_is_the_same_on_every_call(values: list[float]) -> None:
    """It starts below where it ends."""
    low, high = bootstrap_interval(np.asarray(values))
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    assert bootstrap_interval(np.asarray(values)) == (low, high)


def test_an_interval_is_about_what_theory_says() -> None:
    """Around the mean, 1.96 standard errors to either side: so narrower with more values, wider for a larger share."""
    rng = np.random.default_rng(3)
    widths = []
    for count in (30, 120, 480):
        values = rng.uniform(size=count)
        low, high = bootstrap_interval(values)
        assert low < values.mean() < high
        error = values.std() / np.sqrt(count)
        assert high - low == pytest.approx(2 * 1.96 * error, rel=0.12)
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)
    wide, narrow = bootstrap_interval(values, 0.99), bootstrap_interval(values, 0.5)
    assert wide[0] < low < narrow[0] < narrow[1] < high < wide[1]


def test_the_interval_of_equal_values_is_their_value() -> None:
    """Also of a single one."""
    assert bootstrap_interval(np.full(9, 0.25)) == (0.25, 0.25)
    assert bootstrap_interval(np.asarray([0.75])) == (0.75, 0.75)


def test_a_paired_test_tells_a_difference_from_none() -> None:
    """Near 1 for the same values, small where most pairs differ the same way; never 0."""
    rng = np.random.default_rng(4)
    one = rng.uniform(size=60)
    assert paired_p_value(one, one) == 1
    assert 0 < paired_p_value(one, one + rng.uniform(0.0, 0.2, 60)) < 0.001
    assert paired_p_value(one, one + rng.choice([-0.1, 0.1], 60)) > 0.01


def test_a_paired_test_is_about_what_theory_says() -> None:
    """Of six pairs that all differ the same way, 2 of the 64 swaps differ as much."""
    assert paired_p_value(np.zeros(6), np.ones(6)) == pytest.approx(2 / 64, abs=0.006)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=20))
def test_a_paired_test_has_no_sides(pairs: list[tuple[int, int]]) -> None:
    """The same p-value whichever is first, and from 0 to 1."""
    one, other = (np.asarray(values, np.float64) / 4 for values in zip(*pairs, strict=True))
    assert paired_p_value(one, other) == paired_p_value(other, one)
    assert 0 < paired_p_value(one, other) <= 1
