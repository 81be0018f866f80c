"""An index and settings -> the HTTP service: its API and pages, health, metrics and errors."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.routing import Match

from qa_search.errors import FeedbackError, FeedbackLimitError, IndexFolderError, ModelError, QASearchError, QueryError
from qa_search.insights.question_log import QuestionLog
from qa_search.interfaces.render.commands import message_of
from qa_search.interfaces.web.api import ERRORS, add_api, add_feedback
from qa_search.interfaces.web.errors import BusyError, SlowError
from qa_search.interfaces.web.guards import App, Buckets, Guards, Receive, Scope, Send, error_response, is_browser
from qa_search.interfaces.web.invalid import problems
from qa_search.interfaces.web.page_routes import STATIC, add_lists, add_pages, add_widget
from qa_search.interfaces.web.pages import Look, error_page, refusal
from qa_search.interfaces.web.service import SearchService
from qa_search.interfaces.web.site import DEFAULT_SITE, Site
from qa_search.interfaces.web.workers import Workers
from qa_search.search.query import MAX_QUERY_CHARACTERS
from qa_search.search.search_index import SearchIndex

log = logging.getLogger("qa_search")

# Characters that count as one request of --rate, and that one client may have searched for at once.
_CHARACTERS_EACH = 1_000
_CHARACTERS_AT_ONCE = 2 * MAX_QUERY_CHARACTERS
_DEADLINE_SLACK = 5.0  # seconds: inner timeouts come first, as their messages say more
_GONE = 499  # the client has gone, or the deadline has passed
_RETRY = {"retry-after": "1"}
_DESCRIBED = " The API is described at /openapi.json."


@dataclass(frozen=True, slots=True)
class Settings:
    """What a service allows, and what its pages say. See `Guards`, `SearchService` and `Look` for what each means.

    ``questions`` is where questions are logged; None for nowhere.
    """

    token: str | None = None
    widget_token: str | None = None
    rate: float = 20.0
    max_body: int = 1 << 20
    hosts: frozenset[str] = frozenset()
    max_waiting: int = 256
    timeout: float = 30.0
    max_batch: int = 32
    refresh_seconds: float = 1.0
    site: Site = DEFAULT_SITE
    show_sources: bool = False
    instant: bool = True
    origins: frozenset[str] = frozenset()
    questions: QuestionLog | None = None

    @property
    def look(self) -> Look:
        """What is the same on all pages."""
        logged = self.questions is not None
        return Look(self.site, self.show_sources, self.instant, log_kept=logged, max_body=self.max_body)


class Service(Guards):
    """The ASGI app of one index, behind its guards."""

    def __init__(self, app: App, service: SearchService, settings: Settings) -> None:
        """Guard an app that answers by a search service."""
        super().__init__(
            app,
            token=settings.token,
            widget_token=settings.widget_token,
            rate=settings.rate,
            max_body=settings.max_body,
            hosts=settings.hosts,
            origins=settings.origins,
            error_page=partial(_page_of, settings.look),
            deadline=settings.timeout + _DEADLINE_SLACK,
        )
        self.stop_soon = service.stop_soon
        self._service = service

    @property
    def failure(self) -> str:
        """Why the service must end, empty if it need not."""
        return self._service.failure


def create_app(index: SearchIndex, settings: Settings | None = None, workers: Workers | None = None) -> Service:
    """Make the ASGI app that serves an open index; the index is closed when the app shuts down.

    With ``workers``, these search; they have the same index open.
    """
    chosen = settings or Settings()
    service = SearchService(
        index,
        max_waiting=chosen.max_waiting,
        timeout=chosen.timeout,
        max_batch=chosen.max_batch,
        refresh_seconds=chosen.refresh_seconds,
        questions=chosen.questions,
        workers=workers,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.stop()

    app = FastAPI(
        title="qa_search",
        version=version("qa-search"),
        description="Semantic search over an archive of expert answers.",
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        responses=ERRORS,
    )
    prices = Buckets(chosen.rate * _CHARACTERS_EACH, _CHARACTERS_AT_ONCE)
    add_api(app, service, prices)
    look = replace(chosen.look, feedback=index.records_feedback)
    add_pages(app, service, prices, look, chosen.questions)
    add_lists(app, service, look)
    if chosen.origins:
        # Whoever has the widget's token alone could open no page of the service.
        add_widget(app, service, prices, chosen.origins, linked=chosen.widget_token is None)
    if index.records_feedback:
        add_feedback(app, service)
    _add_health(app, service)
    _add_errors(app, look)
    app.mount("/static", StaticFiles(directory=STATIC))
    return Service(_Counted(app, service), service, chosen)


def _add_health(app: FastAPI, service: SearchService) -> None:
    @app.get("/healthz", summary="Whether the service runs", response_model=dict[str, str])
    async def healthz() -> Response:
        return JSONResponse({"status": "ok"})

    @app.get("/readyz", summary="Whether the service can answer", response_model=dict[str, str])
    async def readyz() -> Response:
        problem = service.problem()
        if problem:
            return error_response(503, "NotReady", problem)
        state = {"status": "ready", "generation": service.index.generation.name}
        if service.remark:
            state["problem"] = service.remark
        return JSONResponse(state)

    @app.get("/metrics", summary="Counts for Prometheus", response_class=Response)
    async def metrics() -> Response:
        return Response(service.metrics.page(), media_type=service.metrics.content_type)


def _add_errors(app: FastAPI, look: Look) -> None:
    async def invalid(request: Request, error: Any) -> Response:
        return _error_answer(request, look, 400, "QueryError", problems(error.errors(), request))

    async def refused(request: Request, error: Any) -> Response:
        kind = {404: "NotFound", 429: "TooManyRequests"}.get(error.status_code, "HTTPError")
        headers = dict(error.headers or {})
        if error.status_code == 405:  # a path may have several routes, and the first names its own methods only
            routes = [route for route in app.routes if route.matches(request.scope)[0] != Match.NONE]
            methods = {method for route in routes for method in getattr(route, "methods", None) or ()}
            headers["allow"] = ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))
        message = str(error.detail)
        if message == "Not Found":  # starlette's own words, of a path that no route has
            message = f"Nothing is at this address.{_DESCRIBED}"
        elif error.status_code == 405:
            message = f"This address takes {headers['allow']}."
        return _error_answer(request, look, error.status_code, kind, message, headers)

    async def failed(request: Request, error: Exception) -> Response:
        status, headers = 503, _RETRY
        if isinstance(error, QueryError):
            status, headers = 400, {}
        elif isinstance(error, FeedbackLimitError):
            status, headers = 429, {}
        elif isinstance(error, FeedbackError):
            status = 503
            log.warning("a vote was not written down: %s", error)
        elif isinstance(error, SlowError):
            status, headers = 504, {}
        elif not isinstance(error, BusyError | IndexFolderError | ModelError):
            status, headers = 500, {}
        # A parameter of a request has its own name; a remedy is for whoever started the service by the command.
        message = message_of(error) if isinstance(error, IndexFolderError | ModelError) else str(error)
        return _error_answer(request, look, status, type(error).__name__, message, headers)

    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, refused)

    async def unexpected(request: Request, error: Exception) -> Response:
        return _error_answer(request, look, 500, "InternalError", "the service failed; see its log")

    app.add_exception_handler(QASearchError, failed)
    app.add_exception_handler(Exception, unexpected)


def _error_answer(
    request: Request, look: Look, status: int, kind: str, message: str, headers: dict[str, str] | None = None
) -> Response:
    """Return an error as a page to people and as JSON to programs: by the address, else by what they accept."""
    path = request.url.path
    is_page = path in ("/", "/browse") or path.startswith("/posts/")
    if is_page or is_browser(request.headers.get("accept", ""), path):
        return HTMLResponse(_page_of(look, status, message), status, headers)
    return error_response(status, kind, message, headers)


def _page_of(look: Look, status: int, message: str) -> str:
    """Return the page of an error, without what only programs need: where the API is described."""
    return error_page(status, refusal(status, message.removesuffix(_DESCRIBED)), look=look)


class _Counted:
    """Counts requests and how long they took, by route."""

    def __init__(self, app: FastAPI, service: SearchService) -> None:
        self._app = app
        self._metrics = service.metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def send_counted(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        except asyncio.CancelledError:
            status = _GONE
            raise
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.request(route, status, time.perf_counter() - started)
