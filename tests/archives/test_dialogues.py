"""Talks of two: lists of texts, lines of turns, and the files of an assistant."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from qa_search.archives.read import Reading, ReadOptions, read_archives
from qa_search.errors import UnknownFormatError
from qa_search.types import Post, SetAside
from tests.helpers import posts_in

TALK = ["My kettle leaks. What now?", "Descale it.", "With what?", "Vinegar.", "Thanks!"]
READ = (TALK[0], "Descale it.\n\nWith what?\n\nVinegar.")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ultra.jsonl", json.dumps({"id": "1", "data": TALK}) + "\n"),
        ("talks.json", json.dumps([{"dialog": TALK, "act": [2, 1, 2, 1, 1]}])),
        (
            "talks.json",
            json.dumps({"talks": [{"id": 1, "utterances": TALK}, {"id": 2, "utterances": ["Hot?", "No."]}]}),
        ),
        ("one.json", json.dumps({"id": 1, "turns": TALK})),
        ("talks.yml", "- conversation:\n" + "".join(f"  - {json.dumps(text)}\n" for text in TALK)),
        ("talks.txt", "".join(f"{text} __eou__ " for text in TALK) + "\n"),
    ],
)
def test_texts_by_turns_are_a_talk(name: str, text: str, tmp_path: Path) -> None:
    """The first asks, and later questions stand before their answers; a remark says so."""
    (tmp_path / name).write_text(text)
    reading = Reading()
    first, *_ = read_archives([tmp_path / name], reading=reading)
    assert isinstance(first, Post)
    assert (first.question, first.answer) == READ
    assert any("was read as the talk of two by turns" in remark for remark in reading.reports[0].remarks)


@pytest.mark.parametrize(
    "records",
    [
        [{"id": 1, "data": ["red cat", "blue dog"]}, {"id": 2, "data": ["old", "new"]}],
        [{"intent": "refund", "utterances": ["Can I get my money back?", "How do I return it?"]}],
        [{"question": "Which ones?", "utterances": TALK, "answer": "These."}],
        [{"data": TALK}, {"data": [1, 2]}],
    ],
    ids=["words", "all ask", "asked and answered elsewhere", "numbers"],
)
def test_other_lists_are_no_talk(records: list[dict[str, object]], tmp_path: Path) -> None:
    """Neither the name nor the turns say so."""
    (tmp_path / "data.json").write_text(json.dumps(records))
    reading = Reading()
    try:
        list(read_archives([tmp_path / "data.json"], reading=reading))
    except UnknownFormatError:
        return
    assert not any("by turns" in remark for report in reading.reports for remark in report.remarks)


def test_the_field_map_says_what_a_list_is(tmp_path: Path) -> None:
    """Fields that are named are not guessed."""
    (tmp_path / "data.jsonl").write_text(json.dumps({"head": "Hot?", "turns": ["Yes.", "No."]}) + "\n")
    options = ReadOptions(field_map={"question": "head", "answer": "turns"})
    (post,) = read_archives([tmp_path / "data.jsonl"], options)
    assert isinstance(post, Post)
    assert (post.question, post.answer) == ("Hot?", "Yes.\n\nNo.")


def test_a_long_talk_is_read_in_time(tmp_path: Path) -> None:
    """As long as a post may be, and many of them."""
    for text in (
        json.dumps({"dialog": ["Hot?", "Yes."] * 25_000}) + "\n",
        "".join(json.dumps({"dialog": ["Hot?", f"{n}."]}) + "\n" for n in range(10_000)),
    ):
        (tmp_path / "a.jsonl").write_text(text)
        began = time.monotonic()
        assert posts_in(tmp_path / "a.jsonl")
        assert time.monotonic() - began < 30


NLU = """version: "3.1"
nlu:
- intent: ask_refund
  examples: |
    - Can I get a refund?
    - How do I get my [money](thing) back [now]{"entity": "time"}?
- intent: faq/hours
  examples: |
    - When are you open?
- intent: bye
  examples:
  - text: See you!
- synonym: credit
  examples: |
    - card
"""
DOMAIN = """version: "3.1"
intents: [ask_refund, faq]
responses:
  utter_ask_refund:
  - text: Within 14 days.
  - text: You have two weeks.
  utter_faq/hours:
  - text: 9 to 5.
  utter_goodbye:
  - text: Bye!
"""
RULES = """version: "3.1"
rules:
- rule: say goodbye
  steps:
  - intent: bye
  - action: utter_goodbye
"""


def test_intents_of_rasa_are_answered_by_responses(tmp_path: Path) -> None:
    """By the intent's name, or by what a rule lets follow it; what is marked in the examples stays as it was said."""
    for name, text in (("nlu.yml", NLU), ("domain.yml", DOMAIN), ("rules.yml", RULES)):
        (tmp_path / name).write_text(text)
    reading = Reading()
    posts = [item for item in read_archives([tmp_path], reading=reading) if isinstance(item, Post)]
    assert [(post.source_id, post.question, post.answer) for post in posts] == [
        (
            "ask_refund",
            "Can I get a refund?\nHow do I get my money back now?",
            "Within 14 days.\n\nYou have two weeks.",
        ),
        ("faq/hours", "When are you open?", "9 to 5."),
        ("bye", "See you!", "Bye!"),
    ]
    remarks = [remark for report in reading.reports for remark in report.remarks]
    assert any("synonyms and lookup tables (1)" in remark for remark in remarks)


def test_intents_of_rasa_without_the_domain_say_what_is_missing(tmp_path: Path) -> None:
    """And so do responses without intents."""
    (tmp_path / "nlu.yml").write_text(NLU)
    reading = Reading()
    assert len(list(read_archives([tmp_path / "nlu.yml"], reading=reading))) == 3
    assert any("put the domain" in remark for report in reading.reports for remark in report.remarks)
    (tmp_path / "domain.yml").write_text(DOMAIN)
    (note,) = read_archives([tmp_path / "domain.yml"])
    assert isinstance(note, SetAside)
    assert note.reason.startswith("4 answers without a question")
