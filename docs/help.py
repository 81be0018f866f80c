"""Write docs/commands.md from the commands' own help: ``python docs/help.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from qa_search.interfaces.cli import cli

WIDTH = 100


def commands() -> dict[str, click.Command]:
    """Return every command by its name."""
    context = click.Context(cli)
    found = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}


def page() -> str:
    """Return the page: every command's help, as it prints it."""
    parts = ["# Commands\n\nWritten by `python docs/help.py` from the commands' own `--help`.\n"]
    settings: dict[str, Any] = {**cli.context_settings, "max_content_width": WIDTH, "terminal_width": WIDTH}
    contexts = [click.Context(cli, info_name="qa-search", **settings)]
    for name, command in commands().items():
        contexts.append(click.Context(command, info_name=name, parent=contexts[0], **settings))
        if isinstance(command, click.Group):
            own = contexts[-1]
            contexts += [
                click.Context(inner, info_name=at, parent=own) for at, inner in sorted(command.commands.items())
            ]
    parts += [f"\n## {context.command_path}\n```\n{context.get_help()}\n```\n" for context in contexts]
    return "".join(parts)


if __name__ == "__main__":
    Path(__file__).with_name("commands.md").write_text(page(), encoding="utf-8")
