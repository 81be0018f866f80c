"""How sure a result is, on archives that the rule was not learnt from.

    python -m benchmarks.confidence [--workdir FOLDER] [--only NAME ...]

Needs the judged archives in ``../shared/datasets``. Every figure of an archive comes from a rule that was learnt on the
others. Writes benchmarks/results/confidence.json and the table in docs/ranking.md, and prints the rules learnt on all
archives, which qa_search/search/confidence.py holds.

Each archive is asked four kinds of complaints: its own that it answers ("answered"); its own that nothing in it
answers, as people judged ("own"); those it answers, with the posts that answer them taken out ("taken out"); and
complaints to archives of other subjects ("elsewhere").
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from sklearn.linear_model import LogisticRegression

from devtools.environment import ROOT, save
from qa_search import SearchIndex, build_index
from qa_search.embedders.queries import read_queries
from qa_search.evaluation.dataset import Dataset, load_dataset
from qa_search.evaluation.evaluate import dataset_index
from qa_search.evaluation.statistics import auroc
from qa_search.index.filters import Filters
from qa_search.index.manifest import dump_record
from qa_search.search.confidence import Confidence, Signs, hit_signs
from qa_search.search.fusion import RANKINGS, weighted
from qa_search.search.hits import HitReader
from qa_search.search.retrieval import Ranked
from qa_search.types import SIGNS

DATASETS = ROOT.parent / "shared" / "datasets"
PAGE = ROOT / "docs" / "ranking.md"
START, END = "<!-- confidence: python -m benchmarks.confidence -->\n", "<!-- end of confidence -->"
# Archive -> its subject and its language. Complaints to an archive of the same subject are not from elsewhere.
ARCHIVES = {
    "sample": ("health", "en"),
    "hint3_sofmattress": ("shop", "en"),
    "hint3_powerplay11": ("games", "en"),
    "rqe_chq_faq": ("health", "en"),
    "english_se_dup": ("grammar", "en"),
    "lfqa_roles": ("anything", "en"),
    "lfrqa_lifestyle": ("leisure", "en"),
    "beer_se": ("leisure", "en"),
    "semeval_qatar": ("Qatar", "en"),
    "doctor_forums": ("health", "en"),
    "covid_faq_de": ("health", "de"),
    "leco_law_zh": ("law", "zh"),
}
MOST, FROM_EACH, HITS = 400, 40, 5
# Fewer judged complaints that nothing answers say too little.
LEAST_OWN = 25
# The threshold refuses at most this share of the answerable complaints of any archive that a rule is learnt on. A mean
# over the archives would let one that is easy (beer: none is refused) pay for one that is hard.
REFUSED = 0.09
THRESHOLD = 0.4
DISCOUNTS = 1 / np.log2(np.arange(2, 12))


@dataclass(frozen=True)
class Reading:
    """What an archive says to a complaint: signs and grades (-1: not judged) of the first hits, nDCG@10 by ranking."""

    kind: str
    signs: Sequence[Signs]
    grades: Sequence[int]
    ndcg: Mapping[str, float]


@dataclass(frozen=True)
class Rules:
    """What is learnt: that the archive answers, and that a hit does."""

    result: Confidence
    hit: Confidence


Readings = Mapping[str, Sequence[Reading]]


def own_unanswerable(dataset: Dataset) -> list[str]:
    """Return the complaints of which people judged that nothing answers them; only clear ones, if some are not."""
    lines = (dataset.folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    about = {str(record.get("id", record.get("_id"))): record for record in map(json.loads, lines)}
    found = dataset.unanswerable
    clear = [query for query in found if about[query].get("clear_no_match")]
    return clear or [query for query in found if about[query].get("kind") not in ("fragment", "chitchat")]


def read(name: str, datasets: Mapping[str, Dataset], index: SearchIndex) -> list[Reading]:
    """Ask an archive all four kinds of complaints."""
    dataset, subject = datasets[name], ARCHIVES[name][0]
    answered = _sample(dataset.answerable, MOST)
    own = _sample(own_unanswerable(dataset), MOST)
    found: list[Reading] = []
    for query, ranked, reader in _ranked(index, dataset, answered):
        grades = _grades(index, ranked, dataset.grades[query])
        ndcg = {ranking: _ndcg(ranked, grades, dataset.grades[query], ranking) for ranking in RANKINGS}
        found.append(_reading("answered", ranked.order, grades, reader, ndcg))
        gone = np.flatnonzero(grades <= 0)
        values = {signal: column[gone] for signal, column in ranked.signals.values.items()}
        best = values["lexical"].max(initial=0)
        values["lexical"] = values["lexical"] / (best if best > 0 else 1)
        order = gone[np.argsort(-weighted(index.weights)(values), kind="stable")]
        found.append(_reading("taken out", order, np.minimum(grades, 0), reader, {}))
    for query, ranked, reader in _ranked(index, dataset, own):
        found.append(_reading("own", ranked.order, _grades(index, ranked, dataset.grades[query]), reader, {}))
    for other, asked in datasets.items():
        if ARCHIVES[other][0] != subject and ARCHIVES[other][1] == "en":
            for _, ranked, reader in _ranked(index, asked, _sample(list(asked.queries), FROM_EACH)):
                found.append(_reading("elsewhere", ranked.order, np.zeros(len(ranked.order), int), reader, {}))
    return found


def _sample(queries: list[str], most: int) -> list[str]:
    return queries if len(queries) <= most else sorted(random.Random(3).sample(queries, most))  # noqa: S311


def _ranked(index: SearchIndex, dataset: Dataset, queries: list[str]) -> Iterable[tuple[str, Ranked, HitReader]]:
    for start in range(0, len(queries), 64):
        block = queries[start : start + 64]
        texts = [dataset.queries[query] for query in block]
        complaints = read_queries(index.embedder, texts, index.retriever.analysis, index.retriever.rarities)
        rankings = index.retriever.rank(complaints, 10, index.weights)
        for query, complaint, ranked in zip(block, complaints, rankings, strict=True):
            yield query, ranked, HitReader(index.retriever, index.embedder, complaint, ranked, Filters())


def _grades(index: SearchIndex, ranked: Ranked, known: Mapping[str, int]) -> np.ndarray[Any, Any]:
    posts = ranked.candidates.posts.tolist()
    names = index.retriever.posts.source_ids(posts)
    return np.asarray([max(known.get(name, -1) for name in names[post]) for post in posts])


def _ndcg(ranked: Ranked, grades: np.ndarray[Any, Any], known: Mapping[str, int], ranking: str) -> float:
    order = (ranked if ranking == "default" else ranked.by(RANKINGS[ranking])).order[:10]
    best = np.sort(np.maximum(list(known.values()), 0))[::-1][:10]
    return float(np.maximum(grades[order], 0) @ DISCOUNTS[: len(order)] / (best @ DISCOUNTS[: len(best)]))


def _reading(
    kind: str, order: np.ndarray[Any, Any], grades: np.ndarray[Any, Any], reader: HitReader, ndcg: Mapping[str, float]
) -> Reading:
    rows = order[:HITS].tolist()
    signs = [reader.signs(row) for row in rows] or [(0.0, 0.0, 0.0)]
    return Reading(kind, signs, [int(grades[row]) for row in rows] or [-1], ndcg)


def learn(readings: Readings) -> Rules:
    """Learn both rules; every archive counts the same, and in it the complaints that are answered half."""
    signs, answered, shares = [], [], []
    for of_archive in readings.values():
        kinds = _shares(of_archive)
        for one in of_archive:
            signs.append(one.signs[0])
            answered.append(one.kind == "answered")
            shares.append(kinds[one.kind])
    weights, bias = _fit(signs, answered, shares)
    # The threshold is the same for every archive, so that bands and wording fit it; the bias is moved instead.
    first = [[one.signs[0] for one in of_archive if one.kind == "answered"] for of_archive in readings.values()]
    lowest = min(float(np.quantile(np.asarray(of_first) @ weights + bias, REFUSED)) for of_first in first)
    bias += math.log(THRESHOLD / (1 - THRESHOLD)) - lowest
    return Rules(Confidence(tuple(weights), bias, THRESHOLD), _learn_hits(readings))


def _learn_hits(readings: Readings) -> Confidence:
    signs, right, shares = [], [], []
    for of_archive in readings.values():
        asked = [one for one in of_archive if one.kind in ("answered", "own")]
        hits = [hit for one in asked for hit in zip(_hit_signs(one), one.grades, strict=True)]
        signs += [hit[0] for hit in hits]
        right += [hit[1] > 0 for hit in hits]
        shares += [1 / len(hits)] * len(hits)
    weights, bias = _fit(signs, right, shares)
    return Confidence(tuple(weights), bias, THRESHOLD)


def _hit_signs(reading: Reading) -> list[Signs]:
    return [hit_signs(signs, first=row == 0) for row, signs in enumerate(reading.signs)]


def _shares(readings: Sequence[Reading]) -> dict[str, float]:
    """Say how much a complaint of each kind counts."""
    count = {kind: max(sum(one.kind == kind for one in readings), 1) for kind in KINDS}
    judged = count["own"] >= LEAST_OWN
    share = {"answered": 0.5, "own": 0.3 * judged, "taken out": 0.05 if judged else 0.35, "elsewhere": 0.15}
    return {kind: share[kind] / count[kind] for kind in KINDS}


KINDS = ("answered", "own", "taken out", "elsewhere")


def _fit(signs: Sequence[Signs], right: Sequence[bool], shares: Sequence[float]) -> tuple[list[float], float]:
    weight = np.asarray(shares) * len(shares) / sum(shares)
    model = LogisticRegression(C=1e3, max_iter=1000).fit(np.asarray(signs), right, weight)
    return model.coef_[0].tolist(), float(model.intercept_[0])


def measure(readings: Sequence[Reading], rules: Rules) -> dict[str, Any]:
    """Return an archive's row of the table."""
    sure = {
        kind: rules.result.probability(np.asarray([one.signs[0] for one in readings if one.kind == kind]))
        for kind in KINDS
        if any(one.kind == kind for one in readings)
    }
    answered = sure["answered"]
    row: dict[str, Any] = {"answered": len(answered), "refused": float((answered < THRESHOLD).mean())}
    for kind in KINDS[1:]:
        if kind in sure and (kind != "own" or len(sure[kind]) >= LEAST_OWN):
            row[kind] = {
                "complaints": len(sure[kind]),
                "auroc": auroc(answered, sure[kind]),
                "refused": float((sure[kind] < THRESHOLD).mean()),
            }
    if "own" in row:
        both = np.concatenate([answered, sure["own"]])
        row["results"] = fifths(both, np.arange(len(both)) < len(answered))
    shown = [one for one in readings if one.kind in ("answered", "own")]
    limits = rules.result.probability(np.asarray([one.signs[0] for one in shown]))
    limits = np.repeat(limits, [len(one.signs) for one in shown])
    signs = np.asarray([signs for one in shown for signs in _hit_signs(one)])
    badges = np.minimum(rules.hit.probability(signs), limits)
    row["hits"] = fifths(badges, np.asarray([grade > 0 for one in shown for grade in one.grades]))
    ranked = [one.ndcg for one in readings if one.ndcg]
    row["nDCG@10"] = {name: float(np.mean([one[name] for one in ranked])) for name in RANKINGS}
    return row


