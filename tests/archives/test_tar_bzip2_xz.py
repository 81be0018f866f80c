"""Archives that are packed by tar, bzip2, xz and Zstandard, as those of gzip and zip are."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import tarfile
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_search.archives.base import DAMAGE
from qa_search.archives.containers.compressed import BZIP2, GZIP, XZ, ZSTANDARD, Compression, open_compressed
from qa_search.archives.containers.decoders import zstandard
from qa_search.archives.containers.tar import is_tar, tar_entries
from qa_search.archives.read import Limits, ReadOptions, read_archives
from qa_search.errors import DamagedArchiveError, UnknownFormatError
from qa_search.types import Post, SetAside
from tests.helpers import page, posts_in

_ZSTD = zstandard()


def zst(data: bytes) -> bytes:
    """Compress as the program zstd does, which adds a checksum."""
    return bytes(_ZSTD.compress(data, options={_ZSTD.CompressionParameter.checksum_flag: 1}))


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zst,
}
COMPRESSION = {"gz": GZIP, "bz2": BZIP2, "xz": XZ, "zst": ZSTANDARD}
LINES = [json.dumps({"id": number, "question": f"q{number} hurts", "answer": "rest"}) for number in range(2000)]
ROWS = ("\n".join(LINES) + "\n").encode()


def unpacked(data: bytes, compression: Compression, behind: list[int] | None = None) -> bytes:
    """Unpack up to an error."""
    found = b""
    report = ([] if behind is None else behind).append
    with open_compressed(io.BytesIO(data), compression, lambda position: None, report) as stream, suppress(*DAMAGE):
        while piece := cast(io.BufferedReader, stream).read1():
            found += piece
    return found


def tarred(members: Mapping[str, str | bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """Pack texts into a tar, in their order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, text in members.items():
            data = text.encode() if isinstance(text, str) else text
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def noted(path: Path) -> list[str]:
    """Read with keep_going; return the reasons of the notes."""
    return [item.reason for item in read_archives([path], keep_going=True) if isinstance(item, SetAside)]


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("ending", ["", "tar."])
def test_a_file_and_a_tar_are_read_through_each_compression(kind: str, ending: str, tmp_path: Path) -> None:
    """Members are named by their path in the archive, and a compressed file keeps its id."""
    data = tarred({"deep/faq.jsonl": ROWS, "deep/.hidden": "x", "page.txt": page("T", "q", "a")}) if ending else ROWS
    path = tmp_path / "in" / f"faq.{ending or 'jsonl.'}{kind}"
    path.parent.mkdir()
    path.write_bytes(PACK[kind](data))
    posts = posts_in(path)
    assert len(posts) == 2000 + bool(ending)
    within = "/deep/faq.jsonl" if ending else ""
    assert posts[0].source == f"{tmp_path.name}/in/{path.name}{within}"
    assert posts[0].source_id == "0"


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_form_of_tar_is_read(form: int, tmp_path: Path) -> None:
    """With names that are long, and names that are not ASCII."""
    long = "/".join(["a folder of a long name"] * 9) + "/Fuß.txt"
    path = tmp_path / "a.tar"
    path.write_bytes(tarred({long: page("T", "q", "first"), "b.txt": page("T", "q", "last")}, form))
    posts = posts_in(path)
    assert [(post.source_id, post.answer) for post in posts] == [(long, "first"), ("b.txt", "last")]


def test_a_tar_of_v7_is_read(tmp_path: Path) -> None:
    """It has no mark: its checksum is the sign."""
    data = bytearray(tarred({"a.txt": page("T", "q", "a")}, tarfile.USTAR_FORMAT))
    data[257:512] = bytes(255)
    data[148:156] = b"%06o\0 " % (sum(data[:148]) + 8 * 32 + sum(data[156:512]))
    (tmp_path / "old").write_bytes(data)
    assert [post.answer for post in posts_in(tmp_path)] == ["a"]


