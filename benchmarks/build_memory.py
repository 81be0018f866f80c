"""Peak memory of a build as the archive grows: 1,000 against 10,000 posts, with the real model.

Posts are made of the sample archive's sentences, put together at random from a fixed seed.

    python -m benchmarks.build_memory
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from devtools.environment import ROOT, save
from qa_search.archives.read import read_archives
from qa_search.types import Post
from qa_search.util.sentences import split_sentences

COUNTS = (1_000, 10_000)
_CHILD = r"""
import json, re, sys
from pathlib import Path
from qa_search import build_index
report = build_index(sys.argv[1], sys.argv[2])
peak = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
print(json.dumps({**report.to_dict(), "peak_mb": round(peak / 1024, 1)}))
"""


def write_archive(path: Path, count: int) -> None:
    """Write ``count`` posts of two random question sentences and three random answer sentences."""
    posts = [post for post in read_archives([ROOT / "data" / "archive"]) if isinstance(post, Post)]
    questions = [post.question[a:b] for post in posts for a, b in split_sentences(post.question)]
    answers = [post.answer[a:b] for post in posts for a, b in split_sentences(post.answer)]
    rng = random.Random(0)  # noqa: S311 - reproducible on purpose
    with path.open("w", encoding="utf-8") as stream:
        for number in range(count):
            post = {
                "id": number,
                "question": " ".join(rng.sample(questions, 2)),
                "answer": "\n".join(rng.sample(answers, 3)),
            }
            stream.write(json.dumps(post) + "\n")


def main() -> None:
    """Build both in processes of their own and print what each took."""
    results = []
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder, "posts.jsonl")
            write_archive(archive, count)
            command = [sys.executable, "-c", _CHILD, str(archive), str(Path(folder, "index"))]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        report = json.loads(done.stdout)
        results.append({key: report[key] for key in ("posts", "passages", "seconds", "peak_mb")})
        print(results[-1], flush=True)
    print(save("build_memory", {"builds": results}))


if __name__ == "__main__":
    main()
