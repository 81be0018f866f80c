"""Small files in shapes that are common elsewhere -> the questions and answers that a person sees in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from qa_search.archives.read import Reading, read_archives
from qa_search.types import Post

TWO = [("How do I descale it?", "With vinegar."), ("Refunds?", "Within 14 days.")]
ROWS = "How do I descale it?,With vinegar.\nRefunds?,Within 14 days.\n"
PAGE = '<html itemscope itemtype="https://schema.org/QAPage"><body>{}</body></html>'
QUESTION = (
    '<div itemprop="mainEntity" itemscope itemtype="https://schema.org/Question">'
    '<h1 itemprop="name">Refunds?</h1>{}</div>'
)
ANSWER = (
    '<div itemprop="{}" itemscope itemtype="https://schema.org/Answer"><p itemprop="text">Within 14 days.</p></div>'
)
MAIL = (
    "From ann@example.org Wed Mar  4 10:00:00 2015\nFrom: Ann <ann@example.org>\nSubject: Refunds?\nMessage-ID: <1@x>\n"
    "Date: Wed, 4 Mar 2015 10:00:00 +0100\n\nRefunds?\n\n"
    "From bob@example.org Wed Mar  4 12:00:00 2015\nFrom: Bob <bob@example.org>\nSubject: Re: Refunds?\n"
    "Message-ID: <2@x>\nIn-Reply-To: <1@x>\nDate: Wed, 4 Mar 2015 12:00:00 +0100\n\n{}\n> Refunds?\n\nWithin 14 days.\n"
)
REPLY = "> Refunds?\n\nWithin 14 days."
HTML_REPLY = (
    '<p>Within 14 days.</p><div class="gmail_quote">On 4 Mar 2015, Ann wrote:<blockquote>Refunds?</blockquote></div>'
)
TABLE = "<table>{}<tr><td>How do I descale it?</td><td>With vinegar.</td></tr><tr><td>Refunds?</td><td>Within 14 days.</td></tr></table>"  # noqa: E501
SHAPES: dict[str, tuple[str, str, list[tuple[str, str]]]] = {
    "instructions, some with an input": (
        "alpaca.json",
        '[{"instruction": "Refunds?", "input": "", "output": "Within 14 days."},'
        ' {"instruction": "Sort these.", "input": "b, a", "output": "a, b"}]',
        [("Refunds?", "Within 14 days."), ("b, a", "a, b")],
    ),
    "a title above a table": ("faq.csv", f"Support sheet,\nQuestion,Answer\n{ROWS}", TWO),
    "a title that names questions": ("faq.csv", f"Frequently asked questions,\n\nQuestion,Answer\n{ROWS}", TWO),
    "a numbered column with a point": (
        "faq.csv",
        "FAQ sheet,,\nSr. No.,Question,Answer\n1,How do I descale it?,With vinegar.\n2,Refunds?,Within 14 days.\n",
        TWO,
    ),
    "microdata on the root": ("p.html", PAGE.format(QUESTION.format(ANSWER.format("acceptedAnswer"))), TWO[1:]),
    "an answer with two names": (
        "p.html",
        f"<html><body>{QUESTION.format(ANSWER.format('suggestedAnswer acceptedAnswer'))}</body></html>".replace(
            ' itemprop="mainEntity"', ""
        ),
        TWO[1:],
    ),
    "a place to link to before a bold question": (
        "faq.html",
        '<html><h1>FAQ</h1><p><a name="1"></a><b>How do I descale it?</b><br>With vinegar.</p>'
        '<p><a name="2"></a><b>Refunds?</b><br>Within 14 days.</p></html>',
        TWO,
    ),
    "a place to link to around a bold question": (
        "faq.html",
        '<html><h1>FAQ</h1><p><a name="1"><b>How do I descale it?</b></a><br>With vinegar.</p>'
        '<p><a name="2"><b>Refunds?</b></a><br>Within 14 days.</p></html>',
        TWO,
    ),
    "a table in a page": (
        "faq.html",
        f"<html><h1>FAQ</h1>{TABLE.format('<tr><th>Question</th><th>Answer</th></tr>')}</html>",
        TWO,
    ),
    "a table in Markdown": (
        "faq.md",
        "# FAQ\n\n| Question | Answer |\n|---|---|\n| How do I descale it? | With vinegar. |\n"
        "| Refunds? | Within 14 days. |\n",
        TWO,
    ),
    "an attribution on one line": ("m.mbox", MAIL.format("Ann wrote:"), TWO[1:]),
    "an attribution that a program broke": (
        "m.mbox",
        MAIL.format("On Wed, Mar 4, 2015 at 10:00 AM, Ann Mustermann\n<ann@example.org> wrote:"),
        TWO[1:],
    ),
    "a quotation in HTML": (
        "m.mbox",
        MAIL.format("").replace(REPLY, HTML_REPLY).replace("\nIn-Reply", "\nContent-Type: text/html\nIn-Reply"),
        TWO[1:],
    ),
    "a header above what is answered": (
        "m.mbox",
        MAIL.format("").replace(
            "> Refunds?\n\nWithin 14 days.", "Within 14 days.\n\nFrom: Ann\nSent: Wednesday\nTo: Bob\n\nRefunds?"
        ),
        TWO[1:],
    ),
    "a ticket with notes among staff": (
        "tickets.json",
        '{"tickets": [{"id": 1, "subject": "Kettle", "description": "Refunds?", "requester_id": 5, "comments": ['
        '{"author_id": 5, "body": "Refunds?", "public": true}, {"author_id": 9, "body": "A bad one.", "public": false},'
        ' {"author_id": 9, "body": "Within 14 days.", "public": true}]}]}',
        TWO[1:],
    ),
    "categories of questions": (
        "faq.json",
        '{"Care": {"How do I descale it?": "With vinegar."}, "Money": {"Are there refunds?": "Within 14 days."}}',
        [TWO[0], ("Are there refunds?", "Within 14 days.")],
    ),
    "links to the top of a page": (
        "faq.md",
        "# FAQ\n\n## How do I descale it?\n\nWith vinegar.\n\n[Back to top](#faq)\n\n"
        "## Refunds?\n\nWithin 14 days. [↑](#faq)\n",
        TWO,
    ),
    "a page of MediaWiki": (
        "faq.html",
        '<html><h1>FAQ</h1><h2><span>How do I descale it?</span><span class="mw-editsection">[edit]</span></h2>'
        '<p>With vinegar.<sup class="reference">[1]</sup></p><h2>Refunds?</h2><p>Within 14 days.</p>'
        '<div id="catlinks">Category: Help</div></html>',
        TWO,
    ),
    "a channel of Slack": (
        "2020-03-04.json",
        '[{"type": "message", "user": "U1", "text": "Refunds?", "ts": "1.1", "thread_ts": "1.1", "replies": ['
        '{"user": "U2", "ts": "1.2"}]},'
        ' {"type": "message", "user": "U2", "text": "Within 14 days.", "ts": "1.2", "thread_ts": "1.1"}]',
        TWO[1:],
    ),
    "a list whose name has questions and answers": (
        "qna.json",
        '[{"context": "A kettle boils.", "questions_and_answers": ['
        '{"question": "How do I descale it?", "answer": "With vinegar."},'
        ' {"question": "Refunds?", "answer": "Within 14 days."}]}]',
        TWO,
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_what_a_person_sees_is_read(shape: str, tmp_path: Path) -> None:
    """Nothing more and nothing less."""
    name, text, expected = SHAPES[shape]
    (tmp_path / name).write_text(text, encoding="utf-8")
    posts = [item for item in read_archives([tmp_path / name]) if isinstance(item, Post)]
    assert [(post.question, post.answer) for post in posts] == expected


def test_a_table_without_the_names_is_no_list_of_questions(tmp_path: Path) -> None:
    """Prices are no answers."""
    markup = "<tr><th>Article</th><th>Price</th></tr>"
    (tmp_path / "p.html").write_text(f"<html><h1>Shop</h1>{TABLE.format(markup)}</html>", encoding="utf-8")
    assert not [item for item in read_archives([tmp_path]) if isinstance(item, Post)]


@pytest.mark.parametrize("answered", [True, False])
def test_answers_of_another_table_are_not_missed(answered: bool, tmp_path: Path) -> None:
    """What could hold the answers is only said where no other table has them."""
    (tmp_path / "Questions.csv").write_text("Id,Title,Body\n80,Kettle,Are there refunds?\n", encoding="utf-8")
    if answered:
        (tmp_path / "Answers.csv").write_text("Id,ParentId,Body\n92,80,Within 14 days.\n", encoding="utf-8")
    reading = Reading()
    posts = [item for item in read_archives([tmp_path], reading=reading) if isinstance(item, Post)]
    assert [post.answer for post in posts] == ["Within 14 days." if answered else ""]
    (remarks,) = [report.remarks for report in reading.reports]
    assert any("if 'Body' holds the answers" in remark for remark in remarks) is not answered
