"""What reading a very long complaint in part costs: nDCG@10 with all of it embedded, and with what says most.

    python -m benchmarks.very_long [--workdir FOLDER]

Each query is made of complaints of one archive, one after the other until they are longer than what is read; the posts
of all of them count. Needs the judged archives in ``../shared/datasets``.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import numpy as np

from devtools.environment import ROOT, save
from qa_search import SearchIndex
from qa_search.embedders.shortening import MOST_READ
from qa_search.evaluation.dataset import Dataset, load_dataset
from qa_search.evaluation.evaluate import dataset_index
from qa_search.evaluation.tuning import judged_cases
from qa_search.search.fusion import DEFAULT_WEIGHTS, weighted

DATASETS = ROOT.parent / "shared" / "datasets"
ARCHIVES = ("beer_se", "doctor_forums", "semeval_qatar")
COUNT = 8
LENGTH = MOST_READ * 14 // 10  # bytes


def joined(dataset: Dataset) -> Dataset:
    """Make long queries of a judged set's complaints."""
    generator = random.Random(5)  # noqa: S311 - reproducible on purpose
    queries: dict[str, str] = {}
    grades: dict[str, dict[str, int]] = {}
    for number in range(COUNT):
        text, own = "", dict[str, int]()
        while len(text.encode()) < LENGTH:
            query = generator.choice(dataset.answerable)
            text = f"{text} {dataset.queries[query]}"
            own |= {post: max(grade, own.get(post, 0)) for post, grade in dataset.grades[query].items()}
        queries[str(number)], grades[str(number)] = text.strip(), own
    return Dataset(dataset.name, dataset.folder, queries, grades)


def quality(index: SearchIndex, dataset: Dataset) -> float:
    """Return the mean nDCG@10."""
    fusion = weighted(DEFAULT_WEIGHTS)
    return round(float(np.mean([case.ndcg(fusion) for case in judged_cases(index, dataset)])), 4)


@click.command()
@click.option("--workdir", type=click.Path(path_type=Path), help="Where indexes are kept between runs.")
def main(workdir: Path | None) -> None:
    """Measure both on three archives, and write benchmarks/results/very_long.json."""
    results: dict[str, Any] = {"queries": COUNT, "bytes": LENGTH}
    with tempfile.TemporaryDirectory() as scratch:
        for name in ARCHIVES:
            dataset = load_dataset(DATASETS / name)
            with SearchIndex.open(dataset_index(dataset, (workdir or Path(scratch)) / name)) as index:
                long = joined(dataset)
                with patch("qa_search.embedders.queries.shortened", lambda text, *_: text):
                    whole = quality(index, long)
                results[name] = {"whole": whole, "in part": quality(index, long)}
            click.echo(f"{name}: {results[name]}")
    save("very_long", results)


if __name__ == "__main__":
    main()
