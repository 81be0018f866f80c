"""The encoders of an index folder: exported once per model, kept by their identity, chosen for a build.

::

    index/encoders/int8-0123456789abcdef-01234567/     model.onnx, tokenizer.json, encoder.json

The first part of the name says what its vectors depend on, the second is the beginning of the SHA-256 of encoder.json,
which holds those of the other files. So a name vouches for its content, and an encoder is never replaced by another one
under the feet of an index that uses it.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qa_search.embedders.base import Embedder
from qa_search.embedders.locate import hash_file
from qa_search.embedders.onnx import SETTINGS_FILE
from qa_search.index.integrity import file_record, find_damage, flush, flush_tree
from qa_search.index.owned import ENCODER_NAMES, PARTIAL, is_encoder_name, remove_own
from qa_search.util.files import read_file

if TYPE_CHECKING:
    pass

_NAME_DIGITS = 8
_MOST_SETTINGS_BYTES = 32 << 20


@dataclass(frozen=True)
class BuildEncoder:
    """What embeds an index: the embedder, the identity of its vectors, and what the manifest says of it."""

    embedder: Embedder
    vectors_id: str
    record: dict[str, Any] = field(default_factory=dict)


def encoder_record(folder: Path) -> dict[str, Any]:
    """Say in a manifest which exported encoder an index uses."""
    settings = json.loads((folder / SETTINGS_FILE).read_bytes())
    return {
        "kind": "onnx",
        "folder": folder.name,
        "precision": settings["precision"],
        "agreement": settings["agreement"],
        "files": {**settings["files"], SETTINGS_FILE: file_record(folder / SETTINGS_FILE)},
    }


def remove_unused_encoders(folder: Path, kept: set[str]) -> None:
    """Remove encoders that no kept generation uses, and what a killed export left; nothing else that lies there.

    Raises:
        IndexUnreadableError: if one cannot be read now, so that it may be needed.
    """
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if is_encoder_name(path.name) and path.name not in kept and not _is_note(path):
            with suppress(OSError):
                remove_own(path, ENCODER_NAMES)


def start_partial(folder: Path, name: str) -> Path:
    """Make the folder of an encoder that is to be written; what a killed export left of it is removed."""
    for number in count():
        partial = folder / f"{name}{f'.{number}' if number else ''}{PARTIAL}"
        with suppress(OSError):
            remove_own(partial, ENCODER_NAMES)
        with suppress(FileExistsError):  # there is something in it that is not ours
            partial.mkdir(parents=True)
            return partial
    raise AssertionError  # numbers have no end


def write_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Write the settings of an encoder beside its files."""
    text = json.dumps(settings, ensure_ascii=False, indent=2) + "\n"
    (folder / SETTINGS_FILE).write_text(text, encoding="utf-8")


def move_into_place(partial: Path, name: str) -> Path:
    """Give a finished folder its name, flushed to the disk before anything can refer to it."""
    flush_tree(partial)
    folder = partial.with_name(f"{name}-{hash_file(partial / SETTINGS_FILE)[:_NAME_DIGITS]}")
    try:
        whole_settings(folder)
    except (OSError, ValueError):
        _replace(folder, partial)
    else:
        remove_own(partial, ENCODER_NAMES)  # the same to the last byte is there, and may be in use
    return folder


def _replace(folder: Path, partial: Path) -> None:
    """Put a finished folder in the place of a damaged one, whose other files stay."""
    with suppress(FileNotFoundError):
        remove_own(folder, ENCODER_NAMES)
    if os.path.lexists(folder):
        # Its settings last: without them it counts as damaged.
        for path in sorted(partial.iterdir(), key=lambda path: path.name == SETTINGS_FILE):
            path.replace(folder / path.name)
        flush_tree(folder)
        partial.rmdir()
    else:
        partial.rename(folder)
    flush(folder.parent)


def whole_settings(folder: Path) -> dict[str, Any]:
    """Return what an encoder's settings say.

    Raises:
        IndexUnreadableError: if they cannot be read now.
        ValueError: if they are not what was written.
    """
    data = read_file(folder / SETTINGS_FILE, _MOST_SETTINGS_BYTES)
    try:
        settings: dict[str, Any] = json.loads(data)
        damage = [find_damage(folder / name, record) for name, record in settings.get("files", {}).items()]
    except (RecursionError, AttributeError, TypeError, KeyError) as error:
        raise ValueError(f"{folder / SETTINGS_FILE} holds no settings") from error
    if not folder.name.endswith(f"-{hashlib.sha256(data).hexdigest()[:_NAME_DIGITS]}") or any(damage):
        raise ValueError(f"{folder} is not what was written")
    return settings


def _is_note(folder: Path) -> bool:
    """Tell whether a folder only says that a model cannot be exported."""
    try:
        return "unusable" in whole_settings(folder)
    except (OSError, ValueError):
        return False
