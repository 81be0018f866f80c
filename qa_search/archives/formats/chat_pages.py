"""A chat that a program wrote as a web page (Telegram Desktop, DiscordChatExporter) -> posts.

Messages that reply to another one answer it. Where none does, or the field map names who answers, the page is read as
the chats that are written out as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from lxml import etree

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply, post_too_long, short_date
from qa_search.archives.formats.chat_lines import Message
from qa_search.archives.formats.chats import chat_posts, dates_day_first
from qa_search.archives.formats.joining import Member, joined_items
from qa_search.archives.formats.labels import seems_to_ask
from qa_search.archives.formats.trees import drop, element_text, words
from qa_search.types import AnswerPart, Post, SetAside
from qa_search.util.text import clean_text, counted

_ID = re.compile(r"\d{1,20}")
_ZONE = re.compile(r"\s*(?:UTC|GMT)(?:[+-]\d{1,2}(?::?\d\d)?)?$")
_PART = re.compile(r"\[part \d+\]")
_MOST_NAME = 100
_MOST_ELEMENTS = 1000  # of a message, that are looked at for its parts
_MOST_LEVELS = 4  # from a message up to its group


@dataclass(frozen=True)
class _Program:
    """How a program writes a chat: what its pages say, and the classes of a message and of its parts."""

    sign: str
    message: str
    group: str  # the element around messages of one writer, "" where a class of the message says that it goes on
    goes_on: str
    names: tuple[str, ...]
    dates: tuple[str, ...]
    text: str
    reply: str
    left_out: tuple[str, ...]
    again: str  # how it writes a chat that a page of any length holds


_PROGRAMS = (
    _Program(
        'class="pull_right date details"',
        "message",
        "",
        "joined",
        ("from_name",),
        ("date",),
        "text",
        "reply_to",
        ("forwarded",),
        "export it again as JSON",
    ),
    _Program(
        "chatlog__message-group",
        "chatlog__message",
        "chatlog__message-group",
        "",
        ("chatlog__author", "chatlog__author-name"),
        ("chatlog__timestamp", "chatlog__short-timestamp"),
        "chatlog__content",
        "chatlog__reply",
        ("chatlog__edited-timestamp", "chatlog__embed"),
        "export it again as JSON, or in parts of 5 MB",
    ),
)
_KEPT_BLANKS = ("chatlog__markdown-preserve", "preserve-whitespace")
_OLD_REPLY = "chatlog__reference"


@dataclass
class _Said:
    """What one writes without a pause: messages of which all but the first go on from the one above."""

    line: int
    ids: list[str]
    name: str
    stamp: str
    parent: str
    texts: list[str] = field(default_factory=list)


def way_out_of_chat(markup: str) -> str:
    """Return what to do with a chat's page that is too long for a tree; "" for another page."""
    return next((program.again for program in _PROGRAMS if program.sign in markup), "")


def chat_page_posts(
    file: ArchiveFile, markup: str, tree: Any, options: ReadOptions
) -> Iterator[Post | SetAside | Reply] | None:
    """Make posts of a chat's page; None for another page."""
    program = next((program for program in _PROGRAMS if program.sign in markup), None)
    said = [] if program is None else _messages(file, program, tree)
    if not said:
        return None
    heads = [Message(one.line, one.name, one.stamp, one.texts) for one in said]
    names = {one.name for one in said}
    named = any(options.field_map.get(role) in names for role in ("answer", "question"))
    is_part = bool(_PART.search(file.name)) or bool(tree.xpath(".//a[contains(@class, 'pagination')]"))
    if named or not (is_part or any(one.parent for one in said)):
        return chat_posts(file, heads, heads, options)
    if not any(one.parent for one in said):
        file.log.remark(
            "no message of a page replies to another one: name the one who answers, such as "
            f"field_map={ ({'answer': said[-1].name})!r}"
        )
    return _by_replies(file, said, heads, options, is_part=is_part)


