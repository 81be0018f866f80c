"""The ``qa-search`` command. Everything that prints or exits is in this package."""

from __future__ import annotations

import atexit
import difflib
import gc
import os
import sys
from importlib import import_module
from typing import Any

import click

import qa_search
from qa_search.errors import IndexNotFoundError, QASearchError, QueryError
from qa_search.interfaces.cli.options import INDEX_SOURCE
from qa_search.interfaces.cli.output import OutputError, discard, prepare_streams, report_lost
from qa_search.interfaces.render.commands import message_of
from qa_search.interfaces.render.terminal import printable

__all__ = ["cli", "main"]

EXIT_UNUSABLE = 3
EXIT_INTERRUPTED = 130

_COMMANDS = {
    "add": "Add a source, and build.",
    "build": "Build the index from archives.",
    "eval": "Measure retrieval quality on a judged set.",
    "export": "Write posts to a file.",
    "feedback": "Say which post answers a query, and show what counts.",
    "info": "Show what the index contains.",
    "inspect": "Show what a build would read, without building.",
    "list": "List posts, the newest first.",
    "log": "Show what each build changed.",
    "mcp": "Make the search available to assistants.",
    "gaps": "Show what people asked and the archive does not answer.",
    "query": "Find the closest past answers.",
    "questions": "Show a log of questions, or forget some.",
    "remove": "Take out a source or a post, and build.",
    "review": "Show what in the archive a person may want to mend.",
    "serve": "Serve the search over HTTP, with a page.",
    "shell": "Ask, open posts, ask again.",
    "show": "Show a whole post.",
    "similar": "Find posts like a post.",
    "sources": "Show what the index is built from.",
    "tune": "Learn the ranking's weights for this archive.",
    "undo": "Let an earlier generation answer again.",
    "verify": "Check every byte of the index.",
}


_NO_POST, _WHERE_IDS_ARE = "the index has no post with this id", " (qa-search list prints the ids)"
_BUILDS = ("add", "build", "remove")
# "eval" and "list" are built-in names of Python.
_MODULES = {
    "add": "sources", "eval": "evaluate", "export": "listing", "list": "listing", "log": "history",
    "remove": "sources", "similar": "show", "undo": "history",
}  # fmt: skip
_FUNCTIONS = {"eval": "evaluate", "list": "list_posts"}


_BEHIND_DASHES = "A text that begins with a dash goes behind two dashes and a blank: -- TEXT"


def _takes_text(command: click.Command) -> bool:
    return any(isinstance(one, click.Argument) and one.name == "text" for one in command.params)


class _Group(click.Group):
    """Loads a command when it is called, and turns the library's errors into one message and an exit status."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "help":
            return _help
        if cmd_name not in _COMMANDS:
            return None
        module = _MODULES.get(cmd_name, cmd_name)
        command: click.Command = getattr(
            import_module(f"qa_search.interfaces.cli.{module}"), _FUNCTIONS.get(cmd_name, cmd_name)
        )
        command.short_help = _COMMANDS[cmd_name]
        return command

    def _called(self, ctx: click.Context) -> click.Context:
        """Return a context of the command that was called: an error leads to its help."""
        command = self.get_command(ctx, ctx.invoked_subcommand or "")
        return ctx if command is None else click.Context(command, parent=ctx, info_name=ctx.invoked_subcommand)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; suggest others for an unknown one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = difflib.get_close_matches(args[0], [*_COMMANDS, "help"], 2)
            if not near:
                raise
            raise click.UsageError(f"{error.message} Did you mean {' or '.join(near)}?", ctx=ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            error.ctx = error.ctx or self._called(ctx)
            if isinstance(error, click.NoSuchOption) and _takes_text(error.ctx.command):
                raise click.UsageError(f"{error.format_message()} {_BEHIND_DASHES}", ctx=error.ctx) from error
            raise
        except QueryError as error:
            said = message_of(error)
            ids = _WHERE_IDS_ARE if said.endswith(_NO_POST) else ""
            raise click.UsageError(f"{said}{ids}", ctx=self._called(ctx)) from error
        except QASearchError as error:
            click.echo(f"Error: {message_of(error)}{_other_index(ctx, error)}", err=True)
            ctx.exit(EXIT_UNUSABLE)
        except KeyboardInterrupt:
            if ctx.invoked_subcommand in _BUILDS:
                said = "\nInterrupted. Nothing was changed; the same command goes on from what was computed."
                click.echo(said, err=True)
            ctx.exit(EXIT_INTERRUPTED)
        except BrokenPipeError:
            # The reader closed the output. click would exit with 1, which here means that nothing was found.
            discard(sys.stdout)
            ctx.exit(0)
        except OSError as error:
            click.echo(f"Error: {_system_error(error)}", err=True)
            ctx.exit(EXIT_UNUSABLE)


def _system_error(error: OSError) -> str:
    """Return what the system refused; that the current folder was removed is seen only where its path is needed."""
    try:
        os.getcwd()  # noqa: PTH109 - nothing but the question
    except OSError:
        return "the current folder was removed, or cannot be read. Change to another one (cd)."
    place = "" if error.filename is None else f"{printable(str(error.filename))}: "
    return f"{place}{error.strerror or error}"


def _other_index(ctx: click.Context, error: QASearchError) -> str:
    """Return how to name another index if the index is missing and no option named it; "" for other errors."""
    if not isinstance(error, IndexNotFoundError):
        return ""
    named_by = ctx.meta.get(INDEX_SOURCE)
    if named_by is click.core.ParameterSource.ENVIRONMENT:
        return " (QA_SEARCH_INDEX names this folder; --index PATH names another.)"
    if named_by is click.core.ParameterSource.DEFAULT:
        return " (An index elsewhere is named by --index PATH, or for all commands by QA_SEARCH_INDEX.)"
    return ""


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(qa_search.__version__, prog_name="qa-search")
def cli() -> None:
    """Search an archive of expert answers: ask in your own words, get the closest past answers.

    \b
    qa-search build                    build the index from data/archive/
    qa-search query "back of my thigh has ached for months, PT did nothing"
    qa-search info                     what the index holds

    Exit status: 0 found, or done; 1 ran well, but nothing was found; 2 wrong usage; 3 an input, the index, the
    model or the output cannot be used.
    """  # noqa: D301 - the backspace tells click to leave the lines as they are


@click.command(name="help")
@click.argument("command", required=False)
@click.pass_context
def _help(ctx: click.Context, command: str | None) -> None:
    """Show the help of a command, or of all."""
    group = ctx.find_root()
    if command is None:
        click.echo(group.get_help())
        return
    _, found, _ = cli.resolve_command(group, [command])
    if found is not None:
        with click.Context(found, info_name=command, parent=group) as inner:
            click.echo(found.get_help(inner))


def main() -> None:
    """Run the command; end without an error if the reader of its output closes it, and with 3 if it is unusable."""
    # Importing makes many objects that stay: looking through them for garbage again and again only costs time.
    gc.set_threshold(100_000, 50, 50)
    # Nor is it worth while at the end, when all memory is given back anyway: it would take a tenth of a short command.
    atexit.register(gc.freeze)
    try:
        prepare_streams()
        try:
            cli()
        finally:
            report_lost()
            sys.stdout.flush()
    except OutputError as error:
        discard(sys.stdout)
        click.echo(f"Error: {error}", err=True)
        sys.exit(EXIT_UNUSABLE)
