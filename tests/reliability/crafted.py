"""A small index that carries an encoder of its own, and files that somebody made to harm its readers.

Each of the tables below maps what is wrong to a function that makes it so in a copy of the index; `make_hashes_fit`
then hides it from every comparison with what was written.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import pickle
import random
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import faiss
import numpy as np
import onnx
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from qa_search import build_index
from qa_search.embedders.onnx import MODEL_FILE, SETTINGS_FILE, TOKENIZER_FILE, OnnxEmbedder
from qa_search.index.generation import MANIFEST, MANIFEST_HASH
from qa_search.index.integrity import BLOCK_BYTES, file_record, write_block_sums
from qa_search.index.owned import ENCODERS, POINTER
from qa_search.index.stores.lexical import LEXICAL_FOLDER
from qa_search.index.stores.owners import POSTS_NAME, SIDES_NAME
from qa_search.index.stores.post_rows import BLOCKS_NAME, DATABASE_NAME
from qa_search.index.stores.vectors import shard_name
from tests.helpers import page, seal, write_jsonl, write_pages
from tests.reliability.trials import generation

Craft = Callable[[Path], object]
DIMENSION = 16
COMPLAINTS = ("my knee7 hurts. It began in week7 and nothing helps.", "walk slowly3, ice it", "zzz")
_ENCODER = "int8-0123456789abcdef-01234567"
_SHARD = shard_name(0)


def write_archive(folder: Path) -> Path:
    """Write an archive that fills every table and column of an index; one post is so long that it takes many pages."""
    records: list[dict[str, Any]] = [
        {
            "id": f"p{number}",
            "title": f"Complaint {number}",
            "question": f"My knee{number} hurts. It began in week{number} and nothing helps.",
            "answers": [
                {"text": f"Rest the knee{number} for a while. Ice it{number}.", "score": 3, "author": "Al"},
                {"text": f"Walk slowly{number}.", "score": 1},
            ],
            "date": f"2015-06-{number % 28 + 1:02}T12:00:00",
            "tags": ["joint", f"t{number % 4}"],
            "author": "Bo",
            "score": number,
            "url": f"https://example.org/{number}",
        }
        for number in range(30)
    ]
    words = " ".join(f"word{number % 50} of many." for number in range(1500))
    records += [{"id": "long", "question": "A long story?", "answer": words}, {"id": "open", "question": "No answer?"}]
    write_jsonl(folder / "posts.jsonl", records)
    pages = write_pages(folder / "pages", 10)
    linked = page("Linked", "My heel hurts.", "Stretch.", links="- Prev:Complaint 3\n- Next:Nobody has this\n")
    (pages / "linked.txt").write_text(linked, encoding="utf-8")
    (pages / "undated.txt").write_text("Undated\nno date\nQuestion\nWhy?\nAnswer\nBecause.\n", encoding="utf-8")
    return folder


def write_encoder(folder: Path, source: Path) -> None:
    """Write an encoder that adds up a vector for each known word: all that an exported model has, but small."""
    folder.mkdir(parents=True)
    known = sorted(set(re.findall(r"\w+", " ".join(path.read_text("utf-8") for path in source.rglob("*.*")).lower())))
    vocabulary = {word: number for number, word in enumerate(["[UNK]", *known])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106 - a word, no password
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / TOKENIZER_FILE))
    weights = np.random.default_rng(0).standard_normal((len(vocabulary), DIMENSION)).astype(np.float32)
    onnx.save(graph(weights), folder / MODEL_FILE)
    settings = {
        "model": {"name": "tiny", "sha256": "0" * 64, "location": ""},
        "precision": "fp32",
        "dimension": DIMENSION,
        "passage_limit": 60,
        "query_limit": 60,
        "passage_prompt": "",
        "query_prompt": "",
        "agreement": {"passages": 1, "mean": 1.0, "min": 1.0},
        "files": {name: file_record(folder / name)._asdict() for name in (MODEL_FILE, TOKENIZER_FILE)},
    }
    (folder / SETTINGS_FILE).write_text(json.dumps(settings, indent=2), encoding="utf-8")


def graph(
    weights: Any, *, given: str = "input_ids", nodes: list[Any] | None = None, initializers: list[Any] | None = None
) -> onnx.ModelProto:
    """Make an ONNX model from token numbers to the mean of their vectors, or to whatever ``nodes`` make of them."""
    helper = onnx.helper
    nodes = nodes or [
        helper.make_node("Gather", ["weights", given], ["vectors"]),
        helper.make_node("ReduceMean", ["vectors"], ["embedding"], axes=[1], keepdims=0),
    ]
    return helper.make_model(
        helper.make_graph(
            nodes,
            "encoder",
            [helper.make_tensor_value_info(given, onnx.TensorProto.INT64, ["texts", "tokens"])],
            [helper.make_tensor_value_info("embedding", onnx.TensorProto.FLOAT, None)],
            [onnx.numpy_helper.from_array(weights, "weights"), *(initializers or [])],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )


def write_index(folder: Path) -> Path:
    """Build the index of the archive, with the small encoder in it as if a build had exported it."""
    source, index = write_archive(folder / "source"), folder / "index"
    write_encoder(index / ENCODERS / _ENCODER, source)
    build_index(source, index, model=OnnxEmbedder(index / ENCODERS / _ENCODER))
    # A build with a model that was handed to it has cleared away what it did not make.
    write_encoder(index / ENCODERS / _ENCODER, source)
    agreement = {"passages": 1, "mean": 1.0, "min": 1.0}
    record = {"kind": "onnx", "folder": _ENCODER, "precision": "fp32", "agreement": agreement}
    seal(index, lambda manifest: manifest.update(encoder=record))
    make_hashes_fit(index)
    return index


def make_hashes_fit(index: Path) -> None:
    """Make every hash in an index fit what its files hold now, those of the encoder too."""
    files = {path.name: file_record(path)._asdict() for path in (index / ENCODERS / _ENCODER).iterdir()}
    seal(index, lambda manifest: manifest["encoder"].update(files=files))


def flipped(data: bytes, randomness: random.Random) -> bytes:
    """Change one byte, or a few."""
    changed = bytearray(data)
    for at in randomness.sample(range(len(data)), min(randomness.choice((1, 1, 1, 2, 8)), len(data))):
        changed[at] ^= 1 << randomness.randrange(8) if randomness.random() < 0.5 else randomness.randrange(1, 256)
    return bytes(changed)


# FAISS


def _with_header(**changes: Any) -> Craft:
    """Change what a shard says of itself."""
    layout, names = "<4siqqq?iQ", ("kind", "dimension", "count", "unused", "unused2", "trained", "metric", "size")

    def craft(index: Path) -> None:
        path = generation(index) / _SHARD
        data, length = path.read_bytes(), struct.calcsize(layout)
        header = dict(zip(names, struct.unpack(layout, data[:length]), strict=True)) | changes
        path.write_bytes(struct.pack(layout, *header.values()) + data[length:])

    return craft


def _with_vectors(make: Callable[[Any], Any]) -> Craft:
    """Write another index of the same vectors."""

    def craft(index: Path) -> None:
        path = str(generation(index) / _SHARD)
        shard = faiss.read_index(path)
        faiss.write_index(make(shard.reconstruct_n(0, shard.ntotal)), path)

    return craft


def _filled(shard: Any, vectors: Any) -> Any:
    shard.train(vectors)
    shard.add(vectors)
    return shard


def _filled_anew(make: Callable[[], Any], vectors: Any) -> Any:
    return _filled(make(), vectors)


def _flat(vectors: Any, value: float, step: int) -> Any:
    vectors[::step] = value
    return _filled(faiss.IndexFlatIP(DIMENSION), vectors)


def _numbered(shard: Any, vectors: Any) -> Any:
    shard.add_with_ids(vectors, np.arange(len(vectors)) * 10**12)
    return shard


def _kinds() -> dict[str, Callable[[], Any]]:
    product, eight = faiss.METRIC_INNER_PRODUCT, faiss.ScalarQuantizer.QT_8bit
    flat = partial(faiss.IndexFlatIP, DIMENSION)
    return {
        "L2": lambda: faiss.IndexFlatL2(DIMENSION),
        "IVF": lambda: faiss.IndexIVFFlat(flat(), DIMENSION, 2, product),
        "HNSW": lambda: faiss.IndexHNSWFlat(DIMENSION, 8, product),
        "scalar quantizer": lambda: faiss.IndexScalarQuantizer(DIMENSION, eight, product),
        "product quantizer": lambda: faiss.IndexPQ(DIMENSION, 4, 2, product),
        "refine": lambda: faiss.IndexRefineFlat(flat()),
        "pre-transform": lambda: faiss.IndexPreTransform(faiss.NormalizationTransform(DIMENSION, 2.0), flat()),
        "LSH": lambda: faiss.IndexLSH(DIMENSION, DIMENSION),
    }


SHARDS: Mapping[str, Craft] = {
    "2^40 vectors": _with_header(count=1 << 40),
    "2^40 vectors with all their bytes": _with_header(count=1 << 40, size=(1 << 40) * DIMENSION),
    "2^24 vectors with all their bytes": _with_header(count=1 << 24, size=(1 << 24) * DIMENSION),
    "2^62 numbers": _with_header(size=1 << 62),
    "a count beyond 64 bits of bytes": _with_header(count=1 << 62, size=(1 << 63) + 5),
    "a count below 0": _with_header(count=-1),
    "one vector more": _with_header(count=500),
    "no dimension": _with_header(dimension=0),
    "a dimension below 0": _with_header(dimension=-DIMENSION),
    "a dimension of 2^31 - 1": _with_header(dimension=(1 << 31) - 1),
    "another metric": _with_header(metric=1),
    "no metric": _with_header(metric=99),
    "not trained": _with_header(trained=False),
    "another kind's name": _with_header(kind=b"IxF2"),
    "an old kind's name": _with_header(kind=b"IxFl"),
    "a kind that there is not": _with_header(kind=b"ABCD"),
    "some vectors not numbers": _with_vectors(lambda vectors: _flat(vectors, np.nan, 3)),
    "no vector a number": _with_vectors(lambda vectors: _flat(vectors, np.nan, 1)),
    "infinite vectors": _with_vectors(lambda vectors: _flat(vectors, np.inf, 3)),
    "vectors of great length": _with_vectors(lambda vectors: _flat(vectors, 3e38, 3)),
    "vectors of no length": _with_vectors(lambda vectors: _flat(vectors, 0, 1)),
    "IDMap": _with_vectors(lambda vectors: _numbered(faiss.IndexIDMap(faiss.IndexFlatIP(DIMENSION)), vectors)),
    "IDMap2": _with_vectors(lambda vectors: _numbered(faiss.IndexIDMap2(faiss.IndexFlatIP(DIMENSION)), vectors)),
} | {f"{name} index": _with_vectors(partial(_filled_anew, make)) for name, make in _kinds().items()}


# NumPy


class _Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self._path,)


def trap_of(index: Path) -> Path:
    """Name what a pickle in an index makes if anybody loads it."""
    return index / "unpickled"


def _pickled(name: str) -> Craft:
    def craft(index: Path) -> None:
        (generation(index) / name).write_bytes(pickle.dumps(_Trap(trap_of(index))))

    return craft


def _objects(name: str) -> Craft:
    def craft(index: Path) -> None:
        values = np.full(10, _Trap(trap_of(index)), object)
        np.save(generation(index) / name, values, allow_pickle=True)

    return craft


def _with_text(name: str, header: str | bytes, version: tuple[int, int] = (1, 0)) -> Craft:
    """Write an array whose header is any text."""
    text = header.encode() if isinstance(header, str) else header
    length = struct.pack("<H" if version == (1, 0) else "<I", len(text))

    def craft(index: Path) -> None:
        path = generation(index) / name
        payload = np.load(path).tobytes()
        path.write_bytes(b"\x93NUMPY" + bytes(version) + length + text + payload)

    return craft


def _with_values(name: str, change: Callable[[Any], Any]) -> Craft:
    def craft(index: Path) -> None:
        path = generation(index) / name
        values = np.load(path)
        np.save(path, change(values.astype(np.int64)).astype(values.dtype))

    return craft


def _arrays() -> Iterator[tuple[str, Craft]]:
    for name, kind in ((POSTS_NAME, "'<i4'"), (SIDES_NAME, "'|u1'")):
        header = "{{'descr': {}, 'fortran_order': {}, 'shape': {}}}\n".format
        texts: dict[str, str | bytes] = {
            "in Fortran's order": header(kind, True, "(10,)"),
            "2^40 long": header(kind, False, "(2**40,)".replace("2**40", str(1 << 40))),
            "2^124 large": header(kind, False, f"({1 << 62}, {1 << 62})"),
            "10^400 long": header(kind, False, f"({10**400},)"),
            "shorter than nothing": header(kind, False, "(-5,)"),
            "of true length": header(kind, False, "(True,)"),
            "of length 5.0": header(kind, False, "(5.0,)"),
            "in two dimensions": header(kind, False, "(1, 10)"),
            "without dimensions": header(kind, False, "()"),
            "of objects": header("'|O'", False, "(10,)"),
            "of records with objects": header("[('a', '|O')]", False, "(10,)"),
            "of arrays of 8 GB": header(f"({kind}, ({(1 << 31) - 1},))", False, "(1,)"),
            "of texts of 400 MB": header("'U99999999'", False, "(10,)"),
            "of large ends": header("'>i4'", False, "(10,)"),
            "of nothing": header("None", False, "(10,)"),
            "of a list in a list": header("[" * 90 + "]" * 90, False, "(10,)"),
            "deep in brackets": "(" * 9000,
            "of minus signs": "-" * 9000 + "1",
            "of a long sum": "1" + "+1" * 4000,
            "of a long path": "a" + ".a" * 4000,
            "of a great power": "9**9**9**9",
            "a call": "__import__('os').mkdir('unpickled')",
            "no text": b"\xff\xfe\0",
        }
        for what, text in texts.items():
            yield f"{name} {what}", _with_text(name, text)
        for version in ((2, 0), (3, 0), (9, 0)):
            yield f"{name} of version {version}", _with_text(name, header(kind, False, "(10,)"), version)
        yield f"{name} a pickle", _pickled(name)
        yield f"{name} with a pickle", _objects(name)
    changes: dict[str, Callable[[Any], Any]] = {
        "backwards": lambda values: values[::-1],
        "below 0": lambda values: values * 0 - 1,
        "a little below 0": lambda values: values - 5,
        "beyond all posts": lambda values: values * 0 + (1 << 30),
        "far apart": lambda values: values * 1000,
        "as low as can be": lambda values: values * 0 - (1 << 31),
        "in disorder": lambda values: np.random.default_rng(1).permutation(values),
        "now below and now above 0": lambda values: np.where(np.arange(len(values)) % 2, values, -values),
        "all the same": lambda values: values * 0,
    }
    for what, change in changes.items():
        yield f"{POSTS_NAME} {what}", _with_values(POSTS_NAME, change)
    for side in (0, 3, 255):
        yield f"{SIDES_NAME} all {side}", _with_values(SIDES_NAME, partial(np.full_like, fill_value=side))


ARRAYS: Mapping[str, Craft] = dict(_arrays())


# SQLite

_COLUMNS = {
    "post": "content title question answer answers",
    "entry": "post_id post source source_id date url tags author score prev_title next_title",
    "tag": "tag entry",
    "passage": "post field start end key",
    "unanswered": "source source_id title",
    "set_aside": "source place reason",
    "page_title": "folded",
    "page_link": "folded title source_id",
    "archive_file": (
        "source place stat content alone reading first_entry entries first_unanswered unanswered first_link links"
    ),
}
_VALUES = {
    "nothing": "NULL",
    "a number": "7",
    "the highest number": "9223372036854775807",
    "the lowest number": "-9223372036854775808",
    "a fraction": "1.5",
    "infinity": "9e999",
    "bytes": "x'ff00fe'",
    "a megabyte": "zeroblob(1000000)",
    "a text": "'abc'",
    "an empty text": "''",
    "a text that is not UTF-8": "CAST(x'fffe41' AS TEXT)",
    "half a surrogate pair": "CAST(x'eda080' AS TEXT)",
    "a text with NUL": "CAST(x'610062' AS TEXT)",
    "a text for terminals": "'a' || char(27) || '[2J' || char(8238) || char(10) || 'b'",
}
_JSON = {
    "no document": "",
    "garbage": "x",
    "null": "null",
    "a number": "5",
    "a text": '"x"',
    "an object": '{"start": 1}',
    "numbers": "[1]",
    "nulls": "[null]",
    "empty objects": "[{}]",
    "half an answer": '[{"start": 1}]',
    "an answer out of bounds": '[{"start": -5, "end": 99999999999999999999}]',
    "an answer of wrong types": '[{"start": "a", "end": [], "id": {"a": 1}, "score": "x", "author": [], "date": 7}]',
    "an answer too many": '[{"start": 1, "end": 2, "nope": 3}]',
    "an open bracket for ever": "[" * 100_000,
    "brackets in brackets": "[" * 100_000 + "]" * 100_000,
    "no number": "[NaN]",
    "an infinite number": "[1e999]",
    "a number of many digits": "[" + "9" * 5000 + "]",
    "half a surrogate pair": '["\\ud800"]',
}


def _opened(index: Path) -> apsw.Connection:
    db = apsw.Connection(str(generation(index) / DATABASE_NAME))
    db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
    db.execute("PRAGMA writable_schema = ON")
    return db


def _sums(index: Path) -> None:
    write_block_sums(generation(index) / DATABASE_NAME)


def _sql(*statements: str) -> Craft:
    """Run statements, also those that make SQLite's own tables wrong."""

    def craft(index: Path) -> None:
        db = _opened(index)
        for statement in statements:
            db.execute(statement)
        db.close()
        _sums(index)

    return craft


