"""How vector search grows with the archive, side by side with exact search.

    python -m benchmarks.scaling INDEX COMPLAINTS [--sizes real,10000,100000,1000000]

INDEX is an index of real passages. Real vectors are few; more are made from them by a rule that is stated here and
seeded: a real vector, plus half the difference of two other real ones, cut to unit length. Differences of real vectors
spread as real vectors do, and half of one leaves a made vector about as close to its origin (cosine .85) as real
neighbours are to one another; how close made ones lie to their neighbours is measured too, beside the real.

The size ``real`` stands for the real vectors themselves; only what is added to them is made.

COMPLAINTS is a file of JSON Lines with a ``text`` each. They are embedded by the index's own encoder, and nothing was
ever tuned on them: how many lists are looked at is set by the archive's own vectors, as in a build.

Everything is measured in a process of its own, on one thread (QA_SEARCH_THREADS=1) but for building.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import click
import numpy as np
import numpy.typing as npt

from devtools.environment import ROOT, save
from devtools.manifests import make_manifest
from qa_search import SearchIndex
from qa_search.index.generation import Generation
from qa_search.index.integrity import file_record
from qa_search.index.manifest import (
    CountsRecord,
    FolderManifest,
    ModelRecord,
    dump_record,
)
from qa_search.index.stores.inverted import InvertedStore, open_vectors
from qa_search.index.stores.inverted_writer import LISTS, InvertedWriter, Kind, ListKind, choose_kind, choose_probes
from qa_search.index.stores.records import FlatVectors, ListedVectors
from qa_search.index.stores.vectors import VectorStore, VectorWriter
from qa_search.util.defaults import DEFAULT_RECALL

_BLOCK = 16_384
_SPREAD = 0.5
_SEED = 7
_ADDED = 7000  # the passages of about 1,000 posts
_REPEATS = 5
_SLOW = 0.1  # seconds; what takes longer is not asked as often
Array = npt.NDArray[np.float32]


def stored_vectors(opened: SearchIndex) -> Array:
    """Return all vectors of an index in a folder."""
    generation = opened.generation
    return np.concatenate(
        list(open_listed(Path(generation.folder), cast(FolderManifest, generation.manifest)).blocks())
    )


def made(real: Array, start: int, end: int) -> Iterator[Array]:
    """Yield made vectors by their numbers, a block at a time, always the same ones."""
    for block in range(start // _BLOCK, -(-end // _BLOCK)):
        generator = np.random.default_rng([_SEED, block])
        origin, plus, minus = generator.integers(0, len(real), (3, _BLOCK))
        vectors = real[origin] + _SPREAD * (real[plus] - real[minus])
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        first = block * _BLOCK
        yield vectors[max(start - first, 0) : end - first]


@dataclass(frozen=True)
class Vectors:
    """The vectors that are measured: ``plain`` real ones as they are, then made ones."""

    real: Array
    plain: int = 0

    @property
    def dimension(self) -> int:
        """Values in a vector."""
        return int(self.real.shape[1])

    def blocks(self, start: int, end: int) -> Iterator[Array]:
        """Yield vectors by their numbers, a block at a time."""
        for first in range(start, min(end, self.plain), _BLOCK):
            yield self.real[first : min(first + _BLOCK, end, self.plain)]
        yield from made(self.real, max(start, self.plain), end)


def nearness(real: Array, count: int) -> dict[str, float]:
    """Say how close vectors lie to their closest and tenth neighbour, in the median: made ones and real ones."""
    generator = np.random.default_rng(_SEED)
    found: dict[str, float] = {}
    for name, vectors in (("real", real), ("made", np.concatenate(list(made(real, 0, count))))):
        rows = generator.choice(len(vectors), 200, replace=False)
        scores = -np.sort(-(vectors[rows] @ vectors.T), axis=1)
        found |= {f"{name}_{n}": round(float(np.median(scores[:, n])), 3) for n in (1, 10)}
    return found


def open_listed(folder: Path, manifest: FolderManifest) -> VectorStore:
    """Open the vectors that a manifest lists."""
    return open_vectors(
        folder, manifest.files, manifest.vector_index, manifest.model.dimension, manifest.counts.passages
    )


def build(source: Vectors, folder: Path, count: int, kind: Kind, recall: float) -> tuple[FolderManifest, float, float]:
    """Write so many vectors as a build does; return the manifest, the seconds, and those of them for measuring."""
    dimension = source.dimension
    folder.mkdir(parents=True)
    started = time.perf_counter()
    record: FlatVectors | ListedVectors
    if kind == "flat":
        record = FlatVectors(kind)
        shards = VectorWriter(folder, dimension)
        for vectors in source.blocks(0, count):
            shards.add(vectors)
        shards.close()
    else:
        rows = InvertedWriter(folder, dimension, kind)
        for vectors in source.blocks(0, count):
            rows.add(np.full(len(vectors), -1), vectors)
        record = rows.close()
    manifest = manifest_of(folder, dimension, count, record)
    measured = time.perf_counter()
    if kind != "flat":
        store = cast(InvertedStore, open_listed(folder, manifest))
        manifest = replace(manifest, vector_index=choose_probes(store, recall))
    now = time.perf_counter()
    return manifest, now - started, now - measured


def manifest_of(folder: Path, dimension: int, count: int, record: FlatVectors | ListedVectors) -> FolderManifest:
    """Return the manifest of the vectors in a folder."""
    return make_manifest(
        files={path.name: file_record(path) for path in sorted(folder.iterdir())},
        model=ModelRecord("made", "0" * 64, "", dimension, None),
        counts=CountsRecord(posts=count, duplicates=0, passages=count, set_aside=0, unanswered=0),
        vector_index=record,
    )


def add(source: Vectors, folder: Path, manifest: FolderManifest, count: int) -> float:
    """Write the same vectors and some more into another folder, as the build that follows does; return the seconds."""
    more = folder.with_name("more")
    more.mkdir()
    dimension = source.dimension
    started = time.perf_counter()
    previous = open_listed(folder, manifest)
    if isinstance(previous, InvertedStore):
        rows = InvertedWriter(
            more, dimension, cast(ListKind, previous.record.kind), (Generation(folder, manifest), previous)
        )
        for start in range(0, count, _BLOCK):
            rows.add(previous.rows_of(np.arange(start, min(start + _BLOCK, count))), np.empty((0, dimension), "f4"))
        for vectors in source.blocks(count, count + _ADDED):
            rows.add(np.full(len(vectors), -1), vectors)
        rows.close()
    else:
        shards = VectorWriter(more, dimension)
        for vectors in previous.blocks():
            shards.add(vectors)
        for vectors in source.blocks(count, count + _ADDED):
            shards.add(vectors)
        shards.close()
    seconds = time.perf_counter() - started
    shutil.rmtree(more)
    return seconds


def search(folder: Path, manifest: FolderManifest, queries: Array) -> dict[str, Any]:
    """Open a store and search it; meant for a process of its own."""
    started = time.perf_counter()
    store = open_listed(folder, manifest)
    store.search(queries[:1], 10)
    first = time.perf_counter() - started
    found: dict[str, Any] = {"opening_and_first_ms": 1000 * first}
    for k in (10, 100):
        taken = []
        for _ in range(_REPEATS if first < _SLOW else 1):
            for query in queries:
                started = time.perf_counter()
                store.search(query[None], k)
                taken.append(1000 * (time.perf_counter() - started))
        found |= {f"median_ms_{k}": statistics.median(taken), f"p99_ms_{k}": statistics.quantiles(taken, n=100)[-1]}
    found["numbers"] = [store.search(query[None], 10)[1][0].tolist() for query in queries]
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    for name, label in (("VmRSS", "resident_mb"), ("RssAnon", "anonymous_mb")):
        found[label] = int(status[name].split()[0]) // 1024
    return found


def exact_bounds(source: Vectors, count: int, queries: Array) -> tuple[Array, npt.NDArray[np.int64]]:
    """Return the ten highest scores of each query among so many vectors, and whose they are."""
    scores, numbers = np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
    at = 0
    for vectors in source.blocks(0, count):
        scores = np.concatenate([scores, queries @ vectors.T], axis=1)
        numbers = np.concatenate(
            [numbers, np.broadcast_to(np.arange(at, at + len(vectors)), (len(queries), len(vectors)))], 1
        )
        best = np.argsort(-scores, axis=1)[:, :10]
        scores, numbers = np.take_along_axis(scores, best, 1), np.take_along_axis(numbers, best, 1)
        at += len(vectors)
    return scores, numbers


def in_another_process(folder: Path, work: Path) -> dict[str, Any]:
    """Run `search` in a process of its own, with cold files in it and warm ones in the system's cache."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scaling_search", str(folder), str(work)],
        cwd=ROOT, capture_output=True, text=True, check=True, env={**os.environ, "QA_SEARCH_THREADS": "1"},
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@click.command()
@click.argument("index", type=click.Path(exists=True, path_type=Path))
@click.argument("complaints", type=click.Path(exists=True, path_type=Path))
@click.option("--sizes", default="real,10000,100000,1000000", show_default=True)
@click.option("--memory", default=1_000_000_000, show_default=True)
@click.option("--work", type=click.Path(path_type=Path), default=Path("scaling-work"), help="Where gigabytes may lie.")
@click.option("--name", default="scaling", show_default=True, help="Of the file of results.")
@click.option("--flat-up-to", default=1_000_000, show_default=True, help="Largest size that is searched exactly too.")
def main(index: Path, complaints: Path, sizes: str, memory: int, work: Path, name: str, flat_up_to: int) -> None:
    """Measure each size with each kind of index."""
    with SearchIndex.open(index) as opened:
        texts = [json.loads(line)["text"] for line in complaints.read_text(encoding="utf-8").splitlines()][:200]
        queries = opened.embed(texts)
        real = stored_vectors(opened)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    np.save(work / "queries.npy", queries)
    results: dict[str, Any] = {
        "real_vectors": len(real),
        "complaints": len(queries),
        "nearness": nearness(real, 100_000),
    }
    click.echo(json.dumps(results))
    rows = []
    for wanted in sizes.split(","):
        plain = wanted == "real"
        source = Vectors(real, len(real) if plain else 0)
        size = len(real) if plain else int(wanted)
        bounds, _ = exact_bounds(source, size, queries)
        chosen = choose_kind(size, source.dimension, memory)
        kinds: list[Kind] = ["flat"] if size <= flat_up_to else []
        every = plain or 100_000 <= size <= 1_000_000
        kinds += [kind for kind in LISTS if every or kind == chosen]
        for kind in kinds:
            folder = work / f"{kind}-{size}"
            manifest, seconds, measuring = build(source, folder, size, kind, DEFAULT_RECALL)
            (folder / "manifest.json").write_text(json.dumps(manifest.dump()), encoding="utf-8")
            adding = add(source, folder, manifest, size)
            found = in_another_process(folder, work)
            numbers = found.pop("numbers")
            hits = 0
            with_scores = open_listed(folder, manifest)
            for query, bound, answer in zip(queries, bounds, numbers, strict=True):
                scores = with_scores.reconstruct(np.asarray(answer, np.int64)) @ query
                hits += int(np.count_nonzero(scores >= bound[-1] - 1e-6))
            record = dump_record(manifest.vector_index)
            size_mb = manifest.own_bytes / 1e6
            row = {
                "passages": size, "vectors": "real" if plain else "made", "kind": kind, "chosen": kind == chosen,
                "build_s": seconds, "measuring_s": measuring, "disk_mb": size_mb,
                "lists": record.get("lists"), "probes": record.get("probes"), "recall_own": record.get("recall"),
                "recall_complaints": hits / (10 * len(queries)),
                "add_s": adding, "add_share": adding / seconds,
                **found,
            }  # fmt: skip
            rows.append({key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()})
            click.echo(json.dumps(rows[-1]))
            shutil.rmtree(folder)
            results["rows"] = rows
            save(name, results)


if __name__ == "__main__":
    main()
