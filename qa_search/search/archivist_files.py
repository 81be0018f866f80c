"""The paths of the archivist's file and the file of votes -> what they say, and whether they changed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from qa_search.index.base import IndexPlace
from qa_search.search.amendments import Amendments
from qa_search.search.curation import CURATION_NAME, Curation, Stamp, read_curation, stamp_of
from qa_search.search.curation import VARIABLE as CURATION_VARIABLE
from qa_search.search.feedback import FEEDBACK_NAME, FeedbackFile, Vote, read_votes
from qa_search.search.feedback import VARIABLE as FEEDBACK_VARIABLE
from qa_search.types import CurationInfo, FeedbackInfo


class ArchivistFiles:
    """The archivist's file and the file of votes of an index, and whether they changed since they were read."""

    def __init__(self, curation: Path | None, feedback: Path | None, *, required: bool, recording: bool) -> None:
        self._curation = curation
        self._feedback = feedback
        self._required = required
        self.recorder = FeedbackFile(feedback) if feedback is not None and recording else None
        self.stamps: tuple[Stamp, Stamp] = (None, None)  # of the files as they were read

    @classmethod
    def find(
        cls, place: IndexPlace, curation: str | os.PathLike[str] | None, feedback: str | os.PathLike[str] | None
    ) -> Self:
        """Find the files that are named, or those in the index folder; a database has none of its own."""
        folder = place.path if isinstance(place.path, Path) else None
        named = curation or os.environ.get(CURATION_VARIABLE)
        votes = feedback or os.environ.get(FEEDBACK_VARIABLE)
        return cls(
            Path(named) if named else folder and folder / CURATION_NAME,
            Path(votes) if votes else folder and folder / FEEDBACK_NAME,
            required=bool(named),
            recording=feedback is not None,
        )

    @property
    def feedback(self) -> str:
        """The name of the file of votes."""
        return str(self._feedback or "")

    def changed(self) -> bool:
        """Return whether a file is another one than the one that was read."""
        return self.now() != self.stamps

    def read(self) -> tuple[Curation | None, list[Vote] | None]:
        """Return what the files say, None for one that does not exist."""
        stamps = self.now()  # before reading: a later change is found at the next call
        present = self._curation is not None and (stamps[0] is not None or self._required)
        curation = read_curation(self._curation) if present and self._curation is not None else None
        votes = read_votes(self._feedback) if stamps[1] is not None and self._feedback is not None else None
        self.stamps = stamps
        return curation, votes

    def now(self) -> tuple[Stamp, Stamp]:
        """Return what says which files there are now."""
        return stamp_of(self._curation), stamp_of(self._feedback)


def feedback_info(amended: Amendments | None, path: str) -> FeedbackInfo | None:
    """Describe the votes that are in force; None without votes."""
    if amended is None or not amended.votes:
        return None
    return FeedbackInfo(path, amended.votes, len(amended.confirmed), len(amended.rejected))


def curation_info(amended: Amendments | None) -> CurationInfo | None:
    """Describe the archivist's file that is in force; None if there is none."""
    if amended is None or not amended.curation.path:
        return None
    curation = amended.curation
    return CurationInfo(
        curation.path,
        pins=len(curation.pins),
        hidden=len(curation.hidden),
        same=len(curation.same),
        newer=curation.newer.weight if curation.newer else 0.0,
        dangers=len(curation.dangers),
        remarks=amended.remarks,
    )
