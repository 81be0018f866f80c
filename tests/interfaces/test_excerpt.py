"""Excerpts: the marked sentence is whole, and cuts keep words whole."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_search.interfaces.render.excerpt import around, beginning, broken_word_start
from qa_search.interfaces.render.terminal import render_result
from qa_search.types import Highlight, OtherPost, SearchResult
from tests.interfaces.test_export import make_hit, make_result

TEXTS = st.text(alphabet="ab \n下", max_size=300)


@given(TEXTS, st.data(), st.integers(0, 60), st.integers(60, 120))
def test_an_excerpt_is_a_part_of_the_text_around_the_mark(
    text: str, data: st.DataObject, before: int, most: int
) -> None:
    """The parts stand in the text one behind the other, and the marked one is whole."""
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    found = around(text, start, end, before=before, most=most)
    assert found.marked == text[start:end]
    assert text[:start].endswith(found.before)
    assert text[end:].startswith(found.after)
    assert len(found.before) <= max(before, 0)


@pytest.mark.parametrize(
    ("text", "position", "start"),
    [("one two", 5, 4), ("one two", 4, 4), ("one two", 1, 0), ("下" * 100, 60, 60), ("a " + "b" * 100, 60, 60)],
)
def test_a_cut_moves_to_the_beginning_of_the_word_that_it_would_break(text: str, position: int, start: int) -> None:
    """A short way only: where no word begins near, it stays."""
    assert broken_word_start(text, position) == start


def test_a_beginning_ends_with_a_whole_word() -> None:
    """Dots stand where a text goes on."""
    assert beginning("knee pain", 9) == "knee pain"
    assert beginning("knee pain", 6) == "knee …"


def terminal(result: SearchResult) -> str:
    return render_result(result, width=80)


def test_the_terminal_shows_the_mark_of_a_text_without_blanks() -> None:
    """Chinese and Japanese posts have none."""
    hit = make_hit(answer="前" * 400 + "膝" * 20 + "后" * 400, mark=("answer", 400, 420))
    shown = "".join(terminal(make_result(hit)).split())
    assert f"{'前' * 200}»{'膝' * 20}«{'后' * 200}…" in shown


def test_a_post_without_a_title_is_named_alike_everywhere() -> None:
    """A title of nothing but unsafe characters is missing too."""
    hit = replace(
        make_hit(), newer=OtherPost("id", "7", "\u202e", "2019-01-01"), highlight=Highlight("answer", 0, 0, "")
    )
    assert "Newer answer, of 2019: untitled (id)" in terminal(make_result(hit))
