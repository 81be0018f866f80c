"""Build an index from archives."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, cast

from qa_search.archives.encodings import named_encoding
from qa_search.archives.formats.records import ROLES
from qa_search.archives.limits import Limits, require_limits
from qa_search.archives.read import FileRead, Reading, ReadOptions, read_archives, read_files
from qa_search.builder.changes import ShrinkGuard
from qa_search.builder.encoder_choice import EncoderChooser, given_encoder
from qa_search.builder.generation_writer import GenerationWriter, Progress, no_posts, store_posts, strict_error
from qa_search.builder.kept_files import KeptFiles
from qa_search.builder.ray_cluster import RayCluster
from qa_search.builder.reuse import PreviousGeneration
from qa_search.builder.sources import Plan, Settings, SourcePath, SourceWatch, listed, make_plan
from qa_search.embedders.base import Embedder, Prompts, require_model
from qa_search.embedders.locate import locate_model
from qa_search.embedders.passages import Splitter
from qa_search.errors import (
    ArchiveError,
    IndexDamagedError,
    IndexUnreadableError,
    ModelError,
    NoPostsError,
    QueryError,
    ShrinkError,
)
from qa_search.index.encoders import remove_unused_encoders
from qa_search.index.folder import IndexFolder
from qa_search.index.folder_stores import open_folder
from qa_search.index.generation import Generation
from qa_search.index.manifest import BuiltFrom, ExportedEncoder
from qa_search.index.open import open_writer, require_folder
from qa_search.index.owned import ENCODERS
from qa_search.index.stores.posts_writer import PostWriter
from qa_search.search.advice import Languages
from qa_search.types import BuildReport, FileReport, IndexSource, Inspection, Post, SetAside, SourceChanges
from qa_search.util.cache import cache_folder
from qa_search.util.defaults import (
    DEFAULT_KEEP,
    DEFAULT_LARGEST_LOSS,
    DEFAULT_MEMORY,
    DEFAULT_PASSAGE_TOKENS,
    DEFAULT_RECALL,
    DEFAULT_RECORDS,
    DEVICES,
    LEAST_KEEP,
    Device,
    PrecisionChoice,
)
from qa_search.util.parameters import (
    listed_paths,
    listed_texts,
    require_calls,
    require_choice,
    require_flags,
    require_mapping,
    require_share,
    require_texts,
    require_whole,
)

if TYPE_CHECKING:
    from qa_search.index.postgres.load import PostgresWriter

# What is held until the first post that can be indexed.
_MOST_BEGUN = 10_000
_MOST_BEGUN_CHARACTERS = 16 << 20
_MOST_NOTES = 1000


def build_index(
    sources: Sequence[SourcePath] | SourcePath | None,
    index: SourcePath,
    *,
    model: str | os.PathLike[str] | Embedder | None = None,
    download: bool = False,
    query_prompt: str | None = None,
    passage_prompt: str | None = None,
    field_map: Mapping[str, str] | None = None,
    keep_unanswered: bool = False,
    strict: bool = False,
    keep_going: bool = False,
    passage_tokens: int = DEFAULT_PASSAGE_TOKENS,
    limits: Limits | None = None,
    rebuild: bool = False,
    device: Device = "auto",
    precision: PrecisionChoice = "auto",
    memory: int = DEFAULT_MEMORY,
    recall: float = DEFAULT_RECALL,
    ray: str | None = None,
    progress: Callable[[Progress], None] | None = None,
    store: str | None = None,
    shards: Sequence[str] = (),
    encoding: str | None = None,
    comments: bool = False,
    names: Mapping[SourcePath, str] | None = None,
    add: Sequence[SourcePath] | SourcePath = (),
    remove: Sequence[str] | str = (),
    largest_loss: float = DEFAULT_LARGEST_LOSS,
    allow_shrink: bool = False,
    keep: int = DEFAULT_KEEP,
    dry_run: bool = False,
) -> BuildReport:
    """Read archives and build the index that `SearchIndex.open` opens.

    Only what changed is read and computed: a file that did not change is not read again, and a passage whose text,
    model and settings did not change keeps its vector. If no file and no setting changed, nothing is built. A killed
    build continues where it stopped.

    Whatever was in the index folder answers until the new index is whole, and goes on answering if this fails. What
    changed is reported, and kept with the index (`index_log`); `undo_index` goes back.

    Args:
        sources: files and folders; a single one may be given as it is. None for those that the index was built from,
            with the settings of that build where this call has the default; there must be an index, or ``add``, then.
        index: the folder to write to; made if it is not there.
        model: a model's name or folder, or the model itself; None for the packaged default.
        download: fetch the model if it is not on this machine.
        query_prompt: what the model is given before each question, such as "query: "; "" for nothing, None for what
            the model itself names.
        passage_prompt: the same before each passage.
        field_map: role -> name of a field, for records that call their fields otherwise; "-" for no field.
        keep_unanswered: index questions that have no answer yet.
        strict: stop at the first post that cannot be read, instead of setting it aside.
        keep_going: set aside files that are damaged, instead of stopping; in this build alone.
        passage_tokens: the most tokens of a passage, where the model reads as many.
        limits: how large archives, files and posts may be; None for the defaults. What is larger is set aside.
        rebuild: compute everything again, and reuse nothing of the previous index or a killed build.
        device: where passages are embedded: "auto", "cpu" or "cuda".
        precision: "auto" (int8 where it agrees with the model, else fp32), "int8", "fp32" or "bf16".
        memory: how many bytes searching the vectors may take; more passages than fit are compressed.
        recall: how much of the 10 closest passages a search among compressed vectors must find, else nothing is
            published.
        ray: embed on the Ray cluster at this address: "auto" or "HOST:PORT"; see docs/ray.md.
        progress: called now and then with how far the build is.
        store: a PostgreSQL database to load the index into as well, as postgresql://USER@HOST:PORT/DATABASE.
        shards: the servers to spread it over, once; later builds know them.
        encoding: what all text files are written in, such as "windows-1251"; None to find it from their bytes.
        comments: keep the comments of Stack Exchange dumps, below what they comment on.
        names: source -> its name, which the ids of its posts are made from. The index remembers it. By default it is
            the end of the source's path when it was first read.
        add: sources to read besides those that the index was built from, or ids of posts that were removed; a single
            one may be given as it is.
        remove: names or paths of sources, or ids of posts, that the index is to have no longer; or a single one.
        largest_loss: the largest share of the previous posts that may be gone or have other ids; else nothing changes.
        allow_shrink: allow any loss.
        keep: how many generations to keep for `undo_index`, the new one included; at least 2.
        dry_run: only read, and report what would change.

    Raises:
        QueryError: if a parameter has a value that is not allowed; nothing is read then.
        ArchiveError: if a source cannot be used, or there is nothing to index.
        ShrinkError: if more posts would be lost than is allowed.
        ModelError: if the model cannot be used.
        ClusterError: if the Ray cluster cannot be used, or is lost.
        IndexOccupiedError: if the folder holds something else and no index; nothing is written to it.
        IndexFolderError: if the folder or the database is locked by another build or cannot be written to or read now,
            or no vector index keeps to ``memory`` and ``recall``.
    """
    started = _Start()
    require_folder(index)
    require_model(model)
    require_flags(download=download, strict=strict, rebuild=rebuild, allow_shrink=allow_shrink, dry_run=dry_run)
    require_choice("device", device, DEVICES)
    require_texts(ray=ray, store=store)
    require_calls(progress=progress)
    require_mapping("names", names, "a mapping of sources to their names")
    require_share("largest_loss", largest_loss)
    require_whole("keep", keep, LEAST_KEEP)
    sources = None if sources is None else listed_paths("sources", sources)
    add, remove, shards = listed_paths("add", add), listed_texts("remove", remove), listed_texts("shards", shards)
    folder = IndexFolder(index)
    given = None if isinstance(model, str | os.PathLike) or model is None else model
    asked = Prompts(query_prompt, passage_prompt)  # invalid ones are reported before anything is read
    if given is not None and asked.are_given:
        raise ModelError(
            "query_prompt and passage_prompt: a model that is passed itself has its own. Name it, or its folder."
        )
    plan = make_plan(
        folder,
        sources,
        Settings(
            model=None if given is not None or model is None else os.fspath(cast(SourcePath, model)),
            query_prompt=query_prompt,
            passage_prompt=passage_prompt,
            field_map={} if field_map is None else field_map,
            encoding=encoding,
            comments=comments,
            keep_unanswered=keep_unanswered,
            keep_going=keep_going,
            passage_tokens=passage_tokens,
            limits=Limits() if limits is None else limits,
            precision=precision,
            memory=memory,
            recall=recall,
        ),
        names=names,
        add=add,
        remove=remove,
    )
    settings = plan.settings
    options = read_options(
        settings.field_map,
        limits=settings.limits,
        encoding=settings.encoding,
        keep_unanswered=settings.keep_unanswered,
        comments=settings.comments,
        left_out=folder.home,
        names=plan.names,
    )
    named = ", ".join(os.fspath(path) for path in plan.paths)
    report = progress or (lambda _: None)

    def read(kept: KeptFiles) -> Generator[Post | SetAside | FileRead]:
        return read_files(plan.paths, options, keep_going=settings.keep_going, look=kept.look)

    watch = SourceWatch(plan, options)
    # The first post that can be indexed is read before anything slow or lasting is done, so that a wrong path or a
    # format that is not read is reported at once.
    kept = watch.kept_files(None)
    begun = read(kept)
    posts = _begin(named, begun, options, strict=strict)
    guard = ShrinkGuard(
        None,
        1.0 if allow_shrink else largest_loss,
        plan.dropped,
        (plan.given_up if remove else frozenset()) | frozenset(plan.excluded),
        settings.keep_going,
    )
    if dry_run:
        guard = replace(guard, previous=_previous(folder, plan, rebuild=rebuild))
        previous = None if rebuild else guard.previous
        if previous is not None:
            begun.close()
            kept = watch.kept_files(previous)
            posts = read(kept)
        return _dry_run(index, plan, posts, guard, previous, kept, started, report, strict=strict)
    database = open_writer(store, shards)
    with folder.writing(), ExitStack() as stack:
        if database is not None:
            stack.enter_context(database.writing())
        report(Progress("model", 0, None))
        cluster = None
        if ray is not None:
            _require_shippable(given, device, precision)
            cluster, device = stack.enter_context(RayCluster(ray)), "cpu"
        if given is None:
            prompts = Prompts(settings.query_prompt, settings.passage_prompt)
            located = replace(locate_model(settings.model, download=download), prompts=prompts)
            chooser = EncoderChooser(
                folder.home / ENCODERS,
                located,
                device=device,
                precision=cast(PrecisionChoice, settings.precision),
                rebuild=rebuild,
                cache=_shared_encoders(),
                exporting=lambda: report(Progress("exporting", 0, None)),
            )
            model_id, open_tokenizer, choose = chooser.model_id, chooser.tokenizer, chooser.choose
        else:
            encoder = given_encoder(given)
            model_id, open_tokenizer, choose = given.model_id, lambda: given, lambda sample: encoder
        key = watch.key(model_id.sha256, device)
        guard = replace(guard, previous=_previous(folder, plan, rebuild=rebuild))
        previous = None if rebuild else guard.previous
        if previous is not None and watch.fits(previous.generation, key):
            with suppress(IndexDamagedError):
                folder.require_whole_encoder(previous.generation.manifest.encoder)
                if database is not None:
                    _load(database, folder, previous.generation, report)
                folder.clear_unfinished()
                return _report(
                    index,
                    plan,
                    previous.generation,
                    started,
                    0,
                    left_out=_left_out(plan, folder, index),
                    about_store=_advice_of(database),
                )
        tokenizer = open_tokenizer()
        limit = tokenizer.passage_limit
        tokens = settings.passage_tokens if limit is None else min(settings.passage_tokens, limit)
        writer = GenerationWriter(
            folder=folder,
            sources=named,
            guard=guard,
            excluded=frozenset(plan.excluded),
            keep=keep,
            splitter=Splitter(tokenizer.count_tokens, tokens),
            model=model_id,
            choose=choose,
            cluster=cluster,
            keep_unanswered=settings.keep_unanswered,
            strict=strict,
            rebuild=rebuild,
            memory=settings.memory,
            recall=settings.recall,
            report=report,
        )

        def built_from(kept: KeptFiles) -> BuiltFrom:
            return plan.to_record(watch.state(key, kept))

        try:
            if previous is not None:  # files that did not change are not read
                begun.close()
                kept = watch.kept_files(previous if writer.splits_like(previous) else None)
                posts = read(kept)
            written = writer.write(posts, previous, kept, built_from)
        except IndexDamagedError:
            if guard.previous is None:
                raise
            # Damage that opening does not look for: nothing of that generation is used.
            kept = watch.kept_files(None)
            try:
                written = writer.write(read(kept), None, kept, built_from)
            except IndexDamagedError:  # its posts cannot even be compared
                kept = watch.kept_files(None)
                again = replace(writer, guard=replace(guard, previous=None))
                written = again.write(read(kept), None, kept, built_from)
        with suppress(IndexUnreadableError):  # then a later build clears them away
            remove_unused_encoders(folder.home / ENCODERS, folder.used_encoders())
        if database is not None:
            _load(database, folder, written.generation, report)
        about_store = _advice_of(database)
    return _report(
        index,
        plan,
        written.generation,
        started,
        written.embedded,
        left_out=_left_out(plan, folder, index),
        changes=written.changes,
        cleared=written.cleared,
        about_store=about_store,
    )


class _Start:
    """When a build began."""

    def __init__(self) -> None:
        self._at = time.perf_counter()

    @property
    def seconds(self) -> float:
        """The seconds since then."""
        return round(time.perf_counter() - self._at, 2)


def _previous(folder: IndexFolder, plan: Plan, *, rebuild: bool) -> PreviousGeneration | None:
    """Open the generation that answers. A rebuild does without one that cannot be read now; it is kept then.

    Raises:
        IndexUnreadableError: if it cannot be read now.
        ArchiveError: if it lacks a post that is to be removed.
    """
    try:
        found = PreviousGeneration.open(folder)
    except IndexUnreadableError:
        if not rebuild:
            raise
        return None
    for post in plan.removed:
        if found is not None and found.posts.find(post) is None:
            raise ArchiveError(f"{post}: neither a source nor a post of this index. It has: {listed(plan.sources)}")
    return found


def _report(
    index: SourcePath,
    plan: Plan,
    generation: Generation,
    started: _Start,
    embedded: int,
    *,
    left_out: str,
    changes: tuple[SourceChanges, ...] | None = None,
    cleared: tuple[str, ...] = (),
    about_store: str = "",
) -> BuildReport:
    """Make the report on a generation; ``changes`` is None if it was there before."""
    manifest, counts = generation.manifest, generation.manifest.counts
    languages = Languages.of_manifest(manifest)
    unchanged = SourceChanges("", unchanged=counts.posts + counts.duplicates)
    return BuildReport(
        index=os.fspath(index),
        generation=generation.name,
        embedded=embedded,
        reused=counts.passages - embedded,
        seconds=started.seconds,
        model=manifest.model.name,
        left_out=left_out,
        files=manifest.reading,
        language=languages.main,
        advice=" ".join(filter(None, (languages.warning(), about_store))) or None,
        previous=generation.name if changes is None else manifest.previous,
        changes=(unchanged,) if changes is None else changes,
        sources=plan.sources,
        dropped=plan.dropped,
        forgotten=plan.forgotten,
        cleared=cleared,
        empty=_empty(plan.sources, manifest.reading),
        **counts._asdict(),
    )


def _dry_run(
    index: SourcePath,
    plan: Plan,
    posts: Iterator[Post | SetAside | FileRead],
    guard: ShrinkGuard,
    previous: PreviousGeneration | None,
    kept: KeptFiles,
    started: _Start,
    report: Callable[[Progress], None],
    *,
    strict: bool,
) -> BuildReport:
    """Read what changed, and report what a build would change."""
    with tempfile.TemporaryDirectory(prefix="qa-search-") as scratch:
        writer, reading = PostWriter(Path(scratch), None if previous is None else previous.posts), Reading()
        try:
            stored = store_posts(
                writer,
                posts,
                frozenset(plan.excluded),
                kept,
                reading,
                keep_unanswered=plan.settings.keep_unanswered,
                strict=strict,
                report=report,
            )
            for _ in stored:
                pass
            writer.name_repeated()
            advice = None
            try:
                changes = guard.compare(writer)
            except ShrinkError as error:
                advice, changes = str(error), replace(guard, largest_loss=1.0).compare(writer)
        finally:
            writer.abandon()
    return BuildReport(
        index=os.fspath(index),
        generation="",
        posts=writer.posts,
        duplicates=writer.entries - writer.posts,
        passages=0,
        embedded=0,
        reused=0,
        set_aside=writer.set_aside_count,
        unanswered=writer.unanswered,
        seconds=started.seconds,
        model=plan.settings.model or "",
        files=reading.reports,
        advice=advice,
        previous=None if guard.previous is None else guard.previous.generation.name,
        changes=changes,
        sources=plan.sources,
        dropped=plan.dropped,
        forgotten=plan.forgotten,
        empty=_empty(plan.sources, reading.reports),
    )


def _empty(sources: Sequence[IndexSource], files: Sequence[FileReport]) -> tuple[IndexSource, ...]:
    """Return the sources in which no file was read."""
    return tuple(
        source
        for source in sources
        if not any(file.source == source.name or file.source.startswith(f"{source.name}/") for file in files)
    )


def _shared_encoders() -> Path | None:
    """Return the folder of the encoders that the user's indexes share; None if the user has no home folder."""
    try:
        return cache_folder() / ENCODERS
    except RuntimeError:
        return None


