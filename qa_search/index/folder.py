"""The index folder: immutable generations and one pointer file that is replaced atomically.

::

    index/
        qa-search-index.txt     the mark that the folder is ours, see owned.py
        CURRENT                 the generation that answers: its name, and the SHA-256 of its manifest
        build.lock              held while a build writes; build.holder says by whom
        encoders/               exported models, see encoders.py
        generations/
            g000001/            one generation: manifest.json and the files that it lists
            g000002.partial/    one being written; readers ignore it

Order of a publication: the files are flushed to disk, then the manifest, all is read back as a reader would, then the
folder gets its name, then the pointer is replaced. A build that dies before the last step leaves the old generation
answering. What is cleared away afterwards is removed by name, file by file: other files in the folder stay.

The folder's path is resolved once for each opening and each build, so that links in it may change meanwhile.

The pointer holds the hash of the manifest, the manifest those of all files. Opening an index compares all of them.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import reprlib
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple, TypeVar

import apsw

from qa_search.errors import (
    IndexDamagedError,
    IndexFolderError,
    IndexFormatError,
    IndexLockedError,
    IndexNotFoundError,
    IndexOccupiedError,
    IndexUnreadableError,
    IndexWriteError,
)
from qa_search.index.generation import MANIFEST, MANIFEST_HASH, Generation
from qa_search.index.integrity import (
    BLOCKS_SUFFIX,
    FileRecord,
    HeldFiles,
    OpenFiles,
    file_record,
    flush,
    flush_tree,
    write_new,
)
from qa_search.index.manifest import (
    FORMAT_VERSION,
    READ_FORMATS,
    EncoderRecord,
    ExportedEncoder,
    FolderManifest,
    is_plain_name,
    listed_formats,
)
from qa_search.index.owned import (
    ENCODERS,
    GENERATION_NAMES,
    GENERATIONS,
    MARK,
    MARK_TEXT,
    PARTIAL,
    POINTER,
    WORK,
    find_foreign,
    holds_own,
    is_generation_name,
    remove_own,
)
from qa_search.index.stores.database import WRITE_ERRORS
from qa_search.util.defaults import DEFAULT_KEEP
from qa_search.util.files import (
    MOST_POINTER_BYTES,
    MOST_SETTINGS_BYTES,
    open_file,
    raise_if_withheld,
    read_file,
    remedy_of,
)
from qa_search.util.text import visible

LOCK = "build.lock"
HOLDER = "build.holder"
# Files that have block sums are read whole when they are opened up to this much altogether.
CHECKED_WHOLE_BYTES = 256 << 20
_ATTEMPTS = 10
# Names of more digits are not read.
_MOST_GENERATIONS = 10**15


T = TypeVar("T")


class Published(NamedTuple):
    """A generation that was published, and the names of the old ones that were removed."""

    generation: Generation
    cleared: tuple[str, ...]


class IndexFolder:
    """Reads and publishes the generations of one index folder.

    ``path`` is its name in messages. ``home`` is the folder that it led to when it was opened or a build began.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Take the path; nothing is opened yet.

        Raises:
            IndexFolderError: if the path, or what it leads to, has a name that is not UTF-8.
        """
        self.path = Path(path)
        self.home = self._resolved()

    def state(self) -> tuple[int, int, str, str]:
        """Return a value that changes whenever another generation, or another folder, answers.

        It holds the folder's device and inode, the generation's name and its manifest's SHA-256.

        Raises:
            IndexNotFoundError: if the folder contains no index.
            IndexDamagedError: if the pointer is damaged.
            IndexUnreadableError: if it cannot be read now.
        """
        self.home = self._resolved()
        name, sha256 = self.pointer()
        try:
            status = self.home.stat()
        except OSError as error:
            raise self._cannot_read(error, self.home) from error
        return status.st_dev, status.st_ino, name, sha256

    def current(self) -> Generation:
        """Return the generation that answers.

        Raises:
            IndexNotFoundError: if no generation answers.
            IndexDamagedError: if its files are damaged.
            IndexUnreadableError: if they cannot be read now.
            IndexFormatError: if this version does not read its format.
        """
        return self.open_current(lambda generation: generation)

    def open_current(self, use: Callable[[Generation], T]) -> T:
        """Open the generation that answers with ``use``; try again if builds replace it at that moment.

        Raises:
            IndexFolderError: as `current`, and whatever ``use`` raises.
        """
        for _ in range(_ATTEMPTS):
            state = self.state()
            try:
                return use(self._open(*state[2:]))
            except IndexDamagedError:
                # Two builds may have replaced the pointer and cleared the generation away meanwhile.
                if state == self.state():
                    raise
        raise IndexDamagedError.of(self.path, f"{self.path / POINTER} changes faster than the index can be opened")

    def pointer(self) -> tuple[str, str]:
        """Return the name of the generation that answers and its manifest's SHA-256, without opening it.

        Raises:
            IndexNotFoundError: if no generation answers.
            IndexDamagedError: if the pointer is damaged.
            IndexUnreadableError: if it cannot be read now.
        """
        pointer = self._pointer_or_none()
        if pointer is None:
            lost = ""
            if self.names():
                lost = (
                    f" ({self.path / POINTER} is missing; to let a generation answer: "
                    f"verify_index({str(self.path)!r}, fall_back=True))"
                )
            raise IndexNotFoundError(
                f"{os.path.abspath(self.path)}: no index in this folder{lost}. "  # noqa: PTH100 - links stay
                f"Build one with: build_index(SOURCES, {str(self.path)!r})"
            )
        name, _, sha256 = pointer.partition(" ")
        if not is_plain_name(name) or name.startswith(".") or not _number(name):
            raise IndexDamagedError.of(self.path, f"{self.path / POINTER} does not name a generation")
        return name, sha256

    def exists(self) -> bool:
        """Return whether a generation answers, be it damaged or not."""
        try:
            self.pointer()
        except IndexNotFoundError:
            return False
        except IndexFolderError:
            return True
        return True

    def close(self) -> None:
        """Do nothing: a folder keeps nothing open."""

    def names(self) -> list[str]:
        """Return the names of all finished generations, the latest first.

        Raises:
            IndexUnreadableError: if their folder cannot be read now.
        """
        found = [name for name in self._entries() if _number(name)]
        return sorted(filter(self._is_generation, found), key=_number, reverse=True)

    def inspect(self, name: str) -> Generation:
        """Open a generation whether it answers or not; its files are compared with its own manifest.

        Raises:
            IndexDamagedError: if its files are damaged.
            IndexFormatError: if this version does not read its format.
        """
        return self._open(name, None)

    def point_to(self, name: str) -> None:
        """Let another whole generation answer.

        Raises:
            IndexDamagedError: if that one is damaged.
        """
        self.inspect(name)
        self._point(name, _sha256(self.home / GENERATIONS / name / MANIFEST))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the folder for a build.

        Raises:
            IndexLockedError: if another build holds it.
            IndexOccupiedError: if the folder holds other files and is not an index.
            IndexWriteError: if the folder cannot be written to.
        """
        import filelock  # here, because searching needs no lock

        self.home = self._resolved()
        lock = filelock.FileLock(self.home / LOCK)
        with self._write_errors():
            self._claim()
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                raise IndexLockedError(
                    f"{self.path}: another build is writing to this index{self._holder()}. Wait for it, or build into "
                    "another folder with index=FOLDER. Searches go on meanwhile."
                ) from None
        try:
            with self._write_errors():
                self._mark()
                self._note_holder()
                yield
        finally:
            with suppress(OSError):
                (self.home / HOLDER).unlink(missing_ok=True)
            lock.release()

    def hold_encoder(self, record: ExportedEncoder) -> HeldFiles:
        """Open the files of the exported encoder that a manifest names; they are read when they are needed.

        Raises:
            IndexDamagedError: if one is missing or is not a file.
            IndexUnreadableError: if one cannot be read now.
        """
        folder = self.home / ENCODERS / record.folder
        try:
            return HeldFiles(folder, record.files)
        except OSError as error:
            raise IndexDamagedError.of(self.path, f"{error.filename} cannot be read ({error.strerror})") from error

    def require_encoder(self, held: HeldFiles, record: ExportedEncoder) -> None:
        """Compare every byte of an encoder with its hashes.

        Raises:
            IndexDamagedError: if a file does not match.
        """
        for name, expected in record.files.items():
            damage = held.damage(name, expected)
            if damage:
                raise IndexDamagedError.of(self.path, damage)

    def require_whole_encoder(self, record: EncoderRecord) -> None:
        """Compare every byte of the encoder that a manifest names, if it names one, with its hashes.

        Raises:
            IndexDamagedError: if a file is missing or does not match.
        """
        if isinstance(record, ExportedEncoder):
            self.require_encoder(self.hold_encoder(record), record)

    def start_generation(self) -> Path:
        """Make the folder of a new generation, and remove what killed builds left."""
        self.clear_unfinished()
        started = self.home / GENERATIONS / f"g{self._free_number():06}{PARTIAL}"
        started.mkdir()
        return started

    def clear_unfinished(self) -> None:
        """Remove the generations that killed builds left unfinished. Call it while `writing`."""
        for name in self._entries():
            if name.endswith(PARTIAL):
                self.abandon(self.home / GENERATIONS / name)

    def publish(
        self, started: Path, manifest: FolderManifest, keep: int = DEFAULT_KEEP, linked: Generation | None = None
    ) -> Published:
        """Make a finished generation the one that answers.

        The format version, the generation's name and each file's size and hashes are added to ``manifest``. It and the
        latest others are kept, ``keep`` in all and at least one whole one besides it. The hashes of files that are also
        those of the generation ``linked`` are known, and only compared.

        Raises:
            IndexDamagedError: if a file that is read back differs; nothing is published then.
            IndexUnreadableError: if a file or the pointer cannot be read now; nothing is published then.
        """
        replaced = self._pointer_to_replace()
        flush_tree(started)
        files = {
            name: (None if linked is None else linked.record_of(name, path)) or file_record(path)
            for name, path in sorted((path.relative_to(started).as_posix(), path) for path in started.rglob("*"))
            if path.is_file()
        }
        published = started.with_name(started.name.removesuffix(PARTIAL))
        complete = replace(manifest, format_version=FORMAT_VERSION, generation=published.name, files=files)
        text = json.dumps(complete.dump(), ensure_ascii=False, indent=2) + "\n"
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        for name, content in ((MANIFEST, text), (MANIFEST_HASH, f"{sha256}\n")):
            (started / name).write_text(content, encoding="utf-8")
            flush(started / name)
        flush(started)
        self._read_back(started, text)
        started.rename(published)
        flush(published.parent)
        self._point(published.name, sha256)
        return Published(Generation(published, complete), self._clear(published.name, replaced, keep))

    def used_encoders(self) -> set[str]:
        """Return the names of the encoders of all undamaged generations.

        Raises:
            IndexUnreadableError: if a generation cannot be read now.
        """
        used = set()
        for name in self.names():
            with suppress(IndexDamagedError, IndexFormatError):
                encoder = self.read_manifest(name).encoder
                used.update([encoder.folder] if isinstance(encoder, ExportedEncoder) else [])
        return used

    def abandon(self, started: Path) -> None:
        """Remove what a failed build wrote. The next build removes what cannot be removed now."""
        with suppress(OSError):
            remove_own(started, GENERATION_NAMES)

    def _open(self, name: str, pointed: str | None) -> Generation:
        """Open a generation and compare its files with its manifest, and that with its hashes."""
        folder = self.home / GENERATIONS / name
        manifest = self.read_manifest(name, pointed)
        return Generation(folder, manifest, self._watched(folder, manifest.files))

    def _read_back(self, started: Path, text: str) -> None:
        """Read back a whole generation before it can answer or replace another."""
        if read_file(started / MANIFEST, MOST_SETTINGS_BYTES) != text.encode():
            raise IndexDamagedError.of(self.path, f"{started / MANIFEST}: checksum mismatch")
        self._watched(started, self._parsed(started, json.loads(text)).files, whole=True)

    def _parsed(self, folder: Path, document: object) -> FolderManifest:
        """Read the manifest of a generation from its JSON document."""
        try:
            return FolderManifest.parse(document)
        except ValueError as error:
            raise IndexDamagedError.of(self.path, f"{folder}: {error}") from error

    def _watched(self, folder: Path, files: Mapping[str, FileRecord], *, whole: bool = False) -> OpenFiles:
        """Open and compare all files of a generation; ``whole`` also reads those that have hashes of their blocks."""
        watch = OpenFiles()
        by_blocks = 0
        for file, record in files.items():
            read = whole or f"{file}{BLOCKS_SUFFIX}" not in files
            if not read:
                by_blocks += record.bytes
                read = by_blocks <= CHECKED_WHOLE_BYTES
            try:
                damage = watch.add(folder / file, record, read=read)
            except FileNotFoundError:
                damage = f"{folder / file} is missing"
            except OSError as error:
                damage = f"{folder / file} cannot be read ({error.strerror})"
            if damage:
                raise IndexDamagedError.of(self.path, damage)
        return watch

    def read_manifest(self, name: str, pointed: str | None = None) -> FolderManifest:
        """Read a manifest and compare it with the hash beside it, and with the pointer's unless that is None.

        Raises:
            IndexDamagedError: if it is damaged, or lacks a part.
            IndexUnreadableError: if it cannot be read now.
            IndexFormatError: if this version does not read its format.
        """
        path = self.home / GENERATIONS / name / MANIFEST
        try:
            data = read_file(path, MOST_SETTINGS_BYTES)
            recorded = _read_if_there(path.with_name(MANIFEST_HASH))
            hashes = {text for text in (recorded, pointed) if text}
            if hashes - {hashlib.sha256(data).hexdigest()}:
                raise IndexDamagedError.of(self.path, f"{path}: checksum mismatch (SHA-256)")
            document = json.loads(data)
            version = document["format_version"]
            json.dumps(document, ensure_ascii=False).encode()  # half of a surrogate pair cannot be shown or stored
        except FileNotFoundError as error:
            raise IndexDamagedError.of(self.path, f"{path} is missing") from error
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise IndexDamagedError.of(self.path, f"{path} cannot be read ({error})") from error
        if version not in READ_FORMATS:
            raise IndexFormatError(
                f"{path.parent}: index format {reprlib.repr(version)}; this version of qa-search reads formats "
                f"{listed_formats()}. Build the index again: build_index(SOURCES, {str(self.path)!r})"
            )
        if not recorded or pointed == "":
            missing = self.home / POINTER if recorded else path.with_name(MANIFEST_HASH)
            raise IndexDamagedError.of(self.path, f"{missing} does not hold the SHA-256 of {path}")
        manifest = self._parsed(path.parent, document)
        if manifest.generation != name:
            raise IndexDamagedError.of(self.path, f"{path}: the manifest of another generation")
        return manifest

    def _resolved(self) -> Path:
        """Return the path with all links resolved, as they are now."""
        home = Path(os.path.realpath(self.path))
        for path in (self.path, home):
            try:
                os.fspath(path).encode()
            except UnicodeEncodeError as error:
                raise IndexFolderError(
                    f"{visible(str(path))}: the path of an index must be UTF-8, and this path is not. Name another "
                    "folder, or rename this one."
                ) from error
        return home

    def _entries(self) -> list[str]:
        """Return the names of all generations in the folder, finished or not."""
        folder = self.home / GENERATIONS
        try:
            return [path.name for path in folder.iterdir() if is_generation_name(path.name)]
        except OSError as error:
            raise_if_withheld(error, folder)
            return []

    def _is_generation(self, name: str) -> bool:
        """Return whether a folder of this name holds a file of ours."""
        folder = self.home / GENERATIONS / name
        try:
            return holds_own(folder, GENERATION_NAMES)
        except OSError as error:
            raise_if_withheld(error, folder)
            return False

    def _free_number(self) -> int:
        """Return an unused number, higher than that of the generation that answers where possible."""
        taken = {_number(name.removesuffix(PARTIAL)) for name in self._entries()}
        answers = _number((self._pointer_to_replace() or "").partition(" ")[0])
        latest = answers or max(map(_number, self.names()), default=0)
        behind, before = range(latest + 1, _MOST_GENERATIONS), range(1, latest + 1)
        return next(number for number in chain(behind, before) if number not in taken)

    def _claim(self) -> None:
        """Make the folder, or make sure that it is an index or empty.

        Raises:
            IndexOccupiedError: if it holds other files.
            OSError: if it cannot be read or written to.
        """
        home = self.home
        if not home.exists():
            home.mkdir(parents=True, exist_ok=True)
            flush(home.parent)
        foreign = find_foreign(home)
        if foreign is not None:
            raise IndexOccupiedError(
                f"{self.path}: this folder is not empty and is not an index (it has {visible(foreign)!r}). Nothing was "
                "written to it. Name an empty or a new folder with index=FOLDER."
            )
        for name in (GENERATIONS, ENCODERS, WORK):
            if (home / name).is_symlink():
                raise IndexOccupiedError(
                    f"{self.path / name} is a link. A build does not follow links inside of an index. Put a folder in "
                    "its place. To keep the index elsewhere, make a link to the whole index."
                )

    def _mark(self) -> None:
        """Mark the folder as ours. Only the holder of the lock may: two builds at once would remove each other's file.

        Raises:
            OSError: if it cannot be written to.
        """
        if not os.path.lexists(self.home / MARK):
            write_new(self.home / MARK, MARK_TEXT)
            flush(self.home / MARK)
        (self.home / GENERATIONS).mkdir(exist_ok=True)
        flush(self.home)

    def _cannot_read(self, error: OSError, path: Path) -> IndexDamagedError:
        """Return the error for a damaged file; raise another one if the system does not let it be read now."""
        raise_if_withheld(error, path)
        return IndexDamagedError.of(self.path, f"{path} cannot be read ({error.strerror})")

    def _pointer_or_none(self) -> str | None:
        try:
            return _read_if_there(self.home / POINTER)
        except OSError as error:
            raise self._cannot_read(error, self.home / POINTER) from error

    def _pointer_to_replace(self) -> str | None:
        """Return the pointer's text, None if it is missing or damaged. One that cannot be read now is not replaced."""
        with suppress(IndexDamagedError):
            return self._pointer_or_none()
        return None

    def _point(self, name: str, sha256: str) -> None:
        replacement = self.home / f"{POINTER}.new"
        write_new(replacement, f"{name} {sha256}\n")
        flush(replacement)
        replacement.replace(self.home / POINTER)
        with suppress(OSError):  # it answers already; after a power cut the old pointer is as whole as this one
            flush(self.home)

    def _clear(self, published: str, replaced: str | None, keep: int) -> tuple[str, ...]:
        """Remove old generations but the last whole one and the latest; return the names of those that are gone.

        Those that a later one repeats go first: a build that changed no post pushes out none that can be gone back to.
        The next build removes what cannot be removed now.
        """
        cleared: list[str] = []
        # What cannot be read now may be the last good one: nothing is removed then.
        with suppress(OSError, IndexUnreadableError):
            good = self._last_good(published, (replaced or "").partition(" ")[0])
            kept = {published} if good is None else {published, good}
            repeated = self._repeated()
            others = sorted((name for name in self.names() if name not in kept), key=repeated.__contains__)
            cleared = [name for name in others[max(keep - len(kept), 0) :] if self._remove(name)]
        return tuple(cleared)

    def _repeated(self) -> set[str]:
        """Return the generations that have the posts and the vectors of a later one."""
        repeated = set()
        names = self.names()
        for later, name in pairwise(names):
            with suppress(IndexDamagedError, IndexFormatError):
                if self.read_manifest(later).repeats(self.read_manifest(name)):
                    repeated.add(name)
        return repeated

    def _remove(self, name: str) -> bool:
        """Remove the files of a generation that its manifest lists or that have names of ours."""
        listed: Iterable[str] = ()
        with suppress(IndexDamagedError, IndexFormatError):
            listed = self.read_manifest(name).files
        try:
            remove_own(self.home / GENERATIONS / name, GENERATION_NAMES, listed)
        except OSError:
            return False
        return True

    def _last_good(self, published: str, replaced: str) -> str | None:
        """Find the generation to fall back to: the previous one if it is whole, else the latest whole one.

        Raises:
            IndexUnreadableError: if a candidate cannot be read now.
        """
        others = [name for name in self.names() if name != published]
        for name in sorted(others, key=lambda name: name != replaced):
            with suppress(IndexDamagedError, IndexFormatError):
                return self.inspect(name).name
        return None

    def _note_holder(self) -> None:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        with suppress(OSError):
            write_new(self.home / HOLDER, f"process {os.getpid()} on {socket.gethostname()}, since {since}\n")

    def _holder(self) -> str:
        """Return who holds the lock, empty if that is unknown."""
        noted = ""
        with suppress(OSError, IndexUnreadableError):
            noted = (_read_if_there(self.home / HOLDER) or "")[:200].strip()
        return f" ({noted})" if noted.isprintable() and noted else ""

    @contextmanager
    def _write_errors(self) -> Iterator[None]:
        """Turn the system's errors into one that names the folder; nothing is lost."""
        try:
            yield
        except (OSError, *WRITE_ERRORS) as error:
            fault = error if isinstance(error, OSError) else _open_fault(error)
            answers = "The previous index still answers. " if self.exists() else ""
            elsewhere = "Make room or choose another folder with index=FOLDER"
            if fault is None or fault.errno in (errno.ENOSPC, errno.EDQUOT):  # TMPDIR would be no way out
                remedy = elsewhere
            elif fault.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                remedy = "Let this user write there, or choose another folder with index=FOLDER"
            else:
                remedy = remedy_of(fault) or elsewhere
            raise IndexWriteError(
                f"{self.path}: the index cannot be written ({_reason(fault or error)}). {answers}{remedy}."
            ) from error


