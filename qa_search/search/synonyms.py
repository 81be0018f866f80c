"""Words that mean the same, and a text's terms -> the terms that it says in other words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from qa_search.util.terms import Analysis

# A word or an expression, as the lexical store has it.
Terms = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Synonyms:
    """For each word or expression of a group, by its first term: all of its terms, and the others of the group."""

    by_first: Mapping[str, tuple[tuple[Terms, tuple[Terms, ...]], ...]]

    @classmethod
    def of_groups(cls, groups: Iterable[Sequence[str]], analysis: Analysis) -> Self:
        """Analyse groups of words and expressions as the index was; what has no terms in it is left out."""
        found: dict[str, tuple[tuple[Terms, tuple[Terms, ...]], ...]] = {}
        for group in groups:
            members = tuple(dict.fromkeys(terms for word in group if (terms := tuple(analysis.terms_of(word)))))
            for member in members:
                others = tuple(other for other in members if other != member)
                found[member[0]] = (*found.get(member[0], ()), (member, others))
        return cls(found)

    def weights(self, terms: Sequence[str], weights: Mapping[str, float]) -> dict[str, float]:
        """Add to the weighted terms of a query what it says in other words; an expression weighs as much as a word."""
        widened = dict(weights)
        for member, others in self._members_in(terms):
            weight = max(weights.get(term, 1.0) for term in member)
            for other in others:
                for term in other:
                    widened[term] = max(widened.get(term, 0.0), weight / len(other))
        return widened

    def widened(self, terms: Sequence[str]) -> frozenset[str]:
        """Return the terms of a text, and those that it says in other words."""
        found = set(terms)
        for _, others in self._members_in(terms):
            found.update(*others)
        return frozenset(found)

    def _members_in(self, terms: Sequence[str]) -> Iterable[tuple[Terms, tuple[Terms, ...]]]:
        for at, term in enumerate(terms):
            for member, others in self.by_first.get(term, ()):
                if tuple(terms[at : at + len(member)]) == member:
                    yield member, others
