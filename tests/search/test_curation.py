"""The archivist's file: pinned answers, hidden posts, words that mean the same, newer posts, and its errors."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qa_search import CurationError, QueryError, SearchIndex, build_index
from qa_search.search.curation import read_curation
from qa_search.search.synonyms import Synonyms
from qa_search.util.terms import ENGLISH
from tests.helpers import WordsEmbedder, write_jsonl

POSTS = [
    {"id": "knee", "title": "Knee", "question": "My knee clicks on stairs.", "answer": "Strengthen the hip, slowly.",
     "date": "2010-01-01"},
    {"id": "heel", "title": "Heel", "question": "My heel stabs in the morning.", "answer": "Roll a frozen bottle.",
     "date": "2020-01-01"},
    {"id": "fees", "title": "Membership", "question": "What does a year cost?", "answer": "Forty francs a year.",
     "date": "2015-06-01"},
    {"id": "visit", "title": "Visits", "question": "May a physiotherapist join?", "answer": "They may, on Mondays.",
     "tags": ["rules"]},
    {"id": "hike", "title": "Hikes", "question": "Which hikes are planned?", "answer": "See the board in the hall."},
]  # fmt: skip
Curated = Callable[..., SearchIndex]


@pytest.fixture
def curated(tmp_path: Path) -> Curated:
    """An index with an archivist's file in its folder."""
    embedder = WordsEmbedder()
    build(tmp_path, embedder)

    def opened(text: str) -> SearchIndex:
        (tmp_path / "index" / "curation.toml").write_text(text, encoding="utf-8")
        return SearchIndex.open(tmp_path / "index", model=embedder)

    return opened


def build(folder: Path, embedder: WordsEmbedder) -> None:
    archive = write_jsonl(folder / "faq.jsonl", POSTS)
    build_index(archive, folder / "index", model=embedder, names={archive: "club"}, rebuild=True)


def ids(result: Any) -> list[str]:
    return [hit.source_id for hit in result.hits]


def name(post: str) -> str:
    return f"club/faq.jsonl/{post}"


def pin(post: str, *questions: str, match: str = "exact") -> str:
    return f'[[pin]]\npost = "{name(post)}"\nquestions = {list(questions)!r}\nmatch = "{match}"\n'


def test_a_pinned_answer_is_the_first_hit_and_the_result_says_so(curated: Curated) -> None:
    """However the words of the post differ from the query; case and the last sign do not matter."""
    plain = curated("").search("How do I get in?")
    assert (ids(plain)[0] == "fees", plain.pinned, "pinned" in plain.to_dict()) == (False, None, False)
    result = curated(pin("fees", "How do I get in?")).search("how do I  get in", k=3)
    assert (ids(result)[0], result.answered, result.confidence, result.hits[0].confidence) == ("fees", True, 1.0, 1.0)
    assert result.to_dict()["pinned"] == "How do I get in?"
    assert [hit.score for hit in result.hits] == sorted((hit.score for hit in result.hits), reverse=True)
    assert len(ids(result)) == len(set(ids(result))) == 3


def test_a_pin_changes_no_other_query(curated: Curated) -> None:
    """The hits of a query that it does not name are what they were."""
    queries = ["my knee on stairs", "How do I get out?", "frozen heel"]
    before = [ids(result) for result in curated("").search_many(queries)]
    index = curated(pin("fees", "How do I get in?") + pin("visit", "my hip", match="meaning"))
    after = index.search_many(queries)
    assert [ids(result) for result in after] == before
    assert [result.pinned for result in after] == [None, None, None]


def test_a_pin_by_meaning_needs_most_of_the_wording_and_nothing_closer(curated: Curated) -> None:
    """A rewording is matched; one half of it, or a query that a post is closer to, is not."""
    index = curated(pin("fees", "renew the yearly pass of members", match="meaning"))
    assert index.search("members renew their yearly pass").pinned == "renew the yearly pass of members"
    assert index.search("renew the blue bicycle engine before supper").pinned is None
    assert index.search("My knee clicks on stairs.").pinned is None


