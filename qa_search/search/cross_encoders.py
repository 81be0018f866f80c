"""A cross-encoder -> its export in the user's cache, which gives scores by onnxruntime, without torch."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qa_search.embedders.locate import hash_model
from qa_search.embedders.onnx import MODEL_FILE, TOKENIZER_FILE, open_session
from qa_search.errors import ModelError
from qa_search.index.encoders import move_into_place, start_partial, whole_settings, write_settings
from qa_search.index.integrity import file_record
from qa_search.index.owned import ENCODER_NAMES, remove_own
from qa_search.util.cache import cache_folder
from qa_search.util.threads import configured_threads

Scores = npt.NDArray[np.float32]
Score = Callable[[str, Sequence[str]], Scores]

# Raised when the export changes.
_RECIPE = 1
# What the scores of an export may differ by from the model's own.
_TOLERANCE = 1e-3
# Pairs of short, long, repeated, foreign and empty texts, to compare an export with its model on.
_PAIRS = (
    ("my knee hurts when I walk down the stairs", ("Rest it, and strengthen the hip.", "Fees are due in May.", "")),
    ("sore heel in the morning " * 40, ("Roll the foot over a frozen bottle. " * 60, "First steps hurt most.")),
    ("¿por qué me duele la espalda? 背中が痛い", ("Ménage la espalda durante 2 días — 3×10.", "背中を休める")),
)

log = logging.getLogger("qa_search")


class ExportedCrossEncoder:
    """Runs an exported cross-encoder: each pair of texts by itself, several at a time. Threads may share one."""

    def __init__(self, folder: Path) -> None:
        """Load the files of a whole folder."""
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
        self._session = open_session(folder / MODEL_FILE)
        self._inputs = [one.name for one in self._session.get_inputs()]
        self._pool = ThreadPoolExecutor(configured_threads(), thread_name_prefix="qa-search-rerank")

    def __call__(self, complaint: str, passages: Sequence[str]) -> Scores:
        """Score passages: (n,)."""
        return np.fromiter(self._pool.map(lambda passage: self._one(complaint, passage), passages), np.float32)

    def _one(self, complaint: str, passage: str) -> float:
        found = self._tokenizer.encode(complaint, passage)
        values = {"input_ids": found.ids, "token_type_ids": found.type_ids}
        given = {name: np.asarray([values[name]], np.int64) for name in self._inputs}
        return float(self._session.run(None, given)[0].reshape(()))


def find_export(model: Path) -> ExportedCrossEncoder | str | None:
    """Return the export of a model from the cache, or why it cannot be exported, or None if nobody has tried."""
    for folder in sorted(_cache().glob(f"{_name(model)}-*")):
        try:
            settings = whole_settings(folder)
            return str(settings["unusable"]) if "unusable" in settings else ExportedCrossEncoder(folder)
        except Exception as error:
            # onnxruntime and tokenizers raise errors of their own. It is exported again.
            log.info("%s: the exported cross-encoder cannot be used (%s)", folder, error)
    return None


def export(model: Path, original: Any, score: Score) -> ExportedCrossEncoder | None:
    """Export a cross-encoder into the cache; None, and a warning, if it cannot be exported or kept.

    Args:
        model: its folder.
        original: the ``CrossEncoder``.
        score: gives the original's own scores.
    """
    try:
        return _export(model, original, score)
    except OSError as error:
        log.warning("the cross-encoder %s is not exported, so that torch runs it: %s", model, error)
    except ModelError as error:
        warn_of_torch(model, str(error))
    return None


def warn_of_torch(model: Path, reason: str) -> None:
    """Report that a model cannot be exported."""
    log.warning("the cross-encoder %s cannot be exported, so that torch runs it, which is slower: %s", model, reason)


def _export(model: Path, original: Any, score: Score) -> ExportedCrossEncoder:
    from qa_search.embedders.onnx_export import export_cross_encoder

    name = _name(model)
    cache = _cache()
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = start_partial(cache, name)
    try:
        export_cross_encoder(original, partial)
        _require_agreement(ExportedCrossEncoder(partial), score)
    except Exception as error:
        # What the libraries raise for a model that nobody here has seen is not known.
        reason = " ".join(str(error).split())[:200]
        remove_own(partial, ENCODER_NAMES)
        if isinstance(error.__cause__ or error, OSError | MemoryError):
            raise OSError(reason) from error  # of this moment, not of the model: the next search tries again
        partial.mkdir()
        write_settings(partial, {"unusable": reason})
        move_into_place(partial, name)
        raise ModelError(reason) from error
    files = {path.name: file_record(path)._asdict() for path in sorted(partial.iterdir())}
    write_settings(partial, {"precision": "fp32", "files": files})
    return ExportedCrossEncoder(move_into_place(partial, name))


def _require_agreement(exported: Score, original: Score) -> None:
    """Compare an export with its model.

    Raises:
        ModelError: if a score differs.
    """
    for complaint, passages in _PAIRS:
        apart = np.abs(exported(complaint, passages) - original(complaint, passages)).max()
        if not apart <= _TOLERANCE:
            raise ModelError(f"scores of the export differ from the model's by {apart:.4f}")


def _name(model: Path) -> str:
    digest = hashlib.sha256(f"cross-encoder {_RECIPE} {hash_model(model)}".encode()).hexdigest()
    return f"fp32-{digest[:16]}"


def _cache() -> Path:
    return cache_folder() / "cross-encoders"