def _value(table: str, column: str, value: str) -> Craft:
    """Put a value of any type into a column, whatever its type: while that is hidden from SQLite."""

    def craft(index: Path) -> None:
        db = _opened(index)
        tables: list[Any] = db.execute("SELECT rowid, sql FROM sqlite_schema WHERE type = 'table'").fetchall()
        rename = "UPDATE sqlite_schema SET sql = ? WHERE rowid = ?"
        for row, sql in tables:
            typeless = re.sub(r"(?<!\bid) (TEXT|BLOB|INTEGER)(?! PRIMARY)| NOT NULL| REFERENCES \w+", "", sql)
            db.execute(rename, (typeless, row))
        db.close()
        db = _opened(index)
        db.execute(f'UPDATE OR IGNORE {table} SET "{column}" = {value}')  # noqa: S608 - the tables above
        for row, sql in tables:
            db.execute(rename, (sql, row))
        db.close()
        _sums(index)

    return craft


def _pages(change: Callable[[bytearray, int, str], object]) -> Craft:
    """Change the pages of the database: ``change`` gets all bytes, a page's number from 1, and what kind it is."""

    def craft(index: Path) -> None:
        path = generation(index) / DATABASE_NAME
        with apsw.Connection(str(path)) as db:
            kinds: list[Any] = db.execute("SELECT pageno, pagetype FROM dbstat").fetchall()
        data = bytearray(path.read_bytes())
        for number, kind in kinds:
            change(data, number, kind)
        path.write_bytes(data)
        _sums(index)

    return craft


