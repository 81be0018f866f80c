"""The tables of an index in PostgreSQL, and how they are spread over shards."""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

STORE_FORMAT = 3
# In format 2 the vectors are in each generation's table of passages. A build changes such a database to the newer one.
READ_STORE_FORMATS = (2, STORE_FORMAT)
HOME = "qa_search"
# How the schemas begin of the vectors that generations share.
VECTORS_BEGIN = f"{HOME}_vectors_"
# Readers hold advisory locks of this class, with the number that `lock_number` gives.
LOCK_CLASS = 0x71615F73
# A schema of ours, as it may stand in a statement. A database that others write to may name any text.
_SCHEMA = re.compile(rf"{HOME}_[a-z0-9_]+")
PASSAGE = "passage"
VECTOR = "vector"
# Views on shards: what is searched for vectors, and vectors as they are stored, where numbers would be written out.
NEAREST = "nearest"
VECTOR_BYTES = "vector_bytes"
SHARD_VIEWS = (NEAREST, VECTOR_BYTES)
# pgvector's index takes no longer halfvec.
MOST_INDEXED_DIMENSIONS = 4000

TABLE_NAMES = frozenset(
    {
        "post", "entry", PASSAGE, "posting", "term", "unanswered", "set_aside", "page_title", "page_link", *SHARD_VIEWS,
    }
)  # fmt: skip

