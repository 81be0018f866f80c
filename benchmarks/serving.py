"""How the service bears many callers: throughput and latency by callers, memory, a rebuild in the middle, batching.

    python -m benchmarks.serving
    python -m benchmarks.serving --workers 1 --workers 2        # only the comparison of these, in turn
    python -m benchmarks.serving --workers 1 --workers 2 --earlier CHECKOUT     # and of an earlier version

The server is the command ``qa-search serve`` in a process of its own; the callers are another process on the same
machine, so both share its cores. Each caller asks one complaint after another and waits for each answer. Texts are the
real archives and complaints in ``../shared``; a complaint is never asked twice in a row.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import click
import httpx2

from devtools.environment import ROOT, commit_of, save
from qa_search import SearchIndex, build_index

DATASETS = ROOT.parent / "shared" / "datasets"
ARCHIVES = ("doctor_forums", "beer_se")
_SAMPLE_SECONDS = 2.0
_COMPARED = ("per_second", "median_ms", "p99_ms", "cpu_ms", "cpu_ms_of_the_service_itself")
_EDITION = {"id": "edition", "question": "Which edition of the archive is this?", "answer": "Edition {}."}


class Callers:
    """Asks a service for a while from one process; every answer counts, and so does every failure."""

    def __init__(self, url: str, complaints: list[str]) -> None:
        self._url = url
        self._complaints = complaints

    def ask(self, callers: int, seconds: float) -> dict[str, Any]:
        """Keep so many questions on the way for so long."""
        return asyncio.run(self._ask(callers, seconds))

    async def _ask(self, callers: int, seconds: float) -> dict[str, Any]:
        taken: list[float] = []
        failures: Counter[str] = Counter()
        numbers = count()
        end = time.perf_counter() + seconds

        async def call(client: httpx2.AsyncClient) -> None:
            while time.perf_counter() < end:
                complaint = self._complaints[next(numbers) % len(self._complaints)]
                started = time.perf_counter()
                try:
                    response = await client.post("/api/search", json={"query": complaint})
                except httpx2.HTTPError as error:
                    failures[type(error).__name__] += 1
                    continue
                taken.append(time.perf_counter() - started)
                if response.status_code != 200 or not response.json()["hits"]:
                    failures[str(response.status_code)] += 1

        limits = httpx2.Limits(max_connections=callers)
        started = time.perf_counter()
        async with httpx2.AsyncClient(base_url=self._url, limits=limits, timeout=60) as client:
            await asyncio.gather(*(call(client) for _ in range(callers)))
        elapsed = time.perf_counter() - started
        percentiles = statistics.quantiles(taken, n=100)
        return {
            "callers": callers,
            "seconds": round(elapsed, 1),
            "answers": len(taken),
            "per_second": round(len(taken) / elapsed, 1),
            "median_ms": round(percentiles[49] * 1000, 1),
            "p95_ms": round(percentiles[94] * 1000, 1),
            "p99_ms": round(percentiles[98] * 1000, 1),
            "failures": dict(failures),
        }


class Memory:
    """Samples the memory of a process until it is stopped."""

    def __init__(self, process: int) -> None:
        self._path = Path(f"/proc/{process}/status")
        self.samples: list[int] = []

    def take(self) -> None:
        """Take a sample, in MB."""
        found = re.search(r"^VmRSS:\s+(\d+)", self._path.read_text(encoding="ascii"), re.MULTILINE)
        self.samples.append(int(found[1]) // 1024 if found else 0)


def processes_of(service: int) -> dict[str, list[int]]:
    """Return the processes of a service: itself, those that search, and Python's own helper of these."""
    children = [
        int(child)
        for task in Path(f"/proc/{service}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    searching = [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
    return {"service": [service], "workers": searching, "helper": sorted({*children} - {*searching})}


def cpu_seconds(process: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(process: int) -> dict[str, float]:
    """Return a process's memory in MB: resident, its share of what others have too (PSS), and its own (USS)."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    kib = {name: int(rest.split()[0]) for name, rest in (line.split(":") for line in lines)}
    own = kib["Private_Clean"] + kib["Private_Dirty"]
    return {name: round(size / 1024, 1) for name, size in (("rss", kib["Rss"]), ("pss", kib["Pss"]), ("uss", own))}


def compare_services(
    places: list[tuple[str, Path, Path]], complaints: list[str], repeats: int, seconds: float
) -> list[dict[str, Any]]:
    """Let 8 callers and 1 ask several services in turn; return a row for each.

    A place is the number of workers ("" for a version without them), the program's checkout and the index.
    """
    rows: list[dict[str, Any]] = [{"workers": workers, "load": [], "runs": {8: [], 1: []}} for workers, _, _ in places]
    with ExitStack() as stack:
        services = [
            stack.enter_context(serving(index, *(["--workers", workers] if workers else []), checkout=checkout))
            for workers, checkout, index in places
        ]
        for _ in range(repeats):
            for row, (url, service) in zip(rows, services, strict=True):
                for callers, runs in row["runs"].items():
                    row["load"].append(round(os.getloadavg()[0], 1))
                    runs.append(_with_cpu(url, service, complaints, callers, seconds))
        for row, (_, service) in zip(rows, services, strict=True):
            found = processes_of(service)
            row["memory_mb"] = {name: [memory_of(one) for one in group] for name, group in found.items() if group}
    for row in rows:
        row["median"] = {
            callers: {name: statistics.median(run[name] for run in runs) for name in _COMPARED}
            for callers, runs in row["runs"].items()
        }
    return rows


def _with_cpu(url: str, service: int, complaints: list[str], callers: int, seconds: float) -> dict[str, Any]:
    """Let callers ask, and note what each process of the service computed for an answer."""
    processes = [process for group in processes_of(service).values() for process in group]
    before = [cpu_seconds(process) for process in processes]
    with calling(url, complaints, callers, seconds) as asking:
        found: dict[str, Any] = json.loads(asking.communicate()[0])
    used = [cpu_seconds(process) - since for process, since in zip(processes, before, strict=True)]
    each = 1000 / max(found["answers"], 1)
    return {**found, "cpu_ms": round(sum(used) * each, 1), "cpu_ms_of_the_service_itself": round(used[0] * each, 1)}


@contextmanager
def serving(index: Path, *options: str, checkout: Path = ROOT) -> Iterator[tuple[str, int]]:
    """Run the service; give its address and its process."""
    command = [
        sys.executable,
        "-m",
        "qa_search",
        "serve",
        "--index",
        str(index),
        "--port",
        "0",
        "--rate",
        "0",
        *options,
    ]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    with tempfile.NamedTemporaryFile("w+") as said:
        process = subprocess.Popen(command, cwd=checkout, env=environment, stderr=said)
        try:
            for _ in range(600):
                time.sleep(0.1)
                found = re.search(r"http://[^/\s]+", Path(said.name).read_text(encoding="utf-8"))
                if found and _is_ready(found[0]):
                    break
            else:
                raise RuntimeError(f"the service is not ready: {Path(said.name).read_text(encoding='utf-8')}")
            yield found[0], process.pid
        finally:
            process.terminate()
            process.wait(30)


def _is_ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz").status_code == 200
    except httpx2.HTTPError:
        return False


@contextmanager
def calling(url: str, complaints: list[str], callers: int, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Let callers ask, in a process of their own."""
    with tempfile.NamedTemporaryFile("w+", suffix=".json") as texts:
        json.dump(complaints, texts)
        texts.flush()
        program = [sys.executable, "-m", "benchmarks.serving", "--call", url, str(callers), str(seconds), texts.name]
        yield subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def under_load(url: str, process: int, complaints: list[str], callers: int, seconds: float) -> dict[str, Any]:
    """Let callers ask, and watch the server's memory meanwhile."""
    memory = Memory(process)
    with calling(url, complaints, callers, seconds) as asking:
        while asking.poll() is None:
            memory.take()
            time.sleep(_SAMPLE_SECONDS)
        found: dict[str, Any] = json.loads(asking.communicate()[0])
    quarter = max(len(memory.samples) // 4, 1)
    first, last = memory.samples[:quarter], memory.samples[-quarter:]
    return {**found, "memory_mb": {"first quarter": max(first), "last quarter": max(last), "most": max(memory.samples)}}


def with_a_rebuild(
    index: Path, archives: list[Path], folder: Path, complaints: list[str], seconds: float
) -> dict[str, Any]:
    """Build while eight callers ask, first what changed and then everything; the service must move to both."""
    edition = folder / "edition.jsonl"
    with serving(index, "--workers", "1") as (url, process):
        before = httpx2.get(f"{url}/readyz").json()["generation"]
        with calling(url, complaints, 8, seconds) as asking:
            time.sleep(seconds / 6)
            builds = []
            for number, how in ((2, ()), (3, ("--rebuild",))):
                edition.write_text(json.dumps({**_EDITION, "answer": f"Edition {number}."}), encoding="utf-8")
                started = time.perf_counter()
                command = [sys.executable, "-m", "qa_search", "build", *map(str, [*archives, edition]), "--quiet", *how]
                subprocess.run([*command, "--index", str(index)], cwd=ROOT, check=True)
                builds.append(round(time.perf_counter() - started, 1))
            still_asking = asking.poll() is None
            found: dict[str, Any] = json.loads(asking.communicate()[0])
        after = httpx2.get(f"{url}/readyz").json()["generation"]
        memory = Memory(process)
        memory.take()
    return {
        **found,
        "build_seconds": builds,
        "asked_until_the_end": still_asking,
        "generations": [before, after],
        "memory_mb": memory.samples[0],
    }


def complaints_of(archive: str) -> list[str]:
    """Return the judged complaints of an archive."""
    lines = (DATASETS / archive / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines]


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="How long each number of callers asks at a time.")
@click.option("--repeats", default=3, show_default=True, help="Rounds of the comparisons.")
@click.option("--workers", type=int, multiple=True, help="Only compare services with so many workers.")
@click.option("--index", type=click.Path(path_type=Path), help="An index of the archives that was built before.")
@click.option("--earlier", type=click.Path(path_type=Path), help="A checkout of an earlier version, with --workers.")
@click.option("--call", nargs=4, hidden=True, default=None, help="Be the callers: URL CALLERS SECONDS TEXTS.")
def main(
    seconds: float,
    repeats: int,
    workers: tuple[int, ...],
    index: Path | None,
    earlier: Path | None,
    call: tuple[str, str, str, str] | None,
) -> None:
    """Measure everything and write benchmarks/results/serving.json, or serving_workers.json with --workers."""
    if call is not None:
        url, callers, duration, texts = call
        complaints = json.loads(Path(texts).read_text(encoding="utf-8"))
        click.echo(json.dumps(Callers(url, complaints).ask(int(callers), float(duration))))
        return
    complaints = [text for name in ARCHIVES for text in complaints_of(name)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        edition = folder / "edition.jsonl"
        edition.write_text(json.dumps({**_EDITION, "answer": "Edition 1."}), encoding="utf-8")
        archives = [DATASETS / name / "corpus.jsonl" for name in ARCHIVES]
        if workers:
            place = index or folder / "index"
            if index is None:
                build_index([*archives, edition], place)
            with SearchIndex.open(place) as opened:
                size = {**opened.info().counts, "bytes": opened.info().bytes}
            places = [(str(count), ROOT, place) for count in workers]
            if earlier is not None:
                sources = [*map(str, archives), str(edition)]
                command = [
                    sys.executable,
                    "-m",
                    "qa_search",
                    "build",
                    *sources,
                    "--quiet",
                    "--index",
                    f"{folder}/earlier",
                ]
                subprocess.run(command, cwd=earlier, env={**os.environ, "PYTHONPATH": str(earlier)}, check=True)
                places.insert(0, ("", earlier, folder / "earlier"))
            compared = compare_services(places, complaints, repeats, seconds)
            if earlier is not None:
                compared[0]["commit"] = commit_of(earlier)
            saved = save("serving_workers", {"index": size, "compared": compared})
            click.echo(saved.read_text(encoding="utf-8"))
            return
        report = build_index([*archives, edition], folder / "index")
        results: dict[str, Any] = {"posts": report.posts, "passages": report.passages, "complaints": len(complaints)}
        with serving(folder / "index", "--workers", "1") as (url, process):
            results["load"] = [under_load(url, process, complaints, callers, seconds) for callers in (1, 8, 64)]
        together: list[dict[str, Any]] = []
        alone: list[dict[str, Any]] = []
        for _ in range(repeats):
            for found, options in ((together, ()), (alone, ("--max-batch", "1"))):
                with serving(folder / "index", "--workers", "1", *options) as (url, process):
                    found.append(under_load(url, process, complaints, 64, seconds / repeats))
        rates = [[run["per_second"] for run in runs] for runs in (together, alone)]
        results["batching"] = {
            "per_second": {"together": rates[0], "one by one": rates[1]},
            "median_ms": {
                "together": [run["median_ms"] for run in together],
                "one by one": [run["median_ms"] for run in alone],
            },
            "gain": round(statistics.median(rates[0]) / statistics.median(rates[1]), 2),
        }
        shutil.copytree(folder / "index", folder / "rebuilt")
        results["rebuild"] = with_a_rebuild(folder / "rebuilt", archives, folder, complaints, 4 * seconds)
    click.echo(save("serving", results).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
