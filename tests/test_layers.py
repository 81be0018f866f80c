"""The shape of the package: imports point down, the surface is small, importing is light."""

from __future__ import annotations

import ast
import graphlib
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import qa_search
from qa_search import errors
from qa_search.interfaces.cli import cli

PACKAGE = Path(qa_search.__file__).parent

# Lowest first: a folder imports from itself and from those left of it.
LAYERS = (
    ("types", "errors"),
    ("util",),
    ("archives", "embedders"),
    ("index",),
    ("search",),
    ("insights",),
    ("builder",),
    ("evaluation", "review"),
    ("interfaces",),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = ("qa_search", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(part for part in parts if part != "__init__")


MODULES = {name_of(path): path for path in modules()}


def layer(module: str) -> str:
    return module.split(".")[1]


def imported(path: Path) -> set[str]:
    """Names of the modules of qa_search that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, "relative import"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner & set(MODULES) or {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & set(MODULES)


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"qa_search", "qa_search.__main__"}))
def test_imports_point_one_way(module: str) -> None:
    """A folder knows itself and the folders left of it, and never one beside or right of it.

    The package itself has names of all folders: only the last one may use it.
    """
    own = layer(module)
    names = imported(MODULES[module])
    assert "qa_search" not in names or own == LAYERS[-1][0]
    others = {layer(name) for name in names - {"qa_search"}} - {own}
    assert own in LEVEL
    assert all(LEVEL.get(other, len(LAYERS)) < LEVEL[own] for other in others), others


def test_stores_do_not_know_what_opens_them() -> None:
    """A store imports the other stores and the tools that all of an index shares, never a generation or the folder."""
    shared = {"filters", "integrity", "owned"}
    stores = {name: path for name, path in MODULES.items() if name.startswith("qa_search.index.stores.")}
    assert len(stores) > 5
    for name, path in stores.items():
        inner = {found.split(".")[2] for found in imported(path) if found.startswith("qa_search.index.")}
        assert inner <= {"stores", *shared}, name


def test_no_modules_import_one_another_in_a_circle() -> None:
    """Not even inside a function, and not through others."""
    order = graphlib.TopologicalSorter({module: imported(path) for module, path in MODULES.items()})
    order.prepare()


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_command_prints_and_exits(path: Path) -> None:
    """The library neither prints nor exits, and only the interfaces know click."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    modules_used = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    inner = path.relative_to(PACKAGE).parts
    assert inner[:2] == ("interfaces", "cli") or not names & {"print", "exit", "input"}
    assert inner[0] == "interfaces" or "click" not in modules_used


def options_and_commands() -> tuple[set[str], set[str]]:
    """The names of all options and all commands, from the commands themselves."""
    commands = {name: cli.get_command(click.Context(cli), name) for name in cli.list_commands(click.Context(cli))}
    params = [param for command in (cli, *commands.values()) if command is not None for param in command.params]
    return {name for param in params for name in (*param.opts, *param.secondary_opts) if name[:2] == "--"}, {*commands}


OPTIONS, COMMANDS = options_and_commands()
COMMAND_WORDS = re.compile(
    rf"(?<![\w-])(?:{'|'.join(sorted(OPTIONS))})(?![\w-])|\bqa-search (?:{'|'.join(sorted(COMMANDS))})\b"
)


@pytest.mark.parametrize(
    "path",
    [path for path in modules() if path.relative_to(PACKAGE).parts[0] != "interfaces"],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_the_library_does_not_name_options_and_commands(path: Path) -> None:
    """Messages, docstrings and comments name parameters and functions; the command translates them."""
    assert len(OPTIONS) > 40
    assert COMMAND_WORDS.findall(path.read_text(encoding="utf-8")) == []


def test_the_public_names_are_complete_and_sorted() -> None:
    """Everything in __all__ exists, and every public class of errors and types is in it."""
    assert qa_search.__all__ == sorted(qa_search.__all__)
    assert all(hasattr(qa_search, name) for name in qa_search.__all__)
    assert set(errors.__all__) <= set(qa_search.__all__)


def test_every_error_is_in_the_tree_that_the_docs_draw() -> None:
    """And below the root."""
    for name in errors.__all__:
        assert name in (errors.__doc__ or "")
        assert issubclass(getattr(errors, name), errors.QASearchError)


@pytest.mark.parametrize("path", sorted((PACKAGE / "interfaces").rglob("*.py")), ids=lambda path: path.stem)
def test_interfaces_import_no_private_names(path: Path) -> None:
    """What two modules share has a public name."""
    names = {
        alias.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("qa_search")
        for alias in node.names
    }
    assert not {name for name in names if name.startswith("_")}


@pytest.mark.process
def test_a_client_without_its_extra_names_the_command_that_installs_it() -> None:
    """Importing the package itself needs no extra, and loads no client."""
    program = (
        "import sys; sys.modules['httpx2'] = None; import qa_search; "
        "assert 'qa_search.interfaces.web.client' not in sys.modules\n"
        "try: qa_search.Client\n"
        "except qa_search.MissingExtraError as error: print(error)"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "pip install 'qa-search[client]'" in out


@pytest.mark.process
def test_importing_is_light() -> None:
    """No torch, no transformers, no sentence_transformers, no hub, no 7z, no Ray, no psycopg until they are needed."""
    program = (
        "import sys, qa_search, qa_search.interfaces.cli, qa_search.builder.build; "
        "print(sorted({m.split('.')[0] for m in sys.modules} & "
        "{'torch', 'transformers', 'sentence_transformers', 'huggingface_hub', 'py7zr', 'scipy', 'sklearn', "
        "'ray', 'pyarrow', 'pandas', 'psycopg', 'pgvector'}))"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


@pytest.mark.process
def test_importing_changes_nothing() -> None:
    """No warning filters, no logging set-up, no environment variables but the one that keeps onnxruntime silent."""
    program = (
        "import os, warnings, logging, numpy, faiss, lxml, click, filelock; "
        "before = (dict(os.environ), list(warnings.filters), list(logging.root.handlers)); "
        "import qa_search, qa_search.interfaces.cli; "
        "os.environ.pop('ORT_DISABLE_TELEMETRY', None); "
        "assert before == (dict(os.environ), list(warnings.filters), list(logging.root.handlers))"
    )
    environment = {name: os.environ[name] for name in ("HOME", "PATH", "PYTHONPATH") if name in os.environ}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)


def test_every_test_states_its_claim() -> None:
    """In a docstring of its own."""
    for path in Path(__file__).parent.rglob("test_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                assert ast.get_docstring(node), f"{path.name}: {node.name}"
