"""The workers of a service: processes that search, as one. Each is replaced when it ends; all move together.

The service itself accepts connections, holds all limits and counts, and reads posts; a worker only searches. So there
is one listener, one queue and one of each limit, however many workers there are, and a query whose worker dies is
still in the service's hands: it is refused (503), never lost.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from qa_search.errors import QASearchError
from qa_search.interfaces.render.commands import message_of
from qa_search.interfaces.web.errors import BusyError
from qa_search.interfaces.web.metrics import Metrics
from qa_search.interfaces.web.worker import END, Opening, Pipes, run_worker
from qa_search.search.search_index import SearchIndex
from qa_search.types import SearchResult

# A worker that ends sooner than this after its start is replaced later each time; so often it may fail to start while
# no other one searches.
_STEADY_SECONDS = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0
_MOST_FAILED_STARTS = 3
# Beyond the time in which a query must be answered: its askers have had their answer (504) by then.
_SLACK_SECONDS = 5.0
_MOST_ATTEMPTS = 5  # to open the same generation, while builds publish others
_END_SECONDS = 3.0  # until a worker that was asked to end is killed

_ENDED = "the process that searched for this has ended: ask again in a moment"

log = logging.getLogger("qa_search")

T = TypeVar("T")
_starting = threading.Lock()  # held by whoever starts or kills a process
OnIndex = Callable[[Callable[[], Any]], Awaitable[Any]]  # runs a use of the index on a thread


class WorkerError(QASearchError):
    """A worker cannot start."""


class Worker:
    """One worker. Its methods block, and each pipe is for one caller at a time."""

    def __init__(self, opening: Opening, threads: int, timeout: float) -> None:
        """Describe a worker: how many threads it computes on, and the seconds that one call may take."""
        self._opening = opening
        self._threads = threads
        self._timeout = timeout
        self._pipes: Pipes | None = None
        self._process: multiprocessing.process.BaseProcess | None = None
        self.version: object = None  # what it answers from; None if that is unknown
        self._started = False
        self._is_over = False  # it was killed, or must not start
        self._reason = ""  # why it was killed

    def lane(self, name: str) -> RemoteSearch:
        """Return what searches for the queries of a lane, by its pipe."""
        return RemoteSearch(self, name, self._timeout)

    @property
    def process(self) -> int | None:
        """The number of its process."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the process, and wait until it can search.

        Raises:
            WorkerError: if it cannot.
        """
        context = multiprocessing.get_context("spawn")
        pairs = [context.Pipe() for _ in range(3)]
        self._pipes, theirs = (Pipes(*ends) for ends in zip(*pairs, strict=True))
        arguments = (theirs, self._opening, self._threads, logging.getLogger().getEffectiveLevel())
        process = context.Process(target=run_worker, args=arguments, name="qa-search-worker", daemon=True)
        try:
            with _starting:
                if self._is_over:
                    raise WorkerError("the service ends")
                process.start()
                self._process = process
        except OSError as error:
            raise WorkerError(f"no process can be started ({error.strerror or error})") from error
        finally:
            theirs.close()
        try:
            done, value = self._pipes.control.recv()
        except (EOFError, OSError):
            self.wait()
            raise WorkerError(f"it ended ({self.how_it_ended()})") from None
        if not done:
            self.kill()
            self.wait()
            raise WorkerError(message_of(value))
        self.version, self._started = value, True

    def ask(self, pipe: str, name: str, *arguments: Any, seconds: float | None = None, **options: Any) -> Any:
        """Call a function of the worker; one that does not answer within some seconds is killed.

        Raises:
            BusyError: if the worker ended, or was killed.
            QASearchError: whatever the function raises.
        """
        try:
            connection: Connection = getattr(self._pipes, pipe)
            with self._killed_after(seconds):  # a process that hangs may not even read the call
                connection.send((name, arguments, options))
                done, value = connection.recv()
        except (EOFError, OSError):
            raise BusyError(_ENDED) from None
        if not done:
            raise value
        return value

    @contextmanager
    def _killed_after(self, seconds: float | None) -> Iterator[None]:
        if seconds is None:
            yield
            return
        limit = threading.Timer(seconds, self.kill, (f"it did not answer within {seconds:g} seconds",))
        limit.daemon = True
        limit.start()
        try:
            yield
        finally:
            limit.cancel()

    def wait(self) -> None:
        """Return when the process has ended."""
        if self._process is not None:
            wait([self._process.sentinel])
            self._process.join()

    def kill(self, reason: str = "") -> None:
        """End the process at once; if it has not begun, it never will."""
        self._reason = self._reason or reason
        with _starting:
            self._is_over = True
            if self._process is not None:
                self._process.kill()

    def end(self) -> None:
        """Let the process end; kill it if it does not."""
        if not self._started:
            self.kill()
        if self._process is None or self._pipes is None:
            return
        with suppress(OSError):
            self._pipes.control.send((END, (), {}))
        self._process.join(_END_SECONDS)
        self.kill()
        self._process.join()

    def how_it_ended(self) -> str:
        """Return how the process ended, for the log."""
        code = None if self._process is None else self._process.exitcode
        if self._reason:
            return self._reason
        if code is not None and code < 0:
            with suppress(ValueError):
                return f"killed by {signal.Signals(-code).name}"
        return f"exit status {code}"


@dataclass(frozen=True, slots=True)
class RemoteSearch:
    """Searches by one pipe of a worker, as a `SearchIndex` does."""

    worker: Worker
    pipe: str
    seconds: float

    def search_many(self, texts: list[str], **options: Any) -> list[SearchResult]:
        """Search as `SearchIndex.search_many` does."""
        found: list[SearchResult] = self._ask("search_many", texts, options)
        return found

    def similar(self, post_id: str, **options: Any) -> SearchResult:
        """Search as `SearchIndex.similar` does."""
        found: SearchResult = self._ask("similar", post_id, options)
        return found

    def _ask(self, name: str, about: object, options: dict[str, Any]) -> Any:
        return self.worker.ask(self.pipe, name, about, seconds=self.seconds, **options)


@dataclass(eq=False)
class Seat:
    """A place for what searches, the service's own index or a worker, and whether it may begin a batch."""

    index: SearchIndex | None = None
    worker: Worker | None = None
    able: bool = False  # it stands on the version that the service answers from
    free: asyncio.Event = field(default_factory=asyncio.Event)

    def searcher(self, lane: str) -> SearchIndex | RemoteSearch:
        """Return what searches for the queries of a lane.

        Raises:
            BusyError: if the worker has ended, and the next one does not search yet.
        """
        if self.index is not None:
            return self.index
        if self.worker is None:
            raise BusyError(_ENDED)
        return self.worker.lane(lane)

    def lost(self, searcher: SearchIndex | RemoteSearch) -> None:
        """Begin no further batch with a worker that did not answer: it has ended, or it ends now."""
        if isinstance(searcher, RemoteSearch) and searcher.worker is self.worker:
            self.free.clear()
            searcher.worker.kill()


