"""Promise 2: what could not be written in full is never published.

Each write, flush and rename of a build fails in turn, and disks are full at every level. A build then either says so
and leaves the old index, or has made the whole new one.
"""

from __future__ import annotations

import os
import pickle
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from errno import EACCES, EIO, ENOSPC, errorcode
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from qa_search.index.owned import POINTER
from tests.helpers import ROOT
from tests.reliability.conftest import Campaign
from tests.reliability.faults import Bench, Built, Fault, Found, Kind, Sides, build, look, place

_PAGE = 4096


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Where builds fail."""
    with Bench(tmp_path_factory.mktemp("bench")) as opened:
        yield opened


@pytest.fixture(scope="module")
def sides(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Sides:
    """A small archive before and after a change."""
    return bench.sides(tmp_path_factory.mktemp("sides"))


def fault_of(built: Built, found: Found, sides: Sides) -> str:
    """Say what is wrong with a build that met a fault: it must tell and leave the old index, or make the new one."""
    if built.status == 0:
        return f"said {built.said!r}" if built.said else sides.fault_of(found, new=True)
    one_message = built.said.startswith("Error: ") and built.said.count("\n") == 1
    if built.status != 3 or not one_message or "the index cannot be written" not in built.said:
        return f"ended with {built.status} and said {built.said!r}"
    return sides.fault_of(found, new=False)


def try_faults(
    campaign: Campaign, bench: Bench, sides: Sides, index: Path, what: str, faults: Sequence[Fault]
) -> dict[int, int]:
    """Build with each of some faults; return how often the build gave up (3) and did not (0)."""
    tried, failures, ends = 0, [], {0: 0, 3: 0}
    for fault in faults:
        trial = bench.trial(sides.old_index, sides.new_pages, index, fault)
        tried += 1
        ends[trial.built.status] = ends.get(trial.built.status, 0) + 1
        # Two builds may differ by some bytes, as process ids in a file do: then the room was enough for this one.
        fits = fault.kind == "room" and sum(step.size for step in trial.built.operations) <= fault.at
        wrong = fault_of(trial.built, trial.found, sides) if trial.built.hit or fits else "nothing failed"
        wrong_again = trial.again.said or sides.fault_of(trial.found_again, new=True)
        if wrong or wrong_again:
            steps = [f"{step.name} {step.path}" for step in trial.built.operations if step.fate]
            failures.append(f"{fault}, {steps[:1]}: {wrong}; then {wrong_again}")
    campaign.finish(2, what, tried, failures, gave_up=ends[3], succeeded=ends[0])
    return ends


@pytest.mark.parametrize(
    ("kind", "error"),
    [("error", EIO), ("error", ENOSPC), ("short", ENOSPC), ("dead", EIO), ("dead", ENOSPC), ("dead", EACCES)],
    ids=["one EIO", "one ENOSPC", "one short write", "EIO ever after", "ENOSPC ever after", "EACCES ever after"],
)
def test_a_failure_at_any_step_leaves_the_old_index_or_the_whole_new_one(
    campaign: Campaign, bench: Bench, sides: Sides, tmp_path: Path, kind: Kind, error: int
) -> None:
    """One message and exit status 3, or success; the next build succeeds."""
    done = bench.trial(sides.old_index, sides.new_pages, tmp_path / "index").built.operations
    steps = [number for number, step in enumerate(done, start=1) if kind != "short" or step.size > 1]
    pointed = place(done, POINTER) + 1
    important: Collection[int] = ()
    if (kind, error) == ("error", EIO):
        important = range(pointed - 3, pointed + 3)
    elif kind == "short":  # the last write to each of a generation's own files, which is the easiest to lose
        last = {step.path: number for number, step in enumerate(done, start=1) if step.size > 1}
        important = [number for path, number in last.items() if PurePosixPath(path).parent.suffix == ".partial"]
    chosen = sorted({*steps[:: campaign.count(short=len(steps) // 2, full=1)], *important})
    what = {"error": "one step fails", "short": "one write is cut short", "dead": "all fails from a step on"}[kind]
    try_faults(
        campaign,
        bench,
        sides,
        tmp_path / "index",
        f"{what}, {errorcode[error]}",
        [Fault(kind, number, error) for number in chosen],
    )


def test_a_disk_that_takes_so_many_bytes_and_no_more(
    campaign: Campaign, bench: Bench, sides: Sides, tmp_path: Path
) -> None:
    """From none to one too few, the first and the last 64 KiB in steps of 512."""
    done = bench.trial(sides.old_index, sides.new_pages, tmp_path / "index").built.operations
    needed = sum(step.size for step in done)
    last = 1 << 16
    rooms = {*range(0, last, 512), *range(needed - last, needed, 512), *range(0, needed, _PAGE), needed - 1}
    chosen = sorted(rooms) if campaign.full else [0, 512, _PAGE, needed // 2, needed - _PAGE, needed - 512, needed - 1]
    faults = [Fault("room", room, ENOSPC) for room in chosen]
    ends = try_faults(campaign, bench, sides, tmp_path / "index", "so many bytes and no more", faults)
    assert ends[3] > 0


@pytest.mark.process
def test_every_fill_level_of_a_disk(campaign: Campaign, sides: Sides, tmp_path: Path) -> None:
    """A real file system, from not a byte left to enough, in steps of its blocks."""
    levels = on_small_disk(fill_up, sides, tmp_path, campaign.count(short=16, full=1) * _PAGE)
    failures = []
    for room, built, found, again in levels:
        wrong = fault_of(built, found, sides) or sides.fault_of(again, new=True)
        if wrong:
            failures.append(f"with room for {room} bytes: {wrong}")
    assert {built.status for _, built, _, _ in levels} == {0, 3}
    largest = max(room for room, built, _, _ in levels if built.status)
    campaign.finish(2, "every fill level of a small disk", len(levels), failures, largest_that_failed=largest)


@pytest.mark.process
def test_a_read_only_file_system(campaign: Campaign, sides: Sides, tmp_path: Path) -> None:
    """The build says so, and the index is searched as before."""
    built, found = on_small_disk(make_read_only, sides, tmp_path)
    wrong = fault_of(built, found, sides)
    assert "read-only" in built.said
    campaign.finish(2, "a read-only file system", 1, [wrong] if wrong else [])


def on_small_disk(function: Callable[..., Any], sides: Sides, folder: Path, *args: int) -> Any:
    """Run a function with a folder that is a file system of 4 MB, seen by nobody else."""
    disk, result = folder / "disk", folder / "result"
    disk.mkdir()
    alone = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if shutil.which("unshare") is None or subprocess.run([*alone, *mount], check=False, capture_output=True).returncode:
        pytest.skip("a small disk takes root, or a system that lets users mount one in a namespace")
    program = f"{shlex.join(mount)} && exec {shlex.join([sys.executable, '-c', _ON_SMALL_DISK])}"
    given = pickle.dumps((function.__name__, sides, disk, args, result))
    subprocess.run([*alone, "sh", "-c", program], cwd=ROOT, input=given, check=True)
    return pickle.loads(result.read_bytes())  # noqa: S301 - our own


_ON_SMALL_DISK = """
import pickle, sys
from tests.reliability import test_failed_writes
name, sides, disk, args, result = pickle.load(sys.stdin.buffer)
result.write_bytes(pickle.dumps(getattr(test_failed_writes, name)(sides, disk, *args)))
"""


def fill_up(sides: Sides, disk: Path, step: int) -> list[tuple[int, Built, Found, Found]]:
    """Build with more and more room, until there is enough four times; and each time again with all of the disk."""
    levels: list[tuple[int, Built, Found, Found]] = []
    index, filler = disk / "index", disk / "filler"
    while [built.status for _, built, _, _ in levels[-4:]] != [0] * 4:
        shutil.copytree(sides.old_index, index)
        room = len(levels) * step
        status = os.statvfs(disk)
        filler.write_bytes(bytes(status.f_bavail * status.f_bsize - room))
        built = build(sides.new_pages, index)
        found = look(index)
        filler.unlink()
        build(sides.new_pages, index)
        levels.append((room, built, found, look(index)))
        shutil.rmtree(index)
    return levels


def make_read_only(sides: Sides, disk: Path) -> tuple[Built, Found]:
    """Build where nothing can be written."""
    index = disk / "index"
    shutil.copytree(sides.old_index, index)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(disk)], check=True)
    return build(sides.new_pages, index), look(index)
