"""Lines above each labelled question of a text (``Date: ...``, a date, a heading in capitals) -> fields of its post.

In the text they follow the previous answer. They are known by what stands above the first question too: so a line of
an answer that only looks like one of them stays where it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise
from typing import Any

from qa_search.archives.base import ReadingLog, short_date
from qa_search.archives.formats.found_dates import find_date
from qa_search.archives.formats.labels import LabelledPair, names_faq
from qa_search.archives.formats.roles import is_weak, role_of
from qa_search.archives.formats.values import split_tags
from qa_search.util.text import clean_text

RULE = re.compile(r"\s*([=\-*_~#])\1{2,}\s*")
_FIELD = re.compile(r"\s*(?:\*\*|__)?([^\W\d_][\w ./()-]{0,40}?)\s*(?:\*\*|__)?\s*[:：=]\s*(?:\*\*|__)?\s*(\S.*)?")
_URL = re.compile(r"https?://\S+")
_MOST_LINES = 12
_FEWEST_FIELDS = 3
_MOST_VALUE = 300
_LONGEST_HEADING = 60
_LONGEST_WORD = 30
_MOST_TEXT_LINES = 3
_TEXTS = ("question", "answer", "body")
_AUTHORS = ("name", "from")
_DATE, _URL_NAME, _HEADING = " date", " url", " heading"  # no field has a name that begins with a blank
_OWN = {_DATE: ("date", "line above the question"), _URL_NAME: ("url", "line above the question"),
        _HEADING: ("category", "heading in capitals")}  # fmt: skip
_Field = tuple[str, str]


class RecordHeads:
    """Parts the lines above the next question from an answer's end."""

    def __init__(self, above: Sequence[str], answers: Sequence[Sequence[str]]) -> None:
        """Take the lines above the first question, and the lines of the first answers without the text's last one.

        There are no heads unless at least half of the answers end with one; of headings, one answer is enough.
        """
        self._section, self._said = "", False
        self._words = _words_alone(above, answers)
        self._names = {name for name, _ in _fields(above, self._words)}
        self._ends: frozenset[str] = frozenset()
        if not answers or not self._names:
            self._names = set()
            return
        self._ends = _names_at_ends(answers, self._names)
        found = [{name for name, _ in self._parted(answer)[1]} for answer in answers]
        shares = {name: sum(name in names for names in found) / len(found) for name in self._names | self._ends}
        self._names = {n for n in self._names if shares[n] >= 0.5 or (n == _HEADING and shares[n])}
        if not self._names:
            self._ends = frozenset()

    def __bool__(self) -> bool:
        return bool(self._names)

    def first(self, above: Sequence[str]) -> list[_Field]:
        """Return the fields above the first question."""
        return [field for field in _fields(above, self._words) if field[0] in self._names]

    def part(self, answer: list[str], *, last: bool) -> tuple[list[str], list[_Field], list[_Field]]:
        """Part an answer: (its lines, fields that stand below it and belong to it, fields of the next question)."""
        lines, fields = self._parted(answer, self._ends if last else self._names | self._ends)
        own = next((n for n, (name, _) in enumerate(fields) if name not in self._ends), len(fields))
        return lines, fields[:own], fields[own:]

    def values(self, fields: Sequence[_Field], log: ReadingLog) -> dict[str, Any]:
        """Return the attributes of a post that fields give."""
        found: dict[str, Any] = {}
        tags: list[str] = []
        for name, value in fields:
            if name == _HEADING:
                self._section = "" if names_faq(value) else value
        if self._section:
            if not self._said:
                log.remark(f"lines in capitals above a question, such as {self._section!r}, are read as its category")
            self._said = True
            tags.append(self._section)
            log.took(*_OWN[_HEADING])
        for name, value in (field for field in fields if field[0] != _HEADING):
            role, said = _OWN.get(name) or (_role(name), name)
            if role == "date" and "date" not in found and (date := _date(value)):
                found["date"] = date
            elif role in ("category", "tags"):
                tags += split_tags(value) if role == "tags" else [value]
            elif role in ("title", "author", "url") and role not in found:
                found[role] = clean_text(value)
            else:
                if value:
                    log.left(said)
                continue
            log.took(role, said)
        return {**found, "tags": tuple(dict.fromkeys(filter(None, map(clean_text, tags))))}

    def _parted(
        self, answer: Sequence[str], names: frozenset[str] | set[str] | None = None
    ) -> tuple[list[str], list[_Field]]:
        """Part an answer: (its lines, the fields below it that have these names)."""
        known = self._names | self._ends if names is None else names
        end = len(answer)
        fields: list[_Field] = []
        for number, field in _upwards(answer, self._words):
            if field[0] not in known:
                break
            if field[0] == _HEADING and number and answer[number - 1].strip():
                break  # a word in capitals that belongs to the lines above
            fields.append(field)
            end = number
        return [*answer[:end]], fields[::-1]


