"""Connections to PostgreSQL: what is wrong with them is told by name, never with a password."""

from __future__ import annotations

import os
import socket
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from pgvector.psycopg import register_vector
from psycopg import conninfo

from qa_search.errors import IndexForkedError, StoreError, StoreGoneError

Connection = psycopg.Connection[tuple[Any, ...]]

LEAST_SERVER = 14
LEAST_VECTOR = (0, 8)
_CONNECT_SECONDS = 10
# Connections that one open index keeps; more threads than these wait.
_MOST = 8
_GONE = (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)


class Address:
    """Where a database is. As a text it has no password."""

    def __init__(self, url: str) -> None:
        """Read a URL (or a connection string of libpq).

        Raises:
            StoreError: if it is none.
        """
        try:
            self.parts: Mapping[str, Any] = conninfo.conninfo_to_dict(url)
        except psycopg.Error:
            # Not with libpq's own words, nor with the text: the password may be anywhere in it.
            raise StoreError(
                "the address of the database cannot be read. Write it like postgresql://USER@HOST:PORT/DATABASE, with "
                "special characters in a password percent-encoded (or the password in ~/.pgpass)."
            ) from None

    def __str__(self) -> str:
        """Write it as a URL that names the server and the database, and nothing secret."""
        hosts = str(self.parts.get("host") or self.parts.get("hostaddr") or "").split(",")
        ports = str(self.parts.get("port") or "").split(",")
        ports = ports if len(ports) == len(hosts) else ports[:1] * len(hosts)
        if hosts[0].startswith("/"):
            where = f"/{self.parts.get('dbname', '')}?host={hosts[0]}" + (f"&port={ports[0]}" if ports[0] else "")
        else:
            named = [f"[{host}]" if ":" in host else host for host in hosts]
            servers = ",".join(f"{host}:{port}" if port else host for host, port in zip(named, ports, strict=True))
            where = f"{servers}/{self.parts.get('dbname', '')}"
        user = f"{self.parts['user']}@" if self.parts.get("user") else ""
        return f"postgresql://{user}{where}"

    def connect(self, name: str = "qa-search") -> Connection:
        """Connect; every statement is a transaction of its own unless one is begun.

        Raises:
            StoreError: if that is not possible.
        """
        defaults = {
            "connect_timeout": _CONNECT_SECONDS,
            "application_name": name[:63],
            # A server that is gone without a word is noticed within a minute.
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
        }
        try:
            # Statements are not prepared: a plan that is right for any vector and any filter is right for none.
            return psycopg.connect(
                conninfo.make_conninfo(**{**defaults, **self.parts}), autocommit=True, prepare_threshold=None
            )
        except psycopg.Error as error:
            raise StoreError(
                f"{self}: no connection ({reason(error)}). Is the server running, and the address right?"
            ) from error

    @contextmanager
    def named(self) -> Iterator[None]:
        """Turn the errors of PostgreSQL into ones that say which database, and what to do."""
        try:
            yield
        except psycopg.Error as error:
            raise self.told(error) from error

    def told(self, error: psycopg.Error) -> StoreError:
        """Make the error for what PostgreSQL says."""
        if isinstance(error, _GONE):
            return StoreGoneError(
                f"{self}: this generation of the index was taken away by later builds, or tables of it are missing "
                f"({reason(error)}). Open the index again (or refresh it); if that fails too, build it again."
            )
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            return StoreError(f"{self}: not allowed ({reason(error)}). docs/postgresql.md says what a role needs.")
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            return StoreError(f"{self}: the database does not answer ({reason(error)}). Ask again when it is back.")
        return StoreError(f"{self}: the database refuses ({reason(error)}).")


def reason(error: psycopg.Error) -> str:
    """What PostgreSQL says, in one line."""
    text = error.diag.message_primary or str(error)
    if error.diag.message_detail:
        text += f": {error.diag.message_detail}"
    return " ".join(text.split())[:500] or type(error).__name__


def process_name(what: str) -> str:
    """What the server is told of this process; others see it when they must wait."""
    return f"{what}, process {os.getpid()} on {socket.gethostname()[:24]}"


class Connections:
    """Some connections that several threads share. A statement is asked once more where the server was restarted."""

    def __init__(self, address: Address, prepare: Callable[[Connection], None] | None = None) -> None:
        """Open none yet; ``prepare`` is called with each new one."""
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
            StoreError: if there are none to be had.
        """
        with self._free:
            for _ in range(2):
                connection, used = self._take()
                try:
                    found = connection.execute(query, values, binary=True).fetchall()
                except psycopg.Error as error:
                    lost = connection.closed
                    self._give(connection)
                    if lost and used:
                        continue  # it was lost while nobody used it; what is asked changes nothing
                    raise self.address.told(error) from error
                except BaseException:
                    connection.close()
                    raise
                self._give(connection)
                return found
        raise StoreError(f"{self.address}: the database is lost again and again. Ask again when it is back.")

    def require_process(self) -> None:
        """Make sure that this is the process that opened them.

        Raises:
            IndexForkedError: if it is another.
        """
        if os.getpid() != self._process:
            raise IndexForkedError(
                f"{self.address}: this process was forked from the one that opened the index, and a connection cannot "
                "be used on both sides of a fork. Open the index in each process."
            )

    def close(self) -> None:
        """Close them; those in use when they are given back."""
        with self._lock:
            self._closed = True
            _close_all(self._idle, self._process)

    def _take(self) -> tuple[Connection, bool]:
        """Return a connection, and whether it was used before."""
        self.require_process()
        with self._lock:
            if self._closed:
                raise StoreError(f"{self.address}: the index is closed.")
            if self._idle:
                return self._idle.pop(), True
        connection = self.address.connect(process_name("qa-search"))
        try:
            if self._prepare is not None:
                with self.address.named():
                    self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection, False

    def _give(self, connection: Connection) -> None:
        with self._lock:
            if not self._closed and not connection.closed:
                self._idle.append(connection)
                # The others were lost with it, most likely: they are tried one by one.
                return
        with suppress(psycopg.Error):
            connection.close()


def _close_all(connections: list[Connection], process: int) -> None:
    # In a forked child that would end the connections of the parent.
    while connections and os.getpid() == process:
        connections.pop().close()


def require_server(connection: Connection, address: Address, *, create: bool = False) -> str:
    """Make sure that a server can hold an index; return the schema that pgvector is in.

    Raises:
        StoreError: if it is too old or has no pgvector.
    """
    version = connection.info.server_version
    if version < LEAST_SERVER * 10_000:
        raise StoreError(f"{address}: PostgreSQL {version // 10_000}, where {LEAST_SERVER} or later is needed.")
    if create:
        try:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except psycopg.Error as error:
            raise StoreError(
                f"{address}: pgvector cannot be set up ({reason(error)}). Install its package on the server, and have "
                "an administrator run CREATE EXTENSION vector in this database."
            ) from error
    found = connection.execute(
        "SELECT extversion, extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'vector'"
    ).fetchone()
    if found is None:
        raise StoreError(
            f"{address}: this database has no pgvector. Have an administrator run CREATE EXTENSION vector in it."
        )
    if tuple(int(part) for part in found[0].split(".")[:2]) < LEAST_VECTOR:
        raise StoreError(
            f"{address}: pgvector {found[0]}, where {'.'.join(map(str, LEAST_VECTOR))} or later is needed. Update its "
            "package, and run ALTER EXTENSION vector UPDATE."
        )
    register_vector(connection)
    return str(found[1])
