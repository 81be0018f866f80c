"""Question banks as text (Moodle's GIFT, Aiken) -> a post for each question: what is right answers it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from qa_search.archives.base import ArchiveFile, ReadOptions, post_too_long
from qa_search.archives.formats.html_text import TextTooLongError, html_to_text
from qa_search.archives.formats.records import content_id
from qa_search.types import Post, SetAside
from qa_search.util.text import clean_text

_SUFFIXES = ("", ".txt", ".text", ".gift", ".aiken")
_LOOKED_AT = 20_000
_AIKEN = re.compile(r"^[A-Z][.)] .+\n+ANSWER: ?[A-Z](?: ?[,;&] ?[A-Z])*[ \t]*$", re.MULTILINE)
_GIFT = re.compile(
    r"^(?:::[^:\n]{1,200}::)?[^{}\n]{3,500}\{\s{0,20}(?:[=~][^{}]{1,500}|(?:T|F|TRUE|FALSE)(?:#[^{}]{0,500})?|#[-+=\d][^{}]{0,200})\s{0,20}\}",
    re.MULTILINE,
)
_PARAGRAPHS = re.compile(r"\n[ \t]*+\n")
_OPTION = re.compile(r"([A-Z])[.)][ \t]+(.*)")
_ANSWER = re.compile(r"ANSWER: ?([A-Z](?: ?[,;&] ?[A-Z])*)[ \t]*")
_FEEDBACK = re.compile(r"(?:FEEDBACK|EXPLANATION)\s*:\s*(.*)", re.IGNORECASE)
# In GIFT a backslash makes a sign plain text. Until the text is parted, private characters stand for such signs.
_ESCAPED = re.compile(r"\\([~=#{}:n\\])")
_HIDDEN = {letter: chr(0xE000 + number) for number, letter in enumerate("~=#{}:n\\")}
_SHOWN = str.maketrans({hidden: "\n" if letter == "n" else letter for letter, hidden in _HIDDEN.items()})
_CATEGORY = re.compile(r"\$CATEGORY:\s*(.*)")
_HEAD = re.compile(r"\s*(?:::(?P<title>[^\n]*?)::)?\s*(?:\[(?P<markup>html|moodle|plain|markdown)\])?\s*", re.DOTALL)
_CHOICE = re.compile(r"(?P<sign>[=~])\s*(?:%(?P<weight>-?\d{1,3}(?:\.\d{1,9})?)%)?(?P<text>[^=~]*)")
_TRUTH = re.compile(r"\s*(?P<said>T|F|TRUE|FALSE)\s*(?:#(?P<rest>.*))?", re.DOTALL | re.IGNORECASE)
_TRUE = ("T", "TRUE")
_NUMBER = re.compile(r"\A\d{1,4}[.)]\s+")
_PATH = ("top", "default")
_WRONG = "answers of a quiz that earn nothing are left out"
_UNANSWERED = "descriptions, which ask nothing"


@dataclass
class _Block:
    """Lines of a file that belong together, and the line that they begin in."""

    line: int
    lines: list[str]
    characters: int = 0
    answered: bool = False  # in Aiken: whether the line of the answer came


class QuizReader:
    """Reads question banks: the text of what is right, and what is said about it, answers."""

    name = "question bank"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """A question with its options in braces (GIFT), or options by letters above a line ANSWER (Aiken)."""
        text = file.head_text
        if text is None or file.suffix not in _SUFFIXES:
            return False
        head = text[:_LOOKED_AT].replace("\r\n", "\n")
        if _AIKEN.search(head) is not None:
            return True
        return _GIFT.search(head) is not None and (file.suffix == ".gift" or _is_gift(head))

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside]:
        """Yield a post for each question."""
        text = (file.head_text or "")[:_LOOKED_AT].replace("\r\n", "\n")
        make, gift = (_aiken_post, False) if _AIKEN.search(text) else (_gift_post, True)
        category = ""
        for block in _blocks(file, options, gift=gift):
            if gift and (match := _CATEGORY.match(block.lines[0])):
                category = _last_part(match[1])
                del block.lines[0]
            if block.characters > options.limits.post_characters:
                yield file.set_aside(f"line {block.line}", post_too_long(options))
                continue
            if not any(line.strip() for line in block.lines):
                continue
            found = make(file, block, options)
            if isinstance(found, SetAside):
                yield found
            elif found is not None:
                title, question, answer = found
                file.log.took("question", "questions of a quiz")
                yield Post(
                    source=file.source,
                    source_id=content_id("", title, question, answer),
                    title=title,
                    question=question,
                    answer=answer,
                    tags=(category,) if category else (),
                )


def _is_gift(text: str) -> bool:
    """Return whether most paragraphs of a text are questions with braces, and not those of a program or of prose."""
    paragraphs = [part for part in _PARAGRAPHS.split(text) if not part.lstrip().startswith(("//", "$CATEGORY"))]
    filled = [part for part in paragraphs if part.strip()]
    lines = [line for line in text.split("\n") if line.strip()]
    if 3 * sum(line.rstrip().endswith(";") for line in lines) > len(lines):
        return False
    return 2 * sum(_GIFT.search(part) is not None for part in filled) > len(filled)


def _blocks(file: ArchiveFile, options: ReadOptions, *, gift: bool) -> Iterator[_Block]:
    """Part a file at blank lines; in GIFT, those within braces part nothing, and neither count comments."""
    block: _Block | None = None
    depth = 0
    for number, line in enumerate(file.lines(options), start=1):
        if line is None:
            raise file.record_over_limit(options, f"line {number}")
        line = line.rstrip("\r\n").lstrip("\ufeff")
        if gift and line.lstrip().startswith("//"):
            continue
        if not line.strip() and depth <= 0:
            if block is not None and (gift or block.answered):
                yield block
                block = None
            continue
        if block is not None and block.answered and _FEEDBACK.match(line.strip()) is None:
            yield block  # another question begins without a blank line before
            block = None
        block = block or _Block(number, [])
        block.characters += len(line)
        if block.characters <= options.limits.post_characters:
            block.lines.append(line)
        if gift:
            plain = _ESCAPED.sub("", line)
            depth = max(0, depth + plain.count("{") - plain.count("}"))
            if block.lines[-1:] == [line] and len(block.lines) == 1 and _CATEGORY.match(line):
                yield block
                block = None
        elif _ANSWER.fullmatch(line.strip()):
            block.answered = True
    if block is not None:
        yield block


def _last_part(path: str) -> str:
    parts = [part.strip() for part in path.replace("\\/", "\0").replace("//", "\0").split("/")]
    named = [part for part in parts if part and not part.startswith("$") and part.lower() not in _PATH]
    return clean_text(named[-1].replace("\0", "/")) if named else ""


def _aiken_post(file: ArchiveFile, block: _Block, options: ReadOptions) -> tuple[str, str, str] | SetAside | None:
    asked: list[str] = []
    choices: dict[str, list[str]] = {}
    right: list[str] = []
    said: list[str] = []
    letter = ""
    for line in (line.strip() for line in block.lines):
        if match := _ANSWER.fullmatch(line):
            right = re.findall("[A-Z]", match[1])
        elif right:
            said.append(match[1] if (match := _FEEDBACK.match(line)) else line)
        elif match := _OPTION.fullmatch(line):
            letter = match[1]
            choices[letter] = [match[2]]
        elif letter:
            choices[letter].append(line)
        else:
            asked.append(line)
    if not right or not asked or not all(one in choices for one in right):
        return file.set_aside(f"line {block.line}", "no question with options and the letter of the right one")
    if len(choices) > len(right):
        file.log.remark(_WRONG)
    answer = "\n\n".join(["\n".join("\n".join(choices[one]) for one in right), *filter(None, ["\n".join(said)])])
    return "", _NUMBER.sub("", clean_text("\n".join(asked))), clean_text(answer)


def _gift_post(file: ArchiveFile, block: _Block, options: ReadOptions) -> tuple[str, str, str] | SetAside | None:
    text = _ESCAPED.sub(lambda match: _HIDDEN[match[1]], "\n".join(block.lines))
    head = _HEAD.match(text)
    assert head is not None  # noqa: S101 - the pattern matches the empty text, too
    html = head["markup"] in ("html", "moodle")
    start = text.find("{", head.end())
    if start < 0:
        file.log.omit(_UNANSWERED)
        return None
    end = text.find("}", start)
    if end < 0:
        return file.set_aside(f"line {block.line}", "a brace that is never closed")
    before, inside, after = text[head.end() : start], text[start + 1 : end], text[end + 1 :]
    inside, _, general = inside.partition("####")
    asked = f"{before.rstrip()} _____ {after.lstrip()}" if after.strip() else before
    try:
        right, said = _right(file, inside)
        question, *others = (_plain(part, options, html=html) for part in (asked, *right, *said, general))
    except TextTooLongError:
        return file.set_aside(f"line {block.line}", post_too_long(options))
    title = " ".join(_plain(head["title"] or "", options, html=False).split())
    if not question:
        return file.set_aside(f"line {block.line}", "options without a question")
    answers = ["\n".join(others[: len(right)]), *others[len(right) :]]
    return title, _NUMBER.sub("", question), "\n\n".join(filter(None, answers))


def _right(file: ArchiveFile, inside: str) -> tuple[list[str], list[str]]:
    """Return the right answers of a question, and what is said of them."""
    inside = inside.strip()
    if truth := _TRUTH.fullmatch(inside):
        said = [part.strip() for part in (truth["rest"] or "").split("#")]
        is_true = truth["said"].upper() in _TRUE
        return ["True" if is_true else "False"], said[1:]  # the first is said of a wrong answer
    numeric = inside.startswith("#")
    inside = inside.removeprefix("#").strip() if numeric else inside
    if inside and inside[0] not in "=~":
        inside = f"={inside}"
    pairs: list[str] = []
    right: list[str] = []
    said = []
    for match in _CHOICE.finditer(inside):
        earns = float(match["weight"]) > 0 if match["weight"] else match["sign"] == "="
        if not earns:
            file.log.remark(_WRONG)
            continue
        given, _, about = match["text"].partition("#")
        given = given.strip()
        if "->" in given:
            pairs.append(" → ".join(part.strip() for part in given.split("->", 1)))
        else:
            right.append(_number(given) if numeric else given)
        said.append(about.strip())
    return pairs or right, said


def _number(text: str) -> str:
    """Write a number with what it may differ by, or a range, as people do."""
    value, _, tolerance = text.partition(":")
    if tolerance.strip(" 0."):
        return f"{value.strip()} ± {tolerance.strip()}"
    return value.strip().replace("..", " – ")


def _plain(text: str, options: ReadOptions, *, html: bool) -> str:
    text = text.translate(_SHOWN)
    if html or re.search(r"</?(?:p|br|b|i|em|strong|ul|ol|li|div|span|sub|sup)\b[^<>]{0,200}>", text):
        text = html_to_text(text, options.limits.post_characters)
    return clean_text("\n".join(line.strip() for line in text.split("\n")))
