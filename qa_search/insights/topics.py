"""The stored vectors of an open index -> what the archive is about: topics in broader groups, named by telling words.

Computed when it is asked for, on at most `MOST_POSTS` posts, so that it costs a build nothing and takes seconds in an
archive of any size. Earlier topics can be given as a start: then a topic stays where it was, as far as its posts did.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from qa_search.embedders.base import Vectors
from qa_search.errors import QueryError
from qa_search.insights.grouping import directions_from, sample_numbers
from qa_search.insights.naming import as_written, holders_of, telling_terms
from qa_search.search.search_index import SearchIndex, require_index
from qa_search.types import Post, to_jsonable
from qa_search.util.parameters import require

MOST_POSTS = 5000
_LEAST_TOPICS, _MOST_TOPICS = 2, 40
_ROUNDS, _STARTS = 50, 4
_NAME_WORDS, _EXAMPLES, _TITLE = 4, 3, 80
# Characters of a post that its terms are taken from.
_TEXT = 4000
# Earlier topics are a start unless the archive now wants more or fewer than this share of them.
_KEPT_SHARE = 0.6

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TopicPost:
    """A post near the middle of a topic."""

    post_id: str
    source_id: str
    title: str


@dataclass(frozen=True, slots=True)
class Topic:
    """Posts on one matter: the words that tell it from the others, how many posts, some from its middle.

    ``centre`` (dimension,) is its direction, for a later start.
    """

    name: str
    posts: int
    examples: tuple[TopicPost, ...]
    centre: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class TopicGroup:
    """Topics that are close to one another, largest first."""

    name: str
    posts: int
    topics: tuple[Topic, ...]


@dataclass(frozen=True, slots=True)
class TopicReport:
    """What an archive is about. Of ``posts``, ``sampled`` were grouped: the counts of topics are of these."""

    index: str
    model: str
    posts: int
    sampled: int
    groups: tuple[TopicGroup, ...]

    @property
    def topics(self) -> tuple[Topic, ...]:
        """All topics."""
        return tuple(topic for group in self.groups for topic in group.topics)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        document: dict[str, Any] = to_jsonable(self)
        return document

    @classmethod
    def of_dict(cls, document: Any) -> Self:
        """Read what `to_dict` gave.

        Raises:
            QueryError: if it is something else.
        """
        try:
            groups = tuple(
                TopicGroup(str(group["name"]), int(group["posts"]), tuple(map(_topic_of, group["topics"])))
                for group in document["groups"]
            )
            return cls(
                str(document["index"]), str(document["model"]), int(document["posts"]), int(document["sampled"]), groups
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise QueryError("start: not a report of topics in JSON") from error


def _topic_of(document: Mapping[str, Any]) -> Topic:
    examples = tuple(TopicPost(**{name: str(value) for name, value in one.items()}) for one in document["examples"])
    return Topic(str(document["name"]), int(document["posts"]), examples, tuple(map(float, document["centre"])))


def find_topics(index: SearchIndex, *, start: TopicReport | None = None) -> TopicReport:
    """Group an index's posts by meaning.

    Args:
        index: the open index.
        start: its earlier topics, to begin from; ignored if they are of another model, or far too many or few.

    Raises:
        IndexFolderError: if the index cannot be read.
    """
    return group_posts(index, start).report


class GroupedPosts(NamedTuple):
    """The posts that were grouped, their directions (n, dimension), and the topic of each in ``report.topics`` (n,)."""

    posts: Sequence[Post]
    directions: Vectors
    topics: Labels
    report: TopicReport


def group_posts(index: SearchIndex, start: TopicReport | None = None) -> GroupedPosts:
    """Group an index's posts as `find_topics` does, and return what it did with each."""
    require_index(index)
    require(start is None or isinstance(start, TopicReport), "start", start, "a TopicReport or None")
    retriever = index.retriever
    numbers = sample_numbers(retriever.words.count, MOST_POSTS)
    passages, starts = retriever.owners.passages_of(numbers)
    vectors = mean_of_each(retriever.vectors.reconstruct(passages), starts)
    model: str = index.generation.manifest.model.sha256
    given = None
    if start is not None and start.model == model:
        fitting = [topic.centre for topic in start.topics if len(topic.centre) == vectors.shape[1]]
        given = np.asarray(fitting, np.float32)
    directions = directions_from(vectors, vectors.mean(axis=0))
    labels, centres = topics_of(directions, given)
    entries = retriever.posts.entries(numbers.tolist())
    posts = [entries[number] for number in numbers.tolist()]
    groups, order = _described(index, posts, directions, labels, centres)
    places = np.zeros(len(centres), np.int64)
    places[order] = np.arange(len(order))
    report = TopicReport(index.location, model, retriever.words.count, len(numbers), groups)
    return GroupedPosts(posts, directions, places[labels], report)


def title_of(post: Post) -> str:
    """Return a post's title, or the beginning of its text."""
    return post.title or " ".join((post.question or post.answer).split())[:_TITLE]


def mean_of_each(vectors: Vectors, starts: npt.NDArray[np.int64]) -> Vectors:
    """Return the mean vector of each post's passages."""
    sizes = np.diff(np.append(starts, len(vectors)))
    return np.asarray(np.add.reduceat(vectors, starts) / sizes[:, None], np.float32)


