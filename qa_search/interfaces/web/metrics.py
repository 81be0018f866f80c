"""The counts of the service, in the format of Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_BATCHES = (1, 2, 4, 8, 16, 32)


class Metrics:
    """The counts of one service."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, *, workers: bool = False) -> None:
        """Begin to count; ``workers`` says whether the service has any."""
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "qa_search_requests", "Requests by route and status.", ("route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "qa_search_request_seconds", "Time to answer.", ("route",), buckets=_SECONDS, registry=self._registry
        )
        self._batches = Histogram(
            "qa_search_batch_size", "Questions searched together.", buckets=_BATCHES, registry=self._registry
        )
        self._waiting = Gauge("qa_search_waiting", "Questions that wait.", registry=self._registry)
        self._posts = Gauge("qa_search_posts", "Posts in the index.", registry=self._registry)
        self._generation = Gauge("qa_search_generation", "Number of the generation.", registry=self._registry)
        of_workers = self._registry if workers else None
        self._workers = Gauge("qa_search_workers", "Workers that can search.", registry=of_workers)
        self._ended = Counter(
            "qa_search_workers_ended", "Workers that ended unasked, or could not start.", registry=of_workers
        )

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def batch(self, size: int) -> None:
        """Count queries that were searched together."""
        self._batches.observe(size)

    def waiting(self, count: int) -> None:
        """Set the number of waiting queries."""
        self._waiting.set(count)

    def index(self, generation: str, posts: int) -> None:
        """Set the generation that answers and its number of posts."""
        self._generation.set(int(generation[1:]))
        self._posts.set(posts)

    def workers(self, count: int) -> None:
        """Set the number of workers that can search."""
        self._workers.set(count)

    def worker_ended(self) -> None:
        """Count a worker that ended without being asked to, or could not start."""
        self._ended.inc()

    def page(self) -> bytes:
        """Return all counts."""
        return generate_latest(self._registry)
