"""Messages of one thread (a forum's topic, a mailing list's) -> one post: the first asks, those of others answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qa_search.archives.base import ArchiveFile
from qa_search.archives.formats.records import join_answers
from qa_search.types import AnswerPart, Post
from qa_search.util.text import clean_text


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a thread, its text free of quotations and signatures."""

    text: str
    author: str | None = None
    date: str | None = None
    id: str | None = None
    accepted: bool = False
    score: int | None = None


def thread_post(
    file: ArchiveFile,
    title: str,
    messages: Sequence[Message],
    *,
    source: str,
    source_id: str,
    url: str | None = None,
    tags: Sequence[str] = (),
) -> Post:
    """Make a post of a thread. Later messages of the asker are not answers, unless accepted as one."""
    first, *others = messages
    answers = []
    added = 0
    for message in others:
        if message.author is not None and message.author == first.author and not message.accepted:
            added += 1
            continue
        part = AnswerPart(
            0, 0, message.id and clean_text(message.id), message.score, message.accepted,
            message.author and clean_text(message.author), message.date,
        )  # fmt: skip
        answers.append((clean_text(message.text), part))
    if added:
        file.log.omit("later messages of the one who asked", added)
    answer, parts = join_answers(answers)
    return Post(
        source=source,
        source_id=source_id,
        title=clean_text(" ".join(title.split())),
        question=clean_text(first.text),
        answer=answer,
        date=first.date,
        url=url and clean_text(url),
        tags=tuple(dict.fromkeys(tag for given in tags if (tag := clean_text(given)))),
        author=first.author and clean_text(first.author),
        score=first.score,
        answers=parts,
    )
