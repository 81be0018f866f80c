"""SQLite files that are read through a layer that checks every block."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from qa_search.index.integrity import write_block_sums
from qa_search.index.stores.database import ReadOnlyDatabase, create_database

SCHEMA = "CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT NOT NULL)"


def test_what_is_too_much_for_the_cache_is_sorted_all_the_same(tmp_path: Path) -> None:
    """Some megabytes that no index has in order: SQLite would put them into a file of its own."""
    path = tmp_path / "words.sqlite"
    words = [f"{number * 7919 % 100_003:06} {'x' * 60}" for number in range(100_000)]
    db = create_database(path)
    db.execute(SCHEMA)
    with db:
        db.executemany("INSERT INTO word VALUES (?, ?)", enumerate(words))
    db.close()
    write_block_sums(path)
    opened = ReadOnlyDatabase(path, [SCHEMA])
    assert [text for (text,) in opened.all("SELECT text FROM word ORDER BY text", "t")] == sorted(words)
    opened.close()


def test_a_database_in_utf_16_is_refused(tmp_path: Path) -> None:
    """SQLite reads it, but cannot attach it to one in UTF-8, as a build does that copies from it."""
    path = tmp_path / "words.sqlite"
    db = apsw.Connection(str(path))
    db.execute("PRAGMA encoding = 'UTF-16le'")
    db.execute(SCHEMA)
    db.close()
    write_block_sums(path)
    with pytest.raises(ValueError, match="UTF-8"):
        ReadOnlyDatabase(path, [SCHEMA])
