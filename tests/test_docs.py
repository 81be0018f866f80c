"""The docs say what is true."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import click
import pytest

import qa_search
from qa_search.archives.formats.roles import ROLES, role_of
from qa_search.archives.read import BUILT_IN_READERS
from qa_search.interfaces.cli import cli
from tests.helpers import ROOT


@pytest.mark.parametrize(
    ("script", "made"),
    [
        ("help", "commands.md"),
        ("python_api", "python-api.md"),
        ("imports", "architecture.md"),
        ("counts", "reliability.md"),
        ("scaling", "scaling.md"),
    ],
)
def test_pages_made_from_the_code_and_from_results_are_up_to_date(script: str, made: str) -> None:
    """Run ``make docs`` when they are not."""
    assert (ROOT / "docs" / made).read_text(encoding="utf-8") == _script(script).page()


def _script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# click-man asks click for short helps by a function that click 9 will not have.
@pytest.mark.filterwarnings("ignore:.*make_default_short_help:DeprecationWarning")
def test_the_manual_pages_are_up_to_date() -> None:
    """One for each command, and for each command of a command. Run ``make docs`` when they are not."""
    module = _script("man")
    written = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "man").iterdir()}
    assert written == module.pages()
    assert {"qa-search.1", "qa-search-query.1", "qa-search-mcp-install.1"} <= written.keys()


def test_every_environment_variable_is_in_one_list() -> None:
    """Those that qa_search has made up, wherever they are read."""
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "qa_search").rglob("*.py"))
    listed = (ROOT / "docs" / "environment.md").read_text(encoding="utf-8")
    assert set(re.findall(r"QA_SEARCH_[A-Z]+", code)) == set(re.findall(r"QA_SEARCH_[A-Z]+", listed))


def test_the_readme_names_every_command_and_both_make_targets() -> None:
    """A command that is not in the README does not exist for most people."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in cli.list_commands(click.Context(cli)):
        assert f"qa-search {name}" in readme
    assert "make demo" in readme
    assert "make test" in readme


def test_the_page_of_formats_names_every_format_and_role() -> None:
    """And every name of a field in its table is one that a build knows."""
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    for reader in BUILT_IN_READERS:
        for word in re.findall(r"\w+", reader.name):
            assert word in page
    rows = [row.split("|") for row in page.partition("| role |")[2].partition("\n\n")[0].splitlines()[2:]]
    assert set(ROLES) <= {role.strip() for row in rows for role in row[1].split(",")}
    names = {re.sub(r"\(.*?\)", "", name).strip() for row in rows for name in re.split("[,;]", row[2])}
    assert names
    assert not {name for name in names if role_of(name) is None}


def test_links_between_the_docs_lead_somewhere() -> None:
    """Every relative link in a Markdown file of the project."""
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "data").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            assert Path(path.parent, link).exists(), f"{path.name}: {link}"


def test_the_page_of_reliability_names_every_test_of_it() -> None:
    """And none that does not exist."""
    held = {path.name for path in (ROOT / "tests" / "reliability").glob("test_*.py")}
    named = set(re.findall(r"test_\w+\.py", (ROOT / "docs" / "reliability.md").read_text("utf-8")))
    assert held <= named
    assert named <= {path.name for path in (ROOT / "tests").rglob("test_*.py")}


def test_the_page_of_python_has_every_public_name_and_member() -> None:
    """Each function, class, record and error, and each public method and property of the classes."""
    page = (ROOT / "docs" / "python-api.md").read_text(encoding="utf-8")
    for name in qa_search.__all__:
        assert re.search(rf"^(### {name}$|- `{name}`)", page, re.MULTILINE), name
        item = getattr(qa_search, name)
        if isinstance(item, type) and not issubclass(item, Exception):
            members = [member for member in vars(item) if not member.startswith("_")]
            for member in members:
                assert re.search(rf"^(#### {name}\.{member}$|- `{member}`)", page, re.MULTILINE), f"{name}.{member}"
