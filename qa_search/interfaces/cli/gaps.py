"""``qa-search gaps``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

import qa_search
from qa_search.interfaces.cli.completion import complete_files
from qa_search.interfaces.cli.inputs import opened
from qa_search.interfaces.cli.options import Number, json_option, model_option, place_option, print_json, quiet_option
from qa_search.interfaces.cli.results import refuse_two_formats
from qa_search.interfaces.render.terminal import printable

if TYPE_CHECKING:
    from qa_search.insights.gaps import Complaint

FORMATS = ("markdown", "html", "json")
_START = 16


@click.command()
@click.argument("file", metavar="FILE", shell_complete=complete_files)
@place_option()
@click.option(
    "--least",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="N",
    help="A gap has at least so many complaints.",
)
@click.option(
    "--min-confidence",
    type=Number(0, 1),
    metavar="P",
    help="Below this probability, a complaint counts as not answered. [default: what the index has learnt]",
)
@click.option("--format", "shown_as", type=click.Choice(FORMATS), help="The format of the report.  [default: markdown]")
@model_option("The folder of the model that made the index, if it was moved.")
@json_option("the report")
@quiet_option()
def gaps(
    file: str,
    index_path: str,
    least: int,
    min_confidence: float | None,
    shown_as: str | None,
    model: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Show what people asked and the archive does not answer, grouped by subject: each group is a gap.

    FILE is a log of questions (qa-search serve --log), or a file with one complaint on each line: plain text, a JSON
    string, or a JSON object with text (or query) and, for a trend, date. - is standard input. Every complaint is asked
    again, so the report is about the archive as it is now.

    The most frequent gap comes first. Each has a name made of its words, the complaint that is closest to all others in
    it, the nearest posts, and what they lack. With --format html the report is one page that needs no other file.
    """
    refuse_two_formats(shown_as, as_json=as_json)
    from qa_search.insights.gaps import find_gaps

    complaints = _complaints(file)
    with qa_search.SearchIndex.open(index_path, model=model) as index:
        report = find_gaps(
            index, complaints, least=least, min_confidence=min_confidence, progress=_progress(quiet=quiet)
        )
    if as_json or shown_as == "json":
        print_json(report.to_dict())
        return
    from qa_search.interfaces.render.gaps import gaps_to_html, gaps_to_markdown

    text = gaps_to_html(report) if shown_as == "html" else gaps_to_markdown(report)
    click.echo(printable(text), nl=False)


def _complaints(name: str) -> list[Complaint]:
    """Read a log of questions, or lines."""
    from qa_search.insights.gaps import Complaint
    from qa_search.insights.query_lines import read_lines
    from qa_search.insights.question_log import is_question_log, read_questions

    with opened(name, "a log of questions, or a file with a complaint on each line") as stream:
        if name == "-" or not is_question_log(stream.read(_START)):
            if name != "-":
                stream.seek(0)
            lines = read_lines(stream, "standard input" if name == "-" else name)
            return [Complaint(line.text, line.date) for line in lines]
    return [Complaint(question.text, question.hour) for question in read_questions(name)]


def _progress(*, quiet: bool) -> Callable[[int, int], None]:
    """Return what shows on a terminal how many complaints were asked."""
    if quiet or not sys.stderr.isatty():
        return lambda done, total: None

    def show(done: int, total: int) -> None:
        text = "" if done >= total else f"asking: {done:,} of {total:,} complaints"
        click.echo(f"\r\x1b[K{text}", nl=False, err=True)

    return show
