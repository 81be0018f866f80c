"""Text -> the terminal, a pager or a redirected stream, in whatever encoding that has."""

from __future__ import annotations

import codecs
import io
import json
import os
import shutil
import sys
import unicodedata
from typing import Any, TextIO

import click

from qa_search.util.text import counted, printable_json

# What stands for common signs that an encoding lacks.
_PLAIN = {
    "…": "...", "»": ">>", "«": "<<", "·": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "−": "-", "‘": "'", "’": "'",
    "“": '"', "”": '"', "„": '"', "•": "*", "→": "->", "×": "x", "ß": "ss", "€": "EUR", "\xa0": " ", "\u202f": " ",
}  # fmt: skip
_HANDLER = "qa-search-readable"
_ASCII = "qa_search_ascii"


class OutputError(Exception):
    """Standard output cannot be written to. Nothing but `main` catches it: no command goes on without its output."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"standard output {reason}. Send it to a file on a disk with space, or to another program.")


class _Output(io.TextIOWrapper):
    """Standard output, or standard error. A pipe that its reader closed raises `BrokenPipeError`, as elsewhere."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            return self._fail(error)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> int:
        if isinstance(error, BrokenPipeError):
            raise error
        if self is sys.stderr:  # nobody can be told, and what is asked for goes to standard output
            discard(self)
            return 0
        raise OutputError(f"cannot be written to ({error.strerror or error})") from error


def discard(stream: TextIO) -> None:
    """Let everything that is written to a stream from now on, and what it still holds, go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class _Lost:
    """Counts the characters that were written as question marks."""

    count = 0


def _readable(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for characters that an encoding lacks: similar signs, letters without accents, or "?"."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    written = [_similar(character) for character in error.object[error.start : error.end]]
    _Lost.count += written.count("?")
    return "".join(written), error.end


def _similar(character: str) -> str:
    if character in _PLAIN:
        return _PLAIN[character]
    base = "".join(one for one in unicodedata.normalize("NFKD", character) if not unicodedata.combining(one))
    return base if base and base.isascii() else "?"


def _find_ascii(name: str) -> codecs.CodecInfo | None:
    """Return ASCII under another name: click takes a stream of "ascii" for a mistake and writes UTF-8 to it."""
    if name != _ASCII:
        return None
    plain = codecs.lookup("ascii")
    return codecs.CodecInfo(
        plain.encode, plain.decode, plain.streamreader, plain.streamwriter, plain.incrementalencoder,
        plain.incrementaldecoder, _ASCII,
    )  # fmt: skip


def prepare_streams() -> None:
    """Let no character stop the output: what an encoding lacks is replaced by what is similar, or by "?".

    Raises:
        OutputError: if standard output is closed.
    """
    codecs.register_error(_HANDLER, _readable)
    codecs.register(_find_ascii)
    closed = sys.stdout is None
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed: the next file that is opened must not take its place
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - it stays open
            setattr(sys, name, stream)
        if isinstance(stream, io.TextIOWrapper):  # not where a program has put its own in place of it
            setattr(sys, name, _watched(stream))
    if closed:
        raise OutputError("is closed")


def _watched(stream: io.TextIOWrapper) -> _Output:
    plain = codecs.lookup(stream.encoding).name == "ascii"
    encoding, lines, through = stream.encoding, stream.line_buffering, stream.write_through
    return _Output(
        stream.detach(),
        encoding=_ASCII if plain else encoding,
        errors=_HANDLER,
        line_buffering=lines,
        write_through=through,
    )


def report_lost() -> None:
    """Report characters that a redirected output does not have; on a terminal they are seen to be missing."""
    if _Lost.count and not sys.stdout.isatty():
        encoding = sys.stdout.encoding.removeprefix("qa_search_")
        click.echo(
            f'Note: {counted(_Lost.count, "character")} that {encoding} does not have: written as "?". '
            "To keep all characters, set PYTHONUTF8=1.",
            err=True,
        )


def writes_unicode() -> bool:
    """Return whether standard output can have every character."""
    return codecs.lookup(sys.stdout.encoding or "utf-8").name.startswith("utf")


def json_text(document: Any, indent: int | None = None) -> str:
    r"""Write a JSON document; with "\u..." escapes where standard output lacks characters, so that none is lost."""
    return printable_json(json.dumps(document, ensure_ascii=not writes_unicode(), indent=indent))


def print_html(page: str) -> None:
    """Print a page that says that it is UTF-8; with "&#...;" where standard output is something else."""
    click.echo(page if writes_unicode() else page.encode("ascii", "xmlcharrefreplace").decode(), nl=False)


def echo_paged(text: str) -> None:
    """Print a text; on a terminal that it does not fit, show it in a pager, the beginning first."""
    if sys.stdout.isatty() and text.count("\n") + 2 > shutil.get_terminal_size().lines:
        click.echo_via_pager(text)  # which is a plain echo where nobody could press a key
    else:
        click.echo(text)
