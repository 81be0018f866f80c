"""The lexical store: against BM25 worked out by hand, filters, read-only folders and damage."""

from __future__ import annotations

import hashlib
import math
import shutil
from collections import Counter
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest

from qa_search.errors import IndexDamagedError, IndexFolderError
from qa_search.index.folder_stores import damage_in
from qa_search.index.stores import lexical
from qa_search.index.stores.lexical import LEXICAL_FOLDER, ChunkedWriter, LexicalStore, LexicalWriter, chunks_of
from qa_search.index.stores.records import WordChunk
from qa_search.util.terms import ENGLISH

TEXTS = (
    "My knee hurts on stairs, the other knee is fine.",
    "Stretching the hamstrings did not help my hamstring.",
    "Sore knees and sore hamstrings after a marathon",
    "What does it cost?",
    "",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    writer = LexicalWriter(tmp_path, ENGLISH)
    for number, text in enumerate(TEXTS):
        writer.add(number, text)
    writer.close()
    return tmp_path


def bm25(query: str) -> dict[int, float]:
    """BM25 with k1 = 1.2 and b = 0.75, as Robertson and Lucene have it."""
    documents = [ENGLISH.terms_of(text) for text in TEXTS]
    average = sum(map(len, documents)) / len(documents)
    scores: dict[int, float] = {}
    for term, weight in ENGLISH.query_weights(query).items():
        holders = sum(term in document for document in documents)
        idf = math.log(1 + (len(documents) - holders + 0.5) / (holders + 0.5))
        for number, document in enumerate(documents):
            count = Counter(document)[term]
            if count:
                norm = count + 1.2 * (1 - 0.75 + 0.75 * len(document) / average)
                scores[number] = scores.get(number, 0) + weight * idf * count * 2.2 / norm
    return scores


@pytest.mark.parametrize("query", ["sore hamstrings", "knees on the stairs, knee", "marathon cost stretching"])
def test_scores_are_bm25(folder: Path, query: str) -> None:
    """Term by term, a repeated term counting by its logarithm."""
    numbers, scores = LexicalStore(folder, len(TEXTS)).search(ENGLISH.query_weights(query), 10)
    expected = bm25(query)
    assert dict(zip(numbers.tolist(), scores.tolist(), strict=True)) == pytest.approx(expected, rel=1e-3)
    assert numbers.tolist() == sorted(expected, key=lambda number: (-expected[number], number))


def test_terms_are_words_without_endings_accents_and_function_words() -> None:
    """As they are indexed."""
    assert ENGLISH.terms_of("Why doesn't my Café KNEE stop hurting?") == ["cafe", "knee", "stop", "hurt"]
    assert ENGLISH.terms_of("of the and") == []


def test_only_allowed_posts_are_found(folder: Path) -> None:
    """And all of them that have a term."""
    store = LexicalStore(folder, len(TEXTS))
    numbers, scores = store.search(ENGLISH.query_weights("knee hamstring"), 10, np.array([1, 3]))
    assert numbers.tolist() == [1]
    everywhere = dict(
        zip(*(found.tolist() for found in store.search(ENGLISH.query_weights("knee hamstring"), 10)), strict=True)
    )
    assert scores[0] == pytest.approx(everywhere[1])
    assert len(store.search(ENGLISH.query_weights("knee"), 10, np.empty(0, np.int64))[0]) == 0


@pytest.mark.parametrize("share", [0.03, 0.3, 0.9, 1.0])
def test_a_filter_is_exact_however_it_is_searched(
    share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best that pass, whether they are picked out of the best of all or looked for by their numbers."""
    chance = np.random.default_rng(3)
    writer = LexicalWriter(tmp_path, ENGLISH)
    for number in range(2000):
        writer.add(number, " ".join(f"w{word}" for word in chance.zipf(1.4, chance.integers(3, 40)) % 300))
    writer.close()
    store = LexicalStore(tmp_path, 2000)
    allowed = np.flatnonzero(chance.random(2000) <= share)
    unlucky = np.setdiff1d(allowed, store.search(ENGLISH.query_weights("w7 w9 w30"), 300)[0])  # none of the best passes
    for query, passing in [(f"w{first} w{first + 5} w2", allowed) for first in range(2, 60)] + [("w7 w9 w30", unlucky)]:
        found = {}
        for most in (0, 10_000):
            monkeypatch.setattr(lexical, "_MOST_LOOKED_AT", most)
            found[most] = store.search(ENGLISH.query_weights(query), 40, passing)
        assert np.array_equal(found[0][0], found[10_000][0])
        assert found[0][1] == pytest.approx(found[10_000][1])
        assert np.isin(found[0][0], passing).all()


def test_nothing_to_look_for_finds_nothing(folder: Path) -> None:
    """No terms, unknown terms, an archive without words."""
    store = LexicalStore(folder, len(TEXTS))
    assert len(store.search({}, 5)[0]) == len(store.search(ENGLISH.query_weights("xyzzy"), 5)[0]) == 0
    assert len(store.search(ENGLISH.query_weights("knee"), 0)[0]) == 0


def test_rarer_terms_weigh_more(folder: Path) -> None:
    """Unknown ones most."""
    idf = LexicalStore(folder, len(TEXTS)).idf(["knee", "marathon", "xyzzy"])
    assert 0 < idf["knee"] < idf["marathon"] < idf["xyzzy"]


def test_opening_writes_nothing(folder: Path) -> None:
    """Not even a lock file; and it works where nothing can be written, for another user too."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    for path in before:
        path.chmod(0o555 if path.is_dir() else 0o444)
    folder.chmod(0o555)
    store = LexicalStore(folder, len(TEXTS))
    assert len(store.search(ENGLISH.query_weights("knee"), 5)[0]) == 2
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    folder.chmod(0o755)
    (folder / LEXICAL_FOLDER).chmod(0o755)


def test_everybody_may_read_what_anybody_built(folder: Path) -> None:
    """Tantivy itself would let only the builder read some of its files."""
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in folder.rglob("*"))


def test_nothing_is_left_behind(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The links that opening needs are gone when it is done."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    store = LexicalStore(folder, len(TEXTS))
    assert not list(scratch.iterdir())
    assert len(store.search(ENGLISH.query_weights("knee"), 5)[0]) == 2


def test_a_full_or_missing_temporary_folder_is_told(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the way out; the index itself is not called damaged."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(IndexFolderError, match="TMPDIR") as raised:
        LexicalStore(folder, len(TEXTS))
    assert not isinstance(raised.value, IndexDamagedError)


@pytest.mark.parametrize("name", ["meta.json", "*.idx", "*.term", "*.fast"])
def test_a_missing_file_is_named_damage(folder: Path, name: str) -> None:
    """With the way out."""
    next((folder / LEXICAL_FOLDER).glob(name)).unlink()
    with pytest.raises(IndexDamagedError, match="Build the index again"):
        LexicalStore(folder, len(TEXTS), damage_in(folder))


def hashed(number: int) -> bytes:
    return hashlib.blake2b(str(number).encode(), digest_size=16).digest()


def test_chunks_depend_on_what_is_in_them() -> None:
    """A post that comes, goes or moves changes the chunk that it is in, and at most the next."""
    posts = [hashed(number) for number in range(60_000)]
    before = list(chunks_of(posts))
    assert [first for first, _, _ in before] == [0, *accumulate(count for _, count, _ in before)][:-1]
    assert sum(count for _, count, _ in before) == len(posts)
    assert all(lexical._LEAST_CHUNK <= count <= lexical._MOST_CHUNK for _, count, _ in before[:-1])
    assert 4 <= len(before) <= 15
    known = {texts for _, _, texts in before}
    for changed in (
        [*posts[:30000], hashed(-1), *posts[30000:]],
        posts[:30_000] + posts[30_001:],
        [*posts, hashed(-2)],
    ):
        assert len([texts for _, _, texts in chunks_of(changed) if texts not in known]) <= 2


def test_posts_that_are_all_alike_to_the_hash_are_cut_all_the_same() -> None:
    """No chunk grows without end."""
    sizes = [count for _, count, _ in chunks_of([b"\1" * 16] * 80_000)]
    assert sizes == [lexical._MOST_CHUNK, lexical._MOST_CHUNK, 80_000 - 2 * lexical._MOST_CHUNK]


def write_chunks(
    folder: Path, chunks: list[list[str]], known: list[WordChunk], before: Path | None = None
) -> list[WordChunk]:
    """Write chunks of texts, and keep those that are known: their files are taken from the folder before."""
    folder.mkdir()
    writer = ChunkedWriter(folder, ENGLISH, known)
    for texts in chunks:
        name = hashlib.blake2b(repr(texts).encode()).hexdigest()
        found = writer.known(name, len(texts))
        if found is None or before is None:
            writer.write(name, enumerate(texts))
            continue
        for segment in found.segments:
            for path in (before / LEXICAL_FOLDER).glob(f"{segment.replace('-', '')}.*"):
                shutil.copy(path, folder / LEXICAL_FOLDER)
        writer.keep(found)
    return list(writer.close())


def found_in(
    folder: Path, chunks: list[WordChunk], count: int, allowed: list[int] | None = None
) -> list[list[tuple[int, float]]]:
    store = LexicalStore(folder, count, chunks=chunks)
    only = None if allowed is None else np.array(allowed, np.int64)
    results = []
    for query in ("knee", "hamstrings after stairs", "marathon cost", "text7 text70 text11"):
        numbers, scores = store.search(ENGLISH.query_weights(query), 50, only)
        results.append(
            [(number, round(score, 5)) for number, score in zip(numbers.tolist(), scores.tolist(), strict=True)]
        )
    return results


def test_kept_chunks_answer_as_new_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In any order, between new ones, with filters: numbers and scores are those of words that are written at once."""
    texts = [f"{TEXTS[number % 4]} text{number} text{number % 12}" for number in range(90)]
    first = [texts[:20], texts[20:50], texts[50:70]]
    chunks = write_chunks(tmp_path / "a", first, [])
    second = [texts[70:90], first[2], texts[20:21], first[0]]
    moved = write_chunks(tmp_path / "b", second, chunks, tmp_path / "a")
    assert [chunk.first for chunk in moved] == [70, 50, 90, 0]
    at_once = [text for chunk in second for text in chunk]
    (tmp_path / "c").mkdir()
    writer = LexicalWriter(tmp_path / "c", ENGLISH)
    for number, text in enumerate(at_once):
        writer.add(number, text)
    writer.close()
    allowed = list(range(3, len(at_once), 5))
    for only, looked_at in ((None, 10_000), (allowed, 10_000), (allowed, 0)):
        monkeypatch.setattr(lexical, "_MOST_LOOKED_AT", looked_at)
        expected = found_in(tmp_path / "c", [], len(at_once), only)
        assert all(expected[:3])
        assert found_in(tmp_path / "b", moved, len(at_once), only) == expected


def test_chunks_that_do_not_fit_the_posts_are_damage(tmp_path: Path) -> None:
    """Too few posts in them, or rows that are in none."""
    chunks = write_chunks(tmp_path / "a", [list(TEXTS[:2]), list(TEXTS[2:])], [])
    with pytest.raises(IndexDamagedError, match="chunks of 2 posts, where the manifest says 5"):
        LexicalStore(tmp_path / "a", 5, chunks=chunks[:1])
    elsewhere = [chunk._replace(first=chunk.first + 1000) for chunk in chunks]
    with pytest.raises(IndexDamagedError, match="a post that is in no chunk"):
        LexicalStore(tmp_path / "a", 5, chunks=elsewhere).search(ENGLISH.query_weights("knee"), 3)
