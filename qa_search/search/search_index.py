"""Open an index and search it."""

from __future__ import annotations

import os
import reprlib
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from qa_search.embedders.base import Embedder, Vectors, require_model
from qa_search.embedders.queries import embed_whole_queries
from qa_search.errors import (
    FeedbackError,
    IndexClosedError,
    IndexDamagedError,
    QueryError,
)
from qa_search.index.base import GenerationReader, IndexPlace
from qa_search.index.filters import Filters
from qa_search.index.manifest import dump_record
from qa_search.index.open import open_place
from qa_search.index.stores.posts import PostQueries
from qa_search.search.amendments import Amendments, visible
from qa_search.search.archivist_files import ArchivistFiles, curation_info, feedback_info
from qa_search.search.curation import Curation
from qa_search.search.feedback import ARCHIVIST
from qa_search.search.fusion import RANKINGS, require_rankings
from qa_search.search.query import (
    DEFAULT_TOP_K,
    MAX_QUERY_CHARACTERS,
    FilterOptions,
    SearchOptions,
    SearchParameters,
    checked_texts,
    require_k,
    require_known,
    require_probability,
)
from qa_search.search.retrieval import Ranked, Retriever
from qa_search.search.searchable import Model, OneSearch, SearchableGeneration
from qa_search.types import (
    Hit,
    IndexInfo,
    OtherPost,
    Post,
    SearchResult,
    Verdict,
    is_post_id,
)
from qa_search.util.defaults import DEFAULT_INDEX, DEFAULT_LISTED
from qa_search.util.parameters import require, require_flags, require_paths, require_whole
from qa_search.util.text import clean_text
from qa_search.util.threads import computing

if TYPE_CHECKING:
    from qa_search.search.reranking import Reranker

# The ids of each post and its score, best first.
Run = list[tuple[tuple[str, ...], float]]
_MOST_SKIPPED = 2**31 - 1
_MOST_TAGS = 1000
_EXPORTED_BLOCK = 200  # posts held in memory at once
_RUN_BLOCK = 64  # complaints ranked at once, so that memory stays bounded


