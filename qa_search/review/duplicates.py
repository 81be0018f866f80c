"""Posts that are close in meaning -> those that are near-copies, judged by the text that they share, and which to keep.

Vectors only propose pairs. Overlap of texts decides: how much of their terms and pairs of neighbouring terms both have,
by rarity. It means the same with every model. A copy of which a quarter was reworded still shares about half.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

from qa_search.review.vectors import Pair

# benchmarks/review.py chooses both for each archive on the other archives; these are chosen on all of them.
LEAST_OVERLAP = 0.3
LEAST_CLOSENESS = 0.4
# Of each post so many neighbours are compared word by word.
NEIGHBOURS = 10

# The terms and pairs of neighbouring terms of a text, and the weight of each.
Shingles = Mapping[str, float]


def shingles(terms: Sequence[str], rarity: Callable[[str], float]) -> Shingles:
    """Return the shingles of a text, given its terms in order; a pair weighs as much as the mean of its terms."""
    weights = {term: rarity(term) for term in dict.fromkeys(terms)}
    pairs = {f"{one} {other}": (weights[one] + weights[other]) / 2 for one, other in itertools.pairwise(terms)}
    return {**weights, **pairs}


def overlap(one: Shingles, other: Shingles) -> float:
    """Return how much of two texts both have: 0 to 1."""
    common = sum(one[name] for name in one.keys() & other.keys())
    together = sum(one.values()) + sum(other.values()) - common
    return common / together if together > 0 else 0.0


def near_copies(
    close: Mapping[Pair, float],
    shingles_of: Callable[[int], Shingles],
    least_overlap: float = LEAST_OVERLAP,
    least_closeness: float = LEAST_CLOSENESS,
) -> dict[Pair, float]:
    """Return the pairs that are near-copies, and the overlap of each.

    Args:
        close: pairs of posts and their closeness (`near_pairs`).
        shingles_of: gives the shingles of a post.
        least_overlap: of the texts.
        least_closeness: of the centred directions.
    """
    found = {}
    for (one, other), closeness in close.items():
        if closeness >= least_closeness:
            shared = overlap(shingles_of(one), shingles_of(other))
            if shared >= least_overlap:
                found[one, other] = shared
    return found


def groups(pairs: Iterable[Pair]) -> list[list[int]]:
    """Gather pairs that have a post in common; each group is in ascending order."""
    group_of: dict[int, list[int]] = {}
    for one, other in pairs:
        first, second = group_of.get(one, [one]), group_of.get(other, [other])
        if first is second:
            continue
        joined = sorted([*first, *second])
        group_of.update(dict.fromkeys(joined, joined))
    return sorted({id(group): group for group in group_of.values()}.values())
