"""The contract of embedding models: text -> vectors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from qa_search.errors import ModelError
from qa_search.util.parameters import is_path, require
from qa_search.util.text import SURROGATES

# The most characters of a prompt: room for instructions with examples.
_MOST_PROMPT = 10_000
# What no index can keep.
_UNSTORABLE = re.compile(rf"[\0{SURROGATES}]")
# How far a vector may be from unit length before it is scaled.
_UNIT_TOLERANCE = 1e-4

Vectors = npt.NDArray[np.float32]
# A token: where it begins and ends in the text, in characters, and whether the vocabulary has it.
Piece = tuple[int, int, bool]
# Names that vocabularies have for what they lack.
UNKNOWN_TOKENS = ("[UNK]", "<unk>", "<UNK>", "UNK")


@dataclass(frozen=True, slots=True)
class Prompts:
    """Words before each question and each passage: None for those that the model itself names, "" for none.

    Raises:
        ModelError: if one of them cannot be kept with an index.
    """

    query: str | None = None
    passage: str | None = None

    def __post_init__(self) -> None:
        for name, prompt in (("query_prompt", self.query), ("passage_prompt", self.passage)):
            if prompt is not None and not _is_prompt(prompt):
                raise ModelError(
                    f"{name}: the prompt is invalid. A prompt is UTF-8 text of at most {_MOST_PROMPT:,} characters, "
                    "without null characters.",
                    parameter=name,
                )

    @property
    def are_given(self) -> bool:
        """Whether there is one in place of the model's own."""
        return self != OWN_PROMPTS


def _is_prompt(text: object) -> bool:
    return isinstance(text, str) and len(text) <= _MOST_PROMPT and not _UNSTORABLE.search(text)


# Those that the model itself names.
OWN_PROMPTS = Prompts()


@dataclass(frozen=True, slots=True)
class ModelId:
    """The identity of a model: ``sha256`` covers all that decides its vectors, ``name`` is for people.

    ``location`` is the folder to find it in again, or "" if it is found by its name; ``prompts`` are those that it is
    to be given again.
    """

    name: str
    sha256: str
    location: str = ""
    prompts: Prompts = OWN_PROMPTS


def require_model(model: object) -> None:
    """Refuse what is neither a name, a folder, a model nor None.

    Raises:
        QueryError: if it is something else.
    """
    is_embedder = all(hasattr(model, name) for name in ("model_id", "embed_passages", "embed_queries"))
    fits = model is None or is_path(model) or is_embedder
    require(fits, "model", model, "the name of a model, its folder, or an object with the methods of an Embedder")


class Embedder(Protocol):
    """An embedding model. Vectors are float32, of unit length, so their inner product is the cosine.

    One that also has ``pieces(texts) -> list[list[Piece]] | None``, the tokens of each text, is asked whether it can
    read a language.
    """

    @property
    def model_id(self) -> ModelId:
        """The model's identity."""

    @property
    def dimension(self) -> int:
        """The length of a vector."""

    @property
    def passage_limit(self) -> int | None:
        """The most tokens of a passage, without prompt and special tokens; None if there is no limit."""

    @property
    def query_limit(self) -> int | None:
        """The same for a question."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count each text's tokens by the model's tokenizer, without special tokens and never cut."""

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Embed passages with the model's document prompt: (n, dimension)."""

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Embed questions of at most ``query_limit`` tokens with the model's query prompt: (n, dimension)."""


def pieces_of(tokenizer: Any, texts: Sequence[str]) -> list[list[Piece]]:
    """Return the pieces of each text by a tokenizer of the tokenizers library."""
    unknown = {tokenizer.token_to_id(name) for name in UNKNOWN_TOKENS}
    found = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return [
        [(start, end, token not in unknown) for token, (start, end) in zip(text.ids, text.offsets, strict=True)]
        for text in found
    ]


def checked_vectors(vectors: Vectors, count: int, embedder: Embedder) -> Vectors:
    """Check the vectors of an embedder, and return them as float32 (count, dimension), of unit length.

    Raises:
        ModelError: if there is not one vector of finite numbers for each text.
    """
    try:
        found = np.asarray(vectors)
        with np.errstate(over="ignore", invalid="ignore"):
            fit = np.asarray(found, np.float32)
            # Finite numbers can be too large to be compared.
            usable = found.dtype.kind == "f" and bool(np.isfinite(np.einsum("...i,...i", fit, fit)).all())
    except (ValueError, TypeError):  # rows of different lengths, or no numbers at all
        found, usable = np.empty(0, np.float32), False
    if not usable or fit.shape != (count, embedder.dimension):
        raise ModelError(
            f"the model {embedder.model_id.name!r} gave {found.dtype} {found.shape} for {count} texts, where finite "
            f"numbers of shape ({count}, {embedder.dimension}) were expected. Use another model, or build with "
            "precision=fp32."
        )
    lengths = np.linalg.norm(fit, axis=1, keepdims=True)
    off = (np.abs(lengths - 1) > _UNIT_TOLERANCE) & (lengths > 0)
    # What is of unit length stays as it is, to the last bit.
    return np.asarray(fit / np.where(off, lengths, 1), np.float32) if off.any() else fit
