"""A page of one question (a heading, and what is named its answer; an article of a help centre) -> its post."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from qa_search.archives.base import ArchiveFile, short_date
from qa_search.archives.formats.found_dates import date_in
from qa_search.archives.formats.outline import drop_furniture
from qa_search.archives.formats.records import content_id
from qa_search.archives.formats.trees import element_text, words
from qa_search.types import Post
from qa_search.util.text import clean_text

_ANSWER = re.compile(
    r"(?:^|\s)(?:\w{1,20}[-_]{1,2}){0,3}(?:answers?|antwort(?:en)?|respuestas?|reponses?)(?:[-_]{1,2}\w{1,20}){0,3}(?:$|\s)",
    re.IGNORECASE,
)
_QUESTION = re.compile(r"(?:^|\s)(?:question[-_]*(?:body|text|content|detail)s?|question)(?:$|\s)", re.IGNORECASE)
_ARTICLE = re.compile(r"(?:^|\s)(?:article|kb|post|entry)[-_]{1,2}(?:body|content|text)(?:$|\s)", re.IGNORECASE)
_HELPFUL = re.compile(
    r"\b(?:was|is|did) (?:this|the) (?:article|page|answer|information)?\s?(?:\w+ )?(?:helpful|useful|help)\b"
    r"|war dieser (?:artikel|beitrag) hilfreich|cet article vous a-t-il été utile|te ha sido útil",
    re.IGNORECASE,
)
_OF_ARTICLE = "text of the article"
_LONGEST_DATE = 40
_MOST_NAMES = 500


def only_question(file: ArchiveFile, tree: Any, url: str | None) -> Iterator[Post]:
    """Yield the post of a page with one heading of the first level and one element named an answer.

    The body of an article is one as well, on a page that asks whether the article helped.
    """
    headings = [element for element in tree.xpath(".//h1") if words(element)]
    named = tree.xpath(".//*[@class][not(self::body or self::html)]")
    answers = _outermost(named, _ANSWER)
    how = "text of the element named answer"
    if not answers and _HELPFUL.search(words(tree)):
        answers, how = _outermost(named, _ARTICLE), _OF_ARTICLE
    if len(headings) != 1 or len(answers) != 1 or headings[0] in answers[0].iter("h1"):
        return
    questions = [element for element in _outermost(named, _QUESTION) if not element.xpath(".//h1")]
    date = next((found for given in tree.xpath(".//time/@datetime") if (found := short_date(given))), None)
    title = clean_text(words(headings[0]))
    drop_furniture(answers[0])
    if not questions and how != _OF_ARTICLE:
        questions = _between(headings[0], answers[0])
    asked = "\n\n".join(text for element in questions if (text := clean_text(element_text(element))))
    answer = clean_text(element_text(answers[0]))
    if not answer or title == answer:
        return
    file.log.took("question", "heading of the page")
    file.log.took("answer", how)
    yield Post(
        source=file.source,
        source_id=content_id("", "", f"{title}\n{asked}", answer),
        title=title if asked else "",
        question=asked or title,
        answer=answer,
        date=date,
        url=url,
    )


def _between(heading: Any, answer: Any) -> list[Any]:
    """Return what stands between a heading and the answer beside it, without dates."""
    found: list[Any] = []
    around = {answer, *answer.iterancestors()}
    for element in heading.itersiblings(etree.Element):
        if element in around:
            return found
        text = words(element)
        if not (len(text) <= _LONGEST_DATE and date_in(text)):
            found.append(element)
    return []


def _outermost(elements: list[Any], names: re.Pattern[str]) -> list[Any]:
    found = [element for element in elements if names.search(element.get("class")[:_MOST_NAMES])]
    known = set(found)
    return [element for element in found if known.isdisjoint(element.iterancestors())]
