"""Encodings, and text made fit to be stored."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_search.text import clean_text, decode_head, detect_encoding, open_text


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
