"""Small files in shapes that are common elsewhere -> the questions and answers that a person sees in them."""

# ruff: noqa: E501, S608 - other programs' files, as they write them
from __future__ import annotations

import base64
import csv
import json
import plistlib
import re
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from qa_search import inspect_archives
from qa_search.archives.containers.decoders import zstandard
from qa_search.archives.limits import Limits
from qa_search.archives.read import Reading, ReadOptions, read_archives
from qa_search.errors import DamagedArchiveError, UnclearFieldsError, UnknownFormatError
from qa_search.interfaces.render.commands import in_options
from qa_search.types import Post, SetAside
from tests.archives.samples import sqlite_file, xlsx, zipped

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
    "mails that Outlook exported, replies before what they reply to": (
        "mails.CSV",
        '"Subject","Body","From: (Name)","From: (Address)","From: (Type)","To: (Name)","To: (Address)","Categories"\r\n'
        '"RE: Kettle","Within 14 days.\r\n\r\nFrom: Ann\r\nSent: Wednesday\r\nTo: Shop\r\nSubject: Kettle\r\n\r\nRefunds?",'
        '"Bob","bob@example.org","SMTP","Ann","ann@example.org",\r\n'
        '"Kettle","Refunds?","Ann","ann@example.org","SMTP","Shop","shop@example.org",\r\n'
        '"AW: Steel","<p>With <b>vinegar</b>.</p>","Bob","bob@example.org","SMTP","Cyd","cyd@example.org",\r\n'
        '"Steel","How do I descale it?","Cyd","cyd@example.org","SMTP","Shop","shop@example.org",\r\n',
        TWO[::-1],
    ),
    "cards that Anki exported as text": (
        "deck.txt",
        "#separator:tab\n#html:true\n#guid column:1\n#notetype column:2\n#deck column:3\n#tags column:6\n"
        'a\tBasic\tCare\tHow do I <b>descale</b> it?\tWith vinegar.\tcare\nb\tBasic\tMoney\t"Refunds?"\t"Within 14 <i>days</i>."\t\n',
        TWO,
    ),
    "several columns of answers, the best last": (
        "faq.csv",
        "question,answer_1,answer_2,best_answer\nHow do I descale it?,With lemon.,,With vinegar.\n"
        "Refunds?,Within 14 days.,,Within 14 days.\n",
        [("How do I descale it?", "With vinegar.\n\nWith lemon."), TWO[1]],
    ),
    "numbered columns of answers": (
        "faq.csv",
        "Question,Answer 1,Answer 2\nHow do I descale it?,With vinegar.,Or with lemon.\nRefunds?,Within 14 days.,\n",
        [("How do I descale it?", "With vinegar.\n\nOr with lemon."), TWO[1]],
    ),
    "an answer that was chosen, and one that was not": (
        "pairs.jsonl",
        '{"prompt": "Refunds?", "chosen": "Within 14 days.", "rejected": "There is no way to get any money back, ever."}\n',
        TWO[1:],
    ),
    "options in columns of their own, and why one is right": (
        "quiz.jsonl",
        '{"question": "Refunds?", "exp": "By law.", "cop": 2, "opa": "Never.", "opb": "Within 14 days.", "opc": "x", "opd": "y"}\n'
        '{"question": "How do I descale it?", "exp": null, "cop": 4, "opa": "x", "opb": "y", "opc": "z", "opd": "With vinegar."}\n',
        [("Refunds?", "Within 14 days.\n\nBy law."), TWO[0]],
    ),
    "the number of the right option under another name": (
        "quiz.json",
        '[{"question": "Refunds?", "choices": ["Never.", "Within 14 days."], "correct_index": 1},'
        ' {"question": "How do I descale it?", "choices": ["With vinegar.", "With sand."], "correct_index": 0}]',
        TWO[::-1],
    ),
    "a question and its options in one object": (
        "quiz.jsonl",
        '{"id": "1", "answerKey": "B", "question": {"stem": "Refunds?", "choices": [{"label": "A", "text": "Never."},'
        ' {"label": "B", "text": "Within 14 days."}]}}\n',
        TWO[1:],
    ),
    "several right options": (
        "kahoot.csv",
        'Question,Answer 1,Answer 2,Answer 3,Correct answer(s)\nRefunds?,Never.,Within 14 days.,Or later.,"2,3"\n',
        [("Refunds?", "Within 14 days.\n\nOr later.")],
    ),
    "two rows of names, below a title": (
        "faq.csv",
        "Export of March,,,\nQuestion,,Answer,\nText,Date,Text,Author\nHow do I descale it?,2020-03-04,With vinegar.,Bob\n"
        "Refunds?,2020-03-05,Within 14 days.,Bob\n",
        TWO,
    ),
    "two rows of names, with each group named above each column": (
        "faq.csv",
        "Question,Question,Answer,Answer\nText,Date,Text,Author\nHow do I descale it?,2020-03-04,With vinegar.,Bob\n"
        "Refunds?,2020-03-05,Within 14 days.,Bob\n",
        TWO,
    ),
    "notes above the names": (
        "faq.csv",
        'Exported by Ann\n"This list, kept by the club, has questions and answers of members."\n"Do not pass on, please."\n\n'
        f"Question;Answer\n{ROWS.replace(',', ';')}",
        TWO,
    ),
    "a page of Notion's database": (
        "pages.json",
        '{"results": [{"object": "page", "id": "p", "properties": {"Question": {"type": "title", "title": [{"plain_text":'
        ' "Refunds?"}]}, "Answer": {"type": "rich_text", "rich_text": [{"plain_text": "Within "}, {"plain_text": "14 days."}]}}}]}',
        TWO[1:],
    ),
    "an issue of Jira": (
        "issues.json",
        '{"issues": [{"key": "K-1", "fields": {"summary": "Kettle", "reporter": {"displayName": "Ann"}, "description":'
        ' {"type": "doc", "content": [{"type": "paragraph", "content": [{"type": "text", "text": "Refunds?"}]}]}, "comment":'
        ' {"comments": [{"author": {"displayName": "Bob"}, "body": "A bad one.", "jsdPublic": false}, {"author":'
        ' {"displayName": "Bob"}, "body": "Within 14 days."}, {"author": {"displayName": "Ann"}, "body": "Thanks!"}]}}}]}',
        TWO[1:],
    ),
    "questions and answers in an object of each record": (
        "export.json",
        '{"data": {"items": [{"id": "1", "qa": {"question": "Refunds?", "answer": "Within 14 days."}}]}}',
        TWO[1:],
    ),
    "groups within groups": (
        "export.json",
        '{"pages": [{"name": "Care", "parts": [{"entries": [{"question": "How do I descale it?", "answer": "With vinegar."}]}]},'
        ' {"name": "Money", "parts": [{"entries": [{"question": "Refunds?", "answer": "Within 14 days."}]}]}]}',
        TWO,
    ),
    "Roman numbers": (
        "faq.md",
        "# FAQ\n\n## I. How do I descale it?\n\nWith vinegar.\n\n## II. Refunds?\n\nWithin 14 days.\n",
        TWO,
    ),
}


