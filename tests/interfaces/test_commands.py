"""The library's messages name parameters, the command's name options."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from qa_search.errors import IndexDamagedError, QASearchError
from qa_search.interfaces.cli import cli
from qa_search.interfaces.render.commands import about_notes, in_options, message_of
from qa_search.types import SetAside


@pytest.mark.parametrize(
    ("message", "parameter", "shown"),
    [
        ("field_map: x=y is invalid.", "field_map", "--map: x=y is invalid."),
        ("tags: too many", "tags", "--tag: too many"),
        ("since: since 'soon'", "since", "--since: since 'soon'"),
        ("Build with keep_unanswered=True.", "keep_unanswered", "Build with --keep-unanswered."),
        ("or build with strict=False to go on.", "strict", "or build without --strict to go on."),
        ("give one (model=PATH) or fetch it (download=True)", None, "give one (--model PATH) or fetch it (--download)"),
        ("memory: too little. Allow memory=25_000_000.", "memory", "--memory: too little. Allow --memory 25MB."),
        ("accept less (recall=0.93).", None, "accept less (--recall 0.93)."),
        ("build elsewhere with index=FOLDER.", None, "build elsewhere with --index FOLDER."),
        ("column question=FIELD, a model of 1", None, "column question=FIELD, a model of 1"),
    ],
)  # fmt: skip
def test_an_option_stands_for_each_parameter(message: str, parameter: str | None, shown: str) -> None:
    """A leading name, and every way out; nothing else changes."""
    assert message_of(QASearchError(message, parameter=parameter)) == shown


@pytest.mark.parametrize(
    ("remark", "shown"),
    [
        ("longer than 2 kB (see Limits.record_bytes)", "longer than 2 kB (see --max-record)"),
        ("Name: field_map={'question': FIELD, 'answer': '2'}.", "Name: --map question=FIELD --map answer=2."),
        ("with field_map={ROLE: FIELD} to use it", "with --map ROLE=FIELD to use it"),
        ("""field_map={'answer': "it's"} names no field""", "--map 'answer=it'\"'\"'s' names no field"),
        ("with field_map={'answer': '-'} or keep_unanswered=True.", "with --map answer=- or --keep-unanswered."),
        ("field_map={'answer': 'a\\x1b[2J'}", "--map 'answer=a\ufffd[2J'"),
    ],
)  # fmt: skip
def test_remarks_and_notes_name_options(remark: str, shown: str) -> None:
    """A field's name is shown as it is, but for what a terminal would obey."""
    assert in_options(remark) == shown


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        ("build_index(SOURCES, 'my index')", "qa-search build SOURCE --index 'my index'"),
        ("build_index(SOURCES, INDEX, store=URL)", "qa-search build SOURCE --store URL"),
        ("build_index(None, 'i', remove=['club/my pages'])", "qa-search remove 'club/my pages' --index i"),
        ("build_index(None, 'i', add=[NEW], names={NEW: 'a b'})", "qa-search add NEW --name 'a b' --index i"),
        ("names={SOURCE: 'club/pages'}", "--name club/pages"),
        ("allow_shrink=True", "--allow-shrink"),
        ("verify_index('index')", "qa-search verify --index index"),
        ("verify_index('index', fall_back=True)", "qa-search verify --fall-back --index index"),
    ],
)
def test_a_command_stands_for_each_function(call: str, shown: str) -> None:
    """With the same folder or database."""
    assert in_options(f"Try: {call}.") == f"Try: {shown}."


def test_notes_on_whole_files_say_what_to_do() -> None:
    """A look at the file alone says more, but of a damaged one."""
    damaged, unknown = SetAside("a.zip", "", "the archive is damaged or truncated (x)"), SetAside("a", "", "unknown")
    assert about_notes([SetAside("a", "line 1", "not JSON")]) == []
    assert about_notes([damaged]) == ["A damaged file: fetch or export it again."]
    assert ["qa-search inspect FILE" in line for line in about_notes([unknown, damaged])] == [False, True]


def test_damage_names_what_to_call_and_what_to_run() -> None:
    """A Python caller reads functions, the command's user reads commands."""
    error = IndexDamagedError.of("index", "a.json is missing")
    assert "build_index(SOURCES, 'index')" in str(error)
    assert "qa-search build SOURCE --index index (qa-search verify --index index lists" in message_of(error)


@pytest.mark.parametrize(
    "text",
    [
        "data/model=big/faq.csv: cannot be read.", "model=big.csv: cannot be read", "not used: 'index=3', 'memory=5'",
        r"'data/model='\x'.jsonl' cannot be read", "a/Limits.files/b", "x_field_map={'a': 'b'}",
    ],
)  # fmt: skip
def test_names_that_look_like_parameters_stay(text: str) -> None:
    """Paths and fields belong to the archive; parted folders are named like that."""
    assert in_options(text) == text


@given(
    st.lists(st.sampled_from([*"'\\\"x={}(), .", "model=", "field_map={'a': ", "verify_index('", "with "])).map("".join)
)
def test_no_text_makes_the_translation_fail(text: str) -> None:
    """A message may quote anything that an archive holds."""
    assert isinstance(message_of(QASearchError(text)), str)


@pytest.mark.skipif(sys.platform == "win32", reason="such a name is invalid on Windows")
def test_files_named_like_parameters_are_read_and_shown(tmp_path: Path) -> None:
    """By their own names, in reports and in notes."""
    (tmp_path / r"model='\x'.jsonl").write_text('{"question": "Why?", "answer": "So."}\n', encoding="utf-8")
    (tmp_path / "strict=True").mkdir()
    (tmp_path / "strict=True" / "faq.jsonl").write_text(
        '{"question": "How?", "answer": "So."}\nnothing\n', encoding="utf-8"
    )
    result = CliRunner().invoke(cli, ["inspect", str(tmp_path)])
    assert result.exit_code == 0
    assert r"/model='\x'.jsonl (JSON Lines" in result.stdout
    assert "/strict=True/faq.jsonl (JSON Lines" in result.stdout
    assert "/strict=True/faq.jsonl, line 2" in result.stdout
