"""HTML pages: archive pages, FAQ pages, forum topics, and schema.org data with questions and answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply
from qa_search.archives.formats.blog_comments import comment_posts, has_comments
from qa_search.archives.formats.chat_pages import chat_page_posts, way_out_of_chat
from qa_search.archives.formats.documents import document_posts
from qa_search.archives.formats.forums import read_topic
from qa_search.archives.formats.guestbook import guestbook_posts
from qa_search.archives.formats.html_text import TextTooLongError, html_to_text
from qa_search.archives.formats.labels import find_labels
from qa_search.archives.formats.letters import has_salutations, letters_on_page
from qa_search.archives.formats.mail_pages import is_list_of_mails, mail_of_page
from qa_search.archives.formats.mail_threads import posts_of_mails
from qa_search.archives.formats.one_question import only_question
from qa_search.archives.formats.outline import drop_furniture
from qa_search.archives.formats.page import PageError
from qa_search.archives.formats.page_html import archive_pages, canonical_url, count_pairs, is_html, page_markup
from qa_search.archives.formats.records import Record, posts_of
from qa_search.archives.formats.schema_org import schema_records
from qa_search.archives.formats.structured_data import json_ld, microdata, page_data, rdfa
from qa_search.archives.formats.threads import thread_post
from qa_search.archives.formats.trees import MOST_TREE_BYTES, element_text, parse_tree
from qa_search.archives.limits import format_size
from qa_search.errors import UnknownFormatError
from qa_search.types import Post, SetAside
from qa_search.util.text import clean_text

_SHORTEST_PAGE = 200  # a page with a text of its own has more characters
_SHORTEST_TEXT = 40
_SEVERAL = 2
_MARKDOWN_SUFFIXES = (".md", ".mdx", ".markdown", ".mkd")


class WebPageReader:
    """Reads HTML pages by the surest sign of questions and answers that they have."""

    name = "HTML page"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """An HTML page; only reading it shows whether it has questions and answers."""
        return is_html(file) and file.suffix not in _MARKDOWN_SUFFIXES

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
        """Yield the page's posts.

        Raises:
            UnknownFormatError: if it holds no questions and answers that can be recognised.
        """
        markup = page_markup(file, options)
        try:
            yield from self._posts(file, markup, options)
        except PageError as error:
            yield file.set_aside(error.place, f"not an archive page: {error}")
        except TextTooLongError:
            raise file.post_over_limit(options) from None
        except ValueError as error:
            yield file.set_aside("", str(error))

    def _posts(self, file: ArchiveFile, markup: str, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
        large = len(markup) > MOST_TREE_BYTES
        if large and (way_out := way_out_of_chat(markup)):
            raise file.over_limit(f"a chat's page of more than {format_size(MOST_TREE_BYTES)}: {way_out}")
        text = html_to_text(markup, options.limits.post_characters if large else None)
        lines = _lines(text)
        pairs = count_pairs(lines)
        if pairs == 1:
            if len(text) > options.limits.post_characters:
                raise file.post_over_limit(options)
            return iter(archive_pages(file, lines, markup, several=False))
        tree = parse_tree(markup)
        if tree is not None and (said := chat_page_posts(file, markup, tree, options)) is not None:
            return said
        mail = None if tree is None else mail_of_page(file, markup, tree)
        if mail is not None and not _has_labels(lines):
            return posts_of_mails(file, [mail], options)
        if mail is None and is_list_of_mails(markup):
            file.log.omit("pages that list the messages of an archive")
            return iter(())
        found = [] if tree is None else self._structured(file, tree, options)
        if not found and pairs > 1:
            drop_furniture(tree)
            found = [*archive_pages(file, _lines(element_text(tree)), markup, several=True)]
            file.log.took("question", "lines below 'Question'", len(found))
            file.log.took("answer", "lines below 'Answer'", len(found))
        if not found and tree is not None and has_salutations(lines) and not _has_labels(lines):
            found = letters_on_page(file, lines, tree, options, by_name=True)
        if not found and tree is not None:
            found = [*document_posts(file, tree, canonical_url(markup))]
        whole = None
        if not found and tree is not None:
            # With what was left out above.
            whole = parse_tree(markup)
            found = [*posts_of(file, _as_records([*page_data(whole, file.log.remark)], "data of the page"), options)]
            found = found or [*comment_posts(file, whole)]
            found = found or [*guestbook_posts(file, lines, options)]
            found = found or [*letters_on_page(file, lines, tree, options, by_name=False)]
            found = found or [*only_question(file, whole, canonical_url(markup))]
        if not found:
            raise _nothing(file, tree, whole, markup, text)
        return iter(found)

    def _structured(self, file: ArchiveFile, tree: Any, options: ReadOptions) -> list[Post | SetAside | Reply]:
        """Read the page's own data, and a forum's topic where that says less than its messages."""
        records = [
            record
            for kind in (json_ld, microdata, rdfa)
            for value in kind(tree, file.log.remark)
            for record in schema_records(value)
        ]
        if len(records) < 2:
            topic = read_topic(tree)
            if topic is not None and (len(topic.messages) > 1 or not records):
                url = canonical_url_of(tree)
                post = thread_post(
                    file, topic.title, topic.messages, source=file.container, source_id=file.name, url=url
                )
                file.log.took("question", f"first message ({topic.program})")
                file.log.took("answer", f"later messages ({topic.program})", bool(post.answer))
                return [post]
        if not records:
            return []
        return [*posts_of(file, _as_records(records), options)]


def _has_labels(lines: list[str]) -> bool:
    """Return whether a page's text has questions and answers behind labels, which are surer than what is around it."""
    labels = find_labels(lines)
    return labels is not None and len([*islice(labels.pairs(lines), _SEVERAL)]) == _SEVERAL


