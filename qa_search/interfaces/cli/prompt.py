"""The shell on a terminal: a line editor with history and completion."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from qa_search.errors import QASearchError
from qa_search.interfaces.cli.session import COMMANDS, Shell, complain
from qa_search.util.text import clean_text


def converse(here: Shell, *, history: bool) -> None:
    """Run lines until ":quit" or Ctrl-D; Ctrl-C drops the line, or stops its work."""
    session: PromptSession[str] = PromptSession(
        history=_open_history() if history else InMemoryHistory(),
        completer=_Choices(here),
        complete_while_typing=False,
        complete_in_thread=True,
    )
    click.echo("Ask in your own words; :help lists what else there is, Ctrl-D leaves.")
    while True:
        try:
            if not here.obey(session.prompt(here.prompt)):
                return
        except KeyboardInterrupt:
            continue
        except EOFError:
            return


class _Choices(Completer):
    """Completes commands and their values."""

    def __init__(self, here: Shell) -> None:
        self._here = here

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        text = document.text_before_cursor
        if not text.startswith(":"):
            return
        name, blank, word = text[1:].partition(" ")
        choices = {command: what for command, (_, what) in COMMANDS.items()}
        if blank:
            choices = {}
            with suppress(QASearchError):  # the next line raises and reports the same error
                choices = dict(self._here.choices(name))
        for choice, remark in choices.items():
            typed = word if blank else name
            if choice.startswith(typed):
                yield Completion(choice, start_position=-len(typed), display_meta=remark)


class _FileHistory(FileHistory):
    """Keeps the history; an error of writing the file does not stop the shell."""

    def append_string(self, string: str) -> None:
        # A terminal can send bytes that are not text.
        super().append_string(clean_text(string))

    def store_string(self, string: str) -> None:
        with suppress(OSError):
            super().store_string(string)


def _open_history() -> History:
    """Open the history file, readable by its owner alone."""
    state = os.environ.get("XDG_STATE_HOME", "")
    try:
        folder = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
        path = folder / "qa-search" / "history"
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
    except (OSError, RuntimeError) as error:
        complain(f"The history is not kept: {error}")
        return InMemoryHistory()
    return _FileHistory(str(path))
