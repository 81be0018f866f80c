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
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qa_search.embedders.load import Embedder
from qa_search.embedders.locate import hash_file
from qa_search.embedders.onnx import SETTINGS_FILE
from qa_search.index.integrity import find_damage, flush, flush_tree, measure, read_file

if TYPE_CHECKING:
    pass

ENCODERS = "encoders"
_PARTIAL = ".partial"
_NAME_DIGITS = 8


@dataclass(frozen=True)
class Encoder:
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
        "files": {**settings["files"], SETTINGS_FILE: measure(folder / SETTINGS_FILE)},
    }


def clear_encoders(folder: Path, kept: set[str]) -> None:
    """Remove encoders that no kept generation uses, and what a killed export left."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.name not in kept and not _is_note(path):
            shutil.rmtree(path, ignore_errors=True)


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
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
        flush(folder.parent)
    else:
        shutil.rmtree(partial)  # the same to the last byte is there, and may be in use
    return folder


def whole_settings(folder: Path) -> dict[str, Any]:
    """Return what an encoder's settings say.

    Raises:
        ValueError: if its files are not what was written.
    """
    data = read_file(folder / SETTINGS_FILE)
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
