"""``qa-search show`` and ``similar``: one post, and posts like it."""

from __future__ import annotations

from dataclasses import replace
from typing import Unpack

import click

import qa_search
from qa_search.errors import QueryError
from qa_search.interfaces.cli.completion import complete_ids
from qa_search.interfaces.cli.options import (
    color_option,
    filter_options,
    json_option,
    model_option,
    place_option,
    print_json,
    quiet_option,
)
from qa_search.interfaces.cli.output import echo_paged
from qa_search.interfaces.cli.results import chosen_format, format_options, print_result
from qa_search.interfaces.render.documents import post_document
from qa_search.interfaces.render.terminal import render_post
from qa_search.interfaces.render.wording import hidden_post
from qa_search.search.query import DEFAULT_TOP_K, FilterOptions
from qa_search.types import possible_ids

EXIT_NOTHING_FOUND = 1


@click.command()
@click.argument("post_id", metavar="ID", shell_complete=complete_ids)
@place_option()
@click.option("--for", "complaint", metavar="TEXT", help="Mark the sentence to read first for somebody who asks this.")
@model_option("The folder of the model that made the index, if it was moved; only --for needs it.")
@color_option()
@json_option("the post")
def show(post_id: str, index_path: str, complaint: str | None, model: str | None, as_json: bool) -> None:
    """Show the whole post that has this ID, and the posts that it links to.

    qa-search query prints ids on a terminal, and as post_id in JSON; qa-search list has them all. SOURCE/ID, as other
    output has it, is taken too.
    """
    with qa_search.SearchIndex.open(index_path, model=model) as index:
        post_id = _meant(index, post_id)
        post = index.post(post_id)
        if post is None:
            why = index.why_hidden(post_id)
            if why is not None:
                raise QueryError(f"{post_id}: {hidden_post(why)}")
            raise QueryError(f"{post_id!r}: the index has no post with this id")
        mark = None if complaint is None else index.match(post_id, complaint).highlight
        neighbours = index.neighbours(post_id)
        ids = index.post_ids(post_id)
    if as_json:
        marked = {} if mark is None else {"highlight": mark.to_dict()}
        print_json({**post_document(post_id, post, neighbours, ids), **marked})
    else:
        echo_paged(render_post(post, neighbours, mark))


@click.command()
@click.argument("post_id", metavar="ID", shell_complete=complete_ids)
@place_option()
@click.option("-k", "--top-k", type=click.IntRange(min=1), default=DEFAULT_TOP_K, show_default=True, metavar="N",
              help="How many posts at most.")  # fmt: skip
@filter_options()
@format_options()
@model_option("The folder of the model that made the index, if it was moved.")
@color_option()
@json_option("the result")
@quiet_option()
@click.pass_context
def similar(
    ctx: click.Context,
    post_id: str,
    index_path: str,
    top_k: int,
    full: bool,
    shown_as: str | None,
    model: str | None,
    as_json: bool,
    quiet: bool,
    **options: Unpack[FilterOptions],
) -> None:
    """Find the posts whose questions are closest to the question of the post ID.

    Exit status 1 if no post passes the filters.
    """
    written_as = chosen_format(shown_as, as_json=as_json, full=full)
    with qa_search.SearchIndex.open(index_path, model=model) as index:
        result = index.similar(_meant(index, post_id), top_k, **options)
    # Whether the archive answers matters only if there was a query.
    shown = result if written_as == "json" else replace(result, answered=True)
    print_result(shown, written_as, full=full, quiet=quiet)
    if not result.hits:
        ctx.exit(EXIT_NOTHING_FOUND)


def _meant(index: qa_search.SearchIndex, name: str) -> str:
    """Return the id of the post that is named by an id or as SOURCE/ID; the name itself if there is no such post."""
    return next((post_id for post_id in possible_ids(name) if index.post_ids(post_id)), name)
