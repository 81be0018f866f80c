"""What every archive format owes: one table of samples, one row a format."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from qa_search.archives import read as archives
from qa_search.archives.containers.decoders import zstandard
from qa_search.archives.read import BUILT_IN_READERS, ArchiveFile, ReadOptions, read_archives
from qa_search.errors import ArchiveError
from qa_search.types import Post, SetAside
from tests.archives.samples import docx, parquet, pdf, sqlite_file, xlsx
from tests.helpers import page, posts_in

QUESTION = "My shin – the left one – aches.\n\nWhat now?"
ANSWER = "Rest it:\n\n1. ice\n2. sleep"
HTML_ANSWER = "<p>Rest it:</p><ol><li>ice</li><li>sleep</li></ol>"
_ROW = {"id": "1", "title": "Shin", "question": QUESTION, "answer": ANSWER, "date": "2014-03-02"}
_XML = (
    '<posts><row Id="1" PostTypeId="1" Title="Shin" CreationDate="2014-03-02" Body="&lt;p&gt;My shin – the left one – '
    'aches.&lt;/p&gt;&lt;p&gt;What now?&lt;/p&gt;" /><row Id="2" PostTypeId="2" ParentId="1" Body="{}" /></posts>'
)

_TEXTS = list(_ROW.items())
_MAIL = f"""From ann@example.org Sun Mar  2 10:11:00 2014
From: Ann <ann@example.org>
Subject: Shin
Message-ID: <1@example.org>
Date: 2014-03-02

{QUESTION}

From bob@example.org Sun Mar  2 11:11:00 2014
From: Bob <bob@example.org>
Subject: Re: Shin
In-Reply-To: <1@example.org>

