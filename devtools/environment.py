"""What a result must say about where it was measured."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
_PACKAGES = ("qa-search", "faiss-cpu", "numpy", "onnxruntime", "ray", "sentence-transformers", "tokenizers", "torch")


def environment() -> dict[str, Any]:
    """Commit, machine and package versions."""
    return {
        "commit": commit_of(ROOT) + ("+changes" if _git("status", "--porcelain") else ""),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
    }


def save(name: str, results: dict[str, Any]) -> Path:
    """Write results with their environment to ``benchmarks/results/NAME.json``."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({**environment(), "results": results}, indent=2) + "\n", encoding="utf-8")
    return path


def commit_of(checkout: Path) -> str:
    """Return the commit of a checkout."""
    return _git("-C", str(checkout.resolve()), "rev-parse", "--short=12", "HEAD")


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
