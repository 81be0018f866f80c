"""The database of a chat program on a phone or a computer (WhatsApp, Signal, iMessage) -> a post for each question.

What others write is asked, and what the one writes whose device it is answers, unless the field map says otherwise.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from qa_search.archives.base import ArchiveFile, ReadOptions
from qa_search.archives.formats.chat_lines import Message
from qa_search.archives.formats.chats import talk_posts
from qa_search.archives.formats.plan import NO_FIELD
from qa_search.types import Post, SetAside
from qa_search.util.text import clean_text

_ME = "me"
_UNKNOWN = "someone"
_APPLE = datetime(2001, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Apple counts seconds since 2001, or (in larger numbers) their billionths.
_MOST_SECONDS = 10**11
_STRING, _LONG = b"NSString", 0x81
_MOST_NAME = 100
_Rows = Callable[[sqlite3.Connection, str], Iterator[tuple[Any, ...]]]


@dataclass(frozen=True)
class _Program:
    """A program: the tables and columns that it must have, and the query for its messages in their order.

    A row has the chat, whether it is of the owner, who wrote it, when, and its text.
    """

    name: str
    needs: Mapping[str, Sequence[str]]
    sql: str
    apple: bool = False
    optional: tuple[str, str] = ("", "")  # a column of the first table that older ones lack, and what stands for it


_PROGRAMS = (
    _Program(
        "WhatsApp",
        {
            "message": ("_id", "chat_row_id", "from_me", "sender_jid_row_id", "timestamp", "text_data"),
            "chat": ("_id", "jid_row_id", "subject"),
            "jid": ("_id", "user"),
        },
        "SELECT m.chat_row_id, m.from_me, coalesce(s.user, c.subject, j.user), m.timestamp, m.text_data FROM message m "
        "LEFT JOIN chat c ON c._id = m.chat_row_id LEFT JOIN jid j ON j._id = c.jid_row_id "
        "LEFT JOIN jid s ON s._id = m.sender_jid_row_id WHERE m.text_data IS NOT NULL "
        "ORDER BY m.chat_row_id, m.timestamp, m._id",
    ),
    _Program(
        "WhatsApp",
        {"messages": ("_id", "key_remote_jid", "key_from_me", "remote_resource", "status", "timestamp", "data")},
        "SELECT key_remote_jid, key_from_me, coalesce(nullif(remote_resource, ''), key_remote_jid), timestamp, data "
        "FROM messages WHERE data IS NOT NULL AND status IS NOT 6 ORDER BY key_remote_jid, timestamp, _id",
    ),
    _Program(
        "WhatsApp",
        {"ZWAMESSAGE": ("Z_PK", "ZCHATSESSION", "ZISFROMME", "ZFROMJID", "ZMESSAGEDATE", "ZTEXT")},
        "SELECT ZCHATSESSION, ZISFROMME, ZFROMJID, ZMESSAGEDATE, ZTEXT FROM ZWAMESSAGE WHERE ZTEXT IS NOT NULL "
        "ORDER BY ZCHATSESSION, ZMESSAGEDATE, Z_PK",
        apple=True,
    ),
    _Program(
        "Signal",  # the kinds of messages that people write are 20 (received) to 26; other bits mean events
        {
            "message": ("_id", "thread_id", "from_recipient_id", "date_sent", "type", "body"),
            "recipient": ("_id", "profile_joined_name", "e164"),
        },
        "SELECT m.thread_id, m.type & 31 > 20, coalesce(r.profile_joined_name, r.e164), m.date_sent, m.body "
        "FROM message m LEFT JOIN recipient r ON r._id = m.from_recipient_id WHERE m.body IS NOT NULL "
        "AND m.type & 31 BETWEEN 20 AND 26 AND m.type & 1048320 = 0 ORDER BY m.thread_id, m.date_sent, m._id",
    ),
    _Program(
        "Signal",
        {"messages": ("conversationId", "type", "sent_at", "body"), "conversations": ("id", "name", "profileFullName")},
        "SELECT m.conversationId, m.type = 'outgoing', coalesce(c.name, c.profileFullName), m.sent_at, m.body "
        "FROM messages m LEFT JOIN conversations c ON c.id = m.conversationId WHERE m.body IS NOT NULL "
        "AND m.type IN ('incoming', 'outgoing') ORDER BY m.conversationId, m.sent_at",
    ),
    _Program(
        "iMessage",
        {
            "message": ("text", "handle_id", "date", "is_from_me", "associated_message_type"),
            "chat_message_join": ("chat_id", "message_id"),
            "handle": ("id",),
        },
        "SELECT j.chat_id, m.is_from_me, h.id, m.date, coalesce(m.text, {}) FROM message m "
        "JOIN chat_message_join j ON j.message_id = m.ROWID LEFT JOIN handle h ON h.ROWID = m.handle_id "
        "WHERE coalesce(m.associated_message_type, 0) = 0 ORDER BY j.chat_id, m.date, m.ROWID",
        apple=True,
        optional=("attributedBody", "NULL"),
    ),
)


def chat_posts_of_tables(
    file: ArchiveFile,
    rows: sqlite3.Connection,
    tables: Mapping[str, Sequence[str]],
    each: _Rows,
    options: ReadOptions,
) -> Iterator[Post | SetAside] | None:
    """Yield a post for each question of a chat program's database; None for another database.

    ``each`` runs a query and yields its rows.
    """
    if {"question", "answer"} <= options.field_map.keys():
        return None  # whoever names both means columns
    for program in _PROGRAMS:
        if all(set(columns) <= set(tables.get(table, ())) for table, columns in program.needs.items()):
            column, other = program.optional
            first = next(iter(program.needs))
            query = program.sql.format(f"m.{column}" if column in tables[first] else other)
            return _posts(file, program, each(rows, query), options)
    return None


def _posts(
    file: ArchiveFile, program: _Program, rows: Iterator[tuple[Any, ...]], options: ReadOptions
) -> Iterator[Post | SetAside]:
    asking = options.field_map.get("question", NO_FIELD)
    asking = "" if asking == NO_FIELD else asking
    answering = "" if asking else options.field_map.get("answer", _ME)
    if not asking and answering == _ME:
        file.log.remark(
            f"chats of {program.name}: what the one writes whose device it is was taken for the answers; if that one "
            f"asks, build with field_map={ ({'question': _ME})!r}"
        )
    numbered = ((number, row) for number, row in enumerate(rows, start=1))
    for _, chat in groupby(numbered, key=lambda one: str(one[1][0])):
        yield from talk_posts(file, _messages(program, chat), answering, asking, None, options)


def _messages(program: _Program, chat: Iterator[tuple[int, tuple[Any, ...]]]) -> Iterator[Message]:
    for number, (_, own, name, when, given) in chat:
        text = _attributed(given) if isinstance(given, bytes) else given
        if isinstance(text, str) and text.strip():
            writer = _ME if own == 1 else clean_text(str(name or ""))[:_MOST_NAME] or _UNKNOWN
            yield Message(number, writer, _stamp(when, apple=program.apple), text.split("\n"))


def _stamp(when: object, *, apple: bool) -> str:
    """Return a time as text; "" if it is missing or beyond what dates can have."""
    if not isinstance(when, int | float):
        return ""
    seconds = when / (10**9 if abs(when) > _MOST_SECONDS else 1) if apple else when / 1000
    try:
        return ((_APPLE if apple else _EPOCH) + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError):
        return ""


def _attributed(data: bytes) -> str:
    """Return the text of a string with attributes as Apple stores it: behind its class, with its length."""
    rest = data.partition(_STRING)[2][5:]
    if not rest:
        return ""
    start, length = (3, int.from_bytes(rest[1:3], "little")) if rest[0] == _LONG else (1, rest[0])
    return rest[start : start + length].decode("utf-8", "replace")
