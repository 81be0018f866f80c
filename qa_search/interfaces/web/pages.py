"""Results and posts -> the pages that people see. This module does not know HTTP.

Text from archives and from people can hold anything. Jinja escapes every value, and `_shown` replaces in every value
what a browser would obey and not show; templates cannot avoid either.
"""

from __future__ import annotations

import glob
import re
import zlib
from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import PurePosixPath
from typing import cast
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from qa_search.interfaces.render import excerpt, wording
from qa_search.interfaces.render.excerpt import Excerpt, beginning
from qa_search.interfaces.render.links import link_on_page, segments
from qa_search.interfaces.render.met import met_span
from qa_search.interfaces.web.site import DEFAULT_SITE, Site
from qa_search.search.advice import for_people
from qa_search.search.feedback import MAX_COMPLAINT_CHARACTERS
from qa_search.search.query import MAX_QUERY_CHARACTERS
from qa_search.types import AnswerPart, Field, Highlight, Hit, IndexInfo, OtherPost, Post, SearchResult
from qa_search.util.text import safe_on_page, without_direction

MAX_HITS = 100
_COUNTS = (5, 10, 20, 50)
# Of an excerpt: characters before the marked sentence (and after it), in all, of the sentence, and of a question.
_BEFORE, _EXCERPT, _LONGEST_MARK, _BEGINNING = 60, 120, 300, 180
# Of a hit on the page of a search: its title, a field that is shown whole, and how many tags and repetitions.
_LONGEST_TITLE, _LONGEST_FIELD, _MOST_TAGS, _MOST_REPEATS = 500, 20_000, 50, 100
_TAGS_OF_HIT = 3  # the page of the post has the rest
_LONGEST_LINK = 6000  # of a link to a search, as it is written: what proxies and browsers take
_HEADING = 140
_WAYS_IN, _LISTED_TAGS = 24, 200  # tags, years or sources that the start page links to; tags that the form offers
_AT = re.compile(r"(title|question|answer)\.(\d{1,9})\.(\d{1,9})\.([0-9a-f]{1,8})", re.ASCII)
_YEAR_OR_MONTH = re.compile(r"(\d{4})(?:-(\d\d))?", re.ASCII)
# Texts up to so many characters are searched while they are typed.
INSTANT_CHARACTERS = 200
# What people are told of an error, where the API's message is for whoever runs the service or writes programs.
_TO_PEOPLE = {
    401: "This page asks for a password. Load it again to be asked, or ask whoever runs it for one.",
    405: "Nothing is at this address.",
    413: "The text is too long to be sent. Go back, and leave out what the search does not need.",
    414: "The address is too long. Write the complaint into the box in place of it.",
    421: "The service does not answer under this name. Ask whoever runs it for its address.",
    431: "This browser sends more than the service takes. Delete its cookies of this site, and try again.",
    500: "The service failed. Try again; if it fails again, tell whoever runs it.",
    503: "The service cannot answer now. Try again in a moment; if that does not help, tell whoever runs it.",
    504: "This took too long. Try again in a moment; if that does not help, tell whoever runs it.",
}
REMEMBERED = 365 * 24 * 3600  # seconds that a browser keeps the choice of Private


@dataclass(frozen=True, slots=True)
class Form:
    """The values of the form; ``like`` is the id of a post to find similar posts for, and ``q`` is then empty.

    ``sort`` is "" (nearest first) or "newest"; ``private`` keeps the query out of addresses and titles.
    """

    q: str = ""
    k: int = 5
    since: str = ""
    until: str = ""
    source: str = ""
    tag: str = ""
    like: str = ""
    sort: str = ""
    private: bool = False


@dataclass(frozen=True, slots=True)
class Archive:
    """What an index has: how many posts in all, of each source, of each year and of each tag."""

    total: int = 0
    sources: Mapping[str, int] = field(default_factory=dict)
    years: Mapping[str, int] = field(default_factory=dict)
    tags: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, info: IndexInfo) -> Archive:
        """Take the counts of an index."""
        sources = {count.source: count.posts for count in info.sources if count.posts}
        return cls(info.counts["posts"], sources, info.years, info.tags)


@dataclass(frozen=True, slots=True)
class Look:
    """What is the same on all pages of a service.

    ``show_sources`` adds the file of each post; ``instant`` allows results while typing; ``log_kept`` says that what
    people ask is logged; ``feedback`` asks whether a hit answered; ``max_body`` is how many bytes a form may have.
    """

    site: Site = DEFAULT_SITE
    show_sources: bool = False
    instant: bool = True
    log_kept: bool = False
    feedback: bool = False
    max_body: int = 1 << 20


@dataclass(frozen=True, slots=True)
class PostView:
    """A post, the id it was asked for by, and the pages before and after it."""

    post: Post
    post_id: str
    prev: OtherPost | None
    next: OtherPost | None


