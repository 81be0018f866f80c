"""Comments below a post of a blog (WordPress) -> those that ask, with the answers of the post's author to them."""

from __future__ import annotations

from typing import Any

from qa_search.archives.base import ArchiveFile, short_date
from qa_search.archives.formats.records import content_id
from qa_search.archives.formats.trees import element_text, words
from qa_search.archives.formats.values import join_answers
from qa_search.types import AnswerPart, Post
from qa_search.util.text import clean_text, counted

_BY_AUTHOR = "bypostauthor"  # so WordPress marks what the author of a post comments on it
_COMMENT = "comment"
_TEXTS = ("comment-content", "comment-text", "comment_content", "comment-entry", "comment-body")
_NAMES = ("fn", "comment-author-name", "comment-author", "commentmetadata")
_DATES = ("comment-date", "comment-meta", "commentmetadata", "comment-metadata")
_MOST_NAME = 100
_FEWEST = 2


def comment_posts(file: ArchiveFile, tree: Any) -> list[Post]:
    """Make a post of each comment that asks and that the author of the page's post answers right below it."""
    answers: dict[Any, list[Any]] = {}
    for element in _classed(tree, _BY_AUTHOR):
        asked = _comment_of(element)
        if asked is not None and _BY_AUTHOR not in _classes(asked) and _COMMENT in _classes(element):
            answers.setdefault(asked, []).append(element)
    found = []
    for asked, replies in answers.items():
        question = _text(asked)
        if not any(mark in question for mark in "?？؟"):
            continue
        parts = [(_text(reply), AnswerPart(0, 0, author=_author(reply), date=_date(reply))) for reply in replies]
        answer, answer_parts = join_answers(part for part in parts if part[0])
        found.append(
            Post(
                source=file.source,
                source_id=content_id("", "", question, answer),
                question=question,
                answer=answer,
                answers=answer_parts,
                date=_date(asked),
                author=_author(asked),
            )
        )
    if found:
        file.log.took("question", "comments that ask", len(found))
        file.log.took("answer", "replies of the post's author", len(found))
        file.log.remark(
            f"{counted(len(found), 'comment')} that the author of the page answers are read; the page itself and other "
            "comments are not"
        )
    return found


def has_comments(tree: Any) -> bool:
    """Return whether a page has several comments."""
    return len(_classed(tree, _COMMENT)) >= _FEWEST


def _classed(tree: Any, name: str) -> list[Any]:
    return [element for element in tree.xpath(f".//*[contains(@class, '{name}')]") if name in _classes(element)]


def _classes(element: Any) -> list[str]:
    return (element.get("class") or "").split()


def _own(comment: Any, names: tuple[str, ...]) -> Any | None:
    """Find the first element of one of these classes in a comment, not in a reply to it."""
    for name in names:
        for element in _classed(comment, name):
            if _comment_of(element) is comment:
                return element
    return None


def _comment_of(element: Any) -> Any | None:
    """Find the comment that an element lies in."""
    return next((one for one in element.iterancestors() if _COMMENT in _classes(one)), None)


def _text(comment: Any) -> str:
    element = _own(comment, _TEXTS)
    return "" if element is None else clean_text(element_text(element)).strip()


def _author(comment: Any) -> str | None:
    return clean_text(words(_own(comment, _NAMES)))[:_MOST_NAME] or None


def _date(comment: Any) -> str | None:
    time = next(iter(comment.iter("time")), None)
    if time is not None and _comment_of(time) is comment:
        return short_date(time.get("datetime") or words(time))
    return short_date(words(_own(comment, _DATES)))
