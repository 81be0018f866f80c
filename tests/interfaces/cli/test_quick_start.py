"""Help, version and completion load no library that a search needs: they answer at once."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import qa_search
from qa_search import SearchIndex, build_index
from qa_search.index.owned import POINTER
from qa_search.index.peek import choices
from qa_search.interfaces.cli import cli
from qa_search.interfaces.cli.completion import complete_indexes
from tests.helpers import ROOT, WordsEmbedder, write_jsonl

HEAVY = {
    "apsw", "asyncio", "faiss", "fastapi", "httpx2", "lxml", "numpy", "onnxruntime", "py3langid", "tantivy",
    "tokenizers", "torch", "uvicorn",
}  # fmt: skip
COMMANDS = cli.list_commands(click.Context(cli))
PROGRAM = f"""
import atexit, json, sys
atexit.register(lambda: print(json.dumps(sorted({HEAVY!r} & set(sys.modules))), file=sys.stderr))
"""
RUN = f"{PROGRAM}\nfrom qa_search.interfaces.cli import main\nmain()"


def loaded(program: str, *arguments: str, **environment: str) -> tuple[str, list[str]]:
    """Run a program; return what it printed, and which heavy modules it loaded."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=True, timeout=600,
    )  # fmt: skip
    return done.stdout, json.loads(done.stderr.splitlines()[-1])


@pytest.mark.process
@pytest.mark.parametrize("arguments", [["--version"], ["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_and_version_load_nothing_heavy(arguments: list[str]) -> None:
    """Of any command."""
    said, heavy = loaded(RUN, *arguments)
    assert heavy == []
    assert said.startswith("Usage: " if "--help" in arguments else f"qa-search, version {qa_search.__version__}")


@pytest.mark.process
def test_a_command_ends_without_a_look_for_garbage() -> None:
    """Of all that was imported nothing is looked through once more: in a query that took longer than the search."""
    program = "import atexit, gc\natexit.register(lambda: print(gc.get_freeze_count() > len(gc.get_objects())))\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}from qa_search.interfaces.cli import main\nmain()", "--version"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=600,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "True"


@pytest.mark.process
def test_a_completion_loads_nothing_heavy() -> None:
    """Each TAB waits for it."""
    words = {"_QA_SEARCH_COMPLETE": "bash_complete", "COMP_WORDS": "qa-search query --si", "COMP_CWORD": "2"}
    program = RUN.replace("main()", "import click; main.__globals__['cli'](prog_name='qa-search')")
    said, heavy = loaded(program, **words)
    assert (said, heavy) == ("plain,--since\n", [])


@pytest.mark.process
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("query --tag so", "sore-knee"),
        ("query --tag su", ""),
        ("query --store postgresql://x/y --tag so", ""),
        ("list --source ", "{source}"),
        ("show ", "{post_id}"),
        ("similar ", "{post_id}"),
    ],
)
def test_ids_tags_and_sources_are_completed_at_once(tmp_path: Path, words: str, offered: str) -> None:
    """From the index that is named before, in QA_SEARCH_INDEX or by default, without its stores."""
    record = {"question": "My knee hurts.", "answer": "Rest it.", "title": "Knee", "tags": ["Sore knee", "x\ny"]}
    build_index(write_jsonl(tmp_path / "club" / "faq.jsonl", [record]), tmp_path / "index", model=WordsEmbedder())
    with SearchIndex.open(tmp_path / "index", model=WordsEmbedder()) as index:
        (post,) = index.list_posts()
    environment = {"_QA_SEARCH_COMPLETE": "bash_complete", "COMP_WORDS": f"qa-search {words}"}
    environment["COMP_CWORD"] = str(len(f"qa-search {words}".split(" ")) - 1)
    program = RUN.replace("main()", "import click; main.__globals__['cli'](prog_name='qa-search')")
    said, heavy = loaded(program, **environment, QA_SEARCH_INDEX=str(tmp_path / "index"))
    expected = offered.format(source=post.source, post_id=post.post_id)
    assert (said.strip(), heavy) == (f"plain,{expected}" if expected else "", [])


def offered(typed: str) -> list[tuple[str, str]]:
    """Complete --index; return the type and the value of each choice."""
    found = cli.get_command(click.Context(cli), "info")
    assert found is not None
    return [(item.type, item.value) for item in complete_indexes(click.Context(found), found.params[0], typed)]


def test_folders_that_are_indexes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they are typed, three folders deep; where there is none, and where one needs quoting, the shell offers any."""
    for name in ("index", "inner/club/index", "too/deep/to/find", ".hidden/index", "with blank"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / POINTER).touch()
    (tmp_path / "inbox").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert offered("") == [("plain", "index"), ("plain", "inner/club/index")]
    assert offered("inn") == [("plain", "inner/club/index")]
    assert offered("./ind") == [("plain", "./index")]
    assert offered("~/ind") == [("plain", "~/index")]
    assert offered(f"{tmp_path}/ind") == [("plain", f"{tmp_path}/index")]
    assert offered("index/") == [("plain", "index/")]
    assert offered(".hid") == [("plain", ".hidden/index")]
    for typed in ("inb", "too", "with", "~nobody-of-that-name/", "no/such/", "x" * 300 + "/", "\0"):
        assert offered(typed) == [("dir", typed)]


def parameters(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Parameter]]:
    """Yield the parameters of a command and of those below it."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from parameters(found, f"{name} {below}")
    yield from ((f"{name} {parameter.opts[0]}", parameter) for parameter in command.params)


def test_files_and_folders_are_completed() -> None:
    """Wherever one is named: a shell offers none by itself where a program completes."""
    kinds = {}
    for name, parameter in parameters(cli):
        if re.search("FILE|FOLDER|PATH|SOURCE|DATASET", parameter.metavar or ""):
            choices_of_it = parameter.shell_complete(click.Context(cli), "no-such-index")
            kinds[name] = [item.type for item in choices_of_it]
    assert len(kinds) > 40
    assert [name for name, offered_there in kinds.items() if offered_there not in (["file"], ["dir"])] == []


@pytest.mark.process
def test_an_index_is_completed_at_once(tmp_path: Path) -> None:
    """Without loading what opens one."""
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / POINTER).touch()
    words = {"COMP_WORDS": f"qa-search query --index {tmp_path}/in", "COMP_CWORD": "3"}
    program = RUN.replace("main()", "import click; main.__globals__['cli'](prog_name='qa-search')")
    said, heavy = loaded(program, _QA_SEARCH_COMPLETE="bash_complete", **words)
    assert (said, heavy) == (f"plain,{tmp_path}/index\n", [])


