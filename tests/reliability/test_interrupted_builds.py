"""Promise 1: an interrupted build leaves the old index or the new one, whole.

Builds are killed at every step that changes a file, and at random moments. A kill does not test the loss of power,
where what was not flushed is lost in any order: for that, the order of flushes is asserted.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import pytest

from qa_search.embedders.locate import locate_model
from qa_search.index.generation import MANIFEST
from qa_search.index.owned import ENCODERS, GENERATIONS, POINTER
from tests.helpers import ROOT, SAMPLE_ARCHIVE
from tests.reliability.conftest import Campaign
from tests.reliability.faults import GENERATION, Bench, Fault, Operation, Sides, place

_FLUSHES = {"fsync", "fdatasync"}
_RENAMES = {"rename", "renameat", "renameat2"}
_REMOVALS = {"unlink", "unlinkat", "rmdir"}
_NAMINGS = {"open", "openat", "creat", "mkdir", "mkdirat", "link", "linkat", "symlink", "symlinkat"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Where builds are killed."""
    with Bench(tmp_path_factory.mktemp("bench")) as opened:
        yield opened


@pytest.fixture(scope="module")
def sides(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Sides:
    """A small archive before and after a change."""
    return bench.sides(tmp_path_factory.mktemp("sides"))


@dataclass(frozen=True)
class RealModel:
    """The sample archive (30 pages of it, in short) before and after a change, and the steps of its first build.

    The model is the packaged one; in short a small one, which is exported and loaded the same way.
    """

    path: Path
    sides: Sides
    first_build: Sequence[Operation]


@pytest.fixture(scope="module")
def real_model(
    request: pytest.FixtureRequest, bench: Bench, small_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> RealModel:
    """A model that is exported by a build like any other."""
    folder, full = tmp_path_factory.mktemp("real"), bool(request.config.getoption("--torture"))
    model = locate_model().folder if full else small_model
    pages = sorted(SAMPLE_ARCHIVE.glob("*.txt"))
    old, new = folder / "old", folder / "new"
    for pages_folder in (old, new):
        pages_folder.mkdir()
        for path in pages if full else pages[:30]:
            shutil.copy(path, pages_folder)
    for path in sorted(new.iterdir())[::4]:
        path.write_bytes(path.read_bytes().replace(b"Answer\n", b"Answer\nMy knee hurts, it has ached for months. "))
    built = bench.build(old, folder / "index", model=model)
    assert (built.status, built.said) == (0, "")
    return RealModel(model, bench.sides_of(old, new, folder, model=model), built.operations)


def kills(operations: Sequence[Operation], every: int) -> list[Fault]:
    """Kill before steps and in the middle of writes: some or all, and in any case those around publishing."""
    named, pointed = place(operations, GENERATION), place(operations, POINTER)
    before, halfway = [], []
    for number, step in enumerate(operations):
        publishing = number in (named, named + 1, pointed, pointed + 1, pointed + 2)
        if publishing or number % every == 0:
            before.append(Fault("kill", number + 1))
        if step.size > 1 and (every == 1 or step.path.endswith((MANIFEST, f"{POINTER}.new"))):
            halfway.append(Fault("torn", number + 1))
    return before + halfway


def test_a_build_killed_at_any_step_leaves_the_old_index_or_the_new_one(
    campaign: Campaign, bench: Bench, sides: Sides, tmp_path: Path
) -> None:
    """Which of the two is told by whether the pointer was replaced; the next build succeeds."""
    undisturbed = bench.trial(sides.old_index, sides.new_pages, tmp_path / "index").built
    tried, failures, old, new = 0, [], 0, 0
    for fault in kills(undisturbed.operations, every=campaign.count(short=80, full=1)):
        trial = bench.trial(sides.old_index, sides.new_pages, tmp_path / "index", fault)
        tried += 1
        published = trial.built.published
        old, new = old + (not published), new + published
        wrong = sides.fault_of(trial.found, new=published) or sides.fault_of(trial.found_again, new=True)
        if trial.built.status != -9 or trial.again.status or wrong:
            failures.append(f"{fault}: ended with {trial.built.status}, then {trial.again.status}; {wrong}")
    assert min(old, new) > 0
    campaign.finish(1, "builds killed at every step", tried, failures, old=old, new=new)


def test_a_first_build_killed_at_any_step_leaves_no_index_or_the_new_one(
    campaign: Campaign, bench: Bench, sides: Sides, tmp_path: Path
) -> None:
    """Without the pointer there is no index, and it is told so."""
    undisturbed = bench.trial(None, sides.new_pages, tmp_path / "index")
    sides = replace(sides, new=undisturbed.found.answers)  # confidence is learnt anew
    tried, failures, none, new = 0, [], 0, 0
    for fault in kills(undisturbed.built.operations, every=campaign.count(short=160, full=1)):
        trial = bench.trial(None, sides.new_pages, tmp_path / "index", fault)
        tried += 1
        published = trial.built.published
        none, new = none + (not published), new + published
        wrong = sides.fault_of(trial.found, new=True) if published else trial.found.error != "IndexNotFoundError"
        wrong_again = sides.fault_of(trial.found_again, new=True)
        if trial.built.status != -9 or trial.again.status or wrong or wrong_again:
            failures.append(f"{fault}: ended with {trial.built.status}, then {trial.again.status}; {trial.found.error}")
    assert min(none, new) > 0
    campaign.finish(1, "first builds killed at every step", tried, failures, none=none, new=new)


def unflushed(operations: Iterable[Operation]) -> set[str]:
    """Return the files whose bytes, and the folders whose names, a loss of power may undo after these operations."""
    waiting: set[str] = set()
    for step in operations:
        parents = {str(PurePosixPath(path).parent) for path in (step.path, step.renamed) if path}
        if step.name in _FLUSHES:
            waiting.discard(step.path)
        elif step.name in _RENAMES:
            below = {path for path in waiting if PurePosixPath(path).is_relative_to(step.path)}
            waiting = waiting - below | {step.renamed + path.removeprefix(step.path) for path in below} | parents
        elif step.name in _REMOVALS:
            waiting = waiting - {step.path} | parents
        elif step.name in _NAMINGS:
            waiting |= {step.path, *parents}
        else:
            waiting.add(step.path)
    return waiting


def within(folder: str, paths: Iterable[str]) -> set[str]:
    return {path for path in paths if PurePosixPath(path).is_relative_to(folder)}


@pytest.mark.parametrize("first", [False, True], ids=["a rebuild", "the first build"])
def test_everything_is_flushed_before_something_points_to_it(
    campaign: Campaign, bench: Bench, sides: Sides, tmp_path: Path, first: bool
) -> None:
    """The files, then the manifest, then the folder's name, then the pointer; only then is anything cleared away."""
    done = bench.trial(None if first else sides.old_index, sides.new_pages, tmp_path / "index").built.operations
    started = next(step.path for step in done if step.path.endswith(".partial"))
    named, pointed = place(done, GENERATION), place(done, POINTER)
    manifest = next(number for number, step in enumerate(done) if step.path == f"{started}/{MANIFEST}")
    removed = [step.path for step in done[: pointed + 2] if step.name in _REMOVALS and ".partial" not in step.path]
    failures = [
        *(f"{path} was not flushed before the manifest" for path in within(started, unflushed(done[:manifest]))),
        *(
            f"{path} was not flushed before its folder got its name"
            for path in within(started, unflushed(done[:named]))
        ),
        *(f"{path} was not flushed before CURRENT" for path in within(GENERATIONS, unflushed(done[:pointed]))),
        *(f"{path} was not flushed before it was CURRENT" for path in within("CURRENT.new", unflushed(done[:pointed]))),
        *(f"{path} was removed before CURRENT was flushed" for path in within(GENERATIONS, removed)),
        *(
            []
            if done[pointed + 1] == Operation("fsync", ".", "", 0, "")
            else ["the folder was not flushed after CURRENT"]
        ),
    ]
    campaign.finish(1, f"order of flushes, {'first build' if first else 'rebuild'}", len(done), failures)


def test_encoders_are_flushed_before_a_manifest_names_them(campaign: Campaign, real_model: RealModel) -> None:
    """Else a loss of power leaves a generation whose model is cut short."""
    done = real_model.first_build
    pointed = place(done, POINTER)
    files = within(ENCODERS, {step.path for step in done[:pointed]} | {step.renamed for step in done[:pointed]})
    assert any(path.endswith("model.onnx") for path in files)
    failures = [f"{path} was not flushed before CURRENT" for path in within(ENCODERS, unflushed(done[:pointed]))]
    campaign.finish(1, "order of flushes, encoders", len(files), sorted(failures))


@pytest.mark.process
def test_a_real_build_killed_at_random_moments_leaves_one_whole_index(
    campaign: Campaign, bench: Bench, real_model: RealModel, tmp_path: Path
) -> None:
    """The command itself, with a model that it exports."""
    sides, index, model = real_model.sides, tmp_path / "index", real_model.path
    options = ["--index", str(index), "--allow-shrink", "--model", str(model), "--quiet"]
    command = [sys.executable, "-m", "qa_search", "build", str(sides.new_pages), *options]
    shutil.copytree(sides.old_index, index)
    started = time.monotonic()
    subprocess.run(command, cwd=ROOT, check=True)
    duration = time.monotonic() - started
    moments = random.Random(1)  # noqa: S311 - a sample, not a secret
    tried, failures, killed, new = campaign.count(short=4, full=200), [], 0, 0
    for _ in range(tried):
        shutil.rmtree(index)
        shutil.copytree(sides.old_index, index)
        moment = moments.uniform(0, duration)
        process = subprocess.Popen(command, cwd=ROOT)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.kill()
        status = process.wait()
        killed += status == -9
        found = bench.look(index, model=model)
        is_new = not sides.fault_of(found, new=True)
        new += is_new
        again = bench.build(sides.new_pages, index, model=model)
        wrong = sides.fault_of(found, new=is_new) or sides.fault_of(bench.look(index, model=model), new=True)
        if status not in (0, -9) or (status == 0 and not is_new) or wrong or again.status:
            failures.append(f"after {moment:.3f} s: ended with {status}, then {again.status}; {wrong}")
    campaign.finish(1, "real builds killed at random moments", tried, failures, killed=killed, new=new)


def test_a_build_killed_while_it_exports_its_encoder_is_made_good(
    campaign: Campaign, bench: Bench, real_model: RealModel, tmp_path: Path
) -> None:
    """The half-made encoder is no obstacle, and is made again."""
    done = real_model.first_build
    numbers = [number for number, step in enumerate(done, start=1) if within(ENCODERS, {step.path})]
    tried, failures = 0, []
    for number in numbers[:: max(len(numbers) // campaign.count(short=1, full=8), 1)][:8]:
        trial = bench.trial(
            None, real_model.sides.old_pages, tmp_path / "index", Fault("kill", number), model=real_model.path
        )
        tried += 1
        right = trial.found.error == "IndexNotFoundError" and trial.found_again.answers == real_model.sides.old
        if trial.built.status != -9 or trial.again.status or not right:
            failures.append(f"step {number}: {trial.built.status}, {trial.again.status}; {trial.found.error}")
    campaign.finish(1, "first builds killed while they export", tried, failures)
