"""An open index -> the review of its archive: candidates for a person to look at, never facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

from qa_search.index.stores.post_rows import fold_title
from qa_search.review.duplicates import NEIGHBOURS, Shingles, groups, near_copies, overlap, shingles
from qa_search.review.vectors import Directions, Pair, mutual, near_pairs, read_directions
from qa_search.search.retrieval import Retriever
from qa_search.search.search_index import SearchIndex, require_index
from qa_search.types import Hit, OtherPost, Post, to_jsonable
from qa_search.util.threads import computing

KINDS = ("duplicates", "differing", "answerable", "thin", "links")
# Two posts may ask the same if each one's question is the closest to the other's, and so close; they advise otherwise
# if their answers share less text. Chosen here, on the sample archive: each pair is shown, for a person to judge.
_SAME_CLOSENESS = 0.6
_OTHER_OVERLAP = 0.15
# Answers of fewer terms are thin. Chosen here.
_THIN_TERMS = 4
_MOST_ASKED = 500
_BATCH = 32
_BLOCK = 500
_EXCERPT = 400  # characters
_HEADING = 100
_LENGTHS = (10, 25, 50, 100, 200, 400, 800)


@dataclass(frozen=True, slots=True)
class CopyGroup:
    """Posts that are near-copies: the one to keep and why, the others, and the least text that two of them share."""

    keep: OtherPost
    why: str
    copies: tuple[OtherPost, ...]
    overlap: float


@dataclass(frozen=True, slots=True)
class Differing:
    """Two posts that seem to ask the same and are answered differently, the earlier one first where dates are known.

    ``closeness`` is that of the questions, ``overlap`` the text that the answers share, both at most 1.
    """

    earlier: OtherPost
    later: OtherPost
    closeness: float
    overlap: float
    earlier_answer: str
    later_answer: str


@dataclass(frozen=True, slots=True)
class Answerable:
    """A question without an answer, and the post that seems to answer it, with its confidence."""

    question: OtherPost
    answer: OtherPost
    confidence: float


@dataclass(frozen=True, slots=True)
class Remark:
    """A post and what is wrong with it."""

    post: OtherPost
    why: str


@dataclass(frozen=True)
class Review:
    """The state of an archive.

    ``years``, ``sources`` and ``lengths`` (words of an answer) count posts. ``remarks`` say what was not looked at.
    """

    index: str
    posts: int
    duplicates: tuple[CopyGroup, ...]
    differing: tuple[Differing, ...]
    answerable: tuple[Answerable, ...]
    thin: tuple[Remark, ...]
    links: tuple[Remark, ...]
    years: Mapping[str, int]
    sources: Mapping[str, int]
    lengths: Mapping[str, int]
    remarks: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many findings there are of each kind."""
        return {kind: len(getattr(self, kind)) for kind in KINDS}

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        document: dict[str, Any] = to_jsonable(self)
        return {"counts": self.counts, **document}


@computing
def review_archive(index: SearchIndex) -> Review:
    """Review the archive of an open index.

    Every post is compared with every other one: a minute for 20,000 posts, and the square of that for more.

    Raises:
        QueryError: if this is not an open index.
        IndexFolderError: if the index cannot be read.
        ModelError: if questions without an answer are to be searched and the model cannot be used.
    """
    require_index(index)
    return _Reviewer(index).review()


class PostTexts:
    """The texts of the posts of an index, as weighted shingles."""

    def __init__(self, retriever: Retriever) -> None:
        """Read posts when they are needed."""
        self.count = retriever.words.count
        self._retriever = retriever
        self._idf: dict[str, float] = {}
        self._shingles: dict[int, Shingles] = {}

    def post(self, number: int) -> Post:
        """Return a post by its number."""
        return self._retriever.posts.entry(number)

    def shingles(self, number: int) -> Shingles:
        """Return the shingles of a whole post."""
        if number not in self._shingles:
            self._shingles[number] = self.shingles_of(self.post(number).text)
        return self._shingles[number]

    def shingles_of(self, text: str) -> Shingles:
        """Return the shingles of a text."""
        terms = self._retriever.analysis.terms_of(text)
        self._idf.update(self._retriever.words.idf({term for term in terms if term not in self._idf}))
        return shingles(terms, self._idf.__getitem__)

    def blocks(self) -> Iterator[dict[int, Post]]:
        """Yield all posts by their numbers, some at a time."""
        for start in range(0, self.count, _BLOCK):
            yield self._retriever.posts.entries(range(start, min(start + _BLOCK, self.count)))


