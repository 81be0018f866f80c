"""Bytes -> text: encodings told apart, and text made fit to be stored."""

from __future__ import annotations

import codecs
import io
import re
from typing import BinaryIO

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_FALLBACK = "qa_search.windows-1252"
# UTF-16 without a mark: text of mostly Latin letters has a zero in every other byte.
_UTF16_ZERO_SHARE = 0.3
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_CONTROL_SHARE = 0.01


def _decode_as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Read the bytes that are not UTF-8 as Windows-1252; the five it leaves undefined become U+FFFD."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


def detect_encoding(head: bytes) -> str | None:
    """Name the codec of a text by its first bytes, or return None when they are not text.

    ``utf-8`` here stands for "UTF-8 wherever it is valid, else Windows-1252" (see `open_text`).
    """
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return encoding
    sample = head[: len(head) & ~1]
    if sample:
        half = len(sample) // 2
        if sample[1::2].count(0) > _UTF16_ZERO_SHARE * half and not sample[0::2].count(0):
            return "utf-16-le"
        if sample[0::2].count(0) > _UTF16_ZERO_SHARE * half and not sample[1::2].count(0):
            return "utf-16-be"
    if len(_CONTROLS.findall(head)) > _CONTROL_SHARE * len(head):
        return None
    return "utf-8"


def open_text(stream: BinaryIO, encoding: str, newline: str | None = None) -> io.TextIOWrapper:
    """Wrap bytes as text, decoding as they are read.

    Bytes that are not valid UTF-8 are read as Windows-1252, one run at a time: so a file may be either, and a
    file that was pasted together from both comes out right too.
    """
    codecs.register_error(_FALLBACK, _decode_as_windows_1252)
    errors = _FALLBACK if encoding.startswith("utf-8") else "replace"
    return io.TextIOWrapper(stream, encoding=encoding, errors=errors, newline=newline)


def decode_head(head: bytes) -> str | None:
    """Decode the first bytes of a file, a character cut off at the end left out; None if they are not text."""
    encoding = detect_encoding(head)
    if encoding is None:
        return None
    codecs.register_error(_FALLBACK, _decode_as_windows_1252)
    errors = _FALLBACK if encoding.startswith("utf-8") else "replace"
    return codecs.getincrementaldecoder(encoding)(errors).decode(head, final=False)


def clean_text(text: str) -> str:
    r"""Make text storable: line ends as "\n", NUL and half surrogate pairs as U+FFFD, no blanks around."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.strip()
