"""Archives that are broken, or made to do harm: none makes a build crash, hang, or take more than it may.

Each lies in a folder beside one good page. After a real build of that folder, in a process of its own under limits of
memory and time, the good page is found, and what could not be read is set aside with a reason that says why.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import random
import re
import socket
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import py7zr
import pytest

from qa_search.archives.containers.decoders import zstandard
from qa_search.archives.read import Limits
from tests.archives.samples import docx, ods, pdf, sqlite_file, xlsx
from tests.helpers import ROOT, page
from tests.reliability.conftest import Campaign

if not sys.platform.startswith("linux"):
    pytest.skip("limits of memory are read and set as Linux does", allow_module_level=True)

MB = 1 << 20
# In short form the limits are small, and so is what goes over them.
SMALL = {
    "post_characters": 20_000, "record_bytes": MB, "unpacked_bytes": 48 * MB, "files": 2000, "ratio_from": 4 * MB,
    "notes": 50,
}  # fmt: skip
SECRET = "unguessable"  # noqa: S105 - a word to look for
NOISE = random.Random(1).randbytes(4 * MB)  # noqa: S311 - the same each time
GOOD = "Walking calms a sore hamstring zebra"


@dataclass(frozen=True)
class Size:
    """How large things are made: beyond all limits on bytes, counts and depth; and the limits of records and posts."""

    large: int
    many: int
    deep: int
    record: int
    post: int


SHORT = Size(16 * MB, 5000, 50_000, SMALL["record_bytes"], SMALL["post_characters"])
FULL = Size(1024 * MB, 1_000_000, 1_000_000, Limits().record_bytes, Limits().post_characters)


Writer = Callable[[Path, Size], None]


@dataclass(frozen=True)
class Case:
    """A hostile archive: how it is written, and what the notes on it say (nothing, where all of it can be read)."""

    write: Writer
    notes: str = ""
    posts: int = 0


CASES: dict[str, Case] = {}


def case(notes: str = "", posts: int = 0) -> Callable[[Writer], Writer]:
    """Put a writer into the table."""

    def add(write: Writer) -> Writer:
        CASES[write.__name__] = Case(write, notes, posts)
        return write

    return add


ROW = {"id": "1", "question": "My knee hurts.", "answer": "Rest it."}


def repeated(path: Path, start: bytes, piece: bytes, size: int, end: bytes = b"") -> None:
    """Write a file of a size from one piece."""
    count, at_once = size // len(piece), MB // len(piece)
    with path.open("wb") as out:
        out.write(start)
        for _ in range(count // at_once):
            out.write(piece * at_once)
        out.write(piece * (count % at_once) + end)


# --- compressed ----------------------------------------------------------------------------------------------------


def gzip_of(piece: bytes, count: int) -> bytes:
    """Pack a piece many times over: one gzip file behind the other is one stream."""
    return gzip.compress(piece, 9) * count


def zip_of(entries: list[tuple[bytes, int, int, int, int, int, int]], data: bytes, flags: int = 0) -> bytes:
    """Write a zip by hand: data, then a directory of (name, method, CRC, packed size, size, offset, attributes)."""
    directory = b"".join(
        struct.pack(
            "<4sBBHHHHHLLLHHHHHLL",
            *(
                b"PK\1\2",
                20,
                3,
                20,
                flags,
                method,
                0,
                0,
                checksum,
                packed,
                size,
                len(name),
                0,
                0,
                0,
                0,
                attributes,
                offset,
            ),
        )
        + name
        for name, method, checksum, packed, size, offset, attributes in entries
    )
    count = min(len(entries), 0xFFFF)
    end = struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, count, count, len(directory), len(data), 0)
    return data + directory + end


def local(data: bytes, method: int = 8) -> bytes:
    """Write the header that precedes an entry's data, and the data."""
    return struct.pack("<4sHHHHHLLLHH", b"PK\3\4", 20, 0, method, 0, 0, 0, len(data), 0, 1, 0) + b"x" + data


