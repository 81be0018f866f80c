"""The fields of a page's form, or of its address -> the search that they ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.exceptions import HTTPException

from qa_search.interfaces.web.pages import MAX_HITS, Form
from qa_search.search.query import DEFAULT_TOP_K, SearchParameters, are_exchanged
from qa_search.search.search_index import SearchIndex

_MAX_FORM_FIELDS = 20
_YEARS = ("1", "5", "10")


async def form_fields(request: Request) -> dict[str, str]:
    """Read the fields of a form that a page sends.

    Raises:
        HTTPException: if it cannot be read.
    """
    try:
        return dict(parse_qsl((await request.body()).decode(), max_num_fields=_MAX_FORM_FIELDS))
    except ValueError:
        raise HTTPException(400, "The form cannot be read.") from None


def read_form(given: Mapping[str, str], *, private: bool = False) -> tuple[Form, str]:
    """Read the form; return it with a message about what is invalid."""
    form = Form(
        q=given.get("q", "").replace("\r\n", "\n"),  # as the box has it: forms are sent with longer line ends
        since=given.get("since", ""),
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


def asks_for_last_years(given: Mapping[str, str]) -> bool:
    """Return whether a form asks for the last years, in place of a date."""
    return given.get("years", "") in _YEARS


def with_last_years(given: Mapping[str, str], index: SearchIndex) -> dict[str, str]:
    """Return the fields with the date that the last years begin at, counted from the newest post.

    An archive may have ended years ago: counted from today, its last years would be empty. A post of a day to come
    has a wrong date.
    """
    today = datetime.now(UTC).date().isoformat()
    newest = next((post.date for post in index.list_posts(1, until=today)), None) or today
    year, month, day = map(int, f"{newest}-01-01"[: len(today)].split("-"))
    since = date(max(year - int(given["years"]), 1), month, min(day, 28)).isoformat()
    return {**given, "since": since, "years": ""}


def parameters_of(form: Form) -> SearchParameters:
    """Return everything but the text."""
    tags = (form.tag,) if form.tag else ()
    return SearchParameters(form.k, form.since or None, form.until or None, form.source or None, tags)


def in_order(form: Form) -> tuple[Form, str]:
    """Exchange dates that are the wrong way round, and say so.

    Raises:
        QueryError: if a date, or another filter, is invalid.
    """
    since = parameters_of(replace(form, until="")).filters().since
    until = parameters_of(replace(form, since="")).filters().until
    if not are_exchanged(since, until):
        return form, ""
    note = f"The dates were the wrong way round: since {form.until}, until {form.since} was searched."
    return replace(form, since=form.until, until=form.since), note
