"""``qa-search query``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from qa_search.cli.options import index_option, json_option, model_option, print_json, quiet_option
from qa_search.cli.page import render_result
from qa_search.search import DEFAULT_TOP_K, MAX_COMPLAINT_CHARACTERS, SearchIndex

if TYPE_CHECKING:
    from qa_search.reranking import Reranker

EXIT_NOTHING_FOUND = 1


@click.command()
@click.argument("text", nargs=-1, required=True)
@index_option()
@click.option("-k", "--top-k", type=click.IntRange(min=1), default=DEFAULT_TOP_K, show_default=True, metavar="N",
              help="How many posts at most.")  # fmt: skip
@click.option("--since", metavar="DATE", help="Only posts of this date or later (2015, 2015-06 or 2015-06-30).")
@click.option("--until", metavar="DATE", help="Only posts up to this date, its whole day, month or year included.")
@click.option("--source", metavar="GLOB", help="Only posts whose source matches, such as '*/Posts.xml'.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only posts with this tag; all of them, if repeated.")
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    metavar="P",
    help="Say that nothing answers below this probability. [default: what the index has learnt]",
)
@click.option("--explain", is_flag=True, help="Say of each hit why it is one.")
@click.option(
    "--rerank", metavar="NAME|PATH", help="Reorder the best posts by this sentence-transformers CrossEncoder."
)
@click.option("--download", is_flag=True, help="Fetch the CrossEncoder from its hub if it is not on this machine.")
@click.option("--full", is_flag=True, help="Show whole questions and answers.")
@model_option("Where the model that made the index is now, if it moved.")
@json_option("the result")
@quiet_option()
@click.pass_context
def query(
    ctx: click.Context,
    text: tuple[str, ...],
    index_path: str,
    top_k: int,
    since: str | None,
    until: str | None,
    source: str | None,
    tags: tuple[str, ...],
    min_confidence: float | None,
    explain: bool,
    rerank: str | None,
    download: bool,
    full: bool,
    model: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Find the past answers closest to TEXT, a complaint in your own words; "-" reads it from standard input.

    When nothing in the archive seems to answer, that is said first, the exit status is 1, and what follows is only
    the nearest there is.
    """
    complaint = _standard_input() if text == ("-",) else " ".join(text)
    with SearchIndex.open(index_path, model=model) as index:
        result = index.search(
            complaint,
            top_k,
            since=since,
            until=until,
            source=source,
            tags=tags,
            min_confidence=min_confidence,
            explain=explain,
            rerank=_reranker(rerank, download=download),
        )
    if as_json:
        print_json(result.to_dict())
    elif result.hits:
        click.echo(render_result(result, full=full))
    elif not quiet:
        click.echo("No post in the archive passes these filters.", err=True)
    if not result.answered:
        ctx.exit(EXIT_NOTHING_FOUND)


def _reranker(model: str | None, *, download: bool) -> Reranker | None:
    if model is None:
        return None
    from qa_search.reranking import Reranker

    return Reranker(model, download=download)


def _standard_input() -> str:
    # One character more than is taken, of up to four bytes each: what never ends is told as too long.
    return sys.stdin.buffer.read(4 * (MAX_COMPLAINT_CHARACTERS + 1)).decode("utf-8", "replace")
