"""The pages: what they say, and that no text can become part of them."""

from __future__ import annotations

import glob
import re
import sqlite3
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html

from qa_search.interfaces.web.pages import (
    Archive,
    Form,
    Listing,
    Look,
    PostView,
    browse_page,
    error_page,
    found_part,
    mark_text,
    post_page,
    read_mark,
    search_page,
)
from qa_search.interfaces.web.site import Site
from qa_search.types import AnswerPart, Highlight, Hit, OtherPost, Post, SearchResult

ANSWER = "Rest it for a week. Then walk on the flat. Come back if it swells."
MARKED = "Then walk on the flat."

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)' x='",
    "</textarea></title></option></select></details></style><script>alert(1)</script>",
    "<svg/onload=alert(1)><math><a xlink:href=javascript:alert(1)>x",
    "<!-- <a href='", "]]><![CDATA[", "<plaintext>", "<base href=//elsewhere.example>",
    "{{ 7 * 7 }}{% include 'base.html' %}{# #}${7*7}#{7*7}",
    "&lt;script&gt;&#60;script&#62;&amp;",
    "javascript:alert(1)//", "data:text/html,<script>alert(1)</script>",
    "\x00\x07\x1b[31mred\x7f\x85", "\u202everse\u2066\u2067x", "half \ud83d of a pair", "one\r\ntwo\rthree",
    "\ufeff\u2028<b>",
)  # fmt: skip
MEANINGFUL = "<>/\"'=&;{}%#!-[]`\\ \n\tab\u202e\x00é"


def hit(text: str = "", **fields: Any) -> Hit:
    """Make a hit, with one text in all of its fields or with an answer of three sentences."""
    answer = text or ANSWER
    start = 0 if text else answer.index(MARKED)
    marked = text or MARKED
    made = Hit(
        rank=1,
        post_id=text or "id1",
        source_id=text or "7",
        title=text or "Sore knee",
        date=text or "2016-07-22T10:04:45",
        source=text or "forum.jsonl",
        url=None,
        tags=(text,) if text else ("knee", "running"),
        score=0.5,
        confidence=0.93,
        matched="answer",
        passage=answer,
        highlight=Highlight("answer", start, start + len(marked), marked),
        question=text or "My knee hurts after a mile.",
        answer=answer,
    )
    return replace(made, **fields)


def archive(*sources: str, total: int = 9) -> Archive:
    return Archive(total, dict.fromkeys(sources, 1), {"2009": 1, "2016": 2}, {"knee": 2, "shin-splints": 1})


def result(*hits: Hit, query: str = "knee pain", answered: bool = True, confidence: float = 0.93) -> SearchResult:
    return SearchResult(query, answered, confidence, hits, 1.0)


def post(**fields: Any) -> Post:
    made = Post("forum.jsonl", "7", "Sore knee", "My knee hurts.", ANSWER, "2016-07-22", tags=("knee",), author="Ann")
    return replace(made, **fields)


def found_page(*hits: Hit, form: Form | None = None, **fields: Any) -> html.HtmlElement:
    return html.fromstring(
        search_page(form or Form(q="knee pain"), result(*hits, **fields), archive("forum.jsonl", total=9))
    )


def view_page(**fields: Any) -> html.HtmlElement:
    return html.fromstring(post_page(PostView(post(**fields), "id1", None, None)))


def texts(page: html.HtmlElement, path: str) -> list[str]:
    return [" ".join(element.text_content().split()) for element in page.xpath(path)]


def one(page: html.HtmlElement, path: str) -> html.HtmlElement:
    (element,) = page.xpath(path)
    assert isinstance(element, html.HtmlElement)
    return element


def skeleton(page: str) -> list[tuple[str, list[str]]]:
    """Return a page without its texts: the tags in order, each with the names of its attributes."""
    return [(str(element.tag), sorted(map(str, element.attrib))) for element in html.fromstring(page).iter()]


