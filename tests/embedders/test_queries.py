"""Complaints: cut into parts that hold all of the text, and embedded all at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_search.embedders.base import Vectors
from qa_search.embedders.queries import Query, read_queries, says_too_little, split_parts
from qa_search.util.terms import ENGLISH, rarity
from tests.helpers import WordsEmbedder

MAX_PARTS = 24
words_of_complaints = st.sampled_from(
    "knee hurts. Help! when I run? 3) Dr. e.g. stairs, ... No. Ow! sleep\n ".split(" ")
)
texts = st.text() | st.lists(words_of_complaints, max_size=120).map(" ".join)


class CountingEmbedder(WordsEmbedder):
    """Remembers what it was asked to embed, call by call."""

    def __init__(self, limit: int | None = 40) -> None:
        super().__init__(limit)
        self.calls: list[list[str]] = []

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        self.calls.append(list(texts))
        return super().embed_queries(texts)


def parts_of(text: str) -> list[str]:
    return [text[start:end] for start, end in split_parts(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My knee hurts when I run.", ["My knee hurts when I run."]),
        ("knee", ["knee"]),
        ("My knee hurts on stairs. It clicks when I bend.", ["My knee hurts on stairs.", "It clicks when I bend."]),
        ("Help! My knee hurts when I run.", ["Help! My knee hurts when I run."]),
        ("Hi. Help! Ow! My knee hurts when I run.", ["Hi. Help! Ow! My knee hurts when I run."]),
        ("My knee hurts when I run. Please help!", ["My knee hurts when I run. Please help!"]),
        (
            "My knee hurts when I run. Any ideas? It began about a week ago.",
            ["My knee hurts when I run.", "Any ideas? It began about a week ago."],
        ),
        ("Help! Please!", ["Help! Please!"]),
        ("It hurts a lot\nI tried ice packs already", ["It hurts a lot", "I tried ice packs already"]),
        ("", [""]),
        ("  \n ", ["  \n "]),
    ],
)
def test_a_complaint_is_cut_at_sentences_and_short_ones_are_joined(text: str, expected: list[str]) -> None:
    """What says nothing by itself goes with its neighbour; there is always a part."""
    assert parts_of(text) == expected


@given(texts)
@settings(deadline=None, max_examples=300)
def test_parts_are_in_order_and_hold_everything(text: str) -> None:
    """Every character that is not a blank is in one part; no more than 24, none empty, none of fewer than 4 words."""
    spans = split_parts(text)
    assert 1 <= len(spans) <= MAX_PARTS
    edges = [edge for span in spans for edge in span]
    assert edges == sorted(edges)
    assert edges[0] >= 0
    assert edges[-1] <= len(text)
    inside = [number for start, end in spans for number in range(start, end)]
    outside = set(range(len(text))) - set(inside)
    assert all(text[number].isspace() for number in outside)
    if text.strip():
        assert all(text[start:end].strip() for start, end in spans)
    if len(spans) > 1:
        assert all(len(text[start:end].split()) >= 4 for start, end in spans)


@pytest.mark.parametrize("sentences", [1, 2, 23, 24, 25, 47, 48, 49, 100, 5_000])
def test_the_cost_of_a_long_complaint_is_bounded(sentences: int) -> None:
    """At most 24 parts of about the same length, of neighbouring sentences, and nothing left out."""
    text = " ".join(f"My knee hurts on day {number}." for number in range(sentences))
    parts = parts_of(text)
    assert " ".join(parts) == text
    assert len(parts) == sentences if sentences <= MAX_PARTS else MAX_PARTS // 2 < len(parts) <= MAX_PARTS
    sizes = [part.count(".") for part in parts]
    assert max(sizes) == sizes[0] == -(-sentences // MAX_PARTS)
    assert len(set(sizes[:-1])) <= 1


@pytest.mark.parametrize(
    "text",
    ["knee " * 200_000, "Ow! " * 50_000, "a.\n" * 50_000, "My knee hurts so much! " * 20_000, "x" * 500_000],
    ids=["no stops", "short sentences", "lines", "sentences", "one word"],
)
def test_huge_texts_are_cut_too(text: str) -> None:
    """Whatever they are made of."""
    spans = split_parts(text)
    assert 1 <= len(spans) <= MAX_PARTS
    assert "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())


TEXTS = [
    "My knee hurts when I run.",
    "Help! My knee clicks on stairs. It began a week ago. I sleep badly since then. What can I do?",
    "knee",
    " ".join(f"On day {number} my heel was sore and stiff." for number in range(60)),
    "ankle " * 300,
]


def test_all_complaints_are_embedded_in_one_call() -> None:
    """And none twice: a complaint of one part needs no vector of its part."""
    embedder = CountingEmbedder(limit=None)
    complaints = read_queries(embedder, TEXTS, ENGLISH)
    assert len(embedder.calls) == 1
    expected = [*TEXTS, *(part for text in TEXTS if len(parts_of(text)) > 1 for part in parts_of(text))]
    assert sorted(embedder.calls[0]) == sorted(expected)
    assert [complaint.text for complaint in complaints] == TEXTS
    embedder = CountingEmbedder(limit=40)
    read_queries(embedder, TEXTS, ENGLISH)
    assert len(embedder.calls) == 1


@pytest.mark.parametrize("limit", [None, 12, 40])
def test_vectors_are_of_unit_length_whatever_the_model_reads(limit: int | None) -> None:
    """Of the whole and of each part, long ones included."""
    for complaint in read_queries(WordsEmbedder(limit), TEXTS, ENGLISH):
        assert complaint.vector.shape == (64,)
        assert complaint.parts.shape == (len(complaint.part_spans), 64)
        assert complaint.vector.dtype == complaint.parts.dtype == np.float32
        assert np.allclose(np.linalg.norm([complaint.vector, *complaint.parts], axis=1), 1, atol=1e-6)


def same(one: Query, other: Query) -> bool:
    return (
        np.allclose(one.vector, other.vector, atol=1e-6)
        and np.allclose(one.parts, other.parts, atol=1e-6)
        and (one.text, one.part_spans, one.terms) == (other.text, other.part_spans, other.terms)
    )


@given(st.lists(st.sampled_from(TEXTS), max_size=6))
@settings(deadline=None, max_examples=25)
def test_each_complaint_is_what_it_is_alone(chosen: list[str]) -> None:
    """Its vectors are its own, however many are read beside it and in whatever order."""
    alone = {text: read_queries(WordsEmbedder(), [text], ENGLISH)[0] for text in set(chosen)}
    together = read_queries(WordsEmbedder(), chosen, ENGLISH) if chosen else []
    assert all(same(complaint, alone[text]) for complaint, text in zip(together, chosen, strict=True))


def test_the_parts_vectors_are_those_of_their_texts() -> None:
    """In the order of the spans; the terms are the whole text's."""
    embedder = WordsEmbedder(limit=None)
    for complaint in read_queries(embedder, TEXTS, ENGLISH):
        texts = [complaint.text[start:end] for start, end in complaint.part_spans]
        assert texts == parts_of(complaint.text)
        assert np.allclose(complaint.parts, embedder.embed_queries(texts), atol=1e-6)
        assert np.allclose(complaint.vector, embedder.embed_queries([complaint.text])[0], atol=1e-6)
        assert complaint.terms == ENGLISH.query_weights(complaint.text)
        assert complaint.terms


