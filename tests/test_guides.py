"""What the guides tell people to type is typed here, as it stands, page by page."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devtools.ports import free_port
from qa_search import SearchIndex
from tests.helpers import ROOT

PAGES = ("getting-started.md", "confidence.md", "gaps.md", "service.md")
TOOLS = ("bash", "curl", "jq")
NAME = "search.example.org"


def blocks(page: str, language: str) -> list[str]:
    """Return the blocks of a language on a page."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def environment(**more: str) -> dict[str, str]:
    """The environment of somebody who has activated the virtual environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), **more}


@pytest.fixture
def folder(built_sample: Path, tmp_path: Path) -> Path:
    """A folder that holds what the pages name; the encoder is there, as after a first build."""
    shutil.copytree(ROOT / "data", tmp_path / "data")
    shutil.copytree(ROOT / "docs" / "examples", tmp_path / "docs" / "examples")
    shutil.copytree(built_sample, tmp_path / "index")
    return tmp_path


@pytest.mark.process
@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_tells_to_type_works(page: str, folder: Path) -> None:
    """All of it, one command after the other; ports are exchanged for free ones, and nothing else."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"the guides also use {', '.join(missing)}, not on this machine")
    commands = "\n".join(blocks(page, "sh"))
    ports = {port: str(free_port()) for port in re.findall(r"\b80[0-9]{2}\b", commands)}
    for port, free in ports.items():
        commands = commands.replace(port, free)
    script = f"set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{commands}\n"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment(**({"QA_SEARCH_URL": f"http://127.0.0.1:{ports['8080']}"} if ports else {})),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "Traceback" not in done.stderr


def test_the_pages_tell_to_type_something() -> None:
    """Else the test above could not fail; and each command of qa-search is typed on one of them, or is interactive."""
    typed = "\n".join(block for page in PAGES for block in blocks(page, "sh"))
    for command in ("build", "info", "query", "eval", "verify", "serve"):
        assert f"qa-search {command}" in typed


@contextmanager
def running(*command: str, cwd: Path, **more: str) -> Iterator[None]:
    """Run a program until the end of the block."""
    process = subprocess.Popen(command, cwd=cwd, env=environment(**more), stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def wait_for(*ports: int, seconds: float = 30) -> None:
    """Wait until somebody listens on each of these."""
    end = time.monotonic() + seconds
    for port in ports:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 5).close()
                break
            except OSError:
                assert time.monotonic() < end, f"nobody listens on {port}"
                time.sleep(0.1)


@pytest.mark.process
def test_the_service_works_behind_nginx_as_the_page_sets_it_up(folder: Path) -> None:
    """TLS in front, the name passed on, each client's rate counted by its own address."""
    if shutil.which("nginx") is None or shutil.which("openssl") is None:
        pytest.skip("nginx and openssl are not on this machine")
    upstream, port = free_port(), free_port()
    (server,) = blocks("service.md", "nginx")
    for told, here in {
        "8443": str(port),
        "8080": str(upstream),
        "/etc/ssl/search.pem": str(folder / "cert.pem"),
        "/etc/ssl/search.key": str(folder / "cert.key"),
    }.items():
        assert told in server
        server = server.replace(told, here)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={NAME}",
         "-addext", f"subjectAltName=DNS:{NAME}", "-keyout", "cert.key", "-out", "cert.pem"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    temporary = " ".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\nhttp {{ {temporary}\n{server}}}\n",
        encoding="utf-8",
    )
    serve = (sys.executable, "-m", "qa_search", "serve", "--port", str(upstream), "--rate", "3", "--quiet")
    context = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    context.check_hostname = False  # the name is not ours to resolve

    def ask(path: str) -> tuple[int, bytes]:
        request = urllib.request.Request(f"https://127.0.0.1:{port}{path}", headers={"Host": NAME})
        try:
            with urllib.request.urlopen(request, timeout=30, context=context) as response:  # noqa: S310
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    nginx = ("nginx", "-c", str(folder / "nginx.conf"))
    with running(*serve, "--allow-host", NAME, cwd=folder), running(*nginx, cwd=folder):
        wait_for(upstream, port)
        status, body = ask("/api/search?q=sore+knee&k=3")
        assert status == 200, body
        with SearchIndex.open(folder / "index") as index:
            assert [hit["post_id"] for hit in json.loads(body)["hits"]] == [
                hit.post_id for hit in index.search("sore knee", 3).hits
            ]
        assert ask("/")[0] == 200
        assert ask(f"/api/search?q={'knee+' * 6_000}&k=1")[0] == 200
        assert ask(f"/api/search?q={'knee+' * 10_000}&k=1")[0] == 414
        assert {ask("/api/info")[0] for _ in range(10)} == {200, 429}
