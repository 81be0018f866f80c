"""The dates that archives use -> ISO 8601."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

_YEAR_FIRST = re.compile(
    r"(\d{4})[/.-](\d{1,2})[/.-](\d{1,2})(?:[T ]+(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?)?\s*", re.ASCII
)
_YEAR_LAST = re.compile(
    r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?:[T ,]+(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?)?\s*", re.ASCII
)
_EPOCH = re.compile(r"\d{9,10}(?:\.\d+)?|\d{12,13}", re.ASCII)
_NAMED_MONTHS = tuple(
    f"{date}{time}"
    for date in ("%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y", "%B %d %Y", "%b %d %Y", "%d-%b-%Y")
    for time in ("", " %H:%M", " %H:%M:%S", ", %H:%M", ", %H:%M:%S", " %I:%M %p", ", %I:%M %p")
)
_LAST_EPOCH_IN_SECONDS = 10**11


def parse_date(text: str) -> str | None:
    """Return a date as ISO 8601, with its time and offset if it has them; None if it is invalid or ambiguous.

    A date like 3/4/2015 could be in March or April, so it counts as ambiguous.
    """
    text = " ".join(text.split())
    for parse in (_parse_year_first, _parse_iso, _parse_epoch, _parse_year_last, _parse_named, _parse_mail):
        try:
            date = parse(text)
        except (ValueError, OverflowError, OSError, TypeError):
            continue
        if date is not None:
            return date
    return None


def parse_bound(text: str) -> str | None:
    """Return the start of a day, month or year (``2015``, ``2015-06``, or any date) for comparing; else None."""
    text = text.strip()
    if re.fullmatch(r"\d{4}", text, re.ASCII):
        return f"{text}-01-01"
    if match := re.fullmatch(r"(\d{4})[-/](\d{1,2})", text, re.ASCII):
        return f"{match[1]}-{int(match[2]):02}-01" if 1 <= int(match[2]) <= 12 else None
    return parse_date(text)


def _parse_year_first(text: str) -> str | None:
    match = _YEAR_FIRST.fullmatch(text)
    return _iso(match.groups()) if match else None


def _parse_year_last(text: str) -> str | None:
    match = _YEAR_LAST.fullmatch(text)
    if not match:
        return None
    first, second, year, *time = match.groups()
    if int(first) > 12 or first == second:
        return _iso((year, second, first, *time))
    if int(second) > 12:
        return _iso((year, first, second, *time))
    return None


def _iso(parts: Sequence[str | None]) -> str:
    year, month, day, hour, minute, second = (int(part or 0) for part in parts)
    date = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - archives give local time
    return date.isoformat() if parts[3] is not None else date.date().isoformat()


def _parse_iso(text: str) -> str | None:
    if not re.match(r"\d{4}-\d\d", text):
        return None
    datetime.fromisoformat(text)
    return text.replace(" ", "T", 1)


def _parse_epoch(text: str) -> str | None:
    if not _EPOCH.fullmatch(text):
        return None
    seconds = float(text)
    if seconds > _LAST_EPOCH_IN_SECONDS:
        seconds /= 1000
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


def _parse_named(text: str) -> str | None:
    for pattern in _NAMED_MONTHS:
        try:
            date = datetime.strptime(text, pattern)  # noqa: DTZ007 - archives give local time
        except ValueError:
            continue
        return date.isoformat() if "%M" in pattern else date.date().isoformat()
    return None


def _parse_mail(text: str) -> str | None:
    if "," not in text and ":" not in text:
        return None
    from email.utils import parsedate_to_datetime  # here, because it takes a while and searching seldom needs it

    return parsedate_to_datetime(text).isoformat()
