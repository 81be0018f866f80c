"""Records of a quiz whose answer is the letter or number of an option -> records whose answer is the option's text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import count, takewhile

from qa_search.archives.formats.roles import normal_name, role_of
from qa_search.archives.formats.values import is_blank, lookup, names_in, text_of

_LISTS = ("options", "choices", "alternatives")
_PREFIXES = ("option", "choice", "op", "opt", "alternative", "answer", "")
_PICK = re.compile(r"\(?([A-Ha-h]|\d)[).]?")
_PARTED = re.compile(r"\s*(?:[,;/&+]|\band\b)\s*")
_MOST_PICKS = 40  # characters
# Other names of the column that says which option is right.
_RIGHT = (
    "correct", "correctoption", "correctoptions", "correctchoice", "correctindex", "correctidx", "correctanswerindex",
    "correctanswers", "correctoptionindex", "correctanswerid", "answerkey", "answeridx", "answerindex", "answerid",
    "answernumber", "answerno", "rightoption", "rightanswers", "goldindex", "gold", "label", "cop",
)  # fmt: skip
# Columns that say why it is right.
_EXPLANATIONS = ("exp", "explanation", "explanations", "rationale", "reason", "justification", "feedback")
_FEWEST = 2
_Fields = Mapping[str, object]


class Choices:
    """Finds the options of a quiz, and puts the right one where its letter or number stands."""

    def __init__(self, records: Sequence[_Fields]) -> None:
        """Decide by a table's first records; ``found`` says whether they are a quiz."""
        names = {normal_name(name): name for name in names_in(records)}
        answers = [name for name in names.values() if _is_answer(name)] or [names[n] for n in _RIGHT if n in names]
        self._answer = answers[0] if answers else ""
        # What is known by the program of a quiz alone is given a name that all know.
        self._taken = self._answer if role_of(self._answer) else "answer"
        self._list = next((names[name] for name in _LISTS if name in names), "") or _in_question(records, names)
        self._columns = _columns(names)
        self._why = next((names[name] for name in _EXPLANATIONS if name in names), "")
        has_options = bool(self._list or self._columns)
        said = [fields.get(self._answer) for fields in records] if has_options else []
        given = [_picks(answer) for answer in said if not is_blank(answer)]
        picks = [pick for several in given for pick in several]
        self.found = bool(picks) and all(given)
        # Numbers begin with 0 in programs and with 1 for people: only a 0, or the number of all options, shows which.
        self._first = 0 if "0" in picks else 1
        if self.found and self._first and all(pick.isdecimal() for pick in picks):
            sizes = (str(len(self._options(fields))) for fields in records)
            self.found = any(size in several for several, size in zip(given, sizes, strict=False))

    def completed(self, fields: _Fields) -> _Fields:
        """Return a record with the text of its answer, and why it is right; unchanged if the options lack it."""
        options = self._options(fields)
        numbers = [
            int(pick) - self._first if pick.isdecimal() else ord(pick.upper()) - ord("A")
            for pick in _picks(fields.get(self._answer))
        ]
        if not numbers or not all(0 <= number < len(options) for number in numbers):
            return fields
        texts = [options[number] for number in dict.fromkeys(numbers)]
        why = fields.get(self._why)
        if isinstance(why, str) and not is_blank(why):
            texts.append(why)
        rest = {name: value for name, value in fields.items() if name != self._why}
        return {**rest, self._taken: "\n\n".join(texts)}

    def _options(self, fields: _Fields) -> list[str]:
        given = lookup(fields, self._list) if self._list else [fields.get(name) for name in self._columns]
        if isinstance(given, Mapping):  # {"A": ..., "B": ...}, or {"text": [...], "label": [...]}
            given = given["text"] if isinstance(given.get("text"), list) else list(given.values())
        try:
            return [text_of(option) for option in given] if isinstance(given, list) else []
        except ValueError:
            return []


def _in_question(records: Sequence[_Fields], names: Mapping[str, str]) -> str:
    """Return the path of a list of options that stands within the question, "" for none."""
    name = names.get("question", "")
    first = next((value for fields in records if isinstance(value := fields.get(name), Mapping)), {})
    return next((f"{name}.{key}" for key in _LISTS if isinstance(first.get(key), list)), "")


def _is_answer(name: str) -> bool:
    known = role_of(name)
    return known is not None and known[0] == "answer" and len(normal_name(name)) > 1


def _columns(names: Mapping[str, str]) -> list[str]:
    """Return the columns of the options, in their order."""
    for prefix in _PREFIXES:
        for marks in ((chr(ord("a") + number) for number in range(8)), map(str, count(1))):
            found = [names[name] for name in takewhile(names.__contains__, (f"{prefix}{mark}" for mark in marks))]
            if len(found) > _FEWEST:
                return found
    return []


def _picks(value: object) -> list[str]:
    """Return the letters or numbers of the right options, [] for another value."""
    if isinstance(value, bool) or not isinstance(value, str | int) or len(str(value)) > _MOST_PICKS:
        return []
    matches = [_PICK.fullmatch(part) for part in _PARTED.split(str(value).strip())]
    picks = [match[1] for match in matches if match is not None]
    return picks if len(picks) == len(matches) else []
