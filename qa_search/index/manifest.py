"""The JSON in which a generation describes itself <-> frozen records. Every part is checked when it is read.

The order of the fields is that of the file. `Manifest.parse` names the first part that is missing or invalid, and
ignores parts that it does not know. `Manifest.dump` gives the same JSON again.

A field with a default may be missing in older indexes. The parts are named tuples, and their annotations are no texts:
every query makes these classes, which takes four times as long for dataclasses.
"""

import types
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields
from functools import cache, reduce
from operator import or_
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from qa_search.index.integrity import FileRecord
from qa_search.index.stores.records import VectorIndexRecord, WordChunk
from qa_search.types import SIGNALS, FileReport, IndexSource, SourceChanges, to_jsonable
from qa_search.util.terms import ANALYSES, ENGLISH
from qa_search.util.text import visible

FORMAT_VERSION = 7
# What this version reads: format 5 has no record of the files that were read, and its words are in one piece; the
# vectors of 5 and 6 may be in lists with other codes.
READ_FORMATS = (5, 6, FORMAT_VERSION)
# The most characters of a source's name.
MOST_SOURCE_NAME = 200
# So many characters of a name in a manifest are shown in a message.
_MOST_SHOWN = 100

T = TypeVar("T")
# Reads a JSON value; is given its place in the manifest, for the message.
Reader = Callable[[Any, str], Any]


def listed_formats() -> str:
    """Return the formats that this version reads, as messages list them."""
    return f"{', '.join(map(str, READ_FORMATS[:-1]))} and {READ_FORMATS[-1]}"


def is_plain_name(value: object) -> bool:
    """Return whether a value is a plain name in a folder, not a path out of it."""
    if not isinstance(value, str) or value in ("", ".", ".."):
        return False
    return value.isprintable() and not set(value) & set("/\\")


def is_source_name(name: str) -> bool:
    """Return whether a text can be the name of a source."""
    return bool(name.strip()) and name.isprintable() and len(name) <= MOST_SOURCE_NAME


def _are_named(sources: tuple[IndexSource, ...]) -> bool:
    return all(is_source_name(source.name) for source in sources)


def _are_below(files: Mapping[str, FileRecord]) -> bool:
    """Return whether no file lies outside of the folder."""
    return all(is_plain_name(part) for name in files for part in name.split("/"))


def _are_weights(weights: Mapping[str, float]) -> bool:
    return set(weights) <= set(SIGNALS) and min(weights.values(), default=0) >= 0 < sum(weights.values())


def _has_weights(rule: "ConfidenceRecord") -> bool:
    return len(rule.weights) == len(rule.signs)


Files = Annotated[Mapping[str, FileRecord], _are_below]
PlainName = Annotated[str, is_plain_name]
Share = Annotated[float, lambda number: 0 <= number <= 1]
# A setting of a build; the older ones of a program may be of another type than today's.
Setting = str | int | float | bool | None


class ModelRecord(NamedTuple):
    """The model that made the vectors. A prompt is one in place of those that the model itself names."""

    name: str
    sha256: str
    location: str
    dimension: int
    passage_limit: int | None
    query_prompt: str | None = None
    passage_prompt: str | None = None


class AgreementRecord(NamedTuple):
    """How close the vectors of an export are to those of the model: cosines, on so many passages."""

    passages: int
    mean: float
    min: float


class PassagesRecord(NamedTuple):
    """What embedded the passages, if it was not what embeds queries."""

    by: str
    device: str
    precision: str
    agreement: AgreementRecord


class ClosenessRecord(NamedTuple):
    """What a model's cosines mean (`embedders.closeness`): their means over unrelated and over related texts."""

    unrelated: Share
    related: Share


class ExportedEncoder(NamedTuple):
    """An exported model: a folder beside the generations, its files, and the prompts that it puts before texts."""

    kind: Literal["onnx"]
    folder: PlainName
    precision: str
    agreement: AgreementRecord
    files: Files
    passages: PassagesRecord | None = None
    closeness: ClosenessRecord | None = None
    query_prompt: str = ""
    passage_prompt: str = ""


class OriginalEncoder(NamedTuple):
    """The model itself, and why it was not exported."""

    kind: Literal["original"]
    why: str | None = None


class GivenEncoder(NamedTuple):
    """An embedder that the caller of the build passed."""

    kind: Literal["given"]


EncoderRecord = ExportedEncoder | OriginalEncoder | GivenEncoder


class SplitterRecord(NamedTuple):
    """How posts were cut into passages."""

    passage_tokens: int
    rules: int


