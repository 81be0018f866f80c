"""The manifest of a small index, for tests and benchmarks that write the files of a generation themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qa_search.index.manifest import (
    FORMAT_VERSION,
    CountsRecord,
    FolderManifest,
    GivenEncoder,
    LexicalRecord,
    ModelRecord,
    RankingRecord,
    SplitterRecord,
)
from qa_search.index.stores.records import FlatVectors
from qa_search.search.confidence import GENERAL
from qa_search.search.fusion import DEFAULT_WEIGHTS

_SMALL = FolderManifest(
    format_version=FORMAT_VERSION,
    built_by="devtools",
    created="2026-11-01T00:00:00Z",
    model=ModelRecord("words", "0" * 64, "", 64, 40),
    encoder=GivenEncoder("given"),
    vectors="given-0000000000000000",
    splitter=SplitterRecord(40, 1),
    lexical=LexicalRecord(1, "0" * 32),
    ranking=RankingRecord(DEFAULT_WEIGHTS, tuned=False),
    confidence=GENERAL.to_record(),
    counts=CountsRecord(1, 0, 1, 0, 0),
    vector_index=FlatVectors("flat"),
    generation="",
    files={},
)


def make_manifest(**parts: Any) -> FolderManifest:
    """Return a manifest with some parts of its own."""
    return replace(_SMALL, **parts)
