"""Searching: one post one hit, filters before the top k, exact offsets, any text."""

from __future__ import annotations

import json
import threading
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qa_search import SearchIndex, build_index, index_log, tune, undo_index, verify_index
from qa_search.embedders.locate import hash_model
from qa_search.errors import (
    IndexDamagedError,
    ModelError,
    ModelMismatchError,
    ModelNotFoundError,
    QueryError,
    StoreError,
)
from tests.helpers import WordsEmbedder, seal, write_jsonl, write_pages

POSTS = [
    {"id": "knee", "title": "Knee", "question": "My knee clicks. It hurts on stairs. The knee swells after stairs.",
     "answer": "Strengthen the hip. Then climb stairs again slowly.", "date": "2015-06-30T12:00:00", "tags": ["joint"]},
    {"id": "heel", "title": "Heel", "question": "My heel stabs in the morning.",
     "answer": "Roll a frozen bottle. Calf raises on a step.", "date": "2018-01-01", "tags": ["foot", "Heel Pain"]},
    {"id": "loop", "title": "Knee knee", "question": " ".join(["knee knee stairs."] * 60), "answer": "See a doctor."},
]  # fmt: skip


@pytest.fixture
def index(tmp_path: Path) -> SearchIndex:
    embedder = WordsEmbedder(limit=12)
    build_index(write_jsonl(tmp_path / "a.jsonl", POSTS), tmp_path / "index", model=embedder)
    return SearchIndex.open(tmp_path / "index", model=embedder)


def ids(result: Any) -> list[str]:
    return [hit.source_id for hit in result.hits]


def test_a_post_is_one_hit_and_all_posts_can_be_had(index: SearchIndex) -> None:
    """A post of sixty passages about the same does not push the others off the list."""
    result = index.search("knee on stairs", k=3)
    assert sorted(ids(result)) == ["heel", "knee", "loop"]
    assert [hit.rank for hit in result.hits] == [1, 2, 3]
    assert [hit.score for hit in result.hits] == sorted((hit.score for hit in result.hits), reverse=True)
    assert len(index.search("knee", k=10_000).hits) == 3


def test_a_hit_says_what_matched_with_exact_offsets(index: SearchIndex) -> None:
    """The best passage, and the expert's most useful sentence as a span of its field."""
    hit = index.search("frozen bottle", k=1).hits[0]
    assert (hit.source_id, hit.matched, hit.highlight.text) == ("heel", "answer", "Roll a frozen bottle.")
    assert hit.answer[hit.highlight.start : hit.highlight.end] == hit.highlight.text
    assert hit.passage in hit.answer
    hit = index.search("stabs in the morning", k=1).hits[0]
    assert (hit.matched, hit.passage, hit.highlight.field) == ("question", hit.question, "answer")


def test_a_very_long_query_is_read_by_the_sentences_that_say_most(index: SearchIndex) -> None:
    """The result says so, and finds what one sentence in two thousand of other things asks for."""
    filler = [f"Something about matter{number} that is of no use." for number in range(2000)]
    question = "Shall I roll a frozen bottle in the morning?"
    result = index.search(" ".join([*filler[:700], question, *filler[700:]]), explain=True)
    assert ids(result)[0] == "heel"
    assert result.note is not None
    assert "characters" in result.note
    assert result.to_dict()["note"] == result.note
    assert result.hits[0].explain is not None
    assert all(line in result.query for line in result.hits[0].explain.complaint.splitlines())
    short = index.search(question)
    assert short.note is None
    assert "note" not in short.to_dict()


