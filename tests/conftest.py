"""Fixtures that several test modules use."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from qa_search import SearchIndex, build_index
from qa_search.embedders.base import Embedder
from qa_search.embedders.load import load_embedder
from qa_search.embedders.locate import locate_model
from tests.helpers import SAMPLE_ARCHIVE, SHARED, WordsEmbedder
from tests.tiers import GUARD, MARKERS, QUICK, mark_by_use

# A busy machine is slow: no example fails by the time that it takes, or that it takes to be made.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--torture`` and ``--record``: see tests/reliability."""
    parser.addoption("--torture", action="store_true", help="try what tests/reliability promises at full length")
    parser.addoption("--record", action="store_true", help="write down the counts of a short run too")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers of the tiers, and watch what quick tests do."""
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    GUARD.install()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return one worker more than cores for a whole run: its tests wait for processes, locks and time limits."""
    more = 0 if config.option.markexpr == QUICK else 1
    return (os.cpu_count() or 1) + more


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by what they use."""
    mark_by_use(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Guard the tests of a quick run."""
    with GUARD.holds() if item.config.option.markexpr == QUICK else nullcontext():
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """One cache for all workers, so that a model is exported once; nothing is written to the user's own."""
    own = tmp_path_factory.getbasetemp()
    home = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QA_SEARCH_CACHE", str(home / "cache"))
        yield


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
    """The index of the sample archive as the command builds it, its exported encoder within; to be copied.

    The first worker that needs it builds it, for all: exporting and embedding take minutes of computing.
    """
    own = tmp_path_factory.getbasetemp()
    home = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder = home / "built-sample"
    with FileLock(home / "built-sample.lock"):
        if not folder.exists():
            unfinished = tmp_path_factory.mktemp("built-sample") / "index"
            build_index([SAMPLE_ARCHIVE], unfinished)
            unfinished.rename(folder)
    return folder


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transformer of one layer, saved as any model is: exported, checked and loaded as the packaged one, in seconds.

    Its weights are random: it is for tests of what becomes of a model's files, not of what it says.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("small-model")
    torch.manual_seed(0)
    config = BertConfig(hidden_size=64, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)
    BertModel(config).save_pretrained(folder / "bert")
    BertTokenizer.from_pretrained(locate_model().folder).save_pretrained(folder / "bert")
    bert = Transformer(str(folder / "bert"), max_seq_length=128)
    modules = [bert, Pooling(bert.get_embedding_dimension()), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder / "model"))
    return folder / "model"


@pytest.fixture(scope="session")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A static-embedding model: it reads texts of any length."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    folder = tmp_path_factory.mktemp("static")
    tokenizer = Tokenizer.from_file(str(locate_model().folder / "tokenizer.json"))
    tokenizer.no_truncation()
    weights = np.random.default_rng(0).standard_normal((tokenizer.get_vocab_size(), 16)).astype(np.float32)
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weights)], device="cpu").save(str(folder))
    return folder


@pytest.fixture
def shared() -> Path:
    """The folder of real archives, which only the project's own machines have."""
    if not SHARED.is_dir():
        pytest.skip("real archives are not part of the project: no ../shared here")
    return SHARED
