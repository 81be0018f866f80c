"""Write docs/commands.md from the commands' own help: ``python docs/help.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from qa_search.interfaces.cli import cli

WIDTH = 100


def page() -> str:
    """Return the page: every command's help, as it prints it."""
    parts = ["# Commands\n\nWritten by `python docs/help.py` from the commands' own `--help`.\n"]
    settings: dict[str, Any] = {**cli.context_settings, "max_content_width": WIDTH, "terminal_width": WIDTH}
    contexts = [click.Context(cli, info_name="qa-search", **settings)]
    contexts += _below(contexts[0], settings)
    for context in contexts:
        # click keeps the names of the help option that the first context has, which may be another one's.
        vars(context.command)["_help_option"] = None
    parts += [f"\n## {context.command_path}\n```\n{context.get_help()}\n```\n" for context in contexts]
    return "".join(parts)


def _below(parent: click.Context, settings: dict[str, Any]) -> list[click.Context]:
    """Return the contexts of the commands of a group, and of theirs."""
    if not isinstance(parent.command, click.Group):
        return []
    found = []
    for name in parent.command.list_commands(parent):
        command = parent.command.get_command(parent, name)
        if command is not None:
            context = click.Context(command, info_name=name, parent=parent, **settings)
            found += [context, *_below(context, settings)]
    return found


if __name__ == "__main__":
    Path(__file__).with_name("commands.md").write_text(page(), encoding="utf-8")
