"""SQL dumps (mysqldump, pg_dump, sqlite3 .dump): their INSERT and COPY statements, read, never executed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply
from qa_search.archives.formats.scratch_tables import MOST_COLUMNS, ScratchTables, scratch_tables
from qa_search.archives.formats.sqlite_tables import posts_in_database
from qa_search.types import Post, SetAside
from qa_search.util.text import counted

_START = re.compile(
    r"^[ \t]*+(?:CREATE\s+TABLE|INSERT\s+(?:IGNORE\s+)?INTO|COPY\s+\S+\s*\(.*\)\s+FROM\s+stdin)\b",
    re.IGNORECASE | re.MULTILINE,
)
_NAME = r'(?:`(?:[^`]|``)+`|"(?:[^"]|"")+"|\[[^\]]+\]|[\w$]+)'
_QUALIFIED = rf"(?:{_NAME}\s*\.\s*)*({_NAME})"
_CREATE = re.compile(
    rf"\s*CREATE\s+(?:TEMP(?:ORARY)?\s+|UNLOGGED\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?{_QUALIFIED}\s*\(", re.IGNORECASE
)
_INSERT = re.compile(
    rf"\s*(?:INSERT|REPLACE)\s+(?:(?:IGNORE|DELAYED|LOW_PRIORITY|OR\s+\w+)\s+)*(?:INTO\s+)?{_QUALIFIED}\s*(?:\(([^()]*)\))?"
    r"\s*(?:OVERRIDING\s+\w+\s+VALUE\s*)?VALUES?\s*",
    re.IGNORECASE,
)
_COPY = re.compile(rf"\s*COPY\s+{_QUALIFIED}\s*\(([^()]*)\)\s+FROM\s+stdin\b[^;]*;", re.IGNORECASE)
# What a statement begins with that need not follow a semicolon.
_BEGINS = re.compile(r"(?:INSERT\s+(?:INTO\s+)?\[|SET\s+IDENTITY_INSERT\b)", re.IGNORECASE)
_COLUMN = re.compile(rf"\s*({_NAME})")
_NO_COLUMN = re.compile(
    r"\s*(?:PRIMARY|UNIQUE|KEY|INDEX|CONSTRAINT|FOREIGN|CHECK|FULLTEXT|SPATIAL|EXCLUDE)\b", re.IGNORECASE
)
# One value of a row: a string, or anything up to the comma or bracket behind it.
_STRING = re.compile(r"\s*([EeNnXxBb]|_[a-z0-9]+\s*|(?i:DATE|TIMESTAMP)\s+)?'((?>[^'\\]++|\\.|'')*+)'", re.DOTALL)
_STANDARD_STRING = re.compile(r"\s*([EeNnXxBb]|(?i:DATE|TIMESTAMP)\s+)?'((?>[^']++|'')*+)'", re.DOTALL)
_WORD = re.compile(r"[^,()']*+(?>\((?>[^()']|'[^']*')*+\)[^,()']*+)*+")
# A function whose result is text: its name.
_CALL = re.compile(r"\s*(replace|unistr|char|cast|convert|to_date|to_timestamp|to_clob)\s*\(", re.IGNORECASE)
_MOST_CALLS = 8
_MOST_ADDED = 1 << 20  # characters that a function may add to a text
_SHORTEST_HEX = 4
_UNISTR = re.compile(r"\\(?:\\|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|\+([0-9a-fA-F]{6})|([0-9a-fA-F]{4}))")
_ORACLE_DATE = re.compile(r"(\d{1,2})-([A-Za-z]{3})-(\d\d)(?!\d)")  # as DD-MON-RR has it
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "b": "\b", "Z": "\x1a"}
_COPY_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v"}
_ESCAPE = re.compile(r"\\(.)|''", re.DOTALL)
_READ_AT_ONCE = 1 << 16


class SqlDumpReader:
    """Reads the tables of an SQL dump into a scratch database, and then the posts from it."""

    name = "SQL dump"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """Statements that make or fill tables, or the name."""
        text = file.head_text
        return (
            text is not None
            and (file.suffix == ".sql" or (_START.search(text) is not None and ";" in text))
            and (file.suffix in (".sql", ".dump", ".txt", ""))
        )

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
        """Yield a post per row, or per question of tables that belong together.

        Raises:
            UnknownFormatError: if no table has questions and answers that can be recognised.
            DamagedArchiveError: where a statement is broken.
        """
        with scratch_tables(file, options) as tables:
            yield from _Loader(file, tables, options).load()
            tables.rows.commit()
            yield from posts_in_database(file, tables.path, options)


class _Loader:
    """Fills the scratch database from a dump's statements."""

    def __init__(self, file: ArchiveFile, tables: ScratchTables, options: ReadOptions) -> None:
        self._file = file
        self._tables = tables
        self._options = options
        self._columns: dict[str, list[str]] = {}
        # MySQL's backslashes are escapes; in standard SQL they are not, but in a string that begins with E.
        head = file.head_text or ""
        self._escapes = "`" in head or "mysql" in head.lower() or "mariadb" in head.lower() or "\\'" in head

    def load(self) -> Iterator[SetAside]:
        lines = _Statements(self._file, self._options, self._escapes)
        for place, statement in lines:
            if statement is None:
                yield self._file.set_aside(place, self._file.record_over_limit(self._options).reason)
            elif match := _CREATE.match(statement):
                self._columns[_plain(match[1])] = _columns(statement[match.end() :])
            elif match := _COPY.match(statement):
                columns = [_plain(name) for name in match[2].split(",")]
                for line in lines.copied():
                    self._tables.add(_plain(match[1]), columns, [_copied(value) for value in line.split("\t")])
            elif match := _INSERT.match(statement):
                table = _plain(match[1])
                columns = [_plain(name) for name in match[2].split(",")] if match[2] else self._columns.get(table, [])
                problem = self._insert(table, columns, statement, match.end())
                if problem:
                    yield self._file.set_aside(place, problem)

    def _insert(self, table: str, columns: list[str], statement: str, position: int) -> str:
        """Store the rows of an INSERT; return what is wrong with it, if anything."""
        while position < len(statement):
            position = _skip(statement, position, " \t\r\n,")
            if position >= len(statement) or statement[position] != "(":
                return ""  # ON CONFLICT and the like
            row, position = self._row(statement, position + 1)
            if row is None:
                return f"a row of table {table[:100]} that cannot be read"
            names = columns or [f"column {number}" for number in range(1, len(row) + 1)]
            if len(row) != len(names):
                return f"{counted(len(row), 'value')} where table {table[:100]} has {counted(len(names), 'column')}"
            self._tables.add(table, names, row)
        return ""

    def _row(self, text: str, position: int, depth: int = 0) -> tuple[list[str | None] | None, int]:
        values: list[str | None] = []
        string = _STRING if self._escapes else _STANDARD_STRING
        while position < len(text) and len(values) <= MOST_COLUMNS:
            if match := string.match(text, position):
                binary = (match[1] or "").strip().lower() in ("x", "b")
                values.append(_from_hex(match[2]) if binary else self._unescaped(match[1], match[2]))
                position = match.end()
                while (more := _WORD.match(text, position)) and more.end() > position:
                    position = more.end()  # a cast, or a character set
            elif (call := _CALL.match(text, position)) and depth < _MOST_CALLS:
                given, position = self._row(text, call.end(), depth + 1)
                if given is None:
                    return None, position
                values.append(_result(call[1].lower(), given))
                if (more := _WORD.match(text, position)) and more.end() > position:
                    position = more.end()
            else:
                word = _WORD.match(text, position)
                end = word.end() if word else position
                plain = text[position:end].strip()
                if plain[:2].lower() == "0x" and len(plain) > _SHORTEST_HEX:
                    values.append(_from_hex(plain[2:]))
                else:
                    values.append(None if plain.upper() == "NULL" or not plain else plain)
                position = end
            if position < len(text) and text[position] == ",":
                position += 1
            elif position < len(text) and text[position] == ")":
                return values, position + 1
            else:
                return None, position
        return None, position

    def _unescaped(self, prefix: str | None, text: str) -> str:
        if not (self._escapes or (prefix or "").lower() == "e"):
            return text.replace("''", "'")
        return _ESCAPE.sub(lambda found: "'" if found[1] is None else _ESCAPES.get(found[1], found[1]), text)