@dataclass(frozen=True, slots=True)
class Listing:
    """A part of a list of posts: its page, counted from 1, whether another page follows, and what it is limited to."""

    posts: Sequence[Post]
    page: int = 1
    more: bool = False
    tag: str = ""
    year: str = ""
    source: str = ""
    sort: str = ""


def form_address(form: Form) -> str | None:
    """Return the address of a search; None if it would name a private complaint, or be too long to be passed on."""
    address = "/?" + urlencode(form_fields(form))
    return address if len(address) <= _LONGEST_LINK and not (form.private and form.q) else None


def form_fields(form: Form) -> dict[str, str]:
    """Return what was filled in, as an address holds it."""
    usual = asdict(Form())
    filled = {name: value for name, value in asdict(form).items() if name != "private" and value != usual[name]}
    return {name: str(_shown(value)) for name, value in filled.items()}


def is_sent(form: Form) -> bool:
    """Return whether a form takes the search along from page to page (by POST), since no address does."""
    return bool(form.q or form.like) and form_address(form) is None


def post_address(post_id: str, form: Form | None = None, mark: Highlight | None = None) -> str:
    """Return the address of a post: it takes along the marked sentence, and the search that leads back."""
    fields = {} if mark is None else {"at": mark_text(mark)}
    if form is not None and form_address(form) is not None:
        fields |= form_fields(form)
    asked = f"?{urlencode(fields)}" if fields else ""
    return f"/posts/{_path_part(post_id)}{asked}{'#mark' if mark else ''}"


def mark_text(mark: Highlight) -> str:
    """Write a marked sentence for an address: its field, begin, end, and a checksum of its text."""
    return f"{mark.field}.{mark.start}.{mark.end}.{zlib.crc32(mark.text.encode('utf-8', 'surrogatepass')):x}"


def read_mark(post: Post, text: str) -> Highlight | None:
    """Read what `mark_text` wrote; None if the post has another text there."""
    match = _AT.fullmatch(text)
    if match is None:
        return None
    name, start, end = cast(Field, match[1]), int(match[2]), int(match[3])
    mark = Highlight(name, start, end, getattr(post, name)[start:end])
    return mark if mark.text and mark_text(mark) == text else None


def source_choices(sources: Sequence[str], *, whole: bool) -> dict[str, str]:
    """Return a pattern and a label for each source: its whole name, or without folders and what a file's name ends in.

    A source is filtered by pattern: its name as it is may hold what patterns give a meaning.
    """
    labels = {source: source if whole else PurePosixPath(source).stem or source for source in sources}
    double = {label for label in labels.values() if list(labels.values()).count(label) > 1}
    return {
        glob.escape(source): f"{label} ({at})" if label in double else label
        for at, (source, label) in enumerate(labels.items(), start=1)
    }


def search_page(
    form: Form, result: SearchResult | None, archive: Archive, *, message: str = "", note: str = "", notice: str = "",
    look: Look = Look(),
) -> str:  # fmt: skip
    """Return the page with the search form and the hits.

    Args:
        form: what was filled in.
        result: what was found; None if nothing was asked yet.
        archive: what the index has, for the filters and the ways in.
        message: what was wrong with the input.
        note: what was changed in the input.
        notice: what the archivist's file says of a danger sign, where nothing was searched.
        look: what is the same on all pages.
    """
    hits = [] if result is None else list(result.hits)
    if form.sort == "newest":
        hits.sort(key=lambda hit: hit.date or "", reverse=True)
    near = [hit for hit in hits if hit.rank == 1 or wording.likelihood_level(hit.confidence) > wording.HARDLY]
    return _render(
        "search.html",
        look,
        form,
        archive,
        result=result,
        near=near,
        hardly=[hit for hit in hits if hit not in near],
        address=form_address(form),
        message=message,
        note=note,
        notice=notice,
        pinned=wording.PINNED,
    )


def post_page(
    view: PostView, *, mark: Highlight | None = None, form: Form = Form(), archive: Archive = Archive(),
    look: Look = Look(),
) -> str:  # fmt: skip
    """Return the page of one post, with a sentence marked, and with the search that leads back to its results."""
    parts = [(_marked_within(text, start, "answer", mark), part) for text, start, part in _parts(view.post)]
    whole = {name: _marked_within(getattr(view.post, name), 0, name, mark) for name in ("title", "question")}
    return _render("post.html", look, form, archive, view=view, post=view.post, parts=parts, whole=whole)


def gone_page(why: str, *, form: Form = Form(), archive: Archive = Archive(), look: Look = Look()) -> str:
    """Return the page of a post that cannot be read, with the search that led to it."""
    return _render("gone.html", look, form, archive, why=why)


def browse_page(listing: Listing, archive: Archive, *, look: Look = Look()) -> str:
    """Return a page of posts to look through."""
    return _render("browse.html", look, Form(), archive, listing=listing)


def browse_address(**chosen: str | int) -> str:
    """Return the address of a list of posts, of its first page if no other is named."""
    fields = {name: str(_shown(value)) for name, value in chosen.items() if value and (name, value) != ("page", 1)}
    return "/browse" + (f"?{urlencode(fields)}" if fields else "")


