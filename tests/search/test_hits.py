"""Hits: reasons that add up, newer posts, repetitions, how sure they are, and reranking."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from qa_search import SearchIndex, build_index
from qa_search.embedders.passages import Splitter
from qa_search.embedders.queries import split_parts
from qa_search.errors import QueryError
from qa_search.types import Hit, SearchResult
from qa_search.util.sentences import split_sentences
from qa_search.util.terms import ENGLISH
from tests.helpers import WordsEmbedder, write_jsonl

TOPICS, PER_TOPIC = 40, 7
LIMIT = 24


def ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.source_id for hit in hits]


def hits_of(result: SearchResult) -> tuple[Hit, ...]:
    """The hits, of which there must be some: what is said of each of none is always true."""
    assert result.hits
    return result.hits


def topic_records() -> list[dict[str, Any]]:
    """Posts on forty questions, seven on each, of all dates (some have none): half of the words are the question's."""
    rng = np.random.default_rng(8)
    records = []
    for topic in range(TOPICS):
        for number in range(PER_TOPIC):
            words = [
                [f"topic{topic}x{rng.integers(6)}" if rng.random() < 0.6 else f"w{rng.integers(300)}" for _ in range(9)]
                for _ in range(int(rng.integers(3, 7)))
            ]
            sentences = [f"{' '.join(sentence)}." for sentence in words]
            records.append(
                {
                    "id": f"{topic}-{number}",
                    "title": f"Topic{topic} w{number}",
                    "question": " ".join(sentences[:2]),
                    "answer": " ".join(sentences[2:]),
                    "date": None if number == 5 else f"20{rng.integers(10, 13)}-01-0{rng.integers(1, 4)}T1{number}:00",
                    "tags": [f"t{number % 2}"],
                }
            )
    return records


RECORDS = topic_records()
QUERIES = [
    "topic3x1 topic3x2 topic3x3.",
    "topic7x1 topic7x4 w7 w9. Thank you very much for reading. topic9x0 topic9x2 topic9x1 topic9x5.",
    "w1 w2 w3 w4 w5",
    "topic12x0",
    "Nothing that anybody there has ever written about",
    RECORDS[77]["question"],
]


def open_index(folder: Any, records: Sequence[object], limit: int = LIMIT, **options: Any) -> SearchIndex:
    model = WordsEmbedder(limit)
    build_index(write_jsonl(folder / "archive.jsonl", records), folder / "index", model=model, **options)
    return SearchIndex.open(folder / "index", model=model)


@pytest.fixture(scope="module")
def topics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchIndex]:
    """An index of posts on forty questions."""
    with open_index(tmp_path_factory.mktemp("topics"), RECORDS) as index:
        yield index


# What is shown, and why a post is a hit


@pytest.mark.parametrize("query", QUERIES)
def test_the_passage_that_is_shown_is_the_closest_of_its_post(topics: SearchIndex, query: str) -> None:
    """As worked out from the post's text; the sentence to read first is of the expert's answer, where there is one."""
    model = WordsEmbedder(LIMIT)
    vector = topics.embed([query])[0]
    for hit in hits_of(topics.search(query, k=10)):
        post = topics.post(hit.post_id)
        assert post is not None
        spans = list(Splitter(model.count_tokens, LIMIT).passages(post))
        texts = [getattr(post, span.field)[span.start : span.end] for span in spans]
        cosines = (model.embed_queries(texts) @ vector).tolist()
        closest = max(cosines)
        assert closest - cosines[texts.index(hit.passage)] < 1e-5
        assert hit.matched in [span.field for span, text in zip(spans, texts, strict=True) if text == hit.passage]
        assert hit.highlight.field == ("answer" if post.answer else hit.matched)
        assert (hit.title, hit.question, hit.answer, hit.date) == (post.title, post.question, post.answer, post.date)


@pytest.mark.parametrize("query", QUERIES)
def test_the_shares_of_a_score_add_up(topics: SearchIndex, query: str) -> None:
    """Each is its value times its weight, by the sum of all weights."""
    for hit in hits_of(topics.search(query, k=10, explain=True)):
        assert hit.explain is not None
        signals = hit.explain.signals
        assert sum(signal.share for signal in signals.values()) == pytest.approx(hit.score, abs=5e-4)
        total = sum(signal.weight for signal in signals.values())
        for signal in signals.values():
            assert signal.share == pytest.approx(signal.value * signal.weight / total, abs=1e-4)


