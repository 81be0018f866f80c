"""XML of questions and answers: MedQuAD, WordPress's export, feeds, and others whose elements are named so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

from lxml import etree

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply
from qa_search.archives.formats.cms_items import Item, posts_of_items
from qa_search.archives.formats.html_text import html_to_text
from qa_search.archives.formats.labels import asks
from qa_search.archives.formats.records import Record, posts_of
from qa_search.archives.formats.roles import role_of
from qa_search.archives.formats.xml_elements import INNER_HTML, bare, elements, is_xml, local
from qa_search.archives.formats.xml_tickets import XmlTicketReader
from qa_search.types import Post, SetAside
from qa_search.util.text import counted

_ASKS = re.compile(
    r"<(?:\w+:)?(?:(?:[\w-]*[_-])?questions?|subject|frage|pregunta|domanda|pytanie|вопрос|q|faq_?question|question_?text)"
    r"[\s>]",
    re.IGNORECASE,
)
_ANSWERS = re.compile(
    r"<(?:\w+:)?(?:\w*_?answers?|antwort|respuesta|réponse|reponse|risposta|ответ|a|reply|response)[\s>]", re.IGNORECASE
)
_FEED = re.compile(r"<(?:rss|feed|rdf:RDF|en-export)\b", re.IGNORECASE)
_ENTRIES = frozenset(("item", "entry", "note"))  # of RSS, Atom and Evernote
_CONTENTS = ("encoded", "content", "description", "summary")
_WORDPRESS = re.compile(r"xmlns:wp\s*=\s*[\"']https?://wordpress\.org/export/")
_TOPICS = frozenset(("focus", "category", "topic"))
_Fields = dict[str, object]


class XmlReader:
    """Reads XML elements that hold a question and an answer."""

    name = "XML"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """XML with elements named as questions and answers, WordPress's export, or a feed."""
        text = file.head_text
        if text is None or not is_xml(file) or XmlTicketReader().recognises(file, options):
            return False
        return bool(_WORDPRESS.search(text) or _FEED.search(text) or (_ASKS.search(text) and _ANSWERS.search(text)))

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
        """Yield a post per question.

        Raises:
            DamagedArchiveError: where the XML is broken.
        """
        if _WORDPRESS.search(file.head_text or ""):
            yield from posts_of_items(file, _wordpress(file, options), options, "a WordPress export")
        elif _FEED.search(file.head_text or ""):
            yield from _feed(file, options)
        else:
            yield from posts_of(file, _records(file, options), options)


def _records(file: ArchiveFile, options: ReadOptions) -> Iterator[Record | SetAside]:
    """Yield a record for each element with a question and an answer among its children."""
    for element in elements(file, options):
        if not len(element):
            continue
        names = [local(child) for child in element]
        if _pairs(names):
            place = f"line {element.sourceline}"
            try:
                yield Record(place, _fields(file, element), html=False)
            except ValueError as error:
                yield file.set_aside(place, str(error))
            _clear(element)


