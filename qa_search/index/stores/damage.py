"""How a store reports damage: it names its file, and whoever opened it adds the index and the way out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qa_search.errors import IndexDamagedError

# Makes the error from the path of a file and what is wrong with it.
DamageReport = Callable[[Path, object], IndexDamagedError]


def name_damage(path: Path, what: object) -> IndexDamagedError:
    """Name the file alone, for a store that belongs to no index."""
    return IndexDamagedError(f"{path}: {what}")
