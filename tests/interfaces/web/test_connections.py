"""Connections that are silent, slow, endless or too many: each comes to an end, and the others are answered."""

from __future__ import annotations

import logging
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from qa_search import build_index
from qa_search.interfaces.cli.listening import listen
from qa_search.interfaces.web.connections import Connections, Limits, guarded_server, limits_for
from qa_search.interfaces.web.guards import Guards
from qa_search.interfaces.web.logs import RepeatFilter
from tests.helpers import ROOT, WordsEmbedder, write_pages
from tests.interfaces.web.test_app import ask

HEAD = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"


async def ok(scope: Any, receive: Any, send: Any) -> None:
    """Answer anything with one word; /large with 40 MB."""
    if scope["type"] != "http":
        return
    body = b"x" * 40_000_000 if scope["path"] == "/large" else b"ok"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def listening(limits: Limits, app: Any = None) -> Iterator[int]:
    """Serve an app, by itself one behind the guards; yield the port."""
    guarded = app or Guards(ok, token=None, rate=0, max_body=1 << 20, hosts=frozenset())
    server = guarded_server(guarded, limits, graceful_seconds=1)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def connect(port: int, sent: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.sendall(sent)
    return connection


def read_all(connection: socket.socket) -> bytes:
    """Read until the other end closes; what was cut off counts as closed."""
    got = bytearray()
    try:
        while data := connection.recv(1 << 16):
            got += data
    except ConnectionError:
        pass
    return bytes(got)


def exchange(port: int, *sent: bytes) -> bytes:
    """Send, as far as the other end takes it, and read what comes until it closes."""
    with connect(port) as connection:
        try:
            for part in sent:
                connection.sendall(part)
        except ConnectionError:
            pass
        return read_all(connection)


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", b""),
        (b"GET / HT", b"HTTP/1.1 408 "),
        (HEAD, b"HTTP/1.1 408 "),
        (HEAD + b"\r\n", b"HTTP/1.1 200 "),
        (HEAD + b"\r\nGET / HT", b"HTTP/1.1 200 "),
    ],
    ids=["nothing", "half a line", "headers without an end", "a whole request", "a whole one and half a line"],
)
def test_a_connection_without_a_whole_request_is_closed(sent: bytes, answer: bytes) -> None:
    """Whatever it sent or did not send, after the time that there is for a request."""
    with listening(Limits(head_seconds=1)) as port, connect(port, sent) as connection:
        got = read_all(connection)
    assert got.startswith(answer)
    assert bool(got) == bool(answer)


