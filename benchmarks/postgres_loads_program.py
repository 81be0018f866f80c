"""An index folder and the addresses of databases -> one load, or some searches, and what they took, as JSON."""

import json
import resource
import statistics
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from benchmarks.rebuilds_program import Cheap
from qa_search import SearchIndex
from qa_search.index.folder import IndexFolder
from qa_search.index.folder_stores import open_folder
from qa_search.index.postgres.load import PostgresWriter

_QUERIES = 100
_K = 10
sent: Counter[str] = Counter()


def load(index: Path, url: str, shards: list[str]) -> dict[str, Any]:
    """Load what a folder holds; return the seconds, and what was sent by COPY."""
    copy, write = psycopg.Copy.write_row, psycopg.copy.LibpqWriter.write

    def write_row(self: Any, row: Any) -> None:
        sent["rows"] += 1
        copy(self, row)

    def write_data(self: Any, data: Any) -> None:
        sent["bytes"] += len(data)
        write(self, data)

    setattr(psycopg.Copy, "write_row", write_row)  # noqa: B010 - a method of another's
    setattr(psycopg.copy.LibpqWriter, "write", write_data)  # noqa: B010
    folder = IndexFolder(index)
    generation = folder.current()
    started = time.perf_counter()
    writer = PostgresWriter(url, shards)
    with writer.writing():
        writer.load(
            generation.manifest, open_folder(generation.folder, generation.manifest, generation.file_names), None
        )
    taken = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "seconds": round(taken, 1),
        "client_cpu": round(used.ru_utime + used.ru_stime, 1),
        "sent_rows": sent["rows"],
        "sent_mb": round(sent["bytes"] / 1e6, 2),
    }


def ask(index: Path, url: str) -> dict[str, Any]:
    """Search for some texts; return the medians in milliseconds, and the recall of the vectors at ten."""
    texts = [f"my knee hurts since {number} days, stretching and rest did not help" for number in range(_QUERIES)]
    times: dict[str, list[float]] = {"search": [], "filtered": [], "vector": []}
    with SearchIndex.open(url, model=Cheap()) as opened, SearchIndex.open(index, model=Cheap()) as folder:
        stored: Any = folder.retriever.vectors
        exact = opened.embed(texts) @ np.concatenate(list(stored.blocks())).T
        found = []
        for number, vector in enumerate(opened.embed(texts)):
            for name, tags in (("search", []), ("filtered", ["knee"])):
                started = time.perf_counter()
                opened.search(texts[number], _K, tags=tags)
                times[name].append(time.perf_counter() - started)
            started = time.perf_counter()
            _, ids = opened.retriever.vectors.search(vector[None], _K)
            times["vector"].append(time.perf_counter() - started)
            found.append(ids[0])
        tenth = np.sort(exact, axis=1)[:, -_K, None]
        close = np.take_along_axis(exact, np.asarray(found), 1) >= tenth - 1e-3
    medians = {f"{name}_median_ms": round(1000 * statistics.median(taken), 1) for name, taken in times.items()}
    return {**medians, "recall_at_10": round(float(close.mean()), 4)}


if __name__ == "__main__":
    what, place, address, *others = sys.argv[1:]
    print(json.dumps(load(Path(place), address, others) if what == "load" else ask(Path(place), address)))
