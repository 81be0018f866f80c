"""Archives that none of us wrote, where this machine has them (see the fixture `shared`)."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest

from qa_search.archives.read import read_archives
from qa_search.types import Post, SetAside

# folder: (answered posts, unanswered questions, notes)
COUNTS = {
    "archive": (1, 0, 0),
    "formats/coffee": (212, 13, 0),
    "formats/szyyn95+SE_duplicate_loader": (494, 95, 0),
    "datasets/beer_se/raw_sample": (644, 19, 0),
    "datasets/doctor_forums/raw_sample": (636, 0, 0),
    # One question of faq_200327.tsv comes on two rows, with two answers: one post.
    "formats/deepset-covid": (1108, 0, 3),
}


@pytest.mark.parametrize("folder", COUNTS)
def test_every_post_is_read(folder: str, shared: Path) -> None:
    """Counts as found by hand in the raw files; no text holds markup or a NUL."""
    counts: Counter[str] = Counter()
    for item in read_archives([shared / folder]):
        if isinstance(item, SetAside):
            counts["aside"] += 1
            continue
        counts["answered" if item.answer else "unanswered"] += 1
        assert not re.search(r"</?(?:p|li|ol|ul|code|pre|strong|em)>", item.answer.replace("`", "")), item.source_id
    assert (counts["answered"], counts["unanswered"], counts["aside"]) == COUNTS[folder]


@pytest.mark.parametrize(
    "folder", ["formats/coffee", "formats/szyyn95+SE_duplicate_loader", "datasets/beer_se/raw_sample"]
)
def test_a_dump_is_read_as_a_tree_parser_reads_it(folder: str, shared: Path) -> None:
    """Every answer of the dump is a part of its question's post, accepted first, then by score."""
    rows = [row.attrib for row in ET.parse(shared / folder / "Posts.xml").getroot()]  # noqa: S314 - trusted
    questions = {row["Id"]: row for row in rows if row["PostTypeId"] == "1"}
    answers: dict[str, list[tuple[bool, int, int]]] = {}
    for row in rows:
        if row["PostTypeId"] == "2":
            accepted = questions[row["ParentId"]].get("AcceptedAnswerId") == row["Id"]
            answers.setdefault(row["ParentId"], []).append((not accepted, -int(row["Score"]), int(row["Id"])))
    posts = [item for item in read_archives([shared / folder]) if isinstance(item, Post)]
    assert [post.source_id for post in posts] == sorted(questions, key=int)
    for post in posts:
        expected = [str(number) for _, _, number in sorted(answers.get(post.source_id, []))]
        assert [part.id for part in post.answers] == expected
