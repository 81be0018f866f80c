"""Encodings, and text made fit to be stored."""

from __future__ import annotations

import json
import time
import unicodedata
from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_search.archives.encodings import declared_encoding, decode_head, decode_text, detect_encoding, open_text
from qa_search.interfaces.render.terminal import printable
from qa_search.util.text import clean_text, printable_json, safe_on_page, visible, without_unsafe, without_unseen


def decode(data: bytes) -> str:
    encoding = detect_encoding(data)
    assert encoding is not None
    with open_text(BytesIO(data), encoding) as stream:
        return stream.read()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_encodings_are_told_apart(encoding: str) -> None:
    """Accents, dashes and quotes come out of every encoding alike, and without a byte order mark."""
    text = "Café – “5½ km” isn’t far"
    assert decode(text.encode(encoding)) == text


def test_a_file_pasted_together_from_two_encodings_is_read() -> None:
    """Each byte that is not UTF-8 is read as Windows-1252, whatever stands around it."""
    assert decode("isn’t ".encode() + "isn’t".encode("cp1252")) == "isn’t isn’t"


def test_the_encoding_may_show_late_in_a_large_file() -> None:
    """A first non-ASCII byte far behind the head is decoded too, and characters split by buffers survive."""
    assert decode(b"a" * 200_001 + "é".encode("cp1252")) == "a" * 200_001 + "é"
    assert decode(b"a" + "é".encode() * 100_000) == "a" + "é" * 100_000


def test_undefined_bytes_become_a_replacement_character() -> None:
    """Windows-1252 leaves five bytes without a meaning: nothing dangerous is made of them."""
    assert decode(b"a\x81\x8d\x8f\x90\x9db") == "a\ufffd\ufffd\ufffd\ufffd\ufffdb"


@pytest.mark.parametrize("data", [bytes(range(256)) * 4, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\0" * 100])
def test_binary_data_is_no_text(data: bytes) -> None:
    """Images and the like are not decoded."""
    assert detect_encoding(data) is None
    assert decode_head(data) is None


def test_a_character_cut_off_at_the_end_of_the_head_is_left_out() -> None:
    """The head of a file may end in the middle of a character."""
    assert decode_head("aé".encode()[:-1]) == "a"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  a\r\nb\rc \n", "a\nb\nc"),
        ("a\0b", "a\ufffdb"),
        ("half \ud83d pair", "half \ufffd pair"),
        ("whole \ud83d\ude00 pair", "whole 😀 pair"),
        ("", ""),
    ],
)
def test_text_is_made_storable(text: str, cleaned: str) -> None:
    """Line ends, NULs and half surrogate pairs."""
    assert clean_text(text) == cleaned


@given(st.text(alphabet=st.characters(categories=None)))
def test_cleaned_text_can_always_be_stored(text: str) -> None:
    """Any text can be encoded once it is cleaned, and cleaning again changes nothing."""
    cleaned = clean_text(text)
    cleaned.encode()
    assert clean_text(cleaned) == cleaned


@given(st.lists(st.one_of(st.binary(max_size=6), st.text(max_size=3).map(str.encode)), max_size=20), st.integers(1, 7))
def test_runs_of_bytes_are_decoded_as_one_by_one(pieces: list[bytes], at_once: int) -> None:
    """A character where the bytes make one, Windows-1252 elsewhere, wherever what is read at once ends."""
    data = b"".join(pieces)
    expected, position = "", 0
    while position < len(data):
        for length in (1, 2, 3, 4):
            with suppress(UnicodeDecodeError):
                expected += data[position : position + length].decode()
                break
        else:
            length = 1
            expected += data[position : position + 1].decode("cp1252", "replace")
        position += length
    assert decode_text(data, "utf-8") == expected
    with open_text(BytesIO(data), "utf-8", newline="") as stream:
        stream._CHUNK_SIZE = at_once  # type: ignore[attr-defined]
        assert "".join(iter(lambda: stream.read(1), "")) == expected


