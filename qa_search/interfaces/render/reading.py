"""Reports on files -> lines for a person."""

from __future__ import annotations

from collections.abc import Sequence

from qa_search.interfaces.render.wording import one_line
from qa_search.types import FileReport, Post

_SHOWN_FILES = 5
_SHOWN_TEXT = 100


def reading_lines(reports: Sequence[FileReport], shown: int | None = _SHOWN_FILES) -> list[str]:
    """Return lines on how each file was read, files with remarks first; on all files if ``shown`` is None."""
    ordered = sorted(reports, key=lambda report: not report.remarks)
    lines = [line for report in ordered[:shown] for line in report_lines(report)]
    hidden = 0 if shown is None else len(reports) - shown
    if hidden > 0:
        lines.append(f"... and {hidden:,} more files")
    return lines


def report_lines(report: FileReport) -> list[str]:
    """Return lines on how one file was read: format, counts, fields of each role, and remarks."""
    read_as = report.format if report.encoding is None else f"{report.format}, {report.encoding}"
    files = f", {report.files:,} files" if report.files > 1 else ""
    counts = f"{report.posts:,} posts: {report.with_question:,} with a question, {report.with_answer:,} with an answer"
    lines = [f"{report.source} ({read_as}{files}): {counts}, {report.with_date:,} with a date"]
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
