"""Tests of what is said about languages: the archive's, the complaint's, and those that the model reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from devtools.manifests import make_manifest
from qa_search import SearchIndex, build_index
from qa_search.embedders.base import Embedder
from qa_search.index.manifest import RankingRecord
from qa_search.interfaces.cli import cli
from qa_search.interfaces.render.wording import note
from qa_search.interfaces.web.pages import Archive, Form, found_part, search_page
from qa_search.search.advice import SAY_MORE, Languages, for_people
from qa_search.search.confidence import TOO_LITTLE
from qa_search.search.fusion import UNREAD_WEIGHTS
from qa_search.search.searchable import weights_of
from qa_search.types import SearchResult
from tests.archives.test_cases import CASES
from tests.embedders.test_readability import TokenizedEmbedder, latin, multilingual
from tests.helpers import WordsEmbedder, write_jsonl
from tests.util.test_languages import OF

GERMAN = "Ferse tut morgens beim Aufstehen weh"
CHINESE = "膝盖跑步以后疼得厉害"
# What an archive of repairs and recipes is asked: the last three have no answer in it.
ASKED_IN_CHINESE = (
    "厨房水龙头一直滴水怎么办",
    "面团放了很久都不发",
    "大门一潮湿就关不上",
    "怎么申请去加拿大的签证？",
    "红烧肉怎么做才好吃",
    "膝盖跑步以后疼",
)


def archive_of(language: str, folder: Path) -> Path:
    """Write an archive of the complaints in one language, each answered by another."""
    texts = OF[language]
    records = [{"question": texts[at], "answer": texts[at - 1]} for at in range(len(texts))]
    return write_jsonl(folder / "archive.jsonl", records)


def index_of(language: str, folder: Path, embedder: WordsEmbedder) -> SearchIndex:
    build_index(archive_of(language, folder), folder / "index", model=embedder)
    return SearchIndex.open(folder / "index", model=embedder)


@pytest.fixture
def english(tmp_path: Path) -> SearchIndex:
    return index_of("en", tmp_path, latin())


def test_a_complaint_in_another_language_is_told_so(english: SearchIndex) -> None:
    """Where nothing answers: both languages are named, and the ways out; every rendering shows it."""
    result = english.search(GERMAN)
    assert not result.answered
    assert result.advice == (
        "The query seems to be German, and the language of the archive is English. Ask in English, or build with a "
        "multilingual model."
    )
    assert note(result) == f"{result.advice} The nearest posts:"
    assert result.to_dict()["advice"] == result.advice


def test_an_answered_complaint_gets_no_advice(english: SearchIndex) -> None:
    """In whatever language it is."""
    result = english.search(GERMAN, min_confidence=0)
    assert (result.answered, result.advice) == (True, None)


@pytest.mark.parametrize("text", ["collarbone snapped, when can I ride again", "frozen shoulder", "plantar fasciitis"])
def test_a_complaint_in_the_language_of_the_archive_gets_none(english: SearchIndex, text: str) -> None:
    """Nor does one that is too short to tell."""
    result = english.search(text, min_confidence=1)
    assert (result.answered, result.advice) == (False, None)


def test_with_a_multilingual_model_another_one_is_no_way_out(tmp_path: Path) -> None:
    """Only the language to ask in is named."""
    advice = index_of("en", tmp_path, multilingual()).search(GERMAN, min_confidence=1).advice
    assert advice is not None
    assert advice.endswith("the language of the archive is English. Ask in English.")


def test_a_complaint_that_the_model_cannot_read_is_not_answered(english: SearchIndex) -> None:
    """Its confidence and that of each hit say so, and the advice names its language and the model."""
    result = english.search(CHINESE)
    assert not result.answered
    assert max(result.confidence, *(hit.confidence for hit in result.hits)) <= TOO_LITTLE
    assert result.advice == (
        "The query is in Chinese, and the model words does not read that language. Ask in English, or build with a "
        "model that does."
    )


def test_an_archive_that_the_model_cannot_read_answers_nothing(tmp_path: Path) -> None:
    """The build says so, `info` does, and every result: the posts' own words are no answer."""
    embedder = latin()
    report = build_index(archive_of("zh", tmp_path), tmp_path / "index", model=embedder)
    assert report.language == "zh"
    assert report.advice is not None
    assert "The archive is in Chinese, and the model words does not read that language." in report.advice
    with SearchIndex.open(tmp_path / "index", model=embedder) as index:
        info = index.info()
        assert (info.language, info.advice) == ("zh", report.advice)
        assert info.unread is not None
        assert info.unread > 0.5
        for text in (*OF["zh"], "my knee hurts", "x"):
            result = index.search(text)
            assert (result.answered, result.advice) == (False, report.advice)
            assert max(result.confidence, *(hit.confidence for hit in result.hits)) <= TOO_LITTLE


def test_posts_that_the_model_cannot_read_are_found_by_their_words(tmp_path: Path) -> None:
    """Each complaint, cut short, finds its post first, whatever a model says that cannot tell one from another."""
    texts = OF["zh"]
    archive = write_jsonl(tmp_path / "archive.jsonl", [{"question": text, "answer": "好的"} for text in texts])
    embedder = latin()
    build_index(archive, tmp_path / "index", model=embedder)
    with SearchIndex.open(tmp_path / "index", model=embedder) as index:
        assert index.info().ranking == {"weights": UNREAD_WEIGHTS, "tuned": False}
        results = index.search_many([text[1:] for text in texts], 1)
    assert [result.hits[0].question for result in results] == list(texts)
    described = CliRunner().invoke(cli, ["info", "--index", str(tmp_path / "index")]).output
    assert "lexical 2.2 (by words above all, as the model cannot read the archive)" in " ".join(described.split())


