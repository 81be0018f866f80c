"""Text -> terms of the lexical index, by the language of the archive; their rarity (idf) and BM25."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Self

import tantivy

from qa_search.util.languages import ENGLISH_FUNCTION_WORDS, UNSPACED, unspaced_letter

K1, B = 1.2, 0.75  # tantivy's
_MAX_TERM_BYTES = 100
# What each language is analysed by; those that are not here have neither stemmer nor function words in tantivy.
_BY_LANGUAGE = {
    "ar": "arabic",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    **dict.fromkeys(("ja", "ko", "th", "zh"), "bigrams"),
}
_WITHOUT_STOP_WORDS = frozenset({"arabic", "greek", "romanian", "tamil", "turkish"})


@dataclass(frozen=True, slots=True)
class Analysis:
    """How the texts of an index become terms.

    ``name`` is "english" or another language that tantivy cuts endings of; "bigrams" for pairs of neighbouring
    characters, where no spaces stand between words; or "words", for whole words.
    """

    name: str

    @classmethod
    def of_language(cls, language: str | None) -> Self:
        """Return the analysis for an archive's main language, None if that is unknown or several are mixed."""
        return cls(_BY_LANGUAGE.get(language or "", "words"))

    def tokenizer(self) -> tantivy.TextAnalyzer:
        """Return what cuts an `indexed` text into its terms."""
        return _spaces() if self.name == "bigrams" else _analyzer(self.name)

    def indexed(self, text: str) -> str:
        """Return a text as the `tokenizer` reads it."""
        return " ".join(self.terms_of(text)) if self.name == "bigrams" else text

    def terms_of(self, text: str) -> list[str]:
        """Return the terms of a text in order, as they are indexed."""
        return _bigrams(text) if self.name == "bigrams" else _analyzer(self.name).analyze(text)

    def query_weights(self, text: str) -> dict[str, float]:
        """Weigh the terms of a complaint: a repeated term counts more, but less than in proportion."""
        return {term: 1 + math.log(count) for term, count in Counter(self.terms_of(text)).items()}


ENGLISH = Analysis("english")
ANALYSES = frozenset({*_BY_LANGUAGE.values(), "words"})


@cache
def _analyzer(name: str) -> tantivy.TextAnalyzer:
    """Words in lower case, accents dropped; of a language that tantivy knows, without function words and endings."""
    steps = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for step in (tantivy.Filter.remove_long(_MAX_TERM_BYTES), tantivy.Filter.lowercase(), *_steps(name)):
        steps = steps.filter(step)
    return steps.build()


def _steps(name: str) -> list[tantivy.Filter]:
    fold = tantivy.Filter.ascii_fold()
    if name == "words":
        return [fold]
    if name == ENGLISH.name:
        return [fold, tantivy.Filter.custom_stopword(ENGLISH_FUNCTION_WORDS), tantivy.Filter.stemmer(name)]
    # Other languages have function words and endings with accents.
    stop_words = [] if name in _WITHOUT_STOP_WORDS else [tantivy.Filter.stopword(name)]
    return [*stop_words, tantivy.Filter.stemmer(name), fold]


@cache
def _spaces() -> tantivy.TextAnalyzer:
    return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()


@cache
def _runs() -> re.Pattern[str]:
    return re.compile(f"[{UNSPACED}]+|[^{UNSPACED}]+")


def _bigrams(text: str) -> list[str]:
    """Return pairs of neighbouring characters, and the words of other scripts."""
    terms: list[str] = []
    for run in _runs().findall(unicodedata.normalize("NFKC", text)):
        if unspaced_letter().match(run) is None:
            terms += _analyzer("words").analyze(run)
        else:
            terms += [run[at : at + 2] for at in range(max(len(run) - 1, 1))]
    return terms


def rarity(posts: int, holders: int) -> float:
    """Return the inverse document frequency (above 0) of a term, from the number of posts that have it."""
    holders = min(holders, posts)
    return math.log(1 + (posts - holders + 0.5) / (holders + 0.5))


def bm25_of_terms(
    idf: Mapping[str, float], weights: Mapping[str, float], terms: Sequence[str], mean_length: float
) -> float:
    """Return the BM25 score of a text, given its terms, among posts of a given average length in terms."""
    counts = Counter(terms)
    norm = K1 * (1 - B + B * len(terms) / max(mean_length, 1e-9))
    return sum(
        weight * idf[term] * counts[term] * (K1 + 1) / (counts[term] + norm)
        for term, weight in weights.items()
        if counts[term]
    )