def _point(kind: str, target: Callable[[int], int]) -> Craft:
    """Let pages of a kind point to another one: inner pages to a last child, overflow pages to what follows them."""

    def change(data: bytearray, number: int, found: str) -> None:
        if found == kind:
            start = (number - 1) * BLOCK_BYTES + (100 if number == 1 else 0)
            struct.pack_into(">I", data, start + (8 if kind == "internal" else 0), target(number))

    return _pages(change)


def _claim(length: bytes) -> Craft:
    """Let the first value of each leaf claim another length."""

    def change(data: bytearray, number: int, kind: str) -> None:
        start = (number - 1) * BLOCK_BYTES
        if kind == "leaf" and number > 1 and data[start + 3 : start + 5] != b"\0\0":
            (cell,) = struct.unpack_from(">H", data, start + 8)
            data[start + cell : start + cell + len(length)] = length

    return _pages(change)


def _rewritten(encoding: str = "UTF-8", page_size: int = BLOCK_BYTES, *statements: str) -> Craft:
    """Write the same rows into a new database with other settings."""

    def craft(index: Path) -> None:
        path = generation(index) / DATABASE_NAME
        with apsw.Connection(str(path)) as db:
            created: list[Any] = db.execute(
                "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC"
            ).fetchall()
            rows = {table: db.execute(f"SELECT * FROM {table}").fetchall() for table in _COLUMNS}  # noqa: S608
        db.close()
        path.unlink()
        db = apsw.Connection(str(path))
        db.execute(f"PRAGMA encoding = '{encoding}'; PRAGMA page_size = {page_size}")
        for (statement,) in created:
            db.execute(statement)
        for table, values in rows.items():
            marks = ",".join("?" * len(values[0]))
            db.executemany(f"INSERT INTO {table} VALUES ({marks})", values)  # noqa: S608 - the tables above
        for statement in statements:
            db.execute(statement)
        db.close()
        _sums(index)

    return craft


