"""What posts a search is limited to, as a condition in SQL."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Filters:
    """What a post must be like to be a hit. Dates compare as ISO 8601; ``until`` is exclusive here.

    ``other_than`` is the number of a post that is left out.
    """

    since: str | None = None
    until: str | None = None
    source: str | None = None
    tags: tuple[str, ...] = ()
    other_than: int | None = None

    def __bool__(self) -> bool:
        return self != Filters()

    def sql(self) -> tuple[str, list[str | int]]:
        """Return the condition on ``entry e`` and its parameters."""
        conditions: list[str] = ["1"]
        values: list[str | int] = []
        if self.other_than is not None:
            conditions.append("e.post <> ?")
            values.append(self.other_than)
        if self.since is not None:
            conditions.append("e.date >= ?")
            values.append(self.since)
        if self.until is not None:
            conditions.append("e.date < ?")
            values.append(self.until)
        if self.source is not None:
            conditions.append("(e.source GLOB ? OR e.source || '/' || e.source_id GLOB ?)")
            values += [self.source, self.source]
        for tag in self.tags:
            conditions.append("e.id IN (SELECT t.entry FROM tag t WHERE t.tag = ?)")
            values.append(fold_tag(tag))
        return " AND ".join(conditions), values


def fold_tag(tag: str) -> str:
    """Fold the ways to write a tag: "Shin Splints" is "shin-splints"."""
    return "-".join(tag.casefold().replace("_", " ").replace("-", " ").split())
