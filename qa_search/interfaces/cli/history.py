"""``qa-search log`` and ``undo``: what builds changed, and the way back."""

from __future__ import annotations

import click

import qa_search
from qa_search.interfaces.cli.options import index_option, json_option, print_json, quiet_option
from qa_search.interfaces.render.reading import change_text
from qa_search.interfaces.render.terminal import printable
from qa_search.types import LogEntry
from qa_search.util.text import counted


@click.command()
@index_option()
@json_option("the log")
def log(index_path: str, as_json: bool) -> None:
    """Show what each build changed, the latest first, and which generations (results of builds) are kept."""
    entries = qa_search.index_log(index_path)
    if as_json:
        print_json([entry.to_dict() for entry in entries])
    else:
        click.echo(printable("\n".join(map(_line, entries))))


def _line(entry: LogEntry) -> str:
    state = "answers" if entry.answers else "kept" if entry.kept else "gone"
    posts = counted(entry.posts, "post")
    return f"{entry.generation}  {entry.created}  {posts}  {state:7}  {change_text([entry.changes])}"


@click.command()
@index_option()
@click.option("--to", metavar="GENERATION", help="The generation to go back to; qa-search log lists them.")
@json_option("the result")
@quiet_option()
def undo(index_path: str, to: str | None, as_json: bool, quiet: bool) -> None:
    """Go back to the index as it was before the last build, or to the generation that --to names.

    Nothing is removed, so undo can be undone.
    """
    answers = qa_search.undo_index(index_path, to)
    if as_json:
        print_json({"index": index_path, "generation": answers})
    elif not quiet:
        click.echo(f"{answers} answers now. The next build reads the sources again.")
