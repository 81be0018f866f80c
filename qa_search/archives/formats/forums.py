"""A topic's page of the common forum programs -> its messages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from lxml.cssselect import CSSSelector

from qa_search.archives.base import short_date
from qa_search.archives.formats.found_dates import date_in
from qa_search.archives.formats.threads import Message
from qa_search.archives.formats.trees import drop, element_text, words


@dataclass(frozen=True)
class Forum:
    """How one forum program writes a topic: CSS selectors, those of a message's parts below the message."""

    name: str
    message: str
    body: str
    author: str
    date: str
    title: str
    accepted: str = ""
    score: str = ""


# What is quoted, signed or added by the program, in all of them.
_NOT_SAID = (
    ".signature, .sig, .postsignature, .signaturecontainer, .message-signature, .post_sig, .moderatorbar, .notice, "
    ".lastedit, .modified, .editmessage, .message-lastEdit, .post_edit, .edited_post, .attachments, .attachbox, "
    ".quoteheader, .quotetitle, .quote_container, .bbcode_quote, .bbcode_container .quotetitle, .quotebox, "
    ".quotecontent, "
    "blockquote.bbc_standard_quote, blockquote.bbc_alternate_quote, blockquote.mycode_quote, .mycode_quote, "
    ".bbCodeQuote, blockquote.bbCodeBlock--quote, .bbCodeBlock--quote, aside.quote, .ipsQuote, .quote, "
    "blockquote.uncited, "
    ".post-menu-area, .crawler-post-infos, .crawler-linkback-list, .js-post-notices, .thanks, .likes, .post-controls"
)  # fmt: skip
# Tried in this order: programs that share names with others come later.
FORUMS = (
    Forum(
        "Discourse",
        "div.crawler-post, article[data-post-id], div.topic-post article",
        "div.post[itemprop], .cooked, div.post",
        "[itemprop=author] [itemprop=name], .creator [itemprop=name], .names .username, .names a, .username a",
        "time[itemprop=datePublished], time.post-time, time[datetime], .relative-date",
        "#topic-title h1 a, #topic-title a, h1 a, h1",
        ".accepted-answer, [itemprop=acceptedAnswer]",
        "[itemprop=userInteractionCount]",
    ),
    Forum(
        "XenForo",
        "article.message--post, article.message[data-author], li.message[data-author], li.message[id^=post-]",
        ".message-body .bbWrapper, .message-body, .messageText, .messageContent",
        ".message-name .username, .message-name, a.username, .username",
        "time[datetime], .DateTime, .message-attribution-main, .datePermalink",
        "h1.p-title-value, .titleBar h1, h1",
        ".message--solution, .is-solution",
        ".js-voteCount",
    ),
    Forum(
        "vBulletin 5",
        "li.b-post",
        ".js-post__content-text, .b-post__content",
        ".author a, .author",
        "time[datetime], .b-post__timestamp time, .b-post__timestamp",
        "h1.main-title, h1, .b-topicview__title",
    ),
    Forum(
        "vBulletin",
        "li.postcontainer, li.postbit, li.postbitlegacy, li[id^=post_], table[id^=post], div[id^=edit]",
        "blockquote.postcontent, .postcontent, div[id^=post_message_]",
        "a.username, .username, a.bigusername, .bigusername",
        ".postdate .date, .postdate, td.thead, .thead",
        ".threadtitle, h1 .threadtitle a, td.navbar strong, h1",
    ),
    Forum(
        "SMF",
        "div.post_wrapper",
        "div.inner[id^=msg_], div.inner, div.post",
        ".poster h4 a, .poster h4",
        ".keyinfo .smalltext, .postinfo .smalltext, .postinfo, .keyinfo",
        ".keyinfo h5 a, #top_subject, h1.forumtitle, .display_title, h1, h2, h3",
        ".best_answer",
    ),
    Forum(
        "MyBB",
        "div.post[id^=post_]",
        ".post_body",
        ".author_information .largetext a, .author_information .largetext",
        ".post_date",
        ".thead strong, td.thead, h1",
    ),
    Forum(
        "Invision Community",
        "article.ipsComment, article.cPost, div.post_block",
        "[data-role=commentContent], .cPost_contentWrap, .post.entry-content, .entry-content",
        ".cAuthorPane_author, .author a, .author, [itemprop=name]",
        "time[datetime], abbr.published",
        "h1.ipsType_pageTitle, h1 .ipsType_break, h1",
        ".ipsComment_solved, .ipsComment_recommended",
    ),
    Forum(
        "FluxBB",
        "div.blockpost",
        ".postmsg",
        ".postleft dt strong, .postleft dt",
        "h2 a, h2",
        ".crumbs li:last-child a, .linkst h1, h1",
    ),
    Forum(
        "phpBB",
        "div.post[id], div.post, table.tablebg:has(.postbody)",
        ".content, .postbody",
        ".author .username, .author .username-coloured, .author strong a, .author a, .author strong, .postauthor, "
        ".postprofile dt a",
        ".author time, .author, .postdetails, .postdate",
        "h2.topic-title a, h2.topic-title, #page-body > h2 a, #page-body h2, h2 a, a.titles, h1",
        ".solved, .answer-accepted",
    ),
    Forum(
        "phpBB 2",
        "table.forumline tr:has(span.name):has(.postbody)",
        ".postbody",
        "span.name",
        ".postdetails",
        "a.maintitle, .maintitle",
    ),
    Forum(
        "NodeBB",
        "li[component=post]",
        "[component='post/content']",
        "[itemprop=author], [data-username], .username",
        "meta[itemprop=datePublished], .timeago",
        "[component='topic/title'], h1",
    ),
    Forum("Flarum", "article.Post, .CommentPost", ".Post-body", ".PostUser-name .username, .username", "time", "h1"),
)  # fmt: skip
_MOST_MESSAGES = 10_000
_MOST_HEAD = 1000
_POSTED = re.compile(r"Posted:\s*(.{6,60})")
_JOINED = re.compile(r"\b(?:join(?:ed| date)|registered|member since)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Topic:
    """A topic's page: the program that wrote it, the topic's title and its messages."""

    program: str
    title: str
    messages: list[Message]


def read_topic(tree: Any) -> Topic | None:
    """Read a page as a forum's topic; None if no message with a text and an author is found."""
    for forum in FORUMS:
        found = list(_select(forum.message, tree))[:_MOST_MESSAGES]
        outer = set(found)
        found = [element for element in found if not any(above in outer for above in element.iterancestors())]
        messages = [message for element in found if (message := _message(forum, element)) is not None]
        if messages and any(message.author for message in messages):
            return Topic(forum.name, _title(forum, tree), messages)
    return None


def _message(forum: Forum, element: Any) -> Message | None:
    body = next(_select(forum.body, element), None)
    if body is None:
        return None
    author = next((name for found in _select(forum.author, element) if (name := words(found))), None)
    posted = _POSTED.search(words(element)[:_MOST_HEAD])
    dates = (_date(found) for found in _select(forum.date, element) if not _JOINED.search(words(found)))
    date = (date_in(posted[1]) if posted else None) or next((date for date in dates if date), None)
    for inner in list(_select(_NOT_SAID, body)):
        if inner is not body and inner.getparent() is not None:
            drop(inner)
    # vBulletin 3 has no names for a quotation's parts: "Quote:" stands above it.
    for quotation in body.xpath(".//blockquote[.//cite] | .//div[div[@class='smallfont'][starts-with(., 'Quote:')]]"):
        if quotation.getparent() is not None:
            drop(quotation)
    text = element_text(body)
    text = re.sub(r"\n_{5,}\n.*", "", f"{text}\n", flags=re.DOTALL).strip()  # a signature, in older programs
    if not text:
        return None
    accepted = bool(forum.accepted) and (
        any(True for _ in _select(forum.accepted, element))
        or element in set(_select(forum.accepted, element.getparent()))
    )
    votes = next(_select(forum.score, element), None) if forum.score else None
    return Message(text, author, date, _number(element), accepted, None if votes is None else _integer(words(votes)))


def _title(forum: Forum, tree: Any) -> str:
    """Find the topic's title, or else the page's title without the forum's name."""
    named = next((title for found in _select(forum.title, tree) if (title := words(found))), "")
    if named:
        return re.sub(r"^(?:Topic|Thread|Author Topic)\s*:\s*|\s*\(Read \d+ times\)$", "", named)
    page = words(next(_select("title", tree), None))
    return re.split(r"\s+[-|•·–—:]+\s+", page, maxsplit=1)[0]


def _date(element: Any) -> str | None:
    given = element.get("datetime") or element.get("content") or element.get("data-time") or element.get("title")
    return date_in(given or "") or date_in(words(element)) or _epoch(element)


def _epoch(element: Any) -> str | None:
    return short_date(element.get("data-time") or element.get("data-timestamp") or "")


def _number(element: Any) -> str | None:
    """Find a message's number in its id: ``p1``, ``post-12``, ``msg_7``."""
    for holder in (element, *element.iterdescendants("div", "a")):
        if found := re.fullmatch(
            r"(?:p|pid|post|msg|post_message|edit|comment)?[-_]?(\d{1,12})", holder.get("id") or ""
        ):
            return found[1]
    return element.get("data-post-id") or None


def _integer(text: str) -> int | None:
    return int(text) if re.fullmatch(r"-?\d{1,9}", text, re.ASCII) else None


def _select(selectors: str, element: Any) -> Iterator[Any]:
    """Find the elements of the first of several selectors that finds any."""
    if element is None:
        return
    for selector in _compiled(selectors):
        if found := selector(element):
            yield from found
            if selectors is not _NOT_SAID:
                return


@cache
def _compiled(selectors: str) -> tuple[CSSSelector, ...]:
    return tuple(CSSSelector(part.strip(), translator="html") for part in selectors.split(","))
