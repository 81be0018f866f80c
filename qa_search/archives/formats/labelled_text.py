"""Plain text of questions and answers: labelled (``Q:``, ``Antwort:``), numbered, or paragraphs that ask."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice, pairwise
from typing import Literal

from qa_search.archives.base import ArchiveFile, ReadOptions, post_too_long, short_date
from qa_search.archives.formats.found_dates import find_date
from qa_search.archives.formats.labels import LabelledPair, above_footer, bare_question, find_labels, names_faq
from qa_search.archives.formats.outline import is_no_question
from qa_search.archives.formats.page import PageReader
from qa_search.archives.formats.record_heads import RULE, RecordHeads, fields_alone, headed_pairs
from qa_search.archives.formats.records import content_id
from qa_search.archives.formats.subtitles import without_times
from qa_search.types import Post, SetAside
from qa_search.util.text import clean_text

_TABLES = (".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson", ".sql", ".yml", ".yaml", ".xml", ".mbox", ".eml")
_MARKUP = re.compile(r"\s*(?:<[a-z!?]|[{\[](?!\w{1,12}\]))", re.IGNORECASE)
_NUMBERED = re.compile(r"[ \t]{0,8}(?:\(?(?:\d{1,3}\.){0,4}\d{1,3}[.):]?|\[\d{1,3}(?:\.\d{1,3})*\])[ \t\u00a0]+\S")
_MOST_QUESTION_LINES = 4
# How a text without labels parts its questions.
_Style = Literal["subjects", "numbered", "dense", "paragraphs"] | None
# The sections of a FAQ of Usenet: "Subject: 2.1. How ...?" below a rule.
_SUBJECT = re.compile(r"Subject:\s+(?P<title>[\[(]?\d{1,3}(?:[.-]\d{1,3})*[.):\]]?\s+\S.*)", re.IGNORECASE)
_FEWEST_SUBJECTS = 3
_HEADER_LINES = 6
# Of a text in which tables of contents are looked for.
_MOST_HELD = 1000
_MOST_HELD_CHARACTERS = 4_000_000
_HEAD_LINES = 2000


class LabelledTextReader:
    """Reads texts with questions and answers below one another."""

    name = "text with questions and answers"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """Labels of questions and answers, or numbered questions, or a name or a title that says FAQ and what asks."""
        text = file.head_text
        if text is None or file.suffix in _TABLES or _MARKUP.match(text) or PageReader().recognises(file, options):
            return False
        lines = [*without_times(iter(text.splitlines()))]
        return find_labels(lines) is not None or _plain_style(file, lines) is not None

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside]:
        """Yield a post for each question."""
        head = [*without_times(iter((file.head_text or "").splitlines()))]
        yield from _read(file, head, without_times(_lines(file, options)), _plain_style(file, head), options)


def text_posts(file: ArchiveFile, lines: list[str], options: ReadOptions) -> Iterator[Post | SetAside] | None:
    """Yield the posts of a text that is only lines, without blank ones between its paragraphs; None if it has none.

    Its questions are labelled or numbered.
    """
    head = lines[:_HEAD_LINES]
    numbered = [*islice(_plain_pairs(head, sys.maxsize, numbered=True, dense=True), _HEAD_LINES)]
    style: _Style = "dense" if sum(map(_has_answer, numbered)) > 1 else None
    if style is None and find_labels(head) is None:
        return None
    return _read(file, head, iter(lines), style, options)


def _read(
    file: ArchiveFile, head: list[str], lines: Iterator[str], style: _Style, options: ReadOptions
) -> Iterator[Post | SetAside]:
    labels = None if style == "subjects" else find_labels(head)
    most = options.limits.post_characters
    if style == "subjects":
        file.log.took("question", "numbered lines 'Subject:'")
        file.log.took("answer", "text below them")
        yield from _posts(file, _without_footer(_subject_pairs(lines, most)), options)
        return
    if labels is None:
        file.log.took("question", "paragraphs that ask" if style == "paragraphs" else "numbered questions")
        yield from _posts(
            file,
            _answered(file, _plain_pairs(lines, most, numbered=style != "paragraphs", dense=style == "dense")),
            options,
        )
        return
    file.log.took("question", "text behind a label such as Q:")
    file.log.took("answer", "text behind a label such as A:")
    sample = [*labels.pairs(head)]
    above = head[: sample[0].line - 1]
    heads = RecordHeads(above, [pair.answer for pair in sample[:-1]])
    pairs = _without_footer(labels.pairs(lines, most))
    if heads:
        for pair, values in headed_pairs(heads, above, pairs, file.log):
            for item in _posts(file, [pair], options):
                yield item if isinstance(item, SetAside) else replace(item, **values)
        return
    first, second = next(pairs, None), next(pairs, None)
    if first is not None and second is None and first.characters <= most:
        post, values = _only_post(file, head[: first.line - 1], first), fields_alone(head[: first.line - 1], file.log)
        yield replace(post, **values)
    else:
        yield from _posts(file, (pair for pair in (first, second) if pair is not None), options)
        yield from _posts(file, pairs, options)


def _lines(file: ArchiveFile, options: ReadOptions) -> Iterator[str]:
    for number, line in enumerate(file.lines(options), start=1):
        if line is None:
            raise file.record_over_limit(options, f"line {number}")
        yield line.rstrip("\r\n")


def _without_footer(pairs: Iterator[LabelledPair]) -> Iterator[LabelledPair]:
    for pair, following in pairwise(chain(pairs, [None])):
        if pair is not None:
            if following is None:
                pair.answer = above_footer("\n".join(pair.answer)).split("\n")
            yield pair


def _posts(file: ArchiveFile, pairs: Iterable[LabelledPair], options: ReadOptions) -> Iterator[Post | SetAside]:
    for pair in pairs:
        if pair.characters > options.limits.post_characters:
            yield file.set_aside(f"line {pair.line}", post_too_long(options))
        else:
            yield _post(file, pair)


def _post(file: ArchiveFile, pair: LabelledPair, title: str = "", date: str | None = None) -> Post:
    question = clean_text("\n".join(pair.question))
    answer = clean_text("\n".join(_without_trailer(pair.answer)))
    source_id = content_id("", title, question, answer)
    return Post(source=file.source, source_id=source_id, title=title, question=question, answer=answer, date=date)


def _only_post(file: ArchiveFile, header: list[str], pair: LabelledPair) -> Post:
    """Make the post of a text with one pair: what stands above is its title and date."""
    above = [line.strip() for line in header if line.strip()][-_HEADER_LINES:]
    found = find_date(above[-1]) if above else None
    date = short_date(above[-1]) if above else None
    if found is not None and date is None and len(found[0]) * 2 > len(above[-1]):
        date = found[1]
    title = " ".join(above[:-1] if date else above) if len(above) <= 2 else ""
    return _post(file, pair, clean_text(title), date)


def _without_trailer(lines: list[str]) -> list[str]:
    """Remove the end of an answer that belongs to the next question: rules, and an underlined heading."""
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    if end > 1 and RULE.fullmatch(lines[end - 1]):
        end -= 1
        if end > 1 and lines[end - 1].strip() and not lines[end - 2].strip():
            end -= 1
        while end and (not lines[end - 1].strip() or RULE.fullmatch(lines[end - 1])):
            end -= 1
    return lines[:end]


def _plain_style(file: ArchiveFile, lines: list[str]) -> _Style:
    """Return how a text without labels separates its questions, None if it does not."""
    if file.suffix not in ("", ".txt", ".text", ".faq", ".asc"):
        return None
    if sum(_SUBJECT.fullmatch(line.rstrip()) is not None for line in lines) >= _FEWEST_SUBJECTS:
        return "subjects"
    top = [line for line in lines if line.strip()][:5]
    named = names_faq(file.name) or any(names_faq(line) for line in top)
    ways: tuple[tuple[_Style, int], ...] = (("numbered", 1 if named else 3), ("paragraphs", 2))
    for style, least in ways:
        if style == "paragraphs" and not named:
            return None
        pairs = list(islice(_plain_pairs(lines, sys.maxsize, numbered=style == "numbered"), 1000))
        if sum(map(_has_answer, pairs)) >= least:
            return style
    return None


def _plain_pairs(lines: Iterable[str], most: int, *, numbered: bool, dense: bool = False) -> Iterator[LabelledPair]:
    """Part a text at paragraphs that begin with a question: a numbered one, or one that is nothing else.

    A numbered paragraph that does not ask is taken as a question too where its number follows that of the last one.
    In a dense text, any line may begin a paragraph.
    """
    pair: LabelledPair | None = None
    start: list[str] = []  # lines of a paragraph that may be a question
    last_line = ""  # the first line of the question before
    after_blank = True
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        opens = bool(text) and (_NUMBERED.match(line) is not None if numbered else not start)
        free = after_blank or dense or bool(start) or (pair is not None and not _has_answer(pair))
        ended = start if start and (not text or opens) else []
        if opens and free:
            start = [line]
        elif text and start:
            start.append(line)
        else:
            start = []
        if ended and numbered and (not dense or len(_number(ended[0])) > 1) and _follows(ended[0], last_line):
            if pair is not None:
                yield pair
            pair, last_line = _asked(number - len(ended), ended), ended[0]
        else:
            _extend(pair, ended, most)
        if start and text.endswith(("?", "？")):
            if pair is not None:
                yield pair
            pair, last_line = _asked(number - len(start) + 1, start), start[0]
            start = []
        elif len(start) >= _MOST_QUESTION_LINES:
            _extend(pair, start, most)
            start = []
        elif not start:
            _extend(pair, [line], most)
        after_blank = not text or bool(RULE.fullmatch(line))
    _extend(pair, start, most)
    if pair is not None:
        yield pair


def _subject_pairs(lines: Iterable[str], most: int) -> Iterator[LabelledPair]:
    """Part a text at its numbered subjects, which may go on in indented lines; contents and the like are left out."""
    pair: LabelledPair | None = None
    goes_on = False
    for number, line in enumerate(chain(lines, [None]), start=1):
        found = None if line is None else _SUBJECT.fullmatch(line.rstrip())
        if (found or line is None) and pair is not None and not is_no_question(pair.question[0]):
            while pair.answer and (not pair.answer[-1].strip() or RULE.fullmatch(pair.answer[-1])):
                pair.answer.pop()
            yield pair
        if line is None:
            return
        if found:
            pair, goes_on = _asked(number, [found["title"]]), True
        elif pair is not None and goes_on and line[:1] in " \t" and line.strip():
            pair.question = [f"{pair.question[0]} {line.strip()}"]
        else:
            goes_on = False
            _extend(pair, [line], most)


def _asked(line: int, lines: list[str]) -> LabelledPair:
    return LabelledPair(line, [bare_question(" ".join(" ".join(lines).split()))])


def _number(line: str) -> tuple[int, ...]:
    found = re.match(r"[\s(\[]*((?:\d{1,3}\.){0,4}\d{1,3})", line)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def _follows(line: str, before: str) -> bool:
    """Return whether a line's number may follow another (2.4, 3 and 2.3.1 follow 2.3), without more indentation."""
    number, last = _number(line), _number(before)
    indented = len(line) - len(line.lstrip()) > len(before) - len(before.lstrip())
    following = {(*last[:level], last[level] + 1) for level in range(len(last))} | {(*last, 1)}
    return bool(last) and not indented and number in following


def _extend(pair: LabelledPair | None, lines: list[str], most: int) -> None:
    if pair is not None:
        for line in lines:
            if not pair.answer and RULE.fullmatch(line):
                continue  # of the question
            pair.add(line, most, to_answer=True)


def _answered(file: ArchiveFile, pairs: Iterator[LabelledPair]) -> Iterator[LabelledPair]:
    """Remove questions without an answer and repeated ones: they belong to a table of contents."""
    held = _held(pairs)
    last = {pair.question[0]: number for number, pair in enumerate(held) if _has_answer(pair)}
    for number, pair in enumerate(chain(held, pairs)):
        if _has_answer(pair) and last.get(pair.question[0], number) <= number:
            yield pair
        else:
            file.log.omit("questions without text below them, as a table of contents has")


def _held(pairs: Iterator[LabelledPair]) -> list[LabelledPair]:
    held: list[LabelledPair] = []
    size = 0
    for pair in pairs:
        held.append(pair)
        size += pair.characters
        if len(held) >= _MOST_HELD or size > _MOST_HELD_CHARACTERS:
            break
    return held


def _has_answer(pair: LabelledPair) -> bool:
    return any(line.strip() for line in pair.answer)
