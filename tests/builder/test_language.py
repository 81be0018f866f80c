"""Tests of the archive's language: found by the build, kept in the manifest, and what its words depend on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qa_search import SearchIndex, build_index
from qa_search.errors import IndexDamagedError
from qa_search.types import BuildReport
from tests.helpers import WordsEmbedder, seal, write_jsonl, write_pages
from tests.search.test_advice import archive_of
from tests.util.test_languages import OF


def build(source: Path, index: Path) -> BuildReport:
    return build_index(source, index, model=WordsEmbedder())


def manifest(index: Path) -> dict[str, Any]:
    name = (index / "CURRENT").read_text(encoding="utf-8").split()[0]
    found: dict[str, Any] = json.loads((index / "generations" / name / "manifest.json").read_bytes())
    return found


def words(index: Path) -> set[str]:
    """Return the hashes of the files of the lexical index."""
    return {record["sha256"] for name, record in manifest(index)["files"].items() if name.startswith("lexical/")}


@pytest.mark.parametrize(
    ("language", "analysis"), [("de", "german"), ("zh", "bigrams"), ("ru", "russian"), ("pl", "words"), ("en", None)]
)
def test_the_language_is_kept_and_the_words_depend_on_it(language: str, analysis: str | None, tmp_path: Path) -> None:
    """In the manifest and the report; English is written as before, so that its words are reused."""
    assert build(archive_of(language, tmp_path), tmp_path / "index").language == language
    kept = manifest(tmp_path / "index")
    assert kept["language"] == language
    assert kept["unread"] is None
    assert kept["lexical"].get("analysis") == analysis
    with SearchIndex.open(tmp_path / "index", model=WordsEmbedder()) as index:
        assert index.retriever.analysis.name == (analysis or "english")
        hit = index.search(OF[language][3], k=1, explain=True).hits[0]
        assert OF[language][3] in (hit.question, hit.answer)
        assert hit.explain is not None
        assert set(hit.explain.terms) == set(index.retriever.analysis.terms_of(OF[language][3]))


def test_an_archive_of_several_languages_has_none(tmp_path: Path) -> None:
    """Its words are whole words."""
    records = [{"question": text, "answer": text} for text in (*OF["de"], *OF["fr"])]
    assert build(write_jsonl(tmp_path / "a.jsonl", records), tmp_path / "index").language is None
    assert manifest(tmp_path / "index")["lexical"]["analysis"] == "words"


def test_an_index_of_an_earlier_version_reads_as_english_and_keeps_its_words(tmp_path: Path) -> None:
    """Its manifest has no language; the next build of an English archive copies its words."""
    source, index = write_pages(tmp_path / "pages", 5), tmp_path / "index"
    build(source, index)
    before = words(index)
    seal(index, lambda kept: [kept.pop(name) for name in ("language", "unread", "built_from")])
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        assert opened.retriever.analysis.name == "english"
        assert opened.info().language is None
    assert build(source, index).language == "en"
    assert words(index) == before


def test_another_language_makes_the_words_anew(tmp_path: Path) -> None:
    """The same German posts, whose words an earlier version analysed as English."""
    source, index = archive_of("de", tmp_path), tmp_path / "index"
    build(source, index)
    german = words(index)
    seal(index, lambda kept: [kept["lexical"].pop("analysis"), kept.pop("built_from")])
    build(source, index)
    assert manifest(index)["lexical"]["analysis"] == "german"
    assert words(index) != german  # written again; the names within them differ


@pytest.mark.parametrize(
    ("name", "value"), [("language", 5), ("unread", "most"), ("unread", 2), ("lexical.analysis", "klingon")]
)
def test_an_invalid_language_is_damage(name: str, value: object, tmp_path: Path) -> None:
    """The manifest is checked before anything relies on it."""
    build(write_pages(tmp_path / "pages", 3), tmp_path / "index")
    outer, _, inner = name.partition(".")

    def change(kept: dict[str, Any]) -> None:
        kept.update({outer: {**kept[outer], inner: value} if inner else value})

    seal(tmp_path / "index", change)
    with pytest.raises(IndexDamagedError, match=f"the manifest lacks a valid {name}"):
        SearchIndex.open(tmp_path / "index", model=WordsEmbedder())
