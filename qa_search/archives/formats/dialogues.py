"""Records with a talk as a plain list of texts (``["How ...?", "Like this.", ...]``) -> what is asked and answered.

The first of two asks. Who speaks is not said: the name of the list must tell that it is a talk, or the texts by turns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qa_search.archives.formats.json_chats import CHAT_KEYS, said_after
from qa_search.archives.formats.labels import seems_to_ask
from qa_search.archives.formats.roles import is_weak, normal_name, role_of
from qa_search.archives.formats.values import is_blank, names_in

_SURE = frozenset({*CHAT_KEYS, "dialogs", "dialogues"} - {"messages", "contents"})
_UNSURE = frozenset(("data", "utterances", "messages", "contents", "text", "texts", "lines"))
_FEWEST = 2  # of texts in a talk
# Of the texts at odd places, so many ask at least, and of those between them, so many less.
_ASKS, _LESS = 0.4, 3
_Fields = Mapping[str, object]


class Dialogues:
    """Finds the list of a talk, and gives the records what is asked and answered in it."""

    def __init__(self, records: Sequence[_Fields]) -> None:
        """Decide by a table's first records; ``name`` is that of the list, "" for none."""
        names = names_in(records)
        self.name = next((name for name in names if _is_talk(name, records)), "")
        if self.name and any(_says_otherwise(name) for name in names if name != self.name):
            self.name = ""
        self.remark = (
            f"{self.name!r} was read as the talk of two by turns, of whom the first asks; if it is something else, "
            "name fields with field_map={'question': FIELD, 'answer': FIELD}"
        )

    def completed(self, fields: _Fields) -> _Fields:
        """Return a record with a question and answers in place of its talk."""
        said = _texts(fields.get(self.name))
        if said is None:
            return fields
        turns = [("assistant" if number % 2 else "user", text) for number, text in enumerate(said)]
        answers = said_after(turns[1:])
        rest = {name: value for name, value in fields.items() if name != self.name}
        return {**rest, "question": said[0], "answer": answers[0] if len(answers) == 1 else answers}


def _is_talk(name: str, records: Sequence[_Fields]) -> bool:
    if normal_name(name) not in _SURE | _UNSURE:
        return False
    talks = [_texts(fields[name]) for fields in records if not is_blank(fields.get(name))]
    known = [talk for talk in talks if talk is not None]
    if not known or len(known) < len(talks):
        return False
    if normal_name(name) in _SURE:
        return True
    asking, answering = [text for talk in known for text in talk[::2]], [text for talk in known for text in talk[1::2]]
    asks, others = (sum(map(seems_to_ask, texts)) / len(texts) for texts in (asking, answering))
    return asks >= _ASKS and _LESS * others <= asks


def _texts(value: object) -> list[str] | None:
    """Return the texts of a list of two texts or more, None for another value."""
    if not isinstance(value, list) or len(value) < _FEWEST or not all(isinstance(text, str) for text in value):
        return None
    return value


def _says_otherwise(name: str) -> bool:
    """Return whether another field asks or answers itself."""
    role = role_of(name)
    return role is not None and role[0] in ("question", "answer") and not is_weak(role[1])
