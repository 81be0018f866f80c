"""Keep the vectors that a build has computed so far, until the index is published.

A build after a killed one continues with them. They are found by what they depend on (the passage's text, in a file for
each model and settings), so changes of the archive meanwhile do not matter.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path

import apsw
import numpy as np
import xxhash

from qa_search.embedders.base import Vectors
from qa_search.index.stores.database import WRITE_ERRORS

_CHUNK = 500
_PAGE_BYTES = 1 << 14  # of 4,096 bytes, a quarter would stay empty behind two vectors


class VectorJournal:
    """A file of vectors by key. It stays valid if the process is killed at any moment."""

    def __init__(self, path: Path, dimension: int) -> None:
        self._dimension = dimension
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            path.unlink()  # not made by us: nothing is written to where it leads
        try:
            self._db = _open(path)
        except apsw.Error as error:
            if isinstance(error, WRITE_ERRORS):
                raise
            for suffix in ("", "-wal", "-shm"):  # damaged: what it held is computed again
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            self._db = _open(path)

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Vectors]:
        """Return the vectors (dimension,) of the keys that the journal has."""
        found: dict[bytes, Vectors] = {}
        for start in range(0, len(keys), _CHUNK):
            chunk = keys[start : start + _CHUNK]
            marks = ",".join("?" * len(chunk))
            query = f"SELECT key, vector, sum FROM computed WHERE key IN ({marks})"  # noqa: S608 - marks only
            with _without_what_is_damaged():
                for key, data, known in self._db.execute(query, list(chunk)):
                    if isinstance(data, bytes) and len(data) == self._dimension * 4 and known == _sum(key, data):
                        found[key] = np.frombuffer(data, np.float32)
        return found

    def add(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        """Keep vectors (n, dimension)."""
        # In the order of the keys: few pages of their index are written then, each once.
        pairs = sorted(zip(keys, vectors, strict=True), key=itemgetter(0))
        rows = [(key, data := vector.tobytes(), _sum(key, data)) for key, vector in pairs]
        with _without_what_is_damaged(), self._db:
            self._db.executemany("INSERT OR REPLACE INTO computed VALUES (?, ?, ?)", rows)

    def close(self) -> None:
        """Close the file and keep it."""
        self._db.close()


def _open(path: Path) -> apsw.Connection:
    db = apsw.Connection(str(path))
    # A write-ahead log survives a kill; without waiting for the disk it may lose the latest blocks to a power cut.
    db.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = OFF")
    # Rows stand one behind another, and their keys in an index. Rows in the order of the keys would be moved all the
    # time: eight times the work, and a file of twice the size.
    db.execute("CREATE TABLE IF NOT EXISTS computed (key BLOB PRIMARY KEY, vector BLOB NOT NULL, sum BLOB NOT NULL)")
    db.execute("SELECT key, vector, sum FROM computed LIMIT 0")
    if db.readonly("main") and os.access(path, os.W_OK):
        raise apsw.CorruptError(f"{path}: its header forbids to write")
    return db


@contextmanager
def _without_what_is_damaged() -> Iterator[None]:
    """Pass over what is damaged: it is computed again."""
    try:
        yield
    except apsw.Error as error:
        if isinstance(error, WRITE_ERRORS):
            raise


def _sum(key: bytes, data: bytes) -> bytes:
    return xxhash.xxh3_64_digest(key + data)
