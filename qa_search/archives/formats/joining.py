"""Records that belong together -> one post: rows of one question, answers of a parent, posts of a thread."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, Self

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply, post_too_long, require_scratch
from qa_search.archives.formats.scratch_tables import private_rows
from qa_search.archives.formats.speakers import Side, conversation, is_same
from qa_search.archives.formats.values import join_answers
from qa_search.types import AnswerPart, Post, SetAside

_MOST_STEPS = 100
_CHECKED_BYTES = 1 << 20

Kind = Literal["asks", "repeats", "says"]


@dataclass(frozen=True)
class Member:
    """A record that is a post or a part of one.

    ``kind`` is "asks" for a question, with or without answers; "repeats" for a question that comes again for each of
    its answers, ``part`` being about its own; "says" for one post of the thread ``key``.
    """

    key: str
    kind: Kind
    post: Post
    part: AnswerPart
    accepted_id: str = ""
    writer: str = ""  # what tells its writer from others, where no name does


class Joiner:
    """Stores records until all are read, and joins those that belong together into posts.

    Disk use grows with the records, memory does not. Close it after use.
    """

    def __init__(self, file: ArchiveFile, options: ReadOptions) -> None:
        self._file = file
        self._options = options
        self._since_check = _CHECKED_BYTES
        self.replies = 0
        self.links = 0
        self._rows = private_rows(
            """
            CREATE TABLE member (
                number INTEGER PRIMARY KEY, key TEXT, kind TEXT, data TEXT, source TEXT, text_alone INTEGER
            );
            CREATE TABLE link (
                parent TEXT, child TEXT, score INTEGER, place TEXT, source TEXT, PRIMARY KEY (parent, child)
            ) WITHOUT ROWID;
            CREATE TABLE reply (
                number INTEGER PRIMARY KEY, key TEXT, own TEXT, data TEXT, place TEXT, source TEXT, whole TEXT
            );
            """
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove all records."""
        self._rows.close()

    def add(self, item: Member | Reply, file: ArchiveFile | None = None, *, text_alone: bool = False) -> None:
        """Keep one record; ``file`` is the one that it comes from.

        With ``text_alone``, no field of its table asks: it may be the answer that a question names by its id.

        Raises:
            DamagedArchiveError: if the scratch disk is full.
        """
        source = (file or self._file).source
        try:
            if isinstance(item, Member):
                data = _written([item.post, item.part, item.accepted_id, item.writer])
                values = (item.key, item.kind, data, source, text_alone)
                self._rows.execute("INSERT INTO member VALUES (NULL, ?, ?, ?, ?, ?)", values)
            elif not item.text and item.post is None and not item.writer:
                self.links += 1
                data = item.place
                link = (item.parent, item.part.id, item.part.score, data, source)
                self._rows.execute("INSERT OR IGNORE INTO link VALUES (?, ?, ?, ?, ?)", link)
            else:
                self.replies += 1
                data = _written([item.text, item.part, item.side, item.writer, item.post])
                whole = item.post is not None
                own = None if whole and not item.across else item.part.id  # other ids than those of tickets
                group = "" if item.across else source
                reply = (item.parent, own, data, item.place, source, group if whole else None)
                self._rows.execute("INSERT INTO reply VALUES (NULL, ?, ?, ?, ?, ?, ?)", reply)
        except sqlite3.Error as error:
            raise self._damaged(error) from error
        self._since_check += len(data)
        if self._since_check > _CHECKED_BYTES:
            require_scratch(self._file, Path(tempfile.gettempdir()), self._options, len(data))
            self._since_check = 0

    def link(self) -> int:
        """Make answers of the texts that links name; return how many. What is left of these texts answers nothing.

        Raises:
            DamagedArchiveError: if the scratch disk is full.
        """
        if not self.links:
            return 0
        try:
            self._rows.execute("CREATE INDEX IF NOT EXISTS member_key ON member (key, number)")
            found = self._rows.execute(
                "SELECT l.parent, l.score, l.place, m.source, m.data FROM link l JOIN member m ON m.key = l.child "
                "AND m.text_alone WHERE EXISTS (SELECT 1 FROM member q WHERE q.key = l.parent AND NOT q.text_alone) "
                "ORDER BY m.number"
            )
            count = 0
            sources: dict[str, None] = {}
            for parent, score, place, source, data in found:
                post = _member("", "asks", data).post
                text = "\n\n".join(filter(None, (post.title, post.question, post.answer)))
                part = AnswerPart(0, 0, post.source_id, score, author=post.author, date=post.date)
                values = (parent, post.source_id, _written([text, part, "", "", None]), place, source)
                self._rows.execute("INSERT INTO reply VALUES (NULL, ?, ?, ?, ?, ?, NULL)", values)
                count, sources[source] = count + 1, None
            self._rows.execute(
                "DELETE FROM link WHERE EXISTS (SELECT 1 FROM member m WHERE m.key = link.child AND m.text_alone) "
                "AND EXISTS (SELECT 1 FROM member q WHERE q.key = link.parent AND NOT q.text_alone)"
            )
            for source in sources:
                unused = self._rows.execute(
                    "DELETE FROM member WHERE source = ? AND text_alone "
                    "AND key NOT IN (SELECT own FROM reply WHERE own IS NOT NULL)",
                    (source,),
                ).rowcount
                self._rows.execute("DELETE FROM member WHERE source = ? AND text_alone", (source,))
                if unused:
                    self._file.log.omit("texts that answer no question", unused)
        except sqlite3.Error as error:
            raise self._damaged(error) from error
        self.replies += count
        return count

    def joined(self) -> Iterator[Post | SetAside | tuple[str, Reply]]:
        """Yield the posts in the order of their first records, then each answer without a question: (source, it).

        Raises:
            DamagedArchiveError: if the scratch disk is full.
        """
        try:
            self._rows.execute("CREATE INDEX IF NOT EXISTS member_key ON member (key, number)")
            self._rows.execute("CREATE INDEX reply_key ON reply (key, number)")
            self._find_roots()
            firsts = (
                "SELECT m.key, m.kind, m.data, m.source, g.size, g.count FROM (SELECT min(number) AS first, "
                "sum(length(data)) AS size, count(*) AS count FROM member GROUP BY key ORDER BY first) g "
                "CROSS JOIN member m ON m.number = g.first"
            )
            with closing(self._rows.execute(firsts)) as found:
                for key, kind, data, source, size, count in found:
                    yield from self._posts(_member(key, kind, data), count, size, source)
            yield from self._conversations()
            orphans = (
                "SELECT data, key, place, source FROM reply WHERE whole IS NULL AND key NOT IN (SELECT key FROM member)"
            )
            for data, key, place, source in self._rows.execute(f"{orphans} ORDER BY number"):
                reply = _reply(data, key, place)
                if reply.text or not reply.writer:
                    yield source, reply
            for parent, place, source in self._rows.execute("SELECT parent, place, source FROM link"):
                yield source, Reply(parent, "", AnswerPart(0, 0), place)
        except sqlite3.Error as error:
            raise self._damaged(error) from error

    def _posts(self, first: Member, count: int, size: int, source: str) -> Iterator[Post | SetAside]:
        """Yield the posts of the members of one key, of which the first and the number are known."""
        key = first.key
        if self.replies:
            answers = "SELECT coalesce(sum(length(data)), 0) FROM reply WHERE key = ?"
            size += self._rows.execute(answers, (key,)).fetchone()[0]
        if size > self._options.limits.record_bytes:
            yield SetAside(source, f"post {key}", post_too_long(self._options))
            return
        members, replies = [first], []
        if count > 1:
            rows = self._rows.execute("SELECT kind, data FROM member WHERE key = ? ORDER BY number", (key,))
            members = [_member(key, kind, data) for kind, data in rows]
        if self.replies:
            found = self._rows.execute("SELECT data, key, place FROM reply WHERE key = ? ORDER BY number", (key,))
            replies = [_reply(*row) for row in found]
        if members[0].kind == "says":
            yield thread_post(members)
        elif members[0].kind == "repeats":
            yield from _one_of_each(members)
        else:
            said = [reply for reply in replies if reply.side]
            asked = self._ticket(members[0].post, said) if said and not members[0].post.answer else members[0].post
            others = [(reply.text, reply.part) for reply in self._of_others(asked.author, replies)]
            yield _with_replies(replace(members[0], post=asked), others)
            yield from (member.post for member in members[1:])

    def _of_others(self, asker: str | None, replies: Sequence[Reply]) -> list[Reply]:
        """Return the replies that are not of the one who asked, where it is known who wrote them."""
        said = [reply for reply in replies if not reply.side and (reply.text or not reply.writer)]
        others = [reply for reply in said if not reply.writer or reply.writer != asker]
        if len(others) < len(said):
            self._file.log.omit("later messages of the one who asked", len(said) - len(others))
        return others

    def _conversations(self) -> Iterator[Post | SetAside]:
        """Yield the posts of conversations that no table has, each from the messages of one file, or of all files."""
        keys = (
            "SELECT key, whole, min(source), sum(length(data)) FROM reply WHERE whole IS NOT NULL AND key NOT IN "
            "(SELECT key FROM member) GROUP BY key, whole ORDER BY min(number)"
        )
        messages = "SELECT data, key, place FROM reply WHERE key = ? AND whole = ? ORDER BY number"
        with closing(self._rows.execute(keys)) as found:
            for key, whole, source, size in found:
                if size > self._options.limits.record_bytes:
                    yield SetAside(source, f"post {key}", post_too_long(self._options))
                    continue
                said = [_reply(*row) for row in self._rows.execute(messages, (key, whole))]
                alone = said[0].post if len(said) == 1 and not whole else None
                yield alone or self._ticket(*(_answered(said) if not whole else (None, said)))

    def _ticket(self, ticket: Post | None, said: list[Reply]) -> Post:
        """Make a post of a conversation, and of its ticket where there is one."""
        if all(reply.part.date for reply in said):
            said = sorted(said, key=lambda reply: reply.part.date or "")
        parts = conversation(_sides(ticket, said), "" if ticket is None else ticket.question)
        if parts.later:
            self._file.log.omit("later messages of the one who asked", parts.later)
        if parts.before:
            self._file.log.remark("what staff wrote before a customer asked is left out")
        asked = [said[number] for number in parts.asked]
        first = ticket or next((reply.post for reply in (*asked, *said) if reply.post is not None), None)
        assert first is not None  # noqa: S101 - for the type checker
        question = "\n\n".join(filter(None, [ticket.question if ticket else "", *(reply.text for reply in asked)]))
        answer, answers = join_answers((said[number].text, said[number].part) for number in parts.answers)
        title = first.title or next((reply.post.title for reply in said if reply.post and reply.post.title), "")
        opened = asked[0].post if asked and asked[0].post else first
        return replace(
            first,
            title=title,
            question=question,
            answer=answer,
            answers=answers,
            date=first.date or opened.date,
            author=first.author or opened.author,
        )

    def _find_roots(self) -> None:
        """Attach answers to answers to the question at their root."""
        step = """
            UPDATE reply SET key = (SELECT r.key FROM reply r WHERE r.own = reply.key)
            WHERE key NOT IN (SELECT key FROM member) AND key IN (SELECT own FROM reply WHERE own IS NOT NULL)
            AND key IS NOT own AND key IS NOT (SELECT r.key FROM reply r WHERE r.own = reply.key)
        """
        if not self.replies:
            return
        self._rows.execute("CREATE INDEX reply_own ON reply (own)")
        for _ in range(_MOST_STEPS):
            if not self._rows.execute(step).rowcount:
                return

    def _damaged(self, error: sqlite3.Error) -> Exception:
        return self._file.damaged(f"its records cannot be sorted in {tempfile.gettempdir()} ({error})")