def test_a_pin_obeys_filters_and_outlasts_reordering(curated: Curated) -> None:
    """A pinned post that does not pass is not shown, and then the result is not called pinned."""
    index = curated(pin("visit", "who comes"))
    assert index.search("who comes", tags=["rules"]).pinned == "who comes"
    result = index.search("who comes", since="2012")
    assert result.pinned is None
    assert "visit" not in ids(result)


def test_a_hidden_post_is_never_found_nor_shown(curated: Curated) -> None:
    """Not by its own words, by its id, as a neighbour or with a filter; the reason can be had."""
    post_id = curated("").search("My heel stabs").hits[0].post_id
    index = curated(f'[[hide]]\npost = "{post_id}"\nwhy = "withdrawn in 2021"\n')
    assert "heel" not in ids(index.search("My heel stabs in the morning", k=100))
    assert "heel" not in ids(index.search("My heel stabs in the morning", k=100, since="2012"))
    assert len(index.search("My heel stabs in the morning", k=100)) == len(POSTS) - 1
    assert index.post(post_id) is None
    assert index.why_hidden(post_id) == "withdrawn in 2021"
    assert curated(f'[[hide]]\npost = "{post_id}"\n').why_hidden(post_id) == ""
    with pytest.raises(QueryError, match="no post with this id"):
        index.similar(post_id)
    assert all(ids != ("heel",) for ids, _ in index.run(["My heel stabs"])["default"][0])


def test_words_that_mean_the_same_find_each_other(curated: Curated) -> None:
    """A word and an expression, both ways; the explanation names the term that met."""

    def lexical(index: SearchIndex, query: str) -> float:
        hits = {hit.source_id: hit for hit in index.search(query, k=10, explain=True)}
        explain = hits["visit"].explain
        assert explain is not None
        assert (query.casefold() in explain.terms) == (explain.signals["lexical"].value > 0 and " " not in query)
        return explain.signals["lexical"].value

    assert [lexical(curated(""), query) for query in ("PT", "muscle tamer")] == [0, 0]
    index = curated('same = [["PT", "physiotherapist", "muscle tamer"]]\n')
    assert [lexical(index, query) for query in ("PT", "muscle tamer")] == [1, 1]


def test_the_terms_of_an_expression_weigh_as_one_word() -> None:
    """So that a long expression does not outweigh the rest of a query."""
    synonyms = Synonyms.of_groups([["ITB", "iliotibial band"]], ENGLISH)
    found = synonyms.weights(ENGLISH.terms_of("ITB aches"), ENGLISH.query_weights("ITB aches"))
    assert found["itb"] == 1.0
    assert sorted(found[term] for term in found if term not in ENGLISH.terms_of("ITB aches")) == [0.5, 0.5]
    assert "itb" in synonyms.widened(ENGLISH.terms_of("the iliotibial band"))
    assert "itb" not in synonyms.widened(ENGLISH.terms_of("the band that is iliotibial"))


def test_newer_posts_gain_a_bounded_amount(curated: Curated) -> None:
    """The newest gains the whole of it, one of ten years before a quarter, one without a date nothing."""
    query = "knee heel physiotherapist stairs"
    before = {hit.source_id: hit.score for hit in curated("").search(query, k=10)}
    after = {hit.source_id: hit.score for hit in curated("[newer]\nweight = 0.04\nyears = 5\n").search(query, k=10)}
    gained = {post: round(after[post] - before[post], 4) for post in before}
    assert gained["heel"] == 0.04
    assert gained["knee"] == pytest.approx(0.01, abs=1e-4)
    assert gained["fees"] == pytest.approx(0.04 * 2 ** -((4 + 7 / 12) / 5), abs=2e-4)  # of June 2015
    assert gained["visit"] == 0


