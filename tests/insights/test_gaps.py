"""What an archive does not answer: groups, names, the nearest posts, counts of what is left out."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qa_search import Complaint, QueryError, SearchIndex, build_index, find_gaps
from qa_search.embedders.base import Vectors
from qa_search.insights.grouping import Scale, grouped
from qa_search.interfaces.render.gaps import gaps_to_html, gaps_to_markdown
from tests.helpers import WordsEmbedder, page, write_jsonl

CLUTCH = ["clutch pedal shudders uphill", "the clutch pedal of my van shudders", "clutch shudders pedal worn"]
BEES = ["varroa mites in the beehive", "beehive full of varroa mites", "varroa mites kill my beehive", "mites varroa"]
KNEE = "My knee hurts at night since the marathon, what helps?"


def write_archive(folder: Path) -> Path:
    """Write pages on matters of their own, and one on a knee."""
    words = random.Random(2)  # noqa: S311
    folder.mkdir()
    for number in range(80):
        said = " ".join(f"word{words.randrange(900)}" for _ in range(24))
        (folder / f"{number}.txt").write_text(page(f"Title {number}", f"{said}?", f"Answer {said}."), encoding="utf-8")
    (folder / "knee.txt").write_text(page("Knee", KNEE, "Rest the knee at night."), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchIndex]:
    folder = tmp_path_factory.mktemp("gaps")
    build_index(write_archive(folder / "pages"), folder / "index", model=WordsEmbedder())
    with SearchIndex.open(folder / "index", model=WordsEmbedder()) as opened:
        yield opened


def test_a_complaint_with_a_sign_of_danger_is_no_gap(tmp_path: Path) -> None:
    """It is counted apart, in every form of the report; a pinned answer below the notice stays an answer."""
    model = WordsEmbedder()
    build_index(write_archive(tmp_path / "pages"), tmp_path / "index", model=model)
    with SearchIndex.open(tmp_path / "index", model=model) as opened:
        knee = opened.search(KNEE).hits[0].post_id
    (tmp_path / "index" / "curation.toml").write_text(
        '[[danger]]\nwords = ["blue lips"]\nnotice = "Call 112 now."\n'
        f'[[pin]]\npost = "{knee}"\nquestions = ["blue lips and a sore knee"]\n',
        encoding="utf-8",
    )
    asked = ["my lips are blue", "blue lips at night", "blue lips again", "blue lips and a sore knee", *CLUTCH]
    with SearchIndex.open(tmp_path / "index", model=model) as opened:
        report = find_gaps(opened, asked)
    assert (report.complaints, report.answered, report.unanswered, report.danger) == (7, 1, 3, 3)
    assert [sorted(gap.texts) for gap in report.gaps] == [sorted(CLUTCH)]
    assert report.to_dict()["danger"] == 3
    said = "3 had a sign of danger: they showed its notice, which is no gap of the archive."
    assert said in gaps_to_markdown(report)
    page_of_it = gaps_to_html(report)
    assert said in page_of_it
    assert 'aria-label="1 answered, 3 with a sign of danger, 3 not answered"' in page_of_it


@pytest.mark.slow
def test_unanswered_complaints_on_one_matter_are_one_gap(index: SearchIndex) -> None:
    """Answered ones, and those alone, are in none; the most frequent gap is first."""
    report = find_gaps(index, [*CLUTCH, KNEE, *BEES, "passport renewal office"])
    assert [sorted(gap.texts) for gap in report.gaps] == [sorted(BEES), sorted(CLUTCH)]
    assert (report.complaints, report.answered, report.unanswered, report.single) == (9, 1, 8, 1)
    assert {"varroa", "mites"} <= set(report.gaps[0].name.split(", "))
    assert report.gaps[0].complaint in BEES


def test_the_nearest_posts_say_what_they_lack(index: SearchIndex) -> None:
    """Words of the complaint as it is written, found or missing, never both."""
    report = find_gaps(index, ["night knee tentacles squidlike"] * 3, min_confidence=1.0)
    (gap,) = report.gaps
    post = gap.nearest[0]
    assert set(post.missing) == {"tentacles", "squidlike"}
    assert set(post.found) == {"night", "knee"}
    assert not set(post.missing) & set(post.found)
    assert -1 <= post.closeness <= 1


def test_the_same_words_count_as_often_as_they_were_asked(index: SearchIndex) -> None:
    """In any case, whatever the blanks."""
    report = find_gaps(index, ["Passport renewal", "passport  RENEWAL", "passport renewal"])
    (gap,) = report.gaps
    assert (gap.count, gap.wordings) == (3, 1)


@pytest.mark.parametrize("complaints", ["clutch", [3], [Complaint(None)], [None]])  # type: ignore[arg-type]
def test_what_is_no_list_of_texts_is_refused(index: SearchIndex, complaints: Any) -> None:
    """A single text is not taken for its letters."""
    with pytest.raises(QueryError, match="expected a"):
        find_gaps(index, complaints)


def test_every_complaint_is_counted_once(index: SearchIndex) -> None:
    """Answered, in a gap, in a smaller group, too little, or left out."""
    asked = [*CLUTCH, KNEE, "hello", "passport renewal office", "hello", *BEES]
    report = find_gaps(index, asked, least=4)
    in_gaps = sum(gap.count for gap in report.gaps)
    parts = (
        report.answered,
        report.danger,
        in_gaps,
        report.single,
        report.too_little,
        report.unreadable,
        report.left_out,
    )
    assert sum(parts) == report.complaints == len(asked)
    assert report.too_little == 2


def test_the_latest_are_compared_if_there_are_too_many(index: SearchIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are counted."""
    monkeypatch.setattr("qa_search.insights.gaps.MOST_COMPARED", 4)
    report = find_gaps(index, [*CLUTCH, *BEES])
    assert [set(gap.texts) for gap in report.gaps] == [set(BEES)]
    assert report.left_out == 3


