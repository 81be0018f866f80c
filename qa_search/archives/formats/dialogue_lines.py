"""Texts with a talk on each line, ``__eou__`` behind each turn (as DailyDialog has them) -> a post for each talk."""

from __future__ import annotations

from collections.abc import Iterator

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply
from qa_search.archives.formats.records import Record, posts_of
from qa_search.types import Post, SetAside

_TURN = "__eou__"
_SUFFIXES = ("", ".txt", ".text")
_LOOKED_AT = 20
_FEWEST = 2  # of turns in a talk


class DialogueLinesReader:
    """Reads lines of talks as records with a list of turns."""

    name = "talks in lines"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """The mark behind a turn comes twice in each of the first lines."""
        text = file.head_text
        if text is None or file.suffix not in _SUFFIXES or _TURN not in text:
            return False
        lines = [line for line in text.split("\n")[:_LOOKED_AT] if line.strip()]
        return all(line.count(_TURN) >= _FEWEST for line in lines[:-1] or lines)

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
        """Yield a post for each talk: the first turn asks."""
        yield from posts_of(file, self._records(file, options), options)

    def _records(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Record | SetAside]:
        for number, line in enumerate(file.lines(options), start=1):
            place = f"line {number}"
            if line is None:
                yield file.set_aside(place, file.record_over_limit(options).reason)
                continue
            turns = [turn.strip() for turn in line.split(_TURN)]
            turns = [turn for turn in turns if turn]
            if len(turns) >= _FEWEST:
                yield Record(place, {"dialog": turns})
            elif turns:
                yield file.set_aside(place, "a talk of one turn")
