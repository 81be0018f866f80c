"""The HTTP service: the JSON API, the page, health and metrics."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from qa_search.errors import IndexFolderError, ModelError, QASearchError, QueryError
from qa_search.interfaces.web.guards import App, Guards, Receive, Scope, Send, error_response
from qa_search.interfaces.web.pages import Form, PostView, error_page, post_page, search_page
from qa_search.interfaces.web.service import BusyError, Question, SearchService, SlowError
from qa_search.search.query import DEFAULT_TOP_K, MAX_COMPLAINT_CHARACTERS
from qa_search.search.search_index import SearchIndex
from qa_search.types import IndexInfo, OtherPost, Post, SearchResult

MAX_HITS = 100
# Bytes that a server must take as a request's first line and headers: a complaint of four bytes a character, each
# written as three.
LONGEST_ADDRESS = MAX_COMPLAINT_CHARACTERS * 12 + (1 << 16)
_STATIC = Path(__file__).parent / "static"
_RETRY = {"retry-after": "1"}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a service allows. See `Guards` and `SearchService` for the meaning of each."""

    token: str | None = None
    rate: float = 20.0
    max_body: int = 1 << 20
    hosts: frozenset[str] = frozenset()
    max_waiting: int = 256
    timeout: float = 30.0
    max_batch: int = 32
    refresh_seconds: float = 1.0


class ErrorDetail(BaseModel):
    """What went wrong: the kind of error, and a message for people."""

    type: str
    message: str


class ErrorBody(BaseModel):
    """The body of every answer that is an error."""

    error: ErrorDetail


class SearchRequest(BaseModel):
    """A complaint and what the search is limited to."""

    model_config = ConfigDict(extra="forbid", strict=True)

    query: str = Field(min_length=1, max_length=MAX_COMPLAINT_CHARACTERS, description="The complaint, in any words.")
    k: int = Field(DEFAULT_TOP_K, ge=1, le=MAX_HITS, description="How many posts at most.")
    since: str | None = Field(None, description="The earliest date: 2015, 2015-06 or 2015-06-30.")
    until: str | None = Field(None, description="The latest date, its whole day, month or year included.")
    source: str | None = Field(None, description="A glob pattern that the source must match.")
    tag: str | list[str] = Field(default_factory=list, description="Tags that a post must all have.")
    tags: list[str] = Field(default_factory=list, description="The same.")
    min_confidence: float | None = Field(None, ge=0, le=1, description="Below it, the answer is that nothing answers.")

    def question(self) -> Question:
        """Return everything but the text."""
        tags = [self.tag] if isinstance(self.tag, str) else self.tag
        return Question(self.k, self.since, self.until, self.source, (*tags, *self.tags), self.min_confidence)


class PostDocument(BaseModel):
    """A whole post, the posts before and after it, and all ids under which the archives have it."""

    model_config = ConfigDict(extra="allow")

    post_id: str
    title: str
    question: str
    answer: str
    prev: OtherPost | None
    next: OtherPost | None
    ids: list[str]


_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorBody, "description": "The input cannot be searched for."},
    401: {"model": ErrorBody, "description": "A token is needed."},
    413: {"model": ErrorBody, "description": "The request is too large."},
    421: {"model": ErrorBody, "description": "The service does not answer under this name."},
    429: {"model": ErrorBody, "description": "Too many requests of one client."},
    503: {"model": ErrorBody, "description": "Too many questions wait, or the index cannot be used."},
    504: {"model": ErrorBody, "description": "Not answered in time."},
}
_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": ErrorBody, "description": "There is no such post."}}

Count = Annotated[int, Query(ge=1, le=MAX_HITS, description="How many posts at most.")]


def create_app(index: SearchIndex, settings: Settings | None = None) -> App:
    """Make the ASGI app that serves an open index; the index is closed when the app shuts down."""
    chosen = settings or Settings()
    service = SearchService(
        index,
        max_waiting=chosen.max_waiting,
        timeout=chosen.timeout,
        max_batch=chosen.max_batch,
        refresh_seconds=chosen.refresh_seconds,
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
        responses=_ERRORS,
    )
    _add_api(app, service)
    _add_pages(app, service)
    _add_health(app, service)
    _add_errors(app)
    app.mount("/static", StaticFiles(directory=_STATIC))
    counted = _Counted(app, service)
    return Guards(counted, token=chosen.token, rate=chosen.rate, max_body=chosen.max_body, hosts=chosen.hosts)


