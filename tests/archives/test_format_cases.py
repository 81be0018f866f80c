"""Small files in the shapes that people have, and the posts that are in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import posts_in

CASES = Path(__file__).parent / "cases"
_BOILER: list[tuple[str, str, str, str | None]] = [
    (
        "",
        "My boiler makes a knocking noise every morning, is it dangerous?",
        "Knocking is mostly limescale on the heat exchanger; have it flushed, and turn the flow temperature down until "
        "then.",
        None,
    ),
    (
        "",
        "How often should the pressure be topped up?",
        "Not more than once or twice a year; more often means there is a leak somewhere.",
        None,
    ),
    (
        "",
        "Radiator is cold at the top but hot below",
        "Air is trapped in it. Bleed it with a radiator key while the pump is off.",
        None,
    ),
]
_KNOCK = ("", "Why does it knock?", "Limescale.", None)
_KNOCK_FLUSH = ("", "Why does it knock?", "Limescale. Flush it.", None)
_TWICE = ("", "How often?", "Twice a year.", None)
_CAT = ("My cat drinks a lot of water, what is it?", "Have its kidneys tested.")


def _topic(date: str | None) -> list[tuple[str, str, str, str | None]]:
    return [("Knocking boiler", "Mine knocks every morning. Dangerous?", "Limescale. Have it flushed.", date)]


# name: (title, question, answer, date) of each post
EXPECTED: dict[str, list[tuple[str, str, str, str | None]]] = {
    "html-faqpage-ld": _BOILER,
    "md-headings": _BOILER,
    "txt-q-a": _BOILER,
    "xlsx-faq": _BOILER,
    "xml-medquad": _BOILER,
    "yaml-list": _BOILER,
    "html-phpbb-topic": _topic("2014-03-03T10:11:00"),
    "html-several-pairs": [
        ("", *_CAT, None),
        ("", "My dog limps.", "Rest it for a week.", None),
        ("", "Can birds eat avocado?", "Never.", None),
        ("", *_CAT, "2009-03-12T10:00:00"),
        ("", "My dog limps.", "Rest it for a week.", "2009-03-12T10:00:00"),
    ],
    "html-phpbb2": _topic("2014-03-03T10:11:00"),
    "html-subsilver": _topic("2014-03-03T10:11:00"),
    "html-vbulletin5": _topic("2014-03-03T10:11:00"),
    "html-invision": _topic("2014-03-03T10:11:00Z"),
    "html-discourse-saved": _topic("2014-03-03T10:11:00Z"),
    "html-discussion-data": _topic("2014-03-03"),
    "sql-phpbb": _topic("2014-03-03T10:11:00Z"),
    "xlsx-two-tables": [("Knocking", "Why?", "Limescale.", None), ("Flush", "How often?", "Twice.", None)],
    "xlsx-two-sheets": [("", "Why?", "Lime.", None), ("", "How?", "So.", None)],
    "html-page-other-date": [("Thirsty cat", *_CAT, "2009-03-12")],
    "mbox": [("Knocking boiler", "Mine knocks every morning.", "Limescale. Flush it.", "2014-03-03T10:11:00+00:00")],
    "sql-dump": [
        ("", "Why does it knock?", "Limescale, it's common.", None),
        _TWICE,
    ],
    "eml-original-message": [("Knocking boiler", "Mine knocks.", "Limescale. Flush it.", None)],
    "eml-reply": [("Knocking boiler", "Mine knocks every morning.\nDangerous?", "Limescale é. Flush it.", None)],
    "html-accordion": [
        _KNOCK_FLUSH,
        ("", "How often must it be flushed?", "- Twice a year\n- or more", None),
    ],
    "html-bold": [
        _KNOCK,
        _TWICE,
        ("", "Is it dangerous?", "No.", None),
    ],
    "html-definitions": [
        ("", "Why does it knock?", "Limescale.\nFlush it.", None),
        _TWICE,
        ("", "Radiator is cold at the top", "Bleed it.", None),
    ],
    "html-discourse": _topic("2014-03-03T10:11:00Z"),
    "html-german-headings": [
        ("", "Warum klopft der Kessel?", "Kalk.", None),
        ("", "Wie oft entlüften?", "Zweimal im Jahr.", None),
        ("", "Heizkörper oben kalt", "Entlüften:\n\n1. Pumpe aus\n2. Ventil auf", None),
    ],
    "html-labels": [
        ("", "Why does it knock?", "Limescale.\n\nFlush it.", None),
        _TWICE,
    ],
    "html-microdata": [
        ("", "Why does it knock?", "Limescale.\n\nFlush it & rest.", None),
        _TWICE,
    ],
    "html-mybb": _topic("2014-03-23T10:11:00"),
    "html-qapage": [
        (
            "Knocking boiler",
            "Mine knocks every morning. Dangerous?",
            "Limescale. Have it flushed.\n\nTurn it off.",
            "2014-03-03T10:11:00",
        )
    ],
    "html-smf": _topic("2014-03-03T10:11:00"),
    "html-vbulletin3": _topic("2014-03-23T10:11:00"),
    "html-vbulletin4": _topic("2014-03-03T10:11:00"),
    "html-xenforo": _topic("2014-03-03T10:11:00+0000"),
    "md-bold-labels": [_KNOCK, _TWICE],
    "md-confluence": [
        ("", "How do I bleed a radiator?", "Use a key.", None),
        ("", "Boiler pressure drops", "Top it up.", None),
    ],
    "md-docusaurus": [
        ("", "Why does it knock?", "Limescale:\n\n- flush it\n- turn --down\n\n# not a heading\nflush --all", None),
        ("", "How often must it be flushed?", "Twice a year. See this (https://x.example/y).", None),
        ("", "Radiator is cold at the top", "Bleed it.", None),
    ],
    "md-folded": [_KNOCK_FLUSH, _TWICE],
    "md-front-matter": [("", "Why does my boiler knock?", "Limescale. Flush it.", None)],
    "md-notion-list": [
        _KNOCK_FLUSH,
        _TWICE,
    ],
    "md-numbered": [_KNOCK, _TWICE],
    "md-readme": [
        ("", "Why does it knock?", "Limescale.\n\nOn Windows\n\nThe same.", None),
        ("", "It does not start", "Plug it in.", None),
    ],
    "md-title-asks": [("", "Why does my boiler knock?", "Limescale. Flush it.\n\n1. Drain\n2. Fill", "2014-03-03")],
    "sql-postgres": [
        ("", "Why does it knock?", "Limescale, it's common.\nFlush it.", None),
        _TWICE,
        ("", "Is it safe?", "", None),
    ],
    "sql-two-tables": [
        ("Knocking", "Why does it knock; and how?", "Limescale, it's common.\n\nGhosts.", None),
        ("Flush", "How often?\nReally?", "Twice a year.", None),
    ],
    "txt-chinese": [("", "锅炉为什么响？", "水垢。", None), ("", "多久一次？", "一年两次。", None)],
    "txt-f-a": [("", "Warum klopft es?", "Kalk.", None), ("", "Wie oft?", "Zweimal.", None)],
    "txt-german": [
        ("", "Warum klopft der Kessel?", "Kalk.\nSpülen.", None),
        ("", "Wie oft?", "Zweimal im Jahr.", None),
    ],
    "txt-numbered": [
        ("", "Why does it knock?", "Limescale. Do this:\n   1. Drain\n   2. Fill", None),
        ("", "How often must it be flushed?", "Twice a year.", None),
        ("", "What is a key?", "A tool.", None),
    ],
    "txt-paragraphs": [_KNOCK, _TWICE],
    "txt-q-dot": [
        ("", "Why does it knock?", "Limescale.\n\n   Flush it.", None),
        _TWICE,
    ],
    "txt-question-1": [_KNOCK, _TWICE],
    "xml-faq": [("", "Why does it knock?", "Limescale.\n\nFlush it.", None), _TWICE],
    "xml-wordpress": [
        ("Thirsty cat", "My cat drinks a lot.", "Have its kidneys tested.", "2009-03-12T10:00:00"),
        ("", "Can birds eat avocado?", "Never.\n\nIt is poison.", None),
        ("Dog limps", "My dog limps.", "Rest it.", None),
    ],
    "yaml-capitals": [("", "Why does it knock?", "Limescale. Flush.", None), ("", "How often?", "Twice", None)],
    "yaml-categories": [
        ("", "Why does it knock?", "Limescale.\n\nFlush it.", None),
        ("", "Is it safe?", "no", None),
        _TWICE,
    ],
    "yaml-question-to-answer": [
        _KNOCK,
        _TWICE,
    ],
}


def test_every_case_has_its_posts_written_out() -> None:
    """A folder without them would be read by no test."""
    assert set(EXPECTED) <= {path.name for path in CASES.iterdir()}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_posts_of_a_file_are_those_that_a_person_sees_in_it(name: str) -> None:
    """Every question with its own answer, nothing else, in the file's order."""
    found = [(post.title, post.question, post.answer, post.date) for post in posts_in(CASES / name)]
    assert found == EXPECTED[name]
