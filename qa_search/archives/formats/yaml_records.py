"""YAML: lists of questions and answers, read as the JSON that they stand for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from qa_search.archives.base import ArchiveFile, ReadOptions, Reply
from qa_search.archives.formats.json_records import JsonReader
from qa_search.archives.formats.rasa import rasa_items
from qa_search.archives.formats.yaml_values import YamlError, yaml_documents
from qa_search.types import Post, SetAside

SUFFIXES = (".yml", ".yaml")
# A list of mappings, or a mapping with such a list, the first of whose fields is one that a question may have.
_LIST = re.compile(
    r"\ufeff?(?:[ \t]*(?:#[^\n]*|---[^\n]*)?\n)*(?:[\w ]{1,40}:[ \t]*\n)?[ \t]*-[ \t]+"
    r"[\"']?(?:question|q|frage|title|id|ask)[\"']?[ \t]*:[ \t]",
    re.IGNORECASE,
)


class YamlReader:
    """Reads the mappings of a YAML list, or of the lists within a mapping."""

    name = "YAML"

    def recognises(self, file: ArchiveFile, options: ReadOptions) -> bool:
        """The name says so, or a text begins with a list of mappings that ask."""
        text = file.head_text
        if text is None or not text.strip():
            return False
        return file.suffix in SUFFIXES or (file.suffix in ("", ".txt") and _LIST.match(text) is not None)

    def read(self, file: ArchiveFile, options: ReadOptions) -> Iterator[Post | SetAside | Reply]:
        """Yield a post per mapping.

        Raises:
            DamagedArchiveError: if the YAML is broken.
        """
        try:
            documents = [value for value in yaml_documents(file.read_text(options)) if value is not None]
        except YamlError as error:
            raise file.damaged(str(error), error.place) from error
        assistant = rasa_items(file, documents[0], options) if len(documents) == 1 else None
        if assistant is not None:
            yield from assistant
            return
        data = json.dumps(documents[0] if len(documents) == 1 else documents).encode()
        yield from JsonReader().read(file.with_bytes(data, "utf-8"), options)
