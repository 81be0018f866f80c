"""``qa-search tune``."""

from __future__ import annotations

from collections.abc import Mapping

import click

import qa_search
from qa_search.interfaces.cli.completion import complete_folders
from qa_search.interfaces.cli.options import index_option, json_option, print_json, quiet_option
from qa_search.util.text import counted


@click.command()
@index_option()
@click.option(
    "--judged",
    metavar="FOLDER",
    shell_complete=complete_folders,
    help="Learn from this judged set: queries.jsonl and qrels.tsv.",
)
@click.option("--trust-self", is_flag=True, help="Keep weights even if they were learnt without judgements.")
@click.option("--reset", is_flag=True, help="Go back to the default weights.")
@json_option("the report")
@quiet_option()
def tune(index_path: str, judged: str | None, trust_self: bool, reset: bool, as_json: bool, quiet: bool) -> None:
    """Learn how to weigh the signals of the ranking for this archive; searches go on meanwhile.

    Weights are learnt on one half of the queries and kept only if they do significantly better on the other half;
    then later builds keep them too. Without --judged, queries are made from the posts themselves, and the weights
    are only reported: on the judged archives that this was measured on they did worse than the default.
    """
    report = qa_search.tune(index_path, judged=judged, trust_self=trust_self, reset=reset)
    if as_json:
        print_json(report.to_dict())
    elif not quiet:
        click.echo(_summary(report, reset=reset))


def _summary(report: qa_search.TuneReport, *, reset: bool) -> str:
    lines = []
    if not reset:
        origin = "made from the posts" if report.source == "posts" else f"of {report.source}"
        learnt_from = counted(report.complaints - report.held_out, "query", "queries")
        held_out = counted(report.held_out, "held-out query", "held-out queries")
        lines += [
            f"Learnt from {learnt_from} {origin}: {_listed(report.learnt)}.",
            f"On {held_out} nDCG@10 goes from {report.before:.4f} with the default weights to "
            f"{report.after:.4f} (p = {report.p_value:.4f}).",
        ]
    if report.source == "posts" and not report.kept and not reset:
        lines.append("Weights learnt without judgements are only reported: name some by --judged, or add --trust-self.")
    return "\n".join([*lines, f"In use {'now' if report.kept or reset else 'still'}: {_listed(report.weights)}."])


def _listed(weights: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {weight:g}" for name, weight in weights.items())
