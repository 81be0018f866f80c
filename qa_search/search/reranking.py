"""Complaint and passage -> score, by any sentence-transformers cross-encoder.

The model is exported once, for all later searches of this user. torch is loaded for that, and for models that cannot
be exported.
"""

from __future__ import annotations

import json
import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qa_search.embedders.locate import locate_model, model_folder, require_no_code
from qa_search.embedders.sentence_transformer import quiet_loading
from qa_search.errors import ModelError, ModelNotFoundError
from qa_search.search.cross_encoders import Score, Scores, export, find_export, warn_of_torch
from qa_search.util.files import MOST_SETTINGS_BYTES, read_file
from qa_search.util.parameters import listed_texts, require, require_flags, require_path

_BATCH = 32
# Log levels and warning filters are the process's, and a tokenizer keeps its cuts and padding in itself: one at a time.
_LOCK = threading.Lock()
_WHAT_IT_NEEDS = "Reranking needs a cross-encoder: name the folder that CrossEncoder.save_pretrained() wrote."


class Reranker:
    """Reorders hits by a sentence-transformers CrossEncoder, which reads the complaint and a passage together.

    The model is a folder, or the name of one that is on this machine; no network is touched unless ``download`` is true
    and it is not here. The first time that a model is used it is exported into the user's cache, which needs torch and
    takes some seconds. Threads may share a reranker.

    Raises:
        ModelNotFoundError: if the model is not on this machine (and ``download`` is false, or fails).
        ModelError: if it is not a cross-encoder, cannot be loaded, or gives more than one score.
    """

    def __init__(self, model: str | os.PathLike[str], *, download: bool = False) -> None:
        require_path("model", model)
        require_flags(download=download)
        self._name = os.fspath(model)
        with _quiet() if download else nullcontext():
            folder = _locate(model, download=download)
            _check_kind(folder)
            require_no_code(folder)
        self._score = _scorer(folder)

    def scores(self, complaint: str, passages: Sequence[str]) -> npt.NDArray[np.float32]:
        """Score passages by how well they answer the complaint: (n,), higher is closer.

        What is longer than the model reads is cut by the model itself, the longer of the two texts first.

        Raises:
            ModelError: if the model fails on these texts, or a score is not a finite number.
        """
        require(isinstance(complaint, str), "complaint", complaint, "a text")
        passages = listed_texts("passages", passages)
        if not passages:
            return np.empty(0, np.float32)
        try:
            found = self._score(complaint, passages)
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise ModelError(
                f"the cross-encoder {self._name!r} failed on {len(passages)} passages ({_reason(error)})"
            ) from error
        scores = np.ascontiguousarray(found, np.float32)
        if scores.shape != (len(passages),):
            raise ModelError(
                f"the cross-encoder {self._name!r} gave scores of shape {scores.shape} for {len(passages)} passages: "
                "it needs to give one for each"
            )
        if not np.isfinite(scores).all():
            raise ModelError(
                f"the cross-encoder {self._name!r} gave scores that are not finite numbers: its weights are damaged, "
                "or their precision is too low for this machine"
            )
        return scores


def _scorer(folder: Path) -> Score:
    """Return what gives the scores of a model: its export, or torch where it cannot be exported."""
    found = find_export(folder)
    if isinstance(found, str):
        warn_of_torch(folder, found)
    if found is not None and not isinstance(found, str):
        return found
    model = _load(folder)

    def score(complaint: str, passages: Sequence[str]) -> Scores:
        pairs = [(complaint, passage) for passage in passages]
        with _quiet():
            return np.asarray(model.predict(pairs, batch_size=_BATCH, show_progress_bar=False), np.float32)

    return score if found is not None else export(folder, model, score) or score


def _load(folder: Path) -> Any:
    """Load a cross-encoder by torch."""
    with _quiet():
        try:
            from sentence_transformers import CrossEncoder

            model = CrossEncoder(str(folder), device="cpu", local_files_only=True)
            labels = model.num_labels
        except Exception as error:
            # Loading runs code of three libraries, each with errors of its own.
            raise ModelError(
                f"{folder}: sentence-transformers cannot load this cross-encoder ({_reason(error)})"
            ) from error
    if labels != 1:
        raise ModelError(
            f"{folder}: this model gives {labels} labels for a pair of texts. Reranking needs one score: name a "
            "cross-encoder with a single output."
        )
    model.eval()
    return model


def _locate(model: str | os.PathLike[str], *, download: bool) -> Path:
    """Find the folder of a cross-encoder by the rules for embedding models."""
    folder = model_folder(model)
    if folder is not None:
        return folder.resolve()
    try:
        return locate_model(model, download=download).folder
    except ModelNotFoundError:
        if download:
            raise  # its message has the reason
        raise ModelNotFoundError(
            f"the cross-encoder {os.fspath(model)!r} is not on this machine. Check the name, give the folder of a "
            "cross-encoder, or let it be downloaded once (download=True)."
        ) from None


def _check_kind(folder: Path) -> None:
    """Refuse a model to which sentence-transformers would add a head of random weights."""
    if (folder / "modules.json").is_file():
        kind = _read(folder / "config_sentence_transformers.json").get("model_type", "SentenceTransformer")
        if kind != "CrossEncoder":
            raise ModelError(f"{folder}: not a cross-encoder but a {kind}. {_WHAT_IT_NEEDS}")
        return
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder}: no model in this folder (no modules.json, no config.json). {_WHAT_IT_NEEDS}")
    architectures = _read(folder / "config.json").get("architectures") or ["a model of unknown architecture"]
    if not any(str(name).endswith("ForSequenceClassification") for name in architectures):
        raise ModelError(f"{folder}: not a cross-encoder but {architectures[0]}. {_WHAT_IT_NEEDS}")


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_file(path, MOST_SETTINGS_BYTES))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({_reason(error)})") from error
    return found if isinstance(found, dict) else {}


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the libraries' bars, notices and warnings, such as the tokenizers' for every cut text."""
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with quiet_loading():
            yield
