"""Clients of a running service, with the methods, results and errors of `SearchIndex`."""

from __future__ import annotations

import asyncio
import json
import re
import reprlib
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from types import TracebackType, UnionType
from typing import Any, Literal, Self, TypeVar, Union, Unpack, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import httpx2

from qa_search import errors
from qa_search.errors import IndexClosedError, QASearchError, QueryError
from qa_search.search.query import (
    DEFAULT_TOP_K,
    SearchOptions,
    SearchParameters,
    checked_texts,
    require_k,
    require_known,
    require_probability,
)
from qa_search.types import OtherPost, Post, SearchResult, to_jsonable
from qa_search.util.parameters import require, require_flags, require_seconds, require_texts, require_whole
from qa_search.util.text import clean_text

DEFAULT_TIMEOUT = 30.0
DEFAULT_RETRIES = 2
MAX_ANSWER_BYTES = 256 << 20  # far more than the service gives, and less than would fill the memory
_AT_ONCE = 8  # questions of one `search_many`: the service searches together what waits together
_FIRST_PAUSE = 0.25  # seconds; doubled with each retry
_BUSY = frozenset((429, 502, 503))
_POST_ID = re.compile(r"[a-z2-7]{16}")

T = TypeVar("T")


class ServiceError(QASearchError):
    """A service cannot be reached, is too slow or busy, refuses, or gives an unreadable answer.

    ``status`` is the HTTP status, None if there was no answer.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """A service, used like a `SearchIndex`. Safe to use from several threads."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        retries: int = DEFAULT_RETRIES,
    ) -> None:
        """Make a client of a service; nothing is sent yet.

        Args:
            url: where the service is, such as "http://127.0.0.1:8080".
            token: what the service wants as its token, if it wants one.
            timeout: seconds until an answer is given up.
            retries: how often to ask again when the service is busy or the connection breaks.

        Raises:
            QueryError: if a parameter has a value that is not allowed.
            ServiceError: if the URL or the token cannot be used.
        """
        self._service = _Service(url, token, timeout, retries)
        self._http = httpx2.Client(**self._service.options)

    def search(
        self,
        text: str,
        k: int = DEFAULT_TOP_K,
        **options: Unpack[SearchOptions],
    ) -> SearchResult:
        """Find the k posts closest to a query: see `SearchIndex.search`.

        Raises:
            QueryError: if this cannot be searched for.
            IndexClosedError: if the client was closed.
            ServiceError: if the service does not answer.
            QASearchError: any other error that the service reports.
        """
        require_known(self.search, options, SearchOptions)
        return self._search(*_search_requests([text], SearchParameters(k, **options)))

    def search_many(
        self,
        texts: Iterable[str],
        k: int = DEFAULT_TOP_K,
        **options: Unpack[SearchOptions],
    ) -> list[SearchResult]:
        """Search for many queries, a few at a time: the same as `search` for each, in the same order."""
        require_known(self.search_many, options, SearchOptions)
        requests = _search_requests(texts, SearchParameters(k, **options))
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="qa-search-client") as pool:
            return list(pool.map(self._search, requests))

    def post(self, post_id: str) -> Post | None:
        """Return a whole post by any of its ids, None if the id is unknown."""
        document = self._post_document(post_id)
        return None if document is None else self._service.record(Post, document)

    def neighbours(self, post_id: str) -> tuple[OtherPost | None, OtherPost | None]:
        """Return the posts that a page's Prev and Next lines link to, None for a missing one."""
        return self._service.neighbours(self._post_document(post_id))

    def similar(self, post_id: str, k: int = DEFAULT_TOP_K) -> SearchResult:
        """Find the posts closest to a post, itself left out.

        Raises:
            QueryError: if the post does not exist.
        """
        return self._service.record(SearchResult, self._ask(_similar_request(post_id, k)))

    def record_feedback(self, query: str, post_id: str, *, answered: bool) -> None:
        """Say that a post answered a query, or did not; the service writes it down if it was started with ``feedback``.

        Raises:
            QueryError: if the post does not exist.
            ServiceError: also if the service takes no feedback, or no more of this client today.
        """
        self._ask(_feedback_request(query, post_id, answered=answered))

    def info(self) -> dict[str, Any]:
        """Return what the index of the service contains and how it was built, as `IndexInfo.to_dict`."""
        return self._service.mapping(self._ask(_INFO))

    def close(self) -> None:
        """Close the connections. Asking afterwards raises `IndexClosedError`."""
        self._service.close()
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _search(self, request: _Request) -> SearchResult:
        return self._service.record(SearchResult, self._ask(request))

    def _post_document(self, post_id: str) -> Any:
        return self._ask(_post_request(post_id)) if _is_post_id(post_id) else None

    def _ask(self, request: _Request) -> Any:
        self._service.require_open()
        attempt = 0
        while True:
            time.sleep(self._service.delay())
            try:
                got: _Got = self._send(request)
            except httpx2.HTTPError as error:
                got = error
            if not self._service.wait_before_retry(got, attempt):
                return self._service.document(request, got)
            attempt += 1

    def _send(self, request: _Request) -> _Answer:
        body = _Body(self._service)
        with self._http.stream(request.method, request.path, content=request.body) as response:
            for chunk in response.iter_bytes():
                body.add(chunk)
        return body.answer(response)


