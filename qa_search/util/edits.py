"""Two words -> how many edits part them, if one may be the other misspelt."""

from __future__ import annotations

# Shorter words are too close to one another.
LEAST_LETTERS = 5
# From so many letters on, two edits are allowed.
_LONG = 9


def edits_between(word: str, other: str) -> int:
    """Return how many edits part two words if one may be the other misspelt; 0 if they are equal or too different."""
    from rapidfuzz.distance import OSA  # here, because most complaints are spelt right

    if word[0] != other[0] or len(other) < LEAST_LETTERS:
        return 0
    allowed = 2 if max(len(word), len(other)) >= _LONG else 1
    distance = OSA.distance(word, other, score_cutoff=allowed)
    return distance if distance <= allowed else 0
