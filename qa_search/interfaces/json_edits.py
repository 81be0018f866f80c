"""A JSON text, with comments or without, and a value -> the same text with the value in it; all else stays as it is.

Editors write JSON with comments, and with commas after a last value ("JSONC"). What is not JSON is read as blanks, as
many, so that every place in the JSON is that place in the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_STRING = r'"(?:[^"\\]++|\\.)*+"'
_COMMENT = re.compile(rf"{_STRING}|//[^\r\n]*|/\*.*?\*/", re.DOTALL)
_LAST_COMMA = re.compile(rf"{_STRING}|,(?=[ \t\r\n]*[\]}}])", re.DOTALL)
_BLANKS, _BOM = " \t\r\n", "\ufeff"
_INDENTED = re.compile(r'^([ \t]+)"', re.MULTILINE)
_NOT_A_BLANK = re.compile(r"[^\r\n]")


def read_json(text: str) -> Any:
    """Read JSON that may have comments and commas after last values; None if the text says nothing else.

    Raises:
        ValueError: if it is something else.
        RecursionError: if it is nested too deep.
    """
    plain = _json_of(_without_comments(text))
    return json.loads(plain) if plain.strip(_BLANKS) else None


def with_value(text: str, path: Sequence[str], value: Any) -> str:
    """Set a value in an object of objects; a text that says nothing gets one.

    Args:
        text: JSON, with comments or without.
        path: the names that lead to the value, at least one.
        value: what `json` can write.

    Raises:
        ValueError: if the text is no object, or a name of the path stands twice or leads to something else.
        RecursionError: if it is nested too deep.
    """
    end = "\r\n" if "\r\n" in text else "\n"
    uncommented = _without_comments(text)
    plain = _json_of(uncommented)
    if read_json(text) is None and not plain.strip(_BLANKS):
        kept = text.rstrip(_BLANKS)
        return f"{kept}{end if kept.strip(_BOM) else ''}{_written(_nested(path, value), '  ', '', end)}{end}"
    found = _INDENTED.search(text)
    unit = found[1] if found else "  "
    at = len(plain) - len(plain.lstrip(_BLANKS))
    for depth, name in enumerate(path):
        here = _Object.at(plain, at, "the whole" if not depth else f'"{path[depth - 1]}"')
        if name not in here.members:
            return _added(text, uncommented, here, f"{json.dumps(name, ensure_ascii=False)}: ",
                          _nested(path[depth + 1 :], value), unit, end)  # fmt: skip
        at = here.members[name].value
    last = here.members[path[-1]]
    return text[: last.value] + _written(value, unit, _indent(text, last.name), end) + text[last.end :]


@dataclass(frozen=True, slots=True)
class _Member:
    """Where the name of a member begins, and where its value begins and ends."""

    name: int
    value: int
    end: int


@dataclass(frozen=True, slots=True)
class _Object:
    """Where an object begins and its last brace stands, and its members."""

    begin: int
    brace: int
    members: dict[str, _Member]

    @classmethod
    def at(cls, plain: str, begin: int, what: str) -> _Object:
        """Find the members of the object that begins there."""
        if plain[begin] != "{":
            raise ValueError(f"{what} is not an object")
        members: dict[str, _Member] = {}
        read = json.JSONDecoder().raw_decode
        at = _skip(plain, begin + 1)
        while plain[at] != "}":
            name, after = read(plain, at)
            value = _skip(plain, _skip(plain, after) + 1)  # behind the colon
            _, end = read(plain, value)
            if name in members:
                raise ValueError(f'"{name}" stands twice in one object')
            members[name] = _Member(at, value, end)
            at = _skip(plain, end)
            if plain[at] == ",":
                at = _skip(plain, at + 1)
        return cls(begin, at, members)


def _skip(plain: str, at: int) -> int:
    while plain[at] in _BLANKS:
        at += 1
    return at


def _without_comments(text: str) -> str:
    """Return the text with blanks for its comments, and for a mark of the byte order before it."""
    text = " " + text[1:] if text.startswith(_BOM) else text
    return _COMMENT.sub(lambda found: found[0] if found[0][0] == '"' else _NOT_A_BLANK.sub(" ", found[0]), text)


def _json_of(uncommented: str) -> str:
    """Return the text with blanks for commas after last values."""
    return _LAST_COMMA.sub(lambda found: found[0] if found[0][0] == '"' else " ", uncommented)


def _nested(path: Sequence[str], value: Any) -> Any:
    for name in reversed(path):
        value = {name: value}
    return value


def _written(value: Any, unit: str, indent: str, end: str) -> str:
    return json.dumps(value, ensure_ascii=False, indent=unit).replace("\n", end + indent)


def _indent(text: str, at: int) -> str:
    """Return the blanks that the line of a place begins with."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _added(text: str, uncommented: str, here: _Object, name: str, value: Any, unit: str, end: str) -> str:
    """Return the text with another member at the end of an object."""
    outer = _indent(text, here.begin)
    indent, comma = outer + unit, len(text[: here.brace].rstrip(_BLANKS))
    before = text[:comma]
    if here.members:
        last = max(here.members.values(), key=lambda member: member.name)
        if not text[text.rfind("\n", 0, last.name) + 1 : last.name].strip(" \t"):
            indent = _indent(text, last.name)
        if "," not in uncommented[last.end : here.brace]:
            before = f"{text[: last.end]},{text[last.end : comma]}"
    gap = text[comma : here.brace]
    closing = gap if "\n" in gap else end + outer
    return f"{before}{end}{indent}{name}{_written(value, unit, indent, end)}{closing}{text[here.brace :]}"
