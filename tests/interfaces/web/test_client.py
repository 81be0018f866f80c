"""The clients: the same answers as the index itself, and a clear error for whatever a service may do instead."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Literal

import pytest

from qa_search import AsyncClient, Client, SearchIndex, ServiceError, build_index
from qa_search.errors import IndexDamagedError, QASearchError, QueryError
from qa_search.interfaces.web import client as client_module
from qa_search.interfaces.web.client import read_record
from qa_search.types import Explanation, Highlight, Hit, OtherPost, Post, SearchResult, SignalShare
from tests.helpers import ROOT, SAMPLE_ARCHIVE, WordsEmbedder, write_jsonl

uvicorn = pytest.importorskip("uvicorn", reason="the service needs packages that are not installed")
pytest.importorskip("fastapi", reason="the service needs packages that are not installed")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Coroutine[Any, Any, Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Kind = Literal["sync", "async"]

COMPLAINTS = [
    "back of my thigh has ached for months, PT did nothing",
    "first steps in the morning stab in my heel",
    "My knee hurts when I go down stairs. " * 40,
    "ünïcode 🦵 knee \ud83e half a pair, NUL \0 and\r\nlines",
    "capital of France",
]
FILTERS: list[dict[str, Any]] = [
    {},
    {"k": 2},
    {"since": "2012", "until": "2015-06"},
    {"since": date(2012, 3, 4), "until": date(2018, 1, 1)},
    {"source": "*faq*"},
    {"tags": ["thigh", "run"]},
    {"tags": "thigh"},
    {"min_confidence": 0.0},
    {"min_confidence": 1.0},
    {"tags": ["nothing has this"]},
]


@contextmanager
def served(app: App) -> Iterator[str]:
    """Serve an app on a free port, and give its address."""
    listener = socket.create_server(("127.0.0.1", 0))  # connections wait in it until the server takes them
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, ws="none", access_log=False, timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


class Stage:
    """A server that stays up, and shows what each test puts on it below an address of its own."""

    def __init__(self) -> None:
        self.url = ""
        self.apps: list[App] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            # A request that an earlier test left under way reaches that test's app.
            _, number, path = scope["path"].split("/", 2)
            await self.apps[int(number)]({**scope, "path": f"/{path}"}, receive, send)

    def show(self, app: App) -> str:
        """Answer with this app below a new address; return the address."""
        self.apps.append(app)
        return f"{self.url}/{len(self.apps) - 1}"


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Serve what each test puts on."""
    made = Stage()
    with served(made) as url:
        made.url = url
        yield made


def ask(kind: Kind, url: str, method: str, *arguments: Any, options: dict[str, Any] | None = None, **named: Any) -> Any:
    """Call a method of one of the two clients."""
    if kind == "sync":
        with Client(url, **(options or {})) as client:
            return getattr(client, method)(*arguments, **named)

    async def asked() -> Any:
        async with AsyncClient(url, **(options or {})) as client:
            return await getattr(client, method)(*arguments, **named)

    return asyncio.run(asked())


def untimed(result: SearchResult) -> SearchResult:
    return replace(result, took_ms=0.0)


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each of the two clients."""
    chosen: Kind = request.param
    return chosen


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of pages that link to one another, and of posts with tags, copies and several answers."""
    base = tmp_path_factory.mktemp("client")
    faq = {"question": "The back of my thigh has ached for months.", "answer": "Load the hamstrings slowly."}
    write_jsonl(base / "faq.jsonl", [
        {"id": "q1", "title": "Thigh", **faq, "tags": ["thigh", "run"], "date": "2018-03-04", "url": "https://example.org/1"},
        {"id": "q2", "title": "Thigh", **faq, "tags": ["thigh"], "date": "2019-01-02"},
        {"id": "q3", "title": "Thigh again", **faq, "tags": ["thigh", "run"], "date": "2019-05-06"},
    ])  # fmt: skip
    (base / "pages").mkdir()
    for path in sorted(SAMPLE_ARCHIVE.glob("*.txt"))[:60]:
        shutil.copy(path, base / "pages")
    build_index([base / "pages", base / "faq.jsonl"], base / "index", model=WordsEmbedder())
    return base / "index"