def _bytes(name: str, data: bytes) -> Craft:
    """Write a file of any content."""

    def craft(index: Path) -> None:
        (generation(index) / name).write_bytes(data)
        if name == DATABASE_NAME:
            _sums(index)

    return craft


def _schema(change: str) -> Craft:
    return _sql(f"UPDATE sqlite_schema SET {change}")  # noqa: S608 - written below


VALUES: Mapping[str, Craft] = {
    f"{table}.{column} {what}": _value(table, column, value)
    for table, columns in _COLUMNS.items()
    for column in columns.split()
    for what, value in _VALUES.items()
} | {
    f"{table}.{column} JSON: {what}": _value(table, column, f"'{text}'")
    for table, column in (("post", "answers"), ("entry", "tags"), ("archive_file", "reading"))
    for what, text in _JSON.items()
}
_ROWS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r)"
_RECURSIVE = f"{_ROWS} SELECT n folded, n title, n source_id FROM r"  # noqa: S608 - fixed text
_ROOT_OF_POST = "rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'post')"
DATABASES: Mapping[str, Craft] = {
    "passages that begin behind their text": _sql('UPDATE passage SET start = 50000, "end" = 60000'),
    "passages that begin before their text": _sql("UPDATE passage SET start = -5"),
    "passages that end before they begin": _sql('UPDATE passage SET start = "end", "end" = start'),
    "passages as long as can be": _sql('UPDATE passage SET "end" = 9223372036854775807'),
    "passages with the highest numbers": _sql("UPDATE passage SET id = 9223372036854775807 - id"),
    "passages with the lowest numbers": _sql("UPDATE passage SET id = -9223372036854775807 + id"),
    "a passage far from the others": _sql("UPDATE passage SET id = 9223372036854775807 WHERE id = 9"),
    "posts with the lowest numbers": _sql(
        "UPDATE post SET id = -9223372036854775807 + id",
        "UPDATE entry SET post = -9223372036854775807 + post",
        "UPDATE passage SET post = -9223372036854775807 + post",
    ),
    "files whose rows are those of others": _sql("UPDATE archive_file SET first_entry = 0, entries = 3"),
    "files of one name": _sql("UPDATE archive_file SET source = 'source/posts.jsonl'"),
    "half of the posts": _sql("DELETE FROM post WHERE id % 2"),
    "no posts": _sql("DELETE FROM post"),
    "no entries": _sql("DELETE FROM entry"),
    "no passages": _sql("DELETE FROM passage"),
    "passages of other numbers": _sql("UPDATE passage SET id = id + 100000"),
    "passages of the highest numbers": _sql("UPDATE passage SET id = 9223372036854775807 - id"),
    "posts of negative numbers": _sql("UPDATE post SET id = -id", "UPDATE entry SET post = -post"),
    "entries of no post": _sql("UPDATE entry SET post = 999999"),
    "entries all of one post": _sql("UPDATE entry SET post = 3"),
    "a view in a table's place": _sql(
        "DROP TABLE page_link", "CREATE VIEW page_link AS SELECT 1 folded, 2 title, 3 source_id"
    ),
    "a view without end": _sql("DROP TABLE page_link", f"CREATE VIEW page_link AS {_RECURSIVE}"),
    "a view that says that it is a table": _sql(
        "DROP TABLE page_link",
        f"CREATE VIEW page_link AS {_RECURSIVE}",
        "UPDATE sqlite_schema SET type = 'table' WHERE name = 'page_link'",
    ),
    "a table that says that it is a view": _schema("type = 'view' WHERE name = 'page_link'"),
    "a trigger": _sql("CREATE TRIGGER t AFTER INSERT ON post BEGIN SELECT 1; END"),
    "a trigger of a table's name": _sql("CREATE TRIGGER post AFTER INSERT ON entry BEGIN SELECT 1; END"),
    "another table": _sql("CREATE TABLE other (x)"),
    "a table that computes": _sql("CREATE TABLE other (x, y AS (x + 1))"),
    "a virtual table": _sql("CREATE VIRTUAL TABLE other USING fts5 (x)"),
    "an index less": _sql("DROP INDEX entry_date"),
    "tables of other names": _schema("name = 'other', tbl_name = 'other' WHERE name = 'page_link'"),
    "two tables in one tree": _schema(f"{_ROOT_OF_POST} WHERE name = 'entry'"),
    "passages in the tree of posts": _schema(f"{_ROOT_OF_POST} WHERE name = 'passage'"),
    "an index in the tree of posts": _schema(f"{_ROOT_OF_POST} WHERE name = 'entry_of_post'"),
    "a tree at page 1": _schema("rootpage = 1 WHERE name = 'page_link'"),
    "a tree at page 0": _schema("rootpage = 0 WHERE name = 'post'"),
    "a tree at page -1": _schema("rootpage = -1 WHERE name = 'post'"),
    "a tree at page 4000000000": _schema("rootpage = 4000000000 WHERE name = 'post'"),
    "a tree at no page": _schema("rootpage = x'00' WHERE name = 'post'"),
    "a schema of nothing": _schema("sql = NULL WHERE name = 'post'"),
    "a schema of bytes": _schema("sql = CAST(sql AS BLOB) WHERE name = 'post'"),
    "a schema of numbers": _schema("sql = 5 WHERE name = 'page_title'"),
    "a schema without types": _schema("type = NULL WHERE name = 'page_title'"),
    "a schema that repeats itself": _sql("INSERT INTO sqlite_schema SELECT * FROM sqlite_schema WHERE name = 'post'"),
    "inner pages that point to themselves": _point("internal", lambda number: number),
    "inner pages that point to the first": _point("internal", lambda number: 1),
    "inner pages that point far away": _point("internal", lambda number: 0x7FFFFFFF),
    "overflow pages that point to themselves": _point("overflow", lambda number: number),
    "overflow pages that point to the first": _point("overflow", lambda number: 1),
    "overflow pages that point nowhere": _point("overflow", lambda number: 0),
    "overflow pages that point far away": _point("overflow", lambda number: 0x7FFFFFFF),
    "values of 2 GB": _claim(b"\x87\xff\xff\xff\x7f"),
    "values of 2^63 bytes": _claim(b"\xff" * 9),
    "values of 1 MB": _claim(b"\xbd\x84\x40"),
    "UTF-16": _rewritten("UTF-16le"),
    "UTF-16 the other way round": _rewritten("UTF-16be"),
    "UTF-16 with half a surrogate pair": _rewritten(
        "UTF-16le", BLOCK_BYTES, "UPDATE post SET answer = CAST(x'00d84100' AS TEXT)"
    ),
    "pages of 512 bytes": _rewritten("UTF-8", 512),
    "pages of 64 KiB": _rewritten("UTF-8", 65536),
    "a write-ahead log": _rewritten("UTF-8", BLOCK_BYTES, "PRAGMA journal_mode = WAL"),
    "no database at all": _bytes(DATABASE_NAME, b"hello" * 999),
    "an empty file": _bytes(DATABASE_NAME, b""),
    "no block sums": _bytes(BLOCKS_NAME, b""),
    "too few block sums": _bytes(BLOCKS_NAME, bytes(8)),
    "block sums of zeros": _bytes(BLOCKS_NAME, bytes(80_000)),
    "block sums of no whole number": _bytes(BLOCKS_NAME, b"123"),
}


