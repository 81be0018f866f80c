"""Evaluation: judged sets as they come, measures as trec_eval computes them, an index of the set's own posts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytrec_eval

from qa_search import SearchIndex, build_index
from qa_search.errors import DatasetError, QueryError
from qa_search.evaluation import evaluate as evaluation
from qa_search.evaluation.dataset import MEASURES, load_dataset
from qa_search.evaluation.evaluate import Evaluation, Refusal, evaluate, measure_run, write_run
from qa_search.types import BuildReport
from tests.helpers import WordsEmbedder, write_jsonl

# As BEIR's sets have them; two records of one text, and questions that nobody answered.
CORPUS = [
    {"_id": "knee", "title": "Knee", "text": "My knee clicks when I climb stairs."},
    {"_id": "heel", "title": "", "text": "Stabbing heel in the morning, better after a walk."},
    {"_id": "twin-a", "title": "Wrist", "text": "The wrist aches after typing all day long."},
    {"_id": "twin-b", "title": "Wrist", "text": "The wrist aches after typing all day long."},
    {"_id": "neck", "title": "Neck", "text": "A stiff neck from sleeping badly."},
]
QUERIES = [
    {"_id": "q1", "text": "stabbing heel in the morning"},
    {"_id": "q2", "text": "wrist aches from typing"},
    {"_id": "q3", "text": "when will the tax refund arrive"},
    {"_id": "q4", "text": "never judged"},
]
QRELS = "query-id\tcorpus-id\tscore\nq1\theel\t2\nq1\tknee\t0\nq2\ttwin-b\t1\nq3\tneck\t0\n"


def write_set(folder: Path, qrels: str = QRELS, queries: Sequence[Any] = QUERIES, name: str = "qrels.tsv") -> Path:
    write_jsonl(folder / "queries.jsonl", queries)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(qrels, encoding="utf-8")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def words_index(folder: Path, records: Sequence[Any]) -> SearchIndex:
    model = WordsEmbedder()
    build_index(write_jsonl(folder / "corpus.jsonl", records), folder / "index", model=model, keep_unanswered=True)
    return SearchIndex.open(folder / "index", model=model)


@pytest.mark.parametrize("name", ["qrels.tsv", "qrels/test.tsv"])
@pytest.mark.parametrize("header", ["", "query-id\tcorpus-id\tscore\n"])
@pytest.mark.parametrize("key", ["id", "_id"])
def test_a_set_is_read_in_every_form(tmp_path: Path, key: str, header: str, name: str) -> None:
    """Ids as id or _id, numbers too; judgements here or there, with a header or without."""
    queries = [{key: "q1", "text": "knee"}, {key: 2, "text": "heel"}, {key: "q3", "text": "neck"}]
    found = load_dataset(
        write_set(tmp_path / "some-set", header + "q1\td1\t2\n\n2\td1\t0\r\nq1\td2\t-1\n", queries, name)
    )
    assert found.name == "some-set"
    assert found.queries == {"q1": "knee", "2": "heel", "q3": "neck"}
    assert found.grades == {"q1": {"d1": 2, "d2": -1}, "2": {"d1": 0}}
    assert found.answerable == ["q1"]
    assert found.unanswerable == ["2"]


@pytest.mark.parametrize(
    ("queries", "qrels", "message"),
    [
        (None, QRELS, r"queries\.jsonl: cannot be read"),
        ('{"id": "q1", "text": "a"}\n{"id": "q2"\n', QRELS, r"queries\.jsonl, line 2: expected"),
        ('{"id": "q1", "text": "a"}\n\n["q2", "b"]\n', QRELS, r"queries\.jsonl, line 3: expected"),
        ('{"id": "q1"}\n', QRELS, r"queries\.jsonl, line 1: expected .*text"),
        ('{"id": "q1", "text": 5}\n', QRELS, r"queries\.jsonl, line 1: every complaint needs"),
        ('{"text": "a"}\n', QRELS, r"queries\.jsonl, line 1: every complaint needs"),
        ('{"id": "q1", "text": "a"}\n{"_id": "q1", "text": "b"}\n', QRELS, r"queries\.jsonl, line 2: .* id of its own"),
        ('{"id": "q1", "text": "a"}\n', None, r"no qrels\.tsv and no qrels/test\.tsv"),
        ('{"id": "q1", "text": "a"}\n', "q1\td1\t1\nq1\td2\n", r"qrels\.tsv, line 2: expected query, post and grade"),
        ('{"id": "q1", "text": "a"}\n', "q1\td1\t1\nq1\td2\tgood\n", r"qrels\.tsv, line 2: expected query, post and"),
        ('{"id": "q1", "text": "a"}\n', "h\th\th\nq1\td1\t1\nq9\td2\t1\n", r"qrels\.tsv, line 3: no complaint 'q9'"),
        (b'{"id": "q1", "text": "\xff"}\n', QRELS, r"queries\.jsonl: cannot be read .*utf-8"),
        ('{"id": "q1", "text": "a"}\n', b"q1\td\xff\t1\n", r"qrels\.tsv: cannot be read .*utf-8"),
    ],
)
def test_a_malformed_set_is_told_with_the_place(
    tmp_path: Path, queries: str | bytes | None, qrels: str | bytes | None, message: str
) -> None:
    """The file, and the line where there is one."""
    for name, data in (("queries.jsonl", queries), ("qrels.tsv", qrels)):
        if data is not None:
            (tmp_path / name).write_bytes(data.encode() if isinstance(data, str) else data)
    with pytest.raises(DatasetError, match=message) as raised:
        load_dataset(tmp_path)
    assert str(tmp_path) in str(raised.value)


def test_a_set_that_is_not_there_or_measures_nothing_is_told(tmp_path: Path) -> None:
    """By its folder."""
    with pytest.raises(
        DatasetError,
        match=r"nowhere/queries\.jsonl: cannot be read \(No such file or directory\)\. A judged set is a folder with",
    ):
        load_dataset(tmp_path / "nowhere")
    write_set(tmp_path / "set", "q1\td1\t0\n")
    with pytest.raises(DatasetError, match="set: none of the complaints has a post that answers it"):
        evaluate(tmp_path / "set")
    write_set(tmp_path / "set")
    with pytest.raises(DatasetError, match=r"set: no corpus\.jsonl\. Name the index .* \(index=PATH\)"):
        evaluate(tmp_path / "set", workdir=tmp_path / "work")
    with pytest.raises(QueryError, match="unknown ranking 'best': choose from default, passage"):
        evaluate(tmp_path / "set", rankings=["default", "best"])


def test_measures_are_those_computed_by_hand() -> None:
    """Graded judgements, posts that nobody judged, an answer beyond the tenth place, a complaint without results."""
    grades = {
        "q1": {"a": 3, "b": 1, "c": 0, "d": 2},
        "q2": {"late": 1, "never": 1},
        "q3": {"a": 1},
        "q4": {"first": 1},
    }
    run = {
        "q1": [("x", 0.9), ("b", 0.8), ("a", 0.7), ("c", 0.6)],
        "q2": [(f"n{rank}", 1 - rank / 100) for rank in range(10)] + [("late", 0.5)],
        "q4": [("first", 0.1)],
    }
    found = measure_run(run, grades, ["q1", "q2", "q3", "q4"])
    assert tuple(found) == MEASURES
    ideal = 3 + 2 / math.log2(3) + 1 / 2
    assert found["nDCG@10"] == pytest.approx([(1 / math.log2(3) + 3 / 2) / ideal, 0, 0, 1])
    assert found["MRR@10"] == pytest.approx([1 / 2, 0, 0, 1])
    assert found["hit@1"].tolist() == [0, 0, 0, 1]
    assert found["R@100"] == pytest.approx([2 / 3, 1 / 2, 0, 1])
    assert found["judged@10"][:3] == pytest.approx([3 / 4, 0, 0])


def test_measures_equal_those_of_trec_eval() -> None:
    """On random runs and graded judgements, called directly."""
    rng = np.random.default_rng(11)
    queries = [f"q{number}" for number in range(40)]
    grades: dict[str, dict[str, int]] = {}
    run: dict[str, list[tuple[str, float]]] = {}
    for query in queries:
        judged = rng.choice(200, 12, replace=False)
        grades[query] = {f"d{post}": int(rng.integers(0, 4)) for post in judged} | {f"d{judged[0]}": 1}
        found = rng.choice(200, int(rng.integers(1, 150)), replace=False)
        run[query] = [(f"d{post}", 1 - rank / 256) for rank, post in enumerate(found)]
    deep = pytrec_eval.RelevanceEvaluator(grades, {"ndcg_cut_10", "recall_100", "success_1"})
    shallow = pytrec_eval.RelevanceEvaluator(grades, {"recip_rank"})
    expected = deep.evaluate({query: dict(found) for query, found in run.items()})
    ranks = shallow.evaluate({query: dict(found[:10]) for query, found in run.items()})
    measured = measure_run(run, grades, queries)
    for ours, theirs in (("nDCG@10", "ndcg_cut_10"), ("R@100", "recall_100"), ("hit@1", "success_1")):
        assert measured[ours] == pytest.approx([expected[query][theirs] for query in queries])
        assert 0 < measured[ours].mean() < 1
    assert measured["MRR@10"] == pytest.approx([ranks[query]["recip_rank"] for query in queries])


@pytest.mark.parametrize("answer", ["z", "a"])
def test_posts_of_equal_score_are_measured_in_the_order_in_which_they_are_shown(tmp_path: Path, answer: str) -> None:
    """Whatever their ids: trec_eval by itself would turn ties around by name."""
    other = {"a": "z", "z": "a"}[answer]
    records = [{"id": answer, "text": "knee one two"}, {"id": other, "text": "knee two one"}]
    write_set(tmp_path / "set", f"q\t{answer}\t1\n", [{"id": "q", "text": "knee"}])
    with words_index(tmp_path, records) as index:
        quality = evaluate(tmp_path / "set", index, rankings=["lexical"]).rankings[0]
    assert [post for post, _ in quality.run["q"]] == [answer, other]
    assert quality.means["hit@1"] == 1
    assert quality.means["nDCG@10"] == 1


def test_a_set_is_measured_on_an_index_of_its_own_corpus(tmp_path: Path) -> None:
    """Complaints that nothing answers are no part of the means; of two ids of one text the judged one is named."""
    with words_index(tmp_path, CORPUS) as index:
        found = evaluate(write_set(tmp_path / "set"), index, rankings=["default", "lexical"])
    assert found.queries == 2
    first, second = found.rankings
    assert list(first.run) == ["q1", "q2"]
    assert first.run["q1"][0][0] == "heel"
    assert first.run["q2"][0][0] == "twin-b"
    assert {post for post, _ in first.run["q2"]} == {"knee", "heel", "twin-b", "neck"}
    assert first.means["nDCG@10"] == first.means["hit@1"] == first.means["MRR@10"] == 1
    assert (first.p_value, second.p_value) == (None, 1)
    assert found.refusal is not None
    assert (len(found.refusal.answerable), len(found.refusal.unanswerable)) == (2, 1)


def test_of_two_ids_of_one_text_the_judged_one_counts_among_hits_too(tmp_path: Path) -> None:
    """The same text is no worse an answer because it is shown under its other id."""
    with words_index(tmp_path, CORPUS) as index:
        assert evaluate(write_set(tmp_path / "set"), index).collapsed == 1


def test_the_document_has_what_the_contract_promises(tmp_path: Path) -> None:
    """The set, the number of complaints, and measures from 0 to 1; all of it fits in JSON."""
    with words_index(tmp_path, CORPUS) as index:
        dataset = write_set(tmp_path / "set")
        document = evaluate(dataset, index, rankings=["default", "passage"]).to_dict()
        plain = evaluate(dataset, index, rankings=["lexical"]).to_dict()
    assert json.loads(json.dumps(document)) == document
    assert list(document)[:7] == ["dataset", "queries", "nDCG@10", "MRR@10", "hit@1", "R@100", "judged@10"]
    assert (document["dataset"], document["queries"]) == ("set", 2)
    for figures in (document, document["compared"][0], plain):
        assert set(figures["intervals"]) == set(MEASURES)
        for name in MEASURES:
            assert isinstance(figures[name], float)
            low, high = figures["intervals"][name]
            assert 0 <= low <= figures[name] <= high <= 1
    assert document["compared"][0]["ranking"] == "passage"
    assert 0 < document["compared"][0]["p_value"] <= 1
    assert document["refusal"]["auroc"] == 1
    assert "refusal" not in plain
    assert "nDCG@10 collapsed" not in plain


def test_complaints_of_another_set_can_stand_for_those_without_an_answer(tmp_path: Path) -> None:
    """All of them, instead of the set's own."""
    foreign = write_set(tmp_path / "foreign", "f1\td\t1\n", [{"id": f"f{n}", "text": f"boat {n}"} for n in range(1, 6)])
    with words_index(tmp_path, CORPUS) as index:
        found = evaluate(write_set(tmp_path / "set"), index, foreign=foreign)
    assert found.refusal is not None
    assert len(found.refusal.unanswerable) == 5


