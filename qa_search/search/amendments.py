"""What the archivist adds to one generation -> other candidates, signals and scores in its searches.

Without an archivist's file there are no amendments, and a search takes none of these steps.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from qa_search.embedders.base import Embedder, Vectors
from qa_search.embedders.closeness import PLAIN, Closeness
from qa_search.embedders.queries import Query, embed_whole_queries
from qa_search.index.base import WordSearch
from qa_search.index.filters import Filters
from qa_search.index.stores.posts import PostQueries
from qa_search.search.curation import Curation, Newer
from qa_search.search.danger import DangerSigns
from qa_search.search.feedback import Vote, verdicts
from qa_search.search.highlight import covered_share
from qa_search.search.signals import Candidates, Signals, Values
from qa_search.search.synonyms import Synonyms
from qa_search.types import possible_ids
from qa_search.util.masking import masked
from qa_search.util.terms import Analysis

# A query matches a wording, or a confirmed complaint, only if each says so much, by rarity, of what the other says.
_SHARED_TERMS = 0.5
_DAYS = 365.25
# So many of the closest confirmed complaints bring their posts among the candidates.
_NEAREST = 10
# The signals that a confirmed complaint can raise.
_RAISED = ("question", "best", "whole", "parts")
_WORD = re.compile(r"\w+")
_ENDS = " \t.!?…。！？"


@dataclass(frozen=True, slots=True)
class Pinned:
    """A pinned post that a query asks for: its number, and the wording that matched."""

    post: int
    question: str


@dataclass(frozen=True, slots=True)
class _Wording:
    text: str
    post: int
    terms: frozenset[str]


class Amendments:
    """The amendments of one generation. Safe to use from several threads."""

    def __init__(
        self,
        curation: Curation,
        posts: PostQueries,
        words: WordSearch[Any],
        analysis: Analysis,
        votes: Sequence[Vote] = (),
        closeness: Closeness = PLAIN,
    ) -> None:
        """Find the posts that the files name; ``remarks`` says which of them this generation does not have.

        ``closeness`` is what the model's cosines mean.
        """
        self._closeness = closeness
        self.curation = curation
        self.votes = len(votes)
        self._posts = posts
        self._words = words
        self._analysis = analysis
        remarks: list[str] = []
        numbers = self._numbers_of([*(pin.post for pin in curation.pins), *(hide.post for hide in curation.hidden)])
        self._reasons: dict[int, str] = {}
        for at, hide in enumerate(curation.hidden, start=1):
            number = numbers[hide.post]
            if number is None:
                remarks.append(_unknown("hide", at, hide.post))
            else:
                self._reasons[number] = hide.why
        self.hidden = tuple(sorted(self._reasons))
        self.synonyms = Synonyms.of_groups(curation.same, analysis) if curation.same else None
        self.dangers = DangerSigns.of(curation.dangers, analysis)
        self._exact: dict[str, Pinned] = {}
        self._wordings: list[_Wording] = []
        for at, pin in enumerate(curation.pins, start=1):
            number = numbers[pin.post]
            if number is None:
                remarks.append(_unknown("pin", at, pin.post))
            elif number in self._reasons:
                remarks.append(f"pin[{at}]: the post {pin.post!r} is hidden, so that it is not pinned")
            else:
                self._exact.update({fold(question): Pinned(number, question) for question in pin.questions})
                if pin.match == "meaning":
                    self._wordings += [_Wording(text, number, self.terms_of(text)) for text in pin.questions]
        self.remarks = tuple(remarks)
        self._vectors: Vectors | None = None
        self.confirmed: list[tuple[int, str]] = []
        self.rejected: list[tuple[int, str]] = []
        self.verdicts = verdicts(votes, curation.votes.needed, analysis)
        for verdict in self.verdicts:
            # A post that is gone keeps its votes in the file.
            if (number := number_of(posts, verdict.post)) is not None:
                (self.confirmed if verdict.confirmed else self.rejected).append((number, masked(verdict.query)))
        self._rejected: dict[frozenset[str], set[int]] = {}
        for number, query in self.rejected:
            self._rejected.setdefault(frozenset(analysis.terms_of(query)), set()).add(number)
        self._owners = np.asarray([number for number, _ in self.confirmed], np.int64)
        self._complaints: Vectors | None = None
        self._embedded: dict[str, Vectors] = {}
        self._newest = self._newest_date() if curation.newer else None
        self._preparing = threading.Lock()

    @property
    def known_words(self) -> frozenset[str]:
        """The words of the file, which are not misspelt."""
        texts = [word for group in self.curation.same for word in group]
        texts += [question for pin in self.curation.pins for question in pin.questions]
        texts += [word for danger in self.curation.dangers for word in danger.words]
        return frozenset(word for text in texts for word in _WORD.findall(text.casefold()))

    def prepare(self, embedder: Embedder) -> None:
        """Embed what is compared by meaning, once."""
        with self._preparing:
            if self._vectors is None and self._wordings:
                self._vectors = self._embed(embedder, [wording.text for wording in self._wordings])
            if self._complaints is None and self.confirmed:
                self._complaints = self._embed(embedder, [query for _, query in self.confirmed])

    def inherit(self, previous: Amendments) -> None:
        """Take over the vectors that were computed before, with the same model."""
        self._embedded = previous._embedded

    def _embed(self, embedder: Embedder, texts: list[str]) -> Vectors:
        missing = [text for text in dict.fromkeys(texts) if text not in self._embedded]
        if missing:
            self._embedded.update(zip(missing, embed_whole_queries(embedder, missing), strict=True))
        return np.stack([self._embedded[text] for text in texts])

    def limited(self, filters: Filters) -> Filters:
        """Keep hidden posts out."""
        return replace(filters, hidden=self.hidden) if self.hidden else filters

    def why_hidden(self, number: int | None) -> str | None:
        """Return the reason why a post is hidden, "" if none is given; None if it is not hidden."""
        return None if number is None else self._reasons.get(number)

    def weights(self, complaint: Query) -> dict[str, float]:
        """Return the weighted terms to look for: those of the query, and what they mean."""
        if self.synonyms is None:
            return complaint.terms
        return self.synonyms.weights(self._analysis.terms_of(complaint.text), complaint.terms)

    def terms_of(self, text: str) -> frozenset[str]:
        """Return the terms of a post's text, and what they mean."""
        terms = self._analysis.terms_of(text)
        return frozenset(terms) if self.synonyms is None else self.synonyms.widened(terms)

    def extra_posts(self, complaint: Query) -> list[int]:
        """Return the posts that are candidates whatever their texts say."""
        exact = self._exact.get(fold(complaint.text))
        found = {exact.post} if exact else set()
        if self._vectors is not None and len(self._vectors):
            found.add(self._wordings[int(np.argmax(self._vectors @ complaint.vector))].post)
        found.update(self.confirmed[at][0] for at, _ in self._repeated(complaint))
        return sorted(found)

    def signals(self, complaint: Query, candidates: Candidates, signals: Signals) -> Signals:
        """Return the signals of candidates as the feedback has them.

        A confirmed complaint speaks for its post as a question of it would, in queries that say the same: complaints
        resemble each other in style, so that closeness alone would move queries that ask something else. A rejected one
        halves what speaks for its post, in queries of the same terms alone.
        """
        text = masked(complaint.text)
        terms = complaint.terms if text == complaint.text else self._analysis.terms_of(text)
        rejected = self._rejected.get(frozenset(terms), set())
        if self._complaints is None and not rejected:
            return signals
        values = dict(signals.values)
        for at, closeness in self._repeated(complaint):
            row = int(np.searchsorted(candidates.posts, self._owners[at]))
            if row < len(candidates.posts) and candidates.posts[row] == self._owners[at]:
                for name in _RAISED:
                    values[name] = values[name].copy()
                    values[name][row] = max(values[name][row], closeness)
        if rejected:
            factor = np.where(np.isin(candidates.posts, list(rejected)), np.float32(0.5), np.float32(1))
            values = {name: value * factor for name, value in values.items()}
        return replace(signals, values=values)

    def _repeated(self, complaint: Query) -> list[tuple[int, float]]:
        """Return which of the closest confirmed complaints say the same as a query, and how close they are."""
        if self._complaints is None:
            return []
        close = self._closeness.of(self._complaints @ complaint.vector)
        nearest = np.argsort(-close, kind="stable")[:_NEAREST].tolist()
        asked = self.terms_of(masked(complaint.text))
        same = (at for at in nearest if self._say_the_same(asked, self.terms_of(self.confirmed[at][1])))
        return [(at, float(close[at])) for at in same]

    def pinned(self, text: str, complaint: Query, posts: npt.NDArray[np.int64], best: Values) -> Pinned | None:
        """Return the pin that a query asks for, if it is among the candidates.

        By meaning, a wording must be closer to the query than any passage of another post is, and each must say half
        of what the other says.

        Args:
            text: the query as it was written.
            complaint: the query as it was read.
            posts: the numbers of the candidates, (n,).
            best: the closeness of each one's best passage, (n,).
        """
        found = (
            self._exact.get(fold(text)) or self._exact.get(fold(complaint.text)) or self._near(complaint, posts, best)
        )
        return found if found is not None and found.post in posts else None

    def _near(self, complaint: Query, posts: npt.NDArray[np.int64], best: Values) -> Pinned | None:
        if self._vectors is None or not len(self._vectors):
            return None
        close = self._closeness.of(self._vectors @ complaint.vector)
        at = int(np.argmax(close))
        wording = self._wordings[at]
        others = best[posts != wording.post]
        if len(others) and close[at] <= others.max():
            return None
        same = self._say_the_same(self.terms_of(complaint.text), wording.terms)
        return Pinned(wording.post, wording.text) if same else None

    def _say_the_same(self, one: frozenset[str], other: frozenset[str]) -> bool:
        """Return whether each of two texts, given their terms, says enough of what the other says."""
        idf = self._words.idf(one | other)
        pairs = ((one, other), (other, one))
        return all(covered_share(said, {term: idf[term] for term in whole}) >= _SHARED_TERMS for said, whole in pairs)

    def newer_bonus(self, posts: npt.NDArray[np.int64]) -> Values | None:
        """Return what each post gains by its date (n,), from 0 to the file's weight; None if it says nothing of it."""
        newer = self.curation.newer
        if newer is None or self._newest is None:
            return None
        dates = self._posts.dates(posts.tolist())
        return np.asarray([_bonus(newer, self._newest, dates.get(int(post))) for post in posts], np.float32)

    def _newest_date(self) -> float | None:
        """Return the latest date that is not in the future, in years."""
        latest = self._posts.latest_date((datetime.now(UTC) + timedelta(days=1)).date().isoformat())
        return None if latest is None else _years(latest)

    def _numbers_of(self, names: Iterable[str]) -> dict[str, int | None]:
        return {name: number_of(self._posts, name) for name in names}


