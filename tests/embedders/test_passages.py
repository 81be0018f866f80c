"""Passages: nothing lost, nothing too long, no sentence broken without need."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_search.embedders.base import Embedder
from qa_search.embedders.passages import Splitter
from qa_search.types import Post
from qa_search.util.sentences import split_sentences
from tests.helpers import SAMPLE_ARCHIVE, WordsEmbedder, posts_in

PROSE = st.lists(
    st.lists(st.sampled_from(["knee", "hurts", "e.g.", "1.5", "miles", "x" * 30, "é", "…"]), min_size=1, max_size=30),
    max_size=12,
).map(lambda sentences: " ".join(" ".join(words) + "." for words in sentences))
ANY_TEXT = PROSE | st.text() | st.text(alphabet="ab.\n ")


def check(text: str, count_tokens: object, limit: int) -> list[tuple[int, int]]:
    """Hold a text's passages against the promises."""
    assert callable(count_tokens)
    spans = Splitter(count_tokens, limit).split(text)
    position = 0
    for start, end in spans:
        assert start < end
        assert not text[position:start].strip(), "text between passages was lost"
        assert text[start:end] == text[start:end].strip()
        assert count_tokens([text[start:end]])[0] <= limit or end - start == 1
        position = end
    assert not text[position:].strip(), "text behind the last passage was lost"
    starts, ends = {start for start, _ in spans}, {end for _, end in spans}
    for start, end in split_sentences(text):
        if count_tokens([text[start:end]])[0] <= limit:
            assert not any(start < cut < end for cut in starts | ends), "a sentence that fits was broken"
    return spans


@given(ANY_TEXT, st.integers(1, 40))
def test_passages_cover_a_field_and_fit(text: str, limit: int) -> None:
    """For any text and limit: all text, in order, whole sentences, each passage within the limit."""
    check(text, WordsEmbedder().count_tokens, limit)


@given(ANY_TEXT, st.integers(4, 40))
@settings(max_examples=50, deadline=None)
def test_passages_cover_a_field_and_fit_by_the_model_s_own_tokenizer(minilm: Embedder, text: str, limit: int) -> None:
    """The same with the real tokenizer, which cuts words into pieces."""
    check(text, minilm.count_tokens, limit)


@given(st.text(alphabet="ab .", max_size=80), st.integers(2, 9))
def test_tokens_that_depend_on_their_neighbours_still_fit(text: str, limit: int) -> None:
    """Some tokenizers count a whole as more than its parts: a passage is measured as a whole."""

    def count(texts: Sequence[str]) -> list[int]:
        return [len(text.split()) + text.count("b. ") for text in texts]

    spans = Splitter(count, limit).split(text)
    for start, end in spans:
        assert count([text[start:end]])[0] <= limit or len(split_sentences(text[start:end])) == 1


def test_a_sentence_that_alone_exceeds_the_limit_is_cut_between_words(words: WordsEmbedder) -> None:
    """And a word that alone exceeds it is cut within."""
    text = "a b c d e f g. " + "x" * 10
    assert [text[a:b] for a, b in Splitter(words.count_tokens, 3).split(text)] == ["a b c", "d e f", "g. xxxxxxxxxx"]
    spans = Splitter(lambda texts: [len(text) for text in texts], 4).split("abcdefghij kl")
    assert spans == [(0, 4), (4, 8), (8, 10), (11, 13)]


def test_passages_are_filled_evenly(words: WordsEmbedder) -> None:
    """No lone last sentence: six sentences that need two passages give two halves."""
    text = " ".join(["one two three four."] * 6)
    assert [end - start for start, end in Splitter(words.count_tokens, 25).split(text)] == [59, 59]


def test_a_post_s_passages_know_their_field() -> None:
    """Title, question and answer in turn; the span is that of the field's own text."""
    post = Post("s", "1", "Sore knee", "It hurts. A lot.", "Rest.\n\nIce.")
    passages = list(Splitter(WordsEmbedder().count_tokens, 4).passages(post))
    assert [(p.field, getattr(post, p.field)[p.start : p.end]) for p in passages] == [
        ("title", "Sore knee"),
        ("question", "It hurts."),
        ("question", "A lot."),
        ("answer", "Rest.\n\nIce."),
    ]


@given(st.lists(ANY_TEXT, max_size=6), st.integers(1, 40))
def test_texts_are_cut_together_as_each_alone(texts: list[str], limit: int) -> None:
    """Whatever stands beside a text in one call: short, long or empty."""
    splitter = Splitter(WordsEmbedder().count_tokens, limit)
    assert splitter.split_all(texts) == [splitter.split(text) for text in texts]


def test_many_posts_take_few_calls_of_the_tokenizer(words: WordsEmbedder) -> None:
    """One for all whole fields, and one for all sentences of those that are too long, however many posts there are."""
    calls: list[int] = []

    def count(texts: Sequence[str]) -> list[int]:
        calls.append(len(texts))
        return words.count_tokens(texts)

    posts = [Post("s", str(number), "Sore knee", "It hurts. " * 22, "Rest.") for number in range(100)]
    cut = Splitter(count, 60).passages_of(posts)
    assert [len(passages) for passages in cut] == [4] * 100
    assert calls == [300, 2200]


def test_a_very_long_text_without_sentences_is_cut_in_good_time(minilm: Embedder) -> None:
    """A megabyte without a full stop: no quadratic work."""
    text = "word " * 200_000
    spans = Splitter(minilm.count_tokens, 254).split(text)
    assert len(spans) == 788
    assert "".join(text[a:b] + " " for a, b in spans) == text


def test_no_post_of_the_sample_archive_is_cut(minilm: Embedder) -> None:
    """Every passage of every sample post fits what the model reads."""
    assert minilm.passage_limit == 254
    splitter = Splitter(minilm.count_tokens, 254)
    for post in posts_in(SAMPLE_ARCHIVE):
        for field in ("question", "answer"):
            check(getattr(post, field), minilm.count_tokens, 254)
        texts = [getattr(post, p.field)[p.start : p.end] for p in splitter.passages(post)]
        assert max(minilm.count_tokens(texts)) <= 254


def test_a_limit_that_can_hold_nothing_is_refused() -> None:
    """It would loop for ever."""
    with pytest.raises(ValueError, match="at most 0 tokens"):
        Splitter(len, 0)  # type: ignore[arg-type]  # never called
