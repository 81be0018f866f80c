"""Text -> vectors, by any sentence-transformers model."""

from __future__ import annotations

import os

import numpy as np

from qa_search.embedders.base import Embedder, ModelId, Vectors
from qa_search.embedders.locate import DEFAULT_MODEL, locate_model
from qa_search.embedders.passages import Splitter
from qa_search.errors import ModelError

__all__ = [
    "DEFAULT_MODEL",
    "Embedder",
    "ModelId",
    "Vectors",
    "checked_vectors",
    "embed_whole_queries",
    "load_embedder",
    "locate_model",
]

# How far a vector may be from unit length before it is scaled.
_UNIT_TOLERANCE = 1e-4


def load_embedder(model: str | os.PathLike[str] | None = None, *, download: bool = False) -> Embedder:
    """Load a model: None for the packaged default, a folder, or the name of one that is on this machine.

    Raises:
        ModelNotFoundError: if it is not on this machine (and ``download`` is false, or fails).
        ModelError: if it cannot be loaded.
    """
    located = locate_model(model, download=download)
    from qa_search.embedders.sentence_transformer import SentenceTransformerEmbedder

    return SentenceTransformerEmbedder(located)


def checked_vectors(vectors: Vectors, count: int, embedder: Embedder) -> Vectors:
    """Return what an embedder gave, as float32 and of unit length, if it is one vector of numbers for each text.

    Raises:
        ModelError: if it is not.
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
            "--precision fp32."
        )
    lengths = np.linalg.norm(fit, axis=1, keepdims=True)
    off = (np.abs(lengths - 1) > _UNIT_TOLERANCE) & (lengths > 0)
    # What is of unit length stays as it is, to the last bit.
    return np.asarray(fit / np.where(off, lengths, 1), np.float32) if off.any() else fit


def embed_whole_queries(embedder: Embedder, texts: list[str]) -> Vectors:
    """Embed questions of any length: (n, dimension), unit length.

    A question longer than the model reads is cut at sentences; its vector points to the mean of its parts',
    each weighted by its length. So nothing is cut off, and its cosine to a passage ranks as the parts' mean.
    """
    limit = embedder.query_limit
    parts: list[str] = []
    owners: list[int] = []
    sizes = [0] * len(texts) if limit is None else embedder.count_tokens(texts)
    for number, (text, size) in enumerate(zip(texts, sizes, strict=True)):
        spans = [(0, len(text))]
        if limit is not None and size > limit:
            spans = Splitter(embedder.count_tokens, limit).split(text) or spans
        parts += [text[start:end] for start, end in spans]
        owners += [number] * len(spans)
    vectors = checked_vectors(embedder.embed_queries(parts), len(parts), embedder)
    if len(parts) == len(texts):
        return vectors
    sums = np.zeros((len(texts), embedder.dimension), np.float32)
    weights = np.asarray(embedder.count_tokens(parts), np.float32)
    np.add.at(sums, np.asarray(owners, np.intp), vectors * weights[:, None])
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    means = np.asarray(sums / np.where(lengths > 0, lengths, 1), np.float32)
    # One that is whole keeps its vector to the last bit, whatever the texts beside it are.
    of_text, first, parts_of = np.unique(owners, return_index=True, return_counts=True)
    whole = parts_of == 1
    means[of_text[whole]] = vectors[first[whole]]
    return means
