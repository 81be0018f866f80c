"""What a result is to a program and in a notebook: a sequence of hits, a short text, a table."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from qa_search import Hit, IndexClosedError, SearchIndex, SearchResult
from qa_search.types import Highlight
from tests.helpers import WordsEmbedder, write_jsonl

HIT = Hit(
    1, "abc", "a.txt", "Sore <b>heel</b>", "2015-06-30T10:00:00", "club/pages", None, ("heel",), 0.5, 0.75, "answer",
    "Rest & ice.", Highlight("answer", 0, 11, "Rest & ice."), "My heel is sore", "Rest & ice.",
)  # fmt: skip
RESULT = SearchResult("sore heel", True, 0.8, (HIT, replace(HIT, rank=2, post_id="def")), 1.0)


def test_a_result_is_a_sequence_of_hits() -> None:
    """It can be iterated, counted and asked whether there are any."""
    assert [hit.post_id for hit in RESULT] == ["abc", "def"]
    assert (len(RESULT), bool(RESULT)) == (2, True)
    assert not replace(RESULT, hits=())


def test_a_result_is_shown_in_a_few_lines() -> None:
    """Not with all its texts."""
    lines = repr(replace(RESULT, query="x" * 500)).splitlines()
    assert lines[0].startswith("<SearchResult 'xxx")
    assert lines[0].endswith("answered (80%), 2 hits>")
    assert lines[1] == "  1.  75% 'Sore <b>heel</b>' (abc)"
    assert max(map(len, lines)) < 100


def test_a_notebook_shows_a_table_of_escaped_texts() -> None:
    """What an archive says is no markup."""
    table = RESULT._repr_html_()
    assert table.count("<tr>") == 3
    assert "Sore &lt;b&gt;heel&lt;/b&gt;" in table
    assert "Rest &amp; ice." in table
    assert "<b>" not in table


@pytest.mark.parametrize(
    ("date", "when"),
    [
        ("2015-06-30T10:00:00", (2015, 6, 30)),
        ("2015-06-30T10:00:00+02:00", (2015, 6, 30)),
        ("2015-06-30", (2015, 6, 30)),
        ("2015-06", (2015, 6, 1)),
        ("2015", (2015, 1, 1)),
        (None, None),
    ],
)
def test_a_hit_knows_when_it_was_written(date: str | None, when: tuple[int, int, int] | None) -> None:
    """As a date of Python's."""
    assert replace(HIT, date=date).when == (None if when is None else datetime.date(*when))


def test_a_result_becomes_a_data_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """One row for each hit, with its fields as columns; pandas is asked for by name where it is missing."""

    class DataFrame:
        def __init__(self, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
            self.rows, self.columns = rows, columns

    pandas: Any = ModuleType("pandas")
    pandas.DataFrame = DataFrame
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    frame = RESULT.to_pandas()
    assert frame.columns[:3] == ["rank", "post_id", "source_id"]
    assert [row["highlight"] for row in frame.rows] == [HIT.highlight] * 2
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match="pandas"):
        RESULT.to_pandas()


def test_a_closed_index_says_that_it_is_closed(tmp_path: Any) -> None:
    """It is not called damaged, and closing it twice is no error."""
    from qa_search import build_index

    source = write_jsonl(tmp_path / "a.jsonl", [{"question": "knee", "answer": "rest"}])
    build_index(source, tmp_path / "index", model=WordsEmbedder())
    with SearchIndex.open(tmp_path / "index", model=WordsEmbedder()) as index:
        assert len(index.search("knee")) == 1
    for use in (lambda: index.search("knee"), index.info, lambda: index.post("abc"), lambda: index.embed(["x"])):
        with pytest.raises(IndexClosedError, match="this index is closed"):
            use()
    index.close()
