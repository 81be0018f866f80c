"""What a person at a terminal gets: short hits, whole posts, lists, colours, and any encoding."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from qa_search import SearchIndex, build_index
from qa_search.archives.read import read_archives
from qa_search.interfaces.cli import cli
from qa_search.interfaces.cli.info import _lines
from qa_search.interfaces.cli.output import json_text, writes_unicode
from qa_search.interfaces.render.brief import clipped, render_brief
from qa_search.types import Highlight, Hit, OtherPost, Post, SearchResult
from qa_search.util.text import counted
from tests.helpers import ROOT, WordsEmbedder, run_on_terminal, write_jsonl
from tests.interfaces.cli.words import use_words

POSTS = [
    {"id": "knee", "title": "Knee on stairs … « naïve »", "question": "My knee hurts on stairs.\0 It clicks, too.",
     "answer": "Strengthen the hip – slowly. Then 膝 climb stairs again.", "date": "2015-06-30", "tags": ["Sore Knee"]},
    {"id": "heel", "title": "Heel", "question": "My heel stabs in the morning.",
     "answer": "Roll a frozen bottle. Calf raises on a step.", "date": "2018-01-01", "tags": ["foot"]},
    {"id": "shin", "title": "Shin", "question": "My shin aches after running.", "answer": "Rest the shin for a week."},
]  # fmt: skip
FOUND = "knee hurts on stairs"


@pytest.fixture(autouse=True)
def words(monkeypatch: pytest.MonkeyPatch) -> None:
    """No command of this process loads a model."""
    use_words(monkeypatch)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("terminal")
    build_index(write_jsonl(home / "faq.jsonl", POSTS), home / "index", model=WordsEmbedder())
    return home / "index"


def run(index: Path, command: str, *arguments: str | Path, **environment: str) -> Result:
    call = [command, "--index", str(index), *map(str, arguments)]
    return CliRunner(env={"NO_COLOR": None, "FORCE_COLOR": None, **environment}).invoke(cli, call)


def id_of(index: Path, source_id: str) -> str:
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        return next(post.post_id for post in opened.all_posts() if post.source_id == source_id)


def words_command(index: Path, command: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.interfaces.cli.words", command, "--index", str(index), *arguments]


@pytest.mark.process
def test_a_hit_has_three_lines_on_a_terminal_and_all_its_text_in_a_pipe(index: Path) -> None:
    """Rank, chance and title; the marked sentence; date and id. What a pipe gets has not changed."""
    command = words_command(index, "query", "--min-confidence", "0", "-k", "2", *FOUND.split())
    shown = run_on_terminal(command, {"COLUMNS": "60", "LINES": "40", "NO_COLOR": "1"})[1].replace("\r\n", "\n")
    first, second, *_ = shown.split("\n\n")
    heading, sentence, facts = first.splitlines()
    assert re.fullmatch(r"1\. \[(\d+|under 1|over 99)%\] Knee on stairs … « naïve »", heading)
    assert re.fullmatch("   »(Strengthen the hip – slowly|Then 膝 climb stairs again).«", sentence)
    assert facts == f"   2015-06-30 · id {id_of(index, 'knee')}"
    assert len(second.splitlines()) == 3
    assert max(map(len, shown.splitlines())) <= 60
    piped = run(index, "query", "--min-confidence", "0", "-k", "2", FOUND).stdout
    assert piped.startswith("1. Knee on stairs … « naïve »\n   2015-06-30 · ")
    assert "My knee hurts on stairs." in piped
    whole = run_on_terminal([*command, "--full"], {"LINES": "400"})[1]
    assert "Question" in whole
    assert "Calf raises on a step." in whole


@pytest.mark.process
@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal")
def test_what_does_not_fit_the_screen_is_paged_from_its_beginning(index: Path, tmp_path: Path) -> None:
    """By the pager that the user has set; what fits is printed."""
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\necho PAGED; cat\n", encoding="utf-8")
    pager.chmod(0o755)
    command = words_command(index, "query", "--min-confidence", "0", FOUND)
    script = f"import pty, sys; sys.exit(pty.spawn({command!r}) >> 8)"
    for lines, paged in (("8", True), ("50", False)):
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            env={**os.environ, "PAGER": str(pager), "LINES": lines, "COLUMNS": "80", "TERM": "xterm"}, check=True,
        )  # fmt: skip
        assert ("PAGED" in done.stdout) == paged
        assert done.stdout.index("1. ") < done.stdout.index("2. ")


def test_the_formats_of_a_terminal_can_be_chosen_anywhere(index: Path) -> None:
    """And what contradicts itself is refused."""
    brief = run(index, "query", "--format", "brief", FOUND).stdout
    assert f"id {id_of(index, 'knee')}" in brief
    for wrong in (["--full"], ["--explain"], ["--json"]):
        assert run(index, "query", "--format", "brief", *wrong, FOUND).exit_code == 2


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("short", 5, "short"), ("two words", 8, "two …"), ("two three words", 12, "two three …"),
        ("x" * 50, 20, "x" * 18 + " …"),
        ("膝が痛い膝が痛い", 9, "膝が痛 …"), ("e\u0301" * 5, 5, "e\u0301" * 5), ("", 3, ""),
    ],
)  # fmt: skip
def test_a_line_is_cut_to_the_columns_of_a_terminal(text: str, width: int, expected: str) -> None:
    """At a word where one ends near; letters of East Asia take two columns, accents none."""
    assert clipped(text, width) == expected


def test_a_newer_answer_and_the_refusal_are_in_the_short_form() -> None:
    """The warning stands first, a pointer to a newer post beside the date."""
    newer = OtherPost("n1", "s1", "Newer", "2020-02-03")
    hit = Hit(1, "id1", "s", "", "2010-01-01", "src", None, (), 0.5, 0.004, "answer", "p",
              Highlight("answer", 0, 4, "Rest\x1b"), "Q\nq", "Rest", newer)  # fmt: skip
    lines = render_brief(SearchResult("q", False, 0.1, (hit,), 1.0), width=80).splitlines()
    assert lines[0].startswith("Nothing in the archive seems to answer this")
    assert lines[2:5] == ["1. [under 1%] Q q", "   »Rest«", "   2010-01-01 · newer answer, of 2020: n1 · id id1"]


def test_a_post_is_shown_whole_with_its_mark_on_demand(index: Path) -> None:
    """As text, and as the document of the service; an unknown id leads to the help of the command."""
    post_id = id_of(index, "heel")
    plain = run(index, "show", post_id)
    assert plain.exit_code == 0
    assert "Roll a frozen bottle. Calf raises on a step." in plain.stdout
    assert "»" not in plain.stdout
    assert "»Roll a frozen bottle.«" in run(index, "show", post_id, "--for", "frozen bottle").stdout
    document = json.loads(run(index, "show", post_id, "--for", "frozen bottle", "--json").stdout)
    assert (document["post_id"], document["ids"], document["prev"]) == (post_id, [post_id], None)
    mark = document["highlight"]
    assert document[mark["field"]][mark["start"] : mark["end"]] == mark["text"] == "Roll a frozen bottle."
    unknown = run(index, "show", "nonsense")
    assert (unknown.exit_code, "the index has no post with this id" in unknown.stderr) == (2, True)
    assert "show --help" in unknown.stderr
    for command in (["show", "nonsense"], ["similar", "nonsense"], ["feedback", "nonsense", "foot"]):
        assert run(index, *command).stderr.endswith("(qa-search list prints the ids)\n")
    assert run(index, "show", post_id, "--for", " ").exit_code == 2


def test_posts_like_a_post(index: Path) -> None:
    """Without the post itself, in every format and with every filter of a query."""
    post_id = id_of(index, "heel")
    hits = json.loads(run(index, "similar", post_id, "--json").stdout)["hits"]
    assert sorted(hit["source_id"] for hit in hits) == ["knee", "shin"]
    assert run(index, "similar", post_id, "-k", "1", "--tag", "sore knee").stdout.startswith("1. Knee")
    nothing = run(index, "similar", post_id, "--since", "2019")
    assert (nothing.exit_code, nothing.stdout) == (1, "")
    assert run(index, "similar", "nonsense").exit_code == 2


def test_an_error_of_a_command_leads_to_its_own_help(index: Path) -> None:
    """And not to the help of all."""
    for command, *arguments in (["query", " "], ["list", "--since", "soon"], ["similar", "x"], ["query", "--format"]):
        result = run(index, command, *arguments)
        assert result.exit_code == 2
        assert f" {command} --help' for help" in result.stderr


def test_a_missing_index_is_named_whole_and_another_can_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its absolute path, and what has not just named it: the option, the variable; one line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QA_SEARCH_INDEX", raising=False)
    (line,) = CliRunner().invoke(cli, ["info"]).stderr.splitlines()
    assert f"Error: {tmp_path}/index: no index in this folder. Build one with: qa-search build SOURCE" in line
    assert "--index PATH, or for all commands by QA_SEARCH_INDEX" in line
    alone = CliRunner().invoke(cli, ["list"], env={"QA_SEARCH_INDEX": "x"})
    assert alone.stderr.endswith("(QA_SEARCH_INDEX names this folder; --index PATH names another.)\n")
    named = CliRunner().invoke(cli, ["list", "--index", "y"], env={"QA_SEARCH_INDEX": "x"})
    assert "QA_SEARCH_INDEX" not in named.stderr


def test_a_message_is_about_what_was_asked(index: Path, tmp_path: Path) -> None:
    """Posts that are skipped are no filter, an index that is missing is no source, a log is no file of JSON Lines."""
    assert run(index, "list", "--skip", "999").stderr == "There is no post behind the first 999.\n"
    removed = run(tmp_path / "none", "remove", "club")
    assert (removed.exit_code, "none: no index in this folder" in removed.stderr) == (3, True)
    assert not (tmp_path / "none").exists()
    assert "Name a log of questions, or a file with a complaint on each line, or" in run(index, "gaps", "no").stderr
    topics = run(index, "info", "--topics-from", "no")
    assert "Name a file from qa-search info --topics --json, or - for" in topics.stderr


def test_info_has_years_tags_and_the_size_that_verify_reads(index: Path) -> None:
    """And one of anything is not several."""
    text = run(index, "info").stdout
    assert "\n  of 2015 to 2018, 1 without a date\n  by year: 2015 1, 2018 1\n  tags: foot 1, sore-knee 1\n" in text
    size = re.search(r"[\d.]+ MB", text)
    assert size is not None
    assert size[0] in run(index, "verify").stdout
    document = json.loads(run(index, "info", "--json").stdout)
    assert document["years"] == {"2015": 1, "2018": 1}
    assert document["bytes"] == json.loads(run(index, "verify", "--json").stdout)["generations"][0]["bytes"]


@pytest.mark.parametrize(
    ("model", "encoder", "line"),
    [
        (
            {"query_prompt": "Ask:\nSay 'ü' ", "passage_prompt": ""},
            {},
            "question \"Ask:\\nSay 'ü' \", before each passage nothing",
        ),
        ({"passage_prompt": "text: "}, {}, 'question what the model itself names, before each passage "text: "'),
        ({"query_prompt": ""}, {"query_prompt": ""}, "question nothing, before each passage nothing"),
        ({}, {"query_prompt": "query: "}, 'question "query: ", before each passage nothing'),
    ],
)
def test_info_shows_what_the_model_is_given_before_texts(
    model: dict[str, str], encoder: dict[str, str], line: str, index: Path
) -> None:
    """Those that the build named, and those that an exported model has of its own; a line is one line."""
    with SearchIndex.open(index) as opened:
        found = opened.info()
    assert "before each" not in "\n".join(_lines(found, None))
    exported = {**encoder, "kind": "onnx", "precision": "fp32", "agreement": {"passages": 2, "mean": 1, "min": 1}}
    prompted = replace(found, model={**found.model, **model}, encoder=exported if encoder else found.encoder)
    assert f"  before each {line}" in _lines(prompted, None)


@pytest.mark.process
def test_info_stays_within_the_columns_of_a_terminal(index: Path) -> None:
    """Lines go on below, set in by two more blanks; a pipe gets each fact on one line."""
    shown = run_on_terminal(words_command(index, "info"), {"COLUMNS": "50", "LINES": "99"})[1].splitlines()
    assert max(map(len, shown)) <= 50
    assert max(map(len, run(index, "info").stdout.splitlines())) > 50


@pytest.mark.parametrize(
    ("count", "words", "expected"),
    [(1, ("post",), "1 post"), (0, ("post",), "0 posts"), (2000, ("query", "queries"), "2,000 queries")],
)
def test_one_is_not_several(count: int, words: tuple[str, ...], expected: str) -> None:
    """A count is written with the noun that goes with it."""
    assert counted(count, *words) == expected


def test_no_message_counts_by_a_plural_alone() -> None:
    """Counts of things are written by `counted`: "1 posts" cannot be said."""
    things = "posts|questions|passages|files|copies|hits|lines|queries|sources|records|rows|notes|answers"
    fault = re.compile(rf"\{{[^{{}}]*:,\}} (?:more )?(?:{things})\b")
    for path in (ROOT / "qa_search" / "interfaces").rglob("*.py"):
        found = [line for line in path.read_text("utf-8").splitlines() if fault.search(line) and "MAX" not in line]
        assert [line for line in found if "if report.files > 1" not in line] == [], path


def test_posts_are_listed_with_the_filters_of_a_query(index: Path) -> None:
    """The newest first; the next page is named; nothing found is status 1."""
    lines = run(index, "list").stdout.splitlines()
    assert [line.split(None, 2)[2] for line in lines[:2]] == ["Heel", "Knee on stairs … « naïve »"]
    assert lines[2] == f"no date     {id_of(index, 'shin')}  Shin"
    first = run(index, "list", "-k", "1", "--tag", "foot")
    assert (first.stdout.splitlines(), first.stderr) == (lines[:1], "")
    assert run(index, "list", "-k", "1", "--skip", "1").stdout.splitlines() == lines[1:2]
    assert run(index, "list", "-k", "1").stderr == "More posts: --skip 1\n"
    documents = json.loads(run(index, "list", "--json").stdout)
    assert [document["source_id"] for document in documents] == ["heel", "knee", "shin"]
    assert documents[0]["post_id"] == id_of(index, "heel")
    nothing = run(index, "list", "--since", "2020")
    assert (nothing.exit_code, nothing.stdout, "No post in the archive" in nothing.stderr) == (1, "", True)
    assert "list --help" in run(index, "list", "--since", "soon").stderr


def test_a_post_is_shown_by_its_source_and_its_id_there(index: Path) -> None:
    """As output for programs names it; an unknown one is an error with the name as it was given."""
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        source = next(post.source for post in opened.all_posts() if post.source_id == "knee")
    for command in ("show", "similar"):
        by_id, by_name = (run(index, command, name, "--json") for name in (id_of(index, "knee"), f"{source}/knee"))
        assert by_name.exit_code == 0
        assert json.loads(by_name.stdout).keys() == json.loads(by_id.stdout).keys()
    assert json.loads(run(index, "show", f"{source}/knee", "--json").stdout)["post_id"] == id_of(index, "knee")
    assert "no/such" in run(index, "show", "no/such").stderr


@pytest.mark.parametrize("command", [["query", "knee"], ["list"], ["export", "-"]], ids=lambda call: call[0])
def test_a_source_that_no_post_has_shows_how_sources_are_named(index: Path, command: list[str]) -> None:
    """The end of a name does not count as the name; a pattern that finds nothing needs no hint."""
    hint = "--source takes whole names (qa-search info lists them) or a pattern: --source '*faq.jsonl'"
    said = run(index, *command, "--source", "faq.jsonl").stderr
    assert said.splitlines() == ["No post in the archive passes these filters.", hint]
    assert "takes whole names" not in run(index, *command, "--source", "*nothing").stderr


@pytest.mark.parametrize("name", ["posts.jsonl", "posts.csv"])
def test_an_exported_archive_can_be_built_again(index: Path, tmp_path: Path, name: str) -> None:
    """All texts, dates, tags and ids of the source come back."""
    done = run(index, "export", tmp_path / name)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", f"{tmp_path / name}: 3 posts\n")
    build_index(tmp_path / name, tmp_path / "index", model=WordsEmbedder())
    with (
        SearchIndex.open(tmp_path / "index", model=WordsEmbedder()) as again,
        SearchIndex.open(index, model=WordsEmbedder()) as before,
    ):
        for old, new in zip(before.all_posts(), again.all_posts(), strict=True):
            for part in ("source_id", "title", "question", "answer", "date"):
                assert getattr(new, part) == getattr(old, part), part
            assert [tag.lower() for tag in new.tags] == [tag.lower() for tag in old.tags]


def test_an_exported_list_keeps_its_first_sign(tmp_path: Path) -> None:
    """What a spreadsheet must not take for a formula has an apostrophe in the file, and none in the archive again."""
    post = {"id": "1", "title": "+1 for ice?", "question": "Which?", "answer": "- ice\n- rest", "author": "'@nurse'"}
    (tmp_path / "posts.json").write_text(json.dumps([post]), encoding="utf-8")
    build_index(tmp_path / "posts.json", tmp_path / "index", model=WordsEmbedder())
    assert run(tmp_path / "index", "export", tmp_path / "posts.csv").exit_code == 0
    assert "'- ice" in (tmp_path / "posts.csv").read_text(encoding="utf-8")
    (again,) = (item for item in read_archives([tmp_path / "posts.csv"]) if isinstance(item, Post))
    assert (again.title, again.question, again.answer, again.author) == tuple(post.values())[1:]


def test_an_export_replaces_nothing_and_leaves_no_half_a_file(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that exists stays; a name of another format is refused; a failed export is removed."""
    there = tmp_path / "mine.csv"
    there.write_text("mine", encoding="utf-8")
    refused = run(index, "export", there)
    assert (refused.exit_code, "already exists" in refused.stderr, there.read_text("utf-8")) == (3, True, "mine")
    assert run(index, "export", tmp_path / "x.doc").exit_code == 2
    assert run(index, "export", tmp_path / "nowhere" / "x.csv").exit_code == 3
    assert len(run(index, "export", "-", "--tag", "foot").stdout.splitlines()) == 1
    for name in ("none.csv", "none.jsonl"):
        assert run(index, "export", tmp_path / name, "--since", "2030").exit_code == 1
        assert not (tmp_path / name).exists()

    def fail(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("qa_search.interfaces.cli.listing._json_line", fail)
    full = run(index, "export", tmp_path / "full.jsonl")
    assert (full.exit_code, "No space left" in full.stderr, (tmp_path / "full.jsonl").exists()) == (3, True, False)


@pytest.mark.parametrize(
    ("options", "environment", "coloured"),
    [
        ([], {}, False),
        (["--color", "always"], {}, True),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        ([], {"FORCE_COLOR": "1"}, True),
        ([], {"FORCE_COLOR": ""}, False),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (["--color", "never"], {"FORCE_COLOR": "1"}, False),
    ],
)
@pytest.mark.parametrize("command", ["query", "show"])
def test_colour_is_chosen(
    index: Path, command: str, options: list[str], environment: dict[str, str], coloured: bool
) -> None:
    """By --color first, then by NO_COLOR and FORCE_COLOR; else a pipe gets none, and the mark is in »«."""
    arguments = [FOUND] if command == "query" else [id_of(index, "knee"), "--for", FOUND]
    shown = run(index, command, *options, *arguments, **environment).stdout
    assert ("\x1b[" in shown, ".«" in shown) == (coloured, not coloured)


ALL = """
import json, sys
import pytest
from tests.interfaces.cli.words import use_words
use_words(pytest.MonkeyPatch())
from qa_search.interfaces.cli import main
for arguments in json.loads(sys.argv[1]):
    sys.argv[1:] = arguments
    try:
        main()
    except SystemExit as end:
        sys.stdout.flush()
        print("\\n=== end", end.code or 0, flush=True)
"""


def in_encoding(index: Path, encoding: str, *commands: list[str]) -> tuple[list[tuple[str, int]], str]:
    """Run commands in a process whose output has an encoding; return the output and status of each, and the errors."""
    calls = [[name, "--index", str(index), *arguments] for name, *arguments in commands]
    done = subprocess.run(
        [sys.executable, "-c", ALL, json.dumps(calls)], cwd=ROOT, capture_output=True, check=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )  # fmt: skip
    parts = re.split(r"\n=== end (\d)\r?\n", done.stdout.decode(encoding))
    ends = list(zip(parts[::2], map(int, parts[1::2]), strict=False))
    assert len(ends) == len(commands), done.stderr
    return ends, done.stderr.decode(encoding)


@pytest.mark.process
@pytest.mark.parametrize("encoding", ["cp437", "cp850", "cp1252", "ascii"])
def test_no_encoding_of_a_terminal_ends_in_a_traceback(index: Path, encoding: str) -> None:
    """Similar signs stand for those that it lacks, else a question mark, which a note says; JSON and HTML lack none."""
    post_id = id_of(index, "knee")
    query = ["query", "--min-confidence", "0", FOUND]
    ends, err = in_encoding(
        index, encoding,
        ["show", post_id], ["show", post_id, "--json"], [*query, "--format", "html"], query,
        [*query, "--format", "brief"], [*query, "--format", "csv"], [*query, "--format", "markdown"], ["list"],
        ["info"], ["sources"], ["log"], ["verify"], ["export", "-"], ["similar", post_id],
        ["query", "--source", "膝…", "knee"], ["show", "膝"],
    )  # fmt: skip
    assert "Traceback" not in err
    assert [status for _, status in ends] == [0] * 14 + [1, 2]
    shown, document, page, *_ = (out for out, _ in ends)
    assert "Then ? climb stairs again." in shown
    assert ("Knee on stairs ... " in shown) == (encoding != "cp1252")
    assert "膝" in json.loads(document)["answer"]
    assert "&#33181;" in page
    assert f'that {encoding} does not have: written as "?"' in err


def in_shell(index: Path, *lines: str) -> tuple[list[str], str]:
    """Run lines of a shell, "qa-search" without a model; return what each printed and its status, and the errors."""
    call = f'{sys.executable} -m tests.interfaces.cli.words "$@"'
    script = "\n".join([f"qa-search() {{ {call}; }}", *(f"{line}; echo $?" for line in lines)])
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "QA_SEARCH_INDEX": str(index), "PYTHONPATH": str(ROOT)},
    )
    return done.stdout.split(), done.stderr


