"""The shape of the package: imports point down, the surface is small, importing is light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import qa_search
from qa_search import errors

PACKAGE = Path(qa_search.__file__).parent

# Lowest first: a module may import from its own layer and those above this line's place in the list.
LAYERS = (
    ("errors",),
    ("types",),
    ("sentences", "text", "dates", "statistics", "files", "threads"),
    ("archives", "passages"),
    ("embedders",),
    ("encoders", "stores", "ranking", "manifest", "generations"),
    ("complaints", "questions", "reranking", "cluster"),
    ("retrieval", "reuse", "places"),
    ("calibration", "hits"),
    ("writing",),
    ("build", "search"),
    ("verification",),
    ("evaluation",),
    ("tuning",),
    ("__init__",),
    ("export", "client", "mcp_server", "web"),
    ("cli",),
    ("__main__",),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def layer(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Names of the top-level parts of qa_search that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            assert node.level == 0, "relative import"
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "qa_search":
                found.add(parts[1] if len(parts) > 1 else "__init__")
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    """A module knows its own layer and those below it, never one above."""
    own = LEVEL[layer(path)]
    above = {name for name in imported(path) if LEVEL[name] > own}
    same = {name for name in imported(path) if LEVEL[name] == own and name != layer(path)}
    assert not above
    assert own in (LEVEL["archives"], LEVEL["stores"]) or not same


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_surfaces_print_and_exit(path: Path) -> None:
    """The library neither prints nor exits nor knows click."""
    if layer(path) in ("cli", "__main__"):
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    modules_used = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    assert not names & {"print", "exit", "input"}
    assert "click" not in modules_used


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


def test_importing_changes_nothing() -> None:
    """No warning filters, no logging set-up, no environment variables."""
    program = (
        "import os, warnings, logging, numpy, faiss, lxml, click, filelock; "
        "before = (dict(os.environ), list(warnings.filters), list(logging.root.handlers)); "
        "import qa_search, qa_search.interfaces.cli; "
        "assert before == (dict(os.environ), list(warnings.filters), list(logging.root.handlers))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_test_states_its_claim() -> None:
    """In a docstring of its own."""
    for path in Path(__file__).parent.rglob("test_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                assert ast.get_docstring(node), f"{path.name}: {node.name}"
