"""Rows of a SQLite file that may be damaged, in; the same rows out, each value of the type that its column holds."""

from __future__ import annotations

from collections.abc import Iterable
from types import NoneType
from typing import Any

_KINDS: dict[str, set[type]] = {
    "i": {int},
    "r": {float, int},
    "t": {str},
    "b": {bytes},
    "I": {int, NoneType},
    "T": {str, NoneType},
}


def checked_rows(rows: Iterable[tuple[Any, ...]], kinds: str) -> list[tuple[Any, ...]]:
    """Return the rows. SQLite itself hands out whatever a damaged or hostile file says, in any column.

    Args:
        rows: what a query gives.
        kinds: a letter for each column: i for an integer, r for a number, t for a text, b for bytes, I and T where
            NULL is allowed.

    Raises:
        ValueError: if a value has another type.
    """
    found = list(rows)
    for types in {tuple(map(type, row)) for row in found}:
        if any(one not in _KINDS[letter] for one, letter in zip(types, kinds, strict=True)):
            raise ValueError("a value has another type than its column")
    return found
