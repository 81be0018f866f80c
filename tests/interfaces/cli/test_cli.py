"""The commands, with the packaged model: what a person reads, what a script gets, and the exit status."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from qa_search.interfaces.cli import cli
from qa_search.interfaces.render.terminal import printable, render_result
from qa_search.search.reranking import Reranker
from qa_search.types import Highlight, Hit, SearchResult
from tests.helpers import ROOT, SAMPLE_ARCHIVE, page, run_on_terminal, write_jsonl
from tests.search.test_reranking import tiny_cross_encoder

COMPLAINT = "back of my thigh has ached for months, PT did nothing"


def run(*arguments: str | Path, text: str | bytes | None = None, **environment: str) -> Result:
    return CliRunner(env={"NO_COLOR": None, **environment}).invoke(cli, [str(item) for item in arguments], input=text)


@pytest.fixture(scope="module")
def index(built_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of a few posts, built by the command itself."""
    folder = tmp_path_factory.mktemp("cli")
    pages = folder / "site" / "pages"
    pages.mkdir(parents=True)
    for name in sorted(path.name for path in SAMPLE_ARCHIVE.glob("*.txt"))[:12]:
        shutil.copy(SAMPLE_ARCHIVE / name, pages)
    write_jsonl(folder / "site" / "faq.jsonl", [
        {"id": "q1", "title": "Hamstrings", "question": "The back of my thigh has been sore for months.",
         "answer": "Physiotherapy alone rarely helps.\nTry slow eccentric loading of the hamstrings. Then run.",
         "tags": ["thigh"], "date": "2018-03-04", "url": "https://example.org/q1"},
        {"id": "q2", "question": "nobody knows this"},
        {"id": "q3"},
    ])  # fmt: skip
    shutil.copytree(built_sample / "encoders", folder / "index" / "encoders")
    result = run("build", folder / "site", "--index", folder / "index", "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    return folder / "index"


def query(index: Path, *arguments: str | Path, **options: Any) -> Result:
    return run("query", "--index", index, *arguments, **options)


@pytest.mark.model
def test_build_says_in_a_few_lines_what_it_did(tmp_path: Path) -> None:
    """And in one document with --json, progress kept off standard output."""
    source = write_jsonl(tmp_path / "a.jsonl", [{"question": "q", "answer": "a"}, {"question": "w"}, {}])
    result = run("build", source, "--index", tmp_path / "i")
    assert result.exit_code == 0
    first, unanswered, aside, language, *reading = result.stdout.splitlines()
    assert language == "The archive's language is unknown or mixed."
    assert any("2 posts: 2 with a question, 1 with an answer" in line for line in reading)
    assert first.startswith("1 post in 2 passages, built in ")
    assert unanswered == "1 question without an answer yet: left out (--keep-unanswered)"
    assert aside == "1 set aside, which could not be read: see qa-search info"
    report = json.loads(run("build", source, "--index", tmp_path / "i", "--json").stdout)
    assert {key: report[key] for key in ("posts", "passages", "embedded", "reused", "set_aside", "unanswered")} == {
        "posts": 1, "passages": 2, "embedded": 0, "reused": 2, "set_aside": 1, "unanswered": 1,
    }  # fmt: skip


def test_a_person_reads_a_page(index: Path) -> None:
    """Title, date, source, link, and the sentence that matters marked; nothing wider than the terminal."""
    result = query(index, "-k", "1", *COMPLAINT.split(), COLUMNS="60")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "1. Hamstrings"
    assert "2018-03-04" in lines[1]
    assert "https://example.org/q1" in result.stdout
    assert "»Try slow eccentric loading of the hamstrings.«" in result.stdout.replace("\n   ", " ")
    assert "Physiotherapy alone rarely helps." in result.stdout
    assert max(map(len, lines)) <= 60
    assert "\x1b" not in result.stdout


def test_a_script_gets_one_json_document(index: Path) -> None:
    """As the contract says, and nothing else on standard output."""
    result = query(index, "--json", COMPLAINT)
    document = json.loads(result.stdout)
    assert list(document) == ["query", "answered", "confidence", "hits", "took_ms"]
    assert document["query"] == COMPLAINT
    assert len(document["hits"]) == 5
    hit = document["hits"][0]
    assert (hit["source_id"], hit["date"], hit["tags"], hit["matched"]) == ("q1", "2018-03-04", ["thigh"], "question")
    highlight = hit["highlight"]
    assert hit[highlight["field"]][highlight["start"] : highlight["end"]] == highlight["text"]


def test_the_text_may_come_from_standard_input(index: Path) -> None:
    """Of any length, also with bytes that are no text."""
    piped = json.loads(query(index, "--json", "-", text=COMPLAINT).stdout)
    typed = json.loads(query(index, "--json", COMPLAINT).stdout)
    assert piped["hits"] == typed["hits"]
    assert query(index, "-", text=b"sore \xff knee " * 2000).exit_code in (0, 1)
    assert query(index, "-", text="").exit_code == 2


@pytest.mark.parametrize("text", ["PT doesn't help", 'a "sore" knee', "🦵🔥", "the of and", "x" * 5000, "--", "- -"])
def test_odd_texts_are_answered(index: Path, text: str) -> None:
    """Apostrophes, quotes, emoji, stop words, dashes."""
    result = query(index, "--json", "--", text)
    document = json.loads(result.stdout)
    assert len(document["hits"]) == 5
    assert result.exit_code == (0 if document["answered"] else 1)


def test_whole_answers_are_shown_on_demand(index: Path) -> None:
    """With --full the question and the answer, to the last word."""
    assert "Then run." in query(index, "--full", "-k", "1", COMPLAINT).stdout


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["--tag", "thigh"], ["q1"]),
        (["--source", "*/faq.jsonl"], ["q1"]),
        (["--since", "2018", "--until", "2018-03", "--source", "*faq*"], ["q1"]),
        (["--tag", "thigh", "--since", "2019"], []),
    ],
)
def test_filters_and_the_status_of_nothing_found(index: Path, filters: list[str], found: list[str]) -> None:
    """1 says that it ran well and found nothing."""
    result = query(index, "--json", *filters, COMPLAINT)
    assert [hit["source_id"] for hit in json.loads(result.stdout)["hits"]] == found
    assert result.exit_code == (0 if found else 1)
    if not found:
        told = query(index, *filters, COMPLAINT)
        assert (told.exit_code, told.stdout, told.stderr) == (1, "", "No post in the archive passes these filters.\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["query"], "Missing argument 'TEXT...'"),
        (["query", " "], "empty. Describe the complaint"),
        (["query", "-k", "0", "knee"], "0 is not in the range x>=1"),
        (["query", "--since", "soon", "knee"], "since: 'soon' is not a date"),
        (["build", "--map", "question"], "'question' is not ROLE=FIELD"),
        (["nonsense"], "No such command 'nonsense'"),
    ],
)
def test_wrong_usage_is_status_2_with_one_message(index: Path, arguments: list[str], message: str) -> None:
    """And the usage of the command."""
    result = run(*arguments, QA_SEARCH_INDEX=str(index))
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def _nowhere(folder: Path) -> list[str]:
    return ["build", str(folder / "nowhere")]


