"""site.toml -> what the pages say of an archive: its name, a notice, examples, colours; and their style sheet."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from qa_search.errors import IndexUnreadableError, SiteError
from qa_search.util.files import MOST_CONFIGURATION_BYTES, read_file

SITE_NAME = "site.toml"
_MOST_CHARACTERS = {"name": 80, "about": 1000, "answered_by": 200, "notice": 1000}
_MOST_EXAMPLES, _LONGEST_EXAMPLE = 12, 300
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
# What stands on what by day: the text, the cards that are as light as paper may be; and the cards by night.
_INK, _CARD, _NIGHT = "#1c2427", "#ffffff", "#1b2226"
_READABLE = 4.5  # the contrast of text that WCAG AA asks for
_STEPS = 50


@dataclass(frozen=True, slots=True)
class Colours:
    """The three colours that an owner may change: of links and buttons, of the page, of the marked sentence."""

    accent: str = "#0b5c73"
    paper: str = "#fbfaf7"
    mark: str = "#ffedac"


DEFAULT_COLOURS = Colours()


@dataclass(frozen=True, slots=True)
class Site:
    """What the pages say of an archive. Every part may be missing."""

    name: str = "Past answers"
    about: str = ""
    answered_by: str = ""
    notice: str = ""
    examples: tuple[str, ...] = ()
    topics: Mapping[str, str] = field(default_factory=dict)
    colours: Colours = DEFAULT_COLOURS


DEFAULT_SITE = Site()


def find_site(index: str) -> Path | None:
    """Return the site.toml that stands beside an index folder, None if there is none."""
    path = Path(index).absolute().parent / SITE_NAME
    return path if "://" not in index and path.is_file() else None


def read_site(path: Path) -> Site:
    """Read a file that describes a site.

    Raises:
        SiteError: if it cannot be read, or has an unknown key or an invalid value.
    """
    try:
        document = tomllib.loads(read_file(path, MOST_CONFIGURATION_BYTES).decode("utf-8-sig"))
    except IndexUnreadableError as error:
        raise SiteError(str(error)) from error
    except OSError as error:
        raise SiteError(f"{path}: cannot be read ({error.strerror or error}). Check --site and the file.") from error
    except ValueError as error:  # not UTF-8, or not TOML
        raise SiteError(f"{path}: is not valid TOML in UTF-8 ({error}). Correct that line.") from error
    try:
        return _site(document)
    except ValueError as error:
        raise SiteError(f"{path}: {error}") from None


def _site(document: Mapping[str, Any]) -> Site:
    _require_known(document, Site, "")
    values = {key: _text(document[key], key, most) for key, most in _MOST_CHARACTERS.items() if key in document}
    return Site(
        **values,
        examples=_examples(document.get("examples", [])),
        topics=_topics(document.get("topics", {})),
        colours=_colours(document.get("colours", {})),
    )


def _require_known(table: Mapping[str, Any], kind: type, prefix: str) -> None:
    known = [one.name for one in fields(kind)]
    for key in table:
        if key not in known:
            raise ValueError(f"unknown key '{prefix}{key}'. Choose from {', '.join(known)}, or remove it.")


def _text(value: object, key: str, most: int) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{key}: expected a text in quotes that is not empty. Write one, or remove the key.")
    if len(value) > most:
        raise ValueError(f"{key}: has {len(value):,} characters, and the limit is {most:,}. Shorten it.")
    return value.strip()


def _examples(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > _MOST_EXAMPLES:
        raise ValueError(f'examples: expected a list of at most {_MOST_EXAMPLES} texts, such as ["sore knee"].')
    return tuple(_text(text, f"examples[{at}]", _LONGEST_EXAMPLE) for at, text in enumerate(value))


def _topics(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError('topics: expected a table of names and tags, such as "Sore shins" = "shin-splints".')
    return {name: _text(tag, f"topics.{name}", _MOST_CHARACTERS["name"]) for name, tag in value.items()}


def _colours(value: object) -> Colours:
    if not isinstance(value, dict):
        raise ValueError('colours: expected a table, such as [colours] with accent = "#0b5c73" below it.')
    _require_known(value, Colours, "colours.")
    for key, colour in value.items():
        if not isinstance(colour, str) or not _COLOUR.fullmatch(colour):
            raise ValueError(f'colours.{key}: {colour!r} is not a colour. Write six hexadecimal digits: "#0b5c73".')
    colours = Colours(**value)
    for name, text, key, ground in (
        ("accent", colours.accent, "paper", colours.paper),
        ("accent", colours.accent, "white", _CARD),
        ("the text", _INK, "paper", colours.paper),
        ("the text", _INK, "mark", colours.mark),
    ):
        if contrast(text, ground) < _READABLE:
            raise ValueError(
                f"colours: {name} ({text}) on {key} ({ground}) has a contrast of {contrast(text, ground):.1f}, and "
                f"{_READABLE} is needed to read it. Choose a darker accent, or a lighter paper or mark."
            )
    return colours


def style_of(colours: Colours) -> str:
    """Return the style sheet that sets an owner's colours; by night the accent is lightened until it can be read."""
    if colours == DEFAULT_COLOURS:
        return ""
    night = colours.accent
    for step in range(_STEPS + 1):
        night = _mixed(colours.accent, step / _STEPS)
        if contrast(night, _NIGHT) >= _READABLE:
            break
    return (
        f":root {{ --accent: {colours.accent}; --paper: {colours.paper}; --mark: {colours.mark}; }}\n"
        "@media (prefers-color-scheme: dark) {\n"
        f"  :root {{ --accent: {night}; --on-accent: #000000; --paper: #13181b; --mark: #5d4a06; }}\n}}\n"
    )


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG defines it: 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _channels(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def _luminance(colour: str) -> float:
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in _channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _mixed(colour: str, white: float) -> str:
    return "#" + "".join(f"{round(channel + (255 - channel) * white):02x}" for channel in _channels(colour))
