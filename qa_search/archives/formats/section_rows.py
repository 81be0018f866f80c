"""Rows of a sheet, some with a heading in their only cell -> the other rows, each with the heading above it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice

from qa_search.archives.formats.labels import seems_to_ask
from qa_search.archives.formats.roles import role_of
from qa_search.archives.formats.values import is_blank
from qa_search.util.text import counted

_FIELD = "section"
_LONGEST = 60
_MOST_WORDS = 8
# Where fewer of the questions with an answer ask in so many words, a lone cell may be one of them.
_ASKING_SHARE = 0.7
_MOST_SHOWN = 3
_Fields = Mapping[str, object]


class SectionRows:
    """Finds the rows that are headings. Rows are given in their order."""

    def __init__(self, rows: Sequence[_Fields]) -> None:
        """Decide by a table's first rows; ``found`` says whether there are headings."""
        names = dict.fromkeys(name for fields in rows for name in fields)
        roles = {name: found[0] for name in names if (found := role_of(name))}
        self._asking = next((name for name, role in roles.items() if role == "question"), "")
        self._answer = next((name for name, role in roles.items() if role == "answer"), "")
        self._section: object = None
        self._headings: Counter[str] = Counter()
        whole = [str(fields[self._asking]) for fields in rows if self._is_whole(fields)]
        asking = sum(seems_to_ask(text) for text in whole)
        self.found = asking > 0 and asking >= _ASKING_SHARE * len(whole) and any(map(self._heading, rows))

    def _is_whole(self, fields: _Fields) -> bool:
        return not is_blank(fields.get(self._asking)) and not is_blank(fields.get(self._answer))

    def _heading(self, fields: _Fields) -> str:
        """Return the heading that a row is, "" for another row."""
        filled = list(islice((text for text in fields.values() if not is_blank(text)), 2))
        text = filled[0].strip() if len(filled) == 1 and isinstance(filled[0], str) else ""
        short = len(text) <= _LONGEST and len(text.split()) <= _MOST_WORDS and not text.endswith((".", "!"))
        names_itself = not is_blank(fields.get(self._answer)) or text.isdecimal() or seems_to_ask(text)
        return text if short and not names_itself else ""

    def completed(self, fields: _Fields) -> _Fields | None:
        """Return a row with the heading above it, None for a heading."""
        if heading := self._heading(fields):
            self._section = heading
            self._headings[heading if len(self._headings) < _MOST_SHOWN else ""] += 1
            return None
        return fields if self._section is None else {_FIELD: self._section, **fields}

    @property
    def remarks(self) -> list[str]:
        """What was taken for a heading, for a person to check."""
        if not self._headings:
            return []
        shown = ", ".join(repr(heading) for heading in self._headings if heading)
        rows = counted(self._headings.total(), "row")
        return [f"{rows} with one cell taken for a heading of the rows below, and so for their category: {shown}"]
