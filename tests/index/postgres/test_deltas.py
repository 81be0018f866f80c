"""What changed is loaded and nothing else: what is sent, that it is the same as a fresh load, and who notices."""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from devtools.postgres_servers import Server
from qa_search import SearchIndex, build_index
from qa_search.index.postgres import load
from qa_search.index.postgres.index import StoredGeneration
from qa_search.index.postgres.load import PostgresWriter
from qa_search.index.postgres.readers import PostgresVectors
from qa_search.index.postgres.schema import HOME
from tests.helpers import ROOT, page, write_jsonl
from tests.index.postgres.conftest import QuickWords
from tests.index.postgres.test_postgres import open_index, schemas

NewDatabase = Callable[[Server], str]
_WORDS = [f"word{number}" for number in range(300)]
_PLACES = ["knee", "heel", "hip", "toe", "neck"]


def record(number: int, answer: str = "") -> dict[str, object]:
    """Make a post by its number."""
    chance = random.Random(number)  # noqa: S311 - a sample, not a secret
    place = chance.choice(_PLACES)
    return {
        "id": f"q{number}", "title": f"{place} {number}", "question": f"My {place} hurts. {_some(chance)}.",
        "answer": answer or f"{_some(chance)}. {_some(chance)}.", "tags": [place, f"t{number % 4}"],
        "date": f"{2001 + number % 9}-02-03", "score": number, "author": f"a{number % 5}\u2028\x7f\\\"\t",
    }  # fmt: skip


def _some(chance: random.Random) -> str:
    return " ".join(chance.choices(_WORDS, k=chance.randrange(4, 20)))


def write(archive: Path, name: str, numbers: range, **changed: object) -> None:
    """Write a file of posts."""
    write_jsonl(archive / f"{name}.jsonl", [{**record(number), **changed} for number in numbers])


def build(home: Path, url: str, **options: Any) -> None:
    """Build an index of the archive in a folder, and load it into a database."""
    build_index(home / "archive", home / "index", model=QuickWords(), store=url, **options)


@pytest.fixture
def url(server: Server, new_database: NewDatabase) -> str:
    """An empty database."""
    return new_database(server)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with an archive of 200 posts in two files."""
    (tmp_path / "archive").mkdir()
    write(tmp_path / "archive", "m1", range(100))
    write(tmp_path / "archive", "m2", range(100, 200))
    return tmp_path


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Count the rows that are sent to each table, and all bytes that are sent for them."""
    sent: Counter[str] = Counter()
    whole = psycopg.Cursor.copy
    writes = psycopg.copy.LibpqWriter.write

    @contextmanager
    def copy(cursor: Any, statement: Any, *values: Any, **options: Any) -> Iterator[Any]:
        found = re.search(r'"\."(\w+)"', statement.as_string())
        assert found is not None
        with whole(cursor, statement, *values, **options) as opened:
            write_row = opened.write_row

            def count(row: Any) -> None:
                sent[found[1]] += 1
                write_row(row)

            monkeypatch.setattr(opened, "write_row", count)
            yield opened

    def send(writer: Any, data: Any) -> None:
        sent["bytes"] += len(data)
        writes(writer, data)

    with monkeypatch.context() as patched:
        patched.setattr(psycopg.Cursor, "copy", copy)
        patched.setattr(psycopg.copy.LibpqWriter, "write", send)
        yield sent


