"""The fields of a page's form, or of its address -> the search that they ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.exceptions import HTTPException

from qa_search.interfaces.web.pages import MAX_HITS, Form
from qa_search.search.query import DEFAULT_TOP_K, SearchParameters

_MAX_FORM_FIELDS = 20


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
    years = given.get("years", "")
    form = Form(
        q=given.get("q", "").replace("\r\n", "\n"),  # as the box has it: forms are sent with longer line ends
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


def parameters_of(form: Form) -> SearchParameters:
    """Return everything but the text."""
    tags = (form.tag,) if form.tag else ()
    return SearchParameters(form.k, form.since or None, form.until or None, form.source or None, tags)


def in_order(form: Form) -> tuple[Form, str]:
    """Exchange dates that are the wrong way round, and say so.

    Raises:
        QueryError: if a date, or another filter, is invalid.
    """
    filters = parameters_of(form).filters()
    if filters.since is None or filters.until is None or filters.since < filters.until:
        return form, ""
    note = f"The dates were the wrong way round: since {form.until}, until {form.since} was searched."
    return replace(form, since=form.until, until=form.since), note
