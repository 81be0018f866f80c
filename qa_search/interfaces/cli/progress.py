"""The progress of a build, on standard error."""

from __future__ import annotations

import sys
import time

import click

import qa_search
from qa_search.util.text import counted

_SECONDS_BETWEEN_LINES = 5.0
_SECONDS_BETWEEN_UPDATES = 0.2
_BAR_WIDTH = 24


class ProgressLine:
    """Shows a build's progress on standard error: one redrawn line on a terminal, else a line every few seconds."""

    def __init__(self) -> None:
        self._redraw = sys.stderr.isatty()
        self._next = time.monotonic() + (0 if self._redraw else _SECONDS_BETWEEN_LINES)
        self._stage: str | None = None
        self._started = time.monotonic()
        self._drawn = False
        self._last: qa_search.Progress | None = None

    def __call__(self, progress: qa_search.Progress) -> None:
        """Show the progress, unless it was shown just before."""
        if progress == self._last:
            return
        now = time.monotonic()
        if progress.stage != self._stage:
            self._stage, self._started = progress.stage, now
            # A stage is shown when it begins: it may take long before it reports again.
            if self._redraw or progress.stage == "exporting":
                self._next = now
        last = progress.done == progress.total
        if now < self._next and not (last and self._drawn):
            return
        self._next = now + (_SECONDS_BETWEEN_UPDATES if self._redraw else _SECONDS_BETWEEN_LINES)
        text = _describe(progress, now - self._started)
        if self._redraw:
            click.echo(f"\r\x1b[K{'' if last else text}", nl=False, err=True)
        else:
            click.echo(text, err=True)
        self._drawn = True
        self._last = progress


def _describe(progress: qa_search.Progress, seconds: float) -> str:
    """Describe the progress of a stage: with a bar, the rate and the time left if the total is known."""
    if progress.stage == "model":
        return "loading the model"
    if progress.stage == "exporting":
        return "exporting the model, once for all indexes: this takes half a minute to some minutes"
    if progress.stage == "arranging":
        return "sorting the vectors into lists"
    if progress.stage == "measuring":
        return "measuring the recall of compressed vectors"
    if progress.stage == "storing":
        return f"storing in the database: {progress.done:,} of {counted(progress.total or 0, 'post')}"
    if progress.total is None:
        return f"reading: {counted(progress.done, 'post')}"
    share = progress.done / progress.total if progress.total else 1.0
    filled = int(share * _BAR_WIDTH)
    text = f"embedding [{'#' * filled}{'.' * (_BAR_WIDTH - filled)}] {share:4.0%}  {progress.done:,} of "
    text += f"{counted(progress.total, 'passage')}"
    if progress.done and seconds > 0:
        rate = progress.done / seconds
        text += f", {rate:,.0f}/s, {_duration((progress.total - progress.done) / rate)} left"
    return text


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