@pytest.mark.process
@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="a device that is always full")
@pytest.mark.parametrize("buffered", [True, False])
def test_an_output_that_is_full_or_closed_is_status_3_with_one_message(index: Path, *, buffered: bool) -> None:
    """Not 1, "nothing answers", not 120, and no traceback; for short and long output, and for click's own."""
    calls = [
        "query knee",
        "query --json knee --explain",
        "list",
        "export -",
        "info --json",
        "--version",
        "query --help",
    ]
    calls += ["shell <<< knee", "query knee --format html"]
    export = f"export PYTHONUNBUFFERED={'' if buffered else 1}"
    statuses, err = in_shell(index, export, *(f"qa-search {call} > /dev/full" for call in calls))
    assert statuses == ["0", *["3"] * len(calls)]
    assert err.splitlines() == [line for line in err.splitlines() if line.startswith("Error: standard output cannot")]
    assert err.count("No space left on device") == len(calls)
    statuses, err = in_shell(index, export, *(f"qa-search {call} >&-" for call in calls[:4]))
    assert (statuses, err.count("Error: standard output is closed."), err.count("\n")) == (["0", *["3"] * 4], 4, 4)


@pytest.mark.process
@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="a device that is always full")
def test_remarks_that_cannot_be_written_change_no_status(index: Path) -> None:
    """What is asked for goes to standard output; nobody can be told the rest."""
    lines = ["qa-search list -k 1 2> /dev/full | wc -l", "qa-search list -k 1 2>&- | wc -l", "qa-search nothing 2>&-"]
    assert in_shell(index, "set -o pipefail", *lines) == (["0", "1", "0", "1", "0", "2"], "")
    assert in_shell(index, "qa-search list 2> /dev/full > /dev/full", "qa-search list >&- 2>&- <&-") == (["3", "3"], "")


