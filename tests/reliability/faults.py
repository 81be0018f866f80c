"""Builds whose writing goes wrong at a chosen step, and what is left of the index then.

Everything happens in processes of their own. One is warm (it has imported everything) and does nothing but fork, so
that a trial costs a fraction of a second: each build and each look at an index is a fork that has seen neither before.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from re import fullmatch
from types import TracebackType
from typing import Any, Literal, Self, get_args
from unittest.mock import patch

import pytest

import qa_search
import qa_search.builder.generation_writer
from qa_search import BuildReport, QASearchError, SearchIndex, build_index
from qa_search.index.folder import IndexFolder
from qa_search.index.generation import MANIFEST
from qa_search.index.owned import POINTER
from qa_search.interfaces.cli import cli
from tests.helpers import WordsEmbedder, page, write_pages

GENERATION = r"generations/g\d+"
Kind = Literal["none", "kill", "torn", "error", "dead", "short", "room"]
_LONGEST = 600  # seconds: a process that takes longer hangs, and an alarm ends it
# The fewest generations that can be kept: each trial copies all.
KEPT = 2
_BLOCK = 64  # passages embedded at once, so that a small archive too keeps a journal of its vectors
QUERIES = ("my knee hurts", "knee7 began in week7", "it32 has ached for months", "walk slowly20", "a new heel pain")


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong at operation ``at`` (from 1), counting those that change something below the index folder.

    - "kill": the process is killed before it; "torn": killed when half of that write is done.
    - "error": it fails with ``error``; "dead": so do all after it.
    - "short": half of that write is done, and the next to the same file fails with ``error``.
    - "room": the disk takes ``at`` bytes, and writes beyond them fail with ``error``.
    """

    kind: Kind = "none"
    at: int = 0
    error: int = 0


NO_FAULT = Fault()


@dataclass(frozen=True, slots=True)
class Operation:
    """One change of a file below the index folder: the system call, the file, its new name, how many bytes."""

    name: str
    path: str
    renamed: str
    size: int
    fate: str  # "killed", "torn", "failed" or "short"; "" if it was carried out


def place(operations: Sequence[Operation], renamed: str) -> int:
    """Find where the pointer, or the folder of the new generation, gets its name."""
    return next(number for number, step in enumerate(operations) if step.renamed and fullmatch(renamed, step.renamed))


@dataclass(frozen=True, slots=True)
class Built:
    """How a build ended: its exit status (minus the signal that ended it), what it said and what it did to files."""

    status: int
    said: str
    operations: list[Operation]

    @property
    def hit(self) -> bool:
        """Whether the fault came about."""
        return any(step.fate for step in self.operations)

    @property
    def published(self) -> bool:
        """Whether the pointer was replaced."""
        return any(step.renamed == POINTER and not step.fate for step in self.operations)


@dataclass(frozen=True, slots=True)
class Found:
    """What an index answers, every hit in full; or the name of the error that it raises.

    ``wrong`` are files of its generation that are not what the manifest says, or that it does not list.
    """

    answers: str
    error: str = ""
    wrong: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """A build with a fault, what the index answered then, and a build after it with what it answered then."""

    built: Built
    found: Found
    again: Built
    found_again: Found


@dataclass(frozen=True, slots=True)
class Sides:
    """An archive before and after a change, an index of it before, and what each side answers."""

    old_pages: Path
    new_pages: Path
    old_index: Path
    old: str
    new: str

    def fault_of(self, found: Found, *, new: bool) -> str:
        """Say what is wrong with an index that must be the old one, or the new one: "" if nothing is."""
        if found.error or found.wrong:
            return found.error or f"{', '.join(found.wrong)} not as the manifest says"
        wanted, other = (self.new, self.old) if new else (self.old, self.new)
        if found.answers == wanted:
            return ""
        return f"the {'old' if new else 'new'} index answers" if found.answers == other else "answers of neither index"


