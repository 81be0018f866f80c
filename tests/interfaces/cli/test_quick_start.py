"""Help, version and completion load no library that a search needs: they answer at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import qa_search
from qa_search import SearchIndex, build_index
from qa_search.index.peek import choices
from qa_search.interfaces.cli import cli
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
