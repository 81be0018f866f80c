"""Sentences and list steps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_search.util.sentences import split_sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["My knee hurts.", "What now?"],
        ["i ran 5k.", "then my knee hurt.", "what to do"],
        ["It hurts!!!", "Really?!", "Yes..."],
        ["I run 1.5 miles at 7:45/mile.", "Then 3.2 km."],
        ["Try ice, e.g. a bag of peas.", "Dr. Smith agrees."],
        ["Rest, ice, etc. and wait."],
        ["Rest, ice, etc.", "Then wait."],
        ["I get up at 6 a.m. every day.", "It hurts."],
        ["I run with J. Smith.", "So do I.", "We run."],
        ['He said "stop."', "I did not."],
        ["It hurts (really?) at night."],
        ["See http://example.org/a.b?c=1 for it.", "Good luck!"],
        ["wait... what about no. 7?", "Did it help?", "No.", "I stopped."],
        ["Do this: 1. rest 2. ice 3. sleep"],
        ["它疼。", "怎么办？", "谢谢"],
        ["one"],
    ],
)
def test_sentences_are_parted_as_a_reader_would(sentences: list[str]) -> None:
    """Whatever the capitals, abbreviations, numbers and links in them."""
    joint = "" if sentences[0].startswith("它") else " "
    text = joint.join(sentences)
    assert [text[start:end] for start, end in split_sentences(text)] == sentences


def test_list_steps_and_paragraphs_end_sentences() -> None:
    """A line that begins with a number or a bullet stands by itself, its number with it."""
    text = "Do this\n1) Ice it\n2. Rest. And sleep\n- walk\n\n* run\nbye"
    assert [text[start:end] for start, end in split_sentences(text)] == [
        "Do this", "1) Ice it", "2. Rest.", "And sleep", "- walk", "* run", "bye",
    ]  # fmt: skip


def test_a_sentence_goes_on_over_a_wrapped_line() -> None:
    """Old exports wrap lines at a width: that ends no sentence."""
    text = "I have been running for about twenty years now and my\nleft knee has started to hurt. It\nclicks."
    assert [text[start:end] for start, end in split_sentences(text)] == [
        "I have been running for about twenty years now and my\nleft knee has started to hurt.",
        "It",
        "clicks.",
    ]


@given(st.text(alphabet=st.sampled_from("ab A.!?…,;:()\"'1\n \t\r-–•。\u2028\u00a0é"), max_size=200) | st.text())
def test_spans_cover_everything_in_order(text: str) -> None:
    """No character but blanks is outside a span; spans do not touch each other's characters."""
    spans = split_sentences(text)
    position = 0
    for start, end in spans:
        assert start < end
        assert not text[position:start].strip()
        assert text[start:end] == text[start:end].strip()
        position = end
    assert not text[position:].strip()
