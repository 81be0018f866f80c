"""Pages that browsers saved as one file (.mht, .mhtml, .webarchive): the page in it, read as an HTML page."""

from __future__ import annotations

import plistlib
import re
from collections.abc import Iterator
from email import message_from_bytes

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply
from qa_search.archives.encodings import declared_encoding
from qa_search.archives.formats.web_page import WebPageReader
from qa_search.types import Post, SetAside

_PROPERTY_LIST = b"bplist00"
_SUFFIXES = (".mht", ".mhtml")
_HEADER = re.compile(rb"^(?:From: <?Saved by |Snapshot-Content-Location:)", re.MULTILINE | re.IGNORECASE)
_MIME = re.compile(rb"^(?:MIME-Version|Content-Type):", re.MULTILINE | re.IGNORECASE)
_HEADER_BYTES = 2048
_MOST_PARTS = 1000


def is_saved_page(file: ArchiveFile) -> bool:
    """Return whether a file is a page that a browser saved with its pictures."""
    if file.head.startswith(_PROPERTY_LIST):
        return file.suffix == ".webarchive"
    header = file.head[:_HEADER_BYTES].replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    return _MIME.search(header) is not None and (file.suffix in _SUFFIXES or _HEADER.search(header) is not None)


class SavedPageReader:
    """Reads the page in a file that a browser made of it and its pictures."""

    name = "saved web page"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """A browser's header of a MIME message, or Safari's property list."""
        return is_saved_page(file)

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
        """Yield the page's posts.

        Raises:
            UnknownFormatError: if it has no page with recognisable questions and answers.
            DamagedArchiveError: if it is damaged.
        """
        data = file.read(options)
        found = _in_property_list(file, data) if data.startswith(_PROPERTY_LIST) else _in_message(data)
        if found is None:
            raise file.unknown("a saved page without a page in it", "Save the page as HTML.")
        markup, encoding = found
        yield from WebPageReader().read(file.with_bytes(markup, options.encoding or encoding), options)


def _in_message(data: bytes) -> tuple[bytes, str | None] | None:
    """Find the page in a MIME message: (markup, encoding)."""
    for number, part in enumerate(message_from_bytes(data).walk()):
        if number > _MOST_PARTS:
            return None
        if part.get_content_type() in ("text/html", "application/xhtml+xml"):
            markup = part.get_payload(decode=True)
            charset = part.get_content_charset()
            return (markup, declared_encoding(charset) if charset else None) if isinstance(markup, bytes) else None
    return None


def _in_property_list(file: ArchiveFile, data: bytes) -> tuple[bytes, str | None] | None:
    try:
        main = plistlib.loads(data, fmt=plistlib.FMT_BINARY)["WebMainResource"]
        markup, charset = main["WebResourceData"], main.get("WebResourceTextEncodingName")
    except (plistlib.InvalidFileException, KeyError, TypeError, AttributeError) as error:
        raise file.damaged("its list of parts is damaged: save the page again, as HTML") from error
    encoding = declared_encoding(charset) if isinstance(charset, str) else None
    return (markup, encoding) if isinstance(markup, bytes) else None
