"""Open an index and search it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self

from qa_search.complaints import read_complaints
from qa_search.dates import parse_bound
from qa_search.embedders import Embedder, Vectors, embed_whole_queries, load_embedder, locate_model
from qa_search.embedders.encoder import OnnxEmbedder
from qa_search.embedders.locate import hash_model
from qa_search.errors import IndexDamagedError, ModelMismatchError, ModelNotFoundError, QueryError
from qa_search.generations import Generation, IndexFolder
from qa_search.hits import HitReader
from qa_search.ranking.confidence import Confidence
from qa_search.ranking.fusion import RANKINGS
from qa_search.retrieval import Ranked, Retriever
from qa_search.stores.filters import Filters
from qa_search.text import clean_text
from qa_search.types import IndexInfo, Post, SearchResult

if TYPE_CHECKING:
    from qa_search.reranking import Reranker

DEFAULT_INDEX = "index"
DEFAULT_TOP_K = 5
_MANIFEST_KEYS = frozenset("built_by created model encoder splitter ranking confidence counts files".split())
_MORE_POSTS = 8  # times as many are ranked when too many of them repeat one another
# The ids of each post and its score, best first.
Run = list[tuple[tuple[str, ...], float]]
_RUN_BLOCK = 64  # complaints ranked at once, so that memory stays bounded


class SearchIndex:
    """One generation of an index, open for searching.

    Opening loads no model and changes nothing on disk; the model is loaded at the first search. The same
    generation answers until it is closed, whatever a build does meanwhile. Safe to use from several threads.
    """

    def __init__(self, folder: IndexFolder, generation: Generation, model: str | os.PathLike[str] | Embedder | None):
        """Use `SearchIndex.open`."""
        missing = _MANIFEST_KEYS - generation.manifest.keys()
        if missing:
            raise IndexDamagedError(
                f"{generation.folder}: the manifest says nothing of {', '.join(sorted(missing))}. "
                f"Build the index again: qa-search build --index {folder.path}"
            )
        self._folder = folder
        self._generation = generation
        self._model = model
        self._embedder: Embedder | None = None
        self._loading = threading.Lock()
        self._retriever = Retriever(generation.folder, generation.manifest)
        self._posts = self._retriever.posts
        self._confidence = Confidence.of_manifest(generation.manifest["confidence"])
        self._weights: Mapping[str, float] = generation.manifest["ranking"]["weights"]

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str] = DEFAULT_INDEX,
        *,
        model: str | os.PathLike[str] | Embedder | None = None,
    ) -> Self:
        """Open the index in a folder.

        Args:
            path: the index folder.
            model: where the model that made the index is now, if it moved; or the model itself.

        Raises:
            IndexFolderError: if there is no index, or it is damaged or of another format.
        """
        folder = IndexFolder(path)
        return cls(folder, folder.current(), model)

    def search(
        self,
        text: str,
        k: int = DEFAULT_TOP_K,
        *,
        since: str | date | None = None,
        until: str | date | None = None,
        source: str | None = None,
        tags: Sequence[str] = (),
        min_confidence: float | None = None,
        explain: bool = False,
        rerank: Reranker | None = None,
    ) -> SearchResult:
        """Find the k posts closest to a complaint.

        Args:
            text: the complaint, of any length.
            k: how many posts at most; there are fewer only if fewer pass the filters.
            since: the earliest date: a date, or text like "2015", "2015-06" or "2015-06-30".
            until: the latest date, the whole of that day, month or year included.
            source: a glob pattern that the source, or the source and the post's id in it, must match.
            tags: tags that a post must all have.
            min_confidence: below it the complaint counts as not answered; None for the index's own threshold.
            explain: say of each hit why it is one.
            rerank: a cross-encoder that reorders the best posts.

        Raises:
            QueryError: if the text is blank, k is below 1, a date is none or min_confidence is not from 0 to 1.
            ModelError: if the model is not on this machine or is not the one that made the index.
        """
        return self.search_many(
            [text],
            k,
            since=since,
            until=until,
            source=source,
            tags=tags,
            min_confidence=min_confidence,
            explain=explain,
            rerank=rerank,
        )[0]

    def search_many(
        self,
        texts: Iterable[str],
        k: int = DEFAULT_TOP_K,
        *,
        since: str | date | None = None,
        until: str | date | None = None,
        source: str | None = None,
        tags: Sequence[str] = (),
        min_confidence: float | None = None,
        explain: bool = False,
        rerank: Reranker | None = None,
    ) -> list[SearchResult]:
        """Search for many complaints at once: the same as `search` for each, in the same order, but faster.

        ``took_ms`` is each one's equal share of the time.
        """
        started = time.perf_counter()
        queries = _checked_texts(texts)
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise QueryError(f"k must be a whole number of at least 1, not {k!r}")
        threshold = self._threshold(min_confidence)
        filters = make_filters(since, until, source, tags)
        if not queries:
            return []
        complaints = read_complaints(self.embedder, queries)
        found = []
        for complaint, ranked in zip(
            complaints, self._retriever.rank(complaints, k, self._weights, filters), strict=True
        ):
            reader = HitReader(self._retriever, self.embedder, complaint, ranked, filters)
            confidence = reader.confidence(self._confidence)
            hits = reader.hits(k, confidence, explain=explain, rerank=rerank)
            wanted = k
            while len(hits) < min(k, ranked.total) and len(ranked.order) < ranked.total:
                # Posts that repeat one another are one hit, and they fill the ranking.
                wanted *= _MORE_POSTS
                ranked = next(self._retriever.rank([complaint], wanted, self._weights, filters))
                reader = HitReader(self._retriever, self.embedder, complaint, ranked, filters)
                hits = reader.hits(k, confidence, explain=explain, rerank=rerank)
            answered = bool(hits) and confidence >= threshold
            found.append(SearchResult(complaint.text, answered, round(confidence, 4), tuple(hits), 0.0))
        took_ms = round((time.perf_counter() - started) * 1000 / len(queries), 1)
        return [replace(result, took_ms=took_ms) for result in found]

    def embed(self, texts: Iterable[str]) -> Vectors:
        """Embed texts as questions: float32 (n, dimension), unit length.

        Raises:
            QueryError: if a text is blank.
            ModelError: if the model is not on this machine or is not the one that made the index.
        """
        return embed_whole_queries(self.embedder, _checked_texts(texts))

    def run(
        self, texts: Iterable[str], k: int = 100, *, rankings: Sequence[str] = ("default",)
    ) -> dict[str, list[Run]]:
        """Rank posts for measuring: for each ranking and each text the k best, by all their ids, with their scores.

        Raises:
            QueryError: if a text is blank or there is no such ranking.
            ModelError: if the model is not on this machine or is not the one that made the index.
        """
        for name in rankings:
            if name not in RANKINGS:
                raise QueryError(f"no ranking {name!r}: choose from {', '.join(RANKINGS)}")
        queries = _checked_texts(texts)
        runs: dict[str, list[Run]] = {name: [] for name in rankings}
        for start in range(0, len(queries), _RUN_BLOCK):
            complaints = read_complaints(self.embedder, queries[start : start + _RUN_BLOCK])
            for ranked in self._retriever.rank(complaints, k, self._weights):
                for name in rankings:
                    runs[name].append(self._run(ranked if name == "default" else ranked.by(RANKINGS[name]), k))
        return runs

    def _run(self, ranked: Ranked, k: int) -> Run:
        rows = ranked.order[:k]
        posts = ranked.candidates.posts[rows].tolist()
        names = self._posts.source_ids(posts)
        return [(tuple(names[post]), score) for post, score in zip(posts, ranked.scores[rows].tolist(), strict=True)]

    def post(self, post_id: str) -> Post | None:
        """Return a whole post by any of its ids, None if there is none of that id."""
        return self._posts.find(post_id)

    def post_ids(self, post_id: str) -> list[str]:
        """Return all ids under which the archives hold this post's text."""
        return self._posts.ids_of(post_id)

    def info(self) -> IndexInfo:
        """Say what the index holds and how it was built."""
        manifest = self._generation.manifest
        return IndexInfo(
            index=str(self._folder.path),
            generation=self._generation.name,
            created=manifest["created"],
            format_version=manifest["format_version"],
            built_by=manifest["built_by"],
            model=manifest["model"],
            encoder={key: value for key, value in manifest["encoder"].items() if key != "files"},
            splitter=manifest["splitter"],
            ranking=manifest["ranking"],
            confidence=manifest["confidence"],
            counts=manifest["counts"],
            bytes=sum(file["bytes"] for file in manifest["files"].values()),
            sources=tuple(self._posts.source_counts()),
            set_aside=tuple(self._posts.set_aside()),
            missing_posts=tuple(self._posts.missing_posts()),
        )

    def close(self) -> None:
        """Close the files. Searching afterwards is an error."""
        self._posts.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def retriever(self) -> Retriever:
        """What finds and ranks posts by vectors and words."""
        return self._retriever

    @property
    def weights(self) -> Mapping[str, float]:
        """The weights of the signals in a score."""
        return self._weights

    @property
    def threshold(self) -> float:
        """The confidence below which a complaint counts as not answered."""
        return self._confidence.threshold

    @property
    def embedder(self) -> Embedder:
        """The model that made the index, loaded when it is first needed."""
        with self._loading:
            if self._embedder is None:
                self._embedder = self._load_embedder()
            return self._embedder

    def _load_embedder(self) -> Embedder:
        manifest = self._generation.manifest
        made_with, encoder = manifest["model"], manifest["encoder"]
        if self._model is not None and not isinstance(self._model, str | os.PathLike):
            self._require_model(self._model.model_id.name, self._model.model_id.sha256)
            return self._model
        if encoder["kind"] == "onnx":
            if self._model is not None:
                located = locate_model(self._model)
                self._require_model(located.name, hash_model(located.folder))
            return OnnxEmbedder(self._folder.encoder(encoder))
        try:
            embedder = load_embedder(self._model or made_with["location"] or made_with["name"])
        except ModelNotFoundError as error:
            raise ModelNotFoundError(
                f"{self._folder.path}: this index was made with the model {made_with['name']!r}, and {error}"
            ) from error
        self._require_model(embedder.model_id.name, embedder.model_id.sha256)
        return embedder

    def _require_model(self, name: str, sha256: str) -> None:
        made_with = self._generation.manifest["model"]
        if sha256 != made_with["sha256"]:
            raise ModelMismatchError(
                f"{self._folder.path}: this index was made with the model {made_with['name']!r} "
                f"(SHA-256 {made_with['sha256'][:12]}), not with {name!r} ({sha256[:12]}). Search with the model it "
                "was made with (--model PATH), or build the index again with the other one."
            )

    def _threshold(self, min_confidence: float | None) -> float:
        if min_confidence is None:
            return self._confidence.threshold
        number = isinstance(min_confidence, int | float) and not isinstance(min_confidence, bool)
        if not number or not 0 <= min_confidence <= 1:
            raise QueryError(f"min_confidence must be from 0 to 1, not {min_confidence!r}")
        return min_confidence


