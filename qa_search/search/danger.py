"""The danger signs of an archivist's file, a complaint -> the notices that stand before its hits.

A sign is found too often rather than too seldom: its words may stand in any order, in other forms, misspelt and with
words between them, and "no chest pain" has it too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from qa_search.search.curation import Danger
from qa_search.util.edits import LEAST_LETTERS, edits_between
from qa_search.util.languages import unspaced_letter
from qa_search.util.terms import Analysis

# So many other words may stand among the words of a sign: "pain on the left side of my chest".
_BETWEEN = 6
# The most edits between two words of which one is the other misspelt.
_EDITS = 2
_APOSTROPHES = str.maketrans("", "", "'’ʼ`´")
# One word for what people write in several ways: can't, cannot, can not, unable to; isn't, is not, he's not, doesn't.
_CAN_NOT = re.compile(r"\b(can|could|would|should)\s?not\b")
_UNABLE = re.compile(r"\b(?:cannt|unable to|not able to)\b")
_WILL_NOT = re.compile(r"\bwill not\b")
_IS_NOT = re.compile(r"\b(?:is|are|was|were|am|do|does|did|has|have|had|ai)\s?(?:not|nt)\b")
_NOT = "not"
# So many words on, "not" still denies a word: "not really breathing". Further on, it denies another one.
_DENIED = 3
_WORD = re.compile(r"\w+")

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DangerSigns:
    """Each notice with its signs as words in their basic form, and those of scripts without spaces as they are.

    ``known`` are these words; ``spelt`` has those that may be misspelt, as they are written, by their first letter.
    ``joined`` has neighbours of a sign by what they are when written as one word ("heartattack").
    """

    signs: tuple[tuple[str, tuple[Words, ...], tuple[str, ...]], ...]
    analysis: Analysis
    known: frozenset[str]
    spelt: Mapping[str, Words]
    joined: Mapping[str, Words]

    @classmethod
    def of(cls, dangers: Iterable[Danger], analysis: Analysis) -> DangerSigns:
        """Prepare what the file says for the language of an archive."""
        found = []
        written: set[str] = set()
        joined: dict[str, Words] = {}
        for danger in dangers:
            spaced = [_words(sign) for sign in danger.words if not unspaced_letter().search(sign)]
            unspaced = [sign.casefold() for sign in danger.words if unspaced_letter().search(sign)]
            basic = (tuple(_basic(analysis, word) for word in words) for words in spaced)
            found.append((danger.notice, tuple(basic), tuple(unspaced)))
            written.update(word for words in spaced for word in words)
            joined |= {first + second: (first, second) for words in spaced for first, second in pairwise(words)}
        spelt: dict[str, Words] = {}
        for word in sorted(written):
            if len(word) >= LEAST_LETTERS:
                spelt[word[0]] = (*spelt.get(word[0], ()), word)
        return cls(tuple(found), analysis, frozenset(_basic(analysis, word) for word in written), spelt, joined)

    def notice(self, *texts: str, is_word: Callable[[str], bool] = lambda _: False) -> str | None:
        """Return the notices of the signs that any of the texts has, as one text; None if they have none.

        ``is_word`` says which words are correct, and so not a misspelt sign: "walking" is not "waking".
        """
        if not self.signs:
            return None
        words = [self._meant(text, is_word) for text in dict.fromkeys(texts)]
        folded = [text.casefold() for text in texts]
        found = [
            notice
            for notice, spaced, unspaced in self.signs
            if any(_stand_together(sign, text) for sign in spaced for text in words)
            or any(sign in text for sign in unspaced for text in folded)
        ]
        return " ".join(dict.fromkeys(found)) or None

    def _meant(self, text: str, is_word: Callable[[str], bool]) -> Words:
        """Return the words of a complaint in their basic form, misspelt words of signs as they are spelt there."""
        words = tuple(part for word in _words(text) for part in self.joined.get(word, (word,)))
        meant = {word: self._as_spelt(word, is_word) for word in set(words)}
        return tuple(meant[word] for word in words)

    def _as_spelt(self, word: str, is_word: Callable[[str], bool]) -> str:
        basic = _basic(self.analysis, word)
        if basic in self.known:
            return basic
        near = (sign for sign in self.spelt.get(word[0], ()) if _may_be(word, sign) and edits_between(word, sign))
        meant = next(near, None)
        return basic if meant is None or is_word(word) else _basic(self.analysis, meant)


def _words(text: str) -> Words:
    """Return all words in order; function words count here ("can't breathe")."""
    plain = _CAN_NOT.sub(r"\1nt", text.casefold().translate(_APOSTROPHES))
    plain = _WILL_NOT.sub("wont", _UNABLE.sub("cant", plain))
    return tuple(_WORD.findall(_IS_NOT.sub(_NOT, plain)))


def _basic(analysis: Analysis, word: str) -> str:
    return next(iter(analysis.terms_of(word)), word)


def _may_be(word: str, sign: str) -> bool:
    """Return whether two words have nearly the same letters: only then is it worth counting edits."""
    return abs(len(word) - len(sign)) <= _EDITS and len(set(word) ^ set(sign)) <= 2 * _EDITS


def _stand_together(sign: Words, text: Sequence[str]) -> bool:
    """Return whether all words of a sign stand near one another in a text, in any order; what it denies is denied."""
    wanted = set(sign)
    if not wanted or not wanted <= set(text):
        return False
    if not all(_is_denied(word, text) for denial, word in pairwise(sign) if denial == _NOT):
        return False
    room = len(sign) + _BETWEEN
    places = [at for at, word in enumerate(text) if word in wanted]
    return any(wanted <= set(text[at : at + room]) for at in places)


def _is_denied(word: str, text: Sequence[str]) -> bool:
    return any(word in text[at + 1 : at + 1 + _DENIED] for at, other in enumerate(text) if other == _NOT)
