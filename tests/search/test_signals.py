"""Signals, each against a plain loop over random candidates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from qa_search.embedders.base import Vectors
from qa_search.search.signals import (
    _ROWS_AT_ONCE,
    PARTS_POWER,
    Candidates,
    Values,
    lexical_signal,
    parts_signal,
    products,
    side_signals,
    whole_signal,
)
from qa_search.types import FIELDS, Field

DIMENSION = 8
seeds = st.integers(0, 2**32 - 1)
many = settings(max_examples=60, deadline=None)


def unit(rows: npt.ArrayLike) -> Vectors:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True), np.float32)


@dataclass
class Case:
    """Random candidates, post by post: what each passage's side and vector are, and a complaint's vectors."""

    posts: list[list[tuple[Field, Vectors]]]
    candidates: Candidates
    vector: Vectors
    parts: Vectors

    @classmethod
    def of_seed(cls, seed: int) -> Case:
        """Make between one and nine posts of one to six passages, some of them opposite to the complaint."""
        rng = np.random.default_rng(seed)
        vector = unit(rng.standard_normal(DIMENSION))
        posts: list[list[tuple[Field, Vectors]]] = []
        for _ in range(rng.integers(1, 10)):
            away = rng.choice([-1.0, 0.0, 1.0])
            sides = sorted(rng.integers(0, 3, rng.integers(1, 7)))
            posts.append([(FIELDS[side], unit(rng.standard_normal(DIMENSION) + 2 * away * vector)) for side in sides])
        parts = unit(rng.standard_normal((rng.integers(1, 6), DIMENSION)))
        return cls(posts, gathered(posts), vector, parts)


def gathered(posts: Sequence[Sequence[tuple[Field, Vectors]]]) -> Candidates:
    """Lay the posts' passages out as the ranking has them."""
    sizes = [len(post) for post in posts]
    return Candidates(
        np.arange(len(posts), dtype=np.int64) * 3 + 2,
        np.asarray([sum(sizes[:row]) for row in range(len(posts))], np.intp),
        np.arange(sum(sizes), dtype=np.int64) + 10,
        [side for post in posts for side, _ in post],
        np.asarray([vector for post in posts for _, vector in post], np.float32),
    )


def cosine(one: Vectors, other: Vectors) -> float:
    """By hand, and in double precision; whatever has no direction is close to nothing."""
    dot = math.fsum(float(a) * float(b) for a, b in zip(one, other, strict=True))
    lengths = math.sqrt(math.fsum(float(a) ** 2 for a in one)) * math.sqrt(math.fsum(float(b) ** 2 for b in other))
    return dot / lengths if lengths else 0.0


def close_to(expected: Sequence[float]) -> object:
    return pytest.approx(list(expected), abs=2e-6)


@given(seeds)
@many
def test_sides_and_best_are_the_closest_passages(seed: int) -> None:
    """On each side the best cosine, 0 for a side that a post lacks or that points away; best of all, whatever sign."""
    case = Case.of_seed(seed)
    found = side_signals(case.candidates, case.candidates.vectors @ case.vector)
    assert set(found) == {*FIELDS, "best"}
    for side in FIELDS:
        expected = [max([0.0, *(cosine(v, case.vector) for s, v in post if s == side)]) for post in case.posts]
        assert found[side].tolist() == close_to(expected)
    assert found["best"].tolist() == close_to([max(cosine(v, case.vector) for _, v in post) for post in case.posts])


def test_a_side_that_a_post_lacks_counts_nothing() -> None:
    """Also between posts that have it, and where all that a post has is far away."""
    vector = unit(np.ones(DIMENSION))
    candidates = gathered([[("answer", vector)], [("title", vector), ("question", -vector)], [("answer", -vector)]])
    found = side_signals(candidates, candidates.vectors @ vector)
    assert found["title"].tolist() == close_to([0, 1, 0])
    assert found["question"].tolist() == [0, 0, 0]
    assert found["answer"].tolist() == close_to([1, 0, 0])
    assert found["best"].tolist() == close_to([1, 1, -1])


@given(seeds)
@many
def test_whole_is_the_cosine_of_the_mean_passage(seed: int) -> None:
    """Not the mean of the passages' cosines."""
    case = Case.of_seed(seed)
    means = [np.mean([vector.astype(float) for _, vector in post], axis=0) for post in case.posts]
    assert whole_signal(case.candidates, case.vector).tolist() == close_to([cosine(m, case.vector) for m in means])


@pytest.mark.parametrize("sizes", [[1], [1, 1, 1], [2, 1, 8, 9, 1, 7], [40, 1], [1, 100, 2, 33]])
def test_whole_posts_of_any_number_of_passages_are_their_sums(sizes: list[int]) -> None:
    """Those of one passage keep it to the last bit."""
    rng = np.random.default_rng(len(sizes))
    posts: list[list[tuple[Field, Vectors]]] = [
        [("answer", unit(rng.standard_normal(DIMENSION))) for _ in range(size)] for size in sizes
    ]
    for whole, post in zip(gathered(posts).wholes, posts, strict=True):
        total = np.sum([vector.astype(float) for _, vector in post], axis=0)
        assert np.allclose(whole, total / np.linalg.norm(total), atol=1e-6)


