"""Mail: what a message says itself, apart from what it quotes."""

from __future__ import annotations

from pathlib import Path

from qa_search.archives.read import read_archives
from qa_search.types import Post

MAIL = """From: Ann <ann@example.org>
To: list@example.org
Subject: Re: Knocking boiler
Date: Mon, 3 Mar 2014 10:11:00 +0000
Message-ID: <2@example.org>
In-Reply-To: <1@example.org>

Limescale.

Flush it twice.

{attribution}
> Mine knocks every morning.
"""


def test_an_attribution_is_no_part_of_an_answer(tmp_path: Path) -> None:
    """It may stand on one line or on two. The lines above it stay."""
    for attribution in ("Bob wrote:", "On Monday, Bob <bob@example.org>\nin his own words:"):
        (tmp_path / "1.eml").write_text(MAIL.format(attribution=attribution), encoding="utf-8")
        (found,) = read_archives([tmp_path / "1.eml"])
        assert isinstance(found, Post)
        assert (found.question, found.answer) == ("Mine knocks every morning.", "Limescale.\n\nFlush it twice.")
