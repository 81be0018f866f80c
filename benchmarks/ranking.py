"""How good: every stage of the ranking out, in and alone, on the judged archives; long complaints; refusal.

    python -m benchmarks.ranking [--workdir FOLDER]

Needs the judged archives in ``../shared/datasets``. Weights were chosen on the even complaints of the three archives
(``dev``), and are reported on the odd ones (``test``) as well as on all.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

from devtools.environment import RESULTS, ROOT, save
from qa_search import SearchIndex, build_index, evaluate
from qa_search.evaluation.dataset import Dataset, load_dataset
from qa_search.evaluation.evaluate import Refusal, dataset_index
from qa_search.evaluation.statistics import Floats, auroc, bootstrap_interval, paired_p_value
from qa_search.evaluation.tuning import WeightedView, judged_cases, learn_weights, self_cases
from qa_search.search.fusion import DEFAULT_WEIGHTS, Fusion, reciprocal_rank, weighted
from qa_search.util.sentences import split_sentences

DATASETS = ROOT.parent / "shared" / "datasets"
ARCHIVES = ("beer_se", "doctor_forums", "semeval_qatar")
SAMPLE = "sample"
LONG = 200  # complaints of each archive that are made longer
PADDING = 6  # sentences from other archives that a complaint is padded with


def variants() -> dict[str, Fusion]:
    """Return the rankings compared: the default, the simple ones, and every stage out, in and alone."""
    found = {
        "default": weighted(DEFAULT_WEIGHTS),
        "BM25": weighted({"lexical": 1.0}),
        "best passage": weighted({"best": 1.0}),
        "whole post": weighted({"whole": 1.0}),
        "RRF of passage and BM25": reciprocal_rank("best", "lexical"),
    }
    for name in DEFAULT_WEIGHTS:
        found[f"without {name}"] = weighted({key: weight for key, weight in DEFAULT_WEIGHTS.items() if key != name})
    for name in ("title", "question", "answer"):
        found[f"with {name} 0.2"] = weighted({**DEFAULT_WEIGHTS, name: 0.2})
    for name in ("title", "question", "answer", "parts"):
        found[f"{name} alone"] = weighted({name: 1.0})
    for factor in (0.5, 2.0):
        for name in ("whole", "parts", "lexical"):
            found[f"{name} x {factor:g}"] = weighted({**DEFAULT_WEIGHTS, name: DEFAULT_WEIGHTS[name] * factor})
    return found


def gains(cases: list[WeightedView], fusion: Fusion) -> Floats:
    """Return nDCG@10 of each complaint."""
    return np.asarray([case.ndcg(fusion) for case in cases])


def summary(values: Floats) -> dict[str, Any]:
    """Round what is reported of one ranking on one archive."""
    low, high = bootstrap_interval(values)
    return {
        "nDCG@10": round(float(values.mean()), 4),
        "interval": [round(low, 4), round(high, 4)],
        "dev": round(float(values[::2].mean()), 4),
        "test": round(float(values[1::2].mean()), 4),
    }


def ablation(cases: Mapping[str, list[WeightedView]]) -> dict[str, Any]:
    """Measure every variant on every archive, with the p-value of its difference to the default."""
    found: dict[str, Any] = {}
    for name, fusion in variants().items():
        found[name] = {}
        for archive, of_archive in cases.items():
            values, default = gains(of_archive, fusion), gains(of_archive, weighted(DEFAULT_WEIGHTS))
            found[name][archive] = {**summary(values), "p": round(paired_p_value(default, values), 4)}
        found[name]["mean of the three"] = round(
            float(np.mean([found[name][archive]["nDCG@10"] for archive in ARCHIVES])), 4
        )
        found[name]["test mean of the three"] = round(
            float(np.mean([found[name][archive]["test"] for archive in ARCHIVES])), 4
        )
        click.echo(f"{name:26} " + " ".join(f"{found[name][archive]['nDCG@10']:.4f}" for archive in cases))
    return found


def robustness(cases: Mapping[str, list[WeightedView]], indexes: Mapping[str, SearchIndex]) -> dict[str, Any]:
    """Compare the default on each archive's test half with weights learnt elsewhere, on its dev half, or unlabelled."""
    found: dict[str, Any] = {}
    for archive in cases:
        test = cases[archive][1::2]
        others = [case for other in ARCHIVES if other != archive for case in cases[other][::2]]
        learnt = {
            "default": dict(DEFAULT_WEIGHTS),
            "learnt on the other archives": learn_weights(others),
            "learnt on its own dev half": learn_weights(cases[archive][::2]),
            "learnt without labels": learn_weights(self_cases(indexes[archive])),
        }
        default = gains(test, weighted(DEFAULT_WEIGHTS))
        found[archive] = {}
        for name, weights in learnt.items():
            values = gains(test, weighted(weights))
            found[archive][name] = {
                "weights": weights,
                "test": round(float(values.mean()), 4),
                "p": round(paired_p_value(default, values), 4),
            }
            click.echo(f"{archive}, {name}: {found[archive][name]}")
    return found


