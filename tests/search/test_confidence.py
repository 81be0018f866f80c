"""Confidence: signs that mean the same in every archive, and that its probabilities are probabilities."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_search.index.manifest import ConfidenceRecord, dump_record, parse_record
from qa_search.search.confidence import GENERAL, OF_HIT, Confidence, closeness, of_hit, said, signs_of
from qa_search.search.signals import Values
from qa_search.types import SIGNS

probabilities = st.floats(0, 1)
shares = st.floats(0, 1)
many = settings(max_examples=100, deadline=None)


@given(probabilities, st.tuples(shares, shares, st.floats(0, 6)))
@many
def test_a_hit_is_never_surer_than_the_result(result: float, signs: tuple[float, float, float]) -> None:
    """It goes by its own signs; the first one is surer."""
    later, first = (of_hit(result, signs, first=is_first) for is_first in (False, True))
    assert later == min(result, OF_HIT.of_signs((*signs[:2], 0.0)))
    assert later <= first <= result


@pytest.mark.parametrize("rule", [GENERAL, OF_HIT])
def test_closer_posts_that_say_more_are_surer(rule: Confidence) -> None:
    """With each of the first two signs."""
    base = rule.of_signs((0.5, 0.3, 1.5))
    assert rule.of_signs((0.6, 0.3, 1.5)) > base
    assert rule.of_signs((0.5, 0.5, 1.5)) > base


def test_many_posts_have_the_probabilities_of_each_alone() -> None:
    """Of the same signs, with the same weights and bias."""
    signs = [(0.7, 0.5, 2.0), (0.1, 0.0, 0.7), (0.4, 0.2, 1.1)]
    assert GENERAL.probability(np.asarray(signs)) == pytest.approx([GENERAL.of_signs(one) for one in signs])


def test_a_short_complaint_is_less_sure_than_a_long_one() -> None:
    """One term met in full says less than ten of which half are met, at the same closeness."""
    short = {"heel": 4.0}
    long = {f"term{number}": 4.0 for number in range(10)}
    one = signs_of(0.5, frozenset(short), short)
    other = signs_of(0.5, frozenset(list(long)[:5]), long)
    assert one[1] < other[1] < 1
    assert GENERAL.of_signs(one) < GENERAL.of_signs(other)


def test_what_a_post_says_too_is_weighed_by_rarity() -> None:
    """A rare term counts more than two common ones; what the complaint does not say counts as missing."""
    weights = {"rare": 6.0, "one": 1.0, "two": 1.0}
    assert said(frozenset({"rare"}), weights) == pytest.approx(6 / 18)
    assert said(frozenset({"one", "two", "other"}), weights) == pytest.approx(2 / 18)
    assert said(frozenset(), weights) == said(frozenset({"any"}), {}) == 0


@given(st.tuples(*[st.floats(-1e6, 1e6)] * 3), st.tuples(*[st.floats(0, 1e6)] * 3), st.floats(-1e6, 1e6))
@many
def test_a_result_always_has_a_probability(
    signs: tuple[float, float, float], weights: tuple[float, ...], bias: float
) -> None:
    """Whatever the numbers: neither NaN nor a warning of an overflow."""
    found = Confidence(weights, bias, 0.5).of_signs(signs)
    assert 0 <= found <= 1


def test_the_manifest_keeps_the_rule() -> None:
    """As JSON that names the signs, to four digits; a threshold is rounded down."""
    rule = Confidence((1.23456, 2.0, 0.5), -3.33333, 0.39999)
    record = rule.to_record()
    again = Confidence.of_record(parse_record(ConfidenceRecord, json.loads(json.dumps(dump_record(record)))))
    assert record.signs == SIGNS
    assert again == Confidence((1.2346, 2.0, 0.5), -3.3333, 0.3999)
    assert again.to_record() == record
    assert Confidence.of_record(GENERAL.to_record()) == GENERAL


def test_an_index_with_other_signs_gets_the_general_rule() -> None:
    """As older versions built them: what they learnt fits no sign of today."""
    old = ConfidenceRecord(True, ("whole posts", "answers", "terms"), (9, 9, 9), 9.0, 0.98, 0)
    assert Confidence.of_record(old) == GENERAL


def test_the_general_rule_tells_a_good_match_from_none() -> None:
    """Its threshold is where the words begin to say that a post may answer."""
    assert GENERAL.of_signs((0.7, 0.4, 1.8)) > 0.8
    assert GENERAL.of_signs((0.2, 0.1, 1.8)) < GENERAL.threshold == 0.4
    assert len(GENERAL.weights) == len(OF_HIT.weights) == len(SIGNS)


def test_closeness_is_the_mean_of_the_best_passage_and_the_whole() -> None:
    """For every candidate."""
    columns = {"best": [0.8, 0.2], "whole": [0.4, 0.6]}
    values: dict[str, Values] = {name: np.asarray(column, np.float32) for name, column in columns.items()}
    assert closeness(values) == pytest.approx([0.6, 0.4])
