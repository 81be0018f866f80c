"""One open index that answers many callers: simultaneous queries are searched together."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import chain
from typing import TypeVar

from qa_search.errors import QASearchError
from qa_search.insights.question_log import QuestionLog
from qa_search.interfaces.render.commands import message_of
from qa_search.interfaces.web.errors import BusyError, FailedError, SlowError
from qa_search.interfaces.web.metrics import Metrics
from qa_search.interfaces.web.worker import WARM_UP
from qa_search.interfaces.web.workers import Seat, Workers, seat_of
from qa_search.search.query import MAX_QUERY_CHARACTERS, SearchParameters
from qa_search.search.search_index import SearchIndex
from qa_search.types import IndexInfo, SearchResult

log = logging.getLogger("qa_search")

MAX_BATCH = 32
# Characters: up to so many a question is short; so many are searched together, and may wait, in all.
_SHORT = 2_000
_BATCH_COST = 20_000  # in characters; a hit costs as much as so many:
_HIT_COST = 100
_WAITING_CHARACTERS = 500_000
_STOP_SECONDS = 2.0
_REPLY_SECONDS = 2.0
_RESTART_SECONDS = 0.1

T = TypeVar("T")


@dataclass(slots=True)
class _Waiting:
    text: str
    parameters: SearchParameters
    characters: int
    answer: asyncio.Future[SearchResult] = field(repr=False)
    like_post: bool = False  # the text is the id of a post
    client: str = ""
    logged: bool = True

    @property
    def cost(self) -> int:
        return question_cost(self.characters, self.parameters.k)


def question_cost(characters: int, k: int) -> int:
    """Return the cost of a query, in characters."""
    return characters + _HIT_COST * k


class _Lane:
    """The queries that wait for what searches: clients take turns, and the queries of each keep their order."""

    def __init__(self, name: str, seats: int = 1) -> None:
        """Make a lane with a thread for each of the seats."""
        self.name = name
        self.queue: list[_Waiting] = []
        self.current: dict[Seat, list[_Waiting]] = {}  # what is being searched
        self.turns: dict[str, int] = {}  # when each client that waits had its last turn
        self.wake = asyncio.Event()
        self.threads = ThreadPoolExecutor(seats, thread_name_prefix=f"qa-search-{name}")

    @property
    def characters(self) -> int:
        return sum(waiting.characters for waiting in self.queue)

    def share(self, seats: int) -> int:
        """Return how many queries are one seat's equal share of those that wait or are being searched."""
        return math.ceil((len(self.queue) + sum(map(len, self.current.values()))) / seats)

    def drop_given_up(self) -> None:
        """Remove queries whose client has gone or got a timeout."""
        self.queue = [waiting for waiting in self.queue if not waiting.answer.done()]

    def next_batch(self, most: int) -> list[_Waiting]:
        """Take the first query, and others with the same parameters, up to a limit of number and length."""
        self.drop_given_up()
        if not self.queue:
            return []
        first = min(self.queue, key=lambda waiting: self.turns.get(waiting.client, -1))
        waits = {waiting.client for waiting in self.queue}
        turn = max(self.turns.values(), default=0) + 1
        self.turns = {client: at for client, at in self.turns.items() if client in waits} | {first.client: turn}
        batch, cost = [first], first.cost
        for other in self.queue:
            if len(batch) >= most or first.like_post or first.characters > _SHORT:
                break
            same = other is not first and other.parameters == first.parameters and not other.like_post
            if same and cost + other.cost <= _BATCH_COST:
                batch.append(other)
                cost += other.cost
        chosen = set(map(id, batch))
        self.queue = [waiting for waiting in self.queue if id(waiting) not in chosen]
        return batch