class SearchIndex:
    """An open index to search.

    Opening loads no model and changes nothing on disk; the model is loaded at the first search. The same
    generation answers until `refresh` or `close`, even if a build publishes another one. Several threads may use it,
    but only on one side of a fork.
    """

    def __init__(self, folder: IndexPlace, model: Model, files: ArchivistFiles) -> None:
        """Use `SearchIndex.open`."""
        self._folder = folder
        self._model = model
        self._files = files
        self._refreshing = threading.Lock()
        self._closed = False
        # A search takes the generation once and keeps it; `refresh` replaces it.
        self._state = folder.state()
        self._opened = self._open_current()
        self._opened.amend(files)
        self._prepared: tuple[tuple[Any, ...], SearchableGeneration] | None = None

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str] = DEFAULT_INDEX,
        *,
        model: Model = None,
        curation: str | os.PathLike[str] | None = None,
        feedback: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Open the index in a folder, or in a PostgreSQL database.

        The checksum of every file in a folder is compared; in a file of posts of more than 256 MB, that of each block
        when it is read.

        Args:
            path: the index folder, or the database as postgresql://USER@HOST:PORT/DATABASE.
            model: where the model that made the index is now, if it moved; or the model itself.
            curation: the archivist's file; None for the one that QA_SEARCH_CURATION names, or else for curation.toml in
                the index folder, if it exists.
            feedback: the file of votes, to which `record_feedback` writes; it may be missing yet. None to write none,
                and to read the one that QA_SEARCH_FEEDBACK names, or else feedback.jsonl in the index folder.

        Raises:
            QueryError: if a parameter has a value that is not allowed.
            IndexFolderError: if the index is missing, damaged or of another format.
            CurationError: if the archivist's file is invalid, or the one that was named is missing.
            FeedbackError: if the file of votes is invalid.
        """
        require_model(model)
        require_paths(curation=curation, feedback=feedback)
        place = open_place(path)
        return cls(place, model, ArchivistFiles.find(place, curation, feedback))

    def refresh(self) -> bool:
        """Move to the generation that answers at this location now; return whether it is another one.

        It is another one after a build, and after the folder was replaced, for example by ``mv`` or by a changed link.
        Running searches finish on the generation where they began. If the new one cannot be opened, the open one goes
        on answering. An archivist's file that changed takes effect in the generation that answers.

        Raises:
            IndexFolderError: if the index is missing, damaged, unreadable or of another format.
            CurationError: if the archivist's file has become invalid; what it said before stays in force.
        """
        self.prepare()
        return self.move()

    @computing
    def prepare(self) -> object:
        """Open the generation that answers at this location now; the previous one goes on answering until `move`.

        Several open indexes that are to move together prepare, each in its own time, and then move, which is quick.

        Returns:
            The `version` that `move` leads to: the present one, if nothing has changed.

        Raises:
            IndexFolderError: if the index is missing, damaged, unreadable or of another format.
        """
        with self._refreshing:
            state = self._folder.state()  # read before opening: a later change is found at the next call
            if state == self._state:
                self._prepared = None
            elif self._prepared is None or self._prepared[0] != state:
                self._prepared = state, self._open_current()
            opened = self._opened if self._prepared is None else self._prepared[1]
            return state, opened.generation.name, self._files.now()

    @computing
    def move(self) -> bool:
        """Move to what `prepare` opened, and let the archivist's files take effect; return as `refresh`.

        Raises:
            CurationError: if the archivist's file has become invalid; nothing moves then.
            FeedbackError: the same for the file of votes.
        """
        with self._refreshing:
            if self._prepared is None:
                if self._files.changed():
                    self._opened.amend(self._files, self._opened.amended)
                return False
            state, opened = self._prepared
            opened.amend(self._files)
            opened.share_embedder(self._opened)
            self._opened, self._state, self._prepared = opened, state, None
            return True

    @computing
    def _open_current(self) -> SearchableGeneration:
        return self._folder.open_current(lambda generation: SearchableGeneration(self._folder, generation, self._model))

    def search(
        self,
        text: str,
        k: int = DEFAULT_TOP_K,
        *,
        explain: bool = False,
        rerank: Reranker | None = None,
        **options: Unpack[SearchOptions],
    ) -> SearchResult:
        """Find the k posts closest to a complaint.

        Args:
            text: the complaint, of any length.
            k: how many posts at most; there are fewer only if fewer pass the filters.
            explain: explain why each hit matched.
            rerank: a cross-encoder that reorders the best posts.
            options: any of the following, by name.
            since: the earliest date: a date, or text like "2015", "2015-06" or "2015-06-30".
            until: the latest date, the whole of that day, month or year included.
            source: a glob pattern that the source, or the source and the post's id in it, must match.
            tags: tags that a post must all have.
            min_confidence: below it the complaint counts as not answered; None for the index's own threshold.

        Raises:
            TypeError: if a keyword argument is unknown.
            QueryError: if the text is blank, k is below 1, a date is invalid or min_confidence is not from 0 to 1.
            ModelError: if the model is not on this machine or is not the one that made the index.
        """
        require_known(self.search, options, SearchOptions)
        return self.search_many([text], k, explain=explain, rerank=rerank, **options)[0]

    def search_many(
        self,
        texts: Iterable[str],
        k: int = DEFAULT_TOP_K,
        *,
        explain: bool = False,
        rerank: Reranker | None = None,
        **options: Unpack[SearchOptions],
    ) -> list[SearchResult]:
        """Search for many complaints at once: the same as `search` for each, in the same order, but faster.

        ``took_ms`` is each one's equal share of the time.
        """
        require_known(self.search_many, options, SearchOptions)
        parameters = SearchParameters(k, **options)
        queries = checked_texts(texts)
        require_k(k)
        filters = parameters.filters()
        require_probability(parameters.min_confidence)
        require_flags(explain=explain)
        fits = rerank is None or callable(getattr(rerank, "scores", None))
        require(fits, "rerank", rerank, "a Reranker or None")
        return self._search(self._ready(), queries, parameters, filters, explain=explain, rerank=rerank)

    @computing
    def _search(
        self,
        opened: SearchableGeneration,
        queries: list[str],
        parameters: SearchParameters,
        filters: Filters,
        *,
        explain: bool = False,
        rerank: Reranker | None = None,
    ) -> list[SearchResult]:
        started = time.perf_counter()
        if not queries:
            return []
        amended = opened.amended
        complaints = opened.read(queries, amended)
        filters = visible(filters, amended)
        rankings = opened.retriever.rank(complaints, parameters.k, opened.weights, filters, amended)
        one = OneSearch(opened, amended, parameters, filters, explain, rerank)
        found = [
            one.result(query, complaint, ranked)
            for query, complaint, ranked in zip(queries, complaints, rankings, strict=True)
        ]
        opened.generation.require_unchanged()
        took_ms = round((time.perf_counter() - started) * 1000 / len(queries), 1)
        return [replace(result, took_ms=took_ms) for result in found]

    @computing
    def embed(self, texts: Iterable[str]) -> Vectors:
        """Embed texts as questions: float32 (n, dimension), unit length.

        Raises:
            QueryError: if a text is blank.
            ModelError: if the model is not on this machine or is not the one that made the index.
        """
        return embed_whole_queries(self._ready().embedder, checked_texts(texts))

    @computing
    def run(
        self, texts: Iterable[str], k: int = 100, *, rankings: Sequence[str] = ("default",)
    ) -> dict[str, list[Run]]:
        """Rank posts for measurements: for each ranking and text the k best, with all their ids and scores.

        Raises:
            QueryError: if a text is blank or a ranking is unknown.
            ModelError: if the model is not on this machine or is not the one that made the index.
        """
        require_rankings(rankings)
        queries = checked_texts(texts)
        require_k(k)
        opened = self._ready()
        amended = opened.amended
        filters = visible(Filters(), amended)
        runs: dict[str, list[Run]] = {name: [] for name in rankings}
        for start in range(0, len(queries), _RUN_BLOCK):
            complaints = opened.read(queries[start : start + _RUN_BLOCK], amended)
            for ranked in opened.retriever.rank(complaints, k, opened.weights, filters, amended):
                for name in rankings:
                    by_name = ranked if name == "default" else ranked.by(RANKINGS[name])
                    runs[name].append(_run(by_name, k, opened.retriever.posts))
        opened.generation.require_unchanged()
        return runs

    @computing
    def post(self, post_id: str) -> Post | None:
        """Return a whole post by any of its ids, None if the id is unknown or the archivist has hidden the post."""
        if not is_post_id(post_id) or self.why_hidden(post_id) is not None:
            return None
        return self._ready().retriever.posts.find(post_id)

    @computing
    def why_hidden(self, post_id: str) -> str | None:
        """Return the reason why the archivist has hidden a post, "" if none is given; None if it is not hidden."""
        opened = self._ready()
        if opened.amended is None or not opened.amended.hidden or not is_post_id(post_id):
            return None
        return opened.amended.why_hidden(opened.retriever.posts.number_of(post_id))

    @computing
    def post_ids(self, post_id: str) -> list[str]:
        """Return all ids that the archives have for this post's text."""
        return self._ready().retriever.posts.ids_of(post_id) if is_post_id(post_id) else []

    @computing
    def neighbours(self, post_id: str) -> tuple[OtherPost | None, OtherPost | None]:
        """Return the posts that a page's Prev and Next lines link to; None where one is missing or hidden."""
        posts = self._ready().retriever.posts
        post = posts.find(post_id) if is_post_id(post_id) else None
        before, after = (None, None) if post is None else posts.neighbours(post)
        return self._shown(before), self._shown(after)

    def _shown(self, other: OtherPost | None) -> OtherPost | None:
        return None if other is None or self.why_hidden(other.post_id) is not None else other

    @computing
    def similar(
        self,
        post_id: str,
        k: int = DEFAULT_TOP_K,
        **options: Unpack[SearchOptions],
    ) -> SearchResult:
        """Find the posts closest to a post's question, or to its answer if it has no question.

        The post itself is left out. ``options`` are those of `search`.

        Raises:
            QueryError: if the post does not exist, or as `search`.
        """
        require_known(self.similar, options, SearchOptions)
        parameters = SearchParameters(k, **options)
        require_k(k)
        require_probability(parameters.min_confidence)
        opened = self._ready()
        posts = opened.retriever.posts
        post = self.post(post_id)
        if post is None:
            raise _unknown_post(post_id)
        text = "\n".join(part for part in (post.title, post.question or post.answer) if part)
        filters = replace(parameters.filters(), other_than=posts.number_of(post_id))
        return self._search(opened, [clean_text(text[:MAX_QUERY_CHARACTERS])], parameters, filters)[0]

    @property
    def records_feedback(self) -> bool:
        """Whether the index was opened with a file of votes to write to."""
        return self._files.recorder is not None

    def verdicts(self) -> list[Verdict]:
        """Return what the file of votes decides: which posts answer which queries, and which do not."""
        amended = self._ready().amended
        return [] if amended is None else list(amended.verdicts)

    @computing
    def record_feedback(
        self, query: str, post_id: str, *, answered: bool, client: str = ARCHIVIST, address: str | None = None
    ) -> None:
        """Write down that a post answered a query, or did not.

        It takes effect at the next `refresh`, as soon as enough clients agree: the archivist decides alone.

        Args:
            query: the query, as it was written.
            post_id: the post.
            answered: whether the post answered it.
            client: who says so.
            address: the address of the client, in place of its name; only a salted hash of it is written.

        Raises:
            QueryError: if the post does not exist, or the vote is invalid.
            FeedbackError: if the index was opened without ``feedback``, or the vote cannot be written.
            FeedbackLimitError: if the client has given too many votes today.
        """
        recorder, opened = self._files.recorder, self._ready()
        if recorder is None:
            raise FeedbackError("no feedback is asked for: open the index with feedback=FILE")
        if self.post(post_id) is None:
            raise _unknown_post(post_id)
        curation = opened.amended.curation if opened.amended is not None else Curation()
        client = client if address is None else recorder.client_of(address)
        recorder.add(query, post_id, answered=answered, client=client, per_client=curation.votes.per_client)

    @computing
    def match(self, post_id: str, text: str, *, explain: bool = False) -> Hit:
        """Return the hit that a post is for a complaint, with its marked sentence, whatever other posts there are.

        Raises:
            QueryError: if the post does not exist, or the text is blank.
            ModelError: if the model is not on this machine or is not the one that made the index.
        """
        (query,) = checked_texts([text])
        require_flags(explain=explain)
        opened = self._ready()
        number = opened.retriever.posts.number_of(post_id) if is_post_id(post_id) else None
        if number is None or self.why_hidden(post_id) is not None:
            raise _unknown_post(post_id)
        result = self._search(opened, [query], SearchParameters(1), Filters(only=number), explain=explain)[0]
        if not result.hits:
            raise IndexDamagedError.of(self._folder.path, f"the post {post_id} has no passage")
        return result.hits[0]

    @computing
    def list_posts(
        self, k: int = DEFAULT_LISTED, *, skip: int = 0, oldest_first: bool = False, **options: Unpack[FilterOptions]
    ) -> list[Post]:
        """Return posts without searching: the newest (or the oldest) first, those without a date last.

        A text that occurs several times in the archive is listed under each of its ids.

        Args:
            k: how many posts at most.
            skip: how many posts are passed over first.
            oldest_first: whether to begin with the oldest.
            **options: the filters of `search`.

        Raises:
            TypeError: if a keyword argument is unknown.
            QueryError: if a filter is invalid, or ``k`` or ``skip`` is no count.
        """
        require_known(self.list_posts, options, FilterOptions)
        filters = SearchParameters(**options).filters()
        require_k(k)
        require_whole("skip", skip, 0, _MOST_SKIPPED)
        require_flags(oldest_first=oldest_first)
        opened = self._ready()
        return opened.retriever.posts.newest(visible(filters, opened.amended), k, skip, oldest_first=oldest_first)

    def all_posts(self, **options: Unpack[FilterOptions]) -> Iterator[Post]:
        """Yield all posts that pass the filters of `search`, in the order of the archive, under each of their ids.

        Posts that the archivist has hidden are among them: what is written to a file must lose nothing.

        Raises:
            TypeError: if a keyword argument is unknown.
            QueryError: if a filter is invalid.
        """
        require_known(self.all_posts, options, FilterOptions)
        filters = SearchParameters(**options).filters()
        for block in self._ready().retriever.posts.entry_blocks(filters, _EXPORTED_BLOCK):
            yield from block

    @computing
    def info(self) -> IndexInfo:
        """Return what the index contains and how it was built."""
        opened = self._ready()
        manifest, posts = opened.manifest, opened.retriever.posts
        return IndexInfo(
            index=str(self._folder.path),
            generation=opened.generation.name,
            created=manifest.created,
            format_version=manifest.format_version,
            built_by=manifest.built_by,
            model=dump_record(manifest.model),
            encoder={key: value for key, value in dump_record(manifest.encoder).items() if key != "files"},
            splitter=dump_record(manifest.splitter),
            ranking=dump_record(manifest.ranking._replace(weights=opened.weights)),
            confidence=dump_record(manifest.confidence),
            counts=dump_record(manifest.counts),
            vector_index=dump_record(manifest.vector_index),
            bytes=manifest.bytes,
            sources=tuple(posts.source_counts()),
            set_aside=tuple(posts.set_aside()),
            missing_posts=tuple(posts.missing_posts()),
            built_from=() if manifest.built_from is None else manifest.built_from.sources,
            files=manifest.reading,
            language=opened.languages.main,
            unread=opened.languages.unread,
            advice=opened.languages.warning(),
            years=posts.years(),
            tags=posts.tags(_MOST_TAGS),
            curation=curation_info(opened.amended),
            feedback=feedback_info(opened.amended, self._files.feedback),
        )

    def close(self) -> None:
        """Close the files. Searching afterwards raises `IndexClosedError`."""
        self._closed = True
        self._opened.retriever.close()
        if self._prepared is not None:
            self._prepared[1].retriever.close()
        self._folder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def location(self) -> str:
        """Where the index is, without a password."""
        return str(self._folder.path)

    @property
    def generation(self) -> GenerationReader:
        """The generation that answers now."""
        return self._opened.generation

    @property
    def version(self) -> object:
        """What answers now, the archivist's files included: two open indexes whose versions are equal answer alike."""
        return self._state, self._opened.generation.name, self._files.stamps

    @property
    def amended(self) -> Amendments | None:
        """What the archivist's file changes; None if there is no such file."""
        return self._opened.amended

    @property
    def retriever(self) -> Retriever:
        """What finds and ranks posts by vectors and words."""
        return self._opened.retriever

    @property
    def weights(self) -> Mapping[str, float]:
        """The weights of the signals in a score."""
        return self._opened.weights

    @property
    def threshold(self) -> float:
        """The confidence below which a complaint counts as not answered."""
        return self._opened.confidence.threshold

    @property
    def embedder(self) -> Embedder:
        """The model that made the index, loaded when it is first needed."""
        return self._opened.embedder

    def _ready(self) -> SearchableGeneration:
        if self._closed:
            raise IndexClosedError(f"{self._folder.path}: this index is closed. Open it again: SearchIndex.open(...)")
        opened = self._opened
        opened.generation.require_unchanged()
        return opened


def require_index(index: SearchIndex) -> None:
    """Refuse what is not an open index.

    Raises:
        QueryError: if it is something else.
        IndexClosedError: if it was closed.
    """
    require(isinstance(index, SearchIndex), "index", index, "an open index, as SearchIndex.open(...) returns it")
    index._ready()


def _unknown_post(post_id: str) -> QueryError:
    return QueryError(f"{reprlib.repr(post_id)}: the index has no post with this id")


def _run(ranked: Ranked, k: int, stored: PostQueries) -> Run:
    rows = ranked.order[:k]
    posts = ranked.candidates.posts[rows].tolist()
    names = stored.source_ids(posts)
    return [(tuple(names[post]), score) for post, score in zip(posts, ranked.scores[rows].tolist(), strict=True)]
