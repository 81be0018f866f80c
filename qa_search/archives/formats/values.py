"""Values of fields in JSON and tables -> texts, dates and numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from qa_search.archives.formats.rich_text import is_rich_text, rich_text
from qa_search.archives.formats.roles import role_of
from qa_search.types import AnswerPart
from qa_search.util.text import clean_text

# What programs write for a missing value.
_NOTHING = frozenset(
    ("", "NULL", "Null", "null", "NaN", "nan", "NAN", "N/A", "n/a", "#N/A", "NA", r"\N", "None", "<NA>", "NaT",
     "[deleted]", "[removed]", "undefined", "(null)", "{}", "[]", "CANNOTANSWER", "No Answer Present.")
)  # fmt: skip
_LONGEST_NOTHING = 18
_TEXT_IN_OBJECT = (
    "text", "stem", "body", "answer", "content", "reply", "response", "message", "cooked", "rendered", "selftext",
    "comment",
    "html", "value", "$oid", "$date", "$numberLong", "$numberInt", "$numberDouble", "@value", "_value", "#text",
)  # fmt: skip
# Where no field has one of these names: what programs keep a text in, such as H5P.
_HOLDERS = ("params", "data", "attributes")
_ROLES_OF_TEXT = ("answer", "body", "question")
_NAME_IN_OBJECT = ("name", "display_name", "displayName", "username", "login", "screen_name", "label", "title", "slug")
_MOST_NUMBER = 100
_INTEGER = re.compile(r"\s*[+-]?\d{1,12}(?:\.0+)?\s*", re.ASCII)
_IN_BRACKETS = re.compile(r"\s*(?:<[^<>]+>\s*)+")
_BRACKETED = re.compile(r"<([^<>]+)>")
_PARTED = re.compile(r"[|;,]")
_LARGEST_INTEGER = 2**63 - 1
_LANGUAGE = re.compile(
    "(?:en|de|es|fr|it|pt|nl|sv|da|nb|no|fi|pl|cs|sk|hu|ro|bg|ru|uk|el|tr|ar|fa|he|hi|th|vi|ms|zh|ja|ko|ca|eu|gl|hr|sr"
    "|sl|et|lv|lt|is|ga|cy|ur|bn|ta|te|ka|hy|sw|af|tl|fil|id)(?:[-_](?:[A-Z]{2}|[A-Z][a-z]{3}|[a-z]{2}))?"
)
_MOST_LANGUAGES = 200
# Ids that programs make: of MongoDB and of Firebase, and those that are made at random (UUID).
_ID = re.compile(
    r"[0-9a-f]{24}|-[A-Z][A-Za-z0-9_-]{18}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|rec[A-Za-z0-9]{14}",
)
# What people write where an answer is still missing.
_NO_ANSWER_YET = frozenset(
    ("none yet", "no answer yet", "no reply yet", "not answered yet", "not yet answered", "unanswered",
     "answer pending", "awaiting answer", "awaiting reply", "to be answered", "tbd", "tba")
)  # fmt: skip
_LONGEST_NO_ANSWER = 30
FLAG_WORDS = frozenset(("0", "1", "true", "false", "t", "f", "yes", "no", "y", "n"))
_YES = frozenset(("1", "true", "t", "yes", "y", "accepted", "x"))


def is_blank(value: object) -> bool:
    """Return whether a value is missing: empty, not a number, or a word that programs write for a missing value."""
    if isinstance(value, str):
        return value.isspace() if len(value) > _LONGEST_NOTHING else not value or value.strip() in _NOTHING
    return value is None or value == [] or value == {} or value != value


def is_no_answer_yet(text: str) -> bool:
    """Return whether an answer says that the answer is still missing, such as "(none yet)"."""
    return len(text) <= _LONGEST_NO_ANSWER and text.strip(" ()[]<>-*_.…").lower() in _NO_ANSWER_YET


def text_of(value: object) -> str:
    """Read a value as text.

    Raises:
        ValueError: if it is an object or something else that has no text.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        raise ValueError(f"{str(value).lower()} where text was expected")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return "" if value != value else str(int(value)) if value.is_integer() else str(value)
    if isinstance(value, Mapping | list) and (rich := rich_text(value)) is not None:
        return rich
    if isinstance(value, Mapping):
        return _text_in(value, _TEXT_IN_OBJECT)
    if isinstance(value, list):
        return ("" if _is_styled(value) else "\n\n").join(text_of(item) for item in value if not is_blank(item))
    raise ValueError(f"{type(value).__name__} where text was expected")


def _is_styled(value: list[object]) -> bool:
    """Return whether a list is one text in pieces, some of them bold or links, as chat programs write it."""
    styled = [item for item in value if isinstance(item, Mapping)]
    return (
        0 < len(styled) < len(value)
        and all(isinstance(item.get("text"), str) and "type" in item for item in styled)
        and all(isinstance(item, str | Mapping) for item in value)
    )


def languages_of(value: Mapping[str, object]) -> list[str]:
    """Return the keys of an object that has one text in several languages, ``{"en": ..., "de-CH": ...}``; else []."""
    names = list(value) if len(value) <= _MOST_LANGUAGES else []
    is_one = names != ["id"] and all(isinstance(name, str) and _LANGUAGE.fullmatch(name) for name in names)
    return names if is_one and all(_is_text_of_language(text) for text in value.values()) else []


