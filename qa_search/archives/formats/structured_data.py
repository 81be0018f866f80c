"""schema.org data in a page (JSON-LD, microdata) -> JSON-LD objects.

By lxml and json: extruct, which reads more kinds, brings rdflib and a dozen other packages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from qa_search.archives.formats.trees import element_text, words

_MOST_BYTES = 16 << 20
_MOST_DEPTH = 32
_MOST_ELEMENTS = 1_000_000
# What old pages put around a script so that older browsers do not show it.
_HTML_COMMENT = re.compile(
    r"^\s*(?:<!--|//\s*<!\[CDATA\[|<!\[CDATA\[|/\*\s*<!\[CDATA\[\s*\*/)"
    r"|(?:-->|//\s*\]\]>|\]\]>|/\*\s*\]\]>\s*\*/)\s*$"
)
# Called with what was not read.
Report = Callable[[str], None]
# The attributes that name a thing's kind, a property of the thing around, and a thing.
_Names = tuple[str, str, str]
_MICRODATA: _Names = ("itemtype", "itemprop", "itemscope")
_RDFA: _Names = ("typeof", "property", "typeof")
_LONG_TEXTS = frozenset(("text", "articlebody", "acceptedanswer", "description"))


def json_ld(tree: Any, report: Report) -> Iterator[object]:
    """Yield what a page's JSON-LD scripts hold. What is invalid or too large is reported."""
    for script in tree.xpath(".//script[contains(translate(@type, 'LDJSON', 'ldjson'), 'ld+json')]"):
        yield from _loaded("JSON-LD", _HTML_COMMENT.sub("", script.text or ""), report)


def microdata(tree: Any, report: Report) -> Iterator[dict[str, object]]:
    """Yield a page's microdata items as JSON-LD objects, those within others as their properties.

    Where there are too many elements, that is reported, and what is behind them is not read.
    """
    yield from _items(tree.xpath("descendant-or-self::*[@itemscope and not(@itemprop)]"), _MICRODATA, report)


def rdfa(tree: Any, report: Report) -> Iterator[dict[str, object]]:
    """Yield what RDFa says in a page (``typeof`` and ``property``), as `microdata` does."""
    yield from _items(tree.xpath("descendant-or-self::*[@typeof and not(@property)]"), _RDFA, report)


def page_data(tree: Any, report: Report) -> Iterator[dict[str, object]]:
    """Yield the objects with a question and an answer in the data that a page's program shows (``__NEXT_DATA__``)."""
    for script in tree.xpath(".//script[@id='__NEXT_DATA__' or @type='application/json']"):
        waiting = [*_loaded("JSON", script.text or "", report)]
        while waiting:
            value = waiting.pop()
            if isinstance(value, list):
                waiting += reversed(value)
            elif isinstance(value, dict):
                if all(isinstance(value.get(name), str) and value[name].strip() for name in ("question", "answer")):
                    yield value
                else:
                    waiting += reversed([*value.values()])


def _loaded(kind: str, text: str, report: Report) -> Iterator[object]:
    """Yield the value that a script holds; or report why it cannot be read, if it holds anything."""
    if len(text) > _MOST_BYTES:
        report(f"{kind} of {len(text):,} characters in the page is not read: {_MOST_BYTES:,} are the most")
        return
    try:
        # Line ends inside strings are invalid JSON, but many pages have them.
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        if text.strip():
            report(f"invalid {kind} in the page: it is not read")
        return
    yield value


def _items(elements: Iterable[Any], named: _Names, report: Report) -> Iterator[dict[str, object]]:
    budget = [_MOST_ELEMENTS]
    for element in elements:
        item = _item(element, 0, budget, named)
        if budget[0] <= 0:
            report(f"the page's data has more than {_MOST_ELEMENTS:,} elements: what is behind them is not read")
            return
        yield item


def _item(element: Any, depth: int, budget: list[int], named: _Names) -> dict[str, object]:
    kind_name, property_name, scope = named
    kind = (element.get(kind_name) or "").split()
    found: dict[str, object] = {"@type": re.split("[/:]", kind[0].rstrip("/"))[-1]} if kind else {}
    for name in ("id", "itemid"):
        if element.get(name):
            found.setdefault("@id", element.get(name))
    waiting = list(reversed(element))
    while waiting and budget[0] > 0:
        budget[0] -= 1
        child = waiting.pop()
        names = (child.get(property_name) or "").split() if isinstance(child.tag, str) else []
        names = [name.removeprefix("schema:") for name in names]
        if "acceptedAnswer" in names:  # some pages give such an answer both names
            names = [name for name in names if name != "suggestedAnswer"]
        inner = isinstance(child.tag, str) and child.get(scope) is not None
        if names:
            value = _item(child, depth + 1, budget, named) if inner and depth < _MOST_DEPTH else _value(child, names)
            for name in names:
                _add(found, name, value)
        if not inner and isinstance(child.tag, str):
            waiting += reversed(child)
    return found


def _value(element: Any, names: list[str]) -> str:
    for tag, attribute in (("meta", "content"), ("time", "datetime"), ("link", "href"), ("data", "value")):
        if element.tag == tag and element.get(attribute):
            return str(element.get(attribute))
    if element.get("content"):
        return str(element.get("content"))
    if element.tag == "a" and element.get("href") and not {name.lower() for name in names} & {"name", "text", "author"}:
        return str(element.get("href"))
    if any(name.lower() in _LONG_TEXTS for name in names):
        return element_text(element)
    return words(element)


def _add(found: dict[str, object], name: str, value: object) -> None:
    known = found.get(name)
    if known is None:
        found[name] = value
    elif isinstance(known, list):
        known.append(value)
    else:
        found[name] = [known, value]
