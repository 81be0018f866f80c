"""CSV and TSV tables with a header line."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from itertools import islice
from pathlib import PurePosixPath
from typing import Literal, Self, TextIO

from qa_search.archives.base import HEAD_BYTES, ArchiveFile, ReadOptions, Reply, utf8_length
from qa_search.archives.formats.labels import seems_to_ask
from qa_search.archives.formats.mail_tables import mail_columns, mails_of
from qa_search.archives.formats.mail_threads import posts_of_mails
from qa_search.archives.formats.records import Record, has_post_fields, names_tickets, posts_of
from qa_search.archives.formats.roles import normal_name, role_of
from qa_search.archives.formats.values import integer_of, is_blank
from qa_search.types import AnswerPart, Post, SetAside
from qa_search.util.csv_cells import EXPORTED, unguarded
from qa_search.util.text import counted

_DELIMITERS = ("\t", ",", ";", "|")
_NEVER_CLOSED = "a quote is opened and never closed"
_SUFFIXES = (".csv", ".tsv", ".tab")
_TEXTS = (".txt", "")
# Python spends some sixty bytes on the smallest field.
_MOST_FIELDS = 1_000_000
_PIECE_CHARACTERS = 1 << 16
_SEPARATOR_LINE = re.compile(r"\"?sep=(.)\"?", re.IGNORECASE)
_LINE_END = re.compile(r"\r\n|\r|\n")
# Titles and dates of an export may stand above the header.
_LINES_ABOVE = 20
_IMPORT_ID = "ImportId"  # in the third row of Qualtrics, beside the ids of its questions
_LONGEST_SHORTENED = 8  # "Sr. No."
_LONGEST_NAME = 60
_MOST_WORDS_IN_NAME = 6
# What the parts of a question or an answer are called in a second header row, beside the names of roles.
_PARTS = ("text", "body", "html", "full", "name", "by")
_FEWEST_PARTS = 2
_WHOLE_QUOTED = re.compile(r'"(?:[^"]|"")*"')
# A collection for measuring searches (BEIR, MTEB) says in a table of its own which passage answers which query.
_QRELS = ("queryid", "corpusid")
_MOST_IN_BLOCK = 100
# Rows that are shorter than the header are remarked on from this share on.
_SHORT_SHARE = 0.02


@dataclass(frozen=True)
class _Layout:
    """The layout of a table: the number of lines above its header, or above its first row without a header."""

    delimiter: str
    columns: tuple[str, ...]
    lines_above: int = 0
    has_header: bool = True
    quotes: bool = True  # whether quotes enclose fields; in tables of databases they are letters
    html: bool | None = None  # whether texts are HTML, None if that is not known


# Anki's export as text says above its rows how they are written.
_ANKI_LINE = re.compile(r"#([a-z ]{1,30}):(.*)", re.IGNORECASE)
_ANKI_DELIMITERS = {"tab": "\t", "comma": ",", "semicolon": ";", "space": " ", "pipe": "|", "colon": ":"}
_ANKI_COLUMNS = {"guid column": "id", "tags column": "tags", "deck column": "category", "notetype column": "note type"}


class TableReader:
    """Reads tables: a header line, then a post per row. Fields may hold line ends if they are quoted."""

    name = "CSV or TSV"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """The first line names a question or an answer column, or the file's name says it is a table."""
        text = file.head_text
        if text is None or not text.strip() or file.suffix == ".sql":
            return False
        if file.suffix in _SUFFIXES or (file.suffix in _TEXTS and (_is_anki(text) or _is_numbered(text, options))):
            return True
        columns = _cells(_first_lines(text)[0][1])
        return len(columns) > 1 and has_post_fields(columns, options)

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
        """Yield a post per row; a row that does not fit the header is set aside."""
        layout, options = _layout(file, options)
        mails = mail_columns(layout.columns) if layout.has_header and not options.field_map else None
        if mails is not None:
            for role, header in (("title", "Subject"), ("question", "Body"), ("author", "From"), ("date", "Date")):
                if mails[header]:
                    file.log.took(role, mails[header], 0)
            return posts_of_mails(file, mails_of(self._records(file, layout, options), mails), options)
        if not (
            has_post_fields(layout.columns, options) or names_tickets(PurePosixPath(file.name).name, layout.columns)
        ):
            named = {normal_name(column): column for column in layout.columns}
            if named.keys() >= set(_QRELS):
                return _judgements(self._records(file, layout, options), [named[n] for n in _QRELS], named.get("score"))
            most = 12 if _looks_like_header(layout.columns) else 2
            shown = ", ".join(column[:_LONGEST_NAME] for column in layout.columns[:most])
            reason = f"no recognisable column of questions or answers (columns: {shown})"
            way_out = "Name them with field_map={'question': COLUMN, 'answer': COLUMN}."
            if not _looks_like_header(layout.columns):
                reason = (
                    f"the first line does not look like a header (its fields: {shown}). Name the columns by number, "
                    f"such as field_map={_numbers(layout.columns)!r}, or add a header line"
                )
                way_out = ""
            raise file.unknown(reason, way_out, f"line {layout.lines_above + 1}")
        records = self._records(file, layout, options)
        if _is_blocks(layout, file.head_text or ""):
            return posts_of(file, _blocks(records, layout.columns), options)
        return posts_of(file, records, options, rows=True)

    def _records(self, file: ArchiveFile, layout: _Layout, options: ReadOptions) -> Iterator[Record | SetAside]:
        # The csv module's own limit, for all of the process, is too small for a long thread; `_Lines` keeps ours.
        csv.field_size_limit(max(csv.field_size_limit(), options.limits.record_bytes))
        too_long = file.record_over_limit(options).reason
        columns: Sequence[str] = () if layout.has_header else layout.columns
        rows_read = short = repeated = mended = 0
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if layout.quotes else csv.QUOTE_NONE
        with file.open_text(newline="") as stream:
            lines = _Lines(stream, layout, too_long, options.limits.record_bytes)
            lines.skip(layout.lines_above)
            rows = csv.reader(lines, delimiter=layout.delimiter, strict=True, quoting=quoting)
            while True:
                place = f"line {lines.number + 1}"
                lines.start_row()
                try:
                    row = next(rows)
                except StopIteration:
                    break
                except _RowTooLongError as error:
                    if not columns:
                        raise file.over_limit(str(error), place) from error
                    if not lines.skip_row():
                        raise file.damaged(_NEVER_CLOSED, place) from error
                    yield file.set_aside(place, str(error))
                    continue
                except csv.Error as error:
                    if "unexpected end of data" in str(error):
                        raise file.damaged(_NEVER_CLOSED, place) from error
                    if not columns:
                        raise file.damaged(f"no table's header ({error})", place) from error
                    fields = lines.mend_row(len(columns))
                    if fields is None:
                        yield file.set_aside(place, f"not a table row ({error})")
                        continue
                    row, mended = fields, mended + 1
                if not any(row):
                    continue
                if not columns:
                    columns = [name.strip().lstrip("\ufeff") for name in row]
                    fields_of = _fields_of(columns)
                    continue
                if not rows_read:
                    fields_of = _fields_of(columns)
                rows_read += 1
                while len(row) > len(columns) and not row[-1].strip():
                    row.pop()
                if len(row) > len(columns):
                    yield file.set_aside(place, f"{counted(len(row), 'field')} where the header has {len(columns)}")
                elif layout.has_header and row[0].strip() == columns[0] and [cell.strip() for cell in row] == columns:
                    repeated += 1
                else:
                    short += len(row) < len(columns)
                    yield Record(place, fields_of(row), layout.html, lines.characters)
        if not rows_read:
            file.log.remark("a header, and no rows below it")
        if short > _SHORT_SHARE * rows_read:
            file.log.remark(f"fewer fields than the header in {short:,} of {counted(rows_read, 'row')}")
        if repeated:
            file.log.remark(f"{counted(repeated, 'row')} like the header: left out")
        if mended:
            file.log.remark(f"{counted(mended, 'row')} with quotes within quotes that are not doubled: read as letters")


