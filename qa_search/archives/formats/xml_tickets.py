"""XML of tickets with their messages (Freshdesk, Jira, Redmine, Bugzilla, SemEval's threads) -> a post per ticket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply
from qa_search.archives.formats.json_shapes import expand
from qa_search.archives.formats.records import Record, posts_of
from qa_search.archives.formats.xml_elements import elements, is_xml, local
from qa_search.types import Post, SetAside

_Fields = dict[str, object]


@dataclass(frozen=True)
class _Program:
    """How a program writes tickets: what shows it, a ticket's element, its messages', and what their fields are here.

    Names of fields are those of elements below and of attributes; a name after a slash stands a level deeper.
    """

    signs: tuple[str, ...]
    ticket: str
    message: str
    fields: Mapping[str, str]
    message_fields: Mapping[str, str]
    first_asks: bool = False


_PROGRAMS = (
    _Program(
        ("<helpdesk-ticket",), "helpdesk-ticket", "helpdesk-note",
        {"id": "display-id", "title": "subject", "body": "description", "created_at": "created-at",
         "user_id": "requester-id"},
        {"body": "body", "created_at": "created-at", "user_id": "user-id", "private": "private"},
    ),
    _Program(
        ("<rss ", "<item>", "<key id="), "item", "comment",
        {"id": "key", "title": "summary", "body": "description", "created_at": "created", "author": "reporter",
         "url": "link", "tags": "labels/label"},
        {"body": ".", "id": "@id", "created_at": "@created", "author": "@author"},
    ),
    _Program(
        ("<issue", "<tracker "), "issue", "journal",
        {"id": "id", "title": "subject", "body": "description", "created_at": "created_on", "author": "author/@name",
         "category": "category/@name"},
        {"body": "notes", "id": "@id", "created_at": "created_on", "author": "user/@name", "private": "private_notes"},
    ),
    _Program(
        ("<bugzilla",), "bug", "long_desc",
        {"id": "bug_id", "title": "short_desc", "created_at": "creation_ts", "author": "reporter"},
        {"body": "thetext", "id": "commentid", "created_at": "bug_when", "author": "who", "private": "@isprivate"},
        first_asks=True,
    ),
    _Program(
        ("<RelQuestion",), "Thread", "RelComment",
        {"id": "RelQuestion/@RELQ_ID", "title": "RelQuestion/RelQSubject", "body": "RelQuestion/RelQBody",
         "created_at": "RelQuestion/@RELQ_DATE", "author": "RelQuestion/@RELQ_USERNAME",
         "category": "RelQuestion/@RELQ_CATEGORY"},
        {"body": "RelCText", "id": "@RELC_ID", "created_at": "@RELC_DATE", "author": "@RELC_USERNAME"},
    ),
)  # fmt: skip
_YES = ("true", "1")


class XmlTicketReader:
    """Reads the tickets of help desks and trackers, each with its messages below it."""

    name = "XML of tickets"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """XML with the elements of a program that is known."""
        return is_xml(file) and _program(file) is not None

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
        """Yield a post per ticket: what others than the asker write below it answers.

        Raises:
            DamagedArchiveError: where the XML is broken.
        """
        program = _program(file)
        return posts_of(file, _records(file, program, options), options) if program is not None else iter(())


def _program(file: ArchiveFile) -> _Program | None:
    head = file.head_text or ""
    return next((program for program in _PROGRAMS if all(sign in head for sign in program.signs)), None)


def _records(file: ArchiveFile, program: _Program, options: ReadOptions) -> Iterator[Record | SetAside]:
    for element in elements(file, options):
        if local(element) != program.ticket:
            continue
        place = f"line {element.sourceline}"
        messages = [
            _fields(inner, program.message_fields) for inner in element.iter() if local(inner) == program.message
        ]
        messages = [_said(message) for message in messages if message.get("body")]
        ticket = _said(_fields(element, program.fields))
        if program.first_asks and messages:
            ticket["body"] = messages.pop(0)["body"]
        for fields in expand({**ticket, "comments": messages}) or ():
            yield Record(place, fields)
        element.clear(keep_tail=False)
        while (parent := element.getparent()) is not None and (before := element.getprevious()) is not None:
            parent.remove(before)


def _said(fields: _Fields) -> _Fields:
    """Return a ticket or a message as programs write them as JSON."""
    return {**fields, "private": fields.get("private") in _YES}


def _fields(element: Any, names: Mapping[str, str]) -> _Fields:
    return {name: value for name, path in names.items() if (value := _value(element, path)) is not None}


def _value(element: Any, path: str) -> object:
    """Return the text at a path of two levels at most; a list for several texts, None for none."""
    step, _, rest = path.partition("/")
    if step == ".":
        return element.text
    if step[0] == "@":
        return element.get(step[1:])
    found = [value for child in element if local(child) == step and (value := _value(child, rest or "."))]
    return found if len(found) > 1 else found[0] if found else None
