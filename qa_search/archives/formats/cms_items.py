"""Items of a content system (WordPress, Drupal), each with its kind -> posts: what asks, what answers, pages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply, short_date
from qa_search.archives.formats.documents import asked_in
from qa_search.archives.formats.html_text import html_to_text
from qa_search.archives.formats.joining import Joiner, Member
from qa_search.archives.formats.labels import asks, names_faq
from qa_search.archives.formats.records import content_id
from qa_search.archives.formats.trees import parse_tree
from qa_search.types import AnswerPart, Post, SetAside
from qa_search.util.text import clean_text

_QUESTION_TYPES = frozenset(("question", "questions", "dwqa-question", "topic", "qa_question"))
_ANSWER_TYPES = frozenset(("answer", "answers", "dwqa-answer", "reply", "qa_answer"))
_PAGES = frozenset(("post", "page", "docs", "kb", "knowledgebase", "article", "ht_kb", "epkb_post_type_1"))
_PUBLIC = frozenset(("publish", "inherit", "closed", "private", ""))
_NO_PARENT = ("", "0")


@dataclass(frozen=True)
class Item:
    """What a content system keeps as one item. ``parent`` is the id of the item that it answers or belongs to."""

    place: str
    kind: str
    id: str = ""
    parent: str = ""
    status: str = ""
    title: str = ""
    content: str = ""
    date: str = ""
    url: str = ""
    author: str = ""
    tags: tuple[str, ...] = ()


def posts_of_items(
    file: ArchiveFile, items: Iterable[Item | SetAside], options: ReadOptions, program: str, way_out: str = ""
) -> Iterator[Post | SetAside]:
    """Yield the questions among a program's items, by what kind each is; answers go to their questions.

    Raises:
        UnknownFormatError: if no item has a question.
    """
    found = 0
    kinds: Counter[str] = Counter()
    with Joiner(file, options) as joiner:
        for item in items:
            if isinstance(item, SetAside):
                yield item
                continue
            kinds[item.kind[:40] or "unknown"] += 1
            try:
                made = _made_of(file, item)
            except ValueError as error:
                made = [file.set_aside(item.place, str(error))]
            for one in made:
                found += 1
                if isinstance(one, Member | Reply):
                    joiner.add(one)
                else:
                    yield one
        for joined in joiner.joined():
            if isinstance(joined, tuple):
                yield file.set_aside(joined[1].place, f"an answer to item {joined[1].parent}, which the export lacks")
            else:
                yield joined
    if not found:
        listed = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(8)) or "none"
        raise file.unknown(
            f"{program} without recognisable questions and answers (items: {listed})",
            "It needs items of an FAQ or forum plugin, or posts with questions and answers in them. "
            f"{way_out}".rstrip(),
        )


def _made_of(file: ArchiveFile, item: Item) -> list[Post | SetAside | Member | Reply]:
    """Turn an item into posts by its kind; [] if it has no question."""
    kind, content = item.kind, _paragraphs(item.content)
    title = html_to_text(item.title)
    post = Post(
        source=file.source,
        source_id=item.id or content_id("", "", title, content),
        date=short_date(item.date),
        url=clean_text(item.url) or None,
        author=clean_text(item.author) or None,
        tags=tuple(dict.fromkeys(tag for given in item.tags if (tag := clean_text(given)))),
    )
    if item.status not in _PUBLIC:
        file.log.omit(f"items that are not published ({item.status[:20]})")
    elif kind in _QUESTION_TYPES:
        file.log.took("question", f"item of type {kind}")
        asked = replace(post, title=clean_text(" ".join(title.split())), question=clean_text(html_to_text(content)))
        return [Member(post.source_id, "asks", asked, AnswerPart(0, 0))]
    elif kind in _ANSWER_TYPES and item.parent not in _NO_PARENT:
        file.log.took("answer", f"item of type {kind}")
        part = AnswerPart(0, 0, post.source_id, author=post.author, date=post.date)
        return [Reply(item.parent, clean_text(html_to_text(content)), part, item.place)]
    elif "faq" in kind:
        file.log.took("question", "title")
        file.log.took("answer", "content")
        return [replace(post, question=clean_text(title), answer=clean_text(html_to_text(content)))]
    elif kind in _PAGES:
        return [*_page(file, title, content, post)]
    else:
        file.log.omit(f"items of type {kind[:40] or 'unknown'}")
    return []


def _paragraphs(content: str) -> str:
    """Split a text at its blank lines as WordPress does, unless it has paragraph tags."""
    if re.search(r"<(?:p|div|br)\b", content):
        return content
    return "".join(f"<p>{part.strip()}</p>" for part in re.split(r"\n\s*\n", content.replace("\r", "")) if part.strip())


def _page(file: ArchiveFile, title: str, content: str, post: Post) -> Iterator[Post]:
    """Yield the questions in a page, or the page itself if its title is a question."""
    text = clean_text(html_to_text(content))
    tree = parse_tree(content)
    asked = [] if tree is None else asked_in(tree, names_faq(title))
    if len(asked) == 1 and not names_faq(title):
        file.log.took("question", "content")
        yield replace(
            post,
            title=clean_text(" ".join(title.split())),
            question=clean_text(asked[0].question),
            answer=clean_text(asked[0].answer),
        )
    elif asked:
        file.log.took("question", "headings that ask", len(asked))
        for one in asked:
            question, answer = clean_text(one.question), clean_text(one.answer)
            yield replace(post, source_id=content_id("", "", question, answer), question=question, answer=answer)
    elif asks(title) and text:
        file.log.took("question", "title")
        yield replace(post, question=clean_text(title), answer=text)
    else:
        file.log.omit("pages without questions")
