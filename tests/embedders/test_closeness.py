"""Closeness: means the same for every model, whatever its cosines are like."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from devtools.squeezed import Squeezed
from qa_search import SearchIndex, build_index
from qa_search.embedders.base import Embedder
from qa_search.embedders.closeness import PLAIN, RELATED, UNRELATED, Closeness, everyday_pairs, measure_closeness
from qa_search.errors import ModelError
from qa_search.index.folder import IndexFolder
from tests.helpers import SAMPLE_ARCHIVE, WordsEmbedder


class Measurable(WordsEmbedder):
    """Has cosines of its own."""

    measurable = True


def test_pairs_are_all_different() -> None:
    """Two texts each, none of them blank."""
    pairs = everyday_pairs()
    assert len(pairs) == 24
    texts = [text for pair in pairs for text in pair]
    assert len({text.casefold() for text in texts}) == 48
    assert all(text.strip() == text != "" for text in texts)


MEANS = [(0.0, 0.3), (0.036, 0.485), (0.2, 0.9), (0.79, 0.87), (0.95, 0.97)]


@pytest.mark.parametrize(("unrelated", "related"), MEANS)
def test_both_means_become_those_of_the_default_model(unrelated: float, related: float) -> None:
    """1 stays 1, and the order of cosines is kept."""
    cosines = np.asarray([*np.linspace(-1, 1, 201), unrelated, related], np.float32)
    close = Closeness(unrelated, related).of(cosines)
    assert np.all(np.diff(close[:201]) > 0)
    assert close[200] == pytest.approx(1, abs=1e-6)
    assert close[201:] == pytest.approx([UNRELATED, RELATED], abs=1e-6)


@pytest.mark.parametrize(("unrelated", "related"), [(0.05, 0.47), (0.5, 0.5), (0.9, 0.1), (0.0, 1.0), (1.0, 1.0)])
def test_a_model_like_the_default_one_and_one_that_tells_nothing_keep_their_cosines(
    unrelated: float, related: float
) -> None:
    """To the last digit."""
    cosines = np.linspace(-1, 1, 21, dtype=np.float32)
    assert np.array_equal(Closeness(unrelated, related).of(cosines), cosines)
    assert np.array_equal(PLAIN.of(cosines), cosines)


def test_a_model_is_measured_by_what_it_reads_whole() -> None:
    """Longer pairs are left out; without two of them nothing is known."""
    whole, few, none = (measure_closeness(Measurable(limit)) for limit in (None, 26, 1))
    assert none == PLAIN
    assert 0 <= whole.unrelated < whole.related < 1
    assert few not in (whole, PLAIN)


def test_vectors_that_cannot_be_used_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of questions too, which a build embeds nowhere else."""
    model = Measurable()
    monkeypatch.setattr(model, "embed_queries", lambda texts: np.full((len(texts), 64), np.nan, np.float32))
    with pytest.raises(ModelError):
        measure_closeness(model)


@pytest.mark.parametrize("least", [0.0, 0.6, 0.9])
def test_squeezed_cosines_come_back(least: float) -> None:
    """A model that says as much in a narrower cone has the same closeness."""
    words = Measurable(None)
    texts = [text for pair in everyday_pairs()[:6] for text in pair]
    close = []
    for model in (words, Squeezed(words, least)):
        cosines = model.embed_queries(texts) @ model.embed_passages(texts).T
        close.append(measure_closeness(model).of(cosines))
    assert close[0] == pytest.approx(close[1], abs=2e-2)


@pytest.mark.model
def test_the_default_model_keeps_its_cosines(minilm: Embedder) -> None:
    """The figures in the program are its own."""
    found = measure_closeness(minilm)
    assert (found.unrelated, found.related) == pytest.approx((UNRELATED, RELATED), abs=0.005)


@pytest.mark.model
def test_a_squeezed_model_ranks_and_answers_as_the_model(minilm: Embedder, tmp_path: Path) -> None:
    """The first hit is one of the first five, with about the same confidence, and the same is refused."""
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
        assert one.hits[0].post_id in [hit.post_id for hit in other.hits], query


@pytest.mark.slow
def test_a_build_measures_a_model_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next build keeps the figures, and a search uses them."""
    words = Measurable()
    build_index([SAMPLE_ARCHIVE], tmp_path, model=words)
    known = IndexFolder(tmp_path).current().manifest.closeness
    assert known == astuple(measure_closeness(words))
    monkeypatch.setattr("qa_search.builder.generation_writer.measure_closeness", lambda _: pytest.fail("measured"))
    build_index([SAMPLE_ARCHIVE], tmp_path, model=words, keep_unanswered=True)
    assert IndexFolder(tmp_path).current().manifest.closeness == known
    with SearchIndex.open(tmp_path, model=words) as index:
        assert index.retriever.closeness == measure_closeness(words)