def fifths(sure: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> list[dict[str, float]]:
    """Return for each fifth of the probabilities how many there are, their mean, and the share that is right."""
    which = np.minimum((sure * 5).astype(int), 4)
    return [
        {
            "from": number / 5,
            "count": int((which == number).sum()),
            "said": round(float(sure[which == number].mean()), 3),
            "right": round(float(right[which == number].mean()), 3),
        }
        for number in range(5)
        if (which == number).any()
    ]


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Write the rows in Markdown."""
    lines = [
        "| archive | answerable refused | AUROC own | own refused | AUROC elsewhere | elsewhere refused "
        "| taken out refused | hits at 60-80 % | hits from 80 % | nDCG@10 |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        own, out, away = (row.get(kind) for kind in KINDS[1:])
        hits = {one["from"]: f"{one['said']:.2f} → {one['right']:.2f} ({one['count']})" for one in row["hits"]}
        cells = [
            name,
            f"{row['refused']:.3f}",
            *((f"{own['auroc']:.3f}", f"{own['refused']:.2f}") if own else ("", "")),
            *((f"{away['auroc']:.3f}", f"{away['refused']:.2f}") if away else ("", "")),
            f"{out['refused']:.2f}" if out else "",
            hits.get(0.6, ""),
            hits.get(0.8, ""),
            f"{row['nDCG@10']['default']:.3f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def means(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return what must hold: means over the English archives, and the worst of them."""
    english = [row for name, row in rows.items() if ARCHIVES[name][1] == "en"]
    own = [row["own"] for row in english if "own" in row]
    away = [row["elsewhere"] for row in english if "elsewhere" in row]
    return {
        "answerable refused": float(np.mean([row["refused"] for row in english])),
        "worst": max(row["refused"] for row in english),
        "AUROC own": float(np.mean([one["auroc"] for one in own])),
        "least AUROC own": min(one["auroc"] for one in own),
        "own refused": float(np.mean([one["refused"] for one in own])),
        "AUROC elsewhere": float(np.mean([one["auroc"] for one in away])),
        "elsewhere refused": float(np.mean([one["refused"] for one in away])),
        "nDCG@10": float(np.mean([row["nDCG@10"]["default"] for row in rows.values()])),
    }


def _rule(rule: Confidence) -> dict[str, Any]:
    kept = ("signs", "weights", "bias", "threshold")
    return {name: value for name, value in dump_record(rule.to_record()).items() if name in kept}


def _kept(name: str, workdir: Path, datasets: Mapping[str, Dataset]) -> list[Reading]:
    """Read an archive, or take what was read last time, if the index and the ranking are still the same."""
    dataset = datasets[name]
    if name == "sample":
        build_index(ROOT / "data" / "archive", workdir / name)
        path = workdir / name
    else:
        path = dataset_index(dataset, workdir / name)
    code = b"".join(file.read_bytes() for file in sorted((ROOT / "qa_search" / "search").glob("*.py")))
    with SearchIndex.open(path) as index:
        asked = hashlib.sha256(code + repr(sorted(datasets)).encode() + index.generation.name.encode()).hexdigest()[:12]
        kept = workdir / f"readings-{name}-{asked}.json"
        if not kept.exists():
            kept.write_text(json.dumps([asdict(one) for one in read(name, datasets, index)]), encoding="utf-8")
    return [Reading(**record) for record in json.loads(kept.read_text(encoding="utf-8"))]


@click.command()
@click.option("--workdir", type=click.Path(path_type=Path), help="Where indexes and readings are kept between runs.")
@click.option("--only", multiple=True, help="Measure these archives alone; nothing is written.")
def main(workdir: Path | None, only: tuple[str, ...]) -> None:
    """Measure everything."""
    names = [name for name in ARCHIVES if not only or name in only]
    with tempfile.TemporaryDirectory() as scratch:
        folder = workdir or Path(scratch)
        folders = {name: ROOT / "data" / "judged" if name == "sample" else DATASETS / name for name in names}
        datasets = {name: load_dataset(path) for name, path in folders.items()}
        readings = {name: _kept(name, folder, datasets) for name in names}
    taught = {name: of_archive for name, of_archive in readings.items() if ARCHIVES[name][1] == "en"}
    rows = {
        name: measure(readings[name], learn({other: taught[other] for other in taught if other != name}))
        for name in names
    }
    rules = learn(taught)
    results = {
        "archives": rows,
        "means": means(rows),
        "signs": SIGNS,
        "rules": {name: _rule(rule) for name, rule in (("GENERAL", rules.result), ("OF_HIT", rules.hit))},
    }
    click.echo(table(rows))
    click.echo(json.dumps({"means": results["means"], "rules": results["rules"]}, indent=2))
    if not only:
        save("confidence", results)
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
        PAGE.write_text(before + START + table(rows) + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
