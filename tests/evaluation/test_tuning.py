"""Tuning: weights learnt where they help, published only if they hold up, kept by later builds."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qa_search import SearchIndex, build_index
from qa_search.errors import DatasetError, QueryError
from qa_search.evaluation.tuning import WeightedView, _gains_by, learn_weights, self_quality, tune
from qa_search.search.fusion import DEFAULT_WEIGHTS, UNREAD_WEIGHTS, weighted
from qa_search.search.searchable import SearchableGeneration
from tests.embedders.test_readability import latin
from tests.helpers import WordsEmbedder, write_jsonl
from tests.util.test_languages import OF

SIGNALS = ("title", "question", "answer", "best", "whole", "parts", "lexical")
POSTS = 120


def common_words(rng: np.random.Generator, count: int) -> str:
    return " ".join(f"w{word}" for word in rng.integers(0, 30, count))


def write_archive(folder: Path, count: int = POSTS) -> Path:
    """Posts of common words, in which one rare word tells which answer belongs to which question."""
    rng = np.random.default_rng(8)
    return write_jsonl(folder / "posts.jsonl", [
        {
            "id": f"p{number}",
            "question": f"{common_words(rng, 9)} rare{number} {common_words(rng, 9)}",
            "answer": f"{common_words(rng, 14)} rare{number} {common_words(rng, 14)}",
        }
        for number in range(count)
    ])  # fmt: skip


def write_judged(folder: Path, queries: Sequence[str], posts: Sequence[str]) -> Path:
    write_jsonl(folder / "queries.jsonl", [{"id": f"q{n}", "text": text} for n, text in enumerate(queries)])
    (folder / "qrels.tsv").write_text("".join(f"q{n}\t{post}\t1\n" for n, post in enumerate(posts)), encoding="utf-8")
    return folder


def rare_complaints(folder: Path, count: int = POSTS) -> Path:
    """A judged set in which only the rare word of a complaint says what answers."""
    rng = np.random.default_rng(9)
    queries = [f"{common_words(rng, 16)} rare{number}" for number in range(count)]
    return write_judged(folder, queries, [f"p{number}" for number in range(count)])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def in_use(index: Path) -> tuple[str, dict[str, Any]]:
    """The generation that answers, and its weights."""
    with SearchIndex.open(index) as opened:
        return opened.info().generation, dict(opened.info().ranking)


@pytest.fixture(autouse=True)
def _without_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """An index loads the embedder of words by itself, as it would load a model by its name."""
    monkeypatch.setattr(SearchableGeneration, "_load_embedder", lambda _: WordsEmbedder())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index that no test changes."""
    folder = tmp_path_factory.mktemp("tuning")
    build_index(write_archive(folder), folder / "index", model=WordsEmbedder())
    return folder


@pytest.fixture
def index(built: Path, tmp_path: Path) -> Path:
    """An index to tune, beside its archive."""
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    return tmp_path / "index"


def make_cases(count: int, telling: str, seed: int = 1) -> list[WeightedView]:
    """Complaints of twenty candidates, whose signals are noise except for one."""
    rng = np.random.default_rng(seed)
    cases = []
    for _ in range(count):
        values = {name: rng.uniform(size=20).astype(np.float32) for name in SIGNALS}
        grades = np.zeros(20)
        grades[rng.integers(20)] = 1
        values[telling] = (0.3 * values[telling] + 0.7 * grades).astype(np.float32)
        cases.append(WeightedView(values, grades, 1.0))
    return cases


def test_the_gain_of_a_case_is_that_computed_by_hand() -> None:
    """Graded; what stands beyond the tenth place, or is no candidate at all, counts nothing."""
    scores = np.linspace(1, 0, 12, dtype=np.float32)
    grades = np.zeros(12)
    grades[[1, 3, 11]] = 2, 1, 3
    ideal = 3 + 2 / math.log2(3) + 1 / 2
    case = WeightedView({"best": scores}, grades, ideal)
    assert case.ndcg(weighted({"best": 1})) == pytest.approx((2 / math.log2(3) + 1 / math.log2(5)) / ideal)
    assert WeightedView({"best": scores[:1]}, np.ones(1), 1.0).ndcg(weighted({"best": 1})) == 1


