"""The lines of a chat as programs write it out -> its messages: who wrote what, and when."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from qa_search.util.text import clean_text

_DAY = (
    r"(?:\d{4}[./-] ?\d{1,2}[./-] ?\d{1,2}\.?|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{1,2}[-. ][A-Za-z]{3}[-. ]\d{2,4}"
    r"|\d{4}[년年] ?\d{1,2}[월月] ?\d{1,2}[일日]|[A-Z][a-z]{2,8} \d{1,2}, \d{4})"
)
_TIME = (
    r"(?:(?P<before>오전|오후|上午|下午|午前|午後) ?)?(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2}))?"
    r"(?: ?(?P<half>[ap])\.? ?m\.?)?"
)
_STAMP = rf"(?P<day>{_DAY}),?(?: at| um| a las| à| kl\.?)? {_TIME}"
_NAME = r"(?P<name>[^\n:]{1,60}?)"
_REST = r" ?(?P<text>.*)"
_NICK = r"[@+%&~! ]?(?P<name>[^\s<>@+%&~!][^\s<>]{0,59})"
PLAIN = "Name: text"
UNTIMED = "<Name> text"
_IRC = ("time <Name> text", "date time, tab, Name, tab, text", UNTIMED)
# How programs begin a message. Any other line belongs to the message above it, but in IRC, whose lines are messages.
STYLES: dict[str, re.Pattern[str]] = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        # Without a name: what the program says, such as who left.
        "[date, time] Name: text": rf"\[{_STAMP}\] (?:{_NAME}:{_REST}|.*)",
        "date, time - Name: text": rf"{_STAMP} [-–] (?:{_NAME}:{_REST}|.*)",
        "Name, [date time]": rf"{_NAME}, \[{_STAMP}\]:?{_REST}",
        _IRC[0]: (
            rf"\[?(?:{_STAMP}|(?:(?P<month>[A-Z][a-z]{{2}} {{1,2}}\d{{1,2}}) )?{_TIME.replace('?P<', '?P<t')})\]?\s"
            rf"<{_NICK}>\s{_REST}"
        ),
        "[date time] Name": rf"\[{_STAMP}\] {_NAME}(?P<text>)",
        "time, tab, Name, tab, text": rf"{_TIME}\t(?P<name>[^\t\n]{{1,60}})\t(?P<text>.*)",
        "[Name] [time] text": rf"\[(?P<name>[^\]\n]{{1,60}})\] \[{_TIME}\]{_REST}",
        "date time, Name : text": rf"{_STAMP}, (?:{_NAME} :{_REST}|(?P<event>[^:]*))",
        "time, Name : text": rf"{_TIME}, {_NAME} :{_REST}",
        _IRC[1]: rf"{_STAMP}\t(?!(?:-->|<--|--|\*|=!=)\t){_NICK}\t(?P<text>.*)",
        UNTIMED: rf"<{_NICK}>\s(?P<text>.*)",
        PLAIN: rf"(?P<name>[^\W\d_][^\n:\[\]()<>|/\t]{{0,39}}):{_REST}",
    }.items()
}
# Where the times of a day stand below its date: LINE, KakaoTalk, and programs for IRC.
_DATE_LINE = re.compile(rf"(?:\w{{2,4}}, )?(?P<day>{_DAY})(?: ?\(?\w{{1,12}}\)?)?")
_BEGUN = re.compile(
    r"(?:-{3,}|\*{4}|Session (?:Start|Time):) ?(?:Log opened|Day changed|BEGIN LOGGING AT)? ?(?P<said>.{6,60}?)[ -]*"
)
_NAMED_DAY = re.compile(
    r"(?:[^\W\d_]{2,9},? )?(?:(?P<year>\d{4})[년年] ?(?P<m>\d{1,2})[월月] ?(?P<d>\d{1,2})[일日](?: \w{1,4})?"
    r"|(?P<month>[A-Z][a-z]{2})[a-z]{0,6} {1,2}(?P<of>\d{1,2})(?: \d\d:\d\d:\d\d)?,? (?P<in>\d{4}))"
)
_IN_NAME = re.compile(r"(?<!\d)((?:19|20)\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")
_AFTERNOON = frozenset(("오후", "下午", "午後", "p"))
_INVISIBLE = dict.fromkeys(map(ord, "\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2068\u2069\ufeff"))
_SPACES = str.maketrans({"\u202f": " ", "\xa0": " "})
# WhatsApp of Apple marks so what it says itself, in any language: a message, or what stands behind one ("<edited>").
_BY_PROGRAM = re.compile(r"[\u200e\u202a\ufeff]*\[[^\]\n]{6,40}\] [^\n:]{1,60}: \u200e")
_MARKED = re.compile(r" ?\u200e<[^<>\n]{3,80}>")
_EDITED = re.compile(
    r" <(?:this message was edited|diese nachricht wurde bearbeitet|se editó este mensaje"
    r"|ce message a été modifié)\.?>$",
    re.IGNORECASE,
)
MOST_LINE = 400  # characters of a line that are looked at for its beginning
_LONGEST_DATE = 80


@dataclass
class Message:
    """A message: the line that it begins in, who wrote it, its time as it stands there, and its lines."""

    line: int
    name: str
    stamp: str
    lines: list[str] = field(default_factory=list)
    characters: int = 0


def plain_line(line: str) -> str:
    """Return a line without its end and invisible marks."""
    return line.translate(_INVISIBLE).translate(_SPACES).rstrip("\r\n")


def day_of_name(name: str) -> str:
    """Return the day that a file's name has, as the logs of IRC are named; "" if it has no day."""
    found = _IN_NAME.search(PurePosixPath(name).name)
    return f"{found[1]}-{found[3]}-{found[4]}" if found else ""


