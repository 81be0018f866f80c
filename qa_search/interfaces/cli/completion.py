"""What is typed -> ids, tags and sources of the index, folders that are indexes, files: for completion by the shell."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from glob import escape
from typing import Literal

import click
from click.shell_completion import CompletionItem

from qa_search.index.owned import POINTER
from qa_search.util.defaults import DEFAULT_INDEX
from qa_search.util.text import without_unseen

_MOST_REMARK = 60
# Indexes are looked for so many folders below what is typed, in so many folders, for so long.
_DEPTH, _MOST_FOLDERS, _SECONDS = 3, 1000, 0.3
# Paths that need no quoting in any shell; the shell itself offers the others, as folders.
_UNQUOTED = re.compile(r"[\w./@+~-]+")

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completer(kind: Literal["id", "tag", "source"]) -> Completer:
    def complete(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
        if context.params.get("store"):
            return []  # a database would have to be asked with each key
        from qa_search.index.peek import choices  # here, because only completion needs SQLite's module

        index = context.params.get("index_path") or DEFAULT_INDEX
        found = choices(index, kind, typed)
        # What holds characters that a shell or a terminal would obey is not offered.
        safe = [(name, " ".join(without_unseen(remark).split())) for name, remark in found if _is_safe(name)]
        return [
            CompletionItem(escape(name) if kind == "source" else name, help=remark[:_MOST_REMARK] or None)
            for name, remark in safe
        ]

    return complete


def complete_files(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Let the shell offer files and folders: where a program completes, it offers them only if it is told to."""
    return [CompletionItem(typed, type="file")]


def complete_folders(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Let the shell offer folders."""
    return [CompletionItem(typed, type="dir")]


def complete_indexes(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Offer the index folders at or below what is typed. Without any, the shell offers all folders."""
    found = [CompletionItem(name) for name in sorted(_indexes(typed)) if _UNQUOTED.fullmatch(name)]
    return found or complete_folders(context, parameter, typed)


def complete_posts_or_files(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Offer ids of posts; where none begins like this, let the shell offer files."""
    return complete_ids(context, parameter, typed) or complete_files(context, parameter, typed)


def _indexes(typed: str) -> Iterator[str]:
    """Yield folders that begin with what is typed, or are not far below one that does, and are indexes."""
    end, looked_at = time.monotonic() + _SECONDS, 0
    head, begun = os.path.split(typed)
    if head and _is_index(head):
        yield typed
        return
    level = [head]
    for depth in range(_DEPTH):
        below = []
        for folder in level:
            for name in _folders(folder, "" if depth else begun):
                looked_at += 1
                if looked_at > _MOST_FOLDERS or time.monotonic() > end:
                    return
                if _is_index(name):
                    yield name
                else:
                    below.append(name)
        level = below


def _is_index(folder: str) -> bool:
    return os.path.isfile(os.path.join(_at_home(folder), POINTER))  # noqa: PTH113, PTH118 - it never raises


def _folders(folder: str, begun: str) -> list[str]:
    """Return the folders in a folder, hidden ones only if they are asked for."""
    try:
        with os.scandir(_at_home(folder) or ".") as entries:
            names = [entry.name for entry in entries if entry.name.startswith(begun) and entry.is_dir()]
    except (OSError, ValueError):
        return []
    shown = [name for name in names if begun.startswith(".") or not name.startswith(".")]
    return [os.path.join(folder, name) for name in shown]  # noqa: PTH118 - it stays as it is typed, "./" included


def _at_home(folder: str) -> str:
    return os.path.expanduser(folder)  # noqa: PTH111 - it never raises


def _is_safe(name: str) -> bool:
    return without_unseen(name) == name and not set(name) & set("\t\n")


complete_ids = _completer("id")
complete_tags = _completer("tag")
complete_sources = _completer("source")
