"""What runs on the nodes of a Ray cluster: the encoder, once in each worker process, and blocks of passages."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import ray

from qa_search.builder.ray_cluster.shipment import TOLERANCE, EncoderPackage
from qa_search.embedders.base import checked_vectors
from qa_search.embedders.onnx import OnnxEmbedder

_loaded: dict[tuple[str, ...], OnnxEmbedder] = {}


class UnfitError(Exception):
    """A node does not embed as the building machine does; the message goes on from "the node ..."."""


def embed_block(table: pa.Table, shipment: EncoderPackage) -> pa.Table:
    """Embed blocks: a row of name and texts each.

    A failure is part of the result: an exception would come in Ray's words and without the node's name.
    """
    rows = [_row(row["block"], row["texts"], shipment) for row in table.to_pylist()]
    return pa.Table.from_pylist(rows, _SCHEMA)


_SCHEMA = pa.schema(
    [
        ("block", pa.binary()),
        ("vectors", pa.large_binary()),
        ("sum", pa.binary()),
        ("node", pa.string()),
        ("error", pa.string()),
    ]
)


def _row(name: bytes, texts: Sequence[str], shipment: EncoderPackage) -> dict[str, bytes | str]:
    data, error = b"", ""
    try:
        embedder = _embedder(shipment)
        data = checked_vectors(embedder.embed_passages(texts), len(texts), embedder).tobytes()
    except UnfitError as unfit:
        error = str(unfit)
    except Exception as failure:  # whatever it is, it must arrive
        error = f"failed to embed ({type(failure).__name__}: {' '.join(str(failure).split())[:300]})"
    digest = hashlib.blake2b(data, digest_size=16).digest()
    node = f"{ray.util.get_node_ip_address()} ({socket.gethostname()})"
    return {"block": name, "vectors": data, "sum": digest, "node": node, "error": error}


def _embedder(shipment: EncoderPackage) -> OnnxEmbedder:
    """Return the encoder, loaded and compared with the building machine's once in a process."""
    key = (shipment.version, *shipment.sums.values())
    if key not in _loaded:
        _loaded.clear()
        _loaded[key] = _checked_embedder(shipment)
    return _loaded[key]


def _checked_embedder(shipment: EncoderPackage) -> OnnxEmbedder:
    own = version("qa-search")
    if own != shipment.version:
        raise UnfitError(f"has qa-search {own}, and the building machine {shipment.version}: install the same on both")
    # It is read into memory as it is loaded.
    with TemporaryDirectory(prefix="qa-search-") as scratch:
        for name, data in zip(shipment.files, ray.get(list(shipment.files.values())), strict=True):
            if hashlib.sha256(data).hexdigest() != shipment.sums[name]:
                raise UnfitError(f"received a damaged {name} of the encoder")
            Path(scratch, name).write_bytes(data)
        # One thread: Ray runs as many of these as the node has cores to offer.
        embedder = OnnxEmbedder(Path(scratch), threads=1)
    expected = np.frombuffer(shipment.expected, np.float32).reshape(len(shipment.probes), -1)
    difference = float(np.abs(embedder.embed_passages(shipment.probes) - expected).max())
    if not difference <= TOLERANCE:
        raise UnfitError(
            f"computes other vectors than the building machine (they differ by up to {difference:.1e}; processors with "
            "other instructions round int8 differently): take it out of the cluster, or build with precision=fp32"
        )
    return embedder
