"""Builds in processes of their own, bounded in memory, file size and computing time.

``python -m tests.reliability.hostile_builds`` reads a trial as one line of JSON from standard input, forks, builds and
searches in the child, and answers with one line. A child that crashes, hangs or fills its bounds is told, and the next
trial starts from a clean process.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from qa_search import SearchIndex, build_index
from qa_search.archives.read import Limits
from tests.helpers import WordsEmbedder

_LARGEST_INDEX_FILE = 1 << 30
_PATIENCE = 20  # how many times its computing time a trial may take: a machine may be busy


def main() -> None:
    """Serve trials until standard input ends."""
    for line in sys.stdin:
        print(json.dumps(_forked(json.loads(line))), flush=True)


def _forked(trial: dict[str, Any]) -> dict[str, Any]:
    """Run a trial in a child, and say how that ended."""
    reading, writing = os.pipe()
    started_at = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(reading)
        signal.setitimer(signal.ITIMER_PROF, trial["seconds"])
        with os.fdopen(writing, "w") as out:
            out.write(json.dumps(_tried(trial)))
        os._exit(0)
    os.close(writing)
    answer = b""
    patience = _PATIENCE * trial["seconds"]
    while left := max(patience - (time.monotonic() - started_at), 0):
        ready, _, _ = select.select([reading], [], [], left)
        data = os.read(reading, 1 << 16) if ready else b""
        if ready and not data:
            break
        answer += data
    else:
        os.kill(child, signal.SIGKILL)
    os.close(reading)
    _, status = os.waitpid(child, 0)
    if not left:
        return {"problem": f"hangs: no end after {patience} s"}
    if os.waitstatus_to_exitcode(status) == -signal.SIGPROF:
        return {"problem": f"hangs: computes for more than {trial['seconds']} s"}
    if not answer:
        return {"problem": f"crash: the process ended with status {status}"}
    return {**json.loads(answer), "seconds": round(time.monotonic() - started_at, 2)}


def _tried(trial: dict[str, Any]) -> dict[str, Any]:
    """Build an index within bounds, and search in it."""
    before = _memory()
    limits = Limits(**trial["limits"])
    memory = before["VmSize"] + trial["address_space"]
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    file_size = limits.unpacked_bytes + _LARGEST_INDEX_FILE
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    try:
        build_index(
            [Path(source) for source in trial["sources"]],
            Path(trial["index"]),
            model=WordsEmbedder(),
            keep_going=True,
            limits=limits,
        )
        with SearchIndex.open(trial["index"], model=WordsEmbedder()) as index:
            info = index.info()
            found = index.search(trial["query"], 3)
    except BaseException as error:
        return {"problem": f"{type(error).__name__}: {error}"[:1000], "trace": traceback.format_exc()[-3000:]}
    return {
        "problem": "",
        "posts": info.counts["posts"],
        "notes": [[note.source, note.place, note.reason] for note in info.set_aside],
        "found": [hit.source_id for hit in found.hits],
        "grown": _memory()["VmHWM"] - before["VmRSS"],
    }


def _memory() -> dict[str, int]:
    """Read the process's memory in bytes, by the kernel's names."""
    lines = [line.split() for line in Path("/proc/self/status").read_text().splitlines()]
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if words[0].startswith("Vm")}


if __name__ == "__main__":
    main()
