"""Records of a quiz whose answer is the letter or number of an option -> records whose answer is the option's text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import count, takewhile

from qa_search.archives.formats.roles import normal_name, role_of
from qa_search.archives.formats.values import is_blank, text_of

_LISTS = ("options", "choices", "alternatives")
_PREFIXES = ("option", "choice", "op", "opt", "alternative", "answer", "")
_PICK = re.compile(r"\(?([A-Ha-h]|\d)[).]?")
_FEWEST = 2
_Fields = Mapping[str, object]


class Choices:
    """Finds the options of a quiz, and puts the right one where its letter or number stands."""

    def __init__(self, records: Sequence[_Fields]) -> None:
        """Decide by a table's first records; ``found`` says whether they are a quiz."""
        names = {normal_name(name): name for name in dict.fromkeys(name for fields in records for name in fields)}
        self._answer = next((name for name in names.values() if _is_answer(name)), "")
        # What is known by the program of a quiz alone is given a name that all know.
        self._taken = self._answer if role_of(self._answer) else "answer"
        self._list = next((names[name] for name in _LISTS if name in names), "")
        self._columns = _columns(names)
        picks = [_pick(fields.get(self._answer)) for fields in records if not is_blank(fields.get(self._answer))]
        self.found = bool(picks) and all(picks) and bool(self._list or self._columns)
        # Numbers begin with 0 in programs and with 1 for people: only a 0, or the number of all options, shows which.
        self._first = 0 if "0" in picks else 1
        if self.found and self._first and all(pick.isdecimal() for pick in picks):
            sizes = (len(self._options(fields)) for fields in records)
            self.found = any(pick == str(size) for pick, size in zip(picks, sizes, strict=False))

    def completed(self, fields: _Fields) -> _Fields:
        """Return a record with the text of its answer; unchanged if the options lack it."""
        pick, options = _pick(fields.get(self._answer)), self._options(fields)
        if not pick:
            return fields
        number = int(pick) - self._first if pick.isdecimal() else ord(pick.upper()) - ord("A")
        return {**fields, self._taken: options[number]} if 0 <= number < len(options) else fields

    def _options(self, fields: _Fields) -> list[str]:
        given = fields.get(self._list) if self._list else [fields.get(name) for name in self._columns]
        if isinstance(given, Mapping):  # {"A": ..., "B": ...}, or {"text": [...], "label": [...]}
            given = given["text"] if isinstance(given.get("text"), list) else list(given.values())
        try:
            return [text_of(option) for option in given] if isinstance(given, list) else []
        except ValueError:
            return []


def _is_answer(name: str) -> bool:
    folded = normal_name(name)
    known = role_of(name)
    return (known is not None and known[0] == "answer" and len(folded) > 1) or folded in (
        "correct", "correctoption", "answerkey", "answeridx", "cop",
    )  # fmt: skip


def _columns(names: Mapping[str, str]) -> list[str]:
    """Return the columns of the options, in their order."""
    for prefix in _PREFIXES:
        for marks in ((chr(ord("a") + number) for number in range(8)), map(str, count(1))):
            found = [names[name] for name in takewhile(names.__contains__, (f"{prefix}{mark}" for mark in marks))]
            if len(found) > _FEWEST:
                return found
    return []


def _pick(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    match = _PICK.fullmatch(str(value).strip())
    return match[1] if match else ""
