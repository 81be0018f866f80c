"""Gzip files, as Python's own reader reads them."""

from __future__ import annotations

import gzip
import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_search.archives.containers.gzip import open_gzip


def content(data: bytes, size: int = -1) -> bytes:
    with open_gzip(io.BytesIO(data), lambda position: None) as stream:
        return b"".join(iter(lambda: stream.read(size), b""))


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


def test_something_else_behind_it_is_an_error() -> None:
    """As it is for Python: it could be anything."""
    with pytest.raises(zlib.error, match="incorrect header"):
        content(gzip.compress(b"content") + b"something else")


def test_how_much_came_out_is_told_before_it_is_given() -> None:
    """So that a limit on it is never passed."""

    def stop(position: int) -> None:
        if position > 100_000:
            raise OverflowError(position)

    with open_gzip(io.BytesIO(gzip.compress(bytes(1_000_000))), stop) as stream, pytest.raises(OverflowError):
        stream.read()