def _left_out(plan: Plan, folder: IndexFolder, index: SourcePath) -> str:
    return os.fspath(index) if _contains(plan.paths, folder.home) else ""


def _contains(sources: Sequence[str | os.PathLike[str]], home: Path) -> bool:
    """Return whether a folder lies in one of the sources."""
    return any(Path(source).resolve() in home.parents for source in sources)


def _advice_of(database: PostgresWriter | None) -> str:
    return "" if database is None else database.advice


def _load(
    database: PostgresWriter, folder: IndexFolder, generation: Generation, report: Callable[[Progress], None]
) -> None:
    """Load a published generation and its exported encoder into a database."""
    posts, encoder = generation.manifest.counts.posts, generation.manifest.encoder
    held = folder.hold_encoder(encoder) if isinstance(encoder, ExportedEncoder) else None
    stores = open_folder(generation.folder, generation.manifest, generation.file_names)
    report(Progress("storing", 0, posts))
    with closing(stores.posts):
        database.load(generation.manifest, stores, held, lambda done: report(Progress("storing", done, posts)))


def _begin(
    sources: str,
    posts: Iterator[Post | SetAside | FileRead],
    options: ReadOptions,
    *,
    strict: bool,
) -> Iterator[Post | SetAside | FileRead]:
    """Read up to the first post that can be indexed, and return all posts from the start.

    Raises:
        NoPostsError: if there is none.
        SetAsideError: if a post before it cannot be read, and ``strict`` says to stop then.
    """
    found: list[Post | SetAside | FileRead] = []
    characters = 0
    for item in posts:
        found.append(item)
        characters += len(item.text) if isinstance(item, Post) else 0
        if isinstance(item, Post) and (item.answer or options.keep_unanswered):
            return chain(found, posts)
        if isinstance(item, SetAside) and strict:
            raise strict_error(item)
        if len(found) >= _MOST_BEGUN or characters > _MOST_BEGUN_CHARACTERS:
            return chain(found, posts)
    if not found:
        raise NoPostsError(f"{sources or 'no source'}: no files to read. Name archive files, or folders of them.")
    reading = Reading()
    for item in found:
        if isinstance(item, FileRead):
            reading.add(item.reading)
    notes = [item for item in found if isinstance(item, SetAside)]
    unanswered = sum(isinstance(item, Post) for item in found)
    raise no_posts(sources, unanswered, len(notes), next(iter(notes), None), reading)