@given(st.text(min_size=1), st.integers(1, 4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_gives_an_answer_or_a_clear_message(index: SearchIndex, text: str, k: int) -> None:
    """Whatever is typed; and offsets are exact in every hit."""
    try:
        result = index.search(text, k)
    except QueryError as error:
        assert "empty" in str(error)
        return
    assert len(result.hits) == min(k, 3)
    for hit in result.hits:
        span = hit.highlight
        assert getattr(hit, span.field)[span.start : span.end] == span.text
        assert span.text
        assert hit.passage in getattr(hit, hit.matched)


@pytest.mark.parametrize(
    "text",
    [
        "PT doesn't help",
        'it\'s "sore"',
        "knee 😀🦵",
        "the of and",
        "knee " * 5_000,
        "'; DROP TABLE post; --",
        "«»",
        "?",
    ],
)
def test_apostrophes_emoji_stop_words_and_long_texts_are_searched(index: SearchIndex, text: str) -> None:
    """None of them is special."""
    assert len(index.search(text, k=2).hits) == 2


@pytest.mark.parametrize("text", ["", "  \n\t ", "\u200b", "\x1b\x07"])
def test_an_empty_text_is_told(index: SearchIndex, text: str) -> None:
    """Also if what is there cannot be seen."""
    with pytest.raises(QueryError, match=r"empty\. Describe the complaint"):
        index.search(text)


@pytest.mark.parametrize("k", [0, -1, 1.5, "3", True, None])
def test_k_must_be_a_whole_number_of_at_least_one(index: SearchIndex, k: Any) -> None:
    """Anything else is told, not guessed."""
    with pytest.raises(QueryError, match="k must be a whole number from 1 to 10,000"):
        index.search("knee", k)


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [
        ("2015", "2015", True), ("2015-05", "2015-05", True), ("2015-05", None, True), (None, "2015-05", True),
        ("2015-06", None, False), (None, "2015-04", False), ("2015-05-10", None, False), (None, "2015-05-31", True),
    ],
)  # fmt: skip
def test_a_post_of_which_the_month_is_known_passes_by_its_month(
    tmp_path: Path, since: str | None, until: str | None, found: bool
) -> None:
    """It counts as of the beginning of its month; its date is shown as it is known."""
    post = {"question": "My knee clicks on stairs.", "answer": "Strengthen the hip first.", "date": "May 2015"}
    embedder = WordsEmbedder(limit=12)
    build_index(write_jsonl(tmp_path / "a.jsonl", [post]), tmp_path / "index", model=embedder)
    with SearchIndex.open(tmp_path / "index", model=embedder) as index:
        hits = index.search("knee", since=since, until=until).hits
    assert [(hit.date, hit.when) for hit in hits] == [("2015-05", date(2015, 5, 1))] * found


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"since": "2015"}, ["heel", "knee"]),
        ({"since": "2016"}, ["heel"]),
        ({"since": "2015-06-30", "until": "2015-06-30"}, ["knee"]),
        ({"until": "2015"}, ["knee"]),
        ({"until": "2015-05"}, []),
        ({"until": "2015-06"}, ["knee"]),
        ({"since": date(2015, 7, 1), "until": date(2018, 1, 1)}, ["heel"]),
        ({"until": "9999"}, ["heel", "knee"]),
        ({"source": "*a.jsonl"}, ["heel", "knee", "loop"]),
        ({"source": "*/heel"}, ["heel"]),
        ({"tags": ["heel-pain"]}, ["heel"]),
        ({"tags": "joint"}, ["knee"]),
        ({"tags": ["joint", "foot"]}, []),
    ],
)
def test_filters_come_before_the_top_k(index: SearchIndex, filters: dict[str, Any], expected: list[str]) -> None:
    """As many hits as pass, though other posts are closer."""
    assert sorted(ids(index.search("knee on stairs", k=3, **filters))) == expected
    assert len(index.search("knee on stairs", k=1, **filters).hits) == min(1, len(expected))


@pytest.mark.parametrize("filters", [{"since": "tomorrow"}, {"until": "2015-13"}])
def test_a_date_that_is_none_is_told(index: SearchIndex, filters: dict[str, Any]) -> None:
    """With how to write one."""
    with pytest.raises(QueryError, match=r"is not a date. Write it like 2015"):
        index.search("knee", **filters)


@pytest.mark.parametrize(
    ("since", "until"), [("2015", "2010"), ("2015-07", "2015-06-30"), (date(2015, 1, 2), date(2015, 1, 1))]
)
def test_dates_the_wrong_way_round_are_an_error(index: SearchIndex, since: Any, until: Any) -> None:
    """In every function that takes them; one day, month or year is in order."""
    for search in (partial(index.search, "knee"), index.list_posts, lambda **dates: list(index.all_posts(**dates))):
        with pytest.raises(QueryError, match=r"is later than until \(.*Exchange them"):
            search(since=since, until=until)
        search(since=since, until=since)


