"""Weights learnt for an archive, kept only if they do better on complaints that were not learnt from.

They are learnt from judged complaints where there are some. Without judgements they can be learnt from complaints made
from the posts themselves; on every judged archive at hand that lost, although it did better on held-out complaints of
its own making (docs/ranking.md), so that these weights are only reported unless the caller insists.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qa_search.builder.calibration import MIN_QUERIES, self_test
from qa_search.embedders.queries import read_queries
from qa_search.errors import DatasetError, QueryError
from qa_search.evaluation.dataset import Dataset, load_dataset
from qa_search.evaluation.statistics import Floats, bootstrap_interval, paired_p_value
from qa_search.index.folder import IndexFolder
from qa_search.index.history import history_of
from qa_search.index.manifest import RankingRecord
from qa_search.index.open import require_folder
from qa_search.search.advice import Languages
from qa_search.search.fusion import DEFAULT_WEIGHTS, RANKINGS, UNREAD_WEIGHTS, Fusion, by_words, weighted
from qa_search.search.search_index import SearchIndex
from qa_search.search.signals import Values
from qa_search.types import to_jsonable
from qa_search.util.parameters import require_flags, require_paths

_STEPS = (0.0, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0, 1.4)
_TUNED = ("whole", "parts", "lexical", "title", "question", "answer")
_ROUNDS = 3
_SIGNIFICANT = 0.05
_LEAST_GAIN = 1e-4
_DEPTH = 10
_DISCOUNTS = 1 / np.log2(np.arange(2, _DEPTH + 2))
# Posts ranked for each judged complaint, and complaints embedded at once.
_POOL, _BLOCK = 100, 64


@dataclass(frozen=True, slots=True)
class SelfQuality:
    """How well a ranking finds the post that a complaint was made from, as means over complaints."""

    ranking: str
    complaints: int
    ndcg: float
    interval: tuple[float, float]
    hit_at_1: float

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        return {
            "ranking": self.ranking,
            "complaints": self.complaints,
            "nDCG@10": self.ndcg,
            "interval": list(self.interval),
            "hit@1": self.hit_at_1,
        }


@dataclass(frozen=True, slots=True)
class TuneReport:
    """What tuning found: nDCG@10 before and after on held-out complaints, and whether the new weights were kept.

    ``weights`` are those in use now, ``learnt`` those that were learnt, ``source`` is "posts" or the judged set's name.
    """

    source: str
    kept: bool
    weights: Mapping[str, float]
    learnt: Mapping[str, float]
    complaints: int
    held_out: int
    before: float
    after: float
    p_value: float

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        document: dict[str, Any] = to_jsonable(self)
        return document


@dataclass(frozen=True, slots=True)
class WeightedView:
    """A complaint to learn from: its candidates' signals and grades (n,), and the best that DCG@10 can be.

    ``words_lacking`` is that of the `Query`: a search changes the weights for it.
    """

    values: Mapping[str, Values]
    grades: Floats
    ideal: float
    words_lacking: bool = False

    def ndcg(self, fuse: Fusion) -> float:
        """Return nDCG@10 of a ranking of the candidates."""
        first = np.argsort(-fuse(self.values), kind="stable")[:_DEPTH]
        return float((self.grades[first] * _DISCOUNTS[: len(first)]).sum() / self.ideal)


def self_quality(index: SearchIndex, rankings: Sequence[str] = ("default",)) -> list[SelfQuality]:
    """Measure rankings without judgements: how well they find the posts that complaints were made from.

    Raises:
        QueryError: if the archive is too small to make complaints from.
    """
    cases = self_cases(index)
    found = []
    for name in rankings:
        gains = _gains_by(cases, index.weights) if name == "default" else _gains(cases, RANKINGS[name])
        interval = bootstrap_interval(gains)
        found.append(SelfQuality(name, len(gains), float(gains.mean()), interval, float((gains == 1).mean())))
    return found


def tune(
    index: str | os.PathLike[str],
    *,
    judged: str | os.PathLike[str] | None = None,
    trust_self: bool = False,
    reset: bool = False,
) -> TuneReport:
    """Learn weights for an archive, and publish them if they hold up; later builds keep them.

    They are learnt on one half of the complaints and kept if they do significantly better on the other half. Open
    searches continue undisturbed.

    Args:
        index: the index folder.
        judged: a judged set of this archive to learn from; None for complaints made from the archive's own posts.
        trust_self: keep weights that were learnt without judgements, too.
        reset: go back to the default weights.

    Raises:
        IndexFolderError: if there is no index, it is damaged, or another build is writing to it.
        DatasetError: if the judged set cannot be used.
        QueryError: if the archive is too small to learn from.
    """
    require_folder(index)
    require_flags(trust_self=trust_self, reset=reset)
    require_paths(judged=judged)
    folder = IndexFolder(index)
    with SearchIndex.open(index) as opened, folder.writing():
        manifest = opened.generation.manifest
        default = UNREAD_WEIGHTS if Languages.of_manifest(manifest).unreadable else DEFAULT_WEIGHTS
        if reset:
            if manifest.ranking.tuned or dict(opened.weights) != dict(default):
                _publish(folder, opened, DEFAULT_WEIGHTS, tuned=False)
            return TuneReport("default", False, default, default, 0, 0, 0.0, 0.0, 1.0)
        dataset = None if judged is None else load_dataset(judged)
        cases = self_cases(opened) if dataset is None else judged_cases(opened, dataset)
        learnt = learn_weights(cases[::2], default)
        before, after = (_gains_by(cases[1::2], choice) for choice in (default, learnt))
        p_value = paired_p_value(before, after)
        better = float(after.mean()) > float(before.mean()) and p_value < _SIGNIFICANT
        kept = better and (dataset is not None or trust_self)
        if kept and learnt != dict(opened.weights):
            _publish(folder, opened, learnt, tuned=True)
        return TuneReport(
            source="posts" if dataset is None else dataset.name,
            kept=kept,
            weights=learnt if kept else dict(opened.weights),
            learnt=learnt,
            complaints=len(cases),
            held_out=len(before),
            before=float(before.mean()),
            after=float(after.mean()),
            p_value=p_value,
        )


def learn_weights(cases: Sequence[WeightedView], default: Mapping[str, float] = DEFAULT_WEIGHTS) -> dict[str, float]:
    """Choose weights by coordinate ascent from the defaults: one at a time, as long as a step helps."""
    weights = {"best": 1.0, **dict.fromkeys(_TUNED, 0.0), **default}
    reached = float(_gains_by(cases, weights).mean())
    for _ in range(_ROUNDS):
        before = reached
        for name in _TUNED:
            for step in _STEPS:
                trial = {**weights, name: step}
                gain = float(_gains_by(cases, trial).mean())
                if gain > reached + _LEAST_GAIN:
                    weights, reached = trial, gain
        if reached <= before:
            break
    return {name: weight for name, weight in weights.items() if weight}


def self_cases(index: SearchIndex) -> list[WeightedView]:
    """Make cases from the archive's own posts.

    Raises:
        QueryError: if the archive is too small.
    """
    asked = self_test(index.retriever, index.embedder, index.weights)
    if asked is None or len(asked.answerable) < MIN_QUERIES:
        raise QueryError(
            "the archive is too small to learn from: complaints can be made from fewer than "
            f"{MIN_QUERIES} of its posts. Judge some complaints and name them (judged=FOLDER).",
            parameter="judged",
        )
    return [
        WeightedView(view.values, np.asarray(np.arange(len(view.posts)) == view.own, np.float64), 1.0)
        for view in asked.answerable
    ]


def judged_cases(index: SearchIndex, dataset: Dataset) -> list[WeightedView]:
    """Make cases from a judged set.

    Raises:
        DatasetError: if none of its judged posts is in the index.
    """
    cases = []
    for start in range(0, len(dataset.answerable), _BLOCK):
        queries = dataset.answerable[start : start + _BLOCK]
        texts = [dataset.queries[query] for query in queries]
        complaints = read_queries(index.embedder, texts, index.retriever.analysis, index.retriever.rarities)
        rankings = index.retriever.rank(complaints, _POOL, index.weights)
        for query, complaint, ranked in zip(queries, complaints, rankings, strict=True):
            known = dataset.grades[query]
            names = index.retriever.posts.source_ids(ranked.candidates.posts.tolist())
            grades = [max(known.get(name, 0) for name in names[post]) for post in ranked.candidates.posts.tolist()]
            best = np.sort([max(grade, 0) for grade in known.values()])[::-1][:_DEPTH]
            ideal = float((best * _DISCOUNTS[: len(best)]).sum())
            gained = np.maximum(np.asarray(grades, np.float64), 0)
            cases.append(WeightedView(ranked.signals.values, gained, ideal, complaint.words_lacking))
    if not any(case.grades.any() for case in cases):
        raise DatasetError(f"{dataset.folder}: none of its judged posts is in this index.")
    return cases


def _gains(cases: Sequence[WeightedView], fuse: Fusion) -> Floats:
    return np.asarray([case.ndcg(fuse) for case in cases])


def _gains_by(cases: Sequence[WeightedView], weights: Mapping[str, float]) -> Floats:
    """Return nDCG@10 of each complaint, as a search with these weights has it."""
    fuse, unread = weighted(weights), weighted(by_words(weights))
    return np.asarray([case.ndcg(unread if case.words_lacking else fuse) for case in cases])


def _publish(folder: IndexFolder, index: SearchIndex, weights: Mapping[str, float], *, tuned: bool) -> None:
    """Publish the same posts and vectors under other weights. Confidence does not depend on them."""
    current = folder.current()
    partial = folder.start_generation()
    try:
        current.copy_files(current.file_names, partial)
        manifest = replace(
            current.manifest,
            ranking=RankingRecord(weights, tuned=tuned),
            previous=current.name,
            changes=(),
            history=history_of(current.manifest),
        )
        folder.publish(partial, manifest)
    except BaseException:
        folder.abandon(partial)
        raise
