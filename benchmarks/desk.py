"""How often the answer at a desk is right: short and everyday complaints to the sample archive.

    python -m benchmarks.desk [INDEX]

Reads ``../shared/cases/desk.tsv``: a complaint, and the posts that are right as the first hit; "none" if nothing
answers, "more" if it says too little, "language" if its language stands in the way (both need advice). INDEX is one of
data/archive/ (default: index/). Prints the failures and the count.
"""

from __future__ import annotations

import csv

import click

from devtools.environment import ROOT
from qa_search import SearchIndex, SearchResult

CASES = ROOT.parent / "shared" / "cases" / "desk.tsv"


def is_right(result: SearchResult, wanted: str) -> bool:
    """Return whether a result is what a person at a desk needs."""
    if wanted in ("none", "more", "language"):
        return not result.answered and (wanted == "none" or bool(result.advice))
    return result.answered and result.hits[0].source_id.removesuffix(".txt") in wanted.split("|")


@click.command()
@click.argument("index", default="index")
def main(index: str) -> None:
    """Ask all complaints."""
    with CASES.open(encoding="utf-8") as stream, SearchIndex.open(index) as opened:
        rows = [(row["complaint"], row["right"]) for row in csv.DictReader(stream, delimiter="\t")]
        results = opened.search_many([complaint for complaint, _ in rows], 1)
    failures = [(row, result) for row, result in zip(rows, results, strict=True) if not is_right(result, row[1])]
    for (complaint, wanted), result in failures:
        first = result.hits[0].source_id if result.hits else "nothing"
        click.echo(f"{complaint!r}: {first} at {result.confidence:.0%}, right is {wanted}")
    click.echo(f"{len(rows) - len(failures)} of {len(rows)} right")


if __name__ == "__main__":
    main()
