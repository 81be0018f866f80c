"""Servers that are restarted, frozen or reset under an open index: what is asked ends, with an answer or an error."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from devtools.postgres_servers import Server, running
from qa_search import build_index
from qa_search.errors import IndexDamagedError, IndexNotFoundError, QASearchError, StoreError, StoreGoneError
from qa_search.index.postgres import connections
from qa_search.index.postgres.connections import Address, Connections
from qa_search.index.postgres.index import StoredGeneration
from tests.helpers import write_jsonl
from tests.index.postgres.conftest import QuickWords
from tests.index.postgres.test_postgres import build, open_index, schemas

NewDatabase = Callable[[Server], str]
_THREADS = 6


@pytest.fixture
def url(server: Server, new_database: NewDatabase) -> str:
    return new_database(server)


@contextmanager
def frozen(server: Server) -> Iterator[None]:
    """Stop all of a server's processes, as a network does that swallows packets: it accepts, and says nothing."""
    assert server._process is not None
    first = server._process.pid
    children = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="ascii").split()
    everybody = [first, *map(int, children)]
    for process in everybody:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in everybody:
            os.kill(process, signal.SIGCONT)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines of some seconds."""
    for name in ("_CONNECT_SECONDS", "_STATEMENT_SECONDS", "_PROBE_SECONDS"):
        monkeypatch.setattr(connections, name, 2)
    monkeypatch.setattr(connections, "_GRACE_SECONDS", 1)


def in_many_threads(call: Callable[[], object]) -> list[BaseException]:
    """Call in several threads at once, so that as many connections are open; return what was raised."""
    failures: list[BaseException] = []
    barrier = threading.Barrier(_THREADS)

    def one() -> None:
        barrier.wait()
        try:
            call()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=one) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def hold_connections(pool: Connections) -> None:
    """Leave as many idle connections as an index may have."""
    opened = [pool._open() for _ in range(connections._MOST)]
    for connection in opened:
        pool._give(connection)


@pytest.mark.parametrize("how", ["stopped", "killed", "ended by an administrator"])
def test_idle_connections_that_were_lost_cost_nobody_an_answer(programs: Path, tmp_path: Path, how: str) -> None:
    """However many there are: the first question after a restart is answered, and so are those asked beside it."""
    with running(programs) as server:
        build(tmp_path, server.url(), 3)
        with open_index(server.url()) as opened:
            assert isinstance(opened.generation, StoredGeneration)
            for _ in range(2):
                hold_connections(opened.generation.connections)
                if how == "ended by an administrator":
                    server.execute(
                        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                        "WHERE application_name LIKE 'qa-search%'"
                    )
                else:
                    (server.kill if how == "killed" else server.stop)()
                    server.start()
                assert len(opened.search("knee", 10).hits) == 3
                hold_connections(opened.generation.connections)
                server.stop()
                server.start()
                assert not in_many_threads(lambda: opened.search("knee", 10))
                assert not opened.refresh()


@pytest.mark.usefixtures("quick")
def test_a_frozen_server_is_told(programs: Path, tmp_path: Path) -> None:
    """Whatever is asked ends with an error that says so; when the server is back, so are the answers."""
    with running(programs) as server:
        url = server.url()
        build(tmp_path, url, 3)
        with open_index(url) as opened:
            assert opened.search("knee").hits
            with frozen(server):
                for call in (
                    lambda: opened.search("knee"),
                    lambda: opened.post("0" * 16),
                    opened.refresh,
                    lambda: open_index(url),
                    lambda: build(tmp_path, url, 4),
                ):
                    with pytest.raises(StoreError, match=r"no answer within|no connection"):
                        call()
                assert all(isinstance(error, StoreError) for error in in_many_threads(lambda: opened.search("knee")))
            assert len(opened.search("knee", 10).hits) == 3
        build(tmp_path, url, 4)


@pytest.mark.usefixtures("quick")
def test_a_build_gives_a_frozen_server_up_and_waits_for_one_that_works(programs: Path, tmp_path: Path) -> None:
    """A statement may take longer than any deadline as long as the server answers others."""
    with running(programs) as server:
        connection = Address(server.url()).connect(probe=True)
        assert connection.execute("SELECT 1 FROM pg_sleep(5)").fetchone() == (1,)
        with frozen(server), pytest.raises(psycopg.OperationalError, match="the server does not answer"):
            connection.execute("SELECT 1")
        assert connection.closed


@pytest.mark.usefixtures("quick")
def test_a_reader_waits_for_no_statement_for_ever(server: Server) -> None:
    """The server ends it by itself; what the address or the role says counts more."""
    pool = Connections(Address(server.url()))
    with pytest.raises(StoreError, match="statement_timeout"):
        pool.rows("SELECT 1 FROM pg_sleep(30)")
    own = Connections(Address(server.url() + "?options=-c%20statement_timeout%3D60s"))
    assert own.rows("SELECT 1 FROM pg_sleep(4)") == [(1,)]
    shorter = Connections(Address(server.url() + "?options=-c%20statement_timeout%3D50ms"))
    with pytest.raises(StoreError, match="statement_timeout"):
        shorter.rows("SELECT 1 FROM pg_sleep(30)")
    for one in (pool, own, shorter):
        one.close()


@pytest.mark.parametrize("pages", [3, 5])
def test_a_database_that_was_reset_is_noticed(server: Server, url: str, tmp_path: Path, pages: int) -> None:
    """Never the tables of another index under the names of the first: an error, and after `refresh` the new one."""
    build(tmp_path, url, 3)
    database = url.rpartition("/")[2]
    with open_index(url) as opened:
        assert len(opened.search("knee", 10).hits) == 3
        for schema in ("qa_search", *schemas(url)):
            server.execute(f"DROP SCHEMA {schema} CASCADE", database)
        with pytest.raises(IndexNotFoundError):
            opened.refresh()
        with pytest.raises(StoreGoneError):
            opened.search("knee")
        build(tmp_path / "other", url, pages, start=100)
        with pytest.raises(StoreGoneError, match="refresh"):
            opened.search("knee")
        assert opened.refresh()
        assert opened.generation.name == "g000001"
        assert {hit.title for hit in opened.search("knee", 10).hits} == {f"Complaint {100 + n}" for n in range(pages)}
        assert not opened.refresh()


def test_a_database_that_was_restored_is_noticed(server: Server, url: str, tmp_path: Path) -> None:
    """One that went back to a backup answers from it after `refresh`, and from a later build of the same number."""
    build(tmp_path, url, 3)
    database = url.rpartition("/")[2]
    server.execute(f"CREATE DATABASE {database}_copy TEMPLATE {database}")
    build(tmp_path, url, 4)
    with open_index(url) as opened:
        assert len(opened.search("knee", 10).hits) == 4
        server.execute(f"DROP DATABASE {database} WITH (FORCE)")
        server.execute(f"ALTER DATABASE {database}_copy RENAME TO {database}")
        build(tmp_path / "other", url, 6, start=100)
        assert opened.generation.name == "g000002"
        with pytest.raises(StoreGoneError):
            opened.search("knee")
        assert opened.refresh()
        assert opened.generation.name == "g000002"
        assert len(opened.search("knee", 10).hits) == 6


def test_long_values_are_stored_as_a_folder_stores_them(url: str, tmp_path: Path) -> None:
    """Tags, ids, addresses, authors, titles and words that are longer than an index of PostgreSQL takes."""
    long = "".join(f"{number:x}z" for number in range(6000))
    records = [
        {"id": long, "title": long, "question": f"My knee hurts {long}", "answer": "Rest.",
         "tags": [long, long[:900], "short"], "url": f"https://example.org/{long}", "author": long},
        {"id": 2, "question": "My heel hurts", "answer": "Wait.", "tags": [f"{long}2", "two"]},
    ]  # fmt: skip
    source = write_jsonl(tmp_path / "posts.jsonl", records)
    build_index(source, tmp_path / "index", model=QuickWords(), store=url)
    with open_index(url) as opened, open_index(str(tmp_path / "index")) as folder:
        asked: list[dict[str, Any]] = [{"tags": [tag]} for tag in (long[:900].upper(), "two", "short")]
        for filters in ({}, {"source": "*.jsonl"}, *asked):
            found, expected = (
                [hit.post_id for hit in one.search("knee", 5, **filters).hits] for one in (opened, folder)
            )
            assert found == expected
            assert found


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("54000", "larger than PostgreSQL can hold"), ("53100", "disk of the database is full"),
        ("53200", "out of memory"), ("53300", "no free connection"), ("25006", "takes no writes"),
        ("42501", "not allowed"), ("55P03", "holds a lock"), ("57014", "statement_timeout"), ("40P01", "Try again"),
        ("28P01", "rejects this role"), ("3D000", "does not exist"), ("58030", "its own files"),
        ("XX001", "damaged"), ("22021", "ENCODING 'UTF8'"), ("57P01", "when it is back"), ("08006", "when it is back"),
        ("42601", "reports an error"),
    ],
)  # fmt: skip
def test_errors_are_told_for_what_they_are(server: Server, code: str, told: str) -> None:
    """By PostgreSQL's own codes, as its servers raise them."""
    pool = Connections(Address(server.url()))
    server.execute(
        "CREATE OR REPLACE FUNCTION raise_it(code text) RETURNS int LANGUAGE plpgsql "
        "AS $$BEGIN RAISE EXCEPTION 'as tried' USING ERRCODE = code; END$$"
    )
    with pytest.raises(StoreError, match=told) as raised:
        pool.rows("SELECT public.raise_it(%s::text)", [code])
    assert "as tried" in str(raised.value)
    pool.close()


def test_a_database_of_another_encoding_is_refused(server: Server, tmp_path: Path) -> None:
    """Before a text is met that it cannot hold."""
    server.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    with pytest.raises(StoreError, match="LATIN1"):
        build(tmp_path, server.url("latin"), 2)


def test_tables_that_a_manifest_does_not_name_are_refused(url: str, tmp_path: Path) -> None:
    """A row that points to the tables of another generation is damage."""
    build(tmp_path, url, 2)
    build(tmp_path, url, 3)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE qa_search.generation SET tables = (SELECT min(tables) FROM qa_search.generation)")
    with pytest.raises(QASearchError) as raised:
        open_index(url)
    assert isinstance(raised.value, IndexDamagedError)
