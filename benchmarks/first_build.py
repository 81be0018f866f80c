"""What a first build costs, without the model's time and, of judged archives, with it: beside an earlier version.

    git worktree add /tmp/earlier COMMIT
    python -m benchmarks.first_build /tmp/earlier --posts 10000 DATASET/corpus.jsonl ...

Both versions build the same archive, one after the other, some times; what counts is the ratio of the medians, of the
time and of the seconds of computing, which depend less on what else the machine does. The archive without the model's
time is made from sentences of the sample, in files of 1,000 posts; its embedder costs next to nothing
(`rebuilds_program`).
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.large_archive import records
from benchmarks.rebuilds import built, write_files
from devtools.environment import ROOT, commit_of, save


def compare(earlier: Path, archive: Path, rounds: int, options: Sequence[str] = ()) -> dict[str, Any]:
    """Build an archive by both versions in turn; return the medians, and the earlier one's over the later one's."""
    found: dict[str, list[dict[str, Any]]] = {"before": [], "after": []}
    for _ in range(rounds):
        for version, checkout in (("before", earlier), ("after", ROOT)):
            with tempfile.TemporaryDirectory() as index:
                found[version].append(built(checkout, archive, Path(index) / "index", options))
    result: dict[str, Any] = {name: found["after"][0][name] for name in ("posts", "passages", "embedded")}
    for name in ("seconds", "computed", "peak_mb"):
        medians = {version: statistics.median(one[name] for one in runs) for version, runs in found.items()}
        result[name] = {**medians, "times": round(medians["before"] / medians["after"], 2)}
    return result


@click.command()
@click.argument("earlier", type=click.Path(path_type=Path, exists=True))
@click.argument("judged", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--posts", multiple=True, default=[10_000], show_default=True, help="Repeatable; without the model.")
@click.option("--rounds", default=7, show_default=True)
@click.option("--judged-rounds", default=3, show_default=True)
def main(earlier: Path, judged: Sequence[Path], posts: Sequence[int], rounds: int, judged_rounds: int) -> None:
    """Measure both versions, and write benchmarks/results/first_build.json."""
    results: dict[str, Any] = {"before": commit_of(earlier), "without_the_model": {}, "with_the_model": {}}
    for count in posts:
        with tempfile.TemporaryDirectory() as archive:
            write_files(Path(archive), 1, records(count))
            results["without_the_model"][count] = compare(earlier, Path(archive), rounds)
        click.echo(f"{count}: {results['without_the_model'][count]}")
    for path in judged:
        name = path.parent.name if path.is_file() else path.name
        results["with_the_model"][name] = compare(earlier, path.resolve(), judged_rounds, ["--model"])
        click.echo(f"{name}: {results['with_the_model'][name]}")
    save("first_build", results)


if __name__ == "__main__":
    main()
