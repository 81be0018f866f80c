"""Searches, refreshes and rebuilds all at once for a while; prints what they cost as one JSON document.

Run as ``python -m tests.reliability.soak INDEX ARCHIVE SECONDS``: a program of its own, so that nothing else counts.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, cast

from qa_search import SearchIndex
from tests.helpers import page

CALLERS = 8
COMPLAINTS = (
    "back of my thigh has ached for months, PT did nothing",
    "first steps out of bed are murder",
    "I am 52 and my knee swells after every run. It clicks on stairs. Rest, ice and tablets did nothing. " * 4,
    "blister in the same spot on every long run",
    "膝が痛い。",
)


def figures() -> dict[str, int]:
    """Return what this process holds now: threads, open files, and memory in MB."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
    return {
        "threads": int(status["Threads"]),
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "memory": int(status["VmRSS"].split()[0]) // 1024,
    }


def main(index_path: str, archive: str, seconds: float) -> None:
    """Search on eight threads while another process builds again and again."""
    command = [sys.executable, "-m", "qa_search", "build", archive, "--index", index_path, "--quiet", "--allow-shrink"]
    stop = threading.Event()
    failures: list[str] = []
    searches, moves = [0] * CALLERS, [0] * CALLERS
    samples = []
    with SearchIndex.open(index_path) as index:
        for complaint in COMPLAINTS:  # what is loaded once does not count as growth
            index.search(complaint)

        def call(number: int) -> None:
            try:
                while not stop.is_set():
                    complaint = COMPLAINTS[(number + searches[number]) % len(COMPLAINTS)]
                    if not index.search(complaint).hits:
                        failures.append(f"no hits for {complaint}")
                    moves[number] += index.refresh()
                    searches[number] += 1
            except Exception as error:
                failures.append(f"{type(error).__name__}: {error}")

        threads = [threading.Thread(target=call, args=(number,)) for number in range(CALLERS)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + seconds
        builds = 0
        while (time.monotonic() < end or builds < 3) and not failures:
            builds += 1
            edition = page("Which edition is this?", "I read the archive daily.", f"This is edition {builds}.")
            (Path(archive) / "edition.txt").write_text(edition, encoding="utf-8")
            most = figures()
            with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as built:
                # The most in all of the time: a single moment may lie between two generations, or hold both.
                while built.poll() is None:
                    time.sleep(0.02)
                    most = {name: max(most[name], now) for name, now in figures().items()}
                if built.returncode:
                    failures.append(f"build: {cast(IO[str], built.stderr).read()[-300:]}")
            samples.append(most)
        stop.set()
        for thread in threads:
            thread.join()
    document = {"failures": failures, "searches": sum(searches), "moves": sum(moves), "builds": builds}
    print(json.dumps({**document, "samples": samples}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
