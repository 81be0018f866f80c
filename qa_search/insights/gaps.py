"""Complaints and an open index -> what people asked and the archive does not answer, in groups of the same matter."""

from __future__ import annotations

import math
import reprlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from qa_search.embedders.queries import says_too_little
from qa_search.embedders.readability import cannot_read
from qa_search.errors import QueryError
from qa_search.insights.grouping import grouped, medoid, scale_of
from qa_search.insights.naming import as_written, holders_of, telling_terms
from qa_search.search.query import checked_texts, require_probability
from qa_search.search.search_index import SearchIndex, require_index
from qa_search.types import Hit, to_jsonable
from qa_search.util.parameters import require_calls, require_texts, require_whole

# Distinct unanswered complaints that are compared with one another: more take memory by their square.
MOST_COMPARED = 5000
LEAST = 3
_BLOCK = 64
_NAME_WORDS = 3
_EXAMPLES = 20
_NEAREST = 3
_MISSING_WORDS = 8
# A span of so many days is shown by days, by weeks, by months, else by years.
_SPANS = ((31, "day"), (26 * 7, "week"), (5 * 366, "month"))
# A trend is reported if chance gives one as strong in fewer than one of twenty groups that have none.
_CHANCE = 0.05


@dataclass(frozen=True, slots=True)
class Complaint:
    """What somebody asked, and when: ``date`` is ISO 8601, None if it is unknown."""

    text: str
    date: str | None = None


@dataclass(frozen=True, slots=True)
class NearPost:
    """A post near a complaint that it does not answer, and what it lacks.

    ``closeness`` is in meaning, from -1 to 1; ``found`` and ``missing`` are words of the complaint, those that are
    rarest in the archive first.
    """

    post_id: str
    source_id: str
    title: str
    closeness: float
    confidence: float
    found: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """Unanswered complaints on one matter.

    ``name`` has the words that tell it from the others, ``complaint`` is the one closest to all of them, ``texts``
    are the most frequent of its wordings. ``periods`` counts the dated ones; ``trend`` is "rising" or "falling" against
    all complaints, "" if neither is clear.
    """

    name: str
    complaint: str
    count: int
    wordings: int
    confidence: float
    texts: tuple[str, ...]
    nearest: tuple[NearPost, ...]
    periods: Mapping[str, int]
    trend: str


