"""A log that clients cannot fill: a repeated message is written a few times a minute, and then counted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

_OFTEN = 5  # times a minute that the same message is written
_MINUTE = 60.0
_LONGEST = 2000  # characters of a message
_MOST_KINDS = 1000


class RepeatFilter(logging.Filter):
    """Passes the same message five times a minute; the next minute's first one says how many were left out.

    Messages are the same if their text before its arguments, their logger and their level are.
    """

    def __init__(self, often: int = _OFTEN, clock: Callable[[], float] = time.monotonic) -> None:
        """Count by a clock in seconds."""
        super().__init__()
        self._often = often
        self._clock = clock
        self._seen: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write a record."""
        kind, now = (record.name, record.levelno, str(record.msg)[:_LONGEST]), self._clock()
        since, count = self._seen.get(kind, (now, 0))
        left_out = 0
        if now - since >= _MINUTE:
            left_out, since, count = max(count - self._often, 0), now, 0
        if kind not in self._seen and len(self._seen) >= _MOST_KINDS:
            self._seen.pop(next(iter(self._seen)))
        self._seen[kind] = (since, count + 1)
        if count >= self._often:
            return False
        _shorten(record, left_out)
        return True


def _shorten(record: logging.LogRecord, left_out: int) -> None:
    """Shorten a long message, and add how many like it were left out."""
    message = record.getMessage()
    if len(message) > _LONGEST:
        message = f"{message[:_LONGEST]} ..."
    if left_out:
        message = f"{message} ({left_out:,} more like this were left out of the log)"
    record.msg, record.args = message, None


def set_up_logging(level: int) -> None:
    """Write the log to standard error, a message a line, without what repeats."""
    logging.basicConfig(level=level, format="%(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(RepeatFilter())
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.WARNING)
