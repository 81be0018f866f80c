"""The archivist's commands: build again, add, remove, sources, log, undo; and a build that is interrupted."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import qa_search
from qa_search.interfaces.cli import cli
from tests.helpers import ROOT, WordsEmbedder, page, write_pages


@pytest.fixture(autouse=True)
def words(monkeypatch: pytest.MonkeyPatch) -> None:
    """No command loads a model."""
    build_index = qa_search.build_index
    monkeypatch.setattr(
        qa_search,
        "build_index",
        lambda *args, **options: build_index(*args, **{**options, "model": WordsEmbedder()}),
        raising=False,
    )


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(item) for item in arguments])


@pytest.fixture
def index(tmp_path: Path) -> Path:
    pages = write_pages(tmp_path / "club" / "pages", 20)
    assert run("build", pages, "--index", tmp_path / "index").exit_code == 0
    return tmp_path / "index"


def test_the_slip_that_everybody_makes(index: Path, tmp_path: Path) -> None:
    """A build of one source of two, or of another folder: exit status 3, and the way on as options."""
    other = write_pages(tmp_path / "other" / "pages", 5)
    result = run("build", other, "--index", index)
    assert result.exit_code == 3
    assert result.stderr.startswith("Error: this build would remove 15 of 20 posts (club/pages post-00005.txt, ")
    assert f"g000001 still answers. To go on: read {tmp_path}/club/pages too" in result.stderr
    assert "--name club/pages" in result.stderr
    assert result.stderr.rstrip().endswith("if it is intended, build with --allow-shrink.")
    dry = run("build", other, "--index", index, "--dry-run")
    assert dry.exit_code == 0
    assert dry.stdout.splitlines()[0] == f"Dry run, nothing was built. {index} would have 5 posts"
    assert "--allow-shrink" in dry.stdout
    assert "language" not in dry.stdout  # it is not looked for
    built = run("build", other, "--index", index, "--allow-shrink")
    assert built.exit_code == 0
    assert "Since g000001: 5 added, 15 removed, 5 under another id" in built.stdout
    assert f"No longer read: {tmp_path}/club/pages (name: club/pages)" in built.stdout
    assert run("undo", "--index", index).stdout.startswith("g000001 answers now.")
    log = run("log", "--index", index).stdout.splitlines()
    assert [re.sub(r"  \S+Z", "", line) for line in log] == [
        "g000002  5 posts  kept     5 added, 15 removed, 5 under another id",
        "g000001  20 posts  answers  20 added",
    ]


def test_undo_says_where_no_post_differs(index: Path, tmp_path: Path) -> None:
    """Going back over a build that changed no post helps nobody who lost one."""
    (tmp_path / "club" / "pages" / "y.bin").write_bytes(b"\0\1\2")
    assert run("build", "--index", index).exit_code == 0
    assert "Its posts are those of g000002" in run("undo", "--index", index).stdout
    assert "Its posts" not in run("undo", "--to", "g000002", "--index", index).stdout


def test_undo_leads_away_from_a_damaged_generation(index: Path, tmp_path: Path) -> None:
    """Though the log of what answers cannot be read then."""
    (tmp_path / "club" / "pages" / "new.txt").write_text(page("Wrist", "my wrist hurts", "rest it"))
    assert run("build", "--index", index).exit_code == 0
    with (index / "generations" / "g000002" / "manifest.json").open("a") as manifest:
        manifest.write(" ")
    assert run("log", "--index", index).exit_code == 3
    assert run("undo", "--index", index).stdout.startswith("g000001 answers now.")


def test_sources_are_added_shown_and_removed(index: Path, tmp_path: Path) -> None:
    """With names of their own; later builds need none of them named."""
    other = tmp_path / "new place"
    other.mkdir()
    (other / "x.txt").write_text(page("Wrist", "my wrist hurts", "rest it"))
    result = run("add", other, "--name", "wrists", "--index", index)
    assert "1 added, 20 unchanged" in result.stdout
    assert run("sources", "--index", index).stdout.splitlines() == [
        f"{tmp_path}/club/pages  (name: club/pages)",
        f"{other}  (name: wrists)",
    ]
    assert json.loads(run("sources", "--index", index, "--json").stdout)[1] == {"path": str(other), "name": "wrists"}
    again = run("build", "--index", index)
    assert again.stdout.startswith("No source changed: g000002 still answers, 21 posts in ")
    assert "1 removed, 20 unchanged" in run("remove", "wrists", "--index", index).stdout
    moved = other.rename(tmp_path / "pages")
    assert "1 added" in run("add", moved, "--name", "wrists", "--index", index).stdout
    (tmp_path / "club" / "pages").rename(tmp_path / "elsewhere")
    gone = run("build", "--index", index)
    assert gone.exit_code == 3
    assert f"qa-search add NEW --name club/pages --index {index}" in gone.stderr
    assert f"qa-search remove club/pages --index {index}" in gone.stderr
    again = run("add", tmp_path / "elsewhere", "--name", "club/pages", "--index", index)
    assert "21 unchanged" in again.stdout


def test_reports_as_json_have_what_changed(index: Path, tmp_path: Path) -> None:
    """By source, with the generation before and those that were cleared away."""
    (tmp_path / "club" / "pages" / "x.txt").write_text(page("New", "q", "a"))
    report = json.loads(run("build", "--index", index, "--json", "--quiet").stdout)
    assert report["previous"] == "g000001"
    assert report["changes"] == [
        {"source": "club/pages", "added": 1, "changed": 0, "removed": 0, "renamed": 0, "unchanged": 20}
    ]
    assert report["cleared"] == []
    log = json.loads(run("log", "--index", index, "--json").stdout)
    assert [(entry["generation"], entry["answers"]) for entry in log] == [("g000002", True), ("g000001", False)]


@pytest.mark.parametrize("command", [["build"], ["add"]])
def test_a_name_goes_with_one_source(index: Path, command: list[str]) -> None:
    """With several it would be unclear which is meant."""
    result = run(*command, "a", "b", "--name", "n", "--index", index)
    assert (result.exit_code, "--name needs exactly one SOURCE" in result.stderr) == (2, True)


@pytest.mark.process
def test_ctrl_c_ends_a_build_with_130(tmp_path: Path) -> None:
    """And says that nothing was changed, and how to go on."""
    program = (
        "import time; from qa_search.builder import build as b\n"
        "def wait(*_, **__):\n    print('waiting', flush=True)\n    time.sleep(600)\n"
        "b.locate_model = wait\nfrom qa_search.interfaces.cli import main\nmain()"
    )
    pages = write_pages(tmp_path / "pages", 2)
    process = subprocess.Popen(
        [sys.executable, "-c", program, "build", str(pages), "--index", str(tmp_path / "index"), "--quiet"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=600)
    assert process.returncode == 130
    assert said.strip() == "Interrupted. Nothing was changed; the same command goes on from what was computed."


@pytest.mark.process
def test_a_build_that_watches_builds_when_files_change(tmp_path: Path) -> None:
    """Errors are printed and survived; the index inside of a source is not watched; Ctrl-C ends it."""
    program = (
        "import qa_search; from tests.helpers import WordsEmbedder; build = qa_search.build_index\n"
        "qa_search.build_index = lambda *a, **o: build(*a, **{**o, 'model': WordsEmbedder()})\n"
        "from qa_search.interfaces.cli import main\nmain()"
    )
    pages = write_pages(tmp_path / "pages", 2)
    write_pages(pages / "old", 8, start=2)
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", program, "build", str(pages), "--index", str(pages / "index"), "--watch"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert process.stdout is not None
    said = process.stdout

    def until(text: str) -> str:
        """Read lines until one has a text."""
        for line in said:
            if text in line:
                return line
        pytest.fail(f"the end came before {text!r}")

    until("Watching")
    (pages / "new.txt").write_text(page("New", "my elbow hurts", "rest it"))
    assert "1 added, 10 unchanged" in until("Since g000001")
    (pages / "old").rename(tmp_path / "away")
    assert "Error: this build would remove 8 of 11 posts" in until("Error")
    (tmp_path / "away").rename(pages / "old")
    (pages / "newer.txt").write_text(page("Newer", "my toe hurts", "rest it"))
    assert "1 added, 11 unchanged" in until("Since g000002")
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=600)
    assert process.returncode == 130


def test_only_the_command_builds_from_the_usual_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new index is built from data/archive of the current folder; without it, the command asks for sources."""
    monkeypatch.chdir(tmp_path)
    asked = run("build", "--index", "index")
    assert (asked.exit_code, asked.stderr.count("\n")) == (3, 1)
    assert "index: no index in this folder" in asked.stderr
    assert "qa-search build SOURCE --index index" in asked.stderr
    write_pages(tmp_path / "data" / "archive", 3)
    assert run("build", "--index", "index", "--quiet").exit_code == 0
    assert run("sources", "--index", "index").stdout == f"{tmp_path}/data/archive  (name: data/archive)\n"
