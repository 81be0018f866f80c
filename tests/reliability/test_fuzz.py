"""Bytes that nobody thought of: every reader is fuzzed, guided by coverage (see `tests.fuzz.readers`)."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.helpers import ROOT
from tests.reliability.conftest import Campaign

CORPUS = ROOT / "tests" / "fuzz" / "corpus"
# Inputs that made trouble are kept here to be tried again and put right: the folder is no part of the project.
FOUND = ROOT / "tests" / "fuzz" / "found"
READERS = (
    "page", "html", "stackexchange", "xml", "mail", "json", "jsonl", "sql", "yaml", "markdown", "labels", "table",
    "workbook", "word", "pdf", "sqlite", "parquet", "gz", "zip", "7z", "text", "chat", "transcript", "tables_xml",
    "tickets_xml", "saved", "bz2", "xz", "zst", "tar", "letters", "guestbook", "opml",
    "quiz", "talks",
)  # fmt: skip

pytestmark = pytest.mark.skipif(find_spec("atheris") is None, reason="atheris, the fuzzer, is not installed")


def test_every_reader_has_seeds() -> None:
    """A harness without them would try noise."""
    assert sorted(path.name for path in CORPUS.iterdir()) == sorted(READERS)


def keep(artifact: Path) -> str:
    """Copy an input that made trouble to the folder of those found; return where."""
    FOUND.mkdir(exist_ok=True)
    return str(shutil.copy(artifact, FOUND))


@pytest.mark.process
@pytest.mark.parametrize("names", [READERS[start::3] for start in range(3)], ids=",".join)
def test_no_bytes_make_a_reader_fail(names: Sequence[str], tmp_path: Path, campaign: Campaign) -> None:
    """Only posts, notes and errors that are documented come out; what makes something else come out is kept."""
    seconds = campaign.count(short=2, full=60)
    seed = campaign.count(short=1, full=0)  # at full length another one each time
    for name in names:
        (tmp_path / name).mkdir()
    process = subprocess.run(
        [
            # By a shell that goes on: the fuzzer would else count this process's memory as its own.
            "sh", "-c", '"$@"; exit $?', "sh",
            sys.executable, "-m", "tests.fuzz.readers", ",".join(names), f"-max_total_time={seconds}", f"-seed={seed}",
            "-max_len=8192", "-timeout=60", "-rss_limit_mb=2048", f"-artifact_prefix={tmp_path}/READER-",
            f"{tmp_path}/READER", f"{CORPUS}/READER",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=(seconds + 60) * len(names) + 300,
    )  # fmt: skip
    ends = re.findall(r"^== (\w+)\n(.*?)^== status (-?\d+)$", process.stderr, re.MULTILINE | re.DOTALL)
    assert [name for name, _, _ in ends] == list(names), process.stderr[-1500:]
    for name, said, status in ends:
        done = re.search(r"^Done (\d+) runs", said, re.MULTILINE)
        failures = []
        if status != "0" or done is None:
            kept = [keep(artifact) for artifact in tmp_path.glob(f"{name}-*")]
            failures.append(f"status {status}, {kept or 'no input kept'}:\n{process.stdout[-1500:]}{said[-1500:]}")
        tried, seeds = int(done[1]) if done else 1, len(list((CORPUS / name).iterdir()))
        campaign.finish(8, f"fuzzing: {name}", tried, failures, seconds=seconds, seeds=seeds)
