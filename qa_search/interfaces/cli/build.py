"""``qa-search build``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

import qa_search
from qa_search.archives.limits import Limits, format_size, parse_size
from qa_search.errors import MissingExtraError, QASearchError
from qa_search.interfaces.cli.completion import complete_files
from qa_search.interfaces.cli.options import (
    Number,
    comments_option,
    encoding_option,
    guard_options,
    index_option,
    json_option,
    map_option,
    model_option,
    print_json,
    quiet_option,
    store_option,
)
from qa_search.interfaces.cli.progress import ProgressLine
from qa_search.interfaces.render.commands import in_options, message_of, report_in_options
from qa_search.interfaces.render.reading import change_lines, reading_lines
from qa_search.interfaces.render.terminal import printable
from qa_search.interfaces.render.wording import archive_language
from qa_search.types import BuildReport
from qa_search.util.defaults import (
    DEFAULT_MEMORY,
    DEFAULT_PASSAGE_TOKENS,
    DEFAULT_RECALL,
    DEFAULT_SOURCE,
    DEVICES,
    LEAST_PASSAGE_TOKENS,
    PRECISIONS,
    Device,
    PrecisionChoice,
)
from qa_search.util.text import counted

# Files must rest for so long before a build begins, as a copy of many files is one change; at most so long.
_REST_MS, _MOST_MS = 500, 10_000
_IDLE_MS = 1000


class _Size(click.ParamType[int]):
    """A number, optionally with a unit."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            size = parse_size(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return size or self.fail("a limit is at least 1", param, ctx)


def limit_option(name: str, limit: str, what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make an option that sets one of the `Limits`; what goes over it is set aside."""
    default = getattr(Limits(), limit)
    shown = format_size(default).removesuffix(" bytes") if limit.endswith("bytes") else f"{default:,}"
    return click.option(name, limit, type=_Size(), default=default, show_default=shown, metavar="N", help=what)


def prompt_option(name: str, what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make --query-prompt or --passage-prompt: words for the model, before each text of a kind."""
    return click.option(
        f"--{name}-prompt",
        metavar="TEXT",
        help=f"A text that the model gets before each {what}, such as '{name}: '; '' for no prompt. "
        "[default: what the model's own settings name]",
    )


@click.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]...", shell_complete=complete_files)
@index_option()
@store_option("A PostgreSQL database to load the index into as well.")
@click.option(
    "--shard",
    "shards",
    multiple=True,
    metavar="URL",
    help="A server that takes a share of the database's posts; repeat it for each server. Later builds remember them.",
)
@model_option("The embedding model: a sentence-transformers name or folder. [default: the packaged MiniLM]")
@click.option(
    "--download", is_flag=True, help="Download the model from the Hugging Face hub if it is not on this machine."
)
@prompt_option("query", "question")
@prompt_option("passage", "passage")
@map_option()
@encoding_option()
@comments_option()
@click.option("--keep-unanswered", is_flag=True, help="Index questions that have no answer yet, too.")
@click.option("--strict", is_flag=True, help="Stop at the first post that cannot be read.")
@click.option(
    "--keep-going",
    is_flag=True,
    help="Leave damaged files out of this build instead of stopping; qa-search info lists them.",
)
@click.option(
    "--passage-tokens",
    type=click.IntRange(min=LEAST_PASSAGE_TOKENS),
    default=DEFAULT_PASSAGE_TOKENS,
    show_default=True,
    help="How many tokens (words or parts of words) a passage may have. Posts are cut into passages.",
)
@limit_option("--max-post", "post_characters", "How many characters a post may have; a longer one is left out.")
@limit_option("--max-record", "record_bytes", "How many bytes a line, a row, a JSON value or a page may have.")
@limit_option("--max-unpacked", "unpacked_bytes", "How many bytes a .gz, .bz2, .xz, .zst, .zip or .7z may unpack to.")
@limit_option("--max-files", "files", "How many files a .zip, .7z or .tar may have.")
@click.option("--rebuild", is_flag=True, help="Compute everything again, and reuse nothing of the last build.")
@click.option(
    "--device",
    type=click.Choice(DEVICES),
    default="auto",
    show_default=True,
    help="What embeds passages: auto is a GPU if there is one, else the CPU.",
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="auto",
    show_default=True,
    help="How exactly the model computes: auto is int8 if that agrees with the model, else fp32.",
)
@click.option(
    "--memory",
    type=_Size(),
    default=DEFAULT_MEMORY,
    show_default="1 GB",
    metavar="SIZE",
    help="How much memory a search among the vectors may take, such as 500MB. If they need more, they are compressed.",
)
@click.option(
    "--recall",
    type=Number(0, 1),
    default=DEFAULT_RECALL,
    show_default=True,
    help="The share of the 10 closest passages that a search among compressed vectors must find, else the build stops.",
)
@click.option(
    "--name",
    metavar="NAME",
    help="A name for SOURCE. The ids of its posts are made from it, so they stay when SOURCE moves.",
)
@guard_options()
@click.option("--watch", is_flag=True, help="Keep running, and build again whenever files of the sources change.")
@click.option(
    "--ray",
    metavar="ADDRESS",
    help="Embed on a Ray cluster: HOST:PORT, or auto for the one that this machine is in. See docs/ray.md.",
)
@json_option("the report")
@quiet_option()
def build(
    sources: tuple[str, ...],
    index_path: str,
    store: str | None,
    shards: tuple[str, ...],
    model: str | None,
    download: bool,
    query_prompt: str | None,
    passage_prompt: str | None,
    field_map: dict[str, str],
    encoding: str | None,
    comments: bool,
    keep_unanswered: bool,
    strict: bool,
    keep_going: bool,
    passage_tokens: int,
    post_characters: int,
    record_bytes: int,
    unpacked_bytes: int,
    files: int,
    rebuild: bool,
    device: Device,
    precision: PrecisionChoice,
    memory: int,
    recall: float,
    name: str | None,
    watch: bool,
    ray: str | None,
    as_json: bool,
    quiet: bool,
    **guard: Any,
) -> None:
    """Read archives and build the index. The previous index answers searches until the new one is complete.

    SOURCE is a file or a folder. Without one, the sources and settings of the last build are used again; a new index
    is built from data/archive/. Formats are recognised from content: archive pages as text or HTML, JSON, JSON
    Lines, CSV, TSV, Stack Exchange dumps and others, each also in .gz, .bz2, .xz, .zst, .tar, .zip or .7z.
    """
    if name is not None and len(sources) != 1:
        raise click.UsageError("--name needs exactly one SOURCE.")
    if shards and store is None:
        raise click.UsageError("--shard goes with --store: the database that the servers belong to.")
    if not sources:
        from qa_search.index.folder import IndexFolder  # here, because help and completion need no index

        if not IndexFolder(index_path).exists() and Path(DEFAULT_SOURCE).exists():
            sources = (DEFAULT_SOURCE,)
    run = partial(
        qa_search.build_index,
        sources or None,
        index_path,
        model=model,
        download=download,
        query_prompt=query_prompt,
        passage_prompt=passage_prompt,
        field_map=field_map,
        encoding=encoding,
        comments=comments,
        keep_unanswered=keep_unanswered,
        strict=strict,
        keep_going=keep_going,
        passage_tokens=passage_tokens,
        limits=Limits(
            post_characters=post_characters, record_bytes=record_bytes, unpacked_bytes=unpacked_bytes, files=files
        ),
        rebuild=rebuild,
        device=device,
        precision=precision,
        memory=memory,
        recall=recall,
        ray=ray,
        progress=None if quiet else ProgressLine(),
        store=store,
        shards=shards,
        names={sources[0]: name} if name is not None else None,
        **guard,
    )
    if watch and guard["dry_run"]:
        raise click.UsageError("--watch builds, and --dry-run does not: leave one out.")
    changes = watched_changes if watch else None
    report = run()
    print_report(report, as_json=as_json, quiet=quiet)
    if changes is not None:
        for _ in changes([source.path for source in report.sources], index_path, quiet=quiet):
            try:
                report = run()
            except QASearchError as error:
                click.echo(f"Error: {message_of(error)}", err=True)
            else:
                if report.generation != report.previous:
                    print_report(report, as_json=as_json, quiet=quiet)