def pages_with(text: str) -> dict[str, str]:
    """Return every page with one text in every place where a text can be."""
    other = OtherPost(text, text, text, text)
    form = Form(q=text, since=text, until=text, source=glob.escape(text), tag=text, like=text)
    filled = hit(text, newer=other, repeated_by=(other, other))
    in_title = hit(text, highlight=Highlight("title", 0, len(text), text))
    in_question = hit(text, highlight=Highlight("question", 0, len(text), text), answer="")
    parts = (AnswerPart(0, len(text), text, 3, True, text, text), AnswerPart(len(text), 2 * len(text)))
    whole = Post(text, text, text, text, text * 2, text, None, (text, text), text, 1, parts, text, text)
    listed = replace(whole, source="a", source_id="b")  # a post's id is made of them, so they can be stored
    found = result(filled, in_title, in_question, query=text)
    unanswered = replace(found, answered=False)
    return {
        "found": search_page(replace(form, like=""), found, archive(text, "other", total=3)),
        "not answered": search_page(replace(form, like=""), unanswered, archive(text, total=3)),
        "like": search_page(replace(form, q=""), found, archive(text, total=3)),
        "problem": search_page(form, None, archive(text, total=3), message=text),
        "post": post_page(PostView(whole, text, other, other), mark=Highlight("answer", 0, len(text), text), form=form),
        "looked through": browse_page(
            Listing([listed, listed], 2, True, text, text, glob.escape(text)), archive(text, "other")
        ),
        "somebody else's page": found_part(found),
        "owner's words": search_page(
            Form(), None, archive(text), look=Look(Site(text, text, text, text, (text,), {text: text}), True)
        ),
        "post alone": post_page(PostView(whole, text, None, None)),
        "error": error_page(500, text),
    }


def test_the_page_says_how_a_very_long_query_was_read() -> None:
    """Above the hits, and only where there is something to say."""
    long = replace(result(hit()), note="The query is very long.")
    shown = html.fromstring(search_page(Form(q="knee pain"), long, archive("forum.jsonl")))
    assert "The query is very long." in texts(shown, "//section[@id='found']/p")
    assert "The query is very long." not in texts(found_page(hit()), "//p")


def require_inert(text: str) -> None:
    """Require that a text, wherever it is, leaves the pages as a harmless one does, and runs nothing."""
    harmless = pages_with("harmless")
    for name, page in pages_with(text).items():
        assert skeleton(page) == skeleton(harmless[name]), name
        page.encode()
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202d\u202e]", page)
        for element in html.fromstring(page).iter():
            for attribute, value in element.attrib.items():
                assert not str(attribute).startswith(("on", "style"))
                if attribute in ("href", "src", "action"):
                    assert re.match(r"/(?!/)|#\w+$|data:image/svg\+xml,", str(value)), value
            assert element.tag != "script" or not element.text


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_markup(text: str) -> None:
    """Not in any field of any page: the pages' tags and attributes are those of a page with a harmless text."""
    require_inert(text)


@settings(deadline=None, max_examples=150)
@given(
    # Longer ones do not fit into an address, and a page then has no link back.
    st.text(
        st.sampled_from("<>/\"'=&;{}%#!-[]`\\ \n\tab\u202e\x00é") | st.characters(), min_size=1, max_size=30
    ).filter(str.strip)
)
@pytest.mark.slow
def test_no_text_at_all_becomes_markup(text: str) -> None:
    """Whatever characters it is made of."""
    require_inert(text.strip())


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=3000), st.data())
def test_the_marked_sentence_is_marked_exactly(answer: str, data: st.DataObject) -> None:
    """By its offsets: in the whole post, the text is the answer and the mark is the highlight, to the character."""
    start = data.draw(st.integers(0, len(answer) - 1))
    end = data.draw(st.integers(start + 1, len(answer)))
    mark = Highlight("answer", start, end, answer[start:end])
    page = found_page(hit(answer=answer, highlight=mark))
    shown = re.sub("[\u202d\u202e]", "\ufffd", answer)
    whole = one(page, "//*[@data-answer]")
    marked = one(page, "//*[@data-answer]/mark")
    # The blanks at the ends of a text are not kept.
    assert whole.text_content().strip() == shown.strip()
    assert marked.text_content().strip() == shown[start:end].strip()
    assert (whole.text or "").lstrip() == shown[:start].lstrip()
    excerpt = one(page, "//*[contains(@class, 'answer')]/mark")
    assert excerpt.text_content().strip() == shown[start:end][:300].strip()


def test_marks_of_direction_stay_in_texts_and_out_of_titles() -> None:
    """Hebrew and Arabic need some; nothing keeps them apart from what follows in a title or an attribute."""
    text = "ab\u200f\u2067c\u202ed"
    page = found_page(hit(title=text), form=Form(q=text))
    assert texts(page, "//title") == ["abcd – 1 post – Past answers"]
    assert str(one(page, "//button[@data-copy='answer']").get("data-source")).startswith("abcd (2016-07-22, ")
    assert texts(page, "//h3//bdi") == ["ab\u200f\u2067c\ufffdd"]


@pytest.mark.parametrize("name", ["title", "question"])
def test_a_mark_outside_the_answer_is_shown_where_it_is(name: str) -> None:
    """In the heading or in the question, and not in the answer."""
    text = getattr(hit(), name)
    page = found_page(hit(highlight=Highlight(name, 3, 7, text[3:7])))  # type: ignore[arg-type]
    where = "//h3//mark" if name == "title" else "//p[contains(@class, 'asked')]/q/mark"
    assert texts(page, where) == [text[3:7].strip()]
    assert not page.xpath("//*[contains(@class, 'answer')]//mark")