@pytest.mark.process
def test_a_closed_input_and_a_current_folder_that_was_removed_are_status_3(index: Path, tmp_path: Path) -> None:
    """One message says which; a command that needs neither goes on."""
    statuses, err = in_shell(index, "qa-search query - <&-", "qa-search query --from - <&-", "qa-search shell <&-")
    assert (statuses, err.count("Error: standard input is closed."), err.count("\n")) == (["3"] * 3, 3, 3)
    gone = tmp_path / "gone"
    gone.mkdir()
    calls = ["query --index index knee", "inspect faq.csv", "build faq.csv --index other", "verify --index index"]
    lines = [f"cd {gone} && rmdir {gone}", "qa-search list > /dev/null", *(f"qa-search {call}" for call in calls)]
    statuses, err = in_shell(index, *lines)
    assert (statuses, err.count("Error: the current folder was removed")) == (["0", "0", *["3"] * 4], 4)
    assert err.count("\n") == 4


def test_texts_with_nul_are_searched_and_shown(index: Path) -> None:
    """From standard input, a file, and the archive itself."""
    asked = CliRunner().invoke(cli, ["query", "--index", str(index), "-", "--json"], input="knee\0 stairs\0")
    assert json.loads(asked.stdout)["hits"][0]["source_id"] == "knee"
    many = CliRunner().invoke(cli, ["query", "--index", str(index), "--from", "-", "--json"], input="knee\0 stairs\n")
    assert json.loads(many.stdout)["hits"][0]["source_id"] == "knee"
    assert "\0" not in run(index, "show", id_of(index, "knee")).stdout
    shell = CliRunner().invoke(cli, ["shell", "--index", str(index)], input="knee\0\n:export all a\0b.md\n:tag \0\n")
    assert (shell.exit_code, shell.exception) == (0, None)
    (ROOT / "a\ufffdb.md").unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("encoding", "named"),
    [("utf-8", ""), ("utf-8-sig", ""), ("utf-16", "utf-16"), ("utf-16-le", "utf-16-le"), ("cp1252", "Windows-1252")],
)
def test_text_in_another_encoding_is_read_and_said(index: Path, encoding: str, named: str) -> None:
    """As pipes of other systems send it; the text in the answer is that of the query."""
    data = "knie schmerzt beim hüpfen – knee\n".encode(encoding)
    asked = CliRunner().invoke(cli, ["query", "--index", str(index), "-", "--json"], input=data)
    assert json.loads(asked.stdout)["query"].strip() == "knie schmerzt beim hüpfen – knee"
    assert asked.stderr == (f"Standard input is not UTF-8: read as {named}.\n" if named else "")
    quiet = CliRunner().invoke(cli, ["query", "--index", str(index), "-", "--quiet"], input=data)
    assert quiet.stderr == ""


