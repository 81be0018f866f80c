"""The index folder: immutable generations and one pointer file that is replaced atomically.

::

    index/
        CURRENT                 the name of the generation that answers
        build.lock              held while a build writes
        generations/
            g000001/            one generation: manifest.json and the files that it lists
            g000002.partial/    one being written; of no meaning to readers

Order of a publication: the files are flushed to disk, then the manifest, then the folder gets its name, then
the pointer is replaced. A build that dies before the last step leaves the old generation answering.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qa_search.embedders.locate import hash_file
from qa_search.errors import (
    IndexDamagedError,
    IndexFormatError,
    IndexLockedError,
    IndexNotFoundError,
    IndexWriteError,
)

FORMAT_VERSION = 3
POINTER = "CURRENT"
LOCK = "build.lock"
GENERATIONS = "generations"
MANIFEST = "manifest.json"
_PARTIAL = ".partial"


@dataclass(frozen=True)
class Generation:
    """One published generation: where it is, and its manifest."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The generation's name."""
        return self.folder.name

    def copy_files(self, names: Iterable[str], target: Path) -> None:
        """Copy files of this generation into the folder of a new one.

        Raises:
            IndexDamagedError: if one is not what was written: damage must not be published anew under a good hash.
        """
        for name in names:
            copied = target / name
            copied.parent.mkdir(exist_ok=True)
            shutil.copyfile(self.folder / name, copied)
            if hash_file(copied) != self.manifest["files"][name]["sha256"]:
                raise IndexDamagedError(
                    f"{self.folder / name} is not what was written. "
                    f"Build the index afresh: qa-search build --rebuild --index {self.folder.parent.parent}"
                )


