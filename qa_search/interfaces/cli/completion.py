"""Ids, tags and sources of the index, for completion by the shell."""

from __future__ import annotations

from collections.abc import Callable
from glob import escape
from typing import Literal

import click
from click.shell_completion import CompletionItem

from qa_search.index.peek import choices
from qa_search.util.defaults import DEFAULT_INDEX
from qa_search.util.text import without_unseen

_MOST_REMARK = 60

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completer(kind: Literal["id", "tag", "source"]) -> Completer:
    def complete(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
        if context.params.get("store"):
            return []  # a database would have to be asked with each key
        index = context.params.get("index_path") or DEFAULT_INDEX
        found = choices(index, kind, typed)
        # What holds characters that a shell or a terminal would obey is not offered.
        safe = [(name, " ".join(without_unseen(remark).split())) for name, remark in found if _is_safe(name)]
        return [
            CompletionItem(escape(name) if kind == "source" else name, help=remark[:_MOST_REMARK] or None)
            for name, remark in safe
        ]

    return complete


def _is_safe(name: str) -> bool:
    return without_unseen(name) == name and not set(name) & set("\t\n")


complete_ids = _completer("id")
complete_tags = _completer("tag")
complete_sources = _completer("source")