def test_what_is_no_file_in_a_tar_is_not_read(tmp_path: Path) -> None:
    """Links and devices are set aside, names that lead out write nothing, folders are passed over."""
    (tmp_path / "secret.txt").write_text(page("Secret", "q", "a"))
    path = tmp_path / "in" / "a.tar"
    path.parent.mkdir()
    with tarfile.open(path, "w") as archive:
        for name, kind in {
            "d": tarfile.DIRTYPE, "link.txt": tarfile.SYMTYPE, "hard.txt": tarfile.LNKTYPE, "pipe": tarfile.FIFOTYPE,
            "disk": tarfile.BLKTYPE, "holes.txt": tarfile.GNUTYPE_SPARSE, "odd": b"V",
        }.items():  # fmt: skip
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "../secret.txt"
            archive.addfile(info)
        text = page("T", "q", "a").encode()
        info = tarfile.TarInfo("../../escaped.txt")
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text))
    items = list(read_archives([path]))
    notes = {item.source.rpartition("/")[2]: item.reason for item in items if isinstance(item, SetAside)}
    assert {name: reason.split(",")[0] for name, reason in notes.items()} == {
        "link.txt": "a link", "hard.txt": "a link", "pipe": "a pipe or a device", "disk": "a pipe or a device",
        "holes.txt": "a file with holes", "odd": "an entry that is not a file",
    }  # fmt: skip
    assert [item.title for item in items if isinstance(item, Post)] == ["T"]
    assert not list(tmp_path.rglob("escaped.txt"))


@pytest.mark.parametrize("kind", ["", *PACK])
@pytest.mark.parametrize("keep", [0.2, 0.5, 0.8])
def test_a_tar_that_was_cut_off_is_read_as_far_as_it_goes(kind: str, keep: float, tmp_path: Path) -> None:
    """With keep_going; without, it is an error."""
    noise = random.Random(1)  # noqa: S311 - it packs evenly
    rows = [{"question": f"{noise.randbytes(40).hex()}?", "answer": "rest"} for _ in range(10_000)]
    members = {f"{part}.jsonl": "\n".join(map(json.dumps, rows[part::5])) for part in range(5)}
    data = bz2.compress(tarred(members), 1) if kind == "bz2" else PACK.get(kind, bytes)(tarred(members))
    path = tmp_path / f"a.tar.{kind}"
    path.write_bytes(data[: int(len(data) * keep)])
    found = list(read_archives([path], keep_going=True))
    count = sum(isinstance(item, Post) for item in found)
    assert 10_000 * (keep - 0.15) < count < 10_000 * (keep + 0.1)
    assert any("damaged or truncated" in item.reason for item in found if isinstance(item, SetAside))
    with pytest.raises(DamagedArchiveError, match=r"damaged"):
        list(read_archives([path]))


def test_a_tar_that_was_cut_off_between_two_files_is_told(tmp_path: Path) -> None:
    """Python's own reader takes it for whole."""
    whole = tarred({"a.txt": page("T", "q", "a"), "b.txt": page("T", "q", "b")})
    path = tmp_path / "a.tar"
    path.write_bytes(whole[:1024])
    assert noted(path) == ["the archive is damaged or truncated (its end is missing: it may have had more files)"]
    path.write_bytes(whole + whole)
    assert len(posts_in(path)) == 4
    path.write_bytes(whole + b"x" * 512)
    assert noted(path) == [
        f"the archive is damaged or truncated (something else follows after {len(whole):,} bytes: the rest is not read)"
    ]
    damaged = bytearray(whole)
    damaged[1024 + 5] ^= 1
    path.write_bytes(damaged)
    assert noted(path) == [
        "the archive is damaged or truncated (a header is invalid after 1,024 bytes: the rest is not read)"
    ]


