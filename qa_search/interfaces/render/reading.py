"""Reports on files -> lines for a person."""

from __future__ import annotations

from collections.abc import Sequence

from qa_search.interfaces.render.commands import option_of
from qa_search.interfaces.render.wording import one_line
from qa_search.types import BuildReport, FileReport, Post, SourceChanges, part_of
from qa_search.util.text import counted

_SHOWN_FILES = 5
_SHOWN_TEXT = 100
_KINDS = {
    "added": "added", "changed": "changed", "removed": "removed", "renamed": "under another id",
    "unchanged": "unchanged",
}  # fmt: skip
_MOST_CHANGED = 10


def reading_lines(reports: Sequence[FileReport], shown: int | None = _SHOWN_FILES) -> list[str]:
    """Return lines on how each file was read, files with remarks first; on all files if ``shown`` is None."""
    ordered = sorted(reports, key=lambda report: not report.remarks)
    lines = [line for report in ordered[:shown] for line in report_lines(report)]
    hidden = 0 if shown is None else len(reports) - shown
    if hidden > 0:
        lines.append(f"... and {counted(hidden, 'more file')}")
    return lines


def report_lines(report: FileReport) -> list[str]:
    """Return lines on how one file was read: format, counts, fields of each role, and remarks."""
    read_as = report.format if report.encoding is None else f"{report.format}, {report.encoding}"
    files = f", {report.files:,} files" if report.files > 1 else ""
    parts = f"{report.with_question:,} with a question, {report.with_answer:,} with an answer"
    counts = f"{counted(report.posts, 'post')}: {parts}, {report.with_date:,} with a date"
    lines = [f"{report.source} ({read_as}{files}): {counts}"]
    if report.roles:
        roles = (f"{role} = {', '.join(names)}" for role, names in report.roles.items())
        lines.append(f"  fields: {'; '.join(roles)}")
    return [*lines, *(f"  note: {remark}" for remark in report.remarks)]


def sample_lines(post: Post) -> list[str]:
    """Return lines with the beginnings of a post's parts."""
    parts = [("id", post.source_id), ("title", post.title), ("question", post.question), ("answer", post.answer)]
    parts += [("date", post.date or ""), ("author", post.author or ""), ("link", post.url or "")]
    parts.append(("tags", ", ".join(post.tags)))
    if len(post.answers) > 1:
        parts.append(("answers", str(len(post.answers))))
    return [f"    {name}: {_beginning(text)}" for name, text in parts if text or name == "answer"]


def _beginning(text: str) -> str:
    line = one_line(text) or "(none)"
    return line if len(line) <= _SHOWN_TEXT else f"{line[:_SHOWN_TEXT]} …"


def change_lines(report: BuildReport) -> list[str]:
    """Return the lines that say what a build changed, lost and cleared away."""
    lines = []
    if report.previous is not None and report.generation != report.previous:
        lines.append(f"Since {report.previous}: {change_text(report.changes)}")
        changed = [one for one in report.changes if one.added or one.changed or one.removed or one.renamed]
        if len(report.changes) > 1:
            lines += [f"  {one.source}: {change_text([one])}" for one in changed[:_MOST_CHANGED]]
            lines += [f"  ... and {len(changed) - _MOST_CHANGED:,} more"] if len(changed) > _MOST_CHANGED else []
    lines += [f"No longer read: {source.path} (name: {source.name})" for source in report.dropped]
    if report.forgotten:
        options = ", ".join(map(option_of, report.forgotten))
        lines.append(f"Not used, unlike in the last build: {options}. Without sources, a build keeps its settings.")
    for source in report.empty:
        within = part_of(source.path, report.sources)
        named = f"{source.path} (name: {source.name})"
        lines.append(
            f"Nothing was read in {named}" if within is None else f"{named} is read as a part of {within.path}"
        )
    if report.cleared:
        lines.append(f"Removed the old {', '.join(report.cleared)} (--keep)")
    return lines


def change_text(changes: Sequence[SourceChanges]) -> str:
    """Return what changed in a few words, over all sources."""
    sums = {kind: sum(getattr(one, kind) for one in changes) for kind in _KINDS}
    return ", ".join(f"{count:,} {_KINDS[kind]}" for kind, count in sums.items() if count) or "no posts"
