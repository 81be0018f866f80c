"""Excel and OpenDocument workbooks: each sheet is a table."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO, cast

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply, require_scratch
from qa_search.archives.containers.office import office_kind
from qa_search.archives.formats.decoded import decoded
from qa_search.archives.formats.parts import Read, read_parts
from qa_search.archives.formats.tables import TableReader
from qa_search.errors import UnknownFormatError
from qa_search.types import Post, SetAside

_KINDS = frozenset(("xlsx", "xlsb", "ods"))
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_CHECKED_ROWS = 1000
_MOST_NAMED = 5


class WorkbookReader:
    """Reads workbooks: the rows of each sheet as those of a CSV table. Sheets without questions are passed over."""

    name = "Excel or OpenDocument workbook"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """A zip with a workbook in it, or an old Excel file."""
        return office_kind(file) in _KINDS or (file.head.startswith(_OLD_OFFICE) and file.suffix == ".xls")

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
        """Yield a post per row.

        Raises:
            UnknownFormatError: if no sheet has questions and answers that can be recognised.
            DamagedArchiveError: if the workbook is damaged.
        """
        yield from posts_of_sheets(file, decoded(file, "workbook", options), options)


def posts_of_sheets(
    file: ArchiveFile, items: Iterator[object], options: ReadOptions
) -> Iterator[Post | SetAside | Reply]:
    """Yield the posts of a workbook: ``items`` are the name of each sheet, and its rows.

    Raises:
        UnknownFormatError: if no sheet has questions and answers that can be recognised.
    """
    reasons: list[UnknownFormatError] = []
    with tempfile.TemporaryDirectory(prefix="qa-search-") as scratch:
        sheets: list[str] = []
        hidden: list[str] = []
        tables = _tables(file, items, Path(scratch, "sheet.csv"), options, sheets, hidden)
        yield from read_parts(file, tables, options, reasons)
    read = len(file.log.roles)
    for error in reasons if read else ():
        file.log.remark(f"A sheet is not read: {error.reason}.")
    if hidden:
        names = ", ".join(map(repr, hidden[:_MOST_NAMED])) + (", ..." if len(hidden) > _MOST_NAMED else "")
        if not read:
            reason = (
                f"no recognisable questions and answers but, perhaps, in hidden sheets ({names}), which are not read"
            )
            raise file.unknown(reason, "Show them, and save the workbook.")
        file.log.remark(f"left out: hidden sheets ({names}). To have them read, show them and save the workbook")
    if not read:
        raise _nothing(file, reasons, has_rows=bool(sheets))


def _tables(
    file: ArchiveFile, items: Iterator[object], path: Path, options: ReadOptions, filled: list[str], hidden: list[str]
) -> Iterator[tuple[ArchiveFile, Read]]:
    """Write each sheet as a CSV table that replaces the previous one.

    ``filled`` gets the names of those with rows, ``hidden`` those of hidden ones, which are not read.
    """
    for sheet, rows, is_hidden in _sheets(items):
        if is_hidden:
            hidden.append(sheet)
        elif _write(file, rows, path, options):
            filled.append(sheet)
            table = replace(
                file,
                name=f"{file.name}/{sheet}",
                location=f"{file.location}, sheet {sheet}",
                encoding="utf-8",
                opener=partial(_open, path),
            )
            yield table, partial(TableReader().read, options=options)


def _open(path: Path) -> BinaryIO:
    return path.open("rb")


def _nothing(file: ArchiveFile, reasons: list[UnknownFormatError], *, has_rows: bool) -> UnknownFormatError:
    """Make the error for a workbook without a sheet that can be read."""
    if len(reasons) == 1:
        return reasons[0]
    if not reasons:
        what = "a workbook that has a header and no rows" if has_rows else "a workbook without any cell that is filled"
        return file.unknown(what, "Look whether it was saved with its data, or exported from a search that finds some.")
    said = "; ".join(error.reason for error in reasons[:3])
    return file.unknown(
        f"a workbook whose {len(reasons)} sheets have no recognisable questions and answers: {said}",
        "Name the columns with field_map={'question': COLUMN, 'answer': COLUMN}.",
    )


def _sheets(items: Iterator[object]) -> Iterator[tuple[str, Iterator[list[str]], bool]]:
    """Split decoded items into sheets: name, rows, and whether people do not see it.

    The rows of a sheet must be read before the next sheet.
    """
    following: list[dict[str, str]] = []

    def rows() -> Iterator[list[str]]:
        for item in items:
            if isinstance(item, dict):
                following.append(item)
                return
            yield cast(list[str], item)

    for _ in rows():
        pass  # no rows come before the first sheet
    while following:
        sheet, found = following.pop(), rows()
        yield sheet["sheet"], found, "hidden" in sheet
        for _ in found:
            pass  # of a hidden sheet


def _write(file: ArchiveFile, rows: Iterator[list[str]], path: Path, options: ReadOptions) -> int:
    """Write a sheet as CSV, without its empty rows and the empty columns at its left; return how many rows it has."""
    filled = (row for row in rows if any(cell.strip() for cell in row))
    first = [row for _, row in zip(range(_CHECKED_ROWS), filled, strict=False)]
    left = min((next(n for n, cell in enumerate(row) if cell.strip()) for row in first), default=0)
    count = 0
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        for row in chain(first, filled):
            if not count % _CHECKED_ROWS:
                require_scratch(file, path.parent, options)
            count += 1
            writer.writerow(row[left:])
    return count
