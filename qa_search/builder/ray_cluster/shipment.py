"""What a node of a cluster needs to embed as the building machine does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# How far a node's vectors may be from those of the building machine.
TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class EncoderPackage:
    """An exported encoder, with vectors to check that it computes the same elsewhere.

    ``files`` holds each file's bytes, or on their way through Ray a reference to them; ``sums`` their SHA-256.
    ``expected`` are the bytes of the vectors that the building machine computes for the ``probes``.
    """

    version: str
    vectors_id: str
    sums: Mapping[str, str]
    files: Mapping[str, Any]
    probes: tuple[str, ...]
    expected: bytes
