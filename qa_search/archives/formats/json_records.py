"""JSON documents and JSON Lines, read as streams."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TextIO

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply, utf8_length
from qa_search.archives.formats.joining import Joiner, Member
from qa_search.archives.formats.json_paths import leads_into_lists, records_at
from qa_search.archives.formats.json_shapes import Table, expand, tables_of
from qa_search.archives.formats.plan import Plan, make_plan
from qa_search.archives.formats.records import Record, posts_of
from qa_search.types import AnswerPart, Post, SetAside

_DOCUMENT = re.compile(r"\s*(?:\[\s*(?:[\[{\"\d\-ntf\]]|$)|\{\s*(?:[\"}]|$))")
# What comes next: in an array of records, in an object around it, and inside of a record. Most records are taken
# whole; those that are nested deeper or cut off at the end of what has been read, from bracket to bracket.
_STRING = r'"(?>[^"\\]++|\\.)*+"'
_STRING_SO_FAR = r'"(?>[^"\\]++|\\.)*+(?:"|\\?\Z)'
_WHOLE = ""
for _ in range(4):
    _WHOLE = rf'[{{\[](?>[^{{}}\[\]"]++|{_STRING}{_WHOLE and f"|{_WHOLE}"})*+[}}\]]'
_BLANKS = r"[ \t\r\n]*+"
_OUTSIDE = re.compile(rf'{_BLANKS}([{{}}\[\],:]|{_STRING_SO_FAR}|[^ \t\r\n{{}}\[\],:"]++)', re.DOTALL)
_BETWEEN = re.compile(rf"{_BLANKS}({_WHOLE}|{_OUTSIDE.pattern.removeprefix(_BLANKS)[1:]}", re.DOTALL)
_INSIDE = re.compile(rf'{_BLANKS}((?>[^{{}}\[\]"]++|{_WHOLE}|{_STRING_SO_FAR})++|[{{}}\[\]])', re.DOTALL)
_CLOSED = re.compile(rf'(?>[^"]++|{_STRING})*+', re.DOTALL)
_STEP = {"{": 1, "[": 1, "}": -1, "]": -1}
_LINES_SUFFIXES = (".jsonl", ".ndjson")
_CHUNK_CHARACTERS = 1 << 16
_SHOWN_CHARACTERS = 40
# Python spends up to a hundred bytes on the smallest value.
_MOST_VALUES = 2_000_000
# A JSON object of at most so many characters is looked at as a whole: what its keys mean, and which lists belong
# together. Larger ones are read list by list.
_MOST_DOCUMENT = 16 << 20
_PLANNED = 200


class JsonReader:
    """Reads the objects of a JSON array, of the arrays within a JSON object, or a single object."""

    name = "JSON"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """A JSON array or object, unless each line is a separate object."""
        text = file.head_text
        return (
            text is not None
            and file.suffix != ".toml"  # its tables begin like a list
            and _DOCUMENT.match(text) is not None
            and not _is_lines(file)
        )

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
        """Yield a post per object; an item that is not an object is set aside."""
        document = _whole_document(file, options)
        tables = tables_of(document) if document is not None else []
        if not tables or (len(tables) == 1 and not tables[0].path and isinstance(document, list)):
            return posts_of(file, self._records(file, options), options)
        return _posts_of_tables(file, tables, options)

    def _records(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Record | SetAside]:
        count = 0
        try:
            with file.open_text(newline="") as stream:
                for item in _items(stream, options.limits.record_bytes):
                    count += 1
                    yield from _records(file, f"record {count}", item, options)
        except _BrokenJsonError as error:
            raise file.damaged(f"broken or incomplete JSON ({error})", f"after record {count}") from error
        if not count and (file.head_text or "").lstrip("\ufeff \t\r\n").startswith("{"):
            count = 1
            yield from _records(file, "record 1", file.read_text(options), options)
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

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
        """Yield a post per line; a line that is not a JSON object is set aside."""
        return posts_of(file, self._records(file, options), options)

    def _records(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Record | SetAside]:
        for number, line in enumerate(file.lines(options), start=1):
            if line is None or line.strip():
                yield from _records(file, f"line {number}", line, options)


class _BrokenJsonError(ValueError):
    """The rest of the document cannot be split into records."""


def _records(file: ArchiveFile, place: str, text: str | None, options: ReadOptions) -> Iterator[Record | SetAside]:
    """Parse one value, and yield the records that it stands for; None stands for a value over the limit."""
    value = _parsed(file, place, text, options)
    if isinstance(value, SetAside):
        yield value
    else:
        yield from _expanded(file, place, value, options, len(text or ""))


def _expanded(
    file: ArchiveFile, place: str, value: object, options: ReadOptions, size: int = 0
) -> Iterator[Record | SetAside]:
    try:
        by_paths = options.field_map and leads_into_lists(options.field_map)
        records = records_at(value, options.field_map) if by_paths else None
        records = expand(value) if records is None else records
    except RecursionError:
        yield file.set_aside(place, "JSON nested too deep")
        return
    if records is not None:
        for record in records:
            yield Record(place, record, size=size)
        return
    shown = json.dumps(value, ensure_ascii=False) if not isinstance(value, list | dict) else "a list"
    shown = shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]}…"
    yield file.set_aside(place, f"{shown.strip()} is not an object with fields")


def _parsed(file: ArchiveFile, place: str, text: str | None, options: ReadOptions) -> object:
    if text is None:
        return file.set_aside(place, file.record_over_limit(options).reason)
    if text.count(",") + text.count("[") + text.count("{") > _MOST_VALUES:
        return file.set_aside(place, f"a JSON value of more than {_MOST_VALUES:,} values")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        return file.set_aside(place, f"not JSON ({error})")
    except RecursionError:
        return file.set_aside(place, "JSON nested too deep")
    except ValueError:  # what Python says of a whole number of thousands of digits
        return file.set_aside(place, "JSON with a number that has too many digits")


def _whole_document(file: ArchiveFile, options: ReadOptions) -> dict[str, object] | None:
    """Parse a JSON object that is short enough to be held; None for any other, and for one that is broken."""
    if not (file.head_text or "").lstrip("\ufeff \t\r\n").startswith("{"):
        return None
    with file.open_text(newline="") as stream:
        text = stream.read(min(_MOST_DOCUMENT, options.limits.record_bytes) + 1)
        if len(text) > min(_MOST_DOCUMENT, options.limits.record_bytes):
            return None
    value = _parsed(file, "", text.removeprefix("\ufeff"), options)
    return value if isinstance(value, dict) else None


def _posts_of_tables(file: ArchiveFile, tables: list[Table], options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
    """Read the tables of one document: those with answers, where some have; answers of another table are joined."""
    records: list[list[Record | SetAside]] = []
    count = 0
    for table in tables:
        records.append([])
        for item in table.items:
            count += 1
            records[-1] += _expanded(file, f"record {count}", item, options)
    plans = [
        make_plan([record.fields for record in found[:_PLANNED] if isinstance(record, Record)], options)
        for found in records
    ]
    whole = [number for number, plan in enumerate(plans) if _asks(plan) and _answers(plan)]
    replies = [number for number, plan in enumerate(plans) if plan.relation in ("replies", "messages")]
    asking = [
        number for number, plan in enumerate(plans) if _asks(plan) and not _answers(plan) and number not in replies
    ]
    if not whole and replies and asking:
        yield from _joined(file, [records[n] for n in asking], [records[n] for n in replies], options)
        return
    left_out = [tables[number].path for number in range(len(tables)) if whole and number not in whole]
    if left_out:
        file.log.remark(f"nothing was taken from {', '.join(left_out)}: questions and answers are in other lists")
    kept = whole or range(len(tables))
    yield from posts_of(file, (record for number in kept for record in records[number]), options)


def _asks(plan: Plan) -> bool:
    return any(plan.fields.get(role) for role in ("title", "question", "body"))


def _answers(plan: Plan) -> bool:
    return bool(plan.fields.get("answer")) or plan.relation in ("threads", "parents")


def _joined(
    file: ArchiveFile,
    asking: list[list[Record | SetAside]],
    replies: list[list[Record | SetAside]],
    options: ReadOptions,
) -> Iterator[Post | SetAside | Reply]:
    with Joiner(file, options) as joiner:
        for found in (*asking, *replies):
            for item in posts_of(file, iter(found), options):
                if isinstance(item, Post):
                    joiner.add(Member(item.source_id, "asks", item, AnswerPart(0, 0)))
                elif isinstance(item, Reply):
                    joiner.add(item)
                else:
                    yield item
        file.log.lacks_answers, file.log.problem, file.log.advice = False, None, ""
        for joined in joiner.joined():
            yield joined[1] if isinstance(joined, tuple) else joined


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
        """Note that a single piece is too long."""
        self.start = self.start or piece.lstrip()[:1]
        self._left = -1
        self._pieces.clear()

    @property
    def text(self) -> str | None:
        """The text, None if it is too long."""
        return " ".join(self._pieces) if self._left >= 0 else None


def _end_of(text: str) -> str:
    """Reduce a part of a JSON value to what its continuation depends on: an open string, a backslash."""
    if _CLOSED.fullmatch(text):
        return ""
    return '"' + "\\" * ((len(text) - len(text.rstrip("\\"))) % 2)


def _is_lines(file: ArchiveFile) -> bool:
    """Return whether the text is JSON Lines rather than a JSON document."""
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
