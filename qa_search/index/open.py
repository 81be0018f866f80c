"""A path or an address -> the location of an index: a folder or a database."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from qa_search.errors import MissingExtraError, StoreError
from qa_search.index.base import IndexPlace
from qa_search.index.folder import IndexFolder
from qa_search.util.parameters import is_path

if TYPE_CHECKING:
    from qa_search.index.postgres.load import PostgresWriter

_DATABASES = ("postgresql://", "postgres://")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,20}")
# Looks like the address of a database, but is not written like one. It may hold a password.
_LIKE_ADDRESS = re.compile(r"\s*(postgres|postgresql|pgsql)[^/\\]*:|(^|[\s?&])\w*(password|passwd)\s*=", re.IGNORECASE)


def is_database(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is the address of a database."""
    return isinstance(path, str) and path.startswith(_DATABASES)


def open_place(path: str | os.PathLike[str]) -> IndexPlace:
    """Return the index location that a path names.

    Raises:
        StoreError: if it is the address of a database that cannot be used.
    """
    if not is_database(path):
        require_folder(path)
        return IndexFolder(path)
    place: IndexPlace = _postgres("index").PostgresIndex(path)
    return place


def require_folder(path: str | os.PathLike[str]) -> None:
    """Refuse a path that is an address: used as a folder, it would appear in messages with its password.

    Raises:
        StoreError: if it is an address, or looks like one; or no path at all.
    """
    if not is_path(path):
        kind = "a text that no path can have" if isinstance(path, str) else type(path).__name__
        raise StoreError(
            f"Unsupported index location: {kind}. Name a folder, such as 'index/', or a database, as "
            "postgresql://USER@HOST/DATABASE."
        )
    text = os.fspath(path)
    scheme, address, _rest = text.partition("://")
    if address or _LIKE_ADDRESS.search(text):
        named = f" {scheme}://" if address and _SCHEME.fullmatch(scheme) else ""
        if is_database(text):
            raise StoreError("a database cannot be used here. Name an index folder; builds load it with store=URL.")
        raise StoreError(
            f"Unsupported index location{named}. Use a folder or a database, as postgresql://USER@HOST/DATABASE."
        )


def open_writer(store: str | None, shards: Sequence[str]) -> PostgresWriter | None:
    """Return the writer of the database ``store``, None without one.

    Raises:
        StoreError: if the database cannot be used, or shards are given without one.
    """
    if store is None:
        if shards:
            raise StoreError("Shards need a database: name it as the store.")
        return None
    writer: PostgresWriter = _postgres("load").PostgresWriter(store, shards)
    return writer


def _postgres(module: str) -> Any:
    """Import a module only when it is needed: its packages are an extra."""
    try:
        return import_module(f"qa_search.index.postgres.{module}")
    except ModuleNotFoundError as error:
        raise MissingExtraError.of("postgres", "an index in PostgreSQL", error.name) from error
