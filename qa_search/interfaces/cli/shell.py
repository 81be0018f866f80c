"""``qa-search shell``: ask, open, ask again."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress

import click

import qa_search
from qa_search.interfaces.cli.inputs import standard_input
from qa_search.interfaces.cli.options import feedback_option, model_option, place_option
from qa_search.interfaces.cli.session import Shell, complain
from qa_search.search.query import DEFAULT_TOP_K, MAX_TOP_K

_MAX_LINE_BYTES = 1_000_000


@click.command()
@place_option()
@click.option("-k", "--top-k", type=click.IntRange(1, MAX_TOP_K), default=DEFAULT_TOP_K, show_default=True, metavar="N",
              help="How many posts at most.")  # fmt: skip
@feedback_option("Take feedback by :yes N and :no N, and write it to this file.")
@click.option("--no-history", is_flag=True, help="Do not keep a history.")
@model_option("The folder of the model that made the index, if it was moved.")
def shell(index_path: str, top_k: int, feedback: str | None, no_history: bool, model: str | None) -> None:
    """Ask one query after the other, read whole posts, and search on from them.

    A line is a query in your own words, the number of a post to open, or a command, such as ":since 2015"; ":help"
    lists them. When standard input is not a terminal, lines are read from it.

    The history is kept in ~/.local/state/qa-search/history (or below XDG_STATE_HOME), for you alone to read.
    """
    with qa_search.SearchIndex.open(index_path, model=model, feedback=feedback) as index:
        # The model is loaded while the first question is typed.
        loading = threading.Thread(target=_load_model, args=(index,))
        loading.start()
        try:
            if sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty():
                from qa_search.interfaces.cli.prompt import converse  # here, because scripts do not need it

                converse(Shell(index, top_k), history=not no_history)
            else:
                _obey_standard_input(Shell(index, top_k))
        finally:
            loading.join()  # Python must not end in the middle of it


def _load_model(index: qa_search.SearchIndex) -> None:
    with suppress(Exception):  # the first query raises and reports the same error
        _ = index.embedder


def _obey_standard_input(here: Shell) -> None:
    stream = standard_input()
    while line := stream.readline(_MAX_LINE_BYTES):
        if len(line) == _MAX_LINE_BYTES and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = stream.readline(_MAX_LINE_BYTES)
            complain(f"A line of more than {_MAX_LINE_BYTES:,} bytes is left out.")
        elif not here.obey(line.decode("utf-8-sig", "replace")):
            return
