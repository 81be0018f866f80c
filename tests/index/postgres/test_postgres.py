"""One server: switching, failures, many readers, a replica."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psycopg
import pytest

from devtools.ports import free_port
from devtools.postgres_servers import Server, running
from qa_search import SearchIndex, build_index, evaluate
from qa_search.errors import (
    IndexDamagedError,
    IndexForkedError,
    IndexFormatError,
    IndexLockedError,
    IndexNotFoundError,
    StoreError,
    StoreGoneError,
)
from qa_search.index.postgres import connections, load
from qa_search.index.postgres.connections import Address
from qa_search.index.postgres.index import PostgresIndex
from qa_search.index.postgres.load import PostgresWriter
from qa_search.interfaces.web.worker import Opening
from qa_search.interfaces.web.workers import Workers
from tests.helpers import ROOT, SAMPLE_ARCHIVE, WordsEmbedder, write_pages
from tests.index.postgres.conftest import QuickWords
from tests.interfaces.web.test_app import ask, serving

NewDatabase = Callable[[Server], str]
SECRET = "s3cr3t-and-long"  # noqa: S105 - of a role that only tests have


def build(folder: Path, url: str, pages: int, start: int = 0, **options: object) -> None:
    """Build an index of so many pages in a folder and a database."""
    shutil.rmtree(folder / "pages", ignore_errors=True)
    write_pages(folder / "pages", pages, start)
    build_index(folder / "pages", folder / "index", model=QuickWords(), store=url, **options)  # type: ignore[arg-type]


def open_index(url: str) -> SearchIndex:
    return SearchIndex.open(url, model=QuickWords())


def schemas(url: str) -> list[str]:
    """Return the schemas of the tables of generations."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname ~ '^qa_search_.*g0' ORDER BY 1")
        return [name for (name,) in rows]


def generations(url: str) -> list[int]:
    """Return the numbers of the generations whose tables are there."""
    return [int(name.split("_g")[1].partition("_")[0]) for name in schemas(url)]


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "qa_search", *arguments],
        cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


@pytest.fixture
def url(server: Server, new_database: NewDatabase) -> str:
    """An empty database."""
    return new_database(server)


