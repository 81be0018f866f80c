"""Records with named fields (JSON objects, table rows) -> posts: which field plays which role."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice

from qa_search.archives.base import ArchiveFile, ReadOptions, post_too_long, short_date
from qa_search.archives.formats.html_text import TextTooLongError, html_to_text, looks_like_html
from qa_search.errors import UnknownFormatError
from qa_search.types import AnswerPart, Post, SetAside
from qa_search.util.text import clean_text

# Names are compared in lower case without blanks, dashes and underscores. Earlier names win.
ROLES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "postid", "questionid", "qid", "uid", "guid", "docid", "key", "slug"),
    "title": ("title", "subject", "headline", "questiontitle", "heading"),
    "question": ("question", "complaint", "query", "problem"),
    "body": (
        "questiontext", "questionbody", "questiondetails", "body", "text", "description", "details", "content",
        "message", "post",
    ),
    "answer": (
        "answer", "answers", "reply", "replies", "response", "responses", "acceptedanswer", "bestanswer",
        "answertext", "answerbody", "expertanswer", "solution", "answerhtml",
    ),
    "date": (
        "date", "created", "createdat", "createdate", "creationdate", "creationtime", "posted", "postedat",
        "dateposted", "published", "publishedat", "pubdate", "datetime", "timestamp", "time", "updated",
        "updatedat", "lastupdate", "lastupdated",
    ),
    "url": ("url", "link", "permalink", "uri", "href"),
    "tags": ("tags", "tag", "keywords", "labels"),
    "category": ("category", "categories", "forum", "section", "topic", "subforum"),
    "author": ("author", "user", "username", "askedby", "postedby", "asker"),
    "score": ("score", "votes", "upvotes"),
}  # fmt: skip
_ROLE_OF = {name: (role, rank) for role, names in ROLES.items() for rank, name in enumerate(names)}
_TEXT_IN_ANSWER = ("text", "body", "answer", "content", "reply", "response", "message")
# A file is told to be of the wrong shape when this many records in a row at its start are no posts.
_TRIAL_RECORDS = 25
_SHOWN_FIELDS = 12
_NEITHER = "neither a question nor an answer in it"
# Longer ones are not looked at: no known name is anywhere near as long.
_MOST_NAME = 100
_MOST_NAMES = 1000
_LARGEST_INTEGER = 2**63 - 1


@lru_cache(maxsize=1024)
def normal_name(name: str) -> str:
    """Fold the ways in which exports spell a field's name."""
    return re.sub(r"[\s_\-]", "", name).lower()


def has_post_fields(names: Iterable[str], options: ReadOptions) -> bool:
    """Tell whether a record with these fields could be a post: a question or an answer among them."""
    known = {known[0] for name in names if (known := _role_of(name)) is not None}
    mapped = {role for role, name in options.field_map.items() if name in names}
    return bool((known | mapped) & {"question", "body", "answer"})


def _role_of(name: str) -> tuple[str, int] | None:
    return _ROLE_OF.get(normal_name(name)) if len(name) <= _MOST_NAME else None


@dataclass(frozen=True)
class Record:
    """One record and where it stands in its file."""

    place: str
    fields: Mapping[str, object]
    html: bool | None = None


def posts_of(
    file: ArchiveFile, records: Iterator[Record | SetAside], options: ReadOptions
) -> Iterator[Post | SetAside]:
    """Turn records into posts.

    Raises:
        UnknownFormatError: if none of the first records has a question or an answer.
    """
    trial: list[Post | SetAside] = []
    names: dict[str, None] = {}
    for record in records:
        item = record if isinstance(record, SetAside) else post_of(file, record, options)
        if not isinstance(record, SetAside):
            names.update(dict.fromkeys(islice(record.fields, _MOST_NAMES)))
        trial.append(item)
        if isinstance(item, Post):
            yield from chain(trial, _rest(file, records, options))
            return
        if len(trial) >= _TRIAL_RECORDS:
            break
    if trial:
        raise _no_posts(file, list(names), trial, options)


