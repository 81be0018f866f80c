"""What a search can be asked for: one list of parameters for every way to search."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from typing import Any

import pytest

from qa_search import QueryError, SearchIndex
from qa_search.interfaces.web.client import AsyncClient, Client
from qa_search.search.query import SearchOptions, SearchParameters


def test_every_parameter_but_k_is_a_keyword_argument_of_a_search() -> None:
    """`SearchOptions` and `SearchParameters` list the same names."""
    names = [field.name for field in fields(SearchParameters)]
    assert names == ["k", *SearchOptions.__annotations__]


FILTERS = "since, until, source, tags"


@pytest.mark.parametrize(
    ("way", "method", "name", "known"),
    [
        (SearchIndex, "search", "sinse", f"k, explain, rerank, {FILTERS}, min_confidence"),
        (SearchIndex, "search_many", "sinse", f"k, explain, rerank, {FILTERS}, min_confidence"),
        (SearchIndex, "similar", "sinse", f"k, {FILTERS}, min_confidence"),
        (SearchIndex, "list_posts", "min_confidence", f"k, skip, oldest_first, {FILTERS}"),
        (SearchIndex, "all_posts", "k", FILTERS),
        (Client, "search", "explain", f"k, {FILTERS}, min_confidence"),
        (Client, "search_many", "sinse", f"k, {FILTERS}, min_confidence"),
    ],
)
def test_an_unknown_keyword_is_refused_with_those_there_are(way: type, method: str, name: str, known: str) -> None:
    """Before anything is searched: the index need not even be open."""
    options: dict[str, Any] = {name: 1}
    texts = () if method == "all_posts" else (10,) if method == "list_posts" else ("knee",)
    said = rf"^{method}\(\) got an unexpected keyword argument '{name}'\. There are: {known}$"
    with pytest.raises(TypeError, match=said):
        next(iter(getattr(way, method)(object.__new__(way), *texts, **options)))


@pytest.mark.parametrize("method", ["search", "search_many"])
def test_an_unknown_keyword_is_refused_by_the_client_that_is_awaited(method: str) -> None:
    """As by the other client."""
    with pytest.raises(TypeError, match=rf"^{method}\(\) .* 'sinse'\. There are: k, {FILTERS}, min_confidence$"):
        asyncio.run(getattr(AsyncClient, method)(AsyncClient.__new__(AsyncClient), "knee", sinse="2015"))


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (5, "tags: expected a list of texts, not int"),
        ([5], "tags: not a text of at most "),
        (["x" * 100_000], "tags: not a text of at most "),
    ],
)
def test_invalid_tags_are_refused_by_name(tags: Any, message: str) -> None:
    """The parameter is named, and what it takes."""
    with pytest.raises(QueryError, match=f"^{message}") as caught:
        SearchParameters(tags=tags).filters()
    assert caught.value.parameter == "tags"
