"""Text -> text that can be stored and shown safely."""

from __future__ import annotations

import json
import re

# The one table of characters that are not shown as they are, each set as the inside of a character class.
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
_LINE_END = re.compile("\r\n?")
_UNSAFE = CONTROLS + DIRECTION + LINE_ENDS + SURROGATES + NO_CHARACTERS
_UNSAFE_TEXT = re.compile(f"[{_UNSAFE}]")
_UNSEEN_TEXT = re.compile(f"[{_UNSAFE}{UNSEEN}]")
# Other marks of direction belong to Hebrew and Arabic; a page isolates them.
_UNSAFE_ON_PAGE = re.compile(f"[{CONTROLS}{OVERRIDES}{SURROGATES}{NO_CHARACTERS}]")
_DIRECTION_MARK = re.compile(f"[{DIRECTION}]")
_OTHER_LINE_ENDS = dict.fromkeys(map(ord, "\v\f\x1c\x1d\x1e\x85\u2028\u2029"), "\n")
# Made into names of sources, by which posts get their ids: it must not change.
_INVISIBLE = re.compile(rf"[{CONTROLS}\t\n{DIRECTION}{LINE_ENDS}{SURROGATES}]")


# Controls other than line ends and tabs. NUL becomes U+FFFD, what breaks a line or a page a line end, the rest goes.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_CONTROL_BYTES = bytes((*range(0x09), *range(0x0B, 0x20), 0x7F))
_SHORT = 100
_LEAD_OF_CONTROLS = b"\xc2"  # with which the others begin in UTF-8, and so do a few signs
_INSTEAD = {"\0": "\ufffd", "\r": "\n", "\x0b": "\n", "\x0c": "\n", "\x85": "\n", "\x1e": "-"}


def clean_text(text: str) -> str:
    r"""Make text storable: line ends as "\n", no control characters but tabs, NUL and half surrogate pairs as U+FFFD.

    Blanks around it are left out.
    """
    if not (text.isprintable() if len(text) < _SHORT else _is_clean(text)):
        if _CONTROLS.search(text):
            text = _CONTROLS.sub(lambda match: _INSTEAD.get(match[0], ""), text.replace("\r\n", "\n"))
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.strip()


def _is_clean(text: str) -> bool:
    """Return whether a text surely has no control and no half of a pair: bytes are looked through sooner than text."""
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return False
    return _LEAD_OF_CONTROLS not in data and len(data.translate(None, _CONTROL_BYTES)) == len(data)


def counted(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun: "1 post", "2,000 posts", "1 query", "2 queries".

    Args:
        count: how many.
        one: the noun for one.
        many: the noun for others; the other one with an s if empty.
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def visible(text: str) -> str:
    """Replace by U+FFFD the characters that a terminal would obey and those that cannot be stored."""
    return text if text.isprintable() else _INVISIBLE.sub("\ufffd", text)


def without_unsafe(text: str) -> str:
    r"""Remove what could control a terminal or a page, such as controls and marks of direction. End lines by "\n"."""
    return _UNSAFE_TEXT.sub("", _LINE_END.sub("\n", text))


def without_unseen(text: str) -> str:
    r"""Remove what is unsafe, and also what machines read and people do not see. End lines by "\n" alone."""
    return _UNSEEN_TEXT.sub("", text.translate(_OTHER_LINE_ENDS))


def without_direction(text: str) -> str:
    """Remove marks of the writing direction, for a title or an attribute, where nothing isolates them."""
    return _DIRECTION_MARK.sub("", text)


def safe_on_page(text: str) -> str:
    r"""Replace what a browser would obey and not show by U+FFFD. End lines by "\n"."""
    return _UNSAFE_ON_PAGE.sub("\ufffd", _LINE_END.sub("\n", text))


def printable_json(document: str) -> str:
    r"""Write what is unsafe in a JSON document as "\u..." escapes: it means the same, and a terminal shows it."""
    return _UNSAFE_TEXT.sub(lambda found: json.dumps(found[0])[1:-1], document)


def utf8_text(data: bytes) -> str | None:
    """Decode UTF-8; None if the bytes are invalid, or have a zero in every other byte or so, as UTF-16 has."""
    if 4 * data.count(0) > len(data):
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def json_fault(error: Exception) -> str:
    """Return what is wrong with a line of JSON, and where in it: its number is known elsewhere."""
    return f"{error.msg}, at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else str(error)
