"""Chats written out as text (WhatsApp, LINE, Telegram, Signal, Skype, ``Name: text``) -> a post for each question.

Who answers is named by ``field_map`` (``answer=NAME``, or ``question=NAME`` for the one who asks), or by a name such as
"Support"; else the chat is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from qa_search.archives.base import ArchiveFile, ReadOptions, post_too_long, short_date
from qa_search.archives.formats.labels import seems_to_ask
from qa_search.archives.formats.plan import NO_FIELD
from qa_search.archives.formats.records import content_id
from qa_search.archives.formats.speakers import side_of_name
from qa_search.archives.formats.values import join_answers
from qa_search.types import AnswerPart, Post, SetAside
from qa_search.util.dates import day_order, is_ambiguous
from qa_search.util.text import clean_text, counted

_DAY = r"(?:\d{4}[./-] ?\d{1,2}[./-] ?\d{1,2}\.?|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{1,2}[-. ][A-Za-z]{3}[-. ]\d{2,4})"
_TIME = (
    r"(?:(?P<before>오전|오후|上午|下午|午前|午後) ?)?(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2}))?"
    r"(?: ?(?P<half>[ap])\.? ?m\.?)?"
)
_STAMP = rf"(?P<day>{_DAY}),?(?: at| um| a las| à| kl\.?)? {_TIME}"
_NAME = r"(?P<name>[^\n:]{1,60}?)"
_REST = r" ?(?P<text>.*)"
# How programs begin a message. Any other line belongs to the message above it.
_STYLES: dict[str, re.Pattern[str]] = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "[date, time] Name: text": rf"\[{_STAMP}\] (?:{_NAME}:{_REST})?",
        "date, time - Name: text": rf"{_STAMP} [-–] (?:{_NAME}:{_REST})?",
        "Name, [date time]": rf"{_NAME}, \[{_STAMP}\]:?{_REST}",
        "[date time] Name": rf"\[{_STAMP}\] {_NAME}(?P<text>)",
        "time, tab, Name, tab, text": rf"{_TIME}\t(?P<name>[^\t\n]{{1,60}})\t(?P<text>.*)",
        "Name: text": rf"(?P<name>[^\W\d_][^\n:\[\]()<>|/\t]{{0,39}}):{_REST}",
    }.items()
}
_PLAIN = "Name: text"
# Below these dates LINE writes the times of a day.
_DATE_LINE = re.compile(rf"(?:\w{{2,4}}, )?(?P<day>{_DAY})(?: ?\(?\w{{1,12}}\)?)?")
_AFTERNOON = frozenset(("오후", "下午", "午後", "p"))
_INVISIBLE = dict.fromkeys(map(ord, "\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2068\u2069\ufeff"))
_BLANKS = str.maketrans({"\u202f": " ", "\xa0": " "})
# What stands for a picture, a file or a message that was deleted, and what the program says.
_NOT_SAID = re.compile(
    r"<[^<>]{3,60}>|\[(?:photo|sticker|video|file|voice message|album|写真|スタンプ|動画|사진|이모티콘)\]"
    r"|\S+\.\w{2,4} \([^()]{3,40}\)|.{0,20}(?:image|video|audio|sticker|gif|document|contact card) omitted"
    r"|(?:this message was deleted|you deleted this message|diese nachricht wurde gelöscht|se eliminó este mensaje"
    r"|ce message a été supprimé|missed (?:voice|video) call)\.?"
    r"|messages and calls are end-to-end encrypted\b.*|nachrichten und anrufe sind ende-zu-ende-verschlüsselt\b.*",
    re.IGNORECASE,
)
_MOST_LINE = 400  # characters of a line that are looked at for its beginning
_HEAD_LINES = 3000
_STYLE_LINES = 300
_FEWEST_MESSAGES = 3
_FEWEST_LINES = 4  # of a transcript without times
_MOST_SPEAKERS = 30
_MOST_SHOWN = 40
_PLAIN_SHARE = 0.4
# Of an interview: how many turns each has, and how many of them ask.
_FEWEST_TURNS = 3
_ASKS, _HARDLY = 0.8, 0.15
_SHOWN = 5
# After a pause, what is written is another question.
_PAUSE = timedelta(hours=1)


@dataclass
class _Message:
    line: int
    name: str
    stamp: str
    lines: list[str] = field(default_factory=list)
    characters: int = 0


@dataclass
class _Talk:
    """A question that is being gathered, with its answers."""

    line: int
    author: str
    date: str | None
    asked: list[str]
    answers: list[tuple[str, str | None, list[str]]] = field(default_factory=list)
    characters: int = 0


class ChatReader:
    """Reads chats: what others write before the one who answers is a question, and what that one writes its answer."""

    def __init__(self, *, plain: bool = False) -> None:
        """Take the chats whose messages have times, or else those that have names alone."""
        self.name = "transcript" if plain else "chat"
        self._styles = [style for style in _STYLES if (style == _PLAIN) is plain]

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """Most of its first lines begin messages as one of the programs writes them."""
        text = file.head_text
        if text is None or file.suffix not in ("", ".txt", ".text", ".log"):
            return False
        return self._style(text) is not None

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside]:
        """Yield a post for each question.

        Raises:
            UnknownFormatError: if it is not known who answers.
        """
        text = file.head_text or ""
        style = self._style(text)
        assert style is not None  # noqa: S101 - it was recognised
        head = list(_messages(enumerate(text.splitlines()[:_HEAD_LINES], start=1), style))
        answering, asking = _sides(file, head, options)
        day_first = _day_first(file, head)
        yield from _posts(file, _messages(_lines(file, options), style), answering, asking, day_first, options)

    def _style(self, text: str) -> str | None:
        lines = [_plain(line) for line in text.splitlines()[:_STYLE_LINES] if line.strip()]
        for style in self._styles:
            matches = [match for line in lines if (match := _STYLES[style].fullmatch(line[:_MOST_LINE]))]
            names = Counter(match["name"].strip() for match in matches if match["name"])
            if sum(names.values()) < _FEWEST_MESSAGES or len(names) < len(("one", "another")):
                continue
            if style != _PLAIN or _is_transcript(names, len(lines)):
                return style
        return None


def _is_transcript(names: Counter[str], lines: int) -> bool:
    """Return whether names before colons are those of people who speak by turns, and not labels of all kinds."""
    repeated = sum(count for count in names.values() if count > 1)
    return (
        lines >= _FEWEST_LINES
        and len(names) <= _MOST_SPEAKERS
        and repeated >= _PLAIN_SHARE * lines
        and all(len(name.split()) <= len(("Ann", "Maria", "van", "Dam")) for name in names)
    )


def _plain(line: str) -> str:
    return line.translate(_INVISIBLE).translate(_BLANKS).rstrip("\r\n")


def _lines(file: ArchiveFile, options: ReadOptions) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(file.lines(options), start=1):
        if line is None:
            raise file.record_over_limit(options, f"line {number}")
        yield number, line


def _messages(lines: Iterable[tuple[int, str]], style: str) -> Iterator[_Message]:
    """Part a chat into its messages; what programs say in it is left out."""
    pattern = _STYLES[style]
    message: _Message | None = None
    day = ""
    for number, given in lines:
        line = _plain(given)
        match = pattern.fullmatch(line[:_MOST_LINE])
        if match is None:
            if "day" not in pattern.groupindex and (date := _DATE_LINE.fullmatch(line.strip()[:60])):
                day = date["day"]
            elif message is not None:
                message.lines.append(line)
            continue
        if message is not None:
            yield message
        found = match.groupdict()
        name = clean_text((found["name"] or "").strip(" ~"))
        stamp = _stamp({"day": day, **found}) if style != _PLAIN else ""
        message = _Message(number, name, stamp, [(found["text"] or "") + line[_MOST_LINE:]]) if name else None
    if message is not None:
        yield message


def _stamp(found: dict[str, str | None]) -> str:
    """Return the time of a message as `parse_date` reads it; "" if it is missing."""
    day = re.sub(r"(?<=\d)[-. ](?=[A-Za-z])|(?<=[A-Za-z])[-. ](?=\d)", " ", (found["day"] or "").rstrip("."))
    day = re.sub(r"(?<=[./-]) ", "", day)
    if not day or found["hour"] is None:
        return day
    hour, half = int(found["hour"]), (found["half"] or found["before"] or "").lower()
    if half:
        hour = hour % 12 + 12 * (half in _AFTERNOON)
    year_first = day[:4].isdecimal()
    day = day.replace(".", "-") if year_first else day
    return f"{day} {hour:02}:{found['minute']}" + (f":{found['second']}" if found["second"] else "")


def _sides(file: ArchiveFile, head: Sequence[_Message], options: ReadOptions) -> tuple[str, str]:
    """Return the name of the one who answers, or of the one who asks: the other is "".

    Raises:
        UnknownFormatError: if neither is known.
    """
    names = Counter(message.name for message in head)
    named = {role: name for role in ("answer", "question") if (name := options.field_map.get(role, NO_FIELD)) in names}
    if named:
        role, name = next(iter(named.items()))
        return (name, "") if role == "answer" else ("", name)
    staff = [name for name in names if side_of_name(name) == "staff"]
    if len(staff) == 1:
        file.log.remark(f"{staff[0]!r} was taken for the one who answers, by the name")
        return staff[0], ""
    if asking := _interviewer(head):
        file.log.remark(f"{asking!r} was taken for the one who asks: nearly all that this one says are questions")
        return "", asking
    shown = ", ".join(f"{name[:_MOST_SHOWN]} ({count})" for name, count in names.most_common(_SHOWN))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    # Who speaks first asks, as a rule.
    first = next(iter(names))
    example = next((name for name, _ in names.most_common() if name != first), first)
    given = options.field_map.get("answer") or options.field_map.get("question")
    raise file.unknown(
        f"a chat of {shown}{more}{f', in which {given!r} wrote nothing' if given else ''}: name the one who answers, "
        f"such as field_map={ ({'answer': example[:_MOST_SHOWN]})!r}, or the only one who asks, such as "
        f"field_map={ ({'question': first[:_MOST_SHOWN]})!r}",
        "",
    )


def _interviewer(head: Sequence[_Message]) -> str:
    """Return the one of two speakers who asks nearly always, where the other hardly does; "" if there is none."""
    turns: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for message in head:
        if message.stamp:
            return ""  # a chat, in which either may be asked
        turns[message.name] += 1
        asked[message.name] += any(mark in line for line in message.lines for mark in "?？؟")
    if len(turns) != len(("one", "other")) or min(turns.values()) < _FEWEST_TURNS:
        return ""
    for one, other in (tuple(turns), tuple(reversed(turns))):
        if asked[one] >= _ASKS * turns[one] and asked[other] <= _HARDLY * turns[other]:
            return one
    return ""


def _day_first(file: ArchiveFile, head: Sequence[_Message]) -> bool | None:
    """Return whether dates name the day first: as one of them shows, or by the order of the messages."""
    stamps = [message.stamp for message in head if message.stamp]
    known = day_order(stamps)
    if known is not None or not any(map(is_ambiguous, stamps)):
        return known
    orders = {order: [short_date(stamp, order) or "" for stamp in stamps] for order in (True, False)}
    rising = [order for order, dates in orders.items() if dates == sorted(dates)]
    if len(rising) == 1:
        return rising[0]
    file.log.remark(
        f"dates such as {stamps[0]!r} could mean two days, and no other date shows which: they are left out"
    )
    return None


def _posts(
    file: ArchiveFile,
    messages: Iterable[_Message],
    answering: str,
    asking: str,
    day_first: bool | None,
    options: ReadOptions,
) -> Iterator[Post | SetAside]:
    talk: _Talk | None = None
    last: datetime | None = None
    left_out = 0
    for message in messages:
        text = clean_text("\n".join(message.lines))
        if len(message.lines) > 1 and text[:1] == text[-1:] == '"':
            text = text[1:-1]  # as LINE writes several lines
        if not text or _NOT_SAID.fullmatch(text[:_MOST_LINE]):
            left_out += bool(text)
            continue
        date = short_date(message.stamp, day_first) if message.stamp else None
        time = datetime.fromisoformat(date) if date else None
        paused = time is not None and last is not None and not timedelta(0) <= time - last <= _PAUSE
        last = time or last
        if message.name == answering or (asking and message.name != asking):
            file.log.took("answer", answering or "messages of others")
            if talk is None:
                file.log.omit("messages of those who answer that no question came before")
            else:
                _answer(talk, message.name, date, text)
            continue
        file.log.took("question", asking or "messages of others")
        again = talk is None or (talk.answers and (paused or seems_to_ask(text) or message.name != talk.author))
        if again or talk is None or (paused and not talk.answers):
            if talk is not None:
                yield _post(file, talk, options)
            talk = _Talk(message.line, message.name, date, [text], characters=len(text))
        elif talk.answers:
            file.log.omit("later messages of the one who asked")
        else:
            talk.asked.append(text)
            talk.characters += len(text)
    if talk is not None:
        yield _post(file, talk, options)
    if left_out:
        file.log.remark(f"{counted(left_out, 'message')} left out: pictures, files, and what the program wrote")


def _answer(talk: _Talk, name: str, date: str | None, text: str) -> None:
    talk.characters += len(text)
    if talk.answers and talk.answers[-1][0] == name:
        talk.answers[-1][2].append(text)
    else:
        talk.answers.append((name, date, [text]))


def _post(file: ArchiveFile, talk: _Talk, options: ReadOptions) -> Post | SetAside:
    if talk.characters > options.limits.post_characters:
        return file.set_aside(f"line {talk.line}", post_too_long(options))
    question = "\n".join(talk.asked)
    answer, parts = join_answers(
        ("\n".join(texts), AnswerPart(0, 0, author=name, date=date)) for name, date, texts in talk.answers
    )
    source_id = content_id(talk.date or "", "", question, answer)
    return Post(
        source=file.source,
        source_id=source_id,
        question=question,
        answer=answer,
        date=talk.date,
        author=talk.author,
        answers=parts,
    )
