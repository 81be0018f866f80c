"""The connections of a service: limits on number and time, and a guaranteed end.

uvicorn answers requests; it waits without end for a request that does not come and for a client that does not read.
`GuardedProtocol` bounds both, `Connections` counts them, `GuardedServer` looks after them once a second.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import os
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from types import FrameType
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from qa_search.interfaces.web.guards import MAX_HEAD_BYTES, address_too_long, headers_too_long
from qa_search.util.defaults import DEFAULT_CONNECTIONS

_BACKLOG = 64  # connections that wait until they are accepted, and that are accepted at once
# Rounds of the loop from a connection's acceptance until a refused one is closed.
_ROUNDS = 3
# Files that are open beside the connections: the index (two generations at a move), its libraries, a database.
_OTHER_FILES = 128
_FEWEST = 8
_SLICE = 16 << 10  # bytes that are parsed at once: the loop answers others in between
_SEPARATORS = 4 << 10  # bytes of a head that are neither its address nor a header
_LINGER_BYTES = 4 << 20
_LAST_RESORT = 5.0  # seconds beyond the graceful time until the process is ended

log = logging.getLogger("qa_search")


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on connections.

    ``connections`` at once, ``per_address`` of them from one address (but for this machine's own, where a proxy may
    be); a whole request within ``head_seconds``; an answer read at ``send_rate`` bytes a second after the first
    ``send_seconds``; at most ``unsent_bytes`` of answers that are not read yet; a refused client may finish sending for
    ``linger_seconds``. ``backlog`` connections are accepted at once, before any of them can be refused.
    """

    connections: int = DEFAULT_CONNECTIONS
    per_address: int = DEFAULT_CONNECTIONS // 4
    head_seconds: float = 10.0
    send_seconds: float = 20.0
    send_rate: int = 32 << 10
    unsent_bytes: int = 64 << 20
    linger_seconds: float = 2.0
    backlog: int = _BACKLOG