def _is_text_of_language(text: object) -> bool:
    listed = isinstance(text, list) and bool(text) and all(isinstance(part, str) for part in text)
    return isinstance(text, str) or listed or is_rich_text(text)


def name_of(value: object) -> str:
    """Read a short value, such as an author or a tag, as text: that of an object is its name.

    Raises:
        ValueError: if it has none.
    """
    if not isinstance(value, str) and isinstance(value, Mapping):  # the second question takes longer
        return _text_in(value, (*_NAME_IN_OBJECT, *_TEXT_IN_OBJECT))
    return text_of(value)


def _text_in(value: Mapping[str, object], names: Iterable[str]) -> str:
    for name in names:
        found = value.get(name)
        if isinstance(found, str | int | float) and not isinstance(found, bool):
            return text_of(found)
        if name[0] == "$" and isinstance(found, Mapping):
            return text_of(found)
        if isinstance(found, Mapping | list) and (rich := rich_text(found)) is not None:
            return rich
    for name in languages_of(value):
        if not is_blank(value[name]):
            return text_of(value[name])
    for name in value:  # "Value", "texto"
        text, known = value[name], role_of(str(name))
        if isinstance(text, str) and (str(name).lower() in names or (known and known[0] in _ROLES_OF_TEXT)):
            return text
    inner = [held for name in _HOLDERS if isinstance(held := value.get(name), Mapping)]
    if len(inner) == 1:
        return _text_in(inner[0], names)
    raise ValueError(f"an object where text was expected (its fields: {', '.join(list(map(str, value))[:8])})")


def texts_in(value: object) -> Iterator[str]:
    """Yield the texts of a value, one for each item of a list."""
    if isinstance(value, str):
        yield value
        return
    for item in value if isinstance(value, list) and not is_rich_text(value) else [value]:
        try:
            yield text_of(item)
        except (ValueError, RecursionError):
            continue


def integer_of(value: object) -> int | None:
    """Read a whole number, one that a database can hold."""
    if isinstance(value, str):
        short = len(value) <= _MOST_NUMBER and _INTEGER.fullmatch(value)
        return int(float(value)) if short else None
    if not isinstance(value, int) and isinstance(value, Mapping):  # the second question takes longer
        return integer_of(next(iter(value.values()), None)) if len(value) == 1 else None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) > _LARGEST_INTEGER:
        return None
    return int(value) if value == int(value) else None


def is_id(text: str) -> bool:
    """Return whether a text is an id as a program makes it, not a number or a word."""
    return len(text) <= _MOST_NUMBER and _ID.fullmatch(text.strip()) is not None


def is_yes(value: object) -> bool:
    """Return whether a flag is set, in any spelling."""
    if isinstance(value, str):
        return value.strip().lower() in _YES
    return isinstance(value, bool | int | float) and bool(value)


def split_tags(text: str) -> tuple[str, ...]:
    """Split tags written as "<a><b>", "|a|b|", "a, b" or "a; b"."""
    parts = _BRACKETED.findall(text) if _IN_BRACKETS.fullmatch(text) else _PARTED.split(text)
    return tuple(dict.fromkeys([tag for part in parts if (tag := clean_text(part)) and not is_blank(tag)]))


def join_answers(answers: Iterable[tuple[str, AnswerPart]]) -> tuple[str, tuple[AnswerPart, ...]]:
    """Join several answers into one text, the accepted first, then by score, each with its span.

    The spans of the given parts are ignored; answers without a score keep their order.
    """
    ranked = sorted(answers, key=lambda item: (not item[1].accepted, -(item[1].score or 0)))
    texts: list[str] = []
    parts = []
    position = 0
    for text, part in ranked:
        if not text:
            continue
        position += 2 if texts else 0
        parts.append(
            AnswerPart(position, position + len(text), part.id, part.score, part.accepted, part.author, part.date)
        )
        texts.append(text)
        position += len(text)
    return "\n\n".join(texts), tuple(parts)


def names_in(records: Iterable[Mapping[str, object]]) -> dict[str, None]:
    """Return the names of the fields of some records, each once, in their order."""
    return dict.fromkeys(chain.from_iterable(records))


def lookup(fields: Mapping[str, object], name: str) -> object:
    """Find a field by its name, or by a path into objects and lists: ``reply.text``, ``answers.0.body``, ``tags.name``.

    A name below a list gives that of each of its items; blank ones are left out.
    """
    if name in fields:
        return fields[name]
    value: object = fields
    for part in name.split("."):
        if isinstance(value, list):
            if part.isdecimal() and len(part) < 10:
                value = value[int(part)] if int(part) < len(value) else None
            else:
                value = [item[part] for item in value if isinstance(item, Mapping) and not is_blank(item.get(part))]
        elif isinstance(value, Mapping):
            value = value.get(part)
        else:
            return None
    return value


def bare_id(text: str) -> str:
    """Remove the kind from an id of Reddit, such as ``t3_abc``."""
    return text[3:] if text[:1] == "t" and text[2:3] == "_" and text[1:2].isdigit() else text
