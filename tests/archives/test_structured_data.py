"""Microdata -> JSON-LD objects: types, names and nested items. What is too large is reported."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import html

from qa_search.archives.formats import structured_data
from qa_search.archives.formats.structured_data import json_ld, microdata, page_data
from qa_search.archives.read import Reading, read_archives

PAGE = """<div itemscope itemtype="https://schema.org/Question/">
<span itemprop="name">Why does it knock?</span>
<div itemprop="acceptedAnswer" itemscope itemtype="https://schema.org/Answer"><p itemprop="text">Limescale.</p></div>
</div><div itemscope><i itemprop="name">no type</i></div>"""


def test_items_have_their_types_and_properties() -> None:
    """The last part of the type's address; an item without one has none."""
    question, other = microdata(html.fromstring(f"<main>{PAGE}</main>"), print)
    assert question == {
        "@type": "Question",
        "name": "Why does it knock?",
        "acceptedAnswer": {"@type": "Answer", "text": "Limescale."},
    }
    assert other == {"name": "no type"}


PAIR = """<div itemscope itemtype="https://schema.org/Question"><h3 itemprop="name">Why {0}?</h3>
<div itemprop="acceptedAnswer" itemscope itemtype="https://schema.org/Answer"><p itemprop="text">Because {0}.</p></div>
</div>"""
JSON_LD = """<script type="application/ld+json">{"@type": "Question", "name": "Why 0?",
"acceptedAnswer": {"@type": "Answer", "text": "Because 0."}}</script>"""


@pytest.mark.parametrize(
    ("limit", "value", "page", "remark"),
    [
        ("_MOST_ELEMENTS", 20, "".join(map(PAIR.format, range(9))), "the page's data has more than 20 elements"),
        ("_MOST_BYTES", 40, JSON_LD + PAIR.format(1), "characters in the page is not read: 40 are the most"),
    ],
)
def test_data_beyond_a_limit_is_reported(
    limit: str, value: int, page: str, remark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes before it is read; whole questions only."""
    monkeypatch.setattr(structured_data, limit, value)
    (tmp_path / "faq.html").write_text(f"<html><body>{page}</body></html>")
    reading = Reading()
    posts = list(read_archives([tmp_path / "faq.html"], reading=reading))
    assert 1 <= len(posts) < 9
    assert any(remark in found for report in reading.reports for found in report.remarks)


def test_data_that_is_invalid_is_reported(tmp_path: Path) -> None:
    """The text of the page is read instead; an empty script is nothing to report."""
    kinds = (json_ld, 'type="application/ld+json"', "JSON-LD"), (page_data, 'id="__NEXT_DATA__"', "JSON")
    for read, script, kind in kinds:
        for data, expected in ('{"name": oops}', [f"invalid {kind} in the page: it is not read"]), (" ", []):
            said: list[str] = []
            tree = html.fromstring(f"<main><script {script}>{data}</script></main>")
            assert list(read(tree, said.append)) == []
            assert said == expected
    broken = JSON_LD.replace('"Question"', '"Question')
    (tmp_path / "faq.html").write_text(f"<html><body>{broken}<h2>Why 0?</h2><p>Dirt.</p><h2>Why 1?</h2><p>Dust.</p>")
    reading = Reading()
    assert len(list(read_archives([tmp_path / "faq.html"], reading=reading))) == 2
    assert "invalid JSON-LD in the page: it is not read" in reading.reports[0].remarks
