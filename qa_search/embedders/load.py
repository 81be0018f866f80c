"""A model's name or folder -> a loaded embedder."""

from __future__ import annotations

import os

from qa_search.embedders.base import Embedder
from qa_search.embedders.locate import LocatedModel, locate_model


def load_embedder(model: str | os.PathLike[str] | None = None, *, download: bool = False) -> Embedder:
    """Load a model: None for the packaged default, a folder, or the name of one that is on this machine.

    What is a folder and what a name is as for `locate_model`.

    Raises:
        ModelNotFoundError: if it is not on this machine (and ``download`` is false, or fails).
        ModelError: if it cannot be loaded.
    """
    return load_located(locate_model(model, download=download))


def load_located(located: LocatedModel) -> Embedder:
    """Load a model that was found.

    Raises:
        ModelError: if it cannot be loaded.
    """
    from qa_search.embedders.sentence_transformer import SentenceTransformerEmbedder

    return SentenceTransformerEmbedder(located)
