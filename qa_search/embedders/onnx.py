"""Run the encoder of an index: the model as ONNX, by onnxruntime, without torch.

Every text is run by itself, on one thread, several texts at a time on several threads. Three things follow: no padding
is computed; a text's vector does not depend on the texts beside it, so an interrupted build that goes on gives the same
vectors; and int8 quantisation takes its scale from each text alone, which is what keeps its quality (see
docs/speed.md).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding, Tokenizer

from qa_search.embedders.base import ModelId, Piece, Vectors, pieces_of
from qa_search.errors import IndexDamagedError
from qa_search.util.files import MOST_SETTINGS_BYTES, raise_if_withheld, read_file
from qa_search.util.threads import configured_threads

# Before it is loaded: from 1.29 on it reports every model that is opened to its maker, and keeps a file for that in the
# user's folders.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime

MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
# How many passages an export is compared with its model on.
CHECKED_PASSAGES = 128
SETTINGS_FILE = "encoder.json"
# What the vectors of an index depend on besides the model: raised when the export changes.
RECIPE = 1
# Texts handed to a thread at a time: enough to make switching cheap, few enough to keep all threads busy.
_TASK_TEXTS = 4
# Characters: fewer are cut into tokens sooner than the threads of a batch are woken.
_ONE_BY_ONE = 4_000
_MOST_DIMENSIONS = 65_536
_LEAST_LIMIT = 8


class OnnxEmbedder:
    """Runs an exported encoder from its folder."""

    def __init__(
        self, folder: Path, *, path_of: Callable[[str], Path] | None = None, threads: int | None = None
    ) -> None:
        """Load the encoder.

        Args:
            folder: where it is.
            path_of: gives the path of a file by its name, if the files are open already and the folder may be gone.
            threads: how many texts to run at a time; None for as many as `configured_threads` says.

        Raises:
            IndexDamagedError: if its files are missing or damaged.
            IndexUnreadableError: if they cannot be read now.
        """
        path = path_of or folder.joinpath
        self._folder = folder
        try:
            self._settings: dict[str, Any] = json.loads(read_file(path(SETTINGS_FILE), MOST_SETTINGS_BYTES))
            _require_settings(self._settings)
            self._id = ModelId(**self._settings["model"])
            with ThreadPoolExecutor(1) as pool:  # both take a while, and neither holds the other up
                session = pool.submit(open_session, path(MODEL_FILE))
                self._tokenizer = Tokenizer.from_file(str(path(TOKENIZER_FILE)))
                self._session = session.result()
        except Exception as error:
            # onnxruntime and tokenizers raise errors of their own, some of them bare Exceptions.
            raise self._damaged("loaded", error) from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._threads = threads or configured_threads()
        self._pool: ThreadPoolExecutor | None = None

    @property
    def model_id(self) -> ModelId:
        """The identity of the exported model."""
        return self._id

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return int(self._settings["dimension"])

    @property
    def passage_limit(self) -> int | None:
        """The most tokens of a passage that the model reads."""
        limit: int | None = self._settings["passage_limit"]
        return limit

    @property
    def query_limit(self) -> int | None:
        """The most tokens of a question that the model reads."""
        limit: int | None = self._settings["query_limit"]
        return limit

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count each text's tokens, without special tokens and never cut."""
        return [len(found) for found in self._tokens(list(texts), special=False)]

    def pieces(self, texts: Sequence[str]) -> list[list[Piece]]:
        """Return the tokens of each text."""
        return pieces_of(self._tokenizer, texts)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Embed passages: (n, dimension)."""
        return self._embed(texts, self._settings["passage_prompt"])

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Embed questions: (n, dimension)."""
        return self._embed(texts, self._settings["query_prompt"])

    def _embed(self, texts: Sequence[str], prompt: str) -> Vectors:
        vectors = np.empty((len(texts), self.dimension), np.float32)
        found = self._tokens([prompt + text for text in texts])
        ids = [np.asarray([item.ids], np.int64) for item in found]
        # Longest first: the short ones fill the gaps at the end.
        order = sorted(range(len(ids)), key=lambda row: -ids[row].shape[1])
        tasks = [order[start : start + _TASK_TEXTS] for start in range(0, len(order), _TASK_TEXTS)]

        def run(rows: list[int]) -> None:
            for row in rows:
                vectors[row] = self._run(ids[row])

        if len(texts) == 1 or self._threads == 1:
            for task in tasks:
                run(task)
        else:
            if len(texts) <= _TASK_TEXTS * self._threads:
                tasks = [[row] for row in order]
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="qa-search-embed")
            for _ in self._pool.map(run, tasks):
                pass
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)

    def _tokens(self, texts: list[str], *, special: bool = True) -> list[Encoding]:
        try:
            if sum(map(len, texts)) <= _ONE_BY_ONE:
                return [self._tokenizer.encode(text, add_special_tokens=special) for text in texts]
            return self._tokenizer.encode_batch_fast(texts, add_special_tokens=special)  # without offsets
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic of tokenizers is not an Exception
            raise self._damaged("run", error) from error

    def _run(self, ids: npt.NDArray[np.int64]) -> Vectors:
        """Embed one text, given as tokens: (dimension,)."""
        try:
            found = self._session.run(None, {"input_ids": ids})[0]
            if found.shape != (1, self.dimension) or found.dtype != np.float32 or not np.isfinite(found).all():
                raise ValueError(f"it gave {found.dtype} {found.shape}, not {self.dimension} finite numbers")
        except Exception as error:  # onnxruntime raises errors of its own
            raise self._damaged("run", error) from error
        vector: Vectors = found[0]
        return vector

    def _damaged(self, what: str, error: BaseException) -> IndexDamagedError:
        raise_if_withheld(error, self._folder)
        reason = " ".join(str(error).split())[:200]
        return IndexDamagedError(f"{self._folder}: the encoder cannot be {what} ({reason}). Build with rebuild=True.")


def _require_settings(settings: object) -> None:
    """Check the settings of an encoder.

    Raises:
        ValueError: if one is missing or invalid.
    """
    known: Any = settings if isinstance(settings, dict) else {}
    model = known.get("model")
    fit = {
        "model": isinstance(model, dict) and all(isinstance(text, str) for text in model.values()),
        "dimension": type(known.get("dimension")) is int and 0 < known["dimension"] <= _MOST_DIMENSIONS,
        **{name: known.get(name, 0) is None or _is_limit(known.get(name)) for name in ("passage_limit", "query_limit")},
        **{name: isinstance(known.get(name), str) for name in ("passage_prompt", "query_prompt")},
    }
    for name, is_fit in fit.items():
        if not is_fit:
            raise ValueError(f"{SETTINGS_FILE} lacks a valid {name}")


def _is_limit(value: object) -> bool:
    # A limit that leaves no room for a word would make a text's parts without end.
    return isinstance(value, int) and not isinstance(value, bool) and value >= _LEAST_LIMIT


def open_session(path: Path, optimise_into: Path | None = None) -> onnxruntime.InferenceSession:
    """Open a model that runs on one thread and does not spin while it waits.

    ``optimise_into`` writes the graph as onnxruntime optimises it, so that later openings are faster.
    """
    options = onnxruntime.SessionOptions()
    if optimise_into is not None:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(optimise_into)
    else:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Arenas keep the largest text's room for ever; texts of ever other lengths make them grow.
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
