"""The HTTP service: the JSON API, the page, health and metrics."""

from __future__ import annotations

import asyncio
import re
import reprlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from qa_search.errors import FeedbackError, FeedbackLimitError, IndexFolderError, ModelError, QASearchError, QueryError
from qa_search.insights.question_log import QuestionLog
from qa_search.interfaces.render.commands import message_of
from qa_search.interfaces.render.documents import post_document
from qa_search.interfaces.render.wording import hidden_post
from qa_search.interfaces.web.errors import BusyError, FailedError, SlowError
from qa_search.interfaces.web.guards import (
    WIDGET,
    App,
    Buckets,
    Guards,
    Receive,
    Scope,
    Send,
    client_of,
    error_response,
    is_browser,
)
from qa_search.interfaces.web.pages import (
    MAX_HITS,
    Archive,
    Form,
    Listing,
    Look,
    PostView,
    browse_page,
    error_page,
    form_address,
    found_part,
    post_page,
    read_mark,
    search_page,
)
from qa_search.interfaces.web.recent import RecentTexts
from qa_search.interfaces.web.service import SearchService, characters_like, question_cost
from qa_search.interfaces.web.site import DEFAULT_SITE, Site, style_of
from qa_search.interfaces.web.workers import Workers
from qa_search.search.feedback import MAX_COMPLAINT_CHARACTERS
from qa_search.search.query import DEFAULT_TOP_K, MAX_QUERY_CHARACTERS, SearchParameters
from qa_search.search.search_index import SearchIndex
from qa_search.types import IndexInfo, OtherPost, Post, SearchResult

