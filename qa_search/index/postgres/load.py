"""Loads a generation of an index folder into a database, beside the one that answers; one transaction switches."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from psycopg import sql

from qa_search.errors import IndexFormatError, IndexLockedError, StoreError
from qa_search.index.filters import fold_tag
from qa_search.index.folder_stores import FolderStores
from qa_search.index.integrity import FileRecord, HeldFiles
from qa_search.index.manifest import (
    CountsRecord,
    ExportedEncoder,
    FolderManifest,
    Manifest,
)
from qa_search.index.postgres.connections import (
    Address,
    Connection,
    advice_on,
    choose,
    process_name,
    require_server,
)
from qa_search.index.postgres.kept import KeptRows, Place, each
from qa_search.index.postgres.manifest import DatabaseFiles, DatabaseManifest, TablesRecord
from qa_search.index.postgres.schema import (
    HOME,
    HOME_TABLES,
    LOCK_CLASS,
    PASSAGE,
    READ_STORE_FORMATS,
    SHARD_VIEWS,
    STORE_FORMAT,
    VECTOR,
    VECTOR_BYTES,
    VECTORS_BEGIN,
    Table,
    create_statements,
    generation_name,
    generation_tables,
    length_steps,
    lock_number,
    new_schema,
    new_vectors_schema,
    seen_on_shards,
    shard_schema_of,
    shard_views,
    tag_key,
    vector_table,
)
from qa_search.index.postgres.shards import (
    declare_shards,
    hang_foreign_tables,
    open_shard,
    shard_address,
    shard_of_each,
)
from qa_search.index.postgres.trust import require_plain
from qa_search.index.postgres.vectors import copy_vectors, count_unused, missing_vectors
from qa_search.index.stores.lexical import LEXICAL_FOLDER
from qa_search.index.stores.records import GraphVectors
from qa_search.util.terms import ENGLISH

_LOCK_ATTEMPTS = 5
_LOCK_PAUSE = 0.1
# How long to wait for an old generation's tables before a later build drops them.
_DROP_WAIT = "2s"
_TRANSACTION_TIMEOUT_SINCE = 170_000
_PART_BYTES = 4 << 20
_BLOCK = 4096
_MAX_INDEX_MEMORY_MB = 1024
_LENGTHS = np.asarray(length_steps(), np.int64)
# Adding a vector to a graph takes four to eight times as long as making a new graph does for each of its vectors.
_MOST_ADDED = 1 / 8
# A search skips the vectors that its generation does not have: they may be so many for each of its own.
_MOST_UNUSED = 1 / 4
# Generations that stay: the one that answers and the previous one, as in an index folder.
_KEPT = 2

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Answering:
    """The generation that answers."""

    content: str
    tokens: int
    manifest: DatabaseManifest

    @property
    def tables(self) -> TablesRecord:
        return self.manifest.files.tables


class PostgresWriter:
    """Holds a database for one build, and loads its result."""

    def __init__(self, url: str, shards: Sequence[str] = ()) -> None:
        """Take the addresses. ``shards`` are the servers to spread posts over; empty for those of the previous build.

        Raises:
            StoreError: if an address is invalid.
        """
        self.address = Address(url)
        self._named_shards = [Address(shard) for shard in shards]
        self._connection: Connection
        self._holder: Connection
        self._store = ""
        self._extension = ""
        self._servers: list[str] = []
        self._addresses: list[Address] = []
        self._shards: list[Connection] = []

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the database for a build.

        Raises:
            IndexLockedError: if another build holds it.
            StoreError: if it, or a shard, cannot be used.
        """
        name = process_name("build of qa-search")
        with ExitStack() as stack:
            connection = stack.enter_context(self.address.connect(name, probe=True))
            self._connection = connection
            with self.address.named():
                if connection.execute("SELECT pg_is_in_recovery()").fetchone() == (True,):
                    raise StoreError(f"{self.address}: this is a replica, which is read-only. Name the primary.")
                require_plain(connection, self.address, mine=True)
                _make_home(connection)
                # Check again: default privileges of this role apply to the new tables, too.
                require_plain(connection, self.address, mine=True)
                self._lock(stack.enter_context(self.address.connect(name, probe=True)))
                self._extension = require_server(connection, self.address, create=True)
                self._know_store(connection)
            for server in self._servers:
                shard = shard_address(connection, self.address, server)
                opened = stack.enter_context(open_shard(shard, self._extension, name))
                self._addresses.append(shard)
                self._shards.append(opened)
            yield

    @property
    def advice(self) -> str:
        """What is to be done about the servers, while they are held; "" if nothing is."""
        servers = zip([self._connection, *self._shards], [self.address, *self._addresses], strict=True)
        return " ".join(filter(None, (advice_on(connection, address) for connection, address in servers)))

    def load(
        self,
        manifest: FolderManifest,
        stores: FolderStores,
        encoder: HeldFiles | None,
        report: Callable[[int], None] = lambda done: None,
    ) -> str:
        """Load a generation, let it answer, and drop older ones that nobody reads; return its name.

        Args:
            manifest: the folder's manifest.
            stores: the folder's stores, open.
            encoder: the files of the exported encoder, None without one.
            report: called from time to time with the number of posts stored.

        Raises:
            StoreError: if loading fails; the previous generation still answers.
        """
        connection = self._connection
        try:
            number = self._next_number(connection)
            self._clear_leftovers(connection)
            answering = self._answering(connection)
            same = answering is not None and answering.content == _content_id(manifest)
            # On one server all is one transaction. Shards commit theirs first; nobody reads there before the switch.
            with connection.transaction():
                if encoder is not None and isinstance(manifest.encoder, ExportedEncoder):
                    _store_encoder(connection, encoder, manifest.encoder.files)
                if answering is not None and same:
                    tables, tokens = answering.tables, answering.tokens
                else:
                    tables, tokens = self._load(connection, number, manifest, stores, answering, report)
                self._holder.execute("SELECT 1")  # the lock is still held
                self._publish(connection, number, tables, manifest, tokens)
            self._clear(connection)
        except psycopg.Error as error:
            # The error names the server that failed.
            lost = [shard for shard, opened in zip(self._addresses, self._shards, strict=True) if opened.closed]
            failure = (lost or [self.address])[0].explain(error)
            raise type(failure)(f"{failure} The previous index still answers.") from error
        return generation_name(number)

    def _lock(self, holder: Connection) -> None:
        """Lock the writer table, which needs write access. The lock ends with the holder's connection."""
        endless = ["idle_in_transaction_session_timeout"]
        endless += ["transaction_timeout"] if holder.info.server_version >= _TRANSACTION_TIMEOUT_SINCE else []
        choose(holder, dict.fromkeys(endless, "0"))
        for _ in range(_LOCK_ATTEMPTS):
            holder.execute("BEGIN")
            try:
                holder.execute(f"LOCK TABLE {HOME}.writer IN EXCLUSIVE MODE NOWAIT")
            except psycopg.errors.LockNotAvailable:
                holder.execute("ROLLBACK")
                time.sleep(_LOCK_PAUSE)  # a build that has just been killed: the server notices in a moment
            else:
                self._holder = holder
                return
        row = holder.execute(
            "SELECT a.application_name, date_trunc('second', a.backend_start)::text FROM pg_catalog.pg_locks l "
            "JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'relation' AND l.granted "
            "AND l.relation = %s::regclass AND l.mode = 'ExclusiveLock'",
            [f"{HOME}.writer"],
        ).fetchone()
        who = f" ({row[0]}, since {row[1]})" if row else ""
        raise IndexLockedError(
            f"{self.address}: another build is writing to this database{who}. Wait for it. Searches go on meanwhile."
        )

    def _know_store(self, connection: Connection) -> None:
        row = connection.execute(f"SELECT format, id, shards FROM {HOME}.store").fetchone()  # noqa: S608 - fixed text
        if row is not None and row[0] not in READ_STORE_FORMATS:
            raise IndexFormatError(
                f"{self.address}: the database is laid out in format {row[0]}, and this version of qa_search writes "
                f"{STORE_FORMAT}. Use a database of its own."
            )
        self._store = secrets.token_hex(4) if row is None else row[1]
        self._servers = [] if row is None else row[2]
        if self._named_shards:
            self._servers = declare_shards(connection, self.address, self._named_shards)
        connection.execute(
            f"INSERT INTO {HOME}.store (format, id, shards) VALUES (%s, %s, %s) "  # noqa: S608 - fixed text
            "ON CONFLICT (one) DO UPDATE SET shards = EXCLUDED.shards",
            [STORE_FORMAT, self._store, self._servers],
        )

    def _next_number(self, connection: Connection) -> int:
        query = f"SELECT COALESCE(max(number), 0) + 1 FROM {HOME}.generation"  # noqa: S608 - fixed text
        ((number,),) = connection.execute(query).fetchall()
        return int(number)

    def _load(
        self,
        connection: Connection,
        number: int,
        manifest: FolderManifest,
        stores: FolderStores,
        answering: _Answering | None,
        report: Callable[[int], None],
    ) -> tuple[TablesRecord, int]:
        """Load all tables, or what the generation that answers lacks; return them, and the number of words in posts."""
        counts = manifest.counts
        tables = generation_tables()
        own = new_schema(number)
        remote = shard_schema_of(self._store, own)
        before = answering.tables if answering is not None and self._is_usable(answering.manifest, manifest) else None
        self._enter(connection, own)
        _run(connection, create_statements(own, tables, self._extension, partitioned=bool(self._shards)))
        spread = [table for table in tables if table.key]
        shard_of: Sequence[int] | None = None
        targets = self._shards or [connection]
        with ExitStack() as transactions:
            for shard in self._shards:
                transactions.enter_context(shard.transaction())
                self._enter(shard, remote)
                _run(shard, create_statements(remote, spread, self._extension, partitioned=False))
            if self._shards:
                seen = seen_on_shards(manifest.model.dimension)
                _run(connection, create_statements(own, seen, self._extension, partitioned=True))
                hang_foreign_tables(connection, [*spread, *seen], self._servers, remote)
                shard_of = shard_of_each(connection, counts.posts, len(self._shards))
            schema = "" if before is None else before.schema
            kept = KeptRows(
                Place(connection, schema), [Place(target, self._there(schema)) for target in targets], shard_of
            )
            kept.find(stores, counts.posts, counts.posts + counts.duplicates)
            kept.copy()
            loading = _Loading(connection, targets, shard_of, {table.name: table for table in tables}, kept)
            loading.posts(stores, report)
            loading.passages(stores)
            loading.rest(stores)
            vectors = self._load_vectors(targets, "" if before is None else before.vectors, manifest, stores)
            size = 0
            for target in targets:
                if self._shards:
                    _run(target, shard_views(remote, self._there(vectors)))
                _make_indices(target, target.schema, spread, _index_memory(manifest))
                size += _size(target, target.schema, spread)
                size += _size(target, self._there(vectors), [vector_table(0, "")])
            tokens = loading.terms()
        local = [table for table in tables if not table.key]
        _make_indices(connection, own, local)
        if self._shards:
            for table in spread:
                connection.execute(f"ANALYZE {own}.{table.name}")
        record = TablesRecord(size + _size(connection, own, local), own, vectors)
        self._require_counts(connection, counts, record)
        # From now on older versions of the program, which would not find the vectors, refuse the database by name.
        connection.execute(f"UPDATE {HOME}.store SET format = %s", [STORE_FORMAT])  # noqa: S608 - fixed text
        return record, tokens

    def _load_vectors(
        self, targets: Sequence[Connection], before: str, manifest: FolderManifest, stores: FolderStores
    ) -> str:
        """Add the missing vectors to those in a schema, or put all into a new one; return the schema."""
        counts, dimension = manifest.counts, manifest.model.dimension
        table = vector_table(dimension, self._extension)
        if before:
            missing = [missing_vectors(target, self._there(before)) for target in targets]
            unused = sum(count_unused(target, self._there(before)) for target in targets)
            if sum(map(len, missing)) <= counts.passages * _MOST_ADDED and unused <= counts.passages * _MOST_UNUSED:
                for target, lacking in zip(targets, missing, strict=True):
                    copy_vectors(target, self._there(before), table, lacking, stores.vectors)
                return before
        vectors = new_vectors_schema()
        there = self._there(vectors)
        for target in targets:
            target.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(there)))
            _run(target, create_statements(there, [table], self._extension, partitioned=False))
            copy_vectors(target, there, table, missing_vectors(target, there), stores.vectors)
            _make_indices(target, there, [table], _index_memory(manifest))
        return vectors

    def _there(self, schema: str) -> str:
        """Return the name that a schema has on the servers that posts are on; "" stays as it is."""
        return shard_schema_of(self._store, schema) if schema and self._shards else schema

    def _enter(self, connection: Connection, schema: str) -> None:
        """Create a schema; later statements use its tables."""
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        connection.schema = schema
        _keep_commits(connection)
        # In one process, as shared memory may be scarce; and nothing is asked so often that compiling it would pay.
        connection.execute("SET LOCAL max_parallel_maintenance_workers TO 0")
        connection.execute("SET LOCAL max_parallel_workers_per_gather TO 0")
        connection.execute("SET LOCAL jit TO off")

    def _require_counts(self, connection: Connection, counts: CountsRecord, tables: TablesRecord) -> None:
        """Compare the counts of the tables that searches read with those of the manifest.

        Raises:
            StoreError: if a count differs.
        """
        expected = {
            "post": counts.posts,
            "entry": counts.posts + counts.duplicates,
            "passage": counts.passages,
            "set_aside": counts.set_aside,
            "unanswered": counts.unanswered,
        }
        vectors = f"{PASSAGE} JOIN {tables.vectors}.{VECTOR} v ON v.key = {PASSAGE}.key"
        if tables.vectors:
            expected[VECTOR_BYTES if self._shards else vectors] = counts.passages
        for table, count in expected.items():
            ((found,),) = connection.execute(f"SELECT count(*) FROM {table}").fetchall()  # noqa: S608 - names above
            if found != count:
                raise StoreError(f"{self.address}: {found} rows in {table}, where {count} were written.")
        query = "SELECT (SELECT count(*) FROM posting WHERE term = id) = holders FROM term WHERE id = 0"
        if connection.execute(query).fetchone() == (False,):
            raise StoreError(f"{self.address}: words are missing.")

    def _answering(self, connection: Connection) -> _Answering | None:
        """Return the generation that answers; None without one that is whole and on these servers."""
        row = connection.execute(
            f"SELECT g.content, g.tokens, g.manifest, g.tables FROM {HOME}.current c "  # noqa: S608 - fixed text
            f"JOIN {HOME}.generation g ON g.number = c.number WHERE g.shards = %s",
            [self._servers],
        ).fetchone()
        if row is None:
            return None
        content, tokens, text, tables = row
        try:
            answering = _Answering(content, tokens, DatabaseManifest.parse(json.loads(text)))
            if answering.tables.schema != tables:
                return None
            # A transaction of its own: those that it begins on shards would not see what is loaded there later.
            with connection.transaction():
                connection.schema = tables
                self._require_counts(connection, answering.manifest.counts, answering.tables)
        except (StoreError, psycopg.Error, ValueError):
            return None  # a shard may have lost its part
        return answering

    def _is_usable(self, before: DatabaseManifest, manifest: FolderManifest) -> bool:
        """Return whether rows of a generation can be those of a new one: the same rules made both."""
        tables = before.files.tables
        if (
            not tables.vectors
            or before.model.dimension != manifest.model.dimension
            or not all(
                one == other
                for one, other in (
                    (before.built_by, manifest.built_by),
                    (before.vectors, manifest.vectors),
                    (before.lexical.rules, manifest.lexical.rules),
                    (before.lexical.analysis, manifest.lexical.analysis),
                )
            )
        ):
            return False
        sharded = bool(self._shards)
        places = zip(self._shards or [self._connection], self._addresses or [self.address], strict=True)
        schemas = [(*place, self._there(schema)) for place in places for schema in (tables.schema, tables.vectors)]
        if sharded:
            schemas.append((self._connection, self.address, tables.schema))
        views = SHARD_VIEWS if sharded else ()
        try:
            # What others put there would run as this role.
            for connection, address, schema in schemas:
                require_plain(connection, address, schema, sharded=sharded, mine=True, views=views)
        except StoreError:
            return False
        return True

    def _publish(
        self, connection: Connection, number: int, tables: TablesRecord, manifest: FolderManifest, tokens: int
    ) -> None:
        parts = {one.name: getattr(manifest, one.name) for one in fields(Manifest)}
        parts |= {"generation": generation_name(number), "vector_index": GraphVectors("hnsw")}
        complete = DatabaseManifest(**parts, files=DatabaseFiles(tables))
        text = json.dumps(complete.dump(), ensure_ascii=False)
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        _keep_commits(connection)
        connection.execute(
            f"INSERT INTO {HOME}.generation VALUES (%s, %s, %s, %s, %s, %s, %s)",  # noqa: S608 - fixed text
            [number, tables.schema, _content_id(manifest), sha256, text, tokens, self._servers],
        )
        connection.execute(
            f"INSERT INTO {HOME}.current (number) VALUES (%s) "  # noqa: S608 - fixed text
            "ON CONFLICT (one) DO UPDATE SET number = EXCLUDED.number",
            [number],
        )

    def _clear_leftovers(self, connection: Connection) -> None:
        """Drop what killed builds left: tables on shards that do not belong to a generation."""
        known = self._known(connection)
        wanted = {shard_schema_of(self._store, name) for names in known for name in names}
        beginning = shard_schema_of(self._store, "")
        for shard in self._shards:
            for schema in _schemas(shard, beginning) - wanted:
                _drop(shard, schema)

    def _known(self, connection: Connection) -> list[tuple[str, str]]:
        """Return the schemas of each generation's tables and of its vectors."""
        rows = connection.execute(f"SELECT tables, manifest FROM {HOME}.generation")  # noqa: S608 - fixed text
        return [(tables, _vectors_of(text)) for tables, text in rows]

    def _clear(self, connection: Connection) -> None:
        """Drop generations older than the previous one that nobody reads."""
        rows = connection.execute(
            f"SELECT number, tables FROM {HOME}.generation ORDER BY number DESC"  # noqa: S608 - fixed text
        ).fetchall()
        used = {tables for _, tables in rows[:_KEPT]}
        for number, tables in rows[_KEPT:]:
            # Whoever looks into the tables at this moment is not waited for: a later build takes them away.
            with suppress(psycopg.errors.LockNotAvailable), connection.transaction():
                if tables not in used:
                    connection.execute("SELECT set_config('lock_timeout', %s, true)", [_DROP_WAIT])
                    lock = connection.execute(
                        "SELECT pg_try_advisory_xact_lock(%s, %s)", [LOCK_CLASS, lock_number(tables)]
                    )
                    if lock.fetchone() != (True,):
                        continue  # somebody reads it
                    _drop(connection, tables)
                connection.execute(f"DELETE FROM {HOME}.generation WHERE number = %s", [number])  # noqa: S608
        self._clear_vectors(connection)
        self._clear_leftovers(connection)
        kept = connection.execute(f"SELECT manifest FROM {HOME}.generation").fetchall()  # noqa: S608 - fixed text
        models: set[str] = set()
        for (text,) in kept:
            try:
                encoder = DatabaseManifest.parse(json.loads(text)).encoder
            except ValueError:
                return  # another version of the program may know what this generation needs
            files = encoder.files if isinstance(encoder, ExportedEncoder) else {}
            models.update(record.sha256 for record in files.values())
        connection.execute(f"DELETE FROM {HOME}.encoder_file WHERE sha256 <> ALL(%s)", [sorted(models)])  # noqa: S608

    def _clear_vectors(self, connection: Connection) -> None:
        """Drop the vectors of generations that have gone. Those on shards are leftovers there."""
        used = {vectors for _, vectors in self._known(connection)}
        with suppress(psycopg.errors.LockNotAvailable), connection.transaction():
            connection.execute("SELECT set_config('lock_timeout', %s, true)", [_DROP_WAIT])
            for schema in _schemas(connection, VECTORS_BEGIN) - used:
                _drop(connection, schema)