def test_a_release_of_pgvector_with_faults_is_reported(
    url: str, tmp_path: Path, words: WordsEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its address and both releases, also by a build that changes nothing; one without them is not."""
    pages = write_pages(tmp_path / "pages", 3)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
        row = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    release = "" if row is None else str(row[0])
    monkeypatch.setattr(connections, "MENDED_VECTOR", tuple(map(int, release.split("."))))
    assert build_index(pages, tmp_path / "index", model=words, store=url).advice is None
    monkeypatch.setattr(connections, "MENDED_VECTOR", (99, 1))
    for _ in range(2):
        advice = build_index(pages, tmp_path / "index", model=words, store=url).advice or ""
        assert f"pgvector {release} has faults that 99.1 mends" in advice
        assert "ALTER EXTENSION vector UPDATE" in advice


@pytest.mark.process
def test_the_command_line_answers_from_a_database_as_from_a_folder(
    url: str, built_sample: Path, tmp_path: Path
) -> None:
    """The real model, fetched from the database; the same hits, scores but for the stored precision."""
    index = tmp_path / "index"
    shutil.copytree(built_sample, index)
    variables = {"QA_SEARCH_CACHE": str(tmp_path / "cache")}
    built = run("build", str(SAMPLE_ARCHIVE), "--index", str(index), "--store", url, "--json", **variables)
    assert built.returncode == 0, built.stderr
    assert json.loads(built.stdout)["embedded"] == 0
    shutil.move(index / "encoders", tmp_path / "moved")  # a reader has the database alone
    found = run("query", "sore hamstrings, PT did not help", "--store", url, "--json", **variables)
    assert found.returncode == 0, found.stderr
    shutil.move(tmp_path / "moved", index / "encoders")
    expected = run("query", "sore hamstrings, PT did not help", "--index", str(index), "--json", **variables)
    one, other = json.loads(found.stdout), json.loads(expected.stdout)
    assert [hit["post_id"] for hit in one["hits"]] == [hit["post_id"] for hit in other["hits"]]
    for hit, same in zip(one["hits"], other["hits"], strict=True):
        assert hit["score"] == pytest.approx(same["score"], abs=1e-3)
        assert hit["highlight"] == same["highlight"]
    # The environment names it, too, for every command that searches; a folder that is typed counts more.
    named = {**variables, "QA_SEARCH_STORE": url}
    assert run("info", **named).stdout.startswith(url)
    assert run("info", "--index", str(index), **named).stdout.startswith(str(index))
    both = run("info", "--index", str(index), "--store", url)
    assert (both.returncode, "cannot be used together" in both.stderr) == (2, True)
    judged = run("eval", str(ROOT / "data" / "judged"), "--store", url, "--json", **variables)
    measured = evaluate(ROOT / "data" / "judged", index).to_dict()
    assert json.loads(judged.stdout)["nDCG@10"] == pytest.approx(measured["nDCG@10"], abs=0.01)


def test_a_damaged_model_in_the_cache_is_fetched_again(
    url: str, built_sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that is damaged in the database is told."""
    monkeypatch.setenv("QA_SEARCH_CACHE", str(tmp_path / "cache"))
    index = tmp_path / "index"
    shutil.copytree(built_sample, index)
    build_index(SAMPLE_ARCHIVE, index, store=url)
    with SearchIndex.open(url) as opened:
        vectors = opened.embed(["sore knee"])
    (model,) = (tmp_path / "cache").rglob("model.onnx")
    data = bytearray(model.read_bytes())
    data[1000] ^= 1
    model.write_bytes(data)
    with SearchIndex.open(url) as opened:
        assert np.array_equal(opened.embed(["sore knee"]), vectors)
    model.write_bytes(data)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE qa_search.encoder_file SET data = overlay(data placing 'x' from 900 for 1)")
    with pytest.raises(IndexDamagedError, match="the model in the database"):
        SearchIndex.open(url)


def test_a_build_switches_in_one_transaction(url: str, tmp_path: Path) -> None:
    """An open index answers from what it opened until it is refreshed."""
    build(tmp_path, url, 3)
    with open_index(url) as opened:
        assert opened.info().counts["posts"] == 3
        assert not opened.refresh()
        build(tmp_path, url, 5)
        assert opened.search("knee").hits
        assert opened.info().counts["posts"] == 3
        assert opened.refresh()
        assert opened.info().counts["posts"] == 5
        assert opened.generation.name == "g000002"


def test_the_workers_of_a_service_read_one_database(url: str, tmp_path: Path) -> None:
    """And move together to what a build publishes there."""
    build(tmp_path, url, 3)
    workers = Workers(Opening(url, QuickWords()), 2, 1)
    with serving(url, embedder=QuickWords(), workers=workers) as address:
        assert ask(f"{address}/api/search?q=knee2&k=1")[0] == 200
        build(tmp_path, url, 5)
        while ask(f"{address}/readyz")[1]["generation"] != "g000002":
            pass
        hits = ask(f"{address}/api/search?q=knee4+hurts&k=1")[1]["hits"]
        assert hits[0]["title"] == "Complaint 4"
        assert workers.able == 2


def test_generations_go_when_nobody_reads_them(url: str, tmp_path: Path) -> None:
    """The one before stays, and so does one that somebody holds, however many builds there are."""
    build(tmp_path, url, 2)
    with open_index(url) as held:
        assert held.search("knee").hits
        for pages in (3, 4, 5):
            build(tmp_path, url, pages)
        assert generations(url) == [1, 3, 4]
        assert len(held.search("knee", 10).hits) == 2
    build(tmp_path, url, 6)
    assert generations(url) == [4, 5]


def test_a_build_that_changes_nothing_loads_nothing(url: str, tmp_path: Path) -> None:
    """It switches to a generation that uses the same tables; so does one that changes only what is learnt."""
    build(tmp_path, url, 3)
    with open_index(url) as held:
        for _ in range(3):
            build_index(tmp_path / "pages", tmp_path / "index", model=QuickWords(), store=url)
        assert generations(url) == [1]
        assert held.search("knee").hits
        assert held.refresh()
        assert (held.generation.name, held.info().bytes > 0) == ("g000004", True)
        assert len(held.search("knee", 10).hits) == 3
    for pages in (4, 5):
        build(tmp_path, url, pages)
    assert generations(url) == [5, 6]


def test_a_reader_whose_generation_was_taken_away_is_told(url: str, tmp_path: Path) -> None:
    """As on a replica, whose locks the primary does not know; refreshing helps."""
    build(tmp_path, url, 2)
    with open_index(url) as opened:
        assert opened.search("knee").hits
        with psycopg.connect(url) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid()"
            )
        for pages in (3, 4):
            build(tmp_path, url, pages)
        with pytest.raises(StoreGoneError, match="refresh"):
            opened.search("knee")
        assert opened.refresh()
        assert len(opened.search("knee", 10).hits) == 4


