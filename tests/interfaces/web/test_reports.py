"""Reports in HTML, opened in a real browser: readable by everyone, in any light, on any screen, without a service.

Needs Chromium (Debian: ``apt-get install chromium``) and playwright; skipped where either is absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")

from playwright.sync_api import Browser, Page

from qa_search import Complaint, SearchIndex, build_index, find_gaps, map_topics, review_archive
from qa_search.interfaces.render.gaps import gaps_to_html
from qa_search.interfaces.render.html import to_html
from qa_search.interfaces.render.review import review_html
from qa_search.interfaces.render.topics import topics_to_html
from tests.helpers import WordsEmbedder, write_jsonl
from tests.interfaces.web.browser import CHROMIUM, DESKTOP, PHONE, overflow, violations

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

LONG_WORD = "clutch" * 60
REPORTS: dict[str, Callable[[SearchIndex], str]] = {
    "gaps": lambda index: gaps_to_html(
        find_gaps(
            index,
            [
                Complaint(f"{text} <b>shudders</b>", f"20{year}-03-01")
                for year in range(22, 26)
                for text in ("the clutch pedal", "my clutch pedal", f"a clutch {LONG_WORD}")
            ],
        )
    ),
    "review": lambda index: review_html(review_archive(index), None),
    "map of topics": lambda index: topics_to_html(map_topics(index)),
    "exported results": lambda index: to_html(index.search("swollen knee after football", k=5)),
}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchIndex]:
    """Posts of some years with near-copies, one without an answer, and words of hundreds of letters."""
    folder = tmp_path_factory.mktemp("reports")
    said = "My swollen knee after football does not bend at night, and ice does not help it at all."
    records = [
        {
            "id": str(number), "title": f"Swollen knee after football {LONG_WORD if number == 3 else number}",
            "question": said if number < 4 else f"{said} Part{number} hurts when word{number} comes.",
            "answer": "" if number == 9 else f"Rest it for {number} weeks, with word{number} and part{number}.",
            "date": f"20{10 + number}-05-01",
        }
        for number in range(12)
    ]  # fmt: skip
    write_jsonl(folder / "forum.jsonl", records)
    build_index(folder / "forum.jsonl", folder / "index", model=WordsEmbedder(), keep_unanswered=True)
    with SearchIndex.open(folder / "index", model=WordsEmbedder()) as opened:
        yield opened


@pytest.fixture(params=REPORTS)
def report(request: pytest.FixtureRequest, index: SearchIndex, chromium: Browser, tmp_path: Path) -> Iterator[Page]:
    """Each report, opened as a file; it asks for nothing else, and nothing goes wrong in it."""
    path = tmp_path / "report.html"
    path.write_text(REPORTS[request.param](index), encoding="utf-8")
    problems: list[str] = []
    tab = chromium.new_page()
    tab.on("console", lambda message: problems.append(message.text))
    tab.on("request", lambda asked: problems.extend([asked.url] * (asked.url != path.as_uri())))
    tab.goto(path.as_uri())
    yield tab
    tab.close()
    assert problems == []


def test_reports_are_accessible(report: Page) -> None:
    """Axe finds nothing by day or by night, on a desk or a phone."""
    found = []
    looks: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for colours in looks:
        for size in (DESKTOP, PHONE):
            report.emulate_media(color_scheme=colours)
            report.set_viewport_size(size)
            found += [f"{colours}, {size['width']}: {violation}" for violation in violations(report)]
    assert found == []


def test_reports_follow_the_light(report: Page) -> None:
    """A dark screen gets light text on a dark ground."""
    grounds = []
    looks: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for colours in looks:
        report.emulate_media(color_scheme=colours)
        grounds.append(report.evaluate("getComputedStyle(document.body).color"))
    assert grounds[0] != grounds[1]


def test_reports_fit_a_phone(report: Page) -> None:
    """Not even a word of hundreds of letters reaches beyond the edge."""
    for width in (360, 320):
        report.set_viewport_size({"width": width, "height": 740})
        assert overflow(report) == []


def test_what_is_folded_opens_by_keyboard(report: Page) -> None:
    """Every part that can be unfolded can be reached with Tab and opened with Enter."""
    for number in range(report.locator("summary").count()):
        summary = report.locator("summary").nth(number)
        summary.focus()
        report.keyboard.press("Enter")
        assert summary.evaluate("summary => summary.parentElement.open")
