"""JSON documents that are laid out by columns or by numbered keys -> their records, one object each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from qa_search.archives.formats.roles import role_of

_Object = Mapping[str, Any]
_Records = list[Mapping[str, Any]]
# "q1", "answer_2", "faq.0.question", "faq_3_a".
_NUMBERED = re.compile(
    r"(?:.{0,60}[._-])?(?P<before>[^\W\d_]{0,20})[._-]?(?P<number>\d{1,6})(?:[._-](?P<after>[^\W\d_]{1,20}))?"
)
_FEWEST = 2
_MOST_WORDS = 3  # of a column's name
_Scalar = str | int | float | bool | None


def records_by_columns(document: _Object) -> _Records | None:
    """Read a table that is written column by column, as programs for tables write it; None for another document.

    ``{"question": [...], "answer": [...]}``, ``{"question": {"0": ...}, "answer": {"0": ...}}``, and
    ``{"columns": [...], "data": [[...], ...]}``.
    """
    names, rows = document.get("columns"), document.get("data")
    if isinstance(names, list) and isinstance(rows, list) and all(isinstance(name, str) for name in names):
        fit: _Records = [
            dict(zip(names, row, strict=True)) for row in rows if isinstance(row, list) and len(row) == len(names)
        ]
        return fit if _asks_and_answers(names) and len(fit) == len(rows) else None
    if not _asks_and_answers(document):
        return None
    columns = list(document.values())
    if all(isinstance(column, list) for column in columns):
        count = len(columns[0])
        fits = count >= _FEWEST and all(len(column) == count and all(map(_is_scalar, column)) for column in columns)
        return [dict(zip(document, row, strict=True)) for row in zip(*columns, strict=True)] if fits else None
    if all(isinstance(column, Mapping) for column in columns):
        keys = list(columns[0])
        fits = len(keys) >= _FEWEST and all(key.isdecimal() for key in keys)
        fits = fits and all(list(column) == keys and all(map(_is_cell, column.values())) for column in columns)
        return [{name: column[key] for name, column in document.items()} for key in keys] if fits else None
    return None


def numbered_records(value: _Object) -> _Records | None:
    """Read questions and answers whose keys are numbered, such as ``q1`` and ``a1``; None if there are no two pairs."""
    found: dict[int, dict[str, object]] = {}
    for key, text in value.items():
        match = _NUMBERED.fullmatch(key) if isinstance(text, str) else None
        name = (match["after"] or match["before"]) if match else ""
        if match and (known := role_of(name)) and known[0] in ("question", "answer"):
            found.setdefault(int(match["number"]), {}).setdefault(known[0], text)
    whole: _Records = [record for _, record in sorted(found.items()) if len(record) == len(("question", "answer"))]
    return whole if len(whole) >= _FEWEST else None


def header_of(value: object) -> list[str] | None:
    """Return the names of columns that a list of a table in rows begins with; None if it is no header."""
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value) or len(set(value)) < len(value):
        return None
    if any(len(name.split()) > _MOST_WORDS or name.rstrip().endswith(("?", ".", "!")) for name in value):
        return None
    return value if _asks_and_answers(value) else None


def _asks_and_answers(names: Any) -> bool:
    roles = {known[0] for name in names if (known := role_of(str(name)))}
    return {"question", "answer"} <= roles


def _is_cell(value: object) -> bool:
    return _is_scalar(value) or isinstance(value, list)


def _is_scalar(value: object) -> bool:
    return isinstance(value, _Scalar)


def is_list_of_objects(value: object) -> bool:
    """Return whether a value is a list that begins with an object."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)
