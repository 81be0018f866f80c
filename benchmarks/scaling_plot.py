"""Draws how vector search grows, and puts the table into docs/scaling.md: ``python -m benchmarks.scaling_plot``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.environment import RESULTS, ROOT

_PANELS = (
    ("median_ms_10", "median of a search, ms"),
    ("resident_mb", "resident memory, MB"),
    ("disk_mb", "disk, MB"),
    ("recall_complaints", "recall@10 of complaints"),
)
_BEGIN, _END = "<!-- table: python -m benchmarks.scaling_plot -->", "<!-- end of table -->"
_NAMES = {"flat": "exact", "ivf-sq8": "lists, 8-bit", "ivf-pq": "lists, product codes"}


def rows() -> list[dict[str, Any]]:
    """Return what was measured."""
    found: list[dict[str, Any]] = json.loads((RESULTS / "scaling.json").read_text(encoding="utf-8"))["results"]["rows"]
    return found


def table() -> str:
    """Write the rows as a table; * marks the kind that a build chooses."""
    titles = (
        "passages", "kind", "build", "of which measuring", "disk", "resident", "open and first", "median, p99 of 10",
        "median, p99 of 100", "recall@10 of complaints (own)", "adding",
    )  # fmt: skip
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for row in rows():
        flat = row["kind"] == "flat"
        own = "" if flat else f" ({row['recall_own']:.3f})"
        adding = f"{row['add_s']:.2f} s" + ("" if flat else f", {row['add_share']:.1%}")
        lines.append(
            f"| {row['passages']:,} | `{row['kind']}`{'*' if row['chosen'] else ''} | {row['build_s']:.1f} s "
            f"| {row['measuring_s']:.1f} s | {row['disk_mb']:,.0f} MB | {row['resident_mb']:,} MB "
            f"| {row['opening_and_first_ms']:.0f} ms | {row['median_ms_10']:.1f}, {row['p99_ms_10']:.1f} ms "
            f"| {row['median_ms_100']:.1f}, {row['p99_ms_100']:.1f} ms "
            f"| {row['recall_complaints']:.3f}{own} | {adding} |"
        )
    return "\n".join(lines)


def draw(target: Path) -> None:
    """Draw all panels."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "qa-search"
    figure, axes = plt.subplots(2, 2, figsize=(9, 6), layout="constrained")
    for axis, (key, title) in zip(axes.flat, _PANELS, strict=True):
        for kind, name in _NAMES.items():
            points = [(row["passages"], row[key]) for row in rows() if row["kind"] == kind]
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
    page = ROOT / "docs" / "scaling.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(_BEGIN)
    page.write_text(f"{before}{_BEGIN}\n{table()}\n{_END}{rest.partition(_END)[2]}", encoding="utf-8")
    draw(ROOT / "docs" / "images" / "scaling.svg")
