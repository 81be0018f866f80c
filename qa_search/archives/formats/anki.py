"""A collection as Anki packs it today (``collection.anki21b``, compressed with Zstandard) -> posts of its notes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply, require_scratch
from qa_search.archives.formats.sqlite_tables import posts_in_database
from qa_search.archives.limits import format_size
from qa_search.types import Post, SetAside

_MAGIC = b"\x28\xb5\x2f\xfd"
_READ_AT_ONCE = 1 << 16
_MOST_AT_ONCE = 1 << 20
_CHECKED_BYTES = 16 << 20
# That of Python 3.14 and later, and the one that py7zr brings for earlier versions.
_MODULES = ("compression.zstd", "backports.zstd")


class AnkiReader:
    """Reads the notes of a packed collection; older ones are plain SQLite databases."""

    name = "Anki collection"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """Its name and the first bytes of Zstandard."""
        return file.suffix == ".anki21b" and file.head.startswith(_MAGIC)

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
        """Yield a post per note.

        Raises:
            UnknownFormatError: if nothing that is installed unpacks it.
            DamagedArchiveError: if it is damaged.
            OverLimitError: if it unpacks to more than an archive may.
        """
        unpacker = _unpacker(file)
        with tempfile.TemporaryDirectory(prefix="qa-search-") as scratch:
            path = Path(scratch, "collection")
            try:
                _unpack(file, unpacker, path, options)
            except EOFError as error:
                raise file.damaged("data follows the compressed collection") from error
            except unpacker.error as error:
                raise file.damaged(f"the compressed collection is damaged ({error})") from error
            yield from posts_in_database(file, path, options)


class _Unpacker:
    def __init__(self, module: Any) -> None:
        window = {module.DecompressionParameter.window_log_max: 27}
        self.stream = module.ZstdDecompressor(options=window)
        self.error: type[Exception] = module.ZstdError


def _unpacker(file: ArchiveFile) -> _Unpacker:
    for name in _MODULES:
        try:
            return _Unpacker(import_module(name))
        except ImportError:
            continue
    raise file.unknown(
        "a collection of Anki in its new form: export the deck with 'Support older Anki versions', or as text", ""
    )


def _unpack(file: ArchiveFile, unpacker: _Unpacker, path: Path, options: ReadOptions) -> None:
    limits = options.limits
    written = checked = read = 0
    with file.open() as packed, path.open("wb") as out:
        while not unpacker.stream.eof:
            data = packed.read(_READ_AT_ONCE) if unpacker.stream.needs_input else b""
            if not data and unpacker.stream.needs_input:
                raise file.damaged("the compressed collection is truncated")
            read += len(data)
            piece = unpacker.stream.decompress(data, _MOST_AT_ONCE)
            written += len(piece)
            if written > min(limits.unpacked_bytes, max(limits.ratio_from, limits.ratio * read)):
                raise file.over_limit(f"it unpacks to more than {format_size(written)} (see Limits.ratio)")
            if written >= checked:
                require_scratch(file, path.parent, options, _CHECKED_BYTES)
                checked = written + _CHECKED_BYTES
            out.write(piece)
