"""HTML as a tree: parsed within limits, and what its users do with elements."""

from __future__ import annotations

from typing import Any

from lxml import etree

from qa_search.archives.formats.html_text import html_to_text

# A tree takes some thirty times the memory of its text.
MOST_TREE_BYTES = 16 << 20


def parse_tree(markup: str) -> Any:
    """Parse a page that `html_to_text` has read, and so is not nested too deep, into a tree; None if it is empty.

    Raises:
        ValueError: if it cannot be parsed, or is longer than `MOST_TREE_BYTES`.
    """
    data = markup.replace("\0", "\ufffd").encode("utf-8", "replace")
    if len(data) > MOST_TREE_BYTES:
        raise ValueError(f"an HTML page of more than {MOST_TREE_BYTES >> 20} MiB that is not an archive page")
    if not data.strip():
        return None
    # Built for each page. A parser of HTML reads no entities or DTDs, and fetches nothing.
    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"HTML that cannot be parsed ({error})") from error


def element_text(element: Any) -> str:
    """Turn an element into text as `html_to_text` does."""
    return html_to_text(etree.tostring(element, encoding="unicode", method="html", with_tail=False))


def words(element: Any) -> str:
    """Return an element's text on one line; nothing for None."""
    return "" if element is None else " ".join("".join(element.itertext()).split())


def drop(element: Any) -> None:
    """Remove an element from its tree and keep the text after it."""
    parent, tail = element.getparent(), element.tail
    if tail:
        previous = element.getprevious()
        if previous is None:
            parent.text = (parent.text or "") + tail
        else:
            previous.tail = (previous.tail or "") + tail
    parent.remove(element)
