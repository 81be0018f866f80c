"""Limits on one archive: sizes, counts and depth, and how people write sizes."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from qa_search.util.parameters import require, require_whole

_UNITS = {
    "": 1, "b": 1, "bytes": 1,
    "k": 10**3, "kb": 10**3, "kib": 1 << 10,
    "m": 10**6, "mb": 10**6, "mib": 1 << 20,
    "g": 10**9, "gb": 10**9, "gib": 1 << 30,
    "t": 10**12, "tb": 10**12, "tib": 1 << 40,
}  # fmt: skip
_SHOWN_UNITS = ("TiB", "TB", "GiB", "GB", "MiB", "MB", "KiB", "kB")


def parse_size(text: str) -> int:
    """Read a size in bytes as people write it: ``16GB``, ``64 MiB``, ``1.5g`` or ``4096``.

    KB, MB, GB and TB (or K, M, G, T) count in thousands, KiB, MiB, GiB and TiB in 1,024s.

    Raises:
        ValueError: if the text is not a size.
    """
    match = re.fullmatch(r"\s*(\d{1,20}(?:\.\d{1,15})?)\s*([a-z]*)\s*", text.replace(",", "").lower(), re.ASCII)
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"{text[:40]!r} is not a size, such as 500MB or 16GiB")
    whole, _, part = match[1].partition(".")
    unit = _UNITS[match[2]]
    return int(whole) * unit + int(part or 0) * unit // int(10 ** len(part))


def format_size(size: int) -> str:
    """Write a size for people, in the largest unit that it is a whole number of; `parse_size` reads it back."""
    for name in _SHOWN_UNITS:
        unit = _UNITS[name.lower()]
        if size and size % unit == 0:
            return f"{size // unit:,} {name}"
    return f"{size:,} bytes"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits on an archive and its contents. What is over a limit is set aside, and the rest is read.

    They protect from broken and malicious archives: no known real archive comes near them.
    """

    post_characters: int = 1_000_000
    """The most characters of a post, all of its texts together."""

    record_bytes: int = 64 << 20
    """The most bytes of one line, table row, JSON value, dump row or page file."""

    unpacked_bytes: int = 16 << 30
    """The most bytes that one .gz, .bz2, .xz, .zst, .zip or .7z may unpack to, those nested in it included."""

    files: int = 1_000_000
    """The most files in one .zip, .7z or .tar, those nested in it included."""

    nesting: int = 4
    """How many .gz, .bz2, .xz, .zst, .zip, .7z and .tar may lie within one another; a .tar.gz counts as two."""

    ratio: int = 1000
    """How many times its own size a .gz, .bz2, .xz, .zst, .zip or .7z may unpack to ..."""

    ratio_from: int = 64 << 20
    """... once it unpacks to more bytes than this."""

    scratch_free: int = 64 << 20
    """How many bytes are always left free on the disk to which archives are unpacked."""

    notes: int = 10_000
    """How many posts of one file are set aside one by one; from there on they are only counted."""

    def __post_init__(self) -> None:
        for limit in fields(self):
            require_whole(limit.name, getattr(self, limit.name), 0 if limit.name == "scratch_free" else 1)


def require_limits(limits: object) -> None:
    """Refuse what is neither limits nor None.

    Raises:
        QueryError: if it is neither.
    """
    require(limits is None or isinstance(limits, Limits), "limits", limits, "Limits(...) or None")
