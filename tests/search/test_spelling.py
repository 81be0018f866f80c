"""Misspelt words of a query are searched as the archive has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from qa_search import SearchIndex, build_index
from qa_search.embedders.base import Piece
from qa_search.interfaces.render.terminal import render_result
from qa_search.interfaces.render.wording import note
from tests.helpers import WordsEmbedder, write_jsonl

POSTS = [
    {"id": "heel", "question": "Plantar fasciitis: my heel hurts in the morning", "answer": "Stretch the calf."},
    {"id": "tendon", "question": "A lump in my Achilles tendon", "answer": "Load it slowly."},
    {"id": "skin", "question": "The foreskin is sore", "answer": "See a doctor about the cancer check."},
    {"id": "mail", "question": "Write to the clinic by mail", "answer": "Use twenty words."},
]
KNOWN = {"cancel", "heel", "doctor", "clinic"}


class Vocabulary(WordsEmbedder):
    """Has a few whole words; all others are cut in two."""

    def pieces(self, texts: Sequence[str]) -> list[list[Piece]]:
        return [[(0, len(text), True)] if text in KNOWN else [(0, 1, True), (1, len(text), True)] for text in texts]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchIndex]:
    folder = tmp_path_factory.mktemp("spelling")
    build_index(write_jsonl(folder / "posts.jsonl", POSTS), folder / "index", model=Vocabulary())
    with SearchIndex.open(folder / "index", model=Vocabulary()) as opened:
        yield opened


@pytest.mark.parametrize(
    ("query", "searched", "first"),
    [
        ("plantar facitis", "plantar fasciitis", "heel"),
        ("Achiles tendno lump", "Achilles tendon lump", "tendon"),
        ("pain in the hell, Fascitis?", "pain in the hell, Fasciitis?", "heel"),
    ],
)
def test_a_misspelt_word_is_searched_as_the_archive_has_it(
    index: SearchIndex, query: str, searched: str, first: str
) -> None:
    """The result says so, and keeps the query as it was written."""
    result = index.search(query, k=1)
    assert (result.query, result.searched, result.hits[0].source_id) == (query, searched, first)
    assert result.to_dict()["searched"] == searched
    assert note(result).startswith(f"Searched for: {searched}.")
    assert f"Searched for: {searched}." in render_result(result, width=100)


@pytest.mark.parametrize(
    "query",
    [
        "my heel hurts",  # the archive has it
        "how do I cancel",  # a word of the vocabulary, close to "cancer"
        "hell heal hael",  # too short to be sure
        "as was foreseen",  # two edits away, and not long
        "collarbone",  # nothing is close
        "mail tweety@twenti.org or www.clinik.org/facitis",
        "facitis aaaaaa bbbbbb cccccc dddddd eeeeee",  # another language
        "12345 !!! ???",
        "plantar facitis " + "and my heel hurts in the morning " * 3,  # its other words find the post
    ],
)
def test_other_words_stay_as_they_are(index: SearchIndex, query: str) -> None:
    """Then the result says nothing of it."""
    result = index.search(query, k=1)
    assert result.searched is None
    assert "searched" not in result.to_dict()
    assert "Searched for" not in note(result)


def test_many_queries_are_corrected_each_for_itself(index: SearchIndex) -> None:
    """As in a search for one; runs for measurements are too."""
    queries = ["plantar facitis", "my heel hurts", "achiles"]
    assert [result.searched for result in index.search_many(queries)] == ["plantar fasciitis", None, "achilles"]
    runs = index.run(["achiles", "achilles"], k=1)["default"]
    assert runs[0] == runs[1]


def test_a_model_that_does_not_show_its_vocabulary_corrects_nothing(index: SearchIndex) -> None:
    """Without it, a correct word that the archive lacks cannot be known."""
    with SearchIndex.open(Path(index.info().index), model=WordsEmbedder(name="words")) as opened:
        assert opened.search("plantar facitis").searched is None
