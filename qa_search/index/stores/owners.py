"""The post and the field of each passage: two arrays on disk, memory-mapped."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qa_search.errors import IndexDamagedError
from qa_search.index.stores.arrays import distinct, map_array, write_array
from qa_search.index.stores.damage import DamageReport, name_damage
from qa_search.index.stores.vectors import Ids
from qa_search.types import FIELDS, Field

POSTS_NAME = "passage-posts.npy"
SIDES_NAME = "passage-sides.npy"
_BLOCK = 65_536
_SIDES = {field: side for side, field in enumerate(FIELDS)}


def write_owners(folder: Path, passages: Iterable[tuple[int, Field]], count: int) -> None:
    """Write the post and the field of each passage, in order of the passage numbers."""
    posts, sides = np.empty(count, np.int32), np.empty(count, np.uint8)
    rows = iter(passages)
    start = 0
    while block := list(islice(rows, _BLOCK)):
        end = start + len(block)
        posts[start:end] = [post for post, _ in block]
        sides[start:end] = [_SIDES[field] for _, field in block]
        start = end
    write_array(folder / POSTS_NAME, posts)
    write_array(folder / SIDES_NAME, sides)


class OwnerStore:
    """Finds the posts of passages, and the passages of posts. The passages of a post follow one another."""

    def __init__(self, folder: Path, count: int, damaged: DamageReport = name_damage) -> None:
        """Map the arrays.

        Raises:
            IndexDamagedError: if they are missing or damaged.
        """
        self._folder = folder
        self._report = damaged
        self._posts = self._map(POSTS_NAME, np.int32, count)
        self._sides = self._map(SIDES_NAME, np.uint8, count)

    def _map(self, name: str, kind: type[np.generic], count: int) -> npt.NDArray[Any]:
        try:
            return map_array(self._folder / name, kind, count)
        except ValueError as error:
            raise self._damaged(str(error), name) from error

    def post_of_each(self, passages: Ids) -> Ids:
        """Return the number of each passage's post: (n,)."""
        return self._posts[passages].astype(np.int64)

    def posts_of(self, passages: Ids) -> Ids:
        """Return the numbers of the posts that passages belong to: ascending, each once."""
        return distinct(self._posts[passages]).astype(np.int64)

    def passages_of(self, posts: Ids) -> tuple[Ids, Ids]:
        """Return the passages of posts that are in ascending order, and where those of each post begin.

        Raises:
            IndexDamagedError: if a post has none.
        """
        wanted = posts.astype(self._posts.dtype)  # else numpy converts the whole array for each call
        first = np.searchsorted(self._posts, wanted, "left")
        last = np.searchsorted(self._posts, wanted, "right")
        sizes = last - first
        if len(posts) and not sizes.min():
            raise self._damaged("a post has no passages")
        starts = np.cumsum(sizes) - sizes
        passages = np.arange(sizes.sum(), dtype=np.int64) - np.repeat(starts - first, sizes)
        return passages, starts

    def allowed_passages(self, posts: Ids) -> Ids:
        """Return the passages of posts that are in ascending order."""
        return self.passages_of(posts)[0]

    def sides_of(self, passages: Ids) -> list[Field]:
        """Return the field of each passage.

        Raises:
            IndexDamagedError: if a stored field is invalid.
        """
        sides = self._sides[passages]
        if len(sides) and sides.max() >= len(FIELDS):
            raise self._damaged("a passage has an invalid field", SIDES_NAME)
        return [FIELDS[side] for side in sides]

    def _damaged(self, what: str, name: str = POSTS_NAME) -> IndexDamagedError:
        return self._report(self._folder / name, what)
