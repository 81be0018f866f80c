"""The name of a file, or "-" -> what is read from it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from qa_search.errors import QASearchError, QueryError
from qa_search.util.text import utf8_text


@contextmanager
def opened(name: str, wanted: str = "a file of JSON Lines") -> Iterator[BinaryIO]:
    """Open a file for reading, or standard input for "-"; ``wanted`` says what it should be, for a message.

    Raises:
        QASearchError: if it cannot be read.
    """
    if name == "-":
        yield standard_input()
        return
    try:
        stream = Path(name).open("rb")  # noqa: SIM115 - errors of opening are separate from errors of reading
    except OSError as error:
        raise QASearchError(
            f"{name}: cannot be read ({error.strerror}). Name {wanted}, or - for standard input."
        ) from error
    with stream:
        yield stream


def standard_input() -> BinaryIO:
    """Return standard input.

    Raises:
        QASearchError: if it is closed.
    """
    if sys.stdin is None:
        raise QASearchError("standard input is closed. Send it the text, or name a file.")
    return sys.stdin.buffer


def standard_text(most: int, *, quiet: bool) -> str:
    """Return the text of standard input, of at most ``most`` bytes; say so if it is not UTF-8, unless ``quiet``.

    Raises:
        QASearchError: if it is closed.
        QueryError: if it is not text.
    """
    data = standard_input().read(most)
    text = utf8_text(data)
    if text is not None:
        return text
    from qa_search.archives.encodings import decode_text, detect_encoding  # here, because it is seldom needed

    encoding = detect_encoding(data)
    if encoding is None and len(data) < most:
        raise QueryError("standard input is not text. Send it the complaint, in UTF-8.")
    if encoding is None:
        return data.decode("utf-8", "replace")  # whatever it is, it is refused for its length
    if not quiet:
        read_as = "Windows-1252" if encoding.startswith("utf-8") else encoding
        click.echo(f"Standard input is not UTF-8: read as {read_as}.", err=True)
    return decode_text(data, encoding)
