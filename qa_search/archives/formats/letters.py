"""Letters to a column ("Dear Dr. Foot, ..." and what the column answers), in a text or page -> a post for each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from itertools import islice, zip_longest
from typing import Any

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply, post_too_long
from qa_search.archives.formats.outline import drop_furniture
from qa_search.archives.formats.records import content_id
from qa_search.archives.formats.trees import element_text, words
from qa_search.archives.formats.values import join_answers
from qa_search.types import AnswerPart, Post, SetAside
from qa_search.util.text import clean_text, counted

_SUFFIXES = ("", ".txt", ".text")
_SALUTATION = re.compile(
    r"\s*(?:dear|liebe[rs]?|sehr geehrte[rs]?|werte[rs]?|ch[eè]re?|estimad[oa]|querid[oa]|prezad[oa]|car[oa]|gentile"
    r"|egregio|beste|geachte|kære|kjære|kära|hyvä|drog[ia]|szanown[ya]|дорог(?:ой|ая)|уважаем(?:ый|ая))[ \t]+"
    r"(?P<to>[^\n,:!?;—–]{1,60}?)[ \t]*(?:[,:!—–](?P<rest>.*)|)$",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"[ \t]*(?:(?:yours|sincerely|regards|(?:kind|best|warm) (?:regards|wishes)|many thanks|thanks|thank you|cheers"
    r"|mit freundlichen grüßen|viele grüße|herzliche grüße|danke|cordialement|bien à vous|saludos|atentamente|gracias"
    r"|cordiali saluti|grazie|met vriendelijke groet)\b[^.?\n]{0,30})[,!.]?[ \t]*",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")
_DASH = re.compile(r"\s*(?:[-–—~]{1,3})\s*(?=\S)")
_ANSWERS = re.compile(
    r"\A[^\n:]{0,60}\b(?:repl(?:y|ies)|answers?|responds?|writes|antwortet|antwort|répond|réponse|responde|respuesta"
    r"|risponde|risposta|antwoordt)\s*:[ \t]*",
    re.IGNORECASE,
)
_MOST_WORDS, _MOST_SIGNATURE, _MOST_SIGNATURE_LINES = 8, 60, 4
_MOST_ADDRESSEE = 6
_MOST_TITLE = 100
_FEWEST_LETTERS = 2
_ANSWERED = 0.8


@dataclass
class _Letter:
    line: int
    asked: list[str] = field(default_factory=list)  # paragraphs
    answer: list[str] = field(default_factory=list)
    signed: bool = False
    named: bool = False  # the answer begins with the name of the one who asked
    signed_so: bool = False  # the letter is signed with that name
    title: str = ""


class LettersReader:
    """Reads a text of letters that all begin with the same name, each signed or answered by a letter."""

    name = "letters to a column"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """Two letters or more to one name, of which nearly all are answered."""
        text = file.head_text
        if text is None or file.suffix not in _SUFFIXES:
            return False
        return _find(clean_text(text)) is not None

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside]:
        """Yield a post for each letter.

        Raises:
            UnknownFormatError: if few letters behind the text's beginning are answered.
        """
        found = _find(clean_text(file.read_text(options)))
        if found is None:
            raise file.unknown(
                "letters to a column at first, and few with an answer in all of the text",
                "Write Q: before each letter and A: before each answer.",
            )
        yield from _posts(file, *found, options)


def has_salutations(lines: Iterable[str]) -> bool:
    """Return whether two lines or more begin a letter."""
    return sum(1 for _ in islice(filter(_addressee, lines), _FEWEST_LETTERS)) == _FEWEST_LETTERS


def letters_on_page(
    file: ArchiveFile, lines: Sequence[str], tree: Any, options: ReadOptions, *, by_name: bool
) -> list[Post | SetAside | Reply]:
    """Make a post of each letter on a page; an empty list for a page without letters.

    With ``by_name``, only letters that are answered by the name that they are signed with count, and one is enough.
    ``lines`` are those of the page's text; what is around the text is removed from the tree.
    """
    if not has_salutations(lines):
        return []
    drop_furniture(tree)
    headings = [words(element) for element in tree.xpath(".//h1|.//h2|.//h3|.//h4|.//h5|.//h6")]
    found = _find(clean_text(element_text(tree)), frozenset(filter(None, headings)), by_name=by_name)
    if found is None:
        return []
    name, letters = found
    last = letters[-1].answer
    end = next((number for number, text in enumerate(last) if " ".join(text.split()) in headings), len(last))
    if end < len(last):
        del last[end:]
        file.log.remark("what stands below a heading behind the last answer is left out")
    return [*_posts(file, name, letters, options)]


def _posts(file: ArchiveFile, name: str, letters: Sequence[_Letter], options: ReadOptions) -> Iterator[Post | SetAside]:
    file.log.took("question", f"letter to {name}", len(letters))
    file.log.took("answer", "what follows its signature", sum(bool(letter.answer) for letter in letters))
    file.log.remark(f"{counted(len(letters), 'letter')} to {name!r}: what follows the signature is its answer")
    signature = _common_end(letters)
    title = ""
    for letter in letters:
        title = letter.title or title
        paragraphs, following = _parted(letter.answer, signature)
        question = "\n\n".join(letter.asked).strip()
        answer, parts = join_answers([("\n\n".join(paragraphs).strip(), AnswerPart(0, 0, author=signature or None))])
        if len(question) + len(answer) > options.limits.post_characters:
            yield file.set_aside(f"line {letter.line}", post_too_long(options))
        else:
            yield Post(
                source=file.source,
                source_id=content_id("", title, question, answer),
                title=title,
                question=question,
                answer=answer,
                answers=parts if signature else (),
            )
        title = following[-1] if following and len(following[-1]) <= _MOST_TITLE else ""


def _find(text: str, headings: Set[str] = frozenset(), *, by_name: bool = False) -> tuple[str, list[_Letter]] | None:
    """Return the name that letters are written to, and the letters; None if there are no such letters."""
    paragraphs = list(_paragraphs(text))
    names: Counter[str] = Counter()
    shown: dict[str, str] = {}
    for _, lines in paragraphs:
        if name := _addressee(lines[0]):
            names[name.casefold()] += 1
            shown.setdefault(name.casefold(), name)
    if not names:
        return None
    column, count = names.most_common(1)[0]
    if count < _FEWEST_LETTERS and not by_name:
        return None
    letters = list(_letters(paragraphs, column, headings))
    if by_name:
        known = sum(letter.signed_so for letter in letters)
        return (shown[column], letters) if known >= max(_ANSWERED * len(letters), 1) else None
    answered = sum(bool(letter.answer) for letter in letters)
    # Two letters of a correspondence may have something behind them, too.
    fewest = _FEWEST_LETTERS if all(letter.named for letter in letters) else _FEWEST_LETTERS + 1
    return (shown[column], letters) if answered >= max(_ANSWERED * len(letters), fewest) else None


def _paragraphs(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the paragraphs of a text, each with the number of its first line; a salutation begins one."""
    lines: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        if lines and (not line.strip() or _addressee(line)):
            yield number - len(lines), lines
            lines = []
        if line.strip():
            lines.append(line.rstrip())


