"""Bytes that nobody thought of: every reader is fuzzed, guided by coverage (see `tests.fuzz.readers`)."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
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
    "workbook", "word", "pdf", "sqlite", "parquet", "gz", "zip", "7z", "text",
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
@pytest.mark.parametrize("name", READERS)
def test_no_bytes_make_a_reader_fail(name: str, tmp_path: Path, campaign: Campaign) -> None:
    """Only posts, notes and errors that are documented come out; what makes something else come out is kept."""
    seconds = campaign.count(short=2, full=60)
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    process = subprocess.run(
        [
            # By a shell that goes on: the fuzzer would else count this process's memory as its own.
            "sh", "-c", '"$@"; exit $?', "sh",
            sys.executable, "-m", "tests.fuzz.readers", name, f"-max_total_time={seconds}", "-max_len=8192",
            "-timeout=60", "-rss_limit_mb=2048", f"-artifact_prefix={artifacts}/{name}-", str(tmp_path),
            str(CORPUS / name),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds + 300,
    )  # fmt: skip
    done = re.search(r"^Done (\d+) runs", process.stderr, re.MULTILINE)
    failures = []
    if process.returncode or done is None:
        kept = [keep(artifact) for artifact in artifacts.iterdir()]
        said = process.stdout[-1500:] + process.stderr[-1500:]
        failures.append(f"status {process.returncode}, {kept or 'no input kept'}:\n{said}")
    tried = int(done[1]) if done else 1
    campaign.finish(8, f"fuzzing: {name}", tried, failures, seconds=seconds, seeds=len(list((CORPUS / name).iterdir())))