def _nothing(file: ArchiveFile, tree: Any, whole: Any, markup: str, text: str) -> UnknownFormatError:
    """Make the error for a page without questions and answers: where they may be, or what was looked for.

    ``tree`` lacks what is around the text, ``whole`` has it; both are None for a page that is too large for a tree.
    """
    frames = [] if tree is None else tree.xpath(".//frame/@src | .//iframe/@src")
    if frames and len(text) < _SHORTEST_PAGE:
        listed = ", ".join(map(str, frames[:5]))
        return file.unknown(f"a page of frames, without questions of its own: its texts are in {listed}", "Save these.")
    if len(text) < _SHORTEST_TEXT and "<script" in markup.lower():
        return file.unknown(
            "a page without a text: a program in it fetches the text when it is shown",
            "Open it in a browser, and save it from there as a complete page (or print it as PDF).",
        )
    if whole is not None and has_comments(whole):
        return file.unknown(
            "a page with comments; which of them answers another is unknown",
            "What its author answers is read where it stands below a comment that asks and is marked as the author's "
            "(bypostauthor, as WordPress does). Else put what is asked and what is answered into a table with the "
            "columns question and answer, or export the comments as records with a parent_id and an author.",
        )
    return file.unknown(
        "an HTML page without recognisable questions and answers",
        "What was looked for: headings, bold lines, terms or folded sections that ask (How ...?), with the answer "
        "below; a table with columns such as Question and Answer; lines that begin with Q: and A:; a forum's messages; "
        "letters (Dear ...) with their answers; FAQ data (schema.org).",
    )


def _as_records(records: Sequence[dict[str, object]], of: str = "schema.org item") -> Iterator[Record | SetAside]:
    for number, fields in enumerate(records, start=1):
        yield Record(f"{of} {number}", fields)


def canonical_url_of(tree: Any) -> str | None:
    """Find the address that a page declares, in its tree."""
    found = tree.xpath(".//link[@rel='canonical']/@href | .//meta[@property='og:url']/@content")
    return clean_text(found[0]) if found and found[0].strip() else None


def _lines(text: str) -> list[str]:
    return [line.strip() for line in clean_text(text).split("\n")]
