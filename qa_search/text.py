"""Bytes -> text: encodings told apart, and text made fit to be stored."""

from __future__ import annotations

import codecs
import io
import json
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
# What text may hold that is not shown as it is: one table for all that show text, as insides of a character class.
CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f"  # all but the tab and the line end
OVERRIDES = r"\u202d\u202e"  # of the writing direction: they make a text read as another
DIRECTION = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # all marks of it
LINE_ENDS = r"\u2028\u2029"
SURROGATES = r"\ud800-\udfff"
NO_CHARACTERS = r"\ufdd0-\ufdef" + "".join(rf"\U{plane:04x}fffe\U{plane:04x}ffff" for plane in range(0x11))
# Joiners, blanks of no width, fillers, selectors of variants, tags, private use: they can hide what machines read.
UNSEEN = (
    r"\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ue000-\uf8ff"
    r"\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff\U000f0000-\U000ffffd\U00100000-\U0010fffd"
)
_UNSAFE = CONTROLS + DIRECTION + LINE_ENDS + SURROGATES + NO_CHARACTERS
_UNSAFE_TEXT = re.compile(f"[{_UNSAFE}]")
_UNSEEN_TEXT = re.compile(f"[{_UNSAFE}{UNSEEN}]")
_OTHER_LINE_ENDS = dict.fromkeys(map(ord, "\v\f\x1c\x1d\x1e\x85\u2028\u2029"), "\n")
# Made into names of sources, by which posts get their ids: it must not change.
_INVISIBLE = re.compile(rf"[{CONTROLS}\t\n{DIRECTION}{LINE_ENDS}{SURROGATES}]")


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


def decode_head(head: bytes) -> str | None:
    """Decode the first bytes of a file, a character cut off at the end left out; None if they are not text."""
    encoding = detect_encoding(head)
    if encoding is None:
        return None
    return codecs.getincrementaldecoder(encoding)(_errors(encoding)).decode(head, final=False)


def _errors(encoding: str) -> str:
    codecs.register_error(_FALLBACK, _decode_as_windows_1252)
    return _FALLBACK if encoding.startswith("utf-8") else "replace"


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


def visible(text: str) -> str:
    """Put U+FFFD for what a terminal would obey instead of show, and for what cannot be stored."""
    return _INVISIBLE.sub("\ufffd", text)


def without_unsafe(text: str) -> str:
    """Leave out what could take over a terminal or a page: controls, marks of direction, what is no character."""
    return _UNSAFE_TEXT.sub("", text)


def without_unseen(text: str) -> str:
    r"""Leave out, besides what is unsafe, all that people do not see and machines read; end lines by "\n" alone."""
    return _UNSEEN_TEXT.sub("", text.translate(_OTHER_LINE_ENDS))


def printable_json(document: str) -> str:
    r"""Write what is unsafe in a JSON document as "\u..." escapes: it means the same, and a terminal shows it."""
    return _UNSAFE_TEXT.sub(lambda found: json.dumps(found[0])[1:-1], document)
