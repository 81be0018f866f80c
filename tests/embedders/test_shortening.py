"""Very long complaints: what their vectors are made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_search.embedders.queries import read_queries
from qa_search.embedders.shortening import MOST_READ, all_alike, shortened
from qa_search.util.terms import ENGLISH, Analysis
from tests.helpers import WordsEmbedder

FILLER = [f"This is about matter number{number} and nothing that helps here at all." for number in range(2000)]
COMPLAINT = "My achilles tendon hurts in the morning. It eases once I have walked to the kitchen."


def archive(*words: str) -> object:
    """Return the rarities of an archive that has these terms alone."""
    known = {term: 5.0 for word in words for term in ENGLISH.terms_of(word)}

    def rarities(terms: Iterable[str]) -> Mapping[str, float]:
        return {term: known[term] for term in terms if term in known}

    return rarities


def size(text: str) -> int:
    return len(text.encode())


@pytest.mark.parametrize("text", ["Short.", "x" * MOST_READ, "ä" * (MOST_READ // 2), "a\n\n b.  c " * 900])
def test_a_text_within_the_limit_stays_as_it_is(text: str) -> None:
    """To the last blank."""
    assert shortened(text, ENGLISH, all_alike) == text


@given(st.text(max_size=3000), st.integers(20, 400))
@settings(max_examples=150, deadline=None)
def test_never_more_is_read_and_all_of_it_is_of_the_text(text: str, most: int) -> None:
    """In any script, with or without sentences: lines of the text, in their order."""
    found = shortened(text, ENGLISH, all_alike, most)
    assert found == text or size(found) <= most
    at = 0
    for line in found.split("\n"):
        at = text.index(line, at) + len(line)


@pytest.mark.parametrize("cut", [0, 700, 2000])
def test_the_sentences_whose_words_the_archive_has_are_kept(cut: int) -> None:
    """Wherever they stand in fifty thousand words that it does not have."""
    text = " ".join([*FILLER[:cut], COMPLAINT, *FILLER[cut:]])
    found = shortened(text, ENGLISH, archive("achilles", "tendon", "morning", "kitchen", "walked"))  # type: ignore[arg-type]
    assert COMPLAINT in found
    assert size(found) <= MOST_READ


def test_what_is_repeated_is_read_once() -> None:
    """A text of one sentence a thousand times, and of another: both are read."""
    text = "My achilles hurts. " * 5000 + "The cat sleeps."
    found = shortened(text, ENGLISH, archive("achilles", "cat"))  # type: ignore[arg-type]
    assert "The cat sleeps." in found


@pytest.mark.parametrize("text", ["a" * 100_000, "word " * 20_000, "膝盖疼。" * 25_000, "?" * 100_000])
@pytest.mark.parametrize("analysis", [ENGLISH, Analysis("bigrams")])
def test_a_text_that_cannot_be_cut_at_sentences_is_read_in_part(text: str, analysis: Analysis) -> None:
    """Something is always left, also where the archive has none of its words."""
    for rarities in (all_alike, archive()):
        found = shortened(text, analysis, rarities)  # type: ignore[arg-type]
        assert found.strip()
        assert size(found) <= MOST_READ


@pytest.mark.parametrize("sentences", [400, 4000])
def test_no_more_is_embedded_however_long_a_complaint_is(sentences: int) -> None:
    """The model reads at most twice what is read, whole and in parts; the words are those of the whole text."""
    text = " ".join((FILLER * 2)[:sentences])
    embedder = WordsEmbedder()
    read: list[str] = []
    embed = embedder.embed_queries
    embedder.embed_queries = lambda texts: read.extend(texts) or embed(texts)  # type: ignore[method-assign, func-returns-value]
    (complaint,) = read_queries(embedder, [text], ENGLISH)
    assert sum(map(size, read)) <= 2 * MOST_READ
    assert len(complaint.parts) <= 24
    assert complaint.text == text
    assert set(complaint.terms) == set(ENGLISH.terms_of(text))
    for start, end in complaint.part_spans:
        assert 0 <= start < end <= len(complaint.read)
