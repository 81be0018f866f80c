"""The contract for archive formats: what a reader gets and yields, and the limits that all readers keep."""

from __future__ import annotations

import io
import shutil
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol, cast

from qa_search.archives.encodings import decode_head, decode_text, detect_encoding, open_text
from qa_search.archives.limits import Limits, format_size
from qa_search.errors import ArchiveError, DamagedArchiveError, UnclearFieldsError, UnknownFormatError
from qa_search.types import AnswerPart, Post, SetAside
from qa_search.util.dates import parse_date
from qa_search.util.text import visible

HEAD_BYTES = 1 << 16
_LINE_PIECE = 1 << 16
_MOST_BYTES = 4  # of a character in UTF-8
_MOST_DATE = 100
_MOST_REASON = 300
_MOST_MESSAGE = 2000
_MOST_REMARKS = 20


class UnknownCompressionError(Exception):
    """A member has an unsupported compression."""


class DamagedStreamError(Exception):
    """Compressed bytes are invalid."""


# The errors of unpacking damaged bytes; they are raised after all bytes before the damage.
DAMAGE = (EOFError, zlib.error, zipfile.BadZipFile, DamagedStreamError)
# What stands at the end of the name of a file that is compressed alone.
_PACKED = frozenset((".gz", ".bz2", ".xz", ".zst"))


class OverLimitError(ArchiveError):
    """A file, or something in it, is larger than one of the `Limits`: it is set aside, and the rest is read."""


@dataclass
class ReadingLog:
    """The fields that a reader used in one file; `read_archives` makes a `FileReport` of it.

    A reader calls `took`, `left` and `omit` while it reads, and `remark` for what a person should look at. Posts,
    questions, answers and dates need no call: they are counted from the posts that the reader yields.
    """

    roles: dict[str, Counter[str]] = field(default_factory=dict)
    unused: Counter[str] = field(default_factory=Counter)
    omitted: Counter[str] = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)
    # Set before the first post comes out: no record has an answer, and what to raise, or else to remark, if no other
    # file has them either.
    lacks_answers: bool = False
    # Of such records: no field of theirs asks, so that they may be the answers to what other files ask.
    has_texts_alone: bool = False
    problem: ArchiveError | None = None
    advice: str = ""

    def took(self, role: str, name: str, records: int = 1) -> None:
        """Note the number of records in which a field played a role, such as ``took("question", "Frage")``."""
        if role not in self.roles:
            self.roles[role] = Counter()
        self.roles[role][name] += records

    def left(self, name: str, records: int = 1) -> None:
        """Note the number of records in which a field with text was not used."""
        self.unused[name] += records

    def omit(self, what: str, count: int = 1) -> None:
        """Count what is no part of any post, by its name in the plural, such as ``omit("messages among staff")``."""
        self.omitted[what] += count

    def add(self, other: ReadingLog) -> None:
        """Take over the notes on a part of the file."""
        for role, names in other.roles.items():
            for name, count in names.items():
                self.took(role, name, count)
        for name, count in other.unused.items():
            self.left(name, count)
        for what, count in other.omitted.items():
            self.omit(what, count)
        for remark in other.remarks:
            self.remark(remark)

    def remark(self, text: str) -> None:
        """Note a sentence for a person once; unsafe characters in it are replaced."""
        text = _shown(text)
        if text not in self.remarks and len(self.remarks) < _MOST_REMARKS:
            self.remarks.append(text)


