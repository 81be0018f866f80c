"""Whole indexes of large archives: a question from the shell, searches in one process, memory, and adding 1,000 posts.

    python -m benchmarks.large_archive run REAL_INDEX COMPLAINTS [--posts 1900,19000,190000]

Each size is tried with the kind of vector index that a build chooses, and with exact search beside it.

Posts are put together, seeded, from the sentences of the sample archive. Splitting and embedding so many would take an
hour or more here: passages are cut at fixed places and their vectors are made from the real ones of REAL_INDEX (see
benchmarks/scaling.py). Everything else is what a build does, with the same writers; then real builds, with the real
model, add posts to it.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import click
import numpy as np

from benchmarks.scaling import made, stored_vectors
from devtools.environment import ROOT, save
from qa_search import SearchIndex, build_index
from qa_search.archives.read import read_archives
from qa_search.index.folder import IndexFolder
from qa_search.index.folder_stores import open_folder
from qa_search.index.manifest import CountsRecord
from qa_search.index.stores.inverted import InvertedStore
from qa_search.index.stores.inverted_writer import (
    InvertedWriter,
    Kind,
    choose_kind,
    choose_probes,
)
from qa_search.index.stores.lexical import LexicalWriter
from qa_search.index.stores.post_rows import KeyedPassage, content_hash, passage_key
from qa_search.index.stores.posts_writer import PostWriter
from qa_search.index.stores.records import FlatVectors, ListedVectors
from qa_search.index.stores.vectors import VectorWriter
from qa_search.types import Passage, Post
from qa_search.util.defaults import DEFAULT_MEMORY, DEFAULT_RECALL
from qa_search.util.sentences import split_sentences
from qa_search.util.terms import ENGLISH

_SEED = 11
_ADDED = 1000
_REPEATS = 7
_COMPLAINT = "back of my thigh has ached for months, PT did nothing"


def sentences() -> dict[str, list[str]]:
    """Return the sentences of the sample archive by side."""
    found: dict[str, list[str]] = {"title": [], "question": [], "answer": []}
    for post in read_archives([ROOT / "data" / "archive"]):
        if isinstance(post, Post):
            found["title"].append(post.title)
            for side in ("question", "answer"):
                text = getattr(post, side)
                found[side] += [text[start:end] for start, end in split_sentences(text)]
    return found


def records(count: int, first: int = 0) -> Iterator[dict[str, Any]]:
    """Make posts by their numbers, always the same ones."""
    known = sentences()
    for number in range(first, first + count):
        pick = random.Random(f"{_SEED}-{number}")  # noqa: S311 - an example, not a secret
        yield {
            "id": f"p{number}",
            "title": f"{pick.choice(known['title'])} ({number})",
            "question": " ".join(pick.sample(known["question"], pick.randint(4, 10))),
            "answer": " ".join(pick.sample(known["answer"], pick.randint(4, 12))),
            "date": f"{pick.randint(2005, 2020)}-{pick.randint(1, 12):02}-{pick.randint(1, 28):02}",
            "tags": [pick.choice(("knee", "hip", "shoulder", "back", "foot"))],
        }


def write_archive(path: Path, posts: Iterator[dict[str, Any]]) -> None:
    """Write posts as JSON Lines."""
    with path.open("w", encoding="utf-8") as stream:
        for record in posts:
            stream.write(json.dumps(record) + "\n")


def cut(post: Post) -> Iterator[KeyedPassage]:
    """Cut a post into passages: its title, and its sentences by four."""
    yield Passage("title", 0, len(post.title)), passage_key(post.title)
    for side in ("question", "answer"):
        text = getattr(post, side)
        spans = split_sentences(text)
        for at in range(0, len(spans), 4):
            start, end = spans[at][0], spans[min(at + 3, len(spans) - 1)][1]
            yield Passage(cast(Any, side), start, end), passage_key(text[start:end])


def seed(index: Path, archive: Path, real: np.ndarray[Any, Any], kind: Kind | None, memory: int) -> dict[str, float]:
    """Make the first generation, of the kind that a build chooses if none is named; return each part's seconds."""
    build_index(ROOT / "data" / "archive", index)
    folder = IndexFolder(index)
    manifest = folder.current().manifest
    taken: dict[str, float] = {}
    with folder.writing():
        partial = folder.start_generation()
        started = time.perf_counter()
        writer = PostWriter(partial)
        for post in read_archives([archive]):
            content = content_hash(cast(Post, post))
            number = writer.add(cast(Post, post), content)
            if number is not None:
                writer.add_passages(number, cut(cast(Post, post)))
        taken["posts"] = time.perf_counter() - started
        started = time.perf_counter()
        words = LexicalWriter(partial, ENGLISH)
        for number, text in writer.texts():
            words.add(number, text)
        words.close()
        taken["words"] = time.perf_counter() - started
        started = time.perf_counter()
        dimension = real.shape[1]
        kind = kind or choose_kind(writer.passages, dimension, memory)
        blocks = made(real, 0, writer.passages)
        record: FlatVectors | ListedVectors
        if kind == "flat":
            record = FlatVectors(kind)
            shards = VectorWriter(partial, dimension)
            for vectors in blocks:
                shards.add(vectors)
            shards.close()
        else:
            rows = InvertedWriter(partial, dimension, kind)
            for vectors in blocks:
                rows.add(np.full(len(vectors), -1), vectors)
            record = rows.close()
        taken["vectors"] = time.perf_counter() - started
        manifest = replace(
            manifest,
            lexical=manifest.lexical._replace(texts=writer.texts_id, chunks=()),
            counts=CountsRecord(writer.posts, writer.entries - writer.posts, writer.passages, 0, 0),
            vector_index=record,
        )
        started = time.perf_counter()
        writer.close()
        taken["posts"] += time.perf_counter() - started
        started = time.perf_counter()
        stores = open_folder(partial, manifest, [path.name for path in partial.iterdir()])
        if isinstance(stores.vectors, InvertedStore):
            manifest = replace(manifest, vector_index=choose_probes(stores.vectors, DEFAULT_RECALL))
        stores.posts.close()
        taken["measuring"] = time.perf_counter() - started
        started = time.perf_counter()
        folder.publish(partial, manifest)
        taken["publishing"] = time.perf_counter() - started
    return taken


