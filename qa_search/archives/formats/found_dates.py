"""Dates that stand within a line of text: a post's head, a page's byline."""

from __future__ import annotations

import re

from qa_search.archives.base import short_date

_MONTHS = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_TIME = r"(?:,?\s{1,3}(?:at\s{1,3})?\d{1,2}:\d{2}(?::\d{2})?(?:\s?[ap]\.?m\.?)?(?:\s?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}))?)?"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_DATES = tuple(
    re.compile(pattern + _TIME, re.IGNORECASE)
    for pattern in (
        r"\b\d{4}[/.-]\d{1,2}[/.-]\d{1,2}(?:T\d{2}:\d{2}(?::\d{2})?(?:\.\d{1,6})?(?:Z|[+-]\d{2}:?\d{2})?)?",
        rf"\b{_MONTHS}\s{{1,3}}{_DAY},?\s{{1,3}}\d{{4}}",
        rf"\b{_DAY}\.?[\s-]{{1,3}}{_MONTHS},?[\s-]{{1,3}}\d{{4}}",
        r"\b\d{1,2}[/.-]\d{1,2}[/.-]\d{4}",
    )
)
_MOST_LINE = 300


def find_date(text: str) -> tuple[str, str] | None:
    """Find the first date in a line: (as it stands there, ISO 8601)."""
    text = text[:_MOST_LINE]
    for pattern in _DATES:
        for match in pattern.finditer(text):
            if date := _read(match[0]):
                return match[0], date
    return None


def date_in(text: str) -> str | None:
    """Return the first date in a line as ISO 8601."""
    found = find_date(text)
    return None if found is None else found[1]


def _read(found: str) -> str | None:
    """Read a date without the words and letters that people put into it."""
    if date := short_date(found):
        return date
    plain = re.sub(r"(?<=\d)(?:st|nd|rd|th)\b", "", found, flags=re.IGNORECASE)
    plain = re.sub(r"\s+at\s+", " ", plain, flags=re.IGNORECASE)
    plain = re.sub(r"\b([ap])\.?m\.?$", r"\1m", re.sub(r"(?<=[a-z])\.(?=\s)", "", plain), flags=re.IGNORECASE)
    plain = re.sub(r"(?<=\d)\.(?=\s[a-z])", "", plain, flags=re.IGNORECASE)
    plain = re.sub(r"\bsept\b", "sep", plain, flags=re.IGNORECASE)
    plain = re.sub(r"(?<=\d)([ap])m$", r" \1m", plain, flags=re.IGNORECASE)
    return short_date(plain) or short_date(plain.replace(",", "")) or _date_alone(plain)


def _date_alone(text: str) -> str | None:
    """Read the day where the time behind it cannot be read."""
    day = re.sub(r",?\s+\d{1,2}:\d{2}.*$", "", text)
    return short_date(day) if day != text else None
