"""Hash partitions on other servers: foreign tables of postgres_fdw."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from psycopg import conninfo, sql

from qa_search.errors import StoreError
from qa_search.index.postgres.connections import Address, Connection, require_server
from qa_search.index.postgres.readers import EF_SEARCH
from qa_search.index.postgres.schema import NEAREST, Table

# What the search needs of a server. Without them the coordinator fetches all vectors to sort them itself: the remote
# planner must believe that few rows are wanted, as it does not see the LIMIT. A disabled scan seems to cost so much
# that the planner would compile the statement first: hence jit=off.
SERVER_OPTIONS = {
    "extensions": "vector",
    "use_remote_estimate": "true",
    "fetch_size": "50",
    "options": "-c jit=off -c enable_seqscan=off -c cursor_tuple_fraction=0.0005 "
    f"-c hnsw.ef_search={EF_SEARCH} -c hnsw.iterative_scan=strict_order -c hnsw.max_scan_tuples=50000",
}
# For rows that are listed or counted: fetch all at once, without asking the shard's planner.
_MANY_ROWS = {"fetch_size": "5000", "use_remote_estimate": "false"}
_SECRET = ("user", "password", "sslpassword", "passfile")


def server_name(shard: Address) -> str:
    """Return a name of the foreign server made from its address, so that an open generation keeps its address."""
    parts = sorted((name, str(value)) for name, value in shard.parts.items() if name not in _SECRET)
    return f"qa_search_shard_{hashlib.blake2b(repr(parts).encode(), digest_size=6).hexdigest()}"


def declare_shards(coordinator: Connection, address: Address, shards: Sequence[Address]) -> list[str]:
    """Declare the shards to the coordinator; return the names of the foreign servers.

    Raises:
        StoreError: if the coordinator has no postgres_fdw, or this role may not use it.
    """
    with address.named():
        coordinator.execute("CREATE EXTENSION IF NOT EXISTS postgres_fdw SCHEMA public")
        return [_declare(coordinator, shard) for shard in shards]


def _declare(coordinator: Connection, shard: Address) -> str:
    name = server_name(shard)
    where = {key: value for key, value in shard.parts.items() if key not in (*_SECRET, "options")}
    who = {key: value for key, value in shard.parts.items() if key in _SECRET}
    known = coordinator.execute("SELECT 1 FROM pg_catalog.pg_foreign_server WHERE srvname = %s", [name]).fetchone()
    if known is None:
        coordinator.execute(
            sql.SQL("CREATE SERVER {} FOREIGN DATA WRAPPER postgres_fdw OPTIONS ({})").format(
                sql.Identifier(name), _options({**where, **SERVER_OPTIONS})
            )
        )
    # A new password takes the place of the old one.
    coordinator.execute(sql.SQL("DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER {}").format(sql.Identifier(name)))
    coordinator.execute(
        sql.SQL("CREATE USER MAPPING FOR CURRENT_USER SERVER {} OPTIONS ({})").format(
            sql.Identifier(name), _options(who)
        )
        if who
        else sql.SQL("CREATE USER MAPPING FOR CURRENT_USER SERVER {}").format(sql.Identifier(name))
    )
    return name


def shard_address(coordinator: Connection, address: Address, name: str) -> Address:
    """Return the address of a shard that the coordinator knows: a build writes to it directly.

    Raises:
        StoreError: if the shard is unknown to this role.
    """
    rows = coordinator.execute(
        "SELECT s.srvoptions, m.umoptions FROM pg_catalog.pg_foreign_server s "
        "JOIN pg_catalog.pg_user_mappings m ON m.srvid = s.oid WHERE s.srvname = %s AND m.usename = current_user",
        [name],
    ).fetchall()
    if not rows:
        raise StoreError(
            f"{address}: the shard {name} is unknown here, or to this role. Name all shards again with shards=URLS."
        )
    parts = dict(option.partition("=")[::2] for options in rows[0] for option in options or ())
    kept = {key: value for key, value in parts.items() if key not in SERVER_OPTIONS}
    return Address(conninfo.make_conninfo(**kept))


def open_shard(shard: Address, extension: str, name: str) -> Connection:
    """Connect to a shard, and make sure that it can hold a part of an index.

    Raises:
        StoreError: if it cannot.
    """
    connection = shard.connect(name, probe=True)
    try:
        found = require_server(connection, shard, create=True)
        if found != extension:
            raise StoreError(
                f"{shard}: pgvector is in the schema {found} there, and in {extension} on the coordinator. Have an "
                f"administrator run ALTER EXTENSION vector SET SCHEMA {extension}."
            )
    except BaseException:
        connection.close()
        raise
    return connection


def hang_foreign_tables(
    coordinator: Connection, tables: Sequence[Table], servers: Sequence[str], remote_schema: str
) -> None:
    """Attach a foreign table for each shard to the partitioned tables."""
    for table in tables:
        if table.key is None:
            continue
        for number, server in enumerate(servers):
            options: dict[str, Any] = {"schema_name": remote_schema, "table_name": table.name}
            if table.name != NEAREST:
                options |= _MANY_ROWS
            coordinator.execute(
                sql.SQL(
                    "CREATE FOREIGN TABLE {} PARTITION OF {} FOR VALUES WITH (MODULUS {}, REMAINDER {}) "
                    "SERVER {} OPTIONS ({})"
                ).format(
                    sql.Identifier(coordinator.schema, f"{table.name}_{number}"),
                    sql.Identifier(coordinator.schema, table.name),
                    sql.Literal(len(servers)),
                    sql.Literal(number),
                    sql.Identifier(server),
                    _options(options),
                )
            )


def shard_of_each(coordinator: Connection, posts: int, shards: int) -> list[int]:
    """Return the shard of each post by PostgreSQL's own hash, from the existing tables."""
    rows = coordinator.execute(
        "SELECT (SELECT shard FROM generate_series(0, %s - 1) AS shard "
        "WHERE satisfies_hash_partition(%s::regclass, %s, shard, number)) "
        "FROM generate_series(0, %s - 1) AS number ORDER BY number",
        [shards, f"{coordinator.schema}.post", shards, posts],
    )
    return [shard for (shard,) in rows]


def _options(values: dict[str, Any]) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.Literal(str(value))) for name, value in values.items()
    )
