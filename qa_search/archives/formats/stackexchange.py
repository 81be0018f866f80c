"""Stack Exchange data dumps: Posts.xml, one row per question or answer.

Source: https://meta.stackexchange.com/questions/2677 (the dump's schema).
"""

from __future__ import annotations

import re
import sqlite3
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import TextIO
from xml.parsers import expat

from qa_search.archives.base import ArchiveFile, ReadOptions, post_too_long, require_scratch, short_date, utf8_length
from qa_search.archives.encodings import declared_encoding, open_text
from qa_search.archives.formats.html_text import TextTooLongError, html_to_text
from qa_search.archives.formats.values import join_answers, split_tags
from qa_search.errors import ArchiveError
from qa_search.types import AnswerPart, Post, SetAside
from qa_search.util.text import clean_text

# Files that are read beside the posts, if they exist.
USERS, COMMENTS = "Users.xml", "Comments.xml"
_ROOT = re.compile(r"\s*+(?:<\?xml[^<>]*\?>\s*+)?(?><!--.*?-->\s*+)*+<(?:!DOCTYPE\s+)?([A-Za-z]\w*)[\s/>]", re.DOTALL)
_ENCODING = re.compile(r"\s*<\?xml[^<>]*\bencoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_OTHER_TABLES = frozenset(("badges", "comments", "posthistory", "postlinks", "tags", "users", "votes"))
_SITE = re.compile(
    r"(?:[a-z0-9-]++\.)*(?:stackexchange\.com|stackoverflow\.com|serverfault\.com|superuser\.com|askubuntu\.com"
    r"|mathoverflow\.net|stackapps\.com)"
)
_QUESTION, _ANSWER = "1", "2"
_CHUNK_CHARACTERS = 1 << 19
# No dump has more; deeper elements and ever new names would fill the parser's memory.
_MOST_DEPTH = 16
_MOST_NAMES = 1000
# What XML forbids, as itself or as a reference: a dump that has it is read all the same.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_REFERENCE = re.compile(r"&#(?!xA;|xD;|x9;)(?:[xX]([0-9a-fA-F]{1,8})|([0-9]{1,10}));")
# What is counted of an answer besides its text.
_ANSWER_CHARACTERS = 64
# A sample of questions is taken from so many rows for each.
_ROWS_A_SAMPLE = 3
_ATTRIBUTES = {
    "id": "Id", "title": "Title", "question": "Body", "answer": "Body (PostTypeId 2)", "date": "CreationDate",
    "tags": "Tags", "author": "OwnerDisplayName or OwnerUserId", "score": "Score",
}  # fmt: skip
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
        try:
            yield from self._read(file, options)
        except sqlite3.Error as error:
            raise file.damaged(f"its rows cannot be sorted in {tempfile.gettempdir()} ({error})") from error

    def _read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside]:
        with (
            tempfile.TemporaryDirectory(prefix="qa-search-") as scratch,
            closing(sqlite3.connect(Path(scratch, "rows"))) as rows,
        ):
            damage = None
            _note_fields(file)
            try:
                yield from _store_rows(file, rows, Path(scratch), options)
                yield from _store_names(file, rows, Path(scratch), options)
            except (ArchiveError, EOFError, OSError, zlib.error) as error:
                damage = error
            site = _SITE.search(file.location.lower())
            yield from _join(file, rows, f"https://{site[0]}" if site else None, options)
            if damage is not None:
                raise damage


def _root(file: ArchiveFile) -> str | None:
    match = _ROOT.match((file.head_text or "").lstrip("\ufeff"))
    return match[1].lower() if match else None


def _open(file: ArchiveFile) -> TextIO:
    """Open the dump in the encoding that it declares, or else in the detected one."""
    declared = _ENCODING.match(file.head_text or "")
    encoding = declared_encoding(declared[1]) if declared else None
    return file.open_text() if encoding is None else open_text(file.open(), encoding)


