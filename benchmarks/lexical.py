"""Which engine for words: tantivy, SQLite's FTS5 and bm25s on real complaints, with the same terms and weights.

    pip install bm25s && python -m benchmarks.lexical

Needs the judged archives in ``../shared/datasets``.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bm25s
import click
import numpy as np

from benchmarks.ranking import ARCHIVES, DATASETS
from devtools.environment import save
from qa_search.archives.read import read_archives
from qa_search.evaluation.dataset import load_dataset
from qa_search.evaluation.evaluate import measure_run
from qa_search.index.stores.lexical import LexicalStore, LexicalWriter
from qa_search.types import Post
from qa_search.util.terms import ENGLISH

FOUND = 1000
Search = Callable[[str], list[int]]


def tantivy_engine(texts: list[str], folder: Path) -> Search:
    """Ours."""
    writer = LexicalWriter(folder, ENGLISH)
    for number, text in enumerate(texts):
        writer.add(number, text)
    writer.close()
    store = LexicalStore(folder, len(texts))
    return lambda complaint: list(store.search(ENGLISH.query_weights(complaint), FOUND)[0].tolist())


def fts5_engine(texts: list[str], folder: Path) -> Search:
    """SQLite's; it cannot weigh terms, so each counts once."""
    database = sqlite3.connect(folder / "words.sqlite")
    database.execute("CREATE VIRTUAL TABLE words USING fts5 (terms, content='')")
    rows = ((number, " ".join(ENGLISH.terms_of(text))) for number, text in enumerate(texts))
    database.executemany("INSERT INTO words (rowid, terms) VALUES (?, ?)", rows)
    database.execute("INSERT INTO words (words) VALUES ('optimize')")
    database.commit()

    def search(complaint: str) -> list[int]:
        anything = " OR ".join(f'"{term}"' for term in ENGLISH.query_weights(complaint))
        query = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank LIMIT ?"
        return [row[0] for row in database.execute(query, (anything, FOUND))]

    return search


def bm25s_engine(texts: list[str], folder: Path) -> Search:
    """bm25s; a term counts as often as the complaint has it."""
    engine = bm25s.BM25(k1=1.2, b=0.75)
    engine.index([ENGLISH.terms_of(text) for text in texts], show_progress=False)
    count = min(FOUND, len(texts))
    return lambda complaint: list(
        engine.retrieve([ENGLISH.terms_of(complaint)], k=count, show_progress=False)[0][0].tolist()
    )


ENGINES = {"tantivy": tantivy_engine, "SQLite FTS5": fts5_engine, "bm25s": bm25s_engine}
IMPORTS = {"tantivy": "tantivy", "SQLite FTS5": "sqlite3", "bm25s": "bm25s"}


def import_seconds(module: str) -> float:
    """Return how much longer a Python process takes that imports a module: medians of seven."""

    def seconds(program: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], check=True)
        return time.perf_counter() - started

    pairs = [(seconds("import numpy"), seconds(f"import numpy, {module}")) for _ in range(7)]
    plain, importing = np.median(pairs, axis=0)
    return float(importing - plain)


def main() -> None:
    """Measure every engine on every archive."""
    if not DATASETS.is_dir():
        raise click.ClickException(f"{DATASETS}: the judged archives are not here")
    found: dict[str, Any] = {name: {"import_ms": round(1000 * import_seconds(IMPORTS[name]))} for name in ENGINES}
    for archive in ARCHIVES:
        dataset = load_dataset(DATASETS / archive)
        posts = [post for post in read_archives([dataset.folder / "corpus.jsonl"]) if isinstance(post, Post)]
        queries = dataset.answerable
        for name, make in ENGINES.items():
            with tempfile.TemporaryDirectory() as scratch:
                started = time.perf_counter()
                search = make([post.text for post in posts], Path(scratch))
                build = time.perf_counter() - started
                run, times = {}, []
                for query in queries:
                    started = time.perf_counter()
                    numbers = search(dataset.queries[query])
                    times.append(time.perf_counter() - started)
                    run[query] = [(posts[number].source_id, -float(rank)) for rank, number in enumerate(numbers[:100])]
            found[name][archive] = {
                "nDCG@10": round(float(measure_run(run, dataset.grades, queries)["nDCG@10"].mean()), 4),
                "median_ms": round(1000 * float(np.median(times)), 2),
                "p99_ms": round(1000 * float(np.quantile(times, 0.99)), 2),
                "build_seconds": round(build, 2),
            }
            click.echo(f"{archive} {name}: {found[name][archive]}")
    save("lexical", found)


if __name__ == "__main__":
    main()
