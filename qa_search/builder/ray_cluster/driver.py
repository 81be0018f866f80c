"""The driver of a Ray job, in a process of its own: takes blocks from its standard input, and writes vectors.

It ends with the process that started it, and Ray then ends the job.
"""

from __future__ import annotations

import os
import pickle
import re
import sys
import threading
import time
from dataclasses import replace
from typing import Any, BinaryIO

from qa_search.builder.ray_cluster.shipment import EncoderPackage

# How often Ray runs a block again whose worker or node was lost. Without a limit, a passage that ends the process
# that embeds it would be tried for ever.
_RETRIES = 5


def main() -> None:
    """Connect to the cluster and execute orders until the input ends. Arguments: parent process, address."""
    messages = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what Ray prints must not be taken for a message
    parent, address = sys.argv[1:]
    threading.Thread(target=_end_with, args=(int(parent),), daemon=True).start()
    try:
        _connect(address, messages)
        _serve(sys.stdin.buffer, messages)
    except Exception as error:  # reported where it can be turned into advice
        _send(messages, "error", _in_words(error))


def _end_with(parent: int) -> None:
    """End this process when the one that started it is gone, whatever Ray is in the middle of."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _connect(address: str, messages: BinaryIO) -> None:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    ray.init(address=address, log_to_driver=False, logging_level="ERROR", configure_logging=True)
    cpus = int(ray.cluster_resources().get("CPU", 0))
    if cpus < 1:
        raise RuntimeError("none of its nodes offers a CPU (ray start --num-cpus)")
    _send(messages, "connected", {"cpus": cpus})


def _serve(orders: BinaryIO, messages: BinaryIO) -> None:
    import pyarrow as pa
    import ray

    shipment: EncoderPackage | None = None
    blocks: list[Any] = []
    while True:
        try:
            kind, content = pickle.load(orders)  # noqa: S301 - from the process that started this one
        except EOFError:
            return
        if kind == "encoder":
            shipment = replace(content, files={name: ray.put(data) for name, data in content.files.items()})
        elif kind == "block":
            name, texts = content
            blocks.append(ray.put(pa.table({"block": [name], "texts": [texts]})))
        elif shipment is not None:
            _run(blocks, shipment, messages)
            blocks = []
            _send(messages, "vectors", None)


def _run(blocks: list[Any], shipment: EncoderPackage, messages: BinaryIO) -> None:
    """Embed blocks on the cluster, and pass each on when it is done.

    By tasks rather than actors: a task of a lost node runs on another one at once; an actor's would wait for ever for a
    place to restart, where no node has one. The encoder is loaded once in a process all the same.
    """
    import ray

    from qa_search.builder.ray_cluster.worker import embed_block

    ray.data.DataContext.get_current().enable_progress_bars = False
    embedded = ray.data.from_arrow_refs(blocks).map_batches(
        embed_block,
        batch_size=None,  # as they are
        batch_format="pyarrow",
        zero_copy_batch=True,
        fn_args=(shipment,),
        num_cpus=1,
        max_retries=_RETRIES,
    )
    for table in embedded.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
        for row in table.to_pylist():
            _send(messages, "vectors", row)


def _send(messages: BinaryIO, kind: str, content: object) -> None:
    pickle.dump((kind, content), messages)
    messages.flush()


def _in_words(error: BaseException) -> str:
    """Describe an error in one line, without Ray's traceback of another machine."""
    if "No module named 'qa_search" in str(error):
        place = re.search(r"\bip=([^,)]+)", str(error))
        return f"its node {place[1] if place else ''} has no qa-search: install there what this machine has".replace(
            "  ", " "
        )
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    text = " ".join(lines if len(lines) <= 4 else [lines[0], "...", lines[-1]])
    return f"{type(error).__name__}: {' '.join(text.split())[:400]}".rstrip(".")
