"""``qa-search`` with a model that needs no loading: ``python -m tests.interfaces.cli.words query --index ...``."""

from __future__ import annotations

from pathlib import Path

import pytest

from qa_search import SearchIndex
from qa_search.interfaces.cli import main
from tests.helpers import WordsEmbedder


def use_words(patch: pytest.MonkeyPatch) -> None:
    """Have every index opened with `WordsEmbedder`."""
    opened = SearchIndex.open

    def open_with_words(
        path: str | Path, *, model: str | None = None, feedback: str | Path | None = None
    ) -> SearchIndex:
        return opened(path, model=WordsEmbedder(), feedback=feedback)

    patch.setattr(SearchIndex, "open", open_with_words)


if __name__ == "__main__":
    use_words(pytest.MonkeyPatch())
    main()
