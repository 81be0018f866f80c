"""An XML file -> its elements, one after the other as each ends, parsed within limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from qa_search.archives.base import ArchiveFile, ReadOptions
from qa_search.archives.formats.page_html import is_html

_START = re.compile(
    r"\ufeff?\s*(?:<\?xml\b|<!--|<!DOCTYPE\s(?!\s*html)|<(?!!|\?|html\b|posts\b)[A-Za-z_])", re.IGNORECASE
)
# HTML within an element of a record is its text.
INNER_HTML = frozenset(("p", "br", "ul", "ol", "li", "b", "i", "em", "strong", "a", "div", "pre", "code", "table"))
_MOST_ELEMENTS = 1_000_000  # held at once, and below one record


def is_xml(file: ArchiveFile) -> bool:
    """Return whether a file is XML, and not a page or a dump of Stack Exchange's posts."""
    text = file.head_text
    return text is not None and _START.match(text) is not None and not is_html(file)


def elements(file: ArchiveFile, options: ReadOptions) -> Iterator[Any]:
    """Parse the file piece by piece and yield each element at its end; the caller clears an element after use.

    Raises:
        DamagedArchiveError: where the XML is broken.
        OverLimitError: if more is held than a record may have.
    """
    held = 0
    with file.open() as stream:
        try:
            # Entities are left alone, and nothing is fetched; without `huge_tree`, depth and texts are limited.
            events = etree.iterparse(
                stream,
                events=("start", "end"),
                resolve_entities=False,
                no_network=True,
                load_dtd=False,
                remove_comments=True,
            )
            for event, element in events:
                if event == "start":
                    held += 1
                    if held > _MOST_ELEMENTS:
                        raise file.over_limit(f"XML of more than {_MOST_ELEMENTS:,} elements outside of records")
                elif isinstance(element.tag, str):
                    before = len(element)
                    yield element
                    if before and not len(element):
                        held = sum(1 for _ in element.iterancestors()) + 1
        except etree.XMLSyntaxError as error:
            line = error.lineno or 1
            raise file.damaged(f"broken or incomplete XML ({error.msg})", f"line {line}") from error


def local(element: Any) -> str:
    """Return the name of an element without its namespace; "" for a comment."""
    return bare(element.tag) if isinstance(element.tag, str) else ""


def bare(name: str) -> str:
    """Return a name without its namespace."""
    return name.rpartition("}")[2]
