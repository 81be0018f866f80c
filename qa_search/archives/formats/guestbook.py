"""A guestbook (a date above each entry, the owner's comment below some) in a text -> a post for each entry."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from qa_search.archives.base import ArchiveFile, ReadOptions, post_too_long, short_date
from qa_search.archives.formats.found_dates import find_date
from qa_search.archives.formats.record_heads import RULE
from qa_search.archives.formats.records import content_id
from qa_search.types import Post, SetAside
from qa_search.util.dates import day_order
from qa_search.util.text import clean_text, counted

_SUFFIXES = ("", ".txt", ".text")
_REPLY = re.compile(
    r"\s*[*_\[(>-]{0,3}\s*(?:"
    r"(?:owner|admin|administrator|webmaster|host|moderator|site owner|betreiber|inhaber|gastgeber)(?:['’]?s)?"
    r"(?:[ -](?:comment|kommentar|reply|antwort|answer|response|anmerkung|note))?"
    r"|comment|kommentar|reply|antwort|answer|response|anmerkung|réponse|commentaire|respuesta|comentario|risposta"
    r"|commento|antwoord|reactie|svar|kommentti|odpowiedź|ответ"
    r")(?: (?:of|by|from|to|des|der|vom|von|du|de|del|van)\b[^:\n]{1,40})?[*_\])]{0,3}\s*[:：]\s*(?P<rest>.*)",
    re.IGNORECASE,
)
_FIELD = re.compile(r"\s*(?P<name>[^\W\d_][\w /.-]{0,20}?)\s*[:：]\s+(?P<value>\S.*)")
_TEXT_FIELDS = frozenset(
    (
        "message",
        "nachricht",
        "text",
        "entry",
        "eintrag",
        "beitrag",
        "mensaje",
        "messaggio",
        "bericht",
        "melding",
        "inhalt",
    )
)
_NAME_FIELDS = frozenset(("name", "from", "von", "nom", "nombre", "nome", "naam", "author", "autor", "by", "visitor"))
_AROUND = re.compile(
    r"\b(?:wrote|writes|posted|schrieb|schreibt|on|am|at|um|uhr|by|von|le|à|el|il|op|om|h|date|datum|entry|eintrag|no|nr)\b"
    r"|#?\s?\d+\s?[.):]|[^\w\s'.-]",
    re.IGNORECASE,
)
_MOST_HEAD, _MOST_NAME_WORDS = 120, 4
_MOST_FIELDS = 6
_FEWEST_ENTRIES, _FEWEST_REPLIES = 3, 2
_ALIKE = 0.8


@dataclass
class _Entry:
    line: int
    date: str
    author: str = ""
    text: list[str] = field(default_factory=list)
    reply: list[str] | None = None


class GuestbookReader:
    """Reads a text of dated entries, some of which the owner comments on."""

    name = "guestbook"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """Three entries or more below lines that have a date at the same place, and two comments or more."""
        text = file.head_text
        return text is not None and file.suffix in _SUFFIXES and bool(_find(clean_text(text).split("\n")))

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside]:
        """Yield a post for each entry.

        Raises:
            UnknownFormatError: if the text goes on as another one.
        """
        found = guestbook_posts(file, clean_text(file.read_text(options)).split("\n"), options)
        if not found:
            raise file.unknown(
                "a guestbook at first, and few entries with a date in all of the text",
                "Write Q: before each entry and A: before each comment on it.",
            )
        yield from found


def guestbook_posts(file: ArchiveFile, lines: Sequence[str], options: ReadOptions) -> list[Post | SetAside]:
    """Make a post of each entry of a guestbook; return an empty list if the lines are not a guestbook."""
    entries = _find(lines)
    order = day_order(entry.date for entry in entries)
    found: list[Post | SetAside] = []
    for entry in entries:
        question, answer = ("\n".join(part or []).strip() for part in (entry.text, entry.reply))
        date = short_date(entry.date, order) or (find_date(entry.date) or ("", None))[1]
        if len(question) + len(answer) > options.limits.post_characters:
            found.append(file.set_aside(f"line {entry.line}", post_too_long(options)))
            continue
        found.append(
            Post(
                source=file.source,
                source_id=content_id(date or "", "", question, answer),
                question=question,
                answer=answer,
                date=date,
                author=entry.author or None,
            )
        )
    if found:
        replies = sum(entry.reply is not None for entry in entries)
        file.log.took("question", "entry of a guestbook", len(entries))
        file.log.took("answer", "comment below it", replies)
        said = f"{counted(replies, 'comment')} on {counted(len(entries), 'entry', 'entries')} of a guestbook"
        file.log.remark(f"{said} are read as answers")
    return found


def _find(lines: Sequence[str]) -> list[_Entry]:
    """Part lines into entries; return an empty list unless several are found, and several comments."""
    heads = {number: found for number, line in enumerate(lines) if (found := entry_head(line))}
    kinds = Counter(kind for kind, _, _ in heads.values())
    if not kinds:
        return []
    kind = kinds.most_common(1)[0][0]
    starts = [number for number, found in heads.items() if found[0] == kind]
    if len(starts) < _FEWEST_ENTRIES:
        return []
    entries: list[_Entry] = []
    begun = [_above(lines, number) for number in starts]
    for at, number in enumerate(starts):
        end = begun[at + 1] if at + 1 < len(starts) else len(lines)
        _, date, author = heads[number]
        entries.append(_entry(lines, begun[at], number, max(end, number + 1), date, author))
    with_text = sum(any(line.strip() for line in entry.text) for entry in entries)
    replies = sum(bool(entry.reply and any(entry.reply)) for entry in entries)
    return entries if with_text >= _ALIKE * len(entries) and replies >= _FEWEST_REPLIES else []


def entry_head(line: str) -> tuple[str, str, str] | None:
    """Read the line above an entry: (where its date stands, the date, the name beside it); None for another line."""
    text = line.strip()
    if not text or len(text) > _MOST_HEAD or not any(map(str.isdigit, text)) or text.endswith(("?", "!")):
        return None
    value = named["value"] if (named := _FIELD.fullmatch(text)) else text
    shown = value if (whole := short_date(value)) else (find_date(text) or ("", ""))[0]
    if not shown:
        return None
    rest = "" if whole else " ".join(_AROUND.sub(" ", text.replace(shown, " ")).split()).strip(" .-'")
    if len(rest.split()) > _MOST_NAME_WORDS:
        return None
    place = text.find(shown)
    ends = not re.search(
        r"\w", re.sub(r"\b(?:uhr|h|wrote|schrieb)\b", "", text[place + len(shown) :], flags=re.IGNORECASE)
    )
    field_name = named["name"].lower() if named and whole else ""
    return field_name or ("start" if not place else "end" if ends else "within"), shown, clean_text(rest)


def _above(lines: Sequence[str], number: int) -> int:
    """Return where the fields begin that stand right above the line with the date."""
    start = number
    while (
        start
        and number - start < _MOST_FIELDS
        and _FIELD.fullmatch(lines[start - 1])
        and not _REPLY.match(lines[start - 1])
    ):
        start -= 1
    return start


def _entry(lines: Sequence[str], start: int, head: int, end: int, date: str, author: str) -> _Entry:
    entry = _Entry(head + 1, date, author)
    in_head = True
    for number in range(start, end):
        line = lines[number]
        if number == head or (RULE.fullmatch(line) and line.strip()):
            continue
        named = _FIELD.fullmatch(line) if in_head and number - head <= _MOST_FIELDS else None
        name = named["name"].lower() if named else ""
        if named and name in _NAME_FIELDS:
            entry.author = entry.author or clean_text(named["value"])
        elif named and name in _TEXT_FIELDS:
            entry.text.append(named["value"])
            in_head = False
        elif (found := _REPLY.match(line)) and entry.text and entry.reply is None:
            entry.reply = [found["rest"]]
        elif found and not entry.text and in_head:
            entry.text.append(found["rest"])  # what the entry itself is called
            in_head = False
        elif named and number != head:
            continue  # an address, a place
        elif line.strip() or entry.text:
            in_head = False
            (entry.text if entry.reply is None else entry.reply).append(line)
    return entry
