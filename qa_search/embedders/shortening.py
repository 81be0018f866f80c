"""A very long complaint -> the part of it that its vectors are made from: the sentences that say most.

A model's time grows with a text, and one vector of twenty thousand words points nowhere. So from some length on the
vectors are made from the sentences whose words are rarest in the archive; a word that a chosen sentence has counts no
more, so that what is repeated is read once. The words are all searched, whatever the length.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Mapping

from qa_search.util.sentences import Span, split_sentences
from qa_search.util.terms import Analysis

# The inverse document frequency of those terms that the archive has.
Rarities = Callable[[Iterable[str]], Mapping[str, float]]

# Bytes of UTF-8, since a token has about as many in every script: some 1,700 words of English.
MOST_READ = 10_000
# Longer sentences are cut between words, or within one that is longer still.
_LONGEST_SENTENCE = 600
_PIECE = re.compile(rf"\S.{{0,{_LONGEST_SENTENCE - 1}}}(?=\s|\Z)|\S.{{0,{_LONGEST_SENTENCE - 1}}}", re.DOTALL)


def shortened(text: str, analysis: Analysis, rarities: Rarities, most: int = MOST_READ) -> str:
    """Return the sentences of a text that say most, in order, of at most so many bytes; a shorter text as it is.

    Sentences that follow one another keep what stands between them; others are a line each.
    """
    if _size(text) <= most:
        return text
    spans = [
        (start + found.start(), start + found.start() + len(found[0].rstrip()))
        for start, end in split_sentences(text)
        for found in _PIECE.finditer(text[start:end])
    ]
    chosen = _choose(text, spans, analysis, rarities, most)
    lines: list[Span] = []
    for place, number in enumerate(chosen):
        if place and chosen[place - 1] == number - 1:
            lines[-1] = (lines[-1][0], spans[number][1])
        else:
            lines.append(spans[number])
    return "\n".join(text[start:end] for start, end in lines)


def all_alike(terms: Iterable[str]) -> Mapping[str, float]:
    """Count every term alike, where no archive says how rare each is."""
    return dict.fromkeys(terms, 1.0)


def _choose(text: str, spans: list[Span], analysis: Analysis, rarities: Rarities, most: int) -> list[int]:
    """Return the numbers of the sentences that say most for their length, in ascending order.

    They are chosen one by one, by the rarity of the terms that none of the chosen has, for each byte.
    """
    sentences = [text[start:end] for start, end in spans]
    terms_of = {sentence: frozenset(analysis.terms_of(sentence)) for sentence in set(sentences)}
    terms = [terms_of[sentence] for sentence in sentences]
    weights = rarities(frozenset().union(*terms))
    # One more, for what stands between a sentence and the next.
    sizes = [_size(sentence) + 1 for sentence in sentences]
    said: set[str] = set()

    def gain(number: int) -> float:
        return sum(weights.get(term, 0.0) for term in terms[number] - said) / sizes[number]

    first = {sentence: number for number, sentence in reversed(list(enumerate(sentences)))}
    queue = [(-gain(number), number) for number in first.values()]
    heapq.heapify(queue)
    chosen: list[int] = []
    while queue:
        value, number = heapq.heappop(queue)
        if value and queue and (now := -gain(number)) > queue[0][0]:
            heapq.heappush(queue, (now, number))  # others say more by now
        elif sizes[number] <= most:
            chosen.append(number)
            said |= terms[number]
            most -= sizes[number]
    return sorted(chosen)


def _size(text: str) -> int:
    return len(text.encode())