@pytest.mark.slow
def test_bytes_that_are_no_utf_8_are_read_fast() -> None:
    """A call for each of them would take minutes for what a dump holds."""
    started_at = time.process_time()
    assert decode_text(b"\xe9" * 20_000_000, "utf-8") == "é" * 20_000_000
    assert time.process_time() - started_at < 5


@pytest.mark.parametrize(
    ("name", "codec"),
    [("windows-1252", "cp1252"), ("ISO-8859-1", "iso8859-1"), ("Shift_JIS", "shift_jis"), ("utf-8", None),
     ("utf-7", None), ("punycode", None), ("idna", None), ("cp99999", None), ("zip", None), ("", None)],
)  # fmt: skip
def test_declared_charsets_are_told_from_other_codecs(name: str, codec: str | None) -> None:
    """Only those that web pages and dumps are written in."""
    assert declared_encoding(name) == codec


@given(st.text(alphabet=st.characters(categories=None)))
def test_visible_text_is_one_line_that_can_be_stored(text: str) -> None:
    """No controls, no marks that turn the direction, no half surrogate pairs; all else stays."""
    shown = visible(text)
    shown.encode()
    assert len(shown) == len(text)
    assert len(shown.splitlines()) <= 1
    assert not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in shown)
    assert not any(unicodedata.bidirectional(letter) in _TURNING for letter in shown)


_TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


EVERY_CHARACTER = [chr(code) for code in range(0x110000)]
UNSHOWN_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
# Marks that enclose the digits behind them: they are seen. And selectors, joiners and fillers of other categories.
SEEN_FORMATS = set("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
UNSEEN_OTHERS = {
    *"\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2065\u3164\uffa0",
    *(chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0000, 0xE1000))),
}


@pytest.mark.slow
def test_what_nobody_sees_is_left_out() -> None:
    """Every control, format, private and half character there is, tags and selectors of variants; no letter or sign."""
    unseen = {
        character
        for character in EVERY_CHARACTER
        if unicodedata.category(character) in UNSHOWN_CATEGORIES or character in UNSEEN_OTHERS
    }
    left = set(without_unseen("".join(EVERY_CHARACTER)))
    assert not left & (unseen - SEEN_FORMATS - {"\t", "\n"})
    assigned = {character for character in EVERY_CHARACTER if unicodedata.category(character) != "Cn"}
    assert assigned - unseen <= left


def test_one_text_is_safe_for_all_that_show_it() -> None:
    """Commands, the shell, exports and the page take out or replace the same controls, overrides, half characters."""
    harmful = "".join(map(chr, (*range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0), 0x202D, 0x202E, 0xD800, 0xFFFF)))
    for shown in (printable(harmful), without_unseen(harmful), without_unsafe(harmful)):
        assert not shown.strip("\n")
    assert set(safe_on_page(harmful)) <= {"\ufffd", "\n"}
    turning = "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u2066\u2067\u2068\u2069"
    assert (printable(turning), without_unsafe(turning), without_unseen(turning)) == ("", "", "\n\n")


@given(st.dictionaries(st.text(), st.lists(st.text() | st.none() | st.integers())))
@pytest.mark.slow
def test_json_for_a_terminal_means_the_same(document: object) -> None:
    """And holds nothing that a terminal would obey."""
    text = printable_json(json.dumps(document, ensure_ascii=False, indent=2))
    assert json.loads(text) == document
    assert without_unsafe(text) == text


def test_json_escapes_what_is_unsafe() -> None:
    """Control characters of both sets, DEL, marks of direction, line ends of their own, half and no characters."""
    for code in (
        *range(0x20),
        0x7F,
        *range(0x80, 0xA0),
        0x61C,
        0x2028,
        0x2029,
        0x202E,
        0x2066,
        0xD800,
        0xFFFE,
        0x1FFFF,
    ):
        text = printable_json(json.dumps(chr(code), ensure_ascii=False))
        assert text.isascii()
        assert text.isprintable()
        assert json.loads(text) == chr(code)