class _Statements:
    """A dump's statements, each with the line it begins in; None for one that is longer than a record may be."""

    def __init__(self, file: ArchiveFile, options: ReadOptions, escapes: bool) -> None:
        self._lines = enumerate(file.lines(options), start=1)
        self._limit = options.limits.record_bytes
        self._marks = re.compile(r"\\.|--(?=[ \t])|('|\$\w*\$)" if escapes else r"--(?=[ \t])|('|\$\w*\$)")

    def __iter__(self) -> Iterator[tuple[str, str | None]]:
        held = StringIO()  # a list of short lines would take ten times their size
        size = start = 0
        quote = ""  # what ends the string that the line begins in
        for number, line in self._lines:
            if line is not None and not quote:
                if _is_aside(line, within=bool(size)):
                    continue
                # SQL Server's scripts end statements with a line of their own, or not at all.
                if size and (_is_go(line) or _BEGINS.match(line)):
                    yield f"line {start}", held.getvalue() if size <= self._limit else None
                    held, size = StringIO(), 0
                if _is_go(line):
                    continue
            if not size:
                start = number
            size += self._limit + 1 if line is None else len(line)
            text = line or ""
            held.write(text)
            if size > self._limit:
                held = StringIO()
            quote = self._quote_after(text, quote)
            if line is None or (not quote and text.rstrip().endswith(";")):
                yield f"line {start}", held.getvalue() if size <= self._limit else None
                held, size, quote = StringIO(), 0, ""
        if size:
            yield f"line {start}", held.getvalue() if size <= self._limit else None

    def _quote_after(self, line: str, quote: str) -> str:
        """Return the quotation mark that ends the string in which the next line begins; "" outside of strings."""
        if quote in ("", "'") and "--" not in line and "$" not in line:
            odd = sum(1 for match in self._marks.finditer(line) if match[1]) % 2 == 1
            return "'" if odd ^ bool(quote) else ""
        position = 0
        while match := self._marks.search(line, position):
            position = match.end()
            mark = match[1]
            if mark is None:
                if not quote and match[0] == "--":
                    return ""  # a comment, up to the line's end
            elif not quote:
                quote = mark
            elif mark == quote:
                quote = ""
            elif mark != "'":
                position = match.start() + 1  # the end of one may be the beginning of what looks like another
        return quote

    def copied(self) -> Iterator[str]:
        r"""Yield the lines of data behind a COPY, up to ``\.``."""
        for _, line in self._lines:
            text = (line or "").rstrip("\r\n")
            if text == "\\.":
                return
            if line is not None:
                yield text