# Characters of all posts that one answer holds: eight of the largest posts, thousands of usual ones.
MAX_ANSWER_CHARACTERS = 8_000_000
# Characters that count as one request of --rate, and that one client may have searched for at once.
_CHARACTERS_EACH = 1_000
_CHARACTERS_AT_ONCE = 2 * MAX_QUERY_CHARACTERS
_DEADLINE_SLACK = 5.0  # seconds: inner timeouts come first, as their messages say more
_MAX_FORM_FIELDS = 20
_GONE = 499  # the client has gone, or the deadline has passed
_PAGE_POSTS = 30  # of a list to look through
_MOST_PAGES = 10_000
_PRIVATE = "qa_private"  # the cookie that remembers the switch
# What an address has after somebody said what answered, and what the page says then.
_THANKED = "thanks"
_THANKS = "Thank you. This counts as soon as others say the same."
_REMEMBERED = 365 * 24 * 3600  # seconds
_YEAR = re.compile(r"\d{4}", re.ASCII)
_STATIC = Path(__file__).parent / "static"
_RETRY = {"retry-after": "1"}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a service allows, and what its pages say. See `Guards`, `SearchService` and `Look` for what each means.

    ``questions`` is where questions are logged; None for nowhere.
    """

    token: str | None = None
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
        return Look(self.site, self.show_sources, self.instant, log_kept=self.questions is not None)


class ErrorDetail(BaseModel):
    """An error: its kind, and a message for people."""

    type: str
    message: str


class ErrorBody(BaseModel):
    """The body of every answer that is an error."""

    error: ErrorDetail


class SearchRequest(BaseModel):
    """A query and the filters of its search."""

    model_config = ConfigDict(extra="forbid", strict=True)

    query: str = Field(min_length=1, max_length=MAX_QUERY_CHARACTERS, description="The query, in any words.")
    k: int = Field(DEFAULT_TOP_K, ge=1, le=MAX_HITS, description="How many posts at most.")
    since: str | None = Field(None, description="The earliest date: 2015, 2015-06 or 2015-06-30.")
    until: str | None = Field(None, description="The latest date, its whole day, month or year included.")
    source: str | None = Field(None, description="A glob pattern that the source must match.")
    tag: str | list[str] = Field(default_factory=list, description="Tags that a post must all have.")
    tags: list[str] = Field(default_factory=list, description="The same.")
    min_confidence: float | None = Field(None, ge=0, le=1, description="Below it, the result is not answered.")

    def parameters(self) -> SearchParameters:
        """Return everything but the text."""
        tags = [self.tag] if isinstance(self.tag, str) else self.tag
        return SearchParameters(self.k, self.since, self.until, self.source, (*tags, *self.tags), self.min_confidence)


class FeedbackRequest(BaseModel):
    """What a client says of a post that a query found."""

    model_config = ConfigDict(extra="forbid", strict=True)

    query: str = Field(min_length=1, max_length=MAX_COMPLAINT_CHARACTERS, description="The query, as it was written.")
    post_id: str = Field(description="The post_id of the hit.")
    answered: bool = Field(description="Whether the post answered the query.")


class FeedbackDocument(BaseModel):
    """What was written down."""

    recorded: bool


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
    401: {"model": ErrorBody, "description": "A token is required."},
    408: {"model": ErrorBody, "description": "The request was not complete in time."},
    413: {"model": ErrorBody, "description": "The body is too large."},
    414: {"model": ErrorBody, "description": "The address is too long: send a long query by POST."},
    421: {"model": ErrorBody, "description": "The service does not answer under this name."},
    429: {"model": ErrorBody, "description": "Too many requests of one client."},
    431: {"model": ErrorBody, "description": "The headers are too large or too many."},
    500: {"model": ErrorBody, "description": "The service failed; see its log."},
    503: {"model": ErrorBody, "description": "Too many queries wait, or the index cannot be used."},
    504: {"model": ErrorBody, "description": "Not answered in time."},
}
_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": ErrorBody, "description": "The post does not exist."}}

Count = Annotated[int, Query(ge=1, le=MAX_HITS, description="How many posts at most.")]


class Service(Guards):
    """The ASGI app of one index, behind its guards."""

    def __init__(self, app: App, service: SearchService, settings: Settings) -> None:
        """Guard an app that answers by a search service."""
        super().__init__(
            app,
            token=settings.token,
            rate=settings.rate,
            max_body=settings.max_body,
            hosts=settings.hosts,
            origins=settings.origins,
            error_page=partial(error_page, look=settings.look),
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
        responses=_ERRORS,
    )
    prices = Buckets(chosen.rate * _CHARACTERS_EACH, _CHARACTERS_AT_ONCE)
    _add_api(app, service, prices)
    look = replace(chosen.look, feedback=index.records_feedback)
    _add_pages(app, service, prices, look, chosen.questions)
    _add_lists(app, service, look)
    if chosen.origins:
        _add_widget(app, service, prices, chosen.origins)
    if index.records_feedback:
        _add_feedback(app, service)
    _add_health(app, service)
    _add_errors(app, look)
    app.mount("/static", StaticFiles(directory=_STATIC))
    return Service(_Counted(app, service), service, chosen)


def _known_parameters(request: Request) -> None:
    """Refuse a parameter that the path does not have: a misspelt filter would find what it should leave out."""
    known = [field.alias for field in request.scope["route"].dependant.query_params]
    for name in request.query_params:
        if name not in known:
            raise QueryError(f"{reprlib.repr(name)}: unknown parameter. There are: {', '.join(known)}.")


_KNOWN = [Depends(_known_parameters)]


def _charge(prices: Buckets, request: Request, characters: int, k: int) -> None:
    """Count a query against its client: a long query or many hits cost as much as many short queries."""
    wait = prices.take(client_of(request.scope), question_cost(characters, k))
    if wait > 0:
        raise HTTPException(429, "too much to search for: wait a moment", {"retry-after": str(int(wait) + 1)})


def _require_bounded(result: SearchResult) -> SearchResult:
    """Refuse an answer that is too large to send."""
    characters = sum(len(hit.title) + len(hit.question) + len(hit.answer) for hit in result.hits)
    if characters > MAX_ANSWER_CHARACTERS:
        raise QueryError(
            f"k: the {len(result.hits)} posts found have {characters:,} characters, and one answer holds "
            f"{MAX_ANSWER_CHARACTERS:,}: ask for fewer posts"
        )
    return result


def _add_api(app: FastAPI, service: SearchService, prices: Buckets) -> None:
    @app.get(
        "/api/search",
        summary="Find the past answers closest to a query",
        response_model=SearchResult,
        dependencies=_KNOWN,
    )
    async def search(
        request: Request,
        q: Annotated[str, Query(min_length=1, max_length=MAX_QUERY_CHARACTERS, description="The complaint.")],
        k: Count = DEFAULT_TOP_K,
        since: str | None = None,
        until: str | None = None,
        source: str | None = None,
        tag: Annotated[list[str] | None, Query(description="Tags that a post must all have.")] = None,
        min_confidence: Annotated[float | None, Query(ge=0, le=1)] = None,
    ) -> Response:
        parameters = SearchParameters(k, since or None, until or None, source or None, tuple(tag or ()), min_confidence)
        _charge(prices, request, len(q), k)
        return JSONResponse(_require_bounded(await service.search(q, parameters, client_of(request.scope))).to_dict())

    @app.post("/api/search", summary="The same, for long queries", response_model=SearchResult)
    async def search_by_body(request: Request, asked: SearchRequest) -> Response:
        _charge(prices, request, len(asked.query), asked.k)
        return JSONResponse(
            _require_bounded(await service.search(asked.query, asked.parameters(), client_of(request.scope))).to_dict()
        )

    @app.get("/api/posts/{post_id}", summary="One whole post", response_model=PostDocument, responses=_NOT_FOUND)
    async def post(post_id: str) -> Response:
        view = await service.read(lambda index: _view(index, post_id))
        ids = await service.read(lambda index: index.post_ids(post_id))
        return JSONResponse(post_document(post_id, view.post, (view.prev, view.next), ids))

    @app.get(
        "/api/posts/{post_id}/similar",
        summary="More like this",
        response_model=SearchResult,
        responses=_NOT_FOUND,
        dependencies=_KNOWN,
    )
    async def similar(request: Request, post_id: str, k: Count = DEFAULT_TOP_K) -> Response:
        await service.read(lambda index: _view(index, post_id))
        _charge(prices, request, await service.read(lambda index: characters_like(index, post_id)), k)
        return JSONResponse(
            _require_bounded(await service.similar(post_id, SearchParameters(k), client_of(request.scope))).to_dict()
        )

    @app.get("/api/info", summary="What the index contains", response_model=IndexInfo)
    async def info() -> Response:
        return JSONResponse((await service.info()).to_dict())


def _add_feedback(app: FastAPI, service: SearchService) -> None:
    @app.post(
        "/api/feedback",
        summary="Say that a post answered a query, or did not",
        response_model=FeedbackDocument,
        responses=_NOT_FOUND,
    )
    async def feedback(request: Request, said: FeedbackRequest) -> Response:
        await service.read(lambda index: _view(index, said.post_id))
        address = client_of(request.scope)
        await service.read(
            lambda index: index.record_feedback(said.query, said.post_id, answered=said.answered, address=address)
        )
        return JSONResponse({"recorded": True})


def _add_pages(
    app: FastAPI, service: SearchService, prices: Buckets, look: Look, questions: QuestionLog | None
) -> None:
    asked = RecentTexts()

    @app.get("/", include_in_schema=False)
    async def start(request: Request) -> Response:
        return await page(request, request.query_params, private=_PRIVATE in request.cookies)

    @app.post("/", include_in_schema=False)
    async def start_by_body(request: Request) -> Response:
        """Redirect to the address of a search, which can be shared; answer here if it is private or would be too long.

        With ``part``, a script asks while somebody types, and puts the results into its page.
        """
        fields = await _form_fields(request)
        private = "private" in fields
        form, problem = _form(fields, private=private)
        address = form_address(form)
        if "part" in fields:
            return await page(request, fields, private=private, typing=True)
        if address is None or problem:
            response = await page(request, fields, private=private)
        else:
            response = RedirectResponse(address, 303)
        if private:
            response.set_cookie(_PRIVATE, "1", _REMEMBERED, httponly=True, samesite="strict")
        else:
            response.delete_cookie(_PRIVATE)
        return response

    async def page(
        request: Request, fields: Mapping[str, str], *, private: bool, typing: bool = False, problem: str = ""
    ) -> Response:
        form, invalid = _form(fields, private=private)
        refused, problem = problem, invalid
        note, result, status, headers = "", None, 200, {}
        if not problem and (form.q.strip() or form.like):
            try:
                form, note = _in_order(form)
                result = await found(request, form, typing=typing)
            except QueryError as error:
                problem = str(error)
            except HTTPException as error:
                problem, status, headers = f"{error.detail.capitalize()}.", error.status_code, dict(error.headers or {})
            except (BusyError, SlowError, FailedError) as error:
                status = 500 if isinstance(error, FailedError) else 503
                problem = f"{str(error).capitalize()}."
        if problem and status == 200:
            status = 400
        problem = problem or refused
        note = note or ("" if refused or _THANKED not in fields else _THANKS)
        archive = Archive.of(await service.info())
        return HTMLResponse(search_page(form, result, archive, message=problem, note=note, look=look), status, headers)

    async def found(request: Request, form: Form, *, typing: bool) -> SearchResult:
        parameters = _parameters(form)
        if not form.like:
            _charge(prices, request, len(form.q), form.k)
            client = client_of(request.scope)
            result = await service.search(
                form.q, parameters, client, logged=not typing and asked.is_new(client, form.q)
            )
            if questions is not None and not typing:
                asked.note(client, form.q)
            return result
        _charge(prices, request, await service.read(lambda index: characters_like(index, form.like)), form.k)
        return await service.similar(form.like, parameters, client_of(request.scope))

    if look.feedback:

        @app.post("/feedback", include_in_schema=False)
        async def vote(request: Request) -> Response:
            """Write down what somebody says of a hit, and show the hits again."""
            fields = await _form_fields(request)
            private, answered = "private" in fields, fields.get("answered") == "yes"
            form, _ = _form(fields, private=private)
            problem = ""
            if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
                raise HTTPException(403, "Only a page of this service may say what answered.")
            try:
                await service.read(
                    lambda index: index.record_feedback(
                        form.q, fields.get("post", ""), answered=answered, address=client_of(request.scope)
                    )
                )
            except (FeedbackError, QueryError) as error:
                problem = f"{str(error).capitalize().rstrip('.')}."
            if questions is not None and not problem:
                questions.mark(form.q, feedback="answered" if answered else "not answered")
            address = form_address(form)
            if address is not None and not problem:
                return RedirectResponse(f"{address}&{_THANKED}=1", 303)
            return await page(request, {**fields, _THANKED: "1"}, private=private, problem=problem)

    @app.get("/posts/{post_id}", include_in_schema=False)
    async def post(request: Request, post_id: str) -> Response:
        form, _ = _form(request.query_params, private=_PRIVATE in request.cookies)
        return await opened(request, post_id, form)

    @app.post("/posts/{post_id}", include_in_schema=False)
    async def post_by_body(request: Request, post_id: str) -> Response:
        """Show a post and take along a search that no address holds."""
        fields = await _form_fields(request)
        form, _ = _form(fields, private="private" in fields)
        return await opened(request, post_id, form)

    async def opened(request: Request, post_id: str, form: Form) -> Response:
        view = await service.read(lambda index: _view(index, post_id))
        if questions is not None and form.q:
            questions.mark(form.q, opened=view.post_id)
        mark = read_mark(view.post, request.query_params.get("at", ""))
        archive = Archive.of(await service.info())
        return HTMLResponse(post_page(view, mark=mark, form=form, archive=archive, look=look))


async def _form_fields(request: Request) -> dict[str, str]:
    """Read the fields of a form that a page sends.

    Raises:
        HTTPException: if it cannot be read.
    """
    try:
        return dict(parse_qsl((await request.body()).decode(), max_num_fields=_MAX_FORM_FIELDS))
    except ValueError:
        raise HTTPException(400, "The form cannot be read.") from None


def _add_lists(app: FastAPI, service: SearchService, look: Look) -> None:
    style = style_of(look.site.colours)

    @app.get("/site.css", include_in_schema=False)
    async def site_style() -> Response:
        return Response(style, media_type="text/css")

    @app.get("/browse", include_in_schema=False)
    async def browse(request: Request) -> Response:
        given = request.query_params
        tag, year, source = (given.get(name, "").strip() for name in ("tag", "year", "source"))
        number = given.get("page", "") or "1"
        if year and not _YEAR.fullmatch(year):
            raise HTTPException(400, "year: write four digits, such as 2015.")
        if not (number.isascii() and number.isdigit() and 1 <= int(number[:9]) <= _MOST_PAGES):
            raise HTTPException(400, f"page: write a number from 1 to {_MOST_PAGES:,}.")
        oldest, at = given.get("sort") == "oldest", int(number)
        posts = await service.read(
            lambda index: index.list_posts(
                _PAGE_POSTS + 1,
                skip=(at - 1) * _PAGE_POSTS,
                oldest_first=oldest,
                since=year or None,
                until=year or None,
                source=source or None,
                tags=[tag] if tag else [],
            )
        )
        more = len(posts) > _PAGE_POSTS
        listing = Listing(posts[:_PAGE_POSTS], at, more, tag, year, source, "oldest" if oldest else "")
        return HTMLResponse(browse_page(listing, Archive.of(await service.info()), look=look))


def _add_widget(app: FastAPI, service: SearchService, prices: Buckets, origins: frozenset[str]) -> None:
    @app.get(WIDGET, include_in_schema=False)
    async def script() -> Response:
        return FileResponse(_STATIC / "widget.js")

    @app.post("/widget", include_in_schema=False)
    async def found(request: Request) -> Response:
        """Search for the page of an allowed site; return the hits as a part of a page.

        With ``typing``, somebody still writes, and the text is no question yet.
        """
        if request.headers.get("origin") not in origins:
            raise HTTPException(403, "pages of this site may not ask here (--allow-origin)")
        try:
            fields = dict(parse_qsl((await request.body()).decode(), max_num_fields=_MAX_FORM_FIELDS))
        except ValueError:
            raise HTTPException(400, "the form cannot be read") from None
        form, problem = _form(fields)
        if problem:
            raise QueryError(problem)
        _charge(prices, request, len(form.q), form.k)
        client, logged = client_of(request.scope), "typing" not in fields
        result = await service.search(form.q, _parameters(form), client, logged=logged)
        return HTMLResponse(found_part(result))


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
        return _error_answer(request, look, 400, "QueryError", "; ".join(map(_problem, error.errors()[:5])))

    async def refused(request: Request, error: Any) -> Response:
        kind = {404: "NotFound", 429: "TooManyRequests"}.get(error.status_code, "HTTPError")
        headers = dict(error.headers or {})
        if error.status_code == 405:  # a path may have several routes, and the first names its own methods only
            routes = [route for route in app.routes if route.matches(request.scope)[0] != Match.NONE]
            methods = {method for route in routes for method in getattr(route, "methods", None) or ()}
            headers["allow"] = ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))
        message = str(error.detail)
        if message == "Not Found":  # starlette's own words, of a path that no route has
            message = "Nothing is at this address. The API is described at /openapi.json."
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


def _problem(item: Mapping[str, Any]) -> str:
    """Say what is wrong with one parameter of a request, or with its body as a whole."""
    name = ".".join(map(str, item["loc"][1:]))
    if item["type"] == "json_invalid":
        return f"the body is not JSON ({item['ctx']['error']} at character {name})"
    if not name:
        return "the body must be a JSON object, sent with content-type: application/json"
    return f"{name}: {item['msg']}"


def _error_answer(
    request: Request, look: Look, status: int, kind: str, message: str, headers: dict[str, str] | None = None
) -> Response:
    """Return an error as a page to people and as JSON to programs: by the address, else by what they accept."""
    path = request.url.path
    is_page = path in ("/", "/browse") or path.startswith("/posts/")
    if is_page or is_browser(request.headers.get("accept", ""), path):
        return HTMLResponse(error_page(status, message, look=look), status, headers)
    return error_response(status, kind, message, headers)


def _view(index: SearchIndex, post_id: str) -> PostView:
    post: Post | None = index.post(post_id)
    if post is None:
        why = index.why_hidden(post_id)
        raise HTTPException(404, "The index has no post with this id." if why is None else hidden_post(why))
    before, after = index.neighbours(post_id)
    return PostView(post, post_id, before, after)


def _form(given: Mapping[str, str], *, private: bool = False) -> tuple[Form, str]:
    """Read the form; return it with a message about what is invalid."""
    years = given.get("years", "")
    form = Form(
        q=given.get("q", ""),
        since=_years_ago(int(years)) if years in ("1", "5", "10") else given.get("since", ""),
        until=given.get("until", ""),
        source=given.get("source", ""),
        tag=given.get("tag", ""),
        like=given.get("like", ""),
        sort="newest" if given.get("sort") == "newest" else "",
        private=private,
    )
    count = given.get("more", "") or given.get("k", "") or str(DEFAULT_TOP_K)
    if not (count.isascii() and count.isdigit() and 1 <= int(count[:9]) <= MAX_HITS):
        return form, f"The number of answers must be from 1 to {MAX_HITS}."
    return replace(form, k=int(count)), ""


def _years_ago(years: int) -> str:
    today = datetime.now(UTC).date()
    return date(today.year - years, today.month, min(today.day, 28)).isoformat()


def _parameters(form: Form) -> SearchParameters:
    tags = (form.tag,) if form.tag else ()
    return SearchParameters(form.k, form.since or None, form.until or None, form.source or None, tags)


def _in_order(form: Form) -> tuple[Form, str]:
    """Exchange dates that are the wrong way round, and say so.

    Raises:
        QueryError: if a date, or another filter, is invalid.
    """
    filters = _parameters(form).filters()
    if filters.since is None or filters.until is None or filters.since < filters.until:
        return form, ""
    note = f"The dates were the wrong way round: since {form.until}, until {form.since} was searched."
    return replace(form, since=form.until, until=form.since), note


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