@pytest.mark.parametrize(
    ("unread", "tuned", "expected"),
    [
        (0.9, False, UNREAD_WEIGHTS),
        (0.9, True, {"best": 2.0}),
        (0.1, False, {"best": 2.0}),
        (None, False, {"best": 2.0}),
    ],
)
def test_learnt_weights_stay_and_so_do_those_of_a_readable_archive(
    unread: float | None, tuned: bool, expected: Mapping[str, float]
) -> None:
    """Only the weights that nobody learnt give way to the words, also in an index of an earlier version."""
    manifest = replace(make_manifest(), unread=unread, ranking=RankingRecord({"best": 2.0}, tuned=tuned))
    assert weights_of(manifest) == expected


def test_a_model_that_reads_the_archive_answers(tmp_path: Path) -> None:
    """A multilingual vocabulary on the same Chinese archive: nothing is said of languages."""
    embedder = multilingual()
    report = build_index(archive_of("zh", tmp_path), tmp_path / "index", model=embedder)
    assert (report.language, report.advice) == ("zh", None)
    with SearchIndex.open(tmp_path / "index", model=embedder) as index:
        result = index.search(OF["zh"][0])
        assert (result.answered, result.advice) == (True, None)
        assert result.hits[0].question == OF["zh"][0]


@pytest.mark.parametrize(
    ("languages", "text", "embedder", "too_little", "said"),
    [
        (Languages("de", 0.0, "m"), GERMAN, latin(), False, None),
        (Languages(None, 0.0, "m"), GERMAN, latin(), False, None),
        (Languages(None, None, "m"), "hello", WordsEmbedder(), True, SAY_MORE),
        (Languages("en", None, "m"), CHINESE, TokenizedEmbedder(None), False, "is English. Ask in English."),
        (Languages(None, 0.0, "m"), CHINESE, latin(), False, "language. Build with a model that does."),
        (Languages("zh", 0.0, "m"), CHINESE, latin(), False, "language. Build with a model that does."),
        (
            Languages("en", 0.0, "m"),
            "膝盖",
            latin(),
            True,
            "The query is in a language that the model m does not read.",
        ),
        (Languages(None, 0.9, "m"), "knee", latin(), True, "The archive is in a language that the model m does not"),
    ],
)
def test_what_is_not_known_is_not_said(
    languages: Languages, text: str, embedder: WordsEmbedder, too_little: bool, said: str | None
) -> None:
    """Languages that are unknown or mixed are not named; too few words are told where languages explain nothing."""
    advice = languages.advice(text, embedder, too_little=too_little)
    assert advice == said if said is None else said in (advice or "")
    assert not re.search("model|[Bb]uild", for_people(advice or ""))


def test_people_are_told_what_they_can_do(english: SearchIndex) -> None:
    """Pages and the widget name no model and nothing to build; the document of the result does."""
    for text, said in (
        (GERMAN, "The complaint seems to be German, and the language of the archive is English. Ask in English."),
        (CHINESE, "The complaint is in Chinese, and this search does not read that language. Ask in English."),
    ):
        result = english.search(text)
        assert said in search_page(Form(q=text), result, Archive.of(english.info()))
        assert said in found_part(result)
    unread = Languages("zh", 0.9, "/models/a model").warning() or ""
    assert for_people(unread) == (
        "The archive is in Chinese, and this search does not read that language. Ask whoever looks after the archive."
    )


def test_an_older_index_knows_no_languages() -> None:
    """Its manifest has none: nothing is said."""
    languages = Languages.of_manifest(make_manifest())
    assert (languages.main, languages.unreadable, languages.warning()) == (None, False, None)


def test_the_packaged_model_and_a_chinese_archive(minilm: Embedder, tmp_path: Path) -> None:
    """It answers nothing there, and says why; the posts of three complaints are found by their characters."""
    report = build_index(CASES / "language-chinese", tmp_path / "index", model=minilm)
    assert "does not read that language" in (report.advice or "")
    with SearchIndex.open(tmp_path / "index", model=minilm) as index:
        results = index.search_many(ASKED_IN_CHINESE, 3)
    assert not any(result.answered for result in results)
    assert max(result.confidence for result in results) <= TOO_LITTLE
    assert all(result.advice == report.advice for result in results)
    titles = [result.hits[0].title for result in results[:3]]
    assert titles == ["水龙头滴水", "面包发不起来", "门夏天关不上"]


def test_a_german_complaint_to_the_sample_archive(sample_index: SearchIndex) -> None:
    """It is not answered, and the language is named; English complaints are told nothing of languages."""
    result = sample_index.search(GERMAN)
    assert not result.answered
    assert "language" in (result.advice or "")
    assert sample_index.info().language == "en"
    unanswered: list[SearchResult] = sample_index.search_many(
        ["is the doctor in today", "what time do you open on saturdays", "my cat is limping on a back leg"],
        min_confidence=1,
    )
    assert [result.advice for result in unanswered if "language" in (result.advice or "")] == []
