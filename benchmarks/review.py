"""How well ``qa-search review`` finds near-copies: planted copies, a quarter of the words of each replaced.

    python -m benchmarks.review [--workdir FOLDER]

Needs the judged archives in ``../shared/datasets``. Copies of posts are planted into each archive when this runs.
Thresholds are chosen for each archive on the other ones. A pair that was not planted counts as a false alarm, although
archives hold near-copies of their own: precision is at least what is reported.
"""

from __future__ import annotations

import json
import random
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from devtools.environment import ROOT, save
from qa_search import SearchIndex, build_index
from qa_search.review.duplicates import LEAST_CLOSENESS, LEAST_OVERLAP, NEIGHBOURS, overlap
from qa_search.review.review import PostTexts
from qa_search.review.vectors import near_pairs, read_directions

DATASETS = ROOT.parent / "shared" / "datasets"
ARCHIVES = ("beer_se", "covid_faq_de", "english_se_dup", "lfrqa_lifestyle", "rqe_chq_faq", "semeval_qatar")
COPIES = 200
MOST_COPIED = 5  # of so many posts, one is copied at most
REWORDED = 0.25
FIELDS = ("title", "question", "answer", "text")
OVERLAPS = tuple(np.round(np.arange(0.15, 0.6, 0.025), 3).tolist())
CLOSENESS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
_WORD = re.compile(r"\w+")
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pair that vectors propose: how close, how much text in common, and whether it was planted."""

    closeness: float
    overlap: float
    planted: bool


@dataclass(frozen=True, slots=True)
class Planted:
    """An archive with planted copies: how many, and all pairs that vectors propose."""

    copies: int
    candidates: list[Candidate]

    def measures(self, least_overlap: float, least_closeness: float) -> dict[str, float]:
        """Return precision, recall and F1 of the pairs above two thresholds."""
        found = [one for one in self.candidates if one.overlap >= least_overlap and one.closeness >= least_closeness]
        right = sum(one.planted for one in found)
        precision, recall = right / max(len(found), 1), right / self.copies
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        return {"precision": round(precision, 4), "recall": round(recall, 4), "F1": round(f1, 4)}


def reworded(text: str, vocabulary: Sequence[str], rng: random.Random) -> str:
    """Replace a quarter of the words of a text by other words of its archive."""
    words = list(_WORD.finditer(text))
    chosen = set(rng.sample(range(len(words)), round(REWORDED * len(words))))
    pieces, end = [], 0
    for number, word in enumerate(words):
        pieces += [text[end : word.start()], rng.choice(vocabulary) if number in chosen else word[0]]
        end = word.end()
    return "".join([*pieces, text[end:]])


def words_of(texts: Iterable[str]) -> list[str]:
    """Return all words of some texts, each as often as it occurs."""
    return [word for text in texts for word in _WORD.findall(text)]


def plant(records: Sequence[Record], rng: random.Random) -> tuple[list[Record], int]:
    """Return reworded copies of some records, with ids that name the original, and how many there are."""
    vocabulary = words_of(record.get(field) or "" for record in records for field in FIELDS)
    chosen = rng.sample(list(records), min(COPIES, len(records) // MOST_COPIED))
    copies = [
        {
            **record,
            **{field: reworded(record[field], vocabulary, rng) for field in FIELDS if record.get(field)},
            "id": f"copy of {record.get('id', record.get('_id'))}",
        }
        for record in chosen
    ]
    return copies, len(copies)


def measure(name: str, folder: Path) -> Planted:
    """Plant copies into an archive, build it, and compare the pairs that vectors propose."""
    lines = (DATASETS / name / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    copies, count = plant(records, random.Random(name))  # noqa: S311 - nothing secret
    corpus = folder / f"{name}.jsonl"
    corpus.write_text("".join(json.dumps(record) + "\n" for record in [*records, *copies]), encoding="utf-8")
    build_index(corpus, folder / name, keep_unanswered=True, allow_shrink=True)
    with SearchIndex.open(folder / name) as index:
        texts = PostTexts(index.retriever)
        close = near_pairs(read_directions(index.retriever, texts.count).wholes, NEIGHBOURS)
        names = index.retriever.posts.source_ids(range(texts.count))
        candidates = [
            Candidate(
                closeness, overlap(texts.shingles(one), texts.shingles(other)), _planted(names[one], names[other])
            )
            for (one, other), closeness in close.items()
        ]
    return Planted(count, candidates)


def _planted(one: Sequence[str], other: Sequence[str]) -> bool:
    return any(f"copy of {a}" == b or f"copy of {b}" == a for a in one for b in other)


def chosen_on(archives: Sequence[Planted]) -> tuple[float, float]:
    """Return the thresholds of overlap and closeness with the highest mean F1."""

    def mean_f1(pair: tuple[float, float]) -> float:
        return float(np.mean([archive.measures(*pair)["F1"] for archive in archives]))

    return max(((least, close) for least in OVERLAPS for close in CLOSENESS), key=mean_f1)


def held_out(planted: Mapping[str, Planted]) -> dict[str, Any]:
    """Measure each archive with thresholds that were chosen on the others."""
    found = {}
    for name, archive in planted.items():
        least, close = chosen_on([other for key, other in planted.items() if key != name])
        found[name] = {"copies": archive.copies, "overlap": least, "closeness": close, **archive.measures(least, close)}
        click.echo(f"{name}: {found[name]}")
    return found


@click.command()
@click.option("--workdir", type=click.Path(path_type=Path), help="Where indexes are built, to be used again.")
def main(workdir: Path | None) -> None:
    """Measure all archives."""
    if not DATASETS.is_dir():
        raise click.ClickException(f"{DATASETS}: the judged archives are not here")
    with tempfile.TemporaryDirectory() as scratch:
        planted = {name: measure(name, workdir or Path(scratch)) for name in ARCHIVES}
    results = held_out(planted)
    least, close = chosen_on(list(planted.values()))
    click.echo(f"chosen on all: overlap {least}, closeness {close}; in use: {LEAST_OVERLAP}, {LEAST_CLOSENESS}")
    save("review", {"chosen on the other archives": results, "chosen on all": {"overlap": least, "closeness": close}})


if __name__ == "__main__":
    main()