@dataclass(frozen=True)
class ArchiveFile:
    """One stream of bytes: a file, or a member of a container.

    ``container`` is the label of the folder (or of the archive in it) and ``name`` the path below it, so
    ``source`` is the same wherever the folder lies on the machine. ``location`` is for messages.
    """

    container: str
    name: str
    location: str
    opener: Callable[[], BinaryIO]
    encoding: str | None = None  # the requested codec, None to find it from the bytes
    find_sibling: Callable[[str], ArchiveFile | None] | None = field(default=None, compare=False, repr=False)
    unpacked: int = 0  # the number of compressions, such as that of .gz, that the opener undoes

    def open(self) -> BinaryIO:
        """Open the bytes from the start; the caller closes them."""
        return self.opener()

    @cached_property
    def log(self) -> ReadingLog:
        """The fields that its reader uses."""
        return ReadingLog()

    @cached_property
    def head(self) -> bytes:
        """The first 64 KiB, or the bytes before the first damage. Formats are recognised by them."""
        return self._start[0]

    @cached_property
    def _start(self) -> tuple[bytes, bool]:
        """The head, and whether it is the whole file."""
        with self.open() as stream:
            return _beginning(cast(io.BufferedReader, stream), HEAD_BYTES)

    @cached_property
    def head_text(self) -> str | None:
        """The head as text, None if it is not text."""
        return None if self.codec is None else decode_head(self.head, self.codec)

    @cached_property
    def codec(self) -> str | None:
        """The codec of the text: the requested or else the detected one. None if the file is not text."""
        return self.encoding or detect_encoding(self.head)

    def open_text(self, newline: str | None = None) -> io.TextIOWrapper:
        """Open the file as text; closing that closes the bytes below.

        Raises:
            DamagedArchiveError: if the bytes are not text.
        """
        return open_text(self.open(), self._encoding(), newline)

    def read(self, options: ReadOptions) -> bytes:
        """Read the whole file, as one record.

        Raises:
            OverLimitError: if it is longer than a record may be.
        """
        limit = options.limits.record_bytes
        data, is_whole = self._start
        if not is_whole:
            with self.open() as stream:
                # Memory for all that may come is made at once: not for each of a million short pages.
                data = stream.read(min(HEAD_BYTES, limit + 1))
                if len(data) == HEAD_BYTES:
                    data += stream.read(limit + 1 - len(data))
        if len(data) > limit:
            raise self.record_over_limit(options)
        return data

    def read_text(self, options: ReadOptions) -> str:
        """Read the whole file as text, as one record.

        Raises:
            OverLimitError: if it is longer than a record may be.
            DamagedArchiveError: if the bytes are not text.
        """
        return decode_text(self.read(options), self._encoding())

    def lines(self, options: ReadOptions, newline: str | None = None) -> Iterator[str | None]:
        """Yield the file's lines with their ends, None for each that is longer than a record may be.

        Raises:
            DamagedArchiveError: if the bytes are not text.
        """
        limit = options.limits.record_bytes
        with self.open_text(newline) as stream:
            while line := stream.readline(_LINE_PIECE):
                if len(line) == _LINE_PIECE and line[-1] not in "\r\n":
                    yield _rest_of_line(line, stream, limit)
                else:
                    yield line if _MOST_BYTES * len(line) <= limit or utf8_length(line) <= limit else None

    def _encoding(self) -> str:
        encoding = self.codec
        if encoding is None:
            raise self.damaged("binary data where text was expected")
        return encoding

    def with_bytes(self, data: bytes, encoding: str | None) -> ArchiveFile:
        """Return the file with other bytes, such as those of a page in it; what is noted on one is noted on both."""
        inner = replace(self, opener=partial(io.BytesIO, data), encoding=encoding)
        vars(inner)["log"] = self.log
        return inner

    def sibling(self, name: str) -> ArchiveFile | None:
        """Find another file of the same folder or container by name, ignoring case; None if it does not exist."""
        return None if self.find_sibling is None else self.find_sibling(name.lower())

    @cached_property
    def source(self) -> str:
        """The file's name among all sources."""
        return f"{self.container}/{self.name}"

    @cached_property
    def suffix(self) -> str:
        """The last suffix of the name in lower case, without ".gz" and the like: ``.csv`` for ``FAQ.CSV.gz``."""
        path = PurePosixPath(self.name.lower())
        return path.with_suffix("").suffix if path.suffix in _PACKED else path.suffix

    def damaged(self, reason: str, place: str = "") -> DamagedArchiveError:
        """Make the error for a file that cannot be read to its end."""
        reason = _shown(reason)
        return DamagedArchiveError(
            f"{self._at(place)}: {reason}. Nothing was changed. Repair or remove the file, "
            "or build with keep_going=True to index what can be read of it.",
            place=_shown(place),
            reason=reason,
        )

    def withheld(self, error: OSError, remedy: str) -> DamagedArchiveError:
        """Make the error for what the machine cannot read now. It is never set aside: what it holds is still there."""
        reason = _shown(f"cannot be read now ({error.strerror or error})")
        return DamagedArchiveError(f"{self._at('')}: {reason}. Nothing was changed. {remedy}.", reason=reason)

    def unknown(self, reason: str, way_out: str, place: str = "") -> UnknownFormatError:
        """Make the error for a file of unknown format, or without posts."""
        reason = _shown(reason)
        message = f"{self._at(place)}: {reason}. {_shown(way_out, _MOST_MESSAGE)}".rstrip()
        return UnknownFormatError(message, place=_shown(place), reason=reason)

    def unclear(self, reason: str, way_out: str) -> UnclearFieldsError:
        """Make the error for a file whose fields the user must name."""
        reason = f"{_shown(reason)}. {_shown(way_out, _MOST_MESSAGE)}"
        return UnclearFieldsError(f"{self._at('')}: {reason}", reason=reason)

    def over_limit(self, reason: str, place: str = "") -> OverLimitError:
        """Make the error for something that is larger than it may be; the reason names the limit."""
        reason = _shown(reason)
        return OverLimitError(f"{self._at(place)}: {reason}", place=_shown(place), reason=reason)

    def record_over_limit(self, options: ReadOptions, place: str = "") -> OverLimitError:
        """Make the error for a record that is longer than one may be."""
        return self.over_limit(
            f"longer than {format_size(options.limits.record_bytes)} (see Limits.record_bytes)", place
        )

    def post_over_limit(self, options: ReadOptions, place: str = "") -> OverLimitError:
        """Make the error for a post that is longer than one may be."""
        return self.over_limit(post_too_long(options), place)

    def _at(self, place: str) -> str:
        return _shown(f"{self.location}, {place}" if place else self.location, _MOST_MESSAGE)

    def set_aside(self, place: str, reason: str) -> SetAside:
        """Make the note for a post in this file that could not be read."""
        return SetAside(self.source, _shown(place), _shown(reason))


