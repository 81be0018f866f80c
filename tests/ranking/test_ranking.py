"""Grouping and highlighting, by hand-checked examples."""

from __future__ import annotations

import numpy as np

from qa_search.ranking.grouping import Candidate, best_passages
from qa_search.ranking.highlight import best_sentence, passage_sentences
from qa_search.types import Passage


def test_a_post_is_one_hit_by_its_best_passage() -> None:
    """Whatever the number and order of its passages."""
    scored = [Candidate(1, 10, 0.5), Candidate(2, 20, 0.7), Candidate(1, 11, 0.9), Candidate(2, 21, 0.6)]
    assert best_passages(scored, 5) == [Candidate(1, 11, 0.9), Candidate(2, 20, 0.7)]
    assert best_passages(scored, 1) == [Candidate(1, 11, 0.9)]


def test_equal_scores_keep_the_order_of_passages() -> None:
    """An answer is the same on every run."""
    tied = [Candidate(3, 30, 0.5), Candidate(1, 12, 0.5), Candidate(1, 11, 0.5), Candidate(2, 20, 0.5)]
    assert best_passages(tied, 3) == best_passages(tied[::-1], 3)
    assert [candidate.passage for candidate in best_passages(tied, 3)] == [11, 20, 30]


def test_sentences_of_a_passage_are_spans_of_the_whole_field() -> None:
    """Offsets count from the field's start, not the passage's."""
    text = "First one. Second one. Third one."
    spans = passage_sentences(text, Passage("answer", 11, 33))
    assert [text[start:end] for start, end in spans] == ["Second one.", "Third one."]
    assert passage_sentences(" ", Passage("answer", 0, 1)) == [(0, 1)]


def test_the_closest_sentence_is_chosen() -> None:
    """By cosine."""
    sentences = np.eye(3, dtype=np.float32)
    assert best_sentence(np.array([0.1, 0.9, 0.3], np.float32), sentences) == 1
