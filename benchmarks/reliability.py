"""Write the counts of ``make torture`` into docs/reliability.md: ``python -m benchmarks.reliability``."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.environment import RESULTS, ROOT

PAGE = ROOT / "docs" / "reliability.md"
START, END = "<!-- counts: python -m benchmarks.reliability -->\n", "<!-- end of counts -->"


def table(results: Path = RESULTS / "reliability.json") -> str:
    """Return the counts as a table in Markdown."""
    rows = ["| promise | what was tried | tried | failed |", "|---|---|---|---|"]
    rows += [
        f"| {result['promise']} | {what} | {result['tried']:,} | {result['failed']:,} |"
        for what, result in json.loads(results.read_text(encoding="utf-8")).items()
    ]
    return "\n".join(rows) + "\n"


def page_with(counts: str, page: str) -> str:
    """Return the page with other counts in it."""
    before, _, rest = page.partition(START)
    return before + START + counts + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page_with(table(), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