@pytest.mark.parametrize("before", [0, 50, 5000])
@pytest.mark.parametrize("after", [0, 50, 5000])
def test_an_excerpt_is_a_part_of_the_answer_around_the_mark(before: int, after: int) -> None:
    """Cut at blanks, with dots exactly where the answer goes on, and the mark whole."""
    answer = "begin " + "word " * (before // 5) + "Marked here." + " word" * (after // 5) + " end"
    start = answer.index("Marked")
    page = found_page(hit(answer=answer, highlight=Highlight("answer", start, start + 12, "Marked here.")))
    shown = one(page, "//blockquote[contains(@class, 'answer')]")
    assert texts(shown, "mark") == ["Marked here."]
    text = shown.text_content()
    assert text.startswith("… ") == (before == 5000)
    assert text.endswith(" …") == (after == 5000)
    bare = text.removeprefix("… ").removesuffix(" …")
    assert f" {bare} " in f" {answer} "
    assert len(bare) < 300
    assert text == answer or max(before, after) == 5000


def test_an_excerpt_stays_short_without_blanks() -> None:
    """A sentence without end is cut, and so is a text of one word."""
    page = found_page(hit(answer="字" * 50_000, highlight=Highlight("answer", 0, 50_000, "字" * 50_000)))
    assert len(one(page, "//blockquote[contains(@class, 'answer')]").text_content()) < 2500
    page = found_page(hit(question="字" * 50_000))
    assert len(one(page, "//p[contains(@class, 'asked')]/q").text_content()) < 300


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (1.0, "Very likely answers this (over 99%)"),
        (0.93, "Very likely answers this (93%)"),
        (0.796, "Very likely answers this (80%)"),
        (0.794, "Probably answers this (79%)"),
        (0.6, "Probably answers this (60%)"),
        (0.5, "May answer this (50%)"),
        (0.39, "Probably does not answer this (39%)"),
        (0.1, "Very likely does not answer this (10%)"),
        (0.0, "Very likely does not answer this (under 1%)"),
    ],
)
def test_confidence_is_told_in_words_and_as_a_number(probability: float, words: str) -> None:
    """The words fit the number that stands beside them, and nothing is certain."""
    assert texts(found_page(hit(confidence=probability)), "//*[contains(@class, 'sure')]") == [words]


def test_a_hit_says_what_it_is() -> None:
    """Title, sentence, date, tags, the question; on demand the whole post, more like it, the original."""
    page = found_page(hit(url="https://forum.example.org/t/7?a=1&b=2"))
    article = one(page, "//ol/li/article")
    assert texts(article, "h3/a") == ["Sore knee"]
    facts = one(article, "p[@class='facts']")
    assert "22 July 2016" in facts.text_content()
    assert "forum.jsonl" not in facts.text_content()
    assert texts(facts, ".//a") == ["knee", "running"]
    assert facts.xpath(".//a/@href") == ["/browse?tag=knee", "/browse?tag=running"]
    (address,) = article.xpath("h3/a/@href")
    assert address == f"/posts/id1?at={mark_text(hit().highlight)}&q=knee+pain#mark"
    assert texts(article, "blockquote") == [ANSWER]
    assert texts(article, "p[contains(@class, 'asked')]/q") == ["My knee hurts after a mile."]
    assert texts(article, ".//details/div") == ["My knee hurts after a mile.", ANSWER]
    links = one(article, ".//p[@class='actions']")
    assert links.xpath("a/@href") == ["/?like=id1", "https://forum.example.org/t/7?a=1&b=2"]
    assert "noreferrer" in links.xpath("a/@rel")[0]
    assert article.get("aria-labelledby") == one(article, "h3").get("id")


def test_a_hit_without_a_title_date_or_answer_says_so() -> None:
    """Its question stands for the title; there is nothing to copy."""
    page = found_page(hit(title="", date=None, answer="", highlight=Highlight("question", 0, 2, "My")))
    assert texts(page, "//h3/a") == ["My knee hurts after a mile."]
    assert "no date" in one(page, "//p[@class='facts']").text_content()
    assert "Not answered yet" in texts(page, "//article/p")
    assert not page.xpath("//button[@data-copy='answer']")


