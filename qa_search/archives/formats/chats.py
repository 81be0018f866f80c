"""Chats written out as text (WhatsApp, LINE, KakaoTalk, IRC, ``Name: text``) -> a post for each question.

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
from qa_search.archives.formats.chat_lines import (
    MOST_LINE,
    PLAIN,
    STYLES,
    UNTIMED,
    Message,
    day_of_name,
    messages_in,
    plain_line,
)
from qa_search.archives.formats.labels import seems_to_ask
from qa_search.archives.formats.plan import NO_FIELD
from qa_search.archives.formats.records import content_id
from qa_search.archives.formats.roles import is_weak, role_of
from qa_search.archives.formats.speakers import side_of_name
from qa_search.archives.formats.subtitles import SUFFIXES, turns
from qa_search.archives.formats.values import join_answers
from qa_search.types import AnswerPart, Post, SetAside
from qa_search.util.dates import day_order, is_ambiguous
from qa_search.util.text import clean_text

# What stands for a picture, a file or a message that was deleted, and what the program says.
_NOT_SAID = re.compile(
    r"<[^<>]{3,60}>|\[(?:photo|sticker|video|file|voice message|album|写真|スタンプ|動画|사진|이모티콘)\]"
    r"|\S+\.\w{2,4} \([^()]{3,40}\)|.{0,20}(?:image|video|audio|sticker|gif|document|contact card) omitted"
    r"|(?:this message was deleted|you deleted this message|(?:diese nachricht wurde|du hast diese nachricht) gelöscht"
    r"|se eliminó este mensaje|ce message a été supprimé|missed (?:voice|video) call)\.?"
    r"|messages and calls are end-to-end encrypted\b.*|nachrichten und anrufe sind ende-zu-ende-verschlüsselt\b.*",
    re.IGNORECASE,
)
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
_FEWEST_WORDS = 8  # of a turn that does not ask, and says more than "Thank you, that helps"
_UNTIMED_SHARE = 0.6
_SHOWN = 5
# Who speaks may be named so; what else has a role by its name is a field of a record.
_OF_PEOPLE = frozenset(("question", "answer", "author"))
# After a pause, what is written is another question.
_PAUSE = timedelta(hours=1)


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
        self._styles = [style for style in STYLES if (style == PLAIN) is plain]

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """Most of its first lines begin messages as one of the programs writes them."""
        text = file.head_text
        suffixes = ("", ".txt", ".text", ".log", ".irc", ".weechatlog", *(SUFFIXES if PLAIN in self._styles else ()))
        if text is None or file.suffix not in suffixes:
            return False
        return self._style(_said(file, text)) is not None

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside]:
        """Yield a post for each question.

        Raises:
            UnknownFormatError: if it is not known who answers.
        """
        text = _said(file, file.head_text or "")
        style = self._style(text)
        assert style is not None  # noqa: S101 - it was recognised
        day = day_of_name(file.name)
        head = list(messages_in(enumerate(text.splitlines()[:_HEAD_LINES], start=1), style, day))
        yield from chat_posts(file, head, messages_in(_lines(file, options), style, day), options)

    def _style(self, text: str) -> str | None:
        lines = [plain_line(line) for line in text.splitlines()[:_STYLE_LINES] if line.strip()]
        for style in self._styles:
            matches = [match for line in lines if (match := STYLES[style].fullmatch(line[:MOST_LINE]))]
            names = Counter(match["name"].strip() for match in matches if match["name"])
            if sum(names.values()) < _FEWEST_MESSAGES or len(names) < len(("one", "another")):
                continue
            if style == UNTIMED and sum(names.values()) < _UNTIMED_SHARE * len(lines):
                continue
            if style != PLAIN or _is_transcript(names, len(lines)):
                return style
        return None


def chat_posts(
    file: ArchiveFile, head: Sequence[Message], messages: Iterable[Message], options: ReadOptions
) -> Iterator[Post | SetAside]:
    """Yield a post for each question of a chat, whose first messages show who answers.

    Raises:
        UnknownFormatError: if it is not known who answers.
    """
    answering, asking = _sides(file, head, options)
    yield from talk_posts(file, messages, answering, asking, dates_day_first(file, head), options)


def _is_transcript(names: Counter[str], lines: int) -> bool:
    """Return whether names before colons are those of people who speak by turns, and not labels of all kinds."""
    roles = {known[0] for name in names if (known := role_of(name)) and not is_weak(known[1])}
    if len(roles - _OF_PEOPLE) > 1:
        return False  # the fields of a record: its id, its subject, its date
    repeated = sum(count for count in names.values() if count > 1)
    return (
        lines >= _FEWEST_LINES
        and len(names) <= _MOST_SPEAKERS
        and repeated >= _PLAIN_SHARE * lines
        and all(len(name.split()) <= len(("Ann", "Maria", "van", "Dam")) for name in names)
    )


def _said(file: ArchiveFile, text: str) -> str:
    """Return a text, or what is said in it if it is one of subtitles."""
    return "\n".join(turns(text.splitlines())) if file.suffix in SUFFIXES else text


def _lines(file: ArchiveFile, options: ReadOptions) -> Iterator[tuple[int, str]]:
    lines = _numbered(file, options)
    return enumerate(turns(line for _, line in lines), start=1) if file.suffix in SUFFIXES else lines


def _numbered(file: ArchiveFile, options: ReadOptions) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(file.lines(options), start=1):
        if line is None:
            raise file.record_over_limit(options, f"line {number}")
        yield number, line


def _sides(file: ArchiveFile, head: Sequence[Message], options: ReadOptions) -> tuple[str, str]:
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
        f"such as field_map={ ({'answer': example})!r}, or the only one who asks, such as "
        f"field_map={ ({'question': first})!r}",
        "",
    )


def _interviewer(head: Sequence[Message]) -> str:
    """Return which of two speakers asks: nearly all turns of this one ask, and hardly any of the other; "" if not."""
    turns: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for message in head:
        if message.stamp:
            return ""  # messages with times are a chat, in which both may ask
        turns[message.name] += 1
        asked[message.name] += any(mark in line for line in message.lines for mark in "?？؟")
    if len(turns) != len(("one", "other")) or min(turns.values()) < _FEWEST_TURNS:
        return ""
    for one, other in (tuple(turns), tuple(reversed(turns))):
        if asked[one] >= _ASKS * turns[one] and asked[other] <= _HARDLY * turns[other]:
            return one
    return ""


def dates_day_first(file: ArchiveFile, head: Sequence[Message]) -> bool | None:
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


def talk_posts(
    file: ArchiveFile,
    messages: Iterable[Message],
    answering: str,
    asking: str,
    day_first: bool | None,
    options: ReadOptions,
) -> Iterator[Post | SetAside]:
    """Yield a post for each question of a chat, where it is known who answers, or else who asks."""
    talk: _Talk | None = None
    last: datetime | None = None
    left_out = 0
    interview = bool(asking) and asking != options.field_map.get("question")
    for message in messages:
        text = clean_text("\n".join(message.lines))
        if len(message.lines) > 1 and text[:1] == text[-1:] == '"':
            text = text[1:-1]  # as LINE writes several lines
        if not text or _NOT_SAID.fullmatch(text[:MOST_LINE]):
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
        goes_on = seems_to_ask(text) or (interview and len(text.split()) >= _FEWEST_WORDS)
        again = talk is None or (talk.answers and (paused or goes_on or message.name != talk.author))
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
        file.log.omit("pictures, files, and what the program wrote", left_out)


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
