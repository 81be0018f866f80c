"""The posts that a search is limited to. Each store writes its own condition from these data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Filters:
    """The conditions that a post must meet to be a hit. Dates compare as ISO 8601; ``until`` is exclusive here.

    ``other_than`` is the number of a post that is left out; so are those in ``hidden``. ``only`` is the one post that
    passes.
    """

    since: str | None = None
    until: str | None = None
    source: str | None = None
    tags: tuple[str, ...] = ()
    other_than: int | None = None
    only: int | None = None
    hidden: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return self != Filters()


def fold_tag(tag: str) -> str:
    """Fold the ways to write a tag: "Shin Splints" is "shin-splints"."""
    return "-".join(tag.casefold().replace("_", " ").replace("-", " ").split())
