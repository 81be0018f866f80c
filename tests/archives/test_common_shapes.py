"""Small files in shapes that are common elsewhere -> the questions and answers that a person sees in them."""

# ruff: noqa: E501 - other programs' files, as they write them
from __future__ import annotations

import plistlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from qa_search import inspect_archives
from qa_search.archives.read import Reading, ReadOptions, read_archives
from qa_search.errors import UnknownFormatError
from qa_search.interfaces.render.commands import in_options
from qa_search.types import Post, SetAside
from tests.archives.samples import zipped

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
    "categories of lists of questions": (
        "faq.json",
        '{"Care": [{"question": "How do I descale it?", "answer": "With vinegar."}],'
        ' "Money": [{"question": "Refunds?", "answer": "Within 14 days."}]}',
        TWO,
    ),
    "columns of lists": (
        "faq.json",
        '{"question": ["How do I descale it?", "Refunds?"], "answer": ["With vinegar.", "Within 14 days."]}',
        TWO,
    ),
    "columns of numbered cells": (
        "faq.json",
        '{"question": {"0": "How do I descale it?", "1": "Refunds?"}, "answer": {"0": "With vinegar.", "1": "Within 14 days."}}',
        TWO,
    ),
    "names of columns beside rows": (
        "faq.json",
        '{"columns": ["question", "answer", "date"], "data": [["How do I descale it?", "With vinegar.", "2020-03-04"],'
        ' ["Refunds?", "Within 14 days.", "2020-03-05"]]}',
        TWO,
    ),
    "numbered keys": (
        "faq.json",
        '{"faq": {"title": "FAQ", "q1": "How do I descale it?", "a1": "With vinegar.", "q2": "Refunds?", "a2": "Within 14 days."}}',
        TWO,
    ),
    "numbers within keys": (
        "faq.json",
        '{"faq.0.question": "How do I descale it?", "faq.0.answer": "With vinegar.", "faq.1.question": "Refunds?",'
        ' "faq.1.answer": "Within 14 days."}',
        TWO,
    ),
    "messages with the newest first": (
        "message_1.json",
        '{"participants": [{"name": "Ann"}], "title": "Ann", "messages": [{"sender_name": "Shop", "timestamp_ms": 1552473600000,'
        ' "content": "Within 14 days."}, {"sender_name": "Ann", "timestamp_ms": 1552470000000, "content": "Refunds?"}]}',
        TWO[1:],
    ),
    "a conversation kept as a tree": (
        "conversations.json",
        '[{"title": "Kettle", "current_node": "b", "mapping": {"r": {"message": null, "parent": null},'
        ' "a": {"message": {"author": {"role": "user"}, "content": {"parts": ["Refunds?"]}}, "parent": "r"},'
        ' "x": {"message": {"author": {"role": "assistant"}, "content": {"parts": ["Never."]}}, "parent": "a"},'
        ' "b": {"message": {"author": {"role": "assistant"}, "content": {"parts": ["Within 14 days."]}}, "parent": "a"}}}]',
        TWO[1:],
    ),
    "a follow-up in a tree of messages": (
        "oasst.jsonl",
        '{"message_id": "1", "parent_id": null, "text": "Refunds?", "role": "prompter"}\n'
        '{"message_id": "2", "parent_id": "1", "text": "Within 14 days.", "role": "assistant"}\n'
        '{"message_id": "3", "parent_id": "2", "text": "In sales, too?", "role": "prompter"}\n'
        '{"message_id": "4", "parent_id": "3", "text": "No.", "role": "assistant"}\n',
        [TWO[1], ("In sales, too?", "No.")],
    ),
    "what Slack writes by itself": (
        "2020-03-04.json",
        '[{"type": "message", "subtype": "channel_join", "user": "U3", "text": "<@U3> has joined the channel", "ts": "0.1"},'
        ' {"type": "message", "user": "U1", "text": "Refunds, see <https://x.example|here>?", "ts": "1.1", "thread_ts": "1.1"},'
        ' {"type": "message", "user": "U2", "text": "Within 14 days, <@U1>.", "ts": "1.2", "thread_ts": "1.1"}]',
        [("Refunds, see here (https://x.example)?", "Within 14 days, @U1.")],
    ),
    "letters of options": (
        "quiz.csv",
        "Question,Option A,Option B,Option C,Correct Answer\nRefunds?,Never.,Within 14 days.,Always.,B\n"
        "How do I descale it?,With vinegar.,With sand.,With milk.,A\n",
        [TWO[1], TWO[0]],
    ),
    "numbers of options": (
        "quiz.json",
        '[{"question": "Refunds?", "options": ["Never.", "Within 14 days."], "answer": 1},'
        ' {"question": "How do I descale it?", "options": ["With vinegar.", "With sand."], "answer": 0}]',
        [TWO[1], TWO[0]],
    ),
    "tags that were written as entities": (
        "faq.csv",
        "question,answer\nHow do I descale it?,&lt;p&gt;With vinegar.&lt;/p&gt;\nRefunds?,&lt;p&gt;Within 14 days.&lt;/p&gt;\n",
        TWO,
    ),
    "hidden rows": (
        "faq.csv",
        "question,answer,hidden\nHow do I descale it?,With vinegar.,0\nPills?,Buy here.,1\nRefunds?,Within 14 days.,0\n",
        TWO,
    ),
    "underlined questions": (
        "faq.txt",
        "Kettles - frequently asked questions\n====================================\n\nHow do I descale it?\n"
        "--------------------\nWith vinegar.\n\nWhat about refunds?\n-------------------\nWithin 14 days.\n",
        [TWO[0], ("What about refunds?", "Within 14 days.")],
    ),
    "bullets before questions": (
        "faq.txt",
        "FAQ\n\n- How do I descale it?\n  With vinegar.\n\n- What about refunds?\n  Within 14 days.\n",
        [TWO[0], ("What about refunds?", "Within 14 days.")],
    ),
    "a footer": (
        "faq.html",
        "<html><h1>FAQ</h1><h3>How do I descale it?</h3><p>With vinegar.</p><h3>Refunds?</h3><p>Within 14 days.</p><hr>"
        "<p>© 2010 Club. All rights reserved. <a href='/'>Home</a></p></html>",
        TWO,
    ),
    "what follows a list of definitions": (
        "faq.html",
        "<html><h1>FAQ</h1><dl><dt>How do I descale it?</dt><dd>With vinegar.</dd><dt>Refunds?</dt><dd>Within 14 days.</dd></dl>"
        "<p>Did this not help? Write to us.</p></html>",
        TWO,
    ),
    "a number and its question in two bold parts": (
        "faq.htm",
        "<html><h1>FAQ</h1><p><b>1. </b><b>How do I descale it?</b></p><p>With vinegar.</p><p><b>2. </b><b>Refunds?</b></p>"
        "<p>Within 14 days.</p></html>",
        TWO,
    ),
    "comments of Google Docs": (
        "faq.html",
        '<html><h1>FAQ</h1><h2>How do I descale it?</h2><p>With vinegar.<sup><a href="#cmnt1" id="cmnt_ref1">[a]</a></sup></p>'
        '<h2>Refunds?</h2><p>Within 14 days.</p><div><p><a href="#cmnt_ref1" id="cmnt1">[a]</a><span>Sure?</span></p></div></html>',
        TWO,
    ),
    "labels in cells": (
        "faq.html",
        "<html><table><tr><td><b>Q:</b></td><td>How do I descale it?</td></tr><tr><td><b>A:</b></td><td>With vinegar.</td></tr>"
        "<tr><td><b>Q:</b></td><td>Refunds?</td></tr><tr><td><b>A:</b></td><td>Within 14 days.</td></tr></table></html>",
        TWO,
    ),
    "words with accents in names of columns": (
        "faq.csv",
        "N°;Question posée;Réponse apportée\n1;How do I descale it?;With vinegar.\n2;Refunds?;Within 14 days.\n",
        TWO,
    ),
    "posts as phpBB keeps them": (
        "posts.sql",
        "CREATE TABLE `phpbb_posts` (`post_id` int, `topic_id` int, `post_username` text, `post_subject` text, `post_text` text);\n"
        "INSERT INTO `phpbb_posts` VALUES (1,5,'ann','Kettle','<t>Refunds?</t>'),(2,5,'bob','Re: Kettle','<r><QUOTE author=\"ann\">"
        '<s>[quote="ann"]</s>Refunds?<e>[/quote]</e></QUOTE>Within <B><s>[b]</s>14<e>[/b]</e></B> days.</r>\');\n',
        TWO[1:],
    ),
    "bold lines without paragraphs": (
        "faq.html",
        "<html><body><h3>FAQ</h3><strong>How do I descale it?</strong><br>With vinegar.<br><br><strong>Refunds?</strong><br>"
        "Within 14 days.</body></html>",
        TWO,
    ),
    "coloured lines": (
        "faq.html",
        "<html><body><h3>FAQ</h3><font color=red>How do I descale it?</font><br>With vinegar.<br><br>"
        "<font color=red>Refunds?</font><br>Within 14 days.</body></html>",
        TWO,
    ),
    "paragraphs that ask": (
        "faq.html",
        "<html><h1>FAQ</h1><p><span class=c1>How do I descale it?</span></p><p>With vinegar.</p>"
        "<p><span class=c1>Refunds?</span></p><p>Within 14 days.</p></html>",
        TWO,
    ),
    "rows of a viewer of datasets": (
        "rows.json",
        '{"features": [{"feature_idx": 0, "name": "question"}], "rows": [{"row_idx": 0, "row": {"question": "Refunds?",'
        ' "answer": "Within 14 days."}, "truncated_cells": []}]}',
        TWO[1:],
    ),
    "Roman numbers": (
        "faq.md",
        "# FAQ\n\n## I. How do I descale it?\n\nWith vinegar.\n\n## II. Refunds?\n\nWithin 14 days.\n",
        TWO,
    ),
}


