"""Regular expressions mean the same in every Python 3.11."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest

import qa_search

# The parser is Python's own; it has no public name since 3.11.
PARSER: Any = re._parser  # type: ignore[attr-defined]
ONE_CHARACTER = {"IN", "LITERAL", "NOT_LITERAL", "ANY", "CATEGORY"}


def patterns() -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Yield all patterns that modules of the archives and of util keep."""
    for package in ("archives", "util"):
        for module in pkgutil.walk_packages([f"{qa_search.__path__[0]}/{package}"], f"qa_search.{package}."):
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(value, re.Pattern):
                    yield f"{module.name}.{name}", value


def repeated_possessively(parsed: Any) -> Iterator[list[str]]:
    """Yield what each possessive quantifier in a parsed pattern repeats, as operations."""
    for operation, argument in parsed:
        if str(operation) == "POSSESSIVE_REPEAT":
            yield [str(inner) for inner, _ in argument[2]]
        for part in argument if isinstance(argument, tuple | list) else [argument]:
            for below in part if isinstance(part, list) else [part]:
                if isinstance(below, PARSER.SubPattern):
                    yield from repeated_possessively(below)


def is_safe(repeated: list[str]) -> bool:
    """Return whether a possessive quantifier repeats one character or one atomic group."""
    return len(repeated) == 1 and (repeated[0] in ONE_CHARACTER or repeated[0] == "ATOMIC_GROUP")


@pytest.mark.parametrize(("name", "pattern"), list(patterns()))
def test_possessive_quantifiers_repeat_nothing_that_can_backtrack(name: str, pattern: re.Pattern[Any]) -> None:
    """Python 3.11.0 to 3.11.4 match (?:a|b)*+ wrongly, and (?>a|b)*+ rightly (gh-106052)."""
    assert all(map(is_safe, repeated_possessively(PARSER.parse(pattern.pattern, pattern.flags))))


@pytest.mark.parametrize(
    ("pattern", "safe"), [("(?:ab|c)*+", False), ("(?>ab|c)*+", True), ("x(y|(?:ab)++)", False), (r"[ab]*+c", True)]
)
def test_the_check_tells_them_apart(pattern: str, safe: bool) -> None:
    """Also within groups and branches."""
    found = list(repeated_possessively(PARSER.parse(pattern)))
    assert found
    assert all(map(is_safe, found)) == safe
