"""Two shards behind a coordinator, by stock means: what is asked of them, and what happens when one is gone."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from devtools.postgres_servers import Server
from qa_search import SearchIndex, build_index
from qa_search.errors import StoreError
from qa_search.index.postgres import load
from qa_search.index.postgres.connections import Address
from qa_search.index.postgres.index import StoredGeneration
from qa_search.index.postgres.readers import PostgresVectors
from qa_search.index.postgres.shards import server_name
from qa_search.search.query import SearchParameters
from tests.helpers import ROOT, write_jsonl
from tests.index.postgres.conftest import QuickWords
from tests.index.postgres.test_postgres import build, open_index, run, schemas

Urls = list[str]


@pytest.fixture
def urls(cluster: list[Server], new_database: Callable[[Server], str]) -> Urls:
    """Empty databases: the coordinator's and two shards'."""
    return [new_database(server) for server in cluster]


@pytest.fixture(scope="module")
def many(
    cluster: list[Server], new_database: Callable[[Server], str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """An index of enough vectors for plans to matter: the coordinator's address, and the folder."""
    chance = random.Random(3)  # noqa: S311 - a sample, not a secret
    words = [f"word{number}" for number in range(500)]
    home = tmp_path_factory.mktemp("many")
    write_jsonl(
        home / "posts.jsonl",
        [{"question": " ".join(chance.choices(words, k=6)), "answer": " ".join(chance.choices(words, k=9)),
          "tags": [f"t{number % 3}"]} for number in range(1500)],
    )  # fmt: skip
    url, *shards = map(new_database, cluster)
    build_index(home / "posts.jsonl", home / "index", model=QuickWords(), store=url, shards=shards)
    return url, home / "index"


def plan(opened: SearchIndex, statement: str, values: list[object]) -> str:
    generation = opened.generation
    assert isinstance(generation, StoredGeneration)
    return "\n".join(line for (line,) in generation.connections.rows(f"EXPLAIN (VERBOSE) {statement}", values))


@pytest.mark.parametrize("filtered", [False, True])
def test_each_shard_searches_its_vectors_itself(many: tuple[str, Path], filtered: bool) -> None:
    """The plan merges what the shards have ordered: nothing is sorted here, and no whole shard is fetched."""
    with open_index(many[0]) as opened:
        store = opened.retriever.vectors
        assert isinstance(store, PostgresVectors)
        allowed = None
        if filtered:
            posts = opened.retriever.posts
            allowed = opened.retriever.owners.allowed_passages(
                posts.allowed_posts(SearchParameters(tags=["t1"]).filters())
            )
        query = QuickWords().embed_queries(["word1 word2"])[0]
        statement, values = store.statement(query, 100, allowed, exact=False)
        found = plan(opened, statement, values)
    assert "Merge Append" in found
    assert "Sort  (" not in found
    remote = re.findall(r"Remote SQL: (.*)", found)
    assert len(remote) == 2
    assert all("ORDER BY (embedding OPERATOR(public.<#>)" in asked for asked in remote)
    assert not filtered or all("WHERE ((post = ANY" in asked for asked in remote)


def test_a_shard_answers_by_its_index_of_vectors(many: tuple[str, Path]) -> None:
    """What it is asked, with the options it is asked with, is a scan of HNSW."""
    nearest = f"{schemas(many[0])[0]}.nearest_0"
    with psycopg.connect(many[0]) as connection:
        options = connection.execute(
            "SELECT srvoptions FROM pg_foreign_server JOIN pg_foreign_table ON ftserver = pg_foreign_server.oid "
            "WHERE ftrelid = %s::regclass",
            [nearest],
        ).fetchone()
        remote = connection.execute(
            "SELECT ftoptions FROM pg_foreign_table WHERE ftrelid = %s::regclass", [nearest]
        ).fetchone()
    assert options is not None
    assert remote is not None
    server = dict(option.split("=", 1) for option in options[0])
    schema = dict(option.split("=", 1) for option in remote[0])["schema_name"]
    vector = "[" + ",".join(["0.1"] * 64) + "]"
    with psycopg.connect(
        host=server["host"], port=server["port"], dbname=server["dbname"], user="postgres", options=server["options"]
    ) as shard:
        rows = shard.execute(
            f"EXPLAIN DECLARE c CURSOR FOR SELECT id, embedding FROM {schema}.nearest "  # noqa: S608 - names of ours
            f"ORDER BY embedding <#> '{vector}' ASC NULLS LAST"
        )
        found = [line for (line,) in rows]
    assert any("Index Scan using vector_embedding_idx" in line for line in found), found


def test_words_are_counted_by_the_shards(many: tuple[str, Path]) -> None:
    """Only posts and their scores come over."""
    with open_index(many[0]) as opened:
        asked = []
        generation = opened.generation
        assert isinstance(generation, StoredGeneration)
        rows = generation.connections.rows
        generation.connections.rows = lambda query, values=(): asked.append((query, values)) or rows(query, values)  # type: ignore[method-assign,func-returns-value]
        opened.retriever.words.search({"word1": 1.0, "word2": 1.0}, 100)
        statement, values = asked[-1]
        found = plan(opened, statement, list(values))
    assert len(re.findall(r"Remote SQL: SELECT post, sum\(.* GROUP BY 1", found)) == 2


