"""Gaps of the judged archives: planted groups of unanswerable complaints, found among answerable ones.

    python -m benchmarks.gaps [--workdir FOLDER]

Needs the judged archives in ``../shared/datasets``. Each English archive is asked its own answerable complaints, 600 at
most, and 30 groups of five wordings that no archive of these answers (benchmarks/planted_gaps.json, written for this).
The number of spreads that makes two complaints one matter is chosen on the other archives, and measured on the one that
was left out. The same is done with vectors that all lean one way, as those of other models do: cosines of .8 to 1.
Writes benchmarks/results/gaps.json and the table in docs/gaps.md.
"""

from __future__ import annotations

import hashlib
import json
import random
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.confidence import ARCHIVES, DATASETS
from devtools.environment import ROOT, save
from qa_search import SearchIndex, build_index
from qa_search.embedders.base import Vectors
from qa_search.evaluation.dataset import load_dataset
from qa_search.evaluation.evaluate import dataset_index
from qa_search.index.manifest import dump_record
from qa_search.insights.gaps import LEAST
from qa_search.insights.grouping import SAMPLE, SPREADS, Scale, grouped, sample_of

PLANTED = ROOT / "benchmarks" / "planted_gaps.json"
PAGE = ROOT / "docs" / "gaps.md"
START, END = "<!-- gaps: python -m benchmarks.gaps -->\n", "<!-- end of gaps -->"
MOST = 600
GRID = np.arange(2, 5.01, 0.25)
# How far the vectors are pushed in one direction: all cosines are then above 1 / (1 + 1 / LEAN^2).
LEAN = 2.0
_BLOCK = 64
Group = str | None


@dataclass(frozen=True)
class Asked:
    """What an archive said: the group of each complaint (None: answerable), whether it was answered, its vector."""

    groups: Sequence[Group]
    answered: np.ndarray[Any, Any]
    vectors: Vectors
    stored: Vectors

    def leaning(self) -> Asked:
        """Return the same, as a model would give it whose vectors all have a large part in common."""
        direction = np.random.default_rng(5).standard_normal(self.vectors.shape[1])
        common = (LEAN * direction / np.linalg.norm(direction)).astype(np.float32)
        return Asked(self.groups, self.answered, _unit(self.vectors + common), _unit(self.stored + common))


def _unit(vectors: Vectors) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def ask(name: str, workdir: Path) -> Asked:
    """Ask an archive all complaints, or take what it said last time if index, complaints and search are the same."""
    dataset = load_dataset(ROOT / "data" / "judged" if name == "sample" else DATASETS / name)
    if name == "sample":
        path = workdir / name
        build_index(ROOT / "data" / "archive", path)
    else:
        path = dataset_index(dataset, workdir / name)
    planted = json.loads(PLANTED.read_text(encoding="utf-8"))
    answerable = sorted(random.Random(3).sample(dataset.answerable, min(MOST, len(dataset.answerable))))  # noqa: S311
    texts = [text for wordings in planted.values() for text in wordings]
    groups: list[Group] = [group for group, wordings in planted.items() for _ in wordings]
    texts += [dataset.queries[query] for query in answerable]
    groups += [None] * len(answerable)
    code = b"".join(file.read_bytes() for file in sorted((ROOT / "qa_search" / "search").glob("*.py")))
    with SearchIndex.open(path) as index:
        manifest = index.generation.manifest
        held = {name: dump_record(getattr(manifest, name)) for name in ("lexical", "vectors", "confidence")}
        key = hashlib.sha256(code + json.dumps([texts, held]).encode()).hexdigest()[:12]
        kept = workdir / f"gaps-{name}-{key}.npz"
        if not kept.exists():
            blocks = [texts[at : at + _BLOCK] for at in range(0, len(texts), _BLOCK)]
            answered = [result.answered for block in blocks for result in index.search_many(block, k=1)]
            np.savez(kept, answered=answered, vectors=np.concatenate([index.embed(block) for block in blocks]))
        with np.load(kept) as said:
            return Asked(groups, said["answered"], said["vectors"], sample_of(index.retriever.vectors, SAMPLE))