def _empty(folder: Path) -> list[str]:
    (folder / "empty").mkdir()
    return ["build", str(folder / "empty")]


def _binary(folder: Path) -> list[str]:
    (folder / "picture.txt").write_bytes(bytes(range(256)) * 50)
    return ["build", str(folder / "picture.txt")]


def _truncated(folder: Path) -> list[str]:
    data = gzip.compress(json.dumps([{"question": os.urandom(99).hex(), "answer": "a"}] * 99).encode())
    (folder / "faq.json.gz").write_bytes(data[:-50])
    return ["build", str(folder / "faq.json.gz")]


def _broken_xml(folder: Path) -> list[str]:
    (folder / "Posts.xml").write_text('<posts>\n<row Id="1" PostTypeId="1" Body="b" />\n<row Id="2\n</posts>')
    return ["build", str(folder)]


def _wrong_json(folder: Path) -> list[str]:
    (folder / "a.json").write_text('[{"foo": 1, "bar": 2}]')
    return ["build", str(folder / "a.json")]


def _no_index(folder: Path) -> list[str]:
    return ["query", "--index", str(folder), "knee"]


def _no_model(folder: Path) -> list[str]:
    (folder / "a.txt").write_text(page("t", "q", "a"))
    return ["build", str(folder / "a.txt"), "--model", "someone/unknown"]


