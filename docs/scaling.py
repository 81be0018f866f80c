"""Draws how vector search grows, and puts the tables into docs/scaling.md: ``python docs/scaling.py``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_PANELS = (
    ("median_ms_10", "median of a search, ms"),
    ("resident_mb", "resident memory, MB"),
    ("disk_mb", "disk, MB"),
    ("recall_complaints", "recall@10 of complaints"),
)
RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"
PAGE = Path(__file__).with_name("scaling.md")
_NAMES = {
    "flat": "exact", "ivf-rabitq2": "lists, 2 bits a value", "ivf-rabitq1": "lists, 1 bit a value",
    "ivf-sq8": "lists, 8 bits a value", "ivf-pq": "lists, product codes",
}  # fmt: skip


def rows() -> list[dict[str, Any]]:
    """Return what was measured of vectors alone."""
    found: list[dict[str, Any]] = []
    for name in ("scaling", "scaling_5m"):
        found += json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["results"]["rows"]
    return found


def written(titles: tuple[str, ...], lines: Sequence[tuple[str, ...]]) -> str:
    """Write a table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (titles, ("---",) * len(titles), *lines))


def vectors_table() -> str:
    """Write what was measured of vectors alone; * marks the kind that a build chooses."""
    titles = (
        "passages", "kind", "build", "of which measuring", "disk", "resident", "open and first", "median, p99 of 10",
        "median, p99 of 100", "recall@10 of complaints (own)", "adding",
    )  # fmt: skip
    lines = []
    for row in rows():
        flat = row["kind"] == "flat"
        own = "" if flat else f" ({row['recall_own']:.3f})"
        adding = f"{row['add_s']:.2f} s" + ("" if flat else f", {row['add_share']:.1%}")
        lines.append((
            f"{row['passages']:,}{' real' if row['vectors'] == 'real' else ''}",
            f"`{row['kind']}`{'*' if row['chosen'] else ''}",
            f"{row['build_s']:.1f} s",
            f"{row['measuring_s']:.1f} s",
            f"{row['disk_mb']:,.0f} MB",
            f"{row['resident_mb']:,} MB",
            f"{row['opening_and_first_ms']:,.0f} ms",
            f"{row['median_ms_10']:.1f}, {row['p99_ms_10']:.1f} ms",
            f"{row['median_ms_100']:.1f}, {row['p99_ms_100']:.1f} ms",
            f"{row['recall_complaints']:.3f}{own}",
            adding,
        ))  # fmt: skip
    return written(titles, lines)


def archives_table() -> str:
    """Write what was measured of whole indexes; * marks the kind that a build chooses."""
    titles = (
        "posts, passages", "kind", "disk", "short question from the shell: cached, cold", "long one: cached, cold",
        "long one in an open index: median, p99", "filter: 1 in 190", "filter: 1 in 5", "resident (own)",
        "build: nothing changed", "build: 1,000 posts added",
    )  # fmt: skip
    lines = []
    for row in json.loads((RESULTS / "large_archive.json").read_text(encoding="utf-8"))["results"]["rows"]:
        asked, found = row["one_shot_s"], row["searches"]
        builds = [
            f"{row[name]['seconds']:.0f} s, {row[name]['peak_mb']:,} MB" if name in row else ""
            for name in ("unchanged", "added")
        ]
        lines.append((
            f"{row['posts']:,}, {row['counts']['passages']:,}",
            f"`{row['vector_index']['kind']}`{'*' if row['chosen'] else ''}",
            f"{row['disk_mb']:,.0f} MB",
            *(f"{asked[name]['warm']:.2f} s, {asked[name]['cold']:.2f} s" for name in ("short", "long")),
            f"{found['all_median_ms']:.0f}, {found['all_p99_ms']:,.0f} ms",
            f"{found['year_median_ms']:.0f} ms",
            f"{found['source_median_ms']:.0f} ms",
            f"{found['resident_mb']:,} ({found['anonymous_mb']:,}) MB",
            *builds,
        ))  # fmt: skip
    return written(titles, lines)


def page() -> str:
    """Return scaling.md with the tables of what was measured."""
    text = PAGE.read_text(encoding="utf-8")
    for name, table in (("vectors", vectors_table()), ("archives", archives_table())):
        begin, end = f"<!-- {name}: python docs/scaling.py -->", f"<!-- end of {name} -->"
        before, marked, rest = text.partition(begin)
        _, ended, after = rest.partition(end)
        if not (marked and ended):
            raise ValueError(f"{PAGE.name} has no place for the table of {name}: {begin} ... {end}")
        text = f"{before}{begin}\n{table}\n{end}{after}"
    return text


def draw(target: Path) -> None:
    """Draw all panels."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "qa-search"
    figure, axes = plt.subplots(2, 2, figsize=(9, 6), layout="constrained")
    for axis, (key, title) in zip(axes.flat, _PANELS, strict=True):
        for kind, name in _NAMES.items():
            points = [(row["passages"], row[key]) for row in rows() if (row["kind"], row["vectors"]) == (kind, "made")]
            axis.plot(*zip(*points, strict=True), marker="o", label=name)
        axis.set(xscale="log", title=title, xlabel="passages")
        if key == "recall_complaints":
            axis.set_ylim(0.9, 1.005)
        else:
            axis.set_yscale("log")
        axis.grid(alpha=0.3)
    axes.flat[0].legend()
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    draw(PAGE.parent / "images" / "scaling.svg")