def listed_address(listing: Listing, **changed: str | int) -> str:
    """Return the address of a list that is limited like another, but for what changes."""
    limits = {name: getattr(listing, name) for name in ("tag", "year", "source", "sort", "page")}
    return browse_address(**{**limits, **changed})


def found_part(result: SearchResult, *, linked: bool = True) -> str:
    """Return the hits alone, in short, for a part of somebody else's page: with links to posts, or whole answers."""
    return _PAGES.get_template("widget.html").render(result=result, form=Form(), linked=linked)


def refusal(status: int, message: str) -> str:
    """Return what a page says of an error: what somebody who searches can do; else the message of the API."""
    return _TO_PEOPLE.get(status, message)


def error_page(status: int, message: str, *, look: Look = Look()) -> str:
    """Return the page for an error."""
    return _render("error.html", look, Form(), Archive(), status=status, message=message)


def _render(template: str, look: Look, form: Form, archive: Archive, **values: object) -> str:
    choices = source_choices(list(archive.sources), whole=look.show_sources)
    if form.source:
        choices.setdefault(form.source, form.source)
    named = {"since": form.since, "until": form.until, "source": choices.get(form.source, ""), "tag": form.tag}
    limits = {name: value for name, value in named.items() if value}
    values.setdefault("message", "")
    return _PAGES.get_template(template).render(
        look=look,
        site=look.site,
        form=form,
        archive=archive,
        sources=choices,
        counted_sources=[(glob.escape(source), count) for source, count in archive.sources.items()],
        counts=sorted({*_COUNTS, form.k}),
        limits=limits,
        filters=len(limits),
        open_filters=bool(limits) or form.k != Form().k,
        unfiltered=Form(q=form.q, like=form.like, private=form.private),
        **values,
    )


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
    return excerpt.around(text, 0, 0, before=_BEFORE, most=3 * _EXCERPT)


def _met(hit: Hit, query: str) -> Excerpt:
    """Return the part of a hit's question that the query met; the marked sentence, if it is in the question."""
    if hit.highlight.field == "question":
        return _excerpt(hit, "question")
    start, _ = met_span(hit, query)
    return excerpt.around(hit.question, start, start, before=0, most=_BEGINNING)


def _parts(post: Post) -> list[tuple[str, int, AnswerPart | None]]:
    """Return the answers one by one, each with where it begins; as one text if the parts do not make up the whole."""
    position = 0
    parts: list[tuple[str, int, AnswerPart | None]] = []
    for part in post.answers:
        if part.start < position or post.answer[position : part.start].strip():
            return [(post.answer, 0, None)]
        parts.append((post.answer[part.start : part.end], part.start, part))
        position = part.end
    return [(post.answer, 0, None)] if post.answer[position:].strip() else parts


def _marked_within(text: str, start: int, name: str, mark: Highlight | None) -> Excerpt:
    """Return a part of a field that begins at ``start``, with what of the marked sentence is in it."""
    if mark is None or mark.field != name:
        return Excerpt(text)
    first, last = (min(max(at - start, 0), len(text)) for at in (mark.start, mark.end))
    return Excerpt(text[:first], text[first:last], text[last:])


def _picked(value: str, *, last: bool) -> str:
    """Return a year or a month as its first or last day, for a box in which a day is picked; others as they are."""
    match = _YEAR_OR_MONTH.fullmatch(value.strip())
    try:
        if match is None:
            return date.fromisoformat(value.strip()).isoformat() if value.strip() else ""
        year, month = int(match[1]), int(match[2] or (12 if last else 1))
        return f"{date(year, month, monthrange(year, month)[1] if last else 1)}"
    except ValueError:
        return value


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
        for_people=for_people,
        heading=_heading,
        is_day=lambda text: not text or (_day(text) is not None and len(text) == len("2015-06-30")),
        picked=_picked,
        segments=segments,
        level=wording.likelihood_level,
        likelihood=wording.likelihood,
        long_day=_long_day,
        origin=wording.origin,
        original=link_on_page,
        path_part=_path_part,
        percent=wording.percent,
        plain=_plain,
        verdict=wording.verdict,
    )
    pages.globals.update(
        form_fields=form_fields,
        is_sent=is_sent,
        excerpt=_excerpt,
        whole=_whole,
        met=_met,
        is_cut=_is_cut,
        most_tags=_MOST_TAGS,
        most_repeats=_MOST_REPEATS,
        tags_of_hit=_TAGS_OF_HIT,
        most_hits=MAX_HITS,
        ways_in=_WAYS_IN,
        listed_tags=_LISTED_TAGS,
        instant_characters=INSTANT_CHARACTERS,
        remembered=REMEMBERED,
        most_characters=MAX_QUERY_CHARACTERS,
        most_voted=MAX_COMPLAINT_CHARACTERS,
        replace=replace,
        form_address=form_address,
        post_address=post_address,
        browse_address=browse_address,
        listed_address=listed_address,
    )
    return pages


_PAGES = _environment()