def test_a_request_that_is_refused_before_its_body_came_is_closed() -> None:
    """The rest of its body need not come."""
    guards = Guards(ok, token="right", rate=0, max_body=100, hosts=frozenset())  # noqa: S106 - a test's
    with listening(Limits(head_seconds=1), guards) as port:
        got = exchange(port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nx")
    assert got.startswith(b"HTTP/1.1 401 ")


def test_a_body_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is that of the whole body: a byte now and then does not prolong it."""
    monkeypatch.setattr("qa_search.interfaces.web.guards._BODY_SECONDS", 1.0)
    with listening(Limits()) as port:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n"
        with connect(port, head) as connection:
            stop = threading.Event()

            def drip() -> None:
                while not stop.wait(0.05):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

            dripping = threading.Thread(target=drip)
            dripping.start()
            assert connection.recv(100).startswith(b"HTTP/1.1 408 ")
            stop.set()
            dripping.join()


def test_silent_connections_make_room_for_a_request() -> None:
    """Beyond the limit the longest silent one is closed, and who asks is answered."""
    with listening(Limits(connections=5)) as port, ExitStack() as held:
        silent = [held.enter_context(connect(port)) for _ in range(20)]
        assert exchange(port, HEAD + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        for connection in silent[:16]:
            assert read_all(connection) == b""


class _Held:
    """A connection, as `Connections` knows it."""

    def __init__(self, address: str, since: float, *, waits: bool = True, unsent: int = 0) -> None:
        self.address, self.since, self.is_waiting, self.unsent = address, since, waits, unsent
        self.closed = False

    def give_up(self) -> None:
        self.closed = True

    abort = give_up


def admitted(limits: Limits, held: Sequence[_Held]) -> list[bool]:
    connections = Connections(limits)
    return [connections.admit(one) for one in held]  # type: ignore[arg-type]


def test_one_address_takes_its_share_only() -> None:
    """Its own oldest connection makes room, never another's; this machine's own addresses may be a proxy's."""
    limits = Limits(connections=10, per_address=2)
    other, own = _Held("192.0.2.1", 0), [_Held("192.0.2.2", n) for n in range(1, 5)]
    assert admitted(limits, [other, *own]) == [True] * 5
    assert [one.closed for one in (other, *own)] == [False, True, True, False, False]
    near = [_Held("127.0.0.1", n) for n in range(8)]
    assert admitted(limits, near) == [True] * 8
    assert not any(one.closed for one in near)


def test_connections_that_are_being_answered_stay() -> None:
    """Where all are, a new one is refused; where some wait, the address with most of them gives one up."""
    limits = Limits(connections=3, per_address=3)
    busy = [_Held("192.0.2.1", n, waits=False) for n in range(4)]
    assert admitted(limits, busy) == [True, True, True, False]
    mixed = [_Held("192.0.2.9", 0), _Held("192.0.2.1", 1), _Held("192.0.2.1", 2), _Held("192.0.2.3", 3)]
    assert admitted(limits, mixed) == [True] * 4
    assert [one.closed for one in mixed] == [False, True, False, False]


def test_who_leaves_most_unread_is_closed_first() -> None:
    """Until what is left unread fits."""
    connections = Connections(Limits(unsent_bytes=100))
    held = [_Held("192.0.2.1", 0, unsent=30), *(_Held("192.0.2.2", n, unsent=40) for n in (1, 2, 3))]
    for one in held:
        connections.admit(one)  # type: ignore[arg-type]
    connections.relieve()
    assert [one.closed for one in held] == [False, True, True, False]


def test_answers_that_nobody_reads_are_dropped() -> None:
    """After a while, or at once if there are too many of them."""
    ask_large = b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n"
    with listening(Limits(send_seconds=1, send_rate=1 << 30)) as port, connect(port, ask_large) as connection:
        # Whoever asks meanwhile is answered; that one is there no longer shows in what can be read in the end.
        assert connection.recv(4, socket.MSG_WAITALL) == b"HTTP"
        while exchange(port, HEAD + b"Connection: close\r\n\r\n") and not _is_reset(connection):
            pass
        assert len(read_all(connection)) < 40_000_000
    with listening(Limits(unsent_bytes=50_000_000)) as port, ExitStack() as held:
        unread = [held.enter_context(connect(port, ask_large)) for _ in range(3)]
        for connection in unread:
            assert connection.recv(4, socket.MSG_WAITALL) == b"HTTP"
        sizes = sorted(len(read_all(connection)) for connection in unread)
        assert sizes[0] < 40_000_000
        assert sizes[-1] > 40_000_000


def _is_reset(connection: socket.socket) -> bool:
    """Tell whether the other end has dropped a connection."""
    return connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a:b\r\n" * 200_000 + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a:b\r\n" * 101 + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: a\r\na: " + b"x" * 33_000 + b"\r\n\r\n", b"431"),
        (b"GET /?q=" + b"x" * 33_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"414"),
        (b"GET /?q=" + b"x" * 300_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"414"),
        (b"GET /?" + b"a&" * 400_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"414"),
        (b"GET /?" + b"a&" * 200 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
        (HEAD + b"\r\nGET / HTTP/1.1\r\nHost: a\r\n" + b"a:b\r\n" * 200_000 + b"\r\n", b"431"),
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00", b"400"),
    ],
    ids=[
        "a megabyte of headers", "101 headers", "a long header", "a long address", "a very long address",
        "400,000 parameters", "200 parameters", "headers behind another request", "no HTTP",
    ],
)  # fmt: skip
def test_heads_that_are_too_large_are_refused(head: bytes, status: bytes) -> None:
    """By a status of their own, which reaches whoever goes on sending; a long address is told of POST."""
    with listening(Limits(head_seconds=1)) as port:
        got = exchange(port, head)
    last = got.rpartition(b"HTTP/1.1 ")[2]
    assert last.startswith(status), got[:200]
    if status == b"414":
        assert b"POST" in last


def test_what_fits_is_taken() -> None:
    """An address of almost all that a head may have, and a hundred headers."""
    with listening(Limits()) as port:
        address = b"GET /?q=" + b"x" * 32_000 + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        assert exchange(port, address).startswith(b"HTTP/1.1 200 ")
        headers = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + b"a: b\r\n" * 98 + b"\r\n"
        assert exchange(port, headers).startswith(b"HTTP/1.1 200 ")


def test_requests_in_a_row_are_all_answered() -> None:
    """Sent at once on one connection, in their order."""
    with listening(Limits()) as port:
        got = exchange(port, (HEAD + b"\r\n") * 300 + HEAD + b"Connection: close\r\n\r\n")
    assert got.count(b"HTTP/1.1 200 ") == 301


