"""Options that several commands share."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import click

from qa_search.search import DEFAULT_INDEX

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def index_option() -> Decorator:
    """--index: where the index is."""
    return click.option(
        "--index",
        "index_path",
        default=DEFAULT_INDEX,
        envvar="QA_SEARCH_INDEX",
        show_default=f"{DEFAULT_INDEX}/, or QA_SEARCH_INDEX",
        metavar="PATH",
        help="The index folder.",
    )


def default_index() -> str:
    """Return the index that is meant where none is named."""
    return os.environ.get("QA_SEARCH_INDEX") or DEFAULT_INDEX


def json_option(what: str) -> Decorator:
    """--json: one document on standard output, and nothing else there."""
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what} as one JSON document.")


def quiet_option() -> Decorator:
    """--quiet: nothing but the result and errors."""
    return click.option("-q", "--quiet", is_flag=True, help="No progress and no remarks, only the result.")


def model_option(what: str) -> Decorator:
    """--model: a name or a folder."""
    return click.option("--model", metavar="NAME|PATH", help=what)


def print_json(document: Any) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))
