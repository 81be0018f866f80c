"""What an archive is about: topics, their names, their groups, and that they stay."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qa_search import QueryError, SearchIndex, build_index, find_topics, map_topics
from qa_search.insights.topic_map import laid_out
from qa_search.insights.topics import TopicReport, topics_of, wanted_topics
from qa_search.interfaces.render.topics import topics_to_html
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


@pytest.mark.process
def test_posts_on_one_matter_lie_together_on_the_map(index: SearchIndex) -> None:
    """The nearest spot of each is of its matter; topics are those of the report."""
    found = map_topics(index)
    assert found.report == find_topics(index)
    assert len({spot.post_id for spot in found.spots}) == len(found.spots) == 48
    places = np.asarray([(spot.x, spot.y) for spot in found.spots])
    assert places.min() == 0
    assert places.max() == 1
    distances = np.linalg.norm(places[:, None] - places, axis=2) + 2 * np.eye(48)
    matters = [spot.title.split()[0] for spot in found.spots]
    same = [matters[row] == matters[near] for row, near in enumerate(distances.argmin(axis=1).tolist())]
    assert sum(same) >= 46
    for number, topic in enumerate(found.report.topics):
        own = {spot.post_id for spot in found.spots if spot.topic == number}
        assert len(own) == topic.posts
        assert own >= {post.post_id for post in topic.examples}


@pytest.mark.process
def test_the_same_index_gives_the_same_map(index: SearchIndex) -> None:
    """Nothing is left to chance; its JSON is a start for topics."""
    found = map_topics(index)
    assert map_topics(index) == found
    document = json.loads(json.dumps(found.to_dict()))
    assert document["spots"][0].keys() == {"post_id", "title", "topic", "x", "y"}
    assert TopicReport.of_dict(document) == found.report


@pytest.mark.process
@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 20])
@pytest.mark.parametrize("dimension", [1, 2, 384])
def test_any_number_of_posts_is_laid_out(count: int, dimension: int) -> None:
    """Also equal ones, and those of a model with a single value."""
    random = np.random.default_rng(0)
    for rows in (random.normal(size=(count, dimension)), np.zeros((count, dimension))):
        places = laid_out(rows.astype(np.float32))
        assert places.shape == (count, 2)
        assert np.isfinite(places).all()
        assert places.min() >= 0
        assert places.max() <= 1


def test_equal_posts_are_grouped_too() -> None:
    """Rows without a direction of their own make no error."""
    labels, centres = topics_of(np.zeros((5, 8), np.float32))
    assert len(labels) == 5
    assert np.isfinite(centres).all()


@pytest.mark.process
def test_the_map_names_topics_without_covering_a_name(index: SearchIndex) -> None:
    """What posts say is no markup, and names are within the picture."""
    found = map_topics(index)
    evil = replace(found.spots[0], title="<script>alert(1)</script>\n\x1b")
    page_of_it = topics_to_html(replace(found, spots=(evil, *found.spots[1:])))
    assert "<script" not in page_of_it
    assert page_of_it.count("<circle ") == 48
    placed = re.findall(r'<text x="([\d.]+)" y="([\d.]+)">([^<]+)</text>', page_of_it)
    assert 1 < len(placed) <= len(found.report.topics)
    for number, (x, y, name) in enumerate(placed):
        assert 0 < float(x) < 900
        assert 0 < float(y) < 640
        for other_x, other_y, other in placed[:number]:
            apart = abs(float(x) - float(other_x)) >= 7 * (len(name) + len(other)) / 2 - 0.2
            assert apart or abs(float(y) - float(other_y)) >= 14.8
