"""The stores of a generation, opened together."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from qa_search import build_index
from qa_search.errors import IndexDamagedError
from qa_search.index.folder import IndexFolder
from qa_search.index.folder_stores import open_folder
from qa_search.index.stores.owners import POSTS_NAME
from qa_search.index.stores.post_rows import DATABASE_NAME
from qa_search.index.stores.vectors import shard_name
from tests.helpers import WordsEmbedder, write_jsonl


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("stores")
    records = [{"id": place, "question": f"My {place} hurts.", "answer": "Rest."} for place in ("heel", "knee", "shin")]
    build_index(write_jsonl(home / "d.jsonl", records), home / "index", model=WordsEmbedder())
    return home / "index"


@pytest.mark.parametrize("name", [DATABASE_NAME, shard_name(0), "lexical/meta.json", POSTS_NAME])
def test_every_store_reports_damage_with_the_index_and_the_way_out(built: Path, name: str, tmp_path: Path) -> None:
    """The store names its file; the index and the command that rebuilds it are added once."""
    index = tmp_path / "index"
    shutil.copytree(built, index)
    generation = IndexFolder(index).current()
    (generation.folder / name).unlink()
    with pytest.raises(IndexDamagedError) as caught:
        open_folder(generation.folder, generation.manifest, generation.file_names)
    message = str(caught.value)
    assert str(generation.folder / name.partition("/")[0]) in message
    assert message.count(f"build_index(SOURCES, {str(index)!r})") == 1