def test_newer_and_repeating_posts_are_pointed_to() -> None:
    """By links to their pages, with their dates and ids."""
    newer = OtherPost("id8", "8", "Knee again", "2019-02-01")
    repeats = (OtherPost("id9", "9", "Same knee", "2014-01-01"), OtherPost("id10", "10", "", None))
    page = found_page(hit(newer=newer, repeated_by=repeats))
    assert texts(page, "//p[@class='newer']") == ["There is a newer answer, of 1 February 2019: Knee again"]
    assert page.xpath("//p[@class='newer']/a/@href") == ["/posts/id8?q=knee+pain"]
    assert texts(page, "//details[@class='repeated']/summary") == ["Also in the archive 2 more times"]
    assert texts(page, "//details[@class='repeated']//li") == ["Same knee (1 January 2014)", "10 (no date)"]
    assert page.xpath("//details[@class='repeated']//a/@href") == ["/posts/id9?q=knee+pain", "/posts/id10?q=knee+pain"]


def test_found_answers_are_counted_and_named() -> None:
    """In the status for screen readers and in the page's title, with what was asked."""
    page = found_page(hit(), hit(rank=2))
    assert texts(page, "//section//p[@role='status']") == [
        "2 posts, nearest first. The archive very likely answers this (93%)."
    ]
    assert texts(page, "//title") == ["knee pain – 2 posts – Past answers"]
    assert texts(found_page(hit()), "//title") == ["knee pain – 1 post – Past answers"]
    assert "unanswered" not in one(page, "//section").get("class", "")


def test_the_archive_is_no_surer_than_its_hits() -> None:
    """Above hits that probably do not answer, the sentence about the archive does not say that it probably does."""
    for confidence, sentence in ((0.36, "Something here may answer this"), (0.45, "The archive very likely answers")):
        page = found_page(hit(confidence=confidence), hit(rank=2, confidence=0.1))
        (status,) = texts(page, "//section//p[@role='status']")
        assert sentence in status


def test_nothing_found_is_said_first_and_plainly() -> None:
    """With how likely it is that this is wrong; the nearest posts follow, a line each, and nothing is marked."""
    page = found_page(hit(confidence=0.2), answered=False, confidence=0.21)
    assert texts(page, "//section//h2") == ["Nothing here answers that", "The nearest posts"]
    (status,) = texts(page, "//section//p[@role='status']")
    assert "the estimated chance that one of them answers is 21%" in status
    assert "The nearest post follows." in status
    assert one(page, "//section").get("class") == "found unanswered"
    assert texts(page, "//ol/li") == ["Sore knee 22 July 2016"]
    assert not page.xpath("//mark")
    assert texts(page, "//title") == ["knee pain – no answer – Past answers"]


def test_advice_takes_the_place_of_the_chance() -> None:
    """What would help is said in the status, which a screen reader reads out."""
    advised = replace(result(hit(), hit(), answered=False, confidence=0.1), advice="The query seems to be <German>.")
    page = html.fromstring(search_page(Form(q="knee pain"), advised, archive("forum.jsonl", total=9)))
    (status,) = texts(page, "//section//p[@role='status']")
    assert status == "The complaint seems to be <German>. The 2 nearest posts follow."


def test_no_hits_at_all_are_put_down_to_the_filters() -> None:
    """If there are any; they can be cleared without losing what was asked."""
    page = found_page(form=Form(q="knee & heel", tag="nosuch"), answered=False, confidence=0.0)
    assert texts(page, "//section//p[@role='status']") == ["No post passes the filters."]
    assert page.xpath("//a[.='Clear the filters']/@href") == ["/?q=knee+%26+heel"]
    page = found_page(answered=False, confidence=0.0)
    assert texts(page, "//section//p[@role='status']") == ["There are no posts."]
    assert not page.xpath("//a[.='Clear the filters']")


def test_the_form_keeps_what_was_filled_in() -> None:
    """To the character: also a line break at the very start, and a pattern that is no source; a month is its days."""
    form = Form(q="\n one\n two ", k=7, since="2015-06", until="2016", source="*/Posts.xml", tag="shin splints")
    page = found_page(hit(), form=form)
    # An HTML parser leaves out the first line break in a textarea; lxml's does not.
    assert one(page, "//textarea").text_content().removeprefix("\n") == form.q
    assert {field: one(page, f"//input[@name='{field}']").get("value") for field in ("since", "until", "tag")} == {
        "since": "2015-06-01", "until": "2016-12-31", "tag": "shin splints",
    }  # fmt: skip
    assert page.xpath("//select[@name='source']/option[@selected]/@value") == ["*/Posts.xml"]
    assert texts(page, "//select[@name='k']/option") == ["5", "7", "10", "20", "50"]
    assert texts(page, "//select[@name='k']/option[@selected]") == ["7"]
    assert texts(page, "//details[@class='filters']/summary") == ["Filters (4 set)"]


