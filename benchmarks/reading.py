"""How much faster archives are read than by an earlier version: each source in turn, in processes of their own.

    git worktree add /tmp/earlier COMMIT
    python -m benchmarks.reading /tmp/earlier SOURCE...

What counts is the ratio of the medians of the seconds of computing, which depend less on what else the machine does.
A process reads a source once, without a model, an index or the time that Python takes to start.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from devtools.environment import ROOT, commit_of, save

_READ = """
import json, sys, time
from qa_search.archives.read import read_archives
from qa_search.types import Post
started = time.process_time()
posts = sum(isinstance(item, Post) for item in read_archives([sys.argv[1]]))
print(json.dumps([posts, time.process_time() - started]))
"""


def read_once(checkout: Path, source: Path) -> tuple[int, float]:
    """Read a source with a checkout of the program; return the posts and the seconds of computing."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    command = [sys.executable, "-c", _READ, str(source)]
    ended = subprocess.run(command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    posts, seconds = json.loads(ended.stdout)
    return posts, seconds


def compare(earlier: Path, source: Path, repeats: int) -> dict[str, Any]:
    """Read a source by both programs in turn, and who begins changes."""
    checkouts = {"earlier": earlier, "now": ROOT}
    read: dict[str, list[tuple[int, float]]] = {name: [] for name in checkouts}
    for repeat in range(repeats):
        for name in sorted(checkouts, reverse=repeat % 2 == 1):
            read[name].append(read_once(checkouts[name], source))
    medians = {name: statistics.median(seconds for _, seconds in runs) for name, runs in read.items()}
    return {
        **{f"posts_{name}": runs[0][0] for name, runs in read.items()},
        **{f"posts_a_second_{name}": round(read[name][0][0] / seconds) for name, seconds in medians.items()},
        "times_as_fast": round(medians["earlier"] / medians["now"], 3),
    }


@click.command()
@click.argument("earlier", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("sources", type=click.Path(exists=True, path_type=Path), nargs=-1, required=True)
@click.option("--repeats", default=5, show_default=True, help="how often each program reads each source")
def main(earlier: Path, sources: tuple[Path, ...], repeats: int) -> None:
    """Compare with the program in the folder EARLIER, and write benchmarks/results/reading.json."""
    found = {}
    for source in sources:
        found["/".join(source.parts[-2:])] = compared = compare(earlier.resolve(), source.resolve(), repeats)
        click.echo(f"{source}: {compared}")
    save("reading", {"earlier": commit_of(earlier), "repeats": repeats, "sources": found})


if __name__ == "__main__":
    main()