def watched_changes(paths: Sequence[str], index: str, *, quiet: bool) -> Iterator[None]:
    """Yield whenever files of the sources have changed and then rested for a moment, until the process is interrupted.

    Raises:
        MissingExtraError: if watchfiles is not installed.
    """
    try:
        from watchfiles import DefaultFilter, watch
    except ModuleNotFoundError as error:
        raise MissingExtraError.of("watch", "qa-search build --watch", error.name) from error

    class OfSources(DefaultFilter):
        """All files but hidden ones, and those of the index itself."""

        def __call__(self, change: Any, path: str) -> bool:
            return super().__call__(change, path) and not Path(path).resolve().is_relative_to(own)

    own = Path(index).resolve()
    if not quiet:
        click.echo(f"Watching {', '.join(paths)}. Ctrl-C ends it.", err=True)
    began = False
    for changes in watch(
        *paths,
        watch_filter=OfSources(),
        step=_REST_MS,
        debounce=_MOST_MS,
        rust_timeout=_IDLE_MS,
        yield_on_timeout=True,
        raise_interrupt=True,
    ):
        # Once it watches, what changed since the first build began is looked for.
        if changes or not began:
            yield
        began = True


def print_report(report: BuildReport, *, as_json: bool, quiet: bool) -> None:
    """Print the report of a build."""
    if as_json:
        print_json(report.to_dict())
    elif not quiet:
        click.echo(_summary(report))


def _summary(report: BuildReport) -> str:
    if not report.generation:
        first = f"Dry run, nothing was built. {report.index} would have {counted(report.posts, 'post')}"
    elif report.generation == report.previous:
        first = (
            f"No source changed: {report.generation} still answers, {counted(report.posts, 'post')} in "
            f"{counted(report.passages, 'passage')} ({report.seconds:.1f} s). To compute everything again: --rebuild"
        )
    else:
        built = f"built in {report.seconds:.1f} s into {report.index}"
        first = f"{counted(report.posts, 'post')} in {counted(report.passages, 'passage')}, {built}"
    lines = [first, *map(printable, change_lines(report))]
    if report.duplicates:
        lines.append(f"{counted(report.duplicates, 'copy', 'copies')} of these: stored once, found under all ids")
    if report.unanswered:
        lines.append(f"{counted(report.unanswered, 'question')} without an answer yet: left out (--keep-unanswered)")
    if report.left_out:
        lines.append(f"{report.left_out} was not read: it is the index, and is inside a source")
    if report.set_aside:
        lines.append(f"{report.set_aside:,} set aside, which could not be read: see qa-search info")
    if report.generation:  # a dry run does not look for the language
        lines.append(archive_language(report.language))
    if report.advice:
        lines.append(printable(in_options(report.advice)))
    files = [report_in_options(file) for file in report.files]
    return "\n".join([*lines, *map(printable, reading_lines(files))])
