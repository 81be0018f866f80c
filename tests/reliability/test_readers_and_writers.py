"""Promises 3 and 4: readers never notice a rebuild, and only one build writes at a time."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, groupby
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier, Event, Semaphore
from pathlib import Path
from typing import Any

import pytest

from qa_search import SearchIndex, build_index
from qa_search.errors import IndexFolderError, IndexLockedError
from qa_search.index.folder_stores import FolderStores, open_folder
from tests.helpers import ROOT, WordsEmbedder, page, write_pages
from tests.reliability.conftest import Campaign
from tests.reliability.faults import answers

_PATIENCE = 300  # seconds until a process that does not end fails the test


def build(pages: Path, index: Path, **options: Any) -> str:
    """Build, and return what the new generation answers."""
    build_index(pages, index, model=WordsEmbedder(), allow_shrink=True, **options)
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        return answers(opened)


def write_rounds(folder: Path, wanted: int) -> list[Path]:
    """Write archives that take turns between two halves of the same posts; half of each tells its round."""
    rounds = []
    for number in range(wanted):
        pages = write_pages(folder / f"round-{number}" / "pages", 10)
        for post in range(10, 20):
            text = page(f"Complaint {post}", f"My heel{number % 2} hurts.", f"Rest it. Asked in round {number}.")
            (pages / f"post-{post:05}.txt").write_text(text, encoding="utf-8")
        rounds.append(pages)
    return rounds


def read(index: Path, how: str, known: dict[str, int], begun: Semaphore, end: Event, result: Path) -> None:
    """Ask the index until the end, and once more then; write down which rounds answered, and every error."""
    seen: list[int] = []
    errors: list[str] = []
    kept = SearchIndex.open(index, model=WordsEmbedder())
    for turn in count():
        last = end.is_set()
        try:
            if how == "opens anew":
                with SearchIndex.open(index, model=WordsEmbedder()) as opened:
                    seen.append(known.get(answers(opened), -1))
            else:
                moved = kept.refresh() if how == "refreshes" else False
                seen.append(known.get(answers(kept), -1))
                if len(seen) > 1 and moved != (seen[-1] != seen[-2]):
                    errors.append(f"refresh said {moved} between rounds {seen[-2:]}")
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")
        if turn == 0:
            begun.release()
        if last:
            break
    result.write_text(json.dumps({"seen": seen, "errors": errors}), encoding="utf-8")


@pytest.mark.process
def test_readers_never_notice_a_rebuild(campaign: Campaign, tmp_path: Path) -> None:
    """Two open it anew each time, one keeps it open, one refreshes: each answer is all of one generation's."""
    rebuilds = campaign.count(short=6, full=50)
    rounds = write_rounds(tmp_path, 1 + rebuilds)
    # What each generation must answer is known from an index of its own, built afresh.
    known = {build(pages, tmp_path / "reference", rebuild=True): number for number, pages in enumerate(rounds)}
    assert len(known) == len(rounds)
    index, context = tmp_path / "index", get_context("spawn")
    build(rounds[0], index)
    begun, end = context.Semaphore(0), context.Event()
    ways = ["opens anew", "opens anew", "keeps", "refreshes"]
    results = [tmp_path / f"reader-{number}.json" for number in range(len(ways))]
    readers = [
        context.Process(target=read, args=(index, how, known, begun, end, result))
        for how, result in zip(ways, results, strict=True)
    ]
    for reader in readers:
        reader.start()
    for _ in readers:
        assert begun.acquire(timeout=_PATIENCE)
    for pages in rounds[1:]:
        build(pages, index)
    end.set()
    for reader in readers:
        reader.join(_PATIENCE)
    assert [reader.exitcode for reader in readers] == [0] * len(readers)
    failures, tried, during = [], 0, 0
    for how, path in zip(ways, results, strict=True):
        found = json.loads(path.read_bytes())
        seen = found["seen"]
        tried += len(seen)
        during += sum(0 < number < rebuilds for number in seen)
        wanted = [0] if how == "keeps" else [number for number, _ in groupby(seen)]
        failures += [f"a reader that {how}: {error}" for error in found["errors"]]
        if -1 in seen or sorted(set(wanted)) != [number for number, _ in groupby(seen)]:
            failures.append(f"a reader that {how} got the answers of rounds {[number for number, _ in groupby(seen)]}")
        if seen[-1] != (0 if how == "keeps" else rebuilds):
            failures.append(f"a reader that {how} ended with round {seen[-1]}")
    assert during > 0
    campaign.finish(3, "readers during rebuilds", tried, failures, rebuilds=rebuilds, answers_in_between=during)


