"""An index in PostgreSQL for reading, as `IndexFolder` is for a folder."""

from __future__ import annotations

import hashlib
import json
import reprlib
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from qa_search.errors import (
    IndexDamagedError,
    IndexFormatError,
    IndexNotFoundError,
    StoreError,
    StoreGoneError,
)
from qa_search.index.base import Stores
from qa_search.index.integrity import FileRecord, HeldFiles, find_damage
from qa_search.index.manifest import READ_FORMATS, ExportedEncoder, listed_formats
from qa_search.index.owned import ENCODER_NAMES, remove_own
from qa_search.index.postgres.connections import Address, Connection, Connections, choose, require_server
from qa_search.index.postgres.manifest import DatabaseManifest
from qa_search.index.postgres.readers import (
    EF_SEARCH,
    PostgresOwners,
    PostgresPosts,
    PostgresVectors,
    PostgresWords,
)
from qa_search.index.postgres.schema import HOME, LOCK_CLASS, READ_STORE_FORMATS, generation_name, lock_number
from qa_search.index.postgres.trust import require_plain
from qa_search.util.cache import VARIABLE, cache_folder
from qa_search.util.terms import Analysis

_ATTEMPTS = 10
_LOCK_ATTEMPTS = 5
_LOCK_PAUSE = 0.1
# So many passages the index of vectors scans for those that pass filters; then all are compared.
_MOST_SCANNED = 50_000

T = TypeVar("T")


@dataclass(frozen=True)
class StoredGeneration:
    """One generation in a database: its manifest, and the connections that keep builds from removing it."""

    number: int
    tables: str
    manifest: DatabaseManifest
    tokens: int
    sharded: bool
    connections: Connections

    @property
    def name(self) -> str:
        """The generation's name."""
        return generation_name(self.number)

    @property
    def folder(self) -> Path:
        """The location of its tables in messages."""
        return Path(self.tables)

    def require_unchanged(self) -> None:
        """Make sure that this process may use the connections. The database protects its own tables.

        Raises:
            IndexForkedError: if this process was forked from the one that opened them.
        """
        self.connections.require_process()

    def open_stores(self) -> Stores:
        """Open the stores that a search needs."""
        counts = self.manifest.counts
        return Stores(
            PostgresPosts(self.connections, sharded=self.sharded),
            PostgresVectors(
                self.connections,
                self.manifest.model.dimension,
                counts.passages,
                sharded=self.sharded,
                vectors=self.manifest.files.tables.vectors,
            ),
            PostgresWords(self.connections, counts.posts, self.tokens),
            PostgresOwners(self.connections),
            Analysis(self.manifest.lexical.analysis),
        )


