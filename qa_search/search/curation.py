"""The archivist's file, ``curation.toml`` -> pins, hidden posts, same words, danger signs, newer posts first.

Whatever the file says is checked when it is read; what it says of posts is compared with a generation in
`qa_search.search.amendments`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args

from qa_search.errors import CurationError, IndexUnreadableError
from qa_search.search.query import MAX_QUERY_CHARACTERS
from qa_search.util.files import MOST_CONFIGURATION_BYTES, read_file
from qa_search.util.text import clean_text

CURATION_NAME = "curation.toml"
VARIABLE = "QA_SEARCH_CURATION"
# What newer posts may gain at most, of a score that is at most 1.
MOST_NEWER = 0.1
_HALVED = 5.0
_MOST_ITEMS = 10_000
_MOST_WORDS = 100  # characters of a word or an expression
_MOST_NOTICE = 1000  # characters

Match = Literal["exact", "meaning"]
Stamp = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class Pin:
    """An answer that the archivist chose: the post, the wordings that it answers, and how a query must match them."""

    post: str
    questions: tuple[str, ...]
    match: Match = "exact"


@dataclass(frozen=True, slots=True)
class Hide:
    """A post that is never found, and the reason that is shown for it."""

    post: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Danger:
    """Signs of danger, words or expressions, and the notice that a complaint with one of them is answered with."""

    words: tuple[str, ...]
    notice: str


@dataclass(frozen=True, slots=True)
class Newer:
    """How much a post of today gains in its score (0 to 0.1), and after how many years half of that is left."""

    weight: float
    years: float = _HALVED


@dataclass(frozen=True, slots=True)
class Votes:
    """How many clients must agree before their feedback counts, and how many votes a day one client may give."""

    needed: int = 2
    per_client: int = 50


@dataclass(frozen=True, slots=True)
class Curation:
    """Everything that an archivist's file says. ``path`` is the file, "" if there is none."""

    path: str = ""
    pins: tuple[Pin, ...] = ()
    hidden: tuple[Hide, ...] = ()
    same: tuple[tuple[str, ...], ...] = ()
    dangers: tuple[Danger, ...] = ()
    newer: Newer | None = None
    votes: Votes = Votes()


def stamp_of(path: Path | None) -> Stamp:
    """Return a value that changes whenever a file does; None while it does not exist."""
    try:
        status = path.stat() if path is not None else None
    except OSError:
        return None
    return None if status is None else (status.st_mtime_ns, status.st_size, status.st_ino)


def read_curation(path: Path) -> Curation:
    """Read an archivist's file.

    Raises:
        CurationError: if it cannot be read, is not TOML, or says something invalid.
        IndexUnreadableError: if the system refuses it now.
    """
    import tomllib  # here, because most archives have no such file

    try:
        text = read_file(path, MOST_CONFIGURATION_BYTES).decode("utf-8-sig")
    except IndexUnreadableError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise CurationError(f"{path}: cannot be read ({error}). Write a text file in UTF-8.") from error
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise CurationError(f"{path}: not TOML: {error}. Correct this place, or remove the file.") from error
    return _Reader(str(path)).read(document)


