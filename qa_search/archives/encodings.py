"""Bytes -> text: the encoding is found from the bytes, and text is decoded as it is read."""

from __future__ import annotations

import codecs
import io
import re
from functools import lru_cache
from typing import BinaryIO

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as the next one does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_FALLBACK = "qa_search.windows-1252"
# UTF-16 without a mark: text of mostly Latin letters has a zero in every other byte.
_UTF16_ZERO_SHARE = 0.3
_CONTROLS = bytes((*range(0x09), *range(0x0E, 0x1B), *range(0x1C, 0x20)))
_CONTROL_SHARE = 0.01
_UTF8_CHARACTER = re.compile(
    rb"[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}"
    rb"|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)
_LONGEST_UTF8_CHARACTER = 4
# What text files are written in, besides Unicode: of codecs that are never met, some fit any bytes.
_CANDIDATES = (
    "gb18030", "big5hkscs", "cp932", "shift_jis_2004", "euc_jis_2004", "cp949", "euc_kr", "cp1250", "cp1251", "cp1252",
    "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874", "iso8859-2", "iso8859-5", "iso8859-7",
    "iso8859-15", "koi8-r", "koi8-u", "mac-roman", "mac-cyrillic", "cp850", "cp852", "cp866",
)  # fmt: skip
_ISO_2022_JP = (b"\x1b$B", b"\x1b$@")
_DETECTED_BYTES = 1 << 15
# Below this the detector guesses; texts of a hundred letters reach twice as much.
_LEAST = 0.1
_SURE = 0.2
_FEW_BYTES = 6
_WINDOWS_PUNCTUATION = re.compile(rb"[\x85\x91-\x97]")
_HIGH = re.compile(rb"[\x80-\xff]")
# All of Windows' code pages have the same quotes, dashes and dots.
_BEYOND_PUNCTUATION = re.compile(rb"[\x80-\x84\x86-\x90\x98-\xff]")
# ISO 8859 has control characters there, which no text holds.
_CONTROLS_OF_ISO = re.compile(rb"[\x80-\x9f]")
_CHARSETS = re.compile(
    r"us-ascii|iso-?8859-\d\d?|latin-?\d|(?:windows-|cp)\d{3,4}|koi8-[rtu]|mac-?[a-z]+|tis-620|big5|gb2312|gbk|gb18030"
    r"|shift_jis|sjis|euc-(?:jp|kr)|iso-2022-(?:jp|kr)",
    re.IGNORECASE | re.ASCII,
)


def _decode_as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Read the bytes that are not UTF-8 as Windows-1252; the five it leaves undefined become U+FFFD."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    # The whole run up to the next UTF-8 character at once, as a call for each byte would take minutes per 100 MB;
    # but not the last bytes: what follows may make a character of them.
    data = error.object
    known = _UTF8_CHARACTER.search(data, error.end)
    end = known.start() if known else max(len(data) - _LONGEST_UTF8_CHARACTER + 1, error.end)
    return data[error.start : end].decode("cp1252", "replace"), end


def detect_encoding(head: bytes) -> str | None:
    """Return the codec of a text from its first bytes, None if they are not text.

    ``utf-8`` here stands for "UTF-8 wherever it is valid, else Windows-1252" (see `open_text`). Bytes that are mostly
    no UTF-8 are given to a detector.
    """
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return encoding
    sample = head[: len(head) & ~1]
    if 0 in sample:
        half = len(sample) // 2
        if sample[1::2].count(0) > _UTF16_ZERO_SHARE * half and not sample[0::2].count(0):
            return "utf-16-le"
        if sample[0::2].count(0) > _UTF16_ZERO_SHARE * half and not sample[1::2].count(0):
            return "utf-16-be"
    if len(head) - len(head.translate(None, _CONTROLS)) > _CONTROL_SHARE * len(head):
        return None
    if any(mark in head for mark in _ISO_2022_JP) and head.isascii():
        return "iso2022_jp"
    return "utf-8" if is_mostly_utf8(head) else _detect(head)[0]


def is_utf8(head: bytes) -> bool:
    """Return whether bytes are UTF-8; the last character may be truncated."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def is_mostly_utf8(head: bytes) -> bool:
    """Return whether at least half of the non-ASCII bytes are UTF-8."""
    if is_utf8(head):
        return True
    high = len(_HIGH.findall(head))
    valid = sum(len(match) for match in _UTF8_CHARACTER.findall(head) if len(match) > 1)
    return 2 * valid >= high


def is_doubtful(head: bytes) -> bool:
    """Return whether the encoding found for these bytes is uncertain."""
    if is_mostly_utf8(head) or _BEYOND_PUNCTUATION.search(head) is None:
        return False
    return _detect(head)[1] < _SURE or len(_HIGH.findall(head)) < _FEW_BYTES


@lru_cache(maxsize=8)
def _detect(head: bytes) -> tuple[str, float]:
    """Detect the codec: (codec, confidence from 0 to 1); "utf-8" stands for Windows-1252 too."""
    import chardet  # here, because it takes a while and most text is UTF-8

    telling = b"\n".join(line for line in head.split(b"\n") if not line.isascii())[:_DETECTED_BYTES]
    # Quotes, dashes and dots where Windows has them, and letters in other systems' sets.
    windows = 2 * len(_WINDOWS_PUNCTUATION.findall(telling)) > len(_HIGH.findall(telling))
    candidates = [name for name in _CANDIDATES if not windows or re.match(r"cp(?:125|874|9)", name)]
    if _CONTROLS_OF_ISO.search(telling):
        candidates = [name for name in candidates if not name.startswith("iso")]
    found = chardet.detect(telling, include_encodings=candidates, compat_names=False, no_match_encoding="cp1252")
    name, confidence = codecs.lookup(found["encoding"] or "cp1252").name, found["confidence"]
    if confidence < _LEAST or name in ("cp1252", "iso8859-1", "iso8859-15", "utf-8", "ascii"):
        return "utf-8", confidence
    return name, confidence


def declared_encoding(name: str) -> str | None:
    """Return the codec of a charset that a web page or an XML file declares.

    None for Unicode, which the bytes show better, and for an invalid charset: some names of Python's codecs are not
    charsets, and such codecs may take forever or raise errors.
    """
    if _CHARSETS.fullmatch(name) is None:
        return None
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None


def named_encoding(name: str) -> str | None:
    """Return the codec of an encoding that the user names; None if it is unknown or not an encoding of text."""
    if re.fullmatch(r"utf-?(?:8|16|32)(?:-?(?:sig|le|be))?", name, re.IGNORECASE | re.ASCII):
        return codecs.lookup(name).name
    return declared_encoding(name)


def open_text(stream: BinaryIO, encoding: str, newline: str | None = None) -> io.TextIOWrapper:
    """Wrap bytes as text, decoding as they are read.

    Bytes that are not valid UTF-8 are read as Windows-1252, one run at a time: so a file may be either, and a
    file that was pasted together from both comes out right too.
    """
    return io.TextIOWrapper(stream, encoding=encoding, errors=_errors(encoding), newline=newline)


def decode_text(data: bytes, encoding: str) -> str:
    """Decode all bytes of a text, as `open_text` does."""
    return data.decode(encoding, _errors(encoding))


def decode_head(head: bytes, encoding: str | None = None) -> str | None:
    """Decode the first bytes of a file without a truncated last character; None if they are not text."""
    encoding = encoding or detect_encoding(head)
    if encoding is None:
        return None
    return codecs.getincrementaldecoder(encoding)(_errors(encoding)).decode(head, final=False)


def _errors(encoding: str) -> str:
    codecs.register_error(_FALLBACK, _decode_as_windows_1252)
    return _FALLBACK if encoding.startswith("utf-8") else "replace"
