"""The log of questions: what it holds, what it never holds, and how it forgets."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qa_search import (
    QueryError,
    QuestionLog,
    QuestionLogError,
    SearchResult,
    forget_questions,
    read_questions,
)
from qa_search.insights.question_log import keep_days_of
from qa_search.util.masking import MAIL, NUMBER, masked

NOON = datetime(2026, 11, 27, 12, 34, 56, tzinfo=UTC)


def result(text: str, *, answered: bool = True, confidence: float = 0.7) -> SearchResult:
    return SearchResult(text, answered, confidence, (), 1.0)


def logged(path: Path, *texts: str, at: datetime = NOON, keep_days: int | None = None) -> None:
    with QuestionLog(path, keep_days, now=lambda: at) as log:
        log.record(map(result, texts))


def test_a_question_is_kept_with_its_hour_and_nothing_finer(tmp_path: Path) -> None:
    """Text, hour, whether it was answered and how surely; only the owner can read the file."""
    path = tmp_path / "questions.sqlite"
    with QuestionLog(path, now=lambda: NOON) as log:
        log.record([result("sore heel", answered=False, confidence=0.1)])
    (question,) = read_questions(path)
    assert question.to_dict() == {
        "hour": "2026-11-27T12:00Z", "text": "sore heel", "answered": False, "confidence": 0.1, "best": None,
        "opened": None, "feedback": None, "danger": False,
    }  # fmt: skip
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"12:34" not in path.read_bytes()


def test_a_question_with_a_sign_of_danger_is_none_that_a_post_would_answer(tmp_path: Path) -> None:
    """It is neither answered nor a gap, unless an answer was pinned for it."""
    path, notice = tmp_path / "q", "Call 112."
    with QuestionLog(path, now=lambda: NOON) as log:
        log.record([result("lost card", answered=False), replace(result("chest pain", answered=False), notice=notice)])
        log.record([replace(result("chest pain at night"), notice=notice)])
    assert [(one.state, one.danger) for one in read_questions(path)] == [
        ("not answered", False), ("danger", True), ("answered", True)
    ]  # fmt: skip
    assert [one.text for one in read_questions(path, unanswered=True)] == ["lost card"]


def test_a_log_of_an_earlier_version_is_read_and_continued(tmp_path: Path) -> None:
    """Danger was not written down then: that is unknown, and reading changes nothing."""
    path = tmp_path / "q"
    logged(path, "old")
    with closing(sqlite3.connect(path)) as database:
        database.execute("ALTER TABLE question DROP COLUMN danger")
        database.commit()
    before = path.read_bytes()
    assert [(one.text, one.danger) for one in read_questions(path)] == [("old", None)]
    assert path.read_bytes() == before
    with QuestionLog(path, now=lambda: NOON) as log, QuestionLog(path, now=lambda: NOON):
        log.record([replace(result("new", answered=False), notice="Call 112.")])
    assert [(one.text, one.danger) for one in read_questions(path)] == [("old", None), ("new", True)]


def test_two_writers_share_a_file(tmp_path: Path) -> None:
    """Nothing is lost when two logs of one file are written in turn."""
    path = tmp_path / "q"
    with QuestionLog(path, now=lambda: NOON) as one, QuestionLog(path, now=lambda: NOON) as other:
        for number in range(50):
            one.record([result(f"one {number}")])
            other.record([result(f"other {number}")])
    assert len(read_questions(path)) == 100


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("write to jo.doe+x@mail.example.org please", f"write to {MAIL} please"),
        ("mailto:me@example.com.", f"{MAIL}."),
        ("full width jo＠example.org", f"full width {MAIL}"),
        ("call +44 (0)20 7946 0958 today", f"call {NUMBER} today"),
        ("call 030/1234567-89", f"call {NUMBER}"),
        ("call 555.123.4567", f"call {NUMBER}"),
        ("my number: 0049-171-5551234, thanks", f"my number: {NUMBER}, thanks"),
        ("card 4111 1111 1111 1111", f"card {NUMBER}"),
        ("٠١٢٣٤٥٦٧٨٩", NUMBER),
    ],
)
def test_addresses_and_numbers_are_masked(text: str, kept: str) -> None:
    """Whatever signs stand between the digits."""
    assert masked(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "since 2015-06-30, again 3/4/2016 and 12.11.2016",
        "from 2012-2014 I took 400 mg 3 times",
        "a prize of 1,000,000 dollars",
        "aged 46, 1.80 m, 85 kg",
        "meet me @ home",
    ],
)
def test_dates_doses_and_sizes_are_not_masked(text: str) -> None:
    """They matter to a question."""
    assert masked(text) == text


@example([*"a0123456"])
@given(st.lists(st.sampled_from([*"0123456789", " ", "-", ".", "(", ")", "+", "a", "@", "x.org", "\n"]), max_size=60))
def test_no_seven_digits_in_a_row_are_left(signs: list[str]) -> None:
    """And masking twice is masking once."""
    once = masked("".join(signs))
    assert masked(once) == once
    run = 0
    for sign in once:
        run = run + 1 if sign.isdigit() else 0
        assert run < 7


def test_masked_text_never_reaches_the_file(tmp_path: Path) -> None:
    """Not even in a free page."""
    path = tmp_path / "q"
    logged(path, "call 555 123 4567", "mail jo@example.org")
    data = path.read_bytes()
    assert b"4567" not in data
    assert b"example.org" not in data


def test_questions_older_than_the_limit_are_removed(tmp_path: Path) -> None:
    """The limit is kept in the log: who opens it without one keeps what the first had set."""
    path = tmp_path / "q"
    logged(path, "old", at=NOON - timedelta(days=29), keep_days=28)
    logged(path, "new")
    assert [one.text for one in read_questions(path)] == ["new"]
    long = tmp_path / "long"
    logged(long, "old", at=NOON - timedelta(days=300), keep_days=365)
    logged(long, "new")
    assert [one.text for one in read_questions(long)] == ["old", "new"]


def test_a_new_log_keeps_questions_for_90_days(tmp_path: Path) -> None:
    """Unless somebody says otherwise."""
    path = tmp_path / "q"
    logged(path, "91 days", at=NOON - timedelta(days=91))
    logged(path, "89 days", at=NOON - timedelta(days=89))
    logged(path, "now")
    assert [one.text for one in read_questions(path)] == ["89 days", "now"]


def test_forgotten_questions_leave_the_file(tmp_path: Path) -> None:
    """Their bytes too."""
    path = tmp_path / "q"
    logged(path, "my SECRETWORD rash", "another")
    assert forget_questions(path, about="secretword") == 1
    assert [one.text for one in read_questions(path)] == ["another"]
    assert b"SECRETWORD" not in path.read_bytes()
    assert forget_questions(path, everything=True) == 1
    assert read_questions(path) == []


def test_forgetting_before_a_day_keeps_that_day(tmp_path: Path) -> None:
    """Dates are compared as days, months or years."""
    path = tmp_path / "q"
    for day in (25, 26, 27):
        logged(path, f"day {day}", at=NOON.replace(day=day))
    assert forget_questions(path, about="day 26", before="2026-11-26") == 0
    assert forget_questions(path, before="2026-11-26") == 1
    assert [one.text for one in read_questions(path)] == ["day 26", "day 27"]


@pytest.mark.parametrize("choice", [{}, {"everything": True, "about": "x"}, {"before": "soon"}])
def test_forgetting_needs_a_clear_choice(tmp_path: Path, choice: dict[str, object]) -> None:
    """Nothing is removed by a slip."""
    path = tmp_path / "q"
    logged(path, "one")
    with pytest.raises(QueryError):
        forget_questions(path, **choice)  # type: ignore[arg-type]
    assert len(read_questions(path)) == 1


def test_a_mark_goes_to_the_latest_question_of_its_text(tmp_path: Path) -> None:
    """What was opened and what was said are columns of their own."""
    path = tmp_path / "q"
    with QuestionLog(path, now=lambda: NOON) as log:
        log.record([result("call 555 123 4567"), result("call 555 123 4567"), result("other")])
        log.mark("call 555 123 4567", opened="abc")
        log.mark("call 555 123 4567", feedback="answered")
    assert [(one.opened, one.feedback) for one in read_questions(path)] == [
        (None, None), ("abc", "answered"), (None, None),
    ]  # fmt: skip


def test_other_files_are_refused_and_left_alone(tmp_path: Path) -> None:
    """A text, and a database of something else."""
    text, database = tmp_path / "notes.txt", tmp_path / "other.sqlite"
    text.write_text("my notes, longer than a header of SQLite")
    with sqlite3.connect(database) as other:
        other.execute("CREATE TABLE question (id)")
    other.close()
    for path in (text, database):
        before = path.read_bytes()
        for use in (QuestionLog, read_questions):
            with pytest.raises(QuestionLogError, match="not a log of questions"):
                use(path)
        with pytest.raises(QuestionLogError):
            forget_questions(path, everything=True)
        assert path.read_bytes() == before
    with pytest.raises(QuestionLogError, match="cannot be opened"):
        read_questions(tmp_path / "missing")
    with pytest.raises(QuestionLogError, match="cannot be opened"):
        QuestionLog(tmp_path / "missing" / "q")
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize(
    ("old", "new"), [(b"my knee", b"my \xe9nee"), (b"text TEXT", b"t\xe9xt TEXT")], ids=["a text", "a column's name"]
)
def test_a_log_with_invalid_utf8_is_named(old: bytes, new: bytes, tmp_path: Path) -> None:
    """A damaged row or schema ends reading and forgetting with an error, and writing at the latest when it closes."""
    path = tmp_path / "questions"
    logged(path, "my knee aches")
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))
    with pytest.raises(QuestionLogError, match="questions: cannot be used"):
        read_questions(path)
    with pytest.raises(QuestionLogError, match="questions: cannot be used"):
        forget_questions(path, about="knee")
    if old not in b"my knee":
        with pytest.raises(QuestionLogError, match="questions: "):
            logged(path, "elbow")


def test_a_value_of_another_type_is_damage(tmp_path: Path) -> None:
    """SQLite hands out whatever a damaged row says."""
    path = tmp_path / "questions"
    logged(path, "my knee aches")
    path.write_bytes(path.read_bytes().replace(b"STRICT", b"      "))
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE question SET text = x'00'")
        database.commit()
    for use in (read_questions, lambda path: forget_questions(path, about="knee")):
        with pytest.raises(QuestionLogError, match="questions: cannot be used"):
            use(path)


def test_what_cannot_be_written_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is reported in the program's log at once, and when the log is closed."""
    path = tmp_path / "q"
    log = QuestionLog(path, now=lambda: NOON)
    with sqlite3.connect(path) as other:
        other.execute("DROP TABLE question")
    other.close()
    log.record([result("one"), result("two")])
    with pytest.raises(QuestionLogError, match="2 questions could not be logged"):
        log.close()
    assert "questions are not logged" in caplog.text


@pytest.mark.parametrize(("text", "days"), [("90d", 90), ("12w", 84), (" 1 D ", 1)])
def test_a_time_to_keep_has_a_unit(text: str, days: int) -> None:
    """Days or weeks."""
    assert keep_days_of(text) == days


@pytest.mark.parametrize("text", ["90", "0d", "d", "-1d", "1y", "99999w", ""])
def test_other_times_are_refused(text: str) -> None:
    """With an example of a right one."""
    with pytest.raises(QueryError, match="90d"):
        keep_days_of(text)
