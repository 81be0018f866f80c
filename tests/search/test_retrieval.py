"""Retrieval: the same ranking as reading every post, with and without filters, however many are wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qa_search import build_index
from qa_search.embedders.queries import Query, read_queries
from qa_search.errors import IndexDamagedError
from qa_search.index.filters import Filters
from qa_search.index.folder import IndexFolder
from qa_search.index.stores.owners import POSTS_NAME
from qa_search.search.fusion import DEFAULT_WEIGHTS, RANKINGS, by_words, weighted
from qa_search.search.retrieval import Ranked, Retriever, compute_signals
from qa_search.search.signals import Candidates, Values
from qa_search.util.terms import ENGLISH
from tests.helpers import WordsEmbedder, write_jsonl

POSTS = 300
LIMIT = 10  # tokens of a passage: a post has up to eight


def random_text(rng: np.random.Generator, sentences: int) -> str:
    """Sentences of words of which some are much more frequent than others."""
    return " ".join(
        " ".join(f"w{int(word)}" for word in 60 * rng.uniform(size=rng.integers(2, 9)) ** 2) + "."
        for _ in range(sentences)
    )


def random_records(seed: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [
        {
            "id": str(number),
            "title": random_text(rng, 1) if number % 3 else "",
            "question": random_text(rng, int(rng.integers(1, 5))),
            "answer": random_text(rng, int(rng.integers(1, 5))),
            "date": f"20{rng.integers(10, 20)}-0{rng.integers(1, 10)}-01",
            "tags": [f"t{tag}" for tag in rng.integers(0, 4, 2)],
        }
        for number in range(POSTS)
    ]


def open_retriever(index: Path) -> Retriever:
    generation = IndexFolder(index).current()
    return Retriever(generation.folder, generation.open_stores())


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retriever]:
    """An index of random posts, each with several passages, dates and tags."""
    folder = tmp_path_factory.mktemp("retrieval")
    build_index(write_jsonl(folder / "r.jsonl", random_records(5)), folder / "index", model=WordsEmbedder(LIMIT))
    with closing(open_retriever(folder / "index")) as opened:
        yield opened


def make_complaints() -> list[Query]:
    """Of one word to many sentences; and of words that no post has."""
    rng = np.random.default_rng(6)
    texts = [random_text(rng, sentences) for sentences in [1] * 10 + [2] * 6 + [3] * 4 + [12] * 4]
    return read_queries(WordsEmbedder(LIMIT), [*texts, "w3", "unknown words only", "w1 " * 200], ENGLISH)


COMPLAINTS = make_complaints()
FILTERS = [
    Filters(tags=("t1",)),
    Filters(since="2018"),
    Filters(since="2012-05", until="2016-03"),
    Filters(since="2016", tags=("t0", "t2")),
    Filters(source="*/1?"),
    Filters(source="*/17"),
]


def rank(
    retriever: Retriever,
    complaint: Query,
    k: int,
    filters: Filters | None = None,
    weights: Mapping[str, float] = DEFAULT_WEIGHTS,
) -> Ranked:
    return next(iter(retriever.rank([complaint], k, weights, filters)))


def best(ranked: Ranked, k: int) -> list[int]:
    posts: list[int] = ranked.candidates.posts[ranked.order[:k]].tolist()
    return posts


def score_all(retriever: Retriever, complaint: Query, weights: Mapping[str, float] = DEFAULT_WEIGHTS) -> Values:
    """Read every post of the archive and score it."""
    everything = retriever.candidates(np.arange(POSTS))
    numbers, scores = retriever.words.search(complaint.terms, POSTS)
    signals = compute_signals(complaint, everything, numbers, scores, float(scores.max()) if len(scores) else 0.0)
    return weighted(weights)(signals.values)


def assert_best(ranked: Ranked, expected: Values, passing: list[int], k: int) -> None:
    """Check the k best against the scores of all posts; posts whose scores are equal may change places."""
    found = best(ranked, k)
    assert len(found) == len(set(found)) == min(k, len(passing))
    assert set(found) <= set(passing)
    scores = ranked.scores[ranked.order[:k]]
    assert np.allclose(scores, expected[found], atol=1e-5)
    assert np.allclose(scores, np.sort(expected[passing])[::-1][:k], atol=1e-5)


@pytest.mark.parametrize("complaint", COMPLAINTS[::5])
def test_a_complaint_whose_words_the_model_lacks_is_ranked_by_them(retriever: Retriever, complaint: Query) -> None:
    """Its weights, and so its explanation, say so; those of the complaint beside it stay."""
    lacking = replace(complaint, words_lacking=True)
    changed, plain = retriever.rank([lacking, complaint], 10, DEFAULT_WEIGHTS)
    assert (changed.weights, plain.weights) == (by_words(DEFAULT_WEIGHTS), DEFAULT_WEIGHTS)
    assert_best(changed, score_all(retriever, complaint, by_words(DEFAULT_WEIGHTS)), list(range(POSTS)), 10)


def passing_posts(retriever: Retriever, filters: Filters) -> list[int]:
    """Those of all posts that pass, one by one."""
    found = []
    for number in range(POSTS):
        post = retriever.posts.entry(number)
        date = post.date or ""
        if (
            (filters.since is None or date >= filters.since)
            and (filters.until is None or date < filters.until)
            and set(filters.tags) <= set(post.tags)
            and (filters.source is None or Path(post.source_id).match(filters.source.removeprefix("*/")))
        ):
            found.append(number)
    return found


@pytest.mark.parametrize("number", range(len(COMPLAINTS)))
def test_the_best_ten_are_the_best_of_all_posts(retriever: Retriever, number: int) -> None:
    """By the sum of all signals, as if every post had been read."""
    complaint = COMPLAINTS[number]
    assert_best(rank(retriever, complaint, 10), score_all(retriever, complaint), list(range(POSTS)), 10)


@pytest.mark.parametrize("weights", [{"best": 1.0}, {"parts": 1.0}, {"lexical": 1.0}, {"best": 1.0, "lexical": 3.0}])
def test_other_weights_find_their_best_ten_too(retriever: Retriever, weights: dict[str, float]) -> None:
    """Candidates are not chosen for one of them."""
    for complaint in COMPLAINTS[:20]:
        if weights == {"parts": 1.0} and len(complaint.parts) == 1:
            continue  # whole posts decide then, which candidates are not found by
        expected = score_all(retriever, complaint, weights)
        assert_best(rank(retriever, complaint, 10, weights=weights), expected, list(range(POSTS)), 10)


def test_ranking_everything_is_reading_everything(retriever: Retriever) -> None:
    """As many as there are: all posts, each with its own score."""
    for complaint in COMPLAINTS[::4]:
        assert_best(rank(retriever, complaint, POSTS), score_all(retriever, complaint), list(range(POSTS)), POSTS)


@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_filters_leave_the_best_of_those_that_pass(retriever: Retriever, filters: Filters) -> None:
    """With the scores that they have without filters."""
    passing = passing_posts(retriever, filters)
    assert 0 < len(passing) < POSTS
    for complaint in COMPLAINTS[::2]:
        assert_best(rank(retriever, complaint, 10, filters), score_all(retriever, complaint), passing, 10)


@pytest.mark.parametrize("filters", [None, *FILTERS], ids=str)
@pytest.mark.parametrize("k", [1, 7, 60, POSTS, POSTS + 1, 10**9])
def test_there_are_k_posts_whenever_k_pass(retriever: Retriever, filters: Filters | None, k: int) -> None:
    """Or all that pass, also if more are wanted than there are; and none twice."""
    passing = passing_posts(retriever, filters or Filters())
    for complaint in (COMPLAINTS[0], COMPLAINTS[-1], COMPLAINTS[-2]):
        ranked = rank(retriever, complaint, k, filters)
        assert len(ranked.order) == len(ranked.scores) == len(ranked.candidates.posts) >= min(k, len(passing))
        assert set(ranked.candidates.posts.tolist()) <= set(passing)
        assert sorted(ranked.order.tolist()) == list(range(len(ranked.order)))
        if k >= len(passing):
            assert ranked.candidates.posts.tolist() == passing


@pytest.mark.parametrize("filters", [Filters(since="2031"), Filters(tags=("t0", "t1", "t2")), Filters(source="none")])
def test_no_posts_pass_and_none_are_found(retriever: Retriever, filters: Filters) -> None:
    """Nothing to rank is no error, for one complaint or many, by any rule."""
    for ranked in retriever.rank(COMPLAINTS, 5, DEFAULT_WEIGHTS, filters):
        assert len(ranked.order) == len(ranked.scores) == len(ranked.candidates.posts) == 0
        assert all(len(values) == 0 for values in ranked.signals.values.values())
        assert all(len(ranked.by(fusion).order) == 0 for fusion in RANKINGS.values())


@pytest.mark.parametrize(("few", "many"), [(1, 5), (5, 10), (5, 30), (25, 30), (10, 100), (25, 300)])
def test_the_first_of_many_are_those_of_few(retriever: Retriever, few: int, many: int) -> None:
    """However many hits are wanted, the best are the same, in the same order, and with the same scores."""
    for filters in (None, FILTERS[0]):
        for complaint in COMPLAINTS:
            short, long = rank(retriever, complaint, few, filters), rank(retriever, complaint, many, filters)
            assert best(short, min(few, 5)) == best(long, min(few, 5))
            assert np.allclose(short.scores[short.order[:5]], long.scores[long.order[:5]], atol=1e-6)


def test_complaints_together_are_ranked_as_each_alone(retriever: Retriever) -> None:
    """In the order in which they were given."""
    for complaint, together in zip(COMPLAINTS, retriever.rank(COMPLAINTS, 10, DEFAULT_WEIGHTS), strict=True):
        alone = rank(retriever, complaint, 10)
        assert together.candidates.posts.tolist() == alone.candidates.posts.tolist()
        assert np.allclose(together.scores, alone.scores, atol=1e-6)
        assert best(together, 10) == best(alone, 10)


def test_candidates_have_all_their_passages(retriever: Retriever) -> None:
    """Each with its side, and the vector of its text."""
    posts = np.asarray([0, 7, 8, 299])
    candidates: Candidates = retriever.candidates(posts)
    passages = retriever.posts.passages(candidates.passages.tolist())
    for row, number in enumerate(posts.tolist()):
        post, own = retriever.posts.entry(number), candidates.passages_of(row)
        spans = [passages[passage] for passage in candidates.passages[own].tolist()]
        assert list(candidates.fields[own]) == [span.field for span in spans]
        texts = [getattr(post, span.field)[span.start : span.end] for span in spans]
        assert "".join("".join(texts).split()) == "".join(post.text.split())
        assert np.allclose(candidates.vectors[own], WordsEmbedder(LIMIT).embed_queries(texts), atol=1e-5)


def test_the_best_passage_of_each_side_has_its_similarity(retriever: Retriever) -> None:
    """As worked out from the texts themselves."""
    complaint, model = COMPLAINTS[3], WordsEmbedder(LIMIT)
    ranked = rank(retriever, complaint, 10)
    passages = retriever.posts.passages(ranked.candidates.passages.tolist())
    for row in ranked.order[:10].tolist():
        post, own = retriever.posts.entry(int(ranked.candidates.posts[row])), ranked.candidates.passages_of(row)
        spans = [passages[passage] for passage in ranked.candidates.passages[own].tolist()]
        vectors = model.embed_queries([getattr(post, span.field)[span.start : span.end] for span in spans])
        cosines = vectors @ complaint.vector
        assert np.allclose(ranked.signals.similarity[own], cosines, atol=1e-5)
        assert ranked.signals.values["best"][row] == pytest.approx(cosines.max(), abs=1e-5)


def test_another_rule_ranks_the_same_candidates(retriever: Retriever) -> None:
    """Without retrieving again; the first ranking is left as it was."""
    ranked = rank(retriever, COMPLAINTS[1], 10)
    before = best(ranked, 10)
    again = ranked.by(weighted({"lexical": 1.0}))
    assert again.candidates is ranked.candidates
    assert again.scores.tolist() == ranked.signals.values["lexical"].tolist()
    assert best(ranked, 10) == before


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retriever]:
    """One post of 900 passages about the same, and thirty others of one or two."""
    folder = tmp_path_factory.mktemp("crowded")
    records: list[dict[str, Any]] = [
        {"id": "loop", "question": "Knee knee stairs hurt again. " * 900, "answer": "Rest.", "tags": ["long"]}
    ]
    records += [
        {
            "id": f"n{number}",
            "question": f"Elbow{number} aches{number}.",
            "answer": f"Ice{number} it.",
            "tags": ["short"],
        }
        for number in range(30)
    ]
    build_index(write_jsonl(folder / "c.jsonl", records), folder / "index", model=WordsEmbedder(6))
    with closing(open_retriever(folder / "index")) as opened:
        yield opened


@pytest.mark.parametrize("k", [1, 2, 5, 31, 100])
def test_a_post_that_holds_all_the_closest_passages_does_not_starve_the_others(crowded: Retriever, k: int) -> None:
    """It is the first, and the others follow in the order of all."""
    complaint = read_queries(WordsEmbedder(6), ["My knee hurts on stairs. The knee hurts again when I rest."], ENGLISH)[
        0
    ]
    assert len(complaint.parts) == 2
    everything, ranked = rank(crowded, complaint, 31), rank(crowded, complaint, k)
    assert len(everything.order) == 31
    assert crowded.posts.entry(best(ranked, 1)[0]).source_id == "loop"
    assert len(best(ranked, k)) == min(k, 31)
    assert best(ranked, k)[:2] == best(everything, k)[:2]


def test_a_crowd_that_does_not_pass_is_not_in_the_way(crowded: Retriever) -> None:
    """And one that alone passes is one post."""
    complaint = read_queries(WordsEmbedder(6), ["Knee knee stairs."], ENGLISH)[0]
    assert len(rank(crowded, complaint, 30, Filters(tags=("short",))).order) == 30
    assert best(rank(crowded, complaint, 30, Filters(tags=("long",))), 30) == [0]


def test_damage_is_told_when_it_is_opened(tmp_path: Path) -> None:
    """A file that is missing names the way out."""
    records = random_records(7)[:5]
    build_index(write_jsonl(tmp_path / "d.jsonl", records), tmp_path / "index", model=WordsEmbedder())
    generation = IndexFolder(tmp_path / "index").current()
    (generation.folder / POSTS_NAME).unlink()
    with pytest.raises(IndexDamagedError, match="Build the index again"):
        Retriever(generation.folder, generation.open_stores())
