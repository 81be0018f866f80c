"""XML that programs write of their tables (MySQL, phpMyAdmin, Access, Oracle, SQL Server, Excel 2003), and Disqus's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply
from qa_search.archives.formats.opml import OpmlReader
from qa_search.archives.formats.records import Record, posts_of
from qa_search.archives.formats.scratch_tables import MOST_COLUMNS, ScratchTables, scratch_tables
from qa_search.archives.formats.sqlite_tables import posts_in_database
from qa_search.archives.formats.workbooks import posts_of_sheets
from qa_search.archives.formats.xml_documents import XmlReader
from qa_search.archives.formats.xml_elements import INNER_HTML, bare, elements, is_xml, local
from qa_search.archives.formats.xml_tickets import XmlTicketReader
from qa_search.types import Post, SetAside

_ROOT = re.compile(r"<(?!\?|!)(?:[\w.-]+:)?([\w.-]+)")
_SHEETS = "schemas-microsoft-com:office:spreadsheet"
_BY_PANDOC = "convert it first with `pandoc FILE -o faq.md`"
# XML that holds no records: its root, and what to do about it.
_OTHERS = {
    "map": "a mind map: export it as HTML or as Markdown from the program that made it (FreeMind, Freeplane, XMind)",
    "mediawiki": "an export of a wiki's pages: save the pages that have questions and answers as HTML",
    **dict.fromkeys(("book", "article", "chapter"), f"DocBook: {_BY_PANDOC}"),
    "FictionBook": f"a book (FictionBook): {_BY_PANDOC}",
    "svg": "a picture: what it shows is not read",
    "plist": "settings of a program (a property list)",
    "urlset": "a list of addresses (a sitemap): save the pages that it lists as HTML files",
    "sitemapindex": "a list of addresses (a sitemap): save the pages that it lists as HTML files",
}
_SUFFIXES = (".xml", ".opml", ".mm", ".xls")
# Fields that are named by a "name"; those of the second row are Solr's.
_FIELDS = frozenset(
    ("field", "column", "col", "cell", "data", "value", "property", "attribute",
     "str", "int", "long", "float", "double", "bool", "date", "arr")
)  # fmt: skip
_MOST_TITLES = 200_000
_FEWEST_FIELDS = 2
_SHOWN = 60
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")  # a blank in a name, as Access and SQL Server write it


class XmlTableReader:
    """Reads XML whose elements are rows; what holds questions and answers is found as in a database."""

    name = "XML of tables"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """XML by its first line or its name, but for what other readers know by the names of its elements."""
        declared = (file.head_text or "").lstrip("\ufeff \t\r\n").startswith(("<?xml", "<!DOCTYPE"))
        if not (declared or file.suffix in _SUFFIXES) or not is_xml(file):
            return False
        return not any(reader.recognises(file, options) for reader in (OpmlReader(), XmlReader(), XmlTicketReader()))

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
        """Yield a post per row, or per question of tables that belong together.

        Raises:
            UnknownFormatError: if no rows have questions and answers that can be recognised.
            DamagedArchiveError: where the XML is broken.
        """
        head = file.head_text or ""
        root = match[1] if (match := _ROOT.search(head)) else ""
        if root in _OTHERS:
            raise file.unknown(_OTHERS[root], "It has no records of questions and answers.")
        if root == "Workbook" and _SHEETS in head:
            yield from posts_of_sheets(file, _sheets(file, options), options)
        elif root == "disqus":
            yield from posts_of(file, _comments(file, options), options)
        else:
            with scratch_tables(file, options) as tables:
                _store(file, tables, options)
                if tables.is_empty:
                    raise file.unknown(
                        f"XML without records of questions and answers (it begins with <{root[:_SHOWN]}>)",
                        "They would be elements such as <row> with a <question> and an <answer> in each.",
                    )
                tables.rows.commit()
                yield from posts_in_database(file, tables.path, options)


def _store(file: ArchiveFile, tables: ScratchTables, options: ReadOptions) -> None:
    for element in elements(file, options):
        row = _row(element)
        if row is not None:
            table, fields = row
            tables.add(table, list(fields), list(fields.values()))
            _clear(element)


def _row(element: Any) -> tuple[str, dict[str, str | None]] | None:
    """Read an element as the row of a table: (table, fields); None for other elements."""
    parent = element.getparent()
    if parent is None or len(element) > MOST_COLUMNS:
        return None
    children = [child for child in element if isinstance(child.tag, str)]
    named = [_name(child) for child in children]
    if children and all(named) and all(local(child).lower() in _FIELDS for child in children):
        fields = dict(zip(map(str, named), map(_value, children), strict=True))
        return _name(element) or _name(parent) or local(parent) or "rows", fields
    if not children and local(element).lower() in ("row", "record") and len(element.attrib) >= _FEWEST_FIELDS:
        return _name(parent) or local(element), {
            _plain(bare(name).removeprefix("ows_")): value for name, value in element.attrib.items()
        }
    if len(children) < _FEWEST_FIELDS or local(element).lower() in INNER_HTML or not all(map(_is_field, children)):
        return None
    filled: dict[str, str | None] = {}
    for child in children:
        name, value = _plain(local(child)), _value(child)
        filled[name] = f"{filled[name]}\n\n{value}" if filled.get(name) else value
    if sum(bool(value and value.strip()) for value in filled.values()) < _FEWEST_FIELDS:
        return None
    return _plain(local(element)), filled


def _name(element: Any) -> str:
    return str(element.get("name") or element.get("NAME") or "")


def _is_field(element: Any) -> bool:
    return all(local(inner).lower() in INNER_HTML for inner in element.iterdescendants(etree.Element))


def _value(element: Any) -> str | None:
    if any(bare(name) == "nil" and value == "true" for name, value in element.attrib.items()):
        return None
    if len(element):
        return etree.tostring(element, encoding="unicode", method="html", with_tail=False)
    return element.text or ""


def _plain(name: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), name)


def _clear(element: Any) -> None:
    """Free an element and what stands before it."""
    element.clear(keep_tail=False)
    parent = element.getparent()
    while parent is not None and (before := element.getprevious()) is not None:
        parent.remove(before)


def _sheets(file: ArchiveFile, options: ReadOptions) -> Iterator[object]:
    """Yield the sheets of an Excel 2003 workbook: the name of each, and its rows."""
    sheet = None
    for element in elements(file, options):
        if local(element) != "Row":
            continue
        above = next((one for one in element.iterancestors() if local(one) == "Worksheet"), None)
        if above is not None and above is not sheet:
            sheet = above
            yield {"sheet": next((value for name, value in above.attrib.items() if bare(name) == "Name"), "sheet")}
        if sheet is not None:
            yield _cells(element)
        _clear(element)


def _cells(row: Any) -> list[str]:
    cells: list[str] = []
    for cell in row:
        if local(cell) != "Cell":
            continue
        given = {bare(name): value for name, value in cell.attrib.items()}
        place = _number(given.get("Index"))
        while len(cells) < place - 1:
            cells.append("")
        data = next((inner for inner in cell if local(inner) == "Data"), None)
        cells.append("" if data is None else "".join(data.itertext()))
        cells += [""] * _number(given.get("MergeAcross"))
        if len(cells) > MOST_COLUMNS:
            break
    return cells[:MOST_COLUMNS]


def _number(text: str | None) -> int:
    return min(int(text), MOST_COLUMNS) if text and text.isascii() and text.isdecimal() and len(text) < 9 else 0


def _comments(file: ArchiveFile, options: ReadOptions) -> Iterator[Record | SetAside]:
    """Yield the comments of an export of Disqus: those that reply to none ask, below the title of their page."""
    titles: dict[str, str] = {}
    for element in elements(file, options):
        kind = local(element)
        if kind not in ("thread", "post") or local(element.getparent()) != "disqus":
            continue
        own = _id(element)
        below = {local(child): child for child in element if isinstance(child.tag, str)}
        texts = {name: (child.text or "").strip() for name, child in below.items()}
        if kind == "thread" and len(titles) < _MOST_TITLES:
            titles[own] = texts.get("title", "")
        elif kind == "post":
            writer = below.get("author")
            yield Record(
                f"line {element.sourceline}",
                {
                    "id": own,
                    "parent_id": _id(below.get("parent")),
                    "title": titles.get(_id(below.get("thread")), ""),
                    "message": texts.get("message", ""),
                    "created": texts.get("createdAt", ""),
                    "author": "" if writer is None else next((c.text for c in writer if local(c) == "name"), ""),
                    "is_deleted": texts.get("isDeleted", ""),
                    "is_spam": texts.get("isSpam", ""),
                },
                html=True,
            )
        _clear(element)


def _id(element: Any) -> str:
    return "" if element is None else next((value for name, value in element.attrib.items() if bare(name) == "id"), "")