def test_input_that_is_not_text_is_refused(index: Path) -> None:
    """A picture, for example."""
    asked = CliRunner().invoke(cli, ["query", "--index", str(index), "-"], input=bytes(range(256)) * 4)
    assert asked.exit_code == 2
    assert "Error: standard input is not text. Send it the complaint, in UTF-8.\n" in asked.stderr


def test_json_has_every_character_where_the_output_can(capsys: pytest.CaptureFixture[str]) -> None:
    """Only a redirected output of another encoding needs escapes."""
    assert writes_unicode()
    assert json_text({"a": "膝\x1b"}) == '{"a": "膝\\u001b"}'


def test_the_browser_opens_once_the_page_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an address that a browser can reach, also where the service listens on all."""
    import socket
    import threading

    import uvicorn

    from qa_search.interfaces.cli import listening
    from qa_search.interfaces.web.connections import Connections, GuardedServer, limits_for

    opened: list[str] = []
    done = threading.Event()

    def browser(url: str) -> bool:
        opened.append(url)
        done.set()
        return True

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("nobody asks")

    monkeypatch.setattr("webbrowser.open", browser)
    config = uvicorn.Config(app, lifespan="off", log_config=None)
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://{listening.address_of(listener, listening.reachable('0.0.0.0'))}/"  # noqa: S104
    server = GuardedServer(config, Connections(limits_for(5)), None, lambda: listening.open_in_browser(url))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    assert done.wait(60)
    assert server.started
    assert opened == [url]
    assert url.startswith("http://127.0.0.1:")
    server.should_exit = True
    thread.join()


def test_a_machine_without_a_browser_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The service goes on."""
    from qa_search.interfaces.cli import listening

    monkeypatch.setattr("webbrowser.open", lambda url: False)
    monkeypatch.setattr("threading.Thread.start", lambda thread: thread.run())
    listening.open_in_browser("http://127.0.0.1:1/")
    assert capsys.readouterr().err == "No browser can be opened here: open http://127.0.0.1:1/ in one.\n"