def test_many_readers_never_notice_builds(url: str, tmp_path: Path) -> None:
    """They open, search, refresh and close all the while; every answer is of one build, whole."""
    build(tmp_path, url, 2)
    failures: list[BaseException] = []
    answers: list[int] = []
    done = threading.Event()

    def read(reopening: bool) -> None:
        opened = open_index(url)
        try:
            while not done.is_set():
                found = opened.search("knee", 20)
                answers.append(len(found.hits))
                assert len(found.hits) == opened.generation.manifest.counts.posts
                if reopening:
                    opened.close()
                    opened = open_index(url)
                else:
                    opened.refresh()
        except BaseException as error:
            failures.append(error)
        finally:
            opened.close()

    readers = [threading.Thread(target=read, args=(number % 2 == 0,)) for number in range(6)]
    for reader in readers:
        reader.start()
    try:
        for pages in range(3, 9):
            build(tmp_path, url, pages)
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert not failures, failures
    assert len(answers) > 10
    assert set(answers) <= set(range(2, 9))


def test_one_build_writes_at_a_time(url: str, tmp_path: Path) -> None:
    """The other is refused at once, and told who writes; searches go on."""
    build(tmp_path, url, 2)
    with PostgresWriter(url).writing():
        with pytest.raises(IndexLockedError, match=rf"build of qa-search, process {os.getpid()} on .*, since 20"):
            build(tmp_path / "other", url, 3)
        with open_index(url) as opened:
            assert opened.search("knee").hits
    build(tmp_path, url, 3)


@pytest.mark.process
@pytest.mark.parametrize("step", ["passages", "rest", "_publish", "_clear"])
def test_a_build_that_is_killed_leaves_what_answered(url: str, tmp_path: Path, step: str) -> None:
    """Whatever it was doing; the next build finds nothing in its way."""
    build(tmp_path, url, 2)
    program = f"""
import os, signal
from pathlib import Path
from qa_search.index.postgres import connections, load
from tests.index.postgres.test_postgres import build
owner = load._Loading if hasattr(load._Loading, {step!r}) else load.PostgresWriter
setattr(owner, {step!r}, lambda *values: os.kill(os.getpid(), signal.SIGKILL))
build(Path({str(tmp_path)!r}), {url!r}, 4)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, timeout=600)
    assert done.returncode == -signal.SIGKILL
    switched = step == "_clear"
    with open_index(url) as opened:
        assert len(opened.search("knee", 10).hits) == (4 if switched else 2)
    build(tmp_path, url, 5)
    with open_index(url) as opened:
        assert len(opened.search("knee", 10).hits) == 5
    assert len(schemas(url)) == 2


def test_a_build_that_fails_leaves_what_answered(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the database is out of room in the middle; the error says what still answers."""
    build(tmp_path, url, 2)

    def fail(*_: object) -> None:
        raise psycopg.errors.DiskFull("could not extend file")

    with monkeypatch.context() as patched:
        patched.setattr(load, "_make_indices", fail)
        with pytest.raises(StoreError, match=r"extend file.*previous index still answers"):
            build(tmp_path, url, 4)
    with open_index(url) as opened:
        assert len(opened.search("knee", 10).hits) == 2
    assert generations(url) == [1]


