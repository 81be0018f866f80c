"""Embed passages on the nodes of a Ray cluster: ``build_index(..., ray=ADDRESS)``.

::

    build ──texts──▶ driver.py, a process of its own ──Ray Data──▶ worker.py on any node
          ◀─vectors─      (the job's driver)         ◀──blocks───  (the encoder, one thread)

The driver is a process of its own because Ray ends a driver whose cluster is lost, with a status of its own, prints to
standard output and handles signals. Only there and on the nodes is Ray imported.

A block is some passages that are embedded together. Its name is a hash of their keys and of what embeds them, and its
vectors come back with a hash of their bytes. Ray may run a block twice, where a node was lost; it is taken once.
"""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

import numpy as np

from qa_search.builder.ray_cluster.shipment import EncoderPackage
from qa_search.embedders.base import Vectors, checked_vectors
from qa_search.errors import ClusterError, IndexDamagedError, MissingExtraError, ModelError
from qa_search.index.encoders import BuildEncoder
from qa_search.index.manifest import ExportedEncoder, OriginalEncoder
from qa_search.util.files import read_file

# A second's work of one core, more or less: what a node that is lost costs for each of its cores.
BLOCK_PASSAGES = 256
# How much is handed over at a time: enough that the end of a window, where nodes wait for the last one, hardly counts.
_WINDOW_BLOCKS_PER_CPU = 64
_WINDOW_BLOCKS = 1024
_CONNECT_SECONDS = 45.0
_REACH_SECONDS = 5.0
_PROBES = 4
_KEPT = "What was embedded so far is kept: the next build continues from there, on a cluster or not"

Passages = list[tuple[bytes, str]]


@dataclass
class _Window:
    """The blocks that are on their way: the keys of each by its name."""

    keys: dict[bytes, list[bytes]] = field(default_factory=dict)
    seen: set[bytes] = field(default_factory=set)
    rest: Passages = field(default_factory=list)


