"""Adds the schema to every name in a statement, so that code that others put in a database is never called.

Statements are written as in a textbook: keywords in upper case, all other names in lower case. `qualified` adds the
schema of each function, operator, type and table: ``pg_catalog`` for those of PostgreSQL, its own schema for those of
pgvector, that of the generation for tables. OPERATOR() binds like any unusual operator, so arithmetic of several
operators needs parentheses.
"""

from __future__ import annotations

import re
from functools import lru_cache

from qa_search.index.postgres.schema import TABLE_NAMES

SEARCH_PATH = "pg_catalog, pg_temp"
_VECTOR_OPERATORS = frozenset({"<#>"})
_VECTOR_NAMES = frozenset({"halfvec", "halfvec_send"})
_TOKEN = re.compile(
    r"""(?P<text>'(?:[^']|'')*'|"[^"]*"|%s)|(?P<cast>::)|(?P<name>[A-Za-z_]\w*(?:\.\w+)*)|(?P<operator>[-+*/<>=~!@\#|]+)"""
    r"""|(?P<space>\s+)|(?P<other>\d+|.)""",
    re.DOTALL,
)
_BEFORE_TABLES = frozenset({"FROM", "JOIN"})
# Before these a name and a parenthesis are not a call: USING hash (...), AS name (...).
_BEFORE_NAMES = frozenset({"USING", "AS", "INTO"})


@lru_cache(maxsize=1024)
def qualified(statement: str, schema: str = "", extension: str = "public") -> str:
    """Return a statement in which every function, operator, type and table is named with its schema.

    Args:
        statement: keywords in upper case, other names in lower case, parameters as %s.
        schema: the schema of the generation's tables.
        extension: the schema of pgvector.
    """
    tokens = [(str(found.lastgroup), found.group()) for found in _TOKEN.finditer(statement)]
    solid = [token for token in tokens if token[0] != "space"]
    parts: list[str] = []
    closing: list[str] = []  # what each open parenthesis ends with
    place = 0
    for kind, text in tokens:
        if kind == "space":
            parts.append(text)
            continue
        before, after = _at(solid, place - 1), _at(solid, place + 1)
        if text == "IN" and after == "(":
            parts.append("OPERATOR(pg_catalog.=) ANY")
        elif text == "(":
            listed = before == "IN" and after != "SELECT"
            parts.append("(ARRAY[" if listed else "(")
            closing.append("])" if listed else ")")
        elif text == ")":
            parts.append(closing.pop())
        elif kind == "operator" and _at(solid, place - 2) != "SET":  # SET name = value
            parts.append(_operator(text, before, extension))
        elif kind == "name":
            parts.append(_name(text, before, after, schema, extension))
        else:
            parts.append(text)
        place += 1
    return "".join(parts)


def _at(tokens: list[tuple[str, str]], place: int) -> str:
    return tokens[place][1] if 0 <= place < len(tokens) else ""


def _operator(text: str, before: str, extension: str) -> str:
    if text == "*" and before in ("(", "SELECT"):
        return text  # count(*)
    return f"OPERATOR({extension if text in _VECTOR_OPERATORS else 'pg_catalog'}.{text})"


def _name(text: str, before: str, after: str, schema: str, extension: str) -> str:
    if not text.islower() or "." in text or before == ".":
        return text  # a keyword, or one that has its schema (or table)
    if before == "::" or (after == "(" and before not in _BEFORE_NAMES):
        return f"{extension if text in _VECTOR_NAMES else 'pg_catalog'}.{text}"
    if before in _BEFORE_TABLES and text in TABLE_NAMES:
        return f"{schema}.{text}"
    return text
