"""The folder of a generation -> its four stores, open."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from qa_search.errors import IndexDamagedError
from qa_search.index.base import Stores
from qa_search.index.manifest import CountsRecord, Manifest
from qa_search.index.owned import index_of
from qa_search.index.stores.damage import DamageReport
from qa_search.index.stores.inverted import open_vectors
from qa_search.index.stores.lexical import LexicalStore
from qa_search.index.stores.owners import OwnerStore
from qa_search.index.stores.posts import PostStore
from qa_search.index.stores.vectors import VectorStore
from qa_search.util.terms import Analysis


@dataclass(frozen=True, slots=True)
class FolderStores(Stores):
    """The stores of a generation in an index folder."""

    posts: PostStore
    vectors: VectorStore
    words: LexicalStore
    owners: OwnerStore


def damage_in(folder: Path) -> DamageReport:
    """Return what turns a store's damage into the error that names the index and the way out."""
    return lambda path, what: IndexDamagedError.of(index_of(folder), f"{path}: {what}")


def open_folder(folder: Path, manifest: Manifest, files: Iterable[str]) -> FolderStores:
    """Open the stores of a generation in an index folder; ``files`` are the names of its files.

    Raises:
        IndexDamagedError: if a file is missing or damaged.
    """
    damaged = damage_in(folder)
    posts = PostStore(folder, damaged)
    counts = manifest.counts
    vectors = open_vectors(folder, files, manifest.vector_index, manifest.model.dimension, counts.passages, damaged)
    words = LexicalStore(folder, counts.posts, damaged, manifest.lexical.chunks)
    owners = OwnerStore(folder, vectors.count, damaged)
    return FolderStores(posts, vectors, words, owners, Analysis(manifest.lexical.analysis))


def require_counts(folder: Path, stores: Stores, counts: CountsRecord) -> None:
    """Compare the counts of every store with those of the manifest. The vectors were counted at opening.

    Raises:
        IndexDamagedError: if one differs.
    """
    found = [("posts.sqlite", name, count) for name, count in stores.posts.counts().items()]
    for file, name, count in (*found, ("lexical", "posts", stores.words.count)):
        expected = getattr(counts, name)
        if count != expected:
            raise damage_in(folder)(folder / file, f"{count} {name}, where the manifest says {expected}")