def test_refusal_is_counted_as_its_words_say() -> None:
    """Precision of the refused, recall of the unanswerable, and how many lie in each range of confidence."""
    document = Refusal(0.5, np.asarray([0.9, 0.7, 0.4, 1.0]), np.asarray([0.1, 0.3, 0.6])).to_dict()
    assert document["refused_answerable"] == 1 / 4
    assert document["precision"] == pytest.approx(2 / 3)
    assert document["recall"] == pytest.approx(2 / 3)
    assert document["auroc"] == pytest.approx(11 / 12)
    counted = [(item["from"], item["complaints"], item["answerable"]) for item in document["reliability"]]
    assert counted == [(0.0, 1, 0.0), (0.2, 1, 0.0), (0.4, 1, 1.0), (0.6, 2, 0.5), (0.8, 2, 1.0)]
    alone = Refusal(0.5, np.asarray([0.9]), np.asarray([])).to_dict()
    assert set(alone) == {"threshold", "answerable", "unanswerable", "refused_answerable"}


def test_an_index_of_another_archive_is_told(tmp_path: Path) -> None:
    """Rather than measured as 0."""
    with (
        words_index(tmp_path, [{"id": "other", "text": "heel and wrist"}]) as index,
        pytest.raises(DatasetError, match=r"none of its judged posts is found in this index\. Name the index of"),
    ):
        evaluate(write_set(tmp_path / "set"), index)


