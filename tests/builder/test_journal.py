"""The journal of vectors that a build has computed so far."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import apsw
import numpy as np
import pytest
import xxhash

from qa_search.builder.journal import VectorJournal

DIMENSION = 384
VECTORS = 2_000


def keys_of(count: int) -> list[bytes]:
    return [hashlib.blake2b(str(number).encode(), digest_size=16).digest() for number in range(count)]


def vectors_of(count: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((count, DIMENSION)).astype(np.float32)


def test_a_journal_is_hardly_larger_than_its_vectors(tmp_path: Path) -> None:
    """Vectors are appended, not moved about: in the order of their keys they took more than twice their room."""
    path = tmp_path / "given-0123456789abcdef.sqlite"
    journal = VectorJournal(path, DIMENSION)
    keys, vectors = keys_of(VECTORS), vectors_of(VECTORS)
    for start in range(0, VECTORS, 100):
        journal.add(keys[start : start + 100], vectors[start : start + 100])
    found = journal.find(keys)
    journal.close()
    assert all(np.array_equal(found[key], vector) for key, vector in zip(keys, vectors, strict=True))
    assert path.stat().st_size < 1.25 * vectors.nbytes


def test_a_journal_of_an_earlier_version_is_continued(tmp_path: Path) -> None:
    """A build that was killed goes on after an update, although its rows stand in the order of their keys."""
    path = tmp_path / "given-0123456789abcdef.sqlite"
    keys, vectors = keys_of(20), vectors_of(20)
    db = apsw.Connection(str(path))
    db.execute("CREATE TABLE computed (key BLOB PRIMARY KEY, vector BLOB NOT NULL, sum BLOB NOT NULL) WITHOUT ROWID")
    for key, vector in zip(keys[:10], vectors, strict=False):
        data = vector.tobytes()
        db.execute("INSERT INTO computed VALUES (?, ?, ?)", (key, data, xxhash.xxh3_64_digest(key + data)))
    db.close()
    journal = VectorJournal(path, DIMENSION)
    journal.add(keys[10:], vectors[10:])
    found = journal.find(keys)
    journal.close()
    assert all(np.array_equal(found[key], vector) for key, vector in zip(keys, vectors, strict=True))


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"vector BLOB", b"factor BLOB"), (b"SQLite format 3\0@\0\1\1", b"SQLite format 3\0@\0\3\3")],
    ids=["a column is missing", "SQLite reads it but does not write to it"],
)
def test_a_damaged_journal_is_made_again(old: bytes, new: bytes, tmp_path: Path) -> None:
    """The build goes on, and what it computes is kept."""
    path = tmp_path / "given-0123456789abcdef.sqlite"
    keys, vectors = keys_of(20), vectors_of(20)
    journal = VectorJournal(path, DIMENSION)
    journal.add(keys, vectors)
    journal.close()
    data = path.read_bytes()
    path.write_bytes(re.sub(re.escape(old[:-2]) + b"..", lambda _: new, data, count=1, flags=re.DOTALL))
    assert path.read_bytes() != data
    journal = VectorJournal(path, DIMENSION)
    assert journal.find(keys) == {}
    journal.add(keys[10:], vectors[10:])
    assert set(journal.find(keys)) == set(keys[10:])
    journal.close()


def test_values_of_another_type_are_passed_over(tmp_path: Path) -> None:
    """SQLite hands out whatever the bytes of a damaged row say."""
    path = tmp_path / "given-0123456789abcdef.sqlite"
    keys, vectors = keys_of(4), vectors_of(4)
    db = apsw.Connection(str(path))
    db.execute("CREATE TABLE computed (key BLOB PRIMARY KEY, vector BLOB, sum BLOB)")
    db.executemany("INSERT INTO computed VALUES (?, ?, ?)", zip(keys, (None, 7, "text", 1.5), keys, strict=True))
    db.close()
    journal = VectorJournal(path, DIMENSION)
    assert journal.find(keys) == {}
    journal.add(keys, vectors)
    assert len(journal.find(keys)) == 4
    journal.close()
