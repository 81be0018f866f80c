"""An index in PostgreSQL beside the same index in a folder: loading, disk, latency, recall, agreement.

    python -m benchmarks.postgres

Servers are real and on this machine, so they share its cores with whoever asks; nothing is on a network. The texts are
the real archives and complaints in ``../shared``. Latency is that of whole searches, the model's share included.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar, cast

import click
import numpy as np

from devtools.environment import ROOT, save
from devtools.postgres_servers import Server, debian_programs, running, wheel_programs
from qa_search import SearchIndex, build_index
from qa_search.embedders.base import Vectors
from qa_search.index.folder import IndexFolder
from qa_search.index.folder_stores import open_folder
from qa_search.index.manifest import ExportedEncoder
from qa_search.index.postgres.load import PostgresWriter

DATASETS = ROOT.parent / "shared" / "datasets"
ARCHIVES = ("doctor_forums", "beer_se", "semeval_qatar")
_K = 10
_FILTER = "*beer_se*"
# How far an inner product may be off in half precision: hits this close to the tenth are as good.
_PRECISION = 1e-3

T = TypeVar("T")


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
    encoder = folder.hold_encoder(cast(ExportedEncoder, generation.manifest.encoder))
    started = time.perf_counter()
    writer = PostgresWriter(url, shards)
    with writer.writing():
        stores = open_folder(generation.folder, generation.manifest, generation.file_names)
        writer.load(generation.manifest, stores, encoder)
    return time.perf_counter() - started


class Asked:
    """A store that is measured: what it found, and how long it took."""

    def __init__(self, index: SearchIndex) -> None:
        self.index = index
        self.times: dict[str, list[float]] = {"search": [], "filtered": [], "vector": []}
        self.hits: list[set[str]] = []
        self.found: list[list[int]] = []

    def ask(self, text: str, vector: Vectors, *, filtered: bool) -> None:
        """Ask a complaint, whole and by its vector alone."""
        self.hits.append({hit.post_id for hit in self._timed("search", lambda: self.index.search(text, _K)).hits})
        if filtered:
            self._timed("filtered", lambda: self.index.search(text, _K, source=_FILTER))
        search = self.index.retriever.vectors.search
        self.found.append(self._timed("vector", lambda: search(vector[None], _K))[1][0].tolist())

    def figures(self) -> dict[str, float]:
        """Return medians and 99th percentiles, in milliseconds."""
        found: dict[str, float] = {}
        for name, times in self.times.items():
            percentiles = statistics.quantiles(times, n=100)
            found |= {f"{name}_median_ms": _ms(percentiles[49]), f"{name}_p99_ms": _ms(percentiles[98])}
        return {**found, "mb": round(self.index.info().bytes / 1e6, 1)}

    def _timed(self, name: str, call: Callable[[], T]) -> T:
        started = time.perf_counter()
        result = call()
        self.times[name].append(time.perf_counter() - started)
        return result


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
    stores: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        asked = {"folder": Asked(stack.enter_context(SearchIndex.open(index_path)))}
        for kind in ("postgres", "two shards"):
            started = stack.enter_context(servers(kind))
            url, *shards = [server.url() for server in started]
            stores[kind] = {
                "server": str(started[0].execute("SHOW server_version")[0][0]),
                "load_seconds": round(load(index_path, url, shards), 1),
                "load_again_seconds": round(load(index_path, url, []), 1),
            }
            stores[kind]["pgvector"] = str(
                started[0].execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'")[0][0]
            )
            print(kind, stores[kind], flush=True)
            asked[kind] = Asked(stack.enter_context(SearchIndex.open(url)))
        folder = asked["folder"]
        vectors = folder.index.embed(texts)
        for store in asked.values():
            for text in texts[:5]:
                store.index.search(text, _K)
        # Side by side: what else the machine does meets all of them.
        for number, (text, vector) in enumerate(zip(texts, vectors, strict=True)):
            for store in asked.values():
                store.ask(text, vector, filtered=number % 4 == 0)
        stored: Any = folder.index.retriever.vectors
        similarity = vectors @ np.concatenate(list(stored.blocks())).T
        tenth = np.sort(similarity, axis=1)[:, -_K, None]
        for kind, store in asked.items():
            close = np.take_along_axis(similarity, np.asarray(store.found), 1) >= tenth - _PRECISION
            same = [len(one & other) / max(len(other), 1) for one, other in zip(store.hits, folder.hits, strict=True)]
            stores.setdefault(kind, {}).update(
                store.figures(), recall_at_10=round(float(close.mean()), 4), same_hits=round(float(np.mean(same)), 4)
            )
            print(kind, stores[kind], flush=True)
        counts = folder.index.info().counts
    results = {
        "queries": len(texts),
        "posts": counts["posts"],
        "passages": counts["passages"],
        "psycopg": version("psycopg"),
        "load_average": round(os.getloadavg()[1], 1),
        "stores": stores,
    }
    print(save("postgres", results))


if __name__ == "__main__":
    main()
