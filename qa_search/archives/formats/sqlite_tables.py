"""SQLite databases: the tables that hold questions and answers."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply
from qa_search.archives.formats.anki_notes import anki_records, is_anki
from qa_search.archives.formats.chat_tables import chat_posts_of_tables
from qa_search.archives.formats.cms_items import posts_of_items
from qa_search.archives.formats.cms_tables import CmsTables
from qa_search.archives.formats.database_layout import SEPARATOR, Layout, Selection, Table, hidden_remark
from qa_search.archives.formats.decoded import scratch_copy
from qa_search.archives.formats.parts import Read, read_parts
from qa_search.archives.formats.records import Record, has_post_fields, posts_of
from qa_search.archives.formats.roles import role_of
from qa_search.errors import UnknownFormatError
from qa_search.types import Post, SetAside

_MAGIC = b"SQLite format 3\0"
_MOST_TABLES = 1000
_TEXTS = frozenset(("question", "answer", "body"))
# Databases whose tables do not show their posts: how one of them ends, the program, the way out.
_OTHERS = {
    "legacy_hash": ("NodeBB", "Save each topic from its API (/api/topic/NUMBER) as JSON."),
    "recentchanges": ("MediaWiki", "Save the pages that have questions and answers as HTML."),
}
_EACH_POST = (
    "If each post's title asks and its text answers, build with "
    "field_map={'question': 'post_title', 'answer': 'post_content'}."
)
# What tables of forums and help desks are called.
_ASK = re.compile(r"question|topic|thread|faq|ticket|discussion|post", re.IGNORECASE)
_ANSWER = re.compile(r"answer|repl(?:y|ies)|response|comment|message|post", re.IGNORECASE)
_MOST_STEPS = 200_000_000  # of SQLite's machine, for one row: no plain scan comes near
_STEPS_AT_ONCE = 1_000_000
_STEPS_OF_JOINS = 2_000_000_000  # before the first row, to sort what the rows are joined with


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
    except MemoryError as error:  # a size that damage made impossible; what one row may hold is limited
        raise file.damaged("the database cannot be read (a part of it takes more memory than there is)") from error


def _restrict(rows: sqlite3.Connection, options: ReadOptions) -> None:
    """Turn off everything that a malicious database could use."""
    rows.text_factory = lambda data: data.decode("utf-8", "replace")
    rows.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, options.limits.record_bytes)
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0", "query_only = ON"):
        rows.execute(f"PRAGMA {pragma}")


def _posts(file: ArchiveFile, rows: sqlite3.Connection, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
    steps = _limit_steps(rows)
    tables = _tables(rows)
    if is_anki({table.name: table.columns for table in tables}):
        if _is_superseded(file):
            file.log.remark("left out: a newer collection of the same package is read")
            return
        yield from posts_of(file, anki_records(rows, partial(_each, steps)), options)
        return
    chats = chat_posts_of_tables(
        file, rows, {table.name: table.columns for table in tables}, partial(_sorted, steps), options
    )
    if chats is not None:
        yield from chats
        return
    layout = Layout(rows, tables)
    reasons: list[UnknownFormatError] = []
    cms = CmsTables(rows, layout.tables)
    items = [] if _TEXTS & options.field_map.keys() else [*cms.wordpress, *cms.drupal]
    chosen = _chosen(layout, options, [] if items else layout.tables)
    readers: list[tuple[Table, Read]] = [
        *((table, partial(_read_items, cms=cms, table=table, options=options, steps=steps)) for table in items),
        *((one.table, partial(_read, rows=rows, selection=one, options=options, steps=steps)) for one in chosen),
    ]
    parts = [
        (
            replace(file, name=f"{file.name}/{table.name}", location=f"{file.location}, table {table.name}"),
            read,
        )
        for table, read in readers
    ]
    yield from read_parts(file, parts, options, reasons)
    if len(reasons) == len(parts):
        told = reasons and (items or options.field_map or len(layout.tables) == 1)
        raise reasons[0] if told else _nothing(file, layout.tables)
    used = {table.name for table, _ in readers} | cms.used
    left = [table.name for table in tables if table.name not in used and not any(one.uses(table) for one in chosen)]
    if left:
        file.log.remark(f"Tables that are not read: {', '.join(left[:20])}.")


def _is_superseded(file: ArchiveFile) -> bool:
    """Return whether a package has a newer form of this collection, of which this is no more than a notice."""
    newer = {".anki2": (".anki21", ".anki21b"), ".anki21": (".anki21b",)}.get(file.suffix, ())
    stem = PurePosixPath(file.name).stem
    return any(file.sibling(f"{stem}{suffix}") is not None for suffix in newer)


def _read_items(
    part: ArchiveFile, cms: CmsTables, table: Table, options: ReadOptions, steps: list[int]
) -> Iterator[Post | SetAside]:
    steps[0] = -_STEPS_OF_JOINS
    if table in cms.wordpress:
        yield from posts_of_items(part, cms.wordpress_items(table), options, "a WordPress database", _EACH_POST)
    else:
        yield from posts_of_items(part, cms.drupal_items(table), options, "a Drupal database")


def _chosen(layout: Layout, options: ReadOptions, others: list[Table]) -> list[Selection]:
    """Choose tables of questions with answers, and of topics and messages; else what may be one of ``others``."""
    both = [table for table in layout.tables if _is_both(layout, table, options)]
    others_of = [] if _TEXTS & options.field_map.keys() else layout.tables  # who names columns wants their table
    found = layout.conversations([table for table in others_of if table not in both])
    known = {one.table.name for one in found}
    both = [table for table in both if table.name not in known]
    both = [table for table in both if layout.is_public(table)] or ([] if found else both)
    if not both and not found:
        both = _parts([table for table in others if has_post_fields(table.columns, options)])
    return [*map(layout.select, both), *found]


def _read(
    part: ArchiveFile, rows: sqlite3.Connection, selection: Selection, options: ReadOptions, steps: list[int]
) -> Iterator[Post | SetAside | Reply]:
    if selection.left_out:
        part.log.remark(hidden_remark(selection))
    options = replace(options, field_map={**selection.field_map, **options.field_map})
    return posts_of(part, _records(rows, selection, steps), options)


def _parts(tables: list[Table]) -> list[Table]:
    """Choose the tables that make posts together, by their names if these show it."""
    named = [table for table in tables if _ASK.search(table.name) or _ANSWER.search(table.name)]
    both = any(_ASK.search(table.name) for table in named) and any(_ANSWER.search(table.name) for table in named)
    return named if both else tables


def _nothing(file: ArchiveFile, tables: list[Table]) -> UnknownFormatError:
    if not tables:
        return file.unknown(
            "no table has rows",
            "A dump may have the structure alone: make one with the data (mysqldump without --no-data, pg_dump without "
            "--schema-only).",
        )
    for last, (program, way_out) in _OTHERS.items():
        if any(table.name.endswith(last) for table in tables):
            return file.unknown(f"a database of {program}, which is not read", way_out)
    listed = "; ".join(f"{table.name}: {', '.join(table.columns[:8])}" for table in tables[:8])
    return file.unknown(
        f"no table has recognisable columns of questions and answers (tables: {listed})",
        "Name them with field_map={'question': COLUMN, 'answer': COLUMN}, or export one table as CSV.",
    )


def _is_both(layout: Layout, table: Table, options: ReadOptions) -> bool:
    """Return whether a table has a question and its answer in each row."""
    asks, answers = (_with_role(table, options, roles) for roles in (("question", "title", "body"), ("answer",)))
    mapped = set(options.field_map.values())
    if "answer" in layout.known_fields(table):
        return True
    return bool(asks) and any(name in mapped or not layout.is_numbers(table, name) for name in answers)


def _with_role(table: Table, options: ReadOptions, roles: Sequence[str]) -> list[str]:
    mapped = {options.field_map.get(role) for role in roles}
    return [name for name in table.columns if name in mapped or (role_of(name) or ("",))[0] in roles]


def _tables(rows: sqlite3.Connection) -> list[Table]:
    names = rows.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 AND typeof(name) = 'text' "
        "AND name NOT LIKE 'sqlite!_%' ESCAPE '!' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY rowid LIMIT ?",
        (_MOST_TABLES,),
    ).fetchall()
    found = []
    for (name,) in names:
        columns = rows.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", (name,)).fetchall()
        found.append(Table(name, tuple(column for (column,) in columns)))
    return found


def _limit_steps(rows: sqlite3.Connection) -> list[int]:
    """Stop statements that take far too long; the list has what a statement took since its last row."""
    steps = [0]

    def too_long() -> bool:
        steps[0] += _STEPS_AT_ONCE
        return steps[0] > _MOST_STEPS

    rows.set_progress_handler(too_long, _STEPS_AT_ONCE)
    return steps


def _each(steps: list[int], rows: sqlite3.Connection, query: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a query, each within so many steps."""
    for row in rows.execute(query):
        steps[0] = 0
        yield row


def _sorted(steps: list[int], rows: sqlite3.Connection, query: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a query that sorts them first."""
    steps[0] = -_STEPS_OF_JOINS
    yield from _each(steps, rows, query)


def _records(rows: sqlite3.Connection, selection: Selection, steps: list[int]) -> Iterator[Record | SetAside]:
    table, names = selection.table.name, selection.names
    steps[0] = -_STEPS_OF_JOINS
    for number, row in enumerate(rows.execute(selection.sql), start=1):
        steps[0] = 0
        fields = dict(zip(names, (None if isinstance(value, bytes) else value for value in row), strict=True))
        for name in selection.lists:
            if isinstance(listed := fields[name], str):
                fields[name] = listed.split(SEPARATOR)
        yield Record(f"table {table}, row {number}", fields)
