"""Results and posts -> the pages that people see. This module does not know HTTP.

Text from archives and from people can hold anything. Jinja escapes every value, and `_shown` replaces in every value
what a browser would obey and not show; templates cannot avoid either.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from qa_search.interfaces.render import excerpt, wording
from qa_search.interfaces.render.excerpt import Excerpt, beginning
from qa_search.interfaces.render.links import link_on_page
from qa_search.types import AnswerPart, Field, Hit, OtherPost, Post, SearchResult
from qa_search.util.text import safe_on_page, without_direction

_COUNTS = (5, 10, 20, 50)
# Of an excerpt: characters before the marked sentence, in all, of the marked sentence, and of a question.
_BEFORE, _EXCERPT, _LONGEST_MARK, _BEGINNING = 250, 800, 1200, 260
# Of a hit on the page of a search: its title, a field that is shown whole, and how many tags and repetitions.
_LONGEST_TITLE, _LONGEST_FIELD, _MOST_TAGS, _MOST_REPEATS = 500, 20_000, 50, 100
_LONGEST_LINK = 6000  # of a link to a search, as it is written: what proxies and browsers take
_HEADING = 140


@dataclass(frozen=True, slots=True)
class Form:
    """The values of the form; ``like`` is the id of a post to find similar posts for, and ``q`` is then empty."""

    q: str = ""
    k: int = 5
    since: str = ""
    until: str = ""
    source: str = ""
    tag: str = ""
    like: str = ""


@dataclass(frozen=True, slots=True)
class PostView:
    """A post, the id it was asked for by, and the pages before and after it."""

    post: Post
    post_id: str
    prev: OtherPost | None
    next: OtherPost | None


def form_address(form: Form) -> str | None:
    """Return the address of a search, None if it would be too long to be passed on."""
    usual = asdict(Form())
    fields = {name: str(_shown(value)) for name, value in asdict(form).items() if value != usual[name]}
    address = "/?" + urlencode(fields)
    return address if len(address) <= _LONGEST_LINK else None


def search_page(
    form: Form, result: SearchResult | None, sources: Sequence[str], *, total: int, message: str = ""
) -> str:
    """Return the page with the search form and the hits.

    Args:
        form: what was filled in.
        result: what was found; None if nothing was asked yet.
        sources: the archive's sources, for the filter.
        total: how many posts the index has.
        message: what was wrong with the input.
    """
    # A source is filtered by pattern: its name as it is may hold what patterns give a meaning.
    choices = {glob.escape(source): source for source in sources}
    if form.source:
        choices.setdefault(form.source, form.source)
    filters = [value for value in (form.since, form.until, form.source, form.tag) if value]
    return _PAGES.get_template("search.html").render(
        form=form,
        result=result,
        sources=choices,
        counts=sorted({*_COUNTS, form.k}),
        filters=len(filters),
        open_filters=bool(filters) or form.k != Form().k,
        unfiltered=form_address(Form(q=form.q, like=form.like)),
        address=form_address(form),
        total=total,
        message=message,
    )


def post_page(view: PostView) -> str:
    """Return the page of one post."""
    return _PAGES.get_template("post.html").render(view=view, post=view.post, parts=_parts(view.post))


def error_page(status: int, message: str) -> str:
    """Return the page for an error."""
    return _PAGES.get_template("error.html").render(status=status, message=message)


def _shown(value: object) -> object:
    """Make a value safe on a page; markup that Jinja has already made stays as it is."""
    return value if isinstance(value, Markup) else safe_on_page(str(value))


def _plain(text: str, most: int = _HEADING) -> str:
    """Return the beginning of a text as one line without marks of direction, for titles and attributes."""
    return beginning(" ".join(without_direction(text).split()), most)


def _day(iso: str | None) -> date | None:
    try:
        return date.fromisoformat((iso or "")[:10])
    except ValueError:
        return None


def _long_day(day: date) -> str:
    return f"{day.day} {day:%B} {day.year}"


def _heading(post: Hit | Post | OtherPost) -> str:
    """Return a post's title, or what can stand for it."""
    if isinstance(post, OtherPost):
        return beginning(post.title or post.source_id, _HEADING)
    return post.title or beginning(post.question or post.answer, _HEADING)


def _path_part(text: str) -> str:
    return quote(str(_shown(text)), safe="")


def _whole(hit: Hit, name: Field) -> Excerpt:
    """Return all of a field, or the beginning of a very long one."""
    return excerpt.whole(hit, name, _LONGEST_TITLE if name == "title" else _LONGEST_FIELD)


def _is_cut(hit: Hit) -> bool:
    """Return whether the page of a search shows only the beginning of a post."""
    return max(len(hit.question), len(hit.answer)) > _LONGEST_FIELD


def _excerpt(hit: Hit, name: Field) -> Excerpt:
    """Return the marked sentence of a field and the text around it, or the beginning of the field."""
    text, mark = getattr(hit, name), hit.highlight
    if mark.field == name:
        end = min(mark.end, mark.start + _LONGEST_MARK)
        return excerpt.around(text, mark.start, end, before=_BEFORE, most=_EXCERPT)
    return excerpt.around(text, 0, 0, before=_BEFORE, most=_EXCERPT if name == "answer" else _BEGINNING)


def _parts(post: Post) -> list[tuple[str, AnswerPart | None]]:
    """Return the answers one by one; as one text if the parts do not make up the whole."""
    position = 0
    parts: list[tuple[str, AnswerPart | None]] = []
    for part in post.answers:
        if part.start < position or post.answer[position : part.start].strip():
            return [(post.answer, None)]
        parts.append((post.answer[part.start : part.end], part))
        position = part.end
    return [(post.answer, None)] if post.answer[position:].strip() else parts


def _environment() -> Environment:
    pages = Environment(
        loader=PackageLoader("qa_search.interfaces.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters.update(
        beginning=beginning,
        day=_day,
        heading=_heading,
        level=wording.likelihood_level,
        likelihood=wording.likelihood,
        long_day=_long_day,
        origin=wording.origin,
        original=link_on_page,
        path_part=_path_part,
        percent=wording.percent,
        plain=_plain,
    )
    pages.globals.update(
        excerpt=_excerpt, whole=_whole, is_cut=_is_cut, most_tags=_MOST_TAGS, most_repeats=_MOST_REPEATS
    )
    return pages


_PAGES = _environment()
