"""Confidence: what is learnt from known complaints, and that its probabilities are probabilities."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_search.search.confidence import DEFAULT_CONFIDENCE, Confidence, Matrix, closeness, fit, of_hit
from qa_search.search.signals import Values
from qa_search.types import SIGNS

probabilities = st.floats(0, 1)
scores = st.floats(-1, 1)
seeds = st.integers(0, 2**32 - 1)
many = settings(max_examples=100, deadline=None)


def known(seed: int, answered: int = 200, others: int = 300, gap: float = 0.2) -> tuple[Matrix, list[bool]]:
    """Signs as archives have them: higher by ``gap`` for complaints that are answered."""
    rng = np.random.default_rng(seed)
    high = rng.normal([0.6, 0.6, 0.7], [0.08, 0.08, 0.12], (answered, 3))
    low = rng.normal([0.6, 0.6, 0.7], [0.08, 0.08, 0.12], (others, 3)) - gap
    return np.clip(np.concatenate([high, low]), 0, 1), [True] * answered + [False] * others


def fitted(signs: Matrix, answered: list[bool]) -> Confidence:
    return fit(signs, np.asarray(answered))


def refused_share(confidence: Confidence, signs: Matrix, answered: list[bool]) -> float:
    """The share of answered complaints that are told as not answered, by the rule that a search goes by."""
    known_answers = signs[np.asarray(answered)]
    below = [confidence.of_result((row[0], row[1], row[2])) < confidence.threshold for row in known_answers.tolist()]
    return float(np.mean(below))


@pytest.mark.parametrize("direction", [(3.0, 2.0, 1.0), (1.0, 1.0, 1.0), (0.5, 4.0, 1.0)])
def test_the_direction_that_separates_is_found(direction: tuple[float, ...]) -> None:
    """And the place where it does: nearly all complaints fall on their side of one half."""
    rng = np.random.default_rng(1)
    signs = rng.uniform(0, 1, (2000, 3))
    margin = signs @ direction - 0.5 * sum(direction)
    signs, margin = signs[np.abs(margin) > 0.1], margin[np.abs(margin) > 0.1]
    confidence = fit(signs, margin > 0)
    found = np.asarray(confidence.weights)
    assert found @ direction / np.linalg.norm(found) / np.linalg.norm(direction) > 0.995
    assert np.mean((confidence.probability(signs) > 0.5) == (margin > 0)) > 0.99


def test_probabilities_are_as_often_right_as_they_say() -> None:
    """On complaints drawn by a known rule, half of them answered."""
    rng = np.random.default_rng(2)
    signs = rng.uniform(0, 1, (40_000, 3))
    truth = 1 / (1 + np.exp(-(signs @ [4.0, 3.0, 2.0] - 4.5)))
    confidence = fit(signs, rng.uniform(size=len(signs)) < truth)
    assert np.abs(confidence.probability(signs) - truth).max() < 0.04
    assert confidence.weights == pytest.approx((4, 3, 2), rel=0.1)
    assert confidence.bias == pytest.approx(-4.5, rel=0.1)


@pytest.mark.parametrize(("answered", "others"), [(200, 200), (200, 4000), (4000, 200), (60, 1500)])
def test_both_kinds_weigh_the_same(answered: int, others: int) -> None:
    """The middle between them stays at one half, however many there are of each; on the average of ten archives."""
    gap = 0.12
    middle = (0.6 - gap / 2, 0.6 - gap / 2, 0.7 - gap / 2)
    found = [fitted(*known(seed, answered, others, gap)).of_result(middle) for seed in range(10)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.05)


def test_repeating_one_kind_changes_next_to_nothing() -> None:
    """Ten times the same complaints that are answered."""
    signs, answered = known(4, gap=0.12)
    once = fitted(signs, answered)
    repeated = fitted(np.concatenate([signs] + [signs[:200]] * 9), answered + [True] * 1800)
    assert np.abs(once.probability(signs) - repeated.probability(signs)).max() < 0.05


@pytest.mark.parametrize("column", range(3))
def test_a_sign_that_counts_against_an_answer_is_left_out(column: int) -> None:
    """Its weight is 0, and the others separate without it as if it had never been there."""
    signs, answered = known(5)
    signs[:, column] = 1 - signs[:, column]
    confidence = fitted(signs, answered)
    others = [number for number in range(3) if number != column]
    assert confidence.weights[column] == 0
    assert min(confidence.weights[number] for number in others) > 0
    changed = signs.copy()
    changed[:, column] = 0.5
    assert np.array_equal(confidence.probability(changed), confidence.probability(signs))
    alone = fit(signs[:, others], np.asarray(answered))
    assert np.allclose(confidence.probability(signs), alone.probability(signs[:, others]), atol=1e-9)


def test_two_signs_that_count_against_an_answer_are_left_out() -> None:
    """One remains."""
    signs, answered = known(6)
    signs[:, :2] = 1 - signs[:, :2]
    confidence = fitted(signs, answered)
    assert confidence.weights[:2] == (0, 0)
    assert confidence.weights[2] > 0


def test_no_sign_ever_counts_against_an_answer() -> None:
    """Even if all of them do among the known complaints: confidence must not rise as an archive fits worse."""
    signs, answered = known(7)
    confidence = fitted(1 - signs, answered)
    assert min(confidence.weights) >= 0
    assert confidence.of_result((0.9, 0.9, 0.9)) >= confidence.of_result((0.1, 0.1, 0.1))


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_weights_are_never_negative(seed: int) -> None:
    """Whatever is learnt from, mere chance included; so better signs never mean less confidence."""
    rng = np.random.default_rng(seed)
    signs = rng.uniform(0, 1, (60, 3))
    confidence = fit(signs, np.arange(60) % 3 == 0)
    assert min(confidence.weights) >= 0
    assert np.isfinite([*confidence.weights, confidence.bias, confidence.threshold]).all()


@given(seeds, st.floats(0, 0.5), st.integers(50, 300))
@settings(max_examples=30, deadline=None)
def test_the_threshold_refuses_a_tenth_of_the_answered(seed: int, gap: float, answered: int) -> None:
    """At most, and about so many; what the manifest keeps of it too."""
    signs, labels = known(seed, answered, 300, gap)
    confidence = fitted(signs, labels)
    if max(confidence.weights) == 0:
        return
    kept = Confidence.of_manifest(json.loads(json.dumps(confidence.to_manifest())))
    for one in (confidence, kept):
        assert 0.07 <= refused_share(one, signs, labels) <= 0.13


@pytest.mark.parametrize("refused", [0.0, 0.05, 0.5])
def test_how_many_are_refused_can_be_chosen(refused: float) -> None:
    """A share of the answered; none refuses none."""
    signs, labels = known(8)
    confidence = fit(signs, np.asarray(labels), refused)
    assert refused_share(confidence, signs, labels) == pytest.approx(refused, abs=0.011)


def test_clearly_separate_complaints_keep_their_answers() -> None:
    """Also as the manifest has it: a threshold near 1 that is rounded up would refuse too many."""
    rng = np.random.default_rng(9)
    signs = np.concatenate([rng.uniform(0.9, 1, (200, 3)), rng.uniform(0, 0.1, (400, 3))])
    labels = [True] * 200 + [False] * 400
    kept = Confidence.of_manifest(fitted(signs, labels).to_manifest())
    assert kept.probability(signs[200:]).max() < 0.1
    assert refused_share(kept, signs, labels) <= 0.13


@given(probabilities, scores, scores, scores)
@many
def test_a_hit_is_never_surer_than_the_result(result: float, first: float, one: float, other: float) -> None:
    """It is as sure as the result where it is first, and less and less so the further its score lies behind."""
    first, high, low = sorted((first, one, other), reverse=True)
    best, better, worse = (of_hit(result, first, score) for score in (first, high, low))
    assert best == pytest.approx(result, abs=1e-6)
    assert 0 <= worse <= better <= best <= result
    if high - low > 0.01 and worse > 1e-6 and better < 1 - 1e-6:
        assert worse < better


@pytest.mark.parametrize("behind", [0.0, 1.0, 2.0, 100.0, 1e300])
def test_a_hit_however_far_behind_has_a_probability(behind: float) -> None:
    """Without an overflow, however sure the result is."""
    for result in (0.0, 1e-300, 1e-12, 0.5, 1 - 1e-16, 1.0):
        found = of_hit(result, 1.0, 1.0 - behind)
        assert 0 <= found <= result
        assert behind < 2 or found < 1e-6


@given(st.tuples(*[st.floats(-1e6, 1e6)] * 3), st.tuples(*[st.floats(0, 1e6)] * 3), st.floats(-1e6, 1e6))
@many
def test_a_result_always_has_a_probability(
    signs: tuple[float, float, float], weights: tuple[float, ...], bias: float
) -> None:
    """Whatever the numbers: neither NaN nor a warning of an overflow."""
    found = Confidence(weights, bias, 0.5).of_result(signs)
    assert 0 <= found <= 1


def test_signs_that_hardly_differ_can_be_learnt_from() -> None:
    """An archive of posts that are nearly the same: probabilities far from it, too, come without a warning."""
    rng = np.random.default_rng(11)
    for spread in (0.0, 1e-12, 1e-7, 1e-4):
        signs = 0.5 + spread * rng.uniform(size=(200, 3))
        confidence = fit(signs, signs[:, 0] >= np.median(signs[:, 0]))
        far = confidence.probability(np.asarray([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [-1.0, -1.0, 0.0]]))
        assert ((far >= 0) & (far <= 1)).all()
        assert math.isfinite(confidence.threshold)


def test_the_manifest_keeps_what_was_learnt() -> None:
    """As JSON that names the signs, to four digits."""
    confidence = fitted(*known(12))
    record = json.loads(json.dumps(confidence.to_manifest()))
    again = Confidence.of_manifest(record)
    assert record["signs"] == list(SIGNS)
    assert again.weights == pytest.approx(confidence.weights, abs=1e-4)
    assert again.bias == pytest.approx(confidence.bias, abs=1e-4)
    assert again.threshold == pytest.approx(confidence.threshold, abs=1e-4)
    assert again.to_manifest() == record
    assert Confidence.of_manifest(DEFAULT_CONFIDENCE.to_manifest()) == DEFAULT_CONFIDENCE


def test_the_default_tells_a_good_match_from_none() -> None:
    """For archives too small to learn from."""
    assert DEFAULT_CONFIDENCE.of_result((0.7, 0.7, 0.8)) > 0.6
    assert DEFAULT_CONFIDENCE.of_result((0.1, 0.1, 0.1)) < DEFAULT_CONFIDENCE.threshold < 0.5
    assert len(DEFAULT_CONFIDENCE.weights) == len(SIGNS)


def values(whole: list[float], answer: list[float], best: list[float]) -> dict[str, Values]:
    return {
        name: np.asarray(column, np.float32) for name, column in (("whole", whole), ("answer", answer), ("best", best))
    }


def test_closeness_is_the_mean_of_the_closest() -> None:
    """Of five whole posts and of three answers, or of as many as there are; in any order."""
    whole, answer = [0.1, 0.9, 0.5, 0.3, 0.7, 0.2, -0.4], [0.0, 0.6, 0.3, 0.0, 0.9, 0.1, 0.2]
    found = closeness(values(whole, answer, [0.95] * 7))
    assert found == pytest.approx(((0.9 + 0.7 + 0.5 + 0.3 + 0.2) / 5, (0.9 + 0.6 + 0.3) / 3), abs=1e-6)
    assert closeness(values(whole[::-1], answer[::-1], [0.95] * 7)) == pytest.approx(found, abs=1e-6)
    assert closeness(values([0.4, 0.2], [0.5, 0.3], [0, 0])) == pytest.approx((0.3, 0.4), abs=1e-6)


def test_without_answers_the_best_passages_count() -> None:
    """And without posts nothing does."""
    assert closeness(values([0.4], [0.0], [0.8])) == pytest.approx((0.4, 0.8), abs=1e-6)
    assert closeness(values([], [], [])) == (0, 0)