@pytest.fixture(scope="module")
def index(folder: Path) -> Iterator[SearchIndex]:
    """The index itself."""
    with SearchIndex.open(folder, model=WordsEmbedder()) as opened:
        yield opened


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """The service of the same index."""
    from qa_search.interfaces.web.app import Settings, create_app

    app = create_app(SearchIndex.open(folder, model=WordsEmbedder()), Settings(rate=0))
    with served(app) as address:
        yield address


@dataclass
class Scripted:
    """A service that gives the answers it is told to, the last one again and again, and keeps what it was asked."""

    answers: list[App]
    paths: list[str] = field(default_factory=list)
    headers: list[dict[bytes, bytes]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self.answers[min(len(self.paths), len(self.answers) - 1)]
        self.paths.append(scope["path"])
        self.headers.append(dict(scope["headers"]))
        message: Message = {"more_body": True}
        body = b""
        while message.get("more_body"):
            message = await receive()
            body += message.get("body", b"")
        self.bodies.append(body)
        await answer(scope, receive, send)


def says(status: int, body: object, **headers: str) -> App:
    """Make an answer; what is not bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": data})

    return answer


def fails(status: int, kind: str, message: str, **headers: str) -> App:
    return says(status, {"error": {"type": kind, "message": message}}, **headers)


FOUND = SearchResult("knee", False, 0.0, (), 1.0)
ANSWER = says(200, FOUND.to_dict())


@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_a_search_gives_what_the_index_gives(kind: Kind, url: str, index: SearchIndex, filters: dict[str, Any]) -> None:
    """The same records, to the last character and digit, but for the time."""
    wanted = [untimed(index.search(text, **filters)) for text in COMPLAINTS]
    assert [untimed(ask(kind, url, "search", text, **filters)) for text in COMPLAINTS] == wanted
    assert list(map(untimed, ask(kind, url, "search_many", iter(COMPLAINTS), **filters))) == wanted


def test_the_hits_have_what_hits_can_have(url: str, index: SearchIndex) -> None:
    """The comparison above is one of repetitions, newer posts, tags, links and highlights."""
    hits = [hit for text in COMPLAINTS for hit in index.search(text, 5).hits]
    for name in ("repeated_by", "newer", "tags", "url", "date", "highlight"):
        assert any(getattr(hit, name) for hit in hits), name


def test_many_are_answered_in_order(kind: Kind, url: str, index: SearchIndex) -> None:
    """A hundred different complaints; none is nothing."""
    texts = [f"knee pain after {number} miles, {'worse' * (number % 7)} on stairs" for number in range(100)]
    found = ask(kind, url, "search_many", texts, k=1)
    assert list(map(untimed, found)) == list(map(untimed, index.search_many(texts, k=1)))
    assert ask(kind, url, "search_many", []) == []


def test_few_are_asked_at_once(kind: Kind, stage: Stage) -> None:
    """Eight of one list, so that a long list does not crowd out everybody else; and not one after the other."""
    active, most, eight = 0, 0, asyncio.Event()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal active, most
        active += 1
        most = max(most, active)
        if active == 8:
            eight.set()
        await eight.wait()
        await ANSWER(scope, receive, send)
        active -= 1

    url = stage.show(Scripted([answer]))
    assert ask(kind, url, "search_many", ["knee"] * 30) == [FOUND] * 30
    assert most == 8


def test_posts_are_the_same(kind: Kind, url: str, index: SearchIndex) -> None:
    """Whole posts, their neighbours and the posts like them, under each of their ids."""
    linked = copies = 0
    for hit in index.search("thigh", 8).hits:
        for post_id in index.post_ids(hit.post_id):
            assert ask(kind, url, "post", post_id) == index.post(post_id)
            assert ask(kind, url, "neighbours", post_id) == index.neighbours(post_id)
            assert untimed(ask(kind, url, "similar", post_id, 3)) == untimed(index.similar(post_id, 3))
            linked += any(index.neighbours(post_id))
        copies += len(index.post_ids(hit.post_id)) > 1
    assert linked
    assert copies


STRANGE_IDS = ["", ".", "..", "a/b", "64etmufnpq2iswuj/similar", "é" * 16, "x?y=1", "#", "a" * 5000, "64ETMUFNPQ2ISWUJ"]


@pytest.mark.parametrize("post_id", ["a" * 16, *STRANGE_IDS], ids=lambda post_id: post_id[:20])
def test_there_is_no_such_post(kind: Kind, url: str, index: SearchIndex, post_id: str) -> None:
    """As the index says it: None, two times None, and a QueryError."""
    assert index.post(post_id) is None
    assert ask(kind, url, "post", post_id) is None
    assert ask(kind, url, "neighbours", post_id) == index.neighbours(post_id) == (None, None)
    with pytest.raises(QueryError):
        index.similar(post_id)
    with pytest.raises(QueryError):
        ask(kind, url, "similar", post_id)


def test_info_is_the_document_of_the_index(kind: Kind, url: str, index: SearchIndex) -> None:
    """As JSON has it."""
    assert ask(kind, url, "info") == json.loads(json.dumps(index.info().to_dict()))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", {}),
        (" \n ", {}),
        (5, {}),
        (None, {}),
        ("x" * 100_001, {}),
        ("knee", {"k": 0}),
        ("knee", {"k": 10_001}),
        ("knee", {"k": 1.5}),
        ("knee", {"k": "many"}),
        ("knee", {"k": object()}),
        ("knee", {"since": "soon"}),
        ("knee", {"until": "2015-13"}),
        ("knee", {"min_confidence": 2}),
        ("knee", {"min_confidence": float("nan")}),
        ("knee", {"source": "*" * 100}),
        ("knee", {"tags": ["x" * 5000]}),
        ("knee", {"tags": [5]}),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_the_index_refuses_is_refused(
    kind: Kind, url: str, index: SearchIndex, text: Any, named: dict[str, Any]
) -> None:
    """By the same error, for one and for many."""
    with pytest.raises(QueryError) as wanted:
        index.search(text, **named)
    with pytest.raises(QueryError) as refused:
        ask(kind, url, "search", text, **named)
    if not named:
        assert str(refused.value) == str(wanted.value)
    with pytest.raises(QueryError):
        ask(kind, url, "search_many", ["knee", text, "heel"], **named)


def test_one_text_is_no_list(kind: Kind, url: str) -> None:
    """Its letters would be searched for one by one."""
    with pytest.raises(QueryError, match="use search"):
        ask(kind, url, "search_many", "knee")


def test_the_longest_complaint_goes_through(kind: Kind, url: str, index: SearchIndex) -> None:
    """100,000 characters, each of four bytes."""
    text = "🦵" * 99_995 + " knee"
    assert untimed(ask(kind, url, "search", text, 1)) == untimed(index.search(text, 1))


def test_a_token_is_sent(kind: Kind, folder: Path) -> None:
    """With the right one there is an answer; without, or with another, a ServiceError that says so."""
    from qa_search.interfaces.web.app import Settings, create_app

    app = create_app(SearchIndex.open(folder, model=WordsEmbedder()), Settings(token="s3cret", rate=0))  # noqa: S106
    with served(app) as url:
        assert ask(kind, url, "search", "knee", options={"token": "s3cret"}).hits
        for options, said in (
            ({}, r"it wants a token: Client\(URL, token=TOKEN\)"),
            ({"token": "other"}, "is not that of"),
        ):
            with pytest.raises(ServiceError, match=said) as told:
                ask(kind, url, "search", "knee", options=options)
            assert told.value.status == 401


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "ключ", "nul\0"])
def test_a_token_that_cannot_be_sent(kind: Kind, token: str) -> None:
    """Is refused before anything is sent, and not shown."""
    with pytest.raises(ServiceError, match="token") as told:
        ask(kind, "http://127.0.0.1:1", "info", options={"token": token})
    assert not token or token not in str(told.value)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8000", "ftp://host", "http://", "http://[::1", "http://h:port", "http://a b"]
)
def test_an_address_that_is_none(kind: Kind, url: str) -> None:
    """Is told as such, or as one that cannot be reached."""
    with pytest.raises(ServiceError):
        ask(kind, url, "info", options={"retries": 0})


def test_nobody_listens(kind: Kind) -> None:
    """The message names the address, without the password in it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(
        ServiceError, match=f"http://127.0.0.1:{port}: no usable answer: .*Start it by: qa-search serve"
    ) as told:
        ask(kind, f"http://somebody:s3cret@127.0.0.1:{port}", "search", "knee", options={"retries": 1})
    assert "s3cret" not in str(told.value)
    assert told.value.status is None


def test_a_connection_that_breaks_is_made_again(kind: Kind) -> None:
    """As often as retries says, then it is an error."""
    tried = 0
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            nonlocal tried
            for _ in range(3):
                connection, _ = listener.accept()
                tried += 1
                connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(ServiceError):
            ask(kind, f"http://127.0.0.1:{listener.getsockname()[1]}", "search", "knee")
        thread.join(10)
    assert tried == 3


def test_a_slow_service_is_given_up(kind: Kind, stage: Stage) -> None:
    """After the timeout, and not asked again: it would only get slower."""
    done = asyncio.Event()

    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        await done.wait()

    service = Scripted([never])
    url = stage.show(service)
    started = time.monotonic()
    with pytest.raises(ServiceError, match=r"within 2\.5 seconds"):
        ask(kind, url, "search", "knee", options={"timeout": 2.5})
    assert time.monotonic() - started >= 2.5
    assert len(service.paths) == 1


def test_an_answer_that_drips_is_given_up(kind: Kind, stage: Stage) -> None:
    """The timeout is one of the whole answer, not of each piece."""

    async def drip(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(400):
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            await asyncio.sleep(0.05)

    url = stage.show(Scripted([drip]))
    with pytest.raises(ServiceError, match=r"within 0\.4 seconds"):
        ask(kind, url, "search", "knee", options={"timeout": 0.4})


@pytest.mark.parametrize(
    "busy",
    [
        fails(503, "BusyError", "too many queries at once"),
        fails(503, "BusyError", "too many queries at once", retry_after="0"),
        fails(429, "TooManyRequests", "too many requests", retry_after="0"),
        fails(429, "TooManyRequests", "", retry_after=format_datetime(datetime.now(UTC) - timedelta(days=1))),
        says(502, b"<html>Bad Gateway</html>"),
        says(503, b"", retry_after="soon"),
    ],
)
def test_a_busy_service_is_asked_again(kind: Kind, stage: Stage, busy: App) -> None:
    """And its answer counts as if it had come at once."""
    service = Scripted([busy, busy, ANSWER])
    url = stage.show(service)
    assert ask(kind, url, "search", "knee") == FOUND
    assert len(service.paths) == 3
    assert len(set(service.bodies)) == 1


def test_retry_after_is_waited_for(kind: Kind, stage: Stage) -> None:
    """A second where it says a second, though the client's own pause is shorter."""
    url = stage.show(Scripted([fails(503, "BusyError", "busy", retry_after="1"), ANSWER]))
    started = time.monotonic()
    assert ask(kind, url, "search", "knee") == FOUND
    assert time.monotonic() - started >= 1


def test_a_long_list_gets_through_a_limit(kind: Kind, folder: Path) -> None:
    """A service that takes 40 questions a second answers a list of 200."""
    from qa_search.interfaces.web.app import Settings, create_app

    with served(create_app(SearchIndex.open(folder, model=WordsEmbedder()), Settings(rate=40))) as url:
        assert len(ask(kind, url, "search_many", ["knee"] * 200, k=1)) == 200


def test_when_one_is_refused_all_others_wait(kind: Kind, stage: Stage) -> None:
    """Or those that come in between would take what was meant for it; only what is on its way still comes."""
    arrived: list[float] = []
    refuse = fails(429, "TooManyRequests", "too many requests", retry_after="1")

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        arrived.append(time.monotonic())
        await (refuse if len(arrived) == 10 else ANSWER)(scope, receive, send)

    url = stage.show(Scripted([limited]))
    assert ask(kind, url, "search_many", ["knee"] * 40) == [FOUND] * 40
    assert len(arrived) == 41
    assert sum(arrived[9] < moment < arrived[9] + 0.9 for moment in arrived) <= 16


@pytest.mark.parametrize("wait", ["31", "9" * 400, format_datetime(datetime(2999, 1, 1, tzinfo=UTC))])
def test_nobody_waits_longer_than_the_timeout(kind: Kind, stage: Stage, wait: str) -> None:
    """A service that wants to be left alone for long is an error at once."""
    service = Scripted([fails(429, "TooManyRequests", "too many requests", retry_after=wait), ANSWER])
    url = stage.show(service)
    with pytest.raises(ServiceError, match="too many requests") as told:
        ask(kind, url, "search", "knee")
    assert told.value.status == 429
    assert len(service.paths) == 1


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_service_that_stays_busy_is_an_error(kind: Kind, stage: Stage, retries: int) -> None:
    """After as many tries as were wanted."""
    service = Scripted([fails(503, "BusyError", "too many queries at once", retry_after="0")])
    url = stage.show(service)
    with pytest.raises(ServiceError, match="too many queries at once") as told:
        ask(kind, url, "search", "knee", options={"retries": retries})
    assert told.value.status == 503
    assert len(service.paths) == retries + 1


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (fails(503, "IndexDamagedError", "broken.", retry_after="0"), IndexDamagedError, "broken."),
        (fails(400, "QueryError", "k must be"), QueryError, "k must be"),
        (fails(500, "QASearchError", "odd"), QASearchError, "odd"),
        (fails(413, "TooLarge", "too large"), QueryError, "too large"),
        (fails(504, "SlowError", "not answered in time"), ServiceError, "not answered in time"),
        (fails(500, "SystemExit", "x"), ServiceError, "x"),
        (fails(500, "annotations", "x"), ServiceError, "x"),
        (says(500, {"error": "x"}), ServiceError, "500"),
        (says(500, ["error"]), ServiceError, "500"),
        (says(404, b"<html>no such page</html>"), ServiceError, "404"),
        (says(301, b"", location="http://127.0.0.1:1/"), ServiceError, "301"),
        (says(204, b""), ServiceError, "204"),
    ],
)
def test_errors_keep_their_class(
    kind: Kind, stage: Stage, answer: App, error: type[QASearchError], message: str
) -> None:
    """What the library can raise is raised; anything else is a ServiceError."""
    url = stage.show(Scripted([answer]))
    with pytest.raises(QASearchError, match=message) as told:
        ask(kind, url, "search", "knee")
    assert type(told.value) is error


