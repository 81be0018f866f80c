"""Builds on a real Ray cluster of two nodes: as a local build's vectors, and whoever dies, little is lost."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest

from devtools.ray_nodes import RayNodes
from qa_search import build_index
from qa_search.builder import ray_cluster as cluster
from qa_search.builder.ray_cluster.shipment import EncoderPackage
from qa_search.embedders.base import Vectors
from qa_search.embedders.onnx import OnnxEmbedder
from qa_search.errors import ClusterError, MissingExtraError, ModelError
from qa_search.index.folder import IndexFolder
from qa_search.index.folder_stores import open_folder
from qa_search.index.owned import ENCODERS, WORK
from qa_search.index.verify import verify_index
from tests.helpers import ROOT, SAMPLE_ARCHIVE, WordsEmbedder, posts_in, write_jsonl, write_pages

POSTS = 1_024
BLOCK = 256
SECONDS = 600


@pytest.fixture(scope="module")
def nodes() -> Iterator[RayNodes]:
    """A cluster of two nodes; a test that kills one, or needs both, has them started again."""
    pytest.importorskip("ray", reason="Ray is an extra, and not installed")
    with RayNodes(notice_seconds=3) as running:
        yield running


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive that takes two nodes some seconds: the sample's questions again and again, each a little different."""
    texts = [post.question for post in posts_in(SAMPLE_ARCHIVE)]
    questions = [{"question": f"Case {number}. {texts[number % len(texts)][:150]}"} for number in range(POSTS)]
    return write_jsonl(tmp_path_factory.mktemp("archive") / "questions.jsonl", questions)


