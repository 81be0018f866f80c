"""``qa-search serve`` with an embedder that needs no model: ``python -m tests.reliability.words_service INDEX ...``."""

from __future__ import annotations

import sys
from typing import Any

from qa_search.interfaces.cli import cli
from qa_search.interfaces.web import worker
from tests.helpers import WordsEmbedder


class WordsOpening(worker.Opening):
    """Opens an index with the words' embedder, in the service and in its workers."""

    def __init__(self, path: str, _model: Any, feedback: str | None) -> None:
        super().__init__(path, WordsEmbedder(), feedback)


if __name__ == "__main__":
    worker.Opening = WordsOpening  # type: ignore[misc, assignment]
    cli(["serve", "--index", *sys.argv[1:]])
