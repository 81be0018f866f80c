"""Mailboxes (mbox) and single messages (.eml): threads whose first message asks and whose replies answer."""

from __future__ import annotations

import codecs
import re
import sqlite3
from collections.abc import Iterator
from email import message_from_bytes, message_from_string
from email.errors import MessageError
from email.message import Message as Mail
from functools import partial
from itertools import takewhile

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply, post_too_long, short_date
from qa_search.archives.formats.labels import bare_question, find_labels
from qa_search.archives.formats.mail_threads import (
    author_of,
    header,
    insert,
    next_number,
    store_message,
    text_of_mail,
    threaded,
)
from qa_search.archives.formats.saved_pages import is_saved_page
from qa_search.archives.limits import format_size
from qa_search.types import Post, SetAside
from qa_search.util.text import clean_text

_FROM_LINE = re.compile(rb"From \S[^\n]{0,200}\d{4}[^\n]{0,20}\r?\n")
_HEADER_LINE = re.compile(rb"[A-Za-z][A-Za-z0-9-]{0,60}:[ \t\r\n]")
_HEADERS = frozenset((b"subject", b"date", b"message-id", b"received", b"mime-version", b"to", b"content-type"))
_OF_PROGRAMS = frozenset(("message-id", "received", "mime-version", "content-type", "to", "newsgroups"))
# What parts the sections of a digest (RFC 1153), and the header that each begins with.
_DIGEST_LINE = re.compile(r"^-{20,}[ \t]*\n\s*(?=(?:[A-Z][A-Za-z-]*:[^\n]*\n){0,10}Subject:)", re.MULTILINE)
_DIGEST_END = re.compile(r"^-{20,}[ \t]*\n\s*End of [^\n]{0,200}(?:\n\*{4,})?\s*\Z", re.MULTILINE | re.IGNORECASE)
_HEADER_ENDS = re.compile(rb"\n\r?\n")
_MOST_HEADER = 1 << 20
_FEWEST_SECTIONS = 2
_READ_AT_ONCE = 1 << 16


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
        yield from threaded(file, partial(_store, file, options=options), options)


def _is_form(text: str) -> bool:
    """Return whether a text has no header that only programs write, and its body begins with a labelled question."""
    header, _, body = text.replace("\r\n", "\n").partition("\n\n")
    names = {line.partition(":")[0].strip().lower() for line in header.split("\n")}
    if names & _OF_PROGRAMS:
        return False
    lines = body.strip().split("\n")
    labels = find_labels(lines)
    return labels is not None and (labels.of(lines[0]) or ("",))[0] == "question"


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
        if len(data) > _MOST_HEADER and not _HEADER_ENDS.search(data, 0, _MOST_HEADER):
            # The parser takes ten times the memory of a header.
            yield file.set_aside(place, f"a message whose header is longer than {format_size(_MOST_HEADER)}")
            continue
        try:
            mail = message_from_bytes(data)
            sections = _sections(text_of_mail(mail))
            messages = [section for section in sections if section.get("From")]
            for message in messages or ([] if sections else [mail]):
                store_message(rows, number, message, options)
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
    question, answer = bare_question(header(section, "Subject")), clean_text(str(section.get_payload())).strip()
    answer = re.sub(r"\n-{20,}\s*\Z", "", answer).strip()
    if len(question) + len(answer) > options.limits.post_characters:
        raise ValueError(post_too_long(options))
    number = next_number(rows)
    author, date = author_of(digest), short_date(header(digest, "Date"))
    for following, row in enumerate(((None, date, question), (author, date, answer))):
        insert(rows, (number + following, place, number, following, None, "", *row, ""))
