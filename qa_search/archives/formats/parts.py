"""The parts of one file (tables of a database, sheets of a workbook), joined where they belong together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from qa_search.archives.base import ArchiveFile, ReadingLog, ReadOptions, Reply
from qa_search.archives.formats.joining import Joiner, Member
from qa_search.archives.formats.values import bare_id
from qa_search.errors import UnknownFormatError
from qa_search.types import AnswerPart, Post, SetAside

Read = Callable[[ArchiveFile], Iterator[Post | SetAside | Reply]]


def read_parts(
    file: ArchiveFile,
    parts: Iterable[tuple[ArchiveFile, Read]],
    options: ReadOptions,
    reasons: list[UnknownFormatError],
) -> Iterator[Post | SetAside]:
    """Yield the posts of a file's parts, each with its own log; posts without answers come last.

    Why a part is not read is added to ``reasons``. What was taken for what is noted in the file's log, and that answers
    are missing only where no part has them.
    """
    logs: list[ReadingLog] = []
    with Joiner(file, options) as joiner:
        for part, read in parts:
            try:
                for item in read(part):
                    if isinstance(item, Reply):
                        joiner.add(item, part)
                    elif isinstance(item, SetAside) or item.answer:
                        yield item
                    else:
                        joiner.add(Member(bare_id(item.source_id), "asks", item, AnswerPart(0, 0)), part)
                logs.append(part.log)
            except UnknownFormatError as error:
                reasons.append(error)
        _take_over(file, logs, joined=bool(joiner.replies))
        for joined in joiner.joined():
            if isinstance(joined, tuple):
                source, reply = joined
                yield SetAside(source, reply.place, f"an answer to {reply.parent[:100]}, which is in no other table")
            else:
                yield joined


def _take_over(file: ArchiveFile, logs: list[ReadingLog], *, joined: bool) -> None:
    for log in logs:
        file.log.add(log)
    if logs and not joined and all(log.lacks_answers for log in logs):
        file.log.lacks_answers = True
        file.log.problem = next((log.problem for log in logs if log.problem is not None), None)
        file.log.advice = next((log.advice for log in logs if log.advice), "")
