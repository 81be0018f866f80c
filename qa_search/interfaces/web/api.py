"""The JSON API: its routes, and the documents that they take and give."""

from __future__ import annotations

import json
import reprlib
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from qa_search.errors import QueryError
from qa_search.interfaces.render.documents import post_document
from qa_search.interfaces.web.asking import charge, view_of
from qa_search.interfaces.web.guards import Buckets, client_of
from qa_search.interfaces.web.invalid import unknown
from qa_search.interfaces.web.pages import MAX_HITS
from qa_search.interfaces.web.service import SearchService, characters_like
from qa_search.search.feedback import MAX_COMPLAINT_CHARACTERS
from qa_search.search.query import DEFAULT_TOP_K, MAX_QUERY_CHARACTERS, SearchParameters
from qa_search.types import IndexInfo, OtherPost, SearchResult

# Characters of all posts that one answer holds: eight of the largest posts, thousands of usual ones.
MAX_ANSWER_CHARACTERS = 8_000_000


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


ERRORS: dict[int | str, dict[str, Any]] = {
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


def _known_parameters(request: Request) -> None:
    """Refuse a parameter that the path does not have: a misspelt filter would find what it should leave out.

    So would one that is given twice, and read once.
    """
    known = [field.alias for field in request.scope["route"].dependant.query_params]
    for name in request.query_params:
        if name not in known:
            raise QueryError(unknown(name, known))
    _require_single([name for name, _ in request.query_params.multi_items() if name != "tag"])


async def _single_fields(request: Request) -> None:
    """Refuse a JSON object with one name twice."""
    names: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> None:
        names[:] = [name for name, _ in pairs]  # of the object that ends last, which is the whole

    with suppress(ValueError, RecursionError):  # invalid JSON is reported elsewhere
        json.loads(await request.body(), object_pairs_hook=note)
    _require_single(names)


def _require_single(names: Sequence[str]) -> None:
    for name, times in Counter(names).items():
        if times > 1:
            raise QueryError(f"{reprlib.repr(name)}: given {times} times. Give it once.")


_KNOWN = [Depends(_known_parameters)]
_SINGLE = [Depends(_single_fields)]


def _require_bounded(result: SearchResult) -> SearchResult:
    """Refuse an answer that is too large to send."""
    characters = sum(len(hit.title) + len(hit.question) + len(hit.answer) for hit in result.hits)
    if characters > MAX_ANSWER_CHARACTERS:
        raise QueryError(
            f"k: the {len(result.hits)} posts found have {characters:,} characters, and one answer holds "
            f"{MAX_ANSWER_CHARACTERS:,}: ask for fewer posts"
        )
    return result


def add_api(app: FastAPI, service: SearchService, prices: Buckets) -> None:
    """Add what programs ask."""

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
        charge(prices, request, len(q), k)
        return JSONResponse(_require_bounded(await service.search(q, parameters, client_of(request.scope))).to_dict())

    @app.post("/api/search", summary="The same, for long queries", response_model=SearchResult, dependencies=_SINGLE)
    async def search_by_body(request: Request, asked: SearchRequest) -> Response:
        charge(prices, request, len(asked.query), asked.k)
        return JSONResponse(
            _require_bounded(await service.search(asked.query, asked.parameters(), client_of(request.scope))).to_dict()
        )

    @app.get("/api/posts/{post_id}", summary="One whole post", response_model=PostDocument, responses=_NOT_FOUND)
    async def post(post_id: str) -> Response:
        view = await service.read(lambda index: view_of(index, post_id))
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
        await service.read(lambda index: view_of(index, post_id))
        charge(prices, request, await service.read(lambda index: characters_like(index, post_id)), k)
        return JSONResponse(
            _require_bounded(await service.similar(post_id, SearchParameters(k), client_of(request.scope))).to_dict()
        )

    @app.get("/api/info", summary="What the index contains", response_model=IndexInfo)
    async def info() -> Response:
        return JSONResponse((await service.info()).to_dict())


def add_feedback(app: FastAPI, service: SearchService) -> None:
    """Add what programs say of a hit."""

    @app.post(
        "/api/feedback",
        summary="Say that a post answered a query, or did not",
        response_model=FeedbackDocument,
        dependencies=_SINGLE,
        responses=_NOT_FOUND,
    )
    async def feedback(request: Request, said: FeedbackRequest) -> Response:
        await service.read(lambda index: view_of(index, said.post_id))
        address = client_of(request.scope)
        await service.read(
            lambda index: index.record_feedback(said.query, said.post_id, answered=said.answered, address=address)
        )
        return JSONResponse({"recorded": True})