class LexicalRecord(NamedTuple):
    """What the lexical index depends on: the rules, the texts, and the name of their `Analysis`.

    ``chunks`` are its parts, in the order of the posts; empty where it is in one piece.
    """

    rules: int
    texts: str
    analysis: Annotated[str, ANALYSES.__contains__] = ENGLISH.name
    chunks: tuple[WordChunk, ...] = ()


class RankingRecord(NamedTuple):
    """The weight of each signal, and whether they were learnt."""

    weights: Annotated[Mapping[str, float], _are_weights]
    tuned: bool


class ConfidenceRecord(NamedTuple):
    """The rule of confidence: one weight for each sign. Older indexes have other signs."""

    learnt: bool
    signs: tuple[str, ...]
    weights: tuple[float, ...]
    bias: float
    threshold: float
    changed: int


class CountsRecord(NamedTuple):
    """How many of each there are."""

    posts: int
    duplicates: int
    passages: int
    set_aside: int
    unanswered: int


class SourceState(NamedTuple):
    """Hashes of the files that were read and of the settings: a build that finds the same has nothing to do.

    ``stat`` and ``content`` are None if a file changed while it was read. ``reading`` is the hash of the settings that
    the posts of a file depend on.
    """

    stat: str | None = None
    content: str | None = None
    key: str | None = None
    reading: str | None = None


class BuiltFrom(NamedTuple):
    """What the next build continues: the sources, the settings, and the ids of posts that were taken out."""

    sources: Annotated[tuple[IndexSource, ...], _are_named]
    settings: Mapping[str, Setting | Mapping[str, Setting]]
    excluded: tuple[str, ...]
    state: SourceState


class ChangeTotals(NamedTuple):
    """How many posts of a build differed from the previous one, over all sources."""

    added: int
    changed: int
    removed: int
    renamed: int
    unchanged: int


class BuildRecord(NamedTuple):
    """An earlier build."""

    generation: str
    created: str
    posts: int
    sources: Annotated[tuple[IndexSource, ...], _are_named]
    changes: ChangeTotals


@dataclass(frozen=True, kw_only=True)
class Manifest(ABC):
    """What a generation says of itself, wherever it is stored."""

    format_version: int
    built_by: str
    created: str
    model: ModelRecord
    encoder: EncoderRecord
    vectors: str
    splitter: SplitterRecord
    lexical: LexicalRecord
    ranking: RankingRecord
    confidence: Annotated[ConfidenceRecord, _has_weights]
    counts: CountsRecord
    language: str | None = None
    unread: Share | None = None
    closeness: ClosenessRecord | None = None
    vector_index: VectorIndexRecord
    built_from: BuiltFrom | None = None
    reading: tuple[FileReport, ...] = ()
    previous: str | None = None
    changes: tuple[SourceChanges, ...] = ()
    history: tuple[BuildRecord, ...] = ()
    generation: str

    @classmethod
    def parse(cls, document: object) -> Self:
        """Read a manifest from its JSON document.

        Raises:
            ValueError: if a part is missing or invalid; the message names the first.
        """
        return parse_record(cls, document)

    def dump(self) -> dict[str, Any]:
        """Return the JSON document."""
        document = {one.name: dump_record(getattr(self, one.name)) for one in fields(self)}
        if self.built_from is None:
            del document["built_from"]
        return document

    def repeats(self, older: Self) -> bool:
        """Return whether it has the posts, passages and vectors of the generation that it was built upon."""
        # A name is given again after an undo, so that a later generation may be the older one.
        is_before = self.previous == older.generation and older.created <= self.created
        made_alike = (self.vectors, self.splitter) == (older.vectors, older.splitter)
        return is_before and made_alike and not any(one.differs for one in self.changes)

    @property
    @abstractmethod
    def own_bytes(self) -> int:
        """The size of what it lists, without the encoder."""

    @property
    def bytes(self) -> int:
        """The size of what it lists and of the exported encoder."""
        encoder = self.encoder.files.values() if isinstance(self.encoder, ExportedEncoder) else ()
        return self.own_bytes + sum(record.bytes for record in encoder)


@dataclass(frozen=True, kw_only=True)
class FolderManifest(Manifest):
    """The manifest of a generation in an index folder. What is not published yet has no ``generation`` and no files."""

    files: Files

    @property
    def own_bytes(self) -> int:
        """The size of its files."""
        return sum(record.bytes for record in self.files.values())


# What `info` and the log pass on whole: a part that this version does not know would be lost in silence.
_EXACT = {FileReport, IndexSource, SourceChanges, ChangeTotals}


def parse_record(kind: type[T], document: object) -> T:
    """Read one of the records above, or a whole manifest, from its JSON document.

    Raises:
        ValueError: as `Manifest.parse`.
    """
    read = _reader(cast(Any, kind))
    return cast(T, read(document, ""))


