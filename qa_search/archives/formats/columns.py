"""What the first records of a table have in one field -> what it holds: texts, numbers, ids, flags or dates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from statistics import fmean

from qa_search.archives.base import short_date
from qa_search.archives.formats.values import FLAG_WORDS, integer_of, is_id, languages_of, texts_in
from qa_search.util.dates import is_ambiguous

_NUMBER = re.compile(r"[+-]?\d[\d.,]{0,30} ?%?", re.ASCII)
_MOST_TEXTS = 1000
DATES_LOOKED_AT = 50
# What a text column is: this long on average, and of several words in at least half of its records.
_TEXT_LENGTH = 10


@dataclass
class Column:
    """What the sampled records have in one field."""

    name: str
    filled: int = 0
    texts: list[str] = field(default_factory=list)
    numbers: int = 0
    flags: int = 0
    objects: int = 0
    lists: int = 0
    languages: set[str] = field(default_factory=set)

    def see(self, value: object) -> None:
        """Note a value that is not blank."""
        self.filled += 1
        if isinstance(value, str):  # as most are
            self.numbers += integer_of(value) is not None
            if len(self.texts) < _MOST_TEXTS:
                self.texts.append(value)
            return
        if isinstance(value, bool):  # which has no text
            self.flags += 1
            return
        if integer_of(value) is not None:
            self.numbers += 1
        if not isinstance(value, int) and isinstance(value, Mapping):  # the second question takes longer
            self.objects += 1
            self.languages.update(languages_of(value))
        self.lists += isinstance(value, list)
        if len(self.texts) < _MOST_TEXTS:
            self.texts += islice(texts_in(value), 20)

    @property
    def length(self) -> float:
        """The mean length of its texts, in characters."""
        return fmean(map(len, self.texts)) if self.texts else 0.0

    @property
    def is_constant(self) -> bool:
        """Whether at least three records have a text, all the same."""
        return self.filled > 2 and len(set(self.texts)) == 1

    @property
    def is_numbers(self) -> bool:
        """Whether it holds numbers and nothing else."""
        return bool(self.texts) and all(_NUMBER.fullmatch(text.strip()) for text in self.texts)

    @property
    def is_ids(self) -> bool:
        """Whether it holds ids of other records and nothing else."""
        return bool(self.texts) and all(map(is_id, self.texts))

    @property
    def is_flags(self) -> bool:
        """Whether it holds yes and no, or 1 and 0."""
        said = bool(self.texts) and all(text.strip().lower() in FLAG_WORDS for text in self.texts)
        return self.filled > 0 and (self.flags == self.filled or said)

    @property
    def is_dates(self) -> bool:
        """Whether its first texts are dates, all of them."""
        return bool(self.texts) and all(
            short_date(text.strip()) or is_ambiguous(text) for text in self.texts[:DATES_LOOKED_AT]
        )

    @cached_property
    def is_text(self) -> bool:
        """Whether it holds text for people: not numbers, names, dates, links or flags."""
        if not self.texts or self.numbers + self.flags > self.filled / 2:
            return False
        if self.is_dates:
            return False
        links = sum("://" in text[:12] for text in self.texts)
        several = sum(" " in text.strip() or not text.isascii() for text in self.texts)
        return self.length >= _TEXT_LENGTH and several >= len(self.texts) / 2 > links
