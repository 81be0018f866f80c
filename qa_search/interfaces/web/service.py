"""One open index that answers many callers: questions that come together are searched together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from qa_search.errors import QASearchError
from qa_search.interfaces.web.metrics import Metrics
from qa_search.search.search_index import SearchIndex
from qa_search.types import IndexInfo, SearchResult

log = logging.getLogger("qa_search")

# A question that makes the index read everything there is, before anybody waits for it.
_WARM_UP = "warm up"
MAX_BATCH = 32

T = TypeVar("T")


class BusyError(QASearchError):
    """More questions wait than the service takes on: ask again in a moment."""


class SlowError(QASearchError):
    """A question was not answered in the time that a request may take."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, apart from the text: questions that agree in it can be searched together."""

    k: int
    since: str | None = None
    until: str | None = None
    source: str | None = None
    tags: tuple[str, ...] = ()
    min_confidence: float | None = None


@dataclass(slots=True)
class _Waiting:
    text: str
    question: Question
    answer: asyncio.Future[SearchResult] = field(repr=False)
    like_post: bool = False  # the text is the id of a post


class SearchService:
    """Answers questions from one index on one thread, as many at a time as wait; moves to new generations.

    Searching uses all cores by itself: a second thread would only make both slower.
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
    ) -> None:
        """Serve an open index.

        Args:
            index: the index; closed by `stop`.
            max_waiting: how many questions may wait; more are refused by `BusyError`.
            timeout: seconds until a waiting question is given up by `SlowError`.
            max_batch: how many questions are searched together.
            refresh_seconds: how often to look for a new generation.
            metrics: where to count.
        """
        self.index = index
        self.metrics = metrics or Metrics()
        self.ready = False
        self._max_waiting = max_waiting
        self._timeout = timeout
        self._max_batch = max_batch
        self._refresh_seconds = refresh_seconds
        self._queue: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="qa-search-service")
        self._reading = ThreadPoolExecutor(2, thread_name_prefix="qa-search-reading")
        self._tasks: list[asyncio.Task[None]] = []
        self._info: IndexInfo | None = None

    async def start(self) -> None:
        """Load the model and begin to answer."""
        await self._on(self._thread, lambda: self.index.search(_WARM_UP, k=1))
        self._tasks = [asyncio.create_task(self._answer_all()), asyncio.create_task(self._follow_builds())]
        self._count_index()
        self.ready = True

    async def stop(self) -> None:
        """Answer what waits, then close the index."""
        self.ready = False
        while self._queue:
            await asyncio.sleep(0.01)
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self._thread.shutdown()
        self._reading.shutdown()
        self.index.close()

    async def search(self, text: str, question: Question) -> SearchResult:
        """Search, together with the questions that wait at the same time.

        Raises:
            BusyError: if too many wait.
            SlowError: if it takes too long.
            QASearchError: whatever `SearchIndex.search` raises.
        """
        waiting = _Waiting(text, question, asyncio.get_running_loop().create_future())
        return await self._wait_for(waiting)

    async def similar(self, post_id: str, question: Question) -> SearchResult:
        """Search for more like a post. Raises as `search`."""
        return await self._wait_for(
            _Waiting(post_id, question, asyncio.get_running_loop().create_future(), like_post=True)
        )

    async def _wait_for(self, waiting: _Waiting) -> SearchResult:
        if len(self._queue) >= self._max_waiting:
            raise BusyError("too many questions at once: ask again in a moment")
        self._queue.append(waiting)
        self.metrics.waiting(len(self._queue))
        self._wake.set()
        try:
            return await asyncio.wait_for(waiting.answer, self._timeout)
        except TimeoutError:
            raise SlowError(f"not answered within {self._timeout:g} seconds") from None

    async def read(self, use: Callable[[SearchIndex], T]) -> T:
        """Use the index for something short (a post, its neighbours) without waiting for searches."""
        return await self._on(self._reading, lambda: use(self.index))

    async def info(self) -> IndexInfo:
        """Say what the index holds; counted once for each generation."""
        if self._info is None or self._info.generation != self.index.generation.name:
            self._info = await self.read(lambda index: index.info())
        return self._info

    async def _answer_all(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                batch = self._next_batch()
                if batch:
                    await self._answer(batch)

    def _next_batch(self) -> list[_Waiting]:
        """Take the first that waits, and those that ask for the same; those that gave up are dropped."""
        self._queue = [waiting for waiting in self._queue if not waiting.answer.done()]
        if not self._queue:
            return []
        first = self._queue[0]
        batch = [first]
        if not first.like_post:
            batch = [other for other in self._queue if other.question == first.question and not other.like_post]
            batch = batch[: self._max_batch]
        chosen = set(map(id, batch))
        self._queue = [waiting for waiting in self._queue if id(waiting) not in chosen]
        self.metrics.waiting(len(self._queue))
        return batch

    async def _answer(self, batch: list[_Waiting]) -> None:
        self.metrics.batch(len(batch))
        try:
            results = await self._search_many(batch)
        except Exception as error:
            if len(batch) > 1:
                # One of them cannot be answered: each gets an answer or an error of its own.
                for waiting in batch:
                    await self._answer([waiting])
            elif not batch[0].answer.done():
                batch[0].answer.set_exception(error)
            return
        for waiting, result in zip(batch, results, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(result)

    async def _search_many(self, batch: list[_Waiting]) -> list[SearchResult]:
        first, texts = batch[0], [waiting.text for waiting in batch]
        asked = first.question
        limits: dict[str, Any] = {
            "since": asked.since,
            "until": asked.until,
            "source": asked.source,
            "tags": asked.tags,
        }
        if first.like_post:
            return [await self._on(self._thread, lambda: self.index.similar(first.text, asked.k, **limits))]
        limits["min_confidence"] = asked.min_confidence
        return await self._on(self._thread, lambda: self.index.search_many(texts, asked.k, **limits))

    async def _follow_builds(self) -> None:
        """Move to a new generation soon after it is published; a damaged one is told and left alone."""
        told = ""
        while True:
            await asyncio.sleep(self._refresh_seconds)
            try:
                if await self._on(self._reading, self.index.refresh):
                    log.info("now answering from %s", self.index.generation.name)
                    self._count_index()
                told = ""
            except (QASearchError, OSError) as error:
                if str(error) != told:
                    log.warning("the index changed and cannot be opened; the one before goes on answering: %s", error)
                told = str(error)

    def _count_index(self) -> None:
        generation = self.index.generation
        self.metrics.index(generation.name, generation.manifest["counts"]["posts"])

    @staticmethod
    async def _on(pool: ThreadPoolExecutor, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, call)