def limits_for(connections: int) -> Limits:
    """Return limits for ``connections``, or for fewer if this process may not open so many files."""
    try:
        import resource

        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    except ModuleNotFoundError:  # not on Windows
        return Limits(connections=connections, per_address=max(connections // 4, _FEWEST))
    backlog, possible = _BACKLOG, connections
    if files != resource.RLIM_INFINITY:
        backlog = max(min(_BACKLOG, files // 16), _FEWEST)
        possible = files - _OTHER_FILES - _ROUNDS * backlog
    count = max(min(connections, possible), _FEWEST)
    if count < connections:
        log.warning("%d connections at once, not %d: this process may not open more files", count, connections)
    return Limits(connections=count, per_address=max(count // 4, _FEWEST), backlog=backlog)


class Connections:
    """All connections of a server. Used on its loop only."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        """Count by a clock in seconds."""
        self.limits = limits
        self.clock = clock
        self._open: dict[GuardedProtocol, None] = {}  # the oldest first

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, new: GuardedProtocol) -> bool:
        """Accept a connection, if necessary in place of the one that waits longest for a complete request."""
        crowd = [one for one in self._open if one.address == new.address] if not is_loopback(new.address) else []
        if len(crowd) < self.limits.per_address:
            crowd = list(self._open) if len(self._open) >= self.limits.connections else []
        if crowd and not self._drop_one(crowd):
            return False
        self._open[new] = None
        return True

    def _drop_one(self, crowd: list[GuardedProtocol]) -> bool:
        """Close the connection that waits longest, of the address with the most waiting connections."""
        waiting = [one for one in crowd if one.is_waiting]
        if not waiting:
            return False
        most = Counter(one.address for one in waiting).most_common(1)[0][0]
        victim = min((one for one in waiting if one.address == most), key=lambda one: one.since)
        victim.give_up()
        self.forget(victim)
        return True

    def forget(self, gone: GuardedProtocol) -> None:
        """Remove a closed connection."""
        self._open.pop(gone, None)

    def sweep(self) -> None:
        """Close connections that take too long."""
        for connection in list(self._open):
            connection.check()

    def relieve(self) -> None:
        """While too much is unread, close the oldest connection of the address that leaves most unread."""
        while True:
            sizes = {one: one.unsent for one in self._open if one.unsent}
            if len(sizes) < 2 or sum(sizes.values()) <= self.limits.unsent_bytes:
                return
            held: Counter[str] = Counter()
            for one, size in sizes.items():
                held[one.address] += size
            most = held.most_common(1)[0][0]
            victim = next(one for one in sizes if one.address == most)
            victim.abort()
            self.forget(victim)


class GuardedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, with an end to every wait."""

    registry: Connections  # set by `protocol_class`

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.address = ""
        self.since = self.registry.clock()  # when it began to wait for a request
        self._pending = bytearray()  # what came while a request is being answered
        self._lingering = -1  # bytes that came since it was refused
        self._unread: tuple[float, int] | None = None  # since when an answer is not read, and the most of it

    @property
    def is_waiting(self) -> bool:
        """Whether no request is being answered."""
        return self._lingering >= 0 or self.cycle is None or self.cycle.response_complete

    @property
    def unsent(self) -> int:
        """Bytes of answers that the client has not read."""
        return self.transport.get_write_buffer_size()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection, or refuse it."""
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        if not self.registry.admit(self):
            transport.write(_response(HTTPStatus.SERVICE_UNAVAILABLE, "BusyError", "too many connections: ask again"))
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self.registry.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read in small pieces, and nothing of the next request before this one is answered."""
        if self._lingering >= 0:
            self._lingering += len(data)
            if self._lingering > _LINGER_BYTES:
                self.transport.abort()
            return
        self._pending += data
        self._feed()

    def _feed(self) -> None:
        while self._pending and self._lingering < 0 and self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            part = bytes(self._pending[:_SLICE])
            del self._pending[:_SLICE]
            super().data_received(part)
        if self._pending and self._lingering < 0:
            self.flow.pause_reading()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self.since = self.registry.clock()
        super().on_response_complete()
        if not self.transport.is_closing():
            self._feed()

    def shutdown(self) -> None:
        """Close, after the current answer if there is one."""
        try:
            super().shutdown()
        except h11.LocalProtocolError:  # what came was not HTTP
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, or a head that is too long."""
        head = self.conn.trailing_data[0]
        if len(head) <= MAX_HEAD_BYTES:
            self._refuse(HTTPStatus.BAD_REQUEST, "BadRequest", msg)
        elif b"\n" in head:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "TooLarge", headers_too_long())
        else:
            self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG, "TooLarge", address_too_long())

    def _refuse(self, status: HTTPStatus, kind: str, message: str) -> None:
        """Answer with an error, and close after the client has had time to read it: it may still be sending."""
        begun = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if begun:
            self.abort()
            return
        self._lingering, self.since = 0, self.registry.clock()
        self._pending.clear()
        self._unset_keepalive_if_required()
        self.transport.write(_response(status, kind, message))
        self.transport.write_eof()
        self.flow.resume_reading()

    def pause_writing(self) -> None:
        """Note that the client reads too slowly."""
        super().pause_writing()
        self.registry.relieve()

    def check(self) -> None:
        """Close the connection if it takes too long."""
        now, limits = self.registry.clock(), self.registry.limits
        if self.unsent:
            begun, most = self._unread or (now, self.unsent)
            self._unread = begun, max(most, self.unsent)
            if now - begun > limits.send_seconds + (most - self.unsent) / limits.send_rate:
                self.abort()
            return
        if self._unread is not None:
            self._unread, self.since = None, now
        if self._lingering >= 0 and now - self.since > limits.linger_seconds:
            self.abort()
        elif self.is_waiting and now - self.since > limits.head_seconds:
            self.give_up()

    def give_up(self) -> None:
        """Close a waiting connection; a client that sent a part of a request gets an error."""
        if self._lingering < 0 and self.conn.trailing_data[0] and not self.unsent:
            message = "the request was not complete in time"
            self.transport.write(_response(HTTPStatus.REQUEST_TIMEOUT, "HTTPError", message))
        self.transport.close()
        if self.unsent:
            self.abort()

    def abort(self) -> None:
        """Close at once, and drop what was not read."""
        connection = self.transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


def protocol_class(connections: Connections) -> type[GuardedProtocol]:
    """Return the protocol of one server's connections."""
    return type("Protocol", (GuardedProtocol,), {"registry": connections})


class GuardedServer(uvicorn.Server):
    """uvicorn's server with checked connections and a guaranteed end after a signal."""

    def __init__(
        self,
        config: uvicorn.Config,
        connections: Connections,
        on_stop: Callable[[float], None] | None = None,
        on_ready: Callable[[], None] | None = None,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        """Make a server.

        Args:
            config: what to serve and how long to wait for requests that are being answered.
            connections: those of the config's protocol.
            on_stop: called when the server begins to end, with the seconds that there are to answer what waits.
            on_ready: called once the server answers.
            is_over: asked ten times a second; the server ends once it returns true.
        """
        super().__init__(config)
        self._connections = connections
        self._on_stop = on_stop
        self._on_ready = on_ready
        self._is_over = is_over
        self._patience = float(config.timeout_graceful_shutdown or 0)
        self._watchdog: threading.Timer | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and report that."""
        await super().startup(sockets)
        if self.started and self._on_ready is not None:
            self._on_ready()

    async def on_tick(self, counter: int) -> bool:
        """Run the periodic checks, ten times a second."""
        if counter % 10 == 0:
            self._connections.sweep()
        return await super().on_tick(counter) or self._is_over()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nothing new, answer what waits, and end."""
        if self._on_stop is not None:
            self._on_stop(self._patience)
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; the process ends even if something hangs."""
        if self._watchdog is None:
            self._watchdog = threading.Timer(self._patience + _LAST_RESORT, self._end)
            self._watchdog.daemon = True
            self._watchdog.start()
        super().handle_exit(sig, frame)

    def _end(self) -> None:
        log.error(
            "the service did not end within %g seconds: it waits for something that hangs. It ends now.",
            self._patience + _LAST_RESORT,
        )
        os._exit(1)


def guarded_server(
    app: Any,
    limits: Limits,
    *,
    graceful_seconds: int,
    on_stop: Callable[[float], None] | None = None,
    on_ready: Callable[[], None] | None = None,
    is_over: Callable[[], bool] = lambda: False,
) -> GuardedServer:
    """Make a server of an ASGI app; ``run(sockets=[...])`` serves."""
    connections = Connections(limits)
    config = uvicorn.Config(
        app,
        http=protocol_class(connections),
        ws="none",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=limits.backlog,
        timeout_keep_alive=int(limits.head_seconds) or 1,
        timeout_graceful_shutdown=graceful_seconds,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES + _SEPARATORS,
    )
    return GuardedServer(config, connections, on_stop, on_ready, is_over)


def is_loopback(address: str) -> bool:
    """Return whether an address belongs to this machine alone."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _response(status: HTTPStatus, kind: str, message: str) -> bytes:
    """Write an error as the API words it, without the app."""
    body = json.dumps({"error": {"type": kind, "message": message}}).encode()
    retry = "retry-after: 1\r\n" if status == HTTPStatus.SERVICE_UNAVAILABLE else ""
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n{retry}connection: close\r\n\r\n"
    )
    return head.encode() + body
