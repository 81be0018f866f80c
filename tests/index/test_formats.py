"""Indexes of every format there has been: those that are still read give the same answers, the others are refused."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from qa_search import SearchIndex, build_index, verify_index
from qa_search.errors import IndexFormatError
from qa_search.index.folder import FORMAT_VERSION, READABLE_VERSIONS
from tests.helpers import SAMPLE_ARCHIVE, WordsEmbedder

INDEXES = Path(__file__).parent.parent / "indexes"
OLDER = sorted(set(range(1, FORMAT_VERSION)) - set(READABLE_VERSIONS))


def unpack(version: int, target: Path) -> Path:
    with zipfile.ZipFile(INDEXES / f"format-{version}.zip") as archive:
        archive.extractall(target)
    return target / "index"


def pages(target: Path) -> Path:
    """Copy the pages that the indexes were built from, and two more."""
    for path in sorted(SAMPLE_ARCHIVE.iterdir())[:26]:
        (target / "pages").mkdir(exist_ok=True)
        shutil.copy(path, target / "pages")
    return target / "pages"


def without_confidence(result: dict[str, Any]) -> dict[str, Any]:
    """A result without what depends on the rule of confidence, which is the program's and not the index's."""
    hits = [{name: value for name, value in hit.items() if name != "confidence"} for hit in result["hits"]]
    return {**result, "confidence": None, "answered": None, "hits": hits}


@pytest.mark.parametrize("version", READABLE_VERSIONS)
def test_an_index_of_this_format_answers_as_it_did(version: int, tmp_path: Path) -> None:
    """The index is one that was written then, and so are the answers; how sure they are is judged as it is today."""
    index = unpack(version, tmp_path)
    expected = json.loads((tmp_path / "expected.json").read_bytes())
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        assert opened.info().format_version == version
        for complaint, result in expected.items():
            found = opened.search(complaint, k=3).to_dict()
            assert 0 <= found["confidence"] <= 1
            del found["took_ms"]
            assert without_confidence(found) == without_confidence(result)
    assert verify_index(index).ok


@pytest.mark.parametrize("version", READABLE_VERSIONS)
def test_an_index_of_this_format_is_built_upon(version: int, tmp_path: Path) -> None:
    """A build reuses its vectors and leaves the format of today."""
    index = unpack(version, tmp_path)
    report = build_index(pages(tmp_path), index, model=WordsEmbedder())
    assert report.reused >= 335
    assert report.embedded < 100
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        assert opened.info().format_version == FORMAT_VERSION
    assert verify_index(index).ok


@pytest.mark.parametrize("version", OLDER)
def test_an_index_of_an_older_format_is_refused_by_name(version: int, tmp_path: Path) -> None:
    """With the command that builds it again, which works."""
    index = unpack(version, tmp_path)
    with pytest.raises(IndexFormatError, match=rf"index format {version};.*Build the index again: qa-search build"):
        SearchIndex.open(index)
    build_index(pages(tmp_path), index, model=WordsEmbedder())
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        assert opened.search("heel hurts in the morning", k=1).hits
