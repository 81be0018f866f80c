"""Connections to PostgreSQL. Errors name the server and the database, never a password."""

from __future__ import annotations

import os
import re
import socket
import threading
import weakref
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

import psycopg
from pgvector.psycopg.halfvec import register_halfvec_info
from psycopg import conninfo
from psycopg.types import TypeInfo

from qa_search.errors import IndexForkedError, StoreError, StoreGoneError
from qa_search.index.postgres.statements import SEARCH_PATH, qualified

LEAST_SERVER = 14
LEAST_VECTOR = (0, 8)
# Releases up to it mend an overflow, and a possible corruption of indexes.
MENDED_VECTOR = (0, 8, 4)
_CONNECT_SECONDS = 10
# The server ends a reader's statement after so long, unless the address or the role says otherwise...
_STATEMENT_SECONDS = 20
# ... and so much later it counts as silent: one that is frozen ends nothing.
_GRACE_SECONDS = 5
# A build's statements may take hours: so often it asks whether the server answers at all.
_PROBE_SECONDS = 60
# A build waits so long for locks of others, each time.
_LOCK_SECONDS = 30
# Connections that one open index keeps; more threads than these wait.
_MOST = 8
_GONE = (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)
# The characters of an address that is shown or looked up: others may belong to a password.
_HOST = re.compile(r"[\w.-]*|[0-9a-fA-F:.]+(%[\w.-]+)?|/.*")
_PORT = re.compile(r"\d*")
_SHOWN = re.compile(r"[\w.$+ -]*")
_UNREADABLE = (
    "invalid address of a database. Write it like postgresql://USER@HOST:PORT/DATABASE, with special "
    "characters in a password percent-encoded (@ as %40, / as %2F), or with the password in ~/.pgpass."
)
# The meaning of PostgreSQL's codes (all five characters, or the first two), and the way out.
_MEANINGS = {
    "22021": "the database cannot hold this text. Make one with ENCODING 'UTF8'.",
    "22P05": "the database cannot hold this text. Make one with ENCODING 'UTF8'.",
    "25006": "the database takes no writes: it is a replica, or set to be read only. Name the primary.",
    "28": "the database rejects this role. Check its name, its password and the server's pg_hba.conf.",
    "3D": "the database does not exist. Create it, or check the address.",
    "40": "another statement conflicts with this one. Try again.",
    "42501": "not allowed. docs/postgresql.md says what a role needs.",
    "53100": "the disk of the database is full. Make room there.",
    "53200": "the database is out of memory. Give it more, or search for less at once.",
    "53300": "the database has no free connection. Try again later, or raise its max_connections.",
    "54": "a value is larger than PostgreSQL can hold. Leave that post out, or search a folder.",
    "55P03": "another session holds a lock on the tables of the index. Try again when it is released.",
    "57014": "the statement took longer than the database allows (statement_timeout), or was cancelled.",
    "58": "the database cannot use its own files. Have its administrator look at its log.",
    "XX001": "files of the database are damaged. Have its administrator look (pg_amcheck), then build again.",
    "XX002": "files of the database are damaged. Have its administrator look (pg_amcheck), then build again.",
}
_AWAY = ("08", "57P")


