"""Whatever the bytes, a reader gives posts, notes or one of the errors that it documents: tried by atheris.

``python -m tests.fuzz.readers READER [options and folders of libFuzzer]`` goes on until it finds something else, or
for as long as ``-max_total_time`` says. What it found is written to a file, which as the only argument behind READER
is tried again. Several readers, as READER,READER, are fuzzed one after another, each in a process of its own; READER
in an option stands for the name. Before each, a line on standard error names it; a line after it has the exit status.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Sequence
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
# target: (the reader's name, the file's name)
_READERS = {
    "page": ("archive page", "page.txt"),
    "html": ("HTML page", "page.html"),
    "stackexchange": ("Stack Exchange dump", "Posts.xml"),
    "xml": ("XML", "faq.xml"),
    "mail": ("mail", "list.mbox"),
    "chat": ("chat", "chat.txt"),
    "talks": ("talks in lines", "talks.txt"),
    "transcript": ("transcript", "talk.txt"),
    "guestbook": ("guestbook", "guests.txt"),
    "letters": ("letters to a column", "column.txt"),
    "tables_xml": ("XML of tables", "faq.xml"),
    "tickets_xml": ("XML of tickets", "issues.xml"),
    "quiz": ("question bank", "quiz.gift"),
    "opml": ("outline (OPML)", "faq.opml"),
    "saved": ("saved web page", "faq.mht"),
    "json": ("JSON", "faq.json"),
    "jsonl": ("JSON Lines", "faq.jsonl"),
    "sql": ("SQL dump", "faq.sql"),
    "yaml": ("YAML", "faq.yml"),
    "markdown": ("Markdown", "faq.md"),
    "labels": ("text with questions and answers", "faq.txt"),
    "table": ("CSV or TSV", "faq.csv"),
    "workbook": ("Excel or OpenDocument workbook", "faq.xlsx"),
    "word": ("Word document", "faq.docx"),
    "pdf": ("PDF", "faq.pdf"),
    "sqlite": ("SQLite database", "faq.db"),
    "parquet": ("Parquet", "faq.parquet"),
}
_BY_NAME = {reader.name: reader for reader in BUILT_IN_READERS}
# In JSON; not a backslash that the post itself holds, and "u0000" behind it.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_LARGEST_INTEGER = 2**63 - 1


def read(target: str, data: bytes) -> None:
    """Give the bytes to one reader, if it takes them."""
    name, file_name = _READERS[target]
    file = ArchiveFile("folder", file_name, f"/folder/{file_name}", partial(io.BytesIO, data))
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


def with_sums(data: bytes) -> bytes:
    """Make the checksum of each header of a tar fit that says that it is one."""
    blocks = [data[start : start + 512] for start in range(0, len(data), 512)]
    for number, block in enumerate(blocks):
        if block[257:262] == b"ustar" and len(block) == 512:
            total = sum(block[:148]) + 8 * 32 + sum(block[156:])
            blocks[number] = block[:148] + b"%06o\0 " % total + block[156:]
    return b"".join(blocks)


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


def check(items: Callable[[], Iterable[Post | SetAside | Reply]]) -> None:
    """Take all that comes, and make sure that it can be stored."""
    try:
        for item in items():
            if isinstance(item, Reply):
                continue  # which `read_archives` joins to its question
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
        **{target: partial(read, target) for target in _READERS},
        "gz": partial(unpack, "gz", folder),
        "bz2": partial(unpack, "bz2", folder),
        "xz": partial(unpack, "xz", folder),
        "zst": partial(unpack, "zst", folder),
        "tar": lambda data: unpack("tar", folder, with_sums(data)),
        "zip": partial(unpack, "zip", folder),
        "7z": lambda data: unpack("7z", folder, with_checksums(data)),
        "text": text,
    }


def fuzz(name: str, options: Sequence[str], folder: Path) -> None:
    """Fuzz one reader; ends the process."""
    tempfile.tempdir = str(folder)
    atheris.Setup([sys.argv[0], *(option.replace("READER", name) for option in options)], targets(folder)[name])
    atheris.Fuzz()


def main() -> None:
    """Fuzz one after another: what all have in common is instrumented once, which takes longer than a short run."""
    names, *options = sys.argv[1:]
    worst = 0
    for name in names.split(","):
        folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        print(f"== {name}", file=sys.stderr, flush=True)
        child = os.fork()
        if not child:
            fuzz(name, options, folder)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(f"== status {status}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        worst = worst or abs(status)
    sys.exit(worst)


if __name__ == "__main__":
    main()
