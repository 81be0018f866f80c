"""``qa-search feedback``."""

from __future__ import annotations

from pathlib import Path

import click

import qa_search
from qa_search.interfaces.cli.completion import complete_files, complete_ids
from qa_search.interfaces.cli.options import json_option, model_option, place_option, print_json, quiet_option
from qa_search.interfaces.render.terminal import one_line
from qa_search.util.text import counted


@click.command()
@click.argument("post", required=False, shell_complete=complete_ids)
@click.argument("text", nargs=-1, metavar="[TEXT]...")
@place_option()
@click.option("--no", "rejected", is_flag=True, help="The post does not answer the query.")
@click.option(
    "--file",
    "file",
    metavar="FILE",
    shell_complete=complete_files,
    envvar="QA_SEARCH_FEEDBACK",
    help="The file of votes. [default: QA_SEARCH_FEEDBACK, or feedback.jsonl in the index folder]",
)
@model_option("The folder of the model that made the index, if it was moved.")
@json_option("the votes that count")
@quiet_option()
def feedback(
    post: str | None,
    text: tuple[str, ...],
    index_path: str,
    rejected: bool,
    file: str | None,
    model: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Say that POST, an id, answers the query TEXT (--no: does not). Without POST, show the votes that count.

    Your word counts at once: whoever can write the file decides. Votes of other clients count as soon as enough of them
    agree. To take a vote back, delete its line in the file.
    """
    if (post is None) != (not text):
        raise click.UsageError("Name a POST and a TEXT, or neither.")
    if rejected and post is None:
        raise click.UsageError("--no needs a POST and a TEXT.")
    with qa_search.SearchIndex.open(index_path, model=model, feedback=_file(file, index_path)) as index:
        if post is not None:
            index.record_feedback(" ".join(text), post, answered=not rejected)
            index.refresh()
            if not quiet and not as_json:
                click.echo("Written down; it counts from the next search on.")
        if post is None or as_json:
            _show(index, as_json=as_json)


def _file(named: str | None, index_path: str) -> str:
    if named:
        return named
    from qa_search.index.open import is_database  # here, because help and completion need no index
    from qa_search.search.feedback import FEEDBACK_NAME

    if is_database(index_path):
        raise click.UsageError("An index in a database has no folder: name the file of votes by --file FILE.")
    return str(Path(index_path) / FEEDBACK_NAME)


def _show(index: qa_search.SearchIndex, *, as_json: bool) -> None:
    verdicts = index.verdicts()
    if as_json:
        print_json([verdict.to_dict() for verdict in verdicts])
        return
    if not verdicts:
        click.echo("No feedback counts.")
    for verdict in verdicts:
        said = "answers" if verdict.confirmed else "does not answer"
        click.echo(one_line(f"{verdict.post} {said} ({counted(verdict.clients, 'client')}): {verdict.query}"))