def visible(filters: Filters, amended: Amendments | None) -> Filters:
    """Add to filters what keeps hidden posts out."""
    return filters if amended is None else amended.limited(filters)


def number_of(posts: PostQueries, name: str) -> int | None:
    """Return the number of a post, by an id or as SOURCE/ID; None if there is no such post."""
    numbers = (posts.number_of(post_id) for post_id in possible_ids(name))
    return next((number for number in numbers if number is not None), None)


def fold(text: str) -> str:
    """Fold the ways to write one query: case, blanks, and the sign at its end."""
    return " ".join(text.casefold().split()).strip(_ENDS)


def _unknown(key: str, at: int, post: str) -> str:
    return f"{key}[{at}]: the index has no post {post!r}, so that this has no effect"


def _years(date: str) -> float:
    """Return an ISO date in years; a missing month or day counts as the first."""
    year, month, day = (*map(int, date[:10].split("-")), 1, 1)[:3]
    return year + ((month - 1) * 30.4375 + day - 1) / _DAYS


def _bonus(newer: Newer, newest: float, date: str | None) -> float:
    """Return what a post of a date gains; half is left after every ``newer.years`` before the newest post."""
    if date is None:
        return 0.0
    return newer.weight * math.exp2(-max(newest - _years(date), 0.0) / newer.years)
