"""What int8 costs: nDCG@10 of int8 and fp32 builds on the judged archives in ``../shared/datasets``.

python -m benchmarks.quality
"""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import click

from benchmarks.environment import ROOT, save
from qa_search import SearchIndex, build_index
from qa_search.encoders import PrecisionChoice

DATASETS = ROOT.parent / "shared" / "datasets"
PRECISIONS: tuple[PrecisionChoice, ...] = ("fp32", "int8")
NAMES = ("beer_se", "doctor_forums", "semeval_qatar")


def ndcg_at_10(ranked: list[str], grades: dict[str, int]) -> float:
    """As trec_eval computes it: the grade is the gain, discounted by the logarithm of the rank."""
    gains = [max(grades.get(post, 0), 0) for post in ranked[:10]]
    ideal = sorted((grade for grade in grades.values() if grade > 0), reverse=True)[:10]

    def discounted(values: list[int]) -> float:
        return sum(value / math.log2(rank + 2) for rank, value in enumerate(values))

    return discounted(gains) / discounted(ideal)


def measure(name: str, precision: PrecisionChoice, folder: Path) -> float:
    """Build one archive, ask all its judged complaints, return the mean nDCG@10."""
    index = folder / f"{name}-{precision}"
    build_index(DATASETS / name / "corpus.jsonl", index, precision=precision, keep_unanswered=True)
    grades: dict[str, dict[str, int]] = {}
    for line in (DATASETS / name / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, post, grade = line.split("\t")[:3]
        grades.setdefault(query, {})[post] = int(grade)
    lines = (DATASETS / name / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    texts = {str(item.get("id", item.get("_id"))): item["text"] for item in map(json.loads, lines)}
    judged = [query for query in texts if any(grade > 0 for grade in grades.get(query, {}).values())]
    with SearchIndex.open(index) as opened:
        results = opened.search_many([texts[query] for query in judged], k=10)
    scores = [
        ndcg_at_10([hit.source_id for hit in result.hits], grades[query])
        for query, result in zip(judged, results, strict=True)
    ]
    return sum(scores) / len(scores)


def main() -> None:
    """Measure every archive in both precisions."""
    if not DATASETS.is_dir():
        raise click.ClickException(f"{DATASETS}: the judged archives are not here")
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in NAMES:
            fp32, int8 = (measure(name, precision, Path(scratch)) for precision in PRECISIONS)
            found[name] = {"fp32": round(fp32, 4), "int8": round(int8, 4), "difference": round(int8 - fp32, 4)}
            click.echo(f"{name}: {found[name]}")
    save("quality", found)


if __name__ == "__main__":
    main()
