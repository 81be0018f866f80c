"""The quick tier does without models and processes."""

from __future__ import annotations

import os
import subprocess
import sys
from multiprocessing import get_context

import pytest

from tests.helpers import ROOT
from tests.tiers import GUARD, QUICK

STARTS = {
    "subprocess": lambda: subprocess.run([sys.executable, "-c", ""], check=True),
    "fork": os.fork,
    "spawn": lambda: get_context("spawn").Process(target=print).start(),
    "torch": lambda: sys.audit("import", "torch", None, None, None, None),
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_a_quick_test_starts_no_process_and_imports_no_torch(start: object) -> None:
    """Each attempt fails the test, when the guard of quick runs is on."""
    assert callable(start)
    with GUARD.holds(), pytest.raises(pytest.fail.Exception, match=r"this test .*Mark it"):
        start()


def test_make_quick_runs_the_tests_without_a_tiers_marker() -> None:
    """All markers of tiers are in its expression."""
    assert f'-m "{QUICK}"' in (ROOT / "Makefile").read_text(encoding="utf-8")
