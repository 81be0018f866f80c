"""Pages and texts as people and programs write them -> what is asked, with what was asked beside it, and its answer."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from qa_search.archives.formats import wikitext
from qa_search.archives.read import read_archives
from qa_search.types import Post
from tests.helpers import posts_in

HEADINGS = "<html><body><h1>Bread</h1><p>Weekly.</p>{}</body></html>"
SHAPES = {
    "h2": "<h2>{}</h2><p>{}</p>",
    "h4": "<a name=x></a><h4>{}</h4><blockquote>{}</blockquote>",
    "list": "<li><strong>{}</strong><ul><li>{}</li></ul></li>",
    "lone items": "<ol><li>{}</li></ol><p>{}</p>",
}
COMPLAINTS = [
    ("The crust of mine stays pale", "Bake it hotter."),
    ("How long does rye keep?", "A week."),
    ("Crumb sticks to the knife", "Wait for a day."),
    ("Can I freeze dough?", "Yes, for a month."),
    ("Which flour is best?", "Fresh flour."),
    ("Why does it rise twice?", "For its taste."),
    ("The bottom burns each time", "Use a lower shelf."),
]


def html(tmp_path: Path, markup: str) -> None:
    (tmp_path / "page.html").write_text(markup)


@pytest.mark.parametrize("shape", SHAPES)
def test_titles_that_complain_are_questions_beside_those_that_ask(shape: str, tmp_path: Path) -> None:
    """The first and the last ones too."""
    html(tmp_path, HEADINGS.format("".join(SHAPES[shape].format(*pair) for pair in COMPLAINTS)))
    found = [(post.question, post.answer.removeprefix("- ")) for post in posts_in(tmp_path)]
    assert found == COMPLAINTS


def test_a_title_without_a_sentence_is_no_question(tmp_path: Path) -> None:
    """Nor is the title of the page, and a sentence behind titles that all ask."""
    asking = "".join(SHAPES["h2"].format(*pair) for pair in COMPLAINTS if pair[0].endswith("?"))
    html(
        tmp_path,
        f"<html><h2>All that we know of bread</h2><p>Much.</p>{asking}<h2>Visit us in our shop</h2><p>Here.</p>",
    )
    assert len(posts_in(tmp_path)) == 4
    html(tmp_path, HEADINGS.format(f"<h2>Summary</h2><p>Much.</p>{asking}"))
    assert len(posts_in(tmp_path)) == 4


def test_what_is_asked_below_a_title_is_parted_from_the_answer(tmp_path: Path) -> None:
    """Who asked, and when, stands in a line above each title."""
    entry = "<p>{} <i>{}.03.2011 10:15</i></p><p><b>{}</b><br>{}</p><p><b>Doctor's answer:</b> {}</p>"
    entries = [
        ("Ann", 14, "Is rye better?", "I eat wheat.", "Both are fine."),
        ("Bob", 15, "How much salt?", "I like it mild.", "Six grams."),
        ("Eve", 16, "Which oven?", "Mine is small.", "A hot one."),
    ]
    html(tmp_path, "<html><body>" + "".join(entry.format(*values) for values in entries))
    found = [(p.author, (p.date or "")[:10], p.title, p.question, p.answer) for p in posts_in(tmp_path)]
    assert found == [(who, f"2011-03-{day}", *texts) for who, day, *texts in entries]


def test_an_answer_of_many_kinds_stays_whole(tmp_path: Path) -> None:
    """A line in one of several answers parts nothing."""
    pairs = [("How hot?", "<p>It depends.</p><p>Answer: hot.</p>"), ("How long?", "Long."), ("How cold?", "Cold.")]
    html(tmp_path, HEADINGS.format("".join(SHAPES["h2"].format(*pair) for pair in pairs)))
    assert posts_in(tmp_path)[0].answer == "It depends.\n\nAnswer: hot."


@pytest.mark.parametrize("title", ["How hot?", "My oven is too hot"])
def test_a_heading_that_says_answer_parts_a_page_of_one_question(title: str, tmp_path: Path) -> None:
    """The title is in the front matter, the day in the name of the file, as Jekyll has them."""
    text = f'---\nlayout: post\ntitle: "{title}"\n---\nThe dial says ten.\n\n## Answer\n\nTurn it down.\n'
    (tmp_path / "2014-02-03-oven.md").write_text(text)
    (post,) = posts_in(tmp_path)
    assert (post.title, post.question, post.answer) == (title, "The dial says ten.", "Turn it down.")
    assert post.date == "2014-02-03"


@pytest.mark.parametrize("answered", ["[!success] Answer", "[!answer]", "[!done]-"])
def test_callouts_part_what_is_asked_from_the_answer(answered: str, tmp_path: Path) -> None:
    """As Obsidian writes them."""
    (tmp_path / "note.md").write_text(
        f"# How hot?\n\n> [!question]\n> The dial says ten.\n\n> {answered}\n> Turn it down.\n"
    )
    (post,) = posts_in(tmp_path)
    assert (post.title, post.question, post.answer) == ("How hot?", "The dial says ten.", "Turn it down.")


def test_a_callout_whose_title_asks_is_a_question(tmp_path: Path) -> None:
    """Its text answers."""
    (tmp_path / "note.md").write_text("# Oven\n\n> [!faq]- How hot?\n> Very.\n\n> [!question]+ How long?\n> An hour.\n")
    assert [(p.question, p.answer) for p in posts_in(tmp_path)] == [("How hot?", "Very."), ("How long?", "An hour.")]


def test_cells_of_several_rows_and_columns_shift_nothing(tmp_path: Path) -> None:
    """A topic beside two questions, and a question with two answers."""
    html(
        tmp_path,
        "<html><table><tr><th>Topic</th><th colspan=2>Question</th><th>Answer</th></tr>"
        "<tr><td rowspan=2>Salt</td><td colspan=2>How much?</td><td>Little.</td></tr>"
        "<tr><td colspan=2>Which one?</td><td>Sea salt.</td></tr>"
        "<tr><td>Oven</td><td colspan='2' rowspan='2'>How hot?</td><td>Hot.</td></tr>"
        "<tr><td>Ovens</td><td>Or not.</td></tr>"
        "</table></html>",
    )
    found = [(post.tags, post.question, post.answer) for post in posts_in(tmp_path)]
    assert found == [
        (("Salt",), "How much?", "Little."),
        (("Salt",), "Which one?", "Sea salt."),
        (("Oven",), "How hot?", "Hot."),
        (("Ovens",), "How hot?", "Or not."),
    ]


def test_cells_that_claim_many_rows_take_no_time(tmp_path: Path) -> None:
    """What a page claims is bounded."""
    row = "<tr><td rowspan=999999 colspan=99999>How?</td><td rowspan=999999>So.</td></tr>"
    html(tmp_path, f"<html><table><tr><th>Question</th><th>Answer</th></tr>{row * 5_000}</table></html>")
    started = time.process_time()
    posts_in(tmp_path)
    assert time.process_time() - started < 20


@pytest.mark.parametrize(
    "names", ['class="sphinxsidebar"', 'role="navigation"', 'id="localtoc"', 'class="bd-sidebar-primary"']
)
def test_the_contents_beside_a_page_are_no_answer(names: str, tmp_path: Path) -> None:
    """Nor is a page dropped that only says that it has such contents."""
    asking = "".join(SHAPES["h2"].format(*pair) for pair in COMPLAINTS if pair[0].endswith("?"))
    body = f"<div class='has-sidebar'><h1>Bread</h1>{asking}</div>"
    html(tmp_path, f"<html><body>{body}<div {names}><h3>Contents</h3><ul><li>Rye</li></ul></div></body></html>")
    assert [post.answer for post in posts_in(tmp_path)] == [
        "A week.",
        "Yes, for a month.",
        "Fresh flour.",
        "For its taste.",
    ]


@pytest.mark.parametrize("title", ["# FAQ", "# Oven"])
def test_a_title_whose_text_is_in_sections_below_is_the_question(title: str, tmp_path: Path) -> None:
    """The names of those sections are the same below each."""
    titles = ["How hot is it?", "My oven stays cold", "Which oven?", "Why an oven?"]
    below = "## {}\n\n### In short\n\nHot.\n\n### Details\n\nVery hot.\n"
    (tmp_path / "oven.md").write_text("\n".join([title, "", *map(below.format, titles)]))
    found = posts_in(tmp_path)
    assert [post.question for post in found] == titles
    assert {post.answer for post in found} == {"In short\n\nHot.\n\nDetails\n\nVery hot."}


def test_topics_that_repeat_are_no_questions(tmp_path: Path) -> None:
    """A FAQ whose titles do not ask, each with the same sections: nothing tells what is asked."""
    below = "## {}\n\n### In short\n\nHot.\n\n### Details\n\nVery hot.\n"
    (tmp_path / "faq.md").write_text("\n".join(["# FAQ", "", *map(below.format, ["Heat", "Cold", "Steam"])]))
    assert not any(isinstance(item, Post) for item in read_archives([tmp_path]))


def test_numbered_subjects_of_a_faq_are_its_questions(tmp_path: Path) -> None:
    """The list of contents is none, subjects go on in the next line, and short answers stay."""
    rule = "-" * 30
    text = (
        "Archive-name: ovens/faq\n\nSubject: 0. Contents\n\n 1. How hot?\n 2. Cold\n 3. How long\n\n"
        f"{rule}\n\nSubject: 1. How hot?\n\nHot.\n{rule}\nSubject: 2. The oven stays\n  cold\n\n"
        f"Is it on?\n\n  1. Look.\n  2. Wait.\n\n{rule}\n\nSubject: 3. How long\n\nAn hour.\n"
    )
    (tmp_path / "ovens").write_text(text)
    found = [(post.question, post.answer) for post in posts_in(tmp_path)]
    assert found == [
        ("How hot?", "Hot."),
        ("The oven stays cold", "Is it on?\n\n  1. Look.\n  2. Wait."),
        ("How long", "An hour."),
    ]


def test_a_turn_of_the_one_who_asks_is_a_question_without_a_mark(tmp_path: Path) -> None:
    """A word of thanks is none."""
    asked = ["How hot?", "Mine is old and stays cold for half an hour after I turn it on", "Why?", *["Which?"] * 6]
    turns = "".join(f"ANN: {text}\n\nBOB: Because of {n}.\n\n" for n, text in enumerate([*asked, "How?"]))
    (tmp_path / "talk.txt").write_text(turns.replace("ANN: Why?", "ANN: Thank you for that.\n\nANN: Why?"))
    assert [post.question for post in posts_in(tmp_path)][:3] == [asked[0], asked[1], "Why?"]


PROGRAMS = {
    "rdfa": (
        '<html><body><div vocab="https://schema.org/" typeof="schema:Question"><h1 property="name">Oven</h1>'
        '<div property="text">How hot?</div><div property="schema:acceptedAnswer" typeof="Answer">'
        '<div property="text">Very.</div></div></div></body></html>',
        [("Oven", "How hot?", "Very.")],
    ),
    "greek": (
        "<html><body><h3>Πόσο ζεστό;</h3><p>Πολύ.</p><h3>Γιατί;</h3><p>Έτσι; όχι.</p></body></html>",
        [("", "Πόσο ζεστό;", "Πολύ."), ("", "Γιατί;", "Έτσι; όχι.")],
    ),
    "sheet": (
        "<link href=x><table><tr><th></th><th>A</th><th>B</th></tr><tr><th>1</th><td>Question</td><td>Answer</td>"
        "</tr><tr><th>2</th><td>Oven</td><td>Hot.</td></tr></table>",
        [("", "Oven", "Hot.")],
    ),
    "program's data": (
        '<html><body><p>FAQ</p></body><script id="__NEXT_DATA__" type="application/json">'
        '{"a": [{"list": [{"question": "How hot?", "answer": "<p>Very.</p>"}]}]}</script></html>',
        [("", "How hot?", "Very.")],
    ),
    "named answer": (
        "<html><h1>My oven</h1><div class='question-body'>How hot?</div><div class=answer>Very.</div></html>",
        [("My oven", "How hot?", "Very.")],
    ),
    "text between": (
        "<html><h1>My oven</h1><i>3 May 2011</i><p>How hot?</p><div><div class=answer>Very.</div></div></html>",
        [("My oven", "How hot?", "Very.")],
    ),
    "help centre": (
        "<html><body><h1>Cold oven</h1><div class=article-body><p>Turn it on.</p></div>"
        "<p>Was this article helpful?</p></body></html>",
        [("", "Cold oven", "Turn it on.")],
    ),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_pages_of_programs_are_read(program: str, tmp_path: Path) -> None:
    """By what they say of their parts."""
    markup, expected = PROGRAMS[program]
    html(tmp_path, markup)
    assert [(post.title, post.question, post.answer) for post in posts_in(tmp_path)] == expected


def test_an_article_or_several_answers_are_no_question(tmp_path: Path) -> None:
    """Of which nothing says that they are."""
    for body in ("<div class=article-body>Bread is old.</div>", "<p class=best-answer>A</p><p class=answers>B</p>"):
        html(tmp_path, f"<html><body><h1>Bread</h1>{body}</body></html>")
        assert not any(isinstance(item, Post) for item in read_archives([tmp_path]))


@pytest.mark.parametrize("marks", ["_{}._ ", "*{}.* ", "**{}.** "])
def test_letters_in_italics_are_labels(marks: str, tmp_path: Path) -> None:
    """As old books have them."""
    pairs = [("Why so flat?", "It is\nold."), ("Why so wide?", "It is wet.")]
    text = "".join(f"{marks.format('Q')}{asked}\n\n{marks.format('A')}{answer}\n\n" for asked, answer in pairs)
    (tmp_path / "book.txt").write_text(f"OF BREAD\n\n{text}")
    assert [(post.question, post.answer) for post in posts_in(tmp_path)] == pairs


@pytest.mark.parametrize("answered", ["Answer (Bob):", "Answer:"])
def test_a_ticket_with_labelled_parts_is_no_mail(answered: str, tmp_path: Path) -> None:
    """The lines above say what it is about, who asked, and when."""
    head = "Ticket: 7\nSubject: Cold oven\nFrom: Ann\nDate: 16 Aug 2010\nStatus: closed\nQueue: Ovens\n"
    (tmp_path / "7.txt").write_text(f"{head}\nQuestion:\nIt stays cold.\n\n{answered}\nTurn it on.\n")
    (post,) = posts_in(tmp_path)
    assert (post.title, post.question, post.answer) == ("Cold oven", "It stays cold.", "Turn it on.")
    assert (post.author, post.date) == ("Ann", "2010-08-16")


@pytest.mark.parametrize("kind", ["srt", "vtt"])
def test_subtitles_with_speakers_are_an_interview(kind: str, tmp_path: Path) -> None:
    """What one says goes on in the next cues."""
    lines = []
    for n in range(4):
        lines += [("HOST", f"How hot is oven {n}?"), ("DR. BOB", f"It is {n} degrees"), ("", "hot."), ("", "Or more.")]
    marks = {"srt": "{}: {}", "vtt": "<v {}>{}</v>"}
    cues = [marks[kind].format(*line) if line[0] else line[1] for line in lines]
    times = "00:00:{0:02}{2}000 --> 00:00:{1:02}{2}000\n{3}\n\n"
    point = {"srt": ",", "vtt": "."}[kind]
    text = "".join(f"{n + 1}\n" + times.format(n, n + 1, point, cue) for n, cue in enumerate(cues))
    (tmp_path / f"talk.{kind}").write_text(("WEBVTT\n\n" if kind == "vtt" else "") + text)
    found = [(post.question, post.answer) for post in posts_in(tmp_path)]
    assert found == [(f"How hot is oven {n}?", f"It is {n} degrees hot. Or more.") for n in range(4)]


@pytest.mark.parametrize("shape", ["== {} ==\n{}\n", ";{}\n:{}\n", "; {} : {}\n", "'''{}'''\n\n{}\n\n"])
def test_the_text_of_a_wiki_is_read(shape: str, tmp_path: Path) -> None:
    """Without its links, its templates and its categories."""
    pairs = [
        ("How hot?", "Very, see [[Oven|ovens]].{{cite|x}}"),
        ("Why?", "It ''is''."),
        ("Which?", "Any.\n# one\n# two"),
    ]
    text = "__TOC__\n" + "\n".join(shape.format(*pair) for pair in pairs) + "\n[[Category:Ovens]]\n"
    (tmp_path / "faq.mediawiki").write_text(text)
    found = [(post.question, post.answer.replace("\n\n", "\n")) for post in posts_in(tmp_path)]
    assert found == [("How hot?", "Very, see ovens."), ("Why?", "It is."), ("Which?", "Any.\n1. one\n2. two")]


def test_a_long_text_of_a_wiki_takes_no_time(tmp_path: Path) -> None:
    """Whatever is opened in it and never closed."""
    for opened in ("'''a", "[[a", "{{a", "<ref>a", "<!--a", "== a", "; a :"):
        started = time.process_time()
        wikitext.to_markdown(f"{opened}\n" * 20_000 + opened * 20_000)
        assert time.process_time() - started < 20, opened
