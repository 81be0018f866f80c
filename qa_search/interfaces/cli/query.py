"""``qa-search query``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Unpack

import click

import qa_search
from qa_search.errors import QASearchError, QueryError
from qa_search.insights.query_lines import WAY_OUT, QueryLine, read_lines
from qa_search.interfaces.cli.completion import complete_files, complete_folders
from qa_search.interfaces.cli.inputs import opened, standard_text
from qa_search.interfaces.cli.options import (
    Number,
    color_option,
    filter_options,
    json_option,
    log_options,
    model_option,
    place_option,
    quiet_option,
)
from qa_search.interfaces.cli.output import json_text
from qa_search.interfaces.cli.results import about_source, chosen_format, format_options, print_result, result_text
from qa_search.interfaces.render.csv_rows import to_csv
from qa_search.interfaces.render.markdown import to_markdown
from qa_search.interfaces.render.terminal import one_line, printable
from qa_search.search.query import DEFAULT_TOP_K, SearchOptions
from qa_search.types import SearchResult

if TYPE_CHECKING:
    from qa_search.insights.question_log import QuestionLog
    from qa_search.search.reranking import Reranker

EXIT_NOTHING_FOUND = 1

# More than the longest query, in any encoding.
_MAX_INPUT_BYTES = 1_000_000
_BLOCK = 64  # queries that are searched together
_MAX_HEADING = 72
SearchMany = Callable[[list[str]], list[SearchResult]]


@click.command()
@click.argument("text", nargs=-1, metavar="[TEXT]...")
@place_option()
@click.option(
    "--from",
    "from_file",
    metavar="FILE",
    shell_complete=complete_files,
    help="A file of many queries, one on each line: plain text, a JSON string, or a JSON object with id and text (or "
    "query). - is standard input.",
)
@click.option("-k", "--top-k", type=click.IntRange(min=1), default=DEFAULT_TOP_K, show_default=True, metavar="N",
              help="How many posts at most.")  # fmt: skip
@filter_options()
@click.option(
    "--min-confidence",
    type=Number(0, 1),
    metavar="P",
    help="Below this probability, report that nothing answers. [default: what the index has learnt]",
)
@click.option("--explain", is_flag=True, help="Show how each hit was found and ranked (in text and JSON).")
@click.option(
    "--rerank",
    metavar="NAME|PATH",
    shell_complete=complete_folders,
    help="Reorder the best posts by this sentence-transformers CrossEncoder.",
)
@click.option(
    "--download",
    is_flag=True,
    help="Download the model of --rerank from the Hugging Face hub if it is not on this machine.",
)
@format_options()
@model_option("The folder of the model that made the index, if it was moved.")
@color_option()
@log_options()
@json_option("the result")
@quiet_option()
@click.pass_context
def query(
    ctx: click.Context,
    text: tuple[str, ...],
    from_file: str | None,
    index_path: str,
    top_k: int,
    explain: bool,
    rerank: str | None,
    download: bool,
    full: bool,
    shown_as: str | None,
    model: str | None,
    questions: QuestionLog | None,
    as_json: bool,
    quiet: bool,
    **options: Unpack[SearchOptions],
) -> None:
    """Find the past answers closest to TEXT, a query in your own words; "-" reads it from standard input.

    If nothing in the archive seems to answer, the output says so first, the exit status is 1, and the nearest posts
    follow.

    On a terminal, each hit has three lines, and a long result is shown in a pager. --full shows whole posts. --format
    text shows the marked sentence with the text around it, as redirected output does.

    With --from, the queries are answered in the order of their lines. In JSON, each answer is one line that begins with
    the query's id, or else the number of its line. The exit status is 0 only if every query is answered.
    """
    if bool(text) == (from_file is not None):
        raise click.UsageError(
            "TEXT and --from cannot be used together." if text else "Missing argument 'TEXT...' (or --from FILE)."
        )
    written_as = chosen_format(shown_as, as_json=as_json, full=full or explain)
    if from_file is not None and written_as == "html":
        raise click.UsageError("--format html is a page for one query: choose another format with --from.")
    with qa_search.SearchIndex.open(index_path, model=model) as index:
        search_many: SearchMany = partial(
            index.search_many,
            k=top_k,
            explain=explain,
            rerank=_reranker(rerank, download=download),
            **options,
        )
        if questions is not None:
            search_many = _logged(search_many, questions)
        if from_file is None:
            (result,) = search_many(
                [standard_text(_MAX_INPUT_BYTES, quiet=quiet) if text == ("-",) else " ".join(text)]
            )
            print_result(result, written_as, full=full, quiet=quiet)
            if not result.hits and not quiet and (hint := about_source(options.get("source"))):
                click.echo(printable(hint), err=True)
            answered = result.answered
        else:
            answered = _answer_all(from_file, search_many, written_as, full=full, quiet=quiet)
    if not answered:
        ctx.exit(EXIT_NOTHING_FOUND)


def _logged(search_many: SearchMany, questions: QuestionLog) -> SearchMany:
    def search(texts: list[str]) -> list[SearchResult]:
        results = search_many(texts)
        questions.record(results)
        return results

    return search


def _reranker(model: str | None, *, download: bool) -> Reranker | None:
    if model is None:
        return None
    from qa_search.search.reranking import Reranker

    return Reranker(model, download=download)


def _answer_all(name: str, search_many: SearchMany, written_as: str, *, full: bool, quiet: bool) -> bool:
    """Answer the queries of a file in blocks; return whether all of them are answered."""
    search_many([])  # invalid options are reported before the file is read
    if written_as == "csv":
        click.echo("".join(to_csv([], ids=[])), nl=False)
    answered, complaint_id = True, None
    for complaint_id, result in _answers(name, search_many):
        answered = answered and result.answered
        click.echo(_written(complaint_id, result, written_as, full=full), nl=False)
    if complaint_id is None and not quiet:
        click.echo(f"{'standard input' if name == '-' else printable(name)}: no query in it.", err=True)
    return answered


def _written(complaint_id: str | int, result: SearchResult, written_as: str, *, full: bool) -> str:
    if written_as == "json":
        return json_text({"id": complaint_id, **result.to_dict()}) + "\n"
    if written_as == "markdown":
        return to_markdown(result, title=str(complaint_id)) + "\n"
    if written_as == "csv":
        return "".join(to_csv([result], ids=[complaint_id], header=False))
    heading = one_line(f"{complaint_id}: {result.query}")
    if len(heading) > _MAX_HEADING:
        heading = f"{heading[:_MAX_HEADING]} …"
    return f"=== {heading} ===\n\n{result_text(result, written_as, full=full)}\n\n"


def _answers(name: str, search_many: SearchMany) -> Iterator[tuple[str | int, SearchResult]]:
    with opened(name) as stream:
        complaints = read_lines(stream, "standard input" if name == "-" else name)
        broken = None
        while broken is None:
            block, broken = _next_block(complaints)
            if not block and broken is None:
                return
            yield from _answer_block(block, search_many)
        raise broken


def _next_block(complaints: Iterator[QueryLine]) -> tuple[list[QueryLine], QASearchError | None]:
    """Take the next queries, and the error that ended them, if any: the queries before it are answered first."""
    block: list[QueryLine] = []
    try:
        for complaint in islice(complaints, _BLOCK):
            block.append(complaint)  # noqa: PERF402 - what was taken before an error is kept
    except QASearchError as error:
        return block, error
    return block, None


def _answer_block(block: list[QueryLine], search_many: SearchMany) -> Iterator[tuple[str | int, SearchResult]]:
    try:
        results = search_many([line.text for line in block])
    except QueryError:
        # One query is invalid: the queries before it are answered first.
        for line in block:
            try:
                (result,) = search_many([line.text])
            except QueryError as error:
                raise QASearchError(f"{line.place}: {error} {WAY_OUT}") from error
            yield line.id, result
    else:
        for line, result in zip(block, results, strict=True):
            yield line.id, result
