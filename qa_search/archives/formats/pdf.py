"""PDF: text with labelled or numbered questions."""

from __future__ import annotations

from collections.abc import Iterator

from qa_search.archives.base import ArchiveFile, ReadOptions
from qa_search.archives.formats.decoded import decoded
from qa_search.archives.formats.labelled_text import text_posts
from qa_search.errors import UnknownFormatError
from qa_search.types import Post, SetAside

# A document that asks does so before these are over.
_FIRST_PAGES = 40


class PdfReader:
    """Reads PDFs. A page has no paragraphs or headings, only lines: so questions must be labelled or numbered."""

    name = "PDF"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """PDF's first bytes."""
        return b"%PDF-" in file.head[:1024]

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside]:
        """Yield the document's posts.

        Raises:
            UnknownFormatError: if it holds no questions and answers that can be recognised.
            DamagedArchiveError: if the document is damaged.
        """
        pages: list[str] = []
        size = 0
        for item in decoded(file, "pdf", options):
            if isinstance(item, dict):
                # What ends a line that a hyphen parts; PDFium writes it so.
                pages.append(item["text"].replace("\ufffe\n", "").replace("\ufffe", ""))
                size += len(pages[-1])
                if size > options.limits.record_bytes:
                    raise file.record_over_limit(options, f"page {len(pages)}")
                if len(pages) == _FIRST_PAGES and text_posts(file, _lines(pages), options) is None:
                    raise _nothing(file, size)
        found = text_posts(file, _lines(pages), options)
        if found is None:
            raise _nothing(file, size)
        yield from found


def _lines(pages: list[str]) -> list[str]:
    return "\n".join(pages).splitlines()


def _nothing(file: ArchiveFile, size: int) -> UnknownFormatError:
    scanned = "" if size else " (it has no text: are its pages pictures?)"
    return file.unknown(
        f"a PDF without recognisable questions and answers{scanned}",
        "It needs lines that begin with Q: and A:, or numbered questions.",
    )
