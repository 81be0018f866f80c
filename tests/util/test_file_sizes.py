"""Files that are read whole: how large they may be."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from qa_search.embedders.locate import require_no_code
from qa_search.errors import (
    CurationError,
    DatasetError,
    FeedbackError,
    ModelError,
    QASearchError,
    QuestionLogError,
    SiteError,
)  # fmt: skip
from qa_search.evaluation.dataset import load_dataset
from qa_search.insights.question_log import read_questions
from qa_search.interfaces.web.site import read_site
from qa_search.search.curation import read_curation
from qa_search.search.feedback import read_votes
from qa_search.util.files import read_file
from tests.helpers import ROOT

TERABYTES = 200 << 30
READERS: dict[str, tuple[Callable[[Path], object], type[QASearchError]]] = {
    "curation.toml": (read_curation, CurationError),
    "feedback.jsonl": (read_votes, FeedbackError),
    "site.toml": (read_site, SiteError),
    "questions.db": (lambda path: list(read_questions(path)), QuestionLogError),
    "queries.jsonl": (lambda path: load_dataset(path.parent), DatasetError),
    "config.json": (lambda path: require_no_code(path.parent), ModelError),
}


@pytest.mark.parametrize("name", READERS)
def test_a_file_that_claims_terabytes_is_refused_by_name(tmp_path: Path, name: str) -> None:
    """It is not read: nobody has the time, and nobody the memory."""
    path = tmp_path / name
    with path.open("wb") as stream:
        stream.truncate(TERABYTES)
    read, error = READERS[name]
    with pytest.raises(error, match=name):
        read(path)


def test_a_file_may_have_just_as_many_bytes_as_are_read(tmp_path: Path) -> None:
    """One more is an error that says how many there may be."""
    path = tmp_path / "a.json"
    path.write_bytes(b"x" * 1000)
    assert read_file(path, 1000) == b"x" * 1000
    with pytest.raises(OSError, match="larger than 999 bytes"):
        read_file(path, 999)


def test_every_file_is_read_with_a_bound() -> None:
    """No module reads a file of somebody's whole but by `read_file`, which wants to know how large it may be."""
    own = {"qa_search/embedders/closeness.py"}  # reads a file of the package
    found = set()
    for path in (ROOT / "qa_search").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            # Those of an archive's file take the limits.
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args:
                found |= {path.relative_to(ROOT).as_posix()} if node.func.attr in {"read_text", "read_bytes"} else set()
    assert found == own
