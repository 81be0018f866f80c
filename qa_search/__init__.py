"""Semantic search over an archive of expert answers.

>>> from qa_search import SearchIndex, build_index
>>> report = build_index(["data/archive/"], "index/")                       # doctest: +SKIP
>>> with SearchIndex.open("index/") as index:                               # doctest: +SKIP
...     result = index.search("sore hamstrings, PT did not help", k=5)
...     print(result.hits[0].title, result.hits[0].highlight.text)

A build: ``archives`` read posts, ``embedders`` make vectors, ``builder`` writes the ``index``.
A search: ``search`` finds hits in the index, ``interfaces`` show them.
``insights``, ``review`` and ``evaluation`` look at both, and ``util`` helps all of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from qa_search.errors import (
    ArchiveError,
    ClusterError,
    CurationError,
    DamagedArchiveError,
    DatasetError,
    FeedbackError,
    FeedbackLimitError,
    IndexClosedError,
    IndexDamagedError,
    IndexFolderError,
    IndexForkedError,
    IndexFormatError,
    IndexLockedError,
    IndexNotFoundError,
    IndexOccupiedError,
    IndexUnreadableError,
    IndexWriteError,
    MissingExtraError,
    ModelError,
    ModelMismatchError,
    ModelNotFoundError,
    NoPostsError,
    QASearchError,
    QueryError,
    QuestionLogError,
    SetAsideError,
    ShrinkError,
    SiteError,
    SourceNotFoundError,
    StoreError,
    StoreGoneError,
    UnclearFieldsError,
    UnknownFormatError,
    VectorIndexError,
)
from qa_search.types import (
    AnswerPart,
    BuildReport,
    CurationInfo,
    Explanation,
    FeedbackInfo,
    FileReport,
    GenerationCheck,
    Highlight,
    Hit,
    IndexInfo,
    IndexSource,
    Inspection,
    LogEntry,
    MissingPost,
    OtherPost,
    Post,
    SearchResult,
    SetAside,
    SignalShare,
    SourceChanges,
    SourceCount,
    Verdict,
    VerifyReport,
)

if TYPE_CHECKING:
    from qa_search.builder.build import build_index, inspect_archives
    from qa_search.builder.generation_writer import Progress
    from qa_search.evaluation.evaluate import Evaluation, evaluate
    from qa_search.evaluation.tuning import TuneReport, tune
    from qa_search.index.history import index_log, undo_index
    from qa_search.index.verify import verify_index
    from qa_search.insights.gaps import Complaint, Gap, GapReport, NearPost, find_gaps
    from qa_search.insights.question_log import LoggedQuestion, QuestionLog, forget_questions, read_questions
    from qa_search.insights.topic_map import Spot, TopicMap, map_topics
    from qa_search.insights.topics import Topic, TopicGroup, TopicPost, TopicReport, find_topics
    from qa_search.interfaces.web.client import AsyncClient, Client, ServiceError
    from qa_search.review.review import Review, review_archive
    from qa_search.search.reranking import Reranker
    from qa_search.search.search_index import SearchIndex

__version__ = "0.1.0"

__all__ = [
    "AnswerPart",
    "ArchiveError",
    "AsyncClient",
    "BuildReport",
    "Client",
    "ClusterError",
    "Complaint",
    "CurationError",
    "CurationInfo",
    "DamagedArchiveError",
    "DatasetError",
    "Evaluation",
    "Explanation",
    "FeedbackError",
    "FeedbackInfo",
    "FeedbackLimitError",
    "FileReport",
    "Gap",
    "GapReport",
    "GenerationCheck",
    "Highlight",
    "Hit",
    "IndexClosedError",
    "IndexDamagedError",
    "IndexFolderError",
    "IndexForkedError",
    "IndexFormatError",
    "IndexInfo",
    "IndexLockedError",
    "IndexNotFoundError",
    "IndexOccupiedError",
    "IndexSource",
    "IndexUnreadableError",
    "IndexWriteError",
    "Inspection",
    "LogEntry",
    "LoggedQuestion",
    "MissingExtraError",
    "MissingPost",
    "ModelError",
    "ModelMismatchError",
    "ModelNotFoundError",
    "NearPost",
    "NoPostsError",
    "OtherPost",
    "Post",
    "Progress",
    "QASearchError",
    "QueryError",
    "QuestionLog",
    "QuestionLogError",
    "Reranker",
    "Review",
    "SearchIndex",
    "SearchResult",
    "ServiceError",
    "SetAside",
    "SetAsideError",
    "ShrinkError",
    "SignalShare",
    "SiteError",
    "SourceChanges",
    "SourceCount",
    "SourceNotFoundError",
    "Spot",
    "StoreError",
    "StoreGoneError",
    "Topic",
    "TopicGroup",
    "TopicMap",
    "TopicPost",
    "TopicReport",
    "TuneReport",
    "UnclearFieldsError",
    "UnknownFormatError",
    "VectorIndexError",
    "Verdict",
    "VerifyReport",
    "__version__",
    "build_index",
    "evaluate",
    "find_gaps",
    "find_topics",
    "forget_questions",
    "index_log",
    "inspect_archives",
    "map_topics",
    "read_questions",
    "review_archive",
    "tune",
    "undo_index",
    "verify_index",
]

_LAZY = {
    "AsyncClient": "interfaces.web.client",
    "Client": "interfaces.web.client",
    "Complaint": "insights.gaps",
    "Evaluation": "evaluation.evaluate",
    "Gap": "insights.gaps",
    "GapReport": "insights.gaps",
    "LoggedQuestion": "insights.question_log",
    "NearPost": "insights.gaps",
    "Progress": "builder.generation_writer",
    "QuestionLog": "insights.question_log",
    "Reranker": "search.reranking",
    "Review": "review.review",
    "SearchIndex": "search.search_index",
    "ServiceError": "interfaces.web.client",
    "Spot": "insights.topic_map",
    "Topic": "insights.topics",
    "TopicGroup": "insights.topics",
    "TopicMap": "insights.topic_map",
    "TopicPost": "insights.topics",
    "TopicReport": "insights.topics",
    "TuneReport": "evaluation.tuning",
    "build_index": "builder.build",
    "evaluate": "evaluation.evaluate",
    "find_gaps": "insights.gaps",
    "find_topics": "insights.topics",
    "forget_questions": "insights.question_log",
    "index_log": "index.history",
    "inspect_archives": "builder.build",
    "map_topics": "insights.topic_map",
    "review_archive": "review.review",
    "read_questions": "insights.question_log",
    "tune": "evaluation.tuning",
    "undo_index": "index.history",
    "verify_index": "index.verify",
}


def __getattr__(name: str) -> Any:
    """Import a name that only builds, measurements and clients need when it is used, so that a search does not wait.

    Raises:
        MissingExtraError: if packages for the clients are not installed.
    """
    if name in _LAZY:
        try:
            return getattr(import_module(f"qa_search.{_LAZY[name]}"), name)
        except ModuleNotFoundError as error:
            if error.name == "httpx2":
                raise MissingExtraError.of("client", f"qa_search.{name}", error.name) from error
            raise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
