"""Records that are one post together, and what lies beside a dump."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import py7zr
import pytest

from qa_search.archives.formats.field_text import kind_of
from qa_search.archives.formats.roles import role_of
from qa_search.archives.read import ReadOptions, read_archives
from qa_search.types import Post
from tests.helpers import posts_in

POSTS = (
    '<posts><row Id="1" PostTypeId="1" OwnerUserId="12" Body="q" /><row Id="2" PostTypeId="2" ParentId="1" '
    'OwnerUserId="13" Body="a" /></posts>'
)
USERS = '<users><row Id="12" DisplayName="Ann" /><row Id="13" DisplayName="Bob" /></users>'
COMMENTS = '<comments><row Id="1" PostId="2" UserId="12" Text="thanks" /></comments>'


@pytest.mark.parametrize("form", ["folder", "zip", "7z"])
def test_users_and_comments_beside_a_dump_are_read(form: str, tmp_path: Path) -> None:
    """In a folder, a zip and a 7z; comments only when they are asked for."""
    tables = {"Posts.xml": POSTS, "Users.xml": USERS, "Comments.xml": COMMENTS}
    source = tmp_path / "site"
    source.mkdir()
    for name, text in tables.items():
        (source / name).write_text(text)
    if form == "zip":
        with zipfile.ZipFile(tmp_path / "site.zip", "w") as archive:
            for name in tables:
                archive.write(source / name, name)
        source = tmp_path / "site.zip"
    if form == "7z":
        with py7zr.SevenZipFile(tmp_path / "site.7z", "w") as seven:
            for name in tables:
                seven.write(source / name, name)
        source = tmp_path / "site.7z"
    (found,) = posts_in(source)
    assert (found.author, found.answers[0].author, found.answer) == ("Ann", "Bob", "a")
    (commented,) = read_archives([source], ReadOptions(comments=True))
    assert isinstance(commented, Post)
    assert commented.answer == "a\n\nComments:\n- Ann: thanks"
    assert commented.post_id == found.post_id


def test_a_doctype_that_only_names_a_file_fetches_nothing(tmp_path: Path) -> None:
    """Whatever the file is."""
    (tmp_path / "Posts.xml").write_text(f"<!DOCTYPE posts SYSTEM 'file:///etc/passwd'>{POSTS}")
    (found,) = posts_in(tmp_path)
    assert (found.question, found.answer) == ("q", "a")


def test_rows_with_a_parent_answer_it_wherever_they_stand(tmp_path: Path) -> None:
    """Also an answer to an answer, and one that stands before its question."""
    (tmp_path / "posts.csv").write_text(
        "id,parent_id,title,body,score\n3,2,,So do I.,9\n1,,Knocks,It knocks.,1\n2,1,,Flush it.,4\n"
    )
    (found,) = posts_in(tmp_path)
    assert (found.source_id, found.answer) == ("1", "So do I.\n\nFlush it.")


def test_a_joined_post_is_found_under_the_id_of_each_of_its_rows(tmp_path: Path) -> None:
    """Links that were saved before the rows were joined lead to it."""
    rows = [{"id": number, "question": "Why?", "answer": f"So {number}."} for number in (3, 7, 9)]
    (tmp_path / "faq.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = posts_in(tmp_path)
    assert [post.source_id for post in found] == ["3", "7", "9"]
    assert {post.answer for post in found} == {"So 3.\n\nSo 7.\n\nSo 9."}


def test_a_thread_is_asked_by_its_first_post_and_answered_by_others(tmp_path: Path) -> None:
    """What the asker adds is no answer."""
    rows = [
        {"topic_id": 7, "post_id": 1, "title": "Knocks", "author": "ann", "text": "It knocks."},
        {"topic_id": 7, "post_id": 2, "author": "bob", "text": "Flush it."},
        {"topic_id": 7, "post_id": 3, "author": "ann", "text": "Thanks!"},
        {"topic_id": 8, "post_id": 4, "title": "Cold", "author": "cy", "text": "It is cold."},
    ]
    (tmp_path / "forum.json").write_text(json.dumps(rows))
    first, second = posts_in(tmp_path)
    assert (first.source_id, first.question, first.answer) == ("7", "It knocks.", "Flush it.")
    assert (second.question, second.answer) == ("It is cold.", "")


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Original Question", "question"), ("canonical_question", "question"), ("faq_answer", "answer"),
        ("Réponse", "answer"), ("odpowiedź", "answer"), ("вопрос", "question"), ("答案文本", "answer"),
        ("Q", "question"),
        ("_id", "id"), ("answer_count", None), ("is_answered", None), ("wrong_answer", None), ("answer_start", None),
    ],
)  # fmt: skip
def test_names_are_known_as_people_write_them(name: str, role: str | None) -> None:
    """Parts of names and other languages; a name about an answer is no answer."""
    found = role_of(name)
    assert (found[0] if found else None) == role


@pytest.mark.parametrize(
    ("texts", "plain"),
    [
        (["<p>Flush it &amp; wait.</p>", "<p>Use <b>a key</b>.</p>"], ["Flush it & wait.", "Use a key."]),
        (["Use List<String> here", "if (a<b) x"], ["Use List<String> here", "if (a<b) x"]),
        (["<p>Use List<String> here</p>"], ["Use List<String> here"]),
        ([r"One.\nTwo", r"- a\n- b"], ["One.\nTwo", "- a\n- b"]),
        ([r"\nabla f", r"C:\new"], [r"\nabla f", r"C:\new"]),
        (["Itâ€™s 5Â°C"], ["It’s 5°C"]),
    ],
)
def test_what_a_field_holds_is_told_by_its_records(texts: list[str], plain: list[str]) -> None:
    """HTML, code, line breaks that are written out, formulas, and text that was encoded twice."""
    kind = kind_of(texts)
    assert [kind.plain(text) for text in texts] == plain
