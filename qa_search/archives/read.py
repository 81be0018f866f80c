"""Archives -> posts: every source walked, unpacked, recognised from its content and read as a stream.

A format is one reader in one file. To add one here, write the reader, add it to `BUILT_IN_READERS` and add a
sample to the contract test; from another package, name it in the entry-point group ``qa_search.readers``.
"""

from __future__ import annotations

import os
import posixpath
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cache, partial
from importlib.metadata import entry_points
from typing import NamedTuple, Self

from qa_search.archives.base import ArchiveFile, OverLimitError, Reader, ReadingLog, ReadOptions, Reply, post_too_long
from qa_search.archives.containers.unpack import damage_named, unpacked
from qa_search.archives.containers.walk import list_files
from qa_search.archives.formats.chats import ChatReader
from qa_search.archives.formats.dialogue_lines import DialogueLinesReader
from qa_search.archives.formats.guestbook import GuestbookReader
from qa_search.archives.formats.joining import Joiner, Member
from qa_search.archives.formats.json_records import JsonLinesReader, JsonReader
from qa_search.archives.formats.labelled_text import LabelledTextReader
from qa_search.archives.formats.letters import LettersReader
from qa_search.archives.formats.mail import MailReader
from qa_search.archives.formats.markdown import MarkdownReader
from qa_search.archives.formats.notion import is_of_export
from qa_search.archives.formats.opml import OpmlReader
from qa_search.archives.formats.page import PageReader
from qa_search.archives.formats.parquet import ParquetReader
from qa_search.archives.formats.pdf import PdfReader
from qa_search.archives.formats.plan import NO_FIELD
from qa_search.archives.formats.quizzes import QuizReader
from qa_search.archives.formats.saved_pages import SavedPageReader
from qa_search.archives.formats.sql_dump import SqlDumpReader
from qa_search.archives.formats.sqlite_tables import SqliteReader
from qa_search.archives.formats.stackexchange import StackExchangeReader
from qa_search.archives.formats.tables import TableReader
from qa_search.archives.formats.values import bare_id, is_no_answer_yet
from qa_search.archives.formats.web_page import WebPageReader
from qa_search.archives.formats.word import WordReader
from qa_search.archives.formats.workbooks import WorkbookReader
from qa_search.archives.formats.xml_documents import XmlReader
from qa_search.archives.formats.xml_tables import XmlTableReader
from qa_search.archives.formats.xml_tickets import XmlTicketReader
from qa_search.archives.formats.yaml_records import YamlReader
from qa_search.archives.held import Held
from qa_search.archives.limits import Limits, parse_size
from qa_search.archives.reading import Reading
from qa_search.archives.refusals import refusal
from qa_search.errors import ArchiveError, DamagedArchiveError, UnclearFieldsError, UnknownFormatError
from qa_search.types import AnswerPart, Post, SetAside
from qa_search.util.files import remedy_of
from qa_search.util.text import counted

__all__ = [
    "BUILT_IN_READERS",
    "ArchiveFile",
    "Limits",
    "ReadOptions",
    "Reader",
    "Reading",
    "parse_size",
    "read_archives",
    "readers",
]

_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_ORPHANS = "without a question: put the table of the questions into the same folder"
_ELSEWHERE = (
    "of which only the ids are here: put the table of the questions and that of the answers into the same folder"
)
# The names by which files are recognised: these may have no records.
_READ_BY_NAME = (".jsonl", ".ndjson", ".sql")
ENTRY_POINT_GROUP = "qa_search.readers"

# Asked in this order: the formats with the surest signs first.
BUILT_IN_READERS: tuple[Reader, ...] = (
    PageReader(),
    StackExchangeReader(),
    WebPageReader(),
    OpmlReader(),
    XmlTicketReader(),
    XmlReader(),
    XmlTableReader(),
    SavedPageReader(),
    MailReader(),
    QuizReader(),
    ChatReader(),
    DialogueLinesReader(),
    JsonLinesReader(),
    JsonReader(),
    SqlDumpReader(),
    YamlReader(),
    MarkdownReader(),
    LabelledTextReader(),
    LettersReader(),
    GuestbookReader(),
    ChatReader(plain=True),
    TableReader(),
    WorkbookReader(),
    WordReader(),
    PdfReader(),
    SqliteReader(),
    ParquetReader(),
)


@cache
def readers() -> tuple[Reader, ...]:
    """All readers: those of other packages first, so that they can take over a format.

    Raises:
        ArchiveError: if another package's reader cannot be loaded.
    """
    found = []
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name):
        try:
            reader = point.load()
            found.append(reader() if isinstance(reader, type) else reader)
        except Exception as error:
            raise ArchiveError(
                f"the archive reader {point.name!r} ({point.value}) cannot be loaded: {error}. "
                "Repair or uninstall the package that provides it."
            ) from error
    return (*found, *BUILT_IN_READERS)


