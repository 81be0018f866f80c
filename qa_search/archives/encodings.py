"""Bytes -> text: the encoding is found from the bytes, and text is decoded as it is read."""

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
_UTF8_CHARACTER = re.compile(
    rb"[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}"
    rb"|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)
_LONGEST_UTF8_CHARACTER = 4
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


def declared_encoding(name: str) -> str | None:
    """Name the codec of a charset that a web page or an XML file declares.

    None for Unicode, as the bytes tell better, and for what is no charset: Python has codecs by such names too, some
    of which take forever or raise errors.
    """
    if _CHARSETS.fullmatch(name) is None:
        return None
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None


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
    """Decode the first bytes of a file, a character cut off at the end left out; None if they are not text."""
    encoding = encoding or detect_encoding(head)
    if encoding is None:
        return None
    return codecs.getincrementaldecoder(encoding)(_errors(encoding)).decode(head, final=False)


def _errors(encoding: str) -> str:
    codecs.register_error(_FALLBACK, _decode_as_windows_1252)
    return _FALLBACK if encoding.startswith("utf-8") else "replace"