def _judgements(
    records: Iterator[Record | SetAside], names: Sequence[str], grade: str | None
) -> Iterator[SetAside | Reply]:
    """Yield for each query where the passages are that answer it; a grade of 0 says that one does not."""
    for record in records:
        if isinstance(record, SetAside):
            yield record
            continue
        query, passage = (str(record.fields.get(name) or "").strip() for name in names)
        score = integer_of(record.fields.get(grade)) if grade else 1
        if query and passage and (score is None or score > 0):
            yield Reply(query, "", AnswerPart(0, 0, id=passage, score=score), record.place)


def _fields_of(columns: Sequence[str]) -> Callable[[Sequence[str]], Mapping[str, object]]:
    """Return a function that names a row's fields; columns of the same name give a list."""
    if tuple(columns) == EXPORTED:
        return lambda row: dict(zip(columns, map(unguarded, row), strict=False))
    if len(set(columns)) == len(columns):
        return lambda row: dict(zip(columns, row, strict=False))

    def gathered(row: Sequence[str]) -> Mapping[str, object]:
        fields: dict[str, object] = {}
        for name, cell in zip(columns, row, strict=False):
            known = fields.get(name)
            if is_blank(known):
                fields[name] = cell
            elif not is_blank(cell):
                fields[name] = [*known, cell] if isinstance(known, list) else [known, cell]
        return fields

    return gathered