def long_complaints(datasets: Mapping[str, Dataset], indexes: Mapping[str, SearchIndex]) -> dict[str, Any]:
    """Make complaints longer, in two ways; report how much nDCG@10 that costs best passage alone and the default.

    ``padded``: six sentences from other archives' complaints around each. ``joined``: a complaint and the one closest
    to it in the same set, whose posts count too; compared with the mean of the two.
    """
    generator = random.Random(3)  # noqa: S311
    sentences = {
        name: [
            text[start:end]
            for text in dataset.queries.values()
            for start, end in split_sentences(text)
            if 5 <= len(text[start:end].split()) <= 30
        ]
        for name, dataset in datasets.items()
        if name in ARCHIVES
    }
    found: dict[str, Any] = {}
    for archive in ARCHIVES:
        dataset, index = datasets[archive], indexes[archive]
        chosen = sorted(generator.sample(dataset.answerable, min(LONG, len(dataset.answerable))))
        pool = [text for other in ARCHIVES if other != archive for text in sentences[other]]
        vectors = index.embed([dataset.queries[query] for query in dataset.answerable])
        padded, joined, partners = {}, {}, {}
        for query in chosen:
            around = generator.sample(pool, PADDING)
            cut = generator.randint(0, PADDING)
            padded[query] = " ".join([*around[:cut], dataset.queries[query], *around[cut:]])
            row = dataset.answerable.index(query)
            close = vectors @ vectors[row]
            close[row] = -1
            partners[query] = dataset.answerable[int(np.argmax(close))]
            joined[query] = f"{dataset.queries[query]} {dataset.queries[partners[query]]}"
        both = {
            query: {
                post: max(dataset.grades[query].get(post, 0), dataset.grades[partners[query]].get(post, 0))
                for post in {*dataset.grades[query], *dataset.grades[partners[query]]}
            }
            for query in chosen
        }
        plain = dict(zip(dataset.answerable, judged_cases(index, dataset), strict=True))
        grades = {query: dataset.grades[query] for query in chosen}
        longer = {
            "padded": judged_cases(index, Dataset(archive, dataset.folder, padded, grades)),
            "joined": judged_cases(index, Dataset(archive, dataset.folder, joined, both)),
        }
        found[archive] = {}
        for ranking, fusion in (("best passage", weighted({"best": 1.0})), ("default", weighted(DEFAULT_WEIGHTS))):
            alone = np.asarray([plain[query].ndcg(fusion) for query in chosen])
            partner = np.asarray([plain[partners[query]].ndcg(fusion) for query in chosen])
            for kind, before in (("padded", alone), ("joined", (alone + partner) / 2)):
                after = gains(longer[kind], fusion)
                found[archive].setdefault(kind, {})[ranking] = {
                    "before": round(float(before.mean()), 4),
                    "after": round(float(after.mean()), 4),
                    "lost": round(float((before - after).mean()), 4),
                }
        click.echo(f"{archive}: {found[archive]}")
    for kind in ("padded", "joined"):
        found[kind] = {
            ranking: round(float(np.mean([found[archive][kind][ranking]["lost"] for archive in ARCHIVES])), 4)
            for ranking in ("best passage", "default")
        }
    return found


def refusal(datasets: Mapping[str, Dataset], indexes: Mapping[str, SearchIndex]) -> dict[str, Any]:
    """Measure how well unanswerable complaints are told: judged ones, and other archives' complaints."""
    found: dict[str, Any] = {}
    pairs = [(SAMPLE, None), ("semeval_qatar", None), ("doctor_forums", "beer_se"), ("beer_se", "doctor_forums")]
    pairs += [("semeval_qatar", "doctor_forums"), ("semeval_qatar", "beer_se"), (SAMPLE, "beer_se")]
    pairs += [("doctor_forums", "semeval_qatar"), ("beer_se", "semeval_qatar"), (SAMPLE, "semeval_qatar")]
    own: dict[str, Floats] = {}
    for archive, other in pairs:
        dataset, index = datasets[archive], indexes[archive]
        if archive not in own:
            own[archive] = confidences(index, dataset, dataset.answerable)
        asked = dataset if other is None else datasets[other]
        unanswerable = confidences(index, asked, dataset.unanswerable if other is None else list(asked.queries))
        measured = Refusal(index.threshold, own[archive], unanswerable)
        name = archive if other is None else f"{other} asked of {archive}"
        found[name] = {
            **measured.to_dict(),
            "auroc_interval": [round(value, 3) for value in auroc_interval(measured)],
            "learnt": index.info().confidence["learnt"],
        }
        click.echo(f"{name}: AUROC {found[name]['auroc']:.3f}, recall {found[name]['recall']:.2f}")
    return found