# tantivy


def _segments(change: Callable[[dict[str, Any]], object]) -> Craft:
    """Change what tantivy's index says of its segments."""

    def craft(index: Path) -> None:
        path = generation(index) / LEXICAL_FOLDER / "meta.json"
        described = json.loads(path.read_bytes())
        change(described)
        path.write_text(json.dumps(described), encoding="utf-8")

    return craft


def _of_segment(**changes: Any) -> Craft:
    return _segments(lambda described: described["segments"][0].update(changes))


def _lexical_file(suffix: str, data: bytes) -> Craft:
    def craft(index: Path) -> None:
        for path in (generation(index) / LEXICAL_FOLDER).glob(f"*{suffix}"):
            path.write_bytes(data)

    return craft


def _field(number: int, **changes: Any) -> Craft:
    return _segments(lambda described: described["schema"][number].update(changes))


_NUMBER = {"indexed": True, "fieldnorms": False, "fast": True, "stored": False}
LEXICAL: Mapping[str, Craft] = {
    "one document less": _of_segment(max_doc=1),
    "no documents": _of_segment(max_doc=0),
    "two documents more": _segments(lambda described: described["segments"][0].update(max_doc=45)),
    "2^32 - 1 documents": _of_segment(max_doc=(1 << 32) - 1),
    "2^64 documents": _of_segment(max_doc=1 << 64),
    "-1 documents": _of_segment(max_doc=-1),
    "deletions that are not there": _of_segment(deletes={"num_deleted_docs": 5, "opstamp": 7}),
    "more deletions than documents": _of_segment(deletes={"num_deleted_docs": 4_000_000_000, "opstamp": 7}),
    "a segment that is not there": _of_segment(segment_id="00000000-0000-0000-0000-000000000000"),
    "a segment of a path": _of_segment(segment_id="../../../../etc/passwd"),
    "no segments": _segments(lambda described: described.update(segments=[])),
    "the same segment 200 times": _segments(lambda described: described.update(segments=described["segments"] * 200)),
    "no fields": _segments(lambda described: described.update(schema=[])),
    "two fields of a name": _segments(lambda described: described.update(schema=described["schema"] * 2)),
    "fields of other names": _field(0, name="other"),
    "numbers that are not fast": _field(1, options={**_NUMBER, "fast": False}),
    "numbers that are texts": _field(1, type="text", options={"stored": False}),
    "numbers that are bytes": _field(1, type="bytes", options={**_NUMBER, "fieldnorms": True}),
    "numbers that are dates": _field(1, type="date", options=_NUMBER),
    "another analyzer": _field(0, options={"indexing": {"record": "position", "fieldnorms": True, "tokenizer": "x"}}),
    "another compression": _segments(lambda described: described["index_settings"].update(docstore_compression="zstd")),
    "blocks of no size": _segments(lambda described: described["index_settings"].update(docstore_blocksize=0)),
    "an opstamp of 2^64 - 1": _segments(lambda described: described.update(opstamp=(1 << 64) - 1)),
    "a description of other things": _lexical_file("meta.json", b"[1, 2]"),
    "a description deep in brackets": _lexical_file("meta.json", b"[" * 100_000),
    "managed files that climb out": _lexical_file(".managed.json", b'["../../../../../../etc/passwd"]'),
    "managed files that are none": _lexical_file(".managed.json", b'{"a": 1}'),
} | {
    f"{what} {suffix} files": _lexical_file(suffix, data)
    for suffix in (".term", ".idx", ".pos", ".fast", ".fieldnorm", ".store")
    for what, data in {"empty": b"", "zeros for": bytes(5000), "ones for": b"\xff" * 5000}.items()
}


