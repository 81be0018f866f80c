"""The commands that measure and tune: what a person reads, what a script gets, and the exit status."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from qa_search import build_index
from qa_search.interfaces.cli import cli
from qa_search.search.searchable import SearchableGeneration
from tests.helpers import WordsEmbedder, write_jsonl

MEASURES = ("nDCG@10", "MRR@10", "hit@1", "R@100", "judged@10")
POSTS = 80


def run(*arguments: str | Path, **environment: str) -> Result:
    return CliRunner(env={"NO_COLOR": None, **environment}).invoke(cli, [str(item) for item in arguments])


@pytest.fixture(autouse=True)
def _without_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """An index loads the embedder of words by itself, as it would load a model by its name."""
    monkeypatch.setattr(SearchableGeneration, "_load_embedder", lambda _: WordsEmbedder())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of posts with a rare word each, that no test changes."""
    rng = np.random.default_rng(2)
    words = [" ".join(f"w{word}" for word in row) for row in rng.integers(0, 30, (2 * POSTS, 12))]
    records = [
        {"id": f"p{n}", "question": f"{words[2 * n]} rare{n}", "answer": f"{words[2 * n + 1]} rare{n}"}
        for n in range(POSTS)
    ]
    folder = tmp_path_factory.mktemp("measured")
    build_index(write_jsonl(folder / "posts.jsonl", records), folder / "index", model=WordsEmbedder())
    return folder


@pytest.fixture
def index(built: Path, tmp_path: Path) -> Path:
    """Such an index, beside its archive."""
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    return tmp_path / "index"


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    """A judged set: twenty complaints that are answered and one that is not."""
    queries = [{"id": f"q{n}", "text": f"w1 w2 w3 rare{n}"} for n in range(21)]
    folder = write_jsonl(tmp_path / "judged" / "queries.jsonl", queries).parent
    grades = "".join(f"q{n}\tp{n}\t{int(n < 20)}\n" for n in range(21))
    (folder / "qrels.tsv").write_text(grades, encoding="utf-8")
    return folder


def test_a_script_gets_the_measures_as_one_document(index: Path, judged: Path) -> None:
    """As the contract says, and nothing else on standard output."""
    result = run("eval", judged, "--index", index, "--json", "--compare", "lexical", "--compare", "default")
    assert result.exit_code == 0
    assert result.stderr == ""
    document = json.loads(result.stdout)
    assert list(document)[:7] == ["dataset", "queries", *MEASURES]
    assert (document["dataset"], document["queries"], document["ranking"]) == ("judged", 20, "default")
    assert all(isinstance(document[name], float) and 0 <= document[name] <= 1 for name in MEASURES)
    assert [item["ranking"] for item in document["compared"]] == ["lexical"]


def test_a_person_reads_a_table(index: Path, judged: Path) -> None:
    """A row for each ranking, with its interval, and the p-value of all but the first."""
    result = run("eval", judged, "--index", index, "--compare", "lexical", "--compare", "rrf")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "judged: 20 queries that a post answers"
    assert lines[2].split() == ["ranking", *MEASURES, "nDCG@10,", "95", "%", "p"]
    rows = [line.split() for line in lines[3:6]]
    assert [(row[0], len(row)) for row in rows] == [("default", 7), ("lexical", 8), ("rrf", 8)]
    document = json.loads(run("eval", judged, "--index", index, "--json").stdout)
    assert rows[0][1:6] == [f"{document[name]:.4f}" for name in MEASURES]
    assert rows[0][6] == "{:.4f}-{:.4f}".format(*document["intervals"]["nDCG@10"])
    assert any(line.startswith("telling 1 unanswerable queries apart: AUROC ") for line in lines)