{ANSWER}
"""


_CHAT = ("02.03.2014, 10:05 - Ann", "02.03.2014, 10:06 - Support", "02.03.2014, 10:07 - Ann")


def _docx_lines(text: str) -> list[tuple[str, str]]:
    return [("", line) for line in text.split("\n")]


def _sqlite() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        values = ", ".join(f"'{text}'" for text in _ROW.values())
        made = f"CREATE TABLE faq ({', '.join(_ROW)})"
        return sqlite_file(Path(folder, "a.db"), f"{made}; INSERT INTO faq VALUES ({values})")  # noqa: S608 - a test's


_ON_ONE_LINE = (" ".join(QUESTION.split()), " ".join(ANSWER.split()))
_GAP, _GAP_IN_GIFT = "\n", "\\n"
SAMPLES: dict[str, tuple[str, str | bytes]] = {
    "archive page": ("shin.txt", page("Shin", QUESTION, ANSWER, "2014/3/2")),
    "HTML page": (
        "shin.html",
        "<html><body><h1>Shin</h1><p>2014/3/2</p><h2>Question</h2><p>My shin – the left one – aches.</p>"
        f"<p>What now?</p><h2>Answer</h2>{HTML_ANSWER}</body></html>",
    ),
    "Stack Exchange dump": ("Posts.xml", _XML.format(HTML_ANSWER.replace("<", "&lt;").replace(">", "&gt;"))),
    "JSON Lines": ("faq.jsonl", json.dumps(_ROW, ensure_ascii=False) + "\n"),
    "JSON": ("faq.json", json.dumps([_ROW], ensure_ascii=False, indent=1)),
    "CSV or TSV": (
        "faq.csv",
        f'id,title,question,answer,date\n1,Shin,"{QUESTION}","{ANSWER}",2014-03-02\n',
    ),
    "XML": (
        "faq.xml",
        f"<faqs><faq><title>Shin</title><date>2014-03-02</date><question>{QUESTION}</question><answer>{ANSWER}</answer>"
        "</faq></faqs>",
    ),
    "XML of tables": (
        "faq.xml",
        '<pma_xml_export><table name="faq"><column name="title">Shin</column><column name="date">2014-03-02</column>'
        f'<column name="question">{QUESTION}</column><column name="answer">{ANSWER}</column></table></pma_xml_export>',
    ),
    "XML of tickets": (
        "tickets.xml",
        "<helpdesk-tickets><helpdesk-ticket><created-at>2014-03-02</created-at><subject>Shin</subject>"
        f"<description>{QUESTION}</description><helpdesk-notes><helpdesk-note><body>{ANSWER}</body></helpdesk-note>"
        "</helpdesk-notes></helpdesk-ticket></helpdesk-tickets>",
    ),
    "saved web page": (
        "shin.mht",
        (
            "From: <Saved by Blink>\r\nSubject: Shin\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related;\r\n"
            '\tboundary="b"\r\n\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body><h1>Shin</h1>'
            "<p>2014/3/2</p><h2>Question</h2><p>My shin – the left one – aches.</p><p>What now?</p><h2>Answer</h2>"
            f"{HTML_ANSWER}</body></html>\r\n--b--\r\n"
        ).encode(),
    ),
    "mail": ("list.mbox", _MAIL),
    "outline (OPML)": (
        "faq.opml",
        f'<opml version="2.0"><head><title>FAQ</title></head><body><outline text="{QUESTION}" created="2014-03-02" '
        f'_note="{ANSWER}"/></body></opml>'.replace("\n", "&#10;"),
    ),
    "question bank": (
        "quiz.gift",
        f"::Shin::{QUESTION.replace(_GAP, _GAP_IN_GIFT)} {{\n=Rest it\\:\\n\\n1. ice\\n2. sleep\n~Run.\n}}\n",
    ),
    "SQL dump": (
        "faq.sql",
        "CREATE TABLE faq (id int, title text, question text, answer text, date text);\n"
        f"INSERT INTO faq VALUES (1, 'Shin', '{QUESTION}', '{ANSWER}', '2014-03-02');\n",
    ),
    "YAML": (
        "faq.yml",
        "".join(
            f"{'- ' * (name == 'id') or '  '}{name}: {json.dumps(text, ensure_ascii=False)}\n" for name, text in _TEXTS
        ),
    ),
    "Markdown": (
        "shin.md",
        f"---\ntitle: Shin\ndate: 2014-03-02\nquestion: {json.dumps(QUESTION, ensure_ascii=False)}\n---\n\n{ANSWER}\n",
    ),
    "chat": ("chat.txt", f"{_CHAT[0]}: {QUESTION}\n{_CHAT[1]}: {ANSWER}\n{_CHAT[2]}: Thanks!\n"),
    "letters to a column": (
        "column.txt",
        f"Dear Dr. Foot,\n{QUESTION}\n\nDear Ann,\n{ANSWER}\n\nDear Dr. Foot,\nMy toe aches.\n\nDear Bob,\nRest it.\n",
    ),
    "guestbook": (
        "guests.txt",
        f"Ann wrote on 2014-03-02:\n{QUESTION}\nComment: {ANSWER}\n\nTom wrote on 2014-03-03:\nNice!\n\n"
        "Eve wrote on 2014-03-04:\nOpen on Sundays?\nComment: No.\n",
    ),
    "talks in lines": ("talks.txt", f"{_ON_ONE_LINE[0]} __eou__ {_ON_ONE_LINE[1]} __eou__\n"),
    "transcript": ("talk.txt", f"Ann: {QUESTION}\nSupport: {ANSWER}\nAnn: Thanks!\nAnn: Bye.\n"),
    "text with questions and answers": ("faq.txt", f"Shin\n2014-03-02\n\nQ: {QUESTION}\n\nA: {ANSWER}\n"),
    "Excel or OpenDocument workbook": ("faq.xlsx", xlsx({"FAQ": [list(_ROW), list(_ROW.values())]})),
    "Word document": (
        "shin.docx",
        docx([("Heading1", "Question"), *_docx_lines(QUESTION), ("Heading1", "Answer"), *_docx_lines(ANSWER)]),
    ),
    "PDF": ("faq.pdf", pdf(["Shin", "2014-03-02", *f"Q: {QUESTION}".split("\n"), *f"A: {ANSWER}".split("\n")])),
    "SQLite database": ("faq.db", _sqlite()),
    "Parquet": ("faq.parquet", parquet([_ROW])),
}


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard().compress,
}
_ALL = ("Shin", QUESTION, ANSWER, "2014-03-02")
# What a format has no place for is missing.
EXPECTED = {
    "chat": ("", QUESTION, ANSWER, "2014-03-02T10:05:00"),
    "outline (OPML)": ("", QUESTION, ANSWER, "2014-03-02"),
    "question bank": ("Shin", QUESTION, ANSWER, None),
    "guestbook": ("", QUESTION, ANSWER, "2014-03-02"),
    "letters to a column": ("", f"Dear Dr. Foot,\n{QUESTION}", f"Dear Ann,\n{ANSWER}", None),
    "talks in lines": ("", *_ON_ONE_LINE, None),
    "transcript": ("", QUESTION, ANSWER, None),
    "PDF": ("Shin", QUESTION.replace("\n\n", "\n"), ANSWER.replace("\n\n", "\n"), "2014-03-02"),
    "Word document": ("", QUESTION, "Rest it:\n\n1. ice\n\n2. sleep", None),
}


# Of a format that one post does not show.
OTHERS = {"letters to a column": 1, "guestbook": 2}


def test_every_format_has_a_sample() -> None:
    """A reader added without a sample here fails."""
    assert sorted(SAMPLES) == sorted(reader.name for reader in BUILT_IN_READERS)


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("packed", PACKED)
def test_the_same_post_comes_out_of_every_format(name: str, encoding: str, packed: str, tmp_path: Path) -> None:
    """Title, question, answer and date, whatever the format, the encoding and the compression."""
    sample = SAMPLES[name][1]
    if isinstance(sample, bytes):
        if encoding != "utf-8":
            return  # a format that has its own encoding
        data = sample
    elif sample.startswith("<") and "html" not in sample and encoding == "cp1252":
        data = ('<?xml version="1.0" encoding="windows-1252"?>' + sample).encode(encoding)
    else:
        data = sample.encode(encoding)
    path = tmp_path / (SAMPLES[name][0] + packed)
    path.write_bytes(PACKED[packed](data))
    post, *others = posts_in(path)
    assert len(others) == OTHERS.get(name, 0)
    assert (post.title, post.question, post.answer, post.date) == EXPECTED.get(name, _ALL)


@pytest.mark.parametrize("name", SAMPLES)
def test_only_its_own_reader_takes_a_format(name: str) -> None:
    """No two readers claim the same file, so their order does not matter."""
    from tests.helpers import archive_file

    file = archive_file(SAMPLES[name][1], SAMPLES[name][0])
    assert [reader.name for reader in BUILT_IN_READERS if reader.recognises(file, ReadOptions())] == [name]


@pytest.mark.parametrize("name", SAMPLES)
def test_ids_do_not_change_from_read_to_read(name: str, tmp_path: Path) -> None:
    """And they are short enough to be typed."""
    path = tmp_path / SAMPLES[name][0]
    sample = SAMPLES[name][1]
    path.write_bytes(sample.encode() if isinstance(sample, str) else sample)
    first, second = posts_in(path), posts_in(path)
    assert first[0].post_id == second[0].post_id
    assert len(first[0].post_id) == 16


class TildeReader:
    """A format of another package: question~answer."""

    name = "tilde"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        return file.head.startswith(b"~")

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside]:
        with file.open_text() as lines:
            for number, line in enumerate(lines):
                _, question, answer = line.rstrip().split("~")
                yield Post(file.source, str(number), question=question, answer=answer)


@pytest.fixture
def entry_points(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[EntryPoint]]:
    points: list[EntryPoint] = []
    monkeypatch.setattr(archives, "entry_points", lambda group: EntryPoints(points).select(group=group))
    archives.readers.cache_clear()
    yield points
    archives.readers.cache_clear()


def test_another_package_can_add_a_format(entry_points: list[EntryPoint], tmp_path: Path) -> None:
    """Named in the entry-point group, its reader is asked like the others."""
    entry_points.append(EntryPoint("tilde", f"{__name__}:TildeReader", "qa_search.readers"))
    path = tmp_path / "a.tilde"
    path.write_text("~sore foot~rest it\n~sore hand~rest that\n")
    assert [(post.question, post.answer) for post in posts_in(path)] == [
        ("sore foot", "rest it"),
        ("sore hand", "rest that"),
    ]


def test_a_broken_reader_of_another_package_is_named(entry_points: list[EntryPoint], tmp_path: Path) -> None:
    """The message names the entry point and the way out."""
    entry_points.append(EntryPoint("broken", "no_such_module:Reader", "qa_search.readers"))
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(ArchiveError, match=r"'broken' \(no_such_module:Reader\) cannot be loaded.*uninstall"):
        list(read_archives([tmp_path]))
