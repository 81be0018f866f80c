"""Results of searches -> a log of questions in one SQLite file, and back: what was asked, and whether it was answered.

Nothing here runs unless somebody names a file. Mail addresses and telephone numbers are masked before anything is
written; the time is kept to the hour; nothing says who asked.
"""

from __future__ import annotations

import logging
import os
import queue
import re
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from qa_search.errors import QueryError, QuestionLogError
from qa_search.types import SearchResult, to_jsonable
from qa_search.util.dates import parse_bound
from qa_search.util.defaults import DEFAULT_KEEP_DAYS
from qa_search.util.files import open_file
from qa_search.util.masking import masked
from qa_search.util.parameters import require, require_flags, require_path, require_texts, require_whole
from qa_search.util.rows import checked_rows
from qa_search.util.text import clean_text

log = logging.getLogger("qa_search")

SQLITE_START = b"SQLite format 3\0"
_APPLICATION = 0x7161736C  # in the header of the file: it is a log of questions
_VERSION = 1
_SCHEMA = f"""
CREATE TABLE question (
    id INTEGER PRIMARY KEY,
    hour TEXT NOT NULL,        -- 2026-11-27T13:00Z
    text TEXT NOT NULL,        -- masked
    answered INTEGER NOT NULL,
    confidence REAL NOT NULL,
    best TEXT,                 -- id of the first hit
    opened TEXT,               -- id of the post that was opened
    feedback TEXT,
    danger INTEGER             -- whether it showed a notice, NULL where that was not written
) STRICT;
CREATE INDEX question_hour ON question (hour);
CREATE TABLE setting (keep_days INTEGER NOT NULL) STRICT;
INSERT INTO setting VALUES ({DEFAULT_KEEP_DAYS});
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
"""  # noqa: S608 - numbers of our own
_COLUMNS = ("hour", "text", "answered", "confidence", "best", "opened", "feedback", "danger")
_LOCK_SECONDS = 20.0
# Questions that wait to be written: more only if the disk stands still.
_MOST_WAITING = 10_000
_AT_ONCE = 500
_HOUR = "%Y-%m-%dT%H:00Z"
_KEEP = re.compile(r"(\d{1,5})\s*([dw])", re.ASCII | re.IGNORECASE)
_DAYS = {"d": 1, "w": 7}
_MOST_DAYS = 36_500

# What SQLite and Python say of a damaged file.
_DAMAGE = (sqlite3.Error, ValueError, OverflowError, MemoryError)
Statement = tuple[str, tuple[Any, ...]]
NOT_ANSWERED = "not answered"


@dataclass(frozen=True, slots=True)
class LoggedQuestion:
    """A question of the log: the hour (UTC) when it was asked, its masked text, and what it was answered with.

    ``best`` is the id of the first hit, ``opened`` the id of the post that was opened, ``feedback`` what was said of
    it; each is None if there was none. ``danger`` says whether it had a sign of danger, by the archivist's file as it
    was then; None if that was not written down.
    """

    hour: str
    text: str
    answered: bool
    confidence: float
    best: str | None = None
    opened: str | None = None
    feedback: str | None = None
    danger: bool | None = None

    @property
    def state(self) -> str:
        """What became of it: "answered", "danger" (it showed a notice in place of an answer) or "not answered"."""
        return "answered" if self.answered else "danger" if self.danger else NOT_ANSWERED

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        document: dict[str, Any] = to_jsonable(self)
        return document