@dataclass(frozen=True, slots=True)
class GapReport:
    """What an archive does not answer of some complaints; the gaps are in the order of their counts.

    ``complaints`` are those ``answered``, those ``unanswered``, and ``danger``: those that showed a notice of the
    archivist's file in place of an answer, which no post would change.
    ``single`` are unanswered complaints in groups smaller than ``least``. ``too_little`` said too little to be a gap
    (greetings, one common word), ``unreadable`` are in a language that the model cannot read, ``left_out`` were too
    many to compare: none of these is in a group. ``periods`` counts all dated complaints by ``period`` ("day", "week",
    "month", "year"; "" without dates), ``undated`` are the others.
    """

    index: str
    complaints: int
    answered: int
    unanswered: int
    danger: int
    least: int
    single: int
    too_little: int
    unreadable: int
    left_out: int
    undated: int
    period: str
    periods: Mapping[str, int]
    gaps: tuple[Gap, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        document: dict[str, Any] = to_jsonable(self)
        return document


@dataclass(slots=True)
class _Asked:
    """A distinct text, how often and when it was asked, and what the archive said."""

    text: str
    dates: list[str | None]
    answered: bool = False
    noticed: bool = False
    confidence: float = 0.0

    @property
    def count(self) -> int:
        return len(self.dates)


def find_gaps(
    index: SearchIndex,
    complaints: Iterable[Complaint | str],
    *,
    least: int = LEAST,
    min_confidence: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> GapReport:
    """Ask an index all complaints, and group those that it does not answer.

    Args:
        index: the open index.
        complaints: what people asked; the same text several times counts as often.
        least: the complaints that make a gap.
        min_confidence: below it a complaint counts as not answered; None for the index's own threshold.
        progress: is called with the number of distinct complaints asked so far, and of all.

    Raises:
        QueryError: if a text is blank or too long, something else than a text, or a number is out of range.
        IndexClosedError: if the index was closed.
        ModelError: if the model is not on this machine or is not the one that made the index.
    """
    require_index(index)
    require_whole("least", least, 1)
    require_probability(min_confidence)
    require_calls(progress=progress)
    asked = _distinct(complaints)
    _ask(index, asked, min_confidence, progress or _unreported)
    in_danger = [one for one in asked if one.noticed and not one.answered]
    unanswered = [one for one in asked if not one.answered and not one.noticed]
    readable = [one for one in unanswered if not cannot_read(index.embedder, one.text)]
    telling = [one for one in readable if not _too_little(index, one.text)]
    # The latest are compared, if there are too many.
    compared = telling[-MOST_COMPARED:]
    groups, every = _groups(index, compared, least)
    calendar = _Calendar([when for one in asked for when in one.dates])
    gaps = _gaps(index, asked, groups, every, calendar, min_confidence)
    return GapReport(
        index=index.location,
        complaints=_count(asked),
        answered=_count(asked) - _count(unanswered) - _count(in_danger),
        unanswered=_count(unanswered),
        danger=_count(in_danger),
        least=least,
        single=_count(compared) - sum(gap.count for gap in gaps),
        too_little=_count(readable) - _count(telling),
        unreadable=_count(unanswered) - _count(readable),
        left_out=_count(telling) - _count(compared),
        undated=calendar.undated,
        period=calendar.period,
        periods=calendar.totals,
        gaps=tuple(sorted(gaps, key=lambda gap: (-gap.count, gap.name))),
    )


def _distinct(complaints: Iterable[Complaint | str]) -> list[_Asked]:
    """Gather complaints of the same words, in the order in which each text came last."""
    if isinstance(complaints, str) or not isinstance(complaints, Iterable):
        raise QueryError(f"complaints: expected a list of them, not {reprlib.repr(complaints)}", parameter="complaints")
    found: dict[str, _Asked] = {}
    for one in complaints:
        complaint = one if isinstance(one, Complaint) else Complaint(one)
        require_texts(date=complaint.date)
        (text,) = checked_texts([complaint.text])
        key = " ".join(text.casefold().split())
        asked = found.pop(key, None) or _Asked(text, [])
        asked.dates.append(complaint.date)
        found[key] = asked
    return list(found.values())


def _count(asked: Iterable[_Asked]) -> int:
    return sum(one.count for one in asked)


def _ask(
    index: SearchIndex, asked: Sequence[_Asked], min_confidence: float | None, progress: Callable[[int, int], None]
) -> None:
    progress(0, len(asked))
    for start in range(0, len(asked), _BLOCK):
        block = asked[start : start + _BLOCK]
        results = index.search_many([one.text for one in block], k=1, min_confidence=min_confidence)
        for one, result in zip(block, results, strict=True):
            one.answered, one.confidence, one.noticed = result.answered, result.confidence, result.notice is not None
        progress(start + len(block), len(asked))


def _unreported(done: int, total: int) -> None:
    """Report nothing."""


def _too_little(index: SearchIndex, text: str) -> bool:
    words = index.retriever.words
    return says_too_little(words.idf(index.retriever.analysis.query_weights(text)), words.count)


@dataclass(frozen=True)
class _Group:
    """The members of a gap, most frequent first, and the one closest to all."""

    members: Sequence[_Asked]
    middle: _Asked


def _groups(index: SearchIndex, compared: Sequence[_Asked], least: int) -> tuple[list[_Group], list[_Group]]:
    """Group complaints by meaning; return the groups that are large enough, and all."""
    if not compared:
        return [], []
    vectors = np.concatenate(
        [index.embed([one.text for one in compared[at : at + _BLOCK]]) for at in range(0, len(compared), _BLOCK)]
    )
    scale = scale_of(index.retriever.vectors, vectors)
    similarities = scale.similarities(vectors)
    weights = np.asarray([one.count for one in compared], np.float64)
    every = [
        _Group(
            sorted((compared[row] for row in rows), key=lambda one: -one.count),
            compared[medoid(similarities, rows, weights)],
        )
        for rows in grouped(similarities, scale.threshold())
    ]
    return [group for group in every if _count(group.members) >= least], every


def _gaps(
    index: SearchIndex,
    asked: Sequence[_Asked],
    groups: Sequence[_Group],
    every: Sequence[_Group],
    calendar: _Calendar,
    min_confidence: float | None,
) -> list[Gap]:
    analysis = index.retriever.analysis
    everywhere = holders_of(analysis, (one.text for one in asked))
    mean_size = sum(len(group.members) for group in every) / max(len(every), 1)
    middles = [group.middle.text for group in groups]
    near = []
    for start in range(0, len(middles), _BLOCK):
        block = middles[start : start + _BLOCK]
        near += index.search_many(block, k=_NEAREST, explain=True, min_confidence=min_confidence)
    gaps = []
    for group, result in zip(groups, near, strict=True):
        texts = [one.text for one in group.members]
        terms = telling_terms(holders_of(analysis, texts), len(texts), everywhere, mean_size, _NAME_WORDS)
        when = [when for one in group.members for when in one.dates]
        gaps.append(
            Gap(
                name=", ".join(as_written(analysis, terms, texts)) or " ".join(group.middle.text.split())[:60],
                complaint=group.middle.text,
                count=_count(group.members),
                wordings=len(texts),
                confidence=round(sum(one.confidence * one.count for one in group.members) / _count(group.members), 4),
                texts=tuple(texts[:_EXAMPLES]),
                nearest=tuple(_near_post(index, group.middle.text, hit) for hit in result.hits),
                periods=calendar.counts(when),
                trend=calendar.trend(when),
            )
        )
    return gaps


def _near_post(index: SearchIndex, complaint: str, hit: Hit) -> NearPost:
    """Say of a hit how close it is, and which words of the complaint it has and lacks."""
    analysis = index.retriever.analysis
    rarity = index.retriever.words.idf(analysis.query_weights(complaint))
    rarest = sorted(rarity, key=lambda term: (-rarity[term], term))
    explained = hit.explain
    found = set(explained.terms) if explained else set()
    signals = explained.signals if explained else {}
    values = [signals[name].value for name in ("best", "whole") if name in signals]
    written = dict(zip(rarest, as_written(analysis, rarest, [complaint]), strict=True))
    return NearPost(
        post_id=hit.post_id,
        source_id=hit.source_id,
        title=hit.title or " ".join((hit.question or hit.answer).split())[:80],
        closeness=round(sum(values) / len(values), 4) if values else 0.0,
        confidence=hit.confidence,
        found=tuple(written[term] for term in rarest if term in found),
        missing=tuple(written[term] for term in rarest if term not in found)[:_MISSING_WORDS],
    )


class _Calendar:
    """Counts dates by days, weeks or months, whichever suits the time that they span."""

    def __init__(self, dates: Sequence[str | None]) -> None:
        days = [day for day in map(_day, dates) if day is not None]
        self.undated = len(dates) - len(days)
        self.period = ""
        self._names: list[str] = []
        self._half: date | None = None
        self._later = 0.0
        if days:
            first, last = min(days), max(days)
            span = (last - first).days
            self.period = next((period for days_of, period in _SPANS if span <= days_of), "year")
            self._names = list(dict.fromkeys(self._name(first + timedelta(days=at)) for at in range(span + 1)))
            # Half of all complaints came on this day or later, or as near to a half as days can be parted.
            self._half = sorted(days)[len(days) // 2]
            if self._half == first:
                self._half = min((day for day in days if day > first), default=first)
            self._later = sum(day >= self._half for day in days) / len(days)
        self.totals = self.counts(dates)

    def counts(self, dates: Iterable[str | None]) -> dict[str, int]:
        """Return the count of each period in order, also where it is 0; empty without dates."""
        found = Counter(self._name(day) for day in map(_day, dates) if day is not None)
        return {name: found[name] for name in self._names} if found else {}

    def trend(self, dates: Iterable[str | None]) -> str:
        """Compare with all complaints: whether more of these came in the later half than chance would give."""
        days = [day for day in map(_day, dates) if day is not None]
        if self._half is None or not days or self._later >= 1:
            return ""
        later = sum(day >= self._half for day in days)
        if _at_least(later, len(days), self._later) <= _CHANCE / 2:
            return "rising"
        return "falling" if _at_least(len(days) - later, len(days), 1 - self._later) <= _CHANCE / 2 else ""

    def _name(self, day: date) -> str:
        if self.period == "day":
            return day.isoformat()
        if self.period == "week":
            year, week, _ = day.isocalendar()
            return f"{year}-W{week:02}"
        return f"{day.year:04}-{day.month:02}" if self.period == "month" else f"{day.year:04}"


def _at_least(successes: int, tries: int, probability: float) -> float:
    """Return the probability of at least so many successes."""
    if not 0 < probability < 1:
        return float(probability >= 1 or not successes)
    odds = [math.log(probability), math.log1p(-probability)]
    return sum(
        math.exp(
            math.lgamma(tries + 1) - math.lgamma(count + 1) - math.lgamma(tries - count + 1)
            + count * odds[0] + (tries - count) * odds[1]
        )
        for count in range(successes, tries + 1)
    )  # fmt: skip


def _day(iso: str | None) -> date | None:
    """Return the day of a date in ISO 8601; None where only a year or a month is known."""
    try:
        return date.fromisoformat((iso or "")[:10])
    except ValueError:
        return None