ASKED, SAID = TWO[0]
USERS = ("id username", "1 ann", "2 bob")
_WP = "ID post_author post_date post_content post_title post_status post_name post_modified post_parent post_type"
_D8 = "bundle deleted entity_id revision_id langcode delta"
# Tables of other programs, with their own names and columns: the columns that tell, and a row each. ~ stands for a blank.
DATABASES: dict[str, dict[str, tuple[str, ...]]] = {
    "WordPress with DW Question & Answer": {
        "wp_posts": (
            _WP,
            "1 1 2020-01-01 A~first~post. Hello publish hello 2020-01-01 0 post",
            "2 1 2020-01-01 {Q} Kettle inherit 2-revision 2020-01-01 5 revision",
            "5 1 2020-03-04 {Q} Kettle publish kettle 2020-03-04 0 dwqa-question",
            "6 2 2020-03-05 {A} Answer~for~Kettle publish answer 2020-03-05 5 dwqa-answer",
            "7 2 2020-03-05 Pills. Answer trash answer2 2020-03-05 5 dwqa-answer",
        ),
        "wp_users": ("ID user_login display_name", "1 a ann", "2 b bob"),
        "wp_terms": ("term_id name slug", "1 care care"),
        "wp_term_taxonomy": ("term_taxonomy_id term_id taxonomy", "7 1 dwqa-question_tag"),
        "wp_term_relationships": ("object_id term_taxonomy_id term_order", "5 7 0"),
    },
    "WordPress with bbPress": {
        "wp_posts": (
            _WP,
            "3 1 2020-03-04 On~kettles. care publish care 2020-03-04 0 forum",
            "5 1 2020-03-04 {Q} Kettle publish kettle 2020-03-04 3 topic",
            "6 2 2020-03-05 {A} Reply~to~Kettle publish reply 2020-03-05 5 reply",
        ),
        "wp_users": ("ID user_login display_name", "1 a ann", "2 b bob"),
    },
    "Drupal 7": {
        "node": (
            "nid vid type title uid status created",
            "5 5 forum Kettle 1 1 1583316000",
            "6 6 page Us 1 1 1583316000",
        ),
        "field_data_body": (
            "entity_type bundle deleted entity_id body_value body_summary",
            "node forum 0 5 {Q} NULL",
            "node page 0 6 We~sell~kettles. NULL",
        ),
        "comment": (
            "cid pid nid uid subject created status name",
            "1 0 5 2 Vinegar 1583402400 1 bob",
            "2 0 5 0 Pills 1583402400 0 x",
        ),
        "field_data_comment_body": (
            "entity_type bundle deleted entity_id comment_body_value",
            "comment c 0 1 {A}",
            "comment c 0 2 Pills.",
        ),
        "users": ("uid name", "1 ann", "2 bob"),
        "taxonomy_index": ("nid tid created", "5 3 0"),
        "taxonomy_term_data": ("tid vid name", "3 1 care"),
    },
    "Drupal 10": {
        "node": ("nid vid type uuid langcode", "5 5 forum u en"),
        "node_field_data": (
            "nid vid type langcode status uid title created",
            "5 5 forum en 1 1 Kettle 1583316000",
        ),
        "node__body": (f"{_D8} body_value", "forum 0 5 5 en 0 {Q}"),
        "comment_field_data": (
            "cid comment_type langcode status uid pid entity_id subject name created",
            "1 comment en 1 2 NULL 5 Vinegar NULL 1583402400",
        ),
        "comment__comment_body": (f"{_D8} comment_body_value", "comment 0 1 1 en 0 {A}"),
        "users_field_data": ("uid langcode name status", "1 en ann 1", "2 en bob 1"),
    },
    "SMF": {
        "smf_boards": ("id_board id_cat name description", "3 1 care All~on~kettles~here."),
        "smf_members": ("id_member member_name real_name", "1 a ann", "2 b bob"),
        "smf_messages": (
            "id_msg id_topic id_board poster_time id_member subject poster_name body approved",
            "1 5 3 1583316000 1 Kettle ann {Q} 1",
            "2 5 3 1583317000 2 Re:~Kettle bob {A} 1",
            "3 5 3 1583318000 9 Re:~Kettle x Pills~for~you. 0",
        ),
        "smf_personal_messages": ("id_pm id_member_from from_name subject body", "1 1 ann Psst This~is~private."),
        "smf_topics": ("id_topic id_board id_first_msg id_last_msg num_replies", "5 3 1 2 1"),
    },
    "MyBB": {
        "mybb_forums": ("fid name description type pid lastpostsubject", "3 care All~on~kettles~here. f 1 Kettle"),
        "mybb_posts": (
            "pid tid replyto fid subject uid username dateline message visible",
            "1 5 0 3 Kettle 1 ann 1583316000 {Q} 1",
            "2 5 1 3 RE:~Kettle 2 bob 1583317000 {A} 1",
            "3 5 1 3 RE:~Kettle 9 x 1583318000 Pills~for~you. 0",
        ),
        "mybb_privatemessages": ("pmid uid toid subject message", "1 1 2 Psst This~is~private."),
        "mybb_threads": ("tid fid subject uid username dateline firstpost replies visible", "5 3 Kettle 1 ann 1 1 1 1"),
        "mybb_users": ("uid username", "1 ann", "2 bob"),
    },
    "vBulletin 4": {
        "forum": ("forumid title title_clean description", "3 care care All~on~kettles~here."),
        "post": (
            "postid threadid parentid username userid title dateline pagetext visible",
            "1 5 0 ann 1 Kettle 1583316000 {Q} 1",
            "2 5 1 bob 2 NULL 1583317000 {A} 1",
            "3 5 1 x 9 NULL 1583318000 Pills~for~you. 2",
        ),
        "pmtext": ("pmtextid fromuserid fromusername title message", "1 1 ann Psst This~is~private."),
        "thread": ("threadid title firstpostid forumid replycount postusername postuserid", "5 Kettle 1 3 1 ann 1"),
        "user": ("userid username", "1 ann", "2 bob"),
    },
    "XenForo": {
        "xf_conversation_message": (
            "message_id conversation_id message_date user_id username message",
            "1 1 1583316000 1 ann This~is~private.",
            "2 1 1583316000 2 bob This,~too.",
        ),
        "xf_node": ("node_id title description node_name", "3 care All~on~kettles~here. NULL"),
        "xf_post": (
            "post_id thread_id user_id username post_date message message_state position",
            "1 5 1 ann 1583316000 {Q} visible 0",
            "2 5 2 bob 1583317000 {A} visible 1",
            "3 5 9 x 1583318000 Pills~for~you. deleted 2",
        ),
        "xf_thread": (
            "thread_id node_id title reply_count user_id username discussion_state first_post_id",
            "5 3 Kettle 1 1 ann visible 1",
        ),
        "xf_user": USERS,
    },
    "phpBB 3": {
        "phpbb_forums": ("forum_id parent_id forum_name forum_desc", "3 0 care All~on~kettles~here."),
        "phpbb_posts": (
            "post_id topic_id forum_id poster_id post_time post_username post_subject post_text post_visibility",
            "1 5 3 1 1583316000 NULL Kettle <t>{Q}</t> 1",
            "2 5 3 2 1583317000 NULL Re:~Kettle <t>{A}</t> 1",
            "3 5 3 1 1583318000 NULL Re:~Kettle <t>Thank~you~all.</t> 1",
            "4 5 3 9 1583319000 x Re:~Kettle <t>Pills~for~you.</t> 2",
        ),
        "phpbb_privmsgs": ("msg_id author_id message_subject message_text", "1 1 Psst <t>This~is~private.</t>"),
        "phpbb_topics": (
            "topic_id forum_id topic_title topic_poster topic_last_post_subject",
            "5 3 Kettle 1 Re:~Kettle",
        ),
        "phpbb_users": ("user_id username", "1 ann", "2 bob"),
    },
    "Discourse": {
        "categories": ("id name topic_id description", "4 care 9 All~on~kettles~here."),
        "posts": (
            "id user_id topic_id post_number raw cooked created_at deleted_at post_type",
            "1 1 5 1 {Q} <p>{Q}</p> 2020-03-04 NULL 1",
            "2 2 5 2 {A} <p>{A}</p> 2020-03-05 NULL 1",
            "3 9 5 3 Pills~for~you. <p>Pills</p> 2020-03-06 2020-03-07 1",
            "4 2 5 4 Told~among~staff. <p>Told</p> 2020-03-06 NULL 4",
            "5 1 6 1 This~is~private. <p>This</p> 2020-03-06 NULL 1",
        ),
        "topics": (
            "id title user_id category_id deleted_at archetype excerpt",
            "5 Kettle 1 4 NULL regular How",
            "6 Psst 1 NULL NULL private_message This",
        ),
        "users": USERS,
    },
    "Flarum": {
        "discussions": ("id title user_id first_post_id is_private best_answer_post_id", "5 Kettle 1 1 0 2"),
        "discussion_tag": ("discussion_id tag_id", "5 9"),
        "posts": (
            "id discussion_id number created_at user_id type content hidden_at",
            "1 5 1 2020-03-04 1 comment <t><p>{Q}</p></t> NULL",
            "2 5 2 2020-03-05 2 comment <t><p>{A}</p></t> NULL",
            '3 5 3 2020-03-05 2 discussionRenamed ["Old~title","Kettle"] NULL',
            "4 5 4 2020-03-06 9 comment <t><p>Pills~for~you.</p></t> 2020-03-07",
        ),
        "tags": ("id name slug", "9 care care"),
        "users": USERS,
    },
    "osTicket": {
        "ost_thread": ("id object_id object_type", "5 7 T"),
        "ost_thread_entry": (
            "id pid thread_id staff_id user_id type poster title body format created",
            "1 0 5 0 1 M ann Kettle <p>{Q}</p> html 2020-03-04",
            "2 1 5 1 0 R bob NULL <p>{A}</p> html 2020-03-05",
            "3 0 5 1 0 N bob Note <p>A~difficult~one.</p> html 2020-03-06",
        ),
        "ost_canned_response": ("canned_id title response", "1 What~is~it? It~is~a~help~desk."),
    },
    "Askbot": {
        "askbot_post": (
            "id post_type parent_id thread_id author_id added_at deleted text html summary",
            "1 question NULL 5 1 2020-03-04 f {Q} <p>{Q}</p> How",
            "2 answer NULL 5 2 2020-03-05 f {A} <p>{A}</p> With",
            "3 comment 2 5 1 2020-03-06 f Thank~you~all. <p>Thank</p> Thank",
        ),
        "askbot_thread": ("id title tagnames accepted_answer_id", "5 Kettle care 2"),
        "auth_user": USERS,
    },
    "Question2Answer": {
        "qa_posts": (
            "postid type parentid categoryid selchildid userid created title content tags",
            "5 Q NULL 2 6 1 2020-03-04 Kettle {Q} NULL",
            "6 A 5 2 NULL 2 2020-03-05 NULL {A} NULL",
            "7 C 6 2 NULL 1 2020-03-06 NULL Thanks. NULL",
        ),
        "qa_categories": ("categoryid parentid title", "2 NULL care"),
        "qa_users": ("userid handle", "1 ann", "2 bob"),
    },
    "Apache Answer": {
        "answer": ("id question_id user_id original_text parsed_text created_at", "9 5 2 {A} <p>{A}</p> 2020-03-05"),
        "question": (
            "id user_id title original_text parsed_text accepted_answer_id created_at",
            "5 1 Kettle {Q} <p>{Q}</p> 9 2020-03-04",
        ),
        "tag": ("id slug_name display_name", "9 care care"),
        "tag_rel": ("id object_id tag_id", "1 5 9"),
        "user": USERS,
    },
    "vBulletin 5": {
        "node": (
            "nodeid contenttypeid publishdate userid authorname title parentid starter approved",
            "3 1 0 1 ann Forum 1 0 1",
            "5 2 1583316000 1 ann Kettle 3 5 1",
            "6 2 1583317000 2 bob NULL 5 5 1",
        ),
        "text": ("nodeid previewtext rawtext", "5 NULL {Q}", "6 NULL {A}"),
    },
    "phpBB 2": {
        "phpbb_posts": (
            "post_id topic_id poster_id post_time post_username",
            "1 5 1 1583316000 NULL",
            "2 5 2 1583317000 NULL",
        ),
        "phpbb_posts_text": ("post_id bbcode_uid post_subject post_text", "1 x Kettle {Q}", "2 x Re:~Kettle {A}"),
        "phpbb_topics": ("topic_id topic_title topic_poster", "5 Kettle 1"),
        "phpbb_users": ("user_id username", "1 ann", "2 bob"),
    },
    "Vanilla": {
        "GDN_Category": ("CategoryID Name Description", "3 care On~kettles~and~all."),
        "GDN_Comment": ("CommentID DiscussionID InsertUserID Body DateInserted", "9 5 2 {A} 2020-03-05"),
        "GDN_ConversationMessage": ("MessageID ConversationID Body InsertUserID", "1 1 This~is~private. 1"),
        "GDN_Conversation": ("ConversationID Subject", "1 Psst"),
        "GDN_Discussion": (
            "DiscussionID CategoryID InsertUserID Name Body DateInserted",
            "5 3 1 Kettle {Q} 2020-03-04",
        ),
        "GDN_User": ("UserID Name", "1 ann", "2 bob"),
    },
    "Zammad": {
        "groups": ("id name", "1 care"),
        "tickets": ("id group_id title customer_id", "5 1 Kettle 1"),
        "ticket_articles": (
            "id ticket_id body internal created_by_id created_at",
            "1 5 {Q} f 1 2020-03-04",
            "2 5 {A} f 2 2020-03-05",
            "3 5 Told~among~staff. t 2 2020-03-06",
        ),
        "users": ("id login", "1 ann", "2 bob"),
    },
    "a program of their own": {
        "answers": ("id question_id user_id body", "1 5 2 {A}"),
        "categories": ("id name", "4 care"),
        "questions": ("id user_id category_id title body", "5 1 4 Kettle {Q}"),
        "users": ("id name email", "1 ann a@x.example", "2 bob b@x.example"),
    },
    "a help desk with replies": {
        "hesk_replies": ("id replyto name message dt", "1 5 bob {A} 2020-03-05"),
        "hesk_tickets": ("id u_name category subject message dt", "5 ann 1 Kettle {Q} 2020-03-04"),
        "hesk_categories": ("id name", "1 care"),
    },
}


