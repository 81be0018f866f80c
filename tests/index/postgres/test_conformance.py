"""Every store gives the same answers: an index folder, PostgreSQL, and PostgreSQL on two shards.

All are loaded from one build, and all are compared with brute force over its vectors, or with the folder.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import psycopg
import pytest
from rapidfuzz.distance import OSA

from devtools.postgres_servers import Server
from qa_search import SearchIndex, build_index
from qa_search.embedders.base import Vectors
from qa_search.index.filters import Filters
from qa_search.index.postgres import readers
from qa_search.index.postgres.index import StoredGeneration
from qa_search.index.postgres.patterns import glob_to_regex
from qa_search.index.postgres.readers import PostgresVectors
from qa_search.search.query import SearchParameters
from qa_search.util.terms import ENGLISH
from tests.helpers import page, write_jsonl
from tests.index.postgres.conftest import QuickWords

STORES = ("folder", "postgres", "shards")
POSTS = 700
# A vector is stored in half precision; so much may an inner product be off.
PRECISION = 2e-3
_PLACES = ["knee", "heel", "shin", "hip", "calf", "elbow", "wrist", "back", "toe", "groin", "neck", "thigh"]
_FILLERS = [f"word{number}" for number in range(400)]


def archive(folder: Path) -> list[Path]:
    """Write an archive with all that posts can have: dates, tags, copies, links, gaps, unreadable records."""
    chance = random.Random(7)  # noqa: S311 - a sample, not a secret
    records: list[object] = []
    for number in range(POSTS):
        place = chance.choice(_PLACES)
        talk = [" ".join(chance.choices([*_FILLERS[: 20 * (1 + number % 20)], place], k=chance.randrange(4, 30)))
                for _ in range(chance.randrange(1, 5))]  # fmt: skip
        records.append({
            "id": f"q{number}", "title": f"{place} trouble {number}", "question": f"My {place} hurts. {talk[0]}.",
            "answer": ". ".join(talk) + ".", "tags": ["Sore " + place, "even" if number % 2 == 0 else "odd"],
            "date": f"{2001 + number % 20}-{1 + number % 12:02}-{1 + number % 28:02}" if number % 7 else None,
            "score": 3_000_000_000 if number == 5 else number, "url": f"https://example.org/{number}",
        })  # fmt: skip
    copy = {**records[3], "id": "copy-of-3", "date": "2030-01-01", "tags": ["copied"]}  # type: ignore[dict-item]
    long = " ".join(chance.choices(_FILLERS, k=5000))
    records += [
        {"id": f"long{words}", "question": f"Long {words}", "answer": long[:words]} for words in (900, 4000, 30_000)
    ]
    records += [{"id": "open", "title": "unanswered", "question": "Who knows?"}, {"answer": 5}]
    write_jsonl(folder / "forum" / "posts.jsonl", records)
    write_jsonl(folder / "forum" / "reposts.jsonl", [copy])
    pages = folder / "pages"
    pages.mkdir()
    for number in range(4):
        links = f"- Prev:Page {number - 1}\n- Next:Page {number + 1}\n"
        text = page(f"Page {number}", f"Question {number} about the knee.", f"Answer {number} [sic].", links=links)
        (pages / f"p[{number}].txt").write_text(text, encoding="utf-8")
    return [folder / "forum", pages]


@pytest.fixture(scope="module")
def places(
    tmp_path_factory: pytest.TempPathFactory, server: Server, new_database: Callable[[Server], str]
) -> dict[str, str]:
    """The same build in a folder and in a database."""
    home = tmp_path_factory.mktemp("conformance")
    folder, url = str(home / "index"), new_database(server)
    build_index(archive(home), folder, model=QuickWords(), store=url)
    return {"folder": folder, "postgres": url, "archive": str(home)}


@pytest.fixture(scope="module", params=STORES)
def index(
    request: pytest.FixtureRequest, places: dict[str, str], new_database: Callable[[Server], str]
) -> Iterator[SearchIndex]:
    """The index in one store after the other."""
    place = places.get(request.param)
    if request.param == "shards":
        cluster: list[Server] = request.getfixturevalue("cluster")
        place, *shards = map(new_database, cluster)
        sources = [Path(places["archive"], name) for name in ("forum", "pages")]
        build_index(sources, places["folder"], model=QuickWords(), store=place, shards=shards)
    assert place is not None
    with SearchIndex.open(place, model=QuickWords()) as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(places: dict[str, str]) -> Iterator[SearchIndex]:
    """The folder, to compare with."""
    with SearchIndex.open(places["folder"], model=QuickWords()) as opened:
        yield opened


def all_vectors(folder: SearchIndex) -> Vectors:
    vectors: Any = folder.retriever.vectors
    return np.concatenate(list(vectors.blocks()))


def require_same_up_to_ties(found: Any, scores: Any, exact: Any, k: int) -> None:
    """Every hit's true score is as good as brute force's at its rank, within the stored precision."""
    assert len(set(found)) == len(found) == k
    best = np.sort(exact)[::-1][:k]
    assert np.abs(exact[found] - best).max() < PRECISION
    assert np.abs(scores - exact[found]).max() < PRECISION


@pytest.mark.parametrize("k", [1, 10, 100, 5000])
def test_vector_search_is_brute_force(index: SearchIndex, folder: SearchIndex, k: int) -> None:
    """The same hits, up to ties; all there are where fewer are there than wanted."""
    vectors = all_vectors(folder)
    queries = QuickWords().embed_queries(["my knee hurts", "word3 word17 of the heel", "toe"])
    k = min(k, len(vectors))
    scores, ids = index.retriever.vectors.search(queries, k)
    for row, query in enumerate(queries):
        require_same_up_to_ties(ids[row], scores[row], vectors @ query, k)


@pytest.mark.parametrize("filtered", [False, True])
def test_the_index_of_vectors_finds_what_brute_force_finds(
    index: SearchIndex, folder: SearchIndex, filtered: bool
) -> None:
    """HNSW, where a store has it: recall at 10 of .95 and more, and never fewer hits than there are."""
    retriever = index.retriever
    filters = SearchParameters(tags=["even"]).filters()
    expected = folder.retriever.owners.allowed_passages(folder.retriever.posts.allowed_posts(filters))
    allowed: Any = None
    if filtered:
        allowed = retriever.owners.allowed_passages(retriever.posts.allowed_posts(filters))
    store: Any = retriever.vectors
    generation = index.generation
    if isinstance(generation, StoredGeneration):
        schema = generation.manifest.files.tables.vectors
        store = PostgresVectors(
            generation.connections, 64, store.count, sharded=generation.sharded, vectors=schema, exact_passages=0
        )
        if not generation.sharded:
            generation.connections.rows("SELECT set_config('enable_seqscan', 'off', false)")
    vectors = all_vectors(folder)
    chosen = np.arange(len(vectors)) if not filtered else expected
    queries = QuickWords().embed_queries([f"{place} trouble {filler}" for place in _PLACES for filler in _FILLERS[:5]])
    _, found = store.search(queries, 10, allowed)
    truth = [set(chosen[np.argsort(-(vectors[chosen] @ query), kind="stable")[:10]].tolist()) for query in queries]
    hits = [len(one & set(other.tolist())) for one, other in zip(truth, found, strict=True)]
    ties = np.asarray([np.sort(vectors[chosen] @ query)[-10] for query in queries])
    close = [
        sum(float(vectors[number] @ query) >= tie - PRECISION for number in row)
        for row, query, tie in zip(found, queries, ties, strict=True)
    ]
    assert found.shape == (len(queries), 10)
    assert np.isin(found, chosen).all()
    assert sum(map(max, hits, close)) / (10 * len(queries)) >= 0.95


def test_vectors_come_back_as_precise_as_they_are_stored(index: SearchIndex, folder: SearchIndex) -> None:
    """In any order, and the same one twice."""
    vectors = all_vectors(folder)
    numbers = np.asarray([len(vectors) - 1, 0, 17, 17, 3])
    assert np.abs(index.retriever.vectors.reconstruct(numbers) - vectors[numbers]).max() < 5e-4


@pytest.mark.parametrize("most", [0, 3])
def test_filters_that_leave_many_posts_stay_a_condition(
    folder: SearchIndex, places: dict[str, str], monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """The same hits as where the posts are named."""
    monkeypatch.setattr(readers, "_MOST_LISTED", most)
    with SearchIndex.open(places["postgres"], model=QuickWords()) as opened:
        for filters in ({"tags": ["even"]}, {"since": "2011"}, {"source": "*q1?"}, {"tags": ["none"]}):
            expected, found = (one.search("my knee, word3", 20, **filters) for one in (folder, opened))
            assert [hit.score for hit in found.hits] == pytest.approx(
                [hit.score for hit in expected.hits], abs=PRECISION
            )


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"tags": ["sore knee"]},
        {"tags": ["EVEN", "Sore_Heel"]},
        {"tags": ["nobody's"]},
        {"since": "2011"},
        {"until": "2005-06"},
        {"since": "2003-02-03", "until": "2003-02-03"},
        {"until": "9999"},
        {"source": "*.jsonl"},
        {"source": "*pages*"},
        {"source": "*/q1?"},
        {"source": "*q[1-3]0"},
        {"source": "*q[^1-3]0"},
        {"source": "*p[[]2].txt"},
        {"source": "*q[]3-1]1"},
        {"source": "*q1["},
        {"source": "*.JSONL"},
        {"source": "*\\*"},
        {"since": "2004", "until": "2009", "source": "*posts*", "tags": ["odd"]},
        {"tags": ["copied"]},
        {"since": "2030"},
    ],
    ids=str,
)
def test_filters_leave_the_same_posts(index: SearchIndex, folder: SearchIndex, filters: dict[str, Any]) -> None:
    """Dates, patterns and tags mean what they mean in SQLite; the hits are the same ones in the same order."""
    text = "my knee and my heel hurt, word3"
    expected = folder.search(text, 300, **filters)
    found = index.search(text, 300, **filters)
    assert [hit.score for hit in found.hits] == pytest.approx([hit.score for hit in expected.hits], abs=PRECISION)
    assert {hit.post_id for hit in found.hits} == {hit.post_id for hit in expected.hits}
    assert found.confidence == pytest.approx(expected.confidence, abs=0.01)
    selected = SearchParameters(**filters).filters()
    assert len(index.retriever.posts.allowed_posts(selected)) == len(folder.retriever.posts.allowed_posts(selected))


def test_any_pattern_means_what_it_means_in_sqlite(server: Server) -> None:
    """Sets, ranges, stars and what looks like a regular expression, on texts that nearly match."""
    chance = random.Random(5)  # noqa: S311 - a sample, not a secret
    alphabet = "aab-^[]]*?[.\\{é\n"
    patterns = ["".join(chance.choices(alphabet, k=chance.randrange(9))) for _ in range(1500)]
    texts = ["".join(chance.choices("aab-^[].\\{é\n", k=chance.randrange(6))) for _ in range(40)]
    sqlite = apsw.Connection(":memory:")
    with psycopg.connect(server.url()) as connection:
        for pattern in patterns:
            regex = glob_to_regex(pattern)
            found = sqlite.execute("SELECT value FROM json_each(?) WHERE value GLOB ?", (json.dumps(texts), pattern))
            expected = {text for (text,) in found}
            if regex is None:
                assert not expected
                continue
            query = 'SELECT text FROM unnest(%s::text[]) AS text WHERE text COLLATE "C" ~ %s'
            rows = connection.execute(query, [texts, regex])
            assert {text for (text,) in rows} == expected, pattern


@pytest.mark.parametrize(
    "text", ["knee", "sore knee word3 word3 word399", "trouble 17 heel", "long word7 word8", "nothing-like-this", ""]
)
def test_words_have_the_same_scores(index: SearchIndex, folder: SearchIndex, text: str) -> None:
    """BM25 as tantivy has it, to its rounding of lengths; with and without filters."""
    weights = ENGLISH.query_weights(text)
    for tags in ((), ("even",)):
        filters = SearchParameters(tags=tags).filters()
        scores = []
        for opened in (index, folder):
            allowed = opened.retriever.posts.allowed_posts(filters) if tags else None
            numbers, values = opened.retriever.words.search(weights, 10 * POSTS, allowed)
            scores.append(dict(zip(numbers.tolist(), values.tolist(), strict=True)))
        assert scores[0] == pytest.approx(scores[1], rel=1e-5)
    words, expected = index.retriever.words, folder.retriever.words
    assert words.idf(weights) == pytest.approx(expected.idf(weights), rel=1e-9)
    assert words.bm25(weights, ["sore", "knee"], 9) == pytest.approx(
        expected.bm25(weights, ["sore", "knee"], 9), rel=1e-9
    )
    assert words.count == expected.count


@pytest.mark.parametrize("term", ["kneee", "troubel", "heal", "wrod3", "zzzz"])
def test_posts_with_a_term_nearby_are_found(index: SearchIndex, folder: SearchIndex, term: str) -> None:
    """All that have one that begins alike, by brute force; the folder finds those that begin otherwise too."""
    posts, terms_of = folder.retriever.posts, folder.retriever.analysis.terms_of
    terms = {number: set(terms_of(posts.entry(number).text)) for number in range(folder.retriever.words.count)}
    for edits in (1, 2):
        expected = {
            number
            for number, found in terms.items()
            if any(other[0] == term[0] and OSA.distance(term, other) <= edits for other in found)
        }
        assert set(index.retriever.words.near(term, edits, 10 * POSTS)) == expected
        assert set(folder.retriever.words.near(term, edits, 10 * POSTS)) >= expected
        assert len(index.retriever.words.near(term, edits, 3)) == min(len(expected), 3)


def test_passages_and_posts_belong_together(index: SearchIndex, folder: SearchIndex) -> None:
    """Which passages are whose, on which side, and where in the text."""
    owners, expected = index.retriever.owners, folder.retriever.owners
    posts = np.asarray([0, 3, 99, 401])
    passages, starts = owners.passages_of(posts)
    assert (passages.tolist(), starts.tolist()) == tuple(part.tolist() for part in expected.passages_of(posts))
    assert owners.sides_of(passages) == expected.sides_of(passages)
    some = np.asarray([5, 900, 5, 17])
    assert owners.posts_of(some).tolist() == expected.posts_of(some).tolist()
    assert index.retriever.posts.passages(some.tolist()) == folder.retriever.posts.passages(some.tolist())


def test_posts_their_ids_and_their_links_are_the_same(index: SearchIndex, folder: SearchIndex) -> None:
    """Whatever can be asked of a post."""
    posts, expected = index.retriever.posts, folder.retriever.posts
    for number in (0, 3, 5, 14, POSTS, POSTS + 4):
        post = expected.entry(number)
        assert posts.entry(number) == post
        assert index.post(post.post_id) == folder.post(post.post_id)
        assert index.post_ids(post.post_id) == folder.post_ids(post.post_id)
        assert index.neighbours(post.post_id) == folder.neighbours(post.post_id)
        assert posts.number_of(post.post_id) == number
        assert posts.source_ids_of(post.post_id) == expected.source_ids_of(post.post_id)
    copied = expected.find(folder.search("knee", tags=["copied"]).hits[0].post_id)
    assert posts.entry(3, Filters(tags=("copied",))) == copied
    assert posts.source_ids([3, 0]) == expected.source_ids([3, 0])
    assert index.neighbours(expected.entry(POSTS + 4).post_id)[1] is not None
    assert index.post("none") is None
    assert posts.counts() == expected.counts()


@pytest.mark.parametrize(
    "filters", [{}, {"since": "2005", "until": "2012-06"}, {"tags": ["even", "sore knee"]}, {"source": "*/forum/rep*"}]
)
def test_lists_of_posts_are_the_same(index: SearchIndex, folder: SearchIndex, filters: dict[str, Any]) -> None:
    """Page by page, and all of them."""
    for skip in (0, 7, 690):
        assert index.list_posts(10, skip=skip, **filters) == folder.list_posts(10, skip=skip, **filters)
    found = list(index.all_posts(**filters))
    assert found == list(folder.all_posts(**filters))
    assert index.match(found[0].post_id, "knee").highlight == folder.match(found[0].post_id, "knee").highlight


def test_what_an_archivist_asks_of_the_posts_is_the_same(index: SearchIndex, folder: SearchIndex) -> None:
    """Hidden posts, dates, and questions without an answer."""
    posts, reference = index.retriever.posts, folder.retriever.posts
    hidden, numbers = Filters(hidden=(0, 2)), list(range(8))
    assert posts.passing(numbers, hidden) == reference.passing(numbers, hidden) == numbers[1:2] + numbers[3:]
    assert len(posts.allowed_posts(hidden)) == len(reference.allowed_posts(hidden))
    assert posts.dates(numbers) == reference.dates(numbers)
    assert posts.latest_date("2016") == reference.latest_date("2016")
    assert posts.unanswered() == reference.unanswered()


def test_what_is_said_of_the_index_is_the_same(index: SearchIndex, folder: SearchIndex) -> None:
    """Counts, sources, what could not be read, which pages are missing."""
    found, expected = index.info().to_dict(), folder.info().to_dict()
    for name in ("index", "generation", "bytes", "created", "vector_index"):
        del found[name], expected[name]
    assert found == expected


def test_whole_searches_are_the_same(index: SearchIndex, folder: SearchIndex) -> None:
    """Hits with their highlights and reasons, for one complaint and for many; more like a post."""
    texts = ["my knee hurts", "Sore shin since word7. And the heel, too! word12 word13.", "toe", "word3 " * 60]
    for found, expected in zip(
        index.search_many(texts, 5, explain=True), folder.search_many(texts, 5, explain=True), strict=True
    ):
        assert [hit.score for hit in found.hits] == pytest.approx([hit.score for hit in expected.hits], abs=PRECISION)
        assert found.answered == expected.answered
        same = {hit.post_id: hit for hit in found.hits}
        for hit in expected.hits:
            if hit.post_id in same:
                other = same[hit.post_id]
                assert (hit.title, hit.question, hit.answer, hit.date) == (
                    other.title, other.question, other.answer, other.date,
                )  # fmt: skip
    first = folder.search(texts[0]).hits[0].post_id
    similar, expected_similar = index.similar(first), folder.similar(first)
    assert [hit.score for hit in similar.hits] == pytest.approx(
        [hit.score for hit in expected_similar.hits], abs=PRECISION
    )
    assert first not in {hit.post_id for hit in similar.hits}


def test_runs_for_measuring_are_the_same(index: SearchIndex, folder: SearchIndex) -> None:
    """The rankings that evaluation compares."""
    texts = ["my knee hurts", "heel and toe"]
    found, expected = (opened.run(texts, 20, rankings=("default", "lexical")) for opened in (index, folder))
    for name, runs in expected.items():
        for one, other in zip(runs, found[name], strict=True):
            assert [score for _, score in other] == pytest.approx([score for _, score in one], abs=PRECISION)
