"""Small files in shapes that are common elsewhere -> the questions and answers that a person sees in them."""

# ruff: noqa: E501 - other programs' files, as they write them
from __future__ import annotations

from pathlib import Path

import pytest

from qa_search.archives.read import Reading, read_archives
from qa_search.types import Post, SetAside

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
ACCORDION = (
    '<div class="card"><div class="card-header"><button class="btn btn-link" data-toggle="collapse">{}</button></div>'
    '<div class="collapse"><div class="card-body">{}</div></div></div>'
)
TABLE = "<table>{}<tr><td>How do I descale it?</td><td>With vinegar.</td></tr><tr><td>Refunds?</td><td>Within 14 days.</td></tr></table>"
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
    "bold titles of which some do not ask": (
        "faq.html",
        "<html><h1>FAQ</h1><p><b>How do I descale it?</b></p><p>With vinegar.</p><p><b>Refunds</b></p>"
        "<p>Within 14 days. <b>Note:</b></p><p><b>Remember:</b></p><p><b>Can I return it?</b></p><p>Yes.</p></html>",
        [TWO[0], ("Refunds", "Within 14 days. Note:\n\nRemember:"), ("Can I return it?", "Yes.")],
    ),
    "an accordion of Bootstrap": (
        "help.html",
        "<html><h1>Help</h1>"
        + ACCORDION.format("How do I descale it?", "With vinegar.")
        + ACCORDION.format("Refunds?", "Within 14 days.")
        + "</html>",
        TWO,
    ),
    "properties of Notion": (
        "page.md",
        "# How do I descale it?\n\nCreated: March 4, 2020 10:00 AM\nTags: kettle, care\nStatus: Done\n\nWith vinegar.\n",
        TWO[:1],
    ),
    "a digest of questions": (
        "kettle-faq",
        "From: ann@example.org (Ann)\nNewsgroups: rec.kettles\nSubject: Kettle FAQ\nDate: 4 Mar 1995 10:00:00 GMT\n\n"
        "Archive-name: kettle-faq\n\n------------------------------\n\nSubject: 1. How do I descale it?\n\nWith vinegar.\n\n"
        "------------------------------\n\nSubject: 2. Refunds?\n\nWithin 14 days.\n\n------------------------------\n\n"
        "End of kettle FAQ\n*****************\n",
        TWO,
    ),
    "a digest of a list": (
        "digest.eml",
        "From: list@example.org\nTo: list@example.org\nSubject: Digest\nDate: Wed, 4 Mar 2015 10:00:00 +0100\n\nTopics:\n\n"
        "------------------------------\n\nMessage: 1\nFrom: Ann <ann@example.org>\nSubject: Kettle\nMessage-ID: <1@x>\n\n"
        "Refunds?\n\n------------------------------\n\nMessage: 2\nFrom: Bob <bob@example.org>\nSubject: Re: Kettle\n\n"
        "Within 14 days.\n\n------------------------------\n\nSubject: Digest Footer\n\nTo leave, write.\n",
        TWO[1:],
    ),
    "what a list's archive took out": (
        "2015-March.txt",
        MAIL.format("").replace(
            REPLY,
            "Within 14 days.\n-------------- next part --------------\nA non-text attachment was scrubbed...\n"
            "Name: a.asc\nType: application/pgp-signature\nURL: <http://lists.example.org/a.asc>",
        ),
        TWO[1:],
    ),
    "a conversation in which the user asks twice": (
        "chats.json",
        '[{"conversations": [{"from": "human", "value": "How do I descale it?"}, {"from": "gpt", "value": "With vinegar."},'
        ' {"from": "human", "value": "Refunds?"}, {"from": "gpt", "value": "Within 14 days."},'
        ' {"from": "human", "value": "Thanks."}, {"from": "gpt", "value": "Gladly."}]}]',
        [("How do I descale it?", "With vinegar.\n\nRefunds?\n\nWithin 14 days.\n\nGladly.")],
    ),
    "examples with several questions for each context": (
        "qna.yaml",
        "version: 3\nseed_examples:\n  - context: A kettle boils water.\n    questions_and_answers:\n"
        "      - question: How do I descale it?\n        answer: With vinegar.\n"
        "      - question: Refunds?\n        answer: Within 14 days.\n",
        TWO,
    ),
    "a column with the whole example": (
        "alpaca.csv",
        "instruction,input,output,text\nHow do I descale it?,,With vinegar.,Task: How do I descale it? With vinegar.\n"
        "Refunds?,,Within 14 days.,Task: Refunds? Within 14 days.\n",
        TWO,
    ),
    "a quiz with wrong answers": (
        "quiz.xml",
        '<?xml version="1.0"?><quiz><question type="multichoice"><name><text>1</text></name><questiontext format="html">'
        '<text><![CDATA[<p>Refunds?</p>]]></text></questiontext><answer fraction="0"><text>Never.</text></answer>'
        '<answer fraction="100"><text>Within 14 days.</text><feedback><text>Right!</text></feedback></answer></question>'
        "</quiz>",
        TWO[1:],
    ),
    "a table of questions, answers and comments": (
        "q2a.sql",
        "CREATE TABLE `qa_posts` (`postid` int, `type` text, `parentid` int, `title` text, `content` text);\n"
        "INSERT INTO `qa_posts` VALUES (1,'Q',NULL,'Kettle','Refunds?'),(2,'A',1,NULL,'Within 14 days.'),"
        "(3,'C',2,NULL,'Thanks!'),(4,'Q_HIDDEN',NULL,'Buy pills','Buy pills here.'),(5,'A_HIDDEN',1,NULL,'Pills.');\n",
        TWO[1:],
    ),
    "a category and a question once for several rows": (
        "faq.csv",
        "Category,Question,Answer\nCare,How do I descale it?,With vinegar.\n,,Or with lemon.\nMoney,Refunds?,Within 14 days.\n",
        [("How do I descale it?", "With vinegar.\n\nOr with lemon."), TWO[1]],
    ),
    "messages of topics without titles": (
        "posts.json",
        '[{"id": 1, "topic_id": 5, "username": "ann", "raw": "Refunds?", "created_at": "2020-03-04"},'
        ' {"id": 2, "topic_id": 5, "username": "bob", "raw": "Within 14 days.", "created_at": "2020-03-05"}]',
        TWO[1:],
    ),
    "words for no answer": (
        "m.json",
        '[{"query": "Refunds?", "answers": ["Within 14 days."]}, {"query": "Is it loud?", "answers": ["No Answer Present."]}]',
        [TWO[1], ("Is it loud?", "")],
    ),
    "wide letters": (
        "faq.txt",
        "Ｑ．返品できますか。\nＡ．１４日以内です。\n\nＱ２：洗えますか。\nＡ２：はい。\n",
        [("返品できますか。", "１４日以内です。"), ("洗えますか。", "はい。")],
    ),
    "patients and doctors": (
        "talks.txt",
        "Patient: My heel hurts.\nDoctor: Stretch it.\n\nPatient: My thumb is numb.\nDoctor: Rest it.\n",
        [("My heel hurts.", "Stretch it."), ("My thumb is numb.", "Rest it.")],
    ),
    "columns of patients and doctors": (
        "talks.csv",
        "Description,Patient,Doctor\nHeel,My heel hurts in the morning.,Stretch it.\n",
        [("My heel hurts in the morning.", "Stretch it.")],
    ),
    "columns of a helpdesk": (
        "tickets.csv",
        "Ticket ID,Description,Resolution note,Created time\n1,Refunds?,Within 14 days.,2020-03-04 10:00:00\n",
        TWO[1:],
    ),
    "records within what a program keeps about them": (
        "strapi.json",
        '{"data": [{"id": 1, "attributes": {"question": "Refunds?", "answer": "Within 14 days."}}], "meta": {}}',
        TWO[1:],
    ),
    "texts by their languages": (
        "contentful.json",
        '{"entries": [{"sys": {"id": "a"}, "fields": {"question": {"en-US": "Refunds?"}, "answer": {"en-US": "Within 14 days."}}}]}',
        TWO[1:],
    ),
    "a chat of Telegram": (
        "result.json",
        '{"name": "Kettles", "type": "public_supergroup", "messages": ['
        '{"id": 1, "type": "message", "from": "Ann", "text": "Refunds?"}, {"id": 2, "type": "message", "from": "Bob",'
        ' "reply_to_message_id": 1, "text": ["Within ", {"type": "bold", "text": "14"}, " days."]}]}',
        TWO[1:],
    ),
    "a channel of Discord": (
        "channel.json",
        '{"guild": {"id": "1"}, "messages": [{"id": "10", "type": "Default", "content": "Refunds?", "author": {"name": "ann"}},'
        ' {"id": "11", "type": "Reply", "content": "Within 14 days.", "author": {"name": "bob"},'
        ' "reference": {"messageId": "10"}}]}',
        TWO[1:],
    ),
    "answers below names of their own in XML": (
        "liveqa.xml",
        '<?xml version="1.0"?><LiveQA><NLM-QUESTION qid="1"><Original-Question><SUBJECT>Kettle</SUBJECT><MESSAGE>Refunds?'
        "</MESSAGE></Original-Question><ReferenceAnswers><RefAnswer><ANSWER>Within 14 days.</ANSWER>"
        "<AnswerURL>http://a.example</AnswerURL></RefAnswer></ReferenceAnswers></NLM-QUESTION></LiveQA>",
        TWO[1:],
    ),
    "a feed whose titles ask": (
        "feed.xml",
        '<?xml version="1.0"?><rss version="2.0"><channel><title>Ask Ann</title><item><title>Are there refunds?</title>'
        "<description>&lt;p&gt;Within 14 days.&lt;/p&gt;</description></item><item><title>News</title><description>None."
        "</description></item></channel></rss>",
        [("Are there refunds?", "Within 14 days.")],
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


@pytest.mark.parametrize(("suffix", "text"), [(".rst", "FAQ\n===\n"), (".toml", "[[faq]]\na = 1\n"), (".doc", "\0")])
def test_files_that_other_programs_convert_are_named_with_the_way(suffix: str, text: str, tmp_path: Path) -> None:
    """Beside an archive, too."""
    (tmp_path / f"faq{suffix}").write_text(text, encoding="utf-8")
    (note,) = read_archives([tmp_path])
    assert isinstance(note, SetAside)
    assert note.reason.startswith(f"{suffix} files are not read: ")


def test_the_settings_of_a_program_are_no_post(tmp_path: Path) -> None:
    """A description alone asks nothing."""
    (tmp_path / "package.json").write_text('{"name": "kettle", "description": "A kettle for all"}', encoding="utf-8")
    assert not [item for item in read_archives([tmp_path]) if isinstance(item, Post)]


def test_one_question_missing_among_many_is_not_taken_from_above(tmp_path: Path) -> None:
    """A slip is no merged cell."""
    rows = [f"Question {number}?,Answer {number}.\n" for number in range(9)]
    (tmp_path / "faq.csv").write_text("".join(["Question,Answer\n", *rows, ",Lost.\n"]), encoding="utf-8")
    posts = [item for item in read_archives([tmp_path]) if isinstance(item, Post)]
    assert [post.question for post in posts][-2:] == ["Question 8?", ""]


def test_texts_in_other_languages_are_reported(tmp_path: Path) -> None:
    """The first language is read, the others are named."""
    record = '{"question": {"en": "Refunds?", "de": "Erstattung?"}, "answer": {"en": "Within 14 days.", "de": "Ja."}}'
    (tmp_path / "faq.json").write_text(f"[{record}]", encoding="utf-8")
    reading = Reading()
    (post,) = read_archives([tmp_path], reading=reading)
    assert isinstance(post, Post)
    assert (post.question, post.answer) == TWO[1]
    assert "'question' has texts in de, en: the first language of each was taken" in reading.reports[0].remarks
