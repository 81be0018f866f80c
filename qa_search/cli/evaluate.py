"""``qa-search eval``."""

from __future__ import annotations

import click

from qa_search import evaluation
from qa_search.cli.options import json_option, print_json, quiet_option
from qa_search.evaluation import MEASURES, Evaluation, write_run
from qa_search.ranking.fusion import RANKINGS


@click.command(name="eval")
@click.argument("dataset", metavar="DATASET", type=click.Path())
@click.option(
    "--index",
    "index_path",
    metavar="PATH",
    help="The index to measure. [default: one built from the set's own corpus.jsonl]",
)
@click.option("--workdir", metavar="PATH", help="Where that index is built. [default: in the user's cache]")
@click.option(
    "--ranking",
    type=click.Choice(list(RANKINGS)),
    default="default",
    show_default=True,
    help="The ranking to measure.",
)
@click.option(
    "--compare",
    multiple=True,
    type=click.Choice(list(RANKINGS)),
    help="Another ranking, compared with the first complaint by complaint; may be repeated.",
)
@click.option("--run", "run_path", metavar="FILE", help="Write the ranking's run in TREC's form.")
@click.option("--plot", "plot_path", metavar="FILE", help="Draw the comparison (.png, .svg or .pdf; needs matplotlib).")
@json_option("the measures")
@quiet_option()
def evaluate(
    dataset: str,
    index_path: str | None,
    workdir: str | None,
    ranking: str,
    compare: tuple[str, ...],
    run_path: str | None,
    plot_path: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure retrieval quality on a judged set: DATASET is a folder with queries.jsonl and qrels.tsv.

    Complaints that no post answers are left out of the means. Intervals are 95 % bootstrap intervals, p-values those
    of a paired randomisation test on nDCG@10.
    """
    names = list(dict.fromkeys((ranking, *compare)))
    found = evaluation.evaluate(dataset, index_path, rankings=names, workdir=workdir)
    if run_path:
        write_run(run_path, found.rankings[0])
    if plot_path:
        from qa_search.cli.plots import plot_rankings

        plot_rankings(found, plot_path)
    if as_json:
        print_json(found.to_dict())
    else:
        click.echo(_table(found))


def _table(found: Evaluation) -> str:
    lines = [
        f"{found.dataset}: {found.queries} complaints that a post answers",
        "",
        f"{'ranking':10}" + "".join(f"{name:>12}" for name in MEASURES) + f"{'nDCG@10, 95 %':>18}{'p':>8}",
    ]
    for quality in found.rankings:
        low, high = quality.intervals["nDCG@10"]
        p_value = "" if quality.p_value is None else f"{quality.p_value:.4f}"
        lines.append(
            f"{quality.ranking:10}"
            + "".join(f"{quality.means[name]:12.4f}" for name in MEASURES)
            + f"{f'{low:.4f}-{high:.4f}':>18}{p_value:>8}"
        )
    return "\n".join(lines)
