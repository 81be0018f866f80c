"""A review of an archive -> text for a terminal, Markdown, and one HTML page with pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qa_search.interfaces.render.html import template
from qa_search.interfaces.render.wording import day, named, one_line
from qa_search.review.review import KINDS, Review
from qa_search.types import OtherPost
from qa_search.util.text import counted, without_unsafe

_HEADINGS = {
    "duplicates": "Near-copies",
    "differing": "Same question, other answer (candidates)",
    "answerable": "Questions without an answer that a post seems to answer",
    "thin": "Thin answers",
    "links": "Broken links",
}
_MOST_BARS = 20
_BAR = 22  # height of a bar and the gap below it, in pixels
_LABEL, _WIDTH, _NUMBER = 190, 400, 70


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: a line, and further lines below it."""

    line: str
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """The findings of one kind: those that are shown, and how many there are."""

    heading: str
    findings: tuple[Finding, ...]
    count: int

    @property
    def hidden(self) -> int:
        """How many are not shown."""
        return self.count - len(self.findings)


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a picture: its name, its number, its place from the top and its width, in pixels."""

    name: str
    number: int
    top: int
    width: float


def review_text(review: Review, most: int | None) -> str:
    """Write a review for a terminal, ``most`` findings of each kind; None for all."""
    lines = [f"{one_line(review.index)}: {counted(review.posts, 'post')}"]
    for section in sections(review, most):
        lines += ["", f"{section.heading}: {section.count:,}"]
        for finding in section.findings:
            lines += [f"  {finding.line}", *(f"      {line}" for line in finding.more)]
        lines += [f"  ... and {section.hidden:,} more (--all)"] * bool(section.hidden)
    return "\n".join([*lines, *("" for _ in review.remarks[:1]), *(f"Note: {remark}" for remark in review.remarks)])


def review_markdown(review: Review, most: int | None) -> str:
    """Write a review as Markdown."""
    lines = [f"# Review of {_escaped(one_line(review.index))}", "", counted(review.posts, "post")]
    lines += [f"\n{remark}" for remark in review.remarks]
    for section in sections(review, most):
        lines += ["", f"## {section.heading}: {section.count:,}", ""]
        for finding in section.findings:
            lines += [f"- {_escaped(finding.line)}", *(f"  - {_escaped(line)}" for line in finding.more)]
        lines += [f"- ... and {section.hidden:,} more"] * bool(section.hidden)
    for heading, counts in _pictures(review):
        lines += ["", f"## {heading}", "", "| | posts |", "|---|---|"]
        lines += [f"| {_escaped(one_line(name))} | {number:,} |" for name, number in counts.items()]
    return "\n".join(lines) + "\n"


def review_html(review: Review, most: int | None) -> str:
    """Write a review as one HTML page that needs no other file and runs nothing; pictures are SVG."""
    pictures = [(heading, bars(counts)) for heading, counts in _pictures(review)]
    page = template("review.html").render(
        heading="Review of the archive",
        index=one_line(review.index),
        counts=counted(review.posts, "post"),
        remarks=review.remarks,
        sections=sections(review, most),
        pictures=pictures,
        bar=_BAR,
        label=_LABEL,
        total=_LABEL + _WIDTH + _NUMBER,
    )
    return page + "\n"


def sections(review: Review, most: int | None) -> list[Section]:
    """Return the findings of each kind in the words that all forms share."""
    lines: dict[str, list[Finding]] = {
        "duplicates": [
            Finding(f"keep {_post(group.keep)}: {group.why}", tuple(map(_post, group.copies)))
            for group in review.duplicates[:most]
        ],
        "differing": [
            Finding(
                f"{_post(one.earlier)} and {_post(one.later)}",
                (
                    f"{day(one.earlier.date)}: {_line(one.earlier_answer)}",
                    f"{day(one.later.date)}: {_line(one.later_answer)}",
                ),
            )
            for one in review.differing[:most]
        ],
        "answerable": [
            Finding(f"{_post(one.question)}: see {_post(one.answer)}, confidence {one.confidence:.0%}")
            for one in review.answerable[:most]
        ],
        "thin": [Finding(f"{_post(one.post)}: {_line(one.why)}") for one in review.thin[:most]],
        "links": [Finding(f"{_post(one.post)}: {_line(one.why)}") for one in review.links[:most]],
    }
    return [Section(_HEADINGS[kind], tuple(lines[kind]), review.counts[kind]) for kind in KINDS]


def bars(counts: Mapping[str, int]) -> list[Bar]:
    """Return the bars of a picture, one below the other."""
    most = max(counts.values(), default=1) or 1
    return [
        Bar(one_line(name), number, at * _BAR, round(_WIDTH * number / most, 1))
        for at, (name, number) in enumerate(counts.items())
    ]


def _pictures(review: Review) -> list[tuple[str, Mapping[str, int]]]:
    named_sources = list(review.sources.items())
    rest = sum(number for _, number in named_sources[_MOST_BARS:])
    shown = dict(named_sources[:_MOST_BARS]) | ({"all others": rest} if rest else {})
    return [
        ("Posts by year", review.years),
        ("Posts by source", shown),
        ("Answers by length, in words", review.lengths),
    ]


def _post(post: OtherPost) -> str:
    place = f", {one_line(post.source_id)}" if post.post_id else ""
    return f"{without_unsafe(named(post))}{place}, {day(post.date)}"


def _line(text: str) -> str:
    return one_line(text)


def _escaped(text: str) -> str:
    """Write a text so that Markdown shows it as it is."""
    return "".join(f"\\{character}" if character in "\\`*_{}[]<>()#+!|~" else character for character in text)
