"""Highlighting, by hand-checked examples."""

from __future__ import annotations

import pytest

from qa_search.search.highlight import covered_share, most_useful

WEIGHTS = {"heel": 2.0, "morn": 1.0, "hurt": 0.5}
GREETING = "Thanks for writing in, and sorry to hear that."


@pytest.mark.parametrize(
    ("sentences", "expected"),
    [
        ((GREETING, "Roll the heel on a frozen bottle every morning.", "Good luck with the race this spring!"), 1),
        ((GREETING, "Heel?", "The pain under the heel comes from a band that is too tight."), 2),
        ((GREETING, "Does the heel hurt in the morning when you get up?", "Your heel needs a cup in the shoe."), 2),
        (
            ("See https://example.com/heel for how the heel hurts", "Rest the heel for two weeks at the least."),
            1,
        ),
        (("Yes.",), 0),
    ],
    ids=["shared terms", "fragment", "question", "link", "only one"],
)
def test_the_useful_sentence_is_chosen(sentences: tuple[str, ...], expected: int) -> None:
    """What the expert says to it, not a greeting, a question, a link or a fragment."""
    terms = [[word[:4] if word != "heel" else word for word in text.lower().split()] for text in sentences]
    assert most_useful(sentences, terms, WEIGHTS) == expected


def test_of_equals_the_first_is_chosen() -> None:
    """An answer usually begins with what matters."""
    sentences = ["Do the calf raises on a step each day."] * 3
    assert most_useful(sentences, [[], [], []], WEIGHTS) == 0


def test_the_covered_share_counts_each_term_once() -> None:
    """By weight; nothing asked for is nothing covered."""
    assert covered_share(["heel", "heel", "other"], WEIGHTS) == pytest.approx(2 / 3.5)
    assert covered_share(["heel"], {}) == 0
