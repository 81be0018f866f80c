"""The sentence of a passage that matters most."""

from __future__ import annotations

import numpy as np

from qa_search.embedders.base import Vectors
from qa_search.sentences import Span, split_sentences
from qa_search.types import Passage


def passage_sentences(text: str, passage: Passage) -> list[Span]:
    """Cut a passage of a field's text into sentences: (start, end) spans in that text, at least one."""
    spans = [
        (passage.start + start, passage.start + end)
        for start, end in split_sentences(text[passage.start : passage.end])
    ]
    return spans or [(passage.start, passage.end)]


def best_sentence(query: Vectors, sentences: Vectors) -> int:
    """Return the number of the sentence (rows of ``sentences``) closest to the query (dimension,)."""
    return int(np.argmax(sentences @ query))
