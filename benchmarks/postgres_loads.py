"""What it costs to load a build into PostgreSQL: first, some posts added, nothing changed; against an earlier version.

    git worktree add /tmp/earlier COMMIT
    python -m benchmarks.postgres_loads /tmp/earlier

Each version loads the same index folder into a server of its own (or a coordinator with two shards), one after the
other. Posts are made from sentences of the sample, and the embedder costs next to nothing (`rebuilds_program`). Its
vectors have no neighbourhoods, so that a graph of them takes longer than one of real vectors.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from benchmarks.large_archive import records
from benchmarks.rebuilds import POSTS_PER_FILE, write_files
from benchmarks.rebuilds_program import Cheap
from devtools.environment import ROOT, commit_of, save
from devtools.postgres_servers import Server, debian_programs, running
from qa_search import build_index

KINDS = {"one server": 1, "two shards": 3}


@contextmanager
def servers(count: int) -> Iterator[list[Server]]:
    """Start servers."""
    programs = debian_programs()
    if programs is None:
        raise click.ClickException("no PostgreSQL here; run tests/index/postgres/install.sh")
    with ExitStack() as stack:
        yield [stack.enter_context(running(programs)) for _ in range(count)]


def run(checkout: Path, what: str, index: Path, started: list[Server]) -> dict[str, Any]:
    """Run a version, in a process of its own; return what it took, and the processor's time of the servers, too."""
    program = Path(__file__).with_name("postgres_loads_program.py")
    before = sum(server.processor_seconds() for server in started)
    out = subprocess.run(
        [sys.executable, str(program), what, str(index), *(server.url() for server in started)],
        cwd=checkout, env={**os.environ, "PYTHONPATH": str(checkout)}, stdout=subprocess.PIPE, text=True, check=True,
    ).stdout  # fmt: skip
    found: dict[str, Any] = json.loads(out)
    found["server_cpu"] = round(sum(server.processor_seconds() for server in started) - before, 1)
    return found


def measured(kind: str, posts: int, versions: dict[str, Path]) -> dict[str, Any]:
    """Load into servers of a kind, by each version after each change, and search at the end."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        started = {version: stack.enter_context(servers(KINDS[kind])) for version in versions}
        archive, index = home / "archive", home / "index"
        archive.mkdir()
        behind = posts // POSTS_PER_FILE + 1
        steps: dict[str, Callable[[], object]] = {
            "first load": lambda: write_files(archive, 1, records(posts)),
            "nothing changed": lambda: None,
            "10 added behind": lambda: write_files(archive, behind, records(10, posts)),
            "10 added in front": lambda: write_files(archive, 0, records(10, 2 * posts)),
            "1,000 added behind": lambda: write_files(archive, behind + 1, records(1000, 3 * posts)),
        }
        loads: dict[str, Any] = {}
        for name, change in steps.items():
            change()
            report = build_index(archive, index, model=Cheap())
            # Side by side: what else the machine does meets both.
            loads[name] = {version: run(path, "load", index, started[version]) for version, path in versions.items()}
            click.echo(f"{kind}, {name}: {loads[name]}")
        searches = {version: run(path, "ask", index, started[version]) for version, path in versions.items()}
        click.echo(f"{kind}, searches: {searches}")
        return {"posts": report.posts, "passages": report.passages, "loads": loads, "searches": searches}


@click.command()
@click.argument("earlier", type=click.Path(path_type=Path, exists=True))
@click.option("--posts", default=20_000, show_default=True)
@click.option("--kind", "kinds", multiple=True, type=click.Choice(list(KINDS)), default=list(KINDS), show_default=True)
def main(earlier: Path, posts: int, kinds: tuple[str, ...]) -> None:
    """Measure both versions, and write benchmarks/results/postgres_loads.json."""
    versions = {"before": earlier, "after": ROOT}
    results: dict[str, Any] = {"before": commit_of(earlier)}
    results["kinds"] = {kind: measured(kind, posts, versions) for kind in kinds}
    results["load_average"] = round(os.getloadavg()[1], 1)
    click.echo(save("postgres_loads", results))


if __name__ == "__main__":
    main()