def test_the_order_of_complaints_does_not_matter(index: SearchIndex) -> None:
    """Groups are by meaning alone."""
    asked = [*CLUTCH, *BEES, KNEE]
    first = find_gaps(index, asked).to_dict()
    random.Random(1).shuffle(asked)  # noqa: S311
    again = find_gaps(index, asked).to_dict()
    for report in (first, again):
        for gap in report["gaps"]:
            gap["texts"] = sorted(gap["texts"])
            gap.pop("complaint"), gap.pop("nearest"), gap.pop("confidence")  # equally close ones are taken as they come
    assert first == again


@pytest.mark.parametrize(
    ("last", "period", "first", "periods"),
    [
        ("2026-01-20", "day", "2026-01-05", 16),
        ("2026-04-20", "week", "2026-W02", 16),
        ("2027-02-01", "month", "2026-01", 14),
        ("2036-02-01", "year", "2026", 11),
    ],
)
def test_dates_are_counted_by_what_suits_their_span(
    index: SearchIndex, last: str, period: str, first: str, periods: int
) -> None:
    """Periods without complaints are there too."""
    dated = [
        Complaint(text, date) for text, date in zip(CLUTCH, ["2026-01-05", "2026-01-05T13:00Z", last], strict=True)
    ]
    report = find_gaps(index, [*dated, "no date"])
    (gap,) = report.gaps
    assert report.period == period
    assert len(gap.periods) == periods
    assert next(iter(gap.periods.items())) == (first, 2)
    assert sum(gap.periods.values()) == 3
    assert report.undated == 1


def test_a_trend_is_against_all_complaints(index: SearchIndex) -> None:
    """More of a matter late is a trend only if not all are late."""
    early, late = "2026-01-01", "2026-03-01"
    asked = [Complaint(text, date) for texts, date in ((BEES, early), (CLUTCH, late)) for text in texts * 5]
    trends = {gap.name: gap.trend for gap in find_gaps(index, asked).gaps}
    assert sorted(trends.values()) == ["falling", "rising"]
    even = [Complaint(text, date) for text in BEES * 5 for date in (early, late)]
    assert {gap.trend for gap in find_gaps(index, even).gaps} == {""}


