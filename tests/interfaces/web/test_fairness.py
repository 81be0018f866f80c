"""Nobody keeps others waiting: long questions, many questions, wrong tokens, hung libraries and a hung index."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from qa_search import SearchIndex, build_index
from qa_search.interfaces.web import api
from qa_search.interfaces.web import app as app_module
from qa_search.interfaces.web.app import Settings
from qa_search.interfaces.web.connections import Limits
from qa_search.interfaces.web.guards import Buckets
from qa_search.interfaces.web.service import _Lane, _Waiting
from qa_search.search.query import SearchParameters
from tests.helpers import WordsEmbedder, write_jsonl, write_pages
from tests.interfaces.web.test_app import ask, serving

LONG = "knee " * 1000


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fairness")
    build_index(write_pages(folder / "pages", 12), folder / "index", model=WordsEmbedder())
    return folder / "index"


class Gate(WordsEmbedder):
    """Waits with questions that have the word "stuck", until it is let go; counts those with "noted"."""

    def __init__(self) -> None:
        super().__init__()
        self.go, self.reached = threading.Event(), threading.Event()
        self.noted = 0

    def embed_queries(self, texts: Any) -> Any:
        self.noted += any("noted" in text for text in texts)
        if any("stuck" in text for text in texts):
            self.reached.set()
            assert self.go.wait(600)
        return super().embed_queries(texts)


@pytest.fixture
def gate() -> Iterator[Gate]:
    """An embedder that is let go at the end."""
    embedder = Gate()
    yield embedder
    embedder.go.set()


def search(address: str, text: str, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(f"{address}/api/search", {"query": text, "k": 1}, named)[0]


def until(found: Callable[[], bool]) -> None:
    """Ask until something holds."""
    while not found():
        pass


def send_and_leave(address: str, text: str) -> Callable[[], None]:
    """Ask on a connection of its own; return what closes it."""
    connection = socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=60)
    body = f'{{"query": "{text}"}}'.encode()
    connection.sendall(
        b"POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    return connection.close


def test_a_short_question_does_not_wait_for_long_ones(index: Path, gate: Gate) -> None:
    """While a long one is searched and others wait, it is answered."""
    with serving(index, Settings(rate=0), gate) as address, ThreadPoolExecutor(4) as pool:
        long = [pool.submit(search, address, f"stuck {LONG}") for _ in range(4)]
        assert gate.reached.wait(60)
        assert search(address, "my knee5 hurts") == 200
        assert not any(one.done() for one in long)
        gate.go.set()
        assert [one.result() for one in long] == [200] * 4


def test_too_many_characters_do_not_wait(index: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number of characters the service is busy, however few the questions are."""
    monkeypatch.setattr("qa_search.interfaces.web.service._WAITING_CHARACTERS", 5 * len(LONG))
    with serving(index, Settings(rate=0), gate) as address, ThreadPoolExecutor(8) as pool:
        first = pool.submit(search, address, f"stuck {LONG}")
        assert gate.reached.wait(60)
        waiting = [pool.submit(search, address, LONG) for _ in range(5)]
        until(lambda: "qa_search_waiting 5.0" in ask(f"{address}/metrics")[1])
        assert search(address, LONG) == 503
        gate.go.set()
        assert [one.result() for one in (first, *waiting)] == [200] * 6


def test_long_questions_are_searched_one_by_one(index: Path, gate: Gate) -> None:
    """A batch is bounded by its characters too, so that one whose asker has gone can be left out."""
    with serving(index, Settings(rate=0), gate) as address, ThreadPoolExecutor(8) as pool:
        first = pool.submit(search, address, f"stuck {LONG}")
        assert gate.reached.wait(60)
        others = [pool.submit(search, address, LONG) for _ in range(4)]
        until(lambda: "qa_search_waiting 4.0" in ask(f"{address}/metrics")[1])
        gate.go.set()
        assert [one.result() for one in (first, *others)] == [200] * 5
        counts = ask(f"{address}/metrics")[1]
    assert "qa_search_batch_size_count 5.0" in counts


def test_nothing_is_searched_for_who_has_gone(index: Path, gate: Gate) -> None:
    """A question is given up when its connection closes before its turn."""
    with serving(index, Settings(rate=0), gate) as address, ThreadPoolExecutor(1) as pool:
        first = pool.submit(search, address, f"stuck {LONG}")
        assert gate.reached.wait(60)
        leave = send_and_leave(address, f"noted {LONG}")
        until(lambda: "qa_search_waiting 1.0" in ask(f"{address}/metrics")[1])
        leave()
        gone = 'qa_search_requests_total{route="/api/search",status="499"} 1.0'
        until(lambda: gone in ask(f"{address}/metrics")[1])
        gate.go.set()
        assert first.result() == 200
        assert search(address, LONG) == 200
    assert gate.noted == 0