@pytest.mark.parametrize("query", QUERIES)
def test_the_sentences_that_met_are_exact(topics: SearchIndex, query: str) -> None:
    """The post's is a sentence of its text with exact offsets, the complaint's a part of the complaint."""
    for hit in hits_of(topics.search(query, k=10, explain=True)):
        assert hit.explain is not None
        span = hit.explain.post
        side = getattr(hit, span.field)
        assert span.field == hit.explain.side
        assert side[span.start : span.end] == span.text
        assert (span.start, span.end) in split_sentences(side)
        assert hit.explain.complaint in [query[start:end] for start, end in split_parts(query)]


@pytest.mark.parametrize("query", [*QUERIES, "w1 W1 w1, topic3x1! unheard"])
def test_the_terms_in_common_are_in_both(topics: SearchIndex, query: str) -> None:
    """All of them, once, rarest first."""
    holders = [set(ENGLISH.terms_of(f"{r['title']} {r['question']} {r['answer']}")) for r in RECORDS]
    for hit in hits_of(topics.search(query, k=10, explain=True)):
        assert hit.explain is not None
        common = set(ENGLISH.terms_of(query)) & set(ENGLISH.terms_of(f"{hit.title}\n{hit.question}\n{hit.answer}"))
        assert sorted(hit.explain.terms) == sorted(common)
        rarity = [sum(term in held for held in holders) for term in hit.explain.terms]
        assert rarity == sorted(rarity)


def test_the_part_and_the_sentence_that_are_closest_are_told(tmp_path: Any) -> None:
    """Not what stands around them, and on either side."""
    records = [
        {
            "id": "knee",
            "question": "I like to run. My knee clicks on stairs. I am forty.",
            "answer": "Wear warm socks.",
        },
        {"id": "heel", "question": "I walk a lot.", "answer": "That is common. Roll the heel on a bottle. Good luck."},
    ]
    complaint = "Many thanks for your help. The knee clicks on steep stairs. Should I roll the heel on ice?"
    with open_index(tmp_path, records) as index:
        found = {hit.source_id: hit.explain for hit in index.search(complaint, k=2, explain=True).hits}
    assert found["knee"] is not None
    assert (found["knee"].complaint, found["knee"].side) == ("The knee clicks on steep stairs.", "question")
    assert found["knee"].post.text == "My knee clicks on stairs."
    assert found["knee"].terms == ("click", "knee", "stair")
    assert found["heel"] is not None
    assert (found["heel"].complaint, found["heel"].side) == ("Should I roll the heel on ice?", "answer")
    assert found["heel"].post.text == "Roll the heel on a bottle."


def test_reasons_are_told_only_when_asked_for(topics: SearchIndex) -> None:
    """And change nothing else."""
    plain, explained = (hits_of(topics.search(QUERIES[1], k=5, explain=explain)) for explain in (False, True))
    assert all(hit.explain is None for hit in plain)
    for one, other in zip(plain, explained, strict=True):
        assert {**one.to_dict(), "explain": 0} == {**other.to_dict(), "explain": 0}


# Newer posts on the same question


def on_the_knee(name: str, date: str | None, question: str, answer: str) -> dict[str, Any]:
    """The same question in words of which few are the same: close in meaning, no repetition."""
    return {
        "id": name,
        "date": date,
        "question": f"{'knee stairs ' * 12}{question}.",
        "answer": f"{'rest ice ' * 12}{answer}.",
    }


KNEE: list[dict[str, Any]] = [
    on_the_knee("undated", None, "autumn leaf rain mist grey", "harbour gull"),
    on_the_knee("early", "2005-06-01", "boat sail mast wind", "anchor keel"),
    on_the_knee("old", "2010-03-01T08:00:00", "cup tea milk jug", "spoon plate"),
    on_the_knee("evening", "2010-03-01T22:00:00", "pen ink book", "paper desk"),
    on_the_knee("later", "2015-01-01", "oak elm ash birch", "maple cedar"),
    on_the_knee("latest", "2018-12-31", "lion wolf bear", "otter seal"),
    {"id": "open", "date": "2020-01-01", "question": f"{'knee stairs rest ice ' * 12}red blue green.", "answer": ""},
    {"id": "other", "date": "2021-01-01", "question": "My heel stabs at dawn. knee", "answer": "frozen bottle"},
]
ON_THE_KNEE = "knee stairs rest ice"