@pytest.mark.parametrize("pointer", [b"", b"g000001", b"../x y", b"\xff", b"\0 x"])
def test_an_index_that_cannot_be_read_offers_nothing(tmp_path: Path, pointer: bytes) -> None:
    """A completion never fails: there is nobody to read its message."""
    assert choices(tmp_path, "id", "") == []
    (tmp_path / "CURRENT").write_bytes(pointer)
    assert choices(tmp_path, "tag", "") == []
    folder = tmp_path / "generations" / "g000001"
    folder.mkdir(parents=True)
    (folder / "posts.sqlite").write_bytes(b"no database" * 500)
    assert choices(tmp_path, "source", "") == []


@pytest.mark.process
def test_importing_the_package_loads_nothing_heavy() -> None:
    """Its names load what they need when they are used."""
    assert loaded(f"{PROGRAM}\nimport qa_search; print(qa_search.__version__)") == (f"{qa_search.__version__}\n", [])


def test_every_public_name_can_be_had() -> None:
    """Also those that are loaded when they are used."""
    assert all(getattr(qa_search, name) is not None for name in qa_search.__all__)


def test_help_and_misspelt_commands_lead_on() -> None:
    """``help`` is what people type first; a slip of the finger is answered with what was meant."""
    run = CliRunner().invoke
    assert run(cli, ["help"]).stdout == run(cli, ["--help"]).stdout
    assert run(cli, ["help", "query"]).stdout.startswith("Usage: ")
    assert "--since DATE" in run(cli, ["help", "query"]).stdout
    misspelt = run(cli, ["qurey", "my", "knee"])
    assert (misspelt.exit_code, "Did you mean query?" in misspelt.stderr) == (2, True)
    assert "No such command 'xxx'" in run(cli, ["help", "xxx"]).stderr
