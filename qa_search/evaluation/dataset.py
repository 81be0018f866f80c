"""A folder with a judged set -> posts, queries and grades."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from qa_search.errors import DatasetError, QueryError
from qa_search.search.query import require_text
from qa_search.util.parameters import require_path

_MOST_GRADE = 1_000_000
_MOST_LINE = 4_000_000  # characters
Grades = Mapping[str, Mapping[str, int]]

# What is measured on a judged set, as trec_eval computes it.
MEASURES = ("nDCG@10", "MRR@10", "hit@1", "R@100", "judged@10")


@dataclass(frozen=True)
class Dataset:
    """A judged set: complaints by id, and for each the grades of posts by ``source_id`` (above 0: it answers)."""

    name: str
    folder: Path
    queries: Mapping[str, str]
    grades: Grades

    @property
    def answerable(self) -> list[str]:
        """The complaints that some post answers."""
        return [query for query in self.queries if any(grade > 0 for grade in self.grades.get(query, {}).values())]

    @property
    def unanswerable(self) -> list[str]:
        """The complaints that were judged, and that no post answers."""
        answerable = set(self.answerable)
        return [query for query in self.queries if query in self.grades and query not in answerable]


def load_dataset(folder: str | os.PathLike[str]) -> Dataset:
    """Read a judged set: ``queries.jsonl``, and ``qrels.tsv`` or ``qrels/test.tsv``.

    Raises:
        QueryError: if this is not the path of a folder.
        DatasetError: if a file is missing or a line of it cannot be read.
    """
    require_path("dataset", folder)
    path = Path(folder)
    queries: dict[str, str] = {}
    for number, line in _lines(path / "queries.jsonl"):
        where = f"{path / 'queries.jsonl'}, line {number}"
        try:
            item = json.loads(line)
            name, text = item.get("id", item.get("_id")), item["text"]
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
            raise DatasetError(f'{where}: expected {{"id": ..., "text": ...}} ({error}).') from error
        query = str(name)
        if not isinstance(name, str | int) or not query or not isinstance(text, str) or query in queries:
            raise DatasetError(f"{where}: every complaint needs an id of its own and a text.")
        try:
            require_text(text)
        except QueryError as error:
            raise DatasetError(f"{where}: {error}") from error
        queries[query] = text
    qrels = next((path / name for name in ("qrels.tsv", "qrels/test.tsv") if (path / name).is_file()), None)
    if qrels is None:
        raise DatasetError(f"{path}: no qrels.tsv and no qrels/test.tsv in this folder.")
    grades: dict[str, dict[str, int]] = {}
    for number, line in _lines(qrels):
        cells = line.split("\t")
        try:
            query, post, grade = cells[0], cells[1], int(cells[2])
            if abs(grade) > _MOST_GRADE:
                raise ValueError(f"the grade {grade} is out of range")
        except (IndexError, ValueError) as error:
            if number == 1 and len(cells) > 2 and cells[2].strip().isalpha():
                continue  # the header
            raise DatasetError(f"{qrels}, line {number}: expected query, post and grade, between tabs.") from error
        if query not in queries:
            raise DatasetError(f"{qrels}, line {number}: no complaint {query!r} in queries.jsonl.")
        grades.setdefault(query, {})[post] = grade
    return Dataset(path.resolve().name, path, queries, grades)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8") as stream:
            for number, line in enumerate(iter(lambda: stream.readline(_MOST_LINE + 1), ""), start=1):
                if len(line) > _MOST_LINE:
                    raise DatasetError(
                        f"{path}, line {number}: longer than {_MOST_LINE:,} characters. Correct the file."
                    )
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise DatasetError(f"{path}: cannot be read ({why}). A judged set is a folder with queries.jsonl and "
                           "qrels.tsv.") from error  # fmt: skip
