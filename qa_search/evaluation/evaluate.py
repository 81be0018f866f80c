"""Retrieval quality on judged sets: trec_eval's measures, with intervals and paired tests."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from qa_search.builder.build import build_index
from qa_search.builder.generation_writer import Progress
from qa_search.errors import DatasetError
from qa_search.evaluation.dataset import MEASURES, Dataset, Grades, load_dataset
from qa_search.evaluation.statistics import Floats, auroc, bootstrap_interval, paired_p_value
from qa_search.search.fusion import require_rankings
from qa_search.search.search_index import SearchIndex, require_index
from qa_search.util.cache import cache_folder
from qa_search.util.parameters import require_calls, require_paths

# The same measures as ir-measures calls them.
_IR_MEASURES = {
    "nDCG@10": "nDCG@10",
    "MRR@10": "RR@10",
    "hit@1": "Success@1",
    "R@100": "R@100",
    "judged@10": "Judged@10",
}
RUN_DEPTH = 100
_COLLAPSED_DEPTH = 10
Run = dict[str, list[tuple[str, float]]]


@dataclass(frozen=True)
class RankingQuality:
    """Quality of one ranking: means over the answerable complaints, 95 % bootstrap intervals, each complaint's values.

    ``p_value`` is of the paired randomisation test against the first ranking compared, on nDCG@10.
    """

    ranking: str
    means: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    by_query: Mapping[str, Floats] = field(repr=False)
    run: Run = field(repr=False)
    p_value: float | None = None


@dataclass(frozen=True)
class Refusal:
    """How well confidence separates the complaints that an index answers from those that it does not.

    ``answerable`` and ``unanswerable`` hold the confidences of the two kinds of complaints. ``precision`` is the share
    of the refused that are unanswerable, ``recall`` the share of the unanswerable that are refused, ``refused`` the
    share of the answerable that are.
    """

    threshold: float
    answerable: Floats = field(repr=False)
    unanswerable: Floats = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document; figures that need both kinds are null where there is only one."""
        document: dict[str, Any] = {
            "threshold": self.threshold,
            "answerable": len(self.answerable),
            "unanswerable": len(self.unanswerable),
            "refused_answerable": float((self.answerable < self.threshold).mean()),
        }
        if len(self.unanswerable):
            rightly = int((self.unanswerable < self.threshold).sum())
            refused = rightly + int((self.answerable < self.threshold).sum())
            document["auroc"] = auroc(self.answerable, self.unanswerable)
            document["precision"] = rightly / refused if refused else None
            document["recall"] = rightly / len(self.unanswerable)
            document["reliability"] = self.reliability()
        return document

    def reliability(self, bins: int = 5) -> list[dict[str, float]]:
        """Return for each range of confidence its mean, and the share of complaints in it that are answerable."""
        values = np.concatenate([self.answerable, self.unanswerable])
        answerable = np.arange(len(values)) < len(self.answerable)
        which = np.minimum((values * bins).astype(int), bins - 1)
        return [
            {
                "from": number / bins,
                "to": (number + 1) / bins,
                "complaints": int((which == number).sum()),
                "confidence": float(values[which == number].mean()),
                "answerable": float(answerable[which == number].mean()),
            }
            for number in range(bins)
            if (which == number).any()
        ]


@dataclass(frozen=True)
class Evaluation:
    """The quality of one or several rankings on a judged set.

    ``collapsed`` is the first ranking's nDCG@10 after posts that repeat one another were gathered, ``refusal`` how well
    unanswerable complaints are recognised; both None where another ranking than the default was measured first.
    """

    dataset: str
    queries: int
    rankings: tuple[RankingQuality, ...]
    collapsed: float | None = None
    refusal: Refusal | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of an evaluation: the first ranking's means, then what else was measured."""
        first = self.rankings[0]
        document: dict[str, Any] = {"dataset": self.dataset, "queries": self.queries, **first.means}
        document["ranking"] = first.ranking
        document["intervals"] = {name: list(interval) for name, interval in first.intervals.items()}
        if self.collapsed is not None:
            document["nDCG@10 collapsed"] = self.collapsed
        if self.refusal is not None:
            document["refusal"] = self.refusal.to_dict()
        if len(self.rankings) > 1:
            document["compared"] = [
                {
                    "ranking": quality.ranking,
                    **quality.means,
                    "intervals": {name: list(interval) for name, interval in quality.intervals.items()},
                    "p_value": quality.p_value,
                }
                for quality in self.rankings[1:]
            ]
        return document