def rows(url: str, shards: int = 0) -> dict[str, list[Any]]:
    """Return all that the generation that answers has: words by themselves, vectors by their passages."""
    with psycopg.connect(url) as connection:

        def listed(query: str) -> list[Any]:
            return sorted(map(repr, connection.execute(query.encode())))

        row = connection.execute(
            f"SELECT tables, manifest, tokens FROM {HOME}.generation g JOIN {HOME}.current c ON c.number = g.number"  # noqa: S608
        ).fetchone()
        assert row is not None
        own, manifest, tokens = row
        vectors = json.loads(manifest)["files"]["tables"]["vectors"]
        found = {
            name: listed(f"SELECT * FROM {own}.{name}")  # noqa: S608
            for name in ("post", "entry", "passage", "unanswered", "set_aside", "page_title", "page_link")
        }
        found["term"] = listed(f"SELECT term, holders FROM {own}.term")  # noqa: S608
        found["posting"] = listed(
            f"SELECT t.term, p.post, p.tf, p.length FROM {own}.posting p JOIN {own}.term t ON t.id = p.term"  # noqa: S608
        )
        bytes_of = "SELECT p.id, encode(halfvec_send(v.embedding), 'hex')"
        found["vector"] = listed(
            f"SELECT id, encode(bytes, 'hex') FROM {own}.vector_bytes"  # noqa: S608
            if shards
            else f"{bytes_of} FROM {own}.passage p JOIN {vectors}.vector v ON v.key = p.key"
        )
        found["tokens"] = [tokens]
        return found


def vectors_of(url: str) -> str:
    """Return the schema of the vectors of the generation that answers."""
    with open_index(url) as opened:
        generation = opened.generation
        assert isinstance(generation, StoredGeneration)
        return generation.manifest.files.tables.vectors


def answers(opened: SearchIndex) -> list[Any]:
    """Return what an index answers: exactly, by the graph of vectors, and with a filter."""
    found: list[Any] = []
    for place in _PLACES:
        for tags in ([], [place]):
            hits = opened.search(f"my {place} hurts, word3 word17", 20, tags=tags).hits
            found.append([(hit.post_id, round(hit.score, 5), hit.question, hit.answer) for hit in hits])
    generation = opened.generation
    assert isinstance(generation, StoredGeneration)
    store = PostgresVectors(
        generation.connections, 64, generation.manifest.counts.passages, sharded=generation.sharded,
        vectors=generation.manifest.files.tables.vectors, exact_passages=0,
    )  # fmt: skip
    scores, _ = store.search(QuickWords().embed_queries([f"{place} word5" for place in _PLACES]), 10)
    return [*found, scores.round(4).tolist()]


def added_behind(archive: Path) -> None:
    write(archive, "z", range(900, 905))


def added_in_front(archive: Path) -> None:
    write(archive, "a", range(900, 905))


def one_changed(archive: Path) -> None:
    write_jsonl(archive / "m1.jsonl", [record(n, "Rest for a word." if n == 7 else "") for n in range(100)])


def one_scored(archive: Path) -> None:
    write_jsonl(archive / "m1.jsonl", [{**record(n), "score": 7000 if n == 7 else n} for n in range(100)])


def five_removed(archive: Path) -> None:
    write(archive, "m1", range(5, 100))


@pytest.mark.parametrize(
    ("change", "posts", "entries"),
    [(added_behind, 5, 5), (added_in_front, 5, 5), (one_changed, 1, 1), (one_scored, 0, 1), (five_removed, 0, 0)],
)
def test_only_changed_rows_are_sent(
    url: str, home: Path, server: Server, new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None], posts: int, entries: int,
) -> None:  # fmt: skip
    """By number and by bytes, wherever in the archive they are, though all others may get other numbers."""
    with counted(monkeypatch) as first:
        build(home, url)
    change(home / "archive")
    with counted(monkeypatch) as sent:
        build(home, url)
    assert (first["post"], first["entry"]) == (200, 200)
    assert (sent["post"], sent["entry"]) == (posts, entries)
    assert sent["passage"] <= 5 * posts
    assert sent["vector"] <= sent["passage"]
    assert sent["posting"] <= 100 * posts
    assert sent["term"] <= 100 * max(posts, 5)
    assert sent["bytes"] < first["bytes"] / 10
    fresh = new_database(server)
    build(home, fresh)
    assert rows(url) == rows(fresh)


