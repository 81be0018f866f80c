"""The address of a post -> a link, if it is an address on the web."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from qa_search.util.text import without_unsafe

_WEB = re.compile(r"https?://[^/?#]", re.IGNORECASE)
_ENDS_A_LINK = re.compile(r"[\s<>\"`{}|\\^]")
# Browsers leave out some of these, which may change where an address leads.
_NOT_IN_ADDRESS = re.compile(r"[\s\\\x00-\x20\x7f-\x9f]")
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
