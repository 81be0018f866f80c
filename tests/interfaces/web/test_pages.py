"""The pages: what they say, and that no text can become part of them."""

from __future__ import annotations

import glob
import re
import sqlite3
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html

from qa_search.interfaces.web.pages import Form, PostView, error_page, post_page, search_page
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


def result(*hits: Hit, query: str = "knee pain", answered: bool = True, confidence: float = 0.93) -> SearchResult:
    return SearchResult(query, answered, confidence, hits, 1.0)


def post(**fields: Any) -> Post:
    made = Post("forum.jsonl", "7", "Sore knee", "My knee hurts.", ANSWER, "2016-07-22", tags=("knee",), author="Ann")
    return replace(made, **fields)


def found_page(*hits: Hit, form: Form | None = None, **fields: Any) -> html.HtmlElement:
    return html.fromstring(search_page(form or Form(q="knee pain"), result(*hits, **fields), ["forum.jsonl"], total=9))


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
    found = result(filled, in_title, in_question, query=text)
    unanswered = replace(found, answered=False)
    return {
        "found": search_page(replace(form, like=""), found, [text, "other"], total=3),
        "not answered": search_page(replace(form, like=""), unanswered, [text], total=3),
        "like": search_page(replace(form, q=""), found, [text], total=3),
        "problem": search_page(form, None, [text], total=3, message=text),
        "post": post_page(PostView(whole, text, other, other)),
        "post alone": post_page(PostView(whole, text, None, None)),
        "error": error_page(500, text),
    }


def test_the_page_says_how_a_very_long_query_was_read() -> None:
    """Above the hits, and only where there is something to say."""
    long = replace(result(hit()), note="The query is very long.")
    shown = html.fromstring(search_page(Form(q="knee pain"), long, ["forum.jsonl"], total=9))
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
    st.text(st.sampled_from("<>/\"'=&;{}%#!-[]`\\ \n\tab\u202e\x00é") | st.characters(), min_size=1).filter(str.strip)
)
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
    assert excerpt.text_content().strip() == shown[start:end][:1200].strip()


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
    where = "//h3//mark" if name == "title" else "//blockquote[contains(@class, 'asked')]/mark"
    assert texts(page, where) == [text[3:7].strip()]
    assert not page.xpath("//*[contains(@class, 'answer')]//mark")


@pytest.mark.parametrize("before", [0, 100, 5000])
@pytest.mark.parametrize("after", [0, 100, 5000])
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
    assert len(bare) < 1000
    assert text == answer or max(before, after) == 5000


def test_an_excerpt_stays_short_without_blanks() -> None:
    """A sentence without end is cut, and so is a text of one word."""
    page = found_page(hit(answer="字" * 50_000, highlight=Highlight("answer", 0, 50_000, "字" * 50_000)))
    assert len(one(page, "//blockquote[contains(@class, 'answer')]").text_content()) < 2500
    page = found_page(hit(question="字" * 50_000))
    assert len(one(page, "//blockquote[contains(@class, 'asked')]").text_content()) < 300


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
    """Title, date, place, tags, question, answer, links to its page, to similar posts and to the original."""
    page = found_page(hit(url="https://forum.example.org/t/7?a=1&b=2"))
    article = one(page, "//ol/li/article")
    assert texts(article, "h3/a") == ["Sore knee"]
    facts = one(article, "p[@class='facts']").text_content()
    assert "22 July 2016" in facts
    assert "forum.jsonl/7" in facts
    assert "Tags: knee, running" in facts
    assert article.xpath("h3/a/@href") == ["/posts/id1"]
    assert texts(article, "blockquote") == ["My knee hurts after a mile.", ANSWER]
    assert texts(article, "details/div") == ["My knee hurts after a mile.", ANSWER]
    links = one(article, "p[@class='actions']")
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
    assert page.xpath("//p[@class='newer']/a/@href") == ["/posts/id8"]
    assert texts(page, "//details[@class='repeated']/summary") == ["Also in the archive 2 more times"]
    assert texts(page, "//details[@class='repeated']//li") == ["Same knee (9, 1 January 2014)", "10 (10, no date)"]
    assert page.xpath("//details[@class='repeated']//a/@href") == ["/posts/id9", "/posts/id10"]


def test_found_answers_are_counted_and_named() -> None:
    """In the status for screen readers and in the page's title, with what was asked."""
    page = found_page(hit(), hit(rank=2))
    assert texts(page, "//section//p[@role='status']") == [
        "2 posts, nearest first. The archive very likely answers this (93%)."
    ]
    assert texts(page, "//title") == ["knee pain – 2 posts – Past answers"]
    assert texts(found_page(hit()), "//title") == ["knee pain – 1 post – Past answers"]
    assert "unanswered" not in one(page, "//section").get("class", "")


def test_nothing_found_is_said_first_and_plainly() -> None:
    """With how likely it is that this is wrong; the nearest posts follow, subdued."""
    page = found_page(hit(confidence=0.2), answered=False, confidence=0.21)
    assert texts(page, "//section//h2") == ["Nothing here answers that", "The nearest posts"]
    (status,) = texts(page, "//section//p[@role='status']")
    assert "the estimated chance that one of them answers is 21%" in status
    assert "The nearest post follows." in status
    assert one(page, "//section").get("class") == "unanswered"
    assert texts(page, "//title") == ["knee pain – no answer – Past answers"]


