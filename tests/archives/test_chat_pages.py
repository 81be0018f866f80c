"""Chats that programs write as web pages: who asked what, and what replied to it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from qa_search.archives.read import Reading, ReadOptions, read_archives
from qa_search.errors import UnknownFormatError
from qa_search.types import Post, SetAside
from tests.helpers import posts_in

DATE = "03.02.2021 16:27:30 UTC+01:00"


def said(number: int, name: str, text: str, *, reply: str = "", media: str = "") -> str:
    """Write a message as Telegram Desktop does; one without a name goes on from the one above."""
    own = f'<div class="from_name">\n{name} \n</div>' if name else ""
    above = f'<div class="reply_to details">In reply to <a href="{reply}">this message</a></div>' if reply else ""
    body = f'<div class="text">\n{text}\n</div>' if text else ""
    return (
        f'<div class="message default clearfix{"" if name else " joined"}" id="message{number}"><div class="body">'
        f'<div class="pull_right date details" title="{DATE}">16:27</div>{own}{above}{media}{body}</div></div>'
    )


def telegram(*messages: str, following: str = "") -> str:
    link = f'<a class="pagination block_link" href="{following}">Next messages</a>' if following else ""
    return (
        '<!DOCTYPE html><html><head><meta charset="utf-8"/><title>Exported Data</title></head><body><div '
        'class="page_header"><div class="text bold">Kettles</div></div><div class="history"><div class="message '
        'service" id="message-1"><div class="body details">3 February</div></div>'
        f"{''.join(messages)}{link}</div></body>"
    )


def discord(*groups: tuple[str, str, list[tuple[int, str]]]) -> str:
    """Write groups of messages as DiscordChatExporter does: (writer, number of the message replied to, messages)."""
    written = ""
    for name, reply, messages in groups:
        written += '<div class="chatlog__message-group">'
        for first, (number, text) in enumerate(messages):
            above = (
                f'<div class="chatlog__reply"><div class="chatlog__reply-author">x</div><span '
                f'class="chatlog__reply-link" onclick="scrollToMessage(event, \'{reply}\')">...</span></div>'
            )
            head = (
                f'{above if reply else ""}<div class="chatlog__header"><span class="chatlog__author" title="{name}#1">'
                f'{name}</span><span class="chatlog__timestamp"><a href="#">2/25/2021 11:00 AM</a></span></div>'
            )
            written += (
                f'<div id="chatlog__message-container-{number}" class="chatlog__message-container" data-message-id='
                f'"{number}"><div class="chatlog__message"><div class="chatlog__message-primary">'
                f'{"" if first else head}<div class="chatlog__content chatlog__markdown"><span '
                f'class="chatlog__markdown-preserve">{text}</span>'
                '<span class="chatlog__edited-timestamp">(edited)</span></div></div></div></div>'
            )
        written += "</div>"
    return f"<!DOCTYPE html><html><head><title>Kettles</title></head><body>{written}</body></html>"


OLD_DISCORD = (
    '<!DOCTYPE html><html><body><div class="chatlog__message-group"><div class="chatlog__messages"><span '
    'class="chatlog__author-name">ann</span><span class="chatlog__timestamp">25-Feb-21 11:00 AM</span><div '
    'class="chatlog__message" data-message-id="1" id="message-1"><div class="chatlog__content"><div class="markdown">'
    'Leaks?</div></div></div></div></div><div class="chatlog__message-group"><div class="chatlog__reference"><span '
    'class="chatlog__reference-link" onclick="scrollToMessage(event, \'1\')">Leaks?</span></div><div '
    'class="chatlog__messages"><span class="chatlog__author-name">bob</span><div class="chatlog__message" '
    'data-message-id="2"><div class="chatlog__content"><div class="markdown">Descale it.</div></div></div></div></div>'
)


def test_what_replies_answers_also_from_the_next_page(tmp_path: Path) -> None:
    """Messages without a name belong to the one above; later ones of the asker and replies to nothing do not."""
    (tmp_path / "messages.html").write_text(
        telegram(
            said(1, "Ann", "My kettle leaks.<br>What now?"),
            said(2, "", "It is <b>red</b>."),
            said(3, "Bob", "Descale it.", reply="#go_to_message2"),
            said(4, "", "Then dry it."),
            said(5, "Ann", "Thanks!", reply="#go_to_message4"),
            said(6, "Eve", "", media='<div class="media_wrap">Photo</div>'),
            said(7, "", "And the lid?"),
            following="messages2.html",
        )
    )
    (tmp_path / "messages2.html").write_text(
        telegram(
            said(8, "Tom", "Wash it.", reply="messages.html#go_to_message7"),
            said(9, "Tom", "Gone.", reply="#go_to_message99"),
        )
    )
    reading = Reading()
    items = list(read_archives([tmp_path], reading=reading))
    posts = [item for item in items if isinstance(item, Post)]
    assert [(post.author, post.question, post.answer) for post in posts] == [
        ("Ann", "My kettle leaks.\nWhat now?\nIt is red.", "Descale it.\nThen dry it."),
        ("Eve", "And the lid?", "Wash it."),
    ]
    assert [(part.author, part.id) for post in posts for part in post.answers] == [("Bob", "3"), ("Tom", "8")]
    assert {post.date for post in posts} == {"2021-02-03T16:27:30"}
    assert [item.reason for item in items if isinstance(item, SetAside)] == [
        "1 answer without a question: put the table of the questions into the same folder"
    ]
    remarks = reading.reports[0].remarks
    assert any("stand below another one" in remark for remark in remarks)
    assert any("later messages of the one who asked (1)" in remark for remark in remarks)
    assert any("messages without a text (1)" in remark for remark in remarks)


@pytest.mark.parametrize(
    "markup",
    [
        discord(
            ("ann", "", [(1, "My kettle leaks.\nWhat now?"), (2, "It is red.")]),
            ("bob", "2", [(3, "Descale it."), (4, "Then dry it.")]),
        ),
        discord(
            ("ann", "", [(1, "My kettle leaks.\nWhat now?\nIt is red.")]),
            ("eve", "", [(2, "Nice weather.")]),
            ("bob", "1", [(3, "Descale it.\nThen dry it.")]),
        ),
    ],
    ids=["messages of one writer", "others between"],
)
def test_discord(markup: str, tmp_path: Path) -> None:
    """The first message of a group has the name and the message that it replies to; line breaks stay."""
    (tmp_path / "chat.html").write_text(markup)
    post, *_ = posts_in(tmp_path / "chat.html")
    assert (post.author, post.question) == ("ann", "My kettle leaks.\nWhat now?\nIt is red.")
    assert (post.answer, post.date) == ("Descale it.\nThen dry it.", "2021-02-25T11:00:00")


def test_discord_of_2020(tmp_path: Path) -> None:
    """The head stands beside the messages."""
    (tmp_path / "chat.html").write_text(OLD_DISCORD)
    (post,) = posts_in(tmp_path / "chat.html")
    assert (post.author, post.question, post.answer) == ("ann", "Leaks?", "Descale it.")


def test_a_chat_without_replies_names_who_answers(tmp_path: Path) -> None:
    """As a chat in a text does: by the field map, or by a name such as Support; else the names are said."""
    path = tmp_path / "messages.html"
    path.write_text(telegram(said(1, "Ann", "Leaks?"), said(2, "Bob", "Descale it."), said(3, "Ann", "Thanks.")))
    with pytest.raises(UnknownFormatError, match=r"a chat of Ann \(2\), Bob \(1\): name the one who answers"):
        posts_in(path)
    mapped = ReadOptions(field_map={"answer": "Bob"})
    items = list(read_archives([path], mapped))
    assert [(item.question, item.answer) for item in items if isinstance(item, Post)] == [("Leaks?", "Descale it.")]
    path.write_text(path.read_text().replace("Bob", "Support"))
    assert [(post.question, post.answer) for post in posts_in(path)] == [("Leaks?", "Descale it.")]


def test_a_forwarded_message_is_of_the_one_who_sends_it(tmp_path: Path) -> None:
    """Its first writer and date are another's."""
    forwarded = (
        '<div class="forwarded body"><div class="from_name">Zoe <span class="date details" title="01.01.2001 10:00:00">'
        'x</span></div><div class="text">Leaks?</div></div>'
    )
    path = tmp_path / "messages.html"
    path.write_text(
        telegram(said(1, "Ann", "", media=forwarded), said(2, "Bob", "Descale it.", reply="#go_to_message1"))
    )
    (post,) = posts_in(path)
    assert (post.author, post.question, post.date) == ("Ann", "Leaks?", "2021-02-03T16:27:30")