@pytest.mark.parametrize("command", [["query"], ["query", "--json"], ["feedback", "POST"]])
@pytest.mark.parametrize("text", ["-5 degrees and the battery is empty", "--swollen knee"])
def test_a_text_that_begins_with_a_dash_is_told_where_it_goes(index: Path, command: list[str], text: str) -> None:
    """Behind two dashes, where it is searched for."""
    refused = run(index, *command, text)
    assert (refused.exit_code, "behind two dashes and a blank: -- TEXT" in refused.stderr) == (2, True), refused.output
    assert run(index, "query", "--", text).exit_code in (0, 1)
    assert "two dashes" not in run(index, "list", "--nothing").stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["build", "faq.jsonl", "--map", "foo=bar"], "--map: foo=bar is invalid"),
        (["build", "faq.jsonl", "--encoding", "foo"], "--encoding: 'foo' is unknown"),
        (["build", "faq.jsonl", "--name", ""], "--name: '' is invalid"),
        (["build", "faq.jsonl", "--largest-loss", "nan"], "'--largest-loss': 'nan' is not a number"),
        (["build", "faq.jsonl", "--recall", "nan"], "'--recall': 'nan' is not a number"),
        (["inspect", "faq.jsonl", "--encoding", "foo"], "--encoding: 'foo' is unknown"),
        (["feedback", "ID", "", "--index", "INDEX"], "TEXT must be a text of 1 to 10,000 characters"),
        (["query", "knee", "--min-confidence", "nan", "--index", "INDEX"], "'nan' is not a number"),
        (["review", "--format", "html", "--json", "--index", "INDEX"], "--json and --format html cannot be used"),
        (["gaps", "-", "--format", "html", "--json", "--index", "INDEX"], "--json and --format html cannot be used"),
    ],
)
def test_a_wrong_value_is_wrong_usage(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    """Status 2, in the words of the command."""
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "faq.jsonl", POSTS)
    known = {"INDEX": str(index), "ID": id_of(index, "knee")}
    result = CliRunner().invoke(cli, [known.get(one, one) for one in arguments])
    assert (result.exit_code, said in result.stderr) == (2, True), result.output
    assert not (tmp_path / "index").exists()


