"""Topics and the places of their posts -> one HTML page with a map, which needs no other file and runs no script."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from unicodedata import east_asian_width

from qa_search.insights.topic_map import Spot, TopicMap
from qa_search.interfaces.render.html import template
from qa_search.interfaces.render.wording import one_line
from qa_search.util.text import counted

HEADING = "What the archive is about"
_WIDTH, _HEIGHT, _EDGE = 900, 640, 16  # of the map, in pixels
_LINE = 15  # the height of a name on the map
_NARROW, _WIDE = 7.0, 14.0  # the width of a letter in it
_NAME_WORDS = 2
_COLOURS = 8  # in the template


@dataclass(frozen=True, slots=True)
class _Name:
    """The name of a topic on the map, around a point in pixels."""

    text: str
    x: float
    y: float

    @property
    def width(self) -> float:
        return sum(_WIDE if east_asian_width(letter) in "WF" else _NARROW for letter in self.text)

    def covers(self, other: _Name) -> bool:
        """Return whether two names would lie upon one another."""
        return abs(self.x - other.x) < (self.width + other.width) / 2 and abs(self.y - other.y) < _LINE


def topics_to_html(found: TopicMap) -> str:
    """Write the topics of an archive as a page: the map, and below it what is on it, as a list."""
    report = found.report
    spots: list[list[Spot]] = [[] for _ in report.topics]
    for spot in found.spots:
        spots[spot.topic].append(spot)
    groups, before = [], 0
    for number, group in enumerate(report.groups):
        own = spots[before : before + len(group.topics)]
        groups.append(
            {
                "colour": number % _COLOURS,
                "name": one_line(group.name),
                "posts": counted(group.posts, "post"),
                "spots": [(*_point(spot), one_line(spot.title)) for topic in own for spot in topic],
                "topics": [
                    (
                        one_line(topic.name),
                        counted(topic.posts, "post"),
                        [one_line(one.title) for one in topic.examples],
                    )
                    for topic in group.topics
                ],
            }
        )
        before += len(group.topics)
    counts = [counted(report.posts, "post"), counted(len(report.topics), "topic"), counted(len(groups), "group")]
    sampled = "" if report.sampled == report.posts else f" The map has a sample of {counted(report.sampled, 'post')}."
    page = template("topics.html").render(
        heading=HEADING,
        summary=f"{one_line(report.index)}: {', '.join(counts)}.{sampled}",
        label=f"Map of {counted(len(found.spots), 'post')}: {'; '.join(str(group['name']) for group in groups)}",
        width=_WIDTH,
        height=_HEIGHT,
        groups=groups,
        names=_names(found, spots),
    )
    return page + "\n"


def _point(spot: Spot) -> tuple[float, float]:
    """Return a place on the map in pixels, from the upper left."""
    return (
        round(_EDGE + spot.x * (_WIDTH - 2 * _EDGE), 1),
        round(_EDGE + (1 - spot.y) * (_HEIGHT - 2 * _EDGE), 1),
    )


def _names(found: TopicMap, spots: list[list[Spot]]) -> list[_Name]:
    """Place the names of topics in the middle of their posts: the largest first, and none upon another."""
    placed: list[_Name] = []
    topics = found.report.topics
    for number in sorted(range(len(topics)), key=lambda number: -len(spots[number])):
        points = [_point(spot) for spot in spots[number]]
        text = ", ".join(one_line(topics[number].name).split(", ")[:_NAME_WORDS])
        if not points or not text:
            continue
        name = _Name(text, median(x for x, _ in points), median(y for _, y in points))
        half = min(name.width / 2, _WIDTH / 2)
        name = _Name(text, round(min(max(name.x, half), _WIDTH - half), 1), round(min(name.y, _HEIGHT - 4), 1))
        if not any(name.covers(other) for other in placed):
            placed.append(name)
    return placed