def ask(index: Path, complaint: str, *, cold: bool = False) -> float:
    """Ask by the command, in a new process, its index out of the system's cache if ``cold``; return the seconds."""
    if cold:
        forget(index)
    started = time.perf_counter()
    command = [sys.executable, "-m", "qa_search", "query", "--json", "--index", str(index), complaint]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    taken = time.perf_counter() - started
    if done.returncode not in (0, 1):
        raise click.ClickException(done.stderr.decode())
    return taken


def forget(index: Path) -> None:
    """Have the system forget what it holds of an index's files: the next process reads them from the disk."""
    for path in files_of(index):
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def remember(index: Path) -> None:
    """Have the system hold all of an index's files."""
    for path in files_of(index):
        with path.open("rb", buffering=0) as stream:
            while stream.read(1 << 20):
                pass


def files_of(index: Path) -> list[Path]:
    """Return the files of an index."""
    return [path for path in index.rglob("*") if path.is_file()]


def questions(index: Path, small: Path, texts: list[str]) -> dict[str, dict[str, float]]:
    """Ask an index and, in turn, that of the sample archive; return the seconds, medians."""
    remember(index)
    asked = {"short": [_COMPLAINT] * _REPEATS, "long": texts[:_REPEATS]}
    found: dict[str, dict[str, float]] = {}
    for name, complaints in asked.items():
        rounds = [(ask(small, text), ask(index, text)) for text in complaints]
        medians = [statistics.median(times) for times in zip(*rounds, strict=True)]
        found[name] = dict(zip(("sample_archive", "warm"), medians, strict=True))
    for name, complaints in asked.items():
        found[name]["cold"] = statistics.median(ask(index, text, cold=True) for text in complaints)
    remember(index)
    return found