def dump_record(record: Any) -> Any:
    """Return the JSON of a record: a field that may be missing is left out while it has its default."""
    if _is_part(type(record)):
        defaults = record._field_defaults
        named = record._asdict().items()
        return {name: dump_record(value) for name, value in named if name not in defaults or value != defaults[name]}
    if isinstance(record, Mapping):
        return {name: dump_record(value) for name, value in record.items()}
    if isinstance(record, tuple):
        return [dump_record(value) for value in record]
    return to_jsonable(record)


def _is_part(kind: Any) -> bool:
    return hasattr(kind, "_field_defaults")


def _invalid(place: str) -> ValueError:
    return ValueError(f"the manifest lacks a valid {place or 'JSON object'}")


@cache
def _reader(kind: Any) -> Reader:
    """Return what reads a value of the type that a field is declared with."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _checked(_reader(inner[0]), *inner[1:])
    if origin is Literal:
        return _simple(lambda value: isinstance(value, str) and value in inner)
    if origin is tuple:
        return _list_reader(_reader(inner[0]))
    if origin is Mapping:
        return _mapping_reader(_reader(inner[1]))
    if origin in (Union, types.UnionType):
        return _union_reader(inner)
    return _simple(_SIMPLE[kind]) if kind in _SIMPLE else _record_reader(kind)


def _simple(fits: Callable[[Any], bool]) -> Reader:
    def read(value: Any, place: str) -> Any:
        if not fits(value):
            raise _invalid(place)
        return value

    return read


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e9 < value < 1e9


# Every whole number in a manifest is a count. A JSON number stays as it is, so that it is written as it was.
_SIMPLE: Mapping[Any, Callable[[Any], bool]] = {
    str: lambda value: isinstance(value, str),
    int: lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0,
    float: _is_number,
    bool: lambda value: isinstance(value, bool),
}


def _checked(inner: Reader, fits: Callable[[Any], bool]) -> Reader:
    def read(value: Any, place: str) -> Any:
        found = inner(value, place)
        if not fits(found):
            raise _invalid(place)
        return found

    return read


def _list_reader(inner: Reader) -> Reader:
    def read(value: Any, place: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _invalid(place)
        return tuple(inner(one, f"{place}[{number}]") for number, one in enumerate(value))

    return read


def _mapping_reader(inner: Reader) -> Reader:
    def read(value: Any, place: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _invalid(place)
        return {name: inner(one, f"{place}.{visible(name[:_MOST_SHOWN])}") for name, one in value.items()}

    return read


def _union_reader(kinds: tuple[Any, ...]) -> Reader:
    """Return what reads a value as the first type that it fits."""
    if type(None) in kinds:
        some = _reader(reduce(or_, (kind for kind in kinds if kind is not type(None))))
        return lambda value, place: None if value is None else some(value, place)
    if all(map(_is_part, kinds)):
        return _kind_reader(kinds)
    readers = [_reader(kind) for kind in kinds]

    def read(value: Any, place: str) -> Any:
        for inner in readers:
            with suppress(ValueError):
                return inner(value, place)
        raise _invalid(place)

    return read


def _kind_reader(records: tuple[Any, ...]) -> Reader:
    """Return what reads one of several records, each of which has a ``kind`` of its own."""
    readers = {name: _reader(record) for record in records for name in get_args(record.__annotations__["kind"])}

    def read(value: Any, place: str) -> Any:
        kind = value.get("kind") if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in readers:
            raise _invalid(f"{place}.kind" if isinstance(value, dict) else place)
        return readers[kind](value, place)

    return read


def _record_reader(kind: Any) -> Reader:
    parts = [(name, _reader(hint), name not in _defaults(kind)) for name, hint in _hints(kind).items()]

    def read(value: Any, place: str) -> Any:
        if not isinstance(value, dict):
            raise _invalid(place)
        found = {}
        for name, inner, needed in parts:
            here = f"{place}.{name}" if place else name
            if name in value:
                found[name] = inner(value[name], here)
            elif needed:
                raise _invalid(here)
        if kind in _EXACT and len(value) > len(found):
            raise _invalid(place)
        return kind(**found)

    return read


def _hints(kind: Any) -> Mapping[str, Any]:
    """Return the types of the fields; those of records from elsewhere are texts."""
    if kind in _EXACT or kind is FileRecord:
        return get_type_hints(kind, include_extras=True)
    bases = reversed(kind.__mro__)
    return {name: hint for base in bases for name, hint in vars(base).get("__annotations__", {}).items()}


def _defaults(kind: Any) -> set[str]:
    """Return the names of the fields that may be missing."""
    if kind in _EXACT:
        return set()
    if _is_part(kind):
        return set(kind._field_defaults)
    return {one.name for one in fields(kind) if one.default is not MISSING}
