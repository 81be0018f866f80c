"""Zip files, as Python's own reader reads them."""

from __future__ import annotations

import io
import lzma
import random
import zipfile
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_search.archives.base import UnknownCompressionError
from qa_search.archives.containers.zip import open_entry, zip_entries

METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
_NOISE = random.Random(1).randbytes(200_000)  # noqa: S311 - the same each time


def zipped(
    files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"", before: bytes = b""
) -> bytes:
    buffer = io.BytesIO()
    buffer.write(before)
    with zipfile.ZipFile(buffer, "a" if before else "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.comment = comment
    return buffer.getvalue()


def contents(data: bytes) -> dict[str, bytes]:
    stream = io.BytesIO(data)
    return {entry.name: open_entry(stream, entry).read() for entry in zip_entries(stream)}


FILES = {"a.txt": b"", "ü/b.txt": b"text " * 1000, "noise": _NOISE, "zeros": bytes(1_000_000)}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("comment", [b"", b"PK\5\6" + b"c" * 60_000])
@pytest.mark.parametrize("before", [b"", b"#!/bin/sh\n" * 100])
def test_every_method_is_read(method: int, comment: bytes, before: bytes) -> None:
    """Whatever stands before the zip and in its comment."""
    data = zipped(FILES, method, comment[4:], before)
    assert contents(data) == FILES


def test_large_sizes_and_offsets_are_read() -> None:
    """As the 64-bit extension writes them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, archive.open("a.txt", "w", force_zip64=True) as entry:
        entry.write(b"text")
    assert contents(buffer.getvalue()) == {"a.txt": b"text"}
    many = {f"{number}.txt": b"" for number in range(70_000)}
    assert contents(zipped(many, zipfile.ZIP_STORED)) == many


@given(st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), st.binary()),
       st.sampled_from(METHODS))  # fmt: skip
def test_what_python_writes_is_read(files: dict[str, bytes], method: int) -> None:
    """Names and contents, byte for byte."""
    assert contents(zipped(files, method)) == files


@pytest.mark.parametrize("method", METHODS)
def test_no_more_comes_out_than_is_asked_for(method: int) -> None:
    """However much a compressor made of it: so memory stays small."""
    stream = io.BytesIO(zipped({"zeros": bytes(5_000_000)}, method))
    (entry,) = zip_entries(stream)
    packed = open_entry(stream, entry)
    pieces = [len(piece) for piece in iter(lambda: packed.read(10_000), b"")]
    assert sum(pieces) == 5_000_000
    assert max(pieces) == 10_000


@given(st.data())
def test_any_change_is_noticed(data: st.DataObject) -> None:
    """A flipped byte gives what was packed, or an error, never something else."""
    method = data.draw(st.sampled_from(METHODS))
    good = zipped({"a.txt": b"some text " * 50}, method)
    place = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[place] ^= data.draw(st.integers(1, 255))
    try:
        found = list(contents(bytes(bad)).values())
    except (zipfile.BadZipFile, UnknownCompressionError, zlib.error, lzma.LZMAError, OSError):
        return
    # A directory that says less than there is cannot be told from one that is right.
    assert found in ([b"some text " * 50], [b""], [])


@pytest.mark.parametrize("length", [0, 3, 22, 100, 400])
def test_a_zip_that_is_cut_short_is_damaged(length: int) -> None:
    """There is no directory to go by."""
    with pytest.raises(zipfile.BadZipFile):
        list(zip_entries(io.BytesIO(zipped(FILES)[:length])))


def test_a_name_that_is_no_text_is_replaced() -> None:
    """It does not take the zip along."""
    data = zipped({"né.txt": b"text"}).replace("né".encode(), b"n\xff\xfe")
    assert contents(data) == {"n\ufffd\ufffd.txt": b"text"}


def test_entries_come_in_the_order_of_the_directory() -> None:
    """Memory does not grow with their number: they are given out as they are read."""
    names = [f"{number:03}" for number in range(100)]
    entries = zip_entries(io.BytesIO(zipped(dict.fromkeys(reversed(names), b""))))
    assert all(first.name > second.name for first, second in pairwise(entries))
