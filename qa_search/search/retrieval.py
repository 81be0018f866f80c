"""Complaints -> ranked posts of one generation: candidates from vectors and words, signals, one score."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from qa_search.embedders.closeness import PLAIN, Closeness
from qa_search.embedders.queries import Query
from qa_search.index.base import Stores
from qa_search.index.filters import Filters
from qa_search.index.stores.arrays import distinct
from qa_search.index.stores.vectors import Ids, Scores
from qa_search.search.amendments import Amendments
from qa_search.search.fusion import Fusion, by_words, weighted
from qa_search.search.signals import (
    Candidates,
    Signals,
    lexical_signal,
    parts_signal,
    passage_closeness,
    side_signals,
    whole_signal,
)
from qa_search.util.terms import rarity

# Passages fetched for each vector of a complaint, and posts for its words, however few hits are wanted: so that the
# first five hits of ten are the five hits of five.
_DEPTH = 100
_DEPTH_PER_HIT = 10
_DEEPER = 8
# The words' scores are known for so many posts; the others share next to nothing with the complaint.
_SCORED_POSTS = 1000


@dataclass(frozen=True, slots=True)
class Ranked:
    """The candidates for one complaint; ``order`` lists their rows, best first, ``scores`` (n,) are by row.

    ``weights`` are those of the signals in the score, ``best_words`` is the highest BM25 score in the archive. ``near``
    (n,) marks the candidates that there are however few hits are wanted: what is said of the result rests on these.
    ``total`` is how many posts pass the filters, candidates or not.
    """

    candidates: Candidates
    signals: Signals
    weights: Mapping[str, float]
    best_words: float
    near: npt.NDArray[np.bool_]
    total: int
    scores: npt.NDArray[np.float32]
    order: npt.NDArray[np.intp]

    def with_first(self, post: int) -> Self:
        """Put a post first, with a score that is at least the best; it must be a candidate."""
        row = int(np.flatnonzero(self.candidates.posts == post)[0])
        scores = self.scores.copy()
        scores[row] = scores.max()
        return replace(self, scores=scores, order=np.concatenate([[row], self.order[self.order != row]]))

    def by(self, fusion: Fusion) -> Self:
        """Rank the same candidates by another rule."""
        return replace(self, **_ordered(self.candidates.posts, fusion(self.signals.values)))


class Retriever:
    """Finds and ranks the posts of one generation; needs no model. Safe to use from several threads."""

    def __init__(self, folder: Path, stores: Stores, closeness: Closeness = PLAIN) -> None:
        """Take the stores, and what the model's cosines mean; ``folder`` is their location in messages."""
        self._folder = folder
        self.closeness = closeness
        self.posts = stores.posts
        self.vectors = stores.vectors
        self.words = stores.words
        self.owners = stores.owners
        self.analysis = stores.analysis

    def close(self) -> None:
        """Close the files."""
        self.posts.close()

    def rank(
        self,
        complaints: Sequence[Query],
        k: int,
        weights: Mapping[str, float],
        filters: Filters | None = None,
        amended: Amendments | None = None,
    ) -> Iterator[Ranked]:
        """Rank for each complaint in turn at least the k best posts, or all that pass the filters.

        Where the model lacks a complaint's words, these count more than ``weights`` says (`by_words`).

        The filters keep out what ``amended`` hides (`Amendments.limited`).
        """
        allowed_posts = self.posts.allowed_posts(filters) if filters else None
        allowed = None if allowed_posts is None else self.owners.allowed_passages(allowed_posts)
        total = self.vectors.count if allowed is None else len(allowed)
        posts = self.words.count if allowed_posts is None else len(allowed_posts)
        depth = min(max(_DEPTH, _DEPTH_PER_HIT * k), total)
        rows, vectors = _stacked(complaints)
        found = self.vectors.search(vectors, depth, allowed)[1] if depth else np.empty((len(vectors), 0), np.int64)
        for complaint, row in zip(complaints, rows, strict=True):
            extra = self._extra(complaint, filters, amended)
            yield self._rank_one(
                complaint,
                found[row],
                min(k, posts),
                weights,
                allowed,
                allowed_posts,
                extra,
                amended,
            )

    def _extra(self, complaint: Query, filters: Filters | None, amended: Amendments | None) -> Ids:
        """Return the candidates that the archivist adds, if they pass the filters."""
        extra = [] if amended is None else amended.extra_posts(complaint)
        return np.asarray(self.posts.passing(extra, filters or Filters()) if extra else [], np.int64)

    def _rank_one(
        self,
        complaint: Query,
        passages: Ids,
        wanted: int,
        weights: Mapping[str, float],
        allowed: Any,
        allowed_posts: Any,
        extra: Ids,
        amended: Amendments | None,
    ) -> Ranked:
        total = self.vectors.count if allowed is None else len(allowed)
        terms = complaint.terms if amended is None else amended.weights(complaint)
        numbers, scores = self.words.search(terms, max(_SCORED_POSTS, wanted), allowed_posts)
        # The best of the whole archive, so that a filter leaves every post its score.
        best = scores if allowed_posts is None else self.words.search(terms, 1)[1]
        nearby = distinct(numbers[: max(_DEPTH, wanted)], extra)
        near = distinct(self.owners.posts_of(distinct(passages[:, :_DEPTH])), numbers[:_DEPTH], extra)
        depth = passages.shape[-1]
        deep = depth > _DEPTH or wanted > _DEPTH
        posts = distinct(self.owners.posts_of(distinct(passages)), nearby) if deep else near
        while len(posts) < wanted and depth < total:
            # A few posts hold all the closest passages.
            depth = min(depth * _DEEPER, total)
            passages = self.vectors.search(complaint.vector[None], depth, allowed)[1]
            posts = distinct(self.owners.posts_of(distinct(passages)), near, nearby)
        candidates = self.candidates(posts)
        best_words = float(best[0]) if len(best) else 0.0
        signals = compute_signals(complaint, candidates, numbers, scores, best_words)
        if complaint.words_lacking:
            weights = by_words(weights)
        if amended is not None:
            signals = amended.signals(complaint, candidates, signals)
        return Ranked(
            candidates,
            signals,
            weights,
            best_words,
            near=np.ones(len(posts), bool) if posts is near else np.isin(posts, near),
            total=self.words.count if allowed_posts is None else len(allowed_posts),
            **_ordered(posts, _scored(weighted(weights)(signals.values), posts, amended)),
        )

    def rarities(self, terms: Iterable[str]) -> dict[str, float]:
        """Return the inverse document frequency of those terms that a post has."""
        none = rarity(self.words.count, 0)
        return {term: value for term, value in self.words.idf(terms).items() if value < none}

    def candidates(self, posts: Ids) -> Candidates:
        """Gather posts, in ascending order of their numbers, with all their passages."""
        passages, starts = self.owners.passages_of(posts)
        sides, vectors = self.owners.sides_of(passages), self.vectors.reconstruct(passages)
        return Candidates(posts, starts, passages, sides, vectors, self.closeness)