@pytest.mark.parametrize("kind", ["bz2", "xz", "zst"])
def test_what_comes_before_damage_is_read(kind: str, tmp_path: Path) -> None:
    """Of a compressed file that is cut, that has something else behind it, or whose last bytes are changed."""
    packed = PACK[kind](ROWS)
    path = tmp_path / f"a.jsonl.{kind}"
    for data, reason in {
        packed[: -len(packed) // 9]: "truncated",
        packed + b"trailing garbage": "is not compressed",
        packed + PACK[kind](ROWS)[:-8] + b"12345678": "damaged",
    }.items():
        path.write_bytes(data)
        found = list(read_archives([path], keep_going=True))
        # A block of bzip2 or Zstandard comes out whole or not at all.
        in_blocks = data[:50] == packed[:50] and kind != "xz"
        assert sum(isinstance(item, Post) for item in found) >= (0 if in_blocks else 1)
        assert any(reason in item.reason for item in found if isinstance(item, SetAside))
        with pytest.raises(DamagedArchiveError, match=reason):
            list(read_archives([path]))


@given(st.sampled_from(sorted(PACK)), st.lists(st.binary(max_size=5000), min_size=1), st.integers(0, 600))
def test_files_behind_one_another_are_one_stream(kind: str, parts: list[bytes], padding: int) -> None:
    """With zeros between and behind them; what follows is told."""
    data = b"".join(PACK[kind](part) + bytes(padding) for part in parts)
    assert unpacked(data, COMPRESSION[kind]) == b"".join(parts)
    behind: list[int] = []
    assert unpacked(data + b"x", COMPRESSION[kind], behind) == b"".join(parts)
    assert set(behind) == {len(data)}


@given(st.sampled_from(["bz2", "xz", "zst"]), st.data())
def test_any_change_is_noticed(kind: str, data: st.DataObject) -> None:
    """A flipped byte gives what was packed, or an error."""
    bad = bytearray(PACK[kind](b"content " * 20))
    bad[data.draw(st.integers(0, len(bad) - 1))] ^= data.draw(st.integers(1, 255))
    behind: list[int] = []
    try:
        with open_compressed(io.BytesIO(bad), COMPRESSION[kind], lambda position: None, behind.append) as stream:
            assert stream.read() == b"content " * 20
    except DAMAGE as error:
        assert str(error)


def test_an_xz_that_takes_much_memory_is_refused() -> None:
    """Its header asks for a window of more than a gigabyte."""
    packer = lzma.LZMACompressor(lzma.FORMAT_XZ, filters=[{"id": lzma.FILTER_LZMA2, "preset": 0}])
    packed = bytearray(packer.compress(b"x" * 100) + packer.flush())
    place = packed.index(b"\x21\x01") + 2  # the filter, the length of its properties, the size of its window
    packed[place] = 40
    packed[20:24] = zlib.crc32(packed[12:20]).to_bytes(4, "little")
    with (
        open_compressed(io.BytesIO(packed), XZ, lambda position: None, lambda position: None) as stream,
        pytest.raises(DAMAGE, match="256 MiB of memory: unpack it first"),
    ):
        stream.read()


def test_a_zst_that_takes_much_memory_is_refused() -> None:
    """Its header asks for a window of 256 MiB; one of 128 MiB is read."""
    for size, reason in ((28, "128 MiB of memory: unpack it first with `unzstd"), (27, "")):
        packer = _ZSTD.ZstdCompressor(options={_ZSTD.CompressionParameter.window_log: size})
        packed = packer.compress(b"x" * 100) + packer.flush()
        with open_compressed(io.BytesIO(packed), ZSTANDARD, lambda position: None, lambda position: None) as stream:
            if reason:
                with pytest.raises(DAMAGE, match=reason):
                    stream.read()
            else:
                assert stream.read() == b"x" * 100


def test_frames_of_zstandard_that_are_to_be_skipped_are_skipped() -> None:
    """Between others and behind them, as the tables of a file that can be read from any place are."""
    skipped = b"\x5e\x2a\x4d\x18" + (300).to_bytes(4, "little") + bytes(range(256)) + bytes(44)
    behind: list[int] = []
    assert unpacked(zst(b"one") + skipped + zst(b"two") + skipped, ZSTANDARD, behind) == b"onetwo"
    assert not behind


@pytest.mark.parametrize("kind", PACK)
def test_limits_hold(kind: str, tmp_path: Path) -> None:
    """On bytes, on the ratio, on files and on depth."""
    path = tmp_path / f"a.{kind}"
    options = ReadOptions(limits=Limits(ratio=10, ratio_from=100_000, files=5))
    path.write_bytes(PACK[kind](ROWS * 50))
    assert any("times its size" in str(item) for item in read_archives([path], options))
    path.write_bytes(PACK[kind](tarred({f"{number}.txt": page("T", "q", "a") for number in range(6)})))
    items = list(read_archives([path], options))
    assert sum(isinstance(item, Post) for item in items) == 5
    assert any("more than 5 files" in str(item) for item in items)
    data = ROWS
    for _ in range(5):
        data = PACK[kind](data)
    path.write_bytes(data)
    assert any("more than 4 deep" in str(item) for item in read_archives([path]))


def test_headers_of_headers_end(tmp_path: Path) -> None:
    """A thousand long names for one file, a name of a gigabyte, and a negative size are refused."""
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 4
    block = header.tobuf(tarfile.GNU_FORMAT) + b"name" + bytes(508)
    header.size = 1 << 30
    path = tmp_path / "a.tar"
    for data in (block * 1000, header.tobuf(tarfile.GNU_FORMAT) + bytes(512)):
        path.write_bytes(data)
        assert any("header is too long" in reason for reason in noted(path))
    header.size = -1
    assert not is_tar(header.tobuf(tarfile.GNU_FORMAT))
    (tmp_path / "b").mkdir()
    plain = tmp_path / "b" / "faq.tar"
    plain.write_bytes(bytes(10240))
    with pytest.raises(UnknownFormatError, match=r"named \.tar, but its content is not packed so"):
        list(read_archives([plain]))


@pytest.mark.parametrize("suffix", PACK)
def test_what_is_unknown_is_named_by_its_content_not_by_how_it_was_packed(suffix: str, tmp_path: Path) -> None:
    """Only a name that no unpacking accounts for is called wrong; so too one compression within another."""
    pack = PACK[suffix]
    cases = [
        (f"a.{suffix}", pack(bytes(5000)), "binary data"),
        (f"b.txt.{suffix}", pack(b"Nothing is asked here, and nothing is answered."), "a text without recognisable"),
        (f"c.{suffix}.{suffix}", pack(pack(bytes(5000))), "binary data"),
        (f"d.{suffix}.{suffix}", pack(bytes(5000)), rf"named \.{suffix}, but its content is not packed so"),
        (f"e.{suffix}", bytes(5000), rf"named \.{suffix}, but its content is not packed so"),
        (f"f.tar.{suffix}", pack(bytes(5000)), r"named \.tar, but its content is not packed so"),
    ]
    for name, data, reason in cases:
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(UnknownFormatError, match=reason):
            list(read_archives([path]))


@pytest.mark.parametrize("kind", ["", "xz"])
def test_the_users_beside_posts_are_found_in_a_tar(kind: str, tmp_path: Path) -> None:
    """As in a zip: they give the names of authors."""
    posts = (
        '<posts><row Id="1" PostTypeId="1" OwnerUserId="7" Body="q" />'
        '<row Id="2" PostTypeId="2" ParentId="1" OwnerUserId="7" Body="a" /></posts>'
    )
    users = '<users><row Id="7" DisplayName="Ann" /></users>'
    data = tarred({"beer/Posts.xml": posts, "beer/Users.xml": users, "wine/Posts.xml": posts})
    path = tmp_path / "dumps.tar"
    path.write_bytes(PACK[kind](data) if kind else data)
    assert [post.author for post in posts_in(path)] == ["Ann", "7"]


@given(st.binary(max_size=2000))
def test_noise_is_no_tar(data: bytes) -> None:
    """Nor does what follows a good header make anything but an error."""
    assert not is_tar(data)
    good = tarred({"a.txt": "text"})[:1024]
    with suppress(EOFError, tarfile.TarError):
        for entry in tar_entries(io.BufferedReader(cast(io.RawIOBase, io.BytesIO(good + data)))):
            entry.data.read1(100)
