"""Records with named fields (JSON objects, table rows) -> posts."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import PurePosixPath
from typing import NamedTuple

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply, post_too_long, short_date
from qa_search.archives.formats.choices import Choices
from qa_search.archives.formats.dated_comments import DatedComments
from qa_search.archives.formats.dialogues import Dialogues
from qa_search.archives.formats.field_text import TextKind, decode_entities, written_list
from qa_search.archives.formats.given_once import GivenOnce
from qa_search.archives.formats.html_text import TextTooLongError
from qa_search.archives.formats.joining import Member, joined_items
from qa_search.archives.formats.json_paths import text_paths
from qa_search.archives.formats.plan import NO_FIELD, Plan, is_parent, make_plan, remarks_on
from qa_search.archives.formats.rich_text import is_rich_text, written_rich_text
from qa_search.archives.formats.roles import MOST_NAME, ROLES, normal_name, role_of
from qa_search.archives.formats.section_rows import SectionRows
from qa_search.archives.formats.several_answers import SeveralAnswers
from qa_search.archives.formats.values import (
    bare_id,
    integer_of,
    is_blank,
    is_yes,
    join_answers,
    name_of,
    split_tags,
    text_of,
    texts_in,
)
from qa_search.errors import UnknownFormatError
from qa_search.types import AnswerPart, Post, SetAside
from qa_search.util.text import clean_text, counted

__all__ = ["ROLES", "Record", "has_post_fields", "join_answers", "normal_name", "post_of", "posts_of", "split_tags"]

# A table is planned by so many of its first records, fewer where they are long.
_SAMPLE_RECORDS = 1000
_SAMPLE_CHARACTERS = 4 << 20
# A file is refused if its first records, this many, are not posts.
_TRIAL_RECORDS = 25
_SHOWN_FIELDS = 12
_SHOWN_OTHERS = 3
_TICKETS = re.compile(r"ticket|conversation|case|request|thread|topic|issue|chat", re.IGNORECASE)
# Slack has a file for each day of a channel; a forum's export has its topics in a table beside that of the posts.
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_CHAT_THREAD = "threadts"
_TOPICS = ("topics", "topic", "threads")
_ROLES_OF_TEXT = frozenset(("title", "question", "body", "answer"))
_AN_OBJECT = 'Each record must be an object with fields, such as {"question": "...", "answer": "..."}.'
_NEITHER = "neither a question nor an answer in it"
_MOST_NAMES = 1000
_BY_DEFAULT = TextKind()
_Item = Post | SetAside | Reply | Member
_AUTHOR_NAMES = ("author", "user", "owner", "username", "display_name", "name", "by", "authorname", "author_name")
_ACCEPTED_NAMES = ("accepted", "is_accepted", "isAccepted", "accepted_answer", "is_best", "best", "is_solution")
_ID_NAMES = ("id", "answer_id", "answerId", "post_id", "_id", "comment_id", "reply_id")
_SCORE_NAMES = ("score", "votes", "upvotes", "vote_count", "upvoteCount", "up_vote_count", "likes", "ups", "like_count")
_DATE_NAMES = (
    "date", "created", "creation_date", "created_at", "createdAt", "created_utc", "dateCreated", "datePublished",
    "posted", "post_time", "timestamp", "time", "published", "submission_time",
)  # fmt: skip


def has_post_fields(names: Iterable[str], options: ReadOptions) -> bool:
    """Return whether a record with these fields could be a post: it has a question or an answer."""
    names = list(names)
    known = {known[0] for name in names if (known := role_of(name)) is not None}
    mapped = {role for role, name in options.field_map.items() if name in names or name.split(".")[0] in names}
    return bool((known | mapped) & {"question", "body", "answer"})


def names_tickets(name: str, columns: Iterable[str]) -> bool:
    """Return whether a table has titles of tickets or topics, by its name: their texts may be in another table."""
    roles = {known[0] for column in columns if (known := role_of(column)) is not None}
    return "title" in roles and bool(roles & {"id", "thread"}) and _TICKETS.search(name) is not None


class Record(NamedTuple):
    """One record and its place in the file; ``html`` says whether its texts are HTML, None if unknown."""

    place: str
    fields: Mapping[str, object]
    html: bool | None = None
    size: int = 0


def posts_of(
    file: ArchiveFile,
    records: Iterator[Record | SetAside],
    options: ReadOptions,
    *,
    rows: bool = False,
    part: bool = False,
) -> Iterator[Post | SetAside | Reply]:
    """Turn records into posts. The first records decide how.

    ``rows`` says that they are rows of a sheet, where what stands once may count for the rows below it; ``part`` that
    they are one of several tables that belong together.
    An answer whose question is in no record of the file comes out as `Reply`; what was taken for what is noted in
    ``file.log``.

    Raises:
        UnknownFormatError: if none of the first records has a question or an answer.
        UnclearFieldsError: if none has a question, and a field that is not used could hold it.
    """
    if options.sample is not None:
        records = islice(records, options.sample)
    sample, problem = _sample(records)
    if problem is not None:
        records = _raising(problem)
    quiz = Choices([record.fields for record in sample if isinstance(record, Record)])
    if quiz.found:
        sample = [_changed(quiz.completed, record) for record in sample]
        records = (_changed(quiz.completed, record) for record in records)
    talks = Dialogues([record.fields for record in sample if isinstance(record, Record)])
    if talks.name and not {"question", "answer"} & options.field_map.keys():
        file.log.took("question", talks.name, 0)
        file.log.remark(talks.remark)
        sample = [_changed(talks.completed, record) for record in sample]
        records = (_changed(talks.completed, record) for record in records)
    several = SeveralAnswers([record.fields for record in sample if isinstance(record, Record)])
    if several.found and not quiz.found and "answer" not in options.field_map:
        file.log.took("answer", ", ".join(several.names), 0)
        sample = [_changed(several.completed, record) for record in sample]
        records = (_changed(several.completed, record) for record in records)
    comments = DatedComments([record.fields for record in sample if isinstance(record, Record)] if rows else [])
    if comments.name and "answer" not in options.field_map:
        file.log.took("answer", comments.name, 0)
        sample = [_changed(comments.completed, record) for record in sample]
        records = (_changed(comments.completed, record) for record in records)
    sections = SectionRows([record.fields for record in sample if isinstance(record, Record)] if rows else [])
    if sections.found:
        sample = list(_kept(sections, iter(sample)))
        records = _kept(sections, records)
    above = GivenOnce([record.fields for record in sample if isinstance(record, Record)] if rows else [])
    if above.fills:
        sample = [_changed(above.completed, record) for record in sample]
        records = (_changed(above.completed, record) for record in records)
    known = [record for record in sample if isinstance(record, Record)]
    plan = make_plan([record.fields for record in known], options, known[0].html if known else None)
    if plan.relation == "replies" and not plan.own_id and _holds_questions(file):
        plan.relation, plan.parent = "", ""  # the id is that of the record itself
    if not part:
        _find_across(file, plan)
    _require_clear(file, plan, len(known), options)
    if (
        not part
        and not plan.across
        and _is_alone(file, len(known))
        and _ROLES_OF_TEXT.intersection(plan.fields) == {"body"}
    ):
        raise file.unknown(
            f"its only record has a text ({plan.fields['body'][0]!r}), but no question, title or answer",
            "If it is a post, name its fields with field_map={'question': FIELD, 'answer': FIELD}.",
        )
    table = _Table(file, plan, options)
    try:
        items = table.items(chain(sample, records))
        made = _tried(file, items, sample, options)
        if plan.relation not in ("", "replies", "messages"):
            made = joined_items(file, made, options)
        for item in made:
            if not isinstance(item, Member):
                yield item
    finally:
        table.report()
        for remark in (*sections.remarks, *above.remarks):
            file.log.remark(remark)


def _find_across(file: ArchiveFile, plan: Plan) -> None:
    """Let messages wait for other files: of a chat with a file for each day, or for a table of the topics."""
    path = PurePosixPath(file.name)
    if not plan.thread or plan.fields.get("answer") or plan.relation not in ("", "threads"):
        return
    if _DAY.fullmatch(path.stem) and normal_name(plan.thread) == _CHAT_THREAD and plan.fields.get("body"):
        plan.relation, plan.parent, plan.across = "messages", plan.thread, True
        plan.own_id = plan.own_id or next((name for name in plan.columns if normal_name(name) == "ts"), "")
    elif plan.relation == "threads" and not plan.fields.get("title") and _has_topics(file, path):
        plan.relation = "messages"


def _has_topics(file: ArchiveFile, path: PurePosixPath) -> bool:
    return path.stem not in _TOPICS and any(file.sibling(f"{name}{path.suffix}") is not None for name in _TOPICS)


def _holds_questions(file: ArchiveFile) -> bool:
    """Return whether a file has questions by its name."""
    return (role_of(PurePosixPath(file.name).stem) or ("",))[0] == "question"


def _changed(
    change: Callable[[Mapping[str, object]], Mapping[str, object]], record: Record | SetAside
) -> Record | SetAside:
    return record._replace(fields=change(record.fields)) if isinstance(record, Record) else record


def _kept(sections: SectionRows, records: Iterator[Record | SetAside]) -> Iterator[Record | SetAside]:
    """Yield the records without the headings, each with the heading above it."""
    for record in records:
        fields = sections.completed(record.fields) if isinstance(record, Record) else None
        if fields is not None and isinstance(record, Record):
            yield record if fields is record.fields else record._replace(fields=fields)
        elif isinstance(record, SetAside):
            yield record


def _sample(records: Iterator[Record | SetAside]) -> tuple[list[Record | SetAside], Exception | None]:
    """Take the first records, and the error that ended them, if any: the records are kept."""
    sample: list[Record | SetAside] = []
    characters = 0
    try:
        for record in records:
            sample.append(record)
            if isinstance(record, Record):
                characters += record.size or sum(len(v) for v in record.fields.values() if isinstance(v, str))
            if len(sample) >= _SAMPLE_RECORDS or characters > _SAMPLE_CHARACTERS:
                break
    except Exception as error:
        return sample, error
    return sample, None


def _raising(problem: Exception) -> Iterator[Record | SetAside]:
    yield from ()
    raise problem


def _require_clear(file: ArchiveFile, plan: Plan, count: int, options: ReadOptions) -> None:
    """Raise an error if an unused field could hold what all records lack.

    What other files of the folder may have, the answers, is only missed once all of them were read.
    """
    asks = any(plan.fields.get(role) for role in ("title", "question", "body"))
    answers = bool(plan.fields.get("answer"))
    file.log.has_texts_alone = not (plan.fields.get("question") or plan.answer_ids or _holds_questions(file))
    unused = sorted(plan.unused, key=lambda column: -column.length)
    if plan.relation or asks == answers or _is_alone(file, count):
        return
    if answers and plan.is_numbered:
        file.log.lacks_answers = True  # questions of another table may name these answers by their ids
    if answers and unused and "question" not in plan.mapped:
        raise file.unclear(*_unclear("question", [column.name for column in unused], plan))
    if asks and "answer" not in plan.mapped:
        file.log.lacks_answers = True
        if options.keep_unanswered:
            return  # what other tables have of them is joined all the same
        titled = plan.fields.get("title") or plan.fields.get("question")
        bodies = plan.fields.get("body", [])
        if unused:
            # Beside a title, a longer text named as the rest of the question may as well be the answer.
            longer = [name for name in bodies if titled and plan.columns[name].length > unused[0].length]
            file.log.problem = file.unclear(*_unclear("answer", [*longer, *(column.name for column in unused)], plan))
        elif titled and bodies:
            fields = {"answer": bodies[0]}
            file.log.advice = (
                f"no record has an answer; if {bodies[0]!r} holds the answers, build with field_map={fields!r}"
            )
        elif set(plan.fields).isdisjoint(("question", "body")):
            file.log.advice = (
                "titles alone: put the table of the messages or answers into the same folder, or name fields"
            )
        else:
            file.log.advice = (
                "no record has an answer or names the one that it answers: put the table of the answers into "
                "the same folder, or name the field that holds them with field_map={'answer': FIELD}"
            )


def _is_alone(file: ArchiveFile, count: int) -> bool:
    """Return whether a file of one record holds the settings of some program, as a rule."""
    return count == 1 and file.suffix in (".json", ".yml", ".yaml")


def _unclear(role: str, names: Sequence[str], plan: Plan) -> tuple[str, str]:
    name, *others = dict.fromkeys(names)
    also = f", or {', '.join(repr(other[:MOST_NAME]) for other in others[:_SHOWN_OTHERS])}" if others else ""
    shown = ", ".join(column[:MOST_NAME] for column in list(plan.columns)[:_SHOWN_FIELDS])
    way_out = f"If it does, build with field_map={ ({role: name})!r}; if not, with field_map={ ({role: NO_FIELD})!r}"
    if role == "answer":
        way_out += " or keep_unanswered=True"
    return f"no {role} in any record, though {name!r} could hold it{also} (fields: {shown})", f"{way_out}."


def _tried(
    file: ArchiveFile, items: Iterator[_Item], sample: list[Record | SetAside], options: ReadOptions
) -> Iterator[_Item]:
    """Yield the items once one of the first records is a post."""
    trial: list[_Item] = []
    for item in items:
        trial.append(item)
        if not isinstance(item, SetAside):
            yield from chain(trial, items)
            return
        if len(trial) >= _TRIAL_RECORDS:
            break
    if trial:
        names = dict.fromkeys(
            name for record in sample[: len(trial)] if isinstance(record, Record)
            for name in islice(record.fields, _MOST_NAMES)
        )  # fmt: skip
        looked_at = [record.fields for record in sample[: len(trial)] if isinstance(record, Record)]
        raise _no_posts(file, list(names), looked_at, [item for item in trial if isinstance(item, SetAside)], options)


def _no_posts(
    file: ArchiveFile,
    names: list[str],
    records: Sequence[Mapping[str, object]],
    trial: list[SetAside],
    options: ReadOptions,
) -> UnknownFormatError:
    shown = ", ".join(name[:MOST_NAME] for name in names[:_SHOWN_FIELDS]) or "none"
    if paths := text_paths(records):
        shown += f"; with texts in {', '.join(path[:MOST_NAME] for path in paths)}"
    unmatched = {role: name for role, name in options.field_map.items() if name.split(".")[0] not in names}
    if names and unmatched:
        return file.unknown(f"field_map={unmatched!r} names no field of its records", f"They have: {shown}.")
    if not names:
        return file.unknown(trial[0].reason, _AN_OBJECT, trial[0].place)
    named = " Name a path with field_map={'question': PATH, 'answer': PATH}." if paths else ""
    for note in trial:
        if note.reason != _NEITHER:
            way_out = f"No earlier record is a post either. They have: {shown}.{named}"
            return file.unknown(note.reason, way_out, note.place)
    return file.unknown(
        f"its records have no recognisable question or answer (fields: {shown})",
        "Name them with field_map={'question': FIELD, 'answer': FIELD}.",
    )


def post_of(file: ArchiveFile, record: Record, options: ReadOptions) -> Post | SetAside:
    """Make a post of one record alone, or a note with the reason if that fails."""
    plan = make_plan([record.fields], options, record.html)
    item = next(_Table(file, plan, options).items(iter([record])))
    if isinstance(item, Post | SetAside):
        return item
    return item.post if isinstance(item, Member) else file.set_aside(record.place, "an answer without its question")


class _Table:
    """Makes posts of the records of one table, as planned."""

    def __init__(self, file: ArchiveFile, plan: Plan, options: ReadOptions) -> None:
        self._file = file
        self._plan = plan
        self._options = options
        self._most = options.limits.post_characters
        self._used: dict[tuple[str, str], int] = {}
        self._left_out: Counter[str] = Counter()
        self._hides = bool(plan.row_kind or plan.hiding.is_found or plan.speakers or plan.judged)

    def items(self, records: Iterator[Record | SetAside]) -> Iterator[_Item]:
        """Yield for each record a post, a part of a post, or a note with the reason why it is neither."""
        for record in records:
            if isinstance(record, SetAside):
                yield record
                continue
            if self._hides and (left_out := self._plan.left_out(record.fields)):
                self._left_out[left_out] += 1
                continue
            try:
                yield (item := self._item(record))
                if self._plan.answer_ids and isinstance(item, Post):
                    yield from self._links(item, record)
            except RecursionError:
                yield self._file.set_aside(record.place, "lists and objects nested too deep")
            except ValueError as error:
                yield self._file.set_aside(record.place, str(error))

    def report(self) -> None:
        """Note in the file's log which field played which role."""
        log, plan = self._file.log, self._plan
        used = set()
        for (role, name), count in self._used.items():
            log.took(role, name, count)
            used.add(name)
        if plan.relation:
            for name in filter(None, (plan.parent, plan.own_id)):
                log.took("parent" if name == plan.parent else "id", name, 0)
                used.add(name)
        if plan.speakers is not None:
            log.took("speaker", plan.speakers.name, 0)
            used.add(plan.speakers.name)
        for column in plan.columns.values():
            if column.name not in used and column.is_text and not any(n.startswith(f"{column.name}.") for n in used):
                log.left(column.name, column.filled)
        for remark in remarks_on(plan):
            log.remark(remark)
        for what, count in self._left_out.items():
            log.remark(f"{counted(count, 'record')} left out: {what}")

    def _item(self, record: Record) -> _Item:
        plan = self._plan
        values = plan.values(record.fields)
        post = self._post(values)
        if not plan.relation:
            return post
        part = self._part(record.fields, values)
        if plan.relation == "groups":
            return Member(self._group_key(post), "repeats", self._without(post), part)
        parent = plan.value(record.fields, plan.parent)
        if plan.relation == "threads":
            if parent is None:
                return post  # of no thread, and so not of one with all others of that kind
            return Member(self._short(parent), "says", post, part, writer=self._writer(record.fields))
        if plan.relation == "messages":
            if parent is None and plan.across:
                return post
            if parent is None:
                raise ValueError(f"a message without {plan.parent!r}, which ties it to others")
            key, writer = bare_id(self._short(parent)), post.author or self._writer(record.fields)
            said = plan.side(record.fields) or "someone"
            own = replace(post, source_id=key)
            return Reply(key, post.question or post.title, part, record.place, said, writer, own, plan.across)
        if plan.is_reply(parent) and not plan.asks(record.fields):
            text, side = post.answer or post.question, plan.side(record.fields)
            return Reply(bare_id(self._short(parent)), text, part, record.place, side)
        if plan.side(record.fields) == "staff":
            post = replace(post, question="")  # what a customer replies to it asks
        accepted = self._short(plan.value(record.fields, plan.accepted_id))
        return Member(bare_id(post.source_id), "asks", post, part, accepted)

    def _links(self, post: Post, record: Record) -> Iterator[Reply]:
        """Yield where the answers of a question are."""
        for own in texts_in(self._plan.value(record.fields, self._plan.answer_ids)):
            yield Reply(bare_id(post.source_id), "", AnswerPart(0, 0, id=self._short(own)), record.place)

    def _post(self, values: Mapping[str, tuple[str, object]]) -> Post:
        """Make a post of the values that play roles.

        Raises:
            ValueError: if that cannot be done.
        """
        used = self._used
        for role, chosen in values.items():
            key = (role, chosen[0])
            used[key] = used.get(key, 0) + 1
        title = self._text(values.get("title"))
        question = self._text(values.get("question"))
        body = self._text(values.get("body"))
        answer, parts = self._answers(values.get("answer"))
        if question and body and not title:
            title, question = (body, question) if self._plan.question_is_long else (question, body)
        elif body and body != question:
            question = f"{question}\n\n{body}" if question else body
        if not (question or answer or title):
            raise ValueError(_NEITHER)
        url = self._short_of(values.get("url"))
        return Post(
            source=self._file.source,
            source_id=self._short_of(values.get("id")) or content_id(url, title, question, answer),
            title=" ".join(title.split()),
            question=question,
            answer=answer,
            date=self._date(values.get("date")),
            url=url or None,
            tags=self._tags(values.get("tags"), values.get("category")),
            author=self._short_of(values.get("author")) or None,
            score=integer_of(values["score"][1]) if "score" in values else None,
            answers=parts,
        )

    def _text(self, chosen: tuple[str, object] | None) -> str:
        if chosen is None:
            return ""
        name, value = chosen
        kind = self._plan.kinds.get(name, _BY_DEFAULT)
        if isinstance(value, str) and (kind.rich or kind.lists):
            value = self._written(value, kind)
        return self._plain(text_of(value), kind)

    def _written(self, text: str, kind: TextKind) -> object:
        """Return what a text was written from: a list, or rich text."""
        if kind.rich and (rich := written_rich_text(text)) is not None:
            return rich
        return (written_list(text) if kind.lists else None) or text

    def _plain(self, text: str, kind: TextKind) -> str:
        try:
            plain = kind.plain(text, self._most)
        except TextTooLongError:
            raise ValueError(post_too_long(self._options)) from None
        if len(plain) > self._most:
            raise ValueError(post_too_long(self._options))
        return clean_text(plain)

    def _answers(self, chosen: tuple[str, object] | None) -> tuple[str, tuple[AnswerPart, ...]]:
        if chosen is None:
            return "", ()
        name, value = chosen
        kind = self._plan.kinds.get(name, _BY_DEFAULT)
        if isinstance(value, str):
            if not (kind.rich or kind.lists):  # as most are
                return self._plain(value, kind), ()
            value = self._written(value, kind)
        elif isinstance(value, Mapping) and isinstance(value.get("text"), list):  # as flat question answering sets have
            value = list(dict.fromkeys(map(str, value["text"])))
        if not isinstance(value, list) or is_rich_text(value):
            return self._plain(text_of(value), kind), ()
        listed = [item for item in value if not is_blank(item)]
        texts = [(item, text) for item in listed if (text := _text_or_none(item)) is not None]
        if listed and not texts:
            raise ValueError(_no_text(listed))
        return join_answers((self._plain(text, kind), self._answer_part(item)) for item, text in texts)

    def _answer_part(self, item: object) -> AnswerPart:
        """Read the facts about an answer in a list."""
        known = item if isinstance(item, Mapping) else {}
        author = self._short(_first(known, _AUTHOR_NAMES))
        return AnswerPart(
            0,
            0,
            id=self._short(_first(known, _ID_NAMES)) or None,
            score=integer_of(_first(known, _SCORE_NAMES)),
            accepted=is_yes(_first(known, _ACCEPTED_NAMES)),
            author=author or None,
            date=short_date(self._short(_first(known, _DATE_NAMES)), self._plan.day_first),
        )

    def _part(self, fields: Mapping[str, object], values: Mapping[str, tuple[str, object]]) -> AnswerPart:
        """Read the facts about a record that is an answer."""
        plan = self._plan
        score = integer_of(values["score"][1]) if "score" in values else None
        return AnswerPart(
            0,
            0,
            id=self._short(plan.value(fields, plan.own_id)) or None,
            score=score if plan.relation != "groups" or "score" in plan.of_answers else None,
            accepted=is_yes(plan.value(fields, plan.accepted)),
            author=self._if_of_answer("author", self._short_of(values.get("author")) or None),
            date=self._if_of_answer("date", self._date(values.get("date"))),
        )

    def _writer(self, fields: Mapping[str, object]) -> str:
        writer = self._short(self._plan.value(fields, self._plan.writer))
        return writer if is_parent(writer) else ""

    def _if_of_answer(self, role: str, value: str | None) -> str | None:
        return value if self._plan.relation != "groups" or role in self._plan.of_answers else None

    def _without(self, post: Post) -> Post:
        """Remove the facts about the answer from a question."""
        of_answers = self._plan.of_answers
        if "author" in of_answers:
            post = replace(post, author=None)
        return replace(post, score=None) if "score" in of_answers else post

    def _group_key(self, post: Post) -> str:
        plan = self._plan
        sides = (post.source_id,) if plan.by_id else (post.url or "", *post.tags)
        text = "\n".join((*sides, post.title, post.question))
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()

    def _short_of(self, chosen: tuple[str, object] | None) -> str:
        return "" if chosen is None else self._short(chosen[1])

    def _short(self, value: object) -> str:
        """Read an optional field; "" if it is not text."""
        if isinstance(value, str):  # as most are
            text = value
        else:
            try:
                text = name_of(value)
            except ValueError:
                return ""
        if len(text) > self._most:
            raise ValueError(post_too_long(self._options))
        return clean_text(decode_entities(text) if "&" in text else text)

    def _date(self, chosen: tuple[str, object] | None) -> str | None:
        return None if chosen is None else short_date(self._short(chosen[1]), self._plan.day_first)

    def _tags(self, *chosen: tuple[str, object] | None) -> tuple[str, ...]:
        """Read the tags of some fields, each once."""
        tags = [tag for field in chosen if field is not None for tag in self._tags_in(field[1])]
        return tuple(dict.fromkeys(tags))

    def _tags_in(self, value: object) -> Iterable[str]:
        if isinstance(value, str):
            listed = written_list(value) if value.lstrip().startswith("[") else None
            if listed is None:
                if len(value) > self._most:
                    raise ValueError(post_too_long(self._options))
                return split_tags(decode_entities(value))
            value = listed
        if not isinstance(value, list):
            if not isinstance(value, Mapping):
                return ()
            value = [value]
        return [tag for item in value if not is_blank(item) and (tag := self._short(item))]


def _text_or_none(item: object) -> str | None:
    """Return the text of one of several answers, None for an object about them, such as where they were found."""
    try:
        return text_of(item)
    except ValueError:
        return None


def _no_text(listed: Sequence[object]) -> str:
    try:
        return text_of(listed[0])
    except ValueError as error:
        return str(error)


def _first(known: Mapping[str, object], names: Iterable[str]) -> object:
    for name in names:
        if not is_blank(value := known.get(name)):
            return value
    return None


def content_id(url: str, title: str, question: str, answer: str) -> str:
    """Return an id for a record without one, from what was asked and where: a corrected answer keeps the id.

    The link alone would not do: in many tables it is that of a page with dozens of questions.
    """
    asked = "\n".join((url, title, question) if title or question else (url, answer))
    return f"text-{hashlib.blake2b(asked.encode(), digest_size=6).hexdigest()}"
