"""How much faster than an earlier version: the same queries to the same index, one after the other in turn.

    git worktree add /tmp/earlier COMMIT
    python -m benchmarks.side_by_side /tmp/earlier --index FOLDER --queries FILE.jsonl

Each version runs in a process of its own and answers one query at a time, so that both meet the same machine; what
counts is the ratio of the medians, of the time and of the seconds of computing, which depend less on what else the
machine does. ``same hits`` is the share of queries with the same posts in the same order.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from devtools.environment import ROOT, commit_of, save

# Words of a query, and how many queries of that length are asked.
LENGTHS = {3: 40, 30: 40, 100: 30, 300: 20, 1000: 6}
LONGEST = 100_000  # characters


class Program:
    """A program in a process of its own, which answers a query a line."""

    def __init__(self, checkout: Path, index: Path) -> None:
        self.checkout = checkout
        command = [sys.executable, str(Path(__file__).with_name("side_by_side_program.py")), str(index)]
        environment = {**os.environ, "PYTHONPATH": str(checkout)}
        self._process = subprocess.Popen(
            command, cwd=checkout, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.ask("a query to warm up with")

    def ask(self, text: str) -> dict[str, Any]:
        """Ask a query; return its seconds, its seconds of computing, and the ids of its hits."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the process has no pipes")
        self._process.stdin.write(json.dumps(text) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def compare(programs: Sequence[Program], queries: Sequence[str]) -> dict[str, Any]:
    """Ask each query of each program in turn, and who begins changes."""
    found: list[list[dict[str, Any]]] = [[], []]
    for number, query in enumerate(queries):
        for which in (0, 1) if number % 2 else (1, 0):
            found[which].append(programs[which].ask(query))
    result: dict[str, Any] = {"queries": len(queries)}
    for name in ("seconds", "computed"):
        before, after = (statistics.median(one[name] for one in answers) for answers in found)
        result[name] = {"before": round(before, 4), "after": round(after, 4), "times": round(before / after, 2)}
    same = [one["hits"] == other["hits"] for one, other in zip(*found, strict=True)]
    return {**result, "same_hits": round(sum(same) / len(same), 3)}


def queries_of(complaints: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield a name and queries for each length, made of complaints one after the other."""
    words = " ".join(complaints).split()
    for length, count in LENGTHS.items():
        step = max(length, (len(words) - length) // count)
        texts = [" ".join(words[start : start + length]) for start in range(0, len(words) - length, step)]
        yield f"{length} words", texts[:count]
    yield f"{LONGEST} characters", [" ".join(words)[:LONGEST]] * 2


@contextmanager
def running(checkouts: Sequence[Path], index: Path) -> Iterator[list[Program]]:
    """Run a program of each checkout."""
    programs = [Program(checkout, index) for checkout in checkouts]
    try:
        yield programs
    finally:
        for program in programs:
            program.close()


@click.command()
@click.argument("earlier", type=click.Path(path_type=Path, exists=True))
@click.option("--index", required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--queries", required=True, type=click.Path(path_type=Path, exists=True), help="A judged set's queries.")
def main(earlier: Path, index: Path, queries: Path) -> None:
    """Measure both programs, and write benchmarks/results/side_by_side.json."""
    complaints = [json.loads(line)["text"] for line in queries.read_text(encoding="utf-8").splitlines()]
    results: dict[str, Any] = {"before": commit_of(earlier), "index": index.name, "lengths": {}}
    with running([earlier, ROOT], index.resolve()) as programs:
        for name, asked in queries_of(complaints):
            results["lengths"][name] = compare(programs, asked)
            click.echo(f"{name}: {results['lengths'][name]}")
    save("side_by_side", results)


if __name__ == "__main__":
    main()
