"""How fast: ours against the plain script and two peers, side by side in one run, several times over.

    make bench

Measured are whole processes (one question; builds), the rate of embedding against ``SentenceTransformer.encode``, and
questions to an index that stays open. The texts are the real archives in ``../shared`` where they are, else the sample
archive. Peers run in environments of their own under ``--peers FOLDER`` (made by ``make bench``).
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from devtools.environment import RESULTS, ROOT, save
from qa_search import SearchIndex
from qa_search.archives.read import read_archives
from qa_search.embedders.locate import locate_model
from qa_search.types import Post

DATASETS = ROOT.parent / "shared" / "datasets"
QUESTION = "back of my thigh has ached for months, PT did nothing"
PEERS = ("txtai", "chromadb")


def median(values: list[float]) -> float:
    """Return the median, rounded as far as such timings mean anything."""
    return round(statistics.median(values), 4)


def timed_process(command: list[str]) -> tuple[float, float]:
    """Run a program; return its seconds and its peak memory in MB."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command}: exit status {process.returncode}")
    return seconds, usage.ru_maxrss / 1024


def one_shot(folder: Path, peers: Path | None, repeats: int) -> dict[str, Any]:
    """One question, whole process, on the sample archive: systems in turn, several rounds."""
    posts = [post for post in read_archives([ROOT / "data" / "archive"]) if isinstance(post, Post) and post.answer]
    (folder / "texts.json").write_text(json.dumps([f"{post.title}\n{post.question}\n{post.answer}" for post in posts]))
    (folder / "model").symlink_to(locate_model().folder)
    index = folder / "index"
    subprocess.run([sys.executable, "-m", "qa_search", "build", "--quiet", "--index", str(index)], cwd=ROOT, check=True)
    script = str(ROOT / "benchmarks" / "peers.py")
    pythons = {"plain": sys.executable}
    for name in PEERS:
        if peers is not None and (peers / name / "bin" / "python").exists():
            pythons[name] = str(peers / name / "bin" / "python")
    for name, python in pythons.items():
        subprocess.run([python, script, name, "prepare", str(folder)], check=True, stdout=subprocess.DEVNULL)
    commands = {"qa_search": [str(Path(sys.executable).parent / "qa-search"), "query", "--index", str(index), QUESTION]}
    commands |= {name: [python, script, name, "query", str(folder), QUESTION] for name, python in pythons.items()}
    for command in commands.values():
        timed_process(command)  # once for the disk's cache
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            runs[name].append(timed_process(command))
    return {
        name: {"seconds": median([run[0] for run in found]), "peak_mb": median([run[1] for run in found])}
        for name, found in runs.items()
    }


def embedding_rate(index: Path, count: int, repeats: int) -> dict[str, Any]:
    """Embed the same passages by the index's encoder and by SentenceTransformer.encode in fp32, in turn."""
    from sentence_transformers import SentenceTransformer

    with SearchIndex.open(index) as opened:
        encoder = opened.embedder
        texts = [row[0] for row in opened.retriever.posts._all("SELECT answer FROM post WHERE answer != ''", "t")]
    texts = random.Random(0).sample(texts, min(count, len(texts)))  # noqa: S311 - reproducible on purpose
    model = SentenceTransformer(str(locate_model().folder), device="cpu")
    texts = [text for text in texts if encoder.count_tokens([text])[0] <= 254]
    ways: dict[str, Callable[[], Any]] = {
        "qa_search": lambda: encoder.embed_passages(texts),
        "sentence_transformers_fp32": lambda: model.encode(texts, normalize_embeddings=True, show_progress_bar=False),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - started)
    rates = {name: round(len(texts) / statistics.median(found), 1) for name, found in seconds.items()}
    ratios = [b / a for a, b in zip(seconds["qa_search"], seconds["sentence_transformers_fp32"], strict=True)]
    return {"passages": len(texts), "per_second": rates, "times_faster": round(statistics.median(ratios), 2)}


