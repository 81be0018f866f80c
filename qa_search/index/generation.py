"""One published generation of an index folder: its manifest and its files, checked and held open."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from qa_search.errors import IndexDamagedError, IndexForkedError
from qa_search.index.base import Stores
from qa_search.index.folder_stores import open_folder
from qa_search.index.integrity import FileRecord, OpenFiles, find_damage
from qa_search.index.manifest import FolderManifest
from qa_search.index.owned import index_of

MANIFEST = "manifest.json"
MANIFEST_HASH = "manifest.sha256"
# The file system has no hard links, or allows no more of them, or the file is on another file system.
_NO_LINKS = {errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES}


@dataclass(frozen=True)
class Generation:
    """One published generation: its folder, its manifest, and its files, checked and held open."""

    folder: Path
    manifest: FolderManifest
    watch: OpenFiles = field(default_factory=OpenFiles, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The generation's name."""
        return self.folder.name

    @property
    def file_names(self) -> Iterable[str]:
        """The names of its files, below its folder."""
        return self.manifest.files

    def open_stores(self) -> Stores:
        """Open what a search needs.

        Raises:
            IndexDamagedError: if a file is missing or damaged.
        """
        return open_folder(self.folder, self.manifest, self.file_names)

    def copy_files(self, names: Iterable[str], target: Path) -> None:
        """Copy files of this generation into the folder of a new one.

        Raises:
            IndexDamagedError: if one is damaged: it must not be published again under a valid hash.
        """
        for name in names:
            copied = target / name
            copied.parent.mkdir(exist_ok=True)
            shutil.copyfile(self.folder / name, copied)
            damage = find_damage(copied, self.manifest.files[name])
            if damage:
                raise self._damaged(damage, target, name)

    def link_files(self, names: Iterable[str], target: Path) -> None:
        """Put files of this generation into the folder of a new one, as hard links where the system can.

        Raises:
            IndexDamagedError: as `copy_files`.
        """
        for name in names:
            try:
                os.link(self.folder / name, target / name)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                shutil.copyfile(self.folder / name, target / name)
            damage = find_damage(target / name, self.manifest.files[name])
            if damage:
                raise self._damaged(damage, target, name)

    def record_of(self, name: str, path: Path) -> FileRecord | None:
        """Return the record of one of its files if a path leads to that same file, as after `link_files`."""
        with suppress(OSError):
            if name in self.manifest.files and (self.folder / name).samefile(path):
                return self.manifest.files[name]
        return None

    def _damaged(self, damage: str, target: Path, name: str) -> IndexDamagedError:
        what = damage.replace(str(target / name), str(self.folder / name))
        return IndexDamagedError.of(index_of(self.folder), what)

    def require_unchanged(self) -> None:
        """Make sure that the open files have not changed since they were checked.

        Raises:
            IndexDamagedError: if one was written to.
            IndexForkedError: if this process was forked from the one that opened them.
        """
        if self.watch.forked:
            raise IndexForkedError(
                f"{index_of(self.folder)}: this process was forked from the one that opened the index, and the "
                "libraries below cannot be used on both sides of a fork. Start processes by spawn (multiprocessing."
                "get_context('spawn')), or fork before any index is opened, and open it in each process."
            )
        changed = self.watch.changed()
        if changed is not None:
            raise IndexDamagedError.of(index_of(self.folder), f"{changed} was changed while the index was open")
