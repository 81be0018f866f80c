"""Messages of mail -> posts: in a thread, the first message asks and the replies of others answer."""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message as Mail
from email.utils import parseaddr
from itertools import takewhile
from pathlib import Path

from lxml import etree

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply, post_too_long, short_date
from qa_search.archives.encodings import declared_encoding, decode_text, detect_encoding
from qa_search.archives.formats.html_text import html_to_text
from qa_search.archives.formats.records import content_id
from qa_search.archives.formats.threads import Message, thread_post
from qa_search.archives.formats.trees import element_text, parse_tree
from qa_search.types import AnswerPart, Post, SetAside
from qa_search.util.text import clean_text

_REPLY = re.compile(r"^\s*(?:(?:re|aw|sv|antw|wg|fwd?|tr|rv|odp|回复|答复)(?:\[\d+\])?\s*[:：]\s*)+", re.IGNORECASE)
_LIST_TAG = re.compile(r"^\s*\[[^\]]{1,40}\]\s*")
_ATTRIBUTION = re.compile(
    r"(?:.*\b(?:wrote|writes|said|schrieb|schreibt|escribió|ha scritto|écrit|skrev|napisał\w*|написал\w*)\b"
    r".{0,200}[:：]\s*"
    r"|.*<[^<>@\s]+@[^<>\s]+>.{0,40}[:：]\s*)",
    re.IGNORECASE,
)
_SENDER = re.compile(r"[ *]*(?:from|von|de|da|van|от)[ *]*:", re.IGNORECASE)
_SENT = re.compile(r"[ *]*(?:sent|gesendet|envoyé|enviado|inviato|verzonden|date|datum|fecha)[ *]*:", re.IGNORECASE)
_RECIPIENT = re.compile(r"[ *]*(?:to|an|à|para|a|aan|кому)[ *]*:", re.IGNORECASE)
_HEADER_LINES = 6
_NOT_XML = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]")
# Blockquotes of messages, not of people who quote a book.
_QUOTED_MESSAGE = (
    ".//blockquote[not(ancestor::blockquote)][@cite or @type='cite' or contains(@style, 'border-left') "
    "or ancestor-or-self::*[contains(@class, 'quote')]]"
)
# The first line of an attribution that goes on in the next one.
_ATTRIBUTION_BEGINS = re.compile(r"\s*(?:on|am|le|el|il|em|den|op|dnia|w dniu)\b.*\d.*", re.IGNORECASE)
# From here on a message repeats another, or its list's footer follows.
_REST_IS_OTHERS = re.compile(
    r"\s*(?:-{2,}\s*(?:original message|forwarded message|ursprüngliche nachricht|message d'origine|mensaje original)"
    r"\s*-{2,}"
    r"|_{30,}|-{30,})\s*",
    re.IGNORECASE,
)
# What a list's archive writes where it took a part of a message out.
_TAKEN_OUT = re.compile(
    r"^-{8,} next part -{8,}\n"
    r"(?:[^\n]*\bwas scrubbed\.\.\.\n(?:[A-Z][A-Za-z-]*:[^\n]*(?:\n|\Z)|<?https?:[^\n]*(?:\n|\Z))*)?",
    re.MULTILINE,
)
_MOST_HEADER = 1000
_MOST_PARTS = 1000
_MOST_REFERENCES = 100
_TABLES = """
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
CREATE TABLE message (
    number INTEGER PRIMARY KEY, place INTEGER, thread INTEGER, reply INTEGER, id, subject, author, date, text, quoted
);
CREATE INDEX message_thread ON message (thread);
CREATE TABLE known (id TEXT PRIMARY KEY, thread INTEGER);
CREATE TABLE subject (subject TEXT PRIMARY KEY, thread INTEGER);
"""


# A stored message: id, subject, author, date, text, quotation, and whether it replies.
_Row = tuple[str | None, str, str, str | None, str, str, int]


def posts_of_mails(
    file: ArchiveFile, mails: Iterable[Mail | SetAside], options: ReadOptions
) -> Iterator[Post | SetAside | Reply]:
    """Yield the threads of messages that have no ids, and so belong together by their subjects.

    Raises:
        DamagedArchiveError: if the scratch disk is full.
    """

    def store(rows: sqlite3.Connection) -> Iterator[SetAside]:
        for number, mail in enumerate(mails, start=1):
            if isinstance(mail, SetAside):
                yield mail
                continue
            try:
                store_message(rows, number, mail, options, by_subject=True)
            except (MessageError, ValueError, LookupError, RecursionError) as error:
                yield file.set_aside(f"message {number}", f"a message that cannot be read ({str(error)[:100]})")
        rows.commit()

    yield from threaded(file, store, options)


def threaded(
    file: ArchiveFile, store: Callable[[sqlite3.Connection], Iterator[SetAside]], options: ReadOptions
) -> Iterator[Post | SetAside | Reply]:
    """Yield the threads of the messages that are stored, in a scratch database on disk.

    Raises:
        DamagedArchiveError: if the scratch disk is full.
    """
    try:
        with (
            tempfile.TemporaryDirectory(prefix="qa-search-") as scratch,
            closing(sqlite3.connect(Path(scratch, "messages"))) as rows,
        ):
            rows.executescript(_TABLES)
            yield from store(rows)
            yield from _threads(file, rows, options)
    except sqlite3.Error as error:
        raise file.damaged(f"its messages cannot be sorted in {tempfile.gettempdir()} ({error})") from error


