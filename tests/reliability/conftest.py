"""How often each promise is tried: a little in every test run, at length by ``make torture``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from devtools.environment import environment

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "reliability.json"


class Campaign:
    """Counts what is tried, and writes the counts down when everything is tried in full."""

    def __init__(self, *, full: bool, record: bool = False) -> None:
        self.full = full
        self._record = full or record

    def count(self, short: int, full: int) -> int:
        """Return how often to try: ``short`` in every test run, ``full`` for the figures in docs/reliability.md."""
        return full if self.full else short

    def finish(self, promise: int, what: str, tried: int, failures: Sequence[str], **figures: object) -> None:
        """Write down how a campaign went, then fail if anything in it did."""
        if self._record:
            known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
            # A shorter run takes nothing back, but for a failure.
            if failures or tried >= known.get(what, {}).get("tried", 0):
                known[what] = {
                    "promise": promise,
                    "tried": tried,
                    "failed": len(failures),
                    **figures,
                    "failures": list(failures[:5]),
                    "environment": environment(),
                }
            ordered = dict(sorted(known.items(), key=lambda item: (item[1]["promise"], item[0])))
            RESULTS.write_text(json.dumps(ordered, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        assert tried > 0, f"{what}: nothing was tried"
        assert not failures, f"{what}: {len(failures)} of {tried} failed, the first: {failures[0]}"


@pytest.fixture
def campaign(request: pytest.FixtureRequest) -> Campaign:
    """Tell a test how often to try, and take what came of it."""
    options = request.config.getoption
    return Campaign(full=bool(options("--torture")), record=bool(options("--record")))
