"""JSON documents and JSON Lines, read as streams."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TextIO

from qa_search.archives.base import ArchiveFile, ReadOptions, utf8_length
from qa_search.archives.formats.records import Record, posts_of
from qa_search.types import Post, SetAside

_DOCUMENT = re.compile(r"\s*(?:\[\s*(?:[\[{\"\d\-ntf\]]|$)|\{\s*(?:[\"}]|$))")
# What comes next: in an array of records, in an object around it, and inside of a record. Most records are taken
# whole; those that are nested deeper or cut off at the end of what has been read, from bracket to bracket.
_STRING = r'"(?:[^"\\]++|\\.)*+"'
_STRING_SO_FAR = r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)'
_WHOLE = ""
for _ in range(4):
    _WHOLE = rf'[{{\[](?:[^{{}}\[\]"]++|{_STRING}{_WHOLE and f"|{_WHOLE}"})*+[}}\]]'
_BLANKS = r"[ \t\r\n]*+"
_OUTSIDE = re.compile(rf'{_BLANKS}([{{}}\[\],:]|{_STRING_SO_FAR}|[^ \t\r\n{{}}\[\],:"]++)', re.DOTALL)
_BETWEEN = re.compile(rf"{_BLANKS}({_WHOLE}|{_OUTSIDE.pattern.removeprefix(_BLANKS)[1:]}", re.DOTALL)
_INSIDE = re.compile(rf'{_BLANKS}((?:[^{{}}\[\]"]++|{_WHOLE}|{_STRING_SO_FAR})++|[{{}}\[\]])', re.DOTALL)
_CLOSED = re.compile(rf'(?:[^"]++|{_STRING})*+', re.DOTALL)
_STEP = {"{": 1, "[": 1, "}": -1, "]": -1}
_LINES_SUFFIXES = (".jsonl", ".ndjson")
_CHUNK_CHARACTERS = 1 << 16
_SHOWN_CHARACTERS = 40
# Python spends up to a hundred bytes on the smallest value.
_MOST_VALUES = 2_000_000


class JsonReader:
    """Reads the objects of a JSON array, of the arrays within a JSON object, or a single object."""

    name = "JSON"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """A JSON array or object, unless each line is an object of its own."""
        text = file.head_text
        return text is not None and _DOCUMENT.match(text) is not None and not _is_lines(file)

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside]:
        """Yield a post per object; an item that is no object is set aside."""
        return posts_of(file, self._records(file, options), options)

    def _records(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Record | SetAside]:
        count = 0
        try:
            with file.open_text(newline="") as stream:
                for item in _items(stream, options.limits.record_bytes):
                    count += 1
                    yield _record(file, f"record {count}", item, options)
        except _BrokenJsonError as error:
            raise file.damaged(f"broken or incomplete JSON ({error})", f"after record {count}") from error
        if not count and (file.head_text or "").lstrip("\ufeff \t\r\n").startswith("{"):
            count = 1
            yield _record(file, "record 1", file.read_text(options), options)
        if not count:
            raise file.unknown(
                "JSON without records",
                'Expected [{...}, ...] or {"posts": [{...}, ...]}, each object with a question and an answer.',
            )


class JsonLinesReader:
    """Reads a JSON object per line."""

    name = "JSON Lines"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """The first two lines are whole objects, or the name says so."""
        return file.head_text is not None and _is_lines(file)

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside]:
        """Yield a post per line; a line that is not a JSON object is set aside."""
        return posts_of(file, self._records(file, options), options)

    def _records(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Record | SetAside]:
        for number, line in enumerate(file.lines(options), start=1):
            if line is None or line.strip():
                yield _record(file, f"line {number}", line, options)


class _BrokenJsonError(ValueError):
    """What follows cannot be parted into records."""


def _record(file: ArchiveFile, place: str, text: str | None, options: ReadOptions) -> Record | SetAside:
    """Parse one record; None stands for one that is too long."""
    if text is None:
        return file.set_aside(place, file.record_over_limit(options).reason)
    if text.count(",") + text.count("[") + text.count("{") > _MOST_VALUES:
        return file.set_aside(place, f"a JSON value of more than {_MOST_VALUES:,} values")
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        return file.set_aside(place, f"not JSON ({error})")
    except RecursionError:
        return file.set_aside(place, "JSON nested too deep")
    except ValueError:  # what Python says of a whole number of thousands of digits
        return file.set_aside(place, "JSON with a number of too many digits")
    if isinstance(value, dict):
        return Record(place, value)
    shown = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
    return file.set_aside(place, f"{shown.strip()} is not an object with fields")


def _items(stream: TextIO, limit: int) -> Iterator[str | None]:
    """Yield the text of each record of a JSON document, None for one that is too long.

    Records are the items of the outermost array; below a JSON object, the items of each array from its first
    object on.

    Raises:
        _BrokenJsonError: where the brackets end too early or too late.
    """
    depth = level = 0  # how many brackets are open; at which depth records are, 0 outside of arrays
    in_object = found = False
    item = _Item(limit)
    text, position = "", 0
    while True:
        pattern = _OUTSIDE if level == 0 else _BETWEEN if depth == level else _INSIDE
        match = pattern.match(text, position)
        if match is None or match.end() == len(text):
            # It may go on. As much as is held is read, so that a long string is not looked through again and again.
            if len(text) - position > limit:
                if level:
                    item.drop(text[position:])
                text, position = _end_of(text[position:]), 0
            if chunk := stream.read(max(_CHUNK_CHARACTERS, len(text) - position)):
                text, position = text[position:] + chunk, 0
                continue
            if match is None:
                break
        part, position = match[1], match.end()
        if depth == 0 and (level or in_object):
            raise _BrokenJsonError("something follows its end")
        if level == 0:
            in_object = in_object or part == "{"
            if part == "[":
                level, found = depth + 1, not in_object
            depth += _STEP.get(part, 0)
            if depth < 0 or part == "]":
                raise _BrokenJsonError("a closing bracket too many")
        elif depth == level and part in (",", "]"):
            found = found or item.start == "{"
            if found and item.start:
                yield item.text
            item = _Item(limit)
            if part == "]":
                depth -= 1
                level = 0 if depth else level
        else:
            item.add(part)
            depth += _STEP.get(part, 0)
            if depth < level:
                raise _BrokenJsonError("a closing bracket too many")
    if depth:
        raise _BrokenJsonError("it breaks off")


class _Item:
    """The text of an item, gathered piece by piece until it is too long."""

    def __init__(self, limit: int) -> None:
        self.start = ""
        self._pieces: list[str] = []
        self._left = limit

    def add(self, piece: str) -> None:
        self.start = self.start or piece[0]
        self._left -= utf8_length(piece) + 1
        if self._left >= 0:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    def drop(self, piece: str) -> None:
        """Take note of a piece that alone is too long."""
        self.start = self.start or piece.lstrip()[:1]
        self._left = -1
        self._pieces.clear()

    @property
    def text(self) -> str | None:
        """The text, None if it is too long."""
        return " ".join(self._pieces) if self._left >= 0 else None


def _end_of(text: str) -> str:
    """Cut all of a text that is part of a JSON value but what tells how it goes on: in a string, behind a backslash."""
    if _CLOSED.fullmatch(text):
        return ""
    return '"' + "\\" * ((len(text) - len(text.rstrip("\\"))) % 2)


def _is_lines(file: ArchiveFile) -> bool:
    """Tell JSON Lines from a JSON document."""
    first, _, rest = (file.head_text or "").lstrip("\ufeff \t\r\n").partition("\n")
    if file.suffix in _LINES_SUFFIXES:
        return True
    if not (first.startswith("{") and rest.lstrip().startswith("{")):
        return False
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return True
