"""A stream of lines, plain or JSON -> queries with their ids, places and dates."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, BinaryIO

from qa_search.errors import QASearchError
from qa_search.util.dates import parse_date
from qa_search.util.text import json_fault, utf8_text

_MAX_LINE_BYTES = 4_000_000
WAY_OUT = "Correct this line or remove it."
_EXPECTED = f'Each line is a text, a text in quotes, or {{"id": ..., "text": ...}}. {WAY_OUT}'
_NOT_UTF8 = (
    f"not text in UTF-8. Save the file as UTF-8, or convert it, for example with iconv -f ENCODING -t UTF-8. {WAY_OUT}"
)
_DATES = ("date", "hour", "time", "when", "created", "created_at", "timestamp")


@dataclass(frozen=True, slots=True)
class QueryLine:
    """A query of a file: its id (the number of its line, if it has none), its text, where it stands.

    ``date`` is ISO 8601, None if the line has none that can be read.
    """

    id: str | int
    text: str
    place: str
    date: str | None = None


def read_lines(stream: BinaryIO, name: str) -> Iterator[QueryLine]:
    """Yield the queries of a stream of lines in UTF-8; blank lines are passed over.

    Raises:
        QASearchError: if a line cannot be read or is invalid.
    """
    for number in count(1):
        place = f"{name}, line {number}"
        try:
            line = stream.readline(_MAX_LINE_BYTES + 1)
        except OSError as error:
            raise QASearchError(
                f"{place}: cannot be read ({error.strerror}). The lines before it are answered."
            ) from error
        if not line:
            return
        if len(line) > _MAX_LINE_BYTES:
            raise QASearchError(f"{place}: longer than {_MAX_LINE_BYTES:,} bytes. {_EXPECTED}")
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if line.strip():
            yield _read_line(line, number, place)


def _read_line(line: bytes, number: int, place: str) -> QueryLine:
    text = utf8_text(line)
    if text is None:
        raise QASearchError(f"{place}: {_NOT_UTF8}")
    written = text.strip()
    try:
        # Anything but JSON's quotes and brackets begins a text that is not quoted.
        value = json.loads(written) if written[:1] in {*'"[{'} else written
    except (ValueError, RecursionError) as error:
        raise QASearchError(f"{place}: not JSON ({json_fault(error)}). {_EXPECTED}") from error
    fields: dict[str, Any] = value if isinstance(value, dict) else {"text": value}
    text = fields.get("text", fields.get("query"))
    if not isinstance(text, str):
        raise QASearchError(f"{place}: no text to search for. {_EXPECTED}")
    query_id = fields.get("id", fields.get("_id"))
    date = _date_of(fields)
    if query_id is None:
        return QueryLine(number, text, place, date)
    if not isinstance(query_id, str | int) or isinstance(query_id, bool) or not _is_text(str(query_id)):
        raise QASearchError(f"{place}: the id must be a text or a whole number. {_EXPECTED}")
    return QueryLine(query_id, text, place, date)


def _date_of(fields: Mapping[str, Any]) -> str | None:
    for name in _DATES:
        value = fields.get(name)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            date = parse_date(str(value)[:100])
            if date is not None:
                return date
    return None


def _is_text(text: str) -> bool:
    """Return whether a text can be written as UTF-8: JSON can hold halves of surrogate pairs."""
    return text == text.encode("utf-8", "replace").decode("utf-8")