CHATS = {
    "WhatsApp on a telephone of Apple": (
        "[12/03/2020, 14:05:33] Ann: \u200eMessages and calls are end-to-end encrypted.\n"
        "[12/03/2020, 14:05:35] Ann: Are there refunds?\nMy kettle is broken.\n"
        "\u200e[12/03/2020, 14:05:36] Ann: \u200eimage omitted\n[12/03/2020, 14:06:35] Shop: Within 14 days.\n"
        "[12/03/2020, 14:07:35] Ann: Thanks!\n[13/03/2020, 10:00:00] \u202aBob\u202c: How do I descale it?\n"
        "[13/03/2020, 10:01:00] Shop: With vinegar.\nSlowly.\n"
    ),
    "WhatsApp on another telephone, with the month first": (
        "3/12/20, 2:05\u202fPM - Messages and calls are end-to-end encrypted.\n3/12/20, 2:05\u202fPM - Ann created a group\n"
        "3/12/20, 2:05\u202fPM - Ann: Are there refunds?\nMy kettle is broken.\n3/12/20, 2:06\u202fPM - Ann: <Media omitted>\n"
        "3/12/20, 2:07\u202fPM - Shop: Within 14 days.\n3/13/20, 10:00\u202fAM - Bob: How do I descale it?\n"
        "3/13/20, 10:05\u202fAM - Shop: With vinegar.\nSlowly.\n"
    ),
    "WhatsApp in German": (
        "12.03.20, 14:05 - Ann: Are there refunds?\nMy kettle is broken.\n12.03.20, 14:06 - Ann: <Medien ausgeschlossen>\n"
        "12.03.20, 14:06 - Shop: Within 14 days.\n13.03.20, 09:05 - Bob: How do I descale it?\n"
        "13.03.20, 09:06 - Shop: With vinegar.\nSlowly.\n"
    ),
    "LINE": (
        "[LINE] Chat history with Ann\nSaved on: 2020/03/13 10:00\n\n2020/03/12(Thu)\n14:05\tAnn\t"
        '"Are there refunds?\nMy kettle is broken."\n14:06\tShop\tWithin 14 days.\n14:07\tAnn\t[Sticker]\n\n'
        '2020/03/13(Fri)\n09:00\tBob\tHow do I descale it?\n09:01\tShop\t"With vinegar.\nSlowly."\n'
    ),
    "Telegram": (
        "Ann, [12.03.2020 14:05]\nAre there refunds?\nMy kettle is broken.\n\nShop, [12.03.2020 14:06]\nWithin 14 days.\n\n"
        "Bob, [13.03.2020 14:05]\nHow do I descale it?\n\nShop, [13.03.2020 14:06]\nWith vinegar.\nSlowly.\n"
    ),
    "Signal": (
        "[2020-03-12 14:05] Ann: Are there refunds?\nMy kettle is broken.\n[2020-03-12 14:06] Shop: Within 14 days.\n"
        "[2020-03-13 14:07] Bob: How do I descale it?\n[2020-03-13 14:08] Shop: With vinegar.\nSlowly.\n"
    ),
    "Discord": (
        "Guild: Kettles\n\n[12-Mar-20 02:05 PM] Ann\nAre there refunds?\nMy kettle is broken.\n\n[12-Mar-20 02:06 PM] Shop\n"
        "Within 14 days.\n\n[13-Mar-20 01:00 PM] Bob\nHow do I descale it?\n\n[13-Mar-20 01:05 PM] Shop\nWith vinegar.\nSlowly.\n"
    ),
    "names alone": (
        "Ann: Are there refunds?\nMy kettle is broken.\nShop: Within 14 days.\nAnn: Thanks!\nBob: How do I descale it?\n"
        "Shop: With vinegar.\nSlowly.\n"
    ),
}


@pytest.mark.parametrize("program", CHATS)
def test_a_chat_is_read_once_it_is_known_who_answers(program: str, tmp_path: Path) -> None:
    """Before that, it is refused, with the way; after it, pictures and thanks are left out."""
    path = tmp_path / "chat.txt"
    path.write_text(CHATS[program], encoding="utf-8")
    with pytest.raises(UnknownFormatError, match=r"a chat of .*: name the one who answers, such as field_map="):
        list(read_archives([path]))
    posts = [item for item in read_archives([path], ReadOptions({"answer": "Shop"})) if isinstance(item, Post)]
    assert [(post.question, post.answer, post.author) for post in posts] == [
        ("Are there refunds?\nMy kettle is broken.", "Within 14 days.", "Ann"),
        ("How do I descale it?", "With vinegar.\nSlowly.", "Bob"),
    ]
    dates = [post.date[:10] if post.date else None for post in posts]
    assert dates == ([None, None] if program == "names alone" else ["2020-03-12", "2020-03-13"])


def test_a_name_that_no_one_has_in_a_chat_is_said(tmp_path: Path) -> None:
    """Beside the names that there are."""
    path = tmp_path / "chat.txt"
    path.write_text(CHATS["Signal"], encoding="utf-8")
    with pytest.raises(UnknownFormatError, match="in which 'Shpo' wrote nothing: name the one who answers") as raised:
        list(read_archives([path], ReadOptions({"answer": "Shpo"})))
    told = in_options(str(raised.value))
    assert "--map answer=Shop, or" in told
    assert "--map question=Ann" in told


def test_who_answers_in_a_chat_is_guessed_by_a_name_and_said(tmp_path: Path) -> None:
    """Or named by the one who asks."""
    path = tmp_path / "chat.txt"
    path.write_text(CHATS["Signal"].replace("Shop", "Kettle Support"), encoding="utf-8")
    reading = Reading()
    posts = [item for item in read_archives([path], reading=reading) if isinstance(item, Post)]
    assert len(posts) == len(TWO)
    assert any("'Kettle Support' was taken for the one who answers" in remark for remark in reading.reports[0].remarks)
    path.write_text(CHATS["Signal"].replace("Bob", "Ann"), encoding="utf-8")
    asked = [item for item in read_archives([path], ReadOptions({"question": "Ann"})) if isinstance(item, Post)]
    assert [post.answer for post in asked] == ["Within 14 days.", "With vinegar.\nSlowly."]


def test_days_of_a_chat_are_told_by_its_order(tmp_path: Path) -> None:
    """Of two readings of its dates, one does not go back in time."""
    path = tmp_path / "chat.txt"
    days = ("1/2/20", "1/3/20", "2/1/20")
    path.write_text(
        "".join(f"{day}, 10:0{n} - {'Ann' if n % 2 else 'Bob'}: What is {n}?\n" for n, day in enumerate(days))
    )
    posts = [item for item in read_archives([path], ReadOptions({"answer": "Ann"})) if isinstance(item, Post)]
    assert [post.date for post in posts] == ["2020-01-02T10:00:00", "2020-02-01T10:02:00"]


CARDS = (
    "1,'','How do I <b>descale</b> it?[sound:a.mp3]' || char(31) || 'With <i>vinegar</i>.'",
    "1,'','Refunds?' || char(31) || '<div>Within 14 days.</div>'",
    "2,'','Refunds within {{c1::14::number}} days' || char(31) || ''",
)
KINDS = {"1": ["Front", "Back"], "2": ["Text", "Extra"]}
NOTICE = ("1,'','Please update to the latest Anki version, then import the file again.' || char(31) || ''",)


def _collection(path: Path, cards: tuple[str, ...] = CARDS, *, new: bool = False) -> bytes:
    """Write a collection as Anki has it: before 2022 it kept the kinds of notes as JSON."""
    models = "" if new else json.dumps({kind: {"flds": [{"name": n} for n in names]} for kind, names in KINDS.items()})
    made = (
        "CREATE TABLE col (id integer, models text); CREATE TABLE notes (id integer PRIMARY KEY, mid, tags, flds);"
        f"INSERT INTO col VALUES (1, '{models}');"
    )
    made += "".join(f"INSERT INTO notes (mid, tags, flds) VALUES ({card});" for card in cards)
    if new:
        made += "CREATE TABLE fields (ntid integer, ord integer, name text, PRIMARY KEY (ntid, ord)) WITHOUT ROWID;"
        for kind, names in KINDS.items():
            made += "".join(f"INSERT INTO fields VALUES ({kind}, {n}, '{name}');" for n, name in enumerate(names))
    return sqlite_file(path, made)


@pytest.mark.parametrize("version", ["anki2", "anki21", "anki21b"])
def test_a_package_of_anki_is_read_once(version: str, tmp_path: Path) -> None:
    """Beside the notice that newer ones have for older versions; pictures and sounds are left alone."""
    data = _collection(tmp_path / "new.db", new=version == "anki21b")
    if version == "anki21b":
        data = zstandard().compress(data)
    with zipfile.ZipFile(tmp_path / "deck.apkg", "w") as package:
        if version != "anki2":
            package.writestr("collection.anki2", _collection(tmp_path / "old.db", NOTICE))
        package.writestr(f"collection.{version}", data)
        package.writestr("media", '{"0": "a.mp3"}')
        package.writestr("0", b"\0\1")
    found = list(read_archives([tmp_path / "deck.apkg"]))
    assert [(post.question, post.answer) for post in found if isinstance(post, Post)] == [
        *TWO,
        ("Refunds within [number] days", "Refunds within 14 days"),
    ]
    assert not [note for note in found if isinstance(note, SetAside)]


def test_a_packed_collection_of_anki_that_is_cut_off_is_damaged(tmp_path: Path) -> None:
    """And one that unpacks to far more than it has is over a limit."""
    pack = zstandard().compress
    path = tmp_path / "collection.anki21b"
    path.write_bytes(pack(_collection(tmp_path / "new.db"))[:-9])
    with pytest.raises(DamagedArchiveError, match="truncated"):
        list(read_archives([path]))
    path.write_bytes(pack(_collection(tmp_path / "newer.db") + bytes(1 << 22)))
    (note,) = read_archives([path], ReadOptions(limits=Limits(ratio=2, ratio_from=1 << 20)))
    assert isinstance(note, SetAside)
    assert "times its size" in note.reason


