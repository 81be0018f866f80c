"""The pages that people see: from results and posts to HTML, without anything of HTTP.

Text from archives and from people can hold anything. Jinja escapes every value, and `_shown` takes out of every value
what a browser would obey instead of show; templates have no way around either.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from urllib.parse import quote, urlencode, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from qa_search.types import AnswerPart, Field, Hit, OtherPost, Post, SearchResult
from qa_search.util.text import CONTROLS, DIRECTION, NO_CHARACTERS, OVERRIDES, SURROGATES

_LINE_END = re.compile("\r\n?")
# Control characters, overrides of the writing direction, half surrogate pairs, and what is no character.
# Other marks of direction belong to honest Hebrew and Arabic: <bdi> and CSS keep them from reaching further.
_HARMFUL = re.compile(f"[{CONTROLS}{OVERRIDES}{SURROGATES}{NO_CHARACTERS}]")
# In a title or an attribute nothing isolates them.
_DIRECTION = re.compile(f"[{DIRECTION}]")

# Browsers leave some of these out of an address, which may make another one of it.
_NOT_IN_ADDRESS = re.compile(r"[\s\\\x00-\x20\x7f-\x9f]")

_COUNTS = (5, 10, 20, 50)
# Of an excerpt: characters before the marked sentence, in all, of the marked sentence, and of a question.
_BEFORE, _EXCERPT, _LONGEST_MARK, _BEGINNING = 250, 800, 1200, 260
# Of a hit on the page of a search: its title, a field that is shown whole, and how many tags and repetitions.
_LONGEST_TITLE, _LONGEST_FIELD, _MOST_TAGS, _MOST_REPEATS = 500, 20_000, 50, 100
_LONGEST_ADDRESS = 2000  # characters of a link to an original
_LONGEST_LINK = 6000  # of a link to a search, as it is written: what proxies and browsers take
_LONGEST_WORD = 40  # a cut moves at most so far to the end of a word
_HEADING = 140

# From so many percent on: what can be said of a hit, or of the archive.
_LIKELIHOODS = (
    (80, "very likely answers this"),
    (60, "probably answers this"),
    (40, "may answer this"),
    (20, "probably does not answer this"),
    (0, "very likely does not answer this"),
)


@dataclass(frozen=True, slots=True)
class Form:
    """What a person filled in; ``like`` is the id of a post to find more like, and ``q`` is then empty."""

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


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a text around its marked sentence, which may be empty; the text may go on at either end."""

    before: str
    marked: str
    after: str
    cut_before: bool
    cut_after: bool


def form_address(form: Form) -> str | None:
    """Return the address of a search, None if it would be too long to be passed on."""
    usual = asdict(Form())
    fields = {name: str(_shown(value)) for name, value in asdict(form).items() if value != usual[name]}
    address = "/?" + urlencode(fields)
    return address if len(address) <= _LONGEST_LINK else None


