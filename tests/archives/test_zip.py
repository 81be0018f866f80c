"""Zip files, as Python's own reader reads them."""

from __future__ import annotations

import io
import lzma
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_search.archives.base import UnknownCompressionError
from qa_search.archives.containers.zip import entries_by_headers, open_entry, zip_entries

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


@pytest.mark.slow
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


_MOST = 1 << 30
_DAMAGE = (zipfile.BadZipFile, UnknownCompressionError, zlib.error, lzma.LZMAError, OSError, ValueError, EOFError)


class _Pipe(io.RawIOBase):
    """Where nobody can go back, so that the sizes of a file are written behind it."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override] # zipfile writes nothing but bytes
        self.data += data
        return len(data)


def piped(files: dict[str, bytes], method: int) -> bytes:
    """Zip files as programs do that write into a pipe."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return bytes(pipe.data)


def without_directory(data: bytes, most: int = _MOST) -> tuple[dict[str, bytes], list[str]]:
    """Read what is whole, by the headers alone; return the files, and the names of those that are damaged."""
    stream, whole, damaged = io.BytesIO(data), {}, []
    with suppress(zipfile.BadZipFile):
        for entry in entries_by_headers(stream, most):
            try:
                whole[entry.name] = open_entry(stream, entry).read()
            except _DAMAGE:
                damaged.append(entry.name)
    return whole, damaged


def ends(data: bytes) -> dict[str, int]:
    """Return where each file of a zip ends, with its sizes if they follow it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        found = archive.infolist()
        starts = [*(entry.header_offset for entry in found[1:]), archive.start_dir]
        return {entry.filename: start for entry, start in zip(found, starts, strict=False)}


@pytest.mark.parametrize("method", METHODS)
def test_data_may_have_the_mark_of_the_sizes_behind_it(method: int) -> None:
    """Wherever such a zip is cut, the file is whole or damaged, never shorter."""
    files = {"a": b"", "b": b"PK\x07\x08", "c": b"x" + b"PK\x07\x08" * 9}
    good = piped(files, method)
    assert without_directory(good) == (files, [])
    for cut in range(len(good)):
        assert without_directory(good[:cut])[0].items() <= files.items()


@pytest.mark.parametrize("write", [zipped, piped])
@given(st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), st.binary()),
       st.sampled_from(METHODS), st.data())  # fmt: skip
def test_whatever_is_whole_is_read_without_the_directory(
    write: Callable[..., bytes], files: dict[str, bytes], method: int, data: st.DataObject
) -> None:
    """Wherever the zip is cut: the files before the cut byte for byte, and nothing that was not in it."""
    good = write(files, method)
    cut = data.draw(st.integers(0, len(good)))
    whole, damaged = without_directory(good[:cut])
    wanted = {name: files[name] for name, end in ends(good).items() if end <= cut}
    assert wanted.items() <= whole.items() <= files.items()
    assert len(damaged) <= 1


@given(st.lists(st.tuples(st.integers(0), st.integers(1, 255)), max_size=5), st.sampled_from(METHODS), st.booleans())
def test_damage_is_never_read_without_the_directory_either(
    flips: list[tuple[int, int]], method: int, is_piped: bool
) -> None:
    """Any bytes changed: what is read is what was packed, under whatever name."""
    files = {"a.txt": b"some text " * 50, "b.txt": b"more of it " * 50}
    bad = bytearray((piped if is_piped else zipped)(files, method))
    for place, flip in flips:
        bad[place % len(bad)] ^= flip
    whole, _ = without_directory(bytes(bad))
    assert set(whole.values()) <= {*files.values(), b""}


@pytest.mark.parametrize("write", [zipped, piped])
@pytest.mark.parametrize("method", METHODS)
def test_a_file_that_is_lost_in_the_middle_costs_no_other(write: Callable[..., bytes], method: int) -> None:
    """Without a directory, a damaged file is named, and those behind it are read."""
    data = bytearray(write(FILES, method))
    place = data.index(b"noise") + 100
    data[place : place + 5] = bytes(value ^ 0xFF for value in data[place : place + 5])
    whole, damaged = without_directory(bytes(data))
    assert damaged == ["noise"]
    assert whole == {name: content for name, content in FILES.items() if name != "noise"}


def test_bytes_that_belong_to_no_file_are_counted() -> None:
    """A header that is gone takes its file along, and that is said; so is a file that does not end."""
    data = zipped(FILES, zipfile.ZIP_STORED)
    lost = data.replace(b"PK\3\4", b"PK\0\0", 2).replace(b"PK\0\0", b"PK\3\4", 1)
    with pytest.raises(zipfile.BadZipFile, match=r"5,0\d\d bytes belong to no file"):
        list(entries_by_headers(io.BytesIO(lost), _MOST))
    with pytest.raises(zipfile.BadZipFile, match="it ends within 'zeros'"):
        list(entries_by_headers(io.BytesIO(data[:-5000]), _MOST))
    assert [entry.name for entry in entries_by_headers(io.BytesIO(data), _MOST)] == list(FILES)


@pytest.mark.parametrize("method", METHODS[1:])
def test_sizes_that_follow_a_file_are_found_within_a_bound(method: int) -> None:
    """A file that unpacks to more than may be unpacked is a byte larger than that, and the next one is found."""
    data = piped({"zeros": bytes(1 << 20), "a.txt": b"text"}, method)
    found = list(entries_by_headers(io.BytesIO(data), 100_000))
    assert found[0].size == 100_002
    assert [entry.name for entry in found] == ["zeros", "a.txt"]


class _Counted(io.BytesIO):
    """Bytes that count how often they are read."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


