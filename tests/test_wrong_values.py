"""Values of wrong kinds -> errors of the library, whatever is called: no raw error, and nothing that is half done."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qa_search
from qa_search import AsyncClient, Client, QASearchError, QueryError, QuestionLog, Reranker, SearchIndex, TopicReport
from qa_search.errors import IndexClosedError
from qa_search.search.query import FilterOptions, SearchOptions
from tests.helpers import WordsEmbedder, write_jsonl, write_pages
from tests.interfaces.cli.words import use_words

WRONG: list[Any] = [
    None, 5, -1, 0, 2.5, float("nan"), float("inf"), 10**30, True, "x", "", "a\0b", "\ud800", b"x", object(), (), [1],
    ["x"], [None], {"a": 1}, {1: 2}, {"x": "y"}, {1},
]  # fmt: skip
NOWHERE = "http://127.0.0.1:1"
# What has no parameters of its own, or is opened otherwise.
LEFT_OUT = {"SearchIndex": {"__init__"}}

Call = tuple[Callable[..., Any], dict[str, Any]]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Call]]:
    """Every public function and method, with values that are right."""
    monkeypatch.chdir(tmp_path)
    use_words(monkeypatch)
    pages = write_pages(tmp_path / "pages", 4)
    qa_search.build_index(pages, "index", model=WordsEmbedder())
    write_jsonl(tmp_path / "judged" / "queries.jsonl", [{"id": "q", "text": "my knee1 hurts"}])
    (tmp_path / "judged" / "qrels.tsv").write_text("query\tpost\tgrade\nq\tpost-00001.txt\t1\n")
    log = QuestionLog("log", now=_noon)
    reranker = object.__new__(Reranker)
    reranker._name, reranker._score = "none", lambda _, passages: np.ones(len(passages), np.float32)
    with SearchIndex.open("index", feedback="votes") as index, Client(NOWHERE, retries=0) as client, log:
        (post,) = index.list_posts(1)
        found, waiting = {"text": "knee1"}, AsyncClient(NOWHERE, retries=0)
        topics = qa_search.find_topics(index).to_dict()
        calls: dict[str, Call] = {
            "build_index": (qa_search.build_index, {"sources": pages, "index": "index", "dry_run": True}),
            "evaluate": (qa_search.evaluate, {"dataset": "judged", "index": index}),
            "find_gaps": (qa_search.find_gaps, {"index": index, "complaints": ["broken toe"]}),
            "find_topics": (qa_search.find_topics, {"index": index}),
            "forget_questions": (qa_search.forget_questions, {"path": "log", "about": "nobody"}),
            "index_log": (qa_search.index_log, {"index": "index"}),
            "inspect_archives": (qa_search.inspect_archives, {"sources": pages}),
            "map_topics": (qa_search.map_topics, {"index": index}),
            "read_questions": (qa_search.read_questions, {"path": "log"}),
            "review_archive": (qa_search.review_archive, {"index": index}),
            "tune": (qa_search.tune, {"index": "index"}),
            "undo_index": (qa_search.undo_index, {"index": "index"}),
            "verify_index": (qa_search.verify_index, {"index": "index"}),
            "TopicReport.of_dict": (TopicReport.of_dict, {"document": topics}),
            "SearchIndex.open": (_closed(SearchIndex.open), {"path": "index"}),
            "QuestionLog.__init__": (_closed(QuestionLog), {"path": "log"}),
            "QuestionLog.record": (log.record, {"results": index.search_many(["knee"])}),
            "QuestionLog.mark": (log.mark, {"query": "knee"}),
            "Reranker.__init__": (Reranker, {"model": "no-such-model"}),
            "Reranker.scores": (reranker.scores, {"complaint": "knee", "passages": ["hip"]}),
            "Client.__init__": (_closed(Client), {"url": NOWHERE}),
            "AsyncClient.__init__": (AsyncClient, {"url": NOWHERE}),
        }
        known: dict[str, dict[str, Any]] = {
            "search": found, "search_many": {"texts": ["knee1"]}, "embed": {"texts": ["knee1"]}, "all_posts": {},
            "run": {"texts": ["knee1"]}, "match": {"post_id": post.post_id, **found}, "list_posts": {},
            "record_feedback": {"query": "knee", "post_id": post.post_id, "answered": True},
        }  # fmt: skip
        for owner in (index, client, waiting):
            for name, method in _methods(type(owner)):
                function = getattr(owner, name)
                right = known.get(name, {"post_id": post.post_id})
                ended = partial(_waited, function) if owner is waiting else function
                consumed = _listed(function) if inspect.isgeneratorfunction(method) else ended
                calls.setdefault(f"{type(owner).__name__}.{name}", (consumed, right))
        yield calls
        asyncio.run(waiting.close())


def _noon() -> Any:
    from datetime import UTC, datetime

    return datetime(2026, 11, 27, 12, tzinfo=UTC)


def _closed(make: Callable[..., Any]) -> Callable[..., None]:
    def call(*args: Any, **options: Any) -> None:
        make(*args, **options).close()

    call.__signature__ = inspect.signature(make)  # type: ignore[attr-defined]
    return call


def _listed(function: Callable[..., Any]) -> Callable[..., list[Any]]:
    def call(**options: Any) -> list[Any]:
        return list(function(**options))

    call.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return call


def _waited(function: Callable[..., Any], **options: Any) -> Any:
    async def ask() -> Any:
        return await function(**options)

    return asyncio.run(ask())


def _methods(owner: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods of a class that take something."""
    left_out = LEFT_OUT.get(owner.__name__, set())
    for name, member in vars(owner).items():
        function = getattr(member, "__func__", member)
        public = name not in left_out and (name == "__init__" or not name.startswith("_"))
        if public and inspect.isfunction(function) and len(inspect.signature(function).parameters) > 1:
            yield name, function


