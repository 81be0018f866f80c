"""``qa-search add``, ``remove`` and ``sources``: what an index is built from."""

from __future__ import annotations

from typing import Any

import click

import qa_search
from qa_search.interfaces.cli.build import print_report
from qa_search.interfaces.cli.completion import complete_files, complete_posts_or_files
from qa_search.interfaces.cli.options import guard_options, index_option, json_option, print_json, quiet_option
from qa_search.interfaces.cli.progress import ProgressLine
from qa_search.interfaces.render.terminal import printable


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", shell_complete=complete_files)
@index_option()
@click.option("--name", metavar="NAME", help="A name for SOURCE. The ids of its posts are made from it.")
@guard_options()
@json_option("the report")
@quiet_option()
def add(sources: tuple[str, ...], index_path: str, name: str | None, as_json: bool, quiet: bool, **guard: Any) -> None:
    """Add SOURCE to the sources of the index, and build it with the settings of the last build.

    SOURCE is a file or a folder, or the id of a post that qa-search remove took out.
    """
    if name is not None and len(sources) != 1:
        raise click.UsageError("--name needs exactly one SOURCE.")
    report = qa_search.build_index(
        None,
        index_path,
        add=sources,
        names={sources[0]: name} if name is not None else None,
        progress=None if quiet else ProgressLine(),
        **guard,
    )
    print_report(report, as_json=as_json, quiet=quiet)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="SOURCE|POST...", shell_complete=complete_posts_or_files)
@index_option()
@guard_options()
@json_option("the report")
@quiet_option()
def remove(names: tuple[str, ...], index_path: str, as_json: bool, quiet: bool, **guard: Any) -> None:
    """Take a source (by its name or path) or a post (by its id) out of the index, and build. No file is deleted.

    Later builds leave it out, too; qa-search add takes it in again.
    """
    from qa_search.index.folder import IndexFolder  # here, because help and completion need no index

    IndexFolder(index_path).pointer()  # where there is no index, that is the message
    report = qa_search.build_index(None, index_path, remove=names, progress=None if quiet else ProgressLine(), **guard)
    print_report(report, as_json=as_json, quiet=quiet)


@click.command()
@index_option()
@json_option("the sources")
@quiet_option()
def sources(index_path: str, as_json: bool, quiet: bool) -> None:
    """Show the sources that the index is built from, with their names."""
    with qa_search.SearchIndex.open(index_path) as index:
        found = index.info().built_from
    if as_json:
        print_json([source.to_dict() for source in found])
    elif not quiet:
        lines = [f"{source.path}  (name: {source.name})" for source in found]
        click.echo(printable("\n".join(lines or ["This index does not say what it was built from. Build it again."])))