def thread_post(members: list[Member]) -> Post:
    """Make a post of a thread's posts: the first asks, those of others answer."""
    if all(member.post.date for member in members):
        members = sorted(members, key=lambda member: member.post.date or "")
    if members[0].post.title and not members[0].post.question and len(members) > 1:  # the topic, before its posts
        opens = members[1].post
        asked = replace(members[0].post, question=opens.question, author=members[0].post.author or opens.author)
        members = [replace(members[0], post=asked), *members[2:]]
    first = members[0].post
    title = first.title or next((member.post.title for member in members if member.post.title), "")
    answers = [
        (member.post.question, replace(member.part, accepted=member.part.accepted))
        for member in members[1:]
        if member.post.question and (not _same_writer(member, members[0]) or member.part.accepted)
    ]
    answer, parts = join_answers(answers)
    return replace(first, source_id=members[0].key, title=title, answer=answer, answers=parts)


def _answered(said: list[Reply]) -> tuple[Post | None, list[Reply]]:
    """Return what the messages of a thread answer, where the first of them quotes a message that is missing."""
    in_order = all(reply.part.date for reply in said)
    first = (min(said, key=lambda reply: reply.part.date or "") if in_order else said[0]).post
    if first is None or not first.answer:
        return None, said
    return replace(first, answer="", answers=()), [replace(reply, side="staff") for reply in said]