def deflated(size: int) -> bytes:
    """Deflate zeros, without ever holding them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(MB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * (size // MB) + b"\3\0"


@case(notes="binary data")
def gzip_of_zeros(folder: Path, size: Size) -> None:
    (folder / "zeros.gz").write_bytes(gzip_of(bytes(64 * MB), 10 * size.large // (64 * MB) + 1))


@case(notes="unpacks to more than")
def gzip_of_blank_lines(folder: Path, size: Size) -> None:
    (folder / "blank.jsonl.gz").write_bytes(gzip_of(b" " * (64 * MB - 1) + b"\n", size.large // (16 * MB)))


@case(notes="unpacks to more than")
def gzip_of_gzip_of_lines(folder: Path, size: Size) -> None:
    inner = gzip_of(b" " * 1023 + b"\n", 4 * size.large // 1024)
    (folder / "twice.jsonl.gz").write_bytes(gzip.compress(inner, 9))


@case(notes="binary data|more than .* times its size|unpacks to more than")
def bzip2_xz_and_zst_of_zeros(folder: Path, size: Size) -> None:
    for suffix, pack in {"bz2": bz2.compress, "xz": lzma.compress, "zst": zstandard().compress}.items():
        packed = pack(bytes(64 * MB))
        (folder / f"zeros.{suffix}").write_bytes(packed * (10 * size.large // (64 * MB) + 1))
        (folder / f"twice.jsonl.{suffix}").write_bytes(gzip.compress(packed * (size.large // (4 * MB)), 9))


@case(notes="an empty file|more than .* files", posts=0)
def tar_of_a_million_entries(folder: Path, size: Size) -> None:
    repeated(folder / "many.tar", b"", tarfile.TarInfo("a.txt").tobuf(tarfile.GNU_FORMAT), (size.many + 1) * 512)


@case(notes="a link, and links in archives are not followed|header is too long", posts=1)
def tars_of_links_and_headers(folder: Path, size: Size) -> None:
    text = page("Evil", "q", "a").encode()
    with tarfile.open(folder / "evil.tar", "w") as archive:
        for name, kind in {"link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "disk": tarfile.BLKTYPE}.items():
            link = tarfile.TarInfo(f"{name}.txt")
            link.type, link.linkname = kind, "../../secret.txt"
            archive.addfile(link)
        out = tarfile.TarInfo("../../escaped.txt")
        out.size = len(text)
        archive.addfile(out, io.BytesIO(text))
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 4
    block = header.tobuf(tarfile.GNU_FORMAT) + b"name" + bytes(508)
    repeated(folder / "chain.tar", b"", block, size.large // 16)
    header.size = 8 << 30
    path = folder / "name.tar"
    path.write_bytes(header.tobuf(tarfile.GNU_FORMAT))
    os.truncate(path, 20 * size.large)


@case(notes="more than 4 deep")
def gzips_within_gzips(folder: Path, size: Size) -> None:
    data = json.dumps(ROW).encode()
    for _ in range(50):
        data = gzip.compress(data)
    (folder / "onion.gz").write_bytes(data)


@case(posts=1)
def gzip_with_an_endless_name(folder: Path, size: Size) -> None:
    packed = gzip.compress(json.dumps(ROW).encode())
    repeated(folder / "named.jsonl.gz", packed[:3] + b"\x08" + packed[4:10], b"n", size.large, b"\0" + packed[10:])


@case(posts=1)
def gzip_with_endless_padding(folder: Path, size: Size) -> None:
    path = folder / "padded.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(ROW).encode()))
    os.truncate(path, 4 * size.large)


@case(notes="unpacks to more than")
def zip_of_zeros(folder: Path, size: Size) -> None:
    data = local(deflated(min(10 * size.large, 3 << 30)))
    entry = (b"zeros.txt", 8, 0, len(data) - 31, min(10 * size.large, 3 << 30), 0, 0)
    (folder / "zeros.zip").write_bytes(zip_of([entry], data))


@case(notes="unpacks to more than")
def zip_of_overlapping_entries(folder: Path, size: Size) -> None:
    data = local(deflated(MB))
    names = [f"{number}.txt".encode() for number in range(1500)]
    (folder / "overlap.zip").write_bytes(
        zip_of([(name, 8, zlib.crc32(bytes(MB)), len(data) - 31, MB, 0, 0) for name in names], data)
    )


@case(notes="more than .* files")
def zip_of_a_million_entries(folder: Path, size: Size) -> None:
    data = local(b"", 0)
    names = [f"pages/{number}.txt".encode() for number in range(size.many + 1)]
    (folder / "many.zip").write_bytes(zip_of([(name, 0, 0, 0, 0, 0, 0) for name in names], data))


@case(notes="more than 4 deep")
def zips_within_zips(folder: Path, size: Size) -> None:
    data, name = deflated(64 * MB), "zeros.txt"
    for _ in range(6):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(3):
                archive.writestr(f"{number}-{name}", data)
        data, name = buffer.getvalue(), "inner.zip"
    (folder / "forty-two.zip").write_bytes(data)


@case(notes="damaged|binary")
def zip_of_more_bzip2_than_it_says(folder: Path, size: Size) -> None:
    packed = bz2.compress(bytes(size.large))
    (folder / "bzip2.zip").write_bytes(zip_of([(b"a.txt", 12, 0, len(packed), 1000, 0, 0)], local(packed, 12)))


@case(notes="damaged|binary")
def zip_of_more_lzma_than_it_says(folder: Path, size: Size) -> None:
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 20}]
    packed = b"\x09\x04\x05\x00\x5d\0\0\x10\0" + lzma.compress(bytes(size.large), lzma.FORMAT_RAW, filters=filters)
    (folder / "lzma.zip").write_bytes(zip_of([(b"a.txt", 14, 0, len(packed), 1000, 0, 0)], local(packed, 14)))


@case(notes="damaged|more memory than there is")
def zip_of_broken_lzma(folder: Path, size: Size) -> None:
    packed = b"\x09\x04\x05\x00\x5d\xff\xff\xff\xff" + NOISE[:10_000]
    (folder / "lzma.zip").write_bytes(zip_of([(b"a.txt", 14, 0, len(packed), 100_000, 0, 0)], local(packed, 14)))


@case(notes="damaged")
def zip_of_broken_bzip2(folder: Path, size: Size) -> None:
    packed = b"BZh9" + NOISE[10_000:20_000]
    (folder / "bzip2.zip").write_bytes(zip_of([(b"a.txt", 12, 0, len(packed), 100_000, 0, 0)], local(packed, 12)))


@case(posts=1, notes="a link, and links in archives are not followed")
def zip_of_evil_names(folder: Path, size: Size) -> None:
    text = page("Evil", "q", "a").encode()
    data = local(text, 0)
    names = [
        b"../../escaped.txt",
        b"/tmp/escaped.txt",
        b"C:\\escaped.txt",
        b"esc\x1b]0;aped\0.txt",
        b"\xff\xfe\x80.txt",
    ]
    entries = [(name, 0, zlib.crc32(text), len(text), len(text), 0, 0) for name in names]
    link = b"../../secret.txt"
    entries.append((b"link.txt", 0, 0, len(link), len(link), len(data), 0o120777 << 16))
    (folder / "evil.zip").write_bytes(zip_of(entries, data + local(link, 0), flags=0x800))


@case(notes="damaged")
def zip_with_a_damaged_directory(folder: Path, size: Size) -> None:
    data = zip_of([(b"a.txt", 0, 0, 0, 0, 0, 0)], local(b"", 0))
    (folder / "cut.zip").write_bytes(data.replace(b"PK\1\2", b"PK\1\3"))
    (folder / "far.zip").write_bytes(data[:-6] + b"\xff\xff\xff\xff\0\0")


def streamed(data: bytes, name: bytes, method: int = 8) -> bytes:
    """Write an entry whose sizes follow it; what follows here is only the mark of them."""
    return (
        struct.pack("<4sHHHHHLLLHH", b"PK\3\4", 20, 8, method, 0, 0, 0, 0, 0, len(name), 0) + name + data + b"PK\7\x08"
    )


@case(notes="unpacks to more than")
def zip_of_zeros_without_a_directory(folder: Path, size: Size) -> None:
    data = deflated(min(10 * size.large, 3 << 30))
    (folder / "zeros.zip").write_bytes(b"".join(streamed(data, f"{number}.txt".encode()) for number in range(3)))


@case(notes="unpacks to more than")
def zip_of_broken_bombs_without_a_directory(folder: Path, size: Size) -> None:
    bomb = bz2.compress(bytes(45 * MB))[:-8]
    (folder / "bombs.zip").write_bytes(streamed(bomb, b"x.txt", 12) * min(size.many // 10, 2000))


@case(notes="more than .* files")
def zip_of_a_million_entries_without_a_directory(folder: Path, size: Size) -> None:
    repeated(folder / "many.zip", b"", local(b"", 0), (size.many + 1) * 31)


@case(notes="more than .* files")
def zip_of_nothing_but_headers(folder: Path, size: Size) -> None:
    repeated(
        folder / "headers.zip", b"", struct.pack("<4sHHHHHLLLHH", b"PK\3\4", 20, 8, 8, 0, 0, 0, 0, 0, 0, 0), size.large
    )


@case(notes="damaged or truncated")
def zip_of_nothing_but_signatures(folder: Path, size: Size) -> None:
    repeated(folder / "signatures.zip", b"", b"PK\3\4", size.large)


@case(notes="damaged or truncated")
def zip_of_one_header(folder: Path, size: Size) -> None:
    repeated(folder / "empty.zip", local(b"", 0), b"\0", 4 * size.large)


@case(notes="unpacks to more than")
def sevenzip_of_zeros(folder: Path, size: Size) -> None:
    with py7zr.SevenZipFile(folder / "zeros.7z", "w") as archive:
        archive.writef(io.BytesIO(bytes(size.large)), "zeros.txt")


@case(notes="binary data")
def sevenzip_of_zeros_and_noise(folder: Path, size: Size) -> None:
    for method in (py7zr.FILTER_ZSTD, py7zr.FILTER_DEFLATE, py7zr.FILTER_BZIP2, py7zr.FILTER_BROTLI):
        with py7zr.SevenZipFile(folder / f"{method}.7z", "w", filters=[{"id": method}]) as archive:
            archive.writef(io.BytesIO(NOISE[: size.large // 500]), "noise.txt")
            archive.writef(io.BytesIO(bytes(size.large // 4)), "zeros.txt")


@case(notes="PPMd is not read")
def sevenzip_of_ppmd(folder: Path, size: Size) -> None:
    with py7zr.SevenZipFile(folder / "ppmd.7z", "w", filters=[{"id": py7zr.FILTER_PPMD}]) as archive:
        archive.writef(io.BytesIO(NOISE[:1000]), "noise.txt")


@case(notes="name that is invalid or leads out", posts=1)
def sevenzip_of_evil_names(folder: Path, size: Size) -> None:
    with py7zr.SevenZipFile(folder / "evil.7z", "w") as archive:
        for name in ("../../escaped.txt", "/tmp/../escaped.txt", "C:\\escaped.txt", "good.txt"):  # noqa: S108 - a name
            archive._writestr(page(f"Evil {name}", "q", "a"), name)


@case(notes="a link, and links in archives are not followed")
def sevenzip_of_links(folder: Path, size: Size) -> None:
    link = folder.parent / "link.txt"
    link.symlink_to("secret.txt")
    with py7zr.SevenZipFile(folder / "links.7z", "w") as archive:
        archive.write(link, "link.txt")
    link.unlink()


def sevenzip_header(header: bytes) -> bytes:
    """Write a 7z that is nothing but a header."""
    start = struct.pack("<QQL", 0, len(header), zlib.crc32(header))
    return b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<L", zlib.crc32(start)) + start + header


@case(notes="damaged")
def sevenzip_of_nothing_but_members(folder: Path, size: Size) -> None:
    count = 8 * size.many
    filler = b"\x19\xff" + struct.pack("<Q", count) + bytes(count)
    (folder / "header.7z").write_bytes(sevenzip_header(b"\1\5\xff" + struct.pack("<Q", count) + filler + b"\0\0"))


@case(notes="damaged|binary")
def sparse_files(folder: Path, size: Size) -> None:
    magics = {"gz": b"\x1f\x8b\x08", "zip": b"PK\3\4", "7z": sevenzip_header(b"")[:32], "txt": b"", "json": b"["}
    for suffix, magic in magics.items():
        path = folder / f"sparse.{suffix}"
        path.write_bytes(magic)
        os.truncate(path, 20 * size.large)


# --- formats of other programs -------------------------------------------------------------------------------------


@case(notes="more than 2,000,000 values")
def yaml_of_aliases(folder: Path, size: Size) -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    (folder / "bomb.yml").write_text("\n".join(["a0: &a0 [x, x]", *levels]))


@case(notes="nested more than")
def yaml_nested_deep(folder: Path, size: Size) -> None:
    (folder / "deep.yml").write_text("- question: " + "[" * min(size.deep, 200_000))
    (folder / "chain.yml").write_text("\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 2000))]))


@case(notes="more memory or time than it may|cannot be read")
def workbook_of_two_cells_far_apart(folder: Path, size: Size) -> None:
    data = xlsx({"FAQ": [["question", "answer"]]})
    far = '<row r="1048000"><c r="XFA1048000" t="inlineStr"><is><t>x</t></is></c></row></sheetData>'
    (folder / "far.xlsx").write_bytes(replaced_in_zip(data, "xl/worksheets/sheet1.xml", "</sheetData>", far))


@case(notes="more memory or time than it may|cannot be read|longer than")
def workbook_that_is_a_bomb(folder: Path, size: Size) -> None:
    data = xlsx({"FAQ": [["question", "answer"]]})
    cell = '<c r="A2" t="inlineStr"><is><t>' + "x" * min(4 * size.large, 200 * MB) + "</t></is></c>"
    (folder / "bomb.xlsx").write_bytes(
        replaced_in_zip(data, "xl/worksheets/sheet1.xml", "</sheetData>", f'<row r="2">{cell}</row></sheetData>')
    )


@case(notes="more memory or time than it may|cannot be read|no recognisable questions")
def workbook_of_repeated_rows(folder: Path, size: Size) -> None:
    data = ods({"FAQ": [["question", "answer"], ["q", "a"]]})
    repeated_rows = (
        '<table:table-row table:number-rows-repeated="1000000"><table:table-cell table:number-columns-repeated="16000" '
    )
    (folder / "rows.ods").write_bytes(
        replaced_in_zip(data, "content.xml", "<table:table-row><table:table-cell ", repeated_rows)
    )


@case(notes="cannot be read|more memory or time|longer than|more than")
def word_that_is_a_bomb(folder: Path, size: Size) -> None:
    data = docx([("", "x" * min(4 * size.large, 100 * MB))])
    (folder / "bomb.docx").write_bytes(data)


@case(notes="cannot be read|without recognisable questions|Detected|entit", posts=0)
def word_with_entities(folder: Path, size: Size) -> None:
    entities = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">'.replace("&a-1;", "&a;") for n in range(12)
    ) + "]>"  # fmt: skip
    data = docx([("", "&a11;")])
    (folder / "entities.docx").write_bytes(
        replaced_in_zip(data, "word/document.xml", "<w:document", f"{entities}<w:document")
    )


@case(notes="broken or incomplete XML|no recognisable question", posts=0)
def xml_with_entities(folder: Path, size: Size) -> None:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    (folder / "bomb.xml").write_text(
        f'<?xml version="1.0"?><!DOCTYPE faqs [<!ENTITY a0 "aaaaaaaaaa">{entities}<!ENTITY s SYSTEM "../secret.txt">]>'
        "<faqs><faq><question>&a11;&s;</question><answer>&a11;</answer></faq></faqs>"
    )


@case(notes="broken or incomplete XML")
def xml_nested_deep(folder: Path, size: Size) -> None:
    (folder / "deep.xml").write_text("<question></question><answer></answer>".join(["<faq>", "<faq>" * size.deep]))


@case(notes="outside of records|broken or incomplete XML")
def xml_of_many_elements(folder: Path, size: Size) -> None:
    repeated(folder / "many.xml", b"<faqs><question>q</question><answer>a</answer>", b"<x/>", min(size.large, 64 * MB))


@case(notes="longer than|cannot be read|without text")
def mail_with_an_endless_header(folder: Path, size: Size) -> None:
    start = b"From a@example.org Mon Mar  3 10:11:00 2014\nFrom: a@example.org\nSubject: x\nDate: x\n"
    repeated(folder / "header.mbox", start, b"References: <a@b>\n", size.record // 2)
    repeated(folder / "line.eml", start.partition(b"\n")[2] + b"References: ", b"<a@b> ", 2 * size.record)


@case(posts=1, notes="cannot be read|without text")
def mail_of_parts_within_parts(folder: Path, size: Size) -> None:
    part = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(3000))
    (folder / "parts.eml").write_text(f"From: a@example.org\nSubject: x\nDate: x\nMIME-Version: 1.0\n{part}")
    (folder / "good.eml").write_text("From: a@example.org\nSubject: Re: x\nDate: x\n\n> It hurts.\n\nRest it.\n")


@case()
def sqlite_that_computes(folder: Path, size: Size) -> None:
    sqlite_file(
        folder / "computes.db",
        "CREATE TABLE faq (question, answer TEXT AS (zeroblob(900000000)) VIRTUAL, b);"
        "INSERT INTO faq VALUES ('q', 'a');"
        "CREATE VIEW answers AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
        "SELECT x AS answer FROM c;"
        "CREATE TRIGGER t AFTER INSERT ON faq BEGIN DELETE FROM faq; END;",
    )


@case(notes="cannot be read")
def sqlite_of_huge_values(folder: Path, size: Size) -> None:
    sqlite_file(
        folder / "huge.db",
        f"CREATE TABLE faq (question, answer);INSERT INTO faq VALUES (hex(zeroblob({size.record})), 'a');",  # noqa: S608 - a number
    )


@case(notes="no table has|longer than|values where")
def sql_of_many_values(folder: Path, size: Size) -> None:
    repeated(folder / "values.sql", b"INSERT INTO faq VALUES (1", b",1", size.record // 2, b");\n")
    repeated(folder / "string.sql", b"INSERT INTO faq VALUES ('", b"''\n", 2 * size.record)


@case(notes="without recognisable questions|nested|more than|cannot be read")
def markdown_nested_deep(folder: Path, size: Size) -> None:
    (folder / "quotes.md").write_text(">" * min(size.deep, 5000) + " # FAQ?\n")
    (folder / "lists.md").write_text("".join(f"{' ' * n}- a\n" for n in range(1500)))
    (folder / "brackets.md").write_text("# FAQ\n\n" + "[" * 50_000 + "\n\n" + "*a_ " * 20_000)


@case(posts=1, notes="cannot be read|without recognisable questions")
def pdf_that_loops(folder: Path, size: Size) -> None:
    data = pdf(["Q: a?", "A: b"])
    (folder / "loop.pdf").write_bytes(data.replace(b"/Kids [3 0 R]", b"/Kids [2 0 R]"))
    (folder / "count.pdf").write_bytes(data.replace(b"/Count 1", b"/Count 99999999"))


@case(posts=1, notes="a post of more than|longer than")
def text_of_one_question(folder: Path, size: Size) -> None:
    repeated(folder / "answer.txt", b"Q: a?\nA: b\nQ: c?\nA: ", b"x\n", 2 * size.record)
    repeated(folder / "line.txt", b"Q: a?\nA: b\nQ: c?\nA: ", b"x", 2 * size.record)


def replaced_in_zip(data: bytes, member: str, old: str, new: str) -> bytes:
    """Replace a text in a member of a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as given, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as changed:
        for name in given.namelist():
            text = given.read(name).decode()
            changed.writestr(name, text.replace(old, new, 1) if name == member else text)
    return buffer.getvalue()