def test_another_site_is_no_empty_archive(kind: Kind, stage: Stage) -> None:
    """A page that says 404 in its own words does not mean that there is no such post."""
    url = stage.show(Scripted([says(404, b"<html>no such page</html>")]))
    with pytest.raises(ServiceError):
        ask(kind, url, "post", "a" * 16)


GARBAGE = [
    b"",
    b"null",
    b"[]",
    b"3",
    b'"knee"',
    b"{",
    b"<html>hello</html>",
    b"\xff\xfe",
    b"[" * 100_000,
    b"1" * 10_000,
]


@pytest.mark.parametrize("body", GARBAGE, ids=lambda body: str(body[:12]))
@pytest.mark.parametrize("call", [("search", "knee"), ("post", "a" * 16), ("neighbours", "a" * 16), ("info",)], ids=str)
def test_garbage_is_told(kind: Kind, stage: Stage, call: tuple[str, ...], body: bytes) -> None:
    """Whatever is not the answer of such a service is a ServiceError, never a crash and never a result."""
    url = stage.show(Scripted([says(200, body)]))
    with pytest.raises(ServiceError, match="is this a qa_search service"):
        ask(kind, url, *call)


def test_a_body_that_is_not_what_its_header_says(kind: Kind, stage: Stage) -> None:
    """Such as one that is not packed as it claims to be."""
    url = stage.show(Scripted([says(200, b"not gzip", content_encoding="gzip")]))
    with pytest.raises(ServiceError):
        ask(kind, url, "search", "knee")


