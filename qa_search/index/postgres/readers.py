"""The stores of one generation in PostgreSQL: the protocols of `qa_search.index.base` in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pgvector import HalfVector

from qa_search.embedders.base import Vectors
from qa_search.errors import IndexDamagedError
from qa_search.index.filters import Filters, fold_tag
from qa_search.index.postgres.connections import Connections
from qa_search.index.postgres.patterns import glob_to_regex
from qa_search.index.postgres.schema import NEAREST, PASSAGE, VECTOR, VECTOR_BYTES, tag_key
from qa_search.index.stores.posts import PostQueries
from qa_search.index.stores.vectors import Ids, Scores
from qa_search.types import FIELDS, Field
from qa_search.util.terms import K1, B, bm25_of_terms, rarity

# Up to so many posts that pass the filters are listed by number.
_MOST_LISTED = 20_000
# Up to so many passages are all compared: as fast as the index, and exact.
EXACT_PASSAGES = 10_000
# How many candidates HNSW keeps at least. For more results than the second number, all passages are compared.
EF_SEARCH = 200
_MOST_BY_INDEX = 1000
_MOST_SQUARE = 1.01
# A row of vectors as halfvec_send writes it: two 16-bit numbers, then the values.
_HEADER_BYTES = 4


@dataclass(frozen=True, slots=True)
class Selection:
    """The posts (or their passages) that pass the filters: a condition on ``post``, and their count."""

    condition: str
    values: list[Any]
    count: int

    def __len__(self) -> int:
        return self.count


def _condition(filters: Filters) -> tuple[str, list[Any]]:
    """Return the condition on ``entry e`` in PostgreSQL's words, and its parameters."""
    conditions: list[str] = ["true"]
    values: list[Any] = []
    if filters.other_than is not None:
        conditions.append("e.post <> %s")
        values.append(filters.other_than)
    if filters.only is not None:
        conditions.append("e.post = %s")
        values.append(filters.only)
    if filters.hidden:
        conditions.append(f"NOT e.post IN ({', '.join(map(str, filters.hidden))})")
    if filters.since is not None:
        conditions.append("e.date >= %s")
        values.append(filters.since)
    if filters.until is not None:
        conditions.append("e.date < %s")
        values.append(filters.until)
    if filters.source is not None:
        pattern = glob_to_regex(filters.source)
        if pattern is None:
            conditions.append("false")
        else:
            conditions.append("(e.source ~ %s OR (e.source || '/' || e.source_id) ~ %s)")
            values += [pattern, pattern]
    if filters.tags:
        # The index is of hashes, so that a tag may be of any length; the tags themselves decide.
        conditions.append("e.tag_keys @> %s::int8[] AND e.folded_tags @> %s::text[]")
        folded = [fold_tag(tag) for tag in filters.tags]
        values += [[tag_key(tag) for tag in folded], folded]
    return " AND ".join(conditions), values