def _is_aside(line: str, *, within: bool) -> bool:
    """Return whether a line is blank, a comment or a command of the client program; ``within`` a statement or not."""
    start = line.lstrip()
    return start.startswith("--") or (not within and (not start or start.startswith(("#", "/*", "\\"))))


def _is_go(line: str) -> bool:
    return line.strip().upper() == "GO"


def _result(name: str, given: list[str | None]) -> str | None:
    """Return the text that a function gives."""
    texts = [value or "" for value in given]
    if name == "replace" and len(texts) == len(("text", "old", "new")):
        text, old, new = texts
        longer = text.count(old) * len(new) if old else 0
        return text.replace(old, new) if old and longer <= _MOST_ADDED else text
    if name == "char":
        numbers = [int(text) for text in texts if text.isascii() and text.isdecimal() and len(text) <= 7]
        return "".join(chr(number) for number in numbers if number < 0x110000)
    if name == "unistr":
        return _UNISTR.sub(_character, texts[0]) if texts else None
    if name in ("to_date", "to_timestamp"):
        return _ORACLE_DATE.sub(r"\1 \2 20\3", texts[0]) if texts else None
    if name == "convert":
        return given[1] if len(given) > 1 else None
    return given[0] if given else None


def _character(found: re.Match[str]) -> str:
    digits = next(filter(None, found.groups()), None)
    number = ord("\\") if digits is None else int(digits, 16)
    return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else "\ufffd"


def _from_hex(digits: str) -> str | None:
    """Read bytes that are text; None for others, such as pictures."""
    try:
        return bytes.fromhex(digits).decode("utf-8")
    except ValueError:
        return None


def _columns(text: str) -> list[str]:
    """Read the names of a table's columns from what stands within the brackets of its CREATE TABLE."""
    names = []
    depth = start = 0
    for match in re.finditer(r"'(?:[^'\\]|\\.|'')*'|`[^`]*`|[(),]", text):
        if match[0] == "(":
            depth += 1
        elif match[0] == ")":
            depth -= 1
        if (match[0] == "," and depth == 0) or depth < 0:
            part = text[start : match.start()]
            name = _COLUMN.match(part)
            if name and not _NO_COLUMN.match(part):
                names.append(_plain(name[1]))
            start = match.end()
            if depth < 0 or len(names) >= MOST_COLUMNS:
                break
    return names


def _copied(value: str) -> str | None:
    """Read a value of a COPY statement's data."""
    if value == "\\N":
        return None
    if "\\" not in value:
        return value
    return re.sub(r"\\(.)", lambda found: _COPY_ESCAPES.get(found[1], found[1]), value)


def _plain(name: str) -> str:
    """Remove the quotes from a name."""
    name = name.strip()
    return name[1:-1] if name[:1] in '`"[' and len(name) > 1 else name


def _skip(text: str, position: int, characters: str) -> int:
    while position < len(text) and text[position] in characters:
        position += 1
    return position
