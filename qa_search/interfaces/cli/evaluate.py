"""``qa-search eval``."""

from __future__ import annotations

import click

import qa_search
from qa_search.evaluation.dataset import MEASURES
from qa_search.interfaces.cli.completion import complete_files, complete_folders, complete_indexes
from qa_search.interfaces.cli.options import (
    chosen_place,
    default_index,
    json_option,
    print_json,
    quiet_option,
    store_option,
)
from qa_search.interfaces.cli.progress import ProgressLine
from qa_search.types import RANKING_NAMES
from qa_search.util.text import counted


@click.command(name="eval")
@click.argument("dataset", metavar="[DATASET]", type=click.Path(), required=False)
@click.option(
    "--index",
    "index_path",
    metavar="PATH",
    shell_complete=complete_indexes,
    help="The index to measure. [default: one built from the set's own corpus.jsonl]",
)
@store_option("The PostgreSQL database to measure, in place of a folder.", variable=None)
@click.option(
    "--workdir",
    metavar="PATH",
    shell_complete=complete_folders,
    help="Where the index of the set's own corpus is built. [default: in the user's cache]",
)
@click.option(
    "--ranking",
    type=click.Choice(RANKING_NAMES),
    default="default",
    show_default=True,
    help="The ranking to measure.",
)
@click.option(
    "--compare",
    multiple=True,
    type=click.Choice(RANKING_NAMES),
    help="Another ranking, compared with the first query by query; may be repeated.",
)
@click.option(
    "--foreign",
    metavar="FOLDER",
    shell_complete=complete_folders,
    help="Another judged set, whose queries this archive cannot answer: to measure how well they are told apart.",
)
@click.option("--self", "by_itself", is_flag=True, help="Measure on queries made from the posts, without judgements.")
@click.option(
    "--run", "run_path", metavar="FILE", shell_complete=complete_files, help="Write the ranking's run in TREC's format."
)
@click.option(
    "--plot",
    "plot_path",
    metavar="FILE",
    shell_complete=complete_files,
    help="Draw the comparison (.png, .svg or .pdf; needs matplotlib).",
)
@json_option("the measures")
@quiet_option()
def evaluate(
    dataset: str | None,
    index_path: str | None,
    store: str | None,
    workdir: str | None,
    ranking: str,
    compare: tuple[str, ...],
    foreign: str | None,
    by_itself: bool,
    run_path: str | None,
    plot_path: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure retrieval quality on a judged set: queries, and which posts answer them.

    DATASET is a folder with queries.jsonl (the queries) and qrels.tsv (which post answers which query). Queries that no
    post answers are left out of the means. Intervals are 95 % bootstrap intervals, p-values those of a paired
    randomisation test on nDCG@10.

    With --self no DATASET is needed: the question of each post is asked, and the search must find the post by its
    answer alone.
    """
    index_path = chosen_place(index_path, store)
    names = list(dict.fromkeys((ranking, *compare)))
    if by_itself == (dataset is not None):
        raise click.UsageError("name a DATASET, or give --self to measure without judgements")
    if dataset is None:
        _self_quality(index_path or default_index(), names, as_json)
        return
    progress = None if quiet else ProgressLine()
    found = qa_search.evaluate(
        dataset,
        index_path,
        rankings=names,
        workdir=workdir,
        foreign=foreign,
        progress=progress,
    )
    try:
        if run_path:
            from qa_search.evaluation.evaluate import write_run

            write_run(run_path, found.rankings[0])
        if plot_path:
            from qa_search.interfaces.cli.plots import plot_rankings

            plot_rankings(found, plot_path)
    except OSError as error:
        raise click.UsageError(
            f"{error.filename}: cannot be written ({error.strerror}). Name a file in a folder that is there."
        ) from error
    if as_json:
        print_json(found.to_dict())
    else:
        click.echo(_table(found))


def _self_quality(index_path: str, names: list[str], as_json: bool) -> None:
    from qa_search.evaluation.tuning import self_quality

    with qa_search.SearchIndex.open(index_path) as index:
        found = self_quality(index, names)
    if as_json:
        print_json([quality.to_dict() for quality in found])
        return
    click.echo(f"{counted(found[0].complaints, 'query', 'queries')} made from the archive's own posts\n")
    click.echo(f"{'ranking':10}{'nDCG@10':>12}{'hit@1':>12}{'nDCG@10, 95 %':>18}")
    for quality in found:
        low, high = quality.interval
        click.echo(f"{quality.ranking:10}{quality.ndcg:12.4f}{quality.hit_at_1:12.4f}{f'{low:.4f}-{high:.4f}':>18}")


def _table(found: qa_search.Evaluation) -> str:
    lines = [
        f"{found.dataset}: {counted(found.queries, 'query', 'queries')} that a post answers",
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
    if found.collapsed is not None:
        lines += ["", f"nDCG@10 with posts that repeat one another counted as one: {found.collapsed:.4f}"]
    if found.refusal is not None and len(found.refusal.unanswerable):
        refusal = found.refusal.to_dict()
        precision = "none" if refusal["precision"] is None else f"{refusal['precision']:.2f}"
        lines += [
            f"telling {refusal['unanswerable']} unanswerable queries apart: AUROC {refusal['auroc']:.3f}; "
            f"refused with precision {precision}, recall {refusal['recall']:.2f}; "
            f"{refusal['refused_answerable']:.0%} of the answerable refused",
        ]
    return "\n".join(lines)