def _open_fault(error: apsw.Error) -> OSError | None:
    """Return why SQLite cannot open a file, if that holds for any file now: it does not say."""
    if isinstance(error, apsw.CantOpenError):
        try:
            os.close(os.open(os.devnull, os.O_RDONLY))
        except OSError as fault:
            return OSError(fault.errno, fault.strerror)
    return None


def _reason(error: OSError | apsw.Error) -> str:
    if isinstance(error, OSError):
        known = {
            errno.ENOSPC: "no space left on the disk",
            errno.EROFS: "the file system is read-only",
        }
        reason = known.get(error.errno or 0, error.strerror or str(error))
        return f"{reason}: {error.filename}" if error.filename else reason
    return "no space left on the disk" if "full" in str(error) else str(error)


def _read_if_there(path: Path) -> str | None:
    """Return a small file's text, stripped; None if the file is missing."""
    try:
        with os.fdopen(open_file(path), "rb") as stream:
            return stream.read(MOST_POINTER_BYTES).decode("utf-8", "replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _sha256(path: Path) -> str:
    return hashlib.sha256(read_file(path, MOST_SETTINGS_BYTES)).hexdigest()


def _number(name: str) -> int:
    """Return the number in a generation's name, 0 for any other name."""
    digits = name[1:]
    return int(digits) if name[:1] == "g" and digits.isascii() and digits.isdigit() and len(digits) < 16 else 0