@pytest.fixture(scope="module")
def knees(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchIndex]:
    """Posts of several years on one question."""
    with open_index(tmp_path_factory.mktemp("knees"), KNEE, limit=60, keep_unanswered=True) as index:
        yield index


def newer(result: SearchResult) -> dict[str, str | None]:
    return {hit.source_id: hit.newer.source_id if hit.newer else None for hit in result.hits}


def test_newer_is_the_latest_answered_post_on_the_same_question(knees: SearchIndex) -> None:
    """Never an earlier one, one of the same day, one on another question, or one that nobody answered."""
    result = knees.search(ON_THE_KNEE, k=8)
    assert all(hit.repeated_by == () for hit in result.hits)
    assert newer(result) == {
        "undated": None,
        "early": "latest",
        "old": "latest",
        "evening": "latest",
        "later": "latest",
        "latest": None,
        "open": None,
        "other": None,
    }


def test_newer_is_a_post_that_passes_the_filters(knees: SearchIndex) -> None:
    """Who looks at a time sees that time's latest; on the last day there is none."""
    assert newer(knees.search(ON_THE_KNEE, k=8, until="2016")) == {
        "early": "later",
        "old": "later",
        "evening": "later",
        "later": None,
    }
    assert newer(knees.search(ON_THE_KNEE, k=8, since="2010", until="2010")) == {"old": None, "evening": None}


def test_newer_names_the_post(knees: SearchIndex) -> None:
    """By its id, with its date; also where that post is beyond the last hit."""
    for hit in hits_of(knees.search(ON_THE_KNEE, k=8)):
        if hit.newer is not None:
            post = knees.post(hit.newer.post_id)
            assert post is not None
            assert (post.source_id, post.title, post.date) == (hit.newer.source_id, hit.newer.title, hit.newer.date)
    one = knees.search(f"{ON_THE_KNEE} cup", k=1, until="2019")
    assert newer(one) == {"old": "latest"}


@pytest.mark.parametrize("query", QUERIES)
def test_newer_is_always_of_a_later_day(topics: SearchIndex, query: str) -> None:
    """Whatever is searched for; and posts on a question do point to newer ones."""
    hits = hits_of(topics.search(query, k=TOPICS * PER_TOPIC))
    for hit in hits:
        if hit.newer is not None:
            assert hit.date is not None
            assert hit.newer.date is not None
            assert hit.newer.date[:10] > hit.date[:10]
            assert hit.newer.post_id != hit.post_id
    if query.startswith("topic3x1"):
        assert any(hit.newer for hit in hits)


# Repetitions

BASE = "My heel stabs in the morning when I get up and walk to the kitchen".split()


def repetition(number: int, date: str | None = None) -> dict[str, Any]:
    """A post that says what the others of its kind say, with one word of its own."""
    question = " ".join([*BASE, f"again{number}"])
    return {"id": f"same{number}", "date": date, "question": f"{question}.", "answer": "Roll a frozen bottle under it."}


def different(number: int) -> dict[str, Any]:
    return {
        "id": f"other{number}",
        "question": f"My heel{number} aches{number} when skiing{number} down{number} hills{number}.",
        "answer": f"Loosen{number} the boots{number} before noon{number}.",
    }


def everyone(result: SearchResult) -> list[str]:
    return [name for hit in result.hits for name in (hit.source_id, *(other.source_id for other in hit.repeated_by))]


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchIndex]:
    """Fifteen posts that repeat one another, of successive years, and ten others."""
    records = [repetition(n, f"{2000 + n}-05-05") for n in range(15)] + [different(n) for n in range(10)]
    with open_index(tmp_path_factory.mktemp("repeated"), records) as index:
        yield index


