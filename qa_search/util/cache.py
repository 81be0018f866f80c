"""The environment -> the user's folder for what can be computed again."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "QA_SEARCH_CACHE"


def cache_folder() -> Path:
    """Return the folder of QA_SEARCH_CACHE, else ``qa-search`` below XDG_CACHE_HOME or ``~/.cache``; it may be missing.

    Raises:
        RuntimeError: if the user has no home folder.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qa-search"