def _sides(ticket: Post | None, said: Sequence[Reply]) -> list[tuple[Side, str]]:
    """Return who speaks in each message; where no field says it, the customer is the one who opened the ticket."""
    opens = ticket is None or not ticket.question or is_same(said[0].text, ticket.question)
    customer = said[0].writer if opens else ticket and ticket.author
    sides: list[tuple[Side, str]] = []
    for number, reply in enumerate(said):
        asks = (opens and not number) or (reply.writer and reply.writer == customer)
        asks = reply.side == "customer" or (reply.side == "someone" and asks)
        sides.append(("customer" if asks else "staff", reply.text))
    return sides


def _same_writer(member: Member, other: Member) -> bool:
    """Return whether two messages are known to be of one writer: by the name, or else by an id."""
    if member.post.author is None or other.post.author is None:
        return bool(member.writer) and member.writer == other.writer
    return member.post.author == other.post.author


def _with_replies(member: Member, replies: list[tuple[str, AnswerPart]]) -> Post:
    if not replies:
        return member.post
    accepted = [
        (text, replace(part, accepted=part.accepted or part.id == member.accepted_id)) for text, part in replies
    ]
    answer, parts = join_answers(accepted)
    if member.post.answer:
        return member.post
    return replace(member.post, answer=answer, answers=parts)


