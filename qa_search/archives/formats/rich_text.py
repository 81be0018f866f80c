"""Rich text that editors keep as JSON (Sanity, Contentful, Editor.js, ProseMirror, Slate, Notion, Jira) -> text."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from qa_search.archives.formats.html_text import html_to_text

_Node = Mapping[str, Any]
_MOST_DEPTH = 60
_LOOKED_AT = 20
_MOST_JSON = 1 << 20
# What nodes are called, folded as `_kind` does, and the tag of each.
_TAGS: Mapping[str, str] = {
    **dict.fromkeys(("paragraph", "p", "block", "normal", "unstyled", "text block"), "p"),
    **dict.fromkeys(("bulletlist", "unorderedlist", "bulletedlist", "ul", "tasklist", "checklist", "todolist"), "ul"),
    **dict.fromkeys(("orderedlist", "numberedlist", "ol"), "ol"),
    **dict.fromkeys(("listitem", "li", "taskitem", "checklistitem"), "li"),
    **dict.fromkeys(("blockquote", "quote", "callout", "panel"), "blockquote"),
    **dict.fromkeys(("codeblock", "code", "codeline", "preformatted"), "pre"),
    **dict.fromkeys(("tablerow", "tr"), "tr"),
    **dict.fromkeys(("tablecell", "tableheader", "tableheadercell", "td", "th"), "td"),
    "table": "table",
    **{f"heading{level}": "h3" for level in range(1, 7)},
    **{f"h{level}": "h3" for level in range(1, 7)},
    **dict.fromkeys(("heading", "header", "headerone", "headertwo", "headerthree", "toggle"), "h3"),
    **dict.fromkeys(("rule", "horizontalrule", "divider", "delimiter", "hr"), "hr"),
    **dict.fromkeys(("hardbreak", "linebreak", "break", "br"), "br"),
}
_INLINE = frozenset(
    ("text", "span", "link", "hyperlink", "a", "mention", "emoji", "status", "inline", "autolink", "entryhyperlink",
     "assethyperlink", "date", "inlinecard", "extendedtext", "equation")
)  # fmt: skip
# Items of a list that stand beside one another without a list around them.
_ITEMS: Mapping[str, str] = {
    **dict.fromkeys(("bulletedlistitem", "unorderedlistitem", "todo", "bullet"), "ul"),
    **dict.fromkeys(("numberedlistitem", "orderedlistitem", "number", "ordered"), "ol"),
}
_CHILDREN = ("content", "children", "nodes")
_ROOTS = frozenset(("doc", "document", "root"))
# A node of a text has none of these: a list of comments has.
_NO_NODE = frozenset(
    ("author", "user", "date", "created_at", "createdAt", "score", "body", "title", "answer", "question")
)


def rich_text(value: object) -> str | None:
    """Return the text of a value that is rich text, None for any other.

    Raises:
        ValueError: if it is nested too deep.
    """
    nodes = _nodes(value)
    return None if nodes is None else html_to_text("".join(_blocks(nodes, 0)))


def is_rich_text(value: object) -> bool:
    """Return whether a value is rich text."""
    return _nodes(value) is not None


def written_rich_text(text: str) -> str | None:
    """Return the text of rich text that was written into a field as JSON, None for another text.

    Raises:
        ValueError: if it is nested too deep.
    """
    if text[:2] not in ('{"', "[{") or len(text) > _MOST_JSON:
        return None
    try:
        return rich_text(json.loads(text))
    except (json.JSONDecodeError, RecursionError):
        return None


def _nodes(value: object) -> Sequence[object] | None:
    """Return the nodes at the top of rich text, None for another value."""
    if isinstance(value, list):
        return value if _are_nodes(value) else None
    if not isinstance(value, Mapping):
        return None
    inner = value.get("root", value)
    if isinstance(inner, Mapping) and _kind(inner) in _ROOTS and (children := _children(inner)):
        return children
    for key, has in (("blocks", "type"), ("ops", "insert")):
        found = value.get(key)
        if isinstance(found, list) and found and all(isinstance(node, Mapping) and has in node for node in found):
            return list(_of_delta(found)) if key == "ops" else found
    kind = value.get("type")
    if kind in ("title", "rich_text") and isinstance(found := value.get(kind), list):  # a property of Notion
        return found if not found or _are_nodes(found) else None
    return [value] if _are_nodes([value]) else None


def _are_nodes(value: Sequence[object]) -> bool:
    """Return whether a list is rich text: blocks with spans of text in them, or such spans."""
    looked_at = value[:_LOOKED_AT]
    if not looked_at or not all(isinstance(node, Mapping) and _NO_NODE.isdisjoint(node) for node in looked_at):
        return False
    nodes = [node for node in looked_at if isinstance(node, Mapping)]
    if all("plain_text" in node for node in nodes):
        return True
    if all(node.get("object") == "block" and node.get("type") in node for node in nodes):
        return True
    spans = [child for node in nodes for child in _children(node) if isinstance(child, Mapping)]
    return any(map(_is_block, nodes)) and all("text" not in node and _kind(node) for node in nodes) and bool(spans)


def _is_block(node: _Node) -> bool:
    """Return whether a node is a block that holds spans, themselves or within its own blocks."""
    for _ in range(_LOOKED_AT):
        inner = [child for child in _children(node) if isinstance(child, Mapping)]
        if not inner:
            return False
        if any(isinstance(child.get("text", child.get("value")), str) for child in inner):
            return all(_NO_NODE.isdisjoint(child) for child in inner)
        node = inner[0]
    return False


def _kind(node: _Node) -> str:
    """Return what a node is called, folded: "bullet_list" and "bulletList" are "bulletlist"."""
    for key in ("nodeType", "_type", "type", "object"):
        if isinstance(kind := node.get(key), str):
            return kind.lower().replace("-", "").replace("_", "")
    return ""


def _children(node: _Node) -> Sequence[object]:
    return next((found for key in _CHILDREN if isinstance(found := node.get(key), list)), ())


def _blocks(nodes: Iterable[object], depth: int) -> Iterator[str]:
    """Yield nodes as HTML; items that stand beside one another are put into a list."""
    if depth > _MOST_DEPTH:
        raise ValueError("rich text nested too deep")
    open_list = ""
    for node in nodes:
        if not isinstance(node, Mapping):
            if isinstance(node, str):
                yield html.escape(node)
            continue
        style = node.get("listItem")
        of_list = _ITEMS.get(style if isinstance(style, str) else _kind(node), "")
        if of_list != open_list:
            yield (f"</{open_list}>" if open_list else "") + (f"<{of_list}>" if of_list else "")
            open_list = of_list
        yield from _element("li" if of_list else _tag(node), node, depth)
    if open_list:
        yield f"</{open_list}>"


def _tag(node: _Node) -> str:
    kind = _kind(node)
    if kind == "list":
        listed = node.get("listType") or _data(node).get("style") or node.get("format") or node.get("tag")
        return "ol" if listed in ("number", "ordered", "ol") else "ul"
    if kind == "block" and str(node.get("style", ""))[:1] == "h":
        return "h3"
    tag = _TAGS.get(kind, "")
    return tag or ("" if kind in _INLINE or not kind else "div")


def _element(tag: str, node: _Node, depth: int) -> Iterator[str]:
    inner = "".join(_content(node, depth))
    link = _link(node)
    if link and inner:
        inner = f'<a href="{html.escape(link, quote=True)}">{inner}</a>'
    if tag == "li" and inner.startswith("<p>"):  # the text of an item does not begin a paragraph
        inner = inner[len("<p>") :].replace("</p>", "", 1)
    if tag in ("br", "hr"):
        yield f"<{tag}>"
    else:
        yield f"<{tag}>{inner}</{tag}>" if tag else inner


def _content(node: _Node, depth: int) -> Iterator[str]:
    """Yield what stands in a node: its text, and its own nodes."""
    kind = node.get("type")
    own = node.get(kind) if isinstance(kind, str) else None
    if node.get("object") == "block" and isinstance(own, Mapping):  # Notion's
        yield from _blocks(own.get("rich_text") or own.get("text") or (), depth + 1)
        yield from _blocks(node.get("children") or own.get("children") or (), depth + 1)
        return
    data = _data(node)
    attributes = node.get("attrs")
    text = node.get("plain_text", node.get("text", node.get("value")))
    if isinstance(text, str):
        yield html.escape(text).replace("\n", "<br>")
    elif data and not _children(node):  # Editor.js: its texts are HTML
        yield from _of_data(data, depth)
    elif isinstance(attributes, Mapping) and not _children(node):  # a mention, an emoji, a card
        yield html.escape(str(attributes.get("text") or attributes.get("shortName") or attributes.get("url") or ""))
    yield from _blocks(_children(node), depth + 1)


def _data(node: _Node) -> _Node:
    data = node.get("data")
    return data if isinstance(data, Mapping) else {}


def _of_data(data: _Node, depth: int) -> Iterator[str]:
    for key in ("title", "text", "code", "message", "caption"):
        if isinstance(text := data.get(key), str):
            yield html.escape(text) if key == "code" else text
    items = data.get("items")
    if isinstance(items, list):
        yield from _items(items, depth)
    for row in data["content"] if isinstance(data.get("content"), list) else ():
        if isinstance(row, list):
            yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in row if isinstance(cell, str))}</tr>"


def _items(items: Sequence[object], depth: int) -> Iterator[str]:
    """Yield the items of a list of Editor.js, which are texts, or objects with lists of their own."""
    if depth > _MOST_DEPTH:
        raise ValueError("rich text nested too deep")
    for item in items:
        if isinstance(item, Mapping):
            text = item.get("content", item.get("text"))
            inner = item.get("items")
            below = f"<ul>{''.join(_items(inner, depth + 1))}</ul>" if isinstance(inner, list) and inner else ""
            yield f"<li>{text if isinstance(text, str) else ''}{below}</li>"
        elif isinstance(item, str):
            yield f"<li>{item}</li>"


def _link(node: _Node) -> str:
    data, attributes = _data(node), node.get("attrs")
    found = [node.get("href"), node.get("url"), data.get("uri"), data.get("url")]
    found += [attributes.get("href")] if isinstance(attributes, Mapping) else []
    marks = node.get("marks")
    for mark in marks if isinstance(marks, list) else ():
        if isinstance(mark, Mapping) and isinstance(mark.get("attrs"), Mapping):
            found.append(mark["attrs"].get("href"))
    return next((link for link in found if isinstance(link, str)), "")


def _of_delta(ops: Sequence[_Node]) -> Iterator[_Node]:
    """Yield the lines of Quill's format as blocks: what a line is stands at its end."""
    line: list[_Node] = []
    for op in ops:
        text, attributes = op["insert"], op.get("attributes")
        attributes = attributes if isinstance(attributes, Mapping) else {}
        if not isinstance(text, str):
            continue
        *ended, last = text.split("\n")
        for piece in ended:
            listed = attributes.get("list")
            kind = listed if listed in ("bullet", "ordered") else "heading" if "header" in attributes else "p"
            yield {"type": kind, "children": [*line, {"text": piece}]}
            line = []
        if last:
            line.append({"text": last, "href": attributes.get("link")})
    if line:
        yield {"type": "p", "children": line}
