"""Limits on requests, checked before the search: who may ask, how much and how often."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, Response

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# Paths for monitors: they reveal nothing of the archive. Neither does the widget, which says why it has no answers.
_OPEN_PATHS = frozenset(("/healthz", "/readyz"))
WIDGET = "/widget.js"
# Where the widget searches: the only path of its token.
WIDGET_SEARCH = "/widget"
_MOST_CLIENTS = 10_000
# Of a request: its address and headers, how many of these, how many parameters, and how long its body may take.
MAX_HEAD_BYTES = 32 << 10
_MAX_HEADERS = 100
_MAX_PARAMETERS = 200
_BODY_SECONDS = 15.0
_MAX_BODIES = 64 << 20  # bytes of all bodies that are being received or worked on
# Wrong tokens of one address: so many at once, and one more each so many seconds.
_WRONG_TOKENS = 20.0
_WRONG_TOKEN_RATE = 0.5
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors {ancestors}"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # Queries about people's health must not stay in caches.
    "cache-control": "no-store",
}


# What pages of other sites may ask for, if --allow-origin names them.
_SHARED = ("/api/", "/widget")


def is_browser(accept: str, path: str) -> bool:
    """Return whether to answer with a page: a browser asks for one, and never at an address of the API."""
    return "text/html" in accept and not path.startswith(_SHARED)


def error_response(status: int, kind: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return an error as the API words it."""
    return JSONResponse({"error": {"type": kind, "message": message}}, status, headers)


def address_too_long() -> str:
    """Return the error for an address that is too long."""
    return (
        f"the address and the headers of a request may have {MAX_HEAD_BYTES:,} bytes: send a long query in the "
        "body of POST /api/search"
    )


def headers_too_long() -> str:
    """Return the error for too many headers."""
    return f"a request may have {_MAX_HEADERS} headers, and {MAX_HEAD_BYTES:,} bytes of address and headers"


