"""The address of a post, or a text with addresses in it -> links, for addresses on the web alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urlsplit

from qa_search.interfaces.render.excerpt import Excerpt
from qa_search.util.text import DIRECTION, without_unsafe

_WEB = re.compile(r"https?://[^/?#]", re.IGNORECASE)
_ENDS_A_LINK = re.compile(r"[\s<>\"`{}|\\^]")
# Browsers leave out some of these, which may change where an address leads.
_NOT_IN_ADDRESS = re.compile(r"[\s\\\x00-\x20\x7f-\x9f]")
# An address within a text ends before what would end it on a page, and before marks that change how it reads.
_IN_TEXT = re.compile(rf"\bhttps?://[^\s<>\"`{{}}|\\^\x00-\x20\x7f-\x9f{DIRECTION}]+", re.IGNORECASE)
_FOLLOWS = ".,;:!?'*_~…。，、”’»"
_LONGEST = 2000  # characters of a link on a page


def link_in_file(url: str | None) -> str:
    """Return an address on the web, with every character that would end the link early as %XX; empty for others."""
    address = without_unsafe(url or "").strip()
    if not _WEB.match(address):
        return ""
    return _ENDS_A_LINK.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), address)


def link_on_page(url: str | None) -> tuple[str, str] | None:
    """Return an address on the web and its host; None for other addresses, such as javascript:."""
    try:
        parts = urlsplit(url or "")
        host = parts.hostname
    except ValueError:
        return None
    if (
        url is None
        or len(url) > _LONGEST
        or parts.scheme not in ("http", "https")
        or not host
        or _NOT_IN_ADDRESS.search(url)
    ):
        return None
    return url, host


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a text: where it links to (empty if nowhere), and whether it belongs to the marked sentence."""

    text: str
    href: str = ""
    marked: bool = False


def segments(text: Excerpt) -> list[Segment]:
    """Split a text at its addresses on the web (http and https alone) and at its marked sentence.

    An address that the mark divides gives two segments with the whole address each; one that the text cuts gives none.
    """
    joined = text.before + text.marked + text.after
    marks = len(text.before), len(text.before) + len(text.marked)
    links = [link for link in _links(joined) if not (text.cut_after and link[1] == len(joined))]
    cuts = sorted({0, len(joined), *marks, *(at for start, end, _ in links for at in (start, end))})
    found, link = [], 0
    for start, end in pairwise(cuts):
        while link < len(links) and links[link][1] <= start:
            link += 1
        linked = link < len(links) and links[link][0] <= start
        found.append(Segment(joined[start:end], links[link][2] if linked else "", marks[0] <= start < marks[1]))
    return found


def _links(text: str) -> list[tuple[int, int, str]]:
    """Return begin, end and address of each address on the web in a text, without the punctuation that follows it."""
    found = []
    for match in _IN_TEXT.finditer(text):
        address = match[0].rstrip(_FOLLOWS)
        while address.endswith(")") and address.count(")") > address.count("("):
            address = address[:-1].rstrip(_FOLLOWS)
        if link_on_page(address) is not None:
            found.append((match.start(), match.start() + len(address), address))
    return found
