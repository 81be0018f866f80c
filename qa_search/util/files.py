"""Open files: refuse pipes, devices and too large files, and distinguish unreadable files from damaged ones."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from qa_search.errors import IndexUnreadableError

# The most bytes of what is read whole, by kind; docs/reliability.md names them. A larger file is refused unread.
MOST_POINTER_BYTES = 1 << 12
MOST_SETTINGS_BYTES = 32 << 20  # manifests, settings of encoders and models
MOST_CONFIGURATION_BYTES = 4 << 20  # what a person writes: curation.toml, site.toml
MOST_VOTES_BYTES = 64 << 20

_NO_THREAD = "can't start new thread"

# What keeps a file from being read and says nothing about its content, with the way out of each.
_WITHHELD = {
    errno.EMFILE: "Let this process open more files (ulimit -n), and try again",
    errno.ENFILE: "The system has too many files open: try again later",
    errno.EACCES: "Let this user read it, and the folders above it",
    errno.EPERM: "Let this user read it, and the folders above it",
    errno.ENOMEM: "Free some memory, and try again",
    errno.ENOSPC: "Make room, or name a folder with more room in TMPDIR",
    errno.EDQUOT: "Make room, or name a folder with more room in TMPDIR",
    errno.ESTALE: "Try again",
    errno.ETIMEDOUT: "Try again",
}


def remedy_of(error: OSError) -> str | None:
    """Return the way out where the machine lacks something now; None where the file itself cannot be read."""
    return None if error.errno in (errno.EACCES, errno.EPERM) else _WITHHELD.get(error.errno or 0)


def raise_if_withheld(error: BaseException, path: Path) -> None:
    """Raise if an error with a file is due to the system; return if the file itself may be damaged.

    Libraries seldom say why they cannot open a file: their text is searched for the system's words, and the file is
    opened once more.

    Raises:
        IndexUnreadableError: if the system refused the file, or lacks resources to read it.
    """
    text = str(error)
    for code, remedy in _WITHHELD.items():
        if (error.errno == code) if isinstance(error, OSError) and error.errno else (os.strerror(code) in text):
            place = getattr(error, "filename", None) or path
            raise IndexUnreadableError(
                f"{place} cannot be read now ({os.strerror(code)}), which does not mean that it is damaged. {remedy}."
            ) from error
    if _NO_THREAD in text:
        raise IndexUnreadableError(f"{path} cannot be read now ({_NO_THREAD}). Let this user run more.") from error
    if not isinstance(error, OSError):
        with suppress(OSError):
            os.close(open_file(path))


def open_file(path: Path) -> int:
    """Open a file for reading and return its descriptor.

    Raises:
        IndexUnreadableError: if the system refuses to open it now.
        OSError: if it does not exist or is not a regular file. (Opening a pipe would wait for ever.)
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise_if_withheld(error, path)
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return descriptor


def read_file(path: Path, most: int) -> bytes:
    """Return the content of a file of at most ``most`` bytes. A larger one is not read.

    Raises:
        IndexUnreadableError: if the system refuses to open it now.
        OSError: if it does not exist, is not a regular file, or is larger.
    """
    with os.fdopen(open_file(path), "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if size <= most:
            data = stream.read(size + 1)  # the buffer is as large as what is asked for
            if len(data) > size:  # some systems say 0 of files that have content
                data += stream.read(most + 1)
            if len(data) <= most:
                return data
        raise OSError(errno.EFBIG, f"it is larger than {most:,} bytes", str(path))