def test_filters_are_folded_unless_they_are_to_be_mended() -> None:
    """Most people need none; after a search, the answers come first."""
    assert not found_page(hit()).xpath("//details[@class='filters']/@open")
    assert not found_page(hit(), form=Form(q="x", k=10)).xpath("//details[@class='filters']/@open")
    page = html.fromstring(search_page(Form(q="x", since="soon"), None, archive(), message="'soon' is not a date."))
    assert page.xpath("//details[@class='filters']/@open")


@pytest.mark.parametrize("source", ["plain.jsonl", "dump [2015].json", "what?.csv", "a*b/Posts.xml", "[", "^[]-]"])
def test_a_chosen_source_is_that_source(source: str) -> None:
    """Its name is filtered by as a pattern, so what patterns give a meaning is escaped."""
    page = html.fromstring(search_page(Form(), None, archive(source, total=1)))
    pattern = page.xpath("//select[@name='source']/option/@value")[1]
    database = sqlite3.connect(":memory:")
    assert database.execute("SELECT ? GLOB ?", (source, pattern)).fetchone() == (1,)
    assert database.execute("SELECT ? GLOB ?", (source + "x", pattern)).fetchone() == (0,)
    database.close()
    again = html.fromstring(search_page(Form(source=pattern), None, archive(source, total=1)))
    assert texts(again, "//option[@selected][1]")[0] == PurePosixPath(source).stem
    staff = html.fromstring(search_page(Form(), None, archive(source), look=Look(show_sources=True)))
    assert texts(staff, "//select[@name='source']/option")[1] == source
    assert len(again.xpath("//select[@name='source']/option")) == 2


def test_a_problem_is_told_by_the_box() -> None:
    """As an alert that describes the box, and in the page's title; nothing was found then."""
    page = html.fromstring(search_page(Form(q="x", since="soon"), None, archive(total=1), message="'soon' is no date."))
    assert texts(page, "//form//p[@role='alert']") == ["'soon' is no date."]
    assert one(page, "//textarea").get("aria-describedby", "").split()[0] == one(page, "//p[@role='alert']").get("id")
    assert texts(page, "//title") == ["Problem – Past answers"]
    assert not page.xpath("//section")


def test_the_start_page_says_what_there_is() -> None:
    """How many posts from when to when, ways in with counts, and the box to type in has the focus."""
    page = html.fromstring(search_page(Form(), None, archive("a/b.jsonl", "c.csv", total=12345)))
    assert texts(page, "//p[@class='size']")[0].startswith("12,345 questions with an answer, 2009 to 2016.")
    assert "autofocus" in one(page, "//textarea").attrib
    assert texts(page, "//title") == ["Past answers"]
    assert texts(page, "//ul[@class='ways']/li") == ["knee 2", "shin-splints 1", "2016 2", "2009 1", "b 1", "c 1"]
    assert page.xpath("//ul[@class='ways']//a/@href") == [
        "/browse?tag=knee", "/browse?tag=shin-splints", "/browse?year=2016", "/browse?year=2009",
        "/browse?source=a%2Fb.jsonl", "/browse?source=c.csv",
    ]  # fmt: skip

    assert page.xpath("//datalist/option/@value") == ["knee", "shin-splints"]


def test_the_start_page_says_what_the_owner_says() -> None:
    """Name, a line about the archive, who answered, a notice, examples to click, and names of topics."""
    site = Site("Foot & Co", "Of <runners>.", "Dr Ann", "No diagnosis.", ("sore heel",), {"Knees": "knee"})
    page = html.fromstring(search_page(Form(), None, archive(), look=Look(site)))
    assert texts(page, "//h1") == texts(page, "//title") == ["Foot & Co"]
    assert "Of <runners>." in texts(page, "//div[@class='intro']/p")
    assert texts(page, "//p[@class='size']")[0].startswith("9 questions with an answer by Dr Ann, 2009 to 2016.")
    assert texts(page, "//footer/p") == ["No diagnosis."]
    assert page.xpath("//a[.='sore heel']/@href") == ["/?q=sore+heel"]
    assert page.xpath("//a[.='Knees']/@href") == ["/browse?tag=knee"]


def test_hits_that_hardly_relate_are_folded() -> None:
    """By what their own likelihood says; the first one never is."""
    hits = [hit(rank=rank, confidence=sure) for rank, sure in enumerate((0.9, 0.5, 0.39, 0.01), 1)]
    page = found_page(*hits)
    assert texts(page, "//details[@class='hardly']/summary") == ["2 more, hardly related"]
    assert page.xpath("//section/ol//h3/@id") == ["hit-1", "hit-2"]
    assert page.xpath("//details[@class='hardly']//h3/@id") == ["hit-3", "hit-4"]
    assert not found_page(hit(confidence=0.01)).xpath("//details[@class='hardly']")


