"""Fusion: weighted means, their shares, reciprocal ranks by hand, and every ranking on a real index."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_search import build_index
from qa_search.embedders.queries import read_queries
from qa_search.index.folder import IndexFolder
from qa_search.search.fusion import (
    DEFAULT_WEIGHTS,
    RANKINGS,
    UNREAD_WEIGHTS,
    by_words,
    reciprocal_rank,
    shares,
    weighted,
)
from qa_search.search.retrieval import Ranked, Retriever
from qa_search.search.signals import Values
from qa_search.util.terms import ENGLISH
from tests.helpers import WordsEmbedder, write_pages

NAMES = ("best", "whole", "parts", "lexical")
weights_of_some = st.dictionaries(st.sampled_from(NAMES), st.floats(0, 10), min_size=1).filter(
    lambda weights: sum(weights.values()) > 1e-3
)
values_of_posts = st.lists(st.tuples(*[st.floats(-1, 1, width=32)] * len(NAMES)), min_size=1, max_size=9)
many = settings(max_examples=100, deadline=None)


def columns(rows: list[tuple[float, ...]]) -> dict[str, Values]:
    return dict(zip(NAMES, np.asarray(rows, np.float32).T, strict=True))


@given(values_of_posts, weights_of_some)
@many
def test_a_weighted_score_is_the_weighted_mean(rows: list[tuple[float, ...]], weights: dict[str, float]) -> None:
    """By hand for each post; between the lowest and the highest of its weighted signals."""
    scores = weighted(weights)(columns(rows))
    assert scores.dtype == np.float32
    for score, row in zip(scores.tolist(), rows, strict=True):
        by_name = dict(zip(NAMES, row, strict=True))
        expected = sum(weight * by_name[name] for name, weight in weights.items()) / sum(weights.values())
        assert score == pytest.approx(expected, abs=1e-5)
        counted = [by_name[name] for name, weight in weights.items() if weight]
        assert min(counted) - 1e-5 <= score <= max(counted) + 1e-5


@given(values_of_posts, weights_of_some, st.floats(0.01, 100))
@many
def test_only_the_proportions_of_weights_count(
    rows: list[tuple[float, ...]], weights: dict[str, float], factor: float
) -> None:
    """Twice all weights is the same score; equal signals give that value whatever the weights."""
    multiplied = weighted({name: factor * weight for name, weight in weights.items()})
    assert np.allclose(multiplied(columns(rows)), weighted(weights)(columns(rows)), atol=1e-5)
    assert np.allclose(weighted(weights)(columns([(0.25,) * len(NAMES)])), 0.25, atol=1e-6)


@given(values_of_posts, weights_of_some)
@many
def test_shares_add_up_to_the_score(rows: list[tuple[float, ...]], weights: dict[str, float]) -> None:
    """Each post's; with its own values, and nothing of signals that do not count."""
    scores = weighted(weights)(columns(rows))
    for score, row in zip(scores.tolist(), rows, strict=True):
        by_name = dict(zip(NAMES, row, strict=True))
        found = shares(by_name, weights)
        assert sum(share for _, _, share in found.values()) == pytest.approx(score, abs=1e-5)
        assert set(found) == {name for name, weight in weights.items() if weight}
        for name, (value, weight, _) in found.items():
            assert (value, weight) == (by_name[name], weights[name])


@given(weights_of_some)
def test_by_words_no_signal_counts_more_than_the_words(weights: dict[str, float]) -> None:
    """The other signals keep their weights; where the words count most already, nothing changes."""
    found = by_words(weights)
    assert found == {**weights, "lexical": max(weights.values())}
    assert by_words(found) == found


def test_of_an_archive_that_the_model_cannot_read_half_the_score_is_words() -> None:
    """A complaint that it cannot read changes nothing there."""
    assert UNREAD_WEIGHTS["lexical"] == pytest.approx(sum(UNREAD_WEIGHTS.values()) / 2)
    assert by_words(UNREAD_WEIGHTS) == UNREAD_WEIGHTS


