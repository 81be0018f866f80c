"""CSV and TSV tables with a header line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import Self, TextIO

from qa_search.archives.base import ArchiveFile, ReadOptions, utf8_length
from qa_search.archives.formats.records import Record, has_post_fields, posts_of
from qa_search.types import Post, SetAside

_DELIMITERS = ("\t", ",", ";", "|")
_NEVER_CLOSED = "a quote is opened and never closed"
_SUFFIXES = (".csv", ".tsv", ".tab")
# Python spends some sixty bytes on the smallest field.
_MOST_FIELDS = 1_000_000
_PIECE_CHARACTERS = 1 << 16


class TableReader:
    """Reads tables: a header line, then a post per row. Fields may hold line ends if they are quoted."""

    name = "CSV or TSV"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """The first line names a question or an answer column, or the file's name says it is a table."""
        text = file.head_text
        if text is None or not text.strip():
            return False
        columns = _header(text)
        return file.suffix in _SUFFIXES or (len(columns) > 1 and has_post_fields(columns, options))

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside]:
        """Yield a post per row; a row that does not fit the header is set aside."""
        columns = _header(file.head_text or "")
        if not has_post_fields(columns, options):
            raise file.unknown(
                f"no column that can be recognised as question or answer (columns: {', '.join(columns[:12])})",
                "Name them with --map question=COLUMN --map answer=COLUMN.",
                "line 1",
            )
        return posts_of(file, self._records(file, options), options)

    def _records(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Record | SetAside]:
        # The csv module's own limit, for all of the process, is too small for a long thread; `_Lines` keeps ours.
        csv.field_size_limit(max(csv.field_size_limit(), options.limits.record_bytes))
        delimiter = _delimiter(file.head_text or "")
        too_long = file.record_over_limit(options).reason
        columns: list[str] = []
        with file.open_text(newline="") as stream:
            lines = _Lines(stream, delimiter, too_long, options.limits.record_bytes)
            rows = csv.reader(lines, delimiter=delimiter, strict=True)
            while True:
                place = f"line {lines.number + 1}"
                lines.start_row()
                try:
                    row = next(rows)
                except StopIteration:
                    return
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
                    yield file.set_aside(place, f"not a table row ({error})")
                    continue
                if not any(row):
                    continue
                if not columns:
                    columns = [name.strip().lstrip("\ufeff") for name in row]
                elif len(row) > len(columns):
                    yield file.set_aside(place, f"{len(row)} fields where the header has {len(columns)}")
                else:
                    yield Record(place, dict(zip(columns, row, strict=False)))


class _RowTooLongError(Exception):
    """A row is longer than one may be; the message says how."""


class _Lines:
    """A table's lines for the csv module, which would gather a row of any length: stopped when one gets too long."""

    def __init__(self, stream: TextIO, delimiter: str, too_long: str, limit: int) -> None:
        self.number = 0  # lines given so far
        self._stream = stream
        self._delimiter = delimiter
        self._too_long = too_long
        self._limit = limit
        self.start_row()

    def start_row(self) -> None:
        """Begin to count afresh."""
        self._bytes = self._fields = self._quotes = 0

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
        return line

    def skip_row(self) -> bool:
        """Pass over the rest of a row, up to where its quotes are closed; False if they never are."""
        while self._quotes % 2:
            if not self._read_line():
                return False
        return True

    def _read_line(self) -> str:
        """Read a line, only its last piece if the row has got too long; nothing at the end."""
        pieces: list[str] = []
        while piece := self._stream.readline(_PIECE_CHARACTERS):
            self._bytes += utf8_length(piece)
            self._fields += piece.count(self._delimiter)
            self._quotes += piece.count('"')
            if self._bytes > self._limit:
                pieces.clear()
            pieces.append(piece)
            if piece[-1] in "\r\n":
                break
        self.number += bool(pieces)
        return "".join(pieces)


def _delimiter(text: str) -> str:
    first = text.lstrip("\ufeff \r\n").partition("\n")[0]
    return max(_DELIMITERS, key=first.count)


def _header(text: str) -> Sequence[str]:
    """Read the column names of a table from the beginning of its text."""
    first = text.lstrip("\ufeff \r\n").partition("\n")[0]
    try:
        return [name.strip() for name in next(csv.reader([first], delimiter=_delimiter(text)), [])]
    except csv.Error:
        return []
