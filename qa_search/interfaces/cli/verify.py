"""``qa-search verify``."""

from __future__ import annotations

import click

import qa_search
from qa_search.errors import IndexDamagedError, IndexUnreadableError
from qa_search.interfaces.cli.options import index_option, json_option, print_json, quiet_option
from qa_search.interfaces.render.commands import in_options
from qa_search.interfaces.render.terminal import printable
from qa_search.types import GenerationCheck, VerifyReport
from qa_search.util.text import counted


@click.command()
@index_option()
@click.option(
    "--fall-back", is_flag=True, help="If the current generation is damaged, go back to the latest one that is intact."
)
@json_option("the report")
@quiet_option()
def verify(index_path: str, fall_back: bool, as_json: bool, quiet: bool) -> None:
    """Read every byte of the index and compare it with what was written.

    All generations that are kept are read: the one that answers, and the previous one. Exit status 3 if what answers
    is damaged, or cannot be read now (it may be intact); the message says what to do.
    """
    report = qa_search.verify_index(index_path, fall_back=fall_back)
    if as_json:
        print_json(report.to_dict())
    elif not quiet:
        click.echo(printable(in_options(_page(report))))
    unread = next((check.unread for check in report.generations if check.answers and check.unread), "")
    if not report.ok and unread:
        raise IndexUnreadableError(f"{report.index}: the index could not be checked: {unread}")
    if not report.ok:
        raise IndexDamagedError(_ways_out(report))


def _page(report: VerifyReport) -> str:
    lines = [report.pointer_problem] if report.pointer_problem else []
    for check in report.generations:
        role = "answers" if check.answers else "kept"
        if check.problems:
            lines.append(f"{check.generation} ({role}) is damaged:")
            lines += [f"  {problem}" for problem in check.problems]
        if check.unread:
            lines += [f"{check.generation} ({role}) could not be read completely:", f"  {check.unread}"]
        if check.whole:
            lines.append(
                f"{check.generation} ({role}) is whole: {counted(check.files, 'file')}, {check.bytes / 1e6:,.1f} MB, "
                "every byte is what was written, and all counts agree"
            )
    if report.fell_back_to:
        lines.append(f"{report.fell_back_to} answers now. Build again to bring the index up to date.")
    return "\n".join(lines)


def _ways_out(report: VerifyReport) -> str:
    whole = next((check for check in report.generations if _can_answer(check)), None)
    build = f"build the index again: qa-search build SOURCE --index {report.index}"
    if whole is None:
        return f"{report.index}: the index is damaged, and no other generation is whole. To repair it, {build}"
    return (
        f"{report.index}: the index is damaged. Let {whole.generation} answer meanwhile (qa-search verify --fall-back "
        f"--index {report.index}), and {build}"
    )


def _can_answer(check: GenerationCheck) -> bool:
    return check.whole and not check.answers
