"""Decodes files with libraries, in a separate process (see `decode_process`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from qa_search.archives.base import ArchiveFile, ReadOptions, require_scratch
from qa_search.archives.containers.office import largest_member

_PROGRAM = Path(__file__).with_name("decode_process.py")
_MEMORY = 2 << 30
_SECONDS = 300  # of computing
_COPIED_AT_ONCE = 1 << 20
_PIECE = 1 << 16


def decoded(file: ArchiveFile, kind: str, options: ReadOptions) -> Iterator[object]:
    """Yield what comes out of a file: rows as lists, and objects (see `decode_process`).

    Raises:
        DamagedArchiveError: if the file is damaged, or takes more memory or time than it may.
        UnknownFormatError: if the package that reads it is not installed.
        OverLimitError: if a row or a text is longer than a record may be.
    """
    if largest_member(file) > options.limits.record_bytes:
        raise file.record_over_limit(options, "unpacked")
    with scratch_copy(file, options) as path:
        command = [sys.executable, "-P", str(_PROGRAM), kind, str(path), str(_MEMORY), str(_SECONDS)]
        environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
        with subprocess.Popen(  # noqa: S603 - our own program
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        ) as process:
            try:
                assert process.stdout is not None  # noqa: S101 - for the type checker
                yield from _items(file, process.stdout, kind, options)
                if process.wait():
                    raise file.damaged("it cannot be read: it is damaged, or takes more memory or time than it may")
            finally:
                process.kill()


@contextmanager
def scratch_copy(file: ArchiveFile, options: ReadOptions) -> Iterator[Path]:
    """Copy a file to a path that libraries can open.

    Raises:
        DamagedArchiveError: if the disk would be full.
    """
    with tempfile.TemporaryDirectory(prefix="qa-search-") as scratch:
        path = Path(scratch, "file")
        with file.open() as stream, path.open("wb") as copy:
            while data := stream.read(_COPIED_AT_ONCE):
                require_scratch(file, path.parent, options, len(data))
                copy.write(data)
        yield path


def _items(file: ArchiveFile, stream: IO[bytes], kind: str, options: ReadOptions) -> Iterator[object]:
    limit = 2 * options.limits.record_bytes  # as JSON writes a text
    while line := stream.readline(_PIECE):
        pieces, size = [line], len(line)
        while not line.endswith(b"\n") and (line := stream.readline(_PIECE)):
            size += len(line)
            if size > limit:
                raise file.record_over_limit(options)
            pieces.append(line)
        try:
            item = json.loads(b"".join(pieces))
        except ValueError as error:
            raise file.damaged("it cannot be read: reading was interrupted") from error
        if isinstance(item, dict) and "error" in item:
            raise file.damaged(f"it cannot be read ({item['error']})")
        if isinstance(item, dict) and "missing" in item:
            raise file.unknown(f"its reader is not installed ({item['missing']})", _install(kind))
        yield item


def _install(kind: str) -> str:
    extra = {"parquet": "qa-search[parquet]", "word": "qa-search[docx]", "pdf": "qa-search[pdf]"}.get(kind, "qa-search")
    return f"Install it with: pip install '{extra}'"