class _Loading:
    """Copies the rows of a generation that are not kept, each to its shard."""

    def __init__(
        self,
        coordinator: Connection,
        targets: Sequence[Connection],
        shard_of: Sequence[int] | None,
        tables: Mapping[str, Table],
        kept: KeptRows,
    ) -> None:
        self._coordinator = coordinator
        self._targets = targets
        self._shard_of = shard_of
        self._tables = tables
        self._kept = kept
        self._terms = {term: number for term, (number, _) in kept.terms.items()}

    def posts(self, stores: FolderStores, report: Callable[[int], None]) -> None:
        """Copy posts and their words."""
        terms, postings = self._terms, list[Row]()
        unused = max(terms.values(), default=-1) + 1
        done = 0

        def rows() -> Iterator[Row]:
            nonlocal unused, done
            for row in each(stores.posts.table("post", _BLOCK)):
                number, _, title, question, answer, _ = row
                done += 1
                if done % _BLOCK == 0:
                    report(done)
                if self._kept.posts[number]:
                    continue
                words = Counter(stores.analysis.terms_of("\n".join((title, question, answer))))
                rounded = int(_LENGTHS[np.searchsorted(_LENGTHS, words.total(), "right") - 1])
                for term, count in words.items():
                    known = terms.setdefault(term, unused)
                    unused += known == unused
                    postings.append((known, number, count, rounded))
                yield row

        self._copy("post", rows(), 0)
        report(done)
        self._copy("posting", postings, 1)

    def terms(self) -> int:
        """Copy the words of all posts, which are there; return how many the posts have."""
        holders: Counter[int] = Counter()
        tokens = 0
        for target in self._targets:
            # The sum of a few texts' words is that of their numbers, too.
            query = "SELECT term, count(*), sum(tf)::int8 FROM posting GROUP BY term"
            for term, posts, times in target.execute(query, binary=True):
                holders[term] += posts
                tokens += times
        before = dict(self._kept.terms.values())
        changed = [(term, n, holders[n]) for term, n in self._terms.items() if holders[n] != before.get(n, 0)]
        self._kept.copy_terms([number for _, number, _ in changed])
        self._copy("term", (row for row in changed if row[2]))
        return tokens

    def passages(self, stores: FolderStores) -> None:
        """Copy passages."""
        rows = each(stores.posts.table("passage", _BLOCK))
        self._copy("passage", (row for row in rows if not self._kept.posts[row[1]]), 1)

    def rest(self, stores: FolderStores) -> None:
        """Copy the ids of posts, and the notes on what could not be read."""
        owners: dict[int, int] = {}

        def entries() -> Iterator[Row]:
            for row in each(stores.posts.table("entry", _BLOCK)):
                owners[row[0]] = row[2]
                if self._kept.entries[row[0]]:
                    continue
                folded = sorted({fold_tag(str(tag)) for tag in json.loads(row[7])})
                yield (*row, folded, [tag_key(tag) for tag in folded])

        self._copy("entry", entries(), 2)
        titles = self._kept.titles(each(stores.posts.table("page_title", _BLOCK)))
        self._copy("page_title", ((folded, entry, owners.get(entry)) for folded, entry in titles))
        for name in ("unanswered", "set_aside", "page_link"):
            self._copy(name, self._kept.notes(self._tables[name], each(stores.posts.table(name, _BLOCK))))

    def _copy(self, name: str, rows: Iterable[Row], owner: int | None = None) -> None:
        """Copy rows to a table; ``owner`` is the column of the post whose shard they go to."""
        table = self._tables[name]
        targets = [self._coordinator] if owner is None else self._targets
        with ExitStack() as stack:
            copies = []
            for target in targets:
                statement = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(sql.Identifier(target.schema, name))
                copy = stack.enter_context(stack.enter_context(target.cursor()).copy(statement))
                copy.set_types(table.types())
                copies.append(copy)
            if owner is None or self._shard_of is None:
                for row in rows:
                    copies[0].write_row(row)
            else:
                for row in rows:
                    copies[self._shard_of[row[owner]]].write_row(row)


