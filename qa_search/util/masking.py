"""A text -> the same text without mail addresses and telephone numbers."""

from __future__ import annotations

import re

MAIL, NUMBER = "[mail]", "[number]"
# Fewer digits are a dose, a price or a year; more can be a number that somebody is reached by.
_LEAST_DIGITS = 7
_LOCAL, _DOMAIN = r"(?:mailto:)?[\w.!#$%&'*+/=?^`{|}~-]{1,64}", r"\w[\w-]{0,62}"
# Of bounded length, so that a long run of letters costs no more than its length.
# With blanks around the sign, only what ends like the name of a machine: "meet me @ home" is none.
_MAIL = re.compile(rf"{_LOCAL}(?:[@＠]{_DOMAIN}(?:\.{_DOMAIN})*| ?[@＠] ?{_DOMAIN}(?:\.{_DOMAIN})+)", re.IGNORECASE)
_DASHES = r"\-\u2010-\u2015\u2212"
# Digits with what people write between them: at most two such characters at a time.
_DIGITS = re.compile(rf"(?<!\d)[+(]?\d(?:[ \t\u00a0\u202f().,/·{_DASHES}]{{0,2}}\d)*")
_DATE = re.compile(
    rf"(?:\d{{4}}([{_DASHES}./])\d{{1,2}}\1\d{{1,2}}|\d{{1,2}}([{_DASHES}./])\d{{1,2}}\2(?:\d{{4}}|\d\d)"
    rf"|(?:19|20)\d\d ?[{_DASHES}/,]? ?(?:19|20)\d\d)"
)
# Thousands in groups: 1,000,000.
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")


def masked(text: str) -> str:
    """Return a text with `MAIL` for each mail address and `NUMBER` for each number of seven or more digits.

    Dates, ranges of years and thousands in groups stay. A number is masked whole, with what separates its digits.
    """
    return _DIGITS.sub(_mask_number, _MAIL.sub(MAIL, text))


def _mask_number(found: re.Match[str]) -> str:
    digits = found[0]
    if sum(map(str.isdigit, digits)) < _LEAST_DIGITS or _DATE.fullmatch(digits) or _GROUPED.fullmatch(digits):
        return digits
    return NUMBER
