"""The files of the sources and those of the previous generation -> which files need not be read again.

A file is kept if it has the size and time, or else the content, that it had when it was read. Where one file of a
folder had a part in the posts of another, as a table of answers has, all files of that folder are kept, or none.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, NamedTuple, cast

from qa_search.archives.base import ArchiveFile
from qa_search.archives.read import FileRead, KeptFile, Reading, place_of
from qa_search.index.stores.post_rows import StoredFile
from qa_search.index.stores.posts import PostStore
from qa_search.index.stores.posts_writer import PostWriter

# A file that was changed so shortly before it was read may be changed again within the same tick of the clock.
_TICK_NS = 2 * 10**9
_FILES_AHEAD = 500


class FileState(NamedTuple):
    """How a file was: ``stat`` (size, time and number) and ``content`` (SHA-256), empty where that is unknown."""

    stat: str = ""
    content: str = ""


def stat_of(stream: BinaryIO) -> str:
    """Return what identifies an open file without reading it."""
    found = os.fstat(stream.fileno())
    # st_ctime also changes where a program sets the time of a changed file back.
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"


def content_of(stream: BinaryIO) -> str:
    """Return the SHA-256 of an open file."""
    return hashlib.file_digest(cast(io.BufferedReader, stream), "sha256").hexdigest()


def is_racy(changed_ns: int, began_ns: int) -> bool:
    """Return whether a file is so new that it may change again, and keep its size and time."""
    return changed_ns > began_ns - _TICK_NS


class KeptFiles:
    """Looks at each file before it is read, and writes down each that was read or kept."""

    def __init__(self, began_ns: int, previous: PostStore | None, listed: Callable[[], Iterable[ArchiveFile]]) -> None:
        """Begin.

        Args:
            began_ns: when the build began, in nanoseconds.
            previous: the posts of the previous generation; None to read all files.
            listed: lists the files of the sources.

        Raises:
            IndexDamagedError: if the previous generation is damaged.
        """
        self._began_ns = began_ns
        self._stored = None if previous is None else _StoredFiles(previous)
        self._changed = set() if previous is None else _changed_places(previous.shared_files(), listed)
        self._stats: dict[str, str] = {}  # of the files that are looked at and not yet written down
        self._run: tuple[StoredFile, StoredFile] | None = None  # the ends of kept files that follow one another
        self._touched: dict[int, str] = {}  # those of them whose time has changed
        self._digest: hashlib._Hash | None = hashlib.sha256()

    @property
    def content(self) -> str:
        """A hash of all names and contents, when all files are written down; "" if one is unknown."""
        return "" if self._digest is None else self._digest.hexdigest()

    @property
    def waiting(self) -> bool:
        """Whether the posts of kept files wait to be copied: all posts that were read before are written by then."""
        return self._run is not None

    def look(self, file: ArchiveFile) -> KeptFile | None:
        """Return what the previous generation has of a file, None if it must be read.

        Raises:
            IndexDamagedError: if the previous generation is damaged.
        """
        try:
            with file.open() as stream:
                stat = self._stats[file.source] = stat_of(stream)
        except OSError:
            self._stats.pop(file.source, None)
            return None
        stored = None if self._stored is None else self._stored.find(file.source)
        if stored is None or stored.place in self._changed:
            return None
        if not (stored.content and stored.stat == stat) and not _is_same(stored, file):
            return None
        try:
            return KeptFile(stored.id, Reading.load(stored.reading))
        except ValueError:
            return None

    def write(self, read: FileRead, writer: PostWriter) -> None:
        """Write down a file that was read, all of whose posts are written; or have those of a kept one copied.

        Raises:
            IndexDamagedError: if the previous generation is damaged.
        """
        stored = None if self._stored is None or read.kept is None else self._stored.found
        stat = self._stats.pop(read.file.source, "")
        if stored is None:
            self.flush(writer)
            state = self._state(read.file, stat)
            # What could not be read may be readable next time.
            known = FileState() if read.notes else state
            writer.end_file(read.file.source, read.place, *known, read.reading.dump(), alone=read.alone)
        else:
            state = FileState(stored.stat, stored.content)
            if self._run and self._run[1].id + 1 != stored.id:
                self.flush(writer)
            self._run = (self._run[0] if self._run else stored, stored)
            if stat != stored.stat:
                self._touched[stored.id] = self._state(read.file, stat).stat
        if self._digest is None or not state.content:
            self._digest = None
        else:
            self._digest.update(json.dumps([read.file.source, state.content]).encode())

    def flush(self, writer: PostWriter) -> None:
        """Have the posts of the kept files copied that are waiting; call it before other posts are written.

        Raises:
            IndexDamagedError: if the previous generation is damaged.
        """
        if self._run:
            writer.copy(*self._run, self._touched)
        self._run, self._touched = None, {}

    def _state(self, file: ArchiveFile, before: str) -> FileState:
        """Return the state of a file, if its `stat_of` is what it was before it was read."""
        try:
            with file.open() as stream:
                content = content_of(stream)
                stat, changed_ns = stat_of(stream), os.fstat(stream.fileno()).st_mtime_ns
        except OSError:
            return FileState()
        if stat != before:
            return FileState()
        return FileState("" if is_racy(changed_ns, self._began_ns) else stat, content)


class _StoredFiles:
    """Finds the files of the previous generation by their names; fastest in the order that it has."""

    def __init__(self, posts: PostStore) -> None:
        self._posts = posts
        self._ahead: dict[str, StoredFile] = {}
        self._next = 0
        self._taken: set[int] = set()
        self.found: StoredFile | None = None

    def find(self, source: str) -> StoredFile | None:
        """Return the file with this name, once; None if it is missing, or if several files have the name."""
        if source not in self._ahead:
            files = self._posts.files_from(self._next, _FILES_AHEAD)
            self._ahead = {file.source: file for file in files}
            if len(self._ahead) < len(files):
                self._ahead = {}
        files = [self._ahead[source]] if source in self._ahead else self._posts.files_called(source)
        self.found = files[0] if len(files) == 1 and files[0].id not in self._taken else None
        if self.found is not None:
            self._taken.add(self.found.id)
            self._next = self.found.id + 1
        return self.found


def _is_same(stored: StoredFile, file: ArchiveFile) -> bool:
    """Return whether a file is what it was then."""
    if not stored.content:
        return False
    try:
        with file.open() as stream:
            return stat_of(stream) == stored.stat or content_of(stream) == stored.content
    except OSError:
        return False


def _changed_places(stored: list[StoredFile], listed: Callable[[], Iterable[ArchiveFile]]) -> set[str]:
    """Return the folders of files that belong together in which one was changed, added, removed or moved."""
    if not stored:
        return set()
    before: dict[str, list[tuple[StoredFile, bool]]] = {}
    last = None
    for one in stored:
        # Files are joined as long as no file of another folder comes between.
        follows = last is not None and last.place == one.place and last.id + 1 == one.id
        before.setdefault(one.place, []).append((one, follows))
        last = one
    now: dict[str, list[tuple[ArchiveFile, bool]]] = {place: [] for place in before}
    for file, follows in _followed(listed()):
        if place_of(file) in now:
            now[place_of(file)].append((file, follows))
    return {place for place, files in before.items() if not _are_same(files, now[place])}


def _followed(files: Iterable[ArchiveFile]) -> Iterator[tuple[ArchiveFile, bool]]:
    """Yield files, each with whether the one before is in the same folder."""
    last = None
    for file in files:
        yield file, last == place_of(file)
        last = place_of(file)


def _are_same(before: list[tuple[StoredFile, bool]], now: list[tuple[ArchiveFile, bool]]) -> bool:
    return len(before) == len(now) and all(
        stored.source == file.source and followed == follows and _is_same(stored, file)
        for (stored, followed), (file, follows) in zip(before, now, strict=True)
    )
