"""One process that searches for a service: calls that come through pipes -> their results.

A worker has three pipes: of short queries, of long ones, and of what concerns the whole index. Each has a thread, so
that none waits for another. The worker ends when it is asked to, and soon after its service was killed.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from qa_search.errors import QASearchError
from qa_search.interfaces.web.errors import FailedError
from qa_search.util.threads import THREADS_VARIABLE

if TYPE_CHECKING:
    from qa_search.search.search_index import SearchIndex
    from qa_search.search.searchable import Model

# A query that makes the index load everything before the first client waits.
WARM_UP = "warm up"
END = "end"  # what is called to end a worker
# Of the libraries below: they read these when they are loaded.
_LIBRARY_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_LAST_SEARCHES = 2.0  # seconds that searches have to end once the service is gone

log = logging.getLogger("qa_search")

Calls = Mapping[str, Callable[..., Any]]


@dataclass(frozen=True, slots=True)
class Opening:
    """How to open the index of a service: the parameters of `SearchIndex.open`."""

    path: str
    model: Model = None
    feedback: str | None = None

    def open(self) -> SearchIndex:
        """Open the index. Raises as `SearchIndex.open`."""
        from qa_search.search.search_index import SearchIndex  # here, because a worker first says how many threads

        return SearchIndex.open(self.path, model=self.model, feedback=self.feedback)


@dataclass(frozen=True, slots=True)
class Pipes:
    """One side of the pipes between a service and a worker."""

    short: Connection
    long: Connection
    control: Connection

    def close(self) -> None:
        """Close this side."""
        for pipe in (self.short, self.long, self.control):
            pipe.close()


class _Lane:
    """Answers the calls of one pipe on a thread of its own."""

    def __init__(self, pipe: Connection, calls: Calls) -> None:
        self._pipe = pipe
        self._calls = calls
        self._busy = threading.Lock()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        """Answer calls until the pipe closes."""
        _serve(self._pipe, self._calls, self._busy)

    def rests(self, seconds: float) -> bool:
        """Return whether no call runs, or begins from now on; wait so long for one that does."""
        return self._busy.acquire(timeout=seconds)


def run_worker(pipes: Pipes, opening: Opening, threads: int, log_level: int) -> None:
    """Open the index and answer calls until the pipes close.

    The first thing that it sends by the control pipe is either the index's version, or the error that kept it from
    opening the index.
    """
    # A terminal and a service manager signal all processes: the service itself says when its workers end.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.SIG_IGN)
    os.environ[THREADS_VARIABLE] = str(threads)
    for name in _LIBRARY_THREADS:
        os.environ.setdefault(name, str(threads))
    import_module("qa_search.search.search_index")  # before the log is set up: its libraries report how they load
    from qa_search.interfaces.web.logs import set_up_logging

    set_up_logging(log_level)
    threading.Thread(target=_end_with_the_service, daemon=True).start()
    try:
        index = opening.open()
        index.search(WARM_UP, k=1)
    except Exception as error:
        _send(pipes.control, False, error)
        return
    searches: Calls = {"search_many": index.search_many, "similar": index.similar}
    lanes = [_Lane(pipe, searches) for pipe in (pipes.short, pipes.long)]
    _send(pipes.control, True, index.version)
    _serve(pipes.control, {"prepare": index.prepare, "move": lambda: _move(index)}, threading.Lock())
    if all(lane.rests(_LAST_SEARCHES / 2) for lane in lanes):
        index.close()
    os._exit(0)  # whatever still runs


def _end_with_the_service() -> None:
    """End this process soon after the service was killed, even if something hangs here."""
    service = multiprocessing.parent_process()
    if service is not None:
        service.join()
        time.sleep(2 * _LAST_SEARCHES)
        os._exit(1)


def _move(index: SearchIndex) -> object:
    """Move to what was prepared; return the version."""
    index.move()
    return index.version


def _serve(pipe: Connection, calls: Calls, busy: threading.Lock) -> None:
    """Answer calls, one after another, until the other side asks for an end or closes the pipe."""
    while True:
        try:
            name, arguments, options = pipe.recv()
        except (EOFError, OSError):
            return
        if name == END:
            return
        with busy:
            _send(pipe, *_called(calls[name], arguments, options))


def _called(function: Callable[..., Any], arguments: tuple[Any, ...], options: Mapping[str, Any]) -> tuple[bool, Any]:
    """Return whether a function did its work, with its result or its error."""
    try:
        return True, function(*arguments, **options)
    except Exception as error:
        return False, error
    except BaseException as error:  # a panic of a library below
        log.exception("a use of the index failed outside Python")
        return False, FailedError(f"the search failed ({type(error).__name__}); see the service's log")


def _send(pipe: Connection, done: bool, value: Any) -> None:
    """Send a result, or an error that the other side can read."""
    if not done and not _travels(value):
        log.error("the search failed", exc_info=value)
        value = FailedError(f"the search failed ({type(value).__name__}); see the service's log")
    try:
        pipe.send((done, value))
    except OSError:  # the service is gone: the next call finds the pipe closed
        log.debug("nobody waits for this result any more")


def _travels(error: Exception) -> bool:
    """Return whether an error is one of ours, and can be pickled and read again."""
    try:
        return isinstance(pickle.loads(pickle.dumps(error)), QASearchError)  # noqa: S301 - our own bytes
    except Exception:
        return False
