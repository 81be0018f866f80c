"""The Containerfile is read, not run: no container engine is needed."""

from __future__ import annotations

import json
import re
import shlex

import click

from qa_search.interfaces.cli import cli
from tests.helpers import ROOT

KNOWN = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "ENTRYPOINT", "CMD"}


def instructions() -> list[tuple[str, str]]:
    """The instructions, one a line, without comments."""
    lines = (ROOT / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    written = [line for line in lines if line.strip() and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in written]


def values(name: str) -> list[str]:
    return [value for instruction, value in instructions() if instruction == name]


def test_every_instruction_is_one_and_each_stage_has_a_pinned_base() -> None:
    """Each stage begins with an image of a named version that the project supports."""
    assert {name for name, _ in instructions()} <= KNOWN
    assert instructions()[0][0] == "FROM"
    bases = values("FROM")
    assert all(re.fullmatch(r"python:3\.1[1-9]-slim( AS \w+)?", base) for base in bases)
    stages = {base.rpartition(" AS ")[2] for base in bases if " AS " in base}
    assert {found[1] for value in values("COPY") if (found := re.match(r"--from=(\w+)", value))} <= stages


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    """All that the wheel is made of."""
    ignored = set((ROOT / ".containerignore").read_text(encoding="utf-8").split())
    copied = [shlex.split(value)[:-1] for value in values("COPY") if not value.startswith("--from=")]
    names = {name for sources in copied for name in sources}
    assert all((ROOT / name).exists() for name in names)
    assert not names & ignored
    assert {"pyproject.toml", "qa_search", "docs/man", "README.md", "LICENSE"} <= names


def test_the_service_runs_as_nobody_special_with_options_that_exist() -> None:
    """Not as root; variables are those of the docs; the command starts as it is written."""
    assert values("USER") == ["qa"]
    listed = (ROOT / "docs" / "environment.md").read_text(encoding="utf-8")
    names = [item.partition("=")[0] for item in shlex.split(values("ENV")[0])]
    assert all(name == "PATH" or f"`{name}`" in listed for name in names)
    assert json.loads(values("ENTRYPOINT")[0]) == ["qa-search"]
    name, *arguments = json.loads(values("CMD")[0])
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    parsed = command.make_context(name, list(arguments), parent=click.Context(cli))
    assert (parsed.params["host"], str(parsed.params["port"])) == ("0.0.0.0", values("EXPOSE")[0])  # noqa: S104
    assert json.loads(values("VOLUME")[0]) == ["/index", "/cache"]
