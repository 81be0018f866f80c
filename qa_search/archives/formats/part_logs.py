"""What was taken for what in the parts of one file (tables, sheets) -> its file's log."""

from __future__ import annotations

from collections.abc import Sequence

from qa_search.archives.base import ArchiveFile, ReadingLog


def take_over(file: ArchiveFile, logs: Sequence[ReadingLog]) -> None:
    """Note for a file what its parts noted; that answers are missing only where all of them lack answers."""
    for log in logs:
        for role, names in log.roles.items():
            for name, count in names.items():
                file.log.took(role, name, count)
        for name, count in log.unused.items():
            file.log.left(name, count)
        for remark in log.remarks:
            file.log.remark(remark)
    if logs and all(log.lacks_answers for log in logs):
        file.log.lacks_answers = True
        file.log.problem = next((log.problem for log in logs if log.problem is not None), None)
