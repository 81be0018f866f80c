"""What a reader gets and gives: the contract for archive formats."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import BinaryIO, Protocol

from qa_search.errors import DamagedArchiveError, UnknownFormatError
from qa_search.text import decode_head, detect_encoding, open_text
from qa_search.types import Post, SetAside

HEAD_BYTES = 1 << 16


@dataclass(frozen=True)
class ArchiveFile:
    """One stream of bytes, wherever it lies: a file of its own, or a member of a container.

    ``container`` is the label of the folder (or of the zip or 7z in it) and ``name`` the path below it, so
    ``source`` is the same wherever the folder lies on the machine. ``location`` is what a person is told.
    """

    container: str
    name: str
    location: str
    opener: Callable[[], BinaryIO]

    def open(self) -> BinaryIO:
        """Open the bytes from the start; the caller closes them."""
        return self.opener()

    @cached_property
    def head(self) -> bytes:
        """The first 64 KiB: what a format is recognised by."""
        with self.open() as stream:
            return stream.read(HEAD_BYTES)

    @cached_property
    def head_text(self) -> str | None:
        """The head as text, or None when it is not text."""
        return decode_head(self.head)

    def open_text(self, newline: str | None = None) -> io.TextIOWrapper:
        """Open the file as text; closing that closes the bytes below.

        Raises:
            DamagedArchiveError: if the bytes are not text.
        """
        encoding = detect_encoding(self.head)
        if encoding is None:
            raise self.damaged("binary data where text was expected")
        return open_text(self.open(), encoding, newline)

    @property
    def source(self) -> str:
        """The file's name among all sources."""
        return f"{self.container}/{self.name}"

    @property
    def suffix(self) -> str:
        """The last suffix of the name in lower case, ".gz" left aside: ``.csv`` for ``FAQ.CSV.gz``."""
        path = PurePosixPath(self.name.lower())
        return path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix

    def damaged(self, reason: str, place: str = "") -> DamagedArchiveError:
        """Make the error for a file that cannot be read to its end."""
        return DamagedArchiveError(
            f"{self._at(place)}: {reason}. Nothing was changed. Mend or remove the file, "
            "or build with --keep-going to index what can be read of it.",
            place=place,
            reason=reason,
        )

    def unknown(self, reason: str, way_out: str, place: str = "") -> UnknownFormatError:
        """Make the error for a file that is in no known format, or holds no posts in the one it has."""
        message = f"{self._at(place)}: {reason}. {way_out}".rstrip()
        return UnknownFormatError(message, place=place, reason=reason)

    def _at(self, place: str) -> str:
        return f"{self.location}, {place}" if place else self.location

    def set_aside(self, place: str, reason: str) -> SetAside:
        """Make the note for a post in this file that could not be read."""
        return SetAside(self.source, place, reason)


@dataclass(frozen=True)
class ReadOptions:
    """How archives are read. ``field_map`` maps a role (question, answer, ...) to a field's name."""

    field_map: Mapping[str, str] = field(default_factory=dict)


class Reader(Protocol):
    """One archive format. Packages add theirs through the entry-point group ``qa_search.readers``."""

    @property
    def name(self) -> str:
        """The format's name, for people."""

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """Tell from ``file.head`` and ``file.name`` whether the file is in this format."""

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside]:
        """Yield the file's posts in its own order, and a note for each that cannot be read.

        Memory must not grow with the file.

        Raises:
            DamagedArchiveError: if the rest of the file cannot be read (use ``file.damaged``).
            UnknownFormatError: if none of its records looks like a post (use ``file.unknown``).
        """
