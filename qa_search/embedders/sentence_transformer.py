"""Run any sentence-transformers model by torch."""

from __future__ import annotations

import logging as python_logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from qa_search.embedders.base import ModelId, Piece, Vectors, pieces_of
from qa_search.embedders.locate import LocatedModel
from qa_search.errors import ModelError
from qa_search.util.memory import give_back_memory

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_BATCH = 32
_MANY = 256
# Roles under which models name the prompt for questions and for documents; the first that there is counts.
_QUERY_PROMPTS = ("query", "question")
_PASSAGE_PROMPTS = ("document", "passage", "corpus", "doc")


class SentenceTransformerEmbedder:
    """Loads a model from its folder; importing torch takes seconds, so this is done when it is made."""

    def __init__(self, located: LocatedModel, *, device: str = "cpu", bfloat16: bool = False) -> None:
        with quiet_loading():
            import torch
            from sentence_transformers import SentenceTransformer

            try:
                self._model = SentenceTransformer(str(located.folder), device=device, local_files_only=True)
                # Weights that are kept in half precision compute in full precision here, as their exports do.
                self._model.to(torch.bfloat16 if bfloat16 else torch.float32)
            except Exception as error:
                # Loading runs code of three libraries, each with errors of its own.
                raise ModelError(
                    f"{located.folder}: sentence-transformers cannot load this model "
                    f"({type(error).__name__}: {' '.join(str(error).split())[:200]})"
                ) from error
        self._model.eval()
        self._id = located.identify()
        self._tokenizer = _uncut_tokenizer(self._model)
        query, passage = located.prompts.query, located.prompts.passage
        self.query_prompt = _prompt(self._model, _QUERY_PROMPTS) if query is None else query
        self.passage_prompt = _prompt(self._model, _PASSAGE_PROMPTS) if passage is None else passage
        self._query_limit, self._passage_limit = self._limit(self.query_prompt), self._limit(self.passage_prompt)
        probe = self._model.encode(["x"], show_progress_bar=False)
        self._dimension = int(np.asarray(probe).shape[1])

    @property
    def model(self) -> SentenceTransformer:
        """The model itself, for exporting it."""
        return self._model

    @property
    def is_static(self) -> bool:
        """Whether the model gives the mean of its tokens' own vectors, whatever stands beside them."""
        return type(self._model[0]).__name__ == "StaticEmbedding"

    @property
    def fast_tokenizer(self) -> Any:
        """The model's tokenizer as the tokenizers library has it, without cuts and padding; None if it is another's."""
        return self._tokenizer if hasattr(self._tokenizer, "encode_batch") else None

    @property
    def model_id(self) -> ModelId:
        """The model's identity."""
        return self._id

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return self._dimension

    @property
    def passage_limit(self) -> int | None:
        """The most tokens of a passage that the model reads."""
        return self._passage_limit

    @property
    def query_limit(self) -> int | None:
        """The most tokens of a question that the model reads."""
        return self._query_limit

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count each text's tokens, without special tokens and never cut."""
        if not texts:
            return []
        if hasattr(self._tokenizer, "encode_batch"):
            return [len(found) for found in self._tokenizer.encode_batch(list(texts), add_special_tokens=False)]
        if not callable(self._tokenizer):  # of word vectors, such as GloVe's
            return [len(self._tokenizer.tokenize(text)) for text in texts]
        return [len(ids) for ids in self._tokenizer(list(texts), add_special_tokens=False)["input_ids"]]

    def pieces(self, texts: Sequence[str]) -> list[list[Piece]] | None:
        """Return the tokens of each text; None if the tokenizer is not one of the tokenizers library."""
        return None if self.fast_tokenizer is None else pieces_of(self.fast_tokenizer, texts)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Embed passages: (n, dimension)."""
        return self._embed(texts, self.passage_prompt, self._model.encode_document)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Embed questions: (n, dimension)."""
        return self._embed(texts, self.query_prompt, self._model.encode_query)

    def _embed(self, texts: Sequence[str], prompt: str, encode: Any) -> Vectors:
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        vectors = encode(
            list(texts),
            prompt=prompt,
            batch_size=_BATCH,
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        if len(texts) >= _MANY:
            give_back_memory()
        return np.ascontiguousarray(vectors, np.float32)

    def _limit(self, prompt: str) -> int | None:
        longest = self._model.max_seq_length
        if (
            longest is None or not 0 < longest < 1 << 20
        ):  # static embeddings read as much as their tokenizer lets through
            cut = getattr(self._model.tokenizer, "truncation", None)
            if not isinstance(cut, dict):
                return None
            longest = cut["max_length"]
        special = 0 if self.is_static else self._special_tokens()
        limit = int(longest) - special - (self.count_tokens([prompt])[0] if prompt else 0)
        if limit < 8:
            raise ModelError(
                f"the model {self._id.name!r} reads {longest} tokens, its prompt included, which leaves too few for a "
                "text. Use a shorter prompt, or another model."
            )
        return limit

    def _special_tokens(self) -> int:
        if hasattr(self._tokenizer, "num_special_tokens_to_add"):
            return int(self._tokenizer.num_special_tokens_to_add(False))
        return 2


def _uncut_tokenizer(model: SentenceTransformer) -> Any:
    """Return a copy of the model's tokenizer that neither cuts nor pads; the original keeps its settings."""
    tokenizer: Any = model.tokenizer
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not hasattr(backend, "no_truncation"):
        return tokenizer  # not one of the tokenizers library: it cuts only when asked to
    from tokenizers import Tokenizer

    copy = Tokenizer.from_str(backend.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy


def _prompt(model: SentenceTransformer, names: Sequence[str]) -> str:
    """Return the prompt that the model itself would use: one by its role, else its default."""
    prompts = model.prompts or {}
    found = next((prompts[name] for name in names if prompts.get(name)), "")
    default = prompts.get(model.default_prompt_name or "", "") or ""
    return found or default


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Silence the libraries' progress bars and notices while a model loads."""
    from transformers.utils import logging

    transformers_logging: Any = logging  # untyped
    bars = transformers_logging.is_progress_bar_enabled()
    levels = {name: python_logging.getLogger(name).level for name in ("sentence_transformers", "transformers")}
    transformers_logging.disable_progress_bar()
    for name in levels:
        python_logging.getLogger(name).setLevel(python_logging.ERROR)
    try:
        yield
    finally:
        if bars:
            transformers_logging.enable_progress_bar()
        for name, level in levels.items():
            python_logging.getLogger(name).setLevel(level)
