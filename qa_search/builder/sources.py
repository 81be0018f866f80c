"""What a caller names and what the index remembers -> the sources of a build, and how they are read.

An index remembers its sources, by their absolute paths, and the settings of its build. A source has a name that the ids
of its posts are made from: the name stays when the folder moves.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, Self

from qa_search.archives.base import ArchiveFile, ReadOptions
from qa_search.archives.containers.walk import list_files, name_folders, root_of
from qa_search.archives.formats.stackexchange import COMMENTS, USERS
from qa_search.archives.limits import Limits, require_limits
from qa_search.archives.read import readers
from qa_search.builder.kept_files import KeptFiles, content_of, is_racy, stat_of
from qa_search.builder.reuse import PreviousGeneration
from qa_search.embedders.passages import SPLITTER_RULES
from qa_search.errors import ArchiveError, IndexFolderError, NoPostsError, QueryError, SourceNotFoundError
from qa_search.index.folder import IndexFolder
from qa_search.index.generation import Generation
from qa_search.index.manifest import MOST_SOURCE_NAME, BuiltFrom, SourceState, is_source_name
from qa_search.index.stores.lexical import LEXICAL_RULES
from qa_search.types import IndexSource, SetAside, is_post_id, part_of
from qa_search.util.defaults import (
    DEFAULT_MEMORY,
    DEFAULT_PASSAGE_TOKENS,
    DEFAULT_RECALL,
    LEAST_PASSAGE_TOKENS,
    PRECISIONS,
)
from qa_search.util.parameters import (
    require,
    require_choice,
    require_flags,
    require_mapping,
    require_share,
    require_texts,
    require_whole,
)

SourcePath = str | os.PathLike[str]
_OF_ONE_BUILD = ("keep_going",)
# Settings that go with a model.
_OF_MODEL = ("query_prompt", "passage_prompt")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a build that the next one keeps, unless it names sources. As for `build_index`.

    ``keep_going`` is not kept: a leave to lose what is damaged counts for one build.

    Raises:
        QueryError: if a setting is invalid.
    """

    model: str | None = None
    query_prompt: str | None = None
    passage_prompt: str | None = None
    field_map: Mapping[str, str] = field(default_factory=dict)
    encoding: str | None = None
    comments: bool = False
    keep_unanswered: bool = False
    keep_going: bool = False
    passage_tokens: int = DEFAULT_PASSAGE_TOKENS
    limits: Limits = field(default_factory=Limits)
    precision: str = "auto"
    memory: int = DEFAULT_MEMORY
    recall: float = DEFAULT_RECALL

    def __post_init__(self) -> None:
        require_mapping("field_map", self.field_map, "a mapping of roles to names of fields")
        require_texts(model=self.model, encoding=self.encoding)
        require_flags(comments=self.comments, keep_unanswered=self.keep_unanswered, keep_going=self.keep_going)
        require_whole("passage_tokens", self.passage_tokens, LEAST_PASSAGE_TOKENS)
        require_limits(self.limits)
        require_choice("precision", self.precision, PRECISIONS)
        require_whole("memory", self.memory, 1)
        require_share("recall", self.recall)

    def or_else(self, remembered: Mapping[str, Any]) -> Self:
        """Return these settings, with the remembered value of each that has its default here.

        Prompts are for one model: another one does not get them.
        """
        default = type(self)()
        if self.model is not None and self.to_manifest()["model"] != remembered.get("model"):
            remembered = {name: value for name, value in remembered.items() if name not in _OF_MODEL}
        found = self
        for name in (one.name for one in fields(self)):
            value, usual = remembered.get(name), getattr(default, name)
            with suppress(QueryError):  # earlier versions took settings that mean nothing
                if name == "limits" and isinstance(value, Mapping):
                    value = Limits(**{key: value[key] for key in asdict(usual) if type(value.get(key)) is int})
                fits = type(value) is type(usual) or (usual is None and isinstance(value, str))
                if fits and getattr(self, name) == usual and name not in _OF_ONE_BUILD:
                    change: dict[str, Any] = {name: value}
                    found = replace(found, **change)
        return found

    def forgotten(self, remembered: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the names of what `or_else` would take from the last build."""
        kept = self.or_else(remembered)
        pairs: list[tuple[Any, Any]] = [(self, kept), (self.limits, kept.limits)]
        found = [
            one.name for old, new in pairs for one in fields(old) if getattr(old, one.name) != getattr(new, one.name)
        ]
        return tuple(name for name in found if name != "limits")

    def to_manifest(self) -> dict[str, Any]:
        """Return what the manifest remembers; a model's folder by its absolute path."""
        model = self.model
        if model is not None and Path(model).is_dir():
            model = os.path.abspath(model)  # noqa: PTH100 - links in it may change
        return {**asdict(self), "model": model}


@dataclass(frozen=True)
class Plan:
    """What a build reads: the paths as messages call them, the sources with their names, and the settings.

    ``dropped`` are the sources of the previous build that are not read any more. ``excluded`` are the ids of posts that
    were taken out, ``removed`` those of them that this build takes out. ``forgotten`` are the settings of the previous
    build that this one does not use.
    """

    paths: tuple[SourcePath, ...]
    sources: tuple[IndexSource, ...]
    settings: Settings
    dropped: tuple[IndexSource, ...] = ()
    excluded: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()

    @property
    def given_up(self) -> frozenset[str]:
        """The sources of posts that are dropped, as posts have them: folders and files."""
        read = {source.name for source in self.sources}
        files = {f"{source.name}/{Path(source.path).name}" for source in self.dropped}
        return frozenset(files | ({source.name for source in self.dropped} - read))

    @property
    def names(self) -> dict[Path, str]:
        """The name of each folder."""
        return {root_of(Path(source.path)): source.name for source in self.sources}

    def to_record(self, state: SourceState) -> BuiltFrom:
        """Return the part of the manifest that `make_plan` reads."""
        return BuiltFrom(self.sources, self.settings.to_manifest(), self.excluded, state)


def make_plan(
    folder: IndexFolder,
    sources: Sequence[SourcePath] | None,
    settings: Settings,
    *,
    names: Mapping[SourcePath, str] | None = None,
    add: Sequence[SourcePath] = (),
    remove: Sequence[str] = (),
) -> Plan:
    """Return the plan of a build; ``sources`` is None for those that the index was built from.

    Raises:
        ArchiveError: if there is nothing to read, or a source is missing.
        QueryError: if a name is invalid.
    """
    before = remembered(folder)
    excluded, known, forgotten = before.excluded, before.sources, settings.forgotten(before.settings)
    named = {_real(path): _checked_name(name) for path, name in (names or {}).items()}
    if sources is None:
        settings, forgotten = settings.or_else(before.settings), ()
        paths, excluded = _paths_of(folder, known, excluded, add, remove, frozenset(named.values()))
    else:
        paths = list(sources)
    for path in names or {}:
        places = ", ".join(os.fspath(path) for path in paths)
        require(
            _real(path) in map(_real, paths), "names", os.fspath(path), f"names of sources of this build ({places})"
        )
    kept = {root_of(Path(source.path)): source.name for source in known if Path(source.path).exists()}
    real = [_real(path) for path in paths]
    kept |= {root_of(path): name for path, name in named.items()}
    roots = [root_of(path) for path in real]
    labels = name_folders(roots, {root: kept[root] for root in roots if root in kept})
    read = tuple(
        dict.fromkeys(IndexSource(os.fspath(path), labels[root]) for path, root in zip(real, roots, strict=True))
    )
    # A source that moved has its name still, at a place that is new.
    moved = {source.name for source in read if source.path not in {one.path for one in known}}
    there = {source.path for source in read}
    dropped = tuple(source for source in known if source.path not in there and source.name not in moved)
    removed = tuple(post for post in excluded if post not in before.excluded)
    return Plan(tuple(paths), read, settings, dropped, excluded, removed, forgotten)


def remembered(folder: IndexFolder) -> BuiltFrom:
    """Return what an index says of its sources; empty if there is no index, or it says nothing."""
    found = None
    with suppress(IndexFolderError):
        found = folder.read_manifest(*folder.pointer()).built_from
    return found or BuiltFrom((), {}, (), SourceState())


class SourceWatch:
    """Finds out whether any file of the sources changed since a build."""

    def __init__(self, plan: Plan, options: ReadOptions) -> None:
        """Take the state of all files, by name, size and time, as it is before they are read.

        Raises:
            ArchiveError: if a source is missing.
        """
        self._plan = plan
        self._options = options
        self._newest = 0
        self._began = time.time_ns()
        self._before = self._by_stat()

    def key(self, model: str, device: str) -> str:
        """Return a hash of all else that the content of a generation depends on."""
        asked = [{**asdict(self._plan.settings), "model": model}, device, list(self._plan.excluded)]
        sources = [source.to_dict() for source in self._plan.sources]
        return _hashed([self._rules(), LEXICAL_RULES, asked, sources])

    def _rules(self) -> list[Any]:
        names = [f"{type(reader).__module__}.{type(reader).__qualname__}" for reader in readers()]
        return [version("qa-search"), SPLITTER_RULES, names]

    def reading_key(self) -> str:
        """Return a hash of all that the posts of a file depend on, besides the file."""
        kept = ("field_map", "encoding", "comments", "keep_unanswered", "keep_going", "passage_tokens", "limits")
        settings = asdict(self._plan.settings)
        asked = [[settings[name] for name in kept], list(self._plan.excluded)]
        return _hashed([self._rules(), asked])

    def kept_files(self, previous: PreviousGeneration | None) -> KeptFiles:
        """Return what finds the files that need not be read again: those of a generation that was read alike.

        Raises:
            IndexDamagedError: if the previous generation is damaged.
        """
        posts = None
        if previous is not None:
            built_from = previous.generation.manifest.built_from
            if built_from is not None and built_from.state.reading == self.reading_key():
                posts = previous.posts
        return KeptFiles(self._began, posts, lambda: (file for file in self._listed() if isinstance(file, ArchiveFile)))

    def state(self, key: str, kept: KeptFiles) -> SourceState:
        """Return the state for the manifest, when all files were read; only the keys if one changed meanwhile."""
        by_stat = self._by_stat()
        if not by_stat or by_stat != self._before:
            return SourceState(key=key, reading=self.reading_key())
        return SourceState("" if is_racy(self._newest, self._began) else by_stat, kept.content, key, self.reading_key())

    def fits(self, generation: Generation, key: str) -> bool:
        """Return whether a generation was built from the same files with the same settings, and has all of them."""
        manifest = generation.manifest
        state = SourceState() if manifest.built_from is None else manifest.built_from.state
        if manifest.counts.set_aside or state.key != key or not state.content:
            return False
        return bool(self._before and self._before == state.stat) or self._by_content() == state.content

    def _by_stat(self) -> str:
        return self._digest(self._identity)

    def _by_content(self) -> str:
        return self._digest(content_of)

    def _identity(self, stream: BinaryIO) -> str:
        self._newest = max(self._newest, os.fstat(stream.fileno()).st_mtime_ns)
        return stat_of(stream)

    def _listed(self) -> Iterator[ArchiveFile | SetAside]:
        """Yield all files of the sources, and those that are read beside a file that was named itself."""
        for file, named in list_files(self._plan.paths, self._options.left_out, self._options.names):
            yield file
            if named and isinstance(file, ArchiveFile):
                yield from (beside for name in (USERS, COMMENTS) if (beside := file.sibling(name)) is not None)

    def _digest(self, identify: Callable[[BinaryIO], str]) -> str:
        """Hash the names and identities of all files; "" if one cannot be read."""
        digest = hashlib.sha256()
        try:
            for file in self._listed():
                if isinstance(file, SetAside):
                    return ""
                with file.open() as stream:
                    digest.update(json.dumps([file.source, identify(stream)]).encode())
        except OSError:
            return ""
        return digest.hexdigest()


def _paths_of(
    folder: IndexFolder,
    known: Sequence[IndexSource],
    excluded: tuple[str, ...],
    add: Sequence[SourcePath],
    remove: Sequence[str],
    names: frozenset[str],
) -> tuple[list[SourcePath], tuple[str, ...]]:
    """Return the paths that an index was built from, with some added and removed, and the posts that are taken out.

    A source that is gone, and whose name is among ``names``, moved to what is added.
    """
    if not known:
        if folder.exists():
            raise ArchiveError(
                f"{folder.path}: this index does not say what it was built from. Name its sources: "
                f"build_index(SOURCES, {str(folder.path)!r})"
            )
        if not add or remove:
            raise ArchiveError(
                f"{folder.path}: no index in this folder, and so no sources to read again. Name archive files, or "
                f"folders of them: build_index(SOURCES, {str(folder.path)!r})"
            )
    gone: set[str] = set()
    for name in remove:
        found = {
            source.path for source in known if name in (source.name, source.path) or _real(name) == Path(source.path)
        }
        if not found and not is_post_id(name):
            raise ArchiveError(f"{name}: not a source of this index. It has: {listed(known)}")
        gone |= found
        if not found:
            excluded = (*excluded, name)
    kept = [source for source in known if source.path not in gone]
    if add:
        kept = [source for source in kept if source.name not in names or Path(source.path).exists()]
    if gone and not kept and not add:
        raise ArchiveError(
            f"{', '.join(sorted(gone))}: this index has no other source, and would be empty. Nothing was changed. To "
            f"build it from others: build_index(SOURCES, {str(folder.path)!r}). If nobody needs it, delete its folder."
        )
    for source in kept:
        if not Path(source.path).exists():
            raise SourceNotFoundError(
                f"{source.path}: no such file or folder; this index was built from it. Nothing was changed. "
                f"If it moved, name its new place and its name: build_index(None, {str(folder.path)!r}, add=[NEW], "
                f"names={{NEW: {source.name!r}}}). If it is gone for good, remove it: "
                f"build_index(None, {str(folder.path)!r}, remove=[{source.name!r}])"
            )
    back = {post for post in excluded if post in add}
    excluded = tuple(post for post in excluded if post not in back)
    for path in add:
        if path not in back:
            _require_new(path, kept, folder)
    return [*(source.path for source in kept), *(path for path in add if path not in back)], excluded


def _require_new(path: SourcePath, known: Sequence[IndexSource], folder: IndexFolder) -> None:
    """Refuse to add what would add nothing: later builds would look for it, and somebody wait for its posts.

    Raises:
        ArchiveError: if it is a part of a source, or has no files.
    """
    within = part_of(os.fspath(_real(path)), known)
    if within is not None:
        raise ArchiveError(
            f"{os.fspath(path)}: is read already, as a part of the source {within.path} ({within.name}). Nothing was "
            "changed."
        )
    if next(list_files([path], folder.home), None) is None:
        raise NoPostsError(
            f"{os.fspath(path)}: no files to read. Nothing was changed. Name archive files, or folders of them."
        )


def _hashed(values: list[Any]) -> str:
    return hashlib.sha256(json.dumps(values, default=repr).encode()).hexdigest()


def listed(sources: Iterable[IndexSource]) -> str:
    """Return sources as messages list them."""
    return ", ".join(f"{source.path} ({source.name})" for source in sources)


def _real(path: SourcePath) -> Path:
    return Path(os.path.realpath(path))


def _checked_name(name: str) -> str:
    if not is_source_name(name):
        raise QueryError(
            f"names: {name[:MOST_SOURCE_NAME]!r} is invalid. A name has 1 to {MOST_SOURCE_NAME} printable characters.",
            parameter="names",
        )
    return name