def read_archives(
    sources: Sequence[str | os.PathLike[str]],
    options: ReadOptions | None = None,
    *,
    keep_going: bool = False,
    reading: Reading | None = None,
) -> Iterator[Post | SetAside]:
    """Yield every post of every source, and a note for each post or file that cannot be read.

    A file of unknown format in a folder is set aside, and so is what is over one of the ``options.limits``. With
    ``keep_going``, so is a damaged file (after the posts before the damage). ``reading`` collects reports on the files.

    Answers and questions that stand in two tables of one folder are joined.

    Raises:
        SourceNotFoundError: if a source does not exist.
        UnknownFormatError: if a source that was named itself has an unknown format.
        UnclearFieldsError: if a file's records have no question or no answer, and a field that is not used could be it.
        DamagedArchiveError: if a file cannot be read to its end.
    """
    for item in read_files(sources, options, keep_going=keep_going):
        if not isinstance(item, FileRead):
            yield item
        elif reading is not None:
            reading.add(item.reading)


class KeptFile(NamedTuple):
    """A file that the caller of `read_files` has the posts of: its number there, and how it was read."""

    number: int
    reading: Reading


class FileRead(NamedTuple):
    """Comes after the posts and notes of a listed file.

    ``alone`` says that no other file had a part in its posts, nor it in theirs; ``notes`` counts the notes among them.
    ``kept`` is what the caller said of the file: then it was not read.
    """

    file: ArchiveFile
    place: str
    reading: Reading
    alone: bool
    notes: int
    kept: KeptFile | None = None


def read_files(
    sources: Sequence[str | os.PathLike[str]],
    options: ReadOptions | None = None,
    *,
    keep_going: bool = False,
    look: Callable[[ArchiveFile], KeptFile | None] = lambda _: None,
) -> Generator[Post | SetAside | FileRead]:
    """Yield what `read_archives` does, and a `FileRead` after each listed file.

    ``look`` is called before a file is read, after all of the file before came out. If it returns a `KeptFile`, the
    file is not read.

    Raises:
        ArchiveError: as `read_archives`.
    """
    options = options or ReadOptions()
    with _Waiting(options, Reading(), keep_going=keep_going) as waiting, Held(options, keep_going=keep_going) as held:
        done: _Progress | None = None
        notes: list[SetAside] = []
        for file, named in list_files(sources, options.left_out, options.names):
            if isinstance(file, SetAside):
                notes.append(file)
                if not waiting:
                    yield from _ended(done, waiting, None)
                    yield from notes
                    notes.clear()
                    done = None
                continue
            yield from _ended(done, waiting, place_of(file))
            yield from notes
            notes.clear()
            kept = look(file)
            done = _Progress(file, kept)
            waiting.reading = done.reading
            if kept is None:
                before = held.added
                with_notes = _capped(file, _read_file(done.watched(), named, options, waiting, held), options)
                yield from done.through(with_notes, waiting)
                done.is_held = held.added > before
        yield from _ended(done, waiting, None)
        yield from notes
        if held.last is not None:
            # What was held comes as from a second file of this name, which is never kept.
            done = _Progress(held.last, None)
            done.is_held = True
            yield from done.count(_capped(done.file, held.posts(done.reading), options))
            yield done.ended()


class _Progress:
    """A listed file that is being read."""

    def __init__(self, file: ArchiveFile, kept: KeptFile | None) -> None:
        self.file = file
        self.reading = Reading() if kept is None else kept.reading
        self.kept = kept
        self.alone = True
        self.is_held = False
        self._notes = 0

    def watched(self) -> ArchiveFile:
        """Return the file, such that looking for another one beside it is noticed."""
        find = self.file.find_sibling
        return self.file if find is None else replace(self.file, find_sibling=partial(self._find, find))

    def through(self, items: Iterator[Post | SetAside], waiting: _Waiting) -> Iterator[Post | SetAside]:
        """Pass the items of the file through; at its end it is known whether some wait for other files."""
        added = waiting.added
        yield from self.count(items)
        if waiting.added > added:
            self.alone = False

    def count(self, items: Iterator[Post | SetAside]) -> Iterator[Post | SetAside]:
        """Pass items of the file through."""
        own, page = self.file.source, (self.file.container, self.file.name)
        for item in items:
            if isinstance(item, SetAside):
                self._notes += 1
            elif item.source != own and not item.source.startswith(f"{own}/") and (item.source, item.source_id) != page:
                self.alone = False  # what another file names may have this id, too
            yield item

    def ended(self) -> FileRead:
        """Return what to say at its end."""
        notes = self._notes + self.is_held  # what others have a part in is read again, as what cannot be read is
        return FileRead(self.file, place_of(self.file), self.reading, self.alone, notes, self.kept)

    def _find(self, find: Callable[[str], ArchiveFile | None], name: str) -> ArchiveFile | None:
        self.alone = False
        return find(name)


