"""Write the counts of ``make torture`` into docs/reliability.md: ``python docs/counts.py``."""

from __future__ import annotations

import json
from pathlib import Path

PAGE = Path(__file__).with_name("reliability.md")
RESULTS = Path(__file__).parent.parent / "benchmarks" / "results" / "reliability.json"
START, END = "<!-- counts: python docs/counts.py -->\n", "<!-- end of counts -->"


def table(results: Path = RESULTS) -> str:
    """Return the counts as a table in Markdown."""
    rows = ["| promise | what was tried | tried | failed |", "|---|---|---|---|"]
    rows += [
        f"| {result['promise']} | {what} | {result['tried']:,} | {result['failed']:,} |"
        for what, result in json.loads(results.read_text(encoding="utf-8")).items()
    ]
    return "\n".join(rows) + "\n"


def page() -> str:
    """Return reliability.md with the counts that were written down last."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    return before + START + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
