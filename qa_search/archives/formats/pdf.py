"""PDF: text with labelled, numbered or bold questions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from html import escape
from itertools import chain

from qa_search.archives.base import ArchiveFile, ReadOptions
from qa_search.archives.formats.decoded import decoded
from qa_search.archives.formats.documents import document_posts
from qa_search.archives.formats.labelled_text import text_posts
from qa_search.archives.formats.labels import asks
from qa_search.archives.formats.trees import parse_tree
from qa_search.errors import UnknownFormatError
from qa_search.types import Post, SetAside

_Bold = list[tuple[str, float]]  # lines, each with the size of its letters
# A document that asks does so before these are over.
_FIRST_PAGES = 40


class PdfReader:
    """Reads PDFs. A page has no paragraphs or headings, only lines: questions are labelled, numbered, or bold."""

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
        bold: list[_Bold] = []
        size = 0
        for item in decoded(file, "pdf", options):
            if isinstance(item, dict):
                pages.append(_joined(item["text"]))
                bold.append([(_joined(line), size) for line, size in item["bold"]])
                size += len(pages[-1])
                if size > options.limits.record_bytes:
                    raise file.record_over_limit(options, f"page {len(pages)}")
                if len(pages) == _FIRST_PAGES and not _asks(file, pages, bold, options):
                    raise _nothing(file, size)
        found = text_posts(file, _lines(pages), options)
        if found is None:
            found = iter(_by_bold_lines(file, pages, bold))
            first = next(found, None)
            if first is None:
                raise _nothing(file, size)
            found = chain([first], found)
        yield from found


def _joined(text: str) -> str:
    """Join the words that a hyphen parts at the end of a line; PDFium writes it so."""
    return text.replace("\ufffe\n", "").replace("\ufffe", "")


def _asks(file: ArchiveFile, pages: list[str], bold: list[_Bold], options: ReadOptions) -> bool:
    if text_posts(file, _lines(pages), options) is not None:
        return True
    probe = replace(file)  # with a log of its own
    return next(iter(_by_bold_lines(probe, pages, bold)), None) is not None


def _by_bold_lines(file: ArchiveFile, pages: list[str], bold: list[_Bold]) -> Iterator[Post]:
    """Yield the posts of a document whose bold lines are its headings, by the rules of other documents."""
    paragraphs: list[tuple[float, list[str]]] = []  # the size of its letters, 0 where they are not bold; its lines
    for page, found in zip(pages, bold, strict=True):
        sizes: dict[str, list[float]] = {}
        for line, size in reversed(found):
            sizes.setdefault(line, []).append(size)
        for line in map(str.strip, page.splitlines()):
            size = sizes[line].pop() if sizes.get(line) else 0
            if paragraphs and paragraphs[-1][0] == size and not (size and asks(paragraphs[-1][1][-1])):
                paragraphs[-1][1].append(line)
            elif line:
                paragraphs.append((size, [line]))
    if not any(size for size, _ in paragraphs):
        return
    title = paragraphs.pop(0)[1] if not asks(paragraphs[0][1][-1]) and paragraphs[0][0] else []
    markup = f"<h1>{escape(' '.join(title))}</h1>" + "".join(
        f"<p><b>{escape(' '.join(lines))}</b></p>" if size else f"<p>{'<br>'.join(map(escape, lines))}</p>"
        for size, lines in paragraphs
    )
    try:
        tree = parse_tree(markup)
    except ValueError:
        return
    if tree is not None:
        yield from document_posts(file, tree, None)


def _lines(pages: list[str]) -> list[str]:
    return "\n".join(pages).splitlines()


def _nothing(file: ArchiveFile, size: int) -> UnknownFormatError:
    scanned = "" if size else " (it has no text: are its pages pictures?)"
    return file.unknown(
        f"a PDF without recognisable questions and answers{scanned}",
        "It needs lines that begin with Q: and A:, numbered questions, or bold lines of which half ask.",
    )