def test_both_shards_hold_a_part(many: tuple[str, Path], cluster: list[Server]) -> None:
    """Each post with its passages and words on one of them, by PostgreSQL's own hash."""
    (schema,) = schemas(many[0])
    with psycopg.connect(many[0]) as connection:
        for table in ("post", "entry", "passage", "posting"):
            parts = [
                connection.execute(f"SELECT count(*) FROM {schema}.{table}_{number}").fetchone()  # noqa: S608
                for number in range(2)
            ]
            assert all(part is not None and part[0] > 500 for part in parts)


def test_a_missing_shard_is_an_error_and_never_part_of_an_answer(
    cluster: list[Server], urls: Urls, tmp_path: Path
) -> None:
    """It is named, with status 3; when it is back, so are the answers."""
    build(tmp_path, urls[0], 6, shards=urls[1:])
    with open_index(urls[0]) as opened:
        whole = [hit.post_id for hit in opened.search("knee", 10).hits]
        assert len(whole) == 6
        cluster[2].stop()
        try:
            with pytest.raises(StoreError, match=rf"{server_name(Address(urls[2]))}|terminat"):
                opened.search("knee", 10)
            with pytest.raises(StoreError, match=server_name(Address(urls[2]))):
                opened.search("knee", 10)
            told = run("info", "--store", urls[0])
            assert (told.returncode, server_name(Address(urls[2])) in told.stderr) == (3, True), told.stderr
            with pytest.raises(StoreError, match=str(cluster[2].port)):
                build(tmp_path, urls[0], 8)
        finally:
            cluster[2].start()
        assert [hit.post_id for hit in opened.search("knee", 10).hits] == whole
    build(tmp_path, urls[0], 8)
    with open_index(urls[0]) as opened:
        assert len(opened.search("knee", 10).hits) == 8


def test_a_shard_that_lost_its_tables_is_told(cluster: list[Server], urls: Urls, tmp_path: Path) -> None:
    """As after an old backup was restored there; the next build mends it, though no post has changed."""
    build(tmp_path, urls[0], 6, shards=urls[1:])
    (schema,) = schemas(urls[2])
    cluster[2].execute(f"DROP SCHEMA {schema} CASCADE", urls[2].rpartition("/")[2])
    with open_index(urls[0]) as opened, pytest.raises(StoreError, match="build it again"):
        opened.search("knee")
    build(tmp_path, urls[0], 6)
    with open_index(urls[0]) as opened:
        assert len(opened.search("knee", 10).hits) == 6


def test_later_builds_know_the_shards_and_clear_them(urls: Urls, tmp_path: Path) -> None:
    """Old generations go from the shards as well; other shards take the place of these when they are named."""
    build(tmp_path, urls[0], 3, shards=urls[1:])
    for pages in (4, 5):
        build(tmp_path, urls[0], pages)
    assert [len(schemas(url)) for url in urls] == [2, 2, 2]
    build(tmp_path, urls[0], 6, shards=[urls[2]])
    with open_index(urls[0]) as opened:
        assert len(opened.search("knee", 10).hits) == 6
    build(tmp_path, urls[0], 7)
    with open_index(urls[0]) as opened:
        assert len(opened.search("knee", 10).hits) == 7


@pytest.mark.process
@pytest.mark.parametrize("step", ["passages", "_publish"])
def test_a_build_that_is_killed_between_the_shards_leaves_what_answered(urls: Urls, tmp_path: Path, step: str) -> None:
    """There is no transaction over several servers: the shards may have their part, and nobody looks there yet."""
    build(tmp_path, urls[0], 2, shards=urls[1:])
    program = f"""
import os, signal
from pathlib import Path
from qa_search.index.postgres import load
from tests.index.postgres.test_postgres import build
owner = load._Loading if hasattr(load._Loading, {step!r}) else load.PostgresWriter
setattr(owner, {step!r}, lambda *values: os.kill(os.getpid(), signal.SIGKILL))
build(Path({str(tmp_path)!r}), {urls[0]!r}, 4)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, timeout=600)
    assert done.returncode == -signal.SIGKILL
    time.sleep(0.2)  # until the servers have noticed
    assert [len(schemas(url)) for url in urls] == ([1, 2, 2] if step == "_publish" else [1, 1, 1])
    with open_index(urls[0]) as opened:
        assert len(opened.search("knee", 10).hits) == 2
    build(tmp_path, urls[0], 5)
    with open_index(urls[0]) as opened:
        assert len(opened.search("knee", 10).hits) == 5
    assert [len(schemas(url)) for url in urls] == [2, 2, 2]


def test_a_shard_that_is_lost_in_the_middle_of_a_build_is_named(
    cluster: list[Server], urls: Urls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its own address; the previous index still answers when it is back."""
    build(tmp_path, urls[0], 3, shards=urls[1:])
    whole = load._Loading.rest

    def stop(*values: Any) -> None:
        cluster[2].kill()
        whole(*values)

    with monkeypatch.context() as patched:
        patched.setattr(load._Loading, "rest", stop)
        try:
            with pytest.raises(StoreError, match=rf"{cluster[2].port}/.*previous index still answers"):
                build(tmp_path, urls[0], 5)
        finally:
            cluster[2].start()
    with open_index(urls[0]) as opened:
        assert len(opened.search("knee", 10).hits) == 3
