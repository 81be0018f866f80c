"""Write a generation: posts, words, vectors, and what is measured and learnt from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from qa_search.archives.read import FileRead, Reading
from qa_search.builder.changes import ShrinkGuard
from qa_search.builder.kept_files import KeptFiles
from qa_search.builder.ray_cluster import RayCluster
from qa_search.builder.reuse import PassageVectors, PreviousGeneration, StoredPassages
from qa_search.embedders.base import ModelId
from qa_search.embedders.closeness import measure_closeness
from qa_search.embedders.passages import SPLITTER_RULES, Splitter
from qa_search.embedders.readability import unread_share
from qa_search.errors import IndexDamagedError, NoPostsError, SetAsideError
from qa_search.index.encoders import BuildEncoder
from qa_search.index.folder import IndexFolder
from qa_search.index.folder_stores import open_folder, require_counts
from qa_search.index.generation import Generation
from qa_search.index.manifest import (
    FORMAT_VERSION,
    BuiltFrom,
    ClosenessRecord,
    CountsRecord,
    ExportedEncoder,
    FolderManifest,
    LexicalRecord,
    ModelRecord,
    RankingRecord,
    SplitterRecord,
)
from qa_search.index.owned import ENCODERS, LEXICAL_NAMES, remove_own
from qa_search.index.stores.inverted import InvertedStore
from qa_search.index.stores.inverted_writer import InvertedWriter, choose_kind, choose_probes
from qa_search.index.stores.lexical import LEXICAL_FOLDER, LEXICAL_RULES, ChunkedWriter, chunks_of
from qa_search.index.stores.post_rows import KeyedPassage, content_hash, distinct_id, passage_key
from qa_search.index.stores.posts import PostStore
from qa_search.index.stores.posts_writer import PostWriter
from qa_search.index.stores.records import FlatVectors, ListedVectors, WordChunk
from qa_search.index.stores.vectors import VectorWriter
from qa_search.search.confidence import GENERAL
from qa_search.search.fusion import DEFAULT_WEIGHTS
from qa_search.types import Post, SetAside, SourceChanges
from qa_search.util.languages import main_language
from qa_search.util.terms import Analysis
from qa_search.util.text import counted

_EMBED_BLOCK = 1024
# How many new posts are cut at once, and from how many characters on fewer: the tokenizer holds the tokens of all.
_POSTS_AT_ONCE, _CHARACTERS_AT_ONCE = 256, 1 << 16
# How many passages the language of an archive is taken from.
_LANGUAGE_SAMPLE = 200

# The number of a post, the post and its `content_hash`.
NewPost = tuple[int, Post, bytes]


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a build.

    ``stage`` is "model" (it is loaded), "reading" (posts, total unknown), "exporting" (the model, once), "embedding"
    (passages), "arranging" and "measuring" (the vectors of a large archive) or "storing" (posts, in a database).
    """

    stage: str
    done: int
    total: int | None


@dataclass(frozen=True)
class BuiltGeneration:
    """A generation that was published, what it changed, and the names of those that were removed.

    ``changes`` is None if what answered before is equal: then that is the generation, and nothing was published.
    """

    generation: Generation
    model: str
    embedded: int
    changes: tuple[SourceChanges, ...] | None
    cleared: tuple[str, ...]

    @property
    def counts(self) -> CountsRecord:
        """The numbers of posts, duplicates, passages and so on, as in the manifest."""
        return self.generation.manifest.counts


