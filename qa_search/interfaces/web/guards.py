"""Who may ask, how much and how often: checked before a request reaches the search."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# What a monitor asks, which tells nothing of the archive.
_OPEN_PATHS = frozenset(("/healthz", "/readyz"))
_MOST_CLIENTS = 10_000
_BODY_SECONDS = 15.0
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # What people type about their health is nothing for caches between them and the service.
    "cache-control": "no-store",
}


def error_response(status: int, kind: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return an error as the API words it."""
    return JSONResponse({"error": {"type": kind, "message": message}}, status, headers)


class Guards:
    """Lets through what has the token, is small enough and does not come too often; adds the security headers."""

    def __init__(self, app: App, *, token: str | None, rate: float, max_body: int, hosts: frozenset[str]) -> None:
        """Wrap an app.

        Args:
            app: what answers.
            token: what a request must bring, as ``Authorization: Bearer`` or as a browser's password; None: nothing.
            rate: requests a second of one client, on average; twice as many at once. 0: any.
            max_body: the most bytes of a request's body.
            hosts: the names under which the service may be asked; empty: any. (A page elsewhere could otherwise
                give its own name our address, and read the archive through a visitor's browser.)
        """
        self._app = app
        self._token = token
        self._rate = rate
        self._max_body = max_body
        self._hosts = hosts
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                known = {name.lower() for name, _ in message.get("headers", ())}
                added = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message.get("headers", ()), *(pair for pair in added if pair[0] not in known)]
            await send(message)

        refusal = self._refuse(scope)
        if refusal is not None:
            await refusal(scope, receive, send_guarded)
            return
        await self._app(scope, self._bounded(receive), send_guarded)

    def _refuse(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if self._hosts and _host_name(headers.get("host", "")) not in self._hosts:
            return error_response(421, "WrongHost", "this service does not answer under that name (--allow-host)")
        if scope["path"] not in _OPEN_PATHS:
            if self._token is not None and not self._has_token(headers.get("authorization", "")):
                challenge = {"www-authenticate": 'Basic realm="qa-search", charset="UTF-8"'}
                return error_response(401, "Unauthorized", "a token is needed: Authorization: Bearer TOKEN", challenge)
            wait = self._wait(scope["client"][0] if scope.get("client") else "")
            if wait > 0:
                return error_response(
                    429, "TooManyRequests", "too many requests: wait a moment", {"retry-after": str(int(wait) + 1)}
                )
        length = headers.get("content-length", "")
        if length.isdigit() and int(length[:18]) > self._max_body:
            return error_response(413, "TooLarge", f"a request may have {self._max_body:,} bytes")
        return None

    def _has_token(self, authorization: str) -> bool:
        kind, _, value = authorization.partition(" ")
        if kind.lower() == "basic":
            try:
                value = base64.b64decode(value, validate=True).decode("utf-8", "replace").partition(":")[2]
            except (binascii.Error, ValueError):
                return False
        elif kind.lower() != "bearer":
            return False
        return hmac.compare_digest(value.encode("utf-8", "replace"), (self._token or "").encode())

    def _wait(self, client: str) -> float:
        """Take one from the client's bucket; return how long to wait if it is empty."""
        if not self._rate:
            return 0.0
        now = time.monotonic()
        most = max(2 * self._rate, 1.0)
        left, since = self._buckets.pop(client, (most, now))
        left = min(most, left + (now - since) * self._rate)
        self._buckets[client] = (max(left - 1, 0.0) if left >= 1 else left, now)
        if len(self._buckets) > _MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0 if left >= 1 else (1 - left) / self._rate

    def _bounded(self, receive: Receive) -> Receive:
        """Stop reading a body that is larger than it may be, whatever its headers said, or that never ends."""
        read, whole = 0, False

        async def bounded() -> MutableMapping[str, Any]:
            nonlocal read, whole
            if whole:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), _BODY_SECONDS)
            except TimeoutError:
                raise HTTPException(408, "the request did not come to its end in time") from None
            read += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if read > self._max_body:
                raise HTTPException(413, f"a request may have {self._max_body:,} bytes")
            return message

        return bounded


def _host_name(host: str) -> str:
    """Return a Host header without its port."""
    name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    return name.lower()
