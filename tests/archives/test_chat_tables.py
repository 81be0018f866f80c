"""Databases of chat programs: what others write is asked, the owner of the device answers."""

# ruff: noqa: E501, S608 - tables and values as those programs have them

from __future__ import annotations

import time
from pathlib import Path

import pytest

from qa_search.archives.read import Reading, ReadOptions, read_archives
from qa_search.types import Post
from tests.archives.samples import sqlite_file
from tests.helpers import posts_in

_APPLE = 978_307_200  # 2001 began so many seconds after 1970
_TIME = 1_577_959_200  # 2020-01-02 10:00
_BODY = b"\x04\x0bstreamtyped\x81\xe8\x03\x84\x01@\x84\x84\x84\x12NSAttributedString\x00\x84\x84\x08NSString\x01\x94\x84\x01+"
_LONG = "Descale it. " * 20
# The chat, whether it is of the owner, the writer, seconds after the first message, the text.
_SAID = (
    (1, 0, 1, 0, "My kettle leaks."),
    (1, 0, 1, 5, "What now?"),
    (1, 1, 0, 60, _LONG),
    (2, 0, 2, 30, "Open on Sunday?"),
    (2, 1, 0, 90, "No."),
    (1, 0, 1, 7200, "Refunds?"),
    (1, 1, 0, 7260, "Within 14 days."),
)


def _rows(table: str, form: str, rest: str = "") -> str:
    values = (
        form.format(c=chat, me=own, who=who, t=_TIME + after, text=text, n=n)
        for n, (chat, own, who, after, text) in enumerate(_SAID, start=1)
    )
    return "".join(f"INSERT INTO {table} VALUES ({row});" for row in values) + rest


def _attributed(text: str) -> str:
    data = text.encode()
    length = bytes((len(data),)) if len(data) < 128 else b"\x81" + len(data).to_bytes(2, "little")
    return (_BODY + length + data + b"\x86\x84").hex()


DATABASES: dict[str, tuple[str, str]] = {
    "WhatsApp": (
        "msgstore.db",
        "CREATE TABLE message (_id INTEGER PRIMARY KEY, chat_row_id, from_me, sender_jid_row_id, timestamp, text_data,"
        " message_type); CREATE TABLE chat (_id INTEGER PRIMARY KEY, jid_row_id, subject);"
        "CREATE TABLE jid (_id INTEGER PRIMARY KEY, user, server);"
        "INSERT INTO jid VALUES (1,'ann','x'),(2,'eve','x'); INSERT INTO chat VALUES (1,1,NULL),(2,2,NULL);"
        + _rows("message", "{n},{c},{me},0,{t}000,'{text}',0", "INSERT INTO message VALUES (99,1,0,0,1,NULL,1);"),
    ),
    "WhatsApp of 2020": (
        "msgstore.db",
        "CREATE TABLE messages (_id INTEGER PRIMARY KEY, key_remote_jid, key_from_me, key_id, status, data, timestamp,"
        " remote_resource);"
        + _rows(
            "messages",
            "{n},CASE {c} WHEN 1 THEN 'ann' ELSE 'eve' END,{me},'k',0,'{text}',{t}000,''",
            "INSERT INTO messages VALUES (99,'ann',1,'k',6,'You added Ann',1,'');",
        ),
    ),
    "WhatsApp of Apple": (
        "ChatStorage.sqlite",
        "CREATE TABLE ZWAMESSAGE (Z_PK INTEGER PRIMARY KEY, ZCHATSESSION, ZISFROMME, ZFROMJID, ZMESSAGEDATE, ZTEXT);"
        + _rows(
            "ZWAMESSAGE", f"{{n}},{{c}},{{me}},CASE {{c}} WHEN 1 THEN 'ann' ELSE 'eve' END,{{t}}-{_APPLE}.0,'{{text}}'"
        ),
    ),
    "Signal": (
        "signal.db",
        "CREATE TABLE message (_id INTEGER PRIMARY KEY, thread_id, from_recipient_id, date_sent, type, body);"
        "CREATE TABLE recipient (_id INTEGER PRIMARY KEY, e164, profile_joined_name);"
        "INSERT INTO recipient VALUES (1,'+1','ann'),(2,'eve',NULL);"
        + _rows(
            "message",
            "{n},{c},{who},{t}000,10485760 + 20 + 3*{me},'{text}'",
            "INSERT INTO message VALUES (99,1,1,1,10551316,'CgQIARAB');",
        ),
    ),
    "Signal on computers": (
        "plain.db",
        "CREATE TABLE messages (id, conversationId, type, sent_at, body);"
        "CREATE TABLE conversations (id, name, profileFullName);"
        "INSERT INTO conversations VALUES (1,'ann',NULL),(2,NULL,'eve');"
        + _rows("messages", "{n},{c},CASE {me} WHEN 1 THEN 'outgoing' ELSE 'incoming' END,{t}000,'{text}'"),
    ),
    "iMessage": (
        "chat.db",
        "CREATE TABLE message (guid, text, handle_id, date, is_from_me, associated_message_type);"
        "CREATE TABLE chat_message_join (chat_id, message_id); CREATE TABLE handle (id);"
        "INSERT INTO handle VALUES ('ann'),('eve');"
        + _rows("message", f"'g','{{text}}',{{who}},({{t}}-{_APPLE})*1000000000,{{me}},0")
        + _rows("chat_message_join", "{c},{n}")
        + "INSERT INTO message VALUES ('g','Liked it',1,1,0,2001); INSERT INTO chat_message_join VALUES (1,8);",
    ),
    "iMessage of today": (
        "chat.db",
        "CREATE TABLE message (guid, text, handle_id, date, is_from_me, associated_message_type, attributedBody);"
        "CREATE TABLE chat_message_join (chat_id, message_id); CREATE TABLE handle (id);"
        "INSERT INTO handle VALUES ('ann'),('eve');"
        + "".join(
            f"INSERT INTO message VALUES ('g',NULL,{who},({_TIME + after}-{_APPLE})*1000000000,{own},0,x'{_attributed(text)}');"
            f"INSERT INTO chat_message_join VALUES ({chat},{number});"
            for number, (chat, own, who, after, text) in enumerate(_SAID, start=1)
        ),
    ),
}