# --- folders -------------------------------------------------------------------------------------------------------


@case(notes="leads out of the source folder|leads nowhere")
def links(folder: Path, size: Size) -> None:
    (folder / "inside.txt").symlink_to("good.txt")
    (folder / "outside.txt").symlink_to("../secret.txt")
    (folder / "absolute.txt").symlink_to("/etc/passwd")
    (folder / "outside").symlink_to("..")
    (folder / "itself.txt").symlink_to("itself.txt")
    (folder / "loop").symlink_to(".")
    (folder / "nowhere.txt").symlink_to("nothing.txt")
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")


@case(notes="a pipe, a device or a socket")
def special_files(folder: Path, size: Size) -> None:
    os.mkfifo(folder / "pipe.jsonl")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(folder / "socket"))  # a path of at most 108 bytes
    (folder / "zero.txt").symlink_to("/dev/zero")


@case(posts=1)
def names_in_broken_encodings(folder: Path, size: Size) -> None:
    for name in (
        b"bad\xff.txt",
        b"esc\x1b[31m.txt",
        b"new\nline.txt",
        "right\u202eot.txt".encode(),
        b"\xed\xa0\x80.txt",
    ):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_text(page("Names", "q", "a"))


@case(posts=1, notes="a folder that cannot be read")
def deep_folders(folder: Path, size: Size) -> None:
    here = os.open(folder, os.O_RDONLY)
    for _ in range(2500):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    deep = folder.joinpath(*["d"] * 1200)
    (deep / "deep.txt").write_text(page("Deep", "q", "a"))


