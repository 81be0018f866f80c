"""Build an index from archives."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qa_search.archives import ReadOptions, read_archives
from qa_search.archives.base import Limits
from qa_search.archives.records import ROLES
from qa_search.calibration import calibrate
from qa_search.cluster import RayCluster
from qa_search.embedders import Embedder, locate_model
from qa_search.encoders import (
    ENCODERS,
    Device,
    Encoder,
    EncoderChooser,
    PrecisionChoice,
    clear_encoders,
    given_encoder,
)
from qa_search.errors import ArchiveError, IndexDamagedError, ModelError, NoPostsError, SetAsideError
from qa_search.generations import Generation, IndexFolder
from qa_search.passages import DEFAULT_PASSAGE_TOKENS, SPLITTER_RULES, Splitter
from qa_search.places import open_writer
from qa_search.ranking.confidence import DEFAULT_CONFIDENCE
from qa_search.ranking.fusion import DEFAULT_WEIGHTS
from qa_search.retrieval import Retriever
from qa_search.reuse import Previous, Vectors
from qa_search.stores.base import open_folder
from qa_search.stores.inverted import InvertedStore
from qa_search.stores.inverted_writer import (
    DEFAULT_MEMORY,
    DEFAULT_RECALL,
    InvertedWriter,
    choose_kind,
    tune,
)
from qa_search.stores.lexical import LEXICAL_FOLDER, LEXICAL_RULES, LexicalWriter
from qa_search.stores.posts import KeyedPassage, PostStore, PostWriter, content_hash, passage_key
from qa_search.stores.vectors import VectorWriter
from qa_search.types import BuildReport, Post, SetAside

if TYPE_CHECKING:
    from qa_search.stores.postgres.load import PostgresWriter

DEFAULT_SOURCE = "data/archive"
_EMBED_BLOCK = 1024
# How much of an archive may change before confidence is learnt from it again.
_RELEARN_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a build is.

    ``stage`` is "model" (it is loaded), "reading" (posts, total unknown), "embedding", "arranging" and "measuring"
    (the vectors of a large archive), "learning" (how sure results are) or "storing" (posts, in a database).
    """

    stage: str
    done: int
    total: int | None


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

    Only what changed is computed: a passage whose text, model and settings are those of the index before keeps its
    vector. A build that was killed goes on where it was.

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
        rebuild: compute everything afresh, instead of reusing what the index before (or a killed build) has.
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
        IndexFolderError: if the folder or the database is locked by another build or cannot be written to, or no
            vector index keeps to ``memory`` and ``recall``.
    """
    started_at = time.perf_counter()
    paths = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    options = ReadOptions(_checked_field_map(field_map or {}), limits or Limits())
    report = progress or (lambda _: None)
    folder = IndexFolder(index)
    # The first post is read before anything slow or lasting is done, so that a wrong path is told at once.
    posts = read_archives(paths, options, keep_going=keep_going)
    try:
        posts = chain([next(posts)], posts)
    except StopIteration:
        where = _listed(paths) or "no source"
        raise NoPostsError(f"{where}: no files to read. Name archive files, or folders of them.") from None
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
                folder.path / ENCODERS,
                locate_model(model, download=download),
                device=device,
                precision=precision,
                afresh=rebuild,
            )
            tokenizer, choose = chooser.tokenizer, chooser.choose
        else:
            given = given_encoder(model)
            tokenizer, choose = model, lambda sample: given
        limit = tokenizer.passage_limit
        splitter = Splitter(tokenizer.count_tokens, passage_tokens if limit is None else min(passage_tokens, limit))
        settings = {"passage_tokens": splitter.limit, "rules": SPLITTER_RULES}
        partial = folder.start_generation()
        previous = None if rebuild else Previous.open(folder)
        try:
            writer = PostWriter(partial)
            try:
                old = previous.posts if previous is not None and previous.splitter == settings else None
                _store_posts(posts, writer, splitter, old, report, keep_unanswered=keep_unanswered, strict=strict)
                _require_posts(writer, paths)
                lexical = {"rules": LEXICAL_RULES, "texts": writer.texts_id}
                _write_words(writer, partial, previous, lexical)
                encoder = choose(writer.sample_texts)
                worth_keeping = cluster is not None or writer.passages > _EMBED_BLOCK
                with Vectors(folder.path, encoder, previous, journal=worth_keeping, afresh=rebuild) as vectors:
                    dimension = encoder.embedder.dimension
                    kind = choose_kind(writer.passages, dimension, memory)
                    reported = report
                    if cluster is not None:
                        _embed_on(cluster, writer, vectors, encoder, folder.path / ENCODERS, report)
                        reported = _unreported  # all that is left is to write them
                    if kind == "flat":
                        vector_index: dict[str, Any] = {"kind": kind}
                        _write_vectors(writer, VectorWriter(partial, dimension), vectors, reported)
                    else:
                        rows = InvertedWriter(partial, dimension, kind, vectors.rows)
                        vector_index = _write_rows(writer, rows, vectors, reported)
                writer.close()
            except BaseException:
                writer.abandon()
                raise
            counts = {
                "posts": writer.posts,
                "duplicates": writer.entries - writer.posts,
                "passages": writer.passages,
                "set_aside": writer.set_aside_count,
                "unanswered": writer.unanswered,
            }
            manifest = {**_manifest(encoder, settings, lexical, counts), "vector_index": vector_index}
            if previous is not None and previous.vectors_id == encoder.vectors_id and previous.ranking["tuned"]:
                manifest["ranking"] = previous.ranking
            report(Progress("learning", 0, None))
            # What was written is opened as a search will open it: a file that is short is found before it answers.
            with closing(
                Retriever(partial, {**manifest, "files": {path.name: {} for path in partial.iterdir()}})
            ) as retriever:
                retriever.require_counts(counts)
                if isinstance(retriever.vectors, InvertedStore) and "recall" not in vector_index:
                    report(Progress("measuring", 0, None))
                    manifest["vector_index"] = retriever.vectors.record = tune(retriever.vectors, recall)
                manifest["confidence"] = _confidence(retriever, manifest, encoder, previous, vectors.embedded)
            generation = folder.publish(partial, manifest)
        except BaseException:
            folder.abandon(partial)
            raise
        vectors.discard_journal()
        clear_encoders(folder.path / ENCODERS, folder.used_encoders())
        if database is not None:
            _load(database, folder, generation, report)
    return BuildReport(
        index=os.fspath(index),
        generation=generation.name,
        embedded=vectors.embedded,
        reused=writer.passages - vectors.embedded,
        seconds=round(time.perf_counter() - started_at, 2),
        model=encoder.embedder.model_id.name,
        **counts,
    )


def _load(
    database: PostgresWriter, folder: IndexFolder, generation: Generation, report: Callable[[Progress], None]
) -> None:
    """Load a generation that was published into a database, its exported encoder with it."""
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
                f"--map {role}={name}: fields are mapped as ROLE=FIELD, where ROLE is one of {', '.join(ROLES)}."
            )
    return dict(field_map)


def _store_posts(
    posts: Iterable[Post | SetAside],
    writer: PostWriter,
    splitter: Splitter,
    old: PostStore | None,
    report: Callable[[Progress], None],
    *,
    keep_unanswered: bool,
    strict: bool,
) -> None:
    """Store every post once, with its passages: those of the index before, if it has the same post."""
    for done, post in enumerate(posts, start=1):
        if isinstance(post, SetAside):
            if strict:
                raise SetAsideError(f"{post}. Mend it, or build without --strict to set it aside.")
            writer.add_set_aside(post)
        elif not post.answer and not keep_unanswered:
            writer.add_unanswered(post)
        else:
            content = content_hash(post)
            number = writer.add(post, content)
            if number is not None:
                known = old.passages_of_content(content) if old is not None else []
                writer.add_passages(number, known or _keyed_passages(splitter, post))
        report(Progress("reading", done, None))


def _listed(paths: Sequence[str | os.PathLike[str]]) -> str:
    return ", ".join(os.fspath(path) for path in paths)


def _require_posts(writer: PostWriter, paths: Sequence[str | os.PathLike[str]]) -> None:
    if writer.passages:
        return
    where = _listed(paths)
    if writer.unanswered:
        raise NoPostsError(
            f"{where}: {writer.unanswered} questions, none of them answered. "
            "Build with --keep-unanswered to index them all the same."
        )
    first = writer.first_set_aside()
    why = f" ({writer.set_aside_count} set aside, the first: {first})" if first else ""
    raise NoPostsError(f"{where}: nothing to index{why}. Name an archive of posts in a known format.")


def _keyed_passages(splitter: Splitter, post: Post) -> Iterator[KeyedPassage]:
    for passage in splitter.passages(post):
        yield passage, passage_key(getattr(post, passage.field)[passage.start : passage.end])


def _write_words(writer: PostWriter, partial: Path, previous: Previous | None, lexical: Mapping[str, Any]) -> None:
    """Write the lexical index, or copy that of the index before if it is of the same texts in the same order."""
    if previous is not None and previous.lexical == lexical:
        names = [name for name in previous.generation.manifest["files"] if name.startswith(f"{LEXICAL_FOLDER}/")]
        try:
            previous.generation.copy_files(names, partial)
            return
        except IndexDamagedError:
            shutil.rmtree(partial / LEXICAL_FOLDER)  # written anew instead
    words = LexicalWriter(partial)
    for number, text in writer.texts():
        words.add(number, text)
    words.close()


def _require_shippable(
    model: str | os.PathLike[str] | Embedder | None, device: Device, precision: PrecisionChoice
) -> None:
    """Check that passages will be embedded by an exported encoder: nothing else is sent to a cluster."""
    if model is not None and not isinstance(model, str | os.PathLike):
        raise ModelError("ray: a cluster needs a model by name or folder, to send its exported encoder to the nodes.")
    if device == "cuda" or precision == "bf16":
        raise ModelError("--ray: nodes embed by the exported encoder, on their CPUs. Leave out --device and bf16.")


def _embed_on(
    cluster: RayCluster,
    writer: PostWriter,
    vectors: Vectors,
    encoder: Encoder,
    encoders: Path,
    report: Callable[[Progress], None],
) -> None:
    """Have a cluster embed what has no vector yet; each block of vectors is kept as it arrives."""
    done = 0
    report(Progress("embedding", done, writer.passages))

    def unknown() -> Iterator[list[tuple[bytes, str]]]:
        nonlocal done
        for block in writer.passage_texts(_EMBED_BLOCK):
            found = vectors.unknown(block)
            done += len(block) - len(found)
            yield found

    for keys, made in cluster.embed(encoder, encoders, unknown()):
        vectors.keep(keys, made)
        done += len(keys)
        report(Progress("embedding", done, writer.passages))
    if done < writer.passages:  # some came twice on the way
        report(Progress("embedding", writer.passages, writer.passages))


def _unreported(_: Progress) -> None:
    """Report nothing."""


def _write_vectors(
    writer: PostWriter, shards: VectorWriter, vectors: Vectors, report: Callable[[Progress], None]
) -> None:
    done = 0
    report(Progress("embedding", done, writer.passages))
    for block in writer.passage_texts(_EMBED_BLOCK):
        shards.add(vectors.of(block))
        done += len(block)
        report(Progress("embedding", done, writer.passages))
    shards.close()


def _write_rows(
    writer: PostWriter, rows: InvertedWriter, vectors: Vectors, report: Callable[[Progress], None]
) -> dict[str, Any]:
    done = 0
    for block in writer.passage_texts(_EMBED_BLOCK):
        report(Progress("embedding", done, writer.passages))
        known = vectors.rows_of(block)
        rows.add(known, vectors.of([passage for passage, row in zip(block, known.tolist(), strict=True) if row < 0]))
        done += len(block)
    report(Progress("embedding", done, writer.passages))
    report(Progress("arranging", 0, None))
    return rows.close()


def _confidence(
    retriever: Retriever, manifest: Mapping[str, Any], encoder: Encoder, previous: Previous | None, embedded: int
) -> dict[str, Any]:
    """Learn from the archive how sure a result is, or keep what was learnt while little has changed since."""
    if previous is not None and previous.vectors_id == encoder.vectors_id:
        changed = (
            previous.confidence["changed"] + embedded + abs(previous.vectors.count - manifest["counts"]["passages"])
        )
        if previous.confidence["learnt"] and changed <= _RELEARN_SHARE * previous.vectors.count:
            return {**previous.confidence, "changed": changed}
    found = calibrate(retriever, encoder.embedder, manifest["ranking"]["weights"])
    if found is None:
        return {"learnt": False, **DEFAULT_CONFIDENCE.to_manifest(), "changed": 0}
    confidence, sizes = found
    return {"learnt": True, **confidence.to_manifest(), **sizes, "changed": 0}


def _manifest(
    encoder: Encoder, settings: Mapping[str, Any], lexical: Mapping[str, Any], counts: Mapping[str, int]
) -> dict[str, Any]:
    model = encoder.embedder.model_id
    return {
        "built_by": f"qa-search {version('qa-search')}",
        "created": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "model": {
            "name": model.name,
            "sha256": model.sha256,
            "location": model.location,
            "dimension": encoder.embedder.dimension,
            "passage_limit": encoder.embedder.passage_limit,
        },
        "encoder": encoder.record,
        "vectors": encoder.vectors_id,
        "splitter": dict(settings),
        "lexical": dict(lexical),
        "ranking": {"weights": dict(DEFAULT_WEIGHTS), "tuned": False},
        "counts": dict(counts),
    }