@dataclass(frozen=True, kw_only=True)
class GenerationWriter:
    """Writes and publishes generations of one index folder.

    ``model`` is the identity of the model, whose tokenizer ``splitter`` uses. ``choose`` gives the encoder, and is
    given what returns a sample of passages; ``sources`` is what messages call the archives; ``guard`` compares the
    posts with those before; ``rebuild`` ignores what a killed build computed. The rest is as for `build_index`.
    """

    folder: IndexFolder
    sources: str
    guard: ShrinkGuard
    excluded: frozenset[str]
    keep: int
    splitter: Splitter
    model: ModelId
    choose: Callable[[Callable[[int], list[str]]], BuildEncoder]
    cluster: RayCluster | None
    keep_unanswered: bool
    strict: bool
    rebuild: bool
    memory: int
    recall: float
    report: Callable[[Progress], None]

    @property
    def splitter_record(self) -> SplitterRecord:
        """How posts are cut into passages, for the manifest."""
        return SplitterRecord(self.splitter.limit, SPLITTER_RULES)

    def splits_like(self, previous: PreviousGeneration) -> bool:
        """Return whether the passages of a generation are those that this build would cut."""
        return (previous.splitter, previous.model) == (self.splitter_record, self.model.sha256)

    def write(
        self,
        posts: Iterable[Post | SetAside | FileRead],
        previous: PreviousGeneration | None,
        kept: KeptFiles,
        built_from: Callable[[KeptFiles], BuiltFrom],
    ) -> BuiltGeneration:
        """Write what a search needs, open it as a search will, and publish it.

        ``kept`` writes down the files that ``posts`` come from. ``built_from`` returns, when all is read, what the
        manifest says of the sources.

        Raises:
            ArchiveError: if a source cannot be read, there is nothing to index, or too many posts would be lost.
            IndexDamagedError: if ``previous`` is damaged where it is reused, or a new file is damaged when read back.
            IndexFolderError: if the folder cannot be written to, or no vector index meets ``memory`` and ``recall``.
        """
        partial = self.folder.start_generation()
        try:
            reading = Reading()
            manifest, vectors, encoder, changes = self._write_stores(partial, posts, previous, kept, reading)
            manifest = replace(manifest, built_from=built_from(kept), reading=tuple(reading.reports))
            manifest = self._completed(partial, self.guard.recorded(manifest, changes), encoder, previous)
            if (
                previous is not None
                and not any(one.differs for one in changes)
                and _is_equal(previous, partial, manifest)
            ):
                self.folder.abandon(partial)
                vectors.discard_journal()
                return BuiltGeneration(previous.generation, self.model.name, 0, None, ())
            linked = None if previous is None else previous.generation
            published = self.folder.publish(partial, manifest, keep=self.keep, linked=linked)
        except BaseException:
            self.folder.abandon(partial)
            raise
        vectors.discard_journal()
        return BuiltGeneration(published.generation, self.model.name, vectors.embedded, changes, published.cleared)

    def _write_stores(
        self,
        partial: Path,
        posts: Iterable[Post | SetAside | FileRead],
        previous: PreviousGeneration | None,
        kept: KeptFiles,
        reading: Reading,
    ) -> tuple[FolderManifest, PassageVectors, BuildEncoder, tuple[SourceChanges, ...]]:
        settings = self.splitter_record
        known = None if previous is None or not self.splits_like(previous) else previous.posts
        writer = PostWriter(partial, known, lambda done: self.report(Progress("reading", done, None)))
        try:
            self._store_posts(writer, posts, known, kept, reading)
            if not writer.passages:
                raise no_posts(
                    self.sources, writer.unanswered, writer.set_aside_count, writer.first_set_aside(), reading
                )
            changes = self.guard.compare(writer)
            sample = writer.sample_texts(_LANGUAGE_SAMPLE)
            language = main_language(sample)
            lexical = LexicalRecord(LEXICAL_RULES, writer.texts_id, Analysis.of_language(language).name)
            lexical = _write_words(writer, partial, previous, lexical)
            encoder = self.choose(writer.sample_texts)
            unread = unread_share(encoder.embedder, sample)
            closeness = _closeness(encoder, previous)
            worth_keeping = self.cluster is not None or writer.passages > _EMBED_BLOCK
            with PassageVectors(
                self.folder.home, encoder, previous, journal=worth_keeping, rebuild=self.rebuild
            ) as vectors:
                vector_index = self._write_vectors(partial, writer, vectors, encoder)
            writer.close()
        except BaseException:
            writer.abandon()
            raise
        model, embedder = self.model, encoder.embedder
        manifest = FolderManifest(
            format_version=FORMAT_VERSION,
            built_by=f"qa-search {version('qa-search')}",
            created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            model=ModelRecord(
                model.name,
                model.sha256,
                model.location,
                embedder.dimension,
                embedder.passage_limit,
                model.prompts.query,
                model.prompts.passage,
            ),
            encoder=encoder.record,
            vectors=encoder.vectors_id,
            splitter=settings,
            lexical=lexical,
            ranking=RankingRecord(DEFAULT_WEIGHTS, tuned=False),
            confidence=GENERAL.to_record(),
            counts=CountsRecord(
                posts=writer.posts,
                duplicates=writer.entries - writer.posts,
                passages=writer.passages,
                set_aside=writer.set_aside_count,
                unanswered=writer.unanswered,
            ),
            language=language,
            unread=None if unread is None else round(unread, 4),
            closeness=closeness,
            vector_index=vector_index,
            generation="",
            files={},
        )
        return manifest, vectors, encoder, changes

    def _store_posts(
        self,
        writer: PostWriter,
        posts: Iterable[Post | SetAside | FileRead],
        old: PostStore | None,
        kept: KeptFiles,
        reading: Reading,
    ) -> None:
        """Store every post once, with its passages; reuse those of the previous generation if the post is the same."""
        stored = store_posts(
            writer,
            posts,
            self.excluded,
            kept,
            reading,
            keep_unanswered=self.keep_unanswered,
            strict=self.strict,
            report=self.report,
        )
        known_passages = None if old is None else StoredPassages(old)
        for fresh in stored:
            known = [[] if known_passages is None else known_passages.of_content(content) for _, _, content in fresh]
            cut = iter(_cut(self.splitter, [post for (_, post, _), has in zip(fresh, known, strict=True) if not has]))
            for (number, _, _), has in zip(fresh, known, strict=True):
                writer.add_passages(number, has or next(cut))
        writer.name_repeated()

    def _write_vectors(
        self, partial: Path, writer: PostWriter, vectors: PassageVectors, encoder: BuildEncoder
    ) -> FlatVectors | ListedVectors:
        dimension = encoder.embedder.dimension
        kind = choose_kind(writer.passages, dimension, self.memory)
        report = self.report
        if self.cluster is not None:
            _embed_on(self.cluster, writer, vectors, encoder, self.folder.home / ENCODERS, report)
            report = _unreported  # all that is left is to write them
        if kind == "flat":
            _write_shards(writer, VectorWriter(partial, dimension), vectors, report)
            return FlatVectors(kind)
        return _write_rows(writer, InvertedWriter(partial, dimension, kind, vectors.rows), vectors, report)

    def _completed(
        self, partial: Path, manifest: FolderManifest, encoder: BuildEncoder, previous: PreviousGeneration | None
    ) -> FolderManifest:
        """Measure what was written, and return the manifest with that."""
        if previous is not None and previous.vectors_id == encoder.vectors_id and previous.ranking.tuned:
            manifest = replace(manifest, ranking=previous.ranking)
        # What was written is opened as a search will open it: a file that is short is found before it answers.
        stores = open_folder(partial, manifest, [path.name for path in partial.iterdir()])
        with closing(stores.posts):
            require_counts(partial, stores, manifest.counts)
            if isinstance(stores.vectors, InvertedStore) and stores.vectors.record.recall is None:
                self.report(Progress("measuring", 0, None))
                manifest = replace(manifest, vector_index=choose_probes(stores.vectors, self.recall))
        return manifest


