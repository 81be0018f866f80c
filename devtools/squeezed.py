"""An embedder -> one that says exactly as much, with all of its cosines squeezed into a narrow range below 1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qa_search.embedders.base import Embedder, ModelId, Vectors


class Squeezed:
    """Has the cosines of another embedder, squeezed from -1 to 1 into ``least`` to 1, as e5, bge and gte have them."""

    def __init__(self, inner: Embedder, least: float) -> None:
        self._inner = inner
        self._share = (1 - least) / 2
        self.dimension = inner.dimension + 1
        self.passage_limit, self.query_limit = inner.passage_limit, inner.query_limit
        self.model_id = ModelId("squeezed", "5" * 64)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count each text's tokens."""
        return self._inner.count_tokens(texts)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Embed passages: (n, dimension)."""
        return self._squeezed(self._inner.embed_passages(texts))

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Embed questions: (n, dimension)."""
        return self._squeezed(self._inner.embed_queries(texts))

    def _squeezed(self, vectors: Vectors) -> Vectors:
        same = np.full((len(vectors), 1), np.sqrt(1 - self._share))
        return np.asarray(np.hstack([vectors * np.sqrt(self._share), same]), np.float32)