def _run(connection: Connection, statements: Iterable[str]) -> None:
    for statement in statements:
        connection.execute(statement)


def _keep_commits(connection: Connection) -> None:
    """Make sure that committed data survive a crash of the server, whatever its default."""
    connection.execute(
        "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
    )


def _content_id(manifest: FolderManifest) -> str:
    """Return a hash of the content of the tables: the files of posts and vectors. Words follow from posts and rules."""
    files = {
        name: record.sha256 for name, record in manifest.files.items() if not name.startswith(f"{LEXICAL_FOLDER}/")
    }
    lexical = manifest.lexical
    rules = [lexical.rules, *([] if lexical.analysis == ENGLISH.name else [lexical.analysis])]
    listed = json.dumps([sorted(files.items()), *rules])
    return hashlib.sha256(listed.encode()).hexdigest()


def _make_home(connection: Connection) -> None:
    """Create the tables of the store if they are missing. Another first build may do the same at this moment."""
    for attempt in range(_LOCK_ATTEMPTS):
        try:
            _run(connection, HOME_TABLES)
        except (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateTable):
            if attempt + 1 == _LOCK_ATTEMPTS:
                raise
        else:
            return


def _index_memory(manifest: Manifest) -> int:
    """Return the megabytes that indices are made in: the graph of vectors fits, up to a limit."""
    needed = manifest.counts.passages * (2 * manifest.model.dimension + 600) // 1_000_000
    return min(64 + needed, _MAX_INDEX_MEMORY_MB)