class SilentError(psycopg.OperationalError):
    """The server does not answer, though the connection is open."""


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection with a limit on every wait, and with the schema of every name in a statement.

    ``schema`` is that of the generation's tables, ``extension`` that of pgvector, and ``release`` pgvector's release.
    ``seconds`` is the limit of a wait; then ``probe`` is called, which raises if the server does not answer anybody.
    """

    schema = ""
    extension = "public"
    release = ""
    seconds: float = _CONNECT_SECONDS
    probe: Callable[[], None] | None = None

    def execute(self, query: Any, *values: Any, **options: Any) -> psycopg.Cursor[tuple[Any, ...]]:
        """Execute a statement, with each of its names qualified."""
        if isinstance(query, str):
            query = qualified(query, self.schema, self.extension)
        return super().execute(query, *values, **options)

    def wait(self, gen: Any, *values: Any, **options: Any) -> Any:
        """Wait for the server as psycopg does, but with a limit."""
        try:
            return super().wait(self._watched(gen), *values, **options)
        except SilentError:
            self.close()
            raise

    def _watched(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        end = monotonic() + self.seconds
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted  # psycopg comes back at least ten times a second
                if monotonic() > end:
                    if self.probe is None:
                        raise SilentError(f"no answer within {self.seconds:g} seconds")
                    self.probe()
                    end = monotonic() + self.seconds
                wanted = gen.send(ready)
        except StopIteration as done:
            return done.value


class Address:
    """The address of a database. Its text does not contain a password."""

    def __init__(self, url: str) -> None:
        """Read a URL (or a connection string of libpq).

        Raises:
            StoreError: if it is invalid, or a part of a password could be read as another part.
        """
        try:
            self.parts: Mapping[str, Any] = conninfo.conninfo_to_dict(url)
        except (psycopg.Error, ValueError):
            # Not with libpq's own words, nor with the text: the password may be anywhere in it.
            raise StoreError(_UNREADABLE) from None
        if _is_ambiguous(url) or not (
            all(_HOST.fullmatch(host) for name in ("host", "hostaddr") for host in self._listed(name))
            and all(_PORT.fullmatch(port) for port in self._listed("port"))
        ):
            raise StoreError(_UNREADABLE)

    def __str__(self) -> str:
        """Return a URL that names the server and the database, without secrets."""
        hosts = self._listed("host" if self.parts.get("host") else "hostaddr")
        ports = self._listed("port")
        ports = ports if len(ports) == len(hosts) else ports[:1] * len(hosts)
        database = self._shown("dbname")
        if hosts[0].startswith("/"):
            where = f"/{database}?host={hosts[0]}" + (f"&port={ports[0]}" if ports[0] else "")
        else:
            named = [f"[{host}]" if ":" in host else host for host in hosts]
            servers = ",".join(f"{host}:{port}" if port else host for host, port in zip(named, ports, strict=True))
            where = f"{servers}/{database}"
        user = f"{self._shown('user')}@" if self.parts.get("user") else ""
        return f"postgresql://{user}{where}"

    def connect(self, name: str = "qa-search", *, probe: bool = False) -> Connection:
        """Connect. Every statement is its own transaction unless one is begun.

        Args:
            name: the name of this client on the server.
            probe: for a build: statements may take any time while the server answers others.

        Raises:
            StoreError: if the connection fails.
        """
        try:
            connection = self._connect(name)
            if probe:
                connection.probe = self._probe
            _settle(connection)
        except psycopg.Error as error:
            raise (
                self.explain(error)
                if error.sqlstate
                else StoreError(
                    f"{self}: no connection ({reason(error)}). Check that the server runs, and the address."
                )
            ) from error
        return connection

    def _connect(self, name: str) -> Connection:
        defaults = {
            "connect_timeout": _CONNECT_SECONDS,
            "application_name": name[:63],
            # A server that vanished is detected within a minute.
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
        }
        # Statements are not prepared: one plan for all vectors and filters would be a bad one for each.
        return Connection.connect(
            conninfo.make_conninfo(**{**defaults, **self.parts}), autocommit=True, prepare_threshold=None
        )

    def _probe(self) -> None:
        """Check whether the server answers a new connection.

        Raises:
            SilentError: if it does not.
        """
        try:
            self._connect("qa-search probe").close()
        except psycopg.errors.ConnectionTimeout as error:
            raise SilentError("the server does not answer") from error
        except psycopg.Error:
            return  # "too many connections" is an answer, too; one that is down ends the waiting connection

    def _listed(self, name: str) -> list[str]:
        return str(self.parts.get(name) or "").split(",")

    def _shown(self, name: str) -> str:
        """Return a part of the address for messages; "..." for unusual characters, which may be a password's."""
        value = str(self.parts.get(name) or "")
        return value if _SHOWN.fullmatch(value) else "..."

    @contextmanager
    def named(self) -> Iterator[None]:
        """Turn the errors of PostgreSQL into ones that name the database and the way out."""
        try:
            yield
        except psycopg.Error as error:
            raise self.explain(error) from error

    def explain(self, error: psycopg.Error) -> StoreError:
        """Return our error for one of PostgreSQL's."""
        code = error.sqlstate or ""
        if isinstance(error, _GONE):
            return StoreGoneError(
                f"{self}: later builds removed this generation of the index, or tables of it are missing "
                f"({reason(error)}). Open the index again (or refresh it); if that fails too, build it again."
            )
        meaning = _MEANINGS.get(code) or _MEANINGS.get(code[:2])
        if meaning:
            what, _, remedy = meaning.partition(". ")
            return StoreError(f"{self}: {what.removesuffix('.')} ({reason(error)}). {remedy}".rstrip())
        if not code or code.startswith(_AWAY):
            return StoreError(f"{self}: the database does not answer ({reason(error)}). Try again when it is back.")
        return StoreError(f"{self}: the database reports an error ({reason(error)}).")