def dataset_index(
    dataset: Dataset,
    workdir: str | os.PathLike[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Path:
    """Build or update the index of a set's own ``corpus.jsonl`` and return its folder.

    It is kept outside the set's folder: in ``workdir``, else in the user's cache.

    Raises:
        DatasetError: if the set has no corpus.
    """
    corpus = dataset.folder / "corpus.jsonl"
    if not corpus.is_file():
        raise DatasetError(
            f"{dataset.folder}: no corpus.jsonl. Name the index that holds its posts (index=PATH).", parameter="index"
        )
    if workdir is None:
        digest = hashlib.blake2b(str(dataset.folder.resolve()).encode(), digest_size=6).hexdigest()
        workdir = cache_folder() / "eval" / f"{dataset.name}-{digest}"
    # Nobody's only copy: what the corpus lost, the index may lose.
    build_index(corpus, workdir, keep_unanswered=True, allow_shrink=True, progress=progress)
    return Path(workdir)


def evaluate(
    dataset: str | os.PathLike[str] | Dataset,
    index: str | os.PathLike[str] | SearchIndex | None = None,
    *,
    rankings: Sequence[str] = ("default",),
    workdir: str | os.PathLike[str] | None = None,
    foreign: str | os.PathLike[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Evaluation:
    """Measure retrieval quality on a judged set.

    Args:
        dataset: the set's folder, or the set.
        index: the index that holds the judged posts; None to build one from the set's own corpus.
        rankings: names of `RANKINGS`; the later ones are compared with the first.
        workdir: where that index is built.
        foreign: the folder of another judged set, whose complaints this archive does not answer.
        progress: called now and then with how far the build of an index is.

    Raises:
        DatasetError: if the set cannot be read, or none of its judged posts is in the index.
        QueryError: if a ranking is unknown, or another parameter has a value that is not allowed.
    """
    require_rankings(rankings)
    require_paths(workdir=workdir)
    require_calls(progress=progress)
    if isinstance(index, SearchIndex):
        require_index(index)
    judged = dataset if isinstance(dataset, Dataset) else load_dataset(dataset)
    queries = judged.answerable
    if not queries:
        raise DatasetError(f"{judged.folder}: none of the complaints has a post that answers it; nothing to measure.")
    elsewhere = list(load_dataset(foreign).queries.values()) if foreign is not None else []
    if isinstance(index, SearchIndex):
        return _evaluate(judged, queries, index, rankings, elsewhere)
    with SearchIndex.open(index if index is not None else dataset_index(judged, workdir, progress)) as opened:
        return _evaluate(judged, queries, opened, rankings, elsewhere)


def _evaluate(
    judged: Dataset, queries: list[str], index: SearchIndex, rankings: Sequence[str], elsewhere: list[str]
) -> Evaluation:
    texts = [judged.queries[query] for query in queries]
    measured: list[RankingQuality] = []
    runs = index.run(texts, RUN_DEPTH, rankings=rankings)
    for name, ranked in runs.items():
        run = {query: named_run(found, judged.grades[query]) for query, found in zip(queries, ranked, strict=True)}
        by_query = measure_run(run, judged.grades, queries)
        if not measured and not by_query["judged@10"].any() and not by_query["R@100"].any():
            raise DatasetError(
                f"{judged.folder}: none of its judged posts is found in this index. Name the index of its archive."
            )
        quality = RankingQuality(
            name,
            {measure: float(values.mean()) for measure, values in by_query.items()},
            {measure: bootstrap_interval(values) for measure, values in by_query.items()},
            by_query,
            run,
            paired_p_value(measured[0].by_query["nDCG@10"], by_query["nDCG@10"]) if measured else None,
        )
        measured.append(quality)
    if rankings[0] != "default":
        return Evaluation(judged.name, len(queries), tuple(measured))
    results = index.search_many(texts, _COLLAPSED_DEPTH)
    shown = {
        query: named_run(
            [(index.retriever.posts.source_ids_of(hit.post_id), hit.score) for hit in result.hits], judged.grades[query]
        )
        for query, result in zip(queries, results, strict=True)
    }
    collapsed = float(measure_run(shown, judged.grades, queries)["nDCG@10"].mean())
    unanswered = elsewhere or [judged.queries[query] for query in judged.unanswerable]
    refusal = Refusal(
        index.threshold,
        np.asarray([result.confidence for result in results]),
        np.asarray([result.confidence for result in index.search_many(unanswered, 1)]),
    )
    return Evaluation(judged.name, len(queries), tuple(measured), collapsed, refusal)


def named_run(ranked: Sequence[tuple[Sequence[str], float]], grades: Mapping[str, int]) -> list[tuple[str, float]]:
    """Name each post of a run: of several ids of one text the one that was judged best, else the first.

    Equal scores are parted, so that every tool that sorts by score keeps the order; as 32-bit numbers, which is how
    trec_eval reads them.
    """
    named: list[tuple[str, float]] = []
    below = np.float32(np.inf)
    for ids, score in ranked:
        # Not below the smallest normal number around 0, where some readers see nothing but 0.
        step = np.maximum(np.spacing(np.abs(below)), np.float32(1e-12)) if np.isfinite(below) else np.float32(0)
        below = np.minimum(np.float32(score), below - step)
        named.append((max(ids, key=lambda post: grades.get(post, -1)), float(below)))
    return named


def measure_run(run: Run, grades: Grades, queries: Sequence[str]) -> dict[str, Floats]:
    """Return every measure of each of these complaints, as trec_eval computes it."""
    import ir_measures  # here, because nothing else needs it

    qrels = [ir_measures.Qrel(query, post, grade) for query in queries for post, grade in grades.get(query, {}).items()]
    scored = [ir_measures.ScoredDoc(query, post, score) for query in queries for post, score in run.get(query, [])]
    parsed = {ir_measures.parse_measure(theirs): ours for ours, theirs in _IR_MEASURES.items()}
    rows = {query: row for row, query in enumerate(queries)}
    found = {name: np.zeros(len(queries)) for name in MEASURES}
    for metric in ir_measures.iter_calc(list(parsed), qrels, scored):
        found[parsed[metric.measure]][rows[metric.query_id]] = metric.value
    return found


def write_run(path: str | os.PathLike[str], quality: RankingQuality) -> None:
    """Write a run in TREC's form: query, Q0, post, rank, score, name of the ranking."""
    with Path(path).open("w", encoding="utf-8") as stream:
        for query, found in quality.run.items():
            # Blanks part the columns of this form, so a name cannot have any.
            stream.writelines(
                f"{'_'.join(query.split())} Q0 {'_'.join(post.split())} {rank} {score!r} {quality.ranking}\n"
                for rank, (post, score) in enumerate(found, start=1)
            )
