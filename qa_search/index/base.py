"""What a search asks of the stores of one generation, wherever they are.

``Selection`` is what a store knows the posts or passages by that filters leave: numbers in ascending order for the
folder, a condition for a database. Its length is how many they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from qa_search.embedders.base import Vectors
from qa_search.index.stores.inverted import open_vectors
from qa_search.index.stores.lexical import LexicalStore
from qa_search.index.stores.owners import Owners
from qa_search.index.stores.posts import PostQueries, PostStore
from qa_search.index.stores.vectors import Ids, Scores, VectorStore
from qa_search.types import Field

Selection = TypeVar("Selection", bound=Sized, contravariant=True)


class VectorSearch(Protocol[Selection]):
    """Finds passages by their vectors."""

    count: int

    def search(self, queries: Vectors, k: int, allowed: Selection | None = None) -> tuple[Scores, Ids]:
        """Return scores and passage numbers, (n, found) both, best first."""

    def reconstruct(self, numbers: Ids) -> Vectors:
        """Return the stored vectors of some passages: (n, dimension)."""


class WordSearch(Protocol[Selection]):
    """Finds posts by their words."""

    count: int

    def search(self, weights: Mapping[str, float], k: int, allowed: Selection | None = None) -> tuple[Ids, Scores]:
        """Return post numbers and BM25 scores, best first."""

    def idf(self, terms: Iterable[str]) -> dict[str, float]:
        """Return for each term how rare it is."""

    def bm25(self, weights: Mapping[str, float], text: str, mean_length: float) -> float:
        """Return the score that a text would have among these posts."""


class PassageOwners(Protocol):
    """Knows which passages are which post's."""

    def posts_of(self, passages: Ids) -> Ids:
        """Return the numbers of the posts that passages belong to: ascending, each once."""

    def passages_of(self, posts: Ids) -> tuple[Ids, Ids]:
        """Return the passages of posts, in ascending order, and where each post's begin among them."""

    def allowed_passages(self, posts: Any) -> Any:
        """Return the selection of passages that a selection of posts has."""

    def sides_of(self, passages: Ids) -> list[Field]:
        """Return which side each passage is of."""


@dataclass(frozen=True, slots=True)
class Stores:
    """The four stores of one generation."""

    posts: PostQueries
    vectors: VectorSearch[Any]
    words: WordSearch[Any]
    owners: PassageOwners


@dataclass(frozen=True, slots=True)
class FolderStores(Stores):
    """The stores of a generation in an index folder."""

    posts: PostStore
    vectors: VectorStore
    words: LexicalStore
    owners: Owners


def open_folder(folder: Path, manifest: Mapping[str, Any]) -> FolderStores:
    """Open the stores of a generation in an index folder.

    Raises:
        IndexDamagedError: if a file is missing or is not what was written.
    """
    posts = PostStore(folder)
    vectors = open_vectors(folder, manifest)
    words = LexicalStore(folder, manifest["counts"]["posts"])
    return FolderStores(posts, vectors, words, Owners(folder, vectors.count))
