"""Posts that say the same, and later posts on the same question."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from qa_search.embedders.base import Vectors
from qa_search.embedders.closeness import PLAIN, Closeness
from qa_search.search.signals import Values, products

# Posts this close in meaning are worth comparing word by word; of these, so large a share of terms in common makes one
# a repetition of the other. On the sample archive repetitions share 50 to 69 % of their terms, others at most 31 %.
_SIMILAR = 0.8
_REPEATED_TERMS = 0.45
# This close in meaning, two posts ask the same question; the later one must itself fit the complaint nearly as well.
_SAME_QUESTION = 0.78
_SCORE_SHARE = 0.8


def repeats(one: Iterable[str], other: Iterable[str]) -> bool:
    """Return whether two posts say the same, judged by their terms."""
    first, second = set(one), set(other)
    return len(first & second) >= _REPEATED_TERMS * max(len(first | second), 1)


def telling_terms(terms: frozenset[str], counts: Mapping[str, int]) -> list[str]:
    """Return the rarest of some terms, by their counts: two texts that repeat one another share one of these.

    Each has so large a share of the terms of both that the rarest of what they share is among its own rarest.
    """
    rarest_first = sorted(terms, key=lambda term: (counts[term], term))
    return rarest_first[: len(terms) - math.ceil(_REPEATED_TERMS * len(terms)) + 1]


def collapse(
    order: Sequence[int],
    wholes: Vectors,
    terms: Callable[[int], frozenset[str]],
    k: int,
    closeness: Closeness = PLAIN,
) -> list[tuple[int, list[int]]]:
    """Gather posts that repeat one another under the best of them.

    Args:
        order: rows of the candidates, best first.
        wholes: the direction of each candidate (n, dimension).
        terms: gives the terms of a row's post; asked only of posts that are close to one another.
        k: how many groups are wanted.
        closeness: what the model's cosines mean.

    Returns:
        up to k groups, best first: the row to show, and the rows that repeat it.
    """
    groups: list[tuple[int, list[int]]] = []
    for row in order:
        cosines = wholes[[shown for shown, _ in groups]] @ wholes[row] if groups else np.empty(0, np.float32)
        close = closeness.of(cosines)
        same = [group for group in np.flatnonzero(close >= _SIMILAR) if repeats(terms(groups[group][0]), terms(row))]
        if same:
            groups[same[0]][1].append(row)
        elif len(groups) < k:
            groups.append((row, []))
        else:
            break
    return groups


def same_question(row: int, wholes: Vectors, scores: Values, closeness: Closeness = PLAIN) -> list[int]:
    """Return the other candidates that ask what a row's post asks, and fit the complaint nearly as well."""
    near = closeness.of(products(wholes, wholes[row])) >= _SAME_QUESTION
    close = near & (scores >= _SCORE_SHARE * scores[row])
    close[row] = False
    return [int(other) for other in np.flatnonzero(close)]