def test_characters_count_against_the_rate(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two long complaints at once, then their client has to wait, and no other."""
    monkeypatch.setattr(app_module, "_CHARACTERS_AT_ONCE", 2 * len(LONG) + 500)
    monkeypatch.setattr(app_module, "_CHARACTERS_EACH", 0.001)
    with serving(index, Settings(rate=1000)) as address:
        assert [search(address, LONG) for _ in range(3)] == [200, 200, 429]
        status, document, headers = ask(f"{address}/api/search", {"query": LONG})
        assert (status, document["error"]["type"]) == (429, "TooManyRequests")
        assert int(headers["retry-after"]) > 1
        assert search(address, "my knee5 hurts", x_forwarded_for="192.0.2.1") == 200
        assert ask(f"{address}/?{urlencode({'q': LONG})}")[0] == 429
        assert ask(f"{address}/api/info")[0] == 200


def test_buckets_fill_again() -> None:
    """At their rate, and no further than what a client may have at once."""
    now = 0.0
    buckets = Buckets(2, 10, clock=lambda: now)
    assert buckets.take("a", 8) == 0
    assert buckets.take("a", 8) == pytest.approx(3)
    assert buckets.take("b", 8) == 0
    now = 3.0
    assert buckets.take("a", 8) == 0
    now = 1000.0
    assert buckets.take("a", 50) == 0
    assert buckets.take("a", 1) == pytest.approx(0.5)


def test_wrong_tokens_are_limited_and_the_right_one_passes(index: Path) -> None:
    """By address: 429 with the time to wait; none of it is held against who has the token."""
    with serving(index, Settings(token="right", rate=0)) as address:  # noqa: S106 - a test's
        url = f"{address}/api/info"
        found = [ask(url, headers={"authorization": "Bearer wrong"}) for _ in range(60)]
        statuses = [status for status, _, _ in found]
        assert statuses[0] == 401
        assert statuses.count(429) >= 30
        refused = found[statuses.index(429)]
        assert int(refused[2]["retry-after"]) >= 1
        assert ask(url, headers={"authorization": "Bearer right"})[0] == 200
        assert ask(url)[0] == 401
        assert ask(url, headers={"authorization": "Bearer wrong", "x-forwarded-for": "192.0.2.1"})[0] == 401


class Panic(BaseException):
    """As a Rust library raises it."""


class Broken(WordsEmbedder):
    """Panics at the word "panic"."""

    def embed_queries(self, texts: Any) -> Any:
        if any("panic" in text for text in texts):
            raise Panic("no such luck")
        return super().embed_queries(texts)


def test_a_panic_below_ends_one_request_only(index: Path) -> None:
    """With status 500; what is searched beside it and after it is answered, and the service is ready."""
    with serving(index, Settings(rate=0), Broken()) as address:
        with ThreadPoolExecutor(10) as pool:
            texts = ["panic" if n % 3 == 0 else "my knee5 hurts" for n in range(10)]
            assert list(pool.map(lambda text: search(address, text), texts)) == [500, 200, 200] * 3 + [500]
        assert ask(f"{address}/?q=panic")[0] == 500
        assert search(address, "my knee5 hurts") == 200
        assert ask(f"{address}/readyz")[0] == 200


def test_an_error_of_the_service_itself_does_not_end_it(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task that answers begins again; whoever asked meanwhile gets an answer or an error in time."""
    failures = iter([RuntimeError("a fault")])
    real = _Lane.next_batch

    def faulty(lane: _Lane, most: int) -> Any:
        for error in failures:
            raise error
        return real(lane, most)

    with serving(index, Settings(rate=0, timeout=1)) as address:
        monkeypatch.setattr(_Lane, "next_batch", faulty)
        assert search(address, "my knee5 hurts") in (200, 504)
        assert search(address, "my knee5 hurts") == 200


def test_readiness_tells_of_a_search_that_hangs(index: Path, gate: Gate) -> None:
    """And of its end."""
    with serving(index, Settings(rate=0, timeout=0.2), gate) as address:
        assert search(address, "stuck") == 504
        until(lambda: ask(f"{address}/readyz")[0] == 503)
        assert "has not ended" in ask(f"{address}/readyz")[1]["error"]["message"]
        assert ask(f"{address}/healthz")[0] == 200
        gate.go.set()
        until(lambda: ask(f"{address}/readyz")[0] == 200)
        assert search(address, "my knee5 hurts") == 200


def test_an_index_that_hangs_is_given_up(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a frozen database does it: a post, its page, those like it and the page of the search are errors in time."""
    go = threading.Event()

    def hang(*_: Any) -> Any:
        assert go.wait(600)

    for name in ("post", "neighbours", "info", "refresh"):
        monkeypatch.setattr(SearchIndex, name, hang)
    try:
        with serving(index, Settings(rate=0, timeout=0.2)) as address:
            for path in ("/api/posts/abc", "/api/posts/abc/similar", "/posts/abc", "/api/info", "/", "/?like=abc"):
                assert ask(address + path)[0] in (503, 504), path
            until(lambda: ask(f"{address}/readyz")[0] == 503)
            assert search(address, "my knee5 hurts") == 200
            go.set()
    finally:
        go.set()


def test_a_service_that_stops_refuses_what_it_cannot_answer(index: Path, gate: Gate) -> None:
    """Before it closes connections; the search that hangs does not keep it."""
    with ThreadPoolExecutor(3) as pool:
        with serving(index, Settings(rate=0), gate, graceful_seconds=1) as address:
            waiting = [pool.submit(search, address, "stuck")]
            assert gate.reached.wait(60)
            waiting += [pool.submit(search, address, "stuck") for _ in range(2)]
            until(lambda: "qa_search_waiting 2.0" in ask(f"{address}/metrics")[1])
        assert [one.result() for one in waiting] == [503] * 3


def test_head_is_answered(index: Path) -> None:
    """As GET, without the body."""
    with serving(index) as address:
        port = int(address.rpartition(":")[2])
        for path in ("/", "/?q=knee5", "/api/search?q=knee5", "/api/info", "/healthz", "/readyz", "/static/app.js"):
            with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
                connection.sendall(f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                head, _, body = b"".join(iter(lambda: connection.recv(1 << 16), b"")).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), path
            assert re.search(rb"content-length: [1-9]", head)
            assert body == b""


def post_form(address: str, fields: Mapping[str, str]) -> tuple[int, bytes, bytes]:
    """Send a form as a browser without scripts does; return status, head and body, and follow nothing."""
    body = urlencode(fields).encode()
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=60) as connection:
        connection.sendall(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n\r\n%s" % (len(body), body)
        )
        got = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    head, _, page = got.partition(b"\r\n\r\n")
    return int(head.split()[1]), head, page


def test_the_form_takes_long_complaints(index: Path) -> None:
    """A short one becomes an address that can be passed on, a long one is answered where it was sent."""
    with serving(index) as address:
        assert 'method="post"' in ask(address)[1]
        status, head, _ = post_form(address, {"q": "my knee5 hurts", "since": "", "k": "3"})
        assert (status, b"location: /?q=my+knee5+hurts&k=3" in head) == (303, True)
        longest = ("my knee5 hurts \u00fc " * 10_000)[:100_000]
        status, _, page = post_form(address, {"q": longest})
        assert status == 200
        assert b"Complaint 5" in page
        assert b"Copy link to this search" not in page
        assert post_form(address, {"q": "knee", "k": "many"})[0] == 400
        assert post_form(address, {f"field{n}": "x" for n in range(100)})[0] == 400


def test_one_answer_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page shows the beginning of long posts and says so; the API gives fewer posts whole, or says what to do."""
    records = [{"id": n, "title": f"Knee {n}", "question": "My knee hurts.", "answer": f"Rest{n} it. " * 5000}
               for n in range(4)]  # fmt: skip
    build_index(write_jsonl(tmp_path / "a.jsonl", records), tmp_path / "index", model=WordsEmbedder())
    monkeypatch.setattr(api, "MAX_ANSWER_CHARACTERS", 150_000)
    with serving(tmp_path / "index") as address:
        status, document, _ = ask(f"{address}/api/search?q=knee&k=4")
        assert status == 400
        assert "ask for fewer posts" in document["error"]["message"]
        status, document, _ = ask(f"{address}/api/search?q=knee&k=2")
        assert [len(hit["answer"]) > 40_000 for hit in document["hits"]] == [True, True]
        status, page, _ = ask(f"{address}/?q=knee&k=4")
        assert status == 200
        assert page.count("read the rest of it") == 4
        assert 'data-copy="answer"' not in page
        assert len(page) < 4 * 30_000


def test_connections_of_the_service_are_bounded(index: Path) -> None:
    """The service itself is behind the guards of connections."""
    with serving(index, limits=Limits(connections=4)) as address:
        port = int(address.rpartition(":")[2])
        silent = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(12)]
        assert ask(f"{address}/healthz")[0] == 200
        assert silent[0].recv(1) == b""
        for connection in silent:
            connection.close()


def test_clients_take_turns() -> None:
    """One that asks much waits for itself: another's question comes next, and many hits are no batch."""
    lane = _Lane("test")
    asked = [("a", 100), ("a", 100), ("a", 100), ("b", 5), ("a", 5), ("c", 5)]

    async def turns() -> list[list[str]]:
        answers = [asyncio.get_running_loop().create_future() for _ in asked]
        lane.queue = [
            _Waiting("knee", SearchParameters(k), 4, answer, client=client)
            for (client, k), answer in zip(asked, answers, strict=True)
        ]
        return [[waiting.client for waiting in batch] for batch in iter(lambda: lane.next_batch(32), [])]

    assert asyncio.run(turns()) == [["a"], ["b", "a", "c"], ["a"], ["a"]]