class QuestionLog:
    """A log that is being written, by one thread of its own: `record` returns at once.

    What cannot be written is counted, reported in the program's own log, and raised by `close`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        keep_days: int | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Open a log, or make it: only its owner can read it.

        Args:
            path: the file.
            keep_days: days after which questions are removed; None for what the log was made with, 90 for a new one.
            now: gives the time.

        Raises:
            QuestionLogError: if the file is something else, or cannot be written.
        """
        require_path("path", path)
        if keep_days is not None:
            require_whole("keep_days", keep_days, 1, _MOST_DAYS)
        require(callable(now), "now", now, "a function that returns a datetime")
        self._path = Path(path)
        self._now = now
        self._queue: queue.Queue[Statement | None] = queue.Queue(_MOST_WAITING)
        self._lost = 0
        self._problem = ""
        self._hour = ""
        self._closed = False
        self._database = _opened(self._path, make=True)
        with _named(self._path):
            if keep_days is not None:
                self._database.execute("UPDATE setting SET keep_days = ?", (keep_days,))
                self._database.commit()
            ((self._keep_days,),) = checked_rows(self._database.execute("SELECT keep_days FROM setting LIMIT 1"), "i")
        self._thread = threading.Thread(target=self._work, name="qa-search-questions", daemon=True)
        self._thread.start()

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def record(self, results: Iterable[SearchResult]) -> None:
        """Add the questions of some results, masked. They are written soon."""
        hour = self._now().astimezone(UTC).strftime(_HOUR)
        for result in results if isinstance(results, Iterable) else [results]:
            require(isinstance(result, SearchResult), "results", result, "a list of results of searches")
            best = result.hits[0].post_id if result.hits else None
            danger = result.notice is not None
            values = (hour, masked(clean_text(result.query)), result.answered, result.confidence, best, danger)
            self._put(
                "INSERT INTO question (hour, text, answered, confidence, best, danger) VALUES (?, ?, ?, ?, ?, ?)",
                values,
            )

    def mark(self, query: str, *, opened: str | None = None, feedback: str | None = None) -> None:
        """Note at the latest question of this text which post was opened, or what was said; None changes nothing."""
        require(isinstance(query, str), "query", query, "a text")
        require_texts(opened=opened, feedback=feedback)
        self._put(
            "UPDATE question SET opened = coalesce(?, opened), feedback = coalesce(?, feedback) "
            "WHERE id = (SELECT max(id) FROM question WHERE text = ?)",
            (*(text and clean_text(text) for text in (opened, feedback)), masked(clean_text(query))),
        )

    def close(self) -> None:
        """Write what waits, and close the file.

        Raises:
            QuestionLogError: if questions could not be written.
        """
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._thread.join()
        self._database.close()
        if self._lost:
            raise QuestionLogError(
                f"{self._path}: {self._lost} questions could not be logged ({self._problem}). Make room or let this "
                "user write there; the answers are not affected."
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _put(self, statement: str, values: tuple[Any, ...]) -> None:
        if self._closed:
            self._lose(1, "the log was closed")
            return
        try:
            self._queue.put_nowait((statement, values))
        except queue.Full:
            self._lose(1, "too many questions wait to be written")

    def _work(self) -> None:
        while True:
            batch = [self._queue.get()]
            while batch[-1] is not None and len(batch) < _AT_ONCE:
                try:
                    batch.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            self._write([statement for statement in batch if statement is not None])
            if batch[-1] is None:
                return

    def _write(self, statements: list[Statement]) -> None:
        try:
            with self._database:
                for statement in (*self._expiry(), *statements):
                    self._database.execute(*statement)
        except _DAMAGE as error:
            self._lose(len(statements), _reason(error))

    def _expiry(self) -> Iterator[Statement]:
        """Once an hour, remove what is too old."""
        now = self._now().astimezone(UTC)
        hour = now.strftime(_HOUR)
        if hour != self._hour:
            self._hour = hour
            oldest = (now - timedelta(days=self._keep_days)).strftime(_HOUR)
            yield "DELETE FROM question WHERE hour < ?", (oldest,)

    def _lose(self, count: int, problem: str) -> None:
        self._lost += count
        if problem != self._problem:
            log.warning("%s: questions are not logged: %s", self._path, problem)
        self._problem = problem


def read_questions(path: str | os.PathLike[str], *, unanswered: bool = False) -> list[LoggedQuestion]:
    """Read a log of questions, oldest first.

    Args:
        path: the file.
        unanswered: only those that were not answered and had no sign of danger, which no post would answer.

    Raises:
        QuestionLogError: if the file is missing, something else, or damaged.
    """
    require_path("path", path)
    require_flags(unanswered=unanswered)
    with closing(_opened(Path(path), make=False)) as database, _named(path):
        there = _columns_of(database)
        columns = ", ".join(name if name in there else f"NULL AS {name}" for name in _COLUMNS)
        rows = _rows(database, columns, "ttirTTTI")
    found = (
        LoggedQuestion(hour, text, bool(answered), confidence, best, opened, feedback, danger and bool(danger))
        for hour, text, answered, confidence, best, opened, feedback, danger in rows
    )
    return [one for one in found if not unanswered or one.state == NOT_ANSWERED]


def forget_questions(
    path: str | os.PathLike[str], *, about: str | None = None, before: str | None = None, everything: bool = False
) -> int:
    """Remove questions from a log, so that the file no longer holds their texts; return how many.

    Args:
        path: the file.
        about: those whose text contains this, in any case.
        before: those of earlier days than this date ("2026", "2026-11" or "2026-11-27"). With ``about``, both must fit.
        everything: all of them.

    Raises:
        QueryError: if nothing says which, or the date is invalid.
        QuestionLogError: as `read_questions`, or if the file cannot be written.
    """
    require_path("path", path)
    require_flags(everything=everything)
    require_texts(about=about, before=before)
    if everything is (about is not None or before is not None):
        raise QueryError("say which questions to forget: about, before, or everything")
    bound = None if before is None else parse_bound(before)
    if before is not None and bound is None:
        raise QueryError(f"before: invalid date {before!r}; write it like 2026-11-27", parameter="before")
    with closing(_opened(Path(path), make=False)) as database, _named(path):
        rows = _rows(database, "id, hour, text", "itt")
        # The beginnings of dates compare as the dates do.
        chosen = [
            (number,)
            for number, hour, text in rows
            if (about is None or about.casefold() in text.casefold()) and (bound is None or hour < bound)
        ]
        with database:
            database.executemany("DELETE FROM question WHERE id = ?", chosen)
    return len(chosen)


def is_question_log(start: bytes) -> bool:
    """Return whether a file that begins like this can be a log of questions."""
    return start.startswith(SQLITE_START)


def keep_days_of(text: str) -> int:
    """Return the days that "90d" or "12w" means.

    Raises:
        QueryError: if it means none.
    """
    found = _KEEP.fullmatch(text.strip())
    days = int(found[1]) * _DAYS[found[2].lower()] if found else 0
    if not 1 <= days <= _MOST_DAYS:
        raise QueryError(f"keep: invalid time {text!r}; write it like 90d or 12w", parameter="keep")
    return days


def _opened(path: Path, *, make: bool) -> sqlite3.Connection:
    """Open a log, or make it where there is no file."""
    try:
        if make and not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        descriptor = open_file(path)
        try:
            start = os.read(descriptor, len(SQLITE_START))
        finally:
            os.close(descriptor)
    except OSError as error:
        wanted = "a file in a folder that exists and can be written to" if make else "a log of questions"
        raise QuestionLogError(f"{path}: cannot be opened ({error.strerror}). Name {wanted}.") from error
    if start and start != SQLITE_START:
        raise _other(path)
    with _named(path):
        database = sqlite3.connect(path, timeout=_LOCK_SECONDS, check_same_thread=False)
        try:
            # What is removed is overwritten with zeros.
            database.execute("PRAGMA secure_delete = ON")
            if make and not start:
                _make_tables(database)
            application, version = (
                database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
            )
            if application != _APPLICATION:
                raise _other(path)
            if version != _VERSION:
                raise QuestionLogError(f"{path}: a log of format {version}, which this version cannot read. Update it.")
            if make:
                _add_columns(database)
        except BaseException:
            database.close()
            raise
    return database


def _make_tables(database: sqlite3.Connection) -> None:
    """Make the tables, unless another process has just made them."""
    database.isolation_level = None
    database.execute("BEGIN IMMEDIATE")
    if not database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        for statement in _SCHEMA.split(";"):
            database.execute(statement)
    database.execute("COMMIT")
    database.isolation_level = "DEFERRED"


def _add_columns(database: sqlite3.Connection) -> None:
    """Add the column that logs of earlier versions lack; those versions go on reading and writing the log."""
    if "danger" in _columns_of(database):
        return
    database.isolation_level = None
    database.execute("BEGIN IMMEDIATE")
    if "danger" not in _columns_of(database):  # another process may have just added it
        database.execute("ALTER TABLE question ADD COLUMN danger INTEGER")
    database.execute("COMMIT")
    database.isolation_level = "DEFERRED"


def _columns_of(database: sqlite3.Connection) -> set[str]:
    return {name for _, name, *_ in database.execute("PRAGMA table_info(question)")}


def _other(path: Path) -> QuestionLogError:
    return QuestionLogError(f"{path}: not a log of questions. Name a log, or a new file.")


@contextmanager
def _named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn SQLite's errors into one that names the file."""
    try:
        yield
    except _DAMAGE as error:
        raise QuestionLogError(
            f"{os.fspath(path)}: cannot be used as a log of questions ({_reason(error)}). Name another file, or let "
            "this user read and write it."
        ) from error


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, sqlite3.Error) else "it is damaged"


def _rows(database: sqlite3.Connection, columns: str, kinds: str) -> list[tuple[Any, ...]]:
    """Return all questions, the oldest first; ``kinds`` as in `checked_rows`."""
    found = database.execute(f"SELECT {columns} FROM question ORDER BY id")  # noqa: S608 - names of ours
    return checked_rows(found, kinds)