def test_a_reader_that_is_slow_to_open_gets_a_later_generation(
    campaign: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two builds, between reading the pointer and opening the files, remove the generation that it named."""
    rounds = write_rounds(tmp_path, 3)
    index = tmp_path / "index"
    build(rounds[0], index)
    to_build = list(rounds[1:])

    def slow(*args: Any) -> FolderStores:
        while to_build:
            build_index(to_build.pop(0), index, model=WordsEmbedder(), allow_shrink=True, keep=2)
        return open_folder(*args)

    monkeypatch.setattr("qa_search.index.generation.open_folder", slow)
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        found = answers(opened)
    assert not to_build
    wrong = [] if found == build(rounds[2], tmp_path / "reference") else ["the answers are not those of the last build"]
    campaign.finish(3, "two builds while an index is opened", 1, wrong)


def test_an_open_index_keeps_its_encoder(campaign: Campaign, built_sample: Path, tmp_path: Path) -> None:
    """Builds with another model remove the encoder that no generation uses; who opened the index before goes on."""
    pages, index = write_pages(tmp_path / "pages", 5), tmp_path / "index"
    shutil.copytree(built_sample / "encoders", index / "encoders")
    build_index(pages, index)
    failures = []
    with SearchIndex.open(index) as opened:
        for _ in range(2):
            build_index(pages, index, model=WordsEmbedder())
        try:
            assert opened.search("knee3 hurts").hits
        except IndexFolderError as error:
            failures.append(str(error))
    campaign.finish(3, "an open index whose encoder is cleared away", 1, failures)


_HOLDER = """
import sys
import shutil
from qa_search import build_index
from tests.helpers import WordsEmbedder

def hold(progress):
    if progress.stage == "embedding":
        print("holding", flush=True)
        sys.stdin.readline()

build_index(sys.argv[1], sys.argv[2], model=WordsEmbedder(), progress=hold, allow_shrink=True)
"""


@contextmanager
def held(pages: Path, index: Path) -> Iterator[subprocess.Popen[str]]:
    """Have another process hold the index folder, in the middle of a build."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, pages, index],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "holding\n"
        yield process


@pytest.mark.process
def test_a_second_build_is_refused_and_a_dead_one_holds_nobody_up(campaign: Campaign, tmp_path: Path) -> None:
    """The refusal names the process that builds; what it leaves when it is killed is harmless."""
    rounds = write_rounds(tmp_path, 2)
    index = tmp_path / "index"
    old = build(rounds[0], index)
    new = build(rounds[1], tmp_path / "reference")
    tried, failures = campaign.count(short=3, full=50), []
    for _ in range(tried):
        with held(rounds[1], index) as holder:
            with pytest.raises(IndexLockedError) as refused:
                build(rounds[1], index)
            if not re.search(rf"\b{holder.pid}\b", str(refused.value)):
                failures.append(f"{refused.value} does not name process {holder.pid}")
            with SearchIndex.open(index, model=WordsEmbedder()) as opened:
                if answers(opened) != old:
                    failures.append("a build that is not done changed the answers")
            os.kill(holder.pid, signal.SIGKILL)
        if build(rounds[1], index) != new:
            failures.append("the build after a killed one answers wrongly")
        assert build(rounds[0], index) == old
    campaign.finish(4, "builds refused, and builds after a killed one", tried, failures)


@pytest.mark.process
def test_a_build_that_was_waited_for_is_published(tmp_path: Path) -> None:
    """The refused build has not disturbed it."""
    pages, index = write_pages(tmp_path / "pages", 20), tmp_path / "index"
    with held(pages, index) as holder:
        with pytest.raises(IndexLockedError, match="another build"):
            build(pages, index)
        holder.communicate()
    assert holder.returncode == 0
    with SearchIndex.open(index, model=WordsEmbedder()) as opened:
        assert opened.info().generation == "g000001"
        assert opened.info().counts["posts"] == 20


def race(pages: Path, folder: Path, rounds: int, gate: Barrier, result: Path) -> None:
    """Begin each build at the same moment as the others; write down how each ended."""
    ends = []
    for number in range(rounds):
        gate.wait(_PATIENCE)
        try:
            build_index(pages, folder / f"index-{number}", model=WordsEmbedder())
            ends.append("built")
        except Exception as error:
            ends.append(type(error).__name__)
    result.write_text(json.dumps(ends), encoding="utf-8")


@pytest.mark.process
def test_of_builds_that_begin_together_one_writes(campaign: Campaign, tmp_path: Path) -> None:
    """In a folder that is not there yet; the others are refused, or have their turn after it."""
    rounds, context = campaign.count(short=8, full=200), get_context("spawn")
    archives = write_rounds(tmp_path, 3)
    wanted = [build(pages, tmp_path / f"reference-{number}") for number, pages in enumerate(archives)]
    gate = context.Barrier(len(archives))
    results = [tmp_path / f"racer-{number}.json" for number in range(len(archives))]
    racers = [
        context.Process(target=race, args=(pages, tmp_path, rounds, gate, result))
        for pages, result in zip(archives, results, strict=True)
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(_PATIENCE)
    assert [racer.exitcode for racer in racers] == [0] * len(racers)
    failures, refused = [], 0
    for number, ends in enumerate(zip(*(json.loads(path.read_bytes()) for path in results), strict=True)):
        refused += ends.count("IndexLockedError")
        with SearchIndex.open(tmp_path / f"index-{number}", model=WordsEmbedder()) as opened:
            found = answers(opened)
        right = [answer for answer, end in zip(wanted, ends, strict=True) if end == "built"]
        if found not in right or not set(ends) <= {"built", "IndexLockedError"}:
            failures.append(f"{ends}, and the answers are {'right' if found in right else 'wrong'}")
        if list((tmp_path / f"index-{number}").glob("generations/*.partial")):
            failures.append(f"{ends} left a half-made generation")
    assert refused > 0
    campaign.finish(4, "builds that begin together", rounds, failures, builds=rounds * len(racers), refused=refused)