def test_a_run_can_be_written(index: Path, judged: Path, tmp_path: Path) -> None:
    """Of the ranking that was named first."""
    result = run("eval", judged, "--index", index, "--ranking", "whole", "--run", tmp_path / "run.txt")
    assert result.exit_code == 0
    rows = [line.split() for line in (tmp_path / "run.txt").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 20 * POSTS
    assert {(len(row), row[1], row[5]) for row in rows} == {(6, "Q0", "whole")}


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="plots need matplotlib, which is an extra")
def test_the_comparison_can_be_drawn(index: Path, judged: Path, tmp_path: Path) -> None:
    """As a picture; an ending that is no format of pictures is wrong usage."""
    result = run("eval", judged, "--index", index, "--compare", "lexical", "--plot", tmp_path / "plot.png", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["queries"] == 20
    data = (tmp_path / "plot.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(data) > 5_000
    result = run("eval", judged, "--index", index, "--plot", tmp_path / "plot.xyz")
    assert result.exit_code == 2
    assert "plot.xyz: " in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "plot.xyz").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["eval"], 2, "name a DATASET, or give --self"),
        (["eval", "JUDGED", "--self"], 2, "name a DATASET, or give --self"),
        (["eval", "JUDGED", "--ranking", "magic"], 2, "'magic' is not one of"),
        (["eval", "nowhere"], 3, "nowhere/queries.jsonl: cannot be read"),
        (["eval", "JUDGED"], 3, "judged: no corpus.jsonl. Name the index"),
        (["eval", "JUDGED", "--index", "nowhere"], 3, "nowhere: no index in this folder"),
        (["eval", "JUDGED", "--index", "INDEX", "--foreign", "nowhere"], 3, "nowhere/queries.jsonl: cannot be read"),
        (["tune", "--index", "nowhere"], 3, "nowhere: no index in this folder"),
        (["tune", "--index", "INDEX", "--judged", "nowhere"], 3, "nowhere/queries.jsonl: cannot be read"),
    ],
)
def test_what_is_wrong_is_told_with_one_message(
    index: Path, judged: Path, arguments: list[str], status: int, message: str
) -> None:
    """2 is wrong usage, 3 what cannot be used; nothing on standard output."""
    result = run(*({"JUDGED": str(judged), "INDEX": str(index)}.get(item, item) for item in arguments))
    assert result.exit_code == status
    assert result.stdout == ""
    assert message in result.stderr
    assert result.stderr.count("Error: ") == 1
    assert status == 2 or len(result.stderr.splitlines()) == 1


def test_an_archive_is_measured_by_itself(index: Path) -> None:
    """With --self, by complaints made from its posts; as a table or as one document."""
    result = run("eval", "--self", "--index", index, "--compare", "lexical", "--json")
    assert result.exit_code == 0
    default, lexical = json.loads(result.stdout)
    assert [default["ranking"], lexical["ranking"]] == ["default", "lexical"]
    assert list(default) == ["ranking", "complaints", "nDCG@10", "interval", "hit@1"]
    assert default["complaints"] == POSTS
    shown = run("eval", "--self", QA_SEARCH_INDEX=str(index))
    assert shown.exit_code == 0
    assert shown.stdout.startswith(f"{POSTS} queries made from the archive's own posts\n")
    assert f"{default['nDCG@10']:.4f}" in shown.stdout


def test_tune_says_what_it_found(index: Path, judged: Path) -> None:
    """In one document, or in four lines; without judgements the weights are only reported."""
    result = run("tune", "--index", index, "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert (document["source"], document["kept"], document["complaints"]) == ("posts", False, POSTS)
    assert 0 <= document["before"] <= 1
    told = run("tune", "--index", index)
    learnt, held_out, way_on, used = told.stdout.splitlines()
    assert way_on.endswith("name some by --judged, or add --trust-self.")
    assert learnt.startswith(f"Learnt from {POSTS // 2} queries made from the posts: ")
    assert held_out.startswith(f"On {POSTS // 2} held-out queries nDCG@10 goes from {document['before']:.4f} ")
    assert used.startswith("In use still: best 1, whole 0.6, parts 0.6, lexical 0.25.")
    assert "Learnt from 10 queries of judged: " in run("tune", "--index", index, "--judged", judged).stdout


def test_tuned_weights_can_be_trusted_and_reset(index: Path) -> None:
    """And info tells which are in use."""
    document = json.loads(run("tune", "--index", index, "--trust-self", "--json").stdout)
    assert document["kept"]
    ranking = json.loads(run("info", "--index", index, "--json").stdout)["ranking"]
    assert ranking == {"weights": document["learnt"], "tuned": True}
    result = run("tune", "--index", index, "--reset")
    assert (result.exit_code, result.stdout) == (
        0, "In use now: best 1, whole 0.6, parts 0.6, lexical 0.25.\n",
    )  # fmt: skip
    assert run("tune", "--index", index, "--reset", "--quiet").output == ""


@pytest.mark.parametrize("option", ["--run", "--plot"])
def test_a_file_that_cannot_be_written_is_told(index: Path, judged: Path, tmp_path: Path, option: str) -> None:
    """By its name, with the way out, and as wrong usage."""
    result = run("eval", judged, "--index", index, option, tmp_path / "nowhere" / "file.png")
    assert result.exit_code == 2
    assert "nowhere/file.png: cannot be written" in result.stderr
    assert "Name a file in a folder that is there" in result.stderr
