"""Every error that qa_search raises on purpose.

::

    QASearchError
    ├── QueryError              what was asked cannot be searched for (also a ValueError)
    ├── ArchiveError            a source cannot be used
    │   ├── SourceNotFoundError     it is not there
    │   ├── UnknownFormatError      no reader knows it
    │   ├── UnclearFieldsError      no question or answer is found in it, though a field could hold one
    │   ├── DamagedArchiveError     it breaks off or contradicts itself in the middle
    │   ├── NoPostsError            it was read, and there is nothing to index
    │   └── SetAsideError           a post would be set aside, and ``strict`` forbids that
    ├── ClusterError            a Ray cluster cannot be used
    ├── DatasetError            a judged set cannot be used
    ├── ModelError              an embedding model cannot be used
    │   ├── ModelNotFoundError      it is not on this machine
    │   └── ModelMismatchError      it is not the one that the index was made with
    └── IndexFolderError        an index folder cannot be used
        ├── IndexNotFoundError      there is no index in it
        ├── IndexDamagedError       files are missing or are not what the manifest says
        ├── IndexFormatError        it was written by a version of qa_search that this one cannot read
        ├── IndexForkedError        it was opened before this process was forked
        ├── IndexLockedError        another build is writing to it
        ├── VectorIndexError        no vector index keeps to the memory or the recall that was asked for
        ├── IndexWriteError         it cannot be written to (read-only, disk full, ...)
        └── StoreError              a database that holds an index cannot be used
            └── StoreGoneError          later builds took away the generation that was open

Each message says what is wrong, where, and what to do about it.
"""

from __future__ import annotations

from typing import Self

__all__ = [
    "ArchiveError",
    "ClusterError",
    "DamagedArchiveError",
    "DatasetError",
    "IndexDamagedError",
    "IndexFolderError",
    "IndexForkedError",
    "IndexFormatError",
    "IndexLockedError",
    "IndexNotFoundError",
    "IndexWriteError",
    "ModelError",
    "ModelMismatchError",
    "ModelNotFoundError",
    "NoPostsError",
    "QASearchError",
    "QueryError",
    "SetAsideError",
    "SourceNotFoundError",
    "StoreError",
    "StoreGoneError",
    "UnclearFieldsError",
    "UnknownFormatError",
    "VectorIndexError",
]


class QASearchError(Exception):
    """The root: catch this to catch everything that qa_search raises on purpose."""


class QueryError(QASearchError, ValueError):
    """What was asked cannot be searched for: an empty text, k below 1, a date that is none."""


class ArchiveError(QASearchError):
    """A source cannot be used. ``place`` and ``reason`` say where in it and why, without the way out."""

    def __init__(self, message: str, *, place: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.place = place
        self.reason = reason or message


class SourceNotFoundError(ArchiveError):
    """A source is not there."""


class UnknownFormatError(ArchiveError):
    """No reader knows a source's format, or its records have none of the fields of a post."""


class UnclearFieldsError(ArchiveError):
    """No record of a source has a question (or an answer), while a field that is not used could hold it."""


class DamagedArchiveError(ArchiveError):
    """A file of a known format breaks off or contradicts itself, so that what follows is unreadable."""


class NoPostsError(ArchiveError):
    """Sources were read, and they hold nothing to index."""


class SetAsideError(ArchiveError):
    """A post cannot be read, and ``strict`` says to stop then."""


class ClusterError(QASearchError):
    """A Ray cluster cannot be used, or was lost. What was embedded on it so far is kept."""


class DatasetError(QASearchError):
    """A judged set has a file missing or a line that cannot be read, or does not belong to the index."""


class ModelError(QASearchError):
    """An embedding model cannot be used."""


class ModelNotFoundError(ModelError):
    """An embedding model is not on this machine."""


class ModelMismatchError(ModelError):
    """An embedding model is not the one that the index was made with."""


class IndexFolderError(QASearchError):
    """An index folder cannot be used."""


class IndexNotFoundError(IndexFolderError):
    """There is no index in the folder."""


class IndexDamagedError(IndexFolderError):
    """Files of the index are missing or are not what its manifest says."""

    @classmethod
    def told(cls, index: object, what: object) -> Self:
        """Make the error with the ways out; ``what`` names the file and what is wrong with it."""
        return cls(
            f"{what}. Build the index again: qa-search build --index {index} (qa-search verify says what else is "
            "damaged, and can go back to the index before)"
        )


class IndexFormatError(IndexFolderError):
    """The index was written in a format that this version cannot read."""


class IndexForkedError(IndexFolderError):
    """The index was opened by the process that this one was forked from."""


class IndexLockedError(IndexFolderError):
    """Another build is writing to the index folder."""


class VectorIndexError(IndexFolderError):
    """No vector index keeps to what was asked for: its memory, or how much it must find."""


class IndexWriteError(IndexFolderError):
    """The index folder cannot be written to; what answered before still answers."""


class StoreError(IndexFolderError):
    """A database that holds an index cannot be reached, or refuses what it is asked."""


class StoreGoneError(StoreError):
    """Later builds took away the generation that was open: refresh the index, or open it again."""