def _is_ambiguous(url: str) -> bool:
    """Return whether a URL has an @ or a / that may belong to a password: libpq would read it as part of the host."""
    scheme, _, rest = url.strip().partition("://")
    return scheme in ("postgresql", "postgres") and (rest.count("@") > 1 or "@" in rest.partition("/")[2])


def reason(error: psycopg.Error) -> str:
    """Return PostgreSQL's message in one line."""
    text = error.diag.message_primary or str(error)
    if error.diag.message_detail:
        text += f": {error.diag.message_detail}"
    return " ".join(text.split())[:500] or type(error).__name__


def process_name(what: str) -> str:
    """Return the name of this process on the server. Others see it when they must wait."""
    return f"{what}, process {os.getpid()} on {socket.gethostname()[:24]}"


class Connections:
    """Connections that several threads share. A statement is repeated once if the server was restarted."""

    def __init__(self, address: Address, prepare: Callable[[Connection], None] | None = None) -> None:
        """Open nothing yet. ``prepare`` is called with each new connection."""
        self.address = address
        self._prepare = prepare
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._free = threading.BoundedSemaphore(_MOST)
        self._closed = False
        self._process = os.getpid()
        # An index that moved on to another generation leaves this one to whoever still searches it.
        weakref.finalize(self, _close_all, self._idle, self._process)

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query.

        Raises:
            StoreError: if the database does not answer or reports an error.
        """
        self.require_process()
        with self._turn():
            used = self._take()
            if used is not None:
                try:
                    return self._ask(used, query, values)
                except psycopg.Error as error:
                    if not used.closed or isinstance(error, SilentError):
                        raise self.address.explain(error) from error
                # It was lost while it was idle, and probably the others, too. The statement only reads: repeat it.
                self._drop_idle()
            new = self._open()
            with self.address.named():
                return self._ask(new, query, values)

    def require_process(self) -> None:
        """Make sure that this process opened the connections.

        Raises:
            IndexForkedError: if it did not.
        """
        if os.getpid() != self._process:
            raise IndexForkedError(
                f"{self.address}: this process was forked from the one that opened the index, and a connection cannot "
                "be used on both sides of a fork. Open the index in each process."
            )

    def close(self) -> None:
        """Close all connections; one in use is closed when it is returned."""
        with self._lock:
            self._closed = True
            _close_all(self._idle, self._process)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait until a connection may be used."""
        seconds = _STATEMENT_SECONDS + _GRACE_SECONDS
        if not self._free.acquire(timeout=seconds):
            raise StoreError(
                f"{self.address}: all {_MOST} connections of this index were busy for {seconds} seconds. Try again "
                "later."
            )
        try:
            yield
        finally:
            self._free.release()

    def _take(self) -> Connection | None:
        """Return an idle connection, None without one."""
        with self._lock:
            if self._closed:
                raise StoreError(f"{self.address}: the index is closed.")
            return self._idle.pop() if self._idle else None

    def _open(self) -> Connection:
        connection = self.address.connect(process_name("qa-search"))
        try:
            if self._prepare is not None:
                with self.address.named():
                    self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _ask(self, connection: Connection, query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        try:
            found = connection.execute(query, values, binary=True).fetchall()
        except psycopg.Error:
            self._give(connection)
            raise
        except BaseException:
            connection.close()
            raise
        self._give(connection)
        return found

    def _give(self, connection: Connection) -> None:
        with self._lock:
            if not self._closed and not connection.closed:
                self._idle.append(connection)
                return
        with suppress(psycopg.Error):
            connection.close()

    def _drop_idle(self) -> None:
        with self._lock:
            _close_all(self._idle, self._process)


def _close_all(connections: list[Connection], process: int) -> None:
    # In a forked child that would end the connections of the parent.
    while connections and os.getpid() == process:
        connections.pop().close()


def _settle(connection: Connection) -> None:
    """Set the search path and the limits of a session."""
    ((milliseconds, source),) = connection.execute(
        "SELECT s.setting::int8, s.source FROM pg_catalog.pg_settings s WHERE s.name = 'statement_timeout'"
    ).fetchall()
    settings = {"search_path": SEARCH_PATH}
    if connection.probe is not None:
        connection.seconds = _PROBE_SECONDS
        settings["lock_timeout"] = f"{_LOCK_SECONDS}s"
    else:
        if not milliseconds and source != "client":
            milliseconds = _STATEMENT_SECONDS * 1000
            settings["statement_timeout"] = str(milliseconds)
        connection.seconds = (milliseconds or _STATEMENT_SECONDS * 1000) / 1000 + _GRACE_SECONDS
    choose(connection, settings)


def choose(connection: Connection, settings: Mapping[str, str]) -> None:
    """Set parameters of a session."""
    chosen = ", ".join("set_config(%s, %s, false)" for _ in settings)
    connection.execute(f"SELECT {chosen}", [part for pair in settings.items() for part in pair])


def require_server(connection: Connection, address: Address, *, create: bool = False) -> str:
    """Make sure that a server can hold an index; return the schema that pgvector is in.

    Raises:
        StoreError: if it is too old, has no pgvector or not all characters.
    """
    version = connection.info.server_version
    if version < LEAST_SERVER * 10_000:
        raise StoreError(f"{address}: PostgreSQL {version // 10_000}, where {LEAST_SERVER} or later is needed.")
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreError(f"{address}: the database holds {encoding} only. Make one with ENCODING 'UTF8'.")
    found = _vector(connection)
    if found is None and create:
        try:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
        except psycopg.Error as error:
            raise StoreError(
                f"{address}: pgvector cannot be set up ({reason(error)}). Install its package on the server, and have "
                "an administrator run CREATE EXTENSION vector in this database."
            ) from error
        found = _vector(connection)
    if found is None:
        raise StoreError(
            f"{address}: this database has no pgvector. Have an administrator run CREATE EXTENSION vector in it."
        )
    release, schema, halfvec, halfvecs = found
    if _numbers(release)[:2] < LEAST_VECTOR:
        raise StoreError(
            f"{address}: pgvector {release}, where {'.'.join(map(str, LEAST_VECTOR))} or later is needed. Update its "
            "package, and run ALTER EXTENSION vector UPDATE."
        )
    # By its number: the names of types are no longer looked up in its schema.
    register_halfvec_info(connection, TypeInfo("halfvec", halfvec, halfvecs))
    connection.extension, connection.release = schema, release
    return schema


def advice_on(connection: Connection, address: Address) -> str:
    """Return what is to be done about a server that holds an index at some risk; "" if nothing is."""
    if _numbers(connection.release) >= MENDED_VECTOR:
        return ""
    return (
        f"{address}: pgvector {connection.release} has faults that {'.'.join(map(str, MENDED_VECTOR))} mends: an "
        "overflow, and indexes that may be corrupted. Update its package, and run ALTER EXTENSION vector UPDATE."
    )


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split(".") if part.isdigit())


def _vector(connection: Connection) -> tuple[str, str, int, int] | None:
    """Return pgvector's release and schema, and the numbers of its half-precision type and of its array type."""
    row = connection.execute(
        "SELECT e.extversion, quote_ident(n.nspname::text), COALESCE(t.oid, 0::oid), COALESCE(t.typarray, 0::oid) "
        "FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace "
        "LEFT JOIN pg_catalog.pg_type t ON t.typnamespace = n.oid AND t.typname = 'halfvec' WHERE e.extname = 'vector'"
    ).fetchone()
    return None if row is None else (str(row[0]), str(row[1]), int(row[2]), int(row[3]))
