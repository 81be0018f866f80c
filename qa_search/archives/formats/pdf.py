"""PDF: text with labelled or numbered questions."""

from __future__ import annotations

from collections.abc import Iterator

from qa_search.archives.base import ArchiveFile, ReadOptions
from qa_search.archives.formats.decoded import decoded
from qa_search.archives.formats.labelled_text import text_posts
from qa_search.types import Post, SetAside


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
                pages.append(item["text"])
                size += len(item["text"])
                if size > options.limits.record_bytes:
                    raise file.record_over_limit(options, f"page {len(pages)}")
        found = text_posts(file, "\n".join(pages).splitlines(), options)
        if found is None:
            scanned = "" if size else " (it holds no text: are its pages pictures?)"
            raise file.unknown(
                f"a PDF without questions and answers that can be recognised{scanned}",
                "It needs lines that begin with Q: and A:, or numbered questions.",
            )
        yield from found
