"""Word documents (.docx), read as the HTML that they stand for."""

from __future__ import annotations

from collections.abc import Iterator

from qa_search.archives.base import ArchiveFile, ReadOptions
from qa_search.archives.containers.office import office_kind
from qa_search.archives.formats.decoded import decoded
from qa_search.archives.formats.documents import document_posts
from qa_search.archives.formats.html_text import html_to_text
from qa_search.archives.formats.trees import parse_tree
from qa_search.types import Post, SetAside


class WordReader:
    """Reads Word documents whose headings, bold lines or labels ask."""

    name = "Word document"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """A zip with a Word document in it."""
        return office_kind(file) == "docx"

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside]:
        """Yield the document's posts.

        Raises:
            UnknownFormatError: if it holds no questions and answers that can be recognised.
            DamagedArchiveError: if the document is damaged.
        """
        markup = "".join(item["html"] for item in decoded(file, "word", options) if isinstance(item, dict))
        try:
            html_to_text(markup)  # refuses what is nested too deep
            tree = parse_tree(markup)
        except ValueError as error:
            yield file.set_aside("", str(error))
            return
        found = [] if tree is None else [*document_posts(file, tree, None)]
        if not found:
            raise file.unknown(
                "a Word document without recognisable questions and answers",
                "It needs headings or bold lines that ask, or lines that begin with Q: and A:.",
            )
        yield from found