@pytest.mark.parametrize("k", [1, 2, 5, 11, 25])
def test_repetitions_are_listed_once_and_are_no_hits(repeated: SearchIndex, k: int) -> None:
    """Of fifteen that say the same one is a hit, and the places of the others go to other posts."""
    result = repeated.search("heel stabs in the morning", k=k)
    assert len(result.hits) == min(k, 11)
    assert [hit.rank for hit in result.hits] == list(range(1, len(result.hits) + 1))
    assert result.hits[0].source_id.startswith("same")
    assert all(hit.source_id.startswith("other") and not hit.repeated_by for hit in result.hits[1:])
    assert len(everyone(result)) == len(set(everyone(result)))
    assert {other.source_id for other in result.hits[0].repeated_by} <= {f"same{number}" for number in range(15)}


def test_every_repetition_can_be_found(repeated: SearchIndex) -> None:
    """It is under the hit that it repeats, can be read by its id, and is the hit itself where it fits best."""
    result = repeated.search("heel stabs in the morning", k=25)
    assert sorted(everyone(result)) == sorted([f"same{n}" for n in range(15)] + [f"other{n}" for n in range(10)])
    for other in result.hits[0].repeated_by:
        post = repeated.post(other.post_id)
        assert post is not None
        assert (post.source_id, post.title, post.date) == (other.source_id, other.title, other.date)
    for number in range(15):
        first = repeated.search(f"heel stabs in the morning again{number}", k=2).hits[0]
        assert first.source_id == f"same{number}"
        assert len(first.repeated_by) == 14


def test_a_filter_leaves_the_repetitions_that_pass(repeated: SearchIndex) -> None:
    """The others are not mentioned; the latest that passes is the newer one."""
    result = repeated.search("heel stabs in the morning", k=5, since="2003", until="2006")
    assert sorted(everyone(result)) == ["same3", "same4", "same5", "same6"]
    hit = result.hits[0]
    assert (hit.newer.source_id if hit.newer else hit.source_id) == "same6"


def test_a_text_that_came_twice_is_one_hit_under_an_id_that_passes(tmp_path: Any) -> None:
    """With that one's date, in a hit and in what hits point to."""
    once, again = repetition(0, "2005-01-01"), {**repetition(0, "2015-01-01"), "id": "copy"}
    records = [once, again, repetition(1, "2016-01-01"), different(1)]
    with open_index(tmp_path, records) as index:
        for since, expected in ((None, ("same0", "2005")), ("2010", ("copy", "2015"))):
            first = index.search("heel stabs in the morning again0", k=3, since=since).hits[0]
            assert (first.source_id, (first.date or "")[:4]) == expected
            other = index.search("heel stabs in the morning again1", k=3, since=since).hits[0].repeated_by[0]
            assert (other.source_id, (other.date or "")[:4]) == expected


def test_a_later_repetition_is_newer(repeated: SearchIndex) -> None:
    """Who asked the same later may have got a better answer."""
    for number in range(15):
        hit = repeated.search(f"heel stabs in the morning again{number}", k=1).hits[0]
        expected = None if number == 14 else "same14"
        assert (hit.newer.source_id if hit.newer else None) == expected


def test_hundreds_of_repetitions_do_not_starve_the_other_hits(tmp_path: Any) -> None:
    """There are fewer than k hits only if there is nothing else."""
    records = [repetition(number) for number in range(400)] + [different(number) for number in range(10)]
    with open_index(tmp_path, records) as index:
        for k in (2, 5, 11):
            result = index.search("heel stabs in the morning", k=k)
            assert len(result.hits) == k
            assert sum(hit.source_id.startswith("same") for hit in result.hits) == 1


# How sure they are


@pytest.mark.parametrize("query", QUERIES)
def test_no_hit_is_surer_than_its_result(topics: SearchIndex, query: str) -> None:
    """However close it is; a hit that is less close and says less of the complaint is less sure."""
    result = topics.search(query, k=20)
    found = [hit.confidence for hit in result.hits]
    assert 0 <= min(found) < max(found) <= result.confidence <= 1
    assert [hit.score for hit in result.hits] == sorted((hit.score for hit in result.hits), reverse=True)
    assert np.mean(found[:5]) > np.mean(found[-5:])


