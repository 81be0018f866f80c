"""Whatever is asked, through every door: a normal answer, or one clear message of what is wrong with the question.

The doors are `SearchIndex` from Python, the ``query`` command with arguments and with standard input, the judged sets
of ``eval``, and embedding models that other people wrote.
"""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qa_search import SearchIndex, build_index
from qa_search.errors import ModelError, QASearchError, QueryError
from qa_search.index.stores.vectors import VectorWriter
from qa_search.interfaces.cli import cli
from qa_search.search.query import MAX_QUERY_CHARACTERS, MAX_TOP_K, SearchParameters
from qa_search.search.searchable import SearchableGeneration
from qa_search.types import Post, SearchResult
from tests.helpers import ROOT, WordsEmbedder, write_jsonl
from tests.reliability.conftest import Campaign

POSTS = [
    {"id": "knee", "title": "Knee", "question": "My knee clicks. It hurts on stairs. The knee swells after stairs.",
     "answer": "Strengthen the hip. Then climb stairs again slowly.", "date": "2015-06-30T12:00:00", "tags": ["joint"]},
    {"id": "knee-again", "title": "Knee!", "question": "My knee clicks. It hurts on stairs. The knee swells a lot.",
     "answer": "Strengthen the hip. Then climb stairs again slowly.", "date": "2019-02-03", "tags": ["joint"]},
    {"id": "heel", "title": "Heel", "question": "My heel stabs in the morning.",
     "answer": "Roll a frozen bottle. Calf raises on a step.", "date": "2018-01-01", "tags": ["foot", "Heel Pain"]},
    {"id": "loop", "title": "Knee knee", "question": " ".join(["knee knee stairs."] * 60), "answer": "See a doctor."},
    {"id": "emoji", "title": "🦵🔥", "question": "👩‍⚕️ 膝が痛い。歩けない。", "answer": "休んでください。Rest. " * 4,
     "tags": ["膝"]},
    {"id": "bare", "answer": "Ice, then heat, then ice again and see whether the swelling goes down by the evening."},
]  # fmt: skip
# One clear message is one line that a person can read to the end.
LONGEST_MESSAGE = 1000
MOST_SECONDS = 20.0  # of computing, so that a busy machine changes nothing
PATIENCE = 600.0


class TooSlowError(BaseException):
    """A question took so long that a person would think it hangs. Nothing in the library can catch it by mistake."""


@contextmanager
def time_limit(seconds: float = MOST_SECONDS) -> Iterator[None]:
    """Interrupt what takes longer."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise TooSlowError(f"no answer after {seconds} s of computing, or {PATIENCE} s of waiting")

    limits = {signal.SIGPROF: (signal.ITIMER_PROF, seconds), signal.SIGALRM: (signal.ITIMER_REAL, PATIENCE)}
    before = {number: signal.signal(number, interrupt) for number in limits}
    for timer, most in limits.values():
        signal.setitimer(timer, most)
    try:
        yield
    finally:
        for timer, _ in limits.values():
            signal.setitimer(timer, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def flaw_in(result: SearchResult, k: int) -> str | None:
    """Say what is wrong with a result, None if it is one."""
    document = result.to_dict()
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False)
        text.encode()
    except ValueError as error:
        return f"not strict JSON in UTF-8: {error}"
    if json.loads(text) != document:
        return "JSON gives another document back"
    if len(result.hits) > k:
        return f"{len(result.hits)} hits, where {k} were asked for"
    if [hit.rank for hit in result.hits] != list(range(1, len(result.hits) + 1)):
        return f"ranks {[hit.rank for hit in result.hits]}"
    scores = [hit.score for hit in result.hits]
    if scores != sorted(scores, reverse=True):
        return f"scores {scores}"
    if not all(0 <= value <= 1 for value in (result.confidence, *(hit.confidence for hit in result.hits))):
        return f"confidence {result.confidence}, of the hits {[hit.confidence for hit in result.hits]}"
    ids = [hit.post_id for hit in result.hits]
    ids += [other.post_id for hit in result.hits for other in hit.repeated_by]
    if len(set(ids)) != len(ids):
        return f"a post is there twice: {ids}"
    for hit in result.hits:
        span = hit.highlight
        if not span.text or getattr(hit, span.field)[span.start : span.end] != span.text:
            return f"highlight {span} of {hit.post_id}"
        if not hit.passage or hit.passage not in getattr(hit, hit.matched):
            return f"passage {hit.passage!r} of {hit.post_id}"
    return None


def flaw_in_answer(answer: object, k: int = 5) -> str | None:
    """Say what is wrong with what any of the doors gave, None if it is a normal answer."""
    if isinstance(answer, SearchResult):
        return flaw_in(answer, k)
    if isinstance(answer, np.ndarray):
        return None if answer.dtype == np.float32 and np.isfinite(answer).all() else f"vectors {answer.dtype}"
    if isinstance(answer, Mapping):  # runs by ranking
        values = [score for runs in answer.values() for run in runs for _, score in run]
        return None if all(map(math.isfinite, values)) else f"scores {values}"
    if isinstance(answer, list):
        return next((flaw for item in answer if (flaw := flaw_in_answer(item, k))), None)
    return None if answer is None or isinstance(answer, str | Post) else f"{type(answer).__name__} for an answer"


def flaw_in_message(message: str) -> str | None:
    """Say why a message is not one clear line, None if it is."""
    if not message.strip() or len(message.splitlines()) != 1 or len(message) > LONGEST_MESSAGE:
        return f"a message of {len(message)} characters in {len(message.splitlines())} lines: {message[:200]!r}"
    try:
        message.encode()
    except UnicodeEncodeError:
        return f"a message that cannot be shown: {message[:200]!r}"
    return None


def flaw_when(ask: Callable[[], object], k: int = 5, allowed: type[QASearchError] = QueryError) -> str | None:
    """Say what is wrong with how a question went, None if it was answered or refused as it should be."""
    try:
        with time_limit():
            return flaw_in_answer(ask(), k)
    except allowed as error:
        return flaw_in_message(str(error))
    except (Exception, TooSlowError) as error:
        return f"{type(error).__name__}: {str(error)[:200]}"


def try_all(questions: Mapping[str, Callable[[], object]], allowed: type[QASearchError] = QueryError) -> list[str]:
    """Ask them all; return what went wrong, with the question's name."""
    return [f"{name}: {flaw}" for name, ask in questions.items() if (flaw := flaw_when(ask, allowed=allowed))]