class Buckets:
    """The remaining allowance of each client, refilled steadily up to a maximum."""

    def __init__(self, rate: float, most: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Allow each client ``rate`` a second on average, ``most`` at once; a rate of 0 allows anything."""
        self._rate = rate
        self._most = most
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str, cost: float = 1.0) -> float:
        """Take from the client's bucket; return 0, or the seconds to wait if too little is left."""
        if not self._rate:
            return 0.0
        now = self._clock()
        left, since = self._left.pop(client, (self._most, now))
        left = min(self._most, left + (now - since) * self._rate)
        cost = min(cost, self._most)
        enough = left >= cost
        self._left[client] = (left - cost if enough else left, now)
        if len(self._left) > _MOST_CLIENTS:
            self._left.popitem(last=False)
        return 0.0 if enough else (cost - left) / self._rate


class Guards:
    """Checks token, size and rate of requests, and answers before a deadline.

    It adds the security headers, answers HEAD as GET without the body, and ends work whose client has gone.
    """

    def __init__(
        self,
        app: App,
        *,
        token: str | None,
        rate: float,
        max_body: int,
        hosts: frozenset[str],
        widget_token: str | None = None,
        origins: frozenset[str] = frozenset(),
        error_page: Callable[[int, str], str] | None = None,
        deadline: float = 60.0,
    ) -> None:
        """Wrap an app.

        Args:
            app: what answers.
            token: what a request must bring, as ``Authorization: Bearer`` or as a browser's password; None: nothing.
            rate: requests a second of one client, on average; twice as many at once. 0: any.
            max_body: the most bytes of a request's body.
            hosts: the names under which the service may be asked; empty: any. (A page elsewhere could otherwise
                give its own name our address, and read the archive through a visitor's browser.)
            widget_token: what the widget may bring instead, to search and nothing else; None: only the token.
            origins: sites (https://club.example) whose pages may ask the API and show the pages in a frame.
            error_page: makes the page of a status and a message, for browsers that are refused; None: JSON for all.
            deadline: seconds from the end of a request until its answer must begin (504).
        """
        self._app = app
        self._token = token
        self._widget_token = widget_token
        self._max_body = max_body
        self._hosts = hosts
        self._origins = origins
        self._error_page = error_page
        ancestors = " ".join(sorted(origins)) or "'none'"
        self._added = [(name.encode(), value.format(ancestors=ancestors).encode()) for name, value in _HEADERS.items()]
        self._deadline = deadline
        self._requests = Buckets(rate, max(2 * rate, 1.0))
        self._wrong_tokens = Buckets(_WRONG_TOKEN_RATE, _WRONG_TOKENS)
        self._held = 0  # bytes of bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        shared = self._shared(scope)

        async def send_guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                given = [*message.get("headers", ()), *shared]
                known = {name.lower() for name, _ in given}
                message["headers"] = [*given, *(pair for pair in self._added if pair[0] not in known)]
            elif scope["method"] == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        refusal = self._preflight(scope, shared) or self._refuse(scope)
        if refusal is not None:
            refusal = self._for_people(refusal, scope)
            await refusal(scope, receive, send_guarded)
            return
        asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        body = bytearray()
        try:
            refusal = await self._read(receive, body)
            if refusal is not None:
                await refusal(scope, receive, send_guarded)
            else:
                await self._answer(asked, bytes(body), receive, send_guarded)
        finally:
            self._held -= len(body)

    def _shared(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """Return the headers that let the page of an allowed site read the answer."""
        if not self._origins or not scope["path"].startswith(_SHARED):
            return []
        headers = [(b"vary", b"Origin"), (b"cross-origin-resource-policy", b"cross-origin")]
        origin = Headers(scope=scope).get("origin", "")
        if origin in self._origins:
            headers.append((b"access-control-allow-origin", origin.encode()))
            headers.append((b"access-control-expose-headers", b"retry-after"))
        return headers

    def _preflight(self, scope: Scope, shared: list[tuple[bytes, bytes]]) -> Response | None:
        """Answer the question of a browser whether a page of another site may ask; None if this is not one."""
        if scope["method"] != "OPTIONS" or not any(name == b"access-control-allow-origin" for name, _ in shared):
            return None
        allowed = {"access-control-allow-methods": "GET, POST", "access-control-max-age": "600"}
        return Response(
            status_code=204, headers={**allowed, "access-control-allow-headers": "content-type, authorization"}
        )

    def _for_people(self, refusal: Response, scope: Scope) -> Response:
        """Return a refusal as a page, if a browser asked."""
        accept = Headers(scope=scope).get("accept", "")
        if self._error_page is None or not isinstance(refusal, JSONResponse) or not is_browser(accept, scope["path"]):
            return refusal
        message = json.loads(bytes(refusal.body))["error"]["message"]
        headers = {k: v for k, v in refusal.headers.items() if k not in ("content-type", "content-length")}
        text = self._error_page(refusal.status_code, f"{message[:1].upper()}{message[1:]}.")
        return HTMLResponse(text, refusal.status_code, headers)

    def _refuse(self, scope: Scope) -> Response | None:
        sizes = [len(name) + len(value) for name, value in scope["headers"]]
        address = len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"])
        if address + sum(sizes) > MAX_HEAD_BYTES:
            if address > sum(sizes):
                return error_response(414, "TooLarge", address_too_long())
            return error_response(431, "TooLarge", headers_too_long())
        if len(sizes) > _MAX_HEADERS:
            return error_response(431, "TooLarge", headers_too_long())
        headers = Headers(scope=scope)
        if self._hosts and _host_name(headers.get("host", "")) not in self._hosts:
            return error_response(421, "WrongHost", "this service does not answer under that name (--allow-host)")
        if scope["path"] not in _OPEN_PATHS:
            client = client_of(scope)
            asks = self._token is not None and scope["path"] != WIDGET
            if asks and not self._has_token(headers.get("authorization", ""), scope["path"]):
                return self._refuse_token(client, tried="authorization" in headers)
            wait = self._requests.take(client)
            if wait > 0:
                return too_many("too many requests: wait a moment", wait)
        if scope["query_string"].count(b"&") >= _MAX_PARAMETERS:
            return error_response(400, "QueryError", f"an address may have {_MAX_PARAMETERS} parameters")
        length = headers.get("content-length", "")
        if length.isdigit() and int(length[:18]) > self._max_body:
            return self._too_large()
        return None

    def _refuse_token(self, client: str, *, tried: bool) -> Response:
        """Refuse a request without the right token; after many wrong tokens, only the right one still passes."""
        wait = self._wrong_tokens.take(client) if tried else 0.0
        if wait > 0:
            response = too_many("too many wrong tokens: wait a moment", wait)
            response.headers["connection"] = "close"
            return response
        challenge = {"www-authenticate": 'Basic realm="qa-search", charset="UTF-8"'}
        return error_response(401, "Unauthorized", "a token is required: Authorization: Bearer TOKEN", challenge)

    def _too_large(self) -> Response:
        return error_response(413, "TooLarge", f"a request may have {self._max_body:,} bytes")

    async def _read(self, receive: Receive, body: bytearray) -> Response | None:
        """Read a request's body, or return the error: too large, too slow, or no room beside other requests."""
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                more = True
                while more:
                    message = await receive()
                    if message["type"] != "http.request":
                        return Response(status_code=499)  # the client has gone: nobody reads this
                    chunk = message.get("body", b"")
                    body += chunk
                    self._held += len(chunk)
                    more = message.get("more_body", False)
                    if len(body) > self._max_body:
                        return self._too_large()
                    if more and self._held > _MAX_BODIES:
                        return error_response(503, "BusyError", "too many large requests at once", {"retry-after": "1"})
        except TimeoutError:
            return error_response(408, "HTTPError", "the request was not complete in time")
        return None

    async def _answer(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        """Let the app answer, until the deadline or until the client has gone."""
        begun = ended = False

        async def send_noted(message: MutableMapping[str, Any]) -> None:
            nonlocal begun, ended
            begun = True
            await send(message)
            ended = message["type"] == "http.response.body" and not message.get("more_body", False)

        leaving = asyncio.ensure_future(_gone(receive))
        answering = asyncio.ensure_future(self._app(scope, _replay(body, leaving), send_noted))
        both = (answering, leaving)
        try:
            await asyncio.wait(both, timeout=self._deadline, return_when=asyncio.FIRST_COMPLETED)
            if begun and not ended:  # how long sending may take is for the connection to say
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if answering.done() or ended:
                await answering
            elif not leaving.done():
                late = error_response(504, "SlowError", f"not answered within {self._deadline:g} seconds")
                await late(scope, receive, send)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    def _has_token(self, authorization: str, path: str) -> bool:
        kind, _, value = authorization.partition(" ")
        if kind.lower() == "basic":
            try:
                value = base64.b64decode(value, validate=True).decode("utf-8", "replace").partition(":")[2]
            except (binascii.Error, ValueError):
                return False
        elif kind.lower() != "bearer":
            return False
        accepted = [self._token, self._widget_token if path == WIDGET_SEARCH else None]
        given = value.encode("utf-8", "replace")
        return any(hmac.compare_digest(given, token.encode()) for token in accepted if token)


async def _gone(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _replay(body: bytes, leaving: asyncio.Future[None]) -> Receive:
    """Give an app the body that was read before, and then wait for the client to go."""
    given = False

    async def receive() -> MutableMapping[str, Any]:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        await asyncio.shield(leaving)
        return {"type": "http.disconnect"}

    return receive


def client_of(scope: Scope) -> str:
    """Return the address that a request comes from."""
    return scope["client"][0] if scope.get("client") else ""


def too_many(message: str, wait: float) -> JSONResponse:
    """Return the error for a client over its rate; ``wait`` is in seconds."""
    return error_response(429, "TooManyRequests", message, {"retry-after": str(int(wait) + 1)})


def _host_name(host: str) -> str:
    """Return a Host header without its port."""
    name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    return name.lower()
