"""One generation and its model, open for searching: queries and their rankings -> results."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qa_search.embedders.base import Embedder, Prompts
from qa_search.embedders.closeness import PLAIN, Closeness
from qa_search.embedders.load import load_located
from qa_search.embedders.locate import LocatedModel, locate_model, locate_recorded_model
from qa_search.embedders.onnx import OnnxEmbedder
from qa_search.embedders.queries import Query, read_queries
from qa_search.embedders.readability import cannot_read, is_whole_word
from qa_search.errors import ModelError, ModelMismatchError
from qa_search.index.base import GenerationReader, IndexPlace
from qa_search.index.filters import Filters
from qa_search.index.manifest import ExportedEncoder, Manifest
from qa_search.search.advice import RELY_ON_NONE, Languages, read_in_part
from qa_search.search.amendments import Amendments, Pinned
from qa_search.search.archivist_files import ArchivistFiles
from qa_search.search.confidence import TOO_LITTLE, Confidence
from qa_search.search.curation import Curation
from qa_search.search.fusion import UNREAD_WEIGHTS
from qa_search.search.hits import HitReader
from qa_search.search.query import SearchParameters
from qa_search.search.retrieval import Ranked, Retriever
from qa_search.search.spelling import Speller
from qa_search.types import SearchResult

if TYPE_CHECKING:
    from qa_search.search.reranking import Reranker

Model = str | os.PathLike[str] | Embedder | None
_MORE_POSTS = 8  # times as many are ranked when too many of them repeat one another

log = logging.getLogger("qa_search")


class SearchableGeneration:
    """One generation, open for searching; its model is loaded when it is first needed."""

    def __init__(self, folder: IndexPlace, generation: GenerationReader, model: Model) -> None:
        self.folder = folder
        self.generation = generation
        self.manifest = generation.manifest
        # Opened now, so that builds cannot remove it before the first search loads it.
        encoder = self.manifest.encoder if model is None or isinstance(model, str | os.PathLike) else None
        self._encoder = encoder if isinstance(encoder, ExportedEncoder) else None
        self._encoder_files = None if self._encoder is None else folder.hold_encoder(self._encoder)
        closeness = PLAIN if self.manifest.closeness is None else Closeness(*self.manifest.closeness)
        self.retriever = Retriever(generation.folder, generation.open_stores(), closeness)
        self.confidence = Confidence.of_record(self.manifest.confidence)
        self.languages = Languages.of_manifest(self.manifest)
        self.weights = weights_of(self.manifest)
        self.amended: Amendments | None = None
        self._model = model
        self._embedder: Embedder | None = None
        self._loading = threading.Lock()

    def amend(self, files: ArchivistFiles, previous: Amendments | None = None) -> None:
        """Let the archivist's files take effect as they are now; ``previous`` is what the same model has prepared."""
        curation, votes = files.read()
        if curation is None and votes is None:
            self.amended = None
            return
        stores = self.retriever
        curation = Curation() if curation is None else curation
        amended = Amendments(
            curation, stores.posts, stores.words, stores.analysis, votes or (), closeness=stores.closeness
        )
        if previous is not None:
            amended.inherit(previous)
        for remark in amended.remarks:
            log.warning("%s: %s", curation.path, remark)
        self.amended = amended

    @property
    def embedder(self) -> Embedder:
        """The model, which is loaded now if it was not.

        Raises:
            ModelError: if it is missing or is not the one that made the index.
        """
        with self._loading:
            if self._embedder is None:
                self._embedder = self._load_embedder()
            return self._embedder

    def read(self, texts: list[str], amended: Amendments | None) -> list[Query]:
        """Correct and embed queries."""
        known = frozenset() if amended is None else amended.known_words
        if amended is not None:
            amended.prepare(self.embedder)
        searched = Speller(self.retriever, self.embedder, known).corrected(texts)
        return read_queries(self.embedder, searched, self.retriever.analysis, self.retriever.rarities)

    def share_embedder(self, other: SearchableGeneration) -> None:
        """Use the model that another generation has loaded, if it is the same."""
        if (self.manifest.model, self.manifest.encoder) == (other.manifest.model, other.manifest.encoder):
            self._embedder = other._embedder
            if self.amended is not None and other.amended is not None:
                self.amended.inherit(other.amended)

    def _load_embedder(self) -> Embedder:
        if self._model is not None and not isinstance(self._model, str | os.PathLike):
            self._require_model(self._model.model_id.name, self._model.model_id.sha256)
            return self._model
        if self._encoder is not None and self._encoder_files is not None:
            if self._model is not None:
                self._as_made(locate_model(self._model, searching=True))
            self.folder.require_encoder(self._encoder_files, self._encoder)
            return OnnxEmbedder(self._encoder_files.folder, path_of=self._encoder_files.path)
        return load_located(
            self._as_made(self._recorded_model() if self._model is None else locate_model(self._model, searching=True))
        )

    def _recorded_model(self) -> LocatedModel:
        made_with, index = self.manifest.model, self.folder.path
        try:
            return locate_recorded_model(made_with.name, made_with.location, Path(index))
        except ModelError as error:
            raise type(error)(f"{index}: this index was made with the model {made_with.name!r}, and {error}") from error

    def _as_made(self, located: LocatedModel) -> LocatedModel:
        """Compare a model with the one that made the index, before it is loaded; return it with the same prompts."""
        made_with = self.manifest.model
        prompted = replace(located, prompts=Prompts(made_with.query_prompt, made_with.passage_prompt))
        self._require_model(located.name, prompted.identify().sha256)
        return prompted

    def _require_model(self, name: str, sha256: str) -> None:
        made_with = self.manifest.model
        if sha256 != made_with.sha256:
            raise ModelMismatchError(
                f"{self.folder.path}: this index was made with the model {made_with.name!r} "
                f"(SHA-256 {made_with.sha256[:12]}), not with {name!r} ({sha256[:12]}). Search with the model it "
                "was made with (model=PATH), or build the index again with the other one."
            )


