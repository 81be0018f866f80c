"""Promise 14: a database that others use, too. How often each attack of tests/postgres was tried, and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from devtools.postgres_servers import Server, running
from qa_search import SearchIndex
from qa_search.errors import QASearchError, StoreError
from qa_search.index.open import open_place, require_folder
from qa_search.index.postgres.connections import Address
from qa_search.index.postgres.index import StoredGeneration
from tests.index.postgres.conftest import new_database, programs, server  # noqa: F401 - fixtures
from tests.index.postgres.test_addresses import PARTS, addresses, shown
from tests.index.postgres.test_deadlines import hold_connections, in_many_threads
from tests.index.postgres.test_hostile_database import MALLORY, PLANTS, build_and_use, statements, unqualified, watch
from tests.index.postgres.test_postgres import build, open_index
from tests.reliability.conftest import Campaign

NewDatabase = Callable[[Server], str]


def test_passwords_in_addresses(campaign: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No part of a password is shown, whatever the shape of the address and whoever reads it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "2")
    failures, tried = [], 0
    for url in addresses():
        for use in (open_place, require_folder, Address, SearchIndex.open):
            try:
                place = use(url)
                text = str(place.path) if use is open_place else str(place)  # type: ignore[union-attr]
            except QASearchError as error:
                text = shown(error)
            failures += [url] * any(part in text for part in PARTS)
            tried += 1
    campaign.finish(14, "addresses of databases with a password", tried, failures)


def test_names_in_statements(campaign: Campaign, programs: Path, tmp_path: Path) -> None:  # noqa: F811
    """Every statement that a server receives names its functions, operators, types and tables with their schema."""
    with running(programs) as watched:
        watch(watched)
        build_and_use(tmp_path, watched.url())
        sent = statements(watched)
    failures = [statement for statement in sent if unqualified(statement)]
    campaign.finish(14, "statements that a database receives", len(sent), failures)


def test_restarts_under_an_open_index(campaign: Campaign, programs: Path, tmp_path: Path) -> None:  # noqa: F811
    """However many idle connections were lost, every question after a restart is answered."""
    failures: list[str] = []
    times = campaign.count(2, 50)
    with running(programs) as restarted:
        build(tmp_path, restarted.url(), 3)
        with open_index(restarted.url()) as opened:
            assert isinstance(opened.generation, StoredGeneration)
            for number in range(times):
                hold_connections(opened.generation.connections)
                (restarted.kill if number % 2 else restarted.stop)()
                restarted.start()
                failures += map(repr, in_many_threads(lambda: opened.search("knee", 10)))
    campaign.finish(14, "restarts of a database under an open index", times, failures)


def test_what_others_put_into_a_database(
    campaign: Campaign,
    server: Server,  # noqa: F811
    new_database: NewDatabase,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Triggers, rules, views, policies and whatever else would run as the one who builds are refused by name."""
    server.execute(f"DO $$BEGIN CREATE ROLE {MALLORY} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END$$")
    failures = []
    for what, planted in PLANTS.items():
        url = new_database(server)
        build(tmp_path, url, 2)
        for statement in planted:
            server.execute(statement, url.rpartition("/")[2])
        try:
            build(tmp_path, url, 3)
            failures.append(what)
        except StoreError as error:
            failures += [what] * ("holds more than an index" not in str(error))
    campaign.finish(14, "what others put into the schema of an index", len(PLANTS), failures)