def test_the_question_is_shown_where_it_met_the_query() -> None:
    """Not by its first words: the sentence of it that has most in common with what was asked."""
    question = "Hello, I am 52. My heel stabs in the morning. Thanks for everything you write!"
    page = found_page(hit(question=question), query="a stab in the heel every morning")
    assert texts(page, "//p[contains(@class, 'asked')]/q") == [
        "… My heel stabs in the morning. Thanks for everything you write!"
    ]


def test_newest_first_is_a_choice() -> None:
    """Posts without a date come last; the other order is a link."""
    hits = [hit(rank=1, date="2010-01-01"), hit(rank=2, date=None), hit(rank=3, date="2018-05-06")]
    page = found_page(*hits, form=Form(q="knee pain", sort="newest"))
    assert page.xpath("//ol//h3/@id") == ["hit-3", "hit-1", "hit-2"]
    assert page.xpath("//a[.='Nearest first']/@href") == ["/?q=knee+pain"]
    assert "3 posts, newest first." in texts(page, "//section//p[@role='status']")[0]
    page = found_page(*hits)
    assert page.xpath("//ol//h3/@id") == ["hit-1", "hit-2", "hit-3"]
    assert page.xpath("//a[.='Newest first']/@href") == ["/?q=knee+pain&sort=newest"]


def test_more_results_can_be_asked_for() -> None:
    """Where as many were found as were asked for."""
    page = found_page(*(hit(rank=rank) for rank in range(1, 6)))
    assert page.xpath("//a[.='More results']/@href") == ["/?q=knee+pain&k=10#hit-6"]
    assert not found_page(hit()).xpath("//a[.='More results']")


def test_a_private_page_does_not_repeat_the_complaint() -> None:
    """Neither in its title nor in any address; what changes the search is a button of the form."""
    form = Form(q="knee pain", private=True)
    text = search_page(form, result(*(hit(rank=rank) for rank in range(1, 6))), archive())
    page = html.fromstring(text)
    assert texts(page, "//title") == ["5 posts – Past answers"]
    assert not [link for link in page.xpath("//a/@href") if "knee+pain" in link]
    assert page.xpath("//button[@form='sent']/@value") == ["newest", "10"]
    assert page.xpath("//form[@id='sent']/@action") == ["/"]
    assert not [button for button in page.xpath("//button/@formaction") if "knee" in button]
    assert "checked" in one(page, "//input[@id='private']").attrib
    assert not page.xpath("//button[@data-copy='address']")


def test_a_log_is_not_kept_in_secret() -> None:
    """Where what people ask is logged, every page says so."""
    look = Look(log_kept=True)
    said = "This service keeps a log of what is asked."
    for text in (
        search_page(Form(), None, archive(), look=look),
        post_page(PostView(post(), "1", None, None), look=look),
    ):
        assert texts(html.fromstring(text), "//footer/p") == [said]
    assert not found_page(hit()).xpath("//footer")


def test_the_mark_goes_along_to_the_post() -> None:
    """Marked there with an id to lead to; a way back to the results; nothing is marked if the text has changed."""
    mark = hit().highlight
    view = PostView(post(), "id1", None, None)
    assert read_mark(post(), mark_text(mark)) == mark
    page = html.fromstring(post_page(view, mark=mark, form=Form(q="knee pain", k=10)))
    assert texts(page, "//mark[@id='mark']") == [MARKED]
    assert page.xpath("//a[@data-back]/@href") == ["/?q=knee+pain&k=10"]
    assert one(page, "//textarea").text_content().strip() == "knee pain"
    for wrong in ("", "x", mark_text(mark)[:-1], "answer.0.5.0", "answer.99.0.1", "answer.0.999999999.1"):
        assert read_mark(post(), wrong) is None
    assert read_mark(post(answer="Other" * 20), mark_text(mark)) is None


