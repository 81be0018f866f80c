"""Why a service cannot answer a query: the errors beside those of the index."""

from __future__ import annotations

from qa_search.errors import QASearchError


class BusyError(QASearchError):
    """Too many queries wait: ask again in a moment."""


class SlowError(QASearchError):
    """A query was not answered in time."""


class FailedError(QASearchError):
    """The service met an unexpected error; the log has the details."""
