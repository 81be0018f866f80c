"""Lines of subtitles (.srt, .vtt) -> the lines that are said, without numbers and times; other texts stay."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from qa_search.archives.formats.chat_lines import MOST_LINE, PLAIN, STYLES

SUFFIXES = (".srt", ".vtt")
_CUE_TIMES = re.compile(r"\s*(?:\d{1,3}:)?\d{2}:\d{2}[.,]\d{3}\s+-->\s+(?:\d{1,3}:)?\d{2}:\d{2}[.,]\d{3}")
_VOICE = re.compile(r"</?[bciuv](?:[.\s][^<>]*)?>")
_NAMED_VOICE = re.compile(r"\s*<v(?:\.[^\s<>]*)?\s+(?P<name>[^<>:]{1,40})>")
_LONGEST_CUE_NUMBER = 8
_MOST_TURN = 100_000  # characters of a line that is put together


def without_times(lines: Iterable[str], *, voices: bool = False) -> Iterator[str]:
    """Remove the numbers and times of subtitles, and the blank lines between them.

    ``voices`` writes who speaks before what is said, as ``Name: text``.
    """
    number: str | None = None  # of a line that may be a subtitle's
    subtitles = False
    for line in lines:
        if _CUE_TIMES.match(line):
            subtitles, number = True, None
            continue
        if number is not None:
            yield number
            number = None
        if line.strip().isdecimal() and len(line) <= _LONGEST_CUE_NUMBER:
            number = line
        elif not subtitles or line.strip():
            named = _NAMED_VOICE.match(line) if voices and subtitles else None
            said = line if named is None else f"{named['name'].strip()}: {line[named.end() :].lstrip()}"
            yield _VOICE.sub("", said) if subtitles else line
    if number is not None:
        yield number


def turns(lines: Iterable[str]) -> Iterator[str]:
    """Put the lines of subtitles together that one speaker says, each turn ``Name: text``; what no one says is left."""
    turn = ""
    for line in without_times(lines, voices=True):
        text = line.strip()
        named = STYLES[PLAIN].fullmatch(text[:MOST_LINE])
        same = named is not None and bool(turn) and text.partition(":")[0] == turn.partition(":")[0]
        if named is None or (same and len(turn) < _MOST_TURN):
            if turn:
                turn = f"{turn} {text.partition(':')[2].strip() if same else text}"
            if len(turn) < _MOST_TURN:
                continue
        if turn:
            yield turn
        turn = text if named else ""
    if turn:
        yield turn