class _RowTooLongError(Exception):
    """A row is over a limit; the message names it."""


class _Lines:
    """A table's lines for the csv module, stopped when a row gets too long: the module has no such limit."""

    def __init__(self, stream: TextIO, layout: _Layout, too_long: str, limit: int) -> None:
        self.number = 0  # lines given so far
        self._stream = stream
        self._layout = layout
        self._delimiter = layout.delimiter
        self._too_long = too_long
        self._limit = limit
        self._again: list[
            StringIO
        ] = []  # what was taken for a part of another row, to be read first; last in, first out
        self.start_row()

    def start_row(self) -> None:
        """Start a new count."""
        self._bytes = self._fields = self._quotes = self._count = 0
        self._first = ""
        # The further lines of the row, if it has any; as texts, short ones take ten times their size.
        self._later: StringIO | None = None

    @property
    def characters(self) -> int:
        """How many bytes the row has, or somewhat less."""
        return self._bytes

    def skip(self, count: int) -> None:
        """Skip lines."""
        for _ in range(count):
            self._read_line()

    def mend_row(self, columns: int) -> list[str] | None:
        """Read the first line of the row as one whose inner quotes are not doubled; None if that does not fit.

        The lines after it are rows of their own then.
        """
        if not self._first:
            return None
        fields = _split_at_quotes(self._first.rstrip("\r\n"), self._delimiter)
        if len(fields) != columns:
            return None
        if self._later is not None:
            self._later.seek(0)
            self._again.append(self._later)
            self._later = None
        self.number -= self._count - 1
        return fields

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._read_line()
        if not line:
            raise StopIteration
        if self._bytes > self._limit:
            raise _RowTooLongError(self._too_long)
        if self._fields > _MOST_FIELDS:
            raise _RowTooLongError(f"a row of more than {_MOST_FIELDS:,} fields")
        self._count += 1
        if self._count == 1:
            self._first = line
            return line
        if self._later is None:
            self._later = StringIO(newline="")
        self._later.write(line)
        return line

    def skip_row(self) -> bool:
        """Skip the rest of a row up to its closing quote; False if the quote is never closed."""
        while self._quotes % 2 and self._layout.quotes:
            if not self._again:
                self._skip_unquoted()
            if not self._read_line():
                return False
        return True

    def _skip_unquoted(self) -> None:
        """Skip text without quotes, much at once; what comes behind it is read line by line."""
        while text := self._stream.read(_PIECE_CHARACTERS):
            if text[-1] == "\r":
                text += self._stream.read(1)
            if '"' in text:
                self._again.append(StringIO(text, newline=""))
                return
            self.number += text.count("\n") + text.count("\r") - text.count("\r\n")

    def _read_line(self) -> str:
        """Read a line, or only its last piece if the row is too long; "" at the end."""
        pieces: list[str] = []
        while piece := self._next_piece():
            self._bytes += utf8_length(piece)
            self._fields += piece.count(self._delimiter)
            if '"' in piece:  # found sooner than counted
                self._quotes += piece.count('"')
            if piece[-1] in "\r\n" and not pieces:  # as most lines do
                self.number += 1
                return piece
            if self._bytes > self._limit:
                pieces.clear()
            pieces.append(piece)
            if piece[-1] in "\r\n":
                break
        self.number += bool(pieces)
        return "".join(pieces)

    def _next_piece(self) -> str:
        while self._again:
            if piece := self._again[-1].readline(_PIECE_CHARACTERS):
                return piece
            self._again.pop()
        return self._stream.readline(_PIECE_CHARACTERS)


