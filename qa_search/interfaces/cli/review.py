"""``qa-search review``."""

from __future__ import annotations

import click

import qa_search
from qa_search.interfaces.cli.options import json_option, model_option, place_option, print_json, quiet_option
from qa_search.interfaces.cli.results import refuse_two_formats

EXIT_FOUND = 1
# As in `qa_search.review.review`, which is not loaded for help and completion.
KINDS = ("duplicates", "differing", "answerable", "thin", "links")
_SHOWN = 10


@click.command()
@place_option()
@click.option("--format", "shown_as", type=click.Choice(("text", "markdown", "html", "json")),
              help="The format of the review; html is one page with pictures.  [default: text]")  # fmt: skip
@click.option(
    "--fail-on",
    multiple=True,
    type=click.Choice(KINDS),
    help="Exit with status 1 if there are any of this kind; may be repeated.",
)
@click.option("--all", "show_all", is_flag=True, help=f"Show everything, not only the first {_SHOWN} of each kind.")
@model_option("The folder of the model that made the index, if it was moved.")
@json_option("everything")
@quiet_option()
@click.pass_context
def review(
    ctx: click.Context,
    index_path: str,
    shown_as: str | None,
    fail_on: tuple[str, ...],
    show_all: bool,
    model: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Review the archive: what a person who looks after it may want to mend. Nothing is changed.

    \b
    duplicates   posts that are near-copies, and which to keep
    differing    posts that seem to ask the same and are answered differently: candidates, not facts
    answerable   questions without an answer that another post seems to answer
    thin         answers that say very little
    links        Prev and Next links that lead nowhere, or to a page that links elsewhere

    Exit status: 0 whatever was found; with --fail-on, 1 if there are any of that kind.
    """  # noqa: D301 - the backspace tells click to leave the lines as they are
    refuse_two_formats(shown_as, as_json=as_json)
    from qa_search.interfaces.render.review import review_html, review_markdown, review_text

    with qa_search.SearchIndex.open(index_path, model=model) as index:
        found = qa_search.review_archive(index)
    most = None if show_all else _SHOWN
    if as_json or shown_as == "json":
        print_json(found.to_dict())
    elif shown_as == "html":
        click.echo(review_html(found, most), nl=False)
    elif shown_as == "markdown":
        click.echo(review_markdown(found, most), nl=False)
    else:
        click.echo(review_text(found, most))
    if any(found.counts[kind] for kind in fail_on):
        ctx.exit(EXIT_FOUND)