def _rest(file: ArchiveFile, records: Iterator[Record | SetAside], options: ReadOptions) -> Iterator[Post | SetAside]:
    for record in records:
        yield record if isinstance(record, SetAside) else post_of(file, record, options)


def _no_posts(
    file: ArchiveFile, names: list[str], trial: list[Post | SetAside], options: ReadOptions
) -> UnknownFormatError:
    shown = ", ".join(name[:_MOST_NAME] for name in names[:_SHOWN_FIELDS]) or "none"
    unmatched = [f"{role}={name}" for role, name in options.field_map.items() if name.split(".")[0] not in names]
    if names and unmatched:
        return file.unknown(f"--map {' --map '.join(unmatched)} names no field of its records", f"They have: {shown}.")
    if not names and isinstance(trial[0], SetAside):
        return file.unknown(trial[0].reason, "Each record must be an object with fields.", trial[0].place)
    for note in trial:
        if isinstance(note, SetAside) and note.reason != _NEITHER:
            return file.unknown(note.reason, f"No record before it is a post either. They have: {shown}.", note.place)
    return file.unknown(
        f"its records have no question and no answer that can be recognised (fields: {shown})",
        "Name them with --map question=FIELD --map answer=FIELD.",
    )


def post_of(file: ArchiveFile, record: Record, options: ReadOptions) -> Post | SetAside:
    """Make a post of one record, or a note on why that cannot be done."""
    try:
        return _post(file, _by_role(record.fields, options), options)
    except RecursionError:
        return file.set_aside(record.place, "lists and objects nested too deep")
    except ValueError as error:
        return file.set_aside(record.place, str(error))


def _post(file: ArchiveFile, values: Mapping[str, object], options: ReadOptions) -> Post:
    """Make a post of the values of one record.

    Raises:
        ValueError: if that cannot be done.
    """
    title = plain_text(_text(values.get("title")), options)
    question = plain_text(_text(values.get("question")), options)
    body = plain_text(_text(values.get("body")), options)
    answer, parts = _answers(values.get("answer"), options)
    if question and body and not title:
        title, question = question, body
    elif body and body != question:
        question = f"{question}\n\n{body}" if question else body
    if not (question or answer or title):
        raise ValueError(_NEITHER)
    url = _short(values.get("url"), options)
    return Post(
        source=file.source,
        source_id=_short(values.get("id"), options) or content_id(url, title, question, answer),
        title=" ".join(title.split()),
        question=question,
        answer=answer,
        date=short_date(_short(values.get("date"), options)),
        url=url or None,
        tags=tuple(dict.fromkeys((*_tags(values.get("tags"), options), *_tags(values.get("category"), options)))),
        author=_short(values.get("author"), options) or None,
        score=_integer(values.get("score")),
        answers=parts,
    )


def plain_text(value: str, options: ReadOptions) -> str:
    """Return a field's text, converted if it is HTML.

    Raises:
        ValueError: if it is HTML that cannot be parsed, or longer than a post may be.
    """
    most = options.limits.post_characters
    try:
        return clean_text(html_to_text(value, most) if looks_like_html(value) else _required(value, options))
    except TextTooLongError:
        raise ValueError(post_too_long(options)) from None


def _required(text: str, options: ReadOptions) -> str:
    """Return a text if it is no longer than a post may be."""
    if len(text) > options.limits.post_characters:
        raise ValueError(post_too_long(options))
    return text


def _short(value: object, options: ReadOptions) -> str:
    """Read a field that a post can do without: nothing where it is no text."""
    try:
        text = _text(value)
    except ValueError:
        return ""
    return clean_text(_required(text, options))


