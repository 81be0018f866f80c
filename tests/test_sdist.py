"""The source distribution: whoever unpacks it has the repository, and can run its tests."""

from __future__ import annotations

import subprocess
from fnmatch import fnmatch

import pytest
from hatchling.builders.sdist import SdistBuilder

from tests.helpers import ROOT


@pytest.mark.process
def test_every_file_of_the_repository_is_in_the_sdist() -> None:
    """Also those that only tests, docs and benchmarks read: none is found missing after unpacking."""
    if not (ROOT / ".git").exists():
        pytest.skip("this tree is no clone of the repository, so that its files cannot be listed")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    packed = {file.relative_path for file in SdistBuilder(str(ROOT)).recurse_included_files()}
    # The build adds these by itself.
    packed |= {"pyproject.toml", ".gitignore"}
    assert {name for name in listed.split("\0") if name} - packed == set()


def test_nothing_that_a_machine_leaves_is_in_the_sdist() -> None:
    """Caches, environments, built indexes and what fuzzing found stay behind."""
    left = ("*.pyc", ".venv/*", "dist/*", ".*_cache/*", ".hypothesis/*", "tests/fuzz/found/*", "index/generations/*")
    packed = [file.relative_path for file in SdistBuilder(str(ROOT)).recurse_included_files()]
    assert len(packed) > 500
    assert not [name for name in packed if any(fnmatch(name, pattern) for pattern in left)]
