"""Pages of mailing lists' archives: a message a page, joined to threads."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from qa_search.archives.read import Reading, read_archives
from qa_search.types import Post
from tests.helpers import posts_in

_HEAD = '<HTML><HEAD><TITLE> {0}\n</TITLE><LINK REL="made" HREF="mailto:k%40example.org"></HEAD><BODY><H1>{0}\n</H1>'
_END = "\n"
_TOPIC = "[kettles] My kettle leaks"


def pipermail(subject: str, name: str, text: str, minute: int, previous: tuple[str, str] = ("", "")) -> str:
    page, above = previous
    link = f'<LI>Previous message (by thread): <A HREF="{page}">{above}\n</A></li>' if page else ""
    return (
        f'{_HEAD.format(subject)}<B>{name}</B>\n<A HREF="mailto:k%40example.org">a at example.org</A><BR>\n<I>'
        f"Thu Feb 11 20:{minute:02}:18 CST 2016</I>\n<P><UL>{link}<LI> <B>Messages sorted by:</B> [ date ]"
        f"</LI></UL><HR>\n<!--beginarticle-->\n<PRE>{text}\n</PRE>\n<!--endarticle--><HR><P><UL>{link}</UL></BODY></HTML>"
    )


def hypermail(subject: str, name: str, text: str, own: str, above: str, time: str) -> str:
    return (
        f'<html><head><title>kettles: {subject}</title></head><body>\n<!-- received="x" -->\n<!-- sent="{time}" -->\n'
        f'<!-- name="{name}" -->\n<!-- email="a@example.org" -->\n<!-- subject="{subject}" -->\n<!-- id="{own}" -->\n'
        f'<!-- inreplyto="{above}" -->\n<ul><li><a href="date.html">date view</a></ul>\n<!-- body="start" -->\n'
        f"<p>{text.replace(_END, '<br>')}</p>\n"
        '<!-- body="end" -->\n<p>Next message: <a href="0002.html">x</a></body></html>'
    )


def mhonarc(subject: str, sender: str, text: str, own: str, above: str, time: str) -> str:
    reference = f"<!--X-Reference: {above} -->\n" if above else ""
    return (
        f"<!-- MHonArc v2.6.16 -->\n<!--X-Subject: {subject} -->\n<!--X-From-R13: {sender} -->\n<!--X-Date: {time}"
        f" -->\n<!--X-Message-Id: {own} -->\n{reference}<!--X-Head-End-->\n<!DOCTYPE html><html><head><title>{subject}"
        f"</title></head><body><h1>{subject}</h1><hr><ul><li><em>Date</em>: {time}</li></ul>\n"
        "<!--X-Body-of-Message-->\n<pre>"
        f"{text}</pre>\n<!--X-Body-of-Message-End-->\n<hr><ul><li>Prev by Date: x</li></ul></body></html>"
    )


_ASKED = "It drips from &lt;the spout&gt;."
_QUOTED = "On Thursday, Ann wrote:\n&gt;<i> It drips.\n</I>\nDescale it."
PAGES: dict[str, list[str]] = {
    "pipermail": [
        pipermail(_TOPIC, "Ann", "It drips from &lt;the spout&gt;.\n\n-- \nAnn", 1),
        pipermail(_TOPIC, "Bob", _QUOTED, 2, ("000001.html", _TOPIC)),
        pipermail(f"[kettles] Re: {_TOPIC}", "Ann", "Thanks!", 3, ("000002.html", _TOPIC)),
        pipermail("[kettles] The lid", "Eve", "How to open it?", 4, ("000003.html", _TOPIC)),
    ],
    "Hypermail": [
        hypermail("My kettle leaks", "Ann", _ASKED, "1@x", "", "Thu, 11 Feb 2016 20:01:18"),
        hypermail("Re: My kettle leaks", "Bob", _QUOTED, "2@x", "1@x", "Thu, 11 Feb 2016 20:02:18"),
        hypermail("Re: My kettle leaks", "Ann", "Thanks!", "3@x", "2@x", "Thu, 11 Feb 2016 20:03:18"),
        hypermail("The lid", "Eve", "How to open it?", "4@x", "", "Thu, 11 Feb 2016 20:04:18"),
    ],
    "MHonArc": [
        mhonarc("My kettle leaks", "Oaa <naaNx>", _ASKED, "1@x", "", "11 Feb 2016 20:01:18"),
        mhonarc("Re: My kettle leaks", "Pbo &lt;oboNx>", _QUOTED, "2&#45;@x", "1@x", "11 Feb 2016 20:02:18"),
        mhonarc("Re: My kettle leaks", "Oaa <naaNx>", "Thanks!", "3@x", "2&#45;@x", "11 Feb 2016 20:03:18"),
        mhonarc("The lid", "Sir <rirNx>", "How to open it?", "4@x", "", "11 Feb 2016 20:04:18"),
    ],
}


@pytest.mark.parametrize("program", PAGES)
def test_the_messages_of_a_thread_are_one_post(program: str, tmp_path: Path) -> None:
    """By the ids in comments, or by the message before in the thread; quotations, signatures and links are left out."""
    for number, page in enumerate(PAGES[program], start=1):
        (tmp_path / f"{number:06}.html").write_text(page)
    posts = posts_in(tmp_path)
    assert [(post.title, post.author, post.question, post.answer) for post in posts] == [
        ("My kettle leaks", "Ann", "It drips from <the spout>.", "Descale it."),
        ("The lid", "Eve", "How to open it?", ""),
    ]
    assert [(part.author, part.date) for part in posts[0].answers] == [("Bob", "2016-02-11T20:02:18")]


def test_what_is_quoted_asks_where_the_first_message_is_missing(tmp_path: Path) -> None:
    """As of a message alone: all that is said of it answers."""
    (tmp_path / "000006.html").write_text(
        PAGES["Hypermail"][1].replace('id="2@x"', 'id="6@x"').replace('inreplyto="1@x"', 'inreplyto="0@x"')
    )
    (tmp_path / "000007.html").write_text(
        hypermail("Re: My kettle leaks", "Tom", "Or buy one.", "7@x", "0@x", "Thu, 11 Feb 2016 20:05:18")
    )
    (post,) = posts_in(tmp_path)
    assert (post.question, post.answer) == ("It drips.", "Descale it.\n\nOr buy one.")


@pytest.mark.parametrize(
    "markup",
    [
        "<html><head><title>The kettles February 2016 Archive by thread</title></head><body><h1>Archives by thread</h1>"
        '<LI><A HREF="1.html">My kettle leaks?</A><LI><A HREF="2.html">Why does it leak?</A></body></html>',
        '<html><head><meta name="generator" content="hypermail 2.2.0"><title>kettles: by date</title></head><body>'
        '<h2>What now?</h2><a href="1.html">x</a><h2>And then?</h2>No.</body></html>',
    ],
)
def test_lists_of_messages_are_counted_and_no_posts(markup: str, tmp_path: Path) -> None:
    """Their subjects ask, and nothing below them answers."""
    (tmp_path / "thread.html").write_text(markup)
    (tmp_path / "000001.html").write_text(PAGES["pipermail"][0])
    reading = Reading()
    items = list(read_archives([tmp_path], reading=reading))
    assert all(isinstance(item, Post) for item in items)
    assert len(items) == 1
    assert any("pages that list the messages of an archive (1)" in remark for remark in reading.reports[0].remarks)


def test_a_message_with_labelled_questions_is_a_page_of_them(tmp_path: Path) -> None:
    """As FAQs that are posted to a list are."""
    text = "Q: How hot?\nA: Very.\n\nQ: Refunds?\nA: Within 14 days."
    (tmp_path / "000001.html").write_text(pipermail("Kettle FAQ", "Ann", text, 1))
    assert [(post.question, post.answer) for post in posts_in(tmp_path)] == [
        ("How hot?", "Very."), ("Refunds?", "Within 14 days."),
    ]  # fmt: skip


def test_many_pages_are_read_in_time(tmp_path: Path) -> None:
    """Also where each replies to the one before."""
    for number in range(1, 1001):
        page = pipermail(_TOPIC, f"B{number % 7}", f"No. {number}", number % 60, (f"{number - 1:06}.html", _TOPIC))
        (tmp_path / f"{number:06}.html").write_text(page)
    began = time.monotonic()
    (post,) = posts_in(tmp_path)
    assert time.monotonic() - began < 40
    assert "No. 1000" in post.answer


def test_heads_without_an_end_take_no_longer(tmp_path: Path) -> None:
    """What is looked for in a page's head is bounded."""
    for start in ('<!-- name="', "<!--X-Subject: ", "<LI>Previous message", "<em>From</em>:", "<!--beginarticle-->"):
        (tmp_path / "page.html").write_text(f"<html><body><h1>x</h1>{start * 10_000}<!--X-Body-of-Message-->x")
        began = time.monotonic()
        list(read_archives([tmp_path]))
        assert time.monotonic() - began < 20