@pytest.mark.parametrize("query", QUERIES)
def test_a_threshold_decides_what_is_answered(topics: SearchIndex, query: str) -> None:
    """By the result's confidence; 0 refuses nothing and 1 everything that is not certain, and the hits stay."""
    usual = topics.search(query, k=3)
    assert topics.search(query, k=3, min_confidence=0).answered
    assert topics.search(query, k=3, min_confidence=1).answered is (usual.confidence == 1)
    for threshold in (0.0, 0.25, 0.5, 0.75, 1.0):
        result = topics.search(query, k=3, min_confidence=threshold)
        assert (result.hits, result.confidence) == (usual.hits, usual.confidence)
        if abs(result.confidence - threshold) > 1e-3:
            assert result.answered is (result.confidence > threshold)


def test_complaints_that_the_archive_answers_are_told_from_those_that_it_does_not(topics: SearchIndex) -> None:
    """By the threshold that the archive itself taught."""
    inside = topics.search_many([record["question"] for record in RECORDS[::9]])
    rng = np.random.default_rng(9)
    outside = topics.search_many(
        [" ".join(f"foreign{word}" for word in rng.integers(0, 10**6, 12)) for _ in range(len(inside))]
    )
    assert np.mean([result.answered for result in inside]) >= 0.85
    assert np.mean([result.answered for result in outside]) <= 0.15
    assert all(result.hits for result in (*inside, *outside))


def test_without_hits_nothing_is_answered(topics: SearchIndex) -> None:
    """Not even with a threshold of 0."""
    result = topics.search("topic3x1", since="2031", min_confidence=0)
    assert (result.hits, result.answered, result.confidence) == ((), False, 0)


@pytest.mark.parametrize("threshold", [2, -0.1, 1.0001, math.nan, math.inf, True, False, "x", "0.5", [0.5]])
def test_a_threshold_that_is_no_probability_is_told(topics: SearchIndex, threshold: Any) -> None:
    """With what was given."""
    with pytest.raises(QueryError, match="min_confidence must be a number from 0 to 1, not"):
        topics.search("topic3x1", min_confidence=threshold)


@pytest.mark.parametrize("filters", [{}, {"tags": ["t1"]}, {"since": "2011"}])
@pytest.mark.parametrize("query", QUERIES)
def test_the_first_five_of_ten_are_the_five(topics: SearchIndex, query: str, filters: dict[str, Any]) -> None:
    """The same posts with the same scores and confidence, pointing to the same newer posts."""
    five, ten = topics.search(query, k=5, **filters), topics.search(query, k=10, **filters)
    assert five.confidence == ten.confidence
    assert len(ten.hits) == 10
    for one, other in zip(five.hits, ten.hits, strict=False):
        assert (one.post_id, one.score, one.confidence) == (other.post_id, other.score, other.confidence)
        assert one.newer == other.newer
        assert one.repeated_by == other.repeated_by[: len(one.repeated_by)]


def test_a_question_asked_hundreds_of_times_is_answered_alike_however_many_hits_are_wanted(tmp_path: Any) -> None:
    """Who asks for one, five or ten hits gets the same confidence and the same newer posts."""
    rng = np.random.default_rng(0)
    records = []
    for number in range(500):
        question, answer = (" ".join(f"v{v}" for v in rng.integers(0, 10**5, rng.integers(2, 9))) for _ in range(2))
        records.append(on_the_knee(f"n{number}", f"{1500 + number}-01-01", question, answer))
    with open_index(tmp_path, records, limit=60) as index:
        one, five, ten = (index.search("knee stairs", k=k) for k in (1, 5, 10))
    assert [len(result.hits) for result in (one, five, ten)] == [1, 5, 10]
    assert ids(one.hits) == ids(five.hits)[:1]
    assert ids(five.hits) == ids(ten.hits)[:5]
    assert one.confidence == five.confidence == ten.confidence
    assert [hit.newer for hit in five.hits] == [hit.newer for hit in ten.hits[:5]]


# Reranking


