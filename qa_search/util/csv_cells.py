"""A text in, a CSV cell that no spreadsheet takes for a formula out, and back."""

from __future__ import annotations

# The columns of exported posts: a build reads them as they are, and leaves out the first.
EXPORTED = ("post_id", "source", "id", "title", "question", "answer", "date", "url", "tags", "author", "score")
# What begins a formula in a spreadsheet; some also in full width, or behind a line end.
_FORMULA_STARTS = tuple("=+-@\t\n＝＋－＠")


def guarded(text: str) -> str:
    """Return the text, with an apostrophe in front if a spreadsheet would take it for a formula."""
    return f"'{text}" if _begins_a_formula(text) else text


def unguarded(cell: str) -> str:
    """Return the text that `guarded` made the cell from. Only for a file that was written so."""
    return cell[1:] if cell.startswith("'") and _begins_a_formula(cell) else cell


def _begins_a_formula(text: str) -> bool:
    # Behind apostrophes too, or a text's own would be taken for ours.
    return text.lstrip("'").startswith(_FORMULA_STARTS)
