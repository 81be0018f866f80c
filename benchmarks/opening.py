"""What it costs to compare every byte of an index with what was written: opening it, and one question by the command.

    python -m benchmarks.opening --before CHECKOUT

CHECKOUT is a folder with an earlier version of this project, which builds an index of its own and answers from that;
the two take turns. The texts are the real archives in ``../shared``.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click

from benchmarks.serving import ARCHIVES, DATASETS
from benchmarks.speed import QUESTION
from devtools.environment import ROOT, save
from qa_search import SearchIndex
from qa_search.index import integrity as files


def run(checkout: Path, *arguments: str) -> float:
    """Run a command of a version; return its seconds."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "qa_search", *arguments]
    done = subprocess.run(
        command, cwd=checkout, env={**os.environ, "PYTHONPATH": str(checkout)}, capture_output=True, check=False
    )
    if done.returncode > 1:
        raise RuntimeError(done.stderr.decode())
    return time.perf_counter() - started


def opening(index: Path, repeats: int) -> dict[str, float]:
    """Time opening in this process, with every byte compared and with sizes only, in turn: medians in ms."""
    taken: dict[str, list[float]] = {"every byte": [], "sizes only": []}
    unread = patch.object(files, "_damage", lambda *_, **__: None)
    for _ in range(repeats):
        for name, times in taken.items():
            with unread if name == "sizes only" else nullcontext():
                started = time.perf_counter()
                SearchIndex.open(index).close()
                times.append(time.perf_counter() - started)
    return {name: round(statistics.median(times) * 1000, 2) for name, times in taken.items()}


@click.command()
@click.option("--before", type=click.Path(path_type=Path, exists=True), help="A folder with an earlier version.")
@click.option("--repeats", default=15, show_default=True)
def main(before: Path | None, repeats: int) -> None:
    """Measure, and write benchmarks/results/opening.json."""
    sources = [str(DATASETS / name / "corpus.jsonl") for name in ARCHIVES]
    versions = {"now": ROOT, **({"before": before.resolve()} if before else {})}
    with tempfile.TemporaryDirectory() as folder:
        indexes = {name: Path(folder, name) for name in versions}
        for name, checkout in versions.items():
            run(checkout, "build", *sources, "--index", str(indexes[name]), "--quiet")
        seconds: dict[str, list[float]] = {name: [] for name in versions}
        for number in range(repeats + 1):
            for name, checkout in versions.items():
                taken = run(checkout, "query", "--index", str(indexes[name]), QUESTION)
                if number:  # the first fills the disk's cache
                    seconds[name].append(taken)
        results: dict[str, Any] = {
            "bytes": sum(path.stat().st_size for path in (indexes["now"] / "generations").rglob("*") if path.is_file()),
            "opening_ms": opening(indexes["now"], 4 * repeats),
            "question_seconds": {name: round(statistics.median(times), 3) for name, times in seconds.items()},
        }
        if before:
            ratios = [now / then for now, then in zip(seconds["now"], seconds["before"], strict=True)]
            results["ratio_now_to_before"] = round(statistics.median(ratios), 3)
    click.echo(save("opening", results).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