def test_a_page_of_many_messages_is_read_in_time(tmp_path: Path) -> None:
    """Also where all reply to one, and all stand below one name."""
    path = tmp_path / "messages.html"
    chat = [said(1, "Ann", "Leaks?"), *(said(n, f"B{n}", "It.", reply="#go_to_message1") for n in range(2, 20_000))]
    for messages in (chat, [said(1, "Ann", "Leaks?"), *(said(n, "", "It.") for n in range(2, 50_000))]):
        path.write_text(telegram(*messages, said(60_000, "Bob", "Descale it.", reply="#go_to_message1")))
        began = time.monotonic()
        posts = posts_in(path)
        assert time.monotonic() - began < 40
        assert len(posts) == 1


def test_a_page_that_is_too_long_says_how_to_export_it(tmp_path: Path) -> None:
    """A tree of it would take too much memory."""
    path = tmp_path / "chat.html"
    path.write_text(discord(("ann", "", [(1, "x" * (17 << 20))])))
    (note,) = read_archives([path])
    assert isinstance(note, SetAside)
    assert "export it again as JSON, or in parts" in note.reason


def test_messages_within_messages_take_no_longer(tmp_path: Path) -> None:
    """Only the outermost are looked at."""
    path = tmp_path / "messages.html"
    start = '<div class="message default clearfix joined" id="message5"><div class="pull_right date details"></div>'
    path.write_text(telegram(said(1, "Ann", "Leaks?"), *([start * 400 + "</div>" * 400] * 150)))
    began = time.monotonic()
    with pytest.raises(UnknownFormatError):
        posts_in(path)
    assert time.monotonic() - began < 20
