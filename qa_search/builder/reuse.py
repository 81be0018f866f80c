"""Reuse of posts and vectors from the previous generation and from a killed build."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from qa_search.builder.journal import VectorJournal
from qa_search.embedders.base import Vectors, checked_vectors
from qa_search.errors import IndexDamagedError, IndexFormatError, IndexNotFoundError
from qa_search.index.encoders import BuildEncoder
from qa_search.index.folder import IndexFolder
from qa_search.index.folder_stores import damage_in
from qa_search.index.generation import Generation
from qa_search.index.owned import WORK, WORK_NAMES, remove_own
from qa_search.index.stores.inverted import InvertedStore, open_vectors
from qa_search.index.stores.post_rows import KeyedPassage
from qa_search.index.stores.posts import PostStore
from qa_search.index.stores.posts_writer import PostWriter
from qa_search.index.stores.vectors import Ids

# How many passages are embedded at once: as many as take about so long.
_SECONDS_AT_ONCE = 0.5
_LEAST_AT_ONCE, _MOST_AT_ONCE = 16, 1024
_POSTS_AHEAD = 500


class PreviousGeneration:
    """The generation that answers until this build publishes its own."""

    def __init__(self, generation: Generation) -> None:
        folder, manifest = generation.folder, generation.manifest
        self.generation = generation
        self.splitter = manifest.splitter
        self.model = manifest.model.sha256
        self.lexical = manifest.lexical
        self.vectors_id = manifest.vectors
        self.ranking = manifest.ranking
        damaged = damage_in(folder)
        self.posts = PostStore(folder, damaged)
        self.vectors = open_vectors(
            folder,
            manifest.files,
            manifest.vector_index,
            manifest.model.dimension,
            manifest.counts.passages,
            damaged,
        )

    @classmethod
    def open(cls, folder: IndexFolder) -> Self | None:
        """Open it. Return None if it is missing, damaged or of another format: then everything is computed.

        Raises:
            IndexUnreadableError: if it cannot be read now: its vectors would be computed again without need.
        """
        try:
            return cls(folder.current())
        except (IndexNotFoundError, IndexDamagedError, IndexFormatError):
            return None


class StoredPassages:
    """Finds the passages and the numbers of what the previous generation has; fastest in the order that it has.

    An archive mostly comes in the order of the previous build: posts are read ahead then, many in one statement.
    """

    def __init__(self, posts: PostStore) -> None:
        self._posts = posts
        self._ahead: dict[bytes, tuple[int, list[KeyedPassage]]] = {}
        self._next_post = self._next_passage = 0

    def of_content(self, content: bytes) -> list[KeyedPassage]:
        """Return the passages of the post of this `content_hash`, empty if it is not stored."""
        if content not in self._ahead:
            number = self._posts.number_of_content(content)
            if number is None:
                return []
            self._ahead = self._posts.passages_from(number, _POSTS_AHEAD if number == self._next_post else 1)
        number, passages = self._ahead.get(content, (0, []))
        self._next_post = number + 1
        return passages

    def numbers_of_keys(self, keys: Sequence[bytes]) -> dict[bytes, int]:
        """Return the number of a passage for each of these keys that is stored."""
        near = self._posts.keys_from(self._next_passage, 2 * len(keys))
        ahead = {key: near[key] for key in keys if key in near}
        others = self._posts.numbers_of_keys([key for key in keys if key not in near])
        self._next_passage = max((ahead or others).values(), default=self._next_passage - 1) + 1
        return ahead | others


class PassageVectors:
    """Finds the vector of each passage: in the previous generation, in a killed build's journal, or by the model."""

    def __init__(
        self,
        index: Path,
        encoder: BuildEncoder,
        previous: PreviousGeneration | None,
        *,
        journal: bool,
        rebuild: bool = False,
    ) -> None:
        """Open what can be reused; with ``journal``, keep new vectors in case the build is killed."""
        self.embedded = 0
        self._at_once = _LEAST_AT_ONCE
        self._embedder = encoder.embedder
        usable = previous is not None and previous.vectors_id == encoder.vectors_id
        self._previous = previous if usable else None
        self._stored = None if self._previous is None else StoredPassages(self._previous.posts)
        self._work = index / WORK
        if rebuild:
            self.discard_journal()
        path = self._work / f"{encoder.vectors_id}.sqlite"
        wanted = journal or path.exists()
        self._journal = VectorJournal(path, self._embedder.dimension) if wanted else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._journal is not None:
            self._journal.close()

    def of(self, block: Sequence[tuple[bytes, str]], tick: Callable[[int], None] = lambda _: None) -> Vectors:
        """Return the vectors of passages given by key and text: (n, dimension).

        ``tick`` is called about twice a second with how many of these passages have one.
        """
        vectors = np.empty((len(block), self._embedder.dimension), np.float32)
        rows: dict[bytes, list[int]] = {}
        for row, (key, _) in enumerate(block):
            rows.setdefault(key, []).append(row)
        for key, vector in self._known(list(rows)).items():
            vectors[rows.pop(key)] = vector
        # Longest first, so that at the end no thread waits for another one's long text.
        left = sorted(rows, key=lambda key: -len(block[rows[key][0]][1]))
        while left:
            keys, left = left[: self._at_once], left[self._at_once :]
            texts = [block[rows[key][0]][1] for key in keys]
            started = time.perf_counter()
            made = checked_vectors(self._embedder.embed_passages(texts), len(texts), self._embedder)
            rate = len(keys) / max(time.perf_counter() - started, 1e-9)
            self._at_once = int(min(max(rate * _SECONDS_AT_ONCE, _LEAST_AT_ONCE), _MOST_AT_ONCE))
            self.keep(keys, made)
            found = [(row, number) for number, key in enumerate(keys) for row in rows[key]]
            places, sources = zip(*found, strict=True)
            vectors[list(places)] = made[list(sources)]
            tick(len(block) - sum(len(rows[key]) for key in left))
        return vectors

    @property
    def rows(self) -> tuple[Generation, InvertedStore] | None:
        """The rows that a large index can continue from; None if it has to begin again."""
        if self._previous is None or not isinstance(self._previous.vectors, InvertedStore):
            return None
        return self._previous.generation, self._previous.vectors

    def blocks(self, writer: PostWriter, size: int) -> Iterator[Ids | list[tuple[bytes, str]]]:
        """Yield the passages of a writer in order, some at a time: keys and texts, or the numbers of known ones.

        Those numbers are of the previous generation, whose vectors they have.
        """
        return writer.passage_texts(size) if self._previous is None else writer.passage_blocks(size)

    def of_numbers(self, numbers: Ids) -> Vectors:
        """Return the vectors of passages of the previous generation: (n, dimension)."""
        if self._previous is None:
            raise ValueError("no previous vectors")
        return self._previous.vectors.reconstruct(numbers)

    def rows_of(self, block: Ids | list[tuple[bytes, str]]) -> Ids:
        """Return the rows of passages in the previous large index, -1 where it lacks one: (n,)."""
        found = np.full(len(block), -1, np.int64)
        if self._stored is not None and self.rows is not None:
            if not isinstance(block, list):
                return self.rows[1].rows_of(block)
            numbers = self._stored.numbers_of_keys([key for key, _ in block])
            rows = self.rows[1].rows_of(np.fromiter(numbers.values(), np.int64, len(numbers)))
            row_of = dict(zip(numbers, rows.tolist(), strict=True))
            found[:] = [row_of.get(key, -1) for key, _ in block]
        return found

    def unknown(self, block: Sequence[tuple[bytes, str]]) -> list[tuple[bytes, str]]:
        """Return the passages of a block that must be embedded, each once."""
        passages = dict(block)
        known = self._known(list(passages))
        return [(key, text) for key, text in passages.items() if key not in known]

    def keep(self, keys: Sequence[bytes], made: Vectors) -> None:
        """Count the vectors that the model computed, and keep them in case the build is killed."""
        self.embedded += len(made)
        if self._journal is not None:
            self._journal.add(keys, made)

    def discard_journal(self) -> None:
        """Remove the journals of killed builds: their vectors are published now, or not wanted."""
        with suppress(OSError):
            remove_own(self._work, WORK_NAMES)

    def _known(self, keys: list[bytes]) -> dict[bytes, Vectors]:
        found: dict[bytes, Vectors] = {}
        if self._previous is not None and self._stored is not None:
            numbers = self._stored.numbers_of_keys(keys)
            stored = self._previous.vectors.reconstruct(np.fromiter(numbers.values(), np.int64, len(numbers)))
            found.update(zip(numbers, stored, strict=True))
        if self._journal is not None:
            found.update(self._journal.find([key for key in keys if key not in found]))
        return found
