"""A report of gaps -> Markdown, or one HTML file with pictures that needs no other file and runs no script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qa_search.insights.gaps import Gap, GapReport, NearPost
from qa_search.interfaces.render.html import template
from qa_search.interfaces.render.markdown import escaped
from qa_search.interfaces.render.wording import one_line, percent
from qa_search.util.text import counted

HEADING = "What the archive does not answer"
_WIDTH, _CHART, _LABELS = 640, 60, 16


def gaps_to_markdown(report: GapReport) -> str:
    """Write a report as Markdown. Nothing in a complaint or a post becomes markup."""
    blocks = [f"# {HEADING}", *map(escaped, summary(report))]
    if report.gaps:
        rows = [
            f"| {number} | {escaped(one_line(gap.name))} | {gap.count:,} | {gap.trend} |"
            for number, gap in enumerate(report.gaps, start=1)
        ]
        blocks.append("\n".join(["| | gap | complaints | trend |", "|---|---|---|---|", *rows]))
    for number, gap in enumerate(report.gaps, start=1):
        blocks.append(f"## {number}. {escaped(one_line(gap.name))}")
        blocks.append(f"> {escaped(one_line(gap.complaint))}")
        blocks.append(escaped(_facts(gap)))
        if gap.periods:
            counts = ", ".join(f"{name}: {count:,}" for name, count in gap.periods.items() if count)
            blocks.append(f"By {report.period}: {counts}")
        if gap.nearest:
            near = [f"- {escaped(one_line(post.title))}: {escaped(why(post))}" for post in gap.nearest]
            blocks.append("\n".join(["The nearest posts:", "", *near]))
        others = _others(gap)
        if others:
            blocks.append("\n".join(["Other wordings:", "", *(f"- {escaped(text)}" for text in others)]))
    return "\n\n".join(blocks) + "\n"


def gaps_to_html(report: GapReport) -> str:
    """Write a report as one HTML page that needs no other file and runs nothing."""
    most = max((gap.count for gap in report.gaps), default=1)
    gaps = [
        {
            "name": one_line(gap.name),
            "count": gap.count,
            "bar": round(200 * gap.count / most, 1),
            "trend": gap.trend,
            "facts": _facts(gap),
            "complaint": one_line(gap.complaint),
            "chart": _columns(gap.periods, f"Complaints by {report.period}"),
            "nearest": [(one_line(post.title), why(post)) for post in gap.nearest],
            "texts": _others(gap),
        }
        for gap in report.gaps
    ]
    chart = _columns(report.periods, f"All complaints by {report.period}")
    page = template("gaps.html").render(
        heading=HEADING, summary=summary(report), share=_share(report), chart=chart, gaps=gaps
    )
    return page + "\n"


def summary(report: GapReport) -> list[str]:
    """Return the sentences that stand above the gaps: what was asked, and what is in no gap."""
    lines = [
        f"{counted(report.complaints, 'complaint')} to {one_line(report.index)}: {report.answered:,} answered, "
        f"{report.unanswered:,} not. {sum(gap.count for gap in report.gaps):,} of these are in "
        f"{counted(len(report.gaps), 'group')} of at least {report.least:,}, and {report.single:,} in smaller ones."
    ]
    others = (
        (report.danger, "had a sign of danger: they showed its notice, which is no gap of the archive"),
        (report.too_little, "said too little to be grouped"),
        (report.unreadable, "are in a language that the model cannot read"),
        (report.left_out, "were asked before the others and are not grouped, because they are too many"),
        (report.undated if report.period else 0, "have no date"),
    )
    return lines + [f"{count:,} {what}." for count, what in others if count]


def why(post: NearPost) -> str:
    """Say why a post falls short."""
    parts = [f"confidence {percent(post.confidence)}", f"closeness {post.closeness:.2f}"]
    parts.append(f"has {_words(post.found)}" if post.found else "has none of the words")
    if post.missing:
        parts.append(f"lacks {_words(post.missing)}")
    return "; ".join(parts)


def _words(words: tuple[str, ...]) -> str:
    return ", ".join(map(one_line, words))


def _facts(gap: Gap) -> str:
    parts = [f"{gap.count:,} complaints", f"{gap.wordings:,} wordings", f"confidence {percent(gap.confidence)}"]
    return " · ".join([*parts, *([gap.trend] if gap.trend else [])])


def _others(gap: Gap) -> list[str]:
    return [one_line(text) for text in gap.texts if text != gap.complaint]


def _share(report: GapReport) -> dict[str, Any] | None:
    """Return the bar of complaints: answered, with a sign of danger if any, and not answered."""
    if not report.complaints:
        return None
    kinds = [("rest", report.answered, "answered"), ("sign", report.danger, "with a sign of danger")]
    kinds.append(("bar", report.unanswered, "not answered"))
    parts, before = [], 0
    for kind, count, what in kinds:
        if count or kind != "sign":
            x, end = (round(_WIDTH * sum_of / report.complaints, 1) for sum_of in (before, before + count))
            parts.append({"kind": kind, "x": x, "width": round(end - x, 1), "label": f"{count:,} {what}"})
        before += count
    return {"width": _WIDTH, "label": ", ".join(str(part["label"]) for part in parts), "parts": parts}


def _columns(periods: Mapping[str, int], label: str) -> dict[str, Any] | None:
    """Return the places of the columns of a chart, one for each period; None for fewer than two."""
    if len(periods) < 2:
        return None
    most, step = max(periods.values()) or 1, _WIDTH / len(periods)
    bars = []
    for at, (name, count) in enumerate(periods.items()):
        height = round(_CHART * count / most, 1)
        if height:
            bars.append(
                {
                    "x": round(at * step, 1), "y": round(_CHART - height, 1), "width": round(max(step - 1, 1), 1),
                    "height": height, "label": f"{name}: {count:,}",
                }
            )  # fmt: skip
    names = list(periods)
    said = f"{label}, from {names[0]} to {names[-1]}; at most {most:,}"
    return {
        "width": _WIDTH, "height": _CHART + _LABELS, "bars": bars, "label": said, "first": names[0], "last": names[-1],
    }  # fmt: skip