def test_an_answer_that_does_not_begin_is_an_error() -> None:
    """At the deadline, whatever the app waits for."""

    async def never(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            while (await receive())["type"] != "never":
                pass

    guards = Guards(never, token=None, rate=0, max_body=100, hosts=frozenset(), deadline=0.2)
    with listening(Limits(), guards) as port:
        assert exchange(port, HEAD + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 504 ")


@pytest.mark.process
def test_connections_stay_below_the_limit_of_files() -> None:
    """The index and the queue of connections have theirs."""
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)); "
        "from qa_search.interfaces.web.connections import limits_for; print(limits_for(512).connections)"
    )
    out = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 0 < int(out.stdout) <= 256 - 128
    assert limits_for(16).connections == 16


END = """
import asyncio, socket, sys, time
import qa_search.interfaces.web.connections as connections
connections._LAST_RESORT = 0.5
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        print("started", flush=True)
        await receive()
        time.sleep(600)
listener = socket.create_server(("127.0.0.1", 0))
server = connections.guarded_server(app, connections.Limits(), graceful_seconds=1)
server.run(sockets=[listener])
"""


@pytest.mark.process
def test_the_process_ends_whatever_hangs() -> None:
    """After a signal to end, at the latest some seconds after the graceful time, and the log says so."""
    with subprocess.Popen(
        [sys.executable, "-c", END], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=600)[1]
    assert process.returncode == 1
    assert "ends now" in said


def test_a_message_that_repeats_is_written_a_few_times() -> None:
    """And counted: the next minute's first one says how many were left out."""
    now = 0.0
    written: list[str] = []
    repeats = RepeatFilter(often=3, clock=lambda: now)

    def write(message: str, *args: object) -> None:
        record = logging.LogRecord("a", logging.ERROR, "", 0, message, args, None)
        if repeats.filter(record):
            written.append(record.getMessage())

    for number in range(1000):
        write("failed %d", number)
    write("another")
    assert written == ["failed 0", "failed 1", "failed 2", "another"]
    now = 61.0
    write("failed %d", 1000)
    assert written[-1] == "failed 1000 (997 more like this were left out of the log)"
    write("x" * 1_000_000)
    assert len(written[-1]) < 3000


@pytest.mark.process
def test_the_log_of_invalid_requests_is_bounded(tmp_path: Path) -> None:
    """A hundred requests that are not HTTP are a few lines."""
    program = (
        "import logging, socket, sys\n"
        "from qa_search.interfaces.web.connections import Limits, guarded_server\n"
        "from qa_search.interfaces.web.logs import set_up_logging\n"
        "set_up_logging(logging.INFO)\n"
        "from tests.interfaces.web.test_connections import ok\n"
        "listener = socket.create_server(('127.0.0.1', 0)); print(listener.getsockname()[1], flush=True)\n"
        "guarded_server(ok, Limits(), graceful_seconds=1).run(sockets=[listener])\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        for _ in range(100):
            assert exchange(port, b"\x16\x03 nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        assert ask(f"http://127.0.0.1:{port}/")[0] == 200
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[1]
    assert 0 < said.count("Invalid HTTP request") <= 10


def test_assistants_are_served_beside_silent_connections(tmp_path: Path) -> None:
    """The server of the Model Context Protocol has the same guards, and stays below the limit of files."""
    build_index(write_pages(tmp_path / "pages", 3), tmp_path / "index", model=WordsEmbedder())
    command = f"ulimit -n 256 && exec {sys.executable} -m qa_search mcp --index {tmp_path}/index --http 127.0.0.1:0"
    with subprocess.Popen(["sh", "-c", command], cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        shown = None
        while shown is None:
            shown = re.search(r":(\d+)/mcp", process.stderr.readline())
        port = int(shown[1])
        with ExitStack() as held:
            silent = [held.enter_context(connect(port)) for _ in range(300)]
            assert exchange(port, HEAD + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 404 ")
            assert read_all(silent[0]) == b""
            request = b"GET /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n"
            assert exchange(port, request).startswith(b"HTTP/1.1 405 ")
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=600)[1]
    assert "Too many open files" not in said


def test_a_listener_queues_as_many_connections_as_the_limits_say() -> None:
    """From the beginning, before the server runs: the kernel holds one more than asked for."""
    listener = listen("127.0.0.1", 0, 1, "")
    with listener, ExitStack() as held:
        waiting = [held.enter_context(socket.socket()) for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
        states = [one.connect_ex(listener.getsockname()) for one in waiting]
        connected = [one for one, state in zip(waiting, states, strict=True) if state == 0 or is_connected(one)]
        assert len(connected) <= 2


def is_connected(one: socket.socket) -> bool:
    try:
        return bool(one.getpeername())
    except OSError:
        return False
