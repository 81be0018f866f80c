"""Indexes of every format that there has been: some are read and answer as they did, the others are refused by name."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from qa_search import SearchIndex, build_index, verify_index
from qa_search.errors import IndexFormatError
from qa_search.index.manifest import FORMAT_VERSION, READ_FORMATS
from tests.helpers import ROOT, SAMPLE_ARCHIVE, WordsEmbedder, seal

INDEXES = ROOT / "tests" / "indexes"
# Indexes as they were written then; of formats without one, only the number is changed.
KEPT = (1, 2)
OTHERS = (*KEPT, 3, 4, FORMAT_VERSION + 1)


def unpack(version: int, target: Path) -> Path:
    with zipfile.ZipFile(INDEXES / f"format-{version}.zip") as archive:
        archive.extractall(target)
    return target / "index"


def index_of(version: int, target: Path) -> Path:
    """Return an index of another format, or one that claims to be."""
    if version in KEPT:
        return unpack(version, target)
    index = unpack(FORMAT_VERSION, target)
    seal(index, lambda manifest: manifest.update(format_version=version))
    return index


def pages(target: Path) -> Path:
    """Copy the pages that the indexes were built from, and two more."""
    for path in sorted(SAMPLE_ARCHIVE.iterdir())[:26]:
        (target / "pages").mkdir(exist_ok=True)
        shutil.copy(path, target / "pages")
    return target / "pages"


RANKED = ("rank", "score", "confidence", "newer", "repeated_by")


def texts_of(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The hits of a result by their ids, without what the program ranks and judges, and not the index."""
    hits = result["hits"]
    return {hit["post_id"]: {name: value for name, value in hit.items() if name not in RANKED} for hit in hits}


@pytest.mark.parametrize("version", READ_FORMATS)
def test_an_index_of_a_known_format_answers_as_it_did(version: int, tmp_path: Path) -> None:
    """The index is one that was written then, and so are the answers; they are ranked and judged as today."""
    index = unpack(version, tmp_path)
    expected = json.loads((tmp_path / "expected.json").read_bytes())
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        assert opened.info().format_version == version
        for complaint, result in expected.items():
            found = opened.search(complaint, k=3).to_dict()
            assert 0 <= found["confidence"] <= 1
            before, now = texts_of(result), texts_of(found)
            both = before.keys() & now.keys()
            assert both
            assert {post: before[post] for post in both} == {post: now[post] for post in both}
    assert verify_index(index).ok


@pytest.mark.parametrize("version", READ_FORMATS)
def test_an_index_of_a_known_format_is_built_upon(version: int, tmp_path: Path) -> None:
    """A build reuses its vectors."""
    index = unpack(version, tmp_path)
    report = build_index(pages(tmp_path), index, model=WordsEmbedder(), allow_shrink=True)  # of another folder
    assert report.reused >= 335
    assert report.embedded < 100
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        assert opened.info().format_version == FORMAT_VERSION
    assert verify_index(index).ok


@pytest.mark.parametrize("version", OTHERS)
def test_an_index_of_another_format_is_refused_by_name(version: int, tmp_path: Path) -> None:
    """With the command that builds it again, which works."""
    index = index_of(version, tmp_path)
    with pytest.raises(
        IndexFormatError,
        match=rf"index format {version}; .* reads formats 5, 6 and 7\. Build the index again: build_index",
    ):
        SearchIndex.open(index)
    build_index(pages(tmp_path), index, model=WordsEmbedder())
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        assert opened.search("heel hurts in the morning", k=1).hits
