"""Markdown documents: headings, labels or folded sections as questions, front matter for the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from qa_search.archives.base import ArchiveFile, ReadOptions, short_date
from qa_search.archives.formats import wikitext
from qa_search.archives.formats.documents import document_posts
from qa_search.archives.formats.hiding import HIDING
from qa_search.archives.formats.html_text import html_to_text
from qa_search.archives.formats.labels import asks, part_at_answer
from qa_search.archives.formats.notion import is_notion_page
from qa_search.archives.formats.records import Record, content_id, post_of
from qa_search.archives.formats.roles import normal_name, role_of
from qa_search.archives.formats.trees import MOST_TREE_BYTES, element_text, parse_tree
from qa_search.archives.formats.values import FLAG_WORDS, is_yes, split_tags
from qa_search.archives.formats.yaml_values import YamlError, parse_yaml
from qa_search.types import Post, SetAside
from qa_search.util.text import clean_text

SUFFIXES = (".md", ".mdx", ".markdown", ".mkd", ".mdown")
_FRONT_MATTER = re.compile(
    r"\ufeff?(?:---|\+\+\+)[ \t]*\n(.{0,65536}?)\n(?:---|\.\.\.|\+\+\+)[ \t]*(?:\n|\Z)", re.DOTALL
)
_PROPERTIES = re.compile(
    r"(?P<title>\s*# [^\n]+\n[ \t]*\n)(?P<lines>(?:[^\W\d_][\w /()-]{0,40}: [^\n]{1,500}\n){2,30})(?=[ \t]*(?:\n|\Z))"
)
_HEADING = re.compile(r"^#{1,6}[ \t]+\S", re.MULTILINE)
# DokuWiki's headings, of which the first level has six signs, and its tags.
_WIKI_HEADING = re.compile(r"^[ \t]*(={2,6})[ \t]*([^=\s][^\n]{0,500}?)[ \t]*\1[ \t]*$", re.MULTILINE)
_WIKI_TAGS = re.compile(r"^\{\{tag>([^{}\n]{1,500})\}\}[ \t]*$", re.MULTILINE)
_WIKI_LEVELS = 7
# A line of a program, a table or markup, not of a paragraph of Markdown.
_OTHER_START = re.compile(r"\s*[<{\[]|#!|\s*From ")
_IMPORTS = re.compile(r"^(?:import|export)\s[^\n]*$", re.MULTILINE)
_HEADING_ID = re.compile(r"(?<=\S)[ \t]+\{#[\w-]{1,100}\}[ \t]*$", re.MULTILINE)
_DATED_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})[-_ ]")
_CALLOUT = re.compile(
    r"^(?P<mark>[ \t]{0,3}>[ \t]?)\[!(?:(?P<asks>question|faq|help)|answer|success|done|check)\][+-]?"
    r"(?P<title>[^\n]{0,500})\n",
    re.IGNORECASE | re.MULTILINE,
)
_ANSWER_TITLE = re.compile(r"(?:answer|solution|antwort|réponse|respuesta)?\W*", re.IGNORECASE)
_MDX_COMMENT = re.compile(r"\{/\*.{0,2000}?\*/\}", re.DOTALL)


class MarkdownReader:
    """Reads FAQs in Markdown; a page whose title asks is one question."""

    name = "Markdown"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """The name says so, or a text has several headings of Markdown's."""
        text = file.head_text
        if text is None:
            return False
        if file.suffix in (*SUFFIXES, *wikitext.SUFFIXES):
            return bool(text.strip())
        text = _without_wiki_headings(text)
        return (
            file.suffix in ("", ".txt", ".text")
            and not _OTHER_START.match(text)
            and len(_HEADING.findall(text)) > 1
            and any(asks(line) for line in text.splitlines() if _HEADING.match(line))
        )

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside]:
        """Yield the document's posts.

        Raises:
            UnknownFormatError: if it holds no questions and answers that can be recognised.
        """
        text = file.read_text(options).replace("\r\n", "\n").replace("\r", "\n")
        if file.suffix in wikitext.SUFFIXES:
            text = wikitext.to_markdown(text)
        matter, body = _front_matter(_without_wiki_headings(text) if file.suffix not in SUFFIXES else text)
        if tags := _WIKI_TAGS.search(body):
            matter, body = {"tags": tags[1].split(), **matter}, _WIKI_TAGS.sub("", body)
        if (hidden := _hidden_by(matter)) is not None:
            file.log.omit(f"pages that are not published, by {hidden!r}")
            return
        try:
            found = _posts(file, matter, body, options)
        except ValueError as error:
            yield file.set_aside("", str(error))
            return
        if not found:
            raise file.unknown(
                "Markdown without recognisable questions and answers",
                "It needs headings that ask (or a title or a name that says FAQ), or lines that begin with Q: and A:.",
            )
        yield from found


def _hidden_by(matter: Mapping[str, object]) -> str | None:
    """Return the field of a front matter that keeps a page from readers, None if there is no such field."""
    flags = (name for name in matter if normal_name(name) in HIDING and str(matter[name]).lower() in FLAG_WORDS)
    return next((name for name in flags if is_yes(matter[name]) is HIDING[normal_name(name)]), None)