@pytest.mark.model
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_nowhere, "nowhere: no such file or folder. Name an archive file"),
        (_empty, "empty: no files to read. Name archive files"),
        (_binary, "picture.txt: binary data, not an archive of posts. Known formats: archive page"),
        (_truncated, "faq.json.gz: the compressed file is damaged or truncated"),
        (_broken_xml, "Posts.xml, line 4, column 1: broken XML"),
        (_wrong_json, "a.json: its records have no recognisable question or answer (fields: foo, bar)"),
        (_no_index, ": no index in this folder. Build one with: qa-search build"),
        (_no_model, "the model 'someone/unknown' is not on this machine"),
    ],
)
def test_what_cannot_be_used_is_status_3_with_one_message(make: Any, message: str, tmp_path: Path) -> None:
    """What, where and what to do, on one line of standard error; nothing on standard output."""
    arguments = make(tmp_path)
    if arguments[0] == "build":
        arguments += ["--index", str(tmp_path / "index")]
    result = run(*arguments)
    assert result.exit_code == 3
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert message in line
    assert not (tmp_path / "index" / "CURRENT").exists()


@pytest.mark.parametrize("address", ["mysql://me:hush@example.org/x", "hush", "host=db password=hush", ""])
def test_an_address_of_no_database_is_refused_unread(address: str, index: Path, tmp_path: Path) -> None:
    """By every command that takes one, typed or from the environment, and not repeated: passwords are in them."""
    for command in (["query", "knee"], ["build", tmp_path], ["info"], ["serve"], ["eval"]):
        result = run(*command, "--store", address)
        assert (result.exit_code, "'--store'" in result.output) == (2, True), result.output
        assert "hush" not in result.output
    result = run("query", "knee", QA_SEARCH_STORE=address or "x")
    assert (result.exit_code, "QA_SEARCH_STORE" in result.output) == (2, True), result.output
    assert "hush" not in result.output
    result = query(index, "knee", QA_SEARCH_INDEX="mysql://me:hush@example.org/x")
    assert result.exit_code == 0
    result = run("info", QA_SEARCH_INDEX="mysql://me:hush@example.org/x")
    assert (result.exit_code, "Unsupported index location mysql://" in result.stderr) == (3, True), result.output
    assert "hush" not in result.output


def test_an_index_made_with_another_model_is_refused(index: Path, tmp_path: Path) -> None:
    """Naming both; a copy of the right model elsewhere is accepted."""
    from qa_search.embedders.locate import locate_model

    other = shutil.copytree(locate_model().folder, tmp_path / "moved")
    assert query(index, "--model", other, COMPLAINT).exit_code == 0
    config = other / "sentence_bert_config.json"
    config.write_text(config.read_text().replace("256", "128"))
    result = query(index, "--model", other, COMPLAINT)
    assert result.exit_code == 3
    assert "made with the model 'sentence-transformers/all-MiniLM-L6-v2'" in result.stderr
    assert "not with 'moved'" in result.stderr


def test_no_message_holds_what_a_terminal_obeys(tmp_path: Path) -> None:
    """Names of files are repeated in messages, and may hold anything."""
    commands: list[list[str | Path]] = [
        ["build", tmp_path / "no\x1b[31m\x9b\u202e"],
        ["query", "x", "--index", tmp_path / "no\x9b\u2028"],
    ]
    for command in commands:
        result = run(*command)
        assert result.exit_code == 3
        assert not set(result.stderr) & set("\x1b\x9b\u202e\u2028")


def test_info_lists_what_the_archivist_needs(index: Path) -> None:
    """Counts, sources, model, what was set aside, which posts are missing; the same in JSON."""
    text = run("info", "--index", index).stdout
    assert "1 unanswered, 1 set aside" in text
    assert "sentence-transformers/all-MiniLM-L6-v2 (384 dimensions" in text
    assert "The archive's language is English." in text
    assert "site/faq.jsonl, line 3: neither a question nor an answer in it" in text
    assert "Missing: posts that Prev and Next links mention" in text
    assert "more (--all)" in text
    assert "more (--all)" not in run("info", "--index", index, "--all").stdout
    document = json.loads(run("info", "--index", index, "--json").stdout)
    assert document["counts"]["set_aside"] == len(document["set_aside"]) == 1
    assert (document["language"], document["advice"]) == ("en", None)
    assert document["unread"] < 0.01
    assert document["missing_posts"][0].keys() == {"title", "mentioned_by"}
    assert [source["source"].rpartition("/")[2] for source in document["sources"]] == ["site", "faq.jsonl"]


