"""Promise 16: every request gets an answer or an error before a deadline, whatever other clients do."""

from __future__ import annotations

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from qa_search import build_index
from tests.helpers import ROOT, WordsEmbedder, write_pages
from tests.reliability.conftest import Campaign

TOKEN = "correct-horse"  # noqa: S105 - a test's
DEADLINE = 40.0  # seconds: the service's own, and a little for the way
MOST_MEMORY = 400  # MB that attackers may make the service take
MOST_LOG = 100_000  # bytes


@contextmanager
def service(log: Path, *command: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run a service; yield its port and process."""
    with log.open("wb") as said, subprocess.Popen([sys.executable, *command], cwd=ROOT, stderr=said) as process:
        try:
            while not (found := re.search(r"http://[^/]+:(\d+)/", log.read_text(encoding="utf-8"))):
                assert process.poll() is None, log.read_text(encoding="utf-8")
                time.sleep(0.1)
            wait_until_ready(f"http://127.0.0.1:{found[1]}")
            yield int(found[1]), process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(600)


def wait_until_ready(url: str) -> None:
    """Ask until the model is loaded."""
    while True:
        try:
            if httpx2.get(f"{url}/readyz", timeout=60).status_code == 200:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.1)


def memory(process: int) -> int:
    """Return the memory of a process in MB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) // 1024


class Honest:
    """Asks a short question four times a second, each on its own connection, and notes how it went."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._headers = {"authorization": f"Bearer {TOKEN}"}
        self.seconds: list[float] = []
        self.failures: list[str] = []

    def ask(self) -> None:
        """Ask once."""
        number, started = len(self.seconds), time.monotonic()
        try:
            with httpx2.Client(
                base_url=self._url, timeout=DEADLINE, headers={"authorization": f"Bearer {TOKEN}"}
            ) as client:
                status = client.post("/api/search", json={"query": f"my knee hurts after {number} runs"}).status_code
        except httpx2.HTTPError as error:
            status = 0
            self.failures.append(f"{type(error).__name__}: {error}")
        taken = time.monotonic() - started
        if status not in (0, 200):
            self.failures.append(f"status {status}")
        if taken > DEADLINE:
            self.failures.append(f"answered after {taken:.0f} s")
        self.seconds.append(taken)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and takes addresses of its own from 127.0.0.0/8")
@pytest.mark.parametrize("workers", [1, 2])
def test_an_honest_client_is_answered_beside_all_others(
    workers: int, campaign: Campaign, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Silent, slow, long, greedy and wrong-token clients at once: who asks honestly is answered each time."""
    if campaign.full:
        command = ["-m", "qa_search", "serve", "--index", str(request.getfixturevalue("built_sample"))]
    else:
        build_index(write_pages(tmp_path / "pages", 300), tmp_path / "index", model=WordsEmbedder())
        command = ["-m", "tests.reliability.words_service", str(tmp_path / "index")]
    besiege(campaign, tmp_path / "log", campaign.count(5, 600), command, workers)


def besiege(campaign: Campaign, log: Path, seconds: float, command: list[str], workers: int) -> None:
    """Ask a service honestly while everybody else attacks it."""
    what = "requests beside silent, slow, long and wrong-token clients"
    with service(log, *command, "--port", "0", "--token", TOKEN, "--workers", str(workers)) as (port, process):
        honest, before = Honest(port), memory(process.pid)
        siege = [sys.executable, "-m", "tests.reliability.siege", str(port), TOKEN, str(seconds)]
        most, load = before, os.getloadavg()[0]
        with subprocess.Popen(siege, cwd=ROOT, stdout=subprocess.PIPE, text=True) as attackers:
            while attackers.poll() is None:
                honest.ask()
                most = max(most, memory(process.pid))
                time.sleep(0.25)
            assert attackers.stdout is not None
            done: dict[str, Any] = json.loads(attackers.stdout.read())
    p99 = statistics.quantiles(honest.seconds, n=100)[98]
    failures = [*honest.failures]
    if most - before > MOST_MEMORY:
        failures.append(f"memory grew by {most - before} MB")
    if log.stat().st_size > MOST_LOG:
        failures.append(f"the log has {log.stat().st_size:,} bytes")
    if campaign.full and p99 > 1:
        failures.append(f"the 99th percentile is {p99:.2f} s")
    campaign.finish(
        16,
        what if workers == 1 else f"{what}, {workers} workers",
        len(honest.seconds),
        failures,
        seconds=seconds,
        p50_seconds=round(statistics.median(honest.seconds), 3),
        p99_seconds=round(p99, 3),
        slowest_seconds=round(max(honest.seconds), 3),
        memory_mb={"before": before, "most": most},
        log_bytes=log.stat().st_size,
        load_before=round(load, 1),
        attackers=done,
    )