def explore(examples: int, strategy: st.SearchStrategy[Any], find_flaw: Callable[[Any], str | None]) -> list[str]:
    """Look for an example with a flaw; return the simplest."""

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(strategy)
    def none_has_a_flaw(example: Any) -> None:
        flaw = find_flaw(example)
        assert flaw is None, f"{flaw} (for {shorten(example)})"

    try:
        none_has_a_flaw()
    except AssertionError as error:
        return [str(error).splitlines()[0]]
    return []


def shorten(value: object) -> str:
    """Show a value in a few words, however long it is."""
    return ascii(value[:40] if isinstance(value, str | bytes | list) else value)[:120]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchIndex]:
    """A few posts under a fast model, the ids of which are the names above."""
    folder = tmp_path_factory.mktemp("hostile")
    embedder = WordsEmbedder(limit=12)
    build_index(write_jsonl(folder / "a.jsonl", POSTS), folder / "index", model=embedder)
    with SearchIndex.open(folder / "index", model=embedder) as opened:
        yield opened


@pytest.fixture
def built(index: SearchIndex, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same index for the commands, which find its model where they look for one."""
    monkeypatch.setattr(SearchableGeneration, "_load_embedder", lambda generation: WordsEmbedder(limit=12))
    return Path(index.info().index)


# Not a text at all.
JUNK: Sequence[Any] = (None, 5, 1.5, math.nan, True, b"knee", [], {}, ["knee"], object(), date(2015, 6, 30), 10**400)
TEXTS: Sequence[str] = (
    "", " ", "\n\t \r\n", "\0", "\0" * 500, "\x01\x02\x1b[31m", "\x1b]0;title\x07", "\u200b", "\u202eknee", "\ufeff",
    "\u0301", "\u0301" * 500, "\ud800", "\udfff\ud800", "knee \ud83d", "\ud83e\uddb5", "\U0010ffff", "\ufffe\uffff",
    "'; DROP TABLE post; --", "../../etc/passwd", "%s %n {0} ${x}", "<script>alert(1)</script>", "a\0b", "\\", '"',
    "knee AND -heel OR text:foo^9 NEAR(", "`id`", "NaN", "null", "-", "--", "-k", "🦵" * 300, "👩\u200d⚕", "膝が痛い。",
    "אבג", "." * 500, "e.g. " * 100, "1. " * 100, "?!" * 300, "x" * 5000, "knee " * 2000, "\u2028\u2029\x85\x0b\x0c",
    "x\r" * 9, "İıﬀß",
)  # fmt: skip
DATES: Sequence[Any] = (
    "", " ", "0", "0000", "0000-05", "0000-01-01", "0001", "9999", "9999-12", "9999-12-31", "10000", "-1", "2015-00",
    "2015-13", "2015-02-30", "2016-02-29", "2016.02.29", "29 February 2016", "June 30, 2015", "30-Jun-2015", "2015/6",
    "2015-06-30T24:00", "2015-06-30T12:00:00+99:99", "2015-06-30T12:00Z", "2015-W27-2", "20150630", "1e9", "nan", "inf",
    "999999999", "99999999999999", "٢٠١٥", "２０１５-０６-３０", "tomorrow", "\0", "\ud800", "2015\0", "2015\n",
    ":" * 10**6, "1 " * 10**6, "x" * 10**6, "9" * 10**6, ",1 " * 10**5, "Mon, 30 Jun 2015 12:00:00 +9999", "0:0:0,0",
    date.min, date.max, datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=timezone(timedelta(hours=-12))),
    "' OR 1=1",
)  # fmt: skip
PATTERNS: Sequence[str] = (
    "", "*", "**", "?", "[", "]", "[]", "[^", "[a-", "[^]]*", "[" * 10_000, "*" * 5000, "?" * 5000, "*a" * 20,
    "*a" * 5000, "*a" * 16, "*[a-z]" * 16,
    "[a-z]*" * 2000, "*[^a]" * 500 + "b", "\0", "*\0*", "\ud800", "*\udcff", "%", "_", "'", "x" * 10**6, "膝*", "\n",
)  # fmt: skip
TAGS: Sequence[Any] = (
    [], "", [""], [" "], ["-"], ["\0"], ["\ud800"], "\udcff", ["x" * 10**6], ["a"] * 999, ["a"] * 2000, ["a"] * 50_000,
    ["joint"] * 300, ["joint", "foot"], ["' OR 1=1 --"], ["膝"], ("joint",), {"joint"}, ["İ"],
    [str(number) for number in range(2000)],
)  # fmt: skip
NUMBERS: Sequence[Any] = (0, -1, 10**9, 10**30, True, 1.0, 1.5, math.nan, math.inf, "5", None, b"5", [5], -(10**400))
CONFIDENCES: Sequence[Any] = (math.nan, math.inf, -math.inf, -1e-9, 1 + 1e-9, "0.5", True, b"", [], 10**400, 1 + 0j)


def python_questions(index: SearchIndex) -> dict[str, Callable[[], object]]:
    """Each hostile value for each parameter of each method, by a name that says which."""
    questions: dict[str, Callable[[], object]] = {}

    def add(door: str, value: object, ask: Callable[[Any], object]) -> None:
        questions[f"{len(questions)} {door} {shorten(value)}"] = lambda: ask(value)

    for value in (*TEXTS, *JUNK):
        add("search", value, lambda value: index.search(value, explain=True))
        add("search_many of one", value, lambda value: index.search_many([value]))
        add("search_many", value, index.search_many)
        add("embed of one", value, lambda value: index.embed([value]))
        add("embed", value, index.embed)
        add("run of one", value, lambda value: index.run([value]))
        add("run", value, index.run)
        add("rankings", value, lambda value: index.run(["knee"], rankings=value))
        add("rankings of one", value, lambda value: index.run(["knee"], rankings=[value]))
        add("post", value, index.post)
        add("post_ids", value, index.post_ids)
    for value in NUMBERS:
        add("k", value, lambda value: index.search("knee", value))
        add("run k", value, lambda value: index.run(["knee"], value))
    for value in (*DATES, *JUNK):
        add("since", value, lambda value: index.search("knee", since=value))
        add("until", value, lambda value: index.search("knee", until=value))
    for value in (*PATTERNS, *TEXTS, *JUNK):
        add("source", value, lambda value: index.search("knee", source=value))
    for value in (*TAGS, *TEXTS, *JUNK):
        add("tags", value, lambda value: index.search("knee", tags=value))
        add("tags of one", value, lambda value: index.search("knee", tags=[value]))
    for value in (*CONFIDENCES, *JUNK):
        add("min_confidence", value, lambda value: index.search("knee", min_confidence=value))
    return questions


def test_every_parameter_takes_every_hostile_value(index: SearchIndex, campaign: Campaign) -> None:
    """From Python: each is answered, or a QueryError says in one line what is wrong with it."""
    questions = python_questions(index)
    campaign.finish(9, "hostile values from Python", len(questions), try_all(questions))


@pytest.mark.parametrize("k", [0, -1, MAX_TOP_K + 1, 10**9, True, 1.5, "5", None])
def test_a_number_of_hits_that_is_none_is_told_by_every_method(index: SearchIndex, k: Any) -> None:
    """Also above the most that can be had at once, which can be had."""
    for ask in (index.search, lambda text, k: index.search_many([text], k), lambda text, k: index.run([text], k)):
        with pytest.raises(QueryError, match=r"k must be a whole number from 1 to 10,000"):
            ask("knee", k)
    assert len(index.search("knee", MAX_TOP_K).hits) == len(POSTS) - 1  # one repeats another


@pytest.mark.parametrize("length", [MAX_QUERY_CHARACTERS + 1, 10_000_000])
@pytest.mark.parametrize("unit", ["knee ", " ", "\0", "\ud800", "e.g. ", "膝"])
def test_a_complaint_that_is_too_long_is_told_before_anything_is_done(
    index: SearchIndex, length: int, unit: str
) -> None:
    """By every method, in a moment and in next to no memory."""
    text = (unit * (length // len(unit) + 1))[:length]
    asks: list[Callable[[], object]] = [
        lambda: index.search(text),
        lambda: index.search_many(["knee", text]),
        lambda: index.run([text]),
        lambda: index.embed([text]),
    ]
    for ask in asks:
        tracemalloc.start()
        with time_limit(5), pytest.raises(QueryError, match=rf"{length:,} characters.* 100,000"):
            ask()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1_000_000


CHARACTERS = st.characters()  # half surrogate pairs, too
FRAGMENTS = st.sampled_from(
    (*TEXTS[:40], "knee", "heel", "e.g. ", "1) ", "...", "\n", ".\n- ", "(", '"', "no. 7", "a.m.")
)
COMPLAINTS = st.one_of(
    st.text(CHARACTERS),
    st.lists(st.one_of(FRAGMENTS, st.text(CHARACTERS, max_size=5)), max_size=30).map("".join),
    st.text(CHARACTERS, min_size=1, max_size=4).map(lambda unit: unit * 300),
)


def test_any_text_is_answered_or_refused(index: SearchIndex, campaign: Campaign) -> None:
    """Characters of every kind, in every order."""
    examples = campaign.count(300, 5_000)
    failures = explore(examples, COMPLAINTS, lambda text: flaw_when(lambda: index.search(text, explain=True)))
    campaign.finish(9, "any text", examples, failures)


ANYTHING = st.one_of(st.none(), st.sampled_from(JUNK), st.text(CHARACTERS), st.integers(), st.floats())
WRITTEN_DATES = st.builds(
    lambda day, form: day.strftime(form),
    st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)),  # noqa: DTZ001 - written without one
    st.sampled_from(
        ("%Y", "%Y-%m", "%Y/%m/%d", "%Y.%m.%d", "%d %B %Y", "%b %d, %Y", "%d-%b-%Y", "%d.%m.%Y", "%Y-%m-%dT%H:%M:%S",
         "%Y-%m-%d %H:%M", "%B %d, %Y %I:%M %p", "%a, %d %b %Y %H:%M:%S +0100", "%s", "%d/%m/%Y", "%j", "%G-W%V")
    ),
)  # fmt: skip
ANY_DATE = st.one_of(
    st.none(),
    WRITTEN_DATES,
    st.dates(),
    st.datetimes(timezones=st.one_of(st.none(), st.timezones())),
    st.text(st.sampled_from("0123456789-/.: ,TZ+"), max_size=25),
    ANYTHING,
)
ANY_QUESTION = st.fixed_dictionaries(
    {"text": st.one_of(COMPLAINTS, st.sampled_from(("knee", "knee on stairs", "frozen bottle")))},
    optional={
        "k": st.one_of(st.integers(1, 8), ANYTHING),
        "since": ANY_DATE,
        "until": ANY_DATE,
        "source": st.one_of(st.none(), st.text(st.sampled_from("*?[]^-!\\a./jsonlkne\0"), max_size=40), ANYTHING),
        "tags": st.one_of(
            st.lists(st.one_of(st.sampled_from(("joint", "foot", "膝")), ANYTHING), max_size=4), ANYTHING
        ),
        "min_confidence": st.one_of(st.floats(0, 1), ANYTHING),
        "explain": st.booleans(),
    },
)


def test_any_question_is_answered_or_refused(index: SearchIndex, campaign: Campaign) -> None:
    """All parameters at once, good ones and bad ones mixed."""

    def find_flaw(question: dict[str, Any]) -> str | None:
        k = question.get("k", 5)
        return flaw_when(lambda: index.search(**question), k if isinstance(k, int) else 0)

    examples = campaign.count(400, 5_000)
    campaign.finish(9, "any parameters", examples, explore(examples, ANY_QUESTION, find_flaw))


def test_many_questions_at_once_fare_as_one_by_one(index: SearchIndex, campaign: Campaign) -> None:
    """The same hits and vectors for each text, to the last bit; or the same refusal if one of them is refused."""

    def find_flaw(texts: list[str]) -> str | None:
        try:
            one_by_one: object = [index.search(text).hits for text in texts]
        except QueryError as error:
            one_by_one = str(error)
        try:
            together: object = [result.hits for result in index.search_many(texts)]
        except QueryError as error:
            together = str(error)
        if one_by_one != together:
            return f"{shorten(one_by_one)} one by one, {shorten(together)} together"
        if texts and isinstance(together, list):
            alone = np.concatenate([index.embed([text]) for text in texts])
            return None if np.array_equal(alone, index.embed(texts)) else "vectors depend on the texts beside them"
        return None

    examples = campaign.count(100, 500)
    campaign.finish(
        9, "many questions at once", examples, explore(examples, st.lists(COMPLAINTS, max_size=5), find_flaw)
    )


@pytest.mark.parametrize("day", [date(2015, 6, 30), date(2016, 2, 29), date(2015, 12, 31), date(1000, 1, 1)])
@pytest.mark.parametrize(
    "form", ["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d %Y", "%d-%b-%Y"]
)
def test_a_day_is_the_same_day_however_it_is_written(day: date, form: str) -> None:
    """Also as the last day of a search, which ends with it and not a year later."""
    written = day.strftime(form)
    assert SearchParameters(since=written, until=written).filters() == SearchParameters(since=day, until=day).filters()


# Each could make a careless pattern or loop take time that grows with the square of the length.
UNITS = (
    ".", "e.g. ", "a. ", "?!", "...'", "etc. a ", ". ", "no. 7 ", "…", "。", "1. ", "1. a\n", "a\n", "\n", "- ", "(",
    " ", "x", "x ", "膝", "\u0301", "😀", "👩\u200d", "א", "<a>", "&amp;", "http://", "a.b.", '"', "\t-", "12. 3 ",
    "\ud800", "\0", "\u202e", "İ", "ﷺ", "\u1e9e", "word " * 10 + "\n", "knee. ", "Knee knee.\n", "1)", "\u3000", ")",
    "a" * 44 + "\n",
)  # fmt: skip


def longest(unit: str) -> str:
    """Repeat a text up to the most that is read."""
    return (unit * (MAX_QUERY_CHARACTERS // len(unit) + 1))[:MAX_QUERY_CHARACTERS]


def test_no_text_of_any_length_hangs(index: SearchIndex, campaign: Campaign) -> None:
    """The longest complaints there are, made of what is hardest to cut into sentences, words and passages."""
    units = UNITS[: campaign.count(6, len(UNITS))]
    started = time.perf_counter()
    failures = try_all({f"{unit!a} repeated": partial(index.search, longest(unit)) for unit in units})
    examples = campaign.count(3, 50)
    failures += explore(
        examples,
        st.lists(FRAGMENTS, min_size=1, max_size=4).map("".join).filter(bool),
        lambda unit: flaw_when(lambda: index.search(longest(unit))),
    )
    seconds = round((time.perf_counter() - started) / (len(units) + examples), 2)
    campaign.finish(9, "the longest texts", len(units) + examples, failures, mean_seconds=seconds)


def test_the_longest_text_of_many_different_words_is_answered(index: SearchIndex) -> None:
    """Tens of thousands of terms are looked up at once."""
    words = " ".join(f"{number:x}" for number in range(MAX_QUERY_CHARACTERS))[:MAX_QUERY_CHARACTERS]
    assert flaw_when(lambda: index.search(words, explain=True)) is None


class ForeignEmbedder(WordsEmbedder):
    """A model that somebody else wrote: what it gives goes through ``spoil``."""

    def __init__(self, spoil: Callable[[Any], Any]) -> None:
        super().__init__(limit=12)
        self._spoil = spoil

    def embed_passages(self, texts: Sequence[str]) -> Any:
        return self._spoil(super().embed_queries(texts))

    def embed_queries(self, texts: Sequence[str]) -> Any:
        return self._spoil(super().embed_queries(texts))


def _with_one(value: float) -> Callable[[Any], Any]:
    def spoil(vectors: Any) -> Any:
        spoilt = vectors.copy()
        spoilt[-1, -1] = value
        return spoilt

    return spoil


SPOILT: Mapping[str, Callable[[Any], Any]] = {
    "NaN": lambda vectors: vectors * np.nan,
    "one NaN": _with_one(math.nan),
    "one infinity": _with_one(math.inf),
    "one value too large to square": _with_one(3e38),
    "values too large to square": lambda vectors: vectors * np.float32(1e30),
    "float64 that no float32 holds": lambda vectors: vectors.astype(np.float64) * 1e300,
    "a vector too few": lambda vectors: vectors[:-1],
    "twice the vectors": lambda vectors: np.concatenate([vectors, vectors]),
    "short vectors": lambda vectors: vectors[:, :-1],
    "long vectors": lambda vectors: np.concatenate([vectors, vectors], axis=1),
    "one vector alone": lambda vectors: vectors[0],
    "flat": np.ravel,
    "three axes": lambda vectors: vectors[None],
    "nothing": lambda vectors: None,
    "a number": lambda vectors: 1.0,
    "a text": lambda vectors: "vectors",
    "objects": lambda vectors: vectors.astype(object),
    "complex numbers": lambda vectors: vectors.astype(complex),
    "ragged lists": lambda vectors: [[1.0], [1.0, 2.0]],
}
HARMLESS: Mapping[str, Callable[[Any], Any]] = {
    "float64": lambda vectors: vectors.astype(np.float64),
    "float16": lambda vectors: vectors.astype(np.float16),
    "lists": lambda vectors: vectors.tolist(),
    "columns first": np.asfortranarray,
    "read-only": lambda vectors: np.broadcast_to(vectors, vectors.shape),
    "zeros": lambda vectors: vectors * 0,
    "all the same": lambda vectors: np.ones_like(vectors) / np.sqrt(np.float32(vectors.shape[1])),
    "pointing away": lambda vectors: -vectors,
    "next to nothing": lambda vectors: vectors * np.float32(1e-40),
}


@pytest.mark.parametrize("name", SPOILT)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_model_that_gives_no_vectors_is_told(index: SearchIndex, name: str, tmp_path: Path) -> None:
    """By every method that asks it, and by a build, which publishes nothing."""
    model = ForeignEmbedder(SPOILT[name])
    with SearchIndex.open(index.info().index, model=model) as spoilt:
        questions: dict[str, Callable[[], object]] = {
            "search": lambda: spoilt.search("knee on stairs", explain=True),
            "search_many": lambda: spoilt.search_many(["knee", "knee on stairs. " * 10]),
            "embed": lambda: spoilt.embed(["knee", "heel. " * 30]),
            "run": lambda: spoilt.run(["knee"]),
            "build": lambda: build_index(write_jsonl(tmp_path / "a.jsonl", POSTS), tmp_path / "index", model=model),
        }
        for door, ask in questions.items():
            assert flaw_when(ask, allowed=ModelError) is None, door
            with time_limit(), pytest.raises(ModelError, match="the model 'words' gave "):
                ask()
    assert not (tmp_path / "index" / "CURRENT").exists()


@pytest.mark.parametrize("name", HARMLESS)
def test_a_model_that_gives_odd_vectors_is_searched_with(index: SearchIndex, name: str) -> None:
    """Finite numbers of the right shape are all that is asked for."""
    with SearchIndex.open(index.info().index, model=ForeignEmbedder(HARMLESS[name])) as odd:
        for text in ("knee on stairs", "knee on stairs. " * 10):
            result = odd.search(text, explain=True)
            assert flaw_in(result, 5) is None
            assert result.hits


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("row", [0, 7, 19])
def test_no_number_that_is_none_gets_into_a_shard(value: float, row: int, tmp_path: Path) -> None:
    """Whichever vector has it; those before it are still there."""
    vectors = WordsEmbedder().embed_queries([f"word{number}" for number in range(20)])
    writer = VectorWriter(tmp_path, 64, shard_vectors=8)
    writer.add(vectors)
    spoilt = vectors.copy()
    spoilt[row, 3] = value
    with pytest.raises(ValueError, match="not finite"):
        writer.add(spoilt)
    writer.close()
    sizes = [(tmp_path / name).stat().st_size for name in writer.files]
    assert len(sizes) == 3
    assert sizes[0] == sizes[1] > sizes[2]


def run(*arguments: str | Path, text: bytes | None = None) -> Result:
    return CliRunner(env={"NO_COLOR": "1"}).invoke(cli, [str(item) for item in arguments], input=text)


def flaw_in_command(result: Result, statuses: Sequence[int]) -> str | None:
    """Say what is wrong with how a command ended, None if it answered or said in one message why not."""
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return f"{type(result.exception).__name__}: {str(result.exception)[:200]}"
    if result.exit_code not in statuses:
        return f"exit status {result.exit_code}: {result.stderr[-300:]}"
    if result.exit_code in (0, 1):
        try:
            json.loads(result.stdout, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        except ValueError as error:
            return f"not JSON on standard output: {error}"
        return None
    if result.stdout or result.stderr.count("Error: ") != 1:
        return f"not one message: {result.stdout[-200:]!r}, {result.stderr[-300:]!r}"
    return flaw_in_message(result.stderr.partition("Error: ")[2])


def test_every_option_of_query_takes_every_hostile_value(built: Path, campaign: Campaign) -> None:
    """Status 0 or 1 with an answer, or status 2 with one message; never a traceback."""
    texts = [text for text in TEXTS if "\0" not in text]  # no argument of a program can hold one
    bytes_of_texts = [text.encode("utf-8", "surrogatepass") for text in TEXTS]
    options = {
        "--since": [value for value in DATES if isinstance(value, str) and len(value) < 10**5 and "\0" not in value],
        "--source": [value for value in (*PATTERNS, *texts) if len(value) < 10**5 and "\0" not in value],
        "--tag": texts,
        "--top-k": ["0", "-1", "1e3", "1.5", "10001", "9" * 500, "nan", "٥", "", " 5 ", "5\n", "0x5", "1_0"],
        "--min-confidence": ["nan", "inf", "-inf", "-0.1", "1.1", "1e400", "", "½", "0_1", "1e-400"],
    }
    options["--until"] = options["--since"]
    commands: list[tuple[list[str], bytes | None]] = [
        (["--", text], None) for text in (*texts, "\udcff", "x" * 120_000)
    ]
    commands += [([f"{name}={value}", "knee"], None) for name, values in options.items() for value in values]
    commands += [
        (["-"], data) for data in (*bytes_of_texts, b"\xff" * 99, b"\xff\xfek\0n\0", b"x" * 10**7, bytes(10**7))
    ]
    failures = []
    for arguments, text in commands:
        flaw = flaw_in_command(run("query", "--index", built, "--json", *arguments, text=text), (0, 1, 2))
        failures += [f"{shorten(arguments)} {shorten(text)}: {flaw}"] * (flaw is not None)
    campaign.finish(9, "hostile values for the query command", len(commands), failures)


WITH_WORDS = """
from qa_search.interfaces.cli import main
from qa_search.search.searchable import SearchableGeneration
from tests.helpers import WordsEmbedder
SearchableGeneration._load_embedder = lambda generation: WordsEmbedder(limit=12)
main()
"""


def start(*arguments: str | bytes, stdin: int, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a process of its own, in at most 2 GB."""
    bounded = (2 << 30, 2 << 30)
    return subprocess.run(
        [sys.executable, "-c", WITH_WORDS, *arguments],
        stdin=stdin,
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, bounded),
        timeout=600,
        check=False,
    )


