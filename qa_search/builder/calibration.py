"""Learns from an archive alone: by complaints whose answer is known, or is known to be missing.

A post's own question, cut to the length of a complaint, is asked twice: once with its post left in, which then counts
by its answer only, and once with the post and those closest to it taken out. In an archive of answers without
questions, two sentences of an answer are asked, with the rest of it left in.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qa_search.embedders.base import Embedder, Vectors
from qa_search.embedders.queries import Query, embed_whole_queries, read_queries
from qa_search.search.retrieval import Ranked, Retriever
from qa_search.search.signals import Candidates, Values, parts_signal, passage_closeness, side_signals, whole_signal
from qa_search.util.sentences import split_sentences

# Fewer known complaints say too little: the default is kept.
MIN_QUERIES = 50
_COMPLAINTS = 200
_WORDS = (8, 20, 40, 80)  # complaints are asked in about these lengths
_HOLES = (3, 10, 30)  # posts taken out besides a complaint's own; at most a tenth of the archive
_MIN_SENTENCES = 4
_SEED = 0
_DEPTH = 10


@dataclass(frozen=True, slots=True)
class SelfMadeQuery:
    """A complaint made from a post: its text, the post's number, and what is left of a cut answer (else None)."""

    text: str
    post: int
    rest: str | None


def self_made_queries(retriever: Retriever, count: int = _COMPLAINTS) -> list[SelfMadeQuery]:
    """Make complaints from posts chosen at random, always the same ones: their questions, else parts of answers."""
    generator = random.Random(_SEED)  # noqa: S311 - a sample, not a secret
    posts = list(range(retriever.words.count))
    generator.shuffle(posts)
    questions: list[SelfMadeQuery] = []
    answers: list[SelfMadeQuery] = []
    for number in posts[: 5 * count]:
        post = retriever.posts.entry(number)
        sentences = split_sentences(post.answer)
        if len(post.question.split()) >= min(_WORDS) and post.answer:
            questions.append(SelfMadeQuery(_beginning(post.question, generator.choice(_WORDS)), number, None))
        elif len(sentences) >= _MIN_SENTENCES:
            at = generator.randrange(len(sentences) - 1)
            start, end = sentences[at][0], sentences[at + 1][1]
            answers.append(SelfMadeQuery(post.answer[start:end], number, f"{post.answer[:start]}\n{post.answer[end:]}"))
        if len(questions) >= count:
            break
    return questions if len(questions) >= MIN_QUERIES else answers[:count]


@dataclass(frozen=True, slots=True)
class QueryView:
    """Candidates as a complaint would meet them.

    ``posts`` are their numbers, ``values`` their signals, ``own`` the row of the post that answers (None if it is not
    among them), ``texts`` the texts of posts of which a part is hidden.
    """

    posts: Sequence[int]
    values: Mapping[str, Values]
    own: int | None
    texts: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Complaints made from an archive's own posts: each with its post left in, and with it taken out."""

    complaints: list[Query]
    answerable: list[QueryView]
    unanswerable: list[QueryView]


def self_test(retriever: Retriever, embedder: Embedder, weights: Mapping[str, float]) -> SelfTest | None:
    """Ask an archive complaints made from its own posts; None if it has too few to make them from."""
    known = self_made_queries(retriever)
    if len(known) < MIN_QUERIES:
        return None
    generator = random.Random(_SEED)  # noqa: S311 - a sample, not a secret
    posts = [retriever.posts.entry(item.post) for item in known]
    terms_of = retriever.analysis.terms_of
    mean_length = float(np.mean([len(terms_of(post.text)) for post in posts]))
    complaints = read_queries(embedder, [item.text for item in known], retriever.analysis)
    rests = iter(embed_whole_queries(embedder, [item.rest for item in known if item.rest is not None]))
    done = SelfTest([], [], [])
    for item, post, complaint, ranked in zip(
        known, posts, complaints, retriever.rank(complaints, _DEPTH, weights), strict=True
    ):
        rest = None if item.rest is None else next(rests)
        hole = min(generator.choice(_HOLES), retriever.words.count // 10)
        rows = np.flatnonzero(ranked.candidates.posts == item.post)
        if not len(rows):
            continue
        text = post.answer if item.rest is None else item.rest
        words = retriever.words.bm25(complaint.terms, terms_of(text), mean_length)
        best = ranked.best_words
        done.complaints.append(complaint)
        done.answerable.append(
            _answerable_view(complaint, ranked, int(rows[0]), text, rest, words / max(words, best, 1e-9))
        )
        done.unanswerable.append(_unanswerable_view(ranked, int(rows[0]), hole))
    return done


def _answerable_view(
    complaint: Query, ranked: Ranked, row: int, text: str, rest: Vectors | None, words: float
) -> QueryView:
    """See a post by its answer alone, or by what is left of it (``rest``); ``words`` is then its lexical signal."""
    candidates = ranked.candidates
    if rest is None:
        own = candidates.passages_of(row)
        vectors = candidates.vectors[own][[field == "answer" for field in candidates.fields[own]]]
    else:
        vectors = rest[None]
    one = slice(row, row + 1)
    alone = Candidates(
        candidates.posts[one],
        np.zeros(1, np.int64),
        np.arange(len(vectors)),
        ["answer"] * len(vectors),
        vectors,
        candidates.closeness,
    )
    seen = {
        **side_signals(alone, passage_closeness(alone, complaint.vector)),
        "whole": whole_signal(alone, complaint.vector),
        "parts": parts_signal(alone, complaint.parts),
        "lexical": np.full(1, words, np.float32),
    }
    values = {name: column.copy() for name, column in ranked.signals.values.items()}
    for name, column in values.items():
        column[row] = seen[name][0]
    return QueryView(candidates.posts.tolist(), values, row, {int(candidates.posts[row]): text})


def _unanswerable_view(ranked: Ranked, row: int, hole: int) -> QueryView:
    """See the candidates without a post and the ``hole`` posts that are closest to it."""
    wholes = ranked.candidates.wholes
    kept = np.sort(np.argsort(-(wholes @ wholes[row]), kind="stable")[hole + 1 :])
    values = {name: column[kept] for name, column in ranked.signals.values.items()}
    return QueryView(ranked.candidates.posts[kept].tolist(), values, None, {})


def _beginning(text: str, words: int) -> str:
    """Return the first sentences of a text, up to about so many words."""
    end = len(text)
    for _, end in split_sentences(text):
        if len(text[:end].split()) >= words:
            break
    return text[:end]