def dumped(tables: dict[str, tuple[str, ...]]) -> str:
    """Write tables as mysqldump does."""
    text = ""
    for name, (columns, *rows) in tables.items():
        listed = ", ".join(f"`{column}` text" for column in columns.split())
        text += f"CREATE TABLE `{name}` ({listed}) ENGINE=InnoDB;\n"
        for row in rows:
            values = (cell.replace("~", " ").format(Q=ASKED, A=SAID) for cell in row.split())
            quoted = ",".join("NULL" if value == "NULL" else f"'{value}'" for value in values)
            text += f"INSERT INTO `{name}` VALUES ({quoted});\n"  # noqa: S608 - a text to read
    return text


def _is_with_tags(tables: dict[str, tuple[str, ...]]) -> bool:
    return any(" care" in f" {row}" for _, *rows in tables.values() for row in rows)


@pytest.mark.parametrize("form", ["dump", "database"])
@pytest.mark.parametrize("program", DATABASES)
def test_databases_of_forums_and_help_desks_are_read(program: str, form: str, tmp_path: Path) -> None:
    """Who asked and who answered, the category or the tags; not what is deleted, private or among staff."""
    text = dumped(DATABASES[program])
    if form == "dump":
        (tmp_path / "site.sql").write_text(text, encoding="utf-8")
    else:
        with closing(sqlite3.connect(tmp_path / "site.db")) as database:
            database.executescript(text.replace(" ENGINE=InnoDB", ""))
    (post,) = read_archives([tmp_path])
    assert isinstance(post, Post)
    assert (post.title, post.question, post.answer) == ("Kettle", ASKED, SAID)
    assert post.author == "ann"
    assert post.tags == (("care",) if _is_with_tags(DATABASES[program]) else ())
    assert [answer.author for answer in post.answers] == ["bob"]


