"""Posts -> the documents that the command and the HTTP API write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qa_search.types import OtherPost, Post
from qa_search.util.csv_cells import EXPORTED


def post_document(
    post_id: str, post: Post, neighbours: tuple[OtherPost | None, OtherPost | None], ids: Sequence[str]
) -> dict[str, Any]:
    """Return a whole post, the posts that it links to, and all ids of its text."""
    before, after = neighbours
    return {
        "post_id": post_id,
        **post.to_dict(),
        "prev": before and before.to_dict(),
        "next": after and after.to_dict(),
        "ids": list(ids),
    }


def exported_post(post: Post) -> Mapping[str, Any]:
    """Return a post as an archive has it, one value for each of `EXPORTED`."""
    values = {**post.to_dict(), "post_id": post.post_id, "id": post.source_id}
    return {name: values[name] for name in EXPORTED}
