"""Rows with columns of comments as Jira writes them (``date;author;text``) -> rows with a list of their answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from qa_search.archives.base import short_date
from qa_search.archives.formats.roles import normal_name, role_of
from qa_search.archives.formats.values import names_in

_NAMES = ("comment", "comments")
_COMMENT = re.compile(r"([^;]{6,40});([^;\n]{0,200});(.*)", re.DOTALL)
_ASKERS = ("reporter", "reporterid", "creator", "creatorid")
_LIST = "answers"
_Fields = Mapping[str, object]


class DatedComments:
    """Finds the column of such comments (columns of one name come as a list), and reads them as answers."""

    def __init__(self, records: Sequence[_Fields]) -> None:
        """Decide by a table's first records; ``name`` is the column's, "" for none."""
        names = names_in(records)
        has_answers = any((role_of(name) or ("",))[0] == "answer" for name in names)
        comments = [] if has_answers else [name for name in names if normal_name(name) in _NAMES]
        said = [text for name in comments[:1] for fields in records for text in _texts(fields.get(name))]
        self.name = comments[0] if said and all(map(_parts, said)) else ""

    def completed(self, fields: _Fields) -> _Fields:
        """Return a row with the comments of others than its asker as answers in place of their column."""
        askers = {str(fields[name]).strip() for name in fields if normal_name(name) in _ASKERS} - {""}
        answers = []
        for text in _texts(fields.get(self.name)):
            date, author, said = _parts(text) or ("", "", text)
            if author not in askers and said.strip():
                answers.append({"text": said, "author": author or None, "date": date or None})
        return {**{name: value for name, value in fields.items() if name != self.name}, _LIST: answers}


def _texts(value: object) -> list[str]:
    return [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str) and text.strip()]


def _parts(text: str) -> tuple[str, str, str] | None:
    """Part a comment into its date, its author and its text; None for another text."""
    match = _COMMENT.fullmatch(text)
    return (match[1], match[2].strip(), match[3]) if match and short_date(match[1]) else None
