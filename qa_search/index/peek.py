"""An index folder -> ids, tags and sources that begin with some letters, by the standard library alone.

For completion, which people wait for with each key: nothing heavy is imported, and hashes are not compared. What is
read here is offered to a person and never answers a search. A folder that cannot be read offers nothing.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Literal

from qa_search.index.owned import GENERATIONS, POINTER

_MOST = 100
_MOST_CHARACTERS = 200
_POINTER_BYTES = 200
# A hostile file can make a statement run for ever.
_SECONDS = 0.5
_STEPS_AT_ONCE = 10_000
_QUERIES = {
    "id": "SELECT e.post_id, p.title FROM entry e JOIN post p ON p.id = e.post "
    "WHERE e.post_id >= :typed AND e.post_id < :end ORDER BY e.post_id LIMIT :most",
    "tag": "SELECT tag, count(*) || ' x' FROM tag WHERE tag >= :typed AND tag < :end GROUP BY tag LIMIT :most",
    "source": "SELECT source, '' FROM entry WHERE source >= :typed AND source < :end GROUP BY source LIMIT :most",
}


def choices(index: str | os.PathLike[str], kind: Literal["id", "tag", "source"], typed: str) -> list[tuple[str, str]]:
    """Return up to 100 ids of posts, folded tags or sources that begin with ``typed``, each with a remark."""
    try:
        with Path(index, POINTER).open("rb") as pointer:
            generation = pointer.read(_POINTER_BYTES).split()[0].decode("ascii")
        return _read(Path(index, GENERATIONS, generation, "posts.sqlite"), _QUERIES[kind], typed)
    except (OSError, ValueError, IndexError, MemoryError, sqlite3.Error):
        return []


def _read(path: Path, query: str, typed: str) -> list[tuple[str, str]]:
    if not path.is_file():
        return []
    end = time.monotonic() + _SECONDS
    address = f"{Path(os.path.realpath(path)).as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(address, uri=True)) as db:
        db.set_progress_handler(lambda: time.monotonic() > end, _STEPS_AT_ONCE)
        values = {"typed": typed, "end": typed + "\U0010ffff", "most": _MOST}
        rows = db.execute(query, values).fetchall()
    return [(name, remark[:_MOST_CHARACTERS]) for name, remark in rows if _is_text(name) and _is_text(remark)]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 100 * _MOST_CHARACTERS