class _Reader:
    """Checks one document; every error names the file and the key."""

    def __init__(self, path: str) -> None:
        self._path = path

    def read(self, document: Mapping[str, Any]) -> Curation:
        self._known("", document, ("pin", "hide", "same", "danger", "newer", "feedback"))
        return Curation(
            self._path,
            tuple(self._pin(key, item) for key, item in self._tables(document, "pin")),
            tuple(self._hide(key, item) for key, item in self._tables(document, "hide")),
            tuple(self._group(f"same[{at}]", item) for at, item in enumerate(self._list(document, "same"), start=1)),
            tuple(self._danger(key, item) for key, item in self._tables(document, "danger")),
            self._newer(document["newer"]) if "newer" in document else None,
            self._votes(document["feedback"]) if "feedback" in document else Votes(),
        )

    def _pin(self, key: str, item: Mapping[str, Any]) -> Pin:
        self._known(f"{key}.", item, [field.name for field in fields(Pin)])
        questions = tuple(self._text(f"{key}.questions", text) for text in self._list(item, "questions", f"{key}."))
        if not questions:
            self._fail(f"{key}.questions", 'expected the wordings, such as questions = ["How do I renew?"]')
        match = item.get("match", "exact")
        if match not in get_args(Match):
            self._fail(f"{key}.match", f"{match!r} is invalid: choose from {', '.join(get_args(Match))}")
        return Pin(self._text(f"{key}.post", item.get("post")), questions, match)

    def _hide(self, key: str, item: Mapping[str, Any]) -> Hide:
        self._known(f"{key}.", item, [field.name for field in fields(Hide)])
        why = self._text(f"{key}.why", item["why"]) if "why" in item else ""
        return Hide(self._text(f"{key}.post", item.get("post")), why)

    def _group(self, key: str, item: object) -> tuple[str, ...]:
        if not isinstance(item, list) or len(item) < 2:
            self._fail(key, 'expected a list of two words or more, such as ["physio", "PT"]')
        return tuple(self._expression(key, word) for word in item)

    def _danger(self, key: str, item: Mapping[str, Any]) -> Danger:
        self._known(f"{key}.", item, [field.name for field in fields(Danger)])
        words = tuple(self._expression(f"{key}.words", word) for word in self._list(item, "words", f"{key}."))
        if not words:
            self._fail(f"{key}.words", 'expected words or expressions, such as words = ["chest pain"]')
        return Danger(words, self._text(f"{key}.notice", item.get("notice"), _MOST_NOTICE))

    def _expression(self, key: str, item: object) -> str:
        word = self._text(key, item)
        if len(word) > _MOST_WORDS:
            self._fail(key, f"{word[:40]!r}... has more than {_MOST_WORDS} characters")
        return word

    def _newer(self, item: object) -> Newer | None:
        table = self._table("newer", item)
        self._known("newer.", table, [field.name for field in fields(Newer)])
        weight = self._number("newer.weight", table.get("weight"), 0, MOST_NEWER)
        years = self._number("newer.years", table.get("years", _HALVED), 0.1, 1000)
        return Newer(weight, years) if weight else None

    def _votes(self, item: object) -> Votes:
        table = self._table("feedback", item)
        self._known("feedback.", table, ("votes", "per_client"))
        default = Votes()
        return Votes(
            # One client alone must not move a ranking.
            self._whole("feedback.votes", table.get("votes", default.needed), 2),
            self._whole("feedback.per_client", table.get("per_client", default.per_client), 1),
        )

    def _tables(self, document: Mapping[str, Any], key: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
        for at, item in enumerate(self._list(document, key), start=1):
            yield f"{key}[{at}]", self._table(f"{key}[{at}]", item, f"[[{key}]]")

    def _table(self, key: str, item: object, written: str | None = None) -> Mapping[str, Any]:
        if not isinstance(item, dict):
            self._fail(key, f"expected a table: write {written or f'[{key}]'} above its keys")
        return item

    def _list(self, document: Mapping[str, Any], key: str, parent: str = "") -> list[Any]:
        items = document.get(key, [])
        if not isinstance(items, list):
            hint = f": write [[{key}]] with double brackets" if isinstance(items, dict) else ""
            self._fail(f"{parent}{key}", f"expected a list{hint}")
        if len(items) > _MOST_ITEMS:
            self._fail(f"{parent}{key}", f"{len(items):,} items are too many: the limit is {_MOST_ITEMS:,}")
        return items

    def _text(self, key: str, value: object, most: int = MAX_QUERY_CHARACTERS) -> str:
        text = clean_text(value) if isinstance(value, str) else ""
        if not text or len(text) > most:
            self._fail(key, f"expected a text of 1 to {most:,} characters")
        return text

    def _number(self, key: str, value: object, least: float, most: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            self._fail(key, f"expected a number from {least:g} to {most:g}, not {value!r}")
        return float(value)

    def _whole(self, key: str, value: object, least: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self._fail(key, f"expected a whole number of at least {least}, not {value!r}")
        return value

    def _known(self, parent: str, table: Mapping[str, Any], names: Iterable[str]) -> None:
        for key in table:
            if key not in (known := list(names)):
                near = difflib.get_close_matches(key, known, 1)
                hint = f"Did you mean {near[0]}?" if near else f"Choose from {', '.join(known)}."
                self._fail(f"{parent}{key}", f"unknown key. {hint}")

    def _fail(self, key: str, what: str) -> NoReturn:
        raise CurationError(f"{self._path}: {key}: {what.rstrip('.')}{'' if what.endswith('?') else '.'}")
