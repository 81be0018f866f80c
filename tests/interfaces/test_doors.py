"""One search behind every door: the command, Python, HTTP, its clients, the page and the tools for assistants."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import uvicorn
from mcp import Client as McpClient
from mcp import StdioServerParameters

from qa_search import AsyncClient, Client, SearchIndex
from qa_search.interfaces.web.app import Settings, create_app
from tests.helpers import ROOT

COMPLAINTS = (
    "back of my thigh has ached for months, PT did nothing",
    "stabbing under my heel, first steps in the morning are the worst",
    "how do I renew my passport",
    'Ich habe Knieschmerzen 😖\nseit <b>Wochen</b> & "nichts" hilft',
)
LIMITS: dict[str, Any] = {"k": 4, "since": "2010", "until": "2018-06", "source": "*archive*"}
Found = dict[str, Any]


@contextmanager
def serving(index: Path) -> Iterator[str]:
    """Serve an index with its own model on a free port."""
    config = uvicorn.Config(
        create_app(SearchIndex.open(index), Settings(rate=0)), port=0, log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.05)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def address(built_sample: Path) -> Iterator[str]:
    """The address of a service on the sample archive."""
    with serving(built_sample) as url:
        yield url


def by_command(index: Path, complaint: str) -> Found:
    arguments = [f"--{name}={value}" if name != "k" else f"-k{value}" for name, value in LIMITS.items()]
    command = [sys.executable, "-m", "qa_search", "query", "-", "--json", "--index", str(index), *arguments]
    done = subprocess.run(command, cwd=ROOT, input=complaint, capture_output=True, text=True, check=False)
    document: Found = json.loads(done.stdout)
    assert done.returncode == (0 if document["answered"] else 1)
    return document


def by_get(address: str, complaint: str) -> Found:
    with urllib.request.urlopen(f"{address}/api/search?{urlencode({'q': complaint, **LIMITS})}") as response:  # noqa: S310
        document: Found = json.load(response)
    return document


def by_post(address: str, complaint: str) -> Found:
    body = json.dumps({"query": complaint, **LIMITS}).encode()
    request = urllib.request.Request(f"{address}/api/search", body, {"content-type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request) as response:  # noqa: S310
        document: Found = json.load(response)
    return document


def by_client(address: str, complaint: str) -> Found:
    with Client(address) as client:
        return client.search(complaint, **LIMITS).to_dict()


def by_async_client(address: str, complaint: str) -> Found:
    async def ask() -> Found:
        async with AsyncClient(address) as client:
            return (await client.search(complaint, **LIMITS)).to_dict()

    return asyncio.run(ask())


@pytest.mark.process
@pytest.mark.parametrize("complaint", COMPLAINTS)
def test_every_door_gives_the_same_document(built_sample: Path, address: str, complaint: str) -> None:
    """To the last digit of every score, answered and not; only the time that it took differs."""
    with SearchIndex.open(built_sample) as index:
        expected = index.search(complaint, **LIMITS).to_dict()
    assert expected["hits"]
    doors: dict[str, Callable[[str], Found]] = {
        "command": partial(by_command, built_sample),
        "GET": partial(by_get, address),
        "POST": partial(by_post, address),
        "client": partial(by_client, address),
        "asynchronous client": partial(by_async_client, address),
    }
    for name, door in doors.items():
        document = door(complaint)
        del document["took_ms"]
        assert document == {key: value for key, value in expected.items() if key != "took_ms"}, name


@pytest.mark.parametrize("complaint", COMPLAINTS)
def test_the_page_and_the_tools_show_the_same_posts(built_sample: Path, address: str, complaint: str) -> None:
    """In the same order, and as sure: what they leave out is text, not posts."""
    with SearchIndex.open(built_sample) as index:
        expected = index.search(complaint, 4)
    with urllib.request.urlopen(f"{address}/?{urlencode({'q': complaint, 'k': 10})}") as response:  # noqa: S310
        page = response.read().decode()
    shown = re.findall(r'<h3 id="hit-\d+"><a href="/posts/(\w+)', page)
    assert shown[:4] == [hit.post_id for hit in expected.hits]
    assert ("Nothing here answers that" in page) is not expected.answered

    async def ask() -> Found:
        command = ["-m", "qa_search", "mcp", "--index", str(built_sample)]
        async with McpClient(StdioServerParameters(command=sys.executable, args=command)) as client:
            result = await client.call_tool("search", {"complaint": complaint, "k": 4})
            assert isinstance(result.structured_content, dict)
            return result.structured_content

    told = asyncio.run(ask())
    assert (told["answered"], told["confidence"]) == (expected.answered, expected.confidence)
    assert [(hit["post_id"], hit["confidence"]) for hit in told["hits"]] == [
        (hit.post_id, hit.confidence) for hit in expected.hits
    ]
