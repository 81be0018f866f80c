"""Mailboxes (mbox) and single messages (.eml): threads whose first message asks and whose replies answer."""

from __future__ import annotations

import codecs
import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from email import message_from_bytes, message_from_string
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message as Mail
from email.utils import parseaddr
from functools import partial
from itertools import takewhile
from pathlib import Path

from lxml import etree

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply, post_too_long, short_date
from qa_search.archives.encodings import declared_encoding, decode_text, detect_encoding
from qa_search.archives.formats.html_text import html_to_text
from qa_search.archives.formats.labels import bare_question, find_labels
from qa_search.archives.formats.records import content_id
from qa_search.archives.formats.saved_pages import is_saved_page
from qa_search.archives.formats.threads import Message, thread_post
from qa_search.archives.formats.trees import element_text, parse_tree
from qa_search.types import AnswerPart, Post, SetAside
from qa_search.util.text import clean_text

_FROM_LINE = re.compile(rb"From \S[^\n]{0,200}\d{4}[^\n]{0,20}\r?\n")
_HEADER_LINE = re.compile(rb"[A-Za-z][A-Za-z0-9-]{0,60}:[ \t\r\n]")
_HEADERS = frozenset((b"subject", b"date", b"message-id", b"received", b"mime-version", b"to", b"content-type"))
_OF_PROGRAMS = frozenset(("message-id", "received", "mime-version", "content-type", "to", "newsgroups"))
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
# What parts the sections of a digest (RFC 1153), and the header that each begins with.
_DIGEST_LINE = re.compile(r"^-{20,}[ \t]*\n\s*(?=(?:[A-Z][A-Za-z-]*:[^\n]*\n){0,10}Subject:)", re.MULTILINE)
_DIGEST_END = re.compile(r"^-{20,}[ \t]*\n\s*End of [^\n]{0,200}(?:\n\*{4,})?\s*\Z", re.MULTILINE | re.IGNORECASE)
_FEWEST_SECTIONS = 2
_MOST_HEADER = 1000
_MOST_PARTS = 1000
_MOST_REFERENCES = 100
_READ_AT_ONCE = 1 << 16
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


class MailReader:
    """Reads mailboxes: a post per thread, by the headers that replies carry, and by their subjects.

    Messages are kept in a scratch database on disk until the end of the file, as a reply may stand anywhere.
    """

    name = "mail"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """The line that parts a mailbox's messages, or a message's header."""
        return (
            _is_mailbox(file.head) or (_is_message(file.head) and not _is_form(file.head_text or ""))
        ) and not is_saved_page(file)

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
        """Yield the threads in the order of their first messages; a message alone, to be joined with other files."""
        yield from _threaded(file, partial(_store, file, options=options), options)


def _is_form(text: str) -> bool:
    """Return whether a text has no header that only programs write, and its body begins with a labelled question."""
    header, _, body = text.replace("\r\n", "\n").partition("\n\n")
    names = {line.partition(":")[0].strip().lower() for line in header.split("\n")}
    if names & _OF_PROGRAMS:
        return False
    lines = body.strip().split("\n")
    labels = find_labels(lines)
    return labels is not None and (labels.of(lines[0]) or ("",))[0] == "question"


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
                _store_message(rows, number, mail, options, by_subject=True)
            except (MessageError, ValueError, LookupError, RecursionError) as error:
                yield file.set_aside(f"message {number}", f"a message that cannot be read ({str(error)[:100]})")
        rows.commit()

    yield from _threaded(file, store, options)


def _threaded(
    file: ArchiveFile, store: Callable[[sqlite3.Connection], Iterator[SetAside]], options: ReadOptions
) -> Iterator[Post | SetAside | Reply]:
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


def _is_mailbox(head: bytes) -> bool:
    head = head.removeprefix(codecs.BOM_UTF8)
    first = _FROM_LINE.match(head)
    return first is not None and _HEADER_LINE.match(head, first.end()) is not None


def _is_message(head: bytes) -> bool:
    names = set()
    for line in takewhile(bytes.strip, head.removeprefix(codecs.BOM_UTF8)[: 1 << 15].splitlines()):
        if line[:1] not in b" \t":
            if not _HEADER_LINE.match(line + b"\n"):
                return False
            names.add(line.partition(b":")[0].lower())
    return b"from" in names and len(names & _HEADERS) > 1


def _store(file: ArchiveFile, rows: sqlite3.Connection, *, options: ReadOptions) -> Iterator[SetAside]:
    for number, data in enumerate(_messages(file, options), start=1):
        place = f"message {number}"
        if data is None:
            yield file.set_aside(place, file.record_over_limit(options).reason)
            continue
        try:
            mail = message_from_bytes(data)
            sections = _sections(_text(mail))
            messages = [section for section in sections if section.get("From")]
            for message in messages or ([] if sections else [mail]):
                _store_message(rows, number, message, options)
            for section in [] if messages else sections:
                _store_section(rows, number, mail, section, options)
            if sections:
                file.log.remark("what stands around the sections of a digest is left out")
        except (MessageError, ValueError, LookupError, RecursionError, TypeError, AttributeError) as error:
            yield file.set_aside(place, f"a message that cannot be read ({str(error)[:100] or type(error).__name__})")
    rows.commit()