class Longest:
    """Stands in for a cross-encoder: the more different letters a passage has, the better; notes what it read."""

    def __init__(self, sign: int = 1) -> None:
        self.sign = sign
        self.read: list[tuple[str, list[str]]] = []

    def scores(self, complaint: str, passages: Sequence[str]) -> npt.NDArray[np.float32]:
        self.read.append((complaint, list(passages)))
        return np.asarray([self.score(passage) for passage in passages], np.float32)

    def score(self, passage: str) -> float:
        return self.sign * (len(set(passage)) + len(passage) / 1000)


@pytest.mark.parametrize("sign", [1, -1])
def test_reranking_reorders_and_loses_nothing(repeated: SearchIndex, sign: int) -> None:
    """All posts are still there, in the order of the other model's scores, which the hits have."""
    reranker: Any = Longest(sign)
    plain = repeated.search("heel stabs in the morning", k=25)
    result = repeated.search("heel stabs in the morning", k=25, rerank=reranker)
    assert sorted(everyone(result)) == sorted(everyone(plain))
    assert len(result.hits) == len(plain.hits)
    backwards: Any = Longest(-sign)
    assert ids(result.hits) != ids(repeated.search("heel stabs in the morning", k=25, rerank=backwards).hits)
    assert [hit.rank for hit in result.hits] == list(range(1, 12))
    expected = [reranker.score(hit.passage) for hit in result.hits]
    assert [hit.score for hit in result.hits] == pytest.approx(expected, abs=1e-4)
    assert expected == sorted(expected, reverse=True)


def test_reranking_leaves_k_hits_where_those_that_it_read_repeat_one_another(repeated: SearchIndex) -> None:
    """The posts that it did not read come after them."""
    reranker: Any = Longest()
    result = repeated.search("heel stabs in the morning", k=11, rerank=reranker)
    assert len(reranker.read[0][1]) == 20
    assert sorted(everyone(result)) == sorted(everyone(repeated.search("heel stabs in the morning", k=25)))


@pytest.mark.parametrize("query", QUERIES[:3])
def test_only_the_best_posts_are_read(topics: SearchIndex, query: str) -> None:
    """Each one's best passage, once, beside the complaint; and the best of them by the other model are the hits."""
    reranker: Any = Longest()
    plain = topics.search(query, k=40).hits
    result = topics.search(query, k=5, rerank=reranker)
    assert len(reranker.read) == 1
    complaint, passages = reranker.read[0]
    assert complaint == query
    assert len(passages) == 20
    assert passages[0] == plain[0].passage
    assert set(ids(result.hits)) <= set(ids(plain))
    assert result.hits[0].score == pytest.approx(max(map(reranker.score, passages)), abs=1e-4)
    assert {hit.passage for hit in result.hits} <= set(passages)


def test_reranking_changes_no_confidence(topics: SearchIndex) -> None:
    """Neither the result's nor a hit's: it was learnt without the other model."""
    reranker: Any = Longest(-1)
    plain = topics.search(QUERIES[1], k=20)
    result = topics.search(QUERIES[1], k=20, rerank=reranker, explain=True)
    assert (result.confidence, result.answered) == (plain.confidence, plain.answered)
    before = {hit.post_id: hit.confidence for hit in plain.hits}
    both = [hit for hit in result.hits if hit.post_id in before]
    assert len(both) >= 10
    assert plain.hits[0].post_id != result.hits[0].post_id
    assert [hit.confidence for hit in both] == [before[hit.post_id] for hit in both]
    assert all(hit.confidence <= result.confidence for hit in result.hits)


def test_reranking_nothing_is_nothing(topics: SearchIndex) -> None:
    """Also where no post passes."""
    reranker: Any = Longest()
    assert topics.search("topic3x1", since="2031", rerank=reranker).hits == ()


def test_equal_scores_keep_the_order(topics: SearchIndex) -> None:
    """A model that tells nothing apart changes nothing but the scores."""

    class Same(Longest):
        """Gives every passage the same score."""

        def score(self, passage: str) -> float:
            return 0.5

    reranker: Any = Same()
    plain, result = topics.search(QUERIES[0], k=20).hits, topics.search(QUERIES[0], k=20, rerank=reranker).hits
    assert ids(result) == ids(plain)
    assert {hit.score for hit in result} == {0.5}
