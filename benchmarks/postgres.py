"""An index in PostgreSQL beside the same index in a folder: loading, disk, latency, recall, agreement.

    python -m benchmarks.postgres

Servers are real and on this machine, so they share its cores with whoever asks; nothing is on a network. The texts are
the real archives and complaints in ``../shared``. Latency is that of whole searches, the model's share included.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.environment import ROOT, save
from qa_search import SearchIndex, build_index
from qa_search.embedders import Vectors
from qa_search.generations import IndexFolder
from qa_search.stores.base import open_folder
from qa_search.stores.postgres.load import PostgresWriter
from qa_search.types import SearchResult
from tests.postgres.servers import Server, debian_programs, running, wheel_programs

DATASETS = ROOT.parent / "shared" / "datasets"
ARCHIVES = ("doctor_forums", "beer_se", "semeval_qatar")
_K = 10


def complaints(count: int) -> list[str]:
    """Judged complaints, from each archive in turn."""
    found = []
    for name in ARCHIVES:
        lines = (DATASETS / name / "queries.jsonl").read_text(encoding="utf-8").splitlines()
        found.append([json.loads(line)["text"] for line in lines[:count]])
    return [text for some in zip(*found, strict=False) for text in some][:count]


@contextmanager
def servers(kind: str) -> Iterator[list[Server]]:
    """Start what a kind of store needs: a server, or a coordinator and two shards."""
    programs = wheel_programs() if kind == "postgres" else debian_programs()
    if programs is None:
        raise click.ClickException(f"{kind}: no PostgreSQL here; see docs/postgresql.md")
    with ExitStack() as stack:
        yield [stack.enter_context(running(programs)) for _ in range(3 if kind == "two shards" else 1)]


def load(index: Path, url: str, shards: Sequence[str]) -> float:
    """Load what a folder holds into a database; return the seconds it took."""
    folder = IndexFolder(index)
    generation = folder.current()
    encoder = folder.hold_encoder(generation.manifest["encoder"])
    started = time.perf_counter()
    writer = PostgresWriter(url, shards)
    with writer.writing():
        writer.load(generation.manifest, open_folder(generation.folder, generation.manifest), encoder)
    return time.perf_counter() - started


def measure(
    index: SearchIndex, texts: Sequence[str], vectors: Vectors
) -> tuple[dict[str, Any], Any, list[SearchResult]]:
    """Ask every complaint; return the figures, the passages found by vectors alone, and the results."""
    for text in texts[:10]:
        index.search(text, _K)
    taken, results = [], []
    for text in texts:
        started = time.perf_counter()
        results.append(index.search(text, _K))
        taken.append(time.perf_counter() - started)
    filtered = []
    for text in texts[: len(texts) // 4]:
        started = time.perf_counter()
        index.search(text, _K, source="*beer_se*")
        filtered.append(time.perf_counter() - started)
    by_vector = []
    found = []
    for vector in vectors:
        started = time.perf_counter()
        found.append(index.retriever.vectors.search(vector[None], _K)[1][0])
        by_vector.append(time.perf_counter() - started)
    percentiles = statistics.quantiles(taken, n=100)
    figures = {
        "search_median_ms": _ms(percentiles[49]),
        "search_p99_ms": _ms(percentiles[98]),
        "filtered_median_ms": _ms(statistics.median(filtered)),
        "vector_median_ms": _ms(statistics.median(by_vector)),
        "mb": round(index.info().bytes / 1e6, 1),
    }
    return figures, np.asarray(found), results


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


@click.command()
@click.option("--index", "index_path", type=click.Path(path_type=Path), default=ROOT / "index-postgres")
@click.option("--queries", default=200, help="How many complaints.")
def main(index_path: Path, queries: int) -> None:
    """Measure all stores on one index, built first unless it is there."""
    sources = [str(DATASETS / name / "corpus.jsonl") for name in ARCHIVES]
    if not (index_path / "CURRENT").exists():
        build_index([*sources, ROOT / "data" / "archive"], index_path, keep_unanswered=True)
    texts = complaints(queries)
    results: dict[str, Any] = {"queries": len(texts), "psycopg": version("psycopg"), "stores": {}}
    with SearchIndex.open(index_path) as opened:
        counts = opened.info().counts
        results |= {"posts": counts["posts"], "passages": counts["passages"]}
        vectors = opened.embed(texts)
        figures, exact, expected = measure(opened, texts, vectors)
        results["stores"]["folder"] = figures
        stored: Any = opened.retriever.vectors
        everything = np.concatenate(list(stored.blocks()))
    print("folder", figures, flush=True)
    for kind in ("postgres", "two shards"):
        with servers(kind) as started:
            url, *shards = [server.url() for server in started]
            seconds = load(index_path, url, shards)
            again = load(index_path, url, [])
            with SearchIndex.open(url) as other:
                figures, found, answered = measure(other, texts, vectors)
            tenth = np.sort(vectors @ everything.T, axis=1)[:, -_K]
            kept = np.take_along_axis(vectors @ everything.T, found, 1) >= tenth[:, None] - 1e-3
            same = [
                len({hit.post_id for hit in one.hits} & {hit.post_id for hit in two.hits}) / max(len(two.hits), 1)
                for one, two in zip(answered, expected, strict=True)
            ]
            results["stores"][kind] = {
                "server": str(started[0].execute("SHOW server_version")[0][0]),
                "pgvector": str(
                    started[0].execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'")[0][0]
                ),
                "load_seconds": round(seconds, 1),
                "load_again_seconds": round(again, 1),
                **figures,
                "recall_at_10": round(float(kept.mean()), 4),
                "recall_at_10_strict": round(
                    float(np.mean([len(set(a) & set(b)) / _K for a, b in zip(found, exact, strict=True)])), 4
                ),
                "same_hits_at_10": round(float(np.mean(same)), 4),
            }
            print(kind, results["stores"][kind], flush=True)
    print(save("postgres", results))


if __name__ == "__main__":
    main()