def searches(index: Path, complaints: list[str]) -> dict[str, Any]:
    """Search in this process, one complaint after the other, on one thread."""
    taken: dict[str, list[float]] = {"all": [], "year": [], "source": []}
    filters: dict[str, dict[str, Any]] = {
        "all": {}, "year": {"since": "2012-01", "until": "2012-01"}, "source": {"tags": ["knee"]},
    }  # fmt: skip
    with SearchIndex.open(index) as opened:
        opened.search(complaints[0])
        for name, filtered in filters.items():
            for complaint in complaints if name == "all" else complaints[:30]:
                started = time.perf_counter()
                opened.search(complaint, **filtered)
                taken[name].append(1000 * (time.perf_counter() - started))
    found: dict[str, Any] = {
        f"{name}_{what}": round(value, 1)
        for name, times in taken.items()
        for what, value in (("median_ms", statistics.median(times)), ("p99_ms", statistics.quantiles(times, n=100)[-1]))
    }
    return found | memory_now()


def memory_now() -> dict[str, int]:
    """Return what this process holds and has held. Not by getrusage, which counts the parent's memory, too."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
    labels = {"VmRSS": "resident_mb", "RssAnon": "anonymous_mb", "VmHWM": "peak_mb"}
    return {label: int(status[name].split()[0]) // 1024 for name, label in labels.items()}


def in_another_process(*arguments: str, threads: str = "1") -> dict[str, Any]:
    """Run a part of this in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.large_archive", *arguments]
    environment = {**os.environ, "QA_SEARCH_THREADS": threads}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def texts_of(complaints: Path) -> list[str]:
    """Read the complaints to ask."""
    return [json.loads(line)["text"] for line in complaints.read_text(encoding="utf-8").splitlines()][:100]


@click.group()
def main() -> None:
    """Measure a whole index of a large archive."""


@main.command("search")
@click.argument("index", type=click.Path(path_type=Path))
@click.argument("complaints", type=click.Path(path_type=Path))
def search_command(index: Path, complaints: Path) -> None:
    """Print what searches take."""
    click.echo(json.dumps(searches(index, texts_of(complaints))))


@main.command("build")
@click.argument("archives", nargs=-1, type=click.Path(path_type=Path))
@click.argument("index", type=click.Path(path_type=Path))
@click.option("--memory", default=DEFAULT_MEMORY)
def build_command(archives: tuple[Path, ...], index: Path, memory: int) -> None:
    """Build, and print what it took."""
    report = build_index(archives, index, memory=memory)
    click.echo(json.dumps({**report.to_dict(), **memory_now()}))


@main.command("run")
@click.argument("real_index", type=click.Path(exists=True, path_type=Path))
@click.argument("complaints", type=click.Path(exists=True, path_type=Path))
@click.option("--posts", default="1900,19000,190000", show_default=True)
@click.option("--memory", default=DEFAULT_MEMORY, show_default=True)
@click.option("--work", type=click.Path(path_type=Path), default=Path("large-work"), help="Where gigabytes may lie.")
def run_command(real_index: Path, complaints: Path, posts: str, memory: int, work: Path) -> None:
    """Make each index, search it, add posts to it."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    with SearchIndex.open(real_index) as opened:
        real = stored_vectors(opened)
    small = work / "small"
    build_index(ROOT / "data" / "archive", small)
    rows: list[dict[str, Any]] = []
    for size in map(int, posts.split(",")):
        archive, more = work / "archive.jsonl", work / "more.jsonl"
        write_archive(archive, records(size))
        write_archive(more, records(_ADDED, size))
        for kind in (None, "flat"):
            if kind and rows[-1]["vector_index"]["kind"] == kind:
                continue
            index = work / "index"
            row: dict[str, Any] = {"posts": size, "chosen": kind is None}
            row["seed_s"] = seed(index, archive, real, kind, memory)
            with SearchIndex.open(index) as opened:
                info = opened.info()
            row |= {"counts": info.counts, "vector_index": info.vector_index, "disk_mb": info.bytes / 1e6}
            row["one_shot_s"] = questions(index, small, texts_of(complaints))
            row["searches"] = in_another_process("search", str(index), str(complaints))
            if kind is None:
                for name, archives in (("unchanged", [archive]), ("added", [archive, more])):
                    report = in_another_process(
                        "build", *map(str, archives), str(index), f"--memory={memory}", threads="2"
                    )
                    report.pop("index")
                    row[name] = report
                row["one_shot_after_s"] = questions(index, small, texts_of(complaints))
            rows.append(row)
            click.echo(json.dumps(row))
            save("large_archive", {"rows": rows})
            shutil.rmtree(index)


if __name__ == "__main__":
    main()
