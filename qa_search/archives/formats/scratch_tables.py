"""Rows of tables, as they come -> a scratch database that has them; its columns are those that rows have."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from qa_search.archives.base import ArchiveFile, ReadOptions, require_scratch

MOST_COLUMNS = 1000
_MOST_TABLES = 1000
_CHECKED_ROWS = 1000


def private_rows(schema: str) -> sqlite3.Connection:
    """Make a database of one connection with these tables, on disk where it grows; closing it removes it."""
    rows = sqlite3.connect("")
    rows.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {schema}")
    return rows


class ScratchTables:
    """A database in a folder of its own, at ``path``."""

    def __init__(self, file: ArchiveFile, options: ReadOptions, path: Path, rows: sqlite3.Connection) -> None:
        self.path = path
        self.rows = rows
        self._file = file
        self._options = options
        self._columns: dict[str, dict[str, str]] = {}  # of each table, by their names in lower case
        self._inserts: dict[tuple[str, tuple[str, ...]], str] = {}
        self._stored = 0
        rows.execute("PRAGMA journal_mode = OFF")
        rows.execute("PRAGMA synchronous = OFF")

    @property
    def is_empty(self) -> bool:
        """Whether no row was stored."""
        return not self._stored

    def add(self, table: str, columns: Sequence[str], values: Sequence[str | None]) -> None:
        """Store one row; what is too much for a database of this kind is passed over.

        Raises:
            DamagedArchiveError: if the scratch disk is full.
        """
        layout = (table, tuple(columns))
        insert = self._inserts.get(layout)
        if insert is None:
            insert = self._inserts[layout] = self._insert(*layout)
        if not insert or len(values) != len(columns):
            return
        if not self._stored % _CHECKED_ROWS:
            require_scratch(self._file, self.path.parent, self._options)
        self._stored += 1
        self.rows.execute(insert, values)

    def _insert(self, table: str, columns: tuple[str, ...]) -> str:
        """Make the table and the columns that are missing; return the statement that stores a row, "" for none."""
        names = _distinct(columns)
        known = self._columns.get(table.lower())
        if known is None:
            if len(self._columns) >= _MOST_TABLES or not 0 < len(names) <= MOST_COLUMNS:
                return ""
            self.rows.execute(f"CREATE TABLE {_quoted(table)} ({', '.join(map(_quoted, names))})")
            known = self._columns[table.lower()] = {name.lower(): name for name in names}
        for name in names:
            if name.lower() not in known:
                if len(known) >= MOST_COLUMNS:
                    return ""
                self.rows.execute(f"ALTER TABLE {_quoted(table)} ADD COLUMN {_quoted(name)}")
                known[name.lower()] = name
        listed, marks = ", ".join(map(_quoted, names)), ", ".join("?" * len(names))
        return f"INSERT INTO {_quoted(table)} ({listed}) VALUES ({marks})"  # noqa: S608 - quoted


@contextmanager
def scratch_tables(file: ArchiveFile, options: ReadOptions) -> Iterator[ScratchTables]:
    """Make an empty scratch database, removed at the end.

    Raises:
        DamagedArchiveError: if it cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="qa-search-") as scratch:
        path = Path(scratch, "tables")
        try:
            with closing(sqlite3.connect(path)) as rows:
                yield ScratchTables(file, options, path, rows)
        except sqlite3.Error as error:
            raise file.damaged(f"its rows cannot be sorted in {tempfile.gettempdir()} ({error})") from error


def _distinct(columns: Sequence[str]) -> list[str]:
    """Make column names distinct that SQLite would take for the same."""
    seen: set[str] = set()
    names = []
    for number, column in enumerate(columns, start=1):
        name = column.replace("\0", "") or f"column {number}"
        while name.lower() in seen:
            name += "_"
        seen.add(name.lower())
        names.append(name)
    return names


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""').replace("\0", "") + '"'