def test_standard_input_without_an_end_is_told(built: Path) -> None:
    """What is longer than any complaint is not read to its end."""
    with Path("/dev/zero").open("rb") as endless:
        done = start("query", "--index", str(built), "-", stdin=endless.fileno())
    assert (done.returncode, done.stdout) == (2, b""), done.stderr[-500:]
    assert b"characters" in done.stderr
    assert b"Traceback" not in done.stderr


def test_arguments_that_are_no_text_are_read_all_the_same(built: Path) -> None:
    """Bytes that are not UTF-8, in the complaint and in every filter."""
    odd = b"knee \xff\xfe \xed\xa0\x80"
    done = start("query", "--index", str(built), "--json", odd, stdin=subprocess.DEVNULL)
    assert done.returncode in (0, 1), done.stderr[-500:]
    assert json.loads(done.stdout)["query"].startswith("knee \ufffd\ufffd")
    for name in (b"--source=", b"--tag=", b"--since="):
        done = start("query", "--index", str(built), "--json", name + odd, "knee", stdin=subprocess.DEVNULL)
        assert done.returncode in (1, 2), done.stderr[-500:]
        assert b"Traceback" not in done.stderr


def test_a_terminal_that_knows_no_unicode_gets_what_it_can_show(built: Path) -> None:
    """Nothing is lost but the characters themselves."""
    for arguments in (["--json"], ["--full"]):
        done = start(
            "query", "--index", str(built), *arguments, "🦵 膝", stdin=subprocess.DEVNULL, PYTHONIOENCODING="ascii"
        )
        assert done.returncode in (0, 1), done.stderr[-500:]
        assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5", "9" * 5000, "٣", "1025", "0x2", "\t"])