def test_many_searches_at_once_give_the_same_as_one_by_one(index: SearchIndex) -> None:
    """In the same order."""
    texts = ["knee on stairs", "frozen bottle", "knee " * 100, "morning"]
    together = index.search_many(texts, k=3)
    assert [result.hits for result in together] == [index.search(text, k=3).hits for text in texts]
    assert all(result.hits for result in together)
    assert [result.query for result in together] == [text.strip() for text in texts]
    assert index.search_many([]) == []
    with pytest.raises(QueryError, match="a list of texts"):
        index.search_many("knee")


def test_a_result_is_its_json(index: SearchIndex) -> None:
    """The same names, lists for tuples, nothing that JSON cannot hold."""
    result = index.search("knee", k=2)
    document = result.to_dict()
    assert json.loads(json.dumps(document)) == document
    assert list(document) == ["query", "answered", "confidence", "hits", "took_ms"]
    assert list(document["hits"][0]) == [
        "rank", "post_id", "source_id", "title", "date", "source", "url", "tags", "score", "confidence",
        "matched", "passage", "highlight", "question", "answer", "newer", "repeated_by",
    ]  # fmt: skip
    assert list(document["hits"][0]["highlight"]) == ["field", "start", "end", "text"]


def test_a_manifest_that_lacks_something_is_damage(index: SearchIndex) -> None:
    """Named, with the way out."""
    seal(Path(index.info().index), lambda manifest: manifest.pop("confidence"))
    with pytest.raises(IndexDamagedError, match=r"lacks a valid confidence.*Build the index again"):
        SearchIndex.open(index.info().index)


def test_embed_gives_unit_vectors(index: SearchIndex) -> None:
    """float32, one row a text."""
    vectors = index.embed(["knee", "knee stairs " * 50])
    assert vectors.dtype == np.float32
    assert vectors.shape == (2, 64)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_another_model_is_refused(tmp_path: Path) -> None:
    """Its vectors mean nothing here, though they have the same length."""
    build_index(write_pages(tmp_path / "p", 1), tmp_path / "index", model=WordsEmbedder())
    with (
        SearchIndex.open(tmp_path / "index", model=WordsEmbedder(name="other")) as index,
        pytest.raises(ModelMismatchError, match=r"made with the model 'words' \(SHA-256 \w{12}\), not with 'other'"),
    ):
        index.search("knee")
    with SearchIndex.open(tmp_path / "index") as index:
        assert index.info().model["name"] == "words"
        with pytest.raises(ModelNotFoundError, match=r"was made with the model 'words', and .*not on this machine"):
            index.search("knee")
    # No search downloads a model, so none is told to.
    with (
        SearchIndex.open(tmp_path / "index", model="someone/unknown") as index,
        pytest.raises(ModelNotFoundError, match=r"'someone/unknown' is not .*let a build download it once \(download="),
    ):
        index.search("knee")


@pytest.mark.parametrize("path", [None, 5, b"index"])
def test_what_is_no_path_is_no_index(path: Any) -> None:
    """Whatever is done with it; a missing setting is often None."""
    for use in (SearchIndex.open, verify_index, index_log, undo_index, partial(build_index, None), tune):
        with pytest.raises(StoreError, match=rf"Unsupported index location: {type(path).__name__}\. Name a folder"):
            use(path)


