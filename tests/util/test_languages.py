"""Tests of naming a text's language."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from qa_search.util.languages import NAMES, language_of, main_language, name_of

COMPLAINTS = [
    (language, text)
    for language, text in (
        line.split("\t")
        for line in (Path(__file__).parent / "complaints.tsv").read_text(encoding="utf-8").splitlines()[1:]
    )
]
OF = {language: [text for other, text in COMPLAINTS if other == language] for language in dict(COMPLAINTS)}


def test_everyday_complaints_in_21_languages_are_named_and_none_wrongly() -> None:
    """Of 210 short complaints in 21 languages at least 95 % are named, and no language is named wrongly."""
    named = Counter(language_of(text) == language for language, text in COMPLAINTS)
    assert named[True] >= 0.95 * len(COMPLAINTS)
    assert [(text, found) for wanted, text in COMPLAINTS if (found := language_of(text)) not in (wanted, None)] == []


@pytest.mark.parametrize(
    "text", ["", "x", "anaemia", "frozen shoulder", "plantar fasciitis", "12 345 678 9", "🤕 🦵 !!! ???", "痛い"]
)
def test_a_word_or_two_are_in_no_language(text: str) -> None:
    """A text of less than three words, or of numbers and signs, has no language."""
    assert language_of(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "achiles tendon lump",
        "toes go numb on the cross trainer",
        "MY KNEE HURTS",
        "protein shake after sixty, yes or no",
    ],
)
def test_english_is_not_called_another_language(text: str) -> None:
    """Misspelt, shouted and clipped English is English, or nothing."""
    assert language_of(text) in ("en", None)


@pytest.mark.parametrize(
    "text", ["My knie is seer", "My rug is seer in die oggend", "Todavía no he recibido mi reembolso"]
)
def test_another_language_with_english_words_is_not_called_english(text: str) -> None:
    """Words that two languages share do not make a text English."""
    assert language_of(text) != "en"


@pytest.mark.parametrize("language", OF)
def test_the_language_of_an_archive_is_that_of_most_of_its_texts(language: str) -> None:
    """Ten texts in a language name it, also with one text in another language among them."""
    stranger = OF["de" if language == "en" else "en"][0]
    assert main_language(OF[language]) == main_language([*OF[language], stranger[:20]]) == language


def test_a_mixed_archive_has_no_language() -> None:
    """Half German and half English is neither."""
    assert main_language([*OF["de"], *OF["en"]]) is None
    assert main_language([]) is None


def test_single_words_together_have_a_language() -> None:
    """An archive of short texts is read as one text."""
    assert main_language(["Meine", "Waschmaschine", "läuft nicht", "und ich", "weiß nicht", "warum"]) == "de"


def test_every_language_has_a_name() -> None:
    """A language is called by its English name; one that is unknown by its code."""
    assert name_of("de") == "German"
    assert name_of("xx") == "xx"
    assert all(name[0].isupper() for name in NAMES.values())


@pytest.mark.process
def test_the_model_is_loaded_when_it_is_needed() -> None:
    """Importing the module, or the package's search, does not load py3langid; plain English does not need it."""
    code = (
        "import sys, qa_search; from qa_search.util.languages import language_of; qa_search.SearchIndex; "
        "assert language_of('Why does my back ache when I have been in bed?') == 'en'; "
        "sys.exit('py3langid' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