def test_advice_takes_the_place_of_the_chance() -> None:
    """What would help is said in the status, which a screen reader reads out."""
    advised = replace(result(hit(), hit(), answered=False, confidence=0.1), advice="The query seems to be <German>.")
    page = html.fromstring(search_page(Form(q="knee pain"), advised, ["forum.jsonl"], total=9))
    (status,) = texts(page, "//section//p[@role='status']")
    assert status == "The query seems to be <German>. The 2 nearest posts follow."


def test_no_hits_at_all_are_put_down_to_the_filters() -> None:
    """If there are any; they can be cleared without losing what was asked."""
    page = found_page(form=Form(q="knee & heel", tag="nosuch"), answered=False, confidence=0.0)
    assert texts(page, "//section//p[@role='status']") == ["No post passes the filters."]
    assert page.xpath("//a[.='Clear the filters']/@href") == ["/?q=knee+%26+heel"]
    page = found_page(answered=False, confidence=0.0)
    assert texts(page, "//section//p[@role='status']") == ["There are no posts."]
    assert not page.xpath("//a[.='Clear the filters']")


def test_the_form_keeps_what_was_filled_in() -> None:
    """To the character: also a line break at the very start, and a pattern that is no source of its own."""
    form = Form(q="\n one\n two ", k=7, since="2015-06", until="2016", source="*/Posts.xml", tag="shin splints")
    page = found_page(hit(), form=form)
    # An HTML parser leaves out the first line break in a textarea; lxml's does not.
    assert one(page, "//textarea").text_content().removeprefix("\n") == form.q
    assert {field: one(page, f"//input[@name='{field}']").get("value") for field in ("since", "until", "tag")} == {
        "since": "2015-06", "until": "2016", "tag": "shin splints",
    }  # fmt: skip
    assert page.xpath("//select[@name='source']/option[@selected]/@value") == ["*/Posts.xml"]
    assert texts(page, "//select[@name='k']/option") == ["5", "7", "10", "20", "50"]
    assert texts(page, "//select[@name='k']/option[@selected]") == ["7"]
    assert page.xpath("//details[@class='filters']/@open")
    assert texts(page, "//details[@class='filters']/summary") == ["Filters (4 set)"]


def test_filters_are_folded_until_one_is_set() -> None:
    """Most people need none."""
    assert not found_page(hit()).xpath("//details[@class='filters']/@open")
    assert found_page(hit(), form=Form(q="x", k=10)).xpath("//details[@class='filters']/@open")


@pytest.mark.parametrize("source", ["plain.jsonl", "dump [2015].json", "what?.csv", "a*b/Posts.xml", "[", "^[]-]"])
def test_a_chosen_source_is_that_source(source: str) -> None:
    """Its name is filtered by as a pattern, so what patterns give a meaning is escaped."""
    page = html.fromstring(search_page(Form(), None, [source], total=1))
    pattern = page.xpath("//select[@name='source']/option/@value")[1]
    database = sqlite3.connect(":memory:")
    assert database.execute("SELECT ? GLOB ?", (source, pattern)).fetchone() == (1,)
    assert database.execute("SELECT ? GLOB ?", (source + "x", pattern)).fetchone() == (0,)
    database.close()
    again = html.fromstring(search_page(Form(source=pattern), None, [source], total=1))
    assert texts(again, "//option[@selected][1]")[0] == source
    assert len(again.xpath("//select[@name='source']/option")) == 2


def test_a_problem_is_told_by_the_box() -> None:
    """As an alert that describes the box, and in the page's title; nothing was found then."""
    page = html.fromstring(search_page(Form(q="x", since="soon"), None, [], total=1, message="'soon' is no date."))
    assert texts(page, "//form//p[@role='alert']") == ["'soon' is no date."]
    assert one(page, "//textarea").get("aria-describedby", "").split()[0] == one(page, "//p[@role='alert']").get("id")
    assert texts(page, "//title") == ["Problem – Past answers"]
    assert not page.xpath("//section")


def test_the_start_page_says_what_there_is() -> None:
    """How many posts, and the box to type in has the focus."""
    page = html.fromstring(search_page(Form(), None, [], total=12345))
    assert texts(page, "//p[@class='intro']")[0].startswith("12,345 questions with an expert's answer.")
    assert "autofocus" in one(page, "//textarea").attrib
    assert texts(page, "//title") == ["Past answers"]


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
    assert facts == "22 July 2016 forum.jsonl/7 Tags: knee Asked by Ann Score 4 Address: doi:10.1000/7"
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
    assert not page.xpath("//button")


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
        search_page(Form(), None, ["a", "b"], total=2),
        search_page(form, result(hit(newer=other), hit(rank=2, repeated_by=(other,))), ["a"], total=2),
        search_page(form, result(hit(), answered=False), ["a"], total=2, message="Too much."),
        post_page(PostView(post(), "id1", other, None)),
        error_page(404, "No."),
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
        assert page.xpath("//link/@href")[1:] == ["/static/style.css"]
        assert page.xpath("//script/@src") == ["/static/app.js"]
        assert len(page.xpath("//h1")) == len(page.xpath("//main")) == 1
