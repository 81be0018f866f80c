"""The contract of an index: where it may be, and what a search asks of the stores of one generation.

``Selection`` is what a store knows the posts or passages by that filters leave: numbers in ascending order for the
folder, a condition for a database. Its length is how many they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from qa_search.embedders.base import Vectors
from qa_search.index.integrity import HeldFiles
from qa_search.index.stores.posts import PostQueries
from qa_search.index.stores.vectors import Ids, Scores
from qa_search.types import Field

T = TypeVar("T")

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


class GenerationReader(Protocol):
    """A generation that is open for searching, in a folder or elsewhere."""

    @property
    def name(self) -> str:
        """The generation's name."""

    @property
    def folder(self) -> Path:
        """What messages call its place."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What is said of it."""

    def require_unchanged(self) -> None:
        """Make sure that what is open is still what was opened, by this process."""

    def open_stores(self) -> Stores:
        """Open what a search needs."""


class IndexPlace(Protocol):
    """Where an index is: a folder or a database. It is the same to those who search."""

    @property
    def path(self) -> str | Path:
        """What messages call it."""

    def pointer(self) -> tuple[str, str]:
        """Return the name of the generation that answers and its manifest's SHA-256, without opening it."""

    def state(self) -> tuple[Any, ...]:
        """Return what differs whenever another generation answers, without opening it."""

    def open_current(self, use: Callable[[GenerationReader], T]) -> T:
        """Open the generation that answers by ``use``."""

    def hold_encoder(self, record: Mapping[str, Any]) -> HeldFiles:
        """Open the files of the exported encoder that a manifest names."""

    def require_encoder(self, held: HeldFiles, record: Mapping[str, Any]) -> None:
        """Compare every byte of an encoder with what was written."""

    def close(self) -> None:
        """Close what belongs to no generation."""