class Leaning(WordsEmbedder):
    """The same model, but all vectors have a large part in common, so that all cosines are high."""

    def __init__(self) -> None:
        super().__init__(name="leaning")

    def embed_queries(self, texts: object) -> Vectors:
        vectors = super().embed_queries(texts)  # type: ignore[arg-type]
        common = np.zeros(self.dimension, np.float32)
        common[0] = 2
        return np.asarray((vectors + common) / np.linalg.norm(vectors + common, axis=1, keepdims=True), np.float32)


def test_no_cosine_is_assumed(index: SearchIndex, tmp_path: Path) -> None:
    """A model of which all cosines are near 1 gives the same groups."""
    build_index(write_archive(tmp_path / "pages"), tmp_path / "index", model=Leaning())
    texts = [*CLUTCH, *BEES]
    with SearchIndex.open(tmp_path / "index", model=Leaning()) as leaning:
        # With such a model everything is close: it is told to answer nothing.
        report = find_gaps(leaning, texts, min_confidence=1.0)
    assert sorted(map(sorted, (gap.texts for gap in report.gaps))) == sorted([sorted(BEES), sorted(CLUTCH)])


def test_groups_are_joined_by_their_mean_closeness() -> None:
    """One close pair does not join two groups (average linkage)."""
    similarities = np.asarray([[1, 0.9, 0.1], [0.9, 1, 0.6], [0.1, 0.6, 1]], np.float32)
    assert grouped(similarities, 0.5) == [[0, 1], [2]]
    assert grouped(similarities, 0.3) == [[0, 1, 2]]
    assert grouped(similarities[:1, :1], 0.5) == [[0]]
    assert grouped(np.empty((0, 0), np.float32), 0.5) == []


def test_a_scale_does_not_change_when_all_vectors_lean_one_way() -> None:
    """The common direction is taken out before closeness is measured."""
    vectors = np.random.default_rng(1).standard_normal((300, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    leaning = vectors + np.eye(64, dtype=np.float32)[0] * 3
    leaning /= np.linalg.norm(leaning, axis=1, keepdims=True)
    one, other = Scale.of(vectors), Scale.of(leaning)
    assert other.threshold() == pytest.approx(one.threshold(), abs=0.05)


@pytest.mark.parametrize("options", [{"least": 0}, {"min_confidence": 2.0}])
def test_invalid_numbers_are_refused(index: SearchIndex, options: dict[str, float]) -> None:
    """With the name of the parameter."""
    with pytest.raises(QueryError, match=next(iter(options))):
        find_gaps(index, ["text"], **options)  # type: ignore[arg-type]


def test_no_complaints_are_no_gaps(index: SearchIndex) -> None:
    """An empty list is a report too, in every format."""
    report = find_gaps(index, [])
    assert report.gaps == ()
    assert "0 complaints" in gaps_to_markdown(report)
    assert "<html" in gaps_to_html(report)


def test_the_page_needs_no_other_file_and_runs_nothing(index: SearchIndex) -> None:
    """Whatever people write in their complaints."""
    evil = "<script>alert(1)</script> [x](http://evil.example) **clutch** pedal shudders"
    report = find_gaps(index, [Complaint(text, f"2026-0{month}-01") for month, text in enumerate([evil] * 3, start=1)])
    html, markdown = gaps_to_html(report), gaps_to_markdown(report)
    assert "<script>alert" not in html
    assert "src=" not in html
    assert 'href="http' not in html
    assert html.count("<svg") == html.count("</svg>") > 1
    assert "<script>" not in markdown
    assert "\\[x\\](http\\://" in markdown
    json.dumps(report.to_dict())


def test_complaints_of_a_file_have_dates(tmp_path: Path) -> None:
    """By the names that people give them; one that cannot be read is none."""
    from qa_search.insights.query_lines import read_lines

    path = write_jsonl(
        tmp_path / "c.jsonl",
        [
            {"text": "a", "date": "2026-11-27"},
            {"query": "b", "timestamp": 1700000000},
            {"text": "c", "date": "soon"},
            "d",
        ],
    )
    with path.open("rb") as stream:
        assert [(line.text, (line.date or "")[:10]) for line in read_lines(stream, "c")] == [
            ("a", "2026-11-27"), ("b", "2023-11-14"), ("c", ""), ("d", ""),
        ]  # fmt: skip