def test_tags_that_another_table_ties_to_questions_are_read(tmp_path: Path) -> None:
    """However many a question has."""
    tables: dict[str, tuple[str, ...]] = {
        "faq_entries": ("id author_id question answer", "1 1 {Q} {A}"),
        "faq_entry_tags": ("faq_entry_id tag_id", "1 8", "1 9"),
        "tags": ("id name", "8 kettle", "9 care,~of~it"),
        "users": USERS,
    }
    (tmp_path / "faq.sql").write_text(dumped(tables), encoding="utf-8")
    (post,) = read_archives([tmp_path])
    assert isinstance(post, Post)
    assert (post.author, sorted(post.tags)) == ("ann", ["care, of it", "kettle"])


def test_a_database_of_several_tables_lists_their_columns(tmp_path: Path) -> None:
    """Not those of one of them."""
    with closing(sqlite3.connect(tmp_path / "app.db")) as database:
        database.executescript(
            "CREATE TABLE stuff (complaint_txt text, remedy text); INSERT INTO stuff VALUES ('It hums.', 'Rinse it.');"
            "CREATE TABLE other (a text, b text); INSERT INTO other VALUES ('x', 'y');"
        )
    with pytest.raises(UnknownFormatError, match=r"stuff: complaint_txt, remedy; other: a, b.*'question': COLUMN"):
        list(read_archives([tmp_path / "app.db"]))


