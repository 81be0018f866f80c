"""Records with a column for each of several answers (``answer_1``, ``best_answer``) -> records with a list of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from qa_search.archives.formats.roles import normal_name, role_of
from qa_search.archives.formats.values import is_blank, names_in, text_of

_NUMBERED = re.compile(r"(.{1,40}?)[ _.#-]*(\d{1,2})")
_BEST = ("bestanswer", "acceptedanswer")
# Beside a column that says which of them is right, numbered answers are those of a quiz, most of them wrong.
_RIGHT = re.compile(r"correct|right|key|index|option|choice|distractor|wrong|label|gold|winner|prefer", re.IGNORECASE)
_FEWEST = 2
_LIST = "answers"
_Fields = Mapping[str, object]


class SeveralAnswers:
    """Finds the columns of answers, and gathers them: the best first, and marked as accepted."""

    def __init__(self, records: Sequence[_Fields]) -> None:
        """Decide by the names in a table's first records; ``found`` says whether there are several columns."""
        names = list(names_in(records))
        families: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for name in names:
            match = _NUMBERED.fullmatch(name)
            if match and len(normal_name(match[1])) > 1 and (role_of(match[1]) or ("",))[0] == "answer":
                families[normal_name(match[1])].append((int(match[2]), name))
        base, numbered = max(families.items(), key=lambda family: len(family[1]), default=("", []))
        self._best = next((name for name in names if normal_name(name) in (*_BEST, base)), "")
        self.names = [name for _, name in sorted(numbered)]
        several = len(self.names) + (normal_name(self._best) == base) >= _FEWEST
        self.found = several and not any(_RIGHT.search(name) for name in names)

    def completed(self, fields: _Fields) -> _Fields:
        """Return a record with the list of its answers in place of their columns."""
        best = normal_name(self._best) in _BEST
        columns = [name for name in (self._best, *self.names) if name]
        answers: dict[str, object] = {}
        for name in columns:
            try:
                text = text_of(fields.get(name))
            except ValueError:
                return fields
            if not is_blank(text):
                answers.setdefault(text, {"text": text, "accepted": best and name == self._best})
        rest = {name: value for name, value in fields.items() if name not in columns}
        return {**rest, _LIST: list(answers.values()) if len(answers) > 1 else next(iter(answers), "")}
