"""Text -> text that can be stored and shown safely."""

from __future__ import annotations

import re

# Controls, and the marks that turn the writing direction: what could make a terminal show something else.
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


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
