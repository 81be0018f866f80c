"""What feedback does: half of the complaints of an archive are confirmed, the other half and rewordings are asked.

    python -m benchmarks.feedback [--workdir FOLDER]

Needs doctor_forums in ``../shared/datasets``. A complaint of the given half is confirmed for its best judged post. A
rewording replaces a quarter of the words by other words of the complaints. Then one client votes a hundred times
against what is right and for what is not.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.review import DATASETS, reworded, words_of
from devtools.environment import save
from qa_search import SearchIndex
from qa_search.evaluation.dataset import Dataset, load_dataset
from qa_search.evaluation.evaluate import RUN_DEPTH, dataset_index, measure_run, named_run
from qa_search.evaluation.statistics import Floats, bootstrap_interval, paired_p_value
from qa_search.search.feedback import ARCHIVIST
from qa_search.types import Post

ARCHIVE = "doctor_forums"
HOSTILE = 100


def gains(index: SearchIndex, dataset: Dataset, queries: Sequence[str], texts: Sequence[str]) -> Floats:
    """Return nDCG@10 of each query, asked as ``texts``."""
    ranked = index.run(texts, RUN_DEPTH)["default"]
    run = {query: named_run(found, dataset.grades[query]) for query, found in zip(queries, ranked, strict=True)}
    return measure_run(run, dataset.grades, list(queries))["nDCG@10"]


def write_votes(path: Path, votes: Sequence[tuple[str, str]], *, answered: bool, client: str) -> None:
    """Write votes on pairs of a complaint and a post's id."""
    lines = [{"query": query, "post": post, "answered": answered, "client": client} for query, post in votes]
    with path.open("a", encoding="utf-8") as stream:
        stream.writelines(json.dumps(line) + "\n" for line in lines)


def compared(before: Floats, after: Floats) -> dict[str, Any]:
    """Return the means, the interval of the difference and its p-value."""
    low, high = bootstrap_interval(after - before)
    return {
        "queries": len(before),
        "nDCG@10 before": round(float(before.mean()), 4),
        "nDCG@10 after": round(float(after.mean()), 4),
        "difference, 95 %": [round(low, 4), round(high, 4)],
        "p": round(paired_p_value(before, after), 4),
    }


def confirmed_pairs(index: SearchIndex, dataset: Dataset, queries: Sequence[str]) -> list[tuple[str, str]]:
    """Return each query with the id of its best judged post that the index has."""
    source = index.info().sources[0].source
    pairs = []
    for query in queries:
        grades: Mapping[str, int] = dataset.grades[query]
        best = max(grades, key=lambda name: grades[name])
        post_id = Post(source, best).post_id
        if index.post(post_id) is not None:
            pairs.append((dataset.queries[query], post_id))
    return pairs


def hostile_votes(right: Sequence[tuple[str, str]], path: Path) -> None:
    """Let one client vote against the right posts, and for those of other complaints."""
    against = right[: HOSTILE // 2]
    write_votes(path, against, answered=False, client="one")
    posts = [post for _, post in against]
    wrong = zip((query for query, _ in against), [*posts[1:], posts[0]], strict=True)
    write_votes(path, list(wrong), answered=True, client="one")


@click.command()
@click.option("--workdir", type=click.Path(path_type=Path), help="Where the index is built, to be used again.")
def main(workdir: Path | None) -> None:
    """Measure with and without feedback."""
    dataset = load_dataset(DATASETS / ARCHIVE)
    folder = dataset_index(dataset, workdir)
    queries = sorted(dataset.answerable)
    rng = random.Random(ARCHIVE)  # noqa: S311 - nothing secret
    rng.shuffle(queries)
    given, other = queries[::2], queries[1::2]
    vocabulary = words_of(dataset.queries[query] for query in queries)
    texts = {
        "the other half": (other, [dataset.queries[query] for query in other]),
        "rewordings of the given half": (given, [reworded(dataset.queries[query], vocabulary, rng) for query in given]),
    }
    with tempfile.TemporaryDirectory() as scratch:
        votes, hostile = Path(scratch, "feedback.jsonl"), Path(scratch, "hostile.jsonl")
        with SearchIndex.open(folder) as index:
            before = {name: gains(index, dataset, *asked) for name, asked in texts.items()}
            right = confirmed_pairs(index, dataset, given)
            write_votes(votes, right, answered=True, client=ARCHIVIST)
            hostile_votes(right, hostile)
        with SearchIndex.open(folder, feedback=votes) as index:
            after = {name: gains(index, dataset, *asked) for name, asked in texts.items()}
        with SearchIndex.open(folder, feedback=hostile) as index:
            attacked = {name: gains(index, dataset, *asked) for name, asked in texts.items()}
    results: dict[str, Any] = {name: compared(before[name], after[name]) for name in texts}
    changed = sum(int(np.count_nonzero(attacked[name] != before[name])) for name in texts)
    results["a hundred votes of one client"] = {"queries": sum(map(len, before.values())), "changed": changed}
    for name, row in results.items():
        click.echo(f"{name}: {row}")
    save("feedback", results)


if __name__ == "__main__":
    main()
