"""``qa-search list`` and ``export``: the posts of an index, without a search."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Unpack

import click

import qa_search
from qa_search.errors import QASearchError
from qa_search.interfaces.cli.completion import complete_files
from qa_search.interfaces.cli.options import (
    color_option,
    filter_options,
    json_option,
    place_option,
    print_json,
    quiet_option,
)
from qa_search.interfaces.cli.output import echo_paged, json_text
from qa_search.interfaces.cli.results import about_source
from qa_search.interfaces.render.brief import post_line
from qa_search.interfaces.render.csv_rows import posts_to_csv
from qa_search.interfaces.render.documents import exported_post
from qa_search.interfaces.render.terminal import columns_of, printable
from qa_search.interfaces.render.wording import NO_POST_PASSES
from qa_search.search.query import FilterOptions
from qa_search.types import Post
from qa_search.util.defaults import DEFAULT_LISTED
from qa_search.util.text import counted, printable_json

EXIT_NOTHING_FOUND = 1
_SUFFIXES = (".jsonl", ".csv")


@click.command()
@place_option()
@click.option("-k", "--top-k", type=click.IntRange(min=1), default=DEFAULT_LISTED, show_default=True, metavar="N",
              help="How many posts at most.")  # fmt: skip
@click.option("--skip", type=click.IntRange(min=0), default=0, metavar="N", help="How many posts to skip first.")
@filter_options()
@color_option()
@json_option("the posts")
@quiet_option()
@click.pass_context
def list_posts(
    ctx: click.Context,
    index_path: str,
    top_k: int,
    skip: int,
    as_json: bool,
    quiet: bool,
    **options: Unpack[FilterOptions],
) -> None:
    """List posts, the newest first: date, id and title. Exit status 1 if no post passes the filters."""
    with qa_search.SearchIndex.open(index_path) as index:
        posts = index.list_posts(top_k, skip=skip, **options)
        more = len(posts) == top_k and bool(index.list_posts(1, skip=skip + top_k, **options))
    if as_json:
        print_json([{"post_id": post.post_id, **post.to_dict()} for post in posts])
    elif posts:
        width = columns_of() if sys.stdout.isatty() else None
        echo_paged("\n".join(post_line(post, width) for post in posts))
        if more and not quiet:
            click.echo(f"More posts: --skip {skip + top_k}", err=True)
    elif not quiet:
        _say_none(options.get("source"), skip)
    if not posts:
        ctx.exit(EXIT_NOTHING_FOUND)


@click.command()
@click.argument("file", metavar="FILE", shell_complete=complete_files)
@place_option()
@filter_options()
@quiet_option()
@click.pass_context
def export(ctx: click.Context, file: str, index_path: str, quiet: bool, **options: Unpack[FilterOptions]) -> None:
    """Write all posts that pass the filters to a new FILE, .jsonl or .csv; - writes JSON Lines to standard output.

    The file is an archive that qa-search build reads. In CSV, a text that a spreadsheet would take for a formula gets
    an apostrophe in front. Exit status 1, and no file, if no post passes the filters. qa-search query --format exports
    a result.
    """
    if file != "-" and Path(file).suffix.lower() not in _SUFFIXES:
        raise click.UsageError(f"{printable(file)}: name a file that ends in {' or '.join(_SUFFIXES)}, or -.")
    with qa_search.SearchIndex.open(index_path) as index:
        posts = index.all_posts(**options)
        if file == "-":
            written = _count(_print_lines(json_text(exported_post(post)) for post in posts))
        else:
            lines = posts_to_csv(posts) if file.lower().endswith(".csv") else map(_json_line, posts)
            written = _write_new(Path(file), lines) - file.lower().endswith(".csv")
            if not written:
                Path(file).unlink()  # it would only be in the way of the next try
    if not written and not quiet:
        _say_none(options.get("source"))
    elif file != "-" and not quiet:
        click.echo(printable(f"{file}: {counted(written, 'post')}"), err=True)
    if not written:
        ctx.exit(EXIT_NOTHING_FOUND)


def _say_none(source: str | None, skip: int = 0) -> None:
    click.echo(f"There is no post behind the first {skip:,}." if skip else NO_POST_PASSES, err=True)
    if not skip and (hint := about_source(source)):
        click.echo(printable(hint), err=True)


def _json_line(post: Post) -> str:
    return printable_json(json.dumps(exported_post(post), ensure_ascii=False)) + "\n"


def _write_new(path: Path, lines: Iterator[str]) -> int:
    """Write the lines to a file that must be new, and return their number; an error leaves no half a file.

    Raises:
        QASearchError: if the file exists or cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8", newline="") as stream:
            try:
                return _count(stream.write(line) for line in lines)
            except BaseException:
                with suppress(OSError):
                    path.unlink()
                raise
    except FileExistsError as error:
        raise QASearchError(f"{path}: this file already exists. Name a new file.") from error
    except OSError as error:
        raise QASearchError(f"{path}: cannot be written ({error.strerror or error}). Name another file.") from error


def _print_lines(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        click.echo(line)
        yield line


def _count(done: Iterable[object]) -> int:
    return sum(1 for _ in done)
