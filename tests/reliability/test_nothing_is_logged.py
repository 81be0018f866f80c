"""A search and the service write nothing, unless a log of questions is asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from qa_search import build_index, read_questions
from qa_search.search.feedback import read_votes
from tests.helpers import ROOT, WordsEmbedder, write_pages

# Prints every file that the process opens for writing or makes, and every database that it opens. (What it removes, and
# what libraries below Python open, the comparison of all files before and after shows.)
WATCHED = """
import atexit, json, os, sys
seen = []
MAKES = {"os.mkdir": 0, "os.rename": 1, "os.symlink": 1, "os.link": 1, "os.truncate": 0, "sqlite3.connect": 0}
def watch(event, args):
    if event == "open":
        path, mode, flags = args
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC)
        if not isinstance(path, int) and writes:
            seen.append(os.fsdecode(path))
    elif event in MAKES and not isinstance(args[MAKES[event]], int):
        seen.append(os.fsdecode(args[MAKES[event]]))
sys.dont_write_bytecode = True
sys.addaudithook(watch)
atexit.register(lambda: print(json.dumps(seen), file=sys.stderr))
"""
QUERY = """
from tests.interfaces.cli.words import main, pytest, use_words
use_words(pytest.MonkeyPatch())
main()
"""
SERVE = """
from pathlib import Path
from tests.interfaces.web.test_app import Settings, ask, serving
from qa_search import QuestionLog
log = QuestionLog(sys.argv[2]) if len(sys.argv) > 2 and sys.argv[2] else None
feedback = Path(sys.argv[3]) if len(sys.argv) > 3 else None
with serving(Path(sys.argv[1]), Settings(rate=0, questions=log), feedback=feedback) as address:
    print(ask(f"{address}/api/search?q=knee7+call+555+123+4567")[0])
    print(ask(f"{address}/?q=knee7")[0])
    print(ask(f"{address}/api/search", {"query": "sore heel"})[0])
    if feedback is not None:
        post = ask(f"{address}/api/search?q=knee7")[1]["hits"][0]["post_id"]
        vote = {"query": "knee7 call 555 123 4567", "post_id": post, "answered": True}
        print(ask(f"{address}/api/feedback", vote)[0])
if log is not None:
    log.close()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that holds an index, and all that a process could take for its own."""
    build_index(write_pages(tmp_path / "pages", 12), tmp_path / "index", model=WordsEmbedder())
    for name in ("home", "temporary", "cache"):
        (tmp_path / name).mkdir()
    return tmp_path


def files_in(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the size and time of every file and folder."""
    found = sorted(folder.rglob("*"))
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in found if path.is_file()}


def watched(program: str, folder: Path, *arguments: str) -> tuple[str, list[str]]:
    """Run a program in the folder; return its output, and what it wrote outside of its temporary folder."""
    environment = {
        **os.environ, "HOME": str(folder / "home"), "TMPDIR": str(folder / "temporary"), "PYTHONPATH": str(ROOT),
        "QA_SEARCH_CACHE": str(folder / "cache"), "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", WATCHED + program, *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    written = [path for path in json.loads(done.stderr.splitlines()[-1]) if path not in ("/dev/null", "/dev/tty")]
    own = folder / "temporary"
    return done.stdout, [path for path in written if own not in (Path(path), *Path(path).parents)]


QUERIES = (
    ("query", "knee7", "hurts", "--index", "index"),
    ("query", "--index", "index", "--json", "quite", "another", "matter"),
    ("info", "--index", "index"),
)


@pytest.mark.process
@pytest.mark.parametrize("command", QUERIES, ids=lambda command: command[0])
def test_a_search_writes_no_file(folder: Path, command: tuple[str, ...]) -> None:
    """Not even in the home folder; the temporary folder is empty again afterwards."""
    before = files_in(folder)
    output, written = watched(QUERY, folder, *command)
    assert output
    assert written == []
    assert files_in(folder) == before


@pytest.mark.process
def test_the_service_writes_no_file(folder: Path) -> None:
    """Whatever it is asked."""
    before = files_in(folder)
    output, written = watched(SERVE, folder, str(folder / "index"))
    assert output.split() == ["200"] * 3
    assert written == []
    assert files_in(folder) == before


@pytest.mark.process
def test_a_log_that_was_asked_for_is_the_only_file(folder: Path) -> None:
    """The watching sees it, so it would see others; the page and both ways of the API are in it, masked."""
    before, log = files_in(folder), folder / "questions.sqlite"
    output, written = watched(SERVE, folder, str(folder / "index"), str(log))
    assert output.split() == ["200"] * 3
    assert set(written) == {str(log)}
    assert {name: state for name, state in files_in(folder).items() if name != str(log)} == before
    assert [one.text for one in read_questions(log)] == ["knee7 call [number]", "knee7", "sore heel"]


@pytest.mark.process
def test_a_query_is_logged_if_asked_for(folder: Path) -> None:
    """Once, with what it was answered."""
    output, written = watched(QUERY, folder, "query", "knee7 hurts", "--index", "index", "--json", "--log", "q")
    assert set(written) == {"q"}
    (question,) = read_questions(folder / "q")
    result = json.loads(output)
    assert (question.text, question.answered, question.confidence, question.best) == (
        "knee7 hurts", result["answered"], result["confidence"], result["hits"][0]["post_id"],
    )  # fmt: skip


@pytest.mark.process
def test_a_file_of_votes_that_was_asked_for_is_the_only_file(folder: Path) -> None:
    """It has the vote, masked, and no question beside."""
    before, votes = files_in(folder), folder / "votes.jsonl"
    output, written = watched(SERVE, folder, str(folder / "index"), "", str(votes))
    assert output.split() == ["200"] * 4
    assert set(written) == {str(votes)}
    assert {name: state for name, state in files_in(folder).items() if name != str(votes)} == before
    assert [vote.query for vote in read_votes(votes)] == ["knee7 call [number]"]