class AsyncClient:
    """A service, used like a `SearchIndex` whose methods are awaited."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        retries: int = DEFAULT_RETRIES,
    ) -> None:
        """Make a client of a service: see `Client`."""
        self._service = _Service(url, token, timeout, retries)
        self._http = httpx2.AsyncClient(**self._service.options)

    async def search(
        self,
        text: str,
        k: int = DEFAULT_TOP_K,
        **options: Unpack[SearchOptions],
    ) -> SearchResult:
        """Find the k posts closest to a query: see `Client.search`."""
        require_known(self.search, options, SearchOptions)
        return await self._search(*_search_requests([text], SearchParameters(k, **options)))

    async def search_many(
        self,
        texts: Iterable[str],
        k: int = DEFAULT_TOP_K,
        **options: Unpack[SearchOptions],
    ) -> list[SearchResult]:
        """Search for many queries, a few at a time: the same as `search` for each, in the same order."""
        require_known(self.search_many, options, SearchOptions)
        requests = _search_requests(texts, SearchParameters(k, **options))
        return await _each(self._search, requests)

    async def post(self, post_id: str) -> Post | None:
        """Return a whole post by any of its ids, None if the id is unknown."""
        document = await self._post_document(post_id)
        return None if document is None else self._service.record(Post, document)

    async def neighbours(self, post_id: str) -> tuple[OtherPost | None, OtherPost | None]:
        """Return the posts that a page's Prev and Next lines link to, None for a missing one."""
        return self._service.neighbours(await self._post_document(post_id))

    async def similar(self, post_id: str, k: int = DEFAULT_TOP_K) -> SearchResult:
        """Find the posts closest to a post: see `Client.similar`."""
        return self._service.record(SearchResult, await self._ask(_similar_request(post_id, k)))

    async def record_feedback(self, query: str, post_id: str, *, answered: bool) -> None:
        """Say that a post answered a query, or did not: see `Client.record_feedback`."""
        await self._ask(_feedback_request(query, post_id, answered=answered))

    async def info(self) -> dict[str, Any]:
        """Return what the index of the service contains and how it was built, as `IndexInfo.to_dict`."""
        return self._service.mapping(await self._ask(_INFO))

    async def close(self) -> None:
        """Close the connections. Asking afterwards raises `IndexClosedError`."""
        self._service.close()
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _search(self, request: _Request) -> SearchResult:
        return self._service.record(SearchResult, await self._ask(request))

    async def _post_document(self, post_id: str) -> Any:
        return await self._ask(_post_request(post_id)) if _is_post_id(post_id) else None

    async def _ask(self, request: _Request) -> Any:
        self._service.require_open()
        attempt = 0
        while True:
            await asyncio.sleep(self._service.delay())
            try:
                got: _Got = await self._send(request)
            except httpx2.HTTPError as error:
                got = error
            if not self._service.wait_before_retry(got, attempt):
                return self._service.document(request, got)
            attempt += 1

    async def _send(self, request: _Request) -> _Answer:
        body = _Body(self._service)
        async with self._http.stream(request.method, request.path, content=request.body) as response:
            async for chunk in response.aiter_bytes():
                body.add(chunk)
        return body.answer(response)


