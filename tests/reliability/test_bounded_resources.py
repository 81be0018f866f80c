"""What a search may cost: threads, memory, open files; and what a fork, a spawn and a long day do to it.

Everything is measured in processes of their own, with the packaged model.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from qa_search import SearchIndex, build_index
from qa_search.embedders.onnx import MODEL_FILE
from qa_search.index.owned import ENCODERS
from tests.helpers import ROOT, SAMPLE_ARCHIVE, WordsEmbedder, write_pages
from tests.reliability.conftest import Campaign
from tests.reliability.soak import CALLERS

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts threads and files by Linux's /proc")

COMPLAINT = "back of my thigh has ached for months, PT did nothing"
LONG = "I am 52 and my knee swells after every run. It clicks on stairs, too. Rest, ice and tablets did nothing. " * 12
# Address space, most of which is never touched: libraries, and the stacks and buffers of their threads.
ADDRESS_SPACE_MB = 1024
MEMORY_MB = 256
# Of the libraries below: numpy's and the tokenizer's start a thread for each core.
LIBRARY_THREADS = 2 * (os.cpu_count() or 1) + 4
# What 8 threads may hold of a generation that another one has just replaced.
FILES_TOLERANCE = 16
MEMORY_TOLERANCE_MB = 48


class Archive:
    """A copy of the sample archive, and its index."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "archive"
        self.index = folder / "index"
        shutil.copytree(SAMPLE_ARCHIVE, self.folder)


@pytest.fixture(scope="module")
def sample(built_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """The sample archive, indexed by the command as anybody does it."""
    archive = Archive(tmp_path_factory.mktemp("bounded"))
    shutil.copytree(built_sample, archive.index)
    return archive


def run_python(program: str, *arguments: str | Path, limit_mb: int | None = None, **environment: str) -> dict[str, Any]:
    """Run a program that prints one JSON document; its memory may be limited."""
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=6000,
        check=False,
        preexec_fn=None if limit_mb is None else lambda: limit_address_space(limit_mb),
    )
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr[-1000:]}"
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def limit_address_space(megabytes: int) -> None:
    """Let this process map no more."""
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))


# The command, and then its exit status, what it printed, and the most memory that it touched.
COMMAND = """
import contextlib, io, json, sys
from pathlib import Path
from qa_search.interfaces.cli import main
printed, status = io.StringIO(), 0
try:
    with contextlib.redirect_stdout(printed):
        main()
except SystemExit as end:
    status = end.code
lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
peak = next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))
print(json.dumps({"status": status, "printed": printed.getvalue(), "peak": peak, "torch": "torch" in sys.modules}))
"""


def least_mb(*arguments: str | Path) -> int:
    """Find the least address space in which a command ends well, in steps of 64 MB."""
    for megabytes in range(ADDRESS_SPACE_MB - 64, 0, -64):
        try:
            ended = run_python(COMMAND, *arguments, limit_mb=megabytes, **TWO_LIBRARY_THREADS)["status"]
        except (AssertionError, subprocess.TimeoutExpired):
            ended = None
        if ended != 0:
            return megabytes + 64
    return 64


INT8_MB = 24  # the size of the default model's int8 export
# As on a machine of two cores, whatever this one has: each core costs address space.
TWO_LIBRARY_THREADS: Mapping[str, str] = {
    "QA_SEARCH_THREADS": "2",
    "OMP_NUM_THREADS": "2",
    "OPENBLAS_NUM_THREADS": "2",
    "RAYON_NUM_THREADS": "2",
}


