"""What turns text into vectors: the contract for embedding models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ModelId:
    """Which model made a vector: ``sha256`` covers every file that decides its vectors, ``name`` is for people.

    ``location`` is where it was found, to find it again: a folder, or "" for one found by its name.
    """

    name: str
    sha256: str
    location: str = ""


class Embedder(Protocol):
    """An embedding model. Vectors are float32, of unit length, so their inner product is the cosine."""

    @property
    def model_id(self) -> ModelId:
        """The model's identity."""

    @property
    def dimension(self) -> int:
        """The length of a vector."""

    @property
    def passage_limit(self) -> int | None:
        """The most tokens of a passage that the model reads, prompt and special tokens taken off; None: any."""

    @property
    def query_limit(self) -> int | None:
        """The same for a question."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count each text's tokens by the model's tokenizer, without special tokens and never cut."""

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Embed passages with the model's document prompt: (n, dimension)."""

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Embed questions of at most ``query_limit`` tokens with the model's query prompt: (n, dimension)."""