def confidences(index: SearchIndex, dataset: Dataset, queries: list[str]) -> Floats:
    """Return the confidence of up to 200 complaints."""
    chosen = random.Random(3).sample(queries, min(LONG, len(queries)))  # noqa: S311
    return np.asarray(
        [result.confidence for result in index.search_many([dataset.queries[query] for query in chosen], 1)]
    )


def gathered(datasets: Mapping[str, Dataset], indexes: Mapping[str, SearchIndex]) -> dict[str, Any]:
    """Say what gathering posts that repeat one another does to nDCG@10."""
    found = {}
    for archive in (SAMPLE, "semeval_qatar"):
        evaluation = evaluate(datasets[archive], indexes[archive])
        found[archive] = {"before": evaluation.rankings[0].means["nDCG@10"], "after": evaluation.collapsed}
    return found


def auroc_interval(measured: Refusal) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of an AUROC."""
    generator = np.random.default_rng(0)
    values = [
        auroc(
            generator.choice(measured.answerable, len(measured.answerable)),
            generator.choice(measured.unanswerable, len(measured.unanswerable)),
        )
        for _ in range(1000)
    ]
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def draw(results: Mapping[str, Any]) -> None:
    """Draw the comparison of rankings, and reliability diagrams, beside the results."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.6), layout="constrained")
    bars, reliability = figure.subplots(1, 2, width_ratios=[3, 2])
    shown = ("default", "BM25", "best passage", "whole post", "RRF of passage and BM25")
    archives = (*ARCHIVES, SAMPLE)
    for number, name in enumerate(shown):
        rows = [results["ablation"][name][archive] for archive in archives]
        means = [row["nDCG@10"] for row in rows]
        errors = [
            [mean - row["interval"][0] for mean, row in zip(means, rows, strict=True)],
            [row["interval"][1] - mean for mean, row in zip(means, rows, strict=True)],
        ]
        places = [at + (number - 2) * 0.16 for at in range(len(archives))]
        bars.bar(places, means, 0.15, yerr=errors, capsize=2, label=name)
    bars.set_xticks(range(len(archives)), archives)
    bars.set_ylabel("nDCG@10, 95 % intervals")
    bars.legend(frameon=False, fontsize=8, ncols=3)
    bars.set_ylim(0, 1)
    reliability.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    for name in (SAMPLE, "semeval_qatar"):
        bins = results["refusal"][name]["reliability"]
        reliability.plot(
            [one["confidence"] for one in bins], [one["answerable"] for one in bins], marker="o", label=name
        )
    reliability.set_xlabel("confidence")
    reliability.set_ylabel("share that the archive answers")
    reliability.legend(frameon=False)
    for axes in (bars, reliability):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(RESULTS / "ranking.png", dpi=130)


@click.command()
@click.option("--workdir", type=click.Path(path_type=Path), help="Where indexes are kept between runs.")
def main(workdir: Path | None) -> None:
    """Measure everything and write benchmarks/results/ranking.json."""
    if not DATASETS.is_dir():
        raise click.ClickException(f"{DATASETS}: the judged archives are not here")
    with tempfile.TemporaryDirectory() as scratch:
        folder = workdir or Path(scratch)
        datasets = {name: load_dataset(DATASETS / name) for name in ARCHIVES}
        paths = {name: dataset_index(dataset, folder / name) for name, dataset in datasets.items()}
        datasets[SAMPLE] = load_dataset(ROOT / "data" / "judged")
        paths[SAMPLE] = folder / SAMPLE
        build_index(ROOT / "data" / "archive", paths[SAMPLE])
        indexes = {name: SearchIndex.open(path) for name, path in paths.items()}
        cases = {name: judged_cases(indexes[name], dataset) for name, dataset in datasets.items()}
        results = {
            "ablation": ablation(cases),
            "robustness": robustness(cases, indexes),
            "long": long_complaints(datasets, indexes),
            "refusal": refusal(datasets, indexes),
            "gathered": gathered(datasets, indexes),
        }
    save("ranking", results)
    draw(results)


if __name__ == "__main__":
    main()
