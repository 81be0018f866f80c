"""All errors that qa_search raises on purpose.

::

    QASearchError
    ├── QueryError              the query or a parameter is invalid (also a ValueError)
    ├── ArchiveError            a source cannot be used
    │   ├── SourceNotFoundError     it does not exist
    │   ├── UnknownFormatError      no reader recognises it
    │   ├── UnclearFieldsError      no question or answer is found in it, though a field could hold one
    │   ├── DamagedArchiveError     it is truncated or inconsistent
    │   ├── NoPostsError            it contains nothing to index
    │   ├── SetAsideError           a post would be set aside, and ``strict`` forbids that
    │   └── ShrinkError             too many of the previous posts would be lost, or get other ids
    ├── ClusterError            a Ray cluster cannot be used
    ├── CurationError           the archivist's file (curation.toml) is invalid
    ├── DatasetError            a judged set cannot be used
    ├── FeedbackError           feedback, or its file (feedback.jsonl), is invalid or cannot be written
    │   └── FeedbackLimitError      a client has given too much of it today
    ├── MissingExtraError       packages of an optional extra are not installed
    ├── SiteError               the file that describes a site (site.toml) is invalid
    ├── ModelError              an embedding model cannot be used
    │   ├── ModelNotFoundError      it is not on this machine
    │   └── ModelMismatchError      it is not the one that made the index
    ├── QuestionLogError        a log of questions cannot be used
    └── IndexFolderError        an index folder cannot be used
        ├── IndexNotFoundError      it contains no index
        ├── IndexClosedError        it was closed (also a ValueError)
        ├── IndexDamagedError       files are missing, or differ from what the manifest records
        ├── IndexUnreadableError    files cannot be read now (permissions, open files, space); they may be intact
        ├── IndexOccupiedError      it contains other files, so nothing is built in it
        ├── IndexFormatError        its format is unsupported by this version
        ├── IndexForkedError        it was opened before this process was forked
        ├── IndexLockedError        another build is writing to it
        ├── VectorIndexError        no vector index meets the limit of memory or the recall
        ├── IndexWriteError         it cannot be written to (read-only, disk full, ...)
        └── StoreError              a database that holds an index cannot be used
            └── StoreGoneError          later builds removed the open generation

Each message says what is wrong, where, and what to do about it. It names parameters as Python does: an invalid one
stands first, with a colon. A remedy is written as in Python: ``keep_unanswered=True``, ``Limits.files``,
``build_index(SOURCES, 'index')``. The command line puts its options and commands in their place
(`qa_search.interfaces.render.commands`). The remarks and notes of a report follow the same rule.
"""

from __future__ import annotations

from typing import Self

__all__ = [
    "ArchiveError",
    "ClusterError",
    "CurationError",
    "DamagedArchiveError",
    "DatasetError",
    "FeedbackError",
    "FeedbackLimitError",
    "IndexClosedError",
    "IndexDamagedError",
    "IndexFolderError",
    "IndexForkedError",
    "IndexFormatError",
    "IndexLockedError",
    "IndexNotFoundError",
    "IndexOccupiedError",
    "IndexUnreadableError",
    "IndexWriteError",
    "MissingExtraError",
    "ModelError",
    "ModelMismatchError",
    "ModelNotFoundError",
    "NoPostsError",
    "QASearchError",
    "QueryError",
    "QuestionLogError",
    "SetAsideError",
    "ShrinkError",
    "SiteError",
    "SourceNotFoundError",
    "StoreError",
    "StoreGoneError",
    "UnclearFieldsError",
    "UnknownFormatError",
    "VectorIndexError",
]


class QASearchError(Exception):
    """The root: catch this to catch everything that qa_search raises on purpose.

    ``parameter`` is the name of the parameter that is invalid or that offers a way out; None if there is not one.
    """

    def __init__(self, message: str, *, parameter: str | None = None) -> None:
        super().__init__(message)
        self.parameter = parameter


class QueryError(QASearchError, ValueError):
    """A query or a parameter is invalid: an empty text, k below 1, an invalid date."""


