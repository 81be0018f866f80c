"""Semantic search over an archive of expert answers.

>>> from qa_search import SearchIndex, build_index
>>> report = build_index(["data/archive/"], "index/")                       # doctest: +SKIP
>>> with SearchIndex.open("index/") as index:                               # doctest: +SKIP
...     result = index.search("sore hamstrings, PT did not help", k=5)
...     print(result.hits[0].title, result.hits[0].highlight.text)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qa_search.errors import (
    ArchiveError,
    DamagedArchiveError,
    IndexDamagedError,
    IndexFolderError,
    IndexFormatError,
    IndexLockedError,
    IndexNotFoundError,
    IndexWriteError,
    ModelError,
    ModelMismatchError,
    ModelNotFoundError,
    NoPostsError,
    QASearchError,
    QueryError,
    SetAsideError,
    SourceNotFoundError,
    UnknownFormatError,
)
from qa_search.search import SearchIndex
from qa_search.types import (
    AnswerPart,
    BuildReport,
    Highlight,
    Hit,
    IndexInfo,
    MissingPost,
    Post,
    SearchResult,
    SetAside,
    SourceCount,
)

if TYPE_CHECKING:
    from qa_search.build import Progress, build_index

__all__ = [
    "AnswerPart",
    "ArchiveError",
    "BuildReport",
    "DamagedArchiveError",
    "Highlight",
    "Hit",
    "IndexDamagedError",
    "IndexFolderError",
    "IndexFormatError",
    "IndexInfo",
    "IndexLockedError",
    "IndexNotFoundError",
    "IndexWriteError",
    "MissingPost",
    "ModelError",
    "ModelMismatchError",
    "ModelNotFoundError",
    "NoPostsError",
    "Post",
    "Progress",
    "QASearchError",
    "QueryError",
    "SearchIndex",
    "SearchResult",
    "SetAside",
    "SetAsideError",
    "SourceCount",
    "SourceNotFoundError",
    "UnknownFormatError",
    "build_index",
]

_OF_BUILDING = ("Progress", "build_index")


def __getattr__(name: str) -> Any:
    """Import what only a build needs when it is asked for: a search should not wait for the archive readers."""
    if name in _OF_BUILDING:
        from qa_search import build

        return getattr(build, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
