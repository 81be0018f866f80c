"""A document of headings and paragraphs (a web page, Markdown, Word) -> a post for each of its questions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from qa_search.archives.base import ArchiveFile, ReadingLog, short_date
from qa_search.archives.formats.document_tables import table_questions
from qa_search.archives.formats.found_dates import date_in
from qa_search.archives.formats.guestbook import entry_head
from qa_search.archives.formats.labels import LabelledPair, bare_question, find_labels, names_faq, part_at_answer
from qa_search.archives.formats.outline import (
    Asked,
    drop_furniture,
    outline_questions,
    topic_sections,
    unused_sections,
    without_footer,
)
from qa_search.archives.formats.record_heads import RecordHeads, headed_pairs
from qa_search.archives.formats.records import content_id
from qa_search.archives.formats.trees import element_text, words
from qa_search.types import Post
from qa_search.util.text import clean_text, counted

_OUTLINE = ("headings that ask", "text below them")


def document_posts(
    file: ArchiveFile, tree: Any, url: str | None, *, title: str = "", date: str | None = None, tags: Sequence[str] = ()
) -> Iterator[Post]:
    """Yield a post for each question of a document's tree, which is changed."""
    own = [title, *(words(element) for element in tree.xpath(".//title"))]
    headings = [words(element) for element in tree.xpath(".//h1")]
    named_faq = any(names_faq(name) for name in (*own, *headings, file.name) if name)
    is_faq = any(map(names_faq, [*own, *headings] if len(headings) == 1 else own))
    found, how = _asked(tree, named_faq, file.log)
    lines = element_text(tree).split("\n") if found and how == _OUTLINE else []
    if not found and is_faq and (found := topic_sections(tree)):
        how = ("headings", "text below them")
        file.log.remark(
            f"no heading asks, but the document is named a FAQ: its headings, such as {found[0].question!r}, are read "
            "as the questions"
        )
    guessed = [asked.question for asked in found if asked.guessed]
    if guessed:
        file.log.remark(
            f"{counted(len(guessed), 'title')} read as questions without asking, such as {guessed[0][:80]!r}: others "
            "beside them ask"
        )
    if how == _OUTLINE:
        if found and (unused := unused_sections(tree, found)):
            file.log.omit("sections whose titles do not ask", len(unused))
        found = _parted(_with_askers(found, lines))
    file.log.took("question", how[0], sum(bool(asked.question) for asked in found))
    file.log.took("answer", how[1], sum(bool(asked.answer) for asked in found))
    for asked in found:
        question, answer = clean_text(asked.question), clean_text(asked.answer)
        given = (*tags, *asked.tags, asked.category)
        yield Post(
            source=file.source,
            source_id=content_id("", "", question, answer),
            title=asked.title,
            question=question,
            answer=answer,
            author=asked.author,
            date=short_date(asked.date) or date,
            url=asked.url or _address(url, asked.anchor),
            tags=tuple(dict.fromkeys(tag for name in given if (tag := clean_text(name)))),
        )


def asked_in(tree: Any, named_faq: bool) -> list[Asked]:
    """Find the questions of a document's tree, which is changed."""
    return _asked(tree, named_faq, ReadingLog())[0]


def _asked(tree: Any, named_faq: bool, log: ReadingLog) -> tuple[list[Asked], tuple[str, str]]:
    drop_furniture(tree)
    in_tables = table_questions(tree, log)
    by_outline = outline_questions(tree, named_faq)
    cells = {bare_question(text) for asked in in_tables for text in (asked.question, asked.answer)}
    # What asks in a cell is not a title with the next cells as its answer.
    if in_tables and len(in_tables) >= sum(asked.question not in cells for asked in by_outline):
        return in_tables, ("column of questions in a table", "column of answers in a table")
    lines = element_text(tree).split("\n")
    labels = find_labels(lines)
    if labels is not None:
        pairs = [*labels.pairs(lines)]
        if pairs and len(pairs) >= len(by_outline):
            found = _labelled(lines[: pairs[0].line - 1], pairs, log)
            return without_footer(found), ("text behind a label such as Q:", "text behind a label such as A:")
    return by_outline, _OUTLINE


def _with_askers(found: list[Asked], lines: Sequence[str]) -> list[Asked]:
    """Take who asked and when from the lines above each title, if all have one: it ends the answer before."""
    first = next((number for number, line in enumerate(lines) if found and found[0].question in line), 0)
    above = next((line for line in reversed(lines[:first]) if line.strip()), "")
    parts = [asked.answer.rpartition("\n") for asked in found[:-1]]
    heads = [entry_head(line) for line in (above, *(last for _, _, last in parts))]
    if len(found) < 2 or not all(heads) or len({head[0] for head in heads if head}) > 1:
        return found
    answers = [*(before.strip() for before, _, _ in parts), found[-1].answer]
    return [
        replace(asked, answer=answer, date=asked.date or date_in(head[1]) or "", author=asked.author or head[2] or None)
        for asked, answer, head in zip(found, answers, heads, strict=True)
        if head
    ]


def _parted(found: list[Asked]) -> list[Asked]:
    """Part what is asked from its answer, where most texts below the titles have a line that says Answer."""
    parts = [part_at_answer(asked.answer, alone=len(found) == 1) for asked in found]
    if 3 * sum(part is not None for part in parts) < 2 * len(parts):
        return found
    return [
        replace(asked, title=asked.question, question=part[0], answer=part[1]) if part else asked
        for asked, part in zip(found, parts, strict=True)
    ]


def _labelled(above: Sequence[str], pairs: Sequence[LabelledPair], log: ReadingLog) -> list[Asked]:
    """Make the questions of labelled pairs, with what the lines above each say of it."""
    heads = RecordHeads(above, [pair.answer for pair in pairs[:-1]])
    found = []
    for pair, values in headed_pairs(heads, above, pairs, log) if heads else ((pair, {}) for pair in pairs):
        found.append(Asked("\n".join(pair.question).strip(), "\n".join(pair.answer).strip(), **values))
    return found


def _address(url: str | None, anchor: str) -> str | None:
    """Return the address of a question on its page."""
    if url is None:
        return None
    return clean_text(f"{url.partition('#')[0]}#{anchor}" if anchor else url)
