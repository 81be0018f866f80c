"""A path or an address -> the place of an index: a folder or a database."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from qa_search.errors import MissingExtraError, StoreError
from qa_search.index.base import IndexPlace
from qa_search.index.folder import IndexFolder

if TYPE_CHECKING:
    from qa_search.index.postgres.load import PostgresWriter

_DATABASES = ("postgresql://", "postgres://")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,20}")
# What is meant as the address of a database, but is not written like one: it may hold a password.
_LIKE_ADDRESS = re.compile(r"\s*(postgres|postgresql|pgsql)[^/\\]*:|(^|[\s?&])\w*(password|passwd)\s*=", re.IGNORECASE)


def is_database(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path is the address of a database."""
    return isinstance(path, str) and path.startswith(_DATABASES)


def open_place(path: str | os.PathLike[str]) -> IndexPlace:
    """Return the place that a path means.

    Raises:
        StoreError: if it is the address of a database that cannot be used.
    """
    if not is_database(path):
        require_folder(path)
        return IndexFolder(path)
    place: IndexPlace = _postgres("index").PostgresIndex(path)
    return place


def require_folder(path: str | os.PathLike[str]) -> None:
    """Make sure that a path is not an address: it would be taken for a folder, and repeated with its password.

    Raises:
        StoreError: if it is one, or looks like one.
    """
    text = os.fsdecode(path)
    scheme, address, _rest = text.partition("://")
    if address or _LIKE_ADDRESS.search(text):
        named = f"{scheme}://" if address and _SCHEME.fullmatch(scheme) else "this"
        raise StoreError(
            f"{named} is no place of an index: name a folder, or a database by postgresql://USER@HOST/DATABASE"
        )


def open_writer(store: str | None, shards: Sequence[str]) -> PostgresWriter | None:
    """Return what loads an index into a database, None if none is named.

    Raises:
        StoreError: if it cannot be used.
    """
    if store is None:
        if shards:
            raise StoreError("shards belong to a database: name it as the store")
        return None
    writer: PostgresWriter = _postgres("load").PostgresWriter(store, shards)
    return writer


def _postgres(module: str) -> Any:
    """Import a module only now: what it needs is an extra."""
    try:
        return import_module(f"qa_search.index.postgres.{module}")
    except ModuleNotFoundError as error:
        raise MissingExtraError.of("postgres", "an index in PostgreSQL", error.name) from error
