"""Which sentence to mark: ways to choose it, against the sentences that were judged worth marking.

python -m benchmarks.highlights
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable

import click
import numpy as np

from devtools.environment import ROOT, save
from qa_search import SearchIndex, build_index
from qa_search.search.highlight import most_useful
from qa_search.types import Post
from qa_search.util.sentences import split_sentences
from qa_search.util.terms import ENGLISH

JUDGED = ROOT / "data" / "judged"
Choice = Callable[[str, Post, list[str]], int]


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
    with tempfile.TemporaryDirectory() as folder:
        build_index(ROOT / "data" / "archive", folder)
        with SearchIndex.open(folder) as index:
            words = index.retriever.words

            def by_terms(query: str, _: Post, sentences: list[str]) -> int:
                return most_useful(
                    sentences, [ENGLISH.terms_of(text) for text in sentences], words.idf(set(ENGLISH.terms_of(query)))
                )

            def by_meaning(query: str, _: Post, sentences: list[str]) -> int:
                return int(np.argmax(index.embed(sentences) @ index.embed([query])[0]))

            rules: dict[str, Choice] = {
                "ours": by_terms,
                "closest in meaning to the complaint": by_meaning,
                "longest": lambda _, __, sentences: max(range(len(sentences)), key=lambda row: len(sentences[row])),
                "first": lambda _, __, ___: 0,
            }
            source = index.info().sources[0].source
            found = {name: measure(rule, texts, index, source) for name, rule in rules.items()}
    for name, row in found.items():
        click.echo(f"{name}: {row}")
    save("highlights", found)


def measure(rule: Choice, texts: dict[str, str], index: SearchIndex, source: str) -> dict[str, float]:
    """Return how often a rule's choice was judged well worth marking (2), and at least worth it (1)."""
    grades = []
    for (query, name), starts in judged().items():
        post = index.post(Post(source, name).post_id)
        if post is None:
            raise click.ClickException(f"{JUDGED}: no post {name!r} in the sample archive")
        spans = split_sentences(post.answer)
        start, _ = spans[rule(texts[query], post, [post.answer[a:b] for a, b in spans])]
        grades.append(starts.get(start, 0))
    return {
        "pairs": len(grades),
        "grade 2": float(np.mean(np.equal(grades, 2)).round(3)),
        "grade 1 or 2": float(np.mean(np.greater(grades, 0)).round(3)),
    }


if __name__ == "__main__":
    main()