def _make_indices(connection: Connection, schema: str, tables: Sequence[Table], megabytes: int = 64) -> None:
    connection.execute("SELECT set_config('maintenance_work_mem', %s, true)", [f"{megabytes}MB"])
    for table in tables:
        for index in table.indices:
            connection.execute(f"CREATE INDEX ON {schema}.{table.name} {index}")
        connection.execute(f"ANALYZE {schema}.{table.name}")


def _size(connection: Connection, schema: str, tables: Sequence[Table]) -> int:
    row = connection.execute(
        "SELECT sum(pg_total_relation_size(name::regclass))::int8 FROM unnest(%s::text[]) AS name",
        [[f"{schema}.{table.name}" for table in tables]],
    ).fetchone()
    return 0 if row is None else int(row[0])


def _schemas(connection: Connection, beginning: str) -> set[str]:
    """Return the schemas whose names begin like this."""
    query = "SELECT nspname::text FROM pg_catalog.pg_namespace WHERE starts_with(nspname::text, %s)"
    return {name for (name,) in connection.execute(query, [beginning])}


def _vectors_of(manifest: str) -> str:
    """Return the schema of a generation's vectors, "" without one; other versions of the program may have made it."""
    with suppress(ValueError, TypeError, KeyError):
        return str(json.loads(manifest)["files"]["tables"]["vectors"])
    return ""


def _drop(connection: Connection, schema: str) -> None:
    connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


def _store_encoder(connection: Connection, held: HeldFiles, files: Mapping[str, FileRecord]) -> None:
    """Store the missing files in pieces."""
    for name, record in files.items():
        query = f"SELECT 1 FROM {HOME}.encoder_file WHERE sha256 = %s LIMIT 1"  # noqa: S608 - fixed text
        if connection.execute(query, [record.sha256]).fetchone():
            continue
        with Path(held.path(name)).open("rb") as stream:
            part = 0
            while data := stream.read(_PART_BYTES):
                connection.execute(
                    f"INSERT INTO {HOME}.encoder_file VALUES (%s, %s, %s)",  # noqa: S608 - fixed text
                    [record.sha256, part, data],
                )
                part += 1
