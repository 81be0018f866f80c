"""``qa-search questions``."""

from __future__ import annotations

import click

from qa_search.interfaces.cli.completion import complete_files
from qa_search.interfaces.cli.options import json_option, print_json
from qa_search.interfaces.render.terminal import printable
from qa_search.util.text import counted

_SHOWN = 20


@click.group()
def questions() -> None:
    """Show a log of questions, or forget some.

    A log is written only where --log asks for it (qa-search serve, qa-search query). It holds the text of each
    question, with mail addresses and phone numbers masked, the hour, and whether it was answered; not who asked.
    qa-search gaps groups what was not answered.

    \b
    qa-search questions show FILE                     the latest questions
    qa-search questions forget FILE --about "a name"  remove some, from the file's bytes too
    """  # noqa: D301 - the backspace tells click to leave the lines as they are


@questions.command(short_help="Show the questions in a log.")
@click.argument("file", metavar="FILE", shell_complete=complete_files)
@click.option(
    "--unanswered",
    is_flag=True,
    help="Only questions that were not answered; those with a sign of danger are only counted.",
)
@click.option("--all", "show_all", is_flag=True, help=f"All questions, not only the latest {_SHOWN}.")
@json_option("all questions")
def show(file: str, unanswered: bool, show_all: bool, as_json: bool) -> None:
    """Show the questions in the log FILE, oldest first: hour, confidence, what became of it, text.

    "danger" is a question with a sign of danger from the archivist's file: it showed the notice in place of an answer.
    """
    from qa_search.insights.question_log import NOT_ANSWERED, read_questions

    found = every = read_questions(file)
    if unanswered:
        found = [one for one in every if one.state == NOT_ANSWERED]
    if as_json:
        print_json([one.to_dict() for one in found])
        return
    shown = found if show_all else found[-_SHOWN:]
    for one in shown:
        click.echo(printable(f"{one.hour}  {one.confidence:4.0%} {one.state:<12}  {' '.join(one.text.split())}"))
    if len(shown) < len(found):
        click.echo(f"... the latest {len(shown):,} of {len(found):,} (--all)", err=True)
    in_danger = sum(one.state == "danger" for one in every)
    if unanswered and in_danger:
        which = f"{counted(in_danger, 'question')} with a sign of danger left out"
        click.echo(f"{which}: no post would answer {'it' if in_danger == 1 else 'them'}", err=True)


@questions.command(short_help="Remove questions from a log.")
@click.argument("file", metavar="FILE", shell_complete=complete_files)
@click.option("--about", metavar="TEXT", help="Remove those that contain this text, whether in capitals or not.")
@click.option("--before", metavar="DATE", help="Remove those of days before this date (2026, 2026-11 or 2026-11-27).")
@click.option("--all", "everything", is_flag=True, help="Remove all of them.")
@json_option("the number of questions")
def forget(file: str, about: str | None, before: str | None, everything: bool, as_json: bool) -> None:
    """Remove questions from the log FILE; their text is overwritten in the file.

    With both --about and --before, only those that fit both are removed.
    """
    if everything is (about is not None or before is not None):
        raise click.UsageError("Choose the questions to forget: --about TEXT, --before DATE, or --all.")
    from qa_search.insights.question_log import forget_questions

    count = forget_questions(file, about=about, before=before, everything=everything)
    if as_json:
        print_json({"forgotten": count})
    else:
        click.echo(f"{count:,} {'question' if count == 1 else 'questions'} forgotten")
