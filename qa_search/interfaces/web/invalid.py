"""What pydantic says of a request -> which parameter is invalid, and what it may be, in our words."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi import Request

from qa_search.interfaces.web.pages import MAX_HITS

_MOST_TOLD = 5
_QUERY = "a text: the complaint, in a few words"
_DATE = "a date, such as 2015, 2015-06 or 2015-06-30"
_ALLOWED = {
    "q": _QUERY,
    "query": _QUERY,
    "k": f"a whole number from 1 to {MAX_HITS}",
    "since": _DATE,
    "until": _DATE,
    "source": "a text: a glob pattern that the source must match",
    "tag": "a text, or a list of texts",
    "tags": "a list of texts",
    "min_confidence": "a number from 0 to 1",
    "post_id": "a text: the post_id of a hit",
    "answered": "true or false",
}


def unknown(name: str, known: Iterable[str]) -> str:
    """Say that there is no such parameter."""
    return f"{reprlib.repr(name)}: unknown parameter. There are: {', '.join(known)}."


def problems(errors: Sequence[Mapping[str, Any]], request: Request) -> str:
    """Say what is wrong with the parameters of a request, or with its body as a whole."""
    found: dict[object, str] = {}  # one problem for each parameter, of several that it may have
    for error in errors:
        found.setdefault(error["loc"][1:2], _problem(error, request))
    return "; ".join(list(found.values())[:_MOST_TOLD])


def _problem(error: Mapping[str, Any], request: Request) -> str:
    name = ".".join(map(str, error["loc"][1:2]))
    kind, given = error["type"], error.get("input")
    if kind == "json_invalid":
        return f"the body is not JSON ({error['ctx']['error']} at character {name})"
    if not name:
        return "the body must be a JSON object, sent with content-type: application/json"
    if kind == "extra_forbidden":
        return unknown(name, request.scope["route"].body_field.field_info.annotation.model_fields)
    if kind == "string_too_long":
        most = error["ctx"]["max_length"]
        return f"{name}: has {len(str(given)):,} characters, and at most {most:,} are read. Shorten it"
    what = "missing" if kind == "missing" else "empty" if given == "" else f"{reprlib.repr(given)} is invalid"
    return f"{name}: {what}. Write {_ALLOWED.get(name, 'what /openapi.json describes')}"
