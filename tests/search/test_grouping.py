"""Grouping: repetitions by hand-made terms, what gathering them must never lose, and later posts on a question."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_search.embedders.base import Vectors
from qa_search.search.grouping import collapse, repeats, same_question
from qa_search.search.signals import Candidates

many = settings(max_examples=150, deadline=None)
terms_of_posts = st.lists(st.frozensets(st.sampled_from("abcdefghij"), max_size=8), min_size=1, max_size=14)


def directions_at(*degrees: float) -> Vectors:
    """Directions in a plane: the cosine of two is that of the angle between them."""
    angles = np.radians(degrees)
    return np.asarray(np.stack([np.cos(angles), np.sin(angles)], axis=1), np.float32)


def angle(cosine: float) -> float:
    return math.degrees(math.acos(cosine))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("knee stair swell click", "knee stair swell click", True),
        ("knee stair swell click", "click swell stair knee knee knee", True),
        ("knee stair swell click ice", "knee stair swell click rest", True),
        ("knee stair swell", "heel morn stab", False),
        ("knee stair swell click ice", "knee heel morn stab rest", False),
        ("a b c d e f g h i j", "a b c d e f g h i j k l m n o p q r s t", True),
        ("a b c", "a b c d e f g h i j", False),
        ("knee", "", False),
        ("", "", False),
    ],
    ids=["same", "order", "4 of 6", "none", "1 of 9", "10 of 20", "3 of 10", "empty", "both empty"],
)
def test_repetitions_share_about_half_of_their_terms(one: str, other: str, expected: bool) -> None:
    """Counted once each, of all that either has; whichever is named first."""
    assert repeats(one.split(), other.split()) is expected
    assert repeats(other.split(), one.split()) is expected


def gather(degrees: Sequence[float], terms: Sequence[str], k: int) -> list[tuple[int, list[int]]]:
    """Gather posts that stand in this order."""
    return collapse(
        range(len(degrees)), directions_at(*degrees), lambda row: frozenset(terms[row].split()), k
    )  # fmt: skip


def test_the_best_is_kept_and_the_others_are_listed_in_order() -> None:
    """Under the one that they repeat."""
    terms = ["a b c d", "x y z", "a b c d e", "a b c", "x y z w"]
    assert gather([0, 90, 1, 2, 91], terms, 2) == [(0, [2, 3]), (1, [4])]
    backwards = collapse([3, 2, 4, 1, 0], directions_at(0, 90, 1, 2, 91), lambda row: frozenset(terms[row].split()), 2)
    assert backwards == [(3, [2, 0]), (4, [1])]


def test_posts_repeat_only_if_meaning_and_terms_are_both_close() -> None:
    """Neither alone is enough."""
    assert gather([0, 90], ["a b c", "a b c"], 2) == [(0, []), (1, [])]
    assert gather([0, 0], ["a b c", "x y z"], 2) == [(0, []), (1, [])]
    assert gather([0, 0], ["a b c", "a b c"], 2) == [(0, [1])]


def test_how_close_in_meaning_repetitions_are() -> None:
    """A cosine of 0.8."""
    assert gather([0, angle(0.81)], ["a b", "a b"], 2) == [(0, [1])]
    assert gather([0, angle(0.79)], ["a b", "a b"], 2) == [(0, []), (1, [])]


def test_a_chain_hides_no_post_that_differs_from_what_is_shown() -> None:
    """The second repeats the first and the third the second, but the third says other things than the first."""
    assert repeats("abcd", "cdab" + "ef")
    assert repeats("abcdef", "cdefgh")
    assert not repeats("abcd", "cdefgh")
    assert gather([0, 1, 2], ["a b c d", "a b c d e f", "c d e f g h"], 2) == [(0, [1]), (2, [])]
    assert collapse([1, 0, 2], directions_at(0, 1, 2), lambda row: frozenset(("abcd", "abcdef", "cdefgh")[row]), 2) == [
        (1, [0, 2])
    ]


def test_a_post_that_repeats_two_that_are_shown_is_listed_once() -> None:
    """Under the better."""
    assert gather([0, 1, 2], ["a b c d", "c d e f", "a b c d e f"], 3) == [(0, [2]), (1, [])]


def test_nothing_is_gathered_of_nothing() -> None:
    """And a single post is a group."""
    assert collapse([], directions_at(0), lambda row: frozenset("ab"), 3) == []
    assert gather([0], ["a"], 3) == [(0, [])]


def test_terms_are_read_only_of_posts_that_are_close() -> None:
    """Reading a post costs time."""
    asked: list[int] = []

    def terms(row: int) -> frozenset[str]:
        asked.append(row)
        return frozenset("ab")

    collapse(range(4), directions_at(0, 90, 180, 181), terms, 4)
    assert set(asked) == {2, 3}


@given(terms_of_posts, st.data(), st.integers(1, 6))
@many
def test_gathering_loses_nothing_and_invents_nothing(terms: list[frozenset[str]], data: st.DataObject, k: int) -> None:
    """Whatever posts there are: k groups or all, each under its best, every post before the last one somewhere."""
    degrees = data.draw(st.lists(st.sampled_from([0, 20, 50, 120]), min_size=len(terms), max_size=len(terms)))
    order = data.draw(st.permutations(range(len(terms))))
    wholes = directions_at(*degrees)
    groups = collapse(order, wholes, terms.__getitem__, k)

    def same(one: int, other: int) -> bool:
        return abs(degrees[one] - degrees[other]) <= 30 and repeats(terms[one], terms[other])

    place = {row: number for number, row in enumerate(order)}
    heads = [head for head, _ in groups]
    listed = [row for head, others in groups for row in (head, *others)]
    assert len(listed) == len(set(listed))
    assert [place[head] for head in heads] == sorted(place[head] for head in heads)
    assert heads[0] == order[0]
    for number, (head, others) in enumerate(groups):
        assert not any(same(head, better) for better in heads[:number])
        for other in others:
            assert place[other] > place[head]
            assert same(head, other)
            assert not any(same(better, other) for better in heads[:number])
        assert [place[other] for other in others] == sorted(place[other] for other in others)
    # Nothing that is better than the last one shown is missing, and where groups are missing nothing is left.
    assert set(order[: place[heads[-1]] + 1]) <= set(listed)
    if len(groups) < k:
        assert set(listed) == set(order)
    assert len(groups) <= k
    # Who asks for one less sees the same posts, each with the first of its repetitions.
    fewer = collapse(order, wholes, terms.__getitem__, k - 1)
    assert [head for head, _ in fewer] == heads[: k - 1]
    assert all(others[: len(known)] == known for (_, others), (_, known) in zip(groups, fewer, strict=False))


@given(terms_of_posts, st.integers(1, 14))
@many
def test_there_are_k_groups_where_k_posts_differ(terms: list[frozenset[str]], k: int) -> None:
    """Posts that are far apart in meaning are never gathered, so nothing takes a place from them."""
    wholes = np.eye(len(terms), dtype=np.float32)
    groups = collapse(range(len(terms)), wholes, terms.__getitem__, k)
    assert groups == [(row, []) for row in range(min(k, len(terms)))]


@pytest.mark.parametrize(
    ("cosine", "score", "expected"),
    [(1.0, 1.0, True), (0.8, 1.0, True), (0.75, 1.0, False), (1.0, 0.82, True), (1.0, 0.78, False), (-1, 1, False)],
)
def test_the_same_question_is_close_in_meaning_and_fits_nearly_as_well(
    cosine: float, score: float, expected: bool
) -> None:
    """Both at once; a better score never hinders."""
    wholes = directions_at(0, angle(cosine))
    assert same_question(0, wholes, np.asarray([0.5, 0.5 * score], np.float32)) == [1] * expected
    assert same_question(0, wholes, np.asarray([0.5, 5.0], np.float32)) == [1] * (cosine > 0.77)


def test_a_post_is_not_its_own_other_post() -> None:
    """All others are told in order of their rows."""
    scores = np.ones(4, np.float32)
    assert same_question(2, directions_at(0, 5, 3, 90), scores) == [0, 1]
    assert same_question(0, directions_at(0), scores[:1]) == []


def test_the_direction_of_a_post_is_the_mean_of_its_passages() -> None:
    """Of unit length; none where they cancel one another out."""
    vectors = np.concatenate([directions_at(0, 90), directions_at(30), directions_at(10, 190)])
    candidates = Candidates(
        np.arange(3),
        np.asarray([0, 2, 3]),
        np.arange(5),
        ["question", "answer", "answer", "question", "answer"],
        vectors,
    )
    found = candidates.wholes
    assert np.allclose(found, [*directions_at(45, 30), [0, 0]], atol=1e-6)


def by_letters(texts: Sequence[str]) -> Callable[[int], frozenset[str]]:
    return lambda row: frozenset(texts[row])


def test_many_repetitions_leave_room_for_others() -> None:
    """A hundred of one post are one group, and the next k - 1 posts are there."""
    texts = ["abcd"] * 100 + ["efgh", "ijkl"]
    degrees = [*np.linspace(0, 5, 100), 0, 0]
    groups = collapse(range(102), directions_at(*degrees), by_letters(texts), 3)
    assert [head for head, _ in groups] == [0, 100, 101]
    assert groups[0][1] == list(range(1, 100))
