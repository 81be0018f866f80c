"""Labels that people write before questions and answers (``Q:``, ``Frage 3.``, ``**Answer:**``), and what asks."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import takewhile

_QUESTION_WORDS = (
    "question|frage|pregunta|pergunta|domanda|вопрос|问题|問題|提问|质问|質問|질문|pytanie|vraag|fråga|spørgsmål|otázka"
    "|kérdés|soru|întrebare|kysymys|küsimus|питання|въпрос|ερώτηση|ερ|سؤال|السؤال|پرسش|שאלה|प्रश्न|คำถาม|hỏi|câu hỏi"
    "|pertanyaan|ques|fr(?=\\.)|pyt(?=\\.)"
)
_ANSWER_WORDS = (
    "answer|ans|antwort|respuesta|resposta|risposta|réponse|reponse|ответ|答案|回答|解答|답변|답|odpowiedź|antwoord|svar"
    "|odpověď|válasz|cevap|yanıt|răspuns|vastaus|vastus|відповідь|отговор|απάντηση|απ|جواب|الجواب|پاسخ|תשובה|उत्तर|คำตอบ|đáp"
    "|trả lời|jawaban|antw(?=\\.)|odp(?=\\.)"
)
# Letters that mean one thing in one language and the opposite in another: a text keeps to one couple.
_LETTERS = (
    ("Q", "A"),
    ("F", "A"),
    ("Q", "R"),
    ("P", "R"),
    ("D", "R"),
    ("В", "О"),
    ("V", "A"),
    ("P", "O"),
    ("F", "S"),
    ("S", "C"),
    ("K", "V"),
    ("س", "ج"),
    ("ש", "ת"),
    ("문", "답"),
    ("问", "答"),
    ("問", "答"),
)
# Who speaks, or what stands beside what, in transcripts and lists; in other texts these words begin something else.
_COUPLES = (
    ("patient(?:in)?", "doctor|dr|physician|arzt|ärztin"),
    (
        "customer|client|caller|user|member|human|kund(?:e|in)",
        "agent|support|advisor|assistant|bot|operator|berater(?:in)?",
    ),
    ("problem|issue|symptom|complaint|störung", "solution|resolution|fix|remedy|lösung"),
    ("question|query|enquiry|inquiry|request", "reply|response"),
    (
        r"(?:special )?interrogatory(?: no\.)?|request(?: for \w+)? no\.",
        "(?:response|answer)(?: to (?:interrogatory|request)(?: no\\.)?)?",
    ),
)
# Letters that a point may follow: others number the items of a list.
_POINTED = "QAPRD"
_MOST_NUMBER = r"(?:#\s?)?\d{1,4}(?:\.\d{1,3})?"
_TO_FULL_WIDTH = 0xFEE0  # from a letter to the wide one that Japanese and Chinese texts have
# Whose it is, in newspapers and minutes: "Our answer", "Question from Mrs Reed:".
_WHOSE = "(?:(?:our|your|reader(?:['’]?s|s['’])?|listener(?:['’]s)?|viewer(?:['’]s)?)\\s+)"
_BY_WHOM = r"\s(?:(?:from|by)\s[^:：]{1,40}|\([^()\n]{1,40}\))"
_MOST_ALONE = 40
_MOST_HEADER_LINES = 12
_HEADER_LINE = re.compile(r"[^\W\d_][\w -]{1,30}:\s+\S")
# A line that begins, behind marks, with a letter that begins no word.
_LETTER_ALONE = re.compile(r"[\s#*•>_\[(【-]*([^\W\d_])(?![^\W\d_])")
_MOST_LINE = 10_000  # characters of a line that are looked at for a label
_ASKS = re.compile(r"[?？؟⁇‽][\s\"'”’»)\]*_.!?]*$")
_GREEK = re.compile("[\u0370-\u03ff\u1f00-\u1fff]")
_OPENERS = re.compile(
    r"(?:how|what|why|when|where|who|which|whose|can|could|do|does|did|is|are|am|was|were|should|shall|will|would|may|must"
    r"|has|have|wie|was|warum|wieso|weshalb|wann|wo|wer|welche[rsmn]?|kann|können|darf|muss|ist|sind|gibt es|comment"
    r"|pourquoi|quand|où|qui|quel(?:le)?s?|combien|est-ce|puis-je|cómo|como|qué|por qué|cuándo|dónde|quién|cuál|puedo"
    r"|come|cosa|perché|quando|dove|posso)\b",
    re.IGNORECASE,
)
# What numbers and marks a question in a list of them.
_NUMBERING = re.compile(
    rf"^\s*(?:[Qq]{_MOST_NUMBER}\s*[:.)\-–—]?\s+|\(?\d{{1,3}}(?:\.\d{{1,3}})*[.):]?\s+|\[\d{{1,3}}\]\s*|\d{{1,3}}(?:\.\d{{1,3}})*[.)]\s*|[IVXLC]{{1,7}}[.)]\s+)"
)
_BULLET = re.compile(r"^\s*[-–—•*]\s+")
_FAQ = re.compile(
    r"\bfaqs?\b|frequently[\s_-]+asked|\bq\s?(?:&|and|&amp;|n)\s?as?\b|\bquestions?\s+(?:and|&)\s+answers?\b|\bcommon\s+questions\b|^\s*questions\s*$"
    r"|häufige(?:\s+|[\w\s]*\s)fragen|fragen und antworten|häufig gestellte|foire aux questions|questions fréquentes"
    r"|preguntas (?:más )?frecuentes|perguntas frequentes|domande frequenti|часто задаваемые|вопросы и ответы|常见问题"
    r"|常見問題|よくある質問|자주 묻는 질문|veelgestelde vragen|często zadawane",
    re.IGNORECASE,
)
# A line that begins an answer below what was asked: "Answer" alone, "Answer:", "Doctor's answer:", "Ответ врача: ...".
_ANSWER_LINE = re.compile(
    rf"[\W_]*(?i:(?:(?:the|our|die|unsere|la|notre|[\w.-]+['’]s) )?(?:{_ANSWER_WORDS})(?: (?:[^\W\d_]+\.?)){{0,3}})\s*"
    r"(?:\*\*|__)?[:：](?:\*\*|__)?\s*(?P<rest>.*)"
)
_ANSWER_ALONE = re.compile(rf"[\W_]*(?i:{_ANSWER_WORDS})[\W_]*")
# What stands below the last answer of a page.
_FOOTER = re.compile(
    r"\W*(?:©|\(c\) |copyright\b|all rights reserved|last (?:updated|modified|changed|revised)\b|page last |powered by "
    r"|stand:|letzte änderung|zuletzt (?:aktualisiert|geändert)|dernière mise à jour|última actualización).*",
    re.IGNORECASE,
)


@dataclass
class LabelledPair:
    """A question and its answer, line by line, and the line that it begins in (1 is the first)."""

    line: int
    question: list[str] = field(default_factory=list)
    answer: list[str] = field(default_factory=list)
    characters: int = 0

    def add(self, line: str, most: int, *, to_answer: bool) -> None:
        """Add a line; nothing more is held of a pair from where it has more than so many characters."""
        self.characters += len(line)
        if self.characters <= most:
            (self.answer if to_answer else self.question).append(line)


class Labels:
    """The labels of questions and answers in one text, all of one language where letters are used."""

    def __init__(self, question: str, answer: str) -> None:
        """Take the letters that stand for the words, or two words that stand for all others."""
        in_words = len(question) > 1
        self._question = _label(question, "") if in_words else _label(_QUESTION_WORDS, question)
        self._answers = (answer, "") if in_words else (_ANSWER_WORDS, answer)

    @cached_property
    def _answer(self) -> re.Pattern[str]:
        """The labels of answers; most texts ask nothing, and so never need them."""
        return _label(*self._answers)

    def of(self, line: str) -> tuple[str, str] | None:
        """Return ("question" or "answer", the rest of the line) for a line that begins with a label."""
        if not line or line.isspace():
            return None
        start = line[:_MOST_LINE]
        if match := self._question.match(start):
            return "question", line[match.end() :].strip(" \t*_|")
        if match := self._answer.match(start):
            return "answer", line[match.end() :].strip(" \t*_|")
        return None

    def _asks(self, line: str) -> bool:
        return self._question.match(line[:_MOST_LINE]) is not None

    def pairs(self, lines: Iterable[str], most: int = sys.maxsize) -> Iterator[LabelledPair]:
        """Yield the pairs of a text; text before the first question is skipped."""
        pair: LabelledPair | None = None
        in_answer = False
        for number, line in enumerate(lines, start=1):
            if pair is None and not self._asks(line):
                continue
            kind, rest = self.of(line) or ("", line.rstrip())
            if kind == "question":
                if pair is not None:
                    yield pair
                pair, in_answer = LabelledPair(number), False
            elif kind == "answer" and pair is not None:
                in_answer = True
            if pair is not None:
                pair.add(rest, most, to_answer=in_answer)
        if pair is not None:
            yield pair


def _label(words: str, letter: str) -> re.Pattern[str]:
    number = rf"(?:\s*{_MOST_NUMBER})?"
    bold = r"\s*(?:\*\*|__)?\s*"
    end = rf"{bold}(?:[:：]|(?<=\d)[.)．）]|(?<=\d)\s[-–—]\s){bold}"
    word = rf"(?i:{words}){number}(?:\.?{end}|\s*[.)]\s*(?:\*\*|__)?\s+|\s*(?:\*\*|__)?\s*$)"
    colon = f"{bold}[:：]{bold}"
    word = rf"{word}|(?i:{_WHOSE}(?:{words}))(?:{colon}|\s*$)|(?i:{_WHOSE}?(?:{words}){_BY_WHOM}){colon}"
    before = r"\s*(?:#{1,6}\s+|[-*•>]\s+)?(?:\*\*|__|\*|_)?\s*"
    named = rf"(?i:{words})"
    if not letter:
        return re.compile(rf"{before}(?:{word}|[\[(【]{named}{number}[\])】]{bold}[:：]?{bold})")
    wide = _wide(letter)
    letters = rf"[{letter}{wide}]"
    bracketed = rf"[\[(【](?:{named}|{letters}){number}[\])】]{bold}[:：]?{bold}"
    # A letter alone before a dot or a bracket may number a list's items: only some are taken.
    dotted = rf"|{letter}[.)](?:\*\*|__|\*|_)?\s+|{wide}[．）]" if letter in _POINTED or not letter.isascii() else ""
    short = rf"{letters}{number}{end}|{letters}\s?(?:>|[-–—](?=\s)){bold}{dotted}"
    return re.compile(rf"{before}(?:{word}|{bracketed}|{short})")


def _wide(letter: str) -> str:
    return chr(ord(letter) + _TO_FULL_WIDTH) if letter.isascii() else letter


@cache
def _labels(question: str, answer: str) -> Labels:
    return Labels(question, answer)


_COMMON = (Labels("Q", "A"), Labels("F", "A"))


def find_labels(lines: list[str]) -> Labels | None:
    """Find the labels that a text uses; None if it has no labelled questions and answers.

    There are at least two pairs, or there is one that the text begins with.
    """
    if len(lines) <= 1:
        return None
    best: Labels | None = None
    most = 0
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    # Lines such as "Subject: ..." may stand above.
    first += sum(1 for _ in takewhile(_HEADER_LINE.match, lines[first : first + _MOST_HEADER_LINES]))
    alone = {found[1] for line in lines if (found := _LETTER_ALONE.match(line[:_MOST_LINE]))}
    has_words_alone = False
    for question, answer in (*_LETTERS, *_COUPLES):
        if len(question) == 1 and alone.isdisjoint((question, answer, _wide(question), _wide(answer))):
            # Only words can be its labels: the same ones as those of the other couples of letters.
            if has_words_alone:
                continue
            has_words_alone = True
        labels = _labels(question, answer)
        complete = [pair for pair in labels.pairs(lines) if any(pair.question) and any(pair.answer)]
        starts_with_one = bool(complete) and complete[0].line <= first + 6
        if len(complete) > most and (len(complete) > 1 or starts_with_one):
            best, most = labels, len(complete)
    return best


def asks(title: str) -> bool:
    """Return whether a heading ends with a question mark."""
    return _ASKS.search(title) is not None or _is_greek_question(title)


def _is_greek_question(title: str) -> bool:
    """Return whether a text in Greek letters ends with the mark that Greek has for questions, a semicolon."""
    return title.rstrip(' \t*_»"”)').endswith((";", "\u037e")) and 2 * len(_GREEK.findall(title)) > sum(
        map(str.isalpha, title)
    )


def seems_to_ask(title: str) -> bool:
    """Return whether a heading is a question, judged by its mark or first word."""
    return asks(title) or _OPENERS.match(bare_question(title)) is not None


def names_faq(title: str) -> bool:
    """Return whether a title announces questions and answers."""
    return _FAQ.search(title.replace("_", " ").replace("-", " ")) is not None


def bare_question(title: str) -> str:
    """Remove numbering, labels and link marks from a question."""
    title = _BULLET.sub("", title.strip().strip("¶#🔗")).strip(" *_\t")
    for labels in _COMMON:
        found = labels.of(title)
        if found and found[0] == "question" and found[1]:
            title = found[1]
            break
    return _NUMBERING.sub("", title, count=1).strip() or title.strip()


def bare_answer(text: str) -> str:
    """Remove the label from an answer."""
    return without_label(text, "answer")


def without_label(text: str, kind: str) -> str:
    """Remove the label from a text, a "question" or an "answer"."""
    first, _, rest = text.partition("\n")
    found = _COMMON[0].of(first)
    if found is None or found[0] != kind:
        return text.strip()
    return f"{found[1]}\n{rest}".strip()


def part_at_answer(text: str, *, alone: bool) -> tuple[str, str] | None:
    """Part a text at its line that begins the answer: (what is asked above it, the answer); None without one.

    ``alone`` takes only a line that says Answer and nothing else.
    """
    lines = text.split("\n")
    for number, line in enumerate(lines):
        found = None if alone or len(line) > _MOST_LINE else _ANSWER_LINE.match(line)
        if found is None and (len(line) > _MOST_ALONE or not _ANSWER_ALONE.fullmatch(line)):
            continue
        above = "\n".join(lines[:number]).strip()
        below = "\n".join([found["rest"] if found else "", *lines[number + 1 :]]).strip()
        return (above, below) if above and below else None
    return None


def above_footer(answer: str) -> str:
    """Cut what stands below the last answer of a text: whose text this is, and when it was changed."""
    parts = answer.split("\n\n")
    end = next((number for number, part in enumerate(parts) if number and _FOOTER.fullmatch(part.split("\n")[0])), None)
    return answer if end is None else "\n\n".join(parts[:end]).rstrip(" \n-*_")
