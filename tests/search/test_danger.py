"""Danger signs: which complaints have one, and what a search says then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from devtools.environment import ROOT
from qa_search import CurationError, SearchIndex, build_index
from qa_search.search.curation import Danger, read_curation
from qa_search.search.danger import DangerSigns
from qa_search.util.terms import ENGLISH, Analysis
from tests.helpers import WordsEmbedder, write_jsonl

NOTICE = "Call 112 now."
SIGNS = ("chest pain", "can't breathe", "isn't waking", "suicide", "коли болит грудь", "胸痛")
POSTS = [{"id": str(at), "question": f"My {part} hurts.", "answer": f"Rest the {part}."} for at, part in
         enumerate(("knee", "heel", "chest", "wrist", "neck"))]  # fmt: skip
Opened = Callable[[str], SearchIndex]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """An index with an archivist's file in its folder."""
    embedder = WordsEmbedder()
    build_index(write_jsonl(tmp_path / "faq.jsonl", POSTS), tmp_path / "index", model=embedder)

    def open_with(text: str) -> SearchIndex:
        (tmp_path / "index" / "curation.toml").write_text(text, encoding="utf-8")
        return SearchIndex.open(tmp_path / "index", model=embedder)

    return open_with


def danger(*words: str, notice: str = NOTICE) -> str:
    return f'[[danger]]\nwords = {list(words)!r}\nnotice = "{notice}"\n'


