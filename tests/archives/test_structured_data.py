"""Microdata -> JSON-LD objects: types, names and nested items."""

from __future__ import annotations

from lxml import html

from qa_search.archives.formats.structured_data import microdata

PAGE = """<div itemscope itemtype="https://schema.org/Question/">
<span itemprop="name">Why does it knock?</span>
<div itemprop="acceptedAnswer" itemscope itemtype="https://schema.org/Answer"><p itemprop="text">Limescale.</p></div>
</div><div itemscope><i itemprop="name">no type</i></div>"""


def test_items_have_their_types_and_properties() -> None:
    """The last part of the type's address; an item without one has none."""
    question, other = microdata(html.fromstring(f"<main>{PAGE}</main>"))
    assert question == {
        "@type": "Question",
        "name": "Why does it knock?",
        "acceptedAnswer": {"@type": "Answer", "text": "Limescale."},
    }
    assert other == {"name": "no type"}
