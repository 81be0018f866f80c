"""The library's messages in the words of the command: an option in the place of each parameter."""

from __future__ import annotations

import re

from qa_search.errors import QASearchError
from qa_search.util.text import without_unsafe

# The parameters whose option has another name; the rest only change their underscores.
_RENAMED = {"field_map": "map", "k": "top-k", "shards": "shard", "tags": "tag"}
_PARAMETERS = (
    "device", "download", "index", "judged", "keep_going", "keep_unanswered", "memory", "model", "precision", "ray",
    "rebuild", "recall", "shards", "store", "strict",
)  # fmt: skip
_WAY_OUT = re.compile(rf"(?:(with) )?\b({'|'.join(_PARAMETERS)})=(\w+)")


def option_of(parameter: str) -> str:
    """Return the option that sets a parameter."""
    return "--" + _RENAMED.get(parameter, parameter).replace("_", "-")


def message_of(error: QASearchError) -> str:
    """Return an error's message with options in the place of parameters, safe to print."""
    text = str(error)
    if error.parameter and text.startswith(f"{error.parameter}: "):
        text = option_of(error.parameter) + text[len(error.parameter) :]
    return without_unsafe(_WAY_OUT.sub(_as_option, text))


def _as_option(match: re.Match[str]) -> str:
    joined, parameter, value = match[1], option_of(match[2]), match[3]
    if value == "False":
        return f"without {parameter}"
    return " ".join(part for part in (joined, parameter, "" if value == "True" else value) if part)
