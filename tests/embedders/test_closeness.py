"""Closeness: means the same for every model, whatever its cosines are like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from devtools.squeezed import Squeezed
from qa_search import SearchIndex, build_index
from qa_search.embedders.base import Embedder
from qa_search.embedders.closeness import SPREAD, UNRELATED, Closeness, unrelated_cosine, unrelated_texts
from qa_search.index.folder import IndexFolder
from tests.helpers import SAMPLE_ARCHIVE, WordsEmbedder


def test_unrelated_texts_are_all_different() -> None:
    """And none is blank."""
    texts = unrelated_texts()
    assert len(texts) == len({text.casefold() for text in texts}) == 49
    assert all(text.strip() == text != "" for text in texts)


@pytest.mark.parametrize("unrelated", [0.0, 0.1, 0.3, 0.8, 0.99, 1.0])
def test_closeness_keeps_the_order_and_ends_at_1(unrelated: float) -> None:
    """Unrelated texts come to lie at `UNRELATED`, or stay below it."""
    cosines = np.linspace(-1, 1, 201, dtype=np.float32)
    close = Closeness(unrelated).of(cosines)
    assert np.all(np.diff(close) > 0)
    assert close[-1] == 1
    if UNRELATED < unrelated < 0.99:
        assert Closeness(unrelated).of(np.asarray([unrelated], np.float32))[0] == pytest.approx(UNRELATED, abs=1e-6)
    if unrelated <= UNRELATED:
        assert np.array_equal(close, cosines)


def test_a_model_is_measured_by_what_it_reads_whole() -> None:
    """Longer texts are left out; without any left, nothing is known."""
    whole, few, none = (unrelated_cosine(WordsEmbedder(limit)) for limit in (None, 12, 1))
    assert none is None
    assert whole is not None
    assert few is not None
    assert 0 < few < 1


@pytest.mark.parametrize("least", [0.0, 0.6, 0.9])
def test_squeezed_cosines_come_back(least: float) -> None:
    """A model that says as much in a narrower cone is measured as such."""
    words = WordsEmbedder(None)
    plain, squeezed = unrelated_cosine(words), unrelated_cosine(Squeezed(words, least))
    assert plain is not None
    assert squeezed is not None
    texts = unrelated_texts()[:9]
    cosines = words.embed_queries(texts[:4]) @ words.embed_queries(texts[4:]).T
    narrow = Squeezed(words, least).embed_queries(texts[:4]) @ Squeezed(words, least).embed_queries(texts[4:]).T
    expected = 1 - (1 - cosines) * (1 - UNRELATED) / (1 - plain)
    assert Closeness(squeezed).of(narrow) == pytest.approx(expected, abs=5e-3)


@pytest.mark.model
def test_a_squeezed_model_ranks_and_answers_as_the_model(minilm: Embedder, tmp_path: Path) -> None:
    """The first hit is one of the first two, with about the same confidence, and the same is refused."""
    queries = [
        "sore heel in the morning", "the outside of my knee hurts when I run", "frozen shoulder",
        "how do I renew my passport", "my landlord keeps the deposit", "wrist pain at the keyboard",
    ]  # fmt: skip
    found = []
    for name, model in (("plain", minilm), ("squeezed", Squeezed(minilm, 0.6))):
        build_index([SAMPLE_ARCHIVE], tmp_path / name, model=model)
        with SearchIndex.open(tmp_path / name, model=model) as index:
            found.append(index.search_many(queries))
    for query, one, other in zip(queries, *found, strict=True):
        assert one.answered == other.answered, query
        assert one.confidence == pytest.approx(other.confidence, abs=0.06)
        assert one.hits[0].post_id in [hit.post_id for hit in other.hits[:2]], query


@pytest.mark.slow
def test_a_build_measures_a_model_once(words: WordsEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next build keeps the figure, and a search uses it."""
    build_index([SAMPLE_ARCHIVE], tmp_path, model=words)
    known = IndexFolder(tmp_path).current().manifest.unrelated
    assert known == unrelated_cosine(words)
    monkeypatch.setattr("qa_search.builder.generation_writer.unrelated_cosine", lambda _: pytest.fail("measured again"))
    build_index([SAMPLE_ARCHIVE], tmp_path, model=words, keep_unanswered=True)
    assert IndexFolder(tmp_path).current().manifest.unrelated == known
    with SearchIndex.open(tmp_path, model=words) as index:
        assert index.retriever.closeness == Closeness(known or 0.0)


def test_an_index_of_an_earlier_version_keeps_its_cosines() -> None:
    """It does not say what they mean."""
    assert SPREAD.of(np.asarray([0.3, 0.9], np.float32)).tolist() == pytest.approx([0.3, 0.9])
