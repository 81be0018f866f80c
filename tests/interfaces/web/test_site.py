"""site.toml: what it may say, what is refused and how, and the colours that come of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qa_search import SiteError
from qa_search.interfaces.web.site import DEFAULT_COLOURS, Colours, Site, contrast, find_site, read_site, style_of
from tests.helpers import ROOT

WHOLE = """
name = "Ask the foot doctor"
about = "Of runners."
answered_by = "Dr Ann"
notice = "No diagnosis."
examples = ["sore heel", "numb toes"]

[topics]
"Sore shins" = "shin-splints"

[colours]
accent = "#700040"
paper = "#ffffff"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "site.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_site_is_read(tmp_path: Path) -> None:
    """Each part may be missing, and all may be."""
    assert read_site(written(tmp_path, "")) == Site()
    assert read_site(written(tmp_path, WHOLE)) == Site(
        "Ask the foot doctor",
        "Of runners.",
        "Dr Ann",
        "No diagnosis.",
        ("sore heel", "numb toes"),
        {"Sore shins": "shin-splints"},
        Colours("#700040", "#ffffff"),
    )


def test_the_example_of_the_documentation_is_valid(tmp_path: Path) -> None:
    """It has every key."""
    page = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    site = read_site(written(tmp_path, example))
    assert site.examples
    assert site.topics
    assert all(getattr(site, name) for name in ("about", "answered_by", "notice"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = ", "not valid TOML"),
        ('nane = "x"', "unknown key 'nane'. Choose from name, about"),
        ("name = 7", "name: expected a text in quotes"),
        ('name = " "', "name: expected a text"),
        (f'name = "{"x" * 81}"', "name: has 81 characters, and the limit is 80"),
        ('examples = "sore heel"', "examples: expected a list"),
        ("examples = [1]", r"examples\[0\]: expected a text"),
        ("topics = 1", "topics: expected a table"),
        ('[topics]\n"Shins" = 1', "topics.Shins: expected a text"),
        ('colours = "red"', "colours: expected a table"),
        ('[colours]\nink = "#000000"', "unknown key 'colours.ink'. Choose from accent, paper, mark"),
        ('[colours]\naccent = "red"', "colours.accent: 'red' is not a colour"),
        ('[colours]\naccent = "#000;} body{display:none"', "is not a colour"),
        ('[colours]\naccent = "#ffff00"', "has a contrast of 1.0, and 4.5 is needed"),
        ('[colours]\nmark = "#000080"', r"the text \(#1c2427\) on mark \(#000080\)"),
    ],
)
def test_an_invalid_site_is_refused(tmp_path: Path, text: str, words: str) -> None:
    """The error names the file, the key and the way out."""
    path = written(tmp_path, text)
    with pytest.raises(SiteError, match=words) as caught:
        read_site(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_site_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """It may be missing, or in another encoding."""
    with pytest.raises(SiteError, match="cannot be read"):
        read_site(tmp_path / "site.toml")
    (tmp_path / "site.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(SiteError, match="not valid TOML in UTF-8"):
        read_site(tmp_path / "site.toml")


def test_a_site_is_found_beside_the_index(tmp_path: Path) -> None:
    """Not in it, where builds own every file, and not beside a database."""
    assert find_site(str(tmp_path / "index")) is None
    path = written(tmp_path, WHOLE)
    assert find_site(str(tmp_path / "index")) == path
    assert find_site("postgresql://user@host/db") is None


@pytest.mark.parametrize("accent", ["#0b5c73", "#700040", "#000000", "#4a4a4a", "#1a1aff"])
def test_an_accent_can_be_read_by_night_too(accent: str) -> None:
    """It is lightened until it stands out from the cards, as black letters stand out from it."""
    style = style_of(Colours(accent, "#ffffff"))
    night = style.partition("dark)")[2].partition("--accent: ")[2][:7]
    assert contrast(night, "#1b2226") >= 4.5
    assert contrast(night, "#000000") >= 4.5
    assert f"--accent: {accent};" in style


def test_the_usual_colours_need_no_style() -> None:
    """They stand in the style sheet of all pages."""
    assert style_of(DEFAULT_COLOURS) == ""


def test_contrast_is_what_wcag_defines() -> None:
    """Black on white is 21 to 1, a colour on itself 1; #767676 is the lightest grey that may stand on white."""
    assert round(contrast("#000000", "#ffffff"), 3) == 21
    assert contrast("#123456", "#123456") == 1
    assert contrast("#767676", "#ffffff") >= 4.5 > contrast("#777777", "#ffffff")