def _feed(file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
    """Yield a post for each entry of a feed whose title asks.

    Raises:
        UnknownFormatError: if none does.
    """
    entries = _entries(file, options)
    first = next(entries, None)
    if first is None:
        raise file.unknown("a feed without an entry whose title asks", "Its titles must be questions.")
    yield from posts_of(file, chain([first], entries), options)


def _entries(file: ArchiveFile, options: ReadOptions) -> Iterator[Record | SetAside]:
    others = 0
    for element in elements(file, options):
        if local(element) not in _ENTRIES:
            continue
        place = f"line {element.sourceline}"
        try:
            fields = _entry(element)
        except ValueError as error:
            yield file.set_aside(place, str(error))
        else:
            kinds = " ".join(child.get("term", "") for child in element if local(child) == "category")
            if asks(str(fields["question"])) and fields["answer"] and "#comment" not in kinds:
                yield Record(place, fields, html=False)
            else:
                others += 1
        _clear(element)
    if others:
        file.log.remark(f"{counted(others, 'item')} whose title does not ask, or without a text: left out")


def _entry(element: Any) -> _Fields:
    """Read an entry of a feed, RSS's or Atom's."""
    fields: _Fields = {"question": "", "answer": ""}
    texts = {}
    for child in element:
        name = local(child).lower()
        if name == "title":
            fields["question"] = html_to_text(child.text or "").strip()
        elif name in _CONTENTS:
            texts[name] = _text(child)
        elif name == "category" and "schemas." in child.get("scheme", ""):
            continue  # what Blogger keeps about its entries
        elif name in ("pubdate", "published", "updated", "date", "creator", "category", "guid", "id", "created", "tag"):
            _add(fields, "author" if name == "creator" else name, child.get("term") or (child.text or "").strip())
        elif name == "link" and (child.text or child.get("rel", "alternate") == "alternate"):
            fields.setdefault("url", (child.text or child.get("href") or "").strip())
        elif name == "author":
            fields.setdefault("author", _unwrapped("".join(child.itertext())).split("\n")[0])
    fields["answer"] = next((texts[name] for name in _CONTENTS if texts.get(name)), "")
    return fields


def _pairs(names: list[str]) -> bool:
    """Return whether elements of these names are a question and its answer."""
    text = "".join(f"<{name}>" for name in names[:100])
    return bool(_ASKS.search(text) and _ANSWERS.search(text))


def _fields(file: ArchiveFile, element: Any) -> _Fields:
    """Read a record's children, its attributes and its question's, and its document's address and topic."""
    fields: _Fields = {}
    for child in element:
        if isinstance(child.tag, str) and _is_wrong(child):
            file.log.remark("answers of a quiz that earn nothing are left out")
        elif isinstance(child.tag, str):
            for inner in _parts(child):
                _add(fields, local(inner), _text(inner))
            for name, value in child.attrib.items():
                if name.lower() in ("qid", "id"):
                    fields.setdefault("id", value)
    for name, value in element.attrib.items():
        fields.setdefault(bare(name), value)
    for above in element.iterancestors():
        for name in ("url", "href", "link", "category", "topic"):
            if above.get(name):
                fields.setdefault(name if name != "href" else "url", above.get(name))
        for child in above:
            if isinstance(child.tag, str) and local(child).lower() in _TOPICS and child.text:
                fields.setdefault("category", child.text.strip())
    return fields


def _is_wrong(answer: Any) -> bool:
    """Return whether an answer of a quiz (Moodle's) earns nothing."""
    earned = answer.get("fraction", "")
    return bool(re.fullmatch(r"-\d{1,3}(?:\.\d{0,9})?|0(?:\.0{0,9})?", earned))


def _parts(element: Any) -> list[Any]:
    """Return the elements below one that have roles by their names, where nothing but elements is in it; else it."""
    below = [inner for inner in element if isinstance(inner.tag, str)]
    if not below or (element.text or "").strip() or any((inner.tail or "").strip() for inner in below):
        return [element]
    named = [part for inner in below for part in _parts(inner) if role_of(local(part)) is not None]
    return named if any(role_of(local(part)) != role_of("text") for part in named) else [element]


def _text(element: Any) -> str:
    """Return an element's text: as HTML's where it holds HTML's elements, or text that is markup."""
    wrapped = next((inner for inner in element if local(inner) == "text"), None)
    if wrapped is not None and not (element.text or "").strip():
        element = wrapped  # Moodle's, beside its feedback
    if any(local(inner).lower() in INNER_HTML for inner in element.iterdescendants(etree.Element)):
        return html_to_text(etree.tostring(element, encoding="unicode", method="html", with_tail=False))
    text = "".join(element.itertext())
    return (
        html_to_text(text)
        if re.search(r"</?(?:p|br|ul|ol|li|strong|em|a|div|h\d)\b[^<>]*>", text)
        else _unwrapped(text)
    )


def _unwrapped(text: str) -> str:
    """Remove the indentation of a text over several lines."""
    return "\n".join(line.strip() for line in text.split("\n")).strip()


def _wordpress(file: ArchiveFile, options: ReadOptions) -> Iterator[Item | SetAside]:
    """Yield the items of a WordPress export."""
    for element in elements(file, options):
        if local(element) == "item":
            yield _item(element)
            _clear(element)


def _item(element: Any) -> Item:
    children = [child for child in element if isinstance(child.tag, str)]
    named = [child for child in children if local(child) != "category" and "/excerpt/" not in child.tag]
    value = {local(child): (child.text or "").strip() for child in named}
    return Item(
        f"line {element.sourceline}",
        value.get("post_type", ""),
        value.get("post_id", ""),
        value.get("post_parent", "0"),
        value.get("status", "publish"),
        value.get("title", ""),
        value.get("encoded", ""),
        value.get("post_date") or value.get("pubDate", ""),
        value.get("link", ""),
        value.get("creator", ""),
        tuple(child.text for child in children if local(child) == "category" and child.text),
    )


def _add(fields: _Fields, name: str, value: str) -> None:
    known = fields.get(name)
    if known is None:
        fields[name] = value
    elif isinstance(known, list):
        known.append(value)
    else:
        fields[name] = [known, value]


def _clear(element: Any) -> None:
    """Free a record and everything before it."""
    element.clear(keep_tail=False)
    parent = element.getparent()
    while parent is not None and (before := element.getprevious()) is not None:
        if len(before) or (isinstance(before.tag, str) and local(before).lower() in _TOPICS):
            break
        parent.remove(before)
