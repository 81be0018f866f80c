"""The part of `benchmarks.scaling` that runs in a process of its own: opens a store and searches it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from benchmarks.scaling import search
from qa_search.index.manifest import FolderManifest

if __name__ == "__main__":
    folder, work = Path(sys.argv[1]), Path(sys.argv[2])
    manifest = FolderManifest.parse(json.loads((folder / "manifest.json").read_text(encoding="utf-8")))
    print(json.dumps(search(folder, manifest, np.load(work / "queries.npy"))))
