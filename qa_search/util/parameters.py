"""A parameter's name and value -> nothing, or an error that says which values are allowed."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from qa_search.errors import QueryError


def require(fits: bool, name: str, value: object, allowed: str) -> None:
    """Refuse a value that does not fit; ``allowed`` says what does.

    Raises:
        QueryError: if it does not fit. So do the other functions here.
    """
    if not fits:
        raise QueryError(f"{name} must be {allowed}, not {reprlib.repr(value)}", parameter=name)


def require_whole(name: str, value: object, least: int, most: int | None = None) -> None:
    """Refuse what is not a whole number of this range."""
    fits = isinstance(value, int) and not isinstance(value, bool) and least <= value and (most is None or value <= most)
    require(fits, name, value, f"a whole number from {least:,}" + ("" if most is None else f" to {most:,}"))


def require_share(name: str, value: object) -> None:
    """Refuse what is not a number from 0 to 1."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    require(number and 0 <= value <= 1, name, value, "a number from 0 to 1")  # type: ignore[operator]


def require_seconds(name: str, value: object) -> None:
    """Refuse what is not a number above 0; nobody waits for ever."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    require(number and 0 < value < float("inf"), name, value, "a number of seconds above 0")  # type: ignore[operator]


def require_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Refuse what is none of some words."""
    require(isinstance(value, str) and value in choices, name, value, f"one of {', '.join(choices)}")


def require_flags(**flags: object) -> None:
    """Refuse what is neither True nor False: a text such as "no" would count as True."""
    for name, value in flags.items():
        require(isinstance(value, bool), name, value, "True or False")


def require_texts(**texts: object) -> None:
    """Refuse what is neither a text nor None."""
    for name, value in texts.items():
        require(value is None or isinstance(value, str), name, value, "a text or None")


def require_length(name: str, value: object, most: int) -> None:
    """Refuse what is not a text, is blank, or has more characters."""
    fits = isinstance(value, str) and bool(value.strip()) and len(value) <= most
    require(fits, name, value, f"a text of 1 to {most:,} characters")


def require_calls(**calls: object) -> None:
    """Refuse what is neither a function nor None."""
    for name, value in calls.items():
        require(value is None or callable(value), name, value, "a function or None")


def require_path(name: str, value: object) -> None:
    """Refuse what is no path of a file or folder."""
    require(is_path(value), name, value, "the path of a file or folder")


def require_paths(**paths: object) -> None:
    """Refuse what is neither a path nor None."""
    for name, value in paths.items():
        if value is not None:
            require_path(name, value)


def listed_paths(name: str, value: object) -> list[Any]:
    """Return several paths, or a single one, as a list."""
    paths = _listed(value, str | os.PathLike)
    require(all(map(is_path, paths)), name, value, "a path, or a list of paths")
    return paths


def listed_texts(name: str, value: object) -> list[str]:
    """Return several texts, or a single one, as a list."""
    texts = _listed(value, str)
    require(all(isinstance(text, str) for text in texts), name, value, "a text, or a list of texts")
    return texts


def _listed(value: object, single: Any) -> list[Any]:
    if isinstance(value, single):
        return [value]
    return list(value) if isinstance(value, Iterable) else [None]


def require_mapping(name: str, value: object, allowed: str) -> None:
    """Refuse what is neither a mapping of texts or paths to texts nor None."""
    fits = isinstance(value, Mapping) and all(is_path(key) and isinstance(text, str) for key, text in value.items())
    require(value is None or fits, name, value, allowed)


def is_path(value: object) -> bool:
    """Return whether a value can be the path of a file."""
    if not isinstance(value, str | os.PathLike):
        return False
    path = os.fspath(value)
    try:
        return isinstance(path, str) and b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:  # half a surrogate pair
        return False