def _store_rows(file: ArchiveFile, rows: sqlite3.Connection, scratch: Path, options: ReadOptions) -> Iterator[SetAside]:
    rows.executescript(
        """
        PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
        CREATE TABLE question (id INTEGER PRIMARY KEY, title, body, tags, date, author, score, accepted, owner);
        CREATE TABLE answer (id INTEGER PRIMARY KEY, question INTEGER, body, date, author, score, owner);
        CREATE TABLE name (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE comment (number INTEGER PRIMARY KEY, post INTEGER, author, owner, body);
        """
    )
    stored_rows = 0
    for item in _rows(file, scratch, options):
        if isinstance(item, SetAside):
            yield item
            continue
        line, row = item
        kind = row.get("PostTypeId")
        if kind not in (_QUESTION, _ANSWER):
            continue  # tag wikis, moderator nominations and the like
        if options.sample is not None and stored_rows >= _ROWS_A_SAMPLE * options.sample:
            break
        stored_rows += 1
        author, owner = row.get("OwnerDisplayName"), _integer(row.get("OwnerUserId"))
        score = _integer(row.get("Score"))
        number, parent = _integer(row.get("Id")), _integer(row.get("ParentId"))
        if number is None or (kind == _ANSWER and parent is None):
            yield file.set_aside(f"line {line}", "a row without a usable Id" if number is None else "no ParentId")
            continue
        body, date = row.get("Body", ""), row.get("CreationDate")
        if kind == _QUESTION:
            values = (number, row.get("Title", ""), body, row.get("Tags", ""), date, author, score,
                      _integer(row.get("AcceptedAnswerId")), owner)  # fmt: skip
            stored = rows.execute("INSERT OR IGNORE INTO question VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        else:
            answer = (number, parent, body, date, author, score, owner)
            stored = rows.execute("INSERT OR IGNORE INTO answer VALUES (?, ?, ?, ?, ?, ?, ?)", answer)
        if not stored.rowcount:
            yield file.set_aside(f"line {line}", f"another row has its Id, {number}")
    rows.commit()


def _note_fields(file: ArchiveFile) -> None:
    """Note the roles of a row's attributes."""
    for role, name in _ATTRIBUTES.items():
        file.log.took(role, name, 0)


def _store_names(
    file: ArchiveFile, rows: sqlite3.Connection, scratch: Path, options: ReadOptions
) -> Iterator[SetAside]:
    """Store the names of those who wrote, and the comments if they are requested, from the tables beside the posts.

    What is wrong with those tables costs nothing of the posts.
    """
    users = file.sibling(USERS)
    comments = file.sibling(COMMENTS) if options.comments else None
    for table, store in ((users, _store_name), (comments, _store_comment)):
        if table is None:
            continue
        try:
            for item in _rows(table, scratch, options):
                if not isinstance(item, SetAside):
                    store(rows, item[1])
        except (ArchiveError, EOFError, OSError, zlib.error) as error:
            reason = error.reason if isinstance(error, ArchiveError) else str(error)
            yield table.set_aside("", f"not all of it can be read: {reason}")
    if users is not None:
        file.log.remark("authors are named as in Users.xml beside it")
    if options.comments and comments is None:
        file.log.remark("no Comments.xml beside it: no comments are kept")
    rows.execute("CREATE INDEX comment_post ON comment (post)")


def _store_name(rows: sqlite3.Connection, row: Mapping[str, str]) -> None:
    if (number := _integer(row.get("Id"))) is not None and row.get("DisplayName"):
        rows.execute("INSERT OR IGNORE INTO name VALUES (?, ?)", (number, row["DisplayName"]))


def _store_comment(rows: sqlite3.Connection, row: Mapping[str, str]) -> None:
    values = (_integer(row.get("PostId")), row.get("UserDisplayName"), _integer(row.get("UserId")), row.get("Text", ""))
    rows.execute("INSERT INTO comment VALUES (NULL, ?, ?, ?, ?)", values)


def _rows(file: ArchiveFile, scratch: Path, options: ReadOptions) -> Iterator[_Row | SetAside]:
    """Parse the dump piece by piece.

    Raises:
        DamagedArchiveError: if the XML is truncated or not a dump, or the scratch disk is full.
    """
    found: list[_Row] = []
    names: dict[str, str] = {}
    parser = expat.ParserCreate(intern=names)
    parser.buffer_text = True
    depth = passed_over = 0  # elements that are open, lines that the parser has not seen

    def damaged(reason: str) -> ArchiveError:
        return file.damaged(reason, f"line {parser.CurrentLineNumber + passed_over}")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MOST_DEPTH:
            raise damaged("XML nested deeper than any dump")
        if tag == "row":
            found.append((parser.CurrentLineNumber + passed_over, attributes))

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    def start_doctype(_name: str, _system: str | None, _public: str | None, declares: int) -> None:
        # One that only names a DTD declares nothing, and nothing is fetched.
        if declares:
            raise damaged("the XML declares entities or elements, which no dump does")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = start_doctype
    with _open(file) as stream:
        for piece in chain(_pieces(stream, options.limits.record_bytes), [""]):
            if isinstance(piece, int):
                place = f"line {parser.CurrentLineNumber + passed_over}"
                passed_over += piece
                yield file.set_aside(place, file.record_over_limit(options).reason)
                continue
            require_scratch(file, scratch, options, len(piece))
            try:
                parser.Parse(_REFERENCE.sub(_valid, _FORBIDDEN.sub("\ufffd", piece)), not piece)
            except ArchiveError:
                yield from found
                raise
            except expat.ExpatError as error:
                yield from found
                place = f"line {error.lineno + passed_over}, column {error.offset + 1}"
                raise file.damaged(f"broken XML ({expat.ErrorString(error.code)})", place) from error
            yield from found
            found.clear()
            if len(names) > _MOST_NAMES:
                raise damaged("more different names of elements and attributes than any dump has")


def _pieces(stream: TextIO, limit: int) -> Iterator[str | int]:
    """Cut the text before tags; for a tag that is longer than the limit, yield how many lines it has."""
    held: list[str] = []
    size = lines = 0
    while chunk := stream.read(min(_CHUNK_CHARACTERS, limit)):
        first = chunk.find("<")
        head = chunk if first < 0 else chunk[:first]  # the end of a tag that began before, or its middle
        held.append(head)
        size += utf8_length(head)
        lines += head.count("\n")
        if size > limit:
            held.clear()
        if first < 0:
            continue
        yield from _tag(held, size, lines, limit)
        last = chunk.rfind("<")
        if last > first:
            yield chunk[first:last]
        held, size, lines = [chunk[last:]], utf8_length(chunk[last:]), chunk.count("\n", last)
    yield from _tag(held, size, lines, limit)


def _tag(held: list[str], size: int, lines: int, limit: int) -> Iterator[str | int]:
    text = "".join(held)
    attributes = text.count('="') + text.count("='") if size > _CHUNK_CHARACTERS else 0
    if size > limit or attributes > _MOST_NAMES:
        yield lines
    elif text:
        yield text


def _valid(reference: re.Match[str]) -> str:
    """Return a character reference unchanged, or U+FFFD if it names no valid character."""
    number = int(reference[1], 16) if reference[1] else int(reference[2])
    valid = number in (9, 10, 13) or 0x20 <= number < 0xD800 or 0xE000 <= number < 0xFFFE or 0xFFFF < number < 0x110000
    return reference[0] if valid else "\ufffd"


def _join(
    file: ArchiveFile, rows: sqlite3.Connection, site: str | None, options: ReadOptions
) -> Iterator[Post | SetAside]:
    rows.execute("CREATE INDEX answer_question ON answer (question)")
    names = rows if rows.execute("SELECT 1 FROM name LIMIT 1").fetchone() else None
    size = "SELECT coalesce(sum(length(body) + ?), 0) FROM answer WHERE question = ?"
    for question in rows.execute("SELECT * FROM question ORDER BY id"):
        characters = rows.execute(size, (_ANSWER_CHARACTERS, question[0])).fetchone()[0]
        if characters > options.limits.record_bytes:
            yield file.set_aside(f"Id {question[0]}", post_too_long(options))
            continue
        found = rows.execute("SELECT * FROM answer WHERE question = ? ORDER BY id", question[:1])
        yield _post(file, question, found.fetchall(), site, options, rows, names)
    orphans = rows.execute(
        "SELECT id, question FROM answer WHERE question NOT IN (SELECT id FROM question) ORDER BY id"
    )
    for number, parent in orphans if options.sample is None else ():
        yield file.set_aside(f"Id {number}", f"an answer to question {parent}, which the dump lacks")


def _post(
    file: ArchiveFile,
    question: tuple[object, ...],
    answers: list[tuple[object, ...]],
    site: str | None,
    options: ReadOptions,
    rows: sqlite3.Connection,
    names: sqlite3.Connection | None,
) -> Post | SetAside:
    number, title, body, tags, date, author, score, accepted, owner = question
    author = _author(names, author, owner)
    found = []
    most = options.limits.post_characters
    try:
        for answer, _, text, answered, name, votes, by_id in answers:
            by = _author(names, name, by_id)
            part = AnswerPart(
                0,
                0,
                id=str(answer),
                score=votes if isinstance(votes, int) else None,
                accepted=answer == accepted,
                author=None if by is None else clean_text(str(by)),
                date=None if answered is None else short_date(str(answered)),
            )
            found.append((clean_text(html_to_text(str(text), most)) + _comments(rows, answer, options), part))
        asked = clean_text(html_to_text(str(body), most)) + _comments(rows, number, options)
    except TextTooLongError:
        return file.set_aside(f"Id {number}", post_too_long(options))
    except ValueError as error:
        return file.set_aside(f"Id {number}", str(error))
    answer_text, parts = join_answers(found)
    return Post(
        source=file.source,
        source_id=str(number),
        title=clean_text(" ".join(str(title).split())),
        question=asked,
        answer=answer_text,
        date=None if date is None else short_date(str(date)),
        url=f"{site}/q/{number}" if site else None,
        tags=split_tags(str(tags)),
        author=None if author is None else clean_text(str(author)),
        score=score if isinstance(score, int) else None,
        answers=parts,
    )


def _author(names: sqlite3.Connection | None, name: object, owner: object) -> object:
    """Return the author of a post: the name in its row, or else the owner's name or number."""
    if name or owner is None or names is None:
        return name or owner
    known = names.execute("SELECT name FROM name WHERE id = ?", (owner,)).fetchone()
    return known[0] if known else owner


def _comments(rows: sqlite3.Connection, post: object, options: ReadOptions) -> str:
    """Return the comments on a post as a list to be put below it; "" if comments are not requested."""
    if not options.comments:
        return ""
    found = rows.execute("SELECT author, owner, body FROM comment WHERE post = ? ORDER BY number", (post,)).fetchall()
    lines = [
        f"- {clean_text(str(_author(rows, name, owner) or '?'))}: {clean_text(str(body))}"
        for name, owner, body in found
    ]
    return "\n".join(("\n\nComments:", *lines)) if lines else ""


def _integer(value: str | None) -> int | None:
    return int(value) if value and re.fullmatch(r"-?\d{1,18}", value, re.ASCII) else None
