"""JSON documents and JSON Lines, read as streams."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

import ijson

from qa_search.archives.base import ArchiveFile, ReadOptions
from qa_search.archives.records import Record, posts_of
from qa_search.types import Post, SetAside

_DOCUMENT = re.compile(r"\s*(?:\[\s*(?:[\[{\"\d\-ntf\]]|$)|\{\s*(?:[\"}]|$))")
_LINES_SUFFIXES = (".jsonl", ".ndjson")
_CHUNK_CHARACTERS = 1 << 16
_SHOWN_CHARACTERS = 40


class JsonReader:
    """Reads the objects of a JSON array, of the arrays within a JSON object, or a single object."""

    name = "JSON"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """A JSON array or object, unless each line is an object of its own."""
        text = file.head_text
        return text is not None and _DOCUMENT.match(text) is not None and not _is_lines(file)

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside]:
        """Yield a post per object; an item that is no object is set aside."""
        return posts_of(file, self._records(file), options)

    def _records(self, file: ArchiveFile) -> Iterator[Record | SetAside]:
        count = 0
        try:
            for path in self._paths(file):
                for value in ijson.items(_Utf8(file), path, use_float=True):
                    count += 1
                    if isinstance(value, Mapping):
                        yield Record(f"record {count}", value)
                    else:
                        shown = json.dumps(value, ensure_ascii=False)[:_SHOWN_CHARACTERS]
                        yield file.set_aside(f"record {count}", f"{shown} is not an object with fields")
        except ijson.JSONError as error:
            reason = " ".join(str(error).split())[:120]
            raise file.damaged(f"broken or incomplete JSON ({reason})", f"after record {count}") from error
        if not count:
            raise file.unknown(
                "JSON without records",
                'Expected [{...}, ...] or {"posts": [{...}, ...]}, each object with a question and an answer.',
            )

    def _paths(self, file: ArchiveFile) -> list[str]:
        """Find where the records are: in the array, or in each outermost array of objects in an object."""
        if (file.head_text or "").lstrip("\ufeff \t\r\n").startswith("["):
            return ["item"]
        paths: dict[str, None] = {}
        for prefix, event, _ in ijson.parse(_Utf8(file), use_float=True):
            if event == "start_map" and prefix.endswith(".item") and "item" not in prefix.split(".")[:-1]:
                paths[prefix] = None
        return list(paths) or [""]


class JsonLinesReader:
    """Reads a JSON object per line."""

    name = "JSON Lines"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """The first two lines are whole objects, or the name says so."""
        return file.head_text is not None and _is_lines(file)

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside]:
        """Yield a post per line; a line that is not a JSON object is set aside."""
        return posts_of(file, self._records(file), options)

    def _records(self, file: ArchiveFile) -> Iterator[Record | SetAside]:
        with file.open_text() as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    value = json.loads(line)
                except (ValueError, RecursionError) as error:
                    yield file.set_aside(f"line {number}", f"not JSON ({error})")
                    continue
                if isinstance(value, dict):
                    yield Record(f"line {number}", value)
                else:
                    yield file.set_aside(f"line {number}", "not a JSON object with fields")


class _Utf8:
    """A file-like view of a text file as UTF-8, which is all that the JSON parser reads."""

    def __init__(self, file: ArchiveFile) -> None:
        self._text = file.open_text(newline="")

    def read(self, size: int = -1) -> bytes:
        """Return some bytes, none at the end; how many is up to this end (size 0 asks for the type)."""
        if size == 0:
            return b""
        data = self._text.read(_CHUNK_CHARACTERS).encode("utf-8", "replace")
        if not data:
            self._text.close()
        return data


def _is_lines(file: ArchiveFile) -> bool:
    """Tell JSON Lines from a JSON document."""
    first, _, rest = (file.head_text or "").lstrip("\ufeff \t\r\n").partition("\n")
    if file.suffix in _LINES_SUFFIXES:
        return True
    if not (first.startswith("{") and rest.lstrip().startswith("{")):
        return False
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return True
