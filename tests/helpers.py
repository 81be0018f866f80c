"""What tests share: a small embedder without a neural network, and makers of archives."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qa_search.archives.base import ArchiveFile, Reader, ReadOptions, Reply
from qa_search.archives.read import read_archives
from qa_search.embedders.base import ModelId, Vectors
from qa_search.embedders.closeness import everyday_pairs
from qa_search.index.integrity import file_record
from qa_search.types import Post, SetAside

ROOT = Path(__file__).parent.parent
SAMPLE_ARCHIVE = ROOT / "data" / "archive"
SHARED = ROOT.parent / "shared"


@lru_cache(1 << 16)
def _direction(word: str, dimension: int) -> npt.NDArray[np.float64]:
    seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
    return np.random.default_rng(seed).standard_normal(dimension)


# What a build measures each model on.
_MEASURED = frozenset(text for pair in everyday_pairs() for text in pair)


class WordsEmbedder:
    """Texts that share words get close vectors: each word has a fixed direction, a text points to their sum.

    It reads none of the texts that models are measured on (`measurable`), so that its cosines stay as they are.
    """

    dimension = 64
    measurable = False

    def __init__(self, limit: int | None = 40, name: str = "words") -> None:
        self.passage_limit = limit
        self.query_limit = limit
        self.model_id = ModelId(name, hashlib.sha256(name.encode()).hexdigest())
        self.embedded: list[str] = []

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        counts = [len(re.findall(r"\w+|[^\w\s]", text)) for text in texts]
        if self.measurable:
            return counts
        return [1 << 31 if text in _MEASURED else count for text, count in zip(texts, counts, strict=True)]

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        self.embedded += texts
        return self.embed_queries(texts)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            assert self.query_limit is None or self.count_tokens([text])[0] <= self.query_limit
            for word in re.findall(r"\w+", text.lower()) or [text]:
                vectors[row] += _direction(word, self.dimension)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def archive_file(data: bytes | str, name: str = "file", container: str = "folder") -> ArchiveFile:
    """Make an archive file of some bytes."""
    raw = data.encode() if isinstance(data, str) else data
    return ArchiveFile(container, name, f"/somewhere/{container}/{name}", partial(BytesIO, raw))


def read(reader: Reader, data: bytes | str, name: str = "file", **field_map: str) -> list[Post | SetAside]:
    """Read bytes with a reader that must recognise them."""
    file, options = archive_file(data, name), ReadOptions(field_map)
    assert reader.recognises(file, options)
    return [item for item in reader.read(file, options) if not isinstance(item, Reply)]


def posts_in(*sources: Path) -> list[Post]:
    """Read archives in which every post can be read."""
    posts = []
    for item in read_archives(sources):
        assert isinstance(item, Post), item
        posts.append(item)
    return posts


def page(title: str, question: str, answer: str, date: str = "2016/7/22 10:04:45", links: str = "") -> str:
    """Write an archive page."""
    return f"{title}\n{date}\nQuestion\n{question}\nAnswer\n{answer}\n{links}"


def write_pages(folder: Path, count: int, start: int = 0) -> Path:
    """Write a folder of short pages, each with words of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(start, start + count):
        text = page(
            f"Complaint {number}",
            f"My knee{number} hurts. It began in week{number} and nothing helps.",
            f"Rest the knee{number} for a while.\n1) Ice it{number}.\n2) Walk slowly{number}.",
        )
        (folder / f"post-{number:05}.txt").write_text(text, encoding="utf-8")
    return folder


def write_jsonl(path: Path, records: Sequence[object]) -> Path:
    """Write JSON Lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def seal(index: Path, change: Callable[[dict[str, Any]], object] = lambda manifest: None) -> None:
    """Make every hash of an index fit what its files hold now, as somebody could who wants to harm its readers."""
    pointer = index / "CURRENT"
    folder = index / "generations" / pointer.read_text(encoding="utf-8").split()[0]
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"] = {
        name: file_record(folder / name)._asdict() for name in manifest["files"] if (folder / name).is_file()
    }
    change(manifest)
    text = json.dumps(manifest)
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    (folder / "manifest.sha256").write_text(f"{sha256}\n", encoding="utf-8")
    pointer.write_text(f"{folder.name} {sha256}\n", encoding="utf-8")


def run_on_terminal(
    command: Sequence[str], environment: Mapping[str, str] | None = None, *, stdout_too: bool = True
) -> tuple[str, str]:
    """Run a program with a real pseudo-terminal as its standard error (and output).

    Returns what it wrote to a pipe as its standard output, if ``stdout_too`` is false, and what the terminal got.
    """
    master, slave = pty.openpty()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=slave if stdout_too else subprocess.PIPE,
        stderr=slave,
        text=True,
        env={**os.environ, "TERM": "xterm", **(environment or {})},
    )
    os.close(slave)
    shown = b""
    try:
        while data := os.read(master, 4096):
            shown += data
    except OSError:
        pass  # the other end is closed
    os.close(master)
    stdout, _ = process.communicate()
    assert process.returncode == 0
    return stdout or "", shown.decode()
