"""The expert's sentence that a person should read first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

_FULL_LENGTH = 25  # words: a sentence of as many says as much as a longer one
_LENGTH_WEIGHT = 0.2
_POSITION_WEIGHT = 0.1
# Fewer words say too little to stand alone ("Both, mostly the bike.").
_FRAGMENT_WORDS = 6
_LINK = re.compile(r"https?://|www\.")


def most_useful(sentences: Sequence[str], terms: Sequence[Iterable[str]], weights: Mapping[str, float]) -> int:
    """Choose the sentence that is most useful for a complaint.

    It shares the complaint's rarer terms, says enough to stand alone and comes early; questions, links and fragments
    come last. On judged answers this is better than the sentence that is closest in meaning, which tends to repeat the
    complaint instead of answering it (docs/ranking.md).

    Args:
        sentences: the sentences to choose from, in order; at least one.
        terms: the terms of each.
        weights: the complaint's terms and how much each counts.

    Returns:
        the number of the sentence.
    """

    def value(number: int) -> float:
        sentence = sentences[number]
        words = len(sentence.split())
        weak = words < _FRAGMENT_WORDS or sentence.endswith("?") or _LINK.search(sentence) is not None
        return (
            covered_share(terms[number], weights)
            + _LENGTH_WEIGHT * min(words / _FULL_LENGTH, 1)
            - _POSITION_WEIGHT * number / len(sentences)
            - weak
        )

    return max(range(len(sentences)), key=value)


def covered_share(terms: Iterable[str], weights: Mapping[str, float]) -> float:
    """Return the share of a complaint's weighted terms that a text has: 0 to 1."""
    total = sum(weights.values())
    return sum(weights[term] for term in set(terms) & weights.keys()) / total if total else 0.0