@pytest.mark.parametrize(
    ("complaint", "found"),
    [
        ("chest pain now and my left arm is numb", True),
        ("CHEST PAINS!", True),
        ("a pain on the left side of my chest", True),
        ("I have no chest pain", True),
        ("I cannot go on, I think of suicide", True),
        ("I can’t breathe when I run", True),
        ("I cant really breathe", True),
        ("I can not breathe", True),
        ("he cannot breathe", True),
        ("she is unable to breathe", True),
        ("can't braethe", True),
        ("my son isn't waking up", True),
        ("he's not waking up", True),
        ("she wasn’t waking", True),
        ("not properly waking since noon", True),
        ("it is not bad, but he keeps waking up", False),
        ("chestpain since noon", True),
        ("chesst pain", True),
        ("suicde", True),
        ("can breathe, and not in pain", False),
        ("a cheap pain killer", False),
        ("昨天胸痛得厉害", True),
        ("у него коли болит грудь", True),
        ("my chest is fine, but after ten miles of hills on Sunday there is a pain in my heel", False),
        ("it hurts when I breathe", False),
        ("chest", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("analysis", [ENGLISH, Analysis("words"), Analysis("bigrams")])
def test_a_sign_is_found_by_its_words(complaint: str, found: bool, analysis: Analysis) -> None:
    """In any order, near one another, in other forms where the archive's language has them."""
    if analysis != ENGLISH and "PAINS" in complaint:
        found = False
    notice = DangerSigns.of([Danger(SIGNS, NOTICE)], analysis).notice(complaint)
    assert notice == (NOTICE if found else None)


def test_a_correct_word_is_not_taken_for_a_misspelt_sign() -> None:
    """One that the model knows as a whole: a child that does not walk up stairs need not be woken."""
    signs = DangerSigns.of([Danger(("isn't waking up", "having a stroke"), NOTICE)], ENGLISH)
    for complaint in ("my daughter isn't walking up stairs", "having a strike"):
        assert signs.notice(complaint) == NOTICE
        assert signs.notice(complaint, is_word={"walking", "strike"}.__contains__) is None
    assert signs.notice("she isn't wakeing up", is_word={"walking"}.__contains__) == NOTICE


def test_a_complaint_with_a_sign_is_not_answered(opened: Opened) -> None:
    """The notice is there, the nearest posts too; confidence and every badge are low."""
    plain = opened("")
    assert plain.search("My chest hurts.").answered
    assert "notice" not in plain.search("My chest hurts.").to_dict()
    index = opened(danger("chest hurts"))
    result = index.search("My chest hurts.")
    assert (result.notice, result.answered, result.confidence <= 0.1) == (NOTICE, False, True)
    assert result.hits
    assert max(hit.confidence for hit in result.hits) <= 0.1
    assert result.to_dict()["notice"] == NOTICE
    other = index.search("My knee hurts.")
    assert (other.notice, other.answered) == (None, True)


def test_a_complaint_is_read_as_it_was_written_and_as_it_was_searched() -> None:
    """So that a misspelt sign is found, and a sign that looks misspelt."""
    signs = DangerSigns.of([Danger(("chest hurts", "chesst"), NOTICE)], ENGLISH)
    assert signs.notice("my chse hurts") is None
    assert (
        signs.notice("my ches hurts")
        == signs.notice("my chse hurts", "my chest hurts")
        == signs.notice("my chesst", "my chest")
        == NOTICE
    )


def test_a_pinned_answer_stays_an_answer(opened: Opened) -> None:
    """The archivist chose it; the notice stands above it."""
    post = opened("").search("my chest hurts").hits[0].post_id
    index = opened(danger("chest hurts") + f'[[pin]]\npost = "{post}"\nquestions = ["my chest hurts"]\n')
    result = index.search("my chest hurts")
    assert (result.notice, result.answered, result.confidence) == (NOTICE, True, 1.0)


def test_notices_come_in_the_order_of_the_file(opened: Opened) -> None:
    """Each once, however many of its signs are met."""
    index = opened(danger("chest", "hurts", notice="First.") + danger("knee", "heel", notice="Second."))
    assert index.search("my chest and my knee and heel hurt: it hurts").notice == "First. Second."
    assert index.info().curation is not None
    assert index.info().curation.dangers == 2  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[danger]\nwords = ["a"]\nnotice = "b"\n', "danger"),
        ('[[danger]]\nnotice = "b"\n', r"danger\[1\].words"),
        ('[[danger]]\nwords = "chest pain"\nnotice = "b"\n', r"danger\[1\].words"),
        ('[[danger]]\nwords = ["a", 3]\nnotice = "b"\n', r"danger\[1\].words"),
        ('[[danger]]\nwords = ["a"]\n', r"danger\[1\].notice"),
        (f'[[danger]]\nwords = ["a"]\nnotice = "{"b" * 1001}"\n', r"danger\[1\].notice"),
        (f'[[danger]]\nwords = ["{"a" * 101}"]\nnotice = "b"\n', r"danger\[1\].words"),
        ('[[danger]]\nwords = ["a"]\nnotice = "b"\nword = 1\n', r"danger\[1\].word: unknown key. Did you mean words"),
    ],
)
def test_an_invalid_sign_is_an_error_that_names_the_key(tmp_path: Path, text: str, key: str) -> None:
    """Nothing of the file is taken by halves."""
    (tmp_path / "curation.toml").write_text(text, encoding="utf-8")
    with pytest.raises(CurationError, match=f"curation.toml: {key}"):
        read_curation(tmp_path / "curation.toml")


@pytest.mark.parametrize(
    ("complaint", "found"),
    [
        ("chest pain now and my left arm is numb, what do I do", "call 112"),
        ("after the race a tight chest and I can't breathe properly", "call 112"),
        ("the injury took everything from me, some days I want to die", "116 123"),
        ("my back went and now I'm numb between the legs", "emergency department"),
        ("back of my thigh has ached for months, PT did nothing", None),
        ("he's not breathing", "call 112"),
        ("my calf is swollen, red and hot and I am short of breath since the flight", "call 112"),
        ("severe chest discomfort", "call 112"),
        ("i can hardly breathe", "call 112"),
        ("my son collapsed at the finish line and is not responding", "call 112"),
        ("cannot wake her up", "call 112"),
        ("I think it was an overdose", "call 112"),
        ("dolor en el pecho y no puedo respirar", "call 112"),
        ("no longer want to live since I cannot run", "116 123"),
        ("I can't feel my legs and cannot wee", "emergency department"),
        ("no wee since yesterday and back pain", "emergency department"),
        ("my mother does not breathe any more", "call 112"),
        ("she is not breathing properly", "call 112"),
        ("is this a heartattack", "call 112"),
        ("he passed out and wont wake", "call 112"),
        ("my swimming stroke hurts my shoulder", None),
        ("it does not hurt at all when breathing hard uphill", None),
    ],
)
def test_the_sample_archive_has_danger_signs(complaint: str, found: str | None) -> None:
    """In the folder of its index."""
    signs = DangerSigns.of(read_curation(ROOT / "index" / "curation.toml").dangers, ENGLISH)
    notice = signs.notice(complaint)
    assert (found in notice) if found and notice else notice is found
