"""The records of qa_search: plain, frozen dataclasses that all other modules use."""

from __future__ import annotations

import base64
import datetime
import hashlib
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from html import escape
from importlib import import_module
from pathlib import PurePath
from typing import Any, Literal

Field = Literal["question", "answer", "title"]
_MOST_ID = 64
FIELDS: tuple[Field, ...] = ("title", "question", "answer")
# What a score is made of, and what confidence is made of: manifests name them too.
SIGNALS = (*FIELDS, "best", "whole", "parts", "lexical")
SIGNS = ("closeness", "terms", "length")
RANKING_NAMES = ("default", "passage", "whole", "lexical", "rrf")


def to_jsonable(value: Any) -> Any:
    """Convert records, tuples and mappings to dicts and lists that `json.dumps` can write."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_jsonable(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_jsonable(item) for item in value]
    return value


class _Record:
    """Adds ``to_dict`` to the records that callers see."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the record as its JSON document: the same names, lists for tuples."""
        document: dict[str, Any] = to_jsonable(self)
        return document


@dataclass(frozen=True, slots=True)
class AnswerPart(_Record):
    """One of several answers in a post's ``answer`` text: ``post.answer[start:end]``."""

    start: int
    end: int
    id: str | None = None
    score: int | None = None
    accepted: bool = False
    author: str | None = None
    date: str | None = None


def is_post_id(value: object) -> bool:
    """Return whether a value has the form of a post id."""
    return isinstance(value, str) and value.isascii() and value.isalnum() and len(value) <= _MOST_ID


def possible_ids(name: str) -> Iterator[str]:
    """Yield the ids that a person may mean: the name itself, if it is one, and those of SOURCE/ID."""
    if is_post_id(name):
        yield name
    parts = name.split("/")
    for at in range(1, len(parts)):
        yield Post("/".join(parts[:at]), "/".join(parts[at:])).post_id


@dataclass(frozen=True, slots=True)
class Post(_Record):
    """A question and its answers.

    ``source`` names the archive file (for pages: the folder or container of pages), ``source_id`` the post
    within it; together they make ``post_id``. ``date`` is ISO 8601. ``prev_title`` and ``next_title`` are
    what an archive page links to: None if it has no such line, "" if the line is empty.
    """

    source: str
    source_id: str
    title: str = ""
    question: str = ""
    answer: str = ""
    date: str | None = None
    url: str | None = None
    tags: tuple[str, ...] = ()
    author: str | None = None
    score: int | None = None
    answers: tuple[AnswerPart, ...] = ()
    prev_title: str | None = None
    next_title: str | None = None

    @property
    def post_id(self) -> str:
        """The post's id: made from ``source`` and ``source_id`` alone, so it outlives edits and rebuilds."""
        digest = hashlib.blake2b(f"{self.source}\n{self.source_id}".encode(), digest_size=10).digest()
        return base64.b32encode(digest).decode("ascii").lower()

    @property
    def text(self) -> str:
        """Title, question and answer, joined as the lexical index reads them."""
        return "\n".join((self.title, self.question, self.answer))


@dataclass(frozen=True, slots=True)
class SetAside(_Record):
    """A post or file that could not be read: its source, the place in it, and the reason."""

    source: str
    place: str
    reason: str

    def __str__(self) -> str:
        where = f"{self.source}, {self.place}" if self.place else self.source
        return f"{where}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Passage:
    """A span of one field of a post, in characters: ``getattr(post, field)[start:end]``."""

    field: Field
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Highlight(_Record):
    """The sentence of a hit to read first: ``getattr(hit, field)[start:end] == text``."""

    field: Field
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class OtherPost(_Record):
    """A post that a hit points to: a newer one on the same question, or one that says the same."""

    post_id: str
    source_id: str
    title: str
    date: str | None


@dataclass(frozen=True, slots=True)
class SignalShare(_Record):
    """One reason for a hit's score: the signal's value, its weight, and its part of the score."""

    value: float
    weight: float
    share: float


