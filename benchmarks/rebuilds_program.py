"""An archive and the folder of an index -> one build, and a line of JSON with its seconds and counts.

The embedder costs next to nothing, so that what is measured is the work of the build itself; with ``--model`` behind
them it is the default model.
"""

import json
import re
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xxhash

from qa_search import build_index
from qa_search.embedders.base import ModelId, Vectors

DIMENSION = 384
# Characters of a passage, where a real one has 256 tokens of some four characters.
CHARACTERS_PER_TOKEN = 4


class Cheap:
    """Makes a vector from the hash of a text."""

    model_id = ModelId("cheap", "0" * 64, "")
    dimension = DIMENSION
    query_limit = passage_limit = 256
    _noise = np.random.default_rng(1).standard_normal(65_536 + 2 * DIMENSION).astype(np.float32)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count characters."""
        return [len(text) // CHARACTERS_PER_TOKEN for text in texts]

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Return a vector of length 1 for each text."""
        made = np.empty((len(texts), DIMENSION), np.float32)
        for row, text in enumerate(texts):
            found = xxhash.xxh3_64_intdigest(text.encode())
            one, other = found & 0xFFFF, found >> 16 & 0xFFFF
            made[row] = self._noise[one : one + DIMENSION] + self._noise[other : other + DIMENSION][::-1]
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        return made

    embed_queries = embed_passages


if __name__ == "__main__":
    started, imported = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    report = build_index(sys.argv[1], sys.argv[2], model=None if "--model" in sys.argv[3:] else Cheap())
    used = resource.getrusage(resource.RUSAGE_SELF)
    status = Path("/proc/self/status").read_text()
    print(
        json.dumps({
            "seconds": round(time.perf_counter() - started, 2),
            "computed": round(used.ru_utime + used.ru_stime - imported.ru_utime - imported.ru_stime, 2),
            "peak_mb": round(int((re.search(r"VmHWM:\s+(\d+)", status) or ["", "0"])[1]) / 1024),
            "posts": report.posts,
            "passages": report.passages,
            "embedded": report.embedded,
        })
    )  # fmt: skip
