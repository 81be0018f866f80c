"""A search result -> standard output, in the format that was chosen: for the commands that search."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from typing import Any

import click

from qa_search.interfaces.cli.options import Decorator, print_json
from qa_search.interfaces.cli.output import echo_paged, print_html
from qa_search.interfaces.render.brief import render_brief
from qa_search.interfaces.render.csv_rows import to_csv
from qa_search.interfaces.render.html import to_html
from qa_search.interfaces.render.markdown import to_markdown
from qa_search.interfaces.render.terminal import render_result
from qa_search.interfaces.render.wording import note, one_line
from qa_search.types import SearchResult

FORMATS = ("text", "json", "markdown", "csv", "html", "brief")


def format_options() -> Decorator:
    """--full and --format: how a result is written."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        full = click.option(
            "--full", is_flag=True, help="Show whole questions and answers (in text; the other formats have them)."
        )
        shown_as = click.option(
            "--format",
            "shown_as",
            type=click.Choice(FORMATS),
            help="The format of the result.  [default: brief on a terminal, else text]",
        )
        return full(shown_as(command))

    return decorate


def chosen_format(shown_as: str | None, *, as_json: bool, full: bool) -> str:
    """Return the format to write; ``full`` asks for more than three lines a hit.

    Raises:
        click.UsageError: if two formats are chosen.
    """
    refuse_two_formats(shown_as, as_json=as_json)
    if full and shown_as == "brief":
        raise click.UsageError("--format brief has three lines a hit: leave out --full and --explain.")
    if as_json:
        return "json"
    return shown_as or ("brief" if sys.stdout.isatty() and not full else "text")


def refuse_two_formats(shown_as: str | None, *, as_json: bool) -> None:
    """Refuse --json beside another --format.

    Raises:
        click.UsageError: if two formats are chosen.
    """
    if as_json and shown_as not in (None, "json"):
        raise click.UsageError(f"--json and --format {shown_as} cannot be used together.")


def print_result(result: SearchResult, written_as: str, *, full: bool, quiet: bool) -> None:
    """Print a result. What has no place in the format goes to standard error."""
    if written_as == "json":
        print_json(result.to_dict())
    elif written_as == "markdown":
        click.echo(to_markdown(result), nl=False)
    elif written_as == "csv":
        if result.notice and not quiet:
            click.echo(one_line(result.notice), err=True)
        click.echo("".join(to_csv([result])), nl=False)
    elif written_as == "html":
        print_html(to_html(result))
    elif result.hits:
        echo_paged(result_text(result, written_as, full=full))
    elif not quiet:
        click.echo(note(result), err=True)


def about_source(source: str | None) -> str:
    """Return what to say where no post passes a filter of sources; empty without one, or with a pattern."""
    if source is None or "*" in source:
        return ""
    return f"--source takes whole names (qa-search info lists them) or a pattern: --source {shlex.quote(f'*{source}')}"


def result_text(result: SearchResult, written_as: str, *, full: bool) -> str:
    """Return a result as text: three lines a hit, or the sentence with the text around it, or whole posts."""
    return render_brief(result) if written_as == "brief" else render_result(result, full=full)
