"""Paths into JSON values (``data.items.qa.question``) -> the records that they lead to, and paths that hold texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from qa_search.archives.formats.roles import role_of
from qa_search.archives.formats.values import is_blank, lookup

_Object = Mapping[str, object]
_LEADING = ("question", "title", "body", "answer")
_MOST_DEPTH = 24
_MOST_PATHS = 8
_MOST_KEYS = 50
_FEWEST_LETTERS = 8  # of a text


def leads_into_lists(field_map: Mapping[str, str]) -> bool:
    """Return whether fields are named by paths."""
    return any("." in name for name in field_map.values())


def records_at(value: object, field_map: Mapping[str, str]) -> list[_Object] | None:
    """Return the records in lists that the mapped paths lead through, each with what stands around it.

    None if the paths lead through no list. A path may begin above the value, as that of a whole document does for one
    of its records.
    """
    if not isinstance(value, Mapping):
        return None
    paths = {name: parts for name in field_map.values() if (parts := _below(value, name))}
    lead = next((name for role in _LEADING if (name := field_map.get(role, "")) in paths), None)
    if lead is None or not (len(paths[lead]) < len(_parts(lead)) or _passes_list(value, paths[lead])):
        return None
    return list(_rows(value, paths, lead, {}, 0))


def _below(value: _Object, name: str) -> list[str]:
    """Return the parts of a path that lead into a value, without those above it; [] if no part does."""
    parts = _parts(name)
    if name in value or len(parts) < 2:
        return []
    return next((parts[start:] for start in range(len(parts)) if _leads(value, parts[start:])), [])


def _parts(name: str) -> list[str]:
    return [part for part in name.replace("[]", "").replace("[*]", "").split(".") if part]


def _leads(value: object, parts: Sequence[str]) -> bool:
    for part in parts:
        while isinstance(value, list):
            value = next((item for item in value if isinstance(item, Mapping | list) and item), None)
        if not isinstance(value, Mapping) or part not in value:
            return False
        value = value[part]
    return True


def _passes_list(value: object, parts: Sequence[str]) -> bool:
    for part in parts[:-1]:
        value = value.get(part) if isinstance(value, Mapping) else None
        if isinstance(value, list):
            return True
    return False


def _rows(
    value: object, paths: Mapping[str, Sequence[str]], lead: str, around: _Object, depth: int
) -> Iterator[_Object]:
    """Follow the leading path, and the others as long as they go the same way; the rest of them is looked up."""
    if depth > _MOST_DEPTH:
        return
    if isinstance(value, list):
        # What stands around many records has no id of each.
        around = {name: inner for name, inner in around.items() if (role_of(name) or ("",))[0] != "id"}
        for item in value:
            yield from _rows(item, paths, lead, around, depth + 1)
        return
    if not isinstance(value, Mapping):
        return
    first = paths[lead][0]
    inner = value.get(first)
    if len(paths[lead]) < 2 or not isinstance(inner, Mapping | list):
        found = {name: lookup(value, ".".join(parts)) for name, parts in paths.items()}
        used = {parts[0] for parts in paths.values() if len(parts) == 1}
        yield {**around, **{name: known for name, known in value.items() if name not in used}, **found}
        return
    same = {name: parts[1:] for name, parts in paths.items() if parts[0] == first and len(parts) > 1}
    others = {name: lookup(value, ".".join(parts)) for name, parts in paths.items() if name not in same}
    beside = {name: known for name, known in value.items() if name != first and not isinstance(known, Mapping | list)}
    yield from _rows(inner, same, lead, {**around, **beside, **others}, depth + 1)


def text_paths(records: Sequence[_Object]) -> list[str]:
    """Return the paths below the fields of some records that hold texts."""
    found: dict[str, None] = {}
    for fields in records:
        for name, value in list(fields.items())[:_MOST_KEYS]:
            if isinstance(value, Mapping | list):
                found.update(dict.fromkeys(_text_paths(value, str(name), 0)))
        if len(found) >= _MOST_PATHS:
            break
    return list(found)[:_MOST_PATHS]


def _text_paths(value: object, path: str, depth: int) -> Iterator[str]:
    if depth > _MOST_DEPTH:
        return
    if isinstance(value, Mapping):
        for name, inner in list(value.items())[:_MOST_KEYS]:
            yield from _text_paths(inner, f"{path}.{name}", depth + 1)
    elif isinstance(value, list):
        for item in value[:2]:
            yield from _text_paths(item, path, depth + 1)
    elif isinstance(value, str) and not is_blank(value) and (" " in value or len(value) >= _FEWEST_LETTERS):
        yield path
