"""Office documents: zip files that are one document, not a container of files."""

from __future__ import annotations

import struct
import zipfile
import zlib
from itertools import islice

from qa_search.archives.base import ArchiveFile, UnknownCompressionError
from qa_search.archives.containers.zip import ZIP_MAGICS, open_entry, zip_entries

# The member that each kind has, by its kind.
_MEMBERS = {
    "xl/workbook.xml": "xlsx",
    "xl/workbook.bin": "xlsb",
    "word/document.xml": "docx",
    "ppt/presentation.xml": "pptx",
}
_OPEN_DOCUMENTS = {
    b"application/vnd.oasis.opendocument.spreadsheet": "ods",
    b"application/vnd.oasis.opendocument.text": "odt",
    b"application/vnd.oasis.opendocument.presentation": "odp",
}
_MOST_MEMBERS = 5000
_MOST_TYPE = 100


def office_kind(file: ArchiveFile) -> str | None:
    """Name the kind of a zip file that is an office document (``xlsx``, ``ods``, ``docx``, ...), None for any other."""
    if not file.head.startswith(ZIP_MAGICS):
        return None
    try:
        with file.open() as stream:
            for entry in islice(zip_entries(stream), _MOST_MEMBERS):
                if kind := _MEMBERS.get(entry.name.replace("\\", "/").lstrip("/")):
                    return kind
                if entry.name == "mimetype" and entry.size <= _MOST_TYPE:
                    with open_entry(stream, entry) as packed:
                        return _OPEN_DOCUMENTS.get(packed.read(_MOST_TYPE).removesuffix(b"-template").strip())
    except (UnknownCompressionError, zipfile.BadZipFile, struct.error, zlib.error, EOFError, OSError, ValueError):
        return None  # whoever unpacks it says what is wrong
    return None


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