# The build that writes locks ``writer``, which only roles that may write to it can.
HOME_TABLES = (
    f"CREATE SCHEMA IF NOT EXISTS {HOME}",
    f"""CREATE TABLE IF NOT EXISTS {HOME}.store (
        one pg_catalog.bool PRIMARY KEY DEFAULT true CHECK (one), format pg_catalog.int4 NOT NULL,
        id pg_catalog.text NOT NULL, shards pg_catalog.text[] NOT NULL
    )""",
    f"""CREATE TABLE IF NOT EXISTS {HOME}.generation (
        number pg_catalog.int4 PRIMARY KEY, tables pg_catalog.text NOT NULL, content pg_catalog.text NOT NULL,
        sha256 pg_catalog.text NOT NULL, manifest pg_catalog.text NOT NULL, tokens pg_catalog.int8 NOT NULL,
        shards pg_catalog.text[] NOT NULL
    )""",
    f"""CREATE TABLE IF NOT EXISTS {HOME}.current (
        one pg_catalog.bool PRIMARY KEY DEFAULT true CHECK (one),
        number pg_catalog.int4 NOT NULL REFERENCES {HOME}.generation
    )""",
    f"""CREATE TABLE IF NOT EXISTS {HOME}.encoder_file (
        sha256 pg_catalog.text NOT NULL, part pg_catalog.int4 NOT NULL, data pg_catalog.bytea NOT NULL,
        PRIMARY KEY (sha256, part)
    )""",
    f"CREATE TABLE IF NOT EXISTS {HOME}.writer (one pg_catalog.bool)",
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its columns and their types, the column that says whose shard a row is on, and its indices.

    ``key`` is None for a table that is not spread over shards.
    """

    name: str
    columns: tuple[tuple[str, str], ...]
    key: str | None
    indices: tuple[str, ...] = ()

    def definition(self, extension: str) -> str:
        """Return the columns as they are created: texts compare by their bytes, as they do in SQLite."""
        collation = ' COLLATE pg_catalog."C"'
        return ", ".join(
            f"{name} {extension if kind.startswith('halfvec') else 'pg_catalog'}.{kind}"
            f"{collation if kind.startswith('text') else ''}"
            for name, kind in self.columns
        )

    def types(self) -> list[str]:
        """Return the types of the columns for COPY."""
        return [kind.partition("(")[0].removesuffix(" NOT NULL") for _, kind in self.columns]


def _columns(text: str) -> tuple[tuple[str, str], ...]:
    """Read "name type, name type?": a question mark allows NULL."""
    found = []
    for part in text.split(","):
        name, kind = part.split()
        found.append((name, kind.removesuffix("?") if kind.endswith("?") else f"{kind} NOT NULL"))
    return tuple(found)


def generation_tables() -> tuple[Table, ...]:
    """Return the tables of a generation.

    A text may be of any length, so that indices of texts are of their hashes: a B-tree or GIN takes some 2,700 bytes.
    """
    return (
        Table(
            "post",
            _columns("id int4, content bytea, title text, question text, answer text, answers text"),
            "id",
            ("(id)", "USING hash (content)"),
        ),
        Table(
            "entry",
            _columns(
                "id int4, post_id text, post int4, source text, source_id text, date text?, url text?, tags text, "
                "author text?, score int8?, prev_title text?, next_title text?, folded_tags text[], tag_keys int8[]"
            ),
            "post",
            ("(id)", "(post)", "(post_id)", "(date)", "USING gin (tag_keys)"),
        ),
        Table(
            PASSAGE,
            _columns('id int4, post int4, field text, start int4, "end" int4, key bytea'),
            "post",
            ("(id)", "(post)", "USING hash (key)"),
        ),
        Table(
            "posting",
            _columns("term int4, post int4, tf int4, length int4"),
            "post",
            ("(term, post) INCLUDE (tf, length)",),
        ),
        Table("term", _columns("term text, id int4, holders int4"), None, ("USING hash (term)",)),
        Table("unanswered", _columns("rowid int4, source text, source_id text, title text"), None),
        Table("set_aside", _columns("rowid int4, source text, place text, reason text"), None),
        Table("page_title", _columns("folded text, entry int4, post int4?"), None, ("USING hash (folded)",)),
        Table("page_link", _columns("rowid int4, folded text, title text, source_id text"), None),
    )


def vector_table(dimension: int, extension: str) -> Table:
    """Return the table of vectors by the keys of their passages, which several generations share.

    Args:
        dimension: that of the vectors.
        extension: pgvector's schema.
    """
    graph = (f"USING hnsw (embedding {extension}.halfvec_ip_ops)",) if dimension <= MOST_INDEXED_DIMENSIONS else ()
    return Table(VECTOR, (*_columns("key bytea"), _embedding(dimension)), None, ("USING hash (key)", *graph))


def _embedding(dimension: int) -> tuple[str, str]:
    return "embedding", f"halfvec({dimension}) NOT NULL"


def generation_name(number: int) -> str:
    """The name of a generation, as an index folder has it."""
    return f"g{number:06}"


def new_schema(number: int) -> str:
    """Return a new schema for a generation's tables. Its name is never reused, even if the database is reset.

    So an open index never reads the tables of another one after the database was reset or restored.
    """
    return f"{HOME}_{generation_name(number)}_{secrets.token_hex(4)}"


def is_schema_name(name: str) -> bool:
    """Return whether a text can be the name of one of our schemas: it needs no quotes."""
    return _SCHEMA.fullmatch(name) is not None


def new_vectors_schema() -> str:
    """Return a new schema for vectors that generations share. Its name is never reused."""
    return f"{VECTORS_BEGIN}{secrets.token_hex(4)}"


def lock_number(schema: str) -> int:
    """Return the number of the advisory lock that readers of these tables hold."""
    return zlib.crc32(schema.encode()) >> 1


def shard_schema_of(store: str, schema: str) -> str:
    """Return the name that a schema of tables has on a shard, which may hold those of several stores."""
    return f"{HOME}_{store}_{schema.removeprefix(f'{HOME}_')}"


def tag_key(folded: str) -> int:
    """Return the key of a folded tag: 64 bits of a hash, as PostgreSQL's int8."""
    return int.from_bytes(hashlib.blake2b(folded.encode(), digest_size=8).digest(), "big", signed=True)


def length_steps() -> list[int]:
    """Return the values that lengths are rounded down to: tantivy and Lucene keep one byte for each post."""
    small = list(range(24))
    for number in range(232):
        bits, shift = number & 7, (number >> 3) - 1
        small.append(24 + (bits if shift < 0 else (bits | 8) << shift))
    return small


def seen_on_shards(dimension: int) -> list[Table]:
    """Return the additional tables of a coordinator: the views on the shards."""
    return [
        Table(NEAREST, (*_columns("id int4, post int4"), _embedding(dimension)), "post"),
        Table(VECTOR_BYTES, _columns("id int4, post int4, bytes bytea"), "post"),
    ]


def shard_views(schema: str, vectors: str) -> list[str]:
    """Return the statements that create the views of a shard, in the schema of a generation there."""
    joined = f"FROM {schema}.{PASSAGE} p JOIN {vectors}.{VECTOR} v ON v.key = p.key"
    return [
        f"CREATE VIEW {schema}.{NEAREST} AS SELECT p.id, p.post, v.embedding {joined}",
        f"CREATE VIEW {schema}.{VECTOR_BYTES} AS SELECT p.id, p.post, halfvec_send(v.embedding) AS bytes {joined}",
    ]


def create_statements(schema: str, tables: Sequence[Table], extension: str, *, partitioned: bool) -> list[str]:
    """Return the statements that create the tables: whole, or only the parents of foreign tables."""
    return [
        f"CREATE TABLE {schema}.{table.name} ({table.definition(extension)})"
        + (f" PARTITION BY HASH ({table.key})" if partitioned and table.key else "")
        for table in tables
    ]