def _is_equal(previous: PreviousGeneration, partial: Path, manifest: FolderManifest) -> bool:
    """Return whether a build that changed no post gave what answers already, from the same files.

    Files that could not be read are read again by each build. Without this, some builds of the same would push out all
    earlier generations, and `undo_index` could not go back to one that differs.
    """
    before = previous.generation.manifest
    if before.built_from is None or manifest.built_from is None:
        return False
    old, new = before.built_from.state, manifest.built_from.state
    # An encoder that was damaged is made again: then there is something new.
    if (old.key, old.content, before.encoder) != (new.key, new.content, manifest.encoder):
        return False
    if (before.counts, before.reading) != (manifest.counts, manifest.reading):
        return False
    posts = PostStore(partial)
    with closing(posts):
        return (posts.set_aside(), posts.unanswered()) == (previous.posts.set_aside(), previous.posts.unanswered())


def store_posts(
    writer: PostWriter,
    posts: Iterable[Post | SetAside | FileRead],
    excluded: frozenset[str],
    kept: KeptFiles,
    reading: Reading,
    *,
    keep_unanswered: bool,
    strict: bool,
    report: Callable[[Progress], None],
) -> Iterator[list[NewPost]]:
    """Store every post once, and yield the new texts that were read, some at a time.

    Their passages are to be added before the next ones are asked for: files that did not change are copied with theirs.
    ``reading`` collects how all files were read.

    Raises:
        SetAsideError: if a post cannot be read, and ``strict`` says to stop then.
        IndexDamagedError: if the previous generation is damaged, from which ``kept`` copies.
    """
    fresh: list[NewPost] = []
    characters = 0
    for post in posts:
        if fresh and (kept.waiting or len(fresh) >= _POSTS_AT_ONCE or characters >= _CHARACTERS_AT_ONCE):
            yield fresh
            fresh, characters = [], 0
        if isinstance(post, FileRead):
            kept.write(post, writer)
            reading.add(post.reading)
            continue
        kept.flush(writer)
        if isinstance(post, SetAside):
            if strict:
                raise strict_error(post)
            writer.add_set_aside(post)
        elif not post.answer and not keep_unanswered:
            writer.add_unanswered(post)
        else:
            content = content_hash(post)
            if not (excluded and excluded & {post.post_id, distinct_id(post, content)}):
                number = writer.add(post, content)
                if number is not None:
                    fresh.append((number, post, content))
                    characters += len(post.question) + len(post.answer)
        report(Progress("reading", writer.noted, None))
    if fresh:
        yield fresh
    kept.flush(writer)