class ArchiveError(QASearchError):
    """A source cannot be used. ``place`` and ``reason`` say where in it and why, without the way out."""

    def __init__(self, message: str, *, place: str = "", reason: str = "", parameter: str | None = None) -> None:
        super().__init__(message, parameter=parameter)
        self.place = place
        self.reason = reason or message


class SourceNotFoundError(ArchiveError):
    """A source does not exist."""


class UnknownFormatError(ArchiveError):
    """No reader recognises a source's format, or its records have none of the fields of a post."""


class UnclearFieldsError(ArchiveError):
    """No record of a source has a question (or an answer), while a field that is not used could hold it."""


class DamagedArchiveError(ArchiveError):
    """A file of a known format is truncated or inconsistent, so that the rest is unreadable."""


class NoPostsError(ArchiveError):
    """The sources contain nothing to index."""


class SetAsideError(ArchiveError):
    """A post cannot be read, and ``strict`` forbids to set it aside."""


class ShrinkError(ArchiveError):
    """A build would remove, or give other ids to, more of the previous posts than is allowed."""


class ClusterError(QASearchError):
    """A Ray cluster cannot be used, or was lost. The vectors that it computed so far are kept."""


class CurationError(QASearchError):
    """The archivist's file is invalid. The message names the key and what is expected there."""


class FeedbackError(QASearchError):
    """Feedback is invalid or not asked for, or its file has an invalid line or cannot be read or written to."""


class FeedbackLimitError(FeedbackError):
    """A client has given as much feedback today as the archivist allows."""


class DatasetError(QASearchError):
    """A judged set lacks a file, has an invalid line, or does not belong to the index."""


class SiteError(QASearchError):
    """The file that describes a site (site.toml) cannot be read, or has an unknown key or an invalid value."""


class MissingExtraError(QASearchError):
    """Packages of an optional extra are not installed. The message has the command that installs them."""

    @classmethod
    def of(cls, extra: str, user: str, package: str | None = None) -> Self:
        """Make the error for an extra of qa_search, what needs it, and the package that was not found."""
        missing = f" ({package})" if package else ""
        return cls(f"{user} needs packages that are not installed{missing}: {install_command(extra)}")


def install_command(extra: str) -> str:
    """Return the command that installs an extra."""
    return f"pip install 'qa-search[{extra}]'"


class ModelError(QASearchError):
    """An embedding model cannot be used."""


class ModelNotFoundError(ModelError):
    """An embedding model is not on this machine."""


class ModelMismatchError(ModelError):
    """An embedding model is not the one that made the index."""


class QuestionLogError(QASearchError):
    """A log of questions cannot be read or written. Answers are not affected."""


class IndexFolderError(QASearchError):
    """An index folder cannot be used."""


class IndexNotFoundError(IndexFolderError):
    """The folder contains no index."""


class IndexClosedError(IndexFolderError, ValueError):
    """The index was closed before; open it again to search."""


class IndexDamagedError(IndexFolderError):
    """Files of the index are missing, or differ from what its manifest records."""

    @classmethod
    def of(cls, index: object, damage: object) -> Self:
        """Make the error for an index folder, with its remedy; ``damage`` names the file and what is wrong with it."""
        place = repr(str(index))
        return cls(
            f"{damage}. Build the index again: build_index(SOURCES, {place}) (verify_index({place}) lists all damage "
            "and can go back to the previous generation)"
        )


class IndexUnreadableError(IndexFolderError):
    """Files of the index cannot be read now; they may be intact.

    The system did not allow it, or lacks open files, memory or space for temporary files.
    """


class IndexOccupiedError(IndexFolderError):
    """The folder contains other files and no index. Nothing was written to it."""


class IndexFormatError(IndexFolderError):
    """The format of the index is unsupported by this version."""


class IndexForkedError(IndexFolderError):
    """The parent process opened the index, and this process was forked from it."""


class IndexLockedError(IndexFolderError):
    """Another build is writing to the index folder."""


class VectorIndexError(IndexFolderError):
    """No vector index meets the limit of memory or the required recall."""


class IndexWriteError(IndexFolderError):
    """The index folder cannot be written to. The previous generation still answers."""


class StoreError(IndexFolderError):
    """A database with an index cannot be reached, or refuses a statement."""


class StoreGoneError(StoreError):
    """Later builds removed the open generation. Refresh the index, or open it again."""
