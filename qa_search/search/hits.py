"""Ranked posts -> hits: texts read, sentences marked, repetitions gathered, reasons given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from qa_search.embedders.base import Embedder
from qa_search.embedders.queries import Query, says_too_little
from qa_search.index.filters import Filters
from qa_search.search.amendments import Amendments
from qa_search.search.confidence import TOO_LITTLE, Confidence, Signs, closeness, of_hit, signs_of
from qa_search.search.fusion import shares
from qa_search.search.grouping import collapse, same_question
from qa_search.search.highlight import most_useful
from qa_search.search.retrieval import Ranked, Retriever
from qa_search.types import Explanation, Highlight, Hit, OtherPost, Passage, Post, SignalShare
from qa_search.util.sentences import split_sentences

if TYPE_CHECKING:
    from qa_search.search.reranking import Reranker

# Posts that a cross-encoder reads, at most.
_RERANKED = 20


class HitReader:
    """Makes the hits of one complaint; ``pinned`` is the number of the post that the archivist chose, if any."""

    def __init__(
        self,
        retriever: Retriever,
        embedder: Embedder,
        complaint: Query,
        ranked: Ranked,
        filters: Filters,
        amended: Amendments | None = None,
        pinned: int | None = None,
    ) -> None:
        self._retriever = retriever
        self._embedder = embedder
        self._complaint = complaint
        self._ranked = ranked
        self._filters = filters
        self._amended = amended
        self._pinned = None if pinned is None else int(np.flatnonzero(ranked.candidates.posts == pinned)[0])
        self._wholes = ranked.candidates.wholes
        self._idf = retriever.words.idf(complaint.terms)
        self._closeness = closeness(ranked.signals.values)
        self.too_little = says_too_little(self._idf, retriever.words.count)
        self._posts: dict[int, Post] = {}
        self._terms: dict[int, frozenset[str]] = {}

    def confidence(self, confidence: Confidence) -> float:
        """Return the probability that some post answers: 1 for a pinned answer."""
        if self._pinned is not None:
            return 1.0
        if not len(self._ranked.order):
            return 0.0
        sure = confidence.of_signs(self.signs(int(self._ranked.order[0])))
        return min(sure, TOO_LITTLE) if self.too_little else sure

    def signs(self, row: int) -> Signs:
        """Return what tells how likely a candidate answers, by its row."""
        return signs_of(float(self._closeness[row]), self._terms_of(row), self._idf)

    def hits(self, k: int, confidence: float, *, explain: bool, rerank: Reranker | None) -> list[Hit]:
        """Return the k best posts, repetitions gathered under the best of them; ``confidence`` is the result's."""
        order = self._ranked.order.tolist()
        scores = self._ranked.scores.tolist()
        first = order[0] if order else None
        if rerank is not None:
            order, scores = self._reranked(rerank, order, scores, max(k, _RERANKED))
        self._read(order[:k])
        groups = collapse(order, self._wholes, self._terms_of, k, self._retriever.closeness)
        rows = [row for row, _ in groups]
        passages = self._passages(rows)
        hits = []
        for rank, (row, repeated) in enumerate(groups, start=1):
            post = self._post(row)
            best, useful = passages[row]
            hits.append(
                Hit(
                    rank=rank,
                    post_id=post.post_id,
                    source_id=post.source_id,
                    title=post.title,
                    date=post.date,
                    source=post.source,
                    url=post.url,
                    tags=post.tags,
                    score=round(float(scores[row]), 6),
                    confidence=round(self._confidence_of(row, confidence, first=row == first), 4),
                    matched=best.field,
                    passage=self._text(post, best),
                    highlight=self._highlight(post, useful),
                    question=post.question,
                    answer=post.answer,
                    newer=self._newer(row, post, repeated),
                    repeated_by=tuple(_other(self._post(other)) for other in repeated),
                    explain=self._explain(row, post) if explain else None,
                )
            )
        return hits

    def _confidence_of(self, row: int, confidence: float, *, first: bool) -> float:
        return confidence if row == self._pinned else of_hit(confidence, self.signs(row), first=first)

    def _reranked(
        self, rerank: Reranker, order: list[int], scores: list[float], depth: int
    ) -> tuple[list[int], list[float]]:
        """Put the first posts in the cross-encoder's order; it reads each one's best passage."""
        first = order[:depth]
        passages = self._passages(first)
        read = rerank.scores(self._complaint.read, [self._text(self._post(row), passages[row][0]) for row in first])
        by_row = dict(zip(first, read.tolist(), strict=True))
        if self._pinned is not None:
            by_row[self._pinned] = max(by_row.values())
        return (
            sorted(first, key=lambda row: (row != self._pinned, -by_row[row], first.index(row))) + order[depth:],
            [by_row.get(row, score) for row, score in enumerate(scores)],
        )

    def _passages(self, rows: Sequence[int]) -> dict[int, tuple[Passage, Passage]]:
        """Return for each row its best passage, and its best passage to mark a sentence in: of the answer, if any."""
        candidates, similarity = self._ranked.candidates, self._ranked.signals.similarity
        numbers: dict[int, tuple[int, int]] = {}
        for row in rows:
            own = candidates.passages_of(row)
            answers = [at for at in range(own.start, own.stop) if candidates.fields[at] == "answer"]
            best = own.start + int(np.argmax(similarity[own]))
            useful = max(answers, key=lambda at: float(similarity[at])) if answers else best
            numbers[row] = int(candidates.passages[best]), int(candidates.passages[useful])
        found = self._retriever.posts.passages(sorted({number for pair in numbers.values() for number in pair}))
        return {row: (found[best], found[useful]) for row, (best, useful) in numbers.items()}

    def _highlight(self, post: Post, passage: Passage) -> Highlight:
        text = self._text(post, passage)
        spans = split_sentences(text) or [(0, len(text))]
        sentences = [text[start:end] for start, end in spans]
        terms = [self._terms_in(sentence) for sentence in sentences]
        start, end = spans[most_useful(sentences, terms, self._idf)]
        return Highlight(passage.field, passage.start + start, passage.start + end, text[start:end])

    def _newer(self, row: int, post: Post, repeated: Sequence[int]) -> OtherPost | None:
        """Return the latest post on the same question that is from a later day."""
        if post.date is None:
            return None
        near = self._ranked.near
        same = same_question(row, self._wholes, self._ranked.scores, self._retriever.closeness)
        rows = {other for other in (*repeated, *same) if near[other]}
        self._read(sorted(rows))
        later = [
            other
            for other in map(self._post, sorted(rows))
            if other.date and other.answer and other.date[:10] > post.date[:10]
        ]
        return _other(max(later, key=lambda other: other.date or "")) if later else None

    def _explain(self, row: int, post: Post) -> Explanation:
        """Say what the score is made of, and which sentences met."""
        candidates = self._ranked.candidates
        own = candidates.passages_of(row)
        met = candidates.vectors[own] @ self._complaint.parts.T
        at, part = np.unravel_index(int(np.argmax(met)), met.shape)
        number = int(candidates.passages[own][at])
        passage = self._retriever.posts.passages([number])[number]
        text = self._text(post, passage)
        spans = split_sentences(text) or [(0, len(text))]
        close = self._embedder.embed_passages([text[a:b] for a, b in spans]) @ self._complaint.parts[part]
        start, end = spans[int(np.argmax(close))]
        common = self._terms_of(row) & self._idf.keys()
        return Explanation(
            signals={
                name: SignalShare(round(value, 4), weight, round(share, 4))
                for name, (value, weight, share) in shares(
                    {name: float(column[row]) for name, column in self._ranked.signals.values.items()},
                    self._ranked.weights,
                ).items()
            },
            side=passage.field,
            complaint=self._complaint.read[slice(*self._complaint.part_spans[part])],
            post=Highlight(passage.field, passage.start + start, passage.start + end, text[start:end]),
            terms=tuple(sorted(common, key=lambda term: (-self._idf[term], term))),
        )

    def _read(self, rows: Sequence[int]) -> None:
        """Read posts at once that are most likely needed."""
        missing = [row for row in rows if row not in self._posts]
        numbers: list[int] = self._ranked.candidates.posts[missing].tolist()
        read = self._retriever.posts.entries(numbers, self._filters)
        self._posts.update(zip(missing, map(read.__getitem__, numbers), strict=True))

    def _post(self, row: int) -> Post:
        if row not in self._posts:
            number = int(self._ranked.candidates.posts[row])
            self._posts[row] = self._retriever.posts.entry(number, self._filters)
        return self._posts[row]

    def _text(self, post: Post, passage: Passage) -> str:
        return self._retriever.posts.text_of(post, passage)

    def _terms_of(self, row: int) -> frozenset[str]:
        if row not in self._terms:
            self._terms[row] = self._terms_in(self._post(row).text)
        return self._terms[row]

    def _terms_in(self, text: str) -> frozenset[str]:
        if self._amended is None:
            return frozenset(self._retriever.analysis.terms_of(text))
        return self._amended.terms_of(text)


def _other(post: Post) -> OtherPost:
    return OtherPost(post.post_id, post.source_id, post.title, post.date)
