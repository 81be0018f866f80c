"""Posts -> passages: cut at sentences and list steps, each within the model's limit of tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from qa_search.types import FIELDS, Passage, Post
from qa_search.util.sentences import Span, split_sentences, trim

TokenCounter = Callable[[Sequence[str]], Sequence[int]]

DEFAULT_PASSAGE_TOKENS = 256
# Raised when a text would be cut otherwise than before, so that no index mixes old cuts and new ones.
SPLITTER_RULES = 1
# Longest stretch of one sentence that is measured at once, in characters per token of the limit.
_MEASURED_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class Splitter:
    """Cuts texts for one model. ``count_tokens`` is its tokenizer, ``limit`` the most tokens a passage has."""

    count_tokens: TokenCounter
    limit: int

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise ValueError(f"a passage of at most {self.limit} tokens cannot hold any text")

    def passages(self, post: Post) -> Iterator[Passage]:
        """Yield the passages of a post: title, question and answer in turn, each field from start to end."""
        for field in FIELDS:
            for start, end in self.split(getattr(post, field)):
                yield Passage(field, start, end)

    def split(self, text: str) -> list[Span]:
        """Cut a text into passages of whole sentences.

        Passages are filled evenly, so that no lone short sentence is left over for the last one. A sentence
        that alone exceeds the limit is cut between words, or within one where that does not help either.

        Returns:
            (start, end) spans in order. Together they hold every character that is not a blank;
            each has at most ``limit`` tokens.
        """
        whole = trim(text)
        if whole is None:
            return []
        # Most texts are one passage: their sentences need not be found.
        if len(text) <= self.limit * _MEASURED_CHARACTERS and self._count(text, *whole) < self.limit * 3 // 4:
            return [whole]
        units, sizes = self._units(text)
        wanted = max(-(-sum(sizes) // self.limit), 1)
        target = -(-sum(sizes) // wanted)
        spans: list[Span] = []
        filled = 0
        for (start, end), size in zip(units, sizes, strict=True):
            # Past the even share a passage is closed, unless most of the sentence still belongs to it.
            full = filled + size > self.limit or filled + size // 2 > target
            if not spans or full or not self._fits(text[spans[-1][0] : end], filled + size):
                spans.append((start, end))
                filled = size
            else:
                spans[-1] = (spans[-1][0], end)
                filled += size
        return spans

    def _fits(self, text: str, estimate: int) -> bool:
        """Check the real count near the limit: tokens of a whole are not always the sum of its parts'."""
        return estimate < self.limit * 3 // 4 or self.count_tokens([text])[0] <= self.limit

    def _units(self, text: str) -> tuple[list[Span], list[int]]:
        """Cut a text into sentences, and too long ones into pieces; return them with their sizes in tokens."""
        sentences = split_sentences(text)
        units: list[Span] = []
        sizes: list[int] = []
        counts = self.count_tokens([text[start:end] for start, end in sentences])
        for (start, end), size in zip(sentences, counts, strict=True):
            pieces = [(start, end)] if size <= self.limit else list(self._pieces(text, start, end))
            units.extend(pieces)
            sizes.extend([size] if size <= self.limit else self.count_tokens([text[a:b] for a, b in pieces]))
        return units, sizes

    def _pieces(self, text: str, start: int, end: int) -> Iterator[Span]:
        """Yield pieces of a sentence that fit."""
        while start < end:
            cut = self._longest_fit(text, start, end)
            piece = text[start:cut]
            yield start, start + len(piece.rstrip())
            start = cut
            while start < end and text[start].isspace():
                start += 1

    def _longest_fit(self, text: str, start: int, end: int) -> int:
        """Find the last place up to which the text fits, by bisection over places between words."""
        end_measured = min(end, start + self.limit * _MEASURED_CHARACTERS)
        if end_measured == end and self._count(text, start, end) <= self.limit:
            return end
        places = [
            place for place in range(start + 1, end_measured) if text[place].isspace() and not text[place - 1].isspace()
        ]
        cut = self._bisect(text, start, places)
        if cut is None:
            cut = self._bisect(text, start, range(start + 1, (places or [end_measured])[0] + 1))
        # A single character of more tokens than the limit: it is a passage of its own, whatever it costs.
        return cut if cut is not None else start + 1

    def _bisect(self, text: str, start: int, places: Sequence[int]) -> int | None:
        low, high = 0, len(places)
        while low < high:
            middle = (low + high) // 2
            if self._count(text, start, places[middle]) <= self.limit:
                low = middle + 1
            else:
                high = middle
        return places[low - 1] if low else None

    def _count(self, text: str, start: int, end: int) -> int:
        return self.count_tokens([text[start:end]])[0]
