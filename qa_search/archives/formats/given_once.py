"""Rows of a sheet in which a question or a category stands once for several rows -> rows that each have it.

Sheets show such groups by cells that are merged, or left empty below the first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from qa_search.archives.formats.roles import is_weak, role_of
from qa_search.archives.formats.values import is_blank
from qa_search.util.text import counted

_ASKING = ("title", "question", "body")
_FEWEST_GROUPS = 2
# Fewer questions than this share are missing by a slip: their answers are not given to the question above.
_FEWEST_EMPTY = 0.2
_Fields = Mapping[str, object]


class GivenOnce:
    """Finds the columns that are filled once for several rows, and fills the rows below."""

    def __init__(self, rows: Sequence[_Fields]) -> None:
        """Decide by a table's first rows; ``fills`` says whether there is a column to fill."""
        names = dict.fromkeys(name for fields in rows for name in fields)
        roles = {name: found[0] for name in names if (found := role_of(name)) and not is_weak(found[1])}
        self._asking = [name for name, role in roles.items() if role in _ASKING]
        self._answers = [name for name, role in roles.items() if role == "answer"]
        self._categories = [
            name for name, role in roles.items() if role == "category" and self._names_groups(rows, name)
        ]
        self._carries = len(self._asking) == 1 and self._stands_once(rows, self._asking[0])
        self.fills = bool(self._categories) or self._carries
        self._above: dict[str, object] = {}
        self._filled: Counter[str] = Counter()

    def _names_groups(self, rows: Sequence[_Fields], name: str) -> bool:
        """Return whether a column names each of its groups once, in the group's first row."""
        cells = [fields.get(name) for fields in rows if not self._is_without_answer(fields)]
        given = [str(cell) for cell in cells if not is_blank(cell)]
        return _FEWEST_GROUPS <= len(given) == len(set(given)) < len(cells) and not is_blank(cells[0])

    def _stands_once(self, rows: Sequence[_Fields], asking: str) -> bool:
        """Return whether questions are empty below the first so often that it is meant."""
        empty = [is_blank(fields.get(asking)) for fields in rows if not self._is_without_answer(fields)]
        return bool(empty) and not empty[0] and sum(empty) >= _FEWEST_EMPTY * len(empty)

    def _is_without_answer(self, fields: _Fields) -> bool:
        return all(is_blank(fields.get(name)) for name in self._answers)

    def completed(self, fields: _Fields) -> _Fields:
        """Return a row with what stands above it for this row, too. Rows are given in their order."""
        found: dict[str, object] = {}
        answers = not self._is_without_answer(fields)
        for name in (*self._categories, *(self._asking if self._carries else ())):
            if not is_blank(fields.get(name)):
                self._above[name] = fields[name]
            elif answers and name in self._above:
                found[name] = self._above[name]
                self._filled[name] += 1
        return {**fields, **found} if found else fields

    @property
    def remarks(self) -> list[str]:
        """What was filled, for a person to check."""
        return [
            f"{name!r} is empty in {counted(count, 'row')} with an answer: the one above was taken"
            for name, count in self._filled.items()
        ]