@pytest.mark.parametrize("telling", ["lexical", "answer"])
def test_a_signal_that_tells_the_right_post_gains_weight(telling: str) -> None:
    """Also one that the default does not look at; and the gain holds for other complaints."""
    cases, others = make_cases(60, telling), make_cases(60, telling, seed=2)
    learnt = learn_weights(cases)
    before, after = (
        np.mean([case.ndcg(weighted(weights)) for case in others]) for weights in (DEFAULT_WEIGHTS, learnt)
    )
    share = learnt[telling] / sum(learnt.values())
    assert share > 2 * DEFAULT_WEIGHTS.get(telling, 0) / sum(DEFAULT_WEIGHTS.values())
    assert learnt[telling] >= 0.6
    assert after > before + 0.1
    assert min(learnt.values()) > 0


def test_complaints_that_are_searched_by_their_words_are_learnt_from_as_they_are_searched() -> None:
    """Up to the weight that a search gives their words anyway, no weight of the words makes a difference to them."""
    cases = make_cases(60, "lexical")
    by_words = [replace(case, words_lacking=True) for case in cases]
    choices = [{**DEFAULT_WEIGHTS, "lexical": weight} for weight in (0.0, 0.25, 1.0)]
    assert len({_gains_by(cases, choice).mean() for choice in choices}) == len(choices)
    assert len({_gains_by(by_words, choice).mean() for choice in choices}) == 1


def test_nothing_to_gain_leaves_the_default() -> None:
    """Where every complaint finds its post already."""
    cases = make_cases(20, "lexical")
    perfect = [
        WeightedView(dict.fromkeys(SIGNALS, case.grades.astype(np.float32)), case.grades, case.ideal) for case in cases
    ]
    assert learn_weights(perfect) == DEFAULT_WEIGHTS