def strict_error(note: SetAside) -> SetAsideError:
    """Make the error for a post that cannot be read, where that ends the build."""
    return SetAsideError(f"{note}. Correct it, or build with strict=False to set it aside.", parameter="strict")


def no_posts(sources: str, unanswered: int, set_aside: int, first: object, reading: Reading) -> NoPostsError:
    """Make the error for sources that contain nothing to index; ``first`` is the first note of what was set aside."""
    if unanswered:
        remarks = [remark for report in reading.reports for remark in report.remarks if "field_map=" in remark]
        hint = f" {remarks[0][0].upper()}{remarks[0][1:]}." if remarks else ""
        return NoPostsError(
            f"{sources}: {counted(unanswered, 'question')}, none of them answered. "
            f"Build with keep_unanswered=True to index them all the same.{hint}",
            parameter="keep_unanswered",
        )
    why = f" ({set_aside} set aside, the first: {first})" if first else ""
    return NoPostsError(f"{sources}: nothing to index{why}. Name an archive of posts in a known format.")


def _closeness(encoder: BuildEncoder, previous: PreviousGeneration | None) -> ClosenessRecord:
    """Return what the encoder's cosines mean; it is measured once."""
    known = encoder.record.closeness if isinstance(encoder.record, ExportedEncoder) else None
    if known is None and previous is not None and previous.vectors_id == encoder.vectors_id:
        known = previous.generation.manifest.closeness
    return known or ClosenessRecord(*astuple(measure_closeness(encoder.embedder)))