def _addressee(line: str) -> str:
    match = _SALUTATION.match(line[:500])
    return match["to"].strip() if match and len(match["to"].split()) <= _MOST_ADDRESSEE else ""


def _letters(paragraphs: Sequence[tuple[int, list[str]]], column: str, headings: Set[str]) -> Iterator[_Letter]:
    letter: _Letter | None = None
    title = ""
    for (number, lines), following in zip_longest(paragraphs, paragraphs[1:]):
        name = _addressee(lines[0]).casefold()
        text = "\n".join(lines)
        if name == column:
            if letter is not None:
                yield letter
            letter = _Letter(number, title=title)
            title = ""
        elif following and _addressee(following[1][0]).casefold() == column and " ".join(text.split()) in headings:
            title = text
            continue
        elif letter is None:
            continue
        elif letter.answer or (letter.asked and (name or letter.signed)):
            if name and not letter.answer:
                letter.named, letter.signed_so = True, _is_in_end(name, letter.asked)
            letter.answer.append(_ANSWERS.sub("", text, count=1) if not letter.answer else text)
            continue
        letter.asked.append(text)
        letter.signed = _is_signed(lines, alone=len(letter.asked) > 1)
    if letter is not None:
        yield letter


def _is_in_end(name: str, paragraphs: Sequence[str]) -> bool:
    """Return whether the last lines of a letter, which may be its signature, have a name."""
    lines = paragraphs[-1].split("\n")[-_MOST_SIGNATURE_LINES:]
    return set(_WORD.findall(name)) <= set(_WORD.findall("\n".join(lines)[-_MOST_SIGNATURE:].casefold()))


def _is_signed(lines: Sequence[str], *, alone: bool) -> bool:
    """Return whether a paragraph ends with a signature, or is one: ``alone`` says that a text stands above it."""
    tail = lines[-_MOST_SIGNATURE_LINES:]
    if any(_CLOSING.fullmatch(line) for line in tail[:-1]) or (_CLOSING.fullmatch(tail[-1]) and not alone):
        return True
    if _DASH.match(tail[-1]) and _is_short(tail[-1]):
        return True
    return (
        alone
        and len(lines) <= _MOST_SIGNATURE_LINES
        and all(map(_is_short, lines))
        and not _CLOSING.fullmatch(tail[-1])
    )


def _is_short(line: str) -> bool:
    text = line.strip()
    return len(text) <= _MOST_SIGNATURE and len(text.split()) <= _MOST_WORDS and text[-1] not in ".?!:;…？。"


def _common_end(letters: Sequence[_Letter]) -> str:
    """Return the signature that nearly all answers have; "" if they differ."""
    ends = Counter(
        end
        for letter in letters
        for end in {_unsigned(paragraph) for paragraph in letter.answer}
        if _is_short(end or ".")
    )
    end, count = ends.most_common(1)[0] if ends else ("", 0)
    return end if count >= max(_ANSWERED * len(letters), _FEWEST_LETTERS) else ""


def _unsigned(paragraph: str) -> str:
    return _DASH.sub("", paragraph, count=1).strip()


def _parted(paragraphs: Sequence[str], signature: str) -> tuple[list[str], list[str]]:
    """Return the paragraphs of an answer before its signature, and those behind: the title of the next letter."""
    for number, paragraph in enumerate(paragraphs):
        if signature and _unsigned(paragraph) == signature:
            return [*paragraphs[:number]], [*paragraphs[number + 1 :]]
    return [*paragraphs], []
