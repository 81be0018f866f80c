"""Options that several commands share."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from qa_search.interfaces.cli.completion import (
    complete_files,
    complete_folders,
    complete_indexes,
    complete_sources,
    complete_tags,
)
from qa_search.interfaces.cli.output import json_text
from qa_search.util.defaults import DEFAULT_INDEX, DEFAULT_KEEP, DEFAULT_LARGEST_LOSS, LEAST_KEEP

INDEX_SOURCE = "qa_search.index_source"
_TOKEN = re.compile(r"[!-~]+")

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Number(click.FloatRange):
    """A number within bounds. "nan" and "inf" are refused: no bound would stop them."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


def index_option() -> Decorator:
    """--index: where the index is."""
    return click.option(
        "--index",
        "index_path",
        default=DEFAULT_INDEX,
        envvar="QA_SEARCH_INDEX",
        callback=_note_source,
        metavar="PATH",
        shell_complete=complete_indexes,
        help=f"The index folder. [default: {DEFAULT_INDEX}/, or what QA_SEARCH_INDEX names]",
    )


def _note_source(context: click.Context, option: click.Parameter, path: str) -> str:
    """Note who named the index folder (an option, a variable or nobody): the message about a missing index says so."""
    context.meta[INDEX_SOURCE] = context.get_parameter_source("index_path")
    return path


def place_option() -> Decorator:
    """--index or --store: the index to search; the command gets it as ``index_path``."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def with_place(*args: Any, index_path: str, store: str | None, **options: Any) -> Any:
            return command(*args, index_path=chosen_place(index_path, store) or index_path, **options)

        return index_option()(
            store_option("The PostgreSQL database that holds the index, in place of a folder.")(with_place)
        )

    return decorate


def store_option(what: str, *, variable: str | None = "QA_SEARCH_STORE") -> Decorator:
    """--store: a database."""
    named = f" [env: {variable}]" if variable else ""
    return click.option(
        "--store",
        envvar=variable,
        metavar="URL",
        callback=_require_database,
        help=f"{what} Write it as postgresql://USER@HOST/DATABASE.{named}",
    )


def _require_database(context: click.Context, option: click.Parameter, store: str | None) -> str | None:
    if store is None or context.resilient_parsing:  # for a completion, nothing heavy is loaded
        return store
    from qa_search.index.open import is_database  # here, because help and completion need no index

    if is_database(store):
        return store
    source = context.get_parameter_source("store")
    typed = source is click.core.ParameterSource.COMMANDLINE
    # Not repeated: it may hold a password.
    message = "not the address of a PostgreSQL database, such as postgresql://USER@HOST/DATABASE."
    raise click.BadParameter(message, param_hint=None if typed else str(option.envvar))


def chosen_place(index_path: str | None, store: str | None) -> str | None:
    """Return the chosen database or folder; the command line overrides the environment."""
    context = click.get_current_context()
    typed = [
        name
        for name in ("index_path", "store")
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]
    if len(typed) == 2:
        raise click.UsageError("--index and --store cannot be used together.")
    return index_path if typed == ["index_path"] else store or index_path


def default_index() -> str:
    """Return the default index."""
    return os.environ.get("QA_SEARCH_INDEX") or DEFAULT_INDEX


def filter_options() -> Decorator:
    """--since, --until, --source and --tag: which posts pass; the command gets them as `SearchOptions` has them."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in (
            click.option(
                "--tag",
                "tags",
                multiple=True,
                metavar="TAG",
                shell_complete=complete_tags,
                help="Only posts with this tag; if repeated, only posts that have all of the tags.",
            ),
            click.option(
                "--source",
                metavar="GLOB",
                shell_complete=complete_sources,
                help="Only posts whose source matches, such as '*/Posts.xml'.",
            ),
            click.option(
                "--until", metavar="DATE", help="Only posts up to this date, its whole day, month or year included."
            ),
            click.option(
                "--since", metavar="DATE", help="Only posts of this date or later (2015, 2015-06 or 2015-06-30)."
            ),
        ):
            command = option(command)
        return command

    return decorate


def json_option(what: str) -> Decorator:
    """--json: one document on standard output, and nothing else there."""
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what} as one JSON document.")


def quiet_option() -> Decorator:
    """--quiet: nothing but the result and errors."""
    return click.option("-q", "--quiet", is_flag=True, help="Print only the result: no progress, no remarks.")


def model_option(what: str) -> Decorator:
    """--model: a name or a folder."""
    return click.option("--model", metavar="NAME|PATH", shell_complete=complete_folders, help=what)


def feedback_option(what: str) -> Decorator:
    """--feedback: the file of votes to write to."""
    return click.option(
        "--feedback",
        metavar="FILE",
        type=click.Path(dir_okay=False),
        callback=_require_writable,
        help=f"{what} [default: write down nothing]",
    )


