"""Fixtures that several test modules use."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from qa_search import SearchIndex, build_index
from qa_search.embedders.base import Embedder
from qa_search.embedders.load import load_embedder
from tests.helpers import SAMPLE_ARCHIVE, SHARED, WordsEmbedder

# A busy machine is slow: no example fails by the time that it takes, or that it takes to be made.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--torture`` and ``--record``: see tests/reliability."""
    parser.addoption("--torture", action="store_true", help="try what tests/reliability promises at full length")
    parser.addoption("--record", action="store_true", help="write down the counts of a short run too")


@pytest.fixture
def words() -> WordsEmbedder:
    """A fresh embedder that needs no model."""
    return WordsEmbedder()


@pytest.fixture(scope="session")
def minilm() -> Embedder:
    """The packaged model itself, loaded once."""
    return load_embedder()


@pytest.fixture(scope="session")
def sample_index(minilm: Embedder, tmp_path_factory: pytest.TempPathFactory) -> SearchIndex:
    """The sample archive under the real model."""
    folder = tmp_path_factory.mktemp("sample-index")
    build_index([SAMPLE_ARCHIVE], folder, model=minilm)
    return SearchIndex.open(folder, model=minilm)


@pytest.fixture(scope="session")
def built_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index of the sample archive as the command builds it, its exported encoder within; to be copied."""
    folder = tmp_path_factory.mktemp("built-sample")
    build_index([SAMPLE_ARCHIVE], folder)
    return folder


@pytest.fixture
def shared() -> Path:
    """The folder of real archives, which only the project's own machines have."""
    if not SHARED.is_dir():
        pytest.skip("real archives are not part of the project: no ../shared here")
    return SHARED