def test_a_build_that_changes_nothing_sends_nothing(url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a new generation of tables."""
    build(home, url)
    with counted(monkeypatch) as sent:
        build(home, url)
    assert not sent
    assert len(schemas(url)) == 1


def step(archive: Path, chance: random.Random, number: int) -> None:
    """Change an archive at random."""
    files = sorted(archive.rglob("*.jsonl"))
    chosen = chance.choice(files)
    kind = chance.choice(["add", "add", "change", "remove", "copies", "pages", "open", "broken", "move", "tags"])
    lines = [json.loads(line) for line in chosen.read_text(encoding="utf-8").splitlines()]
    start = 1000 * (number + 1)
    if kind == "add":
        write(archive, f"{chance.choice('akz')}{number}", range(start, start + chance.randrange(1, 9)))
    elif kind == "remove" and len(files) > 2:
        chosen.unlink()
    elif kind == "copies":
        write_jsonl(archive / f"k{number}.jsonl", [*lines[:3], {**lines[0], "id": "copy", "tags": ["copied"]}])
    elif kind == "pages":
        (archive / "pages").mkdir(exist_ok=True)
        for at in range(number % 3, 3):
            links = f"- Prev:Page {at - 1}\n- Next:Page {at + 1}\n"
            text = page(f"Page {at}", f"Question {at} of {number}.", f"Answer {at} word3.", links=links)
            (archive / "pages" / f"p{at}.txt").write_text(text, encoding="utf-8")
    elif kind == "open":
        write_jsonl(archive / f"o{number}.jsonl", [{"id": f"o{number}", "title": "Who?", "question": "Who knows?"}])
    elif kind == "broken":
        write_jsonl(archive / f"b{number}.jsonl", [record(start), {"answer": number}])
    elif kind == "move":
        chosen.rename(archive / f"{chance.choice('akz')}{number}.jsonl")
    else:
        for line in chance.sample(lines, min(2, len(lines))):
            line["answer" if kind == "change" else "tags"] = (
                f"Word{number} now." if kind == "change" else [f"n{number}"]
            )
        write_jsonl(chosen, lines)


def run_steps(home: Path, seed: int, new: Callable[[], tuple[str, list[str]]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Build again and again, and compare each time with a fresh load."""
    chance = random.Random(seed)  # noqa: S311 - a sample, not a secret
    place, shards = new()
    build(home, place, shards=shards)
    for number in range(5):
        for _ in range(chance.randrange(1, 4)):
            step(home / "archive", chance, 10 * number + _)
        with counted(monkeypatch) as sent:
            build(home, place, allow_shrink=True)
        fresh, others = new()
        with counted(monkeypatch) as whole:
            build(home, fresh, shards=others)
        assert rows(place, len(shards)) == rows(fresh, len(shards))
        assert sent["post"] < whole["post"]
        with open_index(place) as opened, open_index(fresh) as expected:
            assert answers(opened) == answers(expected)


@pytest.mark.parametrize("seed", range(3))
def test_any_builds_give_what_a_fresh_load_gives(
    server: Server, home: Path, new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Every row, vector and word, and every answer; with a graph that grows, and one that is made anew."""
    if seed % 2:
        monkeypatch.setattr(load, "_MOST_ADDED", 10)
        monkeypatch.setattr(load, "_MOST_UNUSED", 10)
    run_steps(home, seed, lambda: (new_database(server), []), monkeypatch)


def test_any_builds_give_what_a_fresh_load_gives_on_shards(
    cluster: list[Server], home: Path, new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Posts that get another number may belong to another shard; what stays is not sent."""

    def new() -> tuple[str, list[str]]:
        url, *shards = map(new_database, cluster)
        return url, shards

    monkeypatch.setattr(load, "_MOST_ADDED", 10)
    run_steps(home, 11, new, monkeypatch)


def test_shards_are_sent_what_changed(
    cluster: list[Server], home: Path, new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Posts that come last leave the numbers of the others, and so their shards."""
    url, *shards = map(new_database, cluster)
    build(home, url, shards=shards)
    added_behind(home / "archive")
    with counted(monkeypatch) as sent:
        build(home, url)
    assert (sent["post"], sent["entry"]) == (5, 5)
    assert 0 < sent["vector"] <= sent["passage"] <= 25


@pytest.mark.parametrize("sharded", [False, True])
def test_whoever_reads_the_previous_generation_gets_the_same_answers(
    request: pytest.FixtureRequest, server: Server, home: Path, new_database: NewDatabase,
    monkeypatch: pytest.MonkeyPatch, sharded: bool,
) -> None:  # fmt: skip
    """While the next one is loaded into the same graph, after it answers, and after the one after that."""
    servers = request.getfixturevalue("cluster") if sharded else [server]
    url, *shards = map(new_database, servers)
    # On shards posts that get another number move: always into the same graph here.
    monkeypatch.setattr(load, "_MOST_ADDED", 10)
    monkeypatch.setattr(load, "_MOST_UNUSED", 10)
    build(home, url, shards=shards)
    vectors = vectors_of(url)
    with open_index(url) as opened:
        expected = answers(opened)
        publish = PostgresWriter._publish
        seen: list[Any] = []

        def look(writer: PostgresWriter, *values: Any) -> None:
            seen.append(answers(opened))
            publish(writer, *values)

        monkeypatch.setattr(PostgresWriter, "_publish", look)
        for change in (added_in_front, one_changed, added_behind):
            change(home / "archive")
            build(home, url)
            assert answers(opened) == expected
        assert seen == [expected] * 3
        assert vectors_of(url) == vectors
        assert opened.refresh()
        assert answers(opened) != expected


@pytest.mark.process
@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("step", ["KeptRows.copy", "copy_vectors", "_make_indices", "PostgresWriter._publish"])
def test_a_load_of_changes_that_is_killed_leaves_what_answered(
    request: pytest.FixtureRequest, server: Server, home: Path, new_database: NewDatabase, sharded: bool, step: str
) -> None:
    """Behind the step named: its vectors may be in the shared graph. Nobody sees them, and the next build is whole."""
    servers = request.getfixturevalue("cluster") if sharded else [server]
    url, *shards = map(new_database, servers)
    build(home, url, shards=shards)
    before = rows(url, len(shards))
    with open_index(url) as opened:
        expected = answers(opened)
    added_in_front(home / "archive")
    program = f"""
import os, signal
from pathlib import Path
from qa_search.index.postgres import load
from tests.index.postgres.test_deltas import build
*owner, name = {step!r}.split(".")
owner = getattr(load, owner[0]) if owner else load
whole = getattr(owner, name)
def kill(*values):
    whole(*values)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, name, kill)
build(Path({str(home)!r}), {url!r})
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, timeout=600)
    assert done.returncode == -signal.SIGKILL
    assert rows(url, len(shards)) == before
    with open_index(url) as opened:
        assert answers(opened) == expected
    build(home, url)
    fresh, *others = map(new_database, servers)
    build(home, fresh, shards=others)
    assert rows(url, len(shards)) == rows(fresh, len(shards))
    assert len(schemas(url)) == 2


def rewrite(url: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest of the generation that answers, and its hash."""
    with psycopg.connect(url) as connection:
        for number, text in connection.execute(f"SELECT number, manifest FROM {HOME}.generation").fetchall():  # noqa: S608
            manifest = json.loads(text)
            change(manifest)
            new = json.dumps(manifest)
            connection.execute(
                f"UPDATE {HOME}.generation SET manifest = %s, sha256 = %s WHERE number = %s",  # noqa: S608
                [new, hashlib.sha256(new.encode()).hexdigest(), number],
            )


def older_format(url: str) -> None:
    """Lay a database out as format 2 does: the vectors among the passages."""
    (own,), vectors = schemas(url), vectors_of(url)
    with psycopg.connect(url) as connection:
        connection.execute(f"ALTER TABLE {own}.passage ADD embedding halfvec(64)")
        connection.execute(
            f"UPDATE {own}.passage p SET embedding = v.embedding FROM {vectors}.vector v WHERE v.key = p.key"  # noqa: S608
        )
        connection.execute(f"CREATE INDEX ON {own}.passage USING hnsw (embedding halfvec_ip_ops)")
        connection.execute(f"DROP SCHEMA {vectors} CASCADE; UPDATE {HOME}.store SET format = 2")  # noqa: S608
    rewrite(url, lambda manifest: manifest["files"]["tables"].pop("vectors"))


def older_program(url: str) -> None:
    rewrite(url, lambda manifest: manifest.update(built_by="qa-search 0.0.1"))


def other_rules(url: str) -> None:
    rewrite(url, lambda manifest: manifest["lexical"].update(rules=manifest["lexical"]["rules"] + 1))


def other_model(url: str) -> None:
    rewrite(url, lambda manifest: manifest.update(vectors="other"))


def reset(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(f"DROP SCHEMA {HOME} CASCADE")


def lost_words(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(f"DELETE FROM {schemas(url)[0]}.posting WHERE post = 3")  # noqa: S608


def lost_vectors(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(f"DELETE FROM {vectors_of(url)}.vector WHERE ctid = '(0,1)'")  # noqa: S608


def trigger_on_vectors(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$")
        connection.execute(
            f"CREATE TRIGGER t BEFORE INSERT ON {vectors_of(url)}.vector FOR EACH ROW EXECUTE FUNCTION public.f()"
        )


def row_security(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(f"ALTER TABLE {schemas(url)[0]}.entry ENABLE ROW LEVEL SECURITY")


@pytest.mark.parametrize(
    "change",
    [older_format, older_program, other_rules, other_model, reset, lost_words, lost_vectors, trigger_on_vectors,
     row_security],
)  # fmt: skip
def test_a_database_that_is_not_the_previous_builds_is_loaded_whole(
    url: str, server: Server, home: Path, new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch,
    change: Callable[[str], None],
) -> None:  # fmt: skip
    """Of another format, program, model or rules, reset, damaged, or with more in it than an index has."""
    build(home, url)
    change(url)
    added_behind(home / "archive")
    with counted(monkeypatch) as sent:
        build(home, url)
    assert sent["post"] == 205
    fresh = new_database(server)
    build(home, fresh)
    assert rows(url) == rows(fresh)
    with open_index(url) as opened, open_index(fresh) as expected:
        assert answers(opened) == answers(expected)


def test_a_database_of_the_format_before_is_read(url: str, home: Path) -> None:
    """With the same answers, and without a build."""
    build(home, url)
    with open_index(url) as opened:
        expected = answers(opened)
    older_format(url)
    with open_index(url) as opened:
        assert answers(opened) == expected


def test_a_damaged_text_is_sent_again(
    url: str, home: Path, server: Server, new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not what the archive says: what the database has is compared with that, not trusted."""
    build(home, url)
    with psycopg.connect(url) as connection:
        connection.execute(f"UPDATE {schemas(url)[0]}.post SET answer = 'Nothing.' WHERE id = 3")  # noqa: S608
    added_behind(home / "archive")
    with counted(monkeypatch) as sent:
        build(home, url)
    assert sent["post"] == 6
    fresh = new_database(server)
    build(home, fresh)
    assert rows(url) == rows(fresh)


def test_another_builder_of_the_same_database_sends_what_it_has(
    url: str, home: Path, server: Server, new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another folder, another archive that has some posts in common: these are known by what they say."""
    build(home, url)
    other = home / "other"
    (other / "archive").mkdir(parents=True)
    write(other / "archive", "theirs", range(150, 260))
    with counted(monkeypatch) as sent:
        build(other, url)
    assert sent["post"] == 60
    fresh = new_database(server)
    build(other, fresh)
    assert rows(url) == rows(fresh)


def test_unused_vectors_are_bounded(url: str, home: Path) -> None:
    """When they are too many, the others get a table of their own, and the old one goes with its generations."""
    build(home, url)
    first = vectors_of(url)
    write(home / "archive", "m2", range(100, 120))
    build(home, url, allow_shrink=True)
    second = vectors_of(url)
    assert second != first
    added_behind(home / "archive")
    build(home, url)
    assert vectors_of(url) == second
    with psycopg.connect(url) as connection:
        query = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'qa\\_search\\_vectors%'"
        assert connection.execute(query).fetchall() == [(second,)]


def test_a_folder_that_is_made_again_finds_its_posts(url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is compared with what is built, not with the folder's earlier generations."""
    build(home, url)
    shutil.rmtree(home / "index")
    added_in_front(home / "archive")
    with counted(monkeypatch) as sent:
        build(home, url)
    assert sent["post"] == 5
