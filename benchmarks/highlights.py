"""Which sentence to mark: ways to choose it, against the sentences that were judged worth marking.

    python -m benchmarks.highlights

The sample's, and those of `lfqa_roles` in ``../shared/datasets`` where they are.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np

from devtools.environment import ROOT, save
from qa_search import SearchIndex, build_index
from qa_search.search.highlight import covered_share, most_useful
from qa_search.types import Post
from qa_search.util.sentences import split_sentences

JUDGED = ROOT / "data" / "judged"
ROLES = ROOT.parent / "shared" / "datasets" / "lfqa_roles"
_GRADES = {"Answer (Summary)": 2, "Answer": 1, "Answer - Example": 1}
Choice = Callable[[str, list[str]], int]
Pair = tuple[str, list[str], list[int]]  # a complaint, the sentences of an answer, and the grade of each


def judged() -> dict[tuple[str, str], dict[int, int]]:
    """Return the grades by complaint and post, and where in the answer the sentence starts."""
    grades: dict[tuple[str, str], dict[int, int]] = {}
    for line in (JUDGED / "highlights.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, post, start, _, grade = line.split("\t")
        grades.setdefault((query, post), {})[int(start)] = int(grade)
    return grades


def main() -> None:
    """Choose by each rule for every judged pair of a complaint and a post."""
    lines = (JUDGED / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    texts = {item["id"]: item["text"] for item in map(json.loads, lines)}
    found: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        build_index(ROOT / "data" / "archive", folder)
        with SearchIndex.open(folder) as index:
            source = index.info().sources[0].source
            found["sample"] = {
                name: measure(rule, judged_pairs(texts, index, source)) for name, rule in rules(index).items()
            }
    if ROLES.is_dir():
        with tempfile.TemporaryDirectory() as folder:
            build_index(ROLES / "corpus.jsonl", folder)
            with SearchIndex.open(folder) as index:
                found["lfqa_roles"] = {name: measure(rule, role_pairs()) for name, rule in rules(index).items()}
    for name, rows in found.items():
        for rule, row in rows.items():
            click.echo(f"{name}, {rule}: {row}")
    save("highlights", found)


def rules(index: SearchIndex) -> dict[str, Choice]:
    """Return the ways to choose."""
    words, terms_of = index.retriever.words, index.retriever.analysis.terms_of

    def by_terms(query: str, sentences: list[str]) -> int:
        return most_useful(sentences, [terms_of(text) for text in sentences], words.idf(set(terms_of(query))))

    def by_overlap(query: str, sentences: list[str]) -> int:
        idf = words.idf(set(terms_of(query)))
        return max(range(len(sentences)), key=lambda row: covered_share(terms_of(sentences[row]), idf))

    def by_meaning(query: str, sentences: list[str]) -> int:
        return int(np.argmax(index.embed(sentences) @ index.embed([query])[0]))

    return {
        "ours": by_terms,
        "most of the complaint's terms": by_overlap,
        "closest in meaning to the complaint": by_meaning,
        "longest": lambda _, sentences: max(range(len(sentences)), key=lambda row: len(sentences[row])),
        "first": lambda _, __: 0,
    }


def judged_pairs(texts: dict[str, str], index: SearchIndex, source: str) -> Iterator[Pair]:
    """Yield the judged pairs of the sample."""
    for (query, name), starts in judged().items():
        post = index.post(Post(source, name).post_id)
        if post is None:
            raise click.ClickException(f"{JUDGED}: no post {name!r} in the sample archive")
        spans = split_sentences(post.answer)
        yield texts[query], [post.answer[a:b] for a, b in spans], [starts.get(a, 0) for a, _ in spans]


def role_pairs() -> Iterator[Pair]:
    """Yield answers of which people said what each sentence does: 2: it answers by itself; 1: part of it."""
    texts = {item["id"]: item["text"] for item in _lines(ROLES / "queries.jsonl")}
    answers = {item["id"]: item["answer"] for item in _lines(ROLES / "corpus.jsonl")}
    for item in _lines(ROLES / "highlights.jsonl"):
        if item["query"] in texts:
            answer, sentences = answers[item["post"]], item["sentences"]
            grades = [_GRADES.get(sentence["role"], 0) for sentence in sentences]
            yield texts[item["query"]], [answer[one["start"] : one["end"]] for one in sentences], grades


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def measure(rule: Choice, pairs: Iterable[Pair]) -> dict[str, float]:
    """Return how often a rule's choice was judged well worth marking (2), and at least worth it (1)."""
    grades = [grades[rule(query, sentences)] for query, sentences, grades in pairs]
    return {
        "pairs": len(grades),
        "grade 2": float(np.mean(np.equal(grades, 2)).round(3)),
        "grade 1 or 2": float(np.mean(np.greater(grades, 0)).round(3)),
    }


if __name__ == "__main__":
    main()