def search_page(
    form: Form, result: SearchResult | None, sources: Sequence[str], *, total: int, message: str = ""
) -> str:
    """Return the page with the search form, and what was found.

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
    """Return the page that says why there is no other."""
    return _PAGES.get_template("error.html").render(status=status, message=message)


def _shown(value: object) -> object:
    """Put U+FFFD for what must not reach a page; markup that Jinja has already made stays as it is."""
    if isinstance(value, Markup):
        return value
    return _HARMFUL.sub("\ufffd", _LINE_END.sub("\n", str(value)))


def _plain(text: str, most: int = _HEADING) -> str:
    """Return the beginning of a text as one line without marks of direction, for titles and attributes."""
    return _beginning(" ".join(_DIRECTION.sub("", text).split()), most)


def _beginning(text: str, most: int) -> str:
    return text if len(text) <= most else text[: _word_end(text, most, 0)].rstrip() + " …"


def _percent(probability: float) -> str:
    """Return a probability in percent; nothing is certain."""
    percent = round(probability * 100)
    if percent <= 0:
        return "under 1%"
    return "over 99%" if percent >= 100 else f"{percent}%"


def _likelihood(probability: float) -> str:
    """Say a probability in words and as a number; the words go by the number as it is shown."""
    words = next(words for least, words in _LIKELIHOODS if round(probability * 100) >= least)
    return f"{words} ({_percent(probability)})"


def _level(probability: float) -> int:
    """Return 0 (very likely not) to 4 (very likely), for the style sheet."""
    return sum(round(probability * 100) >= least for least, _ in _LIKELIHOODS) - 1


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
        return _beginning(post.title or post.source_id, _HEADING)
    return post.title or _beginning(post.question or post.answer, _HEADING)


def _origin(post: Hit | Post) -> str:
    """Name the place a post comes from; a source that is one page is not named twice."""
    return post.source if post.source.endswith(f"/{post.source_id}") else f"{post.source}/{post.source_id}"


def _original(url: str | None) -> tuple[str, str] | None:
    """Return an address on the web and its host; None for any other kind of address, such as javascript:."""
    try:
        parts = urlsplit(url or "")
        host = parts.hostname
    except ValueError:
        return None
    if (
        url is None
        or len(url) > _LONGEST_ADDRESS
        or parts.scheme not in ("http", "https")
        or not host
        or _NOT_IN_ADDRESS.search(url)
    ):
        return None
    return url, host


def _path_part(text: str) -> str:
    return quote(str(_shown(text)), safe="")


def _whole(hit: Hit, name: Field) -> Excerpt:
    """Return all of a field, or the beginning of a very long one, with the marked sentence apart if it is in this."""
    text, mark = getattr(hit, name), hit.highlight
    most = _LONGEST_TITLE if name == "title" else _LONGEST_FIELD
    end = len(text) if len(text) <= most else _word_end(text, most, 0)
    start, stop = (min(mark.start, end), min(mark.end, end)) if mark.field == name else (end, end)
    return Excerpt(text[:start], text[start:stop], text[stop:end], cut_before=False, cut_after=end < len(text))


def _is_cut(hit: Hit) -> bool:
    """Tell whether the page of a search shows only the beginning of a post."""
    return max(len(hit.question), len(hit.answer)) > _LONGEST_FIELD


def _excerpt(hit: Hit, name: Field) -> Excerpt:
    """Return what to read first of a field: the marked sentence and what stands around it, else the beginning."""
    text, mark = getattr(hit, name), hit.highlight
    if mark.field == name:
        start, end, most = mark.start, min(mark.end, mark.start + _LONGEST_MARK), _EXCERPT
    else:
        start, end, most = 0, 0, _EXCERPT if name == "answer" else _BEGINNING
    first = _word_start(text, start - _BEFORE, start) if start > _BEFORE else 0
    last = max(first + most, end + most - _BEFORE if end else 0)
    last = _word_end(text, last, end) if last < len(text) else len(text)
    return Excerpt(
        text[first:start].lstrip() if first else text[:start],
        text[start:end],
        text[end:last].rstrip() if last < len(text) else text[end:],
        cut_before=first > 0,
        cut_after=last < len(text),
    )


def _word_start(text: str, position: int, latest: int) -> int:
    """Move a cut forward to the beginning of a word, if there is one near."""
    blank = re.search(r"\s", text[position - 1 : min(position + _LONGEST_WORD, latest)])
    return position + blank.start() if blank else position


def _word_end(text: str, position: int, earliest: int) -> int:
    """Move a cut back to the end of a word, if there is one near."""
    start = max(position - _LONGEST_WORD, earliest)
    blanks = list(re.finditer(r"\s", text[start : position + 1]))
    return start + blanks[-1].start() if blanks else position


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
        beginning=_beginning,
        day=_day,
        heading=_heading,
        level=_level,
        likelihood=_likelihood,
        long_day=_long_day,
        origin=_origin,
        original=_original,
        path_part=_path_part,
        percent=_percent,
        plain=_plain,
    )
    pages.globals.update(
        excerpt=_excerpt, whole=_whole, is_cut=_is_cut, most_tags=_MOST_TAGS, most_repeats=_MOST_REPEATS
    )
    return pages


_PAGES = _environment()
