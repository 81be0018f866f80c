"""What an archive is about: topics, their names, their groups, and that they stay."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from qa_search import QueryError, SearchIndex, build_index, find_topics
from qa_search.insights.topics import TopicReport, topics_of, wanted_topics
from tests.helpers import WordsEmbedder, page

MATTERS = {
    "knee": "knee kneecap meniscus cartilage patella",
    "shoe": "shoe laces insole heel trainers",
    "sleep": "sleep insomnia pillow night dream",
    "food": "breakfast protein porridge hunger diet",
}


def write_archive(folder: Path, each: int, seed: int = 1) -> Path:
    """Write pages on four matters, each page with some words of its matter and some of its own."""
    folder.mkdir()
    words = random.Random(seed)  # noqa: S311
    for name, of_matter in MATTERS.items():
        for number in range(each):
            said = " ".join([*words.sample(of_matter.split(), 4), f"{name}{number}"])
            text = page(f"{name} {number}", f"{said}?", f"{said} {said}.")
            (folder / f"{name}-{number:03}.txt").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchIndex]:
    folder = tmp_path_factory.mktemp("topics")
    build_index(write_archive(folder / "pages", 12), folder / "index", model=WordsEmbedder())
    with SearchIndex.open(folder / "index", model=WordsEmbedder()) as opened:
        yield opened


def test_topics_are_of_one_matter_and_named_by_its_words(index: SearchIndex) -> None:
    """The posts in the middle of a topic are of the matter that its name is about."""
    report = find_topics(index)
    assert len(report.topics) == wanted_topics(48)
    assert sum(topic.posts for topic in report.topics) == sum(group.posts for group in report.groups) == 48
    for topic in report.topics:
        (matter,) = {post.title.split()[0] for post in topic.examples}
        assert set(topic.name.split(", ")) & {*MATTERS[matter].split(), matter}


def test_topics_begin_where_they_were(index: SearchIndex, tmp_path: Path) -> None:
    """A few posts more leave them as they were; their JSON is a start."""
    before = find_topics(index)
    build_index(write_archive(tmp_path / "pages", 13), tmp_path / "index", model=WordsEmbedder())
    with SearchIndex.open(tmp_path / "index", model=WordsEmbedder()) as more:
        after = find_topics(more, start=TopicReport.of_dict(json.loads(json.dumps(before.to_dict()))))
    old = np.asarray([topic.centre for topic in before.topics])
    new = np.asarray([topic.centre for topic in after.topics])
    assert len(new) == len(old)
    assert (old @ new.T).max(axis=1).min() > 0.9


def test_the_same_index_gives_the_same_topics(index: SearchIndex) -> None:
    """Nothing is left to chance."""
    assert find_topics(index) == find_topics(index)


def test_a_start_of_another_model_is_ignored(index: SearchIndex) -> None:
    """Its directions mean nothing here."""
    report = find_topics(index)
    document = {**report.to_dict(), "model": "another"}
    assert find_topics(index, start=TopicReport.of_dict(document)) == report


@pytest.mark.parametrize("document", [None, [], {}, {"groups": [1]}, {"groups": [{"name": "a"}]}])
def test_another_document_is_no_start(document: object) -> None:
    """It is refused by the parameter's name."""
    with pytest.raises(QueryError, match="start: not a report of topics"):
        TopicReport.of_dict(document)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_tiny_archive_has_topics(tmp_path: Path, count: int) -> None:
    """One post is one topic."""
    folder = tmp_path / "pages"
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.txt").write_text(page(f"T{number}", f"matter{number} hurts", f"rest{number}"), "utf-8")
    build_index(folder, tmp_path / "index", model=WordsEmbedder())
    with SearchIndex.open(tmp_path / "index", model=WordsEmbedder()) as opened:
        report = find_topics(opened)
    assert sum(topic.posts for topic in report.topics) == report.posts == count


def test_equal_posts_are_grouped_too() -> None:
    """Rows without a direction of their own make no error."""
    labels, centres = topics_of(np.zeros((5, 8), np.float32))
    assert len(labels) == 5
    assert np.isfinite(centres).all()