def test_a_mark_is_in_the_answer_that_has_it() -> None:
    """Of several answers; one that reaches over two has its id once."""
    parts = (AnswerPart(0, 5), AnswerPart(7, 13))
    view = PostView(post(answer="First\n\nSecond", answers=parts), "id1", None, None)
    page = html.fromstring(post_page(view, mark=Highlight("answer", 7, 10, "Sec")))
    assert texts(page, "//*[@data-answer]/mark") == ["Sec"]
    page = html.fromstring(post_page(view, mark=Highlight("answer", 2, 10, "rst\n\nSec")))
    assert texts(page, "//*[@data-answer]/mark") == ["rst", "Sec"]
    assert len(page.xpath("//*[@id='mark']")) == 1


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("See https://a.example/b?c=d&e=f.", ["https://a.example/b?c=d&e=f"]),
        ("(at http://a.example/x_(y), or HTTPS://B.example)!", ["http://a.example/x_(y)", "HTTPS://B.example"]),
        (
            "<https://a.example/>'x' javascript:alert(1) ftp://a.example data:text/html,x //a.example",
            ["https://a.example/"],
        ),
        ("https:// http://[ xhttps://a.example mailto:a@b.example", []),
    ],
)
def test_addresses_on_the_web_in_answers_can_be_followed(text: str, links: list[str]) -> None:
    """And nothing else becomes a link; the text stays what it is."""
    page = view_page(answer=text)
    answer = one(page, "//*[@data-answer]")
    assert answer.text_content() == text
    assert answer.xpath("a/@href") == links
    assert all("noopener" in rel and "nofollow" in rel for rel in answer.xpath("a/@rel"))


def test_a_mark_and_an_address_cross() -> None:
    """Each part of the address leads to the whole of it, and each part of the mark is marked."""
    text = "See https://a.example/b today."
    view = PostView(post(answer=text), "id1", None, None)
    page = html.fromstring(post_page(view, mark=Highlight("answer", 10, 29, text[10:29])))
    answer = one(page, "//*[@data-answer]")
    assert answer.text_content() == text
    assert "".join(answer.xpath("mark//text()")) == text[10:29]
    assert answer.xpath(".//a/@href") == ["https://a.example/b"] * 2


def test_files_are_named_to_staff_alone() -> None:
    """With --show-sources the pages say where each post is from; else they name the archive."""
    shown = Look(show_sources=True)
    for look, said in ((shown, True), (Look(), False)):
        pages = [
            search_page(Form(q="x"), result(hit()), archive("forum.jsonl"), look=look),
            search_page(Form(q="x"), result(hit(), answered=False), archive("forum.jsonl"), look=look),
            post_page(PostView(post(), "id1", None, None), look=look),
            browse_page(Listing([post()]), archive("forum.jsonl"), look=look),
        ]
        assert [("forum.jsonl/7" in page) for page in pages] == [said] * 4


def test_posts_can_be_looked_through() -> None:
    """Page by page, limited to a tag, a year or a source, in either order."""
    listing = Listing([post(), post(title="", question="Why?", date=None)], 2, True, "knee", "2016", "", "oldest")
    page = html.fromstring(browse_page(listing, archive("a", "b")))
    assert texts(page, "//h1") == ["knee, 2016"]
    assert texts(page, "//ol/li/h2") == ["Sore knee", "Why?"]
    limits = "tag=knee&year=2016&sort=oldest"
    assert page.xpath("//nav/a/@href") == [f"/browse?{limits}", f"/browse?{limits}&page=3"]
    assert texts(page, "//select/option[@selected]") == ["2016 (2)", "Oldest first"]


def test_more_like_this_names_the_post() -> None:
    """By its title, the first line of what was searched for, with a link back to it."""
    page = found_page(hit(), form=Form(like="id7"), query="Sore knee\nMy knee hurts.")
    assert texts(page, "//p[@class='like']") == ["Like Sore knee"]
    assert page.xpath("//p[@class='like']/a/@href") == ["/posts/id7"]
    assert texts(page, "//title") == ["Like Sore knee – 1 post – Past answers"]
    page = found_page(hit(), form=Form(like="id7"), query="Sore knee", answered=False)
    assert texts(page, "//section//h2")[0] == "No other post here is close to that one"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)",
        "\x01javascript:alert(1)", "javascript://example.org/%0aalert(1)", "data:text/html,x", "vbscript:x",
        "file:///etc/passwd", "//example.org/", "/relative", "https:\\\\example.org", "https:example.org",
        "https://", "http://[", "https://exam ple.org", "ftp://example.org/", "", "blob:https://example.org/x",
    ],
)  # fmt: skip
def test_only_addresses_on_the_web_become_links(url: str) -> None:
    """No other kind of address does: on a post's page it is told as text."""
    for page in (found_page(hit(url=url)), view_page(url=url)):
        assert not page.xpath("//a[contains(@rel, 'external')]")
        assert all(re.match(r"/(?!/)|#", str(link)) for link in page.xpath("//a/@href"))


@pytest.mark.parametrize("url", ["https://example.org/a?b=c&d=e#f", "HTTP://user@Example.ORG:8080/ä%20b"])
def test_addresses_on_the_web_are_linked_as_they_are(url: str) -> None:
    """With the name of the host, which is what tells where they lead."""
    for page in (found_page(hit(url=url)), view_page(url=url)):
        link = one(page, "//a[contains(@rel, 'external')]")
        assert link.get("href") == url
        assert link.text_content() == "Original at example.org"


