"""Cells of an exported archive: no formula for a spreadsheet, and the same text when they are read again."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from qa_search.util.csv_cells import guarded, unguarded


@given(st.text(alphabet="'=+-@＝\ta b", max_size=6))
@example("- ice")
@example("'- ice")
@example("'quoted'")
def test_what_was_guarded_comes_back(text: str) -> None:
    """Whatever it begins with, apostrophes of its own included."""
    cell = guarded(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "＝"))
    assert unguarded(cell) == text
