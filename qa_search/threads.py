"""How many threads this process may compute on."""

from __future__ import annotations

import os

from qa_search.errors import QueryError

THREADS_VARIABLE = "QA_SEARCH_THREADS"
_MOST = 1024


def configured_threads() -> int:
    """Return what the environment variable QA_SEARCH_THREADS says, else how many cores this process may use.

    Raises:
        QueryError: if it says anything but a number of threads.
    """
    text = os.environ.get(THREADS_VARIABLE, "").strip()
    if text:
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= _MOST):
            raise QueryError(f"{THREADS_VARIABLE} must be a number from 1 to {_MOST}, not {text[:40]!r}")
        return int(text)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
