"""The tables of an index in PostgreSQL, and how they are spread over shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

STORE_FORMAT = 1
HOME = "qa_search"
# Advisory locks: this class with 0 for the build that writes, with the number of a generation's tables for readers.
LOCK_CLASS = 0x71615F73
WRITER = 0
PASSAGE = "passage"
# What is searched for vectors: the same table under a second name where it is on shards, which are asked otherwise.
NEAREST = "nearest"
# Vectors as they are stored: a view, as shards would write each number out.
VECTOR_BYTES = "vector_bytes"
VECTOR_BYTES_VIEW = f"CREATE VIEW {VECTOR_BYTES} AS SELECT id, post, halfvec_send(embedding) AS bytes FROM {PASSAGE}"  # noqa: S608
# pgvector's index takes no longer halfvec.
MOST_INDEXED_DIMENSIONS = 4000

HOME_TABLES = f"""
CREATE SCHEMA IF NOT EXISTS {HOME};
CREATE TABLE IF NOT EXISTS {HOME}.store (
    one boolean PRIMARY KEY DEFAULT true CHECK (one), format int NOT NULL, id text NOT NULL, shards text[] NOT NULL
);
CREATE TABLE IF NOT EXISTS {HOME}.generation (
    number int PRIMARY KEY, tables int NOT NULL, content text NOT NULL, sha256 text NOT NULL, manifest text NOT NULL,
    tokens bigint NOT NULL, shards text[] NOT NULL
);
CREATE TABLE IF NOT EXISTS {HOME}.current (
    one boolean PRIMARY KEY DEFAULT true CHECK (one), number int NOT NULL REFERENCES {HOME}.generation
);
CREATE TABLE IF NOT EXISTS {HOME}.encoder_file (
    sha256 text NOT NULL, part int NOT NULL, data bytea NOT NULL, PRIMARY KEY (sha256, part)
);
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its columns and their types, the column that says whose shard a row is on, and its indices.

    ``key`` is None for a table that is not spread over shards.
    """

    name: str
    columns: tuple[tuple[str, str], ...]
    key: str | None
    indices: tuple[str, ...] = ()

    def definition(self) -> str:
        """Return the columns as they are created: texts compare by their bytes, as they do in SQLite."""
        collation = ' COLLATE "C"'
        return ", ".join(f"{name} {kind}{collation if kind.startswith('text') else ''}" for name, kind in self.columns)

    def types(self) -> list[str]:
        """Return the types as COPY is told them."""
        return [kind.partition("(")[0].removesuffix(" NOT NULL") for _, kind in self.columns]


def _columns(text: str) -> tuple[tuple[str, str], ...]:
    """Read "name type, name type?": what has no question mark is never missing."""
    found = []
    for part in text.split(","):
        name, kind = part.split()
        found.append((name, kind.removesuffix("?") if kind.endswith("?") else f"{kind} NOT NULL"))
    return tuple(found)


def generation_tables(dimension: int) -> tuple[Table, ...]:
    """Return the tables of a generation whose vectors have so many dimensions."""
    vectors = ("USING hnsw (embedding halfvec_ip_ops)",) if dimension <= MOST_INDEXED_DIMENSIONS else ()
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
                "author text?, score int8?, prev_title text?, next_title text?, folded_tags text[]"
            ),
            "post",
            ("(id)", "(post)", "(post_id)", "(source)", "(date)", "USING gin (folded_tags)"),
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
        Table("term", _columns("term text, id int4, holders int4"), None, ("(term)",)),
        Table("unanswered", _columns("rowid int4, source text, source_id text, title text"), None),
        Table("set_aside", _columns("rowid int4, source text, place text, reason text"), None),
        Table("page_title", _columns("folded text, entry int4, post int4?"), None, ("(folded)",)),
        Table("page_link", _columns("rowid int4, folded text, title text, source_id text"), None),
    )


def generation_name(number: int) -> str:
    """The name of a generation, as an index folder has it."""
    return f"g{number:06}"


def schema_of(number: int) -> str:
    """The schema of a generation's tables."""
    return f"{HOME}_{generation_name(number)}"


def shard_schema_of(store: str, number: int) -> str:
    """The schema of a generation's tables on a shard, which may hold those of several stores."""
    return f"{HOME}_{store}_{generation_name(number)}"


def length_steps() -> list[int]:
    """Return the lengths that a length is rounded down to: tantivy and Lucene keep a byte for each post."""
    small = list(range(24))
    for number in range(232):
        bits, shift = number & 7, (number >> 3) - 1
        small.append(24 + (bits if shift < 0 else (bits | 8) << shift))
    return small


def seen_on_shards(tables: Sequence[Table]) -> list[Table]:
    """Return the tables that a coordinator sees besides: passages under a second name, and their vectors as bytes."""
    (passage,) = (table for table in tables if table.name == PASSAGE)
    return [
        replace(passage, name=NEAREST),
        Table(VECTOR_BYTES, _columns("id int4, post int4, bytes bytea"), "post"),
    ]


def create_statements(tables: Sequence[Table], *, partitioned: bool) -> list[str]:
    """Return the statements that make the tables: whole, or their parents only, to be hung with foreign tables."""
    return [
        f"CREATE TABLE {table.name} ({table.definition()})"
        + (f" PARTITION BY HASH ({table.key})" if partitioned and table.key else "")
        for table in tables
    ]