def next_number(rows: sqlite3.Connection) -> int:
    """Return the number of the next message that is stored."""
    return int(rows.execute("SELECT coalesce(max(number), 0) + 1 FROM message").fetchone()[0])


def insert(rows: sqlite3.Connection, row: tuple[object, ...]) -> None:
    """Store a message: its number, its place, its thread, whether it replies, and a `_Row` without that."""
    rows.execute("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def store_message(
    rows: sqlite3.Connection, place: int, mail: Mail, options: ReadOptions, *, by_subject: bool = False
) -> None:
    """Store a message under its thread; ``by_subject`` says that it may come after replies to it, which only name it.

    Raises:
        ValueError: if its text is longer than a post may be, or cannot be read.
    """
    subject = header(mail, "Subject")
    replies = _REPLY.match(_LIST_TAG.sub("", subject)) is not None
    topic = topic_of(subject)
    text, quoted = _said(text_of_mail(mail))
    if len(text) + len(quoted) > options.limits.post_characters:
        raise ValueError(post_too_long(options))
    own = _ids(header(mail, "Message-ID"))[:1]
    above = _ids(header(mail, "References"))[-_MOST_REFERENCES:] + _ids(header(mail, "In-Reply-To"))[:1]
    number = next_number(rows)
    named = replies or bool(above) or (by_subject and _waits(rows, topic))
    thread = _thread(rows, own + above[::-1], topic if named else "") or number
    rows.executemany("INSERT OR IGNORE INTO known VALUES (?, ?)", [(name, thread) for name in (*own, *above)])
    rows.execute("INSERT OR IGNORE INTO subject VALUES (?, ?)", (topic.lower(), thread))
    row = (number, place, thread, replies or bool(above), own[0] if own else None, topic, author_of(mail),
           short_date(header(mail, "Date")), text, quoted)  # fmt: skip
    insert(rows, row)


def topic_of(subject: str) -> str:
    """Return a subject without the tag of its list and the marks of replies."""
    return " ".join(_LIST_TAG.sub("", _REPLY.sub("", _LIST_TAG.sub("", subject))).split())


def _thread(rows: sqlite3.Connection, ids: list[str], topic: str) -> int | None:
    """Find the thread that one of the ids is known in, or a reply's subject."""
    for name in ids:
        if found := rows.execute("SELECT thread FROM known WHERE id = ?", (name,)).fetchone():
            return int(found[0])
    found = rows.execute("SELECT thread FROM subject WHERE subject = ?", (topic.lower(),)).fetchone() if topic else None
    return None if found is None else int(found[0])


def _waits(rows: sqlite3.Connection, topic: str) -> bool:
    """Return whether a subject is that of replies whose first message has not come yet."""
    asks = "SELECT min(reply) FROM message WHERE thread = (SELECT thread FROM subject WHERE subject = ?)"
    return bool(rows.execute(asks, (topic.lower(),)).fetchone()[0])