def _repeated(header: bytes) -> bytes:
    return header * (2_000_000 // len(header))


def _header(flags: int, method: int, packed: int, size: int, name: int) -> bytes:
    return struct.pack("<4sHHHLLLLHH", b"PK\3\4", 20, flags, method, 0, 0, packed, size, name, 0)


@pytest.mark.parametrize(
    "data",
    [
        _repeated(b"PK\3\4"),
        _repeated(b"PK\7\x08"),
        _repeated(_header(8, zipfile.ZIP_STORED, 0, 0, 0)),
        _repeated(_header(8, zipfile.ZIP_STORED, 0, 0, 0) + b"PK\7\x08"),
        _repeated(_header(8, zipfile.ZIP_DEFLATED, 0, 0, 0)),
        _repeated(_header(8, zipfile.ZIP_DEFLATED, 0, 0, 0) + zlib.compress(bytes(50_000))[2:-4]),
        _repeated(_header(8, zipfile.ZIP_LZMA, 0, 0, 0)),
        _repeated(_header(0, zipfile.ZIP_STORED, 0xFFFFFFF0, 5, 0)),
        _repeated(_header(0, zipfile.ZIP_STORED, 0, 0, 0xFFFF)),
        _repeated(_header(8, zipfile.ZIP_DEFLATED, 0, 0, 0) + b"\0\x20\0\xdf\xff"),
    ],
    ids=["headers", "sizes", "stored", "stored with sizes", "deflated nothing", "deflated zeros", "lzma", "too long",
         "long names", "a deflated stream through all headers"],
)  # fmt: skip
@pytest.mark.slow
def test_what_is_made_to_be_searched_again_and_again_is_not(data: bytes) -> None:
    """The bytes that are read grow with the file, not with its square."""
    stream = _Counted(b"PK\3\4" + data)
    with suppress(zipfile.BadZipFile):
        for _ in entries_by_headers(stream, 1 << 24):
            pass
    assert stream.count < 20 * len(data)


def test_the_directory_of_a_zip_within_is_not_taken_for_its_own() -> None:
    """Cut off behind a zip that is stored in it, it ends in a directory, which is another's."""
    inner = zipped({"inner.txt": b"text"})
    outer = zipped({"a.txt": b"text", "inner.zip": inner, "z.txt": b"text"}, zipfile.ZIP_STORED)
    cut = outer[: outer.index(inner) + len(inner)]
    with pytest.raises(zipfile.BadZipFile):
        list(zip_entries(io.BytesIO(cut)))
    assert without_directory(cut) == ({"a.txt": b"text", "inner.zip": inner}, [])