@dataclass(frozen=True, slots=True)
class Explanation(_Record):
    """Why a post matched: the parts of its score, the closest pair of sentences, and the terms in common.

    ``complaint`` is the part of the complaint that the post matches best, ``post`` the sentence that it met; ``terms``
    are in the form in which they are indexed, rarest first.
    """

    signals: Mapping[str, SignalShare]
    side: Field
    complaint: str
    post: Highlight
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hit(_Record):
    """One post in the result of a search.

    ``score`` orders the hits, ``confidence`` is the probability that the post answers. ``matched`` is the field of
    the best passage. ``newer`` points to a later post on the same question, ``repeated_by`` lists posts that say the
    same and are therefore no hits of their own. ``explain`` is set if it was requested.
    """

    rank: int
    post_id: str
    source_id: str
    title: str
    date: str | None
    source: str
    url: str | None
    tags: tuple[str, ...]
    score: float
    confidence: float
    matched: Field
    passage: str
    highlight: Highlight
    question: str
    answer: str
    newer: OtherPost | None = None
    repeated_by: tuple[OtherPost, ...] = ()
    explain: Explanation | None = None

    @property
    def when(self) -> datetime.date | None:
        """The date as Python has it, the first day where only a month or a year is known; None if it is unknown."""
        if self.date is None:
            return None
        year, month, day = (*map(int, self.date[:10].split("-")), 1, 1)[:3]
        return datetime.date(year, month, day)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document, without ``explain`` where it is None."""
        document: dict[str, Any] = to_jsonable(self)
        if self.explain is None:
            del document["explain"]
        return document


@dataclass(frozen=True, slots=True, repr=False)
class SearchResult(_Record):
    """The result of a search: the hits, best first, and the confidence that the archive answers.

    ``confidence`` is the probability that some post answers; ``answered`` is false where it is below the threshold,
    and the hits are then only the nearest posts. ``advice`` says what would help, if anything would. ``searched`` is
    the query as it was searched, if misspelt words were replaced by words of the archive. ``note`` says how a very long
    query was read. ``pinned`` is the wording in the archivist's file that the query matched, if the first hit was
    pinned for it; confidence is then 1. ``notice`` is what the archivist's file says to a query with a danger sign:
    show it before anything else; the query then counts as not answered.

    A result is a sequence of its hits: iterate over it, or take its ``len``.
    """

    query: str
    answered: bool
    confidence: float
    hits: tuple[Hit, ...]
    took_ms: float
    advice: str | None = None
    searched: str | None = None
    note: str | None = None
    pinned: str | None = None
    notice: str | None = None

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)

    def __repr__(self) -> str:
        state = "answered" if self.answered else "not answered"
        hits = f"{len(self)} hit{'s' * (len(self) != 1)}"
        lines = [f"<SearchResult {reprlib.repr(self.query)}: {state} ({self.confidence:.0%}), {hits}>"]
        lines += [f"  {hit.rank}. {hit.confidence:4.0%} {reprlib.repr(hit.title)} ({hit.post_id})" for hit in self]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return the hits as a table, for notebooks."""
        rows = "".join(
            f"<tr><td>{hit.rank}</td><td>{hit.confidence:.0%}</td><td>{escape(hit.title)}</td>"
            f"<td>{escape(hit.highlight.text)}</td><td>{escape((hit.date or '')[:10])}</td></tr>"
            for hit in self
        )
        state = "answered" if self.answered else "not answered"
        return (
            f"<p>{escape(self.query)}: {state} ({self.confidence:.0%})</p><table><tr><th></th><th>confidence</th>"
            f"<th>title</th><th>sentence</th><th>date</th></tr>{rows}</table>"
        )

    def to_pandas(self) -> Any:
        """Return the hits as a pandas ``DataFrame``: one row for each, with the fields of a `Hit` as columns.

        Raises:
            ModuleNotFoundError: if pandas is not installed.
        """
        pandas = import_module("pandas")
        names = [one.name for one in fields(Hit)]
        return pandas.DataFrame([{name: getattr(hit, name) for name in names} for hit in self], columns=names)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as its JSON document; what is None at its end is left out."""
        document = {**to_jsonable(replace(self, hits=())), "hits": [hit.to_dict() for hit in self.hits]}
        for name in ("advice", "searched", "note", "pinned", "notice"):
            if document[name] is None:
                del document[name]
        return document


@dataclass(frozen=True, slots=True)
class FileReport(_Record):
    """What reading took for what, in one file or in all files of a folder that are alike.

    ``roles`` says for each role which fields played it, and in how many records; ``unused`` names the text fields that
    play none. ``encoding`` is None for a format that is not text. ``remarks`` are sentences for a person.
    """

    source: str
    format: str
    encoding: str | None
    files: int
    posts: int
    with_question: int
    with_answer: int
    with_date: int
    set_aside: int
    roles: Mapping[str, Mapping[str, int]]
    unused: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IndexSource(_Record):
    """A source of an index: its absolute path, and the name that the ids of its posts are made from."""

    path: str
    name: str


def part_of(path: str, sources: Iterable[IndexSource]) -> IndexSource | None:
    """Return the source that is a folder in which an absolute path lies; None if there is none."""
    return next((source for source in sources if PurePath(source.path) in PurePath(path).parents), None)


@dataclass(frozen=True, slots=True)
class SourceChanges(_Record):
    """How many posts of a source differ from the previous generation, by their ids.

    ``renamed`` are those whose text is there under another id.
    """

    source: str
    added: int = 0
    changed: int = 0
    removed: int = 0
    renamed: int = 0
    unchanged: int = 0

    @property
    def differs(self) -> bool:
        """Whether any post differs."""
        return bool(self.added or self.changed or self.removed or self.renamed)


@dataclass(frozen=True, slots=True)
class BuildReport(_Record):
    """The result of a build.

    ``posts`` counts the texts in the index; ``duplicates`` the further ids under which some of them came.
    ``embedded`` and ``reused`` add up to ``passages``. ``left_out`` is the index folder, if it lies in a source and so
    was not read; else "". ``files`` says what was taken for what. ``language`` is the archive's main language (ISO
    639-1), None if it is unknown or mixed; ``advice`` says so if the model cannot read it, and what is to be done about
    a database.

    ``changes`` compares with the generation ``previous``, None if there was none. ``sources`` is what was read, and
    ``dropped`` what the previous generation was built from and this one was not. ``cleared`` are the generations that
    were removed, ``empty`` the sources in which nothing was read, ``forgotten`` the parameters of the previous build,
    such as "field_map", that this one did not use, because it named its sources. ``generation`` is ``previous`` if no
    file had changed, so that nothing was built; "" for a dry run.
    """

    index: str
    generation: str
    posts: int
    duplicates: int
    passages: int
    embedded: int
    reused: int
    set_aside: int
    unanswered: int
    seconds: float
    model: str
    left_out: str = ""
    files: tuple[FileReport, ...] = ()
    language: str | None = None
    advice: str | None = None
    previous: str | None = None
    changes: tuple[SourceChanges, ...] = ()
    sources: tuple[IndexSource, ...] = ()
    dropped: tuple[IndexSource, ...] = ()
    cleared: tuple[str, ...] = ()
    empty: tuple[IndexSource, ...] = ()
    forgotten: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LogEntry(_Record):
    """A build of an index: when, how many posts, what changed, and whether its generation is kept and answers.

    ``changes`` has the sums over all sources, whose name is "" there.
    """

    generation: str
    created: str
    posts: int
    sources: tuple[IndexSource, ...]
    changes: SourceChanges
    kept: bool
    answers: bool


@dataclass(frozen=True, slots=True)
class Inspection(_Record):
    """What building from some sources would read: what is taken for what, and a few posts of each file.

    ``samples`` are the first posts of each report in ``files``, in the same order. ``limit`` is how many records of
    each file were looked at, at most.
    """

    files: tuple[FileReport, ...]
    samples: tuple[tuple[Post, ...], ...]
    set_aside: tuple[SetAside, ...]
    limit: int


@dataclass(frozen=True, slots=True)
class SourceCount(_Record):
    """The posts of one source: indexed (duplicates included), set aside, unanswered."""

    source: str
    posts: int
    set_aside: int
    unanswered: int


@dataclass(frozen=True, slots=True)
class MissingPost(_Record):
    """A title that Prev and Next links name, but no page of the archive has."""

    title: str
    mentioned_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GenerationCheck(_Record):
    """The result of checking one generation.

    ``problems`` is empty if no damage was found, ``unread`` says why not all of it could be read ("" if it was).
    """

    generation: str
    answers: bool
    files: int
    bytes: int
    problems: tuple[str, ...]
    unread: str = ""

    @property
    def whole(self) -> bool:
        """Whether every byte was read and matches its checksum."""
        return not self.problems and not self.unread


@dataclass(frozen=True, slots=True)
class VerifyReport(_Record):
    """The result of `verify_index`.

    ``ok`` says whether what answers now was read and is whole; ``generation`` is what answers, None if nothing does.
    ``pointer_problem`` says what is wrong with the pointer, if anything is; ``fell_back_to`` is the generation that
    answers in place of a damaged one.
    """

    index: str
    generation: str | None
    ok: bool
    pointer_problem: str | None
    generations: tuple[GenerationCheck, ...]
    fell_back_to: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class CurationInfo(_Record):
    """What an archivist's file says: how many pins, hidden posts, same words and notices, and what newer posts gain.

    ``remarks`` are sentences about what has no effect in this index.
    """

    path: str
    pins: int
    hidden: int
    same: int
    newer: float
    dangers: int = 0
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict(_Record):
    """A query, and a post that answers it (``confirmed``) or does not, by the word of so many clients."""

    query: str
    post: str
    confirmed: bool
    clients: int


@dataclass(frozen=True, slots=True)
class FeedbackInfo(_Record):
    """How many votes a file of feedback has, and how many complaints they confirm for a post or reject for one."""

    path: str
    votes: int
    confirmed: int
    rejected: int


@dataclass(frozen=True, slots=True)
class IndexInfo(_Record):
    """What an index contains and how it was built.

    ``language`` is the archive's main language (ISO 639-1), None if it is unknown or mixed; ``unread`` the share of its
    letters that the model cannot read, None if that is unknown; ``advice`` says so if these are most of them.
    ``bytes`` is the size of its files, the exported model included, as `verify_index` counts them. ``years`` counts
    the posts of each year, ``tags`` those of the most frequent tags.
    ``curation`` is what the archivist's file says, ``feedback`` what the file of votes does, None if there is none.
    """

    index: str
    generation: str
    created: str
    format_version: int
    built_by: str
    model: Mapping[str, Any]
    encoder: Mapping[str, Any]
    splitter: Mapping[str, Any]
    ranking: Mapping[str, Any]
    confidence: Mapping[str, Any]
    counts: Mapping[str, int]
    bytes: int
    vector_index: Mapping[str, Any]
    sources: tuple[SourceCount, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    missing_posts: tuple[MissingPost, ...] = field(default=())
    built_from: tuple[IndexSource, ...] = ()
    files: tuple[FileReport, ...] = ()
    language: str | None = None
    unread: float | None = None
    advice: str | None = None
    years: Mapping[str, int] = field(default_factory=dict)
    tags: Mapping[str, int] = field(default_factory=dict)
    curation: CurationInfo | None = None
    feedback: FeedbackInfo | None = None
