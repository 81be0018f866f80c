"""The dates that archives use -> ISO 8601."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache

_YEAR_FIRST = re.compile(
    r"(\d{4})[/.-] ?(\d{1,2})[/.-] ?(\d{1,2})\.?"
    r"(?:[T ,]+(?:- )?([ap]m |오전 |오후 )?(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?(?: ?([ap])\.?m\.?)?"
    r"(?: (utc|gmt)(?:([+-])(\d{1,2})(?::?(\d\d))?)?)?)?\s*",
    re.ASCII | re.IGNORECASE,
)
_YEAR_LAST = re.compile(
    r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d\d)\.?"
    r"(?:[T ,]+(?:at |um |- )?(\d{1,2})[:.](\d{1,2})(?:[:.](\d{1,2}))?(?:\.\d+)?(?: ?([ap])\.?m\.?)?(?: uhr)?)?\s*",
    re.ASCII | re.IGNORECASE,
)
_ISO = re.compile(r"\d{4}-\d\d")
_COMPACT = re.compile(r"((?:19|20)\d\d)([01]\d)([0-3]\d)(?:[T ]?([0-2]\d):?([0-5]\d):?([0-5]\d)?)?(Z?)", re.ASCII)
_EAST_ASIAN = re.compile(
    r"(\d{4}) ?[年년] ?(\d{1,2}) ?[月월] ?(\d{1,2}) ?[日号일]"
    r"(?:\D{0,8}(\d{1,2})[:：时時시] ?(\d{1,2})?(?:[:：分분] ?(\d{1,2}))?[分秒분초]?)?"
)
_YEAR_AND_MONTH = re.compile(r"(\d{4})[/-](\d{1,2})|(\d{4}) ?[年년] ?(\d{1,2}) ?[月월]", re.ASCII)
_MONTH_AND_YEAR = re.compile(r"(\d{1,2})[/-]((?:19|20)\d\d)", re.ASCII)
_EPOCH = re.compile(r"\d{9,10}(?:\.\d+)?|\d{12,13}", re.ASCII)
_TIME = re.compile(r"(\d{1,2})[:h.](\d\d)(?::(\d\d))?(?:\.\d+)?(?: ?([ap])\.?m\b\.?)?", re.ASCII | re.IGNORECASE)
_OFFSET = re.compile(
    r"(?:(?<=\s)|(?<=:\d\d)|(?<=utc)|(?<=gmt))([+-])(\d\d):?(\d\d)(?!\d)|\b(utc|gmt)\b|(?<=\d)z\b", re.IGNORECASE
)
_MAIL = re.compile(
    r"(?:\w{3},? )?\d{1,2} \w{3} \d{2,4} \d{1,2}:\d\d(?::\d\d)?(?: [+-]\d{4}| [A-Z]{1,4})?(?: \(.*\))?", re.ASCII
)
# As Oracle and Jira write it: a month's name between a day and a year of two digits.
_SHORT_YEAR = re.compile(r"(\d{1,2})([/-])([^\W\d_]{3,9})\2(\d\d)(?!\d)")
_BLANK_BEFORE_OFFSET = re.compile(r" (?=(?:UTC|GMT|Z|[+-]\d\d:?\d\d)$)", re.ASCII)
_WORD = re.compile(r"[^\W\d_]+")
_DAY = re.compile(r"(?<![\d'’:])(\d{1,2})(?:st|nd|rd|th|er|º|ª|\.)?(?![\d:])", re.IGNORECASE)
_YEAR = re.compile(r"(?<!\d)([12]\d{3})(?!\d)|['’](\d\d)(?!\d)")
_LAST_EPOCH_IN_SECONDS = 10**11
_PIVOT = 70  # a year of two digits is of the last century from here on
_MOST_OFFSET = 14  # hours
_MOST_WORDS = 10
_MOST_WORDS_BESIDE_A_MONTH = 2
_MONTHS = (
    "january januar janvier enero gennaio janeiro stycznia styczeń января январь ledna leden januari tammikuu "
    "ocak január",
    "february februar février febrero febbraio fevereiro lutego luty февраля февраль února únor februari "
    "helmikuu şubat",
    "march märz mars marzo março marca marzec марта март března březen maart maaliskuu mart március maerz mrz",
    "april avril abril aprile kwietnia kwiecień апреля апрель dubna duben huhtikuu nisan április",
    "may mai mayo maggio maio maja maj мая май května květen mei toukokuu mayıs május",
    "june juni juin junio giugno junho czerwca czerwiec июня июнь června červen kesäkuu haziran június",
    "july juli juillet julio luglio julho lipca lipiec июля июль července červenec heinäkuu temmuz július",
    "august août agosto sierpnia sierpień августа август srpna srpen augustus elokuu ağustos augusti augusztus",
    "september septembre septiembre settembre setembro września wrzesień сентября сентябрь září syyskuu eylül "
    "szeptember",
    "october oktober octobre octubre ottobre outubro października październik октября октябрь října říjen "
    "lokakuu ekim október",
    "november novembre noviembre novembro listopada listopad ноября ноябрь listopadu marraskuu kasım",
    "december dezember décembre diciembre dicembre dezembro grudnia grudzień декабря декабрь prosince prosinec "
    "joulukuu aralık desember",
)
_SHORT = {
    "jan": 1, "janv": 1, "ene": 1, "gen": 1, "sty": 1, "янв": 1, "feb": 2, "fev": 2, "fevr": 2, "febr": 2, "lut": 2,
    "фев": 2, "mar": 3, "mrz": 3, "maerz": 3, "мар": 3, "apr": 4, "avr": 4, "abr": 4, "kwi": 4, "апр": 4, "jun": 6,
    "giu": 6, "cze": 6, "июн": 6, "jul": 7, "juil": 7, "lug": 7, "lip": 7, "июл": 7, "aug": 8, "ago": 8, "sie": 8,
    "авг": 8, "sep": 9, "sept": 9, "set": 9, "wrz": 9, "сен": 9, "сент": 9, "oct": 10, "okt": 10, "out": 10, "ott": 10,
    "paz": 10, "окт": 10, "nov": 11, "lis": 11, "нояб": 11, "dec": 12, "dez": 12, "des": 12, "dic": 12, "gru": 12,
    "дек": 12,
}  # fmt: skip
# How .NET writes the milliseconds of a date in JSON; what may follow is where it was written.
_EPOCH_OF_NET = re.compile(r"\\?/Date\((\d{10,14})(?:[+-]\d{4})?\)\\?/", re.ASCII)


def parse_date(text: str, day_first: bool | None = None) -> str | None:
    """Return a date as ISO 8601, with its time and offset if it has them; None if it is invalid or ambiguous.

    A month of a year stays one: May 2018 is 2018-05.

    A date like 3/4/2015 could be in March or April: ``day_first`` says which, and without it the date is ambiguous.
    """
    text = " ".join(text.split())
    for parse in (_parse_year_first, _parse_iso, _parse_compact, _parse_epoch):
        date = _tried(parse, text)
        if date is not None:
            return date
    try:
        date = _parse_year_last(text, day_first)
    except ValueError:
        return None
    if date is not None:
        return date
    for parse in (_parse_east_asian, _parse_month, _parse_mail, _parse_named):
        date = _tried(parse, text)
        if date is not None:
            return date
    return None


def day_order(texts: Iterable[str]) -> bool | None:
    """Return whether the dates of one column name the day first (True) or the month (False); None if unclear."""
    day = month = False
    for text in texts:
        match = _YEAR_LAST.fullmatch(" ".join(text.split()))
        if match is not None and match[2] != ".":
            day, month = day or int(match[1]) > 12, month or int(match[3]) > 12
    return day if day != month else None


def is_ambiguous(text: str) -> bool:
    """Return whether a text is a date that could mean two days, such as 3/4/2015."""
    match = _YEAR_LAST.fullmatch(" ".join(text.split()))
    return (
        match is not None and match[2] != "." and int(match[1]) <= 12 and int(match[3]) <= 12 and match[1] != match[3]
    )


def parse_bound(text: str) -> str | None:
    """Return a year, a month of a year or any date for comparing with dates, as ISO 8601; None if it is invalid.

    What ISO 8601 writes with fewer digits comes before all that begins with it: 2015-06 is the start of that month.
    """
    text = text.strip()
    return text if re.fullmatch(r"[1-9]\d{3}", text, re.ASCII) else parse_date(text)


def _tried(parse: Callable[[str], str | None], text: str) -> str | None:
    try:
        return parse(text)
    except (ValueError, OverflowError, OSError, TypeError):
        return None


def _parse_year_first(text: str) -> str | None:
    match = _YEAR_FIRST.fullmatch(text)
    if match is None:
        return None
    year, month, day, before, hour, minute, second, after, zone, sign, hours, minutes = match.groups()
    half = after or {"오전": "a", "오후": "p"}.get((before or "").strip(), (before or "")[:1].lower()) or None
    if sign and int(hours) > _MOST_OFFSET:
        return None
    offset = f"{sign}{int(hours):02}:{minutes or '00'}" if sign else "Z" if zone else ""
    return _iso((year, month, day, _hour(hour, half), minute, second), offset)


def _parse_year_last(text: str, day_first: bool | None) -> str | None:
    match = _YEAR_LAST.fullmatch(text)
    if not match:
        return None
    first, separator, second, year, hour, minute, rest, half = match.groups()
    if separator == "." and int(second) <= 12:
        day_first = True  # nobody writes months first with points
    if int(first) > 12 or first == second or (day_first is True and int(second) <= 12):
        day, month = first, second
    elif int(second) > 12 or day_first is False:
        day, month = second, first
    else:
        return None
    return _iso((_full_year(year), month, day, _hour(hour, half), minute, rest))


def _full_year(year: str) -> str:
    if len(year) == 4:
        return year
    return f"{'19' if int(year) >= _PIVOT else '20'}{year}"


def _hour(hour: str | None, half: str | None) -> str | None:
    """Bring an hour of the twelve-hour clock, with "a" or "p" as its half of the day, to that of the day."""
    if hour is None or half is None:
        return hour
    if not 1 <= int(hour) <= 12:
        return hour
    return str(int(hour) % 12 + (12 if half.lower() == "p" else 0))


def _iso(parts: Sequence[str | None], offset: str = "") -> str:
    year, month, day, hour, minute, second = (int(part or 0) for part in parts)
    date = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - archives give local time
    return date.isoformat() + offset if parts[3] is not None else date.date().isoformat()


def _parse_iso(text: str) -> str | None:
    if not _ISO.match(text):
        return None
    if " " in text[11:]:
        text = _BLANK_BEFORE_OFFSET.sub("", text).replace("UTC", "Z").replace("GMT", "Z")
    datetime.fromisoformat(text)
    return text.replace(" ", "T", 1)


def _parse_compact(text: str) -> str | None:
    match = _COMPACT.fullmatch(text)
    return _iso(match.groups()[:6], match[7]) if match else None


def _parse_east_asian(text: str) -> str | None:
    match = _EAST_ASIAN.match(text)
    return _iso(match.groups()) if match else None


def _parse_month(text: str) -> str | None:
    """Read a month of a year that is written in numbers."""
    if match := _YEAR_AND_MONTH.fullmatch(text):
        return _month_of(match[1] or match[3], match[2] or match[4])
    match = _MONTH_AND_YEAR.fullmatch(text)
    return _month_of(match[2], match[1]) if match else None


def _month_of(year: str, month: str | int) -> str:
    return f"{datetime(int(year), int(month), 1):%Y-%m}"  # noqa: DTZ001 - archives give local time


def _parse_epoch(text: str) -> str | None:
    if match := _EPOCH_OF_NET.fullmatch(text):
        text = match[1]
    if not _EPOCH.fullmatch(text):
        return None
    seconds = float(text)
    if seconds > _LAST_EPOCH_IN_SECONDS:
        seconds /= 1000
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


def _parse_named(text: str) -> str | None:
    """Read a date with a month's name, in any order: weekday, day, year, time and offset around it."""
    text = _SHORT_YEAR.sub(r"\1 \3 '\4", text, count=1)
    words = _WORD.findall(text)
    if not 1 <= len(words) <= _MOST_WORDS:
        return None
    months = {month for word in words if (month := _month(word)) is not None}
    if len(months) != 1:
        return None
    offset, rest = _offset(text)
    time = _TIME.search(rest)
    hour = minute = second = None
    if time is not None:
        hour, minute, second = _hour(time[1], time[4]), time[2], time[3]
        rest = f"{rest[: time.start()]} {rest[time.end() :]}"
    year = _YEAR.search(rest)
    if year is None:
        return None
    rest = f"{rest[: year.start()]} {rest[year.end() :]}"
    days, of_year = _DAY.findall(rest), year[1] or _full_year(year[2])
    if not days and time is None and year[1] and len(words) <= _MOST_WORDS_BESIDE_A_MONTH:
        return _month_of(of_year, months.pop())
    if len(days) != 1:
        return None
    parts = (of_year, str(months.pop()), days[0], hour, minute, second)
    return _iso(parts, offset if hour is not None else "")


def _offset(text: str) -> tuple[str, str]:
    """Part the offset from UTC off a text: (as ISO 8601 has it, the rest of the text)."""
    match = _OFFSET.search(text)
    if match is None:
        return "", text
    offset = f"{match[1]}{match[2]}:{match[3]}" if match[1] else "Z"
    return offset, f"{text[: match.start()]} {text[match.end() :]}"


@lru_cache(maxsize=512)
def _month(word: str) -> int | None:
    return _MONTH_OF.get(_fold(word.lower()))


def _parse_mail(text: str) -> str | None:
    if not _MAIL.fullmatch(text):
        return None
    from email.utils import parsedate_to_datetime  # here, because it takes a while and searching seldom needs it

    return parsedate_to_datetime(text).isoformat()


def _fold(word: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKD", word) if not unicodedata.combining(letter))


_MONTH_OF = {
    **{_fold(name): number for number, names in enumerate(_MONTHS, start=1) for name in names.split()},
    **{_fold(name): number for name, number in _SHORT.items()},
}
