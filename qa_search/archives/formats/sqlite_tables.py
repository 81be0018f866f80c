"""SQLite databases: the tables that hold questions and answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from qa_search.archives.base import ArchiveFile, ReadOptions
from qa_search.archives.formats.decoded import scratch_copy
from qa_search.archives.formats.records import Record, has_post_fields, posts_of
from qa_search.errors import UnknownFormatError
from qa_search.types import Post, SetAside

_MAGIC = b"SQLite format 3\0"
_MOST_TABLES = 1000
_MOST_STEPS = 200_000_000  # of SQLite's machine, for one row: no plain scan comes near
_STEPS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Table:
    """A table and those of its columns that are stored."""

    name: str
    columns: tuple[str, ...]


class SqliteReader:
    """Reads the tables of a database; its views, triggers and computed columns are left alone."""

    name = "SQLite database"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """SQLite's first bytes."""
        return file.head.startswith(_MAGIC)

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside]:
        """Yield a post per row, or per question of tables that belong together.

        Raises:
            UnknownFormatError: if no table has questions and answers that can be recognised.
            DamagedArchiveError: if the database is damaged.
        """
        with scratch_copy(file, options) as path:
            yield from posts_in_database(file, path, options)


def posts_in_database(file: ArchiveFile, path: Path, options: ReadOptions) -> Iterator[Post | SetAside]:
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
    """Trust nothing that the database says of itself."""
    rows.text_factory = lambda data: data.decode("utf-8", "replace")
    rows.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, options.limits.record_bytes)
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0", "query_only = ON"):
        rows.execute(f"PRAGMA {pragma}")


def _posts(file: ArchiveFile, rows: sqlite3.Connection, options: ReadOptions) -> Iterator[Post | SetAside]:
    tables = _tables(rows)
    whole = [table for table in tables if _asks(table, options) and _answers(table, options)]
    reasons: list[UnknownFormatError] = []
    found = 0
    for table in whole:
        own = replace(file, name=f"{file.name}/{table.name}", location=f"{file.location}, table {table.name}")
        try:
            yield from posts_of(own, _records(own, rows, table), options)
            found += 1
        except UnknownFormatError as error:
            reasons.append(error)
    parts = [table for table in tables if not whole and has_post_fields(table.columns, options)]
    if parts:
        yield from posts_of(file, _records_of_all(file, rows, parts), options)
    elif reasons and not found:
        raise reasons[0]
    elif not whole:
        listed = "; ".join(f"{table.name}: {', '.join(table.columns[:8])}" for table in tables[:8]) or "none"
        raise file.unknown(
            f"no table has columns that can be recognised as questions and answers (tables: {listed})",
            "Name them with --map question=COLUMN --map answer=COLUMN, or export one table as CSV.",
        )
    left = [table.name for table in tables if table not in whole and table not in parts]
    if left:
        file.log.remark(f"Tables that are not read: {', '.join(left[:20])}.")


def _asks(table: Table, options: ReadOptions) -> bool:
    columns = [name for name in table.columns if not _answers(Table("", (name,)), options)]
    return has_post_fields(columns, options) or any(name.lower() in ("title", "subject", "topic") for name in columns)


def _answers(table: Table, options: ReadOptions) -> bool:
    """Tell whether a table has a column of answers: one without which its columns would be those of questions alone."""
    from qa_search.archives.formats.records import ROLES, normal_name

    mapped = options.field_map.get("answer")
    return any(normal_name(name) in ROLES["answer"] or name == mapped for name in table.columns)


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


def _records_of_all(file: ArchiveFile, rows: sqlite3.Connection, tables: list[Table]) -> Iterator[Record | SetAside]:
    for table in tables:
        yield from _records(file, rows, table)


def _records(file: ArchiveFile, rows: sqlite3.Connection, table: Table) -> Iterator[Record | SetAside]:
    steps = [0]

    def too_long() -> bool:
        steps[0] += _STEPS_AT_ONCE
        return steps[0] > _MOST_STEPS

    rows.set_progress_handler(too_long, _STEPS_AT_ONCE)
    columns = ", ".join(_quoted(name) for name in table.columns)
    # Column names come from the database's own list, quoted.
    for number, row in enumerate(rows.execute(f"SELECT {columns} FROM {_quoted(table.name)}"), start=1):  # noqa: S608
        steps[0] = 0
        values = (None if isinstance(value, bytes) else value for value in row)
        yield Record(f"table {table.name}, row {number}", dict(zip(table.columns, values, strict=True)))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