def test_the_order_of_weights_and_other_signals_change_nothing() -> None:
    """Signals that have no weight are there to be looked at."""
    values = columns([(0.9, 0.1, 0.4, 0.2), (0.2, 0.8, 0.1, 1.0)])
    expected = weighted({"best": 2.0, "lexical": 1.0})(values).tolist()
    assert expected == pytest.approx([2 / 3, 1.4 / 3])
    assert weighted({"lexical": 1.0, "best": 2.0})(values).tolist() == pytest.approx(expected)
    assert weighted({"best": 2.0, "lexical": 1.0, "whole": 0.0})(values).tolist() == pytest.approx(expected)


def test_reciprocal_rank_by_hand() -> None:
    """Four posts, two lists; who is not in a list (0 or less) gets nothing from it, ties keep their order."""
    values = columns([(0.9, 0, 0, 0.0), (0.5, 0, 0, 1.0), (0.7, 0, 0, 0.4), (-0.1, 0, 0, 0.4)])
    scores = reciprocal_rank("best", "lexical")(values)
    expected = [1 / 61, 1 / 63 + 1 / 61, 1 / 62 + 1 / 62, 1 / 63]
    assert scores.tolist() == pytest.approx(expected, rel=1e-5)
    assert scores.dtype == np.float32
    assert reciprocal_rank("best")(values).tolist() == pytest.approx([1 / 61, 1 / 63, 1 / 62, 0], rel=1e-5)


@given(values_of_posts)
@many
def test_reciprocal_rank_knows_only_the_order(rows: list[tuple[float, ...]]) -> None:
    """Stretching a signal changes nothing; a post ahead in both lists is ahead."""
    fuse = reciprocal_rank("best", "lexical")
    values = columns(rows)
    stretched = {name: np.asarray(column * 2, np.float32) for name, column in values.items()}
    scores = fuse(values)
    assert np.array_equal(fuse(stretched), scores)
    best, lexical = values["best"], values["lexical"]
    for one in range(len(rows)):
        for other in range(len(rows)):
            if best[one] > max(best[other], 0) and lexical[one] > max(lexical[other], 0):
                assert scores[one] > scores[other]


@pytest.fixture(scope="module")
def ranked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ranked]:
    """A complaint's candidates in a real index."""
    folder = tmp_path_factory.mktemp("fusion")
    model = WordsEmbedder()
    build_index(write_pages(folder / "pages", 30), folder / "index", model=model)
    generation = IndexFolder(folder / "index").current()
    retriever = Retriever(generation.folder, generation.open_stores())
    complaints = read_queries(
        model, ["My knee7 hurts. It began in week7 while walking slowly7 and nothing helps."], ENGLISH
    )
    yield next(iter(retriever.rank(complaints, 30, DEFAULT_WEIGHTS)))
    retriever.close()


@pytest.mark.parametrize("name", RANKINGS)
def test_every_ranking_works_on_the_signals_of_an_index(ranked: Ranked, name: str) -> None:
    """It puts first the post that the complaint is made of, and orders all by falling scores that are numbers."""
    again = ranked.by(RANKINGS[name])
    assert sorted(again.order.tolist()) == list(range(30))
    ordered = again.scores[again.order]
    assert np.isfinite(ordered).all()
    assert (np.diff(ordered) <= 0).all()
    assert ordered[0] > ordered[1]
    first = again.candidates.posts[again.order[0]]
    assert first == ranked.candidates.posts[ranked.order[0]] == 7


def test_the_default_ranking_is_that_of_the_default_weights(ranked: Ranked) -> None:
    """All of which are of signals that there are, and none negative; the simple rankings are signals themselves."""
    assert np.array_equal(ranked.by(RANKINGS["default"]).order, ranked.order)
    assert set(DEFAULT_WEIGHTS) <= set(ranked.signals.values)
    assert min(DEFAULT_WEIGHTS.values()) >= 0
    for name, signal in (("passage", "best"), ("whole", "whole"), ("lexical", "lexical")):
        assert np.allclose(ranked.by(RANKINGS[name]).scores, ranked.signals.values[signal])


def test_equal_scores_go_by_number(ranked: Ranked) -> None:
    """So that an answer is the same on every run."""
    flat = ranked.by(lambda values: np.zeros(len(values["best"]), np.float32))
    assert ranked.candidates.posts[flat.order].tolist() == sorted(ranked.candidates.posts.tolist())
