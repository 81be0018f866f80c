"""Archives -> posts: every source walked, unpacked, recognised from its content and read as a stream.

A format is one reader in one file. To add one here, write the reader, add it to `BUILT_IN_READERS` and add a
sample to the contract test; from another package, name it in the entry-point group ``qa_search.readers``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import cache
from importlib.metadata import entry_points

from qa_search.archives.base import ArchiveFile, OverLimitError, Reader, ReadOptions, post_too_long
from qa_search.archives.containers.walk import damage_named, list_files, unpacked
from qa_search.archives.formats.json_records import JsonLinesReader, JsonReader
from qa_search.archives.formats.labelled_text import LabelledTextReader
from qa_search.archives.formats.mail import MailReader
from qa_search.archives.formats.markdown import MarkdownReader
from qa_search.archives.formats.page import PageReader
from qa_search.archives.formats.parquet import ParquetReader
from qa_search.archives.formats.pdf import PdfReader
from qa_search.archives.formats.sql_dump import SqlDumpReader
from qa_search.archives.formats.sqlite_tables import SqliteReader
from qa_search.archives.formats.stackexchange import StackExchangeReader
from qa_search.archives.formats.tables import TableReader
from qa_search.archives.formats.web_page import WebPageReader
from qa_search.archives.formats.word import WordReader
from qa_search.archives.formats.workbooks import WorkbookReader
from qa_search.archives.formats.xml_documents import XmlReader
from qa_search.archives.formats.yaml_records import YamlReader
from qa_search.archives.limits import Limits, parse_size
from qa_search.errors import ArchiveError, DamagedArchiveError, UnknownFormatError
from qa_search.types import Post, SetAside

__all__ = [
    "BUILT_IN_READERS",
    "ArchiveFile",
    "Limits",
    "ReadOptions",
    "Reader",
    "parse_size",
    "read_archives",
    "readers",
]

ENTRY_POINT_GROUP = "qa_search.readers"

# In the order in which they are asked: the surest signs first.
BUILT_IN_READERS: tuple[Reader, ...] = (
    PageReader(),
    StackExchangeReader(),
    WebPageReader(),
    XmlReader(),
    MailReader(),
    JsonLinesReader(),
    JsonReader(),
    SqlDumpReader(),
    YamlReader(),
    MarkdownReader(),
    LabelledTextReader(),
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
                "Mend or uninstall the package that brings it."
            ) from error
    return (*found, *BUILT_IN_READERS)


def read_archives(
    sources: Sequence[str | os.PathLike[str]],
    options: ReadOptions | None = None,
    *,
    keep_going: bool = False,
) -> Iterator[Post | SetAside]:
    """Yield every post of every source, and a note for each post or file that cannot be read.

    A file in a folder that is in no known format is set aside, and what is over one of the ``options.limits``. With
    ``keep_going``, so is a file that is damaged (after the posts before the damage).

    Raises:
        SourceNotFoundError: if a source is not there.
        UnknownFormatError: if a source that was named itself is in no known format.
        DamagedArchiveError: if a file cannot be read to its end.
    """
    options = options or ReadOptions()
    for file, named in list_files(sources):
        if isinstance(file, SetAside):
            yield file
        else:
            yield from _capped(file, _read_file(file, named, options, keep_going=keep_going), options)


def _capped(file: ArchiveFile, items: Iterator[Post | SetAside], options: ReadOptions) -> Iterator[Post | SetAside]:
    """Set no more of a file's posts aside one by one than the limit: all others but the last are only counted."""
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
        yield file.set_aside("", f"{beyond - 1:,} more of its posts cannot be read")
    if last is not None:
        yield last
    if problem is not None:
        raise problem


def _read_file(file: ArchiveFile, named: bool, options: ReadOptions, *, keep_going: bool) -> Iterator[Post | SetAside]:
    try:
        with closing(unpacked(file, options)) as inner_files:
            for inner, problem in inner_files:
                # Only what was named itself, not what happens to lie beside it in a container, must be readable.
                must_read = named and inner.source == file.source
                try:
                    if problem is not None:
                        raise problem
                    yield from _read(inner, options)
                except (OverLimitError, UnknownFormatError, DamagedArchiveError) as error:
                    if isinstance(error, UnknownFormatError) and must_read:
                        raise
                    if isinstance(error, DamagedArchiveError) and not keep_going:
                        raise
                    yield inner.set_aside(error.place, error.reason)
    except OSError as error:
        damage = file.damaged(f"cannot be read ({error.strerror or error})")
        if not keep_going:
            raise damage from error
        yield file.set_aside("", damage.reason)


def _read(file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside]:
    """Read a file that is no container."""
    with damage_named(file):
        reader = next((reader for reader in readers() if reader.recognises(file, options)), None)
        if reader is None:
            raise _unknown(file)
        for item in reader.read(file, options):
            if isinstance(item, Post) and _characters(item) > options.limits.post_characters:
                yield file.set_aside(f"post {item.source_id}", post_too_long(options))
            else:
                yield item


def _characters(post: Post) -> int:
    """Count the characters of all of a post's texts."""
    texts = (
        post.source_id, post.title, post.question, post.answer, post.url, post.author, post.prev_title,
        post.next_title, *post.tags,
    )  # fmt: skip
    return sum(len(text) for text in texts if text)


def _unknown(file: ArchiveFile) -> UnknownFormatError:
    known = f"Known formats: {', '.join(reader.name for reader in readers())}; each also in .gz, .zip or .7z."
    if not file.head:
        return file.unknown("an empty file", known)
    if file.head_text is None:
        return file.unknown("binary data, not an archive of posts", known)
    start = " ".join(file.head_text[:200].split())[:40]
    return file.unknown(f"in no archive format that is known (it begins {start!r})", known)