@pytest.mark.parametrize("text", ["My knee hurts when I run.", "knee", "Ow! My knee hurts.", "ankle " * 300])
def test_the_only_part_of_a_complaint_is_the_complaint(text: str) -> None:
    """So that it is searched for once."""
    complaint = read_queries(WordsEmbedder(), [text], ENGLISH)[0]
    assert complaint.parts.shape == (1, 64)
    assert np.array_equal(complaint.parts[0], complaint.vector)


def weights_of(text: str, holders: int) -> dict[str, float]:
    """A complaint's terms, each held by so many of a thousand posts."""
    return dict.fromkeys(ENGLISH.terms_of(text), rarity(1000, holders))


@pytest.mark.parametrize("text", ["hello", "x", "Help!", "please help me, thanks", "Hi there", "the", "ok", "?"])
def test_greetings_and_single_letters_say_too_little(text: str) -> None:
    """However rare their words are in the archive."""
    assert says_too_little(weights_of(text, 2), 1000)


def test_one_common_word_says_too_little_and_a_rare_one_does_not() -> None:
    """As knees do among knees; two common words do say something."""
    assert says_too_little(weights_of("knee", 400), 1000)
    assert not says_too_little(weights_of("anaemia", 3), 1000)
    assert not says_too_little(weights_of("anaemia", 0), 1000)
    assert not says_too_little(weights_of("sore knee", 400), 1000)
    assert not says_too_little({"tap": rarity(20, 3)}, 20)
