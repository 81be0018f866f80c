"""Exports of databases, programs and people in JSON: each shape gives the posts that a person sees in it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from qa_search import inspect_archives
from qa_search.archives.read import Reading, ReadOptions, read_archives
from qa_search.errors import UnknownFormatError
from qa_search.types import FileReport, Post, SetAside

_Q = ("How do I descale it?", "Refunds?")
_A = ("With vinegar.", "Within 14 days.")
TWO = list(zip(_Q, _A, strict=True))
_KEY = "-NxAbCdEfGhIjKlMnOp"
_UUID = "0a1b2c3d-0000-4000-8000-00000000000"


def _oid(number: int) -> dict[str, str]:
    return {"$oid": f"5f1d7f3e00000000000000{number:02}"}


def _lines(values: Iterable[object]) -> str:
    return "".join(f"{json.dumps(value)}\n" for value in values)


def _model(model: str, key: int | None, **fields: object) -> dict[str, Any]:
    return {"model": model, "fields": fields} if key is None else {"model": model, "pk": key, "fields": fields}


def _resource(kind: str, key: str, related: dict[str, Any] | None = None, **attributes: object) -> dict[str, Any]:
    relationships = {name: {"data": data} for name, data in (related or {}).items()}
    return {"type": kind, "id": key, "attributes": attributes, "relationships": relationships}


_DATE = {"$date": {"$numberLong": "1595773758000"}}
_QUESTIONS = [{"_id": _oid(n), "title": q, "body": f"Tell me: {q}", "created": _DATE} for n, q in enumerate(_Q)]
_ANSWERS = [{"_id": _oid(10 + n), "text": a, "votes": {"$numberInt": "3"}} for n, a in enumerate(_A)]
_FAQS = [{"question": q, "answer": a} for q, a in TWO]
_KEYED = {f"{_KEY}{n}": {"title": q, "text": f"Tell me: {q}", "uid": "ann"} for n, q in enumerate(_Q)}
_CORPUS = _lines({"_id": str(n), "title": "", "text": a} for n, a in enumerate((*_A, "Noise.")))
_QUERIES = _lines({"_id": str(n), "text": q} for n, q in enumerate(_Q))
_QRELS = "query-id\tcorpus-id\tscore\n0\t0\t1\n0\t2\t0\n1\t1\t1\n"
_PIAZZA = [
    {
        "nr": n,
        "type": "question",
        "history": [{"subject": q, "content": "<p>Tell me.</p>"}, {"subject": "old", "content": "old"}],
        "children": [
            {"type": "followup", "subject": "me too", "children": []},
            {"type": "i_answer", "history": [{"content": f"<p>{a}</p>"}, {"content": "old"}], "children": []},
        ],
    }
    for n, (q, a) in enumerate(TWO)
]
_FLAT = [
    record
    for n, (q, a) in enumerate(TWO)
    for record in (
        {"id": f"q{n}", "thread_id": f"q{n}", "type": "question", "subject": q, "content": "Tell me."},
        {"id": f"a{n}", "thread_id": f"q{n}", "parent_id": f"q{n}", "type": "i_answer", "subject": "", "content": a},
        {"id": f"f{n}", "thread_id": f"q{n}", "parent_id": f"q{n}", "type": "followup", "subject": "me too"},
    )
]
# Files by their names -> the posts of `TWO`, by their titles or questions.
EXPORTS: dict[str, dict[str, object]] = {
    "MongoDB, lines": {"faq.json": _lines({"_id": _oid(n), **faq, "at": _DATE} for n, faq in enumerate(_FAQS))},
    "MongoDB, an array": {"faq.json": [{"_id": _oid(n), **faq} for n, faq in enumerate(_FAQS)]},
    "MongoDB, the shell": {
        "faq.json": "".join(
            f'{{ "_id" : ObjectId("5f1d7f3e000000000000000{n}"), "question" : "{q}", '
            f'"answer" : "{a}", "n" : NumberLong(5) }}\n'
            for n, (q, a) in enumerate(TWO)
        )
    },
    "MongoDB, answers within": {
        "q.json": _lines({**asked, "answers": [said]} for asked, said in zip(_QUESTIONS, _ANSWERS, strict=True))
    },
    "MongoDB, answers name their question": {
        "questions.json": _lines(_QUESTIONS),
        "answers.json": _lines({**answer, "question": _oid(n)} for n, answer in enumerate(_ANSWERS)),
    },
    "MongoDB, questions name their answers": {
        "questions.json": _lines({**question, "answers": [_oid(10 + n)]} for n, question in enumerate(_QUESTIONS)),
        "answers.json": _lines(_ANSWERS),
    },
    "questions name their answers in one document": {
        "all.json": {
            "questions": [
                {"id": f"{_UUID}{n}", "title": q, "text": "Tell me.", "answers": [f"{_UUID}{n + 5}"]}
                for n, q in enumerate(_Q)
            ],
            "answers": [{"id": f"{_UUID}{n + 5}", "text": a} for n, a in enumerate(_A)],
        }
    },
    "answers name their question by a number": {
        "questions.csv": "id,question\n1,How do I descale it?\n2,Refunds?\n",
        "answers.csv": "id,question,answer\n11,1,With vinegar.\n12,2,Within 14 days.\n",
    },
    "Django": {
        "dump.json": [
            record
            for n, (q, a) in enumerate(TWO, start=1)
            for record in (
                _model("faq.question", n, title=q, text="Tell me all.", author=1),
                _model("faq.answer", n, question=n, text=a, author=2),
            )
        ]
        + [_model("auth.user", 1, username="ann"), _model("auth.user", 2, username="bob")]
    },
    "Django, one model, lines": {
        "dump.jsonl": _lines(
            [_model("faq.topic", 1, name="Care")]
            + [_model("faq.entry", n, question=q, answer=a, topic=1, slug="x") for n, (q, a) in enumerate(TWO, start=1)]
        )
    },
    "JSON:API": {
        "api.json": {
            "data": [
                _resource("questions", str(n), {"answers": [{"type": "answers", "id": f"a{n}"}]}, title=q)
                for n, q in enumerate(_Q, start=1)
            ],
            "included": [_resource("answers", f"a{n}", body=a) for n, a in enumerate(_A, start=1)],
        }
    },
    "Rails, a root for each record": {
        "questions.json": [{"question": {"id": n, "title": q, "body": "Tell me."}} for n, q in enumerate(_Q)],
        "answers.json": [{"answer": {"id": n, "question_id": n, "body": a}} for n, a in enumerate(_A)],
    },
    "Firebase": {
        "db.json": {
            "questions": _KEYED,
            "answers": {f"{_KEY}{n + 5}": {"questionId": f"{_KEY}{n}", "text": a} for n, a in enumerate(_A)},
        }
    },
    "Firebase, answers below the ids of questions": {
        "db.json": {
            "questions": _KEYED,
            "answers": {f"{_KEY}{n}": {f"{_KEY}{n + 5}": {"text": a}} for n, a in enumerate(_A)},
        }
    },
    "Firebase, answers within": {
        "db.json": {
            "questions": {
                key: {**question, "answers": {f"{_KEY}9": {"text": a}}}
                for (key, question), a in zip(_KEYED.items(), _A, strict=True)
            }
        }
    },
    "BEIR": {"set/corpus.jsonl": _CORPUS, "set/queries.jsonl": _QUERIES, "set/qrels/test.tsv": _QRELS},
    "Piazza": {"class_content.json": _PIAZZA},
    "Piazza, flat": {"class_content_flat.json": _FLAT},
    "Salesforce, fields of one's own": {
        "k.csv": "Id,Name,Customer_Question__c,Answer_Details__c\n1,F-1,How do I descale it?,With vinegar.\n"
        "2,F-2,Refunds?,Within 14 days.\n"
    },
    "Salesforce, cases with their comments": {
        "c.json": {
            "totalSize": 2,
            "records": [
                {
                    "attributes": {"type": "Case"},
                    "Subject": q,
                    "Description": "Tell me.",
                    "CaseComments": {"totalSize": 1, "records": [{"CommentBody": a, "IsPublished": True}]},
                }
                for q, a in TWO
            ],
        }
    },
    "Salesforce, questions of a feed": {
        "FeedItem.csv": "Id,ParentId,Type,Title,Body\n1,0F9,QuestionPost,How do I descale it?,Tell me\n"
        "2,0F9,QuestionPost,Refunds?,Tell me\n",
        "FeedComment.csv": "Id,FeedItemId,ParentId,CommentBody\n3,1,0F9,With vinegar.\n4,2,0F9,Within 14 days.\n",
    },
    "Qualtrics": {
        "s.csv": 'StartDate,Q1,Q2\n"Start Date","What is your question?","The\nanswer"\n'
        '"{""ImportId"":""startDate""}","{""ImportId"":""QID1_TEXT""}","{""ImportId"":""QID2_TEXT""}"\n'
        "2015-03-04,How do I descale it?,With vinegar.\n2015-03-04,Refunds?,Within 14 days.\n"
    },
    "several values": {"faq.json": "".join(map(json.dumps, _FAQS))},
    "several values on many lines": {"faq.json": "\n".join(json.dumps(faq, indent=2) for faq in _FAQS)},
    "several arrays": {"faq.json": "\n".join(json.dumps([faq]) for faq in _FAQS)},
    "comments and commas too many": {
        "faq.json": "// ours\n[\n  " + ", // next\n  ".join(json.dumps(faq)[:-1] + ",}" for faq in _FAQS) + ",\n]\n"
    },
    "JSON5": {
        "faq.json5": f"{{faqs: [{{question: '{_Q[0]}', answer: '{_A[0]}'}}, "
        f"{{question: '{_Q[1]}', answer: '{_A[1]}',}},],}}"
    },
    "JavaScript": {
        "faq.js": f"export const faqs = [\n {{ q: '{_Q[0]}', a: `With ` +\n 'vinegar.' }},\n"
        f" {{ q: \"{_Q[1]}\", a: '{_A[1]}' }}\n];\n"
        "export default faqs;\n"
    },
    "JavaScript, two lists": {
        "faq.js": "".join(f"const list{n} = [{{q: '{q}', a: '{a}'}}];\n" for n, (q, a) in enumerate(TWO))
        + "module.exports = { list0, list1 };\n"
    },
    "Python's own writing": {"faq.json": repr(_FAQS)},
    "Python's own writing, by lines": {"faq.jsonl": "\n".join(map(repr, _FAQS))},
    "texts of JSON, by lines": {"faq.jsonl": "\n".join(json.dumps(json.dumps(faq)) for faq in _FAQS)},
    "UTF-32": {"faq.json": json.dumps(_FAQS).encode("utf-32")},
    "UTF-16, by lines": {"faq.jsonl": "\n".join(map(json.dumps, _FAQS)).encode("utf-16")},
    "rows below a header": {
        "faq.json": [["id", "question", "answer"], *([str(n), *pair] for n, pair in enumerate(TWO))]
    },
    "values of a sheet": {"faq.json": {"range": "A1:B3", "values": [["Question", "Answer"], *map(list, TWO)]}},
    "by the questions": {"faq.json": {q: {"answer": a, "tags": ["care"]} for q, a in TWO}},
    "fields as a list": {
        "faq.json": [{"fields": [{"label": "Question", "value": q}, {"label": "Answer", "value": a}]} for q, a in TWO]
    },
    "parts with headings": {
        "faq.json": [
            {"sections": [{"heading": "Question", "text": q}, {"heading": "Answer", "text": a}]} for q, a in TWO
        ]
    },
    "chats of Gemini": {
        "faq.json": [
            {"contents": [{"role": "user", "parts": [{"text": q}]}, {"role": "model", "parts": [{"text": a}]}]}
            for q, a in TWO
        ]
    },
    "chats of Claude": {
        "faq.json": [
            {"uuid": n, "chat_messages": [{"sender": "human", "text": q}, {"sender": "assistant", "text": a}]}
            for n, (q, a) in enumerate(TWO)
        ]
    },
    "drafts": {
        "faq.json": [
            *({**faq, "status": "published"} for faq in _FAQS),
            {**_FAQS[0], "question": "x?", "status": "draft"},
        ]
    },
    "languages within records": {"faq.json": [{"translations": {"en": faq}} for faq in _FAQS]},
    "Strapi, with a draft": {
        "faqs.json": {
            "data": [
                {"id": n, "attributes": {"question": q, "answer": a, "createdAt": "2021-03-01", "publishedAt": day}}
                for n, (q, a, day) in enumerate([*((q, a, "2021-03-02") for q, a in TWO), ("Draft?", "No.", None)])
            ]
        }
    },
    "a state with hidden ones": {
        "faq.json": [
            {"question": q, "answer": a, "status": state}
            for q, a, state in [*((q, a, "answered") for q, a in TWO), ("Secret?", "Wrong.", "hidden")]
        ]
    },
    "pages, one a draft": {
        "a.md": f"---\ntitle: {_Q[0]}\ndraft: false\n---\n{_A[0]}\n",
        "b.md": f"---\ntitle: {_Q[1]}\npublished: true\n---\n{_A[1]}\n",
        "c.md": "---\ntitle: Secret?\ndraft: true\n---\nNot yet.\n",
        "d.md": '+++\ntitle = "Secret?"\npublished = false\n+++\nNot yet.\n',
    },
    "tickets whose requester is an object": {
        "tickets.jsonl": _lines(
            {"id": n, "subject": q, "requester": {"id": 5}, "description": "Tell me.",
             "comments": [{"author_id": 5, "body": "Tell me."}, {"author_id": 9, "body": a},
                          {"author_id": 5, "body": "Thanks!"}]}
            for n, (q, a) in enumerate(TWO)
        )
    },
    "Reddit, with a notice": {
        f"{n}.json": [
            {"kind": "Listing", "data": {"children": [{"kind": "t3", "data": {"id": f"k{n}", "title": q}}]}},
            {"kind": "Listing", "data": {"children": [
                {"kind": "t1", "data": {"id": "m", "parent_id": f"t3_k{n}", "author": "AutoModerator", "body": "Hi."}},
                {"kind": "t1", "data": {"id": "s", "parent_id": f"t3_k{n}", "author": "mod", "body": "Locked.",
                                        "stickied": True, "distinguished": "moderator"}},
                {"kind": "t1", "data": {"id": "a", "parent_id": f"t3_k{n}", "author": "bob", "body": a}},
            ]}},
        ]
        for n, (q, a) in enumerate(TWO)
    },
    "Discourse, with what it did": {
        f"{n}.json": {
            "title": q,
            "post_stream": {"posts": [
                {"post_number": 1, "post_type": 1, "username": "ann", "cooked": "<p>Tell me.</p>"},
                {"post_number": 2, "post_type": 1, "username": "bob", "cooked": f"<p>{a}</p>"},
                {"post_number": 3, "post_type": 4, "username": "mod", "cooked": "<p>Angry.</p>"},
                {"post_number": 4, "post_type": 3, "username": "system", "cooked": "<p>Closed.</p>"},
            ]},
        }
        for n, (q, a) in enumerate(TWO)
    },
    "Slack, a reply on the next day": {
        "help/2020-01-01.json": [
            {"type": "message", "user": "U1", "text": q, "ts": f"157783{n}000.1", "thread_ts": f"157783{n}000.1"}
            for n, q in enumerate(_Q)
        ],
        "help/2020-01-02.json": [
            {"type": "message", "user": "U2", "text": a, "ts": f"157793{n}000.1", "thread_ts": f"157783{n}000.1"}
            for n, a in enumerate(_A)
        ],
    },
    "topics beside their posts": {
        "posts.csv": "post_id,topic_id,post_number,raw,username\n"
        + "".join(f"{n}1,{n},1,Tell me now.,ann\n{n}2,{n},2,{a},bob\n" for n, a in enumerate(_A, start=1)),
        "topics.csv": "topic_id,title,raw,username\n"
        + "".join(f"{n},{q},Tell me now.,ann\n" for n, q in enumerate(_Q, start=1)),
    },
    "answers by their numbers": {
        "answers.jsonl": _lines({"label": n, "answer": a} for n, a in enumerate((*_A, "No."))),
        "questions.jsonl": _lines({"question": q, "groundtruth": [n], "negatives": [2]} for n, q in enumerate(_Q)),
    },
    "columns by numbers, with lists": {
        "faq.json": {"query": {"0": _Q[0], "1": _Q[1]}, "answers": {"0": [_A[0]], "1": [_A[1]]}}
    },
    "answers that are objects": {
        "faq.json": {"Data": [{"Question": q, "Answer": {"Type": "Free", "Value": a}} for q, a in TWO]}
    },
    "questions and answers side by side": {
        "faq.json": {
            "data": [
                {
                    "story": "Something.",
                    "questions": [{"input_text": q, "turn_id": n} for n, q in enumerate(_Q)],
                    "answers": [{"input_text": a, "span_text": "x", "turn_id": n} for n, a in enumerate(_A)],
                }
            ]
        }
    },
    "an answer below its own id": {
        "faq.json": {
            "faq": {f"-M{n}": {"pergunta": q, "respostas": {"-N": {"texto": a}}} for n, (q, a) in enumerate(TWO)}
        }
    },
    "where an answer was found": {
        "faq.jsonl": _lines({"input": q, "output": [{"answer": a}, {"provenance": [{"n": 1}]}]} for q, a in TWO)
    },
    "lists below a language": {
        "qna.json": {"qnas": [{"id": "x", "data": {"questions": {"it": [q]}, "answers": {"it": [a]}}} for q, a in TWO]}
    },
    "trees of messages": {
        "trees.jsonl": _lines(
            {"message_tree_id": "t", "prompt": {"message_id": "t", "text": q, "role": "prompter", "replies": [
                {"message_id": "r", "text": a, "role": "assistant", "replies": []},
                {"message_id": "x", "text": "Rubbish.", "role": "assistant", "deleted": True, "replies": []}]}}
            for q, a in TWO
        )
    },
    "posts with replies below their kind": {
        "mm.jsonl": _lines(
            {"type": "post", "post": {"user": "ann", "message": q, "create_at": 1401047220000,
                                      "replies": [{"user": "bob", "message": a, "create_at": 1401047320000}]}}
            for q, a in TWO
        )
    },
    "tickets whose texts have other names": {
        "tickets.json": {"data": [
            {"id": n, "subject": q, "messages": [
                {"from_agent": False, "public": True, "body_text": "Tell me."},
                {"from_agent": True, "public": False, "body_text": "Angry."},
                {"from_agent": True, "public": True, "body_text": a}]}
            for n, (q, a) in enumerate(TWO)
        ]}
    },
    "a chat with notes": {
        "chats.json": [
            {"session_id": f"s{n}", "messages": [
                {"type": "text", "from": "user", "content": q},
                {"type": "note", "from": "operator", "content": "Angry."},
                {"type": "text", "from": "operator", "content": a}]}
            for n, (q, a) in enumerate(TWO)
        ]
    },
    "a chat with a list of people": {
        "chats.json": {"chats": [
            {"id": f"C{n}", "users": [{"id": "c", "type": "customer"}, {"id": "a", "type": "agent"}],
             "thread": {"id": "T", "events": [
                 {"type": "system_message", "text": "Assigned."},
                 {"type": "message", "author_id": "c", "text": q},
                 {"type": "message", "author_id": "a", "text": a}]}}
            for n, (q, a) in enumerate(TWO)
        ]}
    },
    "issues with journals": {
        "issues.json": {"issues": [
            {"id": n, "subject": q, "description": "Tell me.", "author": {"id": 4, "name": "ann"}, "journals": [
                {"user": {"id": 5, "name": "bob"}, "notes": "Angry.", "private_notes": True},
                {"user": {"id": 5, "name": "bob"}, "notes": "", "private_notes": False},
                {"user": {"id": 5, "name": "bob"}, "notes": a, "private_notes": False}]}
            for n, (q, a) in enumerate(TWO)
        ]}
    },
    "issues with data of comments": {
        "issues.json": [
            {"number": n, "title": q, "user": {"login": "ann"}, "body": "Tell me.", "comments": 1,
             "comments_data": [{"user": {"login": "bob"}, "body": a}]}
            for n, (q, a) in enumerate(TWO)
        ]
    },
    "a form with genitives": {
        "form.csv": "Zeitstempel,Ihre Frage,Antwort des Experten\n"
        + "".join(f"2020-01-0{n},{q},{a}\n" for n, (q, a) in enumerate(TWO, start=1))
    },
    "pages of WordPress": {
        "faq.json": [
            {"id": n, "date": "2020-01-01", "slug": "s", "status": "publish", "type": "faq", "title": {"rendered": q},
             "content": {"rendered": f"<p>{a}</p>"}}
            for n, (q, a) in enumerate(TWO)
        ]
    },
    "a feed in JSON": {
        "feed.json": {
            "version": "https://jsonfeed.org/version/1.1",
            "title": "Ask us",
            "items": [{"id": n, "title": q, "content_html": f"<p>{a}</p>"} for n, (q, a) in enumerate(TWO)],
        }
    },
    "articles of HubSpot": {
        "kb.json": {"total": 2, "results": [{"id": n, "properties": {"hs_title": q, "hs_body": f"<p>{a}</p>"}}
                                            for n, (q, a) in enumerate(TWO)]}
    },
    "pages of Drupal": {
        "faq.json": {"data": [{"type": "node--faq", "id": f"u{n}", "attributes": {
            "status": True, "title": q, "body": {"value": f"<p>{a}</p>", "format": "html"}}}
            for n, (q, a) in enumerate(TWO)]}
    },
    "posts of Ghost": {
        "blog.json": {"db": [{"meta": {"version": "3"}, "data": {
            "posts": [{"id": n, "title": q, "slug": "x", "html": f"<p>{a}</p>", "status": "published", "type": "post",
                       "published_at": "2020-01-01"} for n, (q, a) in enumerate(TWO)],
            "tags": [{"id": 1, "name": "x"}]}}]}
    },
    "judged sentences": {
        "qa.tsv": "QuestionID\tQuestion\tSentenceID\tSentence\tLabel\n"
        + "".join(f"Q{n}\t{q}\tS{n}0\tShips are old.\t0\nQ{n}\t{q}\tS{n}1\t{a}\t1\n" for n, (q, a) in enumerate(TWO))
    },
    "a forum in one table": {
        "objects.json": _lines(
            record
            for n, (q, a) in enumerate(TWO)
            for record in (
                {"_key": f"topic:{n}", "tid": n, "title": q, "mainPid": 2 * n, "uid": 1, "timestamp": 1483470780000},
                {"_key": f"post:{2 * n}", "pid": 2 * n, "tid": n, "uid": 1, "content": "Tell me.",
                 "timestamp": 1483470780000},
                {"_key": f"post:{2 * n + 1}", "pid": 2 * n + 1, "tid": n, "uid": 2, "content": a,
                 "timestamp": 1483489440000},
                {"_key": f"post:{2 * n + 9}", "pid": 2 * n + 9, "tid": n, "uid": 1, "content": "Thanks.",
                 "timestamp": 1483489450000},
            )
        )
    },
    "names of groups above the names of columns": {
        "log.csv": "Demande,,,Traitement,\nDate,Auteur,Question,R\u00e9ponse,Date de r\u00e9ponse\n"
        + "".join(f"2020-01-02,ann,{q},{a},2020-01-03\n" for q, a in TWO)
    },
    "cards below each other": {
        "cards.csv": "".join(f"Question:,{q}\nAnswer:,{a}\nAuthor:,ann\n,\n" for q, a in TWO)
    },
}  # fmt: skip


def _read(folder: Path, files: dict[str, object]) -> tuple[list[Post | SetAside], tuple[FileReport, ...]]:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str | bytes) else json.dumps(content)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    reading = Reading()
    return list(read_archives([folder], reading=reading)), reading.reports


@pytest.mark.parametrize("shape", EXPORTS)
def test_an_export_gives_its_posts(shape: str, tmp_path: Path) -> None:
    """Nothing more and nothing less."""
    items, _ = _read(tmp_path, EXPORTS[shape])
    assert all(isinstance(item, Post) for item in items), items
    posts = [item for item in items if isinstance(item, Post)]
    assert [(post.title or post.question, post.answer) for post in posts] == TWO


def _remarks(reports: tuple[FileReport, ...]) -> str:
    return "\n".join(remark for report in reports for remark in report.remarks)


def test_names_dates_and_tags_of_a_dump_of_models_are_looked_up(tmp_path: Path) -> None:
    """By the keys of other models: of one, of several, and by names where a dump has no keys."""
    models = [
        _model("auth.user", 1, username="ann"),
        _model("forum.tag", 7, name="care"),
        _model("forum.tag", 8, name="shop"),
        _model(
            "forum.question", 1, title="Refunds?", body="Can I?", author=1, tags=[7, 8], created="2014-03-02T10:00:00Z"
        ),
        _model("forum.question", 2, title="Descale?", body="Can I?", author=1, tags=[7]),
        _model("forum.answer", 1, question=1, body="Within 14 days.", is_deleted=False),
        _model("forum.answer", 2, question=1, body="Never.", is_deleted=True),
        _model("forum.answer", 3, question=2, body="With vinegar.", is_deleted=False),
    ]
    items, reports = _read(tmp_path, {"dump.json": models})
    posts = [item for item in items if isinstance(item, Post)]
    assert [(post.source_id, post.answer, post.tags, post.author, post.date) for post in posts] == [
        ("1", "Within 14 days.", ("care", "shop"), "ann", "2014-03-02T10:00:00Z"),
        ("2", "With vinegar.", ("care",), "ann", None),
    ]
    assert "1 record left out: hidden by 'is_deleted'" in _remarks(reports)
    natural = [
        _model("f.question", 1, title="Refunds?", body="Can I?", author=["ann"], tags=[["care"], ["shop"]]),
        _model("f.answer", 1, question=1, body="Within 14 days."),
    ]
    (post,) = _read(tmp_path, {"dump.json": natural})[0]
    assert isinstance(post, Post)
    assert (post.author, post.tags) == ("ann", ("care", "shop"))


def test_values_of_a_dump_without_a_model_are_counted(tmp_path: Path) -> None:
    """The objects beside them are read."""
    models = [
        _model("f.question", 1, title="Refunds?", body="Can I?"),
        {"note": "made on Monday"},
        7,
        _model("f.answer", 1, question=1, body="Within 14 days."),
    ]
    items, reports = _read(tmp_path, {"dump.json": models})
    assert [item.answer for item in items if isinstance(item, Post)] == ["Within 14 days."]
    assert "values that do not name a model (2)" in _remarks(reports)


def test_the_topic_of_a_model_is_the_category(tmp_path: Path) -> None:
    """Not its number."""
    items, _ = _read(tmp_path, EXPORTS["Django, one model, lines"])
    assert [item.tags for item in items if isinstance(item, Post)] == [("Care",)] * 2


def test_models_without_questions_are_named(tmp_path: Path) -> None:
    """With their fields."""
    (tmp_path / "dump.json").write_text(json.dumps([_model("shop.order", 1, total=3)]))
    with pytest.raises(UnknownFormatError, match="shop_order: id, total"):
        list(read_archives([tmp_path / "dump.json"]))


def test_several_passages_answer_one_query_the_best_first(tmp_path: Path) -> None:
    """What is judged to answer nothing is left out and counted, what is missing is said; both may have the same ids."""
    qrels = "query-id\tcorpus-id\tscore\n0\t1\t1\n0\t0\t2\n0\t9\t1\n"
    files: dict[str, object] = {"corpus.jsonl": _CORPUS, "queries.jsonl": _QUERIES, "qrels/test.tsv": qrels}
    items, reports = _read(tmp_path, files)
    posts = [item for item in items if isinstance(item, Post)]
    assert [(post.question, post.answer) for post in posts] == [
        (_Q[0], "With vinegar.\n\nWithin 14 days."),
        (_Q[1], ""),
    ]
    assert [part.score for part in posts[0].answers] == [2, 1]
    assert "texts that answer no question (1)" in _remarks(reports)
    assert [item.reason for item in items if isinstance(item, SetAside)] == [
        "1 answer of which only the ids are here: put the table of the questions and that of the answers into the same "
        "folder"
    ]


def test_a_corpus_of_questions_is_not_joined_to_queries(tmp_path: Path) -> None:
    """Its posts ask themselves."""
    corpus = _lines({"_id": str(n), "question": q, "answer": ""} for n, q in enumerate(_Q))
    files: dict[str, object] = {"corpus.jsonl": corpus, "queries.jsonl": _QUERIES, "qrels.tsv": _QRELS}
    posts = [item for item in _read(tmp_path, files)[0] if isinstance(item, Post)]
    assert [post.answer for post in posts] == [""] * 4


_BELOW: list[object] = [{"type": "followup"}, {"type": "i_answer", "history": [{"content": f"<p>{_A[0]}</p>"}]}]


def test_answers_of_instructors_come_first(tmp_path: Path) -> None:
    """What was discussed below a post, and announcements, are counted."""
    post = {
        **_PIAZZA[0],
        "children": [{"type": "s_answer", "history": [{"content": "I guess."}]}, *_BELOW],
    }
    note = {"type": "note", "history": [{"subject": "Hi", "content": "all"}], "children": []}
    items, reports = _read(tmp_path, {"class_content.json": [post, note, _PIAZZA[1]]})
    assert [item.answer for item in items if isinstance(item, Post)] == ["With vinegar.\n\nI guess.", _A[1]]
    assert "what was discussed below posts (2), announcements (1)" in _remarks(reports)


_TICKET = {"id": 1, "subject": "Refunds?", "description": "Can I have one?", "requester_id": 5}
_COMMENTS = [
    {"author_id": 5, "body": "Can I have one?", "public": True},
    {"author_id": 9, "body": "He is angry.", "public": False},
    {"author_id": 9, "body": "Within 14 days.", "public": True},
    {"author_id": 5, "body": "Thanks!", "public": True},
]
_JIRA = [
    {"body": text, "jsdPublic": public, "author": {"displayName": name}}
    for text, public, name in (
        ("He is angry.", False, "Bob"),
        ("Within 14 days.", True, "Bob"),
        ("Thanks!", True, "Ann"),
    )
]
LEFT_OUT: dict[str, tuple[object, tuple[str, ...]]] = {
    "tickets": (
        [{**_TICKET, "comments": _COMMENTS}],
        ("notes among staff (1)", "later messages of the one who asked (1)"),
    ),
    "Jira": (
        [{"key": "A-1", "fields": {"summary": "Refunds?", "description": "Can I?", "reporter": {"displayName": "Ann"},
                                   "comment": {"comments": _JIRA}}}],
        ("notes among staff (1)", "later messages of the one who asked (1)"),
    ),
    "a thread": (
        {"title": "Refunds?", "posts": [
            {"username": "ann", "text": "Can I?"}, {"username": "bob", "text": "Within 14 days."},
            {"username": "bob", "text": "He is angry.", "private": True}, {"username": "ann", "text": "Thanks!"},
        ]},
        ("notes among staff (1)", "later messages of the one who asked (1)"),
    ),
    "comments with replies": (
        {"title": "Refunds?", "selftext": "Can I?", "comments": [
            {"body": "Within 14 days.", "replies": [{"body": "Thanks!"}]}
        ]},
        ("replies to answers (1)",),
    ),
    "Salesforce": (
        {"records": [{"Subject": "Refunds?", "Description": "Can I?", "CaseComments": {"totalSize": 2, "records": [
            {"CommentBody": "He is angry.", "IsPublished": False},
            {"CommentBody": "Within 14 days.", "IsPublished": True},
        ]}}]},
        ("notes among staff (1)",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", LEFT_OUT)
def test_what_a_thread_leaves_out_is_counted(shape: str, tmp_path: Path) -> None:
    """Notes among staff, thanks, and what hangs below an answer."""
    document, said = LEFT_OUT[shape]
    items, reports = _read(tmp_path, {"t.json": document})
    assert [item.answer for item in items if isinstance(item, Post)] == ["Within 14 days."]
    assert all(part in _remarks(reports) for part in said), reports


def test_what_is_filed_below_headings_is_no_thread(tmp_path: Path) -> None:
    """The titles of the texts ask, and the nearest heading is the category; the advice says what to do with them."""
    tree = {
        "title": "FAQ",
        "children": [
            {"title": name, "children": [{"title": q, "content": a}]} for name, (q, a) in zip("AB", TWO, strict=True)
        ],
    }
    items, reports = _read(tmp_path, {"t.json": tree})
    posts = [item for item in items if isinstance(item, Post)]
    assert [(post.title, post.question, post.tags) for post in posts] == [(*TWO[0], ("A",)), (*TWO[1], ("B",))]
    assert "if 'content' holds the answers, build with field_map={'answer': 'content'}" in _remarks(reports)


def test_what_is_not_quite_json_is_said(tmp_path: Path) -> None:
    """And what follows the data, such as half of another document, is no data."""
    _, reports = _read(tmp_path, EXPORTS["JSON5"])
    assert "not quite JSON" in _remarks(reports)
    for text in ("[{question: 'a?', answer: 'b'}] and more", "[{question: 'a?', answer: 'b'", "{question: f(1, 2)}"):
        (tmp_path / "faq.json5").write_text(text)
        items = list(read_archives([tmp_path], keep_going=True))
        assert not [item for item in items if isinstance(item, Post)], text


def test_a_question_is_no_header_and_drafts_alone_are_no_drafts(tmp_path: Path) -> None:
    """What asks is no name of a column; where nothing is published, the word says nothing."""
    pairs = [["What is a question?", "An answer"], list(TWO[1])]
    assert len(_read(tmp_path / "pairs", {"f.json": pairs})[0]) == len(pairs)
    assert len(_read(tmp_path / "drafts", {"f.json": [{**faq, "status": "draft"} for faq in _FAQS]})[0]) == len(_FAQS)


def test_a_category_may_be_an_object_with_a_name(tmp_path: Path) -> None:
    """As interfaces give it."""
    items, _ = _read(tmp_path, {"f.json": [{**faq, "category": {"id": 3, "name": "Care"}} for faq in _FAQS]})
    assert [item.tags for item in items if isinstance(item, Post)] == [("Care",)] * 2


def test_an_empty_workbook_and_an_empty_table_say_so(tmp_path: Path) -> None:
    """With or without a header."""
    start = '<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">'
    cells = "".join(f"<Cell><Data>{name}</Data></Cell>" for name in ("Question", "Answer"))
    row = f"<Worksheet><Table><Row>{cells}</Row></Table></Worksheet>"
    for inside, said in (("", "without any cell that is filled"), (row, "a header and no rows")):
        (tmp_path / "a.xml").write_text(f"{start}{inside}</Workbook>")
        with pytest.raises(UnknownFormatError, match=f"{said}.*saved with its data"):
            list(read_archives([tmp_path / "a.xml"]))
    _, reports = _read(tmp_path / "t", {"a.csv": "question,answer\n"})
    assert "a header, and no rows below it" in _remarks(reports)


def test_what_askers_wrote_below_a_title_is_no_answer(tmp_path: Path) -> None:
    """Though their posts are published: others vote on them and reply to them."""
    posts = [{"title": q, "body": "I tried it for a week.", "status": "published", "score": 1} for q in _Q]
    items, _ = _read(tmp_path, {"posts.json": posts})
    assert [item.answer for item in items if isinstance(item, Post)] == ["", ""]


def test_an_answer_may_say_that_there_is_none_yet(tmp_path: Path) -> None:
    """In any format: it is counted, and the question has no answer."""
    text = f"Question: {_Q[0]}\nAnswer: {_A[0]}\n\nQuestion: {_Q[1]}\nAnswer: (none yet)\n"
    items, reports = _read(tmp_path, {"log.txt": text})
    assert [item.answer for item in items if isinstance(item, Post)] == [_A[0], ""]
    assert "answers that say that an answer is missing (1)" in _remarks(reports)


def test_samples_of_pages_are_not_those_of_other_files(tmp_path: Path) -> None:
    """The pages of a folder have one report, and a file in it another."""
    page = f"<html><body><h2>{_Q[0]}</h2><p>{_A[0]}</p><h2>Why is it so?</h2><p>It was so.</p></body></html>"
    _read(tmp_path, {"b/old.html": page, "a/faq.json": [{"question": _Q[1], "answer": _A[1]}] * 2})
    found = inspect_archives(tmp_path)
    shown = {report.format: [post.question for post in posts]
             for report, posts in zip(found.files, found.samples, strict=True)}  # fmt: skip
    assert shown == {"JSON": [_Q[1]] * 2, "HTML page": [_Q[0], "Why is it so?"]}


@pytest.mark.parametrize("tags", [{"care": {"a": 1}}, {"care": [True]}, {"care": True, "shop": {}}])
def test_tags_that_are_objects_harm_nothing(tags: dict[str, Any], tmp_path: Path) -> None:
    """Only names that are all true are a set of tags."""
    record = {"question": "Can I descale it at home?", "answer": "Yes, with vinegar and water.", "tags": tags}
    (tmp_path / "faq.json").write_text(json.dumps([record, {**record, "question": "Can I return it at all?"}]))
    assert len([item for item in read_archives([tmp_path / "faq.json"]) if isinstance(item, Post)]) == 2


_SLACK: dict[str, list[dict[str, object]]] = {
    "users.json": [
        {"id": "U1", "team_id": "T1", "name": "ann", "deleted": False, "real_name": "Why Ann?",
         "profile": {"title": "Baker", "status_text": "Out?"}},
        {"id": "U2", "team_id": "T1", "name": "bob", "deleted": True, "profile": {"title": ""}},
    ],
    "channels.json": [
        {"id": "C1", "name": "help", "created": 1, "creator": "U1", "is_archived": False, "members": ["U1"],
         "topic": {"value": "Kettles?", "creator": "U1", "last_set": 0}, "purpose": {"value": "All about kettles"}},
    ],
    "dms.json": [{"id": "D1", "created": 1, "members": ["U1", "U2"]}],
    "integration_logs.json": [
        {"user_id": "U1", "user_name": "ann", "date": "1", "change_type": "added", "app_type": "Bot", "app_id": "A1"}
    ],
}  # fmt: skip


def test_what_slack_lists_beside_the_days_is_counted(tmp_path: Path) -> None:
    """Users, channels, private channels and changes: no posts, and no notes."""
    for name, records in _SLACK.items():
        (tmp_path / name).write_text(json.dumps(records))
    (tmp_path / "help").mkdir()
    day = [{"type": "message", "user": "U1", "text": q, "ts": f"15778{n}0.1"} for n, q in enumerate(_Q)]
    (tmp_path / "help" / "2020-01-01.json").write_text(json.dumps(day))
    reading = Reading()
    items = list(read_archives([tmp_path], reading=reading))
    assert [item.question for item in items if isinstance(item, Post)] == list(_Q)
    assert len(items) == len(_Q)
    counted = [remark for report in reading.reports for remark in report.remarks if "users and channels" in remark]
    assert sorted(remark.rpartition("(")[2] for remark in counted) == ["1)", "1)", "1)", "2)"]


def test_a_bulk_export_of_mattermost_has_posts_among_other_lines(tmp_path: Path) -> None:
    """Posts with replies and without; private messages and what is no post are counted."""
    lines = [
        {"type": "version", "version": 1},
        {"type": "team", "team": {"name": "k", "display_name": "Kettles?", "description": "All"}},
        {"type": "channel", "channel": {"team": "k", "name": "town", "header": "", "purpose": "About?"}},
        {"type": "user", "user": {"username": "ann", "email": "a@example.org", "notify_props": {"desktop": "all"}}},
        *(
            {"type": "post", "post": {
                "team": "k", "channel": "town", "user": "ann", "message": q, "create_at": 1401047220000, "replies": [
                    {"user": "bob", "message": a, "create_at": 1401047320000},
                    {"user": "ann", "message": "Thanks!", "create_at": 1401047420000},
                ],
            }}
            for q, a in TWO
        ),
        {"type": "post", "post": {"team": "k", "channel": "town", "user": "eve", "message": "Nice.", "replies": None}},
        {"type": "direct_post", "direct_post": {"channel_members": ["ann", "bob"], "user": "ann", "message": "Secret?",
                                                "replies": [{"user": "bob", "message": "Yes."}]}},
    ]  # fmt: skip
    (tmp_path / "mm.jsonl").write_text(_lines(lines))
    reading = Reading()
    items = list(read_archives([tmp_path / "mm.jsonl"], reading=reading))
    found = [(item.question, item.answer, item.author) for item in items if isinstance(item, Post)]
    assert found == [*((q, a, "ann") for q, a in TWO), ("Nice.", "", "eve")]
    assert len(items) == len(found)
    (remark,) = (remark for remark in reading.reports[0].remarks if remark.startswith("left out"))
    for part in ("teams, channels and users (4)", "private messages (1)", "later messages of the one who asked (2)"):
        assert part in remark


def _filled_in(title: bool, *texts: str) -> list[dict[str, object]]:
    return [
        {"type": "text", "text": text, "field": {"id": f"f{n}", "type": "long_text", "ref": f"r{n}",
                                                 **({"title": name} if title else {})}}
        for n, (name, text) in enumerate(zip(("Your question", "Our answer"), texts, strict=True))
    ]  # fmt: skip


@pytest.mark.parametrize(
    "document",
    [
        {"total_items": 2, "page_count": 1, "items": [
            {"response_id": f"r{n}", "submitted_at": "2020-01-02T10:00:00Z", "metadata": {"user_agent": "x"},
             "answers": [*_filled_in(True, q, a),
                         {"type": "choices", "choices": {"labels": ["Home"]}, "field": {"id": "c"}}]}
            for n, (q, a) in enumerate(TWO)]},
        [{"event_id": str(n), "form_response": {
            "definition": {"fields": [{"id": "f0", "title": "Your question"}, {"id": "f1", "title": "Our answer"}]},
            "answers": _filled_in(False, q, a)}} for n, (q, a) in enumerate(TWO)],
    ],
    ids=["a list of responses", "events"],
)  # fmt: skip
def test_the_questions_of_a_form_are_the_names_of_its_fields(document: object, tmp_path: Path) -> None:
    """What is filled in below "answers" does not answer by that."""
    (tmp_path / "responses.json").write_text(json.dumps(document))
    found = list(read_archives([tmp_path / "responses.json"]))
    assert [(post.question, post.answer) for post in found if isinstance(post, Post)] == TWO


def test_a_form_whose_questions_are_missing_asks_for_their_ids(tmp_path: Path) -> None:
    """It names those that it has."""
    responses = [{"token": str(n), "answers": _filled_in(False, q, a)} for n, (q, a) in enumerate(TWO)]
    (tmp_path / "responses.json").write_text(json.dumps({"items": responses}))
    with pytest.raises(UnknownFormatError, match=r"fields: id, date, r0, r1"):
        list(read_archives([tmp_path / "responses.json"]))
    options = ReadOptions(field_map={"question": "r0", "answer": "r1"})
    found = list(read_archives([tmp_path / "responses.json"], options))
    assert [(post.question, post.answer) for post in found if isinstance(post, Post)] == TWO