def test_a_server_that_stops_is_told_and_comes_back(programs: Path, tmp_path: Path) -> None:
    """An open index answers again when the server does, killed or stopped."""
    with running(programs) as server:
        build(tmp_path, server.url(), 3)
        with open_index(server.url()) as opened:
            assert opened.search("knee").hits
            server.kill()
            with pytest.raises(StoreError, match=rf"127\.0\.0\.1:{server.port}.*the server runs"):
                opened.search("knee")
            assert run("query", "knee", "--store", server.url()).returncode == 3
            server.start()
            assert len(opened.search("knee", 10).hits) == 3
            server.stop()
            with pytest.raises(StoreError):
                opened.refresh()


def test_what_cannot_be_used_is_named_without_its_password(server: Server, url: str, tmp_path: Path) -> None:
    """Status 3 and one message: no server, no index, no pgvector, no such role, no address at all."""
    server.execute(f"DO $$BEGIN CREATE ROLE reader LOGIN PASSWORD '{SECRET}'; EXCEPTION WHEN others THEN END$$")
    place = f"reader:{SECRET}@127.0.0.1"
    for address, expected in (
        (f"postgresql://{place}:{free_port()}/one", "no connection"),
        (f"postgresql://{place}:{server.port}/none", 'database "none" does not exist'),
        (f"postgresql://{place}:{server.port}/{url.rpartition('/')[2]}", "no index in this database"),
        (f"postgresql://{place}:no-port/one", "invalid address|no connection"),
        (f"postgresql://{SECRET} with blanks", "invalid address|no connection"),
    ):
        done = run("query", "knee", "--store", address)
        assert done.returncode == 3, done.stderr
        assert SECRET not in done.stderr + done.stdout
        assert re.search(expected, done.stderr), done.stderr
        assert len(done.stderr.splitlines()) == 1
    build(tmp_path, url, 2)
    denied = run("query", "knee", "--store", f"postgresql://{place}:{server.port}/{url.rpartition('/')[2]}")
    assert (denied.returncode, "not allowed" in denied.stderr) == (3, True), denied.stderr
    refused = run("build", str(tmp_path / "pages"), "--index", str(tmp_path / "index"), "--shard", url)
    assert refused.returncode == 2
    with pytest.raises(StoreError, match="invalid address") as raised:
        Address(f"postgresql://{place},b:{SECRET}/x")
    assert SECRET not in str(raised.value)


def test_a_role_that_may_only_read_can_search(server: Server, url: str, tmp_path: Path) -> None:
    """With the grants that docs/postgresql.md tells, made before the build."""
    page = (ROOT / "docs" / "postgresql.md").read_text(encoding="utf-8")
    (grants,) = (block for block in page.split("```") if block.startswith("sql") and "DEFAULT PRIVILEGES" in block)
    name = f"searcher_{url.rpartition('/')[2]}"
    database = url.rpartition("/")[2]
    for statement in grants.removeprefix("sql").replace("searcher", name).split(";"):
        if statement.strip():
            server.execute(statement, database)
    build(tmp_path, url, 2)
    build(tmp_path, url, 3)
    with open_index(url.replace("postgres@", f"{name}@")) as opened:
        assert len(opened.search("knee", 10).hits) == 3
        assert opened.info().counts["posts"] == 3


def test_a_database_of_another_layout_is_refused_by_name(url: str, tmp_path: Path) -> None:
    """For reading and for writing; so is a manifest whose hash does not match."""
    build(tmp_path, url, 2)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE qa_search.store SET format = 99")
    with pytest.raises(IndexFormatError, match="format 99"):
        open_index(url)
    with pytest.raises(IndexFormatError, match="format 99"):
        build(tmp_path, url, 3)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE qa_search.store SET format = 2")
        connection.execute("UPDATE qa_search.generation SET manifest = replace(manifest, 'words', 'other')")
    with pytest.raises(IndexDamagedError, match="checksum mismatch"):
        open_index(url)


