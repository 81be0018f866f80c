"""A Ray cluster of two nodes on this machine, to be killed: for tests and measurements.

Where the system lets us (root on Linux), the nodes have a network of their own, which nothing outside reaches, and end
with the process that started them, however that ends. Elsewhere they use free ports.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from devtools.ports import free_port

_READY_SECONDS = 60.0
_ADDRESSES = ("127.0.0.1", "127.0.0.2")
_OBJECT_STORE_BYTES = 100_000_000
# Dies with the thread that started it.
_BOUND = ("setpriv", "--pdeathsig", "KILL")
_UNSHARE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


class RayNodes:
    """Starts and kills nodes of one CPU each: 0 is the head, 1 the other one. Use it in a ``with`` block."""

    def __init__(self, count: int = 2, *, notice_seconds: int | None = None) -> None:
        """Start nodes; ``notice_seconds`` is how long the head waits for a node before it is lost (None: Ray's own)."""
        # A short path: those of sockets must not be longer than 107 characters.
        self._folder = Path(tempfile.mkdtemp(prefix="qs-", dir="/tmp"))
        # RAY_TMPDIR: where "auto" looks, and where a cluster that somebody else has here is not disturbed.
        # Ray's workers give way to all others by default: beside other tests they would wait for minutes.
        self.environment = {**os.environ, "RAY_TMPDIR": str(self._folder), "RAY_worker_niceness": "0"}
        if notice_seconds is not None:
            self.environment |= {
                "RAY_health_check_initial_delay_ms": "1000",
                "RAY_health_check_period_ms": "1000",
                "RAY_health_check_failure_threshold": str(notice_seconds),
            }
        self._network: subprocess.Popen[bytes] | None = None
        self._nodes: dict[int, subprocess.Popen[bytes]] = {}
        self._isolated = _can_isolate()
        try:
            if self._isolated:
                wait = "ip link set lo up && exec sleep infinity"
                self._network = self._spawn(*_BOUND, *_UNSHARE, "--net", "sh", "-c", wait)
                _wait_for_network(self._network)
            self.address = f"127.0.0.1:{6379 if self._isolated else free_port()}"
            self.ensure(*range(count))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def command(self, *program: str) -> list[str]:
        """Return a command that runs a program where it reaches the nodes."""
        enter = [] if self._network is None else ["nsenter", f"--net=/proc/{self._network.pid}/ns/net"]
        return [*enter, *program]

    def ensure(self, *numbers: int, environment: dict[str, str] | None = None) -> None:
        """Start those nodes that do not run."""
        for number in numbers:
            node = self._nodes.get(number)
            if node is None or node.poll() is not None:
                self._start(number, environment or {})

    def kill(self, number: int) -> None:
        """Kill all of a node's processes at once, as a power cut would."""
        _kill(self._nodes.pop(number))

    def close(self) -> None:
        """Kill everything."""
        for node in self._nodes.values():
            _kill(node)
        self._nodes.clear()
        if self._network is not None:
            _kill(self._network)
            self._network = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, number: int, environment: dict[str, str]) -> None:
        host, port = self.address.rsplit(":", 1)
        place = (
            ["--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={self._folder}"]
            if number == 0
            else [f"--address={host}:{port}"]
        )
        ray = Path(sys.executable).with_name("ray")
        program = [
            str(ray), "start", *place, f"--node-ip-address={_ADDRESSES[number]}", "--num-cpus=1", "--block",
            "--disable-usage-stats", f"--object-store-memory={_OBJECT_STORE_BYTES}",
        ]  # fmt: skip
        isolation = [*_BOUND, *_UNSHARE] if self._isolated else []
        log = self._folder / f"start-{number}-{time.monotonic_ns()}.log"
        node = self._nodes[number] = self._spawn(*self.command(*isolation, *program), log=log, more=environment)
        end = time.monotonic() + _READY_SECONDS
        while "Ray runtime started" not in (said := log.read_text(encoding="utf-8", errors="replace")):
            if node.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the Ray node {number} does not start: {said[-2000:]}")
            time.sleep(0.1)

    def _spawn(
        self, *program: str, log: Path | None = None, more: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        with (log or Path(os.devnull)).open("wb") as said:
            return subprocess.Popen(
                program,
                env={**self.environment, **(more or {})},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )


def _can_isolate() -> bool:
    try:
        tried = subprocess.run(
            [*_BOUND, *_UNSHARE, "--net", "ip", "link", "set", "lo", "up"], capture_output=True, check=False
        )
    except OSError:
        return False
    return tried.returncode == 0 and shutil.which("nsenter") is not None


def _wait_for_network(holder: subprocess.Popen[bytes]) -> None:
    """Wait until a process has left the network of this one."""
    end = time.monotonic() + _READY_SECONDS
    while Path(f"/proc/{holder.pid}/ns/net").samefile("/proc/self/ns/net"):
        if holder.poll() is not None or time.monotonic() > end:
            raise RuntimeError("a network of their own cannot be made for the nodes")
        time.sleep(0.02)


def _kill(leader: subprocess.Popen[bytes]) -> None:
    """Kill a process and all of its session: Ray's workers have process groups of their own, but no sessions."""
    leader.kill()
    leader.wait()
    while members := _session(leader.pid):
        for process in members:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


def _session(session: int) -> list[int]:
    """Return the processes of a session that still run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, own, *_ = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except (OSError, ValueError):
            continue  # it has just ended
        if int(own) == session and state != "Z":
            found.append(int(path.parent.name))
    return found
