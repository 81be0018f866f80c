"""``qa-search mcp install``: writes the settings of an assistant, after showing what changes."""

from __future__ import annotations

import os
from importlib.util import find_spec
from urllib.parse import parse_qsl, urlsplit

import click

import qa_search
from qa_search.errors import MissingExtraError
from qa_search.interfaces.assistants import ASSISTANTS, System, install, plan, server_entry
from qa_search.interfaces.cli.options import chosen_place, index_option, store_option
from qa_search.interfaces.render.terminal import printable

_NAME = "qa-search"


@click.command(name="install", short_help="Add the search to the tools of an assistant.")
@click.argument("assistant", type=click.Choice(sorted(ASSISTANTS)))
@index_option()
@store_option("The PostgreSQL database that holds the index, in place of a folder.")
@click.option("--name", default=_NAME, show_default=True, help="The name of the server, one for each index.")
@click.option("--yes", is_flag=True, help="Write without asking.")
@click.option("--print", "only_print", is_flag=True, help="Only print what would be written.")
def install_command(assistant: str, index_path: str, store: str | None, name: str, yes: bool, only_print: bool) -> None:
    """Add this search to the tools of an assistant on this machine.

    The command shows the file and the entry, asks, and writes: everything else in the file stays, and the file as it
    was is kept beside it. The assistant then starts "qa-search mcp" by itself whenever it needs it.
    """
    if find_spec("mcp") is None:
        raise MissingExtraError.of("mcp", "a server of assistants", "mcp")
    chosen = ASSISTANTS[assistant]
    place = chosen_place(index_path, store) or index_path
    if store is not None and place == store and _holds_password(store):
        raise click.UsageError("The address holds a password, which would stand in the file: put it into PGPASSFILE.")
    # Assistants start programs in a folder of their own.
    named = ["--store", place] if place == store else ["--index", os.path.abspath(index_path)]  # noqa: PTH100
    change = plan(chosen, name, server_entry(chosen, ["mcp", *named]), System.this())
    click.echo(printable(f"{chosen.name}: {change.path}"), err=True)
    click.echo(printable(change.entry))
    if only_print:
        return
    qa_search.SearchIndex.open(place).close()  # an assistant has nobody to tell that there is no index
    if not change.needed:
        click.echo("The file has this entry. Nothing was changed.", err=True)
        return
    what = "Add this to the file" if change.previous is not None else "Make the file with this"
    if not yes and not click.confirm(f"{what}?", err=True):
        click.echo("Nothing was changed.", err=True)
        return
    kept = install(change)
    click.echo(printable(f"Written.{f' As it was: {kept}.' if kept else ''} {chosen.then}"), err=True)


def _holds_password(store: str) -> bool:
    try:
        address = urlsplit(store)
    except ValueError:
        return True
    return address.password is not None or any(name == "password" for name, _ in parse_qsl(address.query))