@pytest.mark.parametrize("program", DATABASES)
def test_each_question_of_a_chat_is_a_post(program: str, tmp_path: Path) -> None:
    """Chats are kept apart, and what the program writes itself is left out; a remark says who answers."""
    name, made = DATABASES[program]
    sqlite_file(tmp_path / name, made)
    reading = Reading()
    posts = [item for item in read_archives([tmp_path / name], reading=reading) if isinstance(item, Post)]
    assert [(post.author, post.question, post.answer, post.date) for post in posts] == [
        ("ann", "My kettle leaks.\nWhat now?", _LONG.strip(), "2020-01-02T10:00:00"),
        ("ann", "Refunds?", "Within 14 days.", "2020-01-02T12:00:00"),
        ("eve", "Open on Sunday?", "No.", "2020-01-02T10:00:30"),
    ]
    assert {part.author for post in posts for part in post.answers} == {"me"}
    assert any("whose device it is was taken for the answers" in remark for remark in reading.reports[0].remarks)


def test_the_field_map_says_who_asks_or_answers(tmp_path: Path) -> None:
    """By a name, or as the owner."""
    sqlite_file(tmp_path / "chat.db", DATABASES["iMessage"][1])
    for field_map, expected in (
        ({"question": "me"}, [("No.", "")]),
        ({"answer": "eve"}, [(_LONG.strip(), ""), ("Within 14 days.", "")]),
    ):
        items = list(read_archives([tmp_path / "chat.db"], ReadOptions(field_map=field_map)))
        found = [(item.question, item.answer) for item in items if isinstance(item, Post)]
        assert set(expected) <= {(question.split("\n")[-1], answer) for question, answer in found}, found


def test_many_messages_are_read_in_time(tmp_path: Path) -> None:
    """Whatever values stand in their columns."""
    made = DATABASES["iMessage"][1] + (
        "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i+1 FROM n WHERE i < 50000) INSERT INTO message "
        "SELECT 'g', CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN x'00ff' ELSE 'Why ' || i || '?' END, i, "
        "CASE i % 4 WHEN 0 THEN 'x' WHEN 1 THEN 1e300 ELSE i END, i % 5, 0 FROM n;"
        "INSERT INTO chat_message_join SELECT rowid % 7, rowid FROM message;"
    )
    sqlite_file(tmp_path / "chat.db", made)
    began = time.monotonic()
    assert len(posts_in(tmp_path / "chat.db")) > 1000
    assert time.monotonic() - began < 30