@pytest.mark.parametrize(
    "location", ["index/model", "./index/model", "{index}/model", "{index}/../index/model", "{link}"]
)
def test_an_index_loads_no_model_that_it_brings(location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by a path below itself, however it is written, nor by one that depends on the current folder."""
    index = tmp_path / "index"
    build_index(write_pages(tmp_path / "p", 1), index, model=WordsEmbedder())
    monkeypatch.chdir(tmp_path)
    (index / "model").mkdir()
    (index / "model" / "modules.json").write_text("[]")
    (tmp_path / "link").symlink_to(index / "model")
    named = location.format(index=index, link=tmp_path / "link")
    seal(index, lambda manifest: manifest["model"].update(location=named, sha256=hash_model(index / "model")))
    with SearchIndex.open(index) as opened, pytest.raises(ModelError, match=r"A model inside an index is never loaded"):
        opened.search("knee")


def test_a_model_that_an_index_names_is_loaded_only_with_its_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is not the one that made the index is refused before anything in it is loaded."""
    index, folder = tmp_path / "index", tmp_path / "elsewhere"
    build_index(write_pages(tmp_path / "p", 1), index, model=WordsEmbedder())
    folder.mkdir()
    (folder / "modules.json").write_text("[]")
    seal(index, lambda manifest: manifest["model"].update(location=str(folder)))
    monkeypatch.setattr("qa_search.search.searchable.load_located", lambda located: pytest.fail("it was loaded"))
    with SearchIndex.open(index) as opened, pytest.raises(ModelMismatchError, match="not with 'elsewhere'"):
        opened.search("knee")
    folder.rename(tmp_path / "gone")
    with SearchIndex.open(index) as opened, pytest.raises(ModelNotFoundError, match=r"no model in .*model=PATH"):
        opened.search("knee")


def test_a_name_in_an_index_is_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an index calls its model is looked up among the models of this machine."""
    index = tmp_path / "index"
    build_index(write_pages(tmp_path / "p", 1), index, model=WordsEmbedder())
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted" / "modules.json").write_text("[]")
    monkeypatch.chdir(tmp_path)
    for name in ("planted", "./planted", str(tmp_path / "planted")):
        seal(index, lambda manifest, name=name: manifest["model"].update(name=name, location=""))  # type: ignore[misc]
        with SearchIndex.open(index) as opened, pytest.raises(ModelNotFoundError, match="not on this machine"):
            opened.search("knee")


def test_an_open_index_answers_from_its_generation_whatever_is_built(tmp_path: Path) -> None:
    """Until it is opened again; three rebuilds later too."""
    model = WordsEmbedder()
    pages = write_pages(tmp_path / "pages", 3)
    build_index(pages, tmp_path / "index", model=model)
    with SearchIndex.open(tmp_path / "index", model=model) as old:
        before = old.search("knee1 week1", k=3).hits
        for start in (10, 20, 30):
            write_pages(pages, 3, start)
            build_index(pages, tmp_path / "index", model=model)
            assert old.search("knee1 week1", k=3).hits == before
    with SearchIndex.open(tmp_path / "index", model=model) as new:
        assert len(new.search("knee1", k=100).hits) == 12


def test_threads_can_share_an_index(index: SearchIndex) -> None:
    """Eight at once, each gets its own answer."""
    expected = {text: index.search(text, k=3).hits for text in ("knee on stairs", "frozen bottle")}
    assert all(expected.values())
    wrong: list[str] = []

    def work(text: str) -> None:
        for _ in range(20):
            wrong.extend([text] * (index.search(text, k=3).hits != expected[text]))

    threads = [threading.Thread(target=work, args=(text,)) for text in list(expected) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_filtered_search_equals_brute_force(tmp_path: Path) -> None:
    """On posts with random dates and tags: the same posts as filtering the list of all."""
    rng = np.random.default_rng(5)
    records = [
        {
            "id": str(n),
            "question": " ".join(f"w{w}" for w in rng.integers(0, 40, 12)),
            "answer": " ".join(f"w{w}" for w in rng.integers(0, 40, 12)),
            "date": f"20{rng.integers(10, 20)}-0{rng.integers(1, 10)}-01",
            "tags": [f"t{t}" for t in rng.integers(0, 4, 2)],
        }
        for n in range(300)
    ]
    model = WordsEmbedder()
    build_index(write_jsonl(tmp_path / "r.jsonl", records), tmp_path / "index", model=model)
    with SearchIndex.open(tmp_path / "index", model=model) as index:
        for tag in ("t0", "t1"):
            for since in ("2012", "2018", "2019-06"):
                everything = index.search("w1 w2 w3 w4", k=300).hits
                passing = [hit.source_id for hit in everything if (hit.date or "") >= since and tag in hit.tags]
                found = index.search("w1 w2 w3 w4", k=5, since=since, tags=[tag])
                assert len(passing) >= 5
                assert ids(found) == passing[:5]


def test_refresh_moves_to_what_a_build_published(index: SearchIndex, tmp_path: Path) -> None:
    """Until then the old posts answer; a search that was going on is not disturbed."""
    path = Path(index.info().index)
    assert not index.refresh()
    build_index(write_pages(tmp_path / "pages", 2), path, model=WordsEmbedder(), allow_shrink=True)
    assert "knee" in ids(index.search("knee", k=10))
    embedder = index.embedder
    assert index.refresh()
    assert not index.refresh()
    assert ids(index.search("knee1", k=1)) == ["post-00001.txt"]
    assert index.embedder is embedder


def test_several_open_indexes_move_together(index: SearchIndex, tmp_path: Path) -> None:
    """Each prepares while the previous generation answers; what is published in between is left for the next time."""
    path = Path(index.info().index)
    with SearchIndex.open(path, model=WordsEmbedder()) as other:
        both = (index, other)
        assert index.version == other.version == index.prepare()
        build_index(write_pages(tmp_path / "pages", 2), path, model=WordsEmbedder(), allow_shrink=True)
        targets = [one.prepare() for one in both]
        assert targets[0] == targets[1] != index.version
        assert [len(one.search("knee", k=10).hits) for one in both] == [3, 3]
        build_index(write_pages(tmp_path / "pages", 4), path, model=WordsEmbedder())
        assert [one.move() for one in both] == [True, True]
        assert [one.version for one in both] == targets
        assert [one.generation.name for one in both] == ["g000002", "g000002"]
        (path / "curation.toml").write_text("", encoding="utf-8")
        assert index.refresh()
        assert index.version != other.version
        assert other.refresh()
        assert index.version == other.version


def test_refresh_keeps_what_answers_if_the_new_generation_is_damaged(index: SearchIndex, tmp_path: Path) -> None:
    """The damage is told, and the old posts go on answering."""
    path = Path(index.info().index)
    build_index(write_pages(tmp_path / "pages", 2), path, model=WordsEmbedder(), allow_shrink=True)
    database = path / "generations" / "g000002" / "posts.sqlite"
    database.write_bytes(database.read_bytes()[:-1] + b"x")
    with pytest.raises(IndexDamagedError, match=r"posts\.sqlite: checksum mismatch"):
        index.refresh()
    assert len(index.search("knee", k=10).hits) == 3


def test_similar_finds_other_posts_than_the_post_itself(index: SearchIndex) -> None:
    """Ranked by its question, within the filters; whether the others answer it is judged without itself."""
    knee = index.search("knee stairs", k=3).hits
    own = next(hit for hit in knee if hit.source_id == "knee")
    assert ids(index.similar(own.post_id, k=5)) == ["loop", "heel"]
    assert ids(index.similar(own.post_id, k=5, since="2018")) == ["heel"]
    assert [hit.rank for hit in index.similar(own.post_id, k=5).hits] == [1, 2]
    with pytest.raises(QueryError, match="'nonsense': the index has no post with this id"):
        index.similar("nonsense")


def test_neighbours_are_the_pages_that_a_page_links_to(tmp_path: Path) -> None:
    """By title within the same folder; of several with one title, the one that links back."""
    pages = tmp_path / "pages"
    pages.mkdir()
    for name, title, links in (
        ("a", "First", "- Prev:\n- Next:Update"),
        ("b", "Update", "- Prev:First\n- Next:Gone"),
        ("c", "update", "- Prev:Gone\n- Next:"),
        ("d", "Alone", ""),
    ):
        text = f"{title}\n2015/1/2 3:04:05\nQuestion\nMy knee {name} hurts.\nAnswer\nRest it {name}.\n{links}\n"
        (pages / f"{name}.txt").write_text(text, encoding="utf-8")
    build_index(pages, tmp_path / "index", model=WordsEmbedder())
    with SearchIndex.open(tmp_path / "index", model=WordsEmbedder()) as opened:
        by_name = {hit.source_id: hit.post_id for hit in opened.search("knee hurts", k=10).hits}
        found = {
            name: tuple(other and other.source_id for other in opened.neighbours(post_id))
            for name, post_id in by_name.items()
        }
        assert opened.neighbours("nonsense") == (None, None)
    assert found == {"a.txt": (None, "b.txt"), "b.txt": ("a.txt", None), "c.txt": (None, None), "d.txt": (None, None)}


@pytest.mark.parametrize("threads", ["0", "-1", "many", "1.5", "9999999999"])
def test_threads_that_are_no_number_are_told(index: SearchIndex, monkeypatch: pytest.MonkeyPatch, threads: str) -> None:
    """With the variable's name."""
    monkeypatch.setenv("QA_SEARCH_THREADS", threads)
    with pytest.raises(QueryError, match="QA_SEARCH_THREADS must be a number from 1 to 1024"):
        index.search("knee")


def test_threads_do_not_change_what_is_found(index: SearchIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread or three, one by one or many at once."""
    texts = [f"knee {number} stairs" for number in range(70)]
    found = []
    for threads in ("1", "3"):
        monkeypatch.setenv("QA_SEARCH_THREADS", threads)
        found.append([ids(result) for result in index.search_many(texts)])
    assert all(found[0])
    assert found[0] == found[1] == [ids(index.search(text)) for text in texts]


def test_a_post_is_marked_for_a_complaint_whatever_else_there_is(index: SearchIndex) -> None:
    """As the hit that a search finds, also where the post is far from it; an unknown id is an error."""
    found = index.search("frozen bottle", k=3).hits
    for hit in found:
        marked = index.match(hit.post_id, "frozen bottle")
        assert (marked.post_id, marked.highlight, marked.passage) == (hit.post_id, hit.highlight, hit.passage)
        assert marked.rank == 1
    assert index.match(found[0].post_id, "frozen bottle", explain=True).explain is not None
    for unknown in ("nonsense", "x" * 99, "a b"):
        with pytest.raises(QueryError, match="the index has no post with this id"):
            index.match(unknown, "knee")
    with pytest.raises(QueryError, match="is empty"):
        index.match(found[0].post_id, " ")


def test_posts_are_listed_the_newest_first_and_filtered(index: SearchIndex) -> None:
    """Those without a date come last; a page of the list is where the one before it ended."""

    def listed(k: int = 20, **options: Any) -> list[str]:
        return [post.source_id for post in index.list_posts(k, **options)]

    assert listed() == ["heel", "knee", "loop"]
    assert listed(oldest_first=True) == ["knee", "heel", "loop"]
    assert (listed(2), listed(2, skip=2), listed(2, skip=9)) == (["heel", "knee"], ["loop"], [])
    assert listed(since="2015", until="2015") == listed(tags=["joint"]) == ["knee"]
    assert listed(source="*/a.jsonl/h*") == listed(tags=["heel pain"]) == ["heel"]
    for wrong in ({"k": 0}, {"skip": -1}, {"skip": True}, {"skip": 2**40}, {"since": "soon"}):
        with pytest.raises(QueryError):
            listed(**wrong)


def test_all_posts_come_in_the_order_of_the_archive(index: SearchIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole, and a few at a time, so that an archive of any size can be written out."""
    monkeypatch.setattr("qa_search.search.search_index._EXPORTED_BLOCK", 2)
    posts = list(index.all_posts())
    assert [post.source_id for post in posts] == ["knee", "heel", "loop"]
    assert [index.post(post.post_id) for post in posts] == posts
    assert [post.source_id for post in index.all_posts(since="2016")] == ["heel"]


def test_info_counts_years_and_tags_and_the_bytes_that_verify_reads(index: SearchIndex, tmp_path: Path) -> None:
    """What an owner says of an archive; the same size from both."""
    info = index.info()
    assert dict(info.years) == {"2015": 1, "2018": 1}
    assert dict(info.tags) == {"foot": 1, "heel-pain": 1, "joint": 1}
    (check,) = verify_index(tmp_path / "index").generations
    assert info.bytes == check.bytes