def test_a_post_has_a_page_of_its_own() -> None:
    """With everything that is known of it."""
    page = view_page(url="doi:10.1000/7", score=4)
    assert texts(page, "//h1") == ["Sore knee"]
    assert texts(page, "//title") == ["Sore knee – Past answers"]
    assert texts(page, "//article/div") == ["My knee hurts.", ANSWER]
    facts = " ".join(one(page, "//p[@class='facts']").text_content().split())
    assert facts == "22 July 2016 Tags: knee Asked by Ann Score 4 Address: doi:10.1000/7"
    assert page.xpath("//p[@class='actions']/a/@href") == ["/?like=id1"]
    assert not page.xpath("//nav")


def test_a_post_leads_to_those_before_and_after_it() -> None:
    """By name alone where the archive does not have them."""
    view = PostView(post(prev_title="Before", next_title="Gone"), "id1", OtherPost("id0", "6", "Before", None), None)
    page = html.fromstring(post_page(view))
    assert texts(page, "//nav/p") == ["Previous Before", "Next Gone (not in this archive)"]
    assert page.xpath("//nav//a/@href") == ["/posts/id0"]


def test_each_of_several_answers_stands_alone() -> None:
    """With its author, date and score; all of them are copied."""
    parts = (AnswerPart(0, 5, "1", 9, True, "Bea", "2017-01-02"), AnswerPart(7, 13, "2", -1))
    page = view_page(answer="First\n\nSecond", answers=parts)
    assert texts(page, "//h2") == ["Question", "Answers"]
    assert texts(page, "//*[@data-answer]") == ["First", "Second"]
    assert texts(page, "//p[@class='facts']")[1:] == ["Accepted By Bea 2 January 2017 Score 9", "Score -1"]


@pytest.mark.parametrize("spans", [((0, 5),), ((7, 13),), ((0, 8), (5, 13))])
def test_no_answer_is_lost_when_the_parts_do_not_make_up_the_whole(spans: tuple[tuple[int, int], ...]) -> None:
    """The answer is then shown as one text."""
    parts = tuple(AnswerPart(start, end) for start, end in spans)
    page = view_page(answer="First\n\nSecond", answers=parts)
    assert [element.text_content() for element in page.xpath("//*[@data-answer]")] == ["First\n\nSecond"]


def test_a_post_without_an_answer_says_so() -> None:
    """There is nothing to copy."""
    page = view_page(answer="")
    assert "Not answered yet." in texts(page, "//article/p")
    assert not page.xpath("//article//button")


def test_an_error_says_what_happened_and_leads_back() -> None:
    """In words, with its number."""
    page = html.fromstring(error_page(404, "There is no post of this id."))
    assert texts(page, "//h1") == ["Not found"]
    assert "There is no post of this id." in texts(page, "//main/p")
    assert page.xpath("//main//a/@href") == ["/"]
    assert texts(html.fromstring(error_page(503, "Busy.")), "//title") == ["Error 503 – Past answers"]


def test_pages_hold_together() -> None:
    """Ids are unique, and what refers to one finds it; every box has a label; nothing is loaded from elsewhere."""
    other = OtherPost("id8", "8", "Knee again", "2019-02-01")
    form = Form(q="knee", since="2015")
    pages = [
        search_page(Form(), None, archive("a", "b", total=2)),
        search_page(form, result(hit(newer=other), hit(rank=2, repeated_by=(other,))), archive("a", total=2)),
        search_page(form, result(hit(), answered=False), archive("a", total=2), message="Too much."),
        post_page(PostView(post(), "id1", other, None)),
        error_page(404, "No."),
        browse_page(Listing([post()], 2, True), archive("a", "b")),
    ]
    for text in pages:
        page = html.fromstring(text)
        ids = [str(name) for name in page.xpath("//@id")]
        assert len(ids) == len(set(ids))
        named = page.xpath("//@for | //@aria-labelledby | //@aria-describedby")
        linked = [str(link)[1:] for link in page.xpath("//a/@href") if str(link).startswith("#")]
        assert {name for names in named for name in str(names).split()} | {*linked} <= {*ids}
        labelled = {str(name) for name in page.xpath("//label/@for")}
        assert {str(name) for name in page.xpath("(//input|//textarea|//select)/@id")} == labelled
        assert page.get("lang") == "en"
        assert page.xpath("//link/@href")[1:] == ["/static/style.css", "/site.css"]
        assert page.xpath("//script/@src") == ["/static/app.js"]
        assert len(page.xpath("//h1")) == len(page.xpath("//main")) == 1
