"""The posts of an open index -> a place in the plane for each, so that close posts lie close: a map of the archive.

The places are found by t-SNE (scikit-learn), from the directions that topics are found from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qa_search.embedders.base import Vectors
from qa_search.insights.topics import TopicReport, group_posts, title_of
from qa_search.search.search_index import SearchIndex
from qa_search.types import to_jsonable
from qa_search.util.threads import configured_threads

# t-SNE weighs so many neighbours of a post, and takes at least so many posts.
_NEIGHBOURS, _FEWEST = 30, 8
# Twice as many rounds make no map more trustworthy (forums .967 and .966, beer .940 and .943: chosen there).
_ROUNDS = 500
# Before t-SNE, vectors are turned so that so many values hold most of what tells them apart.
_VALUES = 50


@dataclass(frozen=True, slots=True)
class Spot:
    """A post on the map: its place, each of ``x`` and ``y`` from 0 to 1, and its topic, a number in ``topics``."""

    post_id: str
    title: str
    topic: int
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class TopicMap:
    """A map of an archive: its topics, and the place of each post that was grouped."""

    report: TopicReport
    spots: tuple[Spot, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document: that of the topics, and ``spots``."""
        return {**self.report.to_dict(), "spots": to_jsonable(self.spots)}


def map_topics(index: SearchIndex, *, start: TopicReport | None = None) -> TopicMap:
    """Find an index's topics as `find_topics` does, and lay its posts out in the plane.

    Distances tell which posts are neighbours, and nothing else: neither how far groups are from one another, nor how
    wide they are. 5,000 posts, which are the most, take half a minute or so.

    Args:
        index: the open index.
        start: its earlier topics, to begin from, as in `find_topics`.

    Raises:
        IndexFolderError: if the index cannot be read.
    """
    grouped = group_posts(index, start)
    places = laid_out(grouped.directions)
    spots = (
        Spot(post.post_id, title_of(post), topic, round(x, 4), round(y, 4))
        for post, topic, (x, y) in zip(grouped.posts, grouped.topics.tolist(), places.tolist(), strict=True)
    )
    return TopicMap(grouped.report, tuple(spots))


def laid_out(directions: Vectors) -> npt.NDArray[np.float64]:
    """Return a place from 0 to 1 for each direction.

    Args:
        directions: (n, dimension), of unit length.

    Returns:
        the places (n, 2).
    """
    turned = _turned(directions, _VALUES)
    if turned.shape[1] < 2:  # a single post, or models of one value
        turned = np.pad(turned, ((0, 0), (0, 2 - turned.shape[1])))
    if len(turned) < _FEWEST or not np.ptp(turned, axis=0).any():
        places = turned[:, :2]
    else:
        from sklearn.manifold import TSNE  # here, because little else needs it
        from threadpoolctl import threadpool_limits

        perplexity = min(_NEIGHBOURS, (len(turned) - 1) / 3)
        # From the two values that tell most, so that the same posts give the same map.
        start = turned[:, :2] / (turned[:, 0].std() or 1) * 1e-4
        with threadpool_limits(configured_threads()):
            method = TSNE(
                2, perplexity=perplexity, max_iter=_ROUNDS, init=start, random_state=0, n_jobs=configured_threads()
            )
            places = method.fit_transform(turned)
    least, extent = places.min(axis=0), np.ptp(places, axis=0)
    return np.where(extent > 0, (places - least) / np.where(extent > 0, extent, 1.0), 0.5)


def _turned(directions: Vectors, values: int) -> npt.NDArray[np.float64]:
    """Return the values (n, at most ``values``) along the axes in which the rows differ most."""
    centred = (directions - directions.mean(axis=0)).astype(np.float64)
    turned, lengths, _ = np.linalg.svd(centred, full_matrices=False)
    turned = (turned * lengths)[:, :values]
    # The sign of an axis is left to chance: its longest value points upwards.
    longest = np.abs(turned).argmax(axis=0)
    signs = np.where(turned[longest, np.arange(turned.shape[1])] < 0, -1.0, 1.0)
    return np.asarray(turned * signs, np.float64)
