"""Posts -> passages: cut at sentences and list steps, each within the model's limit of tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from qa_search.types import FIELDS, Passage, Post
from qa_search.util.sentences import Span, split_sentences, trim

TokenCounter = Callable[[Sequence[str]], Sequence[int]]

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

    def passages(self, post: Post) -> list[Passage]:
        """Return the passages of a post: title, question and answer in turn, each field from start to end."""
        return self.passages_of([post])[0]

    def passages_of(self, posts: Sequence[Post]) -> list[list[Passage]]:
        """Return the `passages` of each post. The tokenizer is called a few times for all of them."""
        spans = iter(self.split_all([getattr(post, field) for post in posts for field in FIELDS]))
        return [[Passage(field, *span) for field in FIELDS for span in next(spans)] for _ in posts]

    def split(self, text: str) -> list[Span]:
        """Cut a text into passages of whole sentences.

        Passages are filled evenly, so that no lone short sentence is left over for the last one. A sentence
        that alone exceeds the limit is cut between words, or within one where that does not help either.

        Returns:
            (start, end) spans in order. Together they hold every character that is not a blank;
            each has at most ``limit`` tokens.
        """
        return self.split_all([text])[0]

    def split_all(self, texts: Sequence[str]) -> list[list[Span]]:
        """Cut each text as `split` does."""
        found: list[list[Span]] = []
        short: list[int] = []
        left: list[int] = []
        for number, text in enumerate(texts):
            whole = trim(text)
            found.append([] if whole is None else [whole])
            if whole is not None:
                (short if len(text) <= self.limit * _MEASURED_CHARACTERS else left).append(number)
        # Most texts are one passage: their sentences need not be found.
        counts = self._counts(texts, [(number, found[number][0]) for number in short])
        left += [number for number, count in zip(short, counts, strict=True) if count >= self.limit * 3 // 4]
        sentences = [(number, span) for number in left for span in split_sentences(texts[number])]
        measured = zip(sentences, self._counts(texts, sentences), strict=True)
        for number, group in groupby(measured, lambda one: one[0][0]):
            found[number] = self._filled(texts[number], [(span, size) for (_, span), size in group])
        return found

    def _counts(self, texts: Sequence[str], spans: Sequence[tuple[int, Span]]) -> Sequence[int]:
        """Return the tokens of each span, given with the number of its text."""
        return self.count_tokens([texts[number][start:end] for number, (start, end) in spans]) if spans else []

    def _filled(self, text: str, sentences: list[tuple[Span, int]]) -> list[Span]:
        """Join the sentences of a text, given with their sizes in tokens, to passages."""
        units, sizes = self._units(text, sentences)
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

    def _units(self, text: str, sentences: list[tuple[Span, int]]) -> tuple[list[Span], list[int]]:
        """Cut too long sentences into pieces; return all with their sizes in tokens."""
        units: list[Span] = []
        sizes: list[int] = []
        for (start, end), size in sentences:
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