def _public() -> set[str]:
    """Return the names of all functions and methods of `qa_search.__all__` that take something and do something."""
    names = set()
    for name in qa_search.__all__:
        found = getattr(qa_search, name)
        if inspect.isfunction(found):
            names.add(name)
        elif inspect.isclass(found) and not issubclass(found, Exception):
            record = hasattr(found, "__dataclass_fields__") or issubclass(found, tuple)
            names |= {f"{name}.{method}" for method, _ in _methods(found) if not (record and method == "__init__")}
    return names


def _parameters(function: Callable[..., Any]) -> list[str]:
    plain = function.args[0] if isinstance(function, partial) else function
    names = []
    for name, parameter in inspect.signature(plain).parameters.items():
        options = FilterOptions if FilterOptions.__name__ in str(parameter.annotation) else SearchOptions
        names += list(options.__annotations__) if parameter.kind is parameter.VAR_KEYWORD else [name]
    return names


@pytest.mark.slow
def test_a_value_of_a_wrong_kind_is_an_error_of_the_library(stage: dict[str, Call]) -> None:
    """Every parameter of everything that is public: a value is taken, or refused by a `QASearchError`."""
    assert set(stage) == _public()
    raw = []
    for name, (function, right) in stage.items():
        for parameter in _parameters(function):
            for value in WRONG:
                try:
                    function(**{**right, parameter: value})
                except QASearchError:
                    pass
                except Exception as error:
                    raw.append(f"{name}({parameter}={value!r}): {error!r}")
    assert raw == [], "\n".join(raw)


@pytest.mark.parametrize(
    "wrong",
    [
        {"largest_loss": 2}, {"largest_loss": -1}, {"largest_loss": float("nan")}, {"largest_loss": True}, {"keep": 1},
        {"keep": 2.5}, {"keep": "3"}, {"keep": None}, {"precision": "x"}, {"precision": "INT8"}, {"device": "tpu"},
        {"memory": -1}, {"memory": 0}, {"memory": "1GB"}, {"recall": 5}, {"passage_tokens": 1}, {"passage_tokens": 0},
        {"names": {"elsewhere": "club"}}, {"names": {"faq.jsonl": ""}}, {"names": "club"}, {"limits": 5},
        {"field_map": ["a"]}, {"field_map": {"antwort": "x"}}, {"encoding": "foo"}, {"encoding": 5}, {"add": 5},
        {"add": [None]}, {"shards": 5}, {"store": 5}, {"strict": "no"}, {"dry_run": 0}, {"progress": "bar"},
        {"model": 5}, {"keep_going": None}, {"ray": 5}, {"download": 1},
    ],
    ids=str,
)  # fmt: skip
def test_a_build_refuses_a_wrong_value_before_it_reads_anything(
    wrong: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parameter stands first in the message, and what is allowed follows; there is no index then."""
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "faq.jsonl", [{"question": "Why?", "answer": "So."}])
    (name,) = wrong
    monkeypatch.setattr("qa_search.builder.build.read_files", lambda *_, **__: pytest.fail("it reads"))
    with pytest.raises(QueryError, match=rf"^{name}( must be |: ).") as told:
        qa_search.build_index(None if "add" in wrong else "faq.jsonl", "index", **{"model": WordsEmbedder(), **wrong})
    assert told.value.parameter == name
    assert not (tmp_path / "index").exists()


def test_a_single_source_may_be_added_and_removed_as_it_is(tmp_path: Path) -> None:
    """A text is one source, not a list of letters."""
    one, two = write_pages(tmp_path / "one", 2), write_pages(tmp_path / "two", 2, start=2)
    qa_search.build_index(one, tmp_path / "index", model=WordsEmbedder())
    build = partial(qa_search.build_index, None, tmp_path / "index", model=WordsEmbedder())
    assert build(add=str(two)).posts == 4
    assert build(remove=str(two)).posts == 2


def test_what_is_closed_says_so(tmp_path: Path) -> None:
    """A client as an index does, and everything that is given a closed index."""
    qa_search.build_index(write_pages(tmp_path / "pages", 2), tmp_path / "index", model=WordsEmbedder())
    index = SearchIndex.open(tmp_path / "index", model=WordsEmbedder())
    index.close()
    client, waiting = Client(NOWHERE), AsyncClient(NOWHERE)
    client.close()
    asyncio.run(waiting.close())
    calls: list[Callable[[], Any]] = [
        lambda: index.search("knee"), lambda: qa_search.find_topics(index), lambda: qa_search.review_archive(index),
        lambda: qa_search.find_gaps(index, ["knee"]), lambda: client.search("knee"), client.info,
        lambda: client.search_many(["knee"]), lambda: asyncio.run(waiting.search("knee")),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(IndexClosedError, match="is closed"):
            call()