def weights_of(manifest: Manifest) -> Mapping[str, float]:
    """Return the weights of the signals that an index is searched with.

    Those in the manifest are for an archive that the model can read, unless they were learnt.
    """
    if manifest.ranking.tuned or not Languages.of_manifest(manifest).unreadable:
        return manifest.ranking.weights
    return UNREAD_WEIGHTS


@dataclass(frozen=True, slots=True)
class OneSearch:
    """What the results of one call have in common."""

    opened: SearchableGeneration
    amended: Amendments | None
    parameters: SearchParameters
    filters: Filters
    explain: bool
    rerank: Reranker | None

    def result(self, query: str, complaint: Query, ranked: Ranked) -> SearchResult:
        """Make the result of a query from the ranking of the complaint as it was read."""
        opened, k, threshold = self.opened, self.parameters.k, self.parameters.min_confidence
        if threshold is None:
            threshold = opened.confidence.threshold
        pinned = self._pinned(query, complaint, ranked)
        reader = self._reader(complaint, ranked, pinned)
        too_little = reader.too_little
        confidence = reader.confidence(opened.confidence)
        if pinned is None and (opened.languages.unreadable or cannot_read(opened.embedder, complaint.read)):
            confidence = min(confidence, TOO_LITTLE)
        notice = None
        if self.amended is not None:
            is_word = partial(is_whole_word, opened.embedder)
            notice = self.amended.dangers.notice(query, complaint.text, is_word=is_word)
        if notice is not None and pinned is None:
            # Whatever the posts say: a person in danger must not rely on them.
            confidence = min(confidence, TOO_LITTLE)
        hits = reader.hits(k, confidence, explain=self.explain, rerank=self.rerank)
        wanted = k
        while len(hits) < min(k, ranked.total) and len(ranked.order) < ranked.total:
            # Posts that repeat one another are one hit, and they fill the ranking.
            wanted *= _MORE_POSTS
            ranked = next(opened.retriever.rank([complaint], wanted, opened.weights, self.filters, self.amended))
            hits = self._reader(complaint, ranked, pinned).hits(k, confidence, explain=self.explain, rerank=self.rerank)
        answered = bool(hits) and confidence >= threshold
        advice = None
        if not answered and notice is not None:
            advice = RELY_ON_NONE
        elif not answered:
            advice = opened.languages.advice(complaint.read, opened.embedder, too_little=too_little)
        searched = complaint.text if complaint.text != query else None
        wording = None if pinned is None else pinned.question
        note = read_in_part(complaint)
        return SearchResult(
            query,
            answered,
            round(confidence, 4),
            tuple(hits),
            0.0,
            advice,
            searched,
            note=note,
            pinned=wording,
            notice=notice,
        )

    def _pinned(self, query: str, complaint: Query, ranked: Ranked) -> Pinned | None:
        if self.amended is None:
            return None
        return self.amended.pinned(query, complaint, ranked.candidates.posts, ranked.signals.values["best"])

    def _reader(self, complaint: Query, ranked: Ranked, pinned: Pinned | None) -> HitReader:
        post = None if pinned is None else pinned.post
        ranked = ranked if post is None else ranked.with_first(post)
        return HitReader(
            self.opened.retriever, self.opened.embedder, complaint, ranked, self.filters, self.amended, post
        )