def _require_writable(context: click.Context, option: click.Parameter, file: str | None) -> str | None:
    """Refuse a file that no vote could be written to, before anybody votes."""
    if file is not None and not context.resilient_parsing:
        from qa_search.search.feedback import FeedbackFile  # here, because help and completion need no index

        FeedbackFile(Path(file)).require_writable()
    return file


def token_option(what: str, name: str = "--token", variable: str = "QA_SEARCH_TOKEN") -> Decorator:
    """--token, or one of another name: what a request must contain."""
    return click.option(
        name,
        envvar=variable,
        metavar="TOKEN",
        callback=_require_token,
        help=f"{what} It has ASCII letters, digits and signs, without blanks. [env: {variable}]",
    )


def _require_token(context: click.Context, option: click.Parameter, token: str | None) -> str | None:
    """Refuse a token that clients cannot send in a header."""
    if token is None or _TOKEN.fullmatch(token):
        return token
    typed = context.get_parameter_source(str(option.name)) is click.core.ParameterSource.COMMANDLINE
    # Not repeated: it is a secret.
    message = "a token has letters, digits and signs of ASCII, without blanks or line ends: no client can send another."
    raise click.BadParameter(message, param_hint=None if typed else str(option.envvar))


def log_options() -> Decorator:
    """--log and --keep: a log of questions; the command gets it as ``questions``, None if it is not asked for."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def with_log(*args: Any, log: str | None, keep: str | None, **options: Any) -> Any:
            if log is None:
                if keep is not None:
                    raise click.UsageError("--keep says how long a log keeps questions: name the log with --log FILE.")
                return command(*args, questions=None, **options)
            from qa_search.insights.question_log import QuestionLog, keep_days_of

            with QuestionLog(log, None if keep is None else keep_days_of(keep)) as questions:
                return command(*args, questions=questions, **options)

        kept = click.option(
            "--keep",
            metavar="TIME",
            help="How long the log keeps questions, such as 90d or 12w.  [default: what it was made with; 90d for a "
            "new one]",
        )
        return click.option(
            "--log",
            metavar="FILE",
            shell_complete=complete_files,
            help="Log the questions in this file: text (mail addresses and phone numbers masked), hour, whether it was "
            "answered. Without it, nothing is logged.",
        )(kept(with_log))

    return decorate


def map_option() -> Decorator:
    """--map: which field plays which role; the command gets a dictionary."""
    return click.option(
        "--map",
        "field_map",
        multiple=True,
        metavar="ROLE=FIELD",
        callback=_read_map,
        help="The field that holds the question, answer, title, body, date, url, tags, author, score or id, if its "
        "name is not recognised. FIELD is a name, a path such as replies.text, the number of a column, or - for no "
        "field.",
    )


def _read_map(context: click.Context, option: click.Parameter, items: tuple[str, ...]) -> dict[str, str]:
    mapping = {}
    for item in items:
        role, separator, name = item.partition("=")
        if not separator or not name:
            raise click.BadParameter(f"{item!r} is not ROLE=FIELD, such as question=Frage", param_hint="--map")
        mapping[role] = name
    return mapping


def encoding_option() -> Decorator:
    """--encoding: what text files are written in."""
    return click.option(
        "--encoding",
        metavar="NAME",
        help="The character encoding of all text files, such as windows-1251. [default: found from their bytes]",
    )


def guard_options() -> Decorator:
    """--dry-run, --allow-shrink, --largest-loss and --keep: what a build may change."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in (
            click.option(
                "--keep",
                type=click.IntRange(min=LEAST_KEEP),
                default=DEFAULT_KEEP,
                show_default=True,
                help="How many generations to keep: this build and those before it. qa-search undo goes back to them.",
            ),
            click.option(
                "--largest-loss",
                type=Number(0, 1),
                default=DEFAULT_LARGEST_LOSS,
                show_default=True,
                help="Stop if more than this share of the posts would be gone or get other ids.",
            ),
            click.option("--allow-shrink", is_flag=True, help="Build even if many posts would be gone."),
            click.option("--dry-run", is_flag=True, help="Only read the archives, and show what a build would change."),
        ):
            command = option(command)
        return command

    return decorate


def comments_option() -> Decorator:
    """--comments: keep those of a dump."""
    return click.option("--comments", is_flag=True, help="Keep the comments of Stack Exchange dumps (Comments.xml).")


def print_json(document: Any) -> None:
    """Print one JSON document."""
    click.echo(json_text(document, indent=2))


def color_option() -> Decorator:
    """--color: whether to colour; click takes it from the context, for printing and for `use_colour`."""
    return click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        show_default=True,
        expose_value=False,
        callback=_choose_color,
        help="Whether the output has colours: auto means on a terminal, never if NO_COLOR is set, and always if "
        "FORCE_COLOR is set.",
    )


def _choose_color(context: click.Context, option: click.Parameter, chosen: str) -> None:
    if chosen == "auto":
        context.color = False if os.environ.get("NO_COLOR") else True if os.environ.get("FORCE_COLOR") else None
    else:
        context.color = chosen == "always"