def test_a_dump_without_rows_says_how_to_make_one(tmp_path: Path) -> None:
    """Many have the structure alone."""
    (tmp_path / "faq.sql").write_text("CREATE TABLE faq (question text, answer text);\n", encoding="utf-8")
    with pytest.raises(UnknownFormatError, match=r"no table has rows.*pg_dump without --schema-only"):
        list(read_archives([tmp_path / "faq.sql"]))


@pytest.mark.parametrize(
    ("name", "text", "way_out"),
    [
        ("faq.opml", "<opml><body><outline text='Refunds?'/></body></opml>", "pandoc"),
        ("faq.mm", "<map version='1.0.1'><node TEXT='Refunds?'/></map>", "export it as HTML"),
        ("faq.xml", "<r><e><one>Refunds?</one><two>Within 14 days.</two></e></r>", r"e: one, two.*'question': COLUMN"),
    ],
)
def test_xml_of_other_kinds_says_the_way_out(name: str, text: str, way_out: str, tmp_path: Path) -> None:
    """What it is, or the names that its records have."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UnknownFormatError, match=way_out):
        list(read_archives([tmp_path / name]))


@pytest.mark.parametrize(
    ("name", "data", "way_out"),
    [
        ("mail.pst", b"!BDN" + bytes(90), "readpst"),
        ("letter.msg", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(90), "msgconvert"),
        ("help.mdb", b"\0\1\0\0Standard Jet DB\0" + bytes(90), "mdb-export"),
        ("help", b"\0\1\0\0Standard ACE DB\0" + bytes(90), "mdb-export"),
        ("backup", b"PGDMP\1\16\0" + bytes(90), "pg_restore"),
        ("faq.rar", b"Rar!\x1a\7" + bytes(90), "unrar"),
        ("faq.csv.zst", b"\x28\xb5\x2f\xfd" + bytes(90), "unzstd"),
        ("faq.csv.xz", b"\xfd7zXZ\0" + bytes(90), "unxz"),
        ("faq.tar.xz", b"\xfd7zXZ\0" + bytes(90), "tar -xf"),
        ("help.chm", b"ITSF\3" + bytes(90), "7z x"),
        ("old.wpd", b"\xffWPC" + bytes(90), "soffice"),
        ("noname", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(90), "an old Office document"),
        ("faq.ps", b"%!PS-Adobe-3.0\n/Times findfont", "ps2pdf"),
        ("scan.jpg", b"\xff\xd8\xff\xe0" + bytes(90), "ocrmypdf"),
        ("talk.mp3", b"ID3\3" + bytes(90), "whisper"),
        ("table.dbf", b"\3\x78\3\4" + bytes(90), "soffice"),
        ("memo.txt", b"Dear all,\n\nthe meeting is on Monday.\n\nAnn\n", "Write Q: before each question"),
        ("TAPE.txt", b"TAPE recordings are kept in the cellar.\n", "Write Q: before each question"),
        ("bank.txt", b"::One:: How do I descale it? {=With vinegar. ~With sand.}\n", "Moodle XML"),
        ("aiken.txt", b"How do I descale it?\nA. Sand.\nB. Vinegar.\nANSWER: B\n", "Moodle XML"),
        (
            "chat.txt",
            b"04/03/2020, 10:00 - Ann: Refunds?\n04/03/2020, 10:05 - Bob: Yes.\n",
            "columns question and answer",
        ),
        ("frames.html", b"<html><frameset><frame src='faq1.html'></frameset></html>", "texts are in faq1.html"),
        ("app.html", b"<html><div id=root></div><script src=a.js></script></html>", "save it from there"),
    ],
)
def test_what_is_not_read_says_which_program_converts_it(name: str, data: bytes, way_out: str, tmp_path: Path) -> None:
    """By its first bytes or its name, also in a folder."""
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UnknownFormatError, match=way_out) as raised:
        list(read_archives([tmp_path / name]))
    (note,) = read_archives([tmp_path])
    assert isinstance(note, SetAside)
    assert note.reason == raised.value.reason


def test_a_document_of_apple_is_no_archive_of_files(tmp_path: Path) -> None:
    """One refusal with the way out, not one for each of its parts."""
    (tmp_path / "faq.numbers").write_bytes(zipped({"Index/Document.iwa": "x", "preview.jpg": "x"}))
    (note,) = read_archives([tmp_path])
    assert isinstance(note, SetAside)
    assert note.reason == ".numbers files are not read: export it as CSV or Excel from the program that made it"


FAQ_PAGE = (
    "<html><h1>FAQ</h1><h2>How do I descale it?</h2><p>With vinegar.</p><h2>Refunds?</h2><p>Within 14 days.</p></html>"
)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (
            "faq.webarchive",
            plistlib.dumps(
                {"WebMainResource": {"WebResourceData": FAQ_PAGE.encode(), "WebResourceTextEncodingName": "UTF-8"}},
                fmt=plistlib.FMT_BINARY,
            ),
        ),
        (
            "faq.mhtml",
            b"From: <Saved by Blink>\r\nSubject: FAQ\r\nDate: Wed, 4 Mar 2020 10:00:00 -0000\r\nMIME-Version: 1.0\r\n"
            b'Content-Type: multipart/related; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html\r\n'
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + FAQ_PAGE.encode() + b"\r\n--b--\r\n",
        ),
        ("faq.epub", zipped({"mimetype": "application/epub+zip", "a.opf": "<package/>", "c1.xhtml": FAQ_PAGE})),
    ],
)
def test_pages_in_one_file_are_read(name: str, data: bytes, tmp_path: Path) -> None:
    """As browsers save them, or in a book."""
    (tmp_path / name).write_bytes(data)
    items = list(read_archives([tmp_path]))
    assert [(item.question, item.answer) for item in items if isinstance(item, Post)] == TWO
    assert len(items) == len(TWO)


def test_entries_that_ask_and_answer_are_no_messages_of_their_topics(tmp_path: Path) -> None:
    """A topic may be a category, too."""
    tables: dict[str, tuple[str, ...]] = {
        "faq_entries": ("id topic_id question answer", "1 4 {Q} {A}", "2 4 Refunds? Within~14~days."),
        "faq_topics": ("id name", "4 Kettles"),
    }
    (tmp_path / "faq.sql").write_text(dumped(tables), encoding="utf-8")
    posts = [item for item in read_archives([tmp_path]) if isinstance(item, Post)]
    assert [(post.question, post.answer) for post in posts] == TWO


def test_who_names_columns_gets_their_table_alone(tmp_path: Path) -> None:
    """Not the forum's topics beside it."""
    tables = {**DATABASES["SMF"], "faq": ("what reply_to_it", "{Q} {A}")}
    (tmp_path / "site.sql").write_text(dumped(tables), encoding="utf-8")
    options = ReadOptions(field_map={"question": "what", "answer": "reply_to_it"})
    posts = [item for item in read_archives([tmp_path], options) if isinstance(item, Post)]
    assert [(post.question, post.answer) for post in posts] == TWO[:1]