@pytest.mark.process
@pytest.mark.parametrize("command", ["query", "build"])
def test_a_command_keeps_within_its_memory(sample: Archive, command: str, campaign: Campaign) -> None:
    """A query, and a build that finds nothing changed: 1 GB of address space, 256 MB of memory, and no torch.

    A processor on which int8 does not agree with the model gets a larger export, and so much more memory.
    """
    arguments: dict[str, list[str | Path]] = {
        "query": ["query", "--index", sample.index, "--json", COMPLAINT],
        "build": ["build", sample.folder, "--index", sample.index, "--json", "--allow-shrink"],
    }
    ended = run_python(COMMAND, *arguments[command], limit_mb=ADDRESS_SPACE_MB, **TWO_LIBRARY_THREADS)
    assert ended["status"] == 0
    document = json.loads(ended["printed"])
    assert document["answered"] if command == "query" else document["embedded"] == 0
    (model,) = (sample.index / ENCODERS).glob(f"*/{MODEL_FILE}")
    most = MEMORY_MB + max(0, model.stat().st_size // 1_000_000 - INT8_MB)
    failures = [f"{ended['peak']} MB"] * (ended["peak"] > most) + ["torch is loaded"] * ended["torch"]
    least = least_mb(*arguments[command]) if campaign.full else None
    campaign.finish(
        11, f"memory of qa-search {command}", 1, failures, peak_mb=ended["peak"], least_address_space_mb=least
    )


COUNT_THREADS = """
import json, sys, threading
from qa_search import SearchIndex
from tests.reliability.soak import CALLERS, figures
index = SearchIndex.open(sys.argv[1])
texts = [sys.argv[2], sys.argv[3]]
most, failures, ended = 0, [], threading.Semaphore(0)
def call(number):
    try:
        index.search(texts[number % 2])
        index.search_many([texts[0]] * 24)
    except Exception as error:
        failures.append(repr(error))
    ended.release()
for _ in range(2):
    threads = [threading.Thread(target=call, args=(number,)) for number in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        while not ended.acquire(timeout=0.005):
            most = max(most, figures()["threads"])
    for thread in threads:
        thread.join()
print(json.dumps({"most": most, "left": figures()["threads"], "failures": failures}))
"""


@pytest.mark.parametrize("configured", [1, 3, 8])
def test_threads_that_search_do_not_multiply(sample: Archive, configured: int, campaign: Campaign) -> None:
    """Eight callers cost eight threads; what computes for them is two pools of the configured size."""
    counted = run_python(COUNT_THREADS, sample.index, COMPLAINT, LONG, QA_SEARCH_THREADS=str(configured))
    own = 2 * configured + LIBRARY_THREADS
    failures = [*counted["failures"]]
    failures += [f"{counted['most']} threads, where {CALLERS + own} are allowed"] * (counted["most"] > CALLERS + own)
    failures += [f"{counted['left']} threads are left, where {own} are allowed"] * (counted["left"] > own)
    campaign.finish(
        11, f"threads, QA_SEARCH_THREADS={configured}", 1, failures, most=counted["most"], left=counted["left"]
    )


@pytest.mark.process
def test_nothing_is_written_or_sent_but_what_was_asked_for(sample: Archive, tmp_path: Path) -> None:
    """The libraries below keep no files in the user's folders, and have nothing to report to anybody."""
    program = f"{COMMAND}\nimport os\nassert os.environ['ORT_DISABLE_TELEMETRY'] == '1'"
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    folders = {"HOME": "", "XDG_CACHE_HOME": "cache", "XDG_DATA_HOME": "data", "QA_SEARCH_CACHE": "own-cache"}
    places = {name: str(tmp_path / folder) for name, folder in folders.items()}
    done = subprocess.run(
        [sys.executable, "-c", program, "query", "--index", str(sample.index), "--json", COMPLAINT],
        cwd=ROOT, env={**environment, **places}, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == []
    assert done.returncode == 0, done.stderr[-500:]


# Forks while an index is open, and asks in the child: the index of the parent, or one that it opens itself. A child
# that hangs is ended by its alarm, and so has a status below 0.
FORK = """
import json, os, signal, sys, threading, time
from qa_search import SearchIndex
path, text, busy, own, forks = sys.argv[1], sys.argv[2], sys.argv[3] == "busy", sys.argv[4] == "own", int(sys.argv[5])
index = SearchIndex.open(path)
index.search(text)
stop, searched = threading.Event(), threading.Semaphore(0)
def search():
    while not stop.is_set():
        index.search(text)
        searched.release()
threads = [threading.Thread(target=search) for _ in range(4 * busy)]
for thread in threads:
    thread.start()
ended = []
for number in range(forks):
    for _ in range(number % 5 * busy):
        searched.acquire()
    time.sleep(0.003 * (number % 7) * busy)  # forks fall into every part of a search
    child = os.fork()
    if not child:
        signal.alarm(600)  # a hang
        status = 4
        try:
            asked = SearchIndex.open(path) if own else index
            status = 0 if asked.search(text).hits else 5
        except Exception as error:
            status = 3 if type(error).__name__ == "IndexForkedError" and "spawn" in str(error) else 4
        finally:
            os._exit(status)
    ended.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    if ended[-1] not in (0, 3):
        break
stop.set()
for thread in threads:
    thread.join()
print(json.dumps({"ended": ended}))
"""
ANSWERED, REFUSED = 0, 3


@pytest.mark.process
@pytest.mark.parametrize("parent", ["idle", "busy"])
def test_an_index_is_not_searched_on_both_sides_of_a_fork(sample: Archive, parent: str, campaign: Campaign) -> None:
    """The child is told so at once, whatever the parent was doing, and the parent goes on; neither hangs."""
    forks = campaign.count(10, 60)
    ended = run_python(FORK, sample.index, LONG, parent, "parents", str(forks))["ended"]
    failures = [f"fork {number} ended with {status}" for number, status in enumerate(ended) if status != REFUSED]
    campaign.finish(11, f"forks of a process that is {parent}, the parent's index", len(ended), failures)


@pytest.mark.process
@pytest.mark.parametrize("parent", ["idle", "busy"])
def test_a_forked_child_opens_an_index_of_its_own_or_is_told(sample: Archive, parent: str, campaign: Campaign) -> None:
    """It answers, or an error says why it cannot; neither it nor the parent hangs."""
    forks = campaign.count(10, 60)
    ended = run_python(FORK, sample.index, LONG, parent, "own", str(forks))["ended"]
    bad = {number: status for number, status in enumerate(ended) if status not in (ANSWERED, REFUSED)}
    failures = [f"fork {number} ended with {status}" for number, status in bad.items()]
    refused = ended.count(REFUSED)
    campaign.finish(
        11, f"forks of a process that is {parent}, the child's index", len(ended), failures, refused=refused
    )


def search_in_child(index: Path, text: str) -> list[str]:
    """Search in another process."""
    with SearchIndex.open(index) as opened:
        return [hit.post_id for hit in opened.search(text).hits]


@pytest.mark.process
def test_spawned_processes_search(sample: Archive) -> None:
    """As many as there are, each with an index of its own; the same hits as here."""
    expected = search_in_child(sample.index, COMPLAINT)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = [pool.apply_async(search_in_child, (sample.index, COMPLAINT)) for _ in range(6)]
        assert [result.get(timeout=600) for result in found] == [expected] * 6


def test_refreshing_leaves_no_file_open(tmp_path: Path) -> None:
    """What is open of a generation is closed as soon as nobody searches it, not when Python looks for garbage."""
    model = WordsEmbedder()
    pages = write_pages(tmp_path / "pages", 3)
    build_index(pages, tmp_path / "index", model=model)
    counts = []
    gc.collect()
    gc.disable()
    try:
        with SearchIndex.open(tmp_path / "index", model=model) as index:
            for number in range(5):
                write_pages(pages, 1, 10 + number)
                build_index(pages, tmp_path / "index", model=model, rebuild=True)
                assert index.refresh()
                assert index.search(f"knee{10 + number}").hits[0].title == f"Complaint {10 + number}"
                counts.append(len(list(Path("/proc/self/fd").iterdir())))
    finally:
        gc.enable()
    assert counts == [counts[0]] * 5


def test_a_long_day_costs_no_more_than_its_first_minutes(sample: Archive, campaign: Campaign) -> None:
    """Eight threads search and refresh while another process builds: no error, and nothing grows."""
    seconds = campaign.count(6, 600)
    done = subprocess.run(
        [sys.executable, "-m", "tests.reliability.soak", sample.index, sample.folder, str(seconds)],
        cwd=ROOT, capture_output=True, text=True, timeout=seconds + 120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-1000:]
    told = json.loads(done.stdout)
    first = 1 + len(told["samples"]) // 10
    warm, later = told["samples"][:first], told["samples"][first:]
    tolerances = {"threads": 1, "files": FILES_TOLERANCE, "memory": MEMORY_TOLERANCE_MB}
    grown = {name: max(one[name] for one in later) - max(one[name] for one in warm) for name in tolerances}
    failures = told["failures"] + [f"{name}: {more} more" for name, more in grown.items() if more > tolerances[name]]
    failures += [f"{told['moves']} moves to {told['builds']} generations"] * (told["moves"] < told["builds"] - 1)
    campaign.finish(
        11, "a long day", told["searches"], failures, builds=told["builds"], grown=grown, last=told["samples"][-1]
    )


@pytest.mark.process
def test_a_fork_waits_for_computations_of_other_threads_only() -> None:
    """One that computes itself may fork, and both sides go on computing."""
    program = """
import json, os, threading, time
from qa_search.util.threads import computing
begun, times = threading.Event(), {}
@computing
def slow():
    begun.set()
    time.sleep(0.5)
    times["computed"] = time.monotonic()
@computing
def forks_itself():
    child = os.fork()
    if not child:
        os._exit(0 if computing(lambda: 7)() == 7 else 1)
    return os.waitpid(child, 0)[1]
thread = threading.Thread(target=slow)
thread.start()
begun.wait()
child = os.fork()
times["forked"] = time.monotonic()
if not child:
    os._exit(0 if computing(lambda: 7)() == 7 else 1)
thread.join()
waited = times["forked"] >= times["computed"]
print(json.dumps({"waited": waited, "status": os.waitpid(child, 0)[1], "own": forks_itself()}))
"""
    assert run_python(program) == {"waited": True, "status": 0, "own": 0}