def _threads(file: ArchiveFile, rows: sqlite3.Connection, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
    order = "SELECT thread, sum(length(text)), min(place) FROM message GROUP BY thread ORDER BY min(number)"
    for thread, characters, place in rows.execute(order).fetchall():
        if characters > options.limits.record_bytes:
            yield file.set_aside(f"message {place}", post_too_long(options))
            continue
        found = rows.execute(
            "SELECT id, subject, author, date, text, quoted, reply FROM message WHERE thread = ? "
            "ORDER BY reply, number",
            (thread,),
        ).fetchall()
        post = _post(file, found)
        if post.question or post.answer:
            file.log.took("question", "first message of a thread" if post.question else "")
            file.log.took("answer", "replies", bool(post.answer))
            yield _part(rows, found[0], post) if len(found) == 1 and found[0][0] else post
        else:
            yield file.set_aside(f"message {place}", "a message without text")


def _post(file: ArchiveFile, rows: list[_Row]) -> Post:
    """Make a post of a thread; if the first message is missing, the first reply's quotation is the question."""
    messages = [Message(text, author or None, date, name) for name, _, author, date, text, _, _ in rows]
    name, subject, _, _, _, quoted, reply = rows[0]
    if reply:
        messages = [Message(quoted), *messages]
    source_id = name or content_id("", subject, messages[0].text, messages[-1].text)
    return thread_post(file, subject, messages, source=file.source, source_id=source_id)


def _part(rows: sqlite3.Connection, message: _Row, post: Post) -> Post | Reply:
    """Return a part of a conversation for a file's only message, by the ids that it names; else the post."""
    if rows.execute("SELECT count(*) FROM message").fetchone()[0] > 1:
        return post
    own, _, author, date, text, *_ = message
    names = [name for (name,) in rows.execute("SELECT id FROM known ORDER BY rowid LIMIT 2")]
    part = AnswerPart(0, 0, own, author=author or None, date=date)
    return Reply(names[-1], text, part, "message 1", "someone", author, post, across=True)


def text_of_mail(mail: Mail) -> str:
    """Return a message's text: its plain part, else its HTML part as text."""
    plain: list[str] = []
    rich: list[str] = []
    for count, part in enumerate(mail.walk()):
        if count > _MOST_PARTS:
            break
        if part.is_multipart() or part.get_filename() or part.get_content_disposition() == "attachment":
            continue
        kind = part.get_content_type()
        if kind in ("text/plain", "text/html"):
            (plain if kind == "text/plain" else rich).append(_decoded(part))
    if any(text.strip() for text in plain):
        return "\n\n".join(plain)
    return "\n\n".join(html_to_text(_with_quotations(text)) for text in rich)


def _with_quotations(markup: str) -> str:
    """Write the quoted messages of an HTML message as plain text has them, behind ">"."""
    if "<blockquote" not in markup.lower():
        return markup
    html_to_text(markup)  # refuses what is nested too deep
    try:
        tree = parse_tree(markup)
    except ValueError:  # too long for a tree
        return markup
    for quote in [] if tree is None else tree.xpath(_QUOTED_MESSAGE):
        lines = _NOT_XML.sub("", clean_text(element_text(quote))).split("\n")
        tail = quote.tail
        quote.clear()
        quote.tag, quote.tail = "div", tail
        for line in lines:
            etree.SubElement(quote, "div").text = f"> {line}"
    return markup if tree is None else str(etree.tostring(tree, encoding="unicode", method="html"))


def _decoded(part: Mail) -> str:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return ""
    charset = declared_encoding(part.get_content_charset() or "")
    if charset is not None:
        return data.decode(charset, "replace")
    return decode_text(data, detect_encoding(data) or "utf-8")


def _said(text: str) -> tuple[str, str]:
    """Split a message into its own text and its quotations, without signature, attribution and footers."""
    said: list[str] = []
    quoted: list[str] = []
    lines = clean_text(_TAKEN_OUT.sub("", text.replace("\r\n", "\n"))).split("\n")
    for number, line in enumerate(lines):
        if line.rstrip() == "--":
            break
        if _SENDER.match(line) and _begins_header(lines[number : number + _HEADER_LINES]):
            quoted = quoted or _original(lines[number:])
            break
        if _REST_IS_OTHERS.fullmatch(line[:200]):
            quoted = quoted or _original(lines[number + 1 :])
            break
        if line.startswith((">", "|>", " >")):
            while said and not said[-1].strip():
                said.pop()
            del said[len(said) - _attribution_lines(said) :]
            quoted.append(re.sub(r"^[ |]?>[ ]?", "", line))
        else:
            said.append(line)
    first = "\n".join(line for line in quoted if not line.startswith(">") and not _ATTRIBUTION.fullmatch(line[:500]))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(said)).strip(), re.sub(r"\n{3,}", "\n\n", first).strip()


def _begins_header(lines: list[str]) -> bool:
    """Return whether lines after a sender are the header that some programs put above the message that is answered."""
    return any(map(_SENT.match, lines)) and any(map(_RECIPIENT.match, lines))


def _attribution_lines(said: list[str]) -> int:
    """Return how many of the last lines say who wrote what follows: 0, 1 or, where a program broke the line, 2."""
    last, before = (said[-1][:500], "".join(said[-2:-1])[:250]) if said else ("", "")
    alone = bool(_ATTRIBUTION.fullmatch(last))
    if alone and not (_ATTRIBUTION_BEGINS.fullmatch(before) and not _ATTRIBUTION_BEGINS.fullmatch(last)):
        return 1
    return 2 if before.strip() and _ATTRIBUTION.fullmatch(f"{before} {last}") else 0


def _original(lines: list[str]) -> list[str]:
    """Return the message that follows another one in its text, without its header; [] for a footer."""
    start = next((number for number, line in enumerate(lines) if not line.strip()), len(lines))
    if not any(re.match(r"(?:from|von|de|da|от)\s*:", line.strip(" *"), re.IGNORECASE) for line in lines[:start]):
        return []
    return list(
        takewhile(lambda line: not _REST_IS_OTHERS.fullmatch(line[:200]) and line.rstrip() != "--", lines[start:])
    )


def header(mail: Mail, name: str) -> str:
    """Read a header, its encoded words decoded where they can be."""
    value = str(mail.get(name, ""))[: _MOST_HEADER * 10]
    if name != "References":
        value = value[:_MOST_HEADER]
    if "=?" in value:
        with suppress(MessageError, ValueError, LookupError):
            value = str(make_header(decode_header(value)))
    return clean_text(value)


def author_of(mail: Mail) -> str:
    """Return the sender's name, or else the part of the address before the @."""
    value = header(mail, "From")
    name, address = parseaddr(value)
    if not name and (named := re.search(r"\(([^()]+)\)\s*$", value)):
        name = named[1]  # "ann at example.org (Ann)", as Mailman's archives have it
    return clean_text(name or address.partition("@")[0])


def _ids(text: str) -> list[str]:
    return re.findall(r"<([^<>\s]{1,300})>", text)