def _messages(file: ArchiveFile, program: _Program, tree: Any) -> list[_Said]:
    """Read the messages of a page; those that stand below another one of the same writer go on with it."""
    found: list[_Said] = []
    group: Any = None
    name = ""
    without_text = went_on = 0
    walk = etree.iterwalk(tree, events=("start",), tag="div")
    for _, element in walk:
        classes = _classes(element)
        if program.message not in classes or "service" in classes:
            continue
        walk.skip_subtree()
        own, parts = _id_of(element), _parts(element, program)
        around = _around(element, program.group)
        is_below = program.goes_on in classes if program.goes_on else around is not None and around is group
        if around is not None and not is_below:  # older pages have its head beside the first message
            parts = {
                **{known: part for known, part in _parts(around, program).items() if known != program.text},
                **parts,
            }
        group = around
        if (writer := next((parts[known] for known in program.names if known in parts), None)) is not None:
            name = clean_text(words(writer))[:_MOST_NAME]
        text = _text(parts.get(program.text) if own else None)
        parent = _parent(parts, program)
        if not (text and own and name):
            without_text += bool(own)
            if is_below and found and own:
                found[-1].ids.append(own)
            continue
        if is_below and found and not parent and found[-1].name == name and not seems_to_ask(text):
            found[-1].ids.append(own)
            found[-1].texts.append(text)
            went_on += 1
            continue
        stamp = next((_stamp(parts[known]) for known in program.dates if known in parts), "")
        found.append(_Said(element.sourceline or 0, [own], name, stamp, parent, [text]))
    if went_on:
        file.log.remark(
            f"{counted(went_on, 'message')} that stand below another one of the same writer were read as its text"
        )
    if without_text:
        file.log.omit("messages without a text", without_text)
    return found


def _by_replies(
    file: ArchiveFile, said: Sequence[_Said], heads: Sequence[Message], options: ReadOptions, *, is_part: bool
) -> Iterator[Post | SetAside | Reply]:
    """Yield what is asked, with what replies to it; what other pages of the chat may have of it waits for them."""
    items = _items(file, said, dates_day_first(file, heads), options)
    if is_part:
        file.log.lacks_answers = True
        yield from items
        return
    asks = (
        Member(item.source_id, "asks", item, AnswerPart(0, 0)) if isinstance(item, Post) else item for item in items
    )
    yield from joined_items(file, asks, options)


def _items(
    file: ArchiveFile, said: Sequence[_Said], day_first: bool | None, options: ReadOptions
) -> Iterator[Post | SetAside | Reply]:
    for one in said:
        text = "\n".join(one.texts)
        if len(text) > options.limits.post_characters:
            yield file.set_aside(f"line {one.line}", post_too_long(options))
            continue
        own, *others = one.ids
        date = short_date(one.stamp, day_first) if one.stamp else None
        if one.parent:
            file.log.took("answer", "messages that reply")
            part = AnswerPart(0, 0, own, author=one.name, date=date)
            yield Reply(one.parent, text, part, f"line {one.line}", writer=one.name)
        else:
            file.log.took("question", "messages that reply to none")
            yield Post(file.source, own, question=text, author=one.name, date=date)
        for other in others:  # what replies to these replies to the first
            yield Reply(own, "", AnswerPart(0, 0, other), f"line {one.line}", writer=one.name)


def _parts(message: Any, program: _Program) -> dict[str, Any]:
    """Find the first element of each class that matters in a message."""
    wanted = {*program.names, *program.dates, program.text, program.reply, _OLD_REPLY}
    parts: dict[str, Any] = {}
    quoted: Any = None
    for inner in islice(message.iter(), _MOST_ELEMENTS):
        classes = _classes(inner)
        if quoted is None and "forwarded" in classes:
            quoted = inner  # its writer and its date are another's
        for name in wanted.intersection(classes) - parts.keys():
            if quoted is None or name == program.text:
                parts[name] = inner
    return parts


def _classes(element: Any) -> list[str]:
    return (element.get("class") or "").split()


def _around(message: Any, group: str) -> Any:
    above = islice(message.iterancestors("div"), _MOST_LEVELS)
    return next((one for one in above if group in _classes(one)), None) if group else None


def _id_of(message: Any) -> str:
    """Return the number of a message: in its id, or in that of the element around it."""
    around = message.getparent()
    given = (message.get("data-message-id"), message.get("id")) + (
        () if around is None else (around.get("data-message-id"), around.get("id"))
    )
    return next((found[-1] for text in given if text and (found := _ID.findall(text))), "")


def _parent(parts: dict[str, Any], program: _Program) -> str:
    """Return the number of the message that is replied to, "" for none."""
    reply = parts.get(program.reply)
    reply = parts.get(_OLD_REPLY) if reply is None else reply
    for inner in () if reply is None else reply.iter():
        for text in (inner.get("href", "").partition("#")[2], inner.get("onclick")):
            if text and (found := _ID.findall(text)):
                return str(found[-1])
    return ""


def _stamp(element: Any) -> str:
    return _ZONE.sub("", clean_text(element.get("title") or words(element)))


def _text(content: Any) -> str:
    if content is None:
        return ""
    for inner in list(content.iter()):
        classes = _classes(inner)
        if "chatlog__edited-timestamp" in classes and inner is not content:
            drop(inner)
        elif not {*_KEPT_BLANKS}.isdisjoint(classes):
            inner.tag = "pre"
    return clean_text(element_text(content)).strip()
