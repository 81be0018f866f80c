"""Text -> terms of the lexical index, their rarity (idf) and BM25."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from functools import cache

import tantivy

K1, B = 1.2, 0.75  # tantivy's
_MAX_TERM_BYTES = 100
# English function words, apostrophes cut as the tokenizer cuts them ("don't" is "don" and "t").
_STOP_WORDS = """
a about after again all also am an and any anyone are as at be because been before being but by can cannot could d did
do does doesn doing don done for from get gets getting go goes going got had has have having he her here hers him his
how i if in into is isn it its itself just ll m may me might more most much must my myself no nor not now of off on
one only or other our out over own re s same she should since so some such t than that the their them then there these
they this those though to too until up us ve very was wasn we were what when where whether which while who whom why
will with won would you your yours
""".split()


@cache
def _analyzer() -> tantivy.TextAnalyzer:
    """Words in lower case, accents dropped, function words left out, English endings cut off."""
    steps = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for step in (
        tantivy.Filter.remove_long(_MAX_TERM_BYTES),
        tantivy.Filter.lowercase(),
        tantivy.Filter.ascii_fold(),
        tantivy.Filter.custom_stopword(_STOP_WORDS),
        tantivy.Filter.stemmer("english"),
    ):
        steps = steps.filter(step)
    return steps.build()


def terms_of(text: str) -> list[str]:
    """Return the terms of a text in order, as they are indexed."""
    return _analyzer().analyze(text)


def query_weights(text: str) -> dict[str, float]:
    """Weigh the terms of a complaint: a repeated term counts more, but less than in proportion."""
    return {term: 1 + math.log(count) for term, count in Counter(terms_of(text)).items()}


def rarity(posts: int, holders: int) -> float:
    """Return the inverse document frequency (above 0) of a term, from the number of posts that have it."""
    holders = min(holders, posts)
    return math.log(1 + (posts - holders + 0.5) / (holders + 0.5))


def bm25_of_text(idf: Mapping[str, float], weights: Mapping[str, float], text: str, mean_length: float) -> float:
    """Return the BM25 score of a text among posts of a given average length in terms."""
    terms = terms_of(text)
    counts = Counter(terms)
    norm = K1 * (1 - B + B * len(terms) / max(mean_length, 1e-9))
    return sum(
        weight * idf[term] * counts[term] * (K1 + 1) / (counts[term] + norm)
        for term, weight in weights.items()
        if counts[term]
    )