@pytest.fixture(scope="module")
def local(archive: Path, built_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Vectors:
    """The vectors that a local build of the archive gives."""
    folder = with_encoder(tmp_path_factory.mktemp("local"), built_sample)
    assert build_index(archive, folder, keep_unanswered=True).embedded == POSTS
    return vectors_of(folder)


@pytest.fixture
def index(built_sample: Path, tmp_path: Path) -> Path:
    """A folder without an index that has the encoder."""
    return with_encoder(tmp_path / "index", built_sample)


def with_encoder(folder: Path, built: Path) -> Path:
    """Copy an index's encoder: exporting it takes a while, and is not what is tested."""
    shutil.copytree(built / ENCODERS, folder / ENCODERS)
    return folder


def start_build(nodes: RayNodes, source: Path, index: Path, **environment: str) -> subprocess.Popen[str]:
    """Start a build that embeds on the cluster."""
    program = [sys.executable, "-m", "qa_search", "build", str(source), "--index", str(index), "--json", "--quiet"]
    return subprocess.Popen(
        nodes.command(*program, "--keep-unanswered", "--ray", nodes.address),
        cwd=ROOT,
        env={**nodes.environment, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for a program; return its status and what it wrote."""
    try:
        stdout, stderr = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    return process.returncode, stdout, stderr


def report_of(process: subprocess.Popen[str]) -> dict[str, int]:
    """Wait for a build that must succeed; return its report, the only thing that it wrote."""
    status, stdout, stderr = finish(process)
    assert (status, stderr) == (0, "")
    report: dict[str, int] = json.loads(stdout)
    return report


def kept(index: Path) -> int:
    """How many vectors the build that runs, or was killed, has kept so far."""
    found = 0
    for path in (index / WORK).glob("*.sqlite"):
        try:
            db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
            found += int(next(iter(db.execute("SELECT count(*) FROM computed")))[0])
            db.close()
        except apsw.Error:
            continue  # it is being made
    return found


def wait_until_kept(process: subprocess.Popen[str], index: Path, count: int) -> None:
    """Wait until a build has kept as many vectors."""
    end = time.monotonic() + SECONDS
    while kept(index) < count:
        assert process.poll() is None, finish(process)
        assert time.monotonic() < end, "nothing is embedded"
        time.sleep(0.02)


def vectors_of(index: Path) -> Vectors:
    """All vectors of an index, in order."""
    generation = IndexFolder(index).current()
    store = open_folder(generation.folder, generation.manifest, generation.file_names).vectors
    return store.reconstruct(np.arange(store.count))


def require_whole(index: Path, local: Vectors) -> None:
    """Check that an index is what a local build gives."""
    assert verify_index(index).ok
    found = vectors_of(index)
    assert found.shape == local.shape
    assert np.abs(found - local).max() <= 1e-6


def child_of(process: subprocess.Popen[str]) -> int:
    """The process that a build started: Ray's driver."""
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()[0])


def test_vectors_are_those_of_a_local_build(nodes: RayNodes, index: Path, archive: Path, local: Vectors) -> None:
    """Within 1e-6, by the real model; a second build finds nothing to embed."""
    nodes.ensure(0, 1)
    few = index.parent / "few.jsonl"
    few.write_text("".join(archive.read_text(encoding="utf-8").splitlines(keepends=True)[:300]), encoding="utf-8")
    report = report_of(start_build(nodes, few, index))
    assert (report["posts"], report["embedded"], report["reused"]) == (300, 300, 0)
    require_whole(index, local[:300])
    assert not (index / WORK).exists()
    assert report_of(start_build(nodes, few, index))["embedded"] == 0


def test_a_node_that_is_killed_costs_only_its_blocks(
    nodes: RayNodes, index: Path, archive: Path, local: Vectors
) -> None:
    """The build goes on on the other node and ends; every passage is embedded, and counted once."""
    nodes.ensure(0, 1)
    building = start_build(nodes, archive, index)
    wait_until_kept(building, index, 2 * BLOCK)
    nodes.kill(1)
    assert kept(index) < POSTS
    assert report_of(building)["embedded"] == POSTS
    require_whole(index, local)


def test_a_driver_that_is_killed_is_resumed(nodes: RayNodes, index: Path, archive: Path, local: Vectors) -> None:
    """Ray's own driver ends with it, and only what was in flight is embedded again."""
    nodes.ensure(0, 1)
    building = start_build(nodes, archive, index)
    wait_until_kept(building, index, 2 * BLOCK)
    driver = child_of(building)
    building.kill()
    finish(building)
    found = kept(index)
    assert 2 * BLOCK <= found < POSTS
    end = time.monotonic() + SECONDS
    while Path(f"/proc/{driver}").exists():
        assert time.monotonic() < end, "Ray's driver outlives the build"
        time.sleep(0.05)

    report = report_of(start_build(nodes, archive, index))
    assert (report["embedded"], report["reused"]) == (POSTS - found, found)
    require_whole(index, local)


def test_a_node_with_another_version_is_told(nodes: RayNodes, index: Path, archive: Path) -> None:
    """By the node's address and both versions; nothing is published."""
    nodes.ensure(0, 1)
    nodes.kill(1)
    other = index.parent / "qa_search-9.9.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: qa-search\nVersion: 9.9\n", encoding="utf-8")
    nodes.ensure(1, environment={"PYTHONPATH": str(other.parent)})
    try:
        status, stdout, stderr = finish(start_build(nodes, archive, index))
    finally:
        nodes.kill(1)
    assert (status, stdout) == (3, "")
    assert re.match(r"Error: the Ray node 127\.0\.0\.2 \(.*\) has qa-search 9\.9, and the building machine ", stderr)
    assert not (index / "CURRENT").exists()


def test_a_cluster_that_is_lost_ends_the_build_and_not_its_work(
    nodes: RayNodes, index: Path, archive: Path, local: Vectors
) -> None:
    """With one message, after Ray has tried to find it again; a local build goes on from there."""
    nodes.ensure(0, 1)
    building = start_build(nodes, archive, index, RAY_gcs_rpc_server_reconnect_timeout_s="2")
    wait_until_kept(building, index, 2 * BLOCK)
    nodes.kill(0)
    nodes.kill(1)
    status, stdout, stderr = finish(building)
    assert (status, stdout) == (3, "")
    assert re.match(r"Error: the Ray cluster at \S+: it was lost .*What was embedded so far is kept", stderr)
    found = kept(index)
    assert found >= 2 * BLOCK
    assert build_index(archive, index, keep_unanswered=True).embedded == POSTS - found
    require_whole(index, local)


def test_what_a_node_cannot_trust_is_told(built_sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are not what was sent, and vectors that are not those of the building machine."""
    pytest.importorskip("ray", reason="Ray is an extra, and not installed")
    import pyarrow

    from qa_search.builder.ray_cluster import worker

    monkeypatch.setattr("ray.get", lambda references: references)
    (folder,) = (path.parent for path in (built_sample / ENCODERS).glob("*/model.onnx"))
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    expected = OnnxEmbedder(folder).embed_passages(["sore knee", "numb toes"])
    sent = EncoderPackage(version("qa-search"), "id", sums, files, ("sore knee", "numb toes"), expected.tobytes())
    table = pyarrow.table({"block": [b"name"], "texts": [["numb toes"]]})

    def answer(shipment: EncoderPackage) -> dict[str, bytes | str]:
        monkeypatch.setattr(worker, "_loaded", {})
        (row,) = worker.embed_block(table, shipment).to_pylist()
        return dict(row)

    good = answer(sent)
    assert (good["error"], good["vectors"]) == ("", expected[1].tobytes())
    damaged = answer(replace(sent, files={**files, "tokenizer.json": b"{}"}))
    assert (damaged["error"], damaged["vectors"]) == ("received a damaged tokenizer.json of the encoder", b"")
    other = answer(replace(sent, expected=(expected + np.float32(2e-6)).tobytes()))
    assert re.match(r"computes other vectors than the building machine \(they differ by up to 2", str(other["error"]))


@pytest.mark.parametrize("address", ["", "here", "host:", "host:port", ":6379", "ray://host:10001", "local"])
def test_an_address_that_is_none_is_told(address: str, tmp_path: Path) -> None:
    """Before anything is read or started."""
    with pytest.raises(ClusterError, match=rf"^ray: {address} is invalid. Name auto, or HOST:PORT"):
        build_index(write_pages(tmp_path / "pages", 1), tmp_path / "index", ray=address)


def test_a_missing_extra_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"not installed \(ray\): pip install 'qa-search\[ray\]'"):
        build_index(write_pages(tmp_path / "pages", 1), tmp_path / "index", ray="auto")


def test_a_cluster_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once where nobody listens, and after a while where it is somebody else who does."""
    pytest.importorskip("ray", reason="Ray is an extra, and not installed")
    pages = write_pages(tmp_path / "pages", 1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 2.0)
        with pytest.raises(ClusterError, match=rf"the Ray cluster at {address}: it does not answer as one .*ray start"):
            build_index(pages, tmp_path / "index", ray=address)
    with pytest.raises(ClusterError, match=rf"ray: nothing answers at {address}"):
        build_index(pages, tmp_path / "index", ray=address)
    assert not list((tmp_path / "index").glob("generations/*"))


@pytest.mark.parametrize(
    "options", [{"model": WordsEmbedder()}, {"device": "cuda"}, {"precision": "bf16"}], ids=["given", "cuda", "bf16"]
)
def test_what_cannot_be_sent_to_nodes_is_told(options: dict[str, Any], tmp_path: Path) -> None:
    """They run exported encoders and nothing else."""
    with pytest.raises(ModelError, match="exported encoder"):
        build_index(write_pages(tmp_path / "pages", 1), tmp_path / "index", ray="auto", **options)
