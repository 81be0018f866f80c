"""``qa-search inspect``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import click

import qa_search
from qa_search.interfaces.cli.completion import complete_files
from qa_search.interfaces.cli.options import (
    comments_option,
    encoding_option,
    json_option,
    map_option,
    print_json,
)
from qa_search.interfaces.render.commands import about_notes, note_in_options, report_in_options
from qa_search.interfaces.render.reading import report_lines, sample_lines
from qa_search.interfaces.render.terminal import printable
from qa_search.types import Inspection
from qa_search.util.defaults import DEFAULT_RECORDS, DEFAULT_SOURCE
from qa_search.util.text import counted

_SHOWN = 10


@click.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]...", shell_complete=complete_files)
@map_option()
@encoding_option()
@comments_option()
@click.option(
    "--records",
    type=click.IntRange(min=1),
    default=DEFAULT_RECORDS,
    show_default=True,
    metavar="N",
    help="How many records of each file to read.",
)
@click.option("--all", "show_all", is_flag=True, help=f"Show all files and notes, not only the first {_SHOWN}.")
@json_option("everything")
def inspect(
    sources: tuple[str, ...],
    field_map: dict[str, str],
    encoding: str | None,
    comments: bool,
    records: int,
    show_all: bool,
    as_json: bool,
) -> None:
    """Show how a build would read each file, with three posts of each; nothing is built.

    SOURCE is a file or a folder, as for qa-search build. Exit status 1 if no post was found.
    """
    found = qa_search.inspect_archives(
        sources or (DEFAULT_SOURCE,), field_map=field_map, encoding=encoding, comments=comments, records=records
    )
    if as_json:
        print_json(found.to_dict())
    else:
        click.echo("\n".join(printable(line) for line in _lines(found, sources, None if show_all else _SHOWN)))
    if not any(report.posts for report in found.files):
        click.get_current_context().exit(1)


def _lines(found: Inspection, sources: Sequence[str], shown: int | None) -> list[str]:
    lines: list[str] = []
    for report, samples in list(zip(found.files, found.samples, strict=True))[:shown]:
        lines += report_lines(report_in_options(report))
        for number, post in enumerate(samples, start=1):
            lines += [f"  post {number}", *sample_lines(post)]
    hidden = 0 if shown is None else len(found.files) - shown
    if hidden > 0:
        lines.append(f"... and {counted(hidden, 'more file')} (--all)")
    lines += [f"set aside: {note_in_options(note)}" for note in found.set_aside[:shown]]
    hidden = 0 if shown is None else len(found.set_aside) - shown
    if hidden > 0:
        lines.append(f"... and {counted(hidden, 'more note')} (--all)")
    named = {Path(source).name for source in sources}  # which were inspected just now
    lines += about_notes([note for note in found.set_aside if PurePosixPath(note.source).name not in named])
    if any(report.posts >= found.limit for report in found.files):
        lines.append(f"At most {counted(found.limit, 'record')} of each file: no more was read (--records).")
    return lines or ["No posts: the sources have no files, or files without records."]