def test_a_number_of_threads_that_is_none_is_told(built: Path, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As wrong usage; blanks are as good as nothing."""
    monkeypatch.setenv("QA_SEARCH_THREADS", value)
    statuses = (0, 1) if value.isspace() else (2,)
    assert flaw_in_command(run("query", "--index", built, "--json", "knee on stairs. " * 9), statuses) is None


def write_judged(folder: Path, queries: bytes, qrels: bytes = b"q1\tknee\t1\n") -> Path:
    """Write a judged set of these bytes."""
    folder.mkdir()
    (folder / "queries.jsonl").write_bytes(queries)
    (folder / "qrels.tsv").write_bytes(qrels)
    return folder


GOOD = b'{"id": "q1", "text": "knee on stairs"}\n'
JUDGED: Mapping[str, tuple[bytes, bytes]] = {
    "nothing": (b"", b""),
    "blank lines": (b"\n\n \n" + GOOD, b"\n\nq1\tknee\t1\n\n"),
    "a text that is blank": (b'{"id": "q1", "text": " "}\n', b"q1\tknee\t1\n"),
    "a text that is too long": (b'{"id": "q1", "text": "' + b"x" * 10**7 + b'"}\n', b"q1\tknee\t1\n"),
    "control characters": (b'{"id": "q1", "text": "\\u0000\\u001b"}\n', b"q1\tknee\t1\n"),
    "half a pair in the text": (b'{"id": "q1", "text": "knee \\ud800"}\n', b"q1\tknee\t1\n"),
    "half a pair in the id": (b'{"id": "\\ud800", "text": "knee"}\n' + GOOD, b"q1\tknee\t1\n"),
    "an id with blanks": (b'{"id": "q 1\\n2", "text": "knee"}\n', b"q 1\n2\tknee\t1\n"),
    "an id with a blank": (b'{"id": "q 1", "text": "knee"}\n', b"q 1\tknee\t1\n"),
    "a number for an id": (b'{"id": 1, "text": "knee"}\n', b"1\tknee\t1\n"),
    "NaN for an id": (b'{"id": NaN, "text": "knee"}\n', b"nan\tknee\t1\n"),
    "the same id twice": (GOOD + GOOD, b"q1\tknee\t1\n"),
    "a number for a text": (b'{"id": "q1", "text": 5}\n', b"q1\tknee\t1\n"),
    "a list": (b"[]\n", b"q1\tknee\t1\n"),
    "a number": (b"9" * 5000 + b"\n", b"q1\tknee\t1\n"),
    "brackets without an end": (b"[" * 100_000 + b"\n", b"q1\tknee\t1\n"),
    "an object in an object": (b'{"id": "q1", "text": "knee", "x": ' + b'{"x": ' * 9999 + b"\n", b"q1\tknee\t1\n"),
    "bytes that are no text": (b"\xff\xfe\x00" * 99, b"q1\tknee\t1\n"),
    "UTF-16": (GOOD.decode().encode("utf-16"), b"q1\tknee\t1\n"),
    "a mark before UTF-8": (b"\xef\xbb\xbf" + GOOD, b"q1\tknee\t1\n"),
    "no such complaint": (GOOD, b"q2\tknee\t1\n"),
    "no such post": (GOOD, b"q1\tnobody\t1\n"),
    "too few columns": (GOOD, b"q1 knee 1\n"),
    "too many columns": (GOOD, b"q1\tknee\t1\t2\t3\n"),
    "a grade that is huge": (GOOD, b"q1\tknee\t" + b"9" * 30 + b"\n"),
    "a grade beyond all digits": (GOOD, b"q1\tknee\t" + b"9" * 5000 + b"\n"),
    "a grade below all": (GOOD, b"q1\tknee\t-" + b"9" * 30 + b"\nq1\theel\t1\n"),
    "a grade that is no whole number": (GOOD, b"q1\tknee\t0.5\n"),
    "NUL in a judgement": (GOOD, b"q1\tknee\0\t1\n"),
    "a judgement twice": (GOOD, b"q1\tknee\t0\nq1\tknee\t1\n"),
    "bytes that are no text in a judgement": (GOOD, b"q1\t\xff\t1\n"),
}


@pytest.mark.parametrize("name", JUDGED)
def test_a_judged_set_of_anything_is_measured_or_told(built: Path, name: str, tmp_path: Path) -> None:
    """Status 0 with figures, or status 3 with one message: it is an input. A run that is written can be read."""
    judged = write_judged(tmp_path / "judged", *JUDGED[name])
    written = tmp_path / "run.txt"
    with time_limit():
        result = run("eval", judged, "--index", built, "--json", "--quiet", "--run", written)
    assert flaw_in_command(result, (0, 3)) is None
    if result.exit_code == 0:
        lines = written.read_text(encoding="utf-8").splitlines()
        assert {len(line.split()) for line in lines} == {6}