# The encoder


def _settings(**changes: Any) -> Craft:
    """Change what the encoder's settings say."""

    def craft(index: Path) -> None:
        path = index / ENCODERS / _ENCODER / SETTINGS_FILE
        path.write_text(json.dumps(json.loads(path.read_bytes()) | changes), encoding="utf-8")

    return craft


def _encoder_file(name: str, data: bytes) -> Craft:
    return lambda index: (index / ENCODERS / _ENCODER / name).write_bytes(data)


def _tokenizer(change: Callable[[dict[str, Any]], object]) -> Craft:
    """Change the tokenizer's description."""

    def craft(index: Path) -> None:
        path = index / ENCODERS / _ENCODER / TOKENIZER_FILE
        described = json.loads(path.read_bytes())
        change(described)
        path.write_text(json.dumps(described), encoding="utf-8")

    return craft


def _model(make: Callable[[Any], onnx.ModelProto]) -> Craft:
    """Put another model in the place of the encoder's; it gets the encoder's vectors."""

    def craft(index: Path) -> None:
        path = index / ENCODERS / _ENCODER / MODEL_FILE
        weights = onnx.numpy_helper.to_array(onnx.load(path).graph.initializer[0])
        onnx.save(make(weights), path)

    return craft


def _computed(*nodes: tuple[str, list[str], list[str], dict[str, Any]], **constants: Any) -> Craft:
    """Let the model compute something else."""
    made = [onnx.helper.make_node(kind, taken, given, **options) for kind, taken, given, options in nodes]
    named = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    return _model(lambda weights: graph(weights, nodes=made, initializers=named))


