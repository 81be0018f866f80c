"""The name of a file, or "-" -> what is read from it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from qa_search.errors import QASearchError


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