async def _each(ask: Callable[[_Request], Awaitable[T]], requests: Sequence[_Request]) -> list[T]:
    """Send all requests, a few at a time; the first error ends the others."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(request: _Request) -> T:
        async with gate:
            return await ask(request)

    tasks = [asyncio.create_task(one(request)) for request in requests]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class _Request:
    """What to send. ``missing`` says what a 404 means; without it, it is an error of the service."""

    method: Literal["GET", "POST"]
    path: str
    body: bytes | None = None
    missing: Literal["nothing", "query"] | None = None


_INFO = _Request("GET", "api/info")


def _search_requests(texts: Iterable[str], parameters: SearchParameters) -> list[_Request]:
    # Checked here, as an index checks it: so the messages are the same, and nothing is sent in vain.
    queries = checked_texts(texts)
    require_k(parameters.k)
    filters = parameters.filters()
    require_probability(parameters.min_confidence)
    return [_search_request(query, parameters, filters.tags) for query in queries]


def _search_request(query: str, parameters: SearchParameters, tags: Sequence[str]) -> _Request:
    asked = {"query": query, **to_jsonable(parameters), "tags": list(tags)}
    try:
        body = json.dumps(
            {name: _sendable(value) for name, value in asked.items() if value is not None}, ensure_ascii=False
        )
    except (TypeError, ValueError) as error:
        raise QueryError(f"a service cannot search for this: {error}") from error
    return _Request("POST", "api/search", body.encode())


def _sendable(value: object) -> object:
    if isinstance(value, str):
        return clean_text(value)  # as the index does it: half surrogate pairs could not be sent
    if isinstance(value, list):
        return [_sendable(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def _is_post_id(post_id: object) -> bool:
    """Whether an id is valid; an invalid id is not sent, as it may not fit into a path."""
    return isinstance(post_id, str) and _POST_ID.fullmatch(post_id) is not None


def _post_request(post_id: str) -> _Request:
    return _Request("GET", f"api/posts/{post_id}", missing="nothing")


def _feedback_request(query: str, post_id: str, *, answered: bool) -> _Request:
    if not _is_post_id(post_id):
        raise QueryError(f"{reprlib.repr(post_id)}: the index has no post with this id")
    require_flags(answered=answered)
    require(isinstance(query, str), "query", query, "a text")
    body = json.dumps({"query": clean_text(query), "post_id": post_id, "answered": answered}).encode()
    return _Request("POST", "api/feedback", body)


def _similar_request(post_id: str, k: int) -> _Request:
    if not _is_post_id(post_id):
        raise QueryError(f"{reprlib.repr(post_id)}: the index has no post with this id")
    require_k(k)
    return _Request("GET", f"api/posts/{post_id}/similar?k={k}", missing="query")


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    reason: str
    body: bytes
    retry_after: str


_Got = _Answer | httpx2.HTTPError


class _Body:
    """Collects the body of an answer, unless it is too large or too late."""

    def __init__(self, service: _Service) -> None:
        self._service = service
        self._deadline = time.monotonic() + service.timeout
        self._data = bytearray()

    def add(self, chunk: bytes) -> None:
        self._data += chunk
        if len(self._data) > MAX_ANSWER_BYTES:
            raise self._service.error(f"the answer has more than {MAX_ANSWER_BYTES:,} bytes: ask for fewer posts")
        # A timeout of the connection is one between two pieces, and there may be many pieces.
        if time.monotonic() > self._deadline:
            raise self._service.too_slow()

    def answer(self, response: httpx2.Response) -> _Answer:
        return _Answer(
            response.status_code, response.reason_phrase, bytes(self._data), response.headers.get("retry-after", "")
        )


class _Service:
    """The common part of both clients: how to write requests and read answers."""

    def __init__(self, url: str, token: str | None, timeout: float, retries: int) -> None:
        require_seconds("timeout", timeout)
        require_whole("retries", retries, 0)
        require_texts(token=token)
        self.timeout = timeout
        self._retries = retries
        self._closed = False
        self._resume = 0.0
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        except (ValueError, AttributeError, TypeError):  # what is no text has other errors
            usable = False
        if not usable:
            raise ServiceError(
                f"{reprlib.repr(url)} is not the address of a service: write it like http://127.0.0.1:8080"
            )
        # Messages name the service, but not a password in its address.
        self._name = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
        headers = {"accept": "application/json", "content-type": "application/json"}
        if token is not None:
            if not re.fullmatch(r"[!-~]+", token):
                raise ServiceError(f"{self._name}: the token has characters that cannot be sent")
            headers["authorization"] = f"Bearer {token}"
        try:
            self.options: dict[str, Any] = {
                "base_url": httpx2.URL(url),
                "headers": headers,
                "timeout": httpx2.Timeout(timeout),
                "verify": _tls(),
            }
        except httpx2.InvalidURL as error:
            raise ServiceError(f"{self._name} is not the address of a service: {error}") from error

    def close(self) -> None:
        """Note that the connections are closed."""
        self._closed = True

    def require_open(self) -> None:
        """Refuse to send anything after `close`.

        Raises:
            IndexClosedError: if the client was closed.
        """
        if self._closed:
            raise IndexClosedError(f"{self._name}: this client is closed. Make another one: Client(URL)")

    def error(self, message: str, status: int | None = None) -> ServiceError:
        return ServiceError(f"{self._name}: {message}", status=status)

    def too_slow(self, status: int | None = None) -> ServiceError:
        return self.error(f"no whole answer within {self.timeout:g} seconds", status)

    def delay(self) -> float:
        """Return how long to wait before the next request."""
        return max(0.0, self._resume - time.monotonic())

    def wait_before_retry(self, got: _Got, attempt: int) -> bool:
        """Return whether to retry; if so, all requests of this client wait for a while."""
        pause = _FIRST_PAUSE * 2.0**attempt
        if isinstance(got, httpx2.HTTPError):
            useful = isinstance(got, httpx2.NetworkError | httpx2.RemoteProtocolError)
        else:
            useful = got.status in _BUSY
            wanted = _seconds(got.retry_after)
            pause = pause if wanted is None else wanted
        if not useful or attempt >= self._retries or pause > self.timeout:
            return False
        self._resume = max(self._resume, time.monotonic() + pause)
        return True

    def document(self, request: _Request, got: _Got) -> Any:
        """Return the JSON document of an answer, None if the post does not exist; raise the service's error."""
        if isinstance(got, httpx2.TimeoutException):
            raise self.too_slow() from got
        if isinstance(got, httpx2.HTTPError):
            way_out = " Start it by: qa-search serve" if isinstance(got, httpx2.ConnectError) else ""
            raise self.error(f"no usable answer: {got or type(got).__name__}.{way_out}") from got
        try:
            document = json.loads(got.body)
        except (ValueError, RecursionError):
            document = None
        if got.status == 200:
            if document is None:
                raise self.error("the answer is not JSON: is this a qa_search service?", got.status)
            return document
        kind, message = _error_of(document)
        if got.status == 401:
            wrong = "authorization" in self.options["headers"]
            message = "the token is not that of the service" if wrong else "it wants a token: Client(URL, token=TOKEN)"
        if got.status == 404 and kind == "NotFound" and request.missing == "nothing":
            return None
        if (got.status == 404 and kind == "NotFound" and request.missing == "query") or got.status == 413:
            raise QueryError(message)
        known = getattr(errors, kind, None) if kind in errors.__all__ else None
        if known is not None:
            raise known(message)
        raise self.error(f"{message or got.reason} (HTTP status {got.status})", got.status)

    def record(self, kind: type[T], document: object) -> T:
        """Make a record of its JSON document."""
        try:
            return read_record(kind, document)
        except ValueError as error:
            raise self.error(f"the answer has an unknown format ({error}): is this a qa_search service?") from error

    def mapping(self, document: object) -> dict[str, Any]:
        if not isinstance(document, dict):
            raise self.error("the answer has an unknown format: is this a qa_search service?")
        return document

    def neighbours(self, document: object) -> tuple[OtherPost | None, OtherPost | None]:
        if document is None:
            return None, None
        around = self.record(_Neighbours, document)
        return around.prev, around.next