def _cut(splitter: Splitter, posts: Sequence[Post]) -> list[list[KeyedPassage]]:
    """Return the passages of each post."""
    return [
        [(one, passage_key(getattr(post, one.field)[one.start : one.end])) for one in passages]
        for post, passages in zip(posts, splitter.passages_of(posts), strict=True)
    ]


def _write_words(
    writer: PostWriter, partial: Path, previous: PreviousGeneration | None, lexical: LexicalRecord
) -> LexicalRecord:
    """Write the lexical index, and take over the chunks of the previous one that have the same texts."""
    kept: tuple[WordChunk, ...] = ()
    if previous is not None and previous.lexical[:1] == lexical[:1] and previous.lexical.analysis == lexical.analysis:
        kept = previous.lexical.chunks
    words = ChunkedWriter(partial, Analysis(lexical.analysis), kept)
    for first, count, texts in chunks_of(writer.contents()):
        chunk = words.known(texts, count)
        if chunk is None or previous is None or not _copy_chunk(chunk, previous.generation, partial):
            words.write(texts, writer.texts(first, first + count))
        else:
            words.keep(chunk)
    return lexical._replace(chunks=words.close())


def _copy_chunk(chunk: WordChunk, generation: Generation, partial: Path) -> bool:
    """Copy the files of a chunk; return whether they are whole."""
    segments = {name.replace("-", "") for name in chunk.segments}
    places = [name.partition("/") for name in generation.file_names]
    names = [name for folder, _, name in places if folder == LEXICAL_FOLDER and name.partition(".")[0] in segments]
    try:
        generation.copy_files([f"{LEXICAL_FOLDER}/{name}" for name in names], partial)
    except IndexDamagedError:
        remove_own(partial / LEXICAL_FOLDER, LEXICAL_NAMES, names)
        return False
    return True


def _embed_on(
    cluster: RayCluster,
    writer: PostWriter,
    vectors: PassageVectors,
    encoder: BuildEncoder,
    encoders: Path,
    report: Callable[[Progress], None],
) -> None:
    """Embed on a cluster the passages without a vector; keep each block of vectors as it arrives."""
    done = 0
    report(Progress("embedding", done, writer.passages))

    def unknown() -> Iterator[list[tuple[bytes, str]]]:
        nonlocal done
        for block in vectors.blocks(writer, _EMBED_BLOCK):
            found = vectors.unknown(block) if isinstance(block, list) else []
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


def _write_shards(
    writer: PostWriter, shards: VectorWriter, vectors: PassageVectors, report: Callable[[Progress], None]
) -> None:
    done = 0
    report(Progress("embedding", done, writer.passages))
    for block in vectors.blocks(writer, _EMBED_BLOCK):
        if isinstance(block, list):
            shards.add(vectors.of(block, _beyond(done, writer.passages, report)))
        else:
            shards.add(vectors.of_numbers(block))
        done += len(block)
        report(Progress("embedding", done, writer.passages))
    shards.close()


def _beyond(done: int, total: int, report: Callable[[Progress], None]) -> Callable[[int], None]:
    """Return what reports the passages of a block that are embedded, ``done`` being those before it."""
    return lambda count: report(Progress("embedding", done + count, total))


def _write_rows(
    writer: PostWriter, rows: InvertedWriter, vectors: PassageVectors, report: Callable[[Progress], None]
) -> ListedVectors:
    done = 0
    for block in vectors.blocks(writer, _EMBED_BLOCK):
        report(Progress("embedding", done, writer.passages))
        known = vectors.rows_of(block)
        if isinstance(block, list):
            new = [passage for passage, row in zip(block, known.tolist(), strict=True) if row < 0]
            made = vectors.of(new, _beyond(done + len(block) - len(new), writer.passages, report))
        else:
            made = vectors.of_numbers(block[known < 0])
        rows.add(known, made)
        done += len(block)
    report(Progress("embedding", done, writer.passages))
    report(Progress("arranging", 0, None))
    return rows.close()
