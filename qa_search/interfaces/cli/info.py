"""``qa-search info``."""

from __future__ import annotations

import json
import sys
import textwrap

import click

import qa_search
from qa_search.errors import QASearchError
from qa_search.interfaces.cli.completion import complete_files
from qa_search.interfaces.cli.inputs import opened
from qa_search.interfaces.cli.options import json_option, place_option, print_json, quiet_option
from qa_search.interfaces.cli.output import echo_paged
from qa_search.interfaces.render.commands import about_notes, note_in_options, report_in_options
from qa_search.interfaces.render.reading import report_lines
from qa_search.interfaces.render.terminal import columns_of, printable
from qa_search.interfaces.render.wording import archive_language
from qa_search.types import IndexInfo
from qa_search.util.text import counted

# What a model has prompts for, and how that is called here.
_PROMPTED = {"query": "question", "passage": "passage"}
_SHOWN = 10
_SHOWN_TAGS = 12
_MOST_TOPICS_BYTES = 10_000_000


@click.command()
@place_option()
@click.option("--all", "show_all", is_flag=True, help=f"List everything, not only the first {_SHOWN} of each list.")
@click.option("--topics", is_flag=True, help="Show what the archive is about instead: topics, in broader groups.")
@click.option(
    "--topics-from",
    metavar="FILE",
    shell_complete=complete_files,
    help="Begin with the topics in this file (from --topics --json), so that they stay where they were.",
)
@click.option(
    "--topics-map",
    "as_map",
    is_flag=True,
    help="Print the topics as one HTML page with a map, on which close posts lie close.",
)
@json_option("everything")
@quiet_option()
def info(
    index_path: str,
    show_all: bool,
    topics: bool,
    topics_from: str | None,
    as_map: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Show what the index contains, how it was built, what could not be read and which posts are missing.

    Missing posts are titles that Prev and Next links of archive pages mention, but no page has.
    """
    if topics or as_map or topics_from is not None:
        _show_topics(index_path, topics_from, as_map=as_map, as_json=as_json)
        return
    with qa_search.SearchIndex.open(index_path) as index:
        found = index.info()
    if as_json:
        print_json(found.to_dict())
    else:
        width = columns_of() if sys.stdout.isatty() else None
        echo_paged("\n".join(wrapped(printable(line), width) for line in _lines(found, None if show_all else _SHOWN)))


def _show_topics(index_path: str, start_file: str | None, *, as_map: bool, as_json: bool) -> None:
    from qa_search.insights.topic_map import map_topics
    from qa_search.insights.topics import TopicReport, find_topics
    from qa_search.interfaces.render.topics import topics_to_html

    start = None
    if start_file is not None:
        with opened(start_file, "a file from qa-search info --topics --json") as stream:
            try:
                start = TopicReport.of_dict(json.loads(stream.read(_MOST_TOPICS_BYTES)))
            except (ValueError, RecursionError) as error:
                raise QASearchError(
                    f"{start_file}: not a report of topics. Name a file from qa-search info --topics --json."
                ) from error
    with qa_search.SearchIndex.open(index_path) as index:
        if as_map:
            found = map_topics(index, start=start)
            if as_json:
                print_json(found.to_dict())
            else:
                click.echo(printable(topics_to_html(found)), nl=False)
            return
        report = find_topics(index, start=start)
    if as_json:
        print_json(report.to_dict())
        return
    of_all = "" if report.sampled == report.posts else f" (counted in a sample of {report.sampled:,})"
    counts = f"{counted(report.posts, 'post')}, {counted(len(report.topics), 'topic')}"
    lines = [f"{report.index}: {counts}{of_all}"]
    for group in report.groups:
        lines += ["", f"{group.posts:6,}  {group.name}"]
        lines += [f"{topic.posts:10,}  {topic.name}" for topic in group.topics]
    click.echo("\n".join(printable(line) for line in lines))


def _lines(info: IndexInfo, shown: int | None) -> list[str]:
    counts = info.counts
    copies = counted(counts["duplicates"], "copy", "copies")
    dimensions = counted(info.model["dimension"], "dimension")
    lines = [
        f"{info.index}: generation {info.generation}, built {info.created} by {info.built_by}",
        f"  {counted(counts['posts'], 'post')} in {counted(counts['passages'], 'passage')}, {info.bytes / 1e6:,.1f} MB",
        f"  {copies}, {counts['unanswered']:,} unanswered, {counts['set_aside']:,} set aside",
        *_describe_dates(info),
        f"  {_describe_language(info)}",
        f"  model {info.model['name']} ({dimensions}, SHA-256 {info.model['sha256'][:12]})",
        f"  embedded by {_describe_encoder(info)}",
        *_prompt_lines(info),
        f"  passages of at most {counted(info.splitter['passage_tokens'], 'token')}",
        f"  {_describe_vectors(info)}",
        f"  ranked by {_describe_ranking(info)}",
        f"  {_describe_confidence(info)}",
        *_curation_lines(info),
        *_feedback_lines(info),
        "",
        "Sources",
    ]
    for source in info.sources[:shown]:
        extras = [
            f"{count:,} {what}"
            for count, what in ((source.unanswered, "unanswered"), (source.set_aside, "set aside"))
            if count
        ]
        lines.append(f"  {source.source}: {', '.join([counted(source.posts, 'post'), *extras])}")
    lines += _more(len(info.sources), shown)
    if info.files:
        lines += ["", "How files were read"]
        lines += [f"  {line}" for report in info.files[:shown] for line in report_lines(report_in_options(report))]
        lines += _more(len(info.files), shown)
    if info.set_aside:
        lines += ["", "Set aside"]
        lines += [f"  {note_in_options(note)}" for note in info.set_aside[:shown]]
        lines += _more(len(info.set_aside), shown)
        lines += [f"  {line}" for line in about_notes(info.set_aside)]
    if info.missing_posts:
        lines += ["", "Missing: posts that Prev and Next links mention and no page contains"]
        for missing in info.missing_posts[:shown]:
            lines.append(f"  {missing.title} (in {', '.join(missing.mentioned_by)})")
        lines += _more(len(info.missing_posts), shown)
    return lines


def wrapped(line: str, width: int | None) -> str:
    """Return a line within the columns of a terminal, further lines with two blanks more; as it is without a width."""
    if width is None:
        return line
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return "\n".join(textwrap.wrap(line, width, subsequent_indent=indent, break_on_hyphens=False)) or ""


def _describe_dates(info: IndexInfo) -> list[str]:
    """Return lines on the years of the posts, and on their tags; none where there are none."""
    lines = []
    if info.years:
        first, last = min(info.years), max(info.years)
        undated = sum(source.posts for source in info.sources) - sum(info.years.values())
        lines.append(f"  of {first} to {last}" if first != last else f"  of {first}")
        lines[-1] += f", {undated:,} without a date" * bool(undated)
        lines.append(f"  by year: {', '.join(f'{year} {posts:,}' for year, posts in sorted(info.years.items()))}")
    if info.tags:
        most = list(info.tags.items())[:_SHOWN_TAGS]
        others = len(info.tags) - len(most)
        named = ", ".join(f"{tag} {posts:,}" for tag, posts in most)
        lines.append(f"  tags: {named}" + f", and {counted(others, 'other')}" * bool(others))
    return lines


def _curation_lines(info: IndexInfo) -> list[str]:
    found = info.curation
    if found is None:
        return []
    counts = f"{found.pins:,} pinned answers, {found.hidden:,} hidden posts, {found.same:,} groups of words"
    dangers = f", {counted(found.dangers, 'notice')} about danger" if found.dangers else ""
    newer = f", newer posts gain up to {found.newer:g}" if found.newer else ""
    return [f"  curated by {found.path}: {counts}{dangers}{newer}", *(f"    {remark}" for remark in found.remarks)]


def _feedback_lines(info: IndexInfo) -> list[str]:
    found = info.feedback
    if found is None:
        return []
    counts = f"{found.votes:,} votes confirm {found.confirmed:,} complaints and reject {found.rejected:,}"
    return [f"  feedback in {found.path}: {counts}"]


def _describe_language(info: IndexInfo) -> str:
    return " ".join([archive_language(info.language), *([info.advice] if info.advice else [])])


def _describe_vectors(info: IndexInfo) -> str:
    record = info.vector_index
    if record["kind"] == "flat":
        return "vectors compared one by one"
    if record["kind"] == "hnsw":
        return "vectors in a graph (HNSW) in the database"
    found = f"{record.get('recall', 0):.1%} of the {record.get('recall_at', 10)} closest are found"
    lists = f"{counted(record['lists'], 'list')} ({record['kind']})"
    return f"vectors in {lists}, {record['probes']} of them searched: {found}"


def _describe_encoder(info: IndexInfo) -> str:
    encoder = info.encoder
    if encoder["kind"] == "onnx":
        agreement = encoder["agreement"]
        text = f"its {encoder['precision']} export (cosine to the original {agreement['mean']} on average, "
        text += f"{agreement['min']} at worst, on {counted(agreement['passages'], 'passage')})"
        if "passages" in encoder:
            text += f"; passages by torch, {encoder['passages']['precision']} on {encoder['passages']['device']}"
        return text
    return f"the original model ({encoder.get('why', 'given by the caller')})"


def _prompt_lines(info: IndexInfo) -> list[str]:
    """Return a line on what the model is given before texts, if it is given anything or told to get nothing."""
    given = {what: info.model.get(f"{what}_prompt") for what in _PROMPTED}
    exported = info.encoder["kind"] == "onnx"
    used = {what: info.encoder.get(f"{what}_prompt", "") for what in _PROMPTED} if exported else given
    if not any(used.values()) and set(given.values()) == {None}:
        return []
    return [f"  {', '.join(f'before each {_PROMPTED[what]} {_quoted(prompt)}' for what, prompt in used.items())}"]


def _quoted(prompt: str | None) -> str:
    if prompt is None:
        return "what the model itself names"
    return json.dumps(prompt, ensure_ascii=False) if prompt else "nothing"


def _describe_ranking(info: IndexInfo) -> str:
    given = info.ranking["weights"]
    weights = ", ".join(f"{name} {weight:g}" for name, weight in given.items())
    by_words = given.get("lexical", 0) > given.get("best", 0)
    default = "by words above all, as the model cannot read the archive" if by_words else "the default weights"
    return f"{weights} ({'tuned' if info.ranking['tuned'] else default})"


def _describe_confidence(info: IndexInfo) -> str:
    threshold = f"a query counts as not answered below {info.confidence['threshold']:.0%}"
    return f"{threshold}: the general rule, learnt from judged queries to other archives"


def _more(count: int, shown: int | None) -> list[str]:
    hidden = 0 if shown is None else count - shown
    return [f"  ... and {hidden:,} more (--all)"] if hidden > 0 else []
