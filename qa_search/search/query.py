"""What a search can be asked for. Everything is checked before anything is computed."""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypedDict

from qa_search.errors import QueryError
from qa_search.index.filters import Filters
from qa_search.util.dates import parse_bound
from qa_search.util.parameters import require_share, require_whole
from qa_search.util.text import clean_text

DEFAULT_TOP_K = 5
MAX_TOP_K = 10_000
MAX_QUERY_CHARACTERS = 100_000
# The text of a filter: SQLite takes long over patterns of many stars.
_MAX_FILTER_CHARACTERS = 1000
_MAX_STARS = 16
_MAX_TAGS = 100


class FilterOptions(TypedDict, total=False):
    """The keyword arguments that say which posts pass."""

    since: str | date | None
    until: str | date | None
    source: str | None
    tags: Sequence[str]


class SearchOptions(FilterOptions, total=False):
    """The keyword arguments of every search: the fields of `SearchParameters` except ``k``."""

    min_confidence: float | None


def require_known(method: Callable[..., object], options: Mapping[str, object], kind: type[FilterOptions]) -> None:
    """Refuse keyword arguments that a method does not take, and say which it does: its own, and those of a kind.

    Raises:
        TypeError: if one is unknown.
    """
    allowed = kind.__annotations__
    for name in options:
        if name not in allowed:
            own = inspect.signature(method).parameters.values()
            known = [parameter.name for parameter in own if parameter.default is not parameter.empty]
            raise TypeError(
                f"{method.__name__}() got an unexpected keyword argument {name!r}. "
                f"There are: {', '.join([*known, *allowed])}"
            )


@dataclass(frozen=True, slots=True)
class SearchParameters:
    """What a search is asked for, apart from the text. The fields are described at `SearchIndex.search`.

    Nothing is checked yet: `require_k`, `require_probability` and `filters` do that.
    """

    k: int = DEFAULT_TOP_K
    since: str | date | None = None
    until: str | date | None = None
    source: str | None = None
    tags: Sequence[str] = ()
    min_confidence: float | None = None

    def filters(self) -> Filters:
        """Return the filters in the form that the stores use.

        Raises:
            QueryError: if a filter is invalid.
        """
        since = None if self.since is None else _bound(self.since, "since")
        until = None if self.until is None else _after(self.until)
        if are_exchanged(since, until):
            reason = f"since: {self.since} is later than until ({self.until}). Exchange them."
            raise QueryError(reason, parameter="since")
        return Filters(
            since=since,
            until=until,
            source=None if self.source is None else _checked_source(self.source),
            tags=_checked_tags(self.tags),
        )


def are_exchanged(since: str | None, until: str | None) -> bool:
    """Return whether no moment is from ``since`` on and before ``until``, as `Filters` has them."""
    return since is not None and until is not None and _first_day(since) >= _first_day(until)


def _first_day(bound: str) -> str:
    return bound + "-01-01"[max(len(bound) - len("2015"), 0) :]


def _checked_tags(tags: Sequence[str]) -> tuple[str, ...]:
    if not isinstance(tags, Iterable):
        raise QueryError(f"tags: expected a list of texts, not {type(tags).__name__}", parameter="tags")
    tags = (tags,) if isinstance(tags, str) else tuple(tags)
    if len(tags) > _MAX_TAGS:
        raise QueryError(f"tags: {len(tags):,} tags are too many: the limit is {_MAX_TAGS}", parameter="tags")
    return tuple(_checked_filter("tags", tag) for tag in tags)


def _checked_source(source: str) -> str:
    checked = _checked_filter("source", source)
    if checked.count("*") > _MAX_STARS:
        raise QueryError(f"source: a pattern with more than {_MAX_STARS} stars", parameter="source")
    return checked


def _checked_filter(name: str, text: str) -> str:
    if not isinstance(text, str) or len(text) > _MAX_FILTER_CHARACTERS:
        raise QueryError(f"{name}: not a text of at most {_MAX_FILTER_CHARACTERS:,} characters", parameter=name)
    return clean_text(text)


def _bound(value: str | date, name: str) -> str:
    bound = value.isoformat() if isinstance(value, date) else parse_bound(value) if isinstance(value, str) else None
    if bound is None:
        raise QueryError(
            f"{name}: {reprlib.repr(value)} is not a date. Write it like 2015, 2015-06 or 2015-06-30.", parameter=name
        )
    return bound


def _after(value: str | date) -> str:
    """Return the first moment after a day, month or year."""
    bound = _bound(value, "until")
    if len(bound) > len("2015-06-30"):
        return bound + "\uffff"  # a moment: itself included
    year, month, day = (*map(int, bound.split("-")), 1, 1)[:3]
    if year == date.max.year:
        return bound + "\uffff"
    if len(bound) == len("2015"):
        return f"{year + 1}"
    if len(bound) == len("2015-06"):
        return f"{year + month // 12}-{month % 12 + 1:02}"
    return (date(year, month, day) + timedelta(days=1)).isoformat()


def require_k(k: int) -> None:
    """Check the number of hits that a search asks for.

    Raises:
        QueryError: if ``k`` is not a whole number from 1 to 10,000.
    """
    require_whole("k", k, 1, MAX_TOP_K)


def require_probability(min_confidence: float | None) -> None:
    """Check a threshold of confidence: a number from 0 to 1, or None.

    Raises:
        QueryError: if it is anything else.
    """
    if min_confidence is not None:
        require_share("min_confidence", min_confidence)


def checked_texts(texts: Iterable[str]) -> list[str]:
    """Check the texts of queries and return them cleaned.

    Raises:
        QueryError: if this is not a list of texts, or a text is blank or too long.
    """
    if isinstance(texts, str):
        raise QueryError("expected a list of texts, not a single text: use search() for that")
    if not isinstance(texts, Iterable):
        raise QueryError(f"expected a list of texts, not {type(texts).__name__}")
    return [require_text(text) for text in texts]


def require_text(text: str) -> str:
    """Check the text of a query and return it cleaned.

    Raises:
        QueryError: if it is not a text, or is blank or too long.
    """
    if not isinstance(text, str):
        raise QueryError(f"expected a text, not {type(text).__name__}")
    if len(text) > MAX_QUERY_CHARACTERS:
        raise QueryError(
            f"the text to search for has {len(text):,} characters, and {MAX_QUERY_CHARACTERS:,} are read at "
            "most. Leave out what the query does not need."
        )
    cleaned = clean_text(text)
    if not any(character.isprintable() and not character.isspace() for character in cleaned):
        raise QueryError("the text to search for is empty. Describe the complaint in a few words.")
    return cleaned
