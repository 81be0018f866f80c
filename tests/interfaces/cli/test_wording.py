"""The library's messages name parameters, the command's name options."""

from __future__ import annotations

import pytest

from qa_search.errors import QASearchError
from qa_search.interfaces.cli.wording import message_of


@pytest.mark.parametrize(
    ("message", "parameter", "shown"),
    [
        ("field_map: x=y is invalid.", "field_map", "--map: x=y is invalid."),
        ("tags: too many", "tags", "--tag: too many"),
        ("since: since 'soon'", "since", "--since: since 'soon'"),
        ("Build with keep_unanswered=True.", "keep_unanswered", "Build with --keep-unanswered."),
        ("or build with strict=False to go on.", "strict", "or build without --strict to go on."),
        ("give one (model=PATH) or fetch it (download=True)", None, "give one (--model PATH) or fetch it (--download)"),
        ("column question=FIELD, a model of 1", None, "column question=FIELD, a model of 1"),
    ],
)  # fmt: skip
def test_an_option_stands_for_each_parameter(message: str, parameter: str | None, shown: str) -> None:
    """A leading name, and every way out; nothing else changes."""
    assert message_of(QASearchError(message, parameter=parameter)) == shown