class _Reviewer:
    def __init__(self, index: SearchIndex) -> None:
        self._index = index
        self._retriever = index.retriever
        self._texts = PostTexts(index.retriever)
        self._remarks: list[str] = []
        self._years: Counter[str] = Counter()
        self._sources: Counter[str] = Counter()
        self._lengths: Counter[str] = Counter(dict.fromkeys(_length_names(), 0))
        self._thin: list[Remark] = []
        self._links: list[Remark] = []
        self._open: list[tuple[OtherPost, str]] = []

    def review(self) -> Review:
        for block in self._texts.blocks():
            for post in block.values():
                self._look_at(post)
        directions = read_directions(self._retriever, self._texts.count)
        close = near_copies(near_pairs(directions.wholes, NEIGHBOURS), self._texts.shingles)
        copies = {pair: shared for pair, shared in close.items() if self._same_advice(pair)}
        return Review(
            self._index.location,
            self._texts.count,
            tuple(self._group(numbers, copies) for numbers in groups(copies)),
            tuple(self._differing(directions, close)),
            tuple(self._answerable()),
            tuple(self._thin),
            tuple(self._links),
            dict(sorted(self._years.items())),
            dict(self._sources.most_common()),
            dict(self._lengths),
            tuple(self._remarks),
        )

    def _look_at(self, post: Post) -> None:
        self._years[post.date[:4] if post.date else "no date"] += 1
        self._sources[post.source] += 1
        if not post.answer.strip():
            self._open.append((_other(post), "\n".join(part for part in (post.title, post.question) if part)))
        else:
            self._lengths[_length_name(len(post.answer.split()))] += 1
            terms = self._retriever.analysis.terms_of(post.answer)
            if len(terms) < _THIN_TERMS:
                self._thin.append(Remark(_other(post), f"its answer says little: {' '.join(post.answer.split())!r}"))
        self._look_at_links(post)

    def _look_at_links(self, post: Post) -> None:
        if not post.prev_title and not post.next_title:
            return
        linked = self._retriever.posts.neighbours(post)
        sides = (("previous", post.prev_title, "next_title"), ("next", post.next_title, "prev_title"))
        for (side, title, back), other in zip(sides, linked, strict=True):
            if title and other is None:
                self._links.append(Remark(_other(post), f"no page has the title of its {side} post, {title!r}"))
            elif title and other is not None:
                page = self._retriever.posts.find(other.post_id)
                answer = getattr(page, back) if page is not None else None
                if answer and fold_title(answer) != fold_title(post.title):
                    why = f"its {side} post, {title!r}, links back to {answer!r}"
                    self._links.append(Remark(_other(post), why))

    def _group(self, numbers: Sequence[int], copies: Mapping[Pair, float]) -> CopyGroup:
        posts = [self._texts.post(number) for number in numbers]
        keep, why = choose(posts)
        least = min(copies[pair] for pair in copies if pair[0] in set(numbers))
        return CopyGroup(_other(keep), why, tuple(_other(post) for post in posts if post is not keep), round(least, 3))

    def _differing(self, directions: Directions, close: Mapping[Pair, float]) -> list[Differing]:
        """Compare the answers of posts that seem to ask the same, the closest questions first."""
        asked = {**mutual(near_pairs(directions.questions, 1)), **dict.fromkeys(close, 1.0)}
        found = [
            differing
            for pair, closeness in asked.items()
            if closeness >= _SAME_CLOSENESS and (differing := self._compare(pair, directions))
        ]
        return sorted(found, key=lambda one: -one.closeness)

    def _compare(self, pair: Pair, directions: Directions) -> Differing | None:
        one, other = map(self._texts.post, pair)
        shared = self._shared_advice(one, other)
        if shared is None or shared >= _OTHER_OVERLAP:
            return None
        earlier, later = sorted((one, other), key=lambda post: post.date or "")
        closeness = float(directions.questions[pair[0]] @ directions.questions[pair[1]])
        return Differing(
            _other(earlier), _other(later), round(closeness, 3), round(shared, 3), _start(earlier), _start(later)
        )

    def _shared_advice(self, one: Post, other: Post) -> float | None:
        """Return how much text two answers share; None if one has no answer."""
        if not (one.answer.strip() and other.answer.strip()):
            return None
        return overlap(*(self._texts.shingles_of(post.answer) for post in (one, other)))

    def _same_advice(self, pair: Pair) -> bool:
        """Return whether no answer is lost if one of two near-copies goes."""
        one, other = map(self._texts.post, pair)
        shared = self._shared_advice(one, other)
        return one.answer.strip() == other.answer.strip() if shared is None else shared >= _OTHER_OVERLAP

    def _answerable(self) -> Iterator[Answerable]:
        left_out = ((OtherPost("", name, title, None), title) for _, name, title in self._retriever.posts.unanswered())
        asked = [item for item in (*self._open, *left_out) if item[1].strip()]
        if len(asked) > _MOST_ASKED:
            self._remarks.append(f"of {len(asked):,} questions without an answer, {_MOST_ASKED:,} were searched for")
        waiting = iter(asked[:_MOST_ASKED])
        while batch := list(islice(waiting, _BATCH)):
            results = self._index.search_many([text[:2000] for _, text in batch], k=3)
            for (question, _), result in zip(batch, results, strict=True):
                hits = [hit for hit in result.hits if hit.post_id != question.post_id and hit.answer.strip()]
                if hits and hits[0].confidence >= self._index.threshold:
                    hit = hits[0]
                    yield Answerable(question, _other(hit), hit.confidence)


def choose(posts: Sequence[Post]) -> tuple[Post, str]:
    """Choose which of several copies to keep, and say why: one with an answer, the latest, the longest."""
    answered = [post for post in posts if post.answer.strip()] or list(posts)
    latest = max((post.date or "" for post in answered), default="")
    newest = [post for post in answered if (post.date or "") == latest]
    keep = max(newest, key=lambda post: len(post.text))
    if len(newest) > 1:
        return keep, "the longest"
    return keep, "the only one with an answer" if len(answered) == 1 else "the latest"


def _other(post: Post | Hit) -> OtherPost:
    """Name a post for a person: one without a title by the beginning of its question."""
    title = " ".join((post.title.strip() or post.question.strip() or post.answer).split())
    short = title if post.title.strip() or len(title) <= _HEADING else f"{title[:_HEADING]}…"
    return OtherPost(post.post_id, post.source_id, short, post.date)


def _start(post: Post) -> str:
    return post.answer if len(post.answer) <= _EXCERPT else f"{post.answer[:_EXCERPT]}…"


def _length_names() -> list[str]:
    bounds = (0, *_LENGTHS)
    return [*(f"{low + 1}-{high}" for low, high in pairwise(bounds)), f"over {_LENGTHS[-1]}"]


def _length_name(words: int) -> str:
    return next(
        (name for name, high in zip(_length_names(), _LENGTHS, strict=False) if words <= high), _length_names()[-1]
    )