def split_tags(text: str) -> tuple[str, ...]:
    """Part tags written as "<a><b>", "|a|b|", "a, b" or "a; b"."""
    in_brackets = re.fullmatch(r"\s*(?:<[^<>]+>\s*)+", text)
    parts = re.findall(r"<([^<>]+)>", text) if in_brackets else re.split(r"[|;,]", text)
    return tuple(dict.fromkeys(tag for part in parts if (tag := clean_text(part))))


def join_answers(answers: Iterable[tuple[str, AnswerPart]]) -> tuple[str, tuple[AnswerPart, ...]]:
    """Put several answers one below the other, the accepted first, then by score, each with its span.

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


def _by_role(fields: Mapping[str, object], options: ReadOptions) -> dict[str, object]:
    """Choose a field for each role: the mapped one, else the first known name that is not blank."""
    chosen: dict[str, tuple[int, object]] = {}
    taken = set(options.field_map.values())
    for name, value in fields.items():
        role, rank = _role_of(name) or (None, 0)
        if role is None or name in taken or role in options.field_map or _is_blank(value):
            continue
        if role not in chosen or rank < chosen[role][0]:
            chosen[role] = (rank, value)
    values = {role: value for role, (_, value) in chosen.items()}
    for role, name in options.field_map.items():
        value = _lookup(fields, name)
        if not _is_blank(value):
            values[role] = value
    return values


def _lookup(fields: Mapping[str, object], name: str) -> object:
    """Find a field by its name, or by the path to it in nested objects: ``reply.text``."""
    if name in fields:
        return fields[name]
    value: object = fields
    for part in name.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def _is_blank(value: object) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def _text(value: object) -> str:
    """Read a value as text.

    Raises:
        ValueError: if it is an object or something else that has no text.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        raise ValueError(f"{str(value).lower()} where text was expected")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    if isinstance(value, Mapping):
        for name in _TEXT_IN_ANSWER:
            if isinstance(value.get(name), str):
                return str(value[name])
        raise ValueError(f"an object where text was expected (its fields: {', '.join(list(map(str, value))[:8])})")
    if isinstance(value, list):
        return "\n\n".join(_text(item) for item in value)
    raise ValueError(f"{type(value).__name__} where text was expected")


def _answers(value: object, options: ReadOptions) -> tuple[str, tuple[AnswerPart, ...]]:
    if not isinstance(value, list):
        return plain_text(_text(value), options), ()
    found = []
    for item in value:
        known = item if isinstance(item, Mapping) else {}
        date = known.get("date", known.get("created"))
        author = known.get("author")
        part = AnswerPart(
            0,
            0,
            id=None if known.get("id") is None else _short(known["id"], options),
            score=_integer(known.get("score", known.get("votes"))),
            accepted=bool(known.get("accepted", known.get("is_accepted", False))),
            author=_short(author, options) if isinstance(author, str) else None,
            date=short_date(date) if isinstance(date, str) else None,
        )
        found.append((plain_text(_text(item), options), part))
    return join_answers(found)


def _tags(value: object, options: ReadOptions) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(dict.fromkeys(tag for item in value if (tag := _short(item, options))))
    return split_tags(_required(value, options)) if isinstance(value, str) else ()


def _integer(value: object) -> int | None:
    """Read a whole number, one that a database can hold."""
    if isinstance(value, str):
        short = len(value) <= _MOST_NAME and re.fullmatch(r"\s*[+-]?\d{1,12}\s*", value, re.ASCII)
        return int(value) if short else None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) > _LARGEST_INTEGER:
        return None
    return int(value) if value == int(value) else None


def content_id(url: str, title: str, question: str, answer: str) -> str:
    """Name a record that has no id by what was asked and where: so a mended answer keeps the name.

    The link alone would not do: in many tables it is that of a page with dozens of questions.
    """
    asked = "\n".join((url, title, question) if title or question else (url, answer))
    return f"text-{hashlib.blake2b(asked.encode(), digest_size=6).hexdigest()}"