def _layout(file: ArchiveFile, options: ReadOptions) -> tuple[_Layout, ReadOptions]:
    """Find the layout of a table, and the names that map its columns."""
    text = file.head_text or ""
    if _is_anki(text):
        return _layout_of_anki(text), options
    lines = _first_lines(text)
    number, first = lines[0]
    delimiter = ""
    if separator := _SEPARATOR_LINE.fullmatch(first.strip()):
        delimiter = separator[1]
        lines = lines[1:] or lines
    number, first = lines[0]
    columns = _cells(first, delimiter)
    # A line with one cell is a title, even where it names questions.
    is_title = sum(bool(cell.strip()) for cell in columns) == 1 < len(columns)
    # Names of groups of columns leave gaps above the names of the columns.
    is_groups = not all(cell.strip() for cell in columns) and not _has_both(columns)
    if not has_post_fields(columns, options) or is_title or is_groups:
        later = list(_headers_below(lines[1:_LINES_ABOVE], delimiter, options))
        # A table about the report, of other columns, may stand above as well.
        both = [header for header in later if _has_both(header[2])]
        later = later if is_title or not has_post_fields(columns, options) else []
        number, first, columns = next(iter(both or later), (number, first, columns))
    delimiter = delimiter or _delimiter(first)
    below, second = next(((above, line) for above, line in lines if above > number), (0, ""))
    survey = _survey(text, delimiter)
    if survey is not None:
        asked, above = survey
        known = dict(zip(columns, asked, strict=False))
        field_map = {role: known.get(name, name) for role, name in options.field_map.items()}
        return _Layout(delimiter, asked, above, has_header=False), replace(options, field_map=field_map)
    two = _two_header_rows(columns, _cells(second, delimiter))
    if two:
        number, columns = below, two
    quotes = delimiter != "\t" or not _quotes_are_letters(text, len(columns))
    layout = _Layout(delimiter, tuple(columns), number + bool(two), has_header=not two, quotes=quotes)
    numbers = {role: int(name) for role, name in options.field_map.items() if re.fullmatch(r"[1-9]\d{0,3}", name)}
    is_row = any(len(cell.split()) > _MOST_WORDS_IN_NAME for cell in columns)
    if not numbers or (not is_row and any(str(column) in columns for column in numbers.values())):
        return layout, options
    if not (_looks_like_header(columns) or has_post_fields(columns, replace(options, field_map={}))):
        layout = replace(layout, columns=tuple(str(n) for n in range(1, len(columns) + 1)), has_header=False)
    named = {role: layout.columns[n - 1] for role, n in numbers.items() if n <= len(columns)}
    return layout, replace(options, field_map={**options.field_map, **named})


def _survey(text: str, delimiter: str) -> tuple[tuple[str, ...], int] | None:
    """Find the header of a survey of Qualtrics: a row of ids, one of the questions, and one of JSON.

    Return the questions, which name the columns, and how many lines stand above the answers.
    """
    if _IMPORT_ID not in text:
        return None
    lines = _LINE_END.sub("\n", text.lstrip("\ufeff")).splitlines(keepends=True)
    rows = csv.reader(lines, delimiter=delimiter)
    try:
        ids, asked, marks = (next(rows) for _ in range(3))
    except (csv.Error, RuntimeError):  # the latter where there are fewer rows
        return None
    if not (len(ids) == len(asked) == len(marks) and all(_IMPORT_ID in mark for mark in marks if mark)):
        return None
    return tuple(" ".join(cell.split()) for cell in asked), rows.line_num


