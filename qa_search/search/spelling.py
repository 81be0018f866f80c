"""A query and an open index -> the query with its misspelt words as the archive has them.

A word counts as misspelt if no post has it, the model's vocabulary does not have it as a whole, and a post has a word
that begins with the same letter and is an edit away, or two in a long word. So correct words that the archive lacks
stay as they are: common ones are in the vocabulary, rare ones are seldom so close to a word of the archive.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qa_search.embedders.base import Embedder
from qa_search.search.retrieval import Retriever
from qa_search.util.edits import LEAST_LETTERS, edits_between
from qa_search.util.terms import rarity

# Of more unknown words a text is in another language.
_MOST_UNKNOWN = 5
# In a longer text the other words find the post, and what is wrongly corrected does harm (docs/ranking.md).
_MOST_WORDS = 20
_POSTS = 10
_WORD = re.compile(r"[^\W\d_]+")
# Not within addresses, names of files, or words with an apostrophe or a hyphen.
_CORRECTABLE = re.compile(rf"(?<![\w@/\\.#&'’*-]){_WORD.pattern}(?![\w@/\\#*]|[.'’-]\w)")


@dataclass(frozen=True, slots=True)
class Speller:
    """Corrects queries to one generation; ``known`` are further words, in lower case, that are not misspelt."""

    retriever: Retriever
    embedder: Embedder
    known: frozenset[str] = frozenset()

    def corrected(self, texts: Sequence[str]) -> list[str]:
        """Return each text with its misspelt words replaced; most stay as they are."""
        if self.retriever.analysis.name == "bigrams" or not hasattr(self.embedder, "pieces"):
            return list(texts)
        return [self._corrected(text) for text in texts]

    def _corrected(self, text: str) -> str:
        unknown = self._unknown(text) if len(_WORD.findall(text)) <= _MOST_WORDS else []
        if not unknown or len(unknown) > _MOST_UNKNOWN:
            return text
        replacements = {word: best for word in unknown if (best := self._nearest(word)) is not None}
        return _CORRECTABLE.sub(lambda match: _as_written(match[0], replacements), text) if replacements else text

    def _unknown(self, text: str) -> list[str]:
        """Return the words that neither a post nor the vocabulary has, in lower case."""
        words = {word.casefold() for word in _CORRECTABLE.findall(text) if len(word) >= LEAST_LETTERS} - self.known
        term_of = {word: terms[0] for word in words if len(terms := self.retriever.analysis.terms_of(word)) == 1}
        idf = self.retriever.words.idf(set(term_of.values()))
        most = rarity(self.retriever.words.count, 0)
        found = sorted(word for word, term in term_of.items() if idf[term] >= most)
        pieces = self.embedder.pieces(found) if found else None  # type: ignore[attr-defined]
        return [] if pieces is None else [word for word, own in zip(found, pieces, strict=True) if len(own) != 1]

    def _nearest(self, word: str) -> str | None:
        """Return the word of the archive that is closest, of those that are as close the most frequent."""
        (term,) = self.retriever.analysis.terms_of(word)
        counts: dict[str, int] = {}
        for number in self.retriever.words.near(term, 2, _POSTS):
            for found in _WORD.findall(self.retriever.posts.entry(number).text.casefold()):
                counts[found] = counts.get(found, 0) + 1
        best: tuple[int, int, str] | None = None
        for candidate, count in counts.items():
            if edits := edits_between(word, candidate):
                best = min(best or (3, 0, ""), (edits, -count, candidate))
        return None if best is None else best[2]


def _as_written(word: str, replacements: Mapping[str, str]) -> str:
    found = replacements.get(word.casefold())
    if found is None:
        return word
    return found.capitalize() if word[0].isupper() else found
