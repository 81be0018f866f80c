"""Text -> text that can be stored and shown safely."""

from __future__ import annotations

import re

# Controls, and the marks that turn the writing direction: what could make a terminal show something else.
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


# Controls other than line ends and tabs. NUL becomes U+FFFD, what breaks a line or a page a line end, the rest goes.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_INSTEAD = {"\0": "\ufffd", "\r": "\n", "\x0b": "\n", "\x0c": "\n", "\x85": "\n", "\x1e": "-"}


def clean_text(text: str) -> str:
    r"""Make text storable: line ends as "\n", no control characters but tabs, NUL and half surrogate pairs as U+FFFD.

    Blanks around it are left out.
    """
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
    if _CONTROLS.search(text):
        text = _CONTROLS.sub(lambda match: _INSTEAD.get(match[0], ""), text)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.strip()


def visible(text: str) -> str:
    """Put U+FFFD for what a terminal would obey instead of show, and for what cannot be stored."""
    return _INVISIBLE.sub("\ufffd", text)