def compute_signals(complaint: Query, candidates: Candidates, numbers: Ids, scores: Scores, best: float) -> Signals:
    """Compute the signals of candidates.

    ``numbers`` and ``scores`` are the posts that share words and their BM25, ``best`` is the highest BM25 of all posts.
    """
    similarity = passage_closeness(candidates, complaint.vector)
    values = side_signals(candidates, similarity)
    values["whole"] = whole_signal(candidates, complaint.vector)
    values["parts"] = parts_signal(candidates, complaint.parts)
    values["lexical"] = lexical_signal(candidates, dict(zip(numbers.tolist(), scores.tolist(), strict=True)), best)
    return Signals(values, similarity)


def _scored(scores: npt.NDArray[np.float32], posts: Ids, amended: Amendments | None) -> npt.NDArray[np.float32]:
    """Add what posts gain by their dates, if the archivist wants that."""
    bonus = None if amended is None else amended.newer_bonus(posts)
    return scores if bonus is None else scores + bonus


def _ordered(posts: Ids, scores: npt.NDArray[np.float32]) -> dict[str, Any]:
    """Order the best first; ties go to the lower number, so that every run gives the same order."""
    return {"scores": scores, "order": np.lexsort((posts, -scores))}


def _stacked(complaints: Sequence[Query]) -> tuple[list[list[int]], npt.NDArray[np.float32]]:
    """Stack the vectors of all complaints and their parts; return also the rows of each complaint."""
    rows: list[list[int]] = []
    vectors: list[npt.NDArray[np.float32]] = []
    for complaint in complaints:
        own = [complaint.vector[None], *([complaint.parts] if len(complaint.parts) > 1 else [])]
        size = sum(map(len, own))
        start = rows[-1][-1] + 1 if rows else 0
        rows.append(list(range(start, start + size)))
        vectors += own
    return rows, np.concatenate(vectors)
