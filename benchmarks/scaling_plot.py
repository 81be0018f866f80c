"""Draws how vector search grows, from what `benchmarks.scaling` measured: ``python -m benchmarks.scaling_plot``."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib as mpl

from benchmarks.environment import RESULTS, ROOT

mpl.use("svg")
from matplotlib import pyplot as plt

_PANELS = (
    ("median_ms_10", "median of a search, ms"),
    ("resident_mb", "resident memory, MB"),
    ("disk_mb", "disk, MB"),
    ("recall_complaints", "recall@10 of complaints"),
)
_NAMES = {"flat": "exact", "ivf-sq8": "lists, 8-bit", "ivf-pq": "lists, product codes"}


def draw(target: Path) -> None:
    """Draw all panels."""
    rows = json.loads((RESULTS / "scaling.json").read_text(encoding="utf-8"))["results"]["rows"]
    mpl.rcParams["svg.hashsalt"] = "qa-search"
    figure, axes = plt.subplots(2, 2, figsize=(9, 6), layout="constrained")
    for axis, (key, title) in zip(axes.flat, _PANELS, strict=True):
        for kind, name in _NAMES.items():
            points = [(row["passages"], row[key]) for row in rows if row["kind"] == kind]
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
    draw(ROOT / "docs" / "images" / "scaling.svg")