# --- records -------------------------------------------------------------------------------------------------------


def row(number: int) -> bytes:
    return json.dumps({**ROW, "id": str(number), "question": f"Q {number}", "answer": f"Rest {number}."}).encode()


@case(notes=r"line 2: longer than .*Limits.record_bytes", posts=2)
def jsonl_line(folder: Path, size: Size) -> None:
    rows = [row(number) + b"\n" for number in (1, 2)]
    repeated(folder / "line.jsonl", rows[0] + b'{"id": "big", "answer": "', b"a" * 64, size.large, b'"}\n' + rows[1])


@case(notes=r"record 2: longer than .*Limits.record_bytes", posts=2)
def json_value(folder: Path, size: Size) -> None:
    rows = [row(number) for number in (1, 2)]
    repeated(folder / "a.json", b"[" + rows[0] + b', {"answer": "', rb"\"\\" * 16, size.large, b'"}, ' + rows[1] + b"]")


@case(notes=r"record 2: longer than .*Limits.record_bytes", posts=2)
def json_value_of_many_values(folder: Path, size: Size) -> None:
    rows = [row(number) for number in (1, 2)]
    repeated(
        folder / "a.json", b"[" + rows[0] + b', {"answer": [', b"[],{}," * 16, size.large, b"0]}, " + rows[1] + b"]"
    )


