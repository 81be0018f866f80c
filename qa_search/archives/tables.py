"""CSV and TSV tables with a header line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence

from qa_search.archives.base import ArchiveFile, ReadOptions
from qa_search.archives.records import Record, has_post_fields, posts_of
from qa_search.types import Post, SetAside

_DELIMITERS = ("\t", ",", ";", "|")
_SUFFIXES = (".csv", ".tsv", ".tab")
# The csv module's own limit of 128 KiB a field is too small for a long thread; it has to be some number.
MAX_FIELD_CHARACTERS = 1 << 26


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
        return posts_of(file, self._records(file), options)

    def _records(self, file: ArchiveFile) -> Iterator[Record | SetAside]:
        csv.field_size_limit(max(csv.field_size_limit(), MAX_FIELD_CHARACTERS))
        with file.open_text(newline="") as lines:
            rows = csv.reader(lines, delimiter=_delimiter(file.head_text or ""), strict=True)
            columns = [name.strip().lstrip("\ufeff") for name in next(rows)]
            while True:
                place = f"line {rows.line_num + 1}"
                try:
                    row = next(rows)
                except StopIteration:
                    return
                except csv.Error as error:
                    if "unexpected end of data" in str(error):
                        raise file.damaged("a quote is opened and never closed", place) from error
                    yield file.set_aside(place, f"not a table row ({error})")
                    continue
                if not any(row):
                    continue
                if len(row) > len(columns):
                    yield file.set_aside(place, f"{len(row)} fields where the header has {len(columns)}")
                    continue
                yield Record(place, dict(zip(columns, row, strict=False)))


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