def _one_of_each(members: list[Member]) -> Iterator[Post]:
    """Join the answers of one question into a post, once under each id that its rows have.

    Rows with the same answer are yielded unchanged.
    """
    answers: dict[str, AnswerPart] = {}
    for member in members:
        answers.setdefault(member.post.answer, member.part)
    answers.pop("", None)
    first = members[0].post
    has_facts = any(part != AnswerPart(0, 0) for part in answers.values())
    if len(answers) < 2 and (len(members) > 1 or not has_facts):
        yield from (member.post for member in members)
        return
    answer, parts = join_answers(answers.items())
    dates = [member.post.date for member in members if member.post.date]
    post = replace(first, answer=answer, answers=parts, date=first.date or min(dates, default=None))
    for source_id in dict.fromkeys(member.post.source_id for member in members):
        yield post if source_id == post.source_id else replace(post, source_id=source_id)


def _written(parts: Sequence[Post | AnswerPart | str | None]) -> str:
    """Return parts as JSON: each post and each part of an answer is a list of its values."""
    return _ENCODER.encode(parts)


def post_to_text(post: Post) -> str:
    """Write a post down, for `read_post`."""
    return _written([post])


def read_post(text: str) -> Post:
    """Read what `post_to_text` wrote."""
    return _post(json.loads(text)[0])


def _values(record: Post | AnswerPart) -> tuple[object, ...]:
    return _values_of_post(record) if isinstance(record, Post) else _values_of_part(record)


_values_of_post = attrgetter(*Post.__dataclass_fields__)
_values_of_part = attrgetter(*AnswerPart.__dataclass_fields__)
_ENCODER = json.JSONEncoder(default=_values)
_TAGS, _ANSWERS = (list(Post.__dataclass_fields__).index(name) for name in ("tags", "answers"))


def _member(key: str, kind: Kind, data: str) -> Member:
    post, part, accepted_id, writer = json.loads(data)
    return Member(key, kind, _post(post), AnswerPart(*part), accepted_id, writer)


def _reply(data: str, key: str, place: str) -> Reply:
    text, part, side, writer, post = json.loads(data)
    return Reply(key, text, AnswerPart(*part), place, side, writer, None if post is None else _post(post))


def _post(written: Sequence[Any]) -> Post:
    values = list(written)
    values[_TAGS] = tuple(values[_TAGS])
    values[_ANSWERS] = tuple([AnswerPart(*answer) for answer in values[_ANSWERS]])
    return Post(*values)


def joined_items(
    file: ArchiveFile, items: Iterable[Member | Post | SetAside | Reply], options: ReadOptions
) -> Iterator[Post | SetAside | Reply]:
    """Join the members and answers among a file's items; the others come as they are, answers without questions last.

    Raises:
        DamagedArchiveError: if the scratch disk is full.
    """
    with Joiner(file, options) as joiner:
        for item in items:
            if isinstance(item, Member | Reply):
                joiner.add(item)
            else:
                yield item
        for joined in joiner.joined():
            yield joined[1] if isinstance(joined, tuple) else joined
