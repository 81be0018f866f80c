"""Open an index and search it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from types import TracebackType
from typing import Self

import numpy as np

from qa_search.dates import parse_bound
from qa_search.embedders import Embedder, Vectors, embed_whole_queries, load_embedder, locate_model
from qa_search.embedders.encoder import OnnxEmbedder
from qa_search.embedders.locate import hash_model
from qa_search.errors import ModelMismatchError, ModelNotFoundError, QueryError
from qa_search.generations import Generation, IndexFolder
from qa_search.ranking.grouping import Candidate, best_passages
from qa_search.ranking.highlight import most_useful
from qa_search.sentences import split_sentences
from qa_search.stores.lexical import LexicalStore, terms_of
from qa_search.stores.posts import Filters, PostStore
from qa_search.stores.vectors import Ids, VectorStore
from qa_search.text import clean_text
from qa_search.types import Highlight, Hit, IndexInfo, Passage, Post, SearchResult

DEFAULT_INDEX = "index"
DEFAULT_TOP_K = 5
# Passages fetched at first for each hit wanted; more follow when they belong to too few posts.
_PASSAGES_PER_HIT = 10
_MORE_PASSAGES = 8


class SearchIndex:
    """One generation of an index, open for searching.

    Opening loads no model and changes nothing on disk; the model is loaded at the first search. The same
    generation answers until it is closed, whatever a build does meanwhile. Safe to use from several threads.
    """

    def __init__(self, folder: IndexFolder, generation: Generation, model: str | os.PathLike[str] | Embedder | None):
        """Use `SearchIndex.open`."""
        self._folder = folder
        self._generation = generation
        self._model = model
        self._embedder: Embedder | None = None
        self._loading = threading.Lock()
        self._posts = PostStore(generation.folder)
        self._vectors = VectorStore.of_generation(generation.folder, generation.manifest)
        self._words = LexicalStore(generation.folder)

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
    ) -> SearchResult:
        """Find the k posts closest to a complaint.

        Args:
            text: the complaint, of any length.
            k: how many posts at most; there are fewer only if fewer pass the filters.
            since: the earliest date: a date, or text like "2015", "2015-06" or "2015-06-30".
            until: the latest date, the whole of that day, month or year included.
            source: a glob pattern that the source, or the source and the post's id in it, must match.
            tags: tags that a post must all have.

        Raises:
            QueryError: if the text is blank, k is below 1 or a date is none.
            ModelError: if the model is not on this machine or is not the one that made the index.
        """
        return self.search_many([text], k, since=since, until=until, source=source, tags=tags)[0]

    def search_many(
        self,
        texts: Iterable[str],
        k: int = DEFAULT_TOP_K,
        *,
        since: str | date | None = None,
        until: str | date | None = None,
        source: str | None = None,
        tags: Sequence[str] = (),
    ) -> list[SearchResult]:
        """Search for many complaints at once: the same as `search` for each, in the same order, but faster.

        ``took_ms`` is each one's equal share of the time.
        """
        started = time.perf_counter()
        queries = _checked_texts(texts)
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise QueryError(f"k must be a whole number of at least 1, not {k!r}")
        filters = make_filters(since, until, source, tags)
        if not queries:
            return []
        vectors = self._embed(queries)
        allowed = self._posts.allowed_passages(filters) if filters else None
        found = self._candidates(vectors, min(k, self._vectors.count), allowed)
        hits = self._hits(queries, found, filters)
        took_ms = round((time.perf_counter() - started) * 1000 / len(queries), 1)
        return [SearchResult(query, tuple(of_query), took_ms) for query, of_query in zip(queries, hits, strict=True)]

    def embed(self, texts: Iterable[str]) -> Vectors:
        """Embed texts as questions: float32 (n, dimension), unit length.

        Raises:
            QueryError: if a text is blank.
            ModelError: if the model is not on this machine or is not the one that made the index.
        """
        return self._embed(_checked_texts(texts))

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

    def _embed(self, queries: Sequence[str]) -> Vectors:
        return embed_whole_queries(self.embedder, list(queries))

    def _candidates(self, vectors: Vectors, k: int, allowed: Ids | None) -> list[list[Candidate]]:
        """Find each query's k best posts, fetching more passages while these belong to too few posts."""
        total = self._vectors.count if allowed is None else len(allowed)
        found: list[list[Candidate]] = [[] for _ in vectors]
        open_queries = list(range(len(vectors)))
        fetch = min(k * _PASSAGES_PER_HIT, total)
        while open_queries and fetch:
            scores, numbers = self._vectors.search(vectors[open_queries], fetch, allowed)
            passages = self._posts.passages(np.unique(numbers).tolist())
            for row, query in enumerate(open_queries):
                scored = (
                    Candidate(passages[number][0], number, score)
                    for number, score in zip(numbers[row].tolist(), scores[row].tolist(), strict=True)
                )
                found[query] = best_passages(scored, k)
            if fetch == total:
                break
            open_queries = [query for query in open_queries if len(found[query]) < k]
            fetch = min(fetch * _MORE_PASSAGES, total)
        return found

    def _hits(self, queries: Sequence[str], found: list[list[Candidate]], filters: Filters) -> list[list[Hit]]:
        """Read the posts of the candidates and mark in each the sentence that is most useful to its query."""
        passages = self._posts.passages(sorted({candidate.passage for candidates in found for candidate in candidates}))
        posts = {
            post: self._posts.entry(post, filters)
            for post in {candidate.post for candidates in found for candidate in candidates}
        }
        hits: list[list[Hit]] = []
        for query, candidates in zip(queries, found, strict=True):
            weights = self._term_weights(query)
            hits.append([])
            for rank, candidate in enumerate(candidates, start=1):
                post, passage = posts[candidate.post], passages[candidate.passage][1]
                hits[-1].append(_hit(rank, candidate, post, passage, _highlight(post, passage, weights)))
        return hits

    def _term_weights(self, query: str) -> dict[str, float]:
        """Weigh a complaint's terms by how rare they are in this archive."""
        return self._words.idf(set(terms_of(query)))


def _highlight(post: Post, passage: Passage, weights: Mapping[str, float]) -> Highlight:
    """Mark the expert's most useful sentence; in a post without an answer, one of the passage that was found."""
    if post.answer:
        passage = Passage("answer", 0, len(post.answer))
    text = getattr(post, passage.field)[passage.start : passage.end]
    spans = split_sentences(text)
    sentences = [text[a:b] for a, b in spans]
    a, b = spans[most_useful(sentences, [terms_of(sentence) for sentence in sentences], weights)]
    return Highlight(passage.field, passage.start + a, passage.start + b, text[a:b])


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


def _hit(rank: int, candidate: Candidate, post: Post, passage: Passage, highlight: Highlight) -> Hit:
    return Hit(
        rank=rank,
        post_id=post.post_id,
        source_id=post.source_id,
        title=post.title,
        date=post.date,
        source=post.source,
        url=post.url,
        tags=post.tags,
        score=round(candidate.score, 6),
        matched=passage.field,
        passage=getattr(post, passage.field)[passage.start : passage.end],
        highlight=highlight,
        question=post.question,
        answer=post.answer,
    )