def _outside(weights: Any) -> onnx.ModelProto:
    """A model whose vectors are said to be in a file outside of the index."""
    model = graph(weights)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../../../../../../etc/passwd")
    return model


_GATHER: tuple[str, list[str], list[str], dict[str, Any]] = ("Gather", ["weights", "input_ids"], ["vectors"], {})
_MEAN = {"axes": [1], "keepdims": 0}
_UNKNOWN = {"type": "WordLevel", "vocab": {"knee": 0}, "unk_token": "[UNK]"}
SETTINGS: Mapping[str, Craft] = {
    f"{name} is {json.dumps(value)[:40]}": _settings(**{name: value})
    for name in ("model", "dimension", "passage_limit", "query_limit", "passage_prompt", "query_prompt")
    for value in (None, True, 0, -1, 1, 1.5, 10**9, 10**30, 10**400, "", "x" * 9000, "\ud800", [], [1], {}, {"name": 1})
} | {
    "settings that are no object": _encoder_file(SETTINGS_FILE, b"[]"),
    "settings of nothing": _encoder_file(SETTINGS_FILE, b""),
    "settings deep in brackets": _encoder_file(SETTINGS_FILE, b"[" * 100_000),
    "settings of bytes": _encoder_file(SETTINGS_FILE, b"\xff\0"),
    "a number of many digits": _encoder_file(SETTINGS_FILE, b"1" * 100_000),
}
TOKENIZERS: Mapping[str, Craft] = {
    "no text": _encoder_file(TOKENIZER_FILE, b"\xff\0\xfe"),
    "nothing": _encoder_file(TOKENIZER_FILE, b""),
    "no object": _encoder_file(TOKENIZER_FILE, b"[]"),
    "deep in brackets": _encoder_file(TOKENIZER_FILE, b"[" * 100_000),
    "deep in sequences": _encoder_file(
        TOKENIZER_FILE,
        b'{"normalizer":' + b'{"type":"Sequence","normalizers":[' * 5000 + b"]}" * 5000 + b"}",
    ),
    "no model": _tokenizer(lambda described: described.pop("model")),
    "a model that there is not": _tokenizer(lambda described: described.update(model={"type": "Magic"})),
    "no words": _tokenizer(lambda described: described["model"].update(vocab={})),
    "a word for what is not known that is not known": _tokenizer(lambda described: described.update(model=_UNKNOWN)),
    "words of numbers beyond the vectors": _tokenizer(
        lambda described: described["model"].update(vocab=dict.fromkeys(described["model"]["vocab"], 4000000000))
    ),
    "words of numbers below 0": _tokenizer(
        lambda described: described["model"].update(vocab=dict.fromkeys(described["model"]["vocab"], -1))
    ),
    "padding to 2^40": _tokenizer(
        lambda described: described.update(
            padding={
                "strategy": {"Fixed": 1 << 40}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                "pad_type_id": 0, "pad_token": "x",
            }
        )
    ),
    "cuts to nothing": _tokenizer(
        lambda described: described.update(
            truncation={"direction": "Right", "max_length": 0, "strategy": "LongestFirst", "stride": 5}
        )
    ),
    "words that are made of patterns without end": _tokenizer(
        lambda described: described.update(
            pre_tokenizer={
                "type": "Split", "pattern": {"Regex": "(a|a|[a-z ]+)*$^"}, "behavior": "Isolated", "invert": False,
            }
        )
    ),
    "a pattern that is none": _tokenizer(
        lambda described: described.update(
            pre_tokenizer={"type": "Split", "pattern": {"Regex": "(["}, "behavior": "Isolated", "invert": False}
        )
    ),
    "texts that grow": _tokenizer(
        lambda described: described.update(
            normalizer={
                "type": "Sequence",
                "normalizers": [{"type": "Replace", "pattern": {"String": "e"}, "content": "e" * 20}] * 3,
            }
        )
    ),
    "a template of tokens that there are not": _tokenizer(
        lambda described: described.update(
            post_processor={
                "type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[X]", "type_id": 0}}],
                "pair": [], "special_tokens": {},
            }
        )
    ),
    "no token at all for any text": _tokenizer(
        lambda described: described.update(normalizer={"type": "Replace", "pattern": {"Regex": "."}, "content": ""})
    ),
}  # fmt: skip
MODELS: Mapping[str, Craft] = {
    "no model": _encoder_file(MODEL_FILE, b"hello" * 100),
    "an empty model": _encoder_file(MODEL_FILE, b""),
    "another input": _model(lambda weights: graph(weights, given="other")),
    "twice the dimension": _model(lambda weights: graph(np.hstack([weights, weights]))),
    "one dimension": _model(lambda weights: graph(weights[:, :1].copy())),
    "no numbers": _model(lambda weights: graph(weights * np.float32(np.nan))),
    "infinite numbers": _model(lambda weights: graph(weights * np.float32(np.inf))),
    "few words": _model(lambda weights: graph(weights[:3].copy())),
    "vectors in a file elsewhere": _model(_outside),
    "one vector for each word": _computed(("Gather", ["weights", "input_ids"], ["embedding"], {})),
    "a single number": _computed(_GATHER, ("ReduceMean", ["vectors"], ["embedding"], {"keepdims": 0})),
    "no output of that name": _computed(_GATHER, ("ReduceMean", ["vectors"], ["other"], _MEAN)),
    "whole numbers": _computed(
        _GATHER, ("ReduceMean", ["vectors"], ["mean"], _MEAN), ("Cast", ["mean"], ["embedding"], {"to": 7})
    ),
    "texts": _computed(
        _GATHER, ("ReduceMean", ["vectors"], ["mean"], _MEAN), ("Cast", ["mean"], ["embedding"], {"to": 8})
    ),
    "an operation that there is not": _computed(("Magic", ["input_ids"], ["embedding"], {})),
    "a circle": _computed(("Add", ["weights", "a"], ["b"], {}), ("Add", ["b", "b"], ["a"], {}), _GATHER),
    "shapes that do not fit": _computed(
        _GATHER,
        ("Reshape", ["vectors", "shape"], ["embedding"], {}),
        shape=np.asarray([7, 1, 13], np.int64),
    ),
    "2^50 numbers": _computed(
        ("ConstantOfShape", ["shape"], ["embedding"], {}), shape=np.asarray([1 << 30, 1 << 20], np.int64)
    ),
}


