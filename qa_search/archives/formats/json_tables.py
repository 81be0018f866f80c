"""JSON documents that hold the tables of a database (Django, JSON:API) -> posts: what refers to what is found there."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply
from qa_search.archives.formats.database_layout import singular
from qa_search.archives.formats.scratch_tables import ScratchTables, scratch_tables
from qa_search.archives.formats.sqlite_tables import posts_in_database
from qa_search.archives.formats.values import integer_of, is_id
from qa_search.types import Post, SetAside

_Object = Mapping[str, Any]
# How an object of Django's dumpdata begins: its model, its key and its fields, in any order.
_MODEL = re.compile(r'[\s\ufeff]*\[?\s*\{\s*"(?:model|pk|fields)"\s*:')
_NAMED = re.compile(r'"model"\s*:\s*"(?P<app>[A-Za-z_]\w{0,80})\.(?P<model>[A-Za-z_]\w{0,80})"')
_LOOKED_AT = 20_000
_FIELDS = frozenset(("model", "pk", "fields"))
_RESOURCE = frozenset(("type", "id"))


def is_dump_of_models(text: str) -> bool:
    """Return whether a JSON document, or JSON Lines, begins as Django's dumpdata writes them."""
    head = text[:_LOOKED_AT]
    return _MODEL.match(head) is not None and _NAMED.search(head) is not None and '"fields"' in head


def posts_of_models(
    file: ArchiveFile, values: Iterable[object], options: ReadOptions
) -> Iterator[Post | SetAside | Reply]:
    """Yield the posts of the objects of a dump, each of which names its model; notes come as they are.

    Raises:
        UnknownFormatError: if no model has questions and answers that can be recognised.
        DamagedArchiveError: if the scratch disk is full, or the values end with damage.
    """
    with scratch_tables(file, options) as tables:
        for value in values:
            if isinstance(value, SetAside):
                yield value
            elif isinstance(value, Mapping) and isinstance(value.get("fields"), Mapping) and value.keys() <= _FIELDS:
                model = str(value.get("model", ""))
                _store(tables, model.rpartition(".")[2], model.replace(".", "_"), value.get("pk"), value["fields"])
            else:
                file.log.omit("values that do not name a model")
        yield from _posts(file, tables, options)


def is_resources(document: _Object) -> bool:
    """Return whether a document holds resources as JSON:API has them, some of which belong to others."""
    first = document.get("data")
    first = first[0] if isinstance(first, list) and first else first
    included = document.get("included")
    return _is_resource(first) and isinstance(included, list) and any(map(_is_resource, included))


def posts_of_resources(file: ArchiveFile, document: _Object, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
    """Yield the posts of a document of resources.

    Raises:
        UnknownFormatError: if no kind of them has questions and answers that can be recognised.
    """
    data = document["data"]
    resources = [
        one for one in (*(data if isinstance(data, list) else [data]), *document["included"]) if _is_resource(one)
    ]
    owners: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for one in resources:
        for _, named in _related(one):
            for other in named if isinstance(named, list) else ():
                if other.keys() >= _RESOURCE:
                    owners[str(other["type"]), str(other["id"])][f"{singular(str(one['type']))}_id"] = str(one["id"])
    with scratch_tables(file, options) as tables:
        for one in resources:
            kind = str(one["type"])
            related = {f"{name}_id": other["id"] for name, other in _related(one) if isinstance(other, Mapping)}
            fields = {**owners[kind, str(one["id"])], **related, **one["attributes"]}
            _store(tables, kind, kind, one["id"], fields)
        yield from _posts(file, tables, options)


def _is_resource(value: object) -> bool:
    return isinstance(value, Mapping) and value.keys() >= _RESOURCE and isinstance(value.get("attributes"), Mapping)


def _related(resource: _Object) -> Iterator[tuple[str, Any]]:
    """Yield what a resource belongs to (an object) and what belongs to it (a list), each by its name."""
    relationships = resource.get("relationships")
    for name, inner in relationships.items() if isinstance(relationships, Mapping) else ():
        other = inner.get("data") if isinstance(inner, Mapping) else None
        if isinstance(other, Mapping) and other.keys() >= _RESOURCE:
            yield name, other
        elif isinstance(other, list):
            yield name, [one for one in other if isinstance(one, Mapping)]


def _posts(file: ArchiveFile, tables: ScratchTables, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
    tables.rows.commit()
    yield from posts_in_database(file, tables.path, options)


def _store(tables: ScratchTables, kind: str, table: str, key: object, fields: _Object) -> None:
    """Store a row; a list of keys becomes rows of a table between."""
    own = None if key is None else str(key)
    row: dict[str, str | None] = {} if own is None else {"id": own}
    for name, value in fields.items():
        if own is not None and isinstance(value, list) and value and all(map(_is_key, value)):
            for other in value:
                columns = (f"{singular(kind.lower())}_id", f"{singular(name.lower())}_id")
                tables.add(f"{table}_{name}", columns, (own, str(other)))
        else:
            row[name] = _scalar(value)
    tables.add(table, list(row), list(row.values()))


def _is_key(value: object) -> bool:
    return (isinstance(value, int) and integer_of(value) is not None) or (isinstance(value, str) and is_id(value))


def _scalar(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, list):
        flat = [one[0] if isinstance(one, list) and len(one) == 1 else one for one in value]
        if all(isinstance(one, str) for one in flat):
            return ", ".join(flat)  # names, as of tags, or of what has no number
    return json.dumps(value, ensure_ascii=False)
