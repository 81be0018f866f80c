"""Parquet tables."""

from __future__ import annotations

from collections.abc import Iterator

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply
from qa_search.archives.formats.decoded import decoded
from qa_search.archives.formats.records import Record, posts_of
from qa_search.types import Post, SetAside

_MAGIC = b"PAR1"


class ParquetReader:
    """Reads the rows of a Parquet file, lists and objects within them too."""

    name = "Parquet"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """Parquet's first bytes."""
        return file.head.startswith(_MAGIC)

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
        """Yield a post per row.

        Raises:
            UnknownFormatError: if no column is a question or an answer, or pyarrow is not installed.
            DamagedArchiveError: if the file is damaged.
        """
        return posts_of(file, _records(file, options), options)


def _records(file: ArchiveFile, options: ReadOptions) -> Iterator[Record | SetAside]:
    names: list[str] | None = None
    number = 0
    for item in decoded(file, "parquet", options):
        if not isinstance(item, list):
            continue
        if names is None:
            names = item
            continue
        number += 1
        yield Record(f"row {number}", dict(zip(names, item, strict=False)))