@cache
def _tls() -> ssl.SSLContext:
    """Load the certificates that this machine trusts, once for all clients: it takes longer than a search."""
    return httpx2.create_ssl_context()


@dataclass(frozen=True, slots=True)
class _Neighbours:
    prev: OtherPost | None
    next: OtherPost | None


def _error_of(document: object) -> tuple[str, str]:
    """Return the type and the message of an error document, both empty for any other document."""
    detail = document.get("error") if isinstance(document, dict) else None
    if not isinstance(detail, dict):
        return "", ""
    return str(detail.get("type", "")), str(detail.get("message", ""))


def _seconds(retry_after: str) -> float | None:
    """Read a Retry-After header: seconds, or a date; None if it is neither."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def read_record(kind: type[T], document: object) -> T:
    """Make a record of its JSON document, as ``to_dict`` gave it; unknown keys are left out.

    Raises:
        ValueError: if something is missing or is not of its type.
    """
    record: T = _read(kind, document, kind.__name__)
    return record


def _read(kind: Any, value: Any, place: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if isinstance(kind, type) and is_dataclass(kind) and isinstance(value, dict):
        hints = get_type_hints(kind)
        known = [field.name for field in fields(kind) if field.name in value]
        try:
            return kind(**{name: _read(hints[name], value[name], f"{place}.{name}") for name in known})
        except TypeError as error:
            raise ValueError(f"{place}: {error}") from error
    if origin in (Union, UnionType):
        return None if value is None else _read(arguments[0], value, place)
    if origin is tuple and isinstance(value, list):
        return tuple(_read(arguments[0], item, f"{place}[{number}]") for number, item in enumerate(value))
    if origin is Mapping and isinstance(value, dict):
        return {key: _read(arguments[1], item, f"{place}.{key}") for key, item in value.items()}
    if origin is Literal and value in arguments:
        return value
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is kind:
        return value
    raise ValueError(f"{place} is {reprlib.repr(value)}")
