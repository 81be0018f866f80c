"""What a manifest says of the vectors of a generation: their kind, and what a search of them needs to know."""

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

_Positive = Annotated[int, lambda number: number > 0]
_Share = Annotated[float, lambda number: 0 <= number <= 1]
_Row = Annotated[int, lambda number: number < 1 << 53]


class FlatVectors(NamedTuple):
    """Vectors that are compared one by one."""

    kind: Literal["flat"]


class ListedVectors(NamedTuple):
    """Compressed vectors in lists, ``probes`` of which are searched.

    The centres of the lists were found among ``trained`` rows, and the lists cover ``covered``. Of the ``recall_at``
    closest, the share ``recall`` was found for so many ``queries``; it is None before it is measured.
    """

    kind: Literal["ivf-rabitq2", "ivf-rabitq1", "ivf-sq8", "ivf-pq"]
    lists: _Positive
    trained: _Positive
    covered: _Positive
    probes: _Positive
    recall: _Share | None = None
    recall_at: int | None = None
    queries: int | None = None


class GraphVectors(NamedTuple):
    """Vectors in a graph, in a database."""

    kind: Literal["hnsw"]


class WordChunk(NamedTuple):
    """A part of a lexical index: the words of ``posts`` posts that follow one another.

    ``texts`` is the hash of their texts. Their rows, from ``first`` on, and the ``segments``, tantivy's files with the
    number of posts in each, stay the same from one generation to the next.
    """

    texts: str
    first: _Row
    posts: _Positive
    segments: Mapping[str, int]


VectorIndexRecord = FlatVectors | ListedVectors | GraphVectors
