"""The contract of an index: its locations, and what a search asks of the stores of one generation.

``Selection`` stands for the posts or passages that pass the filters: numbers in ascending order in a folder, a
condition in a database. Its length is their count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from qa_search.embedders.base import Vectors
from qa_search.index.integrity import HeldFiles
from qa_search.index.manifest import ExportedEncoder, Manifest
from qa_search.index.stores.posts import PostQueries
from qa_search.index.stores.vectors import Ids, Scores
from qa_search.types import Field
from qa_search.util.terms import Analysis

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
        """Return the inverse document frequency of each term."""

    def near(self, term: str, edits: int, most: int) -> list[int]:
        """Return the numbers of some posts that have a term at most so many edits (1 or 2) away; ``most`` at most."""

    def bm25(self, weights: Mapping[str, float], terms: Sequence[str], mean_length: float) -> float:
        """Return the score that a text of these terms would have among these posts."""


class PassageOwners(Protocol):
    """Knows which passages belong to which post."""

    def posts_of(self, passages: Ids) -> Ids:
        """Return the numbers of the posts that passages belong to, ascending, each once."""

    def passages_of(self, posts: Ids) -> tuple[Ids, Ids]:
        """Return the passages of posts, in ascending order, and where those of each post begin."""

    def allowed_passages(self, posts: Any) -> Any:
        """Return the selection of the passages of a selection of posts."""

    def sides_of(self, passages: Ids) -> list[Field]:
        """Return the field of each passage."""


@dataclass(frozen=True, slots=True)
class Stores:
    """The four stores of one generation, and how the texts in them became terms."""

    posts: PostQueries
    vectors: VectorSearch[Any]
    words: WordSearch[Any]
    owners: PassageOwners
    analysis: Analysis


class GenerationReader(Protocol):
    """A generation that is open for searching, in a folder or a database."""

    @property
    def name(self) -> str:
        """The generation's name."""

    @property
    def folder(self) -> Path:
        """Its location in messages."""

    @property
    def manifest(self) -> Manifest:
        """Its manifest."""

    def require_unchanged(self) -> None:
        """Make sure that the open files have not changed, and that this process opened them."""

    def open_stores(self) -> Stores:
        """Open the stores that a search needs."""


class IndexPlace(Protocol):
    """The location of an index: a folder or a database. A search uses both alike."""

    @property
    def path(self) -> str | Path:
        """Its name in messages."""

    def pointer(self) -> tuple[str, str]:
        """Return the name of the generation that answers and its manifest's SHA-256, without opening it."""

    def state(self) -> tuple[Any, ...]:
        """Return a value that changes whenever another generation answers, without opening it."""

    def open_current(self, use: Callable[[GenerationReader], T]) -> T:
        """Open the generation that answers with ``use``."""

    def hold_encoder(self, record: ExportedEncoder) -> HeldFiles:
        """Open the files of the exported encoder that a manifest names."""

    def require_encoder(self, held: HeldFiles, record: ExportedEncoder) -> None:
        """Compare every byte of an encoder with its hashes."""

    def close(self) -> None:
        """Close what does not belong to a generation."""