class RayCluster:
    """A connection to a Ray cluster. Close it, or use it in a ``with`` block."""

    def __init__(self, address: str) -> None:
        """Connect.

        Args:
            address: "auto" for the cluster that this machine is a node of, or HOST:PORT of its head node.

        Raises:
            MissingExtraError: if Ray is not installed here.
            ClusterError: if nothing answers there, or it is another version of Ray.
        """
        _require_address(address)
        if find_spec("ray") is None or find_spec("pyarrow") is None:
            raise MissingExtraError.of("ray", "a Ray cluster", "ray")
        _require_listener(address)
        self._address = address
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        # -P: nothing in the folder that somebody happens to be in is imported.
        program = [sys.executable, "-P", "-c", "from qa_search.builder.ray_cluster.driver import main; main()"]
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, with an address that was checked
            [*program, str(os.getpid()), address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            start_new_session=True,  # an interrupt from the keyboard is for the build, which ends this
        )
        self._orders = cast("IO[bytes]", self._process.stdin)
        self._messages = cast("IO[bytes]", self._process.stdout)
        impatience = threading.Timer(_CONNECT_SECONDS, self._process.kill)
        impatience.start()
        try:
            self.cpus = int(self._receive("connected")["cpus"])
        except BaseException:
            self.close()
            raise
        finally:
            impatience.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the job. Unfinished blocks are dropped."""
        self._process.kill()
        self._messages.close()
        with suppress(BrokenPipeError):  # it had not read everything
            self._orders.close()
        self._process.wait()
        self._said.close()

    def embed(
        self, encoder: BuildEncoder, encoders: Path, groups: Iterable[Passages]
    ) -> Iterator[tuple[list[bytes], Vectors]]:
        """Embed passages, given by key and text; yield keys and vectors of each block as it is done.

        A group is taken when there is room for it: when the vectors of all before it have been yielded, or are on
        their way together with it. A key that comes twice on the way is embedded once.

        Raises:
            ClusterError: if the cluster is lost, or a node cannot embed as this machine does.
            ModelError: if the exported encoder is missing.
        """
        shipped = False
        window = _Window()
        for group in groups:
            new = [(key, text) for key, text in dict(group).items() if key not in window.seen]
            if not new:
                continue
            if not shipped:
                self._send("encoder", _shipment(encoder, encoders, [text for _, text in new[:_PROBES]]))
                shipped = True
            window.seen.update(key for key, _ in new)
            window.rest += new
            while len(window.rest) >= BLOCK_PASSAGES:
                self._send_block(encoder, window)
            if len(window.keys) >= min(_WINDOW_BLOCKS_PER_CPU * self.cpus, _WINDOW_BLOCKS):
                yield from self._finish(encoder, window)
                window = _Window()
        yield from self._finish(encoder, window)

    def _send_block(self, encoder: BuildEncoder, window: _Window) -> None:
        block, window.rest = window.rest[:BLOCK_PASSAGES], window.rest[BLOCK_PASSAGES:]
        keys = [key for key, _ in block]
        name = blake2b(encoder.vectors_id.encode() + b"".join(keys), digest_size=16).digest()
        window.keys[name] = keys
        self._send("block", (name, [text for _, text in block]))

    def _finish(self, encoder: BuildEncoder, window: _Window) -> Iterator[tuple[list[bytes], Vectors]]:
        """Wait for the blocks on their way and yield each."""
        if window.rest:
            self._send_block(encoder, window)
        if not window.keys:
            return
        self._send("run", None)
        missing = dict(window.keys)
        while (found := self._receive("vectors")) is not None:
            if found["error"]:
                raise ClusterError(f"the Ray node {found['node']} {found['error']}. {_KEPT}.")
            data, keys = found["vectors"], missing.pop(found["block"], None)
            if keys is None:
                continue  # it was computed twice
            if blake2b(data, digest_size=16).digest() != found["sum"]:
                raise ClusterError(f"vectors from the Ray node {found['node']} were damaged on their way. {_KEPT}.")
            vectors = np.frombuffer(data, np.float32).reshape(-1, encoder.embedder.dimension)
            yield keys, checked_vectors(vectors, len(keys), encoder.embedder)
        if missing:
            raise ClusterError(f"the Ray cluster at {self._address} left out {len(missing)} blocks. {_KEPT}.")

    def _send(self, kind: str, content: object) -> None:
        try:
            pickle.dump((kind, content), self._orders)
            self._orders.flush()
        except BrokenPipeError:
            self._receive(kind)  # raises: it may have said why
            raise

    def _receive(self, kind: str) -> Any:
        """Wait for a message of the driver.

        Raises:
            ClusterError: if the driver reports a failure, or has ended.
        """
        try:
            found, content = pickle.load(self._messages)  # noqa: S301 - our own process
        except (EOFError, pickle.UnpicklingError):
            what = "does not answer as one" if kind == "connected" else "was lost"
            found, content = "error", f"it {what} ({self._last_words()})"
        if found == "error":
            raise ClusterError(f"the Ray cluster at {self._address}: {content}. {self._way_out(kind)}.")
        return content

    def _way_out(self, kind: str) -> str:
        if kind != "connected":
            return _KEPT
        return (
            "A build connects through a node on its own machine: see that `ray status` answers here, else start one "
            "with `ray start --address=HEAD:PORT`"
        )

    def _last_words(self) -> str:
        """Return the last that the driver wrote to its standard error."""
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return " ".join(lines[-1].split())[:300] if lines else "nothing was said"


def _require_address(address: str) -> None:
    """Check an address's form.

    Raises:
        ClusterError: if it is neither "auto" nor HOST:PORT.
    """
    host, _, port = address.rpartition(":")
    if address == "auto" or (host and port.isascii() and port.isdigit() and "/" not in host):
        return
    hint = " Addresses of ray:// are for clients of another kind." if address.startswith("ray://") else ""
    raise ClusterError(
        f"ray: {address} is invalid. Name auto, or HOST:PORT of the cluster's head node.{hint}", parameter="ray"
    )


def _require_listener(address: str) -> None:
    """Check that something listens there. Ray would try for a minute, and not report the reason.

    Raises:
        ClusterError: if nothing does.
    """
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACH_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"ray: nothing answers at {address} ({error}). Start a cluster with `ray start --head`, or see that "
            "this machine reaches it.",
            parameter="ray",
        ) from error


def _shipment(encoder: BuildEncoder, encoders: Path, probes: list[str]) -> EncoderPackage:
    """Pack what nodes need to embed as this machine does.

    Raises:
        ModelError: if the encoder is not an exported one.
        IndexDamagedError: if a checksum of its files does not match.
    """
    record = encoder.record
    if not isinstance(record, ExportedEncoder):
        why = f" ({record.why})" if isinstance(record, OriginalEncoder) and record.why else ""
        raise ModelError(
            f"ray: a cluster embeds by an exported encoder, and this model has none{why}. Build without a cluster.",
            parameter="ray",
        )
    files = {}
    for name, written in record.files.items():
        path = encoders / record.folder / name
        files[name] = read_file(path, written.bytes)
        if sha256(files[name]).hexdigest() != written.sha256:
            raise IndexDamagedError(f"{path}: checksum mismatch (SHA-256). Build with rebuild=True.")
    return EncoderPackage(
        version=version("qa-search"),
        vectors_id=encoder.vectors_id,
        sums={name: written.sha256 for name, written in record.files.items()},
        files=files,
        probes=tuple(probes),
        expected=encoder.embedder.embed_passages(probes).tobytes(),
    )
