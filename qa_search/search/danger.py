"""The danger signs of an archivist's file, a complaint -> the notices that stand before its hits.

A sign is found too often rather than too seldom: its words may stand in any order, in other forms and with words
between them, and "no chest pain" has it too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from qa_search.search.curation import Danger
from qa_search.util.languages import UNSPACED
from qa_search.util.terms import Analysis

# So many other words may stand among the words of a sign: "pain on the left side of my chest".
_BETWEEN = 6
_APOSTROPHES = str.maketrans("", "", "'’ʼ`´")
_WORD = re.compile(r"\w+")
_UNSPACED = re.compile(f"[{UNSPACED}]")

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DangerSigns:
    """Each notice with its signs as words in their basic form, and those of scripts without spaces as they are."""

    signs: tuple[tuple[str, tuple[Words, ...], tuple[str, ...]], ...]
    analysis: Analysis

    @classmethod
    def of(cls, dangers: Iterable[Danger], analysis: Analysis) -> DangerSigns:
        """Prepare what the file says for the language of an archive."""
        found = []
        for danger in dangers:
            spaced = [_words(sign, analysis) for sign in danger.words if not _UNSPACED.search(sign)]
            unspaced = [sign.casefold() for sign in danger.words if _UNSPACED.search(sign)]
            found.append((danger.notice, tuple(spaced), tuple(unspaced)))
        return cls(tuple(found), analysis)

    def notice(self, *texts: str) -> str | None:
        """Return the notices of the signs that any of the texts has, as one text; None if they have none."""
        words = [_words(text, self.analysis) for text in dict.fromkeys(texts)]
        folded = [text.casefold() for text in texts]
        found = [
            notice
            for notice, spaced, unspaced in self.signs
            if any(_stand_together(sign, text) for sign in spaced for text in words)
            or any(sign in text for sign in unspaced for text in folded)
        ]
        return " ".join(dict.fromkeys(found)) or None


def _words(text: str, analysis: Analysis) -> Words:
    """Return all words in order, in their basic form; function words count here ("can't breathe")."""
    return tuple(map(partial(_basic, analysis), _WORD.findall(text.casefold().translate(_APOSTROPHES))))


def _basic(analysis: Analysis, word: str) -> str:
    return next(iter(analysis.terms_of(word)), word)


def _stand_together(sign: Words, text: Sequence[str]) -> bool:
    """Return whether all words of a sign stand near one another in a text, in any order."""
    wanted = set(sign)
    if not wanted or not wanted <= set(text):
        return False
    room = len(sign) + _BETWEEN
    places = [at for at, word in enumerate(text) if word in wanted]
    return any(wanted <= set(text[at : at + room]) for at in places)
