"""Progress: a bar with rate and time left on a terminal, plain lines elsewhere, nothing with --quiet."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from qa_search.builder.generation_writer import Progress
from qa_search.interfaces.cli.progress import _describe, _duration
from tests.helpers import ROOT, run_on_terminal, write_pages


@pytest.mark.parametrize(
    ("progress", "seconds", "text"),
    [
        (Progress("reading", 1234, None), 2.0, "reading: 1,234 posts"),
        (
            Progress("embedding", 500, 2000),
            2.0,
            "embedding [######..................]  25%  500 of 2,000 passages, 250/s, 6 s left",
        ),
        (Progress("embedding", 0, 2000), 0.0, "embedding [........................]   0%  0 of 2,000 passages"),
        (Progress("embedding", 0, 0), 0.0, "embedding [########################] 100%  0 of 0 passages"),
    ],
)
def test_a_stage_says_how_far_it_is(progress: Progress, seconds: float, text: str) -> None:
    """Hand-checked lines."""
    assert _describe(progress, seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (61, "1 min 1 s"), (7265, "2 h 1 min")])
def test_times_are_written_for_people(seconds: float, text: str) -> None:
    """In the two largest units."""
    assert _duration(seconds) == text


def build(pages: Path, index: Path, *options: str, terminal: bool) -> tuple[str, str]:
    """Run a build; return its standard output and what it wrote to standard error."""
    command = [sys.executable, "-m", "qa_search", "build", str(pages), "--index", str(index), *options]
    if not terminal:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout, done.stderr
    return run_on_terminal(command, stdout_too=False)


@pytest.mark.process
def test_progress_suits_where_it_is_shown(small_model: Path, tmp_path: Path) -> None:
    """Real processes: a pseudo-terminal, a pipe, --json and --quiet; standard output holds the result alone."""
    pages = write_pages(tmp_path / "pages", 60)
    build_with = partial(build, pages, tmp_path / "index", "--model", str(small_model))
    stdout, shown = build_with(terminal=True)
    assert re.search(r"\r\x1b\[K(reading|embedding)", shown)
    assert shown.rstrip("\r\n").endswith("\x1b[K")
    assert stdout.startswith("60 posts in ")
    stdout, shown = build_with("--json", "--rebuild", terminal=False)
    assert "\r" not in shown
    assert "\x1b" not in shown
    assert stdout.startswith("{\n")
    assert build_with("--quiet", "--rebuild", terminal=True) == ("", "")