def _ended(done: _Progress | None, waiting: _Waiting, place: str | None) -> Iterator[Post | SetAside | FileRead]:
    """End a file; if none follows in its folder, yield the joined posts of the folder first.

    These are not in a file that is kept: it ends, and they end like a second one of its name, which is never kept.
    """
    if done is None:
        return
    if waiting and place != place_of(done.file):
        if done.kept is not None:
            yield done.ended()
            done = _Progress(done.file, None)
            done.alone, waiting.reading = False, done.reading
        yield from done.count(waiting.flush())
    yield done.ended()


def place_of(file: ArchiveFile) -> str:
    """Return the name of the folder that a file is in; what says which text answers which query lies one below."""
    folder = posixpath.dirname(file.name)
    return posixpath.join(
        file.container, posixpath.dirname(folder) if posixpath.basename(folder) == "qrels" else folder
    )


def _capped(file: ArchiveFile, items: Iterator[Post | SetAside], options: ReadOptions) -> Iterator[Post | SetAside]:
    """Yield at most ``limits.notes`` notes of a file, and the last one; the others are only counted."""
    problem = last = None
    beyond = -options.limits.notes
    try:
        for item in items:
            if isinstance(item, Post):
                yield item
                continue
            beyond += 1
            if beyond <= 0:
                yield item
            else:
                last = item  # the last may say what ended the reading
    except ArchiveError as error:
        problem = error
    if beyond > 1:
        yield file.set_aside("", f"{beyond - 1:,} more of its posts or files cannot be read")
    if last is not None:
        yield last
    if problem is not None:
        raise problem


def _read_file(
    file: ArchiveFile, named: bool, options: ReadOptions, waiting: _Waiting, held: Held
) -> Iterator[Post | SetAside]:
    keep_going = waiting.keep_going
    # What is in a container is joined with what else is in it, and not with what lies beside it.
    with (
        _Waiting(options, waiting.reading, keep_going=keep_going) as inside,
        Held(options, keep_going=keep_going) as held_inside,
    ):
        try:
            with closing(unpacked(file, options)) as inner_files:
                for inner, problem in inner_files:
                    if options.encoding is not None:
                        inner = replace(inner, encoding=options.encoding)
                    joined = waiting if place_of(inner) == place_of(file) else inside
                    holding = held if joined is waiting else held_inside
                    yield from joined.move_to(inner)
                    # Only what was named itself, not what happens to lie beside it in a container, must be readable.
                    must_read = named and inner.source == file.source
                    try:
                        if problem is not None:
                            raise problem
                        yield from _read(inner, options, joined, holding)
                    except (OverLimitError, UnknownFormatError, UnclearFieldsError, DamagedArchiveError) as error:
                        if type(error) is UnknownFormatError and holding.hold_text(inner, error, must_read=must_read):
                            continue
                        if isinstance(error, UnknownFormatError) and must_read:
                            raise
                        if isinstance(error, DamagedArchiveError | UnclearFieldsError) and not keep_going:
                            raise
                        yield inner.set_aside(error.place, error.reason)
        except OSError as error:
            remedy = remedy_of(error)
            if remedy is not None:
                raise file.withheld(error, remedy) from error
            damage = file.damaged(f"cannot be read ({error.strerror or error})")
            if not keep_going:
                raise damage from error
            yield file.set_aside("", damage.reason)
        yield from inside.flush()
        yield from held_inside.posts(waiting.reading)


def _read(file: ArchiveFile, options: ReadOptions, waiting: _Waiting, held: Held) -> Iterator[Post | SetAside]:
    """Read a file that is not a container."""
    with damage_named(file):
        if file.head.startswith(_LFS_POINTER):
            raise file.damaged("a Git LFS pointer, not the file itself: fetch it with 'git lfs pull'")
        # An archive may have a million empty files: who reads them is not asked for each.
        asked = readers() if file.head or file.suffix in _READ_BY_NAME else ()
        reader = next((reader for reader in asked if reader.recognises(file, options)), None)
        if reader is None:
            raise refusal(file, (reader.name for reader in readers()))
        waiting.reading.began(file, reader.name)
        of_export = is_of_export(file.name)
        try:
            for item in reader.read(file, options):
                if isinstance(item, Post):
                    if _characters(item) > options.limits.post_characters:
                        item = file.set_aside(f"post {item.source_id}", post_too_long(options))
                    elif is_no_answer_yet(item.answer):
                        item = replace(item, answer="", answers=())
                        file.log.omit("answers that say that an answer is missing")
                if of_export and isinstance(item, Post) and held.hold_post(item, file, reader.name):
                    continue
                if isinstance(item, Reply) or (file.log.lacks_answers and isinstance(item, Post)):
                    waiting.add(item, file, reader.name)
                    continue
                waiting.count(item, file, reader.name)
                yield item
        finally:
            if options.field_map:
                _remark_on_unused(options.field_map, file.log)
            waiting.reading.ended(file, reader.name, file.log)