def test_a_site_without_questions_says_what_it_has(tmp_path: Path) -> None:
    """And how its posts can be read all the same."""
    tables: dict[str, tuple[str, ...]] = {
        "wp_posts": (_WP, "1 1 2020-01-01 A~first~post. Hello publish h 2020-01-01 0 post")
    }
    (tmp_path / "site.sql").write_text(dumped(tables), encoding="utf-8")
    with pytest.raises(UnknownFormatError, match=r"items: 1 post.*'question': 'post_title', 'answer': 'post_content'"):
        list(read_archives([tmp_path / "site.sql"]))


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


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("D.", "R."), ("[Q]", "[A]"), ("(Q)", "(A)"), ("Q>", "A>"), ("Q -", "A -"), ("Ques:", "Ans:"), ("Query:", "Reply:"),
        ("F:", "S:"), ("S:", "C:"), ("K:", "V:"), ("Hỏi:", "Đáp:"), ("Ερώτηση:", "Απάντηση:"), ("ש:", "ת:"), ("س:", "ج:"),
        ("السؤال:", "الجواب:"), ("پرسش:", "پاسخ:"), ("【質問】", "【回答】"), ("문:", "답:"), ("문)", "답)"), ("प्रश्न:", "उत्तर:"),
        ("Customer:", "Agent:"), ("Patient:", "Arzt:"), ("Problem:", "Solution:"), ("INTERROGATORY NO. 1:", "RESPONSE:"),
    ],
)  # fmt: skip
def test_labels_of_many_languages_are_known(asked: str, answered: str, tmp_path: Path) -> None:
    """However people mark what asks and what answers."""
    text = (
        f"{asked} My heel hurts at night\n{answered} Stretch it.\n\n{asked} Where do I pay\n{answered} At the desk.\n"
    )
    (tmp_path / "talk.txt").write_text(text, encoding="utf-8")
    posts = [item for item in read_archives([tmp_path]) if isinstance(item, Post)]
    assert [(post.question, post.answer) for post in posts] == [
        ("My heel hurts at night", "Stretch it."),
        ("Where do I pay", "At the desk."),
    ]