def test_an_endless_answer_is_given_up(kind: Kind, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it fills the memory."""
    monkeypatch.setattr(client_module, "MAX_ANSWER_BYTES", 1 << 20)
    gone = threading.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        left = asyncio.create_task(receive())
        while not left.done():
            await send({"type": "http.response.body", "body": b" " * 65_536, "more_body": True})
            await asyncio.sleep(0)
        gone.set()

    url = stage.show(Scripted([endless]))
    with pytest.raises(ServiceError, match="more than 1,048,576 bytes"):
        ask(kind, url, "search", "knee")
    assert gone.wait(10), "the connection was left open"


def test_the_first_error_ends_a_list(kind: Kind, stage: Stage) -> None:
    """As itself, not as a group of errors, and what was not yet asked is not asked."""
    service = Scripted([fails(400, "QueryError", "no")])
    url = stage.show(service)
    with pytest.raises(QueryError, match="no"):
        ask(kind, url, "search_many", ["knee"] * 200)
    assert len(service.paths) < 200


def test_what_is_sent(kind: Kind, stage: Stage) -> None:
    """One JSON document to the path below the given address, with the token; nothing that was not asked for."""
    service = Scripted([ANSWER])
    url = stage.show(service)
    ask(kind, f"{url}/archive/", "search", "knee\ud800 ", since=date(2015, 6, 1), options={"token": "s3cret"})
    assert service.paths == ["/archive/api/search"]
    assert service.headers[0][b"authorization"] == b"Bearer s3cret"
    assert json.loads(service.bodies[0]) == {"query": "knee\ufffd", "k": 5, "since": "2015-06-01", "tags": []}


def test_a_client_serves_several_threads(url: str, index: SearchIndex) -> None:
    """Each gets its own answers."""
    texts = [f"knee pain number {number}" for number in range(8)]
    found: dict[str, SearchResult] = {}
    with Client(url) as client:
        threads = [
            threading.Thread(target=lambda text=text: found.update({text: client.search(text)})) for text in texts
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {text: untimed(result) for text, result in found.items()} == {
        text: untimed(index.search(text)) for text in texts
    }


EXAMPLE = SearchResult(
    query="knee",
    answered=True,
    confidence=0.5,
    hits=(
        Hit(
            rank=1,
            post_id="a" * 16,
            source_id="1",
            title="Knee",
            date=None,
            source="faq",
            url="https://example.org",
            tags=("knee", "run"),
            score=0.25,
            confidence=1.0,
            matched="answer",
            passage="Rest.",
            highlight=Highlight("answer", 0, 5, "Rest."),
            question="It hurts.",
            answer="Rest.",
            newer=OtherPost("b" * 16, "2", "Knee", "2019-01-01"),
            repeated_by=(OtherPost("c" * 16, "3", "", None),),
            explain=Explanation(
                {"words": SignalShare(0.5, 1.0, 0.5)}, "answer", "knee", Highlight("answer", 0, 5, "Rest."), ("rest",)
            ),
        ),
    ),
    took_ms=1.5,
)


def places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Name every place in a document."""
    items: Sequence[tuple[str | int, object]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def changed(document: Any, path: tuple[str | int, ...], *value: object) -> Any:
    """Return a copy of a document with another value in one place, or without it."""
    copy = json.loads(json.dumps(document))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    if value:
        inner[path[-1]] = value[0]
    else:
        del inner[path[-1]]
    return copy


def test_records_come_back_from_their_documents() -> None:
    """Equal to what they were; what a later version may add is left out."""
    document = EXAMPLE.to_dict()
    assert read_record(SearchResult, json.loads(json.dumps(document))) == EXAMPLE
    advised = replace(EXAMPLE, advice="Ask in English.")
    assert read_record(SearchResult, json.loads(json.dumps(advised.to_dict()))) == advised
    assert read_record(SearchResult, {**document, "more": 1, "hits": [{**document["hits"][0], "more": 1}]}) == EXAMPLE


def test_a_document_of_another_form_is_no_record() -> None:
    """In each place each value of another type, and nothing: an error, or a record that says the same."""
    document = EXAMPLE.to_dict()
    wrong: list[Any] = [None, True, 3, 2.5, "x", [], {}, [[]], [None], {"x": None}]
    tried = refused = 0
    for path in places(document):
        for value in ((), *((item,) for item in wrong)):
            made = changed(document, path, *value)
            tried += 1
            try:
                record = read_record(SearchResult, made)
            except ValueError:
                refused += 1
            else:
                # What is taken is written as it came, but for defaults and whole numbers in place of fractions.
                assert json.loads(json.dumps(record.to_dict())) == {**made, **_defaults(made)}, (path, value)
    assert tried > 500
    assert refused > 400


def test_a_yes_is_no_number() -> None:
    """Though Python takes True for 1."""
    for path in (("hits", 0, "rank"), ("hits", 0, "score"), ("hits", 0, "highlight", "start")):
        with pytest.raises(ValueError, match=str(path[-1])):
            read_record(SearchResult, changed(EXAMPLE.to_dict(), path, True))


def _defaults(made: dict[str, Any]) -> dict[str, Any]:
    """Return the hits with what a document may leave out, and without what it may have for nothing."""
    optional: dict[str, Any] = {"newer": None, "repeated_by": []}
    hits = [{**optional, **hit} for hit in made["hits"]]
    return {"hits": [{key: item for key, item in hit.items() if (key, item) != ("explain", None)} for hit in hits]}


@pytest.mark.parametrize("value", [None, [], "x", 3, {}, {"source": 5, "source_id": "x"}, {"source": "x"}])
def test_a_post_of_another_form_is_no_post(value: object) -> None:
    """Nor is nothing."""
    with pytest.raises(ValueError, match="Post"):
        read_record(Post, value)


@pytest.mark.process
def test_importing_the_package_loads_no_client() -> None:
    """Who searches an index does not wait for what speaks HTTP."""
    program = "import sys, qa_search, qa_search.interfaces.cli; print('httpx2' in sys.modules, 'mcp' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "False False"


@pytest.mark.process
def test_the_examples_of_clients_run(url: str, index: SearchIndex) -> None:
    """They print the posts that the index finds."""

    def run(name: str, *arguments: str, lines: str = "") -> str:
        return subprocess.run(
            [sys.executable, f"docs/examples/{name}", *arguments],
            cwd=ROOT,
            env={**os.environ, "QA_SEARCH_URL": url},
            input=lines,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    shown = run("search_script.py", COMPLAINTS[0])
    for hit in index.search(COMPLAINTS[0], 3).hits:
        assert hit.title in shown
        assert hit.highlight.text in shown
    lines = run("search_async.py", lines="thigh\n\nheel in the morning\n").splitlines()
    results = index.search_many(["thigh", "heel in the morning"], 1)
    assert lines == [
        f"{result.query}: {result.hits[0].title if result.answered else 'nothing seems to answer this'}"
        for result in results
    ]


@pytest.mark.process
@pytest.mark.parametrize("name", ["search_script.py", "search_async.py"])
def test_the_examples_of_clients_say_that_nothing_answers(name: str) -> None:
    """In one line with the way out, as programs made after them will."""
    done = subprocess.run(
        [sys.executable, f"docs/examples/{name}"],
        cwd=ROOT,
        env={**os.environ, "QA_SEARCH_URL": "http://127.0.0.1:9"},
        input="thigh\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: http://127.0.0.1:9: ")
    assert "qa-search serve" in line


def test_the_two_clients_are_alike() -> None:
    """The same methods with the same parameters and results; those that ask are coroutines of the asynchronous one."""

    def methods(kind: type) -> dict[str, Any]:
        return {name: member for name, member in vars(kind).items() if not name.startswith("_") and callable(member)}

    plain, asynchronous = methods(Client), methods(AsyncClient)
    assert plain.keys() == asynchronous.keys()
    assert {"search", "search_many", "similar", "info", "close"} <= plain.keys()
    for name, method in plain.items():
        other = asynchronous[name]
        assert inspect.iscoroutinefunction(other), name
        assert not inspect.iscoroutinefunction(method), name
        assert inspect.signature(method) == inspect.signature(other), name
    assert inspect.signature(Client) == inspect.signature(AsyncClient)
