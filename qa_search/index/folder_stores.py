"""The folder of a generation -> its four stores, open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qa_search.errors import IndexDamagedError
from qa_search.index.base import Stores
from qa_search.index.stores.inverted import open_vectors
from qa_search.index.stores.lexical import LexicalStore
from qa_search.index.stores.owners import OwnerStore
from qa_search.index.stores.posts import PostStore
from qa_search.index.stores.vectors import VectorStore


@dataclass(frozen=True, slots=True)
class FolderStores(Stores):
    """The stores of a generation in an index folder."""

    posts: PostStore
    vectors: VectorStore
    words: LexicalStore
    owners: OwnerStore


def open_folder(folder: Path, manifest: Mapping[str, Any]) -> FolderStores:
    """Open the stores of a generation in an index folder.

    Raises:
        IndexDamagedError: if a file is missing or is not what was written.
    """
    posts = PostStore(folder)
    vectors = open_vectors(folder, manifest)
    words = LexicalStore(folder, manifest["counts"]["posts"])
    return FolderStores(posts, vectors, words, OwnerStore(folder, vectors.count))


def require_counts(folder: Path, stores: Stores, counts: Mapping[str, int]) -> None:
    """Make sure that every part holds as much as was stored; the vectors were counted at opening.

    Raises:
        IndexDamagedError: if one does not.
    """
    found = [("posts.sqlite", name, count) for name, count in stores.posts.counts().items()]
    for file, name, count in (*found, ("lexical", "posts", stores.words.count)):
        if count != counts[name]:
            raise IndexDamagedError.told(
                folder.parent.parent, f"{folder / file}: {count} {name}, where the manifest says {counts[name]}"
            )