def test_cards_that_were_copied_need_the_numbers_of_their_columns(tmp_path: Path) -> None:
    """As Quizlet exports them: a term, a tab, a definition."""
    path = tmp_path / "quizlet.txt"
    path.write_text("How do I descale it?\tWith vinegar.\nRefunds?\tWithin 14 days.\n", encoding="utf-8")
    with pytest.raises(UnknownFormatError, match="Name the columns by number"):
        list(read_archives([path]))
    posts = [p for p in read_archives([path], ReadOptions({"question": "1", "answer": "2"})) if isinstance(p, Post)]
    assert [(post.question, post.answer) for post in posts] == TWO


SPANS = [{"text": "Use "}, {"text": "vinegar", "bold": True}, {"text": "."}]


def _typed(kind: str, *content: object, key: str = "content", name: str = "type") -> dict[str, object]:
    return {name: kind, key: list(content)}


def _prose(text: str, name: str = "type", of: str = "text") -> dict[str, object]:
    return {name: "paragraph", "content": [{name: "text", of: part} for part in text.partition("vinegar") if part]}


def _listed(text: str, item: str, **named: str) -> dict[str, object]:
    return _typed(item, _prose(text, **named), name=named.get("name", "type"))


def _block(text: str, **more: object) -> dict[str, object]:
    return {"_type": "block", "style": "normal", "children": [{"_type": "span", "text": text}], **more}


def _of_notion(kind: str, *texts: str) -> dict[str, object]:
    return {"object": "block", "type": kind, kind: {"rich_text": [{"plain_text": text} for text in texts]}}


def _line(kind: str, text: str) -> dict[str, object]:
    return {"key": "a", "type": kind, "text": text, "depth": 0, "data": {}}


NODE = {"name": "nodeType", "of": "value"}
RICH: dict[str, object] = {
    "Sanity": [_block("Use vinegar."), _block("Fill.", listItem="bullet"), _block("Boil.", listItem="bullet")],
    "Contentful": _typed(
        "document",
        _prose("Use vinegar.", **NODE),
        _typed("unordered-list", _listed("Fill.", "list-item", **NODE), _listed("Boil.", "list-item", **NODE), name="nodeType"),
        name="nodeType",
    ),
    "Editor.js": {
        "time": 1,
        "blocks": [
            {"type": "paragraph", "data": {"text": "Use <b>vinegar</b>."}},
            {"type": "list", "data": {"style": "unordered", "items": ["Fill.", {"content": "Boil.", "items": []}]}},
        ],
    },
    "TipTap and Jira": _typed(
        "doc", _prose("Use vinegar."), _typed("bulletList", _listed("Fill.", "listItem"), _listed("Boil.", "listItem"))
    ),
    "Slate": [
        _typed("paragraph", *SPANS, key="children"),
        _typed(
            "bulleted-list",
            _typed("list-item", {"text": "Fill."}, key="children"),
            _typed("list-item", {"text": "Boil."}, key="children"),
            key="children",
        ),
    ],
    "Lexical": {
        "root": _typed(
            "root",
            _typed("paragraph", *SPANS, key="children"),
            {
                "listType": "bullet",
                **_typed(
                    "list",
                    _typed("listitem", {"type": "text", "text": "Fill."}, key="children"),
                    _typed("listitem", {"type": "text", "text": "Boil."}, key="children"),
                    key="children",
                ),
            },
            key="children",
        )
    },
    "Notion": [
        _of_notion("paragraph", "Use ", "vinegar", "."),
        _of_notion("bulleted_list_item", "Fill."),
        _of_notion("bulleted_list_item", "Boil."),
    ],
    "Quill": {
        "ops": [
            {"insert": "Use "}, {"insert": "vinegar", "attributes": {"bold": True}}, {"insert": ".\nFill."},
            {"insert": "\n", "attributes": {"list": "bullet"}}, {"insert": "Boil."},
            {"insert": "\n", "attributes": {"list": "bullet"}},
        ]
    },
    "Draft.js": {
        "entityMap": {},
        "blocks": [
            _line("unstyled", "Use vinegar."), _line("unordered-list-item", "Fill."), _line("unordered-list-item", "Boil."),
        ],
    },
}  # fmt: skip


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("editor", RICH)
def test_rich_text_kept_as_json_is_text_with_paragraphs_and_lists(editor: str, written: bool, tmp_path: Path) -> None:
    """Also where a database has it as a text."""
    answer = json.dumps(RICH[editor]) if written else RICH[editor]
    (tmp_path / "faq.json").write_text(json.dumps([{"question": "How do I descale it?", "answer": answer}]))
    (post,) = read_archives([tmp_path])
    assert isinstance(post, Post)
    assert (post.question, post.answer) == ("How do I descale it?", "Use vinegar.\n\n- Fill.\n- Boil.")
    assert not post.answers


def test_rich_text_that_is_nested_too_deep_is_set_aside(tmp_path: Path) -> None:
    """Quickly, and so is what has many parts read."""
    node: dict[str, object] = {"type": "text", "text": "x"}
    for _ in range(200):
        node = {"type": "blockquote", "content": [node]}
    records = [{"question": "Deep?", "answer": _typed("doc", node)}, {"question": "Refunds?", "answer": _prose("Yes.")}]
    (tmp_path / "faq.json").write_text(json.dumps(records))
    note, post = sorted(read_archives([tmp_path]), key=lambda item: isinstance(item, Post))
    assert isinstance(note, SetAside)
    assert note.reason == "rich text nested too deep"
    assert isinstance(post, Post)
    assert post.answer == "Yes."


def test_comments_with_comments_are_no_rich_text(tmp_path: Path) -> None:
    """They have writers."""
    answers = [{"text": "Within 14 days.", "author": "Bob", "children": [{"text": "Thanks", "author": "Ann"}]}]
    (tmp_path / "faq.json").write_text(json.dumps([{"question": "Refunds?", "answers": answers}]))
    (post,) = read_archives([tmp_path])
    assert isinstance(post, Post)
    assert (post.answer, post.answers[0].author) == ("Within 14 days.", "Bob")


NESTED = (
    '{"data": {"items": [{"id": "1", "qa": {"ask": "How do I descale it?", "say": "With vinegar."}},'
    ' {"id": "2", "qa": {"ask": "Refunds?", "say": "Within 14 days."}}]}}'
)
PAGES = (
    '{"pages": [{"id": 1, "name": "Care", "parts": [{"entries": [{"ask": "How do I descale it?", "say": "With vinegar."}]}]},'
    ' {"id": 2, "name": "Money", "parts": [{"entries": [{"ask": "Refunds?", "say": "Within 14 days."}]}]}]}'
)


@pytest.mark.parametrize(
    ("text", "paths", "path"),
    [
        (NESTED, "qa.ask, qa.say", "qa."),
        (NESTED, "qa.ask, qa.say", "data.items.qa."),
        (NESTED, "qa.ask, qa.say", "data.items[].qa."),
        (PAGES, "parts.entries.ask, parts.entries.say", "pages.parts.entries."),
        (PAGES, "parts.entries.ask, parts.entries.say", "pages[].parts[].entries[]."),
        (PAGES, "parts.entries.ask, parts.entries.say", "parts.entries."),
        (f"[{NESTED}]", "data.items.qa.ask, data.items.qa.say", "data.items.qa."),
    ],
)
def test_a_path_leads_to_the_records_in_lists(text: str, paths: str, path: str, tmp_path: Path) -> None:
    """The refusal names the paths that hold texts; each works, as those of the whole document do."""
    (tmp_path / "export.json").write_text(text)
    with pytest.raises(UnknownFormatError, match=rf"with texts in .*{re.escape(paths)}"):
        list(read_archives([tmp_path / "export.json"]))
    named = {"question": f"{path}ask", "answer": f"{path}say"}
    reading = Reading()
    posts = [item for item in read_archives([tmp_path], ReadOptions(named), reading=reading) if isinstance(item, Post)]
    assert [(post.question, post.answer) for post in posts] == TWO
    assert len({post.source_id for post in posts}) == len(TWO)
    assert not reading.reports[0].unused


