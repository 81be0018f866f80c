"""Files that belong together in several folders (pairs of files, exports of Notion) -> posts, when all are read."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from typing import Self

from qa_search.archives.base import ArchiveFile, ReadingLog, ReadOptions
from qa_search.archives.formats.notion import NotionExports
from qa_search.archives.formats.paired_files import PairedFiles
from qa_search.archives.reading import Reading
from qa_search.errors import UnknownFormatError
from qa_search.types import Post, SetAside

_PAIR = "pair of files"


class Held:
    """Holds what may belong to other files until all of a source's files, or of an archive's, are read."""

    def __init__(self, options: ReadOptions, *, keep_going: bool) -> None:
        self._pairs = PairedFiles(options)
        self._exports = NotionExports(options)
        self._keep_going = keep_going
        self.last: ArchiveFile | None = None
        self.added = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pairs.close()
        self._exports.close()

    def hold_text(self, file: ArchiveFile, error: UnknownFormatError, *, must_read: bool) -> bool:
        """Hold a file that no reader takes, if it may be half a pair; return whether that is so."""
        return self._noted(file, self._pairs.add(file, error, must_read=must_read))

    def hold_post(self, post: Post, file: ArchiveFile, format_name: str) -> bool:
        """Hold a post that another file may have as well; return whether that is so."""
        return self._noted(file, self._exports.add(post, file, format_name))

    def posts(self, reading: Reading) -> Iterator[Post | SetAside]:
        """Yield the posts and the notes of all that is held, and report them.

        Raises:
            UnknownFormatError: if a file that must be read has no other half, and none has.
            UnclearFieldsError: if a table has no answers, and a field of it could hold them.
            DamagedArchiveError: if the scratch disk is full.
        """
        if self.last is None:
            return
        try:
            yield from self._posts(reading)
        except sqlite3.Error as error:
            where = tempfile.gettempdir()
            raise self.last.damaged(f"files that belong together cannot be joined in {where} ({error})") from error

    def _posts(self, reading: Reading) -> Iterator[Post | SetAside]:
        for post, file, format_name in self._exports.posts(keep_going=self._keep_going):
            reading.read(post, file, format_name)
            yield post
        for file, format_name, log in self._exports.logs():
            reading.ended(file, format_name, log)
        half = self._pairs.last
        if half is None:
            return
        log = ReadingLog()
        for item in self._pairs.posts(log):
            if isinstance(item, Post):
                reading.read(item, half, _PAIR)
            else:
                reading.set_aside(half, _PAIR)
            yield item
        reading.ended(half, _PAIR, log)

    def _noted(self, file: ArchiveFile, is_held: bool) -> bool:
        if is_held:
            self.added += 1
            self.last = file
        return is_held
