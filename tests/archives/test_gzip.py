"""Gzip files, as Python's own reader reads them."""

from __future__ import annotations

import gzip
import io
import zlib
from contextlib import suppress
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_search.archives.containers.compressed import GZIP, open_compressed


def content(data: bytes, size: int = -1, behind: list[int] | None = None) -> bytes:
    with open_compressed(
        io.BytesIO(data), GZIP, lambda position: None, ([] if behind is None else behind).append
    ) as stream:
        return b"".join(iter(lambda: stream.read(size), b""))


def before_damage(data: bytes) -> bytes:
    """Read until an error."""
    found = b""
    with open_compressed(io.BytesIO(data), GZIP, lambda position: None, lambda position: None) as stream:
        reader = cast(io.BufferedReader, stream)
        with suppress(EOFError, zlib.error):
            while piece := reader.read1():
                found += piece
    return found


@given(st.lists(st.binary(max_size=5000)), st.integers(0, 600), st.sampled_from([-1, 1, 100]))
def test_gzip_files_behind_one_another_are_one_stream(parts: list[bytes], padding: int, size: int) -> None:
    """With zeros between and behind them, as tapes and disks leave them."""
    data = b"".join(gzip.compress(part) + bytes(padding) for part in parts)
    assert content(data or gzip.compress(b""), size) == b"".join(parts)


def test_long_contents_are_read_whole() -> None:
    """Across all buffers, also what packs a thousand to one."""
    data = bytes(3_000_000) + bytes(range(256)) * 10_000
    assert content(gzip.compress(data)) == data


@pytest.mark.parametrize("cut", [1, 8, 9, 20])
def test_a_file_that_is_cut_short_is_told(cut: int) -> None:
    """Also one whose content is all there, and only the checksum is not."""
    with pytest.raises(EOFError, match="before its end"):
        content(gzip.compress(b"content " * 100)[:-cut])


@given(st.data())
def test_any_change_is_noticed(data: st.DataObject) -> None:
    """A flipped byte gives what was packed, or an error."""
    good = gzip.compress(b"content " * 20, mtime=0)
    bad = bytearray(good)
    bad[data.draw(st.integers(0, len(good) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        assert content(bytes(bad)) == b"content " * 20
    except (EOFError, zlib.error) as error:
        assert str(error)


@pytest.mark.parametrize("rest", [b"s", b"\x1f", b"something else", b"\x1f\x8a", b"x" * 1_000_000])
@pytest.mark.parametrize("padding", [0, 1, 70_000])
def test_something_else_behind_it_is_told(rest: bytes, padding: int) -> None:
    """All before it is given, and where it begins is told, padding left aside."""
    good = gzip.compress(b"content") + gzip.compress(b" and more")
    behind: list[int] = []
    assert content(good + bytes(padding) + rest, behind=behind) == b"content and more"
    assert set(behind) == {len(good) + padding}


@pytest.mark.parametrize("members", [1, 3])
def test_what_comes_before_damage_is_given(members: int) -> None:
    """A file that is cut, one with a byte changed, and one whose checksum is wrong: nothing before it is lost."""
    text = b"".join(b"line %d\n" % number for number in range(20_000))
    part = gzip.compress(text)
    good = part * (members - 1)
    assert before_damage(good + part[:-7]) == text * members
    assert before_damage(good + part[:-8] + b"12345678") == text * members
    half = good + part[: len(part) // 2]
    cut = before_damage(half)
    assert (text * members).startswith(cut)
    assert len(cut) > len(text) * (members - 1) + len(text) // 4
    assert before_damage(half + b"\xff" * 100_000).startswith(cut)


def test_how_much_came_out_is_told_before_it_is_given() -> None:
    """So that a limit on it is never passed."""

    def stop(position: int) -> None:
        if position > 100_000:
            raise OverflowError(position)

    packed = io.BytesIO(gzip.compress(bytes(1_000_000)))
    with open_compressed(packed, GZIP, stop, lambda position: None) as stream, pytest.raises(OverflowError):
        stream.read()