@dataclass(frozen=True)
class Reply:
    """An answer whose question is in another record, of this file or another file in its folder.

    ``parent`` is the question's id as its own table has it. Only `read_archives` and the readers of records see it.

    One without a text says where the answer is: in the record with the id of ``part``, of another file. With a
    ``writer``, it says that this id is another one of ``parent``.

    In messages of a help desk, ``side`` says who speaks, "customer", "staff" or (where only ``writer`` tells them
    apart) "someone", and ``post`` is the message alone: what a customer says first asks, where the ticket does not.
    With ``across``, the messages of a conversation may be in several files: no other conversation has its ``parent``.
    """

    parent: str
    text: str
    part: AnswerPart
    place: str
    side: str = ""
    writer: str = ""
    post: Post | None = None
    across: bool = False


@dataclass(frozen=True)
class ReadOptions:
    """How archives are read.

    ``field_map`` maps a role (question, answer, ...) to a field's name. ``encoding`` is the codec of all text files,
    None to find it from the bytes. ``keep_unanswered`` says that questions without answers are expected. ``comments``
    keeps the comments of a Stack Exchange dump. ``sample`` stops each file after about so many records. ``left_out`` is
    a folder that is not read though it may lie in a source, its path without links: the index that is being built.
    ``names`` has the names of folders, by their paths without links; others are named by the last parts of their paths.
    """

    field_map: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    encoding: str | None = None
    keep_unanswered: bool = False
    comments: bool = False
    sample: int | None = None
    left_out: Path | None = None
    names: Mapping[Path, str] = field(default_factory=dict)


class Reader(Protocol):
    """One archive format. Packages add theirs through the entry-point group ``qa_search.readers``."""

    @property
    def name(self) -> str:
        """The format's name, for people."""

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """Return whether the file has this format, judged by ``file.head`` and ``file.name``."""

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
        """Yield the file's posts in its own order, and a note for each that cannot be read.

        An answer whose question may stand in another file of the folder is a `Reply`.

        Memory must not grow with the file.

        Raises:
            DamagedArchiveError: if the rest of the file cannot be read (use ``file.damaged``).
            UnknownFormatError: if none of its records looks like a post (use ``file.unknown``).
            OverLimitError: if the rest of the file is larger than ``options.limits`` (use ``file.over_limit``).
        """


def post_too_long(options: ReadOptions) -> str:
    """Return the reason for a post over the limit."""
    return f"a post of more than {options.limits.post_characters:,} characters (see Limits.post_characters)"


def require_scratch(file: ArchiveFile, folder: Path, options: ReadOptions, size: int = 0) -> None:
    """Check that the scratch disk has room for ``size`` more bytes of a file.

    Raises:
        DamagedArchiveError: if that is not so.
    """
    free = options.limits.scratch_free
    if shutil.disk_usage(folder).free < free + size:
        raise file.damaged(
            f"unpacking it would leave less than {format_size(free)} free in {folder.parent} (set TMPDIR to a folder "
            "with more room)"
        )


def short_date(text: str, day_first: bool | None = None) -> str | None:
    """Read a date with `parse_date`; None if the text is too long. Invisible characters are replaced."""
    return parse_date(visible(text), day_first) if 0 < len(text) <= _MOST_DATE else None


def utf8_length(text: str) -> int:
    """Count the bytes of a text."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _beginning(stream: io.BufferedReader, most: int) -> tuple[bytes, bool]:
    """Read the first bytes of a stream, up to damage if that comes first; say whether the stream ends there."""
    found = stream.read1(most)
    try:
        while len(found) < most and (piece := stream.read1(most - len(found))):
            found += piece
    except (*DAMAGE, DamagedArchiveError):
        return found, False  # whoever reads on will meet it
    return found, len(found) < most


def _rest_of_line(piece: str, stream: io.TextIOWrapper, limit: int) -> str | None:
    """Read a long line to its end; None if it is over the limit, without holding it in memory."""
    pieces: list[str] = []
    size = 0
    while piece:
        size += utf8_length(piece)
        if size <= limit:
            pieces.append(piece)
        else:
            pieces.clear()
        if piece[-1] in "\r\n":
            break
        piece = stream.readline(_LINE_PIECE)
    return "".join(pieces) if size <= limit else None


def _shown(text: str, most: int = _MOST_REASON) -> str:
    """Return text as one short line that is safe on a terminal."""
    text = visible(text[: most + 1])
    return text if len(text) <= most else f"{text[:most]} …"