def test_a_category_may_be_named_by_the_path_of_what_is_around(tmp_path: Path) -> None:
    """Each question gets that of its own page."""
    (tmp_path / "export.json").write_text(PAGES)
    named = {"question": "pages.parts.entries.ask", "answer": "pages.parts.entries.say", "category": "pages.name"}
    posts = [item for item in read_archives([tmp_path], ReadOptions(named)) if isinstance(item, Post)]
    assert [post.tags for post in posts] == [("Care",), ("Money",)]


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, base64.encodebytes])
def test_texts_in_base64_are_decoded_and_said_to_be(encode: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """Words that only look like it are left alone, in a field of their own and beside real ones."""
    long = "Within 14 days – ohne weiteres. " * 9
    records = [{"question": question, "answer": encode(long.encode()).decode()} for question, _ in TWO]
    (tmp_path / "faq.json").write_text(json.dumps(records), encoding="utf-8")
    reading = Reading()
    posts = [item for item in read_archives([tmp_path], reading=reading) if isinstance(item, Post)]
    assert [post.answer for post in posts] == [long.strip()] * 2
    assert "texts in 'answer' were written as base64: decoded" in reading.reports[0].remarks
    for word in ("Donaudampfschiffahrtsgesellschaft", "abcdefghijklmnopqrstuvwx", "0123456789abcdef0123456789abcdef"):
        (tmp_path / "faq.json").write_text(json.dumps([{"question": "Which word is long?", "answer": word}]))
        (post,) = read_archives([tmp_path])
        assert isinstance(post, Post)
        assert post.answer == word
    (tmp_path / "faq.json").write_text(json.dumps([*records, {"question": "Which is short?", "answer": "Yes, it is."}]))
    posts = [item for item in read_archives([tmp_path]) if isinstance(item, Post)]
    assert [post.answer for post in posts][:2] == [record["answer"].strip() for record in records]


TICKETS = "id,subject,description,requester_id\n1,Kettle,Refunds for my kettle?,5\n2,Steel,How do I descale it?,6\n"
SPOKEN = [("Refunds for my kettle?", "Within 14 days."), ("How do I descale it?", "With vinegar, slowly.")]
# A help desk's messages, one a row: what tells customers from staff, and the word for each, and for a note.
SPEAKERS = {
    "from_staff": ("0", "1", ""),
    "is_agent": ("false", "true", ""),
    "Incoming": ("TRUE", "FALSE", ""),
    "author_role": ("end-user", "agent", ""),
    "sender_type": ("contact", "agent_bot", ""),
    "Direction": ("INCOMING", "OUTGOING", ""),
    "direction": ("in", "out", ""),
    "author_type": ("customer", "user", "note"),
    "type": ("M", "R", "N"),
    "part_type": ("", "", ""),
    "staff_id": ("0", "9", ""),
}
CONVERSATIONS: dict[str, tuple[str, str]] = {
    "a ticket of Freshdesk": (
        "tickets.json",
        '[{"helpdesk_ticket": {"display_id": 1, "subject": "Kettle", "description": "Refunds for my kettle?", "requester_id": 5,'
        ' "helpdesk_notes": [{"id": 2, "body": "A bad one.", "private": true, "incoming": false}, {"id": 3,'
        ' "body": "Within 14 days.", "private": false, "incoming": false}, {"id": 4, "body": "Thanks!", "private": false,'
        ' "incoming": true}]}}]',
    ),
    "a conversation of Intercom": (
        "conversations.json",
        '{"type": "conversation.list", "conversations": [{"type": "conversation", "id": "1", "title": null,'
        ' "source": {"subject": "Kettle", "body": "<p>Refunds for my kettle?</p>", "author": {"type": "user", "id": "5"}},'
        ' "conversation_parts": {"conversation_parts": [{"part_type": "note", "body": "<p>A bad one.</p>",'
        ' "author": {"type": "admin"}, "created_at": 1583316100}, {"part_type": "comment", "body": "<p>Within 14 days.</p>",'
        ' "author": {"type": "admin"}, "created_at": 1583316200}]}}]}',
    ),
    "a conversation of Help Scout, its newest thread first": (
        "conversations.json",
        '{"_embedded": {"conversations": [{"id": 1, "subject": "Kettle", "tags": [{"id": 1, "tag": "money"}],'
        ' "_embedded": {"threads": [{"type": "message", "body": "Within 14 days.", "createdBy": {"type": "user"},'
        ' "createdAt": "2020-03-04T12:00:00Z"}, {"type": "note", "body": "A bad one.", "createdBy": {"type": "user"},'
        ' "createdAt": "2020-03-04T11:00:00Z"}, {"type": "customer", "body": "Refunds for my kettle?",'
        ' "createdBy": {"type": "customer"}, "createdAt": "2020-03-04T10:00:00Z"}]}}]}}',
    ),
    "lists of tickets and of their messages": (
        "export.json",
        '{"tickets": [{"id": 1, "subject": "Kettle", "description": "Refunds for my kettle?"}], "comments": ['
        '{"ticket_id": 1, "is_agent": false, "body": "Refunds for my kettle?"},'
        ' {"ticket_id": 1, "is_agent": true, "body": "Within 14 days."}]}',
    ),
    "a table of tickets with subjects alone": (
        "desk.sql",
        "CREATE TABLE tickets (id int, subject text, status text);\nINSERT INTO tickets VALUES (1,'Kettle','closed');\n"
        "CREATE TABLE messages (id int, ticket_id int, sender text, body text);\nINSERT INTO messages VALUES "
        "(1,1,'customer','Refunds for my kettle?'),(2,1,'agent','Within 14 days.');\n",
    ),
    "threads of osTicket, whose ids are not those of tickets": (
        "ost.sql",
        "CREATE TABLE `ost_ticket__cdata` (`ticket_id` int, `subject` text);\n"
        "INSERT INTO `ost_ticket__cdata` VALUES (7,'Wrong');\n"
        "CREATE TABLE `ost_thread_entry` (`id` int, `thread_id` int, `staff_id` int, `user_id` int, `type` char(1),"
        " `title` text, `body` text);\nINSERT INTO `ost_thread_entry` VALUES (1,7,0,5,'M','Kettle','Refunds for my kettle?'),"
        "(2,7,9,0,'N','Note','A bad customer.'),(3,7,9,0,'R','','Within 14 days.');\n",
    ),
    "tweets to a company": (
        "twcs.csv",
        "tweet_id,author_id,inbound,text,in_response_to_tweet_id\n3,shop,False,Within 14 days.,2\n"
        "4,115712,True,Thank you so much.,3\n2,115712,True,Refunds for my kettle?,\n",
    ),
}


@pytest.mark.parametrize("shape", CONVERSATIONS)
def test_a_ticket_is_one_post(shape: str, tmp_path: Path) -> None:
    """The customer asks, staff answers, and what staff writes to itself is left out."""
    name, text = CONVERSATIONS[shape]
    (tmp_path / name).write_text(text, encoding="utf-8")
    posts = [item for item in read_archives([tmp_path]) if isinstance(item, Post)]
    assert [(post.question, post.answer) for post in posts] == SPOKEN[:1]
    assert posts[0].title == ("Kettle" if "Kettle" in text else "")


@pytest.mark.parametrize("column", SPEAKERS)
def test_who_speaks_in_a_message_is_known_by_a_column(column: str, tmp_path: Path) -> None:
    """Wherever a customer goes on to write, and whoever greets first."""
    customer, staff, note = SPEAKERS[column]
    rows = [
        (1, staff, "Hello, how can I help?"), (1, customer, "Refunds for my kettle?"), (1, staff, "Within 14 days."),
        (1, customer, "Thank you very much."), (2, customer, "How do I descale it?"), (2, staff, "With vinegar, slowly."),
        *([(2, note, "He broke his kettle.")] if note else []),
    ]  # fmt: skip
    table = "".join(f"{ticket},{who},{text!r}\n".replace("'", '"') for ticket, who, text in rows)
    (tmp_path / "messages.csv").write_text(f"ticket_id,{column},body\n{table}", encoding="utf-8")
    reading = Reading()
    posts = [item for item in read_archives([tmp_path], reading=reading) if isinstance(item, Post)]
    expected = SPOKEN if customer or staff else [(rows[0][2], "\n\n".join(row[2] for row in rows[1:4])), SPOKEN[1]]
    assert [(post.source_id, (post.question, post.answer)) for post in posts] == list(
        zip(("1", "2"), expected, strict=True)
    )
    remarks = " ".join(reading.reports[0].remarks)
    assert ("notes among staff" in remarks) is bool(note)
    assert ("no field says who wrote a message" in remarks) is (not customer and not staff)


@pytest.mark.parametrize(
    "tickets", [TICKETS, TICKETS.replace(",description", ",status"), TICKETS.replace("id,s", "Ticket ID,s")]
)
@pytest.mark.parametrize("way", ["files", pytest.param("sheets", marks=pytest.mark.process)])
def test_a_ticket_and_its_messages_may_stand_in_two_tables(tickets: str, way: str, tmp_path: Path) -> None:
    """Who opened the ticket is the customer where no column says who speaks; private notes are left out, and said to be."""
    messages = (
        "id,ticket_id,author_id,public,body\n11,1,5,true,Refunds for my kettle?\n12,1,9,false,A bad customer.\n"
        "13,1,9,true,Within 14 days.\n14,1,5,true,Thank you!\n15,2,6,true,How do I descale it?\n"
        '16,2,9,true,"With vinegar, slowly."\n'
    )
    if "status" in tickets:
        tickets = tickets.replace("Refunds for my kettle?", "closed").replace("How do I descale it?", "closed")
    if way == "files":
        (tmp_path / "tickets.csv").write_text(tickets, encoding="utf-8")
        (tmp_path / "comments.csv").write_text(messages, encoding="utf-8")
    else:
        sheets = {"Tickets": tickets, "Comments": messages}
        rows = {name: list(csv.reader(table.splitlines())) for name, table in sheets.items()}
        (tmp_path / "desk.xlsx").write_bytes(xlsx(rows))
    reading = Reading()
    posts = [item for item in read_archives([tmp_path], reading=reading) if isinstance(item, Post)]
    assert [(post.title, post.question, post.answer) for post in posts] == [
        ("Kettle", *SPOKEN[0]),
        ("Steel", *SPOKEN[1]),
    ]
    assert any(
        "1 record left out: hidden by 'public'" in remark for report in reading.reports for remark in report.remarks
    )


def test_a_table_of_tickets_without_their_messages_says_what_is_missing(tmp_path: Path) -> None:
    """Its titles are all that it has."""
    (tmp_path / "tickets.csv").write_text("id,subject,status\n1,Kettle,closed\n", encoding="utf-8")
    reading = Reading()
    posts = [item for item in read_archives([tmp_path], reading=reading) if isinstance(item, Post)]
    assert [(post.title, post.answer) for post in posts] == [("Kettle", "")]
    assert any(
        remark.startswith("titles alone: put the table of the messages") for remark in reading.reports[0].remarks
    )


def test_in_a_forum_anybody_answers(tmp_path: Path) -> None:
    """A role of members is not that of customers where several of them write in one thread."""
    (tmp_path / "posts.csv").write_text(
        "topic_id,username,user_role,body\n1,ann,user,Refunds for my kettle?\n1,bob,user,Within 14 days.\n"
        "1,cyd,admin,Closed as it is answered.\n",
        encoding="utf-8",
    )
    (post,) = read_archives([tmp_path])
    assert isinstance(post, Post)
    assert post.answer == "Within 14 days.\n\nClosed as it is answered."


def test_posts_without_a_topic_are_not_put_together(tmp_path: Path) -> None:
    """Each stands for itself."""
    (tmp_path / "p.csv").write_text(
        "topic_id,username,body\n1,ann,Refunds?\n1,bob,Within 14 days.\n,cyd,One more\n,dan,And one\n", encoding="utf-8"
    )
    posts = [item for item in read_archives([tmp_path]) if isinstance(item, Post)]
    assert sorted((post.question, post.answer) for post in posts) == [("And one", ""), ("One more", ""), TWO[1]]


def test_a_message_without_its_ticket_is_set_aside(tmp_path: Path) -> None:
    """It is not put together with others of that kind."""
    (tmp_path / "m.csv").write_text(
        "ticket_id,is_agent,body\n1,0,Refunds?\n1,1,Within 14 days.\n,0,Lost one\n,0,Another one\n", encoding="utf-8"
    )
    post, *notes = sorted(read_archives([tmp_path]), key=lambda item: isinstance(item, SetAside))
    assert isinstance(post, Post)
    assert (post.question, post.answer) == TWO[1]
    assert [note.reason for note in notes if isinstance(note, SetAside)] == [
        "a message without 'ticket_id', which ties it to others"
    ] * 2


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
            text += f"INSERT INTO `{name}` VALUES ({quoted});\n"
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
        (
            "faq.opml",
            "<opml><body><outline text='Refunds?'/></body></opml>",
            "its answer as a note or in the lines below",
        ),
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
        ("faq.csv.lzma", b"\x5d\0\0" + bytes(90), "unlzma"),
        ("faq.tar", bytes(10240), "downloaded whole"),
        ("help.chm", b"ITSF\3" + bytes(90), "7z x"),
        ("old.wpd", b"\xffWPC" + bytes(90), "soffice"),
        ("noname", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(90), "an old Office document"),
        ("faq.ps", b"%!PS-Adobe-3.0\n/Times findfont", "ps2pdf"),
        ("scan.jpg", b"\xff\xd8\xff\xe0" + bytes(90), "ocrmypdf"),
        ("talk.mp3", b"ID3\3" + bytes(90), "whisper"),
        ("table.dbf", b"\3\x78\3\4" + bytes(90), "soffice"),
        ("memo.txt", b"Dear all,\n\nthe meeting is on Monday.\n\nAnn\n", "Write Q: before each question"),
        ("TAPE.txt", b"TAPE recordings are kept in the cellar.\n", "Write Q: before each question"),
        ("dump.dat", b"\x16\0\0\0\2q\0\12\0\0\0Refunds??\0\0", "bsondump"),
        ("dump", b"\x6d\xe2\x99\x81" + bytes(90), "mongorestore"),
        ("rt.txt", b"id: ticket/1\nSubject: Refunds?\nCreated: 2014-03-02\nContent: Hm.\n", "as CSV or JSON"),
        ("feeds.opml", b"<opml><body><outline text='A' xmlUrl='http://a.org'/></body></opml>", "feeds themselves"),
        ("app.js", b"const start = { run: function() { return 1; } };\n", "Write the data as JSON first"),
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


_BOARD = {
    "lists": [],
    "cards": [{"id": "c", "name": "Kettle", "desc": "Refunds?"}, {"id": "d", "name": "Old", "closed": True}],
    "actions": [
        {
            "type": "commentCard",
            "date": "2020-03-06",
            "data": {"text": "Thanks.", "card": {"id": "c"}},
            "memberCreator": {"fullName": "Ann"},
        },
        {
            "type": "commentCard",
            "date": "2020-03-05",
            "data": {"text": "Within 14 days.", "card": {"id": "c"}},
            "memberCreator": {"fullName": "Bob"},
        },
        {
            "type": "createCard",
            "date": "2020-03-04",
            "data": {"card": {"id": "c"}},
            "memberCreator": {"fullName": "Ann"},
        },
        "broken",
    ],
}
_LISTING = [
    {"kind": "Listing", "data": {"children": [{"kind": "t3", "data": {"id": "x", "title": "Kettle", "selftext": "Refunds?", "author": "ann"}}]}},
    {"kind": "Listing", "data": {"children": [
        {"kind": "t1", "data": {"id": "y", "body": "Within 14 days.", "author": "bob", "parent_id": "t3_x", "link_id": "t3_x", "replies": ""}},
        {"kind": "more", "data": {"children": ["z"]}},
    ]}},
]  # fmt: skip
PROGRAMS: dict[str, tuple[str, str]] = {
    "comments below data, as in Facebook": (
        "group.json",
        '{"data": [{"id": "1", "message": "Refunds?", "from": {"name": "Ann"}, "comments": {"data": '
        '[{"id": "2", "message": "Within 14 days.", "from": {"name": "Bob"}}]}}]}',
    ),
    "replies whose text is in an object, as in Teams": (
        "teams.json",
        '{"value": [{"id": "1", "subject": "Kettle", "body": {"contentType": "html", "content": "<p>Refunds?</p>"}, "from": '
        '{"user": {"displayName": "Ann"}}, "replies": [{"id": "2", "messageType": "systemEventMessage", "body": {"content": '
        '"Bob joined"}}, {"id": "3", "messageType": "message", "body": {"contentType": "html", "content": "<p>Within 14 '
        'days.</p>"}, "from": {"user": {"displayName": "Bob"}}}]}]}',
    ),
    "notes, some of the program, as in GitLab": (
        "issues.ndjson",
        '{"title": "Kettle", "description": "Refunds?", "notes": [{"note": "closed", "system": true, "author": {"name": '
        '"Bob"}}, {"note": "Within 14 days.", "system": false, "author": {"name": "Bob"}}]}\n',
    ),
    "articles of a ticket, as in Zammad": (
        "tickets.json",
        '[{"id": 1, "title": "Kettle", "articles": [{"body": "Refunds?", "sender": "Customer", "internal": false}, '
        '{"body": "A bad one.", "sender": "Agent", "internal": true}, '
        '{"body": "Within 14 days.", "sender": "Agent", "internal": false}]}]',
    ),
    "letters that say who speaks, as in tawk.to": (
        "chats.json",
        '[{"id": "1", "type": "chat", "messages": [{"sender": {"t": "v"}, "type": "msg", "msg": "Refunds?"}, '
        '{"sender": {"t": "a", "n": "Bob"}, "type": "msg", "msg": "Within 14 days."}]}]',
    ),
    "a board, as in Trello": ("board.json", json.dumps(_BOARD)),
    "a listing of a thread, as in Reddit": ("thread.json", json.dumps(_LISTING)),
    "values below their kinds, as in DynamoDB": (
        "table.json",
        '{"Item": {"question": {"S": "Refunds?"}, "answer": {"S": "Within 14 days."}, "tags": {"L": [{"S": "a"}]}}}\n'
        * 2,
    ),
    "comments with their dates, as in Jira": (
        "issues.csv",
        "Summary,Reporter,Description,Comment,Comment\n"
        'Kettle,ann,Refunds?,04/Mar/11 10:00 AM;bob;Within 14 days.,"05/Mar/11 9:00 AM;ann;Thanks; bye."\n',
    ),
    "texts beside the id of an answer": (
        "web.jsonl",
        '{"qid": 1, "title": "Kettle", "desc": "Refunds?", "content": "Within 14 days.", "answer_id": 7}\n' * 2,
    ),
    "a report above the table": (
        "report.csv",
        "Q&A Report\nTopic,Webinar ID,# Question\nKettles,123,1\nQuestion Details\n"
        "#,Question,Asker,Answer\n1,Refunds?,Ann,Within 14 days.\n",
    ),
    "tickets in XML, as in Freshdesk": (
        "t.xml",
        "<helpdesk-tickets><helpdesk-ticket><display-id>1</display-id><subject>Kettle</subject><description>Refunds?"
        "</description><requester-id>7</requester-id><helpdesk-notes><helpdesk-note><body>A bad one.</body><private>true"
        "</private><user-id>3</user-id></helpdesk-note><helpdesk-note><body>Within 14 days.</body><private>false</private>"
        "<user-id>3</user-id></helpdesk-note></helpdesk-notes></helpdesk-ticket></helpdesk-tickets>",
    ),
    "issues in XML, as in Jira": (
        "j.xml",
        "<rss version='0.92'><channel><title>Jira</title><item><title>[S-1] Kettle</title><description>&lt;p&gt;Refunds?&lt;/p&gt;"
        "</description><key id='1'>S-1</key><summary>Kettle</summary><reporter username='ann'>Ann</reporter><comments>"
        "<comment id='2' author='bob'>&lt;p&gt;Within 14 days.&lt;/p&gt;</comment></comments></item></channel></rss>",
    ),
    "issues in XML, as in Redmine": (
        "r.xml",
        "<issues><issue><id>1</id><tracker id='3' name='Support'/><author id='5' name='Ann'/><subject>Kettle</subject>"
        "<description>Refunds?</description><journals><journal id='1'><user name='Bob'/><notes/></journal><journal id='2'>"
        "<user name='Bob'/><notes>Within 14 days.</notes></journal></journals></issue></issues>",
    ),
    "bugs in XML, as in Bugzilla": (
        "b.xml",
        "<bugzilla><bug><bug_id>1</bug_id><short_desc>Kettle</short_desc><reporter>ann</reporter><long_desc isprivate='0'>"
        "<who>ann</who><thetext>Refunds?</thetext></long_desc><long_desc isprivate='1'><who>bob</who><thetext>Bad.</thetext>"
        "</long_desc><long_desc isprivate='0'><who>bob</who><thetext>Within 14 days.</thetext></long_desc></bug></bugzilla>",
    ),
    "threads in XML, as in SemEval": (
        "s.xml",
        "<xml><Thread><RelQuestion RELQ_ID='Q1'><RelQSubject>Kettle</RelQSubject><RelQBody>Refunds?</RelQBody></RelQuestion>"
        "<RelComment RELC_ID='C1'><RelCText>Within 14 days.</RelCText></RelComment></Thread></xml>",
    ),
    "documents in XML, as in Solr": (
        "solr.xml",
        "<?xml version='1.0'?><response><result><doc><str name='question'>Refunds?</str><str name='answer'>Within 14 days.</str>"
        "<int name='votes'>1</int></doc></result></response>",
    ),
    "DocBook": (
        "book.xml",
        "<?xml version='1.0'?><article xmlns='http://docbook.org/ns/docbook'><title>FAQ</title><qandaset><qandaentry><question>"
        "<para>Refunds?</para></question><answer><para>Within 14 days.</para></answer></qandaentry></qandaset></article>",
    ),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_one_program_writes_is_read(program: str, tmp_path: Path) -> None:
    """Each question with its answers; what the asker, the program and staff among itself wrote answers nothing."""
    name, text = PROGRAMS[program]
    (tmp_path / name).write_text(text, encoding="utf-8")
    (post, *others) = [item for item in read_archives([tmp_path]) if isinstance(item, Post)]
    assert (post.question, post.answer) == TWO[1]
    assert all((other.question, other.answer) == TWO[1] for other in others)
    assert post.title in ("", "Kettle")


@pytest.mark.parametrize(
    "name", ["LastPublishedDate", "review_date", "date_add", "登録日", "Datum der Anfrage", "reviewed_at"]
)
def test_a_column_that_names_a_date_of_some_kind_is_the_date(name: str, tmp_path: Path) -> None:
    """However it is called, as long as it holds dates; a day of birth is another day."""
    rows = f"question,answer,birth_date,{name}\nRefunds?,Within 14 days.,1990-01-01,2020-03-04\n"
    (tmp_path / "faq.csv").write_text(rows, encoding="utf-8")
    (post,) = read_archives([tmp_path])
    assert isinstance(post, Post)
    assert post.date == "2020-03-04"


def test_a_path_may_lead_to_the_date(tmp_path: Path) -> None:
    """Its values are in no column."""
    record = '{"q": {"S": "Refunds?"}, "a": {"S": "Within 14 days."}, "made": {"S": "2020-03-04"}}\n'
    (tmp_path / "faq.jsonl").write_text(record * 2, encoding="utf-8")
    options = ReadOptions(field_map={"question": "q.S", "answer": "a.S", "date": "made.S"})
    post = next(iter(read_archives([tmp_path], options)))
    assert isinstance(post, Post)
    assert (post.question, post.answer, post.date) == (*TWO[1], "2020-03-04")


def test_questions_and_answers_of_two_tables_share_the_id_of_the_question(tmp_path: Path) -> None:
    """Neither table has an id of its own kind for the questions; the file's name says which asks, and 0 is an id."""
    (tmp_path / "answer.csv").write_text(
        "ans_id,question_id,content\n5,0,With vinegar.\n6,1,Within 14 days.\n", encoding="utf-8"
    )
    (tmp_path / "question.csv").write_text(
        "question_id,content\n0,How do I descale it?\n1,Refunds?\n", encoding="utf-8"
    )
    posts = [item for item in read_archives([tmp_path]) if isinstance(item, Post)]
    assert [(post.question, post.answer) for post in posts] == TWO


def test_a_list_of_which_texts_answer_says_what_to_make_of_it(tmp_path: Path) -> None:
    """Its texts are in two other files."""
    (tmp_path / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq0\td0\t1\n", encoding="utf-8")
    (note,) = read_archives([tmp_path / "test.tsv"])
    assert isinstance(note, SetAside)
    assert "put the table of the questions and that of the answers into the same folder" in note.reason


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


def test_questions_that_are_kept_unanswered_get_the_answers_of_another_table(tmp_path: Path) -> None:
    """The option says what to do with those that nobody answered."""
    (tmp_path / "Questions.csv").write_text("Id,Title,Body\n80,Kettle,Refunds?\n81,Tea,Green?\n", encoding="utf-8")
    (tmp_path / "Answers.csv").write_text("Id,ParentId,Body\n92,80,Within 14 days.\n", encoding="utf-8")
    posts = [item for item in read_archives([tmp_path], ReadOptions(keep_unanswered=True)) if isinstance(item, Post)]
    assert [(post.question, post.answer) for post in posts] == [TWO[1], ("Green?", "")]


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


@pytest.mark.parametrize("heading", ["{},", ",{}", "{}"])
def test_a_row_with_a_heading_alone_names_the_category_of_those_below(heading: str, tmp_path: Path) -> None:
    """It is said what was taken for a heading."""
    rows = ROWS.splitlines()
    table = [
        "No.,Question,Answer",
        f"{heading.format('Care')},",
        f"1,{rows[0]}",
        f"{heading.format('MONEY')},",
        f"2,{rows[1]}",
    ]
    (tmp_path / "faq.csv").write_text("\n".join(table), encoding="utf-8")
    reading = Reading()
    posts = [item for item in read_archives([tmp_path], reading=reading) if isinstance(item, Post)]
    assert [(post.question, post.answer, post.tags) for post in posts] == [
        (*TWO[0], ("Care",)),
        (*TWO[1], ("MONEY",)),
    ]
    assert any(remark.endswith("for their category: 'Care', 'MONEY'") for remark in reading.reports[0].remarks)


def test_a_question_without_an_answer_is_no_heading(tmp_path: Path) -> None:
    """Nor is a short one where the others do not ask in so many words."""
    (tmp_path / "a.csv").write_text(f"Question,Answer\nMay I boil milk?,\n{ROWS}", encoding="utf-8")
    (tmp_path / "b.csv").write_text("Question,Answer\nMilk,\nRefunds,Within 14 days.\n", encoding="utf-8")
    posts = [item for item in read_archives([tmp_path]) if isinstance(item, Post)]
    assert sorted(post.question for post in posts if not post.answer) == ["May I boil milk?", "Milk"]


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


@pytest.mark.parametrize("beside", ["correct", "label"])
def test_answers_of_which_some_are_wrong_are_not_put_together(beside: str, tmp_path: Path) -> None:
    """Which column holds the right ones is asked for, with all that could."""
    (tmp_path / "quiz.csv").write_text(
        f"question,answer1,answer2,{beside}\nRefunds?,Within 14 days.,There are none at all.,unsure\n", encoding="utf-8"
    )
    with pytest.raises(UnclearFieldsError, match="though 'answer2' could hold it, or 'answer1' "):
        list(read_archives([tmp_path]))


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


def _mail(number: int, text: str, above: str = "") -> str:
    who = "Ann" if number == 1 else "Shop"
    reply = f"In-Reply-To: <m{above}@x.org>\n" if above else ""
    day = f"Date: Mon, {number + 6} May 2012 09:00:00 +0200\n"
    return f"From: {who} <{number}@x.org>\nSubject: Kettle\n{day}Message-ID: <m{number}@x.org>\n{reply}\n{text}\n"


def test_messages_in_files_of_their_own_are_one_conversation(tmp_path: Path) -> None:
    """Whatever the files are called; an answer to an answer belongs to it, too. A message alone is read as before."""
    mails = {
        "c": _mail(1, "How do I descale it?"),
        "a": _mail(2, "With vinegar.", "1"),
        "b": _mail(3, "Slowly.", "2"),
        "d": _mail(4, "Within 14 days.\n\n> Refunds?", "9"),
    }
    for name, text in mails.items():
        (tmp_path / f"{name}.eml").write_text(text)
    posts = [item for item in read_archives([tmp_path]) if isinstance(item, Post)]
    assert [(post.question, post.answer) for post in posts] == [
        ("How do I descale it?", "With vinegar.\n\nSlowly."),
        ("Refunds?", "Within 14 days."),
    ]
    assert posts[0].source_id == "m1@x.org"
    (tmp_path / "e.eml").write_text(_mail(5, "Thank you.", "1").replace("Shop", "Ann"))
    reading = Reading()
    assert len([item for item in read_archives([tmp_path], reading=reading) if isinstance(item, Post)]) == len(posts)
    said = [remark for report in reading.reports for remark in report.remarks]
    assert said == ["left out: later messages of the one who asked (1)"]
    (alone,) = read_archives([tmp_path / "d.eml"])
    assert isinstance(alone, Post)
    assert (alone.question, alone.answer) == ("Refunds?", "Within 14 days.")


def test_an_export_of_wordpress_has_empty_excerpts_beside_its_texts(tmp_path: Path) -> None:
    """They are no texts."""
    items = "".join(
        f"<item><title>{question}</title><content:encoded><![CDATA[<p>{answer}</p>]]></content:encoded>"
        "<excerpt:encoded><![CDATA[]]></excerpt:encoded><wp:post_type>faq</wp:post_type></item>"
        for question, answer in TWO
    )
    spaces = " ".join(
        f'xmlns:{name}="{place}"'
        for name, place in {
            "excerpt": "http://wordpress.org/export/1.2/excerpt/",
            "content": "http://purl.org/rss/1.0/modules/content/",
            "wp": "http://wordpress.org/export/1.2/",
        }.items()
    )
    (tmp_path / "site.xml").write_text(
        f"<rss {spaces}><channel><wp:wxr_version>1.2</wp:wxr_version>{items}</channel></rss>"
    )
    posts = [item for item in read_archives([tmp_path]) if isinstance(item, Post)]
    assert [(post.question, post.answer) for post in posts] == TWO


_ROWS_OF_THREE = (
    "<tr><td>{0}</td><td>How do I descale it?</td><td>With vinegar.</td></tr>"
    "<tr><td>{1}</td><td>Refunds?</td><td>Within 14 days.</td></tr>"
)
BESIDE: dict[str, tuple[str, str]] = {
    "a page's table with a number": (
        "p.html",
        "<html><h1>FAQ</h1><table><tr><th>Nr.</th><th>Frage</th><th>Antwort</th></tr>"
        f"{_ROWS_OF_THREE.format(1, 2)}</table></html>",
    ),
    "a page's table with dates, cells without a heading": (
        "p.html",
        "<html><title>Questions</title><table><tr><td>Date</td><td>Question</td><td>Answer</td></tr>"
        f"{_ROWS_OF_THREE.format('2011-03-04', '2012-06-15')}</table></html>",
    ),
    "a table of Markdown": (
        "faq.md",
        "# FAQ\n\n| # | Question | Answer | Date |\n|---|---|---|---|\n"
        "| 1 | How do I descale it? | With vinegar. | 2011-03-04 |\n| 2 | Refunds? | Within 14 days. | 2012-06-15 |\n",
    ),
    "a page of the nineties": (
        "p.html",
        '<HTML><TITLE>Foot FAQ</TITLE><BODY><UL><LI><A HREF="#a">How do I descale it?</A><LI><A HREF="#b">Refunds?</A>'
        '</UL><HR><A NAME="a"><B>How do I descale it?</B></A><P>With vinegar.<P><A HREF="#top">Top</A><HR>'
        '<A NAME="b"><B>Refunds?</B></A><P>Within 14 days.<P><A HREF="#top">Top</A><HR></BODY></HTML>',
    ),
    "minutes": (
        "minutes.md",
        "# Council\n\n**Question from Mrs Reed:** How do I descale it?\n\n**Reply by the mayor:** With vinegar.\n\n"
        "**Question from Mr Hall:** Refunds?\n\n**Reply by the mayor:** Within 14 days.\n",
    ),
    "a newspaper": (
        "letters.txt",
        "LETTERS March 2011\n\nREADER QUESTION\nHow do I descale it?\n\nOUR ANSWER\nWith vinegar.\n\n"
        "READER QUESTION\nRefunds?\n\nOUR ANSWER\nWithin 14 days.\n",
    ),
    "subtitles": (
        "talk.srt",
        "1\n00:00:01,000 --> 00:00:05,000\nQ: How do I\n\n2\n00:00:05,000 --> 00:00:06,000\n<i>descale it?</i>\n\n"
        "3\n00:00:06,000 --> 00:00:09,000\nA: With vinegar.\n\n4\n00:01:01,000 --> 00:01:05,000\nQ: Refunds?\n\n"
        "5\n00:01:06,000 --> 00:01:09,000\nA: Within 14 days.\n",
    ),
    "subtitles of the web": (
        "talk.vtt",
        "WEBVTT\n\n00:01.000 --> 00:05.000 align:start\nQ: How do I descale it?\n\n00:06.000 --> 00:09.000\n"
        "A: With vinegar.\n\n01:01.000 --> 01:05.000\nQ: Refunds?\n\n01:06.000 --> 01:09.000\nA: Within 14 days.\n",
    ),
    "a page of DokuWiki": (
        "help.txt",
        "====== FAQ ======\n\n===== How do I descale it? =====\n\nWith vinegar.\n\n===== Refunds? =====\n\n"
        "Within 14 days.\n\n{{tag>faq help}}\n",
    ),
    "a copyright below the last answer": (
        "a.txt",
        "Q: How do I descale it?\nA: With vinegar.\n\nQ: Refunds?\nA: Within 14 days.\n\nCopyright 2011 Acme.\n",
    ),
    "a heading below all that asks for more questions": (
        "p.html",
        "<html><h1>FAQ</h1><h3>How do I descale it?</h3><p>With vinegar.</p><h3>Refunds?</h3><p>Within 14 days.</p>"
        "<h3>Still have questions?</h3><p>Call us.</p></html>",
    ),
    "numbered paragraphs of a word processor": (
        "p.html",
        "<html><h1>Parents ask</h1><ol><li>How do I descale it?</li></ol><p>With vinegar.</p>"
        "<ol><li>Refunds?</li></ol><p>Within 14 days.</p></html>",
    ),
}


@pytest.mark.parametrize("shape", BESIDE)
def test_what_stands_beside_an_answer_is_no_part_of_it(shape: str, tmp_path: Path) -> None:
    """Numbers, dates, times and marks belong to the page."""
    name, text = BESIDE[shape]
    (tmp_path / name).write_text(text, encoding="utf-8")
    posts = [item for item in read_archives([tmp_path / name]) if isinstance(item, Post)]
    assert [(" ".join(post.question.split()), post.answer) for post in posts] == TWO


RECORD_HEADS: dict[str, tuple[str, tuple[str, str, str | None, tuple[str, ...]]]] = {
    "fields": (
        "Date: 201{0}-03-04\nName: Ann\nSubject: Number {0}\nQuestion: {1}\nAnswer: {2}\n\n",
        ("201{0}-03-04", "Number {0}", "Ann", ()),
    ),
    "fields above and below": (
        "Form: Question\nDate: 201{0}-03-04\nQuestion: {1}\nAnswer: {2}\nStatus: Closed\n",
        ("201{0}-03-04", "", None, ()),
    ),
    "rules": ("==========\nNo: {0}\nCategory: Shop\nQ: {1}\nA: {2}\n", ("", "", None, ("Shop",))),
    "dates": ("4 March 201{0}\nQ: {1}\nA: {2}\n\n", ("201{0}-03-04", "", None, ())),
    "words above their texts": (
        "id={0}\nhttps://example.org/{0}\nDescription\nNumber {0}\nDialogue\nPatient:\n{1}\nDoctor:\n{2}\n\n\n",
        ("", "Number {0}", None, ()),
    ),
    "bold names": ("**Category:** Shop\n**Q:** {1}\n**A:** {2}\n\n", ("", "", None, ("Shop",))),
}


@pytest.mark.parametrize("shape", RECORD_HEADS)
def test_lines_above_a_labelled_question_are_its_own(shape: str, tmp_path: Path) -> None:
    """They do not end the answer before, and the first question has them too."""
    record, (date, title, author, tags) = RECORD_HEADS[shape]
    three = [*TWO, ("Is it safe?", "Yes.\nNote: if dry.")]
    (tmp_path / "a.txt").write_text(
        "".join(record.format(n, *pair) for n, pair in enumerate(three, 1)), encoding="utf-8"
    )
    posts = [item for item in read_archives([tmp_path / "a.txt"]) if isinstance(item, Post)]
    assert [(post.question, post.answer) for post in posts] == three
    for number, post in enumerate(posts, start=1):
        found = (post.date or "", post.title, post.author, post.tags)
        assert found == (date.format(number), title.format(number), author, tags)


def test_lines_above_a_labelled_question_of_a_document_are_its_own(tmp_path: Path) -> None:
    """As in a plain text."""
    record = "**Date:** 201{0}-03-04\n\n**Subject:** Number {0}\n\n**Question:** {1}\n\n**Answer:** {2}\n\n"
    text = "".join(record.format(number, *pair) for number, pair in enumerate(TWO, start=1))
    (tmp_path / "a.md").write_text(f"# Council\n\n{text}", encoding="utf-8")
    posts = [item for item in read_archives([tmp_path / "a.md"]) if isinstance(item, Post)]
    assert [(post.question, post.answer) for post in posts] == TWO
    assert [(post.date, post.title) for post in posts] == [("2011-03-04", "Number 1"), ("2012-03-04", "Number 2")]


def test_a_heading_in_capitals_between_labelled_questions_is_their_category(tmp_path: Path) -> None:
    """It holds up to the next one; capitals within an answer stay, and what was taken is said."""
    text = (
        "CARE\n\nQ: How do I descale it?\nA: With vinegar.\n\nQ: How often?\nA: It says\nTWICE A YEAR\n\n"
        "SHOP\n\nQ: Refunds?\nA: Within 14 days.\n"
    )
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    reading = Reading()
    posts = [item for item in read_archives([tmp_path / "a.txt"], reading=reading) if isinstance(item, Post)]
    assert [(post.tags, post.answer) for post in posts] == [
        (("CARE",), "With vinegar."),
        (("CARE",), "It says\nTWICE A YEAR"),
        (("SHOP",), "Within 14 days."),
    ]
    assert "'CARE'" in str(reading.reports[0].remarks)


def test_lines_that_look_like_fields_stay_in_answers_of_a_text_without_heads(tmp_path: Path) -> None:
    """Nothing of their kind stands above the first question."""
    text = "Q: Refunds?\nA: Ask.\nDate: see below\n2011-03-04\n\nQ: How?\nA: So.\nDate: today\n"
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    posts = [item for item in read_archives([tmp_path / "a.txt"]) if isinstance(item, Post)]
    assert [post.answer for post in posts] == ["Ask.\nDate: see below\n2011-03-04", "So.\nDate: today"]


def test_topics_of_a_page_named_faq_are_read_and_said(tmp_path: Path) -> None:
    """A list of questions below a topic is none of these."""
    topics = "".join(f"<h3>{topic}</h3><p>{{}}</p>" for topic in ("Opening hours", "Parking", "Lost keys"))
    page = f"<html><title>FAQ</title><h1>FAQ</h1>{topics}</html>"
    (tmp_path / "p.html").write_text(page.format("From nine.", "Behind the gym.", "Call us."), encoding="utf-8")
    reading = Reading()
    posts = [item for item in read_archives([tmp_path / "p.html"], reading=reading) if isinstance(item, Post)]
    assert [post.question for post in posts] == ["Opening hours", "Parking", "Lost keys"]
    assert "no heading asks" in str(reading.reports[0].remarks)
    (tmp_path / "p.html").write_text(page.format("When is it open?", "", "Call us."), encoding="utf-8")
    with pytest.raises(UnknownFormatError):
        list(read_archives([tmp_path / "p.html"]))


def test_who_asked_and_when_is_no_part_of_a_question(tmp_path: Path) -> None:
    """Where the page's markup names it."""
    entry = (
        '<div class="question"><span class="name">Ann, 0{}.05.2012</span><p>{}</p></div><div class="answer">{}</div>'
    )
    page = "".join(entry.format(number, *pair) for number, pair in enumerate(TWO, start=4))
    (tmp_path / "p.html").write_text(f"<html><title>Asked</title>{page}</html>", encoding="utf-8")
    posts = [item for item in read_archives([tmp_path / "p.html"]) if isinstance(item, Post)]
    assert [(post.question, post.answer) for post in posts] == TWO
    assert [post.date and post.date[:10] for post in posts] == ["2012-05-04", "2012-05-05"]


def test_polish_of_windows_is_told_from_the_standard(tmp_path: Path) -> None:
    """Both have the same letters, but not all in the same places."""
    text = "Pytanie: Jak wymienić dowód osobisty?\nOdpowiedź: Wniosek można złożyć w każdym urzędzie. Potrzebne jest zdjęcie.\n"
    (tmp_path / "pl.txt").write_bytes(text.encode("cp1250"))
    posts = [item for item in read_archives([tmp_path / "pl.txt"]) if isinstance(item, Post)]
    assert [post.answer for post in posts] == ["Wniosek można złożyć w każdym urzędzie. Potrzebne jest zdjęcie."]