@pytest.mark.parametrize("rows", [0, 1, 1023, 1024, 1025, 3000])
def test_a_product_in_blocks_is_the_product(rows: int) -> None:
    """Whatever the number of vectors."""
    rng = np.random.default_rng(rows)
    vectors, vector = unit(rng.standard_normal((rows, 384))), unit(rng.standard_normal(384))
    assert np.allclose(products(vectors, vector), vectors.astype(float) @ vector.astype(float), atol=1e-5)
    assert products(vectors, vector).shape == (rows,)


def test_no_product_is_divided_among_threads() -> None:
    """OpenBLAS does that from 460,000 numbers on, and its threads wait for one another where the cores are busy."""
    assert _ROWS_AT_ONCE * 384 < 460_000


def test_a_post_without_direction_is_close_to_nothing() -> None:
    """Where passages cancel one another out, and without a warning."""
    vector = unit(np.ones(DIMENSION))
    candidates = gathered([[("question", vector), ("answer", -vector)], [("answer", vector)]])
    assert whole_signal(candidates, vector).tolist() == close_to([0, 1])


@given(seeds)
@many
def test_parts_is_the_power_mean_of_each_parts_best_passage(seed: int) -> None:
    """Of the sixth power; a part that everything points away from counts nothing."""
    case = Case.of_seed(seed)
    assume(len(case.parts) > 1)
    assert PARTS_POWER == 6
    expected = []
    for post in case.posts:
        best = [max(0.0, *(cosine(vector, part) for _, vector in post)) for part in case.parts]
        expected.append((sum(value**6 for value in best) / len(best)) ** (1 / 6))
    assert parts_signal(case.candidates, case.parts).tolist() == close_to(expected)


@given(seeds)
@many
def test_parts_lies_between_the_plain_mean_and_the_best_part(seed: int) -> None:
    """It neither forgets a part nor lets one decide; of a single part it is the whole post."""
    case = Case.of_seed(seed)
    whole = whole_signal(case.candidates, case.parts[0])
    assert parts_signal(case.candidates, case.parts[:1]).tolist() == close_to(whole.tolist())
    assume(len(case.parts) > 1)
    best = np.asarray([[max(0.0, *(cosine(v, part) for _, v in post)) for part in case.parts] for post in case.posts])
    found = parts_signal(case.candidates, case.parts)
    assert (found >= best.mean(axis=1) - 2e-6).all()
    assert (found <= best.max(axis=1) + 2e-6).all()
    assert parts_signal(case.candidates, case.parts[::-1]).tolist() == close_to(found.tolist())


def test_one_matching_part_among_many_unrelated_ones_still_counts() -> None:
    """A padded complaint keeps most of its signal, of which the plain mean leaves next to nothing."""
    axes = np.eye(12, dtype=np.float32)
    post = gathered([[("answer", axes[0])], [("answer", axes[11])]])
    for unrelated in (1, 4, 9):
        found = parts_signal(post, axes[: 1 + unrelated])
        assert found[0] >= 0.65
        assert found[1] == 0
        plain_mean = 1 / (1 + unrelated)
        assert found[0] >= 1.7 * plain_mean
    assert parts_signal(post, axes[:10])[0] >= 6 * (1 / 10)


def test_of_two_posts_the_one_that_covers_more_parts_is_ahead() -> None:
    """Where both match one part as well."""
    axes = np.eye(4, dtype=np.float32)
    post = gathered([[("question", axes[0]), ("answer", axes[3])], [("question", axes[0]), ("answer", axes[1])]])
    narrow, broad = parts_signal(post, axes[:3])
    assert narrow < broad < 1


@given(seeds)
@many
def test_lexical_is_the_share_of_the_best_score(seed: int) -> None:
    """0 for posts that share no words; the best may be none of the candidates."""
    case, rng = Case.of_seed(seed), np.random.default_rng(seed)
    scored = {int(post): float(rng.uniform(0.1, 30)) for post in case.candidates.posts if rng.random() < 0.6}
    scored[10**6] = 31.0  # no candidate
    best = max(scored.values())
    found = lexical_signal(case.candidates, scored, best)
    expected = [scored[post] / best if post in scored else 0.0 for post in case.candidates.posts.tolist()]
    assert found.tolist() == close_to(expected)
    assert found.max() < 1


@pytest.mark.parametrize("best", [0.0, -1.0])
def test_no_words_in_common_anywhere_is_no_lexical_signal(best: float) -> None:
    """And no division by zero."""
    found = lexical_signal(Case.of_seed(1).candidates, {}, best)
    assert not found.any()


@given(seeds)
@many
def test_all_signals_are_numbers_of_single_precision_for_every_post(seed: int) -> None:
    """One for each, none above 1."""
    case = Case.of_seed(seed)
    signals: list[Values] = [
        *side_signals(case.candidates, case.candidates.vectors @ case.vector).values(),
        whole_signal(case.candidates, case.vector),
        parts_signal(case.candidates, case.parts),
        lexical_signal(case.candidates, {int(case.candidates.posts[0]): 3.0}, 3.0),
    ]
    for values in signals:
        assert values.shape == (len(case.posts),)
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
        assert (np.abs(values) <= 1 + 2e-6).all()


@given(seeds)
@many
def test_a_post_knows_its_passages(seed: int) -> None:
    """The slice of each row holds its own passages, the last one's too."""
    case = Case.of_seed(seed)
    for row, post in enumerate(case.posts):
        own = case.candidates.passages_of(row)
        assert list(case.candidates.fields[own]) == [side for side, _ in post]
        assert np.array_equal(case.candidates.vectors[own], np.asarray([vector for _, vector in post]))
