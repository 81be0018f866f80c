"""The tables of an index in PostgreSQL, and how they are spread over shards."""

from __future__ import annotations

import hashlib
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

STORE_FORMAT = 2
HOME = "qa_search"
# Readers hold advisory locks of this class, with the number that `lock_number` gives.
LOCK_CLASS = 0x71615F73
PASSAGE = "passage"
# What is searched for vectors: the same table under a second name where it is on shards, which are asked otherwise.
NEAREST = "nearest"
# Vectors as they are stored: a view on shards, which would write each number out.
VECTOR_BYTES = "vector_bytes"
# pgvector's index takes no longer halfvec.
MOST_INDEXED_DIMENSIONS = 4000

TABLE_NAMES = frozenset(
    {
        "post", "entry", PASSAGE, "posting", "term", "unanswered", "set_aside", "page_title", "page_link", NEAREST,
        VECTOR_BYTES,
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


def generation_tables(dimension: int, extension: str) -> tuple[Table, ...]:
    """Return the tables of a generation whose vectors have so many dimensions; ``extension`` is pgvector's schema.

    A text may be of any length, so that indices of texts are of their hashes: a B-tree or GIN takes some 2,700 bytes.
    """
    vectors = (f"USING hnsw (embedding {extension}.halfvec_ip_ops)",) if dimension <= MOST_INDEXED_DIMENSIONS else ()
    passage = _columns('id int4, post int4, field text, start int4, "end" int4, key bytea')
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
            (*passage, ("embedding", f"halfvec({dimension}) NOT NULL")),
            "post",
            ("(id)", "(post)", "USING hash (key)", *vectors),
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


def generation_name(number: int) -> str:
    """The name of a generation, as an index folder has it."""
    return f"g{number:06}"


def new_schema(number: int) -> str:
    """Return a new schema for a generation's tables. Its name is never reused, even if the database is reset.

    So an open index never reads the tables of another one after the database was reset or restored.
    """
    return f"{HOME}_{generation_name(number)}_{secrets.token_hex(4)}"


def lock_number(schema: str) -> int:
    """Return the number of the advisory lock that readers of these tables hold."""
    return zlib.crc32(schema.encode()) >> 1


def shard_schema_of(store: str, schema: str) -> str:
    """Return the schema of a generation's tables on a shard, which may hold those of several stores."""
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


def seen_on_shards(tables: Sequence[Table]) -> list[Table]:
    """Return the additional tables of a coordinator: passages under a second name, and their vectors as bytes."""
    (passage,) = (table for table in tables if table.name == PASSAGE)
    return [
        replace(passage, name=NEAREST),
        Table(VECTOR_BYTES, _columns("id int4, post int4, bytes bytea"), "post"),
    ]


def create_statements(schema: str, tables: Sequence[Table], extension: str, *, partitioned: bool) -> list[str]:
    """Return the statements that create the tables: whole, or only the parents of foreign tables."""
    return [
        f"CREATE TABLE {schema}.{table.name} ({table.definition(extension)})"
        + (f" PARTITION BY HASH ({table.key})" if partitioned and table.key else "")
        for table in tables
    ]
