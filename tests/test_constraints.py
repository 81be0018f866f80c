"""The exact versions of constraints.txt suit every Python that the project supports."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, metadata

import pytest
from packaging.specifiers import SpecifierSet

from tests.helpers import ROOT

PINNED = re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("name", PINNED)
def test_the_oldest_python_can_install_what_is_pinned(name: str) -> None:
    """A release for later ones alone leaves pip searching for ever: Debian 12 has Python 3.11.2."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    oldest = project["requires-python"].removeprefix(">=")
    try:
        needed = metadata(name)["Requires-Python"]
    except PackageNotFoundError:
        pytest.skip(f"{name} is not installed on this system")
    assert SpecifierSet(needed or "").contains(f"{oldest}.0")
