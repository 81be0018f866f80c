"""Nothing in; a port out that a server can listen on."""

from __future__ import annotations

import itertools
import os
import socket
from contextlib import suppress
from pathlib import Path

_FIRST = 10_000
_OF_ONE_WORKER = 200
_given = itertools.count()


def free_port() -> int:
    """Return a free port, of those that the system does not give to programs that ask for any.

    Other tests ask for any: one of them could take a port of those before the server does that it is meant for.
    """
    beyond = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for port in range(_FIRST + _OF_ONE_WORKER * worker + next(_given), beyond):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError("no port is free")