def _posts(file: ArchiveFile, matter: Mapping[str, object], body: str, options: ReadOptions) -> list[Post | SetAside]:
    properties, body = _properties(body, with_answer=is_notion_page(file.name))
    fields = {**properties, **{key.lower(): value for key, value in matter.items()}}
    title = str(fields.get("title") or "")
    markup = markdown_to_html(body)
    # Turned into text once first: that refuses what is nested too deep.
    whole = html_to_text(markup)
    if any(name in fields for name in ("question", "answer")):
        body_answers = {} if "answer" in fields else {"answer": whole}
        return [post_of(file, Record("front matter", {**matter, **body_answers}, html=False), options)]
    tree = parse_tree(markup)
    if tree is None:
        return []
    date = _date(file, fields)
    tags = _names(fields.get("tags")) + _names(fields.get("categories") or fields.get("category"))
    url = fields.get("url") or fields.get("permalink")
    address = url if isinstance(url, str) and "://" in url else None
    found: list[Post | SetAside] = list(document_posts(file, tree, address, title=title, date=date, tags=tags))
    if found:
        return found
    heading = next((element for element in parse_tree(markup).iter("h1")), None) if not title else None
    title = title or ("" if heading is None else element_text(heading))
    answer = clean_text(whole.removeprefix(title).strip())
    parts = part_at_answer(answer, alone=True)
    if not title or not answer or not (asks(title) or parts):
        return []
    name, question = (clean_text(title), parts[0]) if parts else ("", clean_text(title))
    answer = parts[1] if parts else answer
    file.log.took("question", "title")
    file.log.took("answer", "text below 'Answer'" if parts else "text")
    return [Post(source=file.source, source_id=content_id("", "", title, answer), title=name, question=question,
                 answer=answer, date=date, url=address, tags=tuple(dict.fromkeys(tags)))]  # fmt: skip


def _date(file: ArchiveFile, fields: Mapping[str, object]) -> str | None:
    """Return the date in the front matter, or else the one that the file's name begins with, as Jekyll has it."""
    given = (fields.get(name) for name in ("date", "created", "published"))
    found = next((date for value in given if value and (date := short_date(str(value)))), None)
    named = None if found else _DATED_NAME.match(file.name.rpartition("/")[2])
    return short_date(named[1]) if named else found


def markdown_to_html(text: str) -> str:
    """Render Markdown as GitHub does, HTML in it kept.

    Raises:
        ValueError: if it is longer than `MOST_TREE_BYTES`.
    """
    if len(text) > MOST_TREE_BYTES:
        raise ValueError(f"Markdown of more than {MOST_TREE_BYTES >> 20} MiB")
    from markdown_it import MarkdownIt  # here, because it takes a while and searching does not need it

    markdown = MarkdownIt("commonmark", {"html": True, "maxNesting": 50}).enable(["table", "strikethrough"])
    text = _HEADING_ID.sub("", _MDX_COMMENT.sub("", _IMPORTS.sub("", text)))
    if any(match["asks"] for match in _CALLOUT.finditer(text)):
        text = _CALLOUT.sub(_callout, text)
    rendered: str = markdown.render(text)
    return rendered


def _callout(match: re.Match[str]) -> str:
    """Write the first line of an Obsidian callout: of one that asks as a heading, of one that answers as "Answer"."""
    mark, title = match["mark"], match["title"].strip()
    if match["asks"]:
        return f"{mark}###### {title}\n{mark}\n" if asks(title) else f"{mark}\n"
    return f"{mark}**Answer**\n{mark}\n" if _ANSWER_TITLE.fullmatch(title) else match[0]


def _without_wiki_headings(text: str) -> str:
    """Write DokuWiki's headings as Markdown's, in a text that has one of its first two levels."""
    found = [len(match[1]) for match in _WIKI_HEADING.finditer(text)]
    if not found or max(found) < _WIKI_LEVELS - 2:
        return text
    return _WIKI_HEADING.sub(lambda match: f"{'#' * (_WIKI_LEVELS - len(match[1]))} {match[2]}", text)


def _front_matter(text: str) -> tuple[Mapping[str, object], str]:
    """Split a document's front matter (YAML, or TOML's simple lines) from its text."""
    match = _FRONT_MATTER.match(text)
    if match is None:
        return {}, text
    body = text[match.end() :]
    if text.lstrip("\ufeff").startswith("+++"):
        import tomllib

        try:
            return tomllib.loads(match[1]), body
        except (tomllib.TOMLDecodeError, RecursionError):
            return {}, body
    try:
        value = parse_yaml(match[1])
    except YamlError:
        return {}, body
    return (value, body) if isinstance(value, dict) else ({}, body)


def _properties(text: str, *, with_answer: bool) -> tuple[dict[str, object], str]:
    """Split the properties that Notion writes below a page's title from its text: lines such as ``Tags: a, b``.

    ``with_answer`` allows an answer among them, which comes before the text.
    """
    match = _PROPERTIES.match(text)
    if match is None:
        return {}, text
    found: dict[str, object] = {}
    for name, _, value in (line.partition(":") for line in match["lines"].strip().split("\n")):
        role = (role_of(name.strip()) or ("",))[0]
        if role == "question" or (role == "answer" and not with_answer):
            return {}, text
        if role:
            found.setdefault(role, [*split_tags(value)] if role == "tags" else value.strip())
    if not found.keys() & {"date", "tags", "category", "url", "author"}:
        return {}, text
    found.pop("title", None)
    answer = found.pop("answer", "")
    return found, f"{match['title']}{answer}\n\n{text[match.end() :]}" if answer else match["title"] + text[
        match.end() :
    ]


def _names(value: object) -> tuple[str, ...]:
    given = value if isinstance(value, list) else [value] if value else []
    return tuple(name for item in given if isinstance(item, str | int) and (name := clean_text(str(item))))
