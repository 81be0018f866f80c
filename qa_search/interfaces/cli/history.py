"""``qa-search log`` and ``undo``: what builds changed, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import click

import qa_search
from qa_search.errors import IndexFolderError
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
    before: list[LogEntry] = []
    with suppress(IndexFolderError):  # what answers may be damaged, and undo is the way out
        before = qa_search.index_log(index_path)
    answers = qa_search.undo_index(index_path, to)
    if as_json:
        print_json({"index": index_path, "generation": answers})
    elif not quiet:
        same = f" Its posts are those of {left}, which answered before." if (left := _same(before, answers)) else ""
        click.echo(f"{answers} answers now.{same} The next build reads the sources again.")


def _same(entries: Sequence[LogEntry], answers: str) -> str:
    """Return the generation that answered, if no build from the one that answers now up to it changed a post."""
    left = next((number for number, entry in enumerate(entries) if entry.answers), None)
    now = next((number for number, entry in enumerate(entries) if entry.generation == answers), None)
    if left is None or now is None or now <= left or any(entry.changes.differs for entry in entries[left:now]):
        return ""
    return entries[left].generation
