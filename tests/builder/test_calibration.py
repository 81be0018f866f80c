"""Self-tests: complaints made from posts, whose answer is known, or known to be missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qa_search import SearchIndex, build_index
from qa_search.builder.calibration import self_made_queries, self_test
from tests.helpers import WordsEmbedder, write_jsonl

POSTS = 120


def random_text(rng: np.random.Generator, own: str, words: int = 12) -> str:
    """Two sentences of words that all posts share and one of words that only this post has."""
    common = [f"w{word}" for word in rng.integers(0, 60, words)]
    return f"{' '.join(common[: words // 2])}. {own}. {' '.join(common[words // 2 :])}."


def random_records(count: int, seed: int = 7) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [
        {
            "id": str(number),
            "title": f"Complaint title{number}",
            "question": random_text(rng, f"ache{number} in joint{number} since fall{number}"),
            "answer": random_text(rng, f"ache{number} of joint{number} goes by fall{number} rest{number}"),
        }
        for number in range(count)
    ]


def open_index(folder: Path, records: list[dict[str, Any]]) -> SearchIndex:
    model = WordsEmbedder()
    build_index(write_jsonl(folder / "posts.jsonl", records), folder / "index", model=model)
    return SearchIndex.open(folder / "index", model=model)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> SearchIndex:
    """Random posts; question and answer of each have words that no other post has."""
    return open_index(tmp_path_factory.mktemp("calibration"), random_records(POSTS))


def test_known_complaints_are_the_same_on_every_call_and_come_from_their_posts(index: SearchIndex) -> None:
    """Beginnings of questions, in several lengths, no post twice."""
    known = self_made_queries(index.retriever)
    assert known == self_made_queries(index.retriever)
    assert len(known) == len({item.post for item in known}) == POSTS
    for item in known:
        assert item.rest is None
        assert index.retriever.posts.entry(item.post).question.startswith(item.text)
        assert len(item.text.split()) >= 8
    assert len({len(item.text.split()) for item in known}) > 1
    assert self_made_queries(index.retriever, 60) == known[:60]


def test_answers_without_questions_are_asked_in_part(tmp_path: Path) -> None:
    """Two sentences of an answer, which the rest of it then lacks."""
    records = [
        {"id": str(n), "answer": f"Rest knee{n} now. Ice ankle{n} daily. Bend hip{n} often. Walk mile{n} slowly."}
        for n in range(60)
    ]
    with open_index(tmp_path, records) as index:
        known = self_made_queries(index.retriever)
        assert len(known) == 60
        for item in known:
            answer = index.retriever.posts.entry(item.post).answer
            assert item.text in answer
            assert item.text.count(".") == 2
            assert item.rest is not None
            assert item.text not in item.rest
            assert sorted(f"{item.text} {item.rest}".split()) == sorted(answer.split())
        found = self_test(index.retriever, index.embedder, index.weights)
        assert found is not None
        assert all(rest is not None for rest in (view.own for view in found.answerable))
        # Each post's whole direction is that of the rest, which shares no word with what was asked.
        assert np.mean([view.values["lexical"][view.own] for view in found.answerable]) < 0.1


def test_a_post_left_in_counts_by_its_answer_only(index: SearchIndex) -> None:
    """Its question says nothing, its answer what it said before; the other posts are as a search finds them."""
    found = self_test(index.retriever, index.embedder, index.weights)
    assert found is not None
    assert len(found.complaints) == len(found.answerable) == len(found.unanswerable) == POSTS
    ranked = list(index.retriever.rank(found.complaints, 10, index.weights))
    for view, complaint, before in zip(found.answerable, found.complaints, ranked, strict=True):
        own = view.own
        assert own is not None
        post = index.retriever.posts.entry(view.posts[own])
        assert post.question.startswith(complaint.text)
        assert view.texts == {view.posts[own]: post.answer}
        assert view.values["question"][own] == view.values["title"][own] == 0
        assert view.values["answer"][own] == pytest.approx(before.signals.values["answer"][own])
        assert max(view.values["best"][own], 0) == view.values["answer"][own]
        assert 0 < view.values["lexical"][own] <= 1
        assert before.signals.values["question"][own] > 0.3
        for name, column in before.signals.values.items():
            assert np.array_equal(np.delete(column, own), np.delete(view.values[name], own))


def test_a_post_taken_out_is_gone_with_those_closest_to_it(index: SearchIndex) -> None:
    """At most a tenth of the archive; what is left keeps its signals."""
    found = self_test(index.retriever, index.embedder, index.weights)
    assert found is not None
    holes = set()
    for answerable, unanswerable in zip(found.answerable, found.unanswerable, strict=True):
        assert answerable.own is not None
        assert unanswerable.own is None
        assert unanswerable.texts == {}
        assert answerable.posts[answerable.own] not in unanswerable.posts
        assert set(unanswerable.posts) < set(answerable.posts)
        holes.add(len(answerable.posts) - 1 - len(unanswerable.posts))
        rows = [list(answerable.posts).index(post) for post in unanswerable.posts]
        for name, column in unanswerable.values.items():
            assert np.array_equal(column, answerable.values[name][rows])
    assert holes == {3, 10, POSTS // 10}