@pytest.mark.parametrize(
    ("date", "subject", "author"),
    [("Eingang am", "Rubrik", "Verfasser"), ("Date Received", "Department", "Submitted By"), ("Créé le", "Thème", "Auteur"),
     ("crdate", "Subject Area", "nickname"), ("Stand", "Fachgebiet", "Kunde")],
)  # fmt: skip
def test_columns_beside_the_texts_are_known_by_many_names(date: str, subject: str, author: str, tmp_path: Path) -> None:
    """A date, a subject and an author are not lost."""
    rows = f"Question,Answer,{date},{subject},{author}\nRefunds?,Within 14 days.,2020-03-04,Money,Ann\n"
    (tmp_path / "faq.csv").write_text(rows, encoding="utf-8")
    (post,) = read_archives([tmp_path])
    assert isinstance(post, Post)
    assert (post.date, post.tags, post.author) == ("2020-03-04", ("Money",), "Ann")


def test_a_number_that_could_be_either_option_is_left_alone(tmp_path: Path) -> None:
    """1 of three options is the first or the second."""
    (tmp_path / "quiz.json").write_text(
        '[{"question": "Refunds?", "options": ["a", "b", "c"], "answer": 1}]', encoding="utf-8"
    )
    (post,) = read_archives([tmp_path])
    assert isinstance(post, Post)
    assert post.answer == "1"


def test_inspect_shows_posts_of_tables_within_a_file(tmp_path: Path) -> None:
    """A database's posts have the table in their source, and its report has not."""
    table = "CREATE TABLE faq (question text, answer text);\nINSERT INTO faq VALUES ('Refunds?', 'Within 14 days.');\n"
    (tmp_path / "faq.sql").write_text(table, encoding="utf-8")
    (samples,) = inspect_archives(tmp_path / "faq.sql").samples
    assert [(post.question, post.answer) for post in samples] == TWO[1:]


def test_a_suggested_option_can_be_pasted_into_a_shell() -> None:
    """A field's name may have blanks."""
    assert in_options("build with field_map={'answer': 'Article body'}") == "build with --map 'answer=Article body'"