def test_rows_that_are_missing_are_told(url: str, tmp_path: Path) -> None:
    """Never part of an answer."""
    build(tmp_path, url, 3)
    with psycopg.connect(url) as connection:
        connection.execute(f"DELETE FROM {schemas(url)[0]}.passage WHERE id = 4")  # noqa: S608 - a name of ours
    with open_index(url) as opened, pytest.raises(IndexDamagedError, match="passages are"):
        opened.search("knee")


def test_an_index_without_pgvector_is_told(server: Server, url: str, tmp_path: Path) -> None:
    """What an administrator has to run."""
    build(tmp_path, url, 2)
    index = PostgresIndex(url)
    server.execute("DROP EXTENSION vector CASCADE", url.rpartition("/")[2])
    with pytest.raises(StoreError, match="CREATE EXTENSION vector"):
        open_index(url)
    assert index.pointer()[0] == "g000001"
    index.close()


def test_a_forked_process_is_refused(url: str, tmp_path: Path) -> None:
    """Its parent goes on as before."""
    build(tmp_path, url, 2)
    with open_index(url) as opened:
        assert opened.search("knee").hits
        child = os.fork()
        if not child:
            try:
                opened.search("knee")
            except IndexForkedError:
                os._exit(7)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert opened.search("knee").hits


def test_a_database_without_an_index_says_how_to_build_one(url: str) -> None:
    """As an empty folder does."""
    with pytest.raises(IndexNotFoundError, match=r"build_index\(SOURCES, INDEX, store=URL\)"):
        open_index(url)


def test_a_replica_takes_reads_and_the_primarys_place(programs: Path, tmp_path: Path) -> None:
    """The primary is killed: searches go on, and once the replica is promoted, so do builds."""
    with running(programs) as primary:
        build(tmp_path, primary.url(), 2)
        with running(programs, replica_of=primary) as replica:
            both = f"postgresql://postgres@127.0.0.1:{primary.port},127.0.0.1:{replica.port}/postgres"
            with open_index(replica.url()) as reader, open_index(both) as either:
                assert len(reader.search("knee", 10).hits) == 2
                assert either.search("knee").hits
                build(tmp_path, primary.url(), 3)
                end = time.monotonic() + 300
                while not reader.refresh():
                    assert time.monotonic() < end
                    time.sleep(0.05)
                assert len(reader.search("knee", 10).hits) == 3
                with pytest.raises(StoreError, match="this is a replica"):
                    build(tmp_path / "other", replica.url(), 4)
                primary.kill()
                assert len(reader.search("knee", 10).hits) == 3
                either.refresh()
                assert len(either.search("knee", 10).hits) == 3
                replica.execute("SELECT pg_promote()")
                build(tmp_path, both + "?target_session_attrs=read-write", 4)
                assert reader.refresh()
                assert len(reader.search("knee", 10).hits) == 4


@pytest.mark.process
def test_what_the_guide_tells_to_type_works(url: str, built_sample: Path, tmp_path: Path) -> None:
    """docs/postgresql.md, one command after the other, in a database of the test's own."""
    missing = [tool for tool in ("bash", "jq") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"the guide also uses {', '.join(missing)}, not on this machine")
    shutil.copytree(ROOT / "data", tmp_path / "data")
    shutil.copytree(built_sample, tmp_path / "index")
    page = (ROOT / "docs" / "postgresql.md").read_text(encoding="utf-8")
    commands = "\n".join(re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    told = "postgresql://postgres@127.0.0.1:5432/archive"
    assert told in commands
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{commands.replace(told, url)}"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "QA_SEARCH_CACHE": str(tmp_path / "cache"),
        },
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert url in done.stdout
