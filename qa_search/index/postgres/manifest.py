"""The manifest of a generation in a database: as in a folder, with tables in the place of files."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

from qa_search.index.manifest import Manifest
from qa_search.index.postgres.schema import is_schema_name


class TablesRecord(NamedTuple):
    """The tables of a generation: their size, their schema, and that of the vectors, which others use, too.

    ``vectors`` is empty where the vectors are in the generation's own tables, as in format 2 of a database.
    """

    bytes: int
    schema: Annotated[str, is_schema_name]
    vectors: Annotated[str, lambda name: not name or is_schema_name(name)] = ""


class DatabaseFiles(NamedTuple):
    """What stands in the place of files."""

    tables: TablesRecord


@dataclass(frozen=True, kw_only=True)
class DatabaseManifest(Manifest):
    """The manifest of a generation in a database."""

    files: DatabaseFiles

    @property
    def own_bytes(self) -> int:
        """The size of its tables."""
        return self.files.tables.bytes
