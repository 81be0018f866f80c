"""Plots of measurements, drawn by matplotlib (the extra ``plots``)."""

from __future__ import annotations

import click

import qa_search
from qa_search.errors import MissingExtraError
from qa_search.evaluation.dataset import MEASURES
from qa_search.util.text import counted


def plot_rankings(found: qa_search.Evaluation, path: str) -> None:
    """Draw each ranking's measures with their 95 % intervals.

    Raises:
        click.UsageError: if matplotlib is missing, or it does not support the file's ending.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise click.UsageError(str(MissingExtraError.of("plots", "--plot", "matplotlib"))) from error
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.add_subplot()
    width = 0.8 / len(found.rankings)
    for number, quality in enumerate(found.rankings):
        places = [at + (number + 0.5) * width - 0.4 for at in range(len(MEASURES))]
        means = [quality.means[name] for name in MEASURES]
        below = [mean - quality.intervals[name][0] for name, mean in zip(MEASURES, means, strict=True)]
        above = [quality.intervals[name][1] - mean for name, mean in zip(MEASURES, means, strict=True)]
        axes.bar(places, means, width * 0.92, yerr=[below, above], capsize=2, label=quality.ranking)
    axes.set_xticks(range(len(MEASURES)), MEASURES)
    axes.set_ylim(0, 1)
    axes.set_title(f"{found.dataset}: {counted(found.queries, 'query', 'queries')}, 95 % bootstrap intervals")
    axes.legend(frameon=False, ncols=len(found.rankings))
    axes.spines[["top", "right"]].set_visible(False)
    try:
        figure.savefig(path, dpi=150)
    except ValueError as error:
        raise click.UsageError(f"--plot {path}: {error}") from error