def messages_in(lines: Iterable[tuple[int, str]], style: str, day: str = "") -> Iterator[Message]:
    """Part a chat, whose first messages are of a day, into its messages; what programs say in it is left out."""
    pattern = STYLES[style]
    message: Message | None = None
    for number, given in lines:
        line = _EDITED.sub("", plain_line(_MARKED.sub("", given)))
        match = pattern.fullmatch(line[:MOST_LINE])
        if match is None:
            if found_day := _day_in(line, style):
                day = found_day
            elif message is not None and style not in _IRC:
                message.lines.append(line)
            continue
        if message is not None:
            yield message
        found = {name.removeprefix("t"): value for name, value in match.groupdict().items() if value is not None}
        found["text"] = match.groupdict().get("text") or ""
        name = "" if _BY_PROGRAM.match(given) else clean_text((match["name"] or "").strip(" ~"))
        if "month" in found:
            day = f"{found['month']} {day[-4:] if day[-4:].isdecimal() else day[:4]}"
        stamp = _stamp({"day": day, **found}) if style not in (PLAIN, UNTIMED) else ""
        message = Message(number, name, stamp, [found["text"] + line[MOST_LINE:]]) if name else None
    if message is not None:
        yield message


def _day_in(line: str, style: str) -> str:
    """Return the day that a line between messages names, "" for another line."""
    line = line.strip()
    if len(line) > _LONGEST_DATE or style == PLAIN:
        return ""
    begun = _BEGUN.fullmatch(line)
    if (date := _DATE_LINE.fullmatch(begun["said"] if begun else line)) and "day" not in STYLES[style].groupindex:
        return date["day"]
    named = _NAMED_DAY.fullmatch(begun["said"] if begun else line)
    if named is None or not (begun or named["year"]):
        return ""
    return (
        f"{named['year']}-{named['m']}-{named['d']}"
        if named["year"]
        else f"{named['month']} {named['of']} {named['in']}"
    )


def _stamp(found: dict[str, str]) -> str:
    """Return the time of a message as `parse_date` reads it; "" if it is missing."""
    day = re.sub(r"(?<=\d)[-. ](?=[A-Za-z])|(?<=[A-Za-z])[-. ](?=\d)", " ", found.get("day", "").rstrip("."))
    day = re.sub(r"[년年월月] ?", "-", day).rstrip("일日")
    day = re.sub(r"(?<=[./-]) ", "", day)
    if not day or "hour" not in found:
        return day
    hour, half = int(found["hour"]), (found.get("half") or found.get("before") or "").lower()
    if half:
        hour = hour % 12 + 12 * (half in _AFTERNOON)
    year_first = day[:4].isdecimal()
    day = day.replace(".", "-") if year_first else day
    return f"{day} {hour:02}:{found['minute']}" + (f":{found['second']}" if "second" in found else "")