def test_weights_learnt_without_judgements_are_reported_and_not_used(index: Path) -> None:
    """However much better they look; nothing is written."""
    before = contents(index / "generations")
    report = tune(index)
    assert (report.source, report.kept, report.weights) == ("posts", False, DEFAULT_WEIGHTS)
    assert (report.complaints, report.held_out) == (POSTS, POSTS // 2)
    assert report.after > report.before
    assert report.p_value < 0.05
    assert report.learnt != DEFAULT_WEIGHTS
    assert contents(index / "generations") == before
    assert in_use(index) == ("g000001", {"weights": DEFAULT_WEIGHTS, "tuned": False})
    assert report.to_dict()["learnt"] == report.learnt


def test_trusted_weights_are_used_from_then_on(index: Path, tmp_path: Path) -> None:
    """In a new generation; the old one is untouched and a search that is open goes on; builds keep them until reset."""
    with SearchIndex.open(index) as opened:
        old = contents(index / "generations" / "g000001")
        asked = opened.search("w1 w2 w3 rare5", k=5).hits
        report = tune(index, trust_self=True)
        assert report.kept
        assert report.weights == report.learnt != DEFAULT_WEIGHTS
        assert in_use(index) == ("g000002", {"weights": report.learnt, "tuned": True})
        assert contents(index / "generations" / "g000001") == old
        assert opened.search("w1 w2 w3 rare5", k=5).hits == asked
    with SearchIndex.open(index) as tuned:
        assert tuned.weights == report.learnt
        assert [hit.score for hit in tuned.search("w1 w2 w3 rare5", k=5).hits] != [hit.score for hit in asked]
    assert tune(index, trust_self=True).weights == report.weights
    built = build_index(write_archive(tmp_path, POSTS + 5), index, model=WordsEmbedder(), allow_shrink=True)
    assert built.posts == POSTS + 5
    assert in_use(index)[1] == {"weights": report.learnt, "tuned": True}
    reset = tune(index, reset=True)
    assert (reset.kept, reset.weights) == (False, DEFAULT_WEIGHTS)
    assert in_use(index)[1] == {"weights": DEFAULT_WEIGHTS, "tuned": False}
    build_index(write_archive(tmp_path), index, model=WordsEmbedder(), allow_shrink=True)
    assert in_use(index)[1] == {"weights": DEFAULT_WEIGHTS, "tuned": False}


def test_weights_learnt_from_judgements_are_used(index: Path, tmp_path: Path) -> None:
    """If they do significantly better on the half that they were not learnt from."""
    report = tune(index, judged=rare_complaints(tmp_path / "rare"))
    assert (report.source, report.kept, report.complaints, report.held_out) == ("rare", True, POSTS, POSTS // 2)
    assert report.after > report.before
    assert report.p_value < 0.05
    assert report.learnt["lexical"] / sum(report.learnt.values()) > 0.25 / 2.45
    assert in_use(index) == ("g000002", {"weights": report.learnt, "tuned": True})


def test_weights_that_do_no_better_are_not_published(index: Path, tmp_path: Path) -> None:
    """Where the default finds every judged post first."""
    queries = [f"rare{number} rare{number}" for number in range(0, POSTS, 2)]
    judged = write_judged(tmp_path / "easy", queries, [f"p{number}" for number in range(0, POSTS, 2)])
    report = tune(index, judged=judged)
    assert not report.kept
    assert report.weights == DEFAULT_WEIGHTS
    assert in_use(index) == ("g000001", {"weights": DEFAULT_WEIGHTS, "tuned": False})


def test_what_cannot_be_learnt_from_is_told(index: Path, tmp_path: Path) -> None:
    """An archive that is too small, and a set of another archive."""
    with pytest.raises(DatasetError, match="elsewhere: none of its judged posts is in this index"):
        tune(index, judged=write_judged(tmp_path / "elsewhere", ["knee"], ["unknown"]))
    small = tmp_path / "small"
    build_index(write_archive(small, 20), small / "index", model=WordsEmbedder())
    with pytest.raises(QueryError, match=r"too small to learn from: .* fewer than 50 of its posts.*judged=FOLDER"):
        tune(small / "index")
    assert in_use(small / "index")[0] == "g000001"


def test_a_small_archive_can_go_back_to_the_default(tmp_path: Path) -> None:
    """It can be tuned by judgements, though it has too few posts to make complaints from."""
    build_index(write_archive(tmp_path, 45), tmp_path / "index", model=WordsEmbedder())
    assert tune(tmp_path / "index", judged=rare_complaints(tmp_path / "rare", 45)).kept
    assert tune(tmp_path / "index", reset=True).weights == DEFAULT_WEIGHTS
    assert in_use(tmp_path / "index")[1] == {"weights": DEFAULT_WEIGHTS, "tuned": False}


def test_an_archive_that_the_model_cannot_read_goes_back_to_its_own_default(tmp_path: Path) -> None:
    """In which the words count most; where nothing was learnt, nothing is published."""
    records = [{"question": text, "answer": "好的"} for text in OF["zh"]]
    build_index(write_jsonl(tmp_path / "archive.jsonl", records), tmp_path / "index", model=latin())
    report = tune(tmp_path / "index", reset=True)
    assert (report.weights, report.learnt) == (UNREAD_WEIGHTS, UNREAD_WEIGHTS)
    assert in_use(tmp_path / "index") == ("g000001", {"weights": UNREAD_WEIGHTS, "tuned": False})


def test_rankings_can_be_compared_without_judgements(index: Path) -> None:
    """By how well each finds the post that a complaint was made from: here the words do."""
    with SearchIndex.open(index) as opened:
        default, lexical = self_quality(opened, ["default", "lexical"])
    assert (default.ranking, lexical.ranking) == ("default", "lexical")
    assert default.complaints == lexical.complaints == POSTS
    for quality in (default, lexical):
        assert 0 <= quality.hit_at_1 <= quality.ndcg <= 1
        assert quality.interval[0] <= quality.ndcg <= quality.interval[1]
    assert lexical.ndcg > default.ndcg