def read_options(
    field_map: Mapping[str, str] | None = None,
    *,
    limits: Limits | None = None,
    encoding: str | None = None,
    keep_unanswered: bool = False,
    comments: bool = False,
    sample: int | None = None,
    left_out: Path | None = None,
    names: Mapping[Path, str] | None = None,
) -> ReadOptions:
    """Check what a caller says of archives.

    Raises:
        QueryError: if a role or an encoding is unknown, or a value is not of its kind.
    """
    require_mapping("field_map", field_map, "a mapping of roles to names of fields")
    require_texts(encoding=encoding)
    require_flags(keep_unanswered=keep_unanswered, comments=comments)
    require_limits(limits)
    codec = None
    if encoding is not None:
        codec = named_encoding(encoding)
        if codec is None:
            raise QueryError(
                f"encoding: {encoding!r} is unknown. Name one such as utf-8, windows-1251, gb18030 or shift_jis.",
                parameter="encoding",
            )
    return ReadOptions(
        _checked_field_map(field_map or {}),
        limits or Limits(),
        codec,
        keep_unanswered,
        comments,
        sample,
        left_out,
        names or {},
    )


def inspect_archives(
    sources: Sequence[str | os.PathLike[str]] | str | os.PathLike[str],
    *,
    field_map: Mapping[str, str] | None = None,
    encoding: str | None = None,
    comments: bool = False,
    limits: Limits | None = None,
    records: int = DEFAULT_RECORDS,
    posts: int = 3,
) -> Inspection:
    """Read the first records of every file, and say what is taken for what: nothing is built, no model is loaded.

    A file that cannot be read, or whose fields are unclear, is set aside with the reason.

    Args:
        sources: files and folders; a single one may be given as it is.
        field_map: as for `build_index`.
        encoding: as for `build_index`.
        comments: as for `build_index`.
        limits: as for `build_index`.
        records: how many records of each file to look at.
        posts: how many posts of each file to return as samples.

    Raises:
        QueryError: if a parameter has a value that is not allowed.
        ArchiveError: if a source cannot be used.
    """
    require_whole("records", records, 1)
    require_whole("posts", posts, 0)
    paths = listed_paths("sources", sources)
    options = read_options(field_map, limits=limits, encoding=encoding, comments=comments, sample=records)
    reading = Reading()
    samples: dict[str, list[Post]] = {}
    notes: list[SetAside] = []
    for item in read_archives(paths, options, keep_going=True, reading=reading):
        if isinstance(item, SetAside):
            if len(notes) < _MOST_NOTES:
                notes.append(item)
        else:
            if len(kept := samples.setdefault(item.source, [])) < posts:
                kept.append(item)
    reports = reading.reports
    # Sheets, tables and members of a file have sources of their own, and one report; so have the pages of a folder.
    reported: dict[str, list[Post]] = {report.source: [] for report in reports}
    for source, kept in samples.items():
        owner = max((name for name in _sources_of(source) if name in reported), key=len, default="")
        if owner:
            reported[owner] += kept[: posts - len(reported[owner])]
    return Inspection(reports, tuple(tuple(reported[report.source]) for report in reports), tuple(notes), records)


def _sources_of(source: str) -> list[str]:
    """Return a post's source, and those that it may lie in: ``faq.xlsx/Sheet`` lies in ``faq.xlsx``."""
    parts = source.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]


def _checked_field_map(field_map: Mapping[str, str]) -> dict[str, str]:
    for role, name in field_map.items():
        if role not in ROLES or not name:
            raise QueryError(
                f"field_map: {role}={name} is invalid. Map fields as ROLE=FIELD, where ROLE is one of "
                f"{', '.join(ROLES)}.",
                parameter="field_map",
            )
    return dict(field_map)


def _require_shippable(given: Embedder | None, device: Device, precision: PrecisionChoice) -> None:
    """Check that an exported encoder will embed the passages: nothing else can be sent to a cluster."""
    if given is not None:
        raise ModelError(
            "ray: a cluster needs a model by name or folder, to send its exported encoder to the nodes.",
            parameter="ray",
        )
    if device == "cuda" or precision == "bf16":
        raise ModelError(
            "ray: nodes embed by the exported encoder, on their CPUs. Leave out device=cuda and precision=bf16.",
            parameter="ray",
        )
