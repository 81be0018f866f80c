"""Tries cases one by one in a process of their own, so that a crash or a hang is put down to the case that made it."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from qa_search.errors import QASearchError
from qa_search.index.generation import MANIFEST, MANIFEST_HASH
from qa_search.index.owned import ENCODERS, GENERATIONS, POINTER

LIMIT_SECONDS = 20  # of computing: a machine may be busy
_PATIENCE = 600  # seconds until a process that waits for something counts as hanging
_LIMIT_GROWN = 200 << 20
_LIMIT_START = 300  # seconds: a machine may be busy
# ru_maxrss counts in kilobytes on Linux, in bytes on macOS.
_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a case ended: with a value, or with one of our errors, named, and its message.

    ``problem`` is what must never happen: another exception than ours, a message of several lines, a crash, a hang, too
    much memory.
    """

    value: Any = None
    error: str = ""
    message: str = ""
    problem: str = ""


class Trials:
    """A process that tries what it is given; one that crashed or hangs is replaced.

    ``warm`` is tried first in each: what a case takes is counted on top of the memory that this took.
    """

    def __init__(self, warm: Callable[[], Any]) -> None:
        self._warm = warm
        self._process: Any = None
        self._connection: Any = None
        self._base_bytes = 0
        self._log = tempfile.NamedTemporaryFile()  # noqa: SIM115 - as long as this lives

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self._log.close()

    def run(self, function: Callable[..., Any], *args: Any, file_bytes: int = 0) -> Outcome:
        """Try a function of a module; it may take 200 MB, and twice what the file in question has."""
        if self._process is None:
            self.start_partial()
        self._connection.send((function, args))
        if not self._connection.poll(_PATIENCE):
            self._stop()
            return Outcome(problem=f"hangs: no end after {_PATIENCE} s")
        try:
            outcome, peak = self._connection.recv()
        except EOFError:
            self._process.join()
            status = self._process.exitcode
            self._stop()
            if status == -signal.SIGPROF:
                return Outcome(problem=f"hangs: computes for more than {LIMIT_SECONDS} s")
            return Outcome(problem=f"crash: the process ended with {status}")
        grown = peak - self._base_bytes
        if grown > _LIMIT_GROWN // 4:
            self._stop()  # a peak never falls: the next case is counted afresh
        if grown > _LIMIT_GROWN + 2 * file_bytes:
            return Outcome(problem=f"takes {grown >> 20} MB more")
        found: Outcome = outcome
        return found

    def said(self) -> str:
        """Return what native libraries wrote to standard error."""
        return Path(self._log.name).read_text(encoding="utf-8", errors="replace")

    def start_partial(self) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._log.name), daemon=True)
        self._process.start()
        theirs.close()
        self._connection.send((self._warm, ()))
        assert self._connection.poll(_LIMIT_START)
        outcome, self._base_bytes = self._connection.recv()
        assert not outcome.error, outcome
        assert not outcome.problem, outcome

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._connection.close()
            self._process = None


def _serve(connection: Connection, log: str) -> None:
    """Be the process: try what comes."""
    os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND), 2)
    while True:
        try:
            function, args = connection.recv()
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_PROF, LIMIT_SECONDS)
        outcome = attempt(function, *args)
        signal.setitimer(signal.ITIMER_PROF, 0)
        connection.send((outcome, _peak_bytes()))


def _peak_bytes() -> int:
    """Return the most memory that this process has had."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says includes the parent's memory before this program was loaded
        found = re.search(r"^VmHWM:\s+(\d+)", status.read_text(encoding="ascii"), re.MULTILINE)
        return int(found[1]) * 1024 if found else 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _PEAK_UNIT


def attempt(function: Callable[..., Any], *args: Any) -> Outcome:
    """Call a function and tell how it ended."""
    try:
        return Outcome(value=function(*args))
    except QASearchError as error:
        message = str(error)
        problem = "" if message.strip() and "\n" not in message else f"a message of several lines: {message!r}"
        return Outcome(error=type(error).__name__, message=message, problem=problem)
    except BaseException as error:
        return Outcome(problem=f"{type(error).__name__}: {error}"[:1000])


def generation(index: Path) -> Path:
    """Return the folder of the generation that answers."""
    return index / GENERATIONS / (index / POINTER).read_text(encoding="utf-8").split()[0]


def index_files(index: Path) -> list[str]:
    """Return the names of all files that an index is read from, below its folder."""
    folder = generation(index).relative_to(index)
    manifest = json.loads((index / folder / MANIFEST).read_bytes())
    encoder = manifest["encoder"]
    names = [folder / name for name in (MANIFEST, MANIFEST_HASH, *manifest["files"])]
    names += [Path(ENCODERS, encoder["folder"], name) for name in encoder.get("files", ())]
    return [POINTER, *sorted(name.as_posix() for name in names if (index / name).exists())]
