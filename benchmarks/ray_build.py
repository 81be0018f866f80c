"""What a build on Ray costs and gains: against a local build, on one node and on two, and with a node killed halfway.

    python -m benchmarks.ray_build

The nodes are on this machine and have a core each, so this shows what Ray costs, not how it scales: a local build uses
both cores too. The texts are those of a real archive (in ``../shared``); the encoder is exported before. Every
round does all of it in turn; the embedding stage ends with the last vector and starts with the first block handed out,
so it includes the start of the workers. How long a dead node goes unnoticed is Ray's default.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from devtools.environment import ROOT, save
from devtools.ray_nodes import RayNodes
from qa_search import Progress, build_index
from qa_search.index.owned import ENCODERS

ARCHIVE = ROOT.parent / "shared" / "datasets" / "doctor_forums" / "corpus.jsonl"


def build(source: str, index: str, address: str) -> None:
    """Build, and print how far it is and what it took as JSON Lines."""
    started = time.perf_counter()
    begun: dict[str, float] = {}

    def told(progress: Progress) -> None:
        begun.setdefault(progress.stage, time.perf_counter())
        if progress.stage == "embedding":
            click.echo(json.dumps({"done": progress.done, "of": progress.total}))

    report = build_index(source, index, keep_unanswered=True, ray=address or None, progress=told)
    taken = {
        "seconds": time.perf_counter() - started,
        "before_embedding": begun["embedding"] - started,
        "embedding": time.perf_counter() - begun["embedding"],
        "embedded": report.embedded,
    }
    click.echo(json.dumps(taken))


def measure(command: list[str], environment: dict[str, str] | None, halfway: Callable[[], object]) -> dict[str, Any]:
    """Run such a build, doing something when half of the passages are embedded."""
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    if process.stdout is None:
        raise RuntimeError("no output to read")
    last: dict[str, Any] = {}
    waiting = True
    for line in process.stdout:
        last = json.loads(line)
        if waiting and "done" in last and 2 * last["done"] >= last["of"]:
            halfway()
            waiting = False
    if process.wait():
        raise RuntimeError("a build failed")
    return last


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Give every run, and the medians."""
    names = ("seconds", "before_embedding", "embedding")
    return {
        **{name: round(statistics.median(run[name] for run in runs), 1) for name in names},
        "per_second": round(statistics.median(run["embedded"] / run["embedding"] for run in runs), 1),
        "runs": [{name: round(run[name], 1) for name in names} for run in runs],
    }


@click.command()
@click.option("--posts", default=1500, show_default=True, help="How many posts of the archive are built.")
@click.option("--repeats", default=3, show_default=True, help="Rounds.")
@click.option("--build", "job", nargs=3, hidden=True, default=None, help="Be a build: SOURCE INDEX ADDRESS.")
def main(posts: int, repeats: int, job: tuple[str, str, str] | None) -> None:
    """Measure everything and write benchmarks/results/ray.json."""
    if job is not None:
        build(*job)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = folder / "corpus.jsonl"
        # As questions alone: there is nothing to learn from them how sure an answer is, which would take longer.
        questions = [
            {"question": json.loads(line)["answer"]} for line in ARCHIVE.read_text(encoding="utf-8").splitlines()
        ]
        source.write_text("".join(f"{json.dumps(item)}\n" for item in questions[:posts]), encoding="utf-8")
        first = build_index(source, folder / "first", keep_unanswered=True)
        runs: dict[str, list[dict[str, Any]]] = {}
        starts = []

        def run(case: str, nodes: RayNodes | None, halfway: Callable[[], object] = lambda: None) -> None:
            index = folder / "index"
            shutil.rmtree(index, ignore_errors=True)
            shutil.copytree(folder / "first" / ENCODERS, index / ENCODERS)
            program = [sys.executable, "-m", "benchmarks.ray_build", "--build", str(source), str(index)]
            if nodes is None:
                found = measure([*program, ""], None, halfway)
            else:
                found = measure(nodes.command(*program, nodes.address), nodes.environment, halfway)
            if found["embedded"] != first.embedded:
                raise RuntimeError(f"{case}: {found['embedded']} embedded instead of {first.embedded}")
            runs.setdefault(case, []).append(found)
            click.echo(f"{case}: {json.dumps(found)}", err=True)

        for _ in range(repeats):
            run("local, two threads", None)
            started = time.perf_counter()
            with RayNodes() as nodes:
                starts.append(round(time.perf_counter() - started, 1))
                run("two nodes", nodes)

                def kill(cluster: RayNodes = nodes) -> None:
                    cluster.kill(1)

                run("two nodes, one killed halfway", nodes, kill)
                run("one node", nodes)
    results = {
        "posts": first.posts,
        "passages": first.passages,
        "embedded": first.embedded,
        "cluster_start_seconds": {"median": statistics.median(starts), "runs": starts},
        **{case: summary(found) for case, found in runs.items()},
    }
    click.echo(save("ray", results).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
