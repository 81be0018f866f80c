"""Office documents: zip files that are one document, not a container of files."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

from qa_search.archives.base import ArchiveFile, UnknownCompressionError
from qa_search.archives.containers.zip import ZIP_MAGICS, ZipEntry, entries_by_headers, open_entry, zip_entries

# The member that each kind has, by its kind.
_MEMBERS = {
    "xl/workbook.xml": "xlsx",
    "xl/workbook.bin": "xlsb",
    "word/document.xml": "docx",
    "ppt/presentation.xml": "pptx",
    "Index/Document.iwa": "iwork",  # Pages, Numbers or Keynote
    "index.apxl": "iwork",
    "index.xml.gz": "iwork",
}
_OPEN_DOCUMENTS = {
    b"application/vnd.oasis.opendocument.spreadsheet": "ods",
    b"application/vnd.oasis.opendocument.text": "odt",
    b"application/vnd.oasis.opendocument.presentation": "odp",
}
_MOST_MEMBERS = 5000
_MOST_TYPE = 100
_MOST_UNPACKED = 1 << 24


def office_kind(file: ArchiveFile) -> str | None:
    """Name the kind of a zip file that is an office document (``xlsx``, ``ods``, ``docx``, ...), None for any other."""
    if not file.head.startswith(ZIP_MAGICS):
        return None
    try:
        with file.open() as stream:
            for entry in islice(_members(stream), _MOST_MEMBERS):
                if kind := _MEMBERS.get(entry.name.replace("\\", "/").lstrip("/")):
                    return kind
                if entry.name == "mimetype" and entry.size <= _MOST_TYPE:
                    with open_entry(stream, entry) as packed:
                        return _OPEN_DOCUMENTS.get(packed.read(_MOST_TYPE).removesuffix(b"-template").strip())
    except (UnknownCompressionError, zipfile.BadZipFile, struct.error, zlib.error, EOFError, OSError, ValueError):
        return None  # whoever unpacks it says what is wrong
    return None


def _members(stream: BinaryIO) -> Iterator[ZipEntry]:
    """List the members, also those of a document that was cut off: its parts are not an archive of files."""
    try:
        yield from zip_entries(stream)
    except zipfile.BadZipFile:
        yield from entries_by_headers(stream, _MOST_UNPACKED)


def largest_member(file: ArchiveFile) -> int:
    """Return the size of the largest text in an office document, pictures left aside; 0 for other files."""
    if not file.head.startswith(ZIP_MAGICS):
        return 0
    try:
        with file.open() as stream:
            sizes = (entry.size for entry in zip_entries(stream) if entry.name.endswith((".xml", ".rels", ".bin")))
            return max(sizes, default=0)
    except (zipfile.BadZipFile, struct.error, OSError):
        return 0