def _messages(file: ArchiveFile, options: ReadOptions) -> Iterator[bytes | None]:
    """Split a mailbox at lines that begin with "From " after a blank line; None for a message over the limit."""
    limit = options.limits.record_bytes
    single = not _is_mailbox(file.head)
    held: list[bytes] = []
    size = 0
    after_blank = True
    with file.open() as stream:
        start = len(codecs.BOM_UTF8) * file.head.startswith(codecs.BOM_UTF8)
        stream.read(start)
        while line := stream.readline(_READ_AT_ONCE):
            if after_blank and not single and _FROM_LINE.match(line):
                if size:
                    yield b"".join(held) if size <= limit else None
                held, size = [], 0
            else:
                size += len(line)
                if size <= limit:
                    held.append(line[1:] if line.startswith(b">From ") else line)
                else:
                    held.clear()
            after_blank = line in (b"\n", b"\r\n")
    if size:
        yield b"".join(held) if size <= limit else None


def _sections(text: str) -> list[Mail]:
    """Split a digest into its sections, each with a header of its own; [] for another text."""
    text = text.replace("\r\n", "\n")
    if "\nSubject:" not in text:
        return []
    _, *parts = _DIGEST_LINE.split(_DIGEST_END.sub("", text))
    return [message_from_string(part) for part in parts] if len(parts) >= _FEWEST_SECTIONS else []


def _store_section(rows: sqlite3.Connection, place: int, digest: Mail, section: Mail, options: ReadOptions) -> None:
    """Store a section of a digest whose subject asks and whose text answers, as a thread of its own.

    Raises:
        ValueError: as `_store_message` does.
    """
    question, answer = bare_question(_header(section, "Subject")), clean_text(str(section.get_payload())).strip()
    answer = re.sub(r"\n-{20,}\s*\Z", "", answer).strip()
    if len(question) + len(answer) > options.limits.post_characters:
        raise ValueError(post_too_long(options))
    number = _next_number(rows)
    author, date = _author(digest), short_date(_header(digest, "Date"))
    for following, row in enumerate(((None, date, question), (author, date, answer))):
        _insert(rows, (number + following, place, number, following, None, "", *row, ""))


def _next_number(rows: sqlite3.Connection) -> int:
    return int(rows.execute("SELECT coalesce(max(number), 0) + 1 FROM message").fetchone()[0])


def _insert(rows: sqlite3.Connection, row: tuple[object, ...]) -> None:
    rows.execute("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def _store_message(
    rows: sqlite3.Connection, place: int, mail: Mail, options: ReadOptions, *, by_subject: bool = False
) -> None:
    """Store a message under its thread; ``by_subject`` says that it may come after replies to it, which only name it.

    Raises:
        ValueError: if its text is longer than a post may be, or cannot be read.
    """
    subject = _header(mail, "Subject")
    replies = _REPLY.match(_LIST_TAG.sub("", subject)) is not None
    topic = " ".join(_LIST_TAG.sub("", _REPLY.sub("", _LIST_TAG.sub("", subject))).split())
    text, quoted = _said(_text(mail))
    if len(text) + len(quoted) > options.limits.post_characters:
        raise ValueError(post_too_long(options))
    own = _ids(_header(mail, "Message-ID"))[:1]
    above = _ids(_header(mail, "References"))[-_MOST_REFERENCES:] + _ids(_header(mail, "In-Reply-To"))[:1]
    number = _next_number(rows)
    named = replies or bool(above) or (by_subject and _waits(rows, topic))
    thread = _thread(rows, own + above[::-1], topic if named else "") or number
    rows.executemany("INSERT OR IGNORE INTO known VALUES (?, ?)", [(name, thread) for name in (*own, *above)])
    rows.execute("INSERT OR IGNORE INTO subject VALUES (?, ?)", (topic.lower(), thread))
    row = (number, place, thread, replies or bool(above), own[0] if own else None, topic, _author(mail),
           short_date(_header(mail, "Date")), text, quoted)  # fmt: skip
    _insert(rows, row)


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


def _text(mail: Mail) -> str:
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


def _header(mail: Mail, name: str) -> str:
    """Read a header, its encoded words decoded where they can be."""
    value = str(mail.get(name, ""))[: _MOST_HEADER * 10]
    if name != "References":
        value = value[:_MOST_HEADER]
    if "=?" in value:
        with suppress(MessageError, ValueError, LookupError):
            value = str(make_header(decode_header(value)))
    return clean_text(value)


def _author(mail: Mail) -> str:
    """Return the sender's name, or else the part of the address before the @."""
    value = _header(mail, "From")
    name, address = parseaddr(value)
    if not name and (named := re.search(r"\(([^()]+)\)\s*$", value)):
        name = named[1]  # "ann at example.org (Ann)", as Mailman's archives have it
    return clean_text(name or address.partition("@")[0])


def _ids(text: str) -> list[str]:
    return re.findall(r"<([^<>\s]{1,300})>", text)
