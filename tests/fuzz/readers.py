"""Whatever the bytes, a reader gives posts, notes or one of the errors that it documents: tried by atheris.

``python -m tests.fuzz.readers READER [options and folders of libFuzzer]`` goes on until it finds something else, or
for as long as ``-max_total_time`` says. What it found is written to a file, which as the only argument behind READER
is tried again.
"""

from __future__ import annotations

import atexit
import io
import json
import re
import shutil
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["qa_search.archives", "qa_search.util", "py7zr"]):
    from qa_search.archives.base import Reply, short_date
    from qa_search.archives.read import BUILT_IN_READERS, ArchiveFile, Limits, ReadOptions, read_archives
    from qa_search.errors import ArchiveError
    from qa_search.types import Post, SetAside
    from qa_search.util.dates import parse_date
    from qa_search.util.text import clean_text, visible

CORPUS = Path(__file__).parent / "corpus"
# Small, so that inputs of a few kilobytes go beyond them.
LIMITS = Limits(post_characters=2000, record_bytes=2000, unpacked_bytes=1 << 22, files=20, ratio_from=1 << 20, notes=20)
_NAMES = {
    "page": "page.txt",
    "html": "page.html",
    "stackexchange": "Posts.xml",
    "json": "faq.json",
    "jsonl": "faq.jsonl",
    "table": "faq.csv",
}
_BY_NAME = dict(
    zip(
        ("page", "stackexchange", "html", "jsonl", "json", "table"),
        BUILT_IN_READERS,
        strict=True,
    )
)
# In JSON; not a backslash that the post itself holds, and "u0000" behind it.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_LARGEST_INTEGER = 2**63 - 1


def read(name: str, data: bytes) -> None:
    """Give the bytes to one reader, if it takes them."""
    file = ArchiveFile("folder", _NAMES[name], f"/folder/{_NAMES[name]}", partial(io.BytesIO, data))
    options = ReadOptions(limits=LIMITS)
    if _BY_NAME[name].recognises(file, options):
        check(lambda: (item for item in _BY_NAME[name].read(file, options) if not isinstance(item, Reply)))


def unpack(suffix: str, folder: Path, data: bytes) -> None:
    """Read the bytes as a container, with all that is in it."""
    path = folder / f"archive.{suffix}"
    path.write_bytes(data)
    check(lambda: read_archives([path], ReadOptions(limits=LIMITS), keep_going=bool(len(data) % 2)))
    left = [found.name for found in folder.rglob("*") if found != path]
    assert not left, f"left behind: {left}"


def with_checksums(data: bytes) -> bytes:
    """Make the checksums of a 7z's header fit, which would else keep all but the first bytes from being tried."""
    if len(data) < 32:
        return data
    offset, size = struct.unpack_from("<QQ", data, 12)
    header = data[32 + offset : 32 + offset + size]
    start = struct.pack("<QQL", offset, size, zlib.crc32(header))
    return data[:8] + struct.pack("<L", zlib.crc32(start)) + start + data[32:]


def text(data: bytes) -> None:
    """Clean a text, and read it as a date."""
    for given in (data.decode("utf-16-le", "surrogatepass") if len(data) % 2 == 0 else "", data.decode("latin-1")):
        cleaned = clean_text(given)
        cleaned.encode()
        assert "\0" not in cleaned
        assert clean_text(cleaned) == cleaned
        assert visible(given).isprintable() or not given.isprintable()
        parse_date(given[:1000])
        date = short_date(given)
        assert date is None or visible(date) == date


def check(items: Callable[[], Iterable[Post | SetAside]]) -> None:
    """Take all that comes, and make sure that it can be stored."""
    try:
        for item in items():
            assert isinstance(item, Post | SetAside)
            stored = json.dumps(item.to_dict(), ensure_ascii=False)
            stored.encode()
            assert _NUL.search(stored) is None
            if isinstance(item, Post):
                assert item.score is None or abs(item.score) <= _LARGEST_INTEGER
                assert all(part.end <= len(item.answer) for part in item.answers)
            else:
                assert visible(item.place + item.reason) == item.place + item.reason
    except ArchiveError as error:
        str(error).encode()
        assert visible(str(error)) == str(error)


def targets(folder: Path) -> dict[str, Callable[[bytes], None]]:
    """Return what can be fuzzed, by name."""
    return {
        **{name: partial(read, name) for name in _NAMES},
        "gz": partial(unpack, "gz", folder),
        "zip": partial(unpack, "zip", folder),
        "7z": lambda data: unpack("7z", folder, with_checksums(data)),
        "text": text,
    }


def main() -> None:
    """Fuzz one of them."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    tempfile.tempdir = str(folder)
    target = targets(folder)[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
