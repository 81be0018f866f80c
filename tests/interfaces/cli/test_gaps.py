"""``qa-search gaps``, ``questions`` and ``info --topics``: what goes in, what comes out, what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from qa_search import QuestionLog, SearchIndex, build_index
from qa_search.interfaces.cli import cli
from tests.helpers import WordsEmbedder, write_jsonl, write_pages
from tests.interfaces.cli.words import use_words

CLUTCH = ["clutch pedal shudders uphill", "the clutch pedal shudders", "clutch shudders pedal worn"]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli-gaps")
    build_index(write_pages(folder / "pages", 20), folder / "index", model=WordsEmbedder())
    return folder / "index"


@pytest.fixture(autouse=True)
def words() -> Iterator[None]:
    """Every index is opened with the small model."""
    with pytest.MonkeyPatch.context() as patch:
        use_words(patch)
        yield


def run(*arguments: object, given: str | None = None) -> Result:
    return CliRunner().invoke(cli, [str(one) for one in arguments], input=given)


def test_lines_a_log_and_standard_input_give_the_same_gaps(index: Path, tmp_path: Path) -> None:
    """Whatever the complaints come in."""
    lines = write_jsonl(tmp_path / "c.jsonl", [{"text": text} for text in CLUTCH])
    log = tmp_path / "log"
    with SearchIndex.open(index) as opened, QuestionLog(log) as questions:
        questions.record(opened.search_many(CLUTCH))
    plain = "\n".join(CLUTCH)
    found = [
        json.loads(run("gaps", file, "--index", index, "--json", "--min-confidence", 1, given=plain).stdout)
        for file in (lines, log, "-")
    ]
    for report in found:
        assert [gap["count"] for gap in report["gaps"]] == [3]
        assert sorted(report["gaps"][0]["texts"]) == sorted(CLUTCH)
    assert [report["undated"] for report in found] == [3, 0, 3]


@pytest.mark.parametrize(("shown_as", "begins"), [("markdown", "# What"), ("html", "<!doctype html>"), ("json", "{")])
def test_a_report_has_three_formats(index: Path, tmp_path: Path, shown_as: str, begins: str) -> None:
    """All on standard output, with status 0."""
    lines = write_jsonl(tmp_path / "c.jsonl", CLUTCH)
    done = run("gaps", lines, "--index", index, "--format", shown_as)
    assert done.exit_code == 0
    assert done.stdout.startswith(begins)


def test_what_cannot_be_read_is_named(index: Path, tmp_path: Path) -> None:
    """The line, the file, and the way out."""
    lines = tmp_path / "c.jsonl"
    lines.write_text('{"text": "one"}\n{"text": 2}\n')
    done = run("gaps", lines, "--index", index)
    assert done.exit_code == 3
    assert "c.jsonl, line 2" in done.stderr
    assert run("gaps", tmp_path / "missing", "--index", index).exit_code == 3


def test_questions_are_shown_and_forgotten(index: Path, tmp_path: Path) -> None:
    """Forgetting needs a choice, and says how many."""
    log = tmp_path / "log"
    asked = run("query", "knee7", "hurts", "--index", index, "--log", log, "--keep", "30d")
    assert asked.exit_code in (0, 1)
    assert "knee7 hurts" in run("questions", "show", log).stdout
    assert [one["text"] for one in json.loads(run("questions", "show", log, "--json").stdout)] == ["knee7 hurts"]
    assert run("questions", "forget", log).exit_code == 2
    assert "1 question forgotten" in run("questions", "forget", log, "--about", "KNEE7").stdout
    assert json.loads(run("questions", "show", log, "--json").stdout) == []


def test_emergencies_are_not_listed_among_what_a_post_would_answer(index: Path, tmp_path: Path) -> None:
    """They are counted; the whole list names them."""
    log, archivist = tmp_path / "log", tmp_path / "curation.toml"
    archivist.write_text('[[danger]]\nwords = ["chest pain"]\nnotice = "Call 112."\n')
    asked = {"QA_SEARCH_CURATION": str(archivist)}
    for text in ("pedal shudders uphill", "chest pain at night", "sudden chest pain"):
        done = CliRunner(env=asked).invoke(cli, ["query", text, "--index", str(index), "--log", str(log)])
        assert done.exit_code == 1, done.output
    shown = run("questions", "show", log, "--unanswered")
    assert shown.stdout.split("not answered")[1].strip() == "pedal shudders uphill"
    assert shown.stderr == "2 questions with a sign of danger left out: no post would answer them\n"
    assert [one["text"] for one in json.loads(run("questions", "show", log, "--unanswered", "--json").stdout)] == [
        "pedal shudders uphill"
    ]
    every = run("questions", "show", log)
    assert every.stdout.count(" danger  ") == 2
    assert not every.stderr


def test_a_time_to_keep_needs_a_log(index: Path, tmp_path: Path) -> None:
    """And a unit; nothing is written then."""
    alone = run("query", "knee7", "--index", index, "--keep", "30d")
    assert alone.exit_code == 2
    assert "--log FILE" in alone.stderr
    without = run("query", "knee7", "--index", index, "--log", tmp_path / "log", "--keep", "30")
    assert without.exit_code == 2
    assert "--keep" in without.stderr
    assert not (tmp_path / "log").exists()


def test_topics_are_shown_and_are_a_start(index: Path, tmp_path: Path) -> None:
    """In words, in JSON, and from that JSON; another file is refused by name."""
    assert "20 posts" in run("info", "--topics", "--index", index).stdout
    document = run("info", "--topics", "--json", "--index", index).stdout
    earlier = tmp_path / "topics.json"
    earlier.write_text(document)
    again = run("info", "--topics", "--topics-from", earlier, "--json", "--index", index)
    assert json.loads(again.stdout)["posts"] == 20
    earlier.write_text("{}")
    refused = run("info", "--topics-from", earlier, "--index", index)
    assert refused.exit_code == 3
    assert "topics.json: not a report of topics" in refused.stderr


@pytest.mark.process
def test_the_map_of_topics_is_one_page(index: Path, tmp_path: Path) -> None:
    """Or JSON, from which topics can begin."""
    shown = run("info", "--topics-map", "--index", index).stdout
    assert shown.startswith("<!doctype html>")
    assert shown.count("<circle ") == 20
    document = run("info", "--topics-map", "--json", "--index", index).stdout
    assert len(json.loads(document)["spots"]) == 20
    (tmp_path / "map.json").write_text(document)
    again = run("info", "--topics-map", "--topics-from", tmp_path / "map.json", "--json", "--index", index)
    assert json.loads(again.stdout) == json.loads(document)
