"""The passages of a generation in a database -> their vectors by key, in a table that several generations share.

A vector depends on its passage's key and the model alone. So a later generation of the same model adds the missing ones
to the table and its graph. Those that no generation has any more stay until they are so many that a new table is made:
taking vectors out of a graph costs more than making it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pgvector import HalfVector
from psycopg import sql

from qa_search.index.postgres.connections import Connection
from qa_search.index.postgres.schema import PASSAGE, VECTOR, Table
from qa_search.index.stores.vectors import VectorStore

_BLOCK = 4096

Missing = Sequence[tuple[int, bytes]]


def missing_vectors(connection: Connection, schema: str) -> Missing:
    """Return the keys of the new generation's passages that are not in a schema, each with a passage, ascending."""
    rows = connection.execute(
        f"SELECT min(p.id) AS passage, p.key FROM {PASSAGE} p WHERE NOT EXISTS "  # noqa: S608 - names of ours
        f"(SELECT 1 FROM {schema}.{VECTOR} v WHERE v.key = p.key) GROUP BY p.key ORDER BY passage",
        binary=True,
    )
    return [(number, key) for number, key in rows]


def copy_vectors(connection: Connection, schema: str, table: Table, missing: Missing, stored: VectorStore) -> None:
    """Copy the vectors of missing keys into a schema."""
    statement = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(sql.Identifier(schema, table.name))
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(table.types())
        for start in range(0, len(missing), _BLOCK):
            some = missing[start : start + _BLOCK]
            vectors = stored.reconstruct(np.asarray([number for number, _ in some]))
            for (_, key), vector in zip(some, vectors, strict=True):
                copy.write_row((key, HalfVector(vector)))


def count_unused(connection: Connection, schema: str) -> int:
    """Count the vectors in a schema that the new generation does not have."""
    ((count,),) = connection.execute(
        f"SELECT count(*) FROM {schema}.{VECTOR} v WHERE NOT EXISTS "  # noqa: S608 - names of ours
        f"(SELECT 1 FROM {PASSAGE} p WHERE p.key = v.key)"
    ).fetchall()
    return int(count)