def _is_anki(text: str) -> bool:
    return text.lstrip("\ufeff")[:20].lower().startswith(("#separator:", "#html:"))


def _layout_of_anki(text: str) -> _Layout:
    """Read the layout that stands above the rows: two of the columns that are not named ask and answer."""
    lines = _LINE_END.split(text.lstrip("\ufeff"))
    said = {}
    above = 0
    for line in lines[:_LINES_ABOVE]:
        if not (match := _ANKI_LINE.fullmatch(line)):
            break
        said[match[1].lower()], above = match[2], above + 1
    separator = said.get("separator", "tab")
    delimiter = _ANKI_DELIMITERS.get(separator.lower(), separator[:1] or "\t")
    rows = csv.reader(lines[above:], delimiter=delimiter)
    width = max(map(len, islice(rows, _LINES_ABOVE)), default=2)
    named = {int(at) - 1: name for key, name in _ANKI_COLUMNS.items() if (at := said.get(key, "").strip()).isdecimal()}
    given = said["columns"].split(delimiter) if "columns" in said else []
    free = iter(("question", "answer", *(f"field {number}" for number in range(3, width + 3))))
    columns = [named.get(number) or next(free) for number in range(max(width, len(given)))]
    if has_post_fields(given, ReadOptions()):
        columns = [named.get(number, name) for number, name in enumerate(given)]
    html = said.get("html", "").strip().lower() == "true"
    return _Layout(delimiter, tuple(columns), above, has_header=False, html=html)


def _is_numbered(text: str, options: ReadOptions) -> bool:
    """Return whether columns are named by their numbers, and each line of a text has as many."""
    numbered = any(re.fullmatch(r"[1-9]\d{0,3}", name) for name in options.field_map.values())
    return numbered and has_tabs(text)


def has_tabs(text: str) -> bool:
    """Return whether the first lines of a text are all parted by tabs, as cards are that were copied from a program."""
    lines = [line for line in _LINE_END.split(text.lstrip("\ufeff"), _LINES_ABOVE)[:_LINES_ABOVE] if line.strip()]
    return len(lines) > 1 and lines[0].count("\t") > 0 and len({line.count("\t") for line in lines}) == 1


def _headers_below(
    lines: Sequence[tuple[int, str]], delimiter: str, options: ReadOptions
) -> Iterator[tuple[int, str, list[str]]]:
    """Yield the lines that may be a table's header, each with how many stand above it and with its cells."""
    for number, line in lines:
        cells = _cells(line, delimiter)
        if len(cells) > 1 and _looks_like_header([cell for cell in cells if cell]) and has_post_fields(cells, options):
            yield number, line, cells


def _has_both(cells: Sequence[str]) -> bool:
    """Return whether a row names a column of questions and one of answers."""
    return {"question", "answer"} <= {known[0] for cell in cells if (known := role_of(cell)) is not None}


def _first_lines(text: str) -> list[tuple[int, str]]:
    """Return the first lines of a text that are not blank, each with how many lines stand above it."""
    lines = _LINE_END.split(text.lstrip("\ufeff")[:HEAD_BYTES], _LINES_ABOVE * 2)[: _LINES_ABOVE * 2]
    found = [(number, line) for number, line in enumerate(lines) if line.strip(' \t,;|"')]
    return found or [(0, "")]


def _two_header_rows(columns: Sequence[str], below: Sequence[str]) -> list[str]:
    """Name columns by two rows, groups (named once, or above each column) and their parts; [] for other rows."""
    groups: list[str] = []
    for name in columns:
        groups.append(name or (groups[-1] if groups else ""))
    known = sum(role_of(name) is not None or name.lower() in _PARTS for name in below)
    if (
        len(set(groups)) == len(groups)
        or len(below) != len(columns)
        or known < _FEWEST_PARTS
        or not all(name and len(name.split()) <= _FEWEST_PARTS and name.replace(" ", "").isalpha() for name in below)
    ):
        return []
    names = []
    for group, part in zip(groups, below, strict=True):
        whole, role = f"{group} {part}", role_of(part)
        of_answer = (role_of(group) or ("",))[0] == "answer"
        names.append(part if role_of(whole) is None and role is not None and not of_answer else whole)
    return names if len(set(names)) == len(names) else []