def test_a_changed_file_takes_effect_without_a_rebuild(curated: Curated, tmp_path: Path) -> None:
    """At the next refresh, and so does its removal; an invalid one is reported each time and changes nothing."""
    index = curated("")
    assert index.search("who comes").pinned is None
    file = tmp_path / "index" / "curation.toml"
    file.write_text(pin("visit", "who comes"))
    assert index.refresh() is False
    assert index.search("who comes").pinned == "who comes"
    file.write_text("[[pin]")
    for _ in range(2):
        with pytest.raises(CurationError):
            index.refresh()
    assert index.search("who comes").pinned == "who comes"
    file.unlink()
    index.refresh()
    assert index.search("who comes").pinned is None
    assert index.amended is None


def test_the_file_survives_builds_and_may_be_there_first(tmp_path: Path) -> None:
    """A build neither removes it nor refuses a folder that has nothing else."""
    embedder, folder = WordsEmbedder(), tmp_path / "index"
    folder.mkdir()
    (folder / "curation.toml").write_text(pin("fees", "who pays"))
    for _ in range(2):
        build(tmp_path, embedder)
    with SearchIndex.open(folder, model=embedder) as index:
        assert index.search("who pays").pinned == "who pays"


def test_a_file_elsewhere_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By argument or variable; one that is missing is an error and not ignored."""
    embedder = WordsEmbedder()
    build(tmp_path, embedder)
    file = tmp_path / "mine.toml"
    file.write_text(pin("fees", "who pays"))
    assert SearchIndex.open(tmp_path / "index", model=embedder, curation=file).search("who pays").pinned
    monkeypatch.setenv("QA_SEARCH_CURATION", str(file))
    assert SearchIndex.open(tmp_path / "index", model=embedder).search("who pays").pinned
    file.unlink()
    with pytest.raises(CurationError, match=r"mine\.toml"):
        SearchIndex.open(tmp_path / "index", model=embedder)


def test_posts_that_the_index_lacks_are_said(curated: Curated, caplog: pytest.LogCaptureFixture) -> None:
    """In the log and in the index's description; the rest of the file is in force."""
    with caplog.at_level(logging.WARNING):
        index = curated('[[hide]]\npost = "gone/1"\n' + pin("fees", "who pays"))
    assert "hide[1]: the index has no post 'gone/1'" in caplog.text
    info = index.info().curation
    assert info is not None
    assert (info.pins, info.hidden, info.remarks[0].startswith("hide[1]")) == (1, 1, True)
    assert index.search("who pays").pinned == "who pays"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[pin]", "not TOML"),
        ("pins = 3", "pins: unknown key. Did you mean pin?"),
        ("[pin]\npost = 'a'", r"pin: expected a list: write \[\[pin\]\] with double brackets"),
        ("[[pin]]\npost = 'a'", r"pin\[1\]\.questions: expected the wordings"),
        ("[[pin]]\nquestions = ['a']", r"pin\[1\]\.post: expected a text"),
        ("[[pin]]\npost = 'a'\nquestions = ['a']\nmatch = 'close'", r"pin\[1\]\.match: 'close' is invalid"),
        ("[[hide]]\npost = 'a'\n[[hide]]\npost = 3", r"hide\[2\]\.post: expected a text"),
        ("hide = ['a']", r"hide\[1\]: expected a table"),
        ("same = [['alone']]", r"same\[1\]: expected a list of two words"),
        ("same = [['a', '']]", r"same\[1\]: expected a text"),
        ("[newer]\nweight = 1", r"newer\.weight: expected a number from 0 to 0\.1, not 1"),
        ("[newer]\nweight = true", r"newer\.weight: expected a number"),
        ("[newer]\nweight = nan", r"newer\.weight: expected a number"),
        ("[feedback]\nvotes = 1", r"feedback\.votes: expected a whole number of at least 2, not 1"),
    ],
)
def test_an_invalid_file_is_refused_by_name(text: str, said: str, tmp_path: Path) -> None:
    """The message has the file, the key and what is expected there."""
    file = tmp_path / "curation.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CurationError, match=said) as caught:
        read_curation(file)
    assert str(caught.value).startswith(str(file))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Not read for ever, and not guessed at."""
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "b.toml").mkdir()
    for file in ("a.toml", "b.toml"):
        with pytest.raises(CurationError, match="cannot be read"):
            read_curation(tmp_path / file)