def builds(folder: Path, sources: list[Path], repeats: int) -> dict[str, Any]:
    """Build, build again with nothing changed, and with one post in a hundred changed: whole processes."""
    index = folder / "large"
    copies = []
    for number, source in enumerate(sources):
        copies.append(folder / f"source-{number}.jsonl")
        copies[-1].write_bytes(source.read_bytes())
    command = [sys.executable, "-m", "qa_search", "build", "--quiet", "--index", str(index), *map(str, copies)]
    first, first_peak = timed_process(command)
    unchanged = [timed_process(command)[0] for _ in range(repeats)]
    changed = []
    rng = random.Random(0)  # noqa: S311 - reproducible on purpose
    for round_number in range(repeats):
        for copy in copies:
            lines = copy.read_text(encoding="utf-8").splitlines()
            for line in rng.sample(range(len(lines)), max(len(lines) // 100, 1)):
                record = json.loads(lines[line])
                record["answer"] = f"Update {round_number}: {record['answer']}"
                lines[line] = json.dumps(record)
            copy.write_text("\n".join(lines) + "\n", encoding="utf-8")
        changed.append(timed_process(command)[0])
    return {
        "first_seconds": round(first, 2),
        "first_peak_mb": round(first_peak, 1),
        "unchanged_seconds": median(unchanged),
        "unchanged_share": round(statistics.median(unchanged) / first, 4),
        "one_percent_changed_seconds": median(changed),
        "one_percent_changed_share": round(statistics.median(changed) / first, 4),
    }


def warm(index: Path, complaints: list[str]) -> dict[str, Any]:
    """Ask an index that stays open: short and long complaints one by one, and all at once."""
    result: dict[str, Any] = {}
    short = [" ".join(text.split()[:30]) for text in complaints]
    # Complaints of one archive joined until they have 300 words: no two share one.
    words = " ".join(complaints).split()
    long = [" ".join(words[start : start + 300]) for start in range(0, len(words) - 300, 300)]
    for name, asked in (("30_words_ms", short), ("300_words_ms", long[:100])):
        with SearchIndex.open(index) as opened:
            opened.search(complaints[0])
            seconds = []
            for text in asked:
                started = time.perf_counter()
                opened.search(text)
                seconds.append((time.perf_counter() - started) * 1000)
        ordered = sorted(seconds)
        result[name] = {"median": median(seconds), "p99": round(ordered[int(len(ordered) * 0.99)], 2)}
    seconds = []
    for many in (False, True):
        with SearchIndex.open(index) as opened:
            opened.search(complaints[0])
            started = time.perf_counter()
            if many:
                opened.search_many(complaints)
            else:
                for text in complaints:
                    opened.search(text)
            seconds.append(time.perf_counter() - started)
    result["complaints"] = len(complaints)
    result["one_by_one_seconds"], result["search_many_seconds"] = (round(value, 2) for value in seconds)
    result["search_many_times_faster"] = round(seconds[0] / seconds[1], 2)
    return result


def table(results: dict[str, Any]) -> str:
    """Lay the results out as Markdown."""
    lines = ["# Speed\n", "Written by `make bench`; medians. One question, whole process, sample archive:\n"]
    lines += ["| system | seconds | peak MB |", "|---|---|---|"]
    for name, found in results["one_shot"].items():
        lines.append(f"| {name} | {found['seconds']:.3f} | {found['peak_mb']:.0f} |")
    for name in ("embedding_rate", "builds", "warm"):
        lines += ["", f"## {name.replace('_', ' ')}", "```", json.dumps(results[name], indent=1), "```"]
    return "\n".join(lines) + "\n"


def plot(results: dict[str, Any], path: Path) -> None:
    """Draw the one-shot times and memory."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    names = list(results["one_shot"])
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3))
    for axis, key, label in ((axes[0], "seconds", "seconds"), (axes[1], "peak_mb", "peak memory, MB")):
        values = [results["one_shot"][name][key] for name in names]
        axis.barh(names, values, color=["#2a7f62"] + ["#9aa5ab"] * (len(names) - 1))
        axis.bar_label(axis.containers[0], fmt="%.2f" if key == "seconds" else "%.0f", padding=3)
        axis.invert_yaxis()
        axis.set_xlabel(label)
        axis.margins(x=0.15)
    figure.suptitle("One question, whole process")
    figure.tight_layout()
    figure.savefig(path, dpi=120)


@click.command()
@click.option("--peers", type=click.Path(path_type=Path), help="A folder with an environment per peer.")
@click.option("--repeats", default=5, show_default=True)
def main(peers: Path | None, repeats: int) -> None:
    """Measure everything and write benchmarks/results/speed.json, speed.md and speed.png."""
    sources = [DATASETS / name / "corpus.jsonl" for name in ("doctor_forums", "beer_se")]
    queries = DATASETS / "doctor_forums" / "queries.jsonl"
    if not queries.exists():
        raise click.ClickException(f"{DATASETS}: the real archives that this measures on are not here")
    complaints = [json.loads(line)["text"] for line in queries.read_text(encoding="utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        results: dict[str, Any] = {"one_shot": one_shot(folder, peers, repeats)}
        click.echo(json.dumps(results["one_shot"]))
        results["builds"] = builds(folder, sources, repeats)
        click.echo(json.dumps(results["builds"]))
        results["embedding_rate"] = embedding_rate(folder / "large", 1500, repeats)
        click.echo(json.dumps(results["embedding_rate"]))
        results["warm"] = warm(folder / "large", complaints)
        click.echo(json.dumps(results["warm"]))
    save("speed", results)
    (RESULTS / "speed.md").write_text(table(results), encoding="utf-8")
    plot(results, RESULTS / "speed.png")


if __name__ == "__main__":
    main()
