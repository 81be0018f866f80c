"""A complaint that is not answered -> what would help: more words, another language, another model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from qa_search.embedders.base import Embedder
from qa_search.embedders.queries import Query
from qa_search.embedders.readability import UNREADABLE, cannot_read, reads_many_languages
from qa_search.index.manifest import Manifest
from qa_search.util.languages import language_of, name_of

SAY_MORE = "This says too little to search by. Say a little more: what is wrong, where, and since when."
RELY_ON_NONE = "Do not rely on past answers for a sign of danger."

# What only a builder can do, or understands, and what is said to people in its place.
_FOR_BUILDERS = (
    (re.compile(r"the model .+ does not read", re.DOTALL), "this search does not read"),
    (re.compile(r", or build with a (?:multilingual model|model that does)\.$"), "."),
    (re.compile(r"Build with a model that does\.$"), "Ask whoever looks after the archive."),
    (re.compile(r"^The query"), "The complaint"),
)


def for_people(advice: str) -> str:
    """Return an advice in the words of people who search, and cannot build."""
    for pattern, words in _FOR_BUILDERS:
        advice = pattern.sub(words, advice)
    return advice


def read_in_part(complaint: Query) -> str | None:
    """Say how a very long complaint was read; None for one that was read whole."""
    if complaint.read == complaint.text:
        return None
    return (
        f"The query is very long ({len(complaint.text):,} characters): all its words were searched, and its meaning is "
        f"that of the sentences that say most in this archive ({len(complaint.read):,} characters)."
    )


@dataclass(frozen=True, slots=True)
class Languages:
    """What an index says of languages.

    ``main`` is the archive's language, None if it is unknown or mixed; ``unread`` the share of its letters that the
    ``model`` cannot read, None if that is unknown.
    """

    main: str | None
    unread: float | None
    model: str

    @classmethod
    def of_manifest(cls, manifest: Manifest) -> Self:
        """Read what a build found; earlier versions did not look."""
        return cls(manifest.language, manifest.unread, manifest.model.name)

    @property
    def unreadable(self) -> bool:
        """Whether the model cannot read the archive."""
        return (self.unread or 0.0) > UNREADABLE

    def warning(self) -> str | None:
        """Say that the model cannot read the archive, and the way out; None if it can."""
        return self._unread("archive", self.main, "Build with a model that does") if self.unreadable else None

    def advice(self, text: str, embedder: Embedder, *, too_little: bool) -> str | None:
        """Return what would help with a complaint that is not answered; None if nothing is known to."""
        if self.unreadable:
            return self.warning()
        unread = cannot_read(embedder, text)
        language = language_of(text) if unread or self.main else None
        ask = f"Ask in {name_of(self.main)}, or build" if self.main and self.main != language else "Build"
        if unread:
            return self._unread("query", language, f"{ask} with a model that does")
        if self.main and language and language != self.main:
            return self._other(name_of(language), name_of(self.main), reads_many_languages(embedder))
        return SAY_MORE if too_little else None

    def _unread(self, what: str, language: str | None, way_out: str) -> str:
        if language is None:
            return f"The {what} is in a language that the model {self.model} does not read. {way_out}."
        return (
            f"The {what} is in {name_of(language)}, and the model {self.model} does not read that language. {way_out}."
        )

    @staticmethod
    def _other(asked: str, main: str, multilingual: bool) -> str:
        said = f"The query seems to be {asked}, and the language of the archive is {main}. Ask in {main}"
        return f"{said}." if multilingual else f"{said}, or build with a multilingual model."
