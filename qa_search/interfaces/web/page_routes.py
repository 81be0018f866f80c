"""The routes of the pages: search, post, votes, lists to look through, and the part for other sites' pages."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from qa_search.errors import FeedbackError, FeedbackLimitError, QueryError
from qa_search.insights.question_log import QuestionLog
from qa_search.interfaces.web.asking import charge, notice_of, view_of, why_gone
from qa_search.interfaces.web.errors import BusyError, FailedError, SlowError
from qa_search.interfaces.web.forms import (
    asks_for_last_years,
    form_fields,
    in_order,
    parameters_of,
    read_form,
    with_last_years,
)
from qa_search.interfaces.web.guards import WIDGET, WIDGET_SEARCH, Buckets, client_of
from qa_search.interfaces.web.pages import (
    REMEMBERED,
    Archive,
    Form,
    Listing,
    Look,
    browse_page,
    form_address,
    found_part,
    gone_page,
    post_page,
    read_mark,
    refusal,
    search_page,
)
from qa_search.interfaces.web.recent import RecentTexts
from qa_search.interfaces.web.service import SearchService, characters_like
from qa_search.interfaces.web.site import style_of
from qa_search.types import SearchResult

log = logging.getLogger("qa_search")

STATIC = Path(__file__).parent / "static"
_PAGE_POSTS = 30  # of a list to look through
_MOST_PAGES = 10_000
_PRIVATE = "qa_private"  # the cookie that remembers the switch
# What the next page says after somebody said what answered.
_THANKS = "Thank you. This counts as soon as others say the same."
_UNCOUNTED = "This vote was not counted"
_YEAR = re.compile(r"\d{4}", re.ASCII)


def add_pages(app: FastAPI, service: SearchService, prices: Buckets, look: Look, questions: QuestionLog | None) -> None:
    """Add the page that searches, and those of the posts."""
    asked = RecentTexts()
    voted = RecentTexts()  # what the next page says of a vote: no address says so, since it is passed on

    @app.get("/", include_in_schema=False)
    async def start(request: Request) -> Response:
        return await page(request, request.query_params, private=_PRIVATE in request.cookies)

    @app.post("/", include_in_schema=False)
    async def start_by_body(request: Request) -> Response:
        """Redirect to the address of a search, which can be shared; answer here if it is private or would be too long.

        With ``part``, a script asks while somebody types, and puts the results into its page.
        """
        fields = await dated(await form_fields(request))
        private = "private" in fields
        form, problem = read_form(fields, private=private)
        address = form_address(form)
        if "part" in fields:
            return await page(request, fields, private=private, typing=True)
        if address is None or problem:
            response = await page(request, fields, private=private)
        else:
            response = RedirectResponse(address, 303)
        if private:
            response.set_cookie(_PRIVATE, "1", REMEMBERED, samesite="strict")  # a script sets it, too
        else:
            response.delete_cookie(_PRIVATE)
        return response

    async def page(request: Request, fields: Mapping[str, str], *, private: bool, typing: bool = False) -> Response:
        fields = await dated(fields)
        form, problem = read_form(fields, private=private)
        note, notice, result, status, headers = "", "", None, 200, {}
        if form.q.strip() or form.like:
            try:
                await charged(request, form)
                if form.like and not problem:
                    problem = await service.read(lambda index: why_gone(index, form.like))
                if not problem:
                    form, note = in_order(form)
                    result = await found(request, form, typing=typing)
            except QueryError as error:
                problem = f"{str(error)[:1].upper()}{str(error)[1:].rstrip('.')}."
            except HTTPException as error:
                problem, status, headers = f"{error.detail.capitalize()}.", error.status_code, dict(error.headers or {})
            except (BusyError, SlowError, FailedError) as error:
                status = 500 if isinstance(error, FailedError) else 503
                problem = refusal(500, "") if isinstance(error, FailedError) else f"{str(error).capitalize()}."
        if problem and status == 200:
            status = 400
            # A sign of danger must not be lost in a text that is too long, or beside an invalid date.
            notice = await service.read(lambda index: notice_of(index, form.q))
        if result is not None and not typing:
            note = f"{voted.take(client_of(request.scope), form.q)} {note}".strip()
        archive = Archive.of(await service.info())
        shown = search_page(form, result, archive, message=problem, note=note, notice=notice, look=look)
        return HTMLResponse(shown, status, headers)

    async def dated(fields: Mapping[str, str]) -> Mapping[str, str]:
        if not asks_for_last_years(fields):
            return fields
        return await service.read(lambda index: with_last_years(fields, index))

    async def charged(request: Request, form: Form) -> None:
        like = await service.read(lambda index: characters_like(index, form.like)) if form.like else 0
        charge(prices, request, like or len(form.q), form.k)

    async def found(request: Request, form: Form, *, typing: bool) -> SearchResult:
        parameters = parameters_of(form)
        if not form.like:
            client = client_of(request.scope)
            result = await service.search(
                form.q, parameters, client, logged=not typing and asked.is_new(client, form.q)
            )
            if questions is not None and not typing:
                asked.note(client, form.q)
            return result
        return await service.similar(form.like, parameters, client_of(request.scope))

    if look.feedback:

        @app.post("/feedback", include_in_schema=False)
        async def vote(request: Request) -> Response:
            """Write down what somebody says of a hit, and show the hits again."""
            fields = await form_fields(request)
            private, answered = "private" in fields, fields.get("answered") == "yes"
            form, _ = read_form(fields, private=private)
            if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
                raise HTTPException(403, "Only a page of this service may say what answered.")
            client, post_id = client_of(request.scope), fields.get("post", "")
            remark = _THANKS
            try:
                await service.read(
                    lambda index: index.record_feedback(form.q, post_id, answered=answered, address=client)
                )
            except QueryError as error:
                why = await service.read(lambda index: why_gone(index, post_id)) or f"{error}."
                remark = f"{_UNCOUNTED}: {why[:1].lower()}{why[1:]}"
            except FeedbackLimitError:
                remark = f"{_UNCOUNTED}: no more are taken from here today. Try again tomorrow."
            except FeedbackError as error:
                log.warning("a vote was not written down: %s", error)
                remark = f"{_UNCOUNTED}: it could not be written down. Tell whoever runs this service."
            voted.note(client, form.q, remark)
            if questions is not None and remark == _THANKS:
                questions.mark(form.q, feedback="answered" if answered else "not answered")
            address = form_address(form)
            return await page(request, fields, private=private) if address is None else RedirectResponse(address, 303)

    @app.get("/posts/{post_id}", include_in_schema=False)
    async def post(request: Request, post_id: str) -> Response:
        form, _ = read_form(request.query_params, private=_PRIVATE in request.cookies)
        return await opened(request, post_id, form)

    @app.post("/posts/{post_id}", include_in_schema=False)
    async def post_by_body(request: Request, post_id: str) -> Response:
        """Show a post and take along a search that no address holds."""
        fields = await form_fields(request)
        form, _ = read_form(fields, private="private" in fields)
        return await opened(request, post_id, form)

    async def opened(request: Request, post_id: str, form: Form) -> Response:
        archive = Archive.of(await service.info())
        if gone := await service.read(lambda index: why_gone(index, post_id)):
            return HTMLResponse(gone_page(gone, form=form, archive=archive, look=look), 404)
        view = await service.read(lambda index: view_of(index, post_id))
        if questions is not None and form.q:
            questions.mark(form.q, opened=view.post_id)
        mark = read_mark(view.post, request.query_params.get("at", ""))
        return HTMLResponse(post_page(view, mark=mark, form=form, archive=archive, look=look))


def add_lists(app: FastAPI, service: SearchService, look: Look) -> None:
    """Add the lists to look through, and the owner's colours."""
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


def add_widget(app: FastAPI, service: SearchService, prices: Buckets, origins: frozenset[str], *, linked: bool) -> None:
    """Add what the pages of some other sites may load and ask; hits are ``linked`` to the pages of their posts."""

    @app.get(WIDGET, include_in_schema=False)
    async def script() -> Response:
        return FileResponse(STATIC / "widget.js")

    @app.post(WIDGET_SEARCH, include_in_schema=False)
    async def found(request: Request) -> Response:
        """Search for the page of an allowed site; return the hits as a part of a page.

        With ``typing``, somebody still writes, and the text is no question yet.
        """
        if request.headers.get("origin") not in origins:
            raise HTTPException(403, "pages of this site may not ask here (--allow-origin)")
        fields = await form_fields(request)
        form, problem = read_form(fields)
        charge(prices, request, len(form.q), form.k)
        client, logged = client_of(request.scope), "typing" not in fields
        try:
            if problem:
                raise QueryError(problem)
            result = await service.search(form.q, parameters_of(form), client, logged=logged)
        except QueryError as error:
            notice = await service.read(lambda index: notice_of(index, form.q))
            raise QueryError(f"{notice} {error}".strip()) from error
        return HTMLResponse(found_part(result, linked=linked))
