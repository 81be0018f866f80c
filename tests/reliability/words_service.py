"""``qa-search serve`` with an embedder that needs no model: ``python -m tests.reliability.words_service INDEX ...``."""

from __future__ import annotations

import sys
from typing import Any

from qa_search import SearchIndex
from qa_search.interfaces.cli import cli
from tests.helpers import WordsEmbedder

if __name__ == "__main__":
    real = SearchIndex.open

    def open_with_words(path: Any, *, model: Any = None, **options: Any) -> SearchIndex:
        return real(path, model=WordsEmbedder(), **options)

    SearchIndex.open = open_with_words  # type: ignore[method-assign, assignment]
    cli(["serve", "--index", *sys.argv[1:]])
