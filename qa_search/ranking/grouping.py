"""Passages -> posts: one post, one hit, by its best passage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """A post's best passage: the post's and the passage's number, and the passage's score."""

    post: int
    passage: int
    score: float


def best_passages(scored: Iterable[Candidate], k: int) -> list[Candidate]:
    """Keep the best passage of each post, and the k best posts.

    Equal scores keep the order of the passage numbers, so an answer is the same on every run.
    """
    best: dict[int, Candidate] = {}
    for candidate in scored:
        known = best.get(candidate.post)
        if known is None or (-candidate.score, candidate.passage) < (-known.score, known.passage):
            best[candidate.post] = candidate
    return sorted(best.values(), key=lambda candidate: (-candidate.score, candidate.passage))[:k]
