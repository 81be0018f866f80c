"""Build an index from archives."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from qa_search.archives.formats.records import ROLES
from qa_search.archives.limits import Limits
from qa_search.archives.read import ReadOptions, read_archives
from qa_search.builder.encoder_choice import Device, EncoderChooser, PrecisionChoice, given_encoder
from qa_search.builder.generation_writer import GenerationWriter, Progress
from qa_search.builder.ray_cluster import RayCluster
from qa_search.builder.reuse import PreviousGeneration
from qa_search.embedders.base import Embedder
from qa_search.embedders.locate import locate_model
from qa_search.embedders.passages import DEFAULT_PASSAGE_TOKENS, Splitter
from qa_search.errors import ArchiveError, IndexDamagedError, IndexUnreadableError, ModelError, NoPostsError
from qa_search.index.encoders import remove_unused_encoders
from qa_search.index.folder import IndexFolder
from qa_search.index.generation import Generation
from qa_search.index.open import open_writer, require_folder
from qa_search.index.owned import ENCODERS
from qa_search.index.stores.folder_stores import open_folder
from qa_search.index.stores.inverted_writer import DEFAULT_MEMORY, DEFAULT_RECALL
from qa_search.types import BuildReport

if TYPE_CHECKING:
    from qa_search.index.postgres.load import PostgresWriter

DEFAULT_SOURCE = "data/archive"


def build_index(
    sources: Sequence[str | os.PathLike[str]] | str | os.PathLike[str],
    index: str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] | Embedder | None = None,
    download: bool = False,
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
) -> BuildReport:
    """Read archives and build the index that `SearchIndex.open` opens.

    Only what changed is computed: a passage whose text, model and settings did not change keeps its previous
    vector. A killed build continues where it stopped.

    Whatever was in the index folder answers until the new index is whole, and goes on answering if this fails.

    Args:
        sources: files and folders; a single one may be given as it is.
        index: the folder to write to; made if it is not there.
        model: a model's name or folder, or the model itself; None for the packaged default.
        download: fetch the model if it is not on this machine.
        field_map: role -> name of a field, for records that call their fields otherwise.
        keep_unanswered: index questions that have no answer yet.
        strict: stop at the first post that cannot be read, instead of setting it aside.
        keep_going: set aside files that are damaged, instead of stopping.
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

    Raises:
        ArchiveError: if a source cannot be used, or there is nothing to index.
        ModelError: if the model cannot be used.
        ClusterError: if the Ray cluster cannot be used, or is lost.
        IndexOccupiedError: if the folder holds something else and no index; nothing is written to it.
        IndexFolderError: if the folder or the database is locked by another build or cannot be written to or read now,
            or no vector index keeps to ``memory`` and ``recall``.
    """
    started_at = time.perf_counter()
    paths = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    named = ", ".join(os.fspath(path) for path in paths)
    require_folder(index)
    folder = IndexFolder(index)
    options = ReadOptions(_checked_field_map(field_map or {}), limits or Limits(), folder.home)
    report = progress or (lambda _: None)
    # The first post is read before anything slow or lasting is done, so that a wrong path is reported at once.
    posts = read_archives(paths, options, keep_going=keep_going)
    try:
        posts = chain([next(posts)], posts)
    except StopIteration:
        raise NoPostsError(
            f"{named or 'no source'}: no files to read. Name archive files, or folders of them."
        ) from None
    database = open_writer(store, shards)
    with folder.writing(), ExitStack() as stack:
        if database is not None:
            stack.enter_context(database.writing())
        report(Progress("model", 0, None))
        cluster = None
        if ray is not None:
            _require_shippable(model, device, precision)
            cluster, device = stack.enter_context(RayCluster(ray)), "cpu"
        if model is None or isinstance(model, str | os.PathLike):
            chooser = EncoderChooser(
                folder.home / ENCODERS,
                locate_model(model, download=download),
                device=device,
                precision=precision,
                rebuild=rebuild,
            )
            tokenizer, choose = chooser.tokenizer, chooser.choose
        else:
            given = given_encoder(model)
            tokenizer, choose = model, lambda sample: given
        limit = tokenizer.passage_limit
        splitter = Splitter(tokenizer.count_tokens, passage_tokens if limit is None else min(passage_tokens, limit))
        writer = GenerationWriter(
            folder=folder,
            sources=named,
            splitter=splitter,
            choose=choose,
            cluster=cluster,
            keep_unanswered=keep_unanswered,
            strict=strict,
            rebuild=rebuild,
            memory=memory,
            recall=recall,
            report=report,
        )
        previous = None if rebuild else PreviousGeneration.open(folder)
        try:
            written = writer.write(posts, previous)
        except IndexDamagedError:
            if previous is None:
                raise
            # Damage that opening does not look for: nothing of that generation is used.
            written = writer.write(read_archives(paths, options, keep_going=keep_going), None)
        with suppress(IndexUnreadableError):  # then a later build clears them away
            remove_unused_encoders(folder.home / ENCODERS, folder.used_encoders())
        if database is not None:
            _load(database, folder, written.generation, report)
    return BuildReport(
        index=os.fspath(index),
        generation=written.generation.name,
        embedded=written.embedded,
        reused=written.counts["passages"] - written.embedded,
        seconds=round(time.perf_counter() - started_at, 2),
        model=written.model,
        left_out=os.fspath(index) if _contains(paths, folder.home) else "",
        **written.counts,
    )


def _contains(sources: Sequence[str | os.PathLike[str]], home: Path) -> bool:
    """Return whether a folder lies in one of the sources."""
    return any(Path(source).resolve() in home.parents for source in sources)


def _load(
    database: PostgresWriter, folder: IndexFolder, generation: Generation, report: Callable[[Progress], None]
) -> None:
    """Load a published generation and its exported encoder into a database."""
    posts, encoder = generation.manifest["counts"]["posts"], generation.manifest["encoder"]
    held = folder.hold_encoder(encoder) if encoder["kind"] == "onnx" else None
    stores = open_folder(generation.folder, generation.manifest)
    report(Progress("storing", 0, posts))
    with closing(stores.posts):
        database.load(generation.manifest, stores, held, lambda done: report(Progress("storing", done, posts)))


def _checked_field_map(field_map: Mapping[str, str]) -> dict[str, str]:
    for role, name in field_map.items():
        if role not in ROLES or not name:
            raise ArchiveError(
                f"field_map: {role}={name} is invalid. Map fields as ROLE=FIELD, where ROLE is one of "
                f"{', '.join(ROLES)}.",
                parameter="field_map",
            )
    return dict(field_map)


def _require_shippable(
    model: str | os.PathLike[str] | Embedder | None, device: Device, precision: PrecisionChoice
) -> None:
    """Check that an exported encoder will embed the passages: nothing else can be sent to a cluster."""
    if model is not None and not isinstance(model, str | os.PathLike):
        raise ModelError(
            "ray: a cluster needs a model by name or folder, to send its exported encoder to the nodes.",
            parameter="ray",
        )
    if device == "cuda" or precision == "bf16":
        raise ModelError(
            "ray: nodes embed by the exported encoder, on their CPUs. Leave out device=cuda and precision=bf16.",
            parameter="ray",
        )
