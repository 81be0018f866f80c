"""JSON documents and JSON Lines, read as streams."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import TextIO

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply, utf8_length
from qa_search.archives.formats.joining import Joiner, Member
from qa_search.archives.formats.json_layouts import header_of
from qa_search.archives.formats.json_paths import leads_into_lists, records_at
from qa_search.archives.formats.json_relaxed import is_relaxed, relaxed_value
from qa_search.archives.formats.json_shapes import Table, expand, tables_of
from qa_search.archives.formats.json_tables import (
    is_dump_of_models,
    is_resources,
    posts_of_models,
    posts_of_resources,
)
from qa_search.archives.formats.json_threads import Joined
from qa_search.archives.formats.plan import Plan, make_plan
from qa_search.archives.formats.records import Record, posts_of
from qa_search.archives.formats.roles import role_of
from qa_search.types import AnswerPart, Post, SetAside
from qa_search.util.text import json_fault

_DOCUMENT = re.compile(r"\s*(?:\[\s*(?:[\[{\"\d\-ntf\]]|$)|\{\s*(?:[\"}]|$))")
# What comes next: in an array of records, in an object around it, and inside of a record. Most records are taken
# whole; those that are nested deeper or cut off at the end of what has been read, from bracket to bracket.
# A quote with no backslash before it ends a string; the next quote is found sooner than the next quote or backslash.
_STRING = r'"(?>[^"]*+(?<!\\)|(?>[^"\\]++|\\.)*+)"'
_STRING_SO_FAR = r'"(?>[^"\\]++|\\.)*+(?:"|\\?\Z)'
_WHOLE = ""
for _ in range(4):
    _WHOLE = rf'[{{\[](?>[^{{}}\[\]"]++|{_STRING}{_WHOLE and f"|{_WHOLE}"})*+[}}\]]'
_BLANKS = r"[ \t\r\n]*+"
_OUTSIDE = re.compile(rf'{_BLANKS}([{{}}\[\],:]|{_STRING_SO_FAR}|[^ \t\r\n{{}}\[\],:"]++)', re.DOTALL)
_BETWEEN = re.compile(rf"{_BLANKS}({_WHOLE}|{_OUTSIDE.pattern.removeprefix(_BLANKS)[1:]}", re.DOTALL)
_INSIDE = re.compile(rf'{_BLANKS}((?>[^{{}}\[\]"]++|{_WHOLE}|{_STRING_SO_FAR})++|[{{}}\[\]])', re.DOTALL)
_CLOSED = re.compile(rf'(?>[^"]++|{_STRING})*+', re.DOTALL)
_DECODER = json.JSONDecoder()
_LINE_ENDS = ("\n", "\r\n")
_STEP = {"{": 1, "[": 1, "}": -1, "]": -1}
_JSON_SUFFIXES = (".json", "")
_NOT_QUITE = (
    "not quite JSON (comments, other quotes, line breaks in texts, names without quotes or the like): read as a "
    "program would"
)
_LINES_SUFFIXES = (".jsonl", ".ndjson")
_CHUNK_CHARACTERS = 1 << 16
_SHOWN_CHARACTERS = 40
# Python spends up to a hundred bytes on the smallest value.
_MOST_DEPTH = 450
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
            and (_DOCUMENT.match(text) is not None or is_relaxed(text, file.suffix))
            and not _is_lines(file)
        )

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
        """Yield a post per object; an item that is not an object is set aside."""
        if is_dump_of_models(file.head_text or ""):
            return posts_of_models(file, self._values(file, options), options)
        if is_relaxed(file.head_text or "", file.suffix):
            return self._relaxed(file, options)
        if _is_concatenated(file.head_text or ""):
            return posts_of(file, self._records(file, options), options)
        document = _whole_document(file, options)
        return self._posts(file, document, options)

    def _posts(self, file: ArchiveFile, document: object, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
        if isinstance(document, dict) and is_resources(document):
            return posts_of_resources(file, document, options)
        tables = tables_of(document) if document is not None else []
        if not tables:
            return posts_of(file, self._records(file, options), options)
        return _posts_of_tables(file, tables, options)

    def _relaxed(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
        """Read a document that is not quite JSON, as a whole.

        Raises:
            UnknownFormatError: if it cannot be read as data.
        """
        text = _beginning(file, options)
        value = None if text is None else _value_of(text)
        if isinstance(value, dict | list):
            file.log.remark(_NOT_QUITE)
            yield from self._posts(file, value, options)
        elif _DOCUMENT.match(file.head_text or "") and file.suffix in _JSON_SUFFIXES:
            yield from posts_of(file, self._records(file, options), options)
        else:
            raise file.unknown(
                "a program, or data that is written as one and cannot be read",
                'Write the data as JSON first, such as [{"question": "...", "answer": "..."}].',
            )

    def _values(self, file: ArchiveFile, options: ReadOptions) -> Iterator[object]:
        """Yield the items, a note for each that is invalid."""
        for number, item in _numbered(file, options):
            yield _parsed(file, f"record {number}", item, options)

    def _records(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Record | SetAside]:
        count = 0
        rows = _Rows()
        for count, item in _numbered(file, options):
            yield from _records(file, f"record {count}", item, options, rows)
        if not count and (file.head_text or "").lstrip("\ufeff \t\r\n").startswith("{"):
            count = 1
            yield from _records(file, "record 1", file.read_text(options), options, rows)
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
        if is_dump_of_models(file.head_text or ""):
            values = (_parsed(file, f"line {n}", line, options) for n, line in _lines(file, options))
            return posts_of_models(file, values, options)
        return posts_of(file, self._records(file, options), options)

    def _records(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Record | SetAside]:
        rows = _Rows()
        for number, line in _lines(file, options):
            yield from _records(file, f"line {number}", line, options, rows)


def _lines(file: ArchiveFile, options: ReadOptions) -> Iterator[tuple[int, str | None]]:
    """Yield the lines that are not blank, each with its number."""
    for number, line in enumerate(file.lines(options), start=1):
        if line is None or not line.isspace():
            yield number, line


def _numbered(file: ArchiveFile, options: ReadOptions) -> Iterator[tuple[int, str | None]]:
    """Yield the items of a document, each with its number.

    Raises:
        DamagedArchiveError: where its brackets do not fit.
    """
    count = 0
    try:
        with file.open_text(newline="") as stream:
            several = _is_concatenated(file.head_text or "")
            for count, item in enumerate(_items(stream, options.limits.record_bytes, several=several), start=1):
                yield count, item
    except _BrokenJsonError as error:
        raise file.damaged(f"broken or incomplete JSON ({error})", f"after record {count}") from error


class _BrokenJsonError(ValueError):
    """The rest of the document cannot be split into records."""


class _Rows:
    """Names the values of rows that are lists, where the first of them is a header."""

    def __init__(self) -> None:
        self._header: list[str] | None = None
        self._first = True

    def named(self, value: object) -> object:
        """Return a row by its names; None for the header."""
        first, self._first = self._first, False
        if first and (header := header_of(value)):
            self._header = header
            return None
        if self._header is None or not isinstance(value, list) or len(value) > len(self._header):
            return value
        return dict(zip(self._header, value, strict=False))


def _records(
    file: ArchiveFile, place: str, text: str | None, options: ReadOptions, rows: _Rows
) -> Sequence[Record | SetAside]:
    """Parse one value, and return the records that it stands for; None stands for a value over the limit."""
    value = _parsed(file, place, text, options)
    if isinstance(value, SetAside):
        return [value]
    row = rows.named(value)
    if row is None and value is not None:
        return []
    return _expanded(file, place, row, options, len(text or ""))


def _expanded(
    file: ArchiveFile, place: str, value: object, options: ReadOptions, size: int = 0
) -> Sequence[Record | SetAside]:
    try:
        by_paths = options.field_map and leads_into_lists(options.field_map)
        records = records_at(value, options.field_map) if by_paths else None
        records = expand(value) if records is None else records
        if records is None and isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            records = [record for one in value for record in expand(one) or ()]
    except RecursionError:
        return [file.set_aside(place, "JSON nested too deep")]
    if records is not None:
        found = []
        for record in records:
            if isinstance(record, Joined):
                for what, count in record.omitted.items():
                    file.log.omit(what, count)
                if not record:
                    continue
            found.append(Record(place, record, None, size))
        return found
    shown = json.dumps(value, ensure_ascii=False) if not isinstance(value, list | dict) else "a list"
    shown = shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]}…"
    return [file.set_aside(place, f"{shown.strip()} is not an object with fields")]


def _parsed(file: ArchiveFile, place: str, text: str | None, options: ReadOptions) -> object:
    if text is None:
        return file.set_aside(place, file.record_over_limit(options).reason)
    if _has_too_many_values(text):
        return file.set_aside(place, f"a JSON value of more than {_MOST_VALUES:,} values")
    try:
        value = _value(text)
        value = json.loads(value) if isinstance(value, str) and value.lstrip()[:1] in ("{", "[") else value
        return value if len(text) <= 2 * _MOST_DEPTH else _shallow(text, value)  # each bracket is closed
    except json.JSONDecodeError as error:
        value = _value_of(text)
        if value is None:
            return file.set_aside(place, f"not JSON ({json_fault(error)})")
        file.log.remark(_NOT_QUITE)
        return value
    except RecursionError:
        return file.set_aside(place, "JSON nested too deep")
    except ValueError:  # what Python says of a whole number of thousands of digits
        return file.set_aside(place, "JSON with a number that has too many digits")


def _value(text: str) -> object:
    """Parse JSON as `json.loads` does: one value and a line end, as most are, in less time."""
    if text[:1] in ("{", "["):
        value, end = _DECODER.raw_decode(text)
        if end == len(text) or text[end:] in _LINE_ENDS:
            return value
    return json.loads(text)


def _whole_document(file: ArchiveFile, options: ReadOptions) -> dict[str, object] | None:
    """Parse a JSON object that is short enough to be held; None for any other, and for one that is broken."""
    if not (file.head_text or "").lstrip("\ufeff \t\r\n").startswith("{"):
        return None
    text = _beginning(file, options)
    value = None if text is None else _parsed(file, "", text, options)
    return value if isinstance(value, dict) else None


def _beginning(file: ArchiveFile, options: ReadOptions) -> str | None:
    """Read a text that is short enough to be held; None for a longer one."""
    most = min(_MOST_DOCUMENT, options.limits.record_bytes)
    with file.open_text(newline="") as stream:
        text = stream.read(most + 1)
    return None if len(text) > most else text.removeprefix("\ufeff")


def _value_of(text: str) -> object:
    """Parse what is nearly JSON; None if it is something else."""
    if _has_too_many_values(text):
        return None
    try:
        return _shallow(text, relaxed_value(text))
    except RecursionError:
        return None


def _shallow(text: str, value: object) -> object:
    """Return a value that is not nested too deep; since Python 3.12 its parser takes what nothing else can walk.

    Raises:
        RecursionError: if it is nested too deep.
    """
    is_flat = "[" not in text and "{" not in text[1:]  # found sooner than they are counted
    if is_flat or text.count("[") + text.count("{") <= _MOST_DEPTH:
        return value
    level = [value]
    for _ in range(_MOST_DEPTH):
        parts = (one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list))
        level = [inner for part in parts for inner in part if isinstance(inner, dict | list)]
        if not level:
            return value
    raise RecursionError


def _has_too_many_values(text: str) -> bool:
    return len(text) > _MOST_VALUES < text.count(",") + text.count("[") + text.count("{")


def _posts_of_tables(file: ArchiveFile, tables: list[Table], options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
    """Read the tables of one document: those with answers, where some have; answers of another table are joined."""
    records: list[list[Record | SetAside]] = []
    count = 0
    for table in tables:
        records.append([])
        rows = _Rows()
        for item in table.items:
            count += 1
            row = rows.named(item)
            if row is not None or item is None:
                records[-1] += _expanded(file, f"record {count}", row, options)
    plans = [
        make_plan([record.fields for record in found[:_PLANNED] if isinstance(record, Record)], options)
        for found in records
    ]
    whole = [number for number, plan in enumerate(plans) if _asks(plan) and _answers(plan)]
    replies = [number for number, plan in enumerate(plans) if plan.relation in ("replies", "messages")]
    asking = [
        number for number, plan in enumerate(plans) if _asks(plan) and not _answers(plan) and number not in replies
    ]
    if not whole and asking and (replies or any(plans[number].answer_ids for number in asking)):
        texts = {number for number in asking if _may_answer(plans[number], tables[number].path)}
        yield from _joined(file, [(records[n], n in texts) for n in (*asking, *replies)], options)
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


def _may_answer(plan: Plan, path: str) -> bool:
    """Return whether the records of a table may be the answers that others name by their ids."""
    of_questions = (role_of(path.rpartition(".")[2]) or ("",))[0] == "question"
    return not (of_questions or plan.answer_ids or plan.fields.get("question"))


def _joined(
    file: ArchiveFile, tables: list[tuple[list[Record | SetAside], bool]], options: ReadOptions
) -> Iterator[Post | SetAside | Reply]:
    """Join the questions and answers of several tables; of each it is said whether its records may be answers."""
    with Joiner(file, options) as joiner:
        for found, may_answer in tables:
            for item in posts_of(file, iter(found), options, part=True):
                if isinstance(item, Post):
                    joiner.add(Member(item.source_id, "asks", item, AnswerPart(0, 0)), text_alone=may_answer)
                elif isinstance(item, Reply):
                    joiner.add(item)
                else:
                    yield item
        joiner.link()
        file.log.lacks_answers, file.log.problem, file.log.advice = False, None, ""
        for joined in joiner.joined():
            yield joined[1] if isinstance(joined, tuple) else joined


def _is_concatenated(head: str) -> bool:
    """Return whether several values follow one another, with no array around them."""
    head = head.lstrip("\ufeff \t\r\n")
    try:
        _, end = json.JSONDecoder().raw_decode(head)
    except (ValueError, RecursionError):
        return False
    return head[end:].lstrip(", \t\r\n")[:1] in ("{", "[")


def _items(stream: TextIO, limit: int, *, several: bool = False) -> Iterator[str | None]:
    """Yield the text of each record of a JSON document, None for one that is too long.

    Records are the items of the outermost array; below a JSON object, the items of each array from its first
    object on. Of ``several`` values, each is a record.

    Raises:
        _BrokenJsonError: where the brackets end too early or too late.
    """
    # How many brackets are open; at which depth records are, 0 outside of arrays. Several values are as in an array.
    depth = level = int(several)
    in_object, found = False, several
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
        elif depth == level and several and item.start and part[0] in "{[":
            yield item.text
            item = _Item(limit)
            item.add(part)
            depth += _STEP.get(part, 0)
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
    if depth > several:
        raise _BrokenJsonError("it breaks off")
    if several and item.start:
        yield item.text


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