def seat_of(index: SearchIndex) -> Seat:
    """Return the seat of an index that searches in this process."""
    seat = Seat(index, able=True)
    seat.free.set()
    return seat


class Workers:
    """All workers of one service. Used on its loop only, but for `kill`."""

    def __init__(self, opening: Opening, count: int, threads: int) -> None:
        """Describe ``count`` workers, each of which computes on so many threads; `start` starts them."""
        self.seats = [Seat() for _ in range(count)]
        self.failure = ""  # why the service must end
        self._opening = opening
        self._threads = threads
        self._timeout = 0.0
        self._metrics = Metrics()
        # Two calls that block for each: one that waits for its end, and one that moves it.
        self._pool = ThreadPoolExecutor(2 * count, thread_name_prefix="qa-search-workers")
        self._processes: dict[Seat, Worker] = {}  # the last one of each seat
        self._tasks: list[asyncio.Task[None]] = []
        self._moving = asyncio.Lock()
        self._complete = asyncio.Event()  # all have started, or the service must end

    async def start(self, index: SearchIndex, timeout: float, metrics: Metrics) -> None:
        """Start the workers of a service that has an index open; return once all can search, or it must end."""
        self._timeout, self._metrics = timeout + _SLACK_SECONDS, metrics
        self._tasks = [asyncio.create_task(self._keep(seat, index)) for seat in self.seats]
        await self._complete.wait()

    @property
    def able(self) -> int:
        """How many workers can search now."""
        return sum(seat.able for seat in self.seats)

    @property
    def problem(self) -> str:
        """What is said of workers that cannot search now, empty if all can."""
        missing = len(self.seats) - self.able
        return f"{missing} of {len(self.seats)} workers cannot search now (see the log)" if missing else ""

    async def follow(self, index: SearchIndex, on_index: OnIndex) -> bool:
        """Move the service's own index and all workers to what answers now, together; return whether that is another.

        All open it first, while the previous one still answers. Then no worker begins a batch until each has moved.

        Raises:
            QASearchError: if one of them cannot open it; nobody has moved then.
        """
        target = await on_index(index.prepare)
        if all(version == target for version in (index.version, *self._versions())):
            return False
        async with self._moving:
            if not await self._prepare(index, on_index):
                return False  # builds follow one another too fast: the next call tries again
            for seat in self.seats:
                seat.free.clear()
            try:
                moved: bool = await on_index(index.move)
                await self._move()
            finally:
                for seat in self.seats:
                    self._let_search(seat, index)
            return moved

    async def _prepare(self, index: SearchIndex, on_index: OnIndex) -> bool:
        """Let all open the same version; return whether they did."""
        for _ in range(_MOST_ATTEMPTS):
            targets = [await on_index(index.prepare)]
            for answer in (await self._each("prepare")).values():
                if isinstance(answer, Exception):
                    raise answer
                targets.append(answer)
            if all(target == targets[0] for target in targets):
                return True
        return False

    async def _move(self) -> None:
        """Let all workers move; one that cannot is out of use until it can."""
        for worker, answer in (await self._each("move")).items():
            worker.version = None if isinstance(answer, Exception) else answer
            if isinstance(answer, Exception):
                log.warning("a worker cannot move to the new index: %s", answer)

    def _versions(self) -> list[object]:
        return [seat.worker.version for seat in self.seats if seat.worker is not None]

    async def _each(self, name: str) -> dict[Worker, Any]:
        """Call a function of each worker; return what it returned or raised.

        A worker that has ended meanwhile is left out: it is replaced.
        """
        workers = [seat.worker for seat in self.seats if seat.worker is not None]
        calls = [self._blocking(partial(worker.ask, "control", name)) for worker in workers]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        found = zip(workers, answers, strict=True)
        return {worker: answer for worker, answer in found if not isinstance(answer, BusyError)}

    def _let_search(self, seat: Seat, index: SearchIndex) -> None:
        """Let a worker begin batches if it stands where the service does; if it does not, `follow` moves it."""
        seat.able = seat.worker is not None and seat.worker.version == index.version
        if seat.able:
            seat.free.set()
        else:
            seat.free.clear()
        self._metrics.workers(self.able)

    async def _keep(self, seat: Seat, index: SearchIndex) -> None:
        """Keep a worker in a seat."""
        failures = early = 0  # in a row: starts that failed, workers that ended soon
        while not self.failure:
            worker = self._processes[seat] = Worker(self._opening, self._threads, self._timeout)
            try:
                await self._blocking(worker.start)
            except Exception as error:  # such as no room for a thread: the seat must not stay empty in silence
                failures += 1
                self._report(failures, error)
            else:
                failures, since = 0, time.monotonic()
                await self._use(seat, worker, index)
                early = 0 if time.monotonic() - since > _STEADY_SECONDS else early + 1
            self._metrics.worker_ended()
            await asyncio.sleep(_pause(failures + early))

    async def _use(self, seat: Seat, worker: Worker, index: SearchIndex) -> None:
        """Let a worker search until it ends."""
        async with self._moving:
            seat.worker = worker
            self._let_search(seat, index)
        if all(each.worker is not None for each in self.seats):
            self._complete.set()
        await self._blocking(worker.wait)
        seat.worker = None
        self._let_search(seat, index)
        log.warning("worker %s has ended (%s), and is replaced", worker.process, worker.how_it_ended())

    def _report(self, failures: int, error: Exception) -> None:
        """Report a start that failed; where nothing else searches, too many of them end the service."""
        log.warning("a worker cannot start: %s", error)
        if failures >= _MOST_FAILED_STARTS and not self.able:
            self.failure = f"no worker can start, after {failures} attempts: {error}"
            self._complete.set()

    async def stop(self) -> None:
        """Let the workers end; kill those that do not."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(asyncio.to_thread(worker.end) for worker in self._processes.values()))
        self._pool.shutdown(wait=False, cancel_futures=True)

    def kill(self) -> None:
        """End all processes at once, from any thread."""
        for worker in list(self._processes.values()):
            worker.kill()

    async def _blocking(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)


def _pause(failures: int) -> float:
    """Return the seconds until the next start, after so many failures in a row."""
    return min(_FIRST_PAUSE * 2.0 ** min(failures, 20), _LONGEST_PAUSE) if failures else 0.0
