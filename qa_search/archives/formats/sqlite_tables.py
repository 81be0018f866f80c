"""SQLite databases: the tables that hold questions and answers."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply
from qa_search.archives.formats.anki_notes import anki_records, is_anki
from qa_search.archives.formats.decoded import scratch_copy
from qa_search.archives.formats.parts import read_parts
from qa_search.archives.formats.records import Record, has_post_fields, names_tickets, posts_of
from qa_search.archives.formats.roles import normal_name, role_of
from qa_search.errors import UnknownFormatError
from qa_search.types import Post, SetAside

_MAGIC = b"SQLite format 3\0"
_MOST_TABLES = 1000
# What tables of forums and help desks are called.
_ASK = re.compile(r"question|topic|thread|faq|ticket|discussion|post", re.IGNORECASE)
_ANSWER = re.compile(r"answer|repl(?:y|ies)|response|comment|message|post", re.IGNORECASE)
_MOST_STEPS = 200_000_000  # of SQLite's machine, for one row: no plain scan comes near
_STEPS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Table:
    """A table and its stored columns."""

    name: str
    columns: tuple[str, ...]


class SqliteReader:
    """Reads the tables of a database; its views, triggers and computed columns are left alone."""

    name = "SQLite database"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """SQLite's first bytes."""
        return file.head.startswith(_MAGIC)

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
        """Yield a post per row, or per question of tables that belong together.

        Raises:
            UnknownFormatError: if no table has questions and answers that can be recognised.
            DamagedArchiveError: if the database is damaged.
        """
        with scratch_copy(file, options) as path:
            yield from posts_in_database(file, path, options)


def posts_in_database(file: ArchiveFile, path: Path, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
    """Yield the posts of a database on this machine that holds a file's tables.

    Raises:
        UnknownFormatError: if no table has questions and answers that can be recognised.
        DamagedArchiveError: if the database is damaged.
    """
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as rows:
            _restrict(rows, options)
            yield from _posts(file, rows, options)
    except (sqlite3.Error, ValueError, OverflowError) as error:
        raise file.damaged(f"the database cannot be read ({error})") from error


def _restrict(rows: sqlite3.Connection, options: ReadOptions) -> None:
    """Turn off everything that a malicious database could use."""
    rows.text_factory = lambda data: data.decode("utf-8", "replace")
    rows.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, options.limits.record_bytes)
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0", "query_only = ON"):
        rows.execute(f"PRAGMA {pragma}")


def _posts(file: ArchiveFile, rows: sqlite3.Connection, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
    tables = _tables(rows)
    if is_anki({table.name: table.columns for table in tables}):
        if _is_superseded(file):
            file.log.remark("left out: a newer collection of the same package is read")
            return
        yield from posts_of(file, anki_records(rows, _each), options)
        return
    chosen = [table for table in tables if _asks(table, options) and _answers(table, options)]
    if not chosen:
        texts = [table for table in tables if has_post_fields(table.columns, options)]
        chosen = _parts([table for table in tables if table in texts or _has_titles_of(table, texts)])
    reasons: list[UnknownFormatError] = []
    parts = [
        (
            replace(
                file,
                name=f"{file.name}/{table.name}",
                location=f"{file.location}, table {table.name}",
            ),
            partial(_read, rows=rows, table=table, options=options),
        )
        for table in chosen
    ]
    yield from read_parts(file, parts, options, reasons)
    if len(reasons) == len(chosen):
        raise reasons[0] if reasons else _nothing(file, tables)
    left = [table.name for table in tables if table not in chosen]
    if left:
        file.log.remark(f"Tables that are not read: {', '.join(left[:20])}.")


def _is_superseded(file: ArchiveFile) -> bool:
    """Return whether a package has a newer form of this collection, of which this is no more than a notice."""
    newer = {".anki2": (".anki21", ".anki21b"), ".anki21": (".anki21b",)}.get(file.suffix, ())
    stem = PurePosixPath(file.name).stem
    return any(file.sibling(f"{stem}{suffix}") is not None for suffix in newer)


def _read(
    part: ArchiveFile, rows: sqlite3.Connection, table: Table, options: ReadOptions
) -> Iterator[Post | SetAside | Reply]:
    return posts_of(part, _records(part, rows, table), options)


def _has_titles_of(table: Table, texts: list[Table]) -> bool:
    """Return whether a table has titles alone, and a table with texts has a column for its ids."""
    name = normal_name(table.name)
    columns = {normal_name(column) for other in texts for column in other.columns}
    return names_tickets(table.name, table.columns) and any(
        column.endswith("id") and len(column) > len("id") and column.removesuffix("id") in name for column in columns
    )


def _parts(tables: list[Table]) -> list[Table]:
    """Choose the tables that make posts together, by their names if these show it."""
    named = [table for table in tables if _ASK.search(table.name) or _ANSWER.search(table.name)]
    both = any(_ASK.search(table.name) for table in named) and any(_ANSWER.search(table.name) for table in named)
    return named if both else tables


def _nothing(file: ArchiveFile, tables: list[Table]) -> UnknownFormatError:
    listed = "; ".join(f"{table.name}: {', '.join(table.columns[:8])}" for table in tables[:8]) or "none"
    return file.unknown(
        f"no table has recognisable columns of questions and answers (tables: {listed})",
        "Name them with field_map={'question': COLUMN, 'answer': COLUMN}, or export one table as CSV.",
    )


def _asks(table: Table, options: ReadOptions) -> bool:
    return _has_role(table, options, ("question", "title", "body"))


def _answers(table: Table, options: ReadOptions) -> bool:
    return _has_role(table, options, ("answer",))


def _has_role(table: Table, options: ReadOptions, roles: Sequence[str]) -> bool:
    mapped = {options.field_map.get(role) for role in roles}
    return any(name in mapped or (role_of(name) or ("",))[0] in roles for name in table.columns)


def _tables(rows: sqlite3.Connection) -> list[Table]:
    names = rows.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 AND name NOT LIKE 'sqlite!_%' ESCAPE '!' "
        "AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY rowid LIMIT ?",
        (_MOST_TABLES,),
    ).fetchall()
    found = []
    for (name,) in names:
        columns = rows.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", (name,)).fetchall()
        found.append(Table(name, tuple(column for (column,) in columns)))
    return found


def _records(file: ArchiveFile, rows: sqlite3.Connection, table: Table) -> Iterator[Record | SetAside]:
    columns = ", ".join(_quoted(name) for name in table.columns)
    # Column names come from the database's own list, quoted.
    query = f"SELECT {columns} FROM {_quoted(table.name)}"  # noqa: S608
    for number, row in enumerate(_each(rows, query), start=1):
        values = (None if isinstance(value, bytes) else value for value in row)
        yield Record(f"table {table.name}, row {number}", dict(zip(table.columns, values, strict=True)))


def _each(rows: sqlite3.Connection, query: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a query, each within so many steps."""
    steps = [0]

    def too_long() -> bool:
        steps[0] += _STEPS_AT_ONCE
        return steps[0] > _MOST_STEPS

    rows.set_progress_handler(too_long, _STEPS_AT_ONCE)
    for row in rows.execute(query):
        steps[0] = 0
        yield row


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