def _add_api(app: FastAPI, service: SearchService) -> None:
    @app.get("/api/search", summary="Find the past answers closest to a complaint", response_model=SearchResult)
    async def search(
        q: Annotated[str, Query(min_length=1, max_length=MAX_COMPLAINT_CHARACTERS, description="The complaint.")],
        k: Count = DEFAULT_TOP_K,
        since: str | None = None,
        until: str | None = None,
        source: str | None = None,
        tag: Annotated[list[str] | None, Query(description="Tags that a post must all have.")] = None,
        min_confidence: Annotated[float | None, Query(ge=0, le=1)] = None,
    ) -> Response:
        question = Question(k, since or None, until or None, source or None, tuple(tag or ()), min_confidence)
        return JSONResponse((await service.search(q, question)).to_dict())

    @app.post("/api/search", summary="The same, for long complaints", response_model=SearchResult)
    async def search_by_body(asked: SearchRequest) -> Response:
        return JSONResponse((await service.search(asked.query, asked.question())).to_dict())

    @app.get("/api/posts/{post_id}", summary="One whole post", response_model=PostDocument, responses=_NOT_FOUND)
    async def post(post_id: str) -> Response:
        view = await service.read(lambda index: _view(index, post_id))
        ids = await service.read(lambda index: index.post_ids(post_id))
        return JSONResponse(
            {
                "post_id": post_id,
                **view.post.to_dict(),
                "prev": view.prev and view.prev.to_dict(),
                "next": view.next and view.next.to_dict(),
                "ids": ids,
            }
        )

    @app.get(
        "/api/posts/{post_id}/similar", summary="More like this", response_model=SearchResult, responses=_NOT_FOUND
    )
    async def similar(post_id: str, k: Count = DEFAULT_TOP_K) -> Response:
        await service.read(lambda index: _view(index, post_id))
        return JSONResponse((await service.similar(post_id, Question(k))).to_dict())

    @app.get("/api/info", summary="What the index holds", response_model=IndexInfo)
    async def info() -> Response:
        return JSONResponse((await service.info()).to_dict())


def _add_pages(app: FastAPI, service: SearchService) -> None:
    @app.get("/", include_in_schema=False)
    async def start(request: Request) -> Response:
        form, problem = _form(request)
        result, status = None, 200
        if not problem and (form.q.strip() or form.like):
            question = Question(
                form.k, form.since or None, form.until or None, form.source or None, (form.tag,) if form.tag else ()
            )
            try:
                asked = service.similar(form.like, question) if form.like else service.search(form.q, question)
                result = await asked
            except QueryError as error:
                problem = str(error)
            except (BusyError, SlowError) as error:
                problem, status = f"{str(error).capitalize()}.", 503
        if problem and status == 200:
            status = 400
        info = await service.info()
        sources = [count.source for count in info.sources]
        page = search_page(form, result, sources, total=info.counts["posts"], message=problem)
        return HTMLResponse(page, status)

    @app.get("/posts/{post_id}", include_in_schema=False)
    async def post(post_id: str) -> Response:
        return HTMLResponse(post_page(await service.read(lambda index: _view(index, post_id))))


def _add_health(app: FastAPI, service: SearchService) -> None:
    @app.get("/healthz", summary="Whether the service runs", response_model=dict[str, str])
    async def healthz() -> Response:
        return JSONResponse({"status": "ok"})

    @app.get("/readyz", summary="Whether the service can answer", response_model=dict[str, str])
    async def readyz() -> Response:
        if not service.ready:
            return error_response(503, "NotReady", "the index is being opened, or the service is stopping")
        return JSONResponse({"status": "ready", "generation": service.index.generation.name})

    @app.get("/metrics", summary="Counts for Prometheus", response_class=Response)
    async def metrics() -> Response:
        return Response(service.metrics.page(), media_type=service.metrics.content_type)


def _add_errors(app: FastAPI) -> None:
    async def invalid(request: Request, error: Any) -> Response:
        told = "; ".join(f"{'.'.join(map(str, item['loc'][1:]))}: {item['msg']}" for item in error.errors()[:5])
        return _told(request, 400, "QueryError", told)

    async def refused(request: Request, error: Any) -> Response:
        kind = "NotFound" if error.status_code == 404 else "HTTPError"
        headers = dict(error.headers or {})
        if error.status_code == 405:  # a path may have several routes, and the first names its own methods only
            routes = [route for route in app.routes if route.matches(request.scope)[0] != Match.NONE]
            methods = {method for route in routes for method in getattr(route, "methods", None) or ()}
            headers["allow"] = ", ".join(sorted(methods))
        return _told(request, error.status_code, kind, str(error.detail), headers)

    async def failed(request: Request, error: Exception) -> Response:
        status, headers = 503, _RETRY
        if isinstance(error, QueryError):
            status, headers = 400, {}
        elif isinstance(error, SlowError):
            status, headers = 504, {}
        elif not isinstance(error, BusyError | IndexFolderError | ModelError):
            status, headers = 500, {}
        return _told(request, status, type(error).__name__, str(error), headers)

    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(QASearchError, failed)


def _told(request: Request, status: int, kind: str, message: str, headers: dict[str, str] | None = None) -> Response:
    """Return an error as a page to people and as JSON to programs."""
    if request.url.path.startswith("/posts/"):
        return HTMLResponse(error_page(status, message), status, headers)
    return error_response(status, kind, message, headers)


def _view(index: SearchIndex, post_id: str) -> PostView:
    post: Post | None = index.post(post_id)
    if post is None:
        raise HTTPException(404, "There is no post of this id in the index.")
    before, after = index.neighbours(post_id)
    return PostView(post, post_id, before, after)


def _form(request: Request) -> tuple[Form, str]:
    """Read what a person filled in; what makes no sense is told on the page."""
    given = request.query_params
    form = Form(
        q=given.get("q", ""),
        since=given.get("since", ""),
        until=given.get("until", ""),
        source=given.get("source", ""),
        tag=given.get("tag", ""),
        like=given.get("like", ""),
    )
    count = given.get("k", "") or str(DEFAULT_TOP_K)
    if not (count.isascii() and count.isdigit() and 1 <= int(count[:9]) <= MAX_HITS):
        return form, f"The number of answers must be from 1 to {MAX_HITS}."
    return replace(form, k=int(count)), ""


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
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.request(route, status, time.perf_counter() - started)
