"""SQLite files: written through apsw, read through a layer that checks every block that it reads.

apsw instead of Python's own module, because only apsw lets a program stand between SQLite and the file.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import apsw

from qa_search.index.integrity import BLOCK_BYTES, BlockSums
from qa_search.util.files import raise_if_withheld
from qa_search.util.rows import checked_rows

# Errors of SQLite that are faults of the disk or of rights. The others come from the file: it is damaged.
WRITE_ERRORS = (apsw.FullError, apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError)
# A hostile file can make a statement loop through the same pages. A statement on a valid file takes fewer steps.
_STEPS_PER_BYTE = 50
_LEAST_STEPS = 50_000_000
_STEPS_AT_ONCE = 1_000_000
_LEAST_VALUE_BYTES = 1 << 20
_COPIED_AT_ONCE = 1 << 20
_numbers = count()


class ReadOnlyDatabase:
    """A finished, immutable database. Safe to use from several threads."""

    def __init__(self, path: Path, *statements: Sequence[str]) -> None:
        """Open the file without ever writing to it. The hashes of its blocks lie beside it.

        Args:
            path: the file.
            statements: the ``CREATE`` statements that it must have been made with, all and no others: one of these
                sets.

        Raises:
            IndexUnreadableError: if it cannot be read now.
            ValueError: if it is another database, or is damaged.
            OSError: if it is missing.
        """
        size = path.stat().st_size
        self._lock = threading.Lock()
        self._steps = _Steps(max(_LEAST_STEPS, size * _STEPS_PER_BYTE))
        self._layer = _CheckedFiles(BlockSums(path))
        try:
            # immutable: no locks and no files beside it. Through a link, SQLite opens nothing by a layer of our own.
            address = f"{Path(os.path.realpath(path)).as_uri()}?immutable=1"
            self._address = f"{address}&vfs={self._layer.name}"
            self._db = apsw.Connection(
                address, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI, vfs=self._layer.name
            )
            self._db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
            self._db.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
            self._db.execute("PRAGMA cell_size_check = ON")
            # What SQLite sorts would else go to a file, through the layer that checks this one.
            self._db.execute("PRAGMA temp_store = MEMORY")
            # A value claims its own size.
            self._db.limit(apsw.SQLITE_LIMIT_LENGTH, max(size, _LEAST_VALUE_BYTES))
            self._db.set_progress_handler(self._steps, _STEPS_AT_ONCE)
        except apsw.Error as error:
            raise_if_withheld(error, path)
            raise ValueError(str(error)) from error
        # A database of UTF-8 cannot be attached to one of UTF-16, so a build could not copy from this one.
        if self.all("PRAGMA encoding", "t") != [("UTF-8",)]:
            raise ValueError("its texts are not in UTF-8, as those of an index are")
        schema = self.all("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL", "t")
        found = {" ".join(sql.split()) for (sql,) in schema}
        known = [{" ".join(statement.split()) for statement in group} for group in statements]
        if found not in known:
            raise ValueError("its tables are not those of an index")
        self.layout = known.index(found)

    def all(self, query: str, kinds: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query.

        ``kinds`` is what each column holds, as in `checked_rows`.

        Raises:
            ValueError: if the file is damaged.
        """
        with self._lock:
            self._steps.done = 0
            try:
                rows = list(self._db.execute(query, tuple(values)))
            except (apsw.Error, UnicodeDecodeError) as error:
                raise ValueError(self._layer.damage or str(error)) from error
        return checked_rows(rows, kinds)

    def copy_to(self, path: Path) -> None:
        """Copy the file.

        Raises:
            ValueError: if it is damaged.
            OSError: if the copy cannot be written.
        """
        self._layer.copy_to(path)

    def attach_to(self, writer: apsw.Connection) -> None:
        """Let a writer see this file as ``old``, until the writer is closed."""
        writer.execute("ATTACH ? AS old", (self._address,))
        writer.execute("PRAGMA cell_size_check = ON")

    @contextmanager
    def copied_by(self, writer: apsw.Connection) -> Iterator[None]:
        """Check what a writer reads of this file, to which it is attached, as `all` does.

        Raises:
            ValueError: if the file is damaged, or its rows do not fit the tables of the writer.
        """
        self._steps.done = 0
        writer.set_progress_handler(self._steps, _STEPS_AT_ONCE)
        try:
            yield
        except (apsw.Error, UnicodeDecodeError) as error:
            if self._layer.damage is None and isinstance(error, apsw.FullError | apsw.IOError | apsw.NoMemError):
                raise
            raise ValueError(self._layer.damage or str(error)) from error
        finally:
            writer.set_progress_handler(None)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


class _Steps:
    """Counts a statement's steps, and ends it when there are too many.

    Not a method of the database: the connection would refer back to it, and files would stay open until the garbage
    collector runs.
    """

    def __init__(self, most: int) -> None:
        self.done = 0
        self._most = most

    def __call__(self) -> bool:
        self.done += _STEPS_AT_ONCE
        return self.done > self._most


def create_database(path: Path) -> apsw.Connection:
    """Create a database for one writer, or open a copy of one. Nobody reads it before it is finished."""
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
    db = apsw.Connection(Path(os.path.realpath(path)).as_uri(), flags=flags)
    # A page is a block, so that reading a page checks no more than that.
    db.execute(f"PRAGMA page_size = {BLOCK_BYTES}")
    db.execute("PRAGMA cell_size_check = ON")
    db.execute("PRAGMA journal_mode = OFF")
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    return db


class _CheckedFiles(apsw.VFS):
    """The system's files, read through `BlockSums`. One for each database: apsw knows them by name."""

    def __init__(self, sums: BlockSums) -> None:
        self.name = f"qa-search-{next(_numbers)}"
        self.damage: str | None = None
        self._sums = sums
        super().__init__(self.name, base="")

    def xOpen(self, name: Any, flags: list[int]) -> _CheckedFile:  # noqa: N802 - apsw's name
        return _CheckedFile(name, flags, self)

    def copy_to(self, path: Path) -> None:
        with path.open("xb") as stream:
            at = 0
            while block := self._sums.read(_COPIED_AT_ONCE, at):
                at += stream.write(block)

    def read(self, amount: int, offset: int) -> bytes:
        try:
            return self._sums.read(amount, offset)
        except (ValueError, OSError) as error:
            self.damage = str(error)
            raise


class _CheckedFile(apsw.VFSFile):
    def __init__(self, name: Any, flags: list[int], layer: _CheckedFiles) -> None:
        self._layer = layer
        super().__init__("", name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - apsw's name
        return self._layer.read(amount, offset)
