"""The database of an Anki collection -> its notes as records: what the front asks, the back answers."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from qa_search.archives.formats.records import Record
from qa_search.archives.formats.roles import role_of
from qa_search.archives.formats.values import is_blank

_PARTED = "\x1f"
_SOUND = re.compile(r"\[sound:[^\[\]]{1,300}\]|\[anki:play:[^\[\]]{1,40}\]")
# A gap of a text: its number, what fills it, and a hint.
_GAP = re.compile(r"\{\{c\d{1,3}::((?:(?!::|\}\}).){1,2000})(?:::((?:(?!\}\}).){0,300}))?\}\}", re.DOTALL)
# What later versions put into the old collection of a package, for old versions to show.
_UPDATE = "please update to the latest anki version"
_MOST_KINDS = 10_000


def is_anki(tables: Mapping[str, Sequence[str]]) -> bool:
    """Return whether a database is a collection of Anki, by its tables and their columns."""
    return "col" in tables and {"id", "mid", "flds", "tags"} <= set(tables.get("notes", ()))


def anki_records(
    rows: sqlite3.Connection, each: Callable[[sqlite3.Connection, str], Iterator[tuple[Any, ...]]]
) -> Iterator[Record]:
    """Yield a record for each note that is not blank; ``each`` runs a query and yields its rows."""
    kinds = _kinds(rows)
    for number, (note, kind, tags, fields) in enumerate(each(rows, "SELECT id, mid, tags, flds FROM notes"), start=1):
        texts = [_SOUND.sub("", text) for text in str(fields).split(_PARTED)]
        names = kinds.get(str(kind), [])
        if any(not is_blank(text) for text in texts) and not texts[0].lower().startswith(_UPDATE):
            record = {"id": str(note), **_sides(names, texts), "tags": ", ".join(str(tags or "").split())}
            yield Record(f"note {number}", record, html=True)


def _kinds(rows: sqlite3.Connection) -> dict[str, list[str]]:
    """Return the names of the fields of each kind of note, by its id."""
    rows.create_collation("unicase", lambda one, other: (one > other) - (one < other))
    kinds: dict[str, list[str]] = {}
    try:
        for kind, _, name in sorted(rows.execute("SELECT ntid, ord, name FROM fields LIMIT ?", (_MOST_KINDS,))):
            kinds.setdefault(str(kind), []).append(str(name))
    except sqlite3.Error:  # an older collection has them as JSON
        found = rows.execute("SELECT models FROM col").fetchone()
        try:
            models = json.loads(found[0]) if found else {}
            for kind, model in models.items():
                kinds[str(kind)] = [str(field["name"]) for field in model["flds"]]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return {}  # the first field asks, the second answers
    return kinds


def _sides(names: Sequence[str], texts: Sequence[str]) -> dict[str, str]:
    """Return what a note asks and answers, by the names of its fields, else by their order. Answers fill gaps."""
    roles = [(role_of(name) or ("", 0))[0] for name in names[: len(texts)]]
    asks = roles.index("question") if "question" in roles else 0
    others = [number for number in range(len(texts)) if number != asks and not is_blank(texts[number])]
    answers = roles.index("answer") if "answer" in roles else others[0] if others else asks
    question, answer = texts[asks], texts[answers] if answers != asks else ""
    if _GAP.search(question):
        filled = _GAP.sub(lambda gap: gap[1], question)
        question = _GAP.sub(lambda gap: f"[{gap[2] or '...'}]", question)
        answer = f"{filled}<br><br>{answer}" if answer else filled
    return {"question": question, "answer": answer}
