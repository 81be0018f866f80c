"""Where an index may be, in a folder or in a database, and what those who search ask of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from qa_search.errors import StoreError
from qa_search.index.base import Stores
from qa_search.index.folder import IndexFolder
from qa_search.index.integrity import HeldFiles

if TYPE_CHECKING:
    from qa_search.index.postgres.load import PostgresWriter

_DATABASES = ("postgresql://", "postgres://")

T = TypeVar("T")


class OpenGeneration(Protocol):
    """A generation that is open for searching, in a folder or elsewhere."""

    @property
    def name(self) -> str:
        """The generation's name."""

    @property
    def folder(self) -> Path:
        """What messages call its place."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What is said of it."""

    def require_unchanged(self) -> None:
        """Make sure that what is open is still what was opened, by this process."""

    def open_stores(self) -> Stores:
        """Open what a search needs."""


class IndexPlace(Protocol):
    """Where an index is: a folder or a database. It is the same to those who search."""

    @property
    def path(self) -> str | Path:
        """What messages call it."""

    def pointer(self) -> tuple[str, str]:
        """Return the name of the generation that answers and its manifest's SHA-256, without opening it."""

    def open_current(self, use: Callable[[OpenGeneration], T]) -> T:
        """Open the generation that answers by ``use``."""

    def hold_encoder(self, record: Mapping[str, Any]) -> HeldFiles:
        """Open the files of the exported encoder that a manifest names."""

    def require_encoder(self, held: HeldFiles, record: Mapping[str, Any]) -> None:
        """Compare every byte of an encoder with what was written."""

    def close(self) -> None:
        """Close what belongs to no generation."""


def is_database(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path is the address of a database."""
    return isinstance(path, str) and path.startswith(_DATABASES)


def open_place(path: str | os.PathLike[str]) -> IndexPlace:
    """Return the place that a path means.

    Raises:
        StoreError: if it is the address of a database that cannot be used.
    """
    if not is_database(path):
        scheme, address, _rest = os.fspath(path).partition("://")
        if address:  # not repeated: it may hold a password
            raise StoreError(
                f"{scheme}:// is no place of an index: open a folder, or a database by postgresql://USER@HOST/DATABASE"
            )
        return IndexFolder(path)
    place: IndexPlace = _postgres("index").PostgresIndex(path)
    return place


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
        raise StoreError(
            f"an index in PostgreSQL needs more packages ({error.name}): pip install 'qa-search[postgres]'"
        ) from error
