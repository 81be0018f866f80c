"""Write docs/man/*.1 from the commands' own help: ``python docs/man.py``. Packages install them as manual pages."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from click_man.core import write_man_pages

import qa_search
from qa_search.interfaces.cli import cli

FOLDER = Path(__file__).with_name("man")


def pages() -> dict[str, str]:
    """Return the text of each page by the name of its file."""
    with TemporaryDirectory() as folder:
        # No date: the pages are made again whenever a command changes, and are compared with these.
        write_man_pages(
            "qa-search", _loaded(cli), version=qa_search.__version__, target_dir=folder, date=qa_search.__version__
        )
        return {path.name: _in_roff(path.read_text("utf-8")) for path in sorted(Path(folder).glob("*.1"))}


def _loaded(group: click.Group) -> click.Group:
    """Return a group whose commands are there, as click-man expects: ours loads them when they are called."""
    context = click.Context(group)
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    commands = {
        name: _loaded(command) if isinstance(command, click.Group) else _copied(command)
        for name, command in found.items()
        if command is not None
    }
    short = group.short_help or "Search an archive of expert answers."
    return click.Group(commands=commands, params=group.params, help=group.help, short_help=short)


def _copied(command: click.Command) -> click.Command:
    """Return a command like another: click keeps in each the names of its help option, which differ here."""
    return click.Command(
        command.name, params=command.params, help=command.help, short_help=command.short_help, epilog=command.epilog
    )


def _in_roff(text: str) -> str:
    """Keep the lines that click keeps: from a backspace to the next paragraph."""
    return re.sub("\b\n(.*?)\n\\.PP", r".nf\n\1\n.fi\n.PP", text, flags=re.DOTALL)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    written = pages()
    for path in FOLDER.glob("*.1"):
        path.unlink()
    for name, text in written.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