def test_a_file_that_is_set_aside_comes_with_what_to_do_next(tmp_path: Path) -> None:
    """A note has no room for the way out; a record that is set aside needs none."""
    (tmp_path / "faq.txt").write_text("Q: Why does it knock?\nA: Limescale.\n\nQ: How is it removed?\nA: Vinegar.\n")
    way_out = "To see what can be done about such a file: qa-search inspect FILE"
    assert way_out not in run("inspect", tmp_path).stdout
    (tmp_path / "minutes.txt").write_text("Nobody came.\n")
    assert way_out in run("inspect", tmp_path).stdout
    alone = run("inspect", tmp_path / "minutes.txt")
    assert "What was looked for: lines that begin with Q: and A:" in alone.stderr


HOSTILE = "\x1b[31mred\x1b]0;title\x07 \u202etfel\u202c \x9b1m\x00\x7f"


def test_nothing_in_a_post_can_take_over_a_terminal() -> None:
    """Control characters and direction marks are left out of what is shown, from every field."""
    assert printable(HOSTILE) == "[31mred]0;title tfel 1m"
    hit = Hit(1, "id", HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, (), 0.5, 0.5, "answer", HOSTILE,
              Highlight("answer", 0, len(HOSTILE), HOSTILE), HOSTILE, HOSTILE)  # fmt: skip
    for full in (False, True):
        shown = render_result(SearchResult("q", True, 0.5, (hit,), 1.0), full=full, width=40)
        assert not [character for character in shown if character in "\x1b\x07\u202e\u202c\x9b\x00\x7f"]


def on_a_terminal(index: Path, **environment: str) -> str:
    """Run a query in a real pseudo-terminal of 50 columns."""
    command = [sys.executable, "-m", "qa_search", "query", "--index", str(index), "-k", "1", COMPLAINT]
    return run_on_terminal(command, {"COLUMNS": "50", **environment})[1]


@pytest.mark.process
def test_colour_only_on_a_terminal_and_never_with_no_color(index: Path) -> None:
    """In a real pseudo-terminal the sentence that matters is coloured, with NO_COLOR it is in »«."""
    coloured = on_a_terminal(index, NO_COLOR="")
    assert "\x1b[33m\x1b[1mTry slow eccentric loading" in coloured
    assert "»" not in coloured
    plain = on_a_terminal(index, NO_COLOR="1")
    assert "\x1b" not in plain
    assert "»Try slow eccentric" in plain