def test_messages_have_small_words_that_fit(index: Path, tmp_path: Path) -> None:
    """What is not there is not said to answer, and one client is no clients."""
    (tmp_path / "empty").write_text("\n")
    asked = run(index, "query", "--from", tmp_path / "empty")
    assert (asked.exit_code, asked.stdout, asked.stderr) == (0, "", f"{tmp_path}/empty: no query in it.\n")
    assert run(index, "query", "--from", tmp_path / "empty", "--quiet").output == ""
    nowhere = CliRunner().invoke(cli, ["questions", "show", str(tmp_path / "nowhere")])
    assert (nowhere.exit_code, "Name a log of questions." in nowhere.stderr) == (3, True)
    votes = run(index, "feedback", id_of(index, "knee"), "my knee", "--file", tmp_path / "votes")
    assert votes.exit_code == 0
    assert "(1 client): my knee" in run(index, "feedback", "--file", tmp_path / "votes").stdout
    build = CliRunner().invoke(cli, ["build", str(tmp_path / "empty"), "--index", str(tmp_path / "empty"), "-q"])
    assert (build.exit_code, "still answers" in build.stderr) == (3, False)
    (tmp_path / "asked").write_text("the clutch of my old car slips\n" * 3)
    gaps = run(index, "gaps", tmp_path / "asked")
    assert "3 complaints to" in gaps.stdout
    assert "1 group of at least 3" in gaps.stdout or "0 groups" in gaps.stdout
