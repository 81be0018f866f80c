"""The quick tier: a test without a tier's marker needs no model, browser, database, Ray cluster or process.

The markers that fixtures make certain are set here; others stand at the tests. In a run of the quick tier a guard lets
nothing start a process, import torch or load a real model: the test that lacks a marker reports it.
"""

from __future__ import annotations

import multiprocessing.util
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from qa_search.embedders import onnx
from tests.helpers import ROOT

MARKERS = {
    "model": "needs the packaged model, or torch",
    "browser": "needs Chromium",
    "postgres": "needs a PostgreSQL server",
    "ray": "needs a Ray cluster",
    "process": "starts processes",
    "slow": "takes more than a second of computing",
}
QUICK = f"not ({' or '.join(MARKERS)})"

# Whoever uses one of these fixtures needs what it stands for.
_BY_FIXTURE = {
    "minilm": "model",
    "built_sample": "model",
    "sample_index": "model",
    "chromium": "browser",
    "programs": "postgres",
    "cluster": "postgres",
    "nodes": "ray",
    "small_model": "model",
    "prompted": "model",
    "static": "model",
    "tiny": "model",
}
# Every test below them, or in them, is of a tier.
_BY_PATH = {
    "tests/index/postgres/": "postgres",
    "tests/reliability/": "slow",
    "tests/archives/test_other_programs.py": "process",
    "tests/search/test_hits.py": "slow",
    "tests/search/test_retrieval.py": "slow",
    "tests/evaluation/test_tuning.py": "slow",
    "tests/builder/test_calibration.py": "slow",
    "tests/interfaces/cli/test_eval_and_tune.py": "slow",
    "tests/embedders/test_embedders.py": "model",
    "tests/index/test_encoders.py": "model",
    "tests/search/test_reranking.py": "model",
    "tests/index/stores/test_inverted.py": "slow",
    "tests/builder/test_build.py": "slow",
    "tests/builder/test_ray.py": "ray",
    "tests/interfaces/test_mcp.py": "slow",
    "tests/interfaces/web/test_connections.py": "slow",
    "tests/interfaces/web/test_fairness.py": "slow",
    "tests/interfaces/web/test_client.py": "slow",
    "tests/interfaces/web/test_workers.py": "process",
    "tests/interfaces/web/test_browser.py": "browser",
    "tests/interfaces/web/test_reports.py": "browser",
}
# Files of these formats are decoded in a process of its own: the tests of all formats start one for them.
_DECODED_APART = re.compile(r"\[.*(xlsx|workbook|word document|pdf|parquet)", re.IGNORECASE)
_PROCESS_EVENTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.system"}
_HEAVY_MODULES = {"torch", "transformers", "sentence_transformers", "ray", "playwright"}
_SMALL_MODEL_BYTES = 1 << 20


class QuickGuard:
    """Fails what a quick test must not do."""

    def __init__(self) -> None:
        self._on = False

    def install(self) -> None:
        """Watch processes, imports and models from now on; nothing happens until a quick test runs."""
        sys.addaudithook(self._audit)
        self._watch(multiprocessing.util, "spawnv_passfds", lambda path, *_: f"starts the process {path!r}")
        self._watch(onnx, "open_session", _large_model)

    @contextmanager
    def holds(self) -> Iterator[None]:
        """Fail what a quick test must not do."""
        self._on = True
        try:
            yield
        finally:
            self._on = False

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on:
            return
        if event in _PROCESS_EVENTS:
            self._fail(f"starts a process ({event})")
        if event == "import" and arguments[0] in _HEAVY_MODULES:
            self._fail(f"imports {arguments[0]}")

    def _watch(self, module: object, name: str, reason: Callable[..., str]) -> None:
        original = getattr(module, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            if self._on and (found := reason(*arguments)):
                self._fail(found)
            return original(*arguments, **options)

        setattr(module, name, watched)

    def _fail(self, what: str) -> None:
        self._on = False  # so that the report of the failure may do as it likes
        pytest.fail(f"this test {what}. Mark it: {', '.join(MARKERS)} (tests/tiers.py)")


def _large_model(path: Path, *_: object) -> str:
    return "loads a real model" if path.stat().st_size > _SMALL_MODEL_BYTES else ""


GUARD = QuickGuard()


def mark_by_use(items: list[pytest.Item]) -> None:
    """Mark tests by the fixtures that they use, and by where they stand."""
    for item in items:
        place = item.path.relative_to(ROOT).as_posix()
        for beginning, name in _BY_PATH.items():
            if place.startswith(beginning):
                item.add_marker(name)
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in _BY_FIXTURE:
                item.add_marker(_BY_FIXTURE[fixture])
        if place.startswith("tests/archives/") and _DECODED_APART.search(item.name):
            item.add_marker("process")