def measure(asked: Asked, spreads: float) -> dict[str, float]:
    """Group what was not answered, and compare the groups with those that were planted.

    A planted group is found if a gap has at least `LEAST` of its wordings and more of them than of anything else; a gap
    that finds none is a false alarm. Purity is the mean share of a gap that is of one planted group.
    """
    rows = np.flatnonzero(~asked.answered)
    scale = Scale.of(asked.stored)
    gaps = [
        Counter(asked.groups[rows[row]] for row in group)
        for group in grouped(scale.similarities(asked.vectors[rows]), scale.threshold(spreads))
        if len(group) >= LEAST
    ]
    found, pure, right = set(), [], 0
    for gap in gaps:
        size = sum(gap.values())
        group, count = max(
            ((name, count) for name, count in gap.items() if name), key=lambda one: one[1], default=("", 0)
        )
        pure.append(count / size)
        if count >= LEAST and count > size / 2:
            found.add(group)
            right += 1
    planted = {group for group in asked.groups if group}
    in_gaps = sum(sum(gap.values()) for gap in gaps)
    of_planted = in_gaps - sum(gap[None] for gap in gaps)
    precision, recall = right / max(len(gaps), 1), len(found) / len(planted)
    return {
        "gaps": len(gaps),
        "found": len(found),
        "false alarms": len(gaps) - right,
        "purity": float(np.mean(pure)) if pure else 0.0,
        "precision": precision,
        "recall": recall,
        "F1": 2 * precision * recall / max(precision + recall, 1e-9),
        "complaints precision": of_planted / max(in_gaps, 1),
        "complaints recall": of_planted / sum(group is not None for group in asked.groups),
    }


def choose(asked: Mapping[str, Asked]) -> float:
    """Return the number of spreads with the best mean F1 on some archives; of several, the middle."""
    means = np.asarray([np.mean([measure(one, spreads)["F1"] for one in asked.values()]) for spreads in GRID])
    return float(np.median(GRID[means >= means.max() - 1e-9]))


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Write the rows in Markdown."""
    lines = [
        "| archive | answerable asked | refused | planted refused | spreads | gaps | groups found of 30 | false alarms "
        "| purity | precision | recall | leaning: precision, recall |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        here, lean = row["measured"], row["leaning"]
        cells = [
            name,
            row["answerable"],
            *(f"{row[kind]:.3f}" for kind in ("refused", "planted refused")),
            f"{row['spreads']:g}",
            *(here[count] for count in ("gaps", "found", "false alarms")),
            *(f"{here[share]:.3f}" for share in ("purity", "precision", "recall")),
            f"{lean['precision']:.3f}, {lean['recall']:.3f}",
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


@click.command()
@click.option("--workdir", type=click.Path(path_type=Path), help="Where indexes and answers are kept between runs.")
def main(workdir: Path | None) -> None:
    """Measure everything."""
    names = [name for name, (_, language) in ARCHIVES.items() if language == "en"]
    with tempfile.TemporaryDirectory() as scratch:
        asked = {name: ask(name, workdir or Path(scratch)) for name in names}
    rows: dict[str, dict[str, Any]] = {}
    for name, one in asked.items():
        spreads = choose({other: asked[other] for other in names if other != name})
        of_planted = np.asarray([group is not None for group in one.groups])
        rows[name] = {
            "answerable": int((~of_planted).sum()),
            "refused": float((~one.answered[~of_planted]).mean()),
            "planted refused": float((~one.answered[of_planted]).mean()),
            "spreads": spreads,
            "measured": measure(one, spreads),
            "leaning": measure(one.leaning(), spreads),
            "by default": measure(one, SPREADS),
        }
        click.echo(f"{name}: {json.dumps(rows[name])}", err=True)
    means = {
        figure: float(np.mean([row["measured"][figure] for row in rows.values()]))
        for figure in ("precision", "recall", "purity", "complaints precision", "complaints recall")
    }
    results: dict[str, Any] = {
        "archives": rows,
        "means": means,
        "least": LEAST,
        "spreads of all": choose(asked),
        "default": SPREADS,
    }
    click.echo(table(rows))
    click.echo(json.dumps({name: results[name] for name in ("means", "spreads of all")}, indent=2))
    save("gaps", results)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    PAGE.write_text(before + START + table(rows) + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
