"""The index folder: immutable generations and one pointer file that is replaced atomically.

::

    index/
        CURRENT                 the generation that answers: its name, and the SHA-256 of its manifest
        build.lock              held while a build writes; build.holder says by whom
        encoders/               exported models, see encoders.py
        generations/
            g000001/            one generation: manifest.json and the files that it lists
            g000002.partial/    one being written; of no meaning to readers

Order of a publication: the files are flushed to disk, then the manifest, then the folder gets its name, then
the pointer is replaced. A build that dies before the last step leaves the old generation answering.

The pointer vouches for the manifest, the manifest for every file: opening compares all of them with what was written.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import reprlib
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import apsw

from qa_search.errors import (
    IndexDamagedError,
    IndexFolderError,
    IndexFormatError,
    IndexLockedError,
    IndexNotFoundError,
    IndexWriteError,
)
from qa_search.index.generation import MANIFEST, MANIFEST_HASH, Generation
from qa_search.index.integrity import (
    BLOCKS_SUFFIX,
    HeldFiles,
    Watch,
    flush,
    flush_tree,
    measure,
    open_file,
    read_file,
)
from qa_search.index.manifest import is_file_list, is_plain_name

FORMAT_VERSION = 5
READABLE_VERSIONS = (3, 4, 5)
# Its files have SHA-256 only, and nothing vouches for its manifest.
UNHASHED_VERSION = 3
POINTER = "CURRENT"
LOCK = "build.lock"
HOLDER = "build.holder"
GENERATIONS = "generations"
# Files that have block sums are read whole when they are opened up to this much altogether.
CHECKED_WHOLE_BYTES = 256 << 20
_WRITE_ERRORS = (apsw.FullError, apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError)
_PARTIAL = ".partial"
_ATTEMPTS = 10
_SMALL_BYTES = 1 << 12

T = TypeVar("T")


class IndexFolder:
    """Reads and publishes the generations of one index folder."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def current(self) -> Generation:
        """Return the generation that answers.

        Raises:
            IndexNotFoundError: if there is none.
            IndexDamagedError: if its files are not what was written.
            IndexFormatError: if its format is not one that this version reads.
        """
        return self.open_current(lambda generation: generation)

    def open_current(self, use: Callable[[Generation], T]) -> T:
        """Open the generation that answers by ``use``; another one, if builds replace it at that very moment.

        Raises:
            IndexFolderError: as `current`, and whatever ``use`` raises.
        """
        for _ in range(_ATTEMPTS):
            pointer = self.pointer()
            try:
                return use(self._open(*pointer))
            except IndexDamagedError:
                # Two builds may have replaced the pointer and cleared the generation away meanwhile.
                if pointer == self.pointer():
                    raise
        raise IndexDamagedError.told(self.path, f"{self.path / POINTER} changes faster than the index can be opened")

    def pointer(self) -> tuple[str, str]:
        """Return the name of the generation that answers and its manifest's SHA-256, without opening it.

        Raises:
            IndexNotFoundError: if there is none.
            IndexDamagedError: if the pointer cannot be read.
        """
        pointer = self._pointer_or_none()
        if pointer is None:
            lost = ""
            if self.names():
                lost = f" ({self.path / POINTER} is missing; to let a generation answer: qa-search verify --fall-back)"
            raise IndexNotFoundError(
                f"{self.path}: no index in this folder{lost}. "
                f"Build one with: qa-search build SOURCE --index {self.path}"
            )
        name, _, sha256 = pointer.partition(" ")
        if not is_plain_name(name) or name.startswith(".") or not _number(name):
            raise IndexDamagedError.told(self.path, f"{self.path / POINTER} names no generation")
        return name, sha256

    def close(self) -> None:
        """Close nothing: a folder holds nothing open."""

    def names(self) -> list[str]:
        """Return the names of all whole generations, the latest first."""
        with suppress(FileNotFoundError, NotADirectoryError):
            found = [path.name for path in (self.path / GENERATIONS).iterdir() if _number(path.name)]
            return sorted(found, key=_number, reverse=True)
        return []

    def inspect(self, name: str) -> Generation:
        """Open a generation whether it answers or not, as far as its own files vouch for it.

        Raises:
            IndexDamagedError: if its files are not what was written.
            IndexFormatError: if its format is not one that this version reads.
        """
        return self._open(name, None)

    def point_to(self, name: str) -> None:
        """Let another whole generation answer.

        Raises:
            IndexDamagedError: if that one is damaged.
        """
        self.inspect(name)
        self._point(name, _sha256(self.path / GENERATIONS / name / MANIFEST))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the folder for a build.

        Raises:
            IndexLockedError: if another build holds it.
            IndexWriteError: if the folder cannot be written to.
        """
        import filelock  # here, because searching needs no lock

        lock = filelock.FileLock(self.path / LOCK)
        with self._write_errors():
            if not (self.path / GENERATIONS).is_dir():
                (self.path / GENERATIONS).mkdir(parents=True, exist_ok=True)
                flush(self.path)
                flush(self.path.parent)
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                raise IndexLockedError(
                    f"{self.path}: another build is writing to this index{self._holder()}. Wait for it, or build into "
                    "another folder with --index. Searches go on meanwhile."
                ) from None
        try:
            with self._write_errors():
                self._note_holder()
                yield
        finally:
            with suppress(OSError):
                (self.path / HOLDER).unlink(missing_ok=True)
            lock.release()

    def hold_encoder(self, record: Mapping[str, Any]) -> HeldFiles:
        """Open the files of the exported encoder that a manifest names, to be read when they are needed.

        Raises:
            IndexDamagedError: if one is missing or cannot be opened.
        """
        folder = self.path / "encoders" / str(record["folder"])
        try:
            return HeldFiles(folder, record["files"])
        except OSError as error:
            raise IndexDamagedError.told(self.path, f"{error.filename} cannot be read ({error.strerror})") from error

    def require_encoder(self, held: HeldFiles, record: Mapping[str, Any]) -> None:
        """Compare every byte of an encoder with what was written.

        Raises:
            IndexDamagedError: if a file is not what was written.
        """
        for name, expected in record["files"].items():
            damage = held.damage(name, expected)
            if damage:
                raise IndexDamagedError.told(self.path, damage)

    def start_generation(self) -> Path:
        """Make the folder of a new generation; leftovers of builds that died are removed."""
        generations = self.path / GENERATIONS
        for folder in generations.glob(f"*{_PARTIAL}"):
            shutil.rmtree(folder)
        started = generations / f"g{max(map(_number, self.names()), default=0) + 1:06}{_PARTIAL}"
        started.mkdir()
        return started

    def publish(self, started: Path, manifest: Mapping[str, Any]) -> Generation:
        """Make a finished generation the one that answers.

        ``manifest`` is completed with the format version, the generation's name and each file's size and hashes. The
        latest other generation that is whole is kept.
        """
        flush_tree(started)
        files = {
            path.relative_to(started).as_posix(): measure(path) for path in sorted(started.rglob("*")) if path.is_file()
        }
        published = started.with_name(started.name.removesuffix(_PARTIAL))
        complete = {"format_version": FORMAT_VERSION, **manifest, "generation": published.name, "files": files}
        text = json.dumps(complete, ensure_ascii=False, indent=2) + "\n"
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        for name, content in ((MANIFEST, text), (MANIFEST_HASH, f"{sha256}\n")):
            (started / name).write_text(content, encoding="utf-8")
            flush(started / name)
        flush(started)
        started.rename(published)
        flush(published.parent)
        replaced = self._pointer_or_none()
        self._point(published.name, sha256)
        self._clear(published.name, replaced)
        return Generation(published, complete)

    def used_encoders(self) -> set[str]:
        """Return the names of the encoders of all generations that are there and can be read."""
        used = set()
        for name in self.names():
            with suppress(IndexFolderError, AttributeError):
                encoder = self.read_manifest(name).get("encoder", {}).get("folder")
                used.update([encoder] if isinstance(encoder, str) else [])
        return used

    def abandon(self, started: Path) -> None:
        """Remove what a failed build wrote."""
        shutil.rmtree(started, ignore_errors=True)

    def _open(self, name: str, pointed: str | None) -> Generation:
        """Open a generation and compare its files with its manifest, and that with its hashes."""
        folder = self.path / GENERATIONS / name
        manifest = self.read_manifest(name, pointed)
        watch = Watch()
        files = manifest["files"]
        by_blocks = 0
        for file, record in files.items():
            read = f"{file}{BLOCKS_SUFFIX}" not in files
            if not read:
                by_blocks += record["bytes"]
                read = by_blocks <= CHECKED_WHOLE_BYTES
            try:
                damage = watch.add(folder / file, record, read=read)
            except FileNotFoundError:
                damage = f"{folder / file} is missing"
            except OSError as error:
                damage = f"{folder / file} cannot be read ({error.strerror})"
            if damage:
                raise IndexDamagedError.told(self.path, damage)
        return Generation(folder, manifest, watch)

    def read_manifest(self, name: str, pointed: str | None = None) -> Mapping[str, Any]:
        """Read a manifest and compare it with the hash beside it, and with the pointer's unless that is None.

        Raises:
            IndexDamagedError: if it is not what was written, or lists no files.
            IndexFormatError: if its format is not one that this version reads.
        """
        path = self.path / GENERATIONS / name / MANIFEST
        try:
            data = read_file(path)
            recorded = _read_if_there(path.with_name(MANIFEST_HASH))
            hashes = {text for text in (recorded, pointed) if text}
            if hashes - {hashlib.sha256(data).hexdigest()}:
                raise IndexDamagedError.told(self.path, f"{path} is not what was written (its SHA-256 is another)")
            manifest: dict[str, Any] = json.loads(data)
            version, files = manifest["format_version"], manifest["files"]
            json.dumps(manifest, ensure_ascii=False).encode()  # half of a surrogate pair cannot be shown or stored
        except FileNotFoundError as error:
            raise IndexDamagedError.told(self.path, f"{path} is missing") from error
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise IndexDamagedError.told(self.path, f"{path} cannot be read ({error})") from error
        if version not in READABLE_VERSIONS:
            readable = " and ".join(map(str, READABLE_VERSIONS))
            raise IndexFormatError(
                f"{path.parent}: index format {reprlib.repr(version)}; this version of qa-search reads formats "
                f"{readable}. "
                f"Build the index again: qa-search build --index {self.path}"
            )
        if version != UNHASHED_VERSION and (not recorded or pointed == ""):
            missing = self.path / POINTER if recorded else path.with_name(MANIFEST_HASH)
            raise IndexDamagedError.told(self.path, f"{missing} does not hold the SHA-256 of {path}")
        if not is_file_list(files) or manifest.get("generation", name) != name:
            raise IndexDamagedError.told(self.path, f"{path} is not the manifest of a generation of this name")
        return manifest

    def _pointer_or_none(self) -> str | None:
        try:
            return _read_if_there(self.path / POINTER)
        except OSError as error:
            raise IndexDamagedError.told(
                self.path, f"{self.path / POINTER} cannot be read ({error.strerror})"
            ) from error

    def _point(self, name: str, sha256: str) -> None:
        replacement = self.path / f"{POINTER}.new"
        replacement.write_text(f"{name} {sha256}\n", encoding="utf-8")
        flush(replacement)
        replacement.replace(self.path / POINTER)
        with suppress(OSError):  # it answers already; after a power cut the old pointer is as whole as this one
            flush(self.path)

    def _clear(self, published: str, replaced: str | None) -> None:
        """Remove old generations but the last good one; one that cannot be removed now is left to the next build."""
        kept = {published, self._last_good(published, (replaced or "").partition(" ")[0])}
        with suppress(OSError):
            for folder in (self.path / GENERATIONS).iterdir():
                if folder.name not in kept:
                    shutil.rmtree(folder, ignore_errors=True)

    def _last_good(self, published: str, replaced: str) -> str | None:
        """Find what to fall back to: the one that answered before, if it is whole, else the latest that is."""
        others = [name for name in self.names() if name != published]
        for name in sorted(others, key=lambda name: name != replaced):
            with suppress(IndexDamagedError, IndexFormatError):
                return self.inspect(name).name
        return None

    def _note_holder(self) -> None:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        with suppress(OSError):
            (self.path / HOLDER).write_text(
                f"process {os.getpid()} on {socket.gethostname()}, since {since}\n", encoding="utf-8"
            )

    def _holder(self) -> str:
        """Say who holds the lock, if that can be known."""
        try:
            noted = (self.path / HOLDER).read_text(encoding="utf-8", errors="replace")[:200].strip()
        except OSError:
            return ""
        return f" ({noted})" if noted.isprintable() and noted else ""

    @contextmanager
    def _write_errors(self) -> Iterator[None]:
        """Turn the system's errors into one that names the folder and says that nothing was lost."""
        try:
            yield
        except (OSError, *_WRITE_ERRORS) as error:
            raise IndexWriteError(
                f"{self.path}: the index cannot be written ({_reason(error)}). "
                "What was there before still answers. Make room or choose another folder with --index."
            ) from error


def _reason(error: OSError | apsw.Error) -> str:
    if isinstance(error, OSError):
        known = {errno.ENOSPC: "no space left on the disk", errno.EROFS: "the file system is read-only"}
        reason = known.get(error.errno or 0, error.strerror or str(error))
        return f"{reason}: {error.filename}" if error.filename else reason
    return "no space left on the disk" if "full" in str(error) else str(error)


def _read_if_there(path: Path) -> str | None:
    """Return a small file's text without blanks around it, None if there is no such file."""
    try:
        with os.fdopen(open_file(path), "rb") as stream:
            return stream.read(_SMALL_BYTES).decode("utf-8", "replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _sha256(path: Path) -> str:
    return hashlib.sha256(read_file(path)).hexdigest()


def _number(name: str) -> int:
    """Return the number of a generation from its name, 0 if it is no such name."""
    digits = name[1:]
    return int(digits) if name[:1] == "g" and digits.isascii() and digits.isdigit() and len(digits) < 16 else 0