def _remark_on_unused(field_map: Mapping[str, str], log: ReadingLog) -> None:
    """Remark on a field map of which a reader used nothing, and said nothing: texts have no fields, for example."""
    used = {name for names in log.roles.values() for name in names}
    names = {role: name for role, name in field_map.items() if name != NO_FIELD}
    if names and used.isdisjoint(names.values()) and not any("field_map" in remark for remark in log.remarks):
        log.remark(f"field_map={dict(field_map)!r} was not used: the file has no fields of these names")


class _Waiting:
    """Stores questions and answers of one folder that are in different files until the folder is read."""

    def __init__(self, options: ReadOptions, reading: Reading, *, keep_going: bool) -> None:
        self.reading = reading
        self.keep_going = keep_going
        self.added = 0
        self._options = options
        self._place: str | None = None
        self._joiner: Joiner | None = None
        self._first: tuple[ArchiveFile, str] | None = None
        self._files: dict[str, tuple[ArchiveFile, str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def __bool__(self) -> bool:
        return self._joiner is not None

    def move_to(self, file: ArchiveFile) -> Iterator[Post | SetAside]:
        """Start a file; if it is in another folder, yield the joined posts of the previous folder."""
        place = place_of(file)
        if place != self._place:
            yield from self.flush()
            self._place = place

    def count(self, item: Post | SetAside, file: ArchiveFile, format_name: str) -> None:
        """Count an item of a file."""
        if isinstance(item, Post):
            self.reading.read(item, file, format_name)
        else:
            self.reading.set_aside(file, format_name)

    def add(self, item: Post | Reply, file: ArchiveFile, format_name: str) -> None:
        """Store a question without answers, or an answer without its question."""
        self.added += 1
        if self._joiner is None:
            self._first = replace(file), format_name  # with a log of its own: the file's is reported before
            self._joiner = Joiner(self._first[0], self._options)
        self._files[file.source] = (file, format_name)
        if isinstance(item, Post):
            self._files[item.source] = (file, format_name)  # that of a table or a sheet, or a folder of pages
        if isinstance(item, Reply):
            self._joiner.add(item, file)
        else:
            member = Member(bare_id(item.source_id), "asks", item, AnswerPart(0, 0))
            self._joiner.add(member, file, text_alone=file.log.has_texts_alone)

    def flush(self) -> Iterator[Post | SetAside]:
        """Yield the stored posts, joined.

        Raises:
            UnclearFieldsError: if a file has no answers, no other file has them, and a field of it could hold them.
        """
        joiner, files = self._joiner, self._files
        if joiner is None:
            return
        joiner.link()
        for file, _ in () if joiner.replies else files.values():
            if file.log.problem is not None and not self.keep_going:
                raise file.log.problem
            if said := file.log.problem.reason if file.log.problem is not None else file.log.advice:
                file.log.remark(said)
        orphans: Counter[tuple[str, bool]] = Counter()
        for item in joiner.joined():
            if isinstance(item, tuple):
                orphans[item[0], bool(item[1].text)] += 1
                continue
            file, format_name = files[item.source]
            self.count(item, file, format_name)
            yield item
        for (source, has_text), count in orphans.items():
            file, format_name = files[source]
            note = file.set_aside("", f"{counted(count, 'answer')} {_ORPHANS if has_text else _ELSEWHERE}")
            self.count(note, file, format_name)
            yield note
        for file, format_name in files.values():
            self.reading.ended(file, format_name, ReadingLog(remarks=file.log.remarks))
        if self._first is not None:
            self.reading.ended(*self._first, self._first[0].log)
        self._close()

    def _close(self) -> None:
        if self._joiner is not None:
            self._joiner.close()
        self._joiner, self._files = None, {}


def _characters(post: Post) -> int:
    """Count the characters of all of a post's texts."""
    others = (post.url or "", post.author or "", post.prev_title or "", post.next_title or "", *post.tags)
    return len(post.source_id) + len(post.title) + len(post.question) + len(post.answer) + len("".join(others))