class IndexFolder:
    """Reads and publishes the generations of one index folder."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def current(self) -> Generation:
        """Return the generation that answers.

        Raises:
            IndexNotFoundError: if there is none.
            IndexDamagedError: if its files are not what the manifest lists.
            IndexFormatError: if its format is not one that this version reads.
        """
        for attempt in range(3):
            name = self._pointed()
            try:
                return self._open(name)
            except FileNotFoundError as error:
                # A build may have replaced the pointer and cleared the generation away meanwhile.
                if attempt == 2 or name == self._pointed():
                    raise self._damaged(f"{error.filename} is missing") from error
        raise AssertionError("unreachable")

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
            (self.path / GENERATIONS).mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                raise IndexLockedError(
                    f"{self.path}: another build is writing to this index. Wait for it, or build into another "
                    "folder with --index. Searches go on meanwhile."
                ) from None
        try:
            with self._write_errors():
                yield
        finally:
            lock.release()

    def encoder(self, record: Mapping[str, Any]) -> Path:
        """Return the folder of the exported encoder that a manifest names.

        Raises:
            IndexDamagedError: if a file of it is missing or has another size.
        """
        folder = self.path / "encoders" / str(record["folder"])
        for file, expected in record["files"].items():
            path = folder / file
            if not path.is_file() or path.stat().st_size != expected["bytes"]:
                raise self._damaged(f"{path} is missing or has another size than the manifest says")
        return folder

    def start_generation(self) -> Path:
        """Make the folder of a new generation; leftovers of builds that died are removed."""
        generations = self.path / GENERATIONS
        numbers = [0]
        for folder in generations.iterdir():
            if folder.name.endswith(_PARTIAL):
                shutil.rmtree(folder)
            elif folder.name[:1] == "g" and folder.name[1:].isdigit():
                numbers.append(int(folder.name[1:]))
        started = generations / f"g{max(numbers) + 1:06}{_PARTIAL}"
        started.mkdir()
        return started

    def publish(self, started: Path, manifest: Mapping[str, Any]) -> Generation:
        """Make a finished generation the one that answers.

        ``manifest`` is completed with the format version and each file's size and SHA-256.
        """
        files = {}
        for path in sorted(started.rglob("*")):
            _flush(path)
            if path.is_file():
                name = path.relative_to(started).as_posix()
                files[name] = {"bytes": path.stat().st_size, "sha256": hash_file(path)}
        complete = {"format_version": FORMAT_VERSION, **manifest, "files": files}
        with (started / MANIFEST).open("w", encoding="utf-8") as stream:
            json.dump(complete, stream, ensure_ascii=False, indent=2)
            stream.write("\n")
        _flush(started / MANIFEST)
        _flush(started)
        published = started.with_name(started.name.removesuffix(_PARTIAL))
        started.rename(published)
        _flush(published.parent)
        previous = self._pointed_or_none()
        replacement = self.path / f"{POINTER}.new"
        replacement.write_text(f"{published.name}\n", encoding="utf-8")
        _flush(replacement)
        replacement.replace(self.path / POINTER)
        _flush(self.path)
        self._clear({published.name, previous})
        return Generation(published, complete)

    def kept_manifests(self) -> list[Mapping[str, Any]]:
        """Return the manifests of all generations that are there."""
        found = []
        for path in (self.path / GENERATIONS).glob(f"*/{MANIFEST}"):
            with suppress(OSError, ValueError):
                found.append(json.loads(path.read_bytes()))
        return found

    def abandon(self, started: Path) -> None:
        """Remove what a failed build wrote."""
        shutil.rmtree(started, ignore_errors=True)

    def _open(self, name: str) -> Generation:
        folder = self.path / GENERATIONS / name
        try:
            manifest = json.loads((folder / MANIFEST).read_bytes())
            version, files = manifest["format_version"], manifest["files"]
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged(f"{folder / MANIFEST} cannot be read ({error})") from error
        if version != FORMAT_VERSION:
            raise IndexFormatError(
                f"{folder}: index format {version}; this version of qa-search reads format {FORMAT_VERSION}. "
                f"Build the index again: qa-search build --index {self.path}"
            )
        for file, expected in files.items():
            size = (folder / file).stat().st_size
            if size != expected["bytes"]:
                raise self._damaged(f"{folder / file} has {size} bytes, the manifest says {expected['bytes']}")
        return Generation(folder, manifest)

    def _pointed(self) -> str:
        name = self._pointed_or_none()
        if name is None:
            raise IndexNotFoundError(
                f"{self.path}: no index in this folder. Build one with: qa-search build SOURCE --index {self.path}"
            )
        if not name or "/" in name or "\\" in name or name.startswith("."):
            raise self._damaged(f"{self.path / POINTER} names no generation")
        return name

    def _pointed_or_none(self) -> str | None:
        try:
            return (self.path / POINTER).read_text(encoding="utf-8", errors="replace").strip()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _clear(self, kept: set[str | None]) -> None:
        """Remove generations that no longer answer; one that cannot be removed now is left to the next build."""
        for folder in (self.path / GENERATIONS).iterdir():
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    def _damaged(self, what: str) -> IndexDamagedError:
        return IndexDamagedError(f"{what}. Build the index again: qa-search build --index {self.path}")

    @contextmanager
    def _write_errors(self) -> Iterator[None]:
        """Turn the system's errors into one that names the folder and says that nothing was lost."""
        try:
            yield
        except (OSError, sqlite3.OperationalError) as error:
            raise IndexWriteError(
                f"{self.path}: the index cannot be written ({_reason(error)}). "
                "What was there before still answers. Make room or choose another folder with --index."
            ) from error


def _reason(error: OSError | sqlite3.OperationalError) -> str:
    if isinstance(error, OSError):
        known = {errno.ENOSPC: "no space left on the disk", errno.EROFS: "the file system is read-only"}
        reason = known.get(error.errno or 0, error.strerror or str(error))
        return f"{reason}: {error.filename}" if error.filename else reason
    return "no space left on the disk" if "full" in str(error) else str(error)


def _flush(path: Path) -> None:
    """Have the system write a file, or a folder's list of names, to the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
