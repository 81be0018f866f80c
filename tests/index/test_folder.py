"""The index folder: one pointer, immutable generations."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from devtools.manifests import make_manifest
from qa_search.errors import (
    IndexDamagedError,
    IndexFormatError,
    IndexLockedError,
    IndexNotFoundError,
    IndexWriteError,
)
from qa_search.index.folder import IndexFolder
from qa_search.index.generation import Generation
from qa_search.index.manifest import dump_record


def publish(folder: IndexFolder, text: str) -> Generation:
    with folder.writing():
        started = folder.start_generation()
        (started / "data").write_text(text)
        return folder.publish(started, make_manifest(built_by=text)).generation


def test_the_latest_generation_answers_and_two_before_are_kept(tmp_path: Path) -> None:
    """Older ones are cleared away; the manifest holds each file's size and hash."""
    folder = IndexFolder(tmp_path / "index")
    for text in ("none", "one", "two", "three"):
        publish(folder, text)
    current = folder.current()
    assert (current.name, current.manifest.built_by) == ("g000004", "three")
    assert dump_record(current.manifest.files) == {
        "data": {
            "bytes": 5,
            "sha256": "8b5b9db0c13db24256c829aa364aa90c6d2eba318b9232a4ab9313b954d3555f",
            "xxh3": "3770bf919c6f37ecbd8dc69679faa810",
        }
    }
    assert folder.names() == ["g000004", "g000003", "g000002"]
    manifest = (current.folder / "manifest.json").read_bytes()
    assert (tmp_path / "index" / "CURRENT").read_text() == f"g000004 {hashlib.sha256(manifest).hexdigest()}\n"


def test_a_build_that_fails_leaves_the_old_generation(tmp_path: Path) -> None:
    """And its leftovers are gone with the next build."""
    folder = IndexFolder(tmp_path)
    publish(folder, "one")
    with folder.writing():
        (folder.start_generation() / "posts.sqlite").write_text("...")  # and the process dies
    assert folder.current().manifest.built_by == "one"
    assert publish(folder, "two").name == "g000002"
    assert sorted(path.name for path in (tmp_path / "generations").iterdir()) == ["g000001", "g000002"]


def test_a_second_build_is_refused_and_readers_are_not(tmp_path: Path) -> None:
    """One writer at a time; a lock whose process is gone holds nobody up."""
    folder = IndexFolder(tmp_path)
    publish(folder, "one")
    with folder.writing():
        with pytest.raises(IndexLockedError, match="another build"), IndexFolder(tmp_path).writing():
            pass
        assert folder.current().manifest.built_by == "one"
    assert publish(folder, "two").manifest.built_by == "two"


@pytest.mark.parametrize("missing", ["folder", "pointer"])
def test_a_folder_without_an_index_is_told(tmp_path: Path, missing: str) -> None:
    """With the command that makes one."""
    path = tmp_path / "nowhere" if missing == "folder" else tmp_path
    with pytest.raises(IndexNotFoundError, match=rf"{path}: no index in this folder. Build one with: build_index"):
        IndexFolder(path).current()


@pytest.mark.parametrize(
    "damage",
    ["no manifest", "cut manifest", "no file", "other size", "pointer to nothing", "empty pointer", "climbing"],
)
def test_damage_is_named_with_the_way_out(tmp_path: Path, damage: str) -> None:
    """Whatever is missing or cut."""
    folder = IndexFolder(tmp_path)
    generation = publish(folder, "one").folder
    manifest, data, pointer = generation / "manifest.json", generation / "data", tmp_path / "CURRENT"
    match damage:
        case "no manifest":
            manifest.unlink()
        case "cut manifest":
            manifest.write_text(manifest.read_text()[:50])
        case "no file":
            data.unlink()
        case "other size":
            data.write_text("oneone")
        case "pointer to nothing":
            pointer.write_text("g000009\n")
        case "empty pointer":
            pointer.write_text("")
        case "climbing":
            pointer.write_text("../../etc")
    with pytest.raises(IndexDamagedError, match=rf"{tmp_path}.*build_index\(SOURCES, '{tmp_path}"):
        folder.current()


def test_another_format_is_refused_by_name(tmp_path: Path) -> None:
    """An index of the future is not misread."""
    folder = IndexFolder(tmp_path)
    manifest = publish(folder, "one").folder / "manifest.json"
    future = json.dumps(json.loads(manifest.read_text()) | {"format_version": 99})
    manifest.write_text(future)
    sha256 = hashlib.sha256(future.encode()).hexdigest()
    (manifest.parent / "manifest.sha256").write_text(f"{sha256}\n")
    (tmp_path / "CURRENT").write_text(f"g000001 {sha256}\n")
    with pytest.raises(IndexFormatError, match=r"index format 99; this version of qa-search reads formats 5, 6 and 7"):
        folder.current()


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    """Neither read nor overwritten."""
    path = tmp_path / "index"
    path.write_text("precious")
    with pytest.raises(IndexNotFoundError):
        IndexFolder(path).current()
    with pytest.raises(IndexWriteError, match="cannot be written"), IndexFolder(path).writing():
        pass
    assert path.read_text() == "precious"


def test_damage_is_not_published_anew(tmp_path: Path) -> None:
    """A file that was changed cannot be copied into another generation; one that was not is copied whole."""
    folder = IndexFolder(tmp_path / "index")
    generation = publish(folder, "one")
    name = next(iter(generation.file_names))
    target = tmp_path / "target"
    target.mkdir()
    generation.copy_files([name], target)
    original = (generation.folder / name).read_bytes()
    assert (target / name).read_bytes() == original
    (generation.folder / name).write_bytes(bytes(255 - byte for byte in original))
    with pytest.raises(IndexDamagedError, match="checksum mismatch"):
        generation.copy_files([name], target)