class SearchService:
    """Answers queries from one index, together if several wait; moves to new generations.

    Short questions have a thread of their own, so that they never wait for long ones. It searches in this process, or
    hands each batch to one of its workers; all else is done here.
    """

    def __init__(
        self,
        index: SearchIndex,
        *,
        max_waiting: int = 256,
        timeout: float = 30.0,
        max_batch: int = MAX_BATCH,
        refresh_seconds: float = 1.0,
        metrics: Metrics | None = None,
        questions: QuestionLog | None = None,
        workers: Workers | None = None,
    ) -> None:
        """Serve an open index.

        Args:
            index: the index; closed by `stop`.
            max_waiting: how many questions may wait; more are refused by `BusyError`.
            timeout: seconds until a waiting question, or another use of the index, is given up by `SlowError`.
            max_batch: how many questions are searched together.
            refresh_seconds: how often to look for a new generation.
            metrics: where to count.
            questions: where to log what is asked and whether it was answered; not closed by `stop`.
            workers: the processes that search, started and ended with the service; None to search in this one.
        """
        self.index = index
        self.metrics = metrics or Metrics(workers=workers is not None)
        self.index_problem = ""  # why a new generation, or the index folder, cannot be opened
        self._questions = questions
        self._max_waiting = max_waiting
        self._timeout = timeout
        self._max_batch = max_batch
        self._refresh_seconds = refresh_seconds
        self._workers = workers
        self._seats = [seat_of(index)] if workers is None else workers.seats
        self._short, self._long = _Lane("short", len(self._seats)), _Lane("long", len(self._seats))
        self._reading = ThreadPoolExecutor(2, thread_name_prefix="qa-search-reading")
        self._following = ThreadPoolExecutor(1, thread_name_prefix="qa-search-following")
        self._running: dict[object, tuple[ThreadPoolExecutor, float]] = {}  # calls on threads, and since when
        self._tasks: list[asyncio.Task[None]] = []
        self._info: IndexInfo | None = None
        self._info_of: tuple[object, object] = (None, None)  # the generation's name, and the archivist's file
        self._state = "the index is being opened"
        self._failure = ""
        self._closed = False

    async def start(self) -> None:
        """Load the model and begin to answer."""
        await self._load()
        if self.failure:
            return  # the server asks for it, and ends
        self._tasks = [
            asyncio.create_task(self._keep(partial(self._answer_all, lane, seat)))
            for lane in (self._short, self._long)
            for seat in self._seats
        ]
        self._tasks.append(asyncio.create_task(self._keep(self._follow_builds)))
        self._count_index()
        self._state = ""

    async def _load(self) -> None:
        """Load the model, here or in the workers; `failure` says why that cannot be."""
        if self._workers is not None:
            await self._workers.start(self.index, self._timeout, self.metrics)
            return
        try:
            await self._on(self._short.threads, lambda: self.index.search(WARM_UP, k=1))
        except QASearchError as error:
            self._failure = message_of(error)

    def problem(self) -> str:
        """Return why the service cannot answer now, empty if it can."""
        if self._state:
            return self._state
        if self._workers is not None and not self._workers.able:
            return self._workers.problem
        late = time.monotonic() - self._timeout
        stuck = [pool for pool, since in list(self._running.values()) if since < late]
        if stuck.count(self._short.threads) == len(self._seats):
            return f"a search has not ended for more than {self._timeout:g} seconds"
        if self._reading in stuck:
            return f"the index has not been readable for more than {self._timeout:g} seconds"
        return ""

    def stop_soon(self, seconds: float) -> None:
        """Begin to stop: queries not answered within these seconds are refused, early enough to send the refusal."""
        self._state = "the service is stopping"
        asyncio.get_running_loop().call_later(max(seconds - _REPLY_SECONDS, 0), self._refuse_waiting)

    async def stop(self) -> None:
        """Refuse waiting queries and close the index, without waiting for calls that hang."""
        self._state = "the service is stopping"
        self._refuse_waiting()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for pool in (self._short.threads, self._long.threads, self._reading, self._following):
            pool.shutdown(wait=False, cancel_futures=True)
        if self._workers is not None:
            await self._workers.stop()
        end = time.monotonic() + _STOP_SECONDS
        while self._running and time.monotonic() < end:
            await asyncio.sleep(0.01)
        if self._running:
            log.warning("the service ends while %d uses of the index still run", len(self._running))
        else:
            self.index.close()

    def _refuse_waiting(self) -> None:
        self._closed = True
        for lane in (self._short, self._long):
            for waiting in (*lane.queue, *chain.from_iterable(lane.current.values())):
                if not waiting.answer.done():
                    waiting.answer.set_exception(BusyError("the service is stopping: ask again in a moment"))
            lane.queue.clear()

    async def search(
        self, text: str, parameters: SearchParameters, client: str = "", *, logged: bool = True
    ) -> SearchResult:
        """Search, together with other waiting queries; clients take turns.

        ``logged`` is false for a query that somebody is still typing: no log of questions gets it.

        Raises:
            BusyError: if too many wait.
            SlowError: if it takes too long.
            QASearchError: whatever `SearchIndex.search` raises.
        """
        answer: asyncio.Future[SearchResult] = asyncio.get_running_loop().create_future()
        return await self._wait_for(_Waiting(text, parameters, len(text), answer, client=client, logged=logged))

    async def similar(self, post_id: str, parameters: SearchParameters, client: str = "") -> SearchResult:
        """Search for more like a post. Raises as `search`."""
        characters = await self.read(lambda index: characters_like(index, post_id))
        answer: asyncio.Future[SearchResult] = asyncio.get_running_loop().create_future()
        return await self._wait_for(_Waiting(post_id, parameters, characters, answer, like_post=True, client=client))

    async def _wait_for(self, waiting: _Waiting) -> SearchResult:
        if self._closed:
            raise BusyError("the service is stopping: ask again in a moment")
        lane = self._short if waiting.characters <= _SHORT else self._long
        for each in (self._short, self._long):
            each.drop_given_up()
        crowded = len(self._short.queue) + len(self._long.queue) >= self._max_waiting
        if crowded or (lane.queue and lane.characters + waiting.characters > _WAITING_CHARACTERS):
            raise BusyError("too many queries at once: ask again in a moment")
        lane.queue.append(waiting)
        self._count_waiting()
        lane.wake.set()
        try:
            return await asyncio.wait_for(waiting.answer, self._timeout)
        except TimeoutError:
            raise SlowError(f"not answered within {self._timeout:g} seconds") from None

    async def read(self, use: Callable[[SearchIndex], T]) -> T:
        """Use the index for something short (a post, its neighbours) without waiting for searches.

        Raises:
            SlowError: if it takes too long.
            QASearchError: whatever the index raises.
        """
        try:
            return await asyncio.wait_for(self._on(self._reading, lambda: use(self.index)), self._timeout)
        except TimeoutError:
            raise SlowError(f"the index did not answer within {self._timeout:g} seconds") from None

    async def info(self) -> IndexInfo:
        """Return what the index contains; counted once for each generation and archivist's file."""
        current = (self.index.generation.name, self.index.amended)
        if self._info is None or self._info_of != current:
            self._info, self._info_of = await self.read(lambda index: index.info()), current
        return self._info

    async def _keep(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run an endless task; restart it after an error."""
        while True:
            try:
                await work()
            except Exception:
                log.exception("the service met an unexpected error, and continues")
                await asyncio.sleep(_RESTART_SECONDS)

    async def _answer_all(self, lane: _Lane, seat: Seat) -> None:
        """Let one seat search for what waits in a lane."""
        while True:
            await lane.wake.wait()
            lane.wake.clear()
            while await seat.free.wait() and (batch := lane.next_batch(self._most(lane))):
                lane.current[seat] = batch
                self._count_waiting()
                self.metrics.batch(len(batch))
                await self._answer(lane, seat, batch)
                lane.current.pop(seat)

    def _most(self, lane: _Lane) -> int:
        """Return how many queries one seat may take at once: no more than its share, so that no other one idles."""
        free = sum(seat.free.is_set() for seat in self._seats)
        return min(self._max_batch, max(lane.share(free), 1))

    async def _answer(self, lane: _Lane, seat: Seat, batch: list[_Waiting]) -> None:
        try:
            results = await self._search_many(lane, seat, batch)
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, BusyError):
                # One of the queries cannot be answered: each gets its own answer or error.
                for waiting in batch:
                    if not waiting.answer.done():
                        await self._answer(lane, seat, [waiting])
                return
            for waiting in batch:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
            return
        for waiting, result in zip(batch, results, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(result)
        if self._questions is not None:
            self._questions.record(
                result
                for waiting, result in zip(batch, results, strict=True)
                if waiting.logged and not waiting.like_post
            )

    async def _search_many(self, lane: _Lane, seat: Seat, batch: list[_Waiting]) -> list[SearchResult]:
        searcher = seat.searcher(lane.name)
        first, texts = batch[0], [waiting.text for waiting in batch]
        asked = asdict(first.parameters)
        try:
            if first.like_post:
                return [await self._on(lane.threads, lambda: searcher.similar(first.text, **asked))]
            return await self._on(lane.threads, lambda: searcher.search_many(texts, **asked))
        except BusyError:
            seat.lost(searcher)
            raise

    async def _follow_builds(self) -> None:
        """Move to each new generation soon after it is published; one that cannot be opened is only reported."""
        while True:
            await asyncio.sleep(self._refresh_seconds)
            try:
                if await self._follow():
                    log.info("now answering from %s", self.index.generation.name)
                    self._count_index()
                self.index_problem = ""
            except (QASearchError, OSError) as error:
                problem = message_of(error) if isinstance(error, QASearchError) else str(error)
                if problem != self.index_problem:
                    log.warning("the index changed and cannot be opened; the previous index still answers: %s", problem)
                self.index_problem = problem

    async def _follow(self) -> bool:
        on_index = partial(self._on, self._following)
        if self._workers is None:
            return await on_index(self.index.refresh)
        return await self._workers.follow(self.index, on_index)

    @property
    def remark(self) -> str:
        """What is not as it should be, though the service answers; empty if all is well. It names no folders."""
        if self.index_problem:
            return "the index changed and cannot be opened; the previous one answers (see the log)"
        return "" if self._workers is None else self._workers.problem

    @property
    def failure(self) -> str:
        """Why the service must end, empty if it need not."""
        return self._failure if self._workers is None else self._workers.failure

    def _count_index(self) -> None:
        generation = self.index.generation
        self.metrics.index(generation.name, generation.manifest.counts.posts)

    def _count_waiting(self) -> None:
        self.metrics.waiting(len(self._short.queue) + len(self._long.queue))

    async def _on(self, pool: ThreadPoolExecutor, call: Callable[[], T]) -> T:
        """Call on a thread. A fatal exception becomes one of ours."""
        key = object()

        def run() -> T:
            self._running[key] = pool, time.monotonic()
            try:
                return call()
            except Exception:
                raise
            except BaseException as error:  # a panic of a library below
                log.exception("a use of the index failed outside Python")
                raise FailedError(f"the search failed ({type(error).__name__}); see the service's log") from error
            finally:
                del self._running[key]

        return await asyncio.get_running_loop().run_in_executor(pool, run)


def characters_like(index: SearchIndex, post_id: str) -> int:
    """Return how many characters a search for more like a post reads; 0 if the post does not exist."""
    post = index.post(post_id)
    return 0 if post is None else min(len(post.title) + len(post.question or post.answer), MAX_QUERY_CHARACTERS)