def test_a_run_is_written_in_the_form_of_trec(tmp_path: Path) -> None:
    """Six columns, ranks from 1, scores that fall; a blank in a post's id is no column."""
    records: list[Mapping[str, str]] = [*CORPUS, {"id": "two words", "text": "Stabbing heel."}]
    with words_index(tmp_path, records) as index:
        quality = evaluate(write_set(tmp_path / "set"), index, rankings=["lexical"]).rankings[0]
    write_run(tmp_path / "run.txt", quality)
    rows = [line.split(" ") for line in (tmp_path / "run.txt").read_text(encoding="utf-8").splitlines()]
    assert all(len(row) == 6 for row in rows)
    assert {(row[1], row[5]) for row in rows} == {("Q0", "lexical")}
    assert "two_words" in {row[2] for row in rows}
    for query in ("q1", "q2"):
        own = [row for row in rows if row[0] == query]
        assert [int(row[3]) for row in own] == list(range(1, 6))
        scores = [float(row[4]) for row in own]
        assert all(one > below for one, below in pairwise(scores))
        # As trec_eval reads them.
        assert len(set(np.asarray(scores, np.float32).tolist())) == len(scores)


@pytest.mark.model
def test_the_index_of_a_sets_own_corpus_is_kept_outside_and_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the packaged model: built once, nothing embedded again, the set's folder as it was."""
    dataset = write_set(tmp_path / "set", name="qrels/test.tsv")
    write_jsonl(dataset / "corpus.jsonl", CORPUS)
    before = contents(dataset)
    reports: list[BuildReport] = []

    def recording(*arguments: Any, **options: Any) -> BuildReport:
        reports.append(build_index(*arguments, **options))
        return reports[-1]

    monkeypatch.setattr(evaluation, "build_index", recording)
    monkeypatch.setenv("QA_SEARCH_CACHE", str(tmp_path / "cache"))
    found: list[Evaluation] = [evaluate(dataset, workdir=tmp_path / "work") for _ in range(2)]
    first, second = reports
    assert first.embedded == first.passages >= 4
    assert (second.embedded, second.reused) == (0, first.passages)
    assert first.posts == 4
    assert first.unanswered == 0
    assert found[0].to_dict() == found[1].to_dict()
    assert found[0].rankings[0].means["hit@1"] == 1
    assert contents(dataset) == before
    assert not (tmp_path / "cache" / "eval").exists()
    with SearchIndex.open(tmp_path / "work") as index:
        assert index.info().counts["posts"] == 4


def test_without_a_workdir_the_index_is_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One folder for each set, also for two of the same name."""
    built: list[Path] = []
    monkeypatch.setattr(evaluation, "build_index", lambda corpus, folder, **options: built.append(Path(folder)))
    monkeypatch.setenv("QA_SEARCH_CACHE", str(tmp_path / "cache"))
    for parent in ("one", "other", "one"):
        dataset = write_set(tmp_path / parent / "set")
        write_jsonl(dataset / "corpus.jsonl", CORPUS)
        assert evaluation.dataset_index(load_dataset(dataset)) == built[-1]
    assert built[0] == built[2] != built[1]
    assert {path.parent for path in built} == {tmp_path / "cache" / "eval"}
