"""The service keeps to its OpenAPI description: schemathesis sends what that allows, and much that it forbids."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from qa_search import build_index
from tests.helpers import ROOT, WordsEmbedder, write_pages
from tests.interfaces.web.test_app import serving

EXAMPLES = 20


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running service."""
    folder = tmp_path_factory.mktemp("openapi")
    build_index(write_pages(folder / "pages", 12), folder / "index", model=WordsEmbedder())
    with serving(folder / "index") as found:
        yield found


@pytest.mark.process
def test_no_request_makes_the_service_fail_or_break_its_description(address: str, tmp_path: Path) -> None:
    """No server error, no undocumented status, no answer of another shape, nothing accepted that is forbidden."""
    # An address that is too long is refused before the query is looked at (414).
    (tmp_path / "schemathesis.toml").write_text(
        "[checks.negative_data_rejection]\nexpected-statuses = [400, 401, 403, 404, 405, 414, 422, 429]\n"
    )
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{address}/openapi.json", f"--max-examples={EXAMPLES}",
        "--seed=1", "--no-color", "--checks=all",
        # A text of a date may be none ("2015-02-31"), which no schema can say: it is refused with a message.
        "--exclude-checks=positive_data_acceptance",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, re.sub(r"(.)\1{30,}", r"\1…", done.stdout)[-3000:] + done.stderr[-1000:]
    cases = re.search(r"(\d+) generated", done.stdout)
    assert cases is not None
    assert int(cases[1]) > 8 * EXAMPLES
    assert re.search(r"Tested: 8", done.stdout)


def test_the_description_is_in_the_docs(address: str) -> None:
    """The table of docs/api.md names every path and method; the others are pages and what an option adds."""
    paths = httpx2.get(f"{address}/openapi.json").json()["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    named = {(method, path) for row in rows for method, path in re.findall(r"`([A-Z]+) ([^`?]+)", row)}
    pages = {("GET", "/"), ("POST", "/"), ("GET", "/posts/{post_id}"), ("POST", "/posts/{post_id}"), ("GET", "/browse")}
    asked_for = {("GET", "/widget.js"), ("POST", "/widget"), ("POST", "/api/feedback")}
    assert named - described == pages | asked_for
    assert described <= named
