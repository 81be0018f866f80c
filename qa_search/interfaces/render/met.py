"""A query and a text -> the sentence of the text that the query met, for questions, which are marked nowhere else."""

from __future__ import annotations

import re

from qa_search.types import Hit
from qa_search.util.sentences import split_sentences

_WORD = re.compile(r"\w+")


def met_span(hit: Hit, query: str) -> tuple[int, int]:
    """Return the sentence of a hit's question that has most in common with a query, as a span in characters.

    It is looked for in the passage that was found, if that is of the question, else in the whole question. Longer words
    count for more; without a word in common, it is the first sentence.
    """
    first, last = _passage(hit)
    spans = [(first + start, first + end) for start, end in split_sentences(hit.question[first:last])]
    words = set(_WORD.findall(query.casefold()))

    def common(span: tuple[int, int]) -> int:
        return sum(map(len, words.intersection(_WORD.findall(hit.question[slice(*span)].casefold()))))

    return max(spans, key=common, default=(0, 0))


def _passage(hit: Hit) -> tuple[int, int]:
    at = hit.question.find(hit.passage) if hit.matched == "question" else -1
    return (0, len(hit.question)) if at < 0 else (at, at + len(hit.passage))
