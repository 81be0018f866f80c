"""The sample archive and its judgements: what the README says of them, and that search finds its way in them."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from qa_search import SearchIndex, build_index
from qa_search.embedders.base import Embedder
from tests.helpers import ROOT, SAMPLE_ARCHIVE, posts_in

JUDGED = ROOT / "data" / "judged"


def queries() -> dict[str, str]:
    lines = (JUDGED / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    return {item["id"]: item["text"] for item in map(json.loads, lines)}


def qrels() -> dict[str, dict[str, int]]:
    header, *lines = (JUDGED / "qrels.tsv").read_text(encoding="utf-8").splitlines()
    assert header == "query\tpost\tgrade"
    grades: dict[str, dict[str, int]] = {}
    for line in lines:
        query, post, grade = line.split("\t")
        assert post not in grades.setdefault(query, {})
        grades[query][post] = int(grade)
    return grades


def test_the_archive_is_what_the_readme_says() -> None:
    """170 readable pages of 2009 to 2019, chained by their links, in several encodings and line ends."""
    posts = posts_in(SAMPLE_ARCHIVE)
    assert len(posts) == 170
    assert {(post.date or "")[:4] for post in posts} == {str(year) for year in range(2009, 2020)}
    assert sum(not post.answer for post in posts) == 5
    raw = [path.read_bytes() for path in SAMPLE_ARCHIVE.glob("*.txt")]
    assert sum(b"\r\n" in data for data in raw) >= 5
    undecodable = 0
    for data in raw:
        try:
            data.decode()
        except UnicodeDecodeError:
            undecodable += 1
    assert undecodable >= 5
    assert not [post.title for post in posts if "\ufffd" in post.question + post.answer]


def test_the_links_chain_by_date() -> None:
    """Each page's Next is the next page by date, but where a page is missing."""
    posts = sorted(posts_in(SAMPLE_ARCHIVE), key=lambda post: post.date or "")
    breaks = [one.title for one, two in pairwise(posts) if one.next_title not in (two.title, None)]
    assert len(breaks) == 4
    assert posts[0].prev_title == ""
    assert posts[-1].next_title == ""


def test_the_posts_are_written_not_filled_in() -> None:
    """But for the near-duplicates, no two posts share a run of eight words."""
    owners: dict[str, set[str]] = {}
    for post in posts_in(SAMPLE_ARCHIVE):
        words = re.findall(r"[a-z0-9']+", f"{post.question} {post.answer}".lower())
        for start in range(len(words) - 7):
            owners.setdefault(" ".join(words[start : start + 8]), set()).add(post.source_id)
    pairs = Counter(tuple(sorted(names)) for names in owners.values() if len(names) > 1)
    assert len([pair for pair, count in pairs.items() if count > 5]) == 10


def test_the_judgements_are_complete() -> None:
    """At least 80 complaints, at least 20 of them unanswered, each judged against the posts that are there."""
    grades, texts = qrels(), queries()
    answered = {post.source_id for post in posts_in(SAMPLE_ARCHIVE) if post.answer}
    assert grades.keys() == texts.keys()
    assert len(texts) >= 80
    assert sum(not any(found.values()) for found in grades.values()) >= 20
    assert {post for found in grades.values() for post in found} <= answered
    assert {grade for found in grades.values() for grade in found.values()} == {0, 1, 2}


def test_complaints_are_in_other_words_than_the_posts() -> None:
    """No complaint shares a run of six words with a post that answers it."""
    texts = {post.source_id: f"{post.title} {post.question} {post.answer}" for post in posts_in(SAMPLE_ARCHIVE)}

    def runs(text: str) -> set[str]:
        words = re.findall(r"[a-z0-9']+", text.lower())
        return {" ".join(words[start : start + 6]) for start in range(len(words) - 5)}

    for query, grades in qrels().items():
        for post, grade in grades.items():
            if grade:
                assert not runs(queries()[query]) & runs(texts[post]), (query, post)


def test_most_complaints_find_an_answer_among_the_first(sample_index: SearchIndex) -> None:
    """With the real model: a floor under what the ranking reaches (hit@1 and hit@5 of the answered complaints)."""
    grades, texts = qrels(), queries()
    answered = [query for query, found in grades.items() if any(found.values())]
    results = sample_index.search_many([texts[query] for query in answered], k=5)
    first = five = 0
    for query, result in zip(answered, results, strict=True):
        found = [grades[query].get(hit.source_id, 0) > 0 for hit in result.hits]
        first += found[0]
        five += any(found)
    assert first / len(answered) > 0.38
    assert five / len(answered) > 0.6


def test_the_marked_sentence_is_worth_marking(sample_index: SearchIndex) -> None:
    """A floor under how often the sentence marked in a judged post's answer was judged worth marking."""
    header, *lines = (JUDGED / "highlights.tsv").read_text(encoding="utf-8").splitlines()
    assert header == "query\tpost\tstart\tend\tgrade"
    grades: dict[tuple[str, str], dict[tuple[int, int], int]] = {}
    for query, post, start, end, grade in (line.split("\t") for line in lines):
        grades.setdefault((query, post), {})[int(start), int(end)] = int(grade)
    marked = []
    for query, text in queries().items():
        for hit in sample_index.search(text, k=20).hits:
            if (query, hit.source_id) in grades:
                assert hit.highlight.field == "answer"
                marked.append(grades[query, hit.source_id].get((hit.highlight.start, hit.highlight.end), 0))
    assert len(marked) > 70
    assert sum(grade > 0 for grade in marked) / len(marked) > 0.8
    assert sum(grade == 2 for grade in marked) / len(marked) > 0.6


HAMSTRINGS = (
    "Back of my thighs has been achy since a 10k in the autumn, rest and weeks of PT made no difference, foam roller "
    "neither. I'm afraid of losing the season"
)


def test_the_real_page_is_the_first_hit_for_its_complaint(shared: Path, tmp_path: Path, minilm: Embedder) -> None:
    """Among the sample's posts about thighs; with its date, and without the navigation in its answer."""
    build_index([SAMPLE_ARCHIVE, shared / "archive"], tmp_path, model=minilm)
    with SearchIndex.open(tmp_path, model=minilm) as index:
        hit = index.search(HAMSTRINGS).hits[0]
        missing = [post.title for post in index.info().missing_posts]
    assert (hit.title, hit.date) == ("Persistent sore hamstrings", "2016-07-22T10:04:45")
    assert "Prev:" not in hit.answer
    assert "Next:" not in hit.answer
    assert {"Ankle sprain", "cardio training for 1,6 miles"} <= set(missing)


@pytest.mark.parametrize("text", ["of the and to", "PT doesn't help my hamstring", "🦵🔥", "knee " * 5000])
def test_odd_texts_are_answered_by_the_real_model(sample_index: SearchIndex, text: str) -> None:
    """Stop words, apostrophes, emoji and five thousand words."""
    assert len(sample_index.search(text, k=3).hits) == 3
