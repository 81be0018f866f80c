"""How many threads this process may compute on, and when it may fork."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from qa_search.errors import QueryError

THREADS_VARIABLE = "QA_SEARCH_THREADS"
_MOST = 1024
_LONGEST_WAIT = 60.0  # seconds until a process forks all the same

P = ParamSpec("P")
T = TypeVar("T")


def configured_threads() -> int:
    """Return the number of threads: QA_SEARCH_THREADS from the environment, else the cores that this process may use.

    Raises:
        QueryError: if the variable is not a valid number of threads.
    """
    text = os.environ.get(THREADS_VARIABLE, "").strip()
    if text:
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= _MOST):
            raise QueryError(f"{THREADS_VARIABLE} must be a number from 1 to {_MOST}, not {text[:40]!r}")
        return int(text)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Gate:
    """Lets a process fork only between computations.

    A thread that is in the middle of one may hold locks of the libraries below, which the child would wait for for
    ever; and numpy's OpenBLAS ends its threads before a fork, so that a product in the parent would never end.
    """

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin with nobody computing."""
        self._changed = threading.Condition()
        self._computing = 0
        self._forking = False
        self._own = threading.local()

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Keep other threads from forking meanwhile."""
        depth = self._depth
        if not depth:
            with self._changed:
                self._changed.wait_for(lambda: not self._forking)
                self._computing += 1
        self._own.depth = depth + 1
        try:
            yield
        finally:
            self._own.depth = depth
            if not depth:
                with self._changed:
                    self._computing = max(self._computing - 1, 0)  # the child of a fork in here began with 0
                    self._changed.notify_all()

    def before_fork(self) -> None:
        """Wait until no other thread computes, for a limited time."""
        with self._changed:
            self._forking = True
            own = 1 if self._depth else 0
            self._changed.wait_for(lambda: self._computing <= own, _LONGEST_WAIT)

    def after_fork(self) -> None:
        """Let the parent continue."""
        with self._changed:
            self._forking = False
            self._changed.notify_all()

    @property
    def _depth(self) -> int:
        depth: int = getattr(self._own, "depth", 0)
        return depth


_gate = _Gate()
if hasattr(os, "register_at_fork"):
    # The child has no thread but its own: it starts with a new gate.
    os.register_at_fork(before=_gate.before_fork, after_in_parent=_gate.after_fork, after_in_child=_gate.start)


def computing(function: Callable[P, T]) -> Callable[P, T]:
    """Keep this process from forking while a function runs."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with _gate.computing():
            return function(*args, **kwargs)

    return run
