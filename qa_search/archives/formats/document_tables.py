"""Tables in a document's tree (a web page, Markdown, Word) -> the questions in their rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from qa_search.archives.base import ReadingLog, short_date
from qa_search.archives.formats.found_dates import date_in
from qa_search.archives.formats.labels import asks, bare_question
from qa_search.archives.formats.outline import MOST_TITLE, Asked
from qa_search.archives.formats.roles import is_weak, role_of
from qa_search.archives.formats.trees import element_text, words
from qa_search.archives.formats.values import split_tags
from qa_search.util.dates import day_order, is_ambiguous
from qa_search.util.text import clean_text

_PAIR = ("question", "answer")
_NUMBER = re.compile(r"\(?\d{1,4}[.):]?")
_MOST_NAME = 60
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MOST_COLUMNS, _MOST_ROWS = 100, 65_534  # of a cell, the latter as browsers have it
_AUTHORS = ("name", "from")
_URL = re.compile(r"https?://\S+")


def table_questions(tree: Any, log: ReadingLog) -> list[Asked]:
    """Find the rows of tables with a column of questions and one of answers, by the names in their first row.

    Other columns give the date, title, author, address, category and tags. Without names, the first cell of at least
    half of the rows must ask.
    """
    found = []
    for table in tree.xpath(".//table"):
        rows_of_cells = [
            row.xpath("./td | ./th") for row in table.xpath("./tr | ./thead/tr | ./tbody/tr | ./tfoot/tr")
        ] or [[]]
        first, *rest = _in_columns(_without_places(rows_of_cells))
        names = [words(cell) for cell in first]
        roles = [_role(name) for name in names]
        if not {"question", "answer"} <= set(roles):
            found += _pairs_in_rows(rows_of_cells)
            continue
        rows = [
            {
                role: cell
                for role, cell in reversed(list(zip(roles, row, strict=False)))
                if role and role != "unused" and cell is not None
            }
            for row in rest
        ]
        dates = [words(cells.get("date")) for cells in rows]
        order = day_order(dates)
        if order is None and (unclear := next(filter(is_ambiguous, dates), "")):
            log.remark(
                f"dates such as {unclear!r} could mean two days, and no other date shows which: they are left out"
            )
        for cells, row, date in zip(rows, rest, dates, strict=True):
            question, answer = (element_text(cells[role]).strip() if role in cells else "" for role in _PAIR)
            if question or answer:
                when = (short_date(date, order) or date_in(date) or "") if date else ""
                found.append(Asked(question, answer, date=when, **_values(cells)))
            for name, role, cell in zip(names, roles, row, strict=False):
                if role == "unused" and any(map(str.isalpha, words(cell))):
                    log.omit(f"cells of the column {name[:_MOST_NAME]!r}")
    return found


def _without_places(rows: list[list[Any]]) -> list[list[Any]]:
    """Remove the letters of columns and the numbers of rows that spreadsheets write around their cells."""
    letters = [words(cell) for cell in rows[0]]
    if len(rows) < len(("letters", "names")) or letters[1:] != [*_LETTERS[: len(letters) - 1]] or letters[0]:
        return rows
    return [row[1:] for row in rows[1:]] or rows


def _in_columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Put the cells of rows into their columns.

    A cell of several rows is in each of them. One of several columns is in the first, and the others have None.
    """
    found = []
    carried: dict[int, tuple[int, Any]] = {}  # by column: how many rows are left for a cell from above
    for cells in rows:
        row: list[Any] = []
        below: dict[int, tuple[int, Any]] = {}
        for cell in [*cells, None]:
            while (column := len(row)) in carried:
                left, above = carried.pop(column)
                row.append(above)
                if left > 1:
                    below[column] = left - 1, above
            if cell is None:
                break
            for number in range(_span(cell, "colspan", _MOST_COLUMNS)):
                if (down := _span(cell, "rowspan", _MOST_ROWS)) > 1 and len(row) < _MOST_COLUMNS:
                    below[len(row)] = down - 1, None if number else cell
                row.append(None if number else cell)
        carried = below
        found.append(row)
    return found


def _span(cell: Any, name: str, most: int) -> int:
    given = cell.get(name, "").strip()
    return max(1, min(int(given), most)) if re.fullmatch(r"\d{1,6}", given, re.ASCII) else 1


def _role(name: str) -> str:
    """Return the role of a column, "unused" for one with a name and no role."""
    role, rank = role_of(name) or ("", 0)
    if name.strip().lower() in _AUTHORS:
        return "author"
    if role in (*_PAIR, "category") or (role in ("date", "title", "author", "url", "tags") and not is_weak(rank)):
        return role
    return "unused" if name else ""


def _values(cells: Mapping[str, Any]) -> dict[str, Any]:
    """Return what cells say of a question, besides its texts and its date."""
    found: dict[str, Any] = {"category": element_text(cells["category"]).strip() if "category" in cells else ""}
    for role in ("title", "author"):
        if role in cells and (text := clean_text(words(cells[role]))):
            found[role] = text
    if "tags" in cells:
        found["tags"] = tuple(split_tags(words(cells["tags"])))
    if "url" in cells:
        given = (words(cells["url"]), *(link.get("href") or "" for link in cells["url"].iter("a")))
        found["url"] = next((url.strip() for url in given if _URL.fullmatch(url.strip())), None)
    return found


def _pairs_in_rows(rows: Sequence[Sequence[Any]]) -> list[Asked]:
    """Read rows of two cells, perhaps numbered, most of which ask and answer; [] for another table."""
    if any(cell.tag == "th" for cell in rows[0]):
        return []  # its columns have other names
    cells = [row[1:] if len(row) > len(_PAIR) and _NUMBER.fullmatch(words(row[0])) else row for row in rows if len(row)]
    if len(cells) < len(_PAIR) or not all(len(row) == len(_PAIR) for row in cells):
        return []
    titles = [words(question) for question, _ in cells]
    if any(not 0 < len(title) <= MOST_TITLE for title in titles) or 2 * sum(map(asks, titles)) < len(titles):
        return []
    texts = [element_text(answer).strip() for _, answer in cells]
    if sum(map(asks, texts)) * 2 > len(texts) or any(answer.find(".//table") is not None for _, answer in cells):
        return []
    return [Asked(bare_question(title), text) for title, text in zip(titles, texts, strict=True)]
