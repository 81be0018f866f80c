"""Texts in groups -> the words that tell each group from the others (class-based tf-idf)."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from qa_search.util.terms import Analysis

# A word that names a group is in this share of its texts, at least.
_LEAST_SHARE = 0.15
_WORD = re.compile(r"\w+(?:['’-]\w+)*")


def holders_of(analysis: Analysis, texts: Iterable[str]) -> Counter[str]:
    """Count for each term the texts that have it."""
    return Counter(term for text in texts for term in set(analysis.terms_of(text)))


def telling_terms(
    holders: Mapping[str, int], size: int, everywhere: Mapping[str, int], mean_size: float, most: int
) -> list[str]:
    """Return the terms that tell a group from the others, best first.

    Args:
        holders: the number of the group's texts that have each term.
        size: the number of the group's texts.
        everywhere: the number of all texts that have each term.
        mean_size: the mean number of texts in a group.
        most: how many terms at most.
    """
    # What few of them have says nothing of them all.
    least = max(2 if size > 2 else 1, size * _LEAST_SHARE)
    worth = {
        term: count / size * math.log(1 + mean_size / max(everywhere.get(term, 0), 1))
        for term, count in holders.items()
        if count >= least and len(term) > 1 and not term.isdecimal()
    }
    return sorted(worth, key=lambda term: (-worth[term], term))[:most]


def as_written(analysis: Analysis, terms: Sequence[str], texts: Iterable[str]) -> list[str]:
    """Return for each term the word that most texts have for it, or the term itself."""
    wanted = set(terms)
    forms: dict[str, Counter[str]] = {term: Counter() for term in terms}
    for text in texts:
        for word in set(_WORD.findall(text)):
            for term in wanted.intersection(analysis.terms_of(word)):
                forms[term][word.lower()] += 1
    return [min(forms[term], key=lambda word: (-forms[term][word], word), default=term) for term in terms]
