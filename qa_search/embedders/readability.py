"""Texts and a model's tokenizer -> the share of their letters that the model cannot read, and whether it has the words.

A tokenizer cuts what its vocabulary lacks into unknown tokens or single letters; what a text says is lost then. Words
that it cuts into longer pieces ("Auf", "##ste", "##hen") say little: the model has hardly met them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from qa_search.embedders.base import Embedder, Piece

# A model cannot read a text of which it loses more than this share of the letters.
UNREADABLE = 0.5
# A model half knows a language at most, of whose words it has no more than this share whole.
_LEAST_WHOLE = 0.5
_WORD = re.compile(r"[^\W\d_]+")
# "The knee hurts when I climb stairs", in scripts that only a multilingual vocabulary has.
_MANY_LANGUAGES = (
    "Болит колено, когда поднимаюсь по лестнице",
    "ركبتي تؤلمني عندما أصعد الدرج",
    "계단을 오를 때 무릎이 아파요",
    "上楼梯的时候膝盖疼",
)
# Ideographs and syllables: one of them can be a word.
_SYLLABLES = (("\u3400", "\u9fff"), ("\uac00", "\ud7a3"), ("\uf900", "\ufaff"), ("\U00020000", "\U0003ffff"))


def unread_share(embedder: Embedder, texts: Sequence[str]) -> float | None:
    """Return the share of the texts' letters that a model cannot read; None where it does not show its tokens."""
    show = getattr(embedder, "pieces", None)
    found = None if show is None else show(texts)
    if found is None:
        return None
    letters = sum(map(str.isalpha, "".join(texts)))
    unread = sum(_unread_letters(text, pieces) for text, pieces in zip(texts, found, strict=True))
    return unread / letters if letters else 0.0


def cannot_read(embedder: Embedder, text: str) -> bool:
    """Return whether a model loses most letters of a text."""
    return not text.isascii() and (unread_share(embedder, [text]) or 0.0) > UNREADABLE


def reads_many_languages(embedder: Embedder) -> bool:
    """Return whether a model's vocabulary is multilingual; also where it does not show its tokens."""
    return (unread_share(embedder, _MANY_LANGUAGES) or 0.0) <= UNREADABLE


def lacks_words(embedder: Embedder, text: str) -> bool:
    """Return whether a model's vocabulary has at most half of a text's words whole.

    Not of a multilingual one, which cuts the words of every language, nor where the model does not show its tokens.
    """
    words = [match.span() for match in _WORD.finditer(text)]
    show = getattr(embedder, "pieces", None)
    found = show([text]) if show is not None and words else None
    if found is None:
        return False
    whole = {(start, end) for start, end, known in found[0] if known}
    share = sum(span in whole for span in words) / len(words)
    return share <= _LEAST_WHOLE and not reads_many_languages(embedder)


def _unread_letters(text: str, pieces: Sequence[Piece]) -> int:
    """Count the letters that are no part of a known piece of several, and no words by themselves. ASCII is read."""
    read: set[int] = set()
    pieces_of: Counter[int] = Counter()
    alone: list[int] = []
    for start, end, known in pieces:
        letters = [at for at in range(start, end) if text[at].isalpha()]
        pieces_of.update(letters)
        if known and len(letters) > 1:
            read.update(letters)
        elif known:
            alone += letters
    read.update(at for at in alone if pieces_of[at] == 1 and _may_be_word(text, at))
    return sum(letter.isalpha() and not letter.isascii() and at not in read for at, letter in enumerate(text))


def _may_be_word(text: str, at: int) -> bool:
    """Return whether a letter can be a word: an ideograph, a syllable, or one between spaces."""
    if any(first <= text[at] <= last for first, last in _SYLLABLES):
        return True
    return not (text[at - 1 : at].isalpha() or text[at + 1 : at + 2].isalpha())


def is_whole_word(embedder: Embedder, word: str) -> bool:
    """Return whether the model's vocabulary has a word as a whole; False if its tokens are unknown."""
    pieces = getattr(embedder, "pieces", None)
    found = None if pieces is None else pieces([word])
    return found is not None and len(found[0]) == 1 and found[0][0][2]
