"""The encoders of an index folder: exported once per model, and named by their content.

::

    index/encoders/int8-0123456789abcdef-01234567/     model.onnx, tokenizer.json, encoder.json

The first part of the name says what its vectors depend on. The second is the beginning of the SHA-256 of encoder.json,
which holds the hashes of the other files. So a name fits one content only, and an encoder that an index uses is never
replaced by another one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from qa_search.embedders.base import Embedder
from qa_search.embedders.locate import hash_file
from qa_search.embedders.onnx import SETTINGS_FILE
from qa_search.index.integrity import FileRecord, file_record, find_damage, flush, flush_tree
from qa_search.index.manifest import EncoderRecord, ExportedEncoder, parse_record
from qa_search.index.owned import ENCODER_NAMES, PARTIAL, is_encoder_name, remove_own
from qa_search.util.files import MOST_SETTINGS_BYTES, read_file

_NAME_DIGITS = 8


@dataclass(frozen=True)
class BuildEncoder:
    """The encoder of a build: the embedder, the identity of its vectors, and its record in the manifest."""

    embedder: Embedder
    vectors_id: str
    record: EncoderRecord


def encoder_record(folder: Path) -> ExportedEncoder:
    """Return the record of an exported encoder for a manifest.

    Raises:
        OSError: if its settings cannot be read.
        ValueError: if they are damaged.
    """
    settings = json.loads(read_file(folder / SETTINGS_FILE, MOST_SETTINGS_BYTES))
    record = parse_record(ExportedEncoder, {**settings, "kind": "onnx", "folder": folder.name})
    return record._replace(files={**record.files, SETTINGS_FILE: file_record(folder / SETTINGS_FILE)})


def remove_unused_encoders(folder: Path, kept: set[str]) -> None:
    """Remove encoders that no kept generation uses, and what a killed export left. Other files stay.

    Raises:
        IndexUnreadableError: if one cannot be read now, so that it may still be needed.
    """
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if is_encoder_name(path.name) and path.name not in kept and not _is_note(path):
            with suppress(OSError):
                remove_own(path, ENCODER_NAMES)


def start_partial(folder: Path, name: str) -> Path:
    """Make the folder of a new encoder, and remove what a killed export left of it."""
    for number in count():
        partial = folder / f"{name}{f'.{number}' if number else ''}{PARTIAL}"
        with suppress(OSError):
            remove_own(partial, ENCODER_NAMES)
        with suppress(FileExistsError):  # it holds something that is not ours
            partial.mkdir(parents=True)
            return partial
    raise AssertionError  # numbers have no end


def write_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Write the settings of an encoder beside its files."""
    text = json.dumps(settings, ensure_ascii=False, indent=2) + "\n"
    (folder / SETTINGS_FILE).write_text(text, encoding="utf-8")


def checked_passages(folder: Path) -> int:
    """Return on how many passages an encoder was compared with its model; 0 if that is unknown."""
    try:
        count = json.loads(read_file(folder / SETTINGS_FILE, MOST_SETTINGS_BYTES))["agreement"]["passages"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return 0
    return count if isinstance(count, int) else 0


def copy_encoder(source: Path, folder: Path) -> Path:
    """Copy an encoder to another folder of encoders, with its name. It is checked there as any other.

    A link would be faster, and change the file's times under whoever has it open.

    Raises:
        OSError: if it cannot be read or written.
        ValueError: if the copy is not whole.
    """
    target = folder / source.name
    with suppress(OSError, ValueError):
        whole_settings(target)
        return target
    name = source.name.rpartition("-")[0]
    partial = start_partial(folder, name)
    for file in (SETTINGS_FILE, *whole_settings(source).get("files", {})):
        shutil.copyfile(source / file, partial / file)
    copied = move_into_place(partial, name)
    whole_settings(copied)
    return copied


def move_into_place(partial: Path, name: str) -> Path:
    """Flush a finished folder to the disk, then give it its name."""
    flush_tree(partial)
    folder = partial.with_name(f"{name}-{hash_file(partial / SETTINGS_FILE)[:_NAME_DIGITS]}")
    try:
        whole_settings(folder)
    except (OSError, ValueError):
        _replace(folder, partial)
    else:
        remove_own(partial, ENCODER_NAMES)  # the same encoder is there, and may be in use
    return folder


def _replace(folder: Path, partial: Path) -> None:
    """Replace a damaged folder by a finished one. Other files in it stay."""
    with suppress(FileNotFoundError):
        remove_own(folder, ENCODER_NAMES)
    if os.path.lexists(folder):
        # The settings last: without them the folder counts as damaged.
        for path in sorted(partial.iterdir(), key=lambda path: path.name == SETTINGS_FILE):
            path.replace(folder / path.name)
        flush_tree(folder)
        partial.rmdir()
    else:
        partial.rename(folder)
    flush(folder.parent)


def whole_settings(folder: Path) -> dict[str, Any]:
    """Return the settings of an undamaged encoder.

    Raises:
        IndexUnreadableError: if they cannot be read now.
        ValueError: if the settings or a file are damaged.
    """
    data = read_file(folder / SETTINGS_FILE, MOST_SETTINGS_BYTES)
    try:
        settings: dict[str, Any] = json.loads(data)
        files = {name: parse_record(FileRecord, record) for name, record in settings.get("files", {}).items()}
    except (RecursionError, AttributeError, ValueError) as error:
        raise ValueError(f"{folder / SETTINGS_FILE}: invalid settings") from error
    damage = any(find_damage(folder / name, record) for name, record in files.items())
    if damage or not folder.name.endswith(f"-{hashlib.sha256(data).hexdigest()[:_NAME_DIGITS]}"):
        raise ValueError(f"{folder}: checksum mismatch")
    return settings


def _is_note(folder: Path) -> bool:
    """Return whether a folder only notes that a model cannot be exported."""
    try:
        return "unusable" in whole_settings(folder)
    except (OSError, ValueError):
        return False