# The manifest

_NODE_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 10**30, 10**400, 1.5, -1e-320, float("inf"), "", "x", "../../x", "/etc/passwd", "a\nb", "\ud800",
    [], [1], [1, 2, 3], {}, {"a": 1}, {"best": 0.0}, {"nope": 1.0},
)  # fmt: skip


def write_manifest(index: Path, text: str | bytes) -> None:
    """Write the manifest, with hashes that fit."""
    data = text.encode() if isinstance(text, str) else text
    sha256 = hashlib.sha256(data).hexdigest()
    folder = generation(index)
    (folder / MANIFEST).write_bytes(data)
    (folder / MANIFEST_HASH).write_text(f"{sha256}\n", encoding="utf-8")
    (index / POINTER).write_text(f"{folder.name} {sha256}\n", encoding="utf-8")


def read_manifest(index: Path) -> Any:
    """Read the manifest as it is."""
    return json.loads((generation(index) / MANIFEST).read_bytes())


def places(document: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield where each value of a document is: the names and numbers that lead to it."""
    yield place
    if isinstance(document, dict | list):
        for name, value in document.items() if isinstance(document, dict) else enumerate(document):
            yield from places(value, (*place, name))


def replaced(document: Any, place: tuple[str | int, ...], value: Any) -> Any:
    """Put another value into a copy of a document."""
    if not place:
        return value
    changed = copy.deepcopy(document)
    holder = changed
    for name in place[:-1]:
        holder = holder[name]
    holder[place[-1]] = value
    return changed


def manifests(index: Path) -> dict[str, Craft]:
    """Return manifests of which one part is wrong, or all."""
    honest = read_manifest(index)

    def replace(place: tuple[str | int, ...], value: Any) -> Craft:
        return lambda index: write_manifest(index, json.dumps(replaced(read_manifest(index), place, value)))

    def remove(place: tuple[str | int, ...]) -> Craft:
        def craft(index: Path) -> None:
            changed = read_manifest(index)
            holder = changed
            for name in place[:-1]:
                holder = holder[name]
            del holder[place[-1]]
            write_manifest(index, json.dumps(changed))

        return craft

    crafts: dict[str, Craft] = {}
    for place in places(honest):
        where = ".".join(map(str, place)) or "all"
        crafts |= {f"{where} is {json.dumps(value)[:40]}": replace(place, value) for value in _NODE_VALUES}
        if place:
            crafts[f"no {where}"] = remove(place)
    return crafts | {
        "deep in brackets": lambda index: write_manifest(index, "[" * 100_000),
        "deep in objects": lambda index: write_manifest(index, '{"a":' * 100_000),
        "a number of many digits": lambda index: write_manifest(index, "9" * 100_000),
        "bytes": lambda index: write_manifest(index, b"\xff\xfe\0"),
        "UTF-16": lambda index: write_manifest(index, json.dumps(read_manifest(index)).encode("utf-16")),
    }