@case(notes=r"record 2: longer than .*Limits.record_bytes|is not compressed", posts=1)
def json_blanks_and_keys(folder: Path, size: Size) -> None:
    row = json.dumps(ROW).encode()
    repeated(folder / "blank.json", b"[" + row + b",", b" \t\n" * 16, size.large, b"]")
    repeated(folder / "key.json", b'{"', b"k" * 64, size.large, b'": 1, "posts": [' + row + b"]}")
    repeated(folder / "number.json", b"[" + row + b",", b"7" * 64, size.large, b"]")


@case(notes=r"line 3: longer than .*Limits.record_bytes|line 3: a row of more", posts=2)
def csv_row(folder: Path, size: Size) -> None:
    start, end = b"id,question,answer\n1,Q,A one\n", b'"\n2,Q two,A two\n'
    repeated(folder / "one-line.csv", start + b'big,q,"', b"a" * 64, size.large, end)
    repeated(folder / "lines.csv", start + b'big,q,"', b'a ""quoted"" word,\n', size.large, end)
    repeated(folder / "fields.csv", start + b'big,q,"', b",", size.large, end)
    repeated(folder / "columns.csv", start, b",", size.large // 2, end[1:])


@case(notes="quote is opened and never closed", posts=1)
def csv_quote(folder: Path, size: Size) -> None:
    repeated(folder / "open.csv", b'id,question,answer\n1,Q,A one\n2,Q,"', b"a b c d\n" * 8, size.large)


@case(notes="longer than .*Limits.record_bytes")
def csv_header(folder: Path, size: Size) -> None:
    repeated(folder / "header.csv", b"question,answer", b",column" * 8, size.large, b"\nQ,A\n")


@case(posts=1)
def csv_of_100_000_columns(folder: Path, size: Size) -> None:
    names = ",".join(f"c{number}" for number in range(100_000))
    (folder / "wide.csv").write_text(f"question,answer,{names}\nQ,A wide answer{',x' * 100_000}\n")


@case(notes="no table's header|closed")
def csv_with_a_broken_header(folder: Path, size: Size) -> None:
    (folder / "quote.csv").write_text('question,answer\t"x\nQ,A\n')
    (folder / "open.csv").write_text('"question","answer"x\nQ,A\n')
    (folder / "never.csv").write_text('question,"answer\nQ,A\n')


@case(notes="longer than .*Limits.record_bytes")
def page_of_text(folder: Path, size: Size) -> None:
    repeated(folder / "large.txt", page("T", "q", "").encode(), b"word and word \n", size.large)


@case(notes="more than .* characters .*Limits.post_characters")
def pages_of_many_lines(folder: Path, size: Size) -> None:
    length = size.record // 2
    repeated(folder / "lines.txt", page("T", "q", "").encode(), b"ab\n", length)
    repeated(folder / "lines.html", b"<html><h1>T</h1>Question<p>q<p>Answer<p>", b"ab<br>", length)


@case(notes="longer than .*Limits.record_bytes|more than .* characters .*Limits.post_characters")
def page_of_html(folder: Path, size: Size) -> None:
    start = b"<html><h1>T</h1><h2>Question</h2>q<h2>Answer</h2>"
    repeated(folder / "large.html", start, b"<p>word</p>", size.large)


@case(notes="nested more than 512 deep")
def html_nested_deep(folder: Path, size: Size) -> None:
    start = b"<html><h1>T</h1><h2>Question</h2>q<h2>Answer</h2>"
    large = size.record // 2
    for name, piece in (("div", b"<div>"), ("b", b"<b>"), ("a", b"<a href=x><b>"), ("table", b"<table><tr><td>")):
        repeated(folder / f"{name}.html", start, piece, large, b"</i>" * (large // 8))


@case(posts=1, notes="Limits.post_characters")
def html_that_parsers_are_slow_with(folder: Path, size: Size) -> None:
    start = b"<html><title>T</title><h1>T</h1><p>Question</p>q<p>Answer</p>a"
    large = size.record // 2
    for name, piece in {
        "ends": b"</i>", "comments": b"<!--", "titles": b"<title", "canonical": b"<link rel=canonical ", "open": b"<p ",
        "attributes": b"<p " + b"a=1 " * 100, "scripts": b"<script>", "entities": b"&nosuch", "cdata": b"<![CDATA[",
    }.items():  # fmt: skip
        repeated(folder / f"{name}.html", start, piece, large)


@case(notes="no line that says|an HTML page without recognisable")
def comments_before_html(folder: Path, size: Size) -> None:
    (folder / "comments.html").write_text("<!-- -->" * 5000 + "<html>")


@case(notes="a text without recognisable questions")
def text_of_blank_lines(folder: Path, size: Size) -> None:
    for name, line in {"empty": "\n", "blank": " \n", "tab": "\t\n", "ends": "\r\n"}.items():
        (folder / f"{name}.txt").write_text(line * 70_000 + "x", newline="")


@case(notes="a text without recognisable questions|no line that says")
def comments_before_nothing(folder: Path, size: Size) -> None:
    (folder / "comments.txt").write_text("<!-- -->" * 5000 + "x")


@case(posts=1, notes="Limits.post_characters")
def html_lines_of_blanks(folder: Path, size: Size) -> None:
    blanks = " " * (size.deep // 2)
    for name, line in {
        "prev": f"prev: a{blanks}x{blanks}y",
        "target": f"Prev: a {blanks}(",
        "next": f"Prev: a{blanks}|{blanks}b",
    }.items():
        text = f"<html><h1>T</h1><p>Question</p>q<p>Answer</p>a<pre>{line}\n{blanks}x</pre>"
        (folder / f"{name}.html").write_text(text)
    (folder / "fits.html").write_text("<html><h1>T</h1><p>Question</p>q<p>Answer</p>It fits.")


@case(posts=1)
def charsets_that_are_none(folder: Path, size: Size) -> None:
    for name in (
        "punycode",
        "idna",
        "zip",
        "bz2",
        "utf-7",
        "undefined",
        "unicode_escape",
        "rot13",
        "utf-16",
        "nothing",
    ):
        text = f"<html><meta charset={name}><h1>T</h1><p>Question</p>q<p>Answer</p>a" + "\xe9" * 1000
        (folder / f"{name}.html").write_bytes(text.encode("cp1252"))


@case(notes="nested too deep")
def json_nested_deep(folder: Path, size: Size) -> None:
    deep = size.deep
    (folder / "array.json").write_text("[" * deep + "]" * deep)
    (folder / "object.json").write_text('[{"a":' * deep + "1" + "}]" * deep)
    (folder / "open.json").write_text("[" * deep)
    (folder / "line.jsonl").write_text('{"answer":' * deep + "1" + "}" * deep)
    (folder / "maps.json").write_text('{"a":' * deep + "1" + "}" * deep)


@case(notes="nested too deep", posts=1)
def json_nested_as_deep_as_python_reads(folder: Path, size: Size) -> None:
    for depth in (300, 500, 900, 990):
        answer = "[" * depth + '"x"' + "]" * depth
        (folder / f"{depth}.jsonl").write_text(f'{{"id": "{depth}", "answer": {answer}}}\n')


@case(posts=1)
def json_of_many_arrays(folder: Path, size: Size) -> None:
    arrays = ",".join(f'"k{number}":[{json.dumps(ROW)}]' for number in range(min(size.many, 50)))
    (folder / "arrays.json").write_text(
        f'{{{arrays},"none":{{{",".join(f"{chr(34)}{n}{chr(34)}:[1]" for n in range(size.many))}}}}}'
    )


@case(posts=1, notes="more than .* values|longer than 1 MiB")
def json_objects_of_many_keys(folder: Path, size: Size) -> None:
    keys = ",".join(f'"k{number}":0' for number in range(1_000_000 if size.many >= 1_000_000 else 50_000))
    (folder / "keys.jsonl").write_text(
        f'{{"question": "Q", "answer": "Many keys", {keys}}}\n' + "{" + "[]," * 2_100_000 + "}\n"
    )


@case(posts=5000)
def tiny_records(folder: Path, size: Size) -> None:
    count = 5000
    (folder / "tiny.csv").write_text("id,answer\n" + "".join(f"{number},a{number}\n" for number in range(count)))


@case(notes="more of its posts or files cannot be read", posts=1)
def many_broken_records(folder: Path, size: Size) -> None:
    repeated(folder / "broken.jsonl", json.dumps(ROW).encode() + b"\n", b"x\n", size.large // 128)
    repeated(folder / "numbers.json", b"[" + json.dumps(ROW).encode(), b",1", size.large // 128, b"]")


@case(posts=5, notes="too many digits")
def numbers(folder: Path, size: Size) -> None:
    values = ["1e999", "-1e999", "NaN", "Infinity", "1" * 4000, "1" * 5000, "1e5000", "0.1e-999", str(2**63), "-0"]
    lines = [f'{{"id": "n{number}", "answer": "A {number % 5}", "score": {value}, "date": {value}, "views": {value}}}'
             for number, value in enumerate(values)]  # fmt: skip
    (folder / "numbers.jsonl").write_text("\n".join(lines))
    (folder / "numbers.json").write_text("[" + ",".join(lines) + "]")
    (folder / "ids.jsonl").write_text("\n".join(f'{{"id": {value}, "answer": "A 0"}}' for value in values))


@case(posts=1)
def dates(folder: Path, size: Size) -> None:
    values = ["99999999999999", "9999999999999", "-1", "0000/0/0", "2015-13-45", "1e999", "2015-01-01\x1b10:00"]
    values += ["\ud800", "2015-01-01\ud80010:00", "9" * 10_000, "Jan " * 2000, "Mon, 99 Jan 99999 99:99:99 +9999"]
    rows = [{"id": value[:9], "answer": "A", "date": value} for value in (*values, "١/٢/٢٠١٥")]
    (folder / "dates.jsonl").write_text("\n".join(map(json.dumps, rows)))


@case(posts=15, notes="where text was expected")
def values_of_other_kinds(folder: Path, size: Size) -> None:
    odd: list[Any] = [True, {"x": 1}, [[["y"]]], 1.5, None, [], {}, [None, False], "\ud800\0"]
    rows = [{"answer": "A", field: value} for value in odd
            for field in ("id", "url", "author", "tags", "category", "date", "score", "title")]  # fmt: skip
    rows += [{"answer": [{"text": "A", field: value}]} for value in odd for field in ("id", "score", "date", "author")]
    rows += [{"answer": value} for value in odd]
    (folder / "odd.jsonl").write_text("\n".join(map(json.dumps, rows)))


@case(posts=2, notes="no recognisable question or answer")
def text_that_cannot_be_stored(folder: Path, size: Size) -> None:
    nasty = "\0\ud800\x1b]0;x\x07\u202e\x9b31m\u2066"
    (folder / "nasty.jsonl").write_text(
        json.dumps({"id": nasty, "answer": f"A {nasty}", "title": nasty, "tags": [nasty], nasty: 1})
    )
    (folder / "page.txt").write_text(page("T\0", "q\x1b[31m", "a\0\x9b" + "a" * 500), encoding="utf-8")
    (folder / "none.jsonl").write_text(json.dumps({nasty: nasty}))


@case(posts=1)
def duplicate_ids(folder: Path, size: Size) -> None:
    (folder / "same.jsonl").write_text("".join(f'{{"id": "1", "answer": "a{number}"}}\n' for number in range(300)))


@case(notes="more than .* characters .*Limits.post_characters")
def long_fields(folder: Path, size: Size) -> None:
    long = "word " * (size.record // 30)
    for field in ("title", "question", "answer", "url", "id", "tags", "author"):
        (folder / f"{field}.jsonl").write_text(json.dumps({**ROW, field: long}))
    (folder / "html.jsonl").write_text(json.dumps({**ROW, "answer": f"<p>{long}</p>"}))
    (folder / "title.txt").write_text(page(long, "q", "a"))
    (folder / "parts.jsonl").write_text(json.dumps({"id": "1", "answers": [long[: size.post - 100]] * 2}))


@case(posts=2)
def bytes_of_no_encoding(folder: Path, size: Size) -> None:
    (folder / "high.csv").write_bytes(b"question,answer\nQ,High " + b"\xe9\xff\x81" * 3000 + b"\n")
    (folder / "cut.csv").write_bytes("question,answer\nQ,High ".encode("utf-16") + b"\0")


# --- Stack Exchange dumps ------------------------------------------------------------------------------------------

QUESTION = '<row Id="1" PostTypeId="1" Title="T" Body="q" />\n<row Id="2" PostTypeId="2" ParentId="1" Body="{}" />\n'


@case(posts=1)
def dump_with_characters_that_are_none(folder: Path, size: Size) -> None:
    text = QUESTION.format("&#0;&#x1F;&#xFFFF;&#xD800;&#99999999;\x01\x0c ok &#65;")
    (folder / "Posts.xml").write_text(f"<posts>\n{text}</posts>")


@case(posts=1, notes=r"line 4: longer than .*Limits.record_bytes")
def dump_row(folder: Path, size: Size) -> None:
    start = f"<posts>\n{QUESTION.format('a')}".encode() + b'<row Id="3" PostTypeId="1" Body="'
    repeated(folder / "Posts.xml", start, b"word\n", size.large, b'" />\n</posts>')


@case(posts=1, notes=r"line 4: longer than .*Limits.record_bytes|different names")
def dump_attributes(folder: Path, size: Size) -> None:
    start = f"<posts>\n{QUESTION.format('a')}<row "
    names = "".join(f'a{number}="" ' for number in range(min(size.many, 1_000_000)))
    (folder / "Posts.xml").write_text(f"{start}{names} />\n</posts>")
    rows = "".join(f'<row a{number}="" />\n' for number in range(2000))
    (folder / "names.xml").write_text(f"<posts>\n{QUESTION.format('a')}{rows}</posts>")


@case(posts=1, notes="nested deeper")
def dump_nested_deep(folder: Path, size: Size) -> None:
    repeated(folder / "Posts.xml", f"<posts>\n{QUESTION.format('a')}".encode(), b"<row>", size.large // 8)


@case(notes="declares a document type|the XML declares entities")
def dump_entities(folder: Path, size: Size) -> None:
    laughs = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(20))
    for name, declared, used in (
        ("laughs", f'[<!ENTITY l0 "ha">{laughs}]', "&l20;"),
        ("file", '[<!ENTITY x SYSTEM "file:../secret.txt">]', "&x;"),
        ("http", '[<!ENTITY x SYSTEM "http://127.0.0.1:9/x">]', "&x;"),
        ("dtd", 'SYSTEM "file:../secret.txt"', ""),
    ):
        text = f"<?xml version='1.0'?><!DOCTYPE posts {declared}><posts>{QUESTION.format(used)}</posts>"
        (folder / f"{name}.xml").write_text(text)


@case(posts=1, notes="Limits.post_characters|another row has its Id|a document type|the dump lacks")
def dump_of_too_many_answers(folder: Path, size: Size) -> None:
    rows = [f'<row Id="{number}" PostTypeId="2" ParentId="1" Body="{"a " * 500}" />' for number in range(3, 3003)]
    more = '<row Id="9000" PostTypeId="1" Body="q" /><row Id="9001" PostTypeId="2" ParentId="9000" Body="a" />'
    (folder / "Posts.xml").write_text(f"<posts>{QUESTION.format('a')}{''.join(rows)}{more}{more}</posts>")


@case(posts=1)
def html_in_records_with_entities(folder: Path, size: Size) -> None:
    markup = '<!DOCTYPE html [<!ENTITY x SYSTEM "file:../secret.txt">]><p>&x;</p><iframe src="file:../secret.txt">'
    (folder / "html.jsonl").write_text(json.dumps({"id": "1", "answer": f"<p>Answer {markup}</p>"}))


# --- how they are tried --------------------------------------------------------------------------------------------


class Builds:
    """The process that builds, started again if it should die itself."""

    def __init__(self, scratch: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.hostile_builds"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(scratch), "MALLOC_ARENA_MAX": "2"},
        )

    def run(self, trial: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(trial) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture(scope="module")
def builds(scratch: Path) -> Iterator[Builds]:
    process = Builds(scratch)
    yield process
    process.close()


def flaws(case: Case, result: dict[str, Any], scratch: Path, tmp_path: Path, most_memory: int) -> list[str]:
    """Say what is wrong with what came of a trial."""
    if result["problem"]:
        return [result["problem"]]
    found = []
    if not result["found"] or result["found"][0] != "good.txt":
        found.append(f"the good page is not found, but {result['found']}")
    notes = [
        f"{source}, {place}: {reason}" if place else f"{source}: {reason}" for source, place, reason in result["notes"]
    ]
    if case.notes and not any(re.search(case.notes, note) for note in notes):
        found.append(f"no note says {case.notes!r}: {notes[:5]}")
    if not case.notes and notes:
        found.append(f"something is set aside: {notes[:5]}")
    if result["posts"] != case.posts + 1:
        found.append(f"{result['posts']} posts instead of {case.posts + 1}: {notes[:5]}")
    if bad := [note for note in notes if not note.isprintable()]:
        found.append(f"a note that cannot be shown: {bad[0][:200]!r}")
    if result["grown"] > most_memory:
        found.append(f"took {result['grown'] / MB:.0f} MB")
    if left := sorted(path.name for path in scratch.glob("qa-search*")):
        found.append(f"left in the scratch folder: {left[:5]}")
    if outside := sorted({path.name for path in tmp_path.iterdir()} - {"archive", "index", "secret.txt"}):
        found.append(f"written outside: {outside}")
    if any(SECRET.encode() in path.read_bytes() for path in (tmp_path / "index").rglob("*") if path.is_file()):
        found.append("a file outside the source was read")
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_archive_is_read_or_set_aside(
    name: str, builds: Builds, scratch: Path, tmp_path: Path, campaign: Campaign
) -> None:
    """The build ends well within its bounds, the good page beside it is found, and notes say what was not read."""
    size = FULL if campaign.full else SHORT
    folder = tmp_path / "archive"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text(page(SECRET, SECRET, SECRET))
    (folder / "good.txt").write_text(page(GOOD, GOOD, GOOD))
    CASES[name].write(folder, size)
    result = builds.run(
        {
            "sources": [str(folder)],
            "index": str(tmp_path / "index"),
            "limits": {} if campaign.full else SMALL,
            "address_space": campaign.count(2 << 30, 3 << 30),
            "seconds": campaign.count(30, 900),
            "query": GOOD,
        }
    )
    failures = flaws(CASES[name], result, scratch, tmp_path, campaign.count(250 * MB, 800 * MB))
    subprocess.run(["rm", "-rf", folder], check=True)  # deeper than pytest can remove
    figures = {"seconds": result.get("seconds"), "megabytes": result.get("grown", 0) // MB}
    campaign.finish(8, f"hostile archive: {name.replace('_', ' ')}", 1, failures, **figures)