def wanted_topics(posts: int) -> int:
    """Return how many topics suit so many posts."""
    return min(max(round(math.sqrt(posts / 2)), _LEAST_TOPICS), _MOST_TOPICS, max(posts, 1))


def topics_of(directions: Vectors, start: Vectors | None = None) -> tuple[Labels, Vectors]:
    """Group directions by spherical k-means.

    Args:
        directions: (n, dimension), of unit length, around their common centre.
        start: the centres to begin from (k, dimension); None for several starts, of which the closest is taken.

    Returns:
        the topic of each row (n,), and the centres (k, dimension).
    """
    count = wanted_topics(len(directions))
    if start is not None and start.ndim == 2 and start.shape[1:] == directions.shape[1:]:
        near = min(count, len(start)) / max(count, len(start), 1) >= _KEPT_SHARE
        if near and len(start) <= len(directions) and np.isfinite(start).all():
            return _settled(directions, start)
    random = np.random.default_rng(0)
    tried = [_settled(directions, _spread_out(directions, count, random)) for _ in range(_STARTS)]
    return max(tried, key=lambda one: float(np.einsum("ij,ij->", directions, one[1][one[0]])))


def _spread_out(directions: Vectors, count: int, random: np.random.Generator) -> Vectors:
    """Choose first centres far from one another (k-means++)."""
    chosen = [int(random.integers(len(directions)))]
    far = 1 - directions @ directions[chosen[0]]
    while len(chosen) < count:
        weights = np.clip(far, 0, None).astype(np.float64) ** 2
        total = weights.sum()
        if total <= 0:
            break
        chosen.append(int(random.choice(len(directions), p=weights / total)))
        far = np.minimum(far, 1 - directions @ directions[chosen[-1]])
    return directions[chosen]


def _settled(directions: Vectors, centres: Vectors) -> tuple[Labels, Vectors]:
    """Move centres to the middle of the rows that are closest to them, until nothing changes."""
    labels = np.full(len(directions), -1, np.int64)
    for _ in range(_ROUNDS):
        closest = np.argmax(directions @ centres.T, axis=1).astype(np.int64)
        if np.array_equal(closest, labels):
            break
        labels = closest
        members = (labels == np.arange(len(centres))[:, None]).astype(np.float32)
        sums = members @ directions
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        # A centre without rows stays: posts that come later may be close to it.
        centres = np.asarray(np.where(lengths > 1e-6, sums / np.where(lengths > 1e-6, lengths, 1), centres), np.float32)
    return labels, centres


def _described(
    index: SearchIndex, posts: Sequence[Post], directions: Vectors, labels: Labels, centres: Vectors
) -> tuple[tuple[TopicGroup, ...], list[int]]:
    """Name the topics, and gather those that are close to one another; also return the label of each in this order."""
    analysis = index.retriever.analysis
    texts = [post.text[:_TEXT] for post in posts]
    members = {topic: np.flatnonzero(labels == topic) for topic in range(len(centres))}
    members = {topic: rows for topic, rows in members.items() if len(rows)}
    holders = {topic: holders_of(analysis, (texts[row] for row in rows)) for topic, rows in members.items()}
    everywhere: Counter[str] = sum(holders.values(), Counter())

    def named(topics: Sequence[int], parts: int) -> str:
        own: Counter[str] = sum((holders[topic] for topic in topics), Counter())
        rows = [row for topic in topics for row in members[topic]]
        terms = telling_terms(own, len(rows), everywhere, len(posts) / parts, _NAME_WORDS)
        return ", ".join(as_written(analysis, terms, (texts[row] for row in rows))) or "?"

    broader = _broader(centres[list(members)])
    gathered: dict[int, list[int]] = {}
    for topic, group in zip(members, broader, strict=True):
        gathered.setdefault(group, []).append(topic)
    groups = []
    for topics in gathered.values():
        topics.sort(key=lambda topic: -len(members[topic]))
        found = [
            Topic(
                named([topic], len(members)),
                len(members[topic]),
                tuple(_examples(posts, members[topic], directions @ centres[topic])),
                tuple(round(float(value), 5) for value in centres[topic]),
            )
            for topic in topics
        ]
        posts_in = sum(topic.posts for topic in found)
        groups.append((TopicGroup(named(topics, len(gathered)), posts_in, tuple(found)), topics))
    groups.sort(key=lambda one: (-one[0].posts, one[0].name))
    return tuple(group for group, _ in groups), [topic for _, topics in groups for topic in topics]


def _broader(centres: Vectors) -> list[int]:
    """Return the broader group of each topic: about as many as each has topics."""
    from scipy.cluster.hierarchy import fcluster, linkage  # here, because nothing else needs it

    if len(centres) < 2:
        return [0] * len(centres)
    distances = np.clip(1 - centres @ centres.T, 0, None)[np.triu_indices(len(centres), 1)].astype(np.float64)
    found: list[int] = fcluster(linkage(distances, "average"), round(len(centres) ** 0.5), "maxclust").tolist()
    return found


def _examples(posts: Sequence[Post], rows: npt.NDArray[np.intp], closeness: npt.NDArray[np.float32]) -> list[TopicPost]:
    nearest = rows[np.argsort(-closeness[rows], kind="stable")][:_EXAMPLES]
    return [TopicPost(post.post_id, post.source_id, title_of(post)) for post in (posts[row] for row in nearest)]