def _looks_like_header(cells: Sequence[str]) -> bool:
    """Return whether a row has names of columns: short, distinct, no numbers and no sentences."""
    return len(set(cells)) == len(cells) and all(
        len(cell) <= _LONGEST_NAME
        and len(cell.split()) <= _MOST_WORDS_IN_NAME
        and not cell.strip().isdecimal()
        and not (cell.rstrip().endswith((".", "!")) and len(cell) > _LONGEST_SHORTENED)
        for cell in cells
    )


def _is_blocks(layout: _Layout, text: str) -> bool:
    """Return whether each row has a name and its value, as cards have that stand below each other."""
    if len(layout.columns) != 2 or not layout.has_header:
        return False
    rows = [_cells(line, layout.delimiter) for _, line in _first_lines(text)]
    roles = {known[0] for row in rows if row and (known := role_of(row[0]))}
    first = role_of(layout.columns[0])
    return first is not None and first[0] == "question" and "answer" in roles and role_of(layout.columns[1]) is None


def _blocks(records: Iterator[Record | SetAside], columns: Sequence[str]) -> Iterator[Record | SetAside]:
    """Yield a record for the rows from each question on; what is read as the header is the first of them."""
    place, fields = "line 1", {columns[0]: columns[1]}
    for record in records:
        if isinstance(record, SetAside):
            yield record
            continue
        name, value = str(record.fields.get(columns[0], "")).strip(), str(record.fields.get(columns[1], ""))
        if name == columns[0]:
            yield Record(place, fields)
            place, fields = record.place, {}
        if name and len(fields) < _MOST_IN_BLOCK:
            fields.setdefault(name, value)
    yield Record(place, fields)


def _numbers(row: Sequence[str]) -> dict[str, str]:
    """Return the numbers of the columns that may ask and answer in a table without a header, by its first row."""
    texts = [number for number, cell in enumerate(row) if len(cell.split()) > 1] or list(range(len(row)))
    asks = next((number for number in texts if seems_to_ask(row[number])), texts[0])
    others = [number for number in texts if number != asks] or [asks + 1]
    answers = max(others, key=lambda number: len(row[number]) if number < len(row) else 0)
    return {"question": str(asks + 1), "answer": str(answers + 1)}


def _quotes_are_letters(text: str, columns: int) -> bool:
    """Return whether quotes in a table are letters: each line is a row, and some quote is not closed."""
    lines = [line for line in _LINE_END.split(text.lstrip("\ufeff")) if line]
    if len(text.encode("utf-8", "replace")) >= HEAD_BYTES:
        lines = lines[:-1]  # it may go on
    rows = [line.split("\t") for line in lines]
    if not all(len(row) == columns for row in rows):
        return False
    quoted = [field for row in rows for field in row if field.startswith('"')]
    return any(not _WHOLE_QUOTED.fullmatch(field) for field in quoted)


def _split_at_quotes(line: str, delimiter: str) -> list[str]:
    """Split a row in which a quoted field ends only at a quote before a delimiter or the line's end."""
    mark = re.escape(delimiter)
    pattern = re.compile(rf'"((?:[^"]|"(?!{mark}|$))*)"(?={mark}|$)|([^{mark}]*)')
    fields, position = [], 0
    while position <= len(line):
        match = pattern.match(line, position)
        if match is None:
            break
        fields.append(match[1].replace('""', '"') if match[1] is not None else match[2])
        position = match.end() + 1
    return fields


def _delimiter(line: str) -> str:
    return max(_DELIMITERS, key=line.count)


def _cells(line: str, delimiter: str = "") -> list[str]:
    """Read the names in a header line."""
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=delimiter or _delimiter(line)), [])]
    except csv.Error:
        return []