class PostgresIndex:
    """Reads the generations in one database; writes nothing to it."""

    def __init__(self, url: str) -> None:
        """Take the address; nothing is opened yet.

        Raises:
            StoreError: if it is invalid.
        """
        self.address = Address(url)
        self.path = str(self.address)
        self._control = Connections(self.address, lambda connection: require_plain(connection, self.address))

    def pointer(self) -> tuple[str, str]:
        """Return the name of the generation that answers and its manifest's SHA-256, without opening it.

        Raises:
            IndexNotFoundError: if the database has no index.
            StoreError: if the database cannot be used.
        """
        number, sha256 = self._pointer()
        return generation_name(number), sha256

    def state(self) -> tuple[str, str]:
        """Return a value that changes whenever another generation answers, even if the database was reset.

        A manifest names the schema of its tables, and such a name is never reused. Raises as `pointer`.
        """
        return self.pointer()

    def open_current(self, use: Callable[[StoredGeneration], T]) -> T:
        """Open the generation that answers with ``use``; try again if builds replace it at that moment.

        Raises:
            IndexFolderError: if it is missing, damaged or of another format, or the database cannot be used.
        """
        for _ in range(_ATTEMPTS):
            pointer = self._pointer()
            generation = None
            try:
                generation = self._open(*pointer)
                return use(generation)
            except BaseException as error:
                if generation is not None:
                    generation.connections.close()
                if not isinstance(error, StoreGoneError) or self._pointer() == pointer:
                    raise
        raise StoreError(f"{self.path}: the index changes faster than it can be opened. Try again.")

    def hold_encoder(self, record: ExportedEncoder) -> HeldFiles:
        """Open the files of the exported encoder, and fetch them from the database if they are not in the cache.

        They lie in the user's cache under a name made from their hashes. Every byte is compared with the hashes.

        Raises:
            IndexDamagedError: if a file in the database does not match its hash.
            StoreError: if the cache cannot be written to.
        """
        files = record.files
        folder = cache_folder() / "stored-encoders" / f"{record.folder}-{_files_id(files)}"
        try:
            if any(find_damage(folder / name, expected) for name, expected in files.items()):
                self._fetch_encoder(folder, files)
            return HeldFiles(folder, files)
        except OSError as error:
            raise StoreError(
                f"{folder}: the model of the index cannot be written ({error.strerror}). Make room, or set "
                f"{VARIABLE} to another folder."
            ) from error

    def require_encoder(self, held: HeldFiles, record: ExportedEncoder) -> None:
        """Compare every byte of an encoder with its hashes.

        Raises:
            IndexDamagedError: if a file does not match.
        """
        for name, expected in record.files.items():
            damage = held.damage(name, expected)
            if damage:
                raise IndexDamagedError(f"{damage}. Open the index again: it fetches the file again.")

    def close(self) -> None:
        """Close the connections that do not belong to a generation."""
        self._control.close()

    def _pointer(self) -> tuple[int, str]:
        query = f"SELECT g.number, g.sha256 FROM {HOME}.current c JOIN {HOME}.generation g ON g.number = c.number"  # noqa: S608
        try:
            rows = self._control.rows(query)
        except StoreGoneError:
            rows = []  # the database does not have our tables
        if not rows:
            raise IndexNotFoundError(
                f"{self.path}: no index in this database. Build one with: build_index(SOURCES, INDEX, store=URL)"
            )
        return rows[0]

    def _open(self, number: int, pointed: str) -> StoredGeneration:
        ((store_format,),) = self._control.rows(f"SELECT format FROM {HOME}.store") or [(None,)]  # noqa: S608
        if store_format not in READ_STORE_FORMATS:
            raise IndexFormatError(
                f"{self.path}: database format {store_format}; this version of qa-search reads formats "
                f"{' and '.join(map(str, READ_STORE_FORMATS))}. "
                "Build the index again in another database, or use the version of qa-search that made it."
            )
        rows = self._control.rows(
            "SELECT g.sha256, g.manifest, g.tokens, cardinality(g.shards), g.tables "  # noqa: S608 - fixed text
            f"FROM {HOME}.generation g WHERE g.number = %s",
            [number],
        )
        if not rows:
            raise StoreGoneError(f"{self.path}: later builds removed {generation_name(number)}. Open the index again.")
        sha256, text, tokens, shards, tables = rows[0]
        if not sha256 == pointed == hashlib.sha256(text.encode()).hexdigest():
            raise IndexDamagedError(
                f"{self.path}: checksum mismatch in the manifest of {generation_name(number)}. Build the index again: "
                "build_index(SOURCES, INDEX, store=URL)"
            )
        manifest = self._parsed(generation_name(number), text)
        if manifest.files.tables.schema != tables:
            raise IndexDamagedError(
                f"{self.path}: the manifest of {generation_name(number)} names other tables. Build the index again: "
                "build_index(SOURCES, INDEX, store=URL)"
            )
        reading = _Reading(self.address, tables, manifest.files.tables.vectors, sharded=bool(shards))
        connections = Connections(self.address, reading)
        connections.rows("SELECT 1")  # from now on no build removes the generation
        return StoredGeneration(number, tables, manifest, tokens, bool(shards), connections)

    def _parsed(self, generation: str, text: str) -> DatabaseManifest:
        """Read a manifest.

        Raises:
            IndexDamagedError: if a part is missing or invalid.
            IndexFormatError: if this version does not read its format.
        """
        try:
            document = json.loads(text)
            version = document.get("format_version") if isinstance(document, dict) else None
            if version is not None and version not in READ_FORMATS:
                raise IndexFormatError(
                    f"{self.path}: index format {reprlib.repr(version)}; this version of qa-search reads formats "
                    f"{listed_formats()}. Build the index again: build_index(SOURCES, INDEX, store=URL)"
                )
            return DatabaseManifest.parse(document)
        except (ValueError, RecursionError) as error:
            raise IndexDamagedError(
                f"{self.path}, {generation}: {error}. Build the index again: build_index(SOURCES, INDEX, store=URL)"
            ) from error

    def _fetch_encoder(self, folder: Path, files: Mapping[str, FileRecord]) -> None:
        """Fetch an encoder's files into the cache: all or none, even if other processes do the same."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        fetched = Path(tempfile.mkdtemp(prefix="fetching-", dir=folder.parent))
        try:
            for name, expected in files.items():
                with (fetched / name).open("wb") as stream:
                    for part in range(expected.bytes + 1):
                        query = f"SELECT data FROM {HOME}.encoder_file WHERE sha256 = %s AND part = %s"  # noqa: S608
                        rows = self._control.rows(query, [expected.sha256, part])
                        if not rows:
                            break
                        stream.write(rows[0][0])
                damage = find_damage(fetched / name, expected, thorough=True)
                if damage:
                    raise IndexDamagedError(f"{self.path}: the model in the database: {damage}. Build the index again.")
            with suppress(OSError):  # damaged, or not there
                remove_own(folder, ENCODER_NAMES, files)
            with suppress(OSError):  # another process was quicker
                fetched.rename(folder)
        finally:
            with suppress(OSError):
                remove_own(fetched, ENCODER_NAMES, files)


class _Reading:
    """Prepares the connections of one generation: they read its tables, and keep builds from dropping them."""

    def __init__(self, address: Address, tables: str, vectors: str, *, sharded: bool) -> None:
        self._address = address
        self._tables = tables
        self._vectors = vectors
        self._sharded = sharded

    def __call__(self, connection: Connection) -> None:
        require_server(connection, self._address)
        require_plain(connection, self._address, self._tables, sharded=self._sharded)
        if self._vectors and not self._sharded:
            require_plain(connection, self._address, self._vectors)
        connection.schema = self._tables
        settings = {
            "hnsw.ef_search": str(EF_SEARCH),
            "hnsw.iterative_scan": "strict_order",
            "hnsw.max_scan_tuples": str(_MOST_SCANNED),
            "jit": "off",
        }
        if self._sharded:
            settings |= {"enable_partitionwise_join": "on", "enable_partitionwise_aggregate": "on"}
        choose(connection, settings)
        self._hold(connection)
        query = f"SELECT 1 FROM {HOME}.generation WHERE tables = %s LIMIT 1"  # noqa: S608 - fixed text
        if connection.execute(query, [self._tables]).fetchone() is None:
            raise StoreGoneError(
                f"{self._address}: later builds removed the tables {self._tables}. Open the index again, or refresh it."
            )

    def _hold(self, connection: Connection) -> None:
        """Keep builds from dropping the tables, if the lock is free.

        A build that drops these tables holds the lock for a moment. Others may hold it for any time: then this reader
        goes on without the lock, and gets an error when its tables are removed.
        """
        query = "SELECT pg_try_advisory_lock_shared(%s, %s)"
        for attempt in range(_LOCK_ATTEMPTS):
            if connection.execute(query, [LOCK_CLASS, lock_number(self._tables)]).fetchone() == (True,):
                return
            if attempt + 1 < _LOCK_ATTEMPTS:
                time.sleep(_LOCK_PAUSE)


def _files_id(files: Mapping[str, FileRecord]) -> str:
    listed = json.dumps(sorted((name, record.sha256) for name, record in files.items()))
    return hashlib.blake2b(listed.encode(), digest_size=8).hexdigest()
