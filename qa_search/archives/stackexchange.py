"""Stack Exchange data dumps: Posts.xml, one row per question or answer.

Source: https://meta.stackexchange.com/questions/2677 (the dump's schema).
"""

from __future__ import annotations

import re
import sqlite3
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from xml.parsers import expat

from qa_search.archives.base import ArchiveFile, ReadOptions
from qa_search.archives.html_text import html_to_text
from qa_search.archives.records import join_answers, split_tags
from qa_search.errors import DamagedArchiveError
from qa_search.text import clean_text
from qa_search.types import AnswerPart, Post, SetAside

_ROOT = re.compile(r"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--.*?-->\s*)*<([A-Za-z]\w*)[\s/>]", re.DOTALL)
_OTHER_TABLES = frozenset(("badges", "comments", "posthistory", "postlinks", "tags", "users", "votes"))
_SITE = re.compile(
    r"(?:[a-z0-9-]+\.)*(?:stackexchange\.com|stackoverflow\.com|serverfault\.com|superuser\.com|askubuntu\.com"
    r"|mathoverflow\.net|stackapps\.com)"
)
_QUESTION, _ANSWER = "1", "2"
_CHUNK_BYTES = 1 << 20
_Row = tuple[int, dict[str, str]]  # line number, attributes


class StackExchangeReader:
    """Reads Posts.xml: a post per question, with its answers, the accepted and the highest-voted first.

    Rows are kept in a scratch database on disk until the end of the file, because an answer may stand
    anywhere after its question: memory does not grow with the dump, disk does.
    """

    name = "Stack Exchange dump"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """XML whose root is <posts>, or one of the dump's other tables."""
        return _root(file) in {"posts", *_OTHER_TABLES}

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside]:
        """Yield the questions in order of their ids; the dump's other tables hold no posts."""
        if _root(file) in _OTHER_TABLES:
            return
        with (
            tempfile.TemporaryDirectory(prefix="qa-search-") as scratch,
            closing(sqlite3.connect(Path(scratch, "rows"))) as rows,
        ):
            damage = None
            try:
                yield from _store_rows(file, rows)
            except (DamagedArchiveError, EOFError, OSError, zlib.error) as error:
                damage = error
            site = _SITE.search(file.location.lower())
            yield from _join(file, rows, f"https://{site[0]}" if site else None)
            if damage is not None:
                raise damage


def _root(file: ArchiveFile) -> str | None:
    match = _ROOT.match((file.head_text or "").lstrip("\ufeff"))
    return match[1].lower() if match else None


def _store_rows(file: ArchiveFile, rows: sqlite3.Connection) -> Iterator[SetAside]:
    rows.executescript(
        """
        PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
        CREATE TABLE question (id INTEGER PRIMARY KEY, title, body, tags, date, author, score, accepted);
        CREATE TABLE answer (id INTEGER PRIMARY KEY, question INTEGER, body, date, author, score);
        """
    )
    for line, row in _rows(file):
        kind = row.get("PostTypeId")
        if kind not in (_QUESTION, _ANSWER):
            continue  # tag wikis, moderator nominations and the like
        author = row.get("OwnerDisplayName") or row.get("OwnerUserId")
        score = _integer(row.get("Score"))
        number, parent = _integer(row.get("Id")), _integer(row.get("ParentId"))
        if number is None or (kind == _ANSWER and parent is None):
            yield file.set_aside(f"line {line}", "a row without a usable Id" if number is None else "no ParentId")
            continue
        body, date = row.get("Body", ""), row.get("CreationDate")
        if kind == _QUESTION:
            values = (number, row.get("Title", ""), body, row.get("Tags", ""), date, author, score,
                      _integer(row.get("AcceptedAnswerId")))  # fmt: skip
            rows.execute("INSERT OR REPLACE INTO question VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
        else:
            answer = (number, parent, body, date, author, score)
            rows.execute("INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?, ?, ?)", answer)
    rows.commit()


def _rows(file: ArchiveFile) -> Iterator[_Row]:
    """Parse the dump piece by piece.

    Raises:
        DamagedArchiveError: where the XML breaks off or is no dump's.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    found: list[_Row] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag == "row":
            found.append((parser.CurrentLineNumber, attributes))

    def refuse_entities(*_: object) -> None:
        raise file.damaged("the XML declares entities, which no dump does", f"line {parser.CurrentLineNumber}")

    parser.StartElementHandler = start
    parser.EntityDeclHandler = refuse_entities
    with file.open() as stream:
        while True:
            chunk = stream.read(_CHUNK_BYTES)
            try:
                parser.Parse(chunk, not chunk)
            except expat.ExpatError as error:
                yield from found
                place = f"line {error.lineno}, column {error.offset + 1}"
                reason = expat.ErrorString(error.code)
                raise file.damaged(f"broken XML ({reason})", place) from error
            yield from found
            found.clear()
            if not chunk:
                return


def _join(file: ArchiveFile, rows: sqlite3.Connection, site: str | None) -> Iterator[Post | SetAside]:
    rows.execute("CREATE INDEX answer_question ON answer (question)")
    for question in rows.execute("SELECT * FROM question ORDER BY id"):
        answers = rows.execute("SELECT * FROM answer WHERE question = ? ORDER BY id", question[:1])
        yield _post(file, question, answers.fetchall(), site)
    orphans = rows.execute(
        "SELECT id, question FROM answer WHERE question NOT IN (SELECT id FROM question) ORDER BY id"
    )
    for number, parent in orphans:
        yield file.set_aside(f"Id {number}", f"an answer to question {parent}, which the dump lacks")


def _post(
    file: ArchiveFile, question: tuple[object, ...], answers: list[tuple[object, ...]], site: str | None
) -> Post | SetAside:
    number, title, body, tags, date, author, score, accepted = question
    found = []
    try:
        for answer, _, text, answered, by, votes in answers:
            part = AnswerPart(
                0,
                0,
                id=str(answer),
                score=votes if isinstance(votes, int) else None,
                accepted=answer == accepted,
                author=None if by is None else str(by),
                date=None if answered is None else str(answered),
            )
            found.append((clean_text(html_to_text(str(text))), part))
        asked = clean_text(html_to_text(str(body)))
    except ValueError as error:
        return file.set_aside(f"Id {number}", str(error))
    answer_text, parts = join_answers(found)
    return Post(
        source=file.source,
        source_id=str(number),
        title=clean_text(" ".join(str(title).split())),
        question=asked,
        answer=answer_text,
        date=None if date is None else str(date),
        url=f"{site}/q/{number}" if site else None,
        tags=split_tags(str(tags)),
        author=None if author is None else str(author),
        score=score if isinstance(score, int) else None,
        answers=parts,
    )


def _integer(value: str | None) -> int | None:
    return int(value) if value and re.fullmatch(r"-?\d{1,18}", value, re.ASCII) else None
