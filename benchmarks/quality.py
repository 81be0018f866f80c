"""What int8 costs: nDCG@10 of int8 and fp32 builds on the judged archives in ``../shared/datasets``.

python -m benchmarks.quality
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from devtools.environment import ROOT, save
from qa_search import build_index, evaluate
from qa_search.util.defaults import PrecisionChoice

DATASETS = ROOT.parent / "shared" / "datasets"
PRECISIONS: tuple[PrecisionChoice, ...] = ("fp32", "int8")
NAMES = ("beer_se", "doctor_forums", "semeval_qatar")


def measure(name: str, precision: PrecisionChoice, folder: Path) -> float:
    """Build one archive, ask all its judged complaints, return the mean nDCG@10."""
    index = folder / f"{name}-{precision}"
    build_index(DATASETS / name / "corpus.jsonl", index, precision=precision, keep_unanswered=True)
    return evaluate(DATASETS / name, index).rankings[0].means["nDCG@10"]


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