def fields_alone(lines: Sequence[str], log: ReadingLog) -> dict[str, Any]:
    """Return the attributes that lines give of which each is a field; return an empty dict unless there are several."""
    fields = _fields(lines, frozenset())
    if len(fields) < _FEWEST_FIELDS or len(fields) != sum(bool(line.strip()) for line in lines):
        return {}
    return RecordHeads([], []).values([field for field in fields if field[0] != _HEADING], log)


def _words_alone(above: Sequence[str], answers: Sequence[Sequence[str]]) -> frozenset[str]:
    """Find the lines above the first question that stand above all others too, such as ``Description``."""
    if len(answers) < 2:
        return frozenset()
    lines = {text for line in above[-2 * _MOST_LINES :] if 0 < len(text := line.strip()) <= _LONGEST_WORD}
    found = {line for line in lines if _field(line) is None and not RULE.fullmatch(line)}
    for answer in answers:
        found.intersection_update(line.strip() for line in answer[-2 * _MOST_LINES :])
    return frozenset(found)


def headed_pairs(
    heads: RecordHeads, above: Sequence[str], pairs: Iterable[LabelledPair], log: ReadingLog
) -> Iterator[tuple[LabelledPair, dict[str, Any]]]:
    """Yield each pair without the lines of the next one's head, and the attributes that its own head gives."""
    fields = heads.first(above)
    for pair, following in pairwise(chain(pairs, [None])):
        if pair is None:
            return
        lines, own, next_fields = heads.part(pair.answer or pair.question, last=following is None)
        pair.question, pair.answer = (pair.question, lines) if pair.answer else (lines, [])
        yield pair, heads.values([*fields, *own], log)
        fields = next_fields


def _names_at_ends(answers: Sequence[Sequence[str]], heads: set[str]) -> frozenset[str]:
    """Find names that stand below every answer, between it and the head of the next question."""
    if len(answers) < 2 or all(name.startswith(" ") for name in heads):
        return frozenset()
    found: set[str] | None = None
    for answer in answers:
        names = set()
        for line in reversed(answer[-2 * _MOST_LINES :]):
            field = _field(line)
            if field is not None and not field[0].startswith(" ") and _role(field[0]) not in _TEXTS:
                names.add(field[0])
            elif line.strip() and not RULE.fullmatch(line) and (field is None or field[0] not in heads):
                break
        found = names if found is None else found & names
    return frozenset(found or ()) - heads


def _fields(lines: Sequence[str], words: frozenset[str]) -> list[_Field]:
    """Read the fields in the lines right above a question, up to the first line without a field."""
    return [field for _, field in _upwards(lines, words)][::-1]


def _upwards(lines: Sequence[str], words: frozenset[str]) -> Iterator[tuple[int, _Field]]:
    """Yield the number and the field of each of the last lines, from below; below some words their text follows."""
    value: list[str] = []
    for number in range(len(lines) - 1, max(-1, len(lines) - 1 - 2 * _MOST_LINES), -1):
        line = lines[number].strip()
        field = None if value else _field(line)
        if not line or RULE.fullmatch(line):
            continue
        if line in words:
            yield number, (line.lower(), " ".join(reversed(value)))
            value = []
        elif field is not None:
            yield number, field
        elif words and len(value) < _MOST_TEXT_LINES:
            value.append(line)
        else:
            return


def _field(line: str) -> _Field | None:
    """Read a line: (name of the field, its value), or None for another line."""
    text = line.strip()
    if not text or len(text) > _MOST_VALUE:
        return None
    if _URL.fullmatch(text):
        return _URL_NAME, text
    if _date(text, alone=True):
        return _DATE, text
    if match := _FIELD.fullmatch(text):
        return match[1].strip().lower(), (match[2] or "").strip(" *_")
    if len(text) <= _LONGEST_HEADING and text.isupper() and sum(map(str.isalpha, text)) > 3 and text[-1] not in ".!?,;":
        return _HEADING, text
    return None


def _date(text: str, *, alone: bool = False) -> str | None:
    date = short_date(text)
    if date is not None and any(map(str.isdigit, text)):
        return date
    found = find_date(text)
    return found[1] if found is not None and (not alone or 2 * len(found[0]) > len(text)) else None


def _role(name: str) -> str:
    role, rank = role_of(name) or ("", 0)
    if name in _AUTHORS:
        return "author"
    if role == "body":
        return "title"  # what describes the question
    return "" if is_weak(rank) and role not in ("category", "author") else role