@pytest.mark.process
def test_a_reader_that_goes_away_is_no_error(index: Path) -> None:
    """As in ``qa-search info | head -1``."""
    command = f"{sys.executable} -m qa_search info --json --index {index} | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "{\n", "")
    arguments = [sys.executable, "-m", "qa_search", "query", "sore thigh", "--index", str(index)]
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # before anything is written
        assert (process.stderr.read(), process.wait()) == (b"", 0)


def test_every_command_and_option_explains_itself() -> None:
    """No command and no option without help."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        assert command.help, name
        for parameter in command.params:
            assert isinstance(parameter, click.Argument) or getattr(parameter, "help", None), parameter.name
    assert run("--version").stdout.startswith("qa-search, version ")


def test_what_nothing_answers_is_said_first(index: Path) -> None:
    """With status 1, before the nearest posts; and --min-confidence decides what counts as an answer."""
    result = query(index, "-k", "1", "my sourdough is flat and the starter smells of paint")
    assert result.exit_code == 1
    assert result.stdout.startswith("Nothing in the archive seems to answer this (confidence ")
    assert "\n1. " in result.stdout
    assert query(index, "--min-confidence", "0", "my sourdough is flat").exit_code == 0
    answered = query(index, "--min-confidence", "1", "--json", COMPLAINT)
    assert (answered.exit_code, json.loads(answered.stdout)["answered"]) == (1, False)
    assert query(index, "--min-confidence", "1.5", COMPLAINT).exit_code == 2


def test_a_hit_is_explained_on_demand(index: Path) -> None:
    """What its score is made of, the two sentences that met, the terms in common; in JSON only then."""
    text = query(index, "-k", "1", "--explain", COMPLAINT).stdout
    assert "Why: best 0." in text
    assert "You wrote: " in text
    assert "In common: " in text
    document = json.loads(query(index, "-k", "1", "--explain", "--json", COMPLAINT).stdout)
    explain = document["hits"][0]["explain"]
    assert sum(signal["share"] for signal in explain["signals"].values()) == pytest.approx(
        document["hits"][0]["score"], abs=0.001
    )
    assert explain["complaint"] in COMPLAINT
    assert {"thigh", "month"} <= set(explain["terms"])
    assert "explain" not in json.loads(query(index, "-k", "1", "--json", COMPLAINT).stdout)["hits"][0]


def test_a_cross_encoder_reorders_the_first_hits(index: Path, tmp_path: Path) -> None:
    """A real one from a folder, by its own scores; one that is not there is an error with a way out."""
    model = tiny_cross_encoder(tmp_path / "reranker")
    arguments = ("--json", "-k", "8", "my knee hurts when running")
    plain = json.loads(query(index, *arguments).stdout)["hits"]
    reranked = json.loads(query(index, "--rerank", model, *arguments).stdout)["hits"]
    expected = Reranker(model).scores("my knee hurts when running", [hit["passage"] for hit in reranked])
    assert [hit["score"] for hit in reranked] == pytest.approx(expected.tolist(), abs=1e-4)
    assert [hit["score"] for hit in reranked] == sorted((hit["score"] for hit in reranked), reverse=True)
    assert [hit["post_id"] for hit in reranked] != [hit["post_id"] for hit in plain]
    missing = query(index, "--rerank", tmp_path / "nowhere", COMPLAINT)
    assert missing.exit_code == 3
    assert "nowhere" in missing.stderr


@pytest.mark.parametrize("command", ["serve", "mcp"])
@pytest.mark.parametrize("token", ["", "blank s", "line\n", "caf\u00e9", "zero\u200bwidth"])
def test_a_token_that_no_client_can_send_is_refused(command: str, token: str, tmp_path: Path) -> None:
    """At once, by its option, and without printing it."""
    result = CliRunner().invoke(cli, [command, "--index", str(tmp_path), "--token", token])
    assert result.exit_code == 2
    assert "--token" in result.output
    assert not token or token not in result.output


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("query knee", "--min-confidence"),
        ("gaps x", "--min-confidence"),
        ("build", "--largest-loss"),
        ("build", "--recall"),
        ("serve", "--rate"),
        ("serve", "--timeout"),
    ],
)
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_number_without_a_value_is_refused(command: str, option: str, value: str) -> None:
    """No bound holds "nan", and "inf" has no end."""
    result = CliRunner().invoke(cli, [*command.split(), f"{option}={value}"])
    assert result.exit_code == 2
    assert option in result.output


@pytest.mark.parametrize("name", ["http://club.example", "club.example:8080", "club.example/x", "*", "", "[::1]:80"])
def test_a_host_that_no_request_names_is_refused(name: str) -> None:
    """With how to write it."""
    result = CliRunner().invoke(cli, ["serve", "--allow-host", name, "--port", "0"])
    assert result.exit_code == 2
    assert "without scheme, port and path" in " ".join(result.output.split())


@pytest.mark.parametrize("command", ["serve", "mcp"])
def test_votes_that_could_not_be_written_are_told_at_the_start(tmp_path: Path, command: str) -> None:
    """As a log is, and before anybody votes; nothing is made."""
    result = CliRunner().invoke(cli, [command, "--feedback", str(tmp_path / "gone" / "votes.jsonl")])
    assert result.exit_code == 3
    said = " ".join(result.output.split())
    assert "cannot be written to (No such file or directory). Name a file in a folder that exists" in said
    folder = tmp_path / "is-a-folder"
    folder.write_text("no folder")
    result = CliRunner().invoke(cli, [command, "--feedback", str(folder / "votes.jsonl")])
    assert result.exit_code == 3
    votes = tmp_path / "votes.jsonl"
    result = CliRunner().invoke(cli, [command, "--feedback", str(votes), "--index", str(tmp_path / "none")])
    assert "none" in result.output
    assert not votes.exists()
