"""What a rebuild costs: nothing changed, posts added, some changed, against an earlier version, on a large archive.

    git worktree add /tmp/earlier COMMIT
    python -m benchmarks.rebuilds /tmp/earlier

Each version builds an index of its own of the same archive, made from sentences of the sample. After each change both
build again, one after the other. The embedder costs next to nothing (`rebuilds_program`).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.large_archive import records, write_archive
from devtools.environment import ROOT, commit_of, save

POSTS_PER_FILE = 1000
_LONG_AGO = 10**9  # a file that was just written is not trusted by its time


def write_files(archive: Path, first: int, posts: Iterator[dict[str, Any]]) -> None:
    """Write posts into files of 1,000, numbered from ``first`` on."""
    rows = list(posts)
    for start in range(0, len(rows), POSTS_PER_FILE):
        path = archive / f"part-{first + start // POSTS_PER_FILE:05}.jsonl"
        write_archive(path, iter(rows[start : start + POSTS_PER_FILE]))
        os.utime(path, (_LONG_AGO, _LONG_AGO))


def change_posts(paths: list[Path], per_file: int) -> None:
    """Change the answers of the first posts of some files."""
    for path in paths:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for row in rows[:per_file]:
            row["answer"] += " Then walk slowly."
        write_archive(path, iter(rows))
        os.utime(path, (_LONG_AGO + 1, _LONG_AGO + 1))


def built(checkout: Path, archive: Path, index: Path, options: Sequence[str] = ()) -> dict[str, Any]:
    """Build with a version, in a process of its own; ``options`` are those of `rebuilds_program`."""
    program = Path(__file__).with_name("rebuilds_program.py")
    out = subprocess.run(
        [sys.executable, str(program), str(archive), str(index), *options],
        cwd=checkout, env={**os.environ, "PYTHONPATH": str(checkout)}, stdout=subprocess.PIPE, text=True, check=True,
    ).stdout  # fmt: skip
    found: dict[str, Any] = json.loads(out)
    return found


@click.command()
@click.argument("earlier", type=click.Path(path_type=Path, exists=True))
@click.option("--posts", default=190_000, show_default=True)
def main(earlier: Path, posts: int) -> None:
    """Measure both versions, and write benchmarks/results/rebuilds.json."""
    with tempfile.TemporaryDirectory() as temporary:
        archive = Path(temporary) / "archive"
        archive.mkdir()
        middle = [archive / f"part-{number:05}.jsonl" for number in range(3, posts // POSTS_PER_FILE, 7)]
        steps: dict[str, Callable[[], object]] = {
            "first build": lambda: write_files(archive, 1, records(posts)),
            "nothing changed": lambda: None,
            "a file touched": lambda: os.utime(middle[0], (_LONG_AGO + 2, _LONG_AGO + 2)),
            "1,000 added in front": lambda: write_files(archive, 0, records(1000, posts)),
            "1,000 added behind": lambda: write_files(archive, posts // POSTS_PER_FILE + 1, records(1000, 2 * posts)),
            "10 changed in one file": lambda: change_posts(middle[:1], 10),
            "10 changed in ten files": lambda: change_posts(middle[1:11], 1),
            "a file removed": lambda: middle[12].unlink(),
        }
        results: dict[str, Any] = {"before": commit_of(earlier), "steps": {}}
        for name, change in steps.items():
            change()
            results["steps"][name] = {
                version: built(checkout, archive, Path(temporary) / version)
                for version, checkout in (("before", earlier), ("after", ROOT))
            }
            click.echo(f"{name}: {results['steps'][name]}")
        shutil.rmtree(archive)
    save("rebuilds", results)


if __name__ == "__main__":
    main()