class Bench:
    """Where builds are tried; needs gcc, and x86-64 Linux to trace them."""

    def __init__(self, folder: Path) -> None:
        if sys.platform != "linux" or os.uname().machine != "x86_64" or shutil.which("gcc") is None:
            pytest.skip("making system calls fail takes gcc and x86-64 Linux")
        self._library = folder / "faults.so"
        options = ["-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC"]
        subprocess.run(["gcc", *options, "-o", self._library, Path(__file__).with_suffix(".c")], check=True)
        self._warm = ProcessPoolExecutor(1, mp_context=get_context("spawn"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._warm.shutdown()

    def build(self, source: Path, index: Path, fault: Fault = NO_FAULT, *, model: Path | None = None) -> Built:
        """Build in a new process."""
        return self._warm.submit(build, source, index, self._library, fault, model=model).result()

    def look(self, index: Path, *, model: Path | None = None) -> Found:
        """Ask an index in a new process."""
        return self._warm.submit(look, index, model=model).result()

    def trial(
        self, base: Path | None, source: Path, index: Path, fault: Fault = NO_FAULT, *, model: Path | None = None
    ) -> Trial:
        """Build over a copy of an index, or over none, with a fault; build again without; clear the copy away."""
        if base is not None:
            shutil.copytree(base, index)
        built = self.build(source, index, fault, model=model)
        found = self.look(index, model=model)
        again = self.build(source, index, model=model)
        found_again = self.look(index, model=model)
        shutil.rmtree(index)
        return Trial(built, found, again, found_again)

    def sides(self, folder: Path) -> Sides:
        """Write an archive of 60 pages, from which confidence can be learnt, and change four of them."""
        old_pages, new_pages = write_pages(folder / "old", 60), write_pages(folder / "new", 60)
        (new_pages / "post-00020.txt").unlink()
        for number in (7, 32):
            path = new_pages / f"post-{number:05}.txt"
            path.write_text(path.read_text(encoding="utf-8").replace("hurts", "has ached for months"), encoding="utf-8")
        heel = page("Complaint 60", "A new heel pain that hurts whenever I get up.", "Stretch the heel60.")
        (new_pages / "post-00060.txt").write_text(heel, encoding="utf-8")
        return self.sides_of(old_pages, new_pages, folder)

    def sides_of(self, old_pages: Path, new_pages: Path, folder: Path, *, model: Path | None = None) -> Sides:
        """Build an index of an archive, and see what it answers before and after a change."""
        index = folder / "index"
        # Each differs from the one before, so that there is a generation to clear away.
        more = old_pages / "one-more.txt"
        for number in range(KEPT):
            more.write_text(page("One more", f"My shoulder aches {number}", "Swim"), encoding="utf-8")
            if number + 1 == KEPT:
                more.unlink()
            built = self.build(old_pages, index, model=model)
            assert built.status == 0, built.said
        trial = self.trial(index, new_pages, folder / "changed", model=model)
        old, new = self.look(index, model=model), trial.found_again
        assert (old.error, new.error) == ("", "")
        before, after = json.loads(old.answers), json.loads(new.answers)
        assert all(one != other for one, other in zip(before, after, strict=True))
        return Sides(old_pages, new_pages, index, old.answers, new.answers)


def build(
    source: Path, index: Path, library: Path | None = None, fault: Fault = NO_FAULT, *, model: Path | None = None
) -> Built:
    """Run ``qa-search build`` in a fork of this process, traced if there is a library for that.

    It loads ``model`` and exports it, or takes an embedder of words.
    """
    with tempfile.NamedTemporaryFile("r") as log, tempfile.TemporaryFile("w+") as said:

        def command() -> None:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            os.environ["QA_SEARCH_CACHE"] = os.devnull  # nothing is shared: each first build exports
            arguments = ["build", str(source), "--index", str(index), "--quiet", "--allow-shrink", "--keep", str(KEPT)]
            if model is not None:
                cli([*arguments, "--model", str(model)])
            with (
                patch.object(qa_search.builder.generation_writer, "_EMBED_BLOCK", _BLOCK),
                patch.object(qa_search, "build_index", _build_with_words),
            ):
                cli(arguments)

        traced = None if library is None else (library, index, fault, log.name)
        status = _in_new_process(command, traced)
        said.seek(0)
        operations = []
        for line in log:
            name, path, renamed, size, fate = line.rstrip("\n").split("\t")
            operations.append(Operation(name, _below(path, index), _below(renamed, index), int(size), fate))
        return Built(status, said.read(), operations)


def look(index: Path, *, model: Path | None = None) -> Found:
    """Ask an index and compare its files with its manifest, in a fork of this process."""
    with tempfile.TemporaryFile(buffering=0) as result:
        status = _in_new_process(lambda: pickle.dump(_look(index, None if model else WordsEmbedder()), result))
        if status:
            return Found("", f"looking ended with {status}")
        result.seek(0)
        found: Found = pickle.load(result)  # noqa: S301 - our own
        return found


def _look(index: Path, model: WordsEmbedder | None) -> Found:
    try:
        with SearchIndex.open(index, model=model) as opened:
            return Found(answers(opened, 10 if model is None else 100), "", _wrong_files(index))
    except QASearchError as error:
        return Found("", type(error).__name__)


def answers(index: SearchIndex, k: int = 100) -> str:
    """Ask an index everything: each hit in full."""
    results = [result.to_dict() for result in index.search_many(QUERIES, k)]
    for result in results:
        del result["took_ms"]
    return json.dumps(results)


def _wrong_files(index: Path) -> tuple[str, ...]:
    generation = IndexFolder(index).current()
    listed = {(name, record.sha256) for name, record in generation.manifest.files.items()}
    there = {
        (path.relative_to(generation.folder).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest())
        for path in generation.folder.rglob("*")
        if path.is_file() and path.stem != Path(MANIFEST).stem
    }
    return tuple(sorted({name for name, _ in listed ^ there}))


def _build_with_words(*args: Any, **options: Any) -> BuildReport:
    return build_index(*args, **{**options, "model": WordsEmbedder()})


def _below(path: str, folder: Path) -> str:
    return Path(path).relative_to(folder).as_posix() if Path(path).is_relative_to(folder) else path


def _in_new_process(function: Callable[[], object], traced: tuple[Path, Path, Fault, str] | None = None) -> int:
    """Run a function in a fork of this process; return its exit status, or minus the signal that ended it."""
    library = None if traced is None else ctypes.CDLL(str(traced[0]))
    pid = os.fork()
    if pid == 0:
        _live(function, library)
    if library is None or traced is None:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    _, under, fault, log = traced
    at, kind = ctypes.c_long(fault.at), get_args(Kind).index(fault.kind)
    status = library.faults_trace(pid, os.fsencode(under), kind, at, fault.error, os.fsencode(log))
    return os.waitstatus_to_exitcode(status)


def _live(function: Callable[[], object], library: ctypes.CDLL | None) -> None:
    """Be the new process, to its end."""
    status = 99
    try:
        signal.alarm(_LONGEST)
        if library is not None and library.faults_arm():
            raise OSError("this system does not let processes be traced")
        function()
        status = 0
    except SystemExit as error:
        status = int(error.code or 0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