class PostgresPosts(PostQueries):
    """Reads posts. Safe to use from several threads."""

    _mark = "%s"
    _ids_as_json = "json_agg(source_id)::text"

    def __init__(self, connections: Connections, *, sharded: bool) -> None:
        self._connections = connections
        self._sharded = sharded

    def allowed_posts(self, filters: Filters) -> Selection:
        """Return the posts that pass."""
        condition, values = _condition(filters)
        listed = f"SELECT DISTINCT e.post FROM entry e WHERE {condition}"  # noqa: S608 - fixed text
        # A shard cannot evaluate a condition on another table: it gets the numbers. On one server, few numbers are
        # listed, too, so that patterns are compared once and not for every vector of a query.
        most = None if self._sharded else _MOST_LISTED + 1
        rows = self._connections.rows(f"{listed} LIMIT %s", [*values, most])
        if most is None or len(rows) < most:
            return Selection("post = ANY(%s)", [[row[0] for row in rows]], len(rows))
        count = self._connections.rows(f"SELECT count(*) FROM ({listed}) AS chosen", values)[0][0]  # noqa: S608
        return Selection(f"post IN ({listed})", values, count)

    def close(self) -> None:
        """Close the connections of this generation."""
        self._connections.close()

    def _all(self, query: str, kinds: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connections.rows(query, values)

    def tags(self, most: int) -> dict[str, int]:
        """Count the posts of each tag, as `fold_tag` writes it; the most frequent tags first."""
        query = (
            "SELECT tag, count(*) AS posts FROM (SELECT unnest(folded_tags) AS tag FROM entry) AS given "
            "GROUP BY tag ORDER BY posts DESC, tag LIMIT %s"
        )
        return dict(self._connections.rows(query, [most]))

    def _condition(self, filters: Filters) -> tuple[str, list[Any]]:
        return _condition(filters)

    def _titled(self, title: str, source: str, back: str) -> list[tuple[Any, ...]]:
        # In two steps: what is asked of the shards names the posts.
        found = self._connections.rows(
            "SELECT entry, post FROM page_title WHERE folded = %s AND post IS NOT NULL", [title]
        )
        return self._connections.rows(
            f"SELECT e.post_id, e.source_id, p.title, e.date, e.{back} FROM entry e "  # noqa: S608 - one of two
            "JOIN post p ON p.id = e.post WHERE e.id = ANY(%s) AND e.post = ANY(%s) AND e.source = %s "
            "ORDER BY e.id LIMIT 100",
            [[entry for entry, _ in found], [post for _, post in found], source],
        )

    def _damaged(self, what: object) -> IndexDamagedError:
        return _damaged(self._connections, what)


class PostgresVectors:
    """Searches vectors by HNSW where they are many, else one by one. Safe to use from several threads."""

    def __init__(
        self,
        connections: Connections,
        dimension: int,
        count: int,
        *,
        sharded: bool,
        vectors: str = "",
        exact_passages: int = EXACT_PASSAGES,
    ) -> None:
        """Search ``count`` passages; ``vectors`` is the schema of their vectors, "" where they are with the passages.

        Where there are shards, each joins its own.
        """
        # The vectors of other generations are in the same table and graph: those without a passage here are skipped.
        joined = f"{PASSAGE} JOIN {vectors}.{VECTOR} AS v ON v.key = {PASSAGE}.key" if vectors else PASSAGE
        self._table = NEAREST if sharded else joined
        self._bytes = f"bytes FROM {VECTOR_BYTES}" if sharded else f"halfvec_send(embedding) FROM {joined}"
        self.count = count
        self._connections = connections
        self._dimension = dimension
        self._exact_passages = exact_passages

    def search(self, queries: Vectors, k: int, allowed: Selection | None = None) -> tuple[Scores, Ids]:
        """Find the passages of highest inner product.

        Up to 10,000 passages that pass the filters the search is exact. Beyond that HNSW is used, which may miss some.

        Returns:
            scores and passage numbers, both (n, found), best first; found is k, or all there are.
        """
        total = self.count if allowed is None else len(allowed)
        k = min(k, total)
        scores, ids = np.empty((len(queries), k), np.float32), np.empty((len(queries), k), np.int64)
        if not k:
            return scores, ids
        if not np.isfinite(queries).all():
            raise ValueError("a vector to search for holds values that are not finite")
        exact = total <= self._exact_passages or k > _MOST_BY_INDEX
        for row, query in enumerate(queries):
            found = self._search(query, k, allowed, exact=exact)
            if len(found) < k and not exact:
                # The index gave up before it had found enough that pass the filters.
                found = self._search(query, k, allowed, exact=True)
            if len(found) != k:
                raise _damaged(self._connections, f"{len(found)} passages are found, where {k} are stored")
            ids[row], scores[row] = [number for number, _ in found], [score for _, score in found]
        if not np.isfinite(scores).all():
            raise _damaged(self._connections, "a vector holds values that are not finite")
        # Ties go to the lower number.
        order = np.lexsort((ids, -scores), axis=1)
        return np.take_along_axis(scores, order, 1), np.take_along_axis(ids, order, 1)

    def statement(
        self, query: Vectors, k: int, allowed: Selection | None = None, *, exact: bool
    ) -> tuple[str, list[Any]]:
        """Return the statement that searches, and its parameters."""
        vector = HalfVector(query)
        condition = "" if allowed is None else f"WHERE {allowed.condition}"
        # The index orders by the operator itself; a sum is computed for every row.
        order = "(embedding <#> %s) + 0, id" if exact else "embedding <#> %s"
        return (
            f"SELECT id, -(embedding <#> %s) FROM {self._table} {condition} ORDER BY {order} LIMIT %s",  # noqa: S608
            [vector, *([] if allowed is None else allowed.values), vector, k],
        )

    def _search(self, query: Vectors, k: int, allowed: Selection | None, *, exact: bool) -> list[tuple[Any, ...]]:
        return self._connections.rows(*self.statement(query, k, allowed, exact=exact))

    def reconstruct(self, numbers: Ids) -> Vectors:
        """Return the stored vectors of some passages, as precise as they are stored: (n, dimension)."""
        rows = self._connections.rows(
            f"SELECT id, {self._bytes} WHERE id = ANY(%s) ORDER BY id",
            [numbers.tolist()],
        )
        stored = np.asarray([number for number, _ in rows], np.int64)
        width = _HEADER_BYTES + 2 * self._dimension
        data = np.frombuffer(b"".join(value for _, value in rows), np.uint8)
        at = np.searchsorted(stored, numbers)
        if data.size != width * len(rows) or not np.array_equal(stored[np.minimum(at, len(stored) - 1)], numbers):
            raise _damaged(self._connections, "vectors are missing")
        vectors = data.reshape(-1, width)[:, _HEADER_BYTES:].copy().view(">f2").astype(np.float32)[at]
        squares = np.einsum("ij,ij->i", vectors, vectors)
        if not (np.isfinite(squares) & (squares <= _MOST_SQUARE)).all():
            raise _damaged(self._connections, "a vector is too long, or holds values that are not finite")
        return np.asarray(vectors, np.float32)


class PostgresWords:
    """Searches words by the BM25 scores that tantivy gives in an index folder. Safe to use from several threads."""

    def __init__(self, connections: Connections, count: int, tokens: int) -> None:
        """Search ``count`` posts, which have so many ``tokens`` together."""
        self.count = count
        self._connections = connections
        self._mean_length = tokens / max(count, 1)

    def search(self, weights: Mapping[str, float], k: int, allowed: Selection | None = None) -> tuple[Ids, Scores]:
        """Find the posts of the highest score; those without any of the terms are not among them."""
        known = self._known(weights) if k > 0 else {}
        if not known:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        factors = [weights[term] * rarity(self.count, holders) * (K1 + 1) for term, (_, holders) in known.items()]
        condition = "" if allowed is None else f"AND {allowed.condition}"
        terms = [number for number, _ in known.values()]
        rows = self._connections.rows(
            "SELECT post, sum(((%s::float8[])[array_position(%s::int4[], term)] * tf) "  # noqa: S608 - fixed text
            "/ (tf + %s::float8 + (%s::float8 * length))) AS score FROM posting "
            f"WHERE term = ANY(%s::int4[]) {condition} GROUP BY post ORDER BY score DESC, post LIMIT %s",
            [
                factors, terms, K1 * (1 - B), K1 * B / max(self._mean_length, 1e-9), terms,
                *([] if allowed is None else allowed.values), min(k, self.count),
            ],
        )  # fmt: skip
        numbers = np.fromiter((post for post, _ in rows), np.int64, len(rows))
        scores = np.fromiter((score for _, score in rows), np.float32, len(rows))
        order = np.lexsort((numbers, -scores))
        return numbers[order], scores[order]

    def idf(self, terms: Iterable[str]) -> dict[str, float]:
        """Return BM25's inverse document frequency of each term, always above 0."""
        wanted = list(terms)
        known = self._known(wanted)
        return {term: rarity(self.count, known[term][1] if term in known else 0) for term in wanted}

    def near(self, term: str, edits: int, most: int) -> list[int]:
        """Return the numbers of some posts that have a term at most so many edits (1 or 2) away; ``most`` at most.

        The terms begin with the same letter here: an index finds these.
        """
        from rapidfuzz.distance import OSA

        query = "SELECT id, term FROM term WHERE term >= %s AND term < %s AND length(term) BETWEEN %s AND %s"
        length, after = len(term), chr(min(ord(term[0]) + 1, 0x10FFFF))
        found = self._connections.rows(query, [term[0], after, length - edits, length + edits])
        near = [number for number, other in found if OSA.distance(term, other, score_cutoff=edits) <= edits]
        if not near:
            return []
        rows = self._connections.rows(
            "SELECT DISTINCT post FROM posting WHERE term = ANY(%s::int4[]) ORDER BY post LIMIT %s", [near, most]
        )
        return [post for (post,) in rows]

    def bm25(self, weights: Mapping[str, float], terms: Sequence[str], mean_length: float) -> float:
        """Return the score of a text's terms among these posts, which have ``mean_length`` terms on average."""
        return bm25_of_terms(self.idf(weights), weights, terms, mean_length)

    def _known(self, terms: Iterable[str]) -> dict[str, tuple[int, int]]:
        """Return for each stored term its number and how many posts have it."""
        wanted = list(terms)
        if not wanted:
            return {}
        query = "SELECT term, id, holders FROM term WHERE term = ANY(%s) ORDER BY id"
        return {term: (number, holders) for term, number, holders in self._connections.rows(query, [wanted])}


class PostgresOwners:
    """Finds the posts of passages, and the passages of posts. Safe to use from several threads."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def posts_of(self, passages: Ids) -> Ids:
        """Return the numbers of the posts that passages belong to: ascending, each once."""
        rows = self._connections.rows("SELECT id, post FROM passage WHERE id = ANY(%s)", [passages.tolist()])
        if len(rows) != len(np.unique(passages)):
            raise _damaged(self._connections, "passages are missing")
        return np.unique(np.fromiter((post for _, post in rows), np.int64, len(rows)))

    def passages_of(self, posts: Ids) -> tuple[Ids, Ids]:
        """Return the passages of posts that are in ascending order, and where those of each post begin."""
        rows = self._connections.rows("SELECT post, id FROM passage WHERE post = ANY(%s) ORDER BY id", [posts.tolist()])
        owners = np.fromiter((post for post, _ in rows), np.int64, len(rows))
        if not np.array_equal(np.unique(owners), posts):
            raise _damaged(self._connections, "a post has no passages")
        return np.fromiter((number for _, number in rows), np.int64, len(rows)), np.searchsorted(owners, posts)

    def allowed_passages(self, posts: Selection) -> Selection:
        """Return the selection of the passages of a selection of posts."""
        query = f"SELECT count(*) FROM passage WHERE {posts.condition}"  # noqa: S608 - fixed text
        return Selection(posts.condition, posts.values, self._connections.rows(query, posts.values)[0][0])

    def sides_of(self, passages: Ids) -> list[Field]:
        """Return the field of each passage."""
        rows = self._connections.rows("SELECT id, field FROM passage WHERE id = ANY(%s)", [passages.tolist()])
        sides = dict(rows)
        found = [sides.get(number) for number in passages.tolist()]
        known = [field for field in found if field in FIELDS]
        if len(known) != len(found):
            raise _damaged(self._connections, "a passage is missing, or has an invalid field")
        return known


def _damaged(connections: Connections, what: object) -> IndexDamagedError:
    return IndexDamagedError(
        f"{connections.address}: {what}. Build the index again: build_index(SOURCES, INDEX, store=URL)"
    )


def batches(rows: Iterator[list[tuple[Any, ...]]]) -> Iterator[tuple[Any, ...]]:
    """Yield rows that come some at a time."""
    for some in rows:
        yield from some
