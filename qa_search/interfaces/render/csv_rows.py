"""Search results -> CSV. No cell of a post becomes a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from qa_search.interfaces.render.documents import exported_post
from qa_search.types import Post, SearchResult
from qa_search.util.csv_cells import EXPORTED, guarded
from qa_search.util.text import without_unsafe

CSV_COLUMNS = (
    "query", "answered", "result_confidence",
    "rank", "post_id", "source_id", "title", "date", "source", "url", "tags",
    "score", "confidence", "matched", "passage", "highlight", "question", "answer",
)  # fmt: skip


def to_csv(
    results: Iterable[SearchResult], *, ids: Iterable[str | int] | None = None, header: bool = True
) -> Iterator[str]:
    r"""Write results as CSV (RFC 4180): yield the header, then a row per hit, each with its line end ("\r\n").

    A cell that a spreadsheet would read as a formula gets an apostrophe in front.

    Args:
        results: what searches found; each is read when its rows are needed.
        ids: an id for each result, for a first column "id".
        header: whether to begin with the names of the columns.
    """
    if header:
        yield _line(CSV_COLUMNS if ids is None else ("id", *CSV_COLUMNS))
    if ids is None:
        for result in results:
            yield from _rows(result)
    else:
        for result, name in zip(results, ids, strict=True):
            yield from _rows(result, name)


def posts_to_csv(posts: Iterable[Post]) -> Iterator[str]:
    """Write whole posts as CSV: yield the header, then a row per post, as `to_csv` does."""
    yield _line(EXPORTED)
    for post in posts:
        values = exported_post(post)
        yield _line("; ".join(value) if isinstance(value, list) else value for value in values.values())


def _rows(result: SearchResult, *first: str | int) -> Iterator[str]:
    for hit in result.hits:
        yield _line((
            *first, result.query, result.answered, result.confidence,
            hit.rank, hit.post_id, hit.source_id, hit.title, hit.date, hit.source, hit.url, "; ".join(hit.tags),
            hit.score, hit.confidence, hit.matched, hit.passage, hit.highlight.text, hit.question, hit.answer,
        ))  # fmt: skip


def _line(cells: Iterable[object]) -> str:
    stream = io.StringIO()
    csv.writer(stream).writerow([_cell(cell) for cell in cells])
    return stream.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return value
    return guarded(without_unsafe(value))