def make_filters(
    since: str | date | None = None,
    until: str | date | None = None,
    source: str | None = None,
    tags: Sequence[str] = (),
) -> Filters:
    """Check what a search is limited to.

    Raises:
        QueryError: if a date is none.
    """
    return Filters(
        since=None if since is None else _bound(since, "since"),
        until=None if until is None else _after(until),
        source=source,
        tags=(tags,) if isinstance(tags, str) else tuple(tags),
    )


def _bound(value: str | date, name: str) -> str:
    bound = value.isoformat() if isinstance(value, date) else parse_bound(value)
    if bound is None:
        raise QueryError(f"{name}: {value!r} is no date. Write it like 2015, 2015-06 or 2015-06-30.")
    return bound


def _after(value: str | date) -> str:
    """Return the first moment after a day, month or year."""
    bound = _bound(value, "until")
    if len(bound) > len("2015-06-30"):
        return bound + "\uffff"  # a moment: itself included
    day = date.fromisoformat(bound)
    parts = 3 if isinstance(value, date) else len(value.strip().replace("/", "-").split("-"))
    if day.year == date.max.year:
        return bound + "\uffff"
    if parts == 1:
        return day.replace(year=day.year + 1).isoformat()
    if parts == 2:
        return (day.replace(day=28) + timedelta(days=4)).replace(day=1).isoformat()
    return (day + timedelta(days=1)).isoformat()


def _checked_texts(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, str):
        raise QueryError("expected a list of texts, not a single text: use search() for that")
    checked = []
    for text in texts:
        if not isinstance(text, str):
            raise QueryError(f"expected a text, not {type(text).__name__}")
        cleaned = clean_text(text)
        if not any(character.isprintable() and not character.isspace() for character in cleaned):
            raise QueryError("the text to search for is empty. Describe the complaint in a few words.")
        checked.append(cleaned)
    return checked
