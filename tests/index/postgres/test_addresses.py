"""Addresses of databases in every shape: what is secret in them is never shown, and never looked up as a host."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from click.testing import CliRunner

from qa_search import SearchIndex, build_index
from qa_search.errors import QASearchError
from qa_search.index.open import open_place, require_folder
from qa_search.index.postgres.connections import Address
from qa_search.interfaces.cli import cli

# Two parts of a password, around a character that a URL gives a meaning to.
PARTS = ("S3cr", "tPw9")
_RAW = [
    "@",
    "/",
    ":",
    "?",
    "#",
    "%",
    "&",
    "=",
    " ",
    ",",
    ";",
    "\\",
    "'",
    '"',
    "[",
    "]",
    "@@",
    "/@",
    "@/",
    ":@",
    "://",
    "%zz",
    "%0",
]
_PLACES = (
    "postgresql://alice:{0}@127.0.0.1:1/x",
    "postgres://alice:{0}@127.0.0.1:1/x",
    "postgresql://alice:{0}@127.0.0.1:1,localhost:1/x",
    "postgresql://alice:{0}@[::1]:1/x",
    "postgresql://alice:{0}@/x?host=/nowhere",
    "postgresql://alice:{0}@%2Fnowhere/x",
    "postgresql://127.0.0.1:1/x?user=alice&password={0}",
    "postgresql://127.0.0.1:1/x?password={0}&user=alice",
    "postgresql://127.0.0.1:1/x?sslpassword={0}",
    "postgresql://alice:{0}@127.0.0.1:port/x",
    "postgresql://alice:{0}@127.0.0.1:1/x?unknown=1",
    "postgresql://alice:{0}@127.0.0.1:1/x?sslmode=strange",
    "postgresql:/alice:{0}@127.0.0.1:1/x",
    "postgresql:alice:{0}@127.0.0.1:1/x",
    "postgres ://alice:{0}@127.0.0.1:1/x",
    "POSTGRESQL://alice:{0}@127.0.0.1:1/x",
    " postgresql://alice:{0}@127.0.0.1:1/x",
    "postgresql+psycopg://alice:{0}@127.0.0.1:1/x",
    "host=127.0.0.1 port=1 dbname=x user=alice password={0}",
    "host=127.0.0.1 port=1 password='{0}' dbname=x",
    "port=1 password={0} host=127.0.0.1://x",
)  # fmt: skip


def addresses() -> list[str]:
    """Return every place with every password: raw, percent-encoded, on its own."""
    passwords = [character.join(PARTS) for character in (*_RAW, "%40", "%2F", "%3A", "%25", "")]
    return [place.format(password) for place in _PLACES for password in passwords]


def shown(error: BaseException) -> str:
    """Return all that is ever written of an error, its causes with it."""
    return "".join(traceback.format_exception_only(error)) + "".join(
        "".join(traceback.format_exception_only(cause)) for cause in (error.__cause__,) if cause is not None
    )


def test_no_part_of_a_password_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the shape of the address: in no message, no cause of it, and no name that is looked up."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "2")
    tried = 0
    for url in addresses():
        for use in (open_place, require_folder, Address, SearchIndex.open):
            text = ""
            try:
                place = use(url)
                text = str(place.path) if use is open_place else str(place)  # type: ignore[union-attr]
            except QASearchError as error:
                text = shown(error)
            assert not any(part in text for part in PARTS), (url, text)
            tried += 1
    assert tried > 2000
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["--store", "--index"])
def test_commands_show_no_part_of_a_password(option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Typed where it belongs, or as a folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "posts.jsonl").write_text('{"question": "knee", "answer": "rest"}')
    for place in _PLACES:
        url = place.format("@".join(PARTS))
        for command in (["query", "knee"], ["info"], ["verify"], ["build", "posts.jsonl"], ["tune", "."]):
            done = CliRunner().invoke(cli, [*command, option, url])
            assert done.exit_code in (2, 3), (command, url, done.output)
            assert not any(part in done.output for part in PARTS), (command, url, done.output)


def test_no_folder_is_made_of_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index is built in a folder or loaded into a database, never in a folder that is called like one."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(QASearchError, match="a database cannot be used here"):
        build_index("posts.jsonl", "postgresql://alice:secret@127.0.0.1/x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("postgresql://alice:a%40b@db.example:5433/archive", "postgresql://alice@db.example:5433/archive"),
        ("postgresql://alice:a?b#c@db.example/archive", "postgresql://alice@db.example/archive"),
        ("postgresql://a@one:1,two:2/x?password=s", "postgresql://a@one:1,two:2/x"),
        ("postgresql://a@one,two:5432/x", "postgresql://a@one,two:5432/x"),
        ("postgresql://[::1]:5/x", "postgresql://[::1]:5/x"),
        ("postgresql://[fe80::1%25eth0]/x", "postgresql://[fe80::1%eth0]/x"),
        ("postgresql:///x?host=/var/run&port=6", "postgresql:///x?host=/var/run&port=6"),
        ("postgresql://%2Fvar%2Frun/x", "postgresql:///x?host=/var/run"),
        ("host=db user=alice password='a b' dbname=x", "postgresql://alice@db/x"),
        ("host=db dbname='tpw@x'", "postgresql://db/..."),
        ("postgresql://al%3Aice@db/x", "postgresql://...@db/x"),
    ],
)
def test_an_address_is_named_by_server_and_database(url: str, named: str) -> None:
    """All that helps to find it, and nothing else."""
    assert str(Address(url)) == named
